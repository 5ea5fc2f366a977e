"""Requests that cannot go at once: judged ones until they are answered, and whatever must not overtake them. Knows no packets.

Order: the draft (section 6) has a server work on requests to one file in the order of their arrival, and lets it reorder all others.
So a request waits for earlier ones that share an open file or a path with it; and where one of two changes the tree (mkdir, rename,
remove, a link …), for those above and below its path as well, unless it only looks. All else goes on, whoever is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hooptui.core.gate import Permit
from hooptui.protocols.ssh.sftp.files import File
from hooptui.protocols.ssh.sftp.names import inside, shown
from hooptui.protocols.ssh.sftp.operations import Plan
from hooptui.protocols.ssh.sftp.packets import Request

LOOKS = frozenset({"file_list"})


class Entry:
    """One request on its way."""

    __slots__ = (
        "after",
        "body",
        "files",
        "gone",
        "id",
        "looks",
        "names",
        "paths",
        "permit",
        "plan",
        "request",
        "started",
    )

    def __init__(
        self, number: int, body: bytes, request: Request, plan: Plan | None, files: tuple[File, ...], started: float
    ) -> None:
        self.id = number
        """The client's."""
        self.body = body
        self.request = request
        self.plan = plan
        """None for a request on an open file that only must not overtake."""
        self.files = files
        self.started = started
        self.paths = tuple(place.path for place in plan.places) if plan else ()
        self.looks = plan is not None and plan.actions <= LOOKS
        self.names = self.paths
        """Every path it was judged under, in the end."""
        self.after: tuple[Entry, ...] = ()
        self.permit: Permit | None = None
        self.gone = asyncio.Event()
        """Set when nothing needs to wait for it any more."""

    @property
    def shown(self) -> tuple[str, ...]:
        return tuple(shown(name) for name in self.names)

    def meets(self, other: Entry) -> bool:
        """Whether the two must keep their order."""
        if any(file in other.files for file in self.files):
            return True
        wide = (
            not (self.looks or other.looks)
            and self.plan is not None
            and other.plan is not None
            and (self.plan.structural or other.plan.structural)
        )
        for mine in self.paths:
            for theirs in other.paths:
                if mine == theirs or (wide and (inside(mine, theirs) or inside(theirs, mine))):
                    return True
        return False


class Entries:
    """Those on their way, oldest first; bounded by whoever adds."""

    __slots__ = ("_all", "size")

    def __init__(self) -> None:
        self._all: list[Entry] = []
        self.size = 0
        """Bytes of their packets."""

    def __len__(self) -> int:
        return len(self._all)

    def add(self, entry: Entry) -> None:
        entry.after = tuple(other for other in self._all if entry.meets(other))
        self._all.append(entry)
        self.size += len(entry.body)
        for file in entry.files:
            file.waiting += 1

    def remove(self, entry: Entry) -> None:
        self._all.remove(entry)
        self.size -= len(entry.body)
        for file in entry.files:
            file.waiting -= 1
        entry.after = ()
        entry.gone.set()

    def all(self) -> Sequence[Entry]:
        return tuple(self._all)
