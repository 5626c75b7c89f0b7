"""A connection, told to the other side's device in the device's own words: pure text from effective values.

Belongs here: one module per device family, and the table of what each family can do. Must never enter: I/O, and values that
were not checked: whatever a user wrote reaches a text only quoted by its family, or the family refuses it by the field's name.

Refused or noted is decided once, for all families. What would keep the tunnel from coming up or from carrying all of its traffic
(an algorithm, a group, a style, an identity or a PSK that the device cannot write) is refused: `errors.Invalid` lists every such
field. What only shifts a timer (a lifetime or a DPD interval out of the device's range) is printed as near as it goes, with a
note at the top of the text. Without a PSK the text has a comment in its place: no device takes a comment for a key.
"""

from landbridge.peerconfig.catalogue import devices, find, render
from landbridge.peerconfig.device import PLACEHOLDER, Device, Part, Text
from landbridge.peerconfig.side import Identity, Pair, Side, side_of

__all__ = [
    "PLACEHOLDER",
    "Device",
    "Identity",
    "Pair",
    "Part",
    "Side",
    "Text",
    "devices",
    "find",
    "render",
    "side_of",
]
