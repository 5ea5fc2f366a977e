"""What stock ssh's connections go through beside commands: new keys from either side, silence, compression, hosts behind hosts."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.protocols.contract import until
from tests.protocols.ssh.gatehouse import Gatehouse, Limits, open_gate
from tests.ssh_server import SshServer

BIG = os.urandom(3_000_000)
SUM = hashlib.sha256(BIG).hexdigest().encode()


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-ctr"])
@pytest.mark.parametrize("compressed", ["yes", "no"])
def test_the_gateway_asks_for_new_keys(server: SshServer, cipher: str, compressed: str) -> None:
    """Both ways, of the client and of the target, many times in one transfer."""
    with open_gate(server, limits=Limits(rekey=200_000)) as gate:
        more = ("-v", "-c", cipher, "-o", f"Compression={compressed}")
        done = gate.run(gate.through("tee /dev/stderr | sha256sum", more=more), stdin=BIG, within=60)
        assert done.returncode == 0 and SUM in done.stdout
        assert done.stderr.count(b"SSH2_MSG_NEWKEYS received") > 5
        assert BIG[:1000] in done.stderr and BIG[-1000:] in done.stderr


def test_the_target_asks_for_new_keys(server: SshServer, gate: Gatehouse) -> None:
    config = server.home / "sshd_config"
    before = config.read_text()
    assert server.process is not None
    try:
        config.write_text(before + "RekeyLimit 200K\nLogLevel DEBUG\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "Received SIGHUP; restarting" in (server.home / "log").read_text())
        until(lambda: gate.run(gate.direct("true")).returncode == 0, within=60)
        done = gate.run(gate.through("cat; echo end >&2"), stdin=BIG, within=60)
        assert done.stdout == BIG and b"end" in done.stderr
        assert (server.home / "log").read_text().count("rekey") > 5
    finally:
        config.write_text(before)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: gate.run(gate.direct("true")).returncode == 0, within=60)


def test_new_keys_while_a_command_is_silent_and_while_one_is_held(server: SshServer) -> None:
    with open_gate(server, limits=Limits(rekey=2_000)) as gate:
        program = gate.start(gate.through("hold-me 2>/dev/null; cat", more=("-o", "RekeyLimit=16K")))
        until(gate.waiting)
        assert program.stdin is not None
        program.stdin.write(BIG[:100_000])
        program.stdin.flush()
        gate.vote(True)
        out, _ = program.communicate(timeout=60)
        assert out.endswith(BIG[:100_000])


def test_a_client_that_does_not_answer_is_gone_in_time(server: SshServer) -> None:
    with open_gate(server, limits=Limits(keepalive=0.2)) as gate:
        program = gate.start(gate.through("sleep 300"))
        until(lambda: gate.gate.connections == 1 and server.sessions())
        os.kill(program.pid, signal.SIGSTOP)
        try:
            until(lambda: gate.gate.connections == 0, within=60)
            until(lambda: not server.sessions())
        finally:
            os.kill(program.pid, signal.SIGCONT)


def test_a_client_that_is_silent_and_answers_stays(server: SshServer) -> None:
    with open_gate(server, limits=Limits(keepalive=0.1)) as gate:
        done = gate.run(
            gate.through("sleep 2; echo in", more=("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1"))
        )
        assert done.stdout == b"in\n"


def test_no_host_behind_a_host(gate: Gatehouse) -> None:
    """`ssh -W` to port 22: refused, and the reason is what the client prints."""
    direct = gate.run(gate.through("-W", "10.0.0.1:22"))
    assert direct.returncode == 255
    assert b"SSH inside SSH (ssh -J, -W) to 10.0.0.1:22 cannot be judged" in direct.stderr, direct.stderr


def test_the_jump_itself_says_why(gate: Gatehouse, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host bastion\n HostName 127.0.0.1\n Port {gate.port}\n User web-01\n IdentityFile {gate.home}/id\n"
        f"Host *\n UserKnownHostsFile {gate.home}/known_hosts\n GlobalKnownHostsFile none\n BatchMode yes\n IdentitiesOnly yes\n"
    )
    done = subprocess.run(
        ["ssh", "-F", str(config), "-J", "bastion", "me@10.0.0.1", "true"], capture_output=True, timeout=60,
        env=gate.environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 255
    assert (
        b"SSH inside SSH (ssh -J, -W) to 10.0.0.1:22 cannot be judged: log in to that target through hooptui"
        in done.stderr
    )
