"""The answers of the create page, field by field in their order, and which field is there when."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import specs
from landbridge import model
from landbridge.model import negotiation
from landbridge.wire import connections

Make = Callable[..., model.Connection]

#: Example answers 1, 2 and 3 of the page: (field, value) in their order; masked ids, addresses and identities filled in.
DPD = [("timeout", 15), ("interval", 30), ("msg", "seq-hash-notify")]
IKE = [
    ("ike_version", "v2"),
    ("authentication_algorithm", "sha2-256"),
    ("encryption_algorithm", "aes-128"),
    ("dh_group", "group15"),
    ("authentication_method", "pre-share"),
    ("lifetime_seconds", 86400),
    ("local_id_type", "ip"),
    ("local_id", "10.0.0.134"),
    ("peer_id_type", "ip"),
    ("peer_id", "88.0.0.164"),
    ("dpd", DPD),
]
IPSEC = [
    ("authentication_algorithm", "sha2-256"),
    ("encryption_algorithm", "aes-128"),
    ("pfs", "group15"),
    ("transform_protocol", "esp"),
    ("lifetime_seconds", 3600),
    ("encapsulation_mode", "tunnel"),
]
BGP_IKE = [
    ("ike_version", "v2"),
    ("authentication_algorithm", "sha2-512"),
    ("encryption_algorithm", "aes-256"),
    ("dh_group", "group16"),
    ("authentication_method", "pre-share"),
    ("lifetime_seconds", 172800),
    ("local_id_type", "fqdn"),
    ("local_id", "123abc"),
    ("peer_id_type", "fqdn"),
    ("peer_id", "456def"),
    ("dpd", [("timeout", 30), ("interval", 60), ("msg", "seq-notify-hash")]),
]
BGP_IPSEC = [
    ("authentication_algorithm", "sha2-512"),
    ("encryption_algorithm", "aes-256"),
    ("pfs", "group16"),
    ("transform_protocol", "esp"),
    ("lifetime_seconds", 7200),
    ("encapsulation_mode", "tunnel"),
]
RULES = [[("rule_index", 1), ("source", "10.0.0.0/24"), ("destination", ["192.168.44.0/24"])]]


def _head(name: str, style: str) -> list[tuple[str, Any]]:
    return [
        ("id", "98c5af8a-6ee2-4482-99a2-ae2280a6f4c3"),
        ("name", name),
        ("vgw_id", "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"),
        ("vgw_ip", "0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde"),
        ("style", style),
        ("cgw_id", "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d"),
        ("peer_subnets", ["192.168.44.0/24"]),
        ("tunnel_local_address", "169.254.56.225/30"),
        ("tunnel_peer_address", "169.254.56.226/30"),
    ]


def _tail(ike: list, ipsec: list) -> list[tuple[str, Any]]:
    return [
        ("ikepolicy", ike),
        ("ipsecpolicy", ipsec),
        ("created_at", "2022-11-26T13:41:34.626Z"),
        ("updated_at", "2022-11-26T13:41:34.626Z"),
        ("enterprise_project_id", "0"),
        ("ha_role", "master"),
    ]


BGP = {
    "name": "vpn-1655",
    "style": "bgp",
    "enable_nqa": None,
    "ike": {
        "authentication_algorithm": "sha2-512",
        "encryption_algorithm": "aes-256",
        "dh_group": "group16",
        "lifetime_seconds": 172800,
        "local_id_type": "fqdn",
        "local_id": "123abc",
        "peer_id_type": "fqdn",
        "peer_id": "456def",
        "dpd": model.Dpd(interval=60, timeout=30, msg="seq-notify-hash"),
    },
    "ipsec": {
        "authentication_algorithm": "sha2-512",
        "encryption_algorithm": "aes-256",
        "pfs": "group16",
        "lifetime_seconds": 7200,
    },
}
POLICY = {
    "name": "vpn-799d",
    "style": "policy",
    "enable_nqa": None,
    "policy_rules": (model.PolicyRule(index=1, source="10.0.0.0/24", destinations=("192.168.44.0/24",)),),
}


def _pairs(text: str | bytes) -> Any:
    """Objects as lists of pairs, so that their order counts."""
    return json.loads(text, object_pairs_hook=list)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, [*_head("vpn-b2cb", "STATIC"), ("enable_nqa", False), *_tail(IKE, IPSEC)], id="1-static"),
        pytest.param(
            POLICY, [*_head("vpn-799d", "POLICY"), ("policy_rules", RULES), *_tail(IKE, IPSEC)], id="2-policy"
        ),
        pytest.param(BGP, [*_head("vpn-1655", "BGP"), *_tail(BGP_IKE, BGP_IPSEC)], id="3-bgp"),
    ],
)
def test_the_page_s_example_answers_come_out(connection: Make, changes: dict[str, Any], expected: list):
    assert expected == _pairs(json.dumps(connections.connection(connection(**changes), None)))


GM_IKE = dict.fromkeys(("dh_group", "local_id_type", "local_id", "peer_id_type", "peer_id"))


@pytest.mark.parametrize(
    ("changes", "place", "field", "value"),
    [
        pytest.param({}, "", "enable_nqa", False, id="nqa-false"),
        pytest.param({"enable_nqa": True}, "", "enable_nqa", True, id="nqa-true"),
        pytest.param(BGP, "", "enable_nqa", None, id="no-nqa-with-bgp"),
        pytest.param(POLICY, "", "enable_nqa", None, id="no-nqa-with-policy"),
        pytest.param({}, "", "enable_hub", None, id="no-hub"),
        pytest.param({"enable_hub": False}, "", "enable_hub", False, id="hub-false"),
        pytest.param({"enable_hub": True}, "", "enable_hub", True, id="hub-true"),
        pytest.param({}, "", "policy_rules", None, id="no-rules-with-static"),
        pytest.param(BGP, "", "policy_rules", None, id="no-rules-with-bgp"),
        pytest.param({"peer_subnets": None}, "", "peer_subnets", None, id="no-peer-subnets"),
        pytest.param({"style": "policy-template"}, "", "style", "POLICY-TEMPLATE", id="policy-template"),
        pytest.param({"tunnel_local_address": None}, "", "tunnel_local_address", None, id="no-local-address"),
        pytest.param({"tunnel_peer_address": None}, "", "tunnel_peer_address", None, id="no-peer-address"),
        pytest.param({}, "", "connection_monitor_id", None, id="no-monitor"),
        pytest.param({"monitor_id": "m1"}, "", "connection_monitor_id", "m1", id="monitor"),
        pytest.param({}, "", "tags", None, id="no-tags"),
        pytest.param({"tags": (model.Tag("k", ""),)}, "", "tags", [{"key": "k", "value": ""}], id="tags"),
        pytest.param({"ha_role": "slave"}, "", "ha_role", "slave", id="slave"),
        pytest.param({}, "ikepolicy", "phase1_negotiation_mode", None, id="no-mode-with-v2"),
        pytest.param(
            {"ike": {"version": "v1", "negotiation_mode": "aggressive"}},
            "ikepolicy",
            "phase1_negotiation_mode",
            "aggressive",
            id="mode-with-v1",
        ),
        *(pytest.param({"ike": GM_IKE}, "ikepolicy", field, None, id=f"gm-no-{field}") for field in GM_IKE),
        pytest.param({"ipsec": {"pfs": None}}, "ipsecpolicy", "pfs", None, id="gm-no-pfs"),
        pytest.param({}, "", "psk", None, id="never-the-psk"),
        pytest.param({}, "", "status", None, id="no-status-after-a-create"),
    ],
)
def test_a_field_is_there_when_the_connection_has_it(
    connection: Make, changes: dict[str, Any], place: str, field: str, value: Any
):
    answer = connections.connection(connection(**changes), None)
    inside = answer[place] if place else answer
    assert (value is not None, value) == (field in inside, inside.get(field))


def test_a_show_has_the_status_after_the_name(connection: Make):
    plain = _pairs(json.dumps(connections.connection(connection())))
    assert [*plain[:2], ("status", "DOWN"), *plain[2:]] == _pairs(connections.shown(connection(), "DOWN"))


def test_the_status_of_a_connection_has_one_place_whatever_its_name(connection: Make):
    named = dataclasses.replace(connection(), name='a","status":"","x":"')
    answer = json.loads(connections.shown(named, "ACTIVE"))
    assert (named.name, "ACTIVE") == (answer["name"], answer["status"])


@pytest.mark.parametrize("changes", [{}, POLICY, BGP, {"tags": (model.Tag("k", "v"),)}, {"ike": GM_IKE}])
@pytest.mark.parametrize("shown", [True, False])
def test_an_answer_has_the_shape_that_is_documented(connection: Make, changes: dict[str, Any], *, shown: bool):
    value = connection(**changes)
    text = connections.shown(value, "ACTIVE") if shown else json.dumps(connections.connection(value))
    answer = json.loads(text)
    read = connections.ConnectionAnswer.model_validate(answer | {})
    assert answer == read.model_dump(exclude_none=True)


SEEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANSWERED = model.Reachability(
    source="203.0.113.10",
    destination="88.0.0.164",
    state="up",
    since=SEEN,
    sent=60,
    lost=2,
    rtt_min=1.5,
    rtt_average=2.5,
    rtt_max=9.25,
    answered_at=SEEN,
)
CHILD = specs.child_sa(
    local_ts=("10.0.0.0/24",),
    remote_ts=("192.168.44.0/24",),
    spi_in="c0000001",
    spi_out="c0000002",
    proposal="AES_CBC_128/HMAC_SHA2_256_128",
    bytes_in=1,
    bytes_out=2,
    packets_in=3,
    packets_out=4,
    installed_at=SEEN - timedelta(seconds=5),
)


def test_a_diagnosis_of_nothing_seen_says_so(connection: Make):
    answer = connections.diagnosis(connection(), model.ConnectionStatus(status="PENDING_CREATE"), ())
    assert answer == {
        "id": "98c5af8a-6ee2-4482-99a2-ae2280a6f4c3",
        "status": "PENDING_CREATE",
        "evidence": [],
        "causes": [],
        "warnings": [],
        "ike_established": False,
        "sas": [],
    }


def _said(number: int, *lines: str) -> model.Attempt:
    at = SEEN + timedelta(seconds=number)
    facts = tuple(
        negotiation.Unknown(at=at + timedelta(seconds=2 * place), line=line) for place, line in enumerate(lines)
    )
    return model.Attempt(id=str(number), configuration="", began_at=at, began_by="us", facts=facts)


def _log(*attempts: model.Attempt) -> list[str]:
    seen = model.ConnectionObservation(connection_id="c", attempts=attempts)
    return [each["raw_message"] for each in connections.logs(model.ConnectionStatus(status="DOWN", observation=seen))]


def test_a_log_has_the_lines_of_all_attempts_in_their_order():
    assert _log(_said(0, "first", "third\nfourth"), _said(1, "second")) == [
        "2026-01-02T03:04:05.000Z first",
        "2026-01-02T03:04:06.000Z second",
        "2026-01-02T03:04:07.000Z third",
        "2026-01-02T03:04:07.000Z fourth",
    ]


def test_a_log_has_the_last_lines():
    said = _said(0, *(str(number) for number in range(connections.LOG_LINES + 3)))
    assert [line.split()[1] for line in _log(said)] == [str(number) for number in range(3, connections.LOG_LINES + 3)]


def test_a_diagnosis_tells_reason_evidence_and_what_is_up(connection: Make):
    seen = model.ConnectionObservation(
        connection_id="c", ike_established=True, peer_address="88.0.0.164", children=(CHILD,), monitor=ANSWERED
    )
    said = (model.Evidence(at=SEEN, line="said"),)
    cause = model.Cause(
        code="psk_mismatch", side="either", is_certain=True, reason="r", remedy="do", ours="a", evidence=said
    )
    explanation = model.Explanation(reason="r", remedy="do", evidence=said, causes=(cause,))
    status = model.ConnectionStatus(
        status="DOWN", explanation=explanation, seen_at=SEEN, not_seen_since=SEEN, observation=seen
    )
    answer = connections.diagnosis(connection(monitor_id="m1"), status, (model.Warning("ipsecpolicy.pfs", "weak"),))
    connections.DiagnosisAnswer.model_validate(json.loads(json.dumps(answer)))
    assert (answer["reason"], answer["remedy"], answer["not_seen_since"]) == ("r", "do", "2026-01-02T03:04:05.000Z")
    assert answer["evidence"] == [{"at": "2026-01-02T03:04:05.000Z", "line": "said"}]
    assert answer["causes"] == [
        {
            "code": "psk_mismatch",
            "side": "either",
            "is_certain": True,
            "reason": "r",
            "remedy": "do",
            "ours": "a",
            "differs": (),
            "evidence": answer["evidence"],
            "documentation": "docs/reference/causes.md#psk_mismatch",
        }
    ]
    assert answer["warnings"] == ["ipsecpolicy.pfs: weak"]
    [sa] = answer["sas"]
    assert (sa["spi_in"], sa["bytes_in"], sa["packets_out"], sa["installed_seconds"]) == ("c0000001", 1, 4, 5)
    assert "nqa" not in answer
    assert answer["monitor"] == {
        "source_ip": "203.0.113.10",
        "destination_ip": "88.0.0.164",
        "state": "up",
        "since": "2026-01-02T03:04:05.000Z",
        "sent": 60,
        "lost": 2,
        "rtt_min_ms": 1.5,
        "rtt_average_ms": 2.5,
        "rtt_max_ms": 9.25,
        "answered_at": "2026-01-02T03:04:05.000Z",
    }


def test_what_is_wrong_with_a_tunnel_that_is_up_is_a_cause_and_a_warning(connection: Make):
    warning = model.Cause(code="rekey_refused", side="either", is_certain=True, reason="refused", remedy="compare")
    status = model.ConnectionStatus(status="ACTIVE", warnings=(warning,))
    answer = connections.diagnosis(connection(), status, ())
    assert [one["code"] for one in answer["causes"]] == ["rekey_refused"]
    assert answer["warnings"] == ["refused"]
    assert "reason" not in answer
