"""The diagnosis of a gateway: its connections by status and cause, and the attempts of strangers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from landbridge import model
from landbridge.model import negotiation
from landbridge.store import attempts, gateways


def _diagnosis(api: Any, gateway: Any) -> Any:
    return api.get(f"/landbridge/v1/{api.project_id}/vpn-gateways/{gateway['id']}/diagnosis")["diagnosis"]


def test_connections_are_counted_by_status_and_cause(api: Any, until: Any):
    """A cause is known a moment after the status."""
    gateway = api.gateway()
    states = ("active", "down:psk", "down:psk", "down:proposal", "error")
    statuses = ("ACTIVE", "DOWN", "DOWN", "DOWN", "ERROR")
    made = [api.connection(gateway)["id"] for _ in states]
    for one, state, status in zip(made, states, statuses, strict=True):
        api.connection_as(one, "ACTIVE")
        api.simulate(one, state)
        api.connection_as(one, status)
    api.connection(api.gateway())
    found = _diagnosis(api, gateway)["connections"]
    assert [(each["status"], each["count"]) for each in found] == [("DOWN", 3), ("ACTIVE", 1), ("ERROR", 1)]
    rows = api.get(f"/landbridge/v1/{api.project_id}/vpn-connections?status=DOWN&vgw_id={gateway['id']}")
    listed = [row["cause"] for row in rows["vpn_connections"] if "cause" in row]
    wanted = {one: listed.count(one) for one in listed}

    def counted() -> dict[str, int]:
        return {each["cause"]: each["count"] for each in _diagnosis(api, gateway)["connections"][0]["causes"]}

    until(lambda: counted() == wanted, f"the causes {wanted}")
    assert [each["causes"] for each in found[1:]] == [[], []]


def test_a_gateway_without_connections_has_no_counts(api: Any):
    found = _diagnosis(api, api.gateway())
    assert (found["connections"], found["strangers"]) == ([], [])


def test_attempts_of_strangers_are_listed_newest_first(api: Any, shared_service: Any):
    gateway, other = api.gateway(), api.gateway()
    at = datetime.now(UTC)
    line = "no IKE config found for 203.0.113.1...198.51.100.77, sending NO_PROPOSAL_CHOSEN"
    said = [
        model.Attempt(
            id=str(number),
            configuration="",
            began_at=at + timedelta(seconds=number),
            began_by="device",
            peer_address=f"198.51.100.{75 + number}",
            local_address="203.0.113.1",
            ike_version="v2",
            is_named=False,
            outcome="refused_by_us",
            facts=(negotiation.NoConnection(at=at + timedelta(seconds=number), line=line, reason="address"),),
        )
        for number in (1, 2)
    ]

    def record(tx: Any) -> None:
        row = gateways.find(tx, api.project_id, gateway["id"])
        assert row is not None
        attempts.record_strangers(tx, row.seq, said)

    shared_service.data.database.write(record)
    newest, oldest = _diagnosis(api, gateway)["strangers"]
    assert newest["began_at"] > oldest["began_at"]
    assert (newest["peer_address"], newest["began_by"], newest["outcome"]) == (
        "198.51.100.77",
        "device",
        "refused_by_us",
    )
    (fact,) = newest["facts"]
    assert (fact["kind"], fact["line"]) == ("no_connection", line)
    assert fact["text"] == "no connection has these addresses and this IKE version"
    assert _diagnosis(api, other)["strangers"] == []
