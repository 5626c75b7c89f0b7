"""VPN connections on the wire: create request, answers, list and diagnosis.

Source: "Creating a VPN Connection", Tables 3 to 15, and the SDK's newer optional fields.
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import pydantic
import pydantic_core
from pydantic import Field

from landbridge import model
from landbridge.wire import body, shapes

#: Connections of one batch. The page speaks of two.
BATCH_LIMIT = 50
#: Requests and answers spell a style differently. A request may repeat what an answer said.
_STYLES = ("policy", "static", "bgp", "policy-template")
_ANSWERED_STYLES = {style.upper(): style for style in _STYLES}
_GROUPS = ("group1", "group2", "group5", "group14", "group15", "group16", "group19", "group20", "group21")
_AUTHENTICATION = ("sha2-512", "sha2-384", "sha2-256", "sha1", "md5", "sm3")
_ENCRYPTION = ("aes-256-gcm-16", "aes-128-gcm-16", "aes-256", "aes-192", "aes-128", "3des", "sm4")


class DpdShape(body.Shape):
    """Dead peer detection. 0 counts as not given."""

    interval: body.Integer | None = Field(
        None, description="seconds without traffic before a probe, 10-3600; default 30"
    )
    timeout: body.Integer | None = Field(None, description="seconds between retransmits of a probe, 2-60; default 15")
    msg: str | None = shapes.choice(("seq-hash-notify", "seq-notify-hash"), description="default seq-hash-notify")

    def ask(self) -> model.AskDpd:
        return model.AskDpd(**vars(self))


class IkePolicyShape(body.Shape):
    """Phase 1."""

    version: str | None = shapes.choice(("v1", "v2"), alias="ike_version", description="default v2; a GM gateway: v1")
    negotiation_mode: str | None = shapes.choice(
        ("main", "aggressive"), alias="phase1_negotiation_mode", description="only with v1; default main"
    )
    authentication_algorithm: str | None = shapes.choice(
        _AUTHENTICATION, description="default sha2-256; sha1 and md5 are weak; a GM gateway: sm3 only"
    )
    encryption_algorithm: str | None = shapes.choice(
        _ENCRYPTION, description="default aes-128; 3des is weak; a GM gateway: sm4 only"
    )
    dh_group: str | None = shapes.choice(_GROUPS, description="default group15; 1, 2, 5 and 14 are weak")
    authentication_method: str | None = shapes.choice(
        ("pre-share", "digital-envelope-v2"), description="default pre-share; a GM gateway: digital-envelope-v2 only"
    )
    lifetime_seconds: body.Integer | None = Field(None, description="60-604800; default 86400; 0 counts as not given")
    local_id_type: str | None = shapes.choice(("ip", "fqdn"), description="default ip")
    local_id: str | None = Field(None, description="mandatory with fqdn; with ip default is the endpoint's address")
    peer_id_type: str | None = shapes.choice(("ip", "fqdn"), description="default ip")
    peer_id: str | None = Field(
        None, description="mandatory with fqdn; with ip default is the customer gateway's address"
    )
    dpd: DpdShape | None = None

    def ask(self) -> model.AskIkePolicy:
        return model.AskIkePolicy(**vars(self) | {"dpd": self.dpd.ask() if self.dpd else model.AskDpd()})


class IpsecPolicyShape(body.Shape):
    """Phase 2."""

    authentication_algorithm: str | None = shapes.choice(
        _AUTHENTICATION, description="default sha2-256; sha1 and md5 are weak; a GM gateway: sm3 only"
    )
    encryption_algorithm: str | None = shapes.choice(
        _ENCRYPTION, description="default aes-128; 3des is weak; a GM gateway: sm4 only"
    )
    pfs: str | None = shapes.choice((*_GROUPS, "disable"), description="default group15; 1, 2, 5 and 14 are weak")
    transform_protocol: str | None = shapes.choice(("esp",), description="default esp")
    lifetime_seconds: body.Integer | None = Field(None, description="30-604800; default 3600; 0 counts as not given")
    encapsulation_mode: str | None = shapes.choice(("tunnel",), description="default tunnel")

    def ask(self) -> model.AskIpsecPolicy:
        return model.AskIpsecPolicy(**vars(self))


class PolicyRuleShape(body.Shape):
    """A source block and its destination blocks."""

    index: body.Integer | None = Field(None, alias="rule_index", description="0-50, unique; numbered from 1 if absent")
    source: str | None = Field(None, description="a CIDR block, unique among the rules; mandatory")
    destinations: tuple[str, ...] | None = Field(
        None, alias="destination", strict=False, description="1-50 CIDR blocks; mandatory"
    )


class CreateConnection(body.Shape):
    """CreateVpnConnectionRequestBodyContent."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "vgw_id": "b32d91a4-0c4b-4f57-8f3a-e907174eb11d",
                    "vgw_ip": "0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde",
                    "cgw_id": "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d",
                    "peer_subnets": ["192.168.44.0/24"],
                    "psk": "Example-Key-1",
                }
            ]
        }
    )

    name: str | None = Field(None, description="1-64 of letters, digits, _ - and .; default vpn-****")
    gateway_id: str | None = Field(None, alias="vgw_id", description="the VPN gateway; mandatory")
    gateway_endpoint: str | None = Field(
        None, alias="vgw_ip", description="id of one of the gateway's EIPs (private: its address); mandatory"
    )
    style: str | None = shapes.choice(
        (*_STYLES, *_ANSWERED_STYLES), description="default static; in upper case as in answers"
    )
    customer_gateway_id: str | None = Field(None, alias="cgw_id", description="the customer gateway; mandatory")
    peer_subnets: tuple[str, ...] | None = Field(
        None, strict=False, description="1-50 CIDR blocks of the other side; not with er and policy or bgp"
    )
    tunnel_local_address: str | None = Field(None, description="such as 169.254.76.1/30; default: a free pair")
    tunnel_peer_address: str | None = Field(None, description="the other host of the same /30")
    enable_nqa: bool | None = Field(None, description="only with style static; default false")
    enable_hub: bool | None = Field(None, description="branch interconnection; stored and returned")
    enable_health_check: bool | None = Field(None, description="creates a connection monitor")
    psk: str | None = Field(
        None, repr=False, description="8-128 characters of at least three kinds; mandatory unless GM"
    )
    policy_rules: tuple[PolicyRuleShape, ...] | None = Field(
        None, strict=False, description="only with style policy, 1-5; default: each local subnet to the peer_subnets"
    )
    ike_policy: IkePolicyShape | None = Field(None, alias="ikepolicy")
    ipsec_policy: IpsecPolicyShape | None = Field(None, alias="ipsecpolicy")
    ha_role: str | None = shapes.choice(("master", "slave"), description="default master")
    tags: tuple[shapes.TagShape, ...] | None = Field(None, strict=False, description="at most 20")
    peer_subnets_v6: tuple[str, ...] | None = Field(None, strict=False, description="refused: IPv6 is not carried yet")
    policy_rules_v6: tuple[PolicyRuleShape, ...] | None = Field(
        None, strict=False, description="refused: IPv6 is not carried yet"
    )

    def ask(self) -> model.AskConnection:
        inside = {
            "style": _ANSWERED_STYLES.get(self.style or "", self.style),
            "psk": None if self.psk is None else model.Secret(self.psk),
            "policy_rules": _ask_rules(self.policy_rules),
            "ike_policy": self.ike_policy.ask() if self.ike_policy else model.AskIkePolicy(),
            "ipsec_policy": self.ipsec_policy.ask() if self.ipsec_policy else model.AskIpsecPolicy(),
            "tags": shapes.ask_tags(self.tags),
            "policy_rules_v6": _ask_rules(self.policy_rules_v6),
        }
        return model.AskConnection(**vars(self) | inside)


