"""What a gateway must have on this machine, for the plan and for the report. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from landbridge import model
from landbridge.engine.strongswan import state, subnets
from landbridge.engine.strongswan.bgp import configuration
from landbridge.engine.strongswan.echo import desired as desired_echo
from landbridge.engine.strongswan.echo import state as echo_state
from landbridge.engine.strongswan.ike import fingerprints, messages, selectors, unsupported
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import firewall, gateway_network, tunnels

#: How long after its session was established a device may still announce what it announced before.
ANNOUNCED = timedelta(seconds=10)


@dataclass(frozen=True)
class Target:
    """What a gateway must have on this machine."""

    desired: model.DesiredGateway
    plane: model.Plane
    #: Connection id -> why this engine does not carry the connection.
    refused: dict[str, str]
    #: What charon must hold for the other connections.
    configs: tuple[messages.DesiredConfig, ...]
    #: None for a gateway that the site file no longer covers: nobody knows what its network must be.
    network: gateway_network.GatewayNetwork | None
    #: Whether tunnels of IKEv2 are rekeyed early.
    prove_pfs: bool = False
    #: What BIRD must run; None when the gateway needs no BIRD.
    bgp: configuration.BgpConfiguration | None = None

    @cached_property
    def supported(self) -> frozenset[str]:
        """Ids of the connections that are not refused."""
        return frozenset(config.connection_id for config in self.configs)

    @cached_property
    def psks(self) -> dict[str, model.Secret]:
        """The PSKs by connection id. Of the fields of a target, only `desired` holds PSKs."""
        return {spec.id: spec.psk for spec in self.desired.connections if spec.psk is not None}


def without_psks(desired: model.DesiredGateway) -> model.DesiredGateway:
    """The desired gateway with a fingerprint in place of each PSK. The engine keeps it, and compares it with the next one."""
    key = desired.fingerprint_key
    specs = (
        replace(spec, psk=model.Secret(fingerprints.fingerprint(key, spec.psk.reveal()))) if spec.psk else spec
        for spec in desired.connections
    )
    return replace(desired, connections=tuple(specs))


def prepare(
    desired: model.DesiredGateway,
    plane: model.Plane,
    *,
    prove_pfs: bool = False,
    has_bird: bool = True,
    learned_prefixes: int = model.bgp.ROUTE_LIMIT,
) -> Target:
    if desired.uncovered:
        return Target(desired, plane, {}, (), None)
    pairs_of = selectors.pairs_of(desired, plane)
    refused = unsupported.refusals(desired, plane, pairs_of, bgp=has_bird)
    configs = messages.desired_configs(desired, refused, pairs_of)
    supported = frozenset(config.connection_id for config in configs)
    addresses = selectors.needed_addresses(desired.network, supported, plane, pairs_of)
    network = gateway_network.desired_network(desired, supported, plane, addresses)
    bgp = configuration.desired_configuration(desired, supported, plane, limit=learned_prefixes)
    return Target(desired, plane, refused, configs, network, prove_pfs, bgp)


def desired_tunnels(target: Target, current: state.GatewayState) -> dict[str, tunnels.Tunnel]:
    """Connection id -> its tunnel. Nothing on the userland data plane, which has one TUN for all connections."""
    if target.plane != "kernel":
        return {}
    sas = ike_state.by_connection(current.ike.sas)
    paths = {spec.id: _path(target.desired, spec, sas[spec.id], current) for spec in target.desired.connections}
    return tunnels.desired_tunnels(target.desired, target.supported, paths)


def learned_sources(target: Target, current: state.GatewayState) -> frozenset[tuple[str, str]]:
    """(interface, network) that may come out of a tunnel because its device announced it. After the death of BIRD the kernel still has the
    routes of before. What the device of a closed session announced before stays: BIRD moves traffic into the tunnel at once when the session is back,
    and an observation comes up to two seconds later.
    """
    if target.network is None or target.bgp is None:
        return frozenset()
    links = target.network.learning
    names = {tunnels.name(session.if_id): session.name for session in target.bgp.sessions}
    announced = {(link, prefix) for link, name in names.items() for prefix in current.bgp.prefixes(name)}
    kept = {
        source for source in current.network.learned_sources if not _has_announced(current, names.get(source[0], ""))
    }
    sources = announced | kept | current.network.learned_routes
    return firewall.joined_sources(source for source in sources if source[0] in links)


def _has_announced(current: state.GatewayState, name: str) -> bool:
    """Whether the session stands for so long that its device has announced all that it announces."""
    session = current.bgp.sessions.get(name)
    if session is None or session.state != "established":
        return False
    return session.since is None or current.at - session.since >= ANNOUNCED


def desired_shared_routes(target: Target, desired: Mapping[str, tunnels.Tunnel]) -> frozenset[tunnels.SharedRoute]:
    """`desired`: connection id -> its desired tunnel. On an active-standby gateway one tunnel carries, and so it does to devices of
    policy-templates: they have policies in place of routes, and drop what comes out of another tunnel than their policy's.
    """
    if target.desired.gateway.ha_mode != "active-active":
        return frozenset()
    by_template = {config.connection_id for config in target.configs if config.by_template}
    return tunnels.shared_routes(tunnel for spec_id, tunnel in desired.items() if spec_id not in by_template)


def desired_echoes(target: Target, current: state.GatewayState) -> tuple[echo_state.Echoes, ...]:
    """The echoes that the gateway's connections need now. A tunnel is probed while an SA carries its two inner addresses."""
    if target.network is None or not current.serves:
        return ()
    sas = ike_state.by_connection(current.ike.sas)
    known = {
        spec.id: desired_echo.Path(
            peer=_peer_address(spec, sas[spec.id]),
            carries_inner=_carries_inner(spec, sas[spec.id]),
            tunnel=tunnels.interface(spec.if_id, target.plane),
        )
        for spec in target.desired.connections
        if spec.id in target.supported and desired_echo.has_echoes(spec.connection)
    }
    return tuple(desired_echo.echoes(target.desired, known))


