"""Cases that only look."""

from __future__ import annotations

from tests.e2e.kubectl.cases import Book
from tests.e2e.kubectl.client import Kubectl

CASES = Book()

CASES.commands("version", "version", says=("Server Version",))
CASES.commands("get_pods", "get pods", says=("web-", "Running", "READY"), seeded=True)
CASES.commands("get_wide", "get pods,svc,nodes -o wide", says=("NODE", "SELECTOR", "INTERNAL-IP"), seeded=True)
CASES.commands("get_all_namespaces", "get pods -A", says=("kube-system",), seeded=True)
CASES.commands(
    "get_all", "get all", says=("deployment.apps/web", "statefulset.apps/db", "job.batch/migrate"), seeded=True
)
CASES.commands("get_yaml", "get deployment web -o yaml", says=("kind: Deployment", "uid:"), seeded=True)
CASES.commands("get_list_yaml", "get cm,svc -o yaml", says=("kind: List",), seeded=True)
CASES.commands("get_json", "get svc web -o json", says=('"kind": "Service"',), seeded=True)
CASES.commands("get_managed_fields", "get svc web -o yaml --show-managed-fields", says=("fieldsV1",), seeded=True)
CASES.commands("get_name", "get deploy -o name", says=("deployment.apps/web",), seeded=True)
CASES.commands(
    "get_jsonpath", "get pods -o jsonpath='{range .items[*]}{.metadata.name}{\"=\"}{.spec.containers[0].image}{\"\\n\"}{end}'",
    says=("=registry.example/shop/web:1.4",), seeded=True,
)  # fmt: skip
CASES.commands(
    "get_columns", "get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName --sort-by=.metadata.name",
    says=("NODE", "console"), seeded=True,
)  # fmt: skip
CASES.commands("get_go_template", "get svc web -o go-template='{{.spec.clusterIP}}'", says=("10.96.",), seeded=True)
CASES.commands("get_labels", "get pods -l 'app in (web,db),tier!=x' --show-labels", says=("app=web",), seeded=True)
CASES.commands("get_label_columns", "get pods -L app", says=("APP",), seeded=True)
CASES.commands(
    "get_fields", "get pods --field-selector status.phase=Running,metadata.name=console", says=("console",), seeded=True
)
CASES.commands("get_bad_field", "get pods --field-selector spec.image=x", says=("field label not supported",), code=1)
CASES.commands("get_chunks", "get events --chunk-size=5 -o name", says=("event/",), seeded=True)
CASES.commands("get_nothing", "get pods -n default", says=("No resources found in default namespace",), seeded=True)
CASES.commands("get_missing", "get deployment nobody", says=("NotFound", "nobody"), code=1)
CASES.commands("get_unknown_kind", "get wombats", says=("doesn't have a resource type",), code=1)
CASES.commands(
    "get_custom",
    "get backups",
    "get bk orders -o yaml",
    "explain backup.spec",
    says=("SCHEDULE", "keep: 7", "cron expression"),
    seeded=True,
)
CASES.commands(
    "get_secret", "get secret db-credentials -o jsonpath='{.data.username}'", says=("c2hvcA==",), seeded=True
)
CASES.commands(
    "get_kinds",
    "get cm,secret,sa,pvc,ing,netpol,pdb,hpa,cj,jobs,sts,rs,ep,role,rolebinding",
    says=("web-config", "db-from-web"),
    seeded=True,
)
CASES.commands(
    "get_cluster_kinds",
    "get ns,pv,sc,pc,crd,clusterrole,clusterrolebinding",
    says=("shop", "backups.demo.example"),
    seeded=True,
)
CASES.commands(
    "get_events",
    "get events --sort-by=.metadata.name -o custom-columns=R:.reason,M:.message",
    says=("Scheduled",),
    seeded=True,
)
CASES.commands("events", "events --for deployment/web", says=("ScalingReplicaSet",), seeded=True)
CASES.commands("describe_pod", "describe pod console", says=("Containers:", "Events:", "Node:"), seeded=True)
CASES.commands("describe_deployment", "describe deployment web", says=("StrategyType:", "NewReplicaSet:"), seeded=True)
CASES.commands(
    "describe_node",
    "describe node node-2",
    says=("Non-terminated Pods:", "Allocated resources:"),
    seeded=True,
    loose=True,
)
CASES.commands(
    "describe_others",
    "describe svc web",
    "describe cm kube-root-ca.crt",
    says=("Endpoints:",),
    seeded=True,
)
CASES.commands("describe_more", "describe ingress web", "describe pvc data-db-0", "describe job migrate", "describe backup orders", "describe ns shop", "describe hpa web", says=("shop.example", "Bound", "Keep:", "cpu"), seeded=True)  # fmt: skip
CASES.commands(
    "api_resources",
    "api-resources",
    "api-resources --namespaced=false -o name",
    "api-resources --api-group=apps -o wide --sort-by=name",
    says=("deployments", "nodes"),
)
CASES.commands("api_versions", "api-versions", says=("apps/v1",))
CASES.commands(
    "explain",
    "explain pod.spec.containers.image",
    "explain deployment --recursive",
    says=("image", "revisionHistoryLimit"),
)
CASES.commands("cluster_info", "cluster-info", says=("control plane",), loose=True)
CASES.commands("top", "top pods", says=("Metrics API not available",), code=1)
CASES.commands("whoami", "auth whoami", says=("Username",), least=27)
CASES.commands("can_i", "auth can-i delete pods", "auth can-i --list", says=("yes", "Verbs"))
CASES.commands(
    "can_i_subresource", "auth can-i get pods --subresource=log -n kube-system", "auth can-i get /logs/", says=("yes",)
)
CASES.commands("rollout_history", "rollout history deployment/web", says=("REVISION",), seeded=True)
CASES.commands(
    "rollout_status",
    "rollout status deployment/web",
    "rollout status sts/db",
    says=("successfully rolled out",),
    seeded=True,
)
CASES.commands("wait_condition", "wait deployment/web --for=condition=Available --timeout=20s", "wait pod/console --for=jsonpath='{.status.phase}'=Running --timeout=20s", says=("condition met",), seeded=True)  # fmt: skip
CASES.commands(
    "wait_in_vain",
    "wait deployment/web --for=condition=Nonsense --timeout=1s",
    says=("timed out",),
    code=1,
    seeded=True,
)
CASES.commands("get_ingress_of_all", "get ingress,networkpolicy -A -o wide", says=("shop.example",), seeded=True)


