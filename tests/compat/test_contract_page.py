"""What breaks real clients, rule by rule: the number in a test's id is the rule's in docs/reference/clients.md."""

import concurrent.futures
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.compat import terraform
from tests.compat.terraform import HUAWEI, OTC, PSK, Client

NOBODY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"
TUNNEL = {"tunnel_local_address": "169.254.56.225/30", "tunnel_peer_address": "169.254.56.226/30"}
RULE = {"source": "10.0.0.0/24", "destination": ["192.168.44.0/24"]}
TAGS = [{"key": "b", "value": "2"}, {"key": "a", "value": "1"}]
STYLES: dict[str, dict[str, Any]] = {
    "static": {"style": "static"},
    "policy": {"style": "policy", "policy_rules": [RULE]},
    "bgp": {"style": "bgp", **TUNNEL},
}
IKE_FIELDS = {
    "ike_version",
    "authentication_algorithm",
    "encryption_algorithm",
    "dh_group",
    "authentication_method",
    "lifetime_seconds",
    "local_id_type",
    "local_id",
    "peer_id_type",
    "peer_id",
    "dpd",
}
IPSEC_FIELDS = {
    "authentication_algorithm",
    "encryption_algorithm",
    "pfs",
    "transform_protocol",
    "lifetime_seconds",
    "encapsulation_mode",
}


def rule(number: int, *families: terraform.Family) -> pytest.MarkDecorator:
    """The test proves this rule, for clients of these families or of both."""
    asked = [pytest.param(one, id=f"rule-{number:02}-{one.name}") for one in families or (HUAWEI, OTC)]
    return pytest.mark.parametrize("client", asked, indirect=True)


def _connection(client: Client, **fields: Any) -> Any:
    """A connection that a provider has waited for, on a gateway of its own."""
    made = client.connection(client.gateway(), client.customer_gateway(), **fields)
    return client.wait_connection(made["id"])


def _path(connection: Any) -> str:
    return f"vpn-connection/{connection['id']}"


def _sent_back(connection: Any) -> dict[str, Any]:
    """What an update sends: all that was read, without what cannot change, and without ids of type ip."""
    fixed = {"id", "vgw_id", "vgw_ip", "style", "ha_role", "tags", "status", "created_at", "updated_at"}
    fixed |= {"enterprise_project_id", "connection_monitor_id", "authentication_method"}
    kept = {name: value for name, value in connection.items() if name not in fixed}
    unsent = {"authentication_method"}
    unsent |= {f"{end}_id" for end in ("local", "peer") if connection["ikepolicy"][f"{end}_id_type"] == "ip"}
    return kept | {"ikepolicy": {name: value for name, value in kept["ikepolicy"].items() if name not in unsent}}


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


# -- answers ----------------------------------------------------------------------------------------------------------


@rule(1)
def test_a_style_goes_in_small_and_comes_back_in_capitals(client: Client):
    gateway = client.gateway()
    for number, (style, fields) in enumerate(STYLES.items(), start=2):
        peer = client.customer_gateway(id_value=f"198.51.100.{number}")
        made = client.connection(gateway, peer, **fields)
        changed = client.put(_path(made), "vpn_connection", name=f"renamed-{number}")
        shown = client.get(_path(made), "vpn_connection")
        (listed,) = (one for one in client.get("vpn-connection", "vpn_connections") if one["id"] == made["id"])
        assert {one["style"] for one in (made, changed, shown, listed)} == {style.upper()}


@rule(2)
def test_tag_calls_answer_204_with_nothing(client: Client):
    gateway, peer = client.gateway(), client.customer_gateway()
    made = client.connection(gateway, peer)
    for kind, resource in (("vpn-gateway", gateway), ("customer-gateway", peer), ("vpn-connection", made)):
        for verb in ("create", "delete"):
            answer = client.raw("POST", f"{kind}/{resource['id']}/tags/{verb}", {"tags": TAGS})
            assert (answer.status, answer.content) == (204, b"")


