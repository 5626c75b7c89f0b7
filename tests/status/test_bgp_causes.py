"""Which cause a BGP session has in a tunnel that is up: tables of sessions, and the status of the connection."""

from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import specs
from landbridge import model
from landbridge.model import bgp as bgp_values
from landbridge.status import bgp_causes, cause_texts
from landbridge.status import connection as connection_status
from landbridge.status.rule_context import Context, Related
from tests.status import examples

BGP = specs.connection(
    id="c1",
    style="bgp",
    tunnel_local_address="169.254.70.1/30",
    tunnel_peer_address="169.254.70.2/30",
    ike_policy=specs.ike_policy(local_id=examples.ENDPOINT, peer_id=examples.DEVICE),
).connection
LINE = "the daemon's line"


def fault(code: model.BgpFaultCode, *, asn: int | None = None, t: float = 100, text: str = LINE) -> model.BgpFault:
    return model.BgpFault(code=code, text=text, asn=asn, at=examples.at(t))


def broken(code: model.BgpFaultCode, **values: Any) -> model.BgpSession:
    return session(fault=fault(code, **values))


def session(state: model.BgpState = "active", *, t: float = 60, **values: Any) -> model.BgpSession:
    counts = {"received": 2, "accepted": 2, "announced": 1} if state == "established" else {}
    return model.BgpSession(state=state, **({"since": examples.at(t)} | counts | values))


def look(
    bgp: model.BgpSession | None,
    *,
    asn: int = 64512,
    peer_asn: int | None = 65000,
    device: str | None = None,
    sessions: tuple[model.BgpChange, ...] = (),
    up_at: float = 0,
    children: int = 1,
) -> Context:
    """A connection of style bgp. Its tunnel came up at second `up_at`; the look was at second 120."""
    seen = model.ConnectionObservation(
        connection_id="c1",
        applied_generation=1,
        configuration="now",
        attempts=(examples.whole(up_at - 0.1),),
        children=(examples.child(),) * children,
        expected_children=1,
        bgp=bgp,
    )
    related = Related(
        peer_address=examples.DEVICE,
        local_address=examples.ENDPOINT,
        asn=asn,
        peer_asn=peer_asn,
        device=device,
        sessions=sessions,
    )
    return Context(connection=BGP, seen=seen, related=related, seen_at=examples.at(120))


def status(context: Context) -> model.ConnectionStatus:
    known = model.KnownConnection(BGP, 1, False, 1, context.seen, context.seen_at)
    return connection_status.derive(known, examples.at(120), timedelta(hours=1), related=context.related)


def _row(row_id: str, bgp: model.BgpSession, code: str, side: str, reason: str, **context: Any) -> Any:
    return pytest.param(bgp, code, side, reason, context, id=row_id)


