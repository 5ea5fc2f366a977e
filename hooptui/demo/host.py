"""A host to log in to for the demo: a real sshd where one can run, asyncssh's server otherwise; loopback only, gone at the end.

Commands run in a directory of the demo, as `nobody` when the demo is root's, so that not even what was allowed by mistake can do
harm. Knows nothing of the gateway in front of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import asyncssh

from hooptui.core.secret import Secret
from hooptui.demo.launch import end, free_port, launch, nobody, private_file
from hooptui.errors import UserError

HOST: Final = "127.0.0.1"
START_WITHIN: Final = 10.0
PLACES: Final = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin:/usr/local/bin"
SEPARATION: Final = Path("/run/sshd")
"""Where root's sshd, as Debian builds it, shuts itself in; it does not start without it, and the directory stays empty."""
ENVIRONMENT: Final = {"PATH": PLACES, "LC_ALL": "C"}
_LINES: Final = 40


class DemoHost:
    """See the module. One start, one stop."""

    def __init__(self, secrets: tuple[str, ...] = (), *, sshd: str | None = None) -> None:
        """`secrets` are planted in its log; `sshd` is the server's path: found when None, and asyncssh serves when it is empty."""
        self.host = HOST
        self.port = 0
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        login = asyncssh.generate_private_key("ssh-ed25519")
        self.key = Secret(login.export_private_key().decode())
        """The gateway's, private."""
        self._login = login.export_public_key().decode()
        self._own = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = self._own.export_public_key().decode().strip()
        self.program = ""
        """What serves, once it does: the path of sshd, or `asyncssh`."""
        self.files = Path()
        """Where its commands run."""
        self._secrets = secrets
        self._sshd = _sshd() if sshd is None else sshd
        self._home: Path | None = None
        self._separation = False
        self._guard: subprocess.Popen[str] | None = None
        self._server: asyncssh.SSHAcceptor | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serve; returns when it takes connections.

        Raises:
            UserError: it does not start.
        """
        try:
            home = self._home = Path(tempfile.mkdtemp(prefix="hooptui-demo-"))
            await asyncio.to_thread(self._furnish, home)
            if self._sshd and await self._serve_sshd(home):
                self.program = self._sshd
                return
            await self._serve_asyncssh(home)
            self.program = "asyncssh"
        except OSError as fault:
            await self.stop()
            raise UserError(f"demo: the SSH host did not start: {fault.strerror or fault}") from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop serving and remove what was there; idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()
        running, self._guard = self._guard, None
        if running is not None:
            await asyncio.to_thread(end, running)
        if self._separation:
            self._separation = False
            with contextlib.suppress(OSError):
                SEPARATION.rmdir()
        home, self._home = self._home, None
        if home is not None:
            await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)

    # --- inside

    def _furnish(self, home: Path) -> None:
        """What an agent finds there."""
        account = nobody()
        self.files = home / "srv"
        home.mkdir(exist_ok=True)
        home.chmod(0o755 if account is not None else 0o700)
        (self.files / "releases").mkdir(parents=True)
        for name in ("2026-03-02", "2026-03-09", "2026-03-16"):
            (self.files / "releases" / name).mkdir()
        secrets = self._secrets or ("nobody@example.org",)
        lines = [
            f"2026-03-16T08:{n:02}:00Z orders-api[812]: request {n} ok, customer {secrets[n % len(secrets)]}, {'refund' if n % 7 == 0 else 'order'} {n * 37}\n"
            for n in range(max(_LINES, len(secrets)))
        ]
        (self.files / "app.log").write_text("".join(lines))
        if account is not None:
            for path in (self.files, *self.files.rglob("*")):
                os.chown(path, account, account)

    async def _serve_sshd(self, home: Path) -> bool:
        """Whether sshd took it on; where it cannot run here, asyncssh does."""
        try:
            plan = self._plan(home)
        except OSError:
            return False  # such as no right to make what it separates itself in
        self._guard = launch(plan)
        deadline = time.monotonic() + START_WITHIN
        while self._guard.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                with contextlib.closing(writer):
                    if (await reader.read(4)) == b"SSH-":
                        return True
            await asyncio.sleep(0.02)
        running, self._guard = self._guard, None
        await asyncio.to_thread(end, running)
        # The directory went with the guard.
        await asyncio.to_thread(self._furnish, home)
        return False

    def _plan(self, home: Path) -> dict[str, object]:
        """Everything on disk that sshd needs, and the guard's plan.

        Raises:
            OSError: a file or directory cannot be made.
        """
        private = home / "private"
        private.mkdir(mode=0o700)
        private_file(private / "host_key", self._own.export_private_key())
        private_file(private / "authorized_keys", self._login.encode())
        account = nobody()
        if account is not None and not SEPARATION.exists():
            SEPARATION.mkdir(mode=0o755)
            self._separation = True
        self.port = free_port()
        lower = "" if account is None else f"setpriv --reuid={account} --regid={account} --clear-groups --no-new-privs "
        private_file(
            private / "sshd_config",
            f"""
