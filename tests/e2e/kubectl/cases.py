"""What people do with kubectl, as cases: each is a function that runs commands, and what its outputs must say in any cluster.

The cases know no gateway: whoever runs them twice compares the two transcripts. Those marked `pods` need containers that run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.kubectl.client import Kubectl

Run = Callable[[Kubectl], None]


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    run: Run
    says: tuple[str, ...] = ()
    """Each must be in what was said: a case that fails alike on both ways proves nothing."""
    pods: bool = False
    """Needs running containers, which an API server alone has not."""
    seeded: bool = False
    """Needs the objects of the demo's cluster."""
    streams: bool = False
    """Uses WebSocket or SPDY, so it is run on every kubectl there is."""
    least: int = 0
    """The first minor of kubectl that has it."""
    loose: bool = False
    """The order of lines, or how many there are, is not the same twice."""


class Book(list[Case]):
    """The cases of one file, in their order."""

    def case(self, *says: str, **flags: bool | int) -> Callable[[Run], Run]:
        """A function is a case, by its own name."""

        def note(run: Run) -> Run:
            self.append(Case(run.__name__, run, says, **flags))  # type: ignore[arg-type]
            return run

        return note

    def commands(self, name: str, *lines: str, says: tuple[str, ...] = (), code: int = 0, **flags: bool | int) -> None:
        """A case of plain commands; `code` is the exit status of the last, the others succeed."""

        def run(kubectl: Kubectl) -> None:
            for line in lines[:-1]:
                kubectl(line)
            kubectl(lines[-1], code=code)

        self.append(Case(name, run, says, **flags))  # type: ignore[arg-type]


WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: site, labels: {app: site}}
spec:
  replicas: 2
  selector: {matchLabels: {app: site}}
  template:
    metadata: {labels: {app: site}}
    spec: {containers: [{name: site, image: "registry.example/site:1", ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: site}
spec: {selector: {app: site}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: site}
data: {mode: fast}
"""
