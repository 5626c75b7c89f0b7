"""VPN gateways on the wire: create request and answers.

Source: "Creating a VPN Gateway", "Querying a Specified VPN Gateway", and the older names that clients still read.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from pydantic import Field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, schema, shapes

STATUSES = get_args(model.GatewayStatusName)
_FIELDS = allowed_values.GATEWAY
#: A gateway with attachment_type er has no local subnets.
_LOCAL_SUBNETS = allowed_values.Range(0, allowed_values.SUBNETS.high)


class EipShape(body.Shape):
    """An EIP of the site by its id, or any EIP of the pool."""

    id: str | None = schema.field(schema.uuid(), "an EIP of the site file; absent: one is taken from the pool")
    type: str | None = schema.field(schema.name(), f"such as {allowed_values.EIP_TYPE}")
    charge_mode: str | None = schema.field(schema.choice(allowed_values.CHARGE_MODES))
    bandwidth_size: body.Integer | None = schema.field(
        schema.integer(allowed_values.BANDWIDTH), "Mbit/s, up to the flavor's limit"
    )
    bandwidth_name: str | None = schema.field(schema.name())
    bandwidth_id: str | None = schema.field(schema.uuid(), "id of a shared bandwidth")

    def request(self) -> model.EipRequest:
        return model.EipRequest(
            id=self.id,
            type=self.type,
            charge_mode=self.charge_mode,
            bandwidth_size=self.bandwidth_size,
            bandwidth_name=self.bandwidth_name,
            bandwidth_id=self.bandwidth_id,
        )


def _address() -> dict[str, Any]:
    return schema.string(allowed_values.ADDRESS, format="ipv4")


def _ask_eip(eip: EipShape | None) -> model.EipRequest | None:
    return eip.request() if eip is not None else None


class CreateGateway(body.Shape):
    """CreateVgwRequestBodyContent."""

    examples: ClassVar = {
        "two EIPs from the pool": {
            "vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa",
            "local_subnets": ["10.0.0.0/24"],
            "connect_subnet": "f5741286-8f4e-4b06-a4b8-2c82bd9ee114",
        },
        "one carries, the other stands by": {
            "name": "vpngw-4321",
            "vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa",
            "local_subnets": ["10.0.1.0/24", "10.0.2.0/24"],
            "flavor": "Professional2",
            "ha_mode": "active-standby",
            "eip1": {"type": "5_bgp", "charge_mode": "traffic", "bandwidth_size": 300, "bandwidth_name": "vpngw-band1"},
            "bgp_asn": 64512,
            "tags": [{"key": "site", "value": "berlin"}],
        },
    }

    name: str | None = schema.field(schema.name(), f"absent: {allowed_values.GATEWAY_NAME}****")
    network_type: str | None = schema.field(schema.choice(_FIELDS.network_type))
    attachment_type: str | None = schema.field(schema.choice(_FIELDS.attachment_type))
    ip_version: str | None = schema.field(schema.choice(_FIELDS.ip_version))
    er_id: str | None = schema.field(schema.uuid(), "mandatory with attachment_type er: a network of the site")
    vpc_id: str | None = schema.field(schema.uuid(), "mandatory with attachment_type vpc: a network of the site")
    local_subnets: tuple[str, ...] | None = schema.field(
        schema.subnets(_LOCAL_SUBNETS), "our side, without host bits; mandatory with vpc, not with er"
    )
    local_subnets_v6: tuple[str, ...] | None = schema.field(schema.none_at_all(), allowed_values.NO_IPV6)
    connect_subnet: str | None = schema.field(schema.uuid(), "a subnet's id; stored and returned")
    bgp_asn: body.Integer | None = schema.field(schema.integer(allowed_values.ASN, default=allowed_values.GATEWAY_ASN))
    flavor: str | None = schema.field(schema.choice(_FIELDS.flavor))
    availability_zone_ids: tuple[str, ...] | None = schema.field(
        schema.array(schema.string(), allowed_values.ZONES, uniqueItems=True), "zones of the site"
    )
    enterprise_project_id: str | None = schema.field(
        schema.string(allowed_values.UUID_OR_ZERO, default=allowed_values.ENTERPRISE_PROJECT)
    )
    eip1: EipShape | None = Field(None, description="the first, or active, EIP; only public")
    eip2: EipShape | None = Field(None, description="the second, or standby, EIP; only public")
    master_eip: EipShape | None = Field(None, description="older name of eip1")
    slave_eip: EipShape | None = Field(None, description="older name of eip2")
    access_vpc_id: str | None = schema.field(schema.uuid(), "stored and returned; absent: vpc_id")
    access_subnet_id: str | None = schema.field(schema.uuid(), "stored and returned; absent: connect_subnet")
    access_private_ip_1: str | None = schema.field(_address(), "only private; with access_private_ip_2, or neither")
    access_private_ip_2: str | None = schema.field(_address(), "only private; with access_private_ip_1, or neither")
    ha_mode: str | None = schema.field(schema.choice(_FIELDS.ha_mode))
    tags: tuple[shapes.TagShape, ...] | None = schema.tags()

    def request(self) -> model.GatewayRequest:
        return model.GatewayRequest(
            name=self.name,
            network_type=self.network_type,
            attachment_type=self.attachment_type,
            ip_version=self.ip_version,
            er_id=self.er_id,
            vpc_id=self.vpc_id,
            local_subnets=self.local_subnets,
            local_subnets_v6=self.local_subnets_v6,
            connect_subnet=self.connect_subnet,
            bgp_asn=self.bgp_asn,
            flavor=self.flavor,
            availability_zone_ids=self.availability_zone_ids,
            enterprise_project_id=self.enterprise_project_id,
            eip1=_ask_eip(self.eip1),
            eip2=_ask_eip(self.eip2),
            master_eip=_ask_eip(self.master_eip),
            slave_eip=_ask_eip(self.slave_eip),
            access_vpc_id=self.access_vpc_id,
            access_subnet_id=self.access_subnet_id,
            access_private_ip_1=self.access_private_ip_1,
            access_private_ip_2=self.access_private_ip_2,
            ha_mode=self.ha_mode,
            tags=shapes.tag_requests(self.tags),
        )


class IkeTemplateShape(body.Shape):
    """UpdateVgwIkePolicy. What is absent stays."""

    is_change = True

    authentication_algorithm: str | None = schema.choice_field(allowed_values.IKE.authentication_algorithm)
    encryption_algorithm: str | None = schema.choice_field(allowed_values.IKE.encryption_algorithm)
    dh_group: str | None = schema.choice_field(allowed_values.IKE.dh_group)
    lifetime_seconds: body.Integer | None = schema.seconds_field(allowed_values.IKE.lifetime_seconds)


class IpsecTemplateShape(body.Shape):
    """UpdateVgwIpsecPolicy. What is absent stays."""

    is_change = True

    authentication_algorithm: str | None = schema.choice_field(allowed_values.IPSEC.authentication_algorithm)
    encryption_algorithm: str | None = schema.choice_field(allowed_values.IPSEC.encryption_algorithm)
    pfs: str | None = schema.choice_field(allowed_values.IPSEC.pfs)
    lifetime_seconds: body.Integer | None = schema.seconds_field(allowed_values.IPSEC.lifetime_seconds)


class TemplateShape(body.Shape):
    """UpdateRequestPolicyTemplate."""

    ike_policy: IkeTemplateShape | None = None
    ipsec_policy: IpsecTemplateShape | None = None


class FixedEipShape(EipShape):
    """An EIP as it was read. `eip_id_1` and `eip_id_2` change it."""

    is_change = True

    id: str | None = schema.fixed()
    type: str | None = schema.fixed()
    charge_mode: str | None = schema.fixed()
    bandwidth_size: body.Integer | None = schema.field(schema.any_integer(), "cannot be changed here")
    bandwidth_name: str | None = schema.fixed()
    bandwidth_id: str | None = schema.fixed()


class UpdateGateway(CreateGateway):
    """UpdateVgwRequestBodyContent. A client may send the fields of a create as it read them; they change nothing."""

    examples: ClassVar = {"another name and subnet": {"name": "vpngw-4322", "local_subnets": ["192.168.0.0/24"]}}

    is_change = True

    name: str | None = schema.field(schema.name())
    network_type: str | None = schema.fixed()
    attachment_type: str | None = schema.fixed()
    ip_version: str | None = schema.fixed()
    er_id: str | None = schema.fixed()
    vpc_id: str | None = schema.fixed()
    local_subnets: tuple[str, ...] | None = schema.field(
        schema.subnets(_LOCAL_SUBNETS),
        "our side, without host bits; not with er; the list replaces the present subnets",
    )
    connect_subnet: str | None = schema.fixed()
    bgp_asn: body.Integer | None = schema.field(schema.any_integer(), "cannot be changed here")
    flavor: str | None = schema.field(schema.string(), "update-specification changes it: absent, or as it was read")
    availability_zone_ids: tuple[str, ...] | None = schema.field(
        {"type": "array", "items": schema.string()}, "cannot be changed here"
    )
    enterprise_project_id: str | None = schema.fixed()
    eip1: FixedEipShape | None = Field(None, description="as it was read; eip_id_1 changes it")
    eip2: FixedEipShape | None = Field(None, description="as it was read; eip_id_2 changes it")
    master_eip: FixedEipShape | None = Field(None, description="older name of eip1")
    slave_eip: FixedEipShape | None = Field(None, description="older name of eip2")
    access_vpc_id: str | None = schema.fixed()
    access_subnet_id: str | None = schema.fixed()
    access_private_ip_1: str | None = schema.fixed()
    access_private_ip_2: str | None = schema.fixed()
    ha_mode: str | None = schema.fixed()
    tags: tuple[shapes.TagShape, ...] | None = schema.field(
        schema.objects(allowed_values.TAG_LIMIT), "cannot be changed here: tags have operations of their own"
    )
    eip_id_1: str | None = schema.field(schema.uuid(), "another EIP for the first, or active, endpoint; only public")
    eip_id_2: str | None = schema.field(schema.uuid(), "another EIP for the second, or standby, endpoint; only public")
    policy_template: TemplateShape | None = Field(
        None,
        description=f"only with the flavors {allowed_values.NON_FIXED_IP}: the policies of all connections of style policy-template",
    )

    def change(self) -> model.GatewayChange:
        template = self.policy_template or TemplateShape()
        ike, ipsec = template.ike_policy, template.ipsec_policy
        return model.GatewayChange(
            name=self.name,
            local_subnets=self.local_subnets,
            local_subnets_v6=self.local_subnets_v6,
            eip_id_1=self.eip_id_1,
            eip_id_2=self.eip_id_2,
            ike_template=model.IkePolicyRequest(**ike.model_dump()) if ike else None,
            ipsec_template=model.IpsecPolicyRequest(**ipsec.model_dump()) if ipsec else None,
            rest=self.request(),
        )


class ChangeFlavor(body.Shape):
    """UpdateVgwSpecificationRequestBodyContent."""

    examples: ClassVar = {"a wider one": {"flavor": "Professional2"}}

    flavor: str | None = schema.field(
        schema.string(enum=list(_FIELDS.flavor.values)), "not between Basic, Professional and GM", mandatory=True
    )


class TemplateAnswer(schema.Answer):
    """PolicyTemplate."""

    ike_policy: dict[str, str | int]
    ipsec_policy: dict[str, str | int]


class EipAnswer(schema.Answer):
    id: str
    ip_version: int
    type: str
    ip_address: str
    charge_mode: str
    bandwidth_id: str
    bandwidth_size: int
    bandwidth_name: str


class GatewayAnswer(schema.Answer):
    """ResponseVpnGateway. The answer to a create has no status, EIPs, zones or times. The answer to an update has no
    status.
    """

    id: str
    name: str
    network_type: str
    status: str | None = schema.listed(STATUSES, "not in the answers to a create and to an update")
    attachment_type: str
    ip_version: str
    er_id: str | None = None
    vpc_id: str | None = None
    local_subnets: list[str] | None = None
    connect_subnet: str | None = None
    bgp_asn: int
    flavor: str
    availability_zone_ids: list[str] | None = None
    connection_number: int
    used_connection_number: int
    used_connection_group: int
    enterprise_project_id: str
    eip1: EipAnswer | None = None
    eip2: EipAnswer | None = None
    master_eip: EipAnswer | None = Field(None, description="older name of eip1")
    slave_eip: EipAnswer | None = Field(None, description="older name of eip2")
    created_at: str | None = None
    updated_at: str | None = None
    access_vpc_id: str | None = None
    access_subnet_id: str | None = None
    access_private_ip_1: str | None = None
    access_private_ip_2: str | None = None
    ha_mode: str
    policy_template: TemplateAnswer | None = None
    certificate_id: str | None = None
    tags: list[shapes.TagAnswer] | None = None


class OneGateway(schema.Answer):
    vpn_gateway: GatewayAnswer
    request_id: str


class ManyGateways(schema.Answer):
    vpn_gateways: list[GatewayAnswer]
    request_id: str


def gateway(
    value: model.VpnGateway, status: model.GatewayStatus | None, used: tuple[int, int], *, shown: bool = True
) -> dict[str, Any]:
    """`used`: the numbers of connections and connection groups. Without `shown` it is the shorter answer to a create."""
    endpoint, two = value.endpoints
    public, private = (value.network_type == "public") and shown, (value.network_type == "private") and shown
    return shapes.without_none(
        id=value.id,
        name=value.name,
        network_type=value.network_type,
        status=status.status if status else None,
        attachment_type=value.attachment_type,
        ip_version="ipv4",
        er_id=value.er_id,
        vpc_id=value.vpc_id,
        local_subnets=value.local_subnets if value.attachment_type == "vpc" else None,
        connect_subnet=value.connect_subnet,
        bgp_asn=value.bgp_asn,
        flavor=value.flavor,
        availability_zone_ids=value.availability_zone_ids if shown else None,
        connection_number=value.connection_number,
        used_connection_number=used[0],
        used_connection_group=used[1],
        enterprise_project_id=value.enterprise_project_id,
        eip1=_eip(endpoint) if public else None,
        eip2=_eip(two) if public else None,
        master_eip=_eip(endpoint) if public else None,
        slave_eip=_eip(two) if public else None,
        created_at=shapes.time(value.created_at) if shown else None,
        updated_at=shapes.time(value.updated_at) if shown else None,
        access_vpc_id=value.access_vpc_id,
        access_subnet_id=value.access_subnet_id,
        access_private_ip_1=endpoint.address if private else None,
        access_private_ip_2=two.address if private else None,
        ha_mode=value.ha_mode,
        policy_template=_template(value.policy_template) if value.policy_template else None,
        certificate_id=value.certificate_id,
        tags=shapes.tags(value.tags) or None,
    )


def _template(value: model.PolicyTemplate) -> dict[str, Any]:
    given = dataclasses.asdict(value)
    return {
        f"{part}_policy": {
            name.removeprefix(f"{part}_"): value for name, value in given.items() if name.startswith(part)
        }
        for part in ("ike", "ipsec")
    }


class ZonesOfFlavor(schema.Answer):
    """The zones for gateways of a flavor, by attachment type."""

    vpc: list[str]
    er: list[str]


class AvailabilityZones(schema.Answer):
    """The zones by flavor. The names of flavors are in lower case, except those with a hyphen."""

    availability_zones: dict[str, ZonesOfFlavor]
    request_id: str


class AvailableSpec(schema.Answer):
    flavor: str
    attachment_type: str
    ip_version: str


class ExtendedZone(schema.Answer):
    name: str
    public_border_group: str
    available_specs: list[AvailableSpec]


class ExtendedZones(schema.Answer):
    availability_zones: list[ExtendedZone]
    request_id: str


def zones(where: Mapping[tuple[str, str], tuple[str, ...]]) -> dict[str, Any]:
    """`where`: (flavor, attachment type) -> zones."""
    fields: dict[str, Any] = {}
    for (flavor, attachment), names in where.items():
        key = flavor if "-" in flavor else flavor.lower()  # as the SDK maps its fields
        fields.setdefault(key, {})[attachment] = names
    return fields


def extended_zones(where: Mapping[tuple[str, str], tuple[str, ...]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(zone for zones in where.values() for zone in zones)
    return [
        {
            "name": name,
            "public_border_group": "center",
            "available_specs": [
                {"flavor": flavor, "attachment_type": attachment, "ip_version": "ipv4"}
                for (flavor, attachment), there in where.items()
                if name in there
            ],
        }
        for name in names
    ]


def _eip(endpoint: model.Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.eip_id,
        "ip_version": 4,
        "type": endpoint.type,
        "ip_address": endpoint.address,
        "charge_mode": endpoint.charge_mode,
        "bandwidth_id": endpoint.bandwidth_id,
        "bandwidth_size": endpoint.bandwidth_size,
        "bandwidth_name": endpoint.bandwidth_name,
    }
