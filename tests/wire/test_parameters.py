"""Parameters of queries: what is read of a text, and that the document's schema says the same as the parser."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest
from starlette.datastructures import QueryParams

from landbridge import errors
from landbridge.api import table
from landbridge.wire import parameters

ID = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
LIMIT = parameters.LIMIT
MARKER = parameters.marker()
TIME = parameters.time_marker()
UUID = parameters.uuid("id", "")
ENDPOINT = parameters.endpoint("endpoint", "")
BOOLEAN = parameters.boolean("boolean", "")
CHOICE = parameters.choice("choice", "", ("one", "two"))
DAY = datetime(2026, 11, 29, 22, 30, 42, 123000, tzinfo=UTC)

READ = [
    pytest.param(LIMIT, "1", 1, id="lowest"),
    pytest.param(LIMIT, "2000", 2000, id="highest"),
    pytest.param(MARKER, "QUJD_-8=", "QUJD_-8=", id="marker"),
    pytest.param(UUID, ID.upper(), ID, id="id-in-capitals"),
    pytest.param(ENDPOINT, "198.51.100.7", "198.51.100.7", id="address"),
    pytest.param(ENDPOINT, ID, ID, id="eip"),
    pytest.param(BOOLEAN, "True", True, id="python-writes-True"),
    pytest.param(BOOLEAN, "false", False, id="false"),
    pytest.param(CHOICE, "two", "two", id="choice"),
    pytest.param(TIME, "2026-11-29T22:30:42.123Z", DAY, id="time-as-answered"),
    pytest.param(TIME, "2026-11-30T06:30:42.123+08:00", DAY, id="time-elsewhere"),
]
REFUSED = [
    *(pytest.param(LIMIT, text, id=f"limit-{text[:4]!r}") for text in ("0", "2001", "-1", "1.0", "٣", "9" * 4000)),
    *(pytest.param(MARKER, text, id=f"marker-{text[:4]!r}") for text in ("é", "a b", "=", "A" * 300, "QUJD\n")),
    *(pytest.param(TIME, text, id=f"time-{text!r}") for text in ("yesterday", "2026-11-29", "2026-02-31T00:00:00Z")),
    *(pytest.param(TIME, text, id=f"time-{text!r}") for text in ("0000-01-01T00:00:00Z", "2026-11-29T22:30:42")),
    *(pytest.param(UUID, text, id=f"id-{text[:6]!r}") for text in ("x", ID[:-1], ID + "0", ID + "\n", f"{{{ID}}}")),
    *(pytest.param(ENDPOINT, text, id=f"endpoint-{text!r}") for text in ("1.2.3", "256.1.1.1", "1.2.3.4\n", "::1")),
    *(pytest.param(BOOLEAN, text, id=f"boolean-{text!r}") for text in ("1", "yes", "TRUE\n")),
    pytest.param(CHOICE, "Two", id="choice"),
]


@pytest.mark.parametrize(("one", "text", "value"), READ)
def test_a_text_becomes_a_value(one: parameters.Parameter, text: str, value: Any):
    assert parameters.read([one], {one.name: text}) == {one.name: value}


@pytest.mark.parametrize(("one", "text"), REFUSED)
def test_a_text_that_is_not_allowed_is_refused_by_the_parameters_name(one: parameters.Parameter, text: str):
    with pytest.raises(errors.Invalid) as refused:
        parameters.read([one], {one.name: text})
    assert [v.field for v in refused.value.violations] == [one.name]
    assert len(str(refused.value)) < 400


def _fits(schema: Any, text: str) -> bool:
    """Whether the document allows the text, read as OpenAPI reads a parameter of this type."""
    value: Any = text
    if schema["type"] == "integer" and text.removeprefix("-").isascii() and text.removeprefix("-").isdigit():
        value = int(text)
    if schema["type"] == "boolean":
        value = {"true": True, "false": False}.get(text.lower(), text)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, format_checker=checker).is_valid(value)


@pytest.mark.parametrize(("one", "text"), [(case.values[0], case.values[1]) for case in READ])
def test_the_document_allows_what_is_read(one: parameters.Parameter, text: str):
    assert _fits(one.schema, text)


NO_SUCH_DAY = "2026-02-31T00:00:00Z"


@pytest.mark.parametrize(("one", "text"), [case for case in REFUSED if NO_SUCH_DAY not in case.values])
def test_the_document_forbids_what_is_refused(one: parameters.Parameter, text: str):
    """But for a line end after a sound text: it is no part of Python's `$`, and of nobody else's."""
    assert not _fits(one.schema, text) or text.endswith("\n")


def test_what_is_absent_or_empty_has_the_default():
    several = [LIMIT, MARKER, UUID, BOOLEAN, parameters.ENTERPRISE_PROJECT]
    expected = {"limit": 2000, "marker": None, "id": None, "boolean": False, "enterprise_project_id": frozenset()}
    assert parameters.read(several, {}) == expected
    assert parameters.read(several, QueryParams("&".join(f"{one.name}=" for one in several))) == expected


def test_a_parameter_that_may_be_repeated_has_all_its_values():
    query = QueryParams("enterprise_project_id=A&enterprise_project_id=b&enterprise_project_id=")
    assert parameters.read([parameters.ENTERPRISE_PROJECT], query) == {"enterprise_project_id": {"a", "b"}}


def test_all_that_is_wrong_with_a_query_is_told_at_once():
    with pytest.raises(errors.Invalid) as refused:
        parameters.read([LIMIT, MARKER, BOOLEAN], {"limit": "x", "marker": "?", "boolean": "true"})
    assert [v.field for v in refused.value.violations] == ["limit", "marker"]


def test_a_moment_is_the_same_wherever_it_is_written():
    here = DAY.astimezone(timezone(timedelta(hours=-3))).isoformat()
    assert parameters.read([TIME], {"marker": here}) == {"marker": DAY}


@pytest.mark.parametrize("route", [pytest.param(route, id=route.name) for route in table.TABLE if route.query])
def test_the_default_of_the_document_is_what_is_taken(route: Any):
    taken = parameters.read(route.query, {})
    described = {one.name: one.schema["default"] for one in route.query if "default" in one.schema}
    assert described == {name: taken[name] for name in described}


def test_unknown_words_of_a_query_are_told_once_each():
    known = (parameters.integer("limit", "how many", 1, 9), parameters.marker())
    assert parameters.unknown(known, ["limit", "status", "sort", "status", "marker"]) == ("?status", "?sort")
    assert parameters.unknown((), []) == ()