FAULTS = [
    _row(
        "the-device-has-another-asn",
        broken("wrong_device_asn", asn=65010),
        "bgp_asn_mismatch",
        "either",
        "the device's ASN is 65010, this connection's customer gateway says 65000",
    ),
    _row(
        "the-device-has-another-asn-of-4-bytes",
        broken("wrong_device_asn", asn=4200000001),
        "bgp_asn_mismatch",
        "either",
        "the device's ASN is 4200000001, this connection's customer gateway says 65000",
    ),
    _row(
        "the-device-cannot-send-its-4-bytes",
        broken("wrong_device_asn", asn=23456),
        "bgp_asn_mismatch",
        "either",
        "the device's ASN is 23456, this connection's customer gateway says 4200000001;"
        " 23456 stands for a 4-byte ASN of a device that sends only 2 bytes",
        peer_asn=4200000001,
    ),
    _row(
        "the-device-has-the-asn-of-the-gateway",
        broken("wrong_device_asn", asn=64512),
        "bgp_asn_mismatch",
        "either",
        "the device's ASN is 64512, this connection's customer gateway says 65000; the VPN gateway itself has this ASN",
    ),
    _row(
        "the-customer-gateway-has-no-asn",
        broken("wrong_device_asn", asn=65010),
        "bgp_asn_mismatch",
        "either",
        "the device's ASN is 65010, this connection's customer gateway says an unknown ASN",
        peer_asn=None,
    ),
    _row(
        "the-device-expects-another-asn",
        broken("device_wrong_asn", asn=64512),
        "bgp_asn_mismatch",
        "device",
        "the device expects another ASN than 64512, the ASN of the VPN gateway",
    ),
    _row(
        "the-device-expects-another-asn-of-4-bytes",
        broken("device_wrong_asn", asn=23456),
        "bgp_asn_mismatch",
        "device",
        "the device expects another ASN than 4200000000, the ASN of the VPN gateway",
        asn=4200000000,
    ),
    _row(
        "our-hold-timer",
        broken("hold_timer"),
        "bgp_hold_timer",
        "network",
        "the hold timer ended the BGP session: nothing came from the device",
    ),
    _row(
        "the-device-s-hold-timer",
        session(hold_time=9, fault=fault("device_hold_timer")),
        "bgp_hold_timer",
        "network",
        "the hold timer ended the BGP session: the device heard nothing of us for 9 s",
    ),
    _row(
        "bfd",
        broken("bfd_down"),
        "bgp_bfd_down",
        "network",
        "BFD found that the path to the device's tunnel address is cut",
    ),
    _row(
        "our-limit",
        session("down", limit=100, fault=fault("route_limit")),
        "bgp_too_many_routes",
        "device",
        "the device announces more routes than this connection accepts: this connection accepts 100",
    ),
    _row(
        "the-device-s-limit",
        broken("device_route_limit"),
        "bgp_too_many_routes",
        "device",
        "the VPN gateway announces more routes than the device accepts",
    ),
    _row(
        "nobody-listens",
        broken("refused"),
        "bgp_refused",
        "device",
        "the device does not accept BGP (TCP port 179) at its tunnel address 169.254.70.2",
    ),
    _row(
        "nobody-listens-and-the-state-is-older-than-the-tunnel",
        session("active", t=-500, fault=fault("refused", t=-500)),
        "bgp_refused",
        "device",
        "the device does not accept BGP (TCP port 179) at its tunnel address 169.254.70.2",
    ),
    _row(
        "no-answer-by-the-engine",
        session("connect", fault=fault("no_answer", t=60)),
        "bgp_no_answer",
        "device",
        "nothing answers BGP (TCP port 179) at the device's tunnel address 169.254.70.2",
    ),
    _row(
        "no-answer-by-the-time",
        session("connect", t=60),
        "bgp_no_answer",
        "device",
        "nothing answers BGP (TCP port 179) at the device's tunnel address 169.254.70.2",
    ),
    _row(
        "begins",
        session("connect", t=100),
        "negotiating",
        "either",
        "negotiating, nothing has been refused yet: the tunnel is up, the BGP session is not yet",
    ),
    _row(
        "begins-and-the-engine-has-no-answer-yet",
        session("connect", t=100, fault=fault("no_answer")),
        "negotiating",
        "either",
        "negotiating, nothing has been refused yet: the tunnel is up, the BGP session is not yet",
    ),
    _row(
        "the-tunnel-came-up-just-now",
        session("idle", t=-500),
        "negotiating",
        "either",
        "negotiating, nothing has been refused yet: the tunnel is up, the BGP session is not yet",
        up_at=110,
    ),
    _row(
        "the-fault-is-of-the-tunnel-before",
        session("idle", t=-500, fault=fault("hold_timer", t=50)),
        "negotiating",
        "either",
        "negotiating, nothing has been refused yet: the tunnel is up, the BGP session is not yet",
        up_at=110,
    ),
    _row(
        "an-asn-stays-wrong-in-the-next-tunnel",
        session("idle", t=-500, fault=fault("wrong_device_asn", asn=65010, t=50)),
        "bgp_asn_mismatch",
        "either",
        "the device's ASN is 65010, this connection's customer gateway says 65000",
        up_at=110,
    ),
    _row(
        "an-administrator",
        broken("device_shutdown", text='Received: Administrative shutdown: "maintenance till 5"'),
        "bgp_shutdown_by_device",
        "device",
        'the device ended the BGP session: Received: Administrative shutdown: "maintenance till 5"',
    ),
    _row(
        "closed",
        broken("device_closed", text="Received: Peer de-configured"),
        "bgp_shutdown_by_device",
        "device",
        "the device ended the BGP session: Received: Peer de-configured",
    ),
    _row(
        "no-route",
        broken("no_route"),
        "bgp_no_path",
        "operator",
        "the machine of the VPN gateway has no route or no interface to the device's tunnel address",
    ),
    _row(
        "no-interface",
        broken("no_interface"),
        "bgp_no_path",
        "operator",
        "the machine of the VPN gateway has no route or no interface to the device's tunnel address",
    ),
    _row(
        "unknown",
        broken("unknown", text="Error: Finite state machine error"),
        "bgp_unknown_fault",
        "either",
        "the BGP session failed for a reason that this service does not know: Error: Finite state machine error",
    ),
]


