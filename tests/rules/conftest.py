"""A sound request, its surroundings and its generated values. A row of a table changes one thing of them.

Requests are written in the words of the wire, so that the API page can be held beside a table; None is 'not given'.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from landbridge import model
from landbridge.rules import connection, fields
from landbridge.wire import connection_requests

NOW = datetime(2022, 11, 26, 13, 41, 34, 626000, tzinfo=UTC)
PROJECT = "f" * 32
GATEWAY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"
PEER = "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d"
EIPS = ("e1e1e1e1-0000-4000-8000-000000000001", "e2e2e2e2-0000-4000-8000-000000000002")
BODY = {
    "vgw_id": GATEWAY,
    "vgw_ip": EIPS[0],
    "cgw_id": PEER,
    "peer_subnets": ["192.168.44.0/24"],
    "psk": "Abcd1234",
}
GENERATED = fields.Generated(
    id="98c5af8a-6ee2-4482-99a2-ae2280a6f4c3",
    now=NOW,
    suffix="13be",
    other_ids=("0c0c0c0c-0000-4000-8000-00000000000c", "0d0d0d0d-0000-4000-8000-00000000000d"),
    tunnel_blocks=(3640, 3641, 3642),
)


def request(changes: dict[str, Any]) -> model.ConnectionRequest:
    return connection_requests.CreateConnection.model_validate({**BODY, **changes}).request()


def gateway(**words: Any) -> model.VpnGateway:
    private = words.get("network_type") == "private"
    to_er = words.get("attachment_type") == "er"
    sound: dict[str, Any] = {
        "id": GATEWAY,
        "project_id": PROJECT,
        "name": "vpngw-1",
        "network_type": "public",
        "attachment_type": "vpc",
        "er_id": None,
        "vpc_id": None,
        "local_subnets": () if to_er else ("10.0.0.0/24",),
        "connect_subnet": None,
        "access_vpc_id": None,
        "access_subnet_id": None,
        "bgp_asn": 64512,
        "flavor": "Professional1",
        "availability_zone_ids": (),
        "enterprise_project_id": "0",
        "ha_mode": "active-active",
        "endpoints": (
            model.Endpoint(number=1, address="10.1.0.5" if private else "203.0.113.1", eip_id=_eip(0, private=private)),
            model.Endpoint(number=2, address="10.1.0.6" if private else "203.0.113.2", eip_id=_eip(1, private=private)),
        ),
        "certificate_id": "cert-1" if words.get("flavor") == "GM" else None,
        "connection_number": 200,
        "tags": (),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return model.VpnGateway(**(sound | words))


def _eip(index: int, *, private: bool) -> str | None:
    return None if private else EIPS[index]


CA_CERTIFICATE = model.CaCertificate(
    id="cert-2",
    serial_number="01",
    signature_algorithm="SM2-with-SM3",
    issuer="CN=Branch CA",
    subject="CN=Branch CA",
    expire_time=NOW,
    content="PEM",
)


def customer_gateway(kind: str = "ip", certificate_id: str | None = "cert-2") -> model.CustomerGateway:
    return model.CustomerGateway(
        id=PEER,
        project_id=PROJECT,
        name="cgw-1",
        id_type="fqdn" if kind == "fqdn" else "ip",
        id_value="branch.example" if kind == "fqdn" else "198.51.100.2",
        bgp_asn=65000,
        route_mode="bgp",
        ca_certificate=CA_CERTIFICATE if certificate_id else None,
        tags=(),
        created_at=NOW,
        updated_at=NOW,
    )


def facts(
    *,
    found: bool = True,
    status: str = "ACTIVE",
    connections: int = 0,
    next_if_id: int = 1,
    peer: model.CustomerGateway | str | None = "ip",
    neighbours: tuple[model.Neighbour, ...] = (),
    **words: Any,
) -> connection.ConnectionFacts:
    """`words` are fields of the gateway; `peer` is a kind of customer gateway, or one, or None for not found."""
    known = connection.GatewayFacts(
        gateway=gateway(**words), status=status, connections=connections, next_if_id=next_if_id
    )
    return connection.ConnectionFacts(
        gateway=known if found else None,
        customer_gateway=customer_gateway(peer) if isinstance(peer, str) else peer,
        neighbours=neighbours,
    )


def neighbour(**words: Any) -> model.Neighbour:
    """Another connection of the gateway that clashes with nothing."""
    sound = model.Neighbour(
        id="a0a0a0a0-0000-4000-8000-00000000000a",
        endpoint=1,
        customer_gateway_id="b0b0b0b0-0000-4000-8000-00000000000b",
        identity="198.51.100.9|ip:203.0.113.1|ip:198.51.100.9",
        tunnel_block=9,
        deleting=False,
    )
    return replace(sound, **words)


def refusals(changes: dict[str, Any], **where: Any) -> list[str]:
    """Every violation of the request as a user reads it; `generated` may be given among the surroundings."""
    generated = where.pop("generated", GENERATED)
    return [str(v) for v in connection.check(request(changes), facts(**where), generated)]


def made(changes: dict[str, Any], **where: Any) -> model.Connection:
    """The connection that a sound request becomes."""
    generated = where.pop("generated", GENERATED)
    around = facts(**where)
    wish = request(changes)
    assert [str(v) for v in connection.check(wish, around, generated)] == []
    known = cast("connection.GatewayFacts", around.gateway)
    return connection.complete(wish, around, generated, known.gateway)


def warnings(value: model.Connection, abilities: model.Abilities | None = None) -> tuple[model.Warning, ...]:
    """Warnings of a connection, on an engine that carries everything unless other abilities are given."""
    return connection.warnings(value, abilities or model.Abilities())


def only(found: list[str], field: str, text: str) -> None:
    """One violation, of this field, that says this."""
    assert [field] == [each.split(": ", 1)[0] for each in found], found
    assert text in found[0].split(": ", 1)[1]


@pytest.fixture(scope="session")
def given() -> SimpleNamespace:
    """The functions of this file, by their names, and what a test reads of a request or a connection."""
    ours: tuple[Callable[..., Any], ...] = (request, facts, gateway, customer_gateway, neighbour, refusals, made, only)
    theirs: tuple[Callable[..., Any], ...] = (connection.complete, warnings, connection.identity)
    return SimpleNamespace(
        **{each.__name__: each for each in (*ours, *theirs)}, generated=GENERATED, id=GATEWAY, peer=PEER
    )
