"""Bodies that are no request: each a clear 400, never a fault of ours."""

import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landbridge.model import allowed_values

PATH = "vpn-connection"


@pytest.fixture(scope="module")
def ours(shared_service: Any) -> Any:
    return shared_service.api()


@pytest.fixture(scope="module")
def sound(ours: Any) -> Any:
    """A request that lacks nothing."""
    return ours.connection_body(ours.gateway(), ours.customer_gateway())


@pytest.mark.parametrize(
    ("content", "field", "said"),
    [
        pytest.param(b"", "body", "is not JSON", id="empty"),
        pytest.param(b" ", "body", "is not JSON", id="space"),
        pytest.param(b"{", "body", "line 1, column 2", id="cut-off"),
        pytest.param(b"{}{}", "body", "is not JSON", id="two-values"),
        pytest.param(b"{'a': 1}", "body", "is not JSON", id="single-quotes"),
        pytest.param(b'{"a": 1,}', "body", "is not JSON", id="trailing-comma"),
        pytest.param(b"vpn_connection=1", "body", "is not JSON", id="form"),
        pytest.param(b"[]", "body", "is not an object", id="array"),
        pytest.param(b'"text"', "body", "is not an object", id="string"),
        pytest.param(b"7", "body", "is not an object", id="number"),
        pytest.param(b"null", "body", "is not an object", id="null"),
        pytest.param(b"{}", "vpn_connection", "is mandatory", id="no-envelope"),
        pytest.param(b'{"vpn_connection": null}', "vpn_connection", "is mandatory", id="null-envelope"),
        pytest.param(b'{"vpn_connection": []}', "vpn_connection", "is not an object", id="array-envelope"),
        pytest.param(b'{"vpn_connection": "x"}', "vpn_connection", "is not an object", id="string-envelope"),
        pytest.param(b'{"vpn_connection": {"name": NaN}}', "body", "NaN", id="nan"),
        pytest.param(b'{"vpn_connection": {"name": -Infinity}}', "body", "Infinity", id="infinity"),
        pytest.param(b'{"vpn_connection": {"psk": "a", "psk": "b"}}', "body", "'psk' twice", id="duplicate-key"),
        pytest.param(b'{"vpn_connection": {}, "vpn_connection": {}}', "body", "twice", id="duplicate-envelope"),
        pytest.param(b'{"vpn_connection": {"name": "\xff"}}', "body", "is not UTF-8 (byte 29)", id="not-utf-8"),
        pytest.param("{}".encode("utf-16"), "body", "is not UTF-8", id="utf-16"),
        pytest.param(b'\xef\xbb\xbf{"vpn_connection": {}}', "body", "byte order mark", id="byte-order-mark"),
        pytest.param(b"[" * 33 + b"]" * 33, "body", "nested too deep", id="33-arrays"),
        pytest.param(b'{"a":' * 33 + b"1" + b"}" * 33, "body", "nested too deep", id="33-objects"),
        pytest.param(b"[" * 20000, "body", "nested too deep", id="20000-arrays"),
        pytest.param(b'{"a":' * 20000, "body", "nested too deep", id="20000-objects"),
        pytest.param(b'{"vpn_connection": {"rule_index": 1' + b"0" * 5000 + b"}}", "body", "", id="5001-digits"),
        pytest.param(b'{"vpn_connection": {"name": "a\nb"}}', "body", "is not JSON", id="raw-newline"),
        pytest.param(b'{"vpn_connection": {"name": "\\x"}}', "body", "is not JSON", id="wrong-escape"),
    ],
)
def test_a_body_that_is_no_request_is_a_clear_400(ours: Any, content: bytes, field: str, said: str):
    answer = ours.send("POST", PATH, content=content)
    error = answer.json()
    assert (answer.status_code, error["error_code"]) == (400, "VPN.0001")
    assert [detail["field"] for detail in error["details"]] == [field]
    assert said in error["details"][0]["message"]
    assert error["error_msg"].startswith("invalid request: ")
    assert len(error["error_msg"]) < 300


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param('"name": "\\ud800"', {"body"}, id="lone-surrogate"),
        pytest.param('"\\ud800": 1', {"body"}, id="lone-surrogate-in-an-unknown-key"),
        pytest.param('"name": "\\u0000"', {"name"}, id="nul"),
        pytest.param('"tags": [{"key": "\\ud83d\\ude00", "value": "v"}]', {"tags[0].key"}, id="emoji"),
        pytest.param('"tags": [{"key": "\\udc00", "value": "v"}]', {"body"}, id="surrogate-in-a-tag"),
        pytest.param('"tags": [null, 1, {"key": "a", "value": "b"}]', {"tags[0]", "tags[1]"}, id="wrong-items"),
        pytest.param('"peer_subnets": [[["10.1.0.0/16"]]]', {"peer_subnets[0]"}, id="nested-items"),
        pytest.param('"peer_subnets": "192.168.44.0/24"', {"peer_subnets"}, id="string-for-array"),
        pytest.param('"peer_subnets": {"0": "192.168.44.0/24"}', {"peer_subnets"}, id="object-for-array"),
        pytest.param('"ikepolicy": []', {"ikepolicy"}, id="array-for-object"),
        pytest.param('"ikepolicy": {"dpd": "on"}', {"ikepolicy.dpd"}, id="string-for-object"),
        pytest.param('"enable_nqa": 1', {"enable_nqa"}, id="number-for-bool"),
        pytest.param('"ikepolicy": {"lifetime_seconds": 3600.0}', {"ikepolicy.lifetime_seconds"}, id="fraction"),
        pytest.param('"ikepolicy": {"lifetime_seconds": 1e400}', {"ikepolicy.lifetime_seconds"}, id="infinite"),
        pytest.param(
            '"ikepolicy": {"lifetime_seconds": 99999999999999999999999}', {"ikepolicy.lifetime_seconds"}, id="huge"
        ),
        pytest.param(
            '"ikepolicy": {"lifetime_seconds": "\\uff13\\uff16\\uff10"}',
            {"ikepolicy.lifetime_seconds"},
            id="wide-digits",
        ),
    ],
)
def test_a_wrong_value_is_named_by_its_path(ours: Any, fields: str, said: set[str]):
    body = b'{"vpn_connection": {' + fields.encode() + b"}}"
    answer = ours.send("POST", PATH, content=body)
    assert answer.status_code == 400, answer.text
    fields_named = {detail["field"] for detail in answer.json()["details"]}
    mandatory = {"vgw_id", "vgw_ip", "cgw_id", "psk", "peer_subnets"}
    assert fields_named - mandatory == said - mandatory
    assert said <= fields_named


