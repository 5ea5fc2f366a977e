"""A bed whose target mints a role for each session, and where some groups must ask for access first."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from hooptui.core.clock import SystemClock
from tests.e2e.bed import POLICY, Bed, bed
from tests.postgres_server import PASSWORD, PostgresServer

ROLE, MINTER = "jit_app", "jit_minter"

RULES = """
  - id: jit
    effect: approve
    grants: true
    reason: production is read with a reason
    when: {principal: {groups: [oncall]}, resource: {protocol: postgres}, postgres: {commands: [reads, writes, call, create]}}
    approval: {by: [dba], expires: 1m, scope_lasts: 10m, break_glass: [leads], break_glass_lasts: 5m}
"""


@contextmanager
def minting_bed(server: PostgresServer, *, more: str = "") -> Iterator[Bed]:
    """The gateway's look-ups go by `scram`; `jit_minter`, no superuser either, makes the roles, members of `jit_app`."""
    if not server.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):
        server.sql(f"CREATE ROLE {MINTER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'; CREATE ROLE {ROLE} NOLOGIN")
        server.sql(f"GRANT {ROLE} TO {MINTER} WITH ADMIN OPTION")
    policy = POLICY.replace("masks:\n", RULES.lstrip("\n") + "masks:\n", 1)
    policy = policy.replace(
        "{id: pii, when: {principal: {groups: [agents]}", "{id: pii, when: {principal: {groups: [agents, oncall]}"
    )
    target = f", mint: {{role: {ROLE}, user: {MINTER}, password: {{file: password}}}}"
    with bed(server, policy=policy, more=more, target=target) as made:
        server.sql(
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}; GRANT ALL ON SCHEMA public TO {ROLE}",
            database=made.database,
        )
        yield made
        made.gateway.stop("the module is over")
        assert made.leaks() == []
        assert roles(made) == []


def roles(world: Bed) -> list[str]:
    """The names of the roles that gateways have minted on this server."""
    found = world.server.sql("SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'hooptui_') ORDER BY 1")
    return found.split("\n") if found else []


def valid_until(world: Bed, role: str) -> float:
    """When the server itself stops accepting a role, in Unix seconds."""
    return float(world.server.sql(f"SELECT extract(epoch FROM rolvaliduntil) FROM pg_roles WHERE rolname = '{role}'"))


def asker(world: Bed, name: str = "ops-7", *groups: str) -> str:
    """A token of somebody on call, good for an hour."""
    return world.token(name, groups or ("oncall",), exp=int(time.time()) + 3600)


class Waiting:
    """psql left running, its standard error read as it comes."""

    started: ClassVar[list[Waiting]] = []

    def __init__(self, world: Bed, *arguments: str, token: str, **environment: str) -> None:
        self._world = world
        self.err = b""
        self.process = subprocess.Popen(
            [world.server.bin("psql"), "-X", "-q", "-A", "-t", *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**world.environment(token), **environment}, bufsize=0,
        )  # fmt: skip
        self.started.append(self)

    def hears(self, words: str, seconds: float = 20.0) -> None:
        assert self.process.stderr is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            while words.encode() not in self.err:
                assert selector.select(max(0.0, deadline - time.monotonic())), f"no {words!r} in {self.err!r}"
                more = os.read(self.process.stderr.fileno(), 65536)
                assert more, f"psql ended without {words!r}: {self.err!r}"
                self.err += more

    def end(self, timeout: float = 30) -> tuple[str, str, int]:
        out, err = self.process.communicate(timeout=timeout)
        said = out.decode(), (self.err + err).decode()
        self._world.seen += said
        self.started.remove(self)
        return *said, self.process.returncode


@pytest.fixture
def psqls() -> Iterator[None]:
    """Whatever a failed test has left running is ended."""
    yield
    for one in tuple(Waiting.started):
        one.process.kill()
        one.end()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the gateway's wall clock on by so many seconds; the server's stays."""
    moved = [0.0]
    monkeypatch.setattr(SystemClock, "now", lambda _: time.time() + moved[0])

    def move(seconds: float) -> None:
        moved[0] += seconds

    return move
