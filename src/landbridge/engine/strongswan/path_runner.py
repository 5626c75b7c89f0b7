"""Runs checks of paths, one of a gateway at a time, each in a thread beside the cycles of the gateway, and keeps their results."""

import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import failures, names, state, steps
from landbridge.engine.strongswan.echo import icmp, path_check
from landbridge.engine.strongswan.network import namespace

log = logging.getLogger(__name__)


class PathRunner:
    """The checks of all gateways of an engine. Any thread may call. `changed` is called with the gateway's id when a check has ended."""

    def __init__(self, changed: Callable[[str], None], interval: timedelta | None) -> None:
        """`interval`: between two automatic checks of a tunnel; None: there are none."""
        self._changed = changed
        self._interval = interval
        self._lock = threading.Lock()
        self._checking: set[str] = set()
        self._results: defaultdict[str, dict[str, model.ProbeResult]] = defaultdict(dict)

    def state(self, gateway_id: str) -> state.PathState:
        with self._lock:
            results = dict(self._results.get(gateway_id, {}))
            return state.PathState(checking=gateway_id in self._checking, results=results, interval=self._interval)

    def keep(self, gateway_id: str, connection_ids: Collection[str]) -> None:
        """Forgets the results of other connections of the gateway."""
        with self._lock:
            for gone in self._results.get(gateway_id, {}).keys() - set(connection_ids):
                del self._results[gateway_id][gone]
            if not self._results.get(gateway_id):
                self._results.pop(gateway_id, None)

    def start(self, gateway_id: str, step: steps.CheckPaths) -> None:
        with self._lock:
            self._checking.add(gateway_id)
        threading.Thread(target=self._run, args=(gateway_id, step), name="paths", daemon=True).start()

    def _run(self, gateway_id: str, step: steps.CheckPaths) -> None:
        at, found, failure = datetime.now(UTC), dict[str, path_check.Checked](), None
        try:
            found = _checked(gateway_id, step)
        except failures.ERRORS as error:
            failure = failures.text(error)
        except Exception:
            log.exception("gateway %s: the check of paths failed", gateway_id)
            failure = "a fault of the service; its log has it"
        results = {one.connection_id: _result(one, found.get(one.connection_id), at, failure) for one in step.checks}
        with self._lock:
            self._checking.discard(gateway_id)
            known = dict(self._results[gateway_id])
            self._results[gateway_id].update(results)
        for connection_id, result in results.items():
            base.PATH_CHECKS.add(1, result.path.outcome if result.path else "failed")
            log.log(_level(result, known.get(connection_id)), "connection %s: %s", connection_id, describe(result))
        self._changed(gateway_id)


def _checked(gateway_id: str, step: steps.CheckPaths) -> dict[str, path_check.Checked]:
    with namespace.inside(names.namespace(gateway_id), lambda _: icmp.EchoSocket()) as opened:
        searches = {
            one.connection_id: (one.device, path_check.search(one.targets, opened.mtu(one.device)))
            for one in step.checks
            if one.targets
        }
        return path_check.run(opened, searches)


def _result(
    check: steps.PathCheck, checked: path_check.Checked | None, at: datetime, failure: str | None
) -> model.ProbeResult:
    return model.ProbeResult(
        id=check.probe_id or str(uuid.uuid4()),
        connection_id=check.connection_id,
        at=at,
        reason="order" if check.probe_id else "automatic",
        configuration=check.configuration,
        local_address=check.local_address,
        peer_address=check.peer_address,
        packets=checked.packets if checked else 0,
        path=checked.path if checked else None,
        failure=check.failure or failure,
    )


def _level(result: model.ProbeResult, last: model.ProbeResult | None) -> int:
    """INFO for the result of an order and for a new finding, DEBUG for a repeated one."""
    is_old = last is not None and (last.path and last.path.finding) == (result.path and result.path.finding)
    return logging.DEBUG if is_old and result.reason == "automatic" else logging.INFO


def describe(result: model.ProbeResult) -> str:
    """A line for the log: `path to 192.168.44.10, 13 packets: black_hole 1150 of 1438`."""
    if result.path is None:
        return f"path: not checked: {result.failure}"
    to = result.path.destination or ", ".join(result.path.asked)
    return f"path to {to}, {result.packets} packets: {result.path.finding}"
