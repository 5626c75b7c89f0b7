"""VyOS, as `set` commands. VyOS runs strongSwan, so a PSK must not begin with 0x or 0s."""

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
    lines,
    psk_line,
)
from landbridge.peerconfig.side import DeviceSide, Identity

_ENCRYPTION = {
    "aes-128": "aes128",
    "aes-192": "aes192",
    "aes-256": "aes256",
    "3des": "3des",
    "aes-128-gcm-16": "aes128gcm128",
    "aes-256-gcm-16": "aes256gcm128",
}
_AUTHENTICATION = {"md5": "md5", "sha1": "sha1", "sha2-256": "sha256", "sha2-384": "sha384", "sha2-512": "sha512"}
_NUMBERS = (1, 2, 5, 14, 15, 16, 19, 20, 21)
_GROUPS = {f"group{number}": str(number) for number in _NUMBERS}
_PFS = {f"group{number}": f"dh-group{number}" for number in _NUMBERS}
_LIFETIME = Range(30, 86400)


def write(side: DeviceSide) -> list[Part]:
    content = lines(
        "configure",
        *(f"set vpn ipsec ike-group {side.tag} {rest}" for rest in _ike_group(side)),
        *(f"set vpn ipsec esp-group {side.tag} {rest}" for rest in _esp_group(side)),
        f"set vpn ipsec authentication psk {side.tag} id '{_identity(side.device_identity)}'",
        f"set vpn ipsec authentication psk {side.tag} id '{_identity(side.gateway_identity)}'",
        psk_line(side, "#", lambda psk: f"set vpn ipsec authentication psk {side.tag} secret '{psk}'"),
        *(f"set vpn ipsec site-to-site peer {side.tag} {rest}" for rest in _peer(side)),
        _routing(side) if side.routed else _inner(side),
        "commit",
        "save",
    )
    return [Part(None, content)]


def _ike_group(side: DeviceSide) -> Iterator[str]:
    policy = side.ike
    yield f"key-exchange ike{policy.version}"
    if policy.version == "v1":
        yield f"mode {policy.negotiation_mode}"
    yield f"lifetime {clamp(policy.lifetime_seconds, _LIFETIME)}"
    yield "disable-mobike"
    yield f"close-action {'start' if side.dials else 'none'}"
    yield "dead-peer-detection action restart"
    yield f"dead-peer-detection interval {policy.dpd.interval}"
    yield f"dead-peer-detection timeout {side.dpd_timeout}"
    yield f"proposal 1 dh-group {_GROUPS[policy.dh_group or '']}"
    yield f"proposal 1 encryption {_ENCRYPTION[policy.encryption_algorithm]}"
    yield f"proposal 1 hash {_AUTHENTICATION[policy.authentication_algorithm]}"
    if policy.is_gcm:
        yield f"proposal 1 prf prf{_AUTHENTICATION[policy.authentication_algorithm]}"


def _esp_group(side: DeviceSide) -> Iterator[str]:
    policy = side.ipsec
    yield f"lifetime {clamp(policy.lifetime_seconds, _LIFETIME)}"
    yield "mode tunnel"
    yield f"pfs {_PFS.get(policy.pfs or '', 'disable')}"
    yield f"proposal 1 encryption {_ENCRYPTION[policy.encryption_algorithm]}"
    if not policy.is_gcm:
        yield f"proposal 1 hash {_AUTHENTICATION[policy.authentication_algorithm]}"


def _peer(side: DeviceSide) -> Iterator[str]:
    yield "authentication mode pre-shared-secret"
    yield f"authentication local-id '{_identity(side.device_identity)}'"
    yield f"authentication remote-id '{_identity(side.gateway_identity)}'"
    yield "connection-type initiate"
    yield f"ike-group {side.tag}"
    yield f"default-esp-group {side.tag}"
    yield f"local-address {side.device_address or 'any'}"
    yield f"remote-address {side.gateway_address}"
    if side.routed:
        yield f"vti bind vti{side.number}"
        yield f"vti esp-group {side.tag}"
        return
    for number, pair in enumerate(side.pairs, 1):
        yield f"tunnel {number} local prefix {pair.device}"
        yield f"tunnel {number} remote prefix {pair.gateway}"


def _inner(side: DeviceSide) -> list[str]:
    """The address that the gateway probes. Without a tunnel interface no other interface has it."""
    if not side.probed or side.device_inner is None:
        return []
    return [f"set interfaces dummy dum{side.number} address {side.device_inner.ip}/32"]


def _routing(side: DeviceSide) -> list[str]:
    name = f"vti{side.number}"
    lines = [f"set interfaces vti {name} address {side.device_inner}"] if side.device_inner else []
    if side.style == "static":
        routes = (f"{net} interface {name} distance {side.metric // 100}" for net in side.gateway_subnets)
        return lines + [f"set protocols static route {route}" for route in routes]
    neighbor = f"set protocols bgp neighbor {side.gateway_inner.ip if side.gateway_inner else ''}"
    keepalive, hold = side.bgp_timers
    return [
        *lines,
        *(f"set protocols static route {net} blackhole distance {LAST_DISTANCE}" for net in side.device_subnets),
        f"set protocols bgp system-as {side.device_asn}",
        f"{neighbor} remote-as {side.gateway_asn}",
        f"{neighbor} timers keepalive {keepalive}",
        f"{neighbor} timers holdtime {hold}",
        f"{neighbor} address-family ipv4-unicast weight {300 - side.metric}",
        *(f"set protocols bgp address-family ipv4-unicast network {net}" for net in side.device_subnets),
    ]


def _identity(identity: Identity) -> str:
    return identity.text


def _notes(side: DeviceSide) -> Iterator[str]:
    yield "VyOS 1.4 may also need the outer interface: set vpn ipsec interface <WAN-INTERFACE>"
    if side.routed:
        yield f"if vti{side.number} is taken, choose another number in all lines. Also run: set vpn ipsec options disable-route-autoinstall."
    if side.style == "bgp" and side.device_subnets:
        yield BLACKHOLES


FAMILY = Family(
    device=Device(
        id="vyos",
        vendor="VyOS",
        kind="router",
        family="VyOS",
        versions="1.4 and later",
        format="Paste it into a shell of the router.",
        proved=False,
        source="VyOS documentation, Site-to-Site VPN (IPsec)",
    ),
    abilities=Abilities(
        ike_encryption=_ENCRYPTION,
        ike_authentication=_AUTHENTICATION,
        ike_groups=_GROUPS,
        esp_encryption=_ENCRYPTION,
        esp_authentication=_AUTHENTICATION,
        pfs=_PFS,
        identity=PLAIN_NAME,
        psk=re.compile(r"(?!0[xsXS])[A-Za-z0-9~!@#$%^()\-_+={ },./:;]{1,128}", re.ASCII),
        ike_lifetime=_LIFETIME,
        ipsec_lifetime=_LIFETIME,
    ),
    comment="#",
    write=write,
    notes=_notes,
)
