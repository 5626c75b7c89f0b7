"""What is true of a gateway, in the words of the model.

Pure. It reports facts: what is loaded, what is up, what was said. What that means for a user is not decided here.
"""

from collections.abc import Iterable

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import (
    firewall,
    gateway_network,
    messages,
    names,
    planning,
    selectors,
    state,
    tunnels,
    unsupported,
)


def report(
    gateway_id: str,
    desired: model.DesiredGateway | None,
    current: state.GatewayState,
    failures: base.Failures,
    supported: unsupported.Supported | None = None,
) -> model.Observation:
    """`supported`: where that is known already."""
    if desired is not None and desired.uncovered:
        return _left_alone(desired, current)
    supported = supported or (
        unsupported.supported(desired, current.plane) if desired else unsupported.Supported({}, ())
    )
    refused, configs = supported.refused, {each.connection_id: each for each in supported.configs}
    laid = tunnels.desired_tunnels(desired, supported.ids, current) if desired else {}
    sas, held = state.by_connection(current.sas), planning.by_owner(current.secrets)
    first = tunnels.first(current.tunnels.values())
    return model.Observation(
        gateway_id=gateway_id,
        seen_at=current.at,
        exists=current.folder,
        applied_generation=_gateway_generation(desired, current, supported.ids, failures),
        failure=failures.get(None),
        gateway=_gateway_report(current),
        present=_present(current),
        connections=tuple(
            _refusal(wish, refused[wish.id])
            if wish.id in refused
            else _connection(
                wish,
                configs[wish.id],
                current,
                sas[wish.id],
                _failure(wish, failures),
                applied=_applied(configs[wish.id], laid.get(wish.id), current, sas[wish.id], held[wish.id]),
                kept_tunnels=current.tunnels.get(tunnels.name(wish.if_id)),
                first=first,
                meant=selectors.meant(desired, wish) if desired else (),
            )
            for wish in (desired.connections if desired else ())
        ),
    )


def _left_alone(desired: model.DesiredGateway, current: state.GatewayState) -> model.Observation:
    """Of a gateway that the site file no longer covers. Nobody can say what its connections ought to be: they are as they are."""
    sas = state.by_connection(current.sas)
    text = f"the site file no longer has {' and '.join(desired.uncovered)}: the VPN gateway is left as it is"
    return model.Observation(
        gateway_id=desired.id,
        seen_at=current.at,
        exists=current.folder,
        applied_generation=None,
        failure=text,
        gateway=_gateway_report(current),
        present=_present(current),
        connections=tuple(_as_it_is(wish.id, sas[wish.id], current, text) for wish in desired.connections),
    )


def _as_it_is(
    connection_id: str, sas: list[state.IkeSa], current: state.GatewayState, failure: str
) -> model.ConnectionObservation:
    established = [sa for sa in sas if sa.live and not sa.negotiating]
    children = _children(sorted({child.name for sa in established for child in sa.children}), established)
    return model.ConnectionObservation(
        connection_id=connection_id,
        failure=failure,
        ike_established=bool(established),
        expected_children=len(children),
        children=children,
        evidence=current.evidence.get(connection_id, ()),
    )


def _gateway_report(current: state.GatewayState) -> model.GatewayReport:
    return model.GatewayReport(
        restarts=current.restarts if planning.is_usable(current) else 0,
        restarted_at=current.started_at if current.restarts else None,
        inner_addresses=tuple(sorted(address for link, address in current.addresses if link == "lan")),
    )


def _failure(wish: model.DesiredConnection, failures: base.Failures) -> str | None:
    """What stops the gateway stops each of its connections."""
    return failures.get(wish.id) or failures.get(None)


def _gateway_generation(
    desired: model.DesiredGateway | None,
    current: state.GatewayState,
    supported: frozenset[str],
    failures: base.Failures,
) -> int | None:
    if desired is None or failures.get(None):
        return None
    base = gateway_network.desired_network(desired, supported, current.plane)
    stands = not base.addresses - current.addresses and current.filter_table == firewall.summary(base.filter_table)
    return desired.generation if planning.is_usable(current) and stands else None


