"""Fields of request shapes as the document describes them: JSON Schema of the values that the rules allow.

pydantic checks only the type, since the rules answer in words; what stands here is for the document. Every field may be null,
which is the same as absent, unless it is mandatory.
"""

from typing import Any

import pydantic

from landbridge.model import allowed_values

Schema = dict[str, Any]
#: What an integer may be written as: clients of the API send numbers as strings too.
_DIGITS: Schema = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_MANDATORY = "x-mandatory"


def field(
    schema: Schema, description: str = "", *, alias: str | None = None, mandatory: bool = False, secret: bool = False
) -> Any:
    """A field of a shape. `mandatory` in every request; what is so in some only is said in the description."""

    def describe(generated: Schema) -> None:
        own = generated.pop("anyOf")[0]
        found = (
            {**own, **schema} if schema.get("type") == "array" else schema
        )  # an array of shapes has pydantic's items
        generated.update({**found, _MANDATORY: True} if mandatory else _or_null(found))

    return pydantic.Field(
        None,
        alias=alias,
        description=description or None,
        strict=False if schema.get("type") == "array" else None,
        repr=not secret,
        json_schema_extra=describe,
    )


def _or_null(schema: Schema) -> Schema:
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    nullable = schema | {"type": [schema["type"], "null"]}
    return nullable | {"enum": [*schema["enum"], None]} if "enum" in schema else nullable


def complete(generated: Schema, *, change: bool) -> None:
    """A shape's schema as pydantic made it: defaults of null go, and what is mandatory is said. In a change nothing is
    mandatory and nothing has a default: what is absent stays.
    """
    mandatory = []
    for name, one in generated.get("properties", {}).items():
        if one.pop(_MANDATORY, False):
            if change:
                one.update(_or_null(one))
            else:
                mandatory.append(name)
        one.pop("title", None)
        if change or one.get("default") is None:
            one.pop("default", None)
    if mandatory:
        generated["required"] = mandatory


# -- kinds of values --------------------------------------------------------------------------------------------------


def string(pattern: str | None = None, **more: Any) -> Schema:
    return {"type": "string", **({"pattern": pattern} if pattern else {}), **more}


def an_id() -> Schema:
    return string(allowed_values.UUID, format="uuid")


def name() -> Schema:
    return string(allowed_values.NAME)


def boolean(*, default: bool | None = None) -> Schema:
    return {"type": "boolean"} | ({} if default is None else {"default": default})


def choice(row: allowed_values.Choice | allowed_values.Range, *others: str) -> Schema:
    """One of a row's values; the `others` go with some requests only."""
    if isinstance(row, allowed_values.Range):
        raise TypeError(row)
    return {"type": "string", "enum": [*row.values, *others], "default": row.default}


def seconds(row: allowed_values.Choice | allowed_values.Range) -> Schema:
    """0 counts as not given."""
    if isinstance(row, allowed_values.Choice):
        raise TypeError(row)
    integer = {"type": "integer", "minimum": row.low, "maximum": row.high}
    return {"anyOf": [integer, {"const": 0}, _DIGITS], "default": row.default}


def integer(low: int, high: int, default: int | None = None) -> Schema:
    schema = {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, _DIGITS]}
    return schema | ({} if default is None else {"default": default})


def array(items: Schema, low: int, high: int, **more: Any) -> Schema:
    return {"type": "array", "items": items, "minItems": low, "maxItems": high, **more}


def subnet() -> Schema:
    """A block without host bits."""
    return string(allowed_values.CIDR, format="ipv4-cidr")


def subnets(low: int = 1) -> Schema:
    return array(subnet(), low, allowed_values.SUBNET_LIMIT, uniqueItems=True)


def objects(low: int, high: int) -> Schema:
    """Of the shape that the field is annotated with."""
    return {"type": "array", "minItems": low, "maxItems": high}


def none_at_all() -> Schema:
    """What is refused, but that clients send it empty."""
    return {"type": "array", "maxItems": 0}


def tag_text(low: int, high: int) -> Schema:
    return string(allowed_values.TAG_TEXT, minLength=low, maxLength=high)


def tags() -> Any:
    return field(objects(0, allowed_values.TAG_LIMIT), "each key once")


def fixed(kind: str = "string", *, alias: str | None = None) -> Any:
    """A field of an update that changes nothing: what was read may be sent back."""
    return field({"type": kind}, "cannot be changed here: absent, or as it was read", alias=alias)


# -- answers ----------------------------------------------------------------------------------------------------------


class Answer(pydantic.BaseModel):
    """Base of answers. A field that may be None in Python is absent on the wire, never null."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: pydantic.GetJsonSchemaHandler) -> Schema:
        generated = handler(core)
        for one in handler.resolve_ref_schema(generated).get("properties", {}).values():
            one.pop("title", None)
            if one.get("default", "") is None:
                del one["default"]
                one.update(one.pop("anyOf", [{}])[0])
        return generated


def listed(values: tuple[str, ...], description: str | None = None) -> Any:
    """A field of an answer that is one of these, or absent."""
    return pydantic.Field(None, description=description, json_schema_extra={"enum": list(values)})
