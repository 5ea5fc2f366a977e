"""psql and everything on libpq: a password file of our own, and a service that names it (libpq "Connection Service File")."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from hooptui.errors import UserError
from hooptui.login import files
from hooptui.login.gateway import listener
from hooptui.login.state import Login, Place


def write_passfile(place: Place, login: Login) -> tuple[str, int] | None:
    """Put the lease in the password file (libpq "Password File"); the listener's host and port, None when there is none.

    Raises:
        UserError: the file cannot be written.
    """
    found = listener(login.listeners, "pg", login.gateway)
    if found is not None:
        password = login.secret.reveal().partition(".")[2]
        cells = (found[0], str(found[1]), "*", login.lease, password)
        line = ":".join(cell if cell == "*" else re.sub(r"([:\\])", r"\\\1", cell) for cell in cells)
        files.write(place.passfile, line.encode() + b"\n")
    return found


def settings(place: Place, login: Login, address: tuple[str, int]) -> dict[str, str]:
    """What libpq needs to know, without the database, which is the target's name."""
    return {
        "host": address[0], "port": str(address[1]), "user": login.lease, "passfile": str(place.passfile),
        "sslmode": "verify-full", "sslrootcert": root_certificate(place),
    }  # fmt: skip


def root_certificate(place: Place) -> str:
    """The gateway's own authorities, or the system's: as a file where there is one, since libpq knows `system` only from 16 on."""
    if place.listener_ca.exists():
        return str(place.listener_ca)
    system = ssl.get_default_verify_paths().cafile
    return system or "system"


def install(place: Place, login: Login, address: tuple[str, int], environment: Mapping[str, str]) -> Path:
    """Make the service called like the gateway; returns the file it is in.

    Raises:
        UserError: there is such a service already that is not ours, or the file cannot be read or written.
    """
    path = Path(environment.get("PGSERVICEFILE") or files.home(environment) / ".pg_service.conf")
    text = files.read(path) or b""
    try:
        ours = files.find(text, login.name)
    except ValueError as bad:
        raise UserError(f"{path}:{bad}") from None
    others = text if ours is None else text[: ours[0]] + b"\n" * text[ours[0] : ours[1]].count(b"\n") + text[ours[1] :]
    for number, line in enumerate(others.split(b"\n"), 1):
        if line.strip() == f"[{login.name}]".encode():
            raise UserError(f"{path}:{number}: there is a service [{login.name}] already that is not ours; rename it")
    lines = [f"[{login.name}]", *(f"{name}={value}" for name, value in settings(place, login, address).items())]
    if any("\n" in line for line in lines):
        raise UserError(f"{place.directory}: a path with a line end in it fits in no service file")
    files.put_section(path, login.name, "\n".join(lines), new="last")
    return path


def command(place: Place, login: Login, address: tuple[str, int]) -> str:
    """A line for the shell that works with nothing installed."""
    words = " ".join(f"{name}={_quoted(value)}" for name, value in settings(place, login, address).items())
    return f'psql "{words} dbname=TARGET"'


def _quoted(value: str) -> str:
    """For libpq's connection string, inside double quotes of a shell."""
    if re.fullmatch(r"[A-Za-z0-9_./:+@%-]+", value):
        return value
    escaped = re.sub(r"(['\\])", r"\\\1", value)
    return "'" + re.sub(r'(["$`\\])', r"\\\1", escaped) + "'"
