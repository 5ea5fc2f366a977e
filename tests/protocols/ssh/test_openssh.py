"""The stock client through the gate, each case also run directly: the same status, the same bytes on both streams."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from hooptui.core.events import Asked, Finished, Omitted, Output
from hooptui.core.events_channels import FileDone, TerminalOpened, TerminalOutput, TerminalResized
from hooptui.core.model import MaskRule
from hooptui.protocols.ssh.commands import read_command
from tests.core.world import deny
from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import Gatehouse, open_gate
from tests.ssh_server import SshServer

BIG = os.urandom(1 << 20) * 8


@pytest.fixture(scope="module")
def shared(server: SshServer) -> Iterator[Gatehouse]:
    with open_gate(server) as house:
        yield house


CASES: dict[str, tuple[tuple[str, ...], bytes]] = {
    "true": (("true",), b""),
    "status": (("exit 7",), b""),
    "status 255": (("exit 255",), b""),
    "no such program": (("/no/such/program",), b""),
    "not a script": (("if then",), b""),
    "both streams": (("echo out; echo err >&2; exit 3",), b""),
    "only stderr": (("seq 1 20000 >&2",), b""),
    "stdin": (("cat",), b"some\0bytes\xff\n"),
    "stdin not read": (("true",), b"x" * 3_000_000),
    "stdin closed": (("cat; echo after",), b""),
    "stdin counted": (("wc -c",), BIG),
    "stdin summed": (("sha256sum",), BIG),
    "and back": (("cat",), BIG),
    "big out": (("head -c 8000000 /dev/zero | tr '\\0' x",), b""),
    "big err": (("head -c 4000000 /dev/zero | tr '\\0' e >&2",), b""),
    "early exit": (("head -c 10; exit 9",), BIG),
    "stdout closed first": (("echo a; exec 1>&-; sleep 0.2; echo late >&2; exit 4",), b""),
    "no end of line": (("printf no-end",), b""),
    "nothing": (("",), b""),
    "bytes": (("printf '\\377\\000\\376'",), b""),
    "quotes": (("printf '%s|' \"a b\" 'c  d' e\\ f",), b""),
    "many lines": (("printf 'a\nb\n'\necho c",), b""),
    "killed": (("kill -KILL $$",), b""),
    "terminated": (("kill -TERM $$",), b""),
    "background": (("sleep 0.3 & echo started",), b""),
    "shell without a terminal": ((), b"echo from stdin\nexit 6\n"),
    "a long command": (("printf %s " + "x" * 100_000 + " | wc -c",), b""),
    "directory": (("pwd; umask",), b""),
}


@pytest.mark.parametrize("name", CASES)
def test_as_directly(shared: Gatehouse, name: str) -> None:
    words, stdin = CASES[name]
    direct = shared.run(shared.direct(*words, more=("-T",)), stdin=stdin)
    through = shared.run(shared.through(*words, more=("-T",)), stdin=stdin)
    assert (through.returncode, through.stderr) == (direct.returncode, direct.stderr)
    assert hashlib.sha256(through.stdout).hexdigest() == hashlib.sha256(direct.stdout).hexdigest()


def test_commands_that_are_not_utf_8(shared: Gatehouse) -> None:
    command = [*shared.through(), b"printf %s '\xff\xfe\xe9' | od -An -tx1"]
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).stdout.split() == [b"ff", b"fe", b"e9"]
    asked = shared.book.bodies(Asked)[-1]
    assert r"\xff\xfe\xe9" in asked.text


def test_only_some_variables_pass(shared: Gatehouse) -> None:
    more = ("-o", "SetEnv=LC_TIME=de HOOPTUI_TICKET=T-1 LD_PRELOAD=x LANG=xx")
    done = shared.run(shared.through('echo "$LC_TIME|$HOOPTUI_TICKET|$LD_PRELOAD|$LANG"', more=more))
    assert done.stdout == b"de|T-1||xx\n"


@pytest.mark.parametrize("wanted", ["aes128-gcm@openssh.com", "aes256-ctr"])
@pytest.mark.parametrize("compressed", ["yes", "no"])
def test_ciphers_and_compression(shared: Gatehouse, wanted: str, compressed: str) -> None:
    more = ("-c", wanted, "-o", f"Compression={compressed}", "-o", "RekeyLimit=1M")
    done = shared.run(shared.through("sha256sum", more=more), stdin=BIG)
    assert done.stdout.split()[0].decode() == hashlib.sha256(BIG).hexdigest()


def test_many_channels_of_one_connection_keep_their_statuses(shared: Gatehouse) -> None:
    control = ("-o", f"ControlPath={shared.home}/many")
    master = shared.start(shared.through("-N", more=("-o", "ControlMaster=yes", *control)), stdin=subprocess.DEVNULL)
    until(lambda: (shared.home / "many").exists())
    running = [
        (n, shared.start(shared.through(f"echo {n}; echo e{n} >&2; exit {n}", more=control), stdin=subprocess.DEVNULL))
        for n in range(40)
    ]
    for n, one in running:
        out, err = one.communicate(timeout=60)
        assert (one.returncode, out, err) == (n, f"{n}\n".encode(), f"e{n}\n".encode())
    assert len(shared.server.sessions()) >= 1
    master.terminate()
    master.wait(60)


def test_a_slow_reader_holds_the_sender_and_not_the_memory(shared: Gatehouse) -> None:
    reader = shared.start(shared.through("head -c 300000000 /dev/zero"), stdin=subprocess.DEVNULL)
    assert reader.stdout is not None
    reader.stdout.read(1)
    session = shared.door.sessions[-1]
    before = 0
    while before != session.counters.bytes_out:
        before = session.counters.bytes_out
        time.sleep(0.3)
    assert before < 16_000_000, "what is not read is not fetched"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted = 1
    while data := reader.stdout.read(1 << 20):
        counted += len(data)
    assert counted == 300_000_000 and reader.wait(60) == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 * 1024


def test_a_target_that_takes_nothing_for_a_while_holds_its_sender_and_nobody_beside(shared: Gatehouse) -> None:
    go, control = f"/tmp/{shared.home.name}-go", ("-o", f"ControlPath={shared.home}/slow")
    master = shared.start(shared.through("-N", more=("-o", "ControlMaster=yes", *control)), stdin=subprocess.DEVNULL)
    until(lambda: (shared.home / "slow").exists())
    wait = f"for _ in $(seq 2400); do if [ -e {go} ]; then break; fi; sleep 0.05; done; rm {go}; sha256sum"
    found: list[bytes] = []
    sender = shared.start(shared.through(wait, more=control))
    thread = threading.Thread(target=lambda: found.append(sender.communicate(BIG, timeout=60)[0]), daemon=True)
    counters = shared.door.sessions[-1].counters
    before = counters.bytes_in
    thread.start()
    until(lambda: counters.bytes_in - before > 1_000_000)
    # Two others come and go meanwhile, on the same connection, and what the first has sent stays within its target's window.
    for _ in range(2):
        done = shared.run(shared.through("wc -c", more=control), stdin=b"beside it")
        assert done.stdout.strip() == b"9"
    assert counters.bytes_in - before < 2_500_000, "the target's window, and what it has in its own hands"
    shared.run(shared.through(f"touch {go}", more=control))
    thread.join()
    assert found[0].split()[0].decode() == hashlib.sha256(BIG).hexdigest()
    master.terminate()
    master.wait(60)


def test_interrupted_by_its_client(shared: Gatehouse) -> None:
    program = shared.start(shared.through("echo up; sleep 30"), stdin=subprocess.DEVNULL)
    assert program.stdout is not None
    program.stdout.readline()
    program.send_signal(signal.SIGINT)
    assert program.wait(60) == 255
    until(lambda: not shared.server.sessions())
    # The target is done before the gateway knows of it.
    until(lambda: shared.book.bodies(Finished)[-1].tag == "closed without a status")


def test_a_target_that_dies_is_said(server: SshServer) -> None:
    with open_gate(server) as gate:
        program = gate.start(gate.through("echo up; sleep 30"), stdin=subprocess.DEVNULL)
        assert program.stdout is not None
        program.stdout.readline()
        server.cut()
        _, err = program.communicate(timeout=60)
        assert program.returncode == 255 and b"the target's side closed the connection" in err


# --- what the gateway adds


def test_held_input_waits_and_arrives_whole(shared: Gatehouse) -> None:
    program = shared.start(shared.through("sha256sum # hold-me"))
    thread = threading.Thread(target=lambda: shared.vote(True), daemon=True)
    thread.start()
    out, err = program.communicate(BIG, timeout=60)
    thread.join()
    assert out.split()[0].decode() == hashlib.sha256(BIG).hexdigest()
    assert b"held for approval #" in err and b"left, then it is refused" in err


def test_held_input_is_bounded(shared: Gatehouse) -> None:
    program = shared.start(shared.through("cat # hold-me"))
    assert program.stdin is not None
    os.set_blocking(program.stdin.fileno(), False)
    sent, still = 0, 0.0
    while still < 0.5:
        try:
            sent += os.write(program.stdin.fileno(), b"x" * 65536)
            still = 0.0
        except BlockingIOError:
            time.sleep(0.05)
            still += 0.05
    assert sent < 6_000_000
    shared.vote(False)
    program.stdin.close()
    assert program.wait(60) == 126


def test_denied_says_why(shared: Gatehouse) -> None:
    done = shared.run(shared.through("deny-me"))
    assert done.returncode == 126 and not done.stdout
    assert b"refused: DDL goes through migrations" in done.stderr and b"no-drop" in done.stderr


def test_subsystems_other_than_sftp_are_refused(shared: Gatehouse) -> None:
    done = shared.run(shared.through("netconf", more=("-s",)))
    assert done.returncode == 126 and b"carries no subsystem netconf" in done.stderr


def test_x11_is_not_forwarded(shared: Gatehouse) -> None:
    done = shared.run(shared.through('echo "[$DISPLAY]"', more=("-X",)), env={"DISPLAY": "localhost:9"})
    assert done.stdout == b"[]\n"


def test_a_kill_ends_the_process_and_says_so(shared: Gatehouse) -> None:
    program = shared.start(shared.through("echo $$; exec sleep 1000"), stdin=subprocess.DEVNULL)
    assert program.stdout is not None
    pid = int(program.stdout.readline())
    done = shared.call(shared.door.sessions[-1].kill("ops-1", "enough"))
    _, err = program.communicate(timeout=60)
    assert done.confirmed and done.seconds < 1 and "1 seen to end" in done.how
    assert not os.path.exists(f"/proc/{pid}")
    assert program.returncode == 255 and b"enough" in err


def test_what_was_said_is_recorded_up_to_the_cap(server: SshServer) -> None:
    with open_gate(server, cap=10_000) as gate:
        gate.run(gate.through("echo out; echo err >&2; sleep 0.3; seq 100000"))
        until(lambda: gate.book.bodies(Finished))
        kept = gate.book.bodies(Output)
        assert {one.stream for one in kept} == {"stdout", "stderr"}
        assert sum(len(one.text) for one in kept) == 10_000
        assert gate.book.bodies(Omitted)[0].bytes > 500_000


def test_secrets_are_masked_on_both_streams_and_in_the_record(server: SshServer) -> None:
    masks = (MaskRule("cards", detect=("credit-card", "email")),)
    with open_gate(server, masks=masks, read=read_command) as gate:
        done = gate.run(gate.through("cat; cat"), stdin=b"pay 4111 1111 1111 1111 to ada@example.org\n" * 3)
        assert done.returncode == 0 and done.stdout.count(b"\n") == 3
        assert b"4111" not in done.stdout and b"ada@" not in done.stdout
        err = gate.run(gate.through("cat >&2"), stdin=b"ada@example.org\n").stderr
        assert b"ada@" not in err and err
        until(lambda: len(gate.book.bodies(Finished)) == 2)
        assert gate.book.bodies(Finished)[0].masked == 6 and gate.book.bodies(Finished)[0].masks == ("cards",)
        assert all("4111" not in one.text and "ada@" not in one.text for one in gate.book.bodies(Output))


def test_a_recording_that_fails_stops_the_command(server: SshServer) -> None:
    with open_gate(server) as gate:
        program = gate.start(gate.through("echo up; sleep 1; echo more; sleep 1000"), stdin=subprocess.DEVNULL)
        assert program.stdout is not None
        program.stdout.readline()
        until(lambda: gate.book.bodies(Output))
        gate.book.broken = "disk full"
        _, err = program.communicate(timeout=60)
        assert program.returncode == 255 and b"cannot record" in err
        gate.book.broken = ""


def test_sftp_is_judged_file_by_file(server: SshServer) -> None:
    with open_gate(server) as gate:
        file = server.file("data.bin", BIG)
        batch = gate.home / "batch"
        batch.write_text(f"get {file} {gate.home}/got\nput {gate.home}/got {server.home}/put\n")
        done = gate.run(["sftp", *gate.options("-b", str(batch)), "web-01@127.0.0.1"])
        assert done.returncode == 0, done.stderr
        assert (gate.home / "got").read_bytes() == BIG == (server.home / "put").read_bytes()
        verbs = {body.verb for body in gate.book.bodies(Asked)}
        assert len(verbs) >= 2, verbs
        digest = hashlib.sha256(BIG).hexdigest()
        moved = {(one.verb, one.size, one.sha256, one.ok) for one in gate.book.bodies(FileDone) if one.size}
        assert moved == {("read", len(BIG), digest, True), ("write", len(BIG), digest, True)}
        gate.judge.answer = lambda _: deny()
        done = gate.run(["sftp", *gate.options("-b", str(batch)), "web-01@127.0.0.1"])
        assert done.returncode != 0


# --- terminals


@pytest.fixture(scope="module")
def pty(terminals: SshServer) -> Iterator[Gatehouse]:
    with open_gate(terminals) as house:
        yield house


def test_a_terminal_as_directly(pty: Gatehouse) -> None:
    for words in (
        ("test -t 0 && test -t 1 && test -t 2; echo $?; echo $TERM; exit 5",),
        ("stty -a | grep -o 'erase = [^;]*'",),
    ):
        direct = pty.run(pty.direct(*words, more=("-tt",)))
        through = pty.run(pty.through(*words, more=("-tt",)))
        assert (through.returncode, through.stdout) == (direct.returncode, direct.stdout)


def test_a_shell_in_a_terminal(pty: Gatehouse) -> None:
    done = pty.run(pty.through(more=("-tt",)), stdin=b"echo $((6*7)); exit 8\n")
    assert done.returncode == 8 and b"42" in done.stdout
    asked = pty.book.bodies(Asked)[-1]
    assert (asked.verb, asked.text) == ("shell", "interactive shell")


def test_ctrl_c_withdraws_what_is_held_in_a_terminal(pty: Gatehouse) -> None:
    program = pty.start(pty.through("echo hold-me", more=("-tt",)))
    until(pty.waiting)
    assert program.stdin is not None
    program.stdin.write(b"\x03")
    program.stdin.flush()
    assert program.wait(60) == 130
    assert not pty.waiting()


def test_a_resize_reaches_the_terminal(pty: Gatehouse) -> None:
    import fcntl
    import pty as ptys
    import struct
    import termios

    master, slave = ptys.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    program = pty.start(
        pty.through("trap 'stty size; exit 4' WINCH; stty size; while :; do sleep 0.1; done", more=("-t",)),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    seen = b""
    while b"33 99" not in seen:
        seen += os.read(master, 4096)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 111, 0, 0))
    program.send_signal(signal.SIGWINCH)
    while b"44 111" not in seen:
        seen += os.read(master, 4096)
    os.close(slave)
    assert program.wait(60) == 4
    os.close(master)
    until(lambda: any(one.tag == "exit 4" for one in pty.book.bodies(Finished)))
    opened, resized = pty.book.bodies(TerminalOpened)[-1], pty.book.bodies(TerminalResized)
    assert (opened.columns, opened.rows) == (99, 33) and resized == [TerminalResized(opened.operation, 111, 44)]
    # Other sessions of this gate have operations of the same number.
    kept = "".join(one.text for one in pty.book.bodies(TerminalOutput) if one.operation == opened.operation)
    assert kept.endswith("33 99\r\n44 111\r\n")


def test_a_terminal_is_recorded_as_what_it_shows_and_never_what_was_typed(terminals: SshServer) -> None:
    masks = (MaskRule("cards", detect=("credit-card",)),)
    with open_gate(terminals, masks=masks, terminal_cap=3000) as gate:
        command = "stty -echo; printf '\\033[31m4111 1111 1111 1111\\033[m\\n'; read x; test $x = s3cr3t-typed && seq 2000; exit 3"
        program = gate.start(gate.through(command, more=("-tt",)))
        assert program.stdin is not None and program.stdout is not None
        seen = program.stdout.readline()
        program.stdin.write(b"s3cr3t-typed\n")
        program.stdin.flush()
        seen += program.stdout.read()
        assert program.wait(60) == 3 and seen.endswith(b"2000\r\n")
        until(lambda: gate.book.bodies(Finished))
        kept = "".join(one.text for one in gate.book.bodies(TerminalOutput))
        assert "\x1b[31m" in kept and "4111 1111" not in kept and "s3cr3t-typed" not in kept
        assert seen.decode().startswith(kept), "the recording is what the client saw"
        assert not gate.book.bodies(Output)
        left_out = gate.book.bodies(Omitted)[0]
        assert left_out.cap == 3000 and len(kept.encode()) + left_out.bytes == len(seen)


def test_scp_in_both_protocols(server: SshServer) -> None:
    with open_gate(server, masks=(MaskRule("cards", detect=("credit-card",)),)) as gate:
        file = server.file("scp.bin", BIG)
        for mode in ("-O", "-s"):
            got, put = gate.home / f"got{mode}", server.home / f"put{mode}"
            down = gate.run(["scp", mode, *gate.options(), f"web-01@127.0.0.1:{file}", str(got)])
            up = gate.run(["scp", mode, *gate.options(), str(got), f"web-01@127.0.0.1:{put}"])
            assert (down.returncode, up.returncode) == (0, 0), down.stderr + up.stderr
            assert got.read_bytes() == BIG == put.read_bytes()
        assert not gate.door.troubles
        gate.judge.answer = lambda _: deny()
        done = gate.run(["scp", "-O", *gate.options(), f"web-01@127.0.0.1:{file}", str(gate.home / "no")])
        assert done.returncode != 0 and not (gate.home / "no").exists()
