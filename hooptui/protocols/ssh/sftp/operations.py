"""SFTP requests to Operations: which files, to do what. Pure; knows no policy and no bytes on a wire.

A path is judged as the client sent it, made absolute from the target's home with `.` and `..` taken out by text, and under the
name that the target itself has for it (REALPATH), where that differs: a rule must allow both. What is judged and what is sent are
the same path: one with `..` in it, whose meaning depends on symlinks, is sent in its plain form. A symlink that somebody else puts in
place between the target's answer and the operation is not seen; only the target's own permissions can stop that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from hooptui.core.model import Operation, SshFacts
from hooptui.protocols.ssh.sftp.files import File
from hooptui.protocols.ssh.sftp.names import absolute, climbs, join, parent, shown
from hooptui.protocols.ssh.sftp.packets import (
    Asking,
    Attributes,
    Change,
    ChangeHandle,
    Copy,
    Flag,
    OnHandle,
    OnPath,
    Open,
    Pair,
    Read,
    Request,
    Type,
    Write,
)

Judged = Open | OnPath | Change | Pair | ChangeHandle | Copy | Asking
"""Requests that are operations. All others go through a handle that was judged when it was opened."""

NEUTRAL: Final = frozenset[str]()
"""Where names are worked out, no file is touched: whoever may connect may do that, or no client could start."""

_ON_PATH: Final = {
    Type.LSTAT: ("stat", frozenset({"file_list"}), False),
    Type.STAT: ("stat", frozenset({"file_list"}), True),
    Type.OPENDIR: ("list", frozenset({"file_list"}), True),
    Type.REMOVE: ("remove", frozenset({"file_remove"}), False),
    Type.RMDIR: ("rmdir", frozenset({"file_remove"}), False),
    Type.READLINK: ("readlink", frozenset({"file_list"}), False),
    Type.REALPATH: ("realpath", NEUTRAL, False),
}
"""Verb, actions, and whether the last component is followed when it is a symlink."""


@dataclass(frozen=True, slots=True)
class Place:
    """One path of an operation, absolute."""

    path: bytes
    follow: bool
    """It acts on what a symlink there leads to; otherwise on the symlink itself."""

    @property
    def asked(self) -> bytes:
        """The path whose real name the target is asked for: that of its directory where the last component is not followed."""
        return self.path if self.follow else parent(self.path)

    def real(self, answer: bytes) -> bytes:
        """The real name of the path, given the one of `asked`."""
        return answer if self.follow or self.path == b"/" else join(answer, self.path.rpartition(b"/")[2])


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be judged about one request, before the target was asked for real names."""

    verb: str
    actions: frozenset[str]
    places: tuple[Place, ...] = ()
    sent: tuple[bytes | None, ...] = ()
    """Paths to send in place of the client's own, where they differ in meaning."""
    also: tuple[bytes, ...] = ()
    """Further paths that must be allowed: where a symlink would lead, under which names an open file was judged."""
    detail: str = ""
    sizes: bool = False
    """The size of the file matters and the target knows it."""
    structural: bool = False
    """It changes what other paths mean, so that requests below or above it keep their order."""


def plan(request: Judged, home: bytes, *files: File) -> Plan:
    """What a request would do. `files` are the open files it names, in its order.

    Raises:
        BadPath: a path that cannot be judged.
    """
    match request:
        case Open():
            return _open(request, home)
        case OnPath(kind=Type.EXTENDED, path=path, extension=b"statvfs@openssh.com"):
            return _one("statvfs", frozenset({"file_list"}), path, home, follow=True)
        case OnPath(kind=Type.EXTENDED):
            # Which home `~name` stands for is the target's to say; the answer is only a name.
            return Plan("expand-path", NEUTRAL, detail=shown(request.path[:200]))
        case OnPath(kind=Type.REALPATH, path=path):
            # The answer needs the path as it was sent, `..` behind symlinks and all, and gives away no more than a name.
            absolute(path, home)
            return Plan("realpath", NEUTRAL, detail=shown(path))
        case OnPath(kind=kind, path=path):
            verb, actions, follow = _ON_PATH[kind]
            return _one(verb, actions, path, home, follow=follow, structural=kind in (Type.REMOVE, Type.RMDIR))
        case Change(kind=Type.MKDIR, path=path, attributes=attributes):
            detail = _attributes(attributes)
            return _one("mkdir", frozenset({"file_mkdir"}), path, home, follow=False, detail=detail, structural=True)
        case Change(path=path, attributes=attributes, extension=extension):
            return _one(
                "setstat", _setting(attributes), path, home, follow=not extension, detail=_attributes(attributes)
            )
        case ChangeHandle(attributes=attributes):
            return Plan("setstat", _setting(attributes), also=_names(files), detail=_attributes(attributes))
        case Copy(length=length):
            return Plan(
                "copy",
                frozenset({"file_read", "file_write"}),
                also=_names(files),
                detail=f"{length} bytes" if length else "up to the end",
            )
        case Pair():
            return _pair(request, home)
        case Asking(extension=extension):
            known = extension == b"users-groups-by-id@openssh.com"
            # Names of users come from the target's own lists, which are no file's content but tell of the target.
            return Plan(extension.decode().partition("@")[0], frozenset({"file_list"}) if known else NEUTRAL)
        case _:
            assert_never(request)


