"""Prints the results of commands. Data goes to standard output: aligned for a terminal, separated by tabs for a pipe, or JSON or YAML.
Everything else goes to standard error. Texts of devices and of other users pass `clean`, since they could hold escape sequences.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

FORMATS = ("table", "json", "yaml")
_COLOURS = {"ACTIVE": "green", "DOWN": "red", "ERROR": "red", "FAULT": "red"}
#: Characters between two columns, and those that a column of sentences needs.
_GAP, _READABLE = 2, 40
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))

Cell = str | int | bool | None


class Moment(str):
    """A time (RFC 3339) in a cell: a terminal shows how long ago it was."""

    __slots__ = ()


class Id(str):
    """An id in a cell: a terminal shows its first digits, which commands take as a name."""

    __slots__ = ()


def is_terminal() -> bool:
    return sys.stdout.isatty()


def document(value: object, form: str) -> None:
    """The value as JSON or YAML."""
    if form == "yaml":
        import yaml  # noqa: PLC0415 - takes as long as all else

        plain = json.loads(
            json.dumps(value)
        )  # yaml knows no class but dict, and answers have one of their own at each depth
        yaml.safe_dump(plain, sys.stdout, sort_keys=False, allow_unicode=True)
        return
    sys.stdout.write(json_text(value, indent=2 if is_terminal() else None) + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """On a terminal a table with its head, as wide as the terminal; else a line for each row, uncut and without the head."""
    if not is_terminal():
        sys.stdout.writelines("\t".join(map(_text, row)) + "\n" for row in rows)
    elif rows:
        _console().print(grid(columns, rows))


def grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Any:
    """The table for a terminal. Where the terminal is too narrow, the widest column has several lines a row. Where this column would be narrower than
    _READABLE, its cells are below their rows, indented and without a head.
    """
    from rich.console import Group  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = [[*map(_shown, row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *shown, strict=True)]
    widest = widths.index(max(widths))
    left = _console().width - sum(width + _GAP for width in widths) + widths[widest]
    if left >= min(widths[widest], _READABLE):
        return _grid(columns, shown, widths, wraps=widest)
    parts = []
    for number, row in enumerate(shown):
        below = row.pop(widest)
        parts.append(
            _grid(
                [*columns[:widest], *columns[widest + 1 :]],
                [row],
                widths[:widest] + widths[widest + 1 :],
                head=number == 0,
            )
        )
        parts += [Padding.indent(Text(below), 2 * _GAP)] if below else []
    return Group(*parts)


def _grid(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    *,
    wraps: int | None = None,
    head: bool = True,
) -> Any:
    """`wraps`: the number of the column that may have several lines a row."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(
        box=None, pad_edge=False, show_edge=False, show_header=head, header_style="bold", padding=(0, _GAP, 0, 0)
    )
    for number, (column, width) in enumerate(zip(columns, widths, strict=True)):
        made.add_column(column, no_wrap=number != wraps, overflow="ellipsis", width=None if number == wraps else width)
    for row in rows:
        made.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in row))
    return made


def fields(pairs: Sequence[tuple[str, Cell]]) -> None:
    """A name and a value a line. Those without a value are left out."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        if value not in (None, ""):
            line = f"{name:{width}}  {_shown(value)}" if is_terminal() else f"{name}\t{_text(value)}"
            sys.stdout.write(line + "\n")


def heading(text: str) -> None:
    """A line above a part of what a terminal shows."""
    _console().print(f"\n{text}", style="bold", markup=False, highlight=False)


def say(text: str) -> None:
    """Lines for people, on standard error."""
    for line in text.splitlines():
        sys.stderr.write(f"landbridge: {clean(line)}\n")


def json_text(value: object, indent: int | None = None) -> str:
    """The value as JSON. Characters that a terminal obeys or hides are escaped, as those below U+0020 always are."""
    lines = json.dumps(value, indent=indent, ensure_ascii=False).split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def clean(text: str) -> str:
    """The text without line ends and control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def ago(moment: str, now: datetime | None = None) -> str:
    """Returns how long ago a time (RFC 3339) was: `5 m ago`."""
    seconds = int(((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds())
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "now"


def _console() -> Any:
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False)


def _text(value: Cell) -> str:
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else clean(str(value))


def _shown(value: Cell) -> str:
    if isinstance(value, Id):
        return value[:8]
    return ago(value) if isinstance(value, Moment) and value else _text(value)
