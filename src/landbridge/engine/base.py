"""The contract of an engine, kept by `tests/contract/test_engine.py` on every engine.

One cycle is observe, plan, apply each step, observe again, report. `plan` and `report` are pure. A second plan after a
complete first one is empty. An engine remembers nothing that it needs: it plans from what it sees.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from landbridge.model.desired import DesiredGateway
from landbridge.model.observation import Observation


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


Seen = TypeVar("Seen")
Do = TypeVar("Do", bound=Step)


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

    def report(self, gateway_id: str, desired: DesiredGateway | None, seen: Seen, failures: Failures) -> Observation:
        """What is true, in the words of the model."""

    def watch(self, changed: Callable[[str], None], stop: threading.Event) -> None:
        """Calls `changed(gateway_id)` whenever something happens by itself; returns when `stop` is set."""
