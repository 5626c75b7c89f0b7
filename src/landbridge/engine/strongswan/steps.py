"""The steps of a plan: the gateway's folder, its network, its IKE daemon, its BGP sessions, probes and checks of paths. Pure data."""

from dataclasses import dataclass

from landbridge.engine import base
from landbridge.engine.strongswan.bgp.steps import BgpStep
from landbridge.engine.strongswan.ike import probe, probe_sas
from landbridge.engine.strongswan.ike.steps import IkeStep
from landbridge.engine.strongswan.network.steps import NetworkStep


@dataclass(frozen=True, slots=True)
class AddFolder(base.GatewayStep):
    """Comes first and goes last: the folder is the mark that the rest is ours."""

    def __str__(self) -> str:
        return "create the gateway's folder"


@dataclass(frozen=True, slots=True)
class DeleteFolder(base.GatewayStep):
    def __str__(self) -> str:
        return "delete the gateway's folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDevice:
    """Starts a probe, which runs in its own thread. A question that is None is not asked."""

    connection_id: str
    configuration: str
    local_address: str
    peer_address: str
    #: The id of the order; None without an order.
    probe_id: str | None = None
    #: The question about phase 1.
    question: probe.Question | None = None
    phase_2: probe_sas.Question | None = None
    identity: probe_sas.Question | None = None
    #: Why a part of the order is not asked.
    failure: str | None = None

    @property
    def uses_charon(self) -> bool:
        """Whether charon probes, so that the planner must not change the connection meanwhile."""
        return self.phase_2 is not None or self.identity is not None

    def __str__(self) -> str:
        why = "by an order" if self.probe_id else "after its refusal"
        return f"ask {self.peer_address or 'the device'} {why} what it takes, for connection {self.connection_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathCheck:
    """The check of the path through one tunnel."""

    connection_id: str
    configuration: str
    local_address: str
    peer_address: str
    #: The interface of the tunnel.
    device: str
    #: (our address, an address behind the tunnel). Without any, `failure` has the reason.
    targets: tuple[tuple[str, str], ...]
    #: The id of the order; None without an order.
    probe_id: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPaths(base.GatewayStep):
    """Starts a check of the paths through some tunnels, which runs in its own thread."""

    checks: tuple[PathCheck, ...]

    def __str__(self) -> str:
        return f"check the paths through {len(self.checks)} tunnels"


FolderStep = AddFolder | DeleteFolder
Step = FolderStep | NetworkStep | IkeStep | BgpStep | AskDevice | CheckPaths
