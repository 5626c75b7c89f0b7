"""Warnings about overlaps of a connection with other connections of its gateway: subnets behind the device, and ids. Pure.

An overlap never refuses a connection, since some overlaps are intended.
"""

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.rules import ipv4

#: Connections that warnings of one kind name.
NAMED = 5


@dataclass(frozen=True, slots=True)
class _Claim:
    """Packets that a connection carries. `source`: a local subnet; None: all local subnets."""

    field: str
    source: ipv4.Block | None
    destination: ipv4.Block

    def overlaps(self, other: "_Claim") -> bool:
        apart = self.source is not None and other.source is not None and not self.source.overlaps(other.source)
        return self.destination.overlaps(other.destination) and not apart


def warnings(connection: model.Connection, others: Iterable[model.Connection]) -> tuple[model.Warning, ...]:
    """`others`: the other connections of its gateway."""
    known = list(others)
    return (*_named(_overlaps(connection, known)), *_named(_same_ids(connection, known)))


def _named(warnings: Iterator[model.Warning]) -> Iterator[model.Warning]:
    """The first `NAMED` warnings. The last one has the number of those that are left out."""
    all_of_them = list(warnings)
    yield from all_of_them[: NAMED - 1]
    left = len(all_of_them) - NAMED
    if left >= 0:
        last = all_of_them[NAMED - 1]
        more = f", and {left} more connections do" if left else ""
        yield model.Warning(last.field, last.text + more)


def _overlaps(connection: model.Connection, others: Iterable[model.Connection]) -> Iterator[model.Warning]:
    """The first overlap with each connection. A pair of connections from the two endpoints to the same subnets is meant: one stands
    by for the other.
    """
    ours = _claims(connection)
    spans = ipv4.joined(claim.destination for claim in ours)
    for other in others:
        theirs = [claim for claim in _claims(other) if _meets(spans, claim.destination)]
        if other.endpoint != connection.endpoint and _packets(ours) == _packets(_claims(other)):
            continue
        hit = next(
            ((claim, other_claim) for claim in ours for other_claim in theirs if claim.overlaps(other_claim)), None
        )
        if hit is not None:
            claim, other_claim = hit
            text = (
                f"{claim.destination} overlaps with {other_claim.destination} of connection {other.id} ({other.name})"
            )
            yield model.Warning(claim.field, f"{text}: {_consequence(connection, other)}")


def _consequence(*both: model.Connection) -> str:
    """Devices of policy-templates may have the same wide subnets: each one asks for its part."""
    if all(connection.style == "policy-template" for connection in both):
        return "the two devices must ask for different parts; the userland data plane refuses the younger connection"
    return "one of the two tunnels takes the packets for both"


def _claims(connection: model.Connection) -> list[_Claim]:
    if connection.style == "policy":
        return [
            _Claim(f"policy_rules[{number}].destination", ipv4.block(rule.source), ipv4.block(text))
            for number, rule in enumerate(connection.policy_rules)
            for text in rule.destinations
        ]
    return [
        _Claim(f"peer_subnets[{number}]", None, ipv4.block(text))
        for number, text in enumerate(connection.peer_subnets or ())
    ]


def _packets(claims: list[_Claim]) -> set[tuple[ipv4.Block | None, ipv4.Block]]:
    return {(claim.source, claim.destination) for claim in claims}


def _meets(spans: list[tuple[int, int]], block: ipv4.Block) -> bool:
    first, last = block.ends
    before = bisect.bisect_right(spans, last, key=lambda span: span[0])
    return before > 0 and spans[before - 1][1] >= first


def _same_ids(connection: model.Connection, others: Iterable[model.Connection]) -> Iterator[model.Warning]:
    """The connections whose IKE_SAs charon takes for duplicates of this one's."""
    ours = _ids(connection)
    for other in others:
        if ours is not None and _ids(other) == ours:
            text = f"connection {other.id} ({other.name}) has the same local_id and peer_id"
            yield model.Warning("ikepolicy.peer_id", f"{text}: strongSwan carries the older one alone")


def _ids(connection: model.Connection) -> tuple[str, str] | None:
    """Both ids, as IKE daemons compare them. None for a GM connection, which keeps no ids."""
    policy = connection.ike_policy
    if policy.local_id is None or policy.peer_id is None:
        return None
    return policy.local_id.lower(), policy.peer_id.lower()
