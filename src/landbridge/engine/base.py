"""The contract of an engine, kept by `tests/contract/test_engine.py` on every engine.

One cycle is observe, plan, apply each step, observe again, report. `plan` and `report` are pure. A second plan after a
complete first one is empty. An engine remembers nothing that it needs: it plans from what it sees.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from landbridge.model.desired import DesiredGateway
from landbridge.model.observation import Observation

log = logging.getLogger(__name__)


class Step(Protocol):
    """One change to the world. `connection_id` is None for what concerns the whole gateway."""

    @property
    def connection_id(self) -> str | None: ...

    def __str__(self) -> str:
        """What the step does, for a log line: never a secret."""


class StepFailed(Exception):
    """A step could not be carried out; the message says why in the operator's words."""


class EngineUnavailable(Exception):
    """This machine cannot run the engine; the message names what is missing."""


#: What went wrong in this cycle: connection id (None: the gateway itself) -> the operator's words.
Failures = dict[str | None, str]


class Course:
    """What became of a plan's steps so far, told to the log."""

    def __init__(self, gateway_id: str) -> None:
        self._gateway_id = gateway_id
        self._failed: set[str | None] = set()
        self.failures: Failures = {}

    def leaves_out(self, step: Step) -> bool:
        """After a failure: what concerns the same connection, or everything when the gateway itself failed."""
        return None in self._failed or step.connection_id in self._failed

    def done(self, step: Step) -> None:
        log.info("gateway %s: %s", self._gateway_id, step)

    def failed(self, step: Step, words: str, *, alone: bool = False) -> None:
        """`alone`: the steps after it do not need it, and go on."""
        log.warning("gateway %s: %s: %s", self._gateway_id, step, words)
        self.failures[step.connection_id] = f"{step}: {words}"
        if not alone:
            self._failed.add(step.connection_id)


Seen = TypeVar("Seen")
Do = TypeVar("Do", bound=Step)


def one_by_one(apply: Callable[[str, Do], None], gateway_id: str, plan: Sequence[Do]) -> Failures:
    """`carry_out` of an engine that does one thing at a time."""
    course = Course(gateway_id)
    for step in plan:
        if course.leaves_out(step):
            continue
        try:
            apply(gateway_id, step)
        except StepFailed as error:
            course.failed(step, str(error))
        else:
            course.done(step)
    return course.failures


class Engine(Protocol[Seen, Do]):
    """`Seen` is the engine's own view of a gateway, `Do` its kind of step."""

    @property
    def name(self) -> str: ...

    def describe(self) -> dict[str, str]:
        """What this engine is and can do on this machine, for the log and `/readyz`: name, version, data plane."""

    def gateways(self) -> frozenset[str]:
        """Ids of the gateways of which anything exists here, wanted or not."""

    def observe(self, gateway_id: str) -> Seen:
        """One look. Raises StepFailed when it cannot see: that is not the same as seeing nothing."""

    def plan(self, gateway_id: str, desired: DesiredGateway | None, seen: Seen) -> Sequence[Do]:
        """Ordered steps from `seen` to `desired` (None: nothing of the gateway may remain). Pure."""

    def apply(self, gateway_id: str, step: Do) -> None:
        """Carries out one step. Raises StepFailed."""

    def carry_out(self, gateway_id: str, plan: Sequence[Do]) -> Failures:
        """Applies the steps in their order, as `Course` has it. One may begin before another one is done, if it may fail alone."""

    def report(self, gateway_id: str, desired: DesiredGateway | None, seen: Seen, failures: Failures) -> Observation:
        """What is true, in the words of the model."""

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        """Calls `changed(gateway_id)` whenever something happens by itself; returns when `stop` is set."""
