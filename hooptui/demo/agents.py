"""Busy agents: real psql and psycopg processes that work through the gateway as anybody would, over verified TLS.

Knows addresses and tokens; nothing of policy, masking or the gateway's inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from hooptui.core.secret import Secret
from hooptui.demo import client

MAX_KEPT = 32 * 1024 * 1024
"""Bytes of what one run's agents received that are kept for the leak search."""
LINE = 1024 * 1024
END_WITHIN = 5.0
"""Seconds an agent has to go when asked, before it is killed."""
KNOCK_AGAIN = 4.0
"""Seconds until an agent that was not let in tries again."""

Program = Literal["psql", "psycopg"]


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, after a pause."""

    sql: str
    pause: float = 1.0
    """Seconds before it, at the pace of the interactive demo."""
    args: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """What one agent does over and over: connect, say these, leave, rest."""

    name: str
    """Its client id at the issuer."""
    program: Program
    steps: tuple[Step, ...]
    rest: float = 5.0
    target: str = ""
    """The target it asks for; the demo's main one when empty."""
    late: float = 0.0
    """Seconds before it connects for the first time, at the pace of the interactive demo."""
    purpose: str = ""
    """Why it wants access, in its own words; people see it when they have to let it in."""


RUNAWAY = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.total + b.total + c.total < 0"
"""Somebody forgot the join conditions: 64 billion rows, and no disk."""
DROP = "DROP TABLE payments"
EVERYTHING = ("UPDATE orders SET status = 'archived'", "DELETE FROM payments")
"""Held: they have no WHERE."""

ETL = Script(
    "etl-7",
    "psql",
    (
        Step("SELECT id, name, email, phone, ssn, iban FROM customers ORDER BY id DESC LIMIT 8", 0.2),
        Step("SELECT c.email AS contact, k.pan AS number, k.pan_number FROM customers c JOIN cards k ON k.customer_id = c.id ORDER BY k.id DESC LIMIT 8", 3.0),
        Step("SELECT status, count(*), sum(total) FROM orders GROUP BY status ORDER BY status", 2.0),
        Step("COPY (SELECT id, email, ssn, note FROM customers ORDER BY id DESC LIMIT 20) TO STDOUT", 4.0),
        Step("SELECT service, token FROM integrations ORDER BY id DESC LIMIT 10", 3.0),
        Step("SELECT login, email, ssn, salary FROM employees ORDER BY id DESC LIMIT 10", 3.0),
        Step("SELECT email::integer FROM customers ORDER BY id DESC LIMIT 1", 5.0),
    ),
)  # fmt: skip
REPORT = Script(
    "report-3",
    "psycopg",
    (
        Step("SELECT id, email, ssn, iban FROM customers WHERE id > %s ORDER BY id DESC LIMIT 12", 1.0, (1_000,)),
        Step("SELECT id, pan, pan_number FROM cards WHERE customer_id > %s ORDER BY id DESC LIMIT 12", 2.0, (1_000,)),
        Step("SELECT login, salary FROM employees WHERE id > %s ORDER BY id DESC LIMIT 12", 2.0, (50,)),
        Step(RUNAWAY, 12.0),
    ),
    rest=20.0,
)
BOT = Script(
    "bot",
    "psql",
    (
        Step("SELECT count(*) FROM payments WHERE status = 'refunded'", 0.1),
        Step(DROP, 0.4),
        Step(EVERYTHING[0], 0.5),
        Step("UPDATE customers SET note = 'reviewed' WHERE id = 17", 15.0),
        Step(EVERYTHING[1], 20.0),
    ),
    rest=10.0,
)
VENDOR = Script(
    "vendor-9",
    "psql",
    (
        Step("SELECT session_user, current_user", 1.0),
        Step("SELECT id, name, email, city FROM customers ORDER BY id DESC LIMIT 5", 2.0),
        Step("DELETE FROM customers", 2.0),
    ),
    rest=60.0,
    late=12.0,
    target="support-db",
    purpose="INC-812: a customer cannot log in",
)
"""Has no standing access: it waits until somebody lets it in, and then works under a role of its own."""
SCRIPTS = (ETL, REPORT, BOT, VENDOR)


