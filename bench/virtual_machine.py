"""Figures of the kernel data plane, which this machine's kernel may lack: in a virtual machine, at about a tenth of the speed."""

import sys
import xml.etree.ElementTree as ET

from lab import iperf, vm

RESULTS = vm.RESULTS / "bench"
PYTEST = (
    *("-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist"),
    *("-p", "no:xdist.looponfail", "-p", "no:pytest_cov", "--confcutdir=tests/kernel", "--timeout=400"),
)


#: For a busy machine: the tests of a fail-over need 10 minutes on a quiet one.
TIMEOUT_SECONDS = 3600


def throughput(runs: int, seconds: int) -> None:
    """Of the kernel data plane, and two tunnels by ECMP."""
    iperf.fetch()
    _check(_run("-m", "bench.dataplane", "--only", "throughput", "ecmp", "--runs", str(runs), "--size", str(seconds)))


def failover(_runs: int, _size: int) -> None:
    """Runs the tests of a fail-over, and prints what they measured, also when one of them failed."""
    report = RESULTS / "failover.xml"
    report.unlink(missing_ok=True)
    status = _run(*PYTEST, f"--junitxml={report}", "tests/kernel/test_failover.py")
    if report.exists():
        for found in ET.parse(report).iter("property"):  # noqa: S314 - our own file
            print(f"{found.get('name')}: {found.get('value')}")
    _check(status)


def _run(*arguments: str) -> int:
    """The exit status of Python with these arguments in a virtual machine."""
    return vm.main(["--timeout", str(TIMEOUT_SECONDS), "--results", str(RESULTS), "--", sys.executable, *arguments])


def _check(status: int) -> None:
    if status:
        raise SystemExit(f"the command in the virtual machine ended with {status}: {RESULTS / 'console.log'}")
