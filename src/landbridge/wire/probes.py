"""Probes on the wire: orders, and the answers of devices (an extension of ours)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pydantic
from pydantic import Field

from landbridge import model
from landbridge.model import negotiation
from landbridge.wire import body, schema, shapes


class OrderProbe(body.Shape):
    """What to ask the device. Phase 1 is asked in any case, when no IKE_SA is up. An unknown field is refused: it would be an order for
    another probe than the caller wants.
    """

    model_config = pydantic.ConfigDict(extra="forbid")
    examples: ClassVar = {"phase 1": {}, "all": {"phase_2": True, "identity": True}, "path": {"path": True}}

    phase_2: bool | None = schema.field(
        schema.boolean(default=False), "ask for the ESP algorithms and selectors too, on an IKE_SA that is up"
    )
    identity: bool | None = schema.field(
        schema.boolean(default=False),
        "ask for the id of the device, by an authentication that requests no particular id",
    )
    path: bool | None = schema.field(
        schema.boolean(default=False),
        "true: check which packet sizes pass the tunnel, which must be up, by echoes to addresses behind it; alone, without phase_2 and identity",
    )

    def request(self, connection_id: str) -> model.ProbeRequest:
        return model.ProbeRequest(
            connection_id=connection_id,
            phase_2=bool(self.phase_2),
            identity=bool(self.identity),
            path=bool(self.path),
        )


class AlgorithmsAnswer(schema.Answer):
    """One algorithm of each kind, with the names of the API; absent when the answer of the device has none of that kind."""

    encryption_algorithm: str | None = None
    authentication_algorithm: str | None = Field(None, description="in IKE with a GCM cipher: the algorithm of the PRF")
    prf: str | None = Field(None, description="only when it differs from the authentication algorithm")
    dh_group: str | None = None


class ProbedModeAnswer(schema.Answer):
    ike_version: str
    phase1_negotiation_mode: str | None = None
    outcome: str = Field(description="chosen, refused, silent or unreachable")
    algorithms: AlgorithmsAnswer | None = Field(None, description="the algorithms that the device chose from the offer")
    notify: str | None = Field(None, description="the notify with which the device refused")


class ProbedIdentityAnswer(schema.Answer):
    type: str
    value: str


class Phase2Answer(schema.Answer):
    outcome: str = Field(description="chosen, refused or silent")
    algorithms: AlgorithmsAnswer | None = Field(None, description="dh_group: the PFS group; absent without PFS")
    local_subnets: list[str] | None = Field(None, description="where the device took only a part of the subnets")
    peer_subnets: list[str] | None = None
    notify: str | None = None


class AskedIdentityAnswer(schema.Answer):
    accepted: bool = Field(description="false: the device refused our id or the pre-shared key")
    peer_id: ProbedIdentityAnswer | None = None
    notify: str | None = None


class PathAnswer(schema.Answer):
    """Sizes are bytes of an IP packet in the tunnel."""

    outcome: str = Field(
        description="passes; reported (a router reported a size that passes); black_hole (large packets get no answer and no error);"
        " unanswered (no address behind the tunnel answered)"
    )
    mtu: int = Field(description="the largest packet that the tunnel takes")
    source: str | None = None
    destination: str | None = Field(None, description="the address that answered small packets")
    asked: list[str] | None = Field(None, description="the addresses that did not answer, where none did")
    passed: int | None = Field(None, description="the largest packet that was answered")
    lost: int | None = Field(None, description="the smallest packet that was not answered")
    reporter: str | None = Field(None, description="the router that reported a size")


class ProbeAnswer(schema.Answer):
    """A probe. `answers` and `peer_id` are not authenticated: something at the device's address sent them."""

    id: str
    state: str = Field(description="waiting or done")
    reason: str = Field(description="automatic or order")
    actor: str = Field(description="the access key of the order, or landbridge")
    asked_at: str
    phase_2: bool
    identity: bool
    path: bool = Field(description="true: a check of the path through the tunnel; nothing of IKE was asked")
    probed_at: str | None = None
    local_address: str | None = None
    peer_address: str | None = None
    packets: int | None = Field(None, description="the number of packets that this side sent")
    answers: list[ProbedModeAnswer] | None = None
    peer_id: ProbedIdentityAnswer | None = Field(None, description="the id that the device sent in aggressive mode")
    phase_2_answer: Phase2Answer | None = None
    identity_answer: AskedIdentityAnswer | None = None
    path_answer: PathAnswer | None = None
    failure: str | None = Field(None, description="why something was not asked")


