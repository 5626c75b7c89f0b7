"""The agent dies between any two steps of any kind of plan: the next one finishes, and what is said in between is true."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import cycles, specs
from landbridge import model
from tests.engine.strongswan import fault_bench
from tests.engine.strongswan.fault_bench import Bench, Teller

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with fault_bench.bench() as made:
        yield made


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of plan: from one spec to another (None: no gateway), and what happens to the world before the first and before the
    plan. `keeps`: the other connection's SAs outlive it.
    """

    before: Callable[[Bench], model.DesiredGateway | None]
    after: Callable[[Bench], model.DesiredGateway | None]
    first: Callable[[Bench], object] = lambda _: None
    harm: Callable[[Bench], object] = lambda _: None
    keeps: bool = True


def _both(**given: Any) -> Callable[[Bench], model.DesiredGateway]:
    """Both connections, `main` as changed."""

    def made(bench: Bench) -> model.DesiredGateway:
        main = specs.changed(bench.main, **given) if given else bench.main
        return bench.desired(main, bench.other)

    return made


def _on_interface(bench: Bench) -> model.DesiredGateway:
    network = model.Network(id="vpc-1", interface="vpc", address=bench.network.address)
    return dataclasses.replace(bench.desired(bench.main, bench.other), network=network)


def _gone(_: Bench) -> None:
    return None


KINDS = {
    "create": Kind(_gone, _both(), keeps=False),
    "PSK": Kind(
        _both(),
        _both(psk="Another-Horse-8"),
        first=lambda b: b.rekey_device(specs.PSK),
        harm=lambda b: b.rekey_device("Another-Horse-8"),
    ),
    "IKE proposal": Kind(
        _both(), _both(ike_policy=specs.ike_policy(encryption_algorithm="aes-256", **fault_bench.FAST))
    ),
    "ESP proposal": Kind(
        _both(), _both(ipsec_policy=specs.ipsec_policy(encryption_algorithm="aes-256", **fault_bench.NO_PFS))
    ),
    "another subnet": Kind(_both(), _both(peer_subnets=fault_bench.SUBNETS)),
    "a subnet less": Kind(_both(peer_subnets=fault_bench.SUBNETS), _both()),
    "a connection more": Kind(lambda b: b.desired(b.other), _both()),
    "a connection less": Kind(_both(), lambda b: b.desired(b.other)),
    "another link": Kind(_both(), _on_interface),
    "charon killed": Kind(_both(), _both(), harm=Bench.kill, keeps=False),
    "gateway removed": Kind(_both(), _gone, keeps=False),
}


def _died_after(bench: Bench, kind: Kind, count: int, *, kill: bool) -> tuple[int, fault_bench.State]:
    """One fault: `count` steps, then the agent is gone, with charon or without; (steps of the whole plan, the state in the end)."""
    before, after = kind.before(bench), kind.after(bench)
    kind.first(bench)
    bench.settle(before)
    kind.harm(bench)
    kept = bench.spis(bench.other) if kind.keeps else set()
    dying, teller = bench.fresh(), Teller(bench)
    plan = cycles.plan(dying, bench.id, after)
    for step in plan[:count]:
        dying.apply(bench.id, step)
    killed = kill and bench.kill()
    if after and bench.main.id in {one.id for one in after.connections}:
        teller.look(after)
    state = bench.settle(after)
    if kind.keeps and not killed:
        assert bench.spis(bench.other) == kept, f"{count} of {len(plan)} steps touched the other connection"
    return len(plan), state


@pytest.mark.parametrize("kill", [False, True], ids=["agent dies", "agent and charon die"])
@pytest.mark.parametrize("name", KINDS)
def test_wherever_it_dies_the_next_one_comes_to_the_same_end(bench: Bench, name: str, *, kill: bool):
    kind = KINDS[name]
    total, undisturbed = _died_after(bench, kind, 1000, kill=False)
    assert total > 0
    for count in range(total):
        assert _died_after(bench, kind, count, kill=kill) == (total, undisturbed), f"after {count} of {total} steps"
    bench.rekey_device(specs.PSK)
    if kind.after(bench) is not None:
        bench.carries(fault_bench.OTHER_HOST)
