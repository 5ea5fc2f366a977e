"""Dropbear's client, which comes with a lease or token as its password: the same commands, forwards and ends as directly."""

from __future__ import annotations

import subprocess
from functools import partial

import pytest

from tests.protocols.contract import until
from tests.protocols.ssh.compare.sides import BIG, Seen, Side, Sides, Table, need
from tests.protocols.ssh.compare.test_forwards import SUM, Summing, free, served, summed, to_port
from tests.protocols.ssh.compare.test_terminals import Typist

SAME = Table()


@pytest.fixture(autouse=True)
def _there() -> None:
    need("dbclient", "dropbearconvert")


def client(side: Side, *words: str, more: tuple[str, ...] = ("-T",)) -> list[str]:
    """Directly it has a key, as it knows no certificates."""
    login = ["-i", str(key(side))] if not side.through else []
    # Twice, or a host that has two keys is taken for a forger.
    return ["dbclient", "-y", "-y", *login, "-p", str(side.port), *more, f"{side.user}@127.0.0.1", *words]


def key(side: Side) -> str:
    path = side.here / ".cache-key"
    if not path.exists():
        subprocess.run(
            ["dropbearconvert", "openssh", "dropbear", str(side.gate.home / "direct"), str(path)],
            check=True,
            capture_output=True,
        )
    return str(path)


def run(side: Side, *words: str, more: tuple[str, ...] = ("-T",), **how: object) -> Seen:
    return side.run(client(side, *words, more=more), heard=heard, DROPBEAR_PASSWORD=side.password, **how)  # type: ignore[arg-type]


def heard(err: bytes) -> bytes:
    """Without which host and login it is, and whom it gives the password to."""
    lines = err.removeprefix(b"hooptui").splitlines(keepends=True)
    return b"".join(
        line for line in lines if not line.startswith((b"dbclient: Caution", b"Login for ", b"\n"))
    ).removeprefix(b"hooptui")


def command(side: Side, text: str, status: int = 0, stdin: bytes = b"") -> Seen:
    return run(side, text, status=status, stdin=stdin)


for _name, _how in {
    "status": {"text": "exit 7", "status": 7},
    "both_streams": {"text": "echo out; echo err >&2; exit 3", "status": 3},
    "fed": {"text": "sha256sum", "stdin": BIG},
    "fed_and_given_back": {"text": "cat", "stdin": BIG[:100_000]},
    "big_stdout": {"text": "seq 1000000"},
    "big_stderr": {"text": "seq 300000 >&2"},
    "bytes": {"text": r"printf '\377\000\376'"},
    "not_read": {"text": "exit 4", "status": 4, "stdin": BIG[:3_000_000]},
    "long_command": {"text": "printf %s " + "x" * 9_000 + " | wc -c"},
    "no_such_program": {"text": "/no/such/program", "status": 127},
}.items():
    SAME.add(_name, partial(command, **_how))  # type: ignore[arg-type]


@SAME
def a_shell_that_is_fed(side: Side) -> Seen:
    return run(side, stdin=b"echo hello\nexit 6\n", status=6)


@SAME
def a_port_of_the_target(side: Side) -> bytes:
    port = free()
    with served(Summing) as there:
        program = side.gate.start(
            ["env", f"DROPBEAR_PASSWORD={side.password}", f"HOME={side.here}", *client(side, more=("-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{there}"))],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return until(partial(_summed, port), 60)
        finally:
            program.terminate()
            program.wait(60)


def _summed(port: int) -> bytes:
    try:
        return summed(partial(to_port, port), BIG[:1_000_000])
    except OSError:
        return b""


@SAME
def a_port_listened_on_there(side: Side) -> bytes:
    port = free()
    with served(Summing) as here:
        program = side.gate.start(
            ["env", f"DROPBEAR_PASSWORD={side.password}", f"HOME={side.here}", *client(side, more=("-N", "-R", f"127.0.0.1:{port}:127.0.0.1:{here}"))],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return until(partial(_summed, port), 60)
        finally:
            program.terminate()
            program.wait(60)


@SAME
def standard_input_and_output(side: Side) -> Seen:
    with served(Summing) as there:
        seen = run(side, more=("-B", f"127.0.0.1:{there}"), stdin=BIG[:500_000])
    assert len(seen.out) == len(SUM)
    return seen


@SAME
def rsync_by_it(side: Side) -> object:
    need("rsync")
    for n in range(10):
        side.file(f"tree/{n}", BIG[n * 10_000 : (n + 1) * 10_000])
    login = f"-i {key(side)}" if not side.through else ""
    shell = f"dbclient -y -y {login} -p {side.port} -l {side.user}"
    side.run(["rsync", "-rl", "-e", shell, "tree/", f"127.0.0.1:{side.there}/to"], DROPBEAR_PASSWORD=side.password)
    return side.trees()[1]


@SAME
def sftp_by_it(side: Side) -> object:
    """OpenSSH's sftp over dropbear's connection."""
    side.file("up", BIG[:2_000_000])
    script = side.file(".cache-dbclient", b"", mode=0o700)
    words = " ".join(client(side, more=("-T", "-s")))
    script.write_text(f"#!/bin/sh\nexec {words} sftp\n")
    batch = side.file(".cache-batch", f"cd {side.there}\nput up\nget up back\n".encode())
    side.run(["sftp", "-b", str(batch), "-S", str(script), "host"], DROPBEAR_PASSWORD=side.password)
    return side.trees()


@pytest.mark.parametrize("name", SAME.names("fed", "a_port_of_the_target", "sftp_by_it"))
def test_as_directly(sides: Sides, name: str) -> None:
    sides.same(SAME[name])


def test_a_terminal(terminals: Sides) -> None:
    def terminal(side: Side) -> bytes:
        words = [
            "env",
            f"DROPBEAR_PASSWORD={side.password}",
            *client(side, 'stty size; read a; echo "<$a>"; exit 5', more=("-t",)),
        ]
        typist = Typist(side, command=words)
        typist.sees(b"33 99")
        typist.type(b"typed\r")
        typist.sees(b"<typed>")
        return typist.ends(5)[-20:]

    terminals.same(terminal)
