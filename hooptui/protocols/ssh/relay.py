"""One session channel as its client sees it: asked for, held, refused, run, and ended as the target ended it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

import asyncssh

from hooptui.core.gate import CannotRecord, Refused
from hooptui.protocols.ssh import agent as agents
from hooptui.protocols.ssh import operations, replies
from hooptui.protocols.ssh.files import SFTP, Files
from hooptui.protocols.ssh.guarded import guarded
from hooptui.protocols.ssh.holds import Holds
from hooptui.protocols.ssh.link import Link
from hooptui.protocols.ssh.operations import Start, Terminal
from hooptui.protocols.ssh.outlet import Bytes, Outlet, Text
from hooptui.protocols.ssh.running import TargetEnd
from hooptui.protocols.ssh.sessions import EMERGENCY, PACKET, REASON, SessionChannel
from hooptui.protocols.ssh.train import Train
from hooptui.protocols.ssh.transfers import Transfer
from hooptui.protocols.ssh.transport import send
from hooptui.protocols.ssh.upstream import UpstreamFailed
from hooptui.protocols.ssh.voice import Voice
from hooptui.protocols.ssh.watching import Watching

INTERRUPT: Final = b"\x03"
INTERRUPTED: Final = 130
"""Exit status of what its own client took back: a shell's own for SIGINT."""


