"""A NAT in front of a device that keeps no state: its mapping is a table of rules in the underlay, and another mapping takes its place in one moment."""

from dataclasses import dataclass

from lab import sites, testbed

#: The kernel's ESP in UDP has no checksum, and nftables would make a wrong one of it when it writes a port: 0 is none (RFC 768).
_RULES = """\
table ip mapping {{}}
delete table ip mapping
table ip mapping {{
  chain pre {{
    type filter hook prerouting priority raw;
    ip saddr {device} udp sport 500 ip saddr set {address} udp sport set {first} udp checksum set 0 notrack
    ip saddr {device} udp sport 4500 ip saddr set {address} udp sport set {second} udp checksum set 0 notrack
    ip daddr {address} udp dport {first} ip daddr set {device} udp dport set 500 udp checksum set 0 notrack
    ip daddr {address} udp dport {second} ip daddr set {device} udp dport set 4500 udp checksum set 0 notrack
  }}
}}
"""


@dataclass(frozen=True)
class Mapping:
    """The device's outer address, and its outer ports in place of 500 and 4500."""

    address: str = "198.51.100.250"
    ports: tuple[int, int] = (41500, 41501)


#: The first one, and later ones that differ from the one before in the port, in the address, and in both.
FIRST = Mapping()
LATER = (
    Mapping(ports=(42500, 42501)),
    Mapping("198.51.100.251", (42500, 42501)),
    Mapping("198.51.100.252", (43500, 43501)),
)


def translate(world: sites.World, device: sites.Device, mapping: Mapping) -> None:
    """In place of the last mapping."""
    first, second = mapping.ports
    testbed.nft(world.wan, _RULES.format(device=device.address, address=mapping.address, first=first, second=second))
