"""Parses BIRD's messages about the end of a session into a `model.BgpFault`. Pure. No other module reads these messages.

`show protocols` has the last error of a session. A later failure overwrites the NOTIFICATION before it, which then is only in the log:
`notifications` reads it there. BIRD writes its times in UTC, since it runs with that time zone.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from landbridge import model

#: Text of an error -> its code; the first that occurs in it counts.
_CODES: tuple[tuple[str, model.BgpFaultCode], ...] = (
    ("Received: Bad peer AS", "device_wrong_asn"),
    ("Error: Bad peer AS", "wrong_device_asn"),
    ("Received: Hold timer expired", "device_hold_timer"),
    ("Hold timer expired", "hold_timer"),
    ("BFD session down", "bfd_down"),
    ("Route limit exceeded", "route_limit"),
    ("Received: Maximum number of prefixes reached", "device_route_limit"),
    ("Received: Administrative shutdown", "device_shutdown"),
    ("Received: ", "device_closed"),
    ("Socket: Connection reset by peer", "device_closed"),
    ("Socket: Connection closed", "device_closed"),
    ("Socket: Broken pipe", "device_closed"),
    ("Socket: Connection refused", "refused"),
    ("timed out", "no_answer"),
    ("Socket: No route to host", "no_route"),
    ("Socket: Network is unreachable", "no_route"),
    ("Neighbor lost", "no_interface"),
    ("Link down", "no_interface"),
)
_ASN = re.compile(r"Bad peer AS: (\d+)")
_LOG_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) <(\w+)> (?:Protocol )?([a-z]\w*):? (.*)")
#: A session does not begin for these, whatever ended the one before.
_NO_SESSION = frozenset({"refused", "no_answer", "no_route", "no_interface", "device_closed"})
#: Seconds that a NOTIFICATION counts, unless the device announced its shutdown. A fault that lasts is logged again within 20 s.
_KEPT = timedelta(seconds=120)


def time(text: str) -> datetime | None:
    """Parses a time, without its milliseconds: BIRD computes them anew at every answer, and they differ. None for a text that is no time."""
    try:
        return datetime.fromisoformat(text).replace(microsecond=0, tzinfo=UTC)
    except ValueError:
        return None


def fault(text: str, at: datetime | None = None) -> model.BgpFault | None:
    """None for an empty text."""
    if not text:
        return None
    code: model.BgpFaultCode = next((code for words, code in _CODES if words in text), "unknown")
    asn = _ASN.search(text)
    return model.BgpFault(code=code, text=text, asn=int(asn[1]) if asn else None, at=at)


def notifications(log: Iterable[str]) -> dict[str, model.BgpFault]:
    """Protocol -> its last NOTIFICATION, sent or received, after its session was up last. `log`: lines of BIRD's log."""
    notifications: dict[str, model.BgpFault] = {}
    for line in log:
        if not (parts := _LOG_LINE.match(line)):
            continue
        at, kind, name, text = parts.groups()
        if kind == "RMT" and (made := fault(text, time(at))):
            notifications[name] = made
        elif text == "State changed to up":
            notifications.pop(name, None)
    return notifications


def of_session(
    state: model.BgpState, info: str, since: datetime | None, notification: model.BgpFault | None, now: datetime
) -> model.BgpFault | None:
    """Explains why a session is not established. `info`: the text of `show protocols`; `notification`: the last one in the log."""
    if state == "established":
        return None
    own = fault(info, since)
    if state == "connect" and own is not None and own.text.startswith("Socket: "):  # of the attempt before
        own = None
    if (
        notification is not None
        and notification.at is not None
        and (notification.code == "device_shutdown" or now - notification.at < _KEPT)
    ):
        if own is None or own.code in _NO_SESSION:
            return notification
        if own.code == notification.code:  # the log has the AS number too
            return notification
    return own or _silent(state, since)


def _silent(state: model.BgpState, since: datetime | None) -> model.BgpFault | None:
    """Explains a session without an error: BIRD reports neither a missing interface nor a device that does not answer."""
    if state == "idle":
        return model.BgpFault(code="no_interface", text="Idle", at=since)
    if state in ("connect", "active"):
        return model.BgpFault(code="no_answer", text=state.capitalize(), at=since)
    return None
