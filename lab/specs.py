"""Desired gateways and connections, made without rules or a store. What a test does not name has an ordinary value."""

import dataclasses
import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from lab import sites
from landbridge import model

KEY = b"a fingerprint key for tests only"
START = datetime(2026, 1, 1, tzinfo=UTC)
PSK = "Correct-Horse-7"
_if_ids = itertools.count(1)


def gateway(**given: Any) -> model.VpnGateway:
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "project_id": "0123456789abcdef0123456789abcdef",
        "name": "vpngw",
        "network_type": "public",
        "attachment_type": "vpc",
        "er_id": None,
        "vpc_id": "vpc-1",
        "local_subnets": (sites.VPC,),
        "connect_subnet": None,
        "access_vpc_id": None,
        "access_subnet_id": None,
        "bgp_asn": 64512,
        "flavor": "Professional1",
        "availability_zone_ids": ("lab-1a",),
        "enterprise_project_id": "0",
        "ha_mode": "active-active",
        "endpoints": (
            model.Endpoint(number=1, address=sites.EIPS[0], eip_id="eip-10"),
            model.Endpoint(number=2, address=sites.EIPS[1], eip_id="eip-11"),
        ),
        "certificate_id": None,
        "connection_number": 0,
        "tags": (),
        "created_at": START,
        "updated_at": START,
    }
    return model.VpnGateway(**(values | given))


def customer_gateway(**given: Any) -> model.CustomerGateway:
    """The first device of a world, by its address."""
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "project_id": "0123456789abcdef0123456789abcdef",
        "name": "branch",
        "id_type": "ip",
        "id_value": "198.51.100.2",
        "bgp_asn": 65001,
        "route_mode": "bgp",
        "tags": (),
        "created_at": START,
        "updated_at": START,
    }
    return model.CustomerGateway(**(values | given))


def ike_policy(**given: Any) -> model.IkePolicy:
    values: dict[str, Any] = {
        "version": "v2",
        "negotiation_mode": None,
        "authentication_algorithm": "sha2-256",
        "encryption_algorithm": "aes-128",
        "dh_group": "group15",
        "authentication_method": "pre-share",
        "lifetime_seconds": 86400,
        "local_id_type": "ip",
        "local_id": None,
        "peer_id_type": "ip",
        "peer_id": None,
        "dpd": model.Dpd(interval=30, timeout=15, msg="seq-hash-notify"),
    }
    return model.IkePolicy(**(values | given))


def ipsec_policy(**given: Any) -> model.IpsecPolicy:
    values: dict[str, Any] = {
        "authentication_algorithm": "sha2-256",
        "encryption_algorithm": "aes-128",
        "pfs": "group15",
        "transform_protocol": "esp",
        "lifetime_seconds": 3600,
        "encapsulation_mode": "tunnel",
    }
    return model.IpsecPolicy(**(values | given))


def connection(
    peer_address: str | None = "198.51.100.2", *, psk: str | None = PSK, generation: int = 1, **given: Any
) -> model.DesiredConnection:
    """A static IKEv2 connection from the first endpoint; `given` are fields of the connection."""
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "project_id": "0123456789abcdef0123456789abcdef",
        "name": "connection",
        "gateway_id": "",
        "endpoint": 1,
        "gateway_endpoint": "eip-10",
        "style": "static",
        "customer_gateway_id": str(uuid.uuid4()),
        "peer_subnets": (sites.LAN,),
        "tunnel_local_address": None,
        "tunnel_peer_address": None,
        "enable_nqa": False,
        "enable_hub": None,
        "policy_rules": (),
        "ike_policy": ike_policy(),
        "ipsec_policy": ipsec_policy(),
        "ha_role": "master",
        "enterprise_project_id": "0",
        "monitor_id": None,
        "tags": (),
        "created_at": START,
        "updated_at": START,
    }
    complete = model.Connection(**(values | given))
    return model.DesiredConnection(
        connection=complete,
        generation=generation,
        psk=model.Secret(psk) if psk is not None else None,
        local_address=sites.EIPS[complete.endpoint - 1],
        peer_address=peer_address,
        peer_asn=None,
        if_id=next(_if_ids),
    )


def child_sa(**given: Any) -> model.ChildSa:
    """An installed CHILD_SA that has carried nothing."""
    values: dict[str, Any] = {
        "rule": "0",
        "local_ts": (sites.VPC,),
        "remote_ts": (sites.LAN,),
        "spi_in": "1",
        "spi_out": "2",
        "proposal": "x",
        "bytes_in": 0,
        "bytes_out": 0,
        "packets_in": 0,
        "packets_out": 0,
        "installed_at": START,
    }
    return model.ChildSa(**(values | given))


def policy(index: int, source: str, *destinations: str) -> model.PolicyRule:
    return model.PolicyRule(index=index, source=source, destinations=destinations)


def desired(
    *connections: model.DesiredConnection,
    network: model.Network | None = None,
    generation: int = 1,
    of: model.VpnGateway | None = None,
) -> model.DesiredGateway:
    """Later arguments are connections created later, unless they say so themselves."""
    return model.DesiredGateway(
        gateway=of or gateway(),
        generation=generation,
        network=network or model.Network(id="vpc-1"),
        connections=connections,
        fingerprint_key=KEY,
    )


def changed(spec: model.DesiredConnection, *, psk: str | None = None, **given: Any) -> model.DesiredConnection:
    """The same connection one generation on, with other values."""
    return dataclasses.replace(
        spec,
        connection=dataclasses.replace(spec.connection, **given),
        generation=spec.generation + 1,
        psk=model.Secret(psk) if psk is not None else spec.psk,
    )


def later(spec: model.DesiredConnection, seconds: int) -> model.DesiredConnection:
    return changed(spec, created_at=START + timedelta(seconds=seconds))
