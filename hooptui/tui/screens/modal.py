"""What every window over the screen has: a frame, a moment of deafness, a line of words, buttons that begin at Cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Button, Input

from hooptui.tui import theme
from hooptui.tui.text import Row, Span, width
from hooptui.tui.widgets.lines import Bar, Lines, strip_of

if TYPE_CHECKING:
    from hooptui.tui.app import HooptuiApp

DEAF = 0.3
"""Seconds for which a new window ignores keys and clicks: whoever was typing did not see it come."""

LONGEST = 2000
"""Characters of a reason; the command table takes no more."""


class Modal(ModalScreen[None]):
    """See the module. `tick` is called whenever there is a new snapshot."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "leave", "Cancel"),
        ("left", "beside(-1)", "Before"),
        ("right", "beside(1)", "Next"),
        ("up", "app.focus_previous", "Field before"),
        ("down", "app.focus_next", "Next field"),
    ]
    AUTO_FOCUS = ""
    deafness: ClassVar[float] = DEAF

    def __init__(self, title: str, kind: str = "") -> None:
        """`kind` is `-quiet`, `-danger` or nothing, for the colour of the frame."""
        super().__init__()
        self.box = Vertical(classes=f"box {kind}".strip())
        self.box.border_title = Content(title)
        self.words = Bar(id="words")
        self._opened: float | None = None

    @property
    def hooptui(self) -> HooptuiApp:
        return cast("HooptuiApp", self.app)

    @property
    def deaf(self) -> bool:
        """Whether keys and clicks are ignored still."""
        return self._opened is None or self.hooptui.clock.monotonic() - self._opened < self.deafness

    def _forward_event(self, event: events.Event) -> None:
        """Every click passes here; keys are kept back by the application, since they go straight to the focus."""
        if isinstance(event, (events.MouseDown, events.MouseUp, events.Click)) and self.deaf:
            return
        super()._forward_event(event)

    def compose(self) -> ComposeResult:
        with self.box:
            yield from self.inside()

    def inside(self) -> ComposeResult:
        raise NotImplementedError

    def on_mount(self) -> None:
        self._opened = self.hooptui.clock.monotonic()
        self.tick()
        # The first look is taken before there is a width; the second fits it.
        self.call_after_refresh(self.tick)

    def on_resize(self) -> None:
        self.call_after_refresh(self.tick)

    @property
    def cells(self) -> int:
        """Width for text inside the frame."""
        return self.box.content_size.width or 72

    def tick(self) -> None:
        """There is something new to show."""

    def say(self, text: str, style: str = "warn") -> None:
        """The window's own line of words."""
        self.words.put(((text, style),))

    def action_leave(self) -> None:
        self.dismiss()

    def action_beside(self, step: int) -> None:
        """From button to button; in a text field the arrow moves the text cursor, which is handled before this."""
        if isinstance(self.focused, Button):
            buttons = [one for one in self.query(Button) if not one.disabled]
            self.set_focus(buttons[(buttons.index(self.focused) + step) % len(buttons)])


class Prose(Lines):
    """Rows that only scroll: a statement, a help text. The height is that of its rows up to `most`."""

    def __init__(self, most: int = 0, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id, classes=classes)
        self._rows: tuple[Row, ...] = ()
        self._most = most

    def put(self, rows: list[Row] | tuple[Row, ...], *, most: int = 0) -> None:
        """Show these; `most` is the greatest height from now on, when it changes."""
        self._rows, self._most = tuple(rows), most or self._most
        if self._most:
            self.styles.height = max(1, min(self._most, len(self._rows)))
            self.can_focus = len(self._rows) > self._most
        self.sync()

    @property
    def text(self) -> str:
        return "\n".join("".join(text for text, _ in row) for row in self._rows)

    def count(self) -> int:
        return len(self._rows)

    def row(self, y: int, cells: int) -> Row:
        return self._rows[y]

    def shade(self, y: int) -> Style | None:
        return None

    def move(self, verb: str) -> None:
        """Scroll: there is no cursor in prose."""
        page, here = max(1, self.size.height - 1), self.scroll_offset.y
        places = {
            "down": here + 1,
            "up": here - 1,
            "top": 0,
            "end": self.count(),
            "page-down": here + page,
            "page-up": here - page,
        }
        self.scroll_to(y=places[verb], animate=False, immediate=True, force=True)

    def on_key(self, event: events.Key) -> None:
        moves = {
            "down": "down",
            "j": "down",
            "up": "up",
            "k": "up",
            "g": "top",
            "home": "top",
            "G": "end",
            "end": "end",
        }
        verb = moves.get(event.key) or {"pagedown": "page-down", "pageup": "page-up", "space": "page-down"}.get(
            event.key
        )
        if verb is not None:
            event.stop()
            self.move(verb)


class Choice(Widget, can_focus=True):
    """One of a few words in a line: `(•) once   ( ) this statement for 15 min`."""

    class Changed(Message):
        """Another word was chosen."""

    def __init__(self, options: list[tuple[str, str]], *, id: str, at: int = 0) -> None:  # noqa: A002 - Textual's own name
        """`options` are value and words; number `at` is chosen."""
        super().__init__(id=id)
        self.options = options
        self.at = at

    @property
    def value(self) -> str:
        return self.options[self.at][0]

    def render_line(self, y: int) -> Strip:
        spans: list[Span] = []
        for index, (_, words) in enumerate(self.options):
            on = index == self.at
            spans.append((f"{'(•)' if on else '( )'} {words}   ", "strong" if on else "faint"))
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        return strip_of(tuple(spans), self.size.width, self.rich_style, theme.ON_CURSOR if self.has_focus else None)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_key(self, event: events.Key) -> None:
        if event.key == "left":
            step = -1
        elif event.key in ("right", "space"):
            step = 1
        else:
            return
        event.stop()
        self.pick((self.at + step) % len(self.options))

    def on_click(self, event: events.Click) -> None:
        at = 0
        for index, (_, words) in enumerate(self.options):
            at += width(words) + 7
            if event.x < at:
                self.pick(index)
                return

    def pick(self, index: int) -> None:
        self.at = index
        self.refresh()
        self.post_message(self.Changed())


def label(text: str) -> Bar:
    """The words before a field."""
    bar = Bar(classes="label")
    bar.styles.width = width(text) + 1
    bar.put(((text, "faint"),))
    return bar


def field(words: str, id: str, placeholder: str = "") -> Horizontal:  # noqa: A002 - Textual's own name
    """A labelled line of text."""
    return Horizontal(
        label(words), Input(id=id, placeholder=placeholder, max_length=LONGEST, select_on_focus=False), classes="row"
    )


def button(words: str, id: str, kind: str = "") -> Button:  # noqa: A002 - Textual's own name
    return Button(Content(words), id=id, classes=kind)
