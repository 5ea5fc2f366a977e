"""Which names the target itself has for the paths of an operation: what symlinks lead to. Knows the two questions, no policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hooptui.protocols.ssh.sftp import replies
from hooptui.protocols.ssh.sftp.operations import Plan
from hooptui.protocols.ssh.sftp.packets import Type

Probe = Callable[[Type, bytes], asyncio.Future[bytes]]
"""Ask the target about a path; the future has the body of its answer."""


async def real_names(what: Plan, probe: Probe) -> tuple[tuple[bytes, ...], int | None]:
    """The names that differ from those the plan has, and the size of the file where it matters and there is one.

    A path that the target cannot resolve has no other name: what is asked for will fail there in its own way. All questions are
    asked at once, so that they cost one round trip.

    Raises:
        SftpViolation: an answer that is none.
    """
    asked = list(dict.fromkeys(place.asked for place in what.places))
    waits = [probe(Type.REALPATH, path) for path in asked]
    sizing = probe(Type.STAT, asked[0]) if what.sizes else None
    answers = {path: replies.first_name(await wait) for path, wait in zip(asked, waits, strict=True)}
    names = []
    for place in what.places:
        answer = answers[place.asked]
        if answer is not None and (real := place.real(answer)) != place.path:
            names.append(real)
    return tuple(names), replies.size(await sizing) if sizing else None
