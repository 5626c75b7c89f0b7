"""Every text as it is printed, line by line. After a wanted change: LANDBRIDGE_GOLDEN=write, and read the difference."""

import os
from pathlib import Path
from typing import Any

from landbridge import errors, peerconfig

GOLDEN = Path(__file__).parent / "golden"


def printed(device: peerconfig.Device, side: peerconfig.DeviceSide) -> str:
    try:
        return str(peerconfig.render(device, side))
    except errors.Invalid as problem:
        return "".join(f"refused: {violation}\n" for violation in problem.violations)


def test_the_text_is_that_of_the_reviewed_file(device: peerconfig.Device, shape: str, shaped: Any):
    found, golden = printed(device, shaped(shape)), GOLDEN / device.id / f"{shape}.txt"
    if os.environ.get("LANDBRIDGE_GOLDEN") == "write":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text()


def test_no_golden_file_is_left_over():
    names = {path.parent.name for path in GOLDEN.glob("*/*.txt")}
    assert names == {device.id for device in peerconfig.devices()}


def test_what_was_not_tried_says_so(device: peerconfig.Device, side: Any):
    style = "static" if device.proved or device.id == "routeros" else "bgp"
    text = printed(device, side(style=style, plane="kernel"))
    assert ("Proved:" in text) == device.proved
    assert ("UNPROVED" in text) != device.proved
