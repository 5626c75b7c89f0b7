"""`docs/reference/scenarios.md`: what became of each scenario, as a table. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from lab.replay import Plane, Scenario

PATH = Path(__file__).parents[1] / "docs/reference/scenarios.md"
PASS = "pass"  # noqa: S105  the word in the table

_HEAD = """\
# Scenarios of strongSwan's test suite, replayed

Made by `make test-scenarios` on {day} with strongSwan {version} on both sides: {passed} of {count} passed. `make test` runs {few} of these.
`tests/docs/test_scenarios_page.py` holds this page to the table of `lab/scenarios.py`.

- Each row has the name of a scenario in `testing/tests` of strongSwan's repository, and checks what the original checks. The gateway is a VPN gateway
  of the service, and everything of it is made through the public API. The devices are strongSwans with hand-written configuration. Rows of the kernel
  data plane ran in a virtual machine (`lab/vm.py`).
- Both SAs exact: `list-sas` of both charons has the version, the initiator, the addresses, the ids, the suites and the traffic selectors, and the API
  has the same ids, addresses and subnets. Nothing of a ping is in clear on the wire.
- Certificates became PSKs, and Curve 25519 became group19: the API has neither. E-mail identities have the type FQDN: the API has no other type of
  names. A roadwarrior has a network behind it. The devices of `ikev1/nat-rw` use aggressive mode: main mode finds the PSK by the address.

| scenario | data plane | what is checked | result |
|---|---|---|---|
"""
_TAIL = """
## Not replayed

| scenario | why |
|---|---|
"""
#: Scenarios of the same kinds that the API or the plane cannot have.
NOT_REPLAYED: Mapping[str, str] = {
    "ikev1/rw-psk-ip-ranges": "a customer gateway has one address or one identity, and no range of addresses",
    "ikev1/dynamic-responder": "the gateway dials addresses and resolves no names",
    "ikev2-algs/alg-ecp-low, ikev1-algs/alg-ecp-low": "the API has no ECP_192 and no ECP_224",
    "ikev2/net2net-route-narrow, ikev2/dpd-trap, libipsec/net2net-trap": "the gateway has its tunnels up at all times and installs no traps;"
    " strongSwan 5.9.8 has no traps on the userland data plane",
    "ikev2/net2net-same-nets": "the API has no address translation between networks",
    "libipsec/host2host-cert": "subnets of the API are networks behind a gateway, not its outer address",
    "route-based/*": "each connection has an XFRM interface of its own in the namespace of its gateway, which `tests/kernel/test_tunnels.py` tests; VTI is"
    " not used",
    "ha/*": "charon's own HA plugin is not `ha_role`; tests/kernel/test_failover.py",
}


def render(
    scenarios: Sequence[Scenario],
    verdicts: Mapping[tuple[str, Plane], str],
    *,
    version: str,
    day: date,
    few: int,
) -> str:
    """`verdicts`: by name and plane. `few`: how many `make test` runs."""
    passed = sum(verdict == PASS for verdict in verdicts.values())
    head = _HEAD.format(day=day, version=version, passed=passed, count=len(verdicts), few=few)
    by_name = {scenario.name: scenario for scenario in scenarios}
    rows = [
        f"| {name} | {plane} | {by_name[name].shows} | {verdict} |"
        for (name, plane), verdict in sorted(verdicts.items())
    ]
    return head + _lines(rows) + _TAIL + _lines(f"| {name} | {why} |" for name, why in NOT_REPLAYED.items())


def _lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in rows)
