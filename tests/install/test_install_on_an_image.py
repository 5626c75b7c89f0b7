"""`landbridge install --root`: everything that an installation writes, without a systemd that runs."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import landbridge
from lab import upgrade
from landbridge import paths
from landbridge.install import files, host, program

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This version as it is now: somebody may be working on the tree while the tests run."""
    return upgrade.another_version(tmp_path_factory.mktemp("source"), landbridge.__version__)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    """An image with this version installed; nobody changes it."""
    root = tmp_path_factory.mktemp("image")
    _install(root, source)
    return root


@pytest.fixture
def image(root: Path, tmp_path: Path) -> Path:
    """One to change. Its files are shared with `root`, so they are replaced, never written to."""
    subprocess.run(["cp", "-al", root, tmp_path / "image"], check=True)
    return tmp_path / "image"


def _replace(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def _install(root: Path, source: Path, *flags: str) -> str:
    """What the command prints; `source` has the version's package."""
    command = [sys.executable, "-m", "landbridge.cli.main", "install", "--root", str(root), *flags]
    environment = dict(os.environ, PYTHONPATH=str(source))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _tree(root: Path) -> dict[str, bytes | str]:
    """Everything below, with what is in it."""
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def _no_database() -> Callable[[], None]:
    raise AssertionError("nothing restarts here")


def _versions(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "opt/landbridge/versions").iterdir())


def _current(root: Path) -> Path:
    """The copy that the link leads to, seen from outside of the image."""
    return root / str((root / "opt/landbridge/current").readlink()).lstrip("/")


def test_the_copy_runs_by_itself_with_debians_python(root: Path):
    copy = _current(root)
    ours = str(REPOSITORY)
    code = "import sys, landbridge.cli.main, cryptography; print(landbridge.__file__, cryptography.__file__, *sys.path)"
    done = subprocess.run([copy / "bin/python", "-I", "-c", code], capture_output=True, text=True, check=True)
    assert str(copy / program.PACKAGES / "landbridge") in done.stdout
    assert ours not in done.stdout
    assert (copy / "bin/python").resolve() == program.PYTHON.resolve()


def test_the_copy_has_all_that_is_locked_and_nothing_else(root: Path):
    lines = (REPOSITORY / "requirements.txt").read_text()
    elsewhere = {"win-inet-pton"}  # by its marker
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lines, re.MULTILINE))
    found = {}
    for folder in (_current(root) / program.PACKAGES).glob("*.dist-info"):
        text = (folder / "METADATA").read_text()
        name = re.search(r"^Name: (.+)$", text, re.MULTILINE)[1]
        found[re.sub(r"[-_.]+", "-", name).lower()] = re.search(r"^Version: (.+)$", text, re.MULTILINE)[1]
    assert found.pop("landbridge") == landbridge.__version__
    assert found == {name: version for name, version in locked.items() if name not in elsewhere}


def test_the_launcher_belongs_to_its_own_copy(root: Path):
    copy = _current(root)
    assert (copy / "bin/landbridge").read_text().startswith(f"#!{files.OWN.versions}/{copy.name}/bin/python -I\n")
    assert str((root / "usr/local/bin/landbridge").readlink()) == "/opt/landbridge/current/bin/landbridge"
    assert os.access(copy / "bin/landbridge", os.X_OK)


def test_the_service_starts_with_the_host(root: Path):
    wanted = root / "etc/systemd/system/multi-user.target.wants/landbridge.service"
    assert str(wanted.readlink()) == "/etc/systemd/system/landbridge.service"


def test_installing_twice_changes_nothing(root: Path, source: Path):
    before = _tree(root)
    assert _install(root, source) == "everything is in place\n"
    assert _tree(root) == before


def test_a_dry_run_tells_everything_and_does_nothing(source: Path, tmp_path: Path):
    said = _install(tmp_path, source, "--dry-run")
    assert "landbridge.service" in said
    assert "landbridge-charon@.service" in said
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_without_systemd_tells_what_would_be_done_and_why_it_would_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(host, "BOOTED", tmp_path / "no-systemd")
    monkeypatch.setattr(program, "here", lambda: program.Program("1.0-test", {}))
    told = [step.text for step in host.plan_install(host.Host(), _no_database, dry_run=True)]
    assert told[0].startswith("refused here: systemd does not run here")
    assert any(text.startswith("copy landbridge 1.0-test") for text in told)
    with pytest.raises(host.HostError, match="systemd does not run here"):
        host.plan_install(host.Host(), _no_database)


