"""What is written beside and after the resources: counters, observations, tokens."""

import itertools
import random
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from landbridge import model
from landbridge.operations import ids
from landbridge.rules import connection as rules
from landbridge.store import (
    connection_pages,
    connections,
    counters,
    customer_gateways,
    gateways,
    idempotency_tokens,
    observations,
    overview,
)
from landbridge.store.sqlite.database import Database, Transaction
from landbridge.store.sqlite.dialect import compiled
from landbridge.store.statement import Statement

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
#: A /30 for each connection: two of one gateway must differ, and random ones meet once in some hundred runs.
_blocks = itertools.count()


def _connect(database: Database, gateway: model.VpnGateway, peer: model.CustomerGateway) -> model.Connection:
    """A connection of the gateway's first endpoint, as the operation writes it."""
    ask = model.ConnectionRequest(
        gateway_endpoint=gateway.endpoints[0].eip_id, peer_subnets=("192.168.44.0/24",), psk=model.Secret("Abcd1234")
    )
    generated = ids.generate(NOW)
    known = rules.GatewayFacts(gateway=gateway, status="ACTIVE", connections=0)
    facts = rules.ConnectionFacts(gateway=known, customer_gateway=peer)
    made = rules.complete(ask, facts, generated, gateway)

    def work(tx: Transaction) -> model.Connection:
        row, _, peer_seq = connections.ends(tx, gateway.project_id, gateway.id, peer.id)
        words = {"identity": rules.identity(ask, facts), "tunnel_block": next(_blocks), "if_id": 1}
        connections.add(tx, made, gateway_seq=row.seq, customer_gateway_seq=peer_seq, psk=b"sealed", **words)
        gateways.count_up(tx, row.seq)
        return made

    return database.write(work)


def _look(gateway: model.VpnGateway, *present: str, **words: Any) -> model.Observation:
    sound = model.Observation(
        gateway_id=gateway.id,
        seen_at=NOW,
        exists=True,
        applied_generation=1,
        failure=None,
        present=frozenset(present),
        connections=tuple(model.ConnectionObservation(connection_id=i, applied_generation=1) for i in present),
    )
    return replace(sound, **words)


def _record(database: Database, seen: model.Observation) -> None:
    database.write(lambda tx: observations.record(tx, seen))


def _mark(database: Database, connection: model.Connection) -> None:
    database.write(lambda tx: connections.mark_deleting(tx, connection, NOW))


def _row(database: Database, connection: model.Connection) -> connections.ConnectionRow | None:
    return database.read(lambda tx: connections.find(tx, connection.project_id, connection.id))


def _counted(database: Database, project: str) -> dict[str, int]:
    def look(tx: Transaction) -> dict[str, int]:
        kept = {kind: counters.value(tx, project, kind) for kind in counters.KINDS}
        return kept | {"vpn_connection": gateways.total_connections(tx, project)}

    return database.read(look)


# -- observations -----------------------------------------------------------------------------------------------------


def test_a_look_is_kept_beside_the_connection(database: Database, made: Any):
    gateway = made.gateway()
    one = _connect(database, gateway, made.customer_gateway())
    assert (_row(database, one).applied, _row(database, one).seen_at) == (None, None)
    _record(database, _look(gateway, one.id))
    row = _row(database, one)
    assert (row.applied, row.seen_at, row.observation.connection_id) == (1, NOW, one.id)


def test_an_applied_generation_outlives_a_report_without_one(database: Database, made: Any):
    gateway = made.gateway()
    one = _connect(database, gateway, made.customer_gateway())
    _record(database, _look(gateway, one.id))
    later = NOW + timedelta(seconds=9)
    blank = model.ConnectionObservation(connection_id=one.id, failure="it broke")
    _record(database, _look(gateway, one.id, seen_at=later, applied_generation=None, connections=(blank,)))
    row = _row(database, one)
    assert (row.applied, row.observation, row.seen_at) == (1, blank, later)
    found = database.read(lambda tx: gateways.find_any(tx, gateway.id))
    assert (found.applied, found.seen_at) == (1, later)


