"""Short ways to make policies, identities and operations for the tests of this room."""

from __future__ import annotations

from textwrap import dedent

from hooptui.core.model import Decision, Identity, Kind, Operation, SqlFacts, Target
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import parse
from hooptui.policy.rules import Policy, PolicyError

PROD = Target("orders-1", "postgres", {"env": "prod"})
DEV = Target("orders-2", "postgres", {"env": "dev"})


def policy(*files: str) -> Policy:
    """A policy from texts without `version:`; the first file is a.yaml."""
    return parse([(f"{chr(97 + at)}.yaml", ("version: 1\n" + dedent(text)).encode()) for at, text in enumerate(files)])


def problems(*files: str) -> list[str]:
    """What is wrong with them; the tests insist that something is."""
    try:
        policy(*files)
    except PolicyError as wrong:
        return list(wrong.problems)
    raise AssertionError("the policy was accepted")


def who(*groups: str, issuer: str = "https://id.example", subject: str = "ops-1", kind: Kind = Kind.HUMAN) -> Identity:
    return Identity(issuer, subject, subject, frozenset(groups), kind=kind)


def facts(
    commands: str = "",
    *,
    reads: str = "",
    writes: str = "",
    functions: str = "",
    neutral: str = "",
    missing_where: bool = False,
    unknown: str = "",
) -> SqlFacts:
    """Facts from words separated by blanks."""
    return SqlFacts(
        frozenset(commands.split()), frozenset(neutral.split()), frozenset(reads.split()), frozenset(writes.split()),
        frozenset(functions.split()), missing_where, unknown=unknown,
    )  # fmt: skip


def ask(
    rules: Policy | PolicyJudge,
    what: SqlFacts,
    *,
    by: Identity | None = None,
    on: Target = PROD,
    in_transaction: bool = False,
) -> Decision:
    judge = rules if isinstance(rules, PolicyJudge) else PolicyJudge(rules)
    return judge.decide(by or who("agents"), on, Operation("postgres", "x", "", what, in_transaction=in_transaction))
