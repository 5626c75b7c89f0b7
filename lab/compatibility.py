"""Makes a fixture for later versions: a data folder with every kind of row, and what the engine has loaded for its gateways.

    python -m lab.compatibility tests/compatibility/NAME

Run it once for a version that people may have installed, and never change what it made. The folder gets:

    data/         database, master key and credentials, as the service leaves them
    backup.db     what `landbridge backup` made of the data folder
    site.toml     the site file that the gateways were made with
    shown.json    path -> the answer to a GET
    loaded.json   data plane -> gateway -> what the engine has loaded (see tests/compatibility/loaded.py)

It fails when a table has no row, or when a column or a stored field has no value in any row.
"""

import contextlib
import io
import json
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab import folder, gm_certificates
from landbridge import bootstrap, config, data_folder, model, site_file
from landbridge.cli import main as command
from landbridge.engine.strongswan import state
from landbridge.engine.strongswan.ike import steps as ike_steps
from landbridge.model import negotiation, samples
from landbridge.operations import call, clock, console_sessions, sampler
from landbridge.paths import DATABASE
from landbridge.server import heartbeat
from landbridge.store import bgp_changes, connection_states, connections, observations
from landbridge.store.database import Transaction
from tests.compatibility import loaded
from tests.engine.strongswan import small_world

CERTIFICATES = Path("tests/rules/certificates")
VPC, PLUGGED, ER, PRIVATE = (f"0cf79a3f-6cf9-4d9c-a8df-d7ace626b0f{digit}" for digit in "abcd")
UUID = "6f1e2d3c-4b5a-4968-8776-655443322110"
#: Seconds, longer than any test: the answers do not depend on when they are asked for.
TICK = 10**9

SITE = f"""\
{{eips}}
[[eip]]
id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f61"
address = "198.51.100.130/25"
attach = "macvlan"
interface = "eth0"
gateway = "198.51.100.129"

[[eip]]
id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f62"
address = "198.51.100.131/25"
attach = "macvlan"
interface = "eth0"
gateway = "198.51.100.129"

[[eip]]
id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f71"
address = "192.0.2.10/24"
attach = "nat"

[[network]]
id = "{VPC}"
cidr = "10.0.0.0/24"
bridge = "br-vpc"
address = "10.0.0.1/24"

[[network]]
id = "{PLUGGED}"
cidr = "10.1.0.0/24"
interface = "eth1"
address = "10.1.0.1/24"

[[network]]
id = "{ER}"
cidr = "10.2.0.0/16"

[[network]]
id = "{PRIVATE}"
cidr = "10.3.0.0/24"
gateway_addresses = "10.3.0.200-10.3.0.220"

[[zone]]
id = "lab-1a"

[[zone]]
id = "lab-1b"

[[node]]
id = "node-1"
zone = "lab-1a"
underlay = "wan"
"""
ROUTED = """\
[[eip]]
id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f{number}"
address = "203.0.113.{number}/24"

"""


def site_text() -> str:
    return SITE.format(eips="".join(ROUTED.format(number=number) for number in range(10, 21)))


def eip(number: int) -> dict[str, Any]:
    return {
        "id": f"7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f{number}",
        "type": "5_bgp",
        "charge_mode": "traffic",
        "bandwidth_size": 20,
        "bandwidth_name": f"line-{number}",
    }


TAGS = [{"key": "site", "value": "berlin"}, {"key": "owner", "value": ""}]
IKE = {
    "ike_version": "v1",
    "phase1_negotiation_mode": "aggressive",
    "authentication_algorithm": "sha2-512",
    "encryption_algorithm": "aes-256",
    "dh_group": "group20",
    "authentication_method": "pre-share",
    "lifetime_seconds": 7200,
    "local_id_type": "fqdn",
    "local_id": "gateway.example",
    "peer_id_type": "fqdn",
    "peer_id": "branch.example",
    "dpd": {"interval": 20, "timeout": 5, "msg": "seq-notify-hash"},
}
IPSEC = {
    "authentication_algorithm": "sha2-384",
    "encryption_algorithm": "aes-192",
    "pfs": "group19",
    "transform_protocol": "esp",
    "lifetime_seconds": 1800,
    "encapsulation_mode": "tunnel",
}
GCM = {"encryption_algorithm": "aes-256-gcm-16"}
RULES = [
    {"rule_index": 7, "source": "10.0.0.0/25", "destination": ["192.168.60.0/24", "192.168.61.0/24"]},
    {"rule_index": 9, "source": "10.0.0.128/25", "destination": ["192.168.60.0/24"]},
]


