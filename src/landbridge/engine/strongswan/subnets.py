"""Subnets and addresses of a gateway, parsed once. Pure."""

import functools
import ipaddress
import socket

from landbridge import model
from landbridge.model import traffic_selectors

Net = ipaddress.IPv4Network


def local_subnets(desired: model.DesiredGateway) -> tuple[Net, ...]:
    return tuple(map(parse_net, traffic_selectors.local_subnets(desired.gateway, desired.network)))


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
    return Net(socket.inet_pton(socket.AF_INET, text.partition("/")[0]))
