"""Steps that change a gateway's network. A step is one change, with all values that the change needs.

Pure data. Every step is idempotent, also after it was carried out in part.
"""

from dataclasses import dataclass

from landbridge.engine import base
from landbridge.engine.strongswan.network import tunnels


@dataclass(frozen=True, slots=True)
class AddNamespace(base.GatewayStep):
    def __str__(self) -> str:
        return "create the network namespace"


@dataclass(frozen=True, slots=True)
class AttachNamespace(base.GatewayStep):
    """Somebody deleted the name of the namespace. `pid`: of the gateway's charon, which runs in it."""

    pid: int

    def __str__(self) -> str:
        return f"give the network namespace of process {self.pid} its name again"


@dataclass(frozen=True, slots=True)
class EnsureUplink(base.GatewayStep):
    """`kind` is `routed` or `macvlan LINK`; `next_hop` its router."""

    kind: str
    next_hop: str

    def __str__(self) -> str:
        return f"create the uplink, {self.kind}"


@dataclass(frozen=True, slots=True)
class EnsureVpcLink(base.GatewayStep):
    """`kind` is `bridge NAME` or `interface NAME`."""

    kind: str

    def __str__(self) -> str:
        return f"create the VPC link on {self.kind}"


@dataclass(frozen=True, slots=True)
class DeleteUplink(base.GatewayStep):
    def __str__(self) -> str:
        return "delete the uplink"


@dataclass(frozen=True, slots=True)
class DeleteVpcLink(base.GatewayStep):
    def __str__(self) -> str:
        return "delete the VPC link"


@dataclass(frozen=True, slots=True)
class MoveUplink(base.GatewayStep):
    """Moves the uplink, with its addresses, to the parent `kind` (as of EnsureUplink). The new parent is checked before anything is
    deleted.
    """

    kind: str
    next_hop: str
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"move the uplink to {self.kind}"


@dataclass(frozen=True, slots=True)
class MoveVpcLink(base.GatewayStep):
    """As MoveUplink, `kind` as of EnsureVpcLink. When it fails the steps after it go on: tunnels need the uplink alone."""

    kind: str
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"move the VPC link to {self.kind}"


@dataclass(frozen=True, slots=True)
class AddAddresses(base.GatewayStep):
    """(link, address/prefix) each; an address on `wan` gets its route in the underlay too."""

    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"add {_several(self.addresses)}"


@dataclass(frozen=True, slots=True)
class DeleteAddresses(base.GatewayStep):
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"delete {_several(self.addresses)}"


@dataclass(frozen=True, slots=True)
class EnsureRules(base.GatewayStep):
    """`rules` as in `GatewayNetwork`."""

    rules: frozenset[tuple[int, str, int]]

    def __str__(self) -> str:
        return f"set {len(self.rules)} routing rules for the gateway's own networks and for learned routes"


@dataclass(frozen=True, slots=True)
class EnsureFilterTable(base.GatewayStep):
    """`table` as `firewall.filter_table` writes it; `learned`: what its sets of learned networks hold, (interface, network)."""

    table: str
    learned: frozenset[tuple[str, str]] = frozenset()

    def __str__(self) -> str:
        return "load the firewall's filter table"


@dataclass(frozen=True, slots=True)
class EnsureLearnedSources(base.GatewayStep):
    """What the filter table lets in because a device announced it: (interface, network), of these `interfaces`. `table` is loaded."""

    table: str
    interfaces: tuple[str, ...]
    learned: frozenset[tuple[str, str]]

    def __str__(self) -> str:
        return f"let {len(self.learned)} learned networks through the firewall"


@dataclass(frozen=True, slots=True)
class DeleteLearnedRoutes(base.GatewayStep):
    def __str__(self) -> str:
        return "delete the learned routes"


@dataclass(frozen=True, slots=True)
class EnsureNatTable(base.GatewayStep):
    """`table` as `firewall.nat_table` writes it."""

    table: str

    def __str__(self) -> str:
        return "forward UDP 500 and 4500 to the gateway"


@dataclass(frozen=True, slots=True)
class DeleteNatTable(base.GatewayStep):
    def __str__(self) -> str:
        return "forward nothing to the gateway"


@dataclass(frozen=True, slots=True)
class EnsureTunnel:
    connection_id: str
    tunnel: tunnels.Tunnel

    def __str__(self) -> str:
        routed = len(self.tunnel.routes)
        return f"set up tunnel {tunnels.name(self.tunnel.if_id)}, MTU {self.tunnel.mtu}, {routed} routes"


@dataclass(frozen=True, slots=True)
class EnsureSharedRoutes(base.GatewayStep):
    """`routes`: all that there must be. When it fails the steps after it go on: each tunnel has its own routes."""

    routes: frozenset[tunnels.SharedRoute]

    def __str__(self) -> str:
        return f"share {len(self.routes)} networks between tunnels"


@dataclass(frozen=True, slots=True)
class DeleteTunnel:
    """`connection_id` is empty when nobody knows whose it was."""

    connection_id: str
    if_id: int

    def __str__(self) -> str:
        return f"delete tunnel {tunnels.name(self.if_id)}"


@dataclass(frozen=True, slots=True)
class DeleteNamespace(base.GatewayStep):
    def __str__(self) -> str:
        return "delete the network namespace"


NetworkStep = (
    AddNamespace
    | AttachNamespace
    | EnsureUplink
    | EnsureVpcLink
    | DeleteUplink
    | DeleteVpcLink
    | MoveUplink
    | MoveVpcLink
    | AddAddresses
    | DeleteAddresses
    | EnsureRules
    | EnsureFilterTable
    | EnsureLearnedSources
    | DeleteLearnedRoutes
    | EnsureNatTable
    | DeleteNatTable
    | EnsureTunnel
    | EnsureSharedRoutes
    | DeleteTunnel
    | DeleteNamespace
)


def _several(addresses: tuple[tuple[str, str], ...]) -> str:
    first = " ".join(f"{address} on {link}" for link, address in addresses[:1])
    return first if len(addresses) == 1 else f"{first} and {len(addresses) - 1} more addresses"
