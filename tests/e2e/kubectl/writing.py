"""Cases that change things."""

from __future__ import annotations

from tests.e2e.kubectl.cases import WEB, Book
from tests.e2e.kubectl.client import Kubectl

CASES = Book()

CASES.commands(
    "create_configmap",
    "create configmap c --from-literal=a=1 --from-literal=b=2",
    "get cm c -o yaml",
    says=("created", "a: "),
)
CASES.commands("create_secret", "create secret generic s --from-literal=k=v", "create secret docker-registry r --docker-username=u --docker-password=p", "get secret s r", says=("created", "kubernetes.io/dockerconfigjson"))  # fmt: skip
CASES.commands(
    "create_deployment",
    "create deployment d --image=registry.example/d:1 --replicas=2 --port=80",
    "get deploy d -o jsonpath='{.spec.replicas}'",
    says=("created", "2"),
)
CASES.commands(
    "create_job", "create job j --image=registry.example/j:1 -- echo done", "get job j -o name", says=("created",)
)
CASES.commands(
    "create_job_from",
    "create job again --from=cronjob/nightly",
    "get job again -o jsonpath='{.spec.template.spec.containers[0].image}'",
    says=("report:1.4",),
    seeded=True,
)
CASES.commands(
    "create_cronjob",
    "create cronjob cj --image=registry.example/j:1 --schedule='*/5 * * * *' -- echo x",
    "get cj cj",
    says=("*/5",),
)
CASES.commands("create_rbac", "create role r --verb=get,list --resource=pods", "create rolebinding rb --role=r --user=ada", "create clusterrole hooptui-test --verb=get --resource=nodes", "delete clusterrole hooptui-test", "get role,rolebinding r rb", says=("Role/r",), code=1)  # fmt: skip
CASES.commands("create_others", "create sa robot", "create quota q --hard=pods=10", "create pdb p --selector=app=x --min-available=1", "create service clusterip s --tcp=80", "create ingress i --rule='x.example/*=s:80'", "get sa,quota,pdb,svc,ing", says=("robot", "x.example"))  # fmt: skip
CASES.commands(
    "create_namespace",
    "create namespace hooptui-test",
    "get ns hooptui-test",
    "delete namespace hooptui-test",
    "get ns hooptui-test",
    says=("Active", "deleted", "NotFound"),
    code=1,
)
CASES.commands("create_twice", "create configmap twice", "create configmap twice", says=("already exists",), code=1)
CASES.commands(
    "create_in_no_namespace", "create configmap c -n nowhere", says=('namespaces "nowhere" not found',), code=1
)
CASES.commands("create_token", "create sa robot", "create token robot --duration=20m", says=("eyJ",))
CASES.commands(
    "create_dry_run",
    "create deployment d --image=x --dry-run=server -o yaml",
    "get deploy d",
    says=("uid:", "NotFound"),
    code=1,
)
CASES.commands(
    "create_client_dry_run", "create deployment d --image=x --dry-run=client -o yaml", says=("creationTimestamp",)
)
CASES.commands(
    "run_pod",
    "run p --image=registry.example/p:1 --labels=a=b --env=X=1 --port=80",
    "get pod p -o jsonpath='{.spec.containers[0].env[0].value}'",
    says=("created", "1"),
)
CASES.commands(
    "expose",
    "expose deployment web --name=web2 --port=8080 --target-port=http",
    "get svc web2",
    says=("exposed", "8080/TCP"),
    seeded=True,
)
CASES.commands(
    "autoscale",
    "autoscale deployment worker --min=1 --max=5 --cpu-percent=60",
    "get hpa worker",
    says=("autoscaled", "Deployment/worker"),
    seeded=True,
)
CASES.commands(
    "scale",
    "scale deployment web --replicas=5",
    "get deploy web",
    "scale deployment web --replicas=1 --current-replicas=5",
    "get deploy web",
    says=("5/5", "1/1"),
    seeded=True,
)
CASES.commands(
    "scale_wrongly",
    "scale deployment web --replicas=1 --current-replicas=9",
    says=("Expected replicas",),
    code=1,
    seeded=True,
)
CASES.commands("set_image", "set image deployment/web web=registry.example/shop/web:2", "rollout status deployment/web", "get deploy web -o jsonpath='{.spec.template.spec.containers[0].image}'", says=("image updated", "web:2"), seeded=True)  # fmt: skip
CASES.commands("set_others", "set env deployment/web FEATURE=on", "set env deployment/web --list", "set resources deployment/web -c=web --limits=memory=256Mi", "set serviceaccount deployment/web deployer", says=("FEATURE=on", "updated"), seeded=True)  # fmt: skip
CASES.commands("rollout_undo", "set image deployment/web web=registry.example/shop/web:2", "rollout history deployment/web", "rollout undo deployment/web", "rollout status deployment/web", "get deploy web -o jsonpath='{.spec.template.spec.containers[0].image}'", "rollout history deployment/web --revision=3", says=("rolled back", "web:1.4"), seeded=True)  # fmt: skip
CASES.commands(
    "rollout_restart",
    "rollout restart deployment/web",
    "rollout status deployment/web",
    says=("restarted",),
    seeded=True,
)
CASES.commands("rollout_pause", "rollout pause deployment/web", "set image deployment/web web=registry.example/shop/web:3", "rollout resume deployment/web", "rollout status deployment/web", says=("paused", "resumed"), seeded=True)  # fmt: skip
CASES.commands("patch_strategic", "patch deployment web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"p:1\"}]}}}}'", "get deploy web -o jsonpath='{.spec.template.spec.containers[*].image}'", says=("patched", "p:1"), seeded=True)  # fmt: skip
CASES.commands(
    "patch_merge",
    'patch cm web-config --type=merge -p \'{"data":{"LOG_LEVEL":"debug"}}\'',
    "get cm web-config -o jsonpath='{.data.LOG_LEVEL}'",
    says=("debug",),
    seeded=True,
)
CASES.commands(
    "patch_json",
    'patch cm web-config --type=json -p \'[{"op":"replace","path":"/data/LOG_LEVEL","value":"warn"}]\' -o yaml',
    says=("warn",),
    seeded=True,
)
CASES.commands(
    "patch_scale",
    'patch deployment web --subresource=scale --type=merge -p \'{"spec":{"replicas":2}}\'',
    "get deploy web",
    says=("2/2",),
    seeded=True,
)
CASES.commands(
    "patch_wrongly",
    'patch deployment web -p \'{"spec":{"selector":{"matchLabels":{"x":"y"}}}}\'',
    says=("is invalid",),
    code=1,
    seeded=True,
)
CASES.commands(
    "label",
    "label pod console tier=tools",
    "label pod console tier=other --overwrite",
    "get pod console -L tier",
    "label pod console tier-",
    says=("labeled", "other", "unlabeled"),
    seeded=True,
)
CASES.commands(
    "annotate", "annotate deployment web team=shop", "annotate deployment web team-", says=("annotated",), seeded=True
)
CASES.commands(
    "taint",
    "taint node node-2 a=b:NoSchedule",
    "get node node-2 -o jsonpath='{.spec.taints[0].key}'",
    "taint node node-2 a-",
    says=("tainted", "untainted"),
    seeded=True,
)
CASES.commands(
    "cordon",
    "cordon node-2",
    "get node node-2",
    "uncordon node-2",
    says=("cordoned", "SchedulingDisabled", "uncordoned"),
    seeded=True,
)
CASES.commands(
    "drain",
    "drain node-2 --ignore-daemonsets --force --delete-emptydir-data --timeout=60s",
    "get pods -o jsonpath='{.items[*].spec.nodeName}'",
    says=("evicting pod", "drained", "node-3"),
    seeded=True,
    loose=True,
)
CASES.commands(
    "delete_name", "delete cm web-config", "get cm web-config", says=("deleted", "NotFound"), code=1, seeded=True
)
CASES.commands(
    "delete_selector",
    "delete pods -l app=web",
    "get pods -l app=web --no-headers -o name",
    says=("deleted", "pod/web-"),
    seeded=True,
)
CASES.commands("delete_all", "delete configmaps,pods --all", says=("deleted",), seeded=True, loose=True)
CASES.commands(
    "delete_cascade",
    "delete deployment web",
    "get rs,pods -l app=web",
    says=("deleted", "No resources found"),
    seeded=True,
)
CASES.commands(
    "delete_orphan",
    "delete deployment web --cascade=orphan",
    "get rs,pods -l app=web -o name",
    says=("replicaset.apps/web-",),
    seeded=True,
)
CASES.commands(
    "delete_foreground",
    "delete deployment web --cascade=foreground",
    "get rs,pods -l app=web",
    says=("No resources found",),
    seeded=True,
)
CASES.commands(
    "delete_now",
    "delete pod console --now",
    "delete pod ticker --grace-period=0 --force",
    says=("force deleted",),
    seeded=True,
)
CASES.commands(
    "delete_missing", "delete pod nobody --ignore-not-found", "delete pod nobody", says=("NotFound",), code=1
)
CASES.commands(
    "delete_dry_run",
    "delete deployment web --dry-run=server",
    "get deploy web",
    says=("server dry run", "3/3"),
    seeded=True,
)
CASES.commands("certificate", "get csr", says=("No resources found",))


