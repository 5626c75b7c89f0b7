"""BIRD 2 as a gateway's daemon: how it is started, and with which privileges.

This module may not know what a connection is. `daemon` has the life cycle.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from landbridge import paths
from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.bgp import client, configuration

#: What a child sees of the data folder is its gateway's folder alone, as in its unit. `mount` would turn `.` into a path, which leads elsewhere
#: by then. What the host unmounts is unmounted here too (slave): a mount that stays would keep another gateway's namespace.
_HIDING = """\
cd "$1"
mount -t tmpfs -o mode=755 none "$2"
mkdir -p "$1"
mount --no-canonicalize --bind . "$1"
mount -o remount,ro "$2"
cd /
shift 2
exec "$@"
"""
#: BIRD runs as root with two capabilities: routes and the binding to interfaces, and port 179.
_WRAPPER = (
    *("unshare", "--mount", "--propagation=slave", "sh", "-ec", _HIDING, "sh", "{folder}", "{data}"),
    *("env", "TZ=UTC", "setpriv", "--no-new-privs", "--bounding-set=-all,+net_admin,+net_bind_service"),
)
BIRD = daemon.Daemon(
    name="BIRD",
    program=Path(paths.BIRD),
    socket_file="bird.ctl",
    configuration_file=paths.BIRD_CONFIGURATION,
    output_file=paths.BIRD_OUTPUT,
    log_file="bird.log",
    arguments=("-f", "-c", "{configuration}", "-s", "{socket}"),
    wrapper=_WRAPPER,
    unit=paths.BIRD_UNIT,
    options_file=paths.BIRD_OPTIONS,
)
#: After a death: the kernel keeps BIRD's routes until the sessions are back (graceful restart, RFC 4724).
_AFTER_A_DEATH = ("-R",)
#: Bytes at the end of the log that are read.
_TAIL = 1 << 16


def start(folder: Path, namespace: str, text: str, launch: daemon.Launch, *, died: bool) -> None:
    """Returns when its socket answers. With `died`, a BIRD that does not answer is ended first. Raises OSError."""
    if died:
        BIRD.end_lost(namespace, kill=True)  # on SIGTERM it removes its routes
    options = _AFTER_A_DEATH if died else ()
    BIRD.start(folder, namespace, lambda _: _placed(text, folder), launch, options)


def configure(folder: Path, text: str) -> None:
    """Gives a running BIRD another configuration. Sessions that it does not change stay as they are. Raises OSError when BIRD does not take
    the text; the old one runs on.
    """
    write(folder, text)
    tell(folder, "configure")


def tell(folder: Path, command: str) -> None:
    """Sends a command. Raises OSError when BIRD refuses it or does not answer."""
    with client.Client(BIRD.connect(folder), reads_only=False) as connected:
        connected.ask(command)


def write(folder: Path, text: str) -> None:
    """Replaces the file, which BIRD reads when it starts and when it is told to."""
    path = folder / BIRD.configuration_file
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(_placed(text, folder))
    fresh.rename(path)


def stop(folder: Path, namespace: str) -> None:
    """SIGTERM: BIRD notifies its neighbours and removes its routes from the kernel. The configuration file is deleted: it stays only where a
    BIRD has died.
    """
    try:
        BIRD.stop(folder)
    except OSError:  # it takes no connection, so that its socket does not tell which process it is
        BIRD.end_lost(namespace)
    (folder / BIRD.configuration_file).unlink(missing_ok=True)


def was_started(folder: Path) -> bool:
    return (folder / BIRD.configuration_file).exists()


def is_installed() -> bool:
    return BIRD.program.exists()


def log(folder: Path) -> Iterator[str]:
    """The last lines of its log."""
    with contextlib.suppress(FileNotFoundError), (folder / BIRD.log_file).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        yield from file.read().decode(errors="replace").splitlines()


def _placed(text: str, folder: Path) -> str:
    return text.replace(configuration.FOLDER, str(folder))
