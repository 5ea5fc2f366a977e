"""`hooptui policy …`: reports of the policy room, printed. Here policy and the reader of SQL meet."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hooptui.core.model import Identity, Kind, Operation, Target
from hooptui.errors import UserError
from hooptui.policy import suite
from hooptui.policy.explain import explain
from hooptui.policy.rules import Policy
from hooptui.policy.schema import schema
from hooptui.protocols.kubernetes.operations import MAX_BODY
from hooptui.protocols.kubernetes.stated import read_request, read_stated
from hooptui.protocols.postgres.facts import read_sql, understand
from hooptui.protocols.ssh.commands import read_command


def run(args: argparse.Namespace) -> int:
    """One of check, test, coverage, explain, schema; the exit status: 0 good, 1 not good, 2 not readable."""
    match args.kind:
        case "schema":
            print(json.dumps(schema(), indent=2))
            return 0
        case "check":
            return _check(args)
        case "test":
            return _test(_load(args))
        case "coverage":
            return _coverage(_load(args))
        case "explain":
            return _explain(args, _load(args))
        case other:
            raise UserError(f"policy: no command is called {other!r}")


def _load(args: argparse.Namespace) -> Policy:
    report = suite.check(args.paths)
    if report.policy is None:
        raise UserError("\n".join(report.problems))
    return report.policy


def _check(args: argparse.Namespace) -> int:
    report = suite.check(args.paths)
    for text in (*report.problems, *report.warnings):
        print(text, file=sys.stderr)
    if report.policy is None:
        return 2
    policy = report.policy
    print(
        f"{len(policy.rules)} rules, {len(policy.masks)} masks, {len(policy.watches)} watches, {len(policy.tests)} tests, version {policy.short}"
    )
    return 0


def _test(policy: Policy) -> int:
    report = suite.run_tests(policy, read_sql, read_command, read_request)
    for result in report.failed:
        print(result)
    print(f"{len(report.results) - len(report.failed)} passed, {len(report.failed)} failed")
    return 0 if report.ok else 1


def _coverage(policy: Policy) -> int:
    report = suite.coverage(policy, read_sql, read_command, read_request)
    for result in report.failing:
        print(f"fails as it is: {result}")
    for one in report.uncovered:
        print(f"{one.where}: {one.id}: no test notices when it is removed")
    print(f"{report.covered} of {report.total} rules, masks and watches are covered by tests")
    return 0 if report.ok else 1


def _kubernetes(args: argparse.Namespace) -> Operation:
    body = b""
    if args.body is not None:
        try:
            body = Path(args.body).read_bytes()[: MAX_BODY + 1]
        except OSError as wrong:
            raise UserError(f"--body: {args.body}: {wrong.strerror}") from None
    return read_stated(args.kubernetes, body, suite.MEDIA_TYPES[args.type] if body else "")


def _explain(args: argparse.Namespace, policy: Policy) -> int:
    labels = {}
    for label in args.label:
        key, equals, value = label.partition("=")
        if not equals:
            raise UserError(f"--label: found {label!r}, expected KEY=VALUE")
        labels[key] = value
    if args.kubernetes is not None:
        operation = _kubernetes(args)
    elif args.ssh is not None:
        operation = Operation("ssh", "exec", args.ssh, read_command(args.ssh))
    else:
        understood = understand(args.sql or "")
        operation = Operation(
            "postgres", understood.verb, args.sql or "", understood.facts, in_transaction=bool(args.in_transaction)
        )
    identity = Identity("cli", "somebody", "somebody", frozenset(args.group), kind=Kind(args.kind_of))
    granted = frozenset(args.granted) if args.granted else None
    try:
        explanation = explain(policy, identity, Target(args.target, operation.protocol, labels), operation, granted)
    except ValueError as wrong:
        raise UserError(f"--granted: {wrong}") from None
    for text in explanation.lines:
        print(text)
    return 0
