"""Folds attempts that failed in the same way, so that the attempts that are kept reach back further. Pure."""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime

from landbridge.model import negotiation
from landbridge.model.negotiation import Attempt, Fact

_NEVER = datetime.min.replace(tzinfo=UTC)
_FAILURES = frozenset({"refused_by_us", "refused_by_device", "no_answer", "stopped"})
_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")
#: Ports of IKE. A NAT gives any other one to each attempt.
_PORTS = frozenset({500, 4500})


def fold(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The attempts, oldest first, with one for each kind of failure. It has the facts of the newest attempt of its kind, their number and the
    time of the first one. An attempt that is up, has ended an SA, or has not ended is never folded, and no attempt is folded over it.
    """
    done: list[Attempt] = []
    failed: dict[Hashable, Attempt] = {}
    for attempt in attempts:
        if attempt.outcome not in _FAILURES:
            done += [*failed.values(), attempt]
            failed.clear()
            continue
        before = failed.pop(kind := _kind(attempt), None)
        failed[kind] = attempt if before is None else _sum(before, attempt)
    return [*done, *failed.values()]


def add(stored: Iterable[Attempt], news: Iterable[Attempt]) -> list[Attempt]:
    """All attempts, oldest first. An attempt that was stored before is not counted again."""
    by_number = {int(attempt.id): attempt for attempt in stored}
    folded: defaultdict[Hashable, list[Attempt]] = defaultdict(list)  # before and after a tunnel that was up
    for attempt in by_number.values():
        if attempt.count > 1:
            folded[_kind(attempt)].append(attempt)
    for attempt in news:
        known = by_number.get(int(attempt.id))
        if known is not None:
            by_number[int(attempt.id)] = dataclasses.replace(
                attempt, count=known.count, first_began_at=known.first_began_at
            )
        elif not folded or not any(
            _first(same) <= attempt.began_at <= same.began_at for same in folded[_kind(attempt)]
        ):
            by_number[int(attempt.id)] = attempt
    return [by_number[number] for number in sorted(by_number)]


def _sum(before: Attempt, attempt: Attempt) -> Attempt:
    return dataclasses.replace(attempt, count=before.count + attempt.count, first_began_at=_first(before))


def _first(attempt: Attempt) -> datetime:
    return attempt.first_began_at or attempt.began_at


def _kind(attempt: Attempt) -> Hashable:
    """The attempt without its id and times, and without what differs between repetitions."""
    return dataclasses.replace(
        attempt,
        id="",
        began_at=_NEVER,
        ended_at=None,
        count=1,
        first_began_at=None,
        facts=tuple(map(_plain, attempt.facts)),
    )


def _plain(fact: Fact) -> Fact:
    line = _NUMBERS.sub("", fact.line) if isinstance(fact, negotiation.Unknown) else ""
    plain = dataclasses.replace(fact, at=_NEVER, line=line)
    match plain:
        case negotiation.Retransmits():
            return dataclasses.replace(plain, count=0)
        case negotiation.Packet(peer_port=port) if port not in _PORTS:
            return dataclasses.replace(plain, peer_port=0)
    return plain
