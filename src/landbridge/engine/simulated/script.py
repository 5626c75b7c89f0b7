"""The facts of simulated negotiations, with their times. Pure.

The lines have the texts of strongSwan 5.9. A real negotiation with a device that does not answer takes minutes. A simulated one takes
NEGOTIATION_SECONDS, and begins again every RETRY_SECONDS after it failed.
"""

import dataclasses
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from landbridge import model
from landbridge.model import allowed_values, bgp, negotiation, traffic_selectors
from landbridge.model.negotiation import Fact, Identity, Proposal, Selectors

NEGOTIATION_SECONDS = 0.05
RETRY_SECONDS = 10.0
#: Attempts that are kept of a connection.
KEPT = 20
#: Of echoes: milliseconds.
ROUND_TRIP = 10.0
#: Where a device without an address is said to begin from: no address that a site gives out (RFC 2544).
ROAMING_PEER = "198.18.0.1"
#: The states in which a connection fails, and how its attempts end then.
FAILURES: dict[str, negotiation.Outcome] = {
    "down": "no_answer",
    "down:psk": "refused_by_us",
    "down:proposal": "refused_by_us",
    "down:selectors": "refused_by_us",
}
#: What a device asks for that has other subnets (RFC 5737).
OTHER_SUBNET = "192.0.2.0/24"

_Say = tuple[Callable[..., Fact], str, dict[str, Any]]


def configuration(generation: int, simulate: str) -> str:
    """Identifies the loaded configuration."""
    return f"{zlib.crc32(f'{generation} {simulate}'.encode()):08x}"


