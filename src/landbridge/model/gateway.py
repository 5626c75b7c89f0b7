"""The VPN gateway, and the inventory of the site file: EIPs, networks, zones and nodes."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from landbridge.model.connection import IkePolicyRequest, IpsecPolicyRequest, Tag, TagRequest

NetworkType = Literal["public", "private"]
AttachmentType = Literal["vpc", "er"]
HaMode = Literal["active-active", "active-standby"]
Attach = Literal["routed", "macvlan", "nat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EipRequest:
    id: str | None = None
    type: str | None = None
    charge_mode: str | None = None
    bandwidth_size: int | None = None
    bandwidth_name: str | None = None
    bandwidth_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRequest:
    """A create request. None: the client did not give the field."""

    name: str | None = None
    network_type: str | None = None
    attachment_type: str | None = None
    ip_version: str | None = None
    er_id: str | None = None
    vpc_id: str | None = None
    local_subnets: tuple[str, ...] | None = None
    local_subnets_v6: tuple[str, ...] | None = None
    connect_subnet: str | None = None
    bgp_asn: int | None = None
    flavor: str | None = None
    availability_zone_ids: tuple[str, ...] | None = None
    enterprise_project_id: str | None = None
    eip1: EipRequest | None = None
    eip2: EipRequest | None = None
    master_eip: EipRequest | None = None
    slave_eip: EipRequest | None = None
    access_vpc_id: str | None = None
    access_subnet_id: str | None = None
    access_private_ip_1: str | None = None
    access_private_ip_2: str | None = None
    ha_mode: str | None = None
    tags: tuple[TagRequest, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayChange:
    """The changes of an update. Absent fields stay. `rest`: fields that cannot change; a client may send them with the values that it read."""

    name: str | None = None
    local_subnets: tuple[str, ...] | None = None
    local_subnets_v6: tuple[str, ...] | None = None
    eip_id_1: str | None = None
    eip_id_2: str | None = None
    ike_template: IkePolicyRequest | None = None
    ipsec_template: IpsecPolicyRequest | None = None
    rest: GatewayRequest = GatewayRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRef:
    """Names a VPN gateway of the project."""

    gateway_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayUpdateRequest:
    gateway_id: str
    change: GatewayChange


@dataclass(frozen=True, slots=True, kw_only=True)
class FlavorRequest:
    """The flavor that a gateway is to have."""

    gateway_id: str
    flavor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayListRequest:
    """The list of gateways. `gateway_id`: only this gateway; None: all. `enterprise_project_ids`: empty: all."""

    gateway_id: str | None = None
    enterprise_project_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTableRequest:
    """A page of a gateway's routes. `limit`: routes of a page, at most; `marker`: of the page before; `offset`: routes to skip after it.
    `with_resources`: the client asks what each next hop belongs to.
    """

    gateway_id: str
    limit: int
    marker: str = ""
    offset: int = 0
    with_resources: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTemplate:
    """The policies that a gateway gives to its connections of style policy-template. Lifetimes in seconds."""

    ike_authentication_algorithm: str
    ike_encryption_algorithm: str
    ike_dh_group: str
    ike_lifetime_seconds: int
    ipsec_authentication_algorithm: str
    ipsec_encryption_algorithm: str
    ipsec_pfs: str
    ipsec_lifetime_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One of a gateway's two outer addresses. `eip_id` and the fields of the bandwidth are None on a private gateway."""

    number: Literal[1, 2]
    address: str
    eip_id: str | None = None
    type: str | None = None
    charge_mode: str | None = None
    bandwidth_id: str | None = None
    bandwidth_name: str | None = None
    bandwidth_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VpnGateway:
    """Our side of tunnels: two endpoints, the local subnets and an ASN, complete with defaults."""

    id: str
    project_id: str
    name: str
    network_type: NetworkType
    attachment_type: AttachmentType
    er_id: str | None
    vpc_id: str | None
    local_subnets: tuple[str, ...]
    connect_subnet: str | None
    access_vpc_id: str | None
    access_subnet_id: str | None
    bgp_asn: int
    flavor: str
    availability_zone_ids: tuple[str, ...]
    enterprise_project_id: str
    ha_mode: HaMode
    endpoints: tuple[Endpoint, Endpoint]
    certificate_id: str | None
    connection_number: int
    tags: tuple[Tag, ...]
    created_at: datetime
    updated_at: datetime
    policy_template: PolicyTemplate | None = None

    @property
    def is_gm(self) -> bool:
        return self.flavor == "GM"

    def stands_by(self, ha_role: str) -> bool:
        """Whether a connection of this role waits while one of the other role carries. Roles count in active-standby alone: the API has slaves
        of an active-active gateway too, where both endpoints carry.
        """
        return self.ha_mode == "active-standby" and ha_role == "slave"

    @property
    def network_id(self) -> str | None:
        """The id under which the site file knows the network that this gateway serves."""
        return self.er_id if self.attachment_type == "er" else self.vpc_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Eip:
    """An outer address of the site."""

    id: str
    address: str
    #: How packets for the address reach a gateway on this machine. `routed`: the network routes the address to this
    #: machine. `macvlan`: the address belongs to the network on `interface`, with `prefix` and the router `gateway`.
    #: `nat`: the address is the machine's own, and UDP 500 and 4500 are forwarded to the address `behind` it.
    attach: Attach = "routed"
    prefix: int = 32
    gateway: str | None = None
    interface: str | None = None
    behind: str | None = None
    #: Ids of the projects that may use the address; empty: all projects.
    projects: tuple[str, ...] = ()

    @property
    def uplink(self) -> str:
        """The network that the uplink of a gateway with this EIP is attached to. Both EIPs of a gateway have the same uplink."""
        return f"macvlan {self.interface}" if self.attach == "macvlan" else "routed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network behind gateways: a VPC or an enterprise router. A gateway's VPC link joins `bridge` (a veth), or it
    is a macvlan on `interface`. A network that exists only in the API has neither.
    """

    id: str
    cidr: str | None = None
    bridge: str | None = None
    interface: str | None = None
    #: The gateway's own address in the network, with its prefix length.
    address: str | None = None
    #: The first and the last address that a private gateway may have in this network; None when it may have none.
    gateway_addresses: tuple[str, str] | None = None
    #: As of an EIP.
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The operator's inventory."""

    eips: tuple[Eip, ...]
    networks: tuple[Network, ...]
    zones: tuple[str, ...]
    #: Whether a VPC or ER id that is not listed is accepted. Such a network exists only in the API.
    any_network: bool
    #: The network namespace of this machine that routes the EIPs and has the bridges; None is the machine's own
    #: namespace.
    underlay: str | None = None
    #: The addresses of private gateways in networks that are not listed.
    gateway_addresses: tuple[str, str] | None = None
    #: The machine's own addresses in the underlay, as found at the start of the service.
    machine_addresses: frozenset[str] = frozenset()
    #: Addresses of routers and devices, which no private gateway may have.
    unavailable_addresses: frozenset[str] = frozenset()

    def for_project(self, project_id: str, has: Collection[str] = ()) -> "Site":
        """The part of the site that a project may use. `has`: ids of EIPs that the project uses already, which it keeps."""
        return dataclasses.replace(
            self,
            eips=tuple(eip for eip in self.eips if _may_use(project_id, eip.projects) or eip.id in has),
            networks=tuple(network for network in self.networks if _may_use(project_id, network.projects)),
        )

    def eip_at(self, address: str) -> Eip | None:
        return next((eip for eip in self.eips if eip.address == address), None)

    def network(self, network_id: str) -> Network | None:
        for network in self.networks:
            if network.id == network_id:
                return network
        return Network(id=network_id, gateway_addresses=self.gateway_addresses) if self.any_network else None

    def ranges(self) -> list[tuple[str, str]]:
        """All addresses that are kept for private gateways."""
        kept = (self.gateway_addresses, *(network.gateway_addresses for network in self.networks))
        return [pair for pair in kept if pair is not None]


def _may_use(project_id: str, projects: tuple[str, ...]) -> bool:
    return not projects or project_id in projects
