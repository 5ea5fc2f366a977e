"""Masking a stream of bytes that comes in pieces: what a command or a terminal prints. Knows no channel and no clock.

The text is cut at seams (`seams`), and every piece is searched whole by the same detectors as everywhere: how the stream is
cut into chunks makes no difference to what comes out. What stands behind the last seam is held until more comes, or for
`patience`; then it is let go, but stays known: a value that turns out to be one later is masked from there on.

It prevents accidents. Whoever encodes a value (base64, rev, gzip) or prints it slowly gets it past any such mask.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hooptui.core.gate import Masked
from hooptui.core.model import MaskAction, MaskSet
from hooptui.masking import detectors, prefilter, seams, strategies
from hooptui.masking.detectors import Hit
from hooptui.masking.escapes import Kind, Lexer, Mark, encoded, parted, plain, stripped, texts
from hooptui.masking.strategies import Ruling, replaced, stronger
from hooptui.masking.weave import Woven, spots, woven

PATIENCE: Final = 0.020
"""Seconds that the end of a text is held which could be the beginning of a value."""
LONG_PATIENCE: Final = 1.0
"""Seconds for one that is almost certainly the beginning of a key or token."""
HELD_MAX: Final = 40 * 1024
"""Characters that are held at most."""
MARKS_MAX: Final = 1024
"""Control sequences that are held at most."""
MARKS_SIZE: Final = 16 * 1024
"""Characters of control sequences that are held at most."""
_ECHO = 2
_NEAR = 1024
_BEFORE = 128
_WINDOW = 1024
_BLOCK = 2048
_TOKEN_LEAST = 8 * 1024
_ROUNDS = 3
_STARS = 64
_REDACTED = strategies.plain(strategies.REDACTED)


@dataclass(frozen=True, slots=True)
class Released:
    """What may go to the client now."""

    data: bytes = b""
    rules: tuple[str, ...] = ()
    """The mask rules that hid something in it, each once."""

    def __bool__(self) -> bool:
        return bool(self.data)

    @property
    def text(self) -> Masked:
        """The same for the record, escape sequences and all; bytes that are no UTF-8 become U+FFFD."""
        return Masked(self.data.decode("utf-8", "replace"))


NOTHING: Final = Released()


class StreamMasker:
    """The masks of one session on one direction of one stream: stdout and stderr need one each. Serves one thread.

    `feed` what comes, send what it returns; when `due` is not None, call `release` at that time; `close` at the end.
    """

    __slots__ = (
        "_closed",
        "_counts",
        "_covered",
        "_fired",
        "_key",
        "_last",
        "_lexer",
        "_looked",
        "_marks",
        "_patience",
        "_rulings",
        "_screen",
        "_shown",
        "_since",
        "_sink",
        "_text",
        "_wait",
    )

    def __init__(self, masks: MaskSet, key: bytes, *, patience: float = PATIENCE) -> None:
        """`key`: the 32 secret bytes behind the `hash` action.

        Raises:
            ValueError: the key has another length, or a rule names an unknown detector.
        """
        if len(key) != 32:
            raise ValueError("the masking key has to be 32 bytes")
        rulings: dict[str, Ruling] = {}
        for rule in masks.rules:
            for name in rule.detect:
                if name not in detectors.BY_NAME:
                    raise ValueError(f"mask {rule.id}: no detector {name!r}; there are {', '.join(detectors.ALL)}")
                rulings[name] = stronger(rulings.get(name), Ruling(rule.action, rule.id))
        self._rulings: Mapping[str, Ruling] = rulings
        self._screen = prefilter.screen(frozenset(rulings))
        self._key = key
        self._patience = patience
        self._lexer = Lexer()
        self._text = ""
        """Characters since the last seam."""
        self._marks: list[Mark] = []
        """Of `_text`; those that were sent are kept as empty ones if they move the cursor."""
        self._shown = 0
        """Characters of `_text` that have been let go."""
        self._covered = 0
        """End of the last find that was masked in those."""
        self._looked = 0
        """Up to here there is no seam."""
        self._sink: re.Pattern[str] | None = None
        """Set while a value goes on that was too long to be held: what ends it."""
        self._since = 0.0
        self._wait = patience
        self._last: float | None = None
        self._fired: list[str] = []
        self._counts: Counter[str] = Counter()
        self._closed = False

    @property
    def counts(self) -> Mapping[str, int]:
        """How many values each mask rule has hidden so far, by its identifier."""
        return dict(self._counts)

    def feed(self, data: bytes, now: float) -> Released:
        """What may go on at once when `data` comes at `now` (seconds, any clock that does not go back).

        Where nothing is suspicious and nothing is held, `data` itself is returned, the same object.

        Raises:
            ValueError: the stream is closed.
        """
        if self._closed:
            raise ValueError("the stream is closed")
        if not self._rulings or not data:
            return Released(data) if data else NOTHING
        typed = not self._held and self._last is not None and now - self._last >= self._patience
        self._last = now
        if not self._held:
            self._since, self._wait = now, self._patience
        out = self._passed(data, now, deep=len(data) <= _BLOCK)
        if out is None:
            out = b"".join([self._block(data[at:end], now) for at, end in _blocks(data)])
        if typed and len(self._text) - self._shown <= _ECHO and len(data) <= _STARS and not self._lexer.waiting:
            out += encoded(self._given())  # the echo of a key: it comes alone, and every millisecond is felt
        if self._wait > self._patience and not self._likely():
            self._since, self._wait = (
                now,
                self._patience,
            )  # it was no key, and what came behind it waits no longer than anything
        return self._result(out)

    def due(self) -> float | None:
        """When to call `release`; None while nothing is held."""
        return self._since + self._wait if self._held else None

    def release(self, now: float) -> Released:
        """What has been held for long enough at `now`: finds masked, all else as it is. Nothing before it is due."""
        due = self.due()
        if due is None or now < due:
            return NOTHING
        if self._wait < LONG_PATIENCE and now < self._since + LONG_PATIENCE and self._likely():
            self._wait = LONG_PATIENCE
            return NOTHING
        return self._result(encoded(self._absorbed(*self._lexer.flush(), now) + self._given()))

    def close(self) -> Released:
        """The end of the stream has come: the rest. Nothing can be fed any more."""
        if self._closed:
            return NOTHING
        self._closed = True
        return self._result(encoded(self._absorbed(*self._lexer.flush(), self._since) + self._given()))

    @property
    def _held(self) -> bool:
        return len(self._text) > self._shown or self._lexer.waiting

    def _likely(self) -> bool:
        return seams.likely(self._text[self._shown :])

    def _result(self, out: bytes) -> Released:
        rules = tuple(dict.fromkeys(self._fired))
        self._fired.clear()
        return Released(out, rules) if out else NOTHING

    def _block(self, data: bytes, now: float) -> bytes:
        out = self._passed(data, now, deep=True)
        return encoded(self._absorbed(*self._lexer.feed(data), now)) if out is None else out

    def _passed(self, data: bytes, now: float, *, deep: bool) -> bytes | None:
        """The fast way: bytes in which no detector finds anything go on up to a seam; None when it cannot be taken.

        `deep`: ask the detectors where the screen has doubts.
        """
        unread = self._lexer.unread
        if self._shown or self._sink is not None or unread is None or len(self._text) > len(data):
            return None  # the last one: what is held would be read again and again
        held = encoded(Woven(self._text, self._marks).raw()) + unread if self._text or unread else b""
        whole = held + data if held else data
        clear = plain(whole)
        cut = len(whole)
        if not clear:
            cut = whole.rfind(b"\n") + 1  # no sequence goes across a line end
            if cut <= len(held):
                return None
        seen = whole if clear else stripped(whole[:cut])
        if self._screen(seen):
            # A value that is too long to be held is masked on a suspicion, for which the detectors would have to wait.
            if not deep or len(seen) > HELD_MAX or self._found(seen):
                return None
            if not clear and self._found(parted(whole[:cut])):
                return None
        if not clear and self._screen(texts(whole[:cut])):
            return None
        # A seam and all that decides about it is ASCII, so that the bytes can stand for the characters.
        window = seen[-_WINDOW:].decode("latin-1")
        seam = seams.last(window, seams.REACH if len(window) < len(seen) else 0)
        if not seam or not (clear or seam == len(window)):
            return None
        cut -= len(window) - seam
        self._text, self._looked = "", 0
        self._marks.clear()
        self._lexer.reset()
        if cut == len(whole):
            return whole
        self._since, self._wait = now, self._patience
        return whole[:cut] + encoded(self._absorbed(*self._lexer.feed(whole[cut:]), now))

    def _found(self, seen: bytes) -> bool:
        return bool(self._look(seen.decode("utf-8", "surrogateescape")))

    def _absorbed(self, text: str, marks: list[Mark], now: float) -> str:
        """Add text to what is held, and return what need not be held any more."""
        out: list[str] = []
        at = done = 0
        while True:
            if self._sink is not None:
                end = self._sink.search(text, at)
                at = end.start() if end else len(text)
                while done < len(marks) and marks[done].at <= at:
                    out.append(self._concealed(marks[done]).raw)
                    done += 1
                if end is None:
                    return "".join(out)
                self._sink = None
            stop = min(len(text), at + HELD_MAX - len(self._text))
            base = len(self._text) - at
            self._text += text[at:stop]
            while done < len(marks) and marks[done].at <= stop:
                self._marks.append(self._concealed(marks[done], base))
                done += 1
            at = stop
            cut = seams.last(self._text, self._looked)
            if cut:
                out.append(self._rendered(cut, self._spots(cut)))
                self._drop(cut)
                self._since, self._wait = now, self._patience
            elif len(self._text) >= HELD_MAX:
                out.append(self._forced())
            self._looked = len(self._text)
            if at >= len(text) and self._sink is None:
                break
        if len(self._marks) > MARKS_MAX or sum(len(mark.raw) for mark in self._marks) > MARKS_SIZE:
            out.append(self._given())
            self._marks.clear()
        elif self._marks:
            out.append(self._led())
        return "".join(out)

    def _led(self) -> str:
        """The marks in front of the first held character: nothing that comes can change them."""
        out = "".join(mark.raw for mark in self._marks if mark.at <= self._shown)
        if out:
            self._marks = [
                mark if mark.at > self._shown else Mark(mark.at, "", mark.kind)
                for mark in self._marks
                if mark.at > self._shown or (mark.kind is Kind.MOVE and mark.at)
            ]
        return out

    def _given(self) -> str:
        """All that is held; it stays known."""
        size = len(self._text)
        out = self._rendered(size, self._spots(size))
        self._shown = size
        self._marks = [Mark(mark.at, "", mark.kind) for mark in self._marks if mark.kind is Kind.MOVE and mark.at]
        return out

    def _forced(self) -> str:
        """No seam in all that may be held. What is settled goes; a value that has not ended is masked until it does."""
        size = len(self._text)
        hits = self._spots(size)
        last = hits[-1] if hits else None
        start, names = -1, frozenset(("jwt",))
        if last is not None and last.end == size and last.start < size - _NEAR:
            start, names = last.start, last.names
        elif "jwt" in self._rulings:
            start = seams.long_token(self._text, _TOKEN_LEAST)
        if start >= 0:
            key = "private-key" in names
            endless = Hit(start, size, "private-key" if key else "jwt", names, whole=False)
            out = self._rendered(size, [*(hit for hit in hits if hit.end <= start), endless])
            self._sink = seams.END_OF_KEY if key else seams.END_OF_WORD
            self._drop(size)
            return out
        settled = size - _NEAR
        settled = next((hit.end for hit in hits if hit.start < settled < hit.end), settled)
        out = self._rendered(settled, [hit for hit in hits if hit.end <= settled])
        self._shown = max(self._shown, settled)
        self._marks = [
            mark if mark.at > settled else Mark(mark.at, "", mark.kind)
            for mark in self._marks
            if mark.at > settled or mark.kind is Kind.MOVE
        ]
        self._drop(settled - _BEFORE)
        return out

    def _drop(self, end: int) -> None:
        """Forget the text up to here, and the marks before and at this place."""
        self._text = self._text[end:]
        self._marks = [Mark(mark.at - end, mark.raw, mark.kind) for mark in self._marks if mark.at > end]
        self._shown = max(0, self._shown - end)
        self._covered = max(0, self._covered - end)

    def _look(self, text: str) -> list[Hit]:
        return prefilter.hits(self._screen, text)

    def _spots(self, end: int) -> list[Hit]:
        return spots(self._look, self._text[:end], self._marks)

    def _rendered(self, end: int, hits: list[Hit]) -> str:
        """What has not been let go of the text up to `end`, with the finds replaced."""
        marks = [mark for mark in self._marks if mark.at <= end]
        done = woven(self._text[:end], marks, self._shown, hits, self._word)
        fresh = [hit.end for hit in hits if hit.end > self._shown]
        if fresh:
            self._covered = max(self._covered, fresh[-1])
            done = self._settled(done)
        return done.raw()

    def _settled(self, done: Woven) -> Woven:
        """Until nothing is found any more: what one mask left standing can join with its neighbours to a new find."""
        for _ in range(_ROUNDS):
            hits = spots(self._look, done.text, done.marks)
            if not hits:
                return done
            done = woven(done.text, done.marks, 0, hits, lambda _: _REDACTED)
        if spots(self._look, done.text, done.marks):
            return Woven(_REDACTED, [Mark(0, mark.raw, mark.kind) for mark in done.marks])
        return done

    def _word(self, hit: Hit) -> str:
        if hit.start >= self._shown:
            return self._stand_in(hit, self._text[hit.start : hit.end])
        if hit.start < self._covered:
            return ""  # more of a value whose mask has gone out
        self._stand_in(hit, "")
        # The rest of a value that began too slowly: as wide as it was, so that a line editor's cursor stays right.
        width = hit.end - self._shown
        return "*" * width if width <= _STARS else _REDACTED

    def _stand_in(self, hit: Hit, value: str) -> str:
        ruling: Ruling | None = None
        for name in sorted(hit.names):
            ruling = stronger(ruling, self._rulings[name])
        if ruling is None:
            raise AssertionError("a hit without a detector")
        self._counts[ruling.rule] += 1
        self._fired.append(ruling.rule)
        if ruling.action is MaskAction.NULL or (not hit.whole and ruling.action is MaskAction.PARTIAL):
            return _REDACTED
        return strategies.plain(replaced(ruling.action, value, hit.detector, self._key) or _REDACTED)

    def _concealed(self, mark: Mark, base: int = 0) -> Mark:
        """A mark moved by `base`, its own text masked if it carries one."""
        raw = mark.raw
        if mark.kind is Kind.STRING and (found := self._look(raw)):
            raw = woven(raw, (), 0, found, lambda hit: self._stand_in(hit, raw[hit.start : hit.end])).text
        return Mark(mark.at + base, raw, mark.kind)


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Pieces of whole lines, so that one find does not make all of a chunk slow."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at + _BLOCK) + 1 or len(data)
        yield at, end
        at = end
