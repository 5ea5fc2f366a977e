"""Paths of fields: what is read, what is refused, and what they meet."""

from __future__ import annotations

from typing import get_args

import pytest

from hooptui.masking.kubernetes.fields import ITEM, NOWHERE, Paths, Step, parse, plural
from hooptui.policy.rules import FieldPath
from hooptui.strictyaml import Matches


def meets(pattern: str, *steps: Step) -> bool:
    paths = Paths([parse("nothing.at.all"), parse(pattern)])
    state = paths.begin(NOWHERE, "", parse(pattern).resource)
    for step in steps:
        state = paths.step(state, step)
        assert paths.step(state, "twice") == paths.step(state, "twice")
    return 1 in paths.ends[state]


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


BAD = (
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
)


@pytest.mark.parametrize("pattern", BAD)
def test_what_is_no_path_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected a resource and a path"):
        parse(pattern)


def test_a_policy_takes_no_path_that_masks_do_not() -> None:
    """`policy` and `masking` do not know each other, and must agree all the same."""
    [matches] = [one for one in get_args(FieldPath)[1:] if isinstance(one, Matches)]
    good = (
        "configmaps.data.*",
        'configmaps.data["a.b"]',
        "pods.spec.containers[*].env[*].value",
        "*.**.value",
        "a-b.c?d",
    )
    for pattern in (*good, *BAD, "pods.a[*", "a.b.**", "x." + "y" * 300, "pods.data[*][*]", "pods.*"):
        if matches.wrong(pattern) is None:
            parse(pattern)
        else:
            assert pattern not in good


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
