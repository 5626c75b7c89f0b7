"""Where devices of a family have a setting."""

import pytest

from landbridge.status import cause_texts, device_words


@pytest.mark.parametrize(
    ("texts", "family"),
    [
        (["branch-fortigate-60f"], "fortigate"),
        (["branch", "MikroTik RB5009"], "routeros"),
        (["Cisco"], "cisco"),
        (["branch", "francisco"], None),
        ([], None),
    ],
)
def test_a_family_is_a_word_of_the_customer_gateway(texts: list[str], family: str | None):
    assert device_words.family(texts) == family


@pytest.mark.parametrize("device", device_words._PLACES)
@pytest.mark.parametrize("topic", device_words.TOPICS)
def test_every_family_has_a_place_for_every_topic(device: str, topic: str):
    assert device_words.place(device, topic)


def test_codes_are_codes_of_causes():
    codes = {*device_words.TOPICS, *device_words._SAME_PLACE, *device_words._SAME_PLACE.values()}
    assert codes <= set(cause_texts.TEXTS)


def test_a_remedy_ends_with_the_place_on_the_device():
    found = cause_texts.cause("psk_mismatch", words=cause_texts.Words(device="fortigate"))
    assert found.remedy.endswith("; on fortigate: psksecret of phase1-interface")


@pytest.mark.parametrize(("device", "code"), [(None, "psk_mismatch"), ("x", "psk_mismatch"), ("cisco", "no_answer")])
def test_without_a_place_nothing_is_added(device: str | None, code: str):
    assert device_words.place(device, code) is None
