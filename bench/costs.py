"""What processes use: memory, and time of the processors."""

import os
import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from lab import demo, processes
from landbridge import config
from landbridge.engine.strongswan import names


def memory(pids: Iterable[int]) -> float:
    """Proportional set size (proc(5)) of the processes together, in MB: what several share counts once."""
    return sum(_pss(pid) for pid in pids) / 1000


def _pss(pid: int) -> int:
    found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def processor_seconds(pids: Iterable[int]) -> float:
    """User and system time: fields 14 and 15 of proc(5), counted after the command in its brackets."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def idle_share(pids: Iterable[int]) -> float:
    """Of a core, over one tick of the agent."""
    pids = tuple(pids)
    before, started = processor_seconds(pids), time.perf_counter()
    time.sleep(config.Agent().tick_seconds)
    return (processor_seconds(pids) - before) / (time.perf_counter() - started)


def service(service: demo.Service) -> set[int]:
    """The processes of the service."""
    assert service.process is not None
    return {service.process.pid, *processes.workers(service.process.pid)}


def daemons(gateway_ids: Iterable[str], program: str) -> set[int]:
    """The processes of a program in the namespaces of the gateways."""
    found = set()
    for gateway_id in gateway_ids:
        command = ["ip", "netns", "pids", names.namespace(gateway_id)]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found |= {int(pid) for pid in listed.split() if _runs(int(pid), program)}
    return found


def _runs(pid: int, program: str) -> bool:
    return Path(f"/proc/{pid}/comm").read_text().strip() == program[:15]
