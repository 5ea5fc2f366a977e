"""The relay against a model of the server, by hypothesis: whatever is sent, in whatever pieces, answered however late.

The model does what PostgreSQL does with names, portals, transactions and skipping; it knows nothing of policy. What it runs
must be what was asked about: an operation that reads other relations than its permit says is a way around the policy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.events import Rows
from hooptui.core.model import Decision, MaskRule, Operation
from hooptui.protocols.postgres import build, codec
from hooptui.protocols.postgres.wire import Framer
from tests.core.world import allow, deny
from tests.golden.virtual import run, settle
from tests.golden.wires import Wires

# --- the model


@dataclass
class Server:
    """A server that has tables t1 to t3 and no data."""

    statements: dict[bytes, str] = field(default_factory=dict)
    portals: dict[bytes, str] = field(default_factory=dict)
    status: bytes = b"I"
    skipping: bool = False
    out: list[bytes] = field(default_factory=list)
    ran: list[set[str]] = field(default_factory=list)
    """What each operation of the client's that came has read, in order."""
    _framer: Framer = field(default_factory=lambda: Framer(1 << 20))

    def take(self, data: bytes) -> None:
        for kind, raw in self._framer.feed(data):
            self._one(chr(kind), raw)

    def _fail(self, code: str) -> None:
        self.out.append(build.error(code, "failed"))
        self.portals.clear()
        if self.status == b"T":
            self.status = b"E"

    def _one(self, kind: str, raw: bytes) -> None:
        if kind == "S":
            self.skipping = False
            if self.status == b"I":
                self.portals.clear()
            self.out.append(build.ready(self.status))
            return
        if (kind == "E" and not codec.execute(raw).portal.startswith(b"hooptui")) or kind == "Q":
            self.ran.append(set())
        if self.skipping:
            return
        if kind == "Q":
            self._query(codec.query(raw).decode())
            return
        if kind == "H":
            return
        code = getattr(self, f"_{kind}")(raw)
        if code:
            self._fail(code)
            self.skipping = True

    def _P(self, raw: bytes) -> str:
        message = codec.parse(raw)
        if not message.statement:
            self.statements.pop(b"", None)
        text = message.query.decode()
        if text == FAILS:
            return "42P01"
        if message.statement and message.statement in self.statements:
            return "42P05"
        if self.status == b"E" and text not in ("ROLLBACK", "COMMIT"):
            return "25P02"
        self.statements[message.statement] = text
        self.out.append(build.PARSE_COMPLETE)
        return ""

    def _B(self, raw: bytes) -> str:
        message = codec.bind(raw)
        if message.statement not in self.statements:
            return "26000"
        text = self.statements[message.statement]
        if self.status == b"E" and text not in ("ROLLBACK", "COMMIT"):
            return "25P02"
        if message.portal and message.portal in self.portals:
            return "42P03"
        self.portals[message.portal] = text
        self.out.append(build.BIND_COMPLETE)
        return ""

    def _D(self, raw: bytes) -> str:
        message = codec.describe(raw)
        names = self.portals if message.portal else self.statements
        if message.name not in names:
            return "34000" if message.portal else "26000"
        if not message.portal:
            self.out.append(build.parameter_description([]))
        self.out.append(self._columns(names[message.name]))
        return ""

    def _columns(self, text: str) -> bytes:
        if text.startswith("EXECUTE"):
            text = self.statements.get(text.split()[-1].encode(), "")
        if not text.startswith("SELECT"):
            return build.NO_DATA
        return build.row_description([codec.Field(b"c", 100, 2, 25, -1, -1, 0)])

    def _C(self, raw: bytes) -> str:
        message = codec.close(raw)
        (self.portals if message.portal else self.statements).pop(message.name, None)
        self.out.append(build.CLOSE_COMPLETE)
        return ""

    def _E(self, raw: bytes) -> str:
        name = codec.execute(raw).portal
        if name not in self.portals:
            return "34000"
        return self._run(self.portals[name], described=True)

    def _query(self, text: str) -> None:
        self.statements.pop(b"", None)
        self.portals.pop(b"", None)
        for part in text.split("; "):
            code = self._run(part, described=False)
            if code:
                self._fail(code)
                break
        if self.status == b"I":
            self.portals.clear()
        self.out.append(build.ready(self.status))

    def _run(self, text: str, *, described: bool) -> str:
        """Run one statement; the SQLSTATE of its failure."""
        words = text.split()
        if self.status == b"E" and words[0] not in ("ROLLBACK", "COMMIT"):
            return "25P02"
        if text == FAILS:
            return "42P01"
        name = words[1].encode() if len(words) > 1 else b""
        tag = words[0]
        match words[0]:
            case "SELECT":
                self._select(text, described)
                tag = "SELECT 1"
            case "PREPARE":
                if name in self.statements:
                    return "42P05"
                self.statements[name] = text.split(" AS ")[1]
            case "EXECUTE":
                if name not in self.statements:
                    return "26000"
                return self._run(self.statements[name], described=described)
            case "DEALLOCATE":
                if name == b"ALL":
                    self.statements = {key: value for key, value in self.statements.items() if not key}
                elif self.statements.pop(name, None) is None:
                    return "26000"
            case "DISCARD":
                if self.status != b"I":
                    return "25001"
                self.statements = {key: value for key, value in self.statements.items() if not key}
                self.portals.clear()
            case "DECLARE":
                if self.status != b"T":
                    return "25P01"
                if name in self.portals:
                    return "42P03"
                self.portals[name] = text.split(" FOR ")[1]
                self.ran[-1].add(text.split()[-1])
            case "CLOSE":
                if self.portals.pop(name, None) is None:
                    return "34000"
            case "BEGIN":
                self.status = b"T"
            case "COMMIT" | "ROLLBACK":
                self.status = b"I"
                self.portals.clear()
        self.out.append(build.command_complete(tag))
        return ""

    def _select(self, text: str, described: bool) -> None:
        table = text.split()[-1]
        self.ran[-1].add(table)
        if not described:
            self.out.append(self._columns(text))
        self.out.append(build.data_row([f"canary {table}".encode()]))


