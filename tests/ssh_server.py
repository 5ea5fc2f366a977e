"""A real sshd for the tests, on a free port with a configuration of its own; works as root and as anybody else.

Started by root it runs as some ordinary account, because sshd passes no signals on to commands of root's own logins; with
`terminals` it stays root, because on some machines nobody else may hand out a pty.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

SHELLS = ("/bin/bash", "/bin/sh", "/usr/bin/bash")


def account(*, terminals: bool) -> pwd.struct_passwd:
    """Who the server runs as, and so who can log in."""
    if os.getuid() or terminals:
        return pwd.getpwuid(os.getuid())
    others = [one for one in pwd.getpwall() if one.pw_uid and one.pw_shell in SHELLS]
    return others[0] if others else pwd.getpwuid(0)


def sshd() -> str:
    found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
    if found is None:
        if os.environ.get("CI") == "true":
            raise RuntimeError("no sshd")
        pytest.skip("no sshd")
    return found


class SshServer:
    """One running sshd. Start it by `running()`."""

    def __init__(self, home: Path, user: pwd.struct_passwd) -> None:
        self.home = home
        self.user = user.pw_name
        self.uid = user.pw_uid
        self.host = "127.0.0.1"
        self.port = 0
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.key = key.export_private_key().decode()
        """The gateway's login."""
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = host_key.export_public_key().decode().strip()
        self.file("host_key", host_key.export_private_key(), 0o600)
        self.file("authorized_keys", key.export_public_key(), 0o600)
        self.file("cas", b"", 0o600)
        self.process: subprocess.Popen[bytes] | None = None

    def file(self, name: str, content: bytes, mode: int = 0o644) -> Path:
        """A file of the server's account."""
        path = self.home / name
        path.write_bytes(content)
        path.chmod(mode)
        if not os.getuid():
            os.chown(path, self.uid, -1)
        return path

    def start(self) -> None:
        """SHLVL is for bash, which reads the account's .bashrc over SSH, and whatever that does on this machine, unless it is set."""
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.port = probe.getsockname()[1]
        config = self.file(
            "sshd_config",
            f"""
Port {self.port}
ListenAddress {self.host}
HostKey {self.home}/host_key
AuthorizedKeysFile {self.home}/authorized_keys
TrustedUserCAKeys {self.home}/cas
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
AcceptEnv LANG LC_* HOOPTUI_*
SetEnv SHLVL=1
MaxSessions 500
MaxStartups 500
PermitRootLogin yes
PrintMotd no
PrintLastLog no
AllowStreamLocalForwarding yes
StreamLocalBindUnlink yes
""".encode(),
        )
        user: dict[str, Any] = {}
        if not os.getuid():
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
            user = {"user": self.uid, "group": pwd.getpwuid(self.uid).pw_gid, "extra_groups": []}
        log = (self.home / "log").open("ab")
        self.process = subprocess.Popen(
            [sshd(), "-D", "-e", "-f", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", **user,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.home / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        if self.process is None:
            return
        self.cut()
        self.process.terminate()
        self.process.wait(60)

    def sessions(self) -> list[int]:
        """Process numbers of the connections that are open now, as the machine sees them: sshd forks for each."""
        return self._children(self.process.pid) if self.process is not None else []

    def cut(self) -> None:
        """Let every connection die where it stands."""
        for parent in self.sessions():
            for pid in (*self._children(parent), parent):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)

    @staticmethod
    def _children(parent: int) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"sshd: "):
                    status = (entry / "status").read_text()
                    if f"\nPPid:\t{parent}\n" in status and "\nState:\tZ" not in status:
                        found.append(int(entry.name))
            except OSError:
                continue  # it has gone meanwhile
        return found


@contextmanager
def running(*, terminals: bool = False) -> Iterator[SshServer]:
    home = Path(tempfile.mkdtemp(prefix="hooptui-sshd-"))
    home.chmod(0o755)
    who = account(terminals=terminals)
    if not os.getuid():
        os.chown(home, who.pw_uid, -1)
    server = SshServer(home, who)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
