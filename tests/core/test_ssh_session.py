"""A session over SSH: what its facts mean to the one question and to the record, beside those of SQL."""

from __future__ import annotations

import pytest

from hooptui.core.account import MAX_PATHS
from hooptui.core.events import Asked
from hooptui.core.gate import Refused
from hooptui.core.model import Invocation, Operation, SqlFacts, SshFacts, Target, nothing
from hooptui.core.session import Session
from tests.core.world import BOT, Book, Says, allow, house

WEB = Target("web-1", "ssh", {"env": "prod"})


def over_ssh(book: Book) -> Session:
    session = Session(house(Says(lambda _: allow()), book), "s1", BOT, WEB, peer="p", application="ssh")
    return session


def operation(*actions: str, paths: tuple[str, ...] = (), unknown: str = "") -> Operation:
    facts = SshFacts(frozenset(actions), paths=frozenset(paths), unknown=unknown)
    return Operation("ssh", actions[0], "text", facts)


@pytest.mark.parametrize(
    ("action", "waits"),
    [
        ("file_read", False),
        ("file_list", False),
        ("exec", True),
        ("shell", True),
        ("file_write", True),
        ("forward_out", True),
    ],
)
async def test_what_may_change_something_waits_for_stable_storage(action: str, waits: bool) -> None:
    book = Book()
    await over_ssh(book).ask(operation(action), lambda approval, remaining: None)
    assert bool(book.durable_upto) is waits


async def test_paths_reach_the_record_masked_and_bounded() -> None:
    book = Book()
    many = tuple(f"/p/{at:03}" for at in range(MAX_PATHS))
    await over_ssh(book).ask(
        operation("file_write", "exec", paths=("/a/SECRET", *many)), lambda approval, remaining: None
    )
    (asked,) = book.bodies(Asked)
    assert asked.commands == ("exec", "file_write")
    assert asked.relations[0] == "/a/████" and len(asked.relations) == MAX_PATHS


async def test_what_was_not_understood_is_refused_whatever_the_judge_says() -> None:
    with pytest.raises(Refused, match="not understood: odd"):
        await over_ssh(Book()).ask(operation("exec", unknown="odd"), lambda approval, remaining: None)


def test_facts_of_every_kind_can_be_asked_alike() -> None:
    facts = SshFacts(
        frozenset({"exec"}), (Invocation("ls"), Invocation("rm", ("x",)), Invocation("ls")), frozenset({"x"})
    )
    assert (facts.commands, facts.neutral, facts.functions, facts.statements) == (
        {"exec"}, frozenset(), {"ls", "rm"}, 3,
    )  # fmt: skip
    assert (facts.reads, facts.writes, facts.missing_where) == ({"x"}, frozenset(), False)
    out = SshFacts(frozenset({"exec"}), paths=frozenset({"x"}), traits=frozenset({"redirects_out"}))
    assert (out.reads, out.writes) == ({"x"}, {"x"})
    change = SshFacts(frozenset({"file_remove"}), paths=frozenset({"x"}))
    assert (change.reads, change.writes) == (frozenset(), {"x"})
    assert nothing("ssh") == SshFacts(frozenset()) and nothing("postgres") == SqlFacts(frozenset())
