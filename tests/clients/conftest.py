"""Foreign clients that are built here and driven against a process of `landbridge serve`.

What they are built of comes from the package registries, with the ordinary settings of the machine; what is built stands in
build/clients. A tool that is not there fails a test, or skips it under `--absent=skip`, with a line in the summary.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
BUILT = HERE.parents[1] / "build/clients"
#: Of one build, from empty caches and on a busy machine.
BUILD_SECONDS = 1500


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--absent", choices=("fail", "skip"), default="fail", help="what a tool does that is not there")


@pytest.fixture(scope="session")
def absent(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """`absent(reason)`: fails the test, or skips it where that is asked for."""
    return pytest.skip if request.config.getoption("--absent") == "skip" else pytest.fail


@pytest.fixture(scope="session")
def tool(absent: Callable[[str], Any]) -> Callable[..., str]:
    """`tool("terraform", "tofu")`: the path of the first of these programs that is there."""

    def found(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        return absent(f"{' or '.join(names)} is not installed: the clients that need it did not run")

    return found


def build(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(
        ["nice", *command], cwd=folder, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def go_sdk(tool: Callable[..., str]) -> list[str | Path]:
    """The command that calls the Go SDK."""
    program = BUILT / "go-sdk"
    build(tool("go"), "build", "-o", program, ".", folder=HERE / "go")
    return [program]


@pytest.fixture(scope="session")
def java_sdk(tool: Callable[..., str]) -> list[str | Path]:
    """The command that calls the Java SDK."""
    folder = BUILT / "java-sdk"
    goals = ["compile", "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}/lib"]
    build(tool("mvn"), "-q", "-B", f"-Dbuild={folder}", *goals, folder=HERE / "java")
    return [tool("java"), "-cp", f"{folder}/classes:{folder}/lib/*", "JavaSdk"]