class Maker:
    """Fills an open data folder through the API."""

    def __init__(self, opened: folder.Folder) -> None:
        self._opened = opened
        self.paths: list[str] = []

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self._opened.ask(method, path, body, **headers)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.text}")
        return answer.json() if answer.content else None

    def create(self, path: str, envelope: str, **fields: Any) -> Any:
        return self.ask("POST", path, {envelope: fields}, Idempotency_Key=f"{path}-{len(self.paths)}")[envelope]

    def gateway(self, **fields: Any) -> Any:
        """A gateway that is ACTIVE."""
        usual = {"name": f"gateway-{len(self.paths)}", "local_subnets": ["10.0.0.0/24"], "tags": TAGS}
        given = {name: value for name, value in (usual | fields).items() if value is not None}
        made = self.create("vpn-gateways", "vpn_gateway", **given)
        self.look(made["id"])
        gateway = f"vpn-gateways/{made['id']}"
        self.paths += [
            gateway,
            f"{gateway}/routing-table?include_nexthop_resource=true",
            f"vpn-gateway/{made['id']}/tags",
        ]
        self.paths += [f"/landbridge/v1/{{project}}/{gateway}/diagnosis"]
        return self.ask("GET", gateway)["vpn_gateway"]

    def peer(self, **fields: Any) -> Any:
        given = {"name": f"peer-{len(self.paths)}", "bgp_asn": 65010, "tags": TAGS} | fields
        made = self.create("customer-gateways", "customer_gateway", **given)
        self.paths += [f"customer-gateways/{made['id']}", f"customer-gateway/{made['id']}/tags"]
        return made

    def connection(self, gateway: Any, peer: Any, endpoint: int = 1, **fields: Any) -> Any:
        outer = gateway.get(f"eip{endpoint}", {}).get("id") or gateway[f"access_private_ip_{endpoint}"]
        usual = {
            "name": f"connection-{len(self.paths)}",
            "vgw_id": gateway["id"],
            "vgw_ip": outer,
            "cgw_id": peer["id"],
            "psk": f"Correct-Horse-{len(self.paths)}",
            "tags": TAGS,
        }
        given = {name: value for name, value in (usual | fields).items() if value is not None}
        made = self.create("vpn-connection", "vpn_connection", **given)
        connection = f"vpn-connection/{made['id']}"
        self.paths += [connection, f"{connection}/ipsec-sa", f"{connection}/log", f"{connection}/tags"]
        self.paths += [f"/landbridge/v1/{{project}}/vpn-connections/{made['id']}/diagnosis"]
        return made

    def look(self, gateway_id: str, *reports: model.ConnectionObservation, **words: Any) -> None:
        """As an agent's report of a look."""
        given: dict[str, Any] = {"exists": True, "applied_generation": 1, "failure": None, "present": frozenset()}
        given |= {"connections": reports, "seen_at": datetime.now(UTC)}
        observed = model.Observation(gateway_id=gateway_id, **(given | words))
        self._opened.data.database.write(lambda tx: observations.record(tx, observed))

    def change_status(self, connection_id: str, status: model.ConnectionStatusName, cause: str) -> None:
        """As a report that a connection has another status."""

        def note(tx: Transaction) -> None:
            row = connections.find(tx, self._opened.credentials["project_id"], connection_id)
            assert row is not None
            connection_states.note(tx, row.seq, datetime.now(UTC), status, cause)

        self._opened.data.database.write(note)

    def change_session(self, connection_id: str, change: model.BgpChange) -> None:
        """As a report that the BGP session of a connection changed."""

        def add(tx: Transaction) -> None:
            row = connections.find(tx, self._opened.credentials["project_id"], connection_id)
            assert row is not None
            bgp_changes.add(tx, row.seq, change)

        self._opened.data.database.write(add)

    def sample(self, connection_id: str, at: datetime, sample: samples.Sample) -> None:
        """As an agent that writes what it collected in the minute of `at`."""
        slot = int(at.timestamp()) // samples.FINEST_SECONDS
        self._opened.data.database.write(lambda tx: sampler.write(tx, {connection_id: {slot: sample}}))


