"""Draws the tunnels of an endpoint: a line each when they are few, otherwise a grid of cells in the order of their creation. Pure.

A run of tunnels that are up is one stroke with dashes, so a grid of thousands of tunnels is small. Every other tunnel has a shape of its own; the
first ones are links.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from landbridge import model
from landbridge.operations.overview import Tunnel

#: Tunnels of a gateway that are drawn as lines, at most.
LINES = 12
#: Cells of a row of a grid, and pixels of a cell with its gap.
COLUMNS, PITCH = 32, 10
SIZE = 8
#: What is drawn in a cell, from its upper left corner on. A tunnel that is up is a dash of a stroke.
SHAPES: dict[model.TunnelHealth, str] = {
    "down": "l8 8m0-8l-8 8",
    "error": "m4-1l5 5-5 5-5-5z",
    "warning": "m4 0l4 8h-8z",
    "pending": "m.5 4a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",
    "deleting": "m0 4h8",
    "unknown": "m.5.5h7v7h-7z",
}


@dataclass(frozen=True, slots=True)
class Link:
    tunnel: Tunnel
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """`paths`: (health, path) of cells that are no links."""

    width: int
    height: int
    label: str
    paths: Sequence[tuple[model.TunnelHealth, str]]
    links: Sequence[Link]


def draw(tunnels: Sequence[Tunnel], links: int) -> Grid:
    """`links`: how many cells may be links."""
    rows = (len(tunnels) + COLUMNS - 1) // COLUMNS
    paths: defaultdict[model.TunnelHealth, list[str]] = defaultdict(list)
    linked: list[Link] = []
    for row in range(rows):
        cells = tunnels[row * COLUMNS : (row + 1) * COLUMNS]
        paths["up"] += _runs(cells, row)
        for column, tunnel in enumerate(cells):
            if tunnel.health == "up":
                continue
            path = f"M{column * PITCH + 1} {row * PITCH + 1}{SHAPES[tunnel.health]}"
            if len(linked) < links:
                linked.append(Link(tunnel, path))
            else:
                paths[tunnel.health].append(path)
    return Grid(
        width=COLUMNS * PITCH,
        height=rows * PITCH,
        label=label(tunnels),
        paths=[(health, "".join(some)) for health, some in paths.items() if some],
        links=linked,
    )


def label(tunnels: Sequence[Tunnel]) -> str:
    """Returns what the grid shows, in words: `3 down, 97 up`."""
    counts = Counter(tunnel.health for tunnel in tunnels)
    return f"{len(tunnels)} tunnels: " + ", ".join(
        f"{counts[health]} {health}" for health in model.HEALTH_ORDER if counts[health]
    )


def _runs(cells: Sequence[Tunnel], row: int) -> Iterator[str]:
    """A stroke for each run of neighbouring tunnels that are up."""
    middle, first = row * PITCH + PITCH // 2, None
    for column in range(len(cells) + 1):
        is_up = column < len(cells) and cells[column].health == "up"
        if is_up and first is None:
            first = column
        if not is_up and first is not None:
            yield f"M{first * PITCH + 1} {middle}h{(column - first) * PITCH - (PITCH - SIZE)}"
            first = None
