"""Where a secret is, as a configuration says it: `{file: path}`, `{env: NAME}`, `{systemd: name}`, `{exec: [program, …]}`, `{vault: {…}}`.

Pure: fetches nothing. Errors never quote a value, for somebody may have put the secret itself there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_.-]{1,255}")
"""What systemd.exec(5) takes as a credential's name is a file name; these are the ones nobody has to quote."""
_VAULT_PATH = re.compile(r"[A-Za-z0-9_.~-]+(/[A-Za-z0-9_.~-]+){0,31}")
_EXPECTED = "expected one of {file: path}, {env: NAME}, {systemd: name}, {exec: [program, argument, …]}, {vault: {…}}"
_VAULT = "expected {address: URL, path: text, key: name, token: reference} and perhaps mount, ca_file"

ARGUMENTS_MAX = 64


class CredentialTrouble(Exception):
    """A secret cannot be had. The message is for the operator: reference, what was found, how to mend it."""


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


@dataclass(frozen=True, slots=True)
class ExecReference:
    """`{exec: [program, argument, …]}`: what a program prints, as password managers and clouds' own tools do."""

    argv: tuple[str, ...]
    """The program by its whole path, then its arguments; no shell reads them."""

    def __str__(self) -> str:
        return f"program {self.argv[0]}"


@dataclass(frozen=True, slots=True)
class VaultReference:
    """`{vault: {address, mount, path, key, token, ca_file}}`: one value of a secret in Vault's (or OpenBao's) KV engine, version 2."""

    address: str
    mount: str
    path: str
    key: str
    token: FileReference | EnvReference | SystemdReference | ExecReference
    """Where the token is that Vault knows the gateway by."""
    ca_file: Path | None

    def __str__(self) -> str:
        return f"vault {self.address}, secret {self.mount}/{self.path}, key {self.key}"


Reference: TypeAlias = FileReference | EnvReference | SystemdReference | ExecReference | VaultReference


def reference(value: Mapping[str, object], base: Path) -> Reference:
    """Read a reference as a configuration has it; relative paths are below `base`.

    Raises:
        ValueError: what was found and what is expected.
    """
    if len(value) != 1:
        raise ValueError(f"found {len(value)} members; {_EXPECTED}")
    (kind, given) = next(iter(value.items()))
    match kind:
        case "file":
            return FileReference(base / Path(_text(given, kind)).expanduser())
        case "env":
            if not _ENV_NAME.fullmatch(name := _text(given, kind)):
                raise ValueError(
                    "env is not the name of an environment variable; expected letters, digits and underscores"
                )
            return EnvReference(name)
        case "systemd":
            if not _CREDENTIAL.fullmatch(name := _text(given, kind)) or name in (".", ".."):
                raise ValueError(
                    "systemd is not the name of a credential; expected letters, digits, dots, dashes, underscores"
                )
            return SystemdReference(name)
        case "exec":
            return _program(given)
        case "vault":
            return _vault(given, base)
        case _:
            raise ValueError(f"found an unknown kind of reference; {_EXPECTED}")


def _program(given: object) -> ExecReference:
    if not isinstance(given, (list, tuple)) or not 1 <= len(given) <= ARGUMENTS_MAX:
        raise ValueError(f"exec is not a list of a program and at most {ARGUMENTS_MAX - 1} arguments; {_EXPECTED}")
    argv = tuple(one for one in given if isinstance(one, str) and "\0" not in one)
    if len(argv) != len(given):
        raise ValueError("exec has an argument that is not a plain text; expected texts only, numbers in quotes")
    if not argv[0].startswith("/"):
        raise ValueError("exec: expected the program by its whole path, beginning with a slash")
    return ExecReference(argv)


def _vault(given: object, base: Path) -> VaultReference:
    known = {"address", "mount", "path", "key", "token", "ca_file"}
    if not isinstance(given, Mapping) or set(given) - known or not {"address", "path", "key", "token"} <= set(given):
        raise ValueError(f"vault: found other members; {_VAULT}")
    address, path, key = (_text(given[name], f"vault.{name}") for name in ("address", "path", "key"))
    mount = _text(given.get("mount", "secret"), "vault.mount")
    if not _trustworthy(address):
        raise ValueError("vault.address: expected https://host[:port], or http on a loopback address")
    for name, text in (("mount", mount), ("path", path)):
        if not _VAULT_PATH.fullmatch(text) or {".", ".."} & set(text.split("/")):
            raise ValueError(f"vault.{name}: expected names separated by slashes, without one at either end")
    token = given["token"]
    if not isinstance(token, Mapping) or "vault" in token:
        raise ValueError("vault.token: expected a reference to a token that is not in vault itself")
    where = reference(token, base)
    if isinstance(where, VaultReference):
        raise ValueError("vault.token: expected a reference to a token that is not in vault itself")
    ca_file = base / Path(_text(given["ca_file"], "vault.ca_file")).expanduser() if "ca_file" in given else None
    return VaultReference(address.rstrip("/"), mount, path, key, where, ca_file)


def _trustworthy(address: str) -> bool:
    """A URL to which a token may be sent."""
    try:
        url = urlsplit(address)
        host, _ = url.hostname or "", url.port
    except ValueError:
        return False
    if not host or url.username or url.path.strip("/") or url.query or url.fragment:
        return False
    if url.scheme == "https":
        return True
    try:
        return url.scheme == "http" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(given: object, what: str) -> str:
    if not isinstance(given, str) or not given or "\0" in given:
        raise ValueError(f"{what} is not a plain text; {_VAULT if what.startswith('vault') else _EXPECTED}")
    return given
