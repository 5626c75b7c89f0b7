"""A gateway's BIRD and the devices that it speaks with, without tunnels: what a look tells of each session.

One BIRD of ours has a session for each case, through a veth that is called as a tunnel. Each device has a namespace of its own.
"""

import contextlib
import dataclasses
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab import birds, sites, specs
from landbridge import model
from landbridge.engine.strongswan import daemon, names
from landbridge.engine.strongswan.bgp import bird, client, configuration, observe, state
from landbridge.status import bgp_causes
from landbridge.status.rule_context import Context, Related

pytestmark = pytest.mark.process

#: Another device announces the first one too.
SHARED, OWN, IN_ONE_AS = sites.LAN, "192.168.45.0/24", "192.168.46.0/24"
LOCAL = (sites.VPC, "10.0.1.0/24")


@dataclass(frozen=True)
class Case:
    """`device`: fields of its BIRD; None: nobody listens. `then`: what happens once the session is up."""

    device: dict[str, Any] | None = field(default_factory=dict)
    then: Callable[["Bed", str], object] | None = None


def cut(bed: "Bed", name: str) -> None:
    """The device's end of the link vanishes from the network, without a word."""
    chains = (
        f"add chain ip cut {hook} {{ type filter hook {hook} priority 0; policy drop; }}"
        for hook in ("input", "output")
    )
    bed.nft(name, "add table ip cut", *chains)


CASES = {
    "up": Case({"routes": (SHARED, OWN, "0.0.0.0/0", "10.0.0.128/25")}),
    "wrong_device_asn": Case({"asn": 64999}),
    "device_wrong_asn": Case({"peer_asn": 64513}),
    "hold_timer": Case({"hold_time": 3, "more": ""}, cut),
    "bfd_down": Case({}, cut),
    "route_limit": Case({"routes": tuple(f"192.168.{at}.0/24" for at in range(6))}),
    "refused": Case(None),
    "no_answer": Case(None, cut),
    "device_shutdown": Case({}, lambda bed, name: bed.devices[name].tell("disable hq")),
    "device_closed": Case({"more": ""}, lambda bed, name: bed.devices[name].tell("restart hq")),
    "no_interface": Case(None),
    "one_as": Case({"asn": 64512, "routes": (IN_ONE_AS,)}),
}
#: Sessions that are meant to stay up.
SOUND = ("up", "one_as")
NUMBERS = {name: 11 + at for at, name in enumerate(CASES)}


class Bed:
    """`gateway` is the namespace of our BIRD."""

    def __init__(self, folder: Path, undo: contextlib.ExitStack) -> None:
        self.folder = folder / "0123456789ab"
        self.folder.mkdir()
        self.prefix = f"t{secrets.token_hex(3)}"
        self.gateway = self._namespace("gw", undo)
        self.devices: dict[str, birds.Bird] = {}
        for name, number in NUMBERS.items():
            self._join(name, number, undo)
            if (values := CASES[name].device) is not None:
                device = birds.Bird(
                    namespace=self.device(name),
                    folder=folder / name,
                    address=f"169.254.{number}.2",
                    peer=f"169.254.{number}.1",
                    **values,
                )
                self.devices[name] = device
                undo.callback(device.stop, kill=True)
                device.start()
        undo.callback(bird.stop, self.folder, self.gateway)

    def device(self, name: str) -> str:
        return f"{self.prefix}-{NUMBERS[name]}"

    def _namespace(self, name: str, undo: contextlib.ExitStack) -> str:
        made = f"{self.prefix}-{name}"
        subprocess.run(["ip", "netns", "add", made], check=True)
        undo.callback(subprocess.run, ["ip", "netns", "delete", made], check=True)
        self.ip(made, "link set lo up")
        return made

    def _join(self, name: str, number: int, undo: contextlib.ExitStack) -> None:
        there = self._namespace(str(number), undo)
        if name == "no_interface":
            return
        self.ip(self.gateway, f"link add x{number} type veth peer name t0 netns {there}")
        for where, link, last in ((self.gateway, f"x{number}", 1), (there, "t0", 2)):
            self.ip(where, f"address add 169.254.{number}.{last}/30 dev {link}")
            self.ip(where, f"link set {link} up")

    def ip(self, name: str, command: str) -> str:
        done = subprocess.run(["ip", "-n", name, *command.split()], capture_output=True, text=True, check=True)
        return done.stdout

    def nft(self, name: str, *commands: str) -> None:
        command = ["ip", "netns", "exec", self.device(name), "nft", "-f", "-"]
        subprocess.run(command, input="\n".join(commands), text=True, check=True)

    def look(self) -> state.BgpState:
        return observe.observe(self.folder)

    def session(self, name: str) -> model.BgpSession:
        return self.look().sessions[f"c{NUMBERS[name]}"]

    def wait_for(self, name: str, happened: Callable[[model.BgpSession], object], what: str) -> model.BgpSession:
        sites.wait_for(lambda: happened(self.session(name)), f"{what} ({name})")
        return self.session(name)

    def pid(self) -> int:
        found = subprocess.run(["ip", "netns", "pids", self.gateway], capture_output=True, text=True, check=True).stdout
        (pid,) = map(int, found.split())
        return pid

    def routes(self) -> str:
        return self.ip(self.gateway, f"route show table {names.LEARNED_TABLE}")


