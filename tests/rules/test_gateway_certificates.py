"""Certificates of a GM gateway: chain, dates, key usage, and whether each key is the certificate's."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab import gm_certificates
from landbridge import model
from landbridge.rules import gateway_certificate, sm2

OTHERS = Path(__file__).parent / "certificates"
SECRETS = ("private_key", "enc_private_key")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gm")


@pytest.fixture(scope="module")
def sound(folder: Path) -> dict[str, str]:
    return gm_certificates.gateway(folder)


def _ask(body: dict[str, Any]) -> model.AskGatewayCertificate:
    held = {name: model.Secret(text) if name in SECRETS and text is not None else text for name, text in body.items()}
    return model.AskGatewayCertificate(**held)


def _refusals(body: dict[str, Any], after: timedelta = timedelta()) -> list[tuple[str, str]]:
    return [(v.field, v.code) for v in gateway_certificate.check(_ask(body), datetime.now(UTC) + after)]


def test_a_sound_set_passes_and_is_read(sound: dict[str, str]):
    assert _refusals(sound) == []
    made = gateway_certificate.certificate.describe(sound["certificate"])
    assert (made.subject, made.issuer, made.signature_algorithm) == (
        "CN=certificate,O=Lab,C=DE",
        "CN=ca,O=Lab,C=DE",
        "SM2-with-SM3",
    )


def test_an_empty_request_hears_of_everything_mandatory():
    assert {field for field, _ in _refusals({})} == {
        "certificate",
        "private_key",
        "certificate_chain",
        "enc_certificate",
        "enc_private_key",
    }


def test_a_key_of_another_certificate_is_refused_without_being_shown(sound: dict[str, str]):
    crossed = sound | {"private_key": sound["enc_private_key"], "enc_private_key": sound["private_key"]}
    assert _refusals(crossed) == [("private_key", "VPN.0075"), ("enc_private_key", "VPN.0075")]
    said = " ".join(map(str, gateway_certificate.check(_ask(crossed), datetime.now(UTC))))
    assert not any(line in said for line in sound["private_key"].splitlines()[1:-1])


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("key", id="no-pem"),
        pytest.param("-----BEGIN PRIVATE KEY-----\n$$$\n-----END PRIVATE KEY-----\n", id="no-base64"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", id="no-key"),
        pytest.param("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", id="sealed"),
    ],
)
def test_what_is_no_key_is_refused(sound: dict[str, str], key: str):
    assert _refusals(sound | {"enc_private_key": key}) == [("enc_private_key", "VPN.0074")]


def test_a_key_is_read_in_its_older_form_too(sound: dict[str, str], folder: Path):
    older = subprocess.run(
        ["openssl", "ec", "-in", "certificate.key"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert "BEGIN SM2 PRIVATE KEY" in older or "BEGIN EC PRIVATE KEY" in older
    assert _refusals(sound | {"private_key": older}) == []


def test_each_must_be_issued_by_the_chain(sound: dict[str, str], folder: Path):
    gm_certificates.authority(folder, "stranger")
    stranger = (folder / "stranger.pem").read_text()
    found = _refusals(sound | {"certificate_chain": stranger})
    assert found == [("certificate", "VPN.0075"), ("enc_certificate", "VPN.0075")]


def test_an_issuer_of_the_same_name_is_not_enough(sound: dict[str, str], tmp_path: Path):
    gm_certificates.authority(tmp_path)
    same_name = (tmp_path / "ca.pem").read_text()
    assert [field for field, _ in _refusals(sound | {"certificate_chain": same_name})] == [
        "certificate",
        "enc_certificate",
    ]


def test_each_key_may_do_what_it_is_for(tmp_path: Path):
    usages = {"certificate": "keyEncipherment", "enc_certificate": "digitalSignature"}
    found = _refusals(gm_certificates.gateway(tmp_path, **usages))
    assert found == [("certificate", "VPN.0075"), ("enc_certificate", "VPN.0075")]


@pytest.mark.parametrize(("days", "code"), [(-1, "VPN.0073"), (25, "VPN.0072")])
def test_each_must_be_valid_now(sound: dict[str, str], days: int, code: str):
    fields = {field for field, given in _refusals(sound, timedelta(days=days)) if given == code}
    assert fields == {"certificate", "enc_certificate"} | ({"certificate_chain"} if days < 0 else set())


@pytest.mark.parametrize(
    ("name", "code"), [("rsa-ca", "VPN.0070"), ("sm2-key-signed-by-rsa", "VPN.0071"), ("sm2-leaf", "VPN.0075")]
)
def test_other_certificates_are_refused_by_their_codes(sound: dict[str, str], name: str, code: str):
    found = _refusals(sound | {"certificate": (OTHERS / f"{name}.pem").read_text()})
    assert code in {given for _, given in found}


def test_a_chain_that_is_no_authority_is_refused(sound: dict[str, str]):
    assert ("certificate_chain", "VPN.0076") in _refusals(sound | {"certificate_chain": sound["certificate"]})


def test_the_curve_is_that_of_the_standard():
    assert sm2.is_on_curve(sm2.G)
    assert sm2.public_key(0) is None
    assert sm2.public_key(sm2.N) is None
    twice = sm2.public_key(2)
    assert twice is not None
    assert sm2.is_on_curve(twice)


def test_a_changed_signature_or_message_does_not_verify():
    """The example of GB/T 32918.5, appendix A: its key, message and signature on this curve."""
    private = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    key = sm2.public_key(private)
    assert key is not None
    assert key[0] == 0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
    r = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
    s = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
    assert sm2.verifies(b"message digest", r, s, key)
    assert not sm2.verifies(b"message digesT", r, s, key)
    assert not sm2.verifies(b"message digest", r, s + 1, key)
    assert not sm2.verifies(b"message digest", 0, s, key)


def test_an_update_keeps_what_it_does_not_name(sound: dict[str, str]):
    ask = _ask(sound)
    words = gateway_certificate.certificate.describe
    now = datetime(2026, 1, 2, tzinfo=UTC)
    made = model.GatewayCertificate(
        id="c",
        project_id="p",
        gateway_id="g",
        name="one",
        signing=words(sound["certificate"]),
        chain=words(sound["certificate_chain"]),
        encryption=words(sound["enc_certificate"]),
        created_at=now,
        updated_at=now,
    )
    keys = (model.Secret(sound["private_key"]), model.Secret(sound["enc_private_key"]))
    assert gateway_certificate.merged(model.AskGatewayCertificate(), made, keys) == replace(ask, name="one")
