"""A terminal between a client and a program: echo, line editing, ^C and ^D, and newlines as a terminal wants them.

Knows flows; the part of a tty's line discipline that `kubectl exec -it` shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hooptui.demo.cluster.machine.flow import Flow
from hooptui.demo.cluster.machine.process import Screen, Write


class Terminal:
    """See the module. Output of the program goes through `write`, input of the client through `type`."""

    def __init__(self, out: Write, interrupt: Callable[[], None]) -> None:
        self._out = out
        self._interrupt = interrupt
        self._line = bytearray()
        self.stdin = Flow()
        self.screen = Screen()

    async def write(self, data: bytes) -> None:
        await self._out(re.sub(rb"(?<!\r)\n", b"\r\n", data))

    async def type(self, data: bytes) -> None:
        """What the client sends: keys."""
        for byte in data:
            match byte:
                case 0x0D | 0x0A:
                    await self._out(b"\r\n")
                    await self.stdin.write(bytes(self._line) + b"\n")
                    self._line.clear()
                case 0x03:
                    await self._out(b"^C\r\n")
                    self._line.clear()
                    self._interrupt()
                case 0x04:
                    if self._line:
                        await self.stdin.write(bytes(self._line))
                        self._line.clear()
                    else:
                        self.stdin.end()
                case 0x7F | 0x08:
                    if self._line:
                        del self._line[-1]
                        await self._out(b"\b \b")
                case _:
                    self._line.append(byte)
                    await self._out(bytes([byte]))
