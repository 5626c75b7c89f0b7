"""Every field of a create request, with a value that is not its default, through create, an unrelated update, show and the store.

The fields are read off the shape. A field without a case here fails, also one that is added later.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from lab import connection_fields
from landbridge.model import allowed_values
from landbridge.store import codec
from landbridge.wire import connection_requests, connections

PATH, ENVELOPE = "vpn-connection", "vpn_connection"


FIELDS = connection_fields.carried(connection_requests.CreateConnection)


@dataclass(frozen=True)
class Made:
    """A gateway with another endpoint than a usual request names, and another device."""

    api: Any
    data: Any
    gateway: Any
    peer: Any

    def value(self, name: Any) -> Any:
        given = {"gateway": self.gateway["id"], "endpoint": self.gateway["eip2"]["id"], "peer": self.peer["id"]}
        return given.get(connection_fields.GIVEN.get(name, name) if isinstance(name, str) else "", name)

    def create(self, peer: Any, *cases: dict[str, Any]) -> Any:
        body = self.api.connection_body(self.gateway, peer)
        for case in cases:
            for place, value in case.items():
                connection_fields.put(body, place, self.value(value))
        return self.api.create(PATH, ENVELOPE, body)

    def stored(self, connection_id: str) -> tuple[Any, str]:
        """What the row has, as an answer would say it, and its PSK."""

        def read(tx: Any) -> Any:
            query = "SELECT spec, psk FROM connection WHERE id = ?"
            return tx.cursor.execute(query, (connection_id,)).fetchone()

        spec, psk = self.data.database.read(read)
        return connections.connection(codec.connection.validate_json(spec)), self.data.vault.open(
            psk, connection_id
        ).decode()


@pytest.fixture
def made(shared_service: Any) -> Made:
    api = shared_service.api()
    return Made(api, shared_service.data, api.gateway(), api.customer_gateway())


def test_every_field_of_the_request_has_a_case():
    assert set(FIELDS) == set(connection_fields.CASES)
    assert set(connection_fields.REFUSED) == {
        place.split("[]")[0] for place in connection_fields.places(connection_requests.CreateConnection)
    } - {place.split("[]")[0] for place in FIELDS}


@pytest.mark.parametrize(
    "place",
    [place for place in connection_fields.CASES if connection_fields.CASES[place].value is connection_fields.ONLY],
)
def test_a_field_without_another_value_has_one_alone(place: str):
    table = allowed_values.IKE if place.startswith("ike") else allowed_values.IPSEC
    allowed = getattr(table, place.split(".")[1])
    assert allowed.values == (allowed.default,)


@pytest.mark.parametrize(
    "place",
    [place for place in connection_fields.CASES if connection_fields.CASES[place].value is not connection_fields.ONLY],
)
def test_a_value_that_is_not_the_default_goes_all_the_way(made: Made, place: str):
    case = connection_fields.CASES[place]
    others = {name: value for name, value in case.others.items() if name != place}
    answer = made.create(made.peer, others, {place: case.value})
    expected = case.answered or made.value(case.value)
    unrelated = {"enable_hub": True} if place != "enable_hub" else {"name": "another"}
    updated = made.api.send("PUT", f"{PATH}/{answer['id']}", {ENVELOPE: unrelated})
    assert updated.status_code == 200, updated.text
    shown = made.api.get(f"{PATH}/{answer['id']}")[ENVELOPE]
    connections.ConnectionAnswer.model_validate(shown, extra="forbid")  # the document names the field
    stored, psk = made.stored(answer["id"])
    looks = (answer, updated.json()[ENVELOPE], shown, stored)
    if place == "psk":
        assert psk == expected
        assert expected not in str(looks)
        return
    if place == "enable_health_check":
        assert len({connection_fields.at(look, "connection_monitor_id") for look in looks} - {None}) == 1
        return
    said = [connection_fields.at(look, place) for look in looks]
    assert [list(each) if isinstance(each, tuple) else each for each in said] == [expected] * len(looks)


@pytest.mark.parametrize(
    "place",
    [place for place in connection_fields.CASES if connection_fields.CASES[place].value is not connection_fields.ONLY],
)
def test_the_value_of_a_case_is_not_the_default(made: Made, place: str):
    case = connection_fields.CASES[place]
    plain = made.create(made.api.customer_gateway())
    if place != "vgw_id":
        assert connection_fields.at(plain, place) != (case.answered or made.value(case.value))


@pytest.mark.parametrize("place", connection_fields.REFUSED)
def test_what_is_not_carried_yet_is_refused(made: Made, place: str):
    body = made.api.connection_body(made.gateway, made.peer, **{place: connection_fields.REFUSED[place]})
    assert set(made.api.refused(PATH, ENVELOPE, body)) == {place}
