"""A watch: what is there, if asked for, then every change, then bookmarks, in the representation of the request.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes. Knows the store; knows no socket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from hooptui.demo.cluster import protobuf
from hooptui.demo.cluster.call import Call
from hooptui.demo.cluster.columns import Column
from hooptui.demo.cluster.kinds import Kind
from hooptui.demo.cluster.objects import Object, Test
from hooptui.demo.cluster.problems import gone
from hooptui.demo.cluster.representations import Wanted, partial, table
from hooptui.demo.cluster.store import Change, Expired, Store

LONGEST = 1800.0
"""Seconds until the server ends a watch that does not say when; the real one picks 30 to 60 minutes."""
BOOKMARK_EVERY = 60.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch."""

    store: Store
    kind: Kind
    namespace: str
    test: Test
    convert: Callable[[Object], Object]
    """A stored object in the version of the request."""
    columns: tuple[Column, ...]
    how: Wanted
    call: Call


async def frames(watch: Watch) -> AsyncIterator[bytes]:
    """The body, piece by piece."""
    headed = True
    async for kind, obj in _events(watch):
        yield _frame(watch, kind, obj, headed)
        headed = headed and kind in ("BOOKMARK", "ERROR")


async def _events(watch: Watch) -> AsyncIterator[tuple[str, Object]]:
    call, store = watch.call, watch.store
    asked = call.asked("resourceVersion")
    initial, bookmarks = call.flag("sendInitialEvents"), call.flag("allowWatchBookmarks")
    seconds = float(call.asked("timeoutSeconds") or 0) or LONGEST
    version = store.version
    if initial or asked in ("", "0"):
        for obj in store.all(watch.kind.key, watch.namespace):
            if watch.test(obj):
                yield "ADDED", watch.convert(obj)
        if initial and bookmarks:
            yield "BOOKMARK", _bookmark(watch, version, end=True)
    else:
        version = int(asked) if asked.isdecimal() else version
    changes = store.watch(watch.kind.key, version)
    ends = asyncio.get_running_loop().time() + seconds
    pending: asyncio.Future[Change | None] | None = None
    try:
        while True:
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                return
            pending = pending or asyncio.ensure_future(anext(changes, None))
            done, _ = await asyncio.wait((pending,), timeout=min(left, BOOKMARK_EVERY))
            if not done:
                if bookmarks and left > BOOKMARK_EVERY:
                    yield "BOOKMARK", _bookmark(watch, store.version)
                continue
            try:
                change = pending.result()
            except Expired:
                yield "ERROR", gone(f"too old resource version: {version} ({store.version})").status()
                return
            pending = None
            if change is not None and (found := _seen(watch, change)) is not None:
                yield found
    finally:
        if pending is not None and not pending.done():
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        await changes.aclose()  # type: ignore[attr-defined]


def _seen(watch: Watch, change: Change) -> tuple[str, Object] | None:
    """A change as this watch sees it: an object that a selector no longer takes is gone."""
    metadata = change.object["metadata"]
    if watch.namespace and metadata.get("namespace") != watch.namespace:
        return None
    now = change.type != "DELETED" and watch.test(change.object)
    before = change.before is not None and watch.test(change.before)
    if now:
        return "MODIFIED" if before else "ADDED", watch.convert(change.object)
    return ("DELETED", watch.convert(change.object)) if before else None


def _bookmark(watch: Watch, version: int, *, end: bool = False) -> Object:
    metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
    if end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return {"kind": watch.kind.kind, "apiVersion": watch.kind.api_version, "metadata": metadata}


def _frame(watch: Watch, kind: str, obj: Object, headed: bool) -> bytes:
    if kind != "ERROR":
        match watch.how.shape:
            case "Table":
                include = watch.call.asked("includeObject", "Metadata")
                columns = watch.columns if kind != "BOOKMARK" else ()
                obj = table(obj, watch.kind, columns, include, headed=headed)
                if kind == "BOOKMARK":
                    obj["rows"] = [{"cells": [None] * len(watch.columns), "object": obj["rows"][0]["object"]}]
            case "PartialObjectMetadata" | "PartialObjectMetadataList":
                obj = partial(obj)
    if watch.how.media == protobuf.MEDIA and (packed := protobuf.encode(obj)) is not None:
        return protobuf.watch_event(kind, packed)
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
