"""Why a tunnel is down: a table from lines that charon says to a reason and a remedy.

The heaviest known line of the last attempt decides. Among lines of equal weight the newest decides, and among rows for one line
the first. A line is not of the last attempt when the SA that it tells of came up later, or when a known line came more than
ATTEMPT later. The lines were read off strongSwan 5.9.8 as initiator and as responder, IKEv1 and IKEv2. As responder we see the
exact cause, as initiator often only that the device refused.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from landbridge import model


@dataclass(frozen=True, slots=True)
class KnownLine:
    """`weight`: a line of higher weight beats a newer line of lower weight, because a cause beats its consequences.
    `phase`: 2 when the line is about a CHILD_SA.
    """

    pattern: re.Pattern[str]
    reason: str
    remedy: str
    weight: int = 1
    phase: int = 1


def _known_line(pattern: str, reason: str, remedy: str, weight: int = 1, phase: int = 1) -> KnownLine:
    return KnownLine(re.compile(pattern), reason, remedy, weight, phase)


PHASE_2_REFUSED = _known_line(
    r"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
    "the device refused the phase 2 proposal (phase 1 is up)",
    "make encryption, authentication and PFS of ipsecpolicy the same on both sides",
    2,
    2,
)
PHASE_1_REFUSED = _known_line(
    r"received NO_PROPOSAL_CHOSEN",
    "the device refused the phase 1 proposal, or has no connection for this address and IKE version",
    "compare ikepolicy with the device, and our endpoint's address with the peer address set there",
    2,
)

KNOWN_LINES = (
    _known_line(
        r"tried \d+ shared keys? for .* but MAC mismatched",
        "the pre-shared keys of the two sides differ",
        "set the same PSK on the device and on this connection",
        3,
    ),
    _known_line(
        r"no shared key found for",
        "no pre-shared key fits the identities that the device uses",
        "compare the device's local id with peer_id, and its remote id with local_id",
        3,
    ),
    _known_line(
        r"invalid (HASH|ID)_V1 payload length, decryption failed|could not decrypt payloads|calculated HASH does not match",
        "the pre-shared keys of the two sides differ (the device's answer could not be decrypted)",
        "set the same PSK on the device and on this connection",
        3,
    ),
    _known_line(
        r"no (matching )?peer config found",
        "the device calls itself by an id that this connection does not expect",
        "set peer_id (and peer_id_type) to the id in the line, or change the device's local id",
        3,
    ),
    _known_line(
        r"ID[ir]r? '.*' does not match to",
        "the device answers with an id that this connection does not expect",
        "set peer_id (and peer_id_type) to the id in the line, or change the device's local id",
        3,
    ),
    _known_line(
        r"none allows pre-shared key authentication using (Main|Aggressive) Mode",
        "the device uses the other IKEv1 mode (main or aggressive)",
        "set phase1_negotiation_mode to the device's mode",
        3,
    ),
    _known_line(
        r"received proposals unacceptable|no proposal found$",
        "no phase 1 proposal fits both sides: the lines show what the device offers and what is configured here",
        "make encryption, authentication, DH group and IKE version of ikepolicy the same on both sides",
        3,
    ),
    _known_line(
        r"no acceptable proposal found|no matching proposal found, sending NO_PROPOSAL_CHOSEN",
        "no phase 2 proposal fits both sides: the lines show what the device offers and what is configured here",
        "make encryption, authentication and PFS of ipsecpolicy the same on both sides",
        3,
        2,
    ),
    _known_line(
        r"no IKE config found for",
        "the device comes from another address or with another IKE version than configured",
        "compare the customer gateway's address and ike_version with the device",
        3,
    ),
    _known_line(
        r"no matching CHILD_SA config found|traffic selectors .* unacceptable",
        "the device asks for subnets that this connection does not have",
        "make the subnets of both sides mirror each other; the line shows what the device asked for",
        3,
        2,
    ),
    _known_line(
        r"unable to install .*policies|error installing route",
        "the data plane of the gateway could not install the tunnel",
        "look at the gateway's log; this is not the device's fault",
        3,
        2,
    ),
    _known_line(
        r"received TS_UNACCEPTABLE|received INVALID_ID_INFORMATION",
        "the device refused the subnets (phase 1 is up)",
        "make the subnets of both sides mirror each other",
        2,
        2,
    ),
    PHASE_2_REFUSED,
    PHASE_1_REFUSED,
    _known_line(
        r"failed to establish CHILD_SA",
        "phase 2 failed (phase 1 is up)",
        "compare ipsecpolicy and the subnets with the device",
        1,
        2,
    ),
    _known_line(
        r"received AUTHENTICATION_FAILED",
        "the device refused our identity or the pre-shared key",
        "compare the PSK and the ids on both sides; if the device dials in, the exact cause shows here",
        2,
    ),
    _known_line(
        r"received INVALID_KE_PAYLOAD",
        "the device has no pre-shared key for us, or wants another DH group",
        "compare the PSK's identities and the DH group on both sides",
        2,
    ),
    _known_line(
        r"giving up after \d+ retransmits|peer not responding|retransmit \d+ of request",
        "the device does not answer",
        "check its address, and that UDP ports 500 and 4500 are open on the way; in IKEv1 main mode it may be the PSK",
        1,
    ),
)


#: What can be wrong with a single CHILD_SA while others are up.
OF_PHASE_2 = tuple(row for row in KNOWN_LINES if row.phase == 2)
#: An attempt is over in that time: charon gives up a request after 165 s.
ATTEMPT = timedelta(minutes=5)
_IKE_SA_UP = re.compile(r"\bIKE_SA \S+\[\d+\] established")
_CHILD_SA_UP = re.compile(r"\bCHILD_SA \S+\{\d+\} established")
#: For a connection with some CHILD_SAs up: no line says whether a CHILD_SA that is down was ever up.
_NEVER_UP = {1: -1, 2: -1}


def of(connection: model.Connection, seen: model.ConnectionObservation) -> model.Explanation:
    """The reason why an applied connection has no CHILD_SA."""
    known = _read(seen.evidence, KNOWN_LINES, _last_up(seen.evidence))
    if known is not None:
        row, lines = known
        if row is PHASE_1_REFUSED and seen.ike_established:  # IKEv1 says the same of both phases
            row = PHASE_2_REFUSED
        return model.Explanation(reason=row.reason, remedy=row.remedy, evidence=lines)
    if seen.ike_established:
        return model.Explanation(reason="phase 1 is up, phase 2 is not yet", evidence=seen.evidence)
    if seen.waits_for_peer:
        return model.Explanation(
            reason="waiting for the device, which has no fixed address and must dial in",
            remedy=f"point the device at this endpoint and let it call itself {connection.ike_policy.peer_id}",
        )
    return model.Explanation(reason="negotiating, nothing has been refused yet", evidence=seen.evidence)


def of_pairs(seen: model.ConnectionObservation) -> model.Explanation | None:
    """Why some pairs of a connection are down while others are up. None when no line is about phase 2."""
    known = _read(seen.evidence, OF_PHASE_2, _NEVER_UP)
    return model.Explanation(reason=known[0].reason, remedy=known[0].remedy, evidence=known[1]) if known else None


def _last_up(evidence: tuple[model.Evidence, ...]) -> dict[int, int]:
    """Phase -> the position of the last line that says that its SA is up; -1 where no line does."""
    children = [position for position, line in enumerate(evidence) if _CHILD_SA_UP.search(line.line)]
    parents = [position for position, line in enumerate(evidence) if _IKE_SA_UP.search(line.line)]
    return {1: max(children + parents, default=-1), 2: max(children, default=-1)}


def _read(
    evidence: tuple[model.Evidence, ...], rows: tuple[KnownLine, ...], last_up: Mapping[int, int]
) -> tuple[KnownLine, tuple[model.Evidence, ...]] | None:
    """The heaviest row that a line of the last attempt fits, newest line first, with the lines that show it."""
    found = [
        (row, position)
        for position, line in enumerate(evidence)
        for row in _fitting(line.line, rows)
        if position > last_up[row.phase]
    ]
    if not found:
        return None
    began = evidence[found[-1][1]].at - ATTEMPT
    recent = [(row, position) for row, position in found if evidence[position].at >= began]
    row, position = max(recent, key=lambda hit: (hit[0].weight, hit[1]))
    return row, tuple(_around(evidence, position))


def _fitting(line: str, rows: tuple[KnownLine, ...]) -> Iterator[KnownLine]:
    return (row for row in rows if row.pattern.search(line))


def _around(evidence: tuple[model.Evidence, ...], position: int) -> Iterator[model.Evidence]:
    """The line itself, and before it the two proposals, when the lines before it quote them."""
    for line in evidence[max(0, position - 3) : position]:
        if re.search(r"(received|configured) proposals:|looking for", line.line):
            yield line
    yield evidence[position]
