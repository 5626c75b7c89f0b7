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
        #: A gateway whose check runs -> the connections whose results are to be kept.
        self._checking: dict[str, set[str]] = {}
        self._results: defaultdict[str, dict[str, model.ProbeResult]] = defaultdict(dict)

    def state(self, gateway_id: str) -> state.PathState:
        with self._lock:
            results = dict(self._results.get(gateway_id, {}))
            return state.PathState(checking=gateway_id in self._checking, results=results, interval=self._interval)

    def keep(self, gateway_id: str, connection_ids: Collection[str]) -> None:
        """Forgets the results of other connections of the gateway, also those of a check that runs."""
        with self._lock:
            self._checking.get(gateway_id, set()).intersection_update(connection_ids)
            for connection_id in self._results.get(gateway_id, {}).keys() - set(connection_ids):
                del self._results[gateway_id][connection_id]
            if not self._results.get(gateway_id):
                self._results.pop(gateway_id, None)

    def start(self, gateway_id: str, step: steps.CheckPaths) -> None:
        with self._lock:
            self._checking[gateway_id] = {check.connection_id for check in step.checks}
        threading.Thread(target=self._run, args=(gateway_id, step), name="paths", daemon=True).start()

    def _run(self, gateway_id: str, step: steps.CheckPaths) -> None:
        at = datetime.now(UTC)
        try:
            checked = _checked(gateway_id, step)
        except failures.ERRORS as error:
            checked = dict.fromkeys((check.connection_id for check in step.checks), failures.text(error))
        except Exception:
            log.exception("gateway %s: the check of paths failed", gateway_id)
            checked = dict.fromkeys(
                (check.connection_id for check in step.checks), "a fault of the service; its log has it"
            )
        results = {check.connection_id: _result(check, checked.get(check.connection_id), at) for check in step.checks}
        with self._lock:
            kept = results.keys() & self._checking.pop(gateway_id)
            known = dict(self._results.get(gateway_id, {}))
            if kept:
                self._results[gateway_id].update({connection_id: results[connection_id] for connection_id in kept})
        for connection_id, result in results.items():
            base.PATH_CHECKS.add(1, result.path.outcome if result.path else "failed")
            log.log(_level(result, known.get(connection_id)), "connection %s: %s", connection_id, describe(result))
        self._changed(gateway_id)


def _checked(gateway_id: str, step: steps.CheckPaths) -> dict[str, path_check.PathCheckResult | str]:
    """Connection id -> what was found, or why its path could not be checked."""
    searches: dict[str, tuple[str, path_check.Search]] = {}
    failed: dict[str, str] = {}
    with namespace.inside(names.namespace(gateway_id), lambda _: icmp.EchoSocket()) as opened:
        for check in step.checks:
            try:
                if check.targets:
                    searches[check.connection_id] = (
                        check.device,
                        path_check.search(check.targets, opened.mtu(check.device)),
                    )
            except OSError as error:
                failed[check.connection_id] = f"{check.device}: {failures.text(error)}"
        return path_check.run(opened, searches) | failed


def _result(
    check: steps.PathCheck, outcome: path_check.PathCheckResult | str | None, at: datetime
) -> model.ProbeResult:
    checked = outcome if isinstance(outcome, path_check.PathCheckResult) else None
    failure = outcome if isinstance(outcome, str) else None
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
