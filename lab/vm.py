"""A virtual machine with Debian's own kernel, for what this machine's kernel may not have (ESP, XFRM interfaces, a systemd).

    python -m lab.vm [--systemd] [--timeout SECONDS] [--results FOLDER] -- COMMAND…

The command runs as root in the guest, in the same folder of the same file system; its exit status is ours, and what it writes
stays in the guest's memory, except in the results folder. QEMU in software: no KVM, nothing of this machine's kernel, about a
tenth of its speed. However this process ends, the machine ends with it.
"""

import argparse
import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO

from lab import guest, kernel

RESULTS = Path("build/kernel")
TIMEOUT_SECONDS = 1800.0
MEMORY = "3G"
TAIL_LINES = 40


class Failed(Exception):
    """The machine gave no status."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parse(arguments)
    asked.results.mkdir(parents=True, exist_ok=True)
    job = guest.Job(
        command=tuple(asked.command), here=Path.cwd(), results=asked.results.resolve(), systemd=asked.systemd
    )
    try:
        with (job.results / "lock").open("w") as lock:
            _hold(lock)
            return run(job, asked.timeout)
    except (Failed, RuntimeError, FileNotFoundError) as problem:
        print(f"vm: {problem}", file=sys.stderr)
        return 125
    except KeyboardInterrupt:
        return 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.vm", description="Runs a command on Debian's own kernel.")
    parser.add_argument("--systemd", action="store_true", help="boot with systemd as the first process")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds for everything (%(default)s)")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="the folder that is written through (%(default)s)"
    )
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _hold(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failed(f"another machine writes to {Path(lock.name).parent}; give this one its own --results") from None


def run(job: guest.Job, timeout: float) -> int:
    """The command's exit status. Its console goes to standard output and to console.log in the results."""
    status, log = job.results / guest.STATUS_FILE, job.results / "console.log"
    status.unlink(missing_ok=True)
    debian = kernel.fetch()
    initramfs = job.results / "initramfs"
    guest.pack(job, debian, initramfs)
    with (
        log.open("wb") as written,
        subprocess.Popen(
            _command(job, debian, initramfs), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as machine,
    ):
        try:
            ended = _follow(machine, written, time.monotonic() + timeout)
        finally:
            machine.kill()
    if not status.exists():
        raise Failed(_explain("ended without a status" if ended else f"was not done after {timeout:.0f} s", log))
    return int(status.read_text())


def _command(job: guest.Job, debian: kernel.Kernel, initramfs: Path) -> list[str]:
    """`setpriv`: the machine dies with us, also when we are killed."""
    share = "security_model=none,multidevs=remap"
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "max", "-m", MEMORY),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"),
        *("-kernel", str(debian.image), "-initrd", str(initramfs), "-append", _kernel_arguments(job)),
        *("-virtfs", f"local,path=/,mount_tag={guest.ROOT_TAG},readonly=on,{share}"),
        *("-virtfs", f"local,path={job.results},mount_tag={guest.RESULTS_TAG},{share}"),
    ]


def _kernel_arguments(job: guest.Job) -> str:
    """A fault of the kernel is a panic, a panic ends the machine; a slow machine is not a stuck one.

    The clock is the HPET since the TSC's rate is measured while booting: on a busy host it came out wrong by a factor of six.
    """
    words = "console=ttyS0 quiet panic=-1 oops=panic nowatchdog clocksource=hpet no_timer_check"
    words += " mitigations=off init_on_alloc=0 cryptomgr.notests transparent_hugepage=always"  # for speed
    if job.systemd:
        words += " systemd.unit=vm.target systemd.show_status=no systemd.log_target=journal fstab=no"
    return words


def _follow(machine: "subprocess.Popen[bytes]", log: BinaryIO, deadline: float) -> bool:
    """Hands the console on as it comes; whether the machine ended in time."""
    assert machine.stdout is not None
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([machine.stdout], [], [], left)[0]:
            continue
        said = os.read(machine.stdout.fileno(), 65536)
        if not said:
            return True
        for out in (log, sys.stdout.buffer):
            out.write(said.replace(b"\r", b""))
            out.flush()
    return False


def _explain(what: str, log: Path) -> str:
    tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join([f"the machine {what}; the end of {log}:", *(f"  | {line}" for line in tail)])


if __name__ == "__main__":
    sys.exit(main())
