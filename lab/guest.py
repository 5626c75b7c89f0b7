"""What runs in a virtual machine before the command does: its initramfs, its root, its first process.

The guest's root is this machine's, read-only, with a layer of memory over it: it may change all and keeps nothing. Only the
results folder is written through. Everything of our own lies in the guest's /run; nothing of /etc is covered.
"""

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import kernel

#: Mount tags of the two folders that the guest sees.
ROOT_TAG = "root"
RESULTS_TAG = "results"
STATUS_FILE = "status"
#: How many times longer the waits of `lab.sites` are in the machine.
SLOWNESS = 4

#: Loaded in one go. The kernel would find each by itself, but asks twice for each, and each question costs a second here.
PRELOADED = """
    esp4 xfrm_user xfrm_interface authenc echainiv seqiv gcm cbc ctr hmac md5 sha1_generic sha256_generic sha512_generic
    aes_generic des3_ede_generic ghash_generic aesni_intel veth macvlan bridge tun vrf dummy
    nf_tables nf_conntrack nf_log_syslog nft_ct nft_fib nft_fib_ipv4 nft_fib_ipv6 nft_fib_inet nft_nat nft_chain_nat nft_masq
    nft_redir nft_limit nft_log nft_reject nft_reject_inet
"""

#: The first process. As such it must not fail: when it does, the kernel panics, and the machine ends without a status.
_INIT = """\
#!/bin/busybox sh
set -e
/bin/busybox --install -s /bin
mount -t proc proc /proc
while read module; do insmod /modules/$module; done </modules/order
over=trans=virtio,version=9p2000.L,msize=1048576
mount -t 9p -o ro,$over,cache=loose {root_tag} /lower
mount -t tmpfs -o mode=755 memory /upper
mkdir /upper/root /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/root,workdir=/upper/work root /new
mount -t 9p -o $over {results_tag} /new{results}
mkdir -p /new/lib/modules
mount -o bind /lower{modules} /new/lib/modules
mount -t proc proc /new/proc
mount -t sysfs sysfs /new/sys
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
mount -t devtmpfs devtmpfs /new/dev
mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts devpts /new/dev/pts
mount -t tmpfs tmpfs /new/dev/shm
mount -t tmpfs -o mode=755 run /new/run
cp -a /run/. /new/run/
rm -f /new/.dockerenv  # systemd would think itself in a container and read no kernel arguments
umount /proc
exec switch_root /new {first}
"""

#: The command, then its status into the results, then the end. `stty` waits until the console has said everything, and
#: with -no-reboot the reset ends the machine.
_RUN = """\
exec </dev/null >/dev/console 2>&1
modprobe --all {preloaded}
ip link set lo up
hostname landbridge-vm
cd {here} && env -i {environment} {command}
echo $? >/run/vm-status
{after}
cp /run/vm-status {results}/{status}
stty -F /dev/console sane
echo b >/proc/sysrq-trigger
"""

_TARGET = """\
[Unit]
Requires=basic.target
After=basic.target
Wants=vm.service
AllowIsolate=yes
"""

_SERVICE = """\
[Unit]
After=basic.target
[Service]
Type=exec
ExecStart=/bin/sh /run/vm-run
"""

_JOURNAL = """\
[Journal]
Storage=volatile
ForwardToWall=no
"""

#: Units that a machine which runs for minutes does not need. Each takes a second or more of the start.
_MASKED = """
    timers.target systemd-timesyncd.service systemd-update-utmp.service systemd-random-seed.service systemd-pstore.service
    systemd-udev-trigger.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount
    modprobe@.service kmod-static-nodes.service dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount
    sys-kernel-config.mount sys-fs-fuse-connections.mount systemd-journald-audit.socket systemd-firstboot.service
    systemd-machine-id-commit.service systemd-journal-flush.service systemd-sysusers.service
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A command to run in a guest, from the folder `here`, with systemd as the first process or without."""

    command: tuple[str, ...]
    here: Path
    results: Path
    systemd: bool


def pack(job: Job, debian: kernel.Kernel, archive: Path) -> None:
    """Writes the initramfs for one run: busybox, the modules that reach the root, and the job."""
    tree = archive.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ("bin", "proc", "lower", "upper", "new", "modules", "run/systemd/system"):
        (tree / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    _add_modules(debian, tree / "modules")
    _add_job(job, debian, tree)
    found = subprocess.run(["find", ".", "-print0"], cwd=tree, capture_output=True, check=True)
    packing = ["cpio", "--null", "--create", "--quiet", "--format=newc"]
    packed = subprocess.run(packing, cwd=tree, input=found.stdout, capture_output=True, check=True)
    archive.write_bytes(packed.stdout)
    shutil.rmtree(tree)


def _add_modules(debian: kernel.Kernel, folder: Path) -> None:
    files = debian.boot_modules()
    for file in files:
        shutil.copy(file, folder)
    (folder / "order").write_text("".join(f"{file.name}\n" for file in files))


def _add_job(job: Job, debian: kernel.Kernel, tree: Path) -> None:
    first = "/lib/systemd/systemd" if job.systemd else "/bin/sh /run/vm-run"
    init = _INIT.format(
        root_tag=ROOT_TAG, results_tag=RESULTS_TAG, results=job.results, modules=debian.modules, first=first
    )
    (tree / "init").write_text(init)
    (tree / "init").chmod(0o755)
    (tree / "run/vm-run").write_text(_run_text(job))
    if job.systemd:
        add_units(tree / "run/systemd")


def _run_text(job: Job) -> str:
    environment = {"HOME": str(Path.home()), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    environment["LAB_SLOWNESS"] = str(SLOWNESS)
    environment |= {
        "TERM": "dumb",
        "PAGER": "cat",
        "SYSTEMD_PAGER": "cat",
    }  # the console is a terminal, nobody sits at it
    return _RUN.format(
        preloaded=" ".join(PRELOADED.split()),
        here=shlex.quote(str(job.here)),
        environment=shlex.join(f"{name}={value}" for name, value in environment.items()),
        command=shlex.join(job.command),
        after=f"journalctl -o short-monotonic >{job.results}/journal.log" if job.systemd else ":",
        results=job.results,
        status=STATUS_FILE,
    )


def add_units(folder: Path) -> None:
    """Writes the units of a machine that runs for minutes to `folder`, which is /run/systemd in that machine."""
    (folder / "system").mkdir(parents=True, exist_ok=True)
    (folder / "system/vm.target").write_text(_TARGET)
    (folder / "system/vm.service").write_text(_SERVICE)
    for name in _MASKED.split():
        (folder / "system" / name).symlink_to("/dev/null")
    (folder / "journald.conf.d").mkdir()
    (folder / "journald.conf.d/vm.conf").write_text(_JOURNAL)
    (folder.parent / "tmpfiles.d").mkdir()
    (folder.parent / "tmpfiles.d/tmp.conf").symlink_to(
        "/dev/null"
    )  # it would empty /tmp, file by file, the project perhaps
