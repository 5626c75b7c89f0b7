"""The how-tos on clients: each command on them runs, each example is taken by the service, or the page says that it is not."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import landbridge
from lab import debian_packages
from landbridge import model
from landbridge.operations import access
from tests import conftest
from tests.compat import terraform
from tests.conftest import until
from tests.docs import pages

pytestmark = pytest.mark.process

PAGES = (
    "use-with-terraform",
    "use-with-the-sdk",
    "test-your-code-without-a-cloud",
    "make-gm-certificates",
    "monitor-the-service",
    "find-out-why-a-tunnel-is-down",
    "connect-with-bgp",
    "two-endpoints",
    "let-devices-dial-in",
    "a-tunnel-on-one-machine",
    "migrate-from-swanctl",
    "day-two",
    "first-ten-minutes",
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_commands_examples_and_what_is_said_not_to_run(name: str):
    languages = {found for found, _ in re.findall(r"^```(\w*)\n(.*?)^```$", pages.page(name), re.MULTILINE | re.DOTALL)}
    assert languages <= {"bash", "python", "hcl", "toml", "conf", "text", "sh"}
    assert "sh" not in languages or name == PAGES[0]  # tests/clients/test_terraform.py runs these
    not_run = re.findall(r"^Not run by the tests:\n\n```text\n", pages.page(name), re.MULTILINE)
    assert len(not_run) == len(pages.blocks(name, "text"))


def test_the_page_for_a_ci_runs(tmp_path: Path):
    printed = pages.run("test-your-code-without-a-cloud", tmp_path)
    for told in (
        "ignored-fields: nmae",
        "warnings: ipsecpolicy.pfs: group2 is weak",
        "cause\tpsk_mismatch",
        "gone after",
    ):
        assert told in printed


def test_the_page_for_the_sdk_runs_and_prints_what_it_says(tmp_path: Path):
    refusal, *others = pages.run("use-with-the-sdk", tmp_path).splitlines()
    assert refusal.startswith("400 VPN.0001 invalid request: psk: ")
    assert others == ["['psk']", "ipsecpolicy.pfs: group2 is weak", "branch-office STATIC group15"]


def test_the_commands_on_the_page_for_terraform_run(tmp_path: Path):
    pages.run("use-with-terraform", tmp_path)


@pytest.mark.parametrize("name", PAGES[:2])
def test_a_page_takes_neither_an_older_start_nor_another_service_for_its_own(name: str, tmp_path: Path, server: Any):
    (tmp_path / "landbridge.log").write_text("listening on http://127.0.0.1:1")
    status, printed = pages.shell(name, tmp_path, server.credentials["endpoint"].rsplit(":", 1)[1])
    assert status != 0
    assert "No such process" in printed
    assert "Address already in use" in (tmp_path / "landbridge.log").read_text()


def test_the_page_on_gm_certificates_runs(tmp_path: Path, server: Any):
    (tmp_path / "landbridge-data").symlink_to(server.folder)
    assert "status\tBOUND" in pages.run("make-gm-certificates", tmp_path)


def test_the_page_on_monitoring_runs(tmp_path: Path, server: Any):
    """And a Prometheus with the page's configuration reads the service with the page's token."""
    (tmp_path / "landbridge-data").symlink_to(server.folder)
    tree = debian_packages.fetch("prometheus")
    shutil.copy(Path(landbridge.__file__).parent / "monitoring/alerts.yml", tmp_path)
    printed = pages.run("monitor-the-service", tmp_path, PATH=f"{tree}/usr/bin:{pages.PATH}")
    assert "SUCCESS: prometheus.yml is valid prometheus config file syntax" in printed
    assert "landbridge_build_info{version=" in printed
    assert re.search(r"gateway [0-9a-f-]{36}: start gateway", printed)
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(configuration.read_text().replace("30s", "1s"))
    port = pages.free_port()
    command = [tree / "usr/bin/prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
    with (tmp_path / "prometheus.log").open("w") as log:
        prometheus = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        until(lambda: _value_of(port, 'up{job="landbridge"}') == "1", "Prometheus to scrape the service")
        assert _value_of(port, "count(landbridge_build_info)") == "1"
        rules = httpx.get(f"http://127.0.0.1:{port}/api/v1/rules").json()["data"]["groups"]
        assert [rule["health"] for group in rules for rule in group["rules"] if rule["health"] == "err"] == []
        assert rules
    finally:
        prometheus.terminate()
        prometheus.wait(60)


def _value_of(port: str, query: str) -> str | None:
    """The one value of an expression; None while there is none, or no Prometheus."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query})
    except httpx.TransportError:
        return None
    found = answer.json()["data"]["result"] if answer.is_success else []
    return found[0]["value"][1] if found else None


