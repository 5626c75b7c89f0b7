"""Services to test against: one in this process on the simulated engine, and real processes of `landbridge serve`."""

import asyncio
import contextlib
import dataclasses
import functools
import gc
import hashlib
import hmac
import ipaddress
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import cookiejar
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx
import hypothesis
import pytest

from landbridge import bootstrap, config, data_folder, model, paths, site_file
from landbridge.agent import loop
from landbridge.api import app
from landbridge.engine.simulated import Simulated
from landbridge.operations import access, call, clock
from landbridge.server import heartbeat
from landbridge.store import vault
from landbridge.store.sqlite import migrate
from tests import forked

LANDBRIDGE = str(Path(sys.executable).parent / "landbridge")
#: How long anything is waited for. It is no claim: a busy machine is slow, not wrong.
PATIENCE_SECONDS = 90.0
PSK = "Correct-Horse-7"
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"


#: httpx would wait 5 seconds for an answer.
httpx._config.DEFAULT_TIMEOUT_CONFIG.__init__(timeout=PATIENCE_SECONDS)  # type: ignore[misc]

#: Half of what a start of the service costs is its second process. Tests that need several say so.
os.environ["LANDBRIDGE_PROCESSES"] = "1"

hypothesis.settings.register_profile(
    "landbridge", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("landbridge")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tunnel: needs root and makes real tunnels")
    config.addinivalue_line("markers", "long: takes minutes; `make test-kernel-full` runs it")
    config.addinivalue_line("markers", "process: starts a process or listens to a port")
    gc.disable()


def pytest_collection_finish() -> None:
    """Modules and thousands of items stay: the collector of garbage does not look through them again and again."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def until(found: Callable[[], Any], what: str) -> Any:
    """The first true thing that `found` gives; fails after some patience."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.005)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s for {what}")


class Http:
    """Requests to an application in this process, on an event loop of its own."""

    def __init__(self, application: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http")
        self._thread.start()
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        no_cookies = cookiejar.CookieJar(cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://landbridge.test", cookies=no_cookies)

    def request(self, method: str, url: str, **words: Any) -> httpx.Response:
        return self.do(self._client.request(method, url, **words))

    def at_once(self, method: str, url: str, *, contents: list[bytes], headers: dict[str, str]) -> list[httpx.Response]:
        """Requests that differ in their bodies, all at the same time."""

        async def all_of_them() -> list[httpx.Response]:
            asked = (self._client.request(method, url, content=each, headers=headers) for each in contents)
            return await asyncio.gather(*asked)

        return self.do(all_of_them())

    def do(self, coroutine: Any) -> Any:
        """Runs a coroutine on the loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    def close(self) -> None:
        self.do(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A caller in a project. Paths are below the project's; those that start with a slash are whole."""

    http: Any
    project_id: str
    key: access.NewKey
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 60000)))

    def send(
        self, method: str, path: str, body: Any = None, *, content: bytes | None = None, **headers: str
    ) -> httpx.Response:
        url = path if path.startswith("/") else f"/v5/{self.project_id}/{path}"
        sent = {"X-Auth-Token": self.key.token.reveal()} | {n.replace("_", "-"): v for n, v in headers.items()}
        if body is not None:
            content = json.dumps(body).encode()
        return self.http.request(method, url, content=content, headers=sent)

    def get(self, path: str) -> Any:
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, path: str, envelope: str, body: dict[str, Any]) -> Any:
        answer = self.send("POST", path, {envelope: body})
        assert answer.status_code == 201, answer.text
        return answer.json()[envelope]

    def refused(self, path: str, envelope: str, body: dict[str, Any]) -> dict[str, str]:
        """What is said of each field of a request that is refused."""
        answer = self.send("POST", path, {envelope: body})
        assert answer.status_code == 400, answer.text
        return {each["field"]: each["message"] for each in answer.json()["details"]}

    def delete(self, path: str) -> None:
        answer = self.send("DELETE", path)
        assert answer.status_code == 204, answer.text

    def gateway(self, **fields: Any) -> Any:
        """A VPN gateway that is ACTIVE."""
        body = {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]} | fields
        made = self.create("vpn-gateways", "vpn_gateway", {k: v for k, v in body.items() if v is not None})
        return self.gateway_as(made["id"], "ACTIVE")

    def gateway_as(self, gateway_id: str, status: str) -> Any:
        return self.seen(f"vpn-gateways/{gateway_id}", "vpn_gateway", status)

    def customer_gateway(self, **fields: Any) -> Any:
        """A customer gateway, with an address of its own unless one is given."""
        number = next(self.numbers)
        body = {"id_value": f"198.18.{number // 250}.{number % 250 + 1}"} | fields
        return self.create("customer-gateways", "customer_gateway", {k: v for k, v in body.items() if v is not None})

    def connection_body(self, gateway: Any, peer: Any, **fields: Any) -> dict[str, Any]:
        """The body of a sound connection from the gateway's first endpoint."""
        endpoint = gateway["eip1"]["id"] if "eip1" in gateway else gateway["access_private_ip_1"]
        body = {
            "vgw_id": gateway["id"],
            "vgw_ip": endpoint,
            "cgw_id": peer["id"],
            "peer_subnets": ["192.168.44.0/24"],
            "psk": PSK,
        } | fields
        return {name: value for name, value in body.items() if value is not None}

    def connection(self, gateway: Any, peer: Any = None, **fields: Any) -> Any:
        """A connection as its create answered."""
        body = self.connection_body(gateway, peer or self.customer_gateway(), **fields)
        return self.create("vpn-connection", "vpn_connection", body)

    def connection_as(self, connection_id: str, status: str) -> Any:
        return self.seen(f"vpn-connection/{connection_id}", "vpn_connection", status)

    def seen(self, path: str, envelope: str, status: str) -> Any:
        """The resource once it has this status."""

        def look() -> Any:
            found = self.get(path)[envelope]
            return found if found["status"] == status else None

        return until(look, f"{path} to be {status}")

    def gone(self, path: str) -> None:
        until(lambda: self.send("GET", path).status_code == 404, f"{path} to be gone")

    def simulate(self, connection_id: str, state: str | None) -> httpx.Response:
        path = f"/landbridge/v1/{self.project_id}/simulate/vpn-connections/{connection_id}"
        return self.send("POST", path, {"simulate": {"state": state}})

    def diagnosis(self, connection_id: str) -> Any:
        return self.get(f"/landbridge/v1/{self.project_id}/vpn-connections/{connection_id}/diagnosis")["diagnosis"]


