"""The shapes of requests for VPN connections: create, batch create and update.

Source: "Creating a VPN Connection", Tables 3 to 8, "Updating a VPN Connection", and the SDK's newer optional fields.
"""

from typing import ClassVar

from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, schema, shapes

#: Answers spell a style in upper case. A request may repeat what an answer said.
_ANSWERED_STYLES = {style.upper(): style for style in allowed_values.STYLES.values}
_IKE, _IKE_GM, _DPD = allowed_values.IKE, allowed_values.IKE_GM, allowed_values.DPD
_IPSEC, _IPSEC_GM = allowed_values.IPSEC, allowed_values.IPSEC_GM


class DpdShape(body.Shape):
    """Dead peer detection."""

    interval: body.Integer | None = schema.seconds_field(_DPD.interval, "seconds without traffic before a probe")
    timeout: body.Integer | None = schema.seconds_field(_DPD.timeout, "seconds between retransmits of a probe")
    msg: str | None = schema.choice_field(_DPD.msg)

    def request(self) -> model.DpdRequest:
        return model.DpdRequest(**vars(self))


class IkePolicyShape(body.Shape):
    """Phase 1."""

    version: str | None = schema.choice_field(_IKE.ike_version, gm=_IKE_GM.ike_version, alias="ike_version")
    negotiation_mode: str | None = schema.choice_field(
        _IKE.phase1_negotiation_mode,
        f"only with {_IKE_GM.ike_version}",
        gm=_IKE_GM.phase1_negotiation_mode,
        alias="phase1_negotiation_mode",
    )
    authentication_algorithm: str | None = schema.choice_field(
        _IKE.authentication_algorithm, gm=_IKE_GM.authentication_algorithm
    )
    encryption_algorithm: str | None = schema.choice_field(_IKE.encryption_algorithm, gm=_IKE_GM.encryption_algorithm)
    dh_group: str | None = schema.choice_field(_IKE.dh_group)
    authentication_method: str | None = schema.choice_field(
        _IKE.authentication_method, gm=_IKE_GM.authentication_method
    )
    lifetime_seconds: body.Integer | None = schema.seconds_field(_IKE.lifetime_seconds)
    local_id_type: str | None = schema.choice_field(_IKE.local_id_type)
    local_id: str | None = schema.field(
        schema.string(allowed_values.IDENTITY), "mandatory with fqdn; with ip, absent: the endpoint's address"
    )
    peer_id_type: str | None = schema.choice_field(_IKE.peer_id_type)
    peer_id: str | None = schema.field(
        schema.string(allowed_values.IDENTITY), "mandatory with fqdn; with ip, absent: the customer gateway's address"
    )
    dpd: DpdShape | None = None

    def request(self) -> model.IkePolicyRequest:
        return model.IkePolicyRequest(**vars(self) | {"dpd": self.dpd.request() if self.dpd else model.DpdRequest()})


