"""Asks a device with SAs of charon: which ESP algorithms and selectors it accepts, and which id it has.

This happens only by an order, and only while no CHILD_SA of the connection is up, because Libreswan would end it. charon initiates the child of a
question on the IKE_SA that is up. The child belongs to a connection of its own with the same parameters, because strongSwan 6.0 ends an IKE_SA
without children when the children of its own connection change. That connection is loaded only for moments, because it may also answer the device.
The planner does not change the probed connection meanwhile. It removes what an interrupted probe left.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from vici.protocol import Message, Packet

from landbridge import model
from landbridge.engine.strongswan.ike import (
    charon,
    fingerprints,
    identities,
    messages,
    proposals,
    state,
    steps,
    vici_protocol,
)
from landbridge.model import negotiation, strongswan_proposals

#: Seconds for one question, as charon counts them, and for its answer.
QUESTION_TIMEOUT, ANSWER_TIMEOUT = 8, 12.0
#: Seconds until charon's lines about an SA are read, so that they are not taken for an attempt of the connection itself.
EVENT_DELAY = 1.0
#: Milliseconds that charon waits for the answer to a DELETE.
DELETE_TIMEOUT = "3000"
#: PFS groups in the order in which they are asked, after the connection's own.
GROUPS = ("none", *(f"group{number}" for number in (14, 15, 19, 2, 5, 16, 20, 21, 1)))
#: An if_id that no interface has: nothing goes into a CHILD_SA of a probe.
_IF_ID = str(model.IF_ID_END + 1)
_CBC = ("3des", "aes128", "aes192", "aes256")
_HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")
_GCM = ("aes128gcm16", "aes256gcm16")
_EVERYTHING = ["0.0.0.0/0"]
_REFUSED = re.compile(r"received (\w+)(?: error)? notify|received (\w+) notify error")
_SELECTORS_REFUSED = frozenset({"TS_UNACCEPTABLE", "INVALID_ID_INFORMATION"})
_ID_PROVED = re.compile(r"authentication of '(.+)' with pre-shared key successful")

OnLoad = Callable[[steps.LoadConn], None]


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a connection as it is loaded. `group`: its PFS group, or none. `asks_for_selectors`: whether a CHILD_SA for all addresses
    may exist for a moment; the userland data plane would send all packets into it.
    """

    config: messages.DesiredConfig
    group: str
    asks_for_selectors: bool


class _Session:
    """Requests to charon, with the log lines until its answer."""

    def __init__(self, folder: Path) -> None:
        self._socket = charon.CHARON.connect(folder)
        self._socket.settimeout(ANSWER_TIMEOUT)
        self._transport = vici_protocol.Transport(self._socket)
        self._transport.send(Packet.register_event("control-log"))
        self._transport.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, command: str, message: dict[str, Any]) -> tuple[bool, list[str]]:
        """Whether it was done, and the lines of the log about it."""
        self._transport.send(Packet.request(command, Message.serialize(message)))
        events, answer = vici_protocol.receive_any(self._transport, confirmed=False)
        lines = [event.get("msg", b"").decode(errors="replace") for event in events]
        return answer.get("success", b"yes") == b"yes", lines

    def sas(self, connection_id: str) -> tuple[state.IkeSa, ...]:
        """The SAs of a connection that are up."""
        self._transport.send(Packet.register_event("list-sa"))
        self._transport.receive()
        self._transport.send(Packet.request("list-sas", Message.serialize({"ike": connection_id})))
        messages, _ = vici_protocol.receive(self._transport, confirmed=False)
        self._transport.send(Packet.unregister_event("list-sa"))
        self._transport.receive()
        return tuple(sa for sa in state.parse_sas(messages) if sa.live and not sa.negotiating)


def ask_phase_2(folder: Path, question: Question, on_load: OnLoad) -> tuple[model.ProbePhase2, int]:
    """The answer about phase 2 on the IKE_SA that is up, and the number of messages. `on_load` is called for each child that asks.

    A message has one PFS group, since Libreswan ends the IKE_SA after an offer with several. Raises OSError and what `vici_protocol` raises.
    """
    config = question.config
    own = next(iter(config.conn["children"].values()))
    time.sleep(EVENT_DELAY)
    with _Session(folder) as charon_:
        try:
            answer, requested = _ask_in_each(charon_, question, own, on_load)
            is_for_everything = own["local_ts"] == own["remote_ts"] == _EVERYTHING
            if answer.notify in _SELECTORS_REFUSED and question.asks_for_selectors and not is_for_everything:
                wide = own | {"local_ts": _EVERYTHING, "remote_ts": _EVERYTHING}
                narrowed, more = _ask_in_each(charon_, question, wide, on_load)
                answer, requested = (narrowed if narrowed.outcome == "chosen" else answer), requested + more
        finally:
            probe = fingerprints.identity_probe(config.connection_id)
            try:
                charon_.ask("unload-conn", {"name": probe})
                charon_.ask("terminate", {"ike": probe, "force": "yes", "timeout": DELETE_TIMEOUT})
            finally:
                time.sleep(EVENT_DELAY)
                on_load(steps.LoadConn(config.connection_id, config.conn))
    return answer, requested


