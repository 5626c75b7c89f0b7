"""Puts the parts together: the only module that sees both the store and the engine.

`open_data` is what every command on a data folder starts with; `serve` is the whole service, with `serve_worker` in its other processes.
"""

import contextlib
import ctypes
import dataclasses
import fcntl
import gc
import logging
import os
import resource
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from landbridge import config, data_folder, errors, model, site_cover, site_file
from landbridge.agent import loop
from landbridge.api import app, key_queues
from landbridge.engine import base
from landbridge.operations import access, call, clock
from landbridge.server import heartbeat, listener, workers
from landbridge.server import serve as http_server
from landbridge.store import check, connections, gateways, keys, observations, pauses, retention, vault
from landbridge.store.database import Database, Transaction

log = logging.getLogger(__name__)

DATABASE = data_folder.DATABASE
CREDENTIALS = "credentials.toml"
#: Where the service of this folder was last: for commands that print it, also without credentials.
ENDPOINT = "endpoint"
#: For who has lost the credentials.
NEW_KEY = "landbridge keys create --project default"
FINGERPRINT_KEY = vault.FINGERPRINT_KEY
#: Lines that a start says of a site file that does not fit.
SAID = 100
#: A look that is this many ticks late means that the agent stands still.
LATE_TICKS = 3
#: Processes that answer the API, at most, where nobody says how many. They write in turns, and each takes some 85 MB.
PROCESSES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """An open data folder."""

    path: Path
    database: Database
    vault: vault.Vault
    fingerprint_key: bytes = dataclasses.field(repr=False)


@contextlib.contextmanager
def open_data(settings: config.Settings, *, make: bool = True) -> Iterator[Data]:
    """Makes the folder if need be, migrates the database, reads the master key. Raises ConfigError."""
    path = data_folder.make(settings) if make else data_folder.find(settings)
    _check_complete(path)
    key = data_folder.key_path(settings)
    data_folder.settle(path, key)
    with data_folder.held(path):
        safe = data_folder.open_vault(key, path / DATABASE)
        database = Database(path / DATABASE)
        try:
            fingerprint_key = _read_fingerprint_key(database, safe, path)
            yield Data(path=path, database=database, vault=safe, fingerprint_key=fingerprint_key)
        finally:
            database.close()


def check_data(settings: config.Settings) -> tuple[list[str], dict[str, int]]:
    """What is wrong in the data folder, and how many rows there are of what. Changes nothing. Raises ConfigError."""
    path = data_folder.find(settings)
    with data_folder.held(path):
        safe = data_folder.open_vault(data_folder.key_path(settings), path / DATABASE)
        return check.database(path / DATABASE, safe, (FINGERPRINT_KEY,))


def _check_complete(path: Path) -> None:
    """With an empty database in place of a lost one the agent would take every tunnel for an orphan."""
    left = [name for name in (CREDENTIALS, "engine") if (path / name).exists()]
    if left and not (path / DATABASE).exists():
        raise errors.ConfigError(
            f"{path / DATABASE}: is missing, and {' and '.join(left)} beside it are of an earlier start"
            " (put it back; or `landbridge engine stop`, which asks at a terminal, and begin anew with an empty folder)"
        )


def _read_fingerprint_key(database: Database, safe: vault.Vault, path: Path) -> bytes:
    try:
        return database.write(lambda tx: _fingerprint_key(tx, safe))
    except errors.Busy as error:
        raise errors.ConfigError(f"{path}: {error}") from None


def _fingerprint_key(tx: Transaction, safe: vault.Vault) -> bytes:
    """Made at the first start; not rotated with the master key, since names in running engines were made with it."""
    sealed = keys.setting(tx, FINGERPRINT_KEY)
    if sealed is None:
        sealed = safe.seal(os.urandom(32), FINGERPRINT_KEY)
        keys.add_setting(tx, FINGERPRINT_KEY, sealed)
    return safe.open(sealed, FINGERPRINT_KEY)