def test_the_alerts_on_the_page_are_those_that_there_are():
    rules = yaml.safe_load((Path(landbridge.__file__).parent / "monitoring/alerts.yml").read_text())["groups"]
    there = [(rule["alert"], rule["labels"]["severity"]) for group in rules for rule in group["rules"]]
    assert re.findall(r"^\| `(\w+)` \| (\w+) \|", pages.page("monitor-the-service"), re.MULTILINE) == there


def test_the_page_on_tunnels_that_are_down_runs(tmp_path: Path, start_server: Any):
    """On a service with a connection whose device has other algorithms. The page names the cause, the timeline tells it."""
    running = start_server()
    words = running.credentials
    secrets = {name: model.Secret(words[name]) for name in ("secret_key", "token")}
    project_id = words["project_id"]
    key = access.NewKey(access_key=words["access_key"], project_id=project_id, role="admin", **secrets)
    with httpx.Client(base_url=words["endpoint"]) as http:
        client = conftest.Api(http=http, project_id=project_id, key=key)
        device = client.customer_gateway(name="branch-device")
        made = client.connection(client.gateway(name="hq"), device, name="branch")
        client.connection_as(made["id"], "ACTIVE")
        assert client.simulate(made["id"], "down:proposal").status_code == 204
        client.connection_as(made["id"], "DOWN")
    (tmp_path / "landbridge-data").symlink_to(running.folder)
    printed = pages.run("find-out-why-a-tunnel-is-down", tmp_path)
    for told in (
        "problem\tconnection\tbranch\thq\tDOWN\t",
        "cause\tike_proposal_mismatch",
        "device\taes-256 / sha2-256 / group15",
        "\tattempt\t",
        '"text": "IKE_SA_INIT request 0 [SA KE No]"',
        "\tsimulate\t",
        "outcome=chosen",
        '"strangers": []',
        "device.peer_id\t",
        f"192.168.44.0/25 overlaps with 192.168.44.0/24 of connection {made['id']} (branch)",
    ):
        assert told in printed, told


def test_the_page_on_bgp_runs(tmp_path: Path, start_server: Any):
    running = start_server()
    (tmp_path / "landbridge-data").symlink_to(running.folder)
    printed = pages.run("connect-with-bgp", tmp_path)
    for told in (
        "device.peer_bgp_asn\t64512",
        "neighbor 169.254.70.1 remote-as 64512",
        "bgp_peer.state\tEstablished",
        '"routes_accepted": 1',
        "\tIGP\t65001",
        "reason\tthe device's ASN is 65011, this connection's customer gateway says 65001",
        "; on frr: router bgp, and neighbor remote-as",
        "\tbgp\t",
    ):
        assert told in printed, told


def test_the_page_on_two_endpoints_runs(tmp_path: Path, start_server: Any):
    (tmp_path / "landbridge-data").symlink_to(start_server().folder)
    printed = pages.run("two-endpoints", tmp_path)
    for told in (
        '"summary": "redundancy is met, except for the device: 192.168.44.0/24 is reached through customer gateway branch (198.51.100.2) alone"',
        '"kind": "machine"',
        '"redundant": true',
    ):
        assert told in printed, printed
    assert "landbridge: hq-branch-2: ACTIVE after" in printed
    assert [line[-1] for line in printed.splitlines() if line.startswith("landbridge_gateway_redundan")] == ["1", "1"]


def test_the_page_on_devices_that_dial_in_runs(tmp_path: Path, server: Any):
    (tmp_path / "landbridge-data").symlink_to(server.folder)
    printed = pages.run("let-devices-dial-in", tmp_path)
    for told in (
        "style\tPOLICY-TEMPLATE",
        "cause\twaiting_for_device",
        'id = "fqdn:branch-1.example"',
        "proposals = aes128-sha256-ecp384",
        "peer_subnets\t192.168.44.0/22",
        "ipsecpolicy.pfs\tgroup20",
    ):
        assert told in printed, told


