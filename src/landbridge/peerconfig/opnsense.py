"""OPNsense: a worksheet for VPN > IPsec > Connections. The fields there are strongSwan's. OPNsense stores a PSK encoded."""

from collections.abc import Iterator

from landbridge.model import strongswan_proposals
from landbridge.peerconfig import pfsense, worksheet
from landbridge.peerconfig.device import PLAIN_NAME, PRINTABLE, Abilities, Device, Family, Part
from landbridge.peerconfig.side import DeviceSide, Pair

#: Its pages offer no more.
_ENCRYPTION = {ours: theirs for ours, theirs in strongswan_proposals.ENCRYPTION.items() if ours != "3des"}
_AUTHENTICATION = {ours: theirs for ours, theirs in strongswan_proposals.AUTHENTICATION.items() if ours != "md5"}
_GROUPS = {
    ours: theirs for ours, theirs in strongswan_proposals.GROUPS.items() if ours not in {"group1", "group2", "group5"}
}


def write(side: DeviceSide) -> list[Part]:
    ids = [("Local Identifier", side.device_identity.text), ("Remote Identifier", side.gateway_identity.text)]
    pages = [
        ("VPN > IPsec > Pre-Shared Keys > Add", [*ids, ("Pre-Shared Key", worksheet.psk(side)), ("Type", "PSK")]),
        ("VPN > IPsec > Connections > Add", list(_connection(side))),
        ("Local Authentication", [("Authentication", "Pre-Shared Key"), ("Id", side.device_identity.text)]),
        ("Remote Authentication", [("Authentication", "Pre-Shared Key"), ("Id", side.gateway_identity.text)]),
        *(("Children > Add", list(_child(side, pair))) for pair in side.selectors),
        *_routing(side),
    ]
    return [Part(None, worksheet.write(pages))]


def _connection(side: DeviceSide) -> Iterator[tuple[str, str]]:
    policy = side.ike
    yield "Description", side.tag
    yield "Proposals", strongswan_proposals.ike_proposal(policy)
    yield "Version", f"IKE{policy.version}"
    if policy.version == "v1":
        yield "Aggressive", "on" if side.aggressive else "off"
    yield "MOBIKE", "off"
    yield "Local addresses", str(side.device_address or "(empty)")
    yield "Remote addresses", str(side.gateway_address)
    yield "Rekey time (s)", str(policy.lifetime_seconds)
    yield "DPD delay (s)", str(policy.dpd.interval)
    if policy.version == "v1":
        yield "DPD timeout (s)", str(side.dpd_timeout)
    yield "Keyingtries", "0"


def _child(side: DeviceSide, pair: Pair) -> Iterator[tuple[str, str]]:
    policy = side.ipsec
    yield "Mode", "Tunnel"
    yield "Policies", "off" if side.routed else "on"
    if side.routed:
        yield "Reqid", str(side.number)
    yield "Start action", "Start"
    yield "Close action", "Start" if side.dials else "None"
    yield "DPD action", "Restart"
    yield "ESP proposals", strongswan_proposals.esp_proposal(policy)
    yield "Local", str(pair.device)
    yield "Remote", str(pair.gateway)
    yield "Rekey time (s)", str(policy.lifetime_seconds)


def _routing(side: DeviceSide) -> Iterator[worksheet.Page]:
    if not side.routed:
        if side.probed:
            yield "Interfaces > Virtual IPs > Settings > Add", _inner(side)
        return
    inner = side.gateway_inner.ip if side.gateway_inner else None
    yield (
        "VPN > IPsec > Virtual Tunnel Interfaces > Add",
        [
            ("Reqid", str(side.number)),
            ("Local address", str(side.device_address or "(the outer address)")),
            ("Remote address", str(side.gateway_address)),
            ("Tunnel local address", str(side.device_inner and side.device_inner.ip)),
            ("Tunnel remote address", str(inner)),
        ],
    )
    if side.style == "bgp":
        yield "Routing > BGP (plugin os-frr)", pfsense.bgp(side)
        return
    yield "System > Routes > Configuration", [(str(net), f"via {inner}") for net in side.gateway_subnets]


def _inner(side: DeviceSide) -> list[tuple[str, str]]:
    """The address that the gateway probes. Without a tunnel interface no other interface has it."""
    inner = side.device_inner
    return [("Mode", "IP Alias"), ("Interface", "Loopback"), ("Network / Address", f"{inner.ip if inner else ''}/32")]


def _notes(side: DeviceSide) -> Iterator[str]:
    yield "add a pass rule on the IPsec interface of Firewall > Rules."
    if side.style == "bgp":
        yield "leave Network Import-Check off: with it, a network is announced only when the firewall has a route to it."
    if side.device_identity.kind == side.gateway_identity.kind == "ip":
        return
    yield "type an identifier that is a name as it is, without quotes and without a prefix."


FAMILY = Family(
    device=Device(
        id="opnsense",
        vendor="Deciso",
        kind="firewall",
        family="OPNsense",
        versions="23.1 and later",
        format="A worksheet: type the values into the web pages.",
        proved=False,
        source="OPNsense documentation, Virtual Private Networking: IPsec",
        notes=("the pages of OPNsense offer no 3DES, no MD5 and no group below 14.",),
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
