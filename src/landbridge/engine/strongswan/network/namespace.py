"""Creates, removes and enters network namespaces.

A short-lived thread enters a namespace, because setns(2) is per thread. pyroute2 would fork, which
a process with threads must not do.
"""

import contextlib
import ctypes
import errno
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from landbridge import paths
from landbridge.engine.strongswan.network import netlink

T = TypeVar("T")

RUN = Path(paths.NETNS)
_CLONE_NEWNET = 0x40000000  # <linux/sched.h>
_libc = ctypes.CDLL(None, use_errno=True)


def inside(name: str | None, work: Callable[[Any], T]) -> T:
    """Runs `work(netlink socket)` in the namespace (None: our own) and returns its result."""
    return _within(name, lambda: _with(IPRoute(), work))


def read(name: str | None, work: Callable[[netlink.Reader], T]) -> T:
    """As `inside`, for work that only reads."""
    if name is None:
        return _with(netlink.Reader(), work)
    return _within(name, lambda: _with(netlink.Reader(), work))


def _with(opened: Any, work: Callable[[Any], T]) -> T:
    with opened as netlink:
        return work(netlink)


def _within(name: str | None, work: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            if name is not None:
                _enter(name)
            results.append(work())
        except BaseException as error:  # noqa: BLE001  raised again by the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name=f"inside-{name}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(name: str) -> None:
    with opened(name) as fd:
        if _libc.setns(fd, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), name)


@contextlib.contextmanager
def opened(name: str) -> Iterator[int]:
    fd = os.open(RUN / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def exists(name: str) -> bool:
    """A file without a mount is no namespace: `ip netns add` was interrupted."""
    try:
        return (RUN / name).stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except FileNotFoundError:
        return False


def delete_unmounted(name: str) -> None:
    """Deletes the file of a namespace that never came to be."""
    if not exists(name):
        (RUN / name).unlink(missing_ok=True)


def add(name: str) -> None:
    if not exists(name):
        delete_unmounted(name)
        _ip("netns", "add", name)


def attach(name: str, pid: int) -> None:
    """Gives the namespace of a process this name, which is free."""
    (RUN / name).unlink(missing_ok=True)
    _ip("netns", "attach", name, str(pid))


def remove(name: str) -> None:
    if exists(name):
        _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    """`ip netns` knows how to share the mounts of /run/netns with other programs."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise OSError(done.stderr.strip() or f"ip {' '.join(arguments)} failed")


def link(ip: Any, ifname: str) -> Any:
    try:
        return ip.link("get", ifname=ifname)[0]
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise
        return None


def index(ip: Any, ifname: str) -> int:
    index = link(ip, ifname)
    if index is None:
        raise OSError(errno.ENODEV, "no such interface", ifname)
    return int(index["index"])


@contextlib.contextmanager
def suppressed(code: int) -> Iterator[None]:
    """Ignores one netlink error, which says that the change was made already."""
    try:
        yield
    except NetlinkError as error:
        if error.code != code:
            raise
