"""The resources this cluster serves: names, verbs, subresources, and which of them are one thing under two names.

Knows no object.
"""

from __future__ import annotations

from dataclasses import dataclass

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
REVIEW = ("create",)

TABLE = """
v1                              bindings               Binding                  ns -            -   create
v1                              configmaps             ConfigMap                ns cm           -   all
v1                              endpoints              Endpoints                ns ep           -   all
v1                              events                 Event                    ns ev           -   all
v1                              limitranges            LimitRange               ns limits       -   all
v1                              namespaces             Namespace                -  ns           -   few finalize,status
v1                              nodes                  Node                     -  no           -   all proxy,status
v1                              persistentvolumeclaims PersistentVolumeClaim    ns pvc          -   all status
v1                              persistentvolumes      PersistentVolume         -  pv           -   all status
v1                              pods                   Pod                      ns po           all all attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,status
v1                              podtemplates           PodTemplate              ns -            -   all
v1                              replicationcontrollers ReplicationController    ns rc           all all scale,status
v1                              resourcequotas         ResourceQuota            ns quota        -   all status
v1                              secrets                Secret                   ns -            -   all
v1                              serviceaccounts        ServiceAccount           ns sa           -   all token
v1                              services               Service                  ns svc          all all proxy,status
apps/v1                         controllerrevisions    ControllerRevision       ns -            -   all
apps/v1                         daemonsets             DaemonSet                ns ds           all all status
apps/v1                         deployments            Deployment               ns deploy       all all scale,status
apps/v1                         replicasets            ReplicaSet               ns rs           all all scale,status
apps/v1                         statefulsets           StatefulSet              ns sts          all all scale,status
autoscaling/v1                  horizontalpodautoscalers HorizontalPodAutoscaler ns hpa         all all status
autoscaling/v2                  horizontalpodautoscalers HorizontalPodAutoscaler ns hpa         all all status
batch/v1                        cronjobs               CronJob                  ns cj           all all status
batch/v1                        jobs                   Job                      ns -            all all status
authentication.k8s.io/v1        selfsubjectreviews     SelfSubjectReview        -  -            -   create
authentication.k8s.io/v1        tokenreviews           TokenReview              -  -            -   create
authorization.k8s.io/v1         localsubjectaccessreviews LocalSubjectAccessReview ns -         -   create
authorization.k8s.io/v1         selfsubjectaccessreviews SelfSubjectAccessReview -  -           -   create
authorization.k8s.io/v1         selfsubjectrulesreviews SelfSubjectRulesReview  -  -            -   create
authorization.k8s.io/v1         subjectaccessreviews   SubjectAccessReview      -  -            -   create
apiextensions.k8s.io/v1         customresourcedefinitions CustomResourceDefinition - crd,crds   api-extensions all status
certificates.k8s.io/v1          certificatesigningrequests CertificateSigningRequest - csr      -   all approval,status
coordination.k8s.io/v1          leases                 Lease                    ns -            -   all
discovery.k8s.io/v1             endpointslices         EndpointSlice            ns -            -   all
events.k8s.io/v1                events                 Event                    ns ev           -   all
networking.k8s.io/v1            ingresses              Ingress                  ns ing          -   all status
networking.k8s.io/v1            networkpolicies        NetworkPolicy            ns netpol       -   all
policy/v1                       poddisruptionbudgets   PodDisruptionBudget      ns pdb          -   all status
rbac.authorization.k8s.io/v1    clusterrolebindings    ClusterRoleBinding       -  -            -   all
rbac.authorization.k8s.io/v1    clusterroles           ClusterRole              -  -            -   all
rbac.authorization.k8s.io/v1    rolebindings           RoleBinding              ns -            -   all
rbac.authorization.k8s.io/v1    roles                  Role                     ns -            -   all
scheduling.k8s.io/v1            priorityclasses        PriorityClass            -  pc           -   all
storage.k8s.io/v1               storageclasses         StorageClass             -  sc           -   all
"""
"""group/version, plural, kind, namespaced, short names, categories, verbs, subresources."""

PREFERRED = {"autoscaling": "v2"}
"""Where a group has more than one version."""
SINGULAR = {"endpoints": "endpoints", "ingresses": "ingress", "networkpolicies": "networkpolicy"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource in one version."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    kind: str
    singular: str
    namespaced: bool
    short: tuple[str, ...]
    categories: tuple[str, ...]
    verbs: tuple[str, ...]
    subresources: tuple[str, ...]
    custom: bool = False
    """Defined by a CustomResourceDefinition."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> str:
        """What the store calls it: both versions of a resource, and both groups of events, are one."""
        return "events" if self.plural == "events" else f"{self.plural}.{self.group}".rstrip(".")

    @property
    def qualified(self) -> str:
        """`deployments.apps`, as errors say it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _words(column: str) -> tuple[str, ...]:
    return () if column == "-" else tuple(column.split(","))


def _read(line: str) -> Kind:
    where, plural, kind, namespaced, short, categories, verbs, *more = line.split()
    group, _, version = where.rpartition("/")
    few = tuple(verb for verb in VERBS if verb != "deletecollection")
    return Kind(
        group,
        version,
        plural,
        kind,
        SINGULAR.get(plural, kind.lower()),
        namespaced == "ns",
        _words(short),
        _words(categories),
        {"all": VERBS, "few": few, "create": REVIEW}[verbs],
        _words(more[0]) if more else (),
    )


BUILT_IN = tuple(_read(line) for line in TABLE.strip().splitlines())


class Kinds:
    """The built-in ones and those that CustomResourceDefinitions add."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        for kind in BUILT_IN:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        self._kinds[kind.group, kind.version, kind.plural] = kind

    def remove(self, group: str, plural: str) -> None:
        for key in [key for key in self._kinds if key[0] == group and key[2] == plural]:
            del self._kinds[key]

    def all(self) -> tuple[Kind, ...]:
        return tuple(self._kinds.values())

    def groups(self) -> dict[str, list[str]]:
        """Versions by group, the preferred one first; the core group is not among them."""
        found: dict[str, list[str]] = {}
        for kind in self._kinds.values():
            versions = found.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        found.pop("", None)
        for group, versions in found.items():
            versions.sort(key=lambda one: (one != PREFERRED.get(group), one))
        return found

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def named(self, api_version: str, kind: str) -> Kind | None:
        group, _, version = api_version.rpartition("/")
        for one in self._kinds.values():
            if (one.group, one.version, one.kind) == (group, version, kind):
                return one
        return None

    def custom(self, definition: dict[str, object]) -> list[Kind]:
        """The kinds of one CustomResourceDefinition."""
        spec = definition["spec"]
        assert isinstance(spec, dict)
        names = spec["names"]
        return [
            Kind(
                spec["group"],
                version["name"],
                names["plural"],
                names["kind"],
                names.get("singular") or names["kind"].lower(),
                spec["scope"] == "Namespaced",
                tuple(names.get("shortNames", ())),
                tuple(names.get("categories", ())),
                VERBS,
                tuple(sorted(version.get("subresources", {}))),
                custom=True,
            )
            for version in spec["versions"]
            if version.get("served")
        ]
