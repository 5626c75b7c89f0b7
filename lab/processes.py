"""The processes of a running service."""

from pathlib import Path

from landbridge.cli import worker

WORKER = worker.__name__.encode()


def workers(pid: int) -> set[int]:
    """Process ids of the workers of the service whose first process is `pid`."""
    found = {int(one) for file in Path(f"/proc/{pid}/task").glob("*/children") for one in file.read_text().split()}
    return {one for one in found if WORKER in Path(f"/proc/{one}/cmdline").read_bytes()}


def is_there(pid: int) -> bool:
    """A process that ended and that nobody has asked about yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
