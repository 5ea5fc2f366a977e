"""Whatever is done to the record, `verify` names it; and it names nothing when nothing was done."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hooptui.audit import verify as module
from hooptui.audit.chain import genesis, parse, signed
from hooptui.audit.codec import encode_event
from hooptui.audit.files import Layout
from hooptui.audit.keys import Signer, fingerprint
from hooptui.audit.log import AuditLog
from hooptui.audit.verify import Report, verify
from hooptui.core.events import Alert, Event
from hooptui.core.gate import Masked
from tests.audit.making import DAY, NOW, M, journal_lines, log_in, opened, session, started, write


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed journal of several segments with two recordings; to be copied before it is harmed."""
    state = tmp_path_factory.mktemp("whole") / "state"

    async def make() -> None:
        async with log_in(state, limits={"segment_bytes": 1000, "checkpoint_records": 4}) as log:
            for event in (started(), *session("ab12", operations=1), *session("cd34", operations=0)):
                log.append(event)
                await log.durable()

    asyncio.run(make())
    assert len(list((state / "journal").glob("*.jsonl"))) >= 3
    return state


@pytest.fixture
def state(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def segments(state: Path) -> list[Path]:
    return sorted((state / "journal").glob("*.jsonl"))


def test_an_untouched_journal_is_intact(state: Path) -> None:
    report = verify(state)
    assert (report.status, report.findings, report.unsigned, report.recordings) == (0, (), 0, 2)
    assert report.records == len(journal_lines(state)) == report.head[0]
    assert report.checkpoints == sum(b'"checkpoint"' in line for line in journal_lines(state))


def flipped(state: Path, path: Path, at: int, flip: int) -> Report:
    before = path.read_bytes()
    path.write_bytes(before[:at] + bytes([before[at] ^ flip]) + before[at + 1 :])
    try:
        return verify(state)
    finally:
        path.write_bytes(before)


async def test_every_single_flipped_byte_of_a_small_journal_is_named(tmp_path: Path) -> None:
    """All of them. Only the very last newline turns into what a kill leaves, and is named as that."""
    await write(tmp_path, [started()])
    (path,) = segments(tmp_path)
    size = path.stat().st_size
    for at in range(size):
        report = flipped(tmp_path, path, at, 1 << at % 8)
        assert report.findings, at
        assert report.status == 1 or (at == size - 1 and "torn tail" in report.findings[0]), (at, report)
    assert verify(tmp_path).status == 0


def test_flipped_bytes_anywhere_in_segments_and_recordings_are_named(state: Path) -> None:
    dice = random.Random(1)
    for path in (*segments(state), *(state / "recordings" / DAY).iterdir()):
        for at in dice.sample(range(path.stat().st_size - 1), 150):
            report = flipped(state, path, at, 1 << dice.randrange(8))
            assert report.status == 1, (path, at, report)
    assert verify(state).status == 0


def each_line(state: Path, harm: Callable[[list[bytes], int], None]) -> list[tuple[Path, int, Report]]:
    """Harm each line of each segment in turn."""
    found = []
    for path in segments(state):
        before = path.read_bytes()
        for at in range(len(before.splitlines())):
            lines = before.splitlines(True)
            harm(lines, at)
            path.write_bytes(b"".join(lines))
            found.append((path, at, verify(state)))
        path.write_bytes(before)
    return found


def test_every_missing_line_is_named(state: Path) -> None:
    *most, last = each_line(state, lambda lines, at: lines.__delitem__(at))
    for path, at, report in most:
        assert report.status == 1, (path, at)
        assert any(path.name in finding for finding in report.findings) or "missing before" in report.findings[0]
    # The last checkpoint alone is missing: what it vouched for is now unsigned, and that is said.
    assert last[2].findings == (
        f"the last {last[2].unsigned} records are not signed: the gateway was killed, or the end was changed or cut off",
    )


def test_every_doubled_line_is_named(state: Path) -> None:
    for path, at, report in each_line(state, lambda lines, at: lines.insert(at, lines[at])):
        assert report.status == 1, (path, at)
        assert any("doubled, added or out of order" in finding for finding in report.findings)


def test_every_added_line_is_named(state: Path) -> None:
    forged = b'{"seq":2,"prev":"%b","event":%b}\n' % (
        b"0" * 64,
        encode_event(Event(NOW, "", Alert("c", Masked("forged")))),
    )
    for extra in (forged, b"\n", b"{}\n", b"null\n", b"\x00\n"):
        for path, at, report in each_line(state, lambda lines, at, extra=extra: lines.insert(at, extra)):  # type: ignore[misc]  # bound at once
            assert report.status == 1, (path, at, extra)


def test_every_pair_of_swapped_lines_is_named(state: Path) -> None:
    def swap(lines: list[bytes], at: int) -> None:
        other = (at + 1) % len(lines)
        lines[at], lines[other] = lines[other], lines[at]

    for path, at, report in each_line(state, swap):
        assert report.status == 1 or len(path.read_bytes().splitlines()) == 1, (path, at)


def test_every_truncation_is_named_or_leaves_an_unsigned_or_orphaned_end(state: Path) -> None:
    """Of the last segment, at every byte. What cannot be seen is an end cut off right after a checkpoint: see the anchor."""
    path = segments(state)[-1]
    before = path.read_bytes()
    head = verify(state).head
    for size in range(len(before)):
        path.write_bytes(before[:size])
        report = verify(state)
        ends_signed = size == 0 or (b'"checkpoint"' in before[:size].splitlines()[-1] and before[:size].endswith(b"\n"))
        assert report.findings or ends_signed, size
        if size % 10:
            continue
        anchored = verify(state, anchor=f"{head[0]}:{head[1]}")
        assert anchored.status == 1, size
        assert "cut off" in anchored.findings[-1]


def test_a_truncated_older_segment_is_named(state: Path) -> None:
    path = segments(state)[0]
    before = path.read_bytes()
    for size in range(0, len(before), 7):
        path.write_bytes(before[:size])
        assert verify(state).status == 1, size


def test_a_missing_segment_is_named(state: Path) -> None:
    for path in segments(state)[:-1]:
        kept = path.read_bytes()
        path.unlink()
        report = verify(state)
        assert report.status == 1
        assert any("are missing before" in finding for finding in report.findings)
        path.write_bytes(kept)


def test_an_added_or_renamed_segment_is_named(state: Path) -> None:
    first, second, *_ = segments(state)
    extra = state / "journal" / f"{int(second.stem) + 1:012}.jsonl"
    shutil.copy(second, extra)
    assert verify(state).status == 1
    extra.unlink()
    first.rename(state / "journal" / "000000000002.jsonl")
    assert verify(state).status == 1


def test_recordings_that_are_changed_swapped_missing_or_added_are_named(state: Path) -> None:
    day = state / "recordings" / DAY
    one, two = day / "ab12.jsonl", day / "cd34.jsonl"
    first, second = one.read_bytes(), two.read_bytes()

    def findings() -> str:
        report = verify(state)
        assert report.status == 1
        return "\n".join(report.findings)

    one.write_bytes(second)
    two.write_bytes(first)
    assert "ab12.jsonl: has" in findings()
    assert "cd34.jsonl: has" in findings()
    one.write_bytes(first)
    two.write_bytes(second + b"\n")
    assert "cd34.jsonl: has" in findings()
    two.write_bytes(second[:-2] + b" \n")
    assert "cd34.jsonl: was changed since record" in findings()
    two.unlink()
    assert "cd34.jsonl: missing" in findings()
    two.symlink_to(one)
    assert "cd34.jsonl: not a file" in findings()
    two.unlink()
    two.write_bytes(second)
    (day / "ef56.jsonl").write_bytes(first)
    assert "ef56.jsonl: the journal has no seal for it" in findings()
    (day / "ef56.jsonl").unlink()
    assert verify(state).status == 0


def test_an_end_cut_off_at_a_checkpoint_shows_by_the_recordings_it_sealed(state: Path) -> None:
    lines = journal_lines(state)
    sealed = next(number for number, line in enumerate(lines) if b"recording_sealed" in line)
    cut = max(number for number in range(sealed) if b'"checkpoint"' in lines[number]) + 1
    for path in segments(state):
        path.unlink()
    (state / "journal" / "000000000001.jsonl").write_bytes(b"".join(lines[:cut]))
    report = verify(state)
    assert report.status == 1
    assert "no seal for it" in "\n".join(report.findings)


def test_a_rewritten_chain_fails_at_the_next_signature(state: Path) -> None:
    """Everything after the change is hashed anew, as whoever has no key could do."""
    path = segments(state)[0]
    chain = genesis(verify(state).fingerprint)
    rewritten = []
    for line in journal_lines(state):
        record = parse(line[:-1])
        if record.checkpoint is None:
            rewritten.append(chain.event(bytes(record.event).replace(b"etl-7", b"etl-8")))
        else:
            changed = line[:-1].replace(record.prev.encode(), chain.hash)
            rewritten.append(chain._add(changed))
    for old in segments(state):
        old.unlink()
    path.write_bytes(b"".join(rewritten))
    report = verify(state)
    assert report.status == 1
    assert "the signature of the checkpoint in record" in report.findings[0]


def test_a_journal_signed_with_another_key_is_named_and_with_its_key_put_in_place_only_the_pin_shows_it(
    state: Path, tmp_path: Path
) -> None:
    own = verify(state).fingerprint
    private = Ed25519PrivateKey.generate()
    forger = Signer(private, fingerprint(private.public_key()))
    chain = genesis(forger.fingerprint)
    lines = [chain.event(bytes(parse(line[:-1]).event)) for line in journal_lines(state) if b'"event"' in line]
    lines.append(chain.checkpoint(forger, NOW))
    for old in segments(state):
        old.unlink()
    (state / "journal" / "000000000001.jsonl").write_bytes(b"".join(lines))
    report = verify(state)
    assert report.status == 1
    assert "does not follow from the key of this journal" in report.findings[0]
    assert "signed with another key" in report.findings[1]
    real = tmp_path / "kept.pub"
    shutil.copy(state / "journal.pub", real)
    (state / "journal.pub").write_bytes(
        subprocess.run(["openssl", "pkey", "-pubout"], input=_pem(private), capture_output=True, check=True).stdout
    )
    assert verify(state).status == 0
    assert verify(state, public_key=real).status == 1
    pinned = verify(state, fingerprint=own)
    assert pinned.status == 1
    assert "not the one that was asked for" in pinned.findings[0]


def _pem(private: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())


def test_the_anchor_must_be_in_the_journal(state: Path) -> None:
    report = verify(state)
    seq, digest = report.head
    assert verify(state, anchor=f"{seq}:{digest}").status == 0
    wrong = verify(state, anchor=f"{seq - 1}:{digest}")
    assert wrong.status == 1
    assert "not the one that the anchor names" in wrong.findings[0]
    ahead = verify(state, anchor=f"{seq + 5}:{digest}")
    assert ahead.status == 1
    assert "cut off" in ahead.findings[0]
    for nonsense in ("", "7", f"0:{digest}", f"-1:{digest}", "7:xyz", f"7:{digest[:-1]}", f"²:{digest}"):
        assert verify(state, anchor=nonsense).status == 2


def test_openssl_and_sha256sum_agree(state: Path, tmp_path: Path) -> None:
    """What the module's docstring tells an auditor to do."""
    report = verify(state)
    line = journal_lines(state)[-1][:-1]
    record = parse(line)
    assert record.checkpoint is not None
    before = subprocess.run(["sha256sum"], input=journal_lines(state)[-2][:-1], capture_output=True, check=True).stdout
    assert before.split()[0].decode() == record.prev
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", state / "journal.pub", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert (
        subprocess.run(["sha256sum"], input=der, capture_output=True, check=True).stdout.split()[0].decode()
        == report.fingerprint
    )
    (tmp_path / "text").write_bytes(signed(record.seq, record.prev, record.checkpoint.at, record.checkpoint.key))
    (tmp_path / "sig").write_bytes(bytes.fromhex(record.checkpoint.sig))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(state / "journal.pub")]
    done = subprocess.run(
        [*command, "-in", tmp_path / "text", "-sigfile", tmp_path / "sig"], capture_output=True, text=True, check=False
    )
    assert "Signature Verified Successfully" in done.stdout, done