class OneProbe(schema.Answer):
    probe: ProbeAnswer
    request_id: str


class ManyProbes(schema.Answer):
    probes: list[ProbeAnswer]
    request_id: str


def probe(recorded: model.RecordedProbe) -> dict[str, Any]:
    order, result = recorded.order, recorded.result
    return shapes.without_none(
        id=recorded.id,
        state="done" if result else "waiting",
        reason="order" if order else "automatic",
        actor=recorded.actor,
        asked_at=shapes.time(recorded.asked_at),
        phase_2=order is not None and order.phase_2,
        identity=order is not None and order.identity,
        path=bool((order and order.path) or (result and result.path)),
        **(_result(result) if result else {}),
    )


def probes(recorded: Sequence[model.RecordedProbe]) -> list[dict[str, Any]]:
    return [probe(value) for value in recorded]


def _result(result: model.ProbeResult) -> dict[str, Any]:
    return {
        "probed_at": shapes.time(result.at),
        "local_address": result.local_address,
        "peer_address": result.peer_address or None,
        "packets": result.packets,
        "answers": [_mode(answer) for answer in result.answers],
        "peer_id": _identity(result.peer_identity),
        "phase_2_answer": _phase_2(result.phase_2) if result.phase_2 else None,
        "identity_answer": _asked_identity(result.identity) if result.identity else None,
        "path_answer": _path(result.path) if result.path else None,
        "failure": result.failure,
    }


def _mode(answer: model.ProbeAnswer) -> dict[str, Any]:
    return shapes.without_none(
        ike_version=answer.ike_version,
        phase1_negotiation_mode=answer.mode,
        outcome=answer.outcome,
        algorithms=_algorithms(answer.proposal),
        notify=answer.notify,
    )


def _algorithms(proposal: negotiation.Proposal | None) -> dict[str, Any] | None:
    if proposal is None:
        return None
    encryption, integrity, prf, group = (
        kind[0] if kind else None for kind in (proposal.encryption, proposal.integrity, proposal.prf, proposal.groups)
    )
    return shapes.without_none(
        encryption_algorithm=encryption,
        authentication_algorithm=integrity or prf,
        prf=prf if integrity and prf != integrity else None,
        dh_group=group,
    )


def _identity(identity: negotiation.Identity | None) -> dict[str, Any] | None:
    return None if identity is None else {"type": identity.kind, "value": identity.value}


def _phase_2(answer: model.ProbePhase2) -> dict[str, Any]:
    return shapes.without_none(
        outcome=answer.outcome,
        algorithms=_algorithms(answer.proposal),
        local_subnets=list(answer.selectors.local) if answer.selectors else None,
        peer_subnets=list(answer.selectors.remote) if answer.selectors else None,
        notify=answer.notify,
    )


def _asked_identity(answer: model.ProbeIdentity) -> dict[str, Any]:
    return shapes.without_none(accepted=answer.accepted, peer_id=_identity(answer.identity), notify=answer.notify)


def _path(path: model.ProbePath) -> dict[str, Any]:
    return shapes.without_none(
        outcome=path.outcome,
        mtu=path.mtu,
        source=path.source,
        destination=path.destination,
        asked=list(path.asked) or None,
        passed=path.passed,
        lost=path.lost,
        reporter=path.reporter,
    )
