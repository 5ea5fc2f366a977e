"""The small parts, each alone: names, words, host keys, credentials, and callbacks that fail."""

from __future__ import annotations

import base64
import subprocess
import time
from pathlib import Path

import asyncssh
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hooptui.core.gate import Refused, Why
from hooptui.core.model import SshFacts
from hooptui.core.secret import Secret
from hooptui.credentials.ssh_certificates import SshCa
from hooptui.protocols.ssh import algorithms, names, operations, replies, server
from hooptui.protocols.ssh.commands import read_command
from hooptui.protocols.ssh.guarded import guarded
from hooptui.protocols.ssh.names import Asked
from hooptui.protocols.ssh.operations import Start, Terminal, start
from hooptui.protocols.ssh.relay import ClientEnd
from hooptui.protocols.ssh.server import Named
from hooptui.protocols.ssh.sessions import passes
from hooptui.protocols.ssh.upstream import HostKeys, credential
from tests.core.world import BOT
from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import Gatehouse, plain

KEY = asyncssh.generate_private_key("ssh-ed25519")


@pytest.mark.parametrize(
    ("user", "asked"),
    [
        ("web-01", Asked("web-01")),
        ("deploy+web-01", Asked("web-01", "deploy")),
        ("deploy=web-01", Asked("web-01", "deploy")),
        ("a+b=web-01", Asked("web-01", "a+b")),
        ("deploy+", Asked("", "deploy")),
        ("", Asked("")),
    ],
)
def test_names(user: str, asked: Asked) -> None:
    assert names.read(user) == asked


@given(st.text())
def test_any_name_is_read(user: str) -> None:
    asked = names.read(user)
    assert "+" not in asked.target and "=" not in asked.target and user.endswith(asked.target)


@given(st.binary(max_size=400))
def test_any_certificate_is_read(raw: bytes) -> None:
    assert server.named(raw) is None


def test_certificates_name_people_by_their_one_principal(tmp_path: Path) -> None:
    ca = SshCa.kept(tmp_path)
    line = KEY.export_public_key()

    def data(text: str) -> bytes:
        return base64.b64decode(text.split()[1])

    assert server.named(data(ca.sign(line, BOT, "hl_aaaabbbbcccc", now=time.time()).certificate)) == Named(
        BOT.key, "hl_aaaabbbbcccc"
    )
    assert server.named(data(ca.sign(line, BOT, "", now=time.time()).certificate)) == Named(BOT.key, "")
    key = Ed25519PrivateKey.generate().public_key()
    lent = ca.lend(key, "deploy", f"{BOT.key} hl_aaaabbbbcccc", now=time.time(), until=time.time() + 60)
    assert server.named(data(lent)) is None, "the gateway's own logins are nobody's"


def test_variables() -> None:
    assert [passes(name) for name in (b"LANG", b"LC_ALL", b"HOOPTUI_X", b"LD_PRELOAD", b"LANGUAGE", b"PATH", b"")] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip


def test_words_are_inert() -> None:
    refusal = Refused(Why.POLICY, "no\x1b[2J", rule="r1", detail="why\r\nnot", hint="ask", number=7)
    said = replies.shown(replies.refused(refusal), terminal=False)
    assert said.count(b"\n") == 3 and b"\x1b" not in said and b"\r" not in said
    assert b"(operation 7)" in said and b"rule r1" in said and b"ask" in said
    assert replies.shown(("a",), terminal=True) == b"hooptui: a\r\n"


@pytest.mark.parametrize("keys", [HostKeys(), HostKeys(keys=("nonsense",)), HostKeys(authorities=("",))])
def test_nothing_pinned_is_an_error(keys: HostKeys) -> None:
    with pytest.raises(ValueError, match="host key"):
        keys.trusted()