def load_site(settings: config.Settings) -> model.Site:
    return site_file.load(Path(settings.serve.site)) if settings.serve.site else site_file.default()


def make_engine(settings: config.Settings, site: model.Site) -> base.Engine[Any, Any] | None:
    """The engine that the settings ask for; None for `none`. Raises ConfigError with what is missing: never pretends."""
    from landbridge.engine.simulated import Simulated  # noqa: PLC0415 - only the agent's machine needs an engine

    wanted = settings.serve.engine
    if wanted == "none":
        return None
    if wanted == "simulated":
        return Simulated()
    from landbridge.engine.strongswan import charon  # noqa: PLC0415
    from landbridge.engine.strongswan.engine import StrongSwan  # noqa: PLC0415

    sockets = Path(settings.engine.sockets).absolute() if settings.engine.sockets else None
    launch = charon.Launch(settings.engine.charon_unit, sockets)
    try:
        return StrongSwan(Path(settings.serve.data).absolute(), site, launch=launch)
    except base.EngineUnavailable as error:
        raise errors.ConfigError(
            f"this machine cannot carry tunnels: {error}. To use the API without tunnels: --engine simulated"
        ) from None


def machine_lacks(settings: config.Settings, site: model.Site) -> list[str]:
    """What of a site file this machine does not have, a line each; nothing where its engine makes no tunnels."""
    if not settings.serve.site or settings.serve.engine not in ("auto", "strongswan"):
        return []
    from landbridge.engine.strongswan import underlay  # noqa: PLC0415 - a machine with another engine need not have any of it

    try:
        return underlay.missing(site)
    except OSError as error:
        return [f"this machine cannot be looked at: {error.strerror or error}"]


def unknown_projects(settings: config.Settings, site: model.Site) -> list[str]:
    """A line for each project that the site file names and the data folder, where there is one, does not have. Changes nothing."""
    path = Path(settings.serve.data) / DATABASE
    return site_cover.unknown_projects(site, check.projects(path)) if path.exists() else []


def _look_around(
    settings: config.Settings, site: model.Site, data: Data, engine: base.Engine[Any, Any] | None
) -> model.Site:
    """The site with what the machine and the store add to it. Says what does not fit; none of that stops a start."""
    own, routers = frozenset[str](), frozenset[str]()
    said = machine_lacks(settings, site)
    if engine is not None and engine.name == "strongswan":
        from landbridge.engine.strongswan import underlay  # noqa: PLC0415

        own, routers = underlay.addresses(site)
    devices = data.database.read(lambda tx: site_cover.devices(tx, site))
    said += [*site_cover.occupied(site, own, "this machine"), *site_cover.occupied(site, routers, "a router")]
    said += site_cover.occupied(site, devices, "a customer gateway")
    said += data.database.read(lambda tx: list(site_cover.warnings(tx, site)))
    for line in said[:SAID]:
        log.warning("site: %s", line)
    if len(said) > SAID:
        log.warning("site: and %d lines more of that kind", len(said) - SAID)
    return dataclasses.replace(site, machine_addresses=own, unavailable_addresses=routers | devices)


