"""Constant pings while something happens, and how many of them were answered."""

import contextlib
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

_ANSWERED = re.compile(r"icmp_seq=(\d+) ttl=")


@dataclass
class Counted:
    """Complete after the block. `last`: the number of the last ping that was answered; those after it may be on their way when the block ends."""

    last: int = 0
    answered: int = 0

    @property
    def lost(self) -> int:
        return self.last - self.answered


@contextlib.contextmanager
def constantly(source: str, target: str, interval: float = 0.01) -> Iterator[Counted]:
    """From a namespace to an address. `interval`: seconds between two pings."""
    counted = Counted()
    command = ["ip", "netns", "exec", source, "ping", "-n", "-i", str(interval), target]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)
        try:
            yield counted
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
        output.seek(0)
        said = output.read()
        numbers = {int(number) for number in _ANSWERED.findall(said)}
        counted.last, counted.answered = max(numbers, default=0), len(numbers)
