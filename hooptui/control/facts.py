"""What a reviewer reads of an operation, label and words: for somebody who was woken for it. Pure; nothing is masked yet."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from hooptui.core.model import Facts, Group, Invocation, KubernetesFacts, Operation, SqlFacts, SshFacts

Fact = tuple[str, str]

MOST: Final = 8
"""Programs, or paths, that are named; the text has them all."""

ACTIONS: Final = {
    "shell": "an interactive shell: what is typed in it is watched, not asked for",
    "subsystem": "a subsystem",
    "file_read": "reads files",
    "file_list": "lists a directory",
    "file_write": "writes files",
    "file_remove": "removes files",
    "file_rename": "renames files",
    "file_mkdir": "makes a directory",
    "file_setstat": "changes permissions, owners or times",
    "file_symlink": "makes a link",
    "git_read": "git: fetches from a repository",
    "git_write": "git: pushes to a repository",
    "rsync_read": "rsync: copies from the target",
    "rsync_write": "rsync: copies to the target",
    "forward_out": "reaches on through the target",
    "forward_in": "lets the target's side reach the client",
    "forward_unix": "forwards a socket",
    "agent_forward": "lends its keys to the target",
    "unknown": "something that is not understood",
}
"""SSH's actions in words. `exec` has none: the programs say it."""

TRAITS: Final = {
    "privilege": "runs as another user",
    "interpreter": "starts a shell or language with code of its own",
    "escape": "an argument that starts another program",
    "computed": "what runs is worked out on the target",
    "substitution": "uses the output of other commands",
    "variable": "uses variables of the target",
    "arithmetic": "calculates",
    "glob": "a pattern stands for files",
    "brace": "a pattern stands for words",
    "tilde": "a home directory",
    "stdin": "takes what runs, or what it is about, from the connection",
    "environment": "sets variables",
    "function": "defines a function or alias",
    "shadowed": "a function has the name of a program",
    "builtin": "changes the shell itself",
    "redirects_out": "writes to a file",
    "redirects_in": "reads from a file",
    "descriptor": "moves file descriptors",
    "heredoc": "text for a program's input",
    "network": "opens a connection",
    "terminal": "in a terminal, where a pager takes commands",
    "background": "goes on in the background",
    "loop": "loops",
    "compound": "more than plain commands",
    "wrapper": "a program that starts another",
}
"""SSH's traits in words, the ones to look at first come first."""


CLUSTER: Final = {
    "cluster_admin": "makes a cluster administrator",
    "rbac_escalation": "gives rights beyond an ordinary role's",
    "privileged": "a container that is root on its node",
    "host_namespaces": "shares its node's processes, network or IPC",
    "host_path": "mounts a directory of its node",
    "node_proxy": "talks to a node's kubelet",
    "pod_proxy": "talks to a pod behind the API server",
    "service_proxy": "talks to a service behind the API server",
    "webhook": "lets a webhook see or change what everybody asks",
    "api_service": "lets another server answer for the API server",
    "csr_approval": "approves a certificate",
    "service_account_token": "makes a token of a service account",
    "mounts_secret": "reads a Secret into a container",
    "mounts_token": "mounts a service account's token",
    "run_as_root": "runs as root",
    "added_capabilities": "adds capabilities of the kernel",
    "names_node": "chooses its node, past the scheduler",
    "ephemeral_container": "adds a container to a pod that runs",
    "interpreter": "starts a shell or language with code of its own",
    "wrapper": "starts the program that its arguments name",
    "copies": "copies files, as kubectl cp does",
    "force": "at once, without grace",
    "unsafe_delete": "deletes what cannot be read, without finalizers",
    "orphan": "leaves what it owns behind",
    "removes_finalizers": "removes finalizers, or may",
    "finalize": "takes a namespace's last guard away",
    "eviction": "evicts a pod",
    "scale_to_zero": "scales to nothing",
    "scale": "scales",
    "suspends": "suspends",
    "cordon": "keeps pods off a node",
    "changes_image": "changes an image",
    "changes_command": "changes what a container runs",
    "replaces": "replaces the whole object: what is left out is lost",
    "pod_security": "changes what a namespace keeps pods from",
    "rbac": "changes who may what",
    "crd": "changes what kinds there are",
    "external": "reaches, or is reached from, outside",
    "all_namespaces": "in every namespace",
}
"""Traits of requests to a cluster in words, the ones to look at first come first. Those that are missing are their own word."""