def test_an_upgrade_turns_the_link_and_keeps_what_the_operator_wrote(image: Path, tmp_path: Path):
    (first,) = _versions(image)
    _replace(image / "etc/landbridge/site.toml", "# mine\n")
    _replace(image / "etc/landbridge/landbridge.toml", "[serve]\n")
    for number in ("97.0.0", "98.0.0"):
        _install(image, upgrade.another_version(tmp_path, number))
        assert _current(image).name.startswith(f"{number}-")
    assert (image / "etc/landbridge/site.toml").read_text() == "# mine\n"
    assert (image / "etc/landbridge/landbridge.toml").read_text() == "[serve]\n"
    # the one before is kept, to go back to
    assert [name.split("-")[0] for name in _versions(image)] == ["97.0.0", "98.0.0"]
    assert first not in _versions(image)


def test_another_content_is_another_copy_under_the_same_version(image: Path, tmp_path: Path):
    first = _current(image)
    before = _tree(first)
    changed = upgrade.another_version(tmp_path, landbridge.__version__)
    with (changed / "landbridge/errors.py").open("a") as file:
        file.write("# changed\n")
    _install(image, changed)
    assert _current(image) != first
    assert _current(image).name.startswith(f"{landbridge.__version__}-")
    assert _tree(first) == before


def test_a_copy_that_was_broken_off_is_made_anew(image: Path, source: Path):
    copy = _current(image)
    whole = _contents(copy)
    (copy / "bin/landbridge").unlink()
    _replace(copy / program.PACKAGES / "landbridge/errors.py", "half")
    _install(image, source)
    assert (copy / "bin/landbridge").exists()
    assert _contents(copy) == whole


def _contents(copy: Path) -> dict[str, bytes | str]:
    found = _tree(copy / program.PACKAGES)
    return {name: content for name, content in found.items() if not name.endswith(".pyc")}


def test_an_installed_program_installs_itself_elsewhere(root: Path, tmp_path: Path):
    """So a host without a network is served from one that has it."""
    command = [_current(root) / "bin/python", "-I", "-m", "landbridge.cli.main"]
    words = ["install", "--root", tmp_path, "--dry-run"]
    done = subprocess.run([*command, *words], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"copy landbridge {_current(root).name} to ")


@pytest.mark.parametrize(("flags", "kept"), [((), True), (("--purge",), False)], ids=["plain", "purge"])
def test_uninstalling_leaves_the_data_unless_it_is_told_to_purge(
    image: Path, landbridge: Run, flags: tuple[str, ...], *, kept: bool
):
    data = image / "var/lib/landbridge"
    data.mkdir(parents=True)
    (data / "landbridge.db").write_text("rows")
    done = landbridge("uninstall", "--root", str(image), *flags)
    assert done.returncode == 0, done.stderr
    left = {path for path in _tree(image) if "landbridge" in path}
    yours = {"etc/landbridge/landbridge.toml", "etc/landbridge/site.toml", "var/lib/landbridge/landbridge.db"}
    assert left == (yours if kept else set())
    assert not (image / "etc/needrestart").exists()


def test_units_find_the_files_of_gateways_in_one_folder(root: Path, landbridge: Run, tmp_path: Path):
    text = (root / "etc/landbridge/landbridge.toml").read_text()
    site = root / files.SITE.lstrip("/")
    named = text.replace(files.SITE, str(site)).replace("[serve]", '[serve]\ndata = "/srv/landbridge"')
    (tmp_path / "landbridge.toml").write_text(named)
    refused = (
        "landbridge: [serve] data: /srv/landbridge is not allowed with [engine] systemd = true (/var/lib/landbridge,"
    )
    for command in (
        ("check-config", "--files-only"),
        ("serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data")),
    ):
        done = landbridge(*command, "--config", str(tmp_path / "landbridge.toml"))
        assert done.returncode == 1
        assert (
            refused.replace("/srv/landbridge", str(tmp_path / "data") if "serve" in command else "/srv/landbridge")
            in done.stderr
        )
        assert done.stderr.count("\n") == 1