@pytest.mark.parametrize("value", ["3600", 3600])
def test_an_integer_may_be_a_string_of_digits(ours: Any, value: Any):
    made = ours.connection(ours.gateway(), ikepolicy={"lifetime_seconds": value})
    assert made["ikepolicy"]["lifetime_seconds"] == 3600


def test_null_is_the_same_as_absent(ours: Any, sound: Any):
    nothing = dict.fromkeys(("name", "style", "enable_nqa", "policy_rules", "ikepolicy", "ipsecpolicy", "tags"))
    body = sound | nothing | {"ha_role": None, "vgw_ip": ours.gateway()["eip1"]["id"]}
    said = ours.refused(PATH, "vpn_connection", body)
    assert set(said) == {"vgw_ip"}


def test_the_content_type_does_not_matter(ours: Any):
    content = json.dumps({"customer_gateway": {"id_value": "198.51.100.8"}}).encode()
    for kind in ("application/json", "application/json; charset=utf-8", "text/plain", ""):
        answer = ours.send("POST", "customer-gateways", content=content, Content_Type=kind)
        assert answer.status_code == 201


def test_a_newline_in_a_path_makes_no_second_log_line(ours: Any, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "landbridge.api"):
        ours.send("GET", f"{PATH}/x%0a2026-11-23%20INFO%20forged%1b%5b2J")
    lines = [record.getMessage() for record in caplog.records if record.name == "landbridge.api.endpoints"]
    assert len(lines) == 1
    assert lines[0].isprintable()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=2001", "limit=-1", "limit=x", "limit=1.5", "marker=x", "marker=-1"]
)
@pytest.mark.parametrize("path", [PATH, "customer-gateways"])
def test_a_wrong_page_is_refused_by_name(ours: Any, path: str, query: str):
    answer = ours.send("GET", f"{path}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0001")
    assert [detail["field"] for detail in answer.json()["details"]] == [query.split("=", maxsplit=1)[0]]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        pytest.param("limit=1&limit=x", {"limit"}, id="given-twice"),
        pytest.param("marker=99999999999999999999", {"marker"}, id="marker-out-of-range"),
        pytest.param("limit=%F0%9F%98%80&marker=%ff", {"limit", "marker"}, id="not-ascii"),
    ],
)
def test_a_query_is_never_a_fault_of_ours(ours: Any, query: str, named: set[str]):
    answer = ours.send("GET", f"{PATH}?{query}")
    assert answer.status_code == 400
    assert {detail["field"] for detail in answer.json()["details"]} <= named


