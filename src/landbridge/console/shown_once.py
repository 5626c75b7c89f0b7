"""A secret text that one page of a session shows once: the answer to a form leads to that page, so a reload does not send the form again.

The browser keeps the text in a cookie, sealed under the master key, so that every process of the service can open it (docs/decisions/0065). Invariant: it
opens only in the session and at the address for which it was sealed, and for LIFETIME_SECONDS. The page that shows it deletes the cookie.
"""

import base64
import binascii
import hashlib
import zlib

from landbridge import model
from landbridge.operations import clock
from landbridge.operations.call import Service

COOKIE = "landbridge_shown_once"
LIFETIME_SECONDS = 60
#: Compressed bytes of a text. With the name of the cookie and base64 they stay below 4,096 bytes, which every browser keeps (RFC 6265, section 6.1).
ROOM = 2800


def fits(text: str) -> bool:
    return len(zlib.compress(text.encode())) <= ROOM


def seal(service: Service, secret: model.Secret, session: str, path: str) -> str:
    """`session`: the secret of the session; `path`: of the page that shows it."""
    text = f"{clock.now().timestamp() + LIFETIME_SECONDS} {secret.reveal()}"
    sealed = service.vault.seal(zlib.compress(text.encode()), _belongs_to(session, path))
    return base64.urlsafe_b64encode(sealed).decode()


def unseal(service: Service, sealed: str, session: str, path: str) -> model.Secret | None:
    """None when it is too old, or was not sealed for this session and page."""
    try:
        content = base64.urlsafe_b64decode(sealed.encode())
    except (binascii.Error, ValueError):
        return None
    opened = service.vault.try_open(content, _belongs_to(session, path))
    if opened is None:
        return None
    until, _, secret = zlib.decompress(opened).decode().partition(" ")
    return model.Secret(secret) if clock.now().timestamp() < float(until) else None


def _belongs_to(session: str, path: str) -> str:
    return f"once {hashlib.sha256(session.encode('utf-8', 'replace')).hexdigest()} {path}"
