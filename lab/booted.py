"""A command on a copy of this machine whose first process is systemd: in namespaces, with this machine's kernel and at its speed.

    python -m lab.booted -- COMMAND…

The command runs as root, in the same folder of the same file system. What it writes lies in memory and is gone afterwards. Its network, processes, mounts and
cgroups are its own. A virtual machine (`lab.vm`) has a kernel with ESP and cgroups of version 2 besides, and takes ten times as long.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab import guest

SIZE = "3G"
BOOT_SECONDS = 120
#: Units that would change what this machine shares with the copy: settings of the kernel, modules, devices.
MASKED = (
    *("systemd-sysctl.service", "systemd-modules-load.service", "systemd-udevd.service", "systemd-remount-fs.service"),
    *("systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "systemd-tmpfiles-setup-dev.service"),
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "net/tun")
SPACES = ("--mount", "--pid", "--ipc", "--uts", "--cgroup", "--net")
_BOOT = """\
set -eu
mount -t tmpfs -o size={size} memory {folder}
cd {folder}
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work overlay root
cd root
mount -t tmpfs -o mode=755 run run
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 dev dev
for device in {devices}; do mkdir -p $(dirname dev/$device); touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs shm dev/shm
{cgroups}
cp -a {units}/. run/
mkdir old
pivot_root . old
umount -l old
ip link set lo up
exec env -i container=landbridge PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no
"""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One hierarchy of cgroups: where this machine has it, and the type and the options that mount it."""

    place: Path
    kind: str
    options: str


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.booted", description="Runs a command on a copy with systemd.")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args(arguments)
    try:
        with _machine() as pid:
            return subprocess.run([*_inside(pid), *asked.command], check=False).returncode
    except (RuntimeError, OSError) as problem:
        print(f"booted: {problem}", file=sys.stderr)
        return 125
    except KeyboardInterrupt:
        return 130


@contextmanager
def _machine() -> Iterator[int]:
    """The process id of the systemd of a copy that has started. It dies with us, also when we are killed."""
    with tempfile.TemporaryDirectory(prefix="booted-") as folder, _cgroups(Path(folder).name) as hierarchies:
        units = Path(folder, "units")
        guest.add_units(units / "systemd")
        for name in MASKED:
            (units / "systemd/system" / name).symlink_to("/dev/null")
        script = _BOOT.format(
            size=SIZE,
            folder=f"{folder}/memory",
            devices=" ".join(DEVICES),
            cgroups="\n".join(_mounts(hierarchies)),
            units=units,
        )
        Path(folder, "memory").mkdir()
        enter = "".join(f"echo $$ >{one.place}/{Path(folder).name}/cgroup.procs\n" for one in hierarchies)
        spaces = shlex.join([*SPACES, "--propagation", "private", "--fork", "--kill-child"])
        command = ["setpriv", "--pdeathsig", "KILL", "sh", "-euc", f'{enter}exec unshare {spaces} sh -c "$0"', script]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
            try:
                yield _wait(process)
            finally:
                process.kill()


@contextmanager
def _cgroups(name: str) -> Iterator[list[Hierarchy]]:
    """Makes a cgroup in each hierarchy, and removes it with all below."""
    hierarchies = list(_hierarchies())
    for one in hierarchies:
        (one.place / name).mkdir()
    try:
        yield hierarchies
    finally:
        for one in hierarchies:
            for path in sorted((one.place / name).rglob("*/"), reverse=True):
                _remove(path)
            _remove(one.place / name)


def _remove(cgroup: Path) -> None:
    """The kernel lets go of a killed process a moment later."""
    end = time.monotonic() + 10
    while cgroup.is_dir() and time.monotonic() < end:
        with suppress(OSError):
            cgroup.rmdir()
            return
        time.sleep(0.1)


def _hierarchies() -> Iterator[Hierarchy]:
    """Those of this machine, but for the one of cpusets, whose cgroups take no process before they have processors."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split()
        place = Path(before.split()[4])
        if kind == "cgroup2":
            yield Hierarchy(place, kind, "")
        elif kind == "cgroup" and place.name != "cpuset":
            name = options.rpartition(",")[2]
            yield Hierarchy(place, kind, f"none,{name}" if name.startswith("name=") else place.name)


def _mounts(hierarchies: Sequence[Hierarchy]) -> Iterator[str]:
    if all(one.kind == "cgroup" or one.place != Path("/sys/fs/cgroup") for one in hierarchies):
        yield "mount -t tmpfs -o mode=755 cgroup sys/fs/cgroup"
    for one in hierarchies:
        yield f"mkdir -p .{one.place}"
        yield shlex.join(
            ["mount", "-t", one.kind, *(["-o", one.options] if one.options else []), "cgroup", f".{one.place}"]
        )


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """The process id of the systemd. Raises RuntimeError when it does not start."""
    end = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            asking = [*_inside(int(child)), "systemctl", "is-active", "basic.target"]
            done = subprocess.run(asking, capture_output=True, text=True, check=False)
            if done.stdout.strip() == "active":
                return int(child)
        time.sleep(0.2)
    raise RuntimeError(f"systemd did not start within {BOOT_SECONDS} s")


def _inside(pid: int) -> list[str]:
    environment = {"HOME": str(Path.home()), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb"}
    words = [f"{name}={value}" for name, value in environment.items()]
    there = ["sh", "-c", 'cd "$0" && exec "$@"', str(Path.cwd())]
    return ["nsenter", f"--target={pid}", *SPACES, "env", "-i", *words, *there]


if __name__ == "__main__":
    sys.exit(main())
