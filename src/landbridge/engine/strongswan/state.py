"""The result of one observation of a gateway on this machine: its folder, network, IKE daemon, BGP sessions and echoes. Pure."""

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
    """The probes of this process."""

    #: Connections whose device is being probed.
    asking: frozenset[str] = frozenset()
    #: Connections that charon probes, so that the planner must not change them.
    held: frozenset[str] = frozenset()
    #: Connection -> its last probe.
    results: Mapping[str, model.ProbeResult] = field(default_factory=dict)
    #: Address of a device -> when any gateway probed it within the last hour.
    asked_at: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    #: How many probes may begin now.
    places: int = 0
    #: Whether there are probes without an order.
    automatic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PathState:
    """The checks of paths of one gateway."""

    #: Whether a check is running.
    checking: bool = False
    #: Connection id -> its last check.
    results: Mapping[str, model.ProbeResult] = field(default_factory=dict)
    #: The time between two automatic checks of a tunnel; None when there are no automatic checks.
    interval: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """Everything that one observation found of a gateway."""

    at: datetime
    #: The data plane of the charon that runs, or of the machine when none runs.
    plane: model.Plane = "userland"
    #: Whether the gateway's folder has its mark.
    folder: bool = False
    network: NetworkState = field(default_factory=NetworkState)
    ike: IkeState = field(default_factory=IkeState)
    bgp: BgpState = field(default_factory=BgpState)
    probes: ProbeState = field(default_factory=ProbeState)
    echo: EchoState = field(default_factory=EchoState)
    paths: PathState = field(default_factory=PathState)
    #: The charon's pid when the gateway's namespace has lost its name. `network` then has nothing of that namespace.
    pid_in_unnamed_namespace: int | None = None

    @property
    def serves(self) -> bool:
        """A charon that does not answer, or whose namespace has lost its name, serves nobody."""
        return self.ike.alive and self.ike.answers and self.network.namespace
