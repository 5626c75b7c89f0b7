"""BIRD 2: the BGP session through the tunnel. It makes no tunnel itself."""

from collections.abc import Iterator

from landbridge.peerconfig.device import Device, Family, Part, lines
from landbridge.peerconfig.side import DeviceSide, Net


def write(side: DeviceSide) -> list[Part]:
    """The session announces and accepts only the subnets that the connection names. The reader adds other subnets by hand. On the userland
    data plane the gateway's address is one hop behind its end of the tunnel.
    """
    if side.device_inner is None or side.gateway_inner is None:
        raise ValueError("a bgp connection has both inner addresses")
    content = lines(
        f"protocol bgp {side.tag.replace('-', '_')} {{",
        f"  local {side.device_inner.ip} as {side.device_asn};",
        f"  neighbor {side.gateway_inner.ip} as {side.gateway_asn};",
        None if side.routed else "  multihop 2;",
        f"  hold time {side.bgp_timers[1]};",
        f"  keepalive time {side.bgp_timers[0]};",
        "  connect retry time 5;",
        "  ipv4 {",
        f"    import {_filter(side.gateway_subnets, otherwise='all')};",
        f"    export {_filter(side.device_subnets, otherwise='none')};",
        f"    preference {300 - side.metric};",
        "  };",
        "}",
    )
    return [Part(f"/etc/bird/{side.tag}.conf", content)]


def _filter(nets: tuple[Net, ...], *, otherwise: str) -> str:
    return f"where net ~ [ {', '.join(map(str, nets))} ]" if nets else otherwise


def _notes(side: DeviceSide) -> Iterator[str]:
    yield "BIRD makes no tunnel. An IKE daemon makes it: print the text of that daemon too."
    yield "with a protocol bfd, add the line bfd; to the session. BFD is optional: the gateway uses it with a device that does."
    if side.device_subnets:
        yield "BIRD announces only networks that are routes of its table: protocol direct has those of interfaces, the others need a static route."
    else:
        yield "the connection names no subnets of this side, so nothing is announced: change the export filter."


FAMILY = Family(
    device=Device(
        id="bird",
        vendor="CZ.NIC",
        kind="routing daemon",
        family="BIRD",
        versions="2.0 and later",
        format="Include it from /etc/bird/bird.conf, which needs the protocols device, direct and kernel; then run: birdc configure",
        proved=False,
        source="BIRD 2.0 User's Guide, BGP",
        notes=("this text is only for connections of style bgp.",),
    ),
    abilities=None,
    comment="#",
    write=write,
    notes=_notes,
)
