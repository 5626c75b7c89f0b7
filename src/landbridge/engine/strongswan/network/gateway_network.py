"""The network that a gateway must have: its two links, their addresses, routing rules and firewall tables. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan import names, subnets
from landbridge.engine.strongswan.network import firewall, links, tunnels

#: The underlay's end of every veth to it; the API gives this block to no tunnel.
ROUTER = "169.254.195.1"
#: The inner addresses of all tunnels are here.
TUNNEL_ADDRESSES = "169.254.0.0/16"


@dataclass(frozen=True, slots=True)
class GatewayNetwork:
    """The network that a gateway must have."""

    #: `routed` (a veth to the underlay) or `macvlan LINK`.
    uplink: str
    #: The router of the uplink.
    next_hop: str
    #: `bridge NAME`, `interface NAME` or None.
    vpc_link: str | None
    #: (link, address/prefix).
    addresses: frozenset[tuple[str, str]]
    #: (priority, network, routing table for packets to the network). They keep packets for the gateway's own networks
    #: out of the tunnels.
    rules: frozenset[tuple[int, str, int]]
    #: nftables text from `firewall`, as is `nat_table`.
    filter_table: str
    nat_table: str | None
    #: Interfaces behind which networks are learned.
    learning: tuple[str, ...] = ()


def desired_network(
    desired: model.DesiredGateway,
    supported: Collection[str],
    plane: model.Plane,
    selector_addresses: Collection[str] = (),
) -> GatewayNetwork:
    """`supported`: ids of the connections that the engine does not refuse. `selector_addresses`: what their selectors need."""
    eips = {eip.address: eip for eip in desired.eips}
    plugged = next((eip for eip in desired.eips if eip.uplink != "routed"), None)
    behind = {eip.address: eip.behind for eip in desired.eips if eip.behind}
    outer = {_outer(endpoint.address, eips) for endpoint in desired.gateway.endpoints}
    inner = _inner(desired.network) | {("lo", f"{address}/32") for address in selector_addresses}
    sessions = [spec for spec in desired.connections if spec.id in supported and spec.connection.style == "bgp"]
    return GatewayNetwork(
        uplink=plugged.uplink if plugged else "routed",
        next_hop=(plugged.gateway if plugged else None) or ROUTER,
        vpc_link=_vpc_link(desired.network),
        addresses=frozenset({("wan", f"{address}/32") for address in outer} | inner),
        rules=frozenset(_rules(desired, supported, plane)),
        filter_table=firewall.filter_table(_filter_table(desired, supported, plane, inner)),
        nat_table=firewall.nat_table(names.short(desired.id), behind),
        learning=_learning(sessions, plane),
    )


def _learning(sessions: list[model.DesiredConnection], plane: model.Plane) -> tuple[str, ...]:
    """On the userland data plane the selectors say what comes out of a tunnel, whatever a device announces."""
    return tuple(sorted(tunnels.name(spec.if_id) for spec in sessions)) if plane == "kernel" else ()


def _outer(address: str, eips: dict[str, model.Eip]) -> str:
    """The address that the uplink has, as a /32 on a macvlan too: a route to its subnet would let forwarded packets out."""
    eip = eips.get(address)
    return eip.behind if eip and eip.behind else address


def _inner(network: model.Network) -> set[tuple[str, str]]:
    own_address = subnets.vpc_address(network)
    return {("lan", str(own_address))} if own_address else set()


def _vpc_link(network: model.Network) -> str | None:
    if network.bridge:
        return f"bridge {network.bridge}"
    return f"interface {network.interface}" if network.interface else None


def _rules(
    desired: model.DesiredGateway, supported: Collection[str], plane: model.Plane
) -> Iterator[tuple[int, str, int]]:
    """A tunnel whose peer subnets are wider than the gateway's own network must not take what is for the gateway's neighbours. A
    narrower peer subnet inside that network still goes into its tunnel.

    In the kernel `main` has all routes, and only the rules of policy connections come before it. charon's table, where the kernel
    plane has none but unreachable ones, would hide the inner addresses too. In userland charon's table has the tunnels' routes.
    """
    own_address = subnets.vpc_address(desired.network)
    if any(spec.connection.style == "bgp" for spec in desired.connections if spec.id in supported):
        yield links.RULE_LEARNED, "0.0.0.0/0", names.LEARNED_TABLE
    if plane == "kernel":
        yield links.RULE_OWN_NETWORK, TUNNEL_ADDRESSES, links.MAIN_TABLE
        if own_address:
            yield tunnels.before_rules_to(own_address.network), str(own_address.network), links.MAIN_TABLE
    elif own_address:
        yield links.RULE_OWN_NETWORK, str(own_address.network), links.MAIN_TABLE
        for spec in desired.connections:
            nets = map(subnets.parse_net, tunnels.destinations(spec.connection)) if spec.id in supported else ()
            for net in nets:
                if net != own_address.network and net.subnet_of(own_address.network):
                    yield links.RULE_WITHIN_OWN_NETWORK, str(net), links.CHARON_TABLE


def _filter_table(
    desired: model.DesiredGateway, supported: Collection[str], plane: model.Plane, inner: set[tuple[str, str]]
) -> firewall.FilterTable:
    specs = [spec for spec in desired.connections if spec.id in supported]
    ours = [spec.connection.tunnel_local_address for spec in specs]
    hosts = [address for _, address in inner] + [address for address in ours if address and plane == "kernel"]
    own_address, local = subnets.vpc_address(desired.network), _local_nets(desired, specs)
    return firewall.FilterTable(
        inner=frozenset(str(subnets.parse_host(address).network_address) for address in hosts),
        local=local,
        near=local | ({str(own_address.network)} if own_address else set()),
        peers=_peer_nets(specs, plane),
        known=frozenset(spec.peer_address for spec in specs if spec.peer_address),
        strangers=frozenset(filter(None, map(_mode_of_strangers, specs))),
        devices=frozenset(_devices(specs, plane)),
        bfd=firewall.BFD if plane == "kernel" else firewall.BFD_OVER_A_HOP,
        learning=_learning([spec for spec in specs if spec.connection.style == "bgp"], plane),
    )


def _devices(specs: list[model.DesiredConnection], plane: model.Plane) -> Iterator[tuple[str, str]]:
    """(interface, inner address) of the devices that speak BGP."""
    for spec in specs:
        inner = spec.connection.tunnel_peer_address
        if spec.connection.style == "bgp" and inner:
            yield tunnels.interface(spec.if_id, plane), str(subnets.parse_host(inner).network_address)


def _mode_of_strangers(spec: model.DesiredConnection) -> str | None:
    """The IKEv1 mode that the connection accepts from any address; None for a known address and for IKEv2."""
    policy = spec.connection.ike_policy
    return (policy.negotiation_mode or "main") if spec.peer_address is None and policy.version == "v1" else None


def _local_nets(desired: model.DesiredGateway, specs: list[model.DesiredConnection]) -> frozenset[str]:
    """The networks that may send through the gateway's tunnels: its local subnets, and the sources of its policies."""
    sources = {str(subnets.parse_net(rule.source)) for spec in specs for rule in spec.connection.policy_rules}
    return frozenset({str(net) for net in subnets.local_subnets(desired)} | sources)


def _peer_nets(specs: list[model.DesiredConnection], plane: model.Plane) -> dict[str, list[str]]:
    """Interface -> the networks behind its tunnel, the inner address of the device included."""
    addresses: dict[str, list[str]] = {}
    for spec in specs:
        link, inner = tunnels.interface(spec.if_id, plane), spec.connection.tunnel_peer_address
        learns = plane == "kernel" and spec.connection.style == "bgp"
        declared = () if learns else tunnels.destinations(spec.connection)
        addresses.setdefault(link, []).extend([*declared, *([str(subnets.parse_host(inner))] if inner else [])])
    return addresses
