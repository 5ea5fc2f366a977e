"""An object as a client asks for it: JSON, YAML or protobuf, whole, as a Table, or as metadata alone.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources. Knows objects and Accept
headers; knows no store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from hooptui.demo.cluster import protobuf
from hooptui.demo.cluster.call import Call
from hooptui.demo.cluster.columns import AGE, COLUMNS, NAME, Column, since
from hooptui.demo.cluster.kinds import Kind
from hooptui.demo.cluster.objects import Object, dig
from hooptui.demo.cluster.problems import not_acceptable

JSON, YAML = "application/json", "application/yaml"
SERVED = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
META = "meta.k8s.io/v1"
Columns = Callable[[Kind], tuple[Column, ...]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One entry of an Accept header that can be served."""

    media: str
    shape: str = ""
    """`Table`, `PartialObjectMetadata`, `PartialObjectMetadataList`, or empty: the object itself."""


def wanted(accept: str, *, shapes: bool = True, binary: bool = True) -> Wanted:
    """The first entry that can be served.

    Raises:
        Problem: none can (406).
    """
    for entry in (accept or "*/*").split(","):
        media, *parts = (one.strip() for one in entry.split(";"))
        given = dict(part.partition("=")[::2] for part in parts)
        shape = given.get("as", "")
        if shape and (not shapes or given.get("g") != "meta.k8s.io" or given.get("v") != "v1"):
            continue
        if media in ("*/*", "application/*", JSON):
            found = JSON
        elif media in (YAML, protobuf.MEDIA):
            found = media
        else:
            continue
        if found == protobuf.MEDIA and (not binary or shape == "Table"):
            continue
        return Wanted(found, shape)
    raise not_acceptable(SERVED)


def render(obj: Object, how: Wanted) -> tuple[bytes, str]:
    """The bytes of an object in its shape, and their media type. Kinds that protobuf does not have come as JSON."""
    if how.media == protobuf.MEDIA and (packed := protobuf.encode(obj)) is not None:
        return packed, protobuf.MEDIA
    if how.media == YAML:
        return yaml.safe_dump(obj, sort_keys=True).encode(), YAML
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode() + b"\n", JSON


def shaped(obj: Object, kind: Kind, how: Wanted, columns: Columns, call: Call) -> Object:
    """The object, or list, in the shape that is asked for."""
    if obj.get("kind") == "Status" or not how.shape:
        return obj
    if how.shape == "Table":
        return table(obj, kind, columns(kind), call.asked("includeObject", "Metadata"))
    if "items" in obj:
        items = [partial(one) for one in obj["items"]]
        return {"kind": "PartialObjectMetadataList", "apiVersion": META, "metadata": obj["metadata"], "items": items}
    return partial(obj)


def partial(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": obj["metadata"]}


def table(obj: Object, kind: Kind, columns: tuple[Column, ...], include: str, *, headed: bool = True) -> Object:
    """A Table of an object or a list; `headed` with the definitions of its columns, which a watch sends once."""
    rows = []
    for one in obj.get("items", [obj]):
        row: Object = {"cells": [column.cell(one) for column in columns]}
        match include:
            case "Object":
                row["object"] = {"kind": kind.kind, "apiVersion": kind.api_version, **one}
            case "None":
                row["object"] = None
            case _:
                row["object"] = partial(one)
        rows.append(row)
    metadata = {
        key: value
        for key, value in obj["metadata"].items()
        if key in ("resourceVersion", "continue", "remainingItemCount")
    }
    return {
        "kind": "Table", "apiVersion": META, "metadata": metadata,
        "columnDefinitions": [column.definition() for column in columns] if headed else [], "rows": rows,
    }  # fmt: skip


def columns_of(kind: Kind, definition: Object | None) -> tuple[Column, ...]:
    """A kind's columns; those of a custom one come from its definition."""
    if definition is None:
        return COLUMNS.get(kind.plural, (NAME, AGE))
    version = next(one for one in definition["spec"]["versions"] if one["name"] == kind.version)
    found = version.get("additionalPrinterColumns")
    if not found:
        return NAME, AGE
    return (NAME, *(_custom(one) for one in found))


def _custom(given: Object) -> Column:
    path = _json_path(given["jsonPath"])

    def cell(obj: Object) -> Any:
        value = dig(obj, *path)
        if given["type"] == "date":
            return since(value)
        return "" if value is None and given["type"] == "string" else value

    return Column(given["name"], cell, "date" if given["type"] == "date" else given["type"], given.get("priority", 0))


def _json_path(text: str) -> tuple[str | int, ...]:
    """A simple JSONPath, `.spec.ports[0].name`."""
    found: list[str | int] = []
    for name, place in re.findall(r"\.?([A-Za-z0-9_-]+)|\[(\d+)\]", text):
        found.append(int(place) if place else name)
    return tuple(found)
