"""Secrets from files, environment and systemd: what is accepted, and that errors never show a value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hooptui.credentials.static import (
    MAX_BYTES,
    CredentialTrouble,
    EnvReference,
    FileReference,
    Source,
    Static,
    SystemdReference,
    reference,
    resolve,
)

VALUE = "s3cret-Wert-ü"


def put(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o440])
def test_file(tmp_path: Path, end: str, mode: int) -> None:
    path = put(tmp_path / "pw", (VALUE + end).encode(), mode)
    assert resolve(FileReference(path)).reveal() == VALUE


def test_spaces_belong_to_the_secret(tmp_path: Path) -> None:
    assert resolve(FileReference(put(tmp_path / "pw", b" a b \n"))).reveal() == " a b "


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o606, 0o602, 0o601, 0o777])
def test_a_file_open_to_everybody_is_refused_with_advice(tmp_path: Path, mode: int) -> None:
    path = put(tmp_path / "pw", VALUE.encode(), mode)
    with pytest.raises(CredentialTrouble, match=f"mode {mode:04o}.*chmod 600 .*pw") as caught:
        resolve(FileReference(path))
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\r\n", "empty"),
        (VALUE.encode() + b"\n\n", "more than one line"),
        (VALUE.encode() + b"\nnext\n", "more than one line"),
        (VALUE.encode() + b"\0", "more than one line"),
        (VALUE.encode("latin-1"), "not UTF-8"),
        (VALUE.encode() * MAX_BYTES, "more than 65536 bytes"),
    ],
)
def test_bad_content_is_named_and_not_shown(tmp_path: Path, content: bytes, words: str) -> None:
    path = put(tmp_path / "pw", content)
    with pytest.raises(CredentialTrouble, match=words) as caught:
        resolve(FileReference(path))
    assert str(path) in str(caught.value) and "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_the_largest_secret(tmp_path: Path) -> None:
    assert len(resolve(FileReference(put(tmp_path / "pw", b"x" * MAX_BYTES)))) == MAX_BYTES


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "directory").mkdir(mode=0o700)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name, words in (
        ("fifo", "not a regular"),
        ("directory", "not a regular"),
        ("dangling", "No such"),
        ("missing", "No such"),
    ):
        with pytest.raises(CredentialTrouble, match=f"file .*{name}.*{words}"):
            resolve(FileReference(tmp_path / name))
    with pytest.raises(CredentialTrouble, match="not a regular"):
        resolve(FileReference(Path("/dev/zero")))


def test_links_are_followed_because_kubernetes_mounts_secrets_by_them(tmp_path: Path) -> None:
    put(tmp_path / "real", VALUE.encode())
    (tmp_path / "link").symlink_to("real")
    assert resolve(FileReference(tmp_path / "link")).reveal() == VALUE


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOPTUI_TEST_SECRET", VALUE)
    assert resolve(EnvReference("HOOPTUI_TEST_SECRET")).reveal() == VALUE
    monkeypatch.setenv("HOOPTUI_TEST_SECRET", "s3cret\udcff")
    with pytest.raises(CredentialTrouble, match="HOOPTUI_TEST_SECRET is not UTF-8"):
        resolve(EnvReference("HOOPTUI_TEST_SECRET"))
    monkeypatch.delenv("HOOPTUI_TEST_SECRET")
    with pytest.raises(CredentialTrouble, match="HOOPTUI_TEST_SECRET is not set"):
        resolve(EnvReference("HOOPTUI_TEST_SECRET"))


def test_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "db", VALUE.encode(), 0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert resolve(SystemdReference("db")).reveal() == VALUE
    for value in ("", "relative"):
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", value)
        with pytest.raises(CredentialTrouble, match=r"systemd credential db: .*LoadCredential="):
            resolve(SystemdReference("db"))


async def test_a_source_reads_anew_so_that_rotation_needs_no_restart(tmp_path: Path) -> None:
    source: Source = Static(FileReference(put(tmp_path / "pw", b"one")))
    assert (await source.secret()).reveal() == "one"
    put(tmp_path / "pw", b"two")
    assert (await source.secret()).reveal() == "two"
    assert "two" not in repr(source)


def test_references_are_read_from_a_configuration(tmp_path: Path) -> None:
    assert reference({"file": "db.pw"}, tmp_path) == FileReference(tmp_path / "db.pw")
    assert reference({"file": "/run/db.pw"}, tmp_path) == FileReference(Path("/run/db.pw"))
    assert reference({"file": "~/db.pw"}, tmp_path) == FileReference(Path.home() / "db.pw")
    assert reference({"env": "PGPASSWORD"}, tmp_path) == EnvReference("PGPASSWORD")
    assert reference({"systemd": "orders-db.pw"}, tmp_path) == SystemdReference("orders-db.pw")
    assert [str(one) for one in (FileReference(Path("/a")), EnvReference("B"), SystemdReference("c"))] == [
        "file /a",
        "environment variable B",
        "systemd credential c",
    ]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"file": "a", "env": "B"},
        {"file": ""},
        {"file": 7},
        {"file": "a\0b"},
        {"file": ["s3cret"]},
        {"env": "s3cret word"},
        {"env": "1S3CRET"},
        {"systemd": "../s3cret"},
        {"systemd": ".."},
        {"value": "s3cret"},
        {"s3cret": "s3cret"},
    ],
)
def test_bad_references_are_refused_without_quoting_them(tmp_path: Path, value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        reference(value, tmp_path)
    assert "s3cret" not in str(caught.value).lower()
