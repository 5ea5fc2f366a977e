"""The faces that run until told to stop: gateway with screen, gateway without, screen onto another process, replay."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from hooptui.audit import replay as recordings
from hooptui.audit.export import cast_lines, export_cast
from hooptui.audit.files import JournalError
from hooptui.audit.plain import plain as plain_text
from hooptui.config.load import Config, load
from hooptui.control.client import RemoteDesk
from hooptui.control.local import GatewayThread
from hooptui.core.bus import Subscription
from hooptui.core.desk import Desk, DeskClosed
from hooptui.credentials.certificates import CertificateTrouble
from hooptui.credentials.static import CredentialTrouble
from hooptui.errors import UserError
from hooptui.logline import QUIET, Log
from hooptui.policy.rules import PolicyError

CRASH = "screen-crash.txt"
CRASHED = 1
"""What Textual returns when something in a screen raised."""


def start(config: Config) -> GatewayThread:
    """A started gateway.

    Raises:
        UserError: it cannot start, in words.
    """
    gateway = GatewayThread(config)
    try:
        gateway.start()
    except (PolicyError, JournalError, CertificateTrouble, CredentialTrouble, OSError, ValueError) as fault:
        raise UserError(str(fault)) from None
    _collect_seldom()
    return gateway


def _collect_seldom() -> None:
    """What a gateway has made by now stays until its end, and what a session makes is freed by counting; so the collector of
    cycles, which at its defaults takes a tenth of a small query's time, looks at less and less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def screen(path: Path, *, readonly: bool) -> int:
    """Gateway and screen; a screen that crashes leaves the gateway running headless."""
    if not sys.stdout.isatty():
        raise UserError("the screen needs a terminal; `hooptui serve` runs without one")
    config = load(path)
    gateway = start(config)
    try:
        if show(gateway.desk(readonly=readonly), config.state_dir):
            return 0
        words = (
            f"hooptui: the screen crashed (see {config.state_dir / CRASH}); the gateway goes on. "
            "`hooptui attach` opens a new screen, Ctrl-C stops the gateway."
        )
        _headless(gateway, drain=30.0, subscription=None, first=words)
        return 1
    finally:
        gateway.stop("the operator left")


