"""The SSH authority, read back by the real ssh-keygen."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hooptui.core.model import Identity
from hooptui.credentials.ssh_certificates import EARLIER, LASTS, BadKey, SshCa

OPS = Identity("https://op.example", "ops-1", "ops-1", frozenset({"dba"}))
NOW = 1_800_000_000.0


@pytest.fixture
def keygen() -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("ssh-keygen is not on PATH (Debian: apt-get install openssh-client)")
        pytest.skip("ssh-keygen is not on PATH")
    return program


def public(
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey,
) -> bytes:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" me@laptop\n"


def test_ssh_keygen_reads_what_was_signed(keygen: str, tmp_path: Path) -> None:
    ca = SshCa.kept(tmp_path)
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    now = time.time()
    made = ca.sign((tmp_path / "id.pub").read_bytes(), OPS, "hl_abcdefghijkl", now=now)
    (tmp_path / "id-cert.pub").write_text(made.certificate + "\n")
    (tmp_path / "ca.pub").write_text(ca.public_key + "\n")
    environment = {**os.environ, "TZ": "UTC"}
    said = subprocess.run(
        [keygen, "-L", "-f", str(tmp_path / "id-cert.pub")], check=True, capture_output=True, text=True, env=environment
    ).stdout
    prints = [
        subprocess.run(
            [keygen, "-l", "-f", str(tmp_path / name)], check=True, capture_output=True, text=True
        ).stdout.split()[1]
        for name in ("ca.pub", "id.pub")
    ]
    assert "ssh-ed25519-cert-v01@openssh.com user certificate" in said
    assert f"Signing CA: ED25519 {prints[0]}" in said
    assert f"Public key: ED25519-CERT {prints[1]}" in said
    assert 'Key ID: "https://op.example#ops-1 hl_abcdefghijkl"' in said
    assert f"Serial: {made.serial}" in said
    assert re.search(r"Principals: \n +hooptui:https://op\.example#ops-1\n", said)
    assert re.search(r"Critical Options: \(none\)\n", said)
    assert re.search(r"Extensions: \n +permit-pty\n?$", said), "a terminal and nothing else"
    begins, ends = re.search(r"Valid: from (\S+) to (\S+)", said).groups()  # type: ignore[union-attr]  # fails as a test
    assert begins == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(now) - EARLIER))
    assert ends == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(now + LASTS)))
    assert made.until == int(now + LASTS)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_other_types_are_signed_too(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    ca = SshCa.kept(tmp_path)
    assert "-cert-v01@openssh.com " in ca.sign(public(ec.generate_private_key(curve)), OPS, "", now=NOW).certificate
    assert ca.sign(public(rsa.generate_private_key(65537, 2048)), OPS, "", now=NOW).key_id == "https://op.example#ops-1"


def test_a_certificate_ends_with_what_proved_the_identity(tmp_path: Path) -> None:
    ca, key = SshCa.kept(tmp_path), public(ed25519.Ed25519PrivateKey.generate())
    soon = Identity("https://op.example", "ops-1", "ops-1", expires_at=NOW + 60.7)
    assert ca.sign(key, soon, "", now=NOW).until == NOW + 60
    over = Identity("https://op.example", "ops-1", "ops-1", expires_at=NOW)
    with pytest.raises(BadKey, match="is over"):
        ca.sign(key, over, "", now=NOW)


def test_each_certificate_has_a_serial_of_its_own(tmp_path: Path) -> None:
    ca, key = SshCa.kept(tmp_path), public(ed25519.Ed25519PrivateKey.generate())
    assert len({ca.sign(key, OPS, "", now=NOW).serial for _ in range(20)}) == 20


ED = public(ed25519.Ed25519PrivateKey.generate())


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "one OpenSSH public key"),
        (ED + ED, "one OpenSSH public key"),
        (b"ssh-ed25519 AAAA", "not an OpenSSH public key"),
        (b"ssh-ed25519", "not an OpenSSH public key"),
        (b"\x00\xff" * 50, "not an OpenSSH public key"),
        (b"restrict,command=\"x\" " + ED, "not an OpenSSH public key"),
        (ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), "one OpenSSH public key"),
        (public(rsa.generate_private_key(65537, 1024)), "RSA key of 1024 bits"),
        (ED.replace(b"ssh-ed25519 ", b"ssh-ed25519-cert-v01@openssh.com "), "found a certificate"),
        pytest.param(ED.replace(b"ssh-ed25519 ", b"ssh-rsa "), "not an OpenSSH public key", id="another kind"),
    ],
)  # fmt: skip
def test_what_is_not_signed(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(BadKey, match=words):
        SshCa.kept(tmp_path).sign(raw, OPS, "", now=NOW)


def test_a_real_certificate_is_not_signed_again(tmp_path: Path) -> None:
    ca = SshCa.kept(tmp_path)
    made = ca.sign(ED, OPS, "", now=NOW)
    with pytest.raises(BadKey, match="found a certificate"):
        ca.sign(made.certificate.encode(), OPS, "", now=NOW)


def test_a_name_is_never_cut(tmp_path: Path) -> None:
    long = Identity("https://op.example", "x" * 1100, "x")
    with pytest.raises(BadKey, match="1024 bytes"):
        SshCa.kept(tmp_path).sign(ED, long, "", now=NOW)


# --- the authority's key


def test_the_key_is_made_once_private_and_kept(tmp_path: Path) -> None:
    first = SshCa.kept(tmp_path)
    path = tmp_path / "ssh_ca"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SshCa.kept(tmp_path).public_key == first.public_key
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ssh_ca", "ssh_ca.pub"]
    assert (tmp_path / "ssh_ca.pub").read_text() == f"{first.public_key} hooptui\n"
    assert first.public_key.startswith("ssh-ed25519 AAAA")


def test_two_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    found: list[str] = []
    ready = threading.Barrier(8)

    def start() -> None:
        ready.wait()
        found.append(SshCa.kept(tmp_path).public_key)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    SshCa.kept(tmp_path)
    (tmp_path / "ssh_ca").chmod(mode)
    with pytest.raises(OSError, match=f"found mode 0{mode:o}, expected 0600"):
        SshCa.kept(tmp_path)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not a key",
        ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    ],
)
def test_another_key_in_its_place_is_an_error_and_stays(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "ssh_ca"
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(OSError, match=r"ssh_ca: (expected|found)"):
        SshCa.kept(tmp_path)
    assert path.read_bytes() == raw


def test_the_private_key_is_in_no_repr(tmp_path: Path) -> None:
    ca = SshCa.kept(tmp_path)
    secret = (tmp_path / "ssh_ca").read_text().splitlines()[3]  # line 2 has the public half
    assert secret not in repr(ca) + repr(vars(ca)) + repr(ca.sign(ED, OPS, "", now=NOW))
