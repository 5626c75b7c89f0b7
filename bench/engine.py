"""Figures of the engine, each beside strongSwan's own tools on the same configuration in the same run.

Everything is in namespaces and a folder of its own, as in the demonstration.
"""

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import costs, cycle
from lab import cycles, demo, fleet, sites, specs
from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.ike import charon
from landbridge.engine.strongswan.ike import steps as ike_steps

PSK = "Example-Key-1"
#: As many as a bench needs in one gateway; the tick is the product's own.
SETTINGS = {"LANDBRIDGE_LIMITS_CONNECTIONS_PER_GATEWAY": "100000"}
#: Seconds that all tunnels get to come up, and to come to rest.
PATIENCE = 300.0
SETTLING = 75.0


class Api:
    """A keep-alive caller of a service."""

    def __init__(self, service: demo.Service) -> None:
        known = service.credentials
        self._prefix = f"/v5/{known['project_id']}/"
        self._headers = {"X-Auth-Token": known["token"]}
        self._http = http.client.HTTPConnection(known["endpoint"].removeprefix("http://"))

    def call(self, method: str, path: str, content: object = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        self._http.request(method, self._prefix + path, body, self._headers)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text or b"{}")

    def gateway(self) -> dict[str, Any]:
        """A new one, once it is ACTIVE."""
        asked = {"vpn_gateway": {"vpc_id": demo.VPC_ID, "local_subnets": [sites.VPC]}}
        path = f"vpn-gateways/{self.call('POST', 'vpn-gateways', asked)['vpn_gateway']['id']}"
        sites.wait_for(lambda: self.call("GET", path)["vpn_gateway"]["status"] == "ACTIVE", "the gateway")
        found: dict[str, Any] = self.call("GET", path)["vpn_gateway"]
        return found

    def peer(self, kind: str, value: str) -> str:
        asked = {"customer_gateway": {"id_type": kind, "id_value": value}}
        return str(self.call("POST", "customer-gateways", asked)["customer_gateway"]["id"])

    def connection(self, gateway: dict[str, Any], peer: str, lan: str, **more: Any) -> str:
        asked = {"vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"], "cgw_id": peer, "peer_subnets": [lan]}
        made = self.call("POST", "vpn-connection", {"vpn_connection": {**asked, "psk": PSK, **more}})
        return str(made["vpn_connection"]["id"])


@contextlib.contextmanager
def _serving(world: sites.World) -> Iterator[demo.Service]:
    with demo.serving(world, **SETTINGS) as service:
        yield service


def _restart(service: demo.Service, engine: str) -> Api:
    service.stop()
    service.engine = engine
    service.start()
    return Api(service)


# -- loading ----------------------------------------------------------------------------------------------------------


def load(runs: int, count: int) -> None:
    """The whole loop from the store to charon against `swanctl --load-all` of the same, both into an empty charon.

    The peers have names and no addresses: such connections are loaded and not initiated.
    """
    ours, floor = [], []
    with sites.World() as world, _serving(world) as service:
        gateway = Api(service).gateway()
        api = _restart(service, "none")
        for n in range(count):
            api.connection(gateway, api.peer("fqdn", f"peer-{n}.example"), sites.lan(n))
        service.stop()
        folder = service.data / "engine" / names.short(gateway["id"])
        configuration = _swanctl_folder(world.folder / "swanctl", service, str(gateway["id"]))
        _turn(service, str(gateway["id"]))  # lays the addresses, which are not counted
        _check_and_unload(folder, count)
        for _ in range(runs):
            turned = _turn(service, str(gateway["id"]))
            _check_and_unload(folder, count)
            ours.append(turned["seconds"])
            floor.append(_swanctl(configuration, folder))
            _check_and_unload(folder, count)
    ratio = statistics.median(one / other for one, other in zip(ours, floor, strict=True))
    print(
        f"loading {count:,} connections: {statistics.median(ours):.3f} s from the store to charon, swanctl --load-all"
        f" {statistics.median(floor):.3f} s: {ratio:.2f} times"
    )
    print(
        f"second plan of the same: {turned['steps']} steps; VICI commands of its turn: {', '.join(turned['commands'])}"
    )


