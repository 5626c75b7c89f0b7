"""The steps of a plan: one change each, carrying all that is needed to make it.

Pure data. Invariant: what a step prints is safe in a log; a PSK is only ever held as `model.Secret`. Every step may be
applied again when it was carried out halfway.
"""

from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.engine.strongswan import seen, tunnels


@dataclass(frozen=True, slots=True)
class _OfGateway:
    @property
    def connection_id(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class AddFolder(_OfGateway):
    """Comes first and goes last: the folder is the mark that the rest is ours."""

    def __str__(self) -> str:
        return "make the gateway's folder"


@dataclass(frozen=True, slots=True)
class AddNamespace(_OfGateway):
    def __str__(self) -> str:
        return "make the network namespace"


@dataclass(frozen=True, slots=True)
class LayWan(_OfGateway):
    """`kind` is `routed` or `macvlan LINK`; `router` its next hop."""

    kind: str
    router: str

    def __str__(self) -> str:
        return f"lay the outer leg, {self.kind}"


@dataclass(frozen=True, slots=True)
class LayLan(_OfGateway):
    """`kind` is `bridge NAME` or `interface NAME`."""

    kind: str

    def __str__(self) -> str:
        return f"lay the inner leg on {self.kind}"


@dataclass(frozen=True, slots=True)
class CutWan(_OfGateway):
    def __str__(self) -> str:
        return "cut the outer leg"


@dataclass(frozen=True, slots=True)
class CutLan(_OfGateway):
    def __str__(self) -> str:
        return "cut the inner leg"


@dataclass(frozen=True, slots=True)
class MoveWan(_OfGateway):
    """From whatever it hangs on to `kind`, as of LayWan, with its addresses. Nothing is cut before the new place was found."""

    kind: str
    router: str
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"move the outer leg to {self.kind}"


@dataclass(frozen=True, slots=True)
class MoveLan(_OfGateway):
    """As MoveWan, `kind` as of LayLan. When it fails the steps after it go on: tunnels stand on the outer leg."""

    kind: str
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"move the inner leg to {self.kind}"


@dataclass(frozen=True, slots=True)
class AddAddresses(_OfGateway):
    """(link, address/prefix) each; an address on `wan` gets its route in the underlay too."""

    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"add {_several(self.addresses)}"


@dataclass(frozen=True, slots=True)
class RemoveAddresses(_OfGateway):
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"remove {_several(self.addresses)}"


@dataclass(frozen=True, slots=True)
class SetRules(_OfGateway):
    """`rules` as in `ground.Ground`."""

    rules: frozenset[tuple[int, str, int]]

    def __str__(self) -> str:
        return f"keep the gateway's own networks out of its tunnels, {len(self.rules)} rules"


@dataclass(frozen=True, slots=True)
class SetGuard(_OfGateway):
    """`table` as `firewall.guard` writes it."""

    table: str

    def __str__(self) -> str:
        return "put up the firewall"


@dataclass(frozen=True, slots=True)
class SetForward(_OfGateway):
    """`table` as `firewall.forward` writes it; None takes it away."""

    table: str | None

    def __str__(self) -> str:
        return "forward UDP 500 and 4500 to the gateway" if self.table else "forward nothing to the gateway"


@dataclass(frozen=True, slots=True)
class StartCharon(_OfGateway):
    """`restarts`: how many of them have been asked for by now."""

    plane: seen.Plane
    restarts: int = 0

    def __str__(self) -> str:
        return f"start charon, {self.plane} data plane"


@dataclass(frozen=True, slots=True)
class StopCharon(_OfGateway):
    def __str__(self) -> str:
        return "stop charon"


@dataclass(frozen=True, slots=True)
class RemoveNamespace(_OfGateway):
    def __str__(self) -> str:
        return "remove the network namespace"


@dataclass(frozen=True, slots=True)
class RemoveFolder(_OfGateway):
    def __str__(self) -> str:
        return "remove the gateway's folder"


@dataclass(frozen=True, slots=True)
class LayTunnel:
    connection_id: str
    tunnel: tunnels.Tunnel

    def __str__(self) -> str:
        routed = len(self.tunnel.routes)
        return f"lay tunnel {tunnels.name(self.tunnel.if_id)}, MTU {self.tunnel.mtu}, {routed} routes"


@dataclass(frozen=True, slots=True)
class CutTunnel:
    """`connection_id` is empty when nobody knows whose it was."""

    connection_id: str
    if_id: int

    def __str__(self) -> str:
        return f"cut tunnel {tunnels.name(self.if_id)}"


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


OfGateway = (
    AddFolder
    | AddNamespace
    | LayWan
    | LayLan
    | CutWan
    | CutLan
    | MoveWan
    | MoveLan
    | AddAddresses
    | RemoveAddresses
    | SetRules
    | SetGuard
    | SetForward
    | StartCharon
    | StopCharon
    | RemoveNamespace
    | RemoveFolder
)
OfCharon = LoadSecret | UnloadSecret | LoadConn | UnloadConn | TerminateIke | TerminateChild | Initiate
OfTunnel = LayTunnel | CutTunnel
Step = OfGateway | OfTunnel | OfCharon

#: The steps that are one request to a running charon.
OF_CHARON = (LoadSecret, UnloadSecret, LoadConn, UnloadConn, TerminateIke, TerminateChild, Initiate)


def _several(addresses: tuple[tuple[str, str], ...]) -> str:
    first = " ".join(f"{address} on {link}" for link, address in addresses[:1])
    return first if len(addresses) == 1 else f"{first} and {len(addresses) - 1} more addresses"