def test_what_cannot_be_read_is_status_two_with_words(state: Path, tmp_path: Path) -> None:
    nothing = verify(tmp_path / "nothing")
    assert nothing.status == 2
    assert "No such file" in nothing.findings[0]
    (state / "journal.pub").write_text("not a key")
    assert verify(state).status == 2
    assert "not a public key" in verify(state).findings[0]


def test_a_journal_without_any_segment_is_broken(state: Path) -> None:
    for path in segments(state):
        path.unlink()
    report = verify(state)
    assert report.status == 1
    assert "all of the journal is gone" in report.findings[0]


def test_an_event_of_a_later_version_is_noted_and_not_called_broken(state: Path, tmp_path: Path) -> None:
    from hooptui.audit.keys import signer

    key = signer(state, fresh=False)
    chain = genesis(key.fingerprint)
    lines = [chain.event(b'{"at":1.0,"session":"","kind":"from_the_future","data":{}}'), chain.checkpoint(key, NOW)]
    for old in segments(state):
        old.unlink()
    shutil.rmtree(state / "recordings" / DAY)
    (state / "journal" / "000000000001.jsonl").write_bytes(b"".join(lines))
    report = verify(state)
    assert report.status == 0
    assert "not understood by this version: unknown kind of event: 'from_the_future'" in report.findings[0]


