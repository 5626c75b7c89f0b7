"""Frozen values that every other room may speak of: resources, requests, desired and observed state.

Belongs here: data, and what a value can say of itself. Must never enter: I/O, clocks, randomness, rules, JSON shapes.
Other rooms write `from landbridge import model` and `model.Connection`.
"""

from landbridge.model.connection import (
    AskConnection,
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
from landbridge.model.desired import NOWHERE_NETS, RESERVED_NETS, SIMULATED_STATES, DesiredConnection, DesiredGateway
from landbridge.model.findings import Caution, Violation
from landbridge.model.gateway import AskEip, AskGateway, Attach, Eip, Endpoint, Network, Site, VpnGateway
from landbridge.model.monitor import AskMonitor, ConnectionMonitor
from landbridge.model.observation import ChildSa, ConnectionObservation, Evidence, Observation
from landbridge.model.secret import Secret
from landbridge.model.status import Advice, ConnectionStatus, GatewayStatus
from landbridge.model.tag_search import AskMatch, AskTags, AskTagSearch, AskTagValues

__all__ = [
    "NOWHERE_NETS",
    "RESERVED_NETS",
    "SIMULATED_STATES",
    "Advice",
    "AskCertificate",
    "AskConnection",
    "AskCustomerGateway",
    "AskDpd",
    "AskEip",
    "AskGateway",
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
    "GatewayStatus",
    "HaRole",
    "IdType",
    "IkePolicy",
    "IpsecPolicy",
    "Neighbour",
    "Network",
    "Observation",
    "PolicyRule",
    "Secret",
    "Site",
    "Style",
    "Tag",
    "Violation",
    "VpnGateway",
]