FAILS = "SELECT c FROM nothing"

# --- what clients send

TEXTS = [
    "SELECT c FROM t1",
    "SELECT c FROM t2",
    "SELECT c FROM denied",
    FAILS,
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "EXECUTE a",
]
QUERIES = [
    *TEXTS,
    "PREPARE a AS SELECT c FROM t1", "PREPARE a AS SELECT c FROM t2", "PREPARE a AS SELECT c FROM denied",
    "PREPARE a AS SELECT c FROM nothing",
    "DEALLOCATE a", "DEALLOCATE ALL", "DISCARD ALL", "EXECUTE a", "EXECUTE b",
    "DECLARE p CURSOR FOR SELECT c FROM t3", "CLOSE p",
    "DEALLOCATE a; PREPARE a AS SELECT c FROM t3", "PREPARE a AS SELECT c FROM t1; EXECUTE a", "SELECT c FROM t1; SELECT c FROM t2",
    "DEALLOCATE a; " + FAILS, "BEGIN; DECLARE p CURSOR FOR SELECT c FROM t3",
]  # fmt: skip
NAMES = st.sampled_from([b"", b"a", b"a", b"b"])
PORTALS = st.sampled_from([b"", b"p", b"p", b"q"])
MESSAGES = st.one_of(
    st.builds(build.parse, NAMES, st.sampled_from(TEXTS)),
    st.builds(build.bind, PORTALS, NAMES),
    st.builds(build.execute, PORTALS),
    st.builds(lambda name: build.close(name), NAMES),
    st.builds(lambda name: build.close(name, portal=True), PORTALS),
    st.builds(lambda name: build.describe(name, portal=True), PORTALS),
    st.builds(lambda name: build.describe(name), NAMES),
    st.just(build.SYNC),
    st.just(build.SYNC),
    st.builds(build.query, st.sampled_from(QUERIES)),
    st.builds(lambda p, s, text: build.parse(s, text) + build.bind(p, s) + build.execute(p), PORTALS, NAMES, st.sampled_from(TEXTS)),
    st.builds(lambda p, s: build.bind(p, s) + build.execute(p), PORTALS, NAMES),
)  # fmt: skip


PORTAL_MESSAGES = st.sampled_from(
    [
        build.parse(b"", "SELECT c FROM t1"), build.bind(b"p", b""), build.parse(b"", "SELECT c FROM t1") + build.bind(b"p", b""),
        build.execute(b"p"), build.execute(b"p") + build.SYNC, build.SYNC, build.SYNC,
        *map(build.query, ["BEGIN", "BEGIN", "COMMIT", "ROLLBACK", "CLOSE p", "DECLARE p CURSOR FOR SELECT c FROM t3", FAILS]),
        build.parse(b"d", "DECLARE p CURSOR FOR SELECT c FROM t3") + build.bind(b"", b"d") + build.execute() + build.close(b"d"),
        build.parse(b"d", "CLOSE p") + build.bind(b"", b"d") + build.execute() + build.close(b"d"),
    ]
)  # fmt: skip
"""What can put another portal under a name: more often than it would come up among everything else."""


@st.composite
def conversations(draw: st.DrawFn) -> list[tuple[bytes, int]]:
    """What the client sends, in pieces, each with how many messages of the server's arrive after it."""
    if draw(st.booleans()):
        data = b"".join(draw(st.lists(MESSAGES, min_size=1, max_size=25))) + build.SYNC
    else:
        bound = build.query("BEGIN") + build.parse(b"", "SELECT c FROM t1") + build.bind(b"p", b"")
        between = b"".join(draw(st.lists(PORTAL_MESSAGES, min_size=1, max_size=6)))
        data = bound + draw(st.sampled_from([b"", build.SYNC])) + between + build.execute(b"p") + build.SYNC
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return [(piece, draw(st.integers(0, 12))) for piece in pieces]


def judged(log: list[frozenset[str]]) -> Callable[[Operation], Decision]:
    """No `denied`; what is allowed is written down with what it may read."""

    def decide(operation: Operation) -> Decision:
        if "denied" in operation.facts.reads or not operation.facts.understood:
            return deny()
        log.append(operation.facts.reads)
        return allow()

    return decide


