"""One charon-systemd: its configuration, its process and its VICI socket.

It may not know what a connection is. Invariants: charon outlives us and is found again by its socket alone; no process is
signalled unless the kernel says that it listens on that socket; a socket that somebody listens on is never taken away.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import vici

BINARY = Path("/usr/sbin/charon-systemd")
#: `sun_path` of <linux/un.h>, its closing zero included.
SOCKET_PATH_LIMIT = 108
#: Seconds. charon answers in milliseconds; with a thousand tunnels coming up at once it was seen to take one.
ANSWER = 10.0
START = 10.0
STOP = 3.0
#: Bytes.
LOG_LIMIT = 8 * 1024 * 1024
#: What `connect` raises when nobody listens. Nothing else means that: a charon that hangs has a full backlog, which is EAGAIN.
GONE = (FileNotFoundError, ConnectionRefusedError)

#: Each line was needed once; see the reasons beside them.
_CONFIGURATION = """\
charon-systemd {{
  # Without a list every installed plugin loads, those that install routes and resolvers of their own included.
  load_modular = no
  load = random nonce openssl kdf pem pubkey x509 pkcs1 kernel-libipsec kernel-netlink socket-default vici counters
  # 16 starve when many tunnels come up at once.
  threads = 32
  # A whole office behind one NAT, or all peers after a restart, look like an attack. Cookies stay: they only delay.
  block_threshold = 0
  ikesa_table_size = 256
  ikesa_table_segments = 8
  make_before_break = yes
  # Without it a responder refuses IKEv1 aggressive mode with a PSK, which the API offers.
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  # All selectors are specific here, and they must win against the routes of the legs.
  routing_table = 220
  routing_table_prio = 220
  plugins {{
    vici {{
      socket = unix://{folder}/charon.vici
    }}
  }}
  filelog {{
    file {{
      path = {folder}/charon.log
      append = yes
      flush_line = yes
      time_format = %Y-%m-%dT%H:%M:%S
      default = 1
    }}
  }}
  journal {{
    default = -1
  }}
}}
"""


def socket_path(folder: Path) -> Path:
    return folder / "charon.vici"


def connect(folder: Path) -> socket.socket:
    """Raises one of GONE when nobody listens, and another OSError when that cannot be told."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(ANSWER)
        connection.connect(str(socket_path(folder)))
    except OSError:
        connection.close()
        raise
    return connection


def is_alive(folder: Path) -> bool:
    """Raises OSError when it cannot be told."""
    try:
        connect(folder).close()
    except GONE:
        return False
    return True


def session(connection: socket.socket) -> Any:
    return vici.Session(connection)


def start(folder: Path, namespace: str) -> None:
    """Returns when VICI answers. Raises OSError with charon's last words, or because one is there: two would share the
    addresses, and the first could no longer be reached.
    """
    if is_alive(folder):
        raise OSError("a charon runs already")
    configuration = folder / "strongswan.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder))
    socket_path(folder).unlink(missing_ok=True)
    command = ["nsenter", f"--net=/run/netns/{namespace}", "setsid", "--fork", str(BINARY)]
    environment = {
        "STRONGSWAN_CONF": str(configuration),
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
    }
    with (folder / "charon.out").open("wb") as out:
        subprocess.run(  # noqa: S603
            command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True
        )
    deadline = time.monotonic() + START
    while not is_alive(folder):
        if time.monotonic() > deadline:
            raise OSError(f"charon did not start: {_last_words(folder)}")
        time.sleep(0.005)


def _last_words(folder: Path) -> str:
    for name in ("charon.out", "charon.log"):
        with contextlib.suppress(OSError):
            lines = (folder / name).read_text(errors="replace").split("\n")
            words = [line for line in lines if line.strip()]
            if words:
                return words[-1].strip()
    return "it said nothing"


def shorten_log(folder: Path) -> None:
    """Keeps the last full log as charon.log.1. charon appends, so what it writes next stands at the beginning."""
    log = folder / "charon.log"
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            shutil.copyfile(log, folder / "charon.log.1")
            os.truncate(log, 0)


def stop(folder: Path) -> None:
    """Returns when the process is gone. SIGTERM lets it tell its peers. Raises OSError when it cannot be found out who it is."""
    try:
        process = _process(folder)
    except GONE:
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], STOP)[0]:
                break
        else:
            raise OSError("charon does not stop")
    finally:
        os.close(process)
    socket_path(folder).unlink(missing_ok=True)


def _process(folder: Path) -> int:
    """A pidfd of whoever listens on the socket: a pid alone may be another process's by the time it is used."""
    with connect(folder) as connection:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return os.pidfd_open(struct.unpack("3i", credentials)[0])
