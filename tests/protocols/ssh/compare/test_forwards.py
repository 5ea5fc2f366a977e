"""Forwards by the stock client, each allowed: to ports and sockets, from the target, by SOCKS, and standard input and output."""

from __future__ import annotations

import hashlib
import os
import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.protocols.contract import until
from tests.protocols.ssh.compare.sides import BIG, Seen, Side, Sides, Table, own

SAME = Table()


class Summing(socketserver.BaseRequestHandler):
    """Reads to the end of file and answers then: works only where one end of file passes and the other way stays open."""

    def handle(self) -> None:
        digest = hashlib.sha256()
        while data := self.request.recv(65536):
            digest.update(data)
        self.request.sendall(digest.hexdigest().encode())


class Telling(socketserver.BaseRequestHandler):
    """Says much, ends its side, and listens on."""

    def handle(self) -> None:
        self.request.sendall(BIG)
        self.request.shutdown(socket.SHUT_WR)
        while self.request.recv(65536):
            pass


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 100
    daemon_threads = True


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def served(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with Tcp(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def served_at(path: Path, handler: type[socketserver.BaseRequestHandler], uid: int) -> Iterator[Path]:
    with Unix(str(path), handler) as server:
        own(path.parent, uid)
        path.chmod(0o666)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()


def coming(connect: Callable[[], socket.socket]) -> socket.socket:
    """Connect to what is asked for behind the client's back: it says that it is ready before its listener there is."""

    def there() -> socket.socket | None:
        try:
            return connect()
        except OSError:
            return None

    return until(there, 60)


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def to_port(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 60)


def to_socket(path: Path) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(60)
    try:
        found.connect(str(path))
    except OSError:
        found.close()
        raise
    return found


@contextmanager
def forwarding(side: Side, *more: str) -> Iterator[None]:
    """A connection with these forwards, when it stands."""
    path = side.here / ".master-f"
    program = side.start(
        side.ssh(more=("-T", "-N", "-M", "-S", str(path), "-o", "ExitOnForwardFailure=yes", *more)),
        stdin=subprocess.DEVNULL,
    )
    until(lambda: path.exists() or program.poll() is not None, 60)
    check = side.run(["ssh", "-F", str(side.config), "-S", str(path), "-O", "check", "host"])
    assert check.status == 0
    try:
        yield
    finally:
        side.leave(path, program)


def summed(connect: Callable[[], socket.socket], data: bytes = BIG) -> bytes:
    with connect() as there:
        there.settimeout(60)
        there.sendall(data)
        there.shutdown(socket.SHUT_WR)
        return everything(there)


def everything(there: socket.socket) -> bytes:
    got = bytearray()
    while part := there.recv(65536):
        got += part
    return bytes(got)


SUM = hashlib.sha256(BIG).hexdigest().encode()


@SAME
def a_port_of_the_target(side: Side) -> object:
    port = free()
    with served(Summing) as there, forwarding(side, "-L", f"{port}:127.0.0.1:{there}"):
        got = [summed(partial(to_port, port)) for _ in range(3)]
    assert got == [SUM] * 3
    return got


@SAME
def a_port_that_says_much(side: Side) -> object:
    port = free()
    with served(Telling) as there, forwarding(side, "-L", f"{port}:127.0.0.1:{there}"), to_port(port) as one:
        return hashlib.sha256(everything(one)).hexdigest() == SUM.decode()


@SAME
def a_conversation(side: Side) -> object:
    port, heard = free(), []
    with served(Echo) as there, forwarding(side, "-L", f"{port}:127.0.0.1:{there}"), to_port(port) as one:
        for n in range(100):
            one.sendall(b"%d\n" % n)
            heard.append(one.recv(100))
    return heard


@SAME
def many_at_once(side: Side) -> object:
    port = free()
    with served(Summing) as there, forwarding(side, "-L", f"{port}:127.0.0.1:{there}"):
        got: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: got.append(summed(partial(to_port, port), BIG[:500_000])))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(got) == 20
    return got


@SAME
def a_socket_of_the_target(side: Side) -> object:
    port = free()
    with served_at(side.there / "s", Summing, side.gate.server.uid) as there, forwarding(side, "-L", f"{port}:{there}"):
        return summed(partial(to_port, port))


@SAME
def from_a_socket_here(side: Side) -> object:
    path = side.here / "s"
    with served(Summing) as there, forwarding(side, "-L", f"{path}:127.0.0.1:{there}"):
        return summed(partial(to_socket, path))


@SAME
def from_socket_to_socket(side: Side) -> object:
    path = side.here / "s"
    with served_at(side.there / "s", Summing, side.gate.server.uid) as there, forwarding(side, "-L", f"{path}:{there}"):
        return summed(partial(to_socket, path))


@SAME
def a_port_listened_on_there(side: Side) -> object:
    port = free()
    with served(Summing) as here, forwarding(side, "-R", f"127.0.0.1:{port}:127.0.0.1:{here}"):
        return [summed(partial(coming, partial(to_port, port))) for _ in range(2)]


@SAME
def a_port_that_the_target_chooses(side: Side) -> object:
    with served(Summing) as here, side.master() as control:
        words = [
            "ssh",
            "-F",
            str(side.config),
            *control,
            "-O",
            "forward",
            "-R",
            f"127.0.0.1:0:127.0.0.1:{here}",
            "host",
        ]
        port = int(subprocess.run(words, capture_output=True, check=True, timeout=60, env=side.environment()).stdout)
        return summed(partial(to_port, port), BIG[:100_000])


@SAME
def a_socket_listened_on_there(side: Side) -> object:
    path = side.there / "r"
    with served(Summing) as here, forwarding(side, "-R", f"{path}:127.0.0.1:{here}"):
        return summed(partial(coming, partial(to_socket, path)))


@SAME
def a_port_listened_on_no_more(side: Side) -> object:
    port = free()
    with served(Summing) as here, side.master() as control:
        words = ["ssh", "-F", str(side.config), *control, "-O"]
        forward = ["-R", f"127.0.0.1:{port}:127.0.0.1:{here}", "host"]
        side.run([*words, "forward", *forward])
        got = summed(partial(to_port, port), b"x")
        side.run([*words, "cancel", *forward])
        # The client asks without waiting for an answer.
        until(partial(refused, port), 60)
    return got


@SAME
def a_port_that_is_taken(side: Side) -> object:
    with served(Echo) as taken:
        done = side.run(
            side.ssh(more=("-T", "-N", "-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{taken}:127.0.0.1:1")),
            status=255,
        )
    return done.err.replace(str(taken).encode(), b"PORT")


def refused(port: int) -> bool:
    try:
        to_port(port).close()
    except ConnectionRefusedError:
        return True
    return False


def by_socks(port: int, to: int, host: bytes = b"localhost") -> socket.socket:
    """RFC 1928, with a name for the address."""
    found = to_port(port)
    found.sendall(b"\x05\x01\x00")
    assert found.recv(2) == b"\x05\x00"
    found.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + struct.pack(">H", to))
    answer = found.recv(10)
    if answer[1:2] != b"\x00":
        found.close()
        raise ConnectionRefusedError(answer[1])
    return found