def test_a_look_that_leaves_a_connection_out_keeps_what_was_known_of_it(database: Database, made: Any):
    gateway = made.gateway()
    one = _connect(database, gateway, made.customer_gateway())
    _record(database, _look(gateway, one.id))
    later = NOW + timedelta(hours=1)
    _record(database, _look(gateway, one.id, seen_at=later, connections=()))
    row = _row(database, one)
    assert (row.applied, row.observation.applied_generation, row.seen_at) == (1, 1, later)


def test_a_deleting_connection_goes_only_when_nothing_of_it_is_there(database: Database, made: Any, project: str):
    gateway = made.gateway()
    going, staying = (_connect(database, gateway, made.customer_gateway()) for _ in range(2))
    _mark(database, going)
    _record(database, _look(gateway, going.id, staying.id))
    assert _row(database, going).deleting
    _record(database, _look(gateway, staying.id))
    assert _row(database, going) is None
    assert _row(database, staying) is not None
    assert _counted(database, project)["vpn_connection"] == 1
    assert database.read(lambda tx: gateways.find_any(tx, gateway.id)).connections == 1


def test_a_connection_that_is_not_there_yet_is_not_removed(database: Database, made: Any):
    gateway = made.gateway()
    one = _connect(database, gateway, made.customer_gateway())
    _record(database, _look(gateway))
    assert _row(database, one) is not None


def test_a_look_at_one_gateway_removes_nothing_of_another(database: Database, made: Any):
    one, two = made.gateway(), made.gateway()
    going = _connect(database, two, made.customer_gateway())
    _mark(database, going)
    _record(database, _look(one))
    assert _row(database, going).deleting


def test_a_deleting_gateway_goes_when_it_does_not_exist(database: Database, made: Any, project: str, rows: Any):
    gateway, other = made.gateway(), made.gateway()
    database.write(lambda tx: gateways.mark_deleting(tx, gateway.id, NOW))
    _record(database, _look(gateway))
    assert database.read(lambda tx: gateways.find_any(tx, gateway.id)).deleting
    _record(database, _look(gateway, exists=False))
    assert database.read(lambda tx: gateways.find_any(tx, gateway.id)) is None
    assert database.read(gateways.ids) == [other.id]
    assert set(database.read(lambda tx: gateways.taken(tx, project, None)).values()) == {other.id}
    assert _counted(database, project)["vpn_gateway"] == 1
    assert rows("SELECT * FROM gateway_observation") == []


def test_of_what_is_taken_only_what_is_asked_about_is_read(database: Database, made: Any, project: str):
    gateway, _ = made.gateway(), made.gateway()
    asked = [gateway.endpoints[0].eip_id, "00000000-0000-4000-8000-000000000199"]
    assert database.read(lambda tx: gateways.taken(tx, project, asked)) == {asked[0]: gateway.id}
    assert database.read(lambda tx: gateways.taken(tx, "another project", asked)) == {asked[0]: None}
    statement = compiled(gateways._TAKEN)
    plan = database.read(lambda tx: tx.cursor.execute(f"EXPLAIN QUERY PLAN {statement.text}", ["[]"]).fetchall())
    assert "SEARCH endpoint_use USING INDEX sqlite_autoindex_endpoint_use_1 (endpoint=?)" in [row[3] for row in plan]


def test_a_gateway_that_is_wanted_but_not_there_stays(database: Database, made: Any):
    gateway = made.gateway()
    _record(database, _look(gateway, exists=False))
    assert database.read(gateways.ids) == [gateway.id]


def test_a_look_at_a_gateway_that_is_gone_leaves_nothing(database: Database, made: Any, rows: Any):
    gateway = made.gateway()
    database.write(lambda tx: gateways.mark_deleting(tx, gateway.id, NOW))
    _record(database, _look(gateway, exists=False))
    _record(database, _look(gateway))
    assert rows("SELECT * FROM gateway_observation") == []


def test_an_if_id_is_never_used_again(database: Database, made: Any):
    gateway = made.gateway()
    first = _connect(database, gateway, made.customer_gateway())
    after_first = database.read(lambda tx: gateways.find_any(tx, gateway.id)).next_if_id
    _mark(database, first)
    _record(database, _look(gateway))
    _connect(database, gateway, made.customer_gateway())
    assert database.read(lambda tx: gateways.find_any(tx, gateway.id)).next_if_id == after_first + 1


