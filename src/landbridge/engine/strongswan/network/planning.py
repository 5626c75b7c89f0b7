"""Plans the ordered steps from the network that a gateway has to the network that it must have. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.network import firewall, steps, tunnels
from landbridge.engine.strongswan.network.gateway_network import GatewayNetwork
from landbridge.engine.strongswan.network.state import NetworkState

#: Addresses added at once while charon runs: hundreds overflow its netlink socket and it misses some (measured).
BATCH = 50


#: (interface, network) of what devices announced.
Learned = frozenset[tuple[str, str]]


def plan_links(
    desired: GatewayNetwork, current: NetworkState, learned: Learned = frozenset()
) -> Iterator[steps.NetworkStep]:
    """The namespace, its links and their addresses. The firewall comes before anything can pass."""
    moved = frozenset[str]()
    if current.namespace:
        yield from _links(desired, current, learned)
        moved = _moved(desired, current)
        yield from _moves(desired, moved)
    else:
        yield from _delete_detached_links(current)
        yield steps.AddNamespace()
        yield from _links(desired, replace(current, uplink=None, vpc_link=None, filter_table=None), learned)
    added = desired.addresses - _kept(desired, current)
    yield from _batches(steps.AddAddresses, _of_links(added, {"lo", "wan", "lan"} - moved))
    if current.rules != desired.rules:
        yield steps.EnsureRules(desired.rules)
    if desired.nat_table and current.nat_table != firewall.summary(desired.nat_table):
        yield steps.EnsureNatTable(desired.nat_table)
    if current.nat_table and not desired.nat_table:
        yield steps.DeleteNatTable()


def plan_tunnels(desired: Mapping[str, tunnels.Tunnel], current: NetworkState) -> Iterator[steps.NetworkStep]:
    """`desired`: connection id -> its tunnel."""
    for connection_id, tunnel in desired.items():
        if current.tunnels.get(tunnels.name(tunnel.if_id)) != tunnel:
            yield steps.EnsureTunnel(connection_id, tunnel)


def plan_shared_routes(
    desired: frozenset[tunnels.SharedRoute], current: NetworkState
) -> tuple[list[steps.NetworkStep], list[steps.NetworkStep]]:
    """The steps before the tunnels' own routes change, and the steps after that. A tunnel that came up is in the shared route before its own
    route leads. The own route of one that went down has a higher metric before the shared route leaves it out. So no flow of another tunnel
    moves. No steps for a gateway without shared routes.
    """
    whole = {tunnel.if_id for tunnel in current.tunnels.values() if tunnel.whole}
    first = current.shared_routes | {route for route in desired if whole.issuperset(route[1])}
    is_added = first != current.shared_routes or (desired and first and not current.hashes_ports)
    return (
        [steps.EnsureSharedRoutes(first)] if is_added else [],
        [steps.EnsureSharedRoutes(desired)] if first != desired else [],
    )


def plan_tunnel_deletions(kept: Collection[str], current: NetworkState) -> Iterator[steps.NetworkStep]:
    """`kept`: names of the interfaces that stay."""
    for name, tunnel in sorted(current.tunnels.items()):
        if name not in kept:
            yield steps.DeleteTunnel(tunnel.connection_id, tunnel.if_id)


def plan_deletions(
    desired: GatewayNetwork, current: NetworkState, learned: Learned = frozenset()
) -> Iterator[steps.NetworkStep]:
    """Deletes what no connection needs any more. These steps may wait until all connections are loaded."""
    yield from _batches(steps.DeleteAddresses, _kept(desired, current) - desired.addresses)
    if not current.namespace:
        return
    if _is_older(desired, current):
        yield steps.EnsureFilterTable(desired.filter_table, learned)
    elif current.filter_table == firewall.summary(desired.filter_table) and current.learned_sources != learned:
        yield steps.EnsureLearnedSources(desired.filter_table, desired.learning, learned)
    if current.learned_routes and not any(table == names.LEARNED_TABLE for _, _, table in desired.rules):
        yield steps.DeleteLearnedRoutes()


def plan_teardown(current: NetworkState) -> Iterator[steps.NetworkStep]:
    if current.nat_table:
        yield steps.DeleteNatTable()
    yield from _delete_detached_links(current)
    if current.namespace:
        yield steps.DeleteNamespace()


def _links(desired: GatewayNetwork, current: NetworkState, learned: Learned) -> Iterator[steps.NetworkStep]:
    if current.filter_table != firewall.summary(desired.filter_table) and not _is_older(desired, current):
        yield steps.EnsureFilterTable(desired.filter_table, learned)
    incomplete = current.uplink is None or not current.uplink_ready or current.next_hop != desired.next_hop
    if "wan" not in _moved(desired, current) and incomplete:
        yield steps.EnsureUplink(desired.uplink, desired.next_hop)
    if desired.vpc_link is None and current.vpc_link is not None:
        yield steps.DeleteVpcLink()
    if desired.vpc_link is not None and current.vpc_link is None:
        yield steps.EnsureVpcLink(desired.vpc_link)


def _moved(desired: GatewayNetwork, current: NetworkState) -> frozenset[str]:
    """The links whose parent differs from the desired one."""
    uplink = {"wan"} if current.uplink not in (None, desired.uplink) else set()
    elsewhere = current.vpc_link is not None and desired.vpc_link not in (None, current.vpc_link)
    return frozenset(uplink | ({"lan"} if elsewhere else set()))


def _moves(desired: GatewayNetwork, moved: frozenset[str]) -> Iterator[steps.NetworkStep]:
    if "wan" in moved:
        addresses = tuple(sorted(_of_links(desired.addresses, {"wan"})))
        yield steps.MoveUplink(desired.uplink, desired.next_hop, addresses)
    if "lan" in moved and desired.vpc_link is not None:
        yield steps.MoveVpcLink(desired.vpc_link, tuple(sorted(_of_links(desired.addresses, {"lan"}))))


def _of_links(addresses: frozenset[tuple[str, str]], links: Collection[str]) -> frozenset[tuple[str, str]]:
    return frozenset(address for address in addresses if address[0] in links)


def _is_older(desired: GatewayNetwork, current: NetworkState) -> bool:
    """Whether a whole filter table of another configuration is loaded. That table lets only the other configuration's networks
    through, and loading the new one takes longer than everything else that a new connection needs.
    """
    name, _, shape = firewall.summary(desired.filter_table).partition(": ")
    loaded, _, its_shape = (current.filter_table or "").partition(": ")
    return loaded != name and its_shape == shape


def _delete_detached_links(current: NetworkState) -> Iterator[steps.NetworkStep]:
    """Links whose peers are in a namespace that has lost its name."""
    if current.vpc_link:
        yield steps.DeleteVpcLink()
    if current.uplink or current.uplink_peer:
        yield steps.DeleteUplink()


def _kept(desired: GatewayNetwork, current: NetworkState) -> frozenset[tuple[str, str]]:
    """The addresses that are still there when the links have been created."""
    if not current.namespace:
        return frozenset()
    lost = {"wan"} if current.uplink != desired.uplink else set()
    if current.vpc_link != desired.vpc_link:
        lost.add("lan")
    return frozenset(address for address in current.addresses if address[0] not in lost)


def _batches(
    kind: type[steps.AddAddresses | steps.DeleteAddresses], addresses: frozenset[tuple[str, str]]
) -> Iterator[steps.NetworkStep]:
    ordered = sorted(addresses)
    for start in range(0, len(ordered), BATCH):
        yield kind(tuple(ordered[start : start + BATCH]))
