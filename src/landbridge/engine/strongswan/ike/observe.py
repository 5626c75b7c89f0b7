"""Observes what charon holds for a gateway. It changes nothing."""

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.ike import attempts, charon, unanswered_requests, vici_session
from landbridge.engine.strongswan.ike.state import IkeState, parse_conns, parse_ends, parse_sas


def observe(
    folder: Path,
    waiting: unanswered_requests.UnansweredRequests,
    log: attempts.AttemptLog,
    recently_initiated: Collection[str],
) -> IkeState:
    """Raises OSError, or one of `vici_protocol.PROTOCOL_ERRORS`, when a charon is there but does not answer: that is not the same as
    its being gone, and a second charon beside it would be worse than none.
    """
    start = charon.started(folder)
    try:
        connection = charon.CHARON.connect(folder)
    except daemon.NOT_LISTENING:
        return IkeState(**_of(start), recently_initiated=frozenset(recently_initiated))
    with connection:
        conns, secrets, sas = vici_session.list_loaded(connection)
    ends, ike_sas = parse_ends(conns), parse_sas(sas)
    waiting.keep(frozenset(sa.unique_id for sa in ike_sas))
    state = IkeState(
        alive=True,
        **_of(start),
        conns=parse_conns(conns),
        secrets=secrets,
        sas=ike_sas,
        recently_initiated=frozenset(recently_initiated),
        unanswered=waiting.seconds({sa.unique_id for sa in ike_sas if sa.negotiating}),
    )
    log.observe(state, ends)
    return dataclasses.replace(
        state, attempts=log.attempts(), strangers=log.strangers(), unknown_lines=log.unknown_lines
    )


def silent(folder: Path) -> IkeState:
    """A charon that is there and has not answered for a long time."""
    return IkeState(alive=True, answers=False, **_of(charon.started(folder)))


def _of(start: charon.Start) -> dict[str, Any]:
    return {"restarts": start.restarts, "started_at": start.at, "died": start.died}
