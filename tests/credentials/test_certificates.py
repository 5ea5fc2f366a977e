"""The gateway's own certificate: verified by a real TLS client, renewed in time, never at the cost of the CA."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import socket
import ssl
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hooptui.credentials import certificates
from hooptui.credentials.certificates import CertificateTrouble, ensure, server_context

NOW = time.time()
DAY = 86_400.0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def leaf(directory: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / "server.crt").read_bytes())


def handshake(server: ssl.SSLContext, ca: Path, name: str, *, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3):
    """One TLS handshake with full verification; gives what the client negotiated."""
    client = ssl.create_default_context(cafile=str(ca))
    assert client.verify_mode is ssl.CERT_REQUIRED and client.check_hostname
    client.set_alpn_protocols(["postgresql"])
    client.maximum_version = maximum
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as tls:
                tls.recv(1)
        except (ssl.SSLError, OSError):
            theirs.close()

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as tls:
            tls.send(b"x")
            return tls.version(), tls.selected_alpn_protocol()
    finally:
        ours.close()
        serving.join()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tls"


def test_first_start_makes_what_a_strict_client_accepts(home):
    made = ensure(home, ["Bastion.Example.", "10.0.0.7", "*.db.example", "localhost"], now=NOW)
    assert made.made and (made.ca, made.certificate) == (home / "ca.crt", home / "server.crt")
    context = server_context(made.certificate, made.key, now=NOW)
    for name in ("localhost", "127.0.0.1", "::1", "bastion.example", "10.0.0.7", "a.db.example"):
        assert handshake(context, made.ca, name) == ("TLSv1.3", "postgresql")
    for name in ("other.example", "10.0.0.8", "a.b.db.example"):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(context, made.ca, name)


def test_another_ca_is_not_trusted(home, tmp_path):
    made, other = ensure(home, [], now=NOW), ensure(tmp_path / "other", [], now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server_context(made.certificate, made.key, now=NOW), other.ca, "localhost")


def test_nothing_older_than_tls_1_2(home):
    made = ensure(home, [], now=NOW)
    context = server_context(made.certificate, made.key, now=NOW)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert handshake(context, made.ca, "localhost", maximum=ssl.TLSVersion.TLSv1_2) == ("TLSv1.2", "postgresql")


def test_files_are_private_and_whole(home):
    before = os.umask(0)
    try:
        ensure(home, [], now=NOW)
    finally:
        os.umask(before)
    assert mode(home) == 0o700
    assert {path.name: mode(path) for path in home.iterdir()} == {
        "ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600,
    }  # fmt: skip


def test_the_certificates_say_what_they_are_for(home):
    made = ensure(home, [], now=NOW)
    ca = x509.load_pem_x509_certificate(made.ca.read_bytes())
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert ca.not_valid_after_utc - datetime.fromtimestamp(NOW, UTC) > timedelta(days=3600)
    server = leaf(home)
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert isinstance(server.public_key(), ec.EllipticCurvePublicKey) and server.public_key().curve.name == "secp256r1"
    assert made.ends == server.not_valid_after_utc.timestamp()
    assert timedelta(days=390) < server.not_valid_after_utc - datetime.fromtimestamp(NOW, UTC) < timedelta(days=398)


def test_the_next_start_changes_nothing(home):
    ensure(home, ["a.example", "b.example"], now=NOW)
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    again = ensure(home, ["b.example", "a.example"], now=NOW + 300 * DAY)
    assert not again.made and {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_a_leaf_is_renewed_near_its_end_and_when_names_change(home):
    made = ensure(home, ["a.example"], now=NOW)
    ca, serial = made.ca.read_bytes(), leaf(home).serial_number
    assert ensure(home, ["a.example"], now=NOW + 368 * DAY).made
    assert leaf(home).serial_number != serial
    serial = leaf(home).serial_number
    renamed = ensure(home, ["b.example"], now=NOW + 368 * DAY)
    assert renamed.made and leaf(home).serial_number != serial
    assert made.ca.read_bytes() == ca
    server_context(renamed.certificate, renamed.key, now=NOW + 368 * DAY)


def test_a_leaf_never_outlives_its_ca(home):
    made = ensure(home, [], now=NOW)
    ca = x509.load_pem_x509_certificate(made.ca.read_bytes())
    late = ensure(home, [], now=NOW + 3500 * DAY)
    assert late.ends == ca.not_valid_after_utc.timestamp()


@pytest.mark.parametrize("broken", ["server.crt", "server.key"])
@pytest.mark.parametrize("how", ["missing", "torn", "foreign"])
def test_a_leaf_lost_or_torn_by_a_crash_is_replaced(home, tmp_path, broken, how):
    made = ensure(home, [], now=NOW)
    ca = made.ca.read_bytes()
    path = home / broken
    match how:
        case "missing":
            path.unlink()
        case "torn":
            path.write_bytes(path.read_bytes()[:50])
        case "foreign":
            ensure(tmp_path / "other", [], now=NOW)
            path.write_bytes((tmp_path / "other" / broken).read_bytes())
    again = ensure(home, [], now=NOW)
    assert again.made and again.ca.read_bytes() == ca
    assert handshake(server_context(again.certificate, again.key, now=NOW), again.ca, "localhost")


def test_a_crash_before_the_first_ca_certificate_is_no_trouble(home):
    ensure(home, [], now=NOW)
    for name in ("ca.crt", "server.crt", "server.key"):
        (home / name).unlink()
    assert ensure(home, [], now=NOW).made


def test_the_ca_is_never_replaced_silently(home):
    made = ensure(home, [], now=NOW)
    with pytest.raises(CertificateTrouble, match=r"ca\.crt: the CA ended on"):
        ensure(home, [], now=NOW + 3651 * DAY)
    whole = made.ca.read_bytes()
    made.ca.write_text("torn")
    with pytest.raises(CertificateTrouble, match=r"ca\.crt: expected a certificate in PEM"):
        ensure(home, [], now=NOW)
    made.ca.unlink()
    with pytest.raises(CertificateTrouble, match=r"ca\.crt: missing beside a server\.crt"):
        ensure(home, [], now=NOW)
    made.ca.write_bytes(whole)
    assert not ensure(home, [], now=NOW).made


def test_a_ca_key_kept_elsewhere_is_missed_only_when_needed(home):
    ensure(home, [], now=NOW)
    (home / "ca.key").unlink()
    assert not ensure(home, [], now=NOW).made
    with pytest.raises(CertificateTrouble, match=r"ca\.key: missing"):
        ensure(home, ["new.example"], now=NOW)


def test_a_foreign_ca_key_signs_nothing(home, tmp_path):
    ensure(home, [], now=NOW)
    ensure(tmp_path / "other", [], now=NOW)
    (home / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(CertificateTrouble, match=r"ca\.key: this key does not belong to"):
        ensure(home, ["new.example"], now=NOW)


@pytest.mark.parametrize(("name", "wrong"), [("", 0o755), ("server.key", 0o644), ("ca.key", 0o640)])
def test_modes_that_let_others_in_are_refused(home, name, wrong):
    ensure(home, [], now=NOW)
    (home / name).chmod(wrong)
    with pytest.raises(CertificateTrouble, match=f"mode {wrong:04o} lets others in; expected"):
        ensure(home, ["new.example"] if name == "ca.key" else [], now=NOW)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "user@host", "bücher.example", "host:5432", "x" * 300])
def test_names_that_are_none_are_refused(home, name):
    with pytest.raises(CertificateTrouble, match="neither a DNS name nor an IP address"):
        ensure(home, [name], now=NOW)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CertificateTrouble, match="file"):
        ensure(tmp_path / "file" / "tls", [], now=NOW)


def _start(directory: Path) -> None:
    made = ensure(directory, [], now=NOW)
    server_context(made.certificate, made.key, now=NOW)


def test_two_processes_that_start_at_once_agree(home):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_start, args=(home,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert not ensure(home, [], now=NOW).made


def test_a_start_waits_for_another_one_in_the_same_place(home):
    ensure(home, [], now=NOW)
    held = os.open(home, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    second = threading.Thread(target=ensure, args=(home, ["new.example"]), kwargs={"now": NOW})
    serial = leaf(home).serial_number
    second.start()
    second.join(0.2)
    assert second.is_alive() and leaf(home).serial_number == serial
    os.close(held)
    second.join()
    assert leaf(home).serial_number != serial


def test_a_failed_write_leaves_the_old_file_and_no_litter(home, monkeypatch):
    ensure(home, [], now=NOW)
    before = {path.name: path.read_bytes() for path in home.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(certificates.os, "fsync", full)
    with pytest.raises(CertificateTrouble, match="No space left on device"):
        ensure(home, ["new.example"], now=NOW)
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


# --- files the user brings


def pem(key, password: bytes | None = None) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_user_files_are_checked_one_by_one(home, tmp_path):
    made = ensure(home, [], now=NOW)
    other = tmp_path / "other.key"

    def said(certificate: Path, key: Path, now: float = NOW) -> str:
        with pytest.raises(CertificateTrouble) as caught:
            server_context(certificate, key, now=now)
        return str(caught.value)

    other.write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    other.chmod(0o600)
    assert (
        said(made.certificate, other)
        == f"{other}: this key does not belong to the first certificate in {made.certificate}"
    )
    other.write_bytes(pem(load_pem_private_key(made.key.read_bytes(), None), b"secret"))
    assert said(made.certificate, other) == f"{other}: the private key is encrypted; expected one without a passphrase"
    other.write_text("no key")
    assert "expected a private key in PEM" in said(made.certificate, other)
    assert "expected a certificate in PEM" in said(made.key, made.key)
    assert said(tmp_path / "none.crt", made.key) == f"{tmp_path / 'none.crt'}: No such file or directory"
    assert "No such file" in said(made.certificate, tmp_path / "none.key")
    assert "ended on" in said(made.certificate, made.key, NOW + 400 * DAY)
    assert "begins on" in said(made.certificate, made.key, NOW - DAY)
    made.key.chmod(0o604)
    assert "expected 0600 or 0640" in said(made.certificate, made.key)
    made.key.chmod(0o640)
    server_context(made.certificate, made.key, now=NOW)


@pytest.mark.parametrize("make", [lambda: rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate])
def test_user_keys_of_other_kinds_are_taken(tmp_path, make):
    key = make()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    moment = datetime.fromtimestamp(NOW, UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(moment - timedelta(1)).not_valid_after(moment + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else certificates.hashes.SHA256())
    )  # fmt: skip
    (tmp_path / "own.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "own.key").write_bytes(pem(key))
    (tmp_path / "own.key").chmod(0o600)
    context = server_context(tmp_path / "own.crt", tmp_path / "own.key", now=NOW)
    assert handshake(context, tmp_path / "own.crt", "localhost")
