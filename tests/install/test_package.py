"""The Debian package: what `python -m lab.deb` builds, and what dpkg does with it on a copy of this machine's files, where no systemd runs.

`tests/kernel/test_package.py` has the machine with a systemd and a tunnel.
"""

import contextlib
import fcntl
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import landbridge
from lab import deb, debian_packages, upgrade
from landbridge import paths
from landbridge.engine.strongswan import machine as engine_machine
from landbridge.engine.strongswan import requirements
from landbridge.install import files, program

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
#: Files that dpkg writes for itself, and man's cache, which a trigger of dpkg fills anew.
OF_DPKG = re.compile(
    r"/var/(lib/dpkg|log/dpkg\.log|log/alternatives\.log|cache/(man|ldconfig|debconf)|lib/systemd/catalog)"
)
#: A memory file system in a mount namespace of its own, over this machine's files. It is gone with its process.
MACHINE = """\
mount -t tmpfs -o size=2G memory {folder}
cd {folder}
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work overlay root
mount -t tmpfs run root/run
mount -t proc proc root/proc
mount --rbind /dev root/dev
mkdir root/run/packages
mount --bind {packages} root/run/packages
echo ready
exec sleep infinity
"""


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with this version and the next one. The workers of pytest-xdist share it: the first that needs it builds, the last removes it."""
    run = tmp_path_factory.getbasetemp()
    run = run.parent if "PYTEST_XDIST_WORKER" in os.environ else run
    out = run / "packages"
    with (run / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            for number in (upgrade.NOW, upgrade.NEXT):
                upgrade.build_package(upgrade.another_version(tmp_path_factory.mktemp("source"), number), run / "built")
            (run / "built").rename(out)
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield out
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(out)  # hundreds of megabytes


@pytest.fixture(scope="module")
def now(packages: Path) -> Path:
    return upgrade.package(packages, upgrade.NOW)


@pytest.fixture(scope="module")
def tree(now: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the package brings."""
    folder = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "--raw-extract", now, folder], check=True)
    yield folder
    shutil.rmtree(folder)


def _control(package: Path) -> dict[str, str]:
    text = subprocess.run(["dpkg-deb", "--field", package], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))


@dataclass(frozen=True, slots=True)
class Machine:
    """A copy of this machine's files. `pid` holds its mounts."""

    folder: Path
    pid: int

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        inside = ["nsenter", f"--target={self.pid}", "--mount", "chroot", str(self.folder / "root"), *command]
        return subprocess.run(inside, capture_output=True, text=True, check=False, cwd="/")

    def does(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self, number: str) -> "subprocess.CompletedProcess[str]":
        return self.run("sh", "-c", f"exec dpkg --install /run/packages/landbridge_{number}~*.deb")

    def at(self, path: str) -> Path:
        """A path of the machine, for this process."""
        return Path(f"/proc/{self.pid}/root{self.folder}/root{path}")

    def changed(self) -> set[str]:
        """What differs from the machine that it copied, but for folders that both have."""
        upper = Path(f"/proc/{self.pid}/root{self.folder}/upper")
        found = (
            path for path in upper.rglob("*") if not (path.is_dir() and Path("/", path.relative_to(upper)).is_dir())
        )
        return {f"/{path.relative_to(upper)}" for path in found}


@contextlib.contextmanager
def _machine(folder: Path, packages: Path) -> Iterator[Machine]:
    script = MACHINE.format(folder=folder, packages=packages)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Machine(folder, process.pid)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> Iterator[Machine]:
    """A machine with the package installed. No test changes it."""
    with _machine(tmp_path_factory.mktemp("machine"), packages) as machine:
        done = machine.install(upgrade.NOW)
        assert done.returncode == 0, done.stdout + done.stderr
        yield machine


