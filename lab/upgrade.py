"""This program under another version number, for tests of upgrades."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import landbridge
from landbridge.store.sqlite import migrate

#: Where `python -m lab.upgrade` prepares these versions for a machine that is too slow to copy them itself.
VERSIONS = Path(__file__).parents[1] / "build/versions"
#: Where `python -m lab.upgrade --packages` puts the Debian packages of these versions, too.
PACKAGES = Path(__file__).parents[1] / "build/packages"
NOW, NEXT, BROKEN = landbridge.__version__, "98.0.0", "99.0.0"
WHY = "made not to start"
_MIGRATION = """\
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = depends_on = None


def upgrade():
    op.create_table("later", sa.Column("x", sa.Integer()))
"""
#: It migrates the database, as `landbridge serve` does first.
_BROKEN_SERVE = f"""

from landbridge import errors


def serve(settings, *_):
    with data_folder.open_data(settings):
        raise errors.ConfigError("{WHY}")
"""


def another_version(folder: Path, number: str) -> Path:
    """A folder for PYTHONPATH that has this very program, calling itself `number`."""
    package = folder / number / "landbridge"
    shutil.copytree(Path(landbridge.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text(f'"""Another version."""\n\n__version__ = "{number}"\n')
    return package.parent


def add_migration(migrations: Path) -> None:
    """Adds a migration, which makes a table `later`, to a copy of the folder with the migrations."""
    (migrations / "versions/9999_later.py").write_text(_MIGRATION.format(head=migrate.head()))


def build_package(source: Path, out: Path) -> Path:
    """The Debian package of the version in the folder `source`. It is not compressed: that takes most of the time."""
    command = [sys.executable, "-m", "lab.deb", "--out", str(out), "--compress", "none"]
    environment = dict(os.environ, PYTHONPATH=str(source))
    built = subprocess.run(command, env=environment, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE)
    return Path(built.stdout.decode().strip())


def package(folder: Path, number: str) -> Path:
    """The package of a version among those in a folder."""
    (found,) = folder.glob(f"landbridge_{number}~*.deb")
    return found


def main() -> int:
    """Three versions in the folder VERSIONS, as if each had been installed there: now, next, and one that migrates the database and does not start."""
    parser = argparse.ArgumentParser(prog="python -m lab.upgrade", description=main.__doc__)
    parser.add_argument("--packages", action="store_true", help="build their Debian packages, too")
    packages = parser.parse_args().packages
    for made in (VERSIONS, PACKAGES):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        sources = {number: another_version(Path(scratch), number) for number in (NOW, NEXT, BROKEN)}
        with (sources[BROKEN] / "landbridge/bootstrap.py").open("a") as text:
            text.write(_BROKEN_SERVE)
        add_migration(sources[BROKEN] / "landbridge/store/sqlite/migrations")
        for number, source in sources.items():
            command = [sys.executable, "-m", "landbridge.cli.main", "install", "--root", str(VERSIONS / number)]
            (VERSIONS / number).mkdir()
            subprocess.run(command, env=dict(os.environ, PYTHONPATH=str(source)), check=True)
            if packages:
                build_package(source, PACKAGES)
    return 0


def folder(number: str) -> Path:
    """The prepared copy of a version."""
    (found,) = (VERSIONS / number / "opt/landbridge/versions").iterdir()
    return found


if __name__ == "__main__":
    sys.exit(main())
