"""Libreswan. The abilities are those of its own parser (algparse, 4.10). The text is proved on a kernel with ESP."""

import re
from collections.abc import Iterator

from landbridge import model
from landbridge.model.allowed_values import Range
from landbridge.peerconfig.device import Abilities, Device, Family, Part, indent, lines, psk_line
from landbridge.peerconfig.side import DeviceSide, Identity

_ENCRYPTION = {
    "aes-128": "aes128",
    "aes-192": "aes192",
    "aes-256": "aes256",
    "3des": "3des",
    "aes-128-gcm-16": "aes_gcm128",
    "aes-256-gcm-16": "aes_gcm256",
}
_AUTHENTICATION = {"md5": "md5", "sha1": "sha1", "sha2-256": "sha2_256", "sha2-384": "sha2_384", "sha2-512": "sha2_512"}
_GROUPS = {f"group{number}": f"dh{number}" for number in (5, 14, 15, 16, 19, 20, 21)}


def write(side: DeviceSide) -> list[Part]:
    folder = "/etc/ipsec.d"
    numbered = enumerate(_selectors(side), 1)
    connections = lines(
        f"conn {side.tag}",
        indent(_common(side), 4),
        *([f"conn {side.tag}-{number}", *indent([f"also={side.tag}", *pair], 4)] for number, pair in numbered),
    )
    ids = f"{_identity(side.device_identity)} {_identity(side.gateway_identity)}"
    secrets = lines(
        f"# File {folder}/{side.tag}.secrets",
        psk_line(side, "#", lambda psk: f'{ids} : PSK "{psk}"'),
    )
    return [Part(f"{folder}/{side.tag}.conf", connections), Part(f"{folder}/{side.tag}.secrets", secrets)]


def _common(side: DeviceSide) -> list[str]:
    """`auto` is in each conn of a pair, because this conn alone is no tunnel. Without narrowing pluto refuses a gateway
    that starts with 0.0.0.0/0, and then gives up its own attempt for that IKE SA.
    """
    policy = side.ike
    return [
        "authby=secret",
        f"ikev2={'yes' if policy.version == 'v2' else 'no'}",
        *(["aggressive=yes"] if side.aggressive else []),
        *(["narrowing=yes"] if policy.version == "v2" else []),
        "type=tunnel",
        f"left={side.device_address or '%defaultroute'}",
        f"leftid={_identity(side.device_identity)}",
        f"right={side.gateway_address}",
        f"rightid={_identity(side.gateway_identity)}",
        f"ike={_ike_proposal(side)}",
        f"esp={_esp_proposal(side)}",
        f"pfs={'no' if side.ipsec.pfs == 'disable' else 'yes'}",
        f"ikelifetime={policy.lifetime_seconds}s",
        f"salifetime={side.ipsec.lifetime_seconds}s",
        "keyingtries=0",
        f"dpddelay={policy.dpd.interval}",
        *([f"dpdtimeout={side.dpd_timeout}"] if policy.version == "v1" else []),
        "dpdaction=restart",
        *([f"ipsec-interface={side.number}"] if side.style == "bgp" else []),
    ]


def _selectors(side: DeviceSide) -> Iterator[list[str]]:
    for pair in side.selectors:
        yield [f"auto={_start(side)}", f"leftsubnet={pair.device}", f"rightsubnet={pair.gateway}"]


def _start(side: DeviceSide) -> str:
    """pluto loses CHILD_SAs of crossing exchanges when both ends start at once: seen with two pairs in IKEv2 and in
    IKEv1. For a connection with pairs the gateway starts each of them, so pluto starts on traffic only.
    """
    in_pairs = side.style == "policy" or (side.style == "bgp" and not side.routed)
    by_gateway = in_pairs and side.device_address is not None
    return "ondemand" if by_gateway else "start"


def _ike_proposal(side: DeviceSide) -> str:
    policy = side.ike
    return "-".join(
        (
            _ENCRYPTION[policy.encryption_algorithm],
            _AUTHENTICATION[policy.authentication_algorithm],
            _GROUPS[policy.dh_group or ""],
        )
    )


def _esp_proposal(side: DeviceSide) -> str:
    policy = side.ipsec
    gcm = policy.is_gcm
    parts = [
        _ENCRYPTION[policy.encryption_algorithm],
        "null" if gcm else _AUTHENTICATION[policy.authentication_algorithm],
    ]
    if policy.pfs in _GROUPS:
        parts.append(_GROUPS[policy.pfs])
    return "-".join(parts)


def _identity(identity: Identity) -> str:
    """@ makes it a name. A name that starts with #, ~, [ or @ would become something else, so it must start with a letter."""
    return f"@{identity.text}" if identity.kind == "fqdn" else identity.text


def _limits(side: DeviceSide) -> Iterator[model.Violation]:
    if side.ike.version == "v1" and side.ipsec.pfs in ("group19", "group20", "group21"):
        yield model.Violation(
            "ipsecpolicy.pfs", f"Libreswan cannot do {side.ipsec.pfs} in IKEv1", "group5 to group16, or ike_version v2"
        )


def _notes(side: DeviceSide) -> Iterator[str]:
    if side.ike.version == "v1":
        yield "IKEv1 is off by default: write ikev1-policy=accept into `config setup` of /etc/ipsec.conf."
    if side.probed and side.style != "bgp":
        yield f"the gateway probes {side.device_inner}, so give this machine that address: ip address add {side.device_inner} dev lo"
    if side.style == "bgp":
        yield f"after the start run: ip address add {side.device_inner} dev ipsec{side.number}"
        yield "BIRD or FRR speaks BGP: print its text too."


FAMILY = Family(
    device=Device(
        id="libreswan",
        vendor="Libreswan",
        kind="software",
        family="pluto",
        versions="4.0 and later",
        format="Two files, /etc/ipsec.d/*.conf and *.secrets; then run: ipsec restart",
        proved=True,
        source="Libreswan manual pages, ipsec.conf(5) and ipsec.secrets(5)",
        notes=("the usual packages have neither DH group 1 nor DH group 2.",),
    ),
    abilities=Abilities(
        interface=False,
        bgp_through_pairs=True,
        ike_encryption=_ENCRYPTION,
        ike_authentication=_AUTHENTICATION,
        ike_groups=_GROUPS,
        esp_encryption=_ENCRYPTION,
        esp_authentication=_AUTHENTICATION,
        pfs=_GROUPS,
        psk=re.compile(r"[ !#-~]{1,255}", re.ASCII),
        ike_lifetime=Range(60, 86400),
        ipsec_lifetime=Range(30, 86400),
        limits=_limits,
    ),
    comment="#",
    write=write,
    notes=_notes,
)
