"""What an rsync client makes its server do: `rsync --server …`, read by an allow-list of the options that clients send. Pure.

Source: rsync(1), and the command lines that rsync 3.2 sends.
"""

from __future__ import annotations

from typing import Final

from hooptui.protocols.ssh.words import Word

_SHORT: Final = frozenset("ACDEHIJKLNORSUWXbcdgiklmnopqrtuvxyz0")
"""Letters of the bundle before `e.`; `s` is handled apart."""

_PLAIN: Final = frozenset(
    {
        "append", "append-verify", "copy-devices", "copy-unsafe-links", "delay-updates", "delete-missing-args", "devices", "dirs",
        "existing", "fake-super", "force", "force-change", "fsync", "ignore-errors", "ignore-existing", "ignore-missing-args",
        "inplace", "mkpath", "munge-links", "new-compress", "no-implied-dirs", "no-r", "no-relative", "no-specials", "no-devices",
        "no-W", "numeric-ids", "old-compress", "omit-dir-times", "one-file-system", "open-noatime", "partial", "preallocate",
        "prune-empty-dirs", "recursive", "safe-links", "sender", "server", "size-only", "specials", "stats", "super",
    }
)  # fmt: skip

_DELETES: Final = frozenset(
    {
        "delete",
        "delete-after",
        "delete-before",
        "delete-delay",
        "delete-during",
        "delete-excluded",
        "delete-missing-args",
    }
)

_VALUED: Final = frozenset(
    {
        "block-size", "bwlimit", "checksum-choice", "checksum-seed", "chown", "compress-choice", "compress-level", "contimeout",
        "debug", "groupmap", "iconv", "info", "log-format", "max-alloc", "max-delete", "max-size", "min-size", "modify-window",
        "out-format", "skip-compress", "stop-after", "stop-at", "suffix", "timeout", "usermap",
    }
)  # fmt: skip

_PATHS: Final = frozenset({"backup-dir", "compare-dest", "copy-dest", "link-dest", "partial-dir", "temp-dir"})
"""Options whose value is a path that is read or written too."""


def rsync(rest: list[Word]) -> tuple[frozenset[str], list[Word], str] | None:
    """Actions, paths, and why it is not understood, of the words after `rsync`; None when it is no server."""
    if not any(word.text == "--server" for word in rest[:1]):
        return None
    actions = {"rsync_read"} if any(word.text == "--sender" for word in rest) else {"rsync_write"}
    paths: list[Word] = []
    unknown = ""
    at = 0
    while at < len(rest) and rest[at].text.startswith("-"):
        option = rest[at].text
        at += 1
        if not option.startswith("--"):
            unknown = unknown or _short(option)
            continue
        name, _, value = option[2:].partition("=")
        if name in _DELETES:
            actions.add("file_remove")
        elif name in ("remove-source-files", "remove-sent-files"):
            actions |= {"rsync_write", "file_remove"}
        elif name in _PATHS:
            if "=" not in option and at < len(rest):
                value, at = rest[at].text, at + 1
            paths.append(Word(value, rest[at - 1].glob))
        elif (name in _PLAIN and "=" not in option) or (name in _VALUED and "=" in option):
            continue
        elif name in _VALUED and at < len(rest):
            at += 1
        else:
            unknown = unknown or "rsync has an option that is not known here"
    if at >= len(rest) or rest[at].text != "." or at + 1 == len(rest):
        unknown = unknown or "rsync does not name its paths"
    if any(word.text.startswith("-") for word in rest[at:]):
        # rsync takes options behind its paths as well.
        unknown = unknown or "rsync has an option behind its paths"
    paths.extend(rest[at + 1 :])
    return frozenset(actions), paths, unknown


def _short(option: str) -> str:
    """Why a bundle of letters is not understood. What follows `e.` are capabilities of the client, not options."""
    letters, _, _ = option[1:].partition("e.")
    if "s" in letters:
        return "rsync sends its paths out of sight (--secluded-args)"
    if not set(letters) <= _SHORT:
        return "rsync has an option that is not known here"
    return ""
