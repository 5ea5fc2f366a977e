"""The PostgreSQL path against direct and pgbouncer, interleaved in one run; prints ratios, checks nothing.

    python -m tests.bench.bench_postgres [--seconds 5] [--rounds 3] [--form plain]

Everything runs on this machine: PostgreSQL, pgbouncer (when installed), hooptui in a process of its own with policy,
journal and recording on, and pgbench or psql as the load. Direct and pgbouncer speak TLS as hooptui does, so that ratios
compare like with like. hooptui runs from a copy of these sources whose core is compiled, where there is a compiler.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import pty
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.form import FORMS, around, command, home_of, said
from tests.e2e.bed import POLICY, Bed, bed
from tests.postgres_server import PASSWORD, PostgresServer, running

ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the database: libpq's environment."""

    name: str
    environment: dict[str, str]
    pid: int = 0
    """The process in between; 0 when there is none."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of pgbench did."""

    tps: float
    cpu: float
    """Microseconds of processor time that the process in between took for a transaction, user and kernel, all threads."""


@contextmanager
def pgbouncer(server: PostgresServer, database: str) -> Iterator[Way | None]:
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bouncer-") as text:
        home = Path(text)
        home.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (home / "users").write_text(f'"scram" "{PASSWORD}"\n')
        for name in ("server.crt", "server.key"):
            shutil.copy(server.home / "tls" / name, home / name)
        (home / "ini").write_text(
            f"""[databases]
* = host=127.0.0.1 port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = scram-sha-256
auth_file = {home}/users
pool_mode = session
max_client_conn = 1000
default_pool_size = 600
server_tls_sslmode = require
client_tls_sslmode = require
client_tls_key_file = {home}/server.key
client_tls_cert_file = {home}/server.crt
unix_socket_dir =
ignore_startup_parameters = extra_float_digits
"""
        )
        account = 65534 if os.getuid() == 0 else None
        for path in home.iterdir():
            path.chmod(0o600)
            if account is not None:
                os.chown(path, account, account)
        process = subprocess.Popen([program, "-q", str(home / "ini")], user=account)
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if process.poll() is not None:
                raise RuntimeError(f"pgbouncer ended with {process.returncode}")
            time.sleep(0.05)
        try:
            yield Way("pgbouncer", libpq(server, port, database, "require"), process.pid)
        finally:
            process.terminate()
            process.wait()


def libpq(server: PostgresServer, port: int, database: str, sslmode: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": database, "PGUSER": "scram", "PGPASSWORD": PASSWORD,
        "PGSSLMODE": sslmode,
    }  # fmt: skip


