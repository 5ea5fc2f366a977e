"""Keyboard-interactive authentication (RFC 4256): a credential typed at a prompt, or a browser somewhere else.

First one prompt; nothing typed there means a browser, and then a request without prompts shows where to go and is answered
when somebody has been there. OpenSSH's client answers such a request at once by itself, so a person only waits. Knows no
target and no session.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from hooptui.core.gate import LoginRefused
from hooptui.core.secret import Secret
from hooptui.protocols.base import Bearer, BrowserLogin, Credential, Logins, ProvedLease
from hooptui.protocols.ssh import replies

Challenge: TypeAlias = tuple[str, str, str, tuple[tuple[str, bool], ...]]
"""Name, instruction, language and prompts, each with whether it is echoed (RFC 4256 section 3.2)."""
Admit: TypeAlias = Callable[[Credential], Awaitable[bool]]

# Programs that fill in passwords look for this word.
PROMPT: Final = "Lease or token as password: "
TITLE: Final = "hooptui"


class Interview:
    """One connection's. A wrong answer is a refusal, and the client may begin again."""

    def __init__(
        self,
        logins: Logins | None,
        peer: str,
        *,
        admit: Admit,
        say: Callable[[str, str], None],
        wait: Callable[[float | None], bool],
    ) -> None:
        """`admit` tries a credential and tells the client what is wrong with it; `say` tells it something else.

        `wait` gives the connection as many seconds more, as one of those that wait for a person; False when too many do. With None
        it waits no longer.
        """
        self._logins = logins
        self._peer = peer
        self._admit = admit
        self._say = say
        self._wait = wait
        self._begun: BrowserLogin | None = None

    @property
    def _browser(self) -> bool:
        return self._logins is not None and self._logins.browser

    def ask(self) -> Challenge:
        """The first question, also after a refusal."""
        self.over()
        words = "Press Enter to log in with a browser, or give a lease or token." if self._browser else ""
        return TITLE, words, "", ((PROMPT, False),)

    async def answered(self, responses: Sequence[str]) -> Challenge | bool:
        """The next question, or whether the client is in."""
        if self._begun is not None:
            return await self._waited(self._begun) if not responses else False
        if len(responses) != 1:
            return False
        [said] = responses
        if said:
            if len(said.encode()) == replies.CUT:
                self._say(replies.CUT_WORDS, "")
            return await self._admit(Bearer(Secret(said)))
        return self._begin()

    def over(self) -> bool:
        """Nobody waits any more: the client is in, has left, or begins again. Whether somebody did."""
        begun, self._begun = self._begun, None
        if begun is None:
            return False
        begun.withdraw()
        self._wait(None)
        return True

    # --- inside

    def _begin(self) -> Challenge | bool:
        if self._logins is None or not self._browser:
            self._say("there is no browser login at this gateway: give a lease or a token as password", "")
            return False
        try:
            begun = self._logins.begin(peer=self._peer)
        except LoginRefused as no:
            self._say(no.message, no.hint)
            return False
        if not self._wait(begun.lasts):
            begun.withdraw()
            self._say("too many clients wait for a login with a browser", "try again in some minutes, or give a lease")
            return False
        self._begun = begun
        return TITLE, replies.browser(begun), "", ()

    async def _waited(self, begun: BrowserLogin) -> bool:
        try:
            lease = await begun.done()
        except LoginRefused as no:
            self._say(no.message, no.hint)
            self.over()
            return False
        self.over()
        return await self._admit(ProvedLease(lease.id))
