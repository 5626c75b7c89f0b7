"""One look at a gateway on this machine: its folder, its network and its IKE daemon. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from landbridge import model
from landbridge.engine.strongswan.ike.state import IkeState
from landbridge.engine.strongswan.network.state import NetworkState


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """`plane` is the running charon's, or the machine's where none runs. `folder`: whether the gateway's folder has its mark."""

    at: datetime
    plane: model.Plane = "userland"
    folder: bool = False
    network: NetworkState = field(default_factory=NetworkState)
    ike: IkeState = field(default_factory=IkeState)

    @property
    def serves(self) -> bool:
        """A charon whose namespace has lost its name serves nobody."""
        return self.ike.alive and self.network.namespace
