"""One thing that `hooptui doctor` tried, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

from hooptui.core.visible import visible


@dataclass(frozen=True, slots=True)
class Finding:
    """See the module."""

    ok: bool
    what: str
    words: str
    mend: str = ""

    def __str__(self) -> str:
        line = f"{'✓' if self.ok else '✗'} {self.what}: {visible(self.words)}"
        return f"{line}\n    mend: {visible(self.mend)}" if self.mend else line