def operation(one: Plan, real: tuple[bytes, ...], size: int | None) -> Operation:
    """The Operation to ask about. `real` are the target's own names for what the plan's places are."""
    named = [place.path for place in one.places] + list(one.also)
    paths = list(dict.fromkeys(shown(path) for path in [*named, *real]))
    words = [f"sftp {one.verb}", *paths]
    if one.detail:
        words.append(f"({one.detail})")
    if size is not None:
        words.append(f"{size} bytes")
    return Operation("ssh", one.verb, " ".join(words), SshFacts(one.actions, paths=frozenset(paths), size=size))


def opens(request: Open) -> tuple[bool, bool]:
    """Whether a file is opened to be read, and to be written or changed.

    Without READ and WRITE servers open for reading; CREAT and TRUNC change files in any case."""
    writes = bool(request.flags & ~Flag.READ)
    reads = bool(request.flags & Flag.READ) or not request.flags & Flag.WRITE
    return reads, writes


def opening(request: Request) -> bool:
    """Whether the answer is a handle."""
    return isinstance(request, Open) or (isinstance(request, OnPath) and request.kind is Type.OPENDIR)


def misuse(request: Read | Write | OnHandle, file: File) -> str:
    """Why this open file may not be used so; empty when it may."""
    match request:
        case Read() if not file.readable:
            return "the file was not opened for reading"
        case Write() if not file.writable:
            return "the file was not opened for writing"
        case OnHandle(kind=Type.READDIR) if not file.folder:
            return "it is not a directory"
        case _:
            return ""


def _open(request: Open, home: bytes) -> Plan:
    reads, writes = opens(request)
    actions = frozenset(word for word, does in (("file_read", reads), ("file_write", writes)) if does)
    flags = [flag.name.lower() for flag in Flag if flag & request.flags and flag.name]
    detail = ", ".join(
        [*flags, *([_attributes(request.attributes)] if writes and _attributes(request.attributes) else [])]
    )
    verb = "write" if writes and not request.flags & Flag.READ else "read" if not writes else "update"
    path = absolute(request.path, home)
    return Plan(verb, actions, (Place(path, follow=True),), _sent(request.path, path), detail=detail, sizes=not writes)


def _one(
    verb: str,
    actions: frozenset[str],
    path: bytes,
    home: bytes,
    *,
    follow: bool,
    detail: str = "",
    structural: bool = False,
) -> Plan:
    plain = absolute(path, home)
    return Plan(verb, actions, (Place(plain, follow),), _sent(path, plain), detail=detail, structural=structural)


def _pair(request: Pair, home: bytes) -> Plan:
    first, second = request.first, request.second
    match request.kind, request.extension:
        case (Type.RENAME, _) | (_, b"posix-rename@openssh.com"):
            verb, actions = "rename", frozenset({"file_rename"})
        case _, b"hardlink@openssh.com":
            # A second name, by which the content can be read and written from then on.
            verb, actions = "hardlink", frozenset({"file_symlink", "file_read", "file_write"})
        case _:
            return _symlink(first, second, home)
    here, there = absolute(first, home), absolute(second, home)
    places = (Place(here, follow=False), Place(there, follow=False))
    return Plan(verb, actions, places, _sent(first, here) + _sent(second, there), structural=True)


def _symlink(target: bytes, link: bytes, home: bytes) -> Plan:
    """OpenSSH sends where the link leads first, the draft has it second; servers do either, so both readings must be allowed."""
    here, other = absolute(link, home), absolute(target, home)
    leads = tuple({absolute(target, parent(here)), absolute(link, parent(other)), other})
    detail = f"{shown(link)} leads to {shown(target)}"
    return Plan(
        "symlink",
        frozenset({"file_symlink"}),
        (Place(here, follow=False),),
        (None, *_sent(link, here)),
        also=leads,
        detail=detail,
        structural=True,
    )


def _sent(path: bytes, plain: bytes) -> tuple[bytes | None]:
    return (plain if climbs(path) else None,)


def _setting(attributes: Attributes) -> frozenset[str]:
    # A size cuts the file, or fills it with zeros.
    return frozenset({"file_setstat"} if attributes.size is None else {"file_setstat", "file_write"})


def _names(files: tuple[File, ...]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(name for file in files for name in file.names))


def _attributes(attributes: Attributes) -> str:
    words = []
    if attributes.size is not None:
        words.append(f"size {attributes.size}")
    if attributes.owner is not None:
        words.append("owner {}:{}".format(*attributes.owner))
    if attributes.mode is not None:
        words.append(f"mode {attributes.mode & 0o7777:04o}")
    if attributes.times is not None:
        words.append("times")
    return ", ".join(words)
