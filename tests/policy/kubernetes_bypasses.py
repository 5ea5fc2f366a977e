"""Ways round a guard in front of an API server, as raw requests. Data for `test_kubernetes_guard`, and for whoever sends them to a gateway.

Every one of them does on a real API server what its plain form does, or tries to be two requests at once. `forbidden` says which
deny of GUARD it must meet when it is understood at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

GUARD = """
version: 1
rules:
  - {id: anything, effect: allow, when: {resource: {protocol: kubernetes}}}
  - {id: secrets, effect: deny, when: {kubernetes: {resources: secrets}}}
  - {id: deletes, effect: deny, when: {kubernetes: {verbs: [deletes]}}}
  - {id: commands, effect: deny, when: {kubernetes: {verbs: [exec, attach, portforward]}}}
  - {id: proxies, effect: deny, when: {kubernetes: {verbs: [proxy]}}}
  - {id: system, effect: deny, when: {kubernetes: {namespaces: kube-system}}}
  - id: traits
    effect: deny
    when:
      kubernetes:
        verbs: [writes]
        traits: [scale_to_zero, suspends, removes_finalizers, finalize, cordon, ephemeral_container, eviction, privileged, host_namespaces,
          host_path, added_capabilities, run_as_root, mounts_secret, mounts_token, service_account, service_account_token, rbac_escalation, cluster_admin,
          csr_approval, webhook, api_service, pod_security, binding, changes_image, names_node, orphan, force, unsafe_delete, owner_references]
"""
"""The weakest kind of policy: all is allowed that no deny names. A bypass is what slips past its denies."""

JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"

N = "/api/v1/namespaces/shop"
A = "/apis/apps/v1/namespaces/shop"
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: v5.channel.k8s.io, v4.channel.k8s.io",
)
SPDY = ("Connection: Upgrade", "Upgrade: SPDY/3.1", "X-Stream-Protocol-Version: v4.channel.k8s.io")


@dataclass(frozen=True, slots=True)
class Case:
    """One request."""

    name: str
    line: str
    """`METHOD /path`, below the cluster's prefix; or a whole request line with its version."""
    forbidden: str = ""
    """A rule of GUARD; empty when it must be refused before anybody judges it."""
    headers: tuple[str, ...] = ()
    body: bytes = b""
    media_type: str = ""
    end: bytes = b"\r\n"
    """What ends a line."""

    def raw(self, prefix: str = "/clusters/eu", token: str = "abc.def.ghi") -> bytes:
        """The head as a client sends it; the body follows."""
        words = self.line.split(" ")
        if len(words) == 2:
            words = [words[0], prefix + words[1], "HTTP/1.1"]
        said = list(self.headers)
        if not any(one.lower().startswith("host") for one in said):
            said.insert(0, "Host: bastion:6443")
        if not any(one.lower().startswith("authorization") for one in said):
            said.append(f"Authorization: Bearer {token}")
        if self.media_type:
            said.append(f"Content-Type: {self.media_type}")
        if self.body and not any(one.lower().startswith(("content-length", "transfer-encoding")) for one in said):
            said.append(f"Content-Length: {len(self.body)}")
        return self.end.join([" ".join(words).encode("latin-1"), *(one.encode("latin-1") for one in said), b"", b""])


def write(name: str, line: str, body: Any, media_type: str, forbidden: str = "traits") -> Case:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name, line, forbidden, (), sent, media_type)


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def container(**more: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "c", "image": "i", **more}])


