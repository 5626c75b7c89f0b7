"""A process that calls a vendor's SDK: calls go in and results come out as lines of JSON."""

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: A call is one request to a service on this machine; the SDK's own time limit is longer.
CALL_SECONDS = 120


class Refused(Exception):
    """What the SDK raised: its fields as the SDK gives them."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.error = error
        super().__init__(str(error))


class Sdk:
    """An SDK, configured for one project."""

    def __init__(self, command: Sequence[str | Path], credentials: Mapping[str, str]) -> None:
        words = [credentials[name] for name in ("endpoint", "access_key", "secret_key", "project_id")]
        self._process = subprocess.Popen(
            [*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def call(self, operation: str, body: Any = None, **parameters: Any) -> dict[str, Any]:
        """The answer of an operation, `show_vgw` for example, as the SDK read it. Raises Refused."""
        request = parameters if body is None else parameters | {"body": body}
        result = self._exchange({"operation": _method(operation), "request": request})
        if "error" in result:
            raise Refused(result["error"])
        return _given(result["response"])

    def has(self, operation: str) -> bool:
        return bool(self._exchange({"operation": _method(operation)})["has"])

    def _exchange(self, call: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        timer = threading.Timer(CALL_SECONDS, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(json.dumps(call) + "\n")
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        assert line, f"the SDK's process ended at {call}"
        return json.loads(line)

    def close(self) -> None:
        self._process.communicate(timeout=CALL_SECONDS)


def _method(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_"))


def _given(value: Any) -> Any:
    """Without what an SDK shows as null because the answer does not have it."""
    if isinstance(value, list):
        return [_given(one) for one in value]
    if isinstance(value, dict):
        return {name: _given(one) for name, one in value.items() if one is not None}
    return value
