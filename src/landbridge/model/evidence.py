"""Evidence: log lines, verbatim."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A line of a daemon's log, verbatim, with its time."""

    at: datetime
    line: str
