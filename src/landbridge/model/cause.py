"""The cause of a tunnel that is down, or the warning of one that is up."""

from dataclasses import dataclass
from typing import Literal

from landbridge.model.evidence import Evidence

#: Who must change something. `either`: the values of both sides must be equal, and one side must change. `network`: the network between both
#: sides. `operator`: the operator of the machine that the VPN gateway runs on.
Side = Literal["connection", "device", "either", "network", "operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause of a tunnel that is down, or a warning of one that is up."""

    #: The name of a section of docs/reference/causes.md.
    code: str
    side: Side
    #: False for one of several possible causes.
    is_certain: bool
    reason: str
    remedy: str
    #: Our values, with the names of the API; None when the cause is about no values.
    ours: str | None = None
    #: The values of the device, likewise.
    theirs: str | None = None
    #: The settings that differ, such as `encryption_algorithm`.
    differs: tuple[str, ...] = ()
    #: How to find out whether this is the cause, when it is not certain.
    decides: str | None = None
    #: The lines of the attempt that show the cause.
    evidence: tuple[Evidence, ...] = ()
