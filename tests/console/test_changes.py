"""Forms that create, change and delete VPN gateways and customer gateways: the rules and the words of the API, and nobody's change is lost."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest

from lab import specs
from landbridge import errors, model, site_file
from landbridge.console import connection_form
from tests.conftest import VPC
from tests.console.reading import events, told, values, words


def _path(one: Any, rest: str) -> str:
    return f"/console/{one.api.project_id}{rest}"


def _send(one: Any, rest: str, form: dict[str, str], status: int = 303) -> Any:
    answer = one.post(_path(one, rest), form)
    assert answer.status_code == status, words(answer.text)[-600:]
    return answer


def _gateway(one: Any, gateway: Any) -> Any:
    return one.api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]


GATEWAY = {"vpc_id": VPC, "local_subnets": "10.0.0.0/24"}
DEVICE = {"id_value": "198.51.100.77"}


@pytest.mark.parametrize(
    ("rest", "form", "listed", "action"),
    [
        ("/new-gateway", GATEWAY | {"name": "hq"}, "vpn-gateways", "create_vgw"),
        ("/new-customer-gateway", DEVICE | {"name": "hq"}, "customer-gateways", "create_cgw"),
    ],
)
def test_a_form_that_is_sent_twice_creates_once(person: Any, rest: str, form: Any, listed: str, action: str):
    one = person()
    sent = values(one.page(rest)) | form | {"do": "create"}
    first, again = (_send(one, rest, sent).headers["location"] for _ in "ab")
    assert first == again
    (made,) = one.api.get(listed)[listed.replace("-", "_")]
    assert made["name"] == "hq"
    assert first.endswith(made["id"])
    assert events(one)[0] == (action, made["id"])
    assert "was used before" in _send(one, rest, sent | {"name": "other"}, 200).text


def test_the_first_values_of_a_gateway_need_only_its_subnets(person: Callable[..., Any]):
    one = person()
    sent = values(one.page("/new-gateway")) | {"local_subnets": "10.9.0.0/24\n10.9.1.0/24", "do": "create"}
    _send(one, "/new-gateway", sent)
    (made,) = one.api.get("vpn-gateways")["vpn_gateways"]
    assert made["local_subnets"] == ["10.9.0.0/24", "10.9.1.0/24"]
    assert (made["flavor"], made["ha_mode"], made["bgp_asn"]) == ("Professional1", "active-active", 64512)


def test_a_site_with_networks_offers_what_is_free(open_service: Callable[..., Any], person: Callable[..., Any]):
    networks = tuple(
        model.Network(
            id=f"{n}cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa",
            cidr=f"10.{n}.0.0/24",
            bridge=f"b{n}",
            address=f"10.{n}.0.1/24",
        )
        for n in (1, 2)
    )
    site = dataclasses.replace(site_file.default(), networks=networks, any_network=False)
    service = open_service(site=site)
    one = type(person())(http=service.http, api=service.api())
    one.sign_in()
    for network in networks:
        form = values(one.page("/new-gateway"))
        assert (form["vpc_id"], form["local_subnets"]) == (network.id, network.cidr)
        _send(one, "/new-gateway", form | {"do": "create"})
    text = one.page("/new-gateway")
    taken = [one.api.get("vpn-gateways")["vpn_gateways"][n][f"eip{m}"]["id"] for n in (0, 1) for m in (1, 2)]
    assert not any(each in text for each in (*taken, *(network.id for network in networks)))


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        pytest.param({"local_subnets": ""}, {"local_subnets"}, id="no subnet"),
        pytest.param({"local_subnets": "10.0.0.1/24"}, {"local_subnets"}, id="host bits"),
        pytest.param({"vpc_id": "x"}, {"vpc_id"}, id="no id"),
        pytest.param({"name": "a b", "bgp_asn": "0"}, {"name", "bgp_asn"}, id="two fields"),
        pytest.param({"bgp_asn": "many"}, {"bgp_asn"}, id="no number"),
        pytest.param({"flavor": "Basic", "network_type": "private"}, {"flavor"}, id="between fields"),
        pytest.param({"eip1.id": VPC}, {"eip1.id"}, id="an EIP that is not there"),
        pytest.param({"attachment_type": "er", "er_id": "x"}, {"er_id"}, id="a router"),
        pytest.param({"availability_zone_ids": "a\nb\nc"}, {"availability_zone_ids"}, id="too many zones"),
        pytest.param({"tags": "a=<b>"}, {"tags"}, id="a tag"),
    ],
)
def test_a_violation_stands_at_its_field_and_nothing_is_created(person: Any, changes: dict[str, str], fields: set[str]):
    one = person()
    sent = values(one.page("/new-gateway")) | GATEWAY | changes
    for do in ("check", "create"):
        found = told(_send(one, "/new-gateway", sent | {"do": do}, 400).text)
        assert set(found) == fields, found
    assert one.api.get("vpn-gateways")["vpn_gateways"] == []


def test_the_words_are_those_of_the_api(person: Callable[..., Any]):
    one = person()
    wish = {"vpc_id": VPC, "local_subnets": ["10.0.0.1/24"], "name": "a b"}
    api = one.api.refused("vpn-gateways", "vpn_gateway", wish)
    found = told(_send(one, "/new-gateway", GATEWAY | {"local_subnets": "10.0.0.1/24", "name": "a b"}, 400).text)
    assert found == {"name": api["name"], "local_subnets": api["local_subnets[0]"]}
    api = one.api.refused("customer-gateways", "customer_gateway", {"id_value": "nowhere"})
    assert told(_send(one, "/new-customer-gateway", {"id_value": "nowhere"}, 400).text) == api


def test_a_warning_is_read_before_the_create(open_service: Callable[..., Any], person: Callable[..., Any]):
    network = model.Network(id=VPC, cidr="10.0.0.0/24", bridge="b", address="10.0.0.1/24")
    service = open_service(site=dataclasses.replace(site_file.default(), networks=(network,), any_network=False))
    one = type(person())(http=service.http, api=service.api())
    one.sign_in()
    sent = values(one.page("/new-gateway")) | {"local_subnets": "10.7.0.0/24", "do": "create"}
    text = _send(one, "/new-gateway", sent, 200).text
    assert "Read the warnings" in text
    assert "is not in 10.0.0.0/24" in text
    assert one.api.get("vpn-gateways")["vpn_gateways"] == []
    _send(one, "/new-gateway", values(text) | {"do": "create"})


#: More entries than a body of the API may have.
MANY = "\n".join(f"192.168.{n // 256}.{n % 256}/32" for n in range(1001))
FULL = {
    "peer_subnets": (MANY, "has 1001 entries (wanted: at most 1000"),
    "local_subnets": (MANY, "has 1001 entries (wanted: at most 1000"),
    "tags": ("\n".join(f"k{n}=v" for n in range(20_001)), "has 20001 entries (wanted: at most 1000"),
    "name": ("[" * 300_000, "is not a name"),
}


@pytest.mark.parametrize(
    ("rest", "fields"),
    [
        ("/new-gateway", ("local_subnets", "tags", "name")),
        ("/new-customer-gateway", ("tags", "name")),
        ("/new-connection", ("peer_subnets", "tags", "name")),
        ("/gateways/{}/edit", ("local_subnets", "name")),
        ("/customer-gateways/{}/edit", ("name",)),
        ("/connections/{}/edit", ("peer_subnets", "name")),
    ],
)
def test_a_form_with_too_many_entries_comes_back_with_all_its_values(person: Any, rest: str, fields: Any):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway()
    made = {"gateways": gateway, "customer-gateways": peer}.get(rest.split("/")[1]) or one.api.connection(gateway, peer)
    path, before = rest.format(made["id"]), len(events(one))
    form = values(one.page(path))
    for field in fields:
        content, says = FULL[field]
        for do in ("check", "create"):
            text = _send(one, path, form | {field: content, "do": do}, 400).text
            assert says in told(text)[field]
            assert values(text)[field] == content
    assert len(events(one)) == before


@pytest.mark.parametrize(
    "rest", ["/new-gateway", "/new-customer-gateway", "/gateways/{}/edit", "/customer-gateways/{}/edit"]
)
def test_a_form_that_the_store_cannot_take_now_comes_back(
    person: Any, shared_service: Any, monkeypatch: pytest.MonkeyPatch, rest: str
):
    one = person()
    made = one.api.gateway() if "/gateways" in rest else one.api.customer_gateway()
    path, before = rest.format(made["id"]), len(events(one))
    form = values(one.page(path)) | (GATEWAY if path == "/new-gateway" else DEVICE if path.startswith("/new") else {})
    with monkeypatch.context() as full:

        async def fail(_: Any) -> None:
            raise errors.Busy("nothing was stored (the disk is full)")

        full.setattr(shared_service.data.database, "write_soon", fail)
        text = _send(one, path, form | {"name": "kept", "do": "create"}, 503).text
    assert "nothing was stored (the disk is full)." in words(text)
    assert values(text)["name"] == "kept"
    assert len(events(one)) == before
    _send(one, path, values(text) | {"do": "create"})
    assert len(events(one)) == before + 1


@pytest.mark.parametrize("kind", ["gateways", "customer-gateways"])
def test_an_edit_sends_what_differs(person: Callable[..., Any], kind: str):
    one = person()
    made = one.api.gateway() if kind == "gateways" else one.api.customer_gateway()
    path = f"/{kind}/{made['id']}/edit"
    form = values(one.page(path))
    assert "Nothing was changed" in one.page(_send(one, path, form).headers["location"].removeprefix(_path(one, "")))
    assert events(one)[0][0].startswith("create")
    _send(one, path, form | {"name": "renamed"})
    after = one.api.get(f"{'vpn-gateways' if kind == 'gateways' else kind}/{made['id']}")
    (after,) = [value for name, value in after.items() if name != "request_id"]
    assert {name for name in made if made[name] != after[name]} == {"name", "updated_at"}


def test_a_change_that_disturbs_tunnels_names_them_first(person: Callable[..., Any]):
    one = person()
    gateway = one.api.gateway()
    moved = one.api.connection(gateway, name="moved")
    path = f"/gateways/{gateway['id']}/edit"
    form = values(one.page(path))
    other = re.findall(r'<option value="([^"]+)"', one.page("/new-gateway"))
    eip = next(each for each in other if each.count("-") == 4)
    assert "1 tunnel is negotiated anew" in words(_send(one, path, form | {"eip_id_1": eip, "do": "check"}, 200).text)
    renamed = _send(one, path, form | {"name": "renamed", "do": "check"}, 200).text
    assert "No tunnel is negotiated anew." in renamed
    text = _send(one, path, form | {"eip_id_1": eip}, 200).text
    assert "1 tunnel is negotiated anew" in words(text)
    assert f"/connections/{moved['id']}" in text
    assert _gateway(one, gateway)["eip1"] == gateway["eip1"]
    _send(one, path, values(text))
    assert _gateway(one, gateway)["eip1"]["id"] == eip


def test_what_an_update_would_disturb_is_not_written(person: Callable[..., Any]):
    one = person()
    gateway = one.api.gateway()
    one.api.connection(gateway)
    before = len(events(one))
    path = f"/gateways/{gateway['id']}/edit"
    found = told(_send(one, path, values(one.page(path)) | {"local_subnets": "192.168.0.0/16"}, 400).text)
    assert "lies in 192.168.0.0/16" in found["local_subnets"]
    assert len(events(one)) == before


@pytest.mark.parametrize("kind", ["gateways", "customer-gateways", "connections"])
def test_a_form_of_an_old_version_changes_nothing_and_shows_both_values(person: Callable[..., Any], kind: str):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway()
    made = {"gateways": gateway, "customer-gateways": peer, "connections": None}[kind] or one.api.connection(
        gateway, peer
    )
    path = f"/{kind}/{made['id']}/edit"
    form = values(one.page(path))
    other = values(one.page(path)) | {"name": "other"}
    _send(one, path, other)
    text = _send(one, path, form | {"name": "mine"}, 412).text
    assert "Somebody else changed" in text
    assert re.search(r"Name( of the connection)?: mine", words(text).replace("  ", " "))
    assert values(text)["name"] == "other"
    _send(one, path, values(text) | {"name": "mine"})


def test_a_flavor_is_changed_within_its_family(person: Callable[..., Any]):
    one = person()
    gateway = one.api.gateway()
    path = f"/gateways/{gateway['id']}/flavor"
    form = values(one.page(path))
    assert "cannot become GM" in told(_send(one, path, form | {"flavor": "GM"}, 400).text)["flavor"]
    _send(one, path, form | {"flavor": "Professional2"})
    assert _gateway(one, gateway)["flavor"] == "Professional2"


def test_a_policy_template_is_changed_field_by_field(person: Callable[..., Any]):
    one = person()
    gateway = one.api.gateway(flavor="Professional1-NonFixedIP")
    path = f"/gateways/{gateway['id']}/edit"
    field = "policy_template.ike_policy.dh_group"
    _send(one, path, values(one.page(path)) | {field: "group19"})
    after = _gateway(one, gateway)["policy_template"]
    assert after["ike_policy"]["dh_group"] == "group19"
    assert after["ipsec_policy"] == gateway["policy_template"]["ipsec_policy"]


def test_a_delete_says_what_it_touches_and_is_refused_while_connections_are_there(person: Callable[..., Any]):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway()
    made = one.api.connection(gateway, peer, name="in-use")
    paths = (f"/gateways/{gateway['id']}/delete", f"/customer-gateways/{peer['id']}/delete")
    for path in paths:
        text = one.page(path)
        assert "It has 1 connection, so a delete is refused" in words(text)
        assert '<button class="danger">' not in text
        assert made["id"] in _send(one, path, {}, 400).text
    one.api.delete(f"vpn-connection/{made['id']}")
    one.api.gone(f"vpn-connection/{made['id']}")
    assert gateway["eip1"]["ip_address"] in one.page(paths[0])
    for path, action in zip(paths, ("delete_vgw", "delete_cgw"), strict=True):
        _send(one, path, values(one.page(path)))
        assert events(one)[0][0] == action


@pytest.mark.parametrize("kind", ["gateways", "customer-gateways", "connections"])
def test_what_was_changed_since_is_shown_again_before_it_is_deleted(person: Callable[..., Any], kind: str):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway()
    made = one.api.connection(gateway, peer) if kind == "connections" else gateway if kind == "gateways" else peer
    form = values(one.page(f"/{kind}/{made['id']}/delete"))
    _send(one, f"/{kind}/{made['id']}/edit", {"name": "renamed"})
    path = f"/{kind}/{made['id']}/delete"
    assert _send(one, path, form).headers["location"] == _path(one, path)
    text = one.page(path)
    assert "Somebody else changed it meanwhile" in text
    _send(one, path, values(text))
    assert events(one)[0][0].startswith("delete_")


def test_what_belongs_to_another_project_is_not_found(person: Callable[..., Any]):
    one, other = person(), person()
    gateway, peer = other.api.gateway(), other.api.customer_gateway()
    for rest in (
        f"/gateways/{gateway['id']}/edit",
        f"/gateways/{gateway['id']}/flavor",
        f"/gateways/{gateway['id']}/delete",
        f"/customer-gateways/{peer['id']}/edit",
        f"/customer-gateways/{peer['id']}/delete",
        f"/tags/vpn-gateway/{gateway['id']}",
        f"/tags/customer-gateway/{peer['id']}",
    ):
        assert one.get(_path(one, rest)).status_code == 404, rest
        assert one.post(_path(one, rest), {"name": "mine", "flavor": "V300", "key": "a"}).status_code == 404, rest
    theirs = gateway["eip1"]["id"]
    found = told(_send(one, "/new-gateway", GATEWAY | {"eip1.id": theirs}, 400).text)
    assert gateway["id"] not in found["eip1.id"]
    assert (_gateway(other, gateway)["name"], events(other)[0][0]) == (gateway["name"], "create_cgw")


def test_what_people_type_is_text(person: Callable[..., Any]):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway()
    hostile = "\"'></textarea></select><script>alert(1)</script>"
    for rest, form in (
        (
            "/new-gateway",
            dict.fromkeys(("name", "vpc_id", "local_subnets", "eip1.id", "flavor", "tags", "seen", "token"), hostile),
        ),
        (
            "/new-customer-gateway",
            dict.fromkeys(("name", "id_value", "id_type", "bgp_asn", "ca_certificate.content"), hostile),
        ),
        (f"/gateways/{gateway['id']}/edit", dict.fromkeys(("name", "local_subnets", "eip_id_1"), hostile)),
        (f"/gateways/{gateway['id']}/flavor", {"flavor": hostile}),
        (f"/customer-gateways/{peer['id']}/edit", {"name": hostile}),
        (f"/tags/vpn-gateway/{gateway['id']}", {"key": hostile, "value": hostile}),
        ("/keys", {"role": hostile}),
    ):
        answer = one.post(_path(one, rest), form)
        assert answer.status_code == 400, rest
        assert "<script>alert" not in answer.text, rest
    stale = one.post(_path(one, f"/customer-gateways/{peer['id']}/edit"), {"name": hostile, "version": hostile})
    assert stale.status_code == 412
    assert "<script>alert" not in stale.text


def test_a_page_of_a_customer_gateway_has_its_connections(person: Callable[..., Any]):
    one = person()
    gateway, peer, other = one.api.gateway(), one.api.customer_gateway(), one.api.customer_gateway()
    made = one.api.connection(gateway, peer)
    one.api.connection_as(made["id"], "ACTIVE")
    assert re.findall(r'<tr id="r-([^"]+)"', one.page(f"/customer-gateways/{peer['id']}")) == [made["id"]]
    assert "It has no connection." in one.page(f"/customer-gateways/{other['id']}")


def test_readers_see_no_button_that_would_be_refused(person: Callable[..., Any], shared_service: Any):
    one = person()
    gateway, peer = one.api.gateway(), one.api.customer_gateway()
    reader = person(shared_service.api(one.api.project_id, "reader"))
    for rest in (
        f"/gateways/{gateway['id']}",
        f"/customer-gateways/{peer['id']}",
        "/gateways",
        "/customer-gateways",
        "/tags",
        "",
    ):
        theirs = reader.page(rest)
        assert not re.search(
            r'href="[^"]*/(edit|delete|flavor|new-gateway|new-customer-gateway|new-connection)', theirs
        ), rest
        assert not re.search(r'href="[^"]*/tags/', theirs), rest


_ALGORITHMS = (
    "ikepolicy.encryption_algorithm",
    "ikepolicy.dh_group",
    "ipsecpolicy.encryption_algorithm",
    "ipsecpolicy.pfs",
)
_TEMPLATE = model.PolicyTemplate(
    ike_encryption_algorithm="aes-128",
    ike_authentication_algorithm="sha2-256",
    ike_dh_group="group14",
    ike_lifetime_seconds=86400,
    ipsec_encryption_algorithm="aes-128",
    ipsec_authentication_algorithm="sha2-256",
    ipsec_pfs="group14",
    ipsec_lifetime_seconds=3600,
)


@pytest.mark.parametrize(
    ("gateway", "style", "has", "lacks"),
    [
        pytest.param({}, "static", {*_ALGORITHMS, "psk", "peer_subnets"}, set(), id="static"),
        pytest.param({}, "policy-template", {*_ALGORITHMS, "psk", "peer_subnets"}, set(), id="without a template"),
        pytest.param({"policy_template": _TEMPLATE}, "policy-template", {"psk"}, {*_ALGORITHMS}, id="with a template"),
        pytest.param(
            {"flavor": "GM"},
            "static",
            {"ikepolicy.encryption_algorithm"},
            {"psk", "ikepolicy.dh_group", "ikepolicy.peer_id", "ipsecpolicy.pfs"},
            id="GM",
        ),
        pytest.param({"attachment_type": "er"}, "bgp", {*_ALGORITHMS}, {"peer_subnets"}, id="a router that learns"),
    ],
)
def test_the_form_of_a_change_has_what_the_connection_can_have(
    gateway: dict[str, Any], style: str, has: set[str], lacks: set[str]
):
    connection = specs.connection(style=style).connection
    fields = {one.path: one for one in connection_form.stored_fields(connection, specs.gateway(**gateway))}
    assert has <= fields.keys()
    assert not lacks & fields.keys()


def test_the_form_of_a_change_of_a_gm_connection_offers_its_own_cipher_and_the_gm_ones():
    connection = specs.connection().connection
    fields = {one.path: one for one in connection_form.stored_fields(connection, specs.gateway(flavor="GM"))}
    assert [value for value, _ in fields["ikepolicy.encryption_algorithm"].choices] == ["aes-128", "sm4"]