class UpdateConnection(CreateConnection):
    """UpdateVpnConnectionRequestBodyContent. What is absent stays, inside the policies too; lists are replaced. All that was
    read may be sent back.
    """

    model_config = pydantic.ConfigDict(
        json_schema_extra={"examples": [{"peer_subnets": ["192.168.45.0/24"], "ikepolicy": {"dpd": {"interval": 60}}}]}
    )

    name: str | None = Field(None, description="1-64 of letters, digits, _ - and .")
    gateway_id: str | None = Field(None, alias="vgw_id", description="cannot be changed")
    gateway_endpoint: str | None = Field(None, alias="vgw_ip", description="cannot be changed")
    style: str | None = Field(None, description="cannot be changed; any letter case")
    customer_gateway_id: str | None = Field(None, alias="cgw_id", description="the customer gateway")
    peer_subnets: tuple[str, ...] | None = Field(None, strict=False, description="1-50 CIDR blocks of the other side")
    tunnel_local_address: str | None = Field(
        None, description="such as 169.254.76.1/30; alone it moves the other side's address into the same /30"
    )
    enable_nqa: bool | None = Field(None, description="only with style static")
    enable_health_check: bool | None = Field(
        None, description="cannot be changed: monitors are created and deleted by themselves"
    )
    psk: str | None = Field(None, repr=False, description="8-128 characters of at least three kinds")
    policy_rules: tuple[PolicyRuleShape, ...] | None = Field(
        None, strict=False, description="only with style policy, 1-5; a rule without rule_index keeps its source's"
    )
    ha_role: str | None = Field(None, description="cannot be changed")
    tags: tuple[shapes.TagShape, ...] | None = Field(
        None, strict=False, description="cannot be changed here: tags have operations of their own"
    )


