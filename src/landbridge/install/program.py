"""Copies this program and all that it needs to a folder of its own.

The copy has what runs now: the packages of this interpreter that the distribution `landbridge` requires. pip checked their hashes when
it installed them. So an installation needs no network and installs the bytes that were tested. Invariant: the name of a copy depends on
its contents. A copy is whole when it has its launcher. Nothing writes to a copy that may run.
"""

import hashlib
import os
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
    """The file of our own distribution that has its name, version and requirements. The other ones say where pip installed it from."""
    name = f"landbridge-{distribution.version}.dist-info/METADATA"
    return {name: Path(str(distribution.locate_file(name)))}


def requirements() -> list[str]:
    """Names of the distributions that a copy holds beside our own."""
    return sorted(_closure("landbridge").keys() - {"landbridge"})


def _record(distribution: metadata.Distribution) -> str:
    """The hashes of its files in site-packages, as pip wrote them: the files themselves take much longer to read. The hashes of scripts
    elsewhere depend on the path of the virtual environment.
    """
    lines = (distribution.read_text("RECORD") or "").splitlines()
    return "\n".join(line for line in lines if not line.startswith("../"))


def _files(distribution: metadata.Distribution) -> dict[str, Path]:
    """Its files in site-packages."""
    files = [file for file in distribution.files or () if ".." not in file.parts]
    return {str(file): Path(str(file.locate())) for file in files}


def _closure(name: str) -> dict[str, metadata.Distribution]:
    """Name -> distribution, of `name` and all that it requires on this machine, by its extras and markers."""
    distributions: dict[str, metadata.Distribution] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    left = [Requirement(name)]
    while left:
        requirement = left.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in done:
            done.add(key)
            distributions[key[0]] = metadata.distribution(requirement.name)
            more = map(Requirement, distributions[key[0]].requires or ())
            left += [needed for needed in more if _applies(needed.marker, requirement.extras)]
    return distributions


def _applies(marker: Marker | None, extras: Collection[str]) -> bool:
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def is_whole(folder: Path) -> bool:
    return (folder / "bin/landbridge").exists()


def copy(program: Program, folder: Path, place: str) -> None:
    """Copies the program to `folder`, and replaces what an interrupted copy left there. `place`: the path of `folder` on the host that runs it.
    Raises OSError or SubprocessError.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(PYTHON)
    (folder / "pyvenv.cfg").write_text(f"home = {PYTHON.parent}\ninclude-system-site-packages = false\n")
    packages = folder / PACKAGES
    for relative, source in program.sources.items():
        target = packages / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)  # with its time: the compiled file beside it stays good
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
    compiling = [f"{folder}/bin/python", "-I", "-m", "compileall", "-q", str(packages)]
    subprocess.run(compiling, check=True, capture_output=True)  # noqa: S603
    _write_launcher(folder, place)


def link(copied: Path, folder: Path, place: str) -> None:
    """Makes `folder` another copy of a copy on the same file system, of hard links: the files take no more disk space, and stay when those in `copied` are
    replaced. `place` as for `copy`. Raises OSError.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    launcher = str(copied / "bin")
    shutil.copytree(
        copied,
        folder,
        symlinks=True,
        copy_function=os.link,
        ignore=lambda path, _: {"landbridge"} if path == launcher else set(),
    )
    _write_launcher(folder, place)


def _write_launcher(folder: Path, place: str) -> None:
    """Writes the launcher, atomically and last: it says that the copy is whole."""
    fresh = folder / "bin/landbridge.new"
    fresh.write_text(_LAUNCHER.format(python=f"{place}/bin/python", configuration=files.CONFIGURATION))
    fresh.chmod(0o755)
    fresh.rename(folder / "bin/landbridge")
