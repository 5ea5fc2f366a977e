"""Packets taken out of what was read and sealed where they lie: any sizes, any padding, any bounds, and nothing of what was there before."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

import pytest
from asyncssh.misc import MACError, ProtocolError
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.protocols.ssh.lane import TAG, Lane
from hooptui.protocols.ssh.train import Train, Unpacker

KEY, IV = bytes(range(16)), bytes(12)
LONGEST = 100_000
BEFORE = b"\xee"
"""What is in the shared places from whoever worked there before."""


def packet(lane: Lane, kind: int, number: int, data: bytes, pad: int, count: int | None = None) -> bytes:
    """Sealed, as a peer may send it: its padding is as long as it likes."""
    plain = struct.pack(">BBII", pad, kind, number, len(data) if count is None else count) + data + b"\xdd" * pad
    header = struct.pack(">I", len(plain))
    return header + lane.seal(header, plain)


def unpacker(stream: bytes, room: int = 1 << 20) -> Unpacker:
    plain = memoryview(bytearray(BEFORE * len(stream)))
    return Unpacker(Lane(KEY, IV), memoryview(stream), 0, plain, LONGEST)


def opened(lane: Lane, sealed: memoryview) -> list[tuple[int, bytes, bytes]]:
    """Number, data and padding of each sealed packet of data."""
    found, at = [], 0
    while at < len(sealed):
        length = struct.unpack_from(">I", sealed, at)[0]
        plain = lane.open(sealed[at : at + 4], sealed[at + 4 : at + 4 + length + TAG])
        assert plain is not None, "not what was sealed"
        assert length % 16 == 0
        pad, kind, number, count = struct.unpack_from(">BBII", plain)
        assert kind == 94 and 4 <= pad < 20 and len(plain) == 10 + count + pad
        found.append((number, plain[10 : 10 + count], plain[10 + count :]))
        at += 4 + length + TAG
    return found


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from((0, 1, 6, 15, 16, 100, 9000)), st.integers(0, 255)), max_size=8), st.data())
def test_what_is_taken_and_sealed_is_what_was_sent(sizes: list[tuple[int, int]], draw: st.DataObject) -> None:
    lane, datas = Lane(KEY, IV), [os.urandom(size) for size, _ in sizes]
    stream = b"".join(packet(lane, 94, 7, data, pad) for data, (_, pad) in zip(datas, sizes, strict=True))
    packets = unpacker(stream)
    # As who receives does it: the first packet of a channel is looked at, the others follow; a train may leave at any of them.
    trains, first = [], True
    while packets.next(-1 if first else 7, 1 << 20):
        assert (packets.kind, packets.number, packets.count) == (94, 7, packets.fits)
        packets.take()
        first = draw.draw(st.booleans())
    trains.append(packets.whole())
    train = trains[0]
    assert (packets.taken, packets.at, train.size) == (len(datas), len(stream), sum(map(len, datas)))
    assert train.joined() == b"".join(datas)
    out = memoryview(bytearray(BEFORE * (len(stream) + 64)))
    seals = Lane(KEY, IV[::-1])
    done, end, moved = train.seal(0, seals, 3, 1 << 20, 1 << 20, 1 << 30, out, 5)
    assert (done, moved) == (len(datas), train.size)
    found = opened(Lane(KEY, IV[::-1]), out[5:end])
    assert [data for _, data, _ in found] == datas
    assert all(number == 3 and not {0xDD, 0xEE} >= set(padding) for number, _, padding in found), "padding is random"
    assert train.joined() == b"".join(datas), "what could not be sealed is still there"


def trained(*sizes: int) -> tuple[Train, list[bytes]]:
    lane, datas = Lane(KEY, IV), [os.urandom(size) for size in sizes]
    packets = unpacker(b"".join(packet(lane, 94, 7, data, 20) for data in datas))
    assert packets.next(-1, 0)
    packets.take()
    assert not packets.next(7, 1 << 20)
    return packets.whole(), datas


@pytest.mark.parametrize(
    ("window", "most", "budget", "place", "sealed"),
    [
        (3000, 1000, 1 << 20, 1 << 20, 3),
        (2999, 1000, 1 << 20, 1 << 20, 2),
        (0, 1000, 1 << 20, 1 << 20, 0),
        (3000, 999, 1 << 20, 1 << 20, 0),
        (3000, 1000, 0, 1 << 20, 0),
        (3000, 1000, 1024, 1 << 20, 1),
        (3000, 1000, 1025, 1 << 20, 2),
        (3000, 1000, 1 << 20, 2 * 1044, 2),
        (3000, 1000, 1 << 20, 2 * 1044 - 1, 1),
    ],
)
def test_no_bound_is_passed(window: int, most: int, budget: int, place: int, sealed: int) -> None:
    train, datas = trained(1000, 1000, 1000)
    out = memoryview(bytearray(place))
    done, end, moved = train.seal(0, Lane(KEY, IV), 1, window, most, budget, out, 0)
    assert (done, end, moved) == (sealed, sealed * 1044, sealed * 1000)
    assert train.joined(done) == b"".join(datas[done:])


def test_a_train_becomes_no_larger_than_there_is_window() -> None:
    lane = Lane(KEY, IV)
    packets = unpacker(b"".join(packet(lane, 94, 7, bytes(size), 4) for size in (10, 20, 31)))
    assert packets.next(-1, 60)
    packets.take()
    assert packets.next(7, 60), "the third is not taken"
    assert (packets.train.size, packets.count, packets.taken) == (30, 31, 2)


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (lambda lane: packet(lane, 94, 8, b"another's", 4), 94),
        (lambda lane: packet(lane, 93, 7, b"", 4, 100), 93),
        (lambda lane: packet(lane, 94, 7, b"short", 4, 6), 94),
        (lambda lane: packet(lane, 94, 7, b"long", 4, 3), 94),
        (lambda lane: (header := b"\0\0\0\x05") + lane.seal(header, b"\4\2\0\0\0"), -1),
    ],
    ids=["another channel", "a window", "less than it says", "more than it says", "too short"],
)
def test_what_is_not_data_of_the_channel_is_not_taken(other: Callable[[Lane], bytes], kind: int) -> None:
    lane = Lane(KEY, IV)
    stream = packet(lane, 94, 7, b"first", 4) + other(lane)
    packets = unpacker(stream)
    assert packets.next(-1, 100)
    packets.take()
    assert packets.next(7, 100)
    assert (packets.kind, packets.at, packets.train.joined()) == (kind, len(stream), b"first")


def test_what_is_too_large_or_forged_is_refused_and_half_a_packet_waits() -> None:
    lane = Lane(KEY, IV)
    good = packet(lane, 94, 7, b"data", 4)
    assert not unpacker(good[:3]).next(-1, 0)
    assert not unpacker(good[:-1]).next(-1, 0)
    with pytest.raises(ProtocolError, match="size"):
        unpacker(struct.pack(">I", LONGEST + 1) + bytes(8)).next(-1, 0)
    for forged in (good[:-1] + bytes((good[-1] ^ 1,)), good[:3] + b"\0" + good[4:], bytes(40)):
        with pytest.raises(MACError):
            unpacker(forged + bytes(100)).next(-1, 0)
