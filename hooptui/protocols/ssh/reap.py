"""Ending on the target everything that one connection started there, by a command of the gateway's own over that connection.

A signal by SSH reaches one process group, and for root's own logins and forced commands sshd passes none. The command here asks
the target's kernel instead: whatever descends from the sshd of this very connection, or is in a session of what does, is sent
SIGKILL until nothing of it is left. It touches nothing else, and does nothing where its parent is no sshd of a connection.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Final

import asyncssh

WITHIN: Final = 1.0
"""Seconds that the target has for all of it."""
ANSWER: Final = 64
"""Bytes of its answer that are read."""

# POSIX sh on Linux's /proc, in one line and without a single quote, so that every login shell hands it on as it is. `p` is the
# connection's sshd, `m` this shell, `s` all that belongs to the connection, `v` those of them that live. A dead leader still says
# which session is meant. A name may hold spaces and brackets: the fields are counted from the last bracket on.
_SCRIPT: Final = """
p=$PPID; m=$$; k=0; j=0;
{ read -r c </proc/$p/comm; } 2>/dev/null || exit 3;
case $c in sshd*|dropbear) ;; *) exit 3;; esac;
look() { s=" "; v=; g=1;
 while [ $g = 1 ]; do g=0;
  for f in /proc/[0-9]*/stat; do
   { read -r l <$f; } 2>/dev/null || continue;
   i=${f#/proc/}; i=${i%/stat};
   case " $m $p $s" in *" $i "*) continue;; esac;
   set -- ${l##*") "};
   if [ "$2" != "$p" ]; then case $s in *" $2 "*|*" $4 "*) ;; *) continue;; esac; fi;
   s="$s$i "; g=1;
   [ "$1" = Z ] || v="$v $i";
  done;
 done; };
count() { n=$#; };
look; count $v; k=$n;
while [ $n -gt 0 ] && [ $j -lt 10 ]; do kill -9 $v 2>/dev/null; sleep 0.02; look; count $v; j=$((j+1)); done;
echo killed $k left $n
"""
COMMAND: Final = "exec /bin/sh -c '" + " ".join(_SCRIPT.split("\n")).strip() + "'"
_SAID: Final = re.compile(rb"killed (\d{1,6}) left (\d{1,6})\n")


@dataclass(frozen=True, slots=True)
class Reaped:
    """What the target says of it."""

    killed: int
    """Processes that were there."""
    left: int
    """Those of them that would not go: another user's, by sudo."""


async def reap(connection: asyncssh.SSHClientConnection) -> Reaped | None:
    """End all that runs over a connection to a target; None when the target cannot, or does not answer in time."""
    try:
        async with asyncio.timeout(WITHIN):
            process = await connection.create_process(
                COMMAND, encoding=None, stdin=asyncssh.DEVNULL, stderr=asyncssh.DEVNULL, send_env=None, env=(), request_pty=False
            )  # fmt: skip
            try:
                said = await _line(process.stdout)
            finally:
                process.close()
    except (TimeoutError, asyncssh.Error, OSError):
        return None
    found = _SAID.fullmatch(said)
    return Reaped(int(found[1]), int(found[2])) if found is not None else None


async def _line(stream: asyncssh.SSHReader[bytes]) -> bytes:
    """Up to the end of a line, of the stream, or of what is read."""
    said = b""
    while len(said) < ANSWER and not said.endswith(b"\n"):
        part = await stream.read(ANSWER - len(said))
        if not part:
            break
        said += part
    return said
