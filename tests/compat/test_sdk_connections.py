"""The official Python SDK on connections beyond create, show, list and delete: update, batch, reset, filters, looks, texts."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkvpn import v5

from landbridge import config, data_folder
from landbridge.operations import access, clock

#: Without python-dateutil the SDK gives times as text, and says so each time.
pytestmark = pytest.mark.filterwarnings("ignore:Unable to convert string to datetime:ImportWarning")
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
PSK = "Abcd-1234"
PATIENCE_SECONDS = 15.0


@pytest.fixture
def client(server: Any) -> v5.VpnClient:
    """A client in a project of its own."""
    with data_folder.open_data(config.load({"data": str(server.folder)}, {})) as data:
        name = f"p{time.monotonic_ns()}"
        project = data.database.write(lambda tx: access.create_project(tx, name, clock.now()))
        key = data.database.write(lambda tx: access.create_key(tx, data.vault, project, "admin", clock.now()))
    credentials = BasicCredentials(key.access_key, key.secret_key.reveal(), project)
    builder = v5.VpnClient.new_builder().with_credentials(credentials)
    return builder.with_endpoint(server.credentials["endpoint"]).build()


def _until(found: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError(what)


def _gateway(client: v5.VpnClient) -> Any:
    content = v5.CreateVgwRequestBodyContent(vpc_id=VPC, local_subnets=["10.0.0.0/24"])
    made = client.create_vgw(v5.CreateVgwRequest(body=v5.CreateVgwRequestBody(vpn_gateway=content))).vpn_gateway

    def active() -> Any:
        shown = client.show_vgw(v5.ShowVgwRequest(vgw_id=made.id)).vpn_gateway
        return shown if shown.status == "ACTIVE" else None

    return _until(active, "a gateway to be ACTIVE")


def _peer(client: v5.VpnClient, address: str = "198.51.100.2") -> Any:
    content = v5.CreateCgwRequestBodyContent(id_type="ip", id_value=address)
    body = v5.CreateCgwRequestBody(customer_gateway=content)
    return client.create_cgw(v5.CreateCgwRequest(body=body)).customer_gateway


def _wish(gateway: Any, peer: Any, **words: Any) -> Any:
    sound = {"vgw_id": gateway.id, "vgw_ip": gateway.eip1.id, "cgw_id": peer.id, "peer_subnets": ["192.168.44.0/24"]}
    return v5.CreateVpnConnectionRequestBodyContent(**(sound | {"psk": PSK} | words))


def _create(client: v5.VpnClient, **words: Any) -> Any:
    """A connection that is ACTIVE."""
    content = _wish(_gateway(client), _peer(client), **words)
    body = v5.CreateVpnConnectionRequestBody(vpn_connection=content)
    made = client.create_vpn_connection(v5.CreateVpnConnectionRequest(body=body)).vpn_connection
    return _active(client, made.id)


def _show(client: v5.VpnClient, connection_id: str) -> Any:
    return client.show_vpn_connection(v5.ShowVpnConnectionRequest(vpn_connection_id=connection_id)).vpn_connection


def _active(client: v5.VpnClient, connection_id: str) -> Any:
    def active() -> Any:
        shown = _show(client, connection_id)
        return shown if shown.status == "ACTIVE" else None

    return _until(active, "a connection to be ACTIVE")


def _update(client: v5.VpnClient, connection_id: str, **words: Any) -> Any:
    body = v5.UpdateVpnConnectionRequestBody(vpn_connection=v5.UpdateVpnConnectionRequestBodyContent(**words))
    request = v5.UpdateVpnConnectionRequest(vpn_connection_id=connection_id, body=body)
    return client.update_vpn_connection(request).vpn_connection


def test_an_update_is_partial_and_its_answer_is_new(client: v5.VpnClient):
    made = _create(client)
    dpd = v5.UpdateIkePolicy(lifetime_seconds=7200, dpd=v5.UpdateDpd(interval=60))
    told = _update(client, made.id, name="renamed", ikepolicy=dpd, ipsecpolicy=v5.UpdateIpsecPolicy(pfs="group16"))
    assert (told.name, told.ikepolicy.lifetime_seconds, told.ikepolicy.dpd.interval) == ("renamed", 7200, 60)
    assert (told.ikepolicy.dh_group, told.ikepolicy.dpd.timeout, told.ipsecpolicy.pfs) == ("group15", 15, "group16")
    shown = _active(client, made.id)
    assert shown.ikepolicy.to_dict() == told.ikepolicy.to_dict()
    assert shown.peer_subnets == made.peer_subnets


def test_every_field_that_was_read_may_be_sent_back(client: v5.VpnClient):
    rules = [v5.PolicyRule(rule_index=3, source="10.0.0.0/24", destination=["192.168.44.0/24"])]
    made = _create(client, style="policy", policy_rules=rules)
    names = v5.UpdateVpnConnectionRequestBodyContent.attribute_map
    _update(client, made.id, **{name: getattr(made, name) for name in names if hasattr(made, name)})
    assert _show(client, made.id).to_dict() == made.to_dict()


def test_another_customer_gateway_takes_over(client: v5.VpnClient):
    made, peer = _create(client), _peer(client, "198.51.100.77")
    told = _update(client, made.id, cgw_id=peer.id)
    assert (told.cgw_id, told.ikepolicy.peer_id) == (peer.id, "198.51.100.77")
    client.delete_cgw(v5.DeleteCgwRequest(customer_gateway_id=made.cgw_id))


def test_a_refused_update_names_every_wrong_field(client: v5.VpnClient):
    made = _create(client)
    with pytest.raises(ClientRequestException) as caught:
        _update(client, made.id, name="a b", psk="short", peer_subnets=["10.0.0.0/24"])
    assert (caught.value.status_code, caught.value.error_code) == (400, "VPN.0001")
    assert all(field in caught.value.error_msg for field in ("name", "psk", "peer_subnets[0]"))


def test_a_batch_is_made_and_filtered_by_endpoint(client: v5.VpnClient):
    gateway, peer = _gateway(client), _peer(client)
    wishes = [_wish(gateway, peer, vgw_ip=eip.id) for eip in (gateway.eip1, gateway.eip2)]
    body = v5.BatchCreateVpnConnectionRequestBody(vpn_connections=wishes)
    made = client.batch_create_vpn_connection(v5.BatchCreateVpnConnectionRequest(body=body)).vpn_connections
    assert [each.vgw_ip for each in made] == [gateway.eip1.id, gateway.eip2.id]
    for words, wanted in (
        ({"vgw_id": gateway.id}, made),
        ({"vpn_id": gateway.id}, made),
        ({"vgw_ip": gateway.eip2.id}, made[1:]),
        ({"eip_id": gateway.eip1.id}, made[:1]),
        ({"enterprise_project_id": ["0"]}, made),
        ({"enterprise_project_id": [gateway.id, peer.id]}, []),
    ):
        found = client.list_vpn_connections(v5.ListVpnConnectionsRequest(**words))
        assert [each.id for each in found.vpn_connections] == [each.id for each in wanted], words
        assert found.total_count == len(wanted)


def test_a_reset_makes_new_sas(client: v5.VpnClient):
    made = _create(client)

    def sas() -> list[Any]:
        request = v5.ListConnectionIpsecSaRequest(vpn_connection_id=made.id)
        return list(client.list_connection_ipsec_sa(request).sa_infos)

    [before] = sas()
    assert (before.dest_ip_cidr, before.packets_sent) == ("192.168.44.0/24", 0)
    client.reset_vpn_connection(v5.ResetVpnConnectionRequest(vpn_connection_id=made.id))
    _until(lambda: [each.id for each in sas()] not in ([], [before.id]), "new SAs")


def test_a_log_is_told(client: v5.VpnClient):
    made = _create(client)
    request = v5.ShowVpnConnectionLogRequest(vpn_connection_id=made.id)
    _until(lambda: client.show_vpn_connection_log(request).logs, "the first line")
    lines = [line.raw_message for line in client.show_vpn_connection_log(request).logs]
    assert "generating IKE_SA_INIT request 0 [" in lines[0]
    assert any(f"IKE_SA {made.id}[1] established" in line for line in lines)


def test_the_other_side_is_written_for_a_device_of_the_list(client: v5.VpnClient):
    made = _create(client)
    listed = client.list_peer_configuration_supported_devices(v5.ListPeerConfigurationSupportedDevicesRequest())
    device = next(each for each in listed.supported_devices if each.vendor == "strongSwan")
    body = v5.ExportPeerConfigurationRequestBody(vendor=device.vendor, model=device.platform, version=device.version)
    request = v5.ExportVpnConnectionPeerConfigurationRequest(vpn_connection_id=made.id, body=body)
    text = client.export_vpn_connection_peer_configuration(request).peer_config
    assert "192.168.44.0/24" in text
    assert PSK not in text
