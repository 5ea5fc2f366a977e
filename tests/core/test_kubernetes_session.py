"""A session with a cluster: what its facts mean to the one question and to the record."""

from __future__ import annotations

import pytest

from hooptui.core.events import Asked
from hooptui.core.gate import Refused
from hooptui.core.model import KubernetesFacts, Operation, Target, nothing
from hooptui.core.session import Session
from tests.core.world import BOT, Book, Says, allow, house

EU = Target("eu", "kubernetes", {"env": "prod"})


def session(book: Book) -> Session:
    return Session(house(Says(lambda _: allow()), book), "s1", BOT, EU, peer="p", application="kubectl")


def operation(*actions: str, name: str = "web", unknown: str = "") -> Operation:
    facts = KubernetesFacts(frozenset(actions), resource="pods", namespace="shop", name=name, unknown=unknown)
    return Operation("kubernetes", actions[0], "text", facts)


@pytest.mark.parametrize(
    ("action", "waits"),
    [("get", False), ("list", False), ("watch", False), ("review", False), ("dry_run", False), ("create", True), ("delete", True),
     ("exec", True), ("proxy", True)],
)  # fmt: skip
async def test_what_may_change_something_waits_for_stable_storage(action: str, waits: bool) -> None:
    book = Book()
    await session(book).ask(operation(action), lambda approval, remaining: None)
    assert bool(book.durable_upto) is waits


async def test_what_it_is_about_reaches_the_record_masked() -> None:
    book = Book()
    await session(book).ask(operation("create", "delete", name="SECRET"), lambda approval, remaining: None)
    (asked,) = book.bodies(Asked)
    assert (asked.commands, asked.relations) == (("create", "delete"), ("shop/pods/████",))


async def test_what_was_not_understood_is_refused_whatever_the_judge_says() -> None:
    with pytest.raises(Refused, match="not understood: odd"):
        await session(Book()).ask(operation("get", unknown="odd"), lambda approval, remaining: None)


def test_facts_can_be_asked_like_any() -> None:
    facts = KubernetesFacts(
        frozenset({"exec"}),
        "get",
        "",
        "v1",
        "pods",
        "exec",
        "shop",
        "web",
        traits=frozenset({"tty"}),
        command=("ls", "-l"),
    )
    assert (facts.commands, facts.neutral, facts.functions, facts.statements) == ({"exec"}, frozenset(), {"ls"}, 1)
    assert (facts.reads, facts.writes, facts.kind, facts.streams) == (
        frozenset(), {"shop/pods/exec/web"}, "pods/exec", True,
    )  # fmt: skip
    look = KubernetesFacts(frozenset({"get"}), "get", path="/version")
    assert (look.reads, look.writes, look.kind, look.missing_where) == ({"/version"}, frozenset(), "", False)
    assert nothing("kubernetes") == KubernetesFacts(frozenset())
    assert nothing("kubernetes").reads == nothing("kubernetes").writes == frozenset()
