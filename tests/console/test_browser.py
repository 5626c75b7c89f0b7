"""The console in a real browser: Debian's Chromium."""

from importlib import resources
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from landbridge.wire import body

pytestmark = pytest.mark.process
#: What axe holds pages against: WCAG 2.2, levels A and AA, and what its authors call good practice.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
#: What differs between the colour schemes and the widths of a page.
OF_A_SCHEME = {"runOnly": {"type": "rule", "values": ["color-contrast", "target-size", "link-in-text-block"]}}


#: The texts of the page with a line longer than 120 characters of a middling width.
LONG_LINES = """[...document.querySelectorAll("main p, main li, main dd, main .why")].filter((one) => {
  const range = document.createRange();
  range.selectNodeContents(one);
  const widest = Math.max(0, ...[...range.getClientRects()].map((line) => line.width));
  return one.childElementCount === 0 && widest > 120 * 0.5 * parseFloat(getComputedStyle(one).fontSize);
}).map((one) => one.textContent)"""

#: The cells of the page whose text runs over the next cell.
CROWDED = """[...document.querySelectorAll("main th, main td")].filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth)
  .map((one) => one.textContent)"""


@pytest.fixture(scope="module")
def overview(reader: Any) -> dict[str, Any]:
    """Two gateways: one whose tunnels are drawn as lines, and one with a grid."""
    api = reader.api
    small, large = api.gateway(name="small"), api.gateway(name="large")
    up = api.connection(small, name="tunnel-up")
    down = api.connection(small, name="tunnel-down", peer_subnets=["192.168.45.0/24"])
    many = [api.connection(large, peer_subnets=[f"172.20.{n}.0/24"]) for n in range(14)]
    api.connection_as(many[-1]["id"], "ACTIVE")
    for one in (down, many[3]):
        api.simulate(one["id"], "down:psk")
        api.connection_as(one["id"], "DOWN")
    api.send("POST", f"vpn-gateway/{small['id']}/tags/create", {"tags": [{"key": "site", "value": "berlin"}]})
    peer, empty = {"id": up["cgw_id"]}, api.gateway(name="empty")
    return {"up": up, "down": down, "gateway": small, "empty": empty, "peer": peer, "key": {"id": api.key.access_key}}


def test_the_overview_refreshes_itself_and_leaves_typed_text_alone(reader: Any, overview: Any):
    page = reader.open()
    expect(page.get_by_role("status")).to_have_text("14 of 16 tunnels up, 2 down")
    search = page.get_by_role("searchbox")
    search.press_sequentially("berl")
    reader.api.simulate(overview["up"]["id"], "down:proposal")
    expect(page.get_by_role("status")).to_have_text("13 of 16 tunnels up, 3 down")
    expect(page.get_by_role("row", name="tunnel-up")).to_contain_text("no phase 1 proposal fits both sides")
    expect(search).to_be_focused()
    expect(search).to_have_value("berl")
    search.press("i")
    expect(search).to_have_value("berli")
    reader.api.simulate(overview["up"]["id"], None)
    reader.api.connection_as(overview["up"]["id"], "ACTIVE")


@pytest.mark.usefixtures("overview")
def test_filters_are_links_and_stand_in_the_address(reader: Any):
    page = reader.open()
    page.get_by_role("link", name="down 2").click()
    assert page.url.endswith("?health=down")
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(3)
    page.get_by_role("searchbox").fill("tunnel-down")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Clear filters").click()
    expect(page.get_by_role("status")).to_contain_text("16 tunnels")


@pytest.mark.usefixtures("overview")
def test_updates_can_be_paused(reader: Any):
    page = reader.page
    page.clock.install()
    reader.open()
    asked: list[str] = []
    page.on("request", lambda request: "/assets/" in request.url or asked.append(request.url))
    button = page.get_by_role("button", name="Pause updates")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_response(lambda answer: answer.status in (200, 304)):
        button.click()
    with page.expect_response(lambda answer: answer.status == 304):
        page.clock.run_for(5_000)


PAGES = (
    "",
    "/connections",
    "/connections/{up}?device=strongswan",
    "/connections/{down}",
    "/connections/{down}/edit",
    "/connections/{down}/delete",
    "/connections?all=true",
    "/connections/selected?do=delete&row={down}&row={up}",
    "/connections/selected?do=tag&row={down}",
    "/gateways/selected?do=delete&row={gateway}&row={empty}",
    "/customer-gateways/selected?do=untag&row={peer}",
    "/gateways",
    "/gateways/{gateway}",
    "/customer-gateways",
    "/tags",
    "/quotas",
    "/keys",
    "/audit",
    "/node",
    "/new-connection",
    "/new-connection/{up}?device=strongswan",
    "/new-connection/{down}",
    "/new-gateway",
    "/new-gateway?attachment_type=er&network_type=private",
    "/gateways/{gateway}/edit",
    "/gateways/{gateway}/flavor",
    "/gateways/{gateway}/delete",
    "/gateways/{empty}/delete",
    "/new-customer-gateway",
    "/customer-gateways/{peer}",
    "/customer-gateways/{peer}/edit",
    "/customer-gateways/{peer}/delete",
    "/tags/vpn-gateway/{gateway}",
    "/keys/{key}",
)


