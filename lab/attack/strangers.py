"""Requests of every operation with ids of another project, and with keys that may not do it: nothing is read, changed or told apart.

A stranger sends each request twice: with the ids of the owner's resources, and with ids that name nothing. Both answers must be equal but
for those ids. Afterwards all resources of the owner are as they were.
"""

import collections
import dataclasses
import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import gm_certificates, sites
from lab.attack.base import Answer, Key, Result, Service
from landbridge.api import routes, table

#: Stands in all that the owner has, and in no answer to anybody else.
MARK = "owners-secret-mark"
#: Values that make a success of each its own.
FRESH = ("id", "created_at", "updated_at", "name", "tunnel_local_address", "tunnel_peer_address")
TYPES = {"vpn-gateway": "vgw_id", "customer-gateway": "customer_gateway_id", "vpn-connection": "vpn_connection_id"}
LIST_FILTERS = ("vgw_id", "vpn_id", "vgw_ip", "eip_id", "cgw_id", "vpn_connection_id", "resource_id", "name")
Ids = Mapping[str, str]


def run(folder: Path) -> Iterator[Result]:
    with Service(folder) as service:
        other = service.run("projects", "create", "stranger").strip()
        owner, networks = service.key, _write_site(folder, service.key.project_id, other)
    with Service(folder, "--engine", "simulated", "--site", str(folder / "site.toml")) as service:
        stranger, reader, revoked = _keys(service, owner.project_id, other)
        ids = _resources_of_the_owner(service, folder, owner, networks[0])
        own = _resources_of_the_stranger(service, stranger, networks[1])
        before = _read_all(service, owner, ids)
        unreal = [path for path, answer in before.items() if not answer.startswith("200 ")]
        if unreal:
            raise RuntimeError(f"the owner does not have what is attacked: {unreal}")
        yield _find_differences(service, stranger, ids, own)
        yield _in_the_owners_paths(service, stranger, ids)
        yield _read_only(service, reader, ids)
        yield _refused(service, revoked, ids)
        changed = [path for path, answer in _read_all(service, owner, ids).items() if answer != before[path]]
        yield Result(
            "nothing of the owner's changed",
            not changed,
            f"{len(before)} answers compared, {len(changed)} differ {', '.join(changed)}",
        )


def _write_site(folder: Path, owner: str, other: str) -> tuple[str, str]:
    """A network and six EIPs for each of the two projects. Gives the networks' ids."""
    lines, networks = [], (str(uuid.uuid4()), str(uuid.uuid4()))
    for number, (project, network) in enumerate(zip((owner, other), networks, strict=True)):
        cidr = f'cidr = "10.{number}.0.0/16"'
        lines += ["[[network]]", f'id = "{network}"', cidr, f'project = ["{project}"]']
        for each in range(6):
            address = f"203.0.113.{number * 100 + each + 1}"
            lines += ["[[eip]]", f'id = "{uuid.uuid4()}"', f'address = "{address}"', f'project = ["{project}"]']
    (folder / "site.toml").write_text("\n".join(lines) + "\n")
    return networks


def _keys(service: Service, owner: str, other: str) -> tuple[Key, Key, Key]:
    """An admin of another project, a reader of the owner's, and an admin of the owner's whose key was revoked."""
    made = [_key(service, project, role) for project, role in ((other, "admin"), (owner, "reader"), (owner, "admin"))]
    service.run("keys", "revoke", made[2].access_key)
    return made[0], made[1], made[2]


def _key(service: Service, project: str, role: str) -> Key:
    printed = service.run("keys", "create", "--project", project, "--role", role)
    words = dict(line.split(" = ", 1) for line in printed.splitlines() if " = " in line)
    plain = {name.strip(): value.strip().strip('"') for name, value in words.items()}
    return Key(project, plain["access_key"], plain["secret_key"], plain["token"])


def _made(service: Service, key: Key, path: str, envelope: str, body: Any) -> dict[str, Any]:
    answer = service.request("POST", f"/v5/{key.project_id}/{path}", {envelope: body} if envelope else body, key=key)
    if answer.status not in {200, 201}:
        raise RuntimeError(f"{path}: {answer.status} {answer.content[:300]!r}")
    made: dict[str, Any] = answer.json()[envelope] if envelope else answer.json()
    return made


def _gateway(service: Service, key: Key, network: str, **fields: Any) -> dict[str, Any]:
    body = {"vpc_id": network, "local_subnets": ["10.0.0.0/24"], **fields}
    gateway_id = _made(service, key, "vpn-gateways", "vpn_gateway", body)["id"]

    def shown() -> dict[str, Any]:
        path = f"/v5/{key.project_id}/vpn-gateways/{gateway_id}"
        found: dict[str, Any] = service.request("GET", path, key=key).json()["vpn_gateway"]
        return found

    sites.wait_for(lambda: shown()["status"] == "ACTIVE", "a gateway to be ACTIVE", seconds=30)
    return shown()


