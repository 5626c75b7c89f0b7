"""The warnings of a tunnel that is up, from the last observation: its key, its BGP session, its traffic, and its monitor. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from landbridge import model
from landbridge.status import attempt_causes, bgp_causes, cause_texts, echo_causes, rule_context
from landbridge.status.rule_context import Context

#: Causes of an attempt that may mean that the device does not have the new key. The ids were right when the tunnel came up.
_REFUSALS = frozenset(
    {
        "psk_mismatch",
        "psk_missing_on_device",
        "identity_or_psk_refused",
        "local_id_mismatch",
        "authentication_method_mismatch",
    }
)
#: Traffic in one direction alone is a warning from this number of packets and this time on.
FEWEST, SHORTEST = 10, timedelta(seconds=20)
#: Packets of one destination that were refused are a warning from this number on.
FEWEST_REFUSED = 3
#: Codes of ICMP destination unreachable (RFC 792, RFC 1812, 5.2.7.1). No route; no route or a host that is off (Linux sends them for a host that
#: does not answer ARP, Cisco IOS also without a route); forbidden by a firewall.
_NO_ROUTE, _NO_HOST, _FORBIDDEN = frozenset({0, 5, 6, 8, 11}), frozenset({1, 7, 12}), frozenset({9, 10, 13})
_CODES = {0: "net unreachable", 1: "host unreachable", 9: "net prohibited", 10: "host prohibited", 13: "prohibited"}


def find(context: Context) -> tuple[model.Cause, ...]:
    return (
        *_key(context),
        *bgp_causes.find(context),
        *_one_way(context),
        *_refused(context),
        *_path(context),
        *echo_causes.monitor_warnings(context),
    )


def _one_way(context: Context) -> Iterator[model.Cause]:
    """The pair with the most packets, for each direction."""
    lasting = [
        pair for pair in context.seen.one_way_pairs if pair.packets >= FEWEST and pair.until - pair.since >= SHORTEST
    ]
    for code, direction in (("nothing_comes_back", "out"), ("nothing_goes_out", "in")):
        pair = max(
            (pair for pair in lasting if pair.direction == direction), key=lambda pair: pair.packets, default=None
        )
        if pair is not None:
            detail = _which_pair(context, pair) + _how_many(context, pair)
            yield cause_texts.cause(code, placeholders=context.placeholders, detail=detail)


def _how_many(context: Context, passed: model.OneWay) -> str:
    seconds = round((passed.until - passed.since).total_seconds())
    if passed.direction == "in":
        return f"{passed.packets} packets came in {seconds} s, we sent none"
    times = (child.last_in_at for child in context.seen.children if _pair(child) == _pair(passed))
    last = max(filter(None, times), default=None)
    ever = f"the last one came at {last:%Y-%m-%dT%H:%M:%SZ}" if last else "none ever came through these SAs"
    return f"we sent {passed.packets} packets in {seconds} s, none came back; {ever}"


def _which_pair(context: Context, passed: model.OneWay) -> str:
    """Names the pair of a connection that has several."""
    if len({_pair(child) for child in context.seen.children}) < 2:
        return ""
    return f"{', '.join(passed.local_ts)} - {', '.join(passed.remote_ts)}: "


def _pair(item: model.ChildSa | model.OneWay) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return item.local_ts, item.remote_ts


def _refused(context: Context) -> Iterator[model.Cause]:
    """ICMP errors that came through the tunnel in answer to packets that went into it."""
    many = [refused for refused in context.seen.refused_packets if refused.packets >= FEWEST_REFUSED]
    for code, codes, is_certain in (
        ("device_route_missing", _NO_ROUTE, True),
        ("device_firewall", _FORBIDDEN, True),
        ("device_route_missing", _NO_HOST, False),
    ):
        matching = [refused for refused in many if refused.code in codes]
        if matching:
            lines = (
                tuple(model.Evidence(at=context.seen_at, line=_line(refused)) for refused in matching)
                if context.seen_at
                else ()
            )
            yield cause_texts.cause(
                code,
                placeholders=context.placeholders,
                is_certain=is_certain,
                detail=_line(matching[0]),
                evidence=lines,
            )


def _path(context: Context) -> Iterator[model.Cause]:
    """The last check of the path of the present configuration, since the tunnel came up."""
    since = rule_context.first_up(context)
    checks = [
        (result.at, result.id, result.path)
        for result in context.related.probes
        if result.path is not None and result.configuration == context.seen.configuration and result.at >= since
    ]
    known = [checked for checked in checks if checked[2].outcome != "unanswered"]
    if not known or known[-1][2].outcome != "black_hole":
        return
    at, check_id, path = known[-1]
    detail = (
        f"an echo of {path.lost} bytes from {path.source} to {path.destination} got no answer, one of {path.passed} bytes did;"
        f" the tunnel takes packets of {path.mtu} bytes"
    )
    yield cause_texts.cause(
        "path_mtu",
        placeholders=context.placeholders,
        detail=detail,
        evidence=(model.Evidence(at=at, line=f"probe {check_id}: {path.finding}"),),
    )


def _line(refused: model.RefusedPackets) -> str:
    meaning = _CODES.get(refused.code, "unreachable")
    return f"{refused.reporter} answered {refused.packets} packets to {refused.destination} with ICMP {meaning} (code {refused.code})"


def _key(context: Context) -> Iterator[model.Cause]:
    """The tunnel was established with another PSK than the one that is loaded now. Attempts of the present configuration used the new PSK, except for
    those within the IKE_SA that the old PSK established.
    """
    if not context.seen.is_key_unproved:
        return
    until = _OLD_KEY_UNTIL[context.connection.ike_policy.version].format(
        seconds=context.connection.ike_policy.lifetime_seconds
    )
    with_new_key = tuple(attempt for attempt in context.seen.attempts if not attempt.within_sa)
    tried = replace(context, seen=replace(context.seen, attempts=with_new_key))
    for view in reversed(rule_context.views(tried)):
        for cause in attempt_causes.find(tried, view)[:1]:
            if cause.code in _REFUSALS:
                yield cause_texts.cause(
                    "new_psk_refused", placeholders=context.placeholders, detail=until, evidence=cause.evidence
                )
                return
    yield cause_texts.cause("key_not_proved", placeholders=context.placeholders, detail=until)


#: IKEv1 authenticates again at the end of the lifetime of phase 1, IKEv2 only when a new tunnel is established.
_OLD_KEY_UNTIL = {
    "v1": "the tunnel stays up with the old key until phase 1 is negotiated again, at most {seconds} s after phase 1 came up",
    "v2": "the tunnel stays up with the old key until one side ends it or does not answer",
}
