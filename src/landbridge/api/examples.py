"""Examples of answers for the OpenAPI document: results of operations, rendered as the service renders them."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from landbridge import model
from landbridge.api.routes import Result, Route
from landbridge.model import negotiation, samples
from landbridge.operations import (
    Operation,
    audit,
    connection_checks,
    connection_lists,
    connection_updates,
    connections,
    customer_gateways,
    gateway_certificates,
    gateway_updates,
    gateway_upgrades,
    gateways,
    monitors,
    peer_configurations,
    probes,
    quotas,
    routing_tables,
    status_lists,
    tags,
    timelines,
    traffic_series,
)
from landbridge.wire import shapes

_REQUEST = "28b795f8-d431-4f1e-93ab-1c401a82b799"
_PROJECT = "0605768a3300d5762f82c01180692873"
_GATEWAY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"
_PEER = "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d"
_CONNECTION = "98c5af8a-6ee2-4482-99a2-ae2280a6f4c3"
_EIPS = ("0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde", "d1a4be0f-6a4a-4a4f-8c7a-d3a8ccb3a0d5")
_VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
_JOB = "6f3d3a44-9fb5-4a1e-9c5e-4d2a2b1d3f61"
_THEN = datetime(2026, 11, 26, 13, 41, 34, 626000, tzinfo=UTC)
_TAGS = (model.Tag("site", "berlin"),)
_LATER = "Z0FBQUFBQm5fc2VhbGVkX21hcmtlcg=="


def _endpoint(number: Any) -> model.Endpoint:
    bandwidth = f"{number}3c2a8ed-5b0e-4d2f-9d3a-2f6f8b7c1a01"
    return model.Endpoint(
        number=number,
        address=f"203.0.113.{number}",
        eip_id=_EIPS[number - 1],
        type="5_bgp",
        charge_mode="bandwidth",
        bandwidth_id=bandwidth,
        bandwidth_name=f"vpngw-bandwidth-{bandwidth[:4]}",
        bandwidth_size=300,
    )


_gateway = model.VpnGateway(
    id=_GATEWAY,
    project_id=_PROJECT,
    name="vpngw-2c4f",
    network_type="public",
    attachment_type="vpc",
    er_id=None,
    vpc_id=_VPC,
    local_subnets=("10.0.0.0/24",),
    connect_subnet=None,
    access_vpc_id=_VPC,
    access_subnet_id=None,
    bgp_asn=64512,
    flavor="Professional1",
    availability_zone_ids=("zone-1", "zone-2"),
    enterprise_project_id="0",
    ha_mode="active-active",
    endpoints=(_endpoint(1), _endpoint(2)),
    certificate_id=None,
    connection_number=200,
    tags=_TAGS,
    created_at=_THEN,
    updated_at=_THEN,
)
_peer = model.CustomerGateway(
    id=_PEER,
    project_id=_PROJECT,
    name="cgw-2abf",
    id_type="ip",
    id_value="198.51.100.2",
    bgp_asn=65000,
    route_mode="bgp",
    tags=_TAGS,
    created_at=_THEN,
    updated_at=_THEN,
)
_connection = model.Connection(
    id=_CONNECTION,
    project_id=_PROJECT,
    name="vpn-1655",
    gateway_id=_GATEWAY,
    endpoint=1,
    gateway_endpoint=_EIPS[0],
    style="static",
    customer_gateway_id=_PEER,
    peer_subnets=("192.168.44.0/24",),
    tunnel_local_address="169.254.76.1/30",
    tunnel_peer_address="169.254.76.2/30",
    enable_nqa=False,
    enable_hub=None,
    policy_rules=(),
    ike_policy=model.IkePolicy(
        version="v2",
        negotiation_mode=None,
        authentication_algorithm="sha2-256",
        encryption_algorithm="aes-128",
        dh_group="group15",
        authentication_method="pre-share",
        lifetime_seconds=86400,
        local_id_type="ip",
        local_id="203.0.113.1",
        peer_id_type="ip",
        peer_id="198.51.100.2",
        dpd=model.Dpd(interval=30, timeout=15, msg="seq-hash-notify"),
    ),
    ipsec_policy=model.IpsecPolicy(
        authentication_algorithm="sha2-256",
        encryption_algorithm="aes-128",
        pfs="group15",
        transform_protocol="esp",
        lifetime_seconds=3600,
        encapsulation_mode="tunnel",
    ),
    ha_role="master",
    enterprise_project_id="0",
    monitor_id=None,
    tags=_TAGS,
    created_at=_THEN,
    updated_at=_THEN,
)
_child = model.ChildSa(
    rule="0",
    local_ts=("0.0.0.0/0",),
    remote_ts=("0.0.0.0/0",),
    spi_in="c1a2b3c4",
    spi_out="c5d6e7f8",
    proposal="AES_CBC-128/HMAC_SHA2_256_128",
    bytes_in=8400,
    bytes_out=8400,
    packets_in=100,
    packets_out=100,
    installed_at=_THEN,
)
_evidence = model.Evidence(at=_THEN, line="received AUTHENTICATION_FAILED notify error")
_cause = model.Cause(  # as `status.causes` makes it of that line
    code="identity_or_psk_refused",
    side="either",
    is_certain=False,
    reason="the device refused the id of the VPN gateway or the pre-shared key, and does not say which",
    remedy="compare psk, local_id and peer_id on both sides",
    decides="let the device initiate the tunnel: the responder sees the exact cause",
    evidence=(_evidence,),
)
_attempt = model.Attempt(
    id="1795700494000",
    configuration="0c464dad3a3b",
    began_at=_THEN,
    ended_at=_THEN,
    began_by="us",
    peer_address="198.51.100.2",
    local_address="203.0.113.1",
    ike_version="v2",
    outcome="refused_by_device",
    facts=(
        negotiation.Message(
            at=_THEN,
            sender="us",
            exchange="IKE_AUTH",
            is_request=True,
            id=1,
            payloads=("IDi", "AUTH", "SA", "TSi", "TSr"),
        ),
        negotiation.Refusal(at=_THEN, line=_evidence.line, sender="device", phase=1, notify="AUTHENTICATION_FAILED"),
    ),
)
_down = model.ConnectionStatus(
    status="DOWN",
    explanation=model.Explanation(
        reason=_cause.reason, remedy=_cause.remedy, evidence=_cause.evidence, causes=(_cause,)
    ),
    seen_at=_THEN,
    observation=model.ConnectionObservation(connection_id=_CONNECTION, attempts=(_attempt,)),
)
_event = model.AuditEvent(
    seq=2,
    at=_THEN,
    actor="0D1F3A5B7C9E2F4A6B8C",
    action="create_vpn_connection",
    resource_id=_CONNECTION,
    request_id=_REQUEST,
)
_stranger = model.Attempt(
    id="1795700494001",
    configuration="",
    began_at=_THEN,
    ended_at=_THEN,
    began_by="device",
    peer_address="198.51.100.77",
    local_address="203.0.113.1",
    ike_version="v2",
    is_named=False,
    outcome="refused_by_us",
    facts=(
        negotiation.NoConnection(
            at=_THEN, line="no IKE config found for 203.0.113.1...198.51.100.77", reason="address"
        ),
    ),
)
_up = model.ConnectionStatus(
    status="ACTIVE",
    seen_at=_THEN,
    observation=model.ConnectionObservation(connection_id=_CONNECTION, ike_established=True, children=(_child,)),
)
_job = gateway_upgrades.ShownJob(
    job=model.GatewayJob(
        id=_JOB,
        project_id=_PROJECT,
        gateway_id=_GATEWAY,
        addresses=("203.0.113.1", "203.0.113.2"),
        restarts=(
            model.Restart(id="8b0f6f0e-54f2-4b8f-8a55-0b4a1f0c7f11", kind="upgrade", number=1, created_at=_THEN),
        ),
        created_at=_THEN,
    ),
    status=model.JobStatus(status="pending_upgrade_confirm", statuses=("success",), finished_at=_THEN),
)


def _text(subject: str) -> model.CertificateText:
    return model.CertificateText(
        serial_number="1F2E3D",
        signature_algorithm="SM2-with-SM3",
        issuer="CN=Example CA",
        subject=f"CN={subject}",
        expire_time=_THEN.replace(year=2036),
        content="",
    )


_certificate = model.GatewayCertificate(
    id="3d1f0c52-7f0a-4c0e-8b6d-6f5a4e3d2c1b",
    project_id=_PROJECT,
    gateway_id=_GATEWAY,
    name="gm-2026",
    signing=_text("gateway, to sign"),
    chain=_text("Example CA"),
    encryption=_text("gateway, to encrypt"),
    created_at=_THEN,
    updated_at=_THEN,
)
_monitor = model.ConnectionMonitor(
    id="7c1c0d0e-2f53-4a0e-9a7e-5d2b8d9f4a10",
    connection_id=_CONNECTION,
    source_ip="203.0.113.1",
    destination_ip="198.51.100.2",
    status="ACTIVE",
)
_device: Any = SimpleNamespace(
    vendor="strongSwan", kind="software", family="swanctl", versions="5.9", name="strongSwan swanctl", proved=True
)
_part = SimpleNamespace(path="/etc/swanctl/conf.d/vpn-1655.conf", content="connections {\n  …\n}\n")


_probe_order = model.ProbeOrder(id="3b1f0a52-0a1f-4c5e-8d0e-6f7a8b9c0d1e")
_waiting_probe = model.RecordedProbe(id=_probe_order.id, asked_at=_THEN, actor="AKEXAMPLE", order=_probe_order)
_took = negotiation.Proposal(encryption=("aes-256",), integrity=("sha2-384",), prf=("sha2-384",), groups=("group20",))
_done_probe = model.RecordedProbe(
    id=_probe_order.id,
    asked_at=_THEN,
    actor="landbridge",
    result=model.ProbeResult(
        id=_probe_order.id,
        connection_id=_CONNECTION,
        at=_THEN,
        reason="automatic",
        configuration="5ccd023a22b7",
        local_address="203.0.113.1",
        peer_address="198.51.100.2",
        packets=2,
        answers=(model.ProbeAnswer(ike_version="v2", mode=None, outcome="chosen", proposal=_took),),
    ),
)
#: `peerconfig.DeviceSide`, as far as an answer shows it.
_side: Any = SimpleNamespace(
    device_address="198.51.100.2",
    gateway_address="203.0.113.1",
    device_identity=SimpleNamespace(kind="ip", text="198.51.100.2"),
    gateway_identity=SimpleNamespace(kind="ip", text="203.0.113.1"),
    gateway_subnets=("10.0.0.0/24",),
    selectors=(SimpleNamespace(device="0.0.0.0/0", gateway="0.0.0.0/0"),),
    device_inner=_connection.tunnel_peer_address,
    gateway_inner=_connection.tunnel_local_address,
    device_asn=65000,
    gateway_asn=64512,
    style="static",
    dials=False,
    ike=_connection.ike_policy,
    ipsec=_connection.ipsec_policy,
)


class _Printed(SimpleNamespace):
    def __str__(self) -> str:
        return "".join(part.content for part in self.parts)


_zones: dict[tuple[str, str], tuple[str, ...]] = {
    ("Professional1", "vpc"): ("zone-1", "zone-2"),
    ("Professional1", "er"): ("zone-1", "zone-2"),
}
_route = routing_tables.InstalledRoute(
    destination="192.168.44.0/24",
    nexthop="169.254.76.2",
    outbound_interface_ip="203.0.113.1",
    resource=(_CONNECTION, "vpn-connection"),
)
_gateway_status = model.GatewayStatus(status="ACTIVE", seen_at=_THEN)
_shown_gateway = gateways.ShownGateway(gateway=_gateway, status=_gateway_status, connections=1, groups=1)
_made_gateway = gateways.ShownGateway(gateway=_gateway, status=None, connections=0, groups=0, short=True)
_shown_connection = connections.ShownConnection(connection=_connection, status="ACTIVE", generation=1)
_printed: Any = _Printed(device=_device, parts=(_part,))


def _result(operation: Operation[Any, Result], result: Result) -> tuple[str, Any]:
    return operation.name, result


#: Name of the operation -> a result. mypy holds each result against its operation.
RESULTS: dict[str, Any] = dict(
    (
        _result(connections.create, connections.ChangedConnection(connection=_connection)),
        _result(connections.create_batch, [connections.ChangedConnection(connection=_connection)]),
        _result(connections.show, _shown_connection),
        _result(
            connection_lists.list_page,
            connection_lists.ConnectionPage(connections=[_shown_connection], next_marker=_LATER, total=2),
        ),
        _result(connection_updates.update, connections.ChangedConnection(connection=_connection)),
        _result(
            connection_updates.check,
            model.CheckResult(
                disturbed=((_CONNECTION, "vpn-1655"),),
                effect="CHILD_SAs (phase 2) are negotiated anew. The IKE_SA (phase 1) stays.",
                tunnel_effect="child",
                before=_connection,
                after=dataclasses.replace(
                    _connection, ipsec_policy=dataclasses.replace(_connection.ipsec_policy, pfs="group20")
                ),
            ),
        ),
        _result(connections.reset, None),
        _result(connections.list_sas, connections.ConnectionDiagnosis(connection=_connection, status=_up, warnings=())),
        _result(
            connections.show_log, connections.ConnectionDiagnosis(connection=_connection, status=_down, warnings=())
        ),
        _result(
            connections.diagnose, connections.ConnectionDiagnosis(connection=_connection, status=_down, warnings=())
        ),
        _result(probes.order, _waiting_probe),
        _result(probes.list_all, (_done_probe,)),
        _result(peer_configurations.export, _printed),
        _result(peer_configurations.devices, (_device,)),
        _result(peer_configurations.print_out, _printed),
        _result(gateways.create, _made_gateway),
        _result(gateways.check, model.CheckResult()),
        _result(gateways.list_zones, _zones),
        _result(gateways.list_extended_zones, _zones),
        _result(gateway_upgrades.list_jobs, [_job]),
        _result(gateway_upgrades.upgrade, _job),
        _result(
            routing_tables.show,
            routing_tables.RoutingTablePage(routes=[_route], total=1, next_marker=None, with_resources=True),
        ),
        _result(gateways.show, _shown_gateway),
        _result(gateways.list_all, [_shown_gateway]),
        _result(gateway_updates.update, _shown_gateway),
        _result(
            gateway_updates.check,
            model.CheckResult(before=_gateway, after=dataclasses.replace(_gateway, name="vpngw-berlin")),
        ),
        _result(gateway_updates.change_flavor, _shown_gateway),
        _result(
            gateways.diagnose,
            gateways.GatewayDiagnosis(
                gateway=_gateway,
                status=_gateway_status,
                connections={("ACTIVE", None): 1, ("DOWN", _cause.code): 1},
                strangers=(_stranger,),
            ),
        ),
        _result(gateway_certificates.create, _certificate),
        _result(gateway_certificates.show, _certificate),
        _result(gateway_certificates.list_page, [_certificate]),
        _result(gateway_certificates.update, _certificate),
        _result(customer_gateways.create, _peer),
        _result(customer_gateways.check, model.CheckResult()),
        _result(customer_gateways.show, _peer),
        _result(
            customer_gateways.list_page,
            customer_gateways.CustomerGatewayPage(customer_gateways=[_peer], next_marker=None, total=1),
        ),
        _result(customer_gateways.update, _peer),
        _result(
            customer_gateways.check_update,
            model.CheckResult(before=_peer, after=dataclasses.replace(_peer, name="cgw-berlin")),
        ),
        _result(monitors.create, _monitor),
        _result(monitors.show, _monitor),
        _result(monitors.list_all, [_monitor]),
        _result(tags.of_project, [model.Tag("site", "berlin"), model.Tag("site", "bonn")]),
        _result(tags.show, _TAGS),
        _result(
            tags.search,
            tags.TaggedResources(resources=[model.TaggedResource(id=_PEER, name="cgw-2abf", tags=_TAGS)], total=1),
        ),
        _result(tags.count, 1),
        _result(
            status_lists.list_connections,
            status_lists.StatusPage(
                rows=[
                    status_lists.ResourceStatus(
                        id=_CONNECTION,
                        name="vpn-1655",
                        status="DOWN",
                        since=_THEN,
                        reason=_cause.reason,
                        cause=_cause.code,
                        remedy=_cause.remedy,
                        gateway_id=_GATEWAY,
                    )
                ],
                next_marker=None,
            ),
        ),
        _result(
            status_lists.list_gateways,
            status_lists.StatusPage(
                rows=[
                    status_lists.ResourceStatus(
                        id=_GATEWAY, name="vpngw-2c4f", status="ACTIVE", since=_THEN, reason=None
                    )
                ],
                next_marker=_LATER,
            ),
        ),
        _result(
            connection_checks.check,
            connection_checks.CheckedConnection(
                warnings=(
                    model.Warning(
                        "peer_subnets[0]",
                        "192.168.44.0/24 overlaps with 192.168.0.0/16 of connection 1c2d8a2e-6d0a-4a5e-9a55-3b1f0e7c9d20 (vpn-0e1d):"
                        " one of the two tunnels takes the packets for both",
                    ),
                ),
                connection=_connection,
                generated=("id", "created_at", "updated_at", "name", "tunnel_local_address", "tunnel_peer_address"),
                device=_side,
            ),
        ),
        _result(
            timelines.show,
            timelines.TimelinePage(
                entries=[
                    timelines.Entry(
                        at=_THEN, item=model.StateChange(_THEN, "DOWN", "identity_or_psk_refused"), order=1
                    ),
                    timelines.Entry(at=_THEN, item=_attempt, order=0),
                    timelines.Entry(at=_THEN, item=_done_probe, order=2),
                    timelines.Entry(at=_THEN, item=_event, order=_event.seq),
                ],
                configuration=_attempt.configuration,
                next_marker=None,
            ),
        ),
        _result(
            traffic_series.show,
            traffic_series.Series(
                connection=_connection,
                ring=samples.RINGS[0],
                since=_THEN.replace(second=0, microsecond=0) - timedelta(minutes=59),
                until=_THEN.replace(second=0, microsecond=0) + timedelta(minutes=1),
                points=[
                    traffic_series.Point(
                        at=_THEN.replace(second=0, microsecond=0) - timedelta(minutes=1),
                        sample=samples.Sample(
                            observed=60_000,
                            up=60_000,
                            bytes_in=93_750_000,
                            bytes_out=7_500_000,
                            nqa=samples.EchoSample(120, 1, 1_499_400, 11_800, 19_200),
                        ),
                        bits_in=12_500_000.0,
                        bits_out=1_000_000.0,
                    )
                ],
            ),
        ),
        _result(
            audit.list_page,
            audit.AuditPage(
                events=[_event],
                next_marker=_LATER,
                names={},
            ),
        ),
        _result(
            quotas.show,
            [
                model.Quota(kind="vpn_gateway", limit=50, used=1),
                model.Quota(kind="customer_gateway", limit=None, used=1),
                model.Quota(kind="vpn_connection", limit=None, used=1),
            ],
        ),
    )
)


def find(route: Route[Any, Any]) -> dict[str, Any]:
    """The example of a route's answer. A route without one gets none here; a test fails for it."""
    if route.name not in RESULTS:
        return {}
    answer = route.render(RESULTS[route.name]) | {"request_id": _REQUEST}
    return {"example": json.loads(shapes.encode(answer))}
