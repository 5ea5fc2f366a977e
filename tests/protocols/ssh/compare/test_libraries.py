"""Programs with an SSH of their own, not OpenSSH's: paramiko, libssh2 and asyncssh, each by what it is mostly used for."""

from __future__ import annotations

import asyncio
import hashlib
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import asyncssh
import paramiko
import pytest
from ssh2.session import Session as LibSsh2

from tests.protocols.ssh.compare.sides import BIG, Side, Sides, Table, need, short
from tests.protocols.ssh.compare.test_forwards import SUM, Summing, everything, served

SAME = Table()
TERMINAL = Table()


# --- paramiko


@contextmanager
def by_paramiko(side: Side) -> Iterator[paramiko.SSHClient]:
    client = paramiko.SSHClient()
    client.load_host_keys(str(side.gate.home / "known_hosts"))
    login: dict[str, Any] = (
        {"password": side.password} if side.through else {"key_filename": str(side.gate.home / "direct")}
    )
    client.connect(
        "127.0.0.1",
        side.port,
        side.user,
        **login,
        look_for_keys=False,
        allow_agent=False,
        timeout=60,
        banner_timeout=60,
        auth_timeout=60,
    )
    try:
        yield client
    finally:
        client.close()


def ran(client: paramiko.SSHClient, command: str | bytes, stdin: bytes = b"", **how: Any) -> tuple[int, bytes, bytes]:
    given, out, err = client.exec_command(command, timeout=60, **how)  # type: ignore[arg-type]
    feeder = threading.Thread(target=lambda: (given.write(stdin), given.channel.shutdown_write()))
    feeder.start()
    errors: list[bytes] = []
    reader = threading.Thread(target=lambda: errors.append(err.read()))
    reader.start()
    said = out.read()
    feeder.join()
    reader.join()
    return out.channel.recv_exit_status(), short(said), short(errors[0])


@SAME
def paramiko_runs_commands(side: Side) -> object:
    with by_paramiko(side) as client:
        seen = [ran(client, f"echo out {n}; echo err {n} >&2; exit {n}") for n in (0, 1, 7, 127, 255)]
        seen += [ran(client, "sha256sum", BIG[:2_000_000]), ran(client, "seq 100000"), ran(client, "seq 50000 >&2")]
        seen += [ran(client, "kill -TERM $$"), ran(client, b"printf %s '\xff\xfe' | od -An -tx1"), ran(client, "")]
    assert [one[0] for one in seen[:5]] == [0, 1, 7, 127, 255]
    return seen


@SAME
def paramiko_runs_many_at_once(side: Side) -> object:
    with by_paramiko(side) as client:
        channels = []
        for n in range(20):
            _, out, _ = client.exec_command(f"echo {n}; exit {n}", timeout=60)
            channels.append(out)
        return [(out.read(), out.channel.recv_exit_status()) for out in channels]


@SAME
def paramiko_sets_variables(side: Side) -> object:
    with by_paramiko(side) as client:
        return ran(client, 'echo "$LC_TIME|$LANG"', environment={"LC_TIME": "fr", "LANG": "xx"})


@SAME
def paramiko_moves_files(side: Side) -> object:
    with by_paramiko(side) as client, client.open_sftp() as sftp:
        sftp.chdir(str(side.there))
        sftp.putfo(io.BytesIO(BIG), "up")
        back = io.BytesIO()
        sftp.getfo("up", back)
        assert back.getvalue() == BIG
        sftp.mkdir("dir", 0o750)
        sftp.rename("up", "dir/moved")
        sftp.posix_rename("dir/moved", "dir/again")
        sftp.symlink("dir/again", "link")
        sftp.chmod("dir/again", 0o640)
        sftp.truncate("dir/again", 1000)
        with sftp.open("dir/again", "r+b") as file:
            file.seek(500)
            file.write(b"middle")
            file.seek(0)
            file.prefetch()
            content = file.read()
        names = sorted(sftp.listdir("."))
        kept = [
            sftp.readlink("link"),
            sftp.normalize("dir/../dir"),
            sftp.stat("link").st_size,
            sftp.lstat("link").st_mode,
        ]
        with pytest.raises(FileNotFoundError):
            sftp.open("none")
        with pytest.raises(OSError, match=r"Failure|not empty"):
            sftp.rmdir("dir")
        sftp.remove("link")
    return names, kept, short(content), side.trees()[1]


