"""What the journal proves of one verdict, and what it is found to lack; the machine beside this file tries whole runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hooptui.audit.codec import Unreadable
from hooptui.audit.evidence import Proof
from hooptui.audit.proof import NoVerdict, find, history, prove, who_let
from hooptui.audit.verify import verify
from hooptui.core.desk import JournalLine
from hooptui.core.events import (
    Asked,
    Body,
    Claimed,
    DeadlineMoved,
    Decided,
    Event,
    Finished,
    GatewayStarted,
    GrantEnded,
    GrantGiven,
    Held,
    SessionClosed,
    SessionOpened,
    Voted,
)
from hooptui.core.events_people import LeaseEnded, LeaseIssued
from tests.audit.making import NOW, M, write

IDP = "https://id.example"
LEASE = LeaseIssued("hl_abc", IDP, "u1", M("ops-9"), ("eng",), "human", "", "device", "10.0.0.9", NOW + 3600)
OPENED = SessionOpened(
    IDP, "u1", M("ops-9"), ("eng",), "human", "orders-db", "postgres", "10.0.0.9:5000", M("psql"), None, "p1", "", "hl_abc"
)  # fmt: skip
HELD = Held(1, 17, "jit", "in time", ("dba",), 2, "medium", NOW + 60, True, ("duty",))


def vote(
    name: str, *, approve: bool = True, glass: bool = False, lasts: float = 300.0, number: int = 17, operation: int = 1
) -> Voted:
    groups = ("duty",) if glass else ("dba",)
    return Voted(number, operation, f"{IDP}#{name}", M(name), approve, M("INC-1"), "once", lasts, glass, groups)


GIVEN = GrantGiven(17, "access", "jit", NOW + 4 + 300)

LET_IN: tuple[tuple[str, Body], ...] = (
    ("", GatewayStarted("1", "p1", ())),
    ("", LEASE),
    ("aa", OPENED),
    ("aa", Asked(1, "connect", M("INC-1"), (), ())),
    ("aa", HELD),
    ("aa", Claimed(17, 1, f"{IDP}#ann", M("ann"))),
    ("aa", vote("ann")),
    ("aa", vote("bob", lasts=400.0)),
    ("aa", Decided(1, "allow", "approved", ("jit",), "in time", "p1", 17, f"{IDP}#bob")),
    ("aa", GIVEN),
    ("aa", DeadlineMoved("grant", GIVEN.until, GIVEN.until, 17)),
    ("aa", Asked(2, "select", M("SELECT 1"), ("select",), ())),
    ("aa", Decided(2, "allow", "policy", ("jit",), "", "p1")),
    ("aa", Finished(2, M("SELECT 1"), True, 1, 0, 1.0)),
)
TIMES = [NOW - 10, NOW - 9, NOW, NOW, NOW, NOW + 1, NOW + 2, NOW + 4, *[NOW + 4] * 3, *[NOW + 200] * 3]

Story = list[tuple[float, str, Body]]


def story() -> Story:
    return [(at, session, body) for at, (session, body) in zip(TIMES, LET_IN, strict=True)]


def journal(told: Story) -> list[JournalLine]:
    return [JournalLine(seq, Event(at, session, body)) for seq, (at, session, body) in enumerate(told, 1)]


def instead(old: Body, **new: Any) -> Callable[[Story], Story]:
    """The same story with a few words of one event changed."""
    return lambda told: [(at, session, replace(body, **new) if body is old else body) for at, session, body in told]


def without(kind: type[Body], which: int = 0) -> Callable[[Story], Story]:
    def cut(told: Story) -> Story:
        gone = [index for index, (_, _, body) in enumerate(told) if isinstance(body, kind)][which]
        return told[:gone] + told[gone + 1 :]

    return cut


def before_last(*more: tuple[float, str, Body]) -> Callable[[Story], Story]:
    """Something happened before the last verdict."""
    return lambda told: [*told[:-3], *more, *told[-3:]]


def later(seconds: float) -> Callable[[Story], Story]:
    return lambda told: [*told[:-3], *((at + seconds, session, body) for at, session, body in told[-3:])]


def test_the_whole_line_from_an_operation_to_the_people_who_let_its_session_in() -> None:
    proof = find(journal(story()), "aa", 2)
    assert (proof.problems, proof.allowed, proof.emergency) == ((), True, False)
    assert proof.people == {f"{IDP}#ann", f"{IDP}#bob"}
    assert proof.lines == (
        "session aa: ops-9 (https://id.example#u1, human) on orders-db (record 3)",
        "  came with lease hl_abc, issued after device to ops-9 from 10.0.0.9, until 2023-11-14 23:13:20 UTC (record 2)",
        "operation 2: allow (policy) by jit, policy p1 (record 13)",
        "in by access under jit by #17, until 2023-11-14 22:18:24 UTC (record 10)",
        "#17: ops-9 (https://id.example#u1, human) asked to be let in on orders-db; it takes 2 of dba by rule jit (record 5)",
        "  ann (https://id.example#ann) approves as dba: INC-1 (record 7)",
        "  bob (https://id.example#bob) approves as dba: INC-1 (record 8)",
    )
    first = find(journal(story()), "aa", 1)
    assert (first.problems, first.access, first.people) == ((), None, proof.people)
    assert first.case is not None and first.case.claims == (f"{IDP}#ann",)


VOTES = [body for _, body in LET_IN if isinstance(body, Voted)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without(Voted), "#17: 1 of the 2 that it takes approved"),
        (without(Held), "the grant of #17: nothing shows its approval"),
        (without(GrantGiven), "the grant of #17: nothing shows its approval"),
        (without(LeaseIssued), "nothing shows that lease hl_abc was issued"),
        (without(Asked, 1), "nothing shows that it was asked for"),
        (without(SessionOpened), "nothing shows who opened this session"),
        (instead(VOTES[1], by=VOTES[0].by), "#17: somebody was counted twice"),
        (instead(VOTES[1], approve=False), "#17: somebody denied it"),
        (instead(VOTES[1], by=f"{IDP}#u1"), f"#17: the vote of {IDP}#u1 is on their own request"),
        (instead(VOTES[1], groups=("staff",)), f"#17: the vote of {IDP}#bob was cast as staff, not as dba"),
        (instead(VOTES[1], groups=()), f"#17: the vote of {IDP}#bob was cast as nobody, not as dba"),
        (instead(VOTES[1], break_glass=True), f"#17: the vote of {IDP}#bob was cast as dba, not as duty"),
        (instead(VOTES[1], break_glass=True, groups=("duty",), reason=M(" ")), f"#17: the vote of {IDP}#bob broke the glass without a reason"),
        (instead(VOTES[1], lasts=100.0), "the grant of #17 lasts longer than anybody gave"),
        (instead(HELD, expires_at=NOW + 3), f"#17: the vote of {IDP}#bob came after its time"),
        (instead(HELD, quorum=3), "#17: 2 of the 3 that it takes approved"),
        (instead(HELD, access=False), "the grant of #17 is not what was asked for"),
        (instead(OPENED, owner=f"{IDP}#ann", kind="agent"), f"#17: the vote of {IDP}#ann is on the request of their own agent"),
        (instead(LEASE, subject="u2"), "lease hl_abc was issued to somebody else"),
        (instead(LEASE, expires_at=NOW - 1), "lease hl_abc was over when it was used"),
        (instead(GIVEN, until=NOW + 1000), "the grant of #17 lasts longer than anybody gave"),
        (later(105), "the grant of #17 was over"),
        (before_last((NOW + 5, "", GrantEnded(17, f"{IDP}#u1", "orders-db", "ops", M("")))), "the grant of #17 had been taken back"),
        (lambda told: [*told[:2], (NOW - 1, "", LeaseEnded("hl_abc", "revoked", "ops")), *told[2:]], "lease hl_abc had been taken back when it was used"),
    ],
)  # fmt: skip
def test_whatever_is_missing_or_wrong_is_named(change: Callable[[Story], Story], says: str) -> None:
    assert says in find(journal(change(story())), "aa", 2).problems


def test_a_grant_of_somebody_else_or_for_another_target_lets_nobody_in() -> None:
    opened = replace(OPENED, subject="u2", lease="", target="other-db")
    more: Story = [
        (NOW + 5, "bb", opened),
        (NOW + 5, "bb", DeadlineMoved("grant", GIVEN.until, GIVEN.until, 17)),
        (NOW + 6, "bb", Asked(1, "select", M("SELECT 1"), ("select",), ())),
        (NOW + 6, "bb", Decided(1, "allow", "policy", ("jit",), "", "p1")),
    ]
    problems = find(journal(story() + more), "bb", 1).problems
    assert "the grant of #17 was for somebody else: ops-9 (https://id.example#u1, human)" in problems
    assert "the grant of #17 was for another target: orders-db" in problems


def late(run: Story) -> Story:
    """Another session of the same identity, opened under the grant, after what `run` tells."""
    return [
        *story(),
        *run,
        (NOW + 250, "bb", replace(OPENED, lease="")),
        (NOW + 250, "bb", DeadlineMoved("grant", GIVEN.until, GIVEN.until, 17)),
        (NOW + 251, "bb", Asked(1, "select", M("SELECT 1"), ("select",), ())),
        (NOW + 251, "bb", Decided(1, "allow", "policy", ("jit",), "", "p1")),
    ]


def test_access_outlives_a_start_of_the_gateway_and_its_number_may_have_been_used_again() -> None:
    again = GatewayStarted("1", "p1", ())
    proof = find(journal(late([(NOW + 240, "", again)])), "bb", 1)
    assert proof.problems == () and proof.people == {f"{IDP}#ann", f"{IDP}#bob"}
    other: Story = [
        (NOW + 1000, "", again),
        (NOW + 1001, "cc", replace(OPENED, lease="")),
        (NOW + 1001, "cc", Asked(1, "delete", M("DELETE"), ("delete",), ("t",))),
        (NOW + 1001, "cc", replace(HELD, quorum=1, access=False, expires_at=NOW + 1100)),
        (NOW + 1002, "cc", vote("cay", lasts=0.0)),
        (NOW + 1002, "cc", Decided(1, "allow", "approved", ("w",), "", "p1", 17, f"{IDP}#cay")),
    ]
    told = journal(late([]) + other)
    assert find(told, "cc", 1).people == {f"{IDP}#cay"}
    assert find(told, "bb", 1).people == {f"{IDP}#ann", f"{IDP}#bob"}


def test_the_grant_that_a_session_is_in_by_stays_the_same_when_its_number_is_used_again() -> None:
    other: Story = [
        (NOW + 5, "cc", replace(OPENED, subject="u2", lease="")),
        (NOW + 5, "cc", replace(HELD, quorum=1)),
        (NOW + 6, "cc", vote("cay")),
        (NOW + 6, "cc", replace(GIVEN, until=NOW + 306)),
    ]
    proof = find(journal(before_last(*other)(story())), "aa", 2)
    assert proof.problems == () and proof.people == {f"{IDP}#ann", f"{IDP}#bob"}


@pytest.mark.parametrize("rules", [(), ("reads",)])
def test_what_another_rule_allows_does_not_rest_on_the_access(rules: tuple[str, ...]) -> None:
    told = story()
    told[12] = (NOW + 200, "aa", Decided(2, "allow", "policy", rules, "", "p1"))
    proof = find(journal(told), "aa", 2)
    assert (proof.access, proof.people, proof.problems) == (None, frozenset(), ())


def granted(*between: tuple[float, str, Body], **changes: Any) -> Proof:
    given = GrantGiven(18, "rule", "w", NOW + 900)
    told: Story = [
        (NOW, "aa", replace(OPENED, lease="")),
        (NOW, "aa", Asked(1, "delete", M("DELETE"), ("delete",), ("t",))),
        (NOW, "aa", Held(1, 18, "w", "wait", ("dba",), 1, "low", NOW + 60)),
        (NOW + 1, "aa", vote("ann", number=18, lasts=0.0)),
        (NOW + 1, "aa", Decided(1, "allow", "approved", ("w", "x"), "", "p1", 18, f"{IDP}#ann")),
        (NOW + 1, "aa", replace(given, **changes)),
        *between,
        (NOW + 2, "aa", Asked(2, "delete", M("DELETE"), ("delete",), ("t",))),
        (NOW + 2, "aa", Decided(2, "allow", "granted", ("w", "x"), "", "p1", 18, "approval #18")),
    ]
    return find(journal(told), "aa", 2)


def test_an_earlier_approval_that_left_a_grant() -> None:
    proof = granted()
    assert proof.problems == () and proof.people == {f"{IDP}#ann"}
    assert "let go by a grant for rule under w by #18, until 2023-11-14 22:28:20 UTC (record 6)" in proof.lines
    assert granted(
        (NOW + 1, "", GatewayStarted("1", "p1", ())), (NOW + 1, "aa", replace(OPENED, lease=""))
    ).problems == ("the grant of #18 was given before the gateway's last start",)
    assert "the grant of #18 opens connections and lets no held operation go" in granted(scope="access").problems
    assert granted(approval=19).problems == (
        "the grant of #18 was over",
        "the grant of #18: nothing shows its approval",
    )


def grouped(last: Decided, about: str = "s/pods/b", commands: tuple[str, ...] = ("delete",)) -> Proof:
    """A second deletion after a review that showed two."""
    told: Story = [
        (NOW, "aa", replace(OPENED, lease="")),
        (NOW, "aa", Asked(1, "delete", M("delete"), ("delete",), (M("s/pods/a"),))),
        (NOW, "aa", Held(1, 18, "w", "wait", ("dba",), 1, "low", NOW + 60, group=(M("s/pods/a"), M("s/pods/b")))),
        (NOW + 1, "aa", replace(vote("ann", number=18, lasts=0.0), approve=last.effect == "allow")),
        (
            NOW + 1,
            "aa",
            Decided(1, last.effect, "approved" if last.effect == "allow" else "denied", ("w",), "", "p1", 18),
        ),
        (NOW + 1, "aa", GrantGiven(18, "group", "w", NOW + 900)),
        (NOW + 2, "aa", Asked(2, "delete", M("delete"), commands, (M(about),))),
        (NOW + 2, "aa", last),
    ]
    return find(journal(told), "aa", 2)


def test_what_a_review_of_a_group_was_about() -> None:
    yes = Decided(2, "allow", "granted", ("w",), "", "p1", 18, "approval #18")
    proof = grouped(yes)
    assert proof.problems == () and proof.people == {f"{IDP}#ann"}
    assert "  with it were shown 2: s/pods/a, s/pods/b" in proof.lines
    assert grouped(yes, "s/pods/c").problems == ("the grant of #18 was for other objects than s/pods/c",)
    assert grouped(yes, commands=("patch",)).problems == ("the grant of #18 was for other objects than this",)
    no = Decided(2, "deny", "denied", ("w",), "", "p1", 18, f"{IDP}#ann")
    assert grouped(no).problems == ()
    assert grouped(no, "s/pods/c").problems == ("nothing shows that #18 was about it",)
    assert grouped(replace(yes, why="approved")).problems == ("#18 was about another",)


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (Decided(1, "allow", "approved", ("w",), "", "p1"), "nothing shows who approved it"),
        (Decided(1, "allow", "approved", ("w",), "", "p1", 99), "nothing shows that #99 was about it"),
        (Decided(1, "allow", "expired", ("w",), "", "p1"), "an allow cannot be expired"),
    ],
)
def test_verdicts_that_rest_on_nothing(verdict: Decided, says: str) -> None:
    told: Story = [
        (NOW, "aa", replace(OPENED, lease="")),
        (NOW, "aa", Asked(1, "delete", M("DELETE"), ("delete",), ("t",))),
        (NOW, "aa", verdict),
    ]
    assert says in find(journal(told), "aa", 1).problems


def test_a_vote_on_another_operation_or_in_another_session_proves_nothing() -> None:
    told = story()
    told[8] = (NOW + 4, "aa", replace(told[8][2], operation=9))  # type: ignore[type-var]  # a Decided
    assert "nothing shows that #17 was about it" in find(journal(told), "aa", 9).problems
    told = [(at, "zz" if isinstance(body, Voted) else session, body) for at, session, body in story()]
    assert "#17: 0 of the 2 that it takes approved" in find(journal(told), "aa", 2).problems


def test_the_last_verdict_counts_also_after_the_session_was_closed() -> None:
    told = story()
    told += [
        (NOW + 201, "aa", SessionClosed(M("killed"), 2, 0, 0, 0)),
        (NOW + 201, "aa", Decided(2, "deny", "killed", (), "", "p1")),
    ]
    proof = find(journal(told), "aa", 2)
    assert (proof.allowed, proof.people, proof.emergency, proof.problems) == (False, frozenset(), False, ())
    assert [one.operation for one in prove(journal(told))] == [1, 2, 2]


def test_breaking_the_glass_is_said() -> None:
    told = [one for one in story() if one[2] is not VOTES[0]]
    told = instead(VOTES[1], break_glass=True, groups=("duty",), by=f"{IDP}#u1", lasts=300.0)(told)
    proof = find(journal(told), "aa", 2)
    assert (proof.problems, proof.emergency, proof.people) == ((), True, {f"{IDP}#u1"})
    assert any("breaks the glass as duty: INC-1" in line for line in proof.lines)


def test_no_verdict_says_what_there_is() -> None:
    with pytest.raises(NoVerdict, match="shows no session zz"):
        find(journal(story()), "zz", 1)
    with pytest.raises(NoVerdict, match="session aa began in record 3, and no verdict on its operation 9"):
        find(journal(story()), "aa", 9)


async def test_from_the_files_that_a_gateway_wrote(tmp_path: Path) -> None:
    events = [Event(at, session, body) for at, session, body in story()]
    noise = [
        Event(NOW, "dd", replace(OPENED, lease="")),
        *(Event(NOW, "dd", Asked(n, "select", M("S"), (), ())) for n in range(50)),
    ]
    await write(tmp_path, events[:3] + noise + events[3:])
    assert verify(tmp_path).status == 0
    proof = who_let(tmp_path, "aa", 2)
    assert proof.problems == () and proof.people == {f"{IDP}#ann", f"{IDP}#bob"}
    read = [line.event.body for line in history(tmp_path, "aa")]
    assert not [body for body in read if isinstance(body, Asked) and body.text == "S"], (
        "what cannot bear on it is not read"
    )
    assert len(list(history(tmp_path))) > len(read)
    [segment] = (tmp_path / "journal").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"kind":"voted"', b'"kind":"voyed"'))
    with pytest.raises(Unreadable, match="voyed"):
        list(history(tmp_path))
    with pytest.raises(FileNotFoundError):
        who_let(tmp_path / "nowhere", "aa", 2)


@pytest.mark.parametrize("hostile", ["\x1b]0;x\x07", "\u202e", "a\nb"])
def test_what_is_printed_is_inert(hostile: str) -> None:
    told = instead(OPENED, name=M(hostile), owner=hostile, lease="")(story())
    told = instead(VOTES[0], name=M(hostile), reason=M(hostile), groups=(hostile,))(told)
    for line in find(journal(told), "aa", 2).lines:
        assert hostile not in line and line.isprintable()
