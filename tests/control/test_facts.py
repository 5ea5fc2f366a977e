"""What a reviewer reads of an operation: all that matters, in words, each once."""

from __future__ import annotations

import pytest

from hooptui.control.facts import ACTIONS, MOST, TRAITS, facts_of
from hooptui.core.model import Operation, SqlFacts, SshFacts
from hooptui.core.vocabulary import SSH_ACTIONS, SSH_TRAITS
from hooptui.protocols.ssh.commands import read_command
from hooptui.protocols.ssh.operations import forward


def told(text: str) -> list[tuple[str, str]]:
    return list(facts_of(Operation("ssh", "exec", text, read_command(text))))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("systemctl stop nginx", [("runs", "systemctl stop nginx")]),
        (
            "sudo systemctl stop nginx && rm -rf /srv/* > /tmp/log",
            [
                ("runs", "sudo systemctl stop nginx"),
                ("runs", "rm -rf /srv/*"),
                ("changes", "/srv/*, /tmp/log"),
                ("beware", "runs as another user; a pattern stands for files; writes to a file; a program that starts another"),
            ],
        ),
        ("echo 'a b' \"$x\"", [("runs", "echo 'a b' \"$x\""), ("beware", "uses variables of the target")]),
        ("$x a", [("runs", "‹worked out on the target› a"), ("beware", "what runs is worked out on the target; uses variables of the target")]),
        ("cat /etc/shadow", [("runs", "cat /etc/shadow"), ("touches", "/etc/shadow")]),
        ("sh -c 'rm x'", [("runs", "sh -c 'rm x'"), ("runs", "rm x"), ("beware", "starts a shell or language with code of its own")]),
    ],
)  # fmt: skip
def test_a_command_line(text: str, lines: list[tuple[str, str]]) -> None:
    assert told(text) == lines


def test_long_ones_say_how_much_more_there_is() -> None:
    found = told("; ".join(f"rm /srv/{number}" for number in range(20)))
    assert [words for label, words in found if label == "runs"][-1] == f"… and {20 - MOST} more"
    assert any(label == "touches" and words.endswith(f"and {20 - MOST} more") for label, words in found)


def test_what_is_no_command_line() -> None:
    shell = Operation(
        "ssh", "shell", "interactive shell", SshFacts(frozenset({"shell"})), context={"terminal": "xterm 80x24"}
    )
    assert facts_of(shell) == (("does", ACTIONS["shell"]), ("terminal", "xterm 80x24"))
    write = SshFacts(frozenset({"file_write"}), paths=frozenset({"/srv/a"}), size=12)
    assert facts_of(Operation("ssh", "write", "", write)) == (
        ("does", "writes files"),
        ("changes", "/srv/a"),
        ("size", "12 bytes"),
    )
    assert ("to", "db:5432") in facts_of(forward("forward_out", "db:5432", ""))
    assert told("ls )")[0][0] == "beware"
    sql = SqlFacts(frozenset({"delete"}), writes=frozenset({"t"}), missing_where=True)
    assert facts_of(Operation("postgres", "delete", "", sql)) == (
        ("does", "delete"), ("writes", "t"), ("where", "none"), ("in transaction", "no"),
    )  # fmt: skip
    assert facts_of(Operation("ssh", "connect", "", SshFacts(frozenset()))) == (("asks for", "access"),)


def test_every_word_of_the_vocabulary_has_words() -> None:
    assert ACTIONS.keys() | {"exec"} == SSH_ACTIONS
    assert TRAITS.keys() == SSH_TRAITS