def test_findings_are_bounded(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FINDINGS", 3)
    path = segments(state)[0]
    path.write_bytes(b"x\n" * 50)
    report = verify(state)
    assert report.status == 1
    assert len(report.findings) == 4
    assert report.findings[-1].startswith("and ")


async def test_a_live_journal_is_intact_while_sessions_come_and_go(tmp_path: Path) -> None:
    async def traffic(log: AuditLog, start: int) -> None:
        for number in range(start, start + 40):
            for event in session(f"{number:06x}"):
                log.append(event)
            await log.durable()

    async with log_in(tmp_path, limits={"segment_bytes": 20_000, "checkpoint_records": 50}) as log:
        log.append(Event(NOW, "ffff", opened()))
        await log.durable()
        tasks = [asyncio.create_task(traffic(log, start)) for start in (0, 1000, 2000)]
        while not all(task.done() for task in tasks):
            report = await asyncio.to_thread(verify, tmp_path)
            assert (report.status, report.findings) == (0, ())
        await asyncio.gather(*tasks)
    report = verify(tmp_path)
    assert (report.status, report.findings, report.unsigned, report.recordings) == (0, (), 0, 121)


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("early", [True, False])
async def test_sessions_that_end_and_begin_while_it_looks_are_no_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, early: bool
) -> None:
    """Right before or after it looks which sessions are open, for the first and for the second time."""
    loop = asyncio.get_running_loop()
    real = Layout.markers
    calls = 0

    async with log_in(tmp_path) as log:

        async def turn() -> None:
            log.append(session("ab")[-1])
            for event in session("cd"):
                log.append(event)
            log.append(Event(NOW, "ef", opened()))
            await log.durable()
            async with asyncio.timeout(60):
                while len(real(Layout(tmp_path))) > 1:
                    await asyncio.sleep(0.002)

        def markers(self: Layout) -> list[tuple[str, str]]:
            nonlocal calls
            calls += 1
            found = None if early and calls == call else real(self)
            if calls == call:
                asyncio.run_coroutine_threadsafe(turn(), loop).result(60)
            return real(self) if found is None else found

        for event in session("ab")[:-1]:
            log.append(event)
        await log.durable()
        monkeypatch.setattr(Layout, "markers", markers)
        report = await asyncio.to_thread(verify, tmp_path)
        assert calls == 2
        assert (report.status, report.findings) == (0, ())


