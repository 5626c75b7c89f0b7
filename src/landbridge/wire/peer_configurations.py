"""The other side's configuration on the wire: which device, and its text."""

from collections.abc import Sequence
from typing import Any, Protocol

import pydantic
from pydantic import Field

from landbridge import model
from landbridge.wire import body


class Device(Protocol):
    """What is told of a device for which there is a text."""

    @property
    def vendor(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def versions(self) -> str: ...


class ExportPeerConfiguration(body.Shape):
    """ExportPeerConfigurationRequestBody: the words of the list of supported devices, in any letter case."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"examples": [{"vendor": "strongSwan", "type": "software", "model": "swanctl"}]}
    )

    vendor: str | None = Field(None, description="mandatory")
    kind: str | None = Field(None, alias="type", description="the device's series; any if absent")
    family: str | None = Field(None, alias="model", description="any if absent")
    versions: str | None = Field(None, alias="version", description="any if absent")

    def ask(self) -> model.AskDevice:
        return model.AskDevice(vendor=self.vendor, kind=self.kind, family=self.family, versions=self.versions)


class PeerConfiguration(pydantic.BaseModel):
    peer_config: str
    request_id: str


class Part(pydantic.BaseModel):
    path: str | None = Field(None, description="of the file on the device; absent for lines of its command line")
    content: str


class Printed(pydantic.BaseModel):
    device: str
    proved: bool = Field(description="a text like this was used as it is printed, and the tunnel came up")
    parts: list[Part]


class OnePrinted(pydantic.BaseModel):
    peer_configuration: Printed
    request_id: str


class SupportedDevice(pydantic.BaseModel):
    """`platform` is the SDK's word for the model."""

    vendor: str
    type: str
    model: str
    platform: str
    version: str


class SupportedDevices(pydantic.BaseModel):
    supported_devices: list[SupportedDevice]
    request_id: str


def supported(devices: Sequence[Device]) -> list[dict[str, Any]]:
    return [
        {
            "vendor": one.vendor,
            "type": one.kind,
            "model": one.family,
            "platform": one.family,
            "version": one.versions,
        }
        for one in devices
    ]
