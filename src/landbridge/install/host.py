"""What an installation changes on a host, as steps that can be printed before they are done.

A plan has a step for each thing that is not as it should be. The order of its steps keeps the service running: the new program is
copied and reads the configuration before the link changes to it. When the service does not start with the new program, a migration of
the database is undone and the link changes back. No step touches a charon; uninstall stops the engine first. With another `root` than / the plan is for an image, where
no service runs.

The Debian package's scripts take the same plans with the layout PACKAGE. There dpkg has written the files of `files.managed`, and the program lies on the host.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from landbridge import errors, paths
from landbridge.install import files, program

#: A packaged unit -> where its configuration would be, and the words that begin what it would do.
_PACKAGED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "strongswan.service": (("/etc/swanctl/swanctl.conf", "/etc/swanctl/conf.d"), ("connections",)),
    "strongswan-starter.service": (("/etc/ipsec.conf", "/etc/ipsec.d"), ("conn ",)),
    "bird.service": (
        ("/etc/bird/bird.conf", "/etc/bird"),
        ("include ", "route ", *(f"protocol {name}" for name in ("bgp", "ospf", "rip", "babel", "rpki", "pipe"))),
    ),
}
BOOTED = Path(paths.SYSTEMD)
NO_ROOT = "this must be done by root"
#: Called before the service starts anew. Returns a function that undoes a migration of the database since then. Both raise LandbridgeError.
WatchMigration = Callable[[], Callable[[], None]]
_BY_PACKAGE = "this machine has the Debian package landbridge: apt-get installs, upgrades and removes it"


class HostError(errors.LandbridgeError):
    """This host cannot carry an installation, or a step did not work; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `text` says what it does; a step whose `do` is None only says something."""

    text: str
    do: Callable[[], object] | None


@dataclass(frozen=True, slots=True)
class Host:
    root: Path = Path("/")
    layout: files.Layout = files.OWN

    @property
    def runs(self) -> bool:
        """Whether the service can run here. The Debian package can also be installed into an image of a system, where no systemd runs."""
        return self.root == Path("/") and (not self.is_packaged or BOOTED.is_dir())

    @property
    def is_packaged(self) -> bool:
        return self.layout is files.PACKAGE

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")


def run(steps: Sequence[Step]) -> Iterator[str]:
    """Does the steps, and yields each step's text before. Raises HostError at the first step that fails."""
    for step in steps:
        yield step.text
        if step.do is None:
            continue
        try:
            step.do()
        except subprocess.CalledProcessError as error:
            output = (error.stderr or b"").decode(errors="replace").strip().splitlines()
            raise HostError(f"could not {step.text}: {output[-1] if output else error}") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise HostError(f"could not {step.text}: {error}") from None


def data_folder(configured: str) -> str:
    """The data folder of this host's service: the one in the command line of its unit (`systemctl edit` may change it), else the one of its settings."""
    return named_folder(_systemctl_says("show", "--property=ExecStart", "--value", files.SERVICE)) or configured


def named_folder(command: str) -> str | None:
    """The data folder in the command line of a unit, as systemd shows it: words are not quoted, and a folder may have spaces."""
    folders = re.findall(r"\s--data[ =](.+?)(?=\s+--|\s+;|\s*$)", command)
    return folders[-1].strip('"') if folders else None


def plan_install(host: Host, watch_migration: WatchMigration, *, dry_run: bool = False) -> list[Step]:
    """The steps of an installation or an upgrade. Raises HostError when this cannot be a gateway's host; with `dry_run` the reason is
    a step that does nothing.
    """
    obstacles = list(_find_obstacles(host))
    if obstacles and not dry_run:
        raise HostError(obstacles[0])
    steps = [Step(f"refused here: {obstacle}", None) for obstacle in obstacles]
    return steps + _plan_install(host, watch_migration)