def test_two_builds_from_two_folders_are_the_same_bytes(now: Path, tmp_path: Path):
    again = upgrade.build_package(upgrade.another_version(tmp_path, upgrade.NOW), tmp_path / "out")
    assert again.name == now.name
    assert _digest(again) == _digest(now)
    again.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_nothing_in_the_package_names_the_folder_in_which_it_was_built(tree: Path):
    ours = str(ROOT).encode()
    assert [path for path in tree.rglob("*") if path.is_file() and ours in path.read_bytes()] == []


def test_the_package_is_of_this_version_for_this_debian_and_needs_what_the_engine_needs(now: Path):
    control = _control(now)
    depends = set(control["Depends"].split(", "))
    assert control["Version"] == deb.debian_version()
    assert re.fullmatch(rf"{re.escape(landbridge.__version__)}~deb\d+", control["Version"])
    assert program.PYTHON.name in depends
    assert set(engine_machine._NEEDED.values()) <= depends
    assert set(requirements._COMMANDS.values()) - {"util-linux"} <= depends  # which every Debian has
    assert {"bird2", "libcharon-extra-plugins", "procps", "systemd"} <= depends


def test_the_version_of_a_later_debian_is_an_upgrade(now: Path):
    version = _control(now)["Version"]
    release = int(version.rpartition("deb")[2])
    later = version.replace(f"~deb{release}", f"~deb{release + 1}")
    assert subprocess.run(["dpkg", "--compare-versions", version, "lt", later], check=False).returncode == 0


def test_its_files_belong_to_root_and_none_lies_where_an_operator_writes(now: Path):
    listed = subprocess.run(["dpkg-deb", "--contents", now], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=5) for line in listed.splitlines()]
    assert {row[1] for row in rows} == {"root/root"}
    assert {row[0] for row in rows} <= {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}
    outside = [row[5] for row in rows if not row[5].startswith("./usr/") and not row[5].endswith("/")]
    assert outside == [f".{files.PACKAGE.needrestart}"]
    conffiles = subprocess.run(["dpkg-deb", "--info", now, "conffiles"], capture_output=True, text=True, check=True)
    assert conffiles.stdout == f"{files.PACKAGE.needrestart}\n"
    assert not any(row[5].startswith("./usr/local") for row in rows)


def test_the_units_and_the_sysctl_file_are_those_that_an_installation_writes(tree: Path):
    for path, text in files.managed(files.PACKAGE).items():
        assert (tree / path.lstrip("/")).read_text() == text
    assert files.PACKAGE.current in (tree / "usr/lib/systemd/system/landbridge.service").read_text()


def test_links_and_texts_are_as_debian_wants_them(tree: Path, now: Path):
    """Source: Debian Policy 10.5 and 3.4. lintian reports what differs; CONTRIBUTING.md has its command."""
    links = {path.relative_to(tree): path.readlink() for path in tree.rglob("*") if path.is_symlink()}
    command = Path(files.PACKAGE.command.lstrip("/"))
    assert os.path.normpath(Path("/", command.parent, links.pop(command))) == f"{files.PACKAGE.current}/bin/landbridge"
    assert links == {Path(files.PACKAGED.lstrip("/"), "bin/python"): program.PYTHON}
    text = subprocess.run(["dpkg-deb", "--field", now, "Description"], capture_output=True, text=True, check=True)
    assert max(len(line) for line in text.stdout.splitlines()) < 80
    overrides = (tree / "usr/share/lintian/overrides/landbridge").read_text()
    assert overrides == (ROOT / "debian/lintian-overrides").read_text()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_sound_in_the_eyes_of_sh_and_shellcheck(tree: Path, script: str):
    path = tree / "DEBIAN" / script
    assert os.access(path, os.X_OK)
    unpacked = debian_packages.fetch("shellcheck")
    libraries = ":".join(str(path) for path in unpacked.glob("usr/lib/*-linux-gnu"))
    for command in (["sh", "-n", path], [unpacked / "usr/bin/shellcheck", path]):
        environment = dict(os.environ, LD_LIBRARY_PATH=libraries)
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr


