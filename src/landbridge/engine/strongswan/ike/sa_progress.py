"""The progress of an IKE_SA: the values that its log lines have given so far."""

from typing import Literal

from landbridge.engine.strongswan.ike.child_sas import ChildSas
from landbridge.model import negotiation
from landbridge.model.negotiation import Party, Phase


class Progress:
    """What the lines of one IKE_SA have told so far, for the lines that follow.

    `is_up`: the IKE_SA is established. `is_over`: charon has destroyed it. `began_by`, `peer_address`, `version` and `mode` are None until a line
    shows them. `successor`: the number of the IKE_SA that replaced it by a rekey. `hands_over`: its children move to an IKE_SA that the
    peer establishes.
    """

    __slots__ = (
        "began_by",
        "children",
        "hands_over",
        "ids",
        "is_over",
        "is_superseded",
        "is_up",
        "mode",
        "offered",
        "our_message",
        "peer_address",
        "proved",
        "received",
        "refused",
        "successor",
        "their_retransmits",
        "version",
        "was_up",
    )

    def __init__(self, children: ChildSas | None = None) -> None:
        self.is_up = self.is_over = self.is_superseded = self.hands_over = False
        self.began_by: Party | None = None
        self.peer_address: str | None = None
        self.version: Literal["v1", "v2"] | None = None
        self.mode: Literal["main", "aggressive"] | None = None
        self.successor: str | None = None
        self.children = children or ChildSas()
        self.was_up: set[str] = set()
        self.offered: tuple[str, tuple[negotiation.Proposal, ...]] | None = None
        self.ids: tuple[negotiation.Identity | None, negotiation.Identity] | None = None
        self.proved: negotiation.Identity | None = None
        self.our_message = 0
        self.received = 0
        self.refused: str | None = None
        self.their_retransmits = (0, 0)

    @property
    def phase(self) -> Phase:
        return 2 if self.is_up else 1
