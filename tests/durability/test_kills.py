"""SIGKILL while many callers write: what was answered is there, what was not is whole or absent, and a retry settles it."""

import http.client
import itertools
import os
import signal
import sqlite3
import threading
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab import processes
from tests.durability.conftest import ALONE, Answer, Server, findings, peer, tunnel

KILLS = 20
CALLERS = 16
#: Answers between two kills: from some hundred down to the first few after a start.
WORK = (300, 20, 150, 60)


@dataclass
class Wish:
    """One write: it is asked until there is an answer. `name` is a create's: nobody else's resource has it."""

    method: str
    path: str
    body: Any = None
    name: str | None = None

    @property
    def removes(self) -> str | None:
        return self.path.rpartition("/")[2] if self.method == "DELETE" else None


@dataclass
class Ledger:
    """What one caller was answered, and what it asks now."""

    made: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    asking: Wish | None = None
    answers: int = 0
    tries: int = 0


class Site:
    """The server of the moment, and the callers that work on it or wait for the next one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._server: Server | None = None
        self.waiting = 0
        self.closing = False

    def comes(self, server: Server) -> None:
        with self._changed:
            self._server = server
            self._changed.notify_all()

    def goes(self) -> None:
        with self._changed:
            self._server = None

    def closes(self) -> None:
        with self._changed:
            self.closing = True
            self._changed.notify_all()

    def server(self) -> Server | None:
        """The server, once there is one; None when the day is over."""
        with self._changed:
            self.waiting += 1
            self._changed.wait_for(lambda: self._server is not None or self.closing)
            self.waiting -= 1
            return self._server


def _work(caller: int, gateway: Any) -> Generator[Wish, Any, None]:
    """Creates and deletes of customer gateways and connections without end. What is sent in is the answer."""
    for number in itertools.count(caller, CALLERS):
        made = yield Wish("POST", "customer-gateways", peer(2 * number), f"peer-{2 * number}")
        body = tunnel(gateway, made["customer_gateway"]["id"], number)
        tunnel_made = yield Wish("POST", "vpn-connection", body, f"tunnel-{number}")
        made = yield Wish("POST", "customer-gateways", peer(2 * number + 1), f"peer-{2 * number + 1}")
        yield Wish("DELETE", f"customer-gateways/{made['customer_gateway']['id']}")
        if number % 2:
            yield Wish("DELETE", f"vpn-connection/{tunnel_made['vpn_connection']['id']}")


class Worker(threading.Thread):
    def __init__(self, site: Site, number: int, gateway: Any) -> None:
        super().__init__(name=f"caller-{number}")
        self.ledger = Ledger()
        self.error: BaseException | None = None
        self._site, self._wishes = site, _work(number, gateway)

    def run(self) -> None:
        try:
            self.ledger.asking = next(self._wishes)
            while not self._is_done() and (server := self._site.server()):
                with suppress(OSError, http.client.HTTPException), closing(server.caller()) as caller:
                    while not self._is_done():
                        self._ask(caller)
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            self.error = error

    def _is_done(self) -> bool:
        """Whoever has asked and was not answered goes on."""
        return self._site.closing and not self.ledger.tries

    def _ask(self, caller: Any) -> None:
        wish, ledger = self.ledger.asking, self.ledger
        assert wish is not None
        ledger.tries += 1
        status, answer = caller.ask(wish.method, wish.path, wish.body, wish.name)
        self._note(wish, status, answer, again=ledger.tries > 1)
        ledger.tries = 0
        ledger.answers += 1
        ledger.asking = self._wishes.send(answer)

    def _note(self, wish: Wish, status: int, answer: Any, *, again: bool) -> None:
        if wish.removes is not None:
            assert status == 204 or (again and status == 404), (wish, status, answer)
            self.ledger.gone.add(wish.removes)
            self.ledger.made.pop(wish.removes)
        else:
            assert status == 201, (wish, status, answer)
            (made,) = (value for value in answer.values() if isinstance(value, dict))
            assert made["name"] == wish.name
            self.ledger.made[made["id"]] = made["name"]


def _stored(folder: Path) -> dict[str, tuple[str, bool]]:
    """Name and 'deleting' of every customer gateway and connection, by id, as another process sees them."""
    with closing(sqlite3.connect(f"file:{folder / 'landbridge.db'}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT id, spec ->> '$.name', deleting FROM connection"
            " UNION ALL SELECT id, spec ->> '$.name', 0 FROM customer_gateway"
        ).fetchall()
    return {row_id: (name, bool(deleting)) for row_id, name, deleting in rows}


def _account(folder: Path, ledgers: list[Ledger]) -> int:
    """Holds the folder of a killed server against what was answered; gives how many creates are stored but unanswered."""
    stored = _stored(folder)
    names = [name for name, _ in stored.values()]
    assert len(set(names)) == len(names)
    made = {key: name for ledger in ledgers for key, name in ledger.made.items()}
    gone = set().union(*(ledger.gone for ledger in ledgers))
    going = {ledger.asking.removes for ledger in ledgers if ledger.asking}
    asked = {ledger.asking.name for ledger in ledgers if ledger.asking}
    assert {key for key in made if key not in stored or stored[key][1]} <= going, "an answered 201 is lost"
    assert {key for key in gone if key in stored and not stored[key][1]} == set(), "an answered delete is undone"
    extra = {name for key, (name, _) in stored.items() if key not in made and key not in gone}
    assert extra <= asked, "something is there that nobody asked for"
    return len(extra)


def _answers(ledgers: list[Ledger]) -> int:
    return sum(ledger.answers for ledger in ledgers)


def test_sigkill_under_load_loses_nothing_that_was_answered(folder: Path, gateway: Any, start: Any, until: Any):
    site = Site()
    workers = [Worker(site, number, gateway) for number in range(CALLERS)]
    ledgers = [worker.ledger for worker in workers]
    unanswered = 0
    for worker in workers:
        worker.start()
    try:
        for kill in range(KILLS):
            server = start(folder).ready(until)
            wanted = _answers(ledgers) + WORK[kill % len(WORK)]
            site.comes(server)
            until(lambda wanted=wanted: _answers(ledgers) >= wanted or any(w.error for w in workers), "some work")
            site.goes()
            for pid in processes.workers(server.pid):
                os.kill(pid, signal.SIGKILL)
            server.end(until)
            until(lambda: site.waiting == CALLERS or any(w.error for w in workers), "all callers to notice")
            assert [worker.error for worker in workers if worker.error] == []
            unanswered += _account(folder, ledgers)
            assert findings(folder) == []
            assert "Traceback" not in server.log
        site.comes(start(folder).ready(until))
    finally:
        site.closes()
        for worker in workers:
            worker.join(90)
    assert [worker.error for worker in workers if worker.error] == []
    assert _account(folder, ledgers) == 0
    print(f"{KILLS} kills, {_answers(ledgers)} answers, {unanswered} stored unanswered")  # noqa: T201 - with -s
    assert findings(folder) == []


UNANSWERED = """
from landbridge.store.sqlite import database
settle = database._Job.settle
database._Job.settle = lambda job: os.kill(os.getpid(), signal.SIGKILL) if job.future else settle(job)
"""


def test_a_create_that_was_stored_but_not_answered_is_answered_by_its_retry(folder: Path, start: Any, until: Any):
    """Killed between commit and answer, then again, then asked in peace: one resource, and the body must be the same."""
    before = _stored(folder)
    for _ in range(2):
        caller = start(folder, *ALONE, beforehand=UNANSWERED).ready(until).caller()
        with pytest.raises((OSError, http.client.HTTPException)):
            caller.ask("POST", "customer-gateways", peer(1), "the token")
        assert [name for key, (name, _) in _stored(folder).items() if key not in before] == ["peer-1"]
    server = start(folder).ready(until)
    caller = server.caller()
    answers: list[Answer] = [caller.ask("POST", "customer-gateways", peer(1), "the token") for _ in range(2)]
    assert [status for status, _ in answers] == [201, 201]
    assert {answer["customer_gateway"]["id"] for _, answer in answers} == _stored(folder).keys() - before.keys()
    status, answer = caller.ask("POST", "customer-gateways", peer(2), "the token")
    assert (status, answer["error_code"]) == (400, "VPN.0031")
    caller.close()
    assert findings(folder) == []


UNSTORED = """
from landbridge.store.sqlite import database
commit = database._commit
database._commit = lambda c, group: os.kill(os.getpid(), signal.SIGKILL) if group[0].future else commit(c, group)
"""


def test_a_create_that_was_killed_before_its_commit_is_made_by_its_retry(folder: Path, start: Any, until: Any):
    before = _stored(folder)
    caller = start(folder, *ALONE, beforehand=UNSTORED).ready(until).caller()
    with pytest.raises((OSError, http.client.HTTPException)):
        caller.ask("POST", "customer-gateways", peer(1), "the token")
    assert _stored(folder) == before
    assert findings(folder) == []
    caller = start(folder).ready(until).caller()
    assert caller.ask("POST", "customer-gateways", peer(1), "the token")[0] == 201
    caller.close()
    assert len(_stored(folder)) == len(before) + 1
