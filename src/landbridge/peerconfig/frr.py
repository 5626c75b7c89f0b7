"""FRR: the BGP session through the tunnel, as lines for vtysh. It makes no tunnel itself."""

from collections.abc import Iterator

from landbridge.peerconfig.device import BLACKHOLES, LAST_DISTANCE, Device, Family, Part, indent, lines
from landbridge.peerconfig.side import DeviceSide, Net


def write(side: DeviceSide) -> list[Part]:
    """FRR carries no route over eBGP without a policy, so there is a prefix list for each direction. On the userland data plane
    the gateway's address is a hop away from its end of the tunnel, and BFD works between such addresses as multihop. Within one
    AS every session is multihop, and FRR refuses the line.
    """
    if side.device_inner is None or side.gateway_inner is None:
        raise ValueError("a bgp connection has both inner addresses")
    peer, name = side.gateway_inner.ip, side.tag.upper()
    keepalive, hold = side.bgp_timers
    content = lines(
        _prefix_list(f"{name}-IN", side.gateway_subnets, otherwise="permit 0.0.0.0/0 le 32"),
        _prefix_list(f"{name}-OUT", side.device_subnets, otherwise="deny 0.0.0.0/0 le 32"),
        [f"ip route {net} blackhole {LAST_DISTANCE}" for net in side.device_subnets],
        f"router bgp {side.device_asn}",
        f" neighbor {peer} remote-as {side.gateway_asn}",
        f" neighbor {peer} update-source {side.device_inner.ip}",
        f" neighbor {peer} timers {keepalive} {hold}",
        f" neighbor {peer} timers connect 5",
        None if side.routed or side.device_asn == side.gateway_asn else f" neighbor {peer} ebgp-multihop 2",
        f" neighbor {peer} bfd",
        " address-family ipv4 unicast",
        indent([f"network {net}" for net in side.device_subnets], 2),
        f"  neighbor {peer} activate",
        f"  neighbor {peer} weight {300 - side.metric}",
        f"  neighbor {peer} prefix-list {name}-IN in",
        f"  neighbor {peer} prefix-list {name}-OUT out",
        " exit-address-family",
        "exit",
    )
    return [Part(None, content)]


def _prefix_list(name: str, nets: tuple[Net, ...], *, otherwise: str) -> list[str]:
    rules = [f"permit {net}" for net in nets] or [otherwise]
    return [f"ip prefix-list {name} seq {5 * number} {rule}" for number, rule in enumerate(rules, 1)]


def _notes(side: DeviceSide) -> Iterator[str]:
    yield "FRR makes no tunnel. An IKE daemon makes it: print the text of that daemon too."
    yield f"BFD needs bfdd=yes in /etc/frr/daemons. Without BFD the session ends {side.bgp_timers[1]} s after the path was cut."
    if side.device_subnets:
        yield BLACKHOLES
    else:
        yield "the connection names no subnets of this side, so nothing is announced: add network lines and permit them."


FAMILY = Family(
    device=Device(
        id="frr",
        vendor="FRRouting",
        kind="routing daemon",
        family="FRR",
        versions="8.0 and later",
        format="Lines for vtysh in configuration mode",
        proved=False,
        source="FRR User Guide, BGP and Filtering",
        notes=(
            "this text is only for connections of style bgp. A second `router bgp` block of the same number is added to the first.",
        ),
    ),
    abilities=None,
    comment="!",
    write=write,
    notes=_notes,
)