def _plan_install(host: Host, watch_migration: WatchMigration) -> list[Step]:
    new, layout = program.here(), host.layout
    target = f"{layout.versions}/{new.name}"
    folder = host.at(target)
    steps = []
    if not program.is_whole(folder):
        copy = partial(program.link, host.at(files.PACKAGED)) if host.is_packaged else partial(program.copy, new)
        steps.append(Step(f"copy landbridge {new.name} to {folder}", partial(copy, folder, target)))
    steps += [_write(host, path, text) for path, text in files.INITIAL_FILES.items() if not host.at(path).exists()]
    if host.runs and steps:
        steps.append(Step("read the configuration with the new program", partial(_read_configuration, folder)))
    managed = {} if host.is_packaged else files.managed(layout)
    steps += [_write(host, path, text) for path, text in managed.items() if not _has_text(host.at(path), text)]
    old = files.OWN if host.is_packaged and os.path.lexists(host.at(files.OWN.home)) else None
    before = _target(host.at(layout.current)) or (_target(host.at(old.current)) if old else None)
    if before != target:
        steps.append(_link(host, layout.current, target))
    if not host.is_packaged and _target(host.at(layout.command)) != f"{layout.current}/bin/landbridge":
        steps.append(_link(host, layout.command, f"{layout.current}/bin/landbridge"))
    steps += _plan_handover(host, old) if old else []
    restart = partial(_restart, host, before, watch_migration)
    steps += _plan_enable(host, steps) + (_plan_start(host, steps, target, restart) if host.runs else [])
    steps += [_remove(host, old.home)] if old else []
    return steps + (_plan_sweep(host, {target, before}) if before != target else [])


def _plan_handover(host: Host, old: files.Layout) -> list[Step]:
    """Steps that hand an installation over to the Debian package. Its daemons run on; their units have the same names."""
    existing = [path for path in (*files.managed(old), old.command) if os.path.lexists(host.at(path))]
    steps = [_remove(host, path) for path in existing]
    if f"{old.units}/{files.SERVICE}" in existing:
        steps.insert(0, Step(f"disable {files.SERVICE} of {old.home}", partial(_systemctl, "disable", files.SERVICE)))
    if host.at(old.switched_off).exists():
        keep = partial(host.at(old.switched_off).replace, host.at(host.layout.switched_off))
        steps.append(Step(f"keep {host.at(old.switched_off)}", keep))
    return steps


def _plan_enable(host: Host, earlier: list[Step]) -> list[Step]:
    if host.is_packaged:
        return [Step(f"enable {files.SERVICE} unless somebody has disabled it", _enable_as_debian_does)]
    if not host.runs:
        enable = partial(_systemctl, "--root", str(host.root), "enable", files.SERVICE)
        return [Step(f"enable {files.SERVICE}", enable)] if earlier else []
    if _systemctl_says("is-enabled", files.SERVICE) != "enabled":
        return [Step(f"enable {files.SERVICE}", partial(_systemctl, "enable", files.SERVICE))]
    return []


def _enable_as_debian_does() -> None:
    """As the scripts that debhelper writes: a service that was disabled stays so (deb-systemd-helper(1p))."""
    asking = ["deb-systemd-helper", "--quiet", "was-enabled", files.SERVICE]
    is_enabled = subprocess.run(asking, check=False).returncode == 0  # noqa: S603
    doing = ["deb-systemd-helper", "enable" if is_enabled else "update-state", files.SERVICE]
    subprocess.run(doing, check=True, capture_output=True)  # noqa: S603


def _plan_start(host: Host, earlier: list[Step], target: str, restart: Callable[[], None]) -> list[Step]:
    steps = _plan_switch_off(host)
    if earlier or not _is_running(target):
        steps.append(Step(f"start {files.SERVICE} anew; tunnels stay up", restart))
    return steps


def _is_running(target: str) -> bool:
    """Whether the service runs from this copy: an interrupted installation may have changed the link alone."""
    pid = _systemctl_says("show", "--property=MainPID", "--value", files.SERVICE)
    try:
        return f"{target}/".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def _check_root() -> None:
    if os.geteuid() != 0:
        raise HostError(NO_ROOT)


