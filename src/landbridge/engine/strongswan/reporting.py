"""What is true of a gateway, in the words of the model.

Pure. It reports facts: what is loaded, what is up, what was said. What that means for a user is not decided here.
"""

from collections.abc import Iterable

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import firewall, ground, mapping, names, planning, refusing, seen, selectors, tunnels


def report(
    gateway_id: str,
    desired: model.DesiredGateway | None,
    now: seen.Seen,
    failures: base.Failures,
    carried: refusing.Carried | None = None,
) -> model.Observation:
    """`carried`: where that is known already."""
    if desired is not None and desired.uncovered:
        return _left_alone(desired, now)
    carried = carried or (refusing.carried(desired, now.plane) if desired else refusing.Carried({}, ()))
    refused, wanted = carried.refused, {each.connection_id: each for each in carried.wanted}
    laid = tunnels.wanted(desired, carried.ids, now) if desired else {}
    sas, held = seen.by_connection(now.sas), planning.by_owner(now.secrets)
    first = tunnels.first(now.tunnels.values())
    return model.Observation(
        gateway_id=gateway_id,
        seen_at=now.at,
        exists=now.folder,
        applied_generation=_gateway_generation(desired, now, carried.ids, failures),
        failure=failures.get(None),
        gateway=_gateway_report(now),
        present=_present(now),
        connections=tuple(
            _refusal(wish, refused[wish.id])
            if wish.id in refused
            else _connection(
                wish,
                wanted[wish.id],
                now,
                sas[wish.id],
                _failure(wish, failures),
                applied=_applied(wanted[wish.id], laid.get(wish.id), now, sas[wish.id], held[wish.id]),
                standing=now.tunnels.get(tunnels.name(wish.if_id)),
                first=first,
                meant=selectors.meant(desired, wish) if desired else (),
            )
            for wish in (desired.connections if desired else ())
        ),
    )


def _left_alone(desired: model.DesiredGateway, now: seen.Seen) -> model.Observation:
    """Of a gateway that the site file no longer covers. Nobody can say what its connections ought to be: they are as they are."""
    sas = seen.by_connection(now.sas)
    words = f"the site file no longer has {' and '.join(desired.uncovered)}: the VPN gateway is left as it is"
    return model.Observation(
        gateway_id=desired.id,
        seen_at=now.at,
        exists=now.folder,
        applied_generation=None,
        failure=words,
        gateway=_gateway_report(now),
        present=_present(now),
        connections=tuple(_as_it_is(wish.id, sas[wish.id], now, words) for wish in desired.connections),
    )


def _as_it_is(connection_id: str, sas: list[seen.IkeSa], now: seen.Seen, failure: str) -> model.ConnectionObservation:
    established = [sa for sa in sas if sa.live and not sa.growing]
    children = _children(sorted({child.name for sa in established for child in sa.children}), established)
    return model.ConnectionObservation(
        connection_id=connection_id,
        failure=failure,
        ike_established=bool(established),
        expected_children=len(children),
        children=children,
        evidence=now.evidence.get(connection_id, ()),
    )


def _gateway_report(now: seen.Seen) -> model.GatewayReport:
    return model.GatewayReport(
        restarts=now.restarts if planning.usable(now) else 0,
        restarted_at=now.started_at if now.restarts else None,
        inner_addresses=tuple(sorted(address for link, address in now.addresses if link == "lan")),
    )


def _failure(wish: model.DesiredConnection, failures: base.Failures) -> str | None:
    """What stops the gateway stops each of its connections."""
    return failures.get(wish.id) or failures.get(None)


def _gateway_generation(
    desired: model.DesiredGateway | None, now: seen.Seen, carried: frozenset[str], failures: base.Failures
) -> int | None:
    if desired is None or failures.get(None):
        return None
    base = ground.wanted(desired, carried, now.plane)
    stands = not base.addresses - now.addresses and now.guard == firewall.summary(base.guard)
    return desired.generation if planning.usable(now) and stands else None


def _present(now: seen.Seen) -> frozenset[str]:
    held = {*now.conns, *(names.owner(secret) for secret in now.secrets), *(sa.name for sa in now.sas)}
    laid = {tunnel.connection_id for tunnel in now.tunnels.values()}
    return frozenset((held | laid) - {seen.UNNAMED, ""})


def _refusal(wish: model.DesiredConnection, reason: str) -> model.ConnectionObservation:
    return model.ConnectionObservation(connection_id=wish.id, applied_generation=wish.generation, refused=reason)


def _connection(
    wish: model.DesiredConnection,
    wanted: mapping.Wanted,
    now: seen.Seen,
    sas: list[seen.IkeSa],
    failure: str | None,
    *,
    applied: bool,
    standing: tunnels.Tunnel | None,
    first: dict[tuple[str, str], int],
    meant: Iterable[selectors.Pair],
) -> model.ConnectionObservation:
    established = [sa for sa in sas if sa.live and not sa.growing]
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
        waits_for_peer=not wanted.initiates,
        expected_children=len(wanted.asked),
        children=_children(wanted.children, established),
        missing_pairs=_missing(meant, established),
        routes=_routes(_children(wanted.children, established), standing, first),
        evidence=now.evidence.get(wish.id, ()),
    )


def _missing(meant: Iterable[selectors.Pair], established: list[seen.IkeSa]) -> tuple[str, ...]:
    """None while nothing is up: then the whole tunnel is what is missing."""
    up = [(child.local_ts, child.remote_ts) for sa in established for child in sa.children if child.installed]
    found = selectors.missing(meant, up) if up else ()
    return tuple(f"{pair.local} - {pair.remote}" for pair in found)


def _routes(
    children: tuple[model.ChildSa, ...], standing: tunnels.Tunnel | None, first: dict[tuple[str, str], int]
) -> tuple[str, ...]:
    """Where packets go into the connection's tunnel: the routes in the kernel that lead, or the selectors of its SAs."""
    led = tunnels.led(standing, first) if standing else {net for child in children for net in child.remote_ts}
    return tuple(sorted(led))


def _applied(
    wanted: mapping.Wanted,
    tunnel: tunnels.Tunnel | None,
    now: seen.Seen,
    sas: list[seen.IkeSa],
    secrets: list[str],
) -> bool:
    """Laid and loaded whole, and nothing of an older configuration is left. What only follows the tunnel's state, its MTU and
    the metrics of its routes, may lag behind.
    """
    if tunnel and not tunnels.leads(now.tunnels.get(tunnels.name(tunnel.if_id)), tunnel):
        return False
    stale = any(child.live and child.name not in wanted.children for sa in sas if sa.live for child in sa.children)
    loaded = now.conns.get(wanted.connection_id) == frozenset(wanted.children)
    return planning.usable(now) and loaded and secrets == [wanted.secret_id] and not stale


def _children(wanted: Iterable[str], sas: list[seen.IkeSa]) -> tuple[model.ChildSa, ...]:
    """The youngest installed SA of each wanted child: during a rekey there are two."""
    youngest: dict[str, seen.Child] = {}
    for child in (child for sa in sas for child in sa.children if child.installed):
        known = youngest.get(child.name)
        if known is None or int(child.unique_id) > int(known.unique_id):
            youngest[child.name] = child
    return tuple(_child(youngest[name]) for name in wanted if name in youngest)


def _child(child: seen.Child) -> model.ChildSa:
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
