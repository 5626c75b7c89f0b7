"""charon-systemd as a gateway's daemon: its configuration, and what the configuration tells of the charon that runs.

This module may not know what a connection is. `daemon` has the life cycle.
"""

import contextlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from landbridge import model, paths
from landbridge.engine.strongswan import daemon

BINARY = Path(paths.CHARON)
CHARON = daemon.Daemon(
    name="charon",
    program=BINARY,
    socket_file="charon.vici",
    configuration_file=paths.CHARON_CONFIGURATION,
    environment="STRONGSWAN_CONF",
    output_file=paths.CHARON_OUTPUT,
    log_file="charon.log",
    unit=paths.CHARON_UNIT,
)
#: Bytes.
LOG_LIMIT = 8 * 1024 * 1024
#: IKE_SAs of all peers that are begun and not authenticated, and messages that wait for a thread.
HALF_OPEN_LIMIT = 5000
#: Seconds. A request is sent again after the first time, then after half as much again each time, at most after the longest. 20 times:
#: 186 s, a little more than the API's longest timers of a dead peer ask for (docs/decisions/0042).
FIRST_RETRANSMIT = 2.0
LONGEST_RETRANSMIT = 10
RETRANSMITS = 20

#: Seconds without an answer to any question after which a charon is ended and another one is started. With a thousand tunnels coming up at
#: once it was seen to take one second.
SILENCE_LIMIT = 15.0

#: What the first line of the configuration says after the restarts.
_DIED = ", the one before died"
#: The plugin that does ESP in charon itself.
_USERLAND = "kernel-libipsec"
#: Each line was needed once; see the reasons beside them.
_CONFIGURATION = """\
# restarts = {restarts}{died}
charon-systemd {{
  # Without a list every installed plugin loads, those that install routes and resolvers of their own included.
  load_modular = no
  load = random nonce openssl kdf pem pubkey x509 pkcs1 {kernel} kernel-netlink socket-default vici counters
  # 16 starve when many tunnels come up at once.
  threads = 32
  # A whole office behind one NAT, or all peers after a restart, look like an attack. Cookies stay: they only delay. 0 is no
  # limit by the manual, and 4 half-open SAs of an address in truth: charon lifts it above cookie_threshold_ip.
  block_threshold = 65535
  # Of all peers together, behind the cookies of IKEv2 and the firewall's limits for IKEv1: what is begun and not authenticated,
  # and messages that wait for a thread.
  init_limit_half_open = {begun}
  init_limit_job_load = {begun}
  ikesa_table_size = 256
  ikesa_table_segments = 8
  make_before_break = yes
  # A lost packet costs seconds, and a path that is back carries within the longest wait. charon's own waits grow to 42 s and beyond.
  retransmit_timeout = {first_retransmit}
  retransmit_base = 1.5
  retransmit_limit = {longest_retransmit}
  retransmit_tries = {retransmits}
  # Without it a responder refuses IKEv1 aggressive mode with a PSK, which the API offers.
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  # kernel-libipsec installs routes whatever is said here; where ESP is in the kernel they are ours.
  install_routes = no
  # All selectors are specific there, and their routes must win against those of the links.
  routing_table = 220
  routing_table_prio = 220
  plugins {{
    vici {{
      socket = unix://{socket}
    }}
  }}
  filelog {{
    file {{
      path = {folder}/charon.log
      append = yes
      flush_line = yes
      time_format = %Y-%m-%dT%H:%M:%S
      # The service reads the file: what a line is about, and when it was written.
      time_add_ms = yes
      ike_name = yes
      default = 1
    }}
  }}
  journal {{
    default = -1
  }}
}}
"""


def start(
    folder: Path,
    namespace: str,
    plane: model.Plane,
    launch: daemon.Launch = daemon.AS_CHILDREN,
    restarts: int = 0,
    *,
    died: bool = False,
) -> None:
    """Returns when VICI answers. `restarts`: how many were asked for by then, and `died`: the one before ended by itself or did not answer,
    for `started`. With `died`, a charon that does not answer is killed first. Raises OSError.
    """
    if died:
        kill(folder)
    kernel = _USERLAND if plane == "userland" else ""

    def configuration(socket: Path) -> str:
        return _CONFIGURATION.format(
            begun=HALF_OPEN_LIMIT,
            first_retransmit=FIRST_RETRANSMIT,
            longest_retransmit=LONGEST_RETRANSMIT,
            retransmits=RETRANSMITS,
            folder=folder,
            kernel=kernel,
            socket=socket,
            restarts=restarts,
            died=_DIED if died else "",
        )

    CHARON.start(folder, namespace, configuration, launch)


def stop(folder: Path, *, answers: bool = True) -> None:
    """Returns when the process is gone. One that does not answer is killed. Raises OSError."""
    if answers:
        CHARON.stop(folder)
    else:
        kill(folder)


def kill(folder: Path) -> None:
    """Kills each charon of this folder, also when nobody can reach it. Raises OSError for one that does not stop."""
    CHARON.end((pid for pid, its in running().items() if its == folder), kill=True)


def running() -> dict[int, Path]:
    """Every charon of this machine that was started by `start`: pid -> folder of its gateway."""
    environment = {}
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        if CHARON.is_run_by(pid) and (folder := _started_from(pid)) is not None:
            environment[pid] = folder
    return environment


def _started_from(pid: int) -> Path | None:
    variable = os.fsencode(f"{CHARON.environment}=")
    with contextlib.suppress(OSError):
        for assignment in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if assignment.startswith(variable):
                return Path(os.fsdecode(assignment.removeprefix(variable))).parent
    return None


def plane(folder: Path) -> model.Plane | None:
    """The data plane of the charon that runs, by the configuration that it was started with. None without the configuration."""
    try:
        plugins = re.search(r"^ *load = (.*)$", (folder / CHARON.configuration_file).read_text(), re.MULTILINE)
    except FileNotFoundError:
        return None
    return "userland" if plugins and _USERLAND in plugins[1].split() else "kernel"


def names_ike_sas(folder: Path) -> bool:
    """Whether the lines of the log file name their IKE_SAs: not when an earlier version of Landbridge started the charon."""
    try:
        return "ike_name = yes" in (folder / CHARON.configuration_file).read_text()
    except FileNotFoundError:
        return False


class Start(NamedTuple):
    """The start of a charon. `restarts`: the number of restarts that had been requested by then. `died`: the charon before ended by itself
    or did not answer.
    """

    restarts: int = 0
    at: datetime | None = None
    died: bool = False


def started(folder: Path) -> Start:
    """The last start."""
    configuration = folder / CHARON.configuration_file
    try:
        match = re.match(rf"# restarts = (\d+)({_DIED})?$", configuration.read_text(), re.MULTILINE)
        at = datetime.fromtimestamp(configuration.stat().st_mtime, UTC)
    except FileNotFoundError:
        return Start()
    return Start(int(match[1]), at, bool(match[2])) if match else Start(at=at)
