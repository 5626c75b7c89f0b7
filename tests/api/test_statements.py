"""How many SQL statements a create costs: each is paid for on every request."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from landbridge.store.sqlite.dialect import Compiled


@pytest.fixture
def trace(service: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements of the writer's connection, as SQLite runs them; a many-row insert is one, without its values."""
    seen: list[str] = []
    writer = service.data.database.write(lambda tx: tx.cursor.connection)
    run_many = Compiled.run_many

    def count_once(self: Compiled, cursor: sqlite3.Cursor, rows: list[dict[str, Any]]) -> None:
        assert cursor.connection is writer
        seen.append(self.text)
        writer.set_trace_callback(None)
        run_many(self, cursor, rows)
        writer.set_trace_callback(seen.append)

    monkeypatch.setattr(Compiled, "run_many", count_once)
    service.data.database.write(lambda _: writer.set_trace_callback(seen.append))
    yield seen
    service.data.database.write(lambda _: writer.set_trace_callback(None))


def _operations(trace: list[str]) -> list[list[str]]:
    """The statements of each transaction that wrote. Nobody else writes here, so each has one operation."""
    found: list[list[str]] = []
    inside = False
    for statement in trace:
        if statement.startswith("BEGIN"):
            inside = True
            found.append([])
        elif statement.startswith(("COMMIT", "ROLLBACK")):
            inside = False
        elif inside:
            found[-1].append(statement)
    return found


def _table(statement: str) -> str:
    """What an insert inserts into; any other statement stands for itself."""
    match = re.match(r"INSERT INTO (\w+)", statement)
    return match[1] if match else statement


def _create(trace: list[str], table: str) -> list[str]:
    (found,) = [each for each in _operations(trace) if any(_table(statement) == table for statement in each)]
    return found


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="static"),
        pytest.param({"tunnel_local_address": "169.254.76.1/30"}, id="addresses-given"),
        pytest.param({"style": "policy", "peer_subnets": [f"192.168.{n}.0/24" for n in range(50)]}, id="policy"),
    ],
)
def test_a_create_of_a_connection_takes_at_most_eight_statements(service: Any, trace: list[str], fields: Any):
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    for _ in range(3):
        api.connection(gateway)
    trace.clear()
    made = api.connection(gateway, peer, **fields)
    statements = _create(trace, "connection")
    assert made["id"] in " ".join(statements)
    assert 4 <= len(statements) <= 8, "\n".join(statements)


def test_tags_and_a_token_cost_three_more(service: Any, trace: list[str]):
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    trace.clear()
    body = api.connection_body(gateway, peer, tags=[{"key": f"k{n}", "value": "v"} for n in range(20)])
    assert api.send("POST", "vpn-connection", {"vpn_connection": body}, X_Client_Token="t").status_code == 201
    assert len(_create(trace, "connection")) <= 8 + 1 + 3


def test_a_create_does_not_read_its_siblings(service: Any, trace: list[str]):
    """The rows that a create reads do not grow with the gateway's connections."""
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    for _ in range(20):
        api.connection(gateway)
    trace.clear()
    api.connection(gateway, peer)
    reads = [each for each in _create(trace, "connection") if each.startswith("SELECT")]
    rows = service.data.database.read(lambda tx: sum(len(tx.cursor.execute(each).fetchall()) for each in reads))
    assert rows <= 4
    plans = service.data.database.read(
        lambda tx: [row[3] for each in reads for row in tx.cursor.execute("EXPLAIN QUERY PLAN " + each).fetchall()]
    )
    assert [plan for plan in plans if plan.startswith("SCAN")] == []


def test_rows_that_are_inserted_one_by_one_count_one_by_one(service: Any, trace: list[str]):
    insert = "INSERT INTO setting (name, value) VALUES (?, ?)"
    rows = [(f"n{number}", b"") for number in range(3)]
    trace.clear()
    service.data.database.write(lambda tx: [tx.cursor.execute(insert, row) for row in rows])
    assert len(_create(trace, "setting")) == 3