def test_every_page_is_accessible_in_both_schemes_and_fits_a_phone_and_a_wall(reader: Any, overview: Any):
    """Pages differ in what they hold and share their style, so each page is opened once and looked at
    in both schemes."""
    reader.messages.clear()
    for path in PAGES:
        page = reader.open(path.format(**{name: one["id"] for name, one in overview.items()}))
        for scheme, width, rules in (("dark", 360, OF_A_SCHEME), ("light", 1280, RULES)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            found = Axe().run(page, options=rules)
            assert found.violations_count == 0, (path, scheme, found.generate_report())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(CROWDED) == [], (path, width)
        page.set_viewport_size({"width": 3840, "height": 2160})
        assert page.evaluate("document.documentElement.scrollWidth") <= 3840, path
        assert page.evaluate(LONG_LINES) == [], path
    assert reader.messages == []


def test_a_tunnel_is_mended_from_its_page(reader: Any, overview: Any):
    page = reader.open(f"/connections/{overview['down']['id']}")
    expect(page.get_by_role("status").first).to_have_text("DOWN")
    expect(page.locator("mark")).to_have_text("another one")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("New pre-shared key").fill("Another-Key-2026")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_text("The connection is changed.")).to_be_visible()
    reader.api.simulate(overview["down"]["id"], None)
    expect(page.locator(".sum")).to_have_text("ACTIVE")
    expect(page.get_by_text("Nothing is wrong.")).to_be_visible()
    page.get_by_label("Device", exact=True).select_option("strongswan")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "connections {" in page.evaluate("navigator.clipboard.readText()")


def test_the_text_of_a_step_hides_the_line_behind_it(reader: Any, overview: Any):
    reader.api.simulate(overview["down"]["id"], "down:psk")
    reader.api.connection_as(overview["down"]["id"], "DOWN")
    page = reader.open(f"/connections/{overview['down']['id']}")
    outline, order, background = page.locator(".sequence .failed circle + text").evaluate(
        """text => {
            const style = getComputedStyle(text);
            return [style.stroke, style.paintOrder, getComputedStyle(text.closest(".sheet")).backgroundColor];
        }"""
    )
    assert (outline, order) == (background, "stroke")


def test_a_gateway_is_created_changed_and_deleted_with_a_keyboard(reader: Any):
    """Every step by labels, Enter and Tab alone, as a screen reader offers them."""
    page = reader.open("/new-gateway")
    page.get_by_label("Name", exact=True).fill("berlin hq")
    expect(page.locator("#verdict")).to_contain_text("1 field is not right yet")
    page.get_by_label("Name", exact=True).fill("berlin")
    page.get_by_label("Local subnets").fill("10.77.0.0/24")
    expect(page.locator("#verdict")).to_have_text("The rules allow this VPN gateway")
    page.get_by_role("button", name="Create the VPN gateway").press("Enter")
    expect(page.get_by_text("VPN gateway berlin is created.")).to_be_visible()
    page.get_by_role("link", name="Tags", exact=True).nth(1).press("Enter")
    page.get_by_label("Key", exact=True).fill("site")
    page.get_by_label("Value", exact=True).fill("berlin")
    page.get_by_label("Value", exact=True).press("Enter")
    expect(page.get_by_text("The tag site is set.")).to_be_visible()
    page.get_by_label("site", exact=True).fill("bonn")
    page.get_by_role("button", name="Set site").press("Enter")
    expect(page.get_by_label("site", exact=True)).to_have_value("bonn")
    page.get_by_role("button", name="Remove site").press("Enter")
    expect(page.get_by_text("It has no tag.")).to_be_visible()
    page.go_back()
    gateway = next(one for one in reader.api.get("vpn-gateways")["vpn_gateways"] if one["name"] == "berlin")
    reader.open(f"/gateways/{gateway['id']}/edit")
    page.get_by_label("Name", exact=True).fill("bonn hq")
    page.get_by_role("button", name="Change").press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.locator("section.fault")).to_be_focused()
    page.get_by_label("Name", exact=True).fill("bonn")
    page.get_by_role("button", name="Change").press("Enter")
    expect(page.get_by_role("heading", name="bonn", level=1)).to_be_visible()
    page.get_by_role("link", name="Delete").press("Enter")
    page.get_by_role("button", name="Delete this VPN gateway").press("Enter")
    expect(page.get_by_text("The VPN gateway is being deleted.")).to_be_visible()


