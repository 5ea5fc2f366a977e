"""Every key there is, once: bindings, footer, `?` help, palette and documentation are made from this table.

Lower case looks; upper case, or a modal, changes the world; a letter means one thing wherever it works.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding

PLACES: Final = ("live", "held", "output", "recordings", "player", "audit", "access")
"""The lists and panes that can have the focus."""

VIEWS: Final = ("live", "held", "output", "replay", "audit")
"""The five views, by their keys 1 to 5."""

EVERYWHERE: Final = frozenset(PLACES)


@dataclass(frozen=True, slots=True)
class Key:
    """One row of the table."""

    verb: str
    """What the screen calls it; one handler each."""
    keys: tuple[str, ...]
    """Textual's names or single characters; empty when only the palette has it."""
    shown: str
    """The key as people read it."""
    word: str
    """For the footer."""
    help: str
    """One sentence without a full stop."""
    where: frozenset[str] = EVERYWHERE
    footer: int = 0
    """Rank in the footer, the lowest first to stay when it is narrow; 0 keeps it out."""
    command: str = ""
    """The verb of the command table that it ends in, when it changes the world."""
    group: str = "all"
    """Heading in the help."""


def _at(*places: str) -> frozenset[str]:
    return frozenset(places)


_SUBJECT: Final = _at("live", "held", "output")
_PERSON: Final = _at("live", "held", "output", "access")

KEYS: Final[tuple[Key, ...]] = (
    Key(
        "open",
        ("enter",),
        "enter",
        "Open",
        "open what the cursor is on: output, review, player, record, card",
        _at("live", "held", "recordings", "audit", "access"),
        1,
    ),
    Key(
        "approve",
        ("a",),
        "a",
        "Approve",
        "review the held operation, and approve it there",
        _SUBJECT,
        2,
        "approve",
        "held",
    ),
    Key("deny", ("x",), "x", "Deny", "deny the held operation, with a reason", _SUBJECT, 3, "deny", "held"),
    Key(
        "kill",
        ("X",),
        "X",
        "Kill",
        "kill the session: stop what runs, prove it, tell the client",
        _SUBJECT,
        4,
        "kill",
        "live",
    ),
    Key(
        "freeze",
        ("f",),
        "f",
        "Freeze",
        "freeze the session, so that nothing new starts; again to thaw",
        _SUBJECT,
        13,
        "freeze",
        "live",
    ),
    Key(
        "replay",
        ("r",),
        "r",
        "Replay",
        "replay the session from its start",
        _at("live", "held", "output", "recordings", "audit"),
        12,
        group="live",
    ),
    Key(
        "follow", ("F",), "F", "Follow", "follow the end of the output, or stop following", _SUBJECT, 5, group="output"
    ),
    Key("claim", ("c",), "c", "Claim", "say that you look into the held operation", _SUBJECT, 14, "claim", "held"),
    Key(
        "break-glass",
        ("exclamation_mark",),
        "!",
        "Break glass",
        "let it go alone, in an emergency, with everybody told",
        _SUBJECT,
        0,
        "break-glass",
        "held",
    ),
    Key("who", ("i",), "i", "Who", "who it is, for whom, by which lease, until when", _PERSON, 13, group="access"),
    Key(
        "access",
        ("l",),
        "l",
        "Access",
        "the leases, grants and blocks in force",
        EVERYWHERE,
        9,
        group="access",
    ),
    Key(
        "revoke",
        ("R",),
        "R",
        "Revoke",
        "take back the lease or grant, and end what it opened",
        _at("access"),
        2,
        "revoke",
        "access",
    ),
    Key(
        "block",
        ("B",),
        "B",
        "Block",
        "lock the identity out: kill its sessions, void its leases and grants",
        _PERSON,
        4,
        "block",
        "access",
    ),
    Key(
        "unblock", ("U",), "U", "Unblock", "let a blocked identity log in again", _at("access"), 5, "unblock", "access"
    ),
    Key("login", ("O",), "O", "Operator", "who decides at this desk: log in, log out", EVERYWHERE, 12, "login"),
    Key("wrap", ("w",), "w", "Wrap", "wrap long lines, or cut them", _at("output", "player"), 15, group="output"),
    Key("times", ("t",), "t", "Times", "show times, or hide them", _at("output", "player"), 16, group="output"),
    Key(
        "channel",
        ("s",),
        "s",
        "Channel",
        "the session's next channel: its timeline, a terminal, its files",
        _at("output", "player"),
        5,
        group="output",
    ),
    Key("channel-before", ("p",), "p", "Channel back", "the channel before", _at("output", "player"), group="output"),
    Key("play", ("space",), "space", "Play", "play or pause", _at("player"), 1, group="replay"),
    Key("step", ("full_stop",), ".", "Step", "one event on", _at("player"), 2, group="replay"),
    Key(
        "operation-before",
        ("left_square_bracket",),
        "[",
        "Prev",
        "to the operation before",
        _at("player"),
        3,
        group="replay",
    ),
    Key(
        "operation-after",
        ("right_square_bracket",),
        "]",
        "Next",
        "to the next operation",
        _at("player"),
        3,
        group="replay",
    ),
    Key(
        "risky-after",
        ("n",),
        "n",
        "Risky",
        "to the next risky event: held, denied, failed, frozen, killed",
        _at("player"),
        4,
        group="replay",
    ),
    Key("risky-before", ("N",), "N", "Risky back", "to the risky event before", _at("player"), 14, group="replay"),
    Key("seconds-back", ("left",), "←", "-5 s", "five seconds back", _at("player"), 17, group="replay"),
    Key("seconds-on", ("right",), "→", "+5 s", "five seconds on", _at("player"), 17, group="replay"),
    Key("slower", ("less_than_sign",), "<", "Slower", "half the speed", _at("player"), 16, group="replay"),
    Key("faster", ("greater_than_sign",), ">", "Faster", "twice the speed", _at("player"), 16, group="replay"),
    Key(
        "verify",
        ("v",),
        "v",
        "Verify",
        "check the whole journal and every sealed recording",
        _at("audit"),
        2,
        group="audit",
    ),
    Key(
        "filter",
        ("slash",),
        "/",
        "Filter",
        "filter this list: who:bot via:pg|ssh !state:idle ~regex after:-10m",
        EVERYWHERE,
        6,
    ),
    Key("palette", ("colon", "ctrl+p"), ":", "Command", "find and run any command", EVERYWHERE, 7),
    Key("pane", ("tab",), "tab", "Pane", "next pane", EVERYWHERE, 8),
    Key("pane-before", ("shift+tab",), "shift+tab", "Pane back", "pane before"),
    Key("view", ("1", "2", "3", "4", "5"), "1-5", "View", "Live, Held, Output, Replay, Audit", EVERYWHERE, 9),
    Key("zoom", ("z",), "z", "Zoom", "this pane alone, or all of them again", EVERYWHERE, 10),
    Key("help", ("question_mark",), "?", "Help", "this help", EVERYWHERE, 11),
    Key("down", ("j", "down"), "j", "Down", "down"),
    Key("up", ("k", "up"), "k", "Up", "up"),
    Key("top", ("g", "home"), "g", "Top", "to the first line"),
    Key("end", ("G", "end"), "G", "End", "to the last line"),
    Key("page-down", ("pagedown",), "pgdn", "Page", "a page down"),
    Key("page-up", ("pageup",), "pgup", "Page", "a page up"),
    Key("back", ("escape", "q"), "esc", "Back", "back: out of the filter, the zoom, the player, the view (also q)"),
    Key("sort", ("o",), "o", "Sort", "sort by the next column", _at("live", "held", "recordings", "access"), 18),
    Key("copy", ("y",), "y", "Copy", "copy the line or the statement to the clipboard", EVERYWHERE, 19),
    Key(
        "export",
        ("E",),
        "E",
        "Export",
        "export the session's recording to a file; of a terminal that is shown, an asciicast",
        EVERYWHERE,
        20,
        "export",
    ),
    Key("quit", ("ctrl+q",), "ctrl+q", "Quit", "leave: stay, drain or cut", EVERYWHERE, 21),
    Key("reload", (), "", "Reload policy", "read the policy files again", command="reload"),
    Key("logout", (), "", "Log out", "nobody decides at this desk any more", command="logout"),
    Key("drain", (), "", "Drain", "take no new session and wait for those that are open", command="drain"),
)

