"""A path that drops large packets, between two BIRDs without a tunnel: the session is established, has no route, and ends, again and again."""

import contextlib
import dataclasses
import secrets
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab import birds, sites, specs
from landbridge import model
from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.bgp import bird, configuration, observe
from landbridge.operations import status_changes
from landbridge.status import bgp_causes
from landbridge.status.rule_context import Context, Related
from landbridge.store import bgp_changes

pytestmark = pytest.mark.process

OURS, THEIRS = "169.254.77.1", "169.254.77.2"
IF_ID = 77
#: An UPDATE with so many routes is larger than a packet that passes.
ROUTES = tuple(f"10.{n // 250}.{n % 250}.0/24" for n in range(500))
LARGEST = 1000
SPEC = dataclasses.replace(
    specs.connection(style="bgp", tunnel_local_address=f"{OURS}/30", tunnel_peer_address=f"{THEIRS}/30"),
    if_id=IF_ID,
    peer_asn=65001,
)


def _run(*command: str, given: str | None = None) -> None:
    subprocess.run(command, input=given, text=True, check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Of our BIRD. Its namespace drops each packet of the device that is large."""
    prefix = f"t{secrets.token_hex(3)}"
    here, there = f"{prefix}-gw", f"{prefix}-dev"
    made = tmp_path / "0123456789ab"
    made.mkdir()
    with contextlib.ExitStack() as undo:
        for name in (here, there):
            _run("ip", "netns", "add", name)
            undo.callback(_run, "ip", "netns", "delete", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", here, "link", "add", f"x{IF_ID}", "type", "veth", "peer", "name", "t0", "netns", there)
        for where, link, address in ((here, f"x{IF_ID}", OURS), (there, "t0", THEIRS)):
            _run("ip", "-n", where, "address", "add", f"{address}/30", "dev", link)
            _run("ip", "-n", where, "link", "set", link, "up")
        rule = f"add table ip mtu\nadd chain ip mtu in {{ type filter hook input priority 0; }}\nadd rule ip mtu in meta length > {LARGEST} drop"
        _run("ip", "netns", "exec", here, "nft", "-f", "-", given=rule)
        device = birds.Bird(namespace=there, folder=tmp_path / "device", address=THEIRS, peer=OURS, routes=ROUTES)
        undo.callback(device.stop, kill=True)
        device.start()
        desired = specs.desired(SPEC, of=specs.gateway(local_subnets=("172.16.0.0/24",)))
        wanted = configuration.desired_configuration(desired, {SPEC.id}, "kernel")
        assert wanted is not None
        undo.callback(bird.stop, made, here)
        bird.start(made, here, wanted.text, daemon.AS_CHILDREN, died=False)
        yield made


def _context(session: model.BgpSession, sessions: tuple[model.BgpChange, ...]) -> Context:
    seen = model.ConnectionObservation(connection_id=SPEC.id, bgp=session)
    related = Related(asn=64512, peer_asn=65001, sessions=sessions)
    return Context(connection=SPEC.connection, seen=seen, related=related, seen_at=datetime.now(UTC))


def test_a_path_that_drops_large_packets_shows_in_its_sessions(folder: Path):
    changes: list[model.BgpChange] = []
    codes: list[str] = []

    def is_told() -> bool:
        session = observe.observe(folder).sessions[f"c{IF_ID}"]
        change = status_changes._session(_context(session, tuple(changes)), session)
        if bgp_changes.is_news(changes[-1] if changes else None, change):
            changes.append(change)
        codes[:] = [one.code for one in bgp_causes.find(_context(session, tuple(changes)))]
        return "bgp_path_mtu" in codes

    sites.wait_for(is_told, "the cause", seconds=120)
    assert codes == ["bgp_path_mtu", "bgp_hold_timer"]
    assert {one.received for one in changes} == {0}
    assert [one.state for one in changes].count("established") >= 2
