"""BIRD as a customer's device speaks BGP, configured by hand: its text is never made by our code, so that both ends cannot share a mistake."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import sites
from landbridge import paths

_TEXT = """\
log "{folder}/bird.log" all;
router id {address};
protocol device {{ scan time 1; }}
protocol static lans {{ ipv4; {routes} }}
protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; scan time 5; }}
protocol bfd {{ accept ipv4 {kind}; interface "*" {{ {bfd_times} }}; multihop {{ {bfd_times} }}; }}
"""
_SESSION = """\
protocol bgp {name} {{
  local {address} as {asn};
  neighbor {peer} as {peer_asn};
  {path}
  hold time {hold_time};
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 2;
  {more}
  ipv4 {{ import all; export where source = RTS_STATIC; {channel} }};
}}
"""


@dataclass(kw_only=True)
class Bird:
    """A BIRD in a namespace of a device. `routes`: what it announces. `link`: the interface of the session; empty: the device is a hop away,
    and `through` is the interface of its routes. `others`: (address, peer, link) of further sessions with the same gateway: the
    first session is `hq`, and these are `hq1` and on. `more` is a part of the first session alone.
    """

    namespace: str
    folder: Path
    address: str
    peer: str
    asn: int = 65001
    peer_asn: int = 64512
    routes: tuple[str, ...] = (sites.LAN,)
    link: str = "t0"
    through: str = ""
    others: tuple[tuple[str, str, str], ...] = ()
    hold_time: int = 9
    more: str = "bfd;"
    bfd_times: str = "interval 300 ms; multiplier 3;"
    channel: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self._write()
        command = ["ip", "netns", "exec", self.namespace, paths.BIRD, "-f", "-c", str(self.folder / "bird.conf")]
        self.process = subprocess.Popen([*command, "-s", str(self.folder / "bird.ctl")])
        sites.wait_for(lambda: "Daemon is up" in self._ask("show status"), "the device's BIRD to start")

    def change(self, **values: object) -> None:
        """Gives fields other values, and reads the configuration anew."""
        for name, value in values.items():
            setattr(self, name, value)
        self._write()
        self._ask("configure")

    def stop(self, *, kill: bool = False) -> None:
        if self.process is not None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait(timeout=10)
            self.process = None

    def tell(self, command: str) -> str:
        return self._ask(command)

    def learned(self) -> set[str]:
        """The prefixes that the gateway announced."""
        lines = self._ask("show route where source = RTS_BGP").splitlines()
        return {line.split()[0] for line in lines if "unicast" in line or "unreachable" in line}

    def _ask(self, command: str) -> str:
        asked = ["birdc", "-s", str(self.folder / "bird.ctl"), *command.split()]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout

    def _write(self) -> None:
        text = _TEXT.format(
            folder=self.folder,
            address=self.address,
            routes=" ".join(f"route {net} blackhole;" for net in self.routes),
            kind="direct" if self.link else "multihop",
            bfd_times=self.bfd_times,
        )
        text += self._session("hq", self.address, self.peer, self.link, self.more)
        text += "".join(self._session(f"hq{number}", *ends, more="") for number, ends in enumerate(self.others, 1))
        (self.folder / "bird.conf").write_text(text)

    def _session(self, name: str, address: str, peer: str, link: str, more: str) -> str:
        return _SESSION.format(
            name=name,
            address=address,
            asn=self.asn,
            peer=peer,
            peer_asn=self.peer_asn,
            path=f'direct; interface "{link}";' if link else "multihop 2;",
            hold_time=self.hold_time,
            more=more,
            channel=self.channel,
        )


@contextmanager
def running(bird: Bird) -> Iterator[Bird]:
    try:
        bird.start()
        yield bird
    finally:
        bird.stop(kill=True)
