"""Plans checks of the paths through tunnels that are up, from the orders and from the traffic. Pure.

An automatic check follows traffic: packets passed in both directions in the last minute, and a host behind the tunnel sent one of them. So a
check is never the only traffic of a tunnel, and sends nothing to addresses that nobody uses. An order also asks the tunnel address of the
device, which may not exist (docs/decisions/0048).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from landbridge import model
from landbridge.engine.strongswan import state, steps, subnets
from landbridge.engine.strongswan.ike import fingerprints
from landbridge.engine.strongswan.ike import planning as ike_planning
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import tunnels
from landbridge.engine.strongswan.target import Target

#: Tunnels of one check, and addresses that are asked in one tunnel.
AT_ONCE, ASKED = 32, 8
#: A tunnel is checked when it has been up for so long, and when it had traffic within the last minute.
SETTLED, BUSY = timedelta(seconds=10), 60

DOWN = "no CHILD_SA of the connection is up"
NOBODY = (
    "no address behind the tunnel is known: no tunnel_peer_address, and no packet came from a host in the last minutes"
)


def plan(target: Target, current: state.GatewayState) -> Iterator[steps.CheckPaths]:
    """One check of a gateway at a time; orders first."""
    if not current.serves or target.network is None or current.paths.checking:
        return
    sas, secrets = ike_state.by_connection(current.ike.sas), ike_planning.by_owner(current.ike.secrets)
    checks = [
        check
        for spec in sorted(target.desired.connections, key=lambda spec: spec.probe is None or not spec.probe.path)
        if spec.id in target.supported and (check := _check(target, spec, sas[spec.id], secrets[spec.id], current))
    ]
    if checks:
        yield steps.CheckPaths(checks=tuple(checks[:AT_ONCE]))


def done(target: Target, current: state.GatewayState) -> tuple[model.ProbeResult, ...]:
    """The results that the store does not have yet. A check that finds what the last one has found is no news."""
    sas = ike_state.by_connection(current.ike.sas)
    return tuple(
        result
        for spec in target.desired.connections
        if (result := current.paths.results.get(spec.id)) is not None
        and _is_news(spec.path_checked, result, up_at(sas[spec.id], current.at))
    )


def _is_news(last: model.LastProbe | None, result: model.ProbeResult, since: datetime | None) -> bool:
    if last is not None and last.id == result.id:
        return False
    if result.reason == "order":
        return True
    if result.path is None or result.path.outcome == "unanswered":
        return False
    if last is None or since is None or last.at < since:
        return True
    return (last.finding, last.configuration) != (result.path.finding, result.configuration)


def up_at(sas: Sequence[ike_state.IkeSa], now: datetime) -> datetime | None:
    """When the youngest IKE_SA came up; None without one."""
    ages = [sa.established_seconds for sa in sas if sa.live and not sa.negotiating]
    return now - timedelta(seconds=min(ages)) if ages else None


def _check(
    target: Target,
    spec: model.DesiredConnection,
    sas: Sequence[ike_state.IkeSa],
    secrets: Sequence[str],
    current: state.GatewayState,
) -> steps.PathCheck | None:
    children = [
        child
        for sa in sas
        if sa.live
        for child in sa.children
        if child.installed and not fingerprints.is_probe(child.name)
    ]
    result = current.paths.results.get(spec.id)
    order = spec.probe if spec.probe and spec.probe.path and (result is None or result.id != spec.probe.id) else None
    if order is None and not _is_due(spec, sas, children, current):
        return None
    targets = tuple(_targets(target, spec, children, current, asks_device=order is not None))
    if order is None and not targets:
        return None
    return steps.PathCheck(
        connection_id=spec.id,
        configuration=ike_state.configuration(current.ike.conns.get(spec.id, ()), secrets),
        local_address=spec.local_address,
        peer_address=spec.peer_address or "",
        device=tunnels.interface(spec.if_id, target.plane),
        targets=targets,
        probe_id=order.id if order else None,
        failure=None if targets else NOBODY if children else DOWN,
    )


def _is_due(
    spec: model.DesiredConnection,
    sas: Sequence[ike_state.IkeSa],
    children: Sequence[ike_state.Child],
    current: state.GatewayState,
) -> bool:
    since, interval = up_at(sas, current.at), current.paths.interval
    if interval is None or since is None or current.at - since < SETTLED:
        return False
    known = spec.path_checked, current.paths.results.get(spec.id)
    last = max((result.at for result in known if result is not None), default=None)
    is_old = last is None or last < since or current.at - last >= interval
    return is_old and any(_is_busy(child) for child in children)


def _is_busy(child: ike_state.Child) -> bool:
    silent, unused = child.silent_seconds, child.unused_seconds
    return silent is not None and unused is not None and max(silent, unused) <= BUSY


def _targets(
    target: Target,
    spec: model.DesiredConnection,
    children: Sequence[ike_state.Child],
    current: state.GatewayState,
    *,
    asks_device: bool,
) -> Iterator[tuple[str, str]]:
    """(our address, an address behind the tunnel) of packets that some CHILD_SA carries. Of many hosts, others are asked each minute."""
    link = tunnels.interface(spec.if_id, target.plane)
    hosts = sorted(address for on, address in current.network.seen if on == link)
    inner = _host(spec.connection.tunnel_peer_address)
    turn = int(current.at.timestamp() // 60) % len(hosts) if hosts else 0
    destinations = [host for host in hosts[turn:] + hosts[:turn] if host != inner]
    if inner and (asks_device or inner in hosts):
        destinations.insert(0, inner)
    own = _own_addresses(target, spec, current)
    for address in destinations[:ASKED]:
        sources = own if address == inner else sorted(own, key=lambda address_of_ours: address_of_ours == own[0])
        source = next(
            (candidate for candidate in sources if any(_carries(child, candidate, address) for child in children)), None
        )
        if source:
            yield source, address


def _own_addresses(target: Target, spec: model.DesiredConnection, current: state.GatewayState) -> list[str]:
    """Addresses of the gateway that may be in a tunnel: its tunnel address, then the one in its VPC, then those that selectors need."""
    tunnel = current.network.tunnels.get(tunnels.name(spec.if_id))
    inner = _host(spec.connection.tunnel_local_address)
    link_of = {_host(address): link for link, address in current.network.addresses if link in ("lan", "lo")}
    if tunnel is not None:
        link_of[_host(tunnel.address)] = tunnel.connection_id
    vpc = subnets.vpc_address(target.desired.network)
    local = subnets.local_subnets(target.desired)
    in_vpc = str(vpc.ip) if vpc and any(vpc.ip in net for net in local) else None
    rest = sorted(address for address, link in link_of.items() if address and link == "lo")
    return list(dict.fromkeys(host for host in (inner, in_vpc, *rest) if host in link_of))  # type: ignore[misc]


def _host(address: str | None) -> str | None:
    return address.split("/", maxsplit=1)[0] if address else None


def _carries(child: ike_state.Child, source: str, destination: str) -> bool:
    return _within(source, child.local_ts) and _within(destination, child.remote_ts)


def _within(address: str, selectors: Sequence[str]) -> bool:
    """A selector with a port or a range of addresses is no net, and carries no echo for sure."""
    for selector in selectors:
        try:
            if subnets.parse_host(address).subnet_of(subnets.parse_net(selector)):
                return True
        except ValueError:
            continue
    return False
