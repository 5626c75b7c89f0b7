"""Runs probes, each in a thread of its own beside the cycles of the gateways, and keeps their results."""

import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import failures, names, state, steps
from landbridge.engine.strongswan.ike import probe, probe_sas
from landbridge.engine.strongswan.ike import steps as ike_steps
from landbridge.engine.strongswan.network import namespace
from landbridge.model import negotiation

log = logging.getLogger(__name__)

#: Devices that are asked at once. A probe lasts up to 16 s, and nearly all of that is waiting.
AT_ONCE = 8
#: How long the times of a device's probes are kept.
REMEMBERED = timedelta(hours=1)


class ProbeRunner:
    """The probes of all gateways of an engine. Any thread may call. `changed` is called with the gateway's id when a probe has ended."""

    def __init__(
        self,
        changed: Callable[[str], None],
        folder_of: Callable[[str], Path],
        loaded: Callable[[str, ike_steps.LoadConn], None],
        *,
        automatic: bool,
    ) -> None:
        """`loaded` is called with each step that a probe loads into a gateway's charon."""
        self._changed = changed
        self._folder_of = folder_of
        self._loaded = loaded
        self._automatic = automatic
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._asking: defaultdict[str, set[str]] = defaultdict(set)
        self._results: defaultdict[str, dict[str, model.ProbeResult]] = defaultdict(dict)
        self._asked_at: dict[str, tuple[datetime, ...]] = {}

    def state(self, gateway_id: str) -> state.ProbeState:
        with self._lock:
            return state.ProbeState(
                asking=frozenset(self._asking.get(gateway_id, ())),
                held=frozenset(self._asking.get(gateway_id, set()) & self._held),
                results=dict(self._results.get(gateway_id, {})),
                asked_at=self._asked_within(datetime.now(UTC)),
                places=max(0, AT_ONCE - sum(map(len, self._asking.values()))),
                automatic=self._automatic,
            )

    def _asked_within(self, now: datetime) -> dict[str, tuple[datetime, ...]]:
        recent = {peer: tuple(at for at in times if now - at < REMEMBERED) for peer, times in self._asked_at.items()}
        return {peer: times for peer, times in recent.items() if times}

    def keep(self, gateway_id: str, connection_ids: Collection[str]) -> None:
        """Forgets the results of other connections of the gateway."""
        with self._lock:
            for connection_id in self._results.get(gateway_id, {}).keys() - set(connection_ids):
                del self._results[gateway_id][connection_id]
            if not self._results.get(gateway_id):
                self._results.pop(gateway_id, None)

    def start(self, gateway_id: str, step: steps.AskDevice) -> None:
        now = datetime.now(UTC)
        with self._lock:
            self._asking[gateway_id].add(step.connection_id)
            if step.uses_charon:
                self._held.add(step.connection_id)
            if step.question is not None or step.uses_charon:
                self._asked_at = self._asked_within(now)
                self._asked_at[step.peer_address] = (*self._asked_at.get(step.peer_address, ()), now)
        threading.Thread(target=self._run, args=(gateway_id, step, now), name="probe", daemon=True).start()

    def _run(self, gateway_id: str, step: steps.AskDevice, now: datetime) -> None:
        result = model.ProbeResult(
            id=step.probe_id or str(uuid.uuid4()),
            connection_id=step.connection_id,
            at=now,
            reason="order" if step.probe_id else "automatic",
            configuration=step.configuration,
            local_address=step.local_address,
            peer_address=step.peer_address,
            failure=step.failure,
        )
        try:
            result = _ask(gateway_id, step, result)
            result = self._ask_by_charon(gateway_id, step, result)
        except failures.ERRORS as error:
            result = replace(result, failure=failures.text(error))
        except Exception:
            log.exception("connection %s: the probe failed", step.connection_id)
            result = replace(result, failure="a fault of the service; its log has it")
        log.info("connection %s: %s", step.connection_id, describe(result))
        base.PROBES.add(1, result.reason)
        with self._lock:
            self._asking[gateway_id].discard(step.connection_id)
            self._held.discard(step.connection_id)
            self._results[gateway_id][step.connection_id] = result
        self._changed(gateway_id)

    def _ask_by_charon(self, gateway_id: str, step: steps.AskDevice, result: model.ProbeResult) -> model.ProbeResult:
        folder = self._folder_of(gateway_id)
        if step.phase_2 is not None:
            answer, packets = probe_sas.ask_phase_2(folder, step.phase_2, partial(self._loaded, gateway_id))
            result = replace(result, phase_2=answer, packets=result.packets + packets)
        if step.identity is not None:
            identity = probe_sas.ask_identity(folder, step.identity)
            result = replace(result, identity=identity, packets=result.packets + 2)
        return result


def _ask(gateway_id: str, step: steps.AskDevice, result: model.ProbeResult) -> model.ProbeResult:
    question = step.question
    if question is None:
        return result
    raw = namespace.inside(
        names.namespace(gateway_id), lambda _: probe.open_socket(question.local_address, question.peer_address)
    )
    with raw:
        answers = probe.ask(raw, question)
    return replace(result, packets=answers.packets, answers=answers.answers, peer_identity=answers.identity)


def describe(result: model.ProbeResult) -> str:
    """A line for the log: `probe of 198.51.100.2, 2 packets: v2 chosen aes-256 sha2-384 group20`."""
    parts = [_answer(answer) for answer in result.answers]
    if result.phase_2 is not None:
        parts.append(f"phase 2 {_words(result.phase_2.outcome, result.phase_2.notify, result.phase_2.proposal)}")
    if result.identity is not None:
        detail = result.identity.identity.value if result.identity.identity else result.identity.notify
        parts.append(f"id {'accepted' if result.identity.accepted else 'refused'} {detail}")
    parts += [result.failure] if result.failure else []
    return f"probe of {result.peer_address or 'the device'}, {result.packets} packets: {'; '.join(parts)}"


def _answer(answer: model.ProbeAnswer) -> str:
    mode = f"{answer.ike_version} {answer.mode}" if answer.mode else answer.ike_version
    return f"{mode} {_words(answer.outcome, answer.notify, answer.proposal)}"


def _words(outcome: str, notify: str | None, proposal: negotiation.Proposal | None) -> str:
    words = [outcome, notify or ""]
    if proposal is not None:
        words += [*proposal.encryption, *(proposal.integrity or proposal.prf), *proposal.groups]
    return " ".join(filter(None, words))
