"""Whether a gateway is redundant: which connections carry a subnet, and what of them has no substitute."""

import dataclasses
from typing import Any

import pytest

from landbridge import model
from landbridge.status import redundancy

ADDRESSES = {1: "203.0.113.10", 2: "203.0.113.11"}
LAN, OTHER, WIDE = "192.168.44.0/24", "192.168.45.0/24", "192.168.0.0/16"
BRANCH, DEPOT = "customer gateway branch (198.51.100.2)", "customer gateway depot (198.51.100.6)"


def carrier(name: str, endpoint: int, *subnets: str, device: str = BRANCH, up: bool = True) -> model.Carrier:
    return model.Carrier(
        connection_id=f"id of {name}",
        connection=name,
        style="static",
        endpoint=endpoint,
        customer_gateway_id=f"id of {device}",
        customer_gateway=device,
        up=up,
        subnets=subnets or (LAN,),
    )


def session(name: str, endpoint: int, *learned: str, declared: tuple[str, ...] = ()) -> model.Carrier:
    """Of style bgp; down when nothing is learned."""
    made = carrier(name, endpoint, up=bool(learned))
    return dataclasses.replace(made, style="bgp", subnets=declared, learned=learned)


def down(name: str, endpoint: int, *subnets: str, device: str = BRANCH) -> model.Carrier:
    return carrier(name, endpoint, *subnets, device=device, up=False)


#: Carriers -> met now, met if all were up, what each kind of failure cuts, and the summary after `redundancy is …`.
ONE, TWO = carrier("one", 1), carrier("two", 2)
ALONE = {"connection": {"one": [LAN]}, "endpoint": {"endpoint 1 (203.0.113.10)": [LAN]}}
DEVICE = {"customer_gateway": {BRANCH: [LAN]}}
MACHINE = {"machine": {"this machine": [LAN]}}
CASES = [
    pytest.param(
        [ONE, TWO],
        (True, True),
        DEVICE | MACHINE,
        f"met, except for the device: {LAN} is reached through {BRANCH} alone",
        id="two endpoints, one device",
    ),
    pytest.param([ONE, carrier("two", 2, device=DEPOT)], (True, True), MACHINE, "met", id="two endpoints, two devices"),
    pytest.param(
        [ONE],
        (False, False),
        ALONE | DEVICE | MACHINE,
        f"not met: {LAN} is reached through one alone",
        id="one connection",
    ),
    pytest.param(
        [ONE, down("two", 2)],
        (False, True),
        ALONE | DEVICE | MACHINE,
        f"not met: {LAN} is reached through one alone; it is met when all connections are up",
        id="the second one is down",
    ),
    pytest.param(
        [down("one", 1), down("two", 2)],
        (False, True),
        {},
        f"not met: {LAN} is not reached; it is met when all connections are up",
        id="both are down",
    ),
    pytest.param(
        [ONE, carrier("two", 1, device=DEPOT)],
        (False, False),
        {"endpoint": {"endpoint 1 (203.0.113.10)": [LAN]}} | MACHINE,
        f"not met: {LAN} is reached through endpoint 1 (203.0.113.10) alone",
        id="two connections of one endpoint",
    ),
    pytest.param(
        [carrier("one", 1, LAN, OTHER), TWO],
        (False, False),
        {
            "connection": {"one": [OTHER]},
            "endpoint": {"endpoint 1 (203.0.113.10)": [OTHER]},
            "customer_gateway": {BRANCH: [LAN, OTHER]},
            "machine": {"this machine": [LAN, OTHER]},
        },
        f"not met: {OTHER} is reached through one alone",
        id="one subnet of two",
    ),
    pytest.param(
        [ONE, carrier("two", 2, "192.168.0.0/16")],
        (False, False),
        {
            "connection": {"one": [LAN], "two": ["192.168.0.0/16"]},
            "endpoint": {"endpoint 1 (203.0.113.10)": [LAN], "endpoint 2 (203.0.113.11)": ["192.168.0.0/16"]},
            "customer_gateway": {BRANCH: ["192.168.0.0/16", LAN]},
            "machine": {"this machine": ["192.168.0.0/16", LAN]},
        },
        f"not met: 192.168.0.0/16 is reached through two alone; {LAN} is reached through one alone",
        id="a wider subnet is no substitute",
    ),
    pytest.param(
        [session("one", 1, LAN, declared=(WIDE,)), session("two", 2, LAN, declared=(WIDE,))],
        (True, True),
        DEVICE | MACHINE,
        f"met, except for the device: {LAN} is reached through {BRANCH} alone",
        id="two sessions that learned the same",
    ),
    pytest.param(
        [session("one", 1, LAN), session("two", 2, declared=(WIDE,))],
        (False, True),
        ALONE | DEVICE | MACHINE,
        f"not met: {LAN} is reached through one alone; it is met when all connections are up",
        id="a session that is down and declares a wider block",
    ),
    pytest.param(
        [session("one", 1, LAN), session("two", 2)],
        (False, True),
        ALONE | DEVICE | MACHINE,
        f"not met: {LAN} is reached through one alone; it is met when all connections are up",
        id="a session that is down and declares nothing",
    ),
    pytest.param(
        [session("one", 1, LAN), session("two", 2, declared=("10.0.0.0/8",))],
        (False, False),
        ALONE | DEVICE | MACHINE,
        f"not met: what BGP announces in 10.0.0.0/8 is not reached; {LAN} is reached through one alone",
        id="a session that is down and declares another block",
    ),
    pytest.param(
        [session("one", 1, declared=(WIDE,)), session("two", 2, declared=(WIDE,))],
        (False, True),
        {},
        f"not met: what BGP announces in {WIDE} is not reached; it is met when all connections are up",
        id="both sessions are down",
    ),
    pytest.param(
        [session("one", 1, declared=(WIDE,)), session("two", 1, declared=(WIDE,))],
        (False, False),
        {},
        f"not met: what BGP announces in {WIDE} is not reached",
        id="both sessions of one endpoint are down",
    ),
    pytest.param(
        [session("one", 1), session("two", 2)],
        (False, True),
        {},
        "not met: what BGP announces is not reached; it is met when all connections are up",
        id="both sessions are down and declare nothing",
    ),
    pytest.param(
        [ONE, session("two", 2, declared=(WIDE,))],
        (False, True),
        ALONE | DEVICE | MACHINE,
        f"not met: {LAN} is reached through one alone; it is met when all connections are up",
        id="a session that is down backs up a static connection",
    ),
    pytest.param(
        [ONE, session("two", 2)],
        (False, False),
        ALONE | DEVICE | MACHINE,
        f"not met: what BGP announces is not reached; {LAN} is reached through one alone",
        id="a session that is down and declares nothing backs up no static connection",
    ),
    pytest.param(
        [ONE, session("two", 2, OTHER, declared=(WIDE,))],
        (False, False),
        {
            "connection": {"one": [LAN], "two": [OTHER]},
            "endpoint": {"endpoint 1 (203.0.113.10)": [LAN], "endpoint 2 (203.0.113.11)": [OTHER]},
            "customer_gateway": {BRANCH: [LAN, OTHER]},
            "machine": {"this machine": [LAN, OTHER]},
        },
        f"not met: {LAN} is reached through one alone; {OTHER} is reached through two alone",
        id="a session carries what it learned and not what it declares",
    ),
]


