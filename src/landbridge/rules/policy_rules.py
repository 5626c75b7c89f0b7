"""Policy rules that are derived from subnets: one for each local subnet, to all peer subnets. They follow what they were
derived from; rules that a request gave stay as they are, and what they then leave out is a warning.
"""

import bisect
import dataclasses
from collections.abc import Iterable, Iterator

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import ipv4


def derive(local_subnets: tuple[str, ...], peer_subnets: tuple[str, ...] | None) -> tuple[model.PolicyRuleRequest, ...]:
    return tuple(model.PolicyRuleRequest(source=subnet, destinations=peer_subnets or ()) for subnet in local_subnets)


def number(rules: Iterable[model.PolicyRuleRequest]) -> tuple[model.PolicyRule, ...]:
    """Rules without an index are numbered from 1 in their order, skipping the indexes that others have."""
    asked = tuple(rules)
    given = {rule.index for rule in asked}
    free = (n for n in range(allowed_values.FIRST_RULE_INDEX, allowed_values.RULE_INDEX.high + 1) if n not in given)
    return tuple(
        model.PolicyRule(
            index=next(free) if rule.index is None else rule.index,
            source=rule.source or "",
            destinations=rule.destinations or (),
        )
        for rule in asked
    )


def asked(rules: Iterable[model.PolicyRule]) -> tuple[model.PolicyRuleRequest, ...]:
    return tuple(model.PolicyRuleRequest(index=r.index, source=r.source, destinations=r.destinations) for r in rules)


def with_indexes_of(
    was: Iterable[model.PolicyRule], rules: Iterable[model.PolicyRuleRequest]
) -> list[model.PolicyRuleRequest]:
    """A rule without an index keeps that of its source, unless another one takes it: clients leave out an index of 0, and a
    rule that keeps its index keeps its CHILD_SAs.
    """
    wanted = list(rules)
    given = {rule.index for rule in wanted}
    known = {rule.source: rule.index for rule in was if rule.index not in given}
    return [
        rule if rule.index is not None else dataclasses.replace(rule, index=known.pop(rule.source or "", None))
        for rule in wanted
    ]


def are_derived(connection: model.Connection, local_subnets: tuple[str, ...]) -> bool:
    """Whether the rules follow the subnets. `local_subnets`: of its gateway, as they are now.

    A row of a version before this was known does not say it: there, rules that are equal to what is derived were derived.
    """
    if connection.style != "policy":
        return False
    if connection.policy_rules_given is not None:
        return not connection.policy_rules_given
    pairs = [(rule.source, rule.destinations) for rule in connection.policy_rules]
    return bool(pairs) and pairs == [(subnet, connection.peer_subnets or ()) for subnet in local_subnets]


def check_local_subnets(
    subnets: tuple[str, ...] | None, present: model.VpnGateway, connections: Iterable[model.Connection]
) -> Iterator[model.Violation]:
    """Of an update of a gateway: as many rules as a connection may have can be derived."""
    if subnets is None or len(subnets) <= allowed_values.RULES.high:
        return
    follows = next((each for each in connections if are_derived(each, present.local_subnets)), None)
    if follows is not None:
        yield model.Violation(
            "local_subnets",
            f"connection {follows.id} has a policy rule for each local subnet, and {len(subnets)} would be too many",
            f"at most {allowed_values.RULES.high} local subnets, or first policy_rules for that connection",
        )


def uncovered_peers(connection: model.Connection) -> Iterator[model.Warning]:
    """Peer subnets that lead into the tunnel and match no traffic selector there."""
    if connection.style != "policy":
        return
    destinations = [block for rule in connection.policy_rules for block in rule.destinations]
    for index, subnet in _uncovered(destinations, enumerate(connection.peer_subnets or ())):
        text = f"no policy rule has {subnet} in its destination: packets for it do not reach the other side"
        yield model.Warning(f"peer_subnets[{index}]", text)


def uncovered_local(
    was: model.VpnGateway, now: model.VpnGateway, connections: Iterable[model.Connection]
) -> Iterator[model.Warning]:
    """New local subnets of a gateway that a connection with rules of its own does not carry."""
    new = [(index, subnet) for index, subnet in enumerate(now.local_subnets) if subnet not in was.local_subnets]
    for connection in connections if new else ():
        if connection.style != "policy" or are_derived(connection, was.local_subnets):
            continue
        for index, subnet in _uncovered([rule.source for rule in connection.policy_rules], new):
            text = f"no policy rule of connection {connection.id} has {subnet} in its source"
            yield model.Warning(f"local_subnets[{index}]", f"{text}: the connection does not carry it")


def _uncovered(blocks: Iterable[str], subnets: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Those of the numbered subnets that the blocks together do not hold whole."""
    spans = _joined(blocks)
    for index, subnet in subnets:
        first, last = ipv4.block(subnet).ends
        before = bisect.bisect_right(spans, first, key=lambda span: span[0])
        if before == 0 or spans[before - 1][1] < last:
            yield index, subnet


def _joined(blocks: Iterable[str]) -> list[tuple[int, int]]:
    """First and last address of each stretch without a gap, in their order."""
    spans: list[tuple[int, int]] = []
    for first, last in sorted(ipv4.block(text).ends for text in blocks):
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = spans[-1][0], max(spans[-1][1], last)
        else:
            spans.append((first, last))
    return spans