def fill(maker: Maker, scratch: Path) -> None:
    """Every kind of row, and every field with a value."""
    public = maker.gateway(
        vpc_id=VPC,
        connect_subnet=UUID,
        bgp_asn=65001,
        flavor="Professional2",
        availability_zone_ids=["lab-1a", "lab-1b"],
        enterprise_project_id=UUID,
        eip1=eip(10),
        eip2=eip(11),
        access_vpc_id=PLUGGED,
        access_subnet_id=UUID,
        ha_mode="active-standby",
    )
    nat = maker.gateway(vpc_id=PLUGGED, local_subnets=["10.1.0.0/25"], eip1=eip(71), eip2=eip(12))
    _connections(maker, public)
    maker.connection(nat, maker.peer(id_value="198.18.1.1"), peer_subnets=["10.1.0.192/26", "192.168.80.0/24"])
    er = maker.gateway(attachment_type="er", er_id=ER, local_subnets=None, eip1=eip(61), eip2=eip(62))
    maker.connection(er, maker.peer(id_value="198.18.2.1"), peer_subnets=["0.0.0.0/0"])
    private = maker.gateway(
        network_type="private",
        vpc_id=PRIVATE,
        local_subnets=["10.3.0.0/24"],
        access_private_ip_1="10.3.0.201",
        access_private_ip_2="10.3.0.202",
    )
    maker.connection(private, maker.peer(id_value="10.3.1.7"), peer_subnets=["192.168.90.0/24"], ipsecpolicy=GCM)
    _template(maker, maker.gateway(flavor="Professional1-NonFixedIP", vpc_id=PRIVATE, eip1=eip(13), eip2=eip(14)))
    _shared(maker, maker.gateway(vpc_id=PRIVATE, ha_mode="active-active", eip1=eip(19), eip2=eip(20)))
    _gm(maker, maker.gateway(flavor="GM", vpc_id=PRIVATE, eip1=eip(15), eip2=eip(16)), scratch)
    _upgrade(maker, nat)
    going = maker.gateway(vpc_id=PRIVATE, eip1=eip(17), eip2=eip(18))
    maker.ask("DELETE", f"vpn-gateways/{going['id']}")


def _connections(maker: Maker, gateway: Any) -> None:
    """Of a gateway behind a bridge, one of each style and each way of IKE."""
    first, second = (maker.peer(id_value=f"198.18.0.{last}") for last in (1, 2))
    up = maker.connection(
        gateway,
        first,
        peer_subnets=["192.168.44.0/24", "192.168.45.0/24"],
        tunnel_local_address="169.254.76.1/30",
        tunnel_peer_address="169.254.76.2/30",
        enable_nqa=True,
        ha_role="master",
    )
    standby = maker.connection(gateway, first, 2, peer_subnets=["192.168.44.0/24", "192.168.45.0/24"], ha_role="slave")
    maker.connection(gateway, second, peer_subnets=["192.168.50.0/24"], ikepolicy=IKE, ipsecpolicy=IPSEC)
    main = {"ike_version": "v1", "phase1_negotiation_mode": "main", "encryption_algorithm": "3des"}
    maker.connection(
        gateway,
        maker.peer(id_value="198.18.0.3"),
        peer_subnets=["192.168.51.0/24"],
        ikepolicy=main,
        ipsecpolicy={"pfs": "disable"},
    )
    dials_in = maker.peer(id_type="fqdn", id_value="dials-in.example", bgp_asn=None)
    maker.connection(
        gateway, dials_in, peer_subnets=["192.168.52.0/24"], ikepolicy={"encryption_algorithm": "aes-128-gcm-16"}
    )
    policy = maker.connection(
        gateway, maker.peer(id_value="198.18.0.4"), style="policy", peer_subnets=["192.168.60.0/23"], policy_rules=RULES
    )
    speaker = maker.peer(id_value="198.18.0.5")
    refused = maker.connection(gateway, speaker, style="bgp", peer_subnets=["192.168.54.0/24"], enable_hub=True)
    maker.connection(gateway, speaker, 2, style="bgp", peer_subnets=["192.168.54.0/24"], ha_role="slave")
    gone = maker.connection(gateway, maker.peer(id_value="198.18.0.6"), peer_subnets=["192.168.53.0/24"])
    maker.create("connection-monitors", "connection_monitor", vpn_connection_id=policy["id"])
    maker.ask("PUT", f"vpn-connection/{policy['id']}", {"vpn_connection": {"name": "renamed"}})
    maker.ask("POST", f"vpn-connection/{standby['id']}/reset")
    state = {"simulate": {"state": "down:psk"}}
    maker.ask("POST", f"/landbridge/v1/{{project}}/simulate/vpn-connections/{standby['id']}", state)
    _observe(maker, gateway, up, standby, refused)
    maker.ask("DELETE", f"vpn-connection/{gone['id']}")