def test_bash_reads_the_completion(tree: Path):
    subprocess.run(["bash", "-n", tree / deb.COMPLETIONS["bash"]], check=True)
    for path in deb.COMPLETIONS.values():
        assert "_LANDBRIDGE_COMPLETE" in (tree / path).read_text()


def test_the_page_of_man_names_each_command(tree: Path):
    text = gzip.decompress((tree / "usr/share/man/man1/landbridge.1.gz").read_bytes()).decode()
    for command in ("landbridge serve", r"landbridge customer\-gateway create", "landbridge db check"):
        assert f"\n.TP\n.B {command}\n" in text


def test_the_copyright_names_every_python_package_with_a_licence(tree: Path):
    text = (tree / deb.DOC / "copyright").read_text()
    for name in program.requirements():
        assert re.search(rf"^  {re.escape(name)} [\w.]+: (?!see)\S", text, re.MULTILINE), name


def test_the_program_that_runs_is_a_copy_in_hard_links(machine: Machine):
    current = str(machine.at(files.PACKAGE.current).readlink())
    assert re.fullmatch(rf"{files.PACKAGE.versions}/{re.escape(upgrade.NOW)}-[0-9a-f]{{8}}", current)
    module = f"{program.PACKAGES}/landbridge/errors.py"
    assert machine.at(f"{current}/{module}").samefile(machine.at(f"{files.PACKAGED}/{module}"))
    assert machine.does("landbridge", "--version") == f"{upgrade.NOW}\n"
    where = "import landbridge; print(landbridge.__file__)"
    assert machine.does(f"{current}/bin/python", "-I", "-c", where).startswith(current)


def test_dpkg_finds_every_file_as_it_was_packed(machine: Machine):
    assert machine.does("dpkg", "--verify", "landbridge") == ""


