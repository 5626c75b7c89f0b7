"""The attempts of the connections of one gateway, from the log lines and events of charon.

This module decides where an attempt begins and ends, and to which connections it belongs. `facts` decides what a line means. This module
plans nothing, and it is empty after a restart of Landbridge: the store keeps the attempts that were reported.

An IKE_SA that is not up has one attempt, until charon begins again. An event of an IKE_SA that is up is an attempt of its own. A peer can
make charon log any lines at any rate, so the size of everything in this module is bounded.

As a responder, charon names an SA `(unnamed)` until it has selected a configuration by the ids. A negotiation that fails before has no name.
Such an attempt belongs to every connection between its endpoint and the address of the peer. If no connection has that address, it belongs
to the connections of the endpoint that wait for a device without a fixed address, until the device comes up as one of them.
"""

import dataclasses
import re
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from landbridge.engine.strongswan.ike import (
    child_sas,
    facts,
    fingerprints,
    kept_attempts,
    line_facts,
    loaded_configurations,
    outcomes,
    steps,
)
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.ike.open_attempt import OpenAttempt
from landbridge.model import negotiation
from landbridge.model.negotiation import Fact

#: The number of SAs without a name that are followed.
UNNAMED_KEPT = 1000
#: The number of SAs that a search for the oldest SA of a stranger skips.
MAX_SKIPPED = 8
#: How long after the event that an SA is gone lines about it may come.
LATE = timedelta(seconds=10)
#: Facts of an IKE_SA that is up that make an attempt only together with a later fact.
_INCONCLUSIVE = (
    negotiation.Message,
    negotiation.Packet,
    negotiation.Nat,
    negotiation.PeerIdentity,
    negotiation.ProposalChosen,
)

_BEGINS = re.compile(r"initiating (?:Main Mode |Aggressive Mode )?IKE_SA \S+\[(?P<number>\d+)\] to ")
_FIRST_MESSAGE = tuple(f"generating {exchange} request " for exchange in line_facts.FIRST_EXCHANGES)


@dataclass(eq=False, slots=True)
class _Sa:
    """An IKE_SA of charon. `pending`: facts of an IKE_SA that is up, until a later fact makes them an attempt. `packets`: sender -> addresses
    and ports of the last packet. `successor`: the number of the IKE_SA that is to replace this one, while its first message is logged.
    `is_renewed`: this side has begun such an IKE_SA.
    """

    unique_id: str
    reader: facts.Reader
    updated_at: datetime
    name: str | None = None
    attempt: OpenAttempt | None = None
    is_gone: bool = False
    successor: str | None = None
    is_renewed: bool = False
    pending: deque[Fact] = field(default_factory=lambda: deque(maxlen=8))
    packets: dict[str, tuple[str, int, str, int]] = field(default_factory=dict)


