"""Two network namespaces for echoes."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from lab import sites
from landbridge.engine.strongswan.network import namespace

NEAR, FAR = "192.0.2.1", "192.0.2.2"


@pytest.fixture(scope="module")
def near() -> Iterator[str]:
    """A namespace whose neighbour FAR forwards, and has a black hole for 10.1.0.0/16, and no route to 10.2.0.0/16. It refuses 10.3.0.0/16 itself."""
    near, far = (f"lbecho{os.getpid()}{end}" for end in "ab")

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)

    try:
        for name in (near, far):
            namespace.add(name)
            sites.forward(name)
        ip("-n", near, "link", "add", "e1", "type", "veth", "peer", "name", "e2", "netns", far)
        for name, link, address in ((near, "e1", NEAR), (far, "e2", FAR)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", link, "mtu", "1400", "up")
        ip("-n", near, "route", "add", "10.0.0.0/8", "via", FAR)
        ip("-n", near, "route", "add", "unreachable", "10.3.0.0/16")
        ip("-n", far, "address", "add", "10.3.0.1/32", "dev", "e2")
        ip("-n", far, "route", "add", "blackhole", "10.1.0.0/16")
        ip("-n", far, "route", "add", "unreachable", "10.2.0.0/16")
        yield near
    finally:
        for name in (near, far):
            namespace.remove(name)
