"""The blocks of a how-to, and a shell that runs them as a reader would."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs/how-to"
LANDBRIDGE = Path(sys.executable).with_name("landbridge")
PATH = f"{LANDBRIDGE.parent}:{os.environ['PATH']}"
#: Namespaces of its own for the network, mounts and processes: the page's network namespaces do not clash with others, and all that a
#: page leaves running ends with the shell.
_ISOLATED = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c")
_PREPARE = "mount -t tmpfs tmpfs /run\nmkdir /run/netns\nip link set lo up"


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text()


def blocks(name: str, *languages: str) -> list[str]:
    return [
        text
        for found, text in re.findall(r"^```(\w*)\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)
        if found in languages
    ]


def free_port() -> str:
    """None of those that the kernel gives to others meanwhile (ip_local_port_range)."""
    while True:
        port = random.randint(10_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)


def shell(
    name: str,
    folder: Path,
    port: str = "8700",
    *,
    isolated: bool = False,
    before: str = "",
    replaced: Mapping[str, str] | None = None,
    languages: tuple[str, ...] = ("bash",),
    **more: str,
) -> tuple[int, str]:
    """All commands of a page in one shell, as a reader would type them; its status, and what they print. `isolated`: in namespaces of its
    own. `before`: commands that come first. `replaced`: texts of the page, such as paths, and what stands in their place. `languages`: of the
    blocks that are run. `more`: of the environment.
    """
    for example in blocks(name, "python"):
        (folder / "example.py").write_text(example)
    script = "\n".join(blocks(name, *languages))
    for text, other in ({"8700": port} | dict(replaced or {})).items():
        script = script.replace(text, other)
    parts = ["set -eu", _PREPARE if isolated else "", before, script]
    command = [*(_ISOLATED if isolated else ("bash", "-c")), "\n".join(parts)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": PATH, "HOME": str(folder)} | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=900)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it left running
    return process.returncode, printed


def run(name: str, folder: Path, **words: Any) -> str:
    """What the commands print; they must succeed. `words`: of `shell`."""
    status, printed = shell(name, folder, free_port(), **words)
    assert status == 0, printed
    return printed
