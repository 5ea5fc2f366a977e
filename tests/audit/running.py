"""Who may do what in the runs that the journal is held against."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hooptui.core.gate import Permit
from hooptui.core.model import Identity, Kind, Operation, SqlFacts
from hooptui.core.session import Session
from tests.policy.making import policy

RULES = policy(
    """\
    rules:
      - {id: jit, effect: approve, grants: true, reason: in time, when: {principal: {groups: [eng]}, postgres: {commands: [select, update]}},
         approval: {by: [dba], quorum: 2, expires: 1m, scope_lasts: 5m, break_glass: [duty], break_glass_lasts: 1m}}
      - {id: bots, effect: allow, when: {principal: {groups: [agents]}, postgres: {commands: [select, delete, insert]}}}
      - {id: held, effect: approve, reason: wait, when: {postgres: {commands: [delete, update]}},
         approval: {by: [dba], expires: 1m, scopes: [once, fingerprint, rule], scope_lasts: 2m, break_glass: [duty], break_glass_lasts: 1m}}
      - {id: no, effect: deny, when: {postgres: {commands: [drop]}}}
    """
)


def one(name: str, *groups: str, kind: Kind = Kind.HUMAN, owner: str | None = None) -> Identity:
    return Identity("https://idp", name, name, frozenset(groups), kind=kind, owner=owner)


OWNER = one("owner", "dba", "duty")
WHO = {
    who.name: who
    for who in (
        one("eng", "eng"),
        one("all", "eng", "dba", "duty", "agents"),
        one("duty", "eng", "duty"),
        one("copilot", "eng", "dba", "duty", kind=Kind.AGENT, owner=OWNER.key),
        one("bot", "agents", kind=Kind.WORKLOAD),
    )
}
VOTERS = {who.name: who for who in (one("a", "dba"), one("b", "dba", "duty"), one("c", "dba"), OWNER, *WHO.values())}
TEXTS = {
    "SELECT 1": "select", "INSERT 1": "insert", "DELETE 1": "delete", "DELETE 2": "delete", "UPDATE 1": "update", "DROP 1": "drop",
}  # fmt: skip


def operation(text: str) -> Operation:
    return Operation("postgres", TEXTS[text], text, SqlFacts(frozenset({TEXTS[text]})))


@dataclass
class Client:
    """A session with what happened in it, as its client and its voters saw it."""

    session: Session
    entering: asyncio.Task[None] | None
    lease: str
    asking: dict[int, tuple[str, asyncio.Task[Permit]]] = field(default_factory=dict)
