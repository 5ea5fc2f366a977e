"""Just-in-time access, ends that are not kills, and how much one client may open."""

from __future__ import annotations

import subprocess

import asyncssh
import pytest

from hooptui.core.events import Asked, Decided, SessionClosed
from hooptui.core.gate import Why
from hooptui.core.model import Access
from hooptui.protocols.ssh.gate import Limits
from tests.core.world import TERMS
from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import TOKEN, Gatehouse, open_gate
from tests.ssh_server import SshServer

JIT = Access(frozenset({"jit"}), TERMS, "production needs a reason")


def test_access_is_asked_for_with_the_reason_and_once(gate: Gatehouse) -> None:
    gate.door.access = JIT
    control = ("-o", f"ControlPath={gate.home}/mux")
    gate.start(
        gate.through("-N", more=("-o", "ControlMaster=yes", "-o", "SetEnv=HOOPTUI_REASON=ticket-7", *control)),
        stdin=subprocess.DEVNULL,
    )
    until(lambda: (gate.home / "mux").exists())
    both = [
        gate.start(gate.through('echo "in[$HOOPTUI_REASON]"', more=control), stdin=subprocess.DEVNULL) for _ in range(2)
    ]
    until(lambda: len(gate.waiting()) == 1)
    assert not gate.server.sessions()
    first = [one.stderr.readline() for one in both if one.stderr is not None]
    gate.vote(True)
    for line, one in zip(first, both, strict=True):
        out, err = one.communicate(timeout=60)
        assert out == b"in[]\n", "the reason is for hooptui alone"
        assert b"access needs approval #1: production needs a reason" in line and b"access granted for" in err
    asked = gate.book.bodies(Asked)
    assert [body.verb for body in asked].count("connect") == 1 and asked[0].text == "ticket-7"


def test_access_that_is_denied_ends_the_connection(gate: Gatehouse) -> None:
    gate.door.access = JIT
    program = gate.start(gate.through("echo in"), stdin=subprocess.DEVNULL)
    gate.vote(False, "not today")
    out, err = program.communicate(timeout=60)
    assert not out and b"not today" in err and program.returncode in (126, 255)
    until(lambda: gate.gate.connections == 0)
    assert not gate.server.sessions()


def test_a_client_that_leaves_takes_its_request_for_access_back(gate: Gatehouse) -> None:
    gate.door.access = JIT
    program = gate.start(gate.through("echo in"), stdin=subprocess.DEVNULL)
    until(gate.waiting)
    program.kill()
    until(lambda: not gate.waiting())
    until(lambda: [body.why for body in gate.book.bodies(Decided)] == ["withdrawn"])


def test_a_session_whose_time_is_over_ends_politely(gate: Gatehouse) -> None:
    program = gate.start(gate.through("echo up; sleep 1000"), stdin=subprocess.DEVNULL)
    assert program.stdout is not None
    program.stdout.readline()
    gate.call(gate.door.sessions[-1].end(Why.DEADLINE, "this session's time is over"))
    _, err = program.communicate(timeout=60)
    assert program.returncode == 255 and b"time is over" in err
    until(lambda: not gate.server.sessions())
    assert len(gate.book.bodies(SessionClosed)) == 1


def test_a_gate_that_closes_leaves_nothing(server: SshServer) -> None:
    with open_gate(server) as gate:
        program = gate.start(gate.through("echo up; sleep 1000"), stdin=subprocess.DEVNULL)
        assert program.stdout is not None
        program.stdout.readline()
        gate.call(gate.gate.close())
        assert program.wait(60) == 255
        assert gate.gate.connections == 0
        until(lambda: not server.sessions())
        assert [len(gate.door.leavings), len(gate.book.bodies(SessionClosed))] == [1, 1]


def test_channels_are_counted(server: SshServer) -> None:
    with open_gate(server, limits=Limits(channels=3)) as gate:

        async def many() -> None:
            async with asyncssh.connect(
                "127.0.0.1", gate.port, username="web-01", password=TOKEN, known_hosts=None, config=None, client_keys=None, agent_path=None
            ) as connection:  # fmt: skip
                opened = [await connection.create_process("cat") for _ in range(3)]
                with pytest.raises(asyncssh.ChannelOpenError, match="more than 3 channels"):
                    await connection.create_process("cat")
                opened[0].stdin.write_eof()
                await opened[0].wait()
                await (await connection.create_process("true")).wait()

        gate.call(many())