@pytest.mark.parametrize(("bgp", "code", "side", "reason", "context"), FAULTS)
def test_a_connection_without_a_session_is_down_and_says_why(
    bgp: model.BgpSession, code: str, side: str, reason: str, context: dict[str, Any]
):
    found = status(look(bgp, **context))
    assert found.explanation is not None
    first = found.explanation.causes[0]
    assert (found.status, first.code, first.side, first.reason) == ("DOWN", code, side, reason)
    assert [one.line for one in first.evidence] == ([bgp.fault.text] if bgp.fault and code != "negotiating" else [])


def test_every_code_of_a_fault_has_a_row():
    assert {row.values[0].fault.code for row in FAULTS if row.values[0].fault} == set(get_args(bgp_values.BgpFaultCode))


@pytest.mark.parametrize(
    ("bgp", "context", "ours", "theirs", "remedy"),
    [
        pytest.param(
            broken("wrong_device_asn", asn=65010),
            {},
            "65000",
            "65010",
            "set the device's own ASN to 65000; or create a customer gateway with bgp_asn 65010 and set cgw_id",
            id="another-asn",
        ),
        pytest.param(
            broken("wrong_device_asn", asn=23456),
            {"peer_asn": 4200000001},
            "4200000001",
            "23456",
            "on the device, enable 4-byte ASNs",
            id="two-bytes",
        ),
        pytest.param(
            broken("wrong_device_asn", asn=64512),
            {},
            "65000",
            "64512",
            "set the device's own ASN to 65000",
            id="inside-one-as",
        ),
        pytest.param(
            broken("device_wrong_asn", asn=23456),
            {"asn": 4200000000},
            "4200000000",
            None,
            "on the device, set the ASN of the neighbour 169.254.70.1 to 4200000000; a device without 4-byte ASNs must"
            " expect 23456",
            id="ours",
        ),
    ],
)
def test_an_asn_has_the_values_of_both_sides_and_what_to_set(
    bgp: model.BgpSession, context: dict[str, Any], ours: str, theirs: str | None, remedy: str
):
    [cause] = bgp_causes.find(look(bgp, **context))
    assert (cause.ours, cause.theirs, cause.differs) == (ours, theirs, ("bgp_asn",))
    assert cause.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("device", "setting"),
    [
        pytest.param("cisco", "; on cisco: neighbor remote-as and update-source", id="cisco"),
        pytest.param("frr", "; on frr: neighbor remote-as and update-source", id="frr"),
        pytest.param(None, "the source address 169.254.70.2", id="unknown"),
    ],
)
def test_a_remedy_ends_in_the_words_of_the_device(device: str | None, setting: str):
    [cause] = bgp_causes.find(look(broken("refused"), device=device))
    assert cause.remedy.endswith(setting)


# -- established ------------------------------------------------------------------------------------------------------

ESTABLISHED = [
    pytest.param(session("established"), [], id="routes-both-ways"),
    pytest.param(
        session("established", received=0, accepted=0),
        [("bgp_no_routes", "device", "the BGP session is established, and the device announces no route")],
        id="nothing-received",
    ),
    pytest.param(
        session("established", announced=0),
        [("bgp_no_routes", "connection", "the BGP session is established, and the VPN gateway announces no route")],
        id="nothing-announced",
    ),
    pytest.param(
        session("established", received=0, accepted=0, announced=0),
        [
            (
                "bgp_no_routes",
                "device",
                "the BGP session is established, and the device announces no route: the VPN gateway announces none either",
            )
        ],
        id="nothing-at-all",
    ),
    pytest.param(
        session("established", received=5, accepted=3),
        [
            (
                "bgp_routes_filtered",
                "device",
                "the VPN gateway does not accept all routes that the device announces: 5 received, 3 accepted",
            )
        ],
        id="some-filtered",
    ),
    pytest.param(session("established", t=100, received=0, accepted=0), [], id="the-first-routes-may-still-come"),
    pytest.param(
        session("established", limit=100, received=100, accepted=100, fault=fault("route_limit")),
        [
            (
                "bgp_too_many_routes",
                "device",
                "the device announces more routes than this connection accepts: this connection accepts 100",
            )
        ],
        id="routes-above-the-limit-are-missing",
    ),
]