def facts_of(operation: Operation) -> tuple[Fact, ...]:
    """Label and words of everything that is known of an operation; a label comes again where it has several lines."""
    if operation.verb == "connect":
        return (("asks for", "access"),)
    facts = operation.facts
    match facts:
        case SshFacts():
            lines = [*_ssh(facts)]
        case SqlFacts():
            lines = [*_relations(facts)]
            if facts.missing_where:
                lines.append(("where", "none"))
            if facts.statements > 1:
                lines.append(("statements", str(facts.statements)))
            lines.append(("in transaction", "yes" if operation.in_transaction else "no"))
        case KubernetesFacts():
            lines = [*_kubernetes(facts)]
    if operation.group is not None and len(operation.group.members) > 1:
        lines.append(("group", _grouped(operation.group)))
    lines.extend(operation.context.items())
    return tuple(lines)


def _grouped(group: Group) -> str:
    others = ", others that were listed are not in it" if group.more else ""
    return f"{len(group.members)} listed: one review for these, each once{others}; a deny is for all"


def _kubernetes(facts: KubernetesFacts) -> Iterator[Fact]:
    if not facts.understood:
        yield "beware", facts.unknown
    yield "does", ", ".join(sorted(facts.actions))
    yield ("changes" if facts.writes else "reads"), facts.about
    if facts.command:
        yield "runs", shlex.join(facts.command)
    selectors = [
        f"label {facts.label_selector}" if facts.label_selector else "",
        f"field {facts.field_selector}" if facts.field_selector else "",
    ]
    if any(selectors) or facts.missing_where:
        yield "selects", ", ".join(filter(None, selectors)) or "all there are: no selector"
    traits = [words for trait, words in CLUSTER.items() if trait in facts.traits]
    traits += sorted(facts.traits - CLUSTER.keys() - {"dry_run"})
    if traits:
        yield "beware", "; ".join(traits)
    if facts.dry_run:
        yield "stored", "no, a dry run"


def _relations(facts: Facts) -> Iterator[Fact]:
    yield "does", ", ".join(sorted(facts.commands | facts.neutral))
    if facts.writes:
        yield "writes", ", ".join(sorted(facts.writes))
    if facts.reads:
        yield "reads", ", ".join(sorted(facts.reads))
    if facts.functions and len(facts.functions) <= 8:
        yield "calls", ", ".join(sorted(facts.functions))


def _ssh(facts: SshFacts) -> Iterator[Fact]:
    if not facts.understood:
        yield "beware", facts.unknown
    does = [ACTIONS.get(action, action) for action in sorted(facts.actions) if action != "exec"]
    if does and facts.understood:
        yield "does", "; ".join(does)
    runs = [*_told(facts.invocations)]
    for one in runs[:MOST]:
        yield "runs", one
    if len(runs) > MOST:
        yield "runs", f"… and {len(runs) - MOST} more"
    if facts.paths:
        yield ("changes" if facts.writes else "touches"), _some(sorted(facts.paths))
    if facts.destinations:
        yield "to", _some(sorted(facts.destinations))
    traits = [words for trait, words in TRAITS.items() if trait in facts.traits]
    traits += sorted(facts.traits - TRAITS.keys())
    if traits:
        yield "beware", "; ".join(traits)
    if facts.size is not None:
        yield "size", f"{facts.size} bytes"


def _told(invocations: Iterable[Invocation]) -> Iterator[str]:
    """Each program with its arguments, unless the one before has named it among its own: `sudo rm x` is not `rm x` again."""
    before: tuple[str, ...] = ()
    for one in invocations:
        words = (one.program, *one.arguments)
        if len(words) < len(before) and before[-len(words) :] == words:
            continue
        before = words
        yield " ".join(
            [shlex.quote(one.program) if one.program else "‹worked out on the target›", *map(_word, one.arguments)]
        )


def _word(text: str) -> str:
    """As one would type it: a pattern stays one, and what the target works out does not look like text."""
    if text and all(char.isalnum() or char in "_@%+=:,./-*?~{}[]!" for char in text):
        return text
    if "$" in text or "`" in text:
        return '"' + text.replace('"', '\\"') + '"'
    return shlex.quote(text)


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST]) + (f" … and {len(names) - MOST} more" if len(names) > MOST else "")
