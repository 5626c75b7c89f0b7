"""Lines of the log: for people or for machines, bounded, with the ids of what they are about."""

import json
import logging
from datetime import datetime
from typing import Any

import httpx
import pytest

from landbridge.cli import log
from landbridge.telemetry import log_fields


def _record(message: str, error: Exception | None = None, **fields: Any) -> logging.LogRecord:
    info: Any = None if error is None else (type(error), error, None)
    record = logging.LogRecord("a", logging.INFO, "", 0, "%s", (message,), info)
    vars(record).update(log_fields.extra(**fields) if fields else {})
    return record


def _text(message: str, error: Exception | None = None, **fields: Any) -> str:
    return log.Text().format(_record(message, error, **fields)).partition(" INFO a: ")[2]


def _json(message: str, error: Exception | None = None, **fields: Any) -> Any:
    line = log.Json().format(_record(message, error, **fields))
    assert "\n" not in line
    return json.loads(line)


def test_a_message_has_a_length():
    assert _text("short") == "short"
    cut = "x" * log.MESSAGE_LIMIT + "… (59000 characters more)"
    assert _text("x" * 60000) == cut
    assert _json("x" * 60000)["message"] == cut


def test_a_traceback_has_a_length_and_keeps_its_end():
    error = ValueError("y" * 60000 + " the end")
    for text in (_text("failed", error), _json("failed", error)["exception"]):
        assert text.endswith("the end")
        assert len(text) < log.TRACEBACK_LIMIT + 100


def test_a_line_for_people_ends_with_the_fields_that_its_message_does_not_have():
    line = _text("hq-branch ACTIVE -> DOWN", status="DOWN", connection_id="c-1", cause=None)
    assert line == "hq-branch ACTIVE -> DOWN connection_id=c-1 cause=None"


def test_a_line_for_machines_has_time_level_logger_message_and_fields():
    line = _json('a "message"\nof two lines', connection_id="c-1", status="DOWN")
    moment = datetime.fromisoformat(line.pop("time"))
    assert moment.tzinfo is not None
    assert abs((datetime.now(moment.tzinfo) - moment).total_seconds()) < 60
    assert line == {
        "level": "info",
        "logger": "a",
        "message": 'a "message"\nof two lines',
        "connection_id": "c-1",
        "status": "DOWN",
    }


def test_a_line_of_a_request_has_its_id():
    token = log_fields.REQUEST_ID.set("r-1")
    try:
        assert _json("failed")["request_id"] == "r-1"
        assert _text("failed") == "failed request_id=r-1"
    finally:
        log_fields.REQUEST_ID.reset(token)
    assert "request_id" not in _json("failed")


@pytest.fixture
def verbose(start_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LANDBRIDGE_LOG_LEVEL", "debug")
    monkeypatch.setenv("LANDBRIDGE_LOG_FORMAT", "json")
    return start_server("data", "--processes", "2")


@pytest.mark.process
def test_a_request_is_one_line_with_the_id_of_its_answer_whichever_process_answers(verbose: Any):
    words = verbose.credentials
    answers = [
        httpx.get(
            f"{words['endpoint']}/v5/{words['project_id']}/vpn-gateways", headers={"X-Auth-Token": words["token"]}
        )
        for _ in range(20)
    ]
    lines = [json.loads(line) for line in verbose.log.splitlines()]
    for answer in answers:
        (line,) = [line for line in lines if line.get("request_id") == answer.headers["X-Request-Id"]]
        assert (line["level"], line["message"].split()[0]) == ("debug", "GET")
    assert words["token"] not in verbose.log


@pytest.mark.process
def test_a_long_path_is_a_short_line(verbose: Any):
    path = f"/v5/{verbose.credentials['project_id']}/vpn-connection/{'z' * 12000}"
    answer = httpx.get(verbose.credentials["endpoint"] + path, headers={"X-Auth-Token": "nobody"})
    assert answer.status_code == 401
    (line,) = [line for line in verbose.log.splitlines() if "zzzz" in line]
    assert len(line) < 600


@pytest.mark.process
def test_an_operator_reads_changes_and_no_requests(start_server: Any, until: Any):
    server = start_server("data")
    words = server.credentials
    headers = {"X-Auth-Token": words["token"]}
    body = {"vpn_gateway": {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]}}
    made = httpx.post(f"{words['endpoint']}/v5/{words['project_id']}/vpn-gateways", headers=headers, json=body)
    assert made.status_code == 201
    until(lambda: "start gateway" in server.log, "the line of the gateway")
    assert "POST" not in server.log


@pytest.mark.parametrize(
    ("name", "value", "allowed"), [("FORMAT", "xml", "text, json"), ("LEVEL", "loud", "debug, info, warning")]
)
def test_another_format_or_level_is_refused(landbridge: Any, tmp_path: Any, name: str, value: str, allowed: str):
    words = {f"LANDBRIDGE_LOG_{name}": value, "HOME": str(tmp_path)}
    refused = landbridge("serve", "--data", str(tmp_path / "d"), **words)
    said = f"landbridge: LANDBRIDGE_LOG_{name}: {value!r} is not one of {allowed}\n"
    assert (refused.returncode, refused.stderr) == (1, said)
