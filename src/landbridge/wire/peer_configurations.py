"""The other side's configuration on the wire: which device, and its text."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from pydantic import Field

from landbridge import model
from landbridge.wire import body, schema


class Device(Protocol):
    """A device of the list."""

    @property
    def vendor(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def versions(self) -> str: ...


class ExportPeerConfiguration(body.Shape):
    """ExportPeerConfigurationRequestBody: the names from the list of supported devices, in any letter case. An empty name is absent: the
    vendor's Go SDK sends all four.
    """

    examples: ClassVar = {"strongSwan": {"vendor": "strongSwan", "type": "software", "model": "swanctl"}}

    vendor: str | None = schema.field(schema.string(), "a vendor of the list of supported devices", mandatory=True)
    kind: str | None = schema.field(schema.string(), "the device's series; absent: any", alias="type")
    family: str | None = schema.field(schema.string(), "absent: any", alias="model")
    versions: str | None = schema.field(schema.string(), "this one or an older one; absent: any", alias="version")

    def request(self) -> model.DeviceRequest:
        return model.DeviceRequest(
            vendor=self.vendor or None,
            kind=self.kind or None,
            family=self.family or None,
            versions=self.versions or None,
        )


class PeerConfiguration(schema.Answer):
    peer_config: str
    request_id: str


class Part(schema.Answer):
    path: str | None = Field(None, description="of the file on the device; absent for lines of its command line")
    content: str


class Printed(schema.Answer):
    device: str
    proved: bool = Field(description="a text like this was used as it is printed, and the tunnel came up")
    parts: list[Part]


class OnePrinted(schema.Answer):
    peer_configuration: Printed
    request_id: str


class SupportedDevice(schema.Answer):
    """`platform` is the SDK's name for the model."""

    vendor: str
    type: str
    model: str
    platform: str
    version: str


class SupportedDevices(schema.Answer):
    supported_devices: list[SupportedDevice]
    request_id: str


def supported(devices: Sequence[Device]) -> list[dict[str, Any]]:
    return [
        {
            "vendor": device.vendor,
            "type": device.kind,
            "model": device.family,
            "platform": device.family,
            "version": device.versions,
        }
        for device in devices
    ]
