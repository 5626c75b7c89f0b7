"""Libreswan as a customer's device: another IKE implementation, unpacked beside this machine's strongSwan and never installed.

`python -m lab.libreswan` fetches it; a machine without a network (lab.vm) finds it then in the cache. Its data path is the
kernel's, so tunnels need ESP there. A device runs it in network and mount namespaces of its own.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from lab import debian_packages, sites

#: What Debian's own file says of /etc/ipsec.d, with IKEv1 switched on as our text tells the reader to.
_MAIN = """\
config setup
    ikev1-policy=accept
include {folder}/etc/*.conf
"""

#: Bind mounts are this process's alone. pluto looks for its helpers under /usr/libexec, and Libreswan 5 starts them without
#: LD_LIBRARY_PATH: the linker's cache names their libraries.
_START = """\
set -e
mount --bind {tree}/usr/libexec /usr/libexec
ldconfig -X -C {folder}/ld.so.cache {tree}/usr/lib/x86_64-linux-gnu
mount --bind {folder}/ld.so.cache /etc/ld.so.cache
exec {tree}/usr/libexec/ipsec/pluto --nofork --stderrlog --config {folder}/ipsec.conf \
    --secretsfile {folder}/ipsec.secrets --nssdir {folder}/nss --rundir {folder}/run
"""


def fetch() -> Path:
    return debian_packages.fetch("libreswan")


@dataclass
class Pluto:
    """Libreswan's daemon in a device's namespace, in place of its strongSwan. `stop()` ends it and waits."""

    device: sites.Device
    tree: Path = field(default_factory=fetch)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def folder(self) -> Path:
        return self.device.folder / "pluto"

    @property
    def _environment(self) -> dict[str, str]:
        """pluto calls `ipsec _updown` by its name."""
        return {
            "PATH": f"{self.tree}/usr/sbin:{self.tree}/usr/bin:{os.environ['PATH']}",
            "LD_LIBRARY_PATH": f"{self.tree}/usr/lib/x86_64-linux-gnu",
        }

    def start(self, parts: dict[str, str]) -> None:
        """`parts`: contents by their names in /etc/ipsec.d. Returns when pluto has read them."""
        for name in ("etc", "nss", "run"):
            (self.folder / name).mkdir(parents=True)
        for name, content in parts.items():
            (self.folder / "etc" / name).write_text(content)
        (self.folder / "ipsec.conf").write_text(_MAIN.format(folder=self.folder))
        (self.folder / "ipsec.secrets").write_text(f"include {self.folder}/etc/*.secrets\n")
        _run("certutil", "-N", "-d", f"sql:{self.folder}/nss", "--empty-password", env=self._environment)
        command = ["nsenter", f"--net=/run/netns/{self.device.namespace}", "unshare", "--mount", "sh", "-c"]
        script = _START.format(tree=self.tree, folder=self.folder)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen([*command, script], env=self._environment, stdout=log, stderr=log)
        sites.wait_for(lambda: "loading secrets from" in self.log(), "pluto to read its files", seconds=300)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30 * sites.SLOWNESS)
            self.process = None


def _run(*command: str, cwd: str | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    print(fetch())
