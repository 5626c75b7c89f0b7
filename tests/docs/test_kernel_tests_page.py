"""The page of the tests in virtual machines names tests that exist, and a new run replaces the rows of what ran."""

import json
import re
from pathlib import Path

from lab import kernel_tests_page, scenarios

FOLDER = Path(__file__).parents[1] / "kernel"
JUNIT = """\
<testsuites><testsuite>
<testcase classname="tests.kernel.test_libreswan" name="test_x[policy-v2]" time="61.6" />
<testcase classname="tests.kernel.test_bgp" name="test_y" time="0.2"><failure message="lost | more&#10;lines">…</failure></testcase>
<testcase classname="tests.kernel.test_soak" name="test_z[`ikepolicy.dpd` and back]" time="9" />
</testsuite></testsuites>
"""


def test_what_is_told_of_a_module_is_told_of_one_that_exists():
    assert set(kernel_tests_page.ABOUT) <= {path.stem for path in FOLDER.glob("test_*.py")}


def test_every_row_is_a_test_or_a_scenario():
    known = {f"scenario {one.name}" for one in scenarios.SCENARIOS}
    for path in FOLDER.glob("test_*.py"):
        known |= {f"{path.stem}::{name}" for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}
    rows = kernel_tests_page.read(kernel_tests_page.PATH.read_text())
    assert rows
    assert [row for row in rows if row.partition("[")[0] not in known] == []


def test_a_run_replaces_the_rows_of_what_ran(tmp_path: Path):
    junit, verdicts = tmp_path / "junit.xml", tmp_path / "verdicts.json"
    junit.write_text(JUNIT)
    verdicts.write_text(json.dumps([["ikev2/net2net-psk", "kernel", "pass", 31.2]]))
    found = [row for path in (junit, verdicts) for row in kernel_tests_page.rows_of(path, "2026-12-01")]
    assert [(row.test, row.style, row.device, row.result, row.seconds) for row in found] == [
        ("test_libreswan::test_x[policy-v2]", "policy", "Libreswan", "pass", 62),
        ("test_bgp::test_y", "bgp, static", "BIRD, FRR", "failure: lost / more lines", 0),
        ("test_soak::test_z[`ikepolicy.dpd` and back]", "static, policy, bgp", "strongSwan, BIRD", "pass", 9),
        ("scenario ikev2/net2net-psk", "static", "strongSwan", "pass", 31),
    ]
    before = {row.test: row for row in found}
    page = kernel_tests_page.render(before)
    assert kernel_tests_page.read(page) == before
    assert "3 of 4 passed" in page
