"""The layers of `.importlinter` hold for every module, also for one that nobody thought of; `make check` asks the same of the code as it is."""

import ast
import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src"
CONTRACTS = ROOT / ".importlinter"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the program that a test may spoil."""
    shutil.copytree(SOURCES / "landbridge", tmp_path / "landbridge", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _lint(copy: Path) -> tuple[int, str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--config", CONTRACTS, "--no-cache"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.process
@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        pytest.param("portal/__init__.py", "", "landbridge.portal", id="a-new-package"),
        pytest.param("helpers.py", "", "landbridge.helpers", id="a-new-module"),
        pytest.param("engine/other/__init__.py", "", "landbridge.engine.other", id="a-new-engine"),
        pytest.param("model/new.py", "from landbridge import errors\n", "landbridge.model.new", id="upwards"),
        pytest.param("rules/new.py", "from landbridge import status\n", "landbridge.rules.new", id="sideways"),
        pytest.param("api/new.py", "from landbridge.store import keys\n", "landbridge.api.new", id="past-a-layer"),
        pytest.param("agent/new.py", "from landbridge import rules\n", "landbridge.agent.new", id="to-the-other-side"),
        pytest.param("server/new.py", "from landbridge import model\n", "landbridge.server.new", id="a-resource"),
    ],
)
def test_what_no_layer_allows_is_refused(copy: Path, module: str, text: str, said: str):
    path = copy / "landbridge" / module
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    status, output = _lint(copy)
    assert status == 1
    assert said in output.replace("\n", " ").partition("Broken contracts")[2]


def test_no_module_is_named_by_a_string():
    """An import by string would pass every contract."""
    modules = {
        ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")
        for path in SOURCES.rglob("*.py")
    } - {"landbridge"}
    for path in SOURCES.rglob("*.py"):
        found = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        assert modules.isdisjoint(value for value in found if isinstance(value, str)), path


def test_the_table_of_rooms_has_every_room():
    contracts = configparser.ConfigParser()
    contracts.read(CONTRACTS)
    rooms = contracts["importlinter:contract:layers"]["layers"].replace("|", " ").split()
    page = (ROOT / "ARCHITECTURE.md").read_text()
    assert [room for room in rooms if f"`{room}`" not in page] == []
