"""Bodies: what is built is read back; what is cut, padded or lies about its lengths is a violation and nothing else."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.protocols.postgres import build, codec, packets
from hooptui.protocols.postgres.codec import Field
from hooptui.protocols.postgres.packets import CancelRequest, GssRequest, SslRequest, Startup, packet, packet_length
from hooptui.protocols.postgres.wire import ProtocolViolation

quick = settings(max_examples=60, deadline=None, derandomize=True)

names = st.binary(max_size=8).map(lambda raw: raw.replace(b"\0", b"x"))
oids = st.integers(0, 2**32 - 1)
values = st.lists(st.none() | st.binary(max_size=12), max_size=6)
fields = st.builds(
    Field, names, oids, st.integers(-(2**15), 2**15 - 1), oids, st.integers(-(2**15), 2**15 - 1), st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([0, 1]),
)  # fmt: skip

READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "query": (codec.query, build.query(b"SELECT 1")),
    "password": (codec.password, build.password(b"p")),
    "copy_fail": (codec.copy_fail, build.copy_fail(b"no")),
    "parse": (codec.parse, build.parse(b"s", b"SELECT $1", [23, 0])),
    "bind": (codec.bind, build.bind(b"p", b"s", [b"1", None, b""], formats=[0, 1, 0], results=[1])),
    "describe": (codec.describe, build.describe(b"s")),
    "close": (codec.close, build.close(b"p", portal=True)),
    "execute": (codec.execute, build.execute(b"p", 10)),
    "row_description": (codec.row_description, build.row_description([Field(b"a", 1, 2, 25, -1, -1, 0)] * 2)),
    "data_row": (codec.data_row, build.data_row([b"a", None, b""])),
    "parameter_description": (codec.parameter_description, build.parameter_description([23, 25])),
    "error": (codec.error_fields, build.error("42501", "no", detail="d", hint="h")),
    "command_complete": (codec.command_complete, build.command_complete("SELECT 1")),
    "ready": (codec.ready_for_query, build.ready(b"T")),
    "parameter_status": (codec.parameter_status, build.parameter_status("a", "b")),
    "notification": (codec.notification, build.notification(7, b"c", b"p")),
    "copy_response": (codec.copy_response, build.message(b"H", b"\0" + struct.pack(">HHH", 2, 0, 0))),
    "negotiation": (codec.negotiation, build.negotiate(2, ["_pq_.a", "_pq_.b"])),
    "empty": (codec.empty, build.SYNC),
}


@pytest.mark.parametrize("name", READERS)
def test_every_body_is_read_to_its_last_byte(name):
    read, whole = READERS[name]
    read(whole)
    for size in range(len(whole)):
        with pytest.raises(ProtocolViolation):
            read(whole[:size])
    for extra in (b"\0", b"x", b"\0\0\0\0"):
        with pytest.raises(ProtocolViolation):
            read(whole + extra)


@pytest.mark.parametrize("name", READERS)
@quick
@given(data=st.data())
def test_arbitrary_bodies_are_read_or_refused(name, data):
    read, whole = READERS[name]
    body = data.draw(st.binary(max_size=60))
    with contextlib.suppress(ProtocolViolation):
        read(whole[:5] + body)
    spoilt = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt[data.draw(st.integers(5, max(5, len(whole) - 1))) % len(whole)] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolViolation):
        read(bytes(spoilt))


@quick
@given(names, names, values, st.data())
def test_bind_comes_back(portal, statement, parameters, data):
    code = st.sampled_from([0, 1])
    formats = data.draw(
        st.sampled_from([[], [1], data.draw(st.lists(code, min_size=len(parameters), max_size=len(parameters)))])
    )
    results = data.draw(st.lists(code, max_size=4))
    bound = codec.bind(build.bind(portal, statement, parameters, formats=formats, results=results))
    assert (bound.portal, bound.statement) == (portal, statement)
    assert (bound.formats, bound.parameters, bound.results) == (tuple(formats), tuple(parameters), tuple(results))
    for index in range(len(parameters)):
        assert bound.format_of(index) == (0 if not formats else formats[0] if len(formats) == 1 else formats[index])


@quick
@given(st.lists(fields, max_size=5), values, names, st.lists(oids, max_size=5))
def test_results_come_back(columns, row, name, types):
    assert codec.row_description(build.row_description(columns)) == tuple(columns)
    assert codec.data_row(build.data_row(row)) == row
    parsed = codec.parse(build.parse(name, b"SELECT", types))
    assert (parsed.statement, parsed.query, parsed.types) == (name, b"SELECT", tuple(types))
    assert codec.parameter_description(build.parameter_description(types)) == tuple(types)


def test_small_messages_come_back():
    assert codec.describe(build.describe(b"s")) == codec.Named(False, b"s")
    assert codec.close(build.close(b"", portal=True)) == codec.Named(True, b"")
    assert codec.execute(build.execute(b"p", 7)) == codec.Execute(b"p", 7)
    assert codec.execute(build.execute(b"p", -5)) == codec.Execute(b"p", 0)
    assert codec.backend_key(build.backend_key(2**32 - 1, b"k" * 256)) == codec.BackendKey(2**32 - 1, b"k" * 256)
    assert codec.notification(build.notification(1, b"c", b"")) == codec.Notification(1, b"c", b"")
    assert codec.parameter_status(build.parameter_status("a", "ü")) == (b"a", "ü".encode())
    assert codec.copy_response(build.message(b"G", b"\1" + struct.pack(">HHH", 2, 1, 1))) == codec.CopyResponse(
        True, (1, 1)
    )
    assert codec.authentication(build.AUTH_OK) == codec.Authentication(0)
    assert codec.authentication(build.CLEARTEXT_REQUEST) == codec.Authentication(3)
    assert codec.sasl_mechanisms(b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0") == ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")
    assert codec.negotiation(build.negotiate(2, [])) == codec.Negotiation(2, ())
    assert codec.negotiation(build.message(b"v", struct.pack(">II", 0, 0))) == codec.Negotiation(0, ())
    for constant in (build.SYNC, build.FLUSH, build.TERMINATE, build.COPY_DONE, build.PARSE_COMPLETE, build.NO_DATA):
        codec.empty(constant)


def test_as_many_parameters_as_the_protocol_has():
    bound = codec.bind(build.bind(b"", b"", [None] * 65_535))
    assert len(bound.parameters) == 65_535
    with pytest.raises(struct.error):
        build.bind(b"", b"", [None] * 65_536)


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (codec.bind, b"\0\0" + struct.pack(">HHHH", 2, 0, 0, 1) + b"\0\0\0\0" + b"\0\0"),
        (codec.bind, b"\0\0" + struct.pack(">HHH", 1, 2, 0) + b"\0\0"),
        (codec.bind, b"\0\0" + struct.pack(">HHi", 0, 1, -2) + b"\0\0"),
        (codec.bind, b"\0\0" + struct.pack(">HH", 0, 65_535)),
        (codec.data_row, struct.pack(">Hi", 1, -2)),
        (codec.data_row, struct.pack(">Hi", 1, 2**31 - 1)),
        (codec.row_description, struct.pack(">H", 1) + b"a\0" + struct.pack(">IhIhiH", 0, 0, 0, 0, 0, 2)),
        (codec.describe, b"Xs\0"),
        (codec.ready_for_query, b"X"),
        (codec.error_fields, b"\x01x\0\0"),
        (codec.error_fields, b"Ma\0Mb\0\0"),
        (codec.backend_key, b"\0\0\0\1abc"),
        (codec.backend_key, b"\0\0\0\1" + b"k" * 257),
        (codec.copy_response, b"\2\0\0"),
        (codec.copy_response, b"\0" + struct.pack(">HH", 1, 1)),
        (codec.negotiation, struct.pack(">II", 2 << 16, 0)),
        (codec.negotiation, struct.pack(">II", 3 << 16, 2**32 - 1)),
    ],
)
def test_bodies_that_lie(read, body):
    with pytest.raises(ProtocolViolation):
        read(build.message(b"x", body))


def test_a_violation_does_not_quote_the_body():
    with pytest.raises(ProtocolViolation) as caught:
        codec.password(build.message(b"p", b"secret without end"))
    assert "secret" not in str(caught.value)


def test_errors_say_their_severity_twice_and_survive_a_round_trip():
    raw = build.error("42501", "denied: ü", severity="FATAL", detail="rule x", hint="ask")
    found = codec.error_fields(raw)
    assert found == {
        "S": b"FATAL",
        "V": b"FATAL",
        "C": b"42501",
        "M": "denied: ü".encode(),
        "D": b"rule x",
        "H": b"ask",
    }
    assert build.fields(b"E", found) == raw
    assert list(codec.error_fields(build.notice("held"))) == ["S", "V", "C", "M"]
    assert codec.error_fields(build.error("XX000", "cut\0here \ud800"))["M"] == b"cut"


@pytest.mark.parametrize(
    "made",
    [
        lambda: build.query("a\0b"),
        lambda: build.parameter_status("a\0", "b"),
        lambda: build.backend_key(1, b"abc"),
        lambda: build.cancel(1, b"k" * 257),
        lambda: build.ready(b"x"),
        lambda: build.message(b"ab"),
    ],
)
def test_what_cannot_be_said_is_not_built(made):
    with pytest.raises(ValueError):
        made()


# --- start-up packets


def test_packets_come_back():
    assert packet(build.SSL_REQUEST) == SslRequest()
    assert packet(build.GSSENC_REQUEST) == GssRequest()
    for size in (4, 32, 256):
        assert packet(build.cancel(2**32 - 1, b"k" * size)) == CancelRequest(2**32 - 1, b"k" * size)
    assert "kkkk" not in repr(packet(build.cancel(1, b"kkkk")))
    asked = packet(build.startup([("user", "a"), ("_pq_.x", "1"), ("options", "")], minor=2))
    assert asked == Startup(2, {"user": "a", "options": ""}, ("_pq_.x",))
    assert asked.minor == 2 and asked.negotiate


@pytest.mark.parametrize(
    ("asked", "spoken", "told"), [(0, 0, False), (1, 0, True), (2, 2, False), (3, 2, True), (65_535, 2, True)]
)
def test_minor_versions(asked, spoken, told):
    start = packet(build.startup([("user", "a")], minor=asked))
    assert isinstance(start, Startup) and (start.minor, start.negotiate) == (spoken, told)


@pytest.mark.parametrize(
    "raw",
    [
        build.startup([]),
        build.startup([("user", "")]),
        build.startup([("user", "a"), ("user", "b")]),
        build.startup([("user", "a")])[:-1],
        struct.pack(">II", 14, 3 << 16) + b"user\0a",
        struct.pack(">II", 15, 3 << 16) + b"user\0a\0",
        struct.pack(">II", 18, 3 << 16) + b"user\0a\0\0x\0",
        struct.pack(">II", 17, 3 << 16) + b"user\0\xff\0\0\0",
        struct.pack(">II", 9, packets.SSL) + b"x",
        struct.pack(">II", 9, packets.GSSENC) + b"x",
        struct.pack(">III", 15, packets.CANCEL, 1) + b"abc",
        struct.pack(">III", 269, packets.CANCEL, 1) + b"k" * 257,
        struct.pack(">II", 8, 2 << 16),
        struct.pack(">II", 8, 4 << 16),
        struct.pack(">II", 8, 0),
        struct.pack(">II", 9, packets.SSL),
        b"",
        b"\0\0\0\x08",
    ],
)
def test_bad_packets(raw):
    with pytest.raises(ProtocolViolation):
        packet(raw)


@pytest.mark.parametrize("length", [0, 7, 10_001, 2**32 - 1])
def test_packets_of_no_size(length):
    with pytest.raises(ProtocolViolation):
        packet_length(length.to_bytes(4, "big"))
    assert packet_length(b"\0\0\x27\x10") == 10_000


@quick
@given(st.binary(max_size=80))
def test_arbitrary_packets_are_read_or_refused(body):
    for raw in (body, (len(body) + 4).to_bytes(4, "big") + body, struct.pack(">II", len(body) + 8, 3 << 16) + body):
        with contextlib.suppress(ProtocolViolation):
            packet(raw)
