"""Listens to the events of every charon of this machine, and reads their logs, in one thread.

This module changes nothing but the length of a log, and has charon open one anew that somebody replaced or deleted. It keeps the log lines and says in which gateway something happened; an observation finds out what. It finds a
charon that comes back by its socket.
"""

import contextlib
import logging
import math
import select
import selectors
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vici.exception import DeserializationException
from vici.protocol import Packet

from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.ike import (
    attempts,
    charon,
    line_rules,
    log_file,
    silences,
    unanswered_requests,
    vici_protocol,
)

log = logging.getLogger(__name__)

#: Without rekeys: one of a thousand tunnels is always rekeying, and a rekey changes nothing of what is up or down.
EVENTS = ("ike-updown", "child-updown")
LOG_EVENT = "log"
#: Seconds. Events come in bursts: a burst is read at once, and one observation answers it.
BURST_PAUSE = 0.05
DEBOUNCE = 0.02
#: Seconds by which an observation may be later than it was asked for: many for almost the same time are one.
SLACK = 0.1
#: Seconds that an answer may take after the first retransmit of its request, before an observation is requested. One of a thousand tunnels always
#: loses a packet. With READ_PAUSE, LINE_OBSERVATION_PAUSE and the first retransmit (2 s) it is less than the shortest time of a dead device, 6 s.
DOUBT = 1.2
#: Seconds between two searches for charons that someone else started.
SCAN = 1.0
#: Seconds between two questions to a charon, and seconds that it has for an answer before an observation is requested. A charon that hangs sends no
#: events.
QUESTION_PAUSE = 5.0
ANSWER_TIME = 5.0
#: Seconds between two readings of the logs, and between two checks whether one is full, or another file has taken its place. 200 reads of files without
#: news, in a process that does other things between them, take 2 ms of a processor.
READ_PAUSE = 0.5
KEEP_UP_PAUSE = 5.0
#: Seconds within which `stop` is noticed.
TICK = 0.2

_LENGTH = struct.Struct("!I")
_EVENT = bytes([Packet.EVENT])
_ANSWER = bytes([Packet.CMD_RESPONSE])
_KEEPING_ALIVE = (b"sending keep alive", b"sending DPD request")
_MESSAGES = (b"generating INFORMATIONAL", b"parsed INFORMATIONAL")
_EMPTY = (b"[ ]", b"N(DPD) ]", b"N(DPD_ACK) ]")
_PACKETS = (b"sending packet", b"received packet")
#: Lines about packets that are known, of one gateway.
PACKETS_KEPT = 20_000
#: Seconds between observations because of lines, and because of late answers. A peer can make charon log many lines.
LINE_OBSERVATION_PAUSE = 2.0


class NoiseFilter:
    """Recognizes the log lines that charon writes all the time while nothing changes: nearly all of its lines. The others take much longer to read."""

    def __init__(self) -> None:
        self._packets: set[tuple[bytes, bytes]] = set()
        self._last_to_send = b""

    def matches(self, unique_id: bytes, text: bytes) -> bool:
        """Whether a line has no news. A line about an IKE packet is news when the addresses, the ports or the size have not occurred before."""
        if text.startswith(_PACKETS):
            if text.startswith(b"sending"):
                self._last_to_send = unique_id
            return self._is_known((unique_id, text))
        return text.startswith(_KEEPING_ALIVE) or (text.startswith(_MESSAGES) and text.endswith(_EMPTY))

    @property
    def last_to_send(self) -> str:
        """The unique id of the IKE_SA that sent the last packet."""
        return self._last_to_send.decode()

    def _is_known(self, packet: tuple[bytes, bytes]) -> bool:
        if packet in self._packets:
            return True
        if len(self._packets) >= PACKETS_KEPT:
            self._packets.clear()
        self._packets.add(packet)
        return False