@rule(3)
def test_an_update_answers_200_with_the_new_values(client: Client):
    gateway, peer = client.gateway(), client.customer_gateway()
    made = client.connection(gateway, peer)
    for path, envelope, fields in (
        (
            f"vpn-gateways/{gateway['id']}",
            "vpn_gateway",
            {"name": "new", "local_subnets": ["10.9.0.0/24", "10.1.0.0/24"]},
        ),
        (f"customer-gateways/{peer['id']}", "customer_gateway", {"name": "new"}),
        (_path(made), "vpn_connection", {"name": "new", "peer_subnets": ["192.168.77.0/24"]}),
    ):
        answer = client.raw("PUT", path, {envelope: fields})
        assert answer.status == 200
        for found in (answer.json[envelope], client.get(path, envelope)):
            assert {name: found[name] for name in fields} == fields


@rule(4)
def test_a_create_answers_201_with_the_object_and_its_id(client: Client):
    gateway, peer = client.gateway(), client.customer_gateway()
    wish = {"vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"], "cgw_id": peer["id"], "psk": PSK}
    body = {"vpn_connection": {**wish, "peer_subnets": ["192.168.44.0/24"], "enable_nqa": True, "style": "static"}}
    answer = client.raw("POST", "vpn-connection", body)
    made = answer.json["vpn_connection"]
    assert (answer.status, made["vgw_id"], bool(made["id"])) == (201, gateway["id"], True)
    for path, envelope, fields in (
        ("vpn-gateways", "vpn_gateway", {"vpc_id": terraform.VPC, "local_subnets": ["10.0.0.0/24"]}),
        ("customer-gateways", "customer_gateway", {"id_value": "198.51.100.9"}),
        ("connection-monitors", "connection_monitor", {"vpn_connection_id": _monitorless(client, gateway)}),
    ):
        answer = client.raw("POST", path, {envelope: fields})
        assert (answer.status, bool(answer.json[envelope]["id"])) == (201, True)


def _monitorless(client: Client, gateway: Any) -> str:
    made = client.connection(gateway, client.customer_gateway(id_value="198.51.100.10"), enable_nqa=True)
    return str(made["id"])


def _of_all_kinds(client: Client) -> list[tuple[str, str | None]]:
    """(path, envelope where one waits for the end) of one of each, in the order in which they can go."""
    made = _connection(client, enable_nqa=True)
    monitor = client.create("connection-monitors", "connection_monitor", vpn_connection_id=made["id"])
    return [
        (f"connection-monitors/{monitor['id']}", None),
        (_path(made), "vpn_connection"),
        (f"customer-gateways/{made['cgw_id']}", None),
        (f"vpn-gateways/{made['vgw_id']}", "vpn_gateway"),
    ]


@rule(5)
def test_a_delete_answers_204_with_nothing(client: Client):
    for path, envelope in _of_all_kinds(client):
        answer = client.raw("DELETE", path)
        assert (answer.status, answer.content) == (204, b"")
        if envelope is not None:
            client.wait_gone(path, envelope)


@rule(6)
def test_what_was_deleted_becomes_404_and_stays_so(client: Client):
    gone = _of_all_kinds(client)
    for path, envelope in gone:
        client.call("DELETE", path)
        if envelope is not None:
            client.wait_gone(path, envelope)
    for path, _ in gone:
        assert {client.raw(verb, path).status for verb in ("GET", "DELETE")} == {404}


@rule(7)
def test_what_is_being_deleted_says_so_although_it_was_down(client: Client, paused: Callable[[str], Any]):
    gateway = client.gateway()
    made = client.connection(gateway, client.customer_gateway(id_type="fqdn", id_value="branch.example"))
    assert client.wait_connection(made["id"])["status"] == "DOWN"
    with paused(gateway["id"]):
        client.call("DELETE", _path(made))
        seen = [client.get(_path(made), "vpn_connection")["status"] for _ in range(5)]
        assert set(seen) == {"PENDING_DELETE"}
    client.connection(gateway, client.customer_gateway())  # wakes the agent
    client.wait_gone(_path(made), "vpn_connection")


@rule(8)
def test_customer_gateways_and_monitors_need_no_waiting(client: Client):
    made = _connection(client, enable_nqa=True)
    for path, envelope, fields in (
        ("customer-gateways", "customer_gateway", {"id_value": "198.51.100.99"}),
        ("connection-monitors", "connection_monitor", {"vpn_connection_id": made["id"]}),
    ):
        one = client.create(path, envelope, **fields)
        assert client.get(f"{path}/{one['id']}", envelope)["id"] == one["id"]
        client.call("DELETE", f"{path}/{one['id']}")
        assert client.raw("GET", f"{path}/{one['id']}").status == 404


