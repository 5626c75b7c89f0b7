"""From bytes to a shape: what is no JSON of ours, which field has the wrong type, and which nobody knows."""

import json
from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from landbridge import errors
from landbridge.wire import body, connection_requests

Parsed = body.Parsed[connection_requests.CreateConnection]


def _parse(content: dict[str, Any]) -> Parsed:
    return _parse_bytes(json.dumps({"vpn_connection": content}).encode())


def _parse_bytes(content: bytes) -> Parsed:
    return body.parse(connection_requests.CreateConnection, "vpn_connection", content)


def _nested(levels: int, inner: bytes = b"") -> bytes:
    """Objects and arrays to this depth, the document itself counted."""
    return b'{"vpn_connection":{"x":' + b"[" * (levels - 2) + inner + b"]" * (levels - 2) + b"}}"


@pytest.mark.parametrize(
    ("content", "field", "text"),
    [
        pytest.param(b"", "body", "is not JSON", id="nothing"),
        pytest.param(b"{", "body", "at line 1, column 2", id="cut-off"),
        pytest.param(b"{'vpn_connection': {}}", "body", "is not JSON", id="single-quotes"),
        pytest.param(b'{"vpn_connection": {},}', "body", "is not JSON", id="trailing-comma"),
        pytest.param(b"{} {}", "body", "Extra data", id="two-documents"),
        pytest.param(b'{"a": "\xff"}', "body", "is not UTF-8 (byte 7)", id="invalid-utf-8"),
        pytest.param('{"a": "é"}'.encode("latin-1"), "body", "is not UTF-8", id="latin-1"),
        pytest.param('{"a": 1}'.encode("utf-16-le"), "body", "is not JSON", id="utf-16"),
        pytest.param(b'{"a": 1, "a": 1}', "body", "has the key 'a' twice in one object", id="duplicate-key"),
        pytest.param(b'{"b": [{"a": 1, "c": 2, "a": 3}]}', "body", "has the key 'a' twice", id="duplicate-key-inside"),
        pytest.param(b'{"a": NaN}', "body", "has NaN, which is not JSON", id="nan"),
        pytest.param(b'{"a": [Infinity]}', "body", "has Infinity", id="infinity"),
        pytest.param(b'{"a": -Infinity}', "body", "has -Infinity", id="minus-infinity"),
        pytest.param(b"[" * 5000 + b"]" * 5000, "body", "at most 32 levels", id="nested-5000-deep"),
        pytest.param(b"[" * 20000, "body", "nested too deep", id="nested-beyond-recursion"),
        pytest.param(b"[]", "body", 'is not an object (wanted: {"vpn_connection": {', id="an-array"),
        pytest.param(b'"x"', "body", "is not an object", id="a-string"),
        pytest.param(b"null", "body", "is not an object", id="null"),
        pytest.param(b"{}", "vpn_connection", "is mandatory", id="no-envelope"),
        pytest.param(b'{"vpn_connections": {}}', "vpn_connection", "is mandatory", id="another-envelope"),
        pytest.param(b'{"vpn_connection": null}', "vpn_connection", "is mandatory", id="null-envelope"),
        pytest.param(b'{"vpn_connection": []}', "vpn_connection", "is not an object", id="array-envelope"),
        pytest.param(b'{"vpn_connection": "{}"}', "vpn_connection", "is not an object", id="text-envelope"),
    ],
)
def test_what_is_no_request_at_all_is_refused(content: bytes, field: str, text: str):
    with pytest.raises(errors.Invalid) as refused:
        _parse_bytes(content)
    (violation,) = refused.value.violations
    assert field == violation.field
    assert text in str(violation)


@pytest.mark.parametrize("inner", [pytest.param(b"", id="empty"), pytest.param(b"1", id="with-a-number")])
def test_32_levels_are_read_and_33_refused(inner: bytes):
    assert _parse_bytes(_nested(32, inner)).ignored == ("x",)
    with pytest.raises(errors.Invalid, match="at most 32 levels"):
        _parse_bytes(_nested(33, inner))


