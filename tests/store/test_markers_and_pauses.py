"""Small things of the store: markers of pages, what a removed gateway leaves, and what connections to the file keep in memory."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.store import customer_gateways, gateways, observations, pauses, vault
from landbridge.store.sqlite import Database
from landbridge.store.sqlite import database as store
from landbridge.store.sqlite.dialect import compiled
from tests.store.conftest import NOW

SAFE = vault.Vault(b"k" * vault.KEY_BYTES)


@given(number=st.integers(0, 2**63 - 1), other=st.integers(0, 2**63 - 1))
def test_a_marker_is_its_numbers_own_and_tells_nothing_of_it(number: int, other: int):
    marker = SAFE.seal_marker(number, "one list")
    assert SAFE.open_marker(marker, "one list") == number
    assert SAFE.open_marker(marker, "another list") is None
    assert vault.Vault(b"x" * vault.KEY_BYTES).open_marker(marker, "one list") is None
    assert (marker == SAFE.seal_marker(other, "one list")) == (number == other)
    assert number.to_bytes(8, "big") not in marker


@pytest.mark.parametrize("wrong", [b"", b"short", b"x" * 24, b"x" * 500])
def test_what_is_no_marker_is_none(wrong: bytes):
    assert SAFE.open_marker(wrong, "one list") is None


def test_a_marker_needs_no_message_of_the_master_key(monkeypatch: pytest.MonkeyPatch):
    """A key may seal 2^32 messages with random nonces; pages are asked for more often than that."""
    monkeypatch.setattr(vault.os, "urandom", lambda _: pytest.fail("a nonce was drawn"))
    SAFE.seal_marker(1, "one list")


def test_a_pause_ends_with_its_gateway(database: Database, made: SimpleNamespace):
    gone, stays = made.gateway(), made.gateway()
    for one in (gone, stays):
        database.write(lambda tx, one=one: pauses.add(tx, one.id, NOW))
    database.write(lambda tx: gateways.mark_deleting(tx, gone.id, NOW))
    nothing = observations.model.Observation(
        gateway_id=gone.id,
        seen_at=NOW,
        exists=False,
        applied_generation=None,
        failure=None,
        present=frozenset(),
        connections=(),
    )
    database.write(lambda tx: observations.record(tx, nothing))
    assert set(database.read(pauses.list_all)) == {stays.id}


def test_a_reader_keeps_little_of_the_file_in_memory(database: Database):
    """There is one in every thread: forty of the writer's size would take 2.5 GB."""

    def size(tx: Any) -> int:
        return -tx.cursor.execute("PRAGMA cache_size").fetchone()[0]

    assert database.write(size) == store.WRITER_CACHE_KIB
    assert database.read(size) == store.READER_CACHE_KIB
    assert 40 * store.READER_CACHE_KIB < 256 * 1024


def test_a_certificate_is_found_by_its_index_and_by_no_look_at_every_customer_gateway(database: Database):
    statement = compiled(customer_gateways._CERTIFICATE).text

    def plan(tx: Any) -> str:
        rows = tx.cursor.execute(f"EXPLAIN QUERY PLAN {statement}", ("p", "c", 1, 0)).fetchall()
        return " ".join(row[3] for row in rows)

    assert "USING INDEX ix_customer_gateway_certificate (project_id=? AND <expr>=?)" in database.read(plan)
