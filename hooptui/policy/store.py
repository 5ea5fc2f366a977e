"""The policy in force: a judge that can be exchanged while sessions run. Knows files, and nothing of what reads them when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hooptui.core.model import Decision, Identity, MaskSet, Operation, Target
from hooptui.core.ports import NOTHING, Admission
from hooptui.core.watch import WatchRule
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import files, load
from hooptui.policy.rules import Policy, PolicyError

TRIES = 3
"""Times that files which change while they are read are read again."""

_NOTHING = Policy((), (), (), "")

Signature = tuple[tuple[str, int, int, int], ...]


class PolicyHolder:
    """A `core.ports.Judge` over files. Until `load` has succeeded it admits nobody.

    Exchange is one assignment, so that every question is answered by one policy, whole.
    """

    def __init__(self, paths: Sequence[Path | str], vet: Callable[[Policy], Sequence[str]] | None = None) -> None:
        """`vet` may refuse a policy that reads well (its own tests fail, say) by returning problems."""
        self._paths = tuple(map(Path, paths))
        self._vet = vet
        self._judge = PolicyJudge(_NOTHING)
        self._tried: Signature = ()
        self._seen: Signature = ()
        self.problems: tuple[str, ...] = ()
        """Every line of what is wrong with the files on disk; empty when they are in force."""

    # --- the judge

    @property
    def version(self) -> str:
        return self._judge.version

    def admits(self, identity: Identity, target: Target) -> Admission:
        return self._judge.admits(identity, target)

    def decide(
        self, identity: Identity, target: Target, operation: Operation, granted: frozenset[str] = NOTHING
    ) -> Decision:
        return self._judge.decide(identity, target, operation, granted)

    def masks(self, identity: Identity, target: Target) -> MaskSet:
        return self._judge.masks(identity, target)

    def watches(self, identity: Identity, target: Target) -> tuple[WatchRule, ...]:
        return self._judge.watches(identity, target)

    # --- the files

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._judge.policy

    @property
    def rules(self) -> int:
        """How many rules are in force."""
        return len(self._judge.policy.rules)

    @property
    def error(self) -> str:
        """What is wrong with the files on disk, in one line; empty when they are in force."""
        more = len(self.problems) - 1
        return f"{self.problems[0]} (and {more} more)" if more > 0 else "".join(self.problems)

    def load(self) -> None:
        """Read the files and put them in force.

        Raises:
            PolicyError: what was in force stays, and `error` says why.
        """
        try:
            policy = self._read()
            refused = tuple(self._vet(policy)) if self._vet is not None else ()
            if refused:
                raise PolicyError(refused)
        except PolicyError as wrong:
            self.problems = wrong.problems
            raise
        self.problems = ()
        if policy.version != self._judge.version:
            self._judge = PolicyJudge(policy)

    def reload(self) -> str:
        """Like `load`, without raising: returns `error`."""
        try:
            self.load()
        except PolicyError:
            return self.error
        return ""

    def changed(self) -> bool:
        """Whether the files differ from what was read last, and have stood still since the call before this one.

        The second half lets a writer finish: half a file may read well, and lack the rules that were to come.
        """
        now = self._signature()
        settled, self._seen = now == self._seen, now
        return settled and now != self._tried

    def _read(self) -> Policy:
        for _ in range(TRIES):
            self._tried = self._seen = self._signature()
            policy = load(self._paths)
            if self._signature() == self._tried:
                return policy
        raise PolicyError(
            (f"{self._paths[0]}:1: found files that change while they are read, expected them to stand still",)
        )

    def _signature(self) -> Signature:
        found = []
        for path in files(self._paths, []):
            try:
                state = path.stat()
            except OSError:
                continue
            found.append((str(path), state.st_mtime_ns, state.st_size, state.st_ino))
        return tuple(found)
