"""What comes from outside makes no long lines in the log."""

import logging
from typing import Any

import httpx
import pytest

from landbridge.cli import log


def _formatted(message: str, error: Exception | None = None) -> str:
    info: Any = None if error is None else (type(error), error, None)
    return log._Lines("%(levelname)s: %(message)s").format(
        logging.LogRecord("a", logging.INFO, "", 0, "%s", (message,), info)
    )


def test_a_message_has_a_length():
    assert _formatted("short") == "INFO: short"
    line = _formatted("x" * 60000)
    assert line == "INFO: " + "x" * log.MESSAGE_LIMIT + "… (59000 characters more)"


def test_a_traceback_has_a_length_and_keeps_its_end():
    text = _formatted("failed", ValueError("y" * 60000 + " the end"))
    assert text.endswith("the end")
    assert len(text) < log.TRACEBACK_LIMIT + 100


@pytest.mark.process
def test_a_long_path_is_a_short_line(server: Any):
    path = f"/v5/{server.credentials['project_id']}/vpn-connection/{'z' * 12000}"
    answer = httpx.get(server.credentials["endpoint"] + path, headers={"X-Auth-Token": "nobody"})
    assert answer.status_code == 401
    (line,) = [line for line in server.log.splitlines() if "zzzz" in line]
    assert len(line) < 500
