"""One look at a gateway on this machine: its folder, its network and its IKE daemon. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from landbridge import model
from landbridge.engine.strongswan.ike.state import IkeState
from landbridge.engine.strongswan.network.state import NetworkState


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeState:
    """What this process knows of probes. `asking`: connections whose device is being asked; `held`: those of them that the planner must
    leave alone, since SAs of charon's ask; `results`: the last probe of a connection;
    `asked_at`: when a device was asked last, by its address, for any gateway; `places`: probes that may begin now. `automatic`:
    whether a device is asked without an order.
    """

    asking: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    results: Mapping[str, model.ProbeResult] = field(default_factory=dict)
    asked_at: Mapping[str, datetime] = field(default_factory=dict)
    places: int = 0
    automatic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """`plane` is the running charon's, or the machine's where none runs. `folder`: whether the gateway's folder has its mark."""

    at: datetime
    plane: model.Plane = "userland"
    folder: bool = False
    network: NetworkState = field(default_factory=NetworkState)
    ike: IkeState = field(default_factory=IkeState)
    probes: ProbeState = field(default_factory=ProbeState)

    @property
    def serves(self) -> bool:
        """A charon whose namespace has lost its name serves nobody."""
        return self.ike.alive and self.network.namespace
