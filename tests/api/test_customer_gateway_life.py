"""Customer gateways: both forms of a create, pages, and deletes that are done at once."""

from typing import Any

import pytest

PATH = "customer-gateways"


def test_a_customer_gateway_is_there_at_once(api: Any):
    fields = {"name": "branch", "id_type": "ip", "id_value": "198.51.100.2", "bgp_asn": 65010}
    made = api.customer_gateway(**fields, tags=[{"key": "k", "value": "v"}])
    assert {name: made[name] for name in fields} == fields
    assert made["tags"] == [{"key": "k", "value": "v"}]
    assert made["created_at"] == made["updated_at"]
    assert api.get(f"{PATH}/{made['id']}")["customer_gateway"] == made


def test_the_older_form_reads_as_both(api: Any):
    made = api.customer_gateway(id_value=None, ip="198.51.100.3", route_mode="static")
    expected = {"id_type": "ip", "id_value": "198.51.100.3", "ip": "198.51.100.3", "route_mode": "static"}
    assert {name: made[name] for name in expected} == expected


def test_an_fqdn_has_no_address(api: Any):
    made = api.customer_gateway(id_type="fqdn", id_value="branch.example")
    assert (made["id_type"], made["id_value"], "ip" in made) == ("fqdn", "branch.example", False)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param({"id_value": None}, "id_value", id="no-value"),
        pytest.param({"id_value": "198.51.100"}, "id_value", id="no-address"),
        pytest.param({"id_value": "127.0.0.1"}, "id_value", id="loopback"),
        pytest.param({"ip": "198.51.100.4"}, "ip", id="both-forms"),
        pytest.param({"bgp_asn": 0}, "bgp_asn", id="asn-0"),
        pytest.param({"ca_certificate": {"content": "x"}}, "ca_certificate.content", id="certificate"),
        pytest.param({"name": 7}, "name", id="shape"),
    ],
)
def test_a_wrong_customer_gateway_is_refused_by_field(api: Any, fields: Any, named: str):
    body = {"id_value": "198.51.100.2"} | fields
    sent = {name: value for name, value in body.items() if value is not None}
    assert set(api.refused(PATH, "customer_gateway", sent)) == {named}
    assert api.get(PATH)["customer_gateways"] == []


def test_what_was_answered_asks_for_the_same_again(api: Any):
    made = api.customer_gateway(name="first")
    again = api.customer_gateway(**made)
    assert again["id"] != made["id"]
    assert {name: again[name] for name in ("name", "id_type", "id_value", "ip")} == {
        name: made[name] for name in ("name", "id_type", "id_value", "ip")
    }


@pytest.mark.parametrize(
    ("endpoints", "more"),
    [
        (("eip1",), " (delete this connection first)"),
        (("eip1", "eip2"), " and 1 more (delete these connections first)"),
    ],
    ids=["one", "two"],
)
def test_a_refused_delete_names_a_connection_and_says_how_many_there_are(
    api: Any, endpoints: tuple[str, ...], more: str
):
    gateway, peer = api.gateway(), api.customer_gateway()
    made = [api.connection(gateway, peer, name=f"to-{each}", vgw_ip=gateway[each]["id"])["id"] for each in endpoints]
    for path, what in (
        (f"{PATH}/{peer['id']}", f"customer gateway {peer['id']}"),
        (f"vpn-gateways/{gateway['id']}", f"VPN gateway {gateway['id']}"),
    ):
        answer = api.send("DELETE", path)
        assert answer.status_code == 400
        assert answer.json()["error_msg"] == f"invalid request: {what} has connection to-eip1 ({made[0]}){more}"


def test_a_deleted_one_is_404_at_once(api: Any):
    made = api.customer_gateway()
    api.delete(f"{PATH}/{made['id']}")
    assert api.send("GET", f"{PATH}/{made['id']}").status_code == 404
    assert api.send("DELETE", f"{PATH}/{made['id']}").status_code == 404
    assert api.get(PATH)["total_count"] == 0


def test_one_in_use_is_refused_by_the_connections_id(api: Any):
    peer = api.customer_gateway()
    made = api.connection(api.gateway(), peer)
    answer = api.send("DELETE", f"{PATH}/{peer['id']}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0001")
    assert made["id"] in answer.json()["error_msg"]
    api.delete(f"vpn-connection/{made['id']}")
    api.gone(f"vpn-connection/{made['id']}")
    api.delete(f"{PATH}/{peer['id']}")


def test_pages_follow_each_other_in_the_order_of_creation(api: Any):
    made = [api.customer_gateway()["id"] for _ in range(7)]
    found, marker = [], ""
    for size in (3, 3, 1):
        page = api.get(f"{PATH}?limit=3&marker={marker}")
        assert page["page_info"]["current_count"] == size
        assert page["total_count"] == 7
        found += [each["id"] for each in page["customer_gateways"]]
        marker = page["page_info"].get("next_marker", "")
    assert (found, marker) == (made, "")


def test_one_page_holds_all_when_no_limit_is_given(api: Any):
    made = [api.customer_gateway()["id"] for _ in range(60)]
    page = api.get(PATH)
    assert [each["id"] for each in page["customer_gateways"]] == made
    assert page["page_info"] == {"current_count": 60}
