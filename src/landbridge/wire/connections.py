"""The answers about VPN connections: a connection, lists, SAs, logs and the diagnosis.

Source: "Creating a VPN Connection", Tables 9 to 15, and the SDK's newer fields.
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, get_args

import pydantic_core
from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values, cause, negotiation
from landbridge.wire import bgp as wire_bgp
from landbridge.wire import echoes as wire_echoes
from landbridge.wire import schema, shapes

STATUSES = get_args(model.ConnectionStatusName)
SIDES = get_args(cause.Side)
#: How many of the newest lines the log of a connection has.
LOG_LINES = 200
#: The page with a section for each code of a cause.
CAUSES_PAGE = "docs/reference/causes.md"


class DpdAnswer(schema.Answer):
    timeout: int
    interval: int
    msg: str


class IkePolicyAnswer(schema.Answer):
    ike_version: str
    phase1_negotiation_mode: str | None = Field(None, description="only with v1")
    authentication_algorithm: str
    encryption_algorithm: str
    dh_group: str | None = schema.listed(allowed_values.GROUPS, "not of a GM gateway")
    authentication_method: str
    lifetime_seconds: int
    local_id_type: str | None = schema.listed(allowed_values.ID_TYPES.values)
    local_id: str | None = None
    peer_id_type: str | None = None
    peer_id: str | None = None
    dpd: DpdAnswer


class IpsecPolicyAnswer(schema.Answer):
    authentication_algorithm: str
    encryption_algorithm: str
    pfs: str | None = schema.listed((*allowed_values.GROUPS, "disable"), "not of a GM gateway")
    transform_protocol: str
    lifetime_seconds: int
    encapsulation_mode: str


class PolicyRuleAnswer(schema.Answer):
    rule_index: int
    source: str
    destination: list[str]


class ConnectionAnswer(schema.Answer):
    """ResponseVpnConnection. The answer to a create has no `status`."""

    id: str
    name: str
    status: str | None = schema.listed(STATUSES, "not in the answer to a create")
    vgw_id: str
    vgw_ip: str
    style: str = Field(json_schema_extra={"enum": [style.upper() for style in allowed_values.STYLES.values]})
    cgw_id: str
    peer_subnets: list[str] | None = Field(None, description="not with er and style POLICY or BGP")
    tunnel_local_address: str | None = Field(None, description="not with POLICY-TEMPLATE")
    tunnel_peer_address: str | None = None
    enable_nqa: bool | None = Field(None, description="only with STATIC")
    enable_hub: bool | None = None
    policy_rules: list[PolicyRuleAnswer] | None = Field(None, description="only with POLICY")
    ikepolicy: IkePolicyAnswer
    ipsecpolicy: IpsecPolicyAnswer
    created_at: str
    updated_at: str
    enterprise_project_id: str
    connection_monitor_id: str | None = Field(None, description="only when there is a monitor")
    ha_role: str
    tags: list[shapes.TagAnswer] | None = None
    bgp_peer: wire_bgp.PeerAnswer | None = Field(None, description="only with BGP, once the engine has seen a session")


class OneConnection(schema.Answer):
    vpn_connection: ConnectionAnswer
    request_id: str


class BatchOfConnections(schema.Answer):
    vpn_connections: list[ConnectionAnswer]
    request_id: str


class ManyConnections(schema.Answer):
    vpn_connections: list[ConnectionAnswer]
    page_info: shapes.PageInfo
    total_count: int
    request_id: str


def shown(value: model.Connection, status: str, peer: model.BgpPeer | None = None) -> bytes:
    """The connection with its status, as JSON. `peer`: of its BGP session."""
    before, after = _around_status(value)
    if peer is not None:
        after = after.removesuffix(b"}") + b',"bgp_peer":' + pydantic_core.to_json(wire_bgp.peer(peer)) + b"}"
    return before + status.encode() + after


def shown_all(connections: Iterable[tuple[model.Connection, str, model.BgpPeer | None]]) -> bytes:
    return b"[%s]" % b",".join(itertools.starmap(shown, connections))


@functools.lru_cache(maxsize=8192)
def _around_status(value: model.Connection) -> tuple[bytes, bytes]:
    """The JSON before the status and the JSON after it. Clients poll the same connections again and again."""
    before, after = pydantic_core.to_json(connection(value, "")).split(b'"status":""', 1)
    return before + b'"status":"', b'"' + after


def connection(value: model.Connection, status: str | None = None) -> dict[str, Any]:
    """Field by field in the order of the page's examples. `status`: None right after a create or an update, whose
    answers have none.
    """
    return shapes.without_none(
        id=value.id,
        name=value.name,
        status=status,
        vgw_id=value.gateway_id,
        vgw_ip=value.gateway_endpoint,
        style=value.style.upper(),
        cgw_id=value.customer_gateway_id,
        peer_subnets=value.peer_subnets,
        tunnel_local_address=value.tunnel_local_address,
        tunnel_peer_address=value.tunnel_peer_address,
        enable_nqa=value.enable_nqa,
        enable_hub=value.enable_hub,
        policy_rules=_rules(value.policy_rules) if value.style == "policy" else None,
        ikepolicy=ike_policy(value.ike_policy),
        ipsecpolicy=ipsec_policy(value.ipsec_policy),
        created_at=shapes.time(value.created_at),
        updated_at=shapes.time(value.updated_at),
        enterprise_project_id=value.enterprise_project_id,
        connection_monitor_id=value.monitor_id,
        ha_role=value.ha_role,
        tags=shapes.tags(value.tags) or None,
    )


def _rules(rules: Sequence[model.PolicyRule]) -> list[dict[str, Any]]:
    return [{"rule_index": r.index, "source": r.source, "destination": r.destinations} for r in rules]


def ike_policy(policy: model.IkePolicy) -> dict[str, Any]:
    return shapes.without_none(
        ike_version=policy.version,
        phase1_negotiation_mode=policy.negotiation_mode,
        authentication_algorithm=policy.authentication_algorithm,
        encryption_algorithm=policy.encryption_algorithm,
        dh_group=policy.dh_group,
        authentication_method=policy.authentication_method,
        lifetime_seconds=policy.lifetime_seconds,
        local_id_type=policy.local_id_type,
        local_id=policy.local_id,
        peer_id_type=policy.peer_id_type,
        peer_id=policy.peer_id,
        dpd={"timeout": policy.dpd.timeout, "interval": policy.dpd.interval, "msg": policy.dpd.msg},
    )


def ipsec_policy(policy: model.IpsecPolicy) -> dict[str, Any]:
    return shapes.without_none(
        authentication_algorithm=policy.authentication_algorithm,
        encryption_algorithm=policy.encryption_algorithm,
        pfs=policy.pfs,
        transform_protocol=policy.transform_protocol,
        lifetime_seconds=policy.lifetime_seconds,
        encapsulation_mode=policy.encapsulation_mode,
    )


class Reset(schema.Answer):
    request_id: str


class SaInfo(schema.Answer):
    id: str = Field(description="its inbound and outbound SPI")
    source_ip_cidr: str
    dest_ip_cidr: str
    packets_sent: int
    packets_recv: int
    traffic_sent: int = Field(description="bytes")
    traffic_recv: int = Field(description="bytes")
    collected_at: str = Field(description="when the engine last looked")


class ManySas(schema.Answer):
    sa_infos: list[SaInfo]
    request_id: str


class Log(schema.Answer):
    time: int = Field(description="seconds since 1970")
    raw_message: str = Field(description="the moment (RFC 3339) and what was said then")


class ManyLogs(schema.Answer):
    logs: list[Log]
    request_id: str


def sa_infos(status: model.ConnectionStatus) -> list[dict[str, Any]]:
    if status.observation is None or status.seen_at is None:
        return []
    collected_at = shapes.time(status.seen_at)
    return [
        {
            "id": f"{child.spi_in}-{child.spi_out}",
            "source_ip_cidr": ", ".join(child.local_ts),
            "dest_ip_cidr": ", ".join(child.remote_ts),
            "packets_sent": child.packets_out,
            "packets_recv": child.packets_in,
            "traffic_sent": child.bytes_out,
            "traffic_recv": child.bytes_in,
            "collected_at": collected_at,
        }
        for child in status.observation.children
    ]


def logs(status: model.ConnectionStatus) -> list[dict[str, Any]]:
    attempts = status.observation.attempts if status.observation is not None else ()
    evidence_lines = sorted(
        negotiation.lines(fact for attempt in attempts for fact in attempt.facts), key=attrgetter("at")
    )
    return [
        {"time": int(evidence.at.timestamp()), "raw_message": f"{shapes.time(evidence.at)} {evidence.line}"}
        for evidence in evidence_lines[-LOG_LINES:]
    ]


class SaAnswer(schema.Answer):
    local_subnets: list[str]
    peer_subnets: list[str]
    spi_in: str
    spi_out: str
    proposal: str
    bytes_in: int
    bytes_out: int
    packets_in: int
    packets_out: int
    installed_seconds: int = Field(description="at the last observation")
    last_packet_in_at: str | None = Field(None, description="when the last packet came from the device, to a second")
    last_packet_out_at: str | None = None


class EvidenceAnswer(schema.Answer):
    at: str
    line: str


class CauseAnswer(schema.Answer):
    """A cause of a connection that is down, or a warning of one that is up."""

    code: str = Field(description="a section of docs/reference/causes.md")
    side: str = schema.listed(SIDES, "who must change something; either: the values must be equal")
    is_certain: bool = Field(description="false: this is one of several possible causes")
    reason: str
    remedy: str = Field(description="what to change")
    ours: str | None = Field(None, description="the values of this connection, where the cause has values")
    theirs: str | None = Field(None, description="the values of the device, where they are known")
    differs: list[str] = Field(description="the settings that differ")
    decides: str | None = Field(None, description="how to find out whether this is the cause")
    evidence: list[EvidenceAnswer]
    documentation: str


class DiagnosisAnswer(schema.Answer):
    """Why a connection is in the state it is in."""

    id: str
    status: str
    reason: str | None = Field(None, description="in the operator's words; absent when the tunnel is wholly up")
    remedy: str | None = Field(None, description="what to change")
    evidence: list[EvidenceAnswer] = Field(description="the lines that show the reason, verbatim")
    causes: list[CauseAnswer] = Field(
        description="the causes of a connection that is down, or the warnings of one that is up, the likeliest first"
    )
    warnings: list[str] = Field(
        description="weak choices, what the engine does not carry, and the warnings of a tunnel that is up"
    )
    seen_at: str | None = Field(None, description="when the engine last looked")
    not_seen_since: str | None = Field(None, description="set when the last observation is too old to be trusted")
    paused_since: str | None = Field(None, description="set while the agent changes nothing (landbridge pause)")
    ike_established: bool
    ike_proposal: str | None = None
    local_id: str | None = None
    peer_id: str | None = None
    peer_address: str | None = None
    nqa: wire_echoes.ReachabilityAnswer | None = Field(
        None, description="what echoes through the tunnel say; with enable_nqa, while the tunnel is established"
    )
    monitor: wire_echoes.ReachabilityAnswer | None = Field(
        None, description="what the echoes of the connection monitor say"
    )
    bgp: wire_bgp.SessionAnswer | None = Field(
        None, description="only with style bgp, once the engine has seen a session"
    )
    sas: list[SaAnswer]


class OneDiagnosis(schema.Answer):
    diagnosis: DiagnosisAnswer
    request_id: str


def diagnosis(
    value: model.Connection,
    status: model.ConnectionStatus,
    warnings: Sequence[model.Warning],
    asn: int | None = None,
    peer_asn: int | None = None,
) -> dict[str, Any]:
    """`asn`, `peer_asn`: those of the VPN gateway and of the customer gateway."""
    observation = status.observation
    explanation = status.explanation
    return shapes.without_none(
        id=value.id,
        status=status.status,
        reason=explanation.reason if explanation else None,
        remedy=explanation.remedy if explanation else None,
        evidence=_evidence(explanation.evidence) if explanation else [],
        causes=[_cause(cause) for cause in status.causes],
        warnings=[*map(str, warnings), *(cause.reason for cause in status.warnings)],
        seen_at=shapes.time(status.seen_at) if status.seen_at else None,
        not_seen_since=shapes.time(status.not_seen_since) if status.not_seen_since else None,
        paused_since=shapes.time(status.paused_since) if status.paused_since else None,
        ike_established=observation.ike_established if observation else False,
        ike_proposal=observation.ike_proposal if observation else None,
        local_id=observation.local_id if observation else None,
        peer_id=observation.peer_id if observation else None,
        peer_address=observation.peer_address if observation else None,
        nqa=wire_echoes.reachability(observation.nqa) if observation and observation.nqa else None,
        monitor=wire_echoes.reachability(observation.monitor) if observation and observation.monitor else None,
        bgp=wire_bgp.session(observation.bgp, value, asn, peer_asn) if observation and observation.bgp else None,
        sas=[_sa(child, status.seen_at) for child in observation.children] if observation and status.seen_at else [],
    )


def _cause(value: model.Cause) -> dict[str, Any]:
    return shapes.without_none(
        code=value.code,
        side=value.side,
        is_certain=value.is_certain,
        reason=value.reason,
        remedy=value.remedy,
        ours=value.ours,
        theirs=value.theirs,
        differs=value.differs,
        decides=value.decides,
        evidence=_evidence(value.evidence),
        documentation=f"{CAUSES_PAGE}#{value.code}",
    )


def _evidence(lines: Sequence[model.Evidence]) -> list[dict[str, str]]:
    return [{"at": shapes.time(evidence.at), "line": evidence.line} for evidence in lines]


def _sa(child: model.ChildSa, seen_at: datetime) -> dict[str, Any]:
    return shapes.without_none(
        local_subnets=child.local_ts,
        peer_subnets=child.remote_ts,
        spi_in=child.spi_in,
        spi_out=child.spi_out,
        proposal=child.proposal,
        bytes_in=child.bytes_in,
        bytes_out=child.bytes_out,
        packets_in=child.packets_in,
        packets_out=child.packets_out,
        installed_seconds=max(0, int((seen_at - child.installed_at).total_seconds())),
        last_packet_in_at=shapes.time(child.last_in_at) if child.last_in_at else None,
        last_packet_out_at=shapes.time(child.last_out_at) if child.last_out_at else None,
    )