def _resources_of_the_owner(service: Service, folder: Path, owner: Key, network: str) -> dict[str, str]:
    """One resource of each kind, with a mark in it; the ids by the names that paths have for them."""
    tags = [{"key": "owner", "value": MARK}]
    gateway = _gateway(service, owner, network, name=f"g-{MARK}", tags=tags)
    gm = _gateway(service, owner, network, name=f"gm-{MARK}", flavor="GM")
    certificate = _made(
        service,
        owner,
        f"vpn-gateways/{gm['id']}/certificate",
        "certificate",
        gm_certificates.gateway(folder) | {"name": f"c-{MARK}"},
    )
    ca = {"content": (folder / "ca.pem").read_text()}
    peer = _made(
        service,
        owner,
        "customer-gateways",
        "customer_gateway",
        {"name": f"p-{MARK}", "id_value": "198.51.100.2", "tags": tags, "ca_certificate": ca},
    )
    connection = _made(
        service,
        owner,
        "vpn-connection",
        "vpn_connection",
        _wish(gateway["id"], gateway["eip1"]["id"], peer["id"]) | {"name": f"x-{MARK}", "tags": tags},
    )
    monitor = _made(
        service, owner, "connection-monitors", "connection_monitor", {"vpn_connection_id": connection["id"]}
    )
    job = _made(service, owner, f"vpn-gateways/{gateway['id']}/upgrade", "", {"action": "start"})
    _wait_until_up(service, owner, job["job_id"], connection["id"])
    return {
        "vgw_id": gateway["id"], "customer_gateway_id": peer["id"], "vpn_connection_id": connection["id"],
        "connection_monitor_id": monitor["id"], "certificate_id": certificate["id"], "job_id": job["job_id"],
        "gm_id": gm["id"], "eip_id": gateway["eip2"]["id"], "ca_id": peer["ca_certificate"]["id"], "vpc_id": network,
        "project_id": owner.project_id,
    }  # fmt: skip


def _wait_until_up(service: Service, owner: Key, job_id: str, connection_id: str) -> None:
    """Waits until the tunnels are up again: the upgrade restarts them, and until then what the owner reads changes by itself."""
    base = f"/v5/{owner.project_id}"

    def up() -> bool:
        jobs = service.request("GET", f"{base}/vpn-gateways/jobs", key=owner).json()["jobs"]
        shown = service.request("GET", f"{base}/vpn-connection/{connection_id}", key=owner).json()["vpn_connection"]
        return any(job["id"] == job_id and job["status"] != "upgrading" for job in jobs) and shown["status"] == "ACTIVE"

    sites.wait_for(up, "the owner's tunnel to be up after the upgrade", seconds=30)


def _wish(gateway_id: str, endpoint: str, peer_id: str) -> dict[str, Any]:
    return {
        "vgw_id": gateway_id, "vgw_ip": endpoint, "cgw_id": peer_id,
        "peer_subnets": ["192.168.44.0/24"], "psk": "Correct-Horse-7",
    }  # fmt: skip