@rule(9)
def test_lists_keep_the_order_that_they_were_sent_in(client: Client):
    own, theirs = ["10.5.0.0/24", "10.1.0.0/24", "10.3.0.0/24"], ["192.168.9.0/24", "192.168.1.0/24", "192.168.5.0/24"]
    gateway = client.gateway(local_subnets=own)
    static = client.connection(gateway, client.customer_gateway(), peer_subnets=theirs)
    rules = [{"rule_index": n, "source": own[-n], "destination": [theirs[n % 3], theirs[n - 1]]} for n in (2, 1)]
    peer = client.customer_gateway(id_value="198.51.100.3")
    policy = client.connection(gateway, peer, style="policy", policy_rules=rules)
    listed = {one["id"]: one for one in client.get("vpn-connection", "vpn_connections")}
    read_gateway = client.get(f"vpn-gateways/{gateway['id']}", "vpn_gateway")
    assert read_gateway["local_subnets"] == own
    for one in (static, client.get(_path(static), "vpn_connection"), listed[static["id"]]):
        assert one["peer_subnets"] == theirs
    for one in (policy, client.get(_path(policy), "vpn_connection"), listed[policy["id"]]):
        assert one["policy_rules"] == rules
    turned = client.put(_path(static), "vpn_connection", peer_subnets=theirs[::-1])
    assert turned["peer_subnets"] == theirs[::-1]
    turned = client.put(f"vpn-gateways/{gateway['id']}", "vpn_gateway", local_subnets=own[::-1])
    assert turned["local_subnets"] == own[::-1]


@rule(10)
def test_a_connection_without_a_peer_is_made_and_down(client: Client, until: Any):
    gateway = client.gateway()
    lonely = client.connection(gateway, client.customer_gateway(id_type="fqdn", id_value="branch.example"))
    assert client.wait_connection(lonely["id"])["status"] == "DOWN"
    answered = client.connection(gateway, client.customer_gateway())
    assert client.wait_connection(answered["id"])["status"] in {"DOWN", "ACTIVE"}
    until(lambda: client.get(_path(answered), "vpn_connection")["status"] == "ACTIVE", "the answered one to be ACTIVE")


@rule(11)
def test_a_gateway_shows_one_pending_status_and_then_active(client: Client):
    gateway = client.gateway()  # fails at anything but PENDING_CREATE before ACTIVE
    path = f"vpn-gateways/{gateway['id']}"
    for subnets in (["10.7.0.0/24"], ["10.8.0.0/24"]):
        client.put(path, "vpn_gateway", name="new", local_subnets=subnets)
        assert client.wait_gateway(gateway["id"], "PENDING_UPDATE")["local_subnets"] == subnets


@rule(11, HUAWEI)
def test_a_gateway_with_another_specification_is_pending_update_and_then_active(client: Client):
    gateway = client.gateway()
    wish = {"vpn_gateway": {"flavor": "Professional2"}}
    client.call("POST", f"vpn-gateways/{gateway['id']}/update-specification", wish)
    assert client.wait_gateway(gateway["id"], "PENDING_UPDATE")["flavor"] == "Professional2"


@rule(12)
def test_a_gateway_has_its_eips_under_both_names(client: Client):
    made = client.gateway()
    shown = client.get(f"vpn-gateways/{made['id']}", "vpn_gateway")
    (listed,) = client.get("vpn-gateways", "vpn_gateways")
    for one in (shown, listed):
        assert one["eip1"]["id"] != one["eip2"]["id"]
        assert (one["master_eip"], one["slave_eip"]) == (one["eip1"], one["eip2"])


@rule(13)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_policies_are_always_whole(client: Client, style: str, version: str):
    gateway = client.gateway()
    made = client.connection(gateway, client.customer_gateway(), ikepolicy={"ike_version": version}, **STYLES[style])
    shown = client.get(_path(made), "vpn_connection")
    (listed,) = client.get("vpn-connection", "vpn_connections")
    changed = client.put(_path(made), "vpn_connection", name="new")
    mode = {"phase1_negotiation_mode"} if version == "v1" else set()
    for one in (made, shown, listed, changed):
        assert one["ikepolicy"].keys() >= IKE_FIELDS | mode
        assert one["ikepolicy"]["dpd"].keys() == {"timeout", "interval", "msg"}
        assert one["ipsecpolicy"].keys() == IPSEC_FIELDS
        assert None not in {*one["ipsecpolicy"].values(), *map(str, one["ikepolicy"].values())}