def attempts(
    spec: model.DesiredConnection, simulate: str, spi: str, loaded_at: datetime, elapsed: float
) -> tuple[negotiation.Attempt, ...]:
    """The last attempts of a connection that was loaded `elapsed` seconds ago."""
    if simulate in FAILURES:  # who sees DOWN asks why at once
        elapsed = max(elapsed, NEGOTIATION_SECONDS)
    last = int(elapsed // RETRY_SECONDS) if simulate in FAILURES else 0
    says = _said(spec, simulate, spi)
    return tuple(
        _attempt(spec, simulate, says, loaded_at + timedelta(seconds=number * RETRY_SECONDS), left)
        for number in range(max(0, last - KEPT + 1), last + 1)
        if (left := elapsed - number * RETRY_SECONDS) >= 0
    )


def _attempt(
    spec: model.DesiredConnection, simulate: str, says: list[_Say], began_at: datetime, elapsed: float
) -> negotiation.Attempt:
    policy, over = spec.connection.ike_policy, elapsed >= NEGOTIATION_SECONDS
    pause = NEGOTIATION_SECONDS / max(1, len(says) - 1)
    facts = tuple(
        kind(at=began_at + timedelta(seconds=place * pause), line=line, **fields)
        for place, (kind, line, fields) in enumerate(says)
        if place * pause <= elapsed + 1e-6
    )
    return negotiation.Attempt(
        id=str(int(began_at.timestamp() * 1000) * 1000 + zlib.crc32(spec.id.encode()) % 1000),
        configuration=configuration(spec.generation, simulate),
        began_at=began_at,
        ended_at=began_at + timedelta(seconds=NEGOTIATION_SECONDS) if over else None,
        began_by=_caller(spec, simulate),
        peer_address=spec.peer_address or ROAMING_PEER,
        local_address=spec.local_address,
        ike_version=policy.version,
        mode=policy.negotiation_mode if policy.version == "v1" else None,
        outcome=FAILURES.get(simulate, "up") if over else None,
        facts=facts,
    )


def probe(spec: model.DesiredConnection, order: model.ProbeOrder, simulate: str, at: datetime) -> model.ProbeResult:
    """The result of a probe of the simulated device."""
    result = model.ProbeResult(
        id=order.id,
        connection_id=spec.id,
        at=at,
        reason="order",
        configuration="",
        local_address=spec.local_address,
        peer_address=spec.peer_address or "",
    )
    if order.path:
        return dataclasses.replace(result, packets=3, path=_path(spec))
    return dataclasses.replace(result, answers=(_probe_answer(spec.connection.ike_policy, simulate),))


def _probe_answer(policy: model.IkePolicy, simulate: str) -> model.ProbeAnswer:
    """Silence for `down`, another cipher for `down:proposal`."""
    chosen = negotiation.Proposal(
        encryption=(_other_encryption(policy) if simulate == "down:proposal" else policy.encryption_algorithm,),
        integrity=(policy.authentication_algorithm,),
        prf=(policy.authentication_algorithm,),
        groups=(policy.dh_group or "",),
    )
    return model.ProbeAnswer(
        ike_version=policy.version,
        mode=policy.negotiation_mode if policy.version == "v1" else None,
        outcome="silent" if simulate == "down" else "chosen",
        proposal=None if simulate == "down" else chosen,
    )


def nqa(spec: model.DesiredConnection, since: datetime) -> model.Reachability | None:
    """The echoes through a tunnel that is up since NEGOTIATION_SECONDS after `since`; None without inner addresses."""
    inner = traffic_selectors.inner_addresses(spec.connection)
    if inner is None:
        return None
    source, destination = (address.split("/")[0] for address in inner)
    return _reachability(source, destination, since + timedelta(seconds=NEGOTIATION_SECONDS), answers=True)


def monitor(spec: model.DesiredConnection, simulate: str, since: datetime) -> model.Reachability:
    """The echoes outside of the tunnel. A device that is `down` does not answer them either."""
    return _reachability(spec.local_address, spec.peer_address or ROAMING_PEER, since, answers=simulate != "down")


def _reachability(source: str, destination: str, since: datetime, *, answers: bool) -> model.Reachability:
    """The results of a minute of echoes, one each second."""
    if not answers:
        return model.Reachability(source=source, destination=destination, state="down", since=since, sent=60, lost=60)
    return model.Reachability(
        source=source,
        destination=destination,
        state="up",
        since=since,
        sent=60,
        rtt_min=ROUND_TRIP,
        rtt_average=ROUND_TRIP,
        rtt_max=ROUND_TRIP,
        answered_at=since,
    )


def _path(spec: model.DesiredConnection) -> model.ProbePath:
    """The simulated tunnel takes packets of 1438 bytes, and all of them pass."""
    local, peer = spec.connection.tunnel_local_address, spec.connection.tunnel_peer_address
    return model.ProbePath(
        outcome="passes",
        mtu=1438,
        passed=1438,
        source=(local or spec.local_address).split("/")[0],
        destination=(peer or spec.peer_address or "").split("/")[0] or None,
    )


def bgp_session(spec: model.DesiredConnection, simulate: str, since: datetime) -> model.BgpSession:
    """The session of a tunnel that is up. The device announces the peer subnets; for `down:bgp` it has another ASN."""
    since += timedelta(seconds=NEGOTIATION_SECONDS)
    asn, (_, inner) = spec.peer_asn or 0, traffic_selectors.inner_addresses(spec.connection) or ("", "")
    if simulate == "down:bgp":
        other = asn + 10 if asn + 10 <= allowed_values.ASN.high else asn - 10
        text = f"BGP Error: Bad peer AS: {other}"
        fault = model.BgpFault(code="wrong_device_asn", text=text, asn=other, at=since)
        return model.BgpSession(state="idle", since=since, fault=fault)
    next_hop = inner.split("/")[0]
    prefixes = sorted(spec.connection.peer_subnets or (OTHER_SUBNET,))
    return model.BgpSession(
        state="established",
        since=since,
        hold_time=bgp.HOLD_TIME,
        received=len(prefixes),
        accepted=len(prefixes),
        announced=1,
        limit=bgp.ROUTE_LIMIT,
        routes=tuple(
            model.BgpRoute(prefix=prefix, next_hop=next_hop, as_path=(asn,), origin="igp") for prefix in prefixes
        ),
    )


def _other_encryption(policy: model.IkePolicy) -> str:
    return "aes-128" if policy.encryption_algorithm == "aes-256" else "aes-256"


def _caller(spec: model.DesiredConnection, simulate: str) -> negotiation.Party:
    """Who begins the negotiation. The responder sees the values of both sides."""
    return "us" if spec.peer_address is not None and simulate in ("active", "down", "down:bgp") else "device"


def _said(spec: model.DesiredConnection, simulate: str, spi: str) -> list[_Say]:
    if simulate == "down":
        return [*_first_message(spec, simulate), *_silence()]
    if simulate == "down:proposal":
        return [*_first_message(spec, simulate), _other_proposals(spec)]
    if simulate == "down:psk":
        return [*_first_message(spec, simulate), *_answer(spec, simulate), _other_key(spec)]
    begun = [*_first_message(spec, simulate), *_answer(spec, simulate), *_phase_1(spec)]
    return [*begun, _other_subnets(spec) if simulate == "down:selectors" else _child(spec, spi)]


def _message(spec: model.DesiredConnection, simulate: str, payloads: str, *, is_request: bool) -> _Say:
    first = {None: "IKE_SA_INIT", "main": "ID_PROT", "aggressive": "AGGRESSIVE"}
    exchange = first[
        spec.connection.ike_policy.negotiation_mode if spec.connection.ike_policy.version == "v1" else None
    ]
    by_us = (_caller(spec, simulate) == "us") is is_request
    line = (
        f"{'generating' if by_us else 'parsed'} {exchange} {'request' if is_request else 'response'} 0 [ {payloads} ]"
    )
    return (
        negotiation.Message,
        line,
        {
            "sender": "us" if by_us else "device",
            "exchange": exchange,
            "is_request": is_request,
            "id": 0,
            "payloads": tuple(payloads.split()),
        },
    )


def _first_message(spec: model.DesiredConnection, simulate: str) -> list[_Say]:
    return [_message(spec, simulate, "SA KE No", is_request=True)]


def _answer(spec: model.DesiredConnection, simulate: str) -> list[_Say]:
    return [_message(spec, simulate, "SA KE No", is_request=False)]


def _silence() -> list[_Say]:
    sent = {"sender": "us", "message": 0}
    repeated = [
        (negotiation.Retransmits, f"retransmit {count} of request with message ID 0", sent | {"count": count})
        for count in range(1, 6)
    ]
    return [*repeated, (negotiation.Retransmits, "giving up after 5 retransmits", sent | {"count": 5, "gave_up": True})]


def _other_proposals(spec: model.DesiredConnection) -> _Say:
    """The device has another encryption algorithm."""
    policy = spec.connection.ike_policy
    hashes = (policy.authentication_algorithm,)
    integrity = () if policy.is_gcm else hashes
    groups = (policy.dh_group or "",)
    offered = Proposal(encryption=(_other_encryption(policy),), integrity=hashes, prf=hashes, groups=groups)
    configured = Proposal(encryption=(policy.encryption_algorithm,), integrity=integrity, prf=hashes, groups=groups)
    line = f"received proposals: {_shown(offered)}\nconfigured proposals: {_shown(configured)}"
    return negotiation.ProposalMismatch, line, {"phase": 1, "offered": (offered,), "configured": (configured,)}


def _shown(proposal: Proposal) -> str:
    return "IKE:" + "/".join((*proposal.encryption, *proposal.integrity, *proposal.prf, *proposal.groups))


def _other_key(spec: model.DesiredConnection) -> _Say:
    ours, theirs = _ids(spec)
    line = f"tried 1 shared key for '{ours}' - '{theirs}', but MAC mismatched"
    return negotiation.KeyMismatch, line, {"problem": "differs"}


def _ids(spec: model.DesiredConnection) -> tuple[str, str]:
    policy, peer = spec.connection.ike_policy, spec.peer_address or ROAMING_PEER
    return policy.local_id or spec.local_address, policy.peer_id or peer


def _phase_1(spec: model.DesiredConnection) -> list[_Say]:
    ours, theirs = _ids(spec)
    got = Identity(kind=spec.connection.ike_policy.peer_id_type or "ip", value=theirs)
    ends = f"{spec.local_address}[{ours}]...{spec.peer_address or ROAMING_PEER}[{theirs}]"
    return [
        (
            negotiation.PeerIdentity,
            f"authentication of '{theirs}' with pre-shared key successful",
            {"got": got},
        ),
        (negotiation.Established, f"IKE_SA {spec.id}[1] established between {ends}", {"phase": 1}),
    ]


def _other_subnets(spec: model.DesiredConnection) -> _Say:
    asked = Selectors(local=("0.0.0.0/0",), remote=(OTHER_SUBNET,))
    words = (
        f"no matching CHILD_SA config found for {OTHER_SUBNET} === 0.0.0.0/0"
        if spec.connection.ike_policy.version == "v1"
        else f"traffic selectors 0.0.0.0/0 === {OTHER_SUBNET} unacceptable"
    )
    return negotiation.SelectorsRefused, words, {"asked": (asked,)}


def _child(spec: model.DesiredConnection, spi: str) -> _Say:
    subnets = spec.connection.peer_subnets or ("0.0.0.0/0",)
    line = (
        f"CHILD_SA {spec.id}.0{{1}} established with SPIs {spi[:8]}_i {spi[8:]}_o"
        f" and TS 0.0.0.0/0 === {' '.join(subnets)}"
    )
    return negotiation.Established, line, {"phase": 2, "selectors": Selectors(local=("0.0.0.0/0",), remote=subnets)}