def _observe(maker: Maker, gateway: Any, up: Any, down: Any, refused: Any) -> None:
    at = datetime(2026, 11, 29, 12, tzinfo=UTC)
    child = model.ChildSa(
        rule="0",
        local_ts=("0.0.0.0/0",),
        remote_ts=("0.0.0.0/0",),
        spi_in="c1a2b3c4",
        spi_out="c5d6e7f8",
        proposal="AES_CBC_128/HMAC_SHA2_256_128",
        bytes_in=8400,
        bytes_out=4200,
        packets_in=100,
        packets_out=50,
        installed_at=at - timedelta(seconds=320),
        last_in_at=at,
        last_out_at=at,
    )
    reports = (
        model.ConnectionObservation(
            connection_id=up["id"],
            applied_generation=1,
            ike_established=True,
            ike_proposal="AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_3072",
            local_id="203.0.113.10",
            peer_id="198.18.0.1",
            peer_address="198.18.0.1",
            waits_for_peer=True,
            expected_children=1,
            children=(child,),
            missing_pairs=("10.0.0.0/24 - 192.168.45.0/24",),
            routes=("192.168.44.0/24",),
            traffic=model.Traffic(received_at=at),
            is_key_unproved=True,
            one_way_pairs=(
                model.OneWay(
                    direction="out",
                    local_ts=("10.0.0.0/24",),
                    remote_ts=("192.168.44.0/24",),
                    packets=240,
                    since=at,
                    until=at,
                ),
            ),
            refused_packets=(
                model.RefusedPackets(reporter="192.168.44.1", destination="192.168.44.10", code=0, packets=25),
            ),
            bgp=_session(at),
            nqa=_reachability("169.254.70.1", "169.254.70.2", at),
            monitor=_reachability("203.0.113.10", "198.18.0.1", at),
            daemon_died_at=at,
        ),
        model.ConnectionObservation(
            connection_id=down["id"],
            failure="load connection: no",
            configuration="0" * 12,
            attempts=(_attempt(at),),
        ),
        model.ConnectionObservation(connection_id=refused["id"], refused="connections of style bgp are not carried"),
    )
    report = model.GatewayReport(
        restarts=2, restarted_at=at, inner_addresses=("10.0.0.1/24",), strangers=(_attempt(at),), unknown_lines=1
    )
    words: dict[str, Any] = {"present": frozenset((up["id"], down["id"])), "seen_at": at, "gateway": report}
    words["probes"] = (_probe(down["id"], at),)
    maker.look(gateway["id"], *reports, failure="put up the firewall: no", **words)
    maker.change_status(down["id"], "DOWN", "psk_mismatch")
    reason = "the device's ASN is 65010, this connection's customer gateway says 65000"
    change = model.BgpChange(at=at, state="idle", cause="bgp_asn_mismatch", reason=reason, received=2)
    maker.change_session(up["id"], change)
    echoes = samples.EchoSample(sent=120, lost=2, rtt_total=1_180_000, rtt_min=8_000, rtt_max=14_000)
    carried = samples.Sample(60_000, 60_000, bytes_in=8400, bytes_out=4200, nqa=echoes, monitor=echoes)
    maker.sample(up["id"], at, carried)
    path = f"/landbridge/v1/{{project}}/vpn-connections/{down['id']}/probe"
    maker.ask("POST", path, {"probe": {"phase_2": True}})
    maker.paths.append(path)


