"""A device announces as many routes as a gateway takes from it, and withdraws them; what these routes cost then."""

import statistics
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bench import costs, cycle
from lab import birds, demo, fleet, sites, testbed
from landbridge.agent import loop
from landbridge.engine.strongswan import names

#: What the connection declares: the userland data plane takes prefixes within it alone.
DECLARED = "172.16.0.0/12"
OURS, THEIRS = "169.254.70.1", "169.254.70.2"
ASN, DEVICE_ASN = 64512, 65001
LANS = ("172.31.255.0/24", "172.31.254.0/24")
LOOKS = 5
PAGE = 500


def measure(runs: int, count: int) -> None:
    """10,000 routes of one BGP session, beside a session of two BIRDs without a service and a tunnel."""
    routes = tuple(f"172.{16 + (number >> 14)}.{number >> 6 & 255}.{4 * (number & 63)}/30" for number in range(count))
    with sites.World() as world, demo.serving(world, LANDBRIDGE_AGENT_TICK_SECONDS="30") as service:
        api = testbed.Api(service.credentials)
        gateway = fleet.make_gateway(api, demo.VPC_ID, sites.VPC)
        device = world.add_device(
            sites.Tunnel(
                gateway=gateway["eip1"]["ip_address"],
                psk=fleet.PSK,
                pairs=((DECLARED, sites.VPC), (f"{THEIRS}/32", f"{OURS}/32")),
            ),
            lans=LANS[:1],
            inner=f"{THEIRS}/32",
        )
        connection_id = _connect(api, gateway, device.address)
        bird = birds.Bird(
            namespace=device.namespace, folder=device.folder / "bird", address=THEIRS, peer=OURS, routes=(), link=""
        )
        with birds.running(bird), _bare(world) as (bare, learner):
            sites.wait_for(lambda: _status(api, connection_id) == "ACTIVE", "the session")
            before = _looks(service, gateway["id"])
            ours, floor = [], []
            for _ in range(runs):
                floor.append(_announce(bare, routes, learner.namespace, "main"))
                ours.append(_announce(bird, routes, names.namespace(gateway["id"]), str(names.LEARNED_TABLE)))
            for what, at in (("installed", 0), ("withdrawn", 1)):
                one, other = (statistics.median(each[at] for each in found) for found in (ours, floor))
                print(f"{count:,} learned routes {what}: {one:.2f} s, by two BIRDs alone {other:.2f} s", flush=True)
            bird.change(routes=routes)
            _wait_for_routes(names.namespace(gateway["id"]), str(names.LEARNED_TABLE), count)
            after = _looks(service, gateway["id"])
            print(f"a look and its report: {after}; without routes: {before}", flush=True)
            _answers(service, gateway["id"])
            pids = costs.daemons([gateway["id"]], "bird")
            print(f"memory: Landbridge {costs.memory(costs.service(service)):.0f} MB, BIRD {costs.memory(pids):.0f} MB")


def _connect(api: testbed.Api, gateway: dict[str, Any], address: str) -> str:
    peer = {"customer_gateway": {"id_value": address, "bgp_asn": DEVICE_ASN}}
    peer_id = api.request("POST", "/v5/{project}/customer-gateways", peer)["customer_gateway"]["id"]
    wish = {"vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"], "cgw_id": peer_id, "psk": fleet.PSK}
    wish |= {"style": "bgp", "peer_subnets": [DECLARED]}
    wish |= {"tunnel_local_address": f"{OURS}/30", "tunnel_peer_address": f"{THEIRS}/30"}
    return str(api.request("POST", "/v5/{project}/vpn-connection", {"vpn_connection": wish})["vpn_connection"]["id"])


def _status(api: testbed.Api, connection_id: str) -> str:
    return str(api.get("/v5/{project}/vpn-connection/" + connection_id)["vpn_connection"]["status"])


