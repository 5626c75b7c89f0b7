"""`make unit`: pytest with `-p tests.unit_only` leaves out tests that need more than this process.

A test needs more when it is marked `process` or `tunnel`, or takes a fixture that starts a server or a command. One that
starts a process or listens to a port all the same fails.
"""

import socket
import sys
from typing import Any

import pytest

#: Fixtures that start something.
STARTING = frozenset({"collected", "landbridge", "server", "start_server"})
STARTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system"})


def pytest_sessionstart(session: pytest.Session) -> None:
    """Each test costs the process that starts the workers six messages of pytest-xdist. It needs two of them where the test passes."""
    if not hasattr(session.config, "workerinput"):
        return
    plugins = session.config.pluginmanager.get_plugins()
    worker: Any = next(one for one in plugins if type(one).__name__ == "WorkerInteractor")
    send = worker.sendevent

    def send_news(name: str, **content: Any) -> None:
        report = content["data"] if name == "testreport" else {}
        passed_around = report.get("outcome") == "passed" and report["when"] != "call"
        if name not in {"logstart", "logfinish"} and not passed_around:
            send(name, **content)

    worker.sendevent = send_news


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Called where the tests run: with pytest-xdist in each worker, and not in the process that starts the workers."""
    left_out = [item for item in items if _needs_more(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not _needs_more(item)]
    sys.addaudithook(_refuse)


def _needs_more(item: pytest.Item) -> bool:
    marked = any(item.get_closest_marker(name) for name in ("process", "tunnel"))
    return marked or not STARTING.isdisjoint(getattr(item, "fixturenames", ()))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """See "Audit events table" of Python's documentation."""
    if event in STARTS or (event == "socket.bind" and _is_internet(arguments[0])):
        raise AssertionError(f"{event}: this test needs more than this process, and is not marked so")


def _is_internet(opened: object) -> bool:
    return isinstance(opened, socket.socket) and opened.family in {socket.AF_INET, socket.AF_INET6}
