"""Makes facts of the matches of charon's log lines, one function for each kind of line. `line_rules` has the patterns.

A function gets the progress of the IKE_SA, the match, and `kept`: the time and the text that the fact keeps. It returns None when the line only
changes the progress.
"""

import re
from collections.abc import Callable
from typing import Any, Literal

from landbridge.engine.strongswan.ike import error_notifies, identities, proposals
from landbridge.engine.strongswan.ike.sa_progress import Progress
from landbridge.model import negotiation
from landbridge.model.negotiation import Fact, Party, Phase

Make = Callable[[Progress, re.Match[str], dict[str, Any]], Fact | None]
#: Payloads of a message, and subnets of a selector, that are read and kept. A peer can send very many.
PAYLOADS_KEPT = 40
#: Bytes of an IKEv1 message with one notify and both SPIs that is not encrypted: header 28, notify 12, SPIs 16.
PLAIN_NOTIFY = 56
_PAYLOAD = re.compile(r"[^\s(]+(?:\([^)]*\))?")
_V1_EXCHANGES = {"ID_PROT": "main", "AGGRESSIVE": "aggressive"}
#: The exchanges that begin an IKE_SA.
FIRST_EXCHANGES = ("IKE_SA_INIT", *_V1_EXCHANGES)


def plain(kind: Callable[..., Fact], **fields: Any) -> Make:
    """A fact that needs no text of the line."""
    return lambda _progress, _match, kept: kind(**kept, **fields)


# -- the beginning, messages and packets ------------------------------------------------------------------------------


def we_begin(progress: Progress, match: re.Match[str], _: dict[str, Any]) -> None:
    if not progress.is_up:
        progress.began_by, progress.peer_address = "us", match["peer"]


def device_begins(progress: Progress, match: re.Match[str], _: dict[str, Any]) -> None:
    if not progress.is_up:
        progress.began_by, progress.peer_address = "device", match["peer"]


