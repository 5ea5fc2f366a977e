"""Commands by the stock client: how they end, what they say on which stream, what they are fed, and what is left on the target."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from tests.protocols.contract import until
from tests.protocols.ssh.compare.sides import BIG, Seen, Side, Sides, Table, short

SAME = Table()


# --- how it ends


def status(side: Side, number: int) -> Seen:
    return side.exec(f"exit {number}", status=number)


def ended_by(side: Side, name: str) -> Seen:
    # Without a status the client has only a word of its own: 255.
    return side.exec(f"ulimit -c 0; echo before; kill -{name} $$; sleep 5", status=255)


for _number in (0, 1, 126, 128, 255):
    SAME.add(f"status_{_number}", partial(status, number=_number))
for _name in ("TERM", "KILL", "HUP", "ABRT", "SEGV", "PIPE", "USR1"):
    SAME.add(f"ended_by_{_name}", partial(ended_by, name=_name))


@SAME
def a_program_that_is_not_there(side: Side) -> Seen:
    return side.exec("/no/such/program", status=127)


@SAME
def what_is_no_script(side: Side) -> Seen:
    return side.exec("if then", status=2)


@SAME
def a_directory_is_no_program(side: Side) -> Seen:
    return side.exec("/tmp", status=126)


# --- what it says


@SAME
def both_streams_apart(side: Side) -> Seen:
    return side.exec("for n in $(seq 400); do echo out $n; echo err $n >&2; done; exit 3", status=3)


@SAME
def big_stdout(side: Side) -> Seen:
    return side.exec("seq 3000000")


@SAME
def big_stderr(side: Side) -> Seen:
    return side.exec("seq 1000000 >&2")


@SAME
def both_big_at_once(side: Side) -> Seen:
    return side.exec("seq 500000 >&2 & seq 500000; wait")


@SAME
def bytes_that_are_no_text(side: Side) -> Seen:
    return side.exec('i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done')


@SAME
def only_a_nul(side: Side) -> Seen:
    return side.exec("printf '\\0'")


@SAME
def a_line_without_an_end(side: Side) -> Seen:
    return side.exec("printf no-end; printf no-end >&2")


@SAME
def lines_of_a_megabyte(side: Side) -> Seen:
    return side.exec("for n in 1 2 3; do head -c 1000000 /dev/zero | tr '\\0' y; echo; done")


@SAME
def one_byte_at_a_time(side: Side) -> Seen:
    return side.exec("for n in $(seq 60); do printf .; sleep 0.002; done")


@SAME
def stdout_closed_before_the_end(side: Side) -> Seen:
    return side.exec("echo a; exec 1>&-; sleep 0.1; echo late >&2; exit 4", status=4)


@SAME
def stderr_closed_before_the_end(side: Side) -> Seen:
    return side.exec("echo a >&2; exec 2>&-; sleep 0.1; echo late; exit 5", status=5)


@SAME
def both_closed_before_the_end(side: Side) -> Seen:
    return side.exec("echo a; exec 1>&- 2>&-; sleep 0.1; exit 6", status=6)


@SAME
def what_runs_on_behind_it(side: Side) -> Seen:
    return side.exec("(sleep 0.2; echo late) & echo started")


# --- its command line


@SAME
def an_empty_command(side: Side) -> Seen:
    return side.exec("")


@SAME
def words_and_quotes(side: Side) -> Seen:
    return side.exec("printf '%s|'", '"a b"', "'c  d'", "e\\ f", "'$HOME'", "*", "'g;h'")


@SAME
def many_lines(side: Side) -> Seen:
    return side.exec("printf 'a\nb\n'\necho c\nexit 9", status=9)


@SAME
def a_here_document(side: Side) -> Seen:
    return side.exec("cat <<'END'\n$no `substitution` \\\nEND")


@SAME
def a_command_of_100_kilobytes(side: Side) -> Seen:
    return side.exec("printf %s " + "x" * 100_000 + " | wc -c")


@SAME
def a_command_that_is_not_utf_8(side: Side) -> Seen:
    return side.exec(b"printf %s '\xff\xfe\xe9\xc0\xaf' | od -An -tx1")


@SAME
def a_command_in_every_script(side: Side) -> Seen:
    return side.exec("printf '%s\\n' 'ünïcödé 日本語 \U0001f600 \u202ertl'")


@SAME
def where_it_is(side: Side) -> Seen:
    return side.exec("pwd; umask; ulimit -n; id; tty; test -t 0 || echo no terminal", status=0)


# --- what it is fed


@SAME
def fed_from_a_pipe(side: Side) -> Seen:
    return side.exec("sha256sum; echo done", stdin=BIG)


@SAME
def fed_and_given_back(side: Side) -> Seen:
    return side.exec("cat", stdin=BIG)


@SAME
def fed_from_a_file(side: Side) -> int:
    source, got = side.file("source", BIG), side.here / "got"
    with source.open("rb") as given, got.open("wb") as taken:
        program = side.start(side.ssh("sha256sum; exit 3"), stdin=given, stdout=taken)
        assert program.wait(60) == 3
    assert got.read_bytes().split()[0]
    return len(got.read_bytes())


@SAME
def fed_by_nothing(side: Side) -> Seen:
    return side.exec("cat; echo after", stdin=None)


@SAME
def told_to_feed_nothing(side: Side) -> Seen:
    return side.exec("cat; echo after", more=("-T", "-n"), stdin=b"not this")


@SAME
def with_its_input_closed(side: Side) -> int:
    command = " ".join(f"'{word}'" for word in side.ssh("cat; echo after"))
    done = side.run(["sh", "-c", f"exec {command} <&-"], stdin=None)
    return done.status


@SAME
def fed_more_than_it_reads(side: Side) -> Seen:
    return side.exec("head -c 10; exit 9", stdin=b"0123456789" * 400_000, status=9)


@SAME
def fed_what_it_never_reads(side: Side) -> Seen:
    return side.exec("exit 2", stdin=BIG, status=2)


@SAME
def its_input_ends_and_it_goes_on(side: Side) -> Seen:
    return side.exec("wc -c; sleep 0.1; echo still here; exit 1", stdin=b"x" * 5000, status=1)


@SAME
def it_closes_its_input_and_goes_on(side: Side) -> Seen:
    return side.exec("exec 0<&-; sleep 0.1; echo still here; exit 1", stdin=b"x" * 3_000_000, status=1)


@SAME
def asked_and_answered(side: Side) -> list[bytes]:
    """A conversation: each line is answered before the next is sent."""
    program = side.start(side.ssh('while read line; do echo "<$line>"; done; exit 7'))
    assert program.stdin is not None and program.stdout is not None
    heard = []
    for n in range(50):
        program.stdin.write(b"line %d\n" % n)
        program.stdin.flush()
        heard.append(program.stdout.readline())
    program.stdin.close()
    assert program.wait(60) == 7
    return heard


@SAME
def a_shell_without_a_terminal(side: Side) -> Seen:
    return side.exec(stdin=b"echo from stdin; tty\nfalse\necho $?\nexit 6\n", status=6)


@SAME
def a_login_shell_that_reads_a_script(side: Side) -> Seen:
    return side.exec("sh -s -- a 'b c'", stdin=b'printf "%s|" "$@"\nexit 8\n', status=8)


# --- its surroundings


@SAME
def languages_pass(side: Side) -> Seen:
    more = ("-T", "-o", "SetEnv=LC_ALL=C LC_TIME=de LANG=xx")
    return side.exec('echo "$LC_ALL|$LC_TIME|$LANG"', more=more)


@SAME
def other_variables_do_not(side: Side) -> Seen:
    more = ("-T", "-o", "SetEnv=LD_PRELOAD=/tmp/x.so PATH=/tmp EDITOR=x BASH_ENV=/tmp/x")
    return side.exec('echo "$LD_PRELOAD|$EDITOR|$BASH_ENV|$PATH"', more=more)


@SAME
def sent_from_the_environment(side: Side) -> Seen:
    more = ("-T", "-o", "SendEnv=LC_* SECRET")
    return side.exec('echo "$LC_MESSAGES|$SECRET"', more=more, LC_MESSAGES="nl", SECRET="no")


@SAME
def what_it_leaves_on_the_target(side: Side) -> object:
    side.exec(
        f"cd {side.there} && mkdir -p a/b && echo x > a/b/c && ln -s c a/b/d && chmod 600 a/b/c && cat > fed",
        stdin=b"fed\0",
    )
    return side.trees()


@SAME
def put_in_the_background(side: Side) -> object:
    """`-f` returns when the command has started, which then goes on."""
    command = side.ssh(f"sleep 0.3; echo done > {side.there}/done", more=("-f",))
    program = side.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert program.wait(60) == 0
    until(lambda: (side.there / "done").exists() and (side.there / "done").read_bytes(), 60)
    return side.trees()


@SAME
def interrupted(side: Side) -> int:
    program = side.start(side.ssh("echo up; exec sleep 300"), stdin=subprocess.DEVNULL)
    assert program.stdout is not None and program.stdout.readline() == b"up\n"
    program.send_signal(signal.SIGINT)
    return program.wait(60)


@SAME
def cut_off_it_writes_into_nothing(side: Side) -> bool:
    """A client that is killed leaves nothing running that still talks."""
    program = side.start(
        side.ssh(f"echo $$ > {side.there}/pid; while echo on; do sleep 0.05; done"), stdin=subprocess.DEVNULL
    )
    assert program.stdout is not None and program.stdout.readline() == b"on\n"
    pid = int((side.there / "pid").read_text())
    program.kill()
    program.wait(60)
    return bool(until(lambda: not os.path.exists(f"/proc/{pid}"), 10))


# --- the connection


@SAME
def asked_whether_it_lives(side: Side) -> Seen:
    return side.exec("sleep 1.3; echo alive", more=("-T", "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1"))


def rekeyed_every_megabyte(side: Side, size: int = 12_000_000) -> Seen:
    return side.exec(f"yes 'a line of text' | head -c {size}", more=("-T", "-o", "RekeyLimit=1M"))


SAME.add("rekeyed_every_megabyte", rekeyed_every_megabyte)


@SAME
def rekeyed_while_it_is_fed(side: Side) -> Seen:
    return side.exec("sha256sum", stdin=BIG, more=("-T", "-o", "RekeyLimit=1M"))


@SAME
def compressed(side: Side) -> Seen:
    return side.exec("cat; seq 200000", stdin=BIG, more=("-T", "-C"))


@SAME
def one_after_the_other(side: Side) -> list[Seen]:
    return [side.exec(f"echo {n}; exit {n}", more=("-T",), status=n) for n in range(4)]


PROXY = """
import os, socket, sys, threading
there = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        there.sendall(data)
    os._exit(0)
