"""Where a page of a list begins. A marker is a sealed number: it tells nobody how much other projects create."""

import base64
import binascii

from landbridge import errors, model
from landbridge.operations.call import Call


def after(call: Call, marker: str) -> int:
    """The number after which the page begins. Raises Invalid for a marker that no page of this project gave."""
    if not marker:
        return 0
    try:
        sealed = base64.b64decode(marker.encode(), altchars=b"-_", validate=True)
        return int(call.service.vault.open(sealed, f"page of {call.project_id}"))
    except (binascii.Error, ValueError, errors.ConfigError):
        wrong = model.Violation("marker", f"{marker!r} is not allowed", "the next_marker of an earlier page")
        raise errors.Invalid([wrong]) from None


def marker(call: Call, number: int) -> str:
    return base64.urlsafe_b64encode(
        call.service.vault.seal(str(number).encode(), f"page of {call.project_id}")
    ).decode()
