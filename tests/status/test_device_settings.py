"""The settings of a device family that causes are about."""

import pytest

from landbridge.status import cause_texts, device_settings


@pytest.mark.parametrize(
    ("texts", "family"),
    [
        (["branch-fortigate-60f"], "fortigate"),
        (["branch", "MikroTik RB5009"], "routeros"),
        (["Cisco"], "cisco"),
        (["branch-frr"], "frr"),
        (["branch", "francisco"], None),
        ([], None),
    ],
)
def test_a_family_is_a_word_of_the_customer_gateway(texts: list[str], family: str | None):
    assert device_settings.family(texts) == family


@pytest.mark.parametrize("device", device_settings._SETTINGS)
@pytest.mark.parametrize("topic", device_settings.TOPICS)
def test_every_family_has_a_setting_for_every_topic(device: str, topic: str):
    assert device_settings.setting(device, topic)


@pytest.mark.parametrize("device", device_settings._BGP_SETTINGS)
@pytest.mark.parametrize("topic", device_settings.BGP_TOPICS)
def test_every_family_that_speaks_bgp_has_a_setting_for_every_topic_of_it(device: str, topic: str):
    assert device_settings.setting(device, topic)
    assert len(device_settings._BGP_SETTINGS[device]) == len(device_settings.BGP_TOPICS)


def test_codes_are_codes_of_causes():
    codes = {
        *device_settings.TOPICS,
        *device_settings.BGP_TOPICS,
        *device_settings._SAME_SETTING,
        *device_settings._SAME_SETTING.values(),
    }
    assert codes <= set(cause_texts.TEXTS)


def test_a_remedy_ends_with_the_setting_of_the_device():
    found = cause_texts.cause("psk_mismatch", placeholders=cause_texts.Placeholders(device="fortigate"))
    assert found.remedy.endswith("; on fortigate: psksecret of phase1-interface")


@pytest.mark.parametrize(("device", "code"), [(None, "psk_mismatch"), ("x", "psk_mismatch"), ("cisco", "no_answer")])
def test_a_code_without_a_setting_adds_nothing(device: str | None, code: str):
    assert device_settings.setting(device, code) is None
