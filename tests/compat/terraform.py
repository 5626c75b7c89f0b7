"""The HTTP side of the two Terraform families, written from what was recorded of them: headers, signature, which answers
they take, what they wait for, and what they print. Nothing of ours is in it.

`huaweicloud` (golangsdk) signs with a key and leaves `host` unsigned; `opentelekomcloud` (gophertelekomcloud) sends a token.
"""

import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.02
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
PSK = "Correct-Horse-7"


class Refused(Exception):
    """An answer that the client does not take. The text is what it prints."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`takes`: statuses by method. The rest: what may be seen while one waits; None is anything but ERROR."""

    name: str
    agent: str
    takes: Mapping[str, frozenset[int]]
    while_deleting: frozenset[str] | None
    connection_fails: frozenset[str]


HUAWEI = Family(
    name="huaweicloud",
    agent="terraform-provider-iac golangsdk/2.0.0",
    takes={
        "GET": frozenset({200}),
        "POST": frozenset({200, 201, 202}),
        "PUT": frozenset({200, 201, 202}),
        "DELETE": frozenset({200, 202, 204}),
    },
    while_deleting=None,
    connection_fails=frozenset({"ERROR"}),
)
OTC = Family(
    name="opentelekomcloud",
    agent="gophertelekomcloud",
    takes={
        "GET": frozenset({200}),
        "POST": frozenset({201, 202}),
        "PUT": frozenset({200}),
        "DELETE": frozenset({202, 204}),
    },
    while_deleting=frozenset({"ACTIVE", "PENDING_DELETE"}),
    connection_fails=frozenset(),
)
#: A connection without an answering peer is DOWN, and made.
CONNECTION_DONE = frozenset({"ACTIVE", "DOWN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content) if self.content else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A provider that is configured for one project."""

    family: Family
    endpoint: str
    project_id: str
    access_key: str
    secret_key: str
    token: str

    def raw(self, method: str, path: str, body: Any = None, *, zeroes: bool = False, **more: str) -> Answer:
        """One request as the family sends it, with its `zeroes` or without. `more`: headers on top, after the signature."""
        url = f"{self.endpoint}{path if path.startswith('/') else f'/v5/{self.project_id}/{path}'}"
        sent = body if zeroes else without_zeroes(body)
        content = b"" if body is None else json.dumps(sent, separators=(",", ":")).encode()
        headers = self._headers(method, url, content) | {name.replace("_", "-"): text for name, text in more.items()}
        return send(method, url, content, headers)

    def call(self, method: str, path: str, body: Any = None, ok: frozenset[int] | None = None) -> Any:
        """The parsed answer. Raises Refused."""
        answer = self.raw(method, path, body)
        taken = ok or self.family.takes[method]
        if answer.status not in taken:
            raise Refused(answer.status, self._printed(method, path, answer, taken))
        return answer.json

    def create(self, path: str, envelope: str, **body: Any) -> Any:
        return self.call("POST", path, {envelope: body})[envelope]

    def get(self, path: str, envelope: str) -> Any:
        return self.call("GET", path)[envelope]

    def put(self, path: str, envelope: str, **body: Any) -> Any:
        return self.call("PUT", path, {envelope: body})[envelope]

    def gateway(self, **fields: Any) -> Any:
        """A gateway that is ACTIVE, from the smallest block that people write."""
        words: dict[str, Any] = {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"], "attachment_type": "vpc"}
        made = self.create("vpn-gateways", "vpn_gateway", **(words | {"bgp_asn": 64512} | fields))
        return self.wait_gateway(made["id"], "PENDING_CREATE")

    def customer_gateway(self, **fields: Any) -> Any:
        words = {"id_type": "ip", "id_value": "198.51.100.2", "bgp_asn": 65000}
        return self.create("customer-gateways", "customer_gateway", **(words | fields))

    def connection(self, gateway: Any, peer: Any, **fields: Any) -> Any:
        """A connection as its create answered."""
        ends = {"vgw_id": gateway["id"], "vgw_ip": gateway["master_eip"]["id"], "cgw_id": peer["id"]}
        words = {"style": "static", "peer_subnets": ["192.168.44.0/24"], "psk": PSK} | fields
        return self.create("vpn-connection", "vpn_connection", **(ends | words))

    def _headers(self, method: str, url: str, content: bytes) -> dict[str, str]:
        sent = {"Accept": "application/json", "User-Agent": self.family.agent}
        if content:
            sent["Content-Type"] = "application/json"
        if self.family is OTC:
            return sent | {"X-Auth-Token": self.token}
        sent["X-Sdk-Date"] = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        sent["Authorization"] = self._authorization(method, url, content, sent)
        return sent | {"X-Project-Id": self.project_id, "X-Domain-Id": "0" * 32}

    def _authorization(self, method: str, url: str, content: bytes, sent: dict[str, str]) -> str:
        parts = urlsplit(url)
        signed = {name.lower(): text.strip() for name, text in sorted(sent.items())}
        path = "/".join(quote(unquote(segment), safe="~") for segment in parts.path.split("/"))
        query = sorted(f"{quote(n, safe='~')}={quote(v, safe='~')}" for n, v in parse_qsl(parts.query))
        names = ";".join(signed)
        lines = [method, path.rstrip("/") + "/", "&".join(query), *(f"{n}:{v}" for n, v in signed.items()), "", names]
        canonical = "\n".join([*lines, hashlib.sha256(content).hexdigest()])
        text = f"SDK-HMAC-SHA256\n{sent['X-Sdk-Date']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self.secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
        return f"SDK-HMAC-SHA256 Access={self.access_key}, SignedHeaders={names}, Signature={signature}"

    def _printed(self, method: str, path: str, answer: Answer, taken: frozenset[int]) -> str:
        """What golangsdk makes of it: most with the whole body, a 403 with its first 200 characters, a 401 with none."""
        if answer.status == 401:
            return "Authentication failed"
        text = answer.content.decode()
        named = {400: "Bad request with:", 403: "Action forbidden:", 404: "Resource not found:"}.get(answer.status)
        if answer.status == 403 and len(text) > 200:
            text = text[:200] + "\n..."
        if named is None:
            return (
                f"Expected HTTP response code {sorted(taken)} when accessing [{method} {path}], but got {answer.status}"
                f" instead.\nrequest_id: {answer.headers.get('x-request-id', '')}, error message: {text}"
            )
        request_id = answer.headers.get("x-request-id", "")
        return f"{named} [{method} {path}], request_id: {request_id}, error message: {text}"

    # -- waiting ------------------------------------------------------------------------------------------------------

    def wait_gateway(self, gateway_id: str, pending: str) -> Any:
        """ACTIVE is the end, and `pending` is all that may be seen before it."""
        return self._wait(
            f"vpn-gateways/{gateway_id}", "vpn_gateway", frozenset({"ACTIVE"}), lambda status: status == pending
        )

    def wait_connection(self, connection_id: str) -> Any:
        def may_be(status: str) -> bool:
            return status not in self.family.connection_fails

        return self._wait(f"vpn-connection/{connection_id}", "vpn_connection", CONNECTION_DONE, may_be)

    def wait_gone(self, path: str, envelope: str) -> None:
        allowed = self.family.while_deleting

        def may_be(status: str) -> bool:
            return status != "ERROR" if allowed is None else status in allowed

        try:
            self._wait(path, envelope, frozenset(), may_be)
        except Refused as refused:
            if refused.status != 404:
                raise

    def _wait(self, path: str, envelope: str, done: frozenset[str], may_be: Callable[[str], bool]) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found = self.call("GET", path)[envelope]
            if found["status"] in done:
                return found
            assert may_be(found["status"]), f"{path}: unexpected state {found['status']!r}"
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"waited {PATIENCE_SECONDS} s for {path}")


def send(method: str, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE_SECONDS)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, content or None, dict(headers))
        response = connection.getresponse()
        lower = {name.lower(): text for name, text in response.getheaders()}
        return Answer(status=response.status, headers=lower, content=response.read())
    finally:
        connection.close()


def without_zeroes(value: Any) -> Any:
    """What Go's `omitempty` leaves: false, 0, "" and empty lists are never sent. A list's items stay."""
    if isinstance(value, list):
        return [without_zeroes(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: without_zeroes(one) for name, one in value.items()}
    return {name: one for name, one in kept.items() if one not in (None, False, 0, "", [], {})}


def merged_pages(pages: list[Any]) -> list[Any]:
    """What golangsdk's pager gives: every top-level array of every page, one behind the other."""
    return [item for page in pages for value in page.values() if isinstance(value, list) for item in value]
