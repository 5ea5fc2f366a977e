"""A whole hooptui in front of a real PostgreSQL with a real issuer, for programs to talk to.

The gateway runs on its own thread as it does in production; the tests talk to it through its Desk and through sockets.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hooptui.config.load import load_text
from hooptui.control.local import GatewayThread, LocalDesk
from hooptui.core.desk import Command, HeldView, Outcome, Snapshot
from hooptui.demo.issuer import DemoIssuer
from tests.postgres_server import PASSWORD, PostgresServer

T = TypeVar("T")

POLICY = """
version: 1
rules:
  - {id: no-ddl, effect: deny, reason: DDL goes through migrations, hint: open a change, when: {resource: {protocol: postgres}, principal: {groups: [agents]}, postgres: {commands: [drop, truncate]}}}
  - id: no-where
    effect: approve
    reason: UPDATE or DELETE without WHERE
    when: {principal: {groups: [agents]}, resource: {protocol: postgres}, postgres: {commands: [update, delete], missing_where: true}}
    approval: {by: [dba], quorum: 1, expires: 10m, scopes: [once, fingerprint], risk: high}
  - id: short-fuse
    effect: approve
    reason: audit rows are never deleted lightly
    when: {principal: {groups: [agents]}, resource: {protocol: postgres}, postgres: {commands: [delete], relations: [audit_log]}}
    approval: {by: [dba], quorum: 1, expires: 5s, scopes: [once]}
  - id: agents
    effect: allow
    when: {principal: {groups: [agents]}, resource: {protocol: postgres}, postgres: {commands: [reads, writes, create, drop, truncate, call, set, listen, notify, lock, analyze, vacuum]}}
  - id: admins
    effect: allow
    when: {principal: {groups: [admins]}, resource: {protocol: postgres}}
masks:
  - {id: pii, when: {principal: {groups: [agents]}, resource: {protocol: postgres}}, columns: ["*.email", "*.ssn", "customers.note"], detect: [credit-card, us-ssn, jwt, api-key], action: redact}
tests:
  - {name: drop, expect: deny, by: no-ddl, request: {groups: [agents], protocol: postgres, resource: orders-db, sql: DROP TABLE t}}
"""


class Canaries:
    """Secrets planted upstream that no client of the gateway and no file of its may ever show."""

    def __init__(self) -> None:
        unique = secrets.token_hex(4)
        self.email = f"canary-{unique}@secret.example"
        self.ssn = (
            f"{secrets.randbelow(600) + 100:03d}-{secrets.randbelow(90) + 10}-{secrets.randbelow(9000) + 1000}".replace(
                "666-", "665-"
            )
        )
        self.note = f"note-{unique}-canary"
        self.card = _luhn(f"4{secrets.randbelow(10**14):014d}")
        self.password = PASSWORD

    def all(self) -> tuple[str, ...]:
        return (self.email, self.ssn, self.note, self.card, self.password)


def _luhn(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


class Bed:
    """See the module."""

    def __init__(
        self,
        server: PostgresServer,
        home: Path,
        policy: str,
        more: str,
        issuers: str,
        listen: str,
        target: str,
        targets: str,
    ) -> None:
        self.server = server
        self.home = home
        self.canaries = Canaries()
        self.seen: list[str] = []
        """Everything that programs received, for the canaries."""
        self._started: list[subprocess.Popen[str]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bed", daemon=True)
        self._thread.start()
        self.issuer = DemoIssuer("hooptui")
        self.on_bed(self.issuer.start())
        self.policy_file = home / "policy.yaml"
        self.policy_file.write_text(policy)
        self.database = server.database(f"bed_{secrets.token_hex(4)}", self._seed())
        password = home / "password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        self.config_text = f"""
