"""What a page reads, in statements and rows: it does not grow with what the page does not show, and viewers share it."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest

from landbridge import errors
from landbridge.console import read_cache
from landbridge.store import overview as store
from landbridge.store.sqlite.database import Transaction


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, int]]:
    """Each read statement that a page ran, with the number of its rows. The agent reads in threads of its own."""
    seen: list[tuple[Any, int]] = []

    def count(name: str) -> None:
        plain = getattr(Transaction, name)

        def counted(self: Transaction, statement: Any, **given: Any) -> Any:
            found = plain(self, statement, **given)
            if name == "each":
                found = list(found)
            if threading.current_thread().name.startswith(("http", "store")):
                seen.append(
                    (statement, len(found) if isinstance(found, list) and name != "one" else int(found is not None))
                )
            return iter(found) if name == "each" else found

        monkeypatch.setattr(Transaction, name, counted)

    for name in ("one", "all", "each"):
        count(name)
    return seen


def _cost(one: Any, rest: str, reads: list[tuple[Any, int]]) -> tuple[int, int]:
    """Statements and rows of a page."""
    reads.clear()
    one.page(rest)
    return len(reads), sum(rows for _, rows in reads)


#: Pages of one resource, and lists that have pages: {gateway} has two connections, and another gateway gets more and more.
PAGES = (
    "/gateways/{gateway}",
    "/connections?gateway={gateway}",
    "/connections/{connection}",
    "/customer-gateways/{peer}",
    "/gateways/{gateway}/edit",
    "/gateways/{gateway}/delete",
    "/new-gateway",
    "/tags/vpn-gateway/{gateway}",
    "/keys",
    "/quotas",
    "/node",
)


def test_a_page_of_one_thing_does_not_read_the_others(person: Any, reads: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_cache.ReadCache, "get", lambda *given: given[-1]())  # each page reads all that it shows
    one = person()
    gateway, other, peer = one.api.gateway(), one.api.gateway(), one.api.customer_gateway()
    made = [one.api.connection(gateway, to) for to in (peer, one.api.customer_gateway())]
    one.api.connection(other)
    ids = {"gateway": gateway["id"], "connection": made[0]["id"], "peer": peer["id"]}
    for each in made:
        one.api.connection_as(each["id"], "ACTIVE")
    before = {page: _cost(one, page.format_map(ids), reads) for page in PAGES}
    for number in range(12):
        one.api.connection(other, peer_subnets=[f"172.22.{number}.0/24"])
    after = {page: _cost(one, page.format_map(ids), reads) for page in PAGES}
    grown = {page: (before[page], after[page]) for page in PAGES if after[page][1] > before[page][1]}
    assert grown == {}


def _tunnel_reads(reads: list[tuple[Any, int]]) -> int:
    return sum(statement is store._TUNNELS for statement, _ in reads)


def test_viewers_share_one_read_until_something_changes(person: Callable[..., Any], shared_service: Any, reads: Any):
    one = person()
    others = [person(shared_service.api(one.api.project_id, "reader")) for _ in range(3)]
    made = one.api.connection(one.api.gateway(), name="first")
    one.api.connection_as(made["id"], "ACTIVE")
    everybody = [one, *others]
    for name in ("second", "third"):
        one.api.send("PUT", f"vpn-connection/{made['id']}", {"vpn_connection": {"name": name}})
        reads.clear()
        for rest in ("", "?health=up", "/connections"):
            texts = [each.page(rest) for each in everybody]
            assert rest == "" or all(name in text for text in texts)
        assert _tunnel_reads(reads) <= 2  # a minute may end meanwhile
        assert all(("New connection" in text) == (each is one) for each, text in zip(everybody, texts, strict=True))


def test_whatever_changes_is_on_the_next_page(person: Callable[..., Any]):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway(name="old-branch")
    made = one.api.connection(gateway, peer, name="old-name")
    path, row = f"vpn-connection/{made['id']}", f'id="r-{made["id"]}"'
    one.api.connection_as(made["id"], "ACTIVE")
    assert all(word in one.page("/connections") for word in ("old-name", "old-branch"))
    one.api.send("PUT", f"customer-gateways/{peer['id']}", {"customer_gateway": {"name": "new-branch"}})
    assert "new-branch" in one.page("/connections")
    one.api.send("PUT", path, {"vpn_connection": {"name": "new-name"}})
    one.api.connection_as(made["id"], "ACTIVE")
    assert "new-name" in one.page("/connections")
    assert [row in one.page(f"?health=up&q={name}") for name in ("new-branch", "new-name", "old-name")] == [
        True,
        True,
        False,
    ]
    assert row not in one.page()
    one.api.simulate(made["id"], "down")
    one.api.connection_as(made["id"], "DOWN")
    assert row in one.page()
    one.api.delete(path)
    one.api.gone(path)
    assert row not in one.page() + one.page("/connections")


def test_a_project_shares_nothing_with_another(person: Callable[..., Any]):
    one, other = person(), person()
    one.api.gateway(name="only-here")
    assert "only-here" in one.page()
    assert "only-here" not in other.page()


class _Reads:
    """A read that counts and takes a turn of the loop. `error`: how the first one fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.number = 0
        self.error = error

    async def __call__(self) -> int:
        self.number += 1
        number = self.number
        await asyncio.sleep(0)
        if self.error is not None and number == 1:
            raise self.error
        return number


