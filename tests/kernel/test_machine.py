"""The virtual machine has what a production gateway has, and can not harm the machine that it runs on."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import guest, sites

Inside = Callable[..., str]

KEY = "0x" + "0123456789abcdef" * 8

#: Every kind of statement that a gateway's ruleset may hold: looking at routes, MSS, marks, and both kinds of NAT.
RULESET = """\
table inet guard {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "lo" accept
    meta l4proto { icmp, esp } accept
    udp dport { 500, 4500 } accept
    fib daddr . iif type != local drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    tcp flags syn tcp option maxseg size set rt mtu
    rt ipsec missing counter drop
    meta mark set 7 limit rate 1/second log reject
  }
  chain output {
    type route hook output priority mangle;
    ip dscp set cs1
  }
}
table ip translate {
  chain in {
    type nat hook prerouting priority dstnat;
    fib daddr type local udp dport 4500 dnat to 192.0.2.1:4500
    tcp dport 80 redirect to :8080
  }
  chain out {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade
    ip saddr 10.0.0.0/24 snat to 192.0.2.2
  }
}
"""


def _key(bits: int) -> str:
    return KEY[: 2 + bits // 4]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(
            ["enc", "cbc(aes)", _key(128), "auth-trunc", "hmac(sha256)", _key(256), "128"], id="aes128-sha256"
        ),
        pytest.param(
            ["enc", "cbc(aes)", _key(256), "auth-trunc", "hmac(sha512)", _key(512), "256"], id="aes256-sha512"
        ),
        pytest.param(
            ["enc", "cbc(aes)", _key(192), "auth-trunc", "hmac(sha384)", _key(384), "192"], id="aes192-sha384"
        ),
        pytest.param(["enc", "cbc(des3_ede)", _key(192), "auth-trunc", "hmac(sha1)", _key(160), "96"], id="3des-sha1"),
        pytest.param(["enc", "cbc(aes)", _key(128), "auth-trunc", "hmac(md5)", _key(128), "96"], id="aes128-md5"),
        pytest.param(["aead", "rfc4106(gcm(aes))", _key(160), "128"], id="aes128gcm16"),
        pytest.param(["aead", "rfc4106(gcm(aes))", _key(288), "128"], id="aes256gcm16"),
    ],
)
def test_the_kernel_takes_an_esp_sa(inside: Inside, words: list[str]):
    state = ["src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x1000", "mode", "tunnel", "if_id", "77"]

    inside("ip", "xfrm", "state", "add", *state, *words)

    assert "if_id 0x4d" in inside("ip", "xfrm", "state")


def test_an_xfrm_interface_has_the_id_that_it_was_given(inside: Inside):
    inside("ip", "link", "add", "tunnel", "type", "xfrm", "dev", "lo", "if_id", "77")
    inside("ip", "link", "set", "tunnel", "up")

    assert "if_id 0x4d" in inside("ip", "-details", "link", "show", "tunnel")


@pytest.mark.parametrize(
    "words",
    [
        "one type veth peer name two",
        "one type bridge",
        "one type vrf table 10",
        "one type dummy",
    ],
)
def test_every_kind_of_link_can_be_made(inside: Inside, words: str):
    inside("ip", "link", "add", *words.split())

    assert " one" in inside("ip", "link")


def test_an_eip_can_be_attached_by_macvlan_and_a_tun_be_opened(inside: Inside):
    inside("ip", "link", "add", "nic", "type", "dummy")
    inside("ip", "link", "add", "eip", "link", "nic", "type", "macvlan", "mode", "bridge")
    inside("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")

    assert {"eip@nic:", "tun0:"} <= set(inside("ip", "link").split())


def test_a_gateways_whole_ruleset_can_be_loaded(inside: Inside):
    inside("nft", "--file", "-", said=RULESET)

    listed = inside("nft", "list", "ruleset")
    assert "tcp option maxseg size set rt mtu" in listed
    assert "fib daddr . iif type != local drop" in listed
    assert "masquerade" in listed


def test_the_host_refuses_what_the_guest_writes_below_its_layer():
    """The one place where the host's files lie open is where the modules are; a mount that lies about being writable helps nothing."""
    modules = Path("/lib/modules")
    subprocess.run(["mount", "-o", "remount,rw", str(modules)], check=True)
    try:
        with pytest.raises(OSError, match="Read-only file system"):
            (modules / "written-by-a-guest").write_text("")
    finally:
        subprocess.run(["mount", "-o", "remount,ro", str(modules)], check=True)


def test_the_clock_goes_as_fast_as_the_hosts():
    """The hardware clock is the host's; the kernel's own was set from it once, when the machine began."""
    before = time.time()
    hardware = int(Path("/sys/class/rtc/rtc0/since_epoch").read_text())

    assert before - 3 <= hardware <= time.time() + 3


def test_what_the_guest_changes_it_keeps_in_memory():
    root = next(line.split() for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1] == "/")

    assert root[2] == "overlay"
    assert "lowerdir=/lower,upperdir=/upper/root" in root[3]


def test_waits_are_longer_in_the_machine():
    assert sites.SLOWNESS == guest.SLOWNESS
