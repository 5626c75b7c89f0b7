"""Policy rules that are derived: one rule for each local subnet, to all peer subnets. Derived rules follow the subnets.

Rules that a request gave stay as they are. A warning names the subnets that they leave out.
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
    """Numbers the rules without an index in their order, and skips the indexes that other rules have."""
    requested = tuple(rules)
    given = {rule.index for rule in requested}
    free = (n for n in range(allowed_values.FIRST_RULE_INDEX, allowed_values.RULE_INDEX.high + 1) if n not in given)
    return tuple(
        model.PolicyRule(
            index=next(free) if rule.index is None else rule.index,
            source=rule.source or "",
            destinations=rule.destinations or (),
        )
        for rule in requested
    )


def asked(rules: Iterable[model.PolicyRule]) -> tuple[model.PolicyRuleRequest, ...]:
    return tuple(model.PolicyRuleRequest(index=r.index, source=r.source, destinations=r.destinations) for r in rules)


def with_indexes_of(
    was: Iterable[model.PolicyRule], rules: Iterable[model.PolicyRuleRequest]
) -> list[model.PolicyRuleRequest]:
    """A rule without an index keeps the index of its source, unless another rule takes that index. Clients leave out an
    index of 0. A rule that keeps its index keeps its CHILD_SAs.
    """
    numbered = list(rules)
    given = {rule.index for rule in numbered}
    known = {rule.source: rule.index for rule in was if rule.index not in given}
    return [
        rule if rule.index is not None else dataclasses.replace(rule, index=known.pop(rule.source or "", None))
        for rule in numbered
    ]


def are_derived(connection: model.Connection, local_subnets: tuple[str, ...]) -> bool:
    """Whether the rules follow the subnets. `local_subnets`: those of its gateway now.

    A row of an earlier version does not tell. In such a row, rules that are equal to the derived rules were derived.
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
    """Checks an update of a gateway: the new local subnets must not make more rules than a connection may have."""
    if subnets is None or len(subnets) <= allowed_values.RULES.high:
        return
    follows = next((connection for connection in connections if are_derived(connection, present.local_subnets)), None)
    if follows is not None:
        yield model.Violation(
            "local_subnets",
            f"connection {follows.id} has a policy rule for each local subnet, and {len(subnets)} would be too many",
            f"at most {allowed_values.RULES.high} local subnets, or first policy_rules for that connection",
        )


def uncovered_peers(connection: model.Connection) -> Iterator[model.Warning]:
    """Warns of peer subnets whose routes lead into the tunnel although no traffic selector has them."""
    if connection.style != "policy":
        return
    destinations = [block for rule in connection.policy_rules for block in rule.destinations]
    for index, subnet in _uncovered(destinations, enumerate(connection.peer_subnets or ())):
        text = f"no policy rule has {subnet} in its destination: packets for it do not reach the other side"
        yield model.Warning(f"peer_subnets[{index}]", text)


def uncovered_local(
    was: model.VpnGateway, now: model.VpnGateway, connections: Iterable[model.Connection]
) -> Iterator[model.Warning]:
    """Warns of new local subnets of a gateway that a connection with given rules does not carry."""
    new = [(index, subnet) for index, subnet in enumerate(now.local_subnets) if subnet not in was.local_subnets]
    for connection in connections if new else ():
        if connection.style != "policy" or are_derived(connection, was.local_subnets):
            continue
        for index, subnet in _uncovered([rule.source for rule in connection.policy_rules], new):
            text = f"no policy rule of connection {connection.id} has {subnet} in its source"
            yield model.Warning(f"local_subnets[{index}]", f"{text}: the connection does not carry it")


def _uncovered(blocks: Iterable[str], subnets: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The subnets, with their numbers, that the blocks together do not contain completely."""
    spans = ipv4.joined(map(ipv4.block, blocks))
    for index, subnet in subnets:
        first, last = ipv4.block(subnet).ends
        before = bisect.bisect_right(spans, first, key=lambda span: span[0])
        if before == 0 or spans[before - 1][1] < last:
            yield index, subnet