@contextmanager
def _bare(world: sites.World) -> Iterator[tuple[birds.Bird, birds.Bird]]:
    """Two BIRDs on one link: the one that announces, and the one that learns."""
    device = world.add_device(lans=LANS[1:], bare=True)
    near, far = (LANS[1].replace(".0/24", end) for end in (".1", ".10"))
    with ExitStack() as running:
        ends = (
            (device.namespace, near, far, DEVICE_ASN, ASN),
            (device.host, far, near, ASN, DEVICE_ASN),
        )
        announces, learns = (
            running.enter_context(
                birds.running(
                    birds.Bird(
                        namespace=namespace,
                        folder=device.folder / namespace,
                        address=address,
                        peer=peer,
                        asn=asn,
                        peer_asn=peer_asn,
                        routes=(),
                        link="lan",
                    )
                )
            )
            for namespace, address, peer, asn, peer_asn in ends
        )
        sites.wait_for(lambda: "Established" in learns.tell("show protocols"), "the session of the floor")
        yield announces, learns


def _announce(bird: birds.Bird, routes: tuple[str, ...], namespace: str, table: str) -> tuple[float, float]:
    """Seconds until all routes are in the kernel of the other side, and until all are gone again."""
    began = time.perf_counter()
    bird.change(routes=routes)
    _wait_for_routes(namespace, table, len(routes))
    there = time.perf_counter()
    bird.change(routes=())
    _wait_for_routes(namespace, table, 0)
    return there - began, time.perf_counter() - there


def _wait_for_routes(namespace: str, table: str, count: int) -> None:
    command = ["ip", "-n", namespace, "route", "show", "table", table, "proto", "bird"]

    def learned() -> int:
        return len(subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines())

    sites.wait_for(lambda: learned() == count, f"{count:,} routes", seconds=fleet.PATIENCE)


def _looks(service: demo.Service, gateway_id: str) -> str:
    """Processor seconds of a cycle of the agent that changes nothing, the first ones of a process not counted. The service is stopped meanwhile."""
    service.stop()
    pids = costs.daemons([gateway_id], "bird")
    with cycle.opened(str(service.data), str(service.site)) as (source, engine):
        for _ in range(2):
            assert loop.cycle(source, engine, gateway_id)
        ours, theirs = time.process_time(), costs.processor_seconds(pids)
        for _ in range(LOOKS):
            assert loop.cycle(source, engine, gateway_id)
        ours, theirs = time.process_time() - ours, costs.processor_seconds(pids) - theirs
    service.start()
    return f"Landbridge {ours / LOOKS:.3f} s, BIRD {theirs / LOOKS:.3f} s of a processor"


def _answers(service: demo.Service, gateway_id: str) -> None:
    """What the routes cost those who ask."""
    api, began = testbed.Api(service.credentials), time.perf_counter()
    path, pages, found = f"/v5/{{project}}/vpn-gateways/{gateway_id}/routing-table?limit={PAGE}", 0, 0
    marker: str | None = ""
    while marker is not None:
        page = api.get(path + marker)
        pages, found = pages + 1, found + len(page["routing_table"])
        following = page["page_info"].get("next_marker")
        marker = f"&marker={urllib.parse.quote(following, safe='')}" if following else None
    took = time.perf_counter() - began
    print(f"the routing table in pages of {PAGE}: {found:,} routes, {pages} pages, {took / pages * 1000:.0f} ms a page")
    began = time.perf_counter()
    size = len(_metrics(service))
    print(f"/metrics: {(time.perf_counter() - began) * 1000:.0f} ms, {size:,} bytes", flush=True)


def _metrics(service: demo.Service) -> bytes:
    known = service.credentials
    request = urllib.request.Request(
        known["endpoint"] + "/metrics", headers={"Authorization": f"Bearer {known['token']}"}
    )
    with urllib.request.urlopen(request) as answer:
        content: bytes = answer.read()
    return content