def template(body: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": body["spec"]}}}


READING: tuple[Case, ...] = tuple(
    Case(name, f"GET {path}", "secrets")
    for name, path in (
        ("plainly", f"{N}/secrets"), ("one", f"{N}/secrets/db"), ("everywhere", "/api/v1/secrets"), ("an encoded letter", f"{N}/%73ecrets"),
        ("all letters encoded", f"{N}/%73%65%63%72%65%74%73/%64b"), ("a trailing slash", f"{N}/secrets/"), ("a watch by its path", "/api/v1/watch/secrets"),
        ("a watch of a namespace by its path", "/api/v1/watch/namespaces/shop/secrets"), ("a watch of one by its path", "/api/v1/watch/namespaces/shop/secrets/db"),
        ("watch=banana", f"{N}/secrets?watch=banana"), ("a bare watch", f"{N}/secrets?watch"), ("two watches", f"{N}/secrets?watch=0&watch=1"),
        ("a name in the selector", "/api/v1/secrets?fieldSelector=metadata.name%3Ddb"), ("page by page", f"{N}/secrets?limit=1&continue=x"),
        ("a namespace that looks like a part", "/api/v1/namespaces/status/secrets"), ("a namespace called watch", "/api/v1/namespaces/watch/secrets"),
        ("another group's", "/apis/mirror.example.com/v1/namespaces/shop/secrets"), ("a part of one", f"{N}/secrets/db/status"),
    )
)  # fmt: skip
"""Of Secrets."""

REFUSED: tuple[Case, ...] = (
    *(
        Case(name, f"GET {path}")
        for name, path in (
            ("an encoded slash", "/api/v1/namespaces/shop%2fsecrets"), ("an encoded slash, upper case", "/api/v1/namespaces/shop%2Fsecrets"), ("an encoded backslash", "/api/v1/namespaces/shop%5csecrets"),
            ("an encoded percent", "/api/v1/namespaces/shop%252fsecrets"), ("an encoded NUL", f"{N}/secrets%00"), ("a semicolon", f"{N}/secrets;x=y"), ("an encoded semicolon", f"{N}/pods%3b/../secrets"),
            ("two slashes", "/api/v1/namespaces/shop//secrets"), ("two slashes at the start", "//api/v1/namespaces/shop/secrets"), ("dots", f"{N}/pods/../secrets"), ("encoded dots", f"{N}/pods/%2e%2e/secrets"),
            ("a dot", f"{N}/./secrets"), ("two trailing slashes", f"{N}/secrets//"), ("a backslash", f"{N}/pods\\..\\secrets"), ("overlong UTF-8", f"{N}/%c0%ae%c0%ae/secrets"), ("a broken escape", f"{N}/secrets%2"),
            ("a line break", f"{N}/pods%0d%0aX:%20y"), ("a fragment", f"{N}/pods#/secrets"), ("a credential in the query", f"{N}/pods?access_token=abc"), ("a token in the query", f"{N}/pods?token=abc"),
            ("a second question mark", f"{N}/pods?a?watch=1"),
        )
    ),
    Case("absolute form", "GET https://kubernetes/api/v1/namespaces/shop/secrets HTTP/1.1"),
    Case("absolute form without a scheme", "GET //kubernetes/api/v1/secrets HTTP/1.1"), Case("authority form", "CONNECT kubernetes:443 HTTP/1.1"), Case("asterisk form", "OPTIONS * HTTP/1.1"),
    Case("another method", f"WATCH {N}/secrets"), Case("lower case", f"get {N}/secrets"), Case("HTTP/1.0", f"GET /clusters/eu{N}/secrets HTTP/1.0"), Case("two blanks", f"GET  /clusters/eu{N}/secrets HTTP/1.1"),
    Case("bare line feeds", f"GET {N}/pods", end=b"\n"), Case("a bare line feed in a value", f"GET {N}/pods", headers=("X: y\nImpersonate-User: admin",)),
    Case("a folded header", f"GET {N}/pods", headers=("X: y\r\n Impersonate-User: admin",)), Case("a blank before the colon", f"GET {N}/pods", headers=("Transfer-Encoding : chunked",)),
    Case("both lengths", f"POST {N}/pods", headers=("Content-Length: 4", "Transfer-Encoding: chunked"), body=b"0\r\n\r\n"), Case("two lengths", f"POST {N}/pods", headers=("Content-Length: 4", "Content-Length: 40"), body=b"{}  "),
    Case("a length with an underscore", f"POST {N}/pods", headers=("Content-Length: 2", "Content_Length: 40"), body=b"{}"), Case("chunked in a coat", f"POST {N}/pods", headers=("Transfer-Encoding: xchunked",), body=b"{}"),
    Case("chunked twice", f"POST {N}/pods", headers=("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), body=b"{}"), Case("compressed", f"POST {N}/pods", headers=("Content-Encoding: gzip",), body=b"{}", media_type=JSON),
    Case("a body of a GET", f"GET {N}/pods", headers=("Content-Length: 30",), body=b"GET /api/v1/secrets HTTP/1.1\r\n"), Case("two hosts", f"GET {N}/pods", headers=("Host: a", "Host: b")),
    Case("two credentials", f"GET {N}/pods", headers=("Authorization: Bearer a", "Authorization: Bearer b")), Case("two types", f"POST {N}/pods", headers=("Content-Type: text/plain", "Content-Type: application/json"), body=b"{}"),
    Case("as somebody else", f"GET {N}/pods", headers=("Impersonate-User: system:admin",)), Case("as somebody else, spelt otherwise", f"GET {N}/pods", headers=("impersonate_group: system:masters",)),
    Case("a header taken away on the way", f"GET {N}/pods", headers=("Connection: close, Authorization",)), Case("another protocol", f"GET {N}/pods", headers=("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")),
    Case("a WebSocket watch of Secrets", f"GET {N}/secrets?watch=1", headers=WEBSOCKET), Case("a WebSocket watch by its path", "GET /api/v1/watch/secrets", headers=WEBSOCKET), Case("logs over a WebSocket", f"GET {N}/pods/a/log?follow=1", headers=WEBSOCKET),
    Case("a token in the subprotocol", f"GET {N}/pods/a/exec?command=ls", headers=(*WEBSOCKET[:4], "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.YWJj, v4.channel.k8s.io")),
    Case("a WebSocket through a proxy", f"GET {N}/pods/a/proxy/exec", headers=WEBSOCKET), Case("half an upgrade", f"GET {N}/pods/a/exec?command=ls", headers=WEBSOCKET[1:]), Case("an upgrade with a body", f"POST {N}/pods/a/exec?command=ls", headers=(*SPDY, "Content-Length: 3"), body=b"x=y"),
    Case("a control character in a value", f"GET {N}/pods", headers=("X: a\x08b",)),
)  # fmt: skip
"""What is refused unread."""

DOING: tuple[Case, ...] = (
    *(
        Case(name, line, "commands", headers)
        for name, line, headers in (
            ("exec over a WebSocket", f"GET {N}/pods/a/exec?command=sh", WEBSOCKET), ("exec over SPDY", f"POST {N}/pods/a/exec?command=sh", SPDY), ("exec over SPDY by GET", f"GET {N}/pods/a/exec?command=sh", SPDY),
            ("exec without an upgrade", f"POST {N}/pods/a/exec?command=sh", ()), ("exec, an encoded letter", f"POST {N}/pods/a/e%78ec?command=sh", SPDY), ("exec, a trailing slash", f"POST {N}/pods/a/exec/?command=sh", SPDY),
            ("exec by PUT", f"PUT {N}/pods/a/exec?command=sh", ()), ("exec as a dry run", f"POST {N}/pods/a/exec?command=sh&dryRun=All", SPDY), ("attach", f"POST {N}/pods/a/attach?stdin=1", SPDY), ("attach by GET", f"GET {N}/pods/a/attach?stdin=1", WEBSOCKET),
            ("port-forward", f"POST {N}/pods/a/portforward", SPDY), ("port-forward over a WebSocket", f"GET {N}/pods/a/portforward?ports=80", WEBSOCKET), ("another group's exec", "POST /apis/subresources.example.com/v1/namespaces/shop/machines/a/exec?command=sh", ()),
        )
    ),
    *(
        Case(name, line, "proxies")
        for name, line in (
            ("the kubelet", "GET /api/v1/nodes/node-1/proxy/pods"), ("a command by the kubelet", "POST /api/v1/nodes/node-1/proxy/run/shop/a/c?cmd=id"), ("exec by the kubelet", "GET /api/v1/nodes/node-1/proxy/exec/shop/a/c?command=id"),
            ("the kubelet by the old path", "GET /api/v1/proxy/nodes/node-1/pods"), ("a pod", f"GET {N}/pods/a/proxy/admin"), ("a pod by the old path", "GET /api/v1/proxy/namespaces/shop/pods/a/admin"), ("a service", f"DELETE {N}/services/https:db:443/proxy/x"),
            ("the proxy's own root", f"GET {N}/services/db/proxy/"), ("a node with a port", "GET /api/v1/nodes/node-1:10250/proxy/metrics"), ("as a dry run", f"POST {N}/services/db/proxy/x?dryRun=All"),
        )
    ),
    *(
        Case(name, line, "deletes", (), body, JSON if body else "")
        for name, line, body in (
            ("a collection", f"DELETE {N}/pods", b""), ("a collection by a name in the selector", f"DELETE {N}/pods?fieldSelector=metadata.name%3Da", b""), ("a collection everywhere", "DELETE /api/v1/pods?labelSelector=a", b""),
            ("a dry run in the query that a body overrides", f"DELETE {N}/pods/a?dryRun=All", b'{"kind":"DeleteOptions"}'), ("a dry run that is none", f"DELETE {N}/pods/a?dryRun=all", b""), ("half a dry run", f"DELETE {N}/pods/a?dryRun=All&dryRun=None", b""),
            ("an empty dry run", f"DELETE {N}/pods/a?dryRun=", b""), ("an eviction", f"POST {N}/pods/a/eviction", b'{"metadata":{"name":"a"}}'), ("an eviction as a dry run", f"POST {N}/pods/a/eviction?dryRun=All", b'{"metadata":{"name":"a"}}'),
            ("behind another server's dry run", "DELETE /apis/x.example.com/v1/namespaces/shop/things/a?dryRun=All", b""), ("with a trailing slash", f"DELETE {N}/pods/a/", b""), ("of a namespace", "DELETE /api/v1/namespaces/shop", b""),
        )
    ),
    *(
        Case(name, line, "system", (), body, JSON if body else "")
        for name, line, body in (
            ("a list over all", "GET /api/v1/pods", b""), ("a watch over all", "GET /apis/apps/v1/watch/deployments", b""), ("the namespace itself", "PUT /api/v1/namespaces/kube-system", b'{"metadata":{"name":"kube-system"}}'),
            ("its end", "PUT /api/v1/namespaces/kube-system/finalize", b'{"spec":{"finalizers":["kubernetes"]}}'), ("encoded", "GET /api/v1/namespaces/kube%2dsystem/pods", b""), ("one by a selector", "GET /api/v1/pods?fieldSelector=metadata.namespace%3Dkube-system", b""),
        )
    ),
)  # fmt: skip
"""Of what the line alone does."""

WRITING: tuple[Case, ...] = (
    # an end in another form
    write("scale", f"PATCH {A}/deployments/web/scale", {"spec": {"replicas": 0}}, MERGE), write("scale by PUT", f"PUT {A}/deployments/web/scale", {"spec": {"replicas": 0}}, JSON), write("scale, left out", f"PUT {A}/deployments/web/scale", {"spec": {}}, JSON),
    write("scale, null", f"PATCH {A}/deployments/web/scale", {"spec": {"replicas": None}}, MERGE), write("scale as a float", f"PATCH {A}/deployments/web", b'{"spec":{"replicas":0.0}}', MERGE), write("scale as an exponent", f"PATCH {A}/deployments/web", b'{"spec":{"replicas":0e9}}', MERGE),
    write("scale as minus nothing", f"PATCH {A}/deployments/web", b'{"spec":{"replicas":-0}}', STRATEGIC), write("scale by a JSON patch", f"PATCH {A}/deployments/web", [{"op": "replace", "path": "/spec/replicas", "value": 0}], JSON_PATCH),
    write("scale by adding a spec", f"PATCH {A}/deployments/web", [{"op": "add", "path": "/spec", "value": {"replicas": 0}}], JSON_PATCH), write("scale by an apply", f"PATCH {A}/deployments/web?force=true", b"spec:\n  replicas: 0\n", APPLY),
    write("scale by protobuf", f"PUT {A}/deployments/web/scale", b"k8s\0\x0a\x00\x12\x09\x0a\x05\x0a\x03web\x12\x00", PROTOBUF), write("scale in bits that are cut off", f"PUT {A}/deployments/web/scale", b"k8s\0\x0a\x00\x12\x0f\x0a\x05\x0a\x03web\x12\x06\x08\x80\x80\x80\x80\x10", PROTOBUF, ""),
    write("no more jobs", "PATCH /apis/batch/v1/namespaces/shop/cronjobs/c", {"spec": {"suspend": True}}, MERGE), write("no finalizers", f"PATCH {N}/persistentvolumeclaims/d", {"metadata": {"finalizers": None}}, MERGE),
    write("an empty list of them", f"PATCH {N}/persistentvolumeclaims/d", {"metadata": {"finalizers": []}}, MERGE), write("all of the metadata", f"PATCH {N}/persistentvolumeclaims/d", [{"op": "replace", "path": "/metadata", "value": {"name": "d"}}], JSON_PATCH),
    write("one of them", f"PATCH {N}/persistentvolumeclaims/d", [{"op": "remove", "path": "/metadata/finalizers/0"}], JSON_PATCH), write("by a directive", f"PATCH {N}/persistentvolumeclaims/d", {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}, STRATEGIC),
    write("by a directive for all", f"PATCH {N}/persistentvolumeclaims/d", {"metadata": {"$patch": "replace", "name": "d"}}, STRATEGIC), write("by a path that has no start", f"PATCH {N}/persistentvolumeclaims/d", [{"op": "remove", "path": "x/metadata/finalizers"}], JSON_PATCH, ""),
    write("by a move", f"PATCH {N}/persistentvolumeclaims/d", [{"op": "move", "from": "/metadata/annotations/a", "path": "/metadata/finalizers"}], JSON_PATCH, ""), write("a namespace's finalizers", "PUT /api/v1/namespaces/shop/finalize", {"spec": {"finalizers": []}}, JSON),
    write("the owner's end", f"PATCH {A}/deployments/web", {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}]}}, MERGE), write("a cordon", "PATCH /api/v1/nodes/node-1", {"spec": {"unschedulable": True}}, STRATEGIC),
    write("a taint", "PATCH /api/v1/nodes/node-1", {"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}, STRATEGIC),
    # out of the pod
    write("privileged", f"POST {N}/pods", container(securityContext={"privileged": True}), JSON), write("privileged at the start", f"POST {N}/pods", pod(initContainers=[{"name": "i", "image": "i", "securityContext": {"privileged": True}}]), JSON),
    write("privileged in a workload", f"POST {A}/daemonsets", {"metadata": {"name": "x"}, **template(container(securityContext={"privileged": True}))}, JSON), write("privileged in a custom resource", "POST /apis/argoproj.io/v1/namespaces/shop/rollouts", {"metadata": {"name": "x"}, **template(container(securityContext={"privileged": True}))}, JSON),
    write("privileged by a patch", f"PATCH {A}/deployments/web", template(container(securityContext={"privileged": True})), STRATEGIC), write("privileged in YAML", f"POST {N}/pods", b"metadata: {name: x}\nspec: {containers: [{name: c, image: i, securityContext: {privileged: true}}]}\n", YAML),
    write("privileged in YAML of another age", f"POST {N}/pods", b"metadata: {name: x}\nspec: {containers: [{name: c, image: i, securityContext: {privileged: yes}}]}\n", YAML, ""), write("privileged by an anchor", f"POST {N}/pods", b"metadata: {name: x}\nspec: {containers: [{name: c, securityContext: &a {privileged: true}}]}\n", YAML, ""),
    write("privileged the second time", f"POST {N}/pods", b'{"metadata":{"name":"x"},"spec":{"containers":[{"name":"c","securityContext":{"privileged":false,"privileged":true}}]}}', JSON, ""), write("a second spec", f"POST {N}/pods", b'{"metadata":{"name":"x"},"spec":{},"spec":{"hostPID":true}}', JSON, ""),
    write("the node's network", f"POST {N}/pods", pod(hostNetwork=True), JSON), write("the node's processes", f"PATCH {A}/deployments/web", [{"op": "add", "path": "/spec/template/spec/hostPID", "value": True}], JSON_PATCH), write("the node's files", f"POST {N}/pods", pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), JSON),
    write("the node's files by a volume", "POST /api/v1/persistentvolumes", {"metadata": {"name": "x"}, "spec": {"hostPath": {"path": "/"}}}, JSON), write("the node's files by a local volume", "POST /api/v1/persistentvolumes", {"metadata": {"name": "x"}, "spec": {"local": {"path": "/"}}}, JSON),
    write("a capability", f"POST {N}/pods", container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), JSON), write("root", f"POST {N}/pods", pod(securityContext={"runAsUser": 0}), JSON), write("a guard taken away", f"PATCH {A}/deployments/web", [{"op": "remove", "path": "/spec/template/spec/securityContext"}], JSON_PATCH),
    write("a debugger", f"PATCH {N}/pods/a/ephemeralcontainers", {"spec": {"ephemeralContainers": [{"name": "d", "image": "i"}]}}, STRATEGIC), write("a debugger by PUT", f"PUT {N}/pods/a/ephemeralcontainers", {"metadata": {"name": "a"}, "spec": {"ephemeralContainers": [{"name": "d"}]}}, JSON),
    write("past the scheduler", f"POST {N}/pods", pod(nodeName="node-1"), JSON), write("past the scheduler by a binding", f"POST {N}/pods/a/binding", {"target": {"name": "node-1"}}, JSON), write("past the scheduler by an old binding", f"POST {N}/bindings", {"metadata": {"name": "a"}, "target": {"name": "n"}}, JSON),
    write("a namespace let loose", "PATCH /api/v1/namespaces/shop", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, MERGE), write("another image", f"PATCH {A}/deployments/web", template(container(image="evil")), STRATEGIC),
    # to a Secret, or to a token
    write("mounted", f"POST {N}/pods", pod(volumes=[{"name": "v", "secret": {"secretName": "db"}}]), JSON), write("projected", f"POST {N}/pods", pod(volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "db"}}]}}]), JSON),
    write("in the environment", f"POST {N}/pods", container(envFrom=[{"secretRef": {"name": "db"}}]), JSON), write("in one variable", f"PATCH {A}/deployments/web", template(container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}])), APPLY),
    write("in a job", "POST /apis/batch/v1/namespaces/shop/jobs", {"metadata": {"generateName": "x-"}, **template(container(envFrom=[{"secretRef": {"name": "db"}}]))}, JSON), write("a token", f"POST {N}/serviceaccounts/deployer/token", {}, JSON),
    write("a token that is no dry run", f"POST {N}/serviceaccounts/deployer/token?dryRun=All", {}, JSON), write("a token in protobuf", f"POST {N}/serviceaccounts/deployer/token", b"k8s\0\x0a\x00\x12\x00", PROTOBUF), write("another account", f"POST {N}/pods", pod(serviceAccountName="deployer"), JSON),
    write("a token projected", f"POST {N}/pods", pod(volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]), JSON),
    # to more rights
    write("a role of everything", "POST /apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "x"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}, JSON),
    write("escalate", "POST /apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles", {"metadata": {"name": "x"}, "rules": [{"verbs": ["escalate"], "resources": ["roles"]}]}, JSON), write("bind by a patch", "PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/view", [{"op": "add", "path": "/rules/-", "value": {"verbs": ["bind"], "resources": ["clusterroles"]}}], JSON_PATCH),
    write("impersonate", "PUT /apis/rbac.authorization.k8s.io/v1/clusterroles/view", {"rules": [{"verbs": ["impersonate"], "resources": ["users"]}]}, JSON), write("cluster-admin", "POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {"metadata": {"name": "x"}, "roleRef": {"name": "cluster-admin"}}, JSON),
    write("everybody", "PATCH /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/viewers", {"subjects": [{"kind": "Group", "name": "system:unauthenticated"}]}, MERGE), write("by aggregation", "POST /apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "x", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}}, JSON),
    write("a certificate", "PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval", {}, JSON), write("a certificate by its status", "PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/x/status", {}, MERGE),
    write("a webhook", "POST /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", {"metadata": {"name": "x"}}, JSON), write("an API of one's own", "POST /apis/apiregistration.k8s.io/v1/apiservices", {"metadata": {"name": "v1.x"}}, JSON),
    # Secrets by a write
    write("a patch that changes nothing", f"PATCH {N}/secrets/db", {}, MERGE, "secrets"), write("an apply", f"PATCH {N}/secrets/db?fieldManager=x", b"{}", APPLY, "secrets"), write("a dry run of one", f"PATCH {N}/secrets/db?dryRun=All", {}, MERGE, "secrets"), write("a deletion that shows it", f"DELETE {N}/secrets/db?dryRun=All", b"", "", "secrets"),
    # a body that nobody reads alike
    write("of another type", f"PATCH {A}/deployments/web", {}, "application/json", ""), write("in CBOR", f"POST {N}/pods", b"\xd9\xd9\xf7\xa0", "application/cbor", ""), write("with something behind it", f"POST {N}/pods", b'{"metadata":{"name":"x"}}{"spec":{"hostPID":true}}', JSON, ""),
    write("with a mark before it", f"POST {N}/pods", b'\xef\xbb\xbf{"metadata":{"name":"x"}}', JSON, ""), write("two documents", f"POST {N}/pods", b"metadata: {name: x}\n---\nmetadata: {name: y}\n", YAML, ""), write("very deep", f"POST {N}/pods", b"[" * 50_000, JSON, ""),
    write("options that are twice there", f"DELETE {N}/pods/a", b'{"dryRun":["All"],"dryRun":[]}', JSON, ""), write("an unknown message", "POST /apis/apps/v1beta1/namespaces/shop/deployments", b"k8s\0\x0a\x00\x12\x00", PROTOBUF, ""),
)  # fmt: skip
"""Of what a body does."""


def every() -> Iterator[Case]:
    yield from READING
    yield from REFUSED
    yield from DOING
    yield from WRITING
