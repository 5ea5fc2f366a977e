"""scp's own protocol, played by hand: any chunking, hostile lines, refusals, and what a sink says."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.gate import Permit, Refused, Why, mint
from hooptui.core.model import Operation
from hooptui.protocols.ssh.scp import MAX_LINE, ScpGuard
from hooptui.protocols.ssh.sftp.limits import Limits
from hooptui.protocols.ssh.sftp.report import Report
from hooptui.protocols.ssh.transfers import recognise
from tests.protocols.ssh.sftp.bed import facts
from tests.protocols.ssh.sftp.lab import idle


@dataclass
class Lab:
    command: str
    verdict: Callable[[Operation], str] = lambda _operation: ""
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)
    asked: list[Operation] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    permits: list[Permit] = field(default_factory=list)
    paused: list[bool] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        transfer = recognise(self.command)
        assert transfer is not None
        self.gate.set()
        self.guard = ScpGuard(
            self.ask, self.up.extend, self.down.extend, transfer, report=self.reports.append, end=self.ended.append,
            pause=self.paused.append, limits=Limits(backlog=100_000),
        )  # fmt: skip

    async def ask(self, operation: Operation) -> Permit:
        self.asked.append(operation)
        mine = next(self.numbers)
        await self.gate.wait()
        if reason := self.verdict(operation):
            raise Refused(Why.POLICY, reason, rule="r1", number=mine)
        self.permits.append(mint(mine, ("all",), ""))
        return self.permits[-1]

    async def client(self, data: bytes) -> bytes:
        """What the target gets of it."""
        self.guard.from_client(data)
        await idle()
        return self.got(self.up)

    async def target(self, data: bytes) -> bytes:
        """What the client gets of it."""
        self.guard.from_upstream(data)
        await idle()
        return self.got(self.down)

    @staticmethod
    def got(side: bytearray) -> bytes:
        said = bytes(side)
        side.clear()
        return said


async def test_an_upload_step_by_step() -> None:
    lab = Lab("scp -p -t /srv/")
    assert await lab.target(b"\0") == b"\0"
    assert await lab.client(b"T1 0 2 0\n") == b"", "kept until the file may pass"
    assert lab.got(lab.down) == b"\0"
    assert await lab.client(b"C0644 3 f\n") == b"T1 0 2 0\n"
    assert await lab.target(b"\0") == b""
    assert lab.got(lab.up) == b"C0644 3 f\n"
    assert await lab.target(b"\0") == b"\0"
    assert await lab.client(b"ab") == b"ab"
    assert await lab.client(b"c\0") == b"c\0"
    assert await lab.target(b"\0") == b"\0"
    assert facts(lab.asked[0]).paths == {"/srv/f"}
    assert facts(lab.asked[0]).size == 3
    assert [one.used for one in lab.permits] == [True]
    assert [one.line for one in lab.reports] == [
        f'write "/srv/f" 3 bytes sha256 {hashlib.sha256(b"abc").hexdigest()} ok'
    ]
    assert lab.ended == []


async def test_a_refused_upload_leaves_the_bytes_no_way() -> None:
    """A sender that ignores the refusal and sends the content: it is no control line, so it ends the channel."""
    lab = Lab("scp -t /srv/f", lambda _one: "no")
    await lab.target(b"\0")
    assert await lab.client(b"C0644 3 f\n") == b""
    assert lab.got(lab.down).startswith(b"\1scp: /srv/f/f: denied by rule r1: no\n")
    assert await lab.client(b"abc\n") == b""
    assert lab.ended == ["scp sent a control line that is none"]
    assert facts(lab.asked[0]).paths == {"/srv/f", "/srv/f/f"}


async def test_content_that_looks_like_control_lines_is_content_and_nothing_more() -> None:
    lab = Lab("scp -t /srv/")
    await lab.target(b"\0")
    await lab.client(b"C0644 10 f\n")
    await lab.target(b"\0")
    assert await lab.client(b"C0644 0 g\n" + b"\0") == b"C0644 0 g\n\0"
    assert len(lab.asked) == 1
    await lab.target(b"\0")
    assert await lab.client(b"C0644 0 g\n") == b"C0644 0 g\n"
    assert len(lab.asked) == 2


async def test_bytes_sent_before_the_answer_wait_and_a_flood_of_them_ends_the_channel() -> None:
    lab = Lab("scp -t /srv/")
    lab.gate.clear()
    await lab.target(b"\0")
    assert await lab.client(b"C0644 99999999 f\n" + b"x" * 90_000) == b""
    assert lab.paused == [True]
    lab.gate.set()
    await idle()
    assert lab.got(lab.up) == b"C0644 99999999 f\n"
    assert lab.paused == [True, False]
    assert await lab.client(b"x" * 20_000) == b""
    assert lab.ended == ["scp sent more than it may before it was answered"]


async def test_a_download_is_refused_on_both_sides() -> None:
    lab = Lab("scp -r -f /srv/a", lambda one: "no" if "b" in one.text else "")
    assert await lab.client(b"\0") == b"\0"
    assert await lab.target(b"D0755 0 a\n") == b"D0755 0 a\n"
    await lab.client(b"\0")
    assert await lab.target(b"C0600 5 b\n") == b"\1scp: /srv/a/b: denied by rule r1: no\n"
    assert lab.got(lab.up).startswith(b"\1scp: /srv/a/b: denied")
    assert await lab.target(b"E\n") == b"E\n"
    assert await lab.client(b"\0") == b"\0"
    assert [facts(one).actions for one in lab.asked] == [{"file_list"}, {"file_read"}]
    assert [one.ok for one in lab.reports] == [True, False]


async def test_a_receiver_that_says_no_gets_no_bytes() -> None:
    lab = Lab("scp -t /srv/f")
    await lab.target(b"\0")
    await lab.client(b"C0644 3 f\n")
    assert await lab.target(b"\1scp: no space\n") == b"\1scp: no space\n"
    assert await lab.client(b"abc\n") == b""
    assert lab.ended
    assert "no space" in lab.reports[0].line


@pytest.mark.parametrize(
    "line",
    [
        b"C0644 3 ../f\n", b"C0644 3 /f\n", b"C0644 3 ..\n", b"C0644 3 .\n", b"C0644 -3 f\n", b"C0644 3\n", b"C644 3 f\n", b"C0644 3 a\0b\n", b"X\n", b"E\n",
        b"D0755 0 d\n", b"\0", b"C0644 9999999999999999999 f\n", b"T1 0\n", b"x" * (MAX_LINE + 1), b"\1" + b"x" * (MAX_LINE + 1), b"C\xc3\xb06 3 f\n",
    ],
)  # fmt: skip
async def test_a_hostile_line_ends_the_channel(line: bytes) -> None:
    lab = Lab("scp -t /srv/")
    await lab.target(b"\0")
    assert await lab.client(line) == b""
    assert len(lab.ended) == 1
    assert lab.asked == []


@pytest.mark.parametrize("said", [b"\0", b"Welcome to web-01\n", b"\1" + b"x" * (MAX_LINE + 1)])
async def test_answers_that_are_none_end_the_channel(said: bytes) -> None:
    lab = Lab("scp -t /srv/")
    await lab.target(b"\0")
    await lab.target(said)
    assert len(lab.ended) == 1


async def test_too_deep_a_tree_ends_the_channel() -> None:
    lab = Lab("scp -r -t /srv/")
    await lab.target(b"\0")
    while not lab.ended:
        await lab.client(b"D0755 0 d\n")
        await lab.target(b"\0")
    assert len(lab.asked) == 256


async def test_a_client_that_leaves_in_the_middle_is_told_on() -> None:
    lab = Lab("scp -t /srv/")
    await lab.target(b"\0")
    await lab.client(b"C0644 9 f\n")
    await lab.target(b"\0")
    await lab.client(b"half")
    await lab.guard.close()
    assert [(one.ok, one.moved[0].size, one.result) for one in lab.reports] == [
        (False, 4, "not finished: the channel ended")
    ]
    assert await lab.client(b"more") == b""


async def test_a_judge_that_breaks_ends_the_channel() -> None:
    def broken(_one: Operation) -> str:
        raise RuntimeError("s3cr3t")

    lab = Lab("scp -t /srv/", broken)
    await lab.target(b"\0")
    assert await lab.client(b"C0644 9 f\n") == b""
    assert lab.ended == ["a file could not be judged (RuntimeError)"]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.lists(st.binary(max_size=20), min_size=1, max_size=4))
def test_any_chunking_gives_the_same_files(cuts: list[int], files: list[bytes]) -> None:
    async def run() -> None:
        lab = Lab("scp -t /srv/")
        await lab.target(b"\0")
        for at, content in enumerate(files):
            line = b"C0644 %d f%d\n" % (len(content), at)
            assert await pieces(lab, line, cuts) == line
            await lab.target(b"\0")
            assert await pieces(lab, content + b"\0", cuts) == content + b"\0"
            await lab.target(b"\0")
        assert [one.moved[0].sha256 for one in lab.reports] == [hashlib.sha256(one).hexdigest() for one in files]

    asyncio.run(run())


async def pieces(lab: Lab, stream: bytes, cuts: list[int]) -> bytes:
    got, at = b"", 0
    for size in itertools.cycle(cuts):
        if at >= len(stream):
            return got
        got += await lab.client(stream[at : at + size])
        at += size
    raise AssertionError("itertools.cycle ends only without cuts")


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=20) | st.sampled_from([b"\0", b"C0644 2 f\n", b"D0755 0 d\n", b"E\n", b"ab"])), max_size=20), st.booleans())  # fmt: skip
def test_any_bytes_are_taken_or_end_the_channel(parts: list[tuple[bool, bytes]], writes: bool) -> None:
    async def run() -> None:
        lab = Lab("scp -r -t /srv/" if writes else "scp -r -f /srv/x", lambda _one: "no")
        for upstream, part in parts:
            moved = await (lab.target(part) if upstream else lab.client(part))
            if upstream is not writes:
                assert not moved or moved[0] in (0, 1, 2, ord("E")), "nothing that was refused passes"
        assert len(lab.ended) <= 1
        await lab.guard.close()

    asyncio.run(run())
