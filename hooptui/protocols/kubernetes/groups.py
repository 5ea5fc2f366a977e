"""What `kubectl delete` is about to delete, as far as it lists that first: of one session. Knows no socket.

For `-l`, `--all` and `--field-selector` kubectl sends, for each resource, one LIST and then a DELETE for each item of the answer, one
after the other, and marks all of them with one `Kubectl-Session`. Names on the command line and files (`-f`, `-k`) are deleted without
a look, so that of those nothing is known before. The headers are only the client's word: they propose a group and allow nothing.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from hooptui.core.group import Group, Member
from hooptui.core.model import KubernetesFacts, Operation
from hooptui.protocols.kubernetes.actions import media_type
from hooptui.protocols.kubernetes.deletion import bindable
from hooptui.protocols.kubernetes.facts import KEPT, NAME
from hooptui.protocols.kubernetes.info import RequestInfo
from hooptui.protocols.kubernetes.operations import RUN, alike
from hooptui.protocols.kubernetes.request import Request

COMMAND: Final = "kubectl delete"
MOST: Final = 1000
"""Names that are kept of one list."""
LISTS: Final = 4
"""Lists that a session remembers."""
LASTS: Final = 3600.0
"""Seconds after which a list is forgotten that nothing was deleted of."""
SIZE: Final = 4 * 1024 * 1024
"""Bytes of a list that are looked at; of a longer one no group is made."""

_UID: Final = re.compile(r"[0-9A-Za-z-]{1,64}\Z")


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""


class _Item(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _ListMetadata(msgspec.Struct):
    more: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    items: list[_Item] | None = None
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)


_DECODER: Final = msgspec.json.Decoder(_List)


@dataclass(frozen=True, slots=True)
class _Key:
    """Whose list of what: the client's run, and the resource."""

    run: str
    group: str
    version: str
    resource: str


@dataclass(slots=True)
class _Listed:
    """What is left of one list: the objects that the client has not asked to delete yet."""

    members: dict[str, Member]
    """By what they are: `shop/configmaps/a`."""
    more: bool
    until: float


class Listing:
    """The answer to one LIST while it goes by."""

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._keep = keep
        self._data: bytearray | None = bytearray()

    def feed(self, data: bytes) -> None:
        if self._data is None:
            return
        self._data += data
        if len(self._data) > SIZE:
            self._data = None

    def close(self) -> None:
        """It was whole."""
        data, self._data = self._data, None
        if data is not None:
            self._keep(bytes(data))


class Listings:
    """See the module."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` gives seconds of a clock that only goes forward."""
        self._now = now
        self._lists: OrderedDict[_Key, _Listed] = OrderedDict()

    def expected(self, request: Request, info: RequestInfo) -> Listing | None:
        """Where the answer to a request goes by; None when it is no list that deletions may follow."""
        if (
            request.method != "GET"
            or info.verb != "list"
            or info.subresource
            or info.api_group not in KEPT
            or not (run := _run(request))
        ):
            return None
        key = _Key(run, info.api_group, info.api_version, info.resource)
        # Whatever comes, what was listed before is not what the client goes by now.
        self._lists.pop(key, None)
        return Listing(lambda data: self._put(key, info, data))

    def with_group(self, operation: Operation, request: Request, body: bytes) -> Operation:
        """A deletion with what was listed before it and was not asked for yet; as it is when that is nothing.

        Whatever is asked for here is asked for: it is in no later group."""
        facts = operation.facts
        if not self._lists or not isinstance(facts, KubernetesFacts) or not (run := _run(request)):
            return operation
        if facts.unknown or facts.verb != "delete" or facts.actions != {"delete"} or facts.subresource:
            return operation
        if media_type(request) != "application/json" or not bindable(body):
            return operation
        key = _Key(run, facts.group, facts.version, facts.resource)
        listed = self._lists.get(key)
        now = self._now()
        own = listed.members.get(facts.about) if listed is not None and now < listed.until else None
        if listed is None or own is None:
            return operation
        group = Group(alike(request, facts, body), own, tuple(listed.members.values()), listed.more)
        listed.until = now + LASTS
        del listed.members[facts.about]
        return with_group(operation, group)

    def _put(self, key: _Key, info: RequestInfo, data: bytes) -> None:
        members, more = _read(info, data)
        if len(members) > 1:
            self._lists[key] = _Listed(members, more, self._now() + LASTS)
        while len(self._lists) > LISTS:
            self._lists.popitem(last=False)


def with_group(operation: Operation, group: Group | None, **context: str) -> Operation:
    """The same operation with this group, and more for its reviewer to see."""
    return Operation(
        operation.protocol, operation.verb, operation.text, operation.facts, operation.parameters,
        operation.in_transaction, {**operation.context, **context}, operation.run, group,
    )  # fmt: skip


def _run(request: Request) -> str:
    """The run of `kubectl delete` that a request says it is of; empty when it says none."""
    run = request.header("kubectl-session")
    return run if request.header("kubectl-command") == COMMAND and RUN.match(run) else ""


def _read(info: RequestInfo, data: bytes) -> tuple[dict[str, Member], bool]:
    """The objects of a list, and whether it has more of them than are kept; none when it is no list of JSON."""
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}, False
    members: dict[str, Member] = {}
    more = bool(found.metadata.more)
    for item in found.items or ():
        said = item.metadata
        # A namespace is in itself, to an API server.
        namespace = (
            said.name if (info.api_group, info.resource) == ("", "namespaces") else said.namespace or info.namespace
        )
        if not NAME.match(said.name) or not _UID.match(said.uid) or (namespace and not NAME.match(namespace)):
            more = True
            continue
        if len(members) == MOST:
            more = True
            break
        about = replace(_FACTS, group=info.api_group, resource=info.resource, namespace=namespace, name=said.name).about
        members[about] = Member(about, said.uid)
    return members, more


_FACTS: Final = KubernetesFacts(frozenset())