def test_the_service_starts_with_the_machine_and_its_settings_are_for_root_alone(machine: Machine):
    wanted = machine.at("/etc/systemd/system/multi-user.target.wants/landbridge.service")
    assert wanted.is_symlink()
    assert machine.at("/usr/lib/systemd/system/landbridge.service").exists()
    for path in files.INITIAL_FILES:
        assert machine.at(path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_the_other_way_to_install_is_refused_on_a_machine_with_the_package(machine: Machine, command: str):
    before = machine.changed()
    done = machine.run("landbridge", command)
    assert done.returncode == 1
    assert "this machine has the Debian package landbridge: apt-get installs, upgrades and removes it" in done.stderr
    assert machine.changed() == before


def test_what_is_for_the_package_is_refused_on_a_machine_without_it(tmp_path: Path):
    command = [sys.executable, "-m", "landbridge.cli.main", "install", "--package", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"this machine lacks {files.PACKAGE.home}" in done.stderr
    assert list(tmp_path.iterdir()) == []


#: A database of which only the schema is known.
DATABASE = """
import pathlib, sqlite3, sys

path = pathlib.Path(sys.argv[1])
path.parent.mkdir(exist_ok=True)
path.unlink(missing_ok=True)
with sqlite3.connect(path) as database:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE alembic_version (version_num)")
    database.execute("INSERT INTO alembic_version VALUES (?)", (sys.argv[2],))
database.close()
"""


def _write_database(machine: Machine, schema: str, folder: str = paths.DATA) -> None:
    machine.does("python3", "-c", DATABASE, f"{folder}/{paths.DATABASE}", schema)


def test_a_life_of_the_package(tmp_path: Path, packages: Path):
    """Install, upgrade, a downgrade that is refused and one that is not, remove, install again, purge."""
    with _machine(tmp_path, packages) as machine:
        assert machine.changed() == set()
        machine.install(upgrade.NOW)
        machine.at(files.SITE).write_text("# mine\n")
        machine.does("systemctl", "disable", files.SERVICE)

        done = machine.install(upgrade.NEXT)
        assert done.returncode == 0, done.stderr
        assert machine.does("landbridge", "--version") == f"{upgrade.NEXT}\n"
        assert machine.at(files.SITE).read_text() == "# mine\n"
        wanted = machine.at("/etc/systemd/system/multi-user.target.wants/landbridge.service")
        assert not wanted.is_symlink()  # who disabled it, keeps it so
        versions = sorted(path.name.split("-")[0] for path in machine.at(files.PACKAGE.versions).iterdir())
        assert versions == [upgrade.NOW, upgrade.NEXT]  # the one before is kept whole: it may still run
        (old,) = machine.at(files.PACKAGE.versions).glob(f"{upgrade.NOW}-*")
        said = machine.does(f"{files.PACKAGE.versions}/{old.name}/bin/landbridge", "--version")
        assert said == f"{upgrade.NOW}\n"

        _write_database(machine, "9999")
        before = machine.does("dpkg-query", "--show", "landbridge")
        done = machine.install(upgrade.NOW)
        assert done.returncode != 0
        assert f"{paths.DATA}/{paths.DATABASE} has the schema 9999 of a newer version" in done.stderr
        assert machine.does("dpkg-query", "--show", "landbridge") == before
        assert machine.does("landbridge", "--version") == f"{upgrade.NEXT}\n"
        assert machine.does("dpkg", "--audit") == ""

        _write_database(machine, "0001")
        configuration = machine.at(files.CONFIGURATION)
        written = configuration.read_text()
        configuration.write_text('[serve]\ndata = "/srv/a b"\n')
        _write_database(machine, "9999", "/srv/a b")
        done = machine.install(upgrade.NOW)
        assert done.returncode != 0
        assert f"/srv/a b/{paths.DATABASE} has the schema 9999 of a newer version" in done.stderr
        assert machine.does("landbridge", "--version") == f"{upgrade.NEXT}\n"
        configuration.write_text(written)
        machine.does("rm", "-r", "/srv/a b")

        assert machine.install(upgrade.NOW).returncode == 0
        assert machine.does("landbridge", "--version") == f"{upgrade.NOW}\n"

        machine.does("dpkg", "--remove", "landbridge")
        assert not machine.at(files.PACKAGE.home).exists()
        assert machine.at(f"{paths.DATA}/{paths.DATABASE}").exists()
        assert machine.at(files.SITE).read_text() == "# mine\n"
        assert machine.install(upgrade.NOW).returncode == 0
        assert machine.at(files.SITE).read_text() == "# mine\n"

        machine.does("dpkg", "--purge", "landbridge")
        assert [path for path in sorted(machine.changed()) if not OF_DPKG.match(path)] == []


def test_a_package_that_was_not_configured_yet_can_be_removed(tmp_path: Path, packages: Path):
    """dpkg runs no prerm then. The data folder is a file system of its own when the package is purged."""
    with _machine(tmp_path, packages) as machine:
        assert machine.install(upgrade.NOW).returncode == 0
        machine.does("sh", "-c", f"exec dpkg --unpack /run/packages/landbridge_{upgrade.NEXT}~*.deb")
        machine.does("dpkg", "--remove", "landbridge")
        assert not machine.at(files.PACKAGE.home).exists()
        assert machine.at(files.SITE).exists()
        machine.does("mkdir", "-p", paths.DATA)
        machine.does("mount", "-t", "tmpfs", "data", paths.DATA)
        machine.does("touch", f"{paths.DATA}/{paths.DATABASE}")
        machine.does("dpkg", "--purge", "landbridge")
        assert machine.does("ls", "-A", paths.DATA) == ""  # a mount point is emptied, and stays
        machine.does("umount", paths.DATA)
        machine.does("rmdir", paths.DATA)
        assert [path for path in sorted(machine.changed()) if not OF_DPKG.match(path)] == []


def test_a_package_that_was_not_configured_can_be_removed_after_its_python(tmp_path: Path, packages: Path):
    """dpkg may remove what a package depends on before it runs the package's postrm."""
    with _machine(tmp_path, packages) as machine:
        assert machine.install(upgrade.NOW).returncode == 0
        machine.does("sh", "-c", f"exec dpkg --unpack /run/packages/landbridge_{upgrade.NEXT}~*.deb")
        machine.does("mv", str(program.PYTHON), "/gone")
        done = machine.run("dpkg", "--remove", "landbridge")
        assert done.returncode == 0, done.stderr
        assert f"landbridge: tunnels stay up, because {program.PYTHON} is gone" in done.stderr
        machine.does("mv", "/gone", str(program.PYTHON))
        machine.does("dpkg", "--purge", "landbridge")
        assert not machine.at(files.PACKAGE.home).exists()


def test_a_purge_says_which_data_folders_stay(tmp_path: Path, packages: Path):
    with _machine(tmp_path, packages) as machine:
        assert machine.install(upgrade.NOW).returncode == 0
        machine.at(files.CONFIGURATION).write_text('[serve]\ndata = "/srv/a b" # mine\n')
        unit = machine.at("/etc/systemd/system/landbridge.service.d/override.conf")
        unit.parent.mkdir(parents=True)
        unit.write_text(
            '[Service]\nExecStart=\nExecStart=/x serve --data "/srv/c d" --listen 1\n#ExecStart=/x --data=/srv/e\n'
            f"#ExecStart=/x --data={files.ETC}/data/\n"
        )
        machine.does("rm", "-rf", paths.DATA)
        machine.does("mkdir", "-p", "/srv/disk")
        machine.does("ln", "-s", "/srv/disk", paths.DATA)
        stay = ["/srv/a b", "/srv/c d", "/srv/disk", "/srv/e"]
        gone = f"{files.ETC}/data"
        for folder in (*stay, gone, "/srv/other"):
            machine.does("mkdir", "-p", folder)
            machine.does("touch", f"{folder}/{paths.DATABASE}")
        said = machine.does("dpkg", "--purge", "landbridge")
        told = re.findall(
            "^landbridge: (.*) stays, with the database and the keys of a service\\.$", said, re.MULTILINE
        )
        assert told == stay
        assert all(machine.at(f"{folder}/{paths.DATABASE}").exists() for folder in stay)
        assert not machine.at(gone).exists()
        assert not os.path.lexists(machine.at(paths.DATA))


def test_the_package_takes_over_what_landbridge_install_made(tmp_path: Path, packages: Path):
    (tmp_path / "machine").mkdir()
    with _machine(tmp_path / "machine", packages) as machine:
        root = str(tmp_path / "machine/root")
        enter = ["nsenter", f"--target={machine.pid}", "--mount", "--"]
        own = [sys.executable, "-m", "landbridge.cli.main", "install", "--root", root]
        subprocess.run([*enter, *own], check=True, capture_output=True, cwd=ROOT)
        machine.at(files.OWN.switched_off).write_text("bird.service\n")
        machine.at(files.SITE).write_text("# mine\n")
        done = machine.install(upgrade.NOW)
        assert done.returncode == 0, done.stderr
        left = [
            path for path in (*files.managed(files.OWN), files.OWN.command, files.OWN.home) if machine.at(path).exists()
        ]
        assert left == []
        assert machine.at(files.PACKAGE.switched_off).read_text() == "bird.service\n"
        assert machine.at(files.SITE).read_text() == "# mine\n"
        wanted = machine.at("/etc/systemd/system/multi-user.target.wants/landbridge.service")
        assert str(wanted.readlink()).endswith("lib/systemd/system/landbridge.service")
        machine.does("dpkg", "--purge", "landbridge")
        assert [path for path in sorted(machine.changed()) if not OF_DPKG.match(path)] == []
