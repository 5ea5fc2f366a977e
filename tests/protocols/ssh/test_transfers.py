"""Commands that move files, and what only looks like one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import SshFacts
from hooptui.protocols.ssh.operations import Start, Terminal, start
from hooptui.protocols.ssh.transfers import recognise
from hooptui.protocols.ssh.words import words


@pytest.mark.parametrize(
    ("command", "actions", "paths"),
    [
        ("scp -t /srv/x", {"file_write"}, {"/srv/x"}),
        ("scp -v -r -p -d -t -- /srv/./a//b/../c/", {"file_write"}, {"/srv/a/c"}),
        ("scp -f /srv/x '/srv/a b'", {"file_read"}, {"/srv/x", "/srv/a b"}),
        ("/usr/bin/scp -qrpf ~/x", {"file_read"}, {"x"}),
        ("scp -f /srv/*.txt", {"file_read"}, {"/srv/*.txt"}),
        ("scp -t .", {"file_write"}, {"."}),
        ("scp -t ~", {"file_write"}, {"."}),
        ("scp -t /", {"file_write"}, {"/"}),
        ("scp -t ''/srv/\"a b\"\\ c", {"file_write"}, {"/srv/a b c"}),
        (b"scp -t /srv/\xff", {"file_write"}, {"/srv/\\xff"}),
        ("git-upload-pack '/srv/a.git'", {"git_read"}, {"/srv/a.git"}),
        ("git upload-pack --strict --timeout=60 a.git", {"git_read"}, {"a.git"}),
        ("git-upload-archive 'a.git'", {"git_read"}, {"a.git"}),
        ("git-receive-pack 'a.git'", {"git_write"}, {"a.git"}),
        ("rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/a", {"rsync_read"}, {"/srv/a"}),
        ("rsync --server -vlogDtpre.iLsfxCIvu --timeout=9 . a/", {"rsync_write"}, {"a"}),
        ("rsync --server -re.iLsfxCIvu --delete . /srv", {"rsync_write", "file_remove"}, {"/srv"}),
        ("rsync --server --sender -re. --remove-source-files . /a", {"rsync_read", "rsync_write", "file_remove"}, {"/a"}),
        ("rsync --server -re. --backup-dir /b --link-dest=/c . /a", {"rsync_write"}, {"/a", "/b", "/c"}),
    ],
)  # fmt: skip
def test_direction_and_path(command: str | bytes, actions: set[str], paths: set[str]) -> None:
    found = recognise(command)
    assert found is not None
    assert (found.facts.actions, found.facts.paths, found.facts.unknown) == (actions, paths, "")
    assert found.writes is any("write" in action for action in actions)
    assert found.operation().verb in ("scp", "rsync", "git")


@pytest.mark.parametrize(
    "command",
    [
        "", " ", "ls", "scp", "scp -t", "scp a b", "scp -t -f /x", "scp -S sh -t /x", "scp -t /x; id", "scp -t /x\nid", "scp -t /x && id",
        "scp -t /x | sh", "scp -t $(id)", "scp -t `id`", "scp -t $HOME", 'scp -t "$HOME"', 'scp -t "`id`"', "scp -t /x > /y", "scp -t /x &",
        "scp -t {a,b}", "scp -t 'a", 'scp -t "a', "scp -t a\\", "A=b scp -t /x", "PATH=/x scp -t /y", "/tmp/scp -t /x", "./scp -t /x", "*/scp -t /x",
        "~/scp -t /x", "//scp -t /x", "sudo scp -t /x", "scp -t '/x\\' /y'", "rsync -a /x /y", "rsync --daemon", "rsync --sender --server . /x",
        "git push", "git", "git -c core.pager=x upload-pack /x", "git-shell", "sh -c 'scp -t /x'", "scp -t /x # y", "scp -t <(id)", "(scp -t /x)", b"scp -t /x\0y",
        "scp -t " + "x" * 70_000,
    ],
)  # fmt: skip
def test_what_a_shell_could_read_otherwise_is_a_command(command: str | bytes) -> None:
    assert recognise(command) is None


@pytest.mark.parametrize(
    "command",
    [
        "scp -t ../x", "scp -t a/../../x", "scp -t ~/../x", "scp -f ~root/x", "scp -t /a /b", "scp -t /a*", "scp -f /a/*/b", "scp -f /a/.*", "scp -t ''",
        "scp -t /a -f", "git-upload-pack", "git-upload-pack /a /b", "git-upload-pack --stateless-rpc /a", "git-upload-pack /a*", "git-receive-pack ~x/a",
        "rsync --server", "rsync --server .", "rsync --server -se.iLsfx", "rsync --server -slogDtpr . /a", "rsync --server -re. --rsh=x . /a",
        "rsync --server -re. --files-from=/x . /a", "rsync --server -re. --log-file=/x . /a", "rsync --server -re. . /a --delete", "rsync --server -re. . /a --sender",
        "rsync --server --sender -re. . /a/*", "rsync --server -re. --daemon . /a", "rsync --server -re. --write-batch=x . /a", "rsync --server -re. . ../a",
        "rsync --server -re. --temp-dir=../../t . a", "rsync --server -re. /a", "rsync --server -Me. . /a",
    ],
)  # fmt: skip
def test_a_transfer_whose_meaning_is_not_clear_is_never_allowed(command: str) -> None:
    found = recognise(command)
    assert found is not None
    assert found.facts.unknown
    assert not found.facts.understood


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=60) | st.text("scp-tf /.~'\"\\*$ab", max_size=40).map(str.encode))
def test_any_bytes_are_words_or_not(raw: bytes) -> None:
    recognise(b"scp -t " + raw)
    found = words(raw)
    if found and not any(word.glob or word.tilde for word in found) and b"\xa0" not in raw:
        told = subprocess.run(["/bin/sh", "-c", b"printf '%s\\0' " + raw], capture_output=True, check=True).stdout
        assert told == b"".join(word.text.encode("utf-8", "surrogateescape") + b"\0" for word in found)


def capture(tmp_path: Path) -> tuple[Path, Path]:
    """A program to stand for ssh that writes down the command line it is to run, and where."""
    log, ssh = tmp_path / "log", tmp_path / "ssh"
    ssh.write_text(
        f"#!{sys.executable}\nimport json,sys\nopen({str(log)!r},'w').write(json.dumps(sys.argv))\nsys.exit(1)\n"
    )
    ssh.chmod(0o755)
    return ssh, log


@pytest.mark.skipif(not os.environ.get("CI") and shutil.which("rsync") is None, reason="rsync is not installed")
@pytest.mark.parametrize(
    ("argv", "actions"),
    [
        (["-a", "HERE/x", "host:/srv/"], {"rsync_write"}),
        (["-avz", "--partial", "--timeout=5", "host:/srv/", "HERE/y"], {"rsync_read"}),
        (["-aHAXS", "--delete", "--numeric-ids", "--inplace", "HERE/x", "host:/srv/"], {"rsync_write", "file_remove"}),
        (["-rlptci", "--bwlimit=10", "--max-size=1m", "--delete-after", "--info=progress2", "HERE/x", "host:/srv/"], {"rsync_write", "file_remove"}),
        (["-a", "--backup", "--backup-dir=/srv/old", "--exclude=x", "HERE/x", "host:/srv/"], {"rsync_write"}),
        (["-a", "--remove-source-files", "host:/srv/", "HERE/y"], {"rsync_read", "rsync_write", "file_remove"}),
    ],
)  # fmt: skip
def test_what_rsync_itself_sends_is_understood(tmp_path: Path, argv: list[str], actions: set[str]) -> None:
    ssh, log = capture(tmp_path)
    (tmp_path / "x").touch()
    argv = [word.replace("HERE", str(tmp_path)) for word in argv]
    subprocess.run(["rsync", "-e", str(ssh), *argv], capture_output=True, check=False)
    found = recognise(" ".join(json.loads(log.read_text())[2:]))
    assert found is not None
    assert (found.facts.actions, found.facts.unknown) == (actions, "")
    assert "/srv" in found.paths


@pytest.mark.skipif(not os.environ.get("CI") and shutil.which("git") is None, reason="git is not installed")
async def test_what_git_itself_sends_is_understood(tmp_path: Path) -> None:
    ssh, log = capture(tmp_path)
    git = await asyncio.create_subprocess_exec(
        "git", "clone", "host:/srv/it's.git", str(tmp_path / "clone"), env={**os.environ, "GIT_SSH": str(ssh), "GIT_SSH_VARIANT": "simple"}, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await git.wait()
    found = recognise(json.loads(log.read_text())[-1])
    assert found is not None
    assert (found.facts.actions, found.facts.paths, found.facts.unknown) == ({"git_read"}, {"/srv/it's.git"}, "")


def test_a_transfer_behind_a_terminal_is_only_a_command() -> None:
    """A terminal takes lines back (^U), so that the target would read others than those that are judged."""
    seen = SshFacts(frozenset({"exec"}))
    plain_start = Start("exec", b"scp -t /srv/x")
    typed = Start("exec", b"scp -t /srv/x", Terminal("xterm", (80, 24, 0, 0), {}))
    assert start(plain_start, lambda _text: seen, longest=100)[1] is not None
    operation, transfer = start(typed, lambda _text: seen, longest=100)
    assert transfer is None
    assert operation.facts == SshFacts(frozenset({"exec"}), traits=frozenset({"terminal"}))