class StoreSource:
    """Binds the agent to the store of the same process. Writes of a look only what changed since the look before."""

    def __init__(self, data: Data, site: model.Site, heart: heartbeat.Heartbeat) -> None:
        self._data = data
        self._site = site
        self.beat = heart.beat
        self._reported: dict[str, dict[str, model.ConnectionObservation]] = {}

    def gateways(self) -> frozenset[str]:
        return frozenset(self._data.database.read(gateways.ids))

    def desired(self, gateway_id: str) -> model.DesiredGateway | None:
        return self._data.database.read(lambda tx: self._desired(tx, gateway_id))

    def paused(self) -> frozenset[str | None]:
        return frozenset(self._data.database.read(pauses.list_all))

    def report(self, seen: model.Observation) -> None:
        before = self._reported.pop(seen.gateway_id, {})
        changed = tuple(one for one in seen.connections if before.get(one.connection_id) != one)
        news = dataclasses.replace(seen, connections=changed)
        self._data.database.write(lambda tx: observations.record(tx, news))
        self._reported[seen.gateway_id] = {one.connection_id: one for one in seen.connections}

    def _desired(self, tx: Transaction, gateway_id: str) -> model.DesiredGateway | None:
        row = gateways.find_any(tx, gateway_id)
        if row is None or row.deleting:
            return None
        network_id = row.gateway.network_id or ""
        eips = tuple(eip for eip in map(self._site.eip_at, (e.address for e in row.gateway.endpoints)) if eip)
        behind = {eip.address: eip.behind for eip in eips}
        addresses: dict[int, str] = {endpoint.number: endpoint.address for endpoint in row.gateway.endpoints}
        return model.DesiredGateway(
            gateway=row.gateway,
            generation=row.generation,
            network=self._site.network(network_id) or model.Network(id=network_id),
            connections=tuple(self._wanted(one, addresses, behind) for one in connections.desired(tx, row.seq)),
            fingerprint_key=self._data.fingerprint_key,
            eips=eips,
            restarts=row.restarts,
            uncovered=site_cover.uncovered(tx, row.gateway, self._site),
        )

    def _wanted(
        self, one: connections.DesiredRow, addresses: dict[int, str], behind: dict[str, str | None]
    ) -> model.DesiredConnection:
        sealed = one.psk
        psk = None if sealed is None else self._data.vault.open(sealed, one.connection.id).decode()
        return model.DesiredConnection(
            connection=one.connection,
            generation=one.generation,
            psk=None if psk is None else model.Secret(psk),
            local_address=addresses[one.connection.endpoint],
            peer_address=one.customer_gateway.address,
            peer_asn=one.customer_gateway.bgp_asn,
            if_id=one.if_id,
            simulate=one.simulate,
            behind=behind.get(addresses[one.connection.endpoint]),
            resets=one.resets,
        )


def serve(settings: config.Settings) -> None:
    """The whole service, until SIGINT or SIGTERM. Tunnels stay up when it ends. Raises ConfigError."""
    # Of this process and of all that it starts, charons included: a core file would hold keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    site = load_site(settings)
    certificate = listener.certificate(settings.serve)
    count = settings.serve.processes or min(len(os.sched_getaffinity(0)), PROCESSES)
    _check_nobody_serves(Path(settings.serve.data).absolute())
    with (
        listener.open_socket(settings.serve, shared=count > 1) as listening,
        _alone(data_folder.make(settings)),
        open_data(settings) as data,
    ):
        engine = make_engine(settings, site)
        site = _look_around(settings, site, data, engine)
        heart = heartbeat.Heartbeat()
        agent = None
        if engine is not None:
            agent = loop.Agent(StoreSource(data, site, heart), engine, loop.Timing(tick=settings.agent.tick_seconds))
            data.database.on_nudge = agent.nudge
            agent.start()
        keeping = retention.Retention(data.database, _kept(settings.limits))
        keeping.start()
        words = _describe(engine)
        if not settings.serve.site:
            log.info("no site file: the default site is for one project (every key may take any network and EIP of it)")
        others = workers.Workers("landbridge.cli.worker", data.database.on_nudge)
        try:
            with http_server.Signals() as signals:
                _announce(listening, certificate, data)
                parameters = (settings, site, words, listening.family, listening.getsockname()[:2], heart.file)
                for _ in range(count - 1):
                    others.start(parameters, (heart.file,))
                parts = make_parts(settings, site, data, words, heart)
                _run_server(signals, listening, certificate, parts, settings.http, others.request_stop)
        finally:
            others.stop()
            keeping.stop()
            if agent is not None:
                agent.stop()