def wanted(names: tuple[str, ...] = tuple(NUMBERS), **changed: Any) -> configuration.BgpConfiguration:
    """`changed`: fields of the connection of case `up`."""
    made = []
    for name in names:
        number = NUMBERS[name]
        inner = {
            "tunnel_local_address": f"169.254.{number}.1/30",
            "tunnel_peer_address": f"169.254.{number}.2/30",
        }
        spec = specs.connection(style="bgp", **inner | (changed if name == "up" else {}))
        made.append(dataclasses.replace(spec, if_id=number, peer_asn=64512 if name == "one_as" else 65001))
    desired = specs.desired(*made, of=specs.gateway(id=GATEWAY_ID, local_subnets=LOCAL, ha_mode="active-standby"))
    found = configuration.desired_configuration(desired, {spec.id for spec in made}, "kernel", limit=5)
    assert found is not None
    return found


GATEWAY_ID = "11111111-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with contextlib.ExitStack() as undo:
        bed = Bed(tmp_path_factory.mktemp("bird"), undo)
        bird.start(bed.folder, bed.gateway, wanted().text, daemon.AS_CHILDREN, died=False)
        yield bed


def is_up(session: model.BgpSession) -> bool:
    return session.state == "established"


#: Code of a fault -> the cause that the status tells.
CAUSES = {
    "wrong_device_asn": "bgp_asn_mismatch",
    "device_wrong_asn": "bgp_asn_mismatch",
    "hold_timer": "bgp_hold_timer",
    "bfd_down": "bgp_bfd_down",
    "route_limit": "bgp_too_many_routes",
    "refused": "bgp_refused",
    "no_answer": "bgp_no_answer",
    "device_shutdown": "bgp_shutdown_by_device",
    "device_closed": "bgp_shutdown_by_device",
    "no_interface": "bgp_no_path",
}


def told(session: model.BgpSession) -> Context:
    """What the rules for causes get, a minute later: by then a session has begun."""
    connection = specs.connection(id="c1", style="bgp").connection
    seen = model.ConnectionObservation(connection_id="c1", bgp=session)
    later = datetime.now(UTC) + timedelta(minutes=1)
    return Context(connection=connection, seen=seen, related=Related(asn=64512, peer_asn=65001), seen_at=later)


@pytest.mark.parametrize("name", [name for name in CASES if name not in SOUND])
def test_what_ends_a_session_has_a_code(bed: Bed, name: str):
    case = CASES[name]
    if case.then is not None:
        if case.device is not None:
            bed.wait_for(name, lambda one: is_up(one) and (one.bfd or name != "bfd_down"), "the session")
        case.then(bed, name)
    found = bed.wait_for(name, lambda session: session.fault and session.fault.code == name, "the fault")
    assert found.fault is not None
    assert found.fault.at is not None
    assert found.state == ("down" if name == "route_limit" else found.state)
    assert found.fault.asn == {"wrong_device_asn": 64999}.get(name, found.fault.asn)
    (cause,) = bgp_causes.find(told(found))
    assert (cause.code, [one.line for one in cause.evidence]) == (CAUSES[name], [found.fault.text])


def test_a_session_that_is_up_tells_what_it_exchanged(bed: Bed):
    found = bed.wait_for(
        "up", lambda one: is_up(one) and one.bfd and one.received == 4 and one.announced, "the session"
    )
    assert dataclasses.replace(found, since=None) == model.BgpSession(
        state="established", hold_time=9, bfd="up", received=4, accepted=2, announced=2, limit=5
    )
    assert bed.look().routes["c11"] == tuple(
        model.BgpRoute(prefix=net, next_hop="169.254.11.2", as_path=(65001,), origin="igp") for net in (SHARED, OWN)
    )
    assert bed.devices["up"].learned() == set(LOCAL)
    assert f"{OWN} via 169.254.11.2 dev x11 proto bird" in bed.routes()


def test_a_device_in_the_same_as_exchanges_routes_too(bed: Bed):
    """BGP within one AS (iBGP): the path is empty, and what another device announced is not passed on."""
    bed.wait_for("one_as", lambda one: is_up(one) and one.bfd and one.accepted and one.announced, "the session")
    assert bed.look().routes[f"c{NUMBERS['one_as']}"] == (
        model.BgpRoute(prefix=IN_ONE_AS, next_hop=bed.devices["one_as"].address, as_path=(), origin="igp"),
    )
    assert bed.devices["one_as"].learned() == set(LOCAL)
    assert f"{IN_ONE_AS} via {bed.devices['one_as'].address} dev x{NUMBERS['one_as']} proto bird" in bed.routes()


