"""Which lines are kept, and for whom."""

from datetime import UTC, datetime

import pytest

from landbridge.engine.strongswan.ike import evidence

AT = datetime(2026, 1, 1, tzinfo=UTC)
NORTH, SOUTH = "north", "south"
PEERS = {NORTH: frozenset({"198.51.100.2"}), SOUTH: frozenset({"198.51.100.6"})}


@pytest.fixture
def lines():
    lines = evidence.EvidenceLog()
    lines.set_peers(PEERS)
    return lines


def kept(lines: evidence.EvidenceLog, connection_id: str):
    return [line.line for line in lines.all().get(connection_id, ())]


def test_a_line_of_a_named_sa_belongs_to_its_connection(lines: evidence.EvidenceLog):
    lines.add(AT, NORTH, "1", "received AUTHENTICATION_FAILED notify error")
    assert kept(lines, NORTH) == ["received AUTHENTICATION_FAILED notify error"]
    assert kept(lines, SOUTH) == []


@pytest.mark.parametrize(
    "line",
    [
        "no IKE config found for 203.0.113.10...198.51.100.2, sending NO_PROPOSAL_CHOSEN",
        "looking for peer configs matching 203.0.113.10[203.0.113.10]...198.51.100.2[other.example]",
        "198.51.100.2 is initiating an IKE_SA",
    ],
)
def test_a_line_of_an_unnamed_sa_belongs_to_the_address_that_it_names(lines: evidence.EvidenceLog, line: str):
    lines.add(AT, "(unnamed)", "1", line)
    assert kept(lines, NORTH) == [line]
    assert kept(lines, SOUTH) == []


def test_a_line_without_an_address_follows_its_sa(lines: evidence.EvidenceLog):
    lines.add(AT, "(unnamed)", "1", "198.51.100.2 is initiating an IKE_SA")
    lines.add(AT, "(unnamed)", "2", "198.51.100.6 is initiating an IKE_SA")
    lines.add(AT, "(unnamed)", "1", "received proposals unacceptable")
    assert kept(lines, NORTH)[-1] == "received proposals unacceptable"
    assert kept(lines, SOUTH) == ["198.51.100.6 is initiating an IKE_SA"]


def test_an_address_that_only_begins_like_the_peers_is_another(lines: evidence.EvidenceLog):
    lines.add(AT, "(unnamed)", "1", "198.51.100.20 is initiating an IKE_SA")
    assert kept(lines, NORTH) == []


def test_packets_are_noise(lines: evidence.EvidenceLog):
    for line in ("sending packet: from a to b", "received packet: from b", "generating IKE_AUTH", "parsed IKE_AUTH"):
        lines.add(AT, NORTH, "1", line)
    assert kept(lines, NORTH) == []


def test_only_the_last_lines_are_kept(lines: evidence.EvidenceLog):
    for number in range(evidence.KEPT + 5):
        lines.add(AT, NORTH, "1", f"line {number}")
    assert kept(lines, NORTH)[0] == "line 5"
    assert len(kept(lines, NORTH)) == evidence.KEPT


def test_an_unloaded_connections_lines_are_forgotten(lines: evidence.EvidenceLog):
    lines.add(AT, NORTH, "1", "a line")
    lines.set_peers({SOUTH: PEERS[SOUTH]})
    assert lines.all() == {}
