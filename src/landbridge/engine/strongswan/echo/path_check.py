"""Finds the largest packet that passes a path through a tunnel: it sends echoes that no router may fragment, one size after another.

A network that drops large packets without an ICMP error is a black hole (RFC 2923, 2.1): a large echo gets no answer twice, and small echoes to
the same address are answered. The check then brackets the largest size that passes. It sends at most 8 small echoes, twice, to find an address
that answers, and at most 15 more.
"""

import os
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from landbridge import model
from landbridge.engine.strongswan.echo import icmp

#: Bytes of a small echo, IP header included, and the difference between the sizes that ends the search.
SMALL, GRAIN = 64, 16
#: How often a large echo is lost while small ones pass, and in how many rounds.
LOSSES, ROUNDS = 2, 4
#: Seconds that an address has to answer.
ANSWER = 1.0

Heard = icmp.EchoReply | icmp.IcmpError | None


class Echo(NamedTuple):
    source: str
    destination: str
    size: int


#: Yields the echoes of a round, and gets for each of them an answer, an ICMP error, or None. Returns the result.
Search = Generator[tuple[Echo, ...], tuple[Heard, ...], model.ProbePath]
#: (our address, an address behind the tunnel)
Target = tuple[str, str]


class PathCheckResult(NamedTuple):
    """`packets`: the number of echoes that were sent."""

    path: model.ProbePath
    packets: int


def search(targets: tuple[Target, ...], mtu: int) -> Search:
    """`mtu`: bytes of the largest packet that the tunnel takes. The first target that answers is checked."""
    answering = yield from _answering(targets)
    if answering is None:
        return model.ProbePath(outcome="unanswered", asked=tuple(destination for _, destination in targets), mtu=mtu)
    path = model.ProbePath(outcome="passes", source=answering[0], destination=answering[1], mtu=mtu, passed=mtu)
    lost: Heard = None
    losses = 0
    for _ in range(ROUNDS):
        lost, small = yield Echo(*answering, mtu), Echo(*answering, SMALL)
        if isinstance(lost, icmp.EchoReply):
            return path
        losses += isinstance(small, icmp.EchoReply)
        if losses == LOSSES or _is_too_big(lost):
            return (yield from _smaller(answering, path, lost))
    return model.ProbePath(outcome="unanswered", asked=(answering[1],), mtu=mtu)


def _answering(targets: tuple[Target, ...]) -> Generator[tuple[Echo, ...], tuple[Heard, ...], Target | None]:
    for _ in range(2):
        heard = yield tuple(Echo(*target, SMALL) for target in targets)
        for target, answer in zip(targets, heard, strict=True):
            if isinstance(answer, icmp.EchoReply):
                return target
    return None


def _smaller(target: Target, path: model.ProbePath, lost: Heard) -> Search:
    """The largest size that passes. A router that says which size it takes is believed when that size passes."""
    reported = lost if isinstance(lost, icmp.IcmpError) and lost.mtu and SMALL <= lost.mtu < path.mtu else None
    by, low, high = (reported.reporter if reported else None), SMALL, path.mtu
    if reported and reported.mtu:
        (heard,) = yield (Echo(*target, reported.mtu),)
        if isinstance(heard, icmp.EchoReply):
            return _replaced(path, "reported", reported.mtu, path.mtu, by)
        high = reported.mtu
    while high - low > GRAIN:
        middle = (low + high) // 2
        (heard,) = yield (Echo(*target, middle),)
        low, high = (middle, high) if isinstance(heard, icmp.EchoReply) else (low, middle)
    return _replaced(path, "black_hole", low, high, by)


def _replaced(
    path: model.ProbePath, outcome: model.PathOutcome, passed: int, lost: int, by: str | None
) -> model.ProbePath:
    return model.ProbePath(
        outcome=outcome,
        source=path.source,
        destination=path.destination,
        mtu=path.mtu,
        passed=passed,
        lost=lost,
        reporter=by,
    )


def _is_too_big(heard: Heard) -> bool:
    return isinstance(heard, icmp.IcmpError) and (heard.type, heard.code) == (icmp.UNREACHABLE, icmp.TOO_BIG)


@dataclass
class _Running:
    """A search with the echoes of its present round: `sequences` of those that were sent, `heard` for each echo."""

    device: str
    search: Search
    echoes: tuple[Echo, ...]
    heard: list[Heard] = field(default_factory=list)
    sequences: dict[int, int] = field(default_factory=dict)
    packets: int = 0


def run(opened: icmp.EchoSocket, searches: Mapping[str, tuple[str, Search]]) -> dict[str, PathCheckResult]:
    """Runs all searches together, in rounds: name -> (interface of its tunnel, search). It takes up to 16 s. Raises OSError when nothing can be
    received.
    """
    identifier, sequence = int.from_bytes(os.urandom(2), "big"), 0
    running = {name: _Running(device, search, next(search)) for name, (device, search) in searches.items()}
    done: dict[str, PathCheckResult] = {}
    while running:
        for check in running.values():
            sequence = _send(opened, check, identifier, sequence)
        _listen(opened, running, identifier)
        for name, check in list(running.items()):
            try:
                check.echoes = check.search.send(tuple(check.heard))
            except StopIteration as ended:
                done[name] = PathCheckResult(ended.value, check.packets)
                del running[name]
    return done


def _send(opened: icmp.EchoSocket, check: _Running, identifier: int, sequence: int) -> int:
    """An echo that cannot leave is not answered. Returns the next sequence number."""
    check.heard, check.sequences = [None] * len(check.echoes), {}
    for number, (source, destination, size) in enumerate(check.echoes):
        sequence = (sequence + 1) & 0xFFFF
        try:
            opened.send(
                source,
                destination,
                device=check.device,
                identifier=identifier,
                sequence=sequence,
                size=size,
                dont_fragment=True,
            )
        except OSError:
            continue
        check.sequences[sequence] = number
        check.packets += 1
    return sequence


def _listen(opened: icmp.EchoSocket, running: Mapping[str, _Running], identifier: int) -> None:
    """Until all are answered, or for `ANSWER` seconds."""
    waiting = {sequence: (check, number) for check in running.values() for sequence, number in check.sequences.items()}
    until = time.monotonic() + ANSWER
    while waiting and (left := until - time.monotonic()) > 0:
        for message in opened.receive(left):
            match = waiting.get(message.sequence or 0)
            if message.identifier != identifier or match is None:
                continue
            check, number = match
            address = message.source if isinstance(message, icmp.EchoReply) else message.destination
            if address == check.echoes[number].destination:
                check.heard[number] = message
                del waiting[message.sequence or 0]
