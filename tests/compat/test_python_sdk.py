"""The official Python SDK, unmodified, against a server process: every operation, every kind of error, the page's examples."""

import functools
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkvpn import v5

from landbridge import config, data_folder
from landbridge.operations import access, call, clock

#: Without python-dateutil the SDK gives times as text, and says so each time.
pytestmark = pytest.mark.filterwarnings("ignore:Unable to convert string to datetime:ImportWarning")
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
NOBODY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"
PSK = "Abcd-1234"
PATIENCE_SECONDS = 15.0
IKE_DEFAULTS = {
    "ike_version": "v2",
    "authentication_algorithm": "sha2-256",
    "encryption_algorithm": "aes-128",
    "dh_group": "group15",
    "authentication_method": "pre-share",
    "lifetime_seconds": 86400,
    "local_id_type": "ip",
    "peer_id_type": "ip",
    "dpd": {"timeout": 15, "interval": 30, "msg": "seq-hash-notify"},
}
IPSEC_DEFAULTS = {
    "authentication_algorithm": "sha2-256",
    "encryption_algorithm": "aes-128",
    "pfs": "group15",
    "transform_protocol": "esp",
    "lifetime_seconds": 3600,
    "encapsulation_mode": "tunnel",
}
#: Of the example in BGP routing mode, with its masked ids made whole.
BGP_IKE = {
    "ike_version": "v2",
    "authentication_algorithm": "sha2-512",
    "encryption_algorithm": "aes-256",
    "dh_group": "group16",
    "lifetime_seconds": 172800,
    "local_id_type": "fqdn",
    "local_id": "123456",
    "peer_id_type": "fqdn",
    "peer_id": "456789",
    "dpd": {"timeout": 30, "interval": 60, "msg": "seq-notify-hash"},
}
BGP_IPSEC = {
    "authentication_algorithm": "sha2-512",
    "encryption_algorithm": "aes-256",
    "pfs": "group16",
    "transform_protocol": "esp",
    "lifetime_seconds": 7200,
    "encapsulation_mode": "tunnel",
}


def _client(server: Any, access_key: str, secret_key: str, project_id: str) -> v5.VpnClient:
    credentials = BasicCredentials(access_key, secret_key, project_id)
    return (
        v5.VpnClient.new_builder().with_credentials(credentials).with_endpoint(server.credentials["endpoint"]).build()
    )


@pytest.fixture(scope="module")
def keys(server: Any) -> SimpleNamespace:
    """Makes projects and keys on the server's data folder, as the command does."""

    def make(project_id: str | None, role: call.Role) -> access.NewKey:
        with data_folder.open_data(config.load({"data": str(server.folder)}, {})) as data:
            return data.database.write(lambda tx: access.create_key(tx, data.vault, project_id, role, clock.now()))

    def project() -> str:
        with data_folder.open_data(config.load({"data": str(server.folder)}, {})) as data:
            return data.database.write(lambda tx: access.create_project(tx, f"p{time.monotonic_ns()}", clock.now()))

    return SimpleNamespace(make=make, project=project)


@pytest.fixture
def client(server: Any, keys: Any) -> v5.VpnClient:
    """A client in a project of its own."""
    project = keys.project()
    key = keys.make(project, "admin")
    return _client(server, key.access_key, key.secret_key.reveal(), project)


def _until(found: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError(what)


def _gateway(client: v5.VpnClient, **fields: Any) -> Any:
    """A gateway that is ACTIVE."""
    words = {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]} | fields
    content = v5.CreateVgwRequestBodyContent(**words)
    made = client.create_vgw(v5.CreateVgwRequest(body=v5.CreateVgwRequestBody(vpn_gateway=content))).vpn_gateway

    def active() -> Any:
        shown = client.show_vgw(v5.ShowVgwRequest(vgw_id=made.id)).vpn_gateway
        return shown if shown.status == "ACTIVE" else None

    return _until(active, "a gateway to be ACTIVE")


def _customer_gateway(client: v5.VpnClient, **fields: Any) -> Any:
    words = {"id_type": "ip", "id_value": "198.51.100.2"} | fields
    content = v5.CreateCgwRequestBodyContent(**words)
    body = v5.CreateCgwRequestBody(customer_gateway=content)
    return client.create_cgw(v5.CreateCgwRequest(body=body)).customer_gateway


