"""Processes of `landbridge` that are forked from one that has imported it: a start costs a fourth of a fresh one.

The other processes of a service are fresh ones. So are those of `lab.demo`, with which the tests of real tunnels begin.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from landbridge.cli import main

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, "landbridge.cli.local", "landbridge.cli.serve", "landbridge.engine.local"])


def start(
    arguments: list[str], out: Path, err: Path, environment: Mapping[str, str] = os.environ, *, beforehand: str = ""
) -> ForkServerProcess:
    """Starts `landbridge` with the arguments. What it prints is appended to the files. `beforehand`: Python text that it runs first,
    which has the modules `os`, `signal` and `sys`.
    """
    process = _CONTEXT.Process(target=_run, args=(arguments, out, err, dict(environment), beforehand))
    process.start()
    return process


def _run(arguments: list[str], out: Path, err: Path, environment: dict[str, str], beforehand: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC), number)
    exec(beforehand, {"os": os, "signal": signal, "sys": sys})  # noqa: S102 - the tests' own text
    sys.exit(main.main(arguments))


def wait(process: ForkServerProcess, seconds: float) -> int:
    """Its exit status, as `subprocess` has it."""
    process.join(seconds)
    assert process.exitcode is not None, f"{process.name} did not end in {seconds} s"
    return process.exitcode