# -- updates ----------------------------------------------------------------------------------------------------------


@rule(14)
@pytest.mark.parametrize("style", STYLES)
def test_all_that_was_read_may_be_sent_back_and_changes_nothing(client: Client, style: str):
    before = _connection(client, **STYLES[style])
    answered = client.put(_path(before), "vpn_connection", **_sent_back(before), psk=PSK)
    after = client.get(_path(before), "vpn_connection")
    seen = ("status", "bgp_peer")  # of the engine, which may see more with each look
    assert _without(after, *seen) == _without(before, *seen) == _without(answered, *seen)
    assert after["status"] in {
        "DOWN",
        "ACTIVE",
    }  # the provider waits for either, and the first negotiation may end later


@rule(14)
def test_an_update_may_say_enable_nqa(client: Client):
    before = _connection(client, enable_nqa=True)
    assert before["enable_nqa"] is True
    sent = _sent_back(before) | {"enable_nqa": True, "name": "new"}
    assert client.put(_path(before), "vpn_connection", **sent)["enable_nqa"] is True


@rule(15)
def test_ids_of_type_ip_that_are_left_out_stay(client: Client):
    ike = {"peer_id_type": "ip", "peer_id": "192.0.2.77", "local_id_type": "ip", "lifetime_seconds": 7200}
    before = _connection(client, ikepolicy=ike)
    sent = _sent_back(before)
    assert not sent["ikepolicy"].keys() & {"local_id", "peer_id"}
    sent["ikepolicy"] |= {"lifetime_seconds": 3600}
    after = client.put(_path(before), "vpn_connection", **sent)["ikepolicy"]
    assert (after["peer_id"], after["local_id"]) == ("192.0.2.77", before["ikepolicy"]["local_id"])
    assert after["lifetime_seconds"] == 3600


@rule(16)
def test_what_cannot_be_sent_is_not_reset(client: Client):
    before = _connection(client, enable_nqa=True, tags=TAGS)
    client.put(_path(before), "vpn_connection", name="new", enable_nqa=False, peer_subnets=[], psk="")
    after = client.get(_path(before), "vpn_connection")
    own = ("name", "updated_at", "status")  # the first negotiation may end later
    assert _without(after, *own) == _without(before, *own)
    rule_without_index = client.connection(
        client.get(f"vpn-gateways/{before['vgw_id']}", "vpn_gateway"),
        client.customer_gateway(id_value="198.51.100.3"),
        style="policy",
        policy_rules=[RULE | {"rule_index": 0}],
    )
    assert rule_without_index["policy_rules"][0]["rule_index"] >= 1


@rule(16, OTC)
def test_numbers_of_0_that_a_block_brings_along_count_as_not_given(client: Client):
    gateway, peer = client.gateway(), client.customer_gateway()
    zero = {"lifetime_seconds": 0, "dpd": {"timeout": 0, "interval": 0}}
    wish = {
        "vgw_id": gateway["id"],
        "vgw_ip": gateway["eip1"]["id"],
        "cgw_id": peer["id"],
        "psk": PSK,
        "style": "static",
    }
    wish |= {"peer_subnets": ["192.168.44.0/24"], "ikepolicy": zero, "ipsecpolicy": {"lifetime_seconds": 0}}
    answer = client.raw("POST", "vpn-connection", {"vpn_connection": wish}, zeroes=True)
    assert answer.status == 201, answer.content
    made = answer.json["vpn_connection"]
    for found in (
        made,
        client.raw("PUT", _path(made), {"vpn_connection": {"ikepolicy": zero}}, zeroes=True).json["vpn_connection"],
    ):
        assert (found["ikepolicy"]["lifetime_seconds"], found["ipsecpolicy"]["lifetime_seconds"]) == (86400, 3600)
        assert (found["ikepolicy"]["dpd"]["timeout"], found["ikepolicy"]["dpd"]["interval"]) == (15, 30)


