"""Asks devices, each in a thread of its own beside the cycles of the gateways, and keeps what they answered."""

import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import failures, names, state, steps
from landbridge.engine.strongswan.ike import probe
from landbridge.engine.strongswan.network import namespace
from landbridge.telemetry import log_fields

log = logging.getLogger(__name__)

#: Devices that are asked at once. A probe lasts up to 16 s, and nearly all of that is waiting.
AT_ONCE = 8
#: For that long a device's last time counts.
REMEMBERED = timedelta(hours=1)


class Probes:
    """Of all gateways of an engine. Any thread may call. `changed` is called with the gateway's id when a probe is over."""

    def __init__(self, changed: Callable[[str], None], *, automatic: bool) -> None:
        self._changed = changed
        self._automatic = automatic
        self._lock = threading.Lock()
        self._asking: defaultdict[str, set[str]] = defaultdict(set)
        self._results: defaultdict[str, dict[str, model.ProbeResult]] = defaultdict(dict)
        self._asked_at: dict[str, datetime] = {}

    def state(self, gateway_id: str) -> state.ProbeState:
        with self._lock:
            return state.ProbeState(
                asking=frozenset(self._asking.get(gateway_id, ())),
                results=dict(self._results.get(gateway_id, {})),
                asked_at=dict(self._asked_at),
                places=max(0, AT_ONCE - sum(map(len, self._asking.values()))),
                automatic=self._automatic,
            )

    def keep(self, gateway_id: str, connection_ids: Collection[str]) -> None:
        """Forgets the results of other connections of the gateway."""
        with self._lock:
            for gone in self._results.get(gateway_id, {}).keys() - set(connection_ids):
                del self._results[gateway_id][gone]
            if not self._results.get(gateway_id):
                self._results.pop(gateway_id, None)

    def start(self, gateway_id: str, step: steps.AskDevice) -> None:
        now = datetime.now(UTC)
        with self._lock:
            self._asking[gateway_id].add(step.connection_id)
            if step.question is not None:
                self._asked_at = {peer: at for peer, at in self._asked_at.items() if now - at < REMEMBERED}
                self._asked_at[step.peer_address] = now
        threading.Thread(target=self._run, args=(gateway_id, step, now), name="probe", daemon=True).start()

    def _run(self, gateway_id: str, step: steps.AskDevice, now: datetime) -> None:
        try:
            answers, failure = _ask(gateway_id, step.question), step.failure
        except failures.ERRORS as error:
            answers, failure = probe.Answers(), failures.text(error)
        except Exception:
            log.exception("connection %s: the probe failed", step.connection_id)
            answers, failure = probe.Answers(), "a fault of the service; its log has it"
        result = model.ProbeResult(
            id=step.probe_id or str(uuid.uuid4()),
            connection_id=step.connection_id,
            at=now,
            reason="order" if step.probe_id else "automatic",
            configuration=step.configuration,
            local_address=step.local_address,
            peer_address=step.peer_address,
            packets=answers.packets,
            answers=answers.answers,
            peer_identity=answers.identity,
            failure=failure,
        )
        base.PROBES.add(1, result.reason)
        ids = log_fields.of(gateway_id=gateway_id, connection_id=step.connection_id)
        log.info("connection %s: %s", step.connection_id, describe(result), extra=ids)
        with self._lock:
            self._asking[gateway_id].discard(step.connection_id)
            self._results[gateway_id][step.connection_id] = result
        self._changed(gateway_id)


def _ask(gateway_id: str, question: probe.Question | None) -> probe.Answers:
    if question is None:
        return probe.Answers()
    raw = namespace.inside(
        names.namespace(gateway_id), lambda _: probe.open_socket(question.local_address, question.peer_address)
    )
    with raw:
        return probe.ask(raw, question)


def describe(result: model.ProbeResult) -> str:
    """A line for the log: `probe of 198.51.100.2, 2 packets: v2 chosen aes-256 sha2-384 group20`."""
    said = [_answer(one) for one in result.answers] + ([result.failure] if result.failure else [])
    return f"probe of {result.peer_address or 'the device'}, {result.packets} packets: {'; '.join(said)}"


def _answer(answer: model.ProbeAnswer) -> str:
    words = [answer.ike_version, answer.mode or "", answer.outcome, answer.notify or ""]
    if answer.proposal is not None:
        chosen = answer.proposal
        words += [*chosen.encryption, *(chosen.integrity or chosen.prf), *chosen.groups]
    return " ".join(filter(None, words))
