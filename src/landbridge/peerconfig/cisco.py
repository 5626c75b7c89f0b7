"""Cisco IOS-XE: a tunnel interface in every style. With pairs an access list gives it their selectors (multi-SA VTI, 16.12)."""

from collections.abc import Iterator

from landbridge import model
from landbridge.model.allowed_values import Range
from landbridge.peerconfig.device import (
    BLACKHOLES,
    LAST_DISTANCE,
    PSK_WORD,
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

_V2_ENCRYPTION = {
    "aes-128": "aes-cbc-128",
    "aes-192": "aes-cbc-192",
    "aes-256": "aes-cbc-256",
    "3des": "3des",
    "aes-128-gcm-16": "aes-gcm-128",
    "aes-256-gcm-16": "aes-gcm-256",
}
_V1_ENCRYPTION = {"aes-128": "aes 128", "aes-192": "aes 192", "aes-256": "aes 256", "3des": "3des"}
_V2_AUTHENTICATION = {"md5": "md5", "sha1": "sha1", "sha2-256": "sha256", "sha2-384": "sha384", "sha2-512": "sha512"}
_V1_AUTHENTICATION = _V2_AUTHENTICATION | {"sha1": "sha"}
_ESP_ENCRYPTION = {
    "aes-128": "esp-aes",
    "aes-192": "esp-aes 192",
    "aes-256": "esp-aes 256",
    "3des": "esp-3des",
    "aes-128-gcm-16": "esp-gcm 128",
    "aes-256-gcm-16": "esp-gcm 256",
}
_ESP_AUTHENTICATION = {
    "md5": "esp-md5-hmac",
    "sha1": "esp-sha-hmac",
    "sha2-256": "esp-sha256-hmac",
    "sha2-384": "esp-sha384-hmac",
    "sha2-512": "esp-sha512-hmac",
}
_GROUPS = {f"group{number}": str(number) for number in (1, 2, 5, 14, 15, 16, 19, 20, 21)}
_IKE_LIFETIME = Range(120, 86400)
_IPSEC_LIFETIME = Range(120, 2592000)
_ANY_HOST = "255.255.255.255"


def write(side: DeviceSide) -> list[Part]:
    content = lines(
        "configure terminal",
        _ikev2(side) if side.ike.version == "v2" else _ikev1(side),
        _ipsec(side),
        None if side.routed else _access_list(side),
        _interface(side),
        _routing(side),
        "end",
    )
    return [Part(None, content)]


def _ikev2(side: DeviceSide) -> list[str]:
    policy, tag = side.ike, side.tag
    hash_line = "prf" if policy.is_gcm else "integrity"
    remote = side.gateway_identity
    return [
        f"crypto ikev2 proposal {tag}",
        f" encryption {_V2_ENCRYPTION[policy.encryption_algorithm]}",
        f" {hash_line} {_V2_AUTHENTICATION[policy.authentication_algorithm]}",
        f" group {_GROUPS[policy.dh_group or '']}",
        f"crypto ikev2 policy {tag}",
        *([f" match address local {side.device_address}"] if side.device_address else []),
        f" proposal {tag}",
        f"crypto ikev2 keyring {tag}",
        f" peer {tag}",
        f"  address {side.gateway_address}",
        psk_line(side, "!", lambda psk: f"  pre-shared-key {psk}"),
        f"crypto ikev2 profile {tag}",
        f" match identity remote {_identity(remote)}" + (f" {_ANY_HOST}" if remote.kind == "ip" else ""),
        f" identity local {_identity(side.device_identity)}",
        " authentication remote pre-share",
        " authentication local pre-share",
        f" keyring local {tag}",
        f" lifetime {clamp(policy.lifetime_seconds, _IKE_LIFETIME)}",
        f" dpd {policy.dpd.interval} {policy.dpd.timeout} periodic",
    ]


def _ikev1(side: DeviceSide) -> list[str]:
    policy, tag, remote = side.ike, side.tag, side.gateway_identity
    return [
        f"crypto isakmp policy {side.number}",
        f" encryption {_V1_ENCRYPTION[policy.encryption_algorithm]}",
        f" hash {_V1_AUTHENTICATION[policy.authentication_algorithm]}",
        " authentication pre-share",
        f" group {_GROUPS[policy.dh_group or '']}",
        f" lifetime {clamp(policy.lifetime_seconds, _IKE_LIFETIME)}",
        f"crypto keyring {tag}",
        psk_line(side, "!", lambda psk: f" pre-shared-key address {side.gateway_address} key {psk}"),
        f"crypto isakmp profile {tag}",
        f" keyring {tag}",
        f" match identity {f'host {remote.text}' if remote.kind == 'fqdn' else f'address {remote.text} {_ANY_HOST}'}",
        " self-identity address",
        *([" initiate mode aggressive"] if side.aggressive else []),
        f" keepalive {policy.dpd.interval} retry {policy.dpd.timeout}",
    ]


def _ipsec(side: DeviceSide) -> list[str]:
    policy, tag = side.ipsec, side.tag
    gcm = policy.is_gcm
    authentication = "" if gcm else f" {_ESP_AUTHENTICATION[policy.authentication_algorithm]}"
    return [
        f"crypto ipsec transform-set {tag} {_ESP_ENCRYPTION[policy.encryption_algorithm]}{authentication}",
        " mode tunnel",
        f"crypto ipsec profile {tag}",
        f" set transform-set {tag}",
        *([f" set pfs {policy.pfs}"] if policy.pfs in _GROUPS else []),
        f" set security-association lifetime seconds {clamp(policy.lifetime_seconds, _IPSEC_LIFETIME)}",
        f" set {'ikev2-profile' if side.ike.version == 'v2' else 'isakmp-profile'} {tag}",
    ]


def _access_list(side: DeviceSide) -> list[str]:
    rules = (f"permit ip {wildcard(pair.device)} {wildcard(pair.gateway)}" for pair in side.pairs)
    return [f"ip access-list extended {side.tag}", *indent(list(rules), 1)]


def _interface(side: DeviceSide) -> list[str]:
    inner = side.device_inner
    return [
        f"interface Tunnel{side.number}",
        f" ip address {inner.ip} {inner.netmask}" if inner else " ip unnumbered <LAN-INTERFACE>",
        f" tunnel source {side.device_address or '<WAN-INTERFACE>'}",
        " tunnel mode ipsec ipv4",
        f" tunnel destination {side.gateway_address}",
        *([] if side.routed else [f" tunnel protection ipsec policy ipv4 {side.tag}"]),
        f" tunnel protection ipsec profile {side.tag}",
        " ip tcp adjust-mss 1350",
    ]


def _routing(side: DeviceSide) -> list[str]:
    if side.style != "bgp":
        nets = side.gateway_subnets if side.routed else tuple(dict.fromkeys(pair.gateway for pair in side.pairs))
        metric = side.metric // 100
        return [f"ip route {net.network_address} {net.netmask} Tunnel{side.number} {metric}" for net in nets]
    peer = side.gateway_inner.ip if side.gateway_inner else None
    keepalive, hold = side.bgp_timers
    return [
        *(f"ip route {net.network_address} {net.netmask} Null0 {LAST_DISTANCE}" for net in side.device_subnets),
        f"router bgp {side.device_asn}",
        f" neighbor {peer} remote-as {side.gateway_asn}",
        f" neighbor {peer} timers {keepalive} {hold}",
        " address-family ipv4",
        f"  neighbor {peer} activate",
        f"  neighbor {peer} weight {300 - side.metric}",
        *(f"  network {net.network_address} mask {net.netmask}" for net in side.device_subnets),
    ]


def _identity(identity: Identity) -> str:
    return f"{'fqdn' if identity.kind == 'fqdn' else 'address'} {identity.text}"


def _limits(side: DeviceSide) -> Iterator[model.Violation]:
    if side.ike.version == "v1" and side.device_identity.kind == "fqdn":
        yield model.Violation(
            side.device_identity.field,
            "Cisco IOS-XE says its own host name as an FQDN in IKEv1, no other",
            "an id of type ip, or ike_version v2",
        )


def _notes(side: DeviceSide) -> Iterator[str]:
    yield f"if Tunnel{side.number} is taken, choose another number in all lines."
    if side.style == "bgp" and side.device_subnets:
        yield BLACKHOLES
    if side.dials and not side.routed:
        yield (
            "the gateway cannot dial, and traffic of this side starts the tunnel. For each pair, with a number of its own, a LAN"
            " address of the router and a host behind the gateway:"
            f" ip sla {side.number} / icmp-echo <HOST> source-ip <LAN-ADDRESS> / frequency 10 / exit /"
            f" ip sla schedule {side.number} life forever start-time now"
        )
    weak = {side.ike.dh_group, side.ipsec.pfs, side.ike.encryption_algorithm, side.ike.authentication_algorithm}
    if weak & {"group1", "group2", "group5", "3des", "md5"}:
        yield "IOS-XE 17.11 and later refuse 3DES, MD5 and groups 1, 2 and 5 while the compliance shield is on."


FAMILY = Family(
    device=Device(
        id="cisco-ios-xe",
        vendor="Cisco",
        kind="router",
        family="IOS-XE",
        versions="16.12 and later",
        format="Paste it in privileged mode.",
        proved=False,
        source="Cisco, Security and VPN Configuration Guide, IOS XE 17.x: IPsec Virtual Tunnel Interface",
        notes=("in IKEv1 the id of this side must be of type ip. A PSK must have no space.",),
    ),
    abilities=Abilities(
        bgp_through_pairs=True,
        ike_encryption=_V2_ENCRYPTION,
        ike_authentication=_V2_AUTHENTICATION,
        ike_groups=_GROUPS,
        esp_encryption=_ESP_ENCRYPTION,
        esp_authentication=_ESP_AUTHENTICATION,
        pfs=_GROUPS,
        psk=PSK_WORD,
        ike_lifetime=_IKE_LIFETIME,
        ipsec_lifetime=_IPSEC_LIFETIME,
        limits=_limits,
    ),
    comment="!",
    write=write,
    notes=_notes,
)
