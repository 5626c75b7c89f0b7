"""The steps of a plan: one change each, carrying all that is needed to make it.

Pure data. Invariant: what a step prints is safe in a log; a PSK is only ever held as `model.Secret`. Every step may be
applied again when it was carried out halfway.
"""

from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.engine.strongswan import state, tunnels


@dataclass(frozen=True, slots=True)
class _GatewayStep:
    @property
    def connection_id(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class AddFolder(_GatewayStep):
    """Comes first and goes last: the folder is the mark that the rest is ours."""

    def __str__(self) -> str:
        return "create the gateway's folder"


@dataclass(frozen=True, slots=True)
class AddNamespace(_GatewayStep):
    def __str__(self) -> str:
        return "create the network namespace"


@dataclass(frozen=True, slots=True)
class EnsureUplink(_GatewayStep):
    """`kind` is `routed` or `macvlan LINK`; `next_hop` its router."""

    kind: str
    next_hop: str

    def __str__(self) -> str:
        return f"create the uplink, {self.kind}"


@dataclass(frozen=True, slots=True)
class EnsureVpcLink(_GatewayStep):
    """`kind` is `bridge NAME` or `interface NAME`."""

    kind: str

    def __str__(self) -> str:
        return f"create the VPC link on {self.kind}"


@dataclass(frozen=True, slots=True)
class DeleteUplink(_GatewayStep):
    def __str__(self) -> str:
        return "delete the uplink"


@dataclass(frozen=True, slots=True)
class DeleteVpcLink(_GatewayStep):
    def __str__(self) -> str:
        return "delete the VPC link"


@dataclass(frozen=True, slots=True)
class MoveUplink(_GatewayStep):
    """From its present parent to `kind`, as of EnsureUplink, with its addresses. The new parent is checked before anything is deleted."""

    kind: str
    next_hop: str
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"move the uplink to {self.kind}"


@dataclass(frozen=True, slots=True)
class MoveVpcLink(_GatewayStep):
    """As MoveUplink, `kind` as of EnsureVpcLink. When it fails the steps after it go on: tunnels need the uplink alone."""

    kind: str
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"move the VPC link to {self.kind}"


@dataclass(frozen=True, slots=True)
class AddAddresses(_GatewayStep):
    """(link, address/prefix) each; an address on `wan` gets its route in the underlay too."""

    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"add {_several(self.addresses)}"


@dataclass(frozen=True, slots=True)
class DeleteAddresses(_GatewayStep):
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"delete {_several(self.addresses)}"


@dataclass(frozen=True, slots=True)
class EnsureRules(_GatewayStep):
    """`rules` as in `GatewayNetwork`."""

    rules: frozenset[tuple[int, str, int]]

    def __str__(self) -> str:
        return f"set {len(self.rules)} routing rules that keep the gateway's own networks out of its tunnels"


@dataclass(frozen=True, slots=True)
class EnsureFilterTable(_GatewayStep):
    """`table` as `firewall.filter_table` writes it."""

    table: str

    def __str__(self) -> str:
        return "load the firewall's filter table"


@dataclass(frozen=True, slots=True)
class EnsureNatTable(_GatewayStep):
    """`table` as `firewall.nat_table` writes it; None deletes it."""

    table: str | None

    def __str__(self) -> str:
        return "forward UDP 500 and 4500 to the gateway" if self.table else "forward nothing to the gateway"


@dataclass(frozen=True, slots=True)
class StartCharon(_GatewayStep):
    """`restarts`: how many of them have been asked for by now."""

    plane: state.Plane
    restarts: int = 0

    def __str__(self) -> str:
        return f"start charon, {self.plane} data plane"


@dataclass(frozen=True, slots=True)
class StopCharon(_GatewayStep):
    def __str__(self) -> str:
        return "stop charon"


@dataclass(frozen=True, slots=True)
class DeleteNamespace(_GatewayStep):
    def __str__(self) -> str:
        return "delete the network namespace"


@dataclass(frozen=True, slots=True)
class DeleteFolder(_GatewayStep):
    def __str__(self) -> str:
        return "delete the gateway's folder"


@dataclass(frozen=True, slots=True)
class EnsureTunnel:
    connection_id: str
    tunnel: tunnels.Tunnel

    def __str__(self) -> str:
        routed = len(self.tunnel.routes)
        return f"set up tunnel {tunnels.name(self.tunnel.if_id)}, MTU {self.tunnel.mtu}, {routed} routes"


@dataclass(frozen=True, slots=True)
class DeleteTunnel:
    """`connection_id` is empty when nobody knows whose it was."""

    connection_id: str
    if_id: int

    def __str__(self) -> str:
        return f"delete tunnel {tunnels.name(self.if_id)}"


@dataclass(frozen=True, slots=True)
class LoadSecret:
    connection_id: str
    secret_id: str
    owners: tuple[str, ...]
    psk: model.Secret

    def __str__(self) -> str:
        return f"load secret {self.secret_id}"


@dataclass(frozen=True, slots=True)
class UnloadSecret:
    connection_id: str
    secret_id: str

    def __str__(self) -> str:
        return f"unload secret {self.secret_id}"


@dataclass(frozen=True, slots=True)
class LoadConn:
    connection_id: str
    conn: dict[str, Any]

    def __str__(self) -> str:
        return f"load connection {self.connection_id} with {len(self.conn['children'])} children"


@dataclass(frozen=True, slots=True)
class UnloadConn:
    connection_id: str

    def __str__(self) -> str:
        return f"unload connection {self.connection_id}"


@dataclass(frozen=True, slots=True)
class TerminateIke:
    connection_id: str
    unique_id: str

    def __str__(self) -> str:
        return f"terminate IKE_SA {self.unique_id} of connection {self.connection_id}"


@dataclass(frozen=True, slots=True)
class TerminateChild:
    connection_id: str
    unique_id: str
    child: str

    def __str__(self) -> str:
        return f"terminate CHILD_SA {self.unique_id} {self.child}"


@dataclass(frozen=True, slots=True)
class Initiate:
    connection_id: str
    child: str

    def __str__(self) -> str:
        return f"initiate {self.child}"


GatewayStep = (
    AddFolder
    | AddNamespace
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
    | EnsureNatTable
    | StartCharon
    | StopCharon
    | DeleteNamespace
    | DeleteFolder
)
CharonStep = LoadSecret | UnloadSecret | LoadConn | UnloadConn | TerminateIke | TerminateChild | Initiate
TunnelStep = EnsureTunnel | DeleteTunnel
Step = GatewayStep | TunnelStep | CharonStep

#: The steps that are one request to a running charon.
CHARON_STEPS = (LoadSecret, UnloadSecret, LoadConn, UnloadConn, TerminateIke, TerminateChild, Initiate)


def _several(addresses: tuple[tuple[str, str], ...]) -> str:
    first = " ".join(f"{address} on {link}" for link, address in addresses[:1])
    return first if len(addresses) == 1 else f"{first} and {len(addresses) - 1} more addresses"
