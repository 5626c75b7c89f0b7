"""`landbridge install` and `landbridge uninstall`."""

import dataclasses
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from landbridge import config, data_folder, paths
from landbridge.cli import engine
from landbridge.install import files, host


def install(_: config.Settings, arguments: SimpleNamespace) -> None:
    os.umask(0o022)  # a program is everybody's to run
    here = _host(arguments)
    folder = host.data_folder(paths.DATA)
    steps = host.plan_install(here, partial(data_folder.watch_migration, Path(folder)), dry_run=arguments.dry_run)
    _do(steps, arguments)
    if not steps:
        print("everything is in place")
    elif not arguments.dry_run:
        print(f"installed; credentials: {folder}/{paths.CREDENTIALS}, inventory: {files.SITE}")


def uninstall(settings: config.Settings, arguments: SimpleNamespace) -> None:
    here = _host(arguments)
    configured = settings.serve.data
    # This program may have made tunnels for each of these folders: that of the service, that of the settings, and that of the units.
    folders = dict.fromkeys((host.data_folder(configured), configured, paths.DATA)) if here.runs else ()
    _do(host.plan_stop(here), arguments)
    for folder in folders:
        print(f"take down the tunnels of {folder}")
        if not arguments.dry_run:
            serve = dataclasses.replace(settings.serve, data=folder)
            engine.stop_all(dataclasses.replace(settings, serve=serve), lambda *_: True)
    _do(host.plan_uninstall(here, purge=arguments.purge), arguments)


def _host(arguments: SimpleNamespace) -> host.Host:
    return host.Host(Path(arguments.root).absolute(), files.PACKAGE if arguments.package else files.OWN)


def _do(steps: Sequence[host.Step], arguments: SimpleNamespace) -> None:
    for text in (step.text for step in steps) if arguments.dry_run else host.run(steps):
        print(text)
