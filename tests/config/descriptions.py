"""What the reference page says of each setting: its default, and the string below it in the source."""

import ast
import inspect
import itertools
import typing
from typing import Any

from landbridge import config


def describe() -> list[tuple[str, str, str, str]]:
    """(group, key, default, docstring) of every setting."""
    groups = typing.get_type_hints(config.Settings)
    texts = {name: docstrings(kind) for name, kind in groups.items()}
    return [(group, key, _text(getattr(groups[group](), key)), texts[group][key]) for group, key in config.names()]


def _text(value: Any) -> str:
    """As it is written in the file and in a variable."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def docstrings(kind: type) -> dict[str, str]:
    """Of each field of a group: the string below it."""
    (made,) = ast.parse(inspect.getsource(kind)).body
    lines = made.body if isinstance(made, ast.ClassDef) else []
    return {
        field.target.id: str(text.value.value)
        for field, text in itertools.pairwise(lines)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }
