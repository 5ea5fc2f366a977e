"""JSON Schema (draft 2020-12) for policy files, for editors; made from the types that the loader reads.

It says of a single key what the loader says. What goes with what (an approve needs `approval`, ids are unique) is the loader's.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hooptui.policy.rules import Command, Mask, Rule, Test, Watch
from hooptui.strictyaml import Between, Duration, Matches, NotEmpty, OneOf, OneOrMany, Size, fields, is_record

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = r"^(?=.)(\d{1,6}d)?(\d{1,6}h)?(\d{1,6}m)?(\d{1,6}s)?(\d{1,6}ms)?$"

Schema = dict[str, Any]


def schema() -> Schema:
    """The schema of a policy file, as plain data for `json.dumps`."""
    return {
        "$schema": DRAFT,
        "title": "hooptui policy",
        "type": "object",
        "additionalProperties": False,
        "required": ["version"],
        "properties": {
            "version": {"const": 1},
            "rules": {"type": "array", "items": of(Rule)},
            "masks": {"type": "array", "items": of(Mask)},
            "watches": {"type": "array", "items": of(Watch)},
            "tests": {"type": "array", "items": of(Test)},
        },
    }


def of(hint: Any) -> Schema:
    """The schema of one type.

    Raises:
        TypeError: a type that the decoder does not take either.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _checked(of(arguments[0]), arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        (inner,) = (one for one in arguments if one is not type(None))
        return of(inner)
    if origin in (tuple, frozenset, list):
        listed: Schema = {"type": "array", "items": of(arguments[0])}
        return listed | {"uniqueItems": True} if origin is frozenset else listed
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": of(arguments[1])}
    if origin is Literal:
        return {"enum": list(arguments)}
    if hint is Duration:
        return {"type": "string", "pattern": _DURATION}
    if hint is Size:
        return {"type": "string", "pattern": r"^[0-9]{1,12}(B|KiB|MiB|GiB)$"}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [one.value for one in hint]}
    simple = {str: "string", bool: "boolean", int: "integer", float: "number"}.get(hint)
    if simple is not None:
        return {"type": simple}
    return _record(hint)


def _record(kind: Any) -> Schema:
    if not is_record(kind):
        raise TypeError(f"no schema for {kind!r}")
    known = fields(kind)
    found: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: of(hint) for name, hint, _ in known},
    }
    required = [name for name, _, needed in known if needed]
    return found | {"required": required} if required else found


def _checked(base: Schema, hint: Any, checks: tuple[Any, ...]) -> Schema:
    for check in checks:
        match check:
            case Between(low, high, words) if base.get("type") == "integer":
                base |= {"minimum": low, "maximum": high}
            case Between(low, high, words):
                base |= {"description": words}
            case Command(known) | OneOf(known):
                base = {"enum": sorted(known)}
            case Matches(pattern, words):
                base |= {"pattern": f"^(?:{pattern})$", "description": words}
            case NotEmpty():
                base |= {"minItems": 1} if "items" in base else {"minLength": 1}
            case _:
                pass
    if any(isinstance(check, OneOrMany) for check in checks):
        return {"anyOf": [of(get_args(hint)[0]), base]}
    return base