def test_many_shallow_lists_are_not_deep():
    assert _parse({"peer_subnets": [f"{n}" for n in range(499)], "x": [[] for _ in range(499)]}).ignored == ("x",)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        pytest.param({"peer_subnets": ["x"] * 1000}, None, id="at-the-limit"),
        pytest.param({"peer_subnets": ["x"] * 1001}, "peer_subnets", id="above-it"),
        pytest.param(
            {"policy_rules": [{"destination": ["x"] * 600}] * 2}, "policy_rules[1].destination", id="together"
        ),
        pytest.param({"peer_subnets": ["x"] * 600, "x": {"y": [[1] * 401]}}, "x.y[0]", id="unknown-ones-too"),
    ],
)
def test_arrays_have_a_thousand_entries_together(content: dict[str, Any], field: str | None):
    parsed = _parse(content | {"name": 5, "style": "bgp"})
    *overfull, name = parsed.violations
    assert [(one.field, one.allowed) for one in overfull] == (
        [(field, "at most 1000 in all arrays together")] if field else []
    )
    assert name.field == "name"
    assert parsed.value.style == "bgp"
    given = content.get("peer_subnets", [])
    assert parsed.value.peer_subnets == (None if len(given) > 1000 or not given else tuple(given))


def test_an_array_that_is_too_long_is_named_once_and_the_rest_is_read():
    long, deep = ["x"] * 1001, [{"destination": ["x"] * 1001}] * 1001
    parsed = _parse(
        {"peer_subnets": long, "policy_rules": deep, "tags": [{"key": "a", "value": "b"}], "x": [long, long]}
    )
    assert [one.field for one in parsed.violations] == ["peer_subnets", "policy_rules", "x[0]", "x[1]"]
    assert [(one.key, one.value) for one in parsed.value.tags or ()] == [("a", "b")]
    with pytest.raises(errors.Invalid, match=r"x\[0\]: has 1001 entries"):
        _parse({"x": [long] * 1000})


def test_each_object_of_a_batch_has_a_thousand_entries():
    full = {"peer_subnets": ["x"] * 1000}
    content = json.dumps({"many": [full] * 50}).encode()
    parsed, _ = body.parse_many(connection_requests.CreateConnection, "many", content, 50)
    assert [each.violations for each in parsed] == [()] * 50
    content = json.dumps({"many": [full] * 49 + [{"tags": [full]}]}).encode()
    parsed, _ = body.parse_many(connection_requests.CreateConnection, "many", content, 50)
    assert [one.field for one in parsed[49].violations] == ["tags[0].peer_subnets"]
    assert not any(each.violations for each in parsed[:49])


def test_twenty_thousand_objects_and_arrays_are_read():
    (violation,) = _parse({"x": [[]] * 19900}).violations
    assert violation.wrong == "has 19900 entries"
    with pytest.raises(errors.Invalid, match="has 20003 objects and arrays"):
        _parse({"x": [[]] * 20000})


def test_brackets_elsewhere_do_not_make_it_deeper():
    beside = _nested(32, b"1")[:-2] + b',"y":[]}}'
    assert _parse_bytes(beside).ignored == ("x", "y")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"vpn_connection": {"name": "\\ud800"}}', id="in-a-value"),
        pytest.param(b'{"vpn_connection": {"\\udfff": 1}}', id="in-a-key"),
    ],
)
def test_half_a_surrogate_pair_is_refused(content: bytes):
    with pytest.raises(errors.Invalid):
        _parse_bytes(content)


def test_a_number_of_thousands_of_digits_is_refused_in_our_words():
    with pytest.raises(errors.Invalid) as refused:
        _parse_bytes(b'{"vpn_connection": {"psk": ' + b"9" * 5000 + b"}}")
    assert "sys." not in str(refused.value)


def test_a_byte_order_mark_is_named_in_our_words():
    with pytest.raises(errors.Invalid) as refused:
        _parse_bytes(b'\xef\xbb\xbf{"vpn_connection": {}}')
    assert "utf-8-sig" not in str(refused.value)


