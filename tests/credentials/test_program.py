"""Secrets that a program prints: what it gets, what it may do, and that no error shows what it said."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from hooptui.credentials import program
from hooptui.credentials.static import MAX_BYTES, CredentialTrouble, ExecReference, Static, reference, resolve

SECRET = "s3cret-from-a-program"


def script(path: Path, body: str, mode: int = 0o700) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return str(path)


def trouble(*argv: str) -> str:
    with pytest.raises(CredentialTrouble) as caught:
        resolve(ExecReference(argv))
    assert SECRET not in str(caught.value)
    return str(caught.value)


async def test_what_it_prints_is_the_secret_and_asked_for_anew(tmp_path: Path) -> None:
    tool = script(tmp_path / "tool", f'echo "{SECRET} $1"')
    assert resolve(ExecReference((tool, "; rm -rf $HOME `id`"))).reveal() == f"{SECRET} ; rm -rf $HOME `id`", "no shell"
    source = Static(ExecReference((tool, "1")))
    assert (await source.secret()).reveal() == f"{SECRET} 1"
    script(tmp_path / "tool", "echo new")
    assert (await source.secret()).reveal() == "new"


def test_it_sees_nothing_of_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "elsewhere")
    shown = (
        resolve(ExecReference((script(tmp_path / "tool", "env | cut -d= -f1 | sort | tr '\\n' ' '; pwd"),)))
        .reveal()
        .split()
    )
    assert set(shown) - {"PWD", "OLDPWD", "SHLVL", "_"} == {"HOME", "LANG", "PATH", "/"}
    assert resolve(ExecReference((script(tmp_path / "tool", "wc -c"),))).reveal().strip() == "0", "its input is empty"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"echo {SECRET} >&2; exit 3", "ended with exit status 3"),
        (f"echo {SECRET}; exit 1", "ended with exit status 1"),
        (f"echo {SECRET}; kill -9 $$", "ended by signal 9"),
        ("true", "is empty"),
        (f"echo {SECRET}; echo {SECRET}", "more than one line"),
        ("printf '\\377'", "is not UTF-8"),
    ],
)
def test_what_fails_is_named_without_what_it_said(tmp_path: Path, body: str, words: str) -> None:
    tool = script(tmp_path / "tool", body)
    assert words in (said := trouble(tool)) and f"program {tool}" in said


def test_what_cannot_be_run_is_named(tmp_path: Path) -> None:
    assert "No such file" in trouble(str(tmp_path / "nothing"))
    assert "Permission denied" in trouble(script(tmp_path / "plain", "true", 0o600)) or os.geteuid() != 0
    assert "everybody on this machine may change it" in trouble(script(tmp_path / "open", f"echo {SECRET}", 0o777))
    assert "cannot be run" in trouble(str(tmp_path))


def running(group: int) -> list[str]:
    """The processes of a group that have not ended; one that nobody has asked for its end yet is none."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, pgrp = stat.read_text().rpartition(") ")[2].split()[:3]
            found += [stat.parent.name] if int(pgrp) == group and state != "Z" else []
    return found


def test_a_program_that_does_not_end_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "TIMEOUT", 0.4)
    for number, body in enumerate(("sleep 60", f"echo {SECRET}; exec >&-; sleep 60", "sleep 60 & echo x")):
        pid = tmp_path / f"pid{number}"
        began = time.monotonic()
        tool = script(tmp_path / "tool", f"echo $$ > {pid}; {body}")
        assert "took longer than 0.4 s" in trouble(tool)
        assert time.monotonic() - began < 30
        deadline = time.monotonic() + 60
        while group := running(int(pid.read_text())):
            assert time.monotonic() < deadline, group


def test_a_program_that_does_not_stop_printing_is_stopped(tmp_path: Path) -> None:
    began = time.monotonic()
    assert f"more than {MAX_BYTES} bytes" in trouble(script(tmp_path / "tool", "yes"))
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "given", [[], "pass show db", [1], ["relative/tool"], ["tool"], ["/t", "a\0b"], ["/t"] * 65, None, {"a": 1}]
)
def test_a_reference_is_a_program_by_its_whole_path(given: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        reference({"exec": given}, Path("/etc"))
    assert reference({"exec": ["/bin/pass", "show"]}, Path("/etc")) == ExecReference(("/bin/pass", "show"))
