"""tunnel_local_address and tunnel_peer_address, alone and as a pair."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from landbridge.rules import connection, ipv4, tunnel

LOCAL, PEER = "169.254.76.1/30", "169.254.76.2/30"


@pytest.mark.parametrize(
    ("local", "peer", "expected"),
    [
        pytest.param(LOCAL, PEER, (LOCAL, PEER), id="both"),
        pytest.param(PEER, LOCAL, (PEER, LOCAL), id="both-the-other-way-round"),
        pytest.param(LOCAL, None, (LOCAL, PEER), id="local-only"),
        pytest.param(PEER, None, (PEER, LOCAL), id="local-only-upper-host"),
        pytest.param(None, LOCAL, (PEER, LOCAL), id="peer-only"),
        pytest.param(None, None, ("169.254.56.225/30", "169.254.56.226/30"), id="neither-is-picked"),
        pytest.param("169.254.0.1/30", None, ("169.254.0.1/30", "169.254.0.2/30"), id="first-block"),
        pytest.param("169.254.255.254/30", None, ("169.254.255.254/30", "169.254.255.253/30"), id="last-block"),
        pytest.param("169.254.194.254/30", None, ("169.254.194.254/30", "169.254.194.253/30"), id="just-before-195"),
        pytest.param("169.254.196.1/30", None, ("169.254.196.1/30", "169.254.196.2/30"), id="just-after-195"),
    ],
)
@pytest.mark.parametrize("style", ["static", "bgp", "policy"])
def test_a_tunnel_pair_is_completed(
    given: Any, style: str, local: str | None, peer: str | None, expected: tuple[str, str]
):
    made = given.made({"style": style, "tunnel_local_address": local, "tunnel_peer_address": peer})
    assert expected == (made.tunnel_local_address, made.tunnel_peer_address)


@pytest.mark.parametrize("field", ["tunnel_local_address", "tunnel_peer_address"])
@pytest.mark.parametrize(
    ("address", "text"),
    [
        pytest.param("", "is not an address with a mask", id="empty"),
        pytest.param("169.254.76.1", "is not an address with a mask", id="no-mask"),
        pytest.param("169.254.76.256/30", "is not an address with a mask", id="no-address"),
        pytest.param("169.254.76.1/29", "the mask length is 29 (wanted: 30)", id="mask-29"),
        pytest.param("169.254.76.1/31", "the mask length is 31 (wanted: 30)", id="mask-31"),
        pytest.param("169.253.76.1/30", "does not start with 169.254", id="just-below-169.254"),
        pytest.param("169.255.76.1/30", "does not start with 169.254", id="just-above-169.254"),
        pytest.param("169.254.195.1/30", "169.254.195.xxx is reserved", id="195-first"),
        pytest.param("169.254.195.254/30", "169.254.195.xxx is reserved", id="195-last"),
        pytest.param("169.254.76.0/30", "169.254.76.1/30 or 169.254.76.2/30", id="network-address"),
        pytest.param("169.254.76.3/30", "169.254.76.1/30 or 169.254.76.2/30", id="broadcast-address"),
    ],
)
def test_an_unsound_tunnel_address_is_refused(given: Any, field: str, address: str, text: str):
    given.only(given.refusals({field: address}), field, text)


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        pytest.param("169.254.76.5/30", "is not in the block of tunnel_local_address", id="next-block"),
        pytest.param("169.254.77.2/30", "169.254.76.1/30 or 169.254.76.2/30", id="another-octet"),
        pytest.param(LOCAL, "is the same as tunnel_local_address", id="same-address"),
    ],
)
def test_a_tunnel_pair_must_be_the_two_hosts_of_one_block(given: Any, peer: str, text: str):
    found = given.refusals({"tunnel_local_address": LOCAL, "tunnel_peer_address": peer})
    given.only(found, "tunnel_peer_address", text)


def test_a_policy_template_has_no_tunnel_addresses(given: Any):
    made = given.made({"style": "policy-template"})
    assert (made.tunnel_local_address, made.tunnel_peer_address) == (None, None)


@pytest.mark.parametrize("field", ["tunnel_local_address", "tunnel_peer_address"])
def test_a_tunnel_address_for_a_policy_template_is_refused(given: Any, field: str):
    found = given.refusals({"style": "policy-template", field: LOCAL})
    given.only(found, field, "a policy-template has no tunnel interface (wanted: leave it out)")


@pytest.mark.parametrize("field", ["tunnel_local_address", "tunnel_peer_address"])
@pytest.mark.parametrize(
    ("deleting", "text"),
    [
        pytest.param(False, "is used by connection a0a0a0a0-0000-4000-8000-00000000000a (", id="in-use"),
        pytest.param(True, "which is still being deleted", id="still-deleting"),
    ],
)
def test_a_block_of_another_connection_is_refused(given: Any, field: str, deleting: bool, text: str):
    user = given.neighbour(tunnel_block=tunnel.block_of(LOCAL), deleting=deleting)
    given.only(given.refusals({field: LOCAL}, neighbours=(user,)), field, text)


def test_the_next_free_candidate_is_picked(given: Any):
    made = given.made({}, neighbours=(given.neighbour(tunnel_block=3640), given.neighbour(tunnel_block=3642)))
    assert made.tunnel_local_address == "169.254.56.229/30"


def test_no_free_candidate_asks_for_a_pair(given: Any):
    users = tuple(given.neighbour(tunnel_block=block) for block in given.generated.tunnel_blocks)
    given.only(given.refusals({}, neighbours=users), "tunnel_local_address", "send an address pair that is free")


def test_a_policy_template_needs_no_free_candidate(given: Any):
    users = tuple(given.neighbour(tunnel_block=block) for block in given.generated.tunnel_blocks)
    assert given.refusals({"style": "policy-template"}, neighbours=users) == []


def test_each_tunnel_address_of_a_policy_template_is_refused_once(given: Any):
    found = given.refusals(
        {"style": "policy-template", "tunnel_local_address": LOCAL, "tunnel_peer_address": "169.254.99.2/30"}
    )
    assert [one.split(":")[0] for one in found] == ["tunnel_local_address", "tunnel_peer_address"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, (3640, 3641, 3642), id="neither-the-candidates"),
        pytest.param({"tunnel_local_address": LOCAL}, (4864,), id="local"),
        pytest.param({"tunnel_peer_address": PEER}, (4864,), id="peer"),
        pytest.param({"tunnel_local_address": "x", "tunnel_peer_address": PEER}, (4864,), id="unsound-left-out"),
    ],
)
def test_the_blocks_to_look_up_are_those_asked_for(given: Any, changes: dict[str, Any], expected: tuple[int, ...]):
    assert expected == connection.tunnel_blocks(given.request(changes), given.generated)


@each(st.integers(0, tunnel.BLOCKS - 1))
def test_a_block_and_its_two_hosts_tell_each_other(block: int):
    low, high = tunnel.addresses(block)
    assert (block, block) == (tunnel.block_of(low), tunnel.block_of(high))
    assert (high, low) == (tunnel.other(low), tunnel.other(high))
    assert tunnel.is_sound(low) == tunnel.is_sound(high) == (block >> 6 != 195)


@each(st.integers(0, tunnel.BLOCKS - 1))
def test_only_sound_blocks_outside_the_reserved_octets_are_picked(block: int):
    third = ipv4.block(tunnel.addresses(block)[0]).number >> 8 & 255
    assert (block in tunnel.PICKABLE) == (third not in (0, 169, 195, 255))


@each(st.sampled_from(tunnel.PICKABLE))
def test_every_pickable_block_makes_a_sound_connection(given: Any, block: int):
    generated = replace(given.generated, tunnel_blocks=(block,))
    made = given.made({}, generated=generated)
    assert tunnel.addresses(block) == (made.tunnel_local_address, made.tunnel_peer_address)
