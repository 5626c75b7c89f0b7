"""From what is seen to what is desired: ordered steps.

Pure. Invariants: a second plan after a complete first one is empty; whatever part of a plan was carried out, the next plan
finishes it; an SA is ended only when its own connection's configuration asks for it; what is new is loaded before what is
old goes, except a connection's own secret.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from landbridge import model
from landbridge.engine.strongswan import firewall, ground, mapping, names, refusing, seen, steps, tunnels

#: Addresses added at once while charon runs: hundreds overflow its netlink socket and it misses some (measured).
BATCH = 50
#: Seconds without a new SA, after which a device that dials in is thought to have asked for all that it asks for. When both ends
#: ask at once, charon makes some CHILD_SAs twice, and pluto is stuck for a minute: its window of messages is lost (measured). A first
#: quick mode may be lost, and comes again after 4 seconds.
SETTLING = 10


def plan(
    desired: model.DesiredGateway | None, now: seen.Seen, carried: refusing.Carried | None = None
) -> list[steps.Step]:
    """`carried`: where that is known already. What the site no longer covers is left as it is, but for connections that go."""
    if desired is None:
        return list(_teardown(now))
    if desired.uncovered:
        kept = {wish.id for wish in desired.connections}
        standing = {name for name, tunnel in now.tunnels.items() if tunnel.connection_id in kept}
        return list(_removals(kept, standing, now))
    carried = carried or refusing.carried(desired, now.plane)
    base = ground.wanted(desired, carried.ids, now.plane)
    then = now if usable(now) and not is_due(desired, now) else _without_charon(now)
    return [
        *_ground(base, now, desired),
        *_connections(carried.wanted, tunnels.wanted(desired, carried.ids, then), then),
        *_batches(steps.RemoveAddresses, _kept(base, now) - base.addresses),
        *([steps.SetGuard(base.guard)] if now.namespace and _is_older(base, now) else ()),
    ]


def _teardown(now: seen.Seen) -> Iterator[steps.Step]:
    """charon first: it tells the peers. Without the folder nothing that stands there is ours."""
    if not now.folder:
        return
    if now.alive:
        yield steps.StopCharon()
    if now.forward:
        yield steps.SetForward(None)
    yield from _cut_loose(now)
    if now.namespace:
        yield steps.RemoveNamespace()
    yield steps.RemoveFolder()


def usable(now: seen.Seen) -> bool:
    """A charon whose namespace has lost its name serves nobody."""
    return now.alive and now.namespace


def is_due(desired: model.DesiredGateway, now: seen.Seen) -> bool:
    """Whether a restart is asked for that the charon which runs was started before."""
    return now.restarts < desired.restarts


def _without_charon(now: seen.Seen) -> seen.Seen:
    lost = {} if not now.namespace else now.tunnels
    return replace(now, alive=False, conns={}, secrets=frozenset(), sas=(), tried=frozenset(), tunnels=lost)


def _ground(base: ground.Ground, now: seen.Seen, desired: model.DesiredGateway) -> Iterator[steps.Step]:
    """What charon stands on, then charon. The firewall comes before anything can pass, addresses before charon where that is
    possible.
    """
    if not now.folder:
        yield steps.AddFolder()
    if now.alive and not now.namespace:
        yield steps.StopCharon()
    moved = frozenset[str]()
    if not now.namespace:
        yield from _cut_loose(now)
        yield steps.AddNamespace()
        yield from _legs(base, replace(now, wan=None, lan=None, guard=None))
    else:
        yield from _legs(base, now)
        moved = _moved(base, now)
        yield from _moves(base, moved)
    yield from _batches(steps.AddAddresses, _of_legs(base.addresses - _kept(base, now), {"lo", "wan", "lan"} - moved))
    if now.rules != base.rules:
        yield steps.SetRules(base.rules)
    if now.forward != (firewall.summary(base.forward) if base.forward else None):
        yield steps.SetForward(base.forward)
    if usable(now) and is_due(desired, now):
        yield steps.StopCharon()
    if not usable(now) or is_due(desired, now):
        yield steps.StartCharon(now.plane, desired.restarts)


def _legs(base: ground.Ground, now: seen.Seen) -> Iterator[steps.Step]:
    if now.guard != firewall.summary(base.guard) and not _is_older(base, now):
        yield steps.SetGuard(base.guard)
    moved = _moved(base, now)
    if "wan" not in moved and (now.wan is None or not now.wan_whole or now.router != base.router):
        yield steps.LayWan(base.wan, base.router)
    if base.lan is None and now.lan is not None:
        yield steps.CutLan()
    if base.lan is not None and now.lan is None:
        yield steps.LayLan(base.lan)


def _moved(base: ground.Ground, now: seen.Seen) -> frozenset[str]:
    """Legs that stand and belong elsewhere."""
    wan = {"wan"} if now.wan not in (None, base.wan) else set()
    lan = {"lan"} if now.lan is not None and base.lan not in (None, now.lan) else set()
    return frozenset(wan | lan)


def _moves(base: ground.Ground, moved: frozenset[str]) -> Iterator[steps.Step]:
    if "wan" in moved:
        yield steps.MoveWan(base.wan, base.router, tuple(sorted(_of_legs(base.addresses, {"wan"}))))
    if "lan" in moved and base.lan is not None:
        yield steps.MoveLan(base.lan, tuple(sorted(_of_legs(base.addresses, {"lan"}))))


def _of_legs(addresses: frozenset[tuple[str, str]], wanted: Collection[str]) -> frozenset[tuple[str, str]]:
    return frozenset(address for address in addresses if address[0] in wanted)


def _is_older(base: ground.Ground, now: seen.Seen) -> bool:
    """Whether a whole guard of another configuration stands: it lets no more than that one's networks through, and putting up the
    new one takes longer than all else that a new connection needs.
    """
    name, _, shape = firewall.summary(base.guard).partition(": ")
    standing, _, its_shape = (now.guard or "").partition(": ")
    return standing != name and its_shape == shape


def _cut_loose(now: seen.Seen) -> Iterator[steps.Step]:
    """Legs whose other ends are in a namespace that has lost its name."""
    if now.lan:
        yield steps.CutLan()
    if now.wan or now.wan_end:
        yield steps.CutWan()


def _kept(base: ground.Ground, now: seen.Seen) -> frozenset[tuple[str, str]]:
    """The addresses that are there still when the legs have been laid."""
    if not now.namespace:
        return frozenset()
    lost = {"wan"} if now.wan != base.wan else set()
    if now.lan != base.lan:
        lost.add("lan")
    return frozenset(address for address in now.addresses if address[0] not in lost)


def _batches(
    kind: type[steps.AddAddresses | steps.RemoveAddresses], addresses: frozenset[tuple[str, str]]
) -> Iterator[steps.Step]:
    ordered = sorted(addresses)
    for start in range(0, len(ordered), BATCH):
        yield kind(tuple(ordered[start : start + BATCH]))


def _connections(
    wanted: tuple[mapping.Wanted, ...], laid: dict[str, tunnels.Tunnel], now: seen.Seen
) -> Iterator[steps.Step]:
    """All tunnels stand before any connection can come up, since what belongs into one must not go into a wider one, and as
    long as any SA of theirs is left.
    """
    for connection_id, tunnel in laid.items():
        if now.tunnels.get(tunnels.name(tunnel.if_id)) != tunnel:
            yield steps.LayTunnel(connection_id, tunnel)
    secrets = by_owner(sorted(now.secrets))
    sas = seen.by_connection(now.sas)
    for each in wanted:
        yield from _connection(each, now, secrets[each.connection_id], sas[each.connection_id])
    standing = {tunnels.name(tunnel.if_id) for tunnel in laid.values()}
    yield from _removals({each.connection_id for each in wanted}, standing, now)


def _removals(kept: Collection[str], standing: Collection[str], now: seen.Seen) -> Iterator[steps.Step]:
    """`kept`: ids of the connections that stay; `standing`: names of the tunnels that stay."""
    secrets, sas = by_owner(sorted(now.secrets)), seen.by_connection(now.sas)
    for connection_id in sorted({*now.conns, *secrets, *sas}.difference(kept)):
        yield from _removal(connection_id, now, secrets[connection_id], sas[connection_id])
    for name, tunnel in sorted(now.tunnels.items()):
        if name not in standing:
            yield steps.CutTunnel(tunnel.connection_id, tunnel.if_id)


def by_owner(secret_ids: Iterable[str]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for secret_id in secret_ids:
        found[names.owner(secret_id)].append(secret_id)
    return found


def _connection(
    wanted: mapping.Wanted, now: seen.Seen, secrets: list[str], sas: list[seen.IkeSa]
) -> Iterator[steps.Step]:
    """What is still being negotiated when something is loaded anew was begun with the old, and of an IKE_SA without children
    nobody knows what it was made from: both end before the load, so that an interrupted plan finds the old still loaded and
    does this again.
    """
    loads = list(_loads(wanted, now, secrets))
    embryos = [sa for sa in sas if loads and (sa.growing or (sa.live and not any(child.live for child in sa.children)))]
    yield from (_terminate(sa) for sa in embryos)
    yield from loads
    rest = [sa for sa in sas if sa.live and sa not in embryos]
    outdated = [sa for sa in rest if _is_outdated(sa, wanted)]
    yield from (_terminate(sa) for sa in outdated)
    current = [sa for sa in rest if sa not in outdated]
    yield from _stale_children(wanted, current)
    yield from _initiations(wanted, current, frozenset() if loads else now.tried)


def _loads(wanted: mapping.Wanted, now: seen.Seen, secrets: list[str]) -> Iterator[steps.Step]:
    """Two secrets of one connection must never meet: a responder would sign with either."""
    for secret_id in secrets:
        if secret_id != wanted.secret_id:
            yield steps.UnloadSecret(wanted.connection_id, secret_id)
    if wanted.secret_id not in secrets:
        yield steps.LoadSecret(wanted.connection_id, wanted.secret_id, wanted.owners, wanted.psk)
    if now.conns.get(wanted.connection_id) != frozenset(wanted.children):
        yield steps.LoadConn(wanted.connection_id, wanted.conn)


def _is_outdated(sa: seen.IkeSa, wanted: mapping.Wanted) -> bool:
    """Whether any child says that the IKE_SA was made from another configuration."""
    return any(_ike_part(child.name) != wanted.ike for child in sa.children if child.live)


def _ike_part(name: str) -> str | None:
    child = names.parse_child(name)
    return child.ike if child else None


def _terminate(sa: seen.IkeSa) -> steps.TerminateIke:
    return steps.TerminateIke(sa.name, sa.unique_id)


def _stale_children(wanted: mapping.Wanted, sas: list[seen.IkeSa]) -> Iterator[steps.Step]:
    for sa in sas:
        for child in sa.children:
            if child.live and child.name not in wanted.children:
                yield steps.TerminateChild(wanted.connection_id, child.unique_id, child.name)


def _initiations(wanted: mapping.Wanted, sas: list[seen.IkeSa], tried: frozenset[str]) -> Iterator[steps.Step]:
    """A device without an address dials in. It may ask for all its subnets in one CHILD_SA, which charon narrows to the first pair,
    so the other pairs are asked for from here, through the IKE_SA that the device has made.
    """
    if any(sa.growing for sa in sas) or not (wanted.initiates or _has_settled(sas)):
        return
    for child in _lacking(wanted, sas):
        if child not in tried:
            yield steps.Initiate(wanted.connection_id, child)


def _lacking(wanted: mapping.Wanted, sas: list[seen.IkeSa]) -> list[str]:
    up = {child.name for sa in sas for child in sa.children if child.live}
    return [child for child in wanted.asked if child not in up]


def _has_settled(sas: list[seen.IkeSa]) -> bool:
    """Whether a device that has dialled in asks for no more by itself."""
    return bool(sas) and all(_quiet_seconds(sa) >= SETTLING for sa in sas)


def _quiet_seconds(sa: seen.IkeSa) -> int:
    return min((sa.established_seconds, *(child.installed_seconds for child in sa.children)))


def is_settling(wanted: Iterable[mapping.Wanted], now: seen.Seen) -> bool:
    """Whether a device has dialled in that may still ask for more pairs: another look is due in `SETTLING` seconds."""
    sas = seen.by_connection(now.sas)
    return any(_may_ask(each, sas[each.connection_id]) for each in wanted if not each.initiates)


def _may_ask(wanted: mapping.Wanted, sas: list[seen.IkeSa]) -> bool:
    live = [sa for sa in sas if sa.live]
    return bool(live) and not _has_settled(live) and bool(_lacking(wanted, live))


def _removal(connection_id: str, now: seen.Seen, secrets: list[str], sas: list[seen.IkeSa]) -> Iterator[steps.Step]:
    """An SA outlives its unloaded connection and still rekeys: it is ended by its own id."""
    if connection_id in now.conns:
        yield steps.UnloadConn(connection_id)
    yield from (_terminate(sa) for sa in sas if sa.live)
    yield from (steps.UnloadSecret(connection_id, secret_id) for secret_id in secrets)
