"""`docs/reference/kernel-tests.md`: the last result of each test in a virtual machine, as a table.

    python -m lab.kernel_tests_page RESULT…

A result is a junit.xml of `tests/kernel`, or the verdicts that `lab.replay_all --save` wrote. Rows of tests that did not run now stay as they are,
with their dates: the tests may run in parts.
"""

import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab import scenarios, scenarios_page

PATH = Path(__file__).parents[1] / "docs/reference/kernel-tests.md"
#: Module -> the styles of its connections, and its devices, where they are not those of most. A style in the id of a test counts instead.
ABOUT: Mapping[str, tuple[str, str]] = {
    "test_bgp": ("bgp, static", "BIRD, FRR"),
    "test_both_ends_at_once": ("policy", "strongSwan"),
    "test_changes": ("static, policy", "strongSwan"),
    "test_failover": ("static, bgp", "strongSwan, BIRD"),
    "test_install": ("static, bgp", "strongSwan, BIRD"),
    "test_libreswan": ("static", "Libreswan"),
    "test_lifetimes": ("policy", "strongSwan"),
    "test_machine": ("none", "none"),
    "test_own_networks": ("static, policy", "strongSwan"),
    "test_package": ("static", "strongSwan"),
    "test_policy_template": ("policy-template", "strongSwan"),
    "test_probes": ("policy", "Libreswan"),
    "test_soak": ("static, policy, bgp", "strongSwan, BIRD"),
    "test_tunnels": ("static, policy", "strongSwan"),
}
_STYLE = re.compile(r"\b(policy-template|static|policy|bgp)\b")
_HEAD = """\
# Tests in virtual machines

Made by `make test-kernel-full`, which runs all tests of `tests/kernel` on Debian's kernel in virtual machines, and replays
[every scenario](scenarios.md) on the kernel data plane. CI runs `make test-kernel`: the same without the tests that are marked `long`, and without
the scenarios. {passed} of {count} passed at their last run.

- The data plane is the kernel's in each row. The seconds are those of a machine in software (QEMU without KVM), which is about ten times as slow as
  the host. The first test of a file also makes the tunnels of the others.
- Scenarios of libipsec are not replayed: they are about the userland data plane itself, such as ESP in UDP port 4500.

| test | style | device | result | seconds | date |
|---|---|---|---|---|---|
"""
_ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+) \| (\d+) \| (\d{4}-\d\d-\d\d) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """`result`: pass, or why not."""

    test: str
    style: str
    device: str
    result: str
    seconds: int
    day: str

    def __str__(self) -> str:
        return f"| {self.test} | {self.style} | {self.device} | {self.result} | {self.seconds} | {self.day} |"


def rows_of(result: Path, day: str) -> Iterator[Row]:
    yield from (_of_verdicts if result.suffix == ".json" else _of_junit)(result.read_text(), day)


def _of_junit(text: str, day: str) -> Iterator[Row]:
    for case in ET.fromstring(text).iter("testcase"):  # noqa: S314  our own file
        module = case.attrib["classname"].rsplit(".", maxsplit=1)[-1]
        name = _plain(case.attrib["name"])
        style, device = ABOUT.get(module, ("static", "strongSwan"))
        found = _STYLE.search(name.partition("[")[2])
        bad = next((case.find(kind) for kind in ("failure", "error", "skipped") if case.find(kind) is not None), None)
        verdict = scenarios_page.PASS if bad is None else f"{bad.tag}: {_plain(bad.attrib.get('message', ''))[:200]}"
        yield Row(
            f"{module}::{name}", found[0] if found else style, device, verdict, _seconds(case.attrib["time"]), day
        )


def _of_verdicts(text: str, day: str) -> Iterator[Row]:
    style = {one.name: str(one.body.get("style", "static")) for one in scenarios.SCENARIOS}
    for name, _, verdict, seconds in json.loads(text):
        yield Row(f"scenario {name}", style[name], "strongSwan", _plain(verdict)[:200], _seconds(seconds), day)


def _seconds(text: str | float) -> int:
    return round(float(text))


def _plain(text: str) -> str:
    """In one cell of a table."""
    return " ".join(text.replace("|", "/").split())


def read(page: str) -> dict[str, Row]:
    found = _ROW.findall(page)
    return {
        test: Row(test, style, device, result, int(seconds), day) for test, style, device, result, seconds, day in found
    }


def render(rows: Mapping[str, Row]) -> str:
    passed = sum(row.result == scenarios_page.PASS for row in rows.values())
    return _HEAD.format(passed=passed, count=len(rows)) + "".join(f"{row}\n" for _, row in sorted(rows.items()))


def main(arguments: Sequence[str]) -> int:
    """0 when all that ran now passed."""
    day = datetime.now(UTC).date().isoformat()
    new = {row.test: row for result in map(Path, arguments) if result.exists() for row in rows_of(result, day)}
    before = read(PATH.read_text()) if PATH.exists() else {}
    PATH.write_text(render(before | new))
    return 0 if new and {row.result for row in new.values()} == {scenarios_page.PASS} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