def _template(maker: Maker, gateway: Any) -> None:
    template = {"ike_policy": {"dh_group": "group21", "lifetime_seconds": 7200}, "ipsec_policy": {"pfs": "disable"}}
    maker.ask("PUT", f"vpn-gateways/{gateway['id']}", {"vpn_gateway": {"policy_template": template}})
    peer = maker.peer(id_type="fqdn", id_value="template.example", bgp_asn=None)
    maker.connection(gateway, peer, style="policy-template", peer_subnets=["192.168.70.0/24", "192.168.71.0/24"])


def _shared(maker: Maker, gateway: Any) -> None:
    """Two tunnels that share a network, one of which is monitored."""
    for endpoint in (1, 2):
        peer = maker.peer(id_value=f"198.18.4.{endpoint}")
        made = maker.connection(gateway, peer, endpoint, peer_subnets=["192.168.72.0/24"])
    maker.create("connection-monitors", "connection_monitor", vpn_connection_id=made["id"])


def _gm(maker: Maker, gateway: Any, scratch: Path) -> None:
    certificate = gm_certificates.gateway(scratch) | {"name": "gm-2026"}
    maker.create(f"vpn-gateways/{gateway['id']}/certificate", "certificate", **certificate)
    maker.paths.append(f"vpn-gateways/{gateway['id']}/certificate")
    peer = maker.peer(id_value="198.18.3.1", ca_certificate={"content": (CERTIFICATES / "sm2-ca.pem").read_text()})
    maker.connection(gateway, peer, psk=None, peer_subnets=["192.168.99.0/24"])


def _upgrade(maker: Maker, gateway: Any) -> None:
    """One that is confirmed, and one that is rolled back."""
    path = f"vpn-gateways/{gateway['id']}/upgrade"
    for restarts, action in ((1, "finish"), (2, "rollback")):
        maker.ask("POST", path, {"action": "start"})
        report = model.GatewayReport(restarts=restarts, restarted_at=datetime.now(UTC))
        maker.look(gateway["id"], gateway=report)
        maker.ask("POST", path, {"action": action})
    maker.look(gateway["id"], gateway=model.GatewayReport(restarts=3, restarted_at=datetime.now(UTC)))


LISTS = (
    "vpn-gateways",
    "vpn-gateways/jobs",
    "vpn-gateway-certificates",
    "customer-gateways",
    "vpn-connection",
    "connection-monitors",
    "vpn/quotas",
    "vpn-gateway/tags",
    "customer-gateway/tags",
    "vpn-connection/tags",
    "/landbridge/v1/{project}/vpn-connections",
    "/landbridge/v1/{project}/vpn-gateways",
)


# -- what the engine has loaded ---------------------------------------------------------------------------------------


def load(gateway: model.DesiredGateway, plane: model.Plane) -> loaded.Loaded:
    """What stands when every plan has been carried out and every tunnel is up, in a world that does what it is told."""
    current, messages = state.GatewayState(at=datetime.now(UTC), plane=plane), {}
    while plan := small_world.plan(gateway, current):
        for step in plan:
            current = small_world.applied(current, step)
            if isinstance(step, ike_steps.LoadConn):
                messages[step.connection_id] = step.conn
    return loaded.to_json(current, messages)


def desired(data: data_folder.Data, site: model.Site) -> dict[str, model.DesiredGateway]:
    """Gateway id -> what the agent is told. A gateway that is being deleted has nothing."""
    source = bootstrap.make_source(data, site, heartbeat.Heartbeat())
    found = map(source.desired, sorted(source.gateways()))
    return {each.id: each for each in found if each is not None}


