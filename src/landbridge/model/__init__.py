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
from landbridge.model.customer_gateway import AskCustomerGateway, CustomerGateway
from landbridge.model.desired import SIMULATED_STATES, DesiredConnection, DesiredGateway
from landbridge.model.findings import Caution, Violation
from landbridge.model.gateway import AskEip, AskGateway, Eip, Endpoint, Network, Site, VpnGateway
from landbridge.model.observation import ChildSa, ConnectionObservation, Evidence, Observation
from landbridge.model.secret import Secret
from landbridge.model.status import Advice, ConnectionStatus, GatewayStatus

__all__ = [
    "SIMULATED_STATES",
    "Advice",
    "AskConnection",
    "AskCustomerGateway",
    "AskDpd",
    "AskEip",
    "AskGateway",
    "AskIkePolicy",
    "AskIpsecPolicy",
    "AskPolicyRule",
    "AskTag",
    "Caution",
    "ChildSa",
    "Connection",
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
