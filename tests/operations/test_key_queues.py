"""Each access key has a queue of its own: a key with many requests delays no other key."""

import asyncio
from typing import Any

import pytest

from landbridge import config, errors
from landbridge.operations import key_queues


def _run(scenario: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60))


def test_a_key_has_one_read_in_work_and_others_are_not_behind_it():
    async def scenario() -> None:
        queues = key_queues.KeyQueues()
        await queues.acquire("a", writes=False)
        second, third = (asyncio.create_task(queues.acquire("a", writes=False)) for _ in range(2))
        await queues.acquire("b", writes=False)
        await queues.acquire("a", writes=True)
        await asyncio.sleep(0)
        assert (second.done(), third.done()) == (False, False)
        queues.release("a", writes=False)
        await second
        assert not third.done()
        queues.release("a", writes=False)
        await third

    _run(scenario())


def test_a_key_has_as_many_writes_in_work_as_a_group_takes():
    async def scenario() -> None:
        queues = key_queues.KeyQueues()
        for _ in range(key_queues.WRITES_AT_ONCE):
            await queues.acquire("a", writes=True)
        one_more = asyncio.create_task(queues.acquire("a", writes=True))
        await asyncio.sleep(0)
        assert not one_more.done()
        queues.release("a", writes=True)
        await one_more

    _run(scenario())


def test_who_finds_too_many_waiting_is_refused():
    async def scenario() -> None:
        queues = key_queues.KeyQueues(waiting_per_key=2)
        await queues.acquire("a", writes=False)
        waiting = [asyncio.create_task(queues.acquire("a", writes=False)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(errors.Busy, match="2 requests of this access key wait already"):
            await queues.acquire("a", writes=False)
        await queues.acquire("b", writes=False)
        for one in waiting:
            queues.release("a", writes=False)
            await one

    _run(scenario())


@pytest.mark.parametrize("granted", [False, True], ids=["waiting", "admitted"])
def test_who_is_cancelled_takes_no_place(granted: bool):
    async def scenario() -> None:
        queues = key_queues.KeyQueues()
        await queues.acquire("a", writes=False)
        cancelled, other = (asyncio.create_task(queues.acquire("a", writes=False)) for _ in range(2))
        await asyncio.sleep(0)
        if granted:
            queues.release("a", writes=False)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        if not granted:
            queues.release("a", writes=False)
        await other
        queues.release("a", writes=False)
        assert queues._queues == {}

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
