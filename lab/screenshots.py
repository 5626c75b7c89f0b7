"""`make screenshots`: pictures of the console for the pages of docs, with real tunnels.

Two VPN gateways have four branches, which are strongSwans in network namespaces of their own. Two tunnels are up, one device has another key, and one has
other algorithms. Names, addresses and counts are the same in each run; times are not.
"""

import argparse
import contextlib
import functools
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright

from lab import demo, sites, testbed

FOLDER = Path(__file__).parents[1] / "docs/images"
#: Bytes that one file may have.
LIMIT = 200_000
WIDTH = 1280
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: The browser of the console's tests.
BROWSER: dict[str, Any] = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"],
}
OTHER_PSK = "Another-Horse-8"
#: The second network has no bridge.
WAREHOUSE_VPC, WAREHOUSE = str(uuid.uuid4()), "10.9.0.0/24"
_NETWORK = f"""
[[network]]
id = "{WAREHOUSE_VPC}"
cidr = "{WAREHOUSE}"
"""


@dataclass(frozen=True)
class Branch:
    """A customer's site with its tunnel. `status` and `cause` are what its connection shows at the end."""

    name: str
    gateway: str
    status: str = "ACTIVE"
    cause: str = ""
    psk: str = testbed.PSK
    proposals: str = "aes128-sha256-modp3072"


BRANCHES = (
    Branch("berlin", "headquarters"),
    Branch("lisbon", "headquarters"),
    Branch("oslo", "headquarters", "DOWN", "psk_mismatch", psk=OTHER_PSK),
    Branch("vienna", "warehouse", "DOWN", "ike_proposal_mismatch", proposals="aes256-sha384-ecp384"),
)


#: The status line of the console with these branches.
SUMMARY = "2 of 4 tunnels up, 2 down"


class TooLargeError(Exception):
    """A picture has more bytes than it may have."""


@dataclass(frozen=True)
class Overview:
    """What is there: the service, and the ids of its connections by the names of the branches."""

    service: demo.Service
    connections: dict[str, str]

    @property
    def console(self) -> str:
        """The URL of the project's pages."""
        known = self.service.credentials
        return f"{known['endpoint']}/console/{known['project_id']}"


@contextlib.contextmanager
def overview() -> Iterator[Overview]:
    """All tunnels have come to what they show. Nothing is left after the block."""
    with sites.World() as world, demo.serving(world, more_site=_NETWORK, **demo.BRISK) as service:
        api = testbed.Api(service.credentials)
        gateways = {
            "headquarters": _make_gateway(api, "headquarters", demo.VPC_ID, sites.VPC),
            "warehouse": _make_gateway(api, "warehouse", WAREHOUSE_VPC, WAREHOUSE),
        }
        made = {one.name: _connect(world, api, gateways[one.gateway], one, n) for n, one in enumerate(BRANCHES)}
        for one in BRANCHES:
            demo.wait_for(functools.partial(_shows, service, made[one.name], one), f"{one.name} to be {one.status}")
        yield Overview(service, made)


def _make_gateway(api: testbed.Api, name: str, vpc_id: str, subnet: str) -> dict[str, Any]:
    body = {"vpn_gateway": {"name": name, "vpc_id": vpc_id, "local_subnets": [subnet]}}
    path = "/v5/{project}/vpn-gateways/" + api.request("POST", "/v5/{project}/vpn-gateways", body)["vpn_gateway"]["id"]
    demo.wait_for(lambda: api.get(path)["vpn_gateway"]["status"] == "ACTIVE", "the gateway")
    found: dict[str, Any] = api.get(path)["vpn_gateway"]
    return found


