"""`landbridge serve` as a process: what it writes, what it refuses, and what a restart keeps."""

import re
import signal
import socket
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import processes


def _ask(server: Any, path: str, **words: Any) -> httpx.Response:
    credentials = server.credentials
    url = f"{credentials['endpoint']}/v5/{credentials['project_id']}/{path}"
    method = words.pop("method", "GET")
    return httpx.request(method, url, headers={"X-Auth-Token": credentials["token"]}, **words)


def test_the_first_start_writes_credentials_for_their_owner_only(server: Any):
    path = server.folder / "credentials.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert server.folder.stat().st_mode & 0o777 == 0o700
    assert (server.folder / "master.key").stat().st_mode & 0o777 == 0o600
    assert set(server.credentials) == {"endpoint", "project_id", "access_key", "secret_key", "token"}


def test_no_process_of_the_service_writes_a_core_file(server: Any):
    pids = {server.pid, *processes.workers(server.pid)}
    limits = [Path(f"/proc/{pid}/limits").read_text() for pid in pids]
    assert {re.search(r"Max core file size +(\S+) +(\S+)", text).groups() for text in limits} == {("0", "0")}


def test_port_0_becomes_the_real_port(server: Any):
    endpoint = server.credentials["endpoint"]
    assert endpoint.startswith("http://127.0.0.1:")
    assert not endpoint.endswith(":0")
    assert httpx.get(endpoint + "/healthz").status_code == 200


def test_readyz_tells_an_operator_the_engine(server: Any, landbridge: Any):
    assert httpx.get(server.credentials["endpoint"] + "/readyz").json() == {"status": "ready", "database": "ok"}
    answer = _readyz(server, landbridge)
    assert (answer["status"], answer["database"], answer["engine"]["name"]) == ("ready", "ok", "simulated")
    assert answer["engine"]["data_plane_reason"]


def _readyz(server: Any, landbridge: Any) -> Any:
    """As an operator reads it."""
    made = landbridge("keys", "create", "--data", str(server.folder), "--role", "operator").stdout
    (token,) = re.findall(r'token *= *"(.+)"', made)
    return httpx.get(server.credentials["endpoint"] + "/readyz", headers={"X-Auth-Token": token}).json()


def test_the_log_has_no_secret(start_server: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LANDBRIDGE_LOG_LEVEL", "debug")
    server = start_server("data")
    body = {"customer_gateway": {"id_value": "198.51.100.99"}}
    assert _ask(server, "customer-gateways", method="POST", json=body).status_code == 201
    _ask(server, "vpn-connection", method="POST", json={"vpn_connection": {"psk": "Never-To-Be-Seen-1"}})
    assert "POST" in server.log
    for secret in (server.credentials["secret_key"], server.credentials["token"], "Never-To-Be-Seen-1"):
        assert secret not in server.log


def test_a_body_that_is_too_large_is_413_over_the_wire(server: Any):
    answer = _ask(server, "vpn-connection", method="POST", content=b" " * (3 << 20))
    assert (answer.status_code, answer.json()["error_code"]) == (413, "VPN.0001")


def test_a_head_and_a_slash_too_many_do_no_harm(server: Any):
    assert _ask(server, "vpn-connection", method="HEAD").status_code == 200
    assert _ask(server, "vpn-connection/").status_code in (200, 307, 404)


def test_a_second_server_on_the_same_folder_is_refused(server: Any, landbridge: Any):
    refused = landbridge("serve", "--data", str(server.folder), "--listen", "127.0.0.1:0", "--engine", "simulated")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == f"landbridge: another landbridge serves {server.folder}"
    assert httpx.get(server.credentials["endpoint"] + "/readyz").status_code == 200


def test_the_same_service_started_twice_is_told_so_and_not_that_its_port_is_busy(server: Any, landbridge: Any):
    listen = server.credentials["endpoint"].removeprefix("http://")
    refused = landbridge("serve", "--data", str(server.folder), "--listen", listen, "--engine", "simulated")
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (
        1,
        f"landbridge: another landbridge serves {server.folder}",
    )


def test_a_busy_port_is_told(landbridge: Any, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        listen = f"127.0.0.1:{busy.getsockname()[1]}"
        refused = landbridge("serve", "--data", str(tmp_path / "d"), "--listen", listen, "--engine", "simulated")
    assert refused.returncode == 1
    last = refused.stderr.splitlines()[-1]  # before it the service says which site it has
    assert last.startswith(f"landbridge: --listen {listen}: Address already in use")
    assert not (tmp_path / "d").exists()


def test_a_wrong_setting_is_told_before_anything_starts(landbridge: Any, tmp_path: Path):
    refused = landbridge("serve", "--data", str(tmp_path / "d"), LANDBRIDGE_AGENT_TICK_SECONDS="never")
    assert refused.returncode == 1
    assert "LANDBRIDGE_AGENT_TICK_SECONDS: 'never' is not allowed" in refused.stderr
    assert not (tmp_path / "d").exists()


def test_lost_credentials_are_not_announced_and_a_new_key_says_all_that_a_client_needs(
    start_server: Any, landbridge: Any, until: Any
):
    first = start_server("data")
    before = first.credentials
    first.stop()
    (first.folder / "credentials.toml").unlink()
    second = start_server("data")
    until(lambda: "listening on" in second.log, "the start")
    assert "no credentials.toml; a new key: landbridge keys create --project default" in second.log
    assert not (first.folder / "credentials.toml").exists()
    made = tomllib.loads(landbridge("keys", "create", "--data", str(first.folder), "--project", "default").stdout)
    assert set(made) == set(before)
    assert made["project_id"] == before["project_id"]
    url = f"{made['endpoint']}/v5/{made['project_id']}/vpn-gateways"
    assert httpx.get(url, headers={"X-Auth-Token": made["token"]}).json()["vpn_gateways"] == []


def test_a_restart_keeps_credentials_and_resources_and_renews_the_endpoint(start_server: Any, until: Any):
    first = start_server("data")
    before = first.credentials
    body = {"vpn_gateway": {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]}}
    made = _ask(first, "vpn-gateways", method="POST", json=body).json()["vpn_gateway"]

    def status() -> str:
        return _ask(first, f"vpn-gateways/{made['id']}").json()["vpn_gateway"]["status"]

    until(lambda: status() == "ACTIVE", "the gateway")
    assert first.stop() in (0, -signal.SIGTERM)
    second = start_server("data")
    after = second.credentials
    assert {name: after[name] for name in after if name != "endpoint"} == {
        name: before[name] for name in before if name != "endpoint"
    }
    assert httpx.get(after["endpoint"] + "/healthz").status_code == 200
    until(lambda: status() == "ACTIVE", "the gateway again")
    assert (second.folder / "credentials.toml").stat().st_mode & 0o777 == 0o600


def test_an_engine_of_none_serves_without_an_agent(start_server: Any, landbridge: Any):
    server = start_server("data", "--engine", "none")
    answer = _readyz(server, landbridge)
    assert (answer["status"], answer["engine"]) == ("ready", {"name": "none"})
    body = {"vpn_gateway": {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]}}
    made = _ask(server, "vpn-gateways", method="POST", json=body).json()["vpn_gateway"]
    shown = _ask(server, f"vpn-gateways/{made['id']}").json()["vpn_gateway"]
    assert shown["status"] == "PENDING_CREATE"