def _present(current: state.GatewayState) -> frozenset[str]:
    held = {*current.conns, *(names.owner(secret) for secret in current.secrets), *(sa.name for sa in current.sas)}
    laid = {tunnel.connection_id for tunnel in current.tunnels.values()}
    return frozenset((held | laid) - {state.UNNAMED, ""})


def _refusal(wish: model.DesiredConnection, reason: str) -> model.ConnectionObservation:
    return model.ConnectionObservation(connection_id=wish.id, applied_generation=wish.generation, refused=reason)


def _connection(
    wish: model.DesiredConnection,
    config: messages.DesiredConfig,
    current: state.GatewayState,
    sas: list[state.IkeSa],
    failure: str | None,
    *,
    applied: bool,
    kept_tunnels: tunnels.Tunnel | None,
    first: dict[tuple[str, str], int],
    meant: Iterable[selectors.Pair],
) -> model.ConnectionObservation:
    established = [sa for sa in sas if sa.live and not sa.negotiating]
    shown = next(reversed(established or sas), None)
    return model.ConnectionObservation(
        connection_id=wish.id,
        applied_generation=wish.generation if applied and not failure else None,
        failure=failure,
        ike_established=bool(established),
        ike_proposal=shown.proposal if shown else None,
        local_id=shown.local_id if shown else None,
        peer_id=shown.peer_id if shown else None,
        peer_address=shown.peer_address if shown else None,
        waits_for_peer=not config.initiates,
        expected_children=len(config.initiated),
        children=_children(config.children, established),
        missing_pairs=_missing(meant, established),
        routes=_routes(_children(config.children, established), kept_tunnels, first),
        evidence=current.evidence.get(wish.id, ()),
    )


def _missing(meant: Iterable[selectors.Pair], established: list[state.IkeSa]) -> tuple[str, ...]:
    """None while nothing is up: then the whole tunnel is what is missing."""
    up = [(child.local_ts, child.remote_ts) for sa in established for child in sa.children if child.installed]
    found = selectors.missing(meant, up) if up else ()
    return tuple(f"{pair.local} - {pair.remote}" for pair in found)


def _routes(
    children: tuple[model.ChildSa, ...], kept_tunnels: tunnels.Tunnel | None, first: dict[tuple[str, str], int]
) -> tuple[str, ...]:
    """Where packets go into the connection's tunnel: the routes in the kernel that lead, or the selectors of its SAs."""
    led = tunnels.led(kept_tunnels, first) if kept_tunnels else {net for child in children for net in child.remote_ts}
    return tuple(sorted(led))


def _applied(
    config: messages.DesiredConfig,
    tunnel: tunnels.Tunnel | None,
    current: state.GatewayState,
    sas: list[state.IkeSa],
    secrets: list[str],
) -> bool:
    """Laid and loaded whole, and nothing of an older configuration is left. What only follows the tunnel's state, its MTU and
    the metrics of its routes, may lag behind.
    """
    if tunnel and not tunnels.leads(current.tunnels.get(tunnels.name(tunnel.if_id)), tunnel):
        return False
    stale = any(child.live and child.name not in config.children for sa in sas if sa.live for child in sa.children)
    loaded = current.conns.get(config.connection_id) == frozenset(config.children)
    return planning.is_usable(current) and loaded and secrets == [config.secret_id] and not stale


def _children(names: Iterable[str], sas: list[state.IkeSa]) -> tuple[model.ChildSa, ...]:
    """The youngest installed SA of each wanted child: during a rekey there are two."""
    youngest: dict[str, state.Child] = {}
    for child in (child for sa in sas for child in sa.children if child.installed):
        known = youngest.get(child.name)
        if known is None or int(child.unique_id) > int(known.unique_id):
            youngest[child.name] = child
    return tuple(_child(youngest[name]) for name in names if name in youngest)


def _child(child: state.Child) -> model.ChildSa:
    return model.ChildSa(
        rule=child.name.split(".")[1],
        local_ts=child.local_ts,
        remote_ts=child.remote_ts,
        spi_in=child.spi_in,
        spi_out=child.spi_out,
        proposal=child.proposal,
        bytes_in=child.bytes_in,
        bytes_out=child.bytes_out,
        packets_in=child.packets_in,
        packets_out=child.packets_out,
        installed_seconds=child.installed_seconds,
    )