@pytest.mark.usefixtures("overview")
def test_rows_are_selected_with_a_keyboard_and_a_refresh_leaves_them_selected(reader: Any):
    page = reader.open("/connections?q=tunnel-")
    chosen, everything = page.locator("#selected-count"), page.get_by_label("Select all shown")
    expect(page.get_by_role("link", name="Select all shown")).to_be_hidden()
    everything.press("Space")
    expect(chosen).to_have_text("2 selected")
    page.get_by_label("Select tunnel-down").press("Space")
    expect(chosen).to_have_text("1 selected")
    assert everything.evaluate("box => box.indeterminate")
    new = reader.api.connection(reader.api.gateway(), name="tunnel-new", peer_subnets=["172.31.0.0/24"])
    expect(page.get_by_label("Select tunnel-new")).to_be_visible()
    expect(page.get_by_label("Select tunnel-new")).not_to_be_checked()
    expect(page.get_by_label("Select tunnel-up")).to_be_checked()
    expect(chosen).to_have_text("1 selected")
    everything.press("Space")
    expect(chosen).to_have_text("3 selected")
    page.get_by_role("button", name="Add a tag").press("Enter")
    expect(page.get_by_role("heading", name="Add a tag to 3 connections")).to_be_visible()
    page.get_by_label("tunnel-down").press("Space")
    page.get_by_label("Key", exact=True).fill("site")
    page.get_by_label("Value", exact=True).fill("berlin")
    page.get_by_role("button", name="Add a tag").press("Enter")
    expect(page.get_by_text("2 connections are tagged.")).to_be_visible()
    assert page.url.endswith("/connections?q=tunnel-")
    assert reader.api.get(f"vpn-connection/{new['id']}/tags")["tags"] == [{"key": "site", "value": "berlin"}]


@pytest.mark.parametrize("scripts", [True, False], ids=["with the script", "without it"])
def test_two_clicks_on_create_make_one_key(reader: Any, chromium: Any, scripts: bool):
    context = chromium.new_context(java_script_enabled=scripts)
    context.add_cookies(reader.page.context.cookies())
    page = context.new_page()
    page.goto(f"{reader.api.http.base_url}/console/{reader.api.project_id}/keys")
    before = page.locator("tbody tr").count()
    page.get_by_role("button", name="Create a key").dblclick()
    expect(page.get_by_role("heading", name="A new key with the role reader")).to_be_visible()
    assert page.locator("tbody tr").count() == before + 1
    page.reload()
    assert page.locator("tbody tr").count() == before + 1
    context.close()


def test_a_form_that_is_too_large_stays_in_the_browser(reader: Any):
    page = reader.open("/new-customer-gateway")
    page.get_by_label("Name").fill("kept")
    large = page.get_by_label("CA certificate of the device")
    large.evaluate("(field, size) => { field.value = 'x'.repeat(size); }", body.BODY_LIMIT)
    page.get_by_role("button", name="Create the customer gateway").click()
    said = "The form has more than 1024 KiB. Its largest field is CA certificate of the device. Nothing was sent."
    expect(page.locator("#lost")).to_have_text(said)
    expect(page.get_by_label("Name")).to_have_value("kept")
    assert large.evaluate("field => field.value.length") == body.BODY_LIMIT
    large.fill("")
    page.get_by_label("Address or identity").fill("198.51.100.78")
    page.get_by_role("button", name="Create the customer gateway").click()
    expect(page.get_by_role("heading", name="kept", level=1)).to_be_visible()


def test_the_secret_of_a_new_key_is_copied(reader: Any):
    page = reader.open("/keys")
    page.get_by_label("Role").select_option("reader")
    page.get_by_role("button", name="Create a key").click()
    expect(page.get_by_role("heading", name="A new key with the role reader")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the secret key").click()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#made-secret").text_content()
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def test_long_texts_get_short_lines_by_the_style_of_the_console(chromium: Any):
    page = chromium.new_page(viewport={"width": 3840, "height": 2160})
    page.set_content(f"<main><p>{'a word ' * 200}</p><ul><li>{'a word ' * 200}</li></ul></main>")
    assert len(page.evaluate(LONG_LINES)) == 2
    style = resources.files("landbridge.console") / "assets" / "console.css"
    page.add_style_tag(content=style.read_text())
    assert page.evaluate(LONG_LINES) == []
    page.close()