@pytest.mark.parametrize(("bgp", "expected"), ESTABLISHED)
def test_an_established_session_is_active_and_warns(bgp: model.BgpSession, expected: list[tuple[str, str, str]]):
    found = status(look(bgp))
    assert found.status == "ACTIVE"
    assert [(one.code, one.side, one.reason) for one in found.warnings] == expected


def test_a_graceful_restart_keeps_the_connection_active():
    """The routes stay while the session is made anew (RFC 4724)."""
    found = status(
        look(session("connect", received=2, accepted=2, fault=fault("device_closed", text="Received: Cease")))
    )
    assert (found.status, [one.code for one in found.warnings]) == ("ACTIVE", ["bgp_shutdown_by_device"])


def test_without_a_tunnel_the_session_is_no_cause():
    found = status(look(broken("hold_timer"), children=0))
    assert found.status == "DOWN"
    assert not [one for one in found.causes if one.code.startswith("bgp_")]


def test_a_session_that_nobody_has_seen_is_not_down():
    assert status(look(None)).status == "ACTIVE"


# -- again and again --------------------------------------------------------------------------------------------------


def change(t: float, state: model.BgpState, cause: str | None = None, received: int = 0) -> model.BgpChange:
    return model.BgpChange(at=examples.at(t), state=state, cause=cause, received=received)


UP = "established"


@pytest.mark.parametrize(
    ("sessions", "codes"),
    [
        pytest.param((), ["bgp_hold_timer"], id="no-history"),
        pytest.param((change(1, UP), change(10, "idle", "bgp_hold_timer")), ["bgp_hold_timer"], id="once"),
        pytest.param(
            (change(1, UP), change(10, "idle", "bgp_hold_timer"), change(12, UP), change(21, "idle", "bgp_path_mtu")),
            ["bgp_path_mtu", "bgp_hold_timer"],
            id="twice-without-a-route",
        ),
        pytest.param(
            (
                change(1, UP),
                change(2, UP, received=3),
                change(10, "idle", "bgp_hold_timer"),
                change(12, UP),
                change(13, UP, received=3),
                change(21, "idle", "bgp_hold_timer"),
            ),
            ["bgp_hold_timer"],
            id="twice-with-routes",
        ),
        pytest.param(
            (
                change(1, UP),
                change(10, "idle", "bgp_hold_timer"),
                change(12, UP),
                change(900, "idle", "bgp_hold_timer"),
            ),
            ["bgp_hold_timer"],
            id="long-ago",
        ),
        pytest.param(
            (change(1, UP), change(10, "idle", "bgp_hold_timer"), change(12, UP), change(21, "idle", "bgp_bfd_down")),
            ["bgp_hold_timer"],
            id="another-end",
        ),
    ],
)
def test_a_session_without_a_route_that_ends_again_and_again_has_a_path_that_drops_large_packets(
    sessions: tuple[model.BgpChange, ...], codes: list[str]
):
    found = bgp_causes.find(look(broken("hold_timer"), sessions=sessions))
    assert [one.code for one in found] == codes
    assert all(one.is_certain for one in found) == (len(found) == 1)


def test_every_text_of_a_session_is_used():
    made = {row.values[1] for row in FAULTS} | {code for row in ESTABLISHED for code, *_ in row.values[1]}
    assert {code for code in cause_texts.TEXTS if code.startswith("bgp_")} == (made | {"bgp_path_mtu"}) - {
        "negotiating"
    }


@given(
    bgp=st.builds(
        model.BgpSession,
        state=st.sampled_from(get_args(bgp_values.BgpState)),
        since=st.none() | st.just(examples.at(60)),
        received=st.integers(0, 3),
        accepted=st.integers(0, 3),
        announced=st.integers(0, 1),
        fault=st.none()
        | st.builds(
            model.BgpFault,
            code=st.sampled_from(get_args(bgp_values.BgpFaultCode)),
            text=st.just(LINE),
            asn=st.none() | st.sampled_from([23456, 64512, 65010]),
            at=st.none() | st.just(examples.at(70)),
        ),
    )
)
def test_any_session_is_active_or_has_a_cause(bgp: model.BgpSession):
    found = status(look(bgp))
    assert found.status == ("ACTIVE" if bgp.state == "established" or bgp.accepted else "DOWN")
    assert found.status == "ACTIVE" or found.causes
    assert all(one.reason and one.remedy and "{" not in one.reason + one.remedy for one in found.causes)