@rule(17)
@pytest.mark.parametrize("style", ["policy", "bgp"])
@pytest.mark.parametrize("value", [True, False])
def test_nqa_is_refused_outside_static_in_the_words_that_are_known(client: Client, style: str, value: bool):
    gateway, peer = client.gateway(), client.customer_gateway()
    wish = {"vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"], "cgw_id": peer["id"], "psk": PSK}
    wish |= {"peer_subnets": ["192.168.44.0/24"], **STYLES[style], "enable_nqa": value}
    answer = client.raw("POST", "vpn-connection", {"vpn_connection": wish}, zeroes=True)
    assert (answer.status, answer.json["error_code"]) == (400, "VPN.0001")
    assert "enable_nqa must not be filled if style is not static" in answer.json["error_msg"]
    del wish["enable_nqa"]
    assert client.raw("POST", "vpn-connection", {"vpn_connection": wish}).status == 201


@rule(18)
def test_a_psk_goes_in_and_never_comes_out(client: Client):
    secret = "Never-To-Be-Seen-1"
    made = _connection(client, psk=secret)
    answers = [
        client.raw("GET", _path(made)),
        client.raw("GET", "vpn-connection"),
        client.raw("PUT", _path(made), {"vpn_connection": {"psk": secret + "x", "name": "new"}}),
        client.raw("PUT", _path(made), {"vpn_connection": {"psk": secret + "x" * 200}}),
        client.raw("GET", _path(made)),
    ]
    assert [one.status for one in answers] == [200, 200, 200, 400, 200]
    for one in answers:
        assert secret.encode() not in one.content
        assert "psk" not in (one.json.get("vpn_connection") or {})


# -- lists ------------------------------------------------------------------------------------------------------------


@rule(19)
def test_an_answer_has_at_most_one_array_at_its_top(client: Client):
    made = _connection(client, enable_nqa=True, tags=TAGS)
    monitor = client.create("connection-monitors", "connection_monitor", vpn_connection_id=made["id"])
    ids = {"vgw_id": made["vgw_id"], "customer_gateway_id": made["cgw_id"], "vpn_connection_id": made["id"]}
    ids |= {"connection_monitor_id": monitor["id"], "resource_type": "vpn-connection", "resource_id": made["id"]}
    document = client.raw("GET", "/openapi.json").json["paths"]
    walked = 0
    for path, methods in document.items():
        known = all(name == "project_id" or name in ids for name in re.findall(r"\{(\w+)\}", path))
        if "get" not in methods or not path.startswith("/v5") or not known:
            continue
        answer = client.raw("GET", path.format(project_id=client.project_id, **ids))
        if path.endswith("/certificate"):  # of a gateway that has none
            continue
        assert answer.status == 200, (path, answer.content)
        arrays = [name for name, value in answer.json.items() if isinstance(value, list)]
        assert len(arrays) <= 1, (path, arrays)
        walked += 1
    assert walked >= 15
    found = client.raw("POST", "vpn-connection/resource-instances/filter?limit=100&offset=0", {})
    assert [name for name, value in found.json.items() if isinstance(value, list)] == ["resources"]


@rule(20, HUAWEI)
def test_who_never_pages_sees_all_and_who_pages_comes_to_an_end(client: Client):
    gateway = client.gateway()
    made = []
    for number in range(120):
        peer = client.customer_gateway(id_value=f"192.0.2.{number + 1}")
        made.append(client.connection(gateway, peer)["id"])
    whole = client.call("GET", "vpn-connection")
    assert [one["id"] for one in whole["vpn_connections"]] == made
    assert not whole["page_info"].get("next_marker")
    for path in ("vpn-connection", "customer-gateways"):
        assert len(_paged(client, path)) == 120
    assert [one["id"] for one in _paged(client, "vpn-connection")] == made


def _paged(client: Client, path: str) -> list[Any]:
    """As golangsdk does it: the same query again with a marker, until there is none."""
    pages = [client.call("GET", f"{path}?limit=50")]
    while marker := pages[-1]["page_info"].get("next_marker"):
        pages.append(client.call("GET", f"{path}?limit=50&marker={marker}"))
    return terraform.merged_pages(pages)


@rule(21)
def test_every_flavor_has_zones_under_its_small_name(client: Client):
    zones = client.get("vpn-gateways/availability-zones", "availability_zones")
    assert {"basic", "professional1", "professional2", "gm"} <= zones.keys()
    assert all(name == name.lower() for name in zones if "-" not in name)  # no client finds one with a hyphen
    for name, found in zones.items():
        assert len(found["vpc"]) >= 2
        assert name == "basic" or len(found["er"]) >= 2
    both = zones["professional2"]["vpc"][:2]
    made = client.gateway(flavor="Professional2", availability_zone_ids=both[::-1])
    assert (made["flavor"], made["availability_zone_ids"]) == ("Professional2", both[::-1])