def test_credentials_quote_nothing() -> None:
    text = KEY.export_private_key().decode()
    key, certificate = credential(Secret(text))
    assert key.public_data == KEY.public_data and certificate is None
    for broken in (text[:-40], "hunter2", KEY.export_private_key("pkcs8-pem", passphrase="hunter2").decode()):
        with pytest.raises(ValueError, match="unencrypted private key") as wrong:
            credential(Secret(broken))
        assert "hunter2" not in str(wrong.value) and wrong.value.__cause__ is None


def test_operations_of_session_channels() -> None:
    shell, _ = operations.start(Start("shell", terminal=Terminal("xterm", (80, 24, 0, 0), {})), plain, longest=100)
    assert (shell.text, shell.context["terminal"]) == ("interactive shell", "xterm 80x24")
    assert shell.facts.understood
    piped, _ = operations.start(Start("shell"), plain, longest=100)
    assert "stdin" in getattr(piped.facts, "traits", ())
    long, _ = operations.start(Start("exec", b"x" * 101), plain, longest=100)
    assert not long.facts.understood and len(long.text) == 100
    raw, _ = operations.start(Start("exec", b"cat \xff\xfe"), plain, longest=100)
    assert raw.text == "cat \\xff\\xfe"
    other, _ = operations.start(Start("subsystem", b"netconf"), plain, longest=100)
    assert not other.facts.understood
    files, transfer = operations.start(Start("exec", b"scp -f /srv/x"), plain, longest=100)
    assert transfer is not None and files.verb == "scp"


@pytest.mark.parametrize(("host", "port", "place"), [("db", 5432, "db:5432"), ("::1", 80, "[::1]:80")])
def test_places(host: str, port: int, place: str) -> None:
    operation = operations.forward("forward_out", operations.place(host, port), "", port=port)
    assert getattr(operation.facts, "destinations", None) == {place} and operation.facts.understood


def test_algorithms_that_are_there_keep_their_order() -> None:
    assert algorithms.available(("b", "a", "c"), [b"a", b"b"]) == ["b", "a"]


def test_a_callback_that_fails_ends_itself_alone() -> None:
    failures: list[Exception] = []

    class One:
        @guarded(False)
        def asked(self) -> bool:
            raise RuntimeError("x")

        def failed(self, fault: Exception) -> None:
            failures.append(fault)

    assert One().asked() is False and [type(one) for one in failures] == [RuntimeError]


def test_a_fault_in_one_channel_leaves_the_others(gate: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    control = ("-o", f"ControlPath={gate.home}/mux")
    gate.start(gate.through("-N", more=("-o", "ControlMaster=yes", *control)), stdin=subprocess.DEVNULL)
    until(lambda: (gate.home / "mux").exists())
    other = gate.start(gate.through("cat", more=control))
    assert other.stdin is not None and other.stdout is not None
    other.stdin.write(b"first\n")
    other.stdin.flush()
    assert other.stdout.readline() == b"first\n"

    def fails(self: ClientEnd, start: object) -> bool:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(ClientEnd, "_wants", fails)
        assert gate.run(gate.through("true", more=control)).returncode == 255
    other.stdin.write(b"second\n")
    other.stdin.close()
    assert other.stdout.read() == b"second\n"
    assert other.wait(60) == 0
    assert [code for _, code, _ in gate.door.troubles] == ["fault"]


def test_a_command_in_a_terminal_says_so() -> None:
    """A pager that finds a terminal takes commands, so an allow has to tolerate the trait in so many words."""
    terminal = Terminal("xterm", (80, 24, 0, 0), {})
    bare, _ = start(Start("exec", b"journalctl -n 5"), read_command, longest=1000)
    behind, _ = start(Start("exec", b"journalctl -n 5", terminal), read_command, longest=1000)
    assert isinstance(bare.facts, SshFacts) and isinstance(behind.facts, SshFacts)
    assert "terminal" not in bare.facts.traits
    assert behind.facts.traits == bare.facts.traits | {"terminal"}
