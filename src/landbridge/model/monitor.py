"""The connection monitor: it sends echoes from the endpoint of a connection to the device."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRequest:
    connection_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRef:
    """Names a connection monitor of the project."""

    monitor_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorListRequest:
    """The list of connection monitors. `connection_id`: only the monitor of this connection; None: all. `enterprise_project_ids`:
    empty: all.
    """

    connection_id: str | None = None
    enterprise_project_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionMonitor:
    """The probe runs outside the tunnel: `source_ip` is the endpoint's address, `destination_ip` the customer gateway's (None
    for a device without a fixed address). `status`: ACTIVE as soon as the engine sends its echoes.
    """

    id: str
    connection_id: str
    source_ip: str
    destination_ip: str | None
    status: Literal["PENDING_CREATE", "ACTIVE"] = "PENDING_CREATE"
