"""Puts the parts of the service together, and nothing else: the only module that sees both the store and the agent."""

import contextlib
import logging
import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp

from landbridge import config, data_folder, model, site_file
from landbridge.agent import loop
from landbridge.api import app
from landbridge.console import app as console
from landbridge.console import page_context
from landbridge.data_folder import credentials
from landbridge.engine import local
from landbridge.operations import access, call, key_queues, nodes, readiness, site_cover
from landbridge.server import heartbeat, listener, systemd, workers
from landbridge.server import serve as http_server
from landbridge.store import retention
from landbridge.telemetry import shared_metrics

log = logging.getLogger(__name__)

#: Processes that answer the API where the settings name no number. They write in turns, and each takes some 85 MB.
MAX_PROCESSES = 4
#: Seconds that systemd waits for a start that migrates the database. If systemd ended this start, the next one would begin the migration anew.
MIGRATION_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class WorkerParameters:
    """What `serve` passes to each worker. `engine` describes the engine; `family` and `address` are those of the listening socket;
    `heartbeat` and `counts` are the descriptors of the agent's heartbeat and of what the processes count, which the worker inherits.
    `number`: the worker's place among the processes, from 1 on.
    """

    settings: config.Settings
    site: model.Site
    engine: dict[str, str]
    family: socket.AddressFamily
    address: tuple[str, int]
    heartbeat: int
    counts: int
    number: int


def serve(settings: config.Settings, worker: str) -> None:
    """Runs the whole service until SIGINT or SIGTERM. Tunnels stay up when it ends.

    `worker` is the Python module that a worker process runs; that module calls `serve_worker`. Raises ConfigError.
    """
    # For this process and all that it starts, charons included: a core file would hold keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    site = site_file.find(settings)
    certificate = listener.certificate(settings.serve)
    count = settings.serve.processes or min(len(os.sched_getaffinity(0)), MAX_PROCESSES)
    data_folder.check_no_service(Path(settings.serve.data).absolute())
    with (
        listener.open_socket(settings.serve, shared=count > 1) as listening,
        data_folder.sole_service(data_folder.ensure(settings)),
        data_folder.open_data(settings, before_migration=_announce_migration) as data,
        contextlib.ExitStack() as stack,
    ):
        engine = local.make(settings, site)
        site = _fit(settings, site, data)
        heart = heartbeat.Heartbeat()
        if engine is not None:
            source = make_source(data, site, heart, settings.agent)
            stack.callback(source.close)
            agent = loop.Agent(source, engine, loop.Timing(tick=settings.agent.tick_seconds))
            data.database.on_nudge = agent.nudge
            agent.start()
            stack.callback(agent.stop)
        pruning = retention.Retention(data.database, _retention(settings.limits))
        pruning.start()
        stack.callback(pruning.stop)
        info = local.describe(engine)
        others = workers.Workers(worker, data.database.on_nudge)
        stack.callback(others.stop)
        signals = stack.enter_context(http_server.Signals())
        address = listening.getsockname()[:2]
        endpoint = listener.endpoint(address, certificate)
        credentials.write(data, endpoint)
        log.info(
            "listening on %s (console at /console, pages of the API at /docs), %s", endpoint, credentials.describe(data)
        )
        systemd.notify("READY=1")
        shared = shared_metrics.REGISTRY.share(count)
        for number in range(1, count):
            parameters = WorkerParameters(settings, site, info, listening.family, address, heart.file, shared, number)
            others.start(parameters, (heart.file, shared))
        application = make_application(settings, make_dependencies(settings, site, data, info, heart))
        http_server.run(signals, application, listening, settings.http, certificate, others.request_stop)


def _announce_migration() -> None:
    log.info("the database of an older version is migrated; with a million connections this takes minutes")
    systemd.notify(f"EXTEND_TIMEOUT_USEC={MIGRATION_SECONDS * 1_000_000}")


def serve_worker(file: int, configure_log: Callable[[config.Log], None]) -> None:
    """Answers the API in a worker process until the first process ends. `file` holds its parameters. Raises ConfigError."""
    given: WorkerParameters = workers.read_parameters(file)
    configure_log(given.settings.log)
    settings, certificate = given.settings, listener.certificate(given.settings.serve)
    shared_metrics.REGISTRY.join(given.counts, given.number)
    with (
        data_folder.open_data(settings, make=False) as data,
        listener.open_another(given.family, given.address) as listening,
        http_server.Signals() as signals,
    ):
        if given.engine["name"] != "none":
            data.database.on_nudge = workers.send_nudge
        heart = heartbeat.Heartbeat(given.heartbeat)
        application = make_application(settings, make_dependencies(settings, given.site, data, given.engine, heart))
        http_server.run(signals, application, listening, settings.http, certificate)


def make_source(
    data: data_folder.Data, site: model.Site, heart: heartbeat.Heartbeat, agent: config.Agent | None = None
) -> nodes.StoreSource:
    """Returns what binds an agent to the store of its own process."""
    desired = partial(nodes.desired, site=site, vault=data.vault, fingerprint_key=data.fingerprint_key)
    unseen_after = (agent or config.Agent()).unseen_after
    return nodes.StoreSource(data.database, desired, site, heart.beat, unseen_after)


def make_dependencies(
    settings: config.Settings,
    site: model.Site,
    data: data_folder.Data,
    engine: dict[str, str],
    heart: heartbeat.Heartbeat,
) -> app.Dependencies:
    """Returns what the HTTP edge is made of. `engine` describes the engine."""
    tick = settings.agent.tick_seconds
    service = call.Service(
        database=data.database,
        engine=engine["name"],
        plane="userland" if engine.get("data_plane") == "userland" else "kernel",
        bgp=not engine.get("bgp", "").startswith("no:"),
        site=site,
        vault=data.vault,
        unseen_after=settings.agent.unseen_after,
        connection_limit=settings.limits.connections_per_gateway or None,
        quotas=settings.quotas,
    )
    return app.Dependencies(
        service=service,
        credentials=access.Credentials(data.database.read, data.vault),
        readiness=lambda: data.database.read(lambda tx: readiness.check(tx, engine, agent_age=heart.age, tick=tick)),
        queues=key_queues.KeyQueues(settings.http.waiting_per_key),
        agent_age=None if engine["name"] == "none" else lambda: heart.age,
        series_limit=settings.metrics.connections,
    )


def make_application(settings: config.Settings, dependencies: app.Dependencies) -> ASGIApp:
    """Returns what the HTTP server serves: the API and the console. They share the queues of access keys."""
    pages = page_context.Dependencies(
        service=dependencies.service,
        credentials=dependencies.credentials,
        queues=dependencies.queues,
        limits=settings.console,
    )
    return console.dispatch(console.build(pages), app.build(dependencies))


def _fit(settings: config.Settings, site: model.Site, data: data_folder.Data) -> model.Site:
    """The site with what the machine and the store add to it. Logs what does not fit; none of that prevents a start."""
    lacks = local.missing(settings, site)
    own, routers = local.addresses(settings, site)
    fitted, warnings = data.database.read(lambda tx: site_cover.fit(tx, site, own, routers))
    site_cover.log_warnings([*lacks, *warnings])
    if not settings.serve.site:
        log.info("no site file: the default site is for one project (every key may take any network and EIP of it)")
    return fitted


def _retention(limits: config.Limits) -> retention.Limits:
    age = timedelta(days=min(limits.audit_days, 100_000)) if limits.audit_days else None  # a date must be left
    return retention.Limits(age=age, events=limits.audit_events or None)
