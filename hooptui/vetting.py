"""What a policy must pass before it is put in force: its own tests, with what this gateway reads of statements and commands."""

from __future__ import annotations

from hooptui.policy.rules import Policy
from hooptui.policy.suite import run_tests
from hooptui.protocols.kubernetes.stated import read_request
from hooptui.protocols.postgres.facts import read_sql
from hooptui.protocols.ssh.commands import read_command


def failing(policy: Policy) -> list[str]:
    """A policy whose own tests fail is not what its author meant, so it is not put in force."""
    return [str(result) for result in run_tests(policy, read_sql, read_command, read_request).failed]