@dataclass(slots=True)
class _Subscription:
    """`received`: the beginning of a packet; its rest must come by `due`. `next_line_observation`: when the last observation because of a line is due.
    `asked`: when a question was asked that has no answer yet; `ask_at`: when the next question is due. `log`: the log file, None as long as it is not found.
    `log_events`: the lines come as events of VICI, since those of the file do not name their IKE_SAs.
    """

    gateway_id: str
    folder: Path
    socket: socket.socket
    log: log_file.LogFile | None = None
    log_events: bool = False
    received: bytes = b""
    due: float = 0.0
    noise: NoiseFilter = field(default_factory=NoiseFilter)
    next_line_observation: float = -math.inf
    asked: float | None = None
    ask_at: float = -math.inf

    def close(self) -> None:
        self.socket.close()
        if self.log:
            self.log.close()


class Watcher:
    """`folders` lists the gateways of this machine, except those in folders with the given names. `waiting`, `attempts_of` and `silence_of` give the unanswered requests and the
    attempts of a gateway, and the silence of its charon.
    """

    def __init__(
        self,
        folders: Callable[[Container[str]], Mapping[str, Path]],
        waiting: Callable[[str], unanswered_requests.UnansweredRequests],
        attempts_of: Callable[[str], attempts.AttemptLog],
        silence_of: Callable[[str], silences.Silence],
        changed: Callable[[str], None],
    ) -> None:
        self._folders = folders
        self._waiting = waiting
        self._attempts = attempts_of
        self._silence = silence_of
        self._changed = changed
        self._lock = threading.Lock()
        self._due: defaultdict[str, set[float]] = defaultdict(set)
        self._doubts: dict[tuple[str, str], float] = {}
        self._subscriptions: dict[str, _Subscription] = {}
        self._scan_at = self._read_at = self._keep_up_at = 0.0
        self._wake, self._woken = socket.socketpair()

    def call_after(self, gateway_id: str, seconds: float) -> None:
        """Calls `changed` for the gateway after this time, whatever else is due before. Any thread may call."""
        due = math.ceil((time.monotonic() + seconds) / SLACK) * SLACK
        with self._lock:
            self._due[gateway_id].add(due)

    def call_soon(self, gateway_id: str) -> None:
        """Calls `changed` for the gateway at once. Any thread may call."""
        self._call_within(gateway_id, 0.0)
        self._wake_up()

    def _call_within(self, gateway_id: str, seconds: float) -> None:
        """Calls `changed` within this time, unless a call is due by then."""
        due = time.monotonic() + seconds
        with self._lock:
            if min(self._due[gateway_id], default=math.inf) > due:
                self._due[gateway_id].add(due)

    def rescan(self) -> None:
        """Searches for new charons at once: one was started. Any thread may call."""
        self._scan_at = 0.0
        self._wake_up()

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b".")

    def run(self, stop: threading.Event) -> None:
        with selectors.DefaultSelector() as selector, self._wake, self._woken:
            selector.register(self._woken, selectors.EVENT_READ)
            try:
                while not stop.is_set():
                    self._wait_once(selector)
            finally:
                for subscription in self._subscriptions.values():
                    subscription.close()

    def _wait_once(self, selector: selectors.BaseSelector) -> None:
        if time.monotonic() >= self._scan_at:
            self._scan_at = time.monotonic() + SCAN
            self._scan(selector)
            self._ask_all(selector)
        ready = selector.select(self._pause())
        if ready and all(key.data for key, _ in ready):
            select.select(
                [self._woken], [], [], BURST_PAUSE
            )  # not a sleep: whoever starts a charon wants it heard at once
        for key, _ in ready:
            if key.data is None:
                self._woken.recv(4096)
            else:
                self._receive(selector, key.data)
        if time.monotonic() >= self._read_at:
            self._read_at = time.monotonic() + READ_PAUSE
            for subscription in self._subscriptions.values():
                self._read_log(subscription, log_file.LogFile.lines)
        if time.monotonic() >= self._keep_up_at:
            self._keep_up_at = time.monotonic() + KEEP_UP_PAUSE
            self._keep_up_with_logs()
        for subscription in [
            subscription
            for subscription in self._subscriptions.values()
            if subscription.received and subscription.due < time.monotonic()
        ]:
            self._drop(selector, subscription)
        self._call_for_late_answers()
        self._call_due()

    def _call_for_late_answers(self) -> None:
        now = time.monotonic()
        for doubt in [doubt for doubt, due in list(self._doubts.items()) if due <= now]:
            del self._doubts[doubt]
            gateway_id, unique_id = doubt
            subscription = self._subscriptions.get(gateway_id)
            if subscription is not None and self._waiting(gateway_id).is_waiting(unique_id):
                self._call_for_lines(subscription)

    def _pause(self) -> float:
        with self._lock:
            next_due = min(map(min, self._due.values()), default=math.inf)
        return max(0.0, min(TICK, next_due - time.monotonic()))

    def _call_due(self) -> None:
        now = time.monotonic()
        with self._lock:
            ready = [gateway_id for gateway_id, due in self._due.items() if min(due) <= now]
            for gateway_id in ready:
                later = {due for due in self._due.pop(gateway_id) if due > now}
                if later:
                    self._due[gateway_id] = later
        for gateway_id in ready:
            self._changed(gateway_id)

    def _scan(self, selector: selectors.BaseSelector) -> None:
        known = {subscription.folder.name for subscription in self._subscriptions.values()}
        for gateway_id, folder in self._folders(known).items():
            with contextlib.suppress(OSError):
                self._listen(selector, gateway_id, folder)

    def _ask_all(self, selector: selectors.BaseSelector) -> None:
        """Asks each charon a question now and then, and requests an observation of one that does not answer."""
        now = time.monotonic()
        for subscription in list(self._subscriptions.values()):
            if subscription.asked is not None and now - subscription.asked >= ANSWER_TIME:
                self._silence(subscription.gateway_id).begin(subscription.asked)
                subscription.asked = None
                self._call_within(subscription.gateway_id, 0.0)
            elif subscription.asked is None and now >= subscription.ask_at:
                subscription.asked, subscription.ask_at = now, now + QUESTION_PAUSE
                try:
                    vici_protocol.Transport(subscription.socket).send(Packet.request("version"))
                except OSError:
                    self._drop(selector, subscription)

    def _listen(self, selector: selectors.BaseSelector, gateway_id: str, folder: Path) -> None:
        subscription = _Subscription(gateway_id, folder, connection := charon.CHARON.connect(folder))
        try:
            subscription.log = _open_log(folder, daemon.listener(connection))
        except FileNotFoundError:
            _request_new_log(subscription)
        except OSError as error:
            log.debug("gateway %s: the log of its charon is not read: %s", gateway_id, error)
        subscription.log_events = subscription.log is None or not charon.names_ike_sas(folder)
        transport = vici_protocol.Transport(connection)
        try:
            for event in (*EVENTS, *([LOG_EVENT] if subscription.log_events else [])):
                transport.send(Packet.register_event(event))
        except OSError:
            subscription.close()
            raise
        selector.register(connection, selectors.EVENT_READ, subscription)
        self._subscriptions[gateway_id] = subscription

    def _receive(self, selector: selectors.BaseSelector, subscription: _Subscription) -> None:
        """Takes what is there and waits for no more."""
        if not subscription.received:
            subscription.due = time.monotonic() + daemon.ANSWER_TIMEOUT
        try:
            subscription.received += _read(subscription.socket)
            self._read_log(subscription, log_file.LogFile.lines)  # what charon said before an event
            for packet in self._packets(subscription):
                self._packet(subscription, packet)
        except (OSError, *vici_protocol.PROTOCOL_ERRORS):
            self._drop(selector, subscription)

    def _packets(self, subscription: _Subscription) -> Iterator[bytes]:
        at, received = 0, subscription.received
        while len(received) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(received, at)
            if length > vici_protocol.Transport.MAX_SEGMENT:
                raise DeserializationException(f"a packet of {length} bytes")
            if len(received) - at - _LENGTH.size < length:
                break
            at += _LENGTH.size + length
            yield received[at - length : at]
        if at:
            subscription.received = received[at:]
            subscription.due = time.monotonic() + daemon.ANSWER_TIMEOUT

    def _drop(self, selector: selectors.BaseSelector, subscription: _Subscription) -> None:
        self._read_log(subscription, log_file.LogFile.lines)
        selector.unregister(subscription.socket)
        subscription.close()
        del self._subscriptions[subscription.gateway_id]
        self._call_within(subscription.gateway_id, DEBOUNCE)

    def _packet(self, subscription: _Subscription, content: bytes) -> None:
        if content[:1] == _ANSWER:
            subscription.asked = None
            self._silence(subscription.gateway_id).end()
        if content[:1] == _EVENT:
            kind, begin = content[2 : 2 + content[1]], 2 + content[1]
            self._event(subscription, kind.decode(), vici_protocol.parse(content, begin))

    def _event(self, subscription: _Subscription, kind: str, message: Mapping[str, Any]) -> None:
        now, gateway_id = datetime.now(UTC), subscription.gateway_id
        if kind == LOG_EVENT:
            name, unique_id, text = (message.get(key, b"") for key in ("ikesa-name", "ikesa-uniqueid", "msg"))
            self._line(subscription, log_file.Line(b"", name, unique_id, text), now)
            return
        self._attempts(gateway_id).event(now, kind, message)
        self._call_within(gateway_id, DEBOUNCE)

    def _keep_up_with_logs(self) -> None:
        for subscription in self._subscriptions.values():
            if subscription.log is None:
                with contextlib.suppress(OSError):
                    subscription.log = log_file.LogFile(subscription.folder)
            self._read_log(subscription, log_file.LogFile.keep_up)
            if subscription.log and subscription.log.is_replaced:
                _request_new_log(subscription)

    def _read_log(self, subscription: _Subscription, read: Callable[[log_file.LogFile], list[log_file.Line]]) -> None:
        if subscription.log is None:
            return
        try:
            lines = read(subscription.log)
        except OSError as error:
            log.warning("gateway %s: the log of its charon cannot be read: %s", subscription.gateway_id, error)
            with contextlib.suppress(OSError):
                subscription.socket.shutdown(socket.SHUT_RDWR)  # then both are opened anew
            return
        now = datetime.now(UTC)
        if not subscription.log_events:
            for line in lines:
                self._line(subscription, line, line.at(now))

    def _line(self, subscription: _Subscription, line: log_file.Line, at: datetime) -> None:
        gateway_id, unique_id = subscription.gateway_id, line.unique_id.decode()
        waiting = self._waiting(gateway_id)
        if subscription.noise.matches(line.unique_id, line.text) and not waiting.is_waiting(unique_id):
            return
        text = line.text.decode(errors="replace")
        if unique_id and waiting.add(unique_id, text):
            self._doubts[gateway_id, unique_id] = time.monotonic() + DOUBT
        if text.startswith(line_rules.NOT_SENT):
            unique_id = subscription.noise.last_to_send
        if self._attempts(gateway_id).add(at, line.name.decode(errors="replace"), unique_id, text):
            self._call_for_lines(subscription)

    def _call_for_lines(self, subscription: _Subscription) -> None:
        """At once, and then not before LINE_OBSERVATION_PAUSE is over."""
        now = time.monotonic()
        if subscription.next_line_observation > now:
            return
        at_once, after_pause = now + DEBOUNCE, subscription.next_line_observation + LINE_OBSERVATION_PAUSE
        subscription.next_line_observation = max(at_once, after_pause)
        if after_pause < at_once:
            self._call_within(subscription.gateway_id, DEBOUNCE)
        else:  # an observation that is due before says nothing of the lines that come until then
            self.call_after(subscription.gateway_id, after_pause - now)


def _open_log(folder: Path, pid: int) -> log_file.LogFile:
    """Raises OSError: FileNotFoundError when the charon with this pid writes to a file that somebody moved or deleted."""
    opened = log_file.LogFile(folder)
    try:
        if opened.is_open_in(pid):
            return opened
        raise FileNotFoundError(f"charon does not write to the log in {folder}")
    except OSError:
        opened.close()
        raise


def _request_new_log(subscription: _Subscription) -> None:
    """Tells charon to open its log at its path, and to make it when it is missing."""
    with contextlib.suppress(OSError):  # the next question finds out
        vici_protocol.Transport(subscription.socket).send(Packet.request("reload-settings"))


def _read(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise ConnectionResetError("charon closed the connection")
    return data
