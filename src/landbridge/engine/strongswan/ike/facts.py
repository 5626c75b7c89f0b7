"""Parses the log lines of one IKE_SA into facts. Pure.

Only this module knows the texts of charon's lines. They are those of strongSwan 5.9.8 as initiator and as responder. Where 6.0 has another
text, the rule matches both (source: the DBG1 calls of libcharon at 5.9.8 and at 6.0.6).

A rule makes a fact of a line, or keeps a value that a later line completes. Other lines are ignored (`other_lines`) or unknown. An unknown line becomes a
fact too, so that no line is lost.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from landbridge.engine.strongswan.ike import other_lines, proposals
from landbridge.model import negotiation
from landbridge.model.negotiation import Fact, Party, Phase

#: How many characters of a line, and payloads of a message, are read and kept. A peer can make both very long.
LINE_KEPT = 1000
PAYLOADS_KEPT = 40
#: A line of charon's sender without an SA. It is about the SA that sent the last packet.
NOT_SENT = "error writing to socket: "
#: Bytes of an IKEv1 message with one notify and both SPIs that is not encrypted: header 28, notify 12, SPIs 16.
PLAIN_NOTIFY = 56
#: CHILD_SAs of a connection that are kept, to distinguish a DELETE that ends a tunnel from one that follows a rekey.
CHILDREN_KEPT = 600

#: charon's abbreviation of an error notify -> its name in the RFC.
ERROR_NOTIFIES = {
    "INVAL_IKE_SPI": "INVALID_IKE_SPI",
    "INVAL_MAJOR": "INVALID_MAJOR_VERSION",
    "INVAL_SYN": "INVALID_SYNTAX",
    "INVAL_MID": "INVALID_MESSAGE_ID",
    "ATTR_UNSUP": "ATTRIBUTES_NOT_SUPPORTED",
    "NO_PROP": "NO_PROPOSAL_CHOSEN",
    "PLD_MAL": "PAYLOAD_MALFORMED",
    "INVAL_KE": "INVALID_KE_PAYLOAD",
    "INVAL_ID": "INVALID_ID_INFORMATION",
    "INVAL_CERT": "INVALID_CERTIFICATE",
    "CERT_UNSUP": "CERT_TYPE_UNSUPPORTED",
    "INVAL_CA": "INVALID_CERT_AUTHORITY",
    "INVAL_HASH": "INVALID_HASH_INFORMATION",
    "AUTH_FAILED": "AUTHENTICATION_FAILED",
    "SINGLE_PAIR": "SINGLE_PAIR_REQUIRED",
    "NO_ADD_SAS": "NO_ADDITIONAL_SAS",
    "INT_ADDR_FAIL": "INTERNAL_ADDRESS_FAILURE",
    "FAIL_CP_REQ": "FAILED_CP_REQUIRED",
    "TS_UNACCEPT": "TS_UNACCEPTABLE",
    "INVAL_SEL": "INVALID_SELECTORS",
    "TEMP_FAIL": "TEMPORARY_FAILURE",
    "NO_CHILD_SA": "CHILD_SA_NOT_FOUND",
}
_NOTIFY = re.compile(r"N\(([^)]*)\)$")
_PAYLOAD = re.compile(r"[^\s(]+(?:\([^)]*\))?")
_V1_EXCHANGES = {"ID_PROT": "main", "AGGRESSIVE": "aggressive"}
#: The exchanges that begin an IKE_SA.
FIRST_EXCHANGES = ("IKE_SA_INIT", *_V1_EXCHANGES)


def error_of(message: negotiation.Message) -> str | None:
    """The name of the error notify in a message; None without one."""
    for payload in message.payloads:
        found = _NOTIFY.match(payload)
        if found and found[1] in ERROR_NOTIFIES:
            return ERROR_NOTIFIES[found[1]]
    return None


class Children:
    """The CHILD_SAs of one connection by their SPIs. It knows which of them a newer one has replaced."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[str, int]] = {}
        self._newest: dict[str, int] = {}
        self._made = 0

    def add(self, name: str, *spis: str) -> None:
        """Adds a CHILD_SA by its SPIs."""
        self._made += 1
        while len(self._of) >= CHILDREN_KEPT:
            del self._of[next(iter(self._of))]
        self._of |= dict.fromkeys(spis, (name, self._made))
        self._newest[name] = self._made

    def remove(self, spi: str) -> bool:
        """Removes a CHILD_SA. Returns whether the tunnel loses the child: False when another SA replaced it, and the second time."""
        name, made = self._of.pop(spi, ("", 0))
        if made == 0:
            return not self._newest
        return self._newest.get(name) == made and self._newest.pop(name) == made


