"""Constant pings of the program `ping` while something happens, and which of them were answered."""

import contextlib
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import sites

#: Pings a second, unless a caller says otherwise.
RATE = 10


@dataclass
class Pings:
    """`output`: what ping has printed, a line with a number for each answer. `printed`: all of it, once ping has ended."""

    output: Path
    printed: str | None = None

    @property
    def answered(self) -> set[int]:
        """The numbers of the pings that were answered."""
        printed = self.output.read_text() if self.printed is None else self.printed
        return {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl=", printed)}

    @property
    def lost(self) -> set[int]:
        """The pings before the last answered one that were not answered. A later ping may still be under way."""
        answered = self.answered
        return set(range(1, max(answered, default=0))) - answered

    def wait_for_more(self, count: int, *, seconds: float = 90.0) -> None:
        """Waits until so many more pings have been answered. Raises TimeoutError."""
        enough = len(self.answered) + count
        sites.wait_for(lambda: len(self.answered) >= enough, f"{count} more pings", seconds=seconds)


@contextlib.contextmanager
def pinging(source: str, target: str, rate: float = RATE) -> Iterator[Pings]:
    """Pings an address from a namespace until the block ends. The answers are complete after the block."""
    command = ["ip", "netns", "exec", source, "ping", "-n", "-i", str(1 / rate), target]
    with tempfile.NamedTemporaryFile("w", prefix="pings-") as output:
        pings = Pings(Path(output.name))
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT) as process:
            try:
                yield pings
            finally:
                process.send_signal(signal.SIGINT)
        pings.printed = pings.output.read_text()