def _find_obstacles(host: Host) -> Iterator[str]:
    """The reasons why this cannot be a gateway's host."""
    if os.geteuid() != 0:
        yield NO_ROOT
    yield from _find_other_mechanism(host)
    if not program.PYTHON.exists():
        yield (
            f"this host lacks {program.PYTHON}, the Python of this program: "
            "make its virtual environment anew with /usr/bin/python3, and install from there"
        )
    if not host.runs and not host.root.is_dir():
        yield f"--root {host.root}: is not a folder"
    if host.runs and not BOOTED.is_dir():
        yield "systemd does not run here: use `landbridge serve`, or --root for an image of another host"


def _find_other_mechanism(host: Host) -> Iterator[str]:
    """The reason why this command must not change the installation of this host."""
    packaged = host.at(files.PACKAGE.home).is_dir()
    if packaged and not host.is_packaged:
        yield _BY_PACKAGE
    if host.is_packaged and not packaged:
        yield f"--package is for the scripts of the Debian package, and this machine lacks {files.PACKAGE.home}"


def _read_configuration(folder: Path) -> None:
    command = [f"{folder}/bin/landbridge", "check-config", "--files-only", "--config", files.CONFIGURATION]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603


def _restart(host: Host, before: str | None, watch_migration: WatchMigration) -> None:
    undo_migration = watch_migration()
    _systemctl("daemon-reload")
    subprocess.run(["sysctl", "--quiet", "--load", host.layout.sysctl], check=True, capture_output=True)  # noqa: S607, S603
    current = host.at(host.layout.current)
    # The local policy of Debian (policy-rc.d) says whether a package may start its service.
    restart = ["deb-systemd-invoke" if host.is_packaged else "systemctl", "restart", files.SERVICE]
    try:
        subprocess.run(restart, check=True, capture_output=True)  # noqa: S603
    except subprocess.CalledProcessError:
        why = _last_line()
        _systemctl("stop", files.SERVICE)  # systemd would start it again and again
        if before is None or before == _target(current) or not host.at(before).is_dir():
            raise HostError(f"{files.SERVICE} does not start: {why}") from None
        try:
            undo_migration()
        except errors.LandbridgeError as error:
            raise HostError(
                f"the new version does not start ({why}), and the migrated database could not be put back: {error}"
            ) from None
        _replace_link(current, before)
        _systemctl("restart", files.SERVICE)
        raise HostError(f"the new version does not start ({why}); {Path(before).name} runs again") from None