def test_every_simulated_state_shows_the_status_that_the_page_says(api: Any):
    rows = re.findall(r"^\| `([\w:]+)` \| (\w+) \|", pages.page("test-your-code-without-a-cloud"), re.MULTILINE)
    assert {state for state, _ in rows} == set(model.SIMULATED_STATES)
    made = api.connection(api.gateway(), style="bgp")
    for state, status in [*rows[1:], rows[0]]:
        assert api.simulate(made["id"], state).status_code == 204
        api.connection_as(made["id"], status)


# -- Terraform's blocks -----------------------------------------------------------------------------------------------

#: As the provider's source has them: resource -> path, envelope, and arguments that have another name on the wire.
RESOURCES: dict[str, tuple[str, str, dict[str, str]]] = {
    "huaweicloud_vpn_gateway": ("vpn-gateways", "vpn_gateway", {"availability_zones": "availability_zone_ids"}),
    "huaweicloud_vpn_customer_gateway": ("customer-gateways", "customer_gateway", {"asn": "bgp_asn"}),
    "huaweicloud_vpn_connection": (
        "vpn-connection",
        "vpn_connection",
        {"gateway_id": "vgw_id", "gateway_ip": "vgw_ip", "customer_gateway_id": "cgw_id", "vpn_type": "style"},
    ),
    "huaweicloud_vpn_connection_health_check": (
        "connection-monitors",
        "connection_monitor",
        {"connection_id": "vpn_connection_id"},
    ),
}


def _value(text: str, made: dict[str, Any]) -> Any:
    """A literal, or a reference to what another block made."""
    if not text.startswith("huaweicloud_"):
        return eval(text, {"true": True, "false": False})  # noqa: S307 - of our own page
    kind, name, *fields = re.sub(r"\[0\]", "", text).split(".")
    found = made[f"{kind}.{name}"]
    for field in fields:
        found = found[field]
    return found


def _body(text: str, made: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    inner = body
    for line in text.splitlines():
        if block := re.fullmatch(r"\s+(\w+) \{", line):
            inner = body[block[1]] = {}
        elif line.strip() == "}":
            inner = body
        elif pair := re.fullmatch(r"\s+(\w+)\s+= (.+)", line):
            inner[names.get(pair[1], pair[1])] = _value(pair[2], made)
    return body


def test_the_service_takes_the_resources_of_the_page(server: Any):
    words = server.credentials
    client = terraform.Client(family=terraform.HUAWEI, **words)
    made: dict[str, Any] = {}
    blocks = re.findall(
        r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}$', "\n".join(pages.blocks(PAGES[0], "hcl")), re.MULTILINE | re.DOTALL
    )
    assert [kind for kind, _, _ in blocks] == list(RESOURCES)
    for kind, name, text in blocks:
        path, envelope, names = RESOURCES[kind]
        one = client.create(path, envelope, **_body(text, made, names))
        if kind == "huaweicloud_vpn_gateway":
            one = client.wait_gateway(one["id"], "PENDING_CREATE")
        made[f"{kind}.{name}"] = one
    for kind, name, _ in reversed(blocks):
        path, envelope, _ = RESOURCES[kind]
        gone = f"{path}/{made[f'{kind}.{name}']['id']}"
        client.call("DELETE", gone)
        if envelope in {"vpn_gateway", "vpn_connection"}:
            client.wait_gone(gone, envelope)


def test_the_page_wants_a_provider_that_can_skip_its_checks():
    (block,) = re.findall(
        r"^terraform \{\n(.*?)^\}$", "\n".join(pages.blocks(PAGES[0], "hcl")), re.MULTILINE | re.DOTALL
    )
    assert 'version = ">= 1.73.0"' in block


def test_the_provider_block_has_the_ids_that_spare_it_an_identity_service():
    (block,) = re.findall(
        r'^provider "huaweicloud" \{\n(.*?)^\}$', "\n".join(pages.blocks(PAGES[0], "hcl")), re.MULTILINE | re.DOTALL
    )
    assert {"project_id", "domain_id", "region", "endpoints"} <= set(re.findall(r"^\s+(\w+)\s+=", block, re.MULTILINE))
    assert 'vpn = "http://127.0.0.1:8700/"' in block
