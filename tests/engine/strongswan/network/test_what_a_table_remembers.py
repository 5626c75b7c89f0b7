"""What a gateway's filter table remembers of packets from tunnels: ICMP errors, and hosts."""

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from lab import sites
from landbridge.engine.strongswan.network import firewall, namespace, nftables
from tests.engine.strongswan.echo.test_icmp import ESP, ip_packet, message

pytestmark = pytest.mark.tunnel

DEVICE, HOST = "192.0.2.2", "10.0.0.10"
TABLE = firewall.FilterTable(
    inner=frozenset({"192.0.2.1"}),
    local=frozenset({"10.0.0.0/24"}),
    near=frozenset({"10.0.0.0/24"}),
    peers={"x1": ["192.168.44.0/24"]},
    known=frozenset(),
    strangers=frozenset(),
)


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[str, str]]:
    """A gateway with the table, whose interface x1 leads to a device."""
    gateway, device = (f"lbtable{os.getpid()}{end}" for end in "gd")

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    try:
        for name in (gateway, device):
            namespace.add(name)
            sites.forward(name)
        ip("-n", gateway, "link", "add", "x1", "type", "veth", "peer", "name", "x1", "netns", device)
        ip("-n", gateway, "link", "add", "lan", "type", "veth", "peer", "name", "vpc")
        for link, number in (("x2", 3), ("ipsec0", 4)):
            ip("-n", gateway, "link", "add", link, "type", "veth", "peer", "name", link, "netns", device)
            for name, last in ((gateway, 1), (device, 2)):
                ip("-n", name, "address", "add", f"198.51.{number}.{last}/24", "dev", link)
                ip("-n", name, "link", "set", link, "up")
        for name, link, address in ((gateway, "x1", "192.0.2.1"), (gateway, "lan", "10.0.0.1"), (device, "x1", DEVICE)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", link, "up")
        ip("-n", device, "route", "add", "default", "via", "192.0.2.1")
        yield gateway, device
    finally:
        for name in (gateway, device):
            namespace.remove(name)


@pytest.fixture
def gateway(ends: tuple[str, str]) -> str:
    """With a new table, which remembers nothing."""
    namespace.inside(ends[0], lambda _: nftables.load(firewall.filter_table(TABLE)))
    return ends[0]


def say(ends: tuple[str, str], to: str, code: int, quoted: bytes, times: int = 1, source: str = "") -> None:
    """The device sends ICMP errors."""

    def send(_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            if source:
                raw.bind((source, 0))
            for _ in range(times):
                raw.sendto(message(3, code, 0, quoted), (to, 0))

    namespace.inside(ends[1], send)


def about(destination: str) -> bytes:
    return ip_packet(HOST, destination, bytes(8), protocol=17)


def test_errors_are_counted_by_reporter_code_and_destination(ends: tuple[str, str], gateway: str):
    say(ends, HOST, 0, about("192.168.44.10"), times=3)
    say(ends, HOST, 13, about("192.168.44.10"))
    say(ends, "192.0.2.1", 1, ESP)
    found = namespace.inside(gateway, lambda _: nftables.refused())
    assert set(found) == {
        nftables.Refused("x1", DEVICE, "192.168.44.10", 0, 3),
        nftables.Refused("x1", DEVICE, "192.168.44.10", 13, 1),
        nftables.Refused("x1", DEVICE, DEVICE, 1, 1),
    }


@pytest.mark.parametrize("code", [3, 4], ids=["a closed port", "too big"])
def test_an_error_that_is_no_refusal_of_a_destination_is_not_counted(ends: tuple[str, str], gateway: str, code: int):
    say(ends, HOST, code, about("192.168.44.10"))
    assert namespace.inside(gateway, lambda _: nftables.refused()) == ()


def test_hosts_are_seen(ends: tuple[str, str], gateway: str):
    assert namespace.inside(gateway, lambda _: nftables.seen()) == ()
    say(ends, HOST, 3, about("192.168.44.10"))
    assert namespace.inside(gateway, lambda _: nftables.seen()) == (("x1", DEVICE),)


def test_a_busy_tunnel_does_not_hide_the_hosts_of_a_quiet_one(ends: tuple[str, str], gateway: str):
    say(ends, HOST, 3, about("192.168.44.10"), times=100)
    say(ends, "198.51.3.1", 3, about("192.168.44.10"))
    found = namespace.inside(gateway, lambda _: nftables.seen())
    assert set(found) == {("x1", DEVICE), ("x2", "198.51.3.2")}


def test_a_busy_network_does_not_hide_the_hosts_of_another_one_in_userland(ends: tuple[str, str], gateway: str):
    subprocess.run(["ip", "-n", ends[1], "address", "replace", "198.51.5.2/32", "dev", "ipsec0"], check=True)
    say(ends, "198.51.4.1", 3, about("192.168.44.10"), times=100)
    say(ends, "198.51.4.1", 3, about("192.168.44.10"), source="198.51.5.2")
    found = namespace.inside(gateway, lambda _: nftables.seen())
    assert set(found) == {("ipsec0", "198.51.4.2"), ("ipsec0", "198.51.5.2")}


def test_a_flood_of_errors_is_remembered_in_part(ends: tuple[str, str], gateway: str):
    for number in range(firewall.MOST + 50):
        say(ends, HOST, 0, about(f"192.168.{number // 250}.{number % 250}"))
    assert len(namespace.inside(gateway, lambda _: nftables.refused())) == firewall.MOST


def test_a_table_of_an_older_version_remembers_nothing(gateway: str):
    older = firewall.filter_table(TABLE).split()[2]
    text = f"table inet {older} {{ chain input {{ type filter hook input priority 0;\n}}\n}}"
    namespace.inside(gateway, lambda _: nftables.load(text))
    assert namespace.inside(gateway, lambda _: (nftables.refused(), nftables.seen())) == ((), ())
