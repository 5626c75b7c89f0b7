"""The how-tos whose commands make tunnels that carry packets."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import pages

pytestmark = pytest.mark.tunnel


@pytest.fixture
def folder() -> Iterator[Path]:
    """One whose path is short enough for the sockets of daemons."""
    with tempfile.TemporaryDirectory(prefix="lb-page-") as name:
        yield Path(name)


def test_a_tunnel_on_one_machine_carries_breaks_and_is_mended(folder: Path):
    printed = pages.run("a-tunnel-on-one-machine", folder, isolated=True)
    assert printed.count("3 packets transmitted, 3 received, 0% packet loss") == 3
    told = (
        "received AUTHENTICATION_FAILED notify error",
        "DOWN\t",
        "psk_mismatch\tthe pre-shared keys of the two sides differ",
    )
    for each in (*told, "took down 0 gateways"):
        assert each in printed, printed
