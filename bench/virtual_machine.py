"""Figures of the kernel data plane, which this machine's kernel may lack: in a virtual machine, at about a tenth of the speed."""

import sys
import xml.etree.ElementTree as ET

from lab import iperf, vm

RESULTS = vm.RESULTS / "bench"
PYTEST = (
    *("-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist"),
    *("-p", "no:xdist.looponfail", "-p", "no:pytest_cov", "--confcutdir=tests/kernel", "--timeout=400"),
)


def throughput(runs: int, seconds: int) -> None:
    """Of the kernel data plane, and two tunnels by ECMP."""
    iperf.fetch()
    _run("-m", "bench.dataplane", "--only", "throughput", "ecmp", "--runs", str(runs), "--size", str(seconds))


def failover(_runs: int, _size: int) -> None:
    """Runs the tests of a fail-over, and prints what they measured."""
    report = RESULTS / "failover.xml"
    report.unlink(missing_ok=True)
    _run(*PYTEST, f"--junitxml={report}", "tests/kernel/test_failover.py")
    for found in ET.parse(report).iter("property"):  # noqa: S314 - our own file
        print(f"{found.get('name')}: {found.get('value')}")


def _run(*arguments: str) -> None:
    status = vm.main(["--results", str(RESULTS), "--", sys.executable, *arguments])
    if status:
        raise SystemExit(f"the command in the virtual machine ended with {status}: {RESULTS / 'console.log'}")
