"""Values of requests that try to reach charon, nftables, netlink, systemd, a shell or a file name of this machine.

Each hostile value is sent in each field that takes text. What the service accepts is applied to a real gateway. Then the machine must be as
it was: charon has the value as one identity and nothing else, no canary file exists, no namespace and no file was made that nobody asked
for, and the tunnel beside it lost no packet.
"""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import vici

from lab import demo, pinging, sites
from lab.attack.base import Result
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.ike import fingerprints

CANARY = Path("/tmp/landbridge-canary")  # noqa: S108  what a shell would make
HOST = "192.168.44.10"

#: `{canary}` is a file that must never come to be.
HOSTILE = (
    "$(touch {canary})",
    "`touch {canary}`",
    "x; touch {canary}",
    "x | touch {canary}",
    "x\ntouch {canary}",
    "x' ; touch {canary} ; '",
    'x" ; touch {canary} ; "',
    "../../../{canary}",
    "/etc/passwd",
    "x\x00y",
    "x\r\nInjected: yes",
    '"} connections { evil { remote_addrs = %any } } {"',
    "include {canary}",
    "x # comment",
    "%any",
    "%any6",
    "*",
    "*@*",
    "@#00",
    "keyid:x",
    "asn1dn:#30",
    "-x",
    "--help",
    "elements = {{ 0.0.0.0/0 }}",
    "} ; flush ruleset ; table ip x {",
    "0.0.0.0/0",
    "127.0.0.1",
    "::1",
    "%p/%n",
    "\\x2f..",
    "ä" * 40,
    "\u2028",
    "\u202e",
    "x" * 4000,
)


class Api:
    """The service's API with the first key, on the gateway of the neighbour's tunnel."""

    def __init__(self, service: demo.Service) -> None:
        known = service.credentials
        base = f"{known['endpoint']}/v5/{known['project_id']}"
        self._client = httpx.Client(base_url=base, headers={"X-Auth-Token": known["token"]}, timeout=60)
        self.statuses: list[int] = []

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        answer = self._client.request(method, path, json=body)
        self.statuses.append(answer.status_code)
        return answer


def run(_: Path) -> Iterator[Result]:
    CANARY.unlink(missing_ok=True)
    with sites.World() as world, demo.serving(world) as service:
        demo.build_tunnel(service, world)
        sites.wait_for(lambda: sites.ping(world.vpc_host, HOST), "the neighbour's ping", seconds=30)
        api = Api(service)
        gateway = api.send("GET", "/vpn-gateways").json()["vpn_gateways"][0]
        before = _machine()
        with pinging.pinging(world.vpc_host, HOST) as pings:
            accepted = _send_all(api, gateway)
            sites.wait_for(lambda: _is_applied(api, accepted), "what was accepted to be applied", seconds=120)
            pings.wait_for_more(pinging.RATE)
        yield from _judge(service, gateway["id"], accepted, api.statuses)
        came = _machine() - before
        yield Result("no file, namespace or unit came that nobody asked for", not came, ", ".join(sorted(came))[:200])
        yield Result("the tunnel beside them lost no packet", not pings.lost, f"{len(pings.lost)} lost")