@CASES.case("created", "configured", "unchanged", "deleted")
def apply(kubectl: Kubectl) -> None:
    kubectl.file("web.yaml", WEB)
    kubectl("apply -f web.yaml")
    kubectl("apply -f web.yaml")
    kubectl.file("web.yaml", WEB.replace("replicas: 2", "replicas: 3").replace("mode: fast", "pace: slow"))
    kubectl("diff -f web.yaml", code=1)
    kubectl("apply -f web.yaml --dry-run=server")
    kubectl("apply -f web.yaml")
    assert kubectl("get cm site -o jsonpath='{.data}'").out == '{"pace":"slow"}'
    kubectl("diff -f web.yaml", code=0)
    kubectl("apply view-last-applied cm/site")
    kubectl("delete -f web.yaml")


@CASES.case("serverside-applied", "conflict")
def apply_server_side(kubectl: Kubectl) -> None:
    kubectl.file("web.yaml", WEB)
    kubectl("apply --server-side -f web.yaml")
    kubectl("apply --server-side -f web.yaml")
    kubectl("scale deployment site --replicas=4")
    kubectl("apply --server-side -f web.yaml", code=1)
    kubectl("apply --server-side -f web.yaml --force-conflicts")
    assert kubectl("get deployment site -o jsonpath='{.spec.replicas}'").out == "2"
    kubectl("diff --server-side -f web.yaml", code=0)