class IpsecPolicyShape(body.Shape):
    """Phase 2."""

    authentication_algorithm: str | None = schema.choice_field(
        _IPSEC.authentication_algorithm, gm=_IPSEC_GM.authentication_algorithm
    )
    encryption_algorithm: str | None = schema.choice_field(
        _IPSEC.encryption_algorithm, gm=_IPSEC_GM.encryption_algorithm
    )
    pfs: str | None = schema.choice_field(_IPSEC.pfs)
    transform_protocol: str | None = schema.choice_field(_IPSEC.transform_protocol)
    lifetime_seconds: body.Integer | None = schema.seconds_field(_IPSEC.lifetime_seconds)
    encapsulation_mode: str | None = schema.choice_field(_IPSEC.encapsulation_mode)

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
        schema.integer(allowed_values.RULE_INDEX),
        f"unique; absent: numbered from {allowed_values.FIRST_RULE_INDEX}",
        alias="rule_index",
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

    name: str | None = schema.field(schema.name(), f"absent: {allowed_values.CONNECTION_NAME}****")
    gateway_id: str | None = schema.field(schema.uuid(), "the VPN gateway", alias="vgw_id", mandatory=True)
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
        schema.uuid(), "the customer gateway", alias="cgw_id", mandatory=True
    )
    peer_subnets: tuple[str, ...] | None = schema.field(
        schema.subnets(),
        "the other side; mandatory, except with er and style policy or bgp; with policy-template what the device may ask for",
    )
    tunnel_local_address: str | None = schema.field(
        schema.string(allowed_values.TUNNEL_ADDRESS), f"such as {allowed_values.TUNNEL_EXAMPLE}; absent: a free pair"
    )
    tunnel_peer_address: str | None = schema.field(
        schema.string(allowed_values.TUNNEL_ADDRESS), f"the other host of the same /{allowed_values.TUNNEL_MASK}"
    )
    enable_nqa: bool | None = schema.field(schema.boolean(), "only with style static; absent: false")
    enable_hub: bool | None = schema.field(schema.boolean(), "branch interconnection; stored and returned")
    enable_health_check: bool | None = schema.field(schema.boolean(), "creates a connection monitor")
    psk: str | None = schema.field(
        schema.string(allowed_values.PSK, format="password"),
        f"{allowed_values.PSK}; mandatory unless the gateway is GM",
        secret=True,
    )
    policy_rules: tuple[PolicyRuleShape, ...] | None = schema.field(
        schema.objects(allowed_values.RULES.high),
        "only with style policy; absent: each local subnet to the peer_subnets",
    )
    ike_policy: IkePolicyShape | None = Field(None, alias="ikepolicy")
    ipsec_policy: IpsecPolicyShape | None = Field(None, alias="ipsecpolicy")
    ha_role: str | None = schema.choice_field(allowed_values.HA_ROLES)
    tags: tuple[shapes.TagShape, ...] | None = schema.tags()
    peer_subnets_v6: tuple[str, ...] | None = schema.field(schema.none_at_all(), allowed_values.NO_IPV6)
    policy_rules_v6: tuple[PolicyRuleShape, ...] | None = schema.field(schema.none_at_all(), allowed_values.NO_IPV6)

    def request(self) -> model.ConnectionRequest:
        inside = {
            "style": _ANSWERED_STYLES.get(self.style or "", self.style),
            "psk": None if self.psk is None else model.Secret(self.psk),
            "policy_rules": _ask_rules(self.policy_rules),
            "ike_policy": self.ike_policy.request() if self.ike_policy else model.IkePolicyRequest(),
            "ipsec_policy": self.ipsec_policy.request() if self.ipsec_policy else model.IpsecPolicyRequest(),
            "tags": shapes.tag_requests(self.tags),
            "policy_rules_v6": _ask_rules(self.policy_rules_v6),
        }
        return model.ConnectionRequest(**vars(self) | inside)


class UpdateConnection(CreateConnection):
    """UpdateVpnConnectionRequestBodyContent. An absent field stays, inside the policies too. A list is replaced. A
    client may send back all that it read.
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
        schema.subnets(), "the other side; the list replaces the present subnets"
    )
    tunnel_local_address: str | None = schema.field(
        schema.string(allowed_values.TUNNEL_ADDRESS),
        f"alone it moves the other side's address into the same /{allowed_values.TUNNEL_MASK}",
    )
    enable_nqa: bool | None = schema.field(schema.boolean(), "only with style static")
    enable_health_check: bool | None = schema.field(
        schema.boolean(), "cannot be changed here: connection monitors have operations of their own"
    )
    policy_rules: tuple[PolicyRuleShape, ...] | None = schema.field(
        schema.objects(allowed_values.RULES.high),
        "only with style policy; the list replaces the present rules; a rule without rule_index keeps the index of its source",
    )
    ike_policy: IkePolicyChange | None = Field(None, alias="ikepolicy")
    ipsec_policy: IpsecPolicyChange | None = Field(None, alias="ipsecpolicy")
    ha_role: str | None = schema.fixed()
    tags: tuple[shapes.TagShape, ...] | None = schema.field(
        schema.objects(allowed_values.TAG_LIMIT), "cannot be changed here: tags have operations of their own"
    )


def _ask_rules(rules: tuple[PolicyRuleShape, ...] | None) -> tuple[model.PolicyRuleRequest, ...] | None:
    if rules is None:
        return None
    return tuple(model.PolicyRuleRequest(**vars(rule)) for rule in rules)
