"""RequestInfo, case by case as kube-apiserver computes it."""

from __future__ import annotations

import pytest

from hooptui.protocols.kubernetes.info import field_terms, request_info
from tests.protocols.kubernetes.asking import request

N = "/api/v1/namespaces/other"


@pytest.mark.parametrize(
    ("line", "verb", "group", "version", "namespace", "resource", "subresource", "name", "parts"),
    [
        ("GET /api/v1/namespaces", "list", "", "v1", "", "namespaces", "", "", 1),
        ("GET /api/v1/namespaces/other", "get", "", "v1", "other", "namespaces", "", "other", 2),
        (f"GET {N}/pods", "list", "", "v1", "other", "pods", "", "", 1),
        (f"GET {N}/pods/foo", "get", "", "v1", "other", "pods", "", "foo", 2),
        (f"HEAD {N}/pods/foo", "get", "", "v1", "other", "pods", "", "foo", 2),
        ("GET /api/v1/pods", "list", "", "v1", "", "pods", "", "", 1),
        ("HEAD /api/v1/pods", "list", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/proxy/namespaces/other/pods/foo", "proxy", "", "v1", "other", "pods", "", "foo", 2),
        ("GET /api/v1/proxy/namespaces/other/pods/foo/sub/x", "proxy", "", "v1", "other", "pods", "", "foo", 4),
        ("GET /api/v1/proxy/nodes/foo", "proxy", "", "v1", "", "nodes", "", "foo", 2),
        ("GET /api/v1/watch/pods", "watch", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/watch/namespaces/other/pods", "watch", "", "v1", "other", "pods", "", "", 1),
        ("GET /api/v1/watch/namespaces/other/pods/foo", "watch", "", "v1", "other", "pods", "", "foo", 2),
        ("GET /api/v1/pods?watch=true", "watch", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/pods?watch=1", "watch", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/pods?watch=banana", "watch", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/pods?watch", "watch", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/pods?watch=", "watch", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/pods?watch=0&watch=1", "list", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/pods?watch=FALSE", "list", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/pods?watch=1&watch=0", "watch", "", "v1", "", "pods", "", "", 1),
        ("GET /api/v1/pods?Watch=1", "list", "", "v1", "", "pods", "", "", 1),
        (f"GET {N}/pods/foo?watch=1", "get", "", "v1", "other", "pods", "", "foo", 2),
        (f"GET {N}/pods?fieldSelector=metadata.name%3Dfoo", "list", "", "v1", "other", "pods", "", "foo", 1),
        (f"GET {N}/pods?watch=1&fieldSelector=metadata.name%3D%3Dfoo", "watch", "", "v1", "other", "pods", "", "foo", 1),
        (f"GET {N}/pods?fieldSelector=metadata.name!%3Dfoo", "list", "", "v1", "other", "pods", "", "", 1),
        (f"GET {N}/pods?fieldSelector=a%3Db,metadata.name%3Dfoo", "list", "", "v1", "other", "pods", "", "foo", 1),
        (f"GET {N}/pods?fieldSelector=metadata.name%3D..", "list", "", "v1", "other", "pods", "", "", 1),
        (f"GET {N}/pods?fieldSelector=metadata.name%3Da%252Fb", "list", "", "v1", "other", "pods", "", "", 1),
        (f"GET {N}/pods?fieldSelector=junk", "list", "", "v1", "other", "pods", "", "", 1),
        (f"GET {N}/pods?limit=x&fieldSelector=metadata.name%3Dfoo", "list", "", "v1", "other", "pods", "", "", 1),
        (f"GET {N}/pods/foo/status", "get", "", "v1", "other", "pods", "status", "foo", 3),
        (f"POST {N}/pods", "create", "", "v1", "other", "pods", "", "", 1),
        (f"PUT {N}/pods/foo", "update", "", "v1", "other", "pods", "", "foo", 2),
        (f"PATCH {N}/pods/foo", "patch", "", "v1", "other", "pods", "", "foo", 2),
        (f"DELETE {N}/pods/foo", "delete", "", "v1", "other", "pods", "", "foo", 2),
        (f"DELETE {N}/pods", "deletecollection", "", "v1", "other", "pods", "", "", 1),
        (f"DELETE {N}/pods?fieldSelector=metadata.name%3Dx", "deletecollection", "", "v1", "other", "pods", "", "", 1),
        ("DELETE /api/v1/namespaces", "deletecollection", "", "v1", "", "namespaces", "", "", 1),
        ("PUT /api/v1/namespaces/other/finalize", "update", "", "v1", "other", "namespaces", "finalize", "other", 3),
        ("PUT /api/v1/namespaces/other/status", "update", "", "v1", "other", "namespaces", "status", "other", 3),
        ("GET /api/v1/namespaces/other/finalize/x", "get", "", "v1", "other", "namespaces", "finalize", "other", 4),
        (f"GET {N}/pods/foo/exec?command=ls", "get", "", "v1", "other", "pods", "exec", "foo", 3),
        (f"POST {N}/pods/foo/exec?command=ls", "create", "", "v1", "other", "pods", "exec", "foo", 3),
        ("GET /api/v1/nodes/n1/proxy/exec/x", "get", "", "v1", "", "nodes", "proxy", "n1", 5),
        ("GET /apis/apps/v1/deployments", "list", "apps", "v1", "", "deployments", "", "", 1),
        ("GET /apis/apps/v1/namespaces/other/deployments/web/scale", "get", "apps", "v1", "other", "deployments", "scale", "web", 3),
        ("GET /apis/apps/v1/watch/deployments", "watch", "apps", "v1", "", "deployments", "", "", 1),
        ("GET /apis/x.example.com/v1/namespaces", "list", "x.example.com", "v1", "", "namespaces", "", "", 1),
    ],
)  # fmt: skip
def test_a_resource(
    line: str,
    verb: str,
    group: str,
    version: str,
    namespace: str,
    resource: str,
    subresource: str,
    name: str,
    parts: int,
) -> None:
    info = request_info(request(line))
    assert info.is_resource and not info.broken
    assert (info.verb, info.api_group, info.api_version, info.namespace, info.resource, info.subresource, info.name) == (
        verb, group, version, namespace, resource, subresource, name,
    )  # fmt: skip
    assert len(info.parts) == parts and info.parts[0] == resource


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("GET /", "get"), ("GET /api", "get"), ("GET /api/v1", "get"), ("GET /apis", "get"), ("GET /apis/apps", "get"),
        ("GET /apis/apps/v1", "get"), ("GET /healthz", "get"), ("HEAD /healthz/ping", "head"), ("GET /openapi/v3/api/v1", "get"),
        ("POST /version", "post"), ("DELETE /logs/x/y", "delete"), ("GET /Api/v1/namespaces/x/secrets", "get"),
        ("GET /apis/apps/v1", "get"),
    ],
)  # fmt: skip
def test_no_resource(line: str, verb: str) -> None:
    info = request_info(request(line))
    assert (info.is_resource, info.verb, info.resource) == (False, verb, "")
    assert info.path == line.split(" ")[1]


@pytest.mark.parametrize("line", ["GET /api/v1/watch", "GET /apis/apps/v1/proxy"])
def test_what_an_api_server_makes_nothing_of(line: str) -> None:
    assert request_info(request(line)).broken


@pytest.mark.parametrize(
    ("line", "field", "label"),
    [
        ("GET /api/v1/pods?fieldSelector=a%3Db&labelSelector=c%3Dd&labelSelector=x", "a=b", "c=d"),
        ("DELETE /api/v1/pods?labelSelector=c%3Dd", "", "c=d"),
        ("GET /api/v1/pods/x?labelSelector=c%3Dd", "", ""),
        ("GET /api/v1/watch/pods?labelSelector=c%3Dd", "", ""),
    ],
)
def test_selectors_are_there_where_they_select(line: str, field: str, label: str) -> None:
    info = request_info(request(line))
    assert (info.field_selector, info.label_selector) == (field, label)


@pytest.mark.parametrize(
    ("selector", "terms"),
    [
        ("", ()),
        ("a=b", (("a", "=", "b"),)),
        ("a==b,c!=d,", (("a", "==", "b"), ("c", "!=", "d"))),
        (r"a=b\,c", (("a", "=", "b,c"),)),
        (r"a=b\\,c=d", (("a", "=", "b\\"), ("c", "=", "d"))),
        (r"a=b\=", (("a", "=", "b="),)),
        (r"a=b\x", None),
        ("a=b\\", None),
        ("a=b=c", None),
        ("a", None),
    ],
)
def test_field_selectors(selector: str, terms: tuple[tuple[str, str, str], ...] | None) -> None:
    assert field_terms(selector) == terms
