"""The demonstration's service with a second network in its site file, for gateways that share nothing with the first."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

from huaweicloudsdkvpn import v5

from lab import demo, sites

OTHER_VPC = str(uuid.uuid4())
_OTHER = f"""
[[network]]
id = "{OTHER_VPC}"
cidr = "10.9.0.0/24"
"""


@contextlib.contextmanager
def serving(world: sites.World, **settings: str) -> Iterator[demo.Service]:
    with demo.serving(world, more_site=_OTHER, **settings) as service:
        yield service


def gateways(service: demo.Service) -> list[Any]:
    """The oldest first."""
    found = service.client().list_vgws(v5.ListVgwsRequest()).vpn_gateways
    return sorted(found, key=lambda one: str(one.created_at))


def make_gateway(service: demo.Service) -> str:
    """One on the other network; its id."""
    wish = v5.CreateVgwRequestBodyContent(name="other", vpc_id=OTHER_VPC, local_subnets=["10.9.0.0/24"])
    body = v5.CreateVgwRequestBody(vpn_gateway=wish)
    return str(service.client().create_vgw(v5.CreateVgwRequest(body=body)).vpn_gateway.id)