def _create(client: v5.VpnClient, gateway: Any, peer: Any, **fields: Any) -> Any:
    words = {
        "vgw_id": gateway.id,
        "vgw_ip": gateway.eip1.id,
        "cgw_id": peer.id,
        "peer_subnets": ["192.168.44.0/24"],
        "psk": PSK,
    } | fields
    content = v5.CreateVpnConnectionRequestBodyContent(**words)
    body = v5.CreateVpnConnectionRequestBody(vpn_connection=content)
    return client.create_vpn_connection(v5.CreateVpnConnectionRequest(body=body))


def _show(client: v5.VpnClient, connection_id: str) -> Any:
    request = v5.ShowVpnConnectionRequest(vpn_connection_id=connection_id)
    return client.show_vpn_connection(request).vpn_connection


def _active(client: v5.VpnClient, connection_id: str) -> Any:
    def active() -> Any:
        shown = _show(client, connection_id)
        return shown if shown.status == "ACTIVE" else None

    return _until(active, "a connection to be ACTIVE")


def _error(refused: Callable[[], Any]) -> ClientRequestException:
    with pytest.raises(ClientRequestException) as caught:
        refused()
    return caught.value


def _gone(show: Callable[[], Any]) -> None:
    def is_gone() -> bool:
        try:
            show()
        except ClientRequestException as error:
            return error.status_code == 404
        return False

    _until(is_gone, "a resource to be gone")


def _delete_connection(client: v5.VpnClient, connection_id: str) -> None:
    client.delete_vpn_connection(v5.DeleteVpnConnectionRequest(vpn_connection_id=connection_id))


# -- life cycles ------------------------------------------------------------------------------------------------------


def test_a_gateway_lives(client: v5.VpnClient):
    tags = [v5.VpnResourceTag(key="k", value="v")]
    shown = _gateway(client, name="gw-1", ha_mode="active-standby", bgp_asn=4200000001, tags=tags)
    assert (shown.name, shown.ha_mode, shown.bgp_asn, shown.flavor) == (
        "gw-1",
        "active-standby",
        4200000001,
        "Professional1",
    )
    assert shown.local_subnets == ["10.0.0.0/24"]
    assert [(tag.key, tag.value) for tag in shown.tags] == [("k", "v")]
    assert shown.eip1.ip_address != shown.eip2.ip_address
    listed = client.list_vgws(v5.ListVgwsRequest()).vpn_gateways
    assert [each.id for each in listed] == [shown.id]
    client.delete_vgw(v5.DeleteVgwRequest(vgw_id=shown.id))
    _gone(lambda: client.show_vgw(v5.ShowVgwRequest(vgw_id=shown.id)))
    assert client.list_vgws(v5.ListVgwsRequest()).vpn_gateways == []


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"id_type": "ip", "id_value": "198.51.100.7", "bgp_asn": 65010}, id="address"),
        pytest.param({"id_type": "fqdn", "id_value": "branch.example"}, id="fqdn"),
    ],
)
def test_a_customer_gateway_lives(client: v5.VpnClient, fields: dict[str, Any]):
    made = _customer_gateway(client, name="cgw-1", **fields)
    shown = client.show_cgw(v5.ShowCgwRequest(customer_gateway_id=made.id)).customer_gateway
    assert {name: getattr(shown, name) for name in fields} == fields
    listed = client.list_cgws(v5.ListCgwsRequest())
    assert ([each.id for each in listed.customer_gateways], listed.total_count) == ([made.id], 1)
    client.delete_cgw(v5.DeleteCgwRequest(customer_gateway_id=made.id))
    error = _error(lambda: client.show_cgw(v5.ShowCgwRequest(customer_gateway_id=made.id)))
    assert error.status_code == 404


