"""The official Python SDK on gateways: update, specification, zones, upgrade and jobs, routing table, certificates."""

import time
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkvpn import v5

from lab import gm_certificates
from landbridge import config, data_folder
from landbridge.operations import access, clock

#: Without python-dateutil the SDK gives times as text, and says so each time.
pytestmark = pytest.mark.filterwarnings("ignore:Unable to convert string to datetime:ImportWarning")
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


def _active(client: v5.VpnClient, until: Any, gateway_id: str, pending: str) -> Any:
    """As the Terraform provider waits: any other status than the pending one and ACTIVE is a failure."""

    def active() -> Any:
        shown = client.show_vgw(v5.ShowVgwRequest(vgw_id=gateway_id)).vpn_gateway
        assert shown.status in {pending, "ACTIVE"}
        return shown if shown.status == "ACTIVE" else None

    return until(active, "a gateway to be ACTIVE")


def _gateway(client: v5.VpnClient, until: Any, **fields: Any) -> Any:
    content = v5.CreateVgwRequestBodyContent(vpc_id=VPC, local_subnets=["10.0.0.0/24"], **fields)
    made = client.create_vgw(v5.CreateVgwRequest(body=v5.CreateVgwRequestBody(vpn_gateway=content))).vpn_gateway
    return _active(client, until, made.id, "PENDING_CREATE")


def _job_as(client: v5.VpnClient, until: Any, job_id: str, pending: str, wanted: str) -> Any:
    def job() -> Any:
        found = next(
            each for each in client.list_vpn_gateway_jobs(v5.ListVpnGatewayJobsRequest()).jobs if each.id == job_id
        )
        assert found.status in {pending, wanted}
        return found if found.status == wanted else None

    return until(job, f"a job to be {wanted}")


def _act(client: v5.VpnClient, gateway_id: str, action: str) -> str:
    request = v5.UpgradeVpnGatewayRequest(vgw_id=gateway_id, body=v5.UpgradeRequestBody(action=action))
    return str(client.upgrade_vpn_gateway(request).job_id)


def test_a_gateway_is_updated_and_gets_another_flavor(client: v5.VpnClient, until: Any):
    made = _gateway(client, until)
    content = v5.UpdateVgwRequestBodyContent(name="other", local_subnets=["10.1.0.0/24", "10.0.0.0/24"])
    body = v5.UpdateVgwRequestBody(vpn_gateway=content)
    after = client.update_vgw(v5.UpdateVgwRequest(vgw_id=made.id, body=body)).vpn_gateway
    assert (after.name, after.local_subnets, after.eip1.id) == ("other", ["10.1.0.0/24", "10.0.0.0/24"], made.eip1.id)
    _active(client, until, made.id, "PENDING_UPDATE")
    wish = v5.UpdateVgwSpecificationRequestBody(
        vpn_gateway=v5.UpdateVgwSpecificationRequestBodyContent(flavor="Professional2")
    )
    request = v5.UpdatePostpaidVgwSpecificationRequest(vgw_id=made.id, body=wish)
    assert client.update_postpaid_vgw_specification(request).vpn_gateway.flavor == "Professional2"
    assert _active(client, until, made.id, "PENDING_UPDATE").flavor == "Professional2"


def test_zones_are_read_in_both_forms(client: v5.VpnClient):
    zones = client.list_availability_zones(v5.ListAvailabilityZonesRequest()).availability_zones
    for flavor in zones.openapi_types:
        assert len(getattr(zones, flavor).vpc) >= 2
    listed = client.list_extended_availability_zones(v5.ListExtendedAvailabilityZonesRequest()).availability_zones
    assert [each.name for each in listed] == zones.basic.vpc
    assert listed[0].available_specs[0].flavor == "Basic"


def test_an_upgrade_passes_the_states_that_clients_wait_for(client: v5.VpnClient, until: Any):
    gateway = _gateway(client, until)
    job_id = _act(client, gateway.id, "start")
    _job_as(client, until, job_id, "upgrading", "pending_upgrade_confirm")
    assert _act(client, gateway.id, "finish") == job_id
    _job_as(client, until, job_id, "pending_upgrade_confirm", "success")
    other = _act(client, gateway.id, "start")
    _job_as(client, until, other, "upgrading", "pending_upgrade_confirm")
    _act(client, gateway.id, "rollback")
    done = _job_as(client, until, other, "rolling_back", "rollback_success")
    assert [each.status for each in done.sub_jobs] == ["success", "success"]
    client.delete_vpn_gateway_job(v5.DeleteVpnGatewayJobRequest(job_id=other))
    left = client.list_vpn_gateway_jobs(v5.ListVpnGatewayJobsRequest(resource_id=gateway.id)).jobs
    assert [each.id for each in left] == [job_id]


def test_a_routing_table_is_read(client: v5.VpnClient, until: Any):
    gateway = _gateway(client, until)
    request = v5.ShowVpnGatewayRoutingTableRequest(vgw_id=gateway.id, limit=10, is_include_nexthop_resource=True)
    table = client.show_vpn_gateway_routing_table(request)
    assert (table.routing_table, table.total_count, table.page_info.current_count) == ([], 0, 0)


def test_a_gm_gateway_gets_certificates(client: v5.VpnClient, until: Any, tmp_path: Path):
    gateway = _gateway(client, until, flavor="GM")
    content = v5.CreateVpnGatewayCertificateRequestBodyContent(name="gm", **gm_certificates.gateway(tmp_path))
    body = v5.CreateVpnGatewayCertificateRequestBody(certificate=content)
    made = client.create_vgw_certificate(v5.CreateVgwCertificateRequest(vgw_id=gateway.id, body=body)).certificate
    shown = client.show_vpn_gateway_certificate(v5.ShowVpnGatewayCertificateRequest(vgw_id=gateway.id)).certificate
    assert (shown.id, shown.status, shown.certificate_subject) == (made.id, "BOUND", "CN=certificate,O=Lab,C=DE")
    assert [name for name in shown.openapi_types if getattr(shown, name) is None] == []
    change = v5.UpdateVpnGatewayCertificateRequestBodyContent(name="other")
    request = v5.UpdateVgwCertificateRequest(
        vgw_id=gateway.id, certificate_id=made.id, body=v5.UpdateVpnGatewayCertificateRequestBody(certificate=change)
    )
    assert client.update_vgw_certificate(request).certificate.name == "other"
    listing = v5.ListVpnGatewayCertificatesRequest(pre_expire_days=30)
    (listed,) = client.list_vpn_gateway_certificates(listing).vpn_gateway_certificates
    assert listed.name == "other"


def test_a_refusal_names_its_field(client: v5.VpnClient, until: Any):
    gateway = _gateway(client, until)
    content = v5.UpdateVgwRequestBodyContent(eip_id_1="x")
    request = v5.UpdateVgwRequest(vgw_id=gateway.id, body=v5.UpdateVgwRequestBody(vpn_gateway=content))
    with pytest.raises(ClientRequestException) as refused:
        client.update_vgw(request)
    assert (refused.value.status_code, refused.value.error_code) == (400, "VPN.0001")
    assert "eip_id_1" in refused.value.error_msg
