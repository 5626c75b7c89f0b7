"""strongSwan with swanctl. Tests load the text as it is printed."""

from collections.abc import Iterator

from landbridge.model import strongswan_proposals
from landbridge.peerconfig.device import PRINTABLE, Abilities, Device, Family, Part, indent, lines, psk_line
from landbridge.peerconfig.side import DeviceSide, Identity


def write(side: DeviceSide) -> list[Part]:
    content = lines(
        "connections {",
        f"  {side.tag} {{",
        indent(_connection(side), 4),
        "    children {",
        *(indent(_child(side, number, *ends), 6) for number, ends in enumerate(_selectors(side), 1)),
        "    }",
        "  }",
        "}",
        "secrets {",
        f"  ike-{side.tag} {{",
        f"    id-1 = {_identity(side.device_identity)}",
        f"    id-2 = {_identity(side.gateway_identity)}",
        f"    {psk_line(side, '#', lambda psk: f'secret = {_secret(psk)}')}",
        "  }",
        "}",
    )
    return [Part(f"/etc/swanctl/conf.d/{side.tag}.conf", content)]


def _connection(side: DeviceSide) -> list[str]:
    policy = side.ike
    v1 = [f"aggressive = {'yes' if side.aggressive else 'no'}", f"dpd_timeout = {side.dpd_timeout}s"]
    return [
        f"version = {policy.version[1]}",
        *(v1 if policy.version == "v1" else []),
        *([f"local_addrs = {side.device_address}"] if side.device_address else []),
        f"remote_addrs = {side.gateway_address}",
        f"proposals = {strongswan_proposals.ike_proposal(policy)}",
        "mobike = no",
        "keyingtries = 0",
        f"rekey_time = {policy.lifetime_seconds}s",
        f"dpd_delay = {policy.dpd.interval}s",
        *([f"if_id_in = {side.number}", f"if_id_out = {side.number}"] if side.style == "bgp" else []),
        *("local {", "  auth = psk", f"  id = {_identity(side.device_identity)}", "}"),
        *("remote {", "  auth = psk", f"  id = {_identity(side.gateway_identity)}", "}"),
    ]


def _selectors(side: DeviceSide) -> list[tuple[str, str]]:
    """The selectors of the device and of the gateway. A gateway that asks for 0.0.0.0/0 gets one CHILD_SA: in IKEv2
    this CHILD_SA has all subnets. In IKEv1 a CHILD_SA has one pair.
    """
    if side.widened and side.ike.version == "v2":
        ends = zip(*((str(pair.device), str(pair.gateway)) for pair in side.selectors), strict=True)
        device, gateway = (",".join(dict.fromkeys(nets)) for nets in ends)
        return [(device, gateway)]
    return [(str(pair.device), str(pair.gateway)) for pair in side.selectors]


def _child(side: DeviceSide, number: int, device: str, gateway: str) -> list[str]:
    """The device rekeys no earlier than the gateway, and its SAs expire later."""
    seconds = side.ipsec.lifetime_seconds
    return [
        f"{side.tag}-{number} {{",
        f"  local_ts = {device}",
        f"  remote_ts = {gateway}",
        f"  esp_proposals = {strongswan_proposals.esp_proposal(side.ipsec)}",
        f"  rekey_time = {seconds}s",
        f"  life_time = {seconds + max(seconds // 10, 10)}s",
        "  dpd_action = restart",
        *_starts(side),
        "}",
    ]


def _starts(side: DeviceSide) -> list[str]:
    """A device that dials in starts again after a DELETE of the gateway, and on traffic after any failure. A device that the gateway dials
    must not start by itself: after the gateway deletes a duplicate IKE_SA, the device would make it again, and so on for ever.
    """
    if side.dials:
        return ["  start_action = trap|start", "  close_action = start"]
    alone = side.widened and side.ike.version == "v1" and len(side.pairs) > 1
    return [f"  start_action = {'trap|start' if alone else 'start'}"]


def _identity(identity: Identity) -> str:
    """Without the prefix strongSwan reads `a@b` as an e-mail address and `c=de` as a distinguished name."""
    return _quoted(f"fqdn:{identity.text}") if identity.kind == "fqdn" else identity.text


def _secret(psk: str) -> str:
    """swanctl decodes 0x and 0s even inside quotes, so a PSK that begins with them is written in hex."""
    return f"0x{psk.encode().hex()}" if psk.lower().startswith(("0x", "0s")) else _quoted(psk)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _notes(side: DeviceSide) -> Iterator[str]:
    if side.device_address:
        yield f"behind NAT write the device's own address in place of local_addrs = {side.device_address}, and keep the ids."
    if side.aggressive:
        yield "to answer a gateway that starts, charon needs i_dont_care_about_security_and_use_aggressive_mode_psk = yes."
    if side.probed and side.style != "bgp":
        yield f"the gateway probes {side.device_inner}, so give this machine that address: ip address add {side.device_inner} dev lo"
    if side.dials:
        yield "after an outage charon waits up to 76 s between two attempts: retransmit_limit = 10 in strongswan.conf makes it 10."
    if "trap|start" in "".join(_starts(side)):
        yield "before 5.9.6 write start_action = start in place of trap|start."
    if side.style == "bgp":
        yield f"first run: ip link add xfrm{side.number} type xfrm dev <WAN> if_id {side.number}"
        yield f"then run: ip address add {side.device_inner} dev xfrm{side.number}; ip link set xfrm{side.number} up"
        yield "BIRD or FRR speaks BGP: print its text too."


FAMILY = Family(
    device=Device(
        id="strongswan",
        vendor="strongSwan",
        kind="software",
        family="swanctl",
        versions="5.9 and later",
        format="Put it into /etc/swanctl/conf.d/ and run: swanctl --load-all",
        proved=True,
        source="strongSwan documentation, swanctl.conf",
        notes=("ESP in the kernel needs the plugin kernel-netlink. charon makes the routes from the selectors.",),
    ),
    abilities=Abilities(
        interface=False,
        bgp_through_pairs=True,
        ike_encryption=strongswan_proposals.ENCRYPTION,
        ike_authentication=strongswan_proposals.AUTHENTICATION,
        ike_groups=strongswan_proposals.GROUPS,
        esp_encryption=strongswan_proposals.ENCRYPTION,
        esp_authentication=strongswan_proposals.AUTHENTICATION,
        pfs=strongswan_proposals.GROUPS,
        identity=PRINTABLE,
        psk=PRINTABLE,
    ),
    comment="#",
    write=write,
    notes=_notes,
)
