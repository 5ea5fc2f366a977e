"""What a request brings with it: an object in JSON, YAML or protobuf, and the options of a write.

Knows no store. Unknown fields are found by the table of messages, so that `fieldValidation=Strict` means something.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from hooptui.demo.cluster import protobuf
from hooptui.demo.cluster.call import Call
from hooptui.demo.cluster.kinds import Kind
from hooptui.demo.cluster.objects import Object
from hooptui.demo.cluster.problems import Problem, bad_request, unsupported_media

MEDIA = "application/json, application/yaml, application/vnd.kubernetes.protobuf"


@dataclass(frozen=True, slots=True)
class Options:
    """How a write is meant."""

    dry_run: bool
    manager: str
    force: bool
    strict: bool
    """Unknown fields are an error."""


def options(call: Call, *, deleting: Object | None = None) -> Options:
    """Raises: Problem for a `dryRun` that is none (400)."""
    dry = [value for key, value in call.query if key == "dryRun" and value] + list((deleting or {}).get("dryRun") or ())
    if any(one != "All" for one in dry):
        raise Problem(
            422, "Invalid", f'"" is invalid: dryRun: Unsupported value: "{dry[0]}": supported values: "All"',
            {"causes": [{"reason": "FieldValueNotSupported", "message": f'Unsupported value: "{dry[0]}"', "field": "dryRun"}]},
        )  # fmt: skip
    agent = call.headers.get("user-agent", "unknown").partition("/")[0]
    return Options(
        bool(dry), call.asked("fieldManager") or agent, call.flag("force"), call.asked("fieldValidation") == "Strict"
    )


def media_type(call: Call) -> str:
    return call.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse(call: Call, expected: tuple[str, str] | None = None) -> Object:
    """The object in the body. `expected` is the apiVersion and kind of one that does not say.

    Raises:
        Problem: it is none (400), or of a media type that is not served (415).
    """
    match media_type(call):
        case "application/json" | "" | "application/x-www-form-urlencoded":
            found = _json(call.body)
        case "application/yaml" | "application/apply-patch+yaml":
            found = _yaml(call.body)
        case protobuf.MEDIA:
            return protobuf.decode(call.body, expected)
        case _:
            raise unsupported_media(MEDIA)
    if not isinstance(found, dict):
        raise bad_request("couldn't get version/kind; json parse error: the body is no object")
    if expected:
        found.setdefault("apiVersion", expected[0])
        found.setdefault("kind", expected[1])
    return found


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as fault:
        raise bad_request(f"couldn't get version/kind; json parse error: {fault}") from None


def _yaml(body: bytes) -> Any:
    try:
        found = yaml.safe_load(body)
    except yaml.YAMLError as fault:
        raise bad_request(f"error decoding YAML: {fault}") from None
    return json.loads(json.dumps(found, default=str))


def must_be(obj: Object, kind: Kind) -> None:
    """Raises: Problem when the object is of another kind than the path says (400)."""
    if obj.get("apiVersion") != kind.api_version:
        raise bad_request(
            f"the API version in the data ({obj.get('apiVersion', '')}) does not match the expected API version ({kind.api_version})"
        )
    if obj.get("kind") != kind.kind:
        raise bad_request(
            f'{obj.get("kind", "")} in version "{kind.version}" cannot be handled as a {kind.kind}: converting ({obj.get("apiVersion")}.{obj.get("kind")}) to ({kind.group}.{kind.kind}): unknown conversion'
        )


def must_be_known(obj: Object, kind: Kind) -> None:
    """Raises: Problem when a field is none of its kind (400)."""
    message = protobuf.message_for(kind.api_version, kind.kind)
    if message is None:
        return
    unknown = list(
        _unknown({key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}, message, "")
    )
    if unknown:
        texts = ", ".join(f'unknown field "{one}"' for one in unknown)
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: {texts}'
        )


def _unknown(obj: Object, message: str, path: str) -> Iterator[str]:
    known = _flat(message)
    for name, value in obj.items():
        here = f"{path}.{name}" if path else name
        field = known.get(name)
        if field is None:
            yield here
        elif "." in field.type:
            if "*" in field.flags and isinstance(value, list):
                for place, item in enumerate(value):
                    if isinstance(item, dict):
                        yield from _unknown(item, field.type, f"{here}[{place}]")
            elif isinstance(value, dict) and "%" not in field.flags:
                yield from _unknown(value, field.type, here)


def _flat(message: str) -> dict[str, protobuf.Field]:
    found: dict[str, protobuf.Field] = {}
    for field in protobuf.messages()[message]:
        if "!" in field.flags:
            found |= _flat(field.type)
        else:
            found[field.name] = field
    return found