def test_uninstalling_takes_down_the_tunnels_of_the_settings_folder_and_of_the_units_folder(
    landbridge: Run, tmp_path: Path
):
    done = landbridge("uninstall", "--dry-run", "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"take down the tunnels of {tmp_path}\ntake down the tunnels of {paths.DATA}\n" in done.stdout


EXEC_STARTS = {
    "{ path=/opt/x ; argv[]=/opt/x serve --config /etc/landbridge/landbridge.toml --data /var/lib/landbridge ; ignore_errors=no }": (
        "/var/lib/landbridge"
    ),
    "{ path=/opt/x ; argv[]=/opt/x serve --data=/srv/a --config /etc/x ; ignore_errors=no }": "/srv/a",
    "{ path=/opt/x ; argv[]=/opt/x serve --data /srv/a b ; ignore_errors=no ; start_time=[n/a] }": "/srv/a b",
    '{ path=/opt/x ; argv[]=/opt/x serve --data "/srv/a b" --config /etc/x ; ignore_errors=no }': "/srv/a b",
    "/opt/x serve --data /srv/a b": "/srv/a b",
    "{ path=/opt/x ; argv[]=/opt/x serve --config /etc/x ; ignore_errors=no }": None,
    "": None,
}


@pytest.mark.parametrize(("shown", "folder"), EXEC_STARTS.items())
def test_the_command_line_of_the_unit_names_the_data_folder(shown: str, folder: str | None):
    assert host.named_folder(shown) == folder


def test_the_written_configuration_is_a_valid_one(root: Path, landbridge: Run, tmp_path: Path):
    text = (root / "etc/landbridge/landbridge.toml").read_text()
    (tmp_path / "landbridge.toml").write_text(text.replace(files.SITE, str(root / files.SITE.lstrip("/"))))
    done = landbridge("check-config", "--config", str(tmp_path / "landbridge.toml"))
    assert done.returncode == 0, done.stderr
    assert "[engine] systemd = True" in done.stdout


def test_the_configuration_of_an_earlier_installation_is_a_valid_one(landbridge: Run, tmp_path: Path):
    """An upgrade reads it with the new program before anything changes, and never rewrites it."""
    path = tmp_path / "landbridge.toml"
    path.write_text('[engine]\ncharon_unit = "landbridge-charon@"\nsockets = "/run/landbridge"\n')
    done = landbridge("check-config", "--files-only", "--config", str(path))
    assert done.returncode == 0, done.stderr
    assert "[engine] systemd = True" in done.stdout
    assert done.stderr.count("is no longer a setting") == 2


@pytest.mark.parametrize(
    "unit",
    ["landbridge.service", f"{paths.CHARON_UNIT}0123456789ab.service", f"{paths.BIRD_UNIT}0123456789ab.service"],
)
def test_systemd_finds_nothing_wrong_with_a_unit(root: Path, tmp_path: Path, unit: str):
    name = re.sub(r"@.*\.", "@.", unit)
    text = (root / "etc/systemd/system" / name).read_text()
    (tmp_path / name).write_text(text.replace("/opt/landbridge/current", str(_current(root))))
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / unit], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "landbridge" in line] == []
    assert done.returncode == 0, done.stderr


def test_the_service_has_no_mount_namespace_of_its_own():
    """What `ip netns add` mounts there must be seen by the host and by the charons."""
    text = files.managed(files.OWN)[f"{files.OWN.units}/{files.SERVICE}"]
    keys = {line.split("=")[0] for line in text.splitlines() if "=" in line and not line.startswith("#")}
    private = re.compile(
        r"Private|Protect(?!Clock)|ReadOnly|ReadWrite|Inaccessible|Temporary|Bind|Root|Mount|DynamicUser"
    )
    assert [key for key in keys if private.match(key)] == []


@pytest.mark.parametrize("unit", [files.SERVICE, f"{paths.CHARON_UNIT}.service", f"{paths.BIRD_UNIT}.service"])
def test_no_unit_writes_core_files(unit: str):
    assert "LimitCORE=0" in files.managed(files.OWN)[f"{files.OWN.units}/{unit}"].splitlines()


