"""What an engine or a device said, verbatim."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A line that an engine or a peer said, verbatim, and when."""

    at: datetime
    line: str
