"""What is wrong with a tunnel that is up, by the last look at it."""

import dataclasses
from typing import Any, Literal

import pytest

from landbridge import model
from landbridge.status import warnings
from tests.status import examples


def _codes(*attempts: model.Attempt, **given: object) -> list[str]:
    return [one.code for one in warnings.find(examples.context(*attempts, **given))]


REFUSED = examples.attempt(0, examples.refused(1, "AUTHENTICATION_FAILED"))
UP = examples.whole(-1)
OLDER = examples.attempt(0, examples.refused(1, "AUTHENTICATION_FAILED"), configuration="before")
REKEYED = examples.attempt(3, examples.up(4, 2), within_sa=True, outcome="up")


@pytest.mark.parametrize(
    ("attempts", "codes"),
    [
        pytest.param((), ["key_not_proved"], id="not tried yet"),
        pytest.param((REFUSED,), ["new_psk_refused"], id="the device refused"),
        pytest.param((UP, REFUSED), ["new_psk_refused"], id="the device refused right after the tunnel came up"),
        pytest.param(
            (examples.attempt(0, examples.key(1, "differs"), by="device"),), ["new_psk_refused"], id="we refused it"
        ),
        pytest.param((REFUSED, REKEYED), ["new_psk_refused"], id="the CHILD_SA was rekeyed after the refusal"),
        pytest.param((OLDER,), ["key_not_proved"], id="the key of before was refused"),
    ],
)
def test_a_key_that_is_not_proved(attempts: tuple[model.Attempt, ...], codes: list[str]):
    assert _codes(*attempts, is_key_unproved=True) == codes
    assert _codes(*attempts) == []


@pytest.mark.parametrize(
    ("connection", "until"),
    [
        pytest.param(examples.V2, "until one side ends it or does not answer", id="v2"),
        pytest.param(
            examples.MAIN,
            "with the old key until phase 1 is negotiated again, at most 86400 s after phase 1 came up",
            id="v1",
        ),
    ],
)
def test_it_is_said_until_when_the_old_key_lasts(connection: model.Connection, until: str):
    [cause] = warnings.find(examples.context(REFUSED, of=connection, is_key_unproved=True))
    assert until in cause.reason
    assert cause.reason.count("the tunnel") == 1
    assert cause.evidence


PAIR, OTHER_PAIR = (("10.1.0.0/24",), ("10.2.0.0/24",)), (("10.1.0.0/24",), ("10.3.0.0/24",))


def _one_way(direction: Literal["in", "out"], packets: int, seconds: int, pair: Any = PAIR) -> model.OneWay:
    return model.OneWay(
        direction=direction,
        local_ts=pair[0],
        remote_ts=pair[1],
        packets=packets,
        since=examples.at(0),
        until=examples.at(seconds),
    )


@pytest.mark.parametrize(
    ("one_way", "said"),
    [
        pytest.param([], [], id="both ways, or nothing"),
        pytest.param([_one_way("out", 9, 60)], [], id="some packets"),
        pytest.param([_one_way("out", 500, 19)], [], id="for a moment"),
        pytest.param(
            [_one_way("out", 240, 60)],
            [
                "packets go into the tunnel and none comes back: we sent 240 packets in 60 s, none came back; the last one came at 2026-01-02T03:00:00Z"
            ],
            id="none comes back",
        ),
        pytest.param(
            [_one_way("in", 10, 20)],
            ["packets come out of the tunnel and none goes in: 10 packets came in 20 s, we sent none"],
            id="none goes out",
        ),
    ],
)
def test_what_passes_one_way_alone(one_way: list[model.OneWay], said: list[str], given: Any):
    came = dataclasses.replace(given.child(), last_in_at=examples.at(0))
    found = warnings.find(examples.context(one_way_pairs=tuple(one_way), children=(came,)))
    assert [one.reason for one in found] == said


def test_of_several_pairs_the_one_with_the_most_packets_is_named(given: Any):
    """Of each direction, and with its own last packet."""
    children = (
        dataclasses.replace(given.child(), last_in_at=examples.at(0)),
        given.child(*OTHER_PAIR[1], spi="c0000003"),
    )
    one_way = (_one_way("out", 20, 60), _one_way("out", 240, 60, OTHER_PAIR), _one_way("in", 10, 20))
    found = warnings.find(examples.context(one_way_pairs=one_way, children=children))
    assert [one.reason.split(": ", 1)[1] for one in found] == [
        "10.1.0.0/24 - 10.3.0.0/24: we sent 240 packets in 60 s, none came back; none ever came through these SAs",
        "10.1.0.0/24 - 10.2.0.0/24: 10 packets came in 20 s, we sent none",
    ]


