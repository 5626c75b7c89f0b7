"""The Debian package of this program: what `landbridge install` copies, and what dpkg needs besides.

    python -m lab.deb [--out FOLDER] [--compress xz|gzip|none]

xz takes 80 s of a processor, and its package is 17 % smaller than that of zstd, which takes 3 s. Debian's archive and lintian refuse zstd.

The package is for one release of Debian, that of this machine, since the program holds compiled files for its Python. Nothing is downloaded.
The same tree gives the same bytes: all times are SOURCE_DATE_EPOCH, or else that of the last commit.
"""

import argparse
import email.utils
import gzip
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import click

import landbridge
from lab import command_line_page
from landbridge.cli import completion, main
from landbridge.install import files, program
from landbridge.store.sqlite import migrate

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "debian"
OUT = ROOT / "build/deb"
DOC = "usr/share/doc/landbridge"
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/landbridge",
    "zsh": "usr/share/zsh/vendor-completions/_landbridge",
    "fish": "usr/share/fish/vendor_completions.d/landbridge.fish",
}
#: What `landbridge doctor` looks for, the Python that the program was compiled for, and the libc of its compiled files.
DEPENDS = (
    *(program.PYTHON.name, "libc6", "systemd", "iproute2", "nftables", "procps", "bird2", "charon-systemd"),
    *("strongswan-swanctl", "libcharon-extra-plugins", "libstrongswan-standard-plugins"),
)
_CONTROL = """\
Package: landbridge
Version: {version}
Architecture: {architecture}
Maintainer: Landbridge contributors <landbridge@localhost>
Installed-Size: {size}
Depends: {depends}
Section: net
Priority: optional
Description: self-hosted site-to-site VPN service
 The API of Landbridge is the Huawei Cloud VPN v5 API, and it has a command
 line and a console. strongSwan makes the tunnels, and BIRD speaks BGP. Each
 VPN gateway has a network namespace of its own.
 .
 The package holds the program with the Python packages that it was tested
 with, compiled for {python}. An upgrade interrupts no tunnel.
"""
_CHANGELOG = """\
landbridge ({version}) unstable; urgency=medium

  * {doc}/CHANGELOG.md.gz says what changed.

 -- Landbridge contributors <landbridge@localhost>  {date}
"""
_COPYRIGHT = """\
Landbridge: Copyright {year} its contributors, under the Apache License 2.0 (/usr/share/common-licenses/Apache-2.0).

These Python packages are in {packages}, each with the
licence that its metadata name; its folder *.dist-info has authors and texts:

{bundled}
"""
_MAN = r"""
.TH LANDBRIDGE 1 "{day}" "landbridge {version}" "User Commands"
.SH NAME
landbridge \- {summary}
.SH SYNOPSIS
.B landbridge
.I COMMAND
[\fIOPTIONS\fR]
.SH DESCRIPTION
.B landbridge
is a client of the HTTP API of Landbridge, and it starts and keeps the service on its own machine.
.B landbridge
.I COMMAND
.B \-\-help
lists the options of a command.
.SH COMMANDS
{commands}
.SH FILES
.TP
.I {configuration}
The settings.
.TP
.I {site}
The inventory: addresses that gateways may have, and the networks behind them.
.SH SEE ALSO
.I /{doc}/docs
""".lstrip()


def build(out: Path, compress: str) -> Path:
    """Writes the package into the folder `out`. Returns its path. Raises OSError or CalledProcessError."""
    os.umask(0o022)
    out.mkdir(parents=True, exist_ok=True)
    version, architecture = debian_version(), _say("dpkg", "--print-architecture")
    package = out / f"landbridge_{version}_{architecture}.deb"
    epoch = _epoch()
    with tempfile.TemporaryDirectory(dir=out, prefix="deb-") as scratch:
        tree = Path(scratch) / "tree"
        _add_program(tree)
        _add_host_files(tree)
        _add_documents(tree, version, epoch)
        _add_control(tree, version, architecture)
        for path in (tree, *tree.rglob("*")):
            os.utime(path, (epoch, epoch), follow_symlinks=False)
        # One thread: several threads may divide the data into other blocks.
        command = ["dpkg-deb", "--root-owner-group", "--threads-max=1", f"-Z{compress}", "--build"]
        subprocess.run(
            [*command, tree, package],
            check=True,
            capture_output=True,
            env=dict(os.environ, SOURCE_DATE_EPOCH=str(epoch)),
        )
    return package


def debian_version() -> str:
    """The version of the program, then the release of Debian: 1.2.3~deb12 is before 1.2.3~deb13, so an upgrade of Debian upgrades the package."""
    return f"{landbridge.__version__}~deb{platform.freedesktop_os_release()['VERSION_ID']}"


