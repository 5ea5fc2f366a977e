"""The search for leaks: what it must find, and what it must not."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from hooptui.demo.canaries import ROWS, Canaries, Canary, files, iban, luhn, search


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


def test_kinds_are_well_formed_and_new_for_each_run(canaries: Canaries) -> None:
    others = {one.value for one in Canaries().all()}
    mine = {one.value for one in canaries.all()}
    assert len(mine) == 7 * ROWS and not mine & others
    assert luhn("411111111111111") == "4111111111111111" and luhn("55555555555544"[:-1]) != "5555555555554"
    assert iban("370400440532013000") == "DE89370400440532013000"
    for pan in canaries.pans:
        assert len(pan) == 16 and luhn(pan[:-1]) == pan
    for ssn in canaries.ssns:
        area, group, serial = map(int, ssn.split("-"))
        assert 1 <= area < 666 and 1 <= group <= 99 and 1 <= serial <= 9999


def test_each_canary_is_found_in_every_disguise(canaries: Canaries) -> None:
    for one in canaries.all():
        value = one.value
        bare = "".join(char for char in value if char.isalnum())
        disguises = [
            value,
            value.upper(),
            value.lower(),
            f"<{value}>",
            value.encode().hex(),
            value.encode().hex().upper(),
        ]
        disguises += [base64.b64encode(b"x" * shift + value.encode() + b"yy").decode() for shift in range(4)]
        if one.kind in ("ssn", "phone", "card", "iban"):
            disguises += [bare, " ".join(bare[at : at + 4] for at in range(0, len(bare), 4))]
        for text in disguises:
            found = search([one], [("here", text.encode())])
            assert [(leak.kind, leak.where) for leak in found] == [(one.kind, "here")], (one.kind, text)


def test_what_masking_leaves_is_no_leak(canaries: Canaries) -> None:
    masked = ["████@canary.example", "███-██-", "████ ████ ████ ", "DE████████████████"]
    for one in canaries.all():
        for text in (*masked, one.value[-4:], f"███-██-{one.value[-4:]}", f"DE████{one.value[-4:]}"):
            assert search([one], [("here", text.encode())]) == []


def test_leaks_are_counted_by_place_and_never_show_the_value(canaries: Canaries, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"\xff" + canaries.tokens[0].encode())
    (tmp_path / "clean").write_text("nothing")
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "file")
    places = [*files(tmp_path), ("output", f"{canaries.tokens[0]} {canaries.pans[1]}".encode())]
    assert [name for name, _ in places] == ["clean", "deep/file", "output"]
    leaks = search(canaries.all(), places)
    assert sorted((leak.kind, leak.where) for leak in leaks) == [
        ("api-key", "deep/file"),
        ("api-key", "output"),
        ("card", "output"),
    ]
    assert canaries.tokens[0] not in repr(leaks) and canaries.pans[1] not in repr(leaks)


def test_two_halves_in_two_places_are_none() -> None:
    one = Canary("card", "4111111111111111", (b"4111111111111111",))
    assert search([one], [("a", b"41111111"), ("b", b"11111111")]) == []
