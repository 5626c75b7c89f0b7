"""What an answer to a probe makes of a cause that is one of several."""

from typing import Any

import pytest

from landbridge import model
from landbridge.model import negotiation as n
from landbridge.status import causes
from landbridge.status.probe_causes import SOURCE
from tests.status import examples
from tests.status.examples import AGGRESSIVE, MAIN, attempt, esp, fqdn, mismatch, proposal, refused, repeated, up, whole

REFUSED = attempt(0, refused(1, "NO_PROPOSAL_CHOSEN"))
NOT_AUTHENTICATED = attempt(0, refused(1, "AUTHENTICATION_FAILED"))
NO_CHILD = attempt(0, up(1), refused(2, "NO_PROPOSAL_CHOSEN", 2))
NO_SELECTORS = attempt(0, up(1), refused(2, "TS_UNACCEPTABLE", 2))
SILENT = attempt(0, repeated(4, 1), outcome="no_answer", ike_version="v1", mode="main")


def _probe(t: float = 10, configuration: str = "now", **given: Any) -> model.ProbeResult:
    values: dict[str, Any] = {
        "id": "p1",
        "connection_id": "c1",
        "at": examples.at(t),
        "reason": "order",
        "configuration": configuration,
        "local_address": examples.ENDPOINT,
        "peer_address": examples.DEVICE,
    }
    return model.ProbeResult(**(values | given))


def _answer(
    outcome: model.ProbeOutcome, version: Any = "v2", mode: Any = None, chosen: n.Proposal | None = None
) -> model.ProbeAnswer:
    return model.ProbeAnswer(ike_version=version, mode=mode, outcome=outcome, proposal=chosen)


def _rank(
    asked: model.Attempt, *probes: model.ProbeResult, of: model.Connection = examples.V2
) -> tuple[tuple[str, bool, str | None], ...]:
    context = examples.context(asked, of=of, probes=probes)
    return tuple((one.code, one.is_certain, one.theirs) for one in causes.rank(context))


@pytest.mark.parametrize(
    ("asked", "given", "of", "expected"),
    [
        pytest.param(
            REFUSED,
            {"answers": (_answer("chosen", chosen=proposal("aes-256", group="group14")),)},
            examples.V2,
            [("ike_proposal_mismatch", True, "aes-256 / sha2-256 / group14")],
            id="another-proposal",
        ),
        pytest.param(
            REFUSED,
            {"answers": (_answer("refused"), _answer("chosen", "v1", "main", proposal()))},
            examples.V2,
            [("ike_version_mismatch", True, "v1")],
            id="another-version",
        ),
        pytest.param(
            SILENT,
            {"answers": (_answer("silent", "v1", "main"), _answer("chosen", "v1", "aggressive", proposal()))},
            MAIN,
            [("ike_mode_mismatch", True, "aggressive")],
            id="another-mode",
        ),
        pytest.param(
            attempt(0, refused(1, "AUTHENTICATION_FAILED"), ike_version="v1", mode="main"),
            {
                "answers": (
                    _answer("chosen", "v1", "main", proposal()),
                    _answer("chosen", "v1", "aggressive", proposal()),
                )
            },
            MAIN,
            [("ike_mode_mismatch", True, "aggressive")],
            id="another-mode-after-the-first-message",
        ),
        pytest.param(
            REFUSED,
            {"answers": (_answer("refused"), _answer("silent", "v1", "main"))},
            examples.V2,
            [("no_connection_on_device", True, None)],
            id="nothing-is-taken",
        ),
        pytest.param(
            attempt(0, refused(1, "NO_PROPOSAL_CHOSEN"), ike_version="v1", mode="main"),
            {"answers": (_answer("refused"), _answer("refused", "v1", "main"))},
            MAIN,
            [("no_connection_on_device", False, None), ("psk_missing_on_device", False, None)],
            id="nothing-is-taken-in-ikev1",
        ),
        pytest.param(
            NOT_AUTHENTICATED,
            {"identity": model.ProbeIdentity(accepted=True, identity=fqdn("dev.example"))},
            examples.V2,
            [("peer_id_mismatch", True, "fqdn dev.example")],
            id="another-id",
        ),
        pytest.param(
            NOT_AUTHENTICATED,
            {"identity": model.ProbeIdentity(accepted=False, notify="AUTHENTICATION_FAILED")},
            examples.V2,
            [("psk_mismatch", False, None), ("local_id_mismatch", False, None)],
            id="not-the-device-s-id",
        ),
        pytest.param(
            attempt(0, refused(1, "AUTHENTICATION_FAILED"), ike_version="v1", mode="aggressive"),
            {"peer_identity": n.Identity(kind="key_id", value=examples.DEVICE)},
            AGGRESSIVE,
            [("peer_id_mismatch", True, f"key_id {examples.DEVICE}")],
            id="an-id-of-another-type",
        ),
        pytest.param(
            NO_CHILD,
            {"phase_2": model.ProbePhase2(outcome="chosen", proposal=esp("aes-256", group="group14"))},
            examples.V2,
            [("esp_proposal_mismatch", True, "aes-256 / sha2-256 / group14")],
            id="another-esp-proposal",
        ),
        pytest.param(
            NO_SELECTORS,
            {
                "phase_2": model.ProbePhase2(
                    outcome="chosen", selectors=n.Selectors(local=("10.1.0.0/24",), remote=("10.9.0.0/24",))
                )
            },
            examples.V2,
            [("selectors_mismatch", True, "10.1.0.0/24 - 10.9.0.0/24")],
            id="other-subnets",
        ),
    ],
)
def test_an_answer_makes_a_cause_certain(
    asked: model.Attempt, given: dict[str, Any], of: model.Connection, expected: list[tuple[str, bool, str | None]]
):
    assert list(_rank(asked, _probe(**given), of=of)) == expected