@SAME
def paramiko_reaches_ports(side: Side) -> object:
    with served(Summing) as there, by_paramiko(side) as client:
        transport = client.get_transport()
        assert transport is not None
        got = []
        for _ in range(3):
            channel = transport.open_channel("direct-tcpip", ("127.0.0.1", there), ("127.0.0.1", 1), timeout=60)
            channel.sendall(BIG[:1_000_000])
            channel.shutdown_write()
            answer = b""
            while part := channel.recv(1000):
                answer += part
            got.append(answer)
            channel.close()
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", ("127.0.0.1", 1), ("127.0.0.1", 1), timeout=60)
    assert len(got[0]) == 64
    return got


@SAME
def paramiko_is_reached_from_there(side: Side) -> object:
    with by_paramiko(side) as client:
        transport = client.get_transport()
        assert transport is not None
        port = transport.request_port_forward("127.0.0.1", 0)
        with socket.create_connection(("127.0.0.1", port), 60) as there:
            channel = transport.accept(20)
            there.sendall(b"to the client")
            got = channel.recv(100)
            channel.sendall(b"to the target")
            channel.shutdown_write()
            answer = everything(there)
        transport.cancel_port_forward("127.0.0.1", port)
    return got, answer


@TERMINAL
def paramiko_has_a_shell(side: Side) -> object:
    with by_paramiko(side) as client:
        channel = client.invoke_shell("vt100", 91, 37)
        channel.settimeout(60)
        channel.sendall(b"stty -echo; PS1=; stty size; echo $TERM; exit 9\n")
        said = b""
        while part := channel.recv(4096):
            said += part
        assert b"37 91" in said and b"vt100" in said
        return channel.recv_exit_status()


@TERMINAL
def paramiko_resizes(side: Side) -> object:
    with by_paramiko(side) as client:
        transport = client.get_transport()
        assert transport is not None
        channel = transport.open_session(timeout=60)
        channel.settimeout(60)
        channel.get_pty("xterm", 80, 24)
        channel.exec_command("trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.02; done")
        said = channel.recv(100)
        channel.resize_pty(120, 50)
        while part := channel.recv(100):
            said += part
        return said, channel.recv_exit_status()


# --- libssh2, by its binding and in curl


@SAME
def libssh2_runs_commands(side: Side) -> object:
    seen = []
    with socket.create_connection(("127.0.0.1", side.port), 60) as sock:
        session = LibSsh2()
        session.handshake(sock)
        if side.through:
            session.userauth_password(side.user, side.password)
        else:
            session.userauth_publickey_fromfile(side.user, str(side.gate.home / "direct"))
        for command in ("echo out; echo err >&2; exit 5", "seq 20000", "kill -TERM $$"):
            channel = session.open_session()
            channel.execute(command)
            said = b""
            while (got := channel.read(65536))[0] > 0:
                said += got[1]
            errors = channel.read_stderr()[1]
            channel.close()
            channel.wait_closed()
            seen.append((short(said), errors, channel.get_exit_status(), channel.get_exit_signal()[1]))
        session.disconnect()
    assert seen[0][:3] == (b"out\n", b"err\n", 5)
    return seen


def curl(side: Side, *words: str) -> object:
    need("curl")
    login = (
        ["-u", f"{side.user}:{side.password}"]
        if side.through
        else ["-u", f"{side.user}:", "--key", str(side.gate.home / "direct")]
    )
    seen = side.run(["curl", "-sS", "--insecure", *login, *words])
    return seen.out, seen.err


def curl_speaks(side: Side, scheme: str) -> object:
    side.file("up", BIG[:3_000_000])
    url = f"{scheme}://127.0.0.1:{side.port}{side.there}/to"
    return curl(side, "-T", "up", url), curl(side, "-o", "back", url), side.trees()


SAME.add("curl_speaks_sftp", partial(curl_speaks, scheme="sftp"))
SAME.add("curl_speaks_scp", partial(curl_speaks, scheme="scp"))


# --- asyncssh


def by_asyncssh(side: Side, use: Any) -> object:
    home = side.gate.home

    async def run() -> object:
        keys: Any = [(str(home / "id"), str(home / "id-cert.pub"))] if side.through else [str(home / "direct")]
        async with asyncssh.connect(
            "127.0.0.1", side.port, config=None, username=side.user, client_keys=keys, known_hosts=str(home / "known_hosts"),
            agent_path=None, encoding=None,
        ) as connection:  # fmt: skip
            return await asyncio.wait_for(use(connection), 60)

    return asyncio.run(run())


