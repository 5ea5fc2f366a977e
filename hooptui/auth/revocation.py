"""Continuous validity: credentials in use are asked about again and again, and whoever lives by a revoked one is told.

One poller for each issuer that has a source of truth; one question for each credential, however many sessions live by it.
Nobody answering is not a yes: after the issuer's `keep_for` its sessions end. Knows no session and no protocol.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import assert_never

from hooptui.auth.denylist import Denylist
from hooptui.auth.introspection import Introspection, Userinfo
from hooptui.auth.issuer import Issuer
from hooptui.auth.oidc import Verifier
from hooptui.auth.oracle import Mark, Oracle, Verdict, mark
from hooptui.auth.refusals import Code, refusal
from hooptui.auth.validity import Mode, Revocation
from hooptui.core.clock import Clock
from hooptui.core.gate import LoginRefused
from hooptui.core.model import Identity
from hooptui.core.secret import Secret

PARALLEL = 8
"""Questions to one issuer at the same time. After as many failures in a row nobody else is asked in that round."""
RECENT = 4_096
"""Credentials whose last good answer is remembered for the next login."""
NEAR_END = 30.0
"""Seconds before its end for which a credential that is not active counts as expired, not as revoked: clocks differ."""

Trouble = Callable[[str, str, str], None]
"""Called with an issuer's URL, a stable code and words for the operator: `revocation-unreachable`,
`revocation-misconfigured`, `revocation-again` (answers are back), `revocation-fault`."""


@dataclass(slots=True, eq=False)
class _Watched:
    """One credential in use."""

    mark: Mark
    due: float
    """Monotonic time of the next question."""
    failing: float | None = None
    """Monotonic time since which no question about it was answered."""
    refs: dict[str, Callable[[str], None]] = field(default_factory=dict)


class _Post:
    """What is known of one issuer."""

    def __init__(self, issuer: Issuer, oracle: Oracle) -> None:
        self.url = issuer.url
        self.settings: Revocation = issuer.revocation
        self.oracle = oracle
        self.watched: dict[bytes, _Watched] = {}
        self.recent: OrderedDict[bytes, float] = OrderedDict()
        self.flights: dict[bytes, asyncio.Task[Verdict]] = {}
        self.wake = asyncio.Event()
        self.trouble = ""
        """Code of the alert that stands; empty while answers come."""
        self.since = 0.0


class Watcher:
    """See the module. Lives on one loop: make, start and stop it there."""

    def __init__(self, issuers: Iterable[Issuer], verifier: Verifier, clock: Clock, trouble: Trouble) -> None:
        """`issuers` are those of `verifier`."""
        self._clock = clock
        self._trouble = trouble
        self._posts: dict[str, _Post] = {}
        self._refs: dict[str, tuple[_Post, bytes]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        for issuer in issuers:
            oracle = _oracle(issuer, verifier, clock)
            if oracle is not None:
                self._posts[issuer.url] = _Post(issuer, oracle)

    def start(self) -> None:
        """Begin to ask; each issuer is first asked about a credential that nobody has issued, and trouble is told."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._poll(post), name=f"revocation at {post.url}") for post in self._posts.values()
        ]

    async def stop(self) -> None:
        """Ask no more, and forget every credential; nobody is told anything any more."""
        tasks = [*self._tasks, *(task for post in self._posts.values() for task in post.flights.values())]
        self._tasks = []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._refs.clear()
        for post in self._posts.values():
            post.watched.clear()
            post.recent.clear()

    async def check(self, identity: Identity, token: Secret | None) -> None:
        """Whether a login by this credential may go on: asked now, unless it was answered less than an interval ago.

        Without its token only a denylist can say anything, and so it is about a token that has expired, which a lease may
        outlive; nobody else is asked then.

        Raises:
            LoginRefused: token-revoked, or validity-unknown while nobody answers.
        """
        post = self._posts.get(identity.issuer)
        if post is None:
            return
        one = mark(identity, token, identity.expires_at)
        if not post.oracle.answers(one) or self._over(post, one):
            return
        digest = one.digest()
        good = post.recent.get(digest)
        if good is not None and self._clock.monotonic() - good < post.settings.interval:
            return
        try:
            verdict = await self._ask(post, digest, one)
        except LoginRefused as trouble:
            self._failed(post, trouble)
            raise refusal(Code.VALIDITY_UNKNOWN, trouble.log) from None
        if not any(watched.failing is not None for watched in post.watched.values()):
            self._worked(post)
        if not verdict.active:
            raise refusal(Code.REVOKED, verdict.words)

    def watch(
        self,
        ref: str,
        identity: Identity,
        token: Secret | None,
        on_end: Callable[[str], None],
        *,
        until: float | None = None,
    ) -> bool:
        """Call `on_end` with the reason, once, when the credential that proved `identity` is good no longer.

        `ref` names the watch; a second one under the same name replaces the first. `token` is None when it is not at hand;
        only a denylist can say anything then. `until` is the end of an opaque token (Unix seconds): after it nobody is
        asked, because an expired token is not a revoked one. Returns whether anybody will be asked at all.
        """
        self.unwatch(ref)
        post = self._posts.get(identity.issuer)
        if post is None:
            return False
        one = mark(identity, token, until)
        if not post.oracle.answers(one):
            return False
        digest = one.digest()
        watched = post.watched.get(digest)
        if watched is None:
            good = post.recent.get(digest)
            # What was just asked for the login is not asked again at once; anything else is.
            due = self._clock.monotonic() if good is None else self._next(post, good)
            watched = post.watched[digest] = _Watched(one, due)
            post.wake.set()
        watched.refs[ref] = on_end
        self._refs[ref] = (post, digest)
        return True

    def unwatch(self, ref: str) -> None:
        """Forget this watch, and its credential when nobody else lives by it. Unknown names are fine."""
        known = self._refs.pop(ref, None)
        if known is None:
            return
        post, digest = known
        watched = post.watched[digest]
        del watched.refs[ref]
        if not watched.refs:
            del post.watched[digest]

    async def look(self) -> None:
        """Ask about everything that is due now, and return when all answers are in. The pollers do the same by themselves."""
        await asyncio.gather(*(self._turn(post) for post in self._posts.values()))

    @property
    def troubles(self) -> dict[str, tuple[str, float]]:
        """By issuer the code of what is wrong now, and since when (Unix seconds)."""
        return {post.url: (post.trouble, post.since) for post in self._posts.values() if post.trouble}

    # --- inside

    async def _poll(self, post: _Post) -> None:
        try:
            await post.oracle.probe()
        except LoginRefused as trouble:
            self._failed(post, trouble)
        while True:
            post.wake.clear()
            await self._turn(post)
            now = self._clock.monotonic()
            due = min((one.due for one in post.watched.values()), default=now + post.settings.interval)
            try:
                async with asyncio.timeout(min(max(0.0, due - now), post.settings.interval)):
                    await post.wake.wait()
            except TimeoutError:
                continue

    async def _turn(self, post: _Post) -> None:
        now = self._clock.monotonic()
        due = [one for one in post.watched.items() if one[1].due <= now and self._alive(post, one[1])]
        await self._round(post, due)

    async def _round(self, post: _Post, due: list[tuple[bytes, _Watched]]) -> None:
        """Ask about all of these, a few at a time."""
        last: LoginRefused | None = None
        in_a_row = 0
        left = iter(due)

        async def work() -> None:
            nonlocal last, in_a_row
            for digest, watched in left:
                if not watched.refs:
                    continue
                if in_a_row >= PARALLEL:
                    # The provider is down. To wait for each one's failure would keep sessions alive for minutes.
                    self._unanswered(post, watched)
                    continue
                try:
                    verdict = await self._ask(post, digest, watched.mark)
                except LoginRefused as trouble:
                    last, in_a_row = trouble, in_a_row + 1
                    self._unanswered(post, watched)
                else:
                    in_a_row = 0
                    self._answered(post, watched, verdict)

        await asyncio.gather(*(work() for _ in range(min(PARALLEL, len(due)))))
        if last is not None:
            self._failed(post, last)
        elif due:
            self._worked(post)

    async def _ask(self, post: _Post, digest: bytes, one: Mark) -> Verdict:
        """The oracle's verdict; whoever asks about the same credential meanwhile shares it.

        Raises:
            LoginRefused: nobody can tell now.
        """
        flight = post.flights.get(digest)
        if flight is None:
            flight = asyncio.get_running_loop().create_task(self._look(post, digest, one))
            post.flights[digest] = flight
            flight.add_done_callback(lambda done: _landed(post, digest, done))
        # The question is everybody's who waits for it: a client that hangs up must not spoil it for the others.
        try:
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            if flight.cancelled():
                raise refusal(Code.ISSUER_UNREACHABLE, f"{post.url}: the gateway is closing") from None
            raise

    async def _look(self, post: _Post, digest: bytes, one: Mark) -> Verdict:
        try:
            verdict = await post.oracle.look(one)
        except LoginRefused:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever went wrong, nobody has said yes
            raise refusal(Code.ISSUER_UNREACHABLE, f"{post.url}: {type(fault).__name__} while asking") from None
        post.recent.pop(digest, None)
        if verdict.active:
            post.recent[digest] = self._clock.monotonic()
            if len(post.recent) > RECENT:
                post.recent.popitem(last=False)
        return verdict

    def _answered(self, post: _Post, watched: _Watched, verdict: Verdict) -> None:
        now = self._clock.monotonic()
        watched.failing = None
        watched.due = self._next(post, now)
        if verdict.active:
            return
        expires = watched.mark.expires
        if expires is not None and self._clock.now() >= expires - NEAR_END and post.settings.mode is not Mode.DENYLIST:
            return
        self._end(post, watched, verdict.words)

    def _alive(self, post: _Post, watched: _Watched) -> bool:
        """Whether it is worth asking, now or ever again."""
        if self._over(post, watched.mark):
            watched.due = math.inf
            return False
        return True

    def _over(self, post: _Post, one: Mark) -> bool:
        """Whether the credential has ended by itself, and nobody can say anything about it any more."""
        return post.settings.mode is not Mode.DENYLIST and one.expires is not None and self._clock.now() >= one.expires

    def _unanswered(self, post: _Post, watched: _Watched) -> None:
        now = self._clock.monotonic()
        if watched.failing is None:
            watched.failing = now
        ends = watched.failing + post.settings.keep_for
        if now >= ends:
            waited = now - watched.failing
            self._end(post, watched, f"for {waited:.0f} s nobody could say whether the token is still good")
            return
        watched.due = min(self._next(post, now), ends)

    def _next(self, post: _Post, after: float) -> float:
        """When to ask again: a little early by chance, so that sessions opened together are not asked about together."""
        return after + post.settings.interval * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, hides nothing

    def _end(self, post: _Post, watched: _Watched, words: str) -> None:
        for ref, on_end in tuple(watched.refs.items()):
            self.unwatch(ref)
            try:
                on_end(words)
            except Exception as fault:  # noqa: BLE001 - the others must be told all the same
                self._trouble(post.url, "revocation-fault", f"a session could not be ended: {type(fault).__name__}")

    def _failed(self, post: _Post, trouble: LoginRefused) -> None:
        code = "revocation-misconfigured" if trouble.code == Code.ISSUER_MISCONFIGURED else "revocation-unreachable"
        if post.trouble == code:
            return
        if not post.trouble:
            post.since = self._clock.now()
        post.trouble = code
        keep = f"sessions go on for {post.settings.keep_for:g} s" if post.settings.keep_for else "sessions end now"
        self._trouble(
            post.url, code, f"nobody can say which tokens are revoked; {keep}, logins are refused: {trouble.log}"
        )

    def _worked(self, post: _Post) -> None:
        if post.trouble:
            lasted = self._clock.now() - post.since
            post.trouble = ""
            self._trouble(
                post.url, "revocation-again", f"it can be asked again which tokens are revoked, after {lasted:.0f} s"
            )


def _landed(post: _Post, digest: bytes, flight: asyncio.Task[Verdict]) -> None:
    post.flights.pop(digest, None)
    if not flight.cancelled():
        flight.exception()  # Whoever waited has it; if nobody did any more, it is no fault of the loop's.


def _oracle(issuer: Issuer, verifier: Verifier, clock: Clock) -> Oracle | None:
    settings = issuer.revocation
    match settings.mode:
        case Mode.NONE:
            return None
        case Mode.DENYLIST:
            return Denylist(issuer.url, settings, verifier, clock)
        case Mode.INTROSPECTION:
            return Introspection(issuer.url, settings, verifier)
        case Mode.USERINFO:
            return Userinfo(issuer.url, settings, verifier)
        case _ as never:
            assert_never(never)
