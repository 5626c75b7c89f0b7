"""The causes of a BGP session that is not established, or that carries no routes, in a tunnel that is up. Pure.

A connection of style bgp without a session has no route into its tunnel, so it is DOWN. docs/decisions/0050 has the reasons.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from landbridge import model
from landbridge.status import cause_texts, rule_context
from landbridge.status.rule_context import NEVER, Context

#: A session begins, and a neighbour announces its first routes, within this time (RFC 4271, 10: MinRouteAdvertisementIntervalTimer).
SOON = timedelta(seconds=30)
#: When the hold timer ended this many sessions without a route within AGAIN_WITHIN, the path drops large packets.
ENDS, AGAIN_WITHIN = 2, timedelta(minutes=10)
#: The AS number that stands for one of four bytes where a side knows only two bytes (RFC 6793, 9).
AS_TRANS, TWO_BYTES = 23456, 0xFFFF
#: Faults of the path. They count when they are younger than the tunnel. A refusal counts always: it has the time of the session's state, which
#: may be older than the tunnel.
_OF_PATH = frozenset({"hold_timer", "device_hold_timer", "bfd_down"})
#: Faults that every session has while it begins.
_OF_BEGINNING = frozenset({"no_answer", "no_route", "no_interface"})
_UNKNOWN_ASN = "an unknown ASN"


def find(context: Context) -> tuple[model.Cause, ...]:
    """The causes, the likeliest first; empty without a session and where nothing is wrong."""
    session = context.seen.bgp
    if session is None:
        return ()
    fault = _present(context, session)
    if fault is not None:
        return tuple(_RULES.get(fault.code, _unknown)(context, session, fault))
    if session.state == "established":
        return tuple(_routes(context, session))
    return tuple(_without_fault(context, session))


def _present(context: Context, session: model.BgpSession) -> model.BgpFault | None:
    """The last fault. Faults that every new session has, and faults of the path from before the tunnel came up, do not count."""
    fault = session.fault
    if fault is not None and fault.code in _OF_BEGINNING:
        return fault if _lasts(context, session) else None
    is_old = fault is not None and fault.at is not None and fault.at < rule_context.last_up(context, 2)
    return None if is_old and fault is not None and fault.code in _OF_PATH else fault


def _cause(
    code: str, context: Context, session: model.BgpSession, fault: model.BgpFault | None = None, **given: object
) -> model.Cause:
    """A cause with the daemon's line as evidence."""
    at = None if fault is None else fault.at or session.since or context.seen_at
    evidence = () if fault is None or at is None else (model.Evidence(at=at, line=fault.text),)
    return cause_texts.cause(code, placeholders=context.placeholders, evidence=evidence, **given)  # type: ignore[arg-type]


# -- a fault that the daemon names ------------------------------------------------------------------------------------


