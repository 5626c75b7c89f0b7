"""BIRD's texts about the end of a session, as facts."""

from datetime import UTC, datetime, timedelta

import pytest

from landbridge import model
from landbridge.engine.strongswan.bgp import faults

NOW = datetime(2026, 11, 30, 13, 22, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(seconds=10)
LONG_AGO = "2026-11-30 11:00:00.000"


def line(text: str, at: str = "2026-11-30 13:21:53.727") -> str:
    return f"{at} {text}"


@pytest.mark.parametrize(
    ("text", "code", "asn"),
    [
        ("BGP Error: Bad peer AS", "wrong_device_asn", None),
        ("Error: Bad peer AS: 64999", "wrong_device_asn", 64999),
        ("Received: Bad peer AS", "device_wrong_asn", None),
        ("Received: Bad peer AS: 23456", "device_wrong_asn", 23456),
        ("BGP Error: Hold timer expired", "hold_timer", None),
        ("Received: Hold timer expired", "device_hold_timer", None),
        ("Error: BFD session down", "bfd_down", None),
        ("Automatic shutdown: Route limit exceeded", "route_limit", None),
        ("Received: Maximum number of prefixes reached", "device_route_limit", None),
        ("Received: Administrative shutdown", "device_shutdown", None),
        ('Received: Administrative shutdown: "maintenance till 5"', "device_shutdown", None),
        ("Received: Administrative reset", "device_closed", None),
        ("Received: Peer de-configured", "device_closed", None),
        ("Received: Other configuration change", "device_closed", None),
        ("Received: Cease", "device_closed", None),
        ("Socket: Connection reset by peer", "device_closed", None),
        ("Socket: Connection closed", "device_closed", None),
        ("Socket: Connection refused", "refused", None),
        ("Socket: Connection timed out", "no_answer", None),
        ("Socket: No route to host", "no_route", None),
        ("Socket: Network is unreachable", "no_route", None),
        ("Error: Neighbor lost", "no_interface", None),
        ("BGP Error: Malformed AS_PATH", "unknown", None),
    ],
)
def test_words_have_a_code(text: str, code: model.BgpFaultCode, asn: int | None):
    assert faults.fault(text, BEFORE) == model.BgpFault(code=code, text=text, asn=asn, at=BEFORE)


def _code(state: model.BgpState, info: str, *log: str) -> str | None:
    found = faults.of_session(state, info, BEFORE, faults.notifications(log).get("c12"), NOW)
    return found.code if found else None


@pytest.mark.parametrize(
    ("state", "info", "code"),
    [
        ("idle", "", "no_interface"),
        ("connect", "", "no_answer"),
        ("active", "", "no_answer"),
        ("open_sent", "", None),
        ("established", "", None),
        ("down", "", None),
        ("active", "Socket: Connection refused", "refused"),
        ("connect", "Socket: Connection refused", "no_answer"),
    ],
)
def test_silence_means_something_too(state: model.BgpState, info: str, code: str | None):
    assert _code(state, info) == code


ASN = "<RMT> c12: Error: Bad peer AS: 64999"
UP = "<TRACE> c12: State changed to up"
REFUSED = "Socket: Connection refused"
SHUTDOWN = '<RMT> c12: Received: Administrative shutdown: "till 5"'


@pytest.mark.parametrize(
    ("info", "log", "code"),
    [
        pytest.param(REFUSED, [line(ASN)], "wrong_device_asn", id="the-socket-overwrote-it"),
        pytest.param(REFUSED, [line(ASN), line(UP)], "refused", id="the-session-was-up-since"),
        pytest.param(REFUSED, [line(ASN, LONG_AGO)], "refused", id="not-said-again-for-long"),
        pytest.param(REFUSED, [line(SHUTDOWN, LONG_AGO)], "device_shutdown", id="a-shutdown-is-said-once"),
        pytest.param(REFUSED, [line(ASN.replace("c12", "c13"))], "refused", id="of-another-session"),
        pytest.param("BGP Error: Hold timer expired", [line(ASN)], "hold_timer", id="a-later-notification"),
        pytest.param("", [line(ASN)], "wrong_device_asn", id="nothing-said-since"),
        pytest.param(
            REFUSED, ["", "garbage", line("<RMT> c12: Received: Cease"), line(ASN)], "wrong_device_asn", id="the-last"
        ),
        pytest.param(REFUSED, [line("<WARN> bfd1: Bad packet from 10.0.0.1")], "refused", id="noise"),
    ],
)
def test_the_log_has_what_a_later_error_overwrote(info: str, log: list[str], code: str):
    assert _code("active", info, *log) == code


def test_the_log_has_the_number_that_the_device_named():
    notification = faults.notifications([line(ASN)])["c12"]
    found = faults.of_session("idle", "BGP Error: Bad peer AS", NOW, notification, NOW)
    assert found is not None
    assert (found.code, found.asn, found.at) == (
        "wrong_device_asn",
        64999,
        datetime(2026, 11, 30, 13, 21, 53, tzinfo=UTC),
    )
