"""Netgate pfSense: a worksheet for its pages under VPN > IPsec. pfSense stores a PSK encoded, so all visible characters
are safe.
"""

from collections.abc import Iterator

from landbridge.peerconfig import worksheet
from landbridge.peerconfig.device import PLAIN_NAME, PRINTABLE, Abilities, Device, Family, Part
from landbridge.peerconfig.side import DeviceSide, Identity, Pair

_ENCRYPTION = {
    "aes-128": "AES, 128 bits",
    "aes-192": "AES, 192 bits",
    "aes-256": "AES, 256 bits",
    "aes-128-gcm-16": "AES128-GCM, 128 bits",
    "aes-256-gcm-16": "AES256-GCM, 128 bits",
}
_AUTHENTICATION = {"sha1": "SHA1", "sha2-256": "SHA256", "sha2-384": "SHA384", "sha2-512": "SHA512"}
_GROUPS = {f"group{number}": str(number) for number in (1, 2, 5, 14, 15, 16, 19, 20, 21)}


def write(side: DeviceSide) -> list[Part]:
    phase2 = (("VPN > IPsec > Tunnels > Add P2", list(_phase2(side, pair))) for pair in side.selectors)
    pages = [("VPN > IPsec > Tunnels > Add P1", list(_phase1(side))), *phase2, *_routing(side)]
    return [Part(None, worksheet.write(pages))]


def _phase1(side: DeviceSide) -> Iterator[tuple[str, str]]:
    policy = side.ike
    yield "Description", side.tag
    yield "Key Exchange version", f"IKE{policy.version}"
    yield "Remote Gateway", str(side.gateway_address)
    yield "Authentication Method", "Mutual PSK"
    if policy.version == "v1":
        yield "Negotiation mode", (policy.negotiation_mode or "main").capitalize()
    yield "My identifier", _identity(side.device_identity)
    yield "Peer identifier", _identity(side.gateway_identity)
    yield "Pre-Shared Key", worksheet.psk(side)
    yield "Encryption Algorithm", _ENCRYPTION[policy.encryption_algorithm]
    yield "Hash", _AUTHENTICATION[policy.authentication_algorithm]
    yield "DH Group", _GROUPS[policy.dh_group or ""]
    yield "Life Time", str(policy.lifetime_seconds)
    yield "Child SA Start Action", "Initiate at start"
    yield "Child SA Close Action", "Restart/Reconnect" if side.dials else "Default"
    if policy.version == "v2" and len(side.selectors) > 1:
        yield "Split connections", "on"
    yield "NAT Traversal", "Auto"
    yield "Dead Peer Detection", "on"
    yield "Delay", str(policy.dpd.interval)
    yield "Max failures", "3"


def _phase2(side: DeviceSide, pair: Pair) -> Iterator[tuple[str, str]]:
    policy = side.ipsec
    yield "Mode", "Routed (VTI)" if side.routed else "Tunnel IPv4"
    yield "Local Network", str(side.device_inner) if side.routed else f"Network {pair.device}"
    yield (
        "Remote Network",
        str(side.gateway_inner and side.gateway_inner.ip) if side.routed else f"Network {pair.gateway}",
    )
    yield "Protocol", "ESP"
    yield "Encryption Algorithms", _ENCRYPTION[policy.encryption_algorithm]
    if not policy.is_gcm:
        yield "Hash Algorithms", _AUTHENTICATION[policy.authentication_algorithm]
    yield "PFS key group", _GROUPS.get(policy.pfs or "", "off")
    yield "Life Time", str(policy.lifetime_seconds)
    if side.dials:
        yield "Keep Alive", "on (Enable periodic keep alive check)"


def _routing(side: DeviceSide) -> Iterator[worksheet.Page]:
    if not side.routed:
        if side.probed:
            yield "Firewall > Virtual IPs > Add", _inner(side)
        return
    gateway = f"{side.tag}, {side.gateway_inner and side.gateway_inner.ip}"
    yield "Interfaces > Assignments", [("Add", "the ipsec interface of this tunnel"), ("Enable", "on")]
    if side.style == "bgp":
        yield "Services > FRR > BGP (package frr)", bgp(side)
        return
    yield "System > Routing > Static Routes", [(str(net), f"via {gateway}") for net in side.gateway_subnets]


def _inner(side: DeviceSide) -> list[tuple[str, str]]:
    """The address that the gateway probes. Without a tunnel interface no other interface has it."""
    inner = side.device_inner
    return [("Type", "IP Alias"), ("Interface", "Localhost"), ("Address", f"{inner.ip if inner else ''}/32")]


def bgp(side: DeviceSide) -> list[tuple[str, str]]:
    return [
        ("Local AS", str(side.device_asn)),
        ("Neighbor", str(side.gateway_inner and side.gateway_inner.ip)),
        ("Remote AS", str(side.gateway_asn)),
        ("Keepalive, Hold Time", ", ".join(map(str, side.bgp_timers))),
        *(("Network to distribute", str(net)) for net in side.device_subnets),
    ]


def _identity(identity: Identity) -> str:
    return f"{'Fully qualified domain name' if identity.kind == 'fqdn' else 'IP address'}, {identity.text}"


def _notes(side: DeviceSide) -> Iterator[str]:
    yield "add a pass rule on the IPsec tab of Firewall > Rules."
    if side.style == "bgp":
        yield "FRR exchanges no route over eBGP without a policy: choose a route map that permits the networks, in and out, in the neighbor's Peer Filtering."
        yield "FRR announces a network only when the firewall has a route to it."
    if side.ike.is_gcm:
        yield "with GCM in phase 1 the field Hash means the PRF."


FAMILY = Family(
    device=Device(
        id="pfsense",
        vendor="Netgate",
        kind="firewall",
        family="pfSense",
        versions="CE 2.7, Plus 23.01 and later",
        format="A worksheet: type the values into the web pages.",
        proved=False,
        source="Netgate documentation, pfSense: IPsec Phase 1 Settings, Phase 2 Settings",
        notes=("pfSense has no 3DES and no MD5 since 2.7.",),
    ),
    abilities=Abilities(
        ike_encryption=_ENCRYPTION,
        ike_authentication=_AUTHENTICATION,
        ike_groups=_GROUPS,
        esp_encryption=_ENCRYPTION,
        esp_authentication=_AUTHENTICATION,
        pfs=_GROUPS,
        identity=PLAIN_NAME,
        psk=PRINTABLE,
    ),
    comment="#",
    write=write,
    notes=_notes,
)
