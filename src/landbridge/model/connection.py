"""The connection: what a request asks for, and the complete value that the rules make of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from landbridge.model.findings import Violation
from landbridge.model.secret import Secret

Style = Literal["policy", "static", "bgp", "policy-template"]
HaRole = Literal["master", "slave"]
IdType = Literal["ip", "fqdn"]
IkeVersion = Literal["v1", "v2"]
NegotiationMode = Literal["main", "aggressive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DpdRequest:
    interval: int | None = None
    timeout: int | None = None
    msg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IkePolicyRequest:
    version: str | None = None
    negotiation_mode: str | None = None
    authentication_algorithm: str | None = None
    encryption_algorithm: str | None = None
    dh_group: str | None = None
    authentication_method: str | None = None
    lifetime_seconds: int | None = None
    local_id_type: str | None = None
    local_id: str | None = None
    peer_id_type: str | None = None
    peer_id: str | None = None
    dpd: DpdRequest = DpdRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsecPolicyRequest:
    authentication_algorithm: str | None = None
    encryption_algorithm: str | None = None
    pfs: str | None = None
    transform_protocol: str | None = None
    lifetime_seconds: int | None = None
    encapsulation_mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRuleRequest:
    index: int | None = None
    source: str | None = None
    destinations: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRequest:
    key: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRequest:
    """A create request after the check of its shape. None: the client did not give the field."""

    name: str | None = None
    gateway_id: str | None = None
    gateway_endpoint: str | None = None
    style: str | None = None
    customer_gateway_id: str | None = None
    peer_subnets: tuple[str, ...] | None = None
    tunnel_local_address: str | None = None
    tunnel_peer_address: str | None = None
    enable_nqa: bool | None = None
    enable_hub: bool | None = None
    enable_health_check: bool | None = None
    psk: Secret | None = None
    policy_rules: tuple[PolicyRuleRequest, ...] | None = None
    ike_policy: IkePolicyRequest = IkePolicyRequest()
    ipsec_policy: IpsecPolicyRequest = IpsecPolicyRequest()
    ha_role: str | None = None
    tags: tuple[TagRequest, ...] | None = None
    peer_subnets_v6: tuple[str, ...] | None = None
    policy_rules_v6: tuple[PolicyRuleRequest, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRef:
    """Names a connection of the project."""

    connection_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBatchItem:
    """One connection of a batch. `violations`: its wrong shapes."""

    request: ConnectionRequest
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBatchRequest:
    """Several connections to create, all or none."""

    items: tuple[ConnectionBatchItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheckRequest:
    """A create that is only checked. `ignored`: the paths of fields that no create has."""

    connection: ConnectionRequest
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionUpdateRequest:
    """`change`: what is absent stays. `replaces_tunnel`: a new PSK ends the tunnel of the old one at once."""

    connection_id: str
    change: ConnectionRequest
    replaces_tunnel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRequest:
    """The state that the simulated engine shows for a connection; None: the state of an ordinary tunnel."""

    connection_id: str
    state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionListRequest:
    """A page of the list of connections. `limit`: connections of a page, at most; `marker`: of the page before. The sets filter the
    list; an empty one does not. A connection has one gateway and one endpoint, so several of them select no connection.
    """

    limit: int
    marker: str = ""
    gateway_ids: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    enterprise_project_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """The device that a peer configuration is for. Only the vendor is mandatory."""

    vendor: str | None = None
    kind: str | None = None
    family: str | None = None
    versions: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfigurationRequest:
    """The other side's configuration for a connection. `with_psk`: the text has the PSK."""

    connection_id: str
    device: DeviceRequest
    with_psk: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dpd:
    """Dead peer detection. `interval`: idle seconds before a probe; `timeout`: seconds between retransmits."""

    interval: int
    timeout: int
    msg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IkePolicy:
    """Phase 1, complete. On a GM gateway `dh_group` and the ids are None."""

    version: IkeVersion
    negotiation_mode: NegotiationMode | None
    authentication_algorithm: str
    encryption_algorithm: str
    dh_group: str | None
    authentication_method: str
    lifetime_seconds: int
    local_id_type: IdType | None
    local_id: str | None
    peer_id_type: IdType | None
    peer_id: str | None
    dpd: Dpd

    @property
    def is_gcm(self) -> bool:
        """Whether the cipher authenticates by itself."""
        return "gcm" in self.encryption_algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsecPolicy:
    """Phase 2, complete. On a GM gateway `pfs` is None."""

    authentication_algorithm: str
    encryption_algorithm: str
    pfs: str | None
    transform_protocol: str
    lifetime_seconds: int
    encapsulation_mode: str

    @property
    def is_gcm(self) -> bool:
        """Whether the cipher authenticates by itself."""
        return "gcm" in self.encryption_algorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    index: int
    source: str
    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One tunnel from one endpoint of a VPN gateway to one customer gateway, with every default filled in.

    The PSK is no part of it: the store keeps the PSK apart, encrypted.
    `tunnel_local_address` and `tunnel_peer_address` are the two hosts of one /30, with the mask; None where the style
    has no tunnel interface. `policy_rules_given`: True when a request gave the rules, False when they were derived and
    follow the subnets, None when there are no rules or an earlier version stored the row.
    """

    id: str
    project_id: str
    name: str
    gateway_id: str
    endpoint: Literal[1, 2]
    gateway_endpoint: str
    style: Style
    customer_gateway_id: str
    peer_subnets: tuple[str, ...] | None
    tunnel_local_address: str | None
    tunnel_peer_address: str | None
    enable_nqa: bool | None
    enable_hub: bool | None
    policy_rules: tuple[PolicyRule, ...]
    ike_policy: IkePolicy
    ipsec_policy: IpsecPolicy
    ha_role: HaRole
    enterprise_project_id: str
    monitor_id: str | None
    tags: tuple[Tag, ...]
    created_at: datetime
    updated_at: datetime
    policy_rules_given: bool | None = None

    def __hash__(self) -> int:
        """A quick hash: two versions of a connection differ in their time of update."""
        return hash((self.id, self.updated_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A connection of the same gateway that may clash: by customer gateway, by identity on the wire, or by its /30."""

    id: str
    endpoint: int
    customer_gateway_id: str
    identity: str
    tunnel_block: int | None
    deleting: bool
