"""Paths of fields: what is read, what is refused, and what they meet."""

from __future__ import annotations

import pytest

from hooptui.masking.kubernetes.fields import ITEM, Step, parse, plural


def meets(pattern: str, *steps: Step) -> bool:
    parsed = parse(pattern)
    places = parsed.begin()
    for step in steps:
        places = parsed.after(places, step)
    return parsed.met(places)


@pytest.mark.parametrize(
    ("pattern", "steps", "met"),
    [
        ("configmaps.data.*", ("data", "a.b"), True),
        ("configmaps.data.*", ("data",), False),
        ("configmaps.data.*", ("data", "a", "b"), False),
        ("configmaps.data.db-*", ("data", "db-url"), True),
        ("configmaps.data.db-*", ("data", "url"), False),
        ('configmaps.data["app.yaml"]', ("data", "app.yaml"), True),
        ('configmaps.data["app.yaml"]', ("data", "appXyaml"), False),
        ("pods.spec.containers[*].env[*].value", ("spec", "containers", ITEM, "env", ITEM, "value"), True),
        ("pods.spec.containers[*].env[*].value", ("spec", "containers", "0", "env", ITEM, "value"), False),
        ("*.**.value", ("value",), True),
        ("*.**.value", ("a", ITEM, "b", "value"), True),
        ("*.**.env[*].value", ("env", "env", ITEM, "value"), True),
        ("*.a.**.b.**.c", ("a", "b", "b", ITEM, "c"), True),
        ("*.a.**.b.**.c", ("a", "c"), False),
    ],
)
def test_what_a_path_meets(pattern: str, steps: tuple[Step, ...], met: bool) -> None:
    assert meets(pattern, *steps) is met


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "pods",
        "pods.",
        ".a",
        "Pods.a",
        "pods.a..b",
        "pods[*].a",
        "pods.a[0]",
        "pods.a[",
        "pods.**",
        "pods.a b",
        'pods["',
    ],
)
def test_what_is_no_path_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected a resource and a path"):
        parse(pattern)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Pod", "pods"),
        ("Secret", "secrets"),
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("Endpoints", "endpoints"),
        ("ConfigMap", "configmaps"),
    ],
)
def test_resources_of_kinds(kind: str, resource: str) -> None:
    assert plural(kind) == resource
