"""`make demo`: the service, two sites on this machine, one POST, and a tunnel that a ping crosses.

The service is driven with the official SDK; the customer's device is an ordinary strongSwan with hand-written
configuration. Everything lives in namespaces and a folder of its own, and is gone afterwards, however it ends.

An interrupt is never an exception out of nowhere, which could come between making a thing and remembering it: the signals are
blocked from the first line to the last, here and in what is started here, and `check_interrupt` looks for them where ending is safe.
"""

import signal

INTERRUPTS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
if __name__ == "__main__":  # before the imports: they take most of a second
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)

# ruff: noqa: E402
import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import tomllib
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkvpn import v5

from lab import sites

BIN = Path(sys.executable).parent
CONNECTION = "branch"
VPC_ID = str(uuid.uuid4())
PSK = "Demo-Key-2026 ~!@"
#: An interrupt waits no longer than this for an answer of the service, in seconds.
ANSWER_SECONDS = 60 * sites.SLOWNESS
#: What the service and its engine get to end by themselves, in seconds.
END_SECONDS = 60 * sites.SLOWNESS
SITE_FILE = """\
[[node]]
id = "demo"
underlay = "{underlay}"

[[network]]
id = "{vpc}"
cidr = "10.0.0.0/24"
bridge = "vpc"
address = "10.0.0.1/24"
{eips}
"""
EIP = """
[[eip]]
id = "{id}"
address = "{address}/24"
attach = "routed"
"""


def say(text: str) -> None:
    print(text, flush=True)


class Interrupted(Exception):
    """Somebody asked for the end before the tunnel was proved."""


def check_interrupt() -> None:
    """Raises Interrupted when an interrupt has come. Called where it is safe to end."""
    if signal.sigpending() & INTERRUPTS:
        raise Interrupted("interrupted; everything is gone again")


def wait_for(happened: Callable[[], object], what: str, *, seconds: float = 90) -> None:
    def happened_unless_interrupted() -> object:
        check_interrupt()
        return happened()

    sites.wait_for(happened_unless_interrupted, what, seconds=seconds)


#: A service that looks often.
BRISK = {"LANDBRIDGE_AGENT_TICK_SECONDS": "1"}
#: One whose SAs stay what they are until something ends them.
STEADY = {**BRISK, "LANDBRIDGE_ENGINE_PROVE_PFS": "false"}