def load_all(data: data_folder.Data, site: model.Site) -> dict[str, dict[str, loaded.Loaded]]:
    """Data plane -> gateway -> what the engine has loaded."""
    planes: tuple[model.Plane, ...] = ("kernel", "userland")
    wanted = desired(data, site)
    return {plane: {each.id: load(each, plane) for each in wanted.values()} for plane in planes}


# -- the fixture ------------------------------------------------------------------------------------------------------


def settings(data: Path, site: Path) -> config.Settings:
    flags = {"data": str(data), "engine": "none", "site": str(site)}
    return config.load(flags, {"LANDBRIDGE_AGENT_TICK_SECONDS": str(TICK)})


@contextlib.contextmanager
def opened(data: Path, site: Path) -> Iterator[folder.Folder]:
    """The data folder, with the API over it and no agent. Its engine is said to be the simulated one."""
    words = settings(data, site)
    with data_folder.open_data(words) as made:
        yield folder.Folder(made, words, site=site_file.load(site), engine="simulated")


def show(made: folder.Folder, path: str) -> Any:
    """The answer to a GET, without what differs from request to request."""
    answer = made.ask("GET", path)
    answer.raise_for_status()
    return json.loads(answer.text, object_hook=_lasting)


def _lasting(value: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in {"request_id", "state_duration"}}


def make(target: Path) -> None:
    """Raises RuntimeError when a table, a column or a stored field has no value."""
    target.mkdir(parents=True)
    data, site = target / "data", target / "site.toml"
    site.write_text(site_text())
    with tempfile.TemporaryDirectory() as scratch, opened(data, site) as made:
        maker = Maker(made)
        fill(maker, Path(scratch))
        paths = [*LISTS, *maker.paths]
        _sign_in(made)
    gateway_id = next(path for path in maker.paths if path.startswith("vpn-gateways/")).split("/")[1]
    _run("projects", "create", "--data", data, "second")
    for role in ("reader", "operator"):
        project = () if role == "operator" else ("--project", "second")
        _run("keys", "create", "--data", data, "--role", role, *project)
    key = re.search(r'access_key = "(.*?)"', _run("keys", "create", "--data", data, "--project", "second"))
    assert key
    _run("keys", "revoke", "--data", data, key[1])
    _run("console", "--data", data)
    _run("pause", "--data", data)
    _run("pause", "--data", data, gateway_id)
    _run("backup", "--data", data, target / "backup.db")
    with opened(data, site) as made:
        shown = {path: show(made, path) for path in paths}
        engines = load_all(made.data, site_file.load(site))
    (target / "shown.json").write_text(json.dumps(shown, indent=1, sort_keys=True) + "\n")
    (target / "loaded.json").write_text(json.dumps(engines, indent=1, sort_keys=True) + "\n")
    if left := sorted(set(lacking(data / DATABASE)) - NEVER):
        raise RuntimeError(f"no row has a value of: {', '.join(left)}")


def _sign_in(made: folder.Folder) -> None:
    """Begins a session of the console."""
    words = made.credentials
    caller = call.Caller(access_key=words["access_key"], project_id=words["project_id"], role="admin")
    limits, now = config.Console(), clock.now()
    made.data.database.write(lambda tx: console_sessions.begin(tx, caller, limits, now, "fixture"))


def _run(*arguments: Any) -> str:
    with contextlib.redirect_stdout(printed := io.StringIO()):
        status = command.main([str(each) for each in arguments])
    if status:
        raise RuntimeError(f"landbridge {arguments[0]}: status {status}")
    return printed.getvalue()


#: SQLite's own tables.
NOT_OURS = frozenset({"sqlite_sequence", "sqlite_stat1"})
#: A create's answer is kept before a monitor or a certificate can be there; a backup alone has a row of `setting`.
NEVER = frozenset({"token: .certificate_id", "token: .monitor_id", "setting"})


def _session(at: datetime) -> model.BgpSession:
    return model.BgpSession(
        state="idle",
        since=at,
        hold_time=9,
        bfd="up",
        limit=100,
        fault=model.BgpFault(code="wrong_device_asn", text="Error: Bad peer AS: 65010", asn=65010, at=at),
        routes=(
            model.BgpRoute(prefix="192.168.44.0/24", next_hop="169.254.70.2", as_path=(65010,), origin="igp", med=50),
        ),
    )