@functools.cache
def migrated() -> bytes:
    """A database file without rows. Tests copy it: to run all migrations takes 0.1 s of a processor."""
    with tempfile.TemporaryDirectory(prefix="lb-test-") as folder:
        path = Path(folder) / paths.DATABASE
        migrate.upgrade(path)
        return path.read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A whole service in this process."""

    data: data_folder.Data
    application: Any
    http: Http
    agent: loop.Agent
    engine: Simulated

    def new_key(self, project_id: str | None = None, role: call.Role = "admin") -> access.NewKey:
        return self.data.database.write(
            lambda tx: access.create_key(tx, self.data.vault, project_id, role, clock.now())
        )

    def new_project(self) -> str:
        """A project that nothing else knows."""
        name = f"project-{time.monotonic_ns()}"
        return self.data.database.write(lambda tx: access.create_project(tx, name, clock.now()))

    def api(self, project_id: str | None = None, role: call.Role = "admin") -> Api:
        """A caller in the project, or in a new one; an operator in none."""
        project = project_id or self.new_project()
        return Api(http=self.http, project_id=project, key=self.new_key(None if role == "operator" else project, role))


@contextlib.contextmanager
def service_in(
    folder: Path,
    site: model.Site | None = None,
    quotas: config.Quotas | None = None,
    http: config.Http | None = None,
    tick: float = 30.0,
    metrics: config.Metrics | None = None,
    **limits: int,
) -> Iterator[Service]:
    settings = config.load({"data": str(folder), "engine": "simulated"}, {})
    used_site = site or site_file.default()
    if not folder.exists():
        vault.read_key(data_folder.ensure(settings) / paths.MASTER_KEY)
        (folder / paths.DATABASE).write_bytes(migrated())
    with data_folder.open_data(settings) as data:
        engine = Simulated()
        heart = heartbeat.Heartbeat()
        source = bootstrap.make_source(data, used_site, heart)
        agent = loop.Agent(source, engine, loop.Timing(tick=tick, first_back_off=0.1, pause_check=0.1))
        data.database.on_nudge = agent.nudge
        bounds = {"limits": config.Limits(**limits), "quotas": quotas or config.Quotas(), "http": http or config.Http()}
        bounds |= {"metrics": metrics or config.Metrics()}
        settings = dataclasses.replace(settings, **bounds)
        dependencies = bootstrap.make_dependencies(settings, used_site, data, engine.describe(), heart)
        application = app.build(dependencies)
        client = Http(bootstrap.make_application(settings, dependencies))
        agent.start()
        try:
            yield Service(data=data, application=application, http=client, agent=agent, engine=engine)
        finally:
            client.close()
            agent.stop()


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests that need no more of it than a project of their own. It has EIPs for 2,000 gateways more than the
    default site: gateways of tests stay. A look at all of them takes seconds, so the agent looks more seldom, but before they count as unseen (120 s).
    """
    hosts = ipaddress.ip_network("198.19.0.0/20").hosts()
    more = tuple(model.Eip(id=str(uuid.uuid5(uuid.NAMESPACE_OID, str(host))), address=str(host)) for host in hosts)
    default = site_file.default()
    site = dataclasses.replace(default, eips=default.eips + more)
    with service_in(tmp_path_factory.mktemp("shared"), site, tick=90.0) as running:
        yield running


