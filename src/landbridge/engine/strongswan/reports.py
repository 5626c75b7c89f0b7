"""Reports what was observed of a gateway, as values of the model.

Pure. It reports facts: what is loaded, what is up, what was said. The room `status` decides what that means for a user.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import path_planning, probe_planning, state, subnets
from landbridge.engine.strongswan import target as targets
from landbridge.engine.strongswan.bgp.state import BgpState
from landbridge.engine.strongswan.echo import state as echo_state
from landbridge.engine.strongswan.ike import fingerprints, key_proof, messages, selectors
from landbridge.engine.strongswan.ike import planning as ike_planning
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import firewall, tunnels

#: Destinations of refused packets that a report names, of one connection.
SHOWN_REFUSALS = 5
#: Learned routes that a report has of a connection, at most.
ROUTES_REPORTED = 1000


def report(
    gateway_id: str, target: targets.Target | None, current: state.GatewayState, failures: base.Failures
) -> model.Observation:
    """`target` None: the gateway is to go."""
    if target is not None and target.network is None:
        return _left_alone(target.desired, current)
    return model.Observation(
        gateway_id=gateway_id,
        seen_at=current.at,
        exists=current.folder,
        applied_generation=_gateway_generation(target, current, failures),
        failure=failures.get(None),
        gateway=_gateway_report(current),
        present=_present(current),
        connections=tuple(_connections(target, current, failures)) if target else (),
        probes=(*probe_planning.done(target, current), *path_planning.done(target, current)) if target else (),
    )


def _connections(
    target: targets.Target, current: state.GatewayState, failures: base.Failures
) -> Iterator[model.ConnectionObservation]:
    configs = {config.connection_id: config for config in target.configs}
    desired = targets.desired_tunnels(target, current)
    sas, secrets = ike_state.by_connection(current.ike.sas), ike_planning.by_owner(current.ike.secrets)
    first = tunnels.preferred_priorities(current.network.tunnels.values())
    sessions = {session.connection_id: session for session in target.bgp.sessions} if target.bgp else {}
    for spec in target.desired.connections:
        if spec.id in target.refused:
            yield _refusal(spec, target.refused[spec.id])
            continue
        config, failure = configs[spec.id], failures.get(spec.id) or failures.get(None)
        applied = _is_applied(config, desired.get(spec.id), current, sas[spec.id], secrets[spec.id])
        observed = current.network.tunnels.get(tunnels.name(spec.if_id))
        keys = key_proof.keys(config, secrets[spec.id], sas[spec.id])
        session = sessions.get(spec.id)
        carried = tunnels.destinations_carried(observed, first, current.network.shared_routes) if observed else None
        observation = _connection(
            spec,
            config,
            sas[spec.id],
            failure,
            applied=applied and (session is None or _is_configured(target, current)),
            is_key_unproved=bool(keys.unproved),
            at=current.at,
            routes=_learned_routes(current, observed) if session and observed else carried,
            intended=selectors.intended(target.desired, spec),
            refused=_refused(spec, target.plane, current),
            attempts=current.ike.attempts.get(spec.id, ()),
            configuration=_configuration(spec.id, current, secrets[spec.id]),
            echo=current.echo,
            daemon_died_at=current.ike.started_at if current.ike.died else None,
        )
        yield observation if session is None else replace(observation, bgp=_session(session.name, current.bgp))


def _is_configured(target: targets.Target, current: state.GatewayState) -> bool:
    """Whether BIRD runs what it must run, and nothing where it must not run."""
    return current.bgp.fingerprint == (target.bgp.fingerprint if target.bgp else "")


def _session(name: str, current: BgpState) -> model.BgpSession:
    """The session with its first routes; `down` while BIRD does not know it yet."""
    session = current.sessions.get(name, model.BgpSession(state="down"))
    return replace(session, routes=current.routes.get(name, ())[:ROUTES_REPORTED])


def _learned_routes(current: state.GatewayState, observed: tunnels.Tunnel) -> list[str]:
    """The learned networks that lead into the tunnel. The kernel asks for a static route first, and takes a wider one too."""
    static = {subnets.parse_net(net) for tunnel in current.network.tunnels.values() for net, _ in tunnel.routes}
    lengths = {net.prefixlen for net in static}
    learned = (
        subnets.parse_net(net) for link, net in current.network.learned_routes if link == tunnels.name(observed.if_id)
    )
    leading = (
        net
        for net in learned
        if not any(net.supernet(new_prefix=length) in static for length in lengths if length <= net.prefixlen)
    )
    return [str(net) for net in sorted(leading)[:ROUTES_REPORTED]]


def _left_alone(desired: model.DesiredGateway, current: state.GatewayState) -> model.Observation:
    """Reports a gateway that the site file no longer covers. Nobody can say what its connections ought to be: they are as they are."""
    sas = ike_state.by_connection(current.ike.sas)
    text = f"the site file no longer has {' and '.join(desired.uncovered)}: the VPN gateway is left as it is"
    return model.Observation(
        gateway_id=desired.id,
        seen_at=current.at,
        exists=current.folder,
        applied_generation=None,
        failure=text,
        gateway=_gateway_report(current),
        present=_present(current),
        connections=tuple(_as_it_is(spec.id, sas[spec.id], current, text) for spec in desired.connections),
    )


def _as_it_is(
    connection_id: str, sas: list[ike_state.IkeSa], current: state.GatewayState, failure: str
) -> model.ConnectionObservation:
    established = [sa for sa in sas if sa.live and not sa.negotiating]
    children = _by_selectors(_installed(established), current.at)
    return model.ConnectionObservation(
        connection_id=connection_id,
        failure=failure,
        ike_established=bool(established),
        expected_children=len(children),
        children=children,
        attempts=current.ike.attempts.get(connection_id, ()),
    )


def _gateway_report(current: state.GatewayState) -> model.GatewayReport:
    return model.GatewayReport(
        restarts=current.ike.restarts if current.serves else 0,
        restarted_at=current.ike.started_at if current.ike.restarts else None,
        inner_addresses=tuple(sorted(address for link, address in current.network.addresses if link == "lan")),
        strangers=current.ike.strangers,
        unknown_lines=current.ike.unknown_lines,
    )


def _gateway_generation(
    target: targets.Target | None, current: state.GatewayState, failures: base.Failures
) -> int | None:
    if target is None or target.network is None or failures.get(None):
        return None
    addressed = target.network.addresses <= current.network.addresses
    filtered = current.network.filter_table == firewall.summary(target.network.filter_table)
    whole = addressed and filtered and _is_configured(target, current)
    return target.desired.generation if current.serves and whole else None


def _present(current: state.GatewayState) -> frozenset[str]:
    loaded = {
        *map(fingerprints.owner, current.ike.conns),
        *(fingerprints.owner(secret) for secret in current.ike.secrets),
        *(fingerprints.owner(sa.name) for sa in current.ike.sas),
    }
    routed = {tunnel.connection_id for tunnel in current.network.tunnels.values()}
    return frozenset((loaded | routed) - {ike_state.UNNAMED, ""})


def _refusal(spec: model.DesiredConnection, reason: str) -> model.ConnectionObservation:
    return model.ConnectionObservation(connection_id=spec.id, applied_generation=spec.generation, refused=reason)


def _connection(
    spec: model.DesiredConnection,
    config: messages.DesiredConfig,
    sas: list[ike_state.IkeSa],
    failure: str | None,
    *,
    applied: bool,
    is_key_unproved: bool,
    at: datetime,
    routes: Collection[str] | None,
    intended: Iterable[selectors.Pair],
    refused: Iterable[model.RefusedPackets],
    attempts: tuple[model.Attempt, ...],
    configuration: str,
    echo: echo_state.EchoState,
    daemon_died_at: datetime | None,
) -> model.ConnectionObservation:
    """`routes`: what the kernel routes into the tunnel; None without a tunnel, where the selectors of the SAs lead."""
    established = [sa for sa in sas if sa.live and not sa.negotiating]
    shown = next(reversed(established or sas), None)
    installed = _installed(established)
    children = (
        _by_selectors(filter(config.keeps, installed), at)
        if config.by_template
        else _by_name(config.children, installed, at)
    )
    policy = spec.connection.ike_policy
    return model.ConnectionObservation(
        connection_id=spec.id,
        applied_generation=spec.generation if applied and not failure else None,
        failure=failure,
        ike_established=bool(established),
        ike_proposal=shown.proposal if shown else None,
        local_id=_identity(shown.local_id if shown else None, policy.local_id or spec.local_address),
        peer_id=_identity(shown.peer_id if shown else None, policy.peer_id or spec.peer_address),
        peer_address=shown.peer_address if shown else None,
        waits_for_peer=not config.initiates,
        is_key_unproved=is_key_unproved,
        expected_children=max(len(children), 1) if config.by_template else len(config.initiated),
        children=children,
        missing_pairs=_missing(intended, established),
        routes=tuple(sorted(_selected(children) if routes is None else routes)),
        attempts=attempts,
        configuration=configuration,
        refused_packets=tuple(sorted(refused, key=lambda refused: -refused.packets))[:SHOWN_REFUSALS],
        nqa=echo.nqa.get(spec.id),
        monitor=echo.monitor.get(spec.id),
        daemon_died_at=daemon_died_at,
    )


def _refused(
    spec: model.DesiredConnection, plane: model.Plane, current: state.GatewayState
) -> Iterator[model.RefusedPackets]:
    """On the userland data plane all tunnels share one interface, so the networks behind a tunnel tell whose packets were refused."""
    link = tunnels.interface(spec.if_id, plane)
    mine = [refused for refused in current.network.refused if refused.link == link]
    nets = [subnets.parse_net(net) for net in tunnels.destinations(spec.connection)] if mine else []
    for refused in mine:
        if plane == "kernel" or any(subnets.parse_host(refused.destination).subnet_of(net) for net in nets):
            yield model.RefusedPackets(
                reporter=refused.reporter, destination=refused.destination, code=refused.code, packets=refused.packets
            )


def _identity(observed: str | None, configured: str | None) -> str | None:
    """charon names no identity, or any, until a peer has answered."""
    return configured if observed in (None, ike_state.ANY) else observed


def _configuration(connection_id: str, current: state.GatewayState, secrets: Iterable[str]) -> str:
    return ike_state.configuration(current.ike.conns.get(connection_id, ()), secrets)


def _missing(intended: Iterable[selectors.Pair], established: list[ike_state.IkeSa]) -> tuple[str, ...]:
    """None while nothing is up: then the whole tunnel is what is missing."""
    up = [(child.local_ts, child.remote_ts) for sa in established for child in sa.children if child.installed]
    missing = selectors.missing(intended, up) if up else ()
    return tuple(f"{pair.local} - {pair.remote}" for pair in missing)


def _is_applied(
    config: messages.DesiredConfig,
    tunnel: tunnels.Tunnel | None,
    current: state.GatewayState,
    sas: list[ike_state.IkeSa],
    secrets: list[str],
) -> bool:
    """Whether tunnel and configuration are there whole, and nothing of an older configuration is left. What only follows the
    tunnel's state, its MTU and the metrics of its routes, may lag behind.
    """
    if tunnel and not tunnels.carries_all(current.network.tunnels.get(tunnels.name(tunnel.if_id)), tunnel):
        return False
    stale = any(child.live and not config.keeps(child) for sa in sas if sa.live for child in sa.children)
    loaded = current.ike.conns.get(config.connection_id) == frozenset(config.children)
    keys = {fingerprints.secret_of(secret) for secret in secrets}
    return current.serves and loaded and keys == {config.secret_id} and not stale


def _installed(sas: Iterable[ike_state.IkeSa]) -> list[ike_state.Child]:
    """Oldest first: during a rekey there are two."""
    installed = (child for sa in sas for child in sa.children if child.installed)
    return sorted(installed, key=lambda child: int(child.unique_id))


def _by_name(names: Iterable[str], installed: Iterable[ike_state.Child], at: datetime) -> tuple[model.ChildSa, ...]:
    """The youngest SA of each desired child."""
    youngest = {child.name: child for child in installed}
    return tuple(_child(youngest[name], at) for name in names if name in youngest)


def _by_selectors(installed: Iterable[ike_state.Child], at: datetime) -> tuple[model.ChildSa, ...]:
    """The youngest SA of each pair of selectors: a device may ask for several CHILD_SAs of one child."""
    youngest = {(child.local_ts, child.remote_ts): child for child in installed}
    return tuple(_child(child, at) for _, child in sorted(youngest.items()))


def _selected(children: Iterable[model.ChildSa]) -> set[str]:
    """The networks behind the device, by the selectors."""
    return {str(net) for child in children for selector in child.remote_ts for net in selectors.nets(selector)}


def _child(child: ike_state.Child, at: datetime) -> model.ChildSa:
    return model.ChildSa(
        rule=fingerprints.rule(child.name),
        local_ts=child.local_ts,
        remote_ts=child.remote_ts,
        spi_in=child.spi_in,
        spi_out=child.spi_out,
        proposal=child.proposal,
        bytes_in=child.bytes_in,
        bytes_out=child.bytes_out,
        packets_in=child.packets_in,
        packets_out=child.packets_out,
        installed_at=_ago(at, child.installed_seconds),
        last_in_at=None if child.silent_seconds is None else _ago(at, child.silent_seconds),
        last_out_at=None if child.unused_seconds is None else _ago(at, child.unused_seconds),
    )


def _ago(at: datetime, seconds: int) -> datetime:
    return at.replace(microsecond=0) - timedelta(seconds=seconds)