def serve_worker(file: int) -> None:
    """Answers the API in a worker process until the first process ends. `file` holds its parameters. Raises ConfigError."""
    settings, site, words, family, address, heart = workers.read_parameters(file)
    certificate = listener.certificate(settings.serve)
    with open_data(settings, make=False) as data, listener.open_another(family, address) as listening:
        if words["name"] != "none":
            data.database.on_nudge = workers.send_nudge
        with http_server.Signals() as signals:
            parts = make_parts(settings, site, data, words, heartbeat.Heartbeat(heart))
            _run_server(signals, listening, certificate, parts, settings.http)


def _kept(limits: config.Limits) -> retention.Limits:
    age = timedelta(days=min(limits.audit_days, 100_000)) if limits.audit_days else None  # a date must be left
    return retention.Limits(age=age, events=limits.audit_events or None)


def _describe(engine: base.Engine[Any, Any] | None) -> dict[str, str]:
    words = engine.describe() if engine is not None else {"name": "none"}
    for name, value in words.items():
        log.log(logging.WARNING if value.startswith("no:") else logging.INFO, "engine: %s %s", name, value)
    return words


def make_parts(
    settings: config.Settings, site: model.Site, data: Data, words: dict[str, str], heart: heartbeat.Heartbeat
) -> app.Parts:
    """What the HTTP edge is made of. `words` describe the engine."""
    service = call.Service(
        database=data.database,
        engine=words["name"],
        plane="userland" if words.get("data_plane") == "userland" else "kernel",
        site=site,
        vault=data.vault,
        unseen_after=timedelta(seconds=settings.agent.unseen_after_seconds),
        connection_limit=settings.limits.connections_per_gateway or None,
        quotas=settings.quotas,
    )
    return app.Parts(
        service=service,
        gate=access.Gate(data.database.read, data.vault),
        readiness=lambda: _readiness(settings, data, words, heart),
        queues=key_queues.KeyQueues(settings.http.waiting_per_key),
    )


def _announce(listening: socket.socket, certificate: listener.Certificate | None, data: Data) -> None:
    host, port = listening.getsockname()[:2]
    endpoint = _endpoint(host, port, certificate)
    write_credentials(data, endpoint)
    (data.path / ENDPOINT).write_text(f"{endpoint}\n")
    there = (data.path / CREDENTIALS).exists()
    keys_are = f"first credentials in {data.path / CREDENTIALS}" if there else f"no {CREDENTIALS}; a new key: {NEW_KEY}"
    log.info("listening on %s (pages at /docs), %s", endpoint, keys_are)
    _tell_systemd("READY=1")


def _run_server(
    signals: http_server.Signals,
    listening: socket.socket,
    certificate: listener.Certificate | None,
    parts: app.Parts,
    bounds: config.Http,
    leaving: Callable[[], None] = lambda: None,
) -> None:
    """Until a signal comes; then `leaving` is called."""
    gc.collect()
    gc.freeze()  # what is here now stays: looking through it again and again cost a twentieth of every request
    gc.set_threshold(20000, 20, 50)
    _give_back_large_blocks()
    sys.setswitchinterval(0.001)  # a long read in another thread lets this one answer others
    context = None if certificate is None else certificate.context
    http_server.run(signals, app.build(parts), listening, bounds, context, leaving)


