"""`hooptui demo`: world, gateway and agents together, under a screen or under the scripted operator.

The world and its agents live on a loop of their own, the gateway on its own thread, the screen on the main one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from hooptui.config.load import load
from hooptui.control.archive import ArchiveDesk
from hooptui.control.local import GatewayThread
from hooptui.demo import headless
from hooptui.demo.agents import Gate
from hooptui.demo.canaries import files, search
from hooptui.demo.crew import crew
from hooptui.demo.received import Nothing, Received
from hooptui.demo.scripts import SCRIPTS
from hooptui.demo.world import TARGET, World
from hooptui.errors import UserError
from hooptui.faces import show, start
from hooptui.logline import line

END_WITHIN = 30.0
"""Seconds the world has to go when the screen is left."""


def run(args: argparse.Namespace) -> int:
    """Exit status of the command. `args`: headless, seconds, json, dir.

    Raises:
        UserError: the demo cannot run here, in words.
    """
    if not args.headless and not sys.stdout.isatty():
        raise UserError("the demo's screen needs a terminal; `hooptui demo --headless` runs without one")
    with _directory(args.dir) as directory:
        if args.headless:
            return _report(asyncio.run(_headless(directory, args.seconds)), as_json=args.json)
        return _interactive(directory)


@contextlib.contextmanager
def _directory(given: Path | None) -> Iterator[Path]:
    """A private directory: the given one, which stays, or one that goes with the demo."""
    if given is not None:
        try:
            given.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise UserError(f"--dir {given}: {fault.strerror}; expected a directory that can be made or used") from None
        yield given.resolve()
        return
    directory = Path(tempfile.mkdtemp(prefix="hooptui-demo-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _gate(world: World, gateway: GatewayThread) -> Gate:
    running = gateway.gateway
    if running is None or running.papers.ca is None:
        raise UserError("demo: the gateway is not running")
    ports = {one.protocol: int(one.address.rpartition(":")[2]) for one in running.listeners}
    host_key = (world.state_dir / "ssh_host_ed25519.pub").read_text().strip()
    return Gate(
        world.postgres.tool("psql"), ports["pg"], running.papers.ca, TARGET, world.directory, world.token, ports["ssh"], host_key, ports["k8s"],
    )  # fmt: skip


# --- with a screen


class _WorldThread:
    """The world and its agents, beside the screen."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._world: Future[World] = Future()
        self._gateway: Future[GatewayThread] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="demo", daemon=True)
        self.failure: BaseException | None = None
        """What ended the agents before their time."""

    def start(self) -> World:
        """Return the world once it stands.

        Raises:
            UserError: it does not, in words.
        """
        self._thread.start()
        return self._world.result()

    def work(self, gateway: GatewayThread) -> None:
        """Let the agents begin."""
        self._gateway.set_result(gateway)

    def stop(self) -> None:
        loop, task = self._loop, self._task
        if loop is not None and task is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
            self._thread.join(END_WITHIN)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            return
        except BaseException as fault:  # noqa: BLE001 - it belongs to whoever started the thread
            self.failure = fault
            if not self._world.done():
                self._world.set_exception(fault)

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        async with World(self._directory) as world:
            self._world.set_result(world)
            gateway = await asyncio.wrap_future(self._gateway)
            await crew(SCRIPTS, _gate(world, gateway), Nothing())


def _interactive(directory: Path) -> int:
    thread = _WorldThread(directory)
    try:
        world = thread.start()
        gateway = start(load(world.config_file))
        try:
            thread.work(gateway)
            fine = show(gateway.desk(), world.state_dir, demo="demo")
        finally:
            # The agents first, so that their sessions end as clients leave and not as a gateway stops.
            thread.stop()
            gateway.stop("the demo is over")
    finally:
        thread.stop()
    if thread.failure is not None:
        raise UserError(f"demo: the agents stopped: {_words(thread.failure)}")
    return 0 if fine else 1


def _words(fault: BaseException) -> str:
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return f"{type(fault).__name__}: {fault}"


# --- without one


class _Log(logging.Handler):
    """Whatever is logged during the run, to be searched."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


async def _headless(directory: Path, seconds: float) -> headless.Result:
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    if main is not None:
        # As Ctrl-C does: cancelled, the run puts everything away.
        loop.add_signal_handler(signal.SIGTERM, main.cancel)
    log = _Log()
    root = logging.getLogger()
    root.addHandler(log)
    try:
        async with World(directory) as world:
            return await _watched(world, seconds, log)
    finally:
        root.removeHandler(log)
        loop.remove_signal_handler(signal.SIGTERM)


async def _watched(world: World, seconds: float, log: _Log) -> headless.Result:
    canaries = (*world.canaries.all(), *world.in_cluster())
    witness = [("the database and the cluster themselves", await world.witness() + world.cluster_witness())]
    if len(search(canaries, witness)) != len(canaries):
        raise UserError("demo: the search for leaks does not find what is there to leak, so it would prove nothing")
    planted = world.canaries.in_logs()
    if not all(value.encode() in world.log() for value in planted):
        raise UserError("demo: the host's log does not hold what is looked for, so the search would prove nothing")
    archive = ArchiveDesk(world.state_dir)
    after = await _last(archive) if world.state_dir.exists() else 0
    received = Received()
    gateway = await asyncio.to_thread(start, load(world.config_file))
    try:
        operator = headless.Operator(gateway.desk())
        agents = asyncio.create_task(
            crew(headless.SCRIPTS, _gate(world, gateway), received, hurry=headless.HURRY), name="agents"
        )
        script = asyncio.create_task(operator.work(seconds), name="operator")
        try:
            await asyncio.wait((agents, script), return_when=asyncio.FIRST_COMPLETED)
            if agents.done() and not script.done():
                raise UserError(
                    f"demo: the agents stopped: {_words(agents.exception() or RuntimeError('without a reason'))}"
                )
            await script
        finally:
            for task in (agents, script):
                task.cancel()
            await asyncio.gather(agents, script, return_exceptions=True)
        if not await operator.until_quiet(5.0):
            operator.troubles.append("some sessions were still open after their clients had gone")
    finally:
        await asyncio.to_thread(gateway.stop, "the demo is over")
    if received.cut:
        operator.troubles.append("the agents received more than is kept, so not everything was searched")
    lines = [line(one.event) for one in await headless.journal(archive)]
    places = [*received.places(), *files(world.state_dir), ("log", "\n".join([*log.lines, *lines]).encode())]
    return await headless.result(archive, canaries, places, after=after, troubles=operator.troubles)


async def _last(archive: ArchiveDesk) -> int:
    newest = await archive.journal(limit=1)
    return newest[-1].seq if newest else 0


def _report(outcome: headless.Result, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(outcome.summary))
    else:
        for name, value in outcome.summary.items():
            print(f"{name:20} {value}")
    for problem in outcome.problems:
        print(f"hooptui demo: {problem}", file=sys.stderr)
    return 1 if outcome.problems else 0
