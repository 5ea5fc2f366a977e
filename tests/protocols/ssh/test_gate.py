"""Who is let in and who is not, by the stock client."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import asyncssh
import pytest

from hooptui.core.clock import SystemClock
from hooptui.core.events import CredentialMinted
from hooptui.core.model import Identity, Target
from hooptui.core.secret import Secret
from hooptui.credentials.custody import Custody
from hooptui.credentials.mint import Removed
from hooptui.credentials.ssh_certificates import SshCa
from hooptui.credentials.ssh_mint import SshLogins
from hooptui.protocols.ssh.gate import Limits, SshTarget
from hooptui.protocols.ssh.upstream import HostKeys, Upstream
from tests.core.world import BOT
from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import LEASE, TOKEN, Gatehouse, open_gate
from tests.ssh_server import SshServer


def with_certificate(
    gate: Gatehouse, who: Identity, lease: str, *, ca: SshCa | None = None, now: float | None = None
) -> bytes:
    """What the client says when it comes with this certificate, and its exit status."""
    public = (gate.home / "id.pub").read_bytes()
    signed = (ca or gate.ca).sign(public, who, lease, now=now or time.time())
    (gate.home / "id-cert.pub").write_text(signed.certificate + "\n")
    done = gate.run(gate.through("echo in", more=("-o", "PreferredAuthentications=publickey")))
    return done.stdout + done.stderr + str(done.returncode).encode()


def test_a_lease_or_token_as_password(gate: Gatehouse) -> None:
    done = gate.password(TOKEN, "echo in")
    assert (done.returncode, done.stdout) == (0, b"in\n")
    assert gate.door.sessions[0].peer.startswith("127.0.0.1:")
    assert "OpenSSH" in gate.door.sessions[0].application


def test_a_wrong_password_is_refused_with_the_reason(gate: Gatehouse) -> None:
    done = gate.password("wrong", "echo in")
    assert done.returncode == 255 and not done.stdout
    assert b"the token is not valid" in done.stderr and b"log in again" in done.stderr
    until(lambda: not gate.server.sessions())


def test_a_password_that_openssh_has_cut_is_explained(gate: Gatehouse) -> None:
    cut = gate.password("t" * 1600, "echo in")
    assert b"exactly 1023 bytes" in cut.stderr
    assert b"1023" not in gate.password("t" * 1022, "echo in").stderr


def test_wrong_passwords_are_counted(server: SshServer) -> None:
    with open_gate(server, limits=Limits(attempts=2)) as gate:
        tries: list[int] = []

        class Guesser(asyncssh.SSHClient):
            def password_auth_requested(self) -> str:
                tries.append(1)
                return "wrong"

        async def guess() -> None:
            with pytest.raises(asyncssh.Error):
                await asyncssh.connect(
                    "127.0.0.1", gate.port, username="web-01", client_factory=Guesser, known_hosts=None, config=None,
                    client_keys=None, agent_path=None, preferred_auth="password",
                )  # fmt: skip

        gate.call(guess())
        assert len(tries) == 2


def test_keys_that_let_nobody_in_are_counted(server: SshServer) -> None:
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(6)]
    with open_gate(server, limits=Limits(keys=5)) as gate:
        shown: list[asyncssh.SSHKey] = []

        class Shows(asyncssh.SSHClient):
            def __init__(self, most: int) -> None:
                self.left = keys[:most]

            def public_key_auth_requested(self) -> asyncssh.SSHKey | None:
                if self.left:
                    shown.append(self.left.pop())
                    return shown[-1]
                return None

        async def show(most: int) -> None:
            connection = await asyncssh.connect(
                "127.0.0.1", gate.port, username="web-01", client_factory=lambda: Shows(most), known_hosts=None, config=None,
                client_keys=None, agent_path=None, preferred_auth="publickey,password", password=TOKEN,
            )  # fmt: skip
            connection.abort()
            await connection.wait_closed()

        gate.call(show(4))
        shown.clear()
        with pytest.raises(asyncssh.DisconnectError, match="too many keys"):
            gate.call(show(6))
        assert len(shown) == 5


def test_a_certificate_of_a_live_lease(gate: Gatehouse) -> None:
    assert with_certificate(gate, BOT, LEASE) == b"in\n0"


def test_certificates_that_do_not_count(gate: Gatehouse) -> None:
    (gate.home / "other").mkdir(mode=0o700)
    stranger = SshCa.kept(gate.home / "other")
    assert b"denied" in with_certificate(gate, BOT, LEASE, ca=stranger)
    assert b"denied" in with_certificate(gate, BOT, LEASE, now=time.time() - 3600), "expired"
    assert b"the token is not valid" in with_certificate(gate, BOT, "hl_ended0000000")
    assert b"says nothing of your groups" in with_certificate(gate, BOT, "")
    other = replace(BOT, subject="somebody-else")
    assert b"denied" in with_certificate(gate, other, LEASE), "the lease is not that identity's"
    until(lambda: not gate.server.sessions())
    assert [session.state for session in gate.door.sessions] == ["closed"]


def test_a_key_without_a_certificate_is_nobody(gate: Gatehouse) -> None:
    (gate.home / "id-cert.pub").unlink()
    assert gate.run(gate.through("echo in")).returncode == 255
    assert not gate.door.sessions


@pytest.mark.parametrize("user", ["nowhere", "root+web-01", "+nowhere", "web-01+", "", "web-01+web-02"])
def test_an_unknown_target_or_account_is_refused(gate: Gatehouse, user: str) -> None:
    done = gate.run(gate.through("echo in", user=user))
    assert done.returncode == 255 and not done.stdout
    until(lambda: not gate.server.sessions())


def test_the_account_may_be_said(gate: Gatehouse) -> None:
    for mark in "+=":
        assert gate.run(gate.through("echo in", user=f"{gate.server.user}{mark}web-01")).stdout == b"in\n"


def test_a_host_key_that_is_not_the_pinned_one_is_not_talked_to(server: SshServer) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with open_gate(server, host_keys=HostKeys(keys=(other,))) as gate:
        done = gate.run(gate.through("echo in"))
        assert done.returncode == 255 and b"does not prove who it is" in done.stderr
        assert [code for _, code, _ in gate.door.troubles] == ["upstream-host-key"]


def test_nothing_pinned_is_nothing_trusted(server: SshServer) -> None:
    with open_gate(server, host_keys=HostKeys(known_hosts="# nobody\n")) as gate:
        assert gate.run(gate.through("echo in")).returncode == 255
        until(lambda: not server.sessions())


def test_known_hosts_and_authorities(server: SshServer) -> None:
    line = f"[127.0.0.1]:{server.port} {server.host_key}\n"
    with open_gate(server, host_keys=HostKeys(known_hosts=line)) as gate:
        assert gate.run(gate.through("echo in")).stdout == b"in\n"


def test_a_target_that_is_down(server: SshServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        down = Upstream("127.0.0.1", taken.getsockname()[1], "x", HostKeys(keys=(server.host_key,)), Secret(server.key))
        with open_gate(server, more={"down": SshTarget(Target("down", "ssh"), down)}) as gate:
            done = gate.run(gate.through("echo in", user="down"))
            assert done.returncode == 255 and b"cannot be reached" in done.stderr
            assert gate.door.troubles[0][:2] == ("down", "upstream-unreachable")


def test_connections_are_counted(server: SshServer) -> None:
    with (
        open_gate(server, limits=Limits(unproved=2)) as gate,
        socket.socket() as a,
        socket.socket() as b,
        socket.socket() as c,
    ):
        for one in (a, b):
            one.connect(("127.0.0.1", gate.port))
            assert one.recv(100).startswith(b"SSH-2.0-")
        c.connect(("127.0.0.1", gate.port))
        c.settimeout(60)
        assert c.recv(100) == b"", "no third before one of them is in"
        until(lambda: "too-many" in [code for code, _ in gate.door.refusals])
        b.close()
        until(lambda: gate.gate.connections == 1)
        assert gate.run(gate.through("echo in")).stdout == b"in\n"


@pytest.fixture
def impatient(server: SshServer) -> Iterator[Gatehouse]:
    with open_gate(server, limits=Limits(handshake=0.3)) as gate:
        yield gate


def test_a_login_takes_no_longer_than_allowed(impatient: Gatehouse) -> None:
    with socket.socket() as silent:
        silent.connect(("127.0.0.1", impatient.port))
        silent.settimeout(60)
        while silent.recv(65536):
            pass
    until(lambda: impatient.door.refusals)
    assert impatient.door.refusals[0][0] == "timeout"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00" + bytes(500),
        b"SSH-1.5-old\r\n",
        b"A" * 200_000,
        b"SSH-2.0-x\r\n" + b"\xff" * 64,
    ],
)
def test_garbage_ends_its_own_connection(server: SshServer, garbage: bytes) -> None:
    with open_gate(server, limits=Limits(handshake=1.0)) as gate, socket.socket() as raw:
        raw.connect(("127.0.0.1", gate.port))
        raw.settimeout(60)
        raw.sendall(garbage)
        try:
            while raw.recv(65536):
                pass
        except ConnectionError:
            pass
        until(lambda: gate.gate.connections == 0)
        assert gate.run(gate.through("echo in")).stdout == b"in\n"
        assert not gate.door.troubles


def test_weak_algorithms_are_not_spoken(gate: Gatehouse) -> None:
    for weak in (
        "Ciphers=chacha20-poly1305@openssh.com",
        "KexAlgorithms=ecdh-sha2-nistp256",
        "MACs=hmac-sha1",
        "HostKeyAlgorithms=rsa-sha2-256",
    ):
        more = ("-o", weak) if "MACs" not in weak else ("-o", weak, "-o", "Ciphers=aes128-ctr")
        assert gate.run(gate.through("echo in", more=more)).returncode == 255, weak
    assert (
        gate.run(gate.through("echo in", more=("-o", "Ciphers=aes256-ctr", "-o", "MACs=hmac-sha2-256"))).returncode == 0
    )


def test_a_session_with_a_login_of_its_own(server: SshServer) -> None:
    with open_gate(server) as gate:
        server.file("cas", gate.ca.public_key.encode() + b"\n", 0o600)
        removed: list[Removed] = []
        mint = SshLogins(gate.ca, server.user, "g1", SystemClock(), lasts=300.0)

        async def custody() -> Custody:
            return Custody(
                lambda: {"minted": mint}, removed=lambda _, one: removed.append(one), trouble=lambda *_: None
            )

        gate.gate._custody = gate.call(custody())
        bare = Upstream(server.host, server.port, server.user, HostKeys(keys=(server.host_key,)))
        gate.on_loop(lambda: gate.gate.replace({"minted": SshTarget(Target("minted", "ssh"), bare, mint)}))
        done = gate.run(gate.through("id -un", user="minted"))
        assert done.stdout.decode().strip() == server.user, done.stderr
        until(lambda: removed)
        (minted,) = gate.book.bodies(CredentialMinted)
        assert minted.kind == "certificate" and removed[0].name == minted.name
