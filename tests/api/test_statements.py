"""How many SQL statements a create costs: each is paid for on every request."""

import re
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def trace(service: Any) -> Iterator[list[str]]:
    """The statements of the writer's connection, as SQLite runs them."""
    seen: list[str] = []
    service.data.database.write(lambda tx: tx.cursor.connection.set_trace_callback(seen.append))
    yield seen
    service.data.database.write(lambda tx: tx.cursor.connection.set_trace_callback(None))


def _operations(trace: list[str]) -> list[list[str]]:
    """The statements between each savepoint and its release; a many-row insert counts once."""
    found: list[list[str]] = []
    inside = False
    for statement in trace:
        if statement.startswith("SAVEPOINT"):
            inside = True
            found.append([])
        elif statement.startswith(("RELEASE", "ROLLBACK TO")):
            inside = False
        elif inside and _table(statement) not in [_table(before) for before in found[-1][-1:]]:
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
    body = api.wish(gateway, peer, tags=[{"key": f"k{n}", "value": "v"} for n in range(20)])
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