def test_a_connection_lives(client: v5.VpnClient):
    gateway, peer = _gateway(client), _customer_gateway(client)
    made = _create(client, gateway, peer).vpn_connection
    shown = _active(client, made.id)
    assert (shown.style, shown.vgw_ip, shown.cgw_id) == ("STATIC", gateway.eip1.id, peer.id)
    request = v5.ListVpnConnectionsRequest(vgw_id=gateway.id, limit=10)
    assert [each.id for each in client.list_vpn_connections(request).vpn_connections] == [made.id]
    _delete_connection(client, made.id)
    _delete_connection_again_is_fine(client, made.id)
    _gone(lambda: _show(client, made.id))
    assert client.list_vpn_connections(v5.ListVpnConnectionsRequest()).total_count == 0


def _delete_connection_again_is_fine(client: v5.VpnClient, connection_id: str) -> None:
    try:
        _delete_connection(client, connection_id)
    except ClientRequestException as error:
        assert error.status_code == 404  # noqa: PT017 - gone already is as good


def test_lists_are_paged_by_marker(client: v5.VpnClient):
    made = [_customer_gateway(client, id_value=f"198.51.100.{n}").id for n in range(1, 6)]
    found, marker = [], None
    while True:
        page = client.list_cgws(v5.ListCgwsRequest(limit=2, marker=marker))
        found += [each.id for each in page.customer_gateways]
        assert page.total_count == 5
        marker = page.page_info.next_marker
        if not marker:
            break
    assert found == made


# -- the page's examples ----------------------------------------------------------------------------------------------


def _answered(client: v5.VpnClient, **fields: Any) -> tuple[Any, Any, dict[str, Any]]:
    """(gateway, customer gateway, the answered connection without what is drawn anew each time)."""
    gateway, peer = _gateway(client), _customer_gateway(client)
    answer = _create(client, gateway, peer, **fields)
    assert answer.request_id
    made = answer.to_json_object()["vpn_connection"]
    drawn = {"id", "created_at", "updated_at"}
    assert all(made[name] for name in drawn)
    assert made["created_at"] == made["updated_at"]
    return gateway, peer, {name: value for name, value in made.items() if name not in drawn and value is not None}


def _around(gateway: Any, peer: Any) -> dict[str, Any]:
    return {
        "vgw_id": gateway.id,
        "vgw_ip": gateway.eip1.id,
        "cgw_id": peer.id,
        "peer_subnets": ["192.168.44.0/24"],
        "enterprise_project_id": "0",
        "ha_role": "master",
    }


def test_the_first_example_static(client: v5.VpnClient):
    gateway, peer, made = _answered(client)
    ids = {"local_id": gateway.eip1.ip_address, "peer_id": "198.51.100.2"}
    for name in ("name", "tunnel_local_address", "tunnel_peer_address"):
        assert made.pop(name)
    expected = {"style": "STATIC", "enable_nqa": False, "ikepolicy": IKE_DEFAULTS | ids, "ipsecpolicy": IPSEC_DEFAULTS}
    assert made == expected | _around(gateway, peer)


def test_the_second_example_policy(client: v5.VpnClient):
    rule = {"rule_index": 1, "source": "10.0.0.0/24", "destination": ["192.168.0.0/24"]}
    gateway, peer, made = _answered(client, style="policy", policy_rules=[v5.PolicyRule(**rule)])
    ids = {"local_id": gateway.eip1.ip_address, "peer_id": "198.51.100.2"}
    for name in ("name", "tunnel_local_address", "tunnel_peer_address"):
        assert made.pop(name)
    expected = {
        "style": "POLICY",
        "policy_rules": [rule],
        "ikepolicy": IKE_DEFAULTS | ids,
        "ipsecpolicy": IPSEC_DEFAULTS,
    }
    assert made == expected | _around(gateway, peer)


def test_the_third_example_bgp(client: v5.VpnClient):
    tunnel = {"tunnel_local_address": "169.254.56.225/30", "tunnel_peer_address": "169.254.56.226/30"}
    ike = v5.IkePolicy(**(BGP_IKE | {"dpd": v5.Dpd(**BGP_IKE["dpd"])}))
    gateway, peer, made = _answered(
        client, name="vpn-1655", style="bgp", ikepolicy=ike, ipsecpolicy=v5.IpsecPolicy(**BGP_IPSEC), **tunnel
    )
    expected = {
        "name": "vpn-1655",
        "style": "BGP",
        "ikepolicy": BGP_IKE | {"authentication_method": "pre-share"},
        "ipsecpolicy": BGP_IPSEC,
    }
    assert made == expected | tunnel | _around(gateway, peer)


