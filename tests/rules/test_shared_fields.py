"""Rules that several resources share: IPv4 text, merging of violations."""

import ipaddress
from contextlib import suppress

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import fields, ipv4

TEXT = st.text("0123456789./ x", max_size=20)
ADDRESS = st.integers(0, 2**32 - 1).map(lambda n: str(ipaddress.IPv4Address(n)))
OCTETS = st.lists(st.sampled_from(["0", "00", "1", "01", "9", "99", "199", "249", "255", "256", ""]), max_size=5)


def _address(text: str) -> int | None:
    with suppress(ValueError):
        return int(ipaddress.IPv4Address(text))
    return None


@each(st.one_of(st.text(), TEXT, ADDRESS, OCTETS.map(".".join)))
def test_an_address_is_what_the_ipaddress_module_takes_for_one(text: str):
    assert _address(text) == ipv4.parse_address(text)


@each(st.integers(0, 2**32 - 1))
def test_an_address_is_rendered_as_it_is_read(number: int):
    assert number == ipv4.parse_address(ipv4.render(number))


@each(st.one_of(TEXT, OCTETS.map(".".join), ADDRESS), st.one_of(TEXT, st.integers(-1, 40).map(str)))
def test_a_block_is_an_address_and_the_length_of_its_mask(address: str, length: str):
    lengths = {str(n) for n in range(33)}
    number = _address(address)
    expected = None if number is None or length not in lengths else ipv4.Block(number, int(length))
    assert expected == ipv4.parse_block(f"{address}/{length}")


@each(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_block_contains_what_the_ipaddress_module_says(one: int, one_length: int, two: int, two_length: int):
    outer = ipaddress.IPv4Network((one, one_length), strict=False)
    inner = ipaddress.IPv4Network((two, two_length), strict=False)
    ours, theirs = ipv4.block(str(outer)), ipv4.block(str(inner))
    assert inner.subnet_of(outer) == ours.contains(theirs)
    assert str(outer) == str(ours)
    assert ours == ipv4.Block(one, one_length).network
    assert ipv4.Block(one, one_length).has_host_bits == (int(outer.network_address) != one)


def test_a_known_block_that_is_none_is_a_fault_of_ours():
    with pytest.raises(ValueError, match="not a CIDR block: x"):
        ipv4.block("x")


@pytest.mark.parametrize(
    ("shape", "rules", "merged"),
    [
        pytest.param([], ["a", "b"], ["a", "b"], id="nothing-wrong-in-shape"),
        pytest.param(["a"], ["a", "b"], ["a", "b"], id="same-place"),
        pytest.param(["a[1]"], ["a", "a[0]"], ["a[1]", "a[0]"], id="the-whole-of-a-wrong-part"),
        pytest.param(["a"], ["a[0]", "a.b"], ["a"], id="a-part-of-a-wrong-whole"),
        pytest.param(["a"], ["ab", "a_b"], ["a", "ab", "a_b"], id="only-the-same-beginning"),
        pytest.param(["a.b"], ["a.bc", "a.c", "a.b.c", "a"], ["a.b", "a.bc", "a.c"], id="nested"),
        pytest.param(["a[1]"], ["a[10]", "a[1].b"], ["a[1]", "a[10]"], id="index-one-is-not-index-ten"),
    ],
)
def test_a_wrong_shape_silences_the_rules_on_its_place(shape: list[str], rules: list[str], merged: list[str]):
    found = fields.merge((_violation(f, "shape") for f in shape), (_violation(f, "rule") for f in rules))
    assert merged == [v.field for v in found]
    assert ["shape"] * len(shape) == [v.wrong for v in found[: len(shape)]]


def _violation(field: str, wrong: str) -> model.Violation:
    return model.Violation(field, wrong, "")


PLACES = st.lists(st.sampled_from(["a", "b", ".a", ".b", "[0]", "[1]", "[10]"]), min_size=1, max_size=4).map("".join)


@each(st.lists(PLACES), st.lists(PLACES))
def test_merging_keeps_every_shape_and_only_rules_of_other_places(shape: list[str], rules: list[str]):
    found = [v.field for v in fields.merge((_violation(f, "s") for f in shape), (_violation(f, "r") for f in rules))]
    assert shape == found[: len(shape)]
    assert not set(found[len(shape) :]) & set(shape)
    assert all(rule in found for rule in rules if not any(rule[0] == s[0] for s in shape))


@pytest.mark.parametrize(
    ("value", "kept"),
    [(None, None), ("x", None), ("ABCDEF00-0000-4000-8000-00000000000A", "abcdef00-0000-4000-8000-00000000000a")],
)
def test_an_id_is_stored_in_lower_case(value: str | None, kept: str | None):
    assert kept == fields.lower_id(value)


@pytest.mark.parametrize(
    ("asn", "sound"), [(None, True), (1, True), (4294967295, True), (0, False), (4294967296, False)]
)
def test_an_asn_has_32_bits_and_is_not_zero(asn: int | None, sound: bool):
    assert sound == (list(fields.check_value("bgp_asn", asn, allowed_values.ASN)) == [])
