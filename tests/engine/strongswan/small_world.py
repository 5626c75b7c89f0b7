"""A gateway's world in memory: it carries out steps on a `Seen`, and objects to a step that the real one could not do."""

import dataclasses
import itertools
from typing import Any

from landbridge.engine.strongswan import firewall, names, state, steps, tunnels

_ids = itertools.count(1000)


def applied(current: state.GatewayState, step: Any) -> state.GatewayState:
    """The world after the step."""
    return _HOW[type(step)](current, step)


def _put(current: state.GatewayState, **changes: Any) -> state.GatewayState:
    return dataclasses.replace(current, **changes)


def _start(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.folder
    assert current.namespace
    assert current.filter_table
    assert not current.alive
    return _put(
        current,
        restarts=step.restarts,
        alive=True,
        conns={},
        secrets=frozenset(),
        sas=(),
        recently_initiated=frozenset(),
    )


def _stop(current: state.GatewayState, _: Any) -> state.GatewayState:
    return _put(current, alive=False, conns={}, secrets=frozenset(), sas=(), recently_initiated=frozenset())


def _delete_link(current: state.GatewayState, link: str) -> state.GatewayState:
    kept = frozenset(address for address in current.addresses if address[0] != link)
    lost: dict[str, Any] = (
        {"vpc_link": None}
        if link == "lan"
        else {"uplink": None, "uplink_ready": False, "next_hop": None, "uplink_peer": False}
    )
    return _put(current, addresses=kept, **lost)


def _add_namespace(current: state.GatewayState, _: Any) -> state.GatewayState:
    assert not current.uplink_peer
    assert not current.vpc_link
    return _put(current, namespace=True)


def _ensure_uplink(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.namespace
    assert current.filter_table
    assert current.uplink in (None, step.kind)
    return _put(current, uplink=step.kind, uplink_ready=True, next_hop=step.next_hop, uplink_peer=step.kind == "routed")


def _move_uplink(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.uplink not in (None, step.kind)
    return _add_addresses(_ensure_uplink(_delete_link(current, "wan"), step), step)


def _move_vpc_link(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.vpc_link not in (None, step.kind)
    return _add_addresses(_ensure_vpc_link(_delete_link(current, "lan"), step), step)


def _ensure_tunnel(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.namespace
    assert current.plane == "kernel"
    return _put(current, tunnels={**current.tunnels, tunnels.name(step.tunnel.if_id): step.tunnel})


def _delete_tunnel(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert not [sa for sa in current.sas if sa.live and sa.name == step.connection_id]
    return _put(current, tunnels={name: kept for name, kept in current.tunnels.items() if kept.if_id != step.if_id})


def _ensure_vpc_link(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.namespace
    assert current.vpc_link in (None, step.kind)
    return _put(current, vpc_link=step.kind)


def _add_addresses(current: state.GatewayState, step: Any) -> state.GatewayState:
    for link, _ in step.addresses:
        assert link == "lo" or (current.uplink if link == "wan" else current.vpc_link)
    return _put(current, addresses=current.addresses | frozenset(step.addresses))


def _ensure_rules(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.namespace
    return _put(current, rules=step.rules)


def _delete_namespace(current: state.GatewayState, _: Any) -> state.GatewayState:
    assert not current.alive
    assert not current.uplink_peer
    assert not current.vpc_link
    return _put(
        current,
        namespace=False,
        uplink_ready=False,
        next_hop=None,
        filter_table=None,
        addresses=frozenset(),
        rules=frozenset(),
        tunnels={},
    )


def _delete_folder(current: state.GatewayState, _: Any) -> state.GatewayState:
    assert not current.alive
    assert not current.namespace
    return _put(current, folder=False)


def _load_secret(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.alive
    assert step.connection_id not in {names.owner(secret) for secret in current.secrets}
    return _put(current, secrets=current.secrets | {step.secret_id})


def _load_conn(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.alive
    return _put(current, conns={**current.conns, step.connection_id: frozenset(step.conn["children"])})


def _unload_conn(current: state.GatewayState, step: Any) -> state.GatewayState:
    return _put(current, conns={name: held for name, held in current.conns.items() if name != step.connection_id})


def _terminate_ike(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert step.connection_id == _sa(current, step.unique_id).name
    return _put(current, sas=tuple(sa for sa in current.sas if sa.unique_id != step.unique_id))


def _terminate_child(current: state.GatewayState, step: Any) -> state.GatewayState:
    sas = []
    for sa in current.sas:
        left = tuple(child for child in sa.children if child.unique_id != step.unique_id)
        assert left == sa.children or sa.name == step.connection_id
        sas.append(dataclasses.replace(sa, children=left))
    return _put(current, sas=tuple(sas))


def _initiate(current: state.GatewayState, step: Any) -> state.GatewayState:
    """The peer agrees at once."""
    assert step.child in current.conns[step.connection_id]
    assert step.connection_id in {names.owner(secret) for secret in current.secrets}
    assert current.plane == "userland" or step.connection_id in {
        laid.connection_id for laid in current.tunnels.values()
    }
    child = state.Child(name=step.child, unique_id=str(next(_ids)), state="INSTALLED")
    sas = list(current.sas)
    for at, sa in enumerate(sas):
        if sa.name == step.connection_id and sa.state == "ESTABLISHED":
            sas[at] = dataclasses.replace(sa, children=(*sa.children, child))
            break
    else:
        sas.append(state.IkeSa(step.connection_id, str(next(_ids)), "ESTABLISHED", children=(child,)))
    return _put(current, sas=tuple(sas), recently_initiated=current.recently_initiated | {step.child})


def _sa(current: state.GatewayState, unique_id: str) -> state.IkeSa:
    return next(sa for sa in current.sas if sa.unique_id == unique_id)


_HOW = {
    steps.AddFolder: lambda current, _: _put(current, folder=True),
    steps.AddNamespace: _add_namespace,
    steps.EnsureRules: _ensure_rules,
    steps.EnsureFilterTable: lambda current, step: _put(current, filter_table=firewall.summary(step.table)),
    steps.EnsureNatTable: lambda current, step: _put(
        current, nat_table=firewall.summary(step.table) if step.table else None
    ),
    steps.EnsureUplink: _ensure_uplink,
    steps.EnsureTunnel: _ensure_tunnel,
    steps.DeleteTunnel: _delete_tunnel,
    steps.EnsureVpcLink: _ensure_vpc_link,
    steps.DeleteUplink: lambda current, _: _delete_link(current, "wan"),
    steps.DeleteVpcLink: lambda current, _: _delete_link(current, "lan"),
    steps.MoveUplink: _move_uplink,
    steps.MoveVpcLink: _move_vpc_link,
    steps.AddAddresses: _add_addresses,
    steps.DeleteAddresses: lambda current, step: _put(current, addresses=current.addresses - frozenset(step.addresses)),
    steps.StartCharon: _start,
    steps.StopCharon: _stop,
    steps.DeleteNamespace: _delete_namespace,
    steps.DeleteFolder: _delete_folder,
    steps.LoadSecret: _load_secret,
    steps.UnloadSecret: lambda current, step: _put(current, secrets=current.secrets - {step.secret_id}),
    steps.LoadConn: _load_conn,
    steps.UnloadConn: _unload_conn,
    steps.TerminateIke: _terminate_ike,
    steps.TerminateChild: _terminate_child,
    steps.Initiate: _initiate,
}