class Reader:
    """Reads the lines of one IKE_SA.

    `is_up`: the IKE_SA is established. `is_over`: charon has destroyed it. `began_by`, `peer_address`, `version` and `mode` are None until a line
    shows them. `successor`: the number of the IKE_SA that replaced it by a rekey. `hands_over`: its children move to an IKE_SA that the
    peer establishes.
    """

    __slots__ = (
        "began_by",
        "children",
        "hands_over",
        "ids",
        "is_over",
        "is_superseded",
        "is_up",
        "mode",
        "offered",
        "our_message",
        "peer_address",
        "proved",
        "received",
        "refused",
        "successor",
        "their_retransmits",
        "version",
        "was_up",
    )

    def __init__(self, children: Children | None = None) -> None:
        self.is_up = self.is_over = self.is_superseded = self.hands_over = False
        self.began_by: Party | None = None
        self.peer_address: str | None = None
        self.version: Literal["v1", "v2"] | None = None
        self.mode: Literal["main", "aggressive"] | None = None
        self.successor: str | None = None
        self.children = children or Children()
        self.was_up: set[str] = set()
        self.offered: tuple[str, tuple[negotiation.Proposal, ...]] | None = None
        self.ids: tuple[negotiation.Identity | None, negotiation.Identity] | None = None
        self.proved: negotiation.Identity | None = None
        self.our_message = 0
        self.received = 0
        self.refused: str | None = None
        self.their_retransmits = (0, 0)

    def read(self, at: datetime, line: str) -> Fact | None:
        """The fact of a line; None for an ignored line, and for a line that a later one completes."""
        whole, line = line, line[:LINE_KEPT]
        if line.startswith(_LISTS):
            line = whole
        kept: dict[str, Any] = {"at": at, "line": whole[:LINE_KEPT]}
        for pattern, make in _RULES.get(line[: line.find(" ")], ()):
            if match := pattern.match(line):
                return make(self, match, kept)
        for pattern, make in _RULES[""]:
            if match := pattern.match(line):
                return make(self, match, kept)
        if other_lines.is_ignored(line):
            return None
        return negotiation.Unknown(**kept, is_refusal=other_lines.is_failure(line))

    @property
    def phase(self) -> Phase:
        return 2 if self.is_up else 1


#: Lines that are read to their end, since an offer of hundreds of proposals is long. The time of their rules is linear in the length.
_LISTS = ("received proposals: ", "configured proposals: ")
_Make = Callable[[Reader, re.Match[str], dict[str, Any]], Fact | None]


_KINDS: dict[str, negotiation.IdKind] = {
    "ID_IPV4_ADDR": "ip",
    "ID_IPV6_ADDR": "ip",
    "ID_FQDN": "fqdn",
    "ID_RFC822_ADDR": "email",
    "ID_DER_ASN1_DN": "dn",
    "ID_KEY_ID": "key_id",
}