@CASES.case("configmap/b pruned")
def apply_prune(kubectl: Kubectl) -> None:
    one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, labels: {set: x}}\n---\n"
    kubectl("apply -f - -l set=x", stdin=one.replace("NAME", "a") + one.replace("NAME", "b"))
    kubectl(
        "apply -f - --prune -l set=x --prune-allowlist=core/v1/ConfigMap", stdin=one.replace("NAME", "a"), code=None
    )


@CASES.case('unknown field "spec.replcas"')
def apply_typo(kubectl: Kubectl) -> None:
    kubectl("apply -f -", stdin=WEB.replace("replicas: 2", "replcas: 2"), code=1)


@CASES.case("is invalid", "Required value")
def apply_invalid(kubectl: Kubectl) -> None:
    kubectl(
        "apply -f -", stdin="apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a}]}\n", code=1
    )


@CASES.case("replaced", "Conflict", seeded=True)
def replace(kubectl: Kubectl) -> None:
    old = kubectl("get cm web-config -o json").out
    kubectl("replace -f -", stdin=old.replace('"info"', '"trace"'))
    kubectl("replace -f -", stdin=old.replace('"info"', '"other"'), code=1)


@CASES.case("edited", "warn", seeded=True)
def edit(kubectl: Kubectl) -> None:
    script = kubectl.file("editor", "#!/bin/sh\nsed -i 's/LOG_LEVEL: info/LOG_LEVEL: warn/' \"$1\"\n")
    script.chmod(0o755)
    kubectl("edit cm web-config", KUBE_EDITOR=str(script))
    kubectl("get cm web-config -o jsonpath='{.data.LOG_LEVEL}'")


@CASES.case("Edit cancelled", seeded=True)
def edit_nothing(kubectl: Kubectl) -> None:
    kubectl("edit cm web-config", KUBE_EDITOR="true")


@CASES.case("created", "kept")
def custom_objects(kubectl: Kubectl) -> None:
    kubectl.file(
        "crd.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.test.example}\n"
        "spec: {group: test.example, scope: Namespaced, names: {plural: things, kind: Thing}, versions: [{name: v1, served: true,"
        " storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}\n",
    )
    kubectl("apply -f crd.yaml")
    kubectl("wait crd/things.test.example --for=condition=Established --timeout=20s")
    thing = "apiVersion: test.example/v1\nkind: Thing\nmetadata: {name: t}\nspec: {is: kept}\n"
    kubectl("apply -f -", stdin=thing)
    kubectl('patch thing t --type=merge -p \'{"spec":{"more":1}}\'')
    kubectl("get things -o yaml")
    kubectl("delete -f crd.yaml")
