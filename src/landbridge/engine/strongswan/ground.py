"""What a gateway stands on: its two legs, their addresses, and the firewall around them. Pure."""

from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan import firewall, names, seen, selectors, tunnels

#: The underlay's end of every veth to it; the API gives this block to no tunnel.
ROUTER = "169.254.195.1"


@dataclass(frozen=True, slots=True)
class Ground:
    """`wan`: `routed` (a veth to the underlay) or `macvlan LINK`; `router`: its next hop. `lan`: `bridge NAME`,
    `interface NAME` or None. `addresses`: (link, address/prefix). `guard` and `forward` are tables as `firewall` writes them.
    """

    wan: str
    router: str
    lan: str | None
    addresses: frozenset[tuple[str, str]]
    guard: str
    forward: str | None


def wanted(desired: model.DesiredGateway, carried: frozenset[str], plane: seen.Plane) -> Ground:
    """`carried`: ids of the connections that are not refused."""
    eips = {eip.address: eip for eip in desired.eips}
    plugged = next((eip for eip in desired.eips if eip.leg != "routed"), None)
    behind = {eip.address: eip.behind for eip in desired.eips if eip.behind}
    outer = {_outer(endpoint.address, eips) for endpoint in desired.gateway.endpoints}
    return Ground(
        wan=plugged.leg if plugged else "routed",
        router=(plugged.gateway if plugged else None) or ROUTER,
        lan=_leg_kind(desired.network),
        addresses=frozenset({("wan", f"{address}/32") for address in outer} | _inner(desired, carried, plane)),
        guard=firewall.guard(outer, _local_nets(desired, carried), _peer_nets(desired, carried, plane)),
        forward=firewall.forward(names.short(desired.id), behind),
    )


def _outer(address: str, eips: dict[str, model.Eip]) -> str:
    """Alone, on a macvlan too: a route to its neighbours would be a way out for what is forwarded."""
    eip = eips.get(address)
    return eip.behind if eip and eip.behind else address


def _inner(desired: model.DesiredGateway, carried: frozenset[str], plane: seen.Plane) -> set[tuple[str, str]]:
    """kernel-libipsec installs a child only when an address of this machine lies inside its local selector; otherwise *the
    peer* reads TS_UNACCEPTABLE. A net's own address serves where it is not a host's: a /31 or /32 was refused, but in a part
    of a wider subnet a host may have it, and does not get its traffic then.
    """
    leg = selectors.own_leg(desired.network)
    found = {("lan", str(leg))} if leg else set()
    for wish in desired.connections:
        if plane == "userland" and wish.id in carried:
            found |= {("lo", f"{net[0]}/32") for net in selectors.uncovered(desired, wish)}
    return found


def _leg_kind(network: model.Network) -> str | None:
    if network.bridge:
        return f"bridge {network.bridge}"
    return f"interface {network.interface}" if network.interface else None


def _local_nets(desired: model.DesiredGateway, carried: frozenset[str]) -> set[str]:
    """What may speak through the gateway's tunnels: its local subnets, and the sources of its policies."""
    sources = {
        str(selectors.parse_net(rule.source))
        for wish in desired.connections
        if wish.id in carried
        for rule in wish.connection.policy_rules
    }
    return {str(net) for net in selectors.local_subnets(desired)} | sources


def _peer_nets(desired: model.DesiredGateway, carried: frozenset[str], plane: seen.Plane) -> dict[str, list[str]]:
    """Interface -> the networks behind its tunnel, the inner address of the device included."""
    found: dict[str, list[str]] = {}
    for wish in desired.connections:
        if wish.id in carried:
            link = tunnels.name(wish.if_id) if plane == "kernel" else "ipsec0"
            inner = wish.connection.tunnel_peer_address
            found.setdefault(link, []).extend(
                [*tunnels.destinations(wish.connection), *([str(selectors.parse_host(inner))] if inner else [])]
            )
    return found
