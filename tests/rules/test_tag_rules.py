"""Tags of a resource that is there: what a change makes of them, and what a change and a search may ask."""

from typing import Any

import pytest

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import tags
from landbridge.wire import tags as wire_tags

BEFORE = (model.Tag("a", "1"), model.Tag("b", "2"))


def _change(*pairs: tuple[str, str | None]) -> tuple[model.TagRequest, ...]:
    return tuple(model.TagRequest(key=key, value=value) for key, value in pairs)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param([("c", "3")], [("a", "1"), ("b", "2"), ("c", "3")], id="new"),
        pytest.param([("a", "9")], [("a", "9"), ("b", "2")], id="another-value-in-its-place"),
        pytest.param([("b", "2")], [("a", "1"), ("b", "2")], id="the-same-again"),
        pytest.param([("c", None)], [("a", "1"), ("b", "2"), ("c", "")], id="no-value-is-empty"),
        pytest.param([], [("a", "1"), ("b", "2")], id="nothing"),
    ],
)
def test_adding_sets_the_values_of_keys(asked: Any, expected: Any):
    after = tags.added(BEFORE, _change(*asked))
    assert [(tag.key, tag.value) for tag in after] == expected
    assert tags.added(after, _change(*asked)) == after


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        pytest.param([("a", "1")], "b", id="key-and-value"),
        pytest.param([("a", None)], "b", id="key-alone"),
        pytest.param([("a", "")], "b", id="empty-value"),
        pytest.param([("a", "2")], "ab", id="another-value"),
        pytest.param([("c", None)], "ab", id="not-there"),
        pytest.param([("a", "1"), ("b", None)], "", id="all"),
    ],
)
def test_removing_leaves_the_others(asked: Any, left: str):
    after = tags.removed(BEFORE, _change(*asked))
    assert "".join(tag.key for tag in after) == left
    assert tags.removed(after, _change(*asked)) == after


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({}, ["tags"], id="no-tags"),
        pytest.param({"tags": []}, [], id="empty"),
        pytest.param({"tags": [{"key": "k"}]}, [], id="no-value"),
        pytest.param({"tags": [{"value": "v"}]}, ["tags[0].key"], id="no-key"),
        pytest.param({"tags": [{"key": "k" * 129}]}, ["tags[0].key"], id="long-key"),
        pytest.param({"tags": [{"key": "k", "value": "v" * 256}]}, ["tags[0].value"], id="long-value"),
        pytest.param(
            {"tags": [{"key": "k/"}, {"key": "v", "value": "*"}]}, ["tags[0].key", "tags[1].value"], id="signs"
        ),
        pytest.param({"tags": [{"key": "k"}, {"key": "k"}]}, ["tags[1].key"], id="key-twice"),
        pytest.param({"tags": [{"key": f"k{n}"} for n in range(20)]}, [], id="20"),
        pytest.param({"tags": [{"key": f"k{n}"} for n in range(21)]}, ["tags"], id="21"),
    ],
)
def test_a_change_keeps_the_rules_of_a_create(body: Any, fields: list[str]):
    requests = wire_tags.TagsShape.model_validate(body).request()
    assert [v.field for v in tags.check_change(requests)] == fields


@pytest.mark.parametrize(("number", "fields"), [(20, []), (21, ["tags"])])
def test_a_resource_has_at_most_20_tags_in_all(number: int, fields: list[str]):
    assert [v.field for v in tags.check_sum(tuple(model.Tag(str(n), "") for n in range(number)))] == fields


def _wanted(*keys: str, values: int = 1) -> list[dict[str, Any]]:
    return [{"key": key, "values": ["v"] * values} for key in keys]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({}, [], id="everything"),
        pytest.param({"without_any_tag": True, "tags": [{}] * 21}, [], id="tags-are-ignored-without-any"),
        pytest.param({"without_any_tag": "false", "tags": _wanted("k")}, [], id="a-truth-as-the-page-writes-it"),
        pytest.param({"tags": _wanted("k", values=0)}, [], id="any-value"),
        pytest.param({"tags": _wanted("k" * 128, values=20)}, [], id="longest"),
        pytest.param({"tags": [{}]}, ["tags[0].key", "tags[0].values"], id="empty-tag"),
        pytest.param({"tags": _wanted("")}, ["tags[0].key"], id="empty-key"),
        pytest.param({"tags": _wanted("k" * 129)}, ["tags[0].key"], id="long-key"),
        pytest.param({"tags": _wanted("a", "a")}, ["tags[1].key"], id="key-twice"),
        pytest.param({"tags": _wanted("k", values=21)}, ["tags[0].values"], id="21-values"),
        pytest.param({"tags": [{"key": "k", "values": ["", "v" * 256]}]}, ["tags[0].values[1]"], id="long-value"),
        pytest.param({"tags": _wanted(*map(str, range(21)))}, ["tags"], id="21-tags"),
        pytest.param({"matches": [{"key": "resource_name", "value": "gw"}]}, [], id="name"),
        pytest.param({"matches": [{"key": "status", "value": "gw"}]}, ["matches[0].key"], id="another-match"),
        pytest.param({"matches": [{}]}, ["matches[0].key", "matches[0].value"], id="empty-match"),
        pytest.param(
            {"matches": [{"key": "resource_name", "value": v} for v in ("a", "b" * 256)]},
            ["matches[1].key", "matches[1].value"],
            id="two-names-and-a-long-one",
        ),
    ],
)
def test_a_search_is_held_to_its_page(body: Any, fields: list[str]):
    asked = wire_tags.SearchShape.model_validate(body).request("vpn-gateway")
    assert [v.field for v in tags.check_search(asked)] == fields


@pytest.mark.parametrize("resource_type", allowed_values.TAGGED)
def test_a_resource_type_is_written_in_the_singular(resource_type: str):
    assert list(tags.check_type(resource_type)) == []
    (wrong,) = tags.check_type(resource_type + "s")
    assert (wrong.field, resource_type in wrong.allowed) == ("resource_type", True)