class Received:
    """Every byte the agents got, for the leak search; bounded, and honest when the bound was met."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, bytes]] = []
        self._size = 0
        self.cut = False

    def add(self, who: str, content: bytes) -> None:
        if self._size + len(content) > MAX_KEPT:
            self.cut = True
            return
        self._size += len(content)
        self._parts.append((who, content))

    def places(self) -> list[tuple[str, bytes]]:
        """Joined by agent, so that no secret hides across two reads."""
        joined: dict[str, bytearray] = {}
        for who, content in self._parts:
            joined.setdefault(who, bytearray()).extend(content)
        return [(who, bytes(content)) for who, content in joined.items()]


class Nothing(Received):
    """Keeps nothing, for the interactive demo."""

    def add(self, who: str, content: bytes) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Where and how to connect."""

    psql: str
    """Path of the program."""
    port: int
    ca_file: Path
    target: str
    home: Path
    """Stands for the agents' home, so that no dot file of the user's meddles."""
    token: Callable[[str], Awaitable[Secret]]


class Agent:
    """One client process and its conversation."""

    def __init__(self, script: Script, gate: Gate, received: Received) -> None:
        self._script = script
        self._gate = gate
        self._received = received
        self._process: asyncio.subprocess.Process | None = None
        self._errors: asyncio.Task[None] | None = None
        self._markers = (f"-- end of {script.name} {number}" for number in itertools.count(1))

    async def __aenter__(self) -> Self:
        gate = self._gate
        token = await gate.token(self._script.name)
        if self._script.program == "psql":
            command = [gate.psql, "-X", "-q", "-f", "-"]
        else:
            command = [sys.executable, "-P", client.__file__]
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(gate.home), "LC_ALL": "C.UTF-8", "PGHOST": "localhost",
            "PGPORT": str(gate.port), "PGDATABASE": self._script.target or gate.target, "PGUSER": self._script.name, "PGPASSWORD": token.reveal(),
            "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(gate.ca_file), "PGAPPNAME": f"{self._script.name} {self._script.program}",
            "PGCLIENTENCODING": "UTF8", "PYTHONIOENCODING": "utf-8:backslashreplace",
        }  # fmt: skip
        if self._script.purpose:
            environment["PGOPTIONS"] = f"-c hooptui.reason='{self._script.purpose}'"
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd=gate.home,
            limit=LINE,
            # Ctrl-C in the demo's terminal is the demo's.
            start_new_session=True,
        )
        self._errors = asyncio.create_task(self._listen(), name=f"errors of {self._script.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, errors = self._process, self._errors
        if process is None or errors is None or process.stdin is None or process.stdout is None:
            return
        process.stdin.close()
        if kind is not None and process.returncode is None:
            process.terminate()
        with contextlib.suppress(ProcessLookupError):
            try:
                async with asyncio.timeout(END_WITHIN):
                    self._received.add(self._script.name, await process.stdout.read())
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        await errors

    async def say(self, step: Step) -> bool:
        """Send one statement and wait for its answer, however long that takes; False when the connection is gone."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return False
        marker = next(self._markers)
        if self._script.program == "psql":
            text = f"{step.sql};\n\\echo {marker}\n"
        else:
            text = json.dumps({"sql": step.sql, "args": step.args, "then": marker}) + "\n"
        try:
            process.stdin.write(text.encode())
            await process.stdin.drain()
        except ConnectionError:
            return False
        while line := await _line(process.stdout):
            self._received.add(self._script.name, line)
            if line.rstrip() == marker.encode():
                return True
        return False

    async def _listen(self) -> None:
        process = self._process
        if process is None or process.stderr is None:
            return
        while chunk := await process.stderr.read(65_536):
            self._received.add(f"{self._script.name} (errors)", chunk)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """A line, or a piece of one that is too long; empty at the end."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.LimitOverrunError as long:
        return await stream.readexactly(long.consumed)
    except asyncio.IncompleteReadError as end:
        return end.partial


async def work(script: Script, gate: Gate, received: Received, *, hurry: float = 1.0) -> None:
    """Run a script until cancelled. `hurry` divides every pause.

    Raises:
        UserError: the issuer gives no token.
        OSError: the program cannot be started.
    """
    await asyncio.sleep(script.late / hurry)
    while True:
        answered = 0
        async with Agent(script, gate, received) as agent:
            for step in script.steps:
                await asyncio.sleep(step.pause / hurry)
                if not await agent.say(step):
                    break
                answered += 1
        # Turned away at the door is not a day's work.
        await asyncio.sleep((script.rest if answered else KNOCK_AGAIN) / hurry)


async def crew(scripts: Sequence[Script], gate: Gate, received: Received, *, hurry: float = 1.0) -> None:
    """All of them at once, until cancelled."""
    async with asyncio.TaskGroup() as group:
        for script in scripts:
            group.create_task(work(script, gate, received, hurry=hurry), name=script.name)
