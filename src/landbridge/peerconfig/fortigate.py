"""Fortinet FortiGate, as CLI blocks. The tunnel is an interface in every style; phase 2 has a block for each pair."""

import re
from collections.abc import Iterator

from landbridge.model.allowed_values import Range
from landbridge.peerconfig.device import PLAIN_NAME, Abilities, Device, Family, Part, clamp, indent, lines, psk_line
from landbridge.peerconfig.side import DeviceSide, Net

_ENCRYPTION = {
    "aes-128": "aes128",
    "aes-192": "aes192",
    "aes-256": "aes256",
    "3des": "3des",
    "aes-128-gcm-16": "aes128gcm",
    "aes-256-gcm-16": "aes256gcm",
}
_AUTHENTICATION = {"md5": "md5", "sha1": "sha1", "sha2-256": "sha256", "sha2-384": "sha384", "sha2-512": "sha512"}
_GROUPS = {f"group{number}": str(number) for number in (1, 2, 5, 14, 15, 16, 19, 20, 21)}
_LIFETIME = Range(120, 172800)


def write(side: DeviceSide) -> list[Part]:
    numbered = enumerate(side.selectors, 1)
    content = lines(
        *_block("vpn ipsec phase1-interface", {side.tag: list(_phase1(side))}),
        *_block(
            "vpn ipsec phase2-interface", {f"{side.tag}-{n}": _phase2(side, p.device, p.gateway) for n, p in numbered}
        ),
        *(_block("system interface", {side.tag: _inner(side)}) if side.device_inner else []),
        *(_bgp(side) if side.style == "bgp" else _block("router static", _routes(side))),
    )
    return [Part(None, content)]


def _block(path: str, entries: dict[str, list[str]]) -> list[str]:
    """FortiOS reads an entry 0 as a new entry."""
    body = [
        line
        for name, settings in entries.items()
        for line in (f"edit {'0' if name.isdigit() else _quoted(name)}", *indent(settings, 4), "next")
    ]
    return [f"config {path}", *indent(body, 4), "end"]


def _phase1(side: DeviceSide) -> Iterator[str]:
    policy, gateway = side.ike, side.gateway_identity
    gcm = "prf" if policy.is_gcm else ""
    yield 'set interface "<WAN-INTERFACE>"'
    yield f"set ike-version {policy.version[1]}"
    if policy.version == "v1":
        yield f"set mode {policy.negotiation_mode}"
    if side.device_address:
        yield f"set local-gw {side.device_address}"
    yield f"set remote-gw {side.gateway_address}"
    yield from (
        ("set peertype one", f"set peerid {_quoted(gateway.text)}") if gateway.kind == "fqdn" else ("set peertype any",)
    )
    yield f"set localid-type {'fqdn' if side.device_identity.kind == 'fqdn' else 'address'}"
    yield f"set localid {_quoted(side.device_identity.text)}"
    yield f"set proposal {_ENCRYPTION[policy.encryption_algorithm]}-{gcm}{_AUTHENTICATION[policy.authentication_algorithm]}"
    yield f"set dhgrp {_GROUPS[policy.dh_group or '']}"
    yield f"set keylife {clamp(policy.lifetime_seconds, _LIFETIME)}"
    yield "set net-device disable"
    yield "set dpd on-idle"
    yield f"set dpd-retryinterval {policy.dpd.interval}"
    yield "set dpd-retrycount 3"
    yield psk_line(side, "#", lambda psk: f"set psksecret {_quoted(psk)}")


def _phase2(side: DeviceSide, device: Net, gateway: Net) -> list[str]:
    policy = side.ipsec
    gcm = policy.is_gcm
    authentication = "" if gcm else f"-{_AUTHENTICATION[policy.authentication_algorithm]}"
    pfs = ["set pfs enable", f"set dhgrp {_GROUPS[policy.pfs]}"] if policy.pfs in _GROUPS else ["set pfs disable"]
    return [
        f"set phase1name {_quoted(side.tag)}",
        f"set proposal {_ENCRYPTION[policy.encryption_algorithm]}{authentication}",
        *pfs,
        f"set keylifeseconds {clamp(policy.lifetime_seconds, _LIFETIME)}",
        "set auto-negotiate enable",
        *(["set keepalive enable"] if side.dials else []),
        f"set src-subnet {_masked(device)}",
        f"set dst-subnet {_masked(gateway)}",
    ]


def _inner(side: DeviceSide) -> list[str]:
    if side.device_inner is None or side.gateway_inner is None:
        return []
    remote = f"{side.gateway_inner.ip} {side.gateway_inner.netmask}"
    return [f"set ip {side.device_inner.ip} 255.255.255.255", f"set remote-ip {remote}", "set allowaccess ping"]


def _routes(side: DeviceSide) -> dict[str, list[str]]:
    nets = side.gateway_subnets if side.routed else tuple(dict.fromkeys(pair.gateway for pair in side.pairs))
    distance = f"set distance {side.metric // 10}"
    return {
        str(n): [f"set dst {_masked(net)}", f"set device {_quoted(side.tag)}", distance] for n, net in enumerate(nets)
    }


def _bgp(side: DeviceSide) -> list[str]:
    peer = side.gateway_inner.ip if side.gateway_inner else None
    keepalive, hold = side.bgp_timers
    neighbor = [
        f"set remote-as {side.gateway_asn}",
        f"set weight {300 - side.metric}",
        f"set keep-alive-timer {keepalive}",
        f"set holdtime-timer {hold}",
    ]
    networks = {str(n): [f"set prefix {_masked(net)}"] for n, net in enumerate(side.device_subnets)}
    body = [
        f"set as {side.device_asn}",
        "set network-import-check disable",
        *_block("neighbor", {str(peer): neighbor}),
        *(_block("network", networks) if networks else []),
    ]
    return ["config router bgp", *indent(body, 4), "end"]


def _masked(net: Net) -> str:
    return f"{net.network_address} {net.netmask}"


def _quoted(text: str) -> str:
    for sign in "\\\"'":
        text = text.replace(sign, f"\\{sign}")
    return f'"{text}"'


FAMILY = Family(
    device=Device(
        id="fortigate",
        vendor="Fortinet",
        kind="firewall",
        family="FortiGate",
        versions="FortiOS 7.0 and later",
        format="Paste it into the CLI.",
        proved=False,
        source="Fortinet, FortiOS CLI Reference: config vpn ipsec phase1-interface, phase2-interface",
        notes=(
            "write the name of the outer interface in place of <WAN-INTERFACE>, and add firewall policies for both directions.",
            "models with a low-encryption licence know DES alone.",
        ),
    ),
    abilities=Abilities(
        bgp_through_pairs=True,
        ike_encryption=_ENCRYPTION,
        ike_authentication=_AUTHENTICATION,
        ike_groups=_GROUPS,
        esp_encryption=_ENCRYPTION,
        esp_authentication=_AUTHENTICATION,
        pfs=_GROUPS,
        identity=PLAIN_NAME,
        psk=re.compile(
            r"(?!ENC )(?!.*\$(USERFROM|USERNAME|SerialNum))[A-Za-z0-9~!@#$%^()\-_+={ },./:;]{6,128}", re.ASCII
        ),
        ike_lifetime=_LIFETIME,
        ipsec_lifetime=_LIFETIME,
    ),
    comment="#",
    write=write,
)
