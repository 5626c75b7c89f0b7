"""`landbridge console` prints a link that signs in once."""

from collections.abc import Callable
from typing import Any

import httpx


def test_the_link_signs_in_with_the_key_of_the_credentials(server: Any, landbridge: Callable[..., Any]):
    ran = landbridge("console", "--data", str(server.folder))
    assert ran.returncode == 0, ran.stderr
    link = ran.stdout.strip()
    assert server.credentials["secret_key"] not in link
    with httpx.Client(headers={"sec-fetch-site": "none"}) as browser:
        answer = browser.get(link)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
        page = browser.get(f"{server.endpoint}/console/{server.credentials['project_id']}")
        assert page.status_code == 200
        assert server.credentials["access_key"] in page.text
    assert httpx.get(link, headers={"sec-fetch-site": "none"}).status_code == 401


def test_a_key_that_does_not_exist_gets_no_link(server: Any, landbridge: Callable[..., Any]):
    ran = landbridge("console", "--data", str(server.folder), "--key", "NOBODY")
    assert (ran.returncode != 0, ran.stdout) == (True, "")
    assert "access key NOBODY" in ran.stderr
