"""The apprise library, for real: to a real server by its own `json://`, and what becomes of a service that fails or hangs."""

from __future__ import annotations

import asyncio
import builtins
import sys
import threading
from types import MappingProxyType

import pytest

from hooptui.core.secret import Secret
from hooptui.notify.by_apprise import AppriseChannel, open_apprise
from hooptui.notify.channel import NotSent
from hooptui.notify.notice import Notice, Topic
from hooptui.notify.settings import Apprise
from tests.notify.receiver import receiver

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated and slated for removal:DeprecationWarning")
"""The library loads all of its plugins, and what they use, at once."""

NOTICE = Notice(
    "msg_1", Topic.BREAK_GLASS, 1_700_000_000.0, "prod-eu", MappingProxyType({"number": 17, "session": "7f3a", "target": "orders-db", "rule": "jit"})
)  # fmt: skip


def settings(url: str, timeout: float = 10.0) -> Apprise:
    return Apprise("chat", Secret(url), timeout=timeout)


async def test_title_and_facts_arrive() -> None:
    async with receiver() as to:
        one = settings(to.url.replace("http://", "json://"))
        await AppriseChannel(one, open_apprise(one)).send(NOTICE)
        [got] = to.received
    assert got.data["title"] == "hooptui prod-eu: the glass was broken for #17 on orders-db"
    assert got.data["message"].splitlines() == ["number 17", "session 7f3a", "target orders-db", "rule jit"]
    assert got.data["type"] == "warning"


async def test_a_service_that_says_no() -> None:
    async with receiver() as to:
        to.answers = [500] * 5
        one = settings(to.url.replace("http://", "json://"))
        with pytest.raises(NotSent, match="the service did not take it"):
            await AppriseChannel(one, open_apprise(one)).send(NOTICE)


def test_an_address_that_it_does_not_know_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="found an address that apprise does not know") as wrong:
        open_apprise(settings("nosuchservice://p4ssword/x"))
    assert "p4ssword" not in str(wrong.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: object, **also: object) -> object:
        if name == "apprise":
            raise ImportError(name)
        return real(name, *more, **also)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"apprise chat: the extra is not installed: pip install 'hooptui\[notify\]'"):
        open_apprise(settings("json://x"))


def test_nobody_loads_it_who_does_not_use_it() -> None:
    import subprocess

    code = "import sys, hooptui.notify.notifier; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_service_that_hangs_takes_only_itself() -> None:
    go, started = threading.Event(), threading.Event()

    def hang(*_: str) -> bool:
        started.set()
        return go.wait(60)

    channel = AppriseChannel(settings("json://x", timeout=1.0), hang)
    with pytest.raises(NotSent, match=r"no answer within 1 s"):
        await channel.send(NOTICE)
    assert started.is_set()
    with pytest.raises(NotSent, match="still busy with an earlier notice"):
        await channel.send(NOTICE)
    thread = channel._busy
    go.set()
    assert thread is not None and thread.daemon
    await asyncio.to_thread(thread.join, 60)
    await channel.send(NOTICE)


async def test_a_library_that_raises_says_its_kind_and_no_credential() -> None:
    def broken(*_: str) -> bool:
        raise RuntimeError("slack://p4ssword failed")

    with pytest.raises(NotSent, match=r"^the library failed \(RuntimeError\)$"):
        await AppriseChannel(settings("json://x"), broken).send(NOTICE)
