"""One request from its head to the end of its answer: asked for, sent, masked, recorded, and cut where its operator wants it.

What is held waits without a word, for HTTP has none; that the client is gone is seen by the connection, which then cancels. Knows no
policy and no listener.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import aiohttp

from hooptui.core.approvals import Approval
from hooptui.core.events import Output
from hooptui.core.gate import CannotRecord, Permit, Refused
from hooptui.core.model import Operation
from hooptui.masking.kubernetes.answers import BodyMask
from hooptui.masking.kubernetes.objects import CannotMask
from hooptui.masking.streams import StreamMasker
from hooptui.protocols.kubernetes import reading, replies
from hooptui.protocols.kubernetes.deletion import bound
from hooptui.protocols.kubernetes.groups import Listing, with_group
from hooptui.protocols.kubernetes.http import Answer
from hooptui.protocols.kubernetes.info import request_info
from hooptui.protocols.kubernetes.link import Link
from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.tally import Tally
from hooptui.protocols.kubernetes.upstream import UpstreamFailed, failed
from hooptui.protocols.recorder import Recorder

TEXTS: Final = ("application/json", "text/plain", "application/yaml", "application/apply-patch+yaml")
"""Types of answers that people can read in a recording."""


class Exchange:
    """See the module. Implements `link.Running`."""

    def __init__(self, link: Link, request: Request, body: bytes, answer: Answer, prefix: str) -> None:
        """`prefix` is what the client's paths have before ours: `/clusters/NAME`, or nothing."""
        self._link = link
        self._request = request
        self._body = body
        self._answer = answer
        self._prefix = prefix
        self._info = request_info(request)
        self._task: asyncio.Task[object] | None = None
        self._cut = ""
        self._asking = False
        self._sending = False
        """The request is on its way, and no answer has begun."""
        self._response: aiohttp.ClientResponse | None = None
        self._closed = False
        """The connection to the API server was seen to be closed, or there was none."""
        self._over = asyncio.Event()
        self._tally: Tally | None = None
        self._listing: Listing | None = None
        """What goes by, when deletions of it may follow."""

    # --- Running

    @property
    def upstream(self) -> bool:
        return self._sending or self._response is not None

    @property
    def asked(self) -> tuple[Request, bytes]:
        return self._request, self._body

    @property
    def unseen(self) -> str:
        changing = self._sending and self._request.method not in ("GET", "HEAD")
        return "whether it took effect" if changing else ""

    def cut(self, message: str) -> None:
        if self._over.is_set() or self._cut:
            return
        self._cut = message
        # What waits for its verdict has been let go by its session already, which records why.
        if not self._asking and self._task is not None:
            self._task.cancel()

    async def ended(self) -> bool:
        await self._over.wait()
        return self._closed

    # --- the request

    async def run(self) -> None:
        """To the end of the answer, whatever it is.

        Raises:
            ConnectionError: the client is gone.
        """
        self._task = asyncio.current_task()
        try:
            await self._whole()
        except asyncio.CancelledError:
            if not self._cut or self._task is None:
                raise
            self._task.uncancel()
            self._farewell()
        finally:
            self._hang_up()
            self._over.set()

    async def _whole(self) -> None:
        operation = await reading.read(self._request, self._body, self._link.masks)
        asked = self._link.listings.with_group(operation, self._request, self._body)
        while (permit := await self._asked(asked)) is not None:
            if await self._permitted(permit):
                return
            # Another object has the name by now: nobody was shown that, so it is asked about anew, and alone.
            asked = with_group(operation, None, beware="what was listed is gone; another object has its name now")

    async def _asked(self, operation: Operation) -> Permit | None:
        """None when it may not; the client has been told."""
        answer = self._answer
        try:
            self._asking = True
            try:
                return await self._link.permit(operation, _silent)
            finally:
                self._asking = False
        except Refused as refused:
            answer.close = answer.close or bool(self._link.closing) or self._link.session.access is not None
            answer.status(*replies.refused(refused))
            await answer.flush()
            return None

    async def _permitted(self, permit: Permit) -> bool:
        """Send it and pass the answer on; False when it was let go for one object alone, and that is not there any more."""
        session, answer, number = self._link.session, self._answer, permit.number
        self._tally = tally = Tally(session, number)
        body = bound(self._body, permit.only) if permit.only else self._body
        session.counters.bytes_in += len(self._body)
        try:
            if body:
                session.record(Output(number, "request", self._link.masks.body(body, self._info)))
            response = await self._sent(body)
            if permit.only and response.status == 409:
                self._settle(response)
                self._hang_up()
                self._response = None
                return False
            await self._answered(response, number)
        except UpstreamFailed as no:
            tally.settle(no.code, ok=False)
            self._link.trouble(no.code, no.message)
            words = f'cluster "{self._link.name}": {no.public}; hooptui is up, its operator has been told'
            await self._failed(no.status, words)
        except CannotMask as no:
            tally.settle("cannot be masked", ok=False)
            await self._failed(406, f"the answer cannot be masked, so it is not passed on: {no}")
        except CannotRecord as broken:
            tally.settle("unrecorded", ok=False)
            self._link.trouble("unrecorded", f"an answer was stopped, for it cannot be recorded: {broken}")
            await self._failed(503, "hooptui cannot record this answer, so it is not passed on")
        finally:
            session.counters.bytes_out += answer.size
            tally.settle("cut", ok=False)
        return True

    async def _sent(self, body: bytes) -> aiohttp.ClientResponse:
        """Raises:
        UpstreamFailed: there is no answer.
        """
        request = self._request
        access, credential = await self._link.credential()
        headers = [(name, value) for name, value in request.headers if name not in ("accept", "accept-encoding")]
        wanted = self._link.masks.accept(self._info, request.header("accept"))
        if wanted:
            headers.append(("Accept", wanted))
        # Every answer can be read here: what goes to the client is recorded as it saw it.
        headers.append(("Accept-Encoding", "identity"))
        self._sending = True
        try:
            response = await self._link.upstream.request(access, request, [*headers, *credential], body)
        finally:
            # Given up before its answer, aiohttp closes its connection.
            self._sending = False
        self._response = response
        if response.status == 401:
            # Not the client's credential was refused but ours; it would log in again for nothing.
            said = (await response.content.read(512)).decode("utf-8", "replace")
            raise UpstreamFailed(
                "upstream-credential", f"it refuses the gateway's credential: {said}", "it refuses the gateway", 502
            )
        if "Content-Encoding" in response.headers and response.headers["Content-Encoding"] != "identity":
            raise UpstreamFailed(
                "upstream-protocol", "it packs an answer that it was not asked to", "its API server makes no sense"
            )
        return response

    # --- the answer

    async def _answered(self, response: aiohttp.ClientResponse, number: int) -> None:
        """Pass the answer on.

        Raises:
            UpstreamFailed, CannotMask, CannotRecord: it ends, or cannot go on.
        """
        kind = response.headers.get("Content-Type", "")
        if response.status == 200:
            self._listing = self._link.listings.expected(self._request, self._info)
        mask = self._link.masks.answer(self._info, kind, response.status)
        recorder = self._recorder(kind, number)
        try:
            length = response.content_length
            if self._info.subresource == "log" and response.status == 200:
                await self._log(response, recorder)
            elif length is not None and length <= self._link.limits.whole and self._info.verb != "watch":
                await self._at_once(response, mask, recorder)
            else:
                await self._streamed(response, mask, recorder)
        finally:
            if recorder is not None:
                recorder.close()

    async def _at_once(
        self, response: aiohttp.ClientResponse, mask: BodyMask | None, recorder: Recorder | None
    ) -> None:
        """A short answer: masked before its head goes out, which then says what was masked."""
        try:
            body = await response.content.read()
        except (aiohttp.ClientError, OSError) as fault:
            raise failed(fault, 0.0) from None
        if self._listing is not None:
            self._listing.feed(body)
        if mask is not None:
            body = mask.feed(body) + mask.close()
            self._count(mask.counts)
        elif response.status >= 400:
            body = self._words(body, response.headers.get("Content-Type", ""))
        if recorder is not None:
            recorder.feed("response", body)
        head_only = self._request.method == "HEAD"
        length = response.content_length if head_only else len(body)
        if recorder is not None:
            recorder.close()
        self._settle(response)
        self._answer.start(response.status, response.reason or "", self._headers(response), length)
        self._answer.data(body)
        self._answer.end()
        await self._answer.flush()

    def _words(self, body: bytes, kind: str) -> bytes:
        """An error of the API server, which may quote what it was sent. Where nothing is masked not a byte is touched: a Status
        may come in protobuf, which is no text.

        Raises:
            CannotMask: something is to be masked in what is no text.
        """
        text = body.decode("utf-8", "replace")
        shown = str(self._link.session.masker.text(text))
        if shown == text:
            return body
        if "protobuf" in kind:
            raise CannotMask("an error of the API server in protobuf has something to mask")
        return shown.encode()

    async def _streamed(
        self, response: aiohttp.ClientResponse, mask: BodyMask | None, recorder: Recorder | None
    ) -> None:
        """Each part goes on as it comes."""
        answer, stream = self._answer, "watch" if self._info.verb == "watch" else "response"
        length = response.content_length if mask is None else None
        answer.start(response.status, response.reason or "", self._headers(response), length)
        # A watch without events has a head all the same.
        await answer.flush()
        try:
            async for part in response.content.iter_any():
                if self._listing is not None:
                    self._listing.feed(part)
                data = mask.feed(part) if mask is not None else part
                if data:
                    answer.data(data)
                    if recorder is not None:
                        recorder.feed(stream, data)
                await answer.flush()
            if mask is not None:
                data = mask.close()
                answer.data(data)
                if recorder is not None:
                    recorder.feed(stream, data)
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise failed(fault, 0.0) from None
        finally:
            if mask is not None:
                self._count(mask.counts)
        if recorder is not None:
            recorder.close()
        self._settle(response)
        answer.end()
        await answer.flush()

    async def _log(self, response: aiohttp.ClientResponse, recorder: Recorder | None) -> None:
        """A container's log: text, masked as it comes; what might be the beginning of a value waits a moment for its rest."""
        answer, session = self._answer, self._link.session
        masks = session.masker.masks
        masker = StreamMasker(masks, self._link.mask_key) if any(rule.detect for rule in masks.rules) else None
        answer.start(response.status, response.reason or "", self._headers(response), None)
        await answer.flush()
        clock = session.house.clock
        reading: asyncio.Task[bytes] | None = None

        def send(data: bytes) -> None:
            if data:
                answer.data(data)
                if recorder is not None:
                    recorder.feed("log", data)

        try:
            while True:
                reading = reading or asyncio.ensure_future(response.content.readany())
                due = masker.due() if masker is not None else None
                await asyncio.wait((reading,), timeout=None if due is None else max(0.0, due - clock.monotonic()))
                if not reading.done():
                    if masker is not None:
                        send(masker.release(clock.monotonic()).data)
                    continue
                part, reading = reading.result(), None
                if not part:
                    break
                send(masker.feed(part, clock.monotonic()).data if masker is not None else part)
                await answer.flush()
            if masker is not None:
                send(masker.close().data)
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise failed(fault, 0.0) from None
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            if masker is not None:
                self._count(masker.counts)
        if recorder is not None:
            recorder.close()
        self._settle(response)
        answer.end()
        await answer.flush()

    def _headers(self, response: aiohttp.ClientResponse) -> list[tuple[str, str]]:
        found = replies.passed(response.headers.items(), self._prefix)
        if self._tally is not None and self._tally.masked:
            rules = ", ".join(sorted(self._tally.rules))
            found.append(("Warning", replies.warning(f"hooptui masked {self._tally.masked} values ({rules})")))
        return found

    def _recorder(self, kind: str, number: int) -> Recorder | None:
        """None for what nobody can read, and for discovery."""
        if not self._info.is_resource or not kind.lower().startswith(TEXTS) or not self._link.masks.shows(self._info):
            return None
        return Recorder(self._link.session, number, self._unrecorded)

    def _count(self, masked: Mapping[str, int]) -> None:
        if self._tally is not None:
            self._tally.count(masked)

    def _settle(self, response: aiohttp.ClientResponse) -> None:
        if self._listing is not None:
            self._listing.close()
        if self._tally is not None:
            self._tally.settle(f"{response.status} {response.reason or ''}".rstrip(), response.status < 400)

    def _unrecorded(self, broken: CannotRecord) -> None:
        self._link.trouble("unrecorded", f"an answer was stopped, for it cannot be recorded: {broken}")
        self.cut("hooptui cannot record this answer, so it ends here")

    # --- ends

    async def _failed(self, code: int, words: str) -> None:
        """Nothing more comes; a client that has the beginning sees that the end is missing."""
        if self._answer.started:
            self._broken(words, code)
            return
        if self._info.is_resource:
            self._answer.status(code, replies.status(code, words))
        else:
            # Of discovery that fails, client-go shows a person nothing but a plain text.
            self._answer.plain(code, f"hooptui: {words}")
        await self._answer.flush()

    def _farewell(self) -> None:
        self._answer.close = True
        if self._answer.started:
            self._broken(self._cut, 403)
        else:
            self._answer.status(403, replies.status(403, self._cut))

    def _broken(self, words: str, code: int) -> None:
        """A watch ends with an event that says why; anything else without its end, so that nobody takes it for the whole."""
        answer = self._answer
        answer.close = True
        if self._info.verb == "watch" and answer.code == 200:
            answer.data(replies.watch_error(code, words))
            answer.end()
        else:
            answer.unfinished = True

    def _hang_up(self) -> None:
        response = self._response
        if response is None:
            self._closed = True
            return
        connection = response.connection
        transport = connection.transport if connection is not None else None
        # Closes the connection, unless the answer was read to its end, and then it is back in the pool.
        response.close()
        self._closed = transport is None or transport.is_closing()


def _silent(approval: Approval, remaining: float) -> None:
    """HTTP has no word for waiting; kubectl waits without a limit of its own."""
