"""The configuration of the other side's device for a connection: pure text from effective values.

Belongs here: one module per device family, and the table of what each family can do. Must never enter: I/O, and unchecked
values. A family quotes whatever a user wrote, or refuses it by the field's name.

All families refuse and note the same things. A family refuses what would keep the tunnel from coming up or from carrying
all of its traffic: an algorithm, a group, a style, an identity or a PSK that the device cannot write. `errors.Invalid`
lists every such field. A value that only shifts a timer (a lifetime or a DPD interval out of the device's range) is
printed as the nearest possible value, with a note at the top of the text. Without a PSK the text has a comment in its
place, because no device takes a comment for a key.
"""

from landbridge.peerconfig.catalogue import devices, find, render
from landbridge.peerconfig.device import PLACEHOLDER, Device, Part, Text
from landbridge.peerconfig.side import DeviceSide, Identity, Pair, side_of

__all__ = [
    "PLACEHOLDER",
    "Device",
    "DeviceSide",
    "Identity",
    "Pair",
    "Part",
    "Text",
    "devices",
    "find",
    "render",
    "side_of",
]