def show(desk: Desk, state_dir: Path, *, demo: str = "", replay: str = "") -> bool:
    """Run the screen until its operator leaves; False when it crashed, with the traceback kept in the state directory."""
    from hooptui.tui.app import HooptuiApp

    app = HooptuiApp(desk, demo=demo, replay=replay)

    def leave(number: int, frame: FrameType | None) -> None:
        """Told to go, or the terminal is gone: the screen gives the terminal back on its way out."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise SystemExit(128 + number) from None
        loop.call_soon_threadsafe(app.exit, None, 128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        app.run()
    except Exception as fault:  # noqa: BLE001 - whatever a screen dies of, the gateway must go on
        _keep(state_dir, fault)
        return False
    if app.return_code == CRASHED:
        _keep(state_dir, app.fault)
        return False
    return True


def _keep(state_dir: Path, fault: BaseException | None) -> None:
    with contextlib.suppress(OSError):  # a full disk must not take the gateway down with the screen
        descriptor = os.open(state_dir / CRASH, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(traceback.format_exception(fault) if fault else ["no traceback\n"])


def attach(path: Path, *, readonly: bool) -> int:
    """The same screen onto a running gateway."""
    if not sys.stdout.isatty():
        raise UserError("the screen needs a terminal; `hooptui do` runs single commands without one")
    config = load(path)

    async def reach() -> None:
        desk = RemoteDesk(config.state_dir, readonly=readonly)
        try:
            await desk.snapshot()
        finally:
            await desk.close()

    try:
        asyncio.run(reach())
    except DeskClosed as gone:
        raise UserError(str(gone)) from None
    return 0 if show(RemoteDesk(config.state_dir, readonly=readonly), config.state_dir) else 1


def serve(path: Path, *, drain: float) -> int:
    """The gateway alone: log lines on standard output, ready and stopping told to systemd."""
    config = load(path)
    gateway = start(config)
    assert gateway.gateway is not None
    subscription = gateway.gateway.bus.subscribe(capacity=20_000, without=QUIET)
    for listener in gateway.gateway.listeners:
        print(
            f"hooptui {config.name}: {listener.protocol} on {listener.address}, CA {gateway.gateway.papers.ca or 'your own'}",
            flush=True,
        )
    _headless(gateway, drain=drain, subscription=subscription)
    if gateway.failure:
        print(f"hooptui: {gateway.failure}", file=sys.stderr)
        return 1
    return 0


def _headless(gateway: GatewayThread, *, drain: float, subscription: Subscription | None, first: str = "") -> None:
    """Until SIGTERM or SIGINT: print events, reload on SIGHUP. `first` is said once signals are heard."""
    stop, again = threading.Event(), threading.Event()
    wake = threading.Event()

    def on_stop(*_: object) -> None:
        stop.set()
        wake.set()

    def on_reload(*_: object) -> None:
        again.set()
        wake.set()

    for number, handler in ((signal.SIGTERM, on_stop), (signal.SIGINT, on_stop), (signal.SIGHUP, on_reload)):
        signal.signal(number, handler)
    # Not before signals are heard: whoever waits for this may send one at once.
    _notify("READY=1")
    if first:
        print(first, file=sys.stderr)
    log = Log()
    while not stop.is_set() and gateway.alive:
        wake.wait(0.25)
        wake.clear()
        if again.is_set():
            again.clear()
            _reload(gateway)
        _print(subscription, log)
    _notify("STOPPING=1")
    gateway.stop("told to stop", drain=drain)
    _print(subscription, log)


def _reload(gateway: GatewayThread) -> None:
    running = gateway.gateway
    if running is not None:
        running.loop.call_soon_threadsafe(running.reload, "SIGHUP")


def _print(subscription: Subscription | None, log: Log) -> None:
    if subscription is None:
        return
    events, lost = subscription.drain(20_000)
    if lost:
        print(f"{lost} events not printed, all recorded", flush=True)
    for text in log.lines(events):
        print(text)
    sys.stdout.flush()


def _notify(state: str) -> None:
    """sd_notify(3): one datagram to the socket that systemd names."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier, contextlib.suppress(OSError):
        # A supervisor that does not listen is no reason not to serve.
        notifier.connect(address)
        notifier.sendall(state.encode())


@dataclass(frozen=True, slots=True)
class Cast:
    """The asciicast that somebody wants of a recording."""

    file: str
    """To be made; `-` prints it."""
    channel: int | None
    version: int


def replay(state_dir: Path, session: str | None, *, plain: bool, cast: Cast | None = None) -> int:
    """List the recordings, print one, write its asciicast, or open the screen's player on it."""
    if not (state_dir / "recordings").is_dir():
        raise UserError(f"{state_dir}: found no recordings, expected the state directory of a gateway")
    if session is None:
        for one in recordings.list_recordings(state_dir):
            print(f"{one.session}  {one.who} → {one.target} ({one.via})  {one.operations} operations  {one.size} bytes")
        return 0
    try:
        found = recordings.find(state_dir, session)
        if cast is not None and cast.file != "-":
            export_cast(state_dir, found, Path(cast.file), cast.channel, cast.version)
            return 0
        if cast is not None:
            for line in cast_lines(state_dir, found, cast.channel, cast.version):
                print(line)
            return 0
        if plain or not sys.stdout.isatty():
            for text in plain_text(recordings.stream(state_dir, found)):
                print(text)
            return 0
    except (LookupError, ValueError, OSError) as fault:
        raise UserError(str(fault)) from None
    from hooptui.control.archive import ArchiveDesk

    return 0 if show(ArchiveDesk(state_dir), state_dir, replay=found) else 1
