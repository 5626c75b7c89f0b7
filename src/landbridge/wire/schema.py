"""Fields of request shapes as the document describes them: JSON Schema of the values that the rules allow.

pydantic checks only the type, because the rules answer in words; these schemas are for the document. Every field may be
null, which is the same as absent, unless the field is mandatory.
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
    """A field of a shape. `mandatory`: in every request. The description says it when a field is mandatory in some
    requests only.
    """

    def describe(generated: Schema) -> None:
        own = generated.pop("anyOf")[0]
        # An array of shapes has the items that pydantic generated.
        array = {**own, **schema} if schema.get("type") == "array" else schema
        generated.update({**array, _MANDATORY: True} if mandatory else _or_null(array))

    return pydantic.Field(
        None,
        alias=alias,
        description=description or None,
        strict=False if schema.get("type") == "array" else None,
        repr=not secret,
        json_schema_extra=describe,
    )


def choice_field(
    allowed: allowed_values.Choice,
    description: str = "",
    *,
    gm: allowed_values.Choice | None = None,
    alias: str | None = None,
) -> Any:
    """A field that takes one value of a list. `gm`: the values on a GM gateway."""
    weak = [value for value in allowed.values if value in allowed_values.WEAK]
    notes = [
        f"weak: {', '.join(weak)}" if weak else "",
        f"a GM gateway: {' or '.join(gm.values)} only" if gm not in (None, allowed) else "",
        description,
    ]
    others = [value for value in gm.values if value not in allowed] if gm else []
    return field(choice(allowed, *others), "; ".join(filter(None, notes)), alias=alias)


def seconds_field(allowed: allowed_values.Seconds, description: str = "seconds") -> Any:
    return field(seconds(allowed), f"{description}; 0 counts as not given")


def _or_null(schema: Schema) -> Schema:
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    nullable = schema | {"type": [schema["type"], "null"]}
    return nullable | {"enum": [*schema["enum"], None]} if "enum" in schema else nullable


def complete(generated: Schema, *, change: bool) -> None:
    """Completes the schema that pydantic generated for a shape: removes defaults of null, and lists the mandatory
    fields. In a change nothing is mandatory and nothing has a default, because an absent field stays.
    """
    mandatory = []
    for name, member in generated.get("properties", {}).items():
        if member.pop(_MANDATORY, False):
            if change:
                member.update(_or_null(member))
            else:
                mandatory.append(name)
        member.pop("title", None)
        if change or member.get("default") is None:
            member.pop("default", None)
    if mandatory:
        generated["required"] = mandatory


# -- kinds of values --------------------------------------------------------------------------------------------------


def string(pattern: allowed_values.Pattern | None = None, **more: Any) -> Schema:
    bounds = length(pattern.length) if pattern and pattern.length else {}
    return {"type": "string", **({"pattern": pattern.regex} if pattern else {}), **bounds, **more}


def length(allowed: allowed_values.Range) -> Schema:
    return {"type": "string", "minLength": allowed.low, "maxLength": allowed.high}


def uuid() -> Schema:
    return string(allowed_values.UUID, format="uuid")


def name() -> Schema:
    return string(allowed_values.NAME)


def boolean(*, default: bool | None = None) -> Schema:
    return {"type": "boolean"} | ({} if default is None else {"default": default})


def choice(allowed: allowed_values.Choice, *others: str) -> Schema:
    """One value of a list. `others`: values that go with some requests only."""
    return {"type": "string", "enum": [*allowed.values, *others], "default": allowed.default}


def seconds(allowed: allowed_values.Seconds) -> Schema:
    within = {"type": "integer", "minimum": allowed.low, "maximum": allowed.high}
    return {"anyOf": [within, {"const": 0}, _DIGITS], "default": allowed.default}


def integer(allowed: allowed_values.Range, default: int | None = None) -> Schema:
    schema = {"anyOf": [{"type": "integer", "minimum": allowed.low, "maximum": allowed.high}, _DIGITS]}
    return schema | ({} if default is None else {"default": default})


def any_integer() -> Schema:
    """An integer that the rules compare with the present value."""
    return integer(allowed_values.Range(0, 10**18))


def array(items: Schema, length: allowed_values.Range, **more: Any) -> Schema:
    return {"type": "array", "items": items, "minItems": length.low, "maxItems": length.high, **more}


def subnet() -> Schema:
    """A block without host bits."""
    return string(allowed_values.CIDR, format="ipv4-cidr")


def subnets(length: allowed_values.Range = allowed_values.SUBNETS) -> Schema:
    return array(subnet(), length, uniqueItems=True)


def objects(at_most: int) -> Schema:
    """A list of the shape that the field is annotated with."""
    return {"type": "array", "minItems": 0, "maxItems": at_most}


def none_at_all() -> Schema:
    """A list that must be empty. Clients send it empty."""
    return {"type": "array", "maxItems": 0}


def tag_text(length: allowed_values.Range) -> Schema:
    return string(allowed_values.TAG_TEXT, minLength=length.low, maxLength=length.high)


def tags() -> Any:
    return field(objects(allowed_values.TAG_LIMIT), "each key once")


def fixed(kind: str = "string", *, alias: str | None = None) -> Any:
    """A field that an update cannot change. A client may send back what it read."""
    return field({"type": kind}, "cannot be changed here: absent, or as it was read", alias=alias)


# -- answers ----------------------------------------------------------------------------------------------------------


class Answer(pydantic.BaseModel):
    """Base of answers. A field that may be None in Python is absent on the wire, never null."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: pydantic.GetJsonSchemaHandler) -> Schema:
        generated = handler(core)
        for member in handler.resolve_ref_schema(generated).get("properties", {}).values():
            member.pop("title", None)
            if member.get("default", "") is None:
                del member["default"]
                member.update(member.pop("anyOf", [{}])[0])
        return generated


def listed(values: tuple[str, ...], description: str | None = None) -> Any:
    """A field of an answer that has one of these values, or is absent."""
    return pydantic.Field(None, description=description, json_schema_extra={"enum": list(values)})