def _last_line() -> str:
    command = ["journalctl", "--quiet", "--unit", files.SERVICE, "--lines", "30", "--output", "cat"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    output = [line for line in done.stdout.splitlines() if line.startswith("landbridge: ")]
    return output[-1].removeprefix("landbridge: ") if output else f"see journalctl -u {files.SERVICE}"


def _plan_switch_off(host: Host) -> list[Step]:
    """Steps that switch off packaged units that do nothing for this host: without connections strongSwan's still take UDP 500 and 4500 of the
    host, and BIRD's waits for a configuration.
    """
    steps = []
    for unit, (places, words) in _PACKAGED.items():
        if _systemctl_says("is-enabled", unit) != "enabled" and _systemctl_says("is-active", unit) != "active":
            continue
        if any(_is_configured(host.at(place), words) for place in places):
            steps.append(Step(f"leave {unit} alone: it has a configuration of its own", None))
        else:
            steps.append(Step(f"switch off {unit}, which is not configured", partial(_switch_off, host, unit)))
    return steps


def _is_configured(place: Path, words: tuple[str, ...]) -> bool:
    files = place.glob("*.conf") if place.is_dir() else [place]
    lines = [line.strip() for path in files if path.is_file() for line in path.read_text(errors="replace").splitlines()]
    return any(line.startswith(words) for line in lines)


def _switch_off(host: Host, unit: str) -> None:
    with host.at(host.layout.switched_off).open("a") as record:
        record.write(f"{unit}\n")
    _systemctl("disable", "--now", unit)


def _plan_sweep(host: Host, kept: set[str | None]) -> list[Step]:
    """Steps that remove old versions. `kept` are the new version and the one before, to which a user may go back."""
    versions = host.at(host.layout.versions)
    names = {Path(name).name for name in kept if name}
    old = sorted(versions.iterdir()) if versions.is_dir() else []
    return [Step(f"remove {path}", partial(shutil.rmtree, path)) for path in old if path.name not in names]


def plan_stop(host: Host) -> list[Step]:
    """The steps before the engine is stopped. Raises HostError."""
    _check_root()
    for obstacle in _find_other_mechanism(host):
        raise HostError(obstacle)
    if not host.runs or _systemctl_says("is-active", files.SERVICE) not in {"active", "activating", "reloading"}:
        return []
    return [Step(f"stop {files.SERVICE}", partial(_systemctl, "stop", files.SERVICE))]


def plan_uninstall(host: Host, *, purge: bool) -> list[Step]:
    """The steps after the engine was stopped. Only `purge` removes the data and the configuration. dpkg removes what it brought itself."""
    layout, steps = host.layout, []
    folders_to_delete = [layout.current, paths.RUN]
    if not host.is_packaged:
        if host.at(f"{layout.units}/{files.SERVICE}").exists():
            where = () if host.runs else ("--root", str(host.root))
            steps.append(Step(f"disable {files.SERVICE}", partial(_systemctl, *where, "disable", files.SERVICE)))
        folders_to_delete = [*files.managed(layout), layout.command, *folders_to_delete]
    folders_to_delete += [files.ETC, paths.DATA] if purge else []
    steps += [_remove(host, path) for path in folders_to_delete if os.path.lexists(host.at(path))]
    if layout.needrestart in folders_to_delete:
        folder = host.at(layout.needrestart).parent
        steps += [Step(f"remove {folder} if it is empty", partial(_remove_empty, folder))] if folder.is_dir() else []
    if host.runs and steps:
        steps.append(Step("let systemd read its units again", partial(_systemctl, "daemon-reload")))
    switched_off = _switched_off(host) if host.runs else []
    steps += [Step(f"switch {unit} on again", partial(_systemctl, "enable", "--now", unit)) for unit in switched_off]
    left = [layout.versions, layout.switched_off] if host.is_packaged else [layout.home]
    return steps + [_remove(host, path) for path in left if host.at(path).exists()]


def _switched_off(host: Host) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(set(host.at(host.layout.switched_off).read_text().split()))
    return []


def _write(host: Host, path: str, text: str) -> Step:
    def do() -> None:
        target = host.at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        fresh.write_text(text)
        fresh.chmod(0o600 if path in files.INITIAL_FILES else 0o644)
        fresh.rename(target)

    return Step(f"write {host.at(path)}", do)


def _has_text(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def _target(link: Path) -> str | None:
    return str(link.readlink()) if link.is_symlink() else None


def _link(host: Host, path: str, target: str) -> Step:
    return Step(f"link {host.at(path)} to {target}", partial(_replace_link, host.at(path), target))


def _replace_link(link: Path, target: str) -> None:
    """Replaces the link atomically: a program that follows it finds the old target or the new one."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(link)


def _remove(host: Host, path: str) -> Step:
    target = host.at(path)
    folder = target.is_dir() and not target.is_symlink()
    return Step(f"remove {target}", partial(shutil.rmtree, target) if folder else target.unlink)


def _remove_empty(folder: Path) -> None:
    """Removes a folder and the one above it, unless something is there."""
    for path in (folder, folder.parent):
        with contextlib.suppress(OSError):
            path.rmdir()


def _systemctl(*words: str) -> None:
    subprocess.run(["systemctl", *words], check=True, capture_output=True)  # noqa: S603, S607


def _systemctl_says(*question: str) -> str:
    """The output of systemctl; empty where systemd does not run."""
    if not BOOTED.is_dir():
        return ""
    done = subprocess.run(["systemctl", *question], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip()
