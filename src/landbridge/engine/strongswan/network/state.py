"""The observed network of a gateway on this machine. Pure: it holds what was read and judges nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from landbridge.engine.strongswan.network.nftables import Refused
from landbridge.engine.strongswan.network.tunnels import SharedRoute, Tunnel


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkState:
    """A gateway's network as it was read."""

    namespace: bool = False
    #: A namespace that is not the gateway's has its name. Nobody looked into it, and `namespace` is False.
    foreign: bool = False
    #: What the uplink is attached to (`routed`, `macvlan eth0`); `?` when the link cannot be used.
    uplink: str | None = None
    uplink_ready: bool = False
    #: The router of the uplink.
    next_hop: str | None = None
    uplink_mtu: int = 1500
    #: Whether the underlay has the other end of this gateway's uplink, even of one that is lost.
    uplink_peer: bool = False
    #: What the VPC link is attached to (`bridge br0`, `interface eth1`); `?` when the link cannot be used.
    vpc_link: str | None = None
    #: (link, address/prefix). An address on `wan` is listed only when its rule and the underlay's route exist too.
    addresses: frozenset[tuple[str, str]] = frozenset()
    #: As in `GatewayNetwork`.
    rules: frozenset[tuple[int, str, int]] = frozenset()
    #: The summary of the nftables in the namespace.
    filter_table: str | None = None
    #: The summary of the nftables on the machine.
    nat_table: str | None = None
    #: ICMP errors from tunnels that the filter table remembers.
    refused: tuple[Refused, ...] = ()
    #: (link, source) of packets from tunnels: the sample of the filter table.
    seen: tuple[tuple[str, str], ...] = ()
    #: Interface -> tunnel.
    tunnels: Mapping[str, Tunnel] = field(default_factory=dict)
    shared_routes: frozenset[SharedRoute] = frozenset()
    #: Whether the kernel also uses ports to tell the flows of shared routes apart.
    hashes_ports: bool = False
    #: Peer -> path MTU in bytes.
    learned_mtus: Mapping[str, int] = field(default_factory=dict)
    #: (interface, network) in the routing table of learned routes.
    learned_routes: frozenset[tuple[str, str]] = frozenset()
    #: (interface, network) that the filter table accepts because a device announced it.
    learned_sources: frozenset[tuple[str, str]] = frozenset()

    def path_mtu(self, peer: str | None) -> int:
        """Bytes; the uplink's own while no router on the way has said less."""
        return min(self.uplink_mtu, self.learned_mtus.get(peer or "", self.uplink_mtu))
