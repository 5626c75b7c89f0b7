"""The contract of an engine. `tests/contract/test_engine.py` checks it for every engine.

One cycle is observe, prepare, plan, carry out, observe again, report. `plan` and `report` are pure. A second plan after a complete first
one is empty. An engine needs no memory: it plans from what it observes.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from landbridge.model.desired import DesiredGateway
from landbridge.model.observation import Observation
from landbridge.telemetry import log_fields, shared_metrics

log = logging.getLogger(__name__)
# All processes must have the same metrics, also those without an engine. So these are here and not in an engine.
PROBES = shared_metrics.Counter("landbridge_probes_total", "Probes that have ended.", reason=("automatic", "order"))
PATH_CHECKS = shared_metrics.Counter(
    "landbridge_path_checks_total",
    "Checks of the path through a tunnel that have ended.",
    outcome=("passes", "reported", "black_hole", "unanswered", "failed"),
)
RESTARTS = shared_metrics.Counter(
    "landbridge_charon_restarts_total", "Charons that died or did not answer, and were started again."
)


class Step(Protocol):
    """One change to the world. `connection_id` is None for what concerns the whole gateway."""

    @property
    def connection_id(self) -> str | None: ...

    def __str__(self) -> str:
        """Returns what the step does, for a log line: never a secret."""


@dataclass(frozen=True, slots=True)
class GatewayStep:
    """A step that concerns the whole gateway, and none of its connections alone."""

    @property
    def connection_id(self) -> None:
        return None


class StepFailed(Exception):
    """A step could not be carried out; the message says why in the operator's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Something that an engine needs of its machine. `state`: missing, of what nothing works without; warning, of what less works without.
    `remedy`: how to mend it; empty when there is nothing to mend.
    """

    name: str
    state: Literal["ok", "warning", "missing"] = "ok"
    found: str
    remedy: str = ""


class EngineUnavailable(Exception):
    """This machine cannot run the engine; the message names what is missing."""


#: What went wrong in this cycle: connection id (None: the gateway itself) -> the reason, in the operator's words.
Failures = dict[str | None, str]


class PlanRun:
    """The steps of one plan as they are carried out: which failed, and which must be skipped for that."""

    def __init__(self, gateway_id: str) -> None:
        self._gateway_id = gateway_id
        self._failed: set[str | None] = set()
        self.failures: Failures = {}

    def should_skip(self, step: Step) -> bool:
        """True after a failed step of the same connection or of the gateway as a whole."""
        return None in self._failed or step.connection_id in self._failed

    def done(self, step: Step) -> None:
        log.info("gateway %s: %s", self._gateway_id, step, extra=self._fields(step))

    def failed(self, step: Step, reason: str, *, isolated: bool = False, concerned: Sequence[str] = ()) -> None:
        """`isolated`: the later steps do not need this one and are carried out. `concerned`: ids of the connections that the failure
        affects; empty: the connection of the step, or all of the gateway.
        """
        log.warning("gateway %s: %s: %s", self._gateway_id, step, reason, extra=self._fields(step))
        for connection_id in concerned or (step.connection_id,):
            self.failures[connection_id] = f"{step}: {reason}"
        if not isolated:
            self._failed.add(step.connection_id)

    def _fields(self, step: Step) -> dict[str, Any]:
        ids = {"gateway_id": self._gateway_id, "connection_id": step.connection_id}
        return log_fields.extra(**{name: value for name, value in ids.items() if value is not None})


State = TypeVar("State")
Target = TypeVar("Target")
StepT = TypeVar("StepT", bound=Step)


def apply_in_order(apply: Callable[[str, StepT], None], gateway_id: str, plan: Sequence[StepT]) -> Failures:
    """`carry_out` of an engine that does one thing at a time."""
    run = PlanRun(gateway_id)
    for step in plan:
        if run.should_skip(step):
            continue
        try:
            apply(gateway_id, step)
        except StepFailed as error:
            run.failed(step, str(error))
        else:
            run.done(step)
    return run.failures


class Engine(Protocol[State, Target, StepT]):
    """`State` is what the engine observes of a gateway, `Target` what it must have, `StepT` the engine's kind of step."""

    @property
    def name(self) -> str: ...

    def describe(self) -> dict[str, str]:
        """Returns what this engine is and can do on this machine, for the log and `/readyz`: name, version, data plane."""

    def gateways(self) -> frozenset[str]:
        """Ids of the gateways of which anything exists here, desired or not."""

    def observe(self, gateway_id: str) -> State:
        """Looks at the gateway once. Raises StepFailed when the engine cannot see, which differs from seeing nothing."""

    def prepare(self, gateway_id: str, desired: DesiredGateway | None, observed: State) -> Target:
        """Returns what the gateway must have, for `plan` and `report` of this cycle. The result holds PSKs and must not be kept longer.

        `desired` None: nothing of the gateway may remain.
        """

    def plan(self, gateway_id: str, prepared: Target, observed: State) -> Sequence[StepT]:
        """Ordered steps from `observed` to `prepared`. Pure."""

    def apply(self, gateway_id: str, step: StepT) -> None:
        """Carries out one step. Raises StepFailed."""

    def carry_out(self, gateway_id: str, plan: Sequence[StepT]) -> Failures:
        """Applies the steps in their order, and skips what a PlanRun says. A step may begin before the step before it is done
        when it may fail alone.
        """

    def report(self, gateway_id: str, prepared: Target, observed: State, failures: Failures) -> Observation:
        """Returns what is true, in the words of the model. Pure."""

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        """Calls `changed(gateway_id)` after every event that no step caused. Returns when `stop` is set."""