def _ask_in_each(
    charon_: _Session, question: Question, own: dict[str, Any], on_load: OnLoad
) -> tuple[model.ProbePhase2, int]:
    """Stops at the first group that the device accepts, and when no further message can have another answer."""
    answer = model.ProbePhase2(outcome="silent")
    for number, group in enumerate(dict.fromkeys((question.group, *GROUPS)), 1):
        if not charon_.sas(question.config.connection_id):
            return answer, number - 1
        answer = _ask_for_child(charon_, question, own, group, on_load)
        if answer.notify != "NO_PROPOSAL_CHOSEN":
            break
    return answer, number


def _ask_for_child(
    charon_: _Session, question: Question, own: dict[str, Any], group: str, on_load: OnLoad
) -> model.ProbePhase2:
    config = question.config
    connection_id = config.connection_id
    probe, name = fingerprints.identity_probe(connection_id), fingerprints.child_probe(connection_id, config.ike)
    child = own | {"esp_proposals": list(_esp(group, is_v1=config.is_v1)), "dpd_action": "none"}
    child |= {"if_id_in": _IF_ID, "if_id_out": _IF_ID}
    on_load(steps.LoadConn(connection_id, config.conn | {"children": config.conn["children"] | {name: child}}))
    charon_.ask("load-conn", {probe: config.conn | {"children": {name: child}}})
    message = {"ike": probe, "child": name, "timeout": str(QUESTION_TIMEOUT * 1000)}
    is_up, lines = charon_.ask("initiate", message)
    installed = [child for sa in charon_.sas(connection_id) for child in sa.children if child.name == name]
    for sa in installed:
        charon_.ask("terminate", {"child-id": sa.unique_id, "force": "yes", "timeout": DELETE_TIMEOUT})
    if is_up and installed:
        return _taken(
            installed[0], requested=negotiation.Selectors(local=tuple(own["local_ts"]), remote=tuple(own["remote_ts"]))
        )
    notify = _notify(lines)
    return model.ProbePhase2(outcome="refused" if notify else "silent", notify=notify)


def _esp(group: str, *, is_v1: bool) -> Iterator[str]:
    """charon offers only the first algorithm of each kind of a proposal of IKEv1."""
    suffix = "" if group == "none" else f"-{strongswan_proposals.GROUPS[group]}"
    if is_v1:
        yield from (f"{cipher}-{digest}{suffix}" for cipher in _CBC for digest in _HASHES)
        yield from (f"{cipher}{suffix}" for cipher in _GCM)
    else:
        yield f"{'-'.join((*_CBC, *_HASHES))}{suffix}"
        yield f"{'-'.join(_GCM)}{suffix}"


def _taken(child: state.Child, requested: negotiation.Selectors) -> model.ProbePhase2:
    (proposal,) = proposals.parse(child.proposal)
    agreed = negotiation.Selectors(local=child.local_ts, remote=child.remote_ts)
    return model.ProbePhase2(
        outcome="chosen",
        proposal=dataclasses.replace(proposal, groups=proposal.groups or ("none",)),
        selectors=agreed if agreed != requested else None,
    )


def _notify(lines: list[str]) -> str | None:
    """The last notify with which the device refused."""
    matches = [match for line in lines for match in _REFUSED.finditer(line)]
    return (matches[-1][1] or matches[-1][2]) if matches else None


def ask_identity(folder: Path, question: Question) -> model.ProbeIdentity | None:
    """Establishes an IKE_SA that requests no particular id of the device, and ends it at once. None when the device did not answer.

    Only IKEv2: in IKEv1 a device does not send its id before we have proved ours. Raises OSError and what `vici_protocol` raises.
    """
    config = question.config
    name = fingerprints.identity_probe(config.connection_id)
    own = next(iter(config.conn["children"].values()))
    child = fingerprints.child_probe(name, config.ike)
    conn = config.conn | {
        "unique": "never",
        "keyingtries": "1",
        "remote": {"auth": "psk"},
        "children": {child: own | {"dpd_action": "none", "if_id_in": _IF_ID, "if_id_out": _IF_ID}},
    }
    with _Session(folder) as charon_:
        try:
            charon_.ask("load-conn", {name: conn})
            _, lines = charon_.ask("initiate", {"ike": name, "timeout": str(QUESTION_TIMEOUT * 1000)})
        finally:
            charon_.ask("unload-conn", {"name": name})
            charon_.ask("terminate", {"ike": name, "force": "yes", "timeout": DELETE_TIMEOUT})
    proved = next((match[1] for line in lines if (match := _ID_PROVED.search(line))), None)
    if proved is not None:
        return model.ProbeIdentity(accepted=True, identity=identities.identity(proved))
    notify = _notify(lines)
    return model.ProbeIdentity(accepted=False, notify=notify) if notify else None