threading.Thread(target=up, daemon=True).start()
while data := there.recv(65536):
    os.write(1, data)
"""


@SAME
def through_a_proxy_command(side: Side) -> Seen:
    proxy = side.file("proxy.py", PROXY.encode())
    more = ("-T", "-o", f"ProxyCommand={sys.executable} {proxy} %h %p")
    return side.exec("echo by a proxy; exit 3", more=more, status=3)


@SAME
def a_slow_reader(side: Side) -> bytes:
    program = side.start(side.ssh("seq 2000000 | head -c 12000000; exit 4"), stdin=subprocess.DEVNULL)
    assert program.stdout is not None
    got = bytearray()
    while part := program.stdout.read(1 << 20):
        got += part
        time.sleep(0.02)
    assert program.wait(60) == 4
    return short(bytes(got))


@SAME
def one_slow_reader_does_not_stop_the_others(side: Side) -> Seen:
    with side.master() as control:
        slow = side.start(side.ssh("head -c 40000000 /dev/zero", more=control), stdin=subprocess.DEVNULL)
        assert slow.stdout is not None
        slow.stdout.read(1)
        seen = side.exec("echo quick", more=control)
        counted = 1
        while part := slow.stdout.read(1 << 20):
            counted += len(part)
        assert counted == 40_000_000 and slow.wait(60) == 0
    return seen


@SAME
def many_at_once_on_one_connection(side: Side) -> list[tuple[int, bytes, bytes]]:
    with side.master() as control:
        programs = [
            side.start(side.ssh(f"echo {n}; head -c 100000 /dev/zero | tr '\\0' m; echo e{n} >&2; exit {n}", more=control), stdin=subprocess.DEVNULL)
            for n in range(24)
        ]  # fmt: skip
        seen = []
        for n, program in enumerate(programs):
            out, err = program.communicate(timeout=60)
            assert program.returncode == n
            seen.append((program.returncode, short(out), err))
    return seen


@SAME
def a_channel_is_closed_and_the_others_go_on(side: Side) -> list[bytes]:
    with side.master() as control:
        stays = side.start(side.ssh("cat", more=control))
        goes = side.start(side.ssh("echo up; sleep 100", more=control), stdin=subprocess.DEVNULL)
        assert stays.stdin is not None and stays.stdout is not None and goes.stdout is not None
        heard = [goes.stdout.readline()]
        goes.kill()
        goes.wait(60)
        stays.stdin.write(b"still\n")
        stays.stdin.close()
        heard.append(stays.stdout.read())
        assert stays.wait(60) == 0
    return heard


@SAME
def a_subsystem_that_is_not_there(side: Side) -> int:
    """Refused on both; the gate says why, and with the status of what may not run."""
    done = side.exec("no-such-subsystem", more=("-T", "-s"), status=None)
    assert not done.out
    return int(done.status != 0)


@pytest.mark.parametrize(
    "name",
    SAME.names(
        "status_1",
        "ended_by_TERM",
        "a_program_that_is_not_there",
        "both_streams_apart",
        "both_big_at_once",
        "bytes_that_are_no_text",
        "stdout_closed_before_the_end",
        "what_runs_on_behind_it",
        "words_and_quotes",
        "a_command_that_is_not_utf_8",
        "fed_from_a_pipe",
        "fed_by_nothing",
        "fed_what_it_never_reads",
        "asked_and_answered",
        "languages_pass",
        "put_in_the_background",
        "interrupted",
        "cut_off_it_writes_into_nothing",
        "rekeyed_while_it_is_fed",
        "many_at_once_on_one_connection",
        "a_channel_is_closed_and_the_others_go_on",
    ),
)
def test_as_directly(sides: Sides, name: str) -> None:
    sides.same(SAME[name])


HUNDRED = 100 << 20


def a_lot_each_way(side: Side, size: int) -> Seen:
    """Fed and read by programs, so that nothing of it is kept in the test."""
    client = " ".join(f"'{word}'" for word in side.ssh(f"sha256sum; head -c {size} /dev/zero"))
    return side.run(["sh", "-c", f"head -c {size} /dev/zero | {client} | sha256sum"], stdin=None, within=600)


@pytest.mark.long
def test_a_hundred_megabytes_each_way(sides: Sides) -> None:
    sides.same(partial(a_lot_each_way, size=HUNDRED))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_gigabyte_each_way_and_fifty_keys(sides: Sides) -> None:
    sides.same(partial(a_lot_each_way, size=1 << 30))
    sides.same(partial(rekeyed_every_megabyte, size=50_000_000))
