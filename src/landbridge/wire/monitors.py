"""Connection monitors on the wire."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from landbridge import model
from landbridge.wire import body, schema, shapes


class CreateMonitor(body.Shape):
    """CreateConnectionMonitorRequestBodyContent."""

    examples: ClassVar = {"of a connection": {"vpn_connection_id": "98c5af8a-6ee2-4482-99a2-ae2280a6f4c3"}}

    vpn_connection_id: str | None = schema.field(schema.uuid(), "the connection to probe", mandatory=True)

    def request(self) -> model.MonitorRequest:
        return model.MonitorRequest(connection_id=self.vpn_connection_id)


class MonitorAnswer(schema.Answer):
    """CreateConnectionMonitorInfo, and with a status ConnectionMonitorInfo."""

    id: str
    vpn_connection_id: str
    type: str = Field(description="gateway")
    source_ip: str = Field(description="the address of the connection's endpoint: the probe runs outside the tunnel")
    destination_ip: str | None = Field(None, description="the customer gateway's address; absent without a fixed one")
    proto_type: str = Field(description="icmp")
    status: str | None = schema.listed(
        ("ACTIVE", "PENDING_CREATE"),
        "ACTIVE: the engine sends its echoes. What they say is in the diagnosis of the connection",
    )


class OneMonitor(schema.Answer):
    connection_monitor: MonitorAnswer
    request_id: str


class ManyMonitors(schema.Answer):
    connection_monitors: list[MonitorAnswer]
    request_id: str


def made(value: model.ConnectionMonitor) -> dict[str, Any]:
    """The answer to a create, which has no status."""
    return {
        "connection_monitor": shapes.without_none(
            id=value.id,
            vpn_connection_id=value.connection_id,
            type="gateway",
            source_ip=value.source_ip,
            destination_ip=value.destination_ip,
            proto_type="icmp",
        )
    }


def shown(value: model.ConnectionMonitor) -> dict[str, Any]:
    return {"connection_monitor": {**made(value)["connection_monitor"], "status": value.status}}


def listed(values: Sequence[model.ConnectionMonitor]) -> dict[str, Any]:
    return {"connection_monitors": [shown(monitor)["connection_monitor"] for monitor in values]}
