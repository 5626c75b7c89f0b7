"""Which size passes: the echoes of a check against paths in memory, and through a real path that drops large packets."""

import subprocess
from collections.abc import Callable

import pytest

from landbridge import model
from landbridge.engine.strongswan.echo import icmp, path_check
from landbridge.engine.strongswan.network import namespace
from tests.engine.strongswan.echo.conftest import FAR, NEAR

US, HOST, NOBODY, ROUTER = "10.0.0.1", "192.168.44.10", "192.168.44.77", "192.168.44.1"
MTU = 1438
Path = Callable[[path_check.Echo], path_check.Heard]


def answer(echo: path_check.Echo) -> icmp.EchoReply:
    return icmp.EchoReply(source=echo.destination, destination=US, identifier=1, sequence=1, size=echo.size)


def too_big(mtu: int) -> icmp.IcmpError:
    return icmp.IcmpError(type=3, code=4, reporter=ROUTER, source=US, destination=HOST, protocol=1, mtu=mtu)


def up_to(size: int, *, reported: int | None = None) -> Path:
    """The host answers packets of up to this size. `reported`: the size that a router reports for larger ones."""
    return lambda one: answer(one) if one.size <= size else None if reported is None else too_big(reported)


def check(path: Path, *hosts: str) -> tuple[model.ProbePath, list[int]]:
    """What is found, and the sizes that were sent."""
    search = path_check.search(tuple((US, host) for host in hosts or (HOST,)), MTU)
    sizes: list[int] = []
    echoes = next(search)
    while True:
        sizes += [one.size for one in echoes]
        try:
            echoes = search.send(tuple(path(one) if one.destination == HOST else None for one in echoes))
        except StopIteration as ended:
            return ended.value, sizes


def found(outcome: model.PathOutcome, passed: int, lost: int | None, by: str | None = None) -> model.ProbePath:
    return model.ProbePath(outcome=outcome, mtu=MTU, source=US, destination=HOST, passed=passed, lost=lost, reporter=by)


def test_three_echoes_show_that_all_is_well():
    assert check(up_to(MTU)) == (found("passes", MTU, None), [64, MTU, 64])


def test_other_hosts_are_asked_when_one_does_not_answer():
    assert check(up_to(MTU), NOBODY, HOST)[0] == found("passes", MTU, None)


def test_nothing_is_known_when_nobody_answers():
    path, sizes = check(up_to(MTU), NOBODY)
    assert path == model.ProbePath(outcome="unanswered", mtu=MTU, asked=(NOBODY,))
    assert sizes == [64, 64]


@pytest.mark.parametrize("size", [64, 576, 1150, 1300, 1437])
def test_the_size_that_passes_is_bracketed(size: int):
    path, sizes = check(up_to(size))
    assert path.outcome == "black_hole"
    assert path.passed is not None
    assert path.lost is not None
    assert path.passed <= size < path.lost <= path.passed + path_check.GRAIN
    assert len(sizes) <= 12


def test_one_lost_packet_is_no_black_hole():
    lost = iter([None])
    assert check(lambda one: next(lost, answer(one)) if one.size == MTU else answer(one))[0].outcome == "passes"


def test_a_host_that_falls_silent_is_no_black_hole():
    small = iter([64])
    path, _ = check(lambda one: answer(one) if next(small, None) else None)
    assert (path.outcome, path.asked) == ("unanswered", (HOST,))


def test_a_size_that_a_router_reports_is_believed_when_it_passes():
    assert check(up_to(1400, reported=1400)) == (found("reported", 1400, MTU, ROUTER), [64, MTU, 64, 1400])


@pytest.mark.parametrize("reported", [0, 1400, MTU, 60], ids=["no size", "too much", "the same", "too little"])
def test_a_reported_size_that_does_not_pass_is_not_believed(reported: int):
    path, _ = check(up_to(1200, reported=reported))
    assert path.outcome == "black_hole"
    assert path.passed is not None
    assert 1184 <= path.passed <= 1200


@pytest.mark.tunnel
def test_a_path_that_drops_large_packets_is_found_beside_one_that_does_not(near: str):
    """The neighbour drops what is larger than 1,200 bytes and comes to its second address."""
    far = near.removesuffix("a") + "b"
    rules = (
        "table ip fault { chain input { type filter hook input priority 0;\n"
        "ip daddr 10.3.0.1 meta length > 1200 drop\n}\n}"
    )
    subprocess.run(["ip", "netns", "exec", far, "nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        with namespace.inside(near, lambda _: icmp.EchoSocket()) as opened:
            assert opened.mtu("e1") == 1400
            done = path_check.run(
                opened,
                {
                    "whole": ("e1", path_check.search(((NEAR, FAR),), 1400)),
                    "holed": ("e1", path_check.search(((NEAR, "10.3.0.1"),), 1400)),
                    "gone": ("e9", path_check.search(((NEAR, FAR),), 1400)),
                },
            )
    finally:
        subprocess.run(["ip", "netns", "exec", far, "nft", "delete", "table", "ip", "fault"], check=True)
    assert {name: one.path.outcome for name, one in done.items()} == {
        "whole": "passes",
        "holed": "black_hole",
        "gone": "unanswered",
    }
    assert (done["whole"].packets, done["gone"].packets) == (3, 0)
    passed = done["holed"].path.passed
    assert passed is not None
    assert 1184 <= passed <= 1200
