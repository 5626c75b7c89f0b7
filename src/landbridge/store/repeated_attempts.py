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
    for one in attempts:
        if one.outcome not in _FAILURES:
            done += [*failed.values(), one]
            failed.clear()
            continue
        before = failed.pop(kind := _kind(one), None)
        failed[kind] = one if before is None else _sum(before, one)
    return [*done, *failed.values()]


def add(stored: Iterable[Attempt], news: Iterable[Attempt]) -> list[Attempt]:
    """All attempts, oldest first. An attempt that was stored before is not counted again."""
    found = {int(one.id): one for one in stored}
    folded: defaultdict[Hashable, list[Attempt]] = defaultdict(list)  # before and after a tunnel that was up
    for one in found.values():
        if one.count > 1:
            folded[_kind(one)].append(one)
    for one in news:
        known = found.get(int(one.id))
        if known is not None:
            found[int(one.id)] = dataclasses.replace(one, count=known.count, first_began_at=known.first_began_at)
        elif not folded or not any(_first(same) <= one.began_at <= same.began_at for same in folded[_kind(one)]):
            found[int(one.id)] = one
    return [found[number] for number in sorted(found)]


def _sum(before: Attempt, one: Attempt) -> Attempt:
    return dataclasses.replace(one, count=before.count + one.count, first_began_at=_first(before))


def _first(one: Attempt) -> datetime:
    return one.first_began_at or one.began_at


def _kind(one: Attempt) -> Hashable:
    """The attempt without its id and times, and without what differs between repetitions."""
    return dataclasses.replace(
        one, id="", began_at=_NEVER, ended_at=None, count=1, first_began_at=None, facts=tuple(map(_plain, one.facts))
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
