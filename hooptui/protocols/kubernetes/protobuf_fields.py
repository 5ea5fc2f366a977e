"""Field numbers of Kubernetes' own messages, as far as facts need them. Data only.

From the generated.proto files of k8s.io/api and k8s.io/apimachinery (1.36); a number never changes its meaning. Each message: its fields
as `number name type`, where the type is `s` text, `b` boolean, `i` integer, `m` a map of text to text, or another message; `*` before
it says repeated, `^` that its fields stand in the message around it when it is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_CONTAINER: Final = (
    "1 name s, 2 image s, 3 command *s, 4 args *s, 6 ports *ContainerPort, 19 envFrom *EnvFromSource, 7 env *EnvVar, 10 livenessProbe Probe,"
    " 11 readinessProbe Probe, 22 startupProbe Probe, 12 lifecycle Lifecycle, 15 securityContext SecurityContext"
)

MESSAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "TypeMeta": "1 apiVersion s, 2 kind s",
        "Meta": "1 metadata ObjectMeta",
        "ObjectMeta": (
            "1 name s, 2 generateName s, 3 namespace s, 11 labels m, 12 annotations m, 13 ownerReferences *OwnerReference, 14 finalizers *s"
        ),
        "OwnerReference": "1 kind s, 3 name s",
        "DeleteOptions": (
            "1 gracePeriodSeconds i, 3 orphanDependents b, 4 propagationPolicy s, 5 dryRun *s,"
            " 6 ignoreStoreReadErrorWithClusterBreakingPotential b"
        ),
        "Eviction": "1 metadata ObjectMeta, 2 deleteOptions DeleteOptions",
        "Scale": "1 metadata ObjectMeta, 2 spec ScaleSpec",
        "ScaleSpec": "1 replicas i",
        # core
        "Namespace": "1 metadata ObjectMeta, 2 spec NamespaceSpec",
        "NamespaceSpec": "1 finalizers *s",
        "Secret": "1 metadata ObjectMeta, 3 type s",
        "Service": "1 metadata ObjectMeta, 2 spec ServiceSpec",
        "ServiceSpec": "4 type s, 5 externalIPs *s, 10 externalName s",
        "Node": "1 metadata ObjectMeta, 2 spec NodeSpec",
        "NodeSpec": "4 unschedulable b, 5 taints *Empty",
        "PersistentVolume": "1 metadata ObjectMeta, 2 spec PersistentVolumeSpec",
        "PersistentVolumeSpec": "2 persistentVolumeSource ^PersistentVolumeSource",
        "PersistentVolumeSource": "3 hostPath HostPath, 20 local HostPath",
        "Empty": "",
        "Pod": "1 metadata ObjectMeta, 2 spec PodSpec",
        "PodTemplate": "1 metadata ObjectMeta, 2 template PodTemplateSpec",
        "PodTemplateSpec": "1 metadata ObjectMeta, 2 spec PodSpec",
        "PodSpec": (
            "1 volumes *Volume, 20 initContainers *Container, 2 containers *Container, 34 ephemeralContainers *EphemeralContainer,"
            " 8 serviceAccountName s, 9 serviceAccount s, 21 automountServiceAccountToken b, 10 nodeName s, 11 hostNetwork b, 12 hostPID b,"
            " 13 hostIPC b, 14 securityContext PodSecurityContext"
        ),
        "Container": _CONTAINER,
        "EphemeralContainer": "1 ephemeralContainerCommon ^EphemeralContainerCommon",
        "EphemeralContainerCommon": _CONTAINER,
        "ContainerPort": "2 hostPort i",
        "EnvFromSource": "3 secretRef Named",
        "EnvVar": "1 name s, 3 valueFrom EnvVarSource",
        "EnvVarSource": "4 secretKeyRef Empty",
        "Named": "1 localObjectReference ^Reference",
        "Reference": "1 name s",
        "Probe": "1 handler ^Handler",
        "Lifecycle": "1 postStart Handler, 2 preStop Handler",
        "Handler": "1 exec ExecAction",
        "ExecAction": "1 command *s",
        "SecurityContext": (
            "1 capabilities Capabilities, 2 privileged b, 10 windowsOptions WindowsOptions, 4 runAsUser i, 5 runAsNonRoot b,"
            " 7 allowPrivilegeEscalation b, 9 procMount s, 11 seccompProfile Profile, 12 appArmorProfile Profile"
        ),
        "PodSecurityContext": (
            "8 windowsOptions WindowsOptions, 2 runAsUser i, 3 runAsNonRoot b, 7 sysctls *Empty, 10 seccompProfile Profile, 11 appArmorProfile Profile"
        ),
        "WindowsOptions": "3 runAsUserName s, 4 hostProcess b",
        "Profile": "1 type s",
        "Capabilities": "1 add *s, 2 drop *s",
        "Volume": "1 name s, 2 volumeSource ^VolumeSource",
        "VolumeSource": (
            "1 hostPath HostPath, 5 gitRepo Empty, 6 secret SecretVolume, 12 flexVolume FlexVolume, 14 cephfs SecretAt5, 11 rbd SecretAt7,"
            " 8 iscsi SecretAt10, 25 scaleIO SecretAt3, 27 storageos SecretAt5, 26 projected Projected,"
            " 28 csi Csi"
        ),
        "HostPath": "1 path s",
        "SecretVolume": "1 secretName s",
        "FlexVolume": "1 driver s, 3 secretRef Empty",
        "SecretAt3": "3 secretRef Empty",
        "SecretAt5": "5 secretRef Empty",
        "SecretAt7": "7 secretRef Empty",
        "SecretAt10": "10 secretRef Empty",
        "Csi": "1 driver s, 5 nodePublishSecretRef Empty",
        "Projected": "1 sources *Projection",
        "Projection": "1 secret Empty, 4 serviceAccountToken Empty",
        "ReplicationController": "1 metadata ObjectMeta, 2 spec ReplicationControllerSpec",
        "ReplicationControllerSpec": "1 replicas i, 3 template PodTemplateSpec",
        # apps, batch
        "Deployment": "1 metadata ObjectMeta, 2 spec DeploymentSpec",
        "DeploymentSpec": "1 replicas i, 3 template PodTemplateSpec, 7 paused b",
        "StatefulSet": "1 metadata ObjectMeta, 2 spec StatefulSetSpec",
        "StatefulSetSpec": "1 replicas i, 3 template PodTemplateSpec",
        "DaemonSet": "1 metadata ObjectMeta, 2 spec DaemonSetSpec",
        "DaemonSetSpec": "2 template PodTemplateSpec",
        "ReplicaSet": "1 metadata ObjectMeta, 2 spec ReplicaSetSpec",
        "ReplicaSetSpec": "1 replicas i, 3 template PodTemplateSpec",
        "Job": "1 metadata ObjectMeta, 2 spec JobSpec",
        "JobSpec": "1 parallelism i, 6 template PodTemplateSpec, 10 suspend b",
        "CronJob": "1 metadata ObjectMeta, 2 spec CronJobSpec",
        "CronJobSpec": "4 suspend b, 5 jobTemplate JobTemplateSpec",
        "JobTemplateSpec": "1 metadata ObjectMeta, 2 spec JobSpec",
        # rbac
        "Role": "1 metadata ObjectMeta, 2 rules *PolicyRule",
        "ClusterRole": "1 metadata ObjectMeta, 2 rules *PolicyRule, 3 aggregationRule Empty",
        "PolicyRule": "1 verbs *s, 2 apiGroups *s, 3 resources *s, 4 resourceNames *s, 5 nonResourceURLs *s",
        "RoleBinding": "1 metadata ObjectMeta, 2 subjects *Subject, 3 roleRef RoleRef",
        "ClusterRoleBinding": "1 metadata ObjectMeta, 2 subjects *Subject, 3 roleRef RoleRef",
        "Subject": "1 kind s, 2 apiGroup s, 3 name s, 4 namespace s",
        "RoleRef": "1 apiGroup s, 2 kind s, 3 name s",
    }
)

KINDS: Final[Mapping[tuple[str, str, str], str]] = MappingProxyType(
    {
        ("", "v1", "namespaces"): "Namespace",
        ("", "v1", "secrets"): "Secret",
        ("", "v1", "services"): "Service",
        ("", "v1", "nodes"): "Node",
        ("", "v1", "persistentvolumes"): "PersistentVolume",
        ("", "v1", "pods"): "Pod",
        ("", "v1", "podtemplates"): "PodTemplate",
        ("", "v1", "replicationcontrollers"): "ReplicationController",
        ("apps", "v1", "deployments"): "Deployment",
        ("apps", "v1", "statefulsets"): "StatefulSet",
        ("apps", "v1", "daemonsets"): "DaemonSet",
        ("apps", "v1", "replicasets"): "ReplicaSet",
        ("batch", "v1", "jobs"): "Job",
        ("batch", "v1", "cronjobs"): "CronJob",
        ("rbac.authorization.k8s.io", "v1", "roles"): "Role",
        ("rbac.authorization.k8s.io", "v1", "clusterroles"): "ClusterRole",
        ("rbac.authorization.k8s.io", "v1", "rolebindings"): "RoleBinding",
        ("rbac.authorization.k8s.io", "v1", "clusterrolebindings"): "ClusterRoleBinding",
    }
)
"""Group, version and resource of the kinds whose contents are facts."""

PLAIN: Final[Mapping[tuple[str, str], frozenset[str]]] = MappingProxyType(
    {
        ("", "v1"): frozenset(
            {
                "configmaps", "endpoints", "events", "limitranges", "persistentvolumeclaims", "resourcequotas", "serviceaccounts",
            }
        ),
        ("networking.k8s.io", "v1"): frozenset({"ingresses", "ingressclasses", "networkpolicies"}),
        ("policy", "v1"): frozenset({"poddisruptionbudgets"}),
        ("autoscaling", "v1"): frozenset({"horizontalpodautoscalers"}),
        ("autoscaling", "v2"): frozenset({"horizontalpodautoscalers"}),
        ("scheduling.k8s.io", "v1"): frozenset({"priorityclasses"}),
        ("storage.k8s.io", "v1"): frozenset({"storageclasses"}),
        ("coordination.k8s.io", "v1"): frozenset({"leases"}),
        ("discovery.k8s.io", "v1"): frozenset({"endpointslices"}),
        ("events.k8s.io", "v1"): frozenset({"events"}),
        ("certificates.k8s.io", "v1"): frozenset({"certificatesigningrequests"}),
    }
)  # fmt: skip
"""Resources of which the metadata is all that facts need; it is field 1 of each."""
