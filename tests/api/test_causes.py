"""A diagnosis names causes, with both sides' values where they are known."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge import model
from landbridge.model import negotiation
from landbridge.store import observations


def _down(api: Any, state: str, **fields: Any) -> str:
    made = api.connection(api.gateway(), **fields)
    api.simulate(made["id"], state)
    api.connection_as(made["id"], "DOWN")
    return str(made["id"])


@pytest.mark.parametrize(
    ("state", "code", "side"),
    [
        ("down", "no_answer", "network"),
        ("down:psk", "psk_mismatch", "either"),
        ("down:selectors", "selectors_mismatch", "either"),
    ],
)
def test_a_connection_that_is_down_has_its_cause(api: Any, until: Any, state: str, code: str, side: str):
    connection_id = _down(api, state)
    until(lambda: api.diagnosis(connection_id)["causes"][0]["code"] == code, code)
    shown = api.diagnosis(connection_id)
    first = shown["causes"][0]
    assert (first["side"], first["is_certain"]) == (side, True)
    assert (shown["reason"], shown["remedy"], shown["evidence"]) == tuple(
        first[name] for name in ("reason", "remedy", "evidence")
    )
    assert first["evidence"]
    assert first["documentation"] == f"docs/reference/causes.md#{code}"


def test_what_the_store_knows_sharpens_a_cause(open_service: Any):
    """The device refuses; it has been asked, and its customer gateway names its family."""
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    peer = api.customer_gateway(name="branch-fortigate")
    made = api.connection(gateway, peer)
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    at = datetime.now(UTC)
    refusal = negotiation.Refusal(
        at=at, line="received NO_PROPOSAL_CHOSEN notify error", sender="device", phase=1, notify="NO_PROPOSAL_CHOSEN"
    )
    attempt = model.Attempt(
        id="1", configuration="0" * 12, began_at=at, ended_at=at, began_by="us", ike_version="v2",
        outcome="refused_by_device", facts=(refusal,),
    )  # fmt: skip
    look = model.Observation(
        gateway_id=gateway["id"],
        seen_at=at,
        exists=True,
        applied_generation=1,
        failure=None,
        present=frozenset({made["id"]}),
        connections=(
            model.ConnectionObservation(
                connection_id=made["id"], applied_generation=1, configuration="0" * 12, attempts=(attempt,)
            ),
        ),
    )
    service.data.database.write(lambda tx: observations.record(tx, look))
    first, *others = api.diagnosis(made["id"])["causes"]
    assert (first["code"], first["is_certain"], "theirs" in first) == ("ike_proposal_mismatch", False, False)
    assert first["decides"]
    assert first["remedy"].endswith("; on fortigate: proposal and dhgrp of phase1-interface")
    assert [one["code"] for one in others] == ["ike_version_mismatch", "no_connection_on_device"]
    service.data.database.write(lambda tx: observations.record(tx, replace(look, probes=(_answer(made["id"], at),))))
    (only,) = api.diagnosis(made["id"])["causes"]
    assert (only["code"], only["is_certain"], only["differs"]) == ("ike_proposal_mismatch", True, ["dh_group"])
    assert (only["ours"], only["theirs"]) == ("aes-128 / sha2-256 / group15", "aes-128 / sha2-256 / group14")


def _answer(connection_id: str, at: datetime) -> model.ProbeResult:
    chosen = negotiation.Proposal(
        encryption=("aes-128",), integrity=("sha2-256",), prf=("sha2-256",), groups=("group14",)
    )
    return model.ProbeResult(
        id="7e0c6f0a-3f0e-4a53-9d86-0f2f1f1f4a11",
        connection_id=connection_id,
        at=at,
        reason="automatic",
        configuration="0" * 12,
        local_address="203.0.113.10",
        peer_address="198.51.100.7",
        answers=(model.ProbeAnswer(ike_version="v2", mode=None, outcome="chosen", proposal=chosen),),
    )


def test_an_active_connection_has_no_cause(api: Any):
    made = api.connection(api.gateway())
    api.simulate(made["id"], "active")
    api.connection_as(made["id"], "ACTIVE")
    shown = api.diagnosis(made["id"])
    assert (shown["causes"], "reason" in shown) == ([], False)
