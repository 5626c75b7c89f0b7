"""Huawei AR routers (VRP). The API's IKE values are VRP's: DPD's message order, retransmit interval and id types map one
to one.
"""

import re
from collections.abc import Iterator

from landbridge.model.allowed_values import Range
from landbridge.peerconfig.device import (
    BLACKHOLES,
    LAST_DISTANCE,
    PLAIN_NAME,
    Abilities,
    Device,
    Family,
    Part,
    clamp,
    indent,
    lines,
    psk_line,
    wildcard,
)
from landbridge.peerconfig.side import DeviceSide, Identity

_IKE_ENCRYPTION = {"aes-128": "aes-128", "aes-192": "aes-192", "aes-256": "aes-256", "3des": "3des"}
_ESP_ENCRYPTION = _IKE_ENCRYPTION
_AUTHENTICATION = {name: name for name in ("md5", "sha1", "sha2-256", "sha2-384", "sha2-512")}
_GROUPS = {f"group{number}": f"group{number}" for number in (1, 2, 5, 14, 15, 16, 19, 20, 21)}
_IKE_LIFETIME = Range(60, 604800)
_IPSEC_LIFETIME = Range(30, 604800)


def write(side: DeviceSide) -> list[Part]:
    content = lines(
        "system-view",
        _ike_proposal(side),
        _ike_peer(side),
        _ipsec_proposal(side),
        _by_routes(side) if side.routed else _by_policy(side),
        "return",
    )
    return [Part(None, content)]


def _ike_proposal(side: DeviceSide) -> list[str]:
    policy = side.ike
    hash_name = _AUTHENTICATION[policy.authentication_algorithm]
    v2 = [f" integrity-algorithm hmac-{_hmac(hash_name)}", f" prf hmac-{_hmac(hash_name)}"]
    return [
        f"ike proposal {side.number}",
        f" encryption-algorithm {_IKE_ENCRYPTION[policy.encryption_algorithm]}",
        *(v2 if policy.version == "v2" else [f" authentication-algorithm {hash_name}"]),
        f" dh {_GROUPS[policy.dh_group or '']}",
        " authentication-method pre-share",
        f" sa duration {clamp(policy.lifetime_seconds, _IKE_LIFETIME)}",
        " quit",
    ]


def _hmac(name: str) -> str:
    return {"sha1": "sha1-96", "md5": "md5-96"}.get(name, name)


def _ike_peer(side: DeviceSide) -> list[str]:
    policy = side.ike
    versions = ["undo version 1", "version 2"] if policy.version == "v2" else ["undo version 2", "version 1"]
    mode = [f"exchange-mode {policy.negotiation_mode}"] if policy.version == "v1" else []
    settings = [
        *versions,
        *mode,
        psk_line(side, "#", lambda psk: f"pre-shared-key cipher {psk}"),
        f"ike-proposal {side.number}",
        *_identity("local", side.device_identity),
        *_identity("remote", side.gateway_identity),
        *([f"local-address {side.device_address}"] if side.device_address else []),
        f"remote-address {side.gateway_address}",
        "dpd type periodic",
        f"dpd idle-time {policy.dpd.interval}",
        f"dpd retransmit-interval {policy.dpd.timeout}",
        f"dpd msg {policy.dpd.msg}",
        "quit",
    ]
    return [f"ike peer {side.tag}", *indent(settings, 1)]


def _identity(end: str, identity: Identity) -> list[str]:
    return [f"{end}-id-type {identity.kind}", f"{end}-id {identity.text}"]


def _ipsec_proposal(side: DeviceSide) -> list[str]:
    policy = side.ipsec
    return [
        f"ipsec proposal {side.tag}",
        " transform esp",
        f" esp authentication-algorithm {_AUTHENTICATION[policy.authentication_algorithm]}",
        f" esp encryption-algorithm {_ESP_ENCRYPTION[policy.encryption_algorithm]}",
        " encapsulation-mode tunnel",
        " quit",
    ]


def _protection(side: DeviceSide) -> list[str]:
    pfs = [f" pfs dh-{side.ipsec.pfs}"] if side.ipsec.pfs in _GROUPS else []
    duration = clamp(side.ipsec.lifetime_seconds, _IPSEC_LIFETIME)
    return [f" ike-peer {side.tag}", f" proposal {side.tag}", *pfs, f" sa duration time-based {duration}"]


