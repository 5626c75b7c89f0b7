"""The official Python SDK on customer gateway updates, connection monitors, tags and quotas."""

import time
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkvpn import v5

from landbridge import config, data_folder
from landbridge.operations import access, clock

#: Without python-dateutil the SDK gives times as text, and says so each time.
pytestmark = pytest.mark.filterwarnings("ignore:Unable to convert string to datetime:ImportWarning")
CA = (Path(__file__).parents[1] / "rules" / "certificates" / "sm2-ca.pem").read_text()
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"


@pytest.fixture
def client(server: Any) -> v5.VpnClient:
    """A client in a project of its own."""
    with data_folder.open_data(config.load({"data": str(server.folder)}, {})) as data:
        project = data.database.write(lambda tx: access.create_project(tx, f"t{time.monotonic_ns()}", clock.now()))
        key = data.database.write(lambda tx: access.create_key(tx, data.vault, project, "admin", clock.now()))
    credentials = BasicCredentials(key.access_key, key.secret_key.reveal(), project)
    builder = v5.VpnClient.new_builder().with_credentials(credentials)
    return builder.with_endpoint(server.credentials["endpoint"]).build()


def _customer_gateway(client: v5.VpnClient, **fields: Any) -> Any:
    content = v5.CreateCgwRequestBodyContent(id_type="ip", id_value="198.51.100.2", **fields)
    body = v5.CreateCgwRequestBody(customer_gateway=content)
    return client.create_cgw(v5.CreateCgwRequest(body=body)).customer_gateway


def _gateway(client: v5.VpnClient, until: Any) -> Any:
    content = v5.CreateVgwRequestBodyContent(vpc_id=VPC, local_subnets=["10.0.0.0/24"])
    made = client.create_vgw(v5.CreateVgwRequest(body=v5.CreateVgwRequestBody(vpn_gateway=content))).vpn_gateway

    def active() -> Any:
        shown = client.show_vgw(v5.ShowVgwRequest(vgw_id=made.id)).vpn_gateway
        return shown if shown.status == "ACTIVE" else None

    return until(active, "a gateway to be ACTIVE")


def test_a_customer_gateway_is_renamed_and_gets_a_certificate(client: v5.VpnClient):
    made = _customer_gateway(client)
    certificate = v5.CaCertificateRequest(content=CA)
    content = v5.UpdateCgwRequestBodyContent(name="renamed", ca_certificate=certificate)
    request = v5.UpdateCgwRequest(customer_gateway_id=made.id, body=v5.UpdateCgwRequestBody(customer_gateway=content))
    after = client.update_cgw(request).customer_gateway
    shown = after.ca_certificate
    assert (after.name, after.bgp_asn, shown.subject) == ("renamed", 65000, "CN=Branch CA,O=Branch,C=DE")
    assert [name for name in shown.openapi_types if getattr(shown, name) is None] == []
    (listed,) = client.list_cgws(v5.ListCgwsRequest(cgw_id=made.id)).customer_gateways
    assert listed.ca_certificate.id == shown.id


def test_a_monitor_lives(client: v5.VpnClient, until: Any):
    gateway, peer = _gateway(client, until), _customer_gateway(client)
    content = v5.CreateVpnConnectionRequestBodyContent(
        vgw_id=gateway.id, vgw_ip=gateway.eip1.id, cgw_id=peer.id, peer_subnets=["192.168.44.0/24"], psk="Abcd-1234"
    )
    body = v5.CreateVpnConnectionRequestBody(vpn_connection=content)
    connection = client.create_vpn_connection(v5.CreateVpnConnectionRequest(body=body)).vpn_connection
    wish = v5.CreateConnectionMonitorRequestBodyContent(vpn_connection_id=connection.id)
    request = v5.CreateConnectionMonitorRequest(body=v5.CreateConnectionMonitorRequestBody(connection_monitor=wish))
    made = client.create_connection_monitor(request).connection_monitor
    assert [name for name in made.openapi_types if getattr(made, name) is None] == []
    show = v5.ShowConnectionMonitorRequest(connection_monitor_id=made.id)
    until(
        lambda: client.show_connection_monitor(show).connection_monitor.status == "ACTIVE", "the monitor to be ACTIVE"
    )
    shown = client.show_connection_monitor(show).connection_monitor
    assert shown.source_ip == gateway.eip1.ip_address
    assert shown.destination_ip == peer.id_value
    asked = v5.ListConnectionMonitorsRequest(vpn_connection_id=connection.id, enterprise_project_id=["0", "1"])
    assert [each.id for each in client.list_connection_monitors(asked).connection_monitors] == [made.id]
    with pytest.raises(ClientRequestException) as caught:
        client.create_connection_monitor(request)
    assert (caught.value.status_code, caught.value.error_code) == (400, "VPN.0381")
    client.delete_connection_monitor(v5.DeleteConnectionMonitorRequest(connection_monitor_id=made.id))
    with pytest.raises(ClientRequestException) as caught:
        client.show_connection_monitor(show)
    assert caught.value.status_code == 404


def test_tags_are_changed_and_found(client: v5.VpnClient):
    kind = "customer-gateway"
    one = _customer_gateway(client, name="cgw-1", tags=[v5.VpnResourceTag(key="a", value="1")])
    old, new = ([v5.ResourceTag(key=key, value=value)] for key, value in (("a", "1"), ("b", "2")))
    client.batch_delete_resource_tags(
        v5.BatchDeleteResourceTagsRequest(
            resource_type=kind, resource_id=one.id, body=v5.DeleteResourcesTagsRequestBody(tags=old)
        )
    )
    client.batch_create_resource_tags(
        v5.BatchCreateResourceTagsRequest(
            resource_type=kind, resource_id=one.id, body=v5.CreateResourcesTagsRequestBody(tags=new)
        )
    )
    shown = client.show_resource_tags(v5.ShowResourceTagsRequest(resource_type=kind, resource_id=one.id)).tags
    assert [(tag.key, tag.value) for tag in shown] == [("b", "2")]
    (listed,) = client.list_project_tags(v5.ListProjectTagsRequest(resource_type=kind)).tags
    assert (listed.key, listed.values) == ("b", ["2"])
    search = v5.QueryResourcesRequestBody(
        without_any_tag=False,
        tags=[v5.Tag(key="b", values=["1", "2"])],
        matches=[v5.Match(key="resource_name", value="cgw-1")],
    )
    page = v5.ListResourcesByTagsRequest(resource_type=kind, limit=100, offset=0, body=search)
    found = client.list_resources_by_tags(page)
    (resource,) = found.resources
    assert (found.total_count, resource.resource_id, resource.resource_name) == (1, one.id, "cgw-1")
    assert [(tag.key, tag.value) for tag in resource.tags] == [("b", "2")]
    counted = client.count_resources_by_tags(v5.CountResourcesByTagsRequest(resource_type=kind, body=search))
    assert counted.total_count == 1


def test_quotas_are_an_object_with_a_list(client: v5.VpnClient):
    _customer_gateway(client)
    resources = client.show_quotas_info(v5.ShowQuotasInfoRequest()).quotas.resources
    assert {each.type: (each.quota, each.used) for each in resources} == {
        "customer_gateway": (-1, 1),
        "vpn_connection": (-1, 0),
        "vpn_gateway": (-1, 0),
    }