def _reachability(source: str, destination: str, at: datetime) -> model.Reachability:
    return model.Reachability(
        source=source,
        destination=destination,
        state="up",
        since=at,
        sent=60,
        lost=1,
        rtt_min=0.4,
        rtt_average=0.6,
        rtt_max=5.2,
        answered_at=at,
    )


def _probe(connection_id: str, at: datetime) -> model.ProbeResult:
    """With every field that a probe may have."""
    device = negotiation.Identity(kind="fqdn", value="branch.example")
    chosen = negotiation.Proposal(
        encryption=("aes-256",), integrity=("sha2-384",), prf=("sha2-384",), groups=("group20",)
    )
    selectors = negotiation.Selectors(local=("10.0.0.0/24",), remote=("192.168.44.0/24",))
    refused = model.ProbeAnswer(ike_version="v2", mode=None, outcome="refused", notify="NO_PROPOSAL_CHOSEN")
    took = model.ProbeAnswer(ike_version="v1", mode="aggressive", outcome="chosen", proposal=chosen)
    return model.ProbeResult(
        id="3b1f0a52-0a1f-4c5e-8d0e-6f7a8b9c0d1e",
        connection_id=connection_id,
        at=at,
        reason="automatic",
        configuration="0" * 12,
        local_address="203.0.113.11",
        peer_address="198.18.0.1",
        packets=4,
        answers=(refused, took),
        peer_identity=device,
        phase_2=model.ProbePhase2(outcome="chosen", proposal=chosen, selectors=selectors, notify="NO_PROPOSAL_CHOSEN"),
        identity=model.ProbeIdentity(accepted=True, identity=device, notify="AUTHENTICATION_FAILED"),
        path=model.ProbePath(
            outcome="black_hole",
            mtu=1438,
            source="10.0.0.1",
            destination="192.168.44.10",
            asked=("192.168.44.10",),
            passed=1117,
            lost=1128,
            reporter="192.168.44.1",
        ),
        failure="phase 2 was not asked",
    )


def _attempt(at: datetime) -> model.Attempt:
    refusal = negotiation.Refusal(
        at=at,
        line="received INVALID_KE_PAYLOAD error notify",
        sender="device",
        phase=1,
        notify="INVALID_KE_PAYLOAD",
        data="group15",
    )
    return model.Attempt(
        id="1",
        configuration="0" * 12,
        began_at=at,
        ended_at=at,
        began_by="us",
        peer_address="198.51.100.2",
        local_address="203.0.113.10",
        ike_version="v1",
        mode="main",
        outcome="refused_by_device",
        facts=(refusal,),
        count=2,
        first_began_at=at,
    )


def lacking(database: Path) -> Iterator[str]:
    """Tables without a row; columns and fields of stored JSON that no row has a value of."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as connection:
        names = [name for (name,) in connection.execute("select name from sqlite_schema where type = 'table'")]
        for table in sorted(set(names) - NOT_OURS):
            cursor = connection.execute(f"select * from {table}")  # noqa: S608 - a name of the schema
            rows = [dict(zip((column[0] for column in cursor.description), row, strict=True)) for row in cursor]
            if not rows:
                yield table
            yield from (
                (f"{table}.{column}" for column in rows[0] if all(row[column] is None for row in rows)) if rows else ()
            )
            documents = [json.loads(row[name]) for row in rows for name in ("spec", "report") if row.get(name)]
            yield from (f"{table}: {field}" for field in sorted(_empty(documents)))


def _empty(documents: list[Any]) -> set[str]:
    known: dict[str, bool] = {}
    for document in documents:
        for place, value in _fields(document):
            known[place] = known.get(place, False) or value not in (None, [], {}, "")
    return {place for place, has in known.items() if not has}


def _fields(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{place}.{name}", inner
            yield from _fields(inner, f"{place}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, place)


if __name__ == "__main__":
    made_in = Path(sys.argv[1])
    try:
        make(made_in)
    except BaseException:
        shutil.rmtree(made_in, ignore_errors=True)
        raise