def _carries_inner(spec: model.DesiredConnection, sas: list[ike_state.IkeSa]) -> bool:
    pair = selectors.inner_pair(spec.connection)
    children = [(child.local_ts, child.remote_ts) for child in _installed(sas)]
    return pair is not None and bool(children) and not any(selectors.missing([pair], children))


def _installed(sas: list[ike_state.IkeSa]) -> list[ike_state.Child]:
    return [child for sa in sas for child in sa.children if child.installed and not fingerprints.is_probe(child.name)]


def _peer_address(spec: model.DesiredConnection, sas: list[ike_state.IkeSa]) -> str | None:
    """The present address of the device; None until a device without a fixed address has dialled in."""
    return spec.peer_address or next((sa.peer_address for sa in sas if sa.peer_address), None)


def _path(
    desired: model.DesiredGateway,
    spec: model.DesiredConnection,
    sas: list[ike_state.IkeSa],
    current: state.GatewayState,
) -> tunnels.Path:
    """Assumes NAT-T until an SA tells: the smaller MTU fits both."""
    children = _installed(sas)
    return tunnels.Path(
        up=bool(children) and not _is_dead(spec, current),
        encapsulated=any(child.encapsulated for child in children) or not children,
        mtu=current.network.path_mtu(_peer_address(spec, sas)),
        networks=_networks(desired, spec, children) if spec.connection.style == "policy-template" else frozenset(),
    )


def _networks(
    desired: model.DesiredGateway, spec: model.DesiredConnection, children: list[ike_state.Child]
) -> frozenset[str]:
    """The networks behind the device, from the selectors that it has negotiated and that are still in the connection's subnets. What lies in
    the gateway's own networks or in a reserved block is nobody else's, also where these subnets are wider.
    """
    around = [subnets.parse_net(text) for text in spec.connection.peer_subnets or ()]
    kept = [*subnets.local_subnets(desired), *map(subnets.parse_net, model.RESERVED_NETS)]
    own_address = subnets.vpc_address(desired.network)
    kept += [own_address.network] if own_address else []
    nets = {net for child in children for selector in child.remote_ts for net in selectors.nets(selector)}
    return frozenset(
        str(net)
        for net in nets
        if any(net.subnet_of(outer) for outer in around) and not any(net.subnet_of(outer) for outer in kept)
    )


def _is_dead(spec: model.DesiredConnection, current: state.GatewayState) -> bool:
    """Whether the echoes of a connection with NQA say so. While they say nothing, its routes stay as they are: what a Landbridge before this one
    found out, and a tunnel that has just come up leads when it has been answered once.
    """
    if not desired_echo.has_nqa(spec.connection):
        return False
    reachability = current.echo.nqa.get(spec.id)
    if reachability is not None and reachability.state != "unknown":
        return reachability.state == "down"
    tunnel = current.network.tunnels.get(tunnels.name(spec.if_id))
    return tunnel is not None and tunnels.is_ranked_down(tunnel)
