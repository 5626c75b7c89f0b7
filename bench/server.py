"""A `landbridge serve` to measure: started, asked, and stopped."""

import contextlib
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent


class Server:
    """A `landbridge serve` of our own, on a free port."""

    def __init__(self, data: Path, engine: str, *, profile: Path | None = None) -> None:
        command = [str(BIN / "landbridge"), "serve", "--data", str(data), "--listen", "127.0.0.1:0", "--engine", engine]
        if profile is not None:
            command = [sys.executable, "-m", "cProfile", "-o", str(profile), *command, "--processes", "1"]
        environment = dict(os.environ, LANDBRIDGE_LIMITS_CONNECTIONS_PER_GATEWAY="100000")
        self.log = data.with_suffix(".log").open("ab")
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log)
        self.data = data
        self.credentials = self._wait()
        self.host, port = self.credentials["endpoint"].removeprefix("http://").split(":")
        self.port = int(port)

    def _wait(self) -> dict[str, str]:
        path = self.data / "credentials.toml"
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(Path(self.log.name).read_text())
            with contextlib.suppress(OSError, tomllib.TOMLDecodeError):
                known = tomllib.loads(path.read_text())
                urllib.request.urlopen(known["endpoint"] + "/healthz").close()
                return known
            time.sleep(0.05)
        raise RuntimeError("the server did not start")

    def call(self, method: str, path: str, content: object = None) -> Any:
        url = f"{self.credentials['endpoint']}/v5/{self.credentials['project_id']}/{path}"
        request = urllib.request.Request(url, method=method, headers={"X-Auth-Token": self.credentials["token"]})
        if content is not None:
            request.data = json.dumps(content).encode()
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"{}")

    def signed(self, method: str, path: str, query: str = "", content: object = None) -> bytes:
        """The bytes of a whole signed request, as the Python SDK signs. `query` in the order of its names."""
        body = b"" if content is None else json.dumps(content).encode()
        path = f"/v5/{self.credentials['project_id']}/{path}"
        host = f"{self.host}:{self.port}"
        date = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        headers = {"content-type": "application/json", "host": host, "x-sdk-date": date}
        canonical = f"{method}\n{path}/\n{query}\n" + "".join(f"{k}:{v}\n" for k, v in headers.items())
        canonical += f"\n{';'.join(headers)}\n{hashlib.sha256(body).hexdigest()}"
        text = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self.credentials["secret_key"].encode(), text.encode(), "sha256").hex()
        authorization = (
            f"SDK-HMAC-SHA256 Access={self.credentials['access_key']}, "
            f"SignedHeaders={';'.join(headers)}, Signature={signature}"
        )
        lines = [f"{method} {path}{'?' if query else ''}{query} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        lines += [f"authorization: {authorization}", f"content-length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.log.close()


@contextlib.contextmanager
def serving(data: Path, engine: str, *, profile: Path | None = None) -> Iterator[Server]:
    server = Server(data, engine, profile=profile)
    try:
        yield server
    finally:
        server.stop()
