"""Large packets between two hosts: echoes with and without DF, and TCP with as much as a segment takes."""

import re
import socket
import subprocess
import threading
from typing import Literal

from landbridge.engine.strongswan.network import namespace

#: Bytes of an ICMP echo that are the headers of IPv4 and ICMP.
HEADERS = 28
_MTU = re.compile(r"mtu ?[=:] ?(\d+)")


def echo(source: str, target: str, size: int, *, dont_fragment: bool) -> bool | int:
    """Whether an echo whose IPv4 packet has `size` bytes is answered; where an error says that it is too big, the MTU that the error names."""
    subprocess.run(["ip", "-n", source, "route", "flush", "cache"], check=True)
    command = ["ip", "netns", "exec", source, "ping", "-n", "-c", "1", "-W", "10"]
    command += ["-M", "do" if dont_fragment else "dont", "-s", str(size - HEADERS), target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if found := _MTU.search(done.stdout + done.stderr):
        return int(found[1])
    return "1 received" in done.stdout


def transfer(source: str, there: str, target: str, *, count: int, by: Literal["source", "target"] = "source") -> int:
    """Sends `count` bytes over TCP in one direction, and reads all of them. Returns the larger MSS of both ends. `there` is the namespace of the host
    that has `target`.
    """
    with namespace.inside(there, lambda _: socket.create_server((target, 0))) as listener:
        address = listener.getsockname()
        near = namespace.inside(source, lambda _: socket.create_connection(address, 30))
        far, _ = listener.accept()
    with near, far:
        sizes = [end.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) for end in (near, far)]
        sender, reader = (near, far) if by == "source" else (far, near)
        for end in (near, far):
            end.settimeout(60)
        thread = threading.Thread(target=sender.sendall, args=(bytes(count),))
        thread.start()
        try:
            _read(reader, count)
        finally:
            reader.shutdown(socket.SHUT_RDWR)
            thread.join()
    return max(sizes)


def _read(reader: socket.socket, count: int) -> None:
    while count:
        part = reader.recv(min(count, 1 << 16))
        if not part:
            raise ConnectionError(f"the connection ended with {count} bytes to come")
        count -= len(part)
