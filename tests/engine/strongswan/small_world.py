"""A gateway's world in memory: it carries out steps on a `Seen`, and objects to a step that the real one could not do."""

import dataclasses
import itertools
from typing import Any

from landbridge.engine.strongswan import firewall, names, seen, steps, tunnels

_ids = itertools.count(1000)


def applied(now: seen.Seen, step: Any) -> seen.Seen:
    """The world after the step."""
    return _HOW[type(step)](now, step)


def _put(now: seen.Seen, **changes: Any) -> seen.Seen:
    return dataclasses.replace(now, **changes)


def _start(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.folder
    assert now.namespace
    assert now.guard
    assert not now.alive
    return _put(now, restarts=step.restarts, alive=True, conns={}, secrets=frozenset(), sas=(), tried=frozenset())


def _stop(now: seen.Seen, _: Any) -> seen.Seen:
    return _put(now, alive=False, conns={}, secrets=frozenset(), sas=(), tried=frozenset())


def _cut(now: seen.Seen, leg: str) -> seen.Seen:
    kept = frozenset(address for address in now.addresses if address[0] != leg)
    lost: dict[str, Any] = (
        {"lan": None} if leg == "lan" else {"wan": None, "wan_whole": False, "router": None, "wan_end": False}
    )
    return _put(now, addresses=kept, **lost)


def _add_namespace(now: seen.Seen, _: Any) -> seen.Seen:
    assert not now.wan_end
    assert not now.lan
    return _put(now, namespace=True)


def _lay_wan(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.namespace
    assert now.guard
    assert now.wan in (None, step.kind)
    return _put(now, wan=step.kind, wan_whole=True, router=step.router, wan_end=step.kind == "routed")


def _move_wan(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.wan not in (None, step.kind)
    return _add_addresses(_lay_wan(_cut(now, "wan"), step), step)


def _move_lan(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.lan not in (None, step.kind)
    return _add_addresses(_lay_lan(_cut(now, "lan"), step), step)


def _lay_tunnel(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.namespace
    assert now.plane == "kernel"
    return _put(now, tunnels={**now.tunnels, tunnels.name(step.tunnel.if_id): step.tunnel})


def _cut_tunnel(now: seen.Seen, step: Any) -> seen.Seen:
    assert not [sa for sa in now.sas if sa.live and sa.name == step.connection_id]
    return _put(now, tunnels={name: kept for name, kept in now.tunnels.items() if kept.if_id != step.if_id})


def _lay_lan(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.namespace
    assert now.lan in (None, step.kind)
    return _put(now, lan=step.kind)


def _add_addresses(now: seen.Seen, step: Any) -> seen.Seen:
    for link, _ in step.addresses:
        assert link == "lo" or (now.wan if link == "wan" else now.lan)
    return _put(now, addresses=now.addresses | frozenset(step.addresses))


def _set_rules(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.namespace
    return _put(now, rules=step.rules)


def _remove_namespace(now: seen.Seen, _: Any) -> seen.Seen:
    assert not now.alive
    assert not now.wan_end
    assert not now.lan
    return _put(
        now,
        namespace=False,
        wan_whole=False,
        router=None,
        guard=None,
        addresses=frozenset(),
        rules=frozenset(),
        tunnels={},
    )


def _remove_folder(now: seen.Seen, _: Any) -> seen.Seen:
    assert not now.alive
    assert not now.namespace
    return _put(now, folder=False)


def _load_secret(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.alive
    assert step.connection_id not in {names.owner(secret) for secret in now.secrets}
    return _put(now, secrets=now.secrets | {step.secret_id})


def _load_conn(now: seen.Seen, step: Any) -> seen.Seen:
    assert now.alive
    return _put(now, conns={**now.conns, step.connection_id: frozenset(step.conn["children"])})


def _unload_conn(now: seen.Seen, step: Any) -> seen.Seen:
    return _put(now, conns={name: held for name, held in now.conns.items() if name != step.connection_id})


def _terminate_ike(now: seen.Seen, step: Any) -> seen.Seen:
    assert step.connection_id == _sa(now, step.unique_id).name
    return _put(now, sas=tuple(sa for sa in now.sas if sa.unique_id != step.unique_id))


def _terminate_child(now: seen.Seen, step: Any) -> seen.Seen:
    sas = []
    for sa in now.sas:
        left = tuple(child for child in sa.children if child.unique_id != step.unique_id)
        assert left == sa.children or sa.name == step.connection_id
        sas.append(dataclasses.replace(sa, children=left))
    return _put(now, sas=tuple(sas))


def _initiate(now: seen.Seen, step: Any) -> seen.Seen:
    """The peer agrees at once."""
    assert step.child in now.conns[step.connection_id]
    assert step.connection_id in {names.owner(secret) for secret in now.secrets}
    assert now.plane == "userland" or step.connection_id in {laid.connection_id for laid in now.tunnels.values()}
    child = seen.Child(name=step.child, unique_id=str(next(_ids)), state="INSTALLED")
    sas = list(now.sas)
    for at, sa in enumerate(sas):
        if sa.name == step.connection_id and sa.state == "ESTABLISHED":
            sas[at] = dataclasses.replace(sa, children=(*sa.children, child))
            break
    else:
        sas.append(seen.IkeSa(step.connection_id, str(next(_ids)), "ESTABLISHED", children=(child,)))
    return _put(now, sas=tuple(sas), tried=now.tried | {step.child})


def _sa(now: seen.Seen, unique_id: str) -> seen.IkeSa:
    return next(sa for sa in now.sas if sa.unique_id == unique_id)


_HOW = {
    steps.AddFolder: lambda now, _: _put(now, folder=True),
    steps.AddNamespace: _add_namespace,
    steps.SetRules: _set_rules,
    steps.SetGuard: lambda now, step: _put(now, guard=firewall.summary(step.table)),
    steps.SetForward: lambda now, step: _put(now, forward=firewall.summary(step.table) if step.table else None),
    steps.LayWan: _lay_wan,
    steps.LayTunnel: _lay_tunnel,
    steps.CutTunnel: _cut_tunnel,
    steps.LayLan: _lay_lan,
    steps.CutWan: lambda now, _: _cut(now, "wan"),
    steps.CutLan: lambda now, _: _cut(now, "lan"),
    steps.MoveWan: _move_wan,
    steps.MoveLan: _move_lan,
    steps.AddAddresses: _add_addresses,
    steps.RemoveAddresses: lambda now, step: _put(now, addresses=now.addresses - frozenset(step.addresses)),
    steps.StartCharon: _start,
    steps.StopCharon: _stop,
    steps.RemoveNamespace: _remove_namespace,
    steps.RemoveFolder: _remove_folder,
    steps.LoadSecret: _load_secret,
    steps.UnloadSecret: lambda now, step: _put(now, secrets=now.secrets - {step.secret_id}),
    steps.LoadConn: _load_conn,
    steps.UnloadConn: _unload_conn,
    steps.TerminateIke: _terminate_ike,
    steps.TerminateChild: _terminate_child,
    steps.Initiate: _initiate,
}
