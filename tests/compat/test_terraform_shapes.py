"""A whole life of each resource as the two Terraform families drive it: apply, plan, change, destroy; and what they print."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkvpn import v5

from lab import gm_certificates
from tests.compat import terraform
from tests.compat.terraform import HUAWEI, OTC, PSK, Client

NOBODY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"
BOTH = pytest.mark.parametrize("client", [pytest.param(one, id=one.name) for one in (HUAWEI, OTC)], indirect=True)
HUAWEI_ONLY = pytest.mark.parametrize("client", [pytest.param(HUAWEI, id=HUAWEI.name)], indirect=True)
GATEWAY = {
    "name": "gw-1",
    "attachment_type": "vpc",
    "vpc_id": terraform.VPC,
    "connect_subnet": "f5741286-8f4e-4b06-a4b8-2c82bd9ee114",
    "local_subnets": ["10.7.0.0/24", "10.0.0.0/24"],
    "bgp_asn": 64512,
    "flavor": "Professional1",
    "ha_mode": "active-active",
    "eip1": {"type": "5_bgp", "bandwidth_name": "one", "bandwidth_size": 100, "charge_mode": "traffic"},
    "eip2": {"type": "5_bgp", "bandwidth_name": "two", "bandwidth_size": 100, "charge_mode": "traffic"},
}
CUSTOMER_GATEWAY = {"name": "cgw-1", "id_type": "ip", "id_value": "198.51.100.2", "bgp_asn": 65000}
#: Of a resource with every policy field in its block.
IKE = {
    "authentication_algorithm": "sha2-512",
    "encryption_algorithm": "aes-256",
    "ike_version": "v2",
    "lifetime_seconds": 7200,
    "local_id_type": "ip",
    "peer_id_type": "ip",
    "dh_group": "group20",
    "dpd": {"timeout": 20, "interval": 40, "msg": "seq-hash-notify"},
}
IPSEC = {
    "authentication_algorithm": "sha2-512",
    "encryption_algorithm": "aes-256",
    "pfs": "group20",
    "lifetime_seconds": 1800,
    "transform_protocol": "esp",
    "encapsulation_mode": "tunnel",
}
NEVER_IN_AN_UPDATE = ("vgw_id", "vgw_ip", "style", "ha_role", "tags")


def _drift(block: Any, read: Any) -> Any:
    """What a plan would change: what the block says and the server does not. The style alone may differ in its case."""
    if not isinstance(block, dict):
        return None if block == read else (block, read)
    found = {}
    for name, wanted in block.items():
        there = (read or {}).get(name)
        if name == "psk":
            continue
        if drift := _drift(wanted.upper() if name == "style" else wanted, there):
            found[name] = drift
    return found


def _tag_pairs(resource: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in resource.get("tags") or []}


def _retag(client: Client, kind: str, resource_id: str, old: dict[str, str], new: dict[str, str]) -> None:
    """All old ones away, all new ones on; a 200 is an error, as nothing but 204 is expected."""
    for verb, tags in (("delete", old), ("create", new)):
        body = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        if tags:
            client.call("POST", f"{kind}/{resource_id}/tags/{verb}", body, frozenset({204}))


def _gone(client: Client, path: str, envelope: str | None = None) -> None:
    """Deletes, waits where the client waits, and finds nothing; a second destroy finds nothing either."""
    client.call("DELETE", path)
    if envelope is not None:
        client.wait_gone(path, envelope)
    for verb in ("GET", "DELETE"):
        with pytest.raises(terraform.Refused) as refused:
            client.call(verb, path)
        assert refused.value.status == 404


# -- the resources ----------------------------------------------------------------------------------------------------


@BOTH
def test_a_gateway_lives(client: Client):
    block: dict[str, Any] = GATEWAY | {"tags": [{"key": "site", "value": "berlin"}]}
    made = client.create("vpn-gateways", "vpn_gateway", **block)
    path = f"vpn-gateways/{made['id']}"
    read = client.wait_gateway(made["id"], "PENDING_CREATE")
    assert _drift(block, read) == {}

    client.put(path, "vpn_gateway", name="gw-2", local_subnets=["10.9.0.0/24", "10.1.0.0/24"])
    read = client.wait_gateway(made["id"], "PENDING_UPDATE")
    block |= {"name": "gw-2", "local_subnets": ["10.9.0.0/24", "10.1.0.0/24"]}
    assert _drift(block, read) == {}

    _retag(client, "vpn-gateway", made["id"], _tag_pairs(read), {"site": "bonn", "floor": "2"})
    if client.family is HUAWEI:  # to the other family another flavor is another gateway
        body = {"vpn_gateway": {"flavor": "Professional2"}}
        client.call("POST", f"{path}/update-specification", body)
        block |= {"flavor": "Professional2"}
    read = client.wait_gateway(made["id"], "PENDING_UPDATE")
    assert _tag_pairs(read) == {"site": "bonn", "floor": "2"}
    assert _drift({name: value for name, value in block.items() if name != "tags"}, read) == {}
    _gone(client, path, "vpn_gateway")


@BOTH
def test_a_gateway_with_the_older_names_of_its_eips_lives(client: Client):
    old = {name: value for name, value in GATEWAY.items() if name not in ("eip1", "eip2", "ha_mode")}
    eips = {"master_eip": GATEWAY["eip1"], "slave_eip": GATEWAY["eip2"], "ha_mode": "active-standby"}
    made = client.create("vpn-gateways", "vpn_gateway", **old, **eips)
    read = client.wait_gateway(made["id"], "PENDING_CREATE")
    assert _drift({**old, **eips, "eip1": GATEWAY["eip1"], "eip2": GATEWAY["eip2"]}, read) == {}
    _gone(client, f"vpn-gateways/{made['id']}", "vpn_gateway")


@pytest.mark.parametrize("client", [pytest.param(OTC, id=OTC.name)], indirect=True)
def test_one_put_with_name_subnets_and_both_eips(client: Client):
    """The family sends them all together, reads the answer, and does not wait."""
    gateway = client.gateway()
    eips = {"eip1": {"id": gateway["eip1"]["id"]}, "eip2": {"id": gateway["eip2"]["id"]}}
    wish = {"name": "new", "local_subnets": ["10.4.0.0/24"], **eips}
    answered = client.put(f"vpn-gateways/{gateway['id']}", "vpn_gateway", **wish)
    assert _drift(wish, answered) == {}


@BOTH
@pytest.mark.parametrize(
    ("block", "reads"),
    [
        pytest.param(CUSTOMER_GATEWAY, {"route_mode": "bgp", "ip": "198.51.100.2"}, id="id-value"),
        pytest.param(
            {"name": "cgw-1", "ip": "198.51.100.2", "route_mode": "bgp", "bgp_asn": 65000},
            {"id_type": "ip", "id_value": "198.51.100.2"},
            id="ip-and-route-mode",
        ),
        pytest.param(
            {"name": "cgw-1", "id_type": "fqdn", "id_value": "branch.example", "bgp_asn": 65000}, {}, id="fqdn"
        ),
    ],
)
def test_a_customer_gateway_lives(client: Client, block: dict[str, Any], reads: dict[str, Any]):
    made = client.create("customer-gateways", "customer_gateway", **block, tags=[{"key": "k", "value": "v"}])
    path = f"customer-gateways/{made['id']}"
    assert _drift(block | reads, client.get(path, "customer_gateway")) == {}
    answered = client.put(path, "customer_gateway", name="cgw-2")
    assert answered["name"] == "cgw-2"
    _retag(client, "customer-gateway", made["id"], {"k": "v"}, {"k": "w"})
    read = client.get(path, "customer_gateway")
    assert (_drift(block | {"name": "cgw-2"}, read), _tag_pairs(read)) == ({}, {"k": "w"})
    _gone(client, path)


@BOTH
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"style": "static", "enable_nqa": True}, id="static"),
        pytest.param(
            {
                "style": "policy",
                "policy_rules": [
                    {"rule_index": 2, "source": "10.7.0.0/24", "destination": ["192.168.9.0/24", "192.168.1.0/24"]},
                    {"rule_index": 1, "source": "10.0.0.0/24", "destination": ["192.168.9.0/24"]},
                ],
            },
            id="policy",
        ),
        pytest.param(
            {
                "style": "bgp",
                "tunnel_local_address": "169.254.21.2/30",
                "tunnel_peer_address": "169.254.21.1/30",
                "ha_role": "master",
            },
            id="bgp",
        ),
    ],
)
def test_a_connection_lives(client: Client, more: dict[str, Any]):
    gateway = client.wait_gateway(client.create("vpn-gateways", "vpn_gateway", **GATEWAY)["id"], "PENDING_CREATE")
    peer, other = client.customer_gateway(), client.customer_gateway(id_value="198.51.100.3")
    subnets = ["192.168.9.0/24", "192.168.1.0/24"]
    block: dict[str, Any] = {
        "name": "c-1",
        "vgw_id": gateway["id"],
        "vgw_ip": gateway["master_eip"]["id"],
        "cgw_id": peer["id"],
        "peer_subnets": subnets,
        "psk": PSK,
        "ikepolicy": IKE | {"authentication_method": "pre-share"},
        "ipsecpolicy": IPSEC,
        **more,
    }
    made = client.create("vpn-connection", "vpn_connection", **block, tags=[{"key": "k", "value": "v"}])
    path = f"vpn-connection/{made['id']}"
    read = client.wait_connection(made["id"])
    assert _drift(block, read) == {}

    block |= {"name": "c-2", "cgw_id": other["id"], "psk": PSK + "2", "peer_subnets": subnets[::-1]}
    block["ikepolicy"] = read["ikepolicy"] | IKE | {"lifetime_seconds": 3600}
    sent = {name: value for name, value in block.items() if name not in NEVER_IN_AN_UPDATE}
    unsent = {"authentication_method", "local_id", "peer_id"}  # the two ids, since their types are ip
    sent["ikepolicy"] = {name: value for name, value in block["ikepolicy"].items() if name not in unsent}
    block["ikepolicy"]["peer_id"] = "198.51.100.3"
    assert _drift(block, client.put(path, "vpn_connection", **sent)) == {}
    read = client.wait_connection(made["id"])
    assert _drift(block, read) == {}

    _retag(client, "vpn-connection", made["id"], _tag_pairs(read), {"k": "w", "l": "x"})
    assert _tag_pairs(client.get(path, "vpn_connection")) == {"k": "w", "l": "x"}
    assert client.raw("POST", f"{path}/reset").status == 200
    client.wait_connection(made["id"])
    _gone(client, path, "vpn_connection")


@BOTH
def test_a_health_check_lives(client: Client):
    gateway, device = client.gateway(), client.customer_gateway()
    made = client.connection(gateway, device, enable_nqa=True)
    monitor = client.create("connection-monitors", "connection_monitor", vpn_connection_id=made["id"])
    path = f"connection-monitors/{monitor['id']}"
    read = client.get(path, "connection_monitor")
    assert read["vpn_connection_id"] == made["id"]
    assert read["status"] in ("PENDING_CREATE", "ACTIVE")
    assert read["source_ip"] in (gateway["eip1"]["ip_address"], gateway["eip2"]["ip_address"])
    assert read["destination_ip"] == device["ip"]
    (listed,) = client.get("connection-monitors", "connection_monitors")
    assert (listed["id"], listed["type"], listed["proto_type"]) == (monitor["id"], "gateway", "icmp")
    _gone(client, path)


@BOTH
def test_a_gateway_with_two_endpoints_and_two_devices_carries_four_connections(client: Client):
    """A landing zone: the same subnets behind each pair."""
    gateway = client.gateway()
    peers = [client.customer_gateway(id_value=f"198.51.100.{n}") for n in (2, 3)]
    for peer in peers:
        for endpoint in ("eip1", "eip2"):
            made = client.connection(gateway, peer, vgw_ip=gateway[endpoint]["id"])
            client.wait_connection(made["id"])
    assert len(client.get(f"vpn-connection?vgw_id={gateway['id']}", "vpn_connections")) == 4
    of_one = client.get(f"vpn-connection?vgw_ip={gateway['eip2']['id']}", "vpn_connections")
    assert [one["cgw_id"] for one in of_one] == [peer["id"] for peer in peers]


@BOTH
def test_another_device_means_delete_is_refused_until_the_connection_has_the_new_one(client: Client):
    """The order that a replacement takes when nobody said create_before_destroy."""
    peer = client.customer_gateway()
    made = client.connection(client.gateway(), peer)
    client.wait_connection(made["id"])
    with pytest.raises(terraform.Refused) as refused:
        client.call("DELETE", f"customer-gateways/{peer['id']}")
    assert refused.value.status == 400
    new = client.customer_gateway(id_value="198.51.100.3")
    client.put(f"vpn-connection/{made['id']}", "vpn_connection", cgw_id=new["id"])
    client.wait_connection(made["id"])
    _gone(client, f"customer-gateways/{peer['id']}")


@HUAWEI_ONLY
def test_an_upgrade_is_started_confirmed_and_its_job_deleted(client: Client, until: Any):
    gateway = client.gateway()
    for action, passing, end in (
        ("start", "upgrading", "pending_upgrade_confirm"),
        ("finish", "pending_upgrade_confirm", "success"),
    ):
        job_id = client.call("POST", f"vpn-gateways/{gateway['id']}/upgrade", {"action": action})["job_id"]
        seen: set[str] = set()

        def standing(seen: set[str] = seen, job_id: str = job_id, end: str = end) -> bool:
            jobs = client.get(f"vpn-gateways/jobs?resource_id={gateway['id']}", "jobs")
            (job,) = (one for one in jobs if one["id"] == job_id)
            seen.add(job["status"])
            return bool(job["status"] == end)

        until(standing, end)
        assert seen <= {passing, end}
    client.call("DELETE", f"vpn-gateways/jobs/{job_id}")
    assert client.get(f"vpn-gateways/jobs?resource_id={gateway['id']}", "jobs") == []


@HUAWEI_ONLY
def test_a_gm_gateway_lives_with_its_certificate(client: Client, tmp_path: Path):
    gateway = client.gateway(flavor="GM")
    path = f"vpn-gateways/{gateway['id']}/certificate"
    made = client.create(path, "certificate", **gm_certificates.gateway(tmp_path), name="gm-1")
    assert client.get(path, "certificate")["status"] == "BOUND"  # BINDING may come before it, nothing else
    client.put(f"{path}/{made['id']}", "certificate", name="gm-2")
    read = client.get(path, "certificate")
    assert (read["id"], read["name"], read["status"]) == (made["id"], "gm-2", "BOUND")
    (listed,) = client.get("vpn-gateway-certificates", "vpn_gateway_certificates")
    assert listed == read
    _gone(client, f"vpn-gateways/{gateway['id']}", "vpn_gateway")
    assert client.raw("GET", path).status == 404


# -- the data sources -------------------------------------------------------------------------------------------------


@HUAWEI_ONLY
def test_data_sources_find_what_they_filter_for(client: Client):
    """They fetch everything and compare on their own side: what they compare with has to be in each list."""
    gateway, peer = client.gateway(name="gw-1"), client.customer_gateway(name="cgw-1")
    made = client.connection(gateway, peer, name="c-1", enable_nqa=True)
    status = client.wait_connection(made["id"])["status"]
    (listed,) = terraform.merged_pages([client.call("GET", "vpn-gateways")])
    reads = {"id": gateway["id"], "name": "gw-1", "network_type": "public", "attachment_type": "vpc"}
    assert _drift(reads, listed) == {}
    assert listed["connection_number"] == 200
    (listed,) = terraform.merged_pages([client.call("GET", "customer-gateways")])
    reads = {"id": peer["id"], "name": "cgw-1", "bgp_asn": 65000, "route_mode": "bgp", "ip": "198.51.100.2"}
    assert _drift(reads, listed) == {}
    (listed,) = terraform.merged_pages([client.call("GET", "vpn-connection")])
    assert listed["status"] in {status, "ACTIVE"}
    reads = {"id": made["id"], "name": "c-1", "vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"]}
    assert (_drift(reads, listed), listed["style"]) == ({}, "STATIC")


@HUAWEI_ONLY
@pytest.mark.parametrize("kind", ["vpn-gateway", "customer-gateway", "vpn-connection"])
def test_the_search_by_tags_ends(client: Client, kind: str):
    """The client asks for the page after the last one until it is empty."""
    gateway, peer = client.gateway(), client.customer_gateway()
    made = client.connection(gateway, peer)
    ids = {"vpn-gateway": gateway["id"], "customer-gateway": peer["id"], "vpn-connection": made["id"]}
    _retag(client, kind, ids[kind], {}, {"site": "berlin"})
    found, offset = [], 0
    while True:
        search = {"tags": [{"key": "site", "values": ["berlin"]}]}
        path = f"{kind}/resource-instances/filter?limit=100&offset={offset}"
        page = client.call("POST", path, search)["resources"]
        if not page:
            break
        found += page
        offset += 100
        assert offset < 1000
    assert [one["resource_id"] for one in found] == [ids[kind]]
    assert client.get(f"{kind}/tags", "tags") == [{"key": "site", "values": ["berlin"]}]


@HUAWEI_ONLY
def test_the_smaller_data_sources_read_what_they_name(client: Client):
    made = client.connection(client.gateway(), client.customer_gateway())
    client.wait_connection(made["id"])
    path = f"vpn-connection/{made['id']}"
    quotas = client.get("vpn/quotas", "quotas")["resources"]
    assert {one["type"] for one in quotas} == {"customer_gateway", "vpn_connection", "vpn_gateway"}
    assert all(one.keys() >= {"quota", "used"} for one in quotas)
    assert isinstance(client.get(f"{path}/log", "logs"), list)
    assert isinstance(client.get(f"{path}/ipsec-sa", "sa_infos"), list)
    device = client.get("peer-configuration/supported-devices", "supported_devices")[0]
    named = {name: device[name] for name in ("vendor", "type", "model", "version")}
    assert client.call("POST", f"{path}/peer-configuration/export", named)["peer_config"]
    table = client.get(f"vpn-gateways/{made['vgw_id']}/routing-table?limit=100&offset=0", "routing_table")
    assert isinstance(table, list)
    assert client.get(f"vpn-gateways/{made['vgw_id']}/routing-table?limit=100&offset=100", "routing_table") == []
    zones = client.get(f"/v5.1/{client.project_id}/vpn-gateways/availability-zones", "availability_zones")
    assert all(one.keys() >= {"name", "public_border_group", "available_specs"} for one in zones)


# -- what a person reads when it does not work ------------------------------------------------------------------------


def _printed(ask: Callable[[], Any]) -> str:
    with pytest.raises(terraform.Refused) as refused:
        ask()
    return str(refused.value)


@BOTH
def test_terraform_prints_every_wrong_field_of_a_400(client: Client):
    gateway, peer = client.gateway(), client.customer_gateway()
    text = _printed(lambda: client.connection(gateway, peer, psk="short", name="a b", peer_subnets=["10.0.0.0/24"]))
    assert text.startswith("Bad request with: [POST vpn-connection], request_id: ")
    assert "VPN.0001" in text
    for field in ("name", "psk", "peer_subnets"):
        assert f"{field}" in text.split("error_msg", 1)[1].split("details", 1)[0]


@BOTH
def test_terraform_prints_what_is_in_the_way_of_a_delete(client: Client):
    gateway, peer = client.gateway(), client.customer_gateway()
    made = client.connection(gateway, peer)
    for path in (f"vpn-gateways/{gateway['id']}", f"customer-gateways/{peer['id']}"):
        text = _printed(functools.partial(client.call, "DELETE", path))
        assert text.startswith("Bad request with: ")
        assert made["id"] in text


@BOTH
def test_terraform_prints_whose_name_is_taken(client: Client):
    gateway, peer = client.gateway(), client.customer_gateway()
    made = client.connection(gateway, peer)
    text = _printed(lambda: client.connection(gateway, peer))
    assert made["id"] in text
    assert "cgw_id" in text


@BOTH
def test_terraform_prints_what_is_not_there(client: Client):
    text = _printed(lambda: client.get(f"vpn-connection/{NOBODY}", "vpn_connection"))
    assert text.startswith("Resource not found: [GET ")
    assert NOBODY in text.split("error message", 1)[1]


@BOTH
def test_terraform_prints_within_200_characters_why_it_is_forbidden(client: Client, provider: Callable[..., Client]):
    at = f"/v5/{client.project_id}/customer-gateways"
    for stranger in (provider(client.family, "reader", client.project_id), provider(client.family)):
        refused = stranger.raw("POST", at, {"customer_gateway": CUSTOMER_GATEWAY})
        text = _printed(functools.partial(stranger.call, "POST", at, {"customer_gateway": CUSTOMER_GATEWAY}))
        assert text.startswith("Action forbidden: ")
        assert "VPN.0003" in text
        assert refused.json["error_msg"] in text


def _sdk(client: Client, secret_key: str) -> v5.VpnClient:
    credentials = BasicCredentials(client.access_key, secret_key, client.project_id)
    return v5.VpnClient.new_builder().with_credentials(credentials).with_endpoint(client.endpoint).build()


@HUAWEI_ONLY
@pytest.mark.filterwarnings("ignore:Unable to convert string to datetime:ImportWarning")
def test_the_sdk_prints_code_words_and_request_id(client: Client, provider: Callable[..., Client]):
    peer = client.customer_gateway()
    made = client.connection(client.gateway(), peer)
    reader = provider(HUAWEI, "reader", client.project_id)
    body = v5.CreateCgwRequestBody(customer_gateway=v5.CreateCgwRequestBodyContent(id_value="nowhere", name="a b"))
    for sdk, ask, told in (
        (
            client,
            lambda sdk: sdk.create_cgw(v5.CreateCgwRequest(body=body)),
            ("400", "VPN.0001", "name: ", "id_value: "),
        ),
        (None, lambda sdk: sdk.list_cgws(v5.ListCgwsRequest()), ("401", "APIGW.0301")),
        (reader, lambda sdk: sdk.delete_cgw(v5.DeleteCgwRequest(customer_gateway_id=peer["id"])), ("403", "VPN.0003")),
        (client, lambda sdk: sdk.show_cgw(v5.ShowCgwRequest(customer_gateway_id=NOBODY)), ("404", "VPN.0004", NOBODY)),
        (
            client,
            lambda sdk: sdk.delete_cgw(v5.DeleteCgwRequest(customer_gateway_id=peer["id"])),
            ("400", "VPN.0001", made["id"]),
        ),
    ):
        with pytest.raises(ClientRequestException) as caught:
            ask(_sdk(sdk or client, sdk.secret_key if sdk else "wrong"))
        text = str(caught.value)
        assert caught.value.request_id in text
        assert [word for word in told if word not in text] == []
