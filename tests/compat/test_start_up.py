"""A team's CI starts `--engine simulated` for each run: a start is hardly more than the import of its libraries."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: A start may cost this many times as much processor time as the libraries alone; it was 1.5 when this was written.
RATIO = 2.2
LIBRARIES = "alembic.command, cryptography.x509, pydantic, sqlalchemy, starlette.applications, uvicorn"


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # proc(5): 14 and 15, utime and stime
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _libraries() -> float:
    code = f"import time, {LIBRARIES}; print(time.process_time())"
    return float(subprocess.check_output([sys.executable, "-c", code], text=True))


def test_a_start_on_an_empty_folder_costs_little_more_than_its_libraries(start_server: Callable[..., Any]):
    """In processor time, since a machine that is busy with other things says nothing of us."""
    ratios = []
    for number in range(3):
        server = start_server(f"data-{number}")
        ratios.append(_processor_seconds(server._process.pid) / _libraries())
    assert min(ratios) < RATIO
