"""VPN connections on the wire: create request, answers, list and diagnosis.

Source: "Creating a VPN Connection", Tables 3 to 15, and the SDK's newer optional fields.
"""

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import pydantic_core
from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, schema, shapes

#: Connections of one batch. The page speaks of two.
BATCH_LIMIT = 50
#: Requests and answers spell a style differently. A request may repeat what an answer said.
_ANSWERED_STYLES = {style.upper(): style for style in allowed_values.STYLES.values}
STATUSES = ("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "DOWN", "ERROR")
_IKE, _DPD, _IPSEC = allowed_values.IKE, allowed_values.DPD, allowed_values.IPSEC
_WEAK_HASH = "sha1 and md5 are weak; a GM gateway: sm3 only"
_WEAK_CIPHER = "3des is weak; a GM gateway: sm4 only"
_WEAK_GROUP = "group1, 2, 5 and 14 are weak"
_NOT_GIVEN = "0 counts as not given"
_UNCARRIED = "IPv6 is not carried yet"


class DpdShape(body.Shape):
    """Dead peer detection. 0 counts as not given."""

    interval: body.Integer | None = schema.field(
        schema.seconds(_DPD["interval"]), "seconds without traffic before a probe"
    )
    timeout: body.Integer | None = schema.field(
        schema.seconds(_DPD["timeout"]), "seconds between retransmits of a probe"
    )
    msg: str | None = schema.field(schema.choice(_DPD["msg"]))

    def request(self) -> model.DpdRequest:
        return model.DpdRequest(**vars(self))


class IkePolicyShape(body.Shape):
    """Phase 1."""

    version: str | None = schema.field(
        schema.choice(_IKE["ike_version"]), "a GM gateway: v1 only, when absent too", alias="ike_version"
    )
    negotiation_mode: str | None = schema.field(
        schema.choice(_IKE["phase1_negotiation_mode"]), "only with v1", alias="phase1_negotiation_mode"
    )
    authentication_algorithm: str | None = schema.field(
        schema.choice(_IKE["authentication_algorithm"], "sm3"), _WEAK_HASH
    )
    encryption_algorithm: str | None = schema.field(schema.choice(_IKE["encryption_algorithm"], "sm4"), _WEAK_CIPHER)
    dh_group: str | None = schema.field(schema.choice(_IKE["dh_group"]), _WEAK_GROUP)
    authentication_method: str | None = schema.field(
        schema.choice(_IKE["authentication_method"], "digital-envelope-v2"), "a GM gateway: digital-envelope-v2 only"
    )
    lifetime_seconds: body.Integer | None = schema.field(schema.seconds(_IKE["lifetime_seconds"]), _NOT_GIVEN)
    local_id_type: str | None = schema.field(schema.choice(_IKE["local_id_type"]))
    local_id: str | None = schema.field(
        schema.string(allowed_values.IDENTITY), "mandatory with fqdn; with ip, absent: the endpoint's address"
    )
    peer_id_type: str | None = schema.field(schema.choice(_IKE["peer_id_type"]))
    peer_id: str | None = schema.field(
        schema.string(allowed_values.IDENTITY), "mandatory with fqdn; with ip, absent: the customer gateway's address"
    )
    dpd: DpdShape | None = None

    def request(self) -> model.IkePolicyRequest:
        return model.IkePolicyRequest(**vars(self) | {"dpd": self.dpd.request() if self.dpd else model.DpdRequest()})


class IpsecPolicyShape(body.Shape):
    """Phase 2."""

    authentication_algorithm: str | None = schema.field(
        schema.choice(_IPSEC["authentication_algorithm"], "sm3"), _WEAK_HASH
    )
    encryption_algorithm: str | None = schema.field(schema.choice(_IPSEC["encryption_algorithm"], "sm4"), _WEAK_CIPHER)
    pfs: str | None = schema.field(schema.choice(_IPSEC["pfs"]), _WEAK_GROUP)
    transform_protocol: str | None = schema.field(schema.choice(_IPSEC["transform_protocol"]))
    lifetime_seconds: body.Integer | None = schema.field(schema.seconds(_IPSEC["lifetime_seconds"]), _NOT_GIVEN)
    encapsulation_mode: str | None = schema.field(schema.choice(_IPSEC["encapsulation_mode"]))

    def request(self) -> model.IpsecPolicyRequest:
        return model.IpsecPolicyRequest(**vars(self))


class DpdChange(DpdShape):
    """What is absent stays."""

    is_change = True


class IkePolicyChange(IkePolicyShape):
    """Phase 1. What is absent stays."""

    is_change = True

    local_id: str | None = schema.field(schema.string(allowed_values.IDENTITY), "mandatory with another local_id_type")
    peer_id: str | None = schema.field(schema.string(allowed_values.IDENTITY), "mandatory with another peer_id_type")
    dpd: DpdChange | None = None


class IpsecPolicyChange(IpsecPolicyShape):
    """Phase 2. What is absent stays."""

    is_change = True


class PolicyRuleShape(body.Shape):
    """A source block and its destination blocks."""

    index: body.Integer | None = schema.field(
        schema.integer(*allowed_values.RULE_INDEX), "unique; absent: numbered from 1", alias="rule_index"
    )
    source: str | None = schema.field(schema.subnet(), "unique among the rules", mandatory=True)
    destinations: tuple[str, ...] | None = schema.field(schema.subnets(), alias="destination", mandatory=True)


class CreateConnection(body.Shape):
    """CreateVpnConnectionRequestBodyContent."""

    examples: ClassVar = {
        "static": {
            "vgw_id": "b32d91a4-0c4b-4f57-8f3a-e907174eb11d",
            "vgw_ip": "0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde",
            "cgw_id": "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d",
            "peer_subnets": ["192.168.44.0/24"],
            "psk": "Example-Key-1",
        },
        "static, with every policy": {
            "name": "vpn-1655",
            "vgw_id": "b32d91a4-0c4b-4f57-8f3a-e907174eb11d",
            "vgw_ip": "0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde",
            "style": "static",
            "cgw_id": "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d",
            "peer_subnets": ["192.168.44.0/24", "192.168.45.0/24"],
            "tunnel_local_address": "169.254.76.1/30",
            "tunnel_peer_address": "169.254.76.2/30",
            "enable_nqa": False,
            "enable_health_check": True,
            "psk": "Example-Key-1",
            "ikepolicy": {
                "ike_version": "v2",
                "authentication_algorithm": "sha2-256",
                "encryption_algorithm": "aes-256-gcm-16",
                "dh_group": "group20",
                "lifetime_seconds": 86400,
                "local_id_type": "ip",
                "peer_id_type": "fqdn",
                "peer_id": "branch.example",
                "dpd": {"timeout": 15, "interval": 30, "msg": "seq-hash-notify"},
            },
            "ipsecpolicy": {
                "authentication_algorithm": "sha2-256",
                "encryption_algorithm": "aes-256-gcm-16",
                "pfs": "group20",
                "transform_protocol": "esp",
                "lifetime_seconds": 3600,
                "encapsulation_mode": "tunnel",
            },
            "tags": [{"key": "site", "value": "berlin"}],
        },
        "policy": {
            "vgw_id": "b32d91a4-0c4b-4f57-8f3a-e907174eb11d",
            "vgw_ip": "0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde",
            "style": "policy",
            "cgw_id": "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d",
            "peer_subnets": ["192.168.0.0/24"],
            "policy_rules": [{"rule_index": 1, "source": "10.0.0.0/24", "destination": ["192.168.0.0/24"]}],
            "psk": "Example-Key-1",
        },
    }

    name: str | None = schema.field(schema.name(), "absent: vpn-****")
    gateway_id: str | None = schema.field(schema.an_id(), "the VPN gateway", alias="vgw_id", mandatory=True)
    gateway_endpoint: str | None = schema.field(
        schema.string(allowed_values.ENDPOINT),
        "id of one of the gateway's EIPs (private: its address)",
        alias="vgw_ip",
        mandatory=True,
    )
    style: str | None = schema.field(
        schema.choice(allowed_values.STYLES, *_ANSWERED_STYLES), "in upper case as in answers"
    )
    customer_gateway_id: str | None = schema.field(
        schema.an_id(), "the customer gateway", alias="cgw_id", mandatory=True
    )
    peer_subnets: tuple[str, ...] | None = schema.field(
        schema.subnets(), "the other side; mandatory, but with er and style policy or bgp"
    )
    tunnel_local_address: str | None = schema.field(
        schema.string(allowed_values.TUNNEL_ADDRESS), "such as 169.254.76.1/30; absent: a free pair"
    )
    tunnel_peer_address: str | None = schema.field(
        schema.string(allowed_values.TUNNEL_ADDRESS), "the other host of the same /30"
    )
    enable_nqa: bool | None = schema.field(schema.boolean(), "only with style static; absent: false")
    enable_hub: bool | None = schema.field(schema.boolean(), "branch interconnection; stored and returned")
    enable_health_check: bool | None = schema.field(schema.boolean(), "creates a connection monitor")
    psk: str | None = schema.field(
        schema.string(allowed_values.PSK, format="password"),
        f"at least three of the four kinds: capitals, small letters, digits and {allowed_values.PSK_SPECIALS}; "
        "mandatory unless the gateway is GM",
        secret=True,
    )
    policy_rules: tuple[PolicyRuleShape, ...] | None = schema.field(
        schema.objects(0, allowed_values.RULE_LIMIT),
        "only with style policy; absent: each local subnet to the peer_subnets",
    )
    ike_policy: IkePolicyShape | None = Field(None, alias="ikepolicy")
    ipsec_policy: IpsecPolicyShape | None = Field(None, alias="ipsecpolicy")
    ha_role: str | None = schema.field(schema.choice(allowed_values.HA_ROLES))
    tags: tuple[shapes.TagShape, ...] | None = schema.tags()
    peer_subnets_v6: tuple[str, ...] | None = schema.field(schema.none_at_all(), _UNCARRIED)
    policy_rules_v6: tuple[PolicyRuleShape, ...] | None = schema.field(schema.none_at_all(), _UNCARRIED)

    def request(self) -> model.ConnectionRequest:
        inside = {
            "style": _ANSWERED_STYLES.get(self.style or "", self.style),
            "psk": None if self.psk is None else model.Secret(self.psk),
            "policy_rules": _ask_rules(self.policy_rules),
            "ike_policy": self.ike_policy.request() if self.ike_policy else model.IkePolicyRequest(),
            "ipsec_policy": self.ipsec_policy.request() if self.ipsec_policy else model.IpsecPolicyRequest(),
            "tags": shapes.ask_tags(self.tags),
            "policy_rules_v6": _ask_rules(self.policy_rules_v6),
        }
        return model.ConnectionRequest(**vars(self) | inside)


class UpdateConnection(CreateConnection):
    """UpdateVpnConnectionRequestBodyContent. What is absent stays, inside the policies too; lists are replaced. All that was
    read may be sent back.
    """

    examples: ClassVar = {
        "other subnets and a slower probe": {
            "peer_subnets": ["192.168.45.0/24"],
            "ikepolicy": {"dpd": {"interval": 60}},
        }
    }

    is_change = True

    name: str | None = schema.field(schema.name())
    gateway_id: str | None = schema.fixed(alias="vgw_id")
    gateway_endpoint: str | None = schema.fixed(alias="vgw_ip")
    style: str | None = schema.field(schema.string(), "cannot be changed here; any letter case")
    peer_subnets: tuple[str, ...] | None = schema.field(
        schema.subnets(), "the other side. They replace those that are there"
    )
    tunnel_local_address: str | None = schema.field(
        schema.string(allowed_values.TUNNEL_ADDRESS), "alone it moves the other side's address into the same /30"
    )
    enable_nqa: bool | None = schema.field(schema.boolean(), "only with style static")
    enable_health_check: bool | None = schema.field(
        schema.boolean(), "cannot be changed here: monitors are created and deleted by themselves"
    )
    policy_rules: tuple[PolicyRuleShape, ...] | None = schema.field(
        schema.objects(0, allowed_values.RULE_LIMIT),
        "only with style policy; they replace those that are there, and one without rule_index keeps its source's",
    )
    ike_policy: IkePolicyChange | None = Field(None, alias="ikepolicy")
    ipsec_policy: IpsecPolicyChange | None = Field(None, alias="ipsecpolicy")
    ha_role: str | None = schema.fixed()
    tags: tuple[shapes.TagShape, ...] | None = schema.field(
        schema.objects(0, allowed_values.TAG_LIMIT), "cannot be changed here: tags have operations of their own"
    )


def _ask_rules(rules: tuple[PolicyRuleShape, ...] | None) -> tuple[model.PolicyRuleRequest, ...] | None:
    if rules is None:
        return None
    return tuple(model.PolicyRuleRequest(**vars(rule)) for rule in rules)


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
    evidence = status.observation.evidence if status.observation is not None else ()
    return [
        {"time": int(each.at.timestamp()), "raw_message": f"{shapes.time(each.at)} {each.line}"} for each in evidence
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
    installed_seconds: int


class EvidenceAnswer(schema.Answer):
    at: str
    line: str


class DiagnosisAnswer(schema.Answer):
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


class OneDiagnosis(schema.Answer):
    diagnosis: DiagnosisAnswer
    request_id: str


def diagnosis(
    value: model.Connection, status: model.ConnectionStatus, warnings: Sequence[model.Warning]
) -> dict[str, Any]:
    seen = status.observation
    explanation = status.explanation
    return shapes.present(
        id=value.id,
        status=status.status,
        reason=explanation.reason if explanation else None,
        remedy=explanation.remedy if explanation else None,
        evidence=[{"at": shapes.time(e.at), "line": e.line} for e in explanation.evidence] if explanation else [],
        warnings=[str(c) for c in warnings],
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
