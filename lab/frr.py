"""FRR as a customer's device speaks BGP: another routing daemon, unpacked beside this machine's BIRD and never installed.

`python -m lab.frr` fetches it; a machine without a network (lab.vm) finds it then in the cache. A device runs it in network and mount
namespaces of its own.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lab import debian_packages, sites

#: By hand, as FRR's guide has it. A network is announced when an interface has it.
_TEXT = """\
router bgp {asn}
 bgp router-id {address}
 no bgp ebgp-requires-policy
 neighbor {peer} remote-as {peer_asn}
 neighbor {peer} timers 3 9
 neighbor {peer} timers connect 5
 address-family ipv4 unicast
{networks}
 exit-address-family
"""
_DAEMONS = ("zebra", "bgpd")
#: The daemons want their user and groups, which nobody has installed. Bind mounts are this process's alone.
_START = """\
set -e
cp /etc/passwd /etc/group {folder}
echo 'frr:x:990:990::/:/bin/false' >>{folder}/passwd
printf 'frr:x:990:\\nfrrvty:x:989:frr\\n' >>{folder}/group
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/group /etc/group
mount -t tmpfs tmpfs /var/tmp
chown -R 990:990 {folder}
{commands}
wait
"""


def fetch() -> Path:
    return debian_packages.fetch("frr")


@dataclass(kw_only=True)
class Frr:
    """FRR's daemons in a device's namespace, without BFD. `stop()` ends them and waits."""

    namespace: str
    address: str
    peer: str
    asn: int = 65001
    peer_asn: int = 64512
    routes: tuple[str, ...] = (sites.LAN,)
    tree: Path = field(default_factory=fetch)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="frr-")))
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.folder.chmod(0o755)  # its user reads there
        (self.folder / "frr.conf").write_text(
            _TEXT.format(
                networks="\n".join(f"  network {net}" for net in self.routes),
                asn=self.asn,
                address=self.address,
                peer=self.peer,
                peer_asn=self.peer_asn,
            )
        )
        libraries = self.tree / "usr/lib/x86_64-linux-gnu"
        environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": f"{libraries}:{libraries}/frr"}
        commands = "\n".join(
            f"{self.tree}/usr/lib/frr/{name} -f {self.folder}/frr.conf -z {self.folder}/zserv.api --vty_socket {self.folder}"
            f" -i {self.folder}/{name}.pid -A 127.0.0.1 &"
            for name in _DAEMONS
        )
        command = [
            "nsenter",
            f"--net=/run/netns/{self.namespace}",
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
        ]
        script = _START.format(folder=self.folder, commands=commands)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen([*command, "sh", "-c", script], env=environment, stdout=log, stderr=log)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """The first process of a namespace takes all others along."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    print(fetch())
