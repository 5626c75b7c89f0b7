"""Certificates of a GM gateway: chain, dates, key usage, and whether each key is the certificate's."""

import base64
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab import gm_certificates
from landbridge import model
from landbridge.rules import gateway_certificate, sm2

pytestmark = pytest.mark.process

OTHERS = Path(__file__).parent / "certificates"
SECRETS = ("private_key", "enc_private_key")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gm")


@pytest.fixture(scope="module")
def sound(folder: Path) -> dict[str, str]:
    return gm_certificates.gateway(folder)


def _ask(body: dict[str, Any]) -> model.GatewayCertificateRequest:
    held = {name: model.Secret(text) if name in SECRETS and text is not None else text for name, text in body.items()}
    return model.GatewayCertificateRequest(**held)


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


def _key_der(sound: dict[str, str]) -> bytes:
    return base64.b64decode("".join(sound["enc_private_key"].splitlines()[1:-1]))


def _crumbs(der: bytes) -> bytes:
    """The number of a key and the name of its curve, which are no key for all that."""
    at = der.find(b"\x02\x01\x01\x04\x20")
    return der[at : at + 37] + sm2.CURVE


def _key_pem(der: bytes, label: str = "PRIVATE KEY") -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda der: _key_pem(der[:-1]), id="cut-off"),
        pytest.param(lambda der: _key_pem(der[:80]), id="cut-in-two"),
        pytest.param(lambda der: _key_pem(der + b"\0"), id="more-behind-it"),
        pytest.param(lambda der: _key_pem(b"crumbs" + _crumbs(der)), id="crumbs"),
        pytest.param(lambda der: _key_pem(b"\x30\x2f" + _crumbs(der)), id="crumbs-in-a-sequence"),
        pytest.param(lambda der: _key_pem(b"x" + der), id="something-before-it"),
        pytest.param(lambda der: _key_pem(der.replace(sm2.CURVE, sm2.CURVE[:-1] + b"\x2e")), id="another-curve"),
        pytest.param(lambda der: _key_pem(der[:-1] + bytes([der[-1] ^ 1])), id="public-key-of-another"),
        pytest.param(lambda der: _key_pem(re.sub(b"(?s)(\x01\x01\x04\x20).{32}", rb"\1" + bytes(32), der)), id="zero"),
        pytest.param(lambda der: _key_pem(der, "EC PRIVATE KEY"), id="pkcs-8-as-sec-1"),
        pytest.param(lambda der: _key_pem(der[der.find(b"\x04\x6d") + 2 :]), id="sec-1-as-pkcs-8"),
        pytest.param(lambda der: _key_pem(der[der.find(b"\x04\x6d") + 2 :], "EC PRIVATE KEY"), id="no-curve"),
        pytest.param(lambda der: _key_pem(der) + " " * 8192, id="too-long"),
        pytest.param(lambda der: _key_pem(der * 2000), id="300-kilobytes"),
    ],
)
def test_what_only_looks_like_a_key_is_refused(sound: dict[str, str], spoilt: Callable[[bytes], str]):
    assert _refusals(sound) == []
    found = _refusals(sound | {"enc_private_key": spoilt(_key_der(sound))})
    assert found == [("enc_private_key", "VPN.0074")]


def test_no_byte_of_a_key_may_change(sound: dict[str, str]):
    der = _key_der(sound)
    assert sm2.public_key_of(der, wrapped=True) is not None
    for at in range(len(der)):
        changed = der[:at] + bytes([der[at] ^ 0x81]) + der[at + 1 :]
        assert sm2.public_key_of(changed, wrapped=True) is None, at


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


def _made(sound: dict[str, str]) -> model.GatewayCertificate:
    words = gateway_certificate.certificate.describe
    now = datetime(2026, 1, 2, tzinfo=UTC)
    return model.GatewayCertificate(
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


def _update_refusals(
    sound: dict[str, str], change: dict[str, Any], after: timedelta = timedelta()
) -> list[tuple[str, str]]:
    present = replace(_ask(sound), name="one")
    wish = gateway_certificate.merged(_ask(change), present)
    return [(v.field, v.code) for v in gateway_certificate.check(wish, datetime.now(UTC) + after, present)]


def test_an_update_keeps_what_it_does_not_name(sound: dict[str, str]):
    made, present = _made(sound), replace(_ask(sound), name="one")
    keys = (model.Secret(sound["private_key"]), model.Secret(sound["enc_private_key"]))
    assert gateway_certificate.asked(made, keys) == present
    assert gateway_certificate.merged(model.GatewayCertificateRequest(), present) == present
    renamed = gateway_certificate.merged(_ask({"name": "two"}), present)
    assert gateway_certificate.updated(renamed, made) == replace(made, name="two")


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("name", "VPN.0001"),
        ("certificate", "VPN.0074"),
        ("private_key", "VPN.0074"),
        ("certificate_chain", "VPN.0074"),
        ("enc_certificate", "VPN.0074"),
        ("enc_private_key", "VPN.0074"),
    ],
)
def test_an_update_to_nothing_is_refused_as_in_a_create(sound: dict[str, str], field: str, code: str):
    assert _update_refusals(sound, {field: ""}) == _refusals(sound | {field: ""}) == [(field, code)]


EXPIRED = timedelta(days=25)


def test_what_an_update_leaves_as_it_is_may_have_expired(sound: dict[str, str]):
    assert ("certificate", "VPN.0072") in _refusals(sound, EXPIRED)
    assert _update_refusals(sound, {"name": "two"}, EXPIRED) == []
    assert _update_refusals(sound, sound | {"name": "two"}, EXPIRED) == []
    crlf = {field: text.replace("\n", "\r\n") for field, text in sound.items()}
    assert _update_refusals(sound, crlf, EXPIRED) == []


def test_what_an_update_changes_must_fit_what_it_leaves(sound: dict[str, str], tmp_path: Path):
    other = gm_certificates.gateway(tmp_path)
    assert _update_refusals(sound, {"private_key": other["private_key"]}, EXPIRED) == [("private_key", "VPN.0075")]
    assert _update_refusals(sound, {"certificate_chain": other["certificate_chain"]}) == [
        ("certificate", "VPN.0075"),
        ("enc_certificate", "VPN.0075"),
    ]
    assert _update_refusals(sound, {"enc_certificate": other["enc_certificate"]}) == [
        ("enc_private_key", "VPN.0075"),
        ("enc_certificate", "VPN.0075"),
    ]
    assert ("certificate", "VPN.0072") in _update_refusals(sound, other, EXPIRED)
