"""A gateway's world in memory: it carries out steps on a `GatewayState`, and objects to a step that the real one could not do."""

import dataclasses
import itertools
from datetime import UTC, datetime
from typing import Any

from landbridge import model
from landbridge.engine.strongswan import planning, reports, state, steps, target
from landbridge.engine.strongswan.bgp import state as bgp_state
from landbridge.engine.strongswan.bgp import steps as bgp_steps
from landbridge.engine.strongswan.ike import fingerprints
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.ike import steps as ike_steps
from landbridge.engine.strongswan.network import firewall, tunnels
from landbridge.engine.strongswan.network import steps as network_steps

_ids = itertools.count(1000)
#: A session whose device announced too many prefixes, long ago.
CLOSED = model.BgpSession(
    state="down",
    since=datetime(2025, 1, 1, tzinfo=UTC),
    fault=model.BgpFault(code="route_limit", text="Automatic shutdown: Route limit exceeded"),
)


def applied(current: state.GatewayState, step: Any) -> state.GatewayState:
    """The world after the step."""
    return _HOW[type(step)](current, step)


def put(current: state.GatewayState, **changes: Any) -> state.GatewayState:
    """The world with other values of fields of its network, its IKE daemon or its BIRD (`bird_…`)."""
    bird = {name.removeprefix("bird_"): changes.pop(name) for name in list(changes) if name.startswith("bird_")}
    network, ike = (
        {name: changes.pop(name) for name in list(changes) if name in part.__dataclass_fields__}
        for part in (current.network, current.ike)
    )
    return dataclasses.replace(
        current,
        network=dataclasses.replace(current.network, **network),
        ike=dataclasses.replace(current.ike, **ike),
        bgp=dataclasses.replace(current.bgp, **bird),
        **changes,
    )


def plan(
    desired: model.DesiredGateway | None, current: state.GatewayState, *, prove_pfs: bool = False
) -> list[steps.Step]:
    return planning.plan(target.prepare(desired, current.plane, prove_pfs=prove_pfs) if desired else None, current)


def report(desired: model.DesiredGateway, current: state.GatewayState) -> model.Observation:
    return reports.report(desired.id, target.prepare(desired, current.plane), current, {})