@CASES.case("ADDED", "MODIFIED", "DELETED", seeded=True)
def watch_events(kubectl: Kubectl) -> None:
    with kubectl.running("get configmaps -l watched=yes --watch --output-watch-events") as watch:
        kubectl("create configmap unwatched --from-literal=n=0")
        kubectl("create configmap seen --from-literal=n=1")
        kubectl("label configmap seen watched=yes")
        watch.until(r"ADDED +seen.*\n")
        kubectl('patch configmap seen -p \'{"data":{"n":"2"}}\'')
        watch.until(r"MODIFIED +seen.*\n")
        kubectl("delete configmap seen")
        watch.until(r"DELETED.*\n")
        watch.process.terminate()
        watch.end()
        kubectl.note("get -w", 0, watch.out, watch.err)


@CASES.case("console", seeded=True)
def watch_table(kubectl: Kubectl) -> None:
    with kubectl.running("get pods --watch --field-selector metadata.name=console") as watch:
        watch.until("console")
        kubectl("label pod console seen=yes")
        watch.until(r"console.*\n(.|\n)*console.*\n")
        watch.process.terminate()
        watch.end()
        kubectl.note("get -w", 0, watch.out, watch.err)


@CASES.case("deleted", "condition met", seeded=True)
def wait_for_deletion(kubectl: Kubectl) -> None:
    with kubectl.running("wait pod/console --for=delete --timeout=30s -v=6") as waiting:
        waiting.until("watch=true")
        kubectl("delete pod console --wait=false")
        kubectl.note("wait", waiting.end(), waiting.out, "")


@CASES.case("shop", "ConfigMapList", seeded=True)
def proxy(kubectl: Kubectl) -> None:
    import urllib.request

    with kubectl.running("proxy --port=0 --append-server-path") as serving:
        port = serving.until(r"127\.0\.0\.1:(\d+)")[1]
        for path in ("/api/v1/namespaces/shop", "/api/v1/namespaces/shop/configmaps?limit=1", "/version"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                kubectl.note(
                    f"proxy {path}", 0, answer.read().decode(), f"{answer.status} {answer.headers['Content-Type']}"
                )


CASES.commands("describe_secret", "describe secret payment-gateway", says=("key:", "bytes"), seeded=True)


@CASES.case("web-config", "Success", seeded=True)
def raw(kubectl: Kubectl) -> None:
    kubectl.raw("get", "/api/v1/namespaces/shop/configmaps/web-config")
    kubectl.raw("get", "/version")
    kubectl.raw("delete", "/api/v1/namespaces/shop/configmaps/web-config")
    kubectl.raw("get", "/nothing/here", code=1)
