"""Keyboard-interactive authentication by hand: what is asked, what an answer leads to, and who may wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity, Lease
from hooptui.core.secret import Secret
from hooptui.protocols.base import Bearer, BrowserLogin, Credential, ProvedLease, Signed
from hooptui.protocols.ssh.interview import PROMPT, Interview
from hooptui.protocols.ssh.limits import Limits
from hooptui.protocols.ssh.server import Reception

LEASE = Lease("hl_abcdefghijkl", Identity("https://idp", "sally", "sally", frozenset()), 0.0, 3600.0, "device")


@dataclass
class Begun:
    """A browser login that a test settles."""

    page: str = "https://b:8443/device"
    complete: str = "https://b:8443/device?user_code=BCDF-GHJK"
    code: str = "BCDF-GHJK"
    lasts: float = 600.0
    result: asyncio.Future[Lease] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    withdrawn: int = 0

    async def done(self) -> Lease:
        return await asyncio.shield(self.result)

    def withdraw(self) -> None:
        self.withdrawn += 1


class Logins:
    def __init__(self, *, browser: bool = True, full: bool = False) -> None:
        self.browser = browser
        self.full = full
        self.begun: list[Begun] = []

    def begin(self, *, peer: str) -> BrowserLogin:
        if self.full:
            raise LoginRefused("portal-full", "16 devices at your address wait for a login already")
        self.begun.append(Begun())
        return self.begun[-1]

    async def lease(self, credential: Credential, *, peer: str) -> Lease:
        raise NotImplementedError

    def sign(self, lease: Lease, public_key: bytes, *, peer: str) -> Signed:
        raise NotImplementedError


class House:
    """An interview with everything that it was told and did."""

    def __init__(self, logins: Logins | None, *, room: bool = True) -> None:
        self.tried: list[Credential] = []
        self.said: list[str] = []
        self.waits: list[float | None] = []
        self.room = room
        self.interview = Interview(logins, "192.0.2.7:1", admit=self.admit, say=self.say, wait=self.wait)

    async def admit(self, credential: Credential) -> bool:
        self.tried.append(credential)
        return credential in (Bearer(Secret("good")), ProvedLease(LEASE.id))

    def say(self, message: str, hint: str) -> None:
        self.said.append(f"{message}; {hint}".rstrip("; "))

    def wait(self, seconds: float | None) -> bool:
        self.waits.append(seconds)
        return self.room or seconds is None


async def test_one_hidden_prompt_that_programs_know_for_a_password() -> None:
    name, words, _, prompts = House(Logins()).interview.ask()
    assert prompts == ((PROMPT, False),) and "assword: " in PROMPT
    assert name == "hooptui" and "Press Enter" in words
    assert House(None).interview.ask()[1] == "", "nobody is sent to a browser that there is not"


@pytest.mark.parametrize(("said", "good"), [("good", True), ("bad", False)])
async def test_what_is_typed_is_tried(said: str, good: bool) -> None:
    house = House(Logins())
    house.interview.ask()
    assert await house.interview.answered([said]) is good
    assert house.tried == [Bearer(Secret(said))]


@pytest.mark.parametrize("responses", [[], ["a", "b"], ["", ""]])
async def test_answers_to_what_was_not_asked(responses: list[str]) -> None:
    house = House(Logins())
    house.interview.ask()
    assert await house.interview.answered(responses) is False
    assert house.tried == [] and house.waits == []


async def test_nothing_typed_is_a_browser_and_the_client_waits() -> None:
    logins = Logins()
    house = House(logins)
    house.interview.ask()
    challenge = await house.interview.answered([""])
    assert not isinstance(challenge, bool)
    _, words, _, prompts = challenge
    assert prompts == () and logins.begun[0].complete in words and "BCDF-GHJK" in words
    assert len(words.encode()) < 1000, "OpenSSH shows no more"
    assert house.waits == [600.0]
    waiting = asyncio.ensure_future(house.interview.answered([]))
    await asyncio.sleep(0)
    assert not waiting.done()
    logins.begun[0].result.set_result(LEASE)
    assert await waiting is True
    assert house.tried == [ProvedLease(LEASE.id)] and house.waits == [600.0, None]


async def test_an_answer_while_it_waits_is_no_password() -> None:
    house = House(Logins())
    house.interview.ask()
    await house.interview.answered([""])
    assert await house.interview.answered(["good"]) is False
    assert house.tried == []


async def test_a_no_in_the_browser_is_said() -> None:
    logins = Logins()
    house = House(logins)
    house.interview.ask()
    await house.interview.answered([""])
    logins.begun[0].result.set_exception(LoginRefused("login-denied", "the login was denied in the browser"))
    assert await house.interview.answered([]) is False
    assert house.said == ["the login was denied in the browser"] and house.waits[-1] is None
    assert logins.begun[0].withdrawn == 1


async def test_who_cannot_wait_is_told_why() -> None:
    for house, words in (
        (House(None), "no browser login"),
        (House(Logins(browser=False)), "no browser login"),
        (House(Logins(full=True)), "16 devices"),
        (House(Logins(), room=False), "too many clients wait"),
    ):
        house.interview.ask()
        assert await house.interview.answered([""]) is False
        assert words in house.said[0]
    logins = Logins()
    crowded = House(logins, room=False)
    crowded.interview.ask()
    await crowded.interview.answered([""])
    assert logins.begun[0].withdrawn == 1, "its code is good for nobody"


async def test_beginning_again_takes_the_first_back() -> None:
    logins = Logins()
    house = House(logins)
    house.interview.ask()
    await house.interview.answered([""])
    assert house.interview.over() is True
    assert logins.begun[0].withdrawn == 1 and house.waits == [600.0, None]
    assert house.interview.over() is False
    assert logins.begun[0].withdrawn == 1


async def test_a_token_that_was_cut_is_said_to_be() -> None:
    house = House(Logins())
    for length, said in ((1022, False), (1023, True), (1024, False)):
        house.said.clear()
        house.interview.ask()
        await house.interview.answered(["x" * length])
        assert bool(house.said) is said


class Connection:
    def __init__(self) -> None:
        self.ended = ""

    def disconnect(self, code: int, reason: str) -> None:
        self.ended = reason

    def send_auth_banner(self, text: str) -> None:
        return


async def test_waits_that_are_broken_off_are_attempts_too() -> None:
    """Or a stranger could keep a connection for ever, one wait after the other."""
    logins, connection = Logins(), Connection()
    reception = Reception(
        cast(Any, None), lambda name: None, cast(Any, None), Limits(attempts=3), "192.0.2.7:1",
        logins=logins, wait=lambda seconds: True,
    )  # fmt: skip
    reception._connection = cast(Any, connection)
    for _ in range(4):
        reception.get_kbdint_challenge("web-01", "", "")
        await reception.validate_kbdint_response("web-01", [""])
    assert connection.ended == "too many wrong passwords"
    assert [one.withdrawn for one in logins.begun] == [1, 1, 1, 0]
    reception.connection_lost(None)
    assert logins.begun[-1].withdrawn == 1
