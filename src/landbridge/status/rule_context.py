"""The input of the rules for causes: a connection, its last observation, related resources, and its attempts.

Pure. An attempt of another configuration, and a fact from before the last time that its phase came up, is left out: no rule sees it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from landbridge import model
from landbridge.model import negotiation, traffic_selectors
from landbridge.model.connection import IkeVersion
from landbridge.model.negotiation import Identity
from landbridge.status import cause_texts

#: The time of what never happened.
NEVER = datetime.min.replace(tzinfo=UTC)
_Fact = TypeVar("_Fact")
#: How many lines a cause quotes at most.
QUOTED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """What the store has on resources that are related to the connection."""

    #: Attempts at its VPN gateway that match no connection.
    strangers: tuple[model.Attempt, ...] = ()
    #: The results of its probes, oldest first.
    probes: tuple[model.ProbeResult, ...] = ()
    #: The family of the device (`device_settings`); None when it is not known.
    device: str | None = None
    #: The address of the device; None when it has no fixed address.
    peer_address: str | None = None
    #: The address of the endpoint.
    local_address: str | None = None
    #: The pairs of subnets, ours first.
    pairs: tuple[tuple[str, str], ...] = ()
    #: The ASN of the VPN gateway.
    asn: int | None = None
    #: The ASN of the customer gateway.
    peer_asn: int | None = None
    #: The last changes of its BGP session, oldest first.
    sessions: tuple[model.BgpChange, ...] = ()


#: Of a connection without related resources.
NOTHING = Related()


@dataclass(frozen=True, kw_only=True)
class Context:
    """`seen`: the last observation, with the attempts of the store. `seen_at`: when the gateway was last observed."""

    connection: model.Connection
    seen: model.ConnectionObservation
    related: Related = Related()
    seen_at: datetime | None = None

    @cached_property
    def attempts(self) -> tuple[model.Attempt, ...]:
        """The attempts of the present configuration."""
        return tuple(attempt for attempt in self.seen.attempts if attempt.configuration == self.seen.configuration)

    @property
    def peer_address(self) -> str | None:
        return self.related.peer_address

    @property
    def local_address(self) -> str | None:
        return self.related.local_address

    @cached_property
    def local_id(self) -> Identity:
        policy = self.connection.ike_policy
        return Identity(kind=policy.local_id_type or "ip", value=policy.local_id or self.local_address or "")

    @cached_property
    def peer_id(self) -> Identity:
        policy = self.connection.ike_policy
        return Identity(kind=policy.peer_id_type or "ip", value=policy.peer_id or self.peer_address or "")

    @cached_property
    def placeholders(self) -> cause_texts.Placeholders:
        inner, peer_inner = traffic_selectors.inner_addresses(self.connection) or ("", "")
        blank = cause_texts.Placeholders()
        return cause_texts.Placeholders(
            address=self.peer_address or "the device's address",
            endpoint=self.local_address or self.connection.gateway_endpoint,
            local_id=str(self.local_id),
            peer_id=str(self.peer_id),
            version=self.connection.ike_policy.version,
            probe=f"/landbridge/v1/{self.connection.project_id}/vpn-connections/{self.connection.id}/probe",
            inner=inner.split("/")[0] or blank.inner,
            peer_inner=peer_inner.split("/")[0] or blank.peer_inner,
            asn=blank.asn if self.related.asn is None else str(self.related.asn),
            device=self.related.device,
        )


@dataclass(frozen=True, kw_only=True)
class AttemptView:
    """The part of one attempt that still counts."""

    attempt: model.Attempt
    #: The facts after the last time that their phase came up.
    facts: tuple[negotiation.Fact, ...]
    #: All facts, which show how far the attempt came and how it went on.
    all_facts: tuple[negotiation.Fact, ...] = ()
    #: When an SA of this configuration last came up.
    up_at: datetime = NEVER
    #: The time of the last fact of any attempt.
    newest_at: datetime = NEVER
    #: The IKE version of the attempt, or of the connection when the attempt does not show it.
    version: IkeVersion | None = None
    #: Whether a CHILD_SA was up since the IKE_SA came up.
    has_child: bool = True

    def facts_of(self, kind: type[_Fact]) -> list[_Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def all_facts_of(self, kind: type[_Fact]) -> list[_Fact]:
        return [fact for fact in self.all_facts if isinstance(fact, kind)]

    @property
    def last_at(self) -> datetime:
        return max((fact.at for fact in self.facts), default=self.attempt.began_at)

    @property
    def silent_for(self) -> timedelta:
        """The time between the last fact of this attempt and the last fact of all attempts."""
        last = max((fact.at for fact in self.all_facts), default=self.attempt.began_at)
        return max(self.newest_at - last, timedelta(0))

    @property
    def is_v1(self) -> bool:
        return (self.attempt.ike_version or self.version) == "v1"

    @property
    def by_device(self) -> bool:
        return self.attempt.began_by == "device"

    def lines(self, *facts: negotiation.Fact) -> tuple[model.Evidence, ...]:
        """The lines of these facts. If they have none: the lines of all facts but messages and packets."""
        chosen = [fact for fact in facts if fact.line] or [
            fact for fact in self.facts if fact.line and fact.kind not in {"message", "packet"}
        ]
        return in_order(negotiation.lines(chosen))


def in_order(lines: Iterable[model.Evidence]) -> tuple[model.Evidence, ...]:
    """The last `QUOTED` lines in the order of their times, without duplicates."""
    return tuple(sorted(dict.fromkeys(lines), key=lambda line: line.at))[-QUOTED:]


def views(context: Context) -> list[AttemptView]:
    """The attempts in the order of their last facts. An attempt without a fact that still counts is left out."""
    last_at = [(attempt, max((fact.at for fact in attempt.facts), default=NEVER)) for attempt in context.attempts]
    newest = max((at for _, at in last_at), default=NEVER)
    ups: dict[int, datetime] = {1: last_up(context, 1), 2: last_up(context, 2)}
    since = min(ups.values())
    kept = [
        AttemptView(
            attempt=attempt,
            facts=tuple(_after_up(attempt, ups)) if at >= since else (),
            all_facts=attempt.facts,
            up_at=ups[1],
            newest_at=newest,
            version=context.connection.ike_policy.version,
            has_child=ups[2] >= ups[1],
        )
        for attempt, at in last_at
    ]
    return sorted((view for view in kept if view.facts or _ended_after(view, ups[2])), key=lambda view: view.last_at)


def last_up(context: Context, phase: negotiation.Phase) -> datetime:
    """When phase 1 or phase 2 of the present configuration last came up."""
    return max(_ups(context.attempts, phase), default=NEVER)


def first_up(context: Context) -> datetime:
    """When the present tunnel came up: a rekey or a reauthentication replaces SAs of a tunnel that is up."""
    return max(
        (
            fact.at
            for attempt in context.attempts
            for fact in attempt.facts
            if isinstance(fact, negotiation.Established) and not fact.again and not attempt.within_sa
        ),
        default=NEVER,
    )


def _ended_after(view: AttemptView, up_at: datetime) -> bool:
    return view.attempt.outcome not in {None, "up"} and (view.attempt.ended_at or view.attempt.began_at) > up_at


def phase_of(fact: negotiation.Fact) -> negotiation.Phase:
    if isinstance(fact, negotiation.SelectorsRefused | negotiation.DataPlaneFailure):
        return 2
    return getattr(fact, "phase", 1)


def _ups(attempts: Sequence[model.Attempt], phase: negotiation.Phase) -> Iterator[datetime]:
    """The times at which phase 1 or phase 2 came up. When phase 2 comes up, phase 1 is up too."""
    for attempt in attempts:
        times = [fact.at for fact in attempt.facts if isinstance(fact, negotiation.Established) and fact.phase >= phase]
        yield from times
        if attempt.outcome == "up" and not attempt.within_sa and not times:
            yield attempt.ended_at or attempt.began_at


def _after_up(attempt: model.Attempt, ups: Mapping[int, datetime]) -> Iterator[negotiation.Fact]:
    """The facts after the last time that their phase came up. Of facts of the same time, those behind the last Established are later."""
    last = max((n for n, fact in enumerate(attempt.facts) if isinstance(fact, negotiation.Established)), default=None)
    for n, fact in enumerate(attempt.facts):
        behind = last is not None and n > last and fact.at == attempt.facts[last].at
        up_at = ups[phase_of(fact)]
        if fact.at > up_at or (behind and fact.at == up_at):
            yield fact


def cause(code: str, context: Context, view: AttemptView, *facts: negotiation.Fact, **given: object) -> model.Cause:
    """A cause with the lines of these facts as evidence."""
    return cause_texts.cause(code, placeholders=context.placeholders, evidence=view.lines(*facts), **given)  # type: ignore[arg-type]


def pairs(context: Context) -> str | None:
    """The pairs of subnets of this connection, ours first; None without any."""
    shown = "; ".join(f"{ours} - {theirs}" for ours, theirs in context.related.pairs[:5])
    return f"{shown} and {len(context.related.pairs) - 5} more" if len(context.related.pairs) > 5 else shown or None