def _refused(code: int, packets: int = 25, destination: str = "192.168.44.10") -> model.RefusedPackets:
    return model.RefusedPackets(reporter="192.168.44.1", destination=destination, code=code, packets=packets)


@pytest.mark.parametrize(
    ("refused", "found"),
    [
        pytest.param((), [], id="nothing is refused"),
        pytest.param((_refused(0, packets=2),), [], id="two packets"),
        pytest.param((_refused(0, packets=3),), [("device_route_missing", True)], id="no route"),
        pytest.param((_refused(6),), [("device_route_missing", True)], id="an unknown network"),
        pytest.param((_refused(1),), [("device_route_missing", False)], id="no route, or a silent host"),
        pytest.param((_refused(10),), [("device_firewall", True)], id="a firewall of the host"),
        pytest.param((_refused(13),), [("device_firewall", True)], id="a firewall"),
        pytest.param((_refused(3),), [], id="a closed port"),
        pytest.param(
            (_refused(1), _refused(13, destination="192.168.44.11"), _refused(0, destination="192.168.44.12")),
            [("device_route_missing", True), ("device_firewall", True), ("device_route_missing", False)],
            id="several, the certain ones first",
        ),
    ],
)
def test_packets_that_the_device_refuses(refused: tuple[model.RefusedPackets, ...], found: list[tuple[str, bool]]):
    causes = warnings.find(examples.context(refused_packets=refused))
    assert [(one.code, one.is_certain) for one in causes] == found


def test_a_missing_route_says_who_refused_which_packets():
    context = examples.context(refused_packets=(_refused(0),))
    [cause] = warnings.find(dataclasses.replace(context, seen_at=examples.at(0)))
    line = "192.168.44.1 answered 25 packets to 192.168.44.10 with ICMP net unreachable (code 0)"
    assert cause.reason.endswith(": " + line)
    assert cause.evidence == (model.Evidence(at=examples.at(0), line=line),)


HOLED = model.ProbePath(
    outcome="black_hole", mtu=1438, source="10.0.0.1", destination="192.168.44.10", passed=1117, lost=1128
)


def _check(t: float = 60, path: model.ProbePath = HOLED, configuration: str = "now") -> model.ProbeResult:
    return model.ProbeResult(
        id="p1",
        connection_id="c1",
        at=examples.at(t),
        reason="automatic",
        configuration=configuration,
        local_address=examples.ENDPOINT,
        peer_address=examples.DEVICE,
        path=path,
    )


def _with(outcome: model.PathOutcome) -> model.ProbePath:
    return dataclasses.replace(HOLED, outcome=outcome)


@pytest.mark.parametrize(
    ("checks", "codes"),
    [
        pytest.param((), [], id="none"),
        pytest.param((_check(),), ["path_mtu"], id="a black hole"),
        pytest.param((_check(), _check(90, _with("unanswered"))), ["path_mtu"], id="then nobody answered"),
        pytest.param((_check(), _check(90, _with("passes"))), [], id="mended"),
        pytest.param((_check(path=_with("reported")),), [], id="a router reports the size"),
        pytest.param((_check(configuration="before"),), [], id="of another configuration"),
        pytest.param((_check(-5),), [], id="of an earlier tunnel"),
    ],
)
def test_large_packets_that_are_lost(checks: tuple[model.ProbeResult, ...], codes: list[str]):
    assert [one.code for one in warnings.find(examples.context(examples.whole(0), probes=checks))] == codes


def test_a_path_is_reported_with_its_sizes():
    [cause] = warnings.find(examples.context(examples.whole(0), probes=(_check(),)))
    assert cause.reason == (
        "large packets do not pass: an echo of 1128 bytes from 10.0.0.1 to 192.168.44.10 got no answer, one of 1117 bytes did;"
        " the tunnel takes packets of 1438 bytes"
    )
    assert cause.evidence == (model.Evidence(at=examples.at(60), line="probe p1: black_hole 1117 of 1438"),)


def test_a_check_of_the_path_is_no_answer_about_ike():
    refused = examples.attempt(70, examples.refused(71, "NO_PROPOSAL_CHOSEN"))
    alone, beside = (
        examples.rank(examples.attempt(0, examples.refused(1, "NO_PROPOSAL_CHOSEN")), refused, probes=probes)
        for probes in ((), (_check(80),))
    )
    assert [one.code for one in beside] == [one.code for one in alone]
