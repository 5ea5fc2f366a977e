"""The objects, each write numbered, and a bounded memory of what changed for those who watch.

Knows no kinds, no rules and no wire. A stored object is never changed in place: whoever wants another puts another.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal

from hooptui.demo.cluster.objects import Object, meta, name_of, namespace_of

FIRST_VERSION = 1000
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, so that no name is a word by chance."""
REMEMBERED = 20_000
"""Changes that are kept for watches that begin in the past."""

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Change:
    """One write."""

    version: int
    key: str
    """Of the resource, as `Kind.key`."""
    type: ChangeType
    object: Object
    """As it is now; when deleted, as it was last, with the version of its deletion."""
    before: Object | None


class Expired(Exception):
    """The past that was asked for is forgotten."""


class Store:
    """See the module."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        self._changes: deque[Change] = deque(maxlen=REMEMBERED)
        self._news = asyncio.Event()
        self._made = 0
        self.version = FIRST_VERSION

    def _unique(self) -> bytes:
        self._made += 1
        return hashlib.sha256(f"{self._made}".encode()).digest()

    def suffix(self, length: int = 5) -> str:
        """What is put behind generated names. The same one after another in every new store, so that runs can be compared."""
        return "".join(ALPHABET[byte % len(ALPHABET)] for byte in self._unique()[:length])

    def uid(self) -> str:
        return str(uuid.UUID(bytes=self._unique()[:16], version=4))

    def get(self, key: str, namespace: str, name: str) -> Object | None:
        return self._objects.get(key, {}).get((namespace, name))

    def all(self, key: str, namespace: str = "") -> list[Object]:
        """By namespace and name; those of all namespaces when none is given."""
        found = self._objects.get(key, {})
        return [found[where] for where in sorted(found) if not namespace or where[0] == namespace]

    def everything(self) -> Iterator[tuple[str, Object]]:
        for key, objects in list(self._objects.items()):
            for obj in list(objects.values()):
                yield key, obj

    def put(self, key: str, obj: Object) -> Object:
        """Store a copy with a new resourceVersion, and return that copy. What would change nothing is no write."""
        where = namespace_of(obj), name_of(obj)
        before = self._objects.get(key, {}).get(where)
        if before is not None and before == obj:
            return before
        fresh = copy.deepcopy(obj)
        self.version += 1
        meta(fresh)["resourceVersion"] = str(self.version)
        self._objects.setdefault(key, {})[where] = fresh
        self._note(Change(self.version, key, "ADDED" if before is None else "MODIFIED", fresh, before))
        return fresh

    def remove(self, key: str, namespace: str, name: str) -> Object | None:
        before = self._objects.get(key, {}).pop((namespace, name), None)
        if before is None:
            return None
        last = copy.deepcopy(before)
        self.version += 1
        meta(last)["resourceVersion"] = str(self.version)
        self._note(Change(self.version, key, "DELETED", last, before))
        return last

    def _note(self, change: Change) -> None:
        self._changes.append(change)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def since(self, version: int, key: str) -> list[Change]:
        """The changes of a resource after a version, oldest first.

        Raises:
            Expired: some of them are forgotten.
        """
        if self._changes and version + 1 < self._changes[0].version and len(self._changes) == REMEMBERED:
            raise Expired
        found: list[Change] = []
        for change in reversed(self._changes):
            if change.version <= version:
                break
            if change.key == key:
                found.append(change)
        found.reverse()
        return found

    async def watch(self, key: str, version: int) -> AsyncIterator[Change]:
        """Every change of a resource after a version, for as long as it is read.

        Raises:
            Expired: the reader is too far behind.
        """
        while True:
            news, now = self._news, self.version
            for change in self.since(version, key):
                yield change
            version = now
            await news.wait()
