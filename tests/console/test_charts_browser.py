"""The charts of a connection in a real browser."""

import re
import time
from functools import partial
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from landbridge import config, data_folder
from landbridge.model.samples import EchoSample, Sample
from landbridge.operations import sampler
from tests.console.test_browser import OF_A_SCHEME, RULES

pytestmark = pytest.mark.process
#: Megabits a second of the minutes 30 to 2 ago, with a gap and a time down.
HISTORY = {
    ago: Sample(
        60_000,
        0 if ago in (12, 13) else 60_000,
        ago * 1_000_000,
        ago * 300_000,
        EchoSample(120, ago % 3, (120 - ago % 3) * 12_000, 9_000, 30_000),
    )
    for ago in range(2, 30)
    if ago not in (20, 21, 22)
}


def _store(server: Any, connection_id: str, found: dict[int, Sample]) -> None:
    """As if the agent of the server had collected it. `found`: by the minutes before now."""
    now = int(time.time()) // 60
    collected = {connection_id: {now - ago: one for ago, one in found.items()}}
    with data_folder.open_data(config.load({"data": str(server.folder)}, {}), make=False) as data:
        data.database.write(partial(sampler.write, collected=collected))


@pytest.fixture(scope="module")
def connection(reader: Any, server: Any) -> Any:
    made = reader.api.connection(reader.api.gateway(), name="with-traffic")
    reader.api.connection_as(made["id"], "ACTIVE")
    _store(server, made["id"], HISTORY)
    return made


def test_charts_are_drawn_and_refresh_themselves(reader: Any, server: Any, connection: Any):
    page = reader.open(f"/connections/{connection['id']}")
    throughput = page.get_by_role("img", name="Throughput of the last hour.")
    expect(throughput).to_have_attribute("aria-label", re.compile("The tunnel was down in a part of this time"))
    box = throughput.bounding_box()
    assert box["width"] > 200
    assert box["height"] > 80
    for chart, kind in (
        ("throughput", "first"),
        ("throughput", "second"),
        ("loss", "first"),
        ("rtt", "first"),
        ("rtt", "area"),
    ):
        drawn = page.locator(f"#chart-{chart} .plot path.{kind}").bounding_box()
        assert drawn["width"] > 80, (chart, kind)
    for band in ("gap", "down-time"):
        assert page.locator(f"#chart-rtt .plot path.{band}").first.bounding_box()["width"] > 5
    expect(page.locator("#chart-throughput")).to_contain_text("at most 3.87 Mbit/s")
    page.get_by_text("The values as a table").click()
    expect(page.get_by_role("region", name="Values of the last hour").get_by_role("row").nth(1)).to_be_visible()
    _store(server, connection["id"], {1: Sample(60_000, 60_000, 90_000_000, 0)})
    reader.api.simulate(connection["id"], "active")  # an event of the audit trail, which changes the page's tag
    expect(page.locator("#chart-throughput")).to_contain_text("at most 12 Mbit/s")
    expect(page.get_by_role("region", name="Values of the last hour")).to_be_visible()


def test_the_time_is_chosen_by_links(reader: Any, connection: Any):
    page = reader.open(f"/connections/{connection['id']}")
    for last in ("day", "month"):
        page.get_by_role("link", name=f"Last {last}").click()
        expect(page.get_by_role("img", name=f"Round-trip time of the last {last}.")).to_be_visible()
        expect(page.get_by_role("link", name=f"Last {last}")).to_have_attribute("aria-current", "true")


def test_charts_are_accessible_in_both_schemes_and_fit_a_phone(reader: Any, connection: Any):
    reader.messages.clear()
    page = reader.open(f"/connections/{connection['id']}")
    page.get_by_text("The values as a table").click()
    for scheme, width, rules in (("dark", 360, OF_A_SCHEME), ("light", 1280, RULES)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        found = Axe().run(page, options=rules)
        assert found.violations_count == 0, (scheme, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert reader.messages == []
