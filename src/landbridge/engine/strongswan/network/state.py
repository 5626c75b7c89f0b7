"""What a gateway's network looks like on this machine. Pure: it holds what was read and judges nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from landbridge.engine.strongswan.network.nftables import Refused
from landbridge.engine.strongswan.network.tunnels import SharedRoute, Tunnel


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkState:
    """`uplink` and `vpc_link` are what the links are attached to (`routed`, `macvlan eth0`, `bridge br0`), `?` when a link cannot be
    used. `next_hop` is the uplink's. `uplink_peer`: whether the underlay has the other end of an uplink, also of a lost one.
    `addresses` are (link, address/prefix); an address on `wan` counts when its rule and the underlay's route exist too. `rules` are
    as in `GatewayNetwork`. `filter_table` and `nat_table` are summaries of the nftables in the namespace and on the machine.
    `refused` and `seen`: what the filter table remembers of packets from tunnels. `tunnels`: interface -> tunnel. `hashes_ports`: whether the
    kernel tells the flows of shared routes by their ports, too. `learned_mtus`: peer -> path MTU in bytes.
    `learned_routes`: (interface, network) in the table of learned routes; `learned_sources`: (interface, network) that the filter table lets
    in because a device announced it.
    """

    namespace: bool = False
    uplink: str | None = None
    uplink_ready: bool = False
    next_hop: str | None = None
    uplink_mtu: int = 1500
    uplink_peer: bool = False
    vpc_link: str | None = None
    addresses: frozenset[tuple[str, str]] = frozenset()
    rules: frozenset[tuple[int, str, int]] = frozenset()
    filter_table: str | None = None
    nat_table: str | None = None
    refused: tuple[Refused, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    tunnels: Mapping[str, Tunnel] = field(default_factory=dict)
    shared_routes: frozenset[SharedRoute] = frozenset()
    hashes_ports: bool = False
    learned_mtus: Mapping[str, int] = field(default_factory=dict)
    learned_routes: frozenset[tuple[str, str]] = frozenset()
    learned_sources: frozenset[tuple[str, str]] = frozenset()

    def path_mtu(self, peer: str | None) -> int:
        """Bytes; the uplink's own while no router on the way has said less."""
        return min(self.uplink_mtu, self.learned_mtus.get(peer or "", self.uplink_mtu))