# -- errors and HTTP --------------------------------------------------------------------------------------------------


@rule(22)
def test_many_requests_at_once_are_never_too_many(client: Client):
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        asked = [pool.submit(client.raw, "GET", "vpn-connection") for _ in range(200)]
        wrong = [pool.submit(client.raw, "POST", "customer-gateways", {"customer_gateway": {}}) for _ in range(100)]
        made = [
            pool.submit(
                client.raw, "POST", "customer-gateways", {"customer_gateway": {"id_value": f"203.0.113.{n + 1}"}}
            )
            for n in range(100)
        ]
    assert {one.result().status for one in asked} == {200}
    assert {one.result().status for one in wrong} == {400}
    assert {one.result().status for one in made} == {201}
    answers = client.raw("GET", "/openapi.json").json["paths"]
    told = {status for path in answers.values() for one in path.values() for status in one["responses"]}
    assert "400" in told
    assert "429" not in told


@rule(23)
def test_every_error_is_flat_and_has_its_request_id_in_the_header(client: Client, provider: Callable[..., Client]):
    reader = provider(client.family, "reader", client.project_id)
    stranger = provider(client.family)
    wrong = terraform.Client(
        family=client.family,
        endpoint=client.endpoint,
        project_id=client.project_id,
        access_key=client.access_key,
        secret_key="wrong",
        token="wrong",
    )
    peer = client.customer_gateway()
    at = f"/v5/{client.project_id}/customer-gateways"
    path = f"customer-gateways/{peer['id']}"
    new = {"customer_gateway": {"id_value": "198.51.100.9"}}
    for answer, status, code in (
        (client.raw("POST", "customer-gateways", {"customer_gateway": {"id_value": "nowhere"}}), 400, "VPN.0001"),
        (client.raw("POST", "customer-gateways"), 400, "VPN.0001"),
        (wrong.raw("GET", "customer-gateways"), 401, "APIGW.0301"),
        (reader.raw("POST", "customer-gateways", new), 403, "VPN.0003"),
        (stranger.raw("GET", at), 403, "VPN.0003"),
        (client.raw("GET", f"customer-gateways/{NOBODY}"), 404, "VPN.0004"),
        (client.raw("GET", "no-such-thing"), 404, "APIGW.0101"),
        (client.raw("PUT", "customer-gateways", new), 405, "APIGW.0106"),
        (client.raw("PUT", path, {"customer_gateway": {"name": "new"}}, If_Match='"0-0"'), 412, "VPN.0001"),
        (client.raw("POST", "customer-gateways", {"customer_gateway": {"name": "x" * (2 << 20)}}), 413, "VPN.0001"),
    ):
        assert (answer.status, answer.json["error_code"]) == (status, code), answer.content
        assert isinstance(answer.json["error_msg"], str)
        assert answer.json["error_msg"]
        assert answer.json["request_id"] == answer.headers["x-request-id"] != ""
        assert "error" not in answer.json
        assert answer.headers["content-type"] == "application/json"


@rule(24)
def test_headers_that_clients_send_along_do_no_harm(client: Client):
    made = _connection(client)
    extra = {"X_Language": "en-us", "X_Project_Id": client.project_id, "X_Domain_Id": "0" * 32}
    assert client.raw("GET", _path(made), Content_Type="application/json", **extra).status == 200
    assert client.raw("GET", f"{_path(made)}/log", Content_Type="application/json", **extra).status == 200
    assert client.raw("POST", f"{_path(made)}/reset", Content_Length="0").status == 200
    answer = client.raw("DELETE", _path(made), Content_Type="application/json", Content_Length="0", **extra)
    assert answer.status == 204


@rule(25, HUAWEI)
def test_names_of_a_device_that_are_left_empty_count_as_not_given(client: Client):
    path = f"{_path(_connection(client))}/peer-configuration/export"
    for sent in ({"vendor": "VyOS", "type": "", "model": "", "version": ""}, {"vendor": "VyOS"}):
        answer = client.raw("POST", path, sent, zeroes=True)
        assert (answer.status, "VyOS" in answer.json["peer_config"]) == (200, True)
    answer = client.raw("POST", path, {"vendor": "", "type": "", "model": "", "version": ""}, zeroes=True)
    assert (answer.status, answer.json["details"][0]["field"]) == (400, "vendor")