DECIDES = {"answers": (_answer("chosen", chosen=proposal("aes-256")),)}


@pytest.mark.parametrize(
    ("asked", "probe"),
    [
        pytest.param(REFUSED, _probe(configuration="before", **DECIDES), id="of-another-configuration"),
        pytest.param(whole(20, refused(21, "NO_PROPOSAL_CHOSEN")), _probe(**DECIDES), id="before-it-was-up"),
        pytest.param(REFUSED, _probe(failure="not asked"), id="not-asked"),
        pytest.param(REFUSED, _probe(answers=(_answer("chosen", chosen=proposal()),)), id="our-own-proposal"),
        pytest.param(REFUSED, _probe(answers=(_answer("silent"),)), id="silent"),
        pytest.param(NOT_AUTHENTICATED, _probe(**DECIDES), id="of-another-stage"),
        pytest.param(attempt(0, mismatch(1, 1, proposal("3des")), by="device"), _probe(**DECIDES), id="certain-before"),
    ],
)
def test_an_answer_that_says_nothing_about_the_cause_changes_nothing(asked: model.Attempt, probe: model.ProbeResult):
    assert _rank(asked, probe) == _rank(asked)


ENDED = (
    whole(0),
    attempt(20, examples.deleted(20), within_sa=True, outcome="deleted"),
    attempt(20.1, refused(21, "NO_PROPOSAL_CHOSEN")),
)
OTHER_GROUP = (_answer("chosen", chosen=proposal(group="group14")),)


@pytest.mark.parametrize(
    ("at", "answers", "expected"),
    [
        pytest.param(22, OTHER_GROUP, ("ike_proposal_mismatch", ("dh_group",)), id="another-group"),
        pytest.param(10, OTHER_GROUP, ("device_disabled", ()), id="asked-while-the-tunnel-was-up"),
        pytest.param(
            22,
            (_answer("refused"), _answer("chosen", "v1", "main", proposal())),
            ("ike_version_mismatch", ("ike_version",)),
            id="another-version",
        ),
        pytest.param(22, (_answer("refused"),), ("device_disabled", ()), id="refuses-all"),
        pytest.param(22, (_answer("chosen", chosen=proposal()),), ("device_disabled", ()), id="our-own-proposal"),
    ],
)
def test_an_answer_shows_what_was_changed_on_a_device_that_ended_its_tunnel(
    at: int, answers: tuple[model.ProbeAnswer, ...], expected: tuple[str, tuple[str, ...]]
):
    (found, *_) = causes.rank(examples.context(*ENDED, probes=[_probe(at, answers=answers)]))
    assert (found.code, found.differs, found.is_certain) == (*expected, True)
    assert (found.theirs is None) == (found.code == "device_disabled")


def test_the_reason_says_that_nothing_authenticates_the_answer():
    (found, *_) = causes.rank(examples.context(REFUSED, probes=[_probe(**DECIDES)]))
    assert SOURCE in found.reason
    assert [line.line for line in found.evidence] == ["probe p1: took aes-256 / sha2-256 / group15"]


def test_a_device_that_dials_the_other_endpoint_is_the_cause_whatever_it_answers_here():
    """It has no connection for this endpoint."""
    strange = attempt(
        1,
        examples.no_connection(2, "address"),
        by="device",
        peer_address=examples.DEVICE,
        local_address=examples.OTHER_ENDPOINT,
    )
    refuses_all = _probe(answers=(_answer("refused"),))
    context = examples.context(REFUSED, strangers=[strange], probes=[refuses_all])
    assert next(one.code for one in causes.rank(context)) == "wrong_endpoint"
