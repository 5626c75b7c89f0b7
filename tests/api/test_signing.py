"""Signatures, without a service: a signature fits one request, one secret and one quarter of an hour."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from landbridge import errors, model, signatures
from landbridge.api import signing

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
SECRET = model.Secret("secret")
NAMES = ("host", "x-sdk-date")
UNSIGNED = signatures.RequestHead(
    method="POST",
    path="/v5/p/vpn-connection",
    query="limit=1&marker=",
    headers={"host": b"vpn.example", "x-sdk-date": f"{NOW:%Y%m%dT%H%M%SZ}".encode(), "accept": b"*/*"},
)


def _with(head: signatures.RequestHead, **headers: bytes) -> signatures.RequestHead:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return dataclasses.replace(head, headers={**head.headers, **named})


def _signed(names: tuple[str, ...] = NAMES) -> signatures.RequestHead:
    digest = signatures.sign(UNSIGNED, b"{}", names, SECRET.reveal())
    text = f"SDK-HMAC-SHA256 Access=KEY, SignedHeaders={';'.join(names)}, Signature={digest}"
    return _with(UNSIGNED, authorization=text.encode())


def _fits(head: signatures.RequestHead, content: bytes = b"{}", secret: model.Secret = SECRET) -> bool:
    return signing.fits(signing.parse(head, NOW), head, content, secret)


def test_a_signed_request_names_its_key_and_fits():
    signature = signing.parse(_signed(), NOW)
    assert (signature.access_key, signature.signed_headers) == ("KEY", NAMES)
    assert _fits(_signed())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"method": "PUT"}, id="method"),
        pytest.param({"path": "/v5/p/vpn-connections"}, id="path"),
        pytest.param({"query": "limit=2&marker="}, id="query"),
    ],
)
def test_another_request_does_not_fit(change: dict[str, Any]):
    assert not _fits(dataclasses.replace(_signed(), **change))


def test_another_body_secret_or_signed_header_does_not_fit():
    assert not _fits(_signed(), content=b"{ }")
    assert not _fits(_signed(), secret=model.Secret("other"))
    assert not _fits(_with(_signed(), host=b"other.example"))
    assert _fits(_with(_signed(), accept=b"text/html"))


@pytest.mark.parametrize(
    ("path", "query"), [("/v5/p/vpn-connection/", ""), ("/v5/p/vpn%2Dconnection", "marker=&limit=1")]
)
def test_the_same_request_in_other_letters_fits(path: str, query: str):
    assert _fits(dataclasses.replace(_signed(), path=path, query=query or UNSIGNED.query))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_date_is_good_for_fifteen_minutes(sign: int):
    leeway = sign * signing.CLOCK_LEEWAY
    signing.parse(_signed(), NOW + leeway)
    with pytest.raises(errors.Unauthenticated, match="15 minutes"):
        signing.parse(_signed(), NOW + leeway + sign * timedelta(seconds=1))


def test_a_signed_header_must_be_in_the_request():
    head = _signed()
    headers = {name: value for name, value in head.headers.items() if name != "host"}
    with pytest.raises(errors.Unauthenticated, match="host"):
        signing.parse(dataclasses.replace(head, headers=headers), NOW)