def _connect(world: sites.World, api: testbed.Api, gateway: dict[str, Any], branch: Branch, number: int) -> str:
    """The id of the connection. The device initiates, too: then both sides' values are known."""
    endpoint, lan = gateway["eip1"], f"192.168.{44 + number}.0/24"
    tunnel = sites.Tunnel(
        gateway=endpoint["ip_address"],
        psk=branch.psk,
        proposals=branch.proposals,
        pairs=((lan, gateway["local_subnets"][0]),),
        start=True,
    )
    device = world.add_device(lans=(lan,))
    peer = {"customer_gateway": {"name": branch.name, "id_value": device.address}}
    peer_id = api.request("POST", "/v5/{project}/customer-gateways", peer)["customer_gateway"]["id"]
    wish = {"name": branch.name, "vgw_id": gateway["id"], "vgw_ip": endpoint["id"], "cgw_id": peer_id}
    body = {"vpn_connection": wish | {"peer_subnets": [lan], "psk": testbed.PSK, **_inner(number)}}
    made = str(api.request("POST", "/v5/{project}/vpn-connection", body)["vpn_connection"]["id"])
    path = f"/v5/{{project}}/vpn-connection/{made}"
    demo.wait_for(lambda: api.get(path)["vpn_connection"]["status"] != "PENDING_CREATE", "the connection to be loaded")
    device.load(tunnel)
    return made


def _inner(number: int) -> dict[str, str]:
    """The inner addresses of a tunnel. Without these, the service takes others in each run."""
    return {"tunnel_local_address": f"169.254.7{number}.1/30", "tunnel_peer_address": f"169.254.7{number}.2/30"}


def _shows(service: demo.Service, connection_id: str, branch: Branch) -> bool:
    found = service.diagnosis(connection_id)
    codes = [one["code"] for one in found["causes"]]
    return found["status"] == branch.status and (codes[:1] == [branch.cause] if branch.cause else not codes)


def take(page: Page, name: str, folder: Path, *, height: int | None = None) -> Path:
    """A picture of the page, of its first `height` pixels or of all of it. Raises TooLargeError, and leaves no file then."""
    page.set_viewport_size({"width": WIDTH, "height": height or 300})
    page.evaluate("scrollTo(0, 0)")
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=height is None, animations="disabled")
    if (size := path.stat().st_size) > LIMIT:
        path.unlink()
        raise TooLargeError(f"{path.name} has {size:,} bytes, and may have {LIMIT:,}")
    return path


def take_all(browser: Browser, there: Overview, folder: Path) -> Iterator[Path]:
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
        page = context.new_page()
        _open(page, f"{there.console.rpartition('/')[0]}/sign-in", "Sign in")
        yield take(page, f"sign-in-{scheme}", folder, height=480)
        page.goto(there.service.console_link())
        _open(page, there.console, "Overview")
        page.get_by_text(SUMMARY).wait_for()
        yield take(page, f"overview-{scheme}", folder)
        _open(page, f"{there.console}/connections/{there.connections['oslo']}", "oslo")
        yield take(page, f"connection-{scheme}", folder, height=860)
        _open(page, f"{there.console}/new-connection", "New connection")
        _fill_in(page)
        yield take(page, f"wizard-{scheme}", folder, height=860)
        context.close()


def _open(page: Page, url: str, heading: str) -> None:
    page.goto(url)
    page.get_by_role("heading", level=1, name=heading).wait_for()


def _fill_in(page: Page) -> None:
    """A form with a mistake: the rules say it beside its field."""
    page.get_by_label("VPN gateway and endpoint").select_option(index=1)
    page.get_by_label("Customer gateway", exact=True).select_option("new")
    page.get_by_label("Address or identity").fill("198.51.100.300")
    page.get_by_text("is not an IPv4 address").wait_for()


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.screenshots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files go (default docs/images)")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with overview() as there, sync_playwright() as playwright, playwright.chromium.launch(**BROWSER) as browser:
            for path in take_all(browser, there, folder):
                print(f"{path}: {path.stat().st_size:,} bytes", flush=True)
    except Exception as error:  # noqa: BLE001 - the edge: whatever it is, one line says it
        print(f"screenshots: {' '.join((str(error) or type(error).__name__).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
