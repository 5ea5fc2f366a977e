"""The demo's host, with a real sshd and with asyncssh's server: commands, who runs them, and that nothing is left."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncssh
import pytest

from hooptui.demo import host as hosts
from hooptui.demo.host import DemoHost
from hooptui.errors import UserError

SECRETS = tuple(f"secret-{n}" for n in range(50))


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="hooptui-test-"))
    directory.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    yield directory
    assert list(directory.iterdir()) == []
    directory.rmdir()


@pytest.fixture(params=["sshd", "asyncssh"])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[DemoHost]:
    if request.param == "sshd" and not hosts._sshd():
        if os.environ.get("CI") == "true":
            raise RuntimeError("no sshd")
        pytest.skip("no sshd")
    async with DemoHost(SECRETS, sshd=None if request.param == "sshd" else "") as made:
        assert Path(made.program).name == request.param
        yield made


def login(host: DemoHost) -> asyncssh.SSHClientConnection:
    trusted = ([asyncssh.import_public_key(host.host_key)], [], [])
    return asyncssh.connect(
        host.host, host.port, config=None, username=host.user, client_keys=[asyncssh.import_private_key(host.key.reveal())],
        known_hosts=trusted, agent_path=None,
    )  # fmt: skip


async def test_commands_run_in_its_directory_without_rights(host: DemoHost) -> None:
    async with login(host) as connection:
        done = await connection.run("cat app.log; echo err >&2; exit 7")
        assert (done.exit_status, done.stderr) == (7, "err\n")
        assert all(secret in str(done.stdout) for secret in SECRETS)
        who = await connection.run("id -u; id -G; touch maintenance; ls releases")
        uid, groups, *releases = str(who.stdout).splitlines()
        assert len(releases) == 3 and (host.files / "maintenance").exists()
        if not os.geteuid():
            assert int(uid) > 0 and "0" not in groups.split(), "root's demo lends nobody its rights"
            refused = await connection.run("cat /etc/shadow; echo x > /etc/hooptui-was-here")
            assert refused.exit_status != 0 and not Path("/etc/hooptui-was-here").exists() and not refused.stdout
        fed = await connection.run("wc -c", input="x" * 300_000)
        assert str(fed.stdout).strip() == "300000"


async def test_only_the_gateways_key_lets_in_and_nothing_is_forwarded(host: DemoHost) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    trusted = ([asyncssh.import_public_key(host.host_key)], [], [])
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            host.host,
            host.port,
            config=None,
            username=host.user,
            client_keys=[other],
            known_hosts=trusted,
            agent_path=None,
        )
    async with login(host) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("127.0.0.1", host.port)


async def test_it_is_private_and_gone_at_the_end(host: DemoHost) -> None:
    home, port = host.files.parent, host.port
    private = home / "private"
    if private.exists():
        assert {path.stat().st_mode & 0o77 for path in (private, *private.iterdir())} == {0}
    async with login(host) as connection:
        running = await connection.create_process("echo up; exec sleep 100")
        assert await running.stdout.readline() == "up\n"
        await host.stop()
    assert not home.exists()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection(host.host, port)
    await host.stop()


async def test_an_sshd_that_does_not_start_is_replaced() -> None:
    false = shutil.which("false")
    assert false is not None
    async with DemoHost(sshd=false) as host:
        assert host.program == "asyncssh"
        async with login(host) as connection:
            assert (await connection.run("ls app.log")).stdout == "app.log\n"


async def test_without_a_directory_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/place")
    with pytest.raises(UserError, match="the SSH host did not start: No such file or directory"):
        await DemoHost().start()


def test_the_key_is_shown_nowhere() -> None:
    assert "PRIVATE KEY" not in repr(DemoHost().key)


def test_its_directory_goes_when_its_parent_is_killed(temporary: Path) -> None:
    """As `kill -9` of the demo leaves it, with either server."""
    script = (
        "import asyncio, os, signal, sys\n"
        "from hooptui.demo.host import DemoHost\n"
        "async def main():\n"
        "    async with DemoHost(sshd=sys.argv[1] if sys.argv[1] != '-' else ''):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    import sys

    for server in ("-", hosts._sshd() or "-"):
        done = subprocess.run(
            [sys.executable, "-c", script, server], env=os.environ | {"TMPDIR": str(temporary)}, timeout=60, check=False
        )
        assert done.returncode == -9
        for _ in range(500):
            if not list(temporary.iterdir()):
                break
            subprocess.run(["sleep", "0.02"], check=True)
        assert list(temporary.iterdir()) == []
