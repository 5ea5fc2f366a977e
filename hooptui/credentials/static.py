"""Secrets that somebody else keeps: in a file, in the environment, handed over by systemd, printed by a program, or in Vault.

A configuration holds references, never values; errors name the reference and never the value. Knows no target and no
protocol.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from hooptui.core.secret import Secret
from hooptui.credentials import program, vault
from hooptui.credentials.references import (
    CredentialTrouble,
    EnvReference,
    ExecReference,
    FileReference,
    Reference,
    SystemdReference,
    VaultReference,
    reference,
)

__all__ = [
    "MAX_BYTES",
    "CredentialTrouble",
    "EnvReference",
    "ExecReference",
    "FileReference",
    "Reference",
    "Source",
    "Static",
    "SystemdReference",
    "VaultReference",
    "reference",
    "resolve",
]

MAX_BYTES = 64 * 1024


class Source(Protocol):
    """Where a gateway's own credential for a target comes from; asked anew for each upstream connection."""

    async def secret(self) -> Secret:
        """The secret as it is now.

        Raises:
            CredentialTrouble: it cannot be had.
        """


def resolve(where: Reference) -> Secret:
    """Fetch the secret; blocks for the time of one small read, of a program, or of one request.

    One line end after it is not part of it, because editors and `echo` add one.

    Raises:
        CredentialTrouble: it is not there, empty, too large, not one line of UTF-8, its file can be read by everybody, or its
            program or server fails.
    """
    return Secret(_text(_raw(where), where))


def resolve_text(where: Reference) -> Secret:
    """As `resolve`, for a secret of several lines, such as a private key; kept as it is.

    Raises:
        CredentialTrouble: it is not there, empty, too large, not UTF-8, its file can be read by everybody, or its program or
            server fails.
    """
    return Secret(_decoded(_raw(where), where))


def _raw(where: Reference) -> bytes:
    """Raises CredentialTrouble."""
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
        case ExecReference():
            raw = program.output(where, MAX_BYTES)
        case VaultReference():
            raw = vault.fetch(where, resolve(where.token))
        case _ as never:
            assert_never(never)
    return raw


@dataclass(frozen=True, slots=True)
class Static:
    """A secret that is read anew each time it is needed, so that replacing it where it is kept is enough to rotate it."""

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


def _decoded(raw: bytes, where: Reference) -> str:
    if len(raw) > MAX_BYTES:
        raise CredentialTrouble(f"{where} has more than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise CredentialTrouble(f"{where} is not UTF-8") from None
    if not text.strip():
        raise CredentialTrouble(f"{where} is empty")
    return text


def _text(raw: bytes, where: Reference) -> str:
    text = _decoded(raw, where).removesuffix("\n").removesuffix("\r")
    if any(mark in text for mark in "\0\r\n"):
        raise CredentialTrouble(f"{where} has more than one line; expected the secret alone")
    return text