def _turn(service: demo.Service, gateway_id: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.cycle", str(service.data), str(service.site), gateway_id]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _check_and_unload(folder: Path, count: int) -> None:
    with fleet.session(folder) as session:
        loaded = [name for message in session.list_conns() for name in message]
        assert len(loaded) == count, f"{len(loaded)} of {count} connections are loaded"
        for name in loaded:
            session.unload_conn({"name": name})
        for key in session.get_shared()["keys"]:
            session.unload_shared({"id": key})


def _swanctl_folder(folder: Path, service: demo.Service, gateway_id: str) -> Path:
    """The same connections and secrets as swanctl.conf, read off the first plan."""
    with cycle.opened(str(service.data), str(service.site)) as (source, engine):
        planned = cycles.plan(engine, gateway_id, source.desired(gateway_id))
    conns = {step.connection_id: step.conn for step in planned if isinstance(step, ike_steps.LoadConn)}
    secrets = {
        f"ike-{step.connection_id}": {
            **{f"id-{n}": owner for n, owner in enumerate(step.owners)},
            "secret": f'"{step.psk.reveal()}"',
        }
        for step in planned
        if isinstance(step, ike_steps.LoadSecret)
    }
    folder.mkdir()
    (folder / "swanctl.conf").write_text(_text({"connections": conns, "secrets": secrets}))
    (folder / "strongswan.conf").write_text("swanctl {\n  load = random openssl pem pubkey x509 pkcs1\n}\n")
    return folder


def _text(values: dict[str, Any]) -> str:
    """In swanctl's syntax, whose names hold no dots."""
    lines = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines.append(f"{name.replace('.', '-')} {{\n{_text(value)}}}\n")
        else:
            lines.append(f"{name} = {', '.join(value) if isinstance(value, list) else value}\n")
    return "".join(lines)


def _swanctl(configuration: Path, folder: Path) -> float:
    mine = {"SWANCTL_DIR": str(configuration), "STRONGSWAN_CONF": str(configuration / "strongswan.conf")}
    command = ["swanctl", "--load-all", "--uri", f"unix://{charon.CHARON.socket_path(folder)}"]
    started = time.perf_counter()
    subprocess.run(command, env=os.environ | mine, capture_output=True, check=True)
    return time.perf_counter() - started


# -- coming up --------------------------------------------------------------------------------------------------------


def up(runs: int, count: int) -> None:
    """From the 201 to the CHILD_SA installed, against load-shared, load-conn and initiate sent to another charon of ours by
    hand. The same device answers both.
    """
    del count
    ours, floor = [], []
    with sites.World() as world, _serving(world) as service:
        api = Api(service)
        gateway = api.gateway()
        device = world.add_device(
            sites.Tunnel(gateway=gateway["eip1"]["ip_address"], psk=PSK, name="service"),
            sites.Tunnel(gateway=BARE, psk=PSK, name="bare"),
        )
        peer = api.peer("ip", device.address)
        folder = service.data / "engine" / names.short(gateway["id"])
        with _bare_charon(world) as bare:
            for _ in range(4 * runs):
                ours.append(_through_the_api(api, gateway, peer, folder))
                floor.append(_by_hand(bare, device))
    ratio = statistics.median(ours) / statistics.median(floor)
    print(
        f"from the 201 to the CHILD_SA: {statistics.median(ours) * 1000:.1f} ms, by hand over VICI"
        f" {statistics.median(floor) * 1000:.1f} ms: {ratio:.2f} times"
    )


#: An EIP that the service's gateway did not take.
BARE = sites.EIPS[10]


@contextlib.contextmanager
def _bare_charon(world: sites.World) -> Iterator[Path]:
    """The folder of a charon with the engine's own configuration, in a gateway without connections."""
    data = world.folder / "bare"
    engine = StrongSwan(data, world.site("vpc-1"))
    gateway = specs.gateway(endpoints=(model.Endpoint(number=1, address=BARE, eip_id="eip-20"),))
    network = model.Network(id="vpc-1", cidr=sites.VPC, bridge="vpc", address="10.0.0.2/24")
    desired = specs.desired(network=network, of=gateway)
    try:
        cycles.until(engine, gateway.id, desired, lambda seen: seen.applied_generation)
        yield data / "engine" / names.short(gateway.id)
    finally:
        engine.stop_all()


def _through_the_api(api: Api, gateway: dict[str, Any], peer: str, folder: Path) -> float:
    with fleet.Listener([folder]) as listener:
        made = api.connection(gateway, peer, sites.LAN)
        answered = time.perf_counter()
        took = listener.wait_for_children(1) - answered
    api.call("DELETE", f"vpn-connection/{made}")
    sites.wait_for(lambda: not api.call("GET", "vpn-connection")["vpn_connections"], "the connection to be gone")
    time.sleep(0.5)
    return took


def _by_hand(folder: Path, device: sites.Device) -> float:
    conn, secret = _conn(device.address), {"id": "bare", "type": "IKE", "data": PSK, "owners": [BARE, device.address]}
    with fleet.session(folder) as session, fleet.Listener([folder]) as listener:
        started = time.perf_counter()
        session.load_shared(secret)
        session.load_conn({"bare": conn})
        list(session.initiate({"ike": "bare", "child": "bare-0", "timeout": "-1"}))
        took = listener.wait_for_children(1) - started
        session.unload_conn({"name": "bare"})
        list(session.terminate({"ike": "bare"}))
        session.unload_shared({"id": "bare"})
    time.sleep(0.5)
    return took


def _conn(peer: str) -> dict[str, Any]:
    """What a connection with every default of the API asks of charon, as one would write it by hand."""
    proposal = "aes128-sha256-modp3072"
    child = {"local_ts": [sites.VPC], "remote_ts": [sites.LAN], "esp_proposals": [proposal], "dpd_action": "restart"}
    return {
        "version": "2",
        "local_addrs": [BARE],
        "remote_addrs": [peer],
        "proposals": [proposal],
        "dpd_delay": "30s",
        "mobike": "no",
        "keyingtries": "0",
        "local": {"auth": "psk", "id": BARE},
        "remote": {"auth": "psk", "id": peer},
        "children": {"bare-0": child},
    }


# -- idling -----------------------------------------------------------------------------------------------------------


def idle(runs: int, count: int) -> None:
    """Processor time of the whole service, charon not counted, with tunnels that only live: windows of one tick."""
    with sites.World() as world, _serving(world) as service:
        gateway = Api(service).gateway()
        api = _restart(service, "none")
        policies = {"ikepolicy": {"dh_group": "group19"}, "ipsecpolicy": {"pfs": "group19"}}
        for n in range(count):
            api.connection(gateway, api.peer("ip", sites.peer(n)), sites.lan(n), **policies)
        world.add_device(
            *(_tunnel(gateway["eip1"]["ip_address"], n) for n in range(count)),
            lans=tuple(sites.lan(n) for n in range(count)),
            addresses=tuple(sites.peer(n) for n in range(count)),
        )
        started = time.perf_counter()
        _restart(service, "strongswan")
        folder = service.data / "engine" / names.short(gateway["id"])
        while (there := _established(folder)) < count:
            assert time.perf_counter() - started < PATIENCE, f"{there} of {count} tunnels are up"
            time.sleep(2)
        took = time.perf_counter() - started
        time.sleep(SETTLING)
        assert service.process is not None
        shares = [costs.idle_share([service.process.pid]) for _ in range(runs)]
    print(
        f"idle agent, {count:,} tunnels (up in {took:.0f} s): {statistics.median(shares):.2%} of a core"
        f" ({', '.join(f'{share:.2%}' for share in shares)})"
    )


def _tunnel(gateway: str, number: int) -> sites.Tunnel:
    proposal = "aes128-sha256-ecp256"
    return sites.Tunnel(
        gateway=gateway,
        psk=PSK,
        name=f"n{number}",
        proposals=proposal,
        esp_proposals=proposal,
        pairs=((sites.lan(number), sites.VPC),),
        address=sites.peer(number),
    )


def _established(folder: Path) -> int:
    with fleet.session(folder) as session:
        sas = [sa for message in session.list_sas() for sa in message.values()]
    return sum(any(child["state"] == b"INSTALLED" for child in sa["child-sas"].values()) for sa in sas)


FIGURES = {"load": load, "up": up, "idle": idle}
