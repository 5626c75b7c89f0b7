"""The checks that read the tables of allowed values, and what is taken of a row."""

from collections.abc import Iterator, Mapping

from landbridge import model
from landbridge.model import allowed_values

Choice = allowed_values.Choice
Range = allowed_values.Range
Table = allowed_values.Table


def check(path: str, asked: Mapping[str, str | int | None], table: Table, where: str = "") -> Iterator[model.Violation]:
    """Holds each asked value to its row. `path` is the object's place in the body, with its dot, or empty."""
    for field, row in table.items():
        value = asked[field]
        if value is None:
            continue
        if isinstance(row, Choice):
            if value not in row.values:
                yield model.Violation(f"{path}{field}", f"{value!r} is not a known value{where}", one_of(row.values))
        elif value != 0 and not row.low <= int(value) <= row.high:
            yield model.Violation(f"{path}{field}", f"{value} is out of range", f"{row.low} to {row.high}")


def text(asked: str | None, row: Choice | Range) -> str:
    """The asked word, or the row's default."""
    return asked if asked is not None else str(row.default)


def number(asked: int | None, row: Choice | Range) -> int:
    """The asked number, or the row's default for None and for 0."""
    return asked or int(row.default)


def one_of(values: tuple[str, ...]) -> str:
    return values[0] if len(values) == 1 else "one of " + ", ".join(values)
