"""A portal to log in to, a home to log in from, and a clock that the waiting moves."""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hooptui.core.clock import ManualClock
from hooptui.core.visible import visible
from hooptui.login import main
from hooptui.login.state import Login, Place, load
from hooptui.login.terminal import Terminal

from .double import Double, running


class Paper(Terminal):
    """A terminal that keeps what it was told."""

    def __init__(self) -> None:
        self.said = io.StringIO()
        self.answered = io.StringIO()
        self.person = True

    def say(self, text: str = "") -> None:

        self.said.write(visible(text, keep="\n") + "\n")

    def answer(self, text: str) -> None:
        self.answered.write(text)

    def someone(self) -> bool:
        return self.person


@dataclass
class Home:
    """One person's machine."""

    path: Path
    portal: Double
    clock: ManualClock = field(default_factory=lambda: ManualClock(time.time()))
    slept: list[float] = field(default_factory=list)
    paper: Paper = field(default_factory=Paper)
    environment: dict[str, str] = field(default_factory=dict)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    def login(self, *words: str, url: bool = True, ca: bool = True) -> int:
        """Run `hooptui login` as far as its exceptions."""
        given: Sequence[str] = [
            *([self.portal.url] if url else []),
            *(["--ca", str(self.portal.ca)] if ca else []),
            *words,
        ]
        args = main.arguments(argparse.ArgumentParser()).parse_args(given)
        environment = {"HOME": str(self.path), "PATH": os.environ["PATH"], **self.environment}
        return main._Run(args, environment, self.clock, self.sleep, self.paper).run()

    @property
    def place(self) -> Place:
        return Place.of(self.portal.url, {"HOME": str(self.path), **self.environment})

    @property
    def kept(self) -> Login:
        found = load(self.place)
        assert found is not None
        return found

    @property
    def words(self) -> str:
        return self.paper.said.getvalue()


@pytest.fixture(scope="session")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    with running(tmp_path_factory.mktemp("portal")) as one:
        yield one


@pytest.fixture
def portal(double: Double) -> Iterator[Double]:
    """The session's portal, as if it was new."""
    info = dict(double.info)
    double.answers.clear()
    double.asked.clear()
    double.headers.clear()
    double.issued, double.lasts = 0, 3_600
    yield double
    double.info = info


@pytest.fixture
def home(tmp_path: Path, portal: Double) -> Home:
    (tmp_path / "home").mkdir(mode=0o700)
    return Home(tmp_path / "home", portal)
