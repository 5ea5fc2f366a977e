"""OpenAPI v3 of what is served, made of the Python client's models, with the merge keys; and a v2 that is valid and says little.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition. The models are loaded when first asked
for, which takes seconds. Knows the kinds.
"""

from __future__ import annotations

import inspect
import json
import re
from functools import cache
from hashlib import sha256
from typing import Any

from hooptui.demo.cluster.kinds import Kind, Kinds
from hooptui.demo.cluster.merging import SETS, STRATEGIC, below
from hooptui.demo.cluster.objects import Object
from hooptui.demo.cluster.protobuf import block, message_for

PACKAGES = {"core": "io.k8s.api.core", "meta": "io.k8s.apimachinery.pkg.apis.meta"}
PLAIN: dict[str, Object] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "format": "int32"},
    "float": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "object": {"type": "object"},
}
V2_MEDIA = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


def paths(kinds: Kinds) -> Object:
    """The index, /openapi/v3."""
    found = {}
    for kind in kinds.all():
        place = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
        digest = sha256(place.encode()).hexdigest().upper()
        found[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={digest}"}
    return {"paths": found}


@cache
def _models() -> dict[str, Any]:
    import kubernetes_asyncio.client as client

    return {name: getattr(client, name) for name in dir(client) if hasattr(getattr(client, name), "openapi_types")}


def _schema_name(model: str, message: str | None) -> str:
    """`V1PodSpec` of `core/v1.PodSpec` is `io.k8s.api.core.v1.PodSpec`."""
    if model in ("V1ObjectMeta", "V1ListMeta", "V1Status", "V1StatusDetails", "V1LabelSelector", "V1OwnerReference", "V1DeleteOptions",
                 "V1ManagedFieldsEntry", "V1StatusCause", "V1LabelSelectorRequirement", "V1Preconditions", "V1Condition"):  # fmt: skip
        return f"{PACKAGES['meta']}.v1.{model[2:]}"
    found = re.match(r"[A-Za-z]*?(V\d+(?:(?:alpha|beta)\d+)?)([A-Z].*)", model)
    # `VersionInfo` alone has none.
    version, name = found.groups() if found else ("v1", model)
    package = PACKAGES["core"]
    if message is not None and "/" in message:
        package = f"io.k8s.api.{message.partition('/')[0]}"
    elif name.startswith(("CustomResource", "JSONSchema")):
        package = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions"
    return f"{package}.{version.lower()}.{name}"


def _text(model: Any, attribute: str) -> str:
    found = re.search(r"# noqa: E501\s+(.*?)\s+# noqa: E501", getattr(model, attribute).__doc__ or "", re.DOTALL)
    return re.sub(r"\s+", " ", found[1]).strip() if found else ""


class _Document:
    """The schemas of one group's version, each with those it needs."""

    def __init__(self) -> None:
        self.schemas: dict[str, Object] = {}

    def reference(self, model: str, message: str | None) -> Object:
        name = _schema_name(model, message)
        if name not in self.schemas:
            self.schemas[name] = {}
            self.schemas[name] = self._schema(model, message)
        return {"$ref": f"#/components/schemas/{name}"}

    def _schema(self, model_name: str, message: str | None) -> Object:
        model = _models()[model_name]
        properties: Object = {}
        required: list[str] = []
        for attribute, kind in model.openapi_types.items():
            label = model.attribute_map[attribute]
            found = self._property(kind, _below(message, label))
            text = _text(model, attribute)
            if "$ref" in found:
                found = {"allOf": [found], "default": {}}
            if text:
                found = {"description": text, **found}
            key = STRATEGIC.get((message or "", label))
            if key:
                found |= {
                    "x-kubernetes-patch-merge-key": key[0], "x-kubernetes-patch-strategy": "merge", "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": list(key),
                }  # fmt: skip
            elif (message, label) in SETS:
                found |= {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-list-type": "set"}
            properties[label] = found
            if _is_required(model, attribute):
                required.append(label)
        found = {"description": f"{model_name[2:]} of the Kubernetes API.", "type": "object", "properties": properties}
        if required:
            found["required"] = required
        return found

    def _property(self, kind: str, message: str | None) -> Object:
        listed, mapped = re.fullmatch(r"list\[(.*)\]", kind), re.fullmatch(r"dict\(str, (.*)\)", kind)
        if listed:
            return {"type": "array", "items": self._item(listed[1], message)}
        if mapped:
            return {"type": "object", "additionalProperties": self._item(mapped[1], message)}
        if kind in PLAIN:
            return dict(PLAIN[kind])
        if kind in _models():
            return self.reference(kind, message)
        return {"type": "object"}

    def _item(self, kind: str, message: str | None) -> Object:
        found = self._property(kind, message)
        return (
            {"allOf": [found], "default": {}}
            if "$ref" in found
            else {**found, **({"default": ""} if kind == "str" else {})}
        )


def _is_required(model: Any, attribute: str) -> bool:
    return "must not be `None`" in inspect.getsource(getattr(model, attribute).fset)


def _below(message: str | None, label: str) -> str | None:
    return below(message, label) if message is not None else None


class Documents:
    """The documents of one cluster, each made once."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._made: dict[tuple[str, str], bytes] = {}

    def get(self, group: str, version: str, definitions: list[Object]) -> bytes | None:
        """JSON of one; None when there is no such group."""
        custom = any(kind.custom for kind in self._kinds.all() if (kind.group, kind.version) == (group, version))
        if custom or (group, version) not in self._made:
            found = document(self._kinds, group, version, definitions)
            if found is None:
                return None
            packed = json.dumps(found, separators=(",", ":")).encode()
            if custom:
                return packed
            self._made[group, version] = packed
        return self._made[group, version]


def document(kinds: Kinds, group: str, version: str, definitions: list[Object]) -> Object | None:
    """OpenAPI v3 of one group's version; None when there is no such."""
    found = [kind for kind in kinds.all() if (kind.group, kind.version) == (group, version)]
    if not found:
        return None
    made = _Document()
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    routes: Object = {}
    for kind in found:
        name = _of(made, kind, definitions)
        if name is None:
            continue
        schema = made.schemas[name]
        schema["x-kubernetes-group-version-kind"] = [{"group": kind.group, "kind": kind.kind, "version": kind.version}]
        base = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
        routes[base] = {"post": _operation(kind, name, "post")}
        if "get" in kind.verbs:
            routes[base]["get"] = _operation(kind, name, "list")
            routes[f"{base}/{{name}}"] = {
                verb: _operation(kind, name, verb) for verb in ("get", "put", "patch", "delete")
            }
    return {
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.33.4"}, "paths": routes,
        "components": {"schemas": made.schemas},
    }  # fmt: skip


def _of(made: _Document, kind: Kind, definitions: list[Object]) -> str | None:
    if kind.custom:
        for one in definitions:
            spec = one["spec"]
            if spec["group"] == kind.group and spec["names"]["plural"] == kind.plural:
                version = next(v for v in spec["versions"] if v["name"] == kind.version)
                schema = json.loads(json.dumps(version.get("schema", {}).get("openAPIV3Schema", {"type": "object"})))
                name = ".".join((*reversed(kind.group.split(".")), kind.version, kind.kind))
                text = {"type": "string"}
                schema.setdefault("properties", {}).update(
                    {
                        "apiVersion": text,
                        "kind": text,
                        "metadata": {"allOf": [made.reference("V1ObjectMeta", "meta.ObjectMeta")]},
                    }
                )
                made.schemas[name] = schema
                return name
        return None
    model = f"V{kind.version[1:]}{kind.kind}"
    if model not in _models():
        model = {"V1Event": "CoreV1Event" if not kind.group else "EventsV1Event"}.get(model, model)
        if model not in _models():
            return None
        name = f"io.k8s.api.{'core' if not kind.group else 'events'}.v1.Event"
        made.schemas[name] = {"type": "object", "properties": {}}
        return name
    message = message_for(kind.api_version, kind.kind)
    made.reference(model, message)
    return _schema_name(model, message)


def _operation(kind: Kind, name: str, verb: str) -> Object:
    """One operation: its kind, and the parameters that clients look for."""
    action = {"list": "list", "post": "post", "get": "get", "put": "put", "patch": "patch", "delete": "delete"}[verb]
    found: Object = {
        "operationId": f"{verb}{kind.group.title()}{kind.version.title()}{kind.kind}".replace(".", ""),
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}},
        "x-kubernetes-action": action, "x-kubernetes-group-version-kind": {"group": kind.group, "kind": kind.kind, "version": kind.version},
    }  # fmt: skip
    if verb in ("post", "put", "patch", "delete"):
        names = ("dryRun", "fieldManager", "fieldValidation") if verb != "delete" else ("dryRun",)
        found["parameters"] = [{"name": one, "in": "query", "schema": {"type": "string"}} for one in names]
    return found


# --- v2


def v2() -> Object:
    """A valid document without definitions: clients that find none fall back on what they know."""
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.33.4"}, "paths": {}, "definitions": {}}


def v2_protobuf() -> bytes:
    """The same as gnostic's protobuf: Document {swagger=1 info=2 {title=1 version=2} paths=8 definitions=9}."""
    info = block(1, b"Kubernetes") + block(2, b"v1.33.4")
    return block(1, b"2.0") + block(2, info) + block(8, b"") + block(9, b"")
