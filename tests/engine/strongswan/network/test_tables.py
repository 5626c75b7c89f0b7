"""The nftables tables of a namespace are read as `nft` lists them, also beside tables of other programs."""

import json
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from landbridge.engine.strongswan.network import namespace, netlink, nftables

pytestmark = pytest.mark.process

OURS, OTHER = "landbridge-0123456789ab", "somebody"
#: Two tables have the same name in different families, and chains of the same name.
RULES = f"""
table inet {OURS} {{
  chain forward {{ type filter hook forward priority 0; policy drop; tcp dport 22 accept; drop; }}
  chain output {{ type filter hook output priority 0; policy accept; }}
  chain limited {{ limit rate 5/second accept; }}
  chain peers {{ ip saddr 192.0.2.1 accept; jump limited; }}
}}
table ip {OURS} {{
  chain peers {{ accept; }}
}}
table ip6 {OTHER} {{
  chain forward {{ type filter hook forward priority 0; policy accept; accept; }}
}}
"""


@pytest.fixture
def name() -> Iterator[str]:
    name = f"t{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def nft(name: str, *arguments: str, text: str | None = None) -> str:
    command = ["ip", "netns", "exec", name, "nft", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def tables(name: str, wanted: str) -> dict[tuple[str, str], netlink.Chains]:
    return namespace.inside(name, lambda _: netlink.firewall_tables(lambda table: table.startswith(wanted)))


def as_nft_lists(name: str) -> dict[tuple[str, str], netlink.Chains]:
    listed = json.loads(nft(name, "-j", "list", "ruleset"))["nftables"]
    found: dict[tuple[str, str], netlink.Chains] = {
        (one["table"]["family"], one["table"]["name"]): {} for one in listed if "table" in one
    }
    for one in (entry["chain"] for entry in listed if "chain" in entry):
        place = (one["family"], one["table"], one["name"])
        rules = [entry["rule"] for entry in listed if "rule" in entry]
        count = sum((rule["family"], rule["table"], rule["chain"]) == place for rule in rules)
        found[place[:2]][place[2]] = one.get("policy"), count
    return found


def test_chains_have_the_policies_and_the_rules_that_nft_lists(name: str):
    assert tables(name, "") == {}
    nft(name, "-f", "-", text=RULES)
    assert tables(name, "") == as_nft_lists(name)
    assert tables(name, OURS)["inet", OURS]["forward"] == ("drop", 2)


def test_only_tables_that_are_asked_for_are_read(name: str):
    nft(name, "-f", "-", text=RULES)
    assert [*tables(name, OURS)] == [("inet", OURS), ("ip", OURS)]
    assert namespace.inside(name, lambda _: nftables.stands())
    nft(name, "-f", "-", text=f"delete table inet {OURS}; delete table ip {OURS}")
    assert tables(name, OURS) == {}
    assert not namespace.inside(name, lambda _: nftables.stands())


def test_many_rules_are_counted(name: str):
    """Their list is longer than a message of netlink."""
    rules = "".join(f"    ip saddr 10.{n >> 8}.{n & 255}.1 accept\n" for n in range(3000))
    nft(name, "-f", "-", text=f"table inet {OURS} {{\n  chain peers {{\n{rules}  }}\n}}")
    assert tables(name, OURS) == {("inet", OURS): {"peers": (None, 3000)}}
