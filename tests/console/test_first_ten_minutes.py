"""The how-to for the first ten minutes: the demonstration, the link, the picture, and the wizard with what the page says to type."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import PATIENCE_SECONDS, until
from tests.docs import pages

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(600)]
PATIENCE = PATIENCE_SECONDS * 1000
NAME = "first-ten-minutes"
ROOT = Path(__file__).parents[2]
TYPED = ("198.51.100.300", "198.51.100.50", "192.168.60.0/24")
LABELS = (
    "New connection",
    "VPN gateway and endpoint",
    "Customer gateway",
    "Address or identity",
    "Subnets behind the device",
    "Generate",
    "Create the connection",
)


@dataclass
class Demo:
    """The demonstration as its recipe starts it, and what it prints. `link` signs in, `export` is for a second terminal."""

    output: Path
    process: "subprocess.Popen[bytes]"

    @property
    def printed(self) -> str:
        assert self.process.poll() is None, self.output.read_text()
        return self.output.read_text()

    @property
    def link(self) -> str:
        return re.findall(r"^ +(http\S+/console/link/\S+)$", self.printed, re.MULTILINE)[0]

    @property
    def export(self) -> str:
        return re.findall(r"^ +(export PATH=.*)$", self.printed, re.MULTILINE)[0]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    output = tmp_path / "demo.txt"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.demo"], cwd=ROOT, stdout=out, stderr=out, start_new_session=True
        )
    try:
        one = Demo(output, process)
        until(lambda: "Ctrl-C takes everything down" in one.printed, "the demonstration")
        yield one
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_SECONDS)


def test_the_demonstration_is_seen_in_the_console_and_a_connection_is_made_there(demo: Demo, chromium: Browser):
    recipe = re.findall(r"^demo:.*\n\t@(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe == ["$(BIN)/python -m lab.demo $(if $(ONCE),--once)"]
    start, shell = pages.blocks(NAME, "bash")
    assert start == "make demo\n"
    text = pages.page(NAME)
    assert tuple(re.findall(r"\*\*(.+?)\*\*", text)) == LABELS
    assert all(f"`{each}`" in text for each in TYPED)

    go_on = re.findall(r"^ +(landbridge status; .*)$", text, re.MULTILINE)
    assert go_on == re.findall(r"^ +(landbridge status; .*)$", demo.printed, re.MULTILINE)

    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(demo.link)
    expect(page.get_by_role("status")).to_have_text("1 of 1 tunnels up")
    _make(page)
    expect(page.locator("#wait")).to_contain_text("no_answer")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("status")).to_have_text("1 of 2 tunnels up, 1 down")
    page.context.close()

    environment = {"PATH": os.environ["PATH"], "HOME": str(demo.output.parent)}
    ran = subprocess.run(
        ["bash", "-euc", f"{demo.export}\n{shell}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert ran.returncode == 0, ran.stderr
    assert "count\tconnections\tDOWN\t1" in ran.stdout
    assert "/console/link/" in ran.stdout


def _make(page: Any) -> None:
    wrong, address, subnet = TYPED
    page.get_by_role("link", name="New connection").click()
    page.get_by_label("VPN gateway and endpoint").select_option(index=1)
    page.get_by_label("Customer gateway", exact=True).select_option(label="A new customer gateway")
    page.get_by_label("Address or identity").fill(wrong)
    expect(page.get_by_text("is not an IPv4 address")).to_be_visible()
    page.get_by_label("Address or identity").fill(address)
    page.get_by_label("Subnets behind the device").fill(subnet)
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#verdict")).to_contain_text("The rules allow this connection")
    page.get_by_role("button", name="Create the connection").click()