def identity(text: str, id_type: str | None = None) -> negotiation.Identity:
    """Without a type the kind is guessed from the text: charon mostly writes that alone, and an FQDN identity `10.1.2.3` looks like an
    address.
    """
    if id_type is not None:
        return negotiation.Identity(kind=_KINDS.get(id_type, "other"), value=text[:256])
    kind: negotiation.IdKind = "fqdn"
    if re.fullmatch(r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*|\d+(?:\.\d+){3}", text):
        kind = "ip"
    elif "=" in text:
        kind = "dn"
    elif "@" in text:
        kind = "email"
    return negotiation.Identity(kind=kind, value=text[:256])


def _plain(kind: Callable[..., Fact], **fields: Any) -> _Make:
    """A fact that needs no text of the line."""
    return lambda _reader, _match, kept: kind(**kept, **fields)


# -- the beginning, messages and packets ------------------------------------------------------------------------------


def _we_begin(reader: Reader, match: re.Match[str], _: dict[str, Any]) -> None:
    if not reader.is_up:
        reader.began_by, reader.peer_address = "us", match["peer"]


def _device_begins(reader: Reader, match: re.Match[str], _: dict[str, Any]) -> None:
    if not reader.is_up:
        reader.began_by, reader.peer_address = "device", match["peer"]


def _message(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    exchange = match["exchange"]
    if exchange in _V1_EXCHANGES or exchange in ("QUICK_MODE", "TRANSACTION") or exchange.endswith("_V1"):
        reader.version = "v1"
        reader.mode = _V1_EXCHANGES.get(exchange, reader.mode)  # type: ignore[assignment]
    else:
        reader.version = "v2"
    sender: Party = "us" if match["verb"] == "generating" else "device"
    payloads = tuple(_PAYLOAD.findall(match["payloads"])[:PAYLOADS_KEPT])
    if exchange == "TRANSACTION" and sender == "device" and any("X_USER" in each for each in payloads):
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
        reader.refused = error_of(message)
    return message


def _packet(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    ours, theirs = ("from", "to") if match["verb"] == "sending" else ("to", "from")
    reader.peer_address = match[theirs]
    if match["verb"] == "received":
        reader.received = int(match["size"] or 0)
    return negotiation.Packet(
        **kept,
        sender="us" if match["verb"] == "sending" else "device",
        peer_address=match[theirs],
        peer_port=int(match[f"{theirs}_port"]),
        local_address=match[ours],
        local_port=int(match[f"{ours}_port"]),
    )


# -- retransmits ------------------------------------------------------------------------------------------------------


def _our_retransmit(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    reader.our_message = int(match["message"])
    return negotiation.Retransmits(**kept, sender="us", count=int(match["count"]), message=reader.our_message)


def _gave_up(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    count = int(match.groupdict().get("count") or 0)
    return negotiation.Retransmits(**kept, sender="us", count=count, message=reader.our_message, gave_up=True)


def _their_retransmit(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    message = int(match["message"])
    before, count = reader.their_retransmits
    reader.their_retransmits = message, count + 1 if message == before else 1
    return negotiation.Retransmits(**kept, sender="device", count=reader.their_retransmits[1], message=message)


# -- proposals --------------------------------------------------------------------------------------------------------


def _offered(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> None:
    reader.offered = kept["line"], proposals.parse(match["proposals"])


def _configured(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    line, offered = reader.offered or ("", ())
    reader.offered = None
    return negotiation.ProposalMismatch(
        at=kept["at"],
        line=f"{line}\n{kept['line']}".strip(),
        phase=_phase_of(match["proposals"]),
        offered=offered,
        configured=proposals.parse(match["proposals"]),
    )


def _chosen(_: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    text = match["proposals"]
    return negotiation.ProposalChosen(**kept, phase=_phase_of(text), proposal=proposals.parse(text)[0])


def _phase_of(text: str) -> Phase:
    return 1 if text.startswith("IKE:") else 2


# -- refusals ---------------------------------------------------------------------------------------------------------


def _device_refused(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return negotiation.Refusal(**kept, sender="device", phase=reader.phase, notify=match["notify"])


def _device_refused_the_child(_: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return negotiation.Refusal(**kept, sender="device", phase=2, notify=match["notify"])


def _device_wants_a_group(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return _group_wanted(reader, "device", match, kept)


def _we_want_a_group(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return _group_wanted(reader, "us", match, kept)


def _unread(reader: Reader, _: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    """The device sends a notify while we wait for its last message: it refuses our message. A single notify is short unless it is encrypted."""
    if reader.is_up:
        return None
    data = "plain" if reader.received <= PLAIN_NOTIFY else "encrypted"
    return negotiation.Refusal(**kept, sender="device", phase=1, notify="UNREAD", data=data)


def _unprotected(reader: Reader, _: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    """IKEv1: a notify without authentication. charon ignores it and waits, but the device has ended the negotiation."""
    if reader.is_up or reader.refused is None:
        return None
    return negotiation.Refusal(**kept, sender="device", phase=1, notify=reader.refused)


def _group_wanted(reader: Reader, sender: Party, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    group = proposals.group(match["group"])
    return negotiation.Refusal(**kept, sender=sender, phase=reader.phase, notify="INVALID_KE_PAYLOAD", data=group)


# -- which connection is meant, and who the device is -----------------------------------------------------------------


def _looking(reader: Reader, match: re.Match[str], _: dict[str, Any]) -> None:
    local = match.groupdict().get("local")
    reader.ids = identity(local) if local and local != "%any" else None, identity(match["peer"])


def _no_ids(reader: Reader, _: re.Match[str], kept: dict[str, Any]) -> Fact:
    local, peer = reader.ids or (None, None)
    return negotiation.NoConnection(**kept, reason="ids", local=local, peer=peer)


def _selected(reader: Reader, _: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    return negotiation.PeerIdentity(**kept, got=reader.ids[1]) if reader.ids else None


def _none_allows(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    if match["method"] != "pre-shared key":
        return negotiation.MethodMismatch(**kept, method=_method(match["method"]))
    local, peer = reader.ids or (None, None)
    return negotiation.NoConnection(**kept, reason="mode", local=local, peer=peer)


def _proved(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    reader.proved = identity(match["id"])
    return negotiation.PeerIdentity(**kept, got=reader.proved)


def _other_identity(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    groups = match.groupdict()
    wanted = identity(match["wanted"], groups.get("wanted_type"))
    got = identity(groups["got"], groups.get("got_type")) if groups.get("got") else reader.proved or wanted
    return negotiation.PeerIdentity(**kept, got=got, wanted=wanted)


# -- keys and methods -------------------------------------------------------------------------------------------------


def _other_method(_: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return negotiation.MethodMismatch(**kept, method=_method(match["method"]))


def _method(text: str) -> Literal["certificate", "eap", "xauth", "other"]:
    if "xauth" in text.lower() or "Hybrid" in text:
        return "xauth"
    if "EAP" in text:
        return "eap"
    return "certificate" if "signature" in text or "public key" in text else "other"


# -- what came up and what ended --------------------------------------------------------------------------------------


def _ike_up(reader: Reader, _: re.Match[str], kept: dict[str, Any]) -> Fact:
    reader.is_up = True
    return negotiation.Established(**kept, phase=1)


def _ike_rekeyed(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    reader.is_superseded, reader.successor = True, match["number"]
    return negotiation.Established(**kept, phase=1, again=True)


def _child_up(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    again = match["name"] in reader.was_up
    reader.was_up.add(match["name"])
    reader.children.add(match["name"], match["in"], match["out"])
    agreed = negotiation.Selectors(local=_nets(match["local"]), remote=_nets(match["remote"]))
    return negotiation.Established(**kept, phase=2, selectors=agreed, again=again)


def _nets(text: str) -> tuple[str, ...]:
    return tuple(text.split()[:PAYLOADS_KEPT])


def _deleted(phase: Phase, sender: Party) -> _Make:
    def make(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact | None:
        if phase == 2 and not reader.children.remove(match["spi"]):
            return None
        if reader.is_superseded:
            return None
        if phase == 1 and sender == "device" and reader.refused == "AUTHENTICATION_FAILED":
            return negotiation.Refusal(**kept, sender=sender, phase=1, notify=reader.refused)
        return negotiation.Deleted(**kept, sender=sender, phase=phase)

    return make


def _replaced(reader: Reader, _: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    if reader.is_superseded:
        return None
    reader.is_superseded = True
    return negotiation.Replaced(**kept)


def _reauthenticated(reader: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact | None:
    reader.hands_over = True
    return _replaced(reader, match, kept)


def _over(reader: Reader, *_: Any) -> None:
    reader.is_over = True


def _rekey_failed(_: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
    return negotiation.RekeyFailed(**kept, phase=2 if match.groupdict().get("what") == "CHILD" else 1)


# -- the rest ---------------------------------------------------------------------------------------------------------


def _selectors(ours: str, theirs: str) -> _Make:
    def make(_: Reader, match: re.Match[str], kept: dict[str, Any]) -> Fact:
        asked = negotiation.Selectors(local=_nets(match[ours]), remote=_nets(match[theirs]))
        return negotiation.SelectorsRefused(**kept, asked=(asked,))

    return make


#: strongSwan 6.0 logs both ids with their types.
_OF_TYPES = (
    r"constraint check failed: identity '(?P<wanted>.*)' \((?P<wanted_type>\w+)\) required"
    r"(?:, not matched by '(?P<got>.*)' \((?P<got_type>\w+)\))?$"
)
_GROUP_METHOD = "(?:DH group|key exchange method)"
_CHILD_UP = (
    r"(?:inbound )?CHILD_SA (?P<name>\S+)\{\d+\} established with SPIs (?P<in>\w+)_i (?P<out>\w+)_o"
    r" and TS (?P<local>.*) === (?P<remote>.*)"
)
_TABLE: tuple[tuple[str, str, _Make], ...] = (
    # the first word of the line (empty when the line begins with a value), the pattern, the function that makes the fact
    ("initiating", r"initiating (?:Main Mode |Aggressive Mode )?IKE_SA \S+\[\d+\] to (?P<peer>\S+)", _we_begin),
    ("", r"(?P<peer>[\d.]+|[\da-f:]+) is initiating (?:an? .*)?IKE_SA", _device_begins),
    *(
        (
            verb,
            r"(?P<verb>\S+) (?P<exchange>\S+) (?P<kind>request|response) (?P<id>\d+) \[ (?P<payloads>.*)\]$",
            _message,
        )
        for verb in ("generating", "parsed")
    ),
    *(
        (
            verb,
            (
                r"(?P<verb>\S+) packet: from (?P<from>\S+)\[(?P<from_port>\d+)\] to (?P<to>\S+)\[(?P<to_port>\d+)\]"
                r"(?: \((?P<size>\d+) bytes\))?"
            ),
            _packet,
        )
        for verb in ("sending", "received")
    ),
    ("retransmit", r"retransmit (?P<count>\d+) of request with message ID (?P<message>\d+)", _our_retransmit),
    ("sending", r"sending retransmit (?P<count>\d+) of \S+ message ID \d+, seq (?P<message>\d+)", _our_retransmit),
    ("giving", r"giving up after (?P<count>\d+) retransmits", _gave_up),
    ("DPD", r"DPD check timed out", _gave_up),
    ("deleting", r"deleting half open IKE_SA .*after timeout", _gave_up),
    ("received", r"received retransmit of (?:request|response) with ID (?P<message>\d+)", _their_retransmit),
    ("received", r"received proposals: (?P<proposals>.*)", _offered),
    ("configured", r"configured proposals: (?P<proposals>.*)", _configured),
    ("selected", r"selected proposal: (?P<proposals>.*)", _chosen),
    ("received", r"received (?P<notify>\S+) notify, no CHILD_SA built", _device_refused_the_child),
    ("received", r"received (?P<notify>\S+) notify, will retry later", _device_refused_the_child),
    ("received", r"received (?P<notify>TEMPORARY_FAILURE) notify$", _device_refused_the_child),  # 6.0
    ("received", r"received (?P<notify>\S+) (?:notify error|error notify)", _device_refused),
    ("ignoring", r"ignoring unprotected INFORMATIONAL from ", _unprotected),
    ("queueing", r"queueing INFORMATIONAL_V1 request as tasks still active", _unread),
    ("peer", rf"peer didn't accept {_GROUP_METHOD} \S+, it requested (?P<group>\S+)", _device_wants_a_group),
    (
        "requested",
        rf"requested {_GROUP_METHOD} (?P<group>\S+) not (?:contained|supported)",
        _device_wants_a_group,
    ),
    ("DH", r"DH group \S+ unacceptable, requesting (?P<group>\S+)", _we_want_a_group),
    ("key", r"key exchange method \S+ unacceptable, requesting (?P<group>\S+)", _we_want_a_group),
    ("no", r"no IKE config found for ", _plain(negotiation.NoConnection, reason="address")),
    ("looking", r"looking for peer configs matching [^\s[]+\[(?P<local>.*)\]\.\.\.[^\s[]+\[(?P<peer>.*)\]$", _looking),
    ("looking", r"looking for .* peer configs matching [^\s[]+\[(?P<peer>.*)\]$", _looking),
    ("no", r"no (?:matching )?peer config found", _no_ids),
    (
        "selected",
        r"selected peer config .* unacceptable: insufficient authentication rounds",
        _plain(negotiation.MethodMismatch, method="other"),
    ),
    ("selected", r"selected peer config .* unacceptable", lambda *_: None),
    ("selected", r"selected peer config ", _selected),
    ("found", r"found \d+ matching configs?, but none allows (?P<method>.*) authentication using", _none_allows),
    ("authentication", r"authentication of '(?P<id>.*)' with .* successful$", _proved),
    ("constraint", r"constraint check failed: identity '(?P<wanted>.*)' required", _other_identity),
    ("constraint", _OF_TYPES, _other_identity),
    ("", r"ID\S+ '(?P<got>.*)' does not match to '(?P<wanted>.*)'", _other_identity),
    ("received", r"received IDr (?P<got>.*), but require (?P<wanted>.*)", _other_identity),
    ("tried", r"tried \d+ shared keys? for ", _plain(negotiation.KeyMismatch, problem="differs")),
    ("calculated", r"calculated HASH does not match", _plain(negotiation.KeyMismatch, problem="differs")),
    ("no", r"no shared key found for", _plain(negotiation.KeyMismatch, problem="absent")),
    ("could", r"could not decrypt payloads", _plain(negotiation.KeyMismatch, problem="undecryptable")),
    ("peer", r"peer requested EAP", _plain(negotiation.MethodMismatch, method="eap")),
    ("server", r"server requested .*EAP", _plain(negotiation.MethodMismatch, method="eap")),
    ("no", r"no XAuth ", _plain(negotiation.MethodMismatch, method="xauth")),
    ("configuration", r"configuration payload missing in XAuth", _plain(negotiation.MethodMismatch, method="xauth")),
    ("no", r"no trusted .* public key found for", _plain(negotiation.MethodMismatch, method="certificate")),
    ("constraint", r"constraint requires .*, but (?P<method>.*) was used", _other_method),
    ("received", r"received (?P<method>.*) authentication, but configured", _other_method),
    ("IKE_SA", r"IKE_SA \S+\[\d+\] established between", _ike_up),
    ("IKE_SA", r"IKE_SA \S+\[(?P<number>\d+)\] rekeyed between", _ike_rekeyed),
    *(
        (
            first,
            _CHILD_UP,
            _child_up,
        )
        for first in ("CHILD_SA", "inbound")
    ),
    ("received", r"received DELETE for IKE_SA", _deleted(1, "device")),
    ("sending", r"sending DELETE for IKE_SA", _deleted(1, "us")),
    ("received", r"received DELETE for \S+ CHILD_SA with SPI (?P<spi>\w+)", _deleted(2, "device")),
    ("sending", r"sending DELETE for \S+ CHILD_SA with SPI (?P<spi>\w+)", _deleted(2, "us")),
    ("detected", r"detected reauth of existing IKE_SA", _reauthenticated),
    ("schedule", r"schedule delete of duplicate IKE_SA", _replaced),
    ("deleting", r"deleting duplicate IKE_SA", _replaced),
    ("destroying", r"destroying duplicate IKE_SA", _replaced),
    ("destroying", r"destroying IKE_SA in state", _over),
    ("", r"(?P<what>IKE|CHILD)_SA rekeying failed", _rekey_failed),
    ("rekeying", r"rekeying (?P<what>IKE)_SA failed", _rekey_failed),
    ("reauthenticating", r"reauthenticating (?P<what>IKE)_SA failed", _rekey_failed),
    ("peer", r"peer seems to not support (?P<what>IKE|CHILD).*rekeying", _rekey_failed),
    ("traffic", r"traffic selectors (?P<first>.*) === (?P<second>.*) unacceptable", _selectors("first", "second")),
    ("no", r"no matching CHILD_SA config found for (?P<first>.*) === (?P<second>.*)", _selectors("second", "first")),
    ("no", r"no acceptable traffic selectors found", _plain(negotiation.SelectorsRefused, asked=())),
    ("peer", r"peer selected invalid traffic selectors", _plain(negotiation.SelectorsRefused, asked=())),
    ("unable", r"unable to (?:install|add|allocate|update) ", _plain(negotiation.DataPlaneFailure)),
    ("error", r"error installing ", _plain(negotiation.DataPlaneFailure)),
    ("installing", r"installing route failed", _plain(negotiation.DataPlaneFailure)),
    ("allocating", r"allocating SPI .*failed", _plain(negotiation.DataPlaneFailure)),
    ("algorithm", r"algorithm .* not supported by kernel", _plain(negotiation.DataPlaneFailure)),
    ("error", NOT_SENT, _plain(negotiation.NotSent)),
    ("remote", r"remote host is behind NAT", _plain(negotiation.Nat, side="device")),
    ("local", r"local host is behind NAT", _plain(negotiation.Nat, side="us")),
)
_RULES: dict[str, list[tuple[re.Pattern[str], _Make]]] = {"": []}
for _first, _pattern, _fact in _TABLE:
    _RULES.setdefault(_first, []).append((re.compile(_pattern), _fact))