# -- fuzz -------------------------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            *allowed_values.STYLES.values,
            *allowed_values.GROUPS,
            *allowed_values.ENCRYPTION,
            "v1",
            "v2",
            "fqdn",
            "ip",
            "master",
            "slave",
            "0.0.0.0/0",
            "192.168.44.0/24",
            "169.254.76.1/30",
            "169.254.76.2/30",
            "1" * 18,
            "1" * 30,
        ]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def _object(*names: str, **inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    known = dict.fromkeys(names, VALUES) | {name: given | VALUES for name, given in inner.items()}
    unknown = st.dictionaries(st.text(max_size=8), VALUES, max_size=2)
    return st.builds(lambda one, two: {**two, **one}, st.fixed_dictionaries({}, optional=known), unknown)


DPD = _object("interval", "timeout", "msg")
IKE = _object(*vars(allowed_values.IKE), "local_id", "peer_id", dpd=DPD)
IPSEC = _object(*vars(allowed_values.IPSEC))
RULES = st.lists(_object("rule_index", "source", "destination"), max_size=6)
TAGS = st.lists(_object("key", "value"), max_size=3)
CONNECTION = _object(
    "name",
    "vgw_id",
    "vgw_ip",
    "style",
    "cgw_id",
    "peer_subnets",
    "tunnel_local_address",
    "tunnel_peer_address",
    "enable_nqa",
    "enable_hub",
    "enable_health_check",
    "psk",
    "ha_role",
    "peer_subnets_v6",
    ikepolicy=IKE,
    ipsecpolicy=IPSEC,
    policy_rules=RULES,
    policy_rules_v6=RULES,
    tags=TAGS,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(fields=CONNECTION, missing=st.booleans())
def test_no_body_makes_a_fault_of_ours(ours: Any, sound: Any, fields: Any, missing: bool):
    body = fields if missing else {**sound, **fields}
    answer = ours.send("POST", PATH, {"vpn_connection": body})
    assert answer.status_code in (201, 400), answer.text
    if answer.status_code == 201:
        made = answer.json()["vpn_connection"]["id"]
        ours.delete(f"{PATH}/{made}")
        ours.gone(f"{PATH}/{made}")
    else:
        error = answer.json()
        assert error["error_code"] == "VPN.0001"
        assert error["details"]


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_make_a_fault_of_ours(ours: Any, content: bytes):
    answer = ours.send("POST", PATH, content=content)
    assert answer.status_code == 400
    assert answer.json()["details"]
