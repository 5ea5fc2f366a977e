"""What the body of a write does, in every form in which it may be sent; and what is not understood."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.core.model import KubernetesFacts
from hooptui.protocols.kubernetes.operations import read
from tests.protocols.kubernetes.asking import (
    APPLY,
    JSON,
    JSON_PATCH,
    MERGE,
    PROTOBUF,
    STRATEGIC,
    YAML,
    facts,
    request,
    unknown,
)

HERE = Path(__file__).parent
N = "/api/v1/namespaces/prod"
A = "/apis/apps/v1/namespaces/prod"
DEPLOYMENT = f"PATCH {A}/deployments/web"


def traits(line: str, body: Any, kind: str = JSON) -> frozenset[str]:
    found = facts(line, body if isinstance(body, bytes) else json.dumps(body).encode(), kind)
    assert found.understood, found.unknown
    return found.traits


POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i", **(container or {})}], **spec},
    }


class TestContents:
    def test_of_a_harmless_pod(self) -> None:
        assert traits(f"POST {N}/pods", POD) == {"workload"}
        bound = pod(
            {
                "securityContext": {
                    "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
                    "allowPrivilegeEscalation": False,
                }
            }
        )
        assert traits(f"POST {N}/pods", bound) == {"workload", "security_context"}

    @pytest.mark.parametrize(
        ("body", "trait"),
        [
            (pod({"securityContext": {"privileged": True}}), "privileged"), (pod({"securityContext": {"allowPrivilegeEscalation": True}}), "run_as_root"),
            (pod({"securityContext": {"procMount": "Unmasked"}}), "privileged"), (pod(hostNetwork=True), "host_namespaces"), (pod(hostPID=True), "host_namespaces"),
            (pod(hostIPC=True), "host_namespaces"), (pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "host_path"),
            (pod({"ports": [{"containerPort": 1, "hostPort": 1}]}), "host_port"), (pod({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}), "added_capabilities"),
            (pod({"securityContext": {"runAsUser": 0}}), "run_as_root"), (pod(securityContext={"runAsNonRoot": False}), "run_as_root"),
            (pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}]), "mounts_secret"),
            (pod(volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]), "mounts_secret"),
            (pod({"envFrom": [{"secretRef": {"name": "s"}}]}), "mounts_secret"),
            (pod({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}), "mounts_secret"),
            (pod(volumes=[{"name": "v", "csi": {"driver": "secrets-store.csi.k8s.io"}}]), "mounts_secret"), (pod(serviceAccountName="admin"), "service_account"),
            (pod(serviceAccount="admin"), "service_account"), (pod(automountServiceAccountToken=True), "mounts_token"),
            (pod(volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]), "mounts_token"),
            (pod(nodeName="n"), "names_node"), (pod(initContainers=[{"name": "i", "securityContext": {"privileged": True}}]), "privileged"),
            (pod(ephemeralContainers=[{"name": "e"}]), "ephemeral_container"), (pod(volumes=[{"name": "v", "gitRepo": {"repository": "r"}}]), "privileged"),
            (pod(securityContext={"seccompProfile": {"type": "Unconfined"}}), "privileged"), (pod(securityContext={"sysctls": [{"name": "a"}]}), "security_context"),
        ],
    )  # fmt: skip
    def test_of_a_pod_and_of_whatever_holds_one(self, body: dict[str, Any], trait: str) -> None:
        assert trait in traits(f"POST {N}/pods", body)
        template = {"metadata": {"name": "w"}, "spec": {"template": {"spec": body["spec"]}}}
        assert trait in traits(f"POST {A}/deployments", template)
        assert trait in traits("POST /apis/argoproj.io/v1/namespaces/prod/rollouts", template)
        assert trait in traits(
            "POST /apis/x.io/v1/namespaces/prod/trainings",
            {"metadata": {"name": "w"}, "spec": {"roles": [{"pod": template["spec"]}]}},
        )
        for kind in (MERGE, STRATEGIC, APPLY):
            assert trait in traits(DEPLOYMENT, {"spec": {"template": {"spec": body["spec"]}}}, kind)
        assert trait in traits(f"PUT {A}/deployments/w", template)
        assert trait in traits(
            DEPLOYMENT, [{"op": "replace", "path": "/spec/template", "value": {"spec": body["spec"]}}], JSON_PATCH
        )
        steps = [
            {"op": "add", "path": f"/spec/template/spec/{key}", "value": value} for key, value in body["spec"].items()
        ]
        assert trait in traits(DEPLOYMENT, steps, JSON_PATCH)

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ({"spec": {"template": {"spec": {"securityContext": None}}}}, MERGE), ({"spec": {"template": {"spec": {"securityContext": {"$patch": "delete"}}}}}, STRATEGIC),
            ({"spec": {"template": {"spec": {"securityContext": {"runAsNonRoot": None}}}}}, STRATEGIC),
            ([{"op": "remove", "path": "/spec/template/spec/containers/0/securityContext"}], JSON_PATCH),
            ([{"op": "remove", "path": "/spec/template/spec/containers/0/securityContext/runAsNonRoot"}], JSON_PATCH),
            ([{"op": "add", "path": "/spec/template/spec/containers/0/securityContext/runAsUser", "value": 0}], JSON_PATCH),
        ],
    )  # fmt: skip
    def test_to_take_a_guard_away_is_to_loosen(self, body: Any, kind: str) -> None:
        assert "run_as_root" in traits(DEPLOYMENT, body, kind)

    @pytest.mark.parametrize(
        ("line", "body", "kind", "yes"),
        [
            (DEPLOYMENT, {"spec": {"replicas": 0}}, MERGE, True), (DEPLOYMENT, {"spec": {"replicas": 0}}, STRATEGIC, True), (DEPLOYMENT, {"spec": {"replicas": 0}}, APPLY, True),
            (DEPLOYMENT, {"spec": {"replicas": 0.0}}, MERGE, True), (DEPLOYMENT, {"spec": {"replicas": -0.0}}, MERGE, True), (DEPLOYMENT, {"spec": {"replicas": 1}}, MERGE, False),
            (DEPLOYMENT, {"status": {"replicas": 0}}, MERGE, False), (f"PUT {A}/deployments/web", {"spec": {"replicas": 0}}, JSON, True),
            (f"{DEPLOYMENT}/scale", {"spec": {"replicas": 0}}, MERGE, True), (f"{DEPLOYMENT}/scale", {"spec": {"replicas": None}}, MERGE, True),
            (f"{DEPLOYMENT}/scale", {"spec": None}, MERGE, True), (f"{DEPLOYMENT}/scale", {"spec": {"replicas": None}}, STRATEGIC, True), (f"{DEPLOYMENT}/scale", {"spec": {"$patch": "replace"}}, STRATEGIC, True),
            (f"{DEPLOYMENT}/scale", {"$patch": "replace"}, STRATEGIC, True), (f"{DEPLOYMENT}/scale", {"spec": {}}, APPLY, True), (f"{DEPLOYMENT}/scale", {"spec": {"replicas": 2}}, APPLY, False),
            (f"{DEPLOYMENT}/scale", {"metadata": {"name": "x"}}, MERGE, False), (f"{DEPLOYMENT}/scale", {"spec": {"replicas": 2}}, MERGE, False),
            (f"PUT {A}/deployments/web/scale", {"spec": {}}, JSON, True), (f"PUT {A}/deployments/web/scale", {}, JSON, True),
            (f"PUT {A}/deployments/web/scale", {"spec": {"replicas": 3}}, JSON, False),
            (DEPLOYMENT, [{"op": "replace", "path": "/spec/replicas", "value": 0}], JSON_PATCH, True), (DEPLOYMENT, [{"op": "add", "path": "/spec", "value": {"replicas": 0}}], JSON_PATCH, True),
            (DEPLOYMENT, [{"op": "test", "path": "/spec/replicas", "value": 0}], JSON_PATCH, False), (DEPLOYMENT, [{"op": "replace", "path": "/spec/replicas", "value": 3}], JSON_PATCH, False),
            (f"{DEPLOYMENT}/scale", [{"op": "remove", "path": "/spec/replicas"}], JSON_PATCH, True), (f"{DEPLOYMENT}/scale", [{"op": "remove", "path": "/spec"}], JSON_PATCH, True),
            (f"{DEPLOYMENT}/scale", [{"op": "replace", "path": "", "value": {"spec": {}}}], JSON_PATCH, True),
            (f"{DEPLOYMENT}/scale", [{"op": "replace", "path": "", "value": {"spec": {"replicas": 2}}}], JSON_PATCH, False),
            ("PATCH /apis/batch/v1/namespaces/prod/jobs/j", {"spec": {"parallelism": 0}}, MERGE, True),
        ],
    )  # fmt: skip
    def test_scaled_to_zero(self, line: str, body: Any, kind: str, yes: bool) -> None:
        assert ("scale_to_zero" in traits(line, body, kind)) is yes

    @pytest.mark.parametrize(
        ("body", "kind", "yes"),
        [
            ({"metadata": {"finalizers": None}}, MERGE, True), ({"metadata": {"finalizers": []}}, MERGE, True), ({"metadata": {"finalizers": ["a"]}}, MERGE, True),
            ({"metadata": None}, MERGE, True), ({"metadata": {"labels": {"a": "b"}}}, MERGE, False), ({"metadata": {"finalizers": None}}, STRATEGIC, True),
            ({"metadata": {"finalizers": ["a"]}}, STRATEGIC, False), ({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, STRATEGIC, True),
            ({"metadata": {"$patch": "replace"}}, STRATEGIC, True), ({"$patch": "replace"}, STRATEGIC, True), ({"$retainKeys": ["spec"]}, STRATEGIC, True),
            ([{"op": "remove", "path": "/metadata/finalizers"}], JSON_PATCH, True), ([{"op": "remove", "path": "/metadata/finalizers/0"}], JSON_PATCH, True),
            ([{"op": "replace", "path": "/metadata/finalizers/0", "value": "x"}], JSON_PATCH, True), ([{"op": "add", "path": "/metadata/finalizers", "value": []}], JSON_PATCH, True),
            ([{"op": "add", "path": "/metadata/finalizers/-", "value": "x"}], JSON_PATCH, False), ([{"op": "add", "path": "/metadata", "value": {}}], JSON_PATCH, True),
            ([{"op": "replace", "path": "", "value": {}}], JSON_PATCH, True), ([{"op": "remove", "path": "/metadata/labels/a"}], JSON_PATCH, False),
        ],
    )  # fmt: skip
    def test_finalizers(self, body: Any, kind: str, yes: bool) -> None:
        assert ("removes_finalizers" in traits(DEPLOYMENT, body, kind)) is yes

    @pytest.mark.parametrize(
        ("line", "body", "kind", "trait"),
        [
            (DEPLOYMENT, {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}}}, STRATEGIC, "changes_image"),
            (DEPLOYMENT, [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x"}], JSON_PATCH, "changes_image"),
            (DEPLOYMENT, {"spec": {"template": {"spec": {"containers": [{"name": "c", "command": ["sh"]}]}}}}, STRATEGIC, "changes_command"),
            (DEPLOYMENT, {"spec": {"paused": True}}, MERGE, "suspends"), ("PATCH /apis/batch/v1/namespaces/p/cronjobs/c", {"spec": {"suspend": True}}, MERGE, "suspends"),
            ("PATCH /api/v1/nodes/n", {"spec": {"unschedulable": True}}, STRATEGIC, "cordon"), ("PATCH /api/v1/nodes/n", {"spec": {"taints": [{"key": "a"}]}}, MERGE, "cordon"),
            ("PATCH /api/v1/namespaces/x", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, MERGE, "pod_security"),
            ("PATCH /api/v1/namespaces/x", [{"op": "remove", "path": "/metadata/labels/pod-security.kubernetes.io~1enforce"}], JSON_PATCH, "pod_security"),
            (DEPLOYMENT, {"metadata": {"ownerReferences": [{"uid": "x"}]}}, MERGE, "owner_references"),
            (f"POST {N}/secrets", {"metadata": {"name": "x"}, "type": "kubernetes.io/service-account-token"}, JSON, "service_account_token"),
            (f"POST {N}/services", {"metadata": {"name": "x"}, "spec": {"type": "LoadBalancer"}}, JSON, "external"),
            (f"POST {N}/services", {"metadata": {"name": "x"}, "spec": {"externalIPs": ["1.1.1.1"]}}, JSON, "external"),
            ("POST /api/v1/persistentvolumes", {"metadata": {"name": "x"}, "spec": {"local": {"path": "/"}}}, JSON, "host_path"),
            (f"POST {N}/pods", {"metadata": {"generateName": "x-"}}, JSON, "generated_name"),
            (f"POST {N}/pods", {**POD, "metadata": {"name": "x", "annotations": {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}}}, JSON, "privileged"),
        ],
    )  # fmt: skip
    def test_of_other_objects(self, line: str, body: Any, kind: str, trait: str) -> None:
        assert trait in traits(line, body, kind)

    @pytest.mark.parametrize(
        ("rules", "yes"),
        [
            ([{"verbs": ["*"], "apiGroups": [""], "resources": ["configmaps"]}], True), ([{"verbs": ["escalate"], "resources": ["roles"]}], True),
            ([{"verbs": ["bind"], "resources": ["clusterroles"], "resourceNames": ["view"]}], True), ([{"verbs": ["impersonate"], "resources": ["users"]}], True),
            ([{"verbs": ["get"], "resources": ["secrets"]}], True), ([{"verbs": ["get"], "resources": ["*"]}], True), ([{"verbs": ["create"], "resources": ["pods"]}], True),
            ([{"verbs": ["create"], "resources": ["pods/exec"]}], True), ([{"verbs": ["create"], "resources": ["serviceaccounts/token"]}], True),
            ([{"verbs": ["get"], "nonResourceURLs": ["*"]}], True), ([{"verbs": ["patch"], "resources": ["*/scale"]}], True),
            ([{"verbs": ["get", "list", "watch"], "resources": ["pods", "pods/log"]}], False), ([{"verbs": ["update"], "resources": ["configmaps"]}], False), ([], False),
        ],
    )  # fmt: skip
    def test_of_roles(self, rules: list[Any], yes: bool) -> None:
        line = "POST /apis/rbac.authorization.k8s.io/v1/clusterroles"
        assert ("rbac_escalation" in traits(line, {"metadata": {"name": "r"}, "rules": rules})) is yes
        patch = [{"op": "add", "path": "/rules/-", "value": rule} for rule in rules]
        assert (
            "rbac_escalation" in traits("PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/r", patch, JSON_PATCH)
        ) is yes

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"roleRef": {"name": "cluster-admin"}}, {"rbac", "cluster_admin", "rbac_escalation"}), ({"roleRef": {"name": "view"}}, {"rbac"}),
            ({"roleRef": {"name": "system:node"}}, {"rbac", "rbac_escalation"}), ({"roleRef": {"name": "edit"}}, {"rbac", "rbac_escalation"}),
            ({"roleRef": {"name": "view"}, "subjects": [{"kind": "Group", "name": "system:unauthenticated"}]}, {"rbac", "rbac_escalation"}),
            ({"subjects": [{"name": "system:serviceaccounts:x"}]}, {"rbac", "rbac_escalation"}), ({"subjects": [{"name": "eve"}]}, {"rbac"}),
            ({"subjects": [{"name": "system:masters"}]}, {"rbac", "rbac_escalation", "cluster_admin"}),
        ],
    )  # fmt: skip
    def test_of_bindings(self, body: dict[str, Any], expected: set[str]) -> None:
        line = "POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        assert traits(line, {"metadata": {"name": "b"}, **body}) == expected

    def test_a_role_that_gathers_others(self) -> None:
        roles = "POST /apis/rbac.authorization.k8s.io/v1/clusterroles"
        label = "rbac.authorization.k8s.io/aggregate-to-edit"
        assert "rbac_escalation" in traits(roles, {"metadata": {"name": "r", "labels": {label: "true"}}})
        assert "rbac_escalation" in traits(roles, {"metadata": {"name": "r"}, "aggregationRule": {}})

    def test_words_of_the_users_own_are_no_fields(self) -> None:
        data = {"hostPath": {"x": 1}, "replicas": 0, "nodeName": "n"}
        assert (
            traits(
                f"POST {N}/configmaps",
                {"metadata": {"name": "x", "labels": {"nodeName": "n", "image": "y"}}, "data": data},
            )
            == set()
        )


class TestUnread:
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b'{"metadata":{"name":"a"},"metadata":{"name":"b"}}', JSON), (b'{"metadata":{"name":"a","name":"a"}}', JSON), (b"", JSON),
            (b'{"metadata":{"name":"a","n\\u0061me":"b"}}', JSON), (b'{"metadata":{"name":"a"},"x":[{"y":[":"]},{"z":1,"z"\n: 2}]}', JSON), (b"[]", JSON), (b"null", JSON),
            (b"1", JSON), (b'"x"', JSON), (b"{", JSON), (b'{"metadata":{"name":"a"}} {}', JSON), (b'{"metadata":{"name":"a"},"x":NaN}', JSON), (b"\xef\xbb\xbf{}", JSON),
            ('{"metadata":{"name":"a"}}'.encode("utf-16"), JSON), (b'{"metadata":{"name":"\xff"}}', JSON), (b"[" * 100_000, JSON), (b'{"a":' * 5000 + b"1" + b"}" * 5000, JSON),
            (b'{"metadata":{}}', JSON), (b"{}", JSON), (b'{"metadata":{"name":1}}', JSON), (b'{"metadata":{"name":"a/b"}}', JSON), (b'{"metadata":{"name":"a b"}}', JSON),
            (b'{"metadata":{"name":"\\ud800"}}', JSON), (b'{"metadata":{"name":"a\\u001b[2J"}}', JSON), (b'{"metadata":[]}', JSON), (b'{"x":' + b"9" * 5000 + b"}", JSON),
            (b'{"metadata":{"name":"a"}}', "text/plain"), (b'{"metadata":{"name":"a"}}', "application/cbor"), (b'{"metadata":{"name":"a"}}', MERGE),
            (b"metadata: {name: a}\nx: &a 1\ny: *a\n", YAML), (b"metadata: {name: a}\n---\nmetadata: {name: b}\n", YAML), (b"metadata: {name: a}\nmetadata: {name: b}\n", YAML),
            (b"metadata: {name: a}\n<<: {x: y}\n", YAML), (b"metadata: {name: !!str a}\n", YAML), (b"metadata: {name: a}\nspec: {privileged: yes}\n", YAML),
            (b"metadata: {name: a}\nspec: {runAsUser: 0o0}\n", YAML), (b"metadata: {name: a}\non: x\n", YAML), (b"%YAML 1.1\n---\nmetadata: {name: a}\n", YAML),
        ],
    )  # fmt: skip
    def test_bodies_that_two_readers_may_take_differently(self, body: bytes, kind: str) -> None:
        unknown(f"POST {N}/pods", body, kind)

    def test_bodies_that_would_take_long_to_read(self) -> None:
        yaml = b"metadata: {name: a}\nspec:\n" + b"- {a: 1}\n" * 20_000
        assert "send JSON" in unknown(f"POST {N}/pods", yaml, YAML)
        containers = field(1, field(1, b"a")) + field(2, field(2, field(1, b"c")) * 60_000)
        assert "too many" in unknown(f"POST {N}/pods", b"k8s\0" + field(1, b"") + field(2, containers), PROTOBUF)

    def test_a_colon_in_a_text_makes_no_key(self) -> None:
        body = rb'{"metadata" : {"name": "a:b"}, "x": ["\"c\": d", ":", {"e\\" :1}, "f\u003a", {}]}'
        assert facts(f"POST {N}/configmaps", body, JSON).name == "a:b"

    @pytest.mark.parametrize(
        "body", [b'{"metadata":{"name":"a"},"spec":{"hostPID":true}}', b"metadata: {name: a}\nspec:\n  hostPID: true\n"]
    )
    def test_yaml_that_everybody_reads_alike(self, body: bytes) -> None:
        found = facts(f"POST {N}/pods", body, YAML)
        assert (found.name, found.understood) == ("a", True) and "host_namespaces" in found.traits

    @pytest.mark.parametrize(
        "patch",
        [
            [{"op": "copy", "from": "/metadata/annotations/x", "path": "/spec/template/spec/containers/0/image"}], [{"op": "move", "from": "/a", "path": "/metadata/finalizers"}],
            [{"op": "replace", "path": "x/metadata/finalizers", "value": []}], [{"op": "replace", "path": "/a~2b", "value": 1}], [{"op": "Replace", "path": "/a", "value": 1}],
            [{"op": "add", "path": "/a"}], [{"path": "/a", "value": 1}], [{"op": "remove"}], ["x"], {"op": "remove", "path": "/a"}, [{"op": "remove", "path": 1}],
            [{"op": "test", "path": "/a"}] * 3000,
        ],
    )  # fmt: skip
    def test_json_patches_whose_end_cannot_be_seen(self, patch: Any) -> None:
        unknown(DEPLOYMENT, json.dumps(patch).encode(), JSON_PATCH)

    @pytest.mark.parametrize(
        "kind", ["", JSON, "application/merge-patch", "application/apply-patch+cbor", "application/json-patch+yaml"]
    )
    def test_patches_of_other_kinds(self, kind: str) -> None:
        unknown(DEPLOYMENT, b"{}", kind)

    def test_a_write_whose_body_was_not_handed_over(self) -> None:
        assert not facts_of_nothing(f"POST {N}/pods").understood


def facts_of_nothing(line: str) -> KubernetesFacts:
    found = read(request(line, "Content-Type: application/json"), None).facts
    assert isinstance(found, KubernetesFacts)
    return found


def varint(value: int) -> bytes:
    low, high = value & 127, value >> 7
    return bytes([low | 128]) + varint(high) if high else bytes([low])


def field(at: int, data: bytes) -> bytes:
    return varint(at << 3 | 2) + varint(len(data)) + data


def number(at: int, value: int) -> bytes:
    return varint(at << 3) + varint(value)


class TestProtobuf:
    """Bodies made by Kubernetes' own encoder (k8s.io/api 0.37, and kubectl 1.32) beside the JSON that they stand for."""

    ROWS: ClassVar = [line.split("\t") for line in (HERE / "protobuf.tsv").read_text().splitlines()]

    @pytest.mark.parametrize(("said", "sent"), ROWS)
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_says_what_its_json_says(self, method: str, said: str, sent: str) -> None:
        head = json.loads(said)
        kind = head["kind"].lower()
        plural = f"{kind}es" if kind.endswith("s") else f"{kind}s"
        line = f"{method} /{'apis' if '/' in head['apiVersion'] else 'api'}/{head['apiVersion']}/namespaces/x/{plural}{'/p' if method == 'PUT' else ''}"
        plain, binary = facts(line, said.encode(), JSON), facts(line, base64.b64decode(sent), PROTOBUF)
        assert plain.understood and binary == plain

    def test_there_is_one_for_every_fact(self) -> None:
        found = frozenset().union(*(facts(f"POST {N}/pods", said.encode(), JSON).traits for said, _ in self.ROWS))
        assert len(found) >= 17

    ENVELOPE = b"k8s\0\n\x09\n\x02v1\x12\x03Pod\x12"

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"k8s", b"k8s\0", b"k9s\0\n\x00", b"k8s\0\xff", ENVELOPE + b"\x7f", ENVELOPE + b"\x01\xff", ENVELOPE + b"\x06\x0a\x04\x0a\x01a\x0b",
            ENVELOPE + b"\x0a\x0a\x03\x0a\x01a\x0a\x03\x0a\x01b",  # metadata twice
            ENVELOPE + b"\x08\x0a\x06\x0a\x01a\x0a\x01b",  # name twice
            ENVELOPE + b"\x02\x08\x01",  # metadata as a number
            ENVELOPE + b"\x05\x0a\x03\x0a\x01\xff",  # a name that is no text
            ENVELOPE + b"\x05\x0a\x03\x0a\x01a" + b"\x1a\x04gzip",  # encoded again
            ENVELOPE + b"\x05\x0a\x03\x0a\x01a" + b"\x12\x05\x0a\x03\x0a\x01b",  # two objects
            b"k8s\0\n\x0e\n\x07apps/v1\x12\x03Pod\x12\x05\x0a\x03\x0a\x01a",  # of another version
            ENVELOPE + b"\x0b\x0a\x03\x0a\x01a\x8a\x80\x80\x80\x80\x01\x00",  # a number of a field that 32 bits cut to 1
        ],
    )  # fmt: skip
    def test_what_is_not_well_formed(self, body: bytes) -> None:
        unknown(f"POST {N}/pods", body, PROTOBUF)

    @pytest.mark.parametrize(
        ("replicas", "yes"), [(3, True), (0, True), (1 << 31, False), (1 << 32, False), (1 << 63, False)]
    )
    def test_a_number_that_32_bits_cut_to_zero(self, replicas: int, yes: bool) -> None:
        scale = field(1, field(1, b"a")) + field(2, number(1, replicas))
        found = facts(f"PUT {A}/deployments/w/scale", b"k8s\0" + field(1, b"") + field(2, scale), PROTOBUF)
        assert found.understood is yes
        assert ("scale_to_zero" in found.traits) is (replicas == 0)

    @pytest.mark.parametrize(
        "resource",
        ["apps/v1beta1/namespaces/x/deployments", "x.io/v1/namespaces/x/things", "node.k8s.io/v1/runtimeclasses"],
    )
    def test_of_kinds_of_which_too_little_is_known(self, resource: str) -> None:
        assert "send JSON" in unknown(f"POST /apis/{resource}", b"k8s\0\n\x00\x12\x05\x0a\x03\x0a\x01a", PROTOBUF)

    @given(st.binary(max_size=120))
    def test_anything_is_read_or_not(self, data: bytes) -> None:
        for body in (data, b"k8s\0" + data, self.ENVELOPE + bytes([len(data)]) + data):
            assert facts(f"POST {N}/pods", body, PROTOBUF).commands