def test_equal_routes_of_two_sessions_lead_into_both(bed: Bed):
    for name in ("up", "device_closed"):
        bed.wait_for(name, lambda one: is_up(one) and one.accepted, "the session")
    several = bed.routes().partition(f"{SHARED} ")[2].partition("192.168")[0]
    for name in ("up", "device_closed"):
        assert f"dev x{NUMBERS[name]} weight 1" in several


def test_the_fingerprint_is_that_of_what_runs_and_not_that_of_the_file(bed: Bed):
    assert bed.look().fingerprint == wanted().fingerprint
    bird.write(bed.folder, wanted(("up",)).text)
    assert bed.look().fingerprint == wanted().fingerprint
    bird.write(bed.folder, wanted().text)


def test_a_change_leaves_the_other_sessions_and_their_routes_alone(bed: Bed):
    before = bed.wait_for("up", is_up, "the session")
    with monitored(bed) as events:
        for of in (wanted(("up",)), wanted()):
            bird.configure(bed.folder, of.text)
            sites.wait_for(lambda of=of: bed.look().fingerprint == of.fingerprint, "the configuration")
            assert bed.look().sessions.keys() == {one.name for one in of.sessions}
    assert bed.session("up").since == before.since
    assert OWN not in events()


def test_another_role_is_announced_without_a_new_session(bed: Bed):
    before = bed.wait_for("up", is_up, "the session")
    bird.configure(bed.folder, wanted(ha_role="slave").text)
    sites.wait_for(lambda: "BGP.med: 100" in bed.devices["up"].tell("show route all"), "the device to hear")
    bird.configure(bed.folder, wanted().text)
    assert bed.session("up").since == before.since


def test_a_text_that_bird_does_not_take_is_refused_and_the_old_one_runs_on(bed: Bed):
    before = bed.look().fingerprint
    with pytest.raises(client.BirdError, match="syntax error"):
        bird.configure(bed.folder, wanted().text + "nonsense")
    assert bed.look().fingerprint == before
    bird.configure(bed.folder, wanted().text)


def test_a_bird_that_died_leaves_its_routes_and_the_session_comes_back(bed: Bed):
    bed.wait_for("up", lambda one: is_up(one) and one.accepted, "the session")
    pid = bed.pid()
    with monitored(bed) as events:
        os.kill(pid, signal.SIGKILL)
        sites.wait_for(lambda: not bird.BIRD.is_alive(bed.folder), "BIRD to be gone")
        assert bed.look() == state.BgpState(started=True)
        bird.start(bed.folder, bed.gateway, wanted().text, daemon.AS_CHILDREN, died=True)
        bed.wait_for("up", lambda one: is_up(one) and one.accepted, "the session")
    assert bed.pid() != pid
    assert f"Deleted {OWN}" not in events()


def test_bird_has_two_privileges_and_gets_no_other(bed: Bed):
    status = dict(
        line.split(":\t") for line in Path(f"/proc/{bed.pid()}/status").read_text().splitlines() if ":\t" in line
    )
    admin_and_bind = 1 << 12 | 1 << 10
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {admin_and_bind}
    assert status["NoNewPrivs"] == "1"


def test_a_bird_sees_its_own_folder_and_no_other_data(bed: Bed):
    data, seen = bed.folder.parents[1], Path(f"/proc/{bed.pid()}/root")
    assert {path.name for path in data.rglob("bird.conf")} == {"bird.conf"}
    found = {path for path in (seen / data.relative_to("/")).rglob("*") if not path.is_dir()}
    assert {path.parent for path in found} == {seen / bed.folder.relative_to("/")}
    assert bird.BIRD.is_run_by(bed.pid())


def test_a_bird_that_is_stopped_says_so_and_takes_its_routes_along(bed: Bed):
    """One that waits for the sessions of before a death leaves its routes: the network removes them."""
    for _ in range(2):
        bird.stop(bed.folder, bed.gateway)
        assert bed.look() == state.BgpState()
        bird.stop(bed.folder, bed.gateway)
        bird.start(bed.folder, bed.gateway, wanted().text, daemon.AS_CHILDREN, died=False)
        bed.wait_for("up", lambda one: is_up(one) and one.accepted, "the session")
        assert OWN in bed.routes()
    bird.stop(bed.folder, bed.gateway)
    assert bed.routes() == ""
    assert "shutdown" in bed.devices["up"].tell("show protocols")
    bird.start(bed.folder, bed.gateway, wanted().text, daemon.AS_CHILDREN, died=False)  # for the tests that come later


@contextlib.contextmanager
def monitored(bed: Bed) -> Iterator[Callable[[], str]]:
    """Yields a function that returns what the kernel said of the gateway's routes."""
    command = ["ip", "-n", bed.gateway, "monitor", "route"]
    log = bed.folder.parent / "routes.log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out) as process:
        try:
            yield log.read_text
        finally:
            process.terminate()
