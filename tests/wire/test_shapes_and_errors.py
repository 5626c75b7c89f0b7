"""Times, pages, errors, and the answers of the two gateways."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from landbridge import errors, model
from landbridge.wire import customer_gateways, gateways, shapes
from landbridge.wire import errors as wire_errors

NOW = datetime(2022, 11, 26, 13, 41, 34, 626000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(NOW, "2022-11-26T13:41:34.626Z", id="as-the-page-shows"),
        pytest.param(NOW.replace(microsecond=0), "2022-11-26T13:41:34.000Z", id="whole-seconds"),
        pytest.param(NOW.replace(microsecond=999999), "2022-11-26T13:41:34.999Z", id="cut-not-rounded"),
        pytest.param(NOW.replace(month=1, day=2, hour=3), "2022-01-02T03:41:34.626Z", id="leading-zeros"),
    ],
)
def test_a_time_is_iso_8601_in_utc_with_milliseconds(moment: datetime, text: str):
    assert text == shapes.time(moment)


def test_a_time_of_another_zone_is_told_in_utc():
    assert shapes.time(NOW.astimezone(timezone(timedelta(hours=8)))) == "2022-11-26T13:41:34.626Z"


def test_only_a_page_with_more_behind_it_has_a_next_marker():
    assert shapes.page_info("41", 10) == {"next_marker": "41", "current_count": 10}
    assert shapes.page_info(None, 0) == {"current_count": 0}


def test_all_violations_are_in_the_message_and_in_the_details():
    found = [model.Violation("name", "is bad", "a good one"), model.Violation("tags[0].key", "is empty", "text")]
    status, answer = wire_errors.render(errors.Invalid(found), "r1")
    assert (status, answer) == (
        400,
        {
            "error_code": "VPN.0001",
            "error_msg": "invalid request: name: is bad (wanted: a good one); tags[0].key: is empty (wanted: text)",
            "request_id": "r1",
            "details": [
                {"field": "name", "message": "is bad (wanted: a good one)"},
                {"field": "tags[0].key", "message": "is empty (wanted: text)"},
            ],
        },
    )
    wire_errors.ErrorAnswer.model_validate(answer)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Repeated("t"), 400, "VPN.0031"),
        (errors.Unauthenticated("t"), 401, "APIGW.0301"),
        (errors.Forbidden("t"), 403, "VPN.0003"),
        (errors.NotFound("t"), 404, "VPN.0004"),
        (errors.Busy("t"), 503, "VPN.0030"),
    ],
)
def test_every_kind_of_error_has_its_status_and_code(error: errors.LandbridgeError, status: int, code: str):
    rendered, answer = wire_errors.render(error, "r1")
    assert (status, code, "r1") == (rendered, answer["error_code"], answer["request_id"])
    assert answer["error_msg"].endswith(": t")
    assert "details" not in answer


CUSTOMER_GATEWAY = model.CustomerGateway(
    id="c1",
    project_id="p1",
    name="cgw-1",
    id_type="ip",
    id_value="198.51.100.2",
    bgp_asn=65000,
    route_mode="bgp",
    tags=(),
    created_at=NOW,
    updated_at=NOW,
)


def test_a_customer_gateway_has_its_older_names_too():
    answer = customer_gateways.customer_gateway(CUSTOMER_GATEWAY)
    assert answer == {
        "id": "c1",
        "name": "cgw-1",
        "id_type": "ip",
        "id_value": "198.51.100.2",
        "bgp_asn": 65000,
        "route_mode": "bgp",
        "ip": "198.51.100.2",
        "created_at": "2022-11-26T13:41:34.626Z",
        "updated_at": "2022-11-26T13:41:34.626Z",
        "tags": [],
    }
    customer_gateways.CustomerGatewayAnswer.model_validate(answer)


def test_a_customer_gateway_without_address_or_asn_has_no_such_field():
    answer = customer_gateways.customer_gateway(
        replace(CUSTOMER_GATEWAY, id_type="fqdn", id_value="branch.example", bgp_asn=None)
    )
    assert not {"ip", "bgp_asn"} & answer.keys()
    assert answer["id_value"] == "branch.example"


def _endpoint(number: int, *, public: bool) -> model.Endpoint:
    if not public:
        return model.Endpoint(number=number, address=f"10.1.0.{number}")
    return model.Endpoint(
        number=number,
        address=f"203.0.113.{number}",
        eip_id=f"e{number}",
        type="5_bgp",
        charge_mode="bandwidth",
        bandwidth_id="b1",
        bandwidth_name="b",
        bandwidth_size=300,
    )


def _gateway(*, public: bool = True, to_er: bool = False) -> model.VpnGateway:
    return model.VpnGateway(
        id="g1",
        project_id="p1",
        name="vpngw-1",
        network_type="public" if public else "private",
        attachment_type="er" if to_er else "vpc",
        er_id="er1" if to_er else None,
        vpc_id=None if to_er else "v1",
        local_subnets=() if to_er else ("10.1.0.0/24",),
        connect_subnet="s1",
        access_vpc_id="v1",
        access_subnet_id="s1",
        bgp_asn=64512,
        flavor="Professional1",
        availability_zone_ids=("zone-1",),
        enterprise_project_id="0",
        ha_mode="active-active",
        endpoints=(_endpoint(1, public=public), _endpoint(2, public=public)),
        certificate_id=None,
        connection_number=200,
        tags=(),
        created_at=NOW,
        updated_at=NOW,
    )


ACTIVE = model.GatewayStatus(status="ACTIVE")
EIP_FIELDS = {"eip1", "eip2", "master_eip", "slave_eip"}
PRIVATE_FIELDS = {"access_private_ip_1", "access_private_ip_2"}


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("to_er", [True, False])
def test_a_gateway_is_shown_with_the_fields_of_its_kind(public: bool, to_er: bool):
    answer = gateways.gateway(_gateway(public=public, to_er=to_er), ACTIVE, (3, 2))
    gateways.GatewayAnswer.model_validate(json.loads(json.dumps(answer)))
    assert (EIP_FIELDS if public else PRIVATE_FIELDS) == (EIP_FIELDS | PRIVATE_FIELDS) & answer.keys()
    assert ({"er_id"} if to_er else {"vpc_id", "local_subnets"}) == {"er_id", "vpc_id", "local_subnets"} & answer.keys()
    assert (answer["used_connection_number"], answer["used_connection_group"], answer["status"]) == (3, 2, "ACTIVE")


def test_the_older_names_of_the_eips_say_the_same():
    answer = gateways.gateway(_gateway(), ACTIVE, (0, 0))
    assert (answer["eip1"], answer["eip2"]) == (answer["master_eip"], answer["slave_eip"])
    assert tuple(answer["eip1"][f] for f in ("id", "ip_address", "ip_version")) == ("e1", "203.0.113.1", 4)


def test_the_answer_to_a_create_is_shorter():
    shown, created = (
        gateways.gateway(_gateway(), ACTIVE, (0, 0)),
        gateways.gateway(_gateway(), None, (0, 0), shown=False),
    )
    assert EIP_FIELDS | {"status", "availability_zone_ids", "created_at", "updated_at"} == shown.keys() - created.keys()
