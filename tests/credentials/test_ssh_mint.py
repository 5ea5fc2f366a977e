"""Logins made for one session, accepted by a real sshd that trusts the authority and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import SSHCertificate, load_ssh_public_identity

from hooptui.core.clock import ManualClock, SystemClock
from hooptui.credentials.mint import Minted, MintTrouble
from hooptui.credentials.ssh_certificates import PRINCIPAL, SshCa
from hooptui.credentials.ssh_mint import SshLogins
from tests import ssh_server


def parsed(minted: Minted) -> SSHCertificate:
    found = load_ssh_public_identity(minted.secret.reveal().splitlines()[-1].encode())
    assert isinstance(found, SSHCertificate)
    return found


async def test_for_one_account_and_minutes(tmp_path: Path) -> None:
    clock = ManualClock()
    logins = SshLogins(SshCa.kept(tmp_path), "deploy", "g1", clock, lasts=300.0)
    minted = await logins.issue("s1", "https://idp#bot", None)
    certificate = parsed(minted)
    assert certificate.valid_principals == [b"deploy"]
    assert certificate.key_id == b"hooptui-g1-s1 https://idp#bot"
    assert certificate.valid_before == int(clock.now() + 300) == int(minted.until)
    assert "OPENSSH" not in repr(minted)
    short = await logins.issue("s2", "https://idp#bot", clock.now() + 60)
    assert parsed(short).valid_before == int(clock.now() + 60)


async def test_an_account_is_never_an_identity(tmp_path: Path) -> None:
    logins = SshLogins(SshCa.kept(tmp_path), PRINCIPAL + "https://idp#dba", "g1", ManualClock(), lasts=300.0)
    with pytest.raises(MintTrouble) as trouble:
        await logins.issue("s1", "https://idp#bot", None)
    assert trouble.value.code == "mint-misconfigured"


async def test_a_session_that_is_over_gets_none(tmp_path: Path) -> None:
    clock = ManualClock()
    with pytest.raises(MintTrouble):
        await SshLogins(SshCa.kept(tmp_path), "deploy", "g1", clock, lasts=300.0).issue(
            "s1", "https://idp#bot", clock.now()
        )


async def test_taken_back_and_swept(tmp_path: Path) -> None:
    logins = SshLogins(SshCa.kept(tmp_path), "deploy", "g1", ManualClock(), lasts=300.0)
    first, second = await logins.issue("s1", "x", None), await logins.issue("s2", "x", None)
    swept = await logins.sweep(lambda name: name == second.name)
    assert [one.name for one in swept] == [first.name] and swept[0].confirmed
    assert "forgotten" in (await logins.retire(second.name)).how
    assert (await logins.retire(second.name)).how == "there was none"


async def test_a_real_sshd_takes_it_for_its_account_alone(tmp_path: Path) -> None:
    ca = SshCa.kept(tmp_path)
    with ssh_server.running() as server:
        server.file("cas", ca.public_key.encode() + b"\n", 0o600)
        server.file("authorized_keys", b"", 0o600)
        (tmp_path / "known").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")

        def login(minted: Minted) -> int:
            key, mark, line = minted.secret.reveal().rpartition("-----\n")
            (tmp_path / "key").touch(mode=0o600)
            (tmp_path / "key").write_text(key + mark)
            (tmp_path / "key-cert.pub").write_text(line)
            return subprocess.run(
                ["ssh", "-F", "none", "-p", str(server.port), "-i", str(tmp_path / "key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                 "-o", f"UserKnownHostsFile={tmp_path}/known", f"{server.user}@127.0.0.1", "true"],
                capture_output=True, timeout=60, check=False,
            ).returncode  # fmt: skip

        mine = await SshLogins(ca, server.user, "g1", SystemClock(), lasts=300.0).issue("s1", "https://idp#bot", None)
        assert login(mine) == 0
        other = await SshLogins(ca, "somebody", "g1", SystemClock(), lasts=300.0).issue("s1", "https://idp#bot", None)
        assert login(other) == 255
