"""What the gateway itself says to an SSH client: refused, held, ended, in lines on stderr. Pure."""

from __future__ import annotations

from typing import Final

from hooptui.core.approvals import Approval
from hooptui.core.gate import Refused
from hooptui.core.visible import visible
from hooptui.protocols.base import BrowserLogin

NOT_ALLOWED: Final = 126
"""Exit status of what may not run: a shell's own for a command that it must not execute."""
FAILED: Final = 255
"""Exit status of what could not be tried, as OpenSSH's own."""

CUT: Final = 1023
"""Bytes after which OpenSSH's client silently cuts a password."""
CUT_WORDS: Final = (
    "your password has exactly 1023 bytes, which is where OpenSSH's client cuts without a word: "
    "a longer token cannot be sent this way. Log in with a browser instead: press Enter at the prompt, or have your key signed by "
    "ssh login@GATEWAY < id.pub > id-cert.pub; hooptui login changes a token for a lease, which is short"
)


def refused(refusal: Refused) -> tuple[str, ...]:
    """Why an operation does not run."""
    number = f" (operation {refusal.number})" if refusal.number else ""
    lines = [f"refused: {refusal.message}{number}"]
    if refusal.rule:
        lines.append("rule " + ": ".join(part for part in (refusal.rule, refusal.detail) if part))
    elif refusal.detail:
        lines.append(refusal.detail)
    if refusal.hint:
        lines.append(refusal.hint)
    return tuple(lines)


def held(approval: Approval, remaining: float) -> tuple[str, ...]:
    """What a client sees at once and every few seconds while its operation waits."""
    return (
        f"held for approval #{approval.number}: {approval.rule_words}",
        f"{_waits(approval, remaining)} Ctrl-C withdraws it.",
    )


def waiting(approval: Approval, remaining: float) -> tuple[str, ...]:
    """What a client sees at once and every few seconds while it waits for access."""
    return (
        f"access needs approval #{approval.number}: {approval.rule_words}",
        f"{_waits(approval, remaining)} ssh -o SetEnv=HOOPTUI_REASON='…' tells the approvers why you ask.",
    )


def let_in(seconds: float | None, approval: int) -> tuple[str, ...]:
    """What a client sees when its access begins; `seconds` is how long it has it."""
    if seconds is None:
        return ("access granted",)
    return (f"access granted for {clock(seconds)} by approval #{approval}; every session under it ends then",)


def browser(begun: BrowserLogin) -> str:
    """Where a person logs in for a client that waits, as the instruction of a request without prompts."""
    minutes = max(1, round(begun.lasts / 60))
    return (
        f"hooptui: to log in, open {visible(begun.complete)}\n"
        f"hooptui: in a browser, or {visible(begun.page)} and type {visible(begun.code)}.\n"
        f"hooptui: this connection goes on by itself then; it waits for {minutes} minutes, Ctrl-C ends it.\n"
    )


def shown(lines: tuple[str, ...], *, terminal: bool) -> bytes:
    """Lines for a client's stderr, inert whatever they quote; on a raw terminal with their own carriage returns."""
    end = "\r\n" if terminal else "\n"
    return "".join(f"hooptui: {visible(line)}{end}" for line in lines).encode()


def clock(seconds: float) -> str:
    """Minutes and seconds, as people read them."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def _waits(approval: Approval, remaining: float) -> str:
    terms = approval.terms
    by = " or ".join(sorted(terms.by)) or "nobody"
    people = f"{terms.quorum} of {by}" if terms.quorum > 1 else f"one of {by}"
    return f"rule {terms.rule}; waits for {people}, {clock(remaining)} left, then it is refused."