ListenAddress {HOST}:{self.port}
HostKey {private}/host_key
AuthorizedKeysFile {private}/authorized_keys
AllowUsers {self.user}
PermitRootLogin yes
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv HOME={self.files}
DisableForwarding yes
PrintMotd no
PrintLastLog no
# Or bash reads the .bashrc of whoever runs the demo first.
SetEnv SHLVL=1
ForceCommand cd '{self.files}' && exec {lower}/bin/sh ${{SSH_ORIGINAL_COMMAND:+-c "$SSH_ORIGINAL_COMMAND"}}
""".encode(),
        )
        command = [self._sshd, "-D", "-e", "-f", str(private / "sshd_config")]
        return {"home": str(home), "user": None, "environment": ENVIRONMENT, "commands": [command], "stop": "SIGTERM"}

    async def _serve_asyncssh(self, home: Path) -> None:
        account = nobody()
        user: dict[str, Any] = {} if account is None else {"user": account, "group": account, "extra_groups": []}

        async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
            child = await asyncio.create_subprocess_exec(
                "/bin/sh", *(() if process.command is None else ("-c", process.command)), cwd=self.files, env=ENVIRONMENT,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **user,
            )  # fmt: skip
            await _carry(process, child)

        # Nothing but the guard's own work: the directory goes when the demo does, however that ends.
        plan = {
            "home": str(home),
            "user": None,
            "environment": ENVIRONMENT,
            "commands": [["sleep", "100000000"]],
            "stop": "SIGTERM",
        }
        self._guard = await asyncio.to_thread(launch, plan)
        self._server = await asyncssh.listen(
            HOST, 0, config=None, server_host_keys=[self._own], authorized_client_keys=asyncssh.import_authorized_keys(self._login),
            process_factory=run, encoding=None, line_editor=False, sftp_factory=None, allow_scp=False, agent_forwarding=False,
            x11_forwarding=False, gss_host=None, password_auth=False, kbdint_auth=False,
        )  # fmt: skip
        self.port = self._server.get_port()


async def _carry(process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process) -> None:
    """All three streams and the status, which comes after the last of what was said."""
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    feeding = asyncio.create_task(_feed(process.stdin, child.stdin))
    try:
        await asyncio.gather(_pass(child.stdout, process.stdout), _pass(child.stderr, process.stderr))
        status = await child.wait()
        process.exit(status if status >= 0 else 128 - status)
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        if child.returncode is None:
            child.kill()
            await child.wait()


async def _feed(source: asyncssh.SSHReader[bytes], to: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            to.write(data)
            await to.drain()
        to.close()
    except OSError:
        return  # it does not want more


async def _pass(source: asyncio.StreamReader, to: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(65_536):
        to.write(data)
        await to.drain()


def _sshd() -> str:
    """Where sshd is; empty when there is none, or when root's could not lower its rights."""
    found = shutil.which("sshd", path=PLACES) or ""
    return found if os.geteuid() or shutil.which("setpriv") else ""
