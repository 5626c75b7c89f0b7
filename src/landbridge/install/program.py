"""Copies this program and all that it needs to a folder of its own.

The copy has what runs now: the packages of this interpreter that the distribution `landbridge` requires. pip checked their hashes when
it installed them. So an installation needs no network and installs the bytes that were tested. Invariant: the name of a copy depends on
its contents. A copy is whole when it has its launcher. Nothing writes to a copy that may run.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import landbridge
from landbridge.install import files

#: Copied packages hold compiled files, so they need the version of Python that runs now.
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
#: Debian's own Python: a service cannot reach an interpreter in somebody's home.
PYTHON = Path(f"/usr/bin/python{_VERSION}")
PACKAGES = f"lib/python{_VERSION}/site-packages"

# The launcher knows where the settings of this host are. A user who may not read them has settings of his own.
_LAUNCHER = """\
#!{python} -I
import os
import sys

if os.access("{configuration}", os.R_OK):
    os.environ.setdefault("LANDBRIDGE_CONFIG", "{configuration}")
from landbridge.cli.main import main

sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Program:
    """`sources`: the path below site-packages of each file -> where it lies now."""

    name: str
    sources: Mapping[str, Path]


def here() -> Program:
    """The program that runs now. Its name is `<version>-<8 hex digits of the contents>`."""
    own, others = dict(_own()), _closure("landbridge")
    digest = hashlib.sha256()
    for relative, path in sorted(own.items()):
        digest.update(f"{relative}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    sources = own | _named_for_pip(others.pop("landbridge"))
    for name, distribution in sorted(others.items()):
        digest.update(f"{name}\0{_record(distribution)}\0".encode())
        sources |= _files(distribution)
    return Program(f"{landbridge.__version__}-{digest.hexdigest()[:8]}", sources)


def _own() -> Iterator[tuple[str, Path]]:
    folder = Path(landbridge.__file__).parent
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            yield f"landbridge/{path.relative_to(folder)}", path


def _named_for_pip(distribution: metadata.Distribution) -> dict[str, Path]:
    """The files of our own distribution that name it, its version and its requirements. Its code may be a link to a folder elsewhere."""
    return {name: path for name, path in _files(distribution).items() if ".dist-info/" in name}


def _record(distribution: metadata.Distribution) -> str:
    """The hashes of all its files, as pip wrote them: the files themselves take much longer to read."""
    return distribution.read_text("RECORD") or ""


def _files(distribution: metadata.Distribution) -> dict[str, Path]:
    """Its files in site-packages."""
    found = [file for file in distribution.files or () if ".." not in file.parts]
    return {str(file): Path(str(file.locate())) for file in found}


def _closure(name: str) -> dict[str, metadata.Distribution]:
    """Name -> distribution, of `name` and all that it requires on this machine, by its extras and markers."""
    found: dict[str, metadata.Distribution] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    left = [Requirement(name)]
    while left:
        requirement = left.pop()
        wanted = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if wanted not in done:
            done.add(wanted)
            found[wanted[0]] = metadata.distribution(requirement.name)
            more = map(Requirement, found[wanted[0]].requires or ())
            left += [one for one in more if _applies(one.marker, requirement.extras)]
    return found


def _applies(marker: Marker | None, extras: Collection[str]) -> bool:
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def is_whole(folder: Path) -> bool:
    return (folder / "bin/landbridge").exists()


def copy(program: Program, folder: Path) -> None:
    """Copies the program to `folder`, and replaces what an interrupted copy left there. Raises OSError or SubprocessError."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True, capture_output=True)  # noqa: S603
    packages = folder / PACKAGES
    for relative, source in program.sources.items():
        target = packages / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)  # with its time: the compiled file beside it stays good
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
    compiling = [f"{folder}/bin/python", "-I", "-m", "compileall", "-q", str(packages)]
    subprocess.run(compiling, check=True, capture_output=True)  # noqa: S603
    _write_launcher(folder, f"{files.VERSIONS}/{program.name}/bin/python")


def _write_launcher(folder: Path, python: str) -> None:
    """Writes the launcher, atomically and last: it says that the copy is whole."""
    fresh = folder / "bin/landbridge.new"
    fresh.write_text(_LAUNCHER.format(python=python, configuration=files.CONFIGURATION))
    fresh.chmod(0o755)
    fresh.rename(folder / "bin/landbridge")