def _start(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.folder
    assert current.network.namespace
    assert current.network.filter_table
    assert not (current.ike.alive and current.ike.answers)
    assert step.died or not current.ike.alive
    return put(
        current,
        restarts=step.restarts,
        alive=True,
        answers=True,
        conns={},
        secrets=frozenset(),
        sas=(),
        recently_initiated=frozenset(),
    )


def _stop(current: state.GatewayState, step: Any) -> state.GatewayState:
    """One that does not answer cannot be asked to end."""
    assert step.answers == current.ike.answers
    return put(
        current, alive=False, answers=True, conns={}, secrets=frozenset(), sas=(), recently_initiated=frozenset()
    )


def _delete_link(current: state.GatewayState, link: str) -> state.GatewayState:
    kept = frozenset(address for address in current.network.addresses if address[0] != link)
    lost: dict[str, Any] = (
        {"vpc_link": None}
        if link == "lan"
        else {"uplink": None, "uplink_ready": False, "next_hop": None, "uplink_peer": False}
    )
    return put(current, addresses=kept, **lost)


def _add_namespace(current: state.GatewayState, _: Any) -> state.GatewayState:
    assert not current.network.uplink_peer
    assert not current.network.vpc_link
    return put(current, namespace=True)


def _ensure_uplink(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.network.namespace
    assert current.network.filter_table
    assert current.network.uplink in (None, step.kind)
    return put(current, uplink=step.kind, uplink_ready=True, next_hop=step.next_hop, uplink_peer=step.kind == "routed")


def _move_uplink(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.network.uplink not in (None, step.kind)
    return _add_addresses(_ensure_uplink(_delete_link(current, "wan"), step), step)


def _move_vpc_link(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.network.vpc_link not in (None, step.kind)
    return _add_addresses(_ensure_vpc_link(_delete_link(current, "lan"), step), step)


def _ensure_tunnel(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.network.namespace
    assert current.plane == "kernel"
    return put(current, tunnels={**current.network.tunnels, tunnels.name(step.tunnel.if_id): step.tunnel})


def _delete_tunnel(current: state.GatewayState, step: Any) -> state.GatewayState:
    """Its routes go with it."""
    assert not [sa for sa in current.ike.sas if sa.live and sa.name == step.connection_id]
    kept = {name: kept for name, kept in current.network.tunnels.items() if kept.if_id != step.if_id}
    learned = frozenset(each for each in current.network.learned_routes if each[0] != tunnels.name(step.if_id))
    return without_dangling_routes(put(current, tunnels=kept, learned_routes=learned))


def without_dangling_routes(current: state.GatewayState) -> state.GatewayState:
    """The kernel deletes a multipath route with the first of its links that is deleted."""
    standing = {tunnel.if_id for tunnel in current.network.tunnels.values()}
    return put(
        current, shared_routes=frozenset(one for one in current.network.shared_routes if standing.issuperset(one[1]))
    )


def _ensure_shared_routes(current: state.GatewayState, step: Any) -> state.GatewayState:
    after = put(current, shared_routes=step.routes, hashes_ports=current.network.hashes_ports or bool(step.routes))
    assert without_dangling_routes(after) == after
    return after


def _ensure_filter_table(current: state.GatewayState, step: Any) -> state.GatewayState:
    """Elements for a set that the table lacks would be refused."""
    assert {f"set {firewall.learned_set(link)} " in step.table for link, _ in step.learned} <= {True}
    return put(current, filter_table=firewall.summary(step.table), learned_sources=step.learned)


def _ensure_learned_sources(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.network.filter_table == firewall.summary(step.table)
    assert {link for link, _ in step.learned} <= set(step.interfaces)
    return put(current, learned_sources=step.learned)


def _start_bird(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.folder
    assert current.network.namespace
    assert not (current.bgp.alive and current.bgp.answers)
    return _configure_bird(put(current, bird_alive=True, bird_answers=True, bird_started=True), step)


def _configure_bird(current: state.GatewayState, step: Any) -> state.GatewayState:
    """The device behind each tunnel announces a network at once. A session waits for a tunnel that is missing."""
    assert current.bgp.alive
    assert current.bgp.answers
    there = {"ipsec0"} if current.plane == "userland" else current.network.tunnels.keys()
    link_of = {
        one.name: "ipsec0" if current.plane == "userland" else f"x{one.if_id}" for one in step.configuration.sessions
    }
    announced = {name: f"172.16.{name.removeprefix('c')}.0/24" for name, link in link_of.items() if link in there}
    return put(
        current,
        bird_fingerprint=step.configuration.fingerprint,
        bird_routes={name: (model.BgpRoute(prefix=net, next_hop=""),) for name, net in announced.items()},
        bird_sessions={name: model.BgpSession(state="established") for name in link_of},
        learned_routes=frozenset((link_of[name], net) for name, net in announced.items()),
    )


def _open_session(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.bgp.sessions[step.name].state == "down"
    return put(current, bird_sessions={**current.bgp.sessions, step.name: model.BgpSession(state="established")})


def _stop_bird(current: state.GatewayState, _: Any) -> state.GatewayState:
    """One that is alive takes its routes along."""
    left = frozenset() if current.bgp.alive and current.bgp.answers else current.network.learned_routes
    return dataclasses.replace(put(current, learned_routes=left), bgp=bgp_state.BgpState())


def _ensure_vpc_link(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.network.namespace
    assert current.network.vpc_link in (None, step.kind)
    return put(current, vpc_link=step.kind)


def _add_addresses(current: state.GatewayState, step: Any) -> state.GatewayState:
    for link, _ in step.addresses:
        assert link == "lo" or (current.network.uplink if link == "wan" else current.network.vpc_link)
    return put(current, addresses=current.network.addresses | frozenset(step.addresses))


def _ensure_rules(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.network.namespace
    return put(current, rules=step.rules)


def _delete_namespace(current: state.GatewayState, _: Any) -> state.GatewayState:
    assert not current.ike.alive
    assert not current.bgp.alive
    assert not current.network.uplink_peer
    assert not current.network.vpc_link
    return put(
        current,
        namespace=False,
        uplink_ready=False,
        next_hop=None,
        filter_table=None,
        addresses=frozenset(),
        rules=frozenset(),
        tunnels={},
        shared_routes=frozenset(),
        hashes_ports=False,
        learned_routes=frozenset(),
        learned_sources=frozenset(),
    )


def _delete_folder(current: state.GatewayState, _: Any) -> state.GatewayState:
    assert not current.ike.alive
    assert not current.network.namespace
    return put(current, folder=False)


def _load_secret(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.ike.alive and current.ike.answers  # noqa: PT018
    others = {fingerprints.secret_of(secret) for secret in current.ike.secrets} - {
        fingerprints.secret_of(step.secret_id)
    }
    assert step.connection_id not in map(fingerprints.owner, others)
    return put(current, secrets=current.ike.secrets | {step.secret_id})


def _load_conn(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert current.ike.alive and current.ike.answers  # noqa: PT018
    return put(current, conns={**current.ike.conns, step.connection_id: frozenset(step.conn["children"])})


def _unload_conn(current: state.GatewayState, step: Any) -> state.GatewayState:
    return put(current, conns={name: held for name, held in current.ike.conns.items() if name != step.connection_id})


def _terminate_ike(current: state.GatewayState, step: Any) -> state.GatewayState:
    assert step.connection_id == fingerprints.owner(_sa(current, step.unique_id).name)
    return put(current, sas=tuple(sa for sa in current.ike.sas if sa.unique_id != step.unique_id))


def _terminate_child(current: state.GatewayState, step: Any) -> state.GatewayState:
    sas = []
    for sa in current.ike.sas:
        left = tuple(child for child in sa.children if child.unique_id != step.unique_id)
        assert left == sa.children or sa.name == step.connection_id
        sas.append(dataclasses.replace(sa, children=left))
    return put(current, sas=tuple(sas))


def _initiate(current: state.GatewayState, step: Any) -> state.GatewayState:
    """The peer agrees at once."""
    assert step.child in current.ike.conns[step.connection_id]
    assert step.connection_id in {fingerprints.owner(secret) for secret in current.ike.secrets}
    assert current.plane == "userland" or step.connection_id in {
        laid.connection_id for laid in current.network.tunnels.values()
    }
    child = ike_state.Child(name=step.child, unique_id=str(next(_ids)), state="INSTALLED")
    sas = list(current.ike.sas)
    for at, sa in enumerate(sas):
        if sa.name == step.connection_id and sa.state == "ESTABLISHED":
            sas[at] = dataclasses.replace(sa, children=(*sa.children, child))
            break
    else:
        sas.append(ike_state.IkeSa(step.connection_id, str(next(_ids)), "ESTABLISHED", children=(child,)))
    return put(current, sas=tuple(sas), recently_initiated=current.ike.recently_initiated | {step.child})


def dialled_in(current: state.GatewayState, *asked: tuple[tuple[str, ...], tuple[str, ...]]) -> state.GatewayState:
    """The devices of all policy-templates dial in. Each asks for CHILD_SAs with these (local, remote) selectors."""
    sas = [
        ike_state.IkeSa(
            name,
            str(next(_ids)),
            "ESTABLISHED",
            children=tuple(
                ike_state.Child(child, str(next(_ids)), "INSTALLED", local_ts=local, remote_ts=remote)
                for local, remote in asked
            ),
        )
        for name, (child, *_) in ((name, sorted(children)) for name, children in current.ike.conns.items() if children)
        if ".template-" in child
    ]
    return put(current, sas=(*current.ike.sas, *sas))


def _reauthenticate(current: state.GatewayState, step: Any) -> state.GatewayState:
    """The peer has the new key."""
    old = _sa(current, step.unique_id)
    new = dataclasses.replace(old, unique_id=str(next(_ids)))
    tried = current.ike.recently_initiated | {fingerprints.reauthentication(step.connection_id)}
    return put(current, sas=(*(sa for sa in current.ike.sas if sa is not old), new), recently_initiated=tried)


def _rekey_child(current: state.GatewayState, step: Any) -> state.GatewayState:
    """The new CHILD_SA is younger than its IKE_SA."""
    sas = tuple(
        dataclasses.replace(
            sa,
            children=tuple(
                dataclasses.replace(child, unique_id=str(next(_ids)), installed_seconds=0)
                if child.unique_id == step.unique_id
                else child
                for child in sa.children
            ),
        )
        for sa in current.ike.sas
    )
    tried = current.ike.recently_initiated | {fingerprints.rekey(step.unique_id)}
    return put(current, sas=sas, recently_initiated=tried)


def _prove_key(current: state.GatewayState, step: Any) -> state.GatewayState:
    made = ike_state.IkeSa(step.name, str(next(_ids)), "ESTABLISHED")
    return put(current, sas=(*current.ike.sas, made), recently_initiated=current.ike.recently_initiated | {step.name})


def _sa(current: state.GatewayState, unique_id: str) -> ike_state.IkeSa:
    return next(sa for sa in current.ike.sas if sa.unique_id == unique_id)


_HOW = {
    steps.CheckPaths: lambda current, _: put(current, paths=dataclasses.replace(current.paths, checking=True)),
    steps.AddFolder: lambda current, _: put(current, folder=True),
    network_steps.AddNamespace: _add_namespace,
    network_steps.EnsureRules: _ensure_rules,
    network_steps.EnsureFilterTable: _ensure_filter_table,
    network_steps.EnsureLearnedSources: _ensure_learned_sources,
    network_steps.DeleteLearnedRoutes: lambda current, _: put(current, learned_routes=frozenset()),
    bgp_steps.StartBird: _start_bird,
    bgp_steps.ConfigureBird: _configure_bird,
    bgp_steps.OpenSession: _open_session,
    bgp_steps.StopBird: _stop_bird,
    network_steps.EnsureNatTable: lambda current, step: put(current, nat_table=firewall.summary(step.table)),
    network_steps.DeleteNatTable: lambda current, _: put(current, nat_table=None),
    network_steps.EnsureUplink: _ensure_uplink,
    network_steps.EnsureTunnel: _ensure_tunnel,
    network_steps.EnsureSharedRoutes: _ensure_shared_routes,
    network_steps.DeleteTunnel: _delete_tunnel,
    network_steps.EnsureVpcLink: _ensure_vpc_link,
    network_steps.DeleteUplink: lambda current, _: _delete_link(current, "wan"),
    network_steps.DeleteVpcLink: lambda current, _: _delete_link(current, "lan"),
    network_steps.MoveUplink: _move_uplink,
    network_steps.MoveVpcLink: _move_vpc_link,
    network_steps.AddAddresses: _add_addresses,
    network_steps.DeleteAddresses: lambda current, step: put(
        current, addresses=current.network.addresses - frozenset(step.addresses)
    ),
    ike_steps.StartCharon: _start,
    ike_steps.StopCharon: _stop,
    network_steps.DeleteNamespace: _delete_namespace,
    steps.DeleteFolder: _delete_folder,
    ike_steps.LoadSecret: _load_secret,
    ike_steps.UnloadSecret: lambda current, step: put(current, secrets=current.ike.secrets - {step.secret_id}),
    ike_steps.LoadConn: _load_conn,
    ike_steps.UnloadConn: _unload_conn,
    ike_steps.TerminateIke: _terminate_ike,
    ike_steps.AbandonIke: _terminate_ike,
    ike_steps.Reauthenticate: _reauthenticate,
    ike_steps.ProveKey: _prove_key,
    ike_steps.RekeyChild: _rekey_child,
    ike_steps.TerminateChild: _terminate_child,
    ike_steps.Initiate: _initiate,
}