@pytest.fixture
def cache() -> read_cache.ReadCache:
    return read_cache.ReadCache()


def test_visits_at_the_same_time_wait_for_one_read(cache: read_cache.ReadCache):
    read = _Reads()

    async def visit() -> list[Any]:
        return await asyncio.gather(*(cache.get("p", (1,), "n", read) for _ in range(50)))

    assert asyncio.run(visit()) == [1] * 50


@pytest.mark.parametrize(
    "error",
    [errors.Unauthenticated("the key of the first visit was revoked"), sqlite3.OperationalError("disk I/O error")],
)
def test_a_read_that_fails_is_the_failure_of_its_own_visit(cache: read_cache.ReadCache, error: Exception):
    read = _Reads(error)

    async def visits() -> list[Any]:
        visits = (cache.get("p", (1,), "n", read) for _ in range(3))
        return await asyncio.gather(*visits, return_exceptions=True)

    failed, *others = asyncio.run(visits())
    assert failed is error
    assert all(isinstance(each, int) for each in others)


def test_a_failed_read_is_not_kept_when_its_visit_is_over(cache: read_cache.ReadCache):
    read = _Reads(sqlite3.OperationalError("disk I/O error"))

    async def visits() -> Any:
        first = asyncio.ensure_future(cache.get("p", (1,), "n", read))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        for _ in range(5):  # the read ends
            await asyncio.sleep(0)
        return await asyncio.gather(*(cache.get("p", (1,), "n", read) for _ in range(2)))

    assert asyncio.run(visits()) == [2, 2]


def test_in_a_large_project_refreshes_use_a_mark_for_a_while(
    cache: read_cache.ReadCache, monkeypatch: pytest.MonkeyPatch
):
    now = 100.0
    monkeypatch.setattr(read_cache.time, "monotonic", lambda: now)
    marks = iter(range(1, 100))

    def mark(*, is_refresh: bool) -> int:
        return cache.mark("p", lambda: (next(marks),), is_refresh=is_refresh)[0]

    assert [mark(is_refresh=True) for _ in "ab"] == [1, 2]
    cache.note("p", read_cache.FEW - 1)
    assert [mark(is_refresh=True) for _ in "ab"] == [3, 4]
    cache.note("p", 10_000)
    assert [mark(is_refresh=True) for _ in "ab"] == [4, 4]
    assert mark(is_refresh=False) == 5  # somebody opens a page
    assert mark(is_refresh=True) == 5
    now += 10_000 / read_cache.HELD_A_SECOND + 0.1
    assert mark(is_refresh=True) == 6
