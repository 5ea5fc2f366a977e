"""Those who are not in: garbage, half a handshake, slow drips, the Terrapin attack, weak algorithms. Others go on."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator

import asyncssh
import pytest

from hooptui.protocols.ssh.gate import Limits
from tests.protocols.ssh.gatehouse import Gatehouse, open_gate
from tests.protocols.ssh.hostile import closed, neighbour, raw
from tests.ssh_server import SshServer

pytestmark = pytest.mark.e2e
HANDSHAKE = 3.0
KEXINIT = 20
IGNORE = 2


@pytest.fixture(scope="module")
def gate(server: SshServer) -> Iterator[Gatehouse]:
    with open_gate(server, limits=Limits(handshake=HANDSHAKE, unproved=30)) as made:
        yield made


def packet(payload: bytes) -> bytes:
    """A packet before any key is known (RFC 4253, section 6)."""
    pad = 8 - (5 + len(payload)) % 8
    pad += 8 if pad < 4 else 0
    return (1 + len(payload) + pad).to_bytes(4, "big") + bytes((pad,)) + payload + bytes(pad)


GREETING = b"SSH-2.0-hostile\r\n"
GARBAGE = {
    "nothing at all": b"",
    "random bytes": os.urandom(5000),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "SSH 1": b"SSH-1.5-old\r\n",
    "an endless greeting": b"SSH-2.0-" + b"A" * 100_000,
    "a greeting that is no text": b"SSH-2.0-\xff\xfe\x00\x1b]0;title\x07\r\n" + packet(b"\x14"),
    "a packet of 4 GiB": GREETING + b"\xff\xff\xff\xff" + bytes(1000),
    "a packet of nothing": GREETING + bytes(64),
    "an empty payload": GREETING + packet(b""),
    "a short KEXINIT": GREETING + packet(bytes((KEXINIT,))),
    "KEXINIT of garbage": GREETING + packet(bytes((KEXINIT,)) + os.urandom(500)),
    "lists that claim 4 GiB": GREETING + packet(bytes((KEXINIT,)) + bytes(16) + b"\xff\xff\xff\xff" * 10),
    "names that are no text": GREETING + packet(bytes((KEXINIT,)) + bytes(16) + b"\0\0\0\2\xff\xfe" * 10 + bytes(5)),
    "padding beyond the packet": GREETING + (12).to_bytes(4, "big") + b"\xff" + bytes(11),
    "login before the keys": GREETING + packet(b"\x32" + b"\0\0\0\4root" * 3),
    "a channel before the keys": GREETING + packet(b"\x5a\0\0\0\7session" + bytes(12)),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_ends_at_once_or_in_time(gate: Gatehouse, name: str) -> None:
    with raw(gate) as sock:
        try:
            sock.sendall(GARBAGE[name])
        except ConnectionError:
            return  # closed before all of it was said
        closed(sock)  # or the test fails on its timeout


def test_garbage_leaves_others_alone(gate: Gatehouse) -> None:
    with neighbour(gate) as other:
        socks = [raw(gate) for _ in range(20)]
        for sock, garbage in zip(socks, GARBAGE.values(), strict=False):
            sock.sendall(garbage[:1000])
        other.speaks()
        for sock in socks:
            closed(sock)
            sock.close()
    assert all("Traceback" not in words for _, _, words in gate.door.troubles)
    assert len(gate.door.refusals) >= len(GARBAGE) - 3, "who said what is on record"
    assert not [words for _, code, words in gate.door.troubles if code == "fault"], (
        "a stranger's garbage is no fault of ours"
    )


def test_slow_drips_are_shut_and_make_room(gate: Gatehouse) -> None:
    with neighbour(gate) as other:
        socks = [raw(gate) for _ in range(30)]
        began = time.monotonic()
        dripped = 0
        open_ones = list(socks)
        while open_ones and time.monotonic() - began < 60:
            for sock in tuple(open_ones):
                try:
                    sock.sendall(GREETING[dripped % len(GREETING) :][:1])
                    sock.setblocking(False)
                    gone = sock.recv(4096) == b""
                except BlockingIOError:
                    gone = False
                except ConnectionError:
                    gone = True
                if gone:
                    open_ones.remove(sock)
            other.speaks()
            select.select([other.process.stdout], [], [], 0.1)  # the pace of the drip
            dripped += 1
        for sock in socks:
            sock.close()
        assert not open_ones, "a drip a second must not keep a place"


def test_what_terrapin_injects_ends_the_connection(gate: Gatehouse) -> None:
    """CVE-2023-48795: a packet that a man in the middle slips in before the keys, to be cut off behind them."""
    kexinit = (
        bytes((KEXINIT,)) + os.urandom(16)
        + b"".join(
            len(names).to_bytes(4, "big") + names
            for names in (
                b"curve25519-sha256,kex-strict-c-v00@openssh.com", b"ssh-ed25519", b"aes128-gcm@openssh.com",
                b"aes128-gcm@openssh.com", b"", b"", b"none", b"none", b"", b"",
            )
        ) + bytes(5)
    )  # fmt: skip
    with raw(gate) as sock:
        sock.sendall(GREETING + packet(kexinit) + packet(bytes((IGNORE,)) + b"\0\0\0\0"))
        seen = closed(sock)
    assert b"kex-strict-s-v00@openssh.com" in seen
    assert b"Strict key exchange violation" in seen
    # The ciphers it works on are not spoken, with a strict exchange or without.
    assert b"chacha20-poly1305" not in seen and b"-cbc" not in seen


def audited(port: int) -> dict[str, object]:
    """What ssh-audit finds, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "ssh_audit.ssh_audit", "--skip-rate-test", "-j", "-p", str(port), "127.0.0.1"],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    found: dict[str, object] = json.loads(done.stdout)
    return found


def failures(found: dict[str, object]) -> list[str]:
    """Every algorithm that ssh-audit calls a failure, and every attack it names."""
    wrong = [
        f"{kind} {one['algorithm']}: {word}"
        for kind in ("kex", "key", "enc", "mac")
        for one in found[kind]  # type: ignore[attr-defined]  # JSON
        for word in one.get("notes", {}).get("fail", [])
    ]
    return wrong + [str(one) for one in found.get("cves", [])]  # type: ignore[attr-defined]


def test_ssh_audit_finds_no_failure(gate: Gatehouse) -> None:
    found = audited(gate.port)
    assert [one["algorithm"] for one in found["enc"]][:2] == ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]  # type: ignore[attr-defined,index]
    assert failures(found) == []
    assert "Terrapin" not in json.dumps(found.get("recommendations", {})) + json.dumps(
        found.get("additional_notes", [])
    )


async def test_ssh_audit_would_find_one() -> None:
    """The judge itself, before a listener with an old MAC and ChaCha20."""
    weak = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")], mac_algs=["hmac-sha1"],
    )  # fmt: skip
    async with weak:
        found = await asyncio.to_thread(audited, weak.get_port())
    assert any("hmac-sha1" in word for word in failures(found))
