"""What the page for contributors names exists."""

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[\w/.:]+)`", PAGE))))
def test_a_named_test_exists(named: str):
    path, _, name = named.partition("::")
    assert (ROOT / path).exists()
    assert not name or f"def {name}(" in (ROOT / path).read_text()


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(landbridge(?:\.\w+)+)`", PAGE))))
def test_a_named_module_exists(named: str):
    assert importlib.util.find_spec(named) is not None


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([\w-]+)`", PAGE))))
def test_a_named_target_exists(target: str):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.process
def test_a_dry_run_of_make_runs_nothing():
    """`make -n` runs the lines of a recipe that have $(MAKE). Here there is no Python that they could run."""
    command = ["make", "-n", "VENV=/nowhere", "test-kernel", "test-kernel-full"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "lab.kernel_tests_page" in done.stdout


@pytest.mark.process
@pytest.mark.parametrize("passes", ["the second time", "never"])
def test_make_test_runs_once_more_what_failed(tmp_path: Path, passes: str):
    (tmp_path / "test_it.py").write_text(
        f"""
from pathlib import Path

def test_fails():
    runs = Path({str(tmp_path / "runs")!r})
    runs.open("a").write("x")
    assert len(runs.read_text()) == 2 and {passes == "the second time"}

def test_passes():
    Path({str(tmp_path / "others")!r}).open("a").write("x")
"""
    )
    environment = os.environ | {"PYTEST_ADDOPTS": f"-o cache_dir={tmp_path}/cache"}
    command = ["make", "test", "COVERAGE=no", "PARALLEL=", f"TESTS={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (passes == "the second time"), done.stdout + done.stderr
    assert [(tmp_path / name).read_text() for name in ("runs", "others")] == ["xx", "x"]
    assert "1 failed, 1 passed" in done.stdout


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", PAGE))))
def test_a_linked_page_exists(link: str):
    assert (ROOT / link).exists()


def test_setup_prints_a_line_before_each_stage_of_the_virtual_environment():
    recipe = (ROOT / "Makefile").read_text().split("\n$(VENV)/.ready:")[1].split("\n\n")[0].splitlines()
    stages = [number for number, line in enumerate(recipe) if " -m venv " in line or " pip install " in line]
    assert len(stages) == 3
    assert all(recipe[number - 1].startswith('\t@echo "setup: ') for number in stages)
