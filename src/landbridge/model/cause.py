"""The cause of a tunnel that is down, or the warning of one that is up."""

from dataclasses import dataclass
from typing import Literal

from landbridge.model.evidence import Evidence

#: Who must change something. `either`: the values of both sides must be equal, and one side must change. `network`: the network between both
#: sides. `operator`: the operator of the machine that the VPN gateway runs on.
Side = Literal["connection", "device", "either", "network", "operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """`code` is the name of a section of docs/reference/causes.md. `is_certain` is False for one of several possible causes.

    `ours`, `theirs`: the values of both sides with the names of the API, where the cause has values. `differs`: the settings that differ
    (`encryption_algorithm`). `decides`: how to find out whether this is the cause, when it is not certain. `evidence`: the lines of the
    attempt that show the cause.
    """

    code: str
    side: Side
    is_certain: bool
    reason: str
    remedy: str
    ours: str | None = None
    theirs: str | None = None
    differs: tuple[str, ...] = ()
    decides: str | None = None
    evidence: tuple[Evidence, ...] = ()