def test_the_sdk_shows_the_bgp_peer_and_the_paths_of_learned_routes(client: v5.VpnClient):
    gateway = _gateway(client)
    made = _create(client, gateway, _customer_gateway(client), style="bgp").vpn_connection
    peer = _active(client, made.id).bgp_peer
    inner = made.tunnel_peer_address.split("/")[0]
    assert (peer.peer_ip_address, peer.peer_asn, peer.state) == (inner, 65000, "Established")
    assert (peer.num_received_routes, peer.num_message_received, peer.num_message_sent) == (1, None, None)
    (route,) = client.show_vpn_gateway_routing_table(
        v5.ShowVpnGatewayRoutingTableRequest(vgw_id=gateway.id)
    ).routing_table
    assert (route.destination, route.nexthop, route.as_path) == ("192.168.44.0/24", inner, "65000")


def test_the_sdks_objects_hold_every_field_of_the_page(client: v5.VpnClient):
    """Table 10 to 15 of the page, on a connection that has all of them."""
    rules = [v5.PolicyRule(source="10.0.0.0/24", destination=["192.168.44.0/24", "192.168.45.0/24"])]
    made = _create(
        client,
        _gateway(client),
        _customer_gateway(client),
        style="policy",
        policy_rules=rules,
        ikepolicy=v5.IkePolicy(ike_version="v1", phase1_negotiation_mode="aggressive"),
        enable_hub=True,
        enable_health_check=True,
        tags=[v5.VpnResourceTag(key="k", value="v")],
    ).vpn_connection
    shown = _active(client, made.id)
    absent = {"enable_nqa", "peer_subnets_v6", "policy_rules_v6", "bgp_peer"}
    assert {name for name in shown.openapi_types if getattr(shown, name) is None} == absent
    assert [name for name in shown.ikepolicy.openapi_types if getattr(shown.ikepolicy, name) is None] == []
    assert [name for name in shown.ikepolicy.dpd.openapi_types if getattr(shown.ikepolicy.dpd, name) is None] == []
    assert [name for name in shown.ipsecpolicy.openapi_types if getattr(shown.ipsecpolicy, name) is None] == []
    (rule,) = shown.policy_rules
    assert (rule.rule_index, rule.destination) == (1, ["192.168.44.0/24", "192.168.45.0/24"])
    assert shown.connection_monitor_id
    assert not hasattr(shown, "psk")


def test_the_sdks_gateway_holds_every_field_that_we_have(client: v5.VpnClient):
    shown = _gateway(client, connect_subnet="f5741286-8f4e-4b06-a4b8-2c82bd9ee114")
    not_here = {
        "certificate_id",
        "er_id",
        "er_attachment_id",
        "local_subnets_v6",
        "access_private_ip_1",
        "access_private_ip_2",
        "public_border_group",
        "applied_at",
        "policy_template",
        "supported_flavors",
        "supported_features",
        "tags",
        "upgrade_info",
    }
    assert {name for name in shown.openapi_types if getattr(shown, name) is None} <= not_here
    billing = {"ip_billing_info", "bandwidth_billing_info", "share_type"}
    assert {name for name in shown.eip1.openapi_types if getattr(shown.eip1, name) is None} <= billing


# -- errors -----------------------------------------------------------------------------------------------------------


def test_a_refused_request_names_every_wrong_field(client: v5.VpnClient):
    error = _error(lambda: _create(client, _gateway(client), _customer_gateway(client), psk="short", name="a b"))
    assert (error.status_code, error.error_code) == (400, "VPN.0001")
    assert error.error_msg.startswith("invalid request: name: ")
    assert "; psk: " in error.error_msg
    assert error.request_id


def test_a_gm_gateway_refuses_connections_for_lack_of_certificates(client: v5.VpnClient):
    gateway = _gateway(client, flavor="GM")
    assert gateway.flavor == "GM"
    error = _error(lambda: _create(client, gateway, _customer_gateway(client), psk=None))
    assert (error.status_code, error.error_code) == (400, "VPN.0001")
    assert "certificate" in error.error_msg