@pytest.mark.parametrize(("carriers", "met", "cut", "summary"), CASES)
def test_which_single_failure_cuts_which_subnets(
    carriers: list[model.Carrier], met: tuple[bool, bool], cut: dict[str, Any], summary: str
):
    found = redundancy.derive(carriers, ADDRESSES)
    assert found is not None
    assert (found.is_met, found.is_configured) == met == redundancy.met(carriers)
    failures: dict[str, dict[str, list[str]]] = {}
    for one in found.failures:
        failures.setdefault(one.kind, {})[one.name] = list(one.subnets)
    assert failures == cut
    assert found.summary == f"redundancy is {summary}"


def test_a_subnet_is_listed_with_all_connections_that_may_carry_it():
    found = redundancy.derive([ONE, down("two", 2)], ADDRESSES)
    assert found is not None
    [subnet] = found.subnets
    assert (subnet.subnet, [(one.connection, one.up) for one in subnet.carriers]) == (
        LAN,
        [("one", True), ("two", False)],
    )


def test_without_subnets_there_is_nothing_to_say():
    without = dataclasses.replace(ONE, subnets=())
    assert (
        redundancy.derive([], ADDRESSES) is redundancy.derive([without], ADDRESSES) is redundancy.met([without]) is None
    )


def test_a_long_list_is_cut_with_its_number():
    subnets = [f"10.0.{number}.0/24" for number in range(5)]
    found = redundancy.derive([carrier(f"c{number}", 1, subnet) for number, subnet in enumerate(subnets)], ADDRESSES)
    many = redundancy.derive([carrier("one", 1, *subnets)], ADDRESSES)
    assert found is not None
    assert many is not None
    assert found.summary.endswith("10.0.2.0/24 is reached through c2 alone; and 2 more")
    assert many.summary.endswith("10.0.0.0/24, 10.0.1.0/24, 10.0.2.0/24 and 2 more are reached through one alone")
