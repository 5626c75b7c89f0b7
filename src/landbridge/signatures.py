"""The signature of a request: SDK-HMAC-SHA256, as the SDKs and Terraform providers of the API sign. The API verifies it, the command line makes it.

A signature covers the method, the path, the query, the body and the headers that the client names. Clients differ in the headers that
they sign (some leave `host` out), so the canonical request is built from the names in `Authorization`. Source: the SDK's own signer,
against which tests hold it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
#: Of X-Sdk-Date, as strftime writes it; in UTC.
DATE_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """A request without its body. Header names are in lower case, values as they came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, bytes] = field(repr=False)


def sign(head: RequestHead, content: bytes, signed_headers: tuple[str, ...], secret_key: str) -> str:
    """The digest that a client with this secret key sends: 64 hex digits. The request has all signed headers."""
    lines = [name.encode() + b":" + head.headers[name].strip() + b"\n" for name in signed_headers]
    canonical = b"\n".join(
        (
            head.method.encode(),
            _canonical_path(head.path).encode(),
            _canonical_query(head.query).encode(),
            b"".join(lines),
            ";".join(signed_headers).encode(),
            hashlib.sha256(content).hexdigest().encode(),
        )
    )
    date = head.headers.get("x-sdk-date", b"").decode("latin-1")
    text = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical).hexdigest()}"
    return hmac.digest(secret_key.encode(), text.encode(), "sha256").hex()


def authorization(access_key: str, signed_headers: tuple[str, ...], digest: str) -> str:
    """The value of the header `Authorization`."""
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={';'.join(signed_headers)}, Signature={digest}"


def _canonical_path(path: str) -> str:
    escaped = quote(unquote(path), safe="/~")
    return escaped if escaped.endswith("/") else escaped + "/"


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