@contextmanager
def gateway(world: Bed, home: Path, name: str, group: str) -> Iterator[tuple[Way, int]]:
    """hooptui in its own process; yields the way through it and its process id."""
    state = world.home / name
    config = world.home / f"{name}.yaml"
    config.write_text(world.config_text.replace("state_dir: state", f"state_dir: {name}"))
    process = subprocess.Popen(
        command("serve", "--config", config), stdout=subprocess.PIPE, text=True, cwd=home, env=around(home)
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    port = first.split("127.0.0.1:")[1].split(",")[0]
    os.set_blocking(process.stdout.fileno(), True)
    drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    environment = world.environment(world.token("bench", (group,), exp=int(time.time()) + 3600))
    environment |= {"PGPORT": port, "PGSSLROOTCERT": str(state / "tls" / "ca.crt")}
    try:
        yield Way("hooptui", environment, process.pid), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        drain.wait()


@contextmanager
def watched(world: Bed, home: Path, name: str, group: str) -> Iterator[Way]:
    """hooptui with its screen, painting into a pseudo-terminal that is read as fast as it writes."""
    state = world.home / name
    config = world.home / f"{name}.yaml"
    config.write_text(world.config_text.replace("state_dir: state", f"state_dir: {name}"))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    process = subprocess.Popen(
        command("--config", config),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=home,
        env={**around(home), "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(slave)
    threading.Thread(target=_drain, args=(master,), daemon=True).start()
    where = command("do", "where", "--json", "--config", config)
    while (
        found := subprocess.run(where, capture_output=True, text=True, check=False, cwd=home, env=around(home))
    ).returncode:
        if process.poll() is not None:
            raise RuntimeError(f"hooptui with its screen ended with {process.returncode}")
    port = json.loads(found.stdout)["data"]["pg"].rsplit(":", 1)[1]
    environment = world.environment(world.token("bench", (group,), exp=int(time.time()) + 3600))
    try:
        yield Way("with screen", {**environment, "PGPORT": port, "PGSSLROOTCERT": str(state / "tls" / "ca.crt")})
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        os.close(master)


def _drain(master: int) -> None:
    try:
        while os.read(master, 65536):
            continue
    except OSError:
        return  # the terminal is closed: the screen has left


def spent(pid: int) -> float:
    """Seconds of processor time that a process has taken so far, by the scheduler's own account of each thread."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def load(server: PostgresServer, way: Way, mode: str, clients: int, seconds: float) -> Load:
    before = spent(way.pid) if way.pid else 0.0
    words = [server.bin("pgbench"), "-n", "-S", "-M", mode, "-c", str(clients), "-j", "1", "-T", str(int(seconds))]
    done = subprocess.run(words, env=way.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pgbench through {way.name}: {done.stderr}")
    count = int(done.stdout.split("actually processed: ")[1].split()[0].split("/")[0])
    cpu = (spent(way.pid) - before) / count * 1e6 if way.pid else 0.0
    return Load(float(done.stdout.split("tps = ")[1].split()[0]), cpu)


def bulk(server: PostgresServer, way: Way, sql: str) -> float:
    """Rows in a second."""
    started = time.monotonic()
    subprocess.run(
        [server.bin("psql"), "-X", "-q", "-A", "-t", "-o", "/dev/null", "-v", "FETCH_COUNT=0", "-c", sql],
        env=way.environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return ROWS / (time.monotonic() - started)


def resident(pid: int) -> int:
    """Kilobytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def idle(server: PostgresServer, way: Way, pid: int, count: int) -> float:
    """Kilobytes for each of `count` idle sessions beyond the process with one."""
    import psycopg

    def connect() -> psycopg.Connection[tuple[object, ...]]:
        e = way.environment
        return psycopg.connect(
            host=e["PGHOST"], port=e["PGPORT"], dbname=e["PGDATABASE"], user=e["PGUSER"], password=e["PGPASSWORD"],
            sslmode="verify-full", sslrootcert=e["PGSSLROOTCERT"], autocommit=True,
        )  # fmt: skip

    with ExitStack() as stack:
        first = stack.enter_context(connect())
        first.execute("SELECT 1")
        before = resident(pid)
        for _ in range(count):
            stack.enter_context(connect()).execute("SELECT 1")
        return (resident(pid) - before) / count


def row(name: str, results: dict[str, list[float]]) -> None:
    middle = {way: statistics.median(values) for way, values in results.items()}
    base = middle["direct"]
    words = [f"{way} {value:,.0f} ({value / base:.2f})" for way, value in middle.items()]
    if "pgbouncer" in middle:
        words.append(f"hooptui/pgbouncer {middle['hooptui'] / middle['pgbouncer']:.2f}")
    print(f"{name:34} " + "  ".join(words), flush=True)


def cost(name: str, values: list[float]) -> str:
    """For a crowded machine: how long a thing takes depends on who else is there, how much of the processor far less."""
    return f"{name} {statistics.median(values):.1f} µs (best {min(values):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--form", choices=FORMS, default=FORMS[0])
    args = parser.parse_args()
    stack = ExitStack()
    home = home_of(args.form, stack)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {said(home)}")
    settings = "max_connections = 700\nshared_buffers = 256MB\n"
    with (
        running(settings=settings) as server,
        bed(server, policy=POLICY, more="limits: {per_peer: 1000}") as world,
        stack,
    ):
        world.gateway.stop("the measured one has its own process")
        server.sql(
            f"""CREATE TABLE pgbench_branches (bid int primary key); INSERT INTO pgbench_branches VALUES (1);
            CREATE TABLE pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84));
            INSERT INTO pgbench_accounts SELECT i, 1, 0, '' FROM generate_series(1, 100000) i;
            CREATE TABLE bulk (id int, name text, email text, city text, amount numeric, at timestamptz);
            INSERT INTO bulk SELECT i, 'name ' || i, 'user' || i || '@example.com', 'city ' || i % 100, i * 1.25, now() FROM generate_series(1, {ROWS}) i;
            GRANT ALL ON ALL TABLES IN SCHEMA public TO scram; VACUUM ANALYZE""",
            database=world.database,
        )  # fmt: skip
        direct = Way("direct", libpq(server, server.port, world.database, "require"))
        bouncer = stack.enter_context(pgbouncer(server, world.database))
        unmasked, pid = stack.enter_context(gateway(world, home, "plain", "admins"))
        masked, _ = stack.enter_context(gateway(world, home, "masked", "agents"))
        ways = [way for way in (direct, bouncer, unmasked) if way is not None]
        for mode in ("simple", "extended", "prepared"):
            for clients in (1, 8, 32):
                if args.only and args.only not in f"pgbench -S {mode} {clients}":
                    continue
                results: dict[str, list[float]] = {way.name: [] for way in ways}
                costs: dict[str, list[float]] = {way.name: [] for way in ways if way.pid}
                for _ in range(args.rounds):
                    for way in ways:
                        done = load(server, way, mode, clients, args.seconds)
                        results[way.name].append(done.tps)
                        if way.pid:
                            costs[way.name].append(done.cpu)
                row(f"pgbench -S {mode}, {clients} clients, TPS", results)
                print(f"{'  CPU a transaction':34} " + "  ".join(cost(*one) for one in costs.items()), flush=True)
        for name, sql in (("SELECT", "SELECT * FROM bulk"), ("COPY", "COPY bulk TO STDOUT")):
            for label, through in (("unmasked", unmasked), ("one masked column", masked)):
                if args.only and args.only not in f"bulk {name} {label}":
                    continue
                some = [way for way in (direct, bouncer) if way is not None] + [Way("hooptui", through.environment)]
                results = {way.name: [] for way in some}
                for _ in range(args.rounds):
                    for way in some:
                        results[way.name].append(bulk(server, way, sql))
                row(f"{name}, 1 M rows, {label}, rows/s", results)
        if not args.only or args.only in "screen":
            results = {"without screen": [], "with screen": []}
            watching = stack.enter_context(watched(world, home, "watched", "admins"))
            for _ in range(args.rounds):
                results["without screen"].append(load(server, unmasked, "simple", 8, args.seconds).tps)
                results["with screen"].append(load(server, watching, "simple", 8, args.seconds).tps)
            without, with_screen = (statistics.median(values) for values in results.values())
            print(
                f"flood of 8 clients, TPS: without screen {without:,.0f}, painting {with_screen:,.0f} ({with_screen / without:.2f})"
            )
        if not args.only or args.only in "idle":
            print(f"memory of 500 idle sessions: {idle(server, unmasked, pid, 500):.0f} KB each")


if __name__ == "__main__":
    main()
