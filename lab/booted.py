"""A command on a copy of this machine whose first process is systemd: in namespaces, with this machine's kernel and at its speed.

    python -m lab.booted -- COMMAND…

The command runs as root, in the same folder of the same file system. What it writes lies in memory and is gone afterwards. Its network, processes, mounts and
cgroups are its own. Limits of memory and tasks do not hold where the controllers of this machine are in hierarchies of version 1. A virtual machine
(`lab.vm`) has a kernel with ESP besides, and takes ten times as long as the copy.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
mount -t cgroup2 cgroup sys/fs/cgroup
cp -a {units}/. run/
mkdir old
pivot_root . old
umount -l old
ip link set lo up
exec env -i container=landbridge PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no
"""


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
    """The process id of the systemd of a copy that has started. The copy ends with this process, also when this process is killed."""
    with tempfile.TemporaryDirectory(prefix="booted-") as folder, _cgroup(Path(folder).name) as cgroup:
        units = Path(folder, "units")
        guest.add_units(units / "systemd")
        for name in MASKED:
            (units / "systemd/system" / name).symlink_to("/dev/null")
        script = _BOOT.format(
            size=SIZE,
            folder=f"{folder}/memory",
            devices=" ".join(DEVICES),
            units=units,
        )
        Path(folder, "memory").mkdir()
        spaces = " ".join(SPACES)
        start = f'echo $$ >{cgroup}/cgroup.procs; exec unshare {spaces} --propagation private --fork --kill-child sh -c "$0"'
        command = ["setpriv", "--pdeathsig", "KILL", "sh", "-euc", start, script]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
            try:
                yield _wait(process)
            finally:
                process.kill()


@contextmanager
def _cgroup(name: str) -> Iterator[Path]:
    """A cgroup of version 2, which is removed afterwards with all below. Raises RuntimeError where this machine has none."""
    mounts = re.search(r"^\S+ (\S+) cgroup2 ", Path("/proc/self/mounts").read_text(), re.MULTILINE)
    if mounts is None:
        raise RuntimeError("this machine has no cgroups of version 2")
    cgroup = Path(mounts[1], name)
    cgroup.mkdir()
    try:
        yield cgroup
    finally:
        for path in (*sorted(cgroup.rglob("*/"), reverse=True), cgroup):
            _remove(path)


def _remove(cgroup: Path) -> None:
    """The kernel lets go of a killed process a moment later."""
    end = time.monotonic() + 10
    while cgroup.is_dir() and time.monotonic() < end:
        with suppress(OSError):
            cgroup.rmdir()
            return
        time.sleep(0.1)


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
