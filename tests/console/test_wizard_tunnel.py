"""A person at the console makes a tunnel with a real device, sees what goes wrong on the device, and mends it. The device has what the console printed."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from lab import demo, sites, testbed
from tests.conftest import PATIENCE_SECONDS
from tests.console.test_browser import RULES

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(600)]
PATIENCE = PATIENCE_SECONDS * 1000
OTHER = "Another-Horse-8"
NO_ADDRESS = re.compile("is not an IPv4 address")


@pytest.fixture
def case() -> Iterator[testbed.RunningCase]:
    """A gateway of a real service, and a device that is not switched on yet."""
    with testbed.testbeds(1, **demo.BRISK) as [place], testbed.running_case(place) as one:
        yield one


def _check_accessible(page: Any) -> None:
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def test_from_the_sign_in_to_a_tunnel_that_pings_and_from_a_fault_to_its_end(case: Any, chromium: Browser):
    known = case.testbed.api.known
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(f"{known['endpoint']}/console")
    page.get_by_label("Access key").fill(known["access_key"])
    page.get_by_label("Secret key").fill(known["secret_key"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="New connection").click()
    _fill(page, case)
    _check_accessible(page)
    page.get_by_role("button", name="Create the connection").click()
    expect(page.locator("#wait")).to_contain_text("Waiting for the device")
    case.connection_id = page.url.rpartition("/")[2]
    shown = case.testbed.api.get(f"/v5/{{project}}/vpn-connection/{case.connection_id}")["vpn_connection"]
    case.customer_gateway_id = shown["cgw_id"]
    _check_accessible(page)

    page.get_by_label("Device", exact=True).select_option("strongswan")
    page.get_by_role("button", name="Show with the pre-shared key").click()
    printed = page.locator("#device-text").text_content()
    page.get_by_role("link", name="watch the tunnel").click()
    case.device.start()
    case.device.load_text(printed)
    expect(page.locator("#wait")).to_contain_text("The tunnel is up")
    assert sites.ping(case.device.host, case.testbed.vpc_address)

    key = printed.partition("secret = ")[2].split('"')[1]
    case.device.stop()  # an attempt that has begun would end with the key that it began with
    case.device.restart()
    case.device.load_text(printed.replace(key, OTHER))
    wait = page.locator("#wait")
    expect(wait).to_contain_text("psk_mismatch")
    expect(wait).to_contain_text("To do:")
    _check_accessible(page)

    page.get_by_role("link", name="All about this connection").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("New pre-shared key").fill(OTHER)
    page.get_by_role("button", name="Change").click()
    expect(page.locator(".sum")).to_have_text("ACTIVE")
    assert sites.ping(case.device.host, case.testbed.vpc_address)
    assert messages == []
    page.context.close()


def _fill(page: Any, case: Any) -> None:
    """Each choice shows its fields, and what is typed is checked, without a click."""
    page.get_by_label("VPN gateway and endpoint").select_option(index=1)
    page.get_by_label("Customer gateway", exact=True).select_option("new")
    page.get_by_label("Address or identity").fill("198.51.100.300")
    expect(page.get_by_label("Address or identity")).to_have_accessible_description(NO_ADDRESS)
    page.get_by_label("Address or identity").fill(case.address)
    page.get_by_label("bgp", exact=True).check()
    expect(page.get_by_label("(NQA)")).to_have_count(0)
    page.get_by_label("static").check()
    subnets = page.get_by_label("Subnets behind the device")
    subnets.fill("10.0.0.5/24")
    expect(page.get_by_text("10.0.0.5/24 has host bits set")).to_be_visible()
    expect(subnets).to_be_focused()
    subnets.fill(case.words["lan"])
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#verdict")).to_contain_text("The rules allow this connection")
