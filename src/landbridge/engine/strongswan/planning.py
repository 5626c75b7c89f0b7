"""Plans the ordered steps from the observed to the desired state. Each room plans its own steps.

Pure. Invariants: a second plan after a complete first one is empty, except after a plan of `AttachNamespace`; whatever part of a plan was carried out, the next
plan finishes it; what is new is added before what is old goes.
"""

from collections.abc import Iterator
from dataclasses import replace

from landbridge.engine.strongswan import path_planning, probe_planning, state, steps
from landbridge.engine.strongswan.bgp import planning as bgp_planning
from landbridge.engine.strongswan.bgp.state import BgpState
from landbridge.engine.strongswan.ike import planning as ike_planning
from landbridge.engine.strongswan.ike import steps as ike_steps
from landbridge.engine.strongswan.ike.state import IkeState
from landbridge.engine.strongswan.network import planning as network_planning
from landbridge.engine.strongswan.network import steps as network_steps
from landbridge.engine.strongswan.network import tunnels
from landbridge.engine.strongswan.target import Target, desired_shared_routes, desired_tunnels, learned_sources


def plan(target: Target | None, current: state.GatewayState) -> list[steps.Step]:
    """`target` None: nothing of the gateway may remain. All tunnels exist before any connection can come up, since what belongs into a
    tunnel must not go into a wider one; a tunnel goes when no SA of its connection is left. BIRD ends a session before its tunnel is
    deleted, and starts a session after its tunnel exists. While the namespace has no name, nobody can see what is in it, so the plan
    only gives the name back. While a foreign namespace has the name, the plan is one step that fails and says so.
    """
    if target is None:
        return list(_teardown(current))
    if current.network.foreign:
        return [steps.AddFolder()]
    if current.pid_in_unnamed_namespace is not None:
        return [network_steps.AttachNamespace(current.pid_in_unnamed_namespace)]
    if target.network is None:
        return list(_deletions(target, current))
    after_restart = _without_charon(current) if _starts(target, current) else current
    desired = desired_tunnels(target, after_restart)
    shared_before, shared_after = network_planning.plan_shared_routes(
        desired_shared_routes(target, desired), after_restart.network
    )
    kept = {tunnels.name(tunnel.if_id) for tunnel in desired.values()}
    learned = learned_sources(target, after_restart)
    return [
        *([] if current.folder else [steps.AddFolder()]),
        *([] if current.network.namespace else _stop(current)),
        *([] if current.network.namespace else bgp_planning.plan_stop(current.bgp)),
        *network_planning.plan_links(target.network, current.network, learned),
        *_start(target, current),
        *shared_before,
        *network_planning.plan_tunnels(desired, after_restart.network),
        *shared_after,
        *_sessions(target, after_restart),
        *ike_planning.plan_connections(
            probe_planning.not_held(target, current), target.psks, after_restart.ike, prove_pfs=target.prove_pfs
        ),
        *ike_planning.plan_deletions(target.supported | probe_planning.probe_names(current), after_restart.ike),
        *network_planning.plan_tunnel_deletions(kept, after_restart.network),
        *network_planning.plan_deletions(target.network, current.network, learned),
        *probe_planning.plan(target, current),
        *path_planning.plan(target, current),
    ]


def _deletions(target: Target, current: state.GatewayState) -> Iterator[steps.Step]:
    """A gateway that the site file no longer covers is left as it is, except for connections that nobody desires."""
    ids = {spec.id for spec in target.desired.connections}
    kept = {name for name, tunnel in current.network.tunnels.items() if tunnel.connection_id in ids}
    yield from ike_planning.plan_deletions(ids, current.ike)
    yield from network_planning.plan_tunnel_deletions(kept, current.network)


def _teardown(current: state.GatewayState) -> Iterator[steps.Step]:
    """BIRD stops first, then charon: they tell the peers. Without the folder nothing that exists is ours."""
    if not current.folder:
        return
    yield from bgp_planning.plan_stop(current.bgp)
    yield from _stop(current)
    yield from network_planning.plan_teardown(current.network)
    yield steps.DeleteFolder()


def _sessions(target: Target, current: state.GatewayState) -> Iterator[steps.Step]:
    """BIRD stops when it has no session."""
    if target.bgp is None:
        yield from bgp_planning.plan_stop(current.bgp)
    else:
        yield from bgp_planning.plan_sessions(target.bgp, current.bgp, current.at)


def _starts(target: Target, current: state.GatewayState) -> bool:
    return not current.serves or _restart_is_due(target, current)


def _restart_is_due(target: Target, current: state.GatewayState) -> bool:
    """Whether a restart is asked for, and the running charon was started before."""
    return current.ike.restarts < target.desired.restarts


def _start(target: Target, current: state.GatewayState) -> Iterator[steps.Step]:
    if current.serves and _restart_is_due(target, current):
        yield ike_steps.StopCharon()
    if _starts(target, current):
        yield ike_steps.StartCharon(current.plane, target.desired.restarts, died=_has_died(current))


def _has_died(current: state.GatewayState) -> bool:
    """Whether the charon of this namespace has ended, or does not answer. After a boot of the machine there is no namespace."""
    is_gone = not current.ike.alive and current.ike.started_at is not None
    return current.network.namespace and (is_gone or not current.ike.answers)


def _stop(current: state.GatewayState) -> Iterator[steps.Step]:
    if current.ike.alive:
        yield ike_steps.StopCharon(answers=current.ike.answers)


def _without_charon(current: state.GatewayState) -> state.GatewayState:
    network = current.network
    return replace(
        current,
        ike=IkeState(restarts=current.ike.restarts, started_at=current.ike.started_at),
        network=network if network.namespace else replace(network, tunnels={}, shared_routes=frozenset()),
        bgp=current.bgp if network.namespace else BgpState(),
    )