def _give_back_large_blocks() -> None:
    """glibc would keep blocks of 256 KiB, as each TLS connection has one, after the first of them was freed (mallopt(3))."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(-3, 128 * 1024)  # M_MMAP_THRESHOLD


def known_endpoint(settings: config.Settings) -> str | None:
    """Where the API is: as its last start wrote it, or as the settings say. None where only a start can tell."""
    with contextlib.suppress(OSError):
        return (Path(settings.serve.data) / ENDPOINT).read_text().strip()
    host, _, port = settings.serve.listen.rpartition(":")
    with contextlib.suppress(errors.ConfigError):
        return _endpoint(host.strip("[]"), int(port), listener.certificate(settings.serve)) if int(port) else None
    return None


def _endpoint(host: str, port: int, certificate: listener.Certificate | None) -> str:
    host = host if certificate is None else certificate.host(host)
    scheme = "http" if certificate is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _tell_systemd(word: str) -> None:
    """sd_notify(3). Without systemd there is nobody to tell."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(word.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def _readiness(
    settings: config.Settings, data: Data, engine: dict[str, str], heart: heartbeat.Heartbeat
) -> tuple[bool, dict[str, Any], dict[str, Any]]:
    """Whether all is well, what anybody may know of it, and what an operator learns besides."""
    paused = data.database.read(pauses.list_all)
    moving = engine["name"] == "none" or heart.age < LATE_TICKS * settings.agent.tick_seconds
    words: dict[str, Any] = {"status": "ready" if moving else "the agent stands still", "database": "ok"}
    details: dict[str, Any] = {"engine": engine}
    if paused:
        words["paused"] = "all gateways" if None in paused else len(paused)
        details["paused"] = {one or "all gateways": f"since {at:%Y-%m-%dT%H:%M:%SZ}" for one, at in paused.items()}
    faults = data.database.read(gateways.in_fault)
    if faults:
        words["faults"] = faults
    return moving, words, details


def check_listener(settings: config.Settings) -> None:
    """What `serve` would refuse of address and certificate. Raises ConfigError."""
    listener.resolve(settings.serve)
    listener.certificate(settings.serve)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One service a data folder: two agents would undo each other's work."""
    with (path / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.ConfigError(f"another landbridge serves {path}") from None
        yield


def _check_nobody_serves(path: Path) -> None:
    """Before the port is looked at: who starts the same service twice learns that, and not that the port is busy."""
    if (path / "lock").exists():
        with (
            contextlib.suppress(OSError),
            _alone(path),
        ):  # a lock that cannot be opened is told by what opens the folder
            pass


def write_credentials(data: Data, endpoint: str) -> None:
    """The first start's project and admin key, for their owner only; later starts keep them and renew the endpoint."""
    path = data.path / CREDENTIALS
    try:
        if not data.database.read(access.list_projects):
            data.database.write(lambda tx: _first_key(tx, data, endpoint))
        elif path.exists():
            _write_private(path, tomllib.loads(path.read_text()) | {"endpoint": endpoint})
    except OSError as error:
        raise errors.ConfigError(f"{path}: {error.strerror}") from None
    except errors.Busy as error:
        raise errors.ConfigError(f"{data.path}: {error}") from None


def _first_key(tx: Transaction, data: Data, endpoint: str) -> None:
    """The file is there before the key is: a key that nobody ever saw would lock its owner out."""
    now = clock.now()
    made = access.create_key(tx, data.vault, access.create_project(tx, "default", now), "admin", now)
    words = {
        "endpoint": endpoint,
        "project_id": str(made.project_id),
        "access_key": made.access_key,
        "secret_key": made.secret_key.reveal(),
        "token": made.token.reveal(),
    }
    _write_private(data.path / CREDENTIALS, words)


def _write_private(path: Path, words: dict[str, str]) -> None:
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f'{name} = "{value}"\n' for name, value in words.items())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    vault.sync_folder(path.parent)


def stop_engine(settings: config.Settings, agree: Callable[[Sequence[str], Sequence[str]], bool]) -> int:
    """Takes down all that the engine made for this data folder, also when the folder is gone; gives how much that was.

    `agree` is asked before: it is given the ids of gateways, and what is left of gateways whose folders are gone. Raises ConfigError.
    """
    from landbridge.engine.strongswan.engine import StrongSwan  # noqa: PLC0415

    path = Path(settings.serve.data).absolute()
    with _alone(path) if path.is_dir() else contextlib.nullcontext():
        try:
            engine = StrongSwan(path, load_site(settings), stopping=True)
            gateways_there, left = sorted(engine.gateways()), [str(one) for one in engine.strays()]
            if not agree(gateways_there, left):
                return 0
            engine.stop_all()
        except (base.EngineUnavailable, base.StepFailed) as error:
            raise errors.ConfigError(str(error)) from None
    return len(gateways_there) + len(left)
