"""That the table of replayed scenarios is sound, and that a comparison of SAs names what differs."""

import dataclasses

import pytest

from lab import replay_steps, sas, scenarios
from lab.algorithms import Combination

CHILD = sas.Child(
    name="hq-0",
    state="INSTALLED",
    mode="TUNNEL",
    protocol="ESP",
    encap=True,
    suite="AES_GCM_16 128",
    group="",
    local_ts=("10.0.0.0/24",),
    remote_ts=("192.168.44.0/24",),
    spis=frozenset({"c1", "c2"}),
)


def test_each_scenario_has_a_name_of_its_own_and_steps():
    names = [one.name for one in scenarios.SCENARIOS]
    assert len(set(names)) == len(names) >= 25
    assert set(scenarios.FEW) < set(names)
    assert all(one.steps and one.shows for one in scenarios.SCENARIOS)


def test_a_comparison_names_the_fields_that_differ():
    replay_steps.same(CHILD, {"suite": "AES_GCM_16 128"}, mode="TUNNEL")
    other = dataclasses.replace(CHILD, suite="AES_CBC 128 HMAC_SHA2_256_128")
    with pytest.raises(AssertionError, match=r"suite.*AES_CBC 128 HMAC_SHA2_256_128.*AES_GCM_16 128"):
        replay_steps.same(other, {"suite": "AES_GCM_16 128"}, mode="TUNNEL")


@pytest.mark.parametrize(
    ("wanted", "ike", "esp"),
    [
        pytest.param(
            Combination("IKEv2"),
            "AES_CBC 128 HMAC_SHA2_256_128 PRF_HMAC_SHA2_256 ECP_256",
            "AES_CBC 128 HMAC_SHA2_256_128",
            id="cbc",
        ),
        pytest.param(
            Combination("IKEv2", "aes-256-gcm-16", "sha2-512", "group15", "aes-128-gcm-16"),
            "AES_GCM_16 256 PRF_HMAC_SHA2_512 MODP_3072",
            "AES_GCM_16 128",
            id="gcm-has-no-integrity",
        ),
        pytest.param(
            Combination("IKEv1 main", "3des", "md5", "group2", "3des", "md5"),
            "3DES_CBC HMAC_MD5_96 PRF_HMAC_MD5 MODP_1024",
            "3DES_CBC HMAC_MD5_96",
            id="3des-has-no-key-size",
        ),
    ],
)
def test_suites_have_the_words_of_list_sas(wanted: Combination, ike: str, esp: str):
    assert (sas.ike_suite(wanted), sas.esp_suite(wanted)) == (ike, esp)