def test_a_wrong_type_is_said_once():
    (violation,) = _parse({"name": 1}).violations
    assert str(violation).count("a string") == 1


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(60, 60, id="number"),
        pytest.param("60", 60, id="digits"),
        pytest.param("0060", 60, id="leading-zeros"),
        pytest.param("0", 0, id="zero-as-digits"),
        pytest.param(-1, -1, id="negative-is-for-the-rules"),
        pytest.param(10**30, 10**30, id="huge-is-for-the-rules"),
        pytest.param("9" * 18, 10**18 - 1, id="18-digits"),
        pytest.param(None, None, id="null-is-absent"),
    ],
)
def test_an_integer_is_a_number_or_digits(value: Any, number: int | None):
    parsed = _parse({"ikepolicy": {"lifetime_seconds": value}})
    assert ((), number) == (parsed.violations, parsed.value.ike_policy.lifetime_seconds)


@pytest.mark.parametrize(
    "value",
    [True, False, 60.0, 60.5, 1e2, "", " 60", "60 ", "+60", "-60", "6_0", "60.0", "0x3c", "٦٠", "9" * 19, [], [60], {}],
)
def test_anything_else_is_no_integer(value: Any):
    parsed = _parse({"ikepolicy": {"lifetime_seconds": value}})
    assert [(v.field, v.allowed) for v in parsed.violations] == [("ikepolicy.lifetime_seconds", "an integer")]
    assert parsed.value.ike_policy.lifetime_seconds is None


@pytest.mark.parametrize(
    ("content", "field", "wanted"),
    [
        pytest.param({"name": 1}, "name", "a string", id="number-for-text"),
        pytest.param({"name": True}, "name", "a string", id="bool-for-text"),
        pytest.param({"psk": ["x"]}, "psk", "a string", id="array-for-text"),
        pytest.param({"enable_nqa": "true"}, "enable_nqa", "true or false", id="text-for-bool"),
        pytest.param({"enable_nqa": 1}, "enable_nqa", "true or false", id="number-for-bool"),
        pytest.param({"peer_subnets": "10.0.0.0/8"}, "peer_subnets", "an array", id="text-for-array"),
        pytest.param({"peer_subnets": {"0": "x"}}, "peer_subnets", "an array", id="object-for-array"),
        pytest.param({"peer_subnets": ["10.0.0.0/8", 1]}, "peer_subnets[1]", "a string", id="number-in-array"),
        pytest.param({"peer_subnets": [None]}, "peer_subnets[0]", "a string", id="null-in-array"),
        pytest.param({"ikepolicy": []}, "ikepolicy", "an object", id="array-for-object"),
        pytest.param({"ikepolicy": "v1"}, "ikepolicy", "an object", id="text-for-object"),
        pytest.param({"ikepolicy": {"dpd": 1}}, "ikepolicy.dpd", "an object", id="number-for-inner-object"),
        pytest.param({"ikepolicy": {"dpd": {"msg": 1}}}, "ikepolicy.dpd.msg", "a string", id="two-levels-down"),
        pytest.param({"policy_rules": [{}, 7]}, "policy_rules[1]", "an object", id="number-for-a-rule"),
        pytest.param({"policy_rules": [{"source": 7}]}, "policy_rules[0].source", "a string", id="inside-a-rule"),
        pytest.param(
            {"policy_rules": [{"destination": ["x", 7]}]}, "policy_rules[0].destination[1]", "a string", id="a-block"
        ),
        pytest.param({"tags": [{"key": "a", "value": 1}]}, "tags[0].value", "a string", id="inside-a-tag"),
    ],
)
def test_a_wrong_type_is_named_by_its_place(content: dict[str, Any], field: str, wanted: str):
    (violation,) = _parse(content).violations
    assert (field, wanted) == (violation.field, violation.allowed)