REAL = """
apps/v1/namespaces/prod/deployments	web	workload	azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErQBCiMKA3dlYhIAGgRwcm9kIgAqADIAOABCAFoKCgNhcHASA3dlYhJ/CAMSDAoKCgNhcHASA3dlYhplChwKABIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEkUSJwoFbmdpbngSCm5naW54OjEuMjcqAEIAagByAIABAIgBAJABAKIBABoAMgBCAEoAUgBYAGAAaACCAQCKAQCaAQDCAQAiAgoAKAA4ABoMCAAQABgAIAAoADgAGgAiAA==
rbac.authorization.k8s.io/v1/clusterrolebindings	b1	rbac cluster_admin rbac_escalation	azhzAAoyChxyYmFjLmF1dGhvcml6YXRpb24uazhzLmlvL3YxEhJDbHVzdGVyUm9sZUJpbmRpbmcSdwoSCgJiMRIAGgAiACoAMgA4AEIAEigKBFVzZXISGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8aA2V2ZSIAGjcKGXJiYWMuYXV0aG9yaXphdGlvbi5rOHMuaW8SC0NsdXN0ZXJSb2xlGg1jbHVzdGVyLWFkbWluGgAiAA==
batch/v1/namespaces/prod/jobs	j1	workload	azhzAAoPCghiYXRjaC92MRIDSm9iEooBChYKAmoxEgAaBHByb2QiACoAMgA4AEIAEmYyZAoQCgASABoAIgAqADIAOABCABJQEi0KAmoxEgdidXN5Ym94GgJzaBoCLWMaAmlkKgBCAGoAcgCAAQCIAQCQAQCiAQAaBU5ldmVyMgBCAEoAUgBYAGAAaACCAQCKAQCaAQDCAQAaCCAAKAAwADoAGgAiAA==
batch/v1/namespaces/prod/cronjobs	c1	workload	azhzAAoTCghiYXRjaC92MRIHQ3JvbkpvYhKgAQoWCgJjMRIAGgRwcm9kIgAqADIAOABCABKDAQoJKiAqICogKiAqGgAqdAoSCgJjMRIAGgAiACoAMgA4AEIAEl4yXAoQCgASABoAIgAqADIAOABCABJIEiEKAmMxEgdidXN5Ym94KgBCAGoAcgCAAQCIAQCQAQCiAQAaCU9uRmFpbHVyZTIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAGgAaACIA
"""
"""What kubectl 1.32 sent for create deployment, clusterrolebinding, job and cronjob."""


@pytest.mark.parametrize("row", REAL.strip().splitlines())
def test_bodies_of_a_real_kubectl(row: str) -> None:
    path, name, words, body = row.split("\t")
    found = facts(f"POST /apis/{path}?fieldManager=kubectl-create", base64.b64decode(body), PROTOBUF)
    assert (found.name, found.traits, found.unknown) == (name, set(words.split()), "")