def message(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    exchange = match["exchange"]
    if exchange in _V1_EXCHANGES or exchange in ("QUICK_MODE", "TRANSACTION") or exchange.endswith("_V1"):
        progress.version = "v1"
        progress.mode = _V1_EXCHANGES.get(exchange, progress.mode)  # type: ignore[assignment]
    else:
        progress.version = "v2"
    sender: Party = "us" if match["verb"] == "generating" else "device"
    payloads = tuple(_PAYLOAD.findall(match["payloads"])[:PAYLOADS_KEPT])
    if exchange == "TRANSACTION" and sender == "device" and any("X_USER" in payload for payload in payloads):
        return negotiation.MethodMismatch(**kept, method="xauth")
    message = negotiation.Message(
        **kept,
        sender=sender,
        exchange=exchange,
        is_request=match["kind"] == "request",
        id=int(match["id"]),
        payloads=payloads,
    )
    if sender == "device":
        progress.refused = error_notifies.error_of(message)
    return message


def packet(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    ours, theirs = ("from", "to") if match["verb"] == "sending" else ("to", "from")
    progress.peer_address = match[theirs]
    if match["verb"] == "received":
        progress.received = int(match["size"] or 0)
    return negotiation.Packet(
        **kept,
        sender="us" if match["verb"] == "sending" else "device",
        peer_address=match[theirs],
        peer_port=int(match[f"{theirs}_port"]),
        local_address=match[ours],
        local_port=int(match[f"{ours}_port"]),
    )


# -- retransmits ------------------------------------------------------------------------------------------------------


def our_retransmit(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    progress.our_message = int(match["message"])
    return negotiation.Retransmits(**kept, sender="us", count=int(match["count"]), message=progress.our_message)


def gave_up(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    count = int(match.groupdict().get("count") or 0)
    return negotiation.Retransmits(**kept, sender="us", count=count, message=progress.our_message, gave_up=True)


def their_retransmit(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    message = int(match["message"])
    before, count = progress.their_retransmits
    progress.their_retransmits = message, count + 1 if message == before else 1
    return negotiation.Retransmits(**kept, sender="device", count=progress.their_retransmits[1], message=message)


# -- proposals --------------------------------------------------------------------------------------------------------


def offered(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> None:
    progress.offered = kept["line"], proposals.parse(match["proposals"])


def configured(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    line, offered = progress.offered or ("", ())
    progress.offered = None
    return negotiation.ProposalMismatch(
        at=kept["at"],
        line=f"{line}\n{kept['line']}".strip(),
        phase=_phase_of(match["proposals"]),
        offered=offered,
        configured=proposals.parse(match["proposals"]),
    )


def chosen(_: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    text = match["proposals"]
    return negotiation.ProposalChosen(**kept, phase=_phase_of(text), proposal=proposals.parse(text)[0])


def _phase_of(text: str) -> Phase:
    return 1 if text.startswith("IKE:") else 2


# -- refusals ---------------------------------------------------------------------------------------------------------


def device_refused(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return negotiation.Refusal(**kept, sender="device", phase=progress.phase, notify=match["notify"])


def device_refused_the_child(_: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return negotiation.Refusal(**kept, sender="device", phase=2, notify=match["notify"])


def device_wants_a_group(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return _group_wanted(progress, "device", match, kept)


def we_want_a_group(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return _group_wanted(progress, "us", match, kept)


def unread(progress: Progress, _: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    """The device sends a notify while we wait for its last message: it refuses our message. A single notify is short unless it is encrypted."""
    if progress.is_up:
        return None
    data = "plain" if progress.received <= PLAIN_NOTIFY else "encrypted"
    return negotiation.Refusal(**kept, sender="device", phase=1, notify="UNREAD", data=data)


def unprotected(progress: Progress, _: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    """IKEv1: a notify without authentication. charon ignores it and waits, but the device has ended the negotiation."""
    if progress.is_up or progress.refused is None:
        return None
    return negotiation.Refusal(**kept, sender="device", phase=1, notify=progress.refused)


def _group_wanted(progress: Progress, sender: Party, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    group = proposals.group(match["group"])
    return negotiation.Refusal(**kept, sender=sender, phase=progress.phase, notify="INVALID_KE_PAYLOAD", data=group)


# -- which connection is meant, and who the device is -----------------------------------------------------------------


def looking(progress: Progress, match: re.Match[str], _: dict[str, Any]) -> None:
    local = match.groupdict().get("local")
    progress.ids = identities.identity(local) if local and local != "%any" else None, identities.identity(match["peer"])


def no_ids(progress: Progress, _: re.Match[str], kept: dict[str, Any]) -> Fact:
    local, peer = progress.ids or (None, None)
    return negotiation.NoConnection(**kept, reason="ids", local=local, peer=peer)


def selected(progress: Progress, _: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    return negotiation.PeerIdentity(**kept, got=progress.ids[1]) if progress.ids else None


def none_allows(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    if match["method"] != "pre-shared key":
        return negotiation.MethodMismatch(**kept, method=_method(match["method"]))
    local, peer = progress.ids or (None, None)
    return negotiation.NoConnection(**kept, reason="mode", local=local, peer=peer)


def proved(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    progress.proved = identities.identity(match["id"])
    return negotiation.PeerIdentity(**kept, got=progress.proved)


def other_identity(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    groups = match.groupdict()
    expected = identities.identity(match["wanted"], groups.get("wanted_type"))
    identity = (
        identities.identity(groups["got"], groups.get("got_type")) if groups.get("got") else progress.proved or expected
    )
    return negotiation.PeerIdentity(**kept, got=identity, wanted=expected)


# -- keys and methods -------------------------------------------------------------------------------------------------


def other_method(_: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return negotiation.MethodMismatch(**kept, method=_method(match["method"]))


def _method(text: str) -> Literal["certificate", "eap", "xauth", "other"]:
    if "xauth" in text.lower() or "Hybrid" in text:
        return "xauth"
    if "EAP" in text:
        return "eap"
    return "certificate" if "signature" in text or "public key" in text else "other"


# -- what came up and what ended --------------------------------------------------------------------------------------


def ike_up(progress: Progress, _: re.Match[str], kept: dict[str, Any]) -> Fact:
    progress.is_up = True
    return negotiation.Established(**kept, phase=1)


def ike_rekeyed(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    progress.is_superseded, progress.successor = True, match["number"]
    return negotiation.Established(**kept, phase=1, again=True)


def child_up(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    again = match["name"] in progress.was_up
    progress.was_up.add(match["name"])
    progress.children.add(match["name"], match["in"], match["out"])
    agreed = negotiation.Selectors(local=_nets(match["local"]), remote=_nets(match["remote"]))
    return negotiation.Established(**kept, phase=2, selectors=agreed, again=again)


def _nets(text: str) -> tuple[str, ...]:
    return tuple(text.split()[:PAYLOADS_KEPT])


def deleted(phase: Phase, sender: Party) -> Make:
    def make(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact | None:
        if phase == 2 and not progress.children.remove(match["spi"]):
            return None
        if progress.is_superseded:
            return None
        if phase == 1 and sender == "device" and progress.refused == "AUTHENTICATION_FAILED":
            return negotiation.Refusal(**kept, sender=sender, phase=1, notify=progress.refused)
        return negotiation.Deleted(**kept, sender=sender, phase=phase)

    return make


def replaced(progress: Progress, _: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    if progress.is_superseded:
        return None
    progress.is_superseded = True
    return negotiation.Replaced(**kept)


def reauthenticated(progress: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    progress.hands_over = True
    return replaced(progress, match, kept)


def over(progress: Progress, *_: Any) -> None:
    progress.is_over = True


def rekey_failed(_: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return negotiation.RekeyFailed(**kept, phase=2 if match.groupdict().get("what") == "CHILD" else 1)


# -- the rest ---------------------------------------------------------------------------------------------------------


def selectors(ours: str, theirs: str) -> Make:
    def make(_: Progress, match: re.Match[str], kept: dict[str, Any]) -> Fact:
        selectors = negotiation.Selectors(local=_nets(match[ours]), remote=_nets(match[theirs]))
        return negotiation.SelectorsRefused(**kept, asked=(selectors,))

    return make
