"""All device families, and the one function that prints a text: it checks, writes, and puts a header on top."""

import dataclasses
import re
from collections.abc import Iterator

from landbridge import errors
from landbridge.peerconfig import (
    bird,
    checking,
    cisco,
    fortigate,
    frr,
    huawei,
    libreswan,
    opnsense,
    pfsense,
    routeros,
    strongswan,
    vyos,
)
from landbridge.peerconfig.device import PLACEHOLDER, Device, Family, Part, Text
from landbridge.peerconfig.side import DeviceSide

_FAMILIES = {
    module.FAMILY.device.id: module.FAMILY
    for module in (
        strongswan,
        libreswan,
        bird,
        frr,
        vyos,
        routeros,
        cisco,
        fortigate,
        pfsense,
        opnsense,
        huawei,
    )
}
#: What the proofs of devices were made with.
PROVED_STYLES = ("policy", "policy-template", "static")


def devices() -> tuple[Device, ...]:
    return tuple(family.device for family in _FAMILIES.values())


def find(device_id: str) -> Device | None:
    family = _FAMILIES.get(device_id)
    return family.device if family else None


def render(device: Device, side: DeviceSide) -> Text:
    """The text for a device of the list. Raises `errors.Invalid` with every field that the device cannot carry."""
    family = _FAMILIES[device.id]
    if family.abilities is not None and not family.abilities.interface and side.style == "static":
        side = dataclasses.replace(side, plane="userland")
    wrong = list(checking.check(family, side))
    if wrong:
        raise errors.Invalid(wrong)
    first, *others = family.write(side)
    header = "".join(f"{family.comment} {line}".rstrip() + "\n" for line in _header(family, side))
    return Text(device, (Part(first.path, f"{header}\n{first.content}"), *others))


def _header(family: Family, side: DeviceSide) -> Iterator[str]:
    device = family.device
    yield f"{device.name} ({device.versions}): the other side of VPN connection {_safe_name(side.name)}"
    yield f"Connection {side.connection_id}, style {side.style}. {device.format}"
    if side.uncarried:
        yield f"WARNING: the gateway does not bring this connection up: {side.uncarried}."
    yield _proof_note(device, side)
    yield f"Manual: {device.source}"
    if family.abilities is not None:
        yield _selectors_note(side)
        if side.psk is None:
            yield f"The pre-shared key is not shown. {PLACEHOLDER} stands in its place, in a line that the device skips."
    for note in (*device.notes, *family.notes(side), *checking.clamped_timers(family, side)):
        yield f"Note: {note}"


def _proof_note(device: Device, side: DeviceSide) -> str:
    if not device.proved:
        return "UNPROVED: this text follows the vendor's manual, and nobody has tried it on this device."
    if side.style not in PROVED_STYLES:
        return f"UNPROVED in style {side.style}: only {', '.join(PROVED_STYLES)} were tried with this device."
    return "Proved: a text like this was used as it is printed, and the tunnel came up."


def _selectors_note(side: DeviceSide) -> str:
    if side.routed:
        return "Selectors: 0.0.0.0/0 on both sides, as on the gateway; routes decide what goes into the tunnel."
    if side.style == "static":
        return "Selectors: the pairs of subnets. The gateway accepts them also when it asks for 0.0.0.0/0 itself."
    if side.style == "policy-template":
        return "Selectors: the pairs of subnets. Leave out what is not behind this device: the gateway accepts any part of them."
    return "Selectors: the pairs of subnets, the same as the gateway's."


def _safe_name(name: str) -> str:
    """The name in a comment. A question mark replaces every character that could end the comment."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name)
