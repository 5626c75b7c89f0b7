"""What earlier versions left behind: today's code reads every row and plans nothing for a gateway that nobody changed."""

import contextlib
import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import compatibility
from landbridge import data_folder, model, site_file
from landbridge.engine.strongswan import target
from landbridge.engine.strongswan.ike import messages
from landbridge.engine.strongswan.network import steps as network_steps
from landbridge.engine.strongswan.network import tunnels
from tests.compatibility import loaded
from tests.engine.strongswan import small_world

FIXTURES = sorted(path for path in Path(__file__).parent.iterdir() if (path / "shown.json").exists())
PLANES = ("kernel", "userland")
#: Fixture -> kinds of steps that today's plan may have for it, each with the reason. None of them may interrupt a tunnel.
PLANNED = {
    # The routes of running tunnels get our protocol in place (docs/decisions/0034). The filter table that remembers ICMP errors replaces the
    # older one in one transaction, which lets the same packets through (docs/decisions/0048).
    "2026-11-30": frozenset({"EnsureTunnel", "EnsureFilterTable"}),
}


#: Values that are meant to differ: no version before probed anything, and no engine looks at a copy (docs/decisions/0047).
PROBED = re.compile(
    r"\.diagnosis\.monitor: 'not probed yet' became None|\.connection_monitors?.*\.status: 'ACTIVE' became 'PENDING_CREATE'"
)


@dataclass(frozen=True)
class Copy:
    """A fixture whose data folder may be written to."""

    name: str
    data: Path
    site: Path
    backup: Path
    shown: dict[str, Any]
    loaded: dict[str, dict[str, loaded.Loaded]]

    def open(self, data: Path | None = None) -> contextlib.AbstractContextManager[Any]:
        return compatibility.opened(data or self.data, self.site)


def _copy(fixture: Path, folder: Path) -> Copy:
    data = Path(shutil.copytree(fixture / "data", folder / "data"))
    for path in (data, *data.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)  # git keeps no modes
    read = {name: json.loads((fixture / f"{name}.json").read_text()) for name in ("shown", "loaded")}
    return Copy(fixture.name, data, fixture / "site.toml", fixture / "backup.db", **read)