def _ask_rules(rules: tuple[PolicyRuleShape, ...] | None) -> tuple[model.AskPolicyRule, ...] | None:
    if rules is None:
        return None
    return tuple(model.AskPolicyRule(**vars(rule)) for rule in rules)


class DpdAnswer(pydantic.BaseModel):
    timeout: int
    interval: int
    msg: str


class IkePolicyAnswer(pydantic.BaseModel):
    ike_version: str
    phase1_negotiation_mode: str | None = Field(None, description="only with v1")
    authentication_algorithm: str
    encryption_algorithm: str
    dh_group: str | None = shapes.choice(_GROUPS, description="default group15; 1, 2, 5 and 14 are weak")
    authentication_method: str
    lifetime_seconds: int
    local_id_type: str | None = shapes.choice(("ip", "fqdn"), description="default ip")
    local_id: str | None = None
    peer_id_type: str | None = None
    peer_id: str | None = None
    dpd: DpdAnswer


class IpsecPolicyAnswer(pydantic.BaseModel):
    authentication_algorithm: str
    encryption_algorithm: str
    pfs: str | None = shapes.choice((*_GROUPS, "disable"), description="default group15; 1, 2, 5 and 14 are weak")
    transform_protocol: str
    lifetime_seconds: int
    encapsulation_mode: str


class PolicyRuleAnswer(pydantic.BaseModel):
    rule_index: int
    source: str
    destination: list[str]


