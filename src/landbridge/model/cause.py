"""Why a tunnel is down, or what is wrong with one that is up."""

from dataclasses import dataclass
from typing import Literal

from landbridge.model.evidence import Evidence

#: Who must change something. `either`: the values must be equal, and either side may take the other's. `network`: what lies between the
#: two. `operator`: the machine that the VPN gateway runs on.
Side = Literal["connection", "device", "either", "network", "operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that is wrong. `code` is the name of a section of docs/reference/causes.md.

    `ours` and `theirs` are both sides' values in the words of the API, where there are values. `differs`: which settings differ
    (`encryption_algorithm`). `decides`: what would make a cause certain that is one of several. `evidence`: the lines of the attempt that
    show it.
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
