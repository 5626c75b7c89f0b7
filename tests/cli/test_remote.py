"""The command line as a client of the API: each family of commands against a running service on the simulated engine."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from landbridge.cli import connection_inspection, fields
from landbridge.model.status import ConnectionStatusName
from tests.cli.conftest import Cli, add_context
from tests.conftest import VPC

pytestmark = pytest.mark.process


def _rows(out: str) -> list[list[str]]:
    return [line.split("\t") for line in out.splitlines()]


def test_a_tunnel_by_commands_alone(ours: Cli):
    gateway_id = ours.gateway()
    customer_id = ours("customer-gateway", "create", "--name", "branch", "--address", "198.51.100.2").out.strip()
    connection_id = ours.connection("hq-branch", "--ike-lifetime", "7200", "--pfs", "group20", "--tag", "site=berlin")
    ((name, gateway, status, since, cause, reason, listed_id),) = _rows(ours("connection", "list").out)
    assert (name, gateway, status, cause, reason, listed_id) == ("hq-branch", "hq", "ACTIVE", "", "", connection_id)
    assert since.endswith("Z")
    ((shown),) = [ours("connection", "show", "hq-branch", "-o", "json").document["vpn_connection"]]
    assert (shown["vgw_id"], shown["cgw_id"], shown["peer_subnets"]) == (gateway_id, customer_id, ["192.168.44.0/24"])
    assert (shown["ikepolicy"]["lifetime_seconds"], shown["ipsecpolicy"]["pfs"]) == (7200, "group20")
    assert shown["tags"] == [{"key": "site", "value": "berlin"}]
    address = ours("gateway", "show", "hq", "-o", "json").document["vpn_gateway"]["eip1"]["ip_address"]
    assert ["endpoint", f"1 ({address})"] in _rows(ours("connection", "show", "hq-branch").out)
    ours("connection", "delete", "hq-branch", "--yes", "--wait")
    ours("customer-gateway", "delete", "branch", "--yes")
    ours("gateway", "delete", "hq", "--yes", "--wait")
    for kind in ("gateway", "customer-gateway", "connection"):
        assert ours(kind, "list").out == ""


def test_a_wait_says_what_happens_and_how_it_ended(ours: Cli):
    ours.gateway()
    ours("customer-gateway", "create", "--name", "away", "--fqdn", "branch.example")
    words = ("--gateway", "hq", "--customer-gateway", "away", "--peer-subnet", "192.168.44.0/24", "--psk-file", "-")
    ids = ("--peer-id-type", "fqdn", "--peer-id", "branch.example")
    waits = ("--name", "c", "--wait", "--timeout", "2")
    ran = ours("connection", "create", *words, *ids, *waits, stdin="Correct-Horse-7", ends=6)
    assert ran.err.splitlines()[-1] == "landbridge: c is not ready after 2 s; it is DOWN"
    assert ran.err.splitlines()[-2].startswith("landbridge: c: DOWN: ")
    assert ran.err.count("remedy: ") == 1
    ours("connection", "simulate", "c", "active")
    assert "c: ACTIVE after" in ours("connection", "wait", "c").err
    assert "gone after" in ours("connection", "wait", "no-such", "--for", "gone").err
    ours("connection", "wait", "no-such", "--timeout", "0", ends=6)
    ours("connection", "simulate", "c", "error")
    ours("connection", "wait", "c", "--for", "ERROR")
    (line,) = ours("connection", "wait", "c", ends=1).err.splitlines()
    assert line.startswith("landbridge: c is ERROR: ")


def test_a_wait_takes_the_statuses_of_the_api():
    assert (*get_args(ConnectionStatusName), "gone") == connection_inspection.STATUSES


def test_a_wrong_endpoint_is_told_the_endpoints(ours: Cli):
    ours.pair()
    words = ("--gateway", "hq", "--customer-gateway", "branch", "--peer-subnet", "192.168.44.0/24", "--psk-file", "-")
    said = ours("connection", "create", *words, "--gateway-endpoint", "3", stdin="Correct-Horse-7", ends=2).err
    assert "vgw_ip (--gateway-endpoint): '3' is no endpoint of hq (wanted: one of 1, 2, " in said
    addresses = said.partition("one of 1, 2, ")[2].partition(", or an id")[0].split(", ")
    assert len(addresses) == 2
    ours("connection", "create", *words, "--gateway-endpoint", addresses[1], stdin="Correct-Horse-7")


def test_a_create_takes_what_show_prints(ours: Cli, tmp_path: Path):
    ours.pair()
    shown = ours("connection", "show", "hq-branch", "-o", "json")
    (tmp_path / "shown.json").write_text(shown.out)
    ours("connection", "delete", "hq-branch", "--yes", "--wait")
    words = ("--file", str(tmp_path / "shown.json"), "--psk-file", "-")
    ours("connection", "create", *words, stdin="Correct-Horse-7")
    again = ours("connection", "show", "hq-branch", "-o", "json").document["vpn_connection"]
    others = {"id": None, "status": None, "created_at": None, "updated_at": None}
    assert again | others == shown.document["vpn_connection"] | others


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name: 2020-01-01", "2020-01-01 is a date in YAML; in quotes it is a text"),
        ("name: 2020-13-45", "month must be in 1..12"),
        ("name: !!binary aGVsbG8=", "is a bytes in YAML"),
        ("tags: !!set {a}", "is a set in YAML"),
        ("tags: &a [*a]", "Circular reference"),
        ('{"bgp_asn": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{"a":' * 20_000, "recursion"),
        ("[" * 20_000, "recursion"),
        ('{"name": "hq",\n "vpc_id" "x"}', "is not JSON: line 2, column 11: Expecting ':' delimiter"),
        ('{"name": "hq"', "is not JSON: line 1, column 14: Expecting ',' delimiter"),
        ("- " * 20_000, "recursion"),
        ('{"vpn_gateway": {"vpc_id": "x"}, "name": "hq"}', "name: is outside of vpn_gateway (wanted: inside it)"),
    ],
)
def test_a_file_that_is_no_body_is_refused_in_a_line(ours: Cli, tmp_path: Path, content: str, told: str):
    (tmp_path / "body").write_text(content)
    ran = ours("gateway", "create", "--file", str(tmp_path / "body"), ends=2)
    (line,) = ran.err.splitlines()
    assert line.startswith(f"landbridge: {tmp_path / 'body'}: ")
    assert told in line


def test_a_request_of_endless_depth_is_refused_in_a_line(ours: Cli, tmp_path: Path):
    (tmp_path / "body").write_text("[" * 20_000)
    ran = ours("api", "POST", "/v5/{project_id}/vpn-gateways", "--file", str(tmp_path / "body"), ends=2)
    assert len(ran.err.splitlines()) == 1


def test_an_update_changes_what_it_names_and_nothing_else(ours: Cli, tmp_path: Path):
    ours.pair()
    before = ours("connection", "show", "hq-branch", "-o", "json").document["vpn_connection"]
    ours("connection", "update", "hq-branch", "--dpd-interval", "60", "--wait")
    after = ours("connection", "show", "hq-branch", "-o", "json").document["vpn_connection"]
    before["ikepolicy"]["dpd"]["interval"] = 60
    unsteady = {"updated_at": None, "status": None}
    assert after | unsteady == before | unsteady
    (tmp_path / "change.yaml").write_text("vpn_connection:\n  name: other\n  ipsecpolicy:\n    pfs: group21\n")
    ours("connection", "update", "hq-branch", "--file", str(tmp_path / "change.yaml"), "--name", "renamed", "--wait")
    after = ours("connection", "show", "renamed", "-o", "json").document["vpn_connection"]
    assert (after["ipsecpolicy"]["pfs"], after["ikepolicy"]["dpd"]["interval"]) == ("group21", 60)
    assert "nothing to change" in ours("connection", "update", "renamed", ends=2).err
    ours("gateway", "update", "hq", "--local-subnet", "10.0.0.0/24,10.0.1.0/24", "--flavor", "Professional2", "--wait")
    gateway = ours("gateway", "show", "hq", "-o", "json").document["vpn_gateway"]
    assert (gateway["local_subnets"], gateway["flavor"]) == (["10.0.0.0/24", "10.0.1.0/24"], "Professional2")
    ours("customer-gateway", "update", "branch", "--name", "berlin")
    assert _rows(ours("customer-gateway", "list").out)[0][:3] == ["berlin", "ip", "198.51.100.2"]


def test_a_check_creates_nothing(ours: Cli):
    ours.pair()
    words = ("--gateway", "hq", "--gateway-endpoint", "2", "--customer-gateway", "branch", "--psk-file", "-")
    subnets = ("--peer-subnet", "192.168.44.0/25")
    for command in (("check",), ("create", "--dry-run")):
        good = ours("connection", *command, *words, *subnets, stdin="Correct-Horse-7")
        assert "device.peer_id\t" in good.out
        assert "192.168.44.0/25 overlaps with 192.168.44.0/24" in good.err
        bad = ours("connection", *command, *words, "--peer-subnet", "10.0.0.5/24", stdin="short", ends=5)
        assert "psk (--psk-file): " in bad.err
        assert "peer_subnets[0] (--peer-subnet): " in bad.err
        assert "short" not in bad.err
    assert len(_rows(ours("connection", "list").out)) == 1


def test_a_dry_run_of_a_create_of_a_gateway_says_what_is_wrong_and_creates_nothing(ours: Cli):
    sound = {
        "gateway": ("--name", "hq", "--vpc", VPC, "--local-subnet", "10.0.0.0/24"),
        "customer-gateway": ("--name", "branch", "--address", "198.51.100.2"),
    }
    for kind, words in sound.items():
        ran = ours(kind, "create", *words, "--dry-run")
        assert (ran.out, "would succeed; nothing is created yet" in ran.err) == ("", True)
        assert ours(kind, "create", *words, "--dry-run", "-o", "json").document["check"]["valid"] is True
    bad = ours("gateway", "create", *sound["gateway"], "--bgp-asn", "0", "--dry-run", "-o", "json", ends=5)
    assert bad.document["check"]["valid"] is False
    assert "bgp_asn (--bgp-asn): " in bad.err
    assert "id_value" in ours("customer-gateway", "create", "--address", "nowhere", "--dry-run", ends=5).err
    for kind in sound:
        assert ours(kind, "list").out == ""


DRY_RUNS = [
    (("connection", "update", "hq-branch", "--name", "other"), [["name", "hq-branch", "other"]], "The tunnel does not"),
    (
        ("connection", "update", "hq-branch", "--pfs", "group21", "--peer-subnet", "172.16.8.0/24,172.16.9.0/24"),
        [
            ["peer_subnets", "192.168.44.0/24", "172.16.8.0/24, 172.16.9.0/24"],
            ["ipsecpolicy.pfs", "group15", "group21"],
        ],
        "CHILD_SAs (phase 2) are negotiated anew.",
    ),
    (("connection", "update", "hq-branch", "--ike-version", "v2"), [], "no field differs from what is stored"),
    (
        ("gateway", "update", "hq", "--local-subnet", "10.0.9.0/24"),
        [["local_subnets", "10.0.0.0/24", "10.0.9.0/24"]],
        "",
    ),
    (
        ("customer-gateway", "update", "branch", "--name", "berlin"),
        [["name", "branch", "berlin"]],
        "nothing is changed yet",
    ),
]


def test_a_dry_run_of_an_update_says_what_would_change_and_changes_nothing(ours: Cli):
    ours.pair()
    shows = [("connection", "hq-branch"), ("gateway", "hq"), ("customer-gateway", "branch")]
    before = [ours(kind, "show", name).out for kind, name in shows]
    for words, rows, says in DRY_RUNS:
        ran = ours(*words, "--dry-run", "--wait") if words[0] == "connection" else ours(*words, "--dry-run")
        assert _rows(ran.out) == rows
        assert says in ran.err
        found = ours(*words, "--dry-run", "-o", "json").document["check"]
        assert [one["field"] for one in found["changes"]] == [row[0] for row in rows]
    keyed = ours("connection", "update", "hq-branch", "--psk-file", "-", "--dry-run", stdin="Another-Horse-8")
    assert _rows(keyed.out) == [["psk", "", ""]]
    assert "tried beside the tunnel" in keyed.err
    keyed = ours(
        "connection", "update", "hq-branch", "--psk-file", "-", "--replace-tunnel", "--dry-run", stdin="Another-Horse-8"
    )
    assert "negotiated anew: the tunnel of connection hq-branch" in keyed.err
    bad = ours("connection", "update", "hq-branch", "--peer-subnet", "10.0.0.5/24", "--dry-run", ends=5).err
    assert "peer_subnets[0] (--peer-subnet): " in bad
    assert (
        "--dry-run without --flavor"
        in ours("gateway", "update", "hq", "--flavor", "Professional2", "--dry-run", ends=2).err
    )
    assert [ours(kind, "show", name).out for kind, name in shows] == before


@pytest.mark.parametrize(("given", "ends"), [("name", 0), ("id", 0), ("ID", 0), ("prefix", 0), ("three", 3), ("x", 3)])
def test_a_resource_has_its_name_its_id_and_the_first_digits_of_its_id(ours: Cli, given: str, ends: int):
    made = ours("customer-gateway", "create", "--name", "branch", "--address", "198.51.100.2").out.strip()
    text = {"name": "branch", "id": made, "ID": made.upper(), "prefix": made[:4], "three": made[:3], "x": "x"}[given]
    ours("customer-gateway", "show", text, ends=ends)


def test_a_name_of_two_resources_is_ambiguous_and_wins_over_a_prefix(ours: Cli):
    first, second = (
        ours("customer-gateway", "create", "--name", "twin", "--address", f"198.51.100.{number}").out.strip()
        for number in (2, 3)
    )
    said = ours("customer-gateway", "delete", "twin", "--yes", ends=2).err
    assert first in said
    assert second in said
    ours("customer-gateway", "update", first, "--name", second[:8])
    shown = ours("customer-gateway", "show", second[:8], "-o", "json").document["customer_gateway"]
    assert shown["id"] == first


def test_the_status_is_the_overview_on_one_screen(ours: Cli):
    ours.pair()
    ours("connection", "simulate", "hq-branch", "down:psk")
    ours("connection", "wait", "hq-branch", "--for", "DOWN")
    rows = _rows(ours("status").out)
    assert rows[:2] == [["count", "gateways", "ACTIVE", "1"], ["count", "connections", "DOWN", "1"]]
    assert rows[2][:5] == ["problem", "connection", "hq-branch", "hq", "DOWN"]
    assert rows[2][6] == "psk_mismatch"
    assert "→ set the same psk" in rows[2][7]
    assert rows[3] == ["not-redundant", "hq"]
    assert {"create_cgw", "simulate"} <= {row[3].split(" ")[0] for row in rows[4:]}
    assert [row[2] for row in rows[4:] if row[3].startswith("create_cgw")] == ["branch"]
    whole = ours("status", "-o", "json").document
    assert [each["name"] for each in whole["vpn_connections"]] == ["hq-branch"]


def test_a_reader_sees_the_overview_without_the_audit_trail(cli: Cli, server: Any, tmp_path: Path):
    add_context(cli, server, tmp_path.name, "--role", "reader")
    assert cli("status").out == ""
    assert "the role reader" in cli("gateway", "create", "--vpc", VPC, ends=4).err


def test_the_looks_at_a_connection(ours: Cli):
    ours.pair()
    ours("connection", "simulate", "hq-branch", "down:proposal")
    ours("connection", "wait", "hq-branch", "--for", "DOWN")
    told = ours("connection", "diagnose", "hq-branch").out
    assert "cause\tike_proposal_mismatch\n" in told
    assert "device\taes-256 / sha2-256 / group15\n" in told
    kinds = {row[1] for row in _rows(ours("connection", "timeline", "hq-branch").out)}
    assert kinds == {"attempt", "status", "change"}
    assert "outcome=chosen" in ours("connection", "probe", "hq-branch").out
    assert len(ours("connection", "probe", "hq-branch", "--last", "-o", "json").document["probes"]) == 1
    assert ours("connection", "traffic", "hq-branch").out == ""
    answer = ours("connection", "traffic", "hq-branch", "--last", "month", "-o", "json").document["traffic"]
    assert (answer["last"], answer["slot_seconds"]) == ("month", 28_800)
    ours("connection", "simulate", "hq-branch", "none")
    ours("connection", "reset", "hq-branch", "--wait")
    assert _rows(ours("connection", "sas", "hq-branch").out)[0][1] == "192.168.44.0/24"
    found = _rows(ours("gateway", "diagnose", "hq").out)
    assert ["connections", "1 ACTIVE"] in found
    cut = [row[1].partition(" cuts ")[0].partition(" (")[0] for row in found if row[0] == "single failure"]
    assert cut == ["connection hq-branch", "endpoint 1", "customer gateway branch", "this machine"]
    assert [row[0] for row in _rows(ours("gateway", "routes", "hq").out) if "168.44" in row[0]] == ["192.168.44.0/24"]


def test_the_devices_configuration_and_its_psk(ours: Cli):
    ours.pair()
    assert "Libreswan" in ours("connection", "peer-config", "--list").out
    hidden = ours("connection", "peer-config", "hq-branch")
    assert "connections {" in hidden.out
    assert "swanctl/conf.d/" in hidden.err
    assert "Correct-Horse-7" not in hidden.out
    assert "Correct-Horse-7" in ours("connection", "peer-config", "hq-branch", "--psk").out
    assert "vendor: " in ours("connection", "peer-config", "hq-branch", "--vendor", "Nobody", ends=5).err


def test_tags_monitors_quotas_and_the_audit_trail(ours: Cli):
    ours.pair()
    ours("tags", "set", "connection", "hq-branch", "site=berlin", "team=net")
    assert _rows(ours("tags", "list", "connection", "hq-branch").out) == [["site", "berlin"], ["team", "net"]]
    assert _rows(ours("tags", "find", "connection", "site=berlin").out)[0][:2] == ["hq-branch", "site=berlin, team=net"]
    ours("tags", "unset", "connection", "hq-branch", "team")
    assert _rows(ours("tags", "list", "connection").out) == [["site", "berlin"]]
    monitor = ours("monitor", "create", "hq-branch").out.strip()
    assert _rows(ours("monitor", "list").out)[0][0::4] == ["hq-branch", monitor]
    assert "type\tgateway\n" in ours("monitor", "show", "hq-branch").out
    ours("monitor", "delete", "hq-branch", "--yes")
    ours("monitor", "show", "hq-branch", ends=3)
    assert ["vpn_connection", "1", "-1"] in _rows(ours("quota").out)
    rows = [row[2:4] for row in _rows(ours("audit", "--resource", "hq-branch").out)]
    assert rows[-1] == ["create_vpn_connection", "hq-branch"]
    assert len(_rows(ours("audit", "--limit", "2").out)) == 2
    assert "action: " in ours("audit", "--action", "fly", ends=5).err


def test_the_certificate_of_a_gm_gateway(ours: Cli, tmp_path: Path):
    from lab import gm_certificates  # noqa: PLC0415

    ours.gateway("gm", "--flavor", "GM")
    sound = gm_certificates.gateway(tmp_path)
    flags = []
    for name, content in sound.items():
        (tmp_path / name).write_text(content)
        flags += [f"--{name.replace('_', '-')}", str(tmp_path / name)]
    ours("certificate", "create", "gm", "--name", "gm-2026", *flags)
    ours("certificate", "update", "gm", "--name", "gm-2027")
    assert _rows(ours("certificate", "list").out)[0][:2] == ["gm-2027", "gm"]
    assert "status\tBOUND\n" in ours("certificate", "show", "gm").out


def test_the_forms_of_output_hold_the_same(ours: Cli):
    ours.pair()
    as_json = ours("gateway", "list", "-o", "json")
    assert as_json.out.count("\n") == 1
    assert yaml.safe_load(ours("gateway", "list", "-o", "yaml").out) == as_json.document
    assert as_json.document["vpn_gateways"][0]["name"] == "hq"


def test_what_the_service_says_beside_an_answer_is_a_warning(ours: Cli, tmp_path: Path):
    ours.pair()
    (tmp_path / "body.json").write_text(json.dumps({"nmae": "x", "ipsecpolicy": {"pfs": "group2"}}))
    said = ours("connection", "update", "hq-branch", "--file", str(tmp_path / "body.json")).err
    assert "landbridge: warning: the service does not know nmae\n" in said
    assert "landbridge: warning: ipsecpolicy.pfs: group2 is weak" in said


def test_any_request_of_the_api_can_be_sent(ours: Cli):
    gateway_id = ours.gateway()
    path = f"/v5/{{project_id}}/vpn-gateways/{gateway_id}"
    started = ours("api", "post", f"{path}/upgrade", "--file", "-", stdin='{"action": "start"}').document
    query = ("--query", f"resource_id={gateway_id}", "--query", "limit=1")
    (job,) = ours("api", "GET", "/v5/{project_id}/vpn-gateways/jobs", *query).document["jobs"]
    assert job["id"] == started["job_id"]
    assert "availability_zones" in ours("api", "GET", "/v5.1/{project_id}/vpn-gateways/availability-zones").out
    assert "is not JSON" in ours("api", "POST", path, "--file", "-", stdin="{", ends=2).err
    assert "published in the environment" in ours("api", "GET", "/v9", ends=1).err
    assert "action: " in ours("api", "POST", f"{path}/upgrade", "--file", "-", stdin='{"action": "x"}', ends=5).err


@pytest.mark.parametrize("module", ["connections", "gateways", "customer_gateways"])
def test_each_flag_names_a_field_that_the_api_has(module: str):
    import importlib  # noqa: PLC0415

    from landbridge.wire import connection_requests, customer_gateways, gateways  # noqa: PLC0415

    commands = importlib.import_module(f"landbridge.cli.{module}")
    shapes = {
        "connections": (connection_requests.CreateConnection, connection_requests.UpdateConnection),
        "gateways": (gateways.CreateGateway, gateways.UpdateGateway),
        "customer_gateways": (customer_gateways.CreateCustomerGateway, customer_gateways.UpdateCustomerGateway),
    }[module]
    update = {"connections": "_SHARED", "gateways": "UPDATE", "customer_gateways": "_UPDATE"}[module]
    for shape, used in zip(shapes, (commands.CREATE, getattr(commands, update)), strict=True):
        for field in used:
            _assert_has(shape, field)


def _assert_has(shape: Any, field: fields.Field) -> None:
    schema = shape.model_json_schema(by_alias=True)
    inner = schema
    for name in field.path.split("."):
        assert name in inner["properties"], field.flag
        found = json.dumps(inner["properties"][name])
        if "$ref" in found:
            inner = schema["$defs"][found.partition("#/$defs/")[2].partition('"')[0]]
