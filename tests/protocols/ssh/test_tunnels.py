"""Forwards with the stock client: where they may go, where not, and what passes."""

from __future__ import annotations

import hashlib
import os
import socket
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hooptui.core.events import Asked, Decided, Finished
from hooptui.core.model import Decision, Operation, SshFacts
from tests.core.world import allow, deny
from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import Gatehouse, open_gate
from tests.ssh_server import SshServer

BIG = os.urandom(1 << 20) * 6


class Summing(socketserver.BaseRequestHandler):
    """Reads to the end of file, then answers: works only over a forward that passes on one end of file and keeps the other way open."""

    def handle(self) -> None:
        digest = hashlib.sha256()
        while data := self.request.recv(65536):
            digest.update(data)
        self.request.sendall(digest.hexdigest().encode())


class Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    with Tcp(("127.0.0.1", 0), Summing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def only(*places: str) -> Callable[[Operation], Decision]:
    """Forwards to these, and everything else that is no forward."""

    def answer(operation: Operation) -> Decision:
        facts = operation.facts
        assert isinstance(facts, SshFacts)
        return allow() if not facts.destinations or facts.destinations <= set(places) else deny()

    return answer


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def summed(connect: Callable[[], socket.socket], data: bytes = BIG) -> str:
    with connect() as there:
        there.settimeout(60)
        there.sendall(data)
        there.shutdown(socket.SHUT_WR)
        answer = b""
        while part := there.recv(1000):
            answer += part
    return answer.decode()


def tcp(port: int) -> Callable[[], socket.socket]:
    return lambda: socket.create_connection(("127.0.0.1", port), 60)


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_local_forward_that_is_allowed(server: SshServer, service: int) -> None:
    with open_gate(server, only(f"127.0.0.1:{service}")) as gate:
        port = free()
        gate.start(gate.through("-N", "-L", f"{port}:127.0.0.1:{service}"), stdin=subprocess.DEVNULL)
        until(lambda: listening(port))
        for _ in range(3):
            assert summed(tcp(port)) == hashlib.sha256(BIG).hexdigest()
        until(lambda: [one.tag for one in gate.book.bodies(Finished)].count("closed") >= 3)
        assert gate.book.bodies(Asked)[0].verb == "forward_out"


def test_a_destination_that_is_not_allowed_says_why(server: SshServer, service: int) -> None:
    with open_gate(server, only("127.0.0.1:1")) as gate:
        done = gate.run(gate.through("-W", f"127.0.0.1:{service}"))
        assert done.returncode != 0
        assert b"administratively prohibited" in done.stderr and b"DDL goes through migrations" in done.stderr
        assert not server.sessions(), "the target was not even dialled"


def test_ssh_inside_ssh_is_refused_whatever_the_policy_says(server: SshServer) -> None:
    with open_gate(server, lambda _: allow()) as gate:
        done = gate.run(gate.through("-W", "127.0.0.1:22"))
        assert done.returncode != 0 and b"cannot be judged" in done.stderr
        assert [body.effect for body in gate.book.bodies(Decided)] == ["deny"]


def test_w_as_netcat(server: SshServer, service: int) -> None:
    with open_gate(server, lambda _: allow()) as gate:
        done = gate.run(gate.through("-W", f"127.0.0.1:{service}"), stdin=BIG)
        assert done.stdout.decode() == hashlib.sha256(BIG).hexdigest()


def test_a_dynamic_forward_is_judged_connection_by_connection(server: SshServer, service: int) -> None:
    with open_gate(server, only(f"127.0.0.1:{service}")) as gate:
        port = free()
        gate.start(gate.through("-N", "-D", str(port)), stdin=subprocess.DEVNULL)
        until(lambda: listening(port))

        def socks(to: int) -> socket.socket:
            there = socket.create_connection(("127.0.0.1", port), 60)
            there.sendall(b"\x05\x01\x00")
            assert there.recv(2) == b"\x05\x00"
            there.sendall(b"\x05\x01\x00\x01" + socket.inet_aton("127.0.0.1") + to.to_bytes(2, "big"))
            answer = there.recv(10)
            if not answer or answer[1]:
                there.close()
                raise ConnectionError("refused")
            return there

        assert summed(lambda: socks(service)) == hashlib.sha256(BIG).hexdigest()
        with pytest.raises(ConnectionError):
            socks(service + 1)
        assert summed(lambda: socks(service), b"again") == hashlib.sha256(b"again").hexdigest()


def test_nobody_answers_at_the_destination(server: SshServer) -> None:
    with open_gate(server, lambda _: allow()) as gate:
        done = gate.run(gate.through("-W", f"127.0.0.1:{free()}"))
        assert done.returncode != 0 and b"the target says" in done.stderr
        assert gate.run(gate.through("echo in")).stdout == b"in\n"
        assert not gate.door.troubles


@pytest.mark.parametrize("wanted", [0, 1])
def test_a_remote_forward_that_is_allowed(server: SshServer, service: int, wanted: int) -> None:
    with open_gate(server, lambda _: allow()) as gate:
        port = free() if wanted else 0
        program = gate.start(
            gate.through("-N", "-R", f"127.0.0.1:{port}:127.0.0.1:{service}"), stdin=subprocess.DEVNULL
        )
        if not wanted:
            assert program.stderr is not None
            line = program.stderr.readline()
            assert b"Allocated port" in line
            port = int(line.split()[2])
        until(lambda: [one for one in gate.book.bodies(Finished) if one.tag.startswith("listening")])
        assert summed(tcp(port)) == hashlib.sha256(BIG).hexdigest()
        program.terminate()
        program.wait(60)
        until(lambda: not listening(port))


def test_a_remote_forward_that_is_not_allowed(server: SshServer, service: int) -> None:
    with open_gate(server, lambda one: deny() if one.verb == "forward_in" else allow()) as gate:
        port = free()
        done = gate.run(
            gate.through("-N", "-R", f"127.0.0.1:{port}:127.0.0.1:{service}", more=("-o", "ExitOnForwardFailure=yes"))
        )
        assert done.returncode == 255 and b"remote port forwarding failed" in done.stderr
        assert not listening(port)


def test_sockets_with_a_path(server: SshServer) -> None:
    path = server.home / "service"
    with Unix(str(path), Summing) as unix, open_gate(server, only(str(path))) as gate:
        threading.Thread(target=unix.serve_forever, daemon=True).start()
        path.chmod(0o777)
        port = free()
        gate.start(gate.through("-N", "-L", f"{port}:{path}"), stdin=subprocess.DEVNULL)
        until(lambda: listening(port))
        assert summed(tcp(port)) == hashlib.sha256(BIG).hexdigest()
        unix.shutdown()


def test_a_path_listened_on(server: SshServer, service: int) -> None:
    path = Path(server.home) / "listened"
    with open_gate(server, lambda _: allow()) as gate:
        gate.start(gate.through("-N", "-R", f"{path}:127.0.0.1:{service}"), stdin=subprocess.DEVNULL)
        until(lambda: [one for one in gate.book.bodies(Finished) if one.tag.startswith("listening")])

        def connect() -> socket.socket:
            there = socket.socket(socket.AF_UNIX)
            there.connect(str(path))
            return there

        assert summed(connect) == hashlib.sha256(BIG).hexdigest()


def test_a_kill_closes_forwards(server: SshServer, service: int) -> None:
    with open_gate(server, lambda _: allow()) as gate:
        port = free()
        program = gate.start(gate.through("-N", "-L", f"{port}:127.0.0.1:{service}"), stdin=subprocess.DEVNULL)
        until(lambda: listening(port))
        with socket.create_connection(("127.0.0.1", port), 60) as there:
            there.sendall(b"on its way")
            until(lambda: gate.door.sessions and gate.door.sessions[-1].counters.bytes_in)
            done = gate.call(gate.door.sessions[-1].kill("ops-1", "enough"))
            assert done.confirmed
            there.settimeout(60)
            assert there.recv(100) == b""
        assert program.wait(60) == 255
        until(lambda: not server.sessions())


def test_the_agent_is_not_carried(gate: Gatehouse) -> None:
    done = gate.run(gate.through('echo "[$SSH_AUTH_SOCK]"', more=("-A",)))
    assert done.stdout == b"[]\n"
