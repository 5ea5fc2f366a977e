"""Ways to the value of a Secret, each as an API server answers: what is asked for, and the body that comes back."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

VALUE = "zK8s-Canary-7f3a9c51e2"
"""What must not come out."""
ENCODED = base64.b64encode(VALUE.encode()).decode()


@dataclass(frozen=True, slots=True)
class Leak:
    name: str
    resource: str
    body: bytes
    watch: bool = False


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def secret(name: str = "db", **more: Any) -> dict[str, Any]:
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "prod", "resourceVersion": "7"},
        "data": {"password": ENCODED},
        "type": "Opaque",
        **more,
    }


def kindless(name: str = "db") -> dict[str, Any]:
    """As a list has it."""
    return {key: value for key, value in secret(name).items() if key not in ("kind", "apiVersion")}


def listed(kind: str, *items: Any, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "9"}, **more, "items": list(items)}


def applied(manifest: Any, kind: str = "Secret", **more: Any) -> dict[str, Any]:
    """An object that says what was applied last."""
    text = manifest if isinstance(manifest, str) else json.dumps(manifest, separators=(",", ":")) + "\n"
    notes = {"kubectl.kubernetes.io/last-applied-configuration": text}
    return {"kind": kind, "apiVersion": "v1", "metadata": {"name": "db", "annotations": notes}, **more}


def table(*objects: Any) -> dict[str, Any]:
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "9"},
        "columnDefinitions": [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}],
        "rows": [{"cells": ["db", "Opaque", 1, "5d"], "object": one} for one in objects],
    }


def partial(value: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": value["metadata"]}


def event(kind: str, value: Any) -> bytes:
    return compact({"type": kind, "object": value}) + b"\n"


def helm(inside: str) -> str:
    """A release as Helm keeps it: base64 within base64 of gzip."""
    return base64.b64encode(base64.b64encode(gzip.compress(inside.encode(), mtime=0))).decode()


def failure(message: str, *causes: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "Invalid",
        "details": {"name": "db", "kind": "Secret", "causes": [{"message": one, "field": "data"} for one in causes]},
        "code": 422,
    }


YAML = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  password: {ENCODED}\n"
KUBECONFIG = f"apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    client-key-data: {ENCODED}\n"
ESCAPED = "".join(f"\\u{ord(one):04x}" for one in "Secret")


def _get() -> Iterator[Leak]:
    yield Leak("get", "secrets", compact(secret()))
    yield Leak("get, pretty", "secrets", json.dumps(secret(), indent=2).encode() + b"\n")
    yield Leak("get with string data", "secrets", compact(secret(data={}, stringData={"password": VALUE})))
    yield Leak("two values", "secrets", compact(secret(data={"a": ENCODED, "b": ENCODED})))
    yield Leak("data before kind", "secrets", compact({"data": {"p": ENCODED}, "metadata": {}, "kind": "Secret"}))
    yield Leak("no kind at all", "secrets", compact(kindless()))
    yield Leak("keys in other cases", "secrets", compact({"Kind": "Secret", "DATA": {"p": ENCODED}}))
    yield Leak("a key that stands twice", "secrets", compact(secret())[:-1] + b',"data":{}}')
    yield Leak("a key that stands twice elsewhere", "widgets", compact(secret())[:-1] + b',"data":{}}')
    yield Leak("data that is no base64", "secrets", compact(secret(data={"p": VALUE})))
    yield Leak("data that is a list", "secrets", compact(secret(data=[ENCODED])))
    yield Leak("data that is a string", "secrets", compact(secret(data=ENCODED)))
    yield Leak("data that is nested", "secrets", compact(secret(data={"p": {"q": [ENCODED]}})))
    yield Leak(
        "a token", "secrets", compact(secret(type="kubernetes.io/service-account-token", data={"token": ENCODED}))
    )
    yield Leak("a bootstrap token", "secrets", compact(secret(type="bootstrap.kubernetes.io/token")))
    yield Leak("a Secret's kind in escapes", "widgets", compact(secret()).replace(b"Secret", ESCAPED.encode()))
    yield Leak("its keys in escapes", "widgets", compact(secret()).replace(b'"kind"', b'"k\\u0069nd"'))


def _lists() -> Iterator[Leak]:
    yield Leak("list", "secrets", compact(listed("SecretList", kindless("a"), kindless("b"))))
    yield Leak("list, pretty", "secrets", json.dumps(listed("SecretList", kindless(), kindless()), indent=2).encode())
    yield Leak("list of many", "secrets", compact(listed("SecretList", *(kindless(f"s{n}") for n in range(60)))))
    yield Leak("list without a kind", "secrets", compact({"items": [kindless()]}))
    yield Leak("kind behind the items", "widgets", compact({"items": [kindless()], "kind": "SecretList"}))
    yield Leak(
        "items that stand twice",
        "widgets",
        compact({"kind": "SecretList", "items": [kindless()]})[:-1] + b',"items":[]}',
    )
    yield Leak("list with items that say their kind", "widgets", compact(listed("WidgetList", secret())))
    yield Leak("a list of all kinds", "", compact(listed("List", {"kind": "Pod"}, secret())))
    yield Leak("a list in a list", "", compact(listed("List", listed("SecretList", kindless()))))
    yield Leak("a list under another name", "widgets", compact(listed("SecretList", kindless())))
    yield Leak("Items for items", "secrets", compact({"kind": "SecretList", "Items": [kindless()]}))
    yield Leak("the last of a page", "secrets", compact({**listed("SecretList"), "items": [{}] * 50 + [kindless()]}))
    yield Leak("table with objects", "secrets", compact(table(secret(), secret())))
    yield Leak("table with metadata", "secrets", compact(table(partial(applied(secret())))))
    yield Leak("table of objects without kind", "secrets", compact(table(kindless())))


def _copies() -> Iterator[Leak]:
    yield Leak("last applied", "secrets", compact(applied(secret())))
    yield Leak("last applied string data", "secrets", compact(applied(secret(stringData={"p": VALUE}))))
    yield Leak("last applied of a list", "configmaps", compact(applied(listed("List", secret()), "ConfigMap")))
    yield Leak("last applied that is pretty", "secrets", compact(applied(json.dumps(secret(), indent=1))))
    yield Leak("last applied that is broken", "secrets", compact(applied(json.dumps(secret())[:-1])))
    yield Leak("metadata alone", "secrets", compact(partial(applied(secret()))))
    yield Leak(
        "a list of metadata", "secrets", compact(listed("PartialObjectMetadataList", partial(applied(secret()))))
    )
    yield Leak("a manifest in a pod's notes", "pods", compact(applied(secret(), "Pod")))
    yield Leak("a manifest of a manifest", "pods", compact(applied(applied(secret(), "Pod"), "Pod")))
    yield Leak(
        "a copy in another note", "secrets", compact(secret(metadata={"name": "db", "annotations": {"was": ENCODED}}))
    )
    yield Leak(
        "a copy in a label, as text", "secrets", compact(secret(metadata={"name": "db", "labels": {"was": VALUE}}))
    )
    yield Leak(
        "a copy in a field's manager", "secrets", compact(secret(metadata={"managedFields": [{"manager": VALUE}]}))
    )
    yield Leak(
        "a manifest in a config map, YAML", "configmaps", compact({"kind": "ConfigMap", "data": {"a.yaml": YAML}})
    )
    yield Leak(
        "a manifest of several documents",
        "configmaps",
        compact({"kind": "ConfigMap", "data": {"a": "a: 1\n---\n" + YAML}}),
    )
    yield Leak(
        "a manifest in a list in YAML",
        "configmaps",
        compact({"kind": "ConfigMap", "data": {"a": "items:\n- kind: 'Secret'\n  data: {p: " + ENCODED + "}\n"}}),
    )
    yield Leak(
        "a manifest in a config map, JSON",
        "configmaps",
        compact({"kind": "ConfigMap", "data": {"a": json.dumps(secret())}}),
    )
    yield Leak(
        "a kubeconfig in a config map", "configmaps", compact({"kind": "ConfigMap", "data": {"config": KUBECONFIG}})
    )
    yield Leak(
        "a template inside a custom object",
        "sealedthings",
        compact({"kind": "SealedThing", "spec": {"template": secret()}}),
    )
    yield Leak(
        "a quoted manifest in escapes",
        "pods",
        compact(applied(secret(), "Pod")).replace(b'\\"Secret', b"\\u0022Secret"),
    )


def _streams() -> Iterator[Leak]:
    yield Leak("watch", "secrets", event("ADDED", secret()) + event("MODIFIED", secret()), watch=True)
    yield Leak("watch of objects without kind", "secrets", event("ADDED", kindless()), watch=True)
    yield Leak("watch of what is deleted", "secrets", event("DELETED", secret()), watch=True)
    yield Leak("watch of tables", "secrets", event("ADDED", table(secret())), watch=True)
    yield Leak("watch of metadata", "secrets", event("ADDED", partial(applied(secret()))), watch=True)
    yield Leak(
        "watch, pretty",
        "secrets",
        json.dumps({"type": "ADDED", "object": secret()}, indent=2).encode() + b"\n",
        watch=True,
    )
    yield Leak("watch of an error", "secrets", event("ERROR", failure(f'Invalid value: "{VALUE}": bad')), watch=True)
    yield Leak("watch of another resource", "widgets", event("ADDED", {"kind": "Widget", "spec": secret()}), watch=True)
    yield Leak("events without a line's end", "secrets", event("ADDED", secret()).strip() * 3, watch=True)


def _others() -> Iterator[Leak]:
    yield Leak("a token that is made", "serviceaccounts", compact({"kind": "TokenRequest", "status": {"token": VALUE}}))
    yield Leak("a token that is reviewed", "tokenreviews", compact({"kind": "TokenReview", "spec": {"token": VALUE}}))
    yield Leak(
        "a certificate that is signed",
        "certificatesigningrequests",
        compact({"kind": "CertificateSigningRequest", "status": {"certificate": ENCODED}}),
    )
    yield Leak(
        "certificates in a list",
        "certificatesigningrequests",
        compact(listed("CertificateSigningRequestList", {"status": {"certificate": ENCODED}})),
    )
    yield Leak(
        "a release of Helm", "secrets", compact(secret(type="helm.sh/release.v1", data={"release": helm(VALUE)}))
    )
    yield Leak(
        "a release of Helm in a config map",
        "configmaps",
        compact({"kind": "ConfigMap", "metadata": {"labels": {"owner": "helm"}}, "data": {"release": helm(VALUE)}}),
    )
    yield Leak(
        "an error that quotes",
        "secrets",
        compact(failure(f'Secret "db" is invalid: data[p]: Invalid value: "{VALUE}": no')),
    )
    yield Leak("an error with causes", "secrets", compact(failure("invalid", f'Invalid value: "{ENCODED}": no')))
    yield Leak(
        "an error that quotes a whole object",
        "secrets",
        compact(failure(f'Invalid value: v1.Secret{{Data:{{"p":"{VALUE}"}}}}: no')),
    )
    yield Leak("echo of a patch", "secrets", compact(secret(metadata={"name": "db", "labels": {"a": "b"}})))
    yield Leak("echo of a collection that is deleted", "secrets", compact(listed("SecretList", kindless(), kindless())))


ROOMS: tuple[Callable[[], Iterator[Leak]], ...] = (_get, _lists, _copies, _streams, _others)
LEAKS: tuple[Leak, ...] = tuple(leak for room in ROOMS for leak in room())


def shows(data: bytes, value: str = VALUE, rounds: int = 3) -> bool:
    """Whether a value can be read out of bytes: as it is, in JSON's escapes, in base64, hexadecimal or gzip, and so again."""
    if value.encode() in data:
        return True
    if not rounds:
        return False
    inner: list[bytes] = []
    if data[:2] == b"\x1f\x8b":
        inner.append(zlib.decompressobj(wbits=31).decompress(data))
    for text in {text for text in _texts(data) if len(text) > len(value)}:
        inner.append(text)
        if re.fullmatch(rb"[0-9a-fA-F]+", text):
            inner.append(bytes.fromhex(text[: len(text) // 2 * 2].decode()))
        for match in re.finditer(rb"[A-Za-z0-9+/_-]{%d,}" % len(value), text):
            run = match[0].replace(b"-", b"+").replace(b"_", b"/")
            for skip in range(4):
                rest = run[skip : len(run) - (1 if (len(run) - skip) % 4 == 1 else 0)]
                inner.append(base64.b64decode(rest + b"=" * (-len(rest) % 4)))
    return any(shows(one, value, rounds - 1) for one in inner if one != data)


def _texts(data: bytes) -> Iterator[bytes]:
    """Every string in JSON, however many documents there are; what is none as words."""
    decoder = json.JSONDecoder(object_pairs_hook=lambda pairs: pairs)
    text, at, found = data.decode("utf-8", "replace"), 0, False
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            at += 1
            continue
        found = True
        yield from _leaves(value)
    if not found or not text.lstrip().startswith(("{", "[")):
        yield from data.split()


def _leaves(value: Any) -> Iterator[bytes]:
    if isinstance(value, str):
        yield value.encode("utf-8", "replace")
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
