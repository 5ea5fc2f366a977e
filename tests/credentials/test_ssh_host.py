"""Certificates of the gateway's host key, read back by ssh-keygen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import asyncssh
import pytest

from hooptui.credentials.ssh_certificates import SshCa
from hooptui.credentials.ssh_host import LASTS, RENEWED, HostCa, trust

NOW = 1_900_000_000.0


def host_key(kind: str = "ssh-ed25519") -> str:
    return asyncssh.generate_private_key(kind).export_public_key().decode().strip()


def test_a_host_certificate_as_ssh_keygen_reads_it(tmp_path: Path) -> None:
    made = HostCa.kept(tmp_path).certify(host_key(), ("bastion.example.com", "10.0.0.5", "10.0.0.5"), now=NOW)
    (tmp_path / "cert.pub").write_text(made.certificate + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", str(tmp_path / "cert.pub")], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "ssh-ed25519-cert-v01@openssh.com host certificate" in shown
    assert shown.count("10.0.0.5") == 1 and "bastion.example.com" in shown
    assert "Critical Options: (none)" in shown
    found = asyncssh.import_certificate(made.certificate)
    assert found._valid_before == int(NOW + LASTS) and found._valid_after <= NOW
    assert made.renew_at == NOW + RENEWED < NOW + LASTS


def test_it_is_another_authority_than_the_one_for_people(tmp_path: Path) -> None:
    host, people = HostCa.kept(tmp_path), SshCa.kept(tmp_path)
    assert host.public_key != people.public_key
    assert HostCa.kept(tmp_path).public_key == host.public_key, "kept over restarts"
    assert (tmp_path / "ssh_host_ca.pub").read_text() == f"{host.public_key} hooptui\n"
    (tmp_path / "ssh_host_ca").chmod(0o644)
    with pytest.raises(OSError, match="others could read"):
        HostCa.kept(tmp_path)


@pytest.mark.parametrize("names", [(), ("",), ("a", "")])
def test_a_certificate_for_every_host_is_not_made(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="no name"):
        HostCa.kept(tmp_path).certify(host_key(), names, now=NOW)


def test_another_type_of_key_is_not_signed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected Ed25519"):
        HostCa.kept(tmp_path).certify(host_key("ecdsa-sha2-nistp256"), ("a",), now=NOW)


def test_what_clients_trust() -> None:
    assert (
        trust("ssh-ed25519 AAAA", ("b.example", "::1", "b.example"), 22)
        == "@cert-authority b.example,::1 ssh-ed25519 AAAA"
    )
    assert trust("ssh-ed25519 AAAA", ("b.example", "::1"), 2222) == (
        "@cert-authority [b.example]:2222,[::1]:2222 ssh-ed25519 AAAA"
    )
