"""`landbridge engine stop`: takes down the tunnels of this machine."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

from landbridge import config, data_folder, errors, site_file
from landbridge.cli import counts
from landbridge.engine import local


def stop(settings: config.Settings, arguments: SimpleNamespace) -> None:
    def confirm(gateways: Sequence[str], left: Sequence[str]) -> bool:
        if not (gateways or left or Path(settings.serve.data).is_dir()):
            raise errors.ConfigError(
                f"{settings.serve.data}: no such data folder (--data names it), and this machine has nothing of its gateways"
            )
        return arguments.yes or _confirm(gateways, left)

    print(f"took down {counts.count(stop_all(settings, confirm), 'gateway')}")


def _confirm(gateways: Sequence[str], left: Sequence[str]) -> bool:
    """Asks at a terminal. A script without --yes may take down gateways, but nothing whose folder is gone."""
    for stopped in (
        *(f"gateway {gateway_id}" for gateway_id in gateways),
        *(f"{stopped}, its folder is gone" for stopped in left),
    ):
        print(stopped)
    if sys.stdin.isatty():
        return not (gateways or left) or input("Take them down? Their tunnels end. [y/N] ").strip().lower() in (
            "y",
            "yes",
        )
    if left:
        raise errors.ConfigError(
            "nothing was taken down: some gateways have no folder any more (--yes takes them down too)"
        )
    return True


def stop_all(settings: config.Settings, confirm: Callable[[Sequence[str], Sequence[str]], bool]) -> int:
    """Takes down all that the engine made for this data folder, also when the folder is gone. Returns how much that was.

    `confirm` is called before, with the ids of gateways and what is left of gateways whose folders are gone. Raises ConfigError.
    """
    path = Path(settings.serve.data).absolute()
    with data_folder.sole_service(path) if path.is_dir() else contextlib.nullcontext():
        return local.stop(settings, site_file.find(settings), confirm)
