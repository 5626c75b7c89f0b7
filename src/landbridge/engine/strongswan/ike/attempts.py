"""The attempts of the connections of one gateway, from the log lines and events of charon.

This module decides where an attempt begins and ends, and to which connections it belongs. `facts` decides what a line means. This module
plans nothing, and it is empty after a restart of Landbridge: the store keeps the attempts that were reported.

An IKE_SA that is not up has one attempt, until charon begins again. An event of an IKE_SA that is up is an attempt of its own. A peer can
make charon log any lines at any rate, so the size of everything in this module is bounded.

As a responder, charon names an SA `(unnamed)` until it has selected a configuration by the ids. A negotiation that fails before has no name.
Such an attempt belongs to every connection between its endpoint and the address of the peer. If no connection has that address, it belongs
to the connections of the endpoint that wait for a device without a fixed address.
"""

import dataclasses
import re
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from landbridge.engine.strongswan.ike import facts, fingerprints, outcomes, steps
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.model import negotiation
from landbridge.model.negotiation import Fact

#: Attempts that are kept of a connection, of an address whose SAs have no name, and of all addresses that no connection has. The agent
#: reports them within a tick, and the store keeps more. A thousand connections that fail again and again need 60 MB.
KEPT = 8
KEPT_UNNAMED = 5
KEPT_OF_STRANGERS = 20
#: The first and the last facts that are kept of an attempt.
FIRST, LAST = 12, 20
#: The number of SAs without a name that are followed.
UNNAMED_KEPT = 1000
#: The number of SAs that a search for the oldest SA of a stranger skips.
SECOND_CHANCES = 8
#: Configurations of a connection that are kept, to assign attempts to them.
LOADS_KEPT = 4
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
_FIRST_MESSAGE = tuple(f"generating {exchange} request " for exchange in facts.FIRST_EXCHANGES)


@dataclass(eq=False, slots=True)
class _Attempt:
    """An attempt that still changes. `connection_id` is None as long as charon has no name for it."""

    number: int
    began_at: datetime
    connection_id: str | None
    within_sa: bool
    began_by: negotiation.Party | None = None
    peer_address: str | None = None
    local_address: str | None = None
    version: Any = None
    mode: Any = None
    outcome: negotiation.Outcome | None = None
    ended_at: datetime | None = None
    first: list[Fact] = field(default_factory=list)
    last: deque[Fact] = field(default_factory=lambda: deque(maxlen=LAST))
    shown: dict[str, negotiation.Attempt] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[str, str]:
        """Our address and the address of the peer; empty as long as they are not known."""
        return self.local_address or "", self.peer_address or ""

    @property
    def newest_first(self) -> Iterator[Fact]:
        return reversed((*self.first, *self.last))

    def add(self, fact: Fact) -> None:
        """Adds a fact. A retransmit replaces the retransmit before it."""
        before = self.last[-1] if self.last else self.first[-1] if self.first else None
        if _repeats(fact, before):
            (self.last or self.first)[-1] = fact
        elif len(self.first) < FIRST:
            self.first.append(fact)
        else:
            self.last.append(fact)

    def end(self, at: datetime, outcome: negotiation.Outcome) -> None:
        """Ends the attempt. Only the first outcome counts, except that every outcome replaces `stopped`."""
        if self.outcome in (None, "stopped"):
            self.outcome, self.ended_at = outcome, at

    def show(self, configuration: str) -> negotiation.Attempt:
        """The attempt as a value: the same object as long as the attempt does not change."""
        if configuration not in self.shown:
            self.shown[configuration] = negotiation.Attempt(
                id=str(self.number),
                configuration=configuration,
                began_at=self.began_at,
                ended_at=self.ended_at,
                began_by=self.began_by or outcomes.initiator(self.first) or "device",
                peer_address=self.peer_address,
                local_address=self.local_address,
                ike_version=self.version,
                mode=self.mode,
                is_named=self.connection_id is not None,
                within_sa=self.within_sa,
                outcome=self.outcome,
                facts=(*self.first, *self.last),
            )
        return self.shown[configuration]


def _repeats(fact: Fact, before: Fact | None) -> bool:
    return (
        isinstance(fact, negotiation.Retransmits)
        and isinstance(before, negotiation.Retransmits)
        and (fact.sender, fact.message, fact.gave_up) == (before.sender, before.message, before.gave_up)
    )


@dataclass(eq=False, slots=True)
class _Sa:
    """An IKE_SA of charon. `pending`: facts of an IKE_SA that is up, until a later fact makes them an attempt. `packets`: sender -> addresses
    and ports of the last packet. `successor`: the number of the IKE_SA that is to replace this one, while its first message is logged.
    """

    unique_id: str
    reader: facts.Reader
    updated_at: datetime
    name: str | None = None
    attempt: _Attempt | None = None
    is_gone: bool = False
    successor: str | None = None
    pending: deque[Fact] = field(default_factory=lambda: deque(maxlen=8))
    packets: dict[str, tuple[str, int, str, int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Loaded:
    """The loaded children and secrets of a connection. `since`: (number of an attempt, configuration that is loaded from it on)."""

    children: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    since: list[tuple[int, str]] = field(default_factory=list)


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
        self._kept: defaultdict[str, deque[_Attempt]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._unnamed: OrderedDict[tuple[str, str], deque[_Attempt]] = OrderedDict()
        self._children: defaultdict[str, facts.Children] = defaultdict(facts.Children)
        self._reauthenticated: dict[str, set[str]] = {}
        self._loaded: dict[str, _Loaded] = {}
        self._peers: dict[tuple[str, str], frozenset[str]] = {}
        self._views: dict[str, tuple[negotiation.Attempt, ...]] = {}
        self.unknown_lines = 0

    # -- what is loaded ---------------------------------------------------------------------------------------------

    def look(self, state: ike_state.IkeState, peers: Mapping[str, ike_state.Ends]) -> None:
        """Takes the result of a look: connections with their ends, secrets, SAs."""
        with self._lock:
            self._set_peers(peers)
            secrets = defaultdict(set)
            for secret in state.secrets:
                secrets[fingerprints.owner(secret)].add(secret)
            for connection_id, children in state.conns.items():
                if any(map(fingerprints.is_probe, self._loaded.get(connection_id, _Loaded()).children)):
                    continue  # a probe calls `loaded` itself
                self._note(connection_id, children, frozenset(secrets[connection_id]), is_new=False)
            self._forget_sas(state.sas)

    def loaded(self, step: steps.IkeStep) -> None:
        """A step was carried out: attempts from now on belong to its configuration."""
        with self._lock:
            known = self._loaded.get(step.connection_id or "", _Loaded())
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
        asked = [fact for fact in (*sa.attempt.first, *sa.attempt.last) if isinstance(fact, negotiation.Retransmits)]
        if asked and asked[-1].sender == "us":
            sa.attempt.add(dataclasses.replace(asked[-1], at=at, gave_up=True))
            sa.attempt.end(at, "no_answer")
            self._changed(sa.attempt)

    def _note(self, connection_id: str, children: Collection[str], secrets: frozenset[str], *, is_new: bool) -> None:
        """A configuration that is first found by a look was loaded before all attempts."""
        known = self._loaded.setdefault(connection_id, _Loaded())
        if known.since and (known.children, known.secrets) == (children, secrets):
            return
        known.children, known.secrets = frozenset(children), secrets
        configuration = ike_state.configuration(children, secrets)
        if known.since and known.since[-1][1] == configuration:
            return
        number = self._next_number(datetime.now(UTC)) if is_new or known.since else 0
        known.since = [*known.since, (number, configuration)][-LOADS_KEPT:]
        self._views.pop(connection_id, None)

    def _set_peers(self, peers: Mapping[str, ike_state.Ends]) -> None:
        found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for connection_id, (locals_, remotes) in peers.items():
            for local in locals_:
                for remote in remotes:
                    found[local, remote].add(connection_id)
        now = {ends: frozenset(ids) for ends, ids in found.items()}
        if now == self._peers:
            return
        self._peers = now
        self._views.clear()
        for gone in self._kept.keys() - peers.keys():
            del self._kept[gone]
        for gone in self._loaded.keys() - peers.keys():
            del self._loaded[gone]
        for gone in self._children.keys() - peers.keys():
            del self._children[gone]

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
            self._changed(sa.attempt)
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
        other one. An IKE_SA that begins, or has no name yet, is not up, although a look may have found it up before its lines were read.
        """
        sa = self._sas.get(unique_id) or self._new_sa(unique_id, at)
        self._name(sa, sa_name)
        successor, sa.successor = sa.successor, None
        begins = _BEGINS.match(line)
        if sa_name == ike_state.UNNAMED or (begins and begins["number"] == unique_id):
            sa.reader.is_up = False
        elif begins:
            sa.successor = begins["number"]
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
            self._changed(sa.attempt)

    def _new_sa(self, unique_id: str, at: datetime) -> _Sa:
        sa = self._sas[unique_id] = _Sa(unique_id, facts.Reader(), at)
        sa.reader.is_up = unique_id in self._established
        self._unnamed_sas[unique_id] = None
        if len(self._unnamed_sas) > UNNAMED_KEPT:
            self._drop(self._oldest_unnamed(), at)
        return sa

    def _oldest_unnamed(self) -> _Sa:
        """The oldest SA without a name. Among the oldest ones, an SA of a stranger is preferred to one of a connection's device."""
        for _ in range(SECOND_CHANCES):
            oldest = self._sas[next(iter(self._unnamed_sas))]
            if oldest.attempt is None or not self._peers.get(oldest.attempt.ends):
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
            self._remove(sa.attempt)
            sa.attempt.connection_id = name
            self._put(sa.attempt)

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
            self._drop_renewal(attempt)
        self._changed(attempt)
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

    def _begin(self, sa: _Sa, fact: Fact, *, within_sa: bool) -> _Attempt:
        began_at = sa.pending[0].at if sa.pending else fact.at
        attempt = sa.attempt = _Attempt(self._next_number(began_at), began_at, sa.name, within_sa)
        for each in sa.pending:
            attempt.add(each)
            self._fill_in(sa, attempt, each)
        sa.pending.clear()
        self._put(attempt)
        return attempt

    def _fill_in(self, sa: _Sa, attempt: _Attempt, fact: Fact) -> None:
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

    def _set_ends(self, sa: _Sa, attempt: _Attempt, local: str | None, peer: str | None) -> None:
        if (attempt.local_address, attempt.peer_address) == (local, peer) or local is None or peer is None:
            return
        if attempt.connection_id is None:
            self._remove(attempt)
        attempt.local_address, attempt.peer_address = local, peer
        if attempt.connection_id is None:
            self._put(attempt)

    def _after(self, sa: _Sa, fact: Fact) -> None:
        """An IKE_SA that replaces another one is up and takes over its children."""
        reader = sa.reader
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

    # -- where attempts are kept ------------------------------------------------------------------------------------

    def _next_number(self, at: datetime) -> int:
        """A number that grows within a process and over restarts: milliseconds since 1970."""
        self._number = max(self._number + 1, int(at.timestamp() * 1000))
        return self._number

    def _put(self, attempt: _Attempt) -> None:
        if attempt.connection_id is not None:
            self._kept[attempt.connection_id].append(attempt)
        elif all(attempt.ends):
            self._unnamed.setdefault(attempt.ends, deque(maxlen=KEPT_UNNAMED)).append(attempt)
            self._unnamed.move_to_end(attempt.ends)
            self._forget_strangers()
        self._changed(attempt)

    def _drop_renewal(self, attempt: _Attempt) -> None:
        """Only the last successful rekey or additional child of a tunnel is kept."""
        kept = self._kept[attempt.connection_id] if attempt.connection_id else deque[_Attempt]()
        if len(kept) > 1 and kept[-1] is attempt and _is_renewal(attempt) and _is_renewal(kept[-2]):
            del kept[-2]

    def _remove(self, attempt: _Attempt) -> None:
        self._changed(attempt)
        if attempt.connection_id is not None:
            _discard(self._kept[attempt.connection_id], attempt)
        elif kept := self._unnamed.get(attempt.ends):
            _discard(kept, attempt)
            if not kept:
                del self._unnamed[attempt.ends]

    def _forget_strangers(self) -> None:
        strangers = [ends for ends in self._unnamed if ends not in self._peers]
        for ends in strangers[:-KEPT_OF_STRANGERS]:
            del self._unnamed[ends]

    def _changed(self, attempt: _Attempt) -> None:
        attempt.shown.clear()
        if attempt.connection_id is not None:
            self._views.pop(attempt.connection_id, None)
            return
        for connection_id in self._owners(*attempt.ends):
            self._views.pop(connection_id, None)

    def _owners(self, local: str, peer: str) -> frozenset[str]:
        return self._peers.get((local, peer)) or self._peers.get((local, ike_state.ANY), frozenset())

    # -- results ----------------------------------------------------------------------------------------------------

    def attempts(self) -> dict[str, tuple[negotiation.Attempt, ...]]:
        """Connection -> its attempts, oldest first. A connection without attempts is missing."""
        with self._lock:
            unnamed: defaultdict[str, list[_Attempt]] = defaultdict(list)
            for (local, peer), attempts in self._unnamed.items():
                for connection_id in self._owners(local, peer):
                    unnamed[connection_id].extend(attempts)
            for connection_id in {*self._kept, *unnamed} - self._views.keys():
                self._views[connection_id] = self._view(connection_id, unnamed[connection_id])
            return {connection_id: view for connection_id, view in self._views.items() if view}

    def _view(self, connection_id: str, unnamed: Iterable[_Attempt]) -> tuple[negotiation.Attempt, ...]:
        found = sorted((*self._kept.get(connection_id, ()), *unnamed), key=lambda attempt: attempt.number)
        return tuple(attempt.show(self._configuration(connection_id, attempt.number)) for attempt in found[-KEPT:])

    def _configuration(self, connection_id: str, number: int) -> str:
        """The configuration that was loaded when the attempt with this number began."""
        since = self._loaded.get(connection_id, _Loaded()).since
        return next((configuration for begun, configuration in reversed(since) if begun <= number), "")

    def strangers(self) -> tuple[negotiation.Attempt, ...]:
        """The last attempts from addresses that no connection of their endpoint has, oldest first."""
        with self._lock:
            found = [attempt for ends, kept in self._unnamed.items() if ends not in self._peers for attempt in kept]
            found.sort(key=lambda attempt: attempt.number)
            return tuple(attempt.show("") for attempt in found[-KEPT_OF_STRANGERS:])


def _discard(kept: deque[_Attempt], attempt: _Attempt) -> None:
    if attempt in kept:
        kept.remove(attempt)


def _is_renewal(attempt: _Attempt) -> bool:
    return attempt.within_sa and attempt.outcome == "up"


def _text(message: Mapping[str, Any], key: str) -> str | None:
    value = message.get(key)
    return value.decode(errors="replace") if isinstance(value, bytes) else value
