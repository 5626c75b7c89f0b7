"""Tables of allowed values with their defaults, and the checks that read them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from landbridge import model


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive bounds in seconds. 0 counts as not given: one Terraform provider sends zeros for what is not set."""

    low: int
    high: int
    default: int


Table = Mapping[str, Choice | Range]


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
