"""Forms: their fields have the paths of the API, make a body of a request, and show the findings of the rules beside each field. Pure.

The form of a create sends what a person filled in. The form of a change sends the fields that differ from what is stored, so it never writes a
value back that somebody else changed.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from landbridge import model
from landbridge.model import allowed_values
from landbridge.model.allowed_values import Choice, Seconds

#: `lines`: a list of words; `block`: a text of many lines, as it is.
Kind = Literal["text", "number", "choice", "lines", "block", "secret", "check", "tags"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a form."""

    #: The name of the field in the API.
    path: str
    label: str
    group: str = ""
    kind: Kind = "text"
    allowed: Choice | Seconds | None = None
    #: (value, text) of a choice that is no list of the API.
    options: Sequence[tuple[str, str]] = ()
    #: The fields of the API that it stands for; empty: `path` alone.
    places: Sequence[str] = ()
    help: str = ""
    value: str = ""
    #: The stored value; None in the form of a create.
    before: str | None = None
    #: What the rules refuse.
    wrong: Sequence[str] = ()
    #: The warnings of the rules.
    warnings: Sequence[str] = ()

    @property
    def id(self) -> str:
        """Another list of choices makes another element, so that a refresh replaces it."""
        suffix = f"-{len(self.allowed.values)}" if isinstance(self.allowed, Choice) else ""
        return "f-" + re.sub(r"[^a-z0-9_]+", "-", self.path) + suffix

    @property
    def choices(self) -> Sequence[tuple[str, str]]:
        """(value, text) of each choice. The text marks the default and what the API's page calls weak. A stored value that the API no longer allows is a choice, too."""
        if not isinstance(self.allowed, Choice):
            return self.options
        marks = {self.allowed.default: " (default)"} | dict.fromkeys(allowed_values.WEAK, " (weak)")
        stored = () if self.before is None or self.before in self.allowed else (self.before,)
        return [(value, value + marks.get(value, "")) for value in (*stored, *self.allowed.values)]

    @property
    def described(self) -> str:
        """The ids of the texts about the field, for `aria-describedby`."""
        parts = (("help", self.help), ("wrong", self.wrong), ("warning", self.warnings))
        return " ".join(f"{self.id}-{name}" for name, there in parts if there)

    def is_about(self, path: str) -> bool:
        """Whether a finding with this path belongs to the field."""
        return any(model.findings.is_at(path, place) for place in self.places or (self.path,))


def choice(path: str, label: str, allowed: Choice, group: str = "", help: str = "") -> Field:  # noqa: A002
    return Field(path=path, label=label, group=group, kind="choice", allowed=allowed, value=allowed.default, help=help)


def seconds(path: str, label: str, allowed: Seconds, group: str = "") -> Field:
    text = f"Seconds, {allowed}. Default: {allowed.default}."
    return Field(path=path, label=label, group=group, kind="number", allowed=allowed, help=text)


#: The tag of a request about one tag.
TAG = (
    Field(path="key", label="Key", places=("tags[0].key",)),
    Field(path="value", label="Value", places=("tags[0].value",)),
)
TAGS = Field(
    path="tags",
    label="KEY=VALUE",
    group="tags",
    kind="tags",
    help=f"One a line, at most {allowed_values.TAG_LIMIT}.",
)


def stored(field: Field, value: object) -> Field:
    """The field in the form of a change: it shows what is stored."""
    text = "\n".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
    return replace(field, before=text, value=text)


# -- from a form to the API -------------------------------------------------------------------------------------------


def content(fields: Iterable[Field], form: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a body of the API."""
    given: dict[str, Any] = {}
    for field in fields:
        if field.before is None:
            value = _value(field, form.get(field.path, ""))
            if value:
                _put(given, field.path, value)
        elif is_changed(field, form):
            _put(given, field.path, _value(field, form[field.path]))
    return given


def is_changed(field: Field, form: Mapping[str, str]) -> bool:
    """Whether a person gave another value than the one that is stored."""
    return field.path in form and _value(field, form[field.path]) != _value(field, field.before or "")


def _put(given: dict[str, Any], path: str, value: Any) -> None:
    *groups, name = path.split(".")
    for group in groups:
        given = given.setdefault(group, {})
    given[name] = value


def _value(field: Field, text: str) -> Any:
    if field.kind == "tags":
        pairs = (line.partition("=") for line in text.splitlines() if line.strip())
        return [{"key": key.strip(), "value": value.strip()} for key, _, value in pairs]
    if field.kind == "lines":
        return words(text)
    if field.kind == "check":
        return text == "true"
    if isinstance(field.allowed, Choice) and field.before is None:
        return text if text in field.allowed else field.value
    return text if field.kind == "secret" else text.strip().replace("\r\n", "\n")


def words(text: str) -> list[str]:
    return text.replace(",", " ").split()


# -- from the rules to a form -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledForm:
    """The fields of a form with what a person gave and what the rules say."""

    fields: Sequence[Field]
    #: Violations that belong to no field.
    other_wrong: Sequence[model.Violation]
    #: Warnings that belong to no field.
    other_warnings: Sequence[model.Warning]
    #: A name for the warnings that the person saw.
    seen: str

    def group(self, name: str) -> list[Field]:
        return [field for field in self.fields if field.group == name]

    def at(self, path: str) -> Field:
        return next(field for field in self.fields if field.path == path)

    @property
    def wrong(self) -> list[Field]:
        return [field for field in self.fields if field.wrong]

    @property
    def warned(self) -> int:
        return sum(len(field.warnings) for field in self.fields) + len(self.other_warnings)


def fill(
    fields: Iterable[Field],
    form: Mapping[str, str],
    violations: Iterable[model.Violation] = (),
    warnings: Iterable[model.Warning] = (),
    *,
    quiet: bool = False,
) -> FilledForm:
    """`quiet`: while a person still fills the form, a field that is empty is not called wrong."""
    refused, cautions = list(violations), list(warnings)
    filled = [_fill_in(field, form, refused, cautions, quiet=quiet) for field in fields]
    left = [violation for violation in refused if not any(field.is_about(violation.field) for field in filled)]
    return FilledForm(
        fields=filled,
        other_wrong=[violation for violation in left if not (quiet and violation.wrong.startswith("is mandatory"))],
        other_warnings=[warning for warning in cautions if not any(field.is_about(warning.field) for field in filled)],
        seen=seen(cautions),
    )


def _fill_in(
    field: Field,
    form: Mapping[str, str],
    violations: list[model.Violation],
    warnings: list[model.Warning],
    *,
    quiet: bool,
) -> Field:
    value = form.get(field.path, field.value)
    if isinstance(field.allowed, Choice) and value not in field.allowed and field.before is None:
        value = field.value
    hidden = quiet and not value.strip()
    return replace(
        field,
        value=value,
        wrong=[] if hidden else [violation.message for violation in violations if field.is_about(violation.field)],
        warnings=[warning.text for warning in warnings if field.is_about(warning.field)],
    )


def seen(warnings: Iterable[object]) -> str:
    """A name for these warnings. A form carries it, so that a create can tell whether a person saw them."""
    names = sorted(map(repr, warnings))
    return hashlib.sha256(repr(names).encode()).hexdigest()[:16] if names else ""
