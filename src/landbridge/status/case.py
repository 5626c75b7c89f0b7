"""What is known when a cause is looked for, and which of it still counts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from landbridge import model
from landbridge.model import negotiation
from landbridge.model.connection import IkeVersion
from landbridge.model.negotiation import Identity
from landbridge.status import cause_texts

#: Before everything.
EVER = datetime.min.replace(tzinfo=UTC)
_Fact = TypeVar("_Fact")
#: Lines that a cause quotes at most.
QUOTED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the store knows beside a connection and its observation. `strangers`: attempts at its gateway that no connection fits.
    `peer_address`: the device's, None without a fixed one; `local_address`: its endpoint's. `pairs`: the subnets of both sides, ours
    first. `probes`: what the device answered when it was asked, oldest first. `device`: its family (`device_words`), where one is named.
    """

    strangers: tuple[model.Attempt, ...] = ()
    probes: tuple[model.ProbeResult, ...] = ()
    device: str | None = None
    peer_address: str | None = None
    local_address: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()


NOTHING_HEARD = Heard()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A connection, the last look at it with the attempts of the store, and what else was said about it."""

    connection: model.Connection
    seen: model.ConnectionObservation
    heard: Heard = NOTHING_HEARD

    @cached_property
    def attempts(self) -> tuple[model.Attempt, ...]:
        """Those of the present configuration."""
        return tuple(one for one in self.seen.attempts if one.configuration == self.seen.configuration)

    @property
    def peer_address(self) -> str | None:
        return self.heard.peer_address

    @property
    def local_address(self) -> str | None:
        return self.heard.local_address

    @cached_property
    def local_id(self) -> Identity:
        policy = self.connection.ike_policy
        return Identity(kind=policy.local_id_type or "ip", value=policy.local_id or self.local_address or "")

    @cached_property
    def peer_id(self) -> Identity:
        policy = self.connection.ike_policy
        return Identity(kind=policy.peer_id_type or "ip", value=policy.peer_id or self.peer_address or "")

    @cached_property
    def words(self) -> cause_texts.Words:
        return cause_texts.Words(
            address=self.peer_address or "the device's address",
            endpoint=self.local_address or self.connection.gateway_endpoint,
            local_id=show(self.local_id),
            peer_id=show(self.peer_id),
            device=self.heard.device,
        )


def show(one: Identity) -> str:
    """`fqdn branch.example`"""
    return f"{one.kind} {one.value}"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What of one attempt still counts. `facts`: those after the last time up of their phase; `all_facts`: of the whole attempt, for the
    questions how far it came and how it went on; `up_at`: when an SA of this configuration last came up;
    `newest_at`: the last fact of any attempt; `version`: of the connection, for an attempt
    that does not tell its own; `has_child`: a CHILD_SA was up since the IKE_SA is.
    """

    attempt: model.Attempt
    facts: tuple[negotiation.Fact, ...]
    all_facts: tuple[negotiation.Fact, ...] = ()
    up_at: datetime = EVER
    newest_at: datetime = EVER
    version: IkeVersion | None = None
    has_child: bool = True

    def of(self, kind: type[_Fact]) -> list[_Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def ever(self, kind: type[_Fact]) -> list[_Fact]:
        return [fact for fact in self.all_facts if isinstance(fact, kind)]

    @property
    def last_at(self) -> datetime:
        return max((fact.at for fact in self.facts), default=self.attempt.began_at)

    @property
    def silent_for(self) -> timedelta:
        """How long nothing was said in this attempt, by what was said in others."""
        last = max((fact.at for fact in self.all_facts), default=self.attempt.began_at)
        return max(self.newest_at - last, timedelta(0))

    @property
    def is_v1(self) -> bool:
        return (self.attempt.ike_version or self.version) == "v1"

    @property
    def by_device(self) -> bool:
        return self.attempt.began_by == "device"

    def lines(self, *facts: negotiation.Fact) -> tuple[model.Evidence, ...]:
        """The lines of these facts; all lines that were not mere messages, where they have none."""
        chosen = [fact for fact in facts if fact.line] or [
            fact for fact in self.facts if fact.line and fact.kind not in {"message", "packet"}
        ]
        return in_order(negotiation.lines(chosen))


def in_order(lines: Iterable[model.Evidence]) -> tuple[model.Evidence, ...]:
    """The last ones, each once."""
    return tuple(sorted(dict.fromkeys(lines), key=lambda line: line.at))[-QUOTED:]


def said(case: Case) -> list[Said]:
    """The attempts in the order of their last facts, with what still counts of each. One of which nothing counts is left out."""
    own = case.attempts
    newest = max((fact.at for one in own for fact in one.facts), default=EVER)
    ups: dict[int, datetime] = {1: last_up(case, 1), 2: last_up(case, 2)}
    kept = [
        Said(
            attempt=one,
            facts=tuple(_after_up(one, ups)),
            all_facts=one.facts,
            up_at=ups[1],
            newest_at=newest,
            version=case.connection.ike_policy.version,
            has_child=ups[2] >= ups[1],
        )
        for one in own
    ]
    return sorted((one for one in kept if one.facts or _ended_after(one, ups[2])), key=lambda one: one.last_at)


def last_up(case: Case, phase: negotiation.Phase) -> datetime:
    """When phase 1 or phase 2 of the present configuration last came up."""
    return max(_ups(case.attempts, phase), default=EVER)


def _ended_after(one: Said, up_at: datetime) -> bool:
    return one.attempt.outcome not in {None, "up"} and (one.attempt.ended_at or one.attempt.began_at) > up_at


def phase_of(fact: negotiation.Fact) -> negotiation.Phase:
    if isinstance(fact, negotiation.SelectorsRefused | negotiation.DataPlaneFailure):
        return 2
    return getattr(fact, "phase", 1)


def _ups(attempts: Sequence[model.Attempt], phase: negotiation.Phase) -> Iterator[datetime]:
    """When phase 1 or phase 2 came up. Phase 1 is up where phase 2 is."""
    for one in attempts:
        told = [fact.at for fact in one.facts if isinstance(fact, negotiation.Established) and fact.phase >= phase]
        yield from told
        if one.outcome == "up" and not one.within_sa and not told:
            yield one.ended_at or one.began_at


def _after_up(one: model.Attempt, ups: Mapping[int, datetime]) -> Iterator[negotiation.Fact]:
    """What was said after its phase came up. Of lines of one moment, what stands behind the last Established came after it."""
    last = max((n for n, fact in enumerate(one.facts) if isinstance(fact, negotiation.Established)), default=None)
    for n, fact in enumerate(one.facts):
        behind = last is not None and n > last and fact.at == one.facts[last].at
        if behind or fact.at > ups[phase_of(fact)]:
            yield fact
