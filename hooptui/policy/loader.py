"""Files to a Policy, with every problem of every file in one go. Knows what is wrong with a rule, not what it decides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from hooptui.core.vocabulary import OPAQUE, SSH_ACTIONS, SSH_FORWARDS
from hooptui.policy.rules import (
    Approval,
    Mask,
    Policy,
    PolicyError,
    Postgres,
    Principal,
    Resource,
    Rule,
    RuleEffect,
    Test,
    Watch,
    expand,
)
from hooptui.policy.rules_kubernetes import Kubernetes, incoherent, unsound
from hooptui.policy.rules_ssh import Ssh
from hooptui.policy.rules_ssh import expand as expand_ssh
from hooptui.strictyaml import MAX_BYTES, Node, Where, YamlError, decode, nearest, quoted, read
from hooptui.strictyaml import load as read_yaml

__all__ = ["MAX_FILES", "MAX_RULES", "PolicyError", "load", "parse"]

MAX_FILES = 200
MAX_RULES = 2000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """The top of a policy file."""

    version: Literal[1]
    rules: tuple[Node, ...] = ()
    masks: tuple[Node, ...] = ()
    watches: tuple[Node, ...] = ()
    tests: tuple[Node, ...] = ()


def load(paths: Sequence[Path | str]) -> Policy:
    """Read files, and directories of `*.yaml`, as one policy.

    The version is the SHA-256 over the sorted SHA-256s of the texts, each with LF line ends and no trailing blanks: neither the
    names nor the order of the files count.

    Raises:
        PolicyError: with all problems.
    """
    problems: list[str] = []
    sources: list[tuple[str, bytes]] = []
    for path in files(paths, problems):
        try:
            sources.append((str(path), read(path, str(path))))
        except YamlError as wrong:
            problems.extend(wrong.problems)
    return parse(sources, problems)


def files(paths: Sequence[Path | str], problems: list[str]) -> list[Path]:
    """The files behind the paths, each once; what cannot be taken is added to `problems`."""
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            found.setdefault(path.resolve(), path)
            continue
        try:
            inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
        except OSError as wrong:
            problems.append(
                f"{path}:1: found no readable directory ({wrong.strerror}), expected a directory of .yaml files"
            )
            continue
        # A rule in a file that nobody reads is a protection that is not there: better to stop than to skip.
        problems.extend(
            f"{one}:1: found a name ending in .yml, expected .yaml" for one in inside if one.suffix == ".yml"
        )
        chosen = [one for one in inside if one.suffix == ".yaml"]
        if not chosen:
            problems.append(f"{path}:1: found no .yaml file, expected at least one")
        for one in chosen:
            found.setdefault(one.resolve(), one)
    if not found and not problems:
        problems.append("policy:1: found no path, expected files or directories")
    if len(found) > MAX_FILES:
        problems.append(f"policy:1: found {len(found)} files, expected at most {MAX_FILES}")
        return []
    return list(found.values())


def parse(sources: Sequence[tuple[str, bytes]], problems: list[str] | None = None) -> Policy:
    """A policy from names and texts.

    Raises:
        PolicyError: with all problems, those handed in first.
    """
    reader = _Reader([] if problems is None else problems)
    digests = []
    for name, text in sources:
        digests.append(hashlib.sha256(normal(text[: MAX_BYTES + 1])).digest())
        reader.file(name, text)
    reader.across()
    if reader.problems:
        raise PolicyError(reader.problems)
    return Policy(
        tuple(sorted(reader.rules, key=lambda rule: rule.id)),
        tuple(sorted(reader.masks, key=lambda mask: mask.id)),
        tuple(reader.tests),
        hashlib.sha256(b"".join(sorted(digests))).hexdigest(),
        tuple(sorted(name for name, _ in sources)),
        tuple(sorted(reader.watches, key=lambda watch: watch.id)),
    )


def normal(text: bytes) -> bytes:
    """The text as its version sees it: LF line ends, no blanks at line ends."""
    return b"\n".join(line.rstrip() for line in text.replace(b"\r\n", b"\n").split(b"\n"))


class _Reader:
    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        self.rules: list[Rule] = []
        self.masks: list[Mask] = []
        self.watches: list[Watch] = []
        self.tests: list[Test] = []
        self.taken: dict[str, Where] = {}
        """Every id that was written, also of rules with other faults: a test may name them without a second complaint."""
        self.later: list[tuple[Node, str, str]] = []
        """What tests refer to: node, path and id; checked when all files are read."""

    def file(self, name: str, text: bytes) -> None:
        try:
            tree = read_yaml(text, name)
            document = decode(tree, Document)
        except YamlError as wrong:
            self.problems.extend(wrong.problems)
            return
        for index, node in enumerate(document.rules):
            path = self.named(node, f"rules[{index}]")
            rule = self.one(node, Rule, path)
            if rule is not None:
                self.rules.append(rule)
                self.coherent(rule, node, path)
        for index, node in enumerate(document.masks):
            path = self.named(node, f"masks[{index}]")
            mask = self.one(node, Mask, path)
            if mask is not None:
                self.masks.append(mask)
                if mask.columns is None and mask.detect is None and mask.fields is None and not mask.secrets:
                    self.bad(node, path, "a mask of nothing", "one of the keys columns, detect, secrets, fields")
                if mask.secrets_except is not None and not mask.secrets:
                    self.bad(node, path, "secrets_except without secrets", "secrets: true beside it")
        for index, node in enumerate(document.watches):
            path = self.named(node, f"watches[{index}]")
            watch = self.one(node, Watch, path)
            if watch is not None:
                self.watches.append(watch)
                self.watched(watch, node, path)
        for index, node in enumerate(document.tests):
            test = self.one(node, Test, f"tests[{index}]")
            if test is not None:
                self.tests.append(test)
                self.sound(test, node, f"tests[{index}]")

    def one(self, node: Node, kind: type[T], path: str) -> T | None:
        try:
            return decode(node, kind, path)
        except YamlError as wrong:
            self.problems.extend(wrong.problems)
            return None

    def bad(self, node: Node, path: str, found: str, expected: str) -> None:
        self.problems.append(node.problem(path, expected, found))

    def named(self, node: Node, path: str) -> str:
        """Book the id of a rule or mask, and return its path with the id, which is what people look for."""
        at = node.get("id")
        if at is None or not isinstance(at.value, str):
            return path
        first = self.taken.get(at.value)
        if first is None:
            self.taken[at.value] = at.where
        else:
            self.bad(
                at,
                f"{path}.id",
                f"{quoted(at.value)} again (first at {first})",
                "an id that no other rule, mask or watch has",
            )
        return f"{path} {at.value}" if at.value.isascii() and at.value.isprintable() and len(at.value) < 64 else path

    def coherent(self, rule: Rule, node: Node, path: str) -> None:
        """What no single key can say: which keys go together."""
        for key in ("approval", "grants"):
            if key in node.keys and rule.effect is not RuleEffect.APPROVE:
                self.bad(
                    node.keys[key],
                    f"{path}.{key}",
                    f"{key} in a rule that will {rule.effect}",
                    "it only where effect is approve",
                )
        if rule.effect is RuleEffect.APPROVE and rule.approval is None:
            self.bad(node, path, "an approve without the key approval", "approval: {by: [group], …}")
        approval = node.get("approval")
        if rule.approval is not None and approval is not None:
            self.emergency(rule.approval, approval, f"{path}.approval")
        opens = rule.effect is RuleEffect.ALLOW or rule.grants
        if rule.session_max is not None and not opens:
            self.bad(
                node.keys["session_max"],
                f"{path}.session_max",
                "session_max",
                "it only in an allow, or an approve that grants",
            )
        who, where, what = rule.when.principal, rule.when.resource, rule.when.postgres
        if opens and who is not None and who.subjects is not None and who.issuers is None:
            self.bad(
                node,
                f"{path}.when.principal",
                "subjects without issuers",
                "issuers too: another issuer may know the same subject",
            )
        ssh, kubernetes = rule.when.ssh, rule.when.kubernetes
        spoken = [key for key in ("postgres", "ssh", "kubernetes") if getattr(rule.when, key) is not None]
        if len(spoken) > 1:
            self.bad(node, f"{path}.when", " and ".join(spoken), "one of them: no operation is of two")
        elif ssh is not None:
            self.ssh(ssh, node, f"{path}.when.ssh", opens=opens, grants=rule.grants)
        elif kubernetes is not None:
            for found, expected, key in incoherent(kubernetes, opens=opens, grants=rule.grants):
                self.bad(node, f"{path}.when.kubernetes{key}", found, expected)
        nothing = what in (None, Postgres()) and ssh in (None, Ssh()) and kubernetes in (None, Kubernetes())
        if opens and nothing and who in (None, Principal()) and where in (None, Resource()):
            self.bad(
                node,
                f"{path}.when",
                "no condition at all",
                "a principal, a resource or a protocol: this opens everything to everybody",
            )
        if not opens or what is None:
            return
        named = [key for key in ("relations", "reads", "writes") if getattr(what, key) is not None]
        narrow = named if what.functions is None else [*named, "functions"]
        if narrow and what.commands is None:
            self.bad(
                node,
                f"{path}.when.postgres",
                f"{narrow[0]} without commands",
                "commands too: an allow says what may be done to them",
            )
        elif named and what.commands is not None:
            opaque = sorted(expand(what.commands) & (OPAQUE if what.functions is None else OPAQUE - {"call"}))
            if opaque:
                self.bad(
                    node, f"{path}.when.postgres.commands", f"{opaque[0]} beside {named[0]}",
                    f"it in an allow of its own: which relations {opaque[0]} touches cannot be seen",
                )  # fmt: skip

    def ssh(self, what: Ssh, node: Node, path: str, *, opens: bool, grants: bool) -> None:
        """What goes with what in the conditions on SSH, and what an allow may not leave open."""
        if what.rest and not grants:
            self.bad(node, f"{path}.rest", "rest", "it only in an approve that grants")
        if what.size_above is not None and opens:
            self.bad(node, f"{path}.size_above", "size_above", "size_up_to in what allows or grants")
        if what.size_up_to is not None and not opens:
            self.bad(node, f"{path}.size_up_to", "size_up_to", "size_above in what denies or holds")
        if not opens:
            if any(one.never is not None for one in what.programs or ()):
                self.bad(node, f"{path}.programs", "never", "it only in what allows or grants")
            return
        named = [key for key in ("programs", "paths", "destinations") if getattr(what, key) is not None]
        if not named:
            return
        if what.actions is None:
            self.bad(node, path, f"{named[0]} without actions", "actions too: an allow says what may be done with them")
            return
        actions = expand_ssh(what.actions)
        seen = {
            "programs": frozenset({"exec", "subsystem"})
            | {one for one in SSH_ACTIONS if one.startswith(("git", "rsync"))},
            "paths": frozenset(one for one in SSH_ACTIONS if one.startswith(("file_", "git_", "rsync_")))
            | ({"exec"} if what.programs is not None else frozenset()),
            "destinations": SSH_FORWARDS - {"agent_forward"},
        }
        for key in named:
            if blind := sorted(actions - seen[key]):
                self.bad(
                    node, f"{path}.actions", f"{blind[0]} beside {key}",
                    f"it in an allow of its own: which {key} {blind[0]} touches cannot be seen",
                )  # fmt: skip

    def watched(self, watch: Watch, node: Node, path: str) -> None:
        """A watch looks at something, at a terminal."""
        if watch.typed is None and watch.output is None:
            self.bad(node, path, "a watch of nothing", "one of the keys typed, output")
        protocol = watch.when.resource.protocol if watch.when.resource is not None else None
        if protocol not in (None, "ssh"):
            self.bad(
                node, f"{path}.when.resource.protocol", str(protocol), "ssh: only it has terminals that are watched"
            )
        for key, globs in (("typed", watch.typed), ("output", watch.output)):
            if any(not glob.strip("*? ") for glob in globs or ()):
                self.bad(node.keys[key], f"{path}.{key}", "a pattern that every line matches", "some text to look for")

    def emergency(self, approval: Approval, node: Node, path: str) -> None:
        """Who breaks the glass acts alone, so it is short, and what is said of it is meant."""
        at = node.keys.get("break_glass_lasts")
        if not approval.break_glass:
            if at is not None:
                self.bad(
                    at, f"{path}.break_glass_lasts", "break_glass_lasts without break_glass", "break_glass: [group] too"
                )
        elif approval.break_glass_lasts > approval.scope_lasts:
            said = "" if at is not None else ", which it is when nothing is said,"
            self.bad(
                at or node,
                f"{path}.break_glass_lasts",
                f"{approval.break_glass_lasts:g}s{said} and scope_lasts of {approval.scope_lasts:g}s",
                "no longer access for who acts alone than for who was approved",
            )

    def sound(self, test: Test, node: Node, path: str) -> None:
        request = node.get("request")
        said = [key for key in ("sql", "facts", "ssh", "asks", "kubernetes") if getattr(test.request, key) is not None]
        lines = [key for key in ("typed", "output") if getattr(test.request, key) is not None]
        if request is not None and len(said) > 1:
            self.bad(
                request, f"{path}.request", " and ".join(said), f"one of the {'two' if len(said) == 2 else 'them'}"
            )
        elif request is not None and "protocol" in request.keys and test.request.speaks != test.request.protocol:
            self.bad(
                request.keys["protocol"],
                f"{path}.request.protocol",
                f"it beside {(said + lines)[0]}",
                f"{test.request.speaks}, or no protocol",
            )
        if request is not None and (stated := test.request.kubernetes) and (wrong := unsound(stated)):
            self.bad(request, f"{path}.request.kubernetes", *wrong)
        if test.expect is None and test.masks is None and test.watches is None:
            self.bad(node, path, "a test of nothing", "one of the keys expect, masks, watches")
        if bool(lines) != (test.watches is not None):
            found, wanted = ("watches", "request.typed or request.output") if not lines else (lines[0], "watches")
            self.bad(node, path, f"{found} alone", f"{wanted} as well: which watches notice which line")
        by, masks, granted = node.get("by"), node.get("masks"), node.get("granted")
        watches = node.get("watches")
        for index, item in enumerate(watches.items() if watches is not None else ()):
            self.later.append((item, f"{path}.watches[{index}]", str(item.value)))
        if by is not None and test.by is not None:
            self.later.append((by, f"{path}.by", test.by))
        for index, item in enumerate(masks.items() if masks is not None else ()):
            self.later.append((item, f"{path}.masks[{index}]", str(item.value)))
        for index, item in enumerate(granted.items() if granted is not None else ()):
            self.later.append((item, f"{path}.granted[{index}]", str(item.value)))

    def across(self) -> None:
        for node, path, name in self.later:
            if name not in self.taken:
                self.bad(
                    node, path, node.found, f"the id of a rule, mask or watch in these files{nearest(name, self.taken)}"
                )
        total = len(self.rules) + len(self.masks) + len(self.watches)
        if total > MAX_RULES:
            self.problems.append(f"policy:1: found {total} rules, masks and watches, expected at most {MAX_RULES}")
