"""A kill on a host whose sshd passes no signals: everything the session started is gone, and nothing else."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from hooptui.protocols.ssh import channel, reap
from hooptui.protocols.ssh.reap import COMMAND, Reaped
from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import Gatehouse, open_gate
from tests.ssh_server import SshServer, running


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    """Root's own, where there is a root: it passes no signals on."""
    with running(terminals=True) as found:
        yield found


@pytest.fixture(scope="module")
def gate(server: SshServer) -> Iterator[Gatehouse]:
    with open_gate(server) as made:
        yield made


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason for another answer."""
    monkeypatch.setattr(reap, "WITHIN", 30.0)


def mark() -> str:
    """Seconds to sleep, like no other sleep on this machine."""
    return f"1{secrets.randbelow(10**9):09}"


def sleepers(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == b"sleep\0" + mark.encode() + b"\0":
                found.append(int(entry.name))
        except OSError:
            continue  # it has gone meanwhile
    return found


SCRIPTS: dict[str, tuple[str, int]] = {
    "a program": ("echo up; exec sleep {0}", 1),
    "below a shell": ("echo up; sleep {0}; true", 1),
    "that minds no signal": ("trap '' HUP INT TERM QUIT PIPE; echo up; while :; do sleep {0}; done", 1),
    "in the background": ("nohup sleep {0} >/dev/null 2>&1 & sleep {0} & echo up; wait", 2),
    "whose parent has gone": ("(sleep {0} >/dev/null 2>&1 &); echo up; exec sleep {0}", 2),
    "in a session of its own": ("setsid sleep {0} & echo up; exec sleep {0}", 2),
    "of an odd name": ("ln -s /bin/sleep '/tmp/x) S 1 {0}'; echo up; exec -a sleep '/tmp/x) S 1 {0}' {0}", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_was_started_is_gone_and_that_is_seen(gate: Gatehouse, name: str) -> None:
    script, many = SCRIPTS[name]
    mine = mark()
    program = gate.start(gate.through(script.format(mine)), stdin=subprocess.DEVNULL)
    assert program.stdout is not None and program.stdout.readline() == b"up\n"
    until(lambda: len(sleepers(mine)) == many)
    done = gate.call(gate.door.sessions[-1].kill("ops-1", "enough"))
    assert sleepers(mine) == [], done
    assert done.confirmed, done
    assert "processes killed on the target" in done.how and "1 seen to end" in done.how
    _, err = program.communicate(timeout=60)
    assert program.returncode == 255 and b"enough" in err
    Path(f"/tmp/x) S 1 {mine}").unlink(missing_ok=True)


def test_a_job_of_a_terminals_shell_is_gone_too(gate: Gatehouse) -> None:
    mine = mark()
    program = gate.start(gate.through(more=("-tt",)))
    assert program.stdin is not None
    program.stdin.write(f"(trap '' HUP; exec sleep {mine}) &\nsleep {mine}\n".encode())
    program.stdin.flush()
    until(lambda: len(sleepers(mine)) == 2)
    done = gate.call(gate.door.sessions[-1].kill("ops-1", "enough"))
    assert sleepers(mine) == [] and done.confirmed, done
    program.communicate(timeout=60)


def test_all_channels_of_the_connection_and_no_other_connection(gate: Gatehouse) -> None:
    mine, others = mark(), mark()
    other = gate.start(gate.through(f"exec sleep {others}"), stdin=subprocess.DEVNULL)
    until(lambda: sleepers(others))
    path = gate.home / "reaped"
    master = gate.start(gate.through("-N", more=("-M", "-S", str(path))), stdin=subprocess.DEVNULL)
    until(path.exists)
    shared = [
        gate.start(gate.through(f"exec sleep {mine}", more=("-S", str(path))), stdin=subprocess.DEVNULL)
        for _ in range(5)
    ]
    until(lambda: len(sleepers(mine)) == 5)
    done = gate.call(gate.door.sessions[-1].kill("ops-1", "enough"))
    assert sleepers(mine) == [] and done.confirmed, done
    assert "5 processes killed" in done.how and "5 seen to end" in done.how
    assert len(sleepers(others)) == 1
    for one in (*shared, master):
        one.communicate(timeout=60)
    assert gate.call(gate.door.sessions[-2].kill("ops-1", "and that")).confirmed and sleepers(others) == []
    other.communicate(timeout=60)


def test_where_it_is_switched_off_a_kill_only_signals(server: SshServer) -> None:
    mine = mark()
    with open_gate(server) as gate:
        target = gate.gate._targets["web-01"]
        gate.on_loop(
            lambda: gate.gate.replace({"web-01": replace(target, upstream=replace(target.upstream, reap=False))})
        )
        program = gate.start(gate.through(f"echo up; exec sleep {mine}"), stdin=subprocess.DEVNULL)
        assert program.stdout is not None and program.stdout.readline() == b"up\n"
        done = gate.call(gate.door.sessions[-1].kill("ops-1", "enough"))
        assert "processes killed" not in done.how and "1 signalled" in done.how
        # Whether sshd passes signals to root's own logins is sshd's affair; what is said must be so.
        assert done.confirmed is (sleepers(mine) == [])
        for pid in sleepers(mine):
            os.kill(pid, 9)


def test_what_would_not_go_is_not_confirmed(gate: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stubborn(_: object) -> Reaped:
        return Reaped(2, 1)

    mine = mark()
    program = gate.start(gate.through(f"echo up; exec sleep {mine}"), stdin=subprocess.DEVNULL)
    assert program.stdout is not None and program.stdout.readline() == b"up\n"
    monkeypatch.setattr(channel, "reap", stubborn)
    done = gate.call(gate.door.sessions[-1].kill("ops-1", "enough"))
    assert not done.confirmed and "1 of them would not go" in done.how
    for pid in sleepers(mine):
        os.kill(pid, 9)


# --- targets that are not as expected


@asynccontextmanager
async def target(
    answer: Callable[[asyncssh.SSHServerProcess[bytes]], object],
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        made = answer(process)
        if hasattr(made, "__await__"):
            await made

    class Open(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return False

    key = asyncssh.generate_private_key("ssh-ed25519")
    served = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Open, server_host_keys=[key], process_factory=run, encoding=None
    )
    try:
        async with asyncssh.connect(
            "127.0.0.1", served.get_port(), known_hosts=([key.convert_to_public()], [], []), config=None
        ) as connection:
            yield connection
    finally:
        served.close()
        await served.wait_closed()


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (b"killed 3 left 0\n", Reaped(3, 0)),
        (b"killed 0 left 12\n", Reaped(0, 12)),
        (b"", None),
        (b"killed 3 left 0", None),
        (b"killed -3 left 0\n", None),
        (b"Welcome!\nkilled 3 left 0\n", None),
        (b"killed 3 left 0\nkilled 4 left 0\n", None),
        (b"killed " + b"9" * 100 + b" left 0\n", None),
        (b"x" * 1_000_000, None),
        (b"\xff\x1b[2J\n", None),
    ],
)
async def test_only_the_one_answer_is_understood(said: bytes, understood: Reaped | None) -> None:
    def answer(process: asyncssh.SSHServerProcess[bytes]) -> None:
        assert process.command == COMMAND
        process.stdout.write(said)
        process.exit(0)

    async with target(answer) as connection:
        assert await reap.reap(connection) == understood


async def test_a_target_that_does_not_answer_costs_no_more_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(process: asyncssh.SSHServerProcess[bytes]) -> None:
        await process.stdin.read()
        process.exit(0)

    monkeypatch.setattr(reap, "WITHIN", 0.1)
    async with target(never) as connection:
        began = time.monotonic()
        assert await reap.reap(connection) is None
        assert time.monotonic() - began < 30


async def test_a_target_that_refuses_or_has_gone(server: SshServer) -> None:
    def gone(process: asyncssh.SSHServerProcess[bytes]) -> None:
        process.channel.get_connection().abort()

    async with target(gone) as connection:
        assert await reap.reap(connection) is None
        assert await reap.reap(connection) is None


def test_it_does_nothing_where_its_parent_is_no_sshd() -> None:
    mine = mark()
    with subprocess.Popen(["sleep", mine]) as other:
        done = subprocess.run(["/bin/sh", "-c", COMMAND], capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")
        assert len(sleepers(mine)) == 1
        other.kill()


def test_every_login_shell_hands_it_on_as_it_is() -> None:
    assert COMMAND.startswith("exec /bin/sh -c '") and COMMAND.endswith("'") and COMMAND.count("'") == 2
    assert "\n" not in COMMAND and "\\" not in COMMAND and "!" not in COMMAND.replace("!=", "")
