"""Subnets and addresses of a gateway, parsed once. Pure."""

import functools
import ipaddress

from landbridge import model

Net = ipaddress.IPv4Network


def local_subnets(desired: model.DesiredGateway) -> tuple[Net, ...]:
    """An er gateway names no subnets: its router's whole network is the local side."""
    subnets = desired.gateway.local_subnets or ((desired.network.cidr,) if desired.network.cidr else ())
    return tuple(parse_net(subnet) for subnet in subnets)


@functools.lru_cache(maxsize=1 << 10)
def vpc_address(network: model.Network) -> ipaddress.IPv4Interface | None:
    """The gateway's own address in its VPC, where it has a link there."""
    plugged = network.address and (network.bridge or network.interface)
    return ipaddress.IPv4Interface(network.address) if plugged else None


@functools.lru_cache(maxsize=1 << 14)
def parse_net(text: str) -> Net:
    return ipaddress.IPv4Network(text, strict=False)


@functools.lru_cache(maxsize=1 << 14)
def parse_host(text: str) -> Net:
    """The single address of `169.254.56.225/30`."""
    return Net(f"{text.split('/', maxsplit=1)[0]}/32")
