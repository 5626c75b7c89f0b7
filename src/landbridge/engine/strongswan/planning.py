"""From what is seen to what is desired: ordered steps.

Pure. Invariants: a second plan after a complete first one is empty; whatever part of a plan was carried out, the next plan
finishes it; an SA is ended only when its own connection's configuration asks for it; what is new is loaded before what is
old goes, except a connection's own secret.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from landbridge import model
from landbridge.engine.strongswan import mapping, names, seen, steps

#: Addresses added at once while charon runs: hundreds overflow its netlink socket and it misses some (measured).
BATCH = 50


def plan(desired: model.DesiredGateway | None, now: seen.Seen) -> list[steps.Step]:
    if desired is None:
        return list(_teardown(now))
    wanted = mapping.wanted(desired, mapping.refusals(desired))
    addresses = mapping.addresses(desired, frozenset(each.connection_id for each in wanted))
    return [
        *_ground(desired, now, addresses),
        *_connections(wanted, now if usable(now) else _without_charon(now)),
        *_batches(steps.RemoveAddresses, _kept(desired, now) - addresses),
    ]


def _teardown(now: seen.Seen) -> Iterator[steps.Step]:
    """charon first: it tells the peers."""
    if now.alive:
        yield steps.StopCharon()
    if now.lan:
        yield steps.CutLan()
    if now.wan_end:
        yield steps.CutWan()
    if now.namespace:
        yield steps.RemoveNamespace()
    if now.folder:
        yield steps.RemoveFolder()


def usable(now: seen.Seen) -> bool:
    """A charon whose namespace has lost its name serves nobody."""
    return now.alive and now.namespace


def _without_charon(now: seen.Seen) -> seen.Seen:
    return replace(now, alive=False, conns={}, secrets=frozenset(), sas=(), tried=frozenset())


def _ground(
    desired: model.DesiredGateway, now: seen.Seen, addresses: frozenset[tuple[str, str]]
) -> Iterator[steps.Step]:
    """What charon stands on, then charon. Addresses come before it where that is possible."""
    leg = mapping.leg_kind(desired.network)
    if not now.folder:
        yield steps.AddFolder()
    if now.alive and not now.namespace:
        yield steps.StopCharon()
    if not now.namespace:
        yield from _cut_loose(now)
        yield steps.AddNamespace()
    if not now.wan:
        yield steps.LayWan()
    if now.namespace and now.lan not in (None, leg):
        yield steps.CutLan()
    if leg and now.lan != leg:
        yield steps.LayLan(leg)
    yield from _batches(steps.AddAddresses, addresses - _kept(desired, now))
    if not usable(now):
        yield steps.StartCharon()


def _cut_loose(now: seen.Seen) -> Iterator[steps.Step]:
    """Legs whose other ends are in a namespace that has lost its name."""
    if now.wan_end:
        yield steps.CutWan()
    if now.lan:
        yield steps.CutLan()


def _kept(desired: model.DesiredGateway, now: seen.Seen) -> frozenset[tuple[str, str]]:
    """The addresses that are there still when the legs have been laid."""
    lost = {"wan"} if not now.wan else set()
    if now.lan != mapping.leg_kind(desired.network):
        lost.add("lan")
    return frozenset(address for address in now.addresses if address[0] not in lost)


def _batches(
    kind: type[steps.AddAddresses | steps.RemoveAddresses], addresses: frozenset[tuple[str, str]]
) -> Iterator[steps.Step]:
    ordered = sorted(addresses)
    for start in range(0, len(ordered), BATCH):
        yield kind(tuple(ordered[start : start + BATCH]))


def _connections(wanted: tuple[mapping.Wanted, ...], now: seen.Seen) -> Iterator[steps.Step]:
    secrets = by_owner(sorted(now.secrets))
    sas = seen.by_connection(now.sas)
    for each in wanted:
        yield from _connection(each, now, secrets[each.connection_id], sas[each.connection_id])
    for connection_id in sorted({*now.conns, *secrets, *sas} - {each.connection_id for each in wanted}):
        yield from _removal(connection_id, now, secrets[connection_id], sas[connection_id])


def by_owner(secret_ids: Iterable[str]) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for secret_id in secret_ids:
        found[names.owner(secret_id)].append(secret_id)
    return found


def _connection(
    wanted: mapping.Wanted, now: seen.Seen, secrets: list[str], sas: list[seen.IkeSa]
) -> Iterator[steps.Step]:
    """What is still being negotiated when something is loaded anew was begun with the old: it ends before the load, so that
    an interrupted plan finds the old still loaded and does this again.
    """
    loads = list(_loads(wanted, now, secrets))
    embryos = [sa for sa in sas if loads and sa.growing]
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
    if not wanted.initiates or any(sa.growing for sa in sas):
        return
    up = {child.name for sa in sas for child in sa.children if child.live}
    for child in wanted.asked:
        if child not in up and child not in tried:
            yield steps.Initiate(wanted.connection_id, child)


def _removal(connection_id: str, now: seen.Seen, secrets: list[str], sas: list[seen.IkeSa]) -> Iterator[steps.Step]:
    """An SA outlives its unloaded connection and still rekeys: it is ended by its own id."""
    if connection_id in now.conns:
        yield steps.UnloadConn(connection_id)
    yield from (_terminate(sa) for sa in sas if sa.live)
    yield from (steps.UnloadSecret(connection_id, secret_id) for secret_id in secrets)