def test_what_is_in_use_is_refused_by_its_dependants_id(client: v5.VpnClient):
    gateway, peer = _gateway(client), _customer_gateway(client)
    made = _create(client, gateway, peer).vpn_connection
    for refused in (
        lambda: client.delete_vgw(v5.DeleteVgwRequest(vgw_id=gateway.id)),
        lambda: client.delete_cgw(v5.DeleteCgwRequest(customer_gateway_id=peer.id)),
    ):
        error = _error(refused)
        assert (error.status_code, error.error_code) == (400, "VPN.0001")
        assert made.id in error.error_msg


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda c: c.show_vgw(v5.ShowVgwRequest(vgw_id=NOBODY)), id="show-gateway"),
        pytest.param(lambda c: c.show_cgw(v5.ShowCgwRequest(customer_gateway_id=NOBODY)), id="show-customer-gateway"),
        pytest.param(lambda c: _show(c, NOBODY), id="show-connection"),
        pytest.param(lambda c: c.delete_vgw(v5.DeleteVgwRequest(vgw_id=NOBODY)), id="delete-gateway"),
        pytest.param(
            lambda c: c.delete_cgw(v5.DeleteCgwRequest(customer_gateway_id=NOBODY)), id="delete-customer-gateway"
        ),
        pytest.param(lambda c: _delete_connection(c, NOBODY), id="delete-connection"),
    ],
)
def test_what_is_not_there_is_404(client: v5.VpnClient, ask: Callable[[v5.VpnClient], Any]):
    error = _error(lambda: ask(client))
    assert (error.status_code, error.error_code) == (404, "VPN.0004")
    assert NOBODY in error.error_msg
    assert error.request_id


def test_an_operation_that_is_not_served_is_404_in_the_apis_words(client: v5.VpnClient):
    error = _error(lambda: client.list_p2c_vgws(v5.ListP2cVgwsRequest()))
    assert (error.status_code, error.error_code) == (404, "APIGW.0101")
    assert error.request_id


def test_a_wrong_secret_is_401(server: Any, keys: Any):
    project = keys.project()
    key = keys.make(project, "admin")
    for access_key, secret in ((key.access_key, "wrong"), ("NOBODY", key.secret_key.reveal())):
        client = _client(server, access_key, secret, project)
        error = _error(functools.partial(client.list_vgws, v5.ListVgwsRequest()))
        assert (error.status_code, error.error_code) == (401, "APIGW.0301")
        assert error.request_id


def test_a_reader_may_list_and_not_create(server: Any, keys: Any):
    project = keys.project()
    key = keys.make(project, "reader")
    client = _client(server, key.access_key, key.secret_key.reveal(), project)
    assert client.list_vpn_connections(v5.ListVpnConnectionsRequest()).vpn_connections == []
    error = _error(lambda: _customer_gateway(client))
    assert (error.status_code, error.error_code) == (403, "VPN.0003")


def test_a_key_is_forbidden_in_another_project(server: Any, keys: Any):
    key = keys.make(keys.project(), "admin")
    client = _client(server, key.access_key, key.secret_key.reveal(), keys.project())
    error = _error(lambda: client.list_vgws(v5.ListVgwsRequest()))
    assert (error.status_code, error.error_code) == (403, "VPN.0003")


def test_an_operator_works_in_any_project(server: Any, keys: Any):
    key = keys.make(None, "operator")
    client = _client(server, key.access_key, key.secret_key.reveal(), keys.project())
    assert client.list_vgws(v5.ListVgwsRequest()).vpn_gateways == []
    lost = _client(server, key.access_key, key.secret_key.reveal(), "0" * 32)
    assert _error(lambda: lost.list_vgws(v5.ListVgwsRequest())).status_code == 404


@pytest.mark.parametrize("name", ["limit", "vgw_ip"])
def test_a_wrong_query_is_refused_by_name(client: v5.VpnClient, name: str):
    request = v5.ListVpnConnectionsRequest(**{name: 5000 if name == "limit" else "10.0.0"})
    error = _error(lambda: client.list_vpn_connections(request))
    assert (error.status_code, error.error_code) == (400, "VPN.0001")
    assert name in error.error_msg
