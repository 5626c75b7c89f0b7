"""When a gateway is to be looked at: after events, for what is said, and at times that were asked for."""

import math
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from vici.protocol import Packet

from lab import sites
from landbridge.engine.strongswan.ike import attempts, silences, state, unanswered_requests, vici_events, vici_protocol

REFUSED = {
    "group": b"IKE",
    "ikesa-name": b"one",
    "ikesa-uniqueid": b"1",
    "msg": b"received NO_PROPOSAL_CHOSEN notify error",
}


class Ears:
    """A watcher of no charon, which runs, and the looks that it asks for."""

    def __init__(self) -> None:
        self.looks: list[float] = []
        self.log, self.silence = attempts.AttemptLog(), silences.Silence()
        waiting = unanswered_requests.UnansweredRequests()
        self.watcher = vici_events.Watcher(
            lambda _: {},
            lambda _: waiting,
            lambda _: self.log,
            lambda _: self.silence,
            lambda _: self.looks.append(time.monotonic()),
        )
        self.subscription = vici_events._Subscription("g", Path("g"), socket.socket(), ask_at=math.inf)
        self.watcher._subscriptions["g"] = self.subscription

    def hear(self, kind: str, message: dict[str, bytes]) -> None:
        self.watcher._event(self.subscription, kind, message)


@pytest.fixture
def ears() -> Iterator[Ears]:
    made, stop = Ears(), threading.Event()
    thread = threading.Thread(target=made.watcher.run, args=(stop,))
    thread.start()
    yield made
    stop.set()
    thread.join()
    made.subscription.socket.close()


def test_an_event_does_not_swallow_a_later_look_that_was_asked_for(ears: Ears):
    """The retry of one connection was lost when another one had news."""
    began = time.monotonic()
    ears.watcher.call_after("g", 1.0)
    ears.hear("child-updown", {})
    sites.wait_for(lambda: len(ears.looks) == 2, "both looks")
    assert ears.looks[0] - began < 1.0 <= ears.looks[1] - began


def test_a_look_that_is_asked_for_at_once_waits_for_nothing(ears: Ears, monkeypatch: pytest.MonkeyPatch):
    """A path that is down costs traffic. The watcher would sleep on otherwise."""
    monkeypatch.setattr(vici_events, "TICK", 3600.0)
    monkeypatch.setattr(vici_events, "SCAN", 3600.0)
    ears.watcher.rescan()  # it goes to sleep with these
    time.sleep(0.3)
    ears.watcher.call_soon("g")
    sites.wait_for(lambda: ears.looks, "the look", seconds=10)
    monkeypatch.undo()
    ears.watcher.rescan()


def test_a_burst_of_events_is_one_look(ears: Ears):
    for _ in range(500):
        ears.hear("ike-updown", {})
    sites.wait_for(lambda: ears.looks, "a look")
    time.sleep(3 * vici_events.DEBOUNCE)
    assert len(ears.looks) == 1


def test_what_is_said_is_looked_at_at_once_and_a_flood_of_it_now_and_then(ears: Ears):
    began = time.monotonic()
    while time.monotonic() - began < 1.5 * vici_events.LINE_LOOK_PAUSE:
        ears.hear("log", REFUSED)
        time.sleep(0.001)
    sites.wait_for(lambda: len(ears.looks) == 2, "two looks")
    first, second = ears.looks
    assert first - began < 1.0
    assert second - first >= vici_events.LINE_LOOK_PAUSE - vici_events.TICK


def test_what_decides_nothing_is_no_reason_to_look(ears: Ears):
    ears.hear("log", REFUSED | {"msg": b"selected proposal: IKE:AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024"})
    time.sleep(5 * vici_events.DEBOUNCE)
    assert ears.looks == []


@pytest.mark.parametrize("is_answered", [True, False], ids=["a lost packet", "no answer"])
def test_a_request_of_an_sa_that_is_up_is_looked_at_when_its_answer_is_late(
    ears: Ears, monkeypatch: pytest.MonkeyPatch, *, is_answered: bool
):
    monkeypatch.setattr(vici_events, "DOUBT", 0.3)
    up = state.IkeSa(name="one", unique_id="1", state="ESTABLISHED")
    ears.log.look(state.IkeState(conns={"one": frozenset({"a"})}, sas=(up,)), {})
    ears.hear("log", REFUSED | {"msg": b"retransmit 1 of request with message ID 4"})
    if is_answered:
        ears.hear("log", REFUSED | {"msg": b"parsed INFORMATIONAL response 4 [ ]"})
    time.sleep(0.2)
    assert ears.looks == []
    time.sleep(0.6)
    assert len(ears.looks) == (not is_answered)


def test_many_answers_that_are_late_are_looked_at_now_and_then(ears: Ears, monkeypatch: pytest.MonkeyPatch):
    """Devices that die at once are asked one after another."""
    monkeypatch.setattr(vici_events, "DOUBT", 0.2)
    monkeypatch.setattr(vici_events, "LINE_LOOK_PAUSE", 1.0)
    numbers = [str(number) for number in range(1, 41)]
    up = tuple(state.IkeSa(name="one", unique_id=number, state="ESTABLISHED") for number in numbers)
    ears.log.look(state.IkeState(conns={"one": frozenset({"a"})}, sas=up), {})
    for number in numbers:
        said = {"ikesa-uniqueid": number.encode(), "msg": b"retransmit 1 of request with message ID 4"}
        ears.hear("log", REFUSED | said)
        time.sleep(0.02)
    last_heard = time.monotonic()
    sites.wait_for(
        lambda: ears.looks and ears.looks[-1] > last_heard + vici_events.DOUBT, "a look after the last answer was late"
    )
    assert len(ears.looks) <= 1 + (ears.looks[-1] - ears.looks[0]) / (vici_events.LINE_LOOK_PAUSE - vici_events.SLACK)


@pytest.fixture
def questioned(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ears, socket.socket]]:
    """A watcher that asks often, and the other end of its conversation with a charon."""
    monkeypatch.setattr(vici_events, "SCAN", 0.05)
    monkeypatch.setattr(vici_events, "TICK", 0.05)
    monkeypatch.setattr(vici_events, "QUESTION_PAUSE", 0.2)
    monkeypatch.setattr(vici_events, "ANSWER_TIME", 0.2)
    made, (ours, theirs) = Ears(), socket.socketpair()
    made.subscription.socket.close()
    made.subscription.socket, made.subscription.ask_at = ours, 0.0
    stop = threading.Event()
    thread = threading.Thread(target=made.watcher.run, args=(stop,))
    thread.start()
    with theirs:
        yield made, theirs
        stop.set()
        thread.join()


def test_a_charon_that_does_not_answer_is_looked_at_and_its_silence_counts(questioned: tuple[Ears, socket.socket]):
    ears, _ = questioned
    sites.wait_for(lambda: len(ears.looks) >= 2, "looks")
    assert ears.silence.seconds() >= 0.2


def test_an_answer_ends_the_silence(questioned: tuple[Ears, socket.socket]):
    ears, charon = questioned
    sites.wait_for(ears.silence.seconds, "a question without an answer")
    vici_protocol.Transport(charon).send(bytes([Packet.CMD_RESPONSE]))
    ears.watcher._receive(selectors.DefaultSelector(), ears.subscription)
    assert ears.silence.seconds() == 0