def test_lists_read_no_routes(database: Database, made: Any):
    gateway = made.gateway()
    one = _connect(database, gateway, made.customer_gateway())
    routes = tuple(model.BgpRoute(prefix=f"10.{number}.0.0/16", next_hop="169.254.1.2") for number in range(200))
    session = model.BgpSession(state="established", accepted=200, routes=routes)
    seen = model.ConnectionObservation(
        connection_id=one.id, applied_generation=1, routes=tuple(route.prefix for route in routes), bgp=session
    )
    _record(database, _look(gateway, one.id, connections=(seen,)))
    before = connections._decode_report.cache_info().currsize

    def check(tx: Transaction) -> None:
        row = gateways.find_any(tx, gateway.id)
        known = connections.find(tx, gateway.project_id, one.id)
        assert row is not None
        assert known is not None
        listed = (known.seq, one, model.StatusFacts(1, False, 1, "down"))
        for page in (
            connection_pages.page(tx, gateway.project_id, 0, 9),
            connection_pages.page_of_gateway(tx, row.seq, 0, 9),
            connection_pages.page_of_gateways(tx, [row.seq], 0, 9),
            connection_pages.page_of_endpoint(tx, row.seq, one.endpoint, 0, 9),
            [connection_pages.find_listed(tx, gateway.project_id, one.id)],
        ):
            assert page == [listed]
        without = replace(session, routes=())
        assert connections.sessions(tx, [known.seq, known.seq + 1]) == {known.seq: without}
        [(shown, _, _)] = connections.with_times(tx, [known.seq])
        assert shown.observation == replace(seen, routes=(), bgp=without)
        assert known.observation == seen
        assert connections.observed_of_gateway(tx, row.seq) == [(one, seen)]

    database.read(check)
    assert connections._decode_report.cache_info().currsize == before + 1, "a long report is not kept"


def test_a_connection_that_nobody_observed_has_no_session(database: Database, made: Any):
    gateway = made.gateway()
    one = _connect(database, gateway, made.customer_gateway())
    row = database.read(lambda tx: connection_pages.find_listed(tx, gateway.project_id, one.id))
    assert row is not None
    assert database.read(lambda tx: connections.sessions(tx, [row.seq])) == {}
    _record(database, _look(gateway, one.id))
    assert database.read(lambda tx: connections.sessions(tx, [row.seq])) == {}


def test_a_page_of_a_gateway_is_one_walk_of_its_index(database: Database):
    statement = compiled(connection_pages._PAGE_OF_GATEWAY)
    plan = database.read(
        lambda tx: tx.cursor.execute(f"EXPLAIN QUERY PLAN {statement.text}", [1] * len(statement.names)).fetchall()
    )
    walk, look = [row[-1] for row in plan]
    assert "ix_connection_gateway_seq_seq (gateway_seq=? AND seq>?)" in walk
    assert "connection_observation USING INTEGER PRIMARY KEY" in look


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (overview._TUNNELS, "ix_connection_project_id_seq"),
        (overview._PEERS, "ix_customer_gateway_project_id_seq"),
        (connection_pages._FACTS_OF_PROJECT, "ix_connection_project_id_seq"),
    ],
)
def test_a_list_of_a_whole_project_reads_an_index_and_parses_no_json(
    database: Database, statement: Statement, index: str
):
    """With 10,000 rows, the rows and their JSON cost more than all the rest."""
    found = database.read(
        lambda tx: tx.cursor.execute(
            f"EXPLAIN {compiled(statement).text}", [1] * len(compiled(statement).names)
        ).fetchall()
    )
    names = dict(database.read(lambda tx: tx.cursor.execute("SELECT rootpage, name FROM sqlite_master").fetchall()))
    opened = {cursor: names[page] for _, code, cursor, page, *_ in found if code == "OpenRead"}
    read = {opened[cursor] for _, code, cursor, *_ in found if code == "Column"}
    assert index in read
    assert not read & {"connection", "customer_gateway"}
    assert "Function" not in {row[1] for row in found}


