"""TLS of `landbridge serve`: which files are refused, what a renewal does, and that nothing leaves the machine in the clear."""

import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from lab import authority


@pytest.fixture
def signer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> authority.Authority:
    """An authority that every client of the test trusts."""
    made = authority.Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    return made


def _flags(pair: authority.Pair) -> list[str]:
    return ["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)]


def _shown(server: Any, signer: authority.Authority, version: ssl.TLSVersion | None = None) -> tuple[Any, str | None]:
    """The certificate's serial number and the version that a handshake ends with."""
    context = ssl.create_default_context(cafile=str(signer.path))
    if version is not None:
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")  # else this client itself would refuse old versions
    host, port = server.credentials["endpoint"].removeprefix("https://").split(":")
    with socket.create_connection((host, int(port)), 5) as plain, context.wrap_socket(plain, server_hostname=host) as s:
        found = s.getpeercert()
        assert found is not None
        return found["serialNumber"], s.version()


def test_the_service_speaks_tls_and_its_credentials_say_so(start_server: Any, signer: authority.Authority):
    server = start_server("data", *_flags(signer.issue("server")))
    endpoint = server.credentials["endpoint"]
    assert endpoint.startswith("https://127.0.0.1:")
    assert httpx.get(endpoint + "/healthz").status_code == 200
    with pytest.raises(httpx.HTTPError):
        httpx.get(endpoint.replace("https", "http") + "/healthz")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_only_tls_1_2_and_newer_are_spoken(start_server: Any, signer: authority.Authority):
    server = start_server("data", *_flags(signer.issue("server")))
    assert _shown(server, signer)[1] == "TLSv1.3"
    assert _shown(server, signer, ssl.TLSVersion.TLSv1_2)[1] == "TLSv1.2"
    for old in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        with pytest.raises(ssl.SSLError):
            _shown(server, signer, old)


def test_a_renewed_certificate_is_shown_from_the_next_handshake_on(start_server: Any, signer: authority.Authority):
    used = signer.issue("server")
    server = start_server("data", *_flags(used))
    with httpx.Client() as client:
        before = _shown(server, signer)[0]
        assert client.get(server.credentials["endpoint"] + "/healthz").status_code == 200
        fresh = signer.issue("fresh")
        shutil.copy(fresh.certificate, used.certificate)  # in place, as some do; the key still is the old one
        assert _shown(server, signer)[0] == before
        assert f"{used.key}: is not the key of the certificate in {used.certificate}" in server.log
        fresh.key.replace(used.key)
        after = _shown(server, signer)[0]
        assert client.get(server.credentials["endpoint"] + "/healthz").status_code == 200
    assert after != before
    assert _shown(server, signer)[0] == after
    assert server.log.count("the earlier certificate is kept") == 1


def test_files_that_vanish_or_expire_later_change_nothing(start_server: Any, signer: authority.Authority):
    used = signer.issue("server")
    server = start_server("data", *_flags(used))
    before = _shown(server, signer)[0]
    expired = signer.issue("expired", days=1, begins=-2)
    expired.certificate.replace(used.certificate)
    expired.key.replace(used.key)
    assert _shown(server, signer)[0] == before
    used.certificate.unlink()
    assert _shown(server, signer)[0] == before
    assert "the certificate expired at" in server.log


def test_the_endpoint_has_the_certificates_name_where_it_lacks_the_address(
    start_server: Any, signer: authority.Authority
):
    pair = signer.issue("server", host="localhost")
    server = start_server("data", *_flags(pair), listen="0.0.0.0:0")
    assert server.credentials["endpoint"].startswith("https://localhost:")
    assert httpx.get(server.credentials["endpoint"] + "/healthz").status_code == 200


def _lock(path: Path) -> None:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda p, _: p.certificate.unlink(), "server.pem: No such file or directory", id="no-certificate"),
        pytest.param(lambda p, _: p.key.unlink(), "server.key: No such file or directory", id="no-key"),
        pytest.param(lambda p, _: p.certificate.write_text("x"), "server.pem: has no certificate", id="no-pem"),
        pytest.param(lambda p, _: p.certificate.write_text(""), "server.pem: has no certificate", id="empty"),
        pytest.param(lambda p, _: p.key.write_text("x"), "server.key: has no private key", id="key-no-pem"),
        pytest.param(lambda p, _: _lock(p.key), "server.key: the key is encrypted", id="passphrase"),
        pytest.param(lambda p, _: p.key.chmod(0o644), "server.key: a TLS key may not be open to everybody", id="open"),
        pytest.param(
            lambda p, s: s.issue("other").key.replace(p.key),
            "server.key: is not the key of the certificate",
            id="other",
        ),
        pytest.param(
            lambda _p, s: s.issue("server", days=1, begins=-2), "server.pem: the certificate expired at 2", id="expired"
        ),
        pytest.param(
            lambda _p, s: s.issue("server", begins=2), "server.pem: the certificate is valid from 2", id="to-come"
        ),
    ],
)
@pytest.mark.parametrize("verb", ["serve", "check-config"])
def test_files_that_will_not_do_are_refused_with_the_reason(
    landbridge: Any, signer: authority.Authority, tmp_path: Path, verb: str, spoil: Any, said: str
):
    pair = signer.issue("server")
    spoil(pair, signer)
    variables = {"LANDBRIDGE_TLS_CERTIFICATE": str(pair.certificate), "LANDBRIDGE_TLS_KEY": str(pair.key)}
    refused = landbridge(verb, "--data", str(tmp_path / "d"), **variables)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"landbridge: {tmp_path}")
    assert refused.stderr.count("\n") == 1
    assert said in refused.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("flag", ["--tls-certificate", "--tls-key"])
def test_one_file_without_the_other_is_refused_by_name(landbridge: Any, tmp_path: Path, flag: str):
    refused = landbridge("serve", "--data", str(tmp_path / "d"), flag, "file")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"landbridge: {flag}: needs tls_")


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8700"])
@pytest.mark.parametrize("verb", ["serve", "check-config"])
def test_without_tls_only_loopback_is_listened_on(landbridge: Any, tmp_path: Path, listen: str, verb: str):
    refused = landbridge(verb, "--data", str(tmp_path / "d"), LANDBRIDGE_LISTEN=listen)
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        f"landbridge: --listen {listen}: without TLS the service listens on loopback addresses only"
    )
    assert "--tls-certificate and --tls-key, or --insecure-http" in refused.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("listen", ["127.0.0.2:0", "localhost:0", "[::1]:0"])
def test_every_loopback_address_will_do(start_server: Any, listen: str):
    server = start_server("data", listen=listen)
    assert httpx.get(server.credentials["endpoint"] + "/healthz").status_code == 200


def test_an_operator_may_ask_for_http_everywhere(start_server: Any):
    server = start_server("data", "--insecure-http", listen="0.0.0.0:0")
    port = server.credentials["endpoint"].rpartition(":")[2]
    assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
