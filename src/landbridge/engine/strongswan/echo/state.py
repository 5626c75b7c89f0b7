"""The echoes that a gateway needs, and their results. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from landbridge import model

#: `nqa`: through the tunnel. `monitor`: from the endpoint to the device, outside of the tunnel.
Kind = Literal["nqa", "monitor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Echoes:
    """The echoes of one connection to one address. `device`: the interface that they leave by; None: as the routing rules say."""

    connection_id: str
    kind: Kind
    source: str
    destination: str
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoState:
    """The results of echoes by connection id. A connection without echoes is missing."""

    nqa: Mapping[str, model.Reachability] = field(default_factory=dict)
    monitor: Mapping[str, model.Reachability] = field(default_factory=dict)
