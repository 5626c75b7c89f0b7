"""What a gateway must have on this machine: prepared once a cycle, for the plan and for the report. Pure."""

from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan import state, subnets
from landbridge.engine.strongswan.ike import fingerprints, messages, selectors, unsupported
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import gateway_network, tunnels


@dataclass(frozen=True, slots=True)
class Target:
    """`refused`: connection id -> why this engine does not carry the connection. `configs`: what charon must hold for the others.
    `network` is None for a gateway that the site file no longer covers: nobody can say what its network must be.
    `prove_pfs`: its tunnels of IKEv2 are rekeyed early.
    """

    desired: model.DesiredGateway
    plane: model.Plane
    refused: dict[str, str]
    configs: tuple[messages.DesiredConfig, ...]
    network: gateway_network.GatewayNetwork | None
    prove_pfs: bool = False

    @property
    def supported(self) -> frozenset[str]:
        """Ids of the connections that are not refused."""
        return frozenset(config.connection_id for config in self.configs)


def prepare(desired: model.DesiredGateway, plane: model.Plane, *, prove_pfs: bool = False) -> Target:
    if desired.uncovered:
        return Target(desired, plane, {}, (), None)
    refused = unsupported.refusals(desired, plane)
    configs = messages.desired_configs(desired, refused, plane)
    supported = frozenset(config.connection_id for config in configs)
    addresses = selectors.needed_addresses(desired, supported, plane)
    network = gateway_network.desired_network(desired, supported, plane, addresses)
    return Target(desired, plane, refused, configs, network, prove_pfs)


def desired_tunnels(target: Target, current: state.GatewayState) -> dict[str, tunnels.Tunnel]:
    """Connection id -> its tunnel. Nothing on the userland data plane, which has one TUN for all connections."""
    if target.plane != "kernel":
        return {}
    sas = ike_state.by_connection(current.ike.sas)
    paths = {spec.id: _path(target.desired, spec, sas[spec.id], current) for spec in target.desired.connections}
    return tunnels.desired_tunnels(target.desired, target.supported, paths)


def _path(
    desired: model.DesiredGateway,
    spec: model.DesiredConnection,
    sas: list[ike_state.IkeSa],
    current: state.GatewayState,
) -> tunnels.Path:
    """Assumes NAT-T until an SA tells: the smaller MTU fits both."""
    children = [
        child for sa in sas for child in sa.children if child.installed and not fingerprints.is_probe(child.name)
    ]
    peer = spec.peer_address or next((sa.peer_address for sa in sas if sa.peer_address), None)
    return tunnels.Path(
        up=bool(children),
        encapsulated=any(child.encapsulated for child in children) or not children,
        mtu=current.network.path_mtu(peer),
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
    found = {net for child in children for selector in child.remote_ts for net in selectors.nets(selector)}
    return frozenset(
        str(net)
        for net in found
        if any(net.subnet_of(one) for one in around) and not any(net.subnet_of(one) for one in kept)
    )