async def converse(
    pieces: list[tuple[bytes, int]], *, masked: bool, whole: bool = False
) -> tuple[Wires, Server, bytes, list[frozenset[str]]]:
    wires = Wires((MaskRule("email", ("customers.email",)),) if masked else ())
    permits: list[frozenset[str]] = []
    wires.judge.answer = judged(permits)
    server, shown = Server(), b""

    async def forward(limit: int) -> None:
        nonlocal shown
        for _ in range(limit):
            await settle()
            server.take(bytes(wires.server.written))
            wires.server.written.clear()
            if not server.out:
                break
            wires.from_server(server.out.pop(0))
        await settle()
        shown += bytes(wires.client.written)
        wires.client.written.clear()

    for piece, arrive in pieces:
        if not whole:
            wires.from_client(piece)
            await forward(arrive)
    if whole:
        wires.from_client(b"".join(piece for piece, _ in pieces))
    while True:
        await forward(1000)
        server.take(bytes(wires.server.written))
        wires.server.written.clear()
        if not server.out:
            break
    assert wires.troubles == []
    assert not wires.relay.frozen
    wires.relay.finish("the test is over")
    await wires.relay.closed()
    return wires, server, shown, permits


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(conversations(), st.booleans())
def test_what_runs_is_what_was_asked_about(pieces: list[tuple[bytes, int]], masked: bool) -> None:
    wires, server, shown, permits = run(converse(pieces, masked=masked))
    touched = set[str]().union(*server.ran)
    assert "denied" not in touched
    # Each operation that ran has its own permit, in order, that covers what it read.
    left = iter(permits)
    for ran in server.ran:
        if ran:
            assert any(ran <= permit for permit in left), (server.ran, permits)
    assert len(server.ran) <= len(permits)
    if masked:
        assert b"canary" not in shown
    # Everything with a permit is finished exactly once.
    from hooptui.core.events import Decided, Finished

    allowed = [body.operation for body in wires.book.bodies(Decided) if body.effect == "allow"]
    assert sorted(body.operation for body in wires.book.bodies(Finished)) == allowed


@settings(max_examples=150, deadline=None, derandomize=True)
@given(conversations())
def test_any_chunks_of_the_client_are_the_same(pieces: list[tuple[bytes, int]]) -> None:
    """Without waiting for answers in between, where the bytes are cut changes nothing."""
    silent = [(piece, 0) for piece, _ in pieces]
    _, one, shown, _ = run(converse(silent, masked=True))
    _, other, again, _ = run(converse(silent, masked=True, whole=True))
    assert shown == again
    assert one.ran == other.ran


@settings(max_examples=150, deadline=None, derandomize=True)
@given(conversations(), st.data())
def test_the_client_sees_as_many_answers_as_without(pieces: list[tuple[bytes, int]], data: st.DataObject) -> None:
    """Every Sync and Query has its ReadyForQuery, as if there were nobody between."""
    _, _, shown, _ = run(converse(pieces, masked=data.draw(st.booleans())))
    asked = b"".join(piece for piece, _ in pieces)
    framer = Framer(1 << 20)
    kinds = [kind for kind, _ in framer.feed(asked)]
    ready = [raw for kind, raw in Framer(1 << 20).feed(shown) if kind == ord("Z")]
    syncs, queries = kinds.count(ord("S")), kinds.count(ord("Q"))
    # A Query that comes while a failed segment is skipped is skipped as well.
    assert syncs <= len(ready) <= syncs + queries


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=40) | MESSAGES, max_size=12))
def test_garbage_raises_nothing_and_runs_nothing_unasked(chunks: list[bytes]) -> None:
    async def scenario() -> None:
        wires = Wires()
        permits: list[frozenset[str]] = []
        wires.judge.answer = judged(permits)
        server = Server()
        for chunk in chunks:
            wires.from_client(chunk)
            await settle()
            server.take(bytes(wires.server.written).removesuffix(build.TERMINATE))
            wires.server.written.clear()
        assert len(server.ran) <= len(permits)
        wires.relay.finish("the test is over")
        await asyncio.wait_for(wires.relay.closed(), 60)

    run(scenario())


@pytest.mark.parametrize("records", [True, False])
def test_what_came_before_a_server_s_violation_is_shown_only_when_it_is_on_record(records: bool) -> None:
    async def scenario() -> None:
        wires = Wires()
        wires.judge.answer = lambda _: allow()
        wires.from_client(build.query("SELECT a FROM t1"))
        await settle()
        wires.client.take()
        if not records:
            wires.book.broken = "disk full"
        described = build.row_description([codec.Field(b"a", 0, 0, 25, -1, -1, 0)])
        wires.from_server(described + build.data_row([b"seen"]) + build.message(b"2", b""))
        shown = b"".join(wires.client.take())
        assert (b"seen" in shown) is records
        assert (wires.book.bodies(Rows) != []) is records
        await asyncio.wait_for(wires.relay.closed(), 60)

    run(scenario())
