"""Contexts, attempts and facts for the tests of causes. Times are seconds after START."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from lab import specs
from landbridge import model
from landbridge.model import negotiation as n
from landbridge.status import causes
from landbridge.status.rule_context import Context, Related

START = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)
DEVICE, ENDPOINT, OTHER_ENDPOINT, STRANGER = "198.51.100.2", "203.0.113.10", "203.0.113.11", "198.51.100.99"
V2 = specs.connection(id="c1", ike_policy=specs.ike_policy(local_id=ENDPOINT, peer_id=DEVICE)).connection
MAIN = specs.connection(
    id="c1",
    ike_policy=specs.ike_policy(version="v1", negotiation_mode="main", local_id=ENDPOINT, peer_id=DEVICE),
).connection
AGGRESSIVE = specs.connection(
    id="c1",
    ike_policy=specs.ike_policy(version="v1", negotiation_mode="aggressive", local_id=ENDPOINT, peer_id=DEVICE),
).connection
NAMED = specs.connection(
    id="c1",
    ike_policy=specs.ike_policy(
        local_id_type="fqdn", local_id="hq.example", peer_id_type="fqdn", peer_id="branch.example"
    ),
).connection
PAIRS = (("10.1.0.0/24", "10.2.0.0/24"),)
_numbers = itertools.count(1)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def attempt(began: float, *facts: n.Fact, by: n.Party = "us", **given: Any) -> model.Attempt:
    """An IKEv2 attempt that has ended, unless `given` says otherwise."""
    values: dict[str, Any] = {
        "id": f"{next(_numbers):08}",
        "configuration": "now",
        "began_at": at(began),
        "began_by": by,
        "peer_address": DEVICE,
        "local_address": ENDPOINT,
        "ike_version": "v2",
        "outcome": "refused_by_device" if by == "us" else "refused_by_us",
        "ended_at": max((fact.at for fact in facts), default=at(began)),
    }
    values |= given
    if values["outcome"] is None:
        values["ended_at"] = None
    return model.Attempt(facts=facts, **values)


def context(
    *attempts: model.Attempt,
    of: model.Connection = V2,
    strangers: Iterable[model.Attempt] = (),
    probes: Iterable[model.ProbeResult] = (),
    peer: str | None = DEVICE,
    **seen: Any,
) -> Context:
    observation = model.ConnectionObservation(connection_id="c1", configuration="now", attempts=attempts, **seen)
    related = Related(
        strangers=tuple(strangers), probes=tuple(probes), peer_address=peer, local_address=ENDPOINT, pairs=PAIRS
    )
    return Context(connection=of, seen=observation, related=related)


def rank(*attempts: model.Attempt, **given: Any) -> tuple[model.Cause, ...]:
    return causes.rank(context(*attempts, **given))


# -- facts, `t` seconds after START -----------------------------------------------------------------------------------


def refused(
    t: float, notify: str, phase: n.Phase = 1, *, sender: n.Party = "device", data: str | None = None
) -> n.Fact:
    return n.Refusal(at=at(t), line=f"received {notify}", sender=sender, phase=phase, notify=notify, data=data)


def mismatch(t: float, phase: n.Phase, *offered: n.Proposal) -> n.Fact:
    return n.ProposalMismatch(at=at(t), line="received proposals", phase=phase, offered=offered, configured=())


def proposal(
    encryption: str = "aes-128", integrity: str = "sha2-256", group: str = "group15", *, prf: str | None = None
) -> n.Proposal:
    """Of phase 1, where the PRF follows the integrity algorithm."""
    return n.Proposal(
        encryption=(encryption,),
        integrity=(integrity,) if integrity else (),
        prf=(prf or integrity,),
        groups=(group,) if group else (),
    )


def esp(encryption: str = "aes-128", integrity: str = "sha2-256", group: str = "") -> n.Proposal:
    return n.Proposal(
        encryption=(encryption,), integrity=(integrity,) if integrity else (), groups=(group,) if group else ()
    )


def no_connection(t: float, reason: Any, local: n.Identity | None = None, peer: n.Identity | None = None) -> n.Fact:
    return n.NoConnection(at=at(t), line=f"no config: {reason}", reason=reason, local=local, peer=peer)


def ip(value: str) -> n.Identity:
    return n.Identity(kind="ip", value=value)


def fqdn(value: str) -> n.Identity:
    return n.Identity(kind="fqdn", value=value)


def key(t: float, problem: Any) -> n.Fact:
    return n.KeyMismatch(at=at(t), line=f"key {problem}", problem=problem)


def identity(t: float, got: n.Identity, wanted: n.Identity | None) -> n.Fact:
    return n.PeerIdentity(at=at(t), line="identity", got=got, wanted=wanted)


def repeated(
    t: float, message: int = 0, *, count: int = 3, sender: n.Party = "us", gave_up: bool = False
) -> n.Retransmits:
    return n.Retransmits(at=at(t), line="retransmit", sender=sender, count=count, message=message, gave_up=gave_up)


def packet(t: float, port: int = 500, *, sender: n.Party = "us") -> n.Fact:
    return n.Packet(
        at=at(t), sender=sender, peer_address=DEVICE, peer_port=port, local_address=ENDPOINT, local_port=port
    )


def message(t: float, exchange: str, *, sender: n.Party, request: bool, number: int = 0) -> n.Fact:
    return n.Message(at=at(t), line="message", sender=sender, exchange=exchange, is_request=request, id=number)


def up(t: float, phase: n.Phase = 1, *, again: bool = False) -> n.Fact:
    return n.Established(at=at(t), line="established", phase=phase, again=again)


def whole(began: float, *after: n.Fact, **given: Any) -> model.Attempt:
    """An attempt that brought the tunnel up in a tenth of a second."""
    return attempt(
        began, up(began + 0.1), up(began + 0.1, 2), *after, **({"outcome": "up", "ended_at": at(began + 0.1)} | given)
    )


def named_us(t: float) -> n.Fact:
    """An IKE_AUTH request of the device that names our id."""
    payloads = ("IDi", "IDr", "AUTH")
    return n.Message(at=at(t), sender="device", exchange="IKE_AUTH", is_request=True, id=1, payloads=payloads)


def deleted(t: float, sender: n.Party = "device", phase: n.Phase = 1) -> n.Fact:
    return n.Deleted(at=at(t), line="received DELETE", sender=sender, phase=phase)


def child() -> model.ChildSa:
    return specs.child_sa(
        local_ts=("10.1.0.0/24",),
        remote_ts=("10.2.0.0/24",),
        spi_in="c0000001",
        spi_out="c0000002",
        proposal="AES_CBC_128/HMAC_SHA2_256_128",
        installed_at=at(0),
    )
