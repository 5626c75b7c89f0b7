"""Creating a connection monitor: one for a connection that leads to one device."""

from collections.abc import Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.rules import fields


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorFacts:
    """The connection that the request names, if the project has it, and whether the connection is being deleted."""

    connection: model.Connection | None
    deleting: bool = False


def check(request: model.MonitorRequest, facts: MonitorFacts) -> Iterator[model.Violation]:
    field, connection = "vpn_connection_id", facts.connection
    malformed = list(fields.check_uuid(field, request.connection_id, "a VPN connection"))
    yield from malformed
    if malformed:
        return
    if connection is None:
        wrong = f"VPN connection {request.connection_id} does not exist"
        yield model.Violation(field, wrong, "a VPN connection of this project")
    elif facts.deleting:
        yield model.Violation(
            field, f"VPN connection {connection.id} is being deleted", "a VPN connection that is not being deleted"
        )
    elif connection.monitor_id is not None:
        wrong = f"VPN connection {connection.id} already has connection monitor {connection.monitor_id}"
        yield model.Violation(field, wrong, "a VPN connection without a monitor", "VPN.0381")
    elif connection.style == "policy-template":
        wrong = f"VPN connection {connection.id} has no device of its own to probe, its style is {connection.style}"
        yield model.Violation(field, wrong, "a VPN connection of style static, policy or bgp")


def monitor(
    connection: model.Connection, gateway: model.VpnGateway, peer: model.CustomerGateway, *, is_probed: bool = False
) -> model.ConnectionMonitor | None:
    """The connection's monitor with the present addresses of its two ends; None when the connection has no monitor. `is_probed`: the engine has
    reported what its echoes say.
    """
    if connection.monitor_id is None:
        return None
    return model.ConnectionMonitor(
        id=connection.monitor_id,
        connection_id=connection.id,
        source_ip=gateway.endpoints[connection.endpoint - 1].address,
        destination_ip=peer.address,
        status="ACTIVE" if is_probed else "PENDING_CREATE",
    )
