"""A signal that comes before the server serves is not lost."""

import os
import signal
import socket

import pytest

from landbridge import config
from landbridge.server import serve

pytestmark = pytest.mark.process


async def _nobody(*_: object) -> None:
    raise AssertionError("no request came")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_to_end_before_it_serves_ends_at_once(number: signal.Signals):
    before = signal.getsignal(number)
    left: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening, serve.Signals() as signals:
        os.kill(os.getpid(), number)
        serve.run(signals, _nobody, listening, config.Http(), on_stop=lambda: left.append("told"))
    assert left == ["told"]
    assert signal.getsignal(number) is before