def test_wrong_types_are_left_out_and_the_rest_is_still_there():
    parsed = _parse(
        {
            "name": 1,
            "style": "policy",
            "peer_subnets": ["192.168.44.0/24", 2],
            "ikepolicy": {"ike_version": "v1", "lifetime_seconds": True, "dpd": {"interval": [], "timeout": 5}},
            "ipsecpolicy": 3,
            "policy_rules": [{"source": 4, "rule_index": "7"}, {"source": "10.0.0.0/8", "destination": ["x", 5]}],
            "tags": [{"key": "k", "value": 6}, 7],
        }
    )
    request = parsed.value.request()
    assert {v.field for v in parsed.violations} == {
        "name",
        "peer_subnets[1]",
        "ikepolicy.lifetime_seconds",
        "ikepolicy.dpd.interval",
        "ipsecpolicy",
        "policy_rules[0].source",
        "policy_rules[1].destination[1]",
        "tags[0].value",
        "tags[1]",
    }
    assert (request.name, request.style, request.peer_subnets, request.tags) == (None, "policy", None, None)
    assert (
        request.ike_policy.version,
        request.ike_policy.lifetime_seconds,
        request.ike_policy.dpd.interval,
        request.ike_policy.dpd.timeout,
    ) == ("v1", None, None, 5)
    assert [(rule.index, rule.source, rule.destinations) for rule in request.policy_rules or ()] == [
        (7, None, None),
        (None, "10.0.0.0/8", None),
    ]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("abc")
FIELDS = [field.alias or name for name, field in connection_requests.CreateConnection.model_fields.items()]
INNER = ["source", "destination", "rule_index", "key", "dpd", "timeout", "lifetime_seconds", "z"]
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=3)
)


@each(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_is_judged_without_a_fault(content: dict[str, Any]):
    parsed = _parse(content)
    assert set(parsed.value.model_fields_set) <= set(connection_requests.CreateConnection.model_fields)
    parsed.value.request()


@pytest.mark.parametrize(
    "field",
    ["name", "vgw_id", "peer_subnets", "enable_nqa", "psk", "policy_rules", "ikepolicy", "ipsecpolicy", "tags"],
)
def test_null_is_the_same_as_absent(field: str):
    assert _parse({}).value.request() == _parse({field: None}).value.request()


@pytest.mark.parametrize(
    ("document", "ignored"),
    [
        pytest.param({"vpn_connection": {}}, (), id="none"),
        pytest.param({"vpn_connection": {"colour": 1}}, ("colour",), id="one"),
        pytest.param({"vpn_connection": {}, "colour": 1}, ("colour",), id="beside-the-envelope"),
        pytest.param({"vpn_connection": {"ikepolicy": {"dpd": {"x": 1}}}}, ("ikepolicy.dpd.x",), id="two-levels-down"),
        pytest.param({"vpn_connection": {"tags": [{}, {"x": 1}]}}, ("tags[1].x",), id="in-an-array"),
        pytest.param({"vpn_connection": {"gateway_id": "x"}}, ("gateway_id",), id="our-own-name-of-a-field"),
        pytest.param({"vpn_connection": {"ikepolicy": {"version": "v1"}}}, ("ikepolicy.version",), id="ours-inside"),
        pytest.param({"vpn_connection": {"Name": "x"}}, ("Name",), id="another-case"),
        pytest.param({"vpn_connection": {"ask": 1, "model_fields": 2}}, ("ask", "model_fields"), id="python-names"),
    ],
)
def test_unknown_fields_are_ignored_and_named(document: dict[str, Any], ignored: tuple[str, ...]):
    parsed = _parse_bytes(json.dumps(document).encode())
    assert (ignored, ()) == (parsed.ignored, parsed.violations)
    assert parsed.value.gateway_id is None


def test_a_psk_is_a_secret_from_here_on():
    parsed = _parse({"psk": "Abcd1234"})
    assert "Abcd1234" not in repr(parsed.value.request())


def test_a_wrong_psk_is_not_repeated():
    (violation,) = _parse({"psk": 12345678}).violations
    assert "12345678" not in str(violation)
