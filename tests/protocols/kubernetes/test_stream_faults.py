"""Streams whose API server does wrong, whose client does wrong, and whose session ends: each ends with words, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from hooptui.core.events import Finished
from hooptui.core.events_channels import TerminalOpened, TerminalOutput, TerminalResized
from hooptui.core.gate import Why
from hooptui.protocols.kubernetes.http import Answer
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.streams import websocket
from tests.core.world import allow
from tests.protocols.contract import until
from tests.protocols.kubernetes.apiserver import NAMESPACE, ApiServer
from tests.protocols.kubernetes.gatehouse import NAME, Gatehouse, everything, message, open_gate, parsed
from tests.protocols.kubernetes.test_gate import head, once

KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
EXEC = f"{NAMESPACE}/pods/web-1/exec"


@pytest.fixture(scope="module")
def house(server: ApiServer) -> Iterator[Gatehouse]:
    with open_gate(server, lambda _: allow()) as found:
        yield found


def asking(query: str, pod: str = "web-1", *, offers: str = "v5.channel.k8s.io, v4.channel.k8s.io") -> bytes:
    return head(
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}", f"Sec-WebSocket-Protocol: {offers}",
        first=f"GET /clusters/{NAME}{NAMESPACE}/pods/{pod}/exec?{query} HTTP/1.1",
    )  # fmt: skip


def frames(raw: bytes) -> list[websocket.Message]:
    return websocket.Reader(masked=False, most=1 << 22).feed(raw)


def status(raw: bytes) -> dict[str, object]:
    """The status that a stream ended with."""
    [one] = [
        one.data[1:]
        for one in frames(raw.partition(b"\r\n\r\n")[2])
        if one.opcode == websocket.BINARY and one.data[0] == 3
    ]
    found = json.loads(one)
    assert isinstance(found, dict)
    return found


def switched(*more: str, accept: str = websocket.accept(KEY), protocol: str = "v5.channel.k8s.io") -> bytes:
    lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}", f"Sec-WebSocket-Protocol: {protocol}", *more)  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def wrong(server: ApiServer, raw: bytes, *, honest: bool = True) -> None:
    """The next exec is answered with these bytes behind a handshake, and the end."""

    async def answer(plug: Plug, _: Answer) -> None:
        key = server.asked[-1].headers["sec-websocket-key"][0]
        plug.write((switched(accept=websocket.accept(key)) if honest else b"") + raw)
        plug.close()

    server.misbehave[EXEC] = answer


@pytest.mark.parametrize(
    ("raw", "honest", "says"),
    [
        (b"\x83\x00", True, "makes no sense"),
        (websocket.frame(websocket.BINARY, b"\x09x", masked=False), True, "makes no sense"),
        pytest.param(websocket.frame(websocket.BINARY, b"\x01x", masked=True), True, "makes no sense", id="masked"),
        (switched(accept="wrong"), False, "makes no sense"),
        (switched(protocol="v9.channel.k8s.io"), False, "makes no sense"),
        (b"", False, "closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", False, "makes no sense"),
    ],
)
def test_an_api_server_that_does_wrong_ends_the_stream_with_a_status(
    house: Gatehouse, server: ApiServer, raw: bytes, honest: bool, says: str
) -> None:
    wrong(server, raw, honest=honest)
    try:
        got = house.say(asking("command=id&stdout=1&stderr=1"))
    finally:
        server.misbehave.clear()
    assert got.startswith(b"HTTP/1.1 101 ") and says in str(status(got)["message"])
    assert house.ask("GET", f"{NAMESPACE}/pods/web-1")[0] == 200


def test_a_stream_that_ends_in_the_middle_ends_for_its_client(house: Gatehouse, server: ApiServer) -> None:
    wrong(server, websocket.frame(websocket.BINARY, b"\x01half", masked=False))
    try:
        got = house.say(asking("command=id&stdout=1&stderr=1"))
    finally:
        server.misbehave.clear()
    assert b"half" in got
    assert until(
        lambda: [one for one in house.book.bodies(Finished) if one.tag == "closed without a status" and not one.ok]
    )


def test_the_api_servers_own_refusal_is_passed_on(house: Gatehouse) -> None:
    code, _, body = parsed(house.say(asking("command=id&stdout=1", "nobody")))
    assert code == 404 and "'nobody' not found" in json.loads(body)["message"]


@pytest.mark.parametrize("offers", ["v1.channel.k8s.io", "base64.channel.k8s.io", "v9.channel.k8s.io"])
def test_protocols_that_are_not_spoken_are_refused_before_anybody_is_asked(house: Gatehouse, offers: str) -> None:
    before = len(house.book.events)
    code, _, body = parsed(house.say(asking("command=id&stdout=1", offers=offers)))
    assert code == 400 and "stream protocols" in message(body)
    assert not [event for event in house.book.events[before:] if type(event.body).__name__ == "Asked"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xc2\x80\0\0\0\0",
        websocket.frame(websocket.BINARY, b"\0x", masked=False),
        b"\x82\xff" + b"\x7f" * 8 + bytes(4),
    ],
)
def test_a_client_that_does_wrong_is_cut_and_its_command_too(house: Gatehouse, server: ApiServer, raw: bytes) -> None:
    house.say(asking("command=sleep&command=60&stdin=1&stdout=1") + raw)
    until(lambda: server.streams == 0)


def test_a_client_that_closes_its_stream_ends_the_command(house: Gatehouse, server: ApiServer) -> None:
    with house.connect() as sock:
        sock.sendall(asking("command=sleep&command=60&stdout=1"))
        until(lambda: server.streams == 1)
        sock.sendall(websocket.frame(websocket.CLOSE, websocket.closing(1000, ""), masked=True))
        everything(sock)
    until(lambda: server.streams == 0)


def test_a_terminal_is_recorded_as_one(house: Gatehouse) -> None:
    with house.connect() as sock:
        sock.sendall(asking("command=cat&stdin=1&stdout=1&tty=1"))
        sock.sendall(websocket.frame(websocket.BINARY, b'\x04{"Width":120,"Height":40}', masked=True))
        sock.sendall(
            websocket.frame(websocket.BINARY, b"\x00\x1b[31mred", masked=True)
            + websocket.frame(websocket.BINARY, b"\xff\x00", masked=True)
        )
        got = everything(sock)
    assert status(got)["status"] == "Success"
    assert [(one.columns, one.rows) for one in house.book.bodies(TerminalOpened)] == [(80, 24)]
    assert [(one.columns, one.rows) for one in house.book.bodies(TerminalResized)] == [(120, 40)]
    assert "".join(one.text for one in house.book.bodies(TerminalOutput)) == "\x1b[31mred"


def test_what_cannot_be_recorded_does_not_go_on(server: ApiServer) -> None:
    with open_gate(server, lambda _: allow()) as house, house.connect() as sock:
        sock.sendall(asking("command=cat&stdin=1&stdout=1"))
        until(lambda: server.streams == 1)
        house.book.broken = "disk full"
        sock.sendall(websocket.frame(websocket.BINARY, b"\x00typed", masked=True))
        got = everything(sock)
        assert "cannot record" in str(status(got)["message"]) and b"disk full" not in got
        house.book.broken = ""
    until(lambda: server.streams == 0)


def test_a_session_whose_time_is_over_leaves_its_connection_open(house: Gatehouse, server: ApiServer) -> None:
    with house.connect() as sock:
        sock.sendall(head(first=f"GET /clusters/{NAME}{NAMESPACE}/pods/web-1 HTTP/1.1"))
        once(sock)
        session = house.door.sessions[-1]
        house.call(session.end(Why.DEADLINE, "its time is over"))
        until(lambda: (session.id, "its time is over") in house.door.leavings)
        sock.sendall(head(first=f"GET /clusters/{NAME}{NAMESPACE}/pods/web-1 HTTP/1.1"))
        assert parsed(once(sock))[0] == 200 and house.door.sessions[-1] is not session, "who it is, is asked again"
