"""Markers of pages. A marker is an encrypted number, so it reveals nothing of other projects. Only the list that returned the marker
accepts it.
"""

import base64
import binascii
import contextlib

from landbridge import errors, model
from landbridge.operations.call import Call


def after(call: Call, list_name: str, marker: str) -> int:
    """The number after which the page of this list begins. Raises Invalid for the marker of another list."""
    if not marker:
        return 0
    number = None
    with contextlib.suppress(binascii.Error, ValueError):
        sealed = base64.b64decode(marker.encode(), altchars=b"-_", validate=True)
        number = call.service.vault.open_marker(sealed, _name(call, list_name))
    if number is None:
        wrong = model.Violation("marker", f"{marker[:64]!r} is not allowed", "the next_marker of an earlier page")
        raise errors.Invalid([wrong])
    return number


def marker(call: Call, list_name: str, number: int) -> str:
    return base64.urlsafe_b64encode(call.service.vault.seal_marker(number, _name(call, list_name))).decode()


def _name(call: Call, list_name: str) -> str:
    return f"page of {list_name} of {call.project_id}"
