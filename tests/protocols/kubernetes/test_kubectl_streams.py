"""exec, cp and port-forward by the stock kubectl, over SPDY and over WebSocket: as without a gate, held, refused, masked and killed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.core.events import Asked, Decided, Finished, Output
from hooptui.core.model import MaskRule
from tests.core.world import deny, hold
from tests.protocols.contract import until
from tests.protocols.kubernetes.apiserver import ApiServer
from tests.protocols.kubernetes.gatehouse import NAME, TOKEN, Gatehouse, kubectls, open_gate

pytestmark = pytest.mark.skipif(not kubectls() and not os.environ.get("CI"), reason="kubectl is not at hand")

PROGRAMS = sorted({kubectls()[0], kubectls()[-1]}) if kubectls() else ["kubectl"]
CARD = "4111 1111 1111 1111"


@pytest.fixture(scope="module")
def house(server: ApiServer) -> Iterator[Gatehouse]:
    with open_gate(server, masks=(MaskRule("cards", detect=("credit-card",)),)) as found:
        yield found


@pytest.fixture(params=PROGRAMS, ids=[Path(one).name for one in PROGRAMS])
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (("exec", "web-1", "--", "sh", "-c", "echo out; echo err >&2; exit 3"), b""),
        (("exec", "-i", "web-1", "--", "wc", "-c"), b"x" * 300_000),
        (("exec", "-i", "web-1", "--", "cat"), os.urandom(200_000)),
        (("exec", "web-1", "--", "sh", "-c", "head -c 2000000 /dev/zero | tr '\\0' y"), b""),
        (("exec", "web-1", "--", "true"), b""),
        (("exec", "web-1", "--", "echo", "a b", "%2f;&?#"), b""),
    ],
)
def test_a_command_is_as_without_a_gate(house: Gatehouse, program: str, words: tuple[str, ...], stdin: bytes) -> None:
    direct = house.run(house.kubectl(*words, program=program, direct=True), stdin=stdin)
    through = house.run(house.kubectl(*words, program=program), stdin=stdin)
    assert (through.returncode, through.stdout, through.stderr) == (direct.returncode, direct.stdout, direct.stderr)


def test_files_are_copied_byte_by_byte(house: Gatehouse, program: str, tmp_path: Path) -> None:
    """A tar stream is policed by its operation: a card number inside would be broken by a mask."""
    source, there, back = tmp_path / "in", tmp_path / "there", tmp_path / "back"
    source.write_bytes(os.urandom(100_000) + CARD.encode())
    there.mkdir()
    up = house.run(house.kubectl("cp", str(source), f"web-1:{there}/file", program=program))
    assert up.returncode == 0, up.stderr
    assert (there / "file").read_bytes() == source.read_bytes()
    down = house.run(house.kubectl("cp", f"web-1:{there}/file", str(back), program=program))
    assert down.returncode == 0, down.stderr
    assert back.read_bytes() == source.read_bytes()


def test_output_is_masked_and_recorded_as_it_was_seen(house: Gatehouse, program: str) -> None:
    before = len(house.book.events)
    done = house.run(
        house.kubectl(
            "exec", "web-1", "--", "sh", "-c", f"echo out {CARD[:9]}{CARD[9:]}; echo err {CARD} >&2", program=program
        )
    )
    assert CARD.encode() not in done.stdout + done.stderr and done.stdout.startswith(b"out ")
    finished = until(
        lambda: [e.body for e in house.book.events[before:] if isinstance(e.body, Finished) and e.body.masked]
    )
    assert finished[0].masked == 2 and finished[0].masks == ("cards",)
    said = {e.body.stream: e.body.text for e in house.book.events[before:] if isinstance(e.body, Output)}
    assert said["stdout"].encode() == done.stdout and said["stderr"].encode() == done.stderr


@pytest.mark.parametrize("approve", [True, False])
def test_a_held_exec_is_one_approval_and_says_so(house: Gatehouse, program: str, approve: bool) -> None:
    before = len(house.book.events)
    running = house.start(house.kubectl("exec", "-i", "web-1", "--", "sh", "-c", "cat; echo hold-me", program=program))
    assert running.stdin and running.stderr
    first = running.stderr.readline()
    number = until(house.waiting)[0].number
    assert f"held for approval #{number}".encode() in first, first
    house.vote(approve, "" if approve else "not today")
    out, err = running.communicate(b"typed before the verdict\n", 20)
    asked = [e.body for e in house.book.events[before:] if isinstance(e.body, Asked) and "hold-me" in e.body.text]
    assert len(asked) == 1, "one request, one approval"
    if approve:
        assert running.returncode == 0 and out == b"typed before the verdict\nhold-me\n"
    else:
        assert running.returncode == 1 and out == b"" and b"not today" in err


def test_a_refused_exec_is_one_operation(house: Gatehouse, program: str) -> None:
    before = len(house.book.events)
    done = house.run(house.kubectl("exec", "web-1", "--", "echo", "deny-me", program=program))
    assert done.returncode == 1 and b"DDL goes through migrations" in done.stderr
    verdicts = [e.body for e in house.book.events[before:] if isinstance(e.body, Decided)]
    assert [one.effect for one in verdicts].count("deny") == 1


def test_a_client_that_is_gone_withdraws(house: Gatehouse, program: str) -> None:
    running = house.start(house.kubectl("exec", "web-1", "--", "echo", "hold-me", program=program))
    until(house.waiting)
    running.kill()
    until(lambda: not house.waiting())


def test_a_killed_exec_ends_with_the_operators_words(house: Gatehouse, server: ApiServer, program: str) -> None:
    running = house.start(house.kubectl("exec", "web-1", "--", "sh", "-c", "echo ready; sleep 60", program=program))
    assert running.stdout and running.stdout.readline() == b"ready\n"
    killed = house.call(house.door.sessions[-1].kill("ops-1", "enough"))
    assert not killed.confirmed and "closed" in killed.how and "cannot be seen" in killed.how
    _, err = running.communicate(timeout=60)
    assert running.returncode == 1 and b"terminated by ops-1: enough" in err
    until(lambda: server.streams == 0)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def raw_upgrade(house: Gatehouse, *headers: str, path: str = "/api/v1/namespaces/prod/pods/web-1/portforward") -> bytes:
    lines = [
        f"POST /clusters/{NAME}{path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {TOKEN}",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_port_forward_is_a_tunnel_both_ways(house: Gatehouse, server: ApiServer) -> None:
    with house.connect() as sock:
        sock.sendall(raw_upgrade(house, "X-Stream-Protocol-Version: portforward.k8s.io"))
        got = b""
        while b"behind the handshake" not in got:
            got += sock.recv(4096)
        assert got.startswith(b"HTTP/1.1 101 ")
        data = os.urandom(50_000)
        sock.sendall(data)
        back = b""
        while len(back) < len(data):
            back += sock.recv(65536)
        assert back == data
        # It ends with its pod.
        server.loop.call_soon_threadsafe(lambda: [plug.abort() for plug in tuple(server.connections)])
        assert sock.recv(1) == b""
    assert until(lambda: [one for one in house.book.bodies(Finished) if "50000 bytes to the pod" in one.tag])


def test_a_held_port_forward_keeps_what_its_client_sends(server: ApiServer) -> None:
    with open_gate(server, lambda _: hold()) as house, house.connect() as sock:
        sock.sendall(raw_upgrade(house, "X-Stream-Protocol-Version: portforward.k8s.io") + b"early")
        assert b" 101 " in sock.recv(4096)
        assert server.streams == 0
        house.vote(True)
        got = b""
        while b"early" not in got:
            got += sock.recv(4096)
        assert got == b"behind the handshake" + b"early"


def test_a_refused_port_forward_says_why(server: ApiServer) -> None:
    with open_gate(
        server,
        lambda op: deny() if op.verb == "port-forward" else __import__("tests.core.world", fromlist=["allow"]).allow(),
    ) as house:
        done = house.run(house.kubectl("port-forward", "web-1", f"{free_port()}:80"))
        assert done.returncode == 1 and b"DDL goes through migrations" in done.stderr
