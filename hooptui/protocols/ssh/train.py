"""Channel data packet by packet, taken out of what was read, each with the room around it that it needs to go on.

What a packet of channel data is in plain differs between the two sides of a gateway by the channel's number and the padding. So who
passes data on unseen writes these where they are, and seals the packet as it lies: nothing is moved. Knows no connection.
"""

from __future__ import annotations

import struct
from typing import Final

from asyncssh.misc import MACError, ProtocolError

from hooptui.protocols.ssh.lane import BLOCK, TAG, Lane

DATA: Final = 94
"""SSH_MSG_CHANNEL_DATA (RFC 4254 section 9)."""
LARGE: Final = 8 * 1024
"""Bytes of data, in the mean, that are worth a packet of their own. Smaller ones are joined."""
SHORT: Final = 3
"""By how much the padding, of at least 4 (RFC 4253 section 6), may exceed a block."""
AROUND: Final = 4 + TAG
"""Bytes of a sealed packet beyond what it is in plain."""
LENGTH: Final = struct.Struct(">I")
HEAD: Final = struct.Struct(">BBII")
"""Of a packet about a channel: length of the padding, kind, number of the channel, and bytes of data or of window."""
BEFORE: Final = 10
"""Bytes of `HEAD`."""


class Train:
    """Packets of data that follow one another on a channel, in a place that is theirs while they are passed on."""

    __slots__ = ("counts", "frames", "size")

    def __init__(self) -> None:
        self.frames: list[memoryview] = []
        """What will be packets: `HEAD`, the data, padding; all but the data is written by who seals them."""
        self.counts: list[int] = []
        """Bytes of data of each."""
        self.size = 0
        """Of all."""

    def large(self) -> bool:
        """Whether its packets are worth to be sent as they are."""
        return self.size >= LARGE * len(self.frames)

    def joined(self, first: int = 0) -> bytes:
        """All data from a packet on, copied."""
        counts, frames = self.counts, self.frames
        return b"".join([frames[index][BEFORE : BEFORE + counts[index]] for index in range(first, len(frames))])

    def seal(
        self, first: int, lane: Lane, number: int, window: int, most: int, budget: int, out: memoryview, at: int
    ) -> tuple[int, int, int]:
        """Seal packets from `first` on into `out` from `at` on, for channel `number` as its peer writes it.

        As many as its `window` takes, of at most `most` bytes of data each, until `budget` bytes are sealed. Returns which is
        the next, where the last one ends, and how much data it was.
        """
        counts, frames, end = self.counts, self.frames, len(out)
        moved, lately, header = 0, -1, b""
        while first < len(frames) and budget > 0:
            frame, count = frames[first], counts[first]
            size = len(frame)
            after = at + AROUND + size
            if count > window - moved or count > most or after > end:
                break
            if size != lately:
                lately, header = size, LENGTH.pack(size)
            pad = size - BEFORE - count
            HEAD.pack_into(frame, 0, pad, DATA, number, count)
            frame[BEFORE + count :] = lane.padding(pad)
            LENGTH.pack_into(out, at, size)
            lane.seal_into(header, frame, out[at + 4 : after])
            at, moved, budget, first = after, moved + count, budget - size, first + 1
        return first, at, moved


class Unpacker:
    """The packets in what one read has brought, one after the other."""

    __slots__ = ("_header", "_here", "_lane", "_length", "_longest", "_place", "_plain", "_view", "at", "count", "fits", "kind", "number",
        "opened", "start", "taken", "train")  # fmt: skip

    def __init__(self, lane: Lane, view: memoryview, at: int, plain: memoryview, longest: int) -> None:
        """`plain` is as large as `view`, which is read from `at` on; no packet may be larger than `longest`."""
        self._lane = lane
        self._view = view
        self._plain = plain
        self._longest = longest
        self._length = -1
        self._header = b""
        """Of the last packet, by its length."""
        self._place = 0
        """Where in `plain` what the train has ends."""
        self._here = 0
        """Where in `plain` the last one that was opened is."""
        self.train = Train()
        """What was taken and is not delivered yet."""
        self.taken = 0
        """Packets taken into a train since this was set to 0."""
        self.at = at
        """Where the next one begins."""
        # --- the last one that was opened
        self.start = at
        self.opened = plain[:0]
        self.kind = -1
        """-1 when it is too short to be about a channel."""
        self.number = -1
        self.count = 0
        """Bytes of data or of window, as it says."""
        self.fits = 0
        """Bytes that there are behind its head."""

    def next(self, number: int, room: int) -> bool:
        """Take data of the channel `number` into the train, which may become `room` large; whether something else is there, opened.

        Raises:
            ProtocolError, MACError: a packet is too large, or not from the peer.
        """
        view, plain, lane, train, size = self._view, self._plain, self._lane, self.train, len(self._view)
        at, left = self.at, room - train.size
        try:
            while size - at > 4:
                length: int = LENGTH.unpack_from(view, at)[0]
                if length > self._longest:
                    raise ProtocolError("Max packet size exceeded")
                end = at + AROUND + length
                if end > size:
                    break
                if length != self._length:
                    self._length, self._header = length, LENGTH.pack(length)
                # There is room: a packet, and what its frame is longer, is no longer than it was in what was read.
                here = self._place
                opened = plain[here : here + length]
                if not length or not lane.open_into(self._header, view[at + 4 : end], opened):
                    raise MACError("MAC verification failed")
                start, at = at, end
                padding, kind, named, count = HEAD.unpack_from(opened) if length >= BEFORE else (0, -1, -1, 0)
                fits = length - BEFORE - padding
                if kind == DATA and named == number and fits == count <= left:
                    left -= count
                    self._add(opened, here, count)
                    continue
                self.start, self.opened, self._here = start, opened, here
                self.kind, self.number, self.count, self.fits = kind, named, count, fits
                return True
        finally:
            self.at = at
        return False

    def take(self) -> None:
        """Take the one that was opened last, which is data, into the train."""
        self._add(self.opened, self._here, self.count)

    def _add(self, opened: memoryview, here: int, count: int) -> None:
        train, length = self.train, len(opened)
        size = (BEFORE + count + BLOCK + SHORT) // BLOCK * BLOCK
        train.frames.append(opened if size == length else self._plain[here : here + size])
        train.counts.append(count)
        train.size += count
        self._place = here + (size if size > length else length)
        self.taken += 1

    def whole(self) -> Train:
        """The train, which is to be delivered; another one begins in its place."""
        train, self.train = self.train, Train()
        self._place = 0
        return train
