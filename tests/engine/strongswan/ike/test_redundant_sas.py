"""Which of two equal SAs is ended, and when: values in, steps out."""

import dataclasses
import itertools

import pytest

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import target
from landbridge.engine.strongswan.ike import messages, redundant_sas, state, steps

SUBNETS, DPD = ("192.168.44.0/24", "192.168.45.0/24"), model.Dpd(interval=10, timeout=2, msg="seq-hash-notify")
SPEC = specs.connection(peer_subnets=SUBNETS, ike_policy=specs.ike_policy(dpd=DPD))
SPEC_V1 = specs.connection(
    peer_subnets=SUBNETS, ike_policy=specs.ike_policy(version="v1", negotiation_mode="main", dpd=DPD)
)
[CONFIG], [CONFIG_V1] = (
    target.prepare(specs.desired(each, of=specs.gateway()), "userland").configs for each in (SPEC, SPEC_V1)
)
A, B = CONFIG.children
#: Seconds after which a device that lacks an SA is dead, and a look has found it.
OLD = 21
_ids = itertools.count(1)


def child(
    name: str = A, *, spi: str = "c1", age: int = OLD, at: str = "INSTALLED", **given: tuple[str, ...]
) -> state.Child:
    """`spi`: the inbound one; the outbound one is the same in all."""
    return state.Child(name, str(next(_ids)), at, spi_in=spi, spi_out="d0", installed_seconds=age, **given)


def sa(*children: state.Child, spi: str = "01", age: int = OLD, at: str = "ESTABLISHED") -> state.IkeSa:
    return state.IkeSa(SPEC.id, str(next(_ids)), at, established_seconds=age, spis=(spi, "ff"), children=children)


def ended(*sas: state.IkeSa, config: messages.DesiredConfig = CONFIG) -> list[state.IkeSa | state.Child]:
    """The SAs that are ended, by either end: the other one has the same SPIs, in the other direction, and lists the SAs in another order."""
    children = {one.unique_id: one for each in sas for one in each.children}
    ikes = {each.unique_id: each for each in sas}
    planned = [
        [
            ikes[step.unique_id] if isinstance(step, steps.TerminateIke) else children[step.unique_id]
            for step in redundant_sas.plan(config, seen)
            if isinstance(step, steps.TerminateIke | steps.TerminateChild)
        ]
        for seen in (sas, tuple(map(_mirrored, reversed(sas))))
    ]
    assert {one.unique_id for one in planned[0]} == {one.unique_id for one in planned[1]}
    return planned[0]


def _mirrored(one: state.IkeSa) -> state.IkeSa:
    turned = [dataclasses.replace(each, spi_in=each.spi_out, spi_out=each.spi_in) for each in one.children]
    return dataclasses.replace(one, children=tuple(reversed(turned)))


def test_nothing_is_ended_where_nothing_is_twice():
    assert ended() == []
    assert ended(sa(child(A), child(B, spi="c2"))) == []
    assert ended(sa(child(A)), sa(child(B), spi="02")) == []
    assert ended(sa()) == []


def test_of_two_equal_ike_sas_both_ends_end_the_one_with_the_lower_spis():
    low, high = sa(child(), spi="01"), sa(child(spi="c2"), spi="02")
    assert ended(low, high) == [low]
    assert ended(high, low) == [low]


def test_an_ike_sa_with_fewer_children_goes():
    some, all_ = sa(child(A), spi="02"), sa(child(A, spi="c2"), child(B, spi="c3"), spi="01")
    assert ended(some, all_) == [some]
    none = sa(spi="03")
    assert ended(none, all_) == [none]


def test_of_ike_sas_without_children_one_stays():
    low, high = sa(spi="01"), sa(spi="02")
    assert ended(low, high) == [low]
    assert ended(low, high, config=CONFIG_V1) == [low]


def test_of_two_equal_children_the_one_with_the_lower_spis_goes():
    low, high = child(spi="c1"), child(spi="c2")
    assert ended(sa(high, low, child(B))) == [low]


def test_a_child_that_a_rekey_has_replaced_is_none():
    assert ended(sa(child(spi="c9", at="REKEYED"), child(spi="c1"))) == []


def test_selectors_that_differ_are_two_children():
    first, second = child(remote_ts=("192.168.44.0/25",)), child(remote_ts=("192.168.44.128/25",), spi="c2")
    assert ended(sa(first, second)) == []


@pytest.mark.parametrize(
    ("found", "left"),
    [
        pytest.param((sa(child(age=90)), sa(child(spi="c2", age=90), spi="02", age=OLD - 1)), [1], id="a young IKE_SA"),
        pytest.param((sa(child(), child(spi="c2", age=OLD - 4)),), [4], id="a young child"),
        pytest.param((sa(child(), age=1),), [], id="nothing twice"),
        pytest.param((sa(child()), sa(spi="02", age=0, at="CONNECTING")), [OLD], id="a negotiation"),
        pytest.param((sa(child()), sa(child(spi="c2"), spi="02", at="REKEYING")), [], id="a rekey is under way"),
        pytest.param(
            (sa(child()), sa(child(spi="c2"), spi="02", at="DELETING")), [], id="the other one is on its way out"
        ),
    ],
)
def test_what_is_young_or_under_way_is_left_alone(found: tuple[state.IkeSa, ...], left: list[float]):
    assert ended(*found) == []
    assert list(redundant_sas.due_observations(CONFIG, found)) == left


def test_in_ikev1_whole_ike_sas_are_ended_and_no_children():
    low, high = sa(child(), spi="01"), sa(child(spi="c2"), spi="02")
    assert ended(low, high, config=CONFIG_V1) == [low]
    assert ended(sa(child(), child(spi="c2"), child(B)), config=CONFIG_V1) == []


def test_in_ikev1_nothing_is_ended_where_a_reauthentication_has_moved_a_child():
    """The ends may not agree to which IKE_SA it belongs."""
    moved = sa(child(age=OLD + 9), spi="02")
    assert ended(sa(child(spi="c2"), spi="01"), moved, config=CONFIG_V1) == []
