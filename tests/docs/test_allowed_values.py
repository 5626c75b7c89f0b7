"""Holds the numbers and lists of the reference pages to `model.allowed_values`: what it says, they say too."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landbridge.model import allowed_values
from landbridge.model.allowed_values import Choice, Range, Seconds

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
#: The tables of the create page, by their number there; each field has rows that name the table and the field.
TABLES = {5: ("IKE", "IKE_GM"), 6: ("DPD",), 7: ("IPSEC", "IPSEC_GM")}
CONNECTION, DEVICE, GATEWAY = "connection-rules.md", "customer-gateway-rules.md", "gateway-rules.md"
#: What no table of the create page has: the rows that say it. Each row says a bound; the rows together say a choice.
ROWS = {
    "NAME_LENGTH": [(CONNECTION, "name-characters"), (DEVICE, "name"), (GATEWAY, "create-name")],
    "ENTERPRISE_PROJECT": [(GATEWAY, "create-enterprise")],
    "TUNNEL_RESERVED_OCTET": [(CONNECTION, "tunnel-default")],
    "TUNNEL_MASK": [(CONNECTION, "tunnel-local-mask"), (CONNECTION, "tunnel-peer-mask")],
    "IDENTITY_LENGTH": [(CONNECTION, "local-id-characters"), (CONNECTION, "peer-id-characters")],
    "DEVICE_IDENTITY_LENGTH": [(DEVICE, "id-value-fqdn")],
    "PSK_LENGTH": [(CONNECTION, "psk-length")],
    "PSK_KINDS_NEEDED": [(CONNECTION, "psk-kinds")],
    "TAG_KEY_LENGTH": [(CONNECTION, "tag-key")],
    "TAG_VALUE_LENGTH": [(CONNECTION, "tag-value")],
    "TAG_LIMIT": [(CONNECTION, "tags-limit"), (DEVICE, "tag-limit"), (GATEWAY, "create-tags")],
    "TAG_VALUES_LIMIT": [(DEVICE, "tag-search-body")],
    "ASN": [(DEVICE, "bgp-asn"), (GATEWAY, "create-asn")],
    "GATEWAY_ASN": [(GATEWAY, "create-asn")],
    "DEVICE_ASN": [(DEVICE, "bgp-asn-default")],
    "SUBNETS": [
        (CONNECTION, "peer-subnets-limit"),
        (CONNECTION, "rule-destination-limit"),
        (GATEWAY, "create-local-subnets"),
    ],
    "RULES": [(CONNECTION, "rules-limit")],
    "RULE_INDEX": [(CONNECTION, "rule-index-range")],
    "FIRST_RULE_INDEX": [(CONNECTION, "rule-index-default")],
    "ZONES": [(GATEWAY, "create-zones")],
    "BATCH": [(CONNECTION, "batch-size")],
    "CERTIFICATE_LENGTH": [(DEVICE, "certificate-sound")],
    "BANDWIDTH": [(GATEWAY, "create-eip-words")],
    "CHARGE_MODES": [(GATEWAY, "create-eip-words")],
    "ROUTE_MODES": [(DEVICE, "older-form")],
    "STYLES": [(CONNECTION, "style-values"), (CONNECTION, "style-default")],
    "HA_ROLES": [(CONNECTION, "ha-role-values"), (CONNECTION, "ha-role-default")],
    "ID_TYPES": [(DEVICE, "id-type")],
    **{f"GATEWAY.{field}": [(GATEWAY, "create-words")] for field in vars(allowed_values.GATEWAY)},
    "GATEWAY.flavor": [(GATEWAY, "create-words"), (GATEWAY, "create-connections")],
}


def _rules(page: str) -> dict[str, tuple[str, str]]:
    """Row id -> its source and its rule."""
    lines = [line for line in (REFERENCE / page).read_text().splitlines() if re.match(r"\| [a-z]", line)]
    cells = [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]
    return {id_: (source, rule) for id_, source, rule, *_ in cells}


RULES = {page: _rules(page) for page in (CONNECTION, DEVICE, GATEWAY)}


def _named() -> Iterator[tuple[str, Any]]:
    """Everything in the module that is a bound, a number or a list with a default, and the fields of its tables."""
    for name, value in vars(allowed_values).items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type | Choice | Range | allowed_values.Pattern):
            yield from ((f"{name}.{field}", allowed) for field, allowed in vars(value).items())
        elif isinstance(value, Choice | Range | int) or name == "ENTERPRISE_PROJECT":
            yield name, value


def _facts(value: Any) -> list[str]:
    """Regular expressions of what a page must say of it."""
    if isinstance(value, Choice):
        chosen = re.escape(value.default)
        default = f"(default {chosen}|{chosen}, its default|{chosen} \\(default\\))(?![\\w-])"
        return [*map(_word, value.values), *([default] if len(value.values) > 1 else [])]
    return [_word(str(value)), *([f"default {value.default}"] if isinstance(value, Seconds) else [])]


def _word(text: str) -> str:
    return rf"(?<![\w-]){re.escape(text)}(?![\w-])"


def _missing(facts: list[str], text: str) -> list[str]:
    return [fact for fact in facts if not re.search(fact, text)]


@pytest.mark.parametrize(("name", "value"), [pytest.param(*each, id=each[0]) for each in _named()])
def test_the_pages_say_what_is_allowed(name: str, value: Any):
    table, _, field = name.partition(".")
    number = next((number for number, tables in TABLES.items() if table in tables), None)
    if number is None:
        rules = [RULES[page][row][1] for page, row in ROWS[name]]
    else:
        source = rf"Tables? (\d and )?{number}\b.*\b{field}\b"
        rules = [rule for each, rule in RULES[CONNECTION].values() if re.search(source, each)]
    said = ["\n".join(rules)] if number or isinstance(value, Choice) else rules
    assert rules
    assert [missing for each in said for missing in _missing(_facts(value), each)] == []


def test_the_flavors_are_those_of_the_page():
    said = RULES[GATEWAY]["create-connections"][1]
    wanted = [f"{name} {one.connections} and {one.bandwidth}" for name, one in allowed_values.FLAVORS.items()]
    assert _missing([_word(each) for each in wanted], said) == []


def test_the_weak_values_are_those_of_the_page():
    said = RULES[CONNECTION]["weak-choices"][1]
    assert _missing([_word(each) for each in allowed_values.WEAK], said) == []


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every string of a module with its docstrings; the fixed parts of an f-string are one text each."""
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


@pytest.mark.parametrize("room", ["rules", "wire"])
def test_no_text_writes_a_range_itself(room: str):
    """Messages and descriptions quote `allowed_values`."""
    modules = sorted((ROOT / "src/landbridge" / room).glob("*.py"))
    assert modules
    texts = [(module.name, text) for module in modules for text in _texts(ast.parse(module.read_text()))]
    assert [(name, text) for name, text in texts if re.search(r"(?<!Tables )\b\d+ (to|or) \d+\b", text)] == []
