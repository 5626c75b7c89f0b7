"""What charon would say of a negotiation, line by line, and when: pure.

The words are those of strongSwan 5.9 at its usual level, without the proposals. A real negotiation with a device that does not
answer takes minutes; here every negotiation takes NEGOTIATION_SECONDS, and one that failed begins again every RETRY_SECONDS.
"""

from datetime import datetime, timedelta

from landbridge import model
from landbridge.model import negotiation

NEGOTIATION_SECONDS = 0.05
RETRY_SECONDS = 10.0
#: Lines that are kept of a connection.
KEPT = 50
#: Where a device without an address is said to begin from: no address that a site gives out (RFC 2544).
ROAMING_PEER = "198.18.0.1"
#: The states in which a connection fails.
FAILURES = ("down", "down:psk", "down:proposal", "down:selectors")


def log_lines(
    one: model.DesiredConnection, simulate: str, spi: str, loaded_at: datetime, elapsed: float
) -> tuple[model.Evidence, ...]:
    """The last lines of a connection that was loaded `elapsed` seconds ago."""
    lines = _lines(one, simulate, spi)
    if simulate in FAILURES:  # who sees DOWN asks why at once
        elapsed = max(elapsed, NEGOTIATION_SECONDS)
    attempts = int(elapsed // RETRY_SECONDS) if simulate in FAILURES else 0
    first = max(0, attempts - KEPT // len(lines) - 1)
    pause = NEGOTIATION_SECONDS / max(1, len(lines) - 1)
    moments = (
        (attempt * RETRY_SECONDS + number * pause, line)
        for attempt in range(first, attempts + 1)
        for number, line in enumerate(lines)
    )
    past = [
        model.Evidence(at=loaded_at + timedelta(seconds=at), line=line) for at, line in moments if at <= elapsed + 1e-6
    ]
    return tuple(past[-KEPT:])


def probe(one: model.DesiredConnection, order: model.ProbeOrder, simulate: str, at: datetime) -> model.ProbeResult:
    """What the simulated device answers: nothing where it is down, and another cipher where the proposal does not fit."""
    policy = one.connection.ike_policy
    other = "aes-128" if policy.encryption_algorithm == "aes-256" else "aes-256"
    chosen = negotiation.Proposal(
        encryption=(other if simulate == "down:proposal" else policy.encryption_algorithm,),
        integrity=(policy.authentication_algorithm,),
        prf=(policy.authentication_algorithm,),
        groups=(policy.dh_group or "",),
    )
    answer = model.ProbeAnswer(
        ike_version=policy.version,
        mode=policy.negotiation_mode if policy.version == "v1" else None,
        outcome="silent" if simulate == "down" else "chosen",
        proposal=None if simulate == "down" else chosen,
    )
    return model.ProbeResult(
        id=order.id,
        connection_id=one.id,
        at=at,
        reason="order",
        configuration="",
        local_address=one.local_address,
        peer_address=one.peer_address or "",
        answers=(answer,),
    )


def _lines(one: model.DesiredConnection, simulate: str, spi: str) -> tuple[str, ...]:
    policy, peer = one.connection.ike_policy, one.peer_address or ROAMING_PEER
    ikev1 = policy.version == "v1"
    begin = _begin(one, peer, ikev1=ikev1)
    failed = {
        "down": (
            *(f"retransmit {number} of request with message ID 0" for number in range(1, 6)),
            "giving up after 5 retransmits",
            "establishing IKE_SA failed, peer not responding",
        ),
        "down:proposal": (f"received NO_PROPOSAL_CHOSEN {'error notify' if ikev1 else 'notify error'}",),
        "down:psk": (
            f"{peer} is initiating {'a Main Mode' if ikev1 else 'an'} IKE_SA",
            f"looking for peer configs matching {_ends(one, peer)}",
            f"selected peer config '{one.id}'",
            f"tried 1 shared key for '{_ids(one, peer)[0]}' - '{_ids(one, peer)[1]}', but MAC mismatched",
        ),
    }
    if simulate == "down:psk":
        return failed[simulate]
    if simulate in failed:
        return (begin, *failed[simulate])
    return (begin, *_phase_1(one, peer, ikev1=ikev1), *_phase_2(one, simulate, spi, ikev1=ikev1))


def _begin(one: model.DesiredConnection, peer: str, *, ikev1: bool) -> str:
    mode = f"{(one.connection.ike_policy.negotiation_mode or 'main').title()} Mode " if ikev1 else ""
    if one.peer_address is None:
        return f"{peer} is initiating {'a' if ikev1 else 'an'} {mode}IKE_SA"
    return f"initiating {mode}IKE_SA {one.id}[1] to {peer}"


def _phase_1(one: model.DesiredConnection, peer: str, *, ikev1: bool) -> tuple[str, ...]:
    ours, theirs = _ids(one, peer)
    asked = () if ikev1 or one.peer_address is None else (f"establishing CHILD_SA {one.id}.0{{1}}",)
    proved = (
        f"authentication of '{ours}' (myself) with pre-shared key",
        *asked,
        f"authentication of '{theirs}' with pre-shared key successful",
    )
    return (*(() if ikev1 else proved), f"IKE_SA {one.id}[1] established between {_ends(one, peer)}")


def _ids(one: model.DesiredConnection, peer: str) -> tuple[str, str]:
    policy = one.connection.ike_policy
    return policy.local_id or one.local_address, policy.peer_id or peer


def _ends(one: model.DesiredConnection, peer: str) -> str:
    ours, theirs = _ids(one, peer)
    return f"{one.local_address}[{ours}]...{peer}[{theirs}]"


def _phase_2(one: model.DesiredConnection, simulate: str, spi: str, *, ikev1: bool) -> tuple[str, ...]:
    if simulate == "down:selectors" and ikev1:
        return ("received INVALID_ID_INFORMATION error notify",)
    if simulate == "down:selectors":
        return ("received TS_UNACCEPTABLE notify, no CHILD_SA built", "failed to establish CHILD_SA, keeping IKE_SA")
    subnets = " ".join(one.connection.peer_subnets or ("0.0.0.0/0",))
    return (f"CHILD_SA {one.id}.0{{1}} established with SPIs {spi[:8]}_i {spi[8:]}_o and TS 0.0.0.0/0 === {subnets}",)