@SAME
def socks(side: Side) -> object:
    port = free()
    with served(Summing) as there, forwarding(side, "-D", f"127.0.0.1:{port}"):
        got = [summed(lambda: by_socks(port, there), BIG[:300_000]) for _ in range(2)]
        with pytest.raises((ConnectionRefusedError, IndexError)):
            by_socks(port, free())
    return got


@SAME
def standard_input_and_output(side: Side) -> object:
    with served(Summing) as there:
        seen = side.run(side.ssh(more=("-T", "-W", f"127.0.0.1:{there}")), stdin=BIG)
    assert seen.out == SUM
    return seen


@SAME
def nobody_listens(side: Side) -> object:
    port = free()
    done = side.run(side.ssh(more=("-T", "-W", f"127.0.0.1:{port}")), status=255)
    return done.status, b"Connection refused" in done.err


@SAME
def no_such_host(side: Side) -> object:
    return side.run(side.ssh(more=("-T", "-W", "no-such-host.invalid:80")), status=255).status


@SAME
def beside_a_command(side: Side) -> object:
    port = free()
    with served(Echo) as there:
        program = side.start(side.ssh("echo up; read line; exit 3", more=("-T", "-L", f"{port}:127.0.0.1:{there}")))
        assert program.stdout is not None and program.stdin is not None and program.stdout.readline() == b"up\n"
        with to_port(port) as one:
            one.sendall(b"through")
            got = one.recv(100)
        program.stdin.write(b"\n")
        program.stdin.close()
        return got, program.wait(60)


@SAME
def one_that_does_not_read_stops_no_other(side: Side) -> object:
    port = free()
    with served(Telling) as there, served(Echo) as other:
        more = ("-L", f"{port}:127.0.0.1:{there}", "-L", f"{(second := free())}:127.0.0.1:{other}")
        with forwarding(side, *more), to_port(port) as stalled, to_port(second) as quick:
            stalled.recv(1)
            quick.sendall(b"ping")
            return quick.recv(10)


@pytest.mark.parametrize(
    "name",
    SAME.names(
        "a_port_of_the_target",
        "a_conversation",
        "a_socket_of_the_target",
        "a_port_listened_on_there",
        "socks",
        "standard_input_and_output",
        "nobody_listens",
        "one_that_does_not_read_stops_no_other",
    ),
)
def test_as_directly(sides: Sides, name: str) -> None:
    sides.same(SAME[name])


def test_a_request_that_is_too_early_for_anything(sides: Sides) -> None:
    """`-O exit` on a connection that is idle."""
    side = sides.through()
    with side.master() as control:
        seen: Seen = side.run(["ssh", "-F", str(side.config), *control, "-O", "exit", "host"])
        assert b"Exit request sent" in seen.err
        until(lambda: not os.path.exists(control[-1]), 60)
