"""The CHILD_SAs of a connection, as the lines about them tell."""

#: CHILD_SAs of a connection that are kept, to distinguish a DELETE that ends a tunnel from one that follows a rekey.
CHILDREN_KEPT = 600


class ChildSas:
    """The CHILD_SAs of one connection by their SPIs. It knows which of them a newer one has replaced."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[str, int]] = {}
        self._newest: dict[str, int] = {}
        self._made = 0

    def add(self, name: str, *spis: str) -> None:
        """Adds a CHILD_SA by its SPIs."""
        self._made += 1
        while len(self._of) >= CHILDREN_KEPT:
            del self._of[next(iter(self._of))]
        self._of |= dict.fromkeys(spis, (name, self._made))
        self._newest[name] = self._made

    def remove(self, spi: str) -> bool:
        """Removes a CHILD_SA. Returns whether the tunnel loses the child: False when another SA replaced it, and the second time."""
        name, made = self._of.pop(spi, ("", 0))
        if made == 0:
            return not self._newest
        return self._newest.get(name) == made and self._newest.pop(name) == made
