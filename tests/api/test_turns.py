"""Requests of one key take turns: another key's are not behind them."""

import asyncio
from typing import Any

import pytest

from landbridge import config, errors
from landbridge.api import turns


def _run(scenario: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60))


def test_a_key_has_one_read_in_work_and_others_are_not_behind_it():
    async def scenario() -> None:
        of = turns.Turns()
        await of.take("a", writes=False)
        second, third = (asyncio.create_task(of.take("a", writes=False)) for _ in range(2))
        await of.take("b", writes=False)
        await of.take("a", writes=True)
        await asyncio.sleep(0)
        assert (second.done(), third.done()) == (False, False)
        of.give_back("a", writes=False)
        await second
        assert not third.done()
        of.give_back("a", writes=False)
        await third

    _run(scenario())


def test_a_key_has_as_many_writes_in_work_as_a_group_takes():
    async def scenario() -> None:
        of = turns.Turns()
        for _ in range(turns.WRITES_AT_ONCE):
            await of.take("a", writes=True)
        one_more = asyncio.create_task(of.take("a", writes=True))
        await asyncio.sleep(0)
        assert not one_more.done()
        of.give_back("a", writes=True)
        await one_more

    _run(scenario())


def test_who_finds_too_many_waiting_is_refused():
    async def scenario() -> None:
        of = turns.Turns(waiting_per_key=2)
        await of.take("a", writes=False)
        waiting = [asyncio.create_task(of.take("a", writes=False)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(errors.Busy, match="2 requests of this access key wait already"):
            await of.take("a", writes=False)
        await of.take("b", writes=False)
        for one in waiting:
            of.give_back("a", writes=False)
            await one

    _run(scenario())


@pytest.mark.parametrize("granted", [False, True], ids=["waiting", "its-turn-has-come"])
def test_who_is_cancelled_takes_no_turn(granted: bool):
    async def scenario() -> None:
        of = turns.Turns()
        await of.take("a", writes=False)
        cancelled, other = (asyncio.create_task(of.take("a", writes=False)) for _ in range(2))
        await asyncio.sleep(0)
        if granted:
            of.give_back("a", writes=False)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        if not granted:
            of.give_back("a", writes=False)
        await other
        of.give_back("a", writes=False)
        assert of._queues == {}

    _run(scenario())


def test_a_refusal_says_when_to_try_again(open_service: Any):
    service = open_service(http=config.Http(waiting_per_key=1))
    api = service.api()

    async def at_once() -> list[Any]:
        client, headers = service.http._client, {"X-Auth-Token": api.key.token.reveal()}
        url = f"/v5/{api.project_id}/vpn-connection"
        return await asyncio.gather(*(client.get(url, headers=headers) for _ in range(8)))

    answers = service.http.do(at_once())
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert {answer.status_code for answer in answers} == {200, 503}
    assert refused[0].headers["Retry-After"] == "1"
    assert refused[0].json()["error_code"] == "VPN.0030"
    assert api.get("vpn-connection")["total_count"] == 0