def _epoch() -> int:
    """The time of all files in the package: SOURCE_DATE_EPOCH, else the last commit, else (without git) the last change of CHANGELOG.md."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    try:
        return int(_say("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))
    except (OSError, subprocess.CalledProcessError):
        return int((ROOT / "CHANGELOG.md").stat().st_mtime)


def _add_program(tree: Path) -> None:
    """The program as `landbridge install` copies it, without what depends on the path or the times of this tree."""
    folder = tree / files.PACKAGED.lstrip("/")
    program.copy(program.here(), folder, files.PACKAGED)
    for record in folder.rglob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith("../")))  # scripts of this environment
    command = [str(program.PYTHON), "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, "-s", tree, "-p", "/", folder], check=True, capture_output=True)


def _add_host_files(tree: Path) -> None:
    layout = files.PACKAGE
    for path, text in files.managed(layout).items():
        _write(tree / path.lstrip("/"), text)
    command = tree / layout.command.lstrip("/")
    command.parent.mkdir(parents=True, exist_ok=True)
    command.symlink_to(os.path.relpath(f"{layout.current}/bin/landbridge", Path(layout.command).parent))
    for shell, path in COMPLETIONS.items():
        _write(tree / path, completion.script(shell) + "\n")


def _add_documents(tree: Path, version: str, epoch: int) -> None:
    doc, date = tree / DOC, datetime.fromtimestamp(epoch, UTC)
    changelog = _CHANGELOG.format(version=version, doc=f"/{DOC}", date=email.utils.format_datetime(date))
    _write(doc / "changelog.gz", changelog)
    _write(doc / "CHANGELOG.md.gz", (ROOT / "CHANGELOG.md").read_text())
    bundled = "\n".join(f"  {line}" for line in _bundled())
    _write(
        doc / "copyright",
        _COPYRIGHT.format(year=date.year, packages=f"{files.PACKAGED}/{program.PACKAGES}", bundled=bundled),
    )
    _write(tree / "usr/share/lintian/overrides/landbridge", (SCRIPTS / "lintian-overrides").read_text())
    for path, text in files.INITIAL_FILES.items():
        _write(doc / "examples" / Path(path).name, text)
    for folder in ("how-to", "reference"):
        for page in (ROOT / "docs" / folder).glob("*.md"):
            _write(doc / "docs" / folder / page.name, page.read_text())
    _write(tree / "usr/share/man/man1/landbridge.1.gz", _man_page(date))


def _bundled() -> Iterator[str]:
    for name in program.requirements():
        about = metadata.metadata(name)
        classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
        (found, *_) = [*(about.get_all("License-Expression") or []), *classifiers, *(about.get_all("License") or [])]
        yield f"{name} {about['Version']}: {found.splitlines()[0]}"


def _man_page(date: datetime) -> str:
    rows = []
    context = click.Context(main.landbridge, info_name="landbridge")
    for section, names in main.COMMANDS.items():
        rows.append(f".SS {section}")
        for name in names:
            command = main.landbridge.get_command(context, name)
            assert command is not None
            for path, inner in command_line_page.commands(command, f"landbridge {name}"):
                rows.append(f".TP\n.B {path}\n{inner.get_short_help_str(200)}".replace("-", "\\-"))
    return _MAN.format(
        day=f"{date:%Y-%m-%d}",
        version=landbridge.__version__,
        summary=_summary(),
        commands="\n".join(rows),
        configuration=files.CONFIGURATION,
        site=files.SITE,
        doc=DOC,
    )


def _summary() -> str:
    return str(metadata.metadata("landbridge")["Summary"])


def _add_control(tree: Path, version: str, architecture: str) -> None:
    contents = [path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink()]
    sums = "".join(f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in contents)  # noqa: S324  dpkg's
    control = tree / "DEBIAN"
    text = _CONTROL.format(
        version=version,
        architecture=architecture,
        size=sum(path.stat().st_size for path in contents) // 1024,
        depends=", ".join(DEPENDS),
        python=program.PYTHON.name,
    )
    _write(control / "control", text)
    _write(control / "md5sums", sums)
    _write(control / "conffiles", f"{files.PACKAGE.needrestart}\n")
    for name in ("preinst", "postinst", "prerm", "postrm"):
        _write(control / name, (SCRIPTS / name).read_text().replace("@SCHEMA@", migrate.head()))
        (control / name).chmod(0o755)


def _write(path: Path, text: str) -> None:
    """Compressed where the name ends in .gz, without a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


def _say(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.deb", description="Builds the Debian package.")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder for it (%(default)s)")
    parser.add_argument("--compress", choices=("xz", "gzip", "none"), default="xz", help="default %(default)s")
    asked = parser.parse_args(arguments)
    print(build(asked.out, asked.compress))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
