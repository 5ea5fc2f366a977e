"""The one accept loop: bounds, faults of what it serves, descriptors that run out, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
import uvloop

from hooptui import listener
from hooptui.listener import Listener, Words, too_many
from hooptui.peers import Peer


class House:
    """Serves an echo until told otherwise, and remembers what it was told."""

    def __init__(self, *, connections: int = 10, per_peer: int = 10) -> None:
        self.troubles: list[tuple[str, str]] = []
        self.away: list[tuple[Peer, int]] = []
        self.served: list[Peer] = []
        self.open = True
        self.listener = Listener(
            self.serve,
            Words(lambda code, words: self.troubles.append((code, words)), lambda who, n: self.away.append((who, n))),
            connections=connections,
            per_peer=per_peer,
            room=lambda: self.open,
        )

    async def serve(self, sock: socket.socket, peer: Peer) -> None:
        self.served.append(peer)
        loop = asyncio.get_running_loop()
        with contextlib.closing(sock):
            while data := await loop.sock_recv(sock, 100):
                if data == b"fault":
                    raise ValueError("quotes what the client said: fault")
                await loop.sock_sendall(sock, data)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        port = await self.listener.start("127.0.0.1", 0)
        try:
            yield port
        finally:
            await self.listener.close()
            assert self.listener.connections == 0


class Guest:
    """A client; `asked` says what it heard, b"" when it was closed upon."""

    def __init__(self, port: int, home: str = "127.0.0.1") -> None:
        self.sock = socket.socket()
        self.sock.bind((home, 0))
        self.sock.setblocking(False)
        self.port = port

    async def asked(self, said: bytes = b"hello") -> bytes:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            try:
                with contextlib.suppress(OSError):
                    await loop.sock_connect(self.sock, ("127.0.0.1", self.port))
                await loop.sock_sendall(self.sock, said)
                return await loop.sock_recv(self.sock, 100)
            except ConnectionError:
                return b""

    def leave(self) -> None:
        self.sock.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_who_comes_is_served_under_its_own_name() -> None:
    house = House()
    async with house.running() as port:
        guest = Guest(port, "127.0.0.9")
        assert await guest.asked() == b"hello"
        here = guest.sock.getsockname()
        assert house.served == [Peer("127.0.0.9", f"127.0.0.9:{here[1]}")]
        guest.leave()
        await until(lambda: house.listener.connections == 0)
    assert house.troubles == [] and house.away == []


async def test_one_too_many_is_closed_unread_and_a_place_is_free_again() -> None:
    house = House(connections=2)
    async with house.running() as port:
        first, second, third = (Guest(port, f"127.0.0.{n}") for n in (1, 2, 3))
        assert [await one.asked() for one in (first, second, third)] == [b"hello", b"hello", b""]
        assert house.listener.turned_away == 1
        assert [(who.host, count) for who, count in house.away] == [("127.0.0.3", 1)]
        first.leave()
        await until(lambda: house.listener.connections == 1)
        fourth = Guest(port, "127.0.0.3")
        assert await fourth.asked() == b"hello"
        for one in (second, third, fourth):
            one.leave()


async def test_one_place_has_its_share_only() -> None:
    house = House(per_peer=1)
    async with house.running() as port:
        first, greedy, other = Guest(port), Guest(port), Guest(port, "127.0.0.2")
        assert [await one.asked() for one in (first, greedy, other)] == [b"hello", b"", b"hello"]
        for one in (first, greedy, other):
            one.leave()
        await until(lambda: house.listener.connections == 0)
        again = Guest(port)
        assert await again.asked() == b"hello"
        again.leave()


async def test_no_room_is_no_entry() -> None:
    house = House()
    async with house.running() as port:
        house.open = False
        first = Guest(port)
        assert await first.asked() == b""
        house.open = True
        second = Guest(port)
        assert await second.asked() == b"hello"
        first.leave()
        second.leave()


async def test_a_crowd_is_told_of_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(connections=0)
    async with house.running() as port:
        for _ in range(20):
            guest = Guest(port)
            assert await guest.asked() == b""
            guest.leave()
        assert house.listener.turned_away == 20
        assert sum(count for _, count in house.away) <= 20
        assert len(house.away) < 5, "a stranger writes no line of the journal a connection"
        monkeypatch.setattr(listener, "QUIET", 0.0)
        before = sum(count for _, count in house.away)
        guest = Guest(port)
        assert await guest.asked() == b""
        assert house.away[-1][1] == 21 - before
        assert str(house.away[-1][1]) in too_many(house.away[-1][1])
        guest.leave()


async def test_a_fault_ends_its_own_connection_only() -> None:
    house = House()
    async with house.running() as port:
        well, ill = Guest(port), Guest(port)
        assert await well.asked() == b"hello"
        assert await ill.asked(b"fault") == b""
        await until(lambda: house.listener.connections == 1)
        assert house.troubles == [("fault", "a connection ended by a fault of the gateway: ValueError")]
        assert await well.asked(b"still here") == b"still here"
        well.leave()
        ill.leave()


async def test_a_connection_that_cannot_be_taken_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "AGAIN", 0.001)
    house, failures = House(), [OSError(errno.EMFILE, "Too many open files"), ConnectionAbortedError(103, "aborted")]

    loop = asyncio.get_running_loop()
    real = loop.sock_accept

    async def accept(bound: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return await real(bound)

    class Loop:
        def __getattr__(self, name: str) -> object:
            return accept if name == "sock_accept" else getattr(loop, name)

    house.listener._socket = bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "get_running_loop", Loop)
        house.listener._listening = loop.create_task(house.listener._listen(bound))
        await until(lambda: not failures)
    guest = Guest(bound.getsockname()[1])
    assert await guest.asked() == b"hello"
    assert house.troubles == [("accept", "a connection could not be accepted: aborted")], "told once, not each time"
    guest.leave()
    await house.listener.close()


async def test_stopping_lets_what_is_open_go_on_and_closing_cuts_it() -> None:
    house = House()
    port = await house.listener.start("127.0.0.1", 0)
    with pytest.raises(RuntimeError):
        await house.listener.start("127.0.0.1", 0)
    guest, late = Guest(port), Guest(port)
    assert await guest.asked() == b"hello"
    await house.listener.stop()
    assert await late.asked() == b""
    assert await guest.asked(b"on") == b"on"
    await house.listener.close()
    assert await guest.asked(b"on") == b""
    await house.listener.close()
    guest.leave()
    late.leave()
    again = await house.listener.start("127.0.0.1", port)
    assert again == port, "it may listen again"
    await house.listener.close()


@pytest.mark.filterwarnings("error::ResourceWarning")
async def test_a_connection_cut_before_anybody_served_it_is_closed() -> None:
    house = House()
    ours, theirs = socket.socketpair()
    house.listener._take(ours, Peer("", "unix"), asyncio.get_running_loop())
    await house.listener.close()
    assert house.served == [] and ours.fileno() == -1
    theirs.close()


async def test_a_port_in_use_is_an_error_and_nothing_is_left() -> None:
    house, other = House(), House()
    async with house.running() as port:
        with pytest.raises(OSError):
            await other.listener.start("127.0.0.1", port)
        await other.listener.close()


@pytest.mark.parametrize(
    "check",
    [
        test_who_comes_is_served_under_its_own_name,
        test_one_too_many_is_closed_unread_and_a_place_is_free_again,
        test_a_fault_ends_its_own_connection_only,
        test_stopping_lets_what_is_open_go_on_and_closing_cuts_it,
    ],
)
def test_on_the_gateways_own_kind_of_loop(check: Callable[[], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(check())