def test_of_the_data_a_bird_sees_the_folder_of_its_gateway_alone():
    lines = files.managed(files.OWN)[f"{files.OWN.units}/{paths.BIRD_UNIT}.service"].splitlines()
    seen = f"{paths.DATA}/{paths.ENGINE}/%i"
    assert {f"TemporaryFileSystem={paths.DATA}:ro", f"BindPaths={seen}", f"InaccessiblePaths=-{files.ETC}"} <= set(
        lines
    )
    writable = [line for line in lines if line.startswith(("ReadWritePaths=", "BindPaths="))]
    assert writable == [f"ReadWritePaths={paths.RUN}", f"BindPaths={seen}"]


def test_a_charon_has_bounds_of_memory_tasks_and_processors():
    lines = files.managed(files.OWN)[f"{files.OWN.units}/{paths.CHARON_UNIT}.service"].splitlines()
    assert {"MemoryHigh=768M", "MemoryMax=1G", "TasksMax=128", "CPUWeight=100"} <= set(lines)


def test_no_unit_binds_a_charon_to_the_service():
    text = files.managed(files.OWN)[f"{files.OWN.units}/{paths.CHARON_UNIT}.service"]
    bonds = re.compile(r"^(Requires|Requisite|BindsTo|PartOf|Upholds|Conflicts|Slice)=", re.MULTILINE)
    assert bonds.findall(text) == []


#: What needrestart does with its files: `eval` of each, then the first pattern that a unit's name matches. 1: it restarts the unit.
NEEDRESTART = r"""
our %nrconf = (override_rc => { qr(^bird) => 0, qr(^(open|free|libre|strong)swan) => 0 });
eval do { local(@ARGV, $/) = shift; <> }; die $@ if $@;
for my $rc (@ARGV) {
    my $restart = 1;
    foreach my $re (keys %{$nrconf{override_rc}}) {
        next unless ($rc =~ /$re/);
        $restart = $nrconf{override_rc}->{$re};
        last;
    }
    print "$rc $restart\n";
}
"""


@pytest.mark.parametrize("layout", [files.OWN, files.PACKAGE])
def test_needrestart_leaves_the_daemons_of_gateways_to_the_operator(layout: files.Layout, tmp_path: Path):
    """Source: `needrestart` of Debian's package needrestart 3.6, which has override_rc in needrestart.conf and reads conf.d at its end."""
    (tmp_path / "landbridge.conf").write_text(files.managed(layout)[layout.needrestart])
    ours = [f"{kind}0123456789ab.service" for kind in (paths.CHARON_UNIT, paths.BIRD_UNIT)]
    others = [files.SERVICE, "nginx.service"]  # a restart of our service touches no tunnel
    command = ["perl", "-w", "-e", NEEDRESTART, tmp_path / "landbridge.conf", *ours, *others, "bird.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    found = dict(line.split() for line in done.stdout.splitlines())
    assert found == {**dict.fromkeys(ours, "0"), **dict.fromkeys(others, "1"), "bird.service": "0"}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--root", "/does/not/exist"), "--root /does/not/exist: is not a folder"),
        ((), "systemd does not run here: use `landbridge serve`, or --root for an image of another host"),
    ],
    ids=["no such root", "no systemd"],
)
def test_a_host_that_cannot_be_installed_on_is_refused(landbridge: Any, flags: tuple[str, ...], said: str):
    done = landbridge("install", *flags)
    assert (done.returncode, done.stderr) == (1, f"landbridge: {said}\n")


def test_a_python_that_is_not_debians_is_told_how_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An upgrade from Debian 12 to 13 takes Python 3.11 away; what was compiled for it runs on no other version."""
    monkeypatch.setattr(program, "PYTHON", Path("/usr/bin/python3.9"))
    with pytest.raises(host.HostError, match=r"lacks /usr/bin/python3\.9, .* anew with /usr/bin/python3, and install"):
        host.plan_install(host.Host(tmp_path), _no_database)


def test_a_copy_runs_on_the_version_of_python_that_it_was_copied_from(root: Path):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    code = "import sys; print(sys.version_info.major, sys.version_info.minor, sep='.')"
    done = subprocess.run([_current(root) / "bin/python", "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == version
    assert (_current(root) / program.PACKAGES).parts[-2:] == (f"python{version}", "site-packages")