def _send_all(api: Api, gateway: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Sends every value in every field. Returns the connections that were accepted, by id."""
    accepted = {}
    for number, template in enumerate(HOSTILE):
        value = template.replace("{canary}", str(CANARY))
        api.send("PUT", f"/vpn-gateways/{gateway['id']}", {"vpn_gateway": {"name": value}})
        api.send("GET", f"/vpn-gateways/{gateway['id']}?{httpx.QueryParams({'limit': value})}")
        api.send("POST", f"/vpn-gateway/{gateway['id']}/tags/create", {"tags": [{"key": "k", "value": value}]})
        for field in ("network_id", "vpc_id"):
            api.send("POST", "/vpn-gateways", {"vpn_gateway": {field: value, "local_subnets": ["10.9.0.0/24"]}})
        fqdn = api.send("POST", "/customer-gateways", {"customer_gateway": {"id_type": "fqdn", "id_value": value}})
        plain = {"name": f"p{number}", "id_value": f"198.51.100.{100 + number}"}
        peer = api.send("POST", "/customer-gateways", {"customer_gateway": plain}).json()["customer_gateway"]["id"]
        tries: list[dict[str, Any]] = [
            {"name": value},
            {"psk": value},
            {"peer_subnets": [value]},
            {"tunnel_local_address": value},
            {"ikepolicy": {"local_id_type": "fqdn", "local_id": value}},
            {"ikepolicy": {"peer_id_type": "fqdn", "peer_id": value}},
            {"tags": [{"key": value[:30], "value": value[:30]}]},
        ]
        for fields in tries:
            made = _create(api, gateway, peer, number, fields)
            if made:
                accepted[made["id"]] = made
                break  # one of a device is enough: others of the same device would be refused for that
        if fqdn.status_code == 201:
            made = _create(api, gateway, fqdn.json()["customer_gateway"]["id"], 100 + number, {})
            if made:
                accepted[made["id"]] = made
    return accepted


def _create(api: Api, gateway: dict[str, Any], peer: str, number: int, fields: dict[str, Any]) -> dict[str, Any] | None:
    wish = {
        "vgw_id": gateway["id"],
        "vgw_ip": gateway["eip2"]["id"],
        "cgw_id": peer,
        "peer_subnets": [f"10.{100 + number // 200}.{number % 200}.0/24"],
        "psk": "Correct-Horse-7",
    }
    answer = api.send("POST", "/vpn-connection", {"vpn_connection": wish | fields})
    return answer.json()["vpn_connection"] if answer.status_code == 201 else None


def _is_applied(api: Api, accepted: dict[str, dict[str, Any]]) -> bool:
    shown = api.send("GET", "/vpn-connection").json()["vpn_connections"]
    return all(one["status"] != "PENDING_CREATE" for one in shown if one["id"] in accepted)


def _judge(
    service: demo.Service, gateway_id: str, accepted: dict[str, dict[str, Any]], statuses: list[int]
) -> Iterator[Result]:
    refused = sum(400 <= status < 500 for status in statuses)
    crashed = sum(status >= 500 for status in statuses)
    figures = f"{len(statuses)} requests, {refused} refused, {crashed} answers of 5xx"
    yield Result("no value ends in a 5xx", crashed == 0, figures)
    yield Result("no shell ran", not CANARY.exists(), f"{len(accepted)} connections accepted")
    loaded = _identities(service, gateway_id)
    strange = [one for one, ends in loaded.items() if one in accepted and ends != _asked(accepted[one])]
    yield Result("charon has every identity as it was asked for", not strange, f"{len(loaded)} connections loaded")
    missing = [one for one in accepted if one not in loaded and service.diagnosis(one)["status"] != "ERROR"]
    yield Result("charon has every connection that is not ERROR", not missing, f"{len(missing)} missing")
    ruleset = _inside(gateway_id, "nft", "list", "ruleset")
    yield Result("nftables has no value of a request", "canary" not in ruleset and "evil" not in ruleset)


def _asked(made: dict[str, Any]) -> dict[str, str]:
    return {"local": made["ikepolicy"]["local_id"], "remote": made["ikepolicy"]["peer_id"]}


def _identities(service: demo.Service, gateway_id: str) -> dict[str, dict[str, str]]:
    """Identities that charon has loaded, by connection."""
    [path] = (service.data / "engine" / names.short(gateway_id)).glob("*.vici")
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(path))
        found = {}
        for conn in vici.Session(wire).list_conns():
            for name, one in conn.items():
                ends = {
                    end: ",".join(
                        part.get("id", b"").decode() for key, part in one.items() if key.startswith(f"{end}-")
                    )
                    for end in ("local", "remote")
                }
                found[fingerprints.owner(name)] = ends
        return found


def _inside(gateway_id: str, *command: str) -> str:
    words = ["ip", "netns", "exec", names.namespace(gateway_id), *command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _machine() -> set[str]:
    """Namespaces, units and files of folders that values could reach."""
    folders = (
        "/run/netns",
        "/etc/netns",
        "/etc/systemd/system",
        "/run/systemd/system",
        "/etc/swanctl",
        "/etc/strongswan.d",
    )
    return {str(one) for folder in folders for one in Path(folder).glob("*")}
