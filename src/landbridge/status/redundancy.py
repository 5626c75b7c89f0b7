"""Derives whether a VPN gateway is redundant: which single failure would cut which subnets.

Two connections back each other up only when they carry the same block. The routes of a tunnel that is down stay, so a wider block of
another connection takes nothing over. Two customer gateways count as two devices, although both may be one.

A BGP session that is down counts with the subnets that it would carry, within the blocks that its connection declares:

- the prefixes that the gateway's other sessions have learned, since the devices of all sessions are taken for one network;
- the subnets of static connections.

When there are none, nobody knows what the session would carry. It then counts with one subnet for each declared block, "what BGP announces
in" the block, because the block may be wider than everything behind the device.
"""

import functools
import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from landbridge import model

#: How many subnets a summary names.
SHOWN = 3
MACHINE = "this machine"
UNKNOWN = "what BGP announces"


class Carrying(Protocol):
    """What decides whether redundancy is met: the part of a `model.Carrier` that cheaper rows have too."""

    @property
    def style(self) -> str: ...
    @property
    def endpoint(self) -> int: ...
    @property
    def up(self) -> bool: ...
    @property
    def subnets(self) -> tuple[str, ...]: ...
    @property
    def learned(self) -> tuple[str, ...] | None: ...


C = TypeVar("C", bound=Carrying)


def derive(carriers: Sequence[model.Carrier], addresses: Mapping[int, str]) -> model.Redundancy | None:
    """`addresses`: number of an endpoint -> its address. None: no connection has a subnet."""
    by_subnet = _by_subnet(carriers)
    if not by_subnet:
        return None
    subnets = tuple(model.CarriedSubnet(subnet=subnet, carriers=tuple(by)) for subnet, by in sorted(by_subnet.items()))
    reached = {subnet: [carrier for carrier in by if carrier.up] for subnet, by in by_subnet.items()}
    failures = tuple(_failures(reached, addresses))
    is_met, is_configured = _is_met(reached), _is_met(by_subnet)
    return model.Redundancy(
        is_met=is_met,
        is_configured=is_configured,
        summary=_summary(reached, failures, is_met=is_met, is_configured=is_configured),
        subnets=subnets,
        failures=failures,
    )


def met(carriers: Iterable[Carrying]) -> tuple[bool, bool] | None:
    """`is_met` and `is_configured` of `derive`, and nothing else."""
    by_subnet = _by_subnet(carriers)
    return (
        (
            _is_met({subnet: [carrier for carrier in by if carrier.up] for subnet, by in by_subnet.items()}),
            _is_met(by_subnet),
        )
        if by_subnet
        else None
    )


def _by_subnet(carriers: Iterable[C]) -> dict[str, list[C]]:
    by_subnet: defaultdict[str, list[C]] = defaultdict(list)
    for carrier, subnets in _carried(tuple(carriers)):
        for subnet in subnets:
            by_subnet[subnet].append(carrier)
    return by_subnet


def _carried(carriers: Sequence[C]) -> Iterator[tuple[C, Iterable[str]]]:
    """Each carrier with what it carries, or would carry."""
    would_carry = functools.cache(lambda blocks: _would_carry(carriers, blocks))
    for carrier in carriers:
        yield carrier, carrier.subnets if carrier.learned is None else carrier.learned or would_carry(carrier.subnets)


def _would_carry(carriers: Sequence[Carrying], blocks: tuple[str, ...]) -> tuple[str, ...]:
    """The subnets that a session without learned routes would carry, within the blocks that its connection declares."""
    learned = tuple(dict.fromkeys(prefix for carrier in carriers if carrier.up for prefix in carrier.learned or ()))
    static = (subnet for carrier in carriers if carrier.style == "static" for subnet in carrier.subnets)
    known = _within((*learned, *static), blocks) if blocks else learned
    return known or tuple(f"{UNKNOWN} in {block}" for block in blocks) or (UNKNOWN,)


def _within(prefixes: tuple[str, ...], blocks: tuple[str, ...]) -> tuple[str, ...]:
    """The prefixes in any of the blocks, each once."""
    nets = [ipaddress.IPv4Network(block, strict=False) for block in blocks]
    parsed = {prefix: ipaddress.IPv4Network(prefix, strict=False) for prefix in prefixes}
    return tuple(prefix for prefix, net in parsed.items() if any(map(net.subnet_of, nets)))


def _is_met(by_subnet: Mapping[str, Sequence[Carrying]]) -> bool:
    """Two endpoints have two connections."""
    return all(len({carrier.endpoint for carrier in by}) > 1 for by in by_subnet.values())


def _failures(
    reached: Mapping[str, Sequence[model.Carrier]], addresses: Mapping[int, str]
) -> Iterator[model.SingleFailure]:
    """Single failures: connections first, which affect least, and the machine last. A subnet that nothing reaches now is left out."""
    parts: tuple[tuple[model.FailureKind, Callable[[model.Carrier], tuple[str, str | None]]], ...] = (
        ("connection", lambda carrier: (carrier.connection, carrier.connection_id)),
        ("endpoint", lambda carrier: (f"endpoint {carrier.endpoint} ({addresses[carrier.endpoint]})", None)),
        ("customer_gateway", lambda carrier: (carrier.customer_gateway, carrier.customer_gateway_id)),
        ("machine", lambda _: (MACHINE, None)),
    )
    for kind, part in parts:
        cut: defaultdict[tuple[str, str | None], list[str]] = defaultdict(list)
        for subnet, by in sorted(reached.items()):
            alone = {part(carrier) for carrier in by}
            if len(alone) == 1:
                cut[alone.pop()].append(subnet)
        for (name, its_id), subnets in cut.items():
            yield model.SingleFailure(kind=kind, name=name, id=its_id, subnets=tuple(subnets))


def _summary(
    reached: Mapping[str, Sequence[model.Carrier]],
    failures: Iterable[model.SingleFailure],
    *,
    is_met: bool,
    is_configured: bool,
) -> str:
    if is_met:
        alone = [_alone(failure, failure.subnets) for failure in failures if failure.kind == "customer_gateway"]
        return "redundancy is met" + (f", except for the device: {_first(alone)}" if alone else "")
    unreached = sorted(subnet for subnet, by in reached.items() if not by)
    sentences = [f"{_some(unreached)} {_are(unreached)} not reached"] if unreached else []
    named_subnets: set[str] = set()
    for failure in failures:
        if failure.kind in ("connection", "endpoint") and (
            new := [subnet for subnet in failure.subnets if subnet not in named_subnets]
        ):
            sentences.append(_alone(failure, new))
            named_subnets.update(new)
    hope = "; it is met when all connections are up" if is_configured else ""
    return f"redundancy is not met: {_first(sentences)}{hope}"


def _first(sentences: Sequence[str]) -> str:
    more = f"; and {len(sentences) - SHOWN} more" if len(sentences) > SHOWN else ""
    return "; ".join(sentences[:SHOWN]) + more


def _alone(failure: model.SingleFailure, subnets: Sequence[str]) -> str:
    return f"{_some(subnets)} {_are(subnets)} reached through {failure.name} alone"


def _are(subnets: Sequence[str]) -> str:
    return "is" if len(subnets) == 1 else "are"


def _some(subnets: Sequence[str]) -> str:
    more = f" and {len(subnets) - SHOWN} more" if len(subnets) > SHOWN else ""
    return ", ".join(subnets[:SHOWN]) + more