class AttemptLog:
    """The attempts of one gateway. Any thread may read while one writes."""

    def __init__(self, *, is_userland: bool = False) -> None:
        """`is_userland`: the data plane simulates a NAT."""
        self._lock = threading.Lock()
        self._is_userland = is_userland
        self._number = 0
        self._sas: dict[str, _Sa] = {}
        self._unnamed_sas: OrderedDict[str, None] = OrderedDict()
        self._established: dict[str, datetime | None] = {}
        self._children: defaultdict[str, child_sas.ChildSas] = defaultdict(child_sas.ChildSas)
        self._reauthenticated: dict[str, set[str]] = {}
        self._loaded = loaded_configurations.LoadedConfigurations(self._next_number)
        self._kept = kept_attempts.KeptAttempts(self._loaded.at)
        self.unknown_lines = 0

    # -- what is loaded ---------------------------------------------------------------------------------------------

    def observe(self, state: ike_state.IkeState, peers: Mapping[str, ike_state.Ends]) -> None:
        """Takes the result of an observation: connections with their ends, secrets, SAs."""
        with self._lock:
            if self._kept.set_peers(peers):
                self._loaded.keep(peers.keys())
                for gone in self._children.keys() - peers.keys():
                    del self._children[gone]
            secrets = defaultdict(set)
            for secret in state.secrets:
                secrets[fingerprints.owner(secret)].add(secret)
            for connection_id, children in state.conns.items():
                if any(map(fingerprints.is_probe, self._loaded.get(connection_id).children)):
                    continue  # a probe calls `loaded` itself
                self._note(connection_id, children, frozenset(secrets[connection_id]), is_new=False)
            self._forget_sas(state.sas)

    def loaded(self, step: steps.IkeStep) -> None:
        """A step was carried out: attempts from now on belong to its configuration."""
        with self._lock:
            known = self._loaded.get(step.connection_id or "")
            match step:
                case steps.LoadConn(connection_id, conn):
                    self._note(connection_id, frozenset(conn["children"]), known.secrets, is_new=True)
                case steps.LoadSecret(connection_id, secret_id):
                    self._note(connection_id, known.children, known.secrets | {secret_id}, is_new=True)
                case steps.UnloadSecret(connection_id, secret_id):
                    self._note(connection_id, known.children, known.secrets - {secret_id}, is_new=True)
                case steps.AbandonIke(_, unique_id):
                    self._abandon(unique_id, datetime.now(UTC))

    def _abandon(self, unique_id: str, at: datetime) -> None:
        """The engine ended an IKE_SA whose request charon would repeat longer."""
        sa = self._sas.get(unique_id)
        if sa is None or sa.attempt is None:
            return
        retransmits = [
            fact for fact in (*sa.attempt.first, *sa.attempt.last) if isinstance(fact, negotiation.Retransmits)
        ]
        if retransmits and retransmits[-1].sender == "us":
            sa.attempt.add(dataclasses.replace(retransmits[-1], at=at, gave_up=True))
            sa.attempt.end(at, "no_answer")
            self._kept.changed(sa.attempt)

    def _note(self, connection_id: str, children: Collection[str], secrets: frozenset[str], *, is_new: bool) -> None:
        if self._loaded.note(connection_id, children, secrets, is_new=is_new):
            self._kept.outdate(connection_id)

    def _forget_sas(self, sas: Iterable[ike_state.IkeSa]) -> None:
        """Ends the attempts of SAs that charon does not have any more, when no more lines about them can come."""
        now = datetime.now(UTC)
        present = {sa.unique_id for sa in sas}
        gone_at = {number: at or now for number, at in self._established.items()}
        self._established = {number: at for number, at in gone_at.items() if now - at <= LATE}
        self._established |= {sa.unique_id: None for sa in sas if not sa.negotiating}
        for unique_id, sa in list(self._sas.items()):
            if unique_id not in present and now - sa.updated_at > LATE:
                self._drop(sa, now)

    def _drop(self, sa: _Sa, at: datetime) -> None:
        if sa.attempt is not None:
            sa.attempt.end(at, outcomes.outcome_without_end(sa.attempt.newest_first))
            self._kept.changed(sa.attempt)
        self._sas.pop(sa.unique_id, None)
        self._unnamed_sas.pop(sa.unique_id, None)

    # -- lines and events -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Another charon is connected. It numbers its SAs from the beginning."""
        with self._lock:
            now = datetime.now(UTC)
            for sa in list(self._sas.values()):
                self._drop(sa, now)
            self._established.clear()
            self._reauthenticated.clear()

    def add(self, at: datetime, sa_name: str | None, unique_id: str | None, line: str) -> bool:
        """Adds a log line. Returns whether the line can decide a diagnosis."""
        if not unique_id:
            return False
        with self._lock:
            sa = self._sa_of(at, sa_name, unique_id, line)
            sa.updated_at, was_up = at, sa.reader.is_up
            fact = sa.reader.read(at, line)
            if isinstance(fact, negotiation.Nat) and self._is_userland:
                return False
            if isinstance(fact, negotiation.Replaced) and sa.is_renewed and sa.name:
                self._reauthenticated[sa.name] = sa.reader.was_up
                return False
            if isinstance(fact, negotiation.Packet) and not self._is_news(sa, fact):
                return False
            if sa.reader.is_over and not sa.is_gone:
                self._is_gone(sa, at)
            if fact is None:
                return False
            if isinstance(fact, negotiation.Unknown):
                self.unknown_lines += 1
            self._add_fact(sa, fact, was_up=was_up)
            return outcomes.decides(fact, was_up=was_up)

    def _sa_of(self, at: datetime, sa_name: str | None, unique_id: str, line: str) -> _Sa:
        """The IKE_SA that a line is about. charon logs the first message of an IKE_SA that replaces another one under the number of the
        other one. An IKE_SA that begins, or has no name yet, is not up, although an observation may have found it up before its lines were read.
        """
        sa = self._sas.get(unique_id) or self._new_sa(unique_id, at)
        self._name(sa, sa_name)
        successor, sa.successor = sa.successor, None
        begins = _BEGINS.match(line)
        if sa_name == ike_state.UNNAMED or (begins and begins["number"] == unique_id):
            sa.reader.is_up = False
        elif begins:
            sa.successor, sa.is_renewed = begins["number"], True
        elif successor and line.startswith(_FIRST_MESSAGE):
            sa.successor = successor
            return self._sa_of(at, sa_name, successor, line)
        elif successor and line.startswith("sending packet: ") and successor in self._sas:
            return self._sas[successor]
        return sa

    def event(self, at: datetime, kind: str, message: Mapping[str, Any]) -> None:
        """Adds an event. `ike-updown`: an IKE_SA is up or gone; the message has its properties."""
        if kind != "ike-updown":
            return
        for name, sa_message in message.items():
            if isinstance(sa_message, dict) and (unique_id := _text(sa_message, "uniqueid")):
                with self._lock:
                    self._updown(at, name, unique_id, sa_message, is_up="up" in message)

    def _updown(self, at: datetime, name: str, unique_id: str, message: Mapping[str, Any], *, is_up: bool) -> None:
        """An event before the first line belongs to a negotiation whose first lines were missed."""
        sa = self._sas.get(unique_id) or (self._new_sa(unique_id, at) if is_up else None)
        if sa is None:
            return
        self._name(sa, name)
        sa.reader.began_by = sa.reader.began_by or ("us" if "initiator" in message else "device")
        if sa.attempt is not None:
            if not sa.attempt.within_sa:
                sa.attempt.began_by = sa.attempt.began_by or sa.reader.began_by
            self._set_ends(sa, sa.attempt, _text(message, "local-host"), _text(message, "remote-host"))
        if not is_up:
            self._is_gone(sa, at)

    def _is_gone(self, sa: _Sa, at: datetime) -> None:
        """More lines about the SA may follow."""
        sa.is_gone, sa.updated_at = True, at
        if sa.attempt is not None:
            sa.attempt.end(at, outcomes.outcome_without_end(sa.attempt.newest_first))
            self._kept.changed(sa.attempt)

    def _new_sa(self, unique_id: str, at: datetime) -> _Sa:
        sa = self._sas[unique_id] = _Sa(unique_id, facts.Reader(), at)
        sa.reader.is_up = unique_id in self._established
        self._unnamed_sas[unique_id] = None
        if len(self._unnamed_sas) > UNNAMED_KEPT:
            self._drop(self._oldest_unnamed(), at)
        return sa

    def _oldest_unnamed(self) -> _Sa:
        """The oldest SA without a name. Among the oldest ones, an SA of a stranger is preferred to one of a connection's device."""
        for _ in range(MAX_SKIPPED):
            oldest = self._sas[next(iter(self._unnamed_sas))]
            if oldest.attempt is None or self._kept.is_of_stranger(oldest.attempt):
                break
            self._unnamed_sas.move_to_end(oldest.unique_id)
        return self._sas[next(iter(self._unnamed_sas))]

    def _name(self, sa: _Sa, name: str | None) -> None:
        name = fingerprints.owner(name or "")
        if not name or name in (ike_state.UNNAMED, sa.name):
            return
        sa.name = name
        self._unnamed_sas.pop(sa.unique_id, None)
        sa.reader.children = self._children[name]
        if sa.attempt is not None:
            self._kept.remove(sa.attempt)
            sa.attempt.connection_id = name
            self._kept.put(sa.attempt)

    def _is_news(self, sa: _Sa, packet: negotiation.Packet) -> bool:
        place = packet.peer_address, packet.peer_port, packet.local_address, packet.local_port
        if sa.packets.get(packet.sender) == place:
            return False
        sa.packets[packet.sender] = place
        return True

    def _add_fact(self, sa: _Sa, fact: Fact, *, was_up: bool) -> None:
        if self._is_over(sa, fact, was_up=was_up):
            sa.attempt = None
        if sa.attempt is None and was_up and isinstance(fact, _INCONCLUSIVE):
            sa.pending.append(fact)
            return
        attempt = sa.attempt or self._begin(sa, fact, within_sa=was_up)
        self._fill_in(sa, attempt, fact)
        attempt.add(fact)
        if outcome := outcomes.outcome(fact, is_up=sa.reader.is_up):
            attempt.end(fact.at, outcome)
            self._kept.drop_renewal(attempt)
        self._kept.changed(attempt)
        self._after(sa, fact)

    def _is_over(self, sa: _Sa, fact: Fact, *, was_up: bool) -> bool:
        """Whether the fact belongs to another attempt than the last one of its SA. For an SA that is not up, it does when charon tries again
        after it gave up. The event that an SA is gone may come before the line with the reason, which is no part of the attempt that
        established the SA.
        """
        if sa.attempt is None or sa.attempt.outcome is None:
            return False
        if sa.is_gone and not (was_up and sa.attempt.outcome == "up"):
            return False
        if was_up:
            return not outcomes.completes(fact, sa.attempt.outcome, sa.attempt.newest_first)
        return sa.attempt.outcome == "no_answer" and outcomes.is_our_request(fact)

    def _begin(self, sa: _Sa, fact: Fact, *, within_sa: bool) -> OpenAttempt:
        began_at = sa.pending[0].at if sa.pending else fact.at
        attempt = sa.attempt = OpenAttempt(self._next_number(began_at), began_at, sa.name, within_sa)
        for pending in sa.pending:
            attempt.add(pending)
            self._fill_in(sa, attempt, pending)
        sa.pending.clear()
        self._kept.put(attempt)
        return attempt

    def _fill_in(self, sa: _Sa, attempt: OpenAttempt, fact: Fact) -> None:
        """Sets the properties of the attempt that are known now."""
        reader = sa.reader
        attempt.version, attempt.mode = reader.version, reader.mode
        if isinstance(fact, negotiation.Packet):
            self._set_ends(sa, attempt, fact.local_address, fact.peer_address)
        elif attempt.peer_address is None and sa.packets:
            peer, _, local, _ = next(iter(sa.packets.values()))
            self._set_ends(sa, attempt, local, peer)
        if attempt.began_by is None:
            attempt.began_by = outcomes.initiator_of(fact) if attempt.within_sa else reader.began_by

    def _set_ends(self, sa: _Sa, attempt: OpenAttempt, local: str | None, peer: str | None) -> None:
        if (attempt.local_address, attempt.peer_address) == (local, peer) or local is None or peer is None:
            return
        if attempt.connection_id is None:
            self._kept.remove(attempt)
        attempt.local_address, attempt.peer_address = local, peer
        if attempt.connection_id is None:
            self._kept.put(attempt)

    def _after(self, sa: _Sa, fact: Fact) -> None:
        """An IKE_SA that replaces another one is up and takes over its children."""
        reader = sa.reader
        if isinstance(fact, negotiation.Established) and not fact.again and sa.attempt is not None:
            self._kept.take_from_others(sa.attempt)
        if reader.hands_over and sa.name:
            self._reauthenticated[sa.name] = reader.was_up
            reader.hands_over = False
        elif reader.successor is not None:
            successor = self._sas.get(reader.successor) or self._new_sa(reader.successor, fact.at)
            self._name(successor, sa.name)
            successor.packets = dict(sa.packets)
            successor.reader.is_up, successor.reader.version = True, reader.version
            successor.reader.was_up = reader.was_up
            reader.successor = None
        elif isinstance(fact, negotiation.Established) and fact.phase == 1 and sa.name in self._reauthenticated:
            reader.was_up = self._reauthenticated.pop(sa.name)
            if sa.attempt is not None:
                sa.attempt.end(fact.at, "up")

    def _next_number(self, at: datetime) -> int:
        """A number that grows within a process and over restarts: milliseconds since 1970."""
        self._number = max(self._number + 1, int(at.timestamp() * 1000))
        return self._number

    # -- results ----------------------------------------------------------------------------------------------------

    def attempts(self) -> dict[str, tuple[negotiation.Attempt, ...]]:
        """Connection -> its attempts, oldest first. A connection without attempts is missing."""
        with self._lock:
            return self._kept.by_connection()

    def strangers(self) -> tuple[negotiation.Attempt, ...]:
        """The last attempts from addresses that no connection of their endpoint has, oldest first."""
        with self._lock:
            return self._kept.of_strangers()


def _text(message: Mapping[str, Any], key: str) -> str | None:
    value = message.get(key)
    return value.decode(errors="replace") if isinstance(value, bytes) else value