name: bed
state_dir: state
listen: {{postgres: "127.0.0.1:0"{listen}}}
operator: {{name: ops-1, groups: [dba, oncall]}}
issuers: [{{issuer: "{self.issuer.url}", audience: hooptui}}{issuers}]
policy: policy.yaml
targets:
  orders-db:
    {{protocol: postgres, host: 127.0.0.1, port: {server.port}, database: {self.database}, user: scram, password: {{file: password}}, sslmode: verify-full, ca_file: "{server.ca}", labels: {{env: prod}}{target}}}
{targets}
approvals: {{remind: 500ms}}
{more}
"""
        self.gateway = GatewayThread(load_text(self.config_text, "bed.yaml", home))
        self.gateway.start()
        self.state = home / "state"
        self.desk: LocalDesk = self.gateway.desk()

    def restart(self, config_text: str) -> None:
        """Another gateway on the same state directory."""
        self.gateway = GatewayThread(load_text(config_text, "bed.yaml", self.home))
        self.gateway.start()
        self.desk = self.gateway.desk()

    def _seed(self) -> str:
        c = self.canaries
        return f"""
        CREATE TABLE customers (id int primary key, name text, email text, ssn text, note text);
        INSERT INTO customers VALUES (1, 'ada', '{c.email}', '{c.ssn}', '{c.note}'), (2, 'bob', 'bob-{c.email}', '{c.ssn}', NULL);
        CREATE TABLE cards (id int primary key, pan text);
        INSERT INTO cards VALUES (1, '{c.card}');
        CREATE TABLE orders (id int primary key, total numeric, paid boolean DEFAULT false, note text);
        INSERT INTO orders SELECT i, i * 1.5, false, 'order ' || i FROM generate_series(1, 200) i;
        CREATE TABLE audit_log (id serial primary key, line text);
        INSERT INTO audit_log (line) VALUES ('kept');
        CREATE VIEW orders_view AS SELECT id, total FROM orders;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO scram; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO scram;
        GRANT ALL ON SCHEMA public TO scram;
        """

    # --- two loops

    def on_bed(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the bed's own loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def on_gateway(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the gateway's loop and wait for it."""
        gateway = self.gateway.gateway
        assert gateway is not None
        return asyncio.run_coroutine_threadsafe(work, gateway.loop).result(60)

    def snapshot(self) -> Snapshot:
        return self.on_bed(self.desk.snapshot())

    def do(self, verb: str, **args: str) -> Outcome:
        return self.on_bed(self.desk.run(Command(verb, args)))

    def until(self, what: Callable[[], T], *, seconds: float = 60.0) -> T:
        """Poll until `what` gives something true."""
        deadline = time.monotonic() + seconds
        while True:
            value = what()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {what}")
            time.sleep(0.02)

    def held(self) -> HeldView:
        """Wait for an operation to be held."""
        return self.until(lambda: self.snapshot().held)[0]

    # --- clients

    @property
    def port(self) -> int:
        assert self.gateway.gateway is not None
        return int(self.gateway.gateway.listeners[0].address.rsplit(":", 1)[1])

    @property
    def ca(self) -> Path:
        return self.state / "tls" / "ca.crt"

    def token(self, subject: str = "bot", groups: tuple[str, ...] = ("agents",), **claims: object) -> str:
        return self.issuer.mint(subject, groups, **claims).reveal()

    def environment(self, token: str | None = None) -> dict[str, str]:
        """libpq's own variables, for any program."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGDATABASE": "orders-db",
            "PGUSER": "anyone",
            "PGPASSWORD": token or self.token(),
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.ca),
            "PGCONNECT_TIMEOUT": "10",
            "HOME": str(self.home),
        }

    def run(
        self, program: str, *args: str, token: str | None = None, stdin: str = "", timeout: float = 60, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs through the gateway to its end."""
        done = subprocess.run(
            [self.server.bin(program), *args], input=stdin, capture_output=True, text=True, timeout=timeout,
            env={**self.environment(token), **more}, errors="replace",
        )  # fmt: skip
        self.seen.append(done.stdout + done.stderr)
        return done

    def psql(
        self, sql: str, *args: str, token: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """psql reading `sql` from standard input; unaligned rows without header."""
        return self.run("psql", "-X", "-q", "-A", "-t", *args, token=token, stdin=sql, timeout=timeout)

    def start_psql(self, *args: str, token: str | None = None) -> subprocess.Popen[str]:
        """psql left running with pipes; its output must be given to `seen` by the caller."""
        process = subprocess.Popen(
            [self.server.bin("psql"), "-X", "-q", "-A", "-t", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=self.environment(token),
        )  # fmt: skip
        self._started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], stdin: str = "", timeout: float = 60) -> tuple[str, str]:
        out, err = process.communicate(stdin, timeout)
        self.seen.append(out + err)
        return out, err

    def dsn(self, token: str | None = None, **more: object) -> str:
        words = {
            "host": "127.0.0.1", "port": self.port, "dbname": "orders-db", "user": "anyone", "password": token or self.token(),
            "sslmode": "verify-full", "sslrootcert": self.ca, **more,
        }  # fmt: skip
        return " ".join(f"{name}={value}" for name, value in words.items())

    # --- what it left behind

    def journal(self) -> list[dict[str, Any]]:
        lines = []
        for path in sorted((self.state / "journal").glob("*.jsonl")):
            lines += [json.loads(line) for line in path.read_text().splitlines()]
        return lines

    def leaks(self) -> list[str]:
        """Where a canary shows that must not: programs' output, journal, recordings, anything in the state directory."""
        found = []
        texts = {"a program's output": "\n".join(self.seen)}
        for path in self.state.rglob("*"):
            if path.is_file():
                texts[str(path.relative_to(self.state))] = path.read_text(errors="replace")
        for place, text in texts.items():
            found += [f"{canary} in {place}" for canary in self.canaries.all() if canary in text]
        return found

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None or (process.stdout is not None and not process.stdout.closed):
                # A test failed before it came to the end of this one; its failure is the one to be told.
                process.kill()
                process.communicate()
        self.gateway.stop("the test is over")
        self.on_bed(self.issuer.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def bed(
    server: PostgresServer,
    *,
    policy: str = POLICY,
    more: str = "",
    issuers: str = "",
    listen: str = "",
    target: str = "",
    targets: str = "",
) -> Iterator[Bed]:
    """A running bed, closed at the end. YAML to add: `more` at the top level; `targets` as further lines of that mapping, indented
    by two; `issuers`, `listen` and `target` inside their flow lists and mappings, each beginning with a comma."""
    with tempfile.TemporaryDirectory(prefix="bed-") as home:
        made = Bed(server, Path(home), policy, more, issuers, listen, target, targets)
        try:
            yield made
        finally:
            made.close()
