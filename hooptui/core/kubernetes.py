"""What a Kubernetes request does, as rules and people look at it. Knows no HTTP and no policy."""

from __future__ import annotations

from dataclasses import dataclass

from hooptui.core.vocabulary import KUBERNETES_READS, KUBERNETES_STREAMS

_TOUCHES = KUBERNETES_READS | {"dry_run", "review"}


@dataclass(frozen=True, slots=True)
class KubernetesFacts:
    """One request to an API server. Names are as the API server takes them from the path, see `protocols.kubernetes.info`."""

    actions: frozenset[str]
    """Words of `core.vocabulary.KUBERNETES_ACTIONS`: what it does, whatever the method. An eviction creates and deletes."""
    verb: str = ""
    """The API server's own word, by which its RBAC decides; an exec is `get` or `create` there."""
    group: str = ""
    """API group, empty for the core."""
    version: str = ""
    resource: str = ""
    """Plural, lower case, as in the path; empty for a path that is no resource."""
    subresource: str = ""
    namespace: str = ""
    """Empty for what has none, and for a request over all namespaces."""
    name: str = ""
    """Empty when the request is about many, or when the API server makes up the name."""
    path: str = ""
    """Of a request that is about no resource: `/version`."""
    label_selector: str = ""
    field_selector: str = ""
    traits: frozenset[str] = frozenset()
    """Words of `core.vocabulary.KUBERNETES_TRAITS`: what the body and the options do, as far as they say."""
    command: tuple[str, ...] = ()
    """Of an exec: the program and its arguments. No shell reads them, unless the program is one."""
    container: str = ""
    dry_run: bool = False
    """Nothing is stored, by the API server's own promise."""
    unknown: str = ""
    """Why it was not understood; empty when it was."""

    @property
    def understood(self) -> bool:
        return not self.unknown

    @property
    def kind(self) -> str:
        """`deployments.apps/scale`: resource, group and subresource, as rules name them. Empty for a path that is no resource."""
        if not self.resource:
            return ""
        whole = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{whole}/{self.subresource}" if self.subresource else whole

    @property
    def about(self) -> str:
        """What it is about, in one word: `prod/deployments.apps/scale/web`, or the path."""
        if not self.resource:
            return self.path
        return "/".join(part for part in (self.namespace, self.kind, self.name) if part)

    # What every kind of facts can be asked.

    @property
    def commands(self) -> frozenset[str]:
        return self.actions

    @property
    def neutral(self) -> frozenset[str]:
        return frozenset()

    @property
    def reads(self) -> frozenset[str]:
        """What it is about, when it only looks."""
        return frozenset({self.about}) if self.actions and self.actions <= _TOUCHES else frozenset()

    @property
    def writes(self) -> frozenset[str]:
        """What it is about, when it changes something or opens a stream."""
        return frozenset({self.about}) if not self.actions <= _TOUCHES else frozenset()

    @property
    def functions(self) -> frozenset[str]:
        """The program of an exec."""
        return frozenset(self.command[:1])

    @property
    def missing_where(self) -> bool:
        """A collection is deleted without a selector."""
        return "deletecollection" in self.actions and not self.label_selector and not self.field_selector

    @property
    def statements(self) -> int:
        return 1

    @property
    def streams(self) -> bool:
        """Whether the connection becomes a stream, or another server's: exec, attach, port-forward, proxy."""
        return not self.actions.isdisjoint(KUBERNETES_STREAMS)