@pytest.fixture(scope="module")
def made_now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fixture as this version makes it."""
    folder = tmp_path_factory.mktemp("made") / "now"
    compatibility.make(folder)
    return folder


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Copy:
    return _copy(request.param, tmp_path)


def _desired(copy: Copy) -> dict[str, model.DesiredGateway]:
    with copy.open() as opened:
        return compatibility.desired(opened.data, site_file.load(copy.site))


def _loaded_before(copy: Copy, plane: str) -> dict[str, model.DesiredGateway]:
    """What is desired, without the connections that the version of the fixture refused: for an upgrade they are new ones."""
    return {
        gateway_id: dataclasses.replace(
            each,
            connections=tuple(
                spec for spec in each.connections if spec.id in copy.loaded[plane][gateway_id]["connections"]
            ),
        )
        for gateway_id, each in _desired(copy).items()
    }


#: Sentences for people, which may become better.
SENTENCES = frozenset({"reason", "remedy", "text"})


def _missing(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Where an answer differs from the one of before. It may have new fields."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name, value in before.items():
            if name not in SENTENCES or not isinstance(now.get(name), str):
                yield from _missing(value, now.get(name), f"{place}.{name}")
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from _missing(one, other, f"{place}[{number}]")
    elif before != now:
        difference = f"{place}: {before!r} became {now!r}"
        if not PROBED.search(difference):
            yield difference


def test_there_is_a_fixture():
    assert FIXTURES


def test_every_row_is_shown_as_before(copy: Copy):
    with copy.open() as opened:
        shown = {path: compatibility.show(opened, path) for path in copy.shown}
    assert list(_missing(copy.shown, shown)) == []


def test_the_backup_is_restored_and_every_row_of_it_is_shown_as_before(copy: Copy, tmp_path: Path):
    folder = tmp_path / "restored"
    folder.mkdir(mode=0o700)
    shutil.copy(copy.data / "master.key", folder)
    data_folder.restore(compatibility.settings(folder, copy.site), copy.backup, force=False)
    shutil.copy(copy.data / "credentials.toml", folder)
    with copy.open(folder) as opened:
        shown = {path: compatibility.show(opened, path) for path in copy.shown}
    assert list(_missing(copy.shown, shown)) == []


def test_the_data_folder_is_sound_after_the_migration(copy: Copy):
    with copy.open():
        pass
    findings, _ = data_folder.check_data(compatibility.settings(copy.data, copy.site))
    assert findings == []


@pytest.mark.parametrize("plane", PLANES)
def test_nothing_is_planned_for_a_gateway_that_nobody_changed(copy: Copy, plane: str):
    """A step here is a tunnel of every user that an upgrade interrupts."""
    planned = {
        gateway_id: [
            str(step)
            for step in small_world.plan(desired, loaded.from_json(copy.loaded[plane][gateway_id]))
            if type(step).__name__ not in PLANNED.get(copy.name, frozenset())
        ]
        for gateway_id, desired in _loaded_before(copy, plane).items()
    }
    assert planned == {gateway_id: [] for gateway_id in copy.loaded[plane]}


def test_a_tunnel_that_is_planned_differs_in_who_added_its_routes_alone(copy: Copy):
    for gateway_id, desired in _loaded_before(copy, "kernel").items():
        current = loaded.from_json(copy.loaded["kernel"][gateway_id])
        for step in small_world.plan(desired, current):
            if isinstance(step, network_steps.EnsureFilterTable):
                continue
            recorded = current.network.tunnels[tunnels.name(step.tunnel.if_id)]
            assert recorded.has_older_routes
            assert dataclasses.replace(recorded, has_older_routes=False) == step.tunnel


@pytest.mark.parametrize("plane", PLANES)
def test_every_connection_is_loaded_with_the_message_of_before(copy: Copy, plane: str):
    """Says which field of a message makes a plan: names of children hold fingerprints of the messages. They do not cover what charon does with
    the CHILD_SAs of a dead device, which is loaded in another way since.
    """
    for gateway_id, desired in _loaded_before(copy, plane).items():
        messages = {each.connection_id: each.conn for each in target.prepare(desired, plane).configs}
        recorded = copy.loaded[plane][gateway_id]["messages"]
        for child in (child for conn in recorded.values() for child in conn["children"].values()):
            child["dpd_action"] = "clear"
        assert messages == recorded


@pytest.mark.parametrize("plane", PLANES)
def test_a_connection_that_is_carried_now_touches_no_other(copy: Copy, plane: str):
    for gateway_id, desired in _desired(copy).items():
        there = copy.loaded[plane][gateway_id]
        plan = small_world.plan(desired, loaded.from_json(there))
        touched = {
            step.connection_id for step in plan if type(step).__name__ not in PLANNED.get(copy.name, frozenset())
        }
        assert touched.isdisjoint(there["connections"])


def test_a_message_with_one_more_default_is_planned_anew(copy: Copy, monkeypatch: pytest.MonkeyPatch):
    """The tests above can fail: this is the change that they are there for."""
    child_message = messages.child_message
    monkeypatch.setattr(messages, "child_message", lambda *given: child_message(*given) | {"policies_fwd_out": "no"})
    desired = _desired(copy)
    plans = [
        small_world.plan(each, loaded.from_json(copy.loaded["kernel"][gateway_id]))
        for gateway_id, each in desired.items()
    ]
    assert any(plans)


@pytest.mark.process
def test_this_version_makes_a_fixture_that_it_reads(made_now: Path, tmp_path: Path):
    copy = _copy(made_now, tmp_path)
    test_every_row_is_shown_as_before(copy)
    for plane in PLANES:
        test_nothing_is_planned_for_a_gateway_that_nobody_changed(copy, plane)