def _resources_of_the_stranger(service: Service, stranger: Key, network: str) -> dict[str, str]:
    """The stranger's resources, which requests use together with those of the owner."""
    gateway = _gateway(service, stranger, network)
    peer = _made(service, stranger, "customer-gateways", "customer_gateway", {"id_value": "198.51.100.3"})
    wish = _wish(gateway["id"], gateway["eip1"]["id"], peer["id"])
    connection = _made(service, stranger, "vpn-connection", "vpn_connection", wish)
    return {
        "gateway": gateway["id"], "eip": gateway["eip2"]["id"], "peer": peer["id"],
        "connection": connection["id"], "network": network,
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    name: str
    method: str
    path: str
    body: Any = None
    writes: bool = False


def _bodies(ids: Ids) -> dict[str, Any]:
    """A body for each operation that has one, with the ids in it."""
    wish = _wish(ids["vgw_id"], ids["eip_id"], ids["customer_gateway_id"])
    gateway = {"vpc_id": ids["vpc_id"], "local_subnets": ["10.0.0.0/24"], "eip1": {"id": ids["eip_id"]}}
    tags = {"tags": [{"key": "owner", "value": "stolen"}]}
    return {
        "create_vpn_connection": {"vpn_connection": wish},
        "batch_create_vpn_connection": {"vpn_connections": [wish]},
        "update_vpn_connection": {"vpn_connection": {"name": "stolen", "psk": "Stolen-Horse-7"}},
        "simulate_vpn_connection": {"simulate": {"state": "down"}},
        "export_vpn_connection_peer_configuration": {"vendor": "strongSwan"},
        "print_peer_configuration": {"vendor": "strongSwan"},
        "create_vgw": {"vpn_gateway": gateway},
        "update_vgw": {"vpn_gateway": {"name": "stolen"}},
        "update_postpaid_vgw_specification": {"vpn_gateway": {"flavor": "Professional2"}},
        "upgrade_vpn_gateway": {"action": "finish"},
        "create_vgw_certificate": {"certificate": {"name": "stolen"}},
        "update_vgw_certificate": {"certificate": {"name": "stolen"}},
        "create_cgw": {"customer_gateway": {"id_value": "198.51.100.9", "ca_certificate": {"id": ids["ca_id"]}}},
        "update_cgw": {"customer_gateway": {"name": "stolen", "ca_certificate": {"id": ids["ca_id"]}}},
        "create_connection_monitor": {"connection_monitor": {"vpn_connection_id": ids["vpn_connection_id"]}},
        "batch_create_resource_tags": tags,
        "batch_delete_resource_tags": tags,
        "list_resources_by_tags": {"tags": [{"key": "owner", "values": [MARK]}]},
        "count_resources_by_tags": {"tags": [{"key": "owner", "values": [MARK]}]},
    }


def _requests(project_id: str, ids: Ids) -> Iterator[Request]:
    """Every operation of the table on these ids, those on tags for each type."""
    bodies = _bodies(ids)
    for one in table.TABLE:
        for kind, name in TYPES.items():
            known = dict(ids) | {"project_id": project_id, "resource_type": kind, "resource_id": ids[name]}
            if one.name.endswith("_vgw_certificate") or one.name == "show_vpn_gateway_certificate":
                known["vgw_id"] = ids["gm_id"]
            path = one.path.format(**known)
            yield Request(
                name=one.name, method=one.method, path=path, body=bodies.get(one.name), writes=one.operation.writes
            )
            if "{resource_type}" not in one.path:
                break
        yield from _filtered(one, project_id, ids)


def _filtered(one: routes.Route[Any, Any], project_id: str, ids: Ids) -> Iterator[Request]:
    """Lists that are cut to an id."""
    given = {"vpn_id": "vgw_id", "vgw_ip": "eip_id", "cgw_id": "customer_gateway_id", "resource_id": "vgw_id"}
    for each in one.query if one.method == "GET" and one.path.count("{") == 1 else ():
        if each.name in LIST_FILTERS:
            value = ids.get(given.get(each.name, each.name), f"x-{MARK}")
            path = f"{one.path.format(project_id=project_id)}?{each.name}={value}"
            yield Request(name=f"{one.name}?{each.name}", method="GET", path=path)


def _mixed(project_id: str, ids: Ids, own: Ids) -> Iterator[Request]:
    """Requests with resources of the stranger together with ids of somebody else."""
    base = f"/v5/{project_id}"
    for gateway, endpoint, peer in itertools.product(
        (own["gateway"], ids["vgw_id"]), (own["eip"], ids["eip_id"]), (own["peer"], ids["customer_gateway_id"])
    ):
        if (gateway, endpoint, peer) != (own["gateway"], own["eip"], own["peer"]):
            body = {"vpn_connection": _wish(gateway, endpoint, peer)}
            yield Request(name="mixed create", method="POST", path=f"{base}/vpn-connection", body=body, writes=True)
    for path, body in (
        (f"vpn-connection/{own['connection']}", {"vpn_connection": {"cgw_id": ids["customer_gateway_id"]}}),
        (f"vpn-connection/{own['connection']}", {"vpn_connection": {"vgw_id": ids["vgw_id"]}}),
        (f"vpn-gateways/{own['gateway']}", {"vpn_gateway": {"eip_id_1": ids["eip_id"]}}),
        (f"vpn-gateways/{own['gateway']}", {"vpn_gateway": {"vpc_id": ids["vpc_id"]}}),
        (f"customer-gateways/{own['peer']}", {"customer_gateway": {"ca_certificate": {"id": ids["ca_id"]}}}),
    ):
        yield Request(name="mixed update", method="PUT", path=f"{base}/{path}", body=body, writes=True)
    for network, eip in ((own["network"], ids["eip_id"]), (ids["vpc_id"], own["eip"])):
        body = {"vpn_gateway": {"vpc_id": network, "local_subnets": ["10.0.0.0/24"], "eip1": {"id": eip}}}
        yield Request(name="mixed gateway", method="POST", path=f"{base}/vpn-gateways", body=body, writes=True)


def _send(service: Service, request: Request, key: Key) -> Answer:
    return service.request(request.method, request.path, request.body, key=key)


def _unknown_ids(ids: Ids) -> dict[str, str]:
    """Ids of the same form that name nothing."""
    return {name: uuid.uuid4().hex if name == "project_id" else str(uuid.uuid4()) for name in ids}


def _comparable(answer: Answer, ids: Ids) -> str:
    """The answer without the ids of the request and without what is new in every answer."""
    text = answer.content.decode()
    for name, value in ids.items():
        text = text.replace(value, f"<{name}>")
    if not text:
        return f"{answer.status}"
    found = json.loads(text)
    found.pop("request_id", None)
    return f"{answer.status} {json.dumps(_without_fresh(found))}"


def _without_fresh(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_fresh(inner) for name, inner in value.items() if name not in FRESH}
    return [_without_fresh(one) for one in value] if isinstance(value, list) else value


def _find_differences(service: Service, stranger: Key, ids: Ids, own: Ids) -> Result:
    """In the stranger's own project."""
    nothing = _unknown_ids(ids)
    there, elsewhere = (
        [*_requests(stranger.project_id, each), *_mixed(stranger.project_id, each, own)] for each in (ids, nothing)
    )
    differ = []
    statuses: collections.Counter[int] = collections.Counter()
    for real, blank in zip(there, elsewhere, strict=True):
        said, blank_said = _send(service, real, stranger), _send(service, blank, stranger)
        statuses[said.status] += 1
        plain = _comparable(said, ids)
        if plain != _comparable(blank_said, nothing) or MARK in plain.replace(f"x-{MARK}", "") or said.status >= 500:
            differ.append(f"{real.name} ({said.status}, {blank_said.status})")
    operations = len({one.name for one in there} & {one.name for one in table.TABLE})
    told = ", ".join(f"{number} times {status}" for status, number in sorted(statuses.items()))
    figures = f"{operations} operations, {len(there)} requests twice ({told}) {', '.join(differ)}"
    return Result("ids of another project are told from no id at all by nobody", not differ, figures)


def _in_the_owners_paths(service: Service, stranger: Key, ids: Ids) -> Result:
    """With another project's id in the path, and with one that no project has."""
    nothing = dict(ids) | {"project_id": uuid.uuid4().hex}
    wrong, count = [], 0
    for real, blank in zip(_requests(ids["project_id"], ids), _requests(nothing["project_id"], nothing), strict=True):
        count += 1
        said, blank_said = _send(service, real, stranger), _send(service, blank, stranger)
        if said.status != 403 or _comparable(said, ids) != _comparable(blank_said, nothing):
            wrong.append(f"{real.name} ({said.status}, {blank_said.status})")
    return Result(
        "a key of another project is refused in every path", not wrong, f"{count} requests {', '.join(wrong)}"
    )


def _read_only(service: Service, reader: Key, ids: Ids) -> Result:
    wrong, count = [], 0
    for request in _requests(ids["project_id"], ids):
        count += 1
        said = _send(service, request, reader)
        if (said.status == 403) != request.writes or said.status >= 500:
            wrong.append(f"{request.name} ({said.status})")
    return Result("a reader reads, and every write of its is 403", not wrong, f"{count} requests {', '.join(wrong)}")


def _refused(service: Service, revoked: Key, ids: Ids) -> Result:
    guessed = dataclasses.replace(revoked, token="x")  # noqa: S106
    wrong, count = [], 0
    for request in _requests(ids["project_id"], ids):
        count += 1
        said, unknown = _send(service, request, revoked), _send(service, request, guessed)
        if said.status != 401 or _comparable(said, {}) != _comparable(unknown, {}):
            wrong.append(f"{request.name} ({said.status}, {unknown.status})")
    return Result("a revoked key is told the same as an unknown one", not wrong, f"{count} requests {', '.join(wrong)}")


def _read_all(service: Service, owner: Key, ids: Ids) -> dict[str, str]:
    """All that the owner reads, by path; without what changes by itself."""
    found = {}
    for request in _requests(owner.project_id, ids):
        if request.method == "GET":
            answer = _send(service, request, owner)
            found[request.path] = f"{answer.status} {json.dumps(_without_changing_fields(answer.json()))}"
    return found


def _without_changing_fields(value: Any) -> Any:
    """Without ids of requests, times of looks, and counters of tunnels."""
    moving = {"request_id", "seen_at", "collected_at", "installed_seconds", "traffic_sent", "traffic_recv", "evidence"}
    moving |= {"packets_sent", "packets_recv", "bytes_in", "bytes_out", "packets_in", "packets_out", "finished_at"}
    moving |= {"status", "since", "reason", "sub_jobs", "spi_in", "spi_out", "sas", "sa_infos", "logs"}
    if isinstance(value, dict):
        return {name: _without_changing_fields(inner) for name, inner in value.items() if name not in moving}
    return [_without_changing_fields(one) for one in value] if isinstance(value, list) else value
