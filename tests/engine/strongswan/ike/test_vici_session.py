"""How charon's packets are read: as the library reads them, and nothing that is broken passes for an answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vici.protocol import FiniteStream, Message

from landbridge.engine.strongswan.ike import vici_events, vici_protocol

names = st.text(min_size=1, max_size=20)
values = st.binary(max_size=300)
messages = st.recursive(
    st.dictionaries(names, values | st.lists(values, max_size=3), max_size=4),
    lambda inner: st.dictionaries(names, values | inner, max_size=4),
)


@given(messages)
def test_a_message_is_read_as_the_library_reads_it(message: dict[str, Any]):
    packet = Message.serialize(message)
    assert vici_protocol.parse(b"\x01" + packet, 1) == message == Message.deserialize(FiniteStream(packet))


@given(message=messages, short=st.integers(min_value=1))
def test_a_message_that_ends_early_is_an_error(message: dict[str, Any], short: int):
    packet = Message.serialize({"whole": {"section": message}})
    with pytest.raises(vici_protocol.PROTOCOL_ERRORS):
        vici_protocol.parse(packet[: -1 - short % (len(packet) - 1)])


def _log(line: str, unique_id: str = "3") -> bytes:
    said = {"group": "IKE", "level": "1", "ikesa-name": "one", "ikesa-uniqueid": unique_id, "msg": line}
    return b"\x07\x03log" + Message.serialize(said)


@pytest.mark.parametrize(
    ("line", "noise"),
    [
        ("sending DPD request", True),
        ("sending keep alive to 198.51.100.2[4500]", True),
        ("generating INFORMATIONAL request 6 [ ]", True),
        ("parsed INFORMATIONAL response 7 [ ]", True),
        ("parsed INFORMATIONAL_V1 request 2841 [ HASH N(DPD_ACK) ]", True),
        ("parsed INFORMATIONAL request 7 [ D ]", False),
        ("parsed IKE_AUTH response 1 [ N(AUTH_FAILED) ]", False),
        ("received AUTHENTICATION_FAILED notify error", False),
        ("peer is sending packets", False),
    ],
)
def test_noise_is_known_without_reading_the_packet(line: str, *, noise: bool):
    assert vici_events.NoiseFilter().matches(_log(line)) is noise


def test_a_packet_is_news_once_for_each_place_and_sa():
    noise = vici_events.NoiseFilter()
    lines = [f"received packet: from 198.51.100.2[{port}] to 203.0.113.10[500] (92 bytes)" for port in (500, 4500)]
    assert [noise.matches(_log(line, sa)) for sa in ("3", "4") for line in lines] == [False] * 4
    assert [noise.matches(_log(line, sa)) for sa in ("3", "4") for line in lines] == [True] * 4


def test_a_packet_of_another_size_is_news():
    """The size tells whether a refusal that charon does not read is encrypted."""
    noise = vici_events.NoiseFilter()
    lines = [f"received packet: from 198.51.100.2[500] to 203.0.113.10[500] ({size} bytes)" for size in (488, 56)]
    assert [noise.matches(_log(line)) for line in lines * 2] == [False, False, True, True]


def test_who_sent_last_is_known_although_it_is_no_news():
    noise = vici_events.NoiseFilter()
    for unique_id in ("7", "3341", "7"):
        noise.matches(_log("sending packet: from 203.0.113.10[500] to 198.51.100.2[500] (92 bytes)", unique_id))
    noise.matches(_log("received packet: from 198.51.100.2[500] to 203.0.113.10[500] (92 bytes)", "5"))
    assert noise.last_to_send == "7"


def test_a_change_of_state_is_never_noise():
    said = b"\x07\x0achild-updown" + Message.serialize({"up": "yes", "msg": "parsed "})
    assert not vici_events.NoiseFilter().matches(said)
