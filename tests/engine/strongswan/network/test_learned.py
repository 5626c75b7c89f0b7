"""What devices announce passes the firewall: sets beside the rules hold it, and change without the table."""

import secrets
import subprocess
from collections.abc import Iterator

import pytest

from landbridge.engine.strongswan.network import firewall, namespace, nftables

pytestmark = pytest.mark.process

NETS = {("x12", "192.168.44.0/24"), ("x12", "192.168.45.7/32"), ("x13", "10.8.0.0/13")}


def table(*links: str, local: str = "10.0.0.0/24") -> str:
    return firewall.filter_table(
        firewall.FilterTable(
            inner=frozenset({"10.0.0.1"}),
            local=frozenset({local}),
            near=frozenset({local}),
            peers={},
            known=frozenset(),
            strangers=frozenset(),
            devices=frozenset((link, "169.254.70.2") for link in links),
            learning=links,
        )
    )


BOTH = table("x12", "x13")


@pytest.fixture
def name() -> Iterator[str]:
    name = f"t{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def look(name: str) -> tuple[str | None, frozenset[tuple[str, str]]]:
    return namespace.inside(name, lambda _: (nftables.summary(), nftables.learned_sources()))


def test_a_table_has_what_was_learned_from_its_first_moment(name: str):
    namespace.inside(name, lambda _: nftables.load(BOTH, learned=NETS))
    assert look(name) == (firewall.summary(BOTH), NETS)


def test_another_network_changes_the_sets_and_not_the_table(name: str):
    namespace.inside(name, lambda _: nftables.load(BOTH))
    assert look(name) == (firewall.summary(BOTH), frozenset())
    for learned in (NETS, {("x13", "10.8.0.0/13")}, set()):
        namespace.inside(name, lambda _, learned=learned: nftables.load_learned(BOTH, ("x12", "x13"), learned))
        assert look(name) == (firewall.summary(BOTH), learned)


def test_another_table_takes_over_what_was_learned(name: str):
    namespace.inside(name, lambda _: nftables.load(BOTH, learned=NETS))
    other, kept = table("x13", local="10.1.0.0/24"), {("x13", "10.8.0.0/13")}
    namespace.inside(name, lambda _: nftables.load(other, learned=kept))
    assert look(name) == (firewall.summary(other), kept)


def test_what_overlaps_is_joined_for_each_interface():
    learned = {("x12", "10.0.0.0/9"), ("x12", "10.128.0.0/9"), ("x12", "10.1.0.0/16"), ("x13", "10.1.0.0/16")}
    assert firewall.joined_sources(learned) == {("x12", "10.0.0.0/8"), ("x13", "10.1.0.0/16")}


def test_a_table_without_bgp_says_nothing_of_it(name: str):
    text = table()
    assert not [word for word in ("learned", "speakers", "179", "3784") if word in text]
    namespace.inside(name, lambda _: nftables.load(text))
    assert look(name) == (firewall.summary(text), frozenset())