def test_another_spelling_of_the_last_checkpoint_is_named(state: Path) -> None:
    """The same meaning, other bytes: no later line ties them down."""
    path = segments(state)[-1]
    before = path.read_bytes()
    for old, new in (
        (b'{"seq":', b'{"seq": '),
        (b"}}\n", b"} }\n"),
        (b'"at":', b'"at":0'),
        (b',"prev"', b',"gap":null,"prev"'),
    ):
        head, _, last = before.rstrip(b"\n").rpartition(b"\n")
        path.write_bytes(head + b"\n" + (last + b"\n").replace(old, new, 1))
        assert path.read_bytes() != before
        report = verify(state)
        assert report.status == 1, new


async def test_a_name_used_again_on_another_day_is_another_recording(tmp_path: Path) -> None:
    """Sealed after midnight, and the same name comes again that day."""
    first = session("ab", at=NOW)
    late = [first[0], *(Event(NOW + 86_400, "ab", event.body) for event in first[1:])]
    await write(tmp_path, late)
    await write(tmp_path, session("ab", at=NOW + 86_400))
    assert len(list((tmp_path / "recordings").glob("2*/ab.jsonl"))) == 2
    report = verify(tmp_path)
    assert (report.status, report.findings, report.recordings) == (0, (), 2)


async def test_a_begun_session_without_any_recording_is_named(tmp_path: Path) -> None:
    async with log_in(tmp_path) as log:
        log.append(Event(NOW, "ab", opened()))
        await log.durable()
        shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    copy = tmp_path.with_name("copy")
    report = verify(copy)
    assert report.status == 0
    assert "session ab of 2023-11-14 was cut short" in report.findings[0]
    for marker in (copy / "recordings" / "live").iterdir():
        marker.unlink()
    (copy / "recordings" / DAY / "ab.jsonl").unlink()
    report = verify(copy)
    assert report.status == 1
    assert "session ab of 2023-11-14 began, but there is neither" in report.findings[0]


def test_memory_does_not_grow_with_the_journal(tmp_path: Path) -> None:
    import tracemalloc

    from hooptui.audit.keys import signer

    key = signer(tmp_path, fresh=True)
    (tmp_path / "journal").mkdir()
    (tmp_path / "recordings" / "live").mkdir(parents=True)
    chain = genesis(key.fingerprint)
    event = encode_event(Event(NOW, "", Alert("c", M("y" * 300))))
    with (tmp_path / "journal" / "000000000001.jsonl").open("wb") as file:
        for _ in range(10_000):
            file.write(chain.event(event))
        file.write(chain.checkpoint(key, NOW))
    tracemalloc.start()
    report = verify(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (report.status, report.records) == (0, 10_001)
    assert peak < 3 << 20
