"""Signed, tried again where that helps, and never a word more than it should: against a real server."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import MappingProxyType

import pytest
from aiohttp import web

from hooptui.credentials import certificates
from hooptui.notify.channel import NotSent
from hooptui.notify.notice import Notice, Topic
from hooptui.notify.webhook import WebhookChannel, sign
from tests.notify.receiver import KEY, Received, Receiver, receiver, verified

NOTICE = Notice("msg_1", Topic.HELD, time.time(), "prod-eu", MappingProxyType({"number": 17, "target": "orders-db"}))


async def send(to: Receiver, notice: Notice = NOTICE, **more: object) -> None:
    channel = WebhookChannel(to.settings(**more), time.time)
    try:
        await channel.send(notice)
    finally:
        await channel.close()


def test_the_signature_is_the_specifications() -> None:
    """The example that the reference libraries of Standard Webhooks are tested with."""
    import base64

    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_what_arrives_is_signed_and_of_now() -> None:
    async with receiver() as to:
        await send(to)
        [got] = to.received
    assert verified(got, KEY, time.time())
    assert got.headers["webhook-id"] == "msg_1" and got.headers["content-type"] == "application/json"
    assert got.data["type"] == "hooptui.held" and got.data["data"]["number"] == 17
    assert not verified(got, bytes(32), time.time()), "another key"
    assert not verified(Received(got.headers, got.body + b" "), KEY, time.time()), "another body"
    assert not verified(Received({**got.headers, "webhook-id": "msg_2"}, got.body), KEY, time.time()), "another message"
    assert not verified(got, KEY, time.time() + 301), "an old one"


@pytest.mark.parametrize(
    "first",
    [
        500,
        web.Response(status=429, headers={"retry-after": "0"}),
        408,
        "drop",
    ],
)
async def test_another_attempt_where_that_may_help(first: web.Response | int | str) -> None:
    async with receiver() as to:
        to.answers = [first, 503]
        await send(to)
        assert len(to.received) == 3
        assert {got.headers["webhook-id"] for got in to.received} == {"msg_1"}, "so that it can be told from another"
        assert all(verified(got, KEY, time.time()) for got in to.received)


async def test_not_for_ever() -> None:
    async with receiver() as to:
        to.answers = [500] * 9
        with pytest.raises(NotSent, match=r"^http://127.0.0.1:\d+: answered 500 after 3 attempts$"):
            await send(to, attempts=3)
        assert len(to.received) == 3


@pytest.mark.parametrize(("status", "says"), [(400, "answered 400"), (404, "answered 404"), (410, "answered 410")])
async def test_no_means_no(status: int, says: str) -> None:
    async with receiver() as to:
        to.answers = [web.Response(status=status)]
        with pytest.raises(NotSent, match=f"{says}$"):
            await send(to)
        assert len(to.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int) -> None:
    async with receiver() as to, receiver() as other:
        to.answers = [web.Response(status=status, headers={"location": other.url})]
        with pytest.raises(NotSent, match=f"found a redirect \\({status}\\)"):
            await send(to)
        assert (len(to.received), other.received) == (1, [])


async def test_silence_is_bounded() -> None:
    async with receiver() as to:
        to.answers = ["hang"]
        with pytest.raises(NotSent, match=r"no answer within 0.1 s$"):
            await send(to, attempts=1, timeout=0.1)


async def test_a_long_answer_is_not_read() -> None:
    async with receiver() as to:
        to.answers = [web.Response(status=200, body=b"x" * 50_000_000)]
        await asyncio.wait_for(send(to), 60)


async def test_nobody_there_and_neither_path_nor_key_in_what_is_said() -> None:
    async with receiver() as to:
        settings = to.settings(attempts=2)
    channel = WebhookChannel(settings, time.time)
    with pytest.raises(NotSent, match=r"cannot be reached \(ClientConnectorError\) after 2 attempts") as no:
        await channel.send(NOTICE)
    await channel.close()
    assert "token-in-the-path" not in str(no.value)


async def test_a_receiver_asks_for_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr("hooptui.notify.webhook.asyncio.sleep", sleep)
    async with receiver() as to:
        to.answers = [
            web.Response(status=429, headers={"retry-after": "7"}),
            web.Response(status=503, headers={"retry-after": "86400"}),
            web.Response(status=503, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}),
            web.Response(status=503, headers={"retry-after": "9" * 400}),
        ]
        await send(to, backoff=1.0)
    assert slept[0] == 7 and slept[1] == 60, "never for longer than a minute"
    assert 2.0 <= slept[2] <= 4.0 and 4.0 <= slept[3] <= 8.0, "twice as long each time, with some chance in it"


UNTRUSTED = r"its certificate is not to be trusted$"


async def test_over_tls_only_to_who_proves_to_be_it(tmp_path: Path) -> None:
    now = time.time()
    own = certificates.ensure(tmp_path / "tls", ("127.0.0.1",), now=now)
    async with receiver(certificates.server_context(own.certificate, own.key, now=now)) as to:
        await send(to, ca=own.ca)
        assert verified(to.received[0], KEY, now)
        with pytest.raises(NotSent, match=UNTRUSTED):
            await send(to)
        stranger = certificates.ensure(tmp_path / "other", ("127.0.0.1",), now=now)
        with pytest.raises(NotSent, match=UNTRUSTED):
            await send(to, ca=stranger.ca)
        assert len(to.received) == 1
    async with receiver(certificates.server_context(own.certificate, own.key, now=now), host="127.0.0.9") as to:
        with pytest.raises(NotSent, match=UNTRUSTED):
            await send(to, ca=own.ca)
        assert to.received == [], "its certificate is for another name"


async def test_an_authority_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        WebhookChannel(Receiver("https://x.example/").settings(ca=tmp_path / "none.pem"), time.time)
