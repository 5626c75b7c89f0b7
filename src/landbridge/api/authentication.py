"""Authenticates a request by its token or its signature.

The head is checked before the body is read, so the service never waits for the body of an unknown caller.
"""

from collections.abc import Callable

from landbridge import errors, signatures
from landbridge.api import signing
from landbridge.operations import access, clock
from landbridge.operations.call import Caller

#: One message for an unknown key and for a wrong signature: it must not tell which access keys exist.
BAD_CREDENTIALS = "the access key is not known, or the signature does not fit: check access key, secret key and clock"
#: Signs the requests of unknown keys: the time of an answer must not tell which access keys exist.
DUMMY_SECRET = "x" * 40


def begin(credentials: access.Credentials, head: signatures.RequestHead) -> Callable[[bytes], Caller]:
    """Checks the head, and returns the function that checks the body and returns the caller. Both raise Unauthenticated.

    Faults of the request are reported before the key is looked up, so the errors are the same for known and unknown keys.
    """
    token = head.headers.get("x-auth-token")
    if token:
        credential = credentials.of_token(token.decode("latin-1"))
        if credential is None:
            raise errors.Unauthenticated("the token is not known or was revoked")
        caller = credential.caller
        return lambda _: caller
    signature = signing.parse(head, clock.now())
    known = credentials.of_access_key(signature.access_key)
    if known is None:
        signatures.sign(head, b"", signature.signed_headers, DUMMY_SECRET)
        raise errors.Unauthenticated(BAD_CREDENTIALS)

    def finish(content: bytes) -> Caller:
        if not signing.fits(signature, head, content, known.secret):
            raise errors.Unauthenticated(BAD_CREDENTIALS)
        return known.caller

    return finish
