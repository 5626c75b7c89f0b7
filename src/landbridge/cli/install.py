"""`landbridge install` and `landbridge uninstall`."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from landbridge import config, paths
from landbridge.cli import engine
from landbridge.install import files, host


def add(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds both commands."""
    text = "install this program as a service of this host, or upgrade it; tunnels stay up"
    install = add_parser("install", help=text, description=text)
    install.set_defaults(command=_install)
    text = "take the tunnels down and remove the program; the data stays"
    uninstall = add_parser("uninstall", help=text, description=text)
    uninstall.add_argument("--purge", action="store_true", help="remove data and configuration too")
    uninstall.add_argument("--data", metavar="DIR", help="data folder (default /var/lib/landbridge)")
    uninstall.add_argument("--config", metavar="FILE", help="configuration file (TOML)")
    uninstall.set_defaults(command=_uninstall)
    for verb in (install, uninstall):
        verb.add_argument("--root", metavar="DIR", default="/", help="the root of a host that does not run (an image)")
        verb.add_argument("--dry-run", action="store_true", help="tell what would be done")


def _install(_: config.Settings, arguments: argparse.Namespace) -> None:
    os.umask(0o022)  # a program is everybody's to run
    here = _host(arguments)
    steps = host.plan_install(here, dry_run=arguments.dry_run)
    _do(steps, arguments)
    if not steps:
        print("everything is in place")
    elif not arguments.dry_run:
        print(f"installed; credentials: {paths.DATA}/{paths.CREDENTIALS}, inventory: {files.SITE}")


def _uninstall(settings: config.Settings, arguments: argparse.Namespace) -> None:
    here = _host(arguments)
    _do(host.plan_stop(here), arguments)
    if here.runs:
        print("take down the tunnels")
        if not arguments.dry_run:
            engine.stop_all(settings, lambda *_: True)
    _do(host.plan_uninstall(here, purge=arguments.purge), arguments)


def _host(arguments: argparse.Namespace) -> host.Host:
    return host.Host(Path(arguments.root).absolute())


def _do(steps: Sequence[host.Step], arguments: argparse.Namespace) -> None:
    for text in (step.text for step in steps) if arguments.dry_run else host.run(steps):
        print(text)
