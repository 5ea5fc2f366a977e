"""What the gateway itself says to a PostgreSQL client: refused, held, ended, in the protocol's own words. Pure.

SQLSTATEs: PostgreSQL documentation, appendix A.
"""

from __future__ import annotations

from hooptui.core.approvals import Approval
from hooptui.core.gate import Refused, Why
from hooptui.core.model import Operation
from hooptui.protocols.postgres import build
from hooptui.protocols.postgres.facts import NOT_PARSED, complaint

INSUFFICIENT_PRIVILEGE = "42501"
QUERY_CANCELED = "57014"
SYNTAX_ERROR = "42601"
ADMIN_SHUTDOWN = "57P01"
PROTOCOL_VIOLATION = "08P01"
CONNECTION_FAILURE = "08006"
UNDEFINED_CURSOR = b"34000"
"""What the server says of a portal that does not exist."""


def stand_in(number: int, token: str) -> bytes:
    """An Execute that the server cannot but fail, with 34000; it goes in the place of what was refused.

    Args:
        token: random and the connection's own secret, so that no client can have made a portal of this name.
    """
    return build.execute(f"hooptui refused #{number} {token}".encode())


def refused(refusal: Refused, operation: Operation) -> bytes:
    """A recoverable error: the session goes on, a transaction block is aborted as by any error.

    A text that is no SQL at all gets the parser's own complaint, in the server's words and with its place, so that a slip of
    the pen looks like one.
    """
    if refusal.why is Why.POLICY and operation.facts.unknown == NOT_PARSED:
        words, position = complaint(operation.text)
        detail = "hooptui reads statements with the grammar of PostgreSQL 18; what it cannot read never runs."
        return build.error(SYNTAX_ERROR, words, detail=detail, position=position)
    words = ": ".join(part for part in (refusal.rule, refusal.detail) if part)
    if refusal.why is Why.WITHDRAWN:
        detail = f"It was held by rule {words}" if refusal.rule else refusal.detail
        return build.error(QUERY_CANCELED, "canceling statement due to user request", detail=detail)
    code = ADMIN_SHUTDOWN if refusal.why is Why.KILLED else INSUFFICIENT_PRIVILEGE
    detail = f"Rule {words}" if refusal.rule else refusal.detail
    return build.error(code, refusal.message, detail=detail, hint=refusal.hint)


def held(approval: Approval, remaining: float) -> bytes:
    """What a client sees at once and every few seconds while its operation waits."""
    by = " or ".join(sorted(approval.terms.by)) or "nobody"
    people = f"{approval.terms.quorum} of {by}" if approval.terms.quorum > 1 else f"one of {by}"
    return build.notice(
        f"held for approval #{approval.number}: {approval.rule_words}",
        detail=f"Rule {approval.terms.rule}; waits for {people}, {clock(remaining)} left, then it is refused.",
        hint="Ctrl-C withdraws it.",
    )


def clock(seconds: float) -> str:
    """Minutes and seconds, as people read them."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def killed(message: str) -> bytes:
    """The last words of a session that an operator, its deadline or a drain has ended."""
    return build.error(ADMIN_SHUTDOWN, message, severity="FATAL")


def violation(message: str) -> bytes:
    """The last words to a client that breaks the protocol."""
    return build.error(PROTOCOL_VIOLATION, message, severity="FATAL")


def upstream_lost(target: str) -> bytes:
    """The last words when the server has closed its side."""
    return build.error(
        CONNECTION_FAILURE,
        f"the target's side closed the connection ({target})",
        severity="FATAL",
        hint="hooptui is up; the database server ended this session.",
    )


def unfit_name() -> bytes:
    return build.error(
        "42622",
        "hooptui carries names of statements and portals of at most 63 ASCII characters only",
        hint="The server would cut a longer name without a word, so that two of them could mean the same statement.",
    )


def copy_unreadable(reason: str) -> bytes:
    """A COPY whose columns cannot be told apart while masks hold."""
    return build.error(
        INSUFFICIENT_PRIVILEGE,
        f"hooptui cannot mask this COPY: {reason}",
        hint="Send the COPY alone, in text or csv format, or use SELECT.",
    )
