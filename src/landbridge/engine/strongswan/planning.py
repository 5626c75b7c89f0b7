"""From what is seen to what is desired: ordered steps.

Pure. Invariants: a second plan after a complete first one is empty; whatever part of a plan was carried out, the next plan
finishes it; an SA is ended only when its own connection's configuration asks for it; what is new is loaded before what is
old goes, except a connection's own secret.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from landbridge import model
from landbridge.engine.strongswan import firewall, gateway_network, messages, names, state, steps, tunnels, unsupported

#: Addresses added at once while charon runs: hundreds overflow its netlink socket and it misses some (measured).
BATCH = 50
#: Seconds without a new SA, after which a device that dials in is thought to have asked for all that it asks for. When both ends
#: ask at once, charon makes some CHILD_SAs twice, and pluto is stuck for a minute: its window of messages is lost (measured). A first
#: quick mode may be lost, and comes again after 4 seconds.
SETTLING = 10


def plan(
    desired: model.DesiredGateway | None, current: state.GatewayState, supported: unsupported.Supported | None = None
) -> list[steps.Step]:
    """`supported`: where that is known already. What the site no longer covers is left as it is, but for connections that go."""
    if desired is None:
        return list(_teardown(current))
    if desired.uncovered:
        kept = {wish.id for wish in desired.connections}
        kept_tunnels = {name for name, tunnel in current.tunnels.items() if tunnel.connection_id in kept}
        return list(_removals(kept, kept_tunnels, current))
    supported = supported or unsupported.supported(desired, current.plane)
    base = gateway_network.desired_network(desired, supported.ids, current.plane)
    after_restart = current if is_usable(current) and not restart_is_due(desired, current) else _without_charon(current)
    return [
        *_ground(base, current, desired),
        *_connections(supported.configs, tunnels.desired_tunnels(desired, supported.ids, after_restart), after_restart),
        *_batches(steps.DeleteAddresses, _kept(base, current) - base.addresses),
        *([steps.EnsureFilterTable(base.filter_table)] if current.namespace and _is_older(base, current) else ()),
    ]


def _teardown(current: state.GatewayState) -> Iterator[steps.Step]:
    """charon first: it tells the peers. Without the folder nothing that stands there is ours."""
    if not current.folder:
        return
    if current.alive:
        yield steps.StopCharon()
    if current.nat_table:
        yield steps.EnsureNatTable(None)
    yield from _delete_detached_links(current)
    if current.namespace:
        yield steps.DeleteNamespace()
    yield steps.DeleteFolder()


def is_usable(current: state.GatewayState) -> bool:
    """A charon whose namespace has lost its name serves nobody."""
    return current.alive and current.namespace


def restart_is_due(desired: model.DesiredGateway, current: state.GatewayState) -> bool:
    """Whether a restart is asked for that the charon which runs was started before."""
    return current.restarts < desired.restarts


def _without_charon(current: state.GatewayState) -> state.GatewayState:
    lost = {} if not current.namespace else current.tunnels
    return replace(
        current, alive=False, conns={}, secrets=frozenset(), sas=(), recently_initiated=frozenset(), tunnels=lost
    )


def _ground(
    base: gateway_network.GatewayNetwork, current: state.GatewayState, desired: model.DesiredGateway
) -> Iterator[steps.Step]:
    """What charon stands on, then charon. The firewall comes before anything can pass, addresses before charon where that is
    possible.
    """
    if not current.folder:
        yield steps.AddFolder()
    if current.alive and not current.namespace:
        yield steps.StopCharon()
    moved = frozenset[str]()
    if not current.namespace:
        yield from _delete_detached_links(current)
        yield steps.AddNamespace()
        yield from _link_steps(base, replace(current, uplink=None, vpc_link=None, filter_table=None))
    else:
        yield from _link_steps(base, current)
        moved = _moved(base, current)
        yield from _moves(base, moved)
    yield from _batches(
        steps.AddAddresses, _of_links(base.addresses - _kept(base, current), {"lo", "wan", "lan"} - moved)
    )
    if current.rules != base.rules:
        yield steps.EnsureRules(base.rules)
    if current.nat_table != (firewall.summary(base.nat_table) if base.nat_table else None):
        yield steps.EnsureNatTable(base.nat_table)
    if is_usable(current) and restart_is_due(desired, current):
        yield steps.StopCharon()
    if not is_usable(current) or restart_is_due(desired, current):
        yield steps.StartCharon(current.plane, desired.restarts)


def _link_steps(base: gateway_network.GatewayNetwork, current: state.GatewayState) -> Iterator[steps.Step]:
    if current.filter_table != firewall.summary(base.filter_table) and not _is_older(base, current):
        yield steps.EnsureFilterTable(base.filter_table)
    moved = _moved(base, current)
    if "wan" not in moved and (current.uplink is None or not current.uplink_ready or current.next_hop != base.next_hop):
        yield steps.EnsureUplink(base.uplink, base.next_hop)
    if base.vpc_link is None and current.vpc_link is not None:
        yield steps.DeleteVpcLink()
    if base.vpc_link is not None and current.vpc_link is None:
        yield steps.EnsureVpcLink(base.vpc_link)


def _moved(base: gateway_network.GatewayNetwork, current: state.GatewayState) -> frozenset[str]:
    """Links that exist and belong elsewhere."""
    uplink = {"wan"} if current.uplink not in (None, base.uplink) else set()
    vpc_link = {"lan"} if current.vpc_link is not None and base.vpc_link not in (None, current.vpc_link) else set()
    return frozenset(uplink | vpc_link)


def _moves(base: gateway_network.GatewayNetwork, moved: frozenset[str]) -> Iterator[steps.Step]:
    if "wan" in moved:
        yield steps.MoveUplink(base.uplink, base.next_hop, tuple(sorted(_of_links(base.addresses, {"wan"}))))
    if "lan" in moved and base.vpc_link is not None:
        yield steps.MoveVpcLink(base.vpc_link, tuple(sorted(_of_links(base.addresses, {"lan"}))))


def _of_links(addresses: frozenset[tuple[str, str]], config: Collection[str]) -> frozenset[tuple[str, str]]:
    return frozenset(address for address in addresses if address[0] in config)


def _is_older(base: gateway_network.GatewayNetwork, current: state.GatewayState) -> bool:
    """Whether a whole filter table of another configuration is loaded. That table lets only the other configuration's networks
    through, and loading the new one takes longer than everything else that a new connection needs.
    """
    name, _, shape = firewall.summary(base.filter_table).partition(": ")
    kept_tunnels, _, its_shape = (current.filter_table or "").partition(": ")
    return kept_tunnels != name and its_shape == shape


def _delete_detached_links(current: state.GatewayState) -> Iterator[steps.Step]:
    """Links whose peers are in a namespace that has lost its name."""
    if current.vpc_link:
        yield steps.DeleteVpcLink()
    if current.uplink or current.uplink_peer:
        yield steps.DeleteUplink()


def _kept(base: gateway_network.GatewayNetwork, current: state.GatewayState) -> frozenset[tuple[str, str]]:
    """The addresses that are still there when the links have been created."""
    if not current.namespace:
        return frozenset()
    lost = {"wan"} if current.uplink != base.uplink else set()
    if current.vpc_link != base.vpc_link:
        lost.add("lan")
    return frozenset(address for address in current.addresses if address[0] not in lost)


def _batches(
    kind: type[steps.AddAddresses | steps.DeleteAddresses], addresses: frozenset[tuple[str, str]]
) -> Iterator[steps.Step]:
    ordered = sorted(addresses)
    for start in range(0, len(ordered), BATCH):
        yield kind(tuple(ordered[start : start + BATCH]))


def _connections(
    configs: tuple[messages.DesiredConfig, ...], laid: dict[str, tunnels.Tunnel], current: state.GatewayState
) -> Iterator[steps.Step]:
    """All tunnels stand before any connection can come up, since what belongs into one must not go into a wider one, and as
    long as any SA of theirs is left.
    """
    for connection_id, tunnel in laid.items():
        if current.tunnels.get(tunnels.name(tunnel.if_id)) != tunnel:
            yield steps.EnsureTunnel(connection_id, tunnel)
    secrets = by_owner(sorted(current.secrets))
    sas = state.by_connection(current.sas)
    for each in configs:
        yield from _connection(each, current, secrets[each.connection_id], sas[each.connection_id])
    kept_tunnels = {tunnels.name(tunnel.if_id) for tunnel in laid.values()}
    yield from _removals({each.connection_id for each in configs}, kept_tunnels, current)


def _removals(
    kept: Collection[str], kept_tunnels: Collection[str], current: state.GatewayState
) -> Iterator[steps.Step]:
    """`kept`: ids of the connections that stay; `standing`: names of the tunnels that stay."""
    secrets, sas = by_owner(sorted(current.secrets)), state.by_connection(current.sas)
    for connection_id in sorted({*current.conns, *secrets, *sas}.difference(kept)):
        yield from _removal(connection_id, current, secrets[connection_id], sas[connection_id])
    for name, tunnel in sorted(current.tunnels.items()):
        if name not in kept_tunnels:
            yield steps.DeleteTunnel(tunnel.connection_id, tunnel.if_id)


def by_owner(secret_ids: Iterable[str]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for secret_id in secret_ids:
        found[names.owner(secret_id)].append(secret_id)
    return found


def _connection(
    config: messages.DesiredConfig, current: state.GatewayState, secrets: list[str], sas: list[state.IkeSa]
) -> Iterator[steps.Step]:
    """What is still being negotiated when something is loaded anew was begun with the old, and of an IKE_SA without children
    nobody knows what it was made from: both end before the load, so that an interrupted plan finds the old still loaded and
    does this again.
    """
    loads = list(_loads(config, current, secrets))
    unfinished = [
        sa for sa in sas if loads and (sa.negotiating or (sa.live and not any(child.live for child in sa.children)))
    ]
    yield from (_terminate(sa) for sa in unfinished)
    yield from loads
    rest = [sa for sa in sas if sa.live and sa not in unfinished]
    outdated = [sa for sa in rest if _is_outdated(sa, config)]
    yield from (_terminate(sa) for sa in outdated)
    kept = [sa for sa in rest if sa not in outdated]
    yield from _stale_children(config, kept)
    yield from _initiations(config, kept, frozenset() if loads else current.recently_initiated)


def _loads(config: messages.DesiredConfig, current: state.GatewayState, secrets: list[str]) -> Iterator[steps.Step]:
    """Two secrets of one connection must never meet: a responder would sign with either."""
    for secret_id in secrets:
        if secret_id != config.secret_id:
            yield steps.UnloadSecret(config.connection_id, secret_id)
    if config.secret_id not in secrets:
        yield steps.LoadSecret(config.connection_id, config.secret_id, config.owners, config.psk)
    if current.conns.get(config.connection_id) != frozenset(config.children):
        yield steps.LoadConn(config.connection_id, config.conn)


def _is_outdated(sa: state.IkeSa, config: messages.DesiredConfig) -> bool:
    """Whether any child says that the IKE_SA was made from another configuration."""
    return any(_ike_part(child.name) != config.ike for child in sa.children if child.live)


def _ike_part(name: str) -> str | None:
    child = names.parse_child(name)
    return child.ike if child else None


def _terminate(sa: state.IkeSa) -> steps.TerminateIke:
    return steps.TerminateIke(sa.name, sa.unique_id)


def _stale_children(config: messages.DesiredConfig, sas: list[state.IkeSa]) -> Iterator[steps.Step]:
    for sa in sas:
        for child in sa.children:
            if child.live and child.name not in config.children:
                yield steps.TerminateChild(config.connection_id, child.unique_id, child.name)


def _initiations(
    config: messages.DesiredConfig, sas: list[state.IkeSa], recently_initiated: frozenset[str]
) -> Iterator[steps.Step]:
    """A device without an address dials in. It may ask for all its subnets in one CHILD_SA, which charon narrows to the first pair,
    so the other pairs are asked for from here, through the IKE_SA that the device has made.
    """
    if any(sa.negotiating for sa in sas) or not (config.initiates or _has_settled(sas)):
        return
    for child in _lacking(config, sas):
        if child not in recently_initiated:
            yield steps.Initiate(config.connection_id, child)


def _lacking(config: messages.DesiredConfig, sas: list[state.IkeSa]) -> list[str]:
    up = {child.name for sa in sas for child in sa.children if child.live}
    return [child for child in config.initiated if child not in up]


def _has_settled(sas: list[state.IkeSa]) -> bool:
    """Whether a device that has dialled in asks for no more by itself."""
    return bool(sas) and all(_quiet_seconds(sa) >= SETTLING for sa in sas)


def _quiet_seconds(sa: state.IkeSa) -> int:
    return min((sa.established_seconds, *(child.installed_seconds for child in sa.children)))


def is_settling(configs: Iterable[messages.DesiredConfig], current: state.GatewayState) -> bool:
    """Whether a device has dialled in that may still ask for more pairs: another look is due in `SETTLING` seconds."""
    sas = state.by_connection(current.sas)
    return any(_may_ask(each, sas[each.connection_id]) for each in configs if not each.initiates)


def _may_ask(config: messages.DesiredConfig, sas: list[state.IkeSa]) -> bool:
    live = [sa for sa in sas if sa.live]
    return bool(live) and not _has_settled(live) and bool(_lacking(config, live))


def _removal(
    connection_id: str, current: state.GatewayState, secrets: list[str], sas: list[state.IkeSa]
) -> Iterator[steps.Step]:
    """An SA outlives its unloaded connection and still rekeys: it is ended by its own id."""
    if connection_id in current.conns:
        yield steps.UnloadConn(connection_id)
    yield from (_terminate(sa) for sa in sas if sa.live)
    yield from (steps.UnloadSecret(connection_id, secret_id) for secret_id in secrets)