def _device_asn(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    """The device opened the session with another ASN than the customer gateway has."""
    ours, theirs = context.related.peer_asn, fault.asn
    remedy = (
        f"set the device's own ASN to {_show(ours)}; or create a customer gateway with bgp_asn {_show(theirs)} and set cgw_id"
        " of this connection to it (the ASN of a customer gateway cannot be changed)"
    )
    more = ""
    if theirs == AS_TRANS:
        more = f"; {AS_TRANS} stands for a 4-byte ASN of a device that sends only 2 bytes"
        remedy = f"on the device, enable 4-byte ASNs, or give it a 2-byte ASN; the customer gateway has {_show(ours)}"
    elif theirs is not None and theirs == context.related.asn:
        more = "; the VPN gateway itself has this ASN"
        remedy = f"set the device's own ASN to {_show(ours)}"
    yield _cause(
        "bgp_asn_mismatch",
        context,
        session,
        fault,
        ours=None if ours is None else str(ours),
        theirs=None if theirs is None else str(theirs),
        differs=("bgp_asn",),
        reason=f"the device's ASN is {_show(theirs)}, this connection's customer gateway says {_show(ours)}{more}",
        remedy=remedy,
    )


def _our_asn(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    """The device refused our ASN. Its message names the ASN that it received, not the one that it expects."""
    ours = context.related.asn
    short = f"; a device without 4-byte ASNs must expect {AS_TRANS}" if ours is not None and ours > TWO_BYTES else ""
    yield _cause(
        "bgp_asn_mismatch",
        context,
        session,
        fault,
        side="device",
        ours=None if ours is None else str(ours),
        differs=("bgp_asn",),
        reason=f"the device expects another ASN than {_show(ours)}, the ASN of the VPN gateway",
        remedy=f"on the device, set the ASN of the neighbour {context.placeholders.inner} to {_show(ours)}{short}",
    )


def _show(asn: int | None) -> str:
    return _UNKNOWN_ASN if asn is None else str(asn)


def _hold_timer(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    """Keepalives are small and updates may be large: a path that drops large packets ends a session before the first route."""
    if _ends_without_routes(context) >= ENDS:
        yield _cause("bgp_path_mtu", context, session, fault, is_certain=False)
        yield _cause("bgp_hold_timer", context, session, fault, is_certain=False)
        return
    heard = "the device heard nothing of us" if fault.code == "device_hold_timer" else "nothing came from the device"
    during = f" for {session.hold_time} s" if session.hold_time else ""
    yield _cause("bgp_hold_timer", context, session, fault, detail=f"{heard}{during}")


def _ends_without_routes(context: Context) -> int:
    """Returns how often the hold timer recently ended a session without routes; 0 when a later session had routes."""
    changes = context.related.sessions
    ends = 0
    for before, after in itertools.pairwise(changes):
        if before.state == "established" and changes[-1].at - after.at <= AGAIN_WITHIN:
            is_silent = before.received == 0 and after.cause in {"bgp_hold_timer", "bgp_path_mtu"}
            ends = ends + 1 if is_silent else 0
    return ends


def _bfd(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    yield _cause("bgp_bfd_down", context, session, fault)


def _limit(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    limit = "" if session.limit is None else f"this connection accepts {session.limit}"
    yield _cause("bgp_too_many_routes", context, session, fault, detail=limit or None)


def _device_limit(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    yield _cause(
        "bgp_too_many_routes",
        context,
        session,
        fault,
        reason="the VPN gateway announces more routes than the device accepts",
        remedy="on the device, raise the limit of routes of this neighbour, or announce fewer subnets here",
    )


def _refused(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    yield _cause("bgp_refused", context, session, fault)


def _no_answer(context: Context, session: model.BgpSession, fault: model.BgpFault | None) -> Iterator[model.Cause]:
    yield _cause("bgp_no_answer", context, session, fault)


def _no_path(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    yield _cause("bgp_no_path", context, session, fault)


def _shutdown(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    yield _cause("bgp_shutdown_by_device", context, session, fault, detail=fault.text)


def _unknown(context: Context, session: model.BgpSession, fault: model.BgpFault) -> Iterator[model.Cause]:
    yield _cause("bgp_unknown_fault", context, session, fault, detail=fault.text)


_RULES: Mapping[str, Callable[[Context, model.BgpSession, model.BgpFault], Iterator[model.Cause]]] = {
    "wrong_device_asn": _device_asn,
    "device_wrong_asn": _our_asn,
    "hold_timer": _hold_timer,
    "device_hold_timer": _hold_timer,
    "bfd_down": _bfd,
    "route_limit": _limit,
    "device_route_limit": _device_limit,
    "refused": _refused,
    "no_answer": _no_answer,
    "no_route": _no_path,
    "no_interface": _no_path,
    "device_shutdown": _shutdown,
    "device_closed": _shutdown,
    "unknown": _unknown,
}


# -- no fault ---------------------------------------------------------------------------------------------------------


def _without_fault(context: Context, session: model.BgpSession) -> Iterator[model.Cause]:
    if _lasts(context, session):
        yield from _no_answer(context, session, None)
    else:
        yield _cause("negotiating", context, session, detail="the tunnel is up, the BGP session is not yet")


def _lasts(context: Context, session: model.BgpSession) -> bool:
    """Whether the session has been in its state, and the tunnel up, for longer than SOON."""
    since = max(session.since or NEVER, rule_context.last_up(context, 2))
    return context.seen_at is None or context.seen_at - since > SOON


def _routes(context: Context, session: model.BgpSession) -> Iterator[model.Cause]:
    """The warnings of a session that is established. The first routes may take some time."""
    if not _lasts(context, session):
        return
    if session.received == 0:
        detail = None if session.announced else "the VPN gateway announces none either"
        yield _cause("bgp_no_routes", context, session, detail=detail)
    elif session.announced == 0:
        reason = "the BGP session is established, and the VPN gateway announces no route"
        remedy = "set local_subnets of the VPN gateway; with attachment er, the site file has its networks"
        yield _cause("bgp_no_routes", context, session, side="connection", reason=reason, remedy=remedy)
    if session.accepted < session.received:
        counts = f"{session.received} received, {session.accepted} accepted"
        yield _cause("bgp_routes_filtered", context, session, detail=counts)
