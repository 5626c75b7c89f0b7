"""CA certificates: each published fault, VPN.0070 to VPN.0076, and what is read off a sound one."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from landbridge import model
from landbridge.rules import certificate, sm2

FOLDER = Path(__file__).parent / "certificates"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def pem(name: str) -> str:
    return (FOLDER / f"{name}.pem").read_text()


def _wrap(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


def _der(name: str) -> bytes:
    return base64.b64decode("".join(pem(name).splitlines()[1:-1]))


def _changed(at: int, byte: int) -> str:
    der = bytearray(_der("sm2-ca"))
    der[at] = byte
    return _wrap(der)


def _refusals(content: str, now: datetime = NOW) -> list[model.Violation]:
    return list(certificate.check_ca("ca_certificate.content", content, now))


@pytest.mark.parametrize("name", ["sm2-ca", "sm2-other-ca"])
def test_a_sound_ca_certificate_passes(name: str):
    assert _refusals(pem(name)) == []


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        pytest.param(pem("rsa-ca"), ["VPN.0070", "VPN.0071"], id="rsa"),
        pytest.param(pem("p256-ca"), ["VPN.0070", "VPN.0071"], id="another-curve"),
        pytest.param(pem("sm2-key-signed-by-rsa"), ["VPN.0071"], id="another-signature"),
        pytest.param(pem("sm2-leaf"), ["VPN.0076"], id="no-ca"),
        pytest.param(pem("sm2-ca-that-may-not-sign"), ["VPN.0076"], id="may-not-sign"),
        pytest.param(pem("sm2-without-extensions"), ["VPN.0076"], id="no-extensions"),
        pytest.param("", ["VPN.0074"], id="empty"),
        pytest.param("certificate", ["VPN.0074"], id="no-pem"),
        pytest.param(pem("sm2-ca") + pem("sm2-other-ca"), ["VPN.0074"], id="two-of-them"),
        pytest.param(pem("sm2-ca") + "#" * 8192, ["VPN.0074"], id="too-long"),
        pytest.param(pem("sm2-ca").replace("CERTIFICATE", "PRIVATE KEY"), ["VPN.0074"], id="another-thing"),
        pytest.param(_wrap(b"\x30\x03\x02\x01\x00"), ["VPN.0075"], id="der-of-something-else"),
        pytest.param(_wrap(b"nothing"), ["VPN.0075"], id="no-der"),
        pytest.param("-----BEGIN CERTIFICATE-----\nMIIB", ["VPN.0075"], id="cut-off"),
        pytest.param(_changed(12, 1), ["VPN.0075"], id="version-2"),
        pytest.param(_changed(_der("sm2-ca").find(b"Branch"), 0xFF), ["VPN.0075"], id="no-utf-8-in-the-issuer"),
        pytest.param(_changed(_der("sm2-ca").rfind(b"Branch"), 0xFF), ["VPN.0075"], id="no-utf-8-in-the-subject"),
        pytest.param(_changed(_der("sm2-ca").find(b"Branch") - 2, 3), ["VPN.0075"], id="bits-for-a-name"),
        pytest.param(_changed(_der("sm2-ca").find(sm2.CURVE) + 13, 9), ["VPN.0075"], id="key-in-no-known-form"),
        pytest.param(_changed(_der("sm2-ca").find(sm2.CURVE) + 14, 9), ["VPN.0075"], id="key-beside-the-curve"),
    ],
)
def test_each_fault_has_its_code(content: str, codes: list[str]):
    found = _refusals(content)
    assert [v.code for v in found] == codes
    assert {v.field for v in found} == {"ca_certificate.content"}


@pytest.mark.parametrize(
    ("now", "codes"),
    [
        pytest.param(datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC), ["VPN.0073"], id="a-second-early"),
        pytest.param(datetime(2020, 1, 1, tzinfo=UTC), [], id="its-first-second"),
        pytest.param(datetime(2120, 1, 1, tzinfo=UTC), [], id="its-last-second"),
        pytest.param(datetime(2120, 1, 1, 0, 0, 1, tzinfo=UTC), ["VPN.0072"], id="a-second-late"),
    ],
)
def test_it_must_be_valid_now(now: datetime, codes: list[str]):
    assert [v.code for v in _refusals(pem("sm2-ca"), now)] == codes


def test_all_faults_of_one_come_at_once():
    found = _refusals(pem("rsa-ca"), datetime(2121, 1, 1, tzinfo=UTC))
    assert [v.code for v in found] == ["VPN.0070", "VPN.0071", "VPN.0072"]


@pytest.mark.filterwarnings("ignore:Attribute's length", "ignore:Parsed a serial number")
def test_what_passes_with_one_byte_changed_can_be_shown():
    for at, byte in enumerate(_der("sm2-ca")):
        for other in {0x03, 0xFF, *(byte ^ 1 << bit for bit in range(8))}:
            content = _changed(at, other)
            found = _refusals(content)
            assert {v.field for v in found} <= {"ca_certificate.content"}
            if not found:
                certificate.describe_ca(content, "id")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pem("sm2-ca").replace("\n", "\r\n"), id="crlf"),
        pytest.param(f"Certificate:\n  Data:\n{pem('sm2-ca')}\n", id="text-around-it"),
        pytest.param(_wrap(_der("sm2-ca")), id="longer-lines"),
    ],
)
def test_however_it_is_written_it_is_the_same(content: str):
    assert content != pem("sm2-ca")
    assert certificate.same(content, pem("sm2-ca"))
    assert certificate.describe_ca(content, "id") == certificate.describe_ca(pem("sm2-ca"), "id")


def test_what_is_no_certificate_is_like_no_other():
    assert not certificate.same(pem("sm2-ca"), pem("sm2-other-ca"))
    assert not certificate.same(pem("sm2-ca"), "")
    assert not certificate.same(pem("sm2-ca"), pem("sm2-ca") + pem("sm2-other-ca"))


def test_what_is_shown_is_read_off_it():
    shown = certificate.describe_ca(pem("sm2-ca"), "id")
    assert shown == model.CaCertificate(
        id="id",
        serial_number="73285B96E3D0B3BCD16B96AA7D807D80CC65B89E",
        signature_algorithm="SM2-with-SM3",
        issuer="CN=Branch CA,O=Branch,C=DE",
        subject="CN=Branch CA,O=Branch,C=DE",
        expire_time=datetime(2120, 1, 1, tzinfo=UTC),
        content=pem("sm2-ca"),
    )
