"""When a gateway is to be looked at: after events, for what is said, and at times that were asked for."""

import contextlib
import itertools
import math
import os
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from vici.protocol import Packet

from lab import sites
from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.ike import attempts, silences, state, unanswered_requests, vici_events, vici_protocol

REFUSED = {
    "group": b"IKE",
    "ikesa-name": b"one",
    "ikesa-uniqueid": b"1",
    "msg": b"received NO_PROPOSAL_CHOSEN notify error",
}


class Ears:
    """A watcher of no charon, and the looks that it asks for. `pass_time` runs it on a clock of its own, which stands still while it works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks: list[float] = []
        self.log, self.silence = attempts.AttemptLog(), silences.Silence()
        waiting = unanswered_requests.UnansweredRequests()
        self.watcher = vici_events.Watcher(
            lambda _: {},
            lambda _: waiting,
            lambda _: self.log,
            lambda _: self.silence,
            lambda _: self.looks.append(self.now),
        )
        ours, self.charon = socket.socketpair()
        self.subscription = vici_events._Subscription("g", Path("g"), ours, ask_at=math.inf)
        self.watcher._subscriptions["g"] = self.subscription
        self._until = self.now

    def hear(self, kind: str, message: dict[str, bytes]) -> None:
        self.watcher._event(self.subscription, kind, message)

    def pass_time(self, seconds: float) -> None:
        self._until = self.now + seconds
        while self.now < self._until:
            self.watcher._wait_once(cast("selectors.BaseSelector", self))

    def select(self, timeout: float) -> list[Any]:
        """As of a selector where nothing comes."""
        self.now = min(self.now + timeout, self._until)
        return []


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ears]:
    made = Ears()
    for module in (vici_events, silences):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: made.now))
    with made.subscription.socket, made.charon, made.watcher._wake, made.watcher._woken:
        yield made


def test_an_event_does_not_swallow_a_later_look_that_was_asked_for(ears: Ears):
    """The retry of one connection was lost when another one had news."""
    began = ears.now
    ears.watcher.call_after("g", 1.0)
    ears.hear("child-updown", {})
    ears.pass_time(3.0)
    first, second = ears.looks
    assert first - began < 0.1
    assert 1.0 <= second - began <= 1.0 + vici_events.SLACK


def test_a_look_that_is_asked_for_at_once_waits_for_nothing(monkeypatch: pytest.MonkeyPatch):
    """A path that is down costs traffic. The watcher would sleep on otherwise."""
    monkeypatch.setattr(vici_events, "TICK", 3600.0)
    monkeypatch.setattr(vici_events, "SCAN", 3600.0)
    ears, stop = Ears(), threading.Event()
    thread = threading.Thread(target=ears.watcher.run, args=(stop,))
    thread.start()
    with ears.charon:
        time.sleep(0.1)  # it goes to sleep
        ears.watcher.call_soon("g")
        sites.wait_for(lambda: ears.looks, "the look")
        stop.set()
        ears.watcher.rescan()
        thread.join()


def test_a_burst_of_events_is_one_look(ears: Ears):
    for _ in range(500):
        ears.hear("ike-updown", {})
    ears.pass_time(10.0)
    assert len(ears.looks) == 1


def test_what_is_said_is_looked_at_at_once_and_a_flood_of_it_now_and_then(ears: Ears):
    began = ears.now
    while ears.now - began < 1.5 * vici_events.LINE_OBSERVATION_PAUSE:
        ears.hear("log", REFUSED)
        ears.pass_time(0.001)
    first, second = ears.looks
    assert first - began < 0.1
    assert second - first >= vici_events.LINE_OBSERVATION_PAUSE


def test_what_decides_nothing_is_no_reason_to_look(ears: Ears):
    ears.hear("log", REFUSED | {"msg": b"selected proposal: IKE:AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024"})
    ears.pass_time(10.0)
    assert ears.looks == []


@pytest.mark.parametrize("is_answered", [True, False], ids=["a lost packet", "no answer"])
def test_a_request_of_an_sa_that_is_up_is_looked_at_when_its_answer_is_late(ears: Ears, *, is_answered: bool):
    up = state.IkeSa(name="one", unique_id="1", state="ESTABLISHED")
    ears.log.observe(state.IkeState(conns={"one": frozenset({"a"})}, sas=(up,)), {})
    ears.hear("log", REFUSED | {"msg": b"retransmit 1 of request with message ID 4"})
    if is_answered:
        ears.hear("log", REFUSED | {"msg": b"parsed INFORMATIONAL response 4 [ ]"})
    ears.pass_time(vici_events.DOUBT - 0.001)
    assert ears.looks == []
    ears.pass_time(vici_events.TICK + vici_events.DEBOUNCE + 0.001)
    assert len(ears.looks) == (not is_answered)


def test_many_answers_that_are_late_are_looked_at_now_and_then(ears: Ears):
    """Devices that die at once are asked one after another."""
    numbers = [str(number) for number in range(1, 101)]
    up = tuple(state.IkeSa(name="one", unique_id=number, state="ESTABLISHED") for number in numbers)
    ears.log.observe(state.IkeState(conns={"one": frozenset({"a"})}, sas=up), {})
    for number in numbers:
        said = {"ikesa-uniqueid": number.encode(), "msg": b"retransmit 1 of request with message ID 4"}
        ears.hear("log", REFUSED | said)
        ears.pass_time(0.1)
    last_late = ears.now - 0.1 + vici_events.DOUBT
    ears.pass_time(vici_events.DOUBT + vici_events.LINE_OBSERVATION_PAUSE + vici_events.TICK)
    assert ears.looks[-1] >= last_late
    between = [later - earlier for earlier, later in itertools.pairwise(ears.looks)]
    assert len(between) >= 4
    assert min(between) >= vici_events.LINE_OBSERVATION_PAUSE - vici_events.SLACK


@pytest.fixture
def questioned(ears: Ears) -> Ears:
    """A watcher whose charon is asked questions."""
    ears.subscription.ask_at = 0.0
    return ears


def test_a_charon_that_does_not_answer_is_looked_at_and_its_silence_counts(questioned: Ears):
    questioned.pass_time(2 * (vici_events.QUESTION_PAUSE + vici_events.ANSWER_TIME))
    assert len(questioned.looks) >= 2
    assert questioned.silence.seconds() >= vici_events.ANSWER_TIME


def test_an_answer_ends_the_silence(questioned: Ears):
    questioned.pass_time(vici_events.ANSWER_TIME + vici_events.SCAN)
    assert questioned.silence.seconds()
    vici_protocol.Transport(questioned.charon).send(bytes([Packet.CMD_RESPONSE]))
    questioned.watcher._receive(selectors.DefaultSelector(), questioned.subscription)
    assert questioned.silence.seconds() == 0


@pytest.mark.parametrize(
    ("line", "noise"),
    [
        ("sending DPD request", True),
        ("sending keep alive to 198.51.100.2[4500]", True),
        ("generating INFORMATIONAL request 6 [ ]", True),
        ("parsed INFORMATIONAL response 7 [ ]", True),
        ("parsed INFORMATIONAL_V1 request 2841 [ HASH N(DPD_ACK) ]", True),
        ("parsed INFORMATIONAL request 7 [ D ]", False),
        ("parsed IKE_AUTH response 1 [ N(AUTH_FAILED) ]", False),
        ("received AUTHENTICATION_FAILED notify error", False),
        ("peer is sending packets", False),
    ],
)
def test_what_charon_says_all_the_time_is_noise(line: str, *, noise: bool):
    assert vici_events.NoiseFilter().matches(b"3", line.encode()) is noise


def test_a_packet_is_news_once_for_each_place_and_sa():
    noise = vici_events.NoiseFilter()
    lines = [f"received packet: from 198.51.100.2[{port}] to 203.0.113.10[500] (92 bytes)" for port in (500, 4500)]
    assert [noise.matches(sa, line.encode()) for sa in (b"3", b"4") for line in lines] == [False] * 4
    assert [noise.matches(sa, line.encode()) for sa in (b"3", b"4") for line in lines] == [True] * 4


def test_a_packet_of_another_size_is_news():
    """The size tells whether a refusal that charon does not read is encrypted."""
    noise = vici_events.NoiseFilter()
    lines = [f"received packet: from 198.51.100.2[500] to 203.0.113.10[500] ({size} bytes)" for size in (488, 56)]
    assert [noise.matches(b"3", line.encode()) for line in lines * 2] == [False, False, True, True]


def test_who_sent_last_is_known_although_it_is_no_news():
    noise = vici_events.NoiseFilter()
    for unique_id in (b"7", b"3341", b"7"):
        noise.matches(unique_id, b"sending packet: from 203.0.113.10[500] to 198.51.100.2[500] (92 bytes)")
    noise.matches(b"5", b"received packet: from 198.51.100.2[500] to 203.0.113.10[500] (92 bytes)")
    assert noise.last_to_send == "7"


def _requests(charon: socket.socket) -> list[bytes]:
    """What a charon was asked for since the last call."""
    charon.setblocking(False)
    found = []
    with contextlib.suppress(BlockingIOError):
        while length := charon.recv(4):
            found.append(charon.recv(int.from_bytes(length))[2:])
    return found


def test_a_charon_is_told_to_open_a_log_anew_that_somebody_moved_or_deleted(ears: Ears, tmp_path: Path):
    path = tmp_path / "charon.log"
    path.touch()
    ears.subscription.folder = tmp_path
    ears.pass_time(2 * vici_events.KEEP_UP_PAUSE)
    assert ears.subscription.log is not None
    assert _requests(ears.charon) == []
    path.unlink()
    ears.pass_time(vici_events.KEEP_UP_PAUSE)
    assert _requests(ears.charon) == [b"reload-settings"]
    path.write_text(f"2026-12-01T13:48:26.605 07[IKE] <one|1> {REFUSED['msg'].decode()}\n")
    ears.pass_time(vici_events.KEEP_UP_PAUSE)
    assert _requests(ears.charon) == []
    assert len(ears.looks) == 1
    ears.subscription.log.close()


def test_a_charon_is_told_once_to_make_a_log_that_is_missing(
    ears: Ears, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(daemon.Daemon, "connect", lambda *_: ours)
    with ours, theirs, selectors.DefaultSelector() as selector:
        ears.watcher._listen(selector, "g", tmp_path)
        ears.subscription = ears.watcher._subscriptions["g"]
        ears.subscription.ask_at = math.inf
        ears.pass_time(3 * vici_events.KEEP_UP_PAUSE)
        assert _requests(theirs).count(b"reload-settings") == 1
        assert ears.subscription.log is None
        (tmp_path / "charon.log").touch()
        ears.pass_time(vici_events.KEEP_UP_PAUSE)
        assert ears.subscription.log is not None
        ears.subscription.log.close()


@pytest.mark.process
def test_the_lines_of_a_charon_that_writes_to_another_file_come_as_events(
    ears: Ears, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Somebody moved its log while the service was not there."""
    (tmp_path / "strongswan.conf").write_text("ike_name = yes")
    (tmp_path / "charon.log").touch()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as elsewhere, selectors.DefaultSelector() as selector:
        for pid, as_events in ((os.getpid(), False), (elsewhere.pid, True)):
            ours, theirs = socket.socketpair()
            monkeypatch.setattr(daemon.Daemon, "connect", lambda *_, ours=ours: ours)
            monkeypatch.setattr(daemon, "listener", lambda _, pid=pid: pid)
            with ours, theirs:
                ears.watcher._listen(selector, "g", tmp_path)
                requests = _requests(theirs)
                assert (b"reload-settings" in requests, b"log" in requests) == (as_events, as_events)
                ears.watcher._drop(selector, ears.watcher._subscriptions["g"])
        elsewhere.communicate()
