"""The types of a route: mypy holds what is parsed, run and rendered against one another."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from landbridge.api import table

ROOT = Path(__file__).parents[2]
RIGHT = """
from landbridge import model
from landbridge.api import routes
from landbridge.operations import connection_updates, connections
from landbridge.wire import body

def _ref(incoming: routes.Incoming) -> body.Parsed[model.ConnectionRef]:
    return body.Parsed(model.ConnectionRef(connection_id=incoming.path["vpn_connection_id"]))

routes.Route(
    operation=connections.show,
    method="GET",
    path="/",
    summary="",
    success=200,
    parse=_ref,
    render=lambda one: {"status": one.status},
    etag=lambda one: one.etag,
)
"""


def _mypy(source: str, folder: Path) -> str:
    """What mypy says of the source under the settings of `make check`."""
    file = folder / "routed.py"
    file.write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.process
def test_mypy_accepts_a_route_that_fits_its_operation(tmp_path: Path):
    assert "Success" in _mypy(RIGHT, tmp_path)


@pytest.mark.process
@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        pytest.param("one.status}", "one.total}", '"ShownConnection" has no attribute "total"', id="render"),
        pytest.param("one: one.etag", "one: one.version", '"ShownConnection" has no attribute "version"', id="etag"),
        pytest.param("one: one.etag", "one: one.generation", '"int"', id="type-of-the-etag"),
        pytest.param(
            "connections.show",
            "connections.simulate",
            'expected "Callable[[Incoming], Parsed[SimulationRequest]]"',
            id="parse",
        ),
        pytest.param(
            "connections.show",
            "connection_updates.update",
            'expected "Callable[[Incoming], Parsed[ConnectionUpdateRequest]]"',
            id="parse-of-an-update",
        ),
    ],
)
def test_mypy_refuses_a_route_that_does_not_fit_its_operation(tmp_path: Path, right: str, wrong: str, message: str):
    source = RIGHT.replace(right, wrong)
    assert source != RIGHT
    assert message in _mypy(source, tmp_path)


@pytest.mark.process
def test_every_route_of_the_table_has_its_own_types(tmp_path: Path):
    """With `Route[Any, Any]` in the annotation of a list of routes, mypy would accept every mistake in the list."""
    folder = Path(table.__file__).parent
    modules = sorted(
        path.stem for path in folder.glob("*.py") if re.search("^ROUTES\\b", path.read_text(), re.MULTILINE)
    )
    others = ["reveal_type(tags.OF_PROJECT)", "reveal_type(audit.routes_of(()))"]
    lines = [f"from landbridge.api import audit, {', '.join(modules)}", *others]
    revealed = _mypy("\n".join([*lines, *(f"reveal_type({module}.ROUTES)" for module in modules)]), tmp_path)
    types = re.findall(r"Route\[", revealed)
    assert len(types) == len(table.TABLE)
    assert "Any" not in revealed