class ConnectionAnswer(pydantic.BaseModel):
    """ResponseVpnConnection. The answer to a create has no `status`."""

    id: str
    name: str
    status: str | None = shapes.choice(
        ("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "DOWN", "ERROR"),
        description="not in the answer to a create",
    )
    vgw_id: str
    vgw_ip: str
    style: str = Field(json_schema_extra={"enum": list(_ANSWERED_STYLES)})
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


class OneConnection(pydantic.BaseModel):
    vpn_connection: ConnectionAnswer
    request_id: str


class BatchOfConnections(pydantic.BaseModel):
    vpn_connections: list[ConnectionAnswer]
    request_id: str


class ManyConnections(pydantic.BaseModel):
    vpn_connections: list[ConnectionAnswer]
    page_info: shapes.PageInfo
    total_count: int
    request_id: str


def shown(value: model.Connection, status: str) -> bytes:
    """The connection with its status, as JSON."""
    before, after = _around_status(value)
    return before + status.encode() + after


def shown_all(connections: Iterable[tuple[model.Connection, str]]) -> bytes:
    return b"[%s]" % b",".join(itertools.starmap(shown, connections))


@functools.lru_cache(maxsize=8192)
def _around_status(value: model.Connection) -> tuple[bytes, bytes]:
    """What stands before its status and after it. Clients poll the same connections again and again."""
    before, after = pydantic_core.to_json(connection(value, "")).split(b'"status":""', 1)
    return before + b'"status":"', b'"' + after


def connection(value: model.Connection, status: str | None = None) -> dict[str, Any]:
    """Field by field in the order of the page's examples. Without a status it was just made or changed."""
    return shapes.present(
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
        ikepolicy=_ike_policy(value.ike_policy),
        ipsecpolicy=_ipsec_policy(value.ipsec_policy),
        created_at=shapes.time(value.created_at),
        updated_at=shapes.time(value.updated_at),
        enterprise_project_id=value.enterprise_project_id,
        connection_monitor_id=value.monitor_id,
        ha_role=value.ha_role,
        tags=shapes.tags(value.tags) or None,
    )


def _rules(rules: Sequence[model.PolicyRule]) -> list[dict[str, Any]]:
    return [{"rule_index": r.index, "source": r.source, "destination": r.destinations} for r in rules]


def _ike_policy(policy: model.IkePolicy) -> dict[str, Any]:
    return shapes.present(
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


def _ipsec_policy(policy: model.IpsecPolicy) -> dict[str, Any]:
    return shapes.present(
        authentication_algorithm=policy.authentication_algorithm,
        encryption_algorithm=policy.encryption_algorithm,
        pfs=policy.pfs,
        transform_protocol=policy.transform_protocol,
        lifetime_seconds=policy.lifetime_seconds,
        encapsulation_mode=policy.encapsulation_mode,
    )


class Reset(pydantic.BaseModel):
    request_id: str


class SaInfo(pydantic.BaseModel):
    id: str = Field(description="its inbound and outbound SPI")
    source_ip_cidr: str
    dest_ip_cidr: str
    packets_sent: int
    packets_recv: int
    traffic_sent: int = Field(description="bytes")
    traffic_recv: int = Field(description="bytes")
    collected_at: str = Field(description="when the engine last looked")


class ManySas(pydantic.BaseModel):
    sa_infos: list[SaInfo]
    request_id: str


class Log(pydantic.BaseModel):
    time: int = Field(description="seconds since 1970")
    raw_message: str


class ManyLogs(pydantic.BaseModel):
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
    evidence = status.observation.evidence if status.observation is not None else ()
    return [{"time": int(each.at.timestamp()), "raw_message": each.line} for each in evidence]


class SaAnswer(pydantic.BaseModel):
    local_subnets: list[str]
    peer_subnets: list[str]
    spi_in: str
    spi_out: str
    proposal: str
    bytes_in: int
    bytes_out: int
    packets_in: int
    packets_out: int
    installed_seconds: int


class EvidenceAnswer(pydantic.BaseModel):
    at: str
    line: str


class DiagnosisAnswer(pydantic.BaseModel):
    """Why a connection is in the state it is in."""

    id: str
    status: str
    reason: str | None = Field(None, description="in the operator's words; absent when the tunnel is wholly up")
    remedy: str | None = Field(None, description="what to change")
    evidence: list[EvidenceAnswer] = Field(description="the lines that the reason was read from, verbatim")
    warnings: list[str] = Field(description="weak choices of the configuration")
    seen_at: str | None = Field(None, description="when the engine last looked")
    not_seen_since: str | None = Field(None, description="set when that is too long ago to be trusted")
    paused_since: str | None = Field(None, description="set while the agent only watches (landbridge pause)")
    ike_established: bool
    ike_proposal: str | None = None
    local_id: str | None = None
    peer_id: str | None = None
    peer_address: str | None = None
    monitor: str | None = Field(None, description="what the connection monitor says")
    sas: list[SaAnswer]


class OneDiagnosis(pydantic.BaseModel):
    diagnosis: DiagnosisAnswer
    request_id: str


def diagnosis(
    value: model.Connection, status: model.ConnectionStatus, cautions: Sequence[model.Caution]
) -> dict[str, Any]:
    seen = status.observation
    advice = status.advice
    return shapes.present(
        id=value.id,
        status=status.word,
        reason=advice.reason if advice else None,
        remedy=advice.remedy if advice else None,
        evidence=[{"at": shapes.time(e.at), "line": e.line} for e in advice.evidence] if advice else [],
        warnings=[str(c) for c in cautions],
        seen_at=shapes.time(status.seen_at) if status.seen_at else None,
        not_seen_since=shapes.time(status.not_seen_since) if status.not_seen_since else None,
        paused_since=shapes.time(status.paused_since) if status.paused_since else None,
        ike_established=seen.ike_established if seen else False,
        ike_proposal=seen.ike_proposal if seen else None,
        local_id=seen.local_id if seen else None,
        peer_id=seen.peer_id if seen else None,
        peer_address=seen.peer_address if seen else None,
        monitor="not probed yet" if value.monitor_id is not None or value.enable_nqa else None,
        sas=[_sa(child) for child in seen.children] if seen else [],
    )


def _sa(child: model.ChildSa) -> dict[str, Any]:
    return {
        "local_subnets": child.local_ts,
        "peer_subnets": child.remote_ts,
        "spi_in": child.spi_in,
        "spi_out": child.spi_out,
        "proposal": child.proposal,
        "bytes_in": child.bytes_in,
        "bytes_out": child.bytes_out,
        "packets_in": child.packets_in,
        "packets_out": child.packets_out,
        "installed_seconds": child.installed_seconds,
    }
