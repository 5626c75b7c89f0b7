"""The steps of a plan: the gateway's folder, its network, its IKE daemon. Pure data."""

from dataclasses import dataclass

from landbridge.engine import base
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


FolderStep = AddFolder | DeleteFolder
Step = FolderStep | NetworkStep | IkeStep