def _by_routes(side: DeviceSide) -> list[str]:
    name, inner = f"Tunnel0/0/{side.number}", side.device_inner
    return [
        f"ipsec profile {side.tag}",
        *_protection(side),
        " quit",
        f"interface {name}",
        *([f" ip address {inner.ip} {inner.netmask}"] if inner else []),
        " tunnel-protocol ipsec",
        f" source {side.device_address or '<WAN-INTERFACE>'}",
        f" destination {side.gateway_address}",
        f" ipsec profile {side.tag}",
        " quit",
        *(_bgp(side) if side.style == "bgp" else _routes(side, name)),
    ]


def _routes(side: DeviceSide, name: str) -> list[str]:
    preference = 60 if side.metric == 100 else 80
    return [
        f"ip route-static {net.network_address} {net.netmask} {name} preference {preference}"
        for net in side.gateway_subnets
    ]


def _bgp(side: DeviceSide) -> list[str]:
    peer = side.gateway_inner.ip if side.gateway_inner else None
    keepalive, hold = side.bgp_timers
    return [
        *(
            f"ip route-static {net.network_address} {net.netmask} NULL0 preference {LAST_DISTANCE}"
            for net in side.device_subnets
        ),
        f"bgp {side.device_asn}",
        f" peer {peer} as-number {side.gateway_asn}",
        f" peer {peer} timer keepalive {keepalive} hold {hold}",
        " ipv4-family unicast",
        f"  peer {peer} enable",
        f"  peer {peer} preferred-value {300 - side.metric}",
        *(f"  network {net.network_address} {net.netmask}" for net in side.device_subnets),
        "  quit",
        " quit",
    ]


def _by_policy(side: DeviceSide) -> list[str]:
    rules = (
        f" rule permit ip source {wildcard(pair.device)} destination {wildcard(pair.gateway)}" for pair in side.pairs
    )
    return [
        f"acl number {3000 + side.number % 1000}",
        *rules,
        " quit",
        f"ipsec policy {side.tag} 10 isakmp",
        f" security acl {3000 + side.number % 1000}",
        *_protection(side),
        *([" sa trigger-mode auto"] if side.dials else []),
        " quit",
        "interface <WAN-INTERFACE>",
        f" ipsec policy {side.tag}",
        " quit",
        *_inner(side),
    ]


def _inner(side: DeviceSide) -> list[str]:
    """The address that the gateway probes. Without a tunnel interface no other interface has it."""
    if not side.probed or side.device_inner is None:
        return []
    return [f"interface LoopBack{side.number}", f" ip address {side.device_inner.ip} 255.255.255.255", " quit"]


def _notes(side: DeviceSide) -> Iterator[str]:
    if side.style == "bgp" and side.device_subnets:
        yield BLACKHOLES
    if not side.routed:
        yield "write the name of the outer interface in place of <WAN-INTERFACE>, and exclude these pairs from its NAT."
    if side.ipsec.authentication_algorithm.startswith("sha2"):
        yield "older releases need this line for SHA2 in phase 2: ipsec authentication sha2 compatible enable"


FAMILY = Family(
    device=Device(
        id="huawei-ar",
        vendor="Huawei",
        kind="router",
        family="AR",
        versions="V200R010, V300R019 and later",
        format="Paste it in the user view; then run: save",
        proved=False,
        source="Huawei, AR CLI-based Configuration Guide - VPN: IPSec Configuration",
        notes=("this text has no GCM, since the manual of the vendor has none.",),
    ),
    abilities=Abilities(
        ike_encryption=_IKE_ENCRYPTION,
        ike_authentication=_AUTHENTICATION,
        ike_groups=_GROUPS,
        esp_encryption=_ESP_ENCRYPTION,
        esp_authentication=_AUTHENTICATION,
        pfs=_GROUPS,
        identity=PLAIN_NAME,
        psk=re.compile(r"(?!%[\^$@#]%)[A-Za-z0-9~!@#$%^()\-_+={},./:;]{1,128}", re.ASCII),
        ike_lifetime=_IKE_LIFETIME,
        ipsec_lifetime=_IPSEC_LIFETIME,
    ),
    comment="#",
    write=write,
    notes=_notes,
)
