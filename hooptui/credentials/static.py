"""Secrets that somebody else keeps: in a file, in the environment, or handed over by systemd.

A configuration holds references, never values; errors name the reference and never the value. Knows no target and no
protocol.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from hooptui.core.secret import Secret

MAX_BYTES = 64 * 1024
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_.-]{1,255}")
"""What systemd.exec(5) takes as a credential's name is a file name; these are the ones nobody has to quote."""


class CredentialTrouble(Exception):
    """A secret cannot be had. The message is for the operator: reference, what was found, how to mend it."""


class Source(Protocol):
    """Where a gateway's own credential for a target comes from; asked anew for each upstream connection."""

    async def secret(self) -> Secret:
        """The secret as it is now.

        Raises:
            CredentialTrouble: it cannot be had.
        """


@dataclass(frozen=True, slots=True)
class FileReference:
    """`{file: path}`"""

    path: Path

    def __str__(self) -> str:
        return f"file {self.path}"


@dataclass(frozen=True, slots=True)
class EnvReference:
    """`{env: NAME}`, for development: environments leak into child processes and crash reports."""

    name: str

    def __str__(self) -> str:
        return f"environment variable {self.name}"


@dataclass(frozen=True, slots=True)
class SystemdReference:
    """`{systemd: name}`: a file that `LoadCredential=` or `LoadCredentialEncrypted=` put under $CREDENTIALS_DIRECTORY."""

    name: str

    def __str__(self) -> str:
        return f"systemd credential {self.name}"


Reference = FileReference | EnvReference | SystemdReference


def reference(value: Mapping[str, object], base: Path) -> Reference:
    """Read a reference as a configuration has it; relative paths are below `base`.

    Raises:
        ValueError: what was found and what is expected. Values are not quoted: somebody may have put the secret itself there.
    """
    expected = "expected one of {file: path}, {env: NAME}, {systemd: name}"
    if len(value) != 1:
        raise ValueError(f"found {len(value)} members; {expected}")
    (kind, text) = next(iter(value.items()))
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError(
            f"{kind if kind in ('file', 'env', 'systemd') else 'the member'} is not a plain text; {expected}"
        )
    match kind:
        case "file":
            return FileReference(base / Path(text).expanduser())
        case "env":
            if not _ENV_NAME.fullmatch(text):
                raise ValueError(
                    "env is not the name of an environment variable; expected letters, digits and underscores"
                )
            return EnvReference(text)
        case "systemd":
            if not _CREDENTIAL.fullmatch(text) or text in (".", ".."):
                raise ValueError(
                    "systemd is not the name of a credential; expected letters, digits, dots, dashes, underscores"
                )
            return SystemdReference(text)
        case _:
            raise ValueError(f"found an unknown kind of reference; {expected}")


def resolve(where: Reference) -> Secret:
    """Fetch the secret; blocks for the time of one small read.

    One line end after it is not part of it, because editors and `echo` add one.

    Raises:
        CredentialTrouble: it is not there, empty, too large, not one line of UTF-8, or its file can be read by everybody.
    """
    match where:
        case FileReference(path):
            raw = _read(path, where)
        case EnvReference(name):
            found = os.environb.get(name.encode())
            if found is None:
                raise CredentialTrouble(f"{where} is not set")
            raw = found
        case SystemdReference(name):
            raw = _read(_credentials_directory(where) / name, where)
        case _ as never:
            assert_never(never)
    return Secret(_text(raw, where))


@dataclass(frozen=True, slots=True)
class Static:
    """A secret that is read anew each time it is needed, so that replacing the file is enough to rotate it."""

    where: Reference

    async def secret(self) -> Secret:
        return await asyncio.to_thread(resolve, self.where)


def _credentials_directory(where: Reference) -> Path:
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not directory.startswith("/"):
        raise CredentialTrouble(
            f"{where}: $CREDENTIALS_DIRECTORY is not set; the unit needs LoadCredential=, or use {{file: path}}"
        )
    return Path(directory)


def _read(path: Path, where: Reference) -> bytes:
    try:
        # Without O_NONBLOCK the open of a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as fault:
        raise CredentialTrouble(f"{where}: {getattr(fault, 'strerror', None) or fault}") from None
    try:
        # Of the open file, not of the path: the path may lead elsewhere a moment later.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CredentialTrouble(f"{where} is not a regular file")
        if status.st_mode & 0o007:
            mode = stat.S_IMODE(status.st_mode)
            raise CredentialTrouble(
                f"{where} has mode {mode:04o} and is open to everybody on this machine; "
                f"do: chmod 600 {path} (and change the secret)"
            )
        raw = bytearray()
        while len(raw) <= MAX_BYTES and (chunk := os.read(descriptor, MAX_BYTES + 1)):
            raw += chunk
        return bytes(raw)
    except OSError as fault:
        raise CredentialTrouble(f"{where}: {fault.strerror}") from None
    finally:
        os.close(descriptor)


def _text(raw: bytes, where: Reference) -> str:
    if len(raw) > MAX_BYTES:
        raise CredentialTrouble(f"{where} has more than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise CredentialTrouble(f"{where} is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise CredentialTrouble(f"{where} is empty")
    if any(mark in text for mark in "\0\r\n"):
        raise CredentialTrouble(f"{where} has more than one line; expected the secret alone")
    return text
