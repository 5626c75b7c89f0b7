"""The steps of a plan: the gateway's folder, its network, its IKE daemon, questions to devices. Pure data."""

from dataclasses import dataclass

from landbridge.engine import base
from landbridge.engine.strongswan.ike import probe
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
    """Begins a probe, which goes on by itself. `order`: who asked for more than phase 1 says so; None: nobody asked. `question` is None
    where nothing can be asked, for the reason in `failure`.
    """

    connection_id: str
    probe_id: str | None
    configuration: str
    local_address: str
    peer_address: str
    question: probe.Question | None
    failure: str | None = None

    def __str__(self) -> str:
        why = "by an order" if self.probe_id else "after its refusal"
        return f"ask {self.peer_address or 'the device'} {why} what it takes, for connection {self.connection_id}"


FolderStep = AddFolder | DeleteFolder
Step = FolderStep | NetworkStep | IkeStep | AskDevice
