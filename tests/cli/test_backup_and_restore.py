"""Backup, restore and a new master key as an operator does them: beside a server, and by the how-to page."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import LANDBRIDGE

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "backup-and-restore.md"
PSK = "Correct-Horse-7"


class Caller:
    """Somebody with a token, whatever server is there now."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self._token = server.credentials["token"]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        words = self.server.credentials
        url = f"{words['endpoint']}/v5/{words['project_id']}/{path}"
        return httpx.request(method, url, headers={"X-Auth-Token": self._token} | headers, json=body, timeout=90)

    def peer(self, number: int) -> str:
        body = {"customer_gateway": {"id_value": f"198.18.{number // 250}.{number % 250 + 1}"}}
        answer = self.ask("POST", "customer-gateways", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["customer_gateway"]["id"])

    def peers(self) -> set[str]:
        return {each["id"] for each in self.ask("GET", "customer-gateways").json()["customer_gateways"]}

    def connection(self, until: Any) -> str:
        wish = {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]}
        made = self.ask("POST", "vpn-gateways", {"vpn_gateway": wish}).json()["vpn_gateway"]["id"]

        def gateway() -> Any:
            found = self.ask("GET", f"vpn-gateways/{made}").json()["vpn_gateway"]
            return found if found["status"] == "ACTIVE" else None

        endpoint = until(gateway, "the gateway")["eip1"]["id"]
        body = {"vgw_id": made, "vgw_ip": endpoint, "cgw_id": self.peer(7000), "psk": PSK}
        body["peer_subnets"] = ["192.168.44.0/24"]
        answer = self.ask("POST", "vpn-connection", {"vpn_connection": body})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["vpn_connection"]["id"])

    def status(self, connection_id: str) -> str:
        return str(self.ask("GET", f"vpn-connection/{connection_id}").json()["vpn_connection"]["status"])


def _done(run: Any, *words: str) -> str:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def _run_anew(*words: str) -> "subprocess.CompletedProcess[str]":
    """In a process that is not forked, whose start gives the load time."""
    return subprocess.run([LANDBRIDGE, *words], capture_output=True, text=True, check=False)


def test_a_service_is_saved_under_load_and_restored(start_server: Any, landbridge: Any, until: Any, tmp_path: Path):
    caller = Caller(start_server("data"))
    connection = caller.connection(until)
    before = caller.peers()
    stop = threading.Event()
    made: list[str] = []

    def create() -> None:
        while not stop.is_set():
            made.append(caller.peer(len(made)))

    thread = threading.Thread(target=create)
    thread.start()
    try:
        until(lambda: len(made) > 5, "some load")
        acknowledged = set(made)
        told = _done(_run_anew, "backup", str(tmp_path / "b"), "--data", str(caller.server.folder))
        while_saving = len(made) - len(acknowledged)
    finally:
        stop.set()
        thread.join()
    assert while_saving > 0
    assert "keep" in told
    refused = landbridge("restore", str(tmp_path / "b"), "--force", "--data", str(caller.server.folder))
    assert "is in use: stop the service first" in refused.stderr
    refused = landbridge("keys", "rotate-master", "--data", str(caller.server.folder))
    assert "is in use: stop the service first" in refused.stderr
    later = caller.peer(6000)
    caller.server.stop()
    _done(landbridge, "restore", str(tmp_path / "b"), "--force", "--data", str(caller.server.folder))
    assert _done(landbridge, "db", "check", "--data", str(caller.server.folder)).startswith("ok, 1 gateway, 1 conn")
    caller.server = start_server("data")
    assert caller.peers() >= before | acknowledged  # whatever was acknowledged when it began is in it
    assert later not in caller.peers()
    until(lambda: caller.status(connection) == "ACTIVE", "the connection to be adopted")


def test_a_new_master_key_is_noticed_by_nobody(start_server: Any, landbridge: Any, until: Any):
    caller = Caller(start_server("data"))
    connection = caller.connection(until)
    body = {"customer_gateway": {"id_value": "198.51.100.9"}}
    first = caller.ask("POST", "customer-gateways", body, **{"Idempotency-Key": "again"}).json()["customer_gateway"]
    caller.server.stop()
    _done(landbridge, "keys", "rotate-master", "--data", str(caller.server.folder))
    caller.server = start_server("data")
    assert (
        caller.ask("POST", "customer-gateways", body, **{"Idempotency-Key": "again"}).json()["customer_gateway"]
        == first
    )
    until(lambda: caller.status(connection) == "ACTIVE", "the PSK to reach the engine again")
    assert _done(landbridge, "db", "check", "--data", str(caller.server.folder)).startswith("ok")


# -- the page ---------------------------------------------------------------------------------------------------------


def _commands() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def test_every_command_of_the_page_works(start_server: Any, until: Any, tmp_path: Path):
    caller = Caller(start_server("data"))
    connection = caller.connection(until)
    places = {"/var/lib/landbridge": "data", "/var/backups/landbridge": "backups", "/media/safe": "safe"}
    for name in ("backups", "safe"):
        (tmp_path / name).mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def service(verb: str) -> None:
        if verb == "stop":
            caller.server.stop()
        else:
            caller.server = start_server("data")
            until(lambda: caller.status(connection) == "ACTIVE", "the connection to be adopted")

    def run(command: str) -> None:
        for place, name in places.items():
            command = command.replace(place, str(tmp_path / name))
        environment = {"PATH": path, "LANDBRIDGE_DATA": str(tmp_path / "data")}
        subprocess.run(["bash", "-ec", command], env=environment, check=True, timeout=90, capture_output=True)

    for command in _commands():
        asked = re.fullmatch(r"systemctl (stop|start) landbridge", command)
        if asked is not None:
            service(asked[1])
        else:
            run(command)
    assert len(list((tmp_path / "backups").iterdir())) == 2
    assert len(list((tmp_path / "data").glob("master.key.*"))) == 1
    assert len(list((tmp_path / "data").glob("landbridge.db.before-*"))) == 1


def test_the_page_has_commands_for_all_that_it_is_about():
    text = "\n".join(_commands())
    for verb in ("landbridge backup", "landbridge restore", "landbridge keys rotate-master", "landbridge db check"):
        assert verb in text
