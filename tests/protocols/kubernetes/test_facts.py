"""What a request does: actions, options, traits of its body; and that what is not understood says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.core.vocabulary import KUBERNETES_ACTIONS, KUBERNETES_TRAITS
from hooptui.protocols.kubernetes.info import request_info
from hooptui.protocols.kubernetes.operations import MAX_BODY, needs_body, read
from tests.protocols.kubernetes.asking import (
    APPLY,
    JSON,
    JSON_PATCH,
    MERGE,
    PROTOBUF,
    STRATEGIC,
    YAML,
    facts,
    operation,
    request,
    unknown,
)

HERE = Path(__file__).parent
N = "/api/v1/namespaces/prod"
A = "/apis/apps/v1/namespaces/prod"
DEPLOYMENT = f"PATCH {A}/deployments/web"


class TestActions:
    @pytest.mark.parametrize(
        ("line", "actions", "about"),
        [
            (f"GET {N}/pods", {"list"}, "prod/pods"), (f"GET {N}/pods/a", {"get"}, "prod/pods/a"), ("GET /api/v1/nodes?watch", {"watch"}, "nodes"),
            (f"GET {A}/deployments/web/scale", {"get"}, "prod/deployments.apps/scale/web"), ("GET /version", {"get"}, "/version"),
            ("HEAD /healthz", {"get"}, "/healthz"), ("POST /healthz", {"create"}, "/healthz"),
            (f"GET {N}/pods/a/exec?command=ls", {"exec"}, "prod/pods/exec/a"), (f"POST {N}/pods/a/exec?command=ls", {"exec"}, "prod/pods/exec/a"),
            (f"GET {N}/pods/a/attach", {"attach"}, "prod/pods/attach/a"), (f"POST {N}/pods/a/portforward", {"portforward"}, "prod/pods/portforward/a"),
            (f"GET {N}/pods/a/proxy/x", {"proxy"}, "prod/pods/proxy/a"), (f"DELETE {N}/services/a/proxy/x", {"proxy"}, "prod/services/proxy/a"),
            ("GET /api/v1/nodes/n/proxy/logs", {"proxy"}, "nodes/proxy/n"), ("GET /api/v1/proxy/nodes/n/logs", {"proxy"}, "nodes/n"),
            ("GET /api/v1/watch/pods", {"watch"}, "pods"), (f"DELETE {N}/pods", {"delete", "deletecollection"}, "prod/pods"),
            (f"DELETE {N}/pods/a", {"delete"}, "prod/pods/a"),
        ],
    )  # fmt: skip
    def test_by_the_line(self, line: str, actions: set[str], about: str) -> None:
        found = facts(line)
        assert (found.actions, found.about, found.unknown) == (actions, about, "")

    def test_an_eviction_deletes(self) -> None:
        found = facts(
            f"POST {N}/pods/a/eviction", b'{"metadata":{"name":"a"},"deleteOptions":{"gracePeriodSeconds":0}}', JSON
        )
        assert found.actions == {"create", "delete"} and {"eviction", "force"} <= found.traits

    def test_a_patch_of_an_eviction_is_read_too(self) -> None:
        assert facts(f"PATCH {N}/pods/a/eviction", b"[]", JSON_PATCH).actions == {"patch"}

    def test_an_eviction_is_never_taken_for_a_dry_run(self) -> None:
        found = facts(f"POST {N}/pods/a/eviction?dryRun=All", b'{"metadata":{"name":"a"}}', JSON)
        assert found.actions == {"create", "delete"} and not found.dry_run

    def test_an_apply_creates(self) -> None:
        found = facts(f"PATCH {A}/deployments/web?fieldManager=k", b'{"spec":{"replicas":2}}', APPLY)
        assert found.actions == {"patch", "create"} and {"apply", "scale"} <= found.traits

    @pytest.mark.parametrize(
        "resource", ["authorization.k8s.io/v1/selfsubjectaccessreviews", "authentication.k8s.io/v1/selfsubjectreviews"]
    )
    def test_a_review_of_oneself_changes_nothing(self, resource: str) -> None:
        assert facts(f"POST /apis/{resource}", b"{}", JSON).actions == {"review"}
        assert facts(f"POST /apis/{resource}", b"k8s\0...", PROTOBUF).actions == {"review"}
        assert facts(
            f"POST /apis/{resource.replace('k8s.io', 'evil.io')}", b'{"metadata":{"name":"x"}}', JSON
        ).actions == {"create"}

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            (f"GET {N}/Pods", "no API server"), ("GET /apis/apps/v1/namespaces/x/a_b", "no API server"), (f"GET {N}/pods/a/Log", "no API server"),
            ("POST /api/v1/watch/pods", "of a watch"), (f"GET {N}/pods/a/log/x", "goes on behind"), ("GET /api/v1/watch", "nothing follows"),
            (f"GET {N}/pods/a/exec", "without a command"), ("GET /api/v1/pods?watch=fal%C5%BFe", "not ASCII"),
        ],
    )  # fmt: skip
    def test_what_no_api_server_has_is_unknown(self, line: str, why: str) -> None:
        assert why in facts(line).unknown

    @pytest.mark.parametrize(
        ("line", "trait", "yes"),
        [
            ("GET /api/v1/pods", "all_namespaces", True), ("GET /api/v1/nodes", "all_namespaces", False), ("GET /apis/x.example.com/v1/nodes", "all_namespaces", True), ("GET /apis/metrics.k8s.io/v1beta1/nodes", "all_namespaces", False), (f"GET {N}/pods", "all_namespaces", False),
            ("GET /api/v1/pods/x", "all_namespaces", False), ("DELETE /api/v1/pods", "all_namespaces", True), (f"GET {N}/pods/a/log", "logs", True),
            ("GET /logs/x", "logs", True), ("GET /api/v1/nodes/n/proxy/run", "node_proxy", True), (f"GET {N}/services/s/proxy", "service_proxy", True),
            (f"GET {N}/pods/s/proxy", "pod_proxy", True), ("GET /api/v1/proxy/nodes/n/run", "node_proxy", True),
            ("GET /apis/rbac.authorization.k8s.io/v1/clusterroles", "rbac", False), ("DELETE /apis/rbac.authorization.k8s.io/v1/clusterroles/x", "rbac", True),
            ("DELETE /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/x", "webhook", True),
            ("DELETE /apis/apiregistration.k8s.io/v1/apiservices/x", "api_service", True),
            ("DELETE /apis/apiextensions.k8s.io/v1/customresourcedefinitions/x", "crd", True),
            (f"GET {N}/pods/a/exec?command=ls&stdin=true&tty=0", "stdin", True), (f"GET {N}/pods/a/exec?command=ls&stdin=1&tty=0", "tty", False),
            (f"GET {N}/pods/a/exec?command=ls&tty", "tty", True), (f"GET {N}/pods/a/attach?stdin=1", "stdin", True),
            (f"GET {N}/pods/a/exec?command=/bin/sh&command=-c&command=x", "interpreter", True), (f"GET {N}/pods/a/exec?command=python3.11", "interpreter", True),
            (f"GET {N}/pods/a/exec?command=env&command=sh", "wrapper", True), (f"GET {N}/pods/a/exec?command=tar&command=cf", "copies", True),
            (f"GET {N}/pods/a/exec?command=ls", "interpreter", False),
        ],
    )  # fmt: skip
    def test_traits_of_the_line(self, line: str, trait: str, yes: bool) -> None:
        assert (trait in facts(line).traits) is yes

    @pytest.mark.parametrize(
        ("line", "body", "trait"),
        [
            (f"POST {N}/serviceaccounts/a/token", b"{}", "service_account_token"), ("PUT /api/v1/namespaces/x/finalize", b'{"spec":{"finalizers":[]}}', "finalize"),
            ("PUT /api/v1/namespaces/x/finalize", b'{"spec":{}}', "removes_finalizers"), (f"PATCH {N}/pods/a/ephemeralcontainers", b"{}", "ephemeral_container"),
            (f"POST {N}/pods/a/binding", b'{"target":{"name":"n"}}', "binding"), (f"POST {N}/bindings", b'{"metadata":{"name":"a"}}', "binding"),
            (f"PUT {A}/deployments/a/status", b"{}", "status"), (f"PUT {A}/deployments/a", b"{}", "replaces"),
            ("PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval", b"{}", "csr_approval"),
            ("PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/a/status", b"{}", "csr_approval"),
            ("POST /apis/certificates.k8s.io/v1/certificatesigningrequests", b'{"metadata":{"name":"x"}}', "csr"),
        ],
    )  # fmt: skip
    def test_traits_of_writes(self, line: str, body: bytes, trait: str) -> None:
        assert trait in facts(line, body, MERGE if line.startswith("PATCH") else JSON).traits


class TestDryRun:
    @pytest.mark.parametrize(
        ("line", "body", "yes"),
        [
            (f"PATCH {A}/deployments/web?dryRun=All", b"{}", True), (f"PATCH {A}/deployments/web?dryRun=", b"{}", False),
            (f"PATCH {A}/deployments/web?dryRun=all", b"{}", False), (f"PATCH {A}/deployments/web?dryRun=All&dryRun=x", b"{}", False),
            (f"PATCH {A}/deployments/web?DryRun=All", b"{}", False), (f"PATCH {A}/deployments/web/scale?dryRun=All", b"{}", True),
            (f"DELETE {A}/deployments/web?dryRun=All", b"", True), (f"DELETE {A}/deployments/web?dryRun=All", b"{}", False),
            (f"DELETE {A}/deployments/web", b'{"dryRun":["All"]}', True), (f"DELETE {A}/deployments/web", b'{"dryRun":["All","x"]}', False),
            (f"DELETE {A}/deployments/web?dryRun=All", b'{"dryRun":[]}', False), (f"DELETE {A}/deployments?dryRun=All", b"", True),
            ("PATCH /apis/x.example.com/v1/namespaces/p/widgets/a?dryRun=All", b"{}", False),
            (f"POST {N}/serviceaccounts/a/token?dryRun=All", b"{}", False),
            (f"PATCH {N}/pods/a/ephemeralcontainers?dryRun=All", b"{}", False),
        ],
    )  # fmt: skip
    def test_only_when_the_api_server_would_keep_it(self, line: str, body: bytes, yes: bool) -> None:
        found = facts(line, body, (MERGE if line.startswith("PATCH") else JSON) if body else "")
        assert found.dry_run is yes and (found.actions == {"dry_run"}) is yes, found

    @pytest.mark.parametrize(
        "line", [f"GET {N}/pods/a/exec?command=ls&dryRun=All", f"POST {N}/pods/a/proxy/x?dryRun=All"]
    )
    def test_streams_know_none(self, line: str) -> None:
        assert not facts(line).dry_run and facts(line).streams


class TestDeletes:
    @pytest.mark.parametrize(
        ("query", "body", "expected"),
        [
            ("?gracePeriodSeconds=0", None, {"force"}), ("?gracePeriodSeconds=00", None, {"force"}), ("?gracePeriodSeconds=-1", None, {"force"}),
            ("?gracePeriodSeconds=0&gracePeriodSeconds=5", None, {"force"}), ("?gracePeriodSeconds=5&gracePeriodSeconds=0", None, set()),
            ("?propagationPolicy=Orphan", None, {"orphan"}), ("?orphanDependents", None, {"orphan"}), ("?orphanDependents=0", None, set()),
            ("?propagationPolicy=Foreground", None, {"foreground"}), ("", {"gracePeriodSeconds": 0}, {"force"}), ("", {"gracePeriodSeconds": 0.0}, {"force"}),
            ("?gracePeriodSeconds=0", {"gracePeriodSeconds": 30}, set()), ("", {"orphanDependents": True}, {"orphan"}),
            ("", {"propagationPolicy": "Orphan"}, {"orphan"}), ("", {"propagationPolicy": "Background"}, set()),
            ("", {"ignoreStoreReadErrorWithClusterBreakingPotential": True}, {"unsafe_delete"}),
            ("?ignoreStoreReadErrorWithClusterBreakingPotential=true", None, {"unsafe_delete"}),
        ],
    )  # fmt: skip
    def test_options_count_from_the_body_alone_when_there_is_one(
        self, query: str, body: Any, expected: set[str]
    ) -> None:
        sent = b"" if body is None else json.dumps(body).encode()
        assert facts(f"DELETE {N}/pods/a{query}", sent, JSON if sent else "").traits == expected

    @pytest.mark.parametrize(
        "body",
        [b" ", b"[]", b"null", b'{"kind":"Pod"}', b'{"gracePeriodSeconds":"0"}', b'{"gracePeriodSeconds":true}', b'{"propagationPolicy":"Other"}',
         b'{"dryRun":"All"}', b'{"orphanDependents":1}', b'{"gracePeriodSeconds":30,"gracePeriodSeconds":0}', b"\xff"],
    )  # fmt: skip
    def test_options_that_are_none(self, body: bytes) -> None:
        unknown(f"DELETE {N}/pods/a", body)

    def test_in_protobuf(self) -> None:
        envelope = b"k8s\0\n\x13\n\x02v1\x12\x0dDeleteOptions\x12"
        assert facts(f"DELETE {N}/pods/a", envelope + b"\x02\x08\x00", PROTOBUF).traits == {"force"}
        assert facts(f"DELETE {N}/pods/a", envelope + b"\x02\x08\x1e", PROTOBUF).traits == set()
        assert facts(f"DELETE {N}/pods/a", envelope + b"\x05\x2a\x03All", PROTOBUF).dry_run
        assert "twice" in unknown(f"DELETE {N}/pods/a", envelope + b"\x04\x08\x1e\x08\x00", PROTOBUF)

    def test_a_whole_collection(self) -> None:
        assert facts(f"DELETE {N}/pods").missing_where
        assert not facts(f"DELETE {N}/pods?labelSelector=a%3Db").missing_where
        assert not facts(f"DELETE {N}/pods/a").missing_where
        assert "all_namespaces" in facts("DELETE /api/v1/pods?labelSelector=a").traits


POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


class TestOperation:
    @pytest.mark.parametrize(
        ("line", "body", "verb", "text"),
        [
            (f"DELETE {A}/deployments/web", {"propagationPolicy": "Background"}, "delete", "delete deployments.apps/web -n prod (cascade=background)"),
            (f"DELETE {N}/pods?labelSelector=app%3Dweb", None, "delete", "delete pods -n prod -l app=web"),
            (f"DELETE {N}/pods", None, "delete", "delete pods --all -n prod"), ("GET /api/v1/pods?watch=1", None, "get", "get pods -A --watch"),
            (f"GET {N}/pods/a", None, "get", "get pods/a -n prod"), ("GET /version", None, "get", "get --raw /version"),
            (f"GET {N}/pods/a/exec?command=sh&command=-c&command=echo+%24x&container=c&stdin=1&tty=1", None, "exec", "exec a -n prod -c c -i -t -- sh -c 'echo $x'"),
            (f"GET {N}/pods/a/log?follow=true&container=c&tailLines=5&previous=1", None, "logs", "logs a -n prod -c c -f -p --tail=5"),
            (f"POST {N}/pods/a/eviction", {"metadata": {"name": "a"}}, "evict", "evict pods/a -n prod"), ("DELETE /api/v1/namespaces/x", None, "delete", "delete namespaces/x"),
            (f"PUT {A}/deployments/web/scale", {"spec": {"replicas": 2}}, "scale", "scale deployments.apps/web -n prod (replicas=2)"),
            (f"POST {N}/pods/a/portforward?ports=80", None, "port-forward", "port-forward a -n prod"),
            (f"POST {N}/services/a/proxy/x?y=z", None, "proxy", f"create --raw '{N}/services/a/proxy/x?y=z'"),
            (f"POST {N}/pods", POD, "create", "create pods/p -n prod"), (f"POST {N}/pods?dryRun=All", POD, "create", "create pods/p -n prod --dry-run=server"),
        ],
    )  # fmt: skip
    def test_reads_like_kubectl(self, line: str, body: Any, verb: str, text: str) -> None:
        found = operation(line, b"" if body is None else json.dumps(body).encode(), "" if body is None else JSON)
        assert (found.verb, found.text) == (verb, text)

    def test_an_approval_of_it_is_of_this_very_request(self) -> None:
        line = f"PATCH {A}/deployments/web"
        one = operation(line, b'{"a":1}', MERGE)
        others = [
            operation(line, b'{"a":2}', MERGE), operation(line, b'{"a":1}', STRATEGIC), operation(line + "?force=1", b'{"a":1}', MERGE),
            operation(f"PATCH {A}/deployments/api", b'{"a":1}', MERGE),
        ]  # fmt: skip
        assert one.parameters == operation(line, b'{"a":1}', MERGE).parameters
        assert len({(found.text, found.parameters) for found in (one, *others)}) == 5
        assert operation(f"GET {N}/pods").parameters == ()

    def test_what_a_reviewer_sees_beside_it(self) -> None:
        assert operation(DEPLOYMENT, b"{}", STRATEGIC).context == {"body": "a strategic merge patch of 2 bytes"}
        assert operation(f"GET {N}/pods/a/exec?command=ls&container=c").context == {"container": "c"}
        assert operation(f"GET {N}/pods/a/attach?container=c&stdin=1").context["with"] == "container=c stdin=1"
        assert operation(f"GET {N}/pods").context == {}

    @pytest.mark.parametrize(
        ("session", "command", "said"),
        [
            ("1a2b3c4d-1111-2222-3333-444455556666", "kubectl delete", "kubectl delete, run 1a2b3c4d"), ("1a2b3c4d-1111-2222-3333-444455556666", "\x1b[2J", "kubectl, run 1a2b3c4d"),
            ("1a2b3c4d-1111-2222-3333-444455556666", "", "kubectl, run 1a2b3c4d"), ("x", "kubectl delete", None), ("", "kubectl delete", None),
        ],
    )  # fmt: skip
    def test_what_belongs_to_one_command_says_so(self, session: str, command: str, said: str | None) -> None:
        headers = (("kubectl-session", session), ("kubectl-command", command))
        found = read(replace(request(f"DELETE {N}/pods/a"), headers=headers))
        assert found.context.get("part of") == said

    def test_every_body_is_read_whole_and_bounded(self) -> None:
        assert needs_body(request(f"POST {N}/pods", "Content-Length: 5")) == MAX_BODY
        assert needs_body(request(f"POST {N}/pods/a/proxy/x", "Transfer-Encoding: chunked")) == MAX_BODY
        assert (
            needs_body(request(f"GET {N}/pods")) == needs_body(request(f"DELETE {N}/pods/a", "Content-Length: 0")) == 0
        )


@given(
    st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
    st.sampled_from([f"{A}/deployments/web", f"{N}/pods", f"{N}/pods/a/eviction", "/apis/rbac.authorization.k8s.io/v1/roles/x"]),
    st.sampled_from([JSON, YAML, MERGE, STRATEGIC, JSON_PATCH, APPLY, PROTOBUF, ""]),
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["metadata", "spec", "finalizers", "replicas", "containers", "securityContext", "op", "path", "value", "rules", "verbs",
                     "subjects", "roleRef", "labels", "annotations", "deleteOptions", "dryRun", "kind", "$patch", "name", "volumes", "secret"]
                ), inner, max_size=4,
            ), max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)  # fmt: skip
def test_whatever_is_sent_has_facts_in_the_words_of_the_rules(method: str, path: str, kind: str, body: bytes) -> None:
    found = facts(f"{method} {path}", body, kind)
    assert found.actions and found.actions <= KUBERNETES_ACTIONS
    assert found.traits <= KUBERNETES_TRAITS
    assert not found.dry_run
    assert hash(found) == hash(facts(f"{method} {path}", body, kind))


@pytest.mark.parametrize("row", (HERE / "requestinfo.tsv").read_text().splitlines())
def test_kube_apiserver_takes_it_for_the_same(row: str) -> None:
    """The table was made by RequestInfoFactory of k8s.io/apiserver 0.37."""
    line, said = row.split("\t")
    method, _, target = line.partition(" ")
    info = request_info(request(f"{method} {target}"))
    if said == "error":
        assert info.broken
        return
    is_resource, verb, group, version, namespace, resource, subresource, name, parts, field, label = json.loads(said)
    assert (info.is_resource, info.verb, info.api_group, info.api_version, info.namespace, info.resource) == (
        is_resource, verb, group, version, namespace, resource,
    )  # fmt: skip
    assert (info.subresource, info.name, len(info.parts), info.field_selector, info.label_selector) == (
        subresource, name, parts, field, label,
    )  # fmt: skip


RUN = "Kubectl-Session: 0b8a1c9e-3c1f-4e7f-9a53-0d2b1c5e7f10"
COMMAND = "Kubectl-Command: kubectl delete"
PODS = "/api/v1/namespaces/web/pods"
BACKGROUND = b'{"propagationPolicy":"Background"}'


def run_of(line: str, body: bytes = BACKGROUND, *headers: str) -> str:
    return operation(line, body, JSON, *(headers or (RUN, COMMAND))).run


def test_deletions_of_one_run_differ_in_nothing_but_the_name() -> None:
    first = run_of(f"DELETE {PODS}/a")
    assert first and run_of(f"DELETE {PODS}/b") == first
    others = (
        run_of("DELETE /api/v1/namespaces/other/pods/b"),
        run_of("DELETE /api/v1/namespaces/web/services/b"),
        run_of("DELETE /apis/apps/v1/namespaces/web/deployments/b"),
        run_of(f"DELETE {PODS}/b?gracePeriodSeconds=0"),
        run_of(f"DELETE {PODS}/b?dryRun=All"),
        run_of(f"DELETE {PODS}/b", b'{"propagationPolicy":"Orphan"}'),
        run_of(f"DELETE {PODS}/b", b'{"gracePeriodSeconds":0}'),
        run_of(f"DELETE {PODS}/b", BACKGROUND, RUN.replace("0b8a", "0b8b"), COMMAND),
        run_of(f"DELETE {PODS}/b", BACKGROUND, RUN, "Kubectl-Command: kubectl replace"),
    )
    assert len({first, *others}) == len(others) + 1 and all(others)


def test_what_is_no_deletion_of_one_object_is_of_no_run() -> None:
    assert run_of(f"DELETE {PODS}/a", BACKGROUND, "X-Else: 1") == ""
    assert run_of(f"DELETE {PODS}/a", BACKGROUND, "Kubectl-Session: mine") == ""
    assert run_of(f"DELETE {PODS}") == ""
    assert run_of(f"DELETE {PODS}/a", b"{") == ""
    assert run_of(f"PUT {PODS}/a", b"{}") == ""
