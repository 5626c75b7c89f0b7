"""A data folder with one of everything in it, made through the API but without a server: for tests of what is done to a folder."""

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import httpx

from landbridge import bootstrap, config, data_folder, model, paths, site_file
from landbridge.api import app
from landbridge.data_folder import credentials
from landbridge.operations import clock
from landbridge.server import heartbeat
from landbridge.store import observations

PSK = "Correct-Horse-7"
ADDRESS = "http://landbridge.test"


class Folder:
    """An open data folder whose gateways are ready without an engine."""

    def __init__(
        self, data: data_folder.Data, settings: config.Settings, *, site: model.Site | None = None, engine: str = "none"
    ) -> None:
        """`site` is the default one unless it is given. `engine` is the name of the engine that the API takes for its own."""
        self.data = data
        used, info = site or site_file.default(), {"name": engine}
        dependencies = bootstrap.make_dependencies(settings, used, data, info, heartbeat.Heartbeat())
        self._application = app.build(dependencies)
        credentials.write(data, ADDRESS)

    @property
    def credentials(self) -> dict[str, str]:
        return tomllib.loads((self.data.path / paths.CREDENTIALS).read_text())

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """`path` is below the project's. A path that begins with a slash is whole, and may contain `{project}`."""
        return asyncio.run(self._ask(method, path, body, {n.replace("_", "-"): v for n, v in headers.items()}))

    async def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        words = self.credentials
        whole = path if path.startswith("/") else f"/v5/{{project}}/{path}"
        url = ADDRESS + whole.replace("{project}", words["project_id"])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._application)) as client:
            sent = {"X-Auth-Token": words["token"]} | headers
            return await client.request(method, url, json=body, headers=sent)

    def create(self, path: str, envelope: str, **fields: Any) -> Any:
        """With an idempotency token of its path: made once, however often it is asked for."""
        answer = self.ask("POST", path, {envelope: fields}, Idempotency_Key=path)
        answer.raise_for_status()
        return answer.json()[envelope]

    def gateway(self) -> Any:
        made = self.create(
            "vpn-gateways", "vpn_gateway", vpc_id="0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", local_subnets=["10.0.0.0/24"]
        )
        seen = model.Observation(
            gateway_id=made["id"],
            seen_at=clock.now(),
            exists=True,
            applied_generation=1,
            failure=None,
            present=frozenset(),
            connections=(),
        )
        self.data.database.write(lambda tx: observations.record(tx, seen))
        return self.ask("GET", f"vpn-gateways/{made['id']}").json()["vpn_gateway"]

    def connection(self, gateway: Any) -> Any:
        peer = self.create("customer-gateways", "customer_gateway", id_value="198.51.100.7")
        return self.create(
            "vpn-connection",
            "vpn_connection",
            vgw_id=gateway["id"],
            vgw_ip=gateway["eip1"]["id"],
            cgw_id=peer["id"],
            peer_subnets=["192.168.44.0/24"],
            psk=PSK,
        )


def settings(path: Path) -> config.Settings:
    return config.load({"data": str(path), "engine": "none"}, {})


def fill(path: Path) -> str:
    """Makes the folder with a gateway and a connection; gives the connection's id."""
    with data_folder.open_data(settings(path)) as data:
        folder = Folder(data, settings(path))
        return str(folder.connection(folder.gateway())["id"])
