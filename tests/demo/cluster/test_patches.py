"""The patches and server-side apply of the demo's cluster, on objects alone."""

from __future__ import annotations

import json

import pytest

from hooptui.demo.cluster import ownership, patches
from hooptui.demo.cluster.objects import Object, field_test, label_test, meta
from hooptui.demo.cluster.problems import Problem

DEPLOYMENT = "apps/v1.Deployment"


def deployment(**spec: object) -> Object:
    containers = [
        {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]},
        {"name": "side", "image": "side:1"},
    ]
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": 3, "template": {"spec": {"containers": containers}}, **spec},
    }  # fmt: skip


def patched(kind: str, patch: object, obj: Object | None = None) -> Object:
    return patches.apply(kind, obj or deployment(), json.dumps(patch).encode(), DEPLOYMENT)


def containers(obj: Object) -> list[Object]:
    found = obj["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, list)
    return found


def test_a_merge_patch_replaces_lists_and_removes_by_null() -> None:
    found = patched(
        patches.MERGE_PATCH,
        {"metadata": {"labels": {"app": None, "tier": "front"}}, "spec": {"template": {"spec": {"containers": []}}}},
    )
    assert found["metadata"]["labels"] == {"tier": "front"}
    assert containers(found) == []
    assert found["spec"]["replicas"] == 3


def test_a_strategic_patch_merges_lists_by_their_key() -> None:
    patch = {
        "spec": {
            "template": {
                "spec": {"containers": [{"name": "web", "image": "web:2", "env": [{"name": "B", "value": "2"}]}]}
            }
        }
    }
    web, side = containers(patched(patches.STRATEGIC_PATCH, patch))
    assert (web["image"], [one["name"] for one in web["env"]]) == ("web:2", ["A", "B"])
    assert side == {"name": "side", "image": "side:1"}


def test_a_strategic_patch_obeys_its_directives() -> None:
    spec = {
        "containers": [{"name": "side", "$patch": "delete"}, {"name": "new", "image": "n"}],
        "$setElementOrder/containers": [{"name": "new"}, {"name": "web"}],
    }
    assert [
        one["name"] for one in containers(patched(patches.STRATEGIC_PATCH, {"spec": {"template": {"spec": spec}}}))
    ] == ["new", "web"]
    replaced = patched(patches.STRATEGIC_PATCH, {"metadata": {"$patch": "replace", "name": "web"}})
    assert replaced["metadata"] == {"name": "web"}
    obj = deployment()
    meta(obj)["finalizers"] = ["a", "b"]
    assert patched(patches.STRATEGIC_PATCH, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, obj)[
        "metadata"
    ]["finalizers"] == ["b"]


def test_a_json_patch_is_done_step_by_step_or_not_at_all() -> None:
    steps = [
        {"op": "test", "path": "/spec/replicas", "value": 3}, {"op": "replace", "path": "/spec/replicas", "value": 0},
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "c"}, {"op": "remove", "path": "/spec/template/spec/containers/1"},
        {"op": "copy", "from": "/metadata/name", "path": "/metadata/labels/copy"},
    ]  # fmt: skip
    found = patched(patches.JSON_PATCH, steps)
    assert found["spec"]["replicas"] == 0
    assert found["metadata"]["labels"] == {"app": "web", "a/b": "c", "copy": "web"}
    assert len(containers(found)) == 1
    for bad in (
        [{"op": "test", "path": "/spec/replicas", "value": 4}],
        [{"op": "remove", "path": "/nothing"}],
        [{"op": "shout", "path": ""}],
    ):
        with pytest.raises(Problem) as refused:
            patched(patches.JSON_PATCH, bad)
        assert refused.value.code == 422


def applied(live: Object | None, wanted: Object, manager: str, *, force: bool = False) -> Object:
    return ownership.applied(live, wanted, manager, DEPLOYMENT, force=force)


def test_apply_owns_what_it_says_and_lets_go_of_what_it_no_longer_says() -> None:
    live = applied(None, deployment(paused=True), "a")
    wanted = deployment()
    del wanted["spec"]["replicas"]
    found = applied(live, wanted, "a")
    assert "paused" not in found["spec"]
    assert "replicas" not in found["spec"]
    assert len(containers(found)) == 2


def test_apply_conflicts_with_another_who_set_the_field() -> None:
    live = applied(None, deployment(), "a")
    with pytest.raises(Problem) as refused:
        applied(live, deployment(replicas=5), "b")
    assert refused.value.code == 409
    assert 'conflict with "a"' in refused.value.message
    assert ".spec.replicas" in refused.value.message
    found = applied(live, deployment(replicas=5), "b", force=True)
    assert found["spec"]["replicas"] == 5
    [mine] = [one for one in meta(found)["managedFields"] if one["manager"] == "a"]
    assert "f:replicas" not in mine["fieldsV1"]["f:spec"]


def test_an_update_takes_the_fields_that_it_changes() -> None:
    live = applied(None, deployment(), "a")
    after = deployment(replicas=9)
    ownership.updated(live, after, "kubectl-scale", DEPLOYMENT)
    owners = {one["manager"]: one["fieldsV1"] for one in meta(after)["managedFields"]}
    assert owners["kubectl-scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners["a"]["f:spec"]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("app=web", True), ("app==web", True), ("app!=web", False), ("app in (api,web)", True), ("app notin (web)", False),
        ("app", True), ("!app", False), ("!tier", True), ("tier=", False), ("app=web,tier", False), ("tier!=x", True),
    ],
)  # fmt: skip
def test_label_selectors(text: str, taken: bool) -> None:
    assert label_test(text)(deployment()) is taken


def test_selectors_that_cannot_be_read_are_refused() -> None:
    for text in ("a b", "(", "app in web"):
        with pytest.raises(Problem):
            label_test(text)
    with pytest.raises(Problem, match=r"field label not supported: data\.password"):
        field_test("data.password=x", "secrets")
    assert field_test("type!=Opaque", "secrets")({"type": "Opaque"}) is False
