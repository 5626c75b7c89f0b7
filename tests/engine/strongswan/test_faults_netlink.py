"""A netlink call fails, or the agent dies in it: at every call of a cycle. The next cycle comes to the same end."""

import contextlib
import dataclasses
import errno
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from lab import cycles
from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan.network import namespace, netlink
from tests.engine.strongswan import fault_bench
from tests.engine.strongswan.fault_bench import Bench

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(400)]


class Died(BaseException):
    """The agent's process ended here."""


FAULTS: dict[str, Callable[[], BaseException]] = {
    "no buffers": lambda: NetlinkError(errno.ENOBUFS),
    "no memory": lambda: OSError(errno.ENOMEM, "Cannot allocate memory"),
    "death": Died,
}


class Counted:
    """Counts the calls of all netlink sockets, those that change something and those that look, and raises in one of them."""

    def __init__(self, at: int, fault: Callable[[], BaseException]) -> None:
        self.count = 0
        self._at, self._fault = at, fault

    @contextlib.contextmanager
    def open(self, kind: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        with kind(*arguments) as opened:
            yield _Calls(opened, self._call)

    def _call(self, work: Callable[..., Any], *arguments: Any, **words: Any) -> Any:
        self.count += 1
        if self.count == self._at:
            raise self._fault()
        return work(*arguments, **words)


@dataclasses.dataclass
class _Calls:
    opened: Any
    call: Callable[..., Any]

    def __getattr__(self, name: str) -> Any:
        work = getattr(self.opened, name)
        return lambda *arguments, **words: self.call(work, *arguments, **words)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with fault_bench.bench() as made:
        yield made


def _spoilt(bench: Bench, desired: model.DesiredGateway | None, counted: Counted) -> None:
    engine = bench.fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(namespace, "IPRoute", functools.partial(counted.open, IPRoute))
        patch.setattr(netlink, "Reader", functools.partial(counted.open, netlink.Reader))
        with contextlib.suppress(base.StepFailed, Died):
            cycles.run_cycle(engine, bench.id, desired)


@pytest.mark.parametrize("fault", FAULTS)
def test_whichever_call_fails_the_next_cycle_makes_and_removes_the_gateway(bench: Bench, fault: str):
    """Every call fails in one of the ways. No connections: they take most of the time."""
    alone = bench.desired()
    ends = {name: bench.settle(desired) for name, desired in (("made", alone), ("removed", None))}
    at, last = list(FAULTS).index(fault) + 1 - len(FAULTS), False
    while not last:
        at += len(FAULTS)
        last = True
        for name, desired in (("made", alone), ("removed", None)):
            counted = Counted(at, FAULTS[fault])
            _spoilt(bench, desired, counted)
            assert bench.settle(desired) == ends[name], f"{name}, call {at}"
            last = last and counted.count < at
    assert at > 20


def test_a_call_that_fails_while_tunnels_are_up_costs_no_tunnel(bench: Bench):
    """Somebody took the VPC link's address away, and it cannot be given back at once."""
    both = bench.desired(bench.main, bench.other)
    end = bench.settle(both)
    kept = bench.spis(bench.main) | bench.spis(bench.other)
    at, last = 0, False
    while not last:
        at += 1
        _take_address(bench)
        counted = Counted(at, FAULTS["no buffers"])
        _spoilt(bench, both, counted)
        assert bench.settle(both) == end, f"call {at}"
        last = counted.count < at
    assert bench.spis(bench.main) | bench.spis(bench.other) == kept
    bench.carries()


def _take_address(bench: Bench) -> None:
    def take(ip: Any) -> None:
        (lan,) = ip.link_lookup(ifname="lan")
        ip.flush_addr(index=lan)

    namespace.inside(bench.namespace, take)