@pytest.fixture
def api(shared_service: Service) -> Api:
    """An admin in a project of its own, on a service that others use too."""
    return shared_service.api()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that nobody else uses."""
    with service_in(tmp_path / "data") as running:
        yield running


@pytest.fixture
def open_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Services with a site or limits of their own: `open_service(site=…, connections_per_gateway=…)`."""
    with contextlib.ExitStack() as stack:

        def opened(**words: Any) -> Service:
            return stack.enter_context(service_in(tmp_path / f"data-{time.monotonic_ns()}", **words))

        yield opened


@pytest.fixture(name="until", scope="session")
def _until() -> Callable[[Callable[[], Any], str], Any]:
    return until


# -- signatures -------------------------------------------------------------------------------------------------------

GO_HEADERS = ("accept", "content-type", "user-agent", "x-sdk-date")


def signed(
    key: access.NewKey,
    method: str,
    url: str,
    content: bytes = b"",
    *,
    names: tuple[str, ...] = ("host", "x-sdk-date"),
    at: datetime | None = None,
    **headers: str,
) -> dict[str, str]:
    """Headers of a signed request, written from the documentation of SDK-HMAC-SHA256 and not from our code."""
    parts = urlsplit(url)
    sent = {"host": "landbridge.test", "x-sdk-date": f"{at or datetime.now(UTC):%Y%m%dT%H%M%SZ}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    path = "/".join(quote(unquote(segment), safe="~") for segment in parts.path.split("/"))
    query = sorted(
        f"{quote(n, safe='~')}={quote(v, safe='~')}" for n, v in parse_qsl(parts.query, keep_blank_values=True)
    )
    canonical = "\n".join(
        [
            method,
            path if path.endswith("/") else path + "/",
            "&".join(query),
            *(f"{name}:{sent[name].strip()}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(content).hexdigest(),
        ]
    )
    text = f"SDK-HMAC-SHA256\n{sent['x-sdk-date']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key.secret_key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()
    sent["authorization"] = (
        f"SDK-HMAC-SHA256 Access={key.access_key}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return sent


@pytest.fixture(name="signed", scope="session")
def _signed() -> Callable[..., dict[str, str]]:
    return signed


# -- processes --------------------------------------------------------------------------------------------------------


class Server:
    """A process of `landbridge serve` on the simulated engine and a free port."""

    def __init__(self, folder: Path, *flags: str, listen: str = "127.0.0.1:0") -> None:
        self.folder = folder
        self.log_path = folder.with_name(folder.name + ".log")
        self.log_path.write_text("")
        command = ["serve", "--data", str(folder), "--listen", listen, "--engine", "simulated", *flags]
        self._process = forked.start(command, self.log_path, self.log_path)

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    @property
    def endpoint(self) -> str:
        return (self.folder / "endpoint").read_text().strip()

    @property
    def credentials(self) -> dict[str, str]:
        return tomllib.loads((self.folder / "credentials.toml").read_text())

    def ready(self) -> Self:
        """Waits until it serves; fails with its log if it ends instead."""
        until(self._is_ready, "the server to be ready")
        return self

    def _is_ready(self) -> bool:
        assert self._process.is_alive(), self.log
        if "listening on" not in self.log:
            return False
        try:
            return httpx.get(self.endpoint + "/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Ends it as an operator would, and gives its exit status."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        return forked.wait(self._process, PATIENCE_SECONDS)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers on data folders below tmp_path: `start_server("name", *flags)`."""
    started: list[Server] = []

    def start(name: str = "data", *flags: str, **words: str) -> Server:
        started.append(Server(tmp_path / name, *flags, **words))
        return started[-1].ready()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server process for all tests that only talk to it.

    Its endpoints are not the default ones: hundreds of gateways would also take the addresses that tests give to devices.
    """
    folder = tmp_path_factory.mktemp("server")
    site = folder / "site.toml"
    endpoints = ipaddress.ip_network("198.19.16.0/22").hosts()
    site.write_text("".join(f'[[eip]]\nid = "{uuid.uuid4()}"\naddress = "{address}"\n' for address in endpoints))
    running = Server(folder / "data", "--site", str(site), "--processes", "2")
    try:
        yield running.ready()
    finally:
        running.stop()


@pytest.fixture
def landbridge(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs the command to its end. `environment` is the whole one; without it the command has that of the tests."""

    def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        folder = tmp_path_factory.mktemp("printed")
        out, err = folder / "out", folder / "err"
        process = forked.start([*arguments], out, err, environment or os.environ)
        status = forked.wait(process, PATIENCE_SECONDS)
        return subprocess.CompletedProcess(["landbridge", *arguments], status, out.read_text(), err.read_text())

    return run
