"""Frozen values that every other room may speak of: resources, requests, desired and observed state.

Belongs here: data, and what a value can say of itself. Must never enter: I/O, clocks, randomness, rules, JSON shapes.
Other rooms write `from landbridge import model` and `model.Connection`.
"""

from landbridge.model.abilities import NO_DEFAULT_ROUTE, NO_GM, Abilities, abilities_of, uncarried
from landbridge.model.connection import (
    AskConnection,
    AskConnections,
    AskDevice,
    AskDpd,
    AskIkePolicy,
    AskIpsecPolicy,
    AskPolicyRule,
    AskTag,
    Connection,
    Dpd,
    HaRole,
    IdType,
    IkePolicy,
    IpsecPolicy,
    Neighbour,
    PolicyRule,
    Style,
    Tag,
)
from landbridge.model.customer_gateway import AskCertificate, AskCustomerGateway, CaCertificate, CustomerGateway
from landbridge.model.desired import (
    IF_ID_END,
    NOWHERE_NETS,
    RESERVED_NETS,
    SIMULATED_STATES,
    DesiredConnection,
    DesiredGateway,
)
from landbridge.model.findings import Caution, Violation
from landbridge.model.gateway import (
    AskEip,
    AskGateway,
    AskGatewayUpdate,
    Attach,
    Eip,
    Endpoint,
    Network,
    PolicyTemplate,
    Site,
    VpnGateway,
)
from landbridge.model.gateway_certificate import AskGatewayCertificate, CertificateText, GatewayCertificate
from landbridge.model.job import GatewayJob, JobStatus, Restart
from landbridge.model.monitor import AskMonitor, ConnectionMonitor
from landbridge.model.observation import ChildSa, ConnectionObservation, Evidence, GatewayReport, Observation
from landbridge.model.secret import Secret
from landbridge.model.status import Advice, ConnectionStatus, GatewayStatus, KnownConnection, KnownGateway
from landbridge.model.tag_search import TAGGED, AskMatch, AskTags, AskTagSearch, AskTagValues

__all__ = [
    "IF_ID_END",
    "NOWHERE_NETS",
    "NO_DEFAULT_ROUTE",
    "NO_GM",
    "RESERVED_NETS",
    "SIMULATED_STATES",
    "TAGGED",
    "Abilities",
    "Advice",
    "AskCertificate",
    "AskConnection",
    "AskConnections",
    "AskCustomerGateway",
    "AskDevice",
    "AskDpd",
    "AskEip",
    "AskGateway",
    "AskGatewayCertificate",
    "AskGatewayUpdate",
    "AskIkePolicy",
    "AskIpsecPolicy",
    "AskMatch",
    "AskMonitor",
    "AskPolicyRule",
    "AskTag",
    "AskTagSearch",
    "AskTagValues",
    "AskTags",
    "Attach",
    "CaCertificate",
    "Caution",
    "CertificateText",
    "ChildSa",
    "Connection",
    "ConnectionMonitor",
    "ConnectionObservation",
    "ConnectionStatus",
    "CustomerGateway",
    "DesiredConnection",
    "DesiredGateway",
    "Dpd",
    "Eip",
    "Endpoint",
    "Evidence",
    "GatewayCertificate",
    "GatewayJob",
    "GatewayReport",
    "GatewayStatus",
    "HaRole",
    "IdType",
    "IkePolicy",
    "IpsecPolicy",
    "JobStatus",
    "KnownConnection",
    "KnownGateway",
    "Neighbour",
    "Network",
    "Observation",
    "PolicyRule",
    "PolicyTemplate",
    "Restart",
    "Secret",
    "Site",
    "Style",
    "Tag",
    "Violation",
    "VpnGateway",
    "abilities_of",
    "uncarried",
]