@SAME
def asyncssh_hears_every_status(side: Side) -> object:
    """All 256, sixteen at a time on one connection."""

    async def use(connection: asyncssh.SSHClientConnection) -> object:
        turn = asyncio.Semaphore(16)

        async def one(n: int) -> object:
            async with turn:
                done = await connection.run(f"echo {n}; exit {n}", encoding=None)
                return done.exit_status, done.stdout

        return await asyncio.gather(*map(one, range(256)))

    seen = by_asyncssh(side, use)
    assert isinstance(seen, list) and [status for status, _ in seen] == list(range(256))
    return seen


@SAME
def asyncssh_hears_signals(side: Side) -> object:
    async def use(connection: asyncssh.SSHClientConnection) -> object:
        names = ("ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "SEGV", "TERM", "USR1", "USR2")
        done = [
            await connection.run(f"ulimit -c 0; exec sh -c 'kill -{name} $$; sleep 3'", encoding=None) for name in names
        ]
        return [(one.exit_status, one.exit_signal) for one in done]

    seen = by_asyncssh(side, use)
    assert isinstance(seen, list) and seen[0][1][0] == "ABRT"
    return seen


@SAME
def asyncssh_sends_signals(side: Side) -> object:
    async def use(connection: asyncssh.SSHClientConnection) -> object:
        heard = []
        for name, number in (("TERM", 15), ("USR1", 10), ("HUP", 1), ("INT", 2)):
            program = await connection.create_process(
                f"trap 'echo got {number}; exit {number}' {name}; echo ready; while :; do sleep 0.02; done",
                encoding=None,
            )
            heard.append(await program.stdout.readline())
            program.send_signal(name)
            done = await program.wait()
            heard.append((done.exit_status, done.stdout))
        return heard

    return by_asyncssh(side, use)


@SAME
def asyncssh_moves_files(side: Side) -> object:
    async def use(connection: asyncssh.SSHClientConnection) -> object:
        async with connection.start_sftp_client() as sftp:
            await sftp.chdir(str(side.there))
            await sftp.put(str(side.file("up", BIG)), "up")
            await sftp.get("up", str(side.here / "back"))
            await sftp.mkdir("dir")
            await sftp.rename("up", "dir/moved")
            found = sorted([str(name) async for name in _names(sftp)])
            return found, await sftp.exists("dir/moved"), (await sftp.stat("dir/moved")).size

    return by_asyncssh(side, use), side.trees()


async def _names(sftp: asyncssh.SFTPClient) -> Any:
    for name in await sftp.listdir("."):
        yield name


@SAME
def asyncssh_forwards(side: Side) -> object:
    async def use(connection: asyncssh.SSHClientConnection) -> object:
        reader, writer = await connection.open_connection("127.0.0.1", there, encoding=None)
        writer.write(BIG)
        writer.write_eof()
        return await reader.read()

    with served(Summing) as there:
        got = by_asyncssh(side, use)
    assert got == SUM == hashlib.sha256(BIG).hexdigest().encode()
    return got


@TERMINAL
def asyncssh_sends_a_break(side: Side) -> object:
    async def use(connection: asyncssh.SSHClientConnection) -> object:
        program = await connection.create_process(
            'echo ready; read a; echo "<$a>"; exit 4', term_type="xterm", encoding=None
        )
        heard = await program.stdout.readline()
        program.send_break(500)
        program.stdin.write(b"on\n")
        done = await program.wait()
        return heard, done.exit_status, done.stdout

    return by_asyncssh(side, use)


@pytest.mark.parametrize(
    "name",
    SAME.names(
        "paramiko_runs_commands",
        "paramiko_moves_files",
        "libssh2_runs_commands",
        "curl_speaks_sftp",
        "asyncssh_hears_every_status",
        "asyncssh_forwards",
    ),
)
def test_as_directly(sides: Sides, name: str) -> None:
    sides.same(SAME[name])


@pytest.mark.parametrize("name", TERMINAL.names("paramiko_has_a_shell"))
def test_as_directly_in_a_terminal(terminals: Sides, name: str) -> None:
    terminals.same(TERMINAL[name])
