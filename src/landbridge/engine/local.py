"""Makes the engine that the settings name, and lists what this machine has and lacks for it.

An engine is imported when it is made, because a machine may lack the libraries of the other engines.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from landbridge import config, errors, model, paths
from landbridge.engine import base

log = logging.getLogger(__name__)
#: The values of the setting `engine` that make tunnels.
STRONGSWAN = ("auto", "strongswan")


def make(settings: config.Settings, site: model.Site) -> base.Engine[Any, Any, Any] | None:
    """The engine that the settings ask for; None for `none`. Raises ConfigError with what the machine lacks."""
    from landbridge.engine.simulated import Simulated  # noqa: PLC0415

    if settings.serve.engine == "none":
        return None
    if settings.serve.engine == "simulated":
        return Simulated()
    check_units(settings)
    from landbridge.engine.strongswan import daemon  # noqa: PLC0415
    from landbridge.engine.strongswan.engine import StrongSwan  # noqa: PLC0415

    launch = daemon.Launch(as_units=True, sockets=Path(paths.RUN)) if settings.engine.systemd else daemon.AS_CHILDREN
    try:
        return StrongSwan(
            Path(settings.serve.data).absolute(),
            site,
            launch=launch,
            automatic_probes=settings.engine.automatic_probes,
            prove_pfs=settings.engine.prove_pfs,
            learned_prefixes=settings.limits.learned_prefixes,
            echo_timings=_echo_timings(settings.echo),
            path_checks=timedelta(seconds=settings.engine.path_check_seconds)
            if settings.engine.path_check_seconds
            else None,
        )
    except base.EngineUnavailable as error:
        raise errors.ConfigError(
            f"this machine cannot carry tunnels: {error}. To use the API without tunnels: --engine simulated"
        ) from None


def check_units(settings: config.Settings) -> None:
    """Raises ConfigError where the daemons run in units, which find the files of a gateway in one data folder, and the settings name another one."""
    named = settings.serve.data
    if settings.engine.systemd and os.path.realpath(named) != os.path.realpath(paths.DATA):
        raise errors.ConfigError(
            f"[serve] data: {named} is not allowed with [engine] systemd = true ({paths.DATA}, the folder of the units: mount another disk there,"
            " or make it a link)"
        )


def _echo_timings(chosen: config.Echo) -> Mapping[Any, Any]:
    from landbridge.engine.strongswan.echo import window  # noqa: PLC0415

    intervals = {"nqa": chosen.nqa_interval_seconds, "monitor": chosen.monitor_interval_seconds}
    return {
        kind: window.Timing(interval=interval, losses=chosen.losses, stable=chosen.stable_seconds)
        for kind, interval in intervals.items()
    }


def describe(engine: base.Engine[Any, Any, Any] | None) -> dict[str, str]:
    """The engine's description, which goes to the log too; `name` is `none` without an engine."""
    info = engine.describe() if engine is not None else {"name": "none"}
    for name, value in info.items():
        log.log(logging.WARNING if value.startswith("no:") else logging.INFO, "engine: %s %s", name, value)
    return info


def missing(settings: config.Settings, site: model.Site) -> list[str]:
    """A line for each thing that the site file names and this machine does not have; nothing where the engine makes no tunnels."""
    if not settings.serve.site or settings.serve.engine not in STRONGSWAN:
        return []
    from landbridge.engine.strongswan.network import underlay  # noqa: PLC0415

    try:
        return underlay.missing(site)
    except OSError as error:
        return [f"this machine cannot be looked at: {error.strerror or error}"]


def requirements(settings: config.Settings, site: model.Site) -> list[base.Requirement]:
    """Returns what an engine that makes tunnels needs of this machine and its site, and how to get what is missing. It changes nothing."""
    from landbridge.engine.strongswan import requirements  # noqa: PLC0415

    result = list(requirements.check(Path(settings.serve.data).absolute(), site))
    lacks = [base.Requirement(name="site file", state="missing", found=line) for line in missing(settings, site)]
    return result + lacks


def addresses(settings: config.Settings, site: model.Site) -> tuple[frozenset[str], frozenset[str]]:
    """This machine's own addresses, and those of the routers that it uses; none where the engine makes no tunnels."""
    if settings.serve.engine not in STRONGSWAN:
        return frozenset(), frozenset()
    from landbridge.engine.strongswan.network import underlay  # noqa: PLC0415

    return underlay.addresses(site)


def stop(settings: config.Settings, site: model.Site, confirm: Callable[[Sequence[str], Sequence[str]], bool]) -> int:
    """Takes down all that the engine made for the data folder of the settings. Returns how much that was.

    `confirm` is called before, with the ids of gateways and what is left of gateways whose folders are gone. Raises ConfigError.
    """
    from landbridge.engine.strongswan.engine import StrongSwan  # noqa: PLC0415

    try:
        engine = StrongSwan(Path(settings.serve.data).absolute(), site, stopping=True)
        gateways, left = sorted(engine.gateways()), [str(orphan) for orphan in engine.orphans()]
        if not confirm(gateways, left):
            return 0
        engine.stop_all()
    except (base.EngineUnavailable, base.StepFailed) as error:
        raise errors.ConfigError(str(error)) from None
    return len(gateways) + len(left)
