"""One look at a gateway on this machine: its folder, its network, its IKE daemon, its BGP sessions, and what its echoes say. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from landbridge import model
from landbridge.engine.strongswan.bgp.state import BgpState
from landbridge.engine.strongswan.echo.state import EchoState
from landbridge.engine.strongswan.ike.state import IkeState
from landbridge.engine.strongswan.network.state import NetworkState


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeState:
    """The probes of this process. `asking`: connections whose device is being probed. `held`: those that charon probes, so that the planner
    must not change them. `results`: connection -> its last probe. `asked_at`: address of a device -> when it was probed within the last
    hour, for any gateway. `places`: how many probes may begin now. `automatic`: whether there are probes without an order.
    """

    asking: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    results: Mapping[str, model.ProbeResult] = field(default_factory=dict)
    asked_at: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    places: int = 0
    automatic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PathState:
    """The checks of paths of one gateway. `checking`: a check is running. `results`: connection id -> its last check. `interval`: the time
    between two automatic checks of a tunnel; None: there are no automatic checks.
    """

    checking: bool = False
    results: Mapping[str, model.ProbeResult] = field(default_factory=dict)
    interval: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """`plane` is the running charon's, or the machine's where none runs. `folder`: whether the gateway's folder has its mark. `pid_in_unnamed_namespace`:
    of the charon, when the gateway's namespace has lost its name; `network` has nothing of that namespace.
    """

    at: datetime
    plane: model.Plane = "userland"
    folder: bool = False
    network: NetworkState = field(default_factory=NetworkState)
    ike: IkeState = field(default_factory=IkeState)
    bgp: BgpState = field(default_factory=BgpState)
    probes: ProbeState = field(default_factory=ProbeState)
    echo: EchoState = field(default_factory=EchoState)
    paths: PathState = field(default_factory=PathState)
    pid_in_unnamed_namespace: int | None = None

    @property
    def serves(self) -> bool:
        """A charon that does not answer, or whose namespace has lost its name, serves nobody."""
        return self.ike.alive and self.ike.answers and self.network.namespace
