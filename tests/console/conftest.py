"""People at the console: a browser's cookies and headers by hand, and a real browser."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from landbridge import config, data_folder
from landbridge.operations import access, clock, console_sessions
from tests.conftest import PATIENCE_SECONDS, Api

HOST = "landbridge.test"
OWN = {"sec-fetch-site": "same-origin"}


@dataclass
class Person:
    """Requests with the cookies that were set, and with the header that a browser sends for a form of the same site."""

    http: Any
    api: Any
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        content = None if form is None else urlencode(form).encode()
        answer = self.http.request(method, path, content=content, headers=sent)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, **headers)

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        return self.send("POST", path, form or {}, **(headers or {"sec_fetch_site": "same-origin"}))

    def follow(self, answer: httpx.Response) -> str:
        """The HTML of the page to which an answer leads. A reload of that page is another `get` of its address."""
        assert answer.status_code == 303, answer.text[-300:]
        return self.get(answer.headers["location"]).text

    def page(self, rest: str = "", **headers: str) -> str:
        """The HTML of a page of the project."""
        answer = self.get(f"/console/{self.api.project_id}{rest}", **headers)
        assert answer.status_code == 200, (answer.status_code, re.sub(r"\s*<[^>]+>\s*", " ", answer.text)[-300:])
        return answer.text

    def sign_in(self, key: Any = None, to: str = "", **headers: str) -> httpx.Response:
        key = key or self.api.key
        form = {"access_key": key.access_key, "secret_key": key.secret_key.reveal(), "next": to}
        return self.post("/console/sign-in", form, **headers)


@pytest.fixture
def person(shared_service: Any) -> Callable[..., Person]:
    """`person(api)`: somebody with the key of a caller of the API, signed in unless told otherwise."""

    def made(api: Any = None, *, signed_in: bool = True) -> Person:
        one = Person(http=shared_service.http, api=api or shared_service.api())
        if signed_in:
            assert one.sign_in().status_code == 303
        return one

    return made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window. While it is there no other event loop can run in this thread, so it ends with its module."""
    expect.set_options(timeout=1000 * PATIENCE_SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@dataclass
class Reader:
    """A window of the browser, signed in by a link, at a project of its own. `messages`: what the browser wrote to its console."""

    page: Any
    api: Any
    messages: list[str] = field(default_factory=list)

    def open(self, rest: str = "") -> Any:
        answer = self.page.goto(f"{self.api.http.base_url}/console/{self.api.project_id}{rest}")
        assert answer.status == 200, rest
        return self.page


@pytest.fixture(scope="module")
def reader(server: Any, chromium: Browser) -> Iterator[Reader]:
    """An admin in a browser, on a server process."""
    settings = config.load({"data": str(server.folder)}, {})
    with data_folder.open_data(settings, make=False) as data:
        name = f"console-{time.monotonic_ns()}"
        project = data.database.write(lambda tx: access.create_project(tx, name, clock.now()))
        key = data.database.write(lambda tx: access.create_key(tx, data.vault, project, "admin", clock.now()))
        link = data.database.write(lambda tx: console_sessions.make_link(tx, key.access_key, clock.now()))
    with httpx.Client(base_url=server.endpoint) as http:
        api = Api(http=http, project_id=project, key=key)
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        context.set_default_timeout(1000 * PATIENCE_SECONDS)
        made = Reader(page=context.new_page(), api=api)
        made.page.on("console", lambda message: made.messages.append(message.text))
        made.page.on("pageerror", lambda error: made.messages.append(str(error)))
        made.page.goto(f"{server.endpoint}/console/link/{link.reveal()}")
        yield made
        context.close()
