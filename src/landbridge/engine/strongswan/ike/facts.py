"""Parses the log lines of one IKE_SA into facts. Pure.

A rule makes a fact of a line, or keeps a value that a later line completes. Other lines are ignored (`other_lines`) or unknown. An unknown
line becomes a fact too, so that no line is lost.
"""

from datetime import datetime
from typing import Any

from landbridge.engine.strongswan.ike import line_rules, other_lines
from landbridge.engine.strongswan.ike.sa_progress import Progress
from landbridge.model import negotiation
from landbridge.model.negotiation import Fact

#: How many characters of a line are read and kept. A peer can make a line very long.
LINE_KEPT = 1000
#: Lines that are read to their end, since an offer of hundreds of proposals is long. The time of their rules is linear in the length.
LISTS_READ = ("received proposals: ", "configured proposals: ")


class Reader(Progress):
    """Reads the lines of one IKE_SA."""

    __slots__ = ()

    def read(self, at: datetime, line: str) -> Fact | None:
        """The fact of a line; None for an ignored line, and for a line that a later one completes."""
        whole, line = line, line[:LINE_KEPT]
        if line.startswith(LISTS_READ):
            line = whole
        kept: dict[str, Any] = {"at": at, "line": whole[:LINE_KEPT]}
        for pattern, make in line_rules.RULES.get(line[: line.find(" ")], ()):
            if match := pattern.match(line):
                return make(self, match, kept)
        for pattern, make in line_rules.RULES[""]:
            if match := pattern.match(line):
                return make(self, match, kept)
        if other_lines.is_ignored(line):
            return None
        return negotiation.Unknown(**kept, is_refusal=other_lines.is_failure(line))