class ClientEnd(asyncssh.SSHServerSession[bytes]):
    """See the module. Implements `link.Runs`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._voice = Voice(link.session)
        self._chan: SessionChannel | None = None
        self._start: Start | None = None
        self._terminal: Terminal | None = None
        self._task: asyncio.Task[None] | None = None
        self._watch: Watching | None = None
        self._agent: agents.Agent | None = None
        self._files: Files | None = None
        """Set while it carries SFTP."""
        self._holds = Holds()
        """Why the client is not read now."""
        self._target: TargetEnd | None = None
        self._through: TargetEnd | None = None
        """The same, where what the client sends goes on unseen."""
        self._early = bytearray()
        self._eof = False
        self._choked = False
        """The client does not read what it is sent."""
        self._frozen = False
        self._gone = False
        self._parted = asyncio.Event()

    # --- Runs

    @property
    def program(self) -> bool:
        return True

    @property
    def running(self) -> bool:
        return self._target is not None and not self._target.over

    @property
    def ended(self) -> bool:
        return self._target is None or self._target.ended

    async def gone(self) -> None:
        if self._target is not None:
            await self._target.gone.wait()

    def freeze(self) -> None:
        self._frozen = self._holds.ended = True
        if self._target is not None:
            self._target.freeze()

    def signal(self) -> None:
        if self._target is not None:
            self._target.send_signal("KILL")

    def shut(self) -> None:
        if self._target is not None:
            self._target.close()

    def farewell(self, message: str) -> None:
        self._voice.killed(message)

    async def parted(self) -> None:
        await self._parted.wait()

    # --- what asyncssh calls

    @guarded(None)
    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        assert isinstance(chan, SessionChannel)
        self._chan = self._voice.chan = self._holds.chan = chan
        self._link.runs.add(self)

    @guarded(False)
    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: object) -> bool:
        modes = dict(term_modes) if isinstance(term_modes, dict) else {}
        self._terminal, self._voice.terminal = Terminal(term_type, term_size, modes), True
        return True

    @guarded(False)
    def exec_requested(self, command: str) -> bool:
        return self._wants(Start("exec", command.encode("utf-8", "surrogateescape")))

    @guarded(False)
    def shell_requested(self) -> bool:
        return self._wants(Start("shell"))

    @guarded(False)
    def subsystem_requested(self, subsystem: str) -> bool:
        return self._wants(Start("subsystem", subsystem.encode()))

    @guarded(None)
    def session_started(self) -> None:
        self._task = self._link.spawn(self._run())

    @guarded(None)
    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._frozen:
            return
        self._link.session.counters.bytes_in += len(data)
        if self._target is not None:
            self._input(data)
            return
        if self._terminal is not None and INTERRUPT in data:
            self._withdraw()
            return
        self._early += data
        if len(self._early) > self._link.limits.ahead:
            self._holds.hold("early")

    @guarded(None)
    def carry(self, train: Train) -> None:
        """See `receiving.Carries`. What goes through unseen, goes through without a copy."""
        if self._through is None:
            self.data_received(train.joined(), None)
        elif not self._frozen:
            self._link.session.counters.bytes_in += train.size
            self._through.pass_on(train)

    @guarded(True)
    def eof_received(self) -> bool:
        self._eof = True
        if self._target is not None:
            self._input_ended()
        # True keeps our own direction open: the answer comes after the client's last byte.
        return True

    @guarded(None)
    def signal_received(self, signal: str) -> None:
        if self._target is not None:
            self._target.send_signal(signal)
        elif signal in ("INT", "TERM", "HUP", "KILL", "QUIT"):
            self._withdraw()

    @guarded(False)
    def break_received(self, msec: int) -> bool:
        return self._target is not None and self._target.send_break(msec)

    @guarded(None)
    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._terminal is not None:
            self._terminal = replace(self._terminal, size=(width, height, pixwidth, pixheight))
        if self._target is not None:
            self._target.resize(width, height, pixwidth, pixheight)

    @guarded(None)
    def pause_writing(self) -> None:
        self._choked = True
        if self._target is not None and not self._frozen:
            self._target.holds.hold("client")
        if self._files is not None:
            self._files.stall(True)

    @guarded(None)
    def resume_writing(self) -> None:
        self._choked = False
        if self._target is not None:
            self._target.holds.free("client")
        if self._files is not None:
            self._files.stall(False)

    @guarded(None)
    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._parted.set()
        if self._task is not None and self._target is None:
            self._task.cancel()
        if self._target is not None and not self._target.over:
            self._target.close()
        else:
            self._link.runs.discard(self)

    def failed(self, fault: Exception) -> None:
        """See `guarded`."""
        self._link.trouble("fault", f"a channel ended by a fault of the gateway: {type(fault).__name__}")
        self._voice.end(("the gateway failed; its operator has been told",), replies.FAILED)
        if self._target is not None:
            self._target.close()

    # --- what the other end calls

    def out(self, data: bytes, datatype: int | None) -> None:
        """What the target said, for the client."""
        chan = self._chan
        if self._frozen or chan is None or chan.is_closing():
            return
        self._link.session.counters.bytes_out += len(data)
        send(chan, data, datatype)

    def hold_input(self, on: bool) -> None:
        """The target takes no more input for now, or again."""
        (self._holds.hold if on else self._holds.free)("target")

    def xon_xoff(self, client_can_do: bool) -> None:
        if self._chan is not None and not self._chan.is_closing():
            self._chan.set_xon_xoff(client_can_do)

    def done(self, status: int | None, signal: tuple[str, bool, str, str] | None, *, lost: bool) -> None:
        """The target has closed its channel, or with `lost` is gone itself."""
        if self._files is not None:
            self._link.spawn(self._files.guard.close())
        if self._agent is not None:
            self._agent.close()
        chan = self._chan
        if self._gone:
            self._link.runs.discard(self)
        if self._frozen or chan is None or chan.is_closing():
            return
        if status is not None:
            chan.exit(status)
        elif signal is not None:
            chan.exit_with_signal(*signal)
        elif lost:
            self._voice.end(("the target's side closed the connection",), replies.FAILED)
        else:
            # As sshd does when what it ran has no status: it closes and leaves the client to its own words.
            chan.close()

    # --- inside

    def _wants(self, start: Start) -> bool:
        self._start = start
        return True

    async def _run(self) -> None:
        assert self._chan is not None and self._start is not None
        chan, link = self._chan, self._link
        environment = chan.environment()
        start = Start(self._start.kind, self._start.text, self._terminal, environment)
        session = link.session
        waits = session.access is not None
        if waits:
            session.purpose = session.purpose or chan.said(REASON)
            session.emergency = session.emergency or chan.said(EMERGENCY)
        outlet: Outlet
        try:
            if start.kind == "subsystem" and start.text == SFTP:
                # Opening it does nothing; each request inside is an operation of its own.
                connection = await link.entered(self._voice.waiting)
                number, outlet = 0, self._guarded(None)
            else:
                if chan.agent:
                    self._agent = await agents.ask(link, self._voice)
                operation, transfer = operations.start(start, link.read, longest=link.limits.command)
                number, connection = await link.permit(operation, self._voice.held, self._voice.waiting)
                outlet = self._outlet(number, transfer)
            if waits:
                self._voice.let_in()
            await self._open(start, number, connection, outlet)
        except Refused as refused:
            self._voice.end(replies.refused(refused), replies.NOT_ALLOWED)
            if session.access is not None:
                link.connection.disconnect(asyncssh.DISC_BY_APPLICATION, refused.message)
        except UpstreamFailed as failed:
            name = link.target.target.name
            self._voice.end(
                (f'cannot open target "{name}": {failed.public}', "hooptui is up; its operator has been told"),
                replies.FAILED,
            )
        except asyncssh.ChannelOpenError as no:
            self._voice.end((f"the target refuses: {no.reason}",), replies.FAILED)
        except (asyncssh.Error, ConnectionError) as lost:  # whoever waits for an answer is told what the socket said
            link.trouble("upstream-lost", f"the connection broke while a channel was opened: {type(lost).__name__}")
            self._voice.end(("the target's side closed the connection",), replies.FAILED)
        except Exception as fault:  # noqa: BLE001 - whatever it was, it is this channel's end and the operator's to know
            self.failed(fault)
        finally:
            if self._target is None and self._agent is not None:
                self._agent.close()

    async def _open(self, start: Start, number: int, connection: asyncssh.SSHClientConnection, outlet: Outlet) -> None:
        """Start it on the target.

        Raises:
            asyncssh.ChannelOpenError: the target does not.
            asyncssh.Error, ConnectionError: its connection broke meanwhile.
        """
        target = TargetEnd(self, self._link, number, outlet)
        terminal = self._terminal
        if self._agent is not None:
            self._agent.attach(connection)
        try:
            agents.asks_for_socket(connection, self._agent)
            await connection.create_session(
                lambda: target,
                start.text if start.kind == "exec" else None,  # type: ignore[arg-type]  # bytes go out as they are, text would have to be UTF-8
                subsystem=start.text.decode("ascii") if start.kind == "subsystem" else None,
                env=[*(start.environment or {}).items()],
                send_env=None,
                request_pty="force" if terminal is not None else False,
                term_type=terminal.name if terminal is not None else None,
                term_size=terminal.size if terminal is not None else (0, 0, 0, 0),
                term_modes=dict(terminal.modes) if terminal is not None else {},
                x11_forwarding=False,
                encoding=None,
                window=self._link.limits.window,
                max_pktsize=PACKET,
            )
        except BaseException:
            target.never()
            raise
        # Nothing of the target's answer has been delivered yet: asyncssh does that in a task of its own.
        self._target = target
        self._through = target if self._files is None and terminal is None else None
        if self._gone or self._frozen:
            target.close()
            return
        if self._choked:
            target.holds.hold("client")
        early, self._early = bytes(self._early), bytearray()
        if early:
            self._input(early)
        if self._eof:
            self._input_ended()
        self._holds.free("early")

    def _outlet(self, number: int, transfer: Transfer | None) -> Outlet:
        if transfer is None:
            session, terminal = self._link.session, self._terminal
            self._watch = eye = Watching(session, number, self.out, self._link.kill, terminal=terminal is not None)
            return Text(session, number, self._link.mask_key, eye.out, self._unrecorded, self._slow, terminal)
        return self._guarded(transfer) if transfer.program == "scp" else Bytes(self.out)

    def _guarded(self, transfer: Transfer | None) -> Files:
        """The guard of a file transfer, in the place of the outlet."""

        def up(data: bytes) -> None:
            if self._target is not None:
                self._target.write(data)

        def pause(on: bool) -> None:
            (self._holds.hold if on else self._holds.free)("files")

        self._files = Files(
            self._link.session, self._voice.held, transfer, up=up, down=self.out, end=self._broken, pause=pause
        )
        return self._files

    def _input(self, data: bytes) -> None:
        if self._files is not None:
            self._files.guard.from_client(data)
        elif self._target is not None:
            if self._watch is not None:
                # First, or the echo could be there before the keys are known.
                self._watch.keys(data)
            self._target.write(data)

    def _input_ended(self) -> None:
        if self._files is not None:
            self._link.spawn(self._settled(self._files))
        elif self._target is not None:
            self._target.write_eof()

    async def _settled(self, files: Files) -> None:
        """The target's input ends when the last request that waits is answered."""
        await files.guard.settled()
        if self._target is not None:
            self._target.write_eof()

    def _slow(self, on: bool) -> None:
        """What the target says takes long to look at."""
        if self._target is not None:
            (self._target.holds.hold if on else self._target.holds.free)("slow")

    def _broken(self, reason: str) -> None:
        """The other side's SFTP makes no sense, or the client's."""
        self._voice.end((reason,), replies.FAILED)
        if self._target is not None:
            self._target.close()

    def _unrecorded(self, broken: CannotRecord) -> None:
        """What cannot be recorded may not go on."""
        self._link.trouble("unrecorded", f"a command was stopped, for its output cannot be recorded: {broken}")
        self.freeze()
        self.signal()
        self.shut()
        self.farewell("hooptui cannot record this session, so it ends here")

    def _withdraw(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._voice.end(("withdrawn",), INTERRUPTED)
