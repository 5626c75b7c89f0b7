"""A load of signed or plain POSTs from one process: N clients, each with one keep-alive connection, one request a time.

Requests are made beforehand, so that the clock sees the server and not the signing.
"""

import asyncio
import time
from collections.abc import Sequence


async def _client(host: str, port: int, requests: Sequence[bytes], times: list[float], wanted: bytes) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for request in requests:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(wanted):
            rest = await reader.read(2000)
            raise RuntimeError(f"unexpected answer: {head.decode()}{rest.decode()}")
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
        times.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()


async def _all(
    host: str, port: int, requests: Sequence[bytes], clients: int, wanted: bytes
) -> tuple[float, list[float]]:
    times: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(_client(host, port, requests[n::clients], times, wanted) for n in range(clients)))
    return time.perf_counter() - started, times


def run(host: str, port: int, requests: Sequence[bytes], clients: int, wanted: bytes) -> tuple[float, float]:
    """(requests a second, p99 in milliseconds)."""
    import uvloop  # noqa: PLC0415

    took, times = uvloop.run(_all(host, port, requests, clients, wanted))
    times.sort()
    return len(requests) / took, times[int(len(times) * 0.99)] * 1000