@dataclass
class Service:
    """A `landbridge serve` of our own on the inventory of a world. Counters are as fresh as the last look: it looks often."""

    data: Path
    site: Path
    log: Path
    engine: str = "strongswan"
    settings: dict[str, str] = field(default_factory=lambda: dict(BRISK))
    process: subprocess.Popen[bytes] | None = None
    #: Seconds that the tunnels get to be taken down.
    stop_engine_seconds: float = 3 * END_SECONDS
    program: list[str] = field(default_factory=lambda: [str(BIN / "landbridge")])

    def start(self) -> None:
        command = [
            *self.program,
            "serve",
            "--data",
            str(self.data),
            "--site",
            str(self.site),
            "--listen",
            "127.0.0.1:0",
        ]
        environment = os.environ | self.settings
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                # `env` unblocks the signals; in a session of its own it hears no Ctrl-C: we end it, at our time
                ["env", "--default-signal", *command, "--engine", self.engine],
                env=environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        wait_for(self._is_ready, "the service to start")

    def _is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"the service ended: {_last_line(self.log.read_text())}")
        try:
            urllib.request.urlopen(self.credentials["endpoint"] + "/readyz", timeout=ANSWER_SECONDS).close()
        except OSError:
            return False
        return True

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends the process, and only that; by force when it takes too long."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def credentials(self) -> dict[str, str]:
        return tomllib.loads((self.data / "credentials.toml").read_text())

    def console_link(self) -> str:
        """A link that signs in to the console once."""
        command = [str(BIN / "landbridge"), "console", "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=END_SECONDS).stdout.strip()

    def client(self) -> Any:
        known = self.credentials
        who = BasicCredentials(known["access_key"], known["secret_key"], known["project_id"])
        patience = HttpConfig(timeout=(ANSWER_SECONDS, ANSWER_SECONDS))
        builder = v5.VpnClient.new_builder().with_http_config(patience).with_credentials(who)
        return builder.with_endpoint(known["endpoint"]).build()

    def diagnosis(self, connection_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ours(f"vpn-connections/{connection_id}/diagnosis")["diagnosis"]
        return found

    def ours(self, path: str) -> Any:
        """The answer to a GET below /landbridge/v1 of the project."""
        known = self.credentials
        url = f"{known['endpoint']}/landbridge/v1/{known['project_id']}/{path}"
        request = urllib.request.Request(url, headers={"X-Auth-Token": known["token"]})
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)

    def stop_engine(self) -> None:
        """Takes the tunnels down, if there ever were any."""
        if not any(self.data.glob("engine/*")):
            return
        command = [str(BIN / "landbridge"), "engine", "stop", "--data", str(self.data), "--site", str(self.site)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=self.stop_engine_seconds, check=False)
        if done.returncode:
            raise RuntimeError(f"the tunnels were not taken down: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["without a word"])[-1]


@contextlib.contextmanager
def serving(world: sites.World, *, more_site: str = "", **settings: str) -> Iterator[Service]:
    """The service on the world's inventory; afterwards it is stopped, and the tunnels too. `settings` are variables of its own,
    `more_site` comes after the site file.
    """
    service = Service(world.folder / "data", world.folder / "site.toml", world.folder / "service.log")
    service.settings = settings or service.settings
    eips = "".join(EIP.format(id=uuid.uuid4(), address=address) for address in sites.EIPS[:4])
    service.site.write_text(SITE_FILE.format(underlay=world.wan, vpc=VPC_ID, eips=eips) + more_site)
    try:
        service.start()
        yield service
    finally:
        try:
            service.stop()
        finally:
            service.stop_engine()


def wait_for_status(what: str, status: Callable[[], str], wanted: str, seconds: float = 30) -> None:
    """Polls, and shows every status that it sees."""
    started = time.monotonic()
    seen: list[str] = []
    while not seen or seen[-1] != wanted:
        check_interrupt()
        word = status()
        if not seen or seen[-1] != word:
            seen.append(word)
            say(f"    {what}: {word} after {time.monotonic() - started:.2f} s")
        if time.monotonic() - started > seconds:
            raise RuntimeError(f"{what} did not become {wanted} within {seconds:.0f} s")
        time.sleep(0.02)


def build_tunnel(service: Service, world: sites.World, *, patience: float = 90) -> str:
    """Gateway, customer gateway and connection through the API; the id of the connection. `patience` in seconds, for each."""
    client = service.client()
    wish = v5.CreateVgwRequestBodyContent(name="headquarters", vpc_id=VPC_ID, local_subnets=[sites.VPC])
    body = v5.CreateVgwRequestBody(vpn_gateway=wish)
    gateway_id = client.create_vgw(v5.CreateVgwRequest(body=body)).vpn_gateway.id
    show = v5.ShowVgwRequest(vgw_id=gateway_id)
    say(f"==> POST /v5/…/vpn-gateways: {gateway_id}")
    wait_for_status("gateway", lambda: str(client.show_vgw(show).vpn_gateway.status), "ACTIVE", patience)
    gateway = client.show_vgw(show).vpn_gateway

    check_interrupt()
    device = world.add_device(sites.Tunnel(gateway=gateway.eip1.ip_address, psk=PSK))
    say(f"==> The customer's device: strongSwan at {device.address}, with this hand-written swanctl.conf:")
    say("".join(f"    | {line}\n" for line in (device.folder / "swanctl.conf").read_text().splitlines()).rstrip())

    check_interrupt()
    peer = v5.CreateCgwRequestBodyContent(name="branch", id_value=device.address)
    peer_id = client.create_cgw(v5.CreateCgwRequest(body=v5.CreateCgwRequestBody(customer_gateway=peer)))
    wish = v5.CreateVpnConnectionRequestBodyContent(
        name=CONNECTION,
        vgw_id=gateway_id,
        vgw_ip=gateway.eip1.id,
        cgw_id=peer_id.customer_gateway.id,
        peer_subnets=[sites.LAN],
        psk=PSK,
    )
    body = v5.CreateVpnConnectionRequestBody(vpn_connection=wish)
    made = client.create_vpn_connection(v5.CreateVpnConnectionRequest(body=body)).vpn_connection
    say(f"==> POST /v5/…/vpn-connection: {made.id}")
    one = v5.ShowVpnConnectionRequest(vpn_connection_id=made.id)
    wait_for_status(
        "connection", lambda: str(client.show_vpn_connection(one).vpn_connection.status), "ACTIVE", patience
    )
    return str(made.id)


def prove(world: sites.World) -> None:
    """A ping from host to host crosses, and what crosses the wire between the sites is ESP without the ping in it."""
    device = world.devices[0]
    target = "192.168.44.10"
    with sites.capturing(world.wan, "d0") as wire, sites.capturing(device.host, "lan") as inside:
        wait_for(lambda: sites.ping(world.vpc_host, target), "the first ping")
        crossed = sum(sites.ping(world.vpc_host, target, wait=2) for _ in range(3))
    kinds = {kind: sum(packet.kind == kind for packet in wire) for kind in ("esp", "ike", "icmp", "other")}
    echoes = sum(packet.kind == "icmp" for packet in inside)
    say(
        f"==> ping {sites.VPC_HOST} -> {target}: {crossed} of 3 crossed, {echoes} ICMP packets seen at the branch's host"
    )
    say(f"    on the wire between the sites: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")
    if crossed == 0 or echoes == 0 or kinds["esp"] == 0:
        raise RuntimeError("the ping did not cross the tunnel")
    if kinds["icmp"]:
        raise RuntimeError("the ping was seen in clear on the wire")


def summarise(service: Service, connection_id: str) -> None:
    """Who, addresses, proposals, SPIs, bytes; and that the service itself has nothing to say against the tunnel."""
    wait_for(lambda: sum(sa["bytes_out"] for sa in service.diagnosis(connection_id)["sas"]), "the counters to be read")
    found = service.diagnosis(connection_id)
    if "reason" in found:
        raise RuntimeError(f"the tunnel is up, but its diagnosis says: {found['reason']}")
    say("==> What is there now")
    say(
        f"    VPC host {sites.VPC_HOST} — gateway {found['local_id']} ═══ device {found['peer_id']} — host 192.168.44.10"
    )
    say(f"    status {found['status']}, IKE {found['ike_proposal']}")
    for sa in found["sas"]:
        pair = f"{', '.join(sa['local_subnets'])} <-> {', '.join(sa['peer_subnets'])}"
        say(
            f"    ESP {pair}: {sa['proposal']}, SPIs {sa['spi_in']} in {sa['spi_out']} out,"
            f" {sa['bytes_in']} bytes in, {sa['bytes_out']} bytes out"
        )


def tell_how_to_go_on(service: Service) -> None:
    known = service.credentials
    say("==> Go on")
    say(f"    export PATH={BIN}:$PATH LANDBRIDGE_DATA={service.data}")
    say(f"    landbridge status; landbridge connection diagnose {CONNECTION}")
    say(f"    pages of the API: {known['endpoint']}/docs    credentials: {service.data}/credentials.toml")
    say(f"    console: {known['endpoint']}/console    a link that signs in, once and within ten minutes:")
    say(f"    {service.console_link()}")


def run(*, once: bool) -> None:
    with _world() as world:
        check_interrupt()
        with serving(world) as service:
            say(f"==> landbridge serve: {service.credentials['endpoint']}, engine strongswan, SQLite in {service.data}")
            connection_id = build_tunnel(service, world)
            prove(world)
            summarise(service, connection_id)
            if not once:
                tell_how_to_go_on(service)
                say("==> Ctrl-C takes everything down")
                signal.sigwait(INTERRUPTS)
    say("==> Everything is gone again")


@contextlib.contextmanager
def _world() -> Iterator[sites.World]:
    """A world whose devices end by force when they do not end by themselves."""
    world = sites.World()
    try:
        with world:
            yield world
    finally:
        for device in world.devices:
            device.stop(kill=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="check, clean up and end")
    given = parser.parse_args()
    if os.geteuid() != 0:
        return _fail("needs root, for network namespaces: sudo make demo")
    started = time.monotonic()
    try:
        run(once=given.once)
    except Interrupted as error:
        return _fail(str(error), 128 + min(signal.sigpending() & INTERRUPTS))
    except Exception as error:  # noqa: BLE001 - the edge: whatever it is, a newcomer gets one line
        asked = signal.sigpending() & INTERRUPTS
        text = " ".join((str(error) or type(error).__name__).split())
        return _fail(f"interrupted: {text}" if asked else text, 128 + min(asked) if asked else 1)
    say(f"==> It took {time.monotonic() - started:.1f} s")
    return 0


def _fail(text: str, status: int = 1) -> int:
    print(f"demo: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
