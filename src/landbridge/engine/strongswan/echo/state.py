"""What echoes a gateway needs, and what they say. Pure."""

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
    """Connection id -> what its echoes say; nothing of a connection that has none."""

    nqa: Mapping[str, model.Reachability] = field(default_factory=dict)
    monitor: Mapping[str, model.Reachability] = field(default_factory=dict)