LOOKING: Final = frozenset({"export", "login", "logout"})
"""Commands that need no operator: they change nothing, or come before there is one."""


def key_of(verb: str) -> Key:
    """The row of a verb.

    Raises:
        KeyError: there is none.
    """
    for key in KEYS:
        if key.verb == verb:
            return key
    raise KeyError(verb)


def changes(key: Key) -> bool:
    """Whether it changes the world, so that a read-only screen refuses it."""
    return bool(key.command) and key.command not in LOOKING


def bindings(*, only: Iterable[str] = ()) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """Textual's bindings for the main screen; each calls `do` with verb and key. `tab` must win over Textual's own."""
    chosen = set(only)
    return [
        Binding(
            one,
            f"do({key.verb!r}, {one!r})",
            key.help,
            show=False,
            id=f"{key.verb}-{one}",
            priority=one in ("tab", "shift+tab", "ctrl+q"),
        )
        for key in KEYS
        if not chosen or key.verb in chosen
        for one in key.keys
    ]


def footer(place: str, *, readonly: bool) -> list[Key]:
    """What the footer offers in a place, in the order to show; what does not fit is dropped from the highest rank down."""
    return [key for key in KEYS if key.footer and place in key.where and not (readonly and changes(key))]


GROUPS: Final = (
    ("all", "Everywhere"),
    ("live", "Live"),
    ("held", "Held"),
    ("output", "Output"),
    ("replay", "Replay"),
    ("audit", "Audit"),
    ("access", "Access"),
)


def grouped() -> Iterator[tuple[str, list[Key]]]:
    """Heading and rows, for help and documentation."""
    for group, heading in GROUPS:
        yield heading, [key for key in KEYS if key.group == group and key.keys]


def document() -> str:
    """The table in Markdown."""
    lines = ["| where | key | does |", "|---|---|---|"]
    for heading, keys in grouped():
        lines.extend(f"| {heading} | `{key.shown}` | {key.help.replace('|', chr(92) + '|')} |" for key in keys)
    return "\n".join(lines) + "\n"