# -- counters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_counters_equal_counts_after_any_life(database: Database, made: Any, project: str, rows: Any, seed: int):
    chance = random.Random(seed)
    alive: list[model.Connection] = []
    homes = [made.gateway() for _ in range(3)]
    for _ in range(40):
        if alive and chance.random() < 0.4:
            going = alive.pop(chance.randrange(len(alive)))
            _mark(database, going)
            home = next(home for home in homes if home.id == going.gateway_id)
            staying = [each.id for each in alive if each.gateway_id == home.id]
            _record(database, _look(home, *staying))
        else:
            alive.append(_connect(database, chance.choice(homes), made.customer_gateway()))
    actual = {
        kind: rows(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - names of this file
        for kind, table in (
            ("vpn_gateway", "vpn_gateway"),
            ("customer_gateway", "customer_gateway"),
            ("vpn_connection", "connection"),
        )
    }
    assert _counted(database, project) == actual
    of_gateways = dict(
        rows(
            "SELECT vpn_gateway.id, count(*) FROM connection JOIN vpn_gateway ON vpn_gateway.seq = gateway_seq"
            " GROUP BY gateway_seq"
        )
    )
    kept = {home.id: database.read(lambda tx, home=home: gateways.find_any(tx, home.id)).connections for home in homes}
    assert kept == {home.id: of_gateways.get(home.id, 0) for home in homes}


def test_a_write_that_fails_leaves_its_counter_alone(database: Database, project: str):
    def fail(tx: Transaction) -> None:
        counters.add(tx, project, "customer_gateway", 1)
        raise LookupError

    with pytest.raises(LookupError):
        database.write(fail)
    assert _counted(database, project)["customer_gateway"] == 0


def test_the_store_itself_refuses_two_connections_that_cannot_be_told_apart(database: Database, made: Any):
    gateway, peer = made.gateway(), made.customer_gateway()
    first = _connect(database, gateway, peer)
    with pytest.raises(sqlite3.IntegrityError):
        _connect(database, gateway, peer)
    seq = database.read(lambda tx: gateways.find_any(tx, gateway.id)).seq
    assert database.read(lambda tx: connections.facts(tx, seq)).keys() == {first.id}


def test_a_customer_gateway_in_use_cannot_be_removed(database: Database, made: Any):
    peer = made.customer_gateway()
    _connect(database, made.gateway(), peer)
    with pytest.raises(sqlite3.IntegrityError):
        database.write(lambda tx: customer_gateways.remove(tx, peer.id))


# -- tokens -----------------------------------------------------------------------------------------------------------


def _add_token(database: Database, project: str, token: str, now: datetime) -> None:
    words = {"operation": "create", "body_hash": "h", "spec": "{}"}
    database.write(lambda tx: idempotency_tokens.add(tx, project_id=project, token=token, now=now, **words))


def _token(database: Database, project: str, token: str, now: datetime) -> Any:
    return database.read(lambda tx: idempotency_tokens.find(tx, project, token, now))


@pytest.mark.parametrize(
    ("age", "known"),
    [
        pytest.param(timedelta(0), True, id="new"),
        pytest.param(timedelta(hours=24) - timedelta(milliseconds=1), True, id="almost-24-hours"),
        pytest.param(timedelta(hours=24), False, id="24-hours"),
        pytest.param(timedelta(days=3), False, id="3-days"),
    ],
)
def test_a_token_is_known_for_24_hours(database: Database, project: str, age: timedelta, known: bool):
    _add_token(database, project, "t", NOW)
    assert (_token(database, project, "t", NOW + age) is not None) == known


def test_an_expired_token_may_be_used_again_and_old_ones_are_forgotten(database: Database, project: str, rows: Any):
    for name in ("t", "other"):
        _add_token(database, project, name, NOW)
    later = NOW + timedelta(hours=24)
    _add_token(database, project, "t", later)
    assert _token(database, project, "t", later) == ("create", "h", "{}")
    assert rows("SELECT token FROM token") == [("t",)]


def test_a_token_is_one_projects_own(database: Database, project: str):
    _add_token(database, project, "t", NOW)
    assert _token(database, "another", "t", NOW) is None
