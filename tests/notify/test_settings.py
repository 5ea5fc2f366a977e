"""Settings refuse what would not work or would not be safe, and never show a secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hooptui.core.secret import Secret
from hooptui.notify.notice import Topic
from hooptui.notify.settings import Apprise, Settings, Webhook

SECRET = Secret("whsec_" + base64.b64encode(bytes(24)).decode())


def webhook(**more: Any) -> Webhook:
    return Webhook(**({"name": "pager", "url": "https://hooks.example/x/tok3n", "secret": SECRET} | more))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"name": "Pager!"}, "name: found 'Pager!'"),
        ({"name": ""}, "name: found ''"),
        ({"url": "http://hooks.example/x"}, "url: found http to another machine, expected https"),
        ({"url": "http://127.0.0.1.evil.example/x"}, "url: found http to another machine"),
        ({"url": "http://localhost.evil.example/x"}, "url: found http to another machine"),
        ({"url": "ftp://hooks.example/x"}, "url: found the scheme 'ftp'"),
        ({"url": "hooks.example/x"}, "url: found the scheme ''"),
        ({"url": "https:///x"}, "url: found the scheme 'https'"),
        ({"url": "https://me:pw@hooks.example/x"}, "url: found a user, a password or a fragment"),
        ({"url": "https://hooks.example/x#f"}, "url: found a user, a password or a fragment"),
        ({"url": "https://hooks.example:99999/x"}, "url: found no address"),
        ({"url": "https://[::1/x"}, "url: found no address"),
        ({"url": "https://hooks.example/x y"}, "url: found blanks"),
        ({"url": "https://hooks.exämple/x"}, "url: found blanks or other characters"),
        ({"url": "https://hooks.example\\@evil.example/x"}, "url: found blanks or other characters"),
        ({"secret": Secret("whsec_" + base64.b64encode(bytes(23)).decode())}, "secret: found a key of 23 bytes, expected 24 to 64"),
        ({"secret": Secret("whsec_" + base64.b64encode(bytes(65)).decode())}, "secret: found a key of 65 bytes"),
        ({"secret": Secret("hunter2!")}, "secret: found no base64"),
        ({"secret": Secret("pässword")}, "secret: found no base64"),
        ({"secret": Secret("")}, "secret: found a key of 0 bytes"),
        ({"events": frozenset()}, "events: found none, expected some of held, access"),
        ({"timeout": 0.0}, "timeout: found 0 s"),
        ({"timeout": float("nan")}, "timeout: found nan s"),
        ({"attempts": 0}, "attempts: found 0"),
        ({"attempts": 11}, "attempts: found 11"),
        ({"backoff": 61.0}, "backoff: found 61 s"),
    ],
)  # fmt: skip
def test_what_a_webhook_cannot_be(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as wrong:
        webhook(**more)
    assert str(wrong.value).startswith(says)
    assert "hunter2" not in str(wrong.value) and "tok3n" not in str(wrong.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://[::1]:9/x", "http://localhost/x", "http://127.8.9.1/"])
def test_this_machine_may_be_spoken_to_plainly(url: str) -> None:
    assert webhook(url=url).url == url


def test_neither_key_nor_path_is_shown() -> None:
    one = webhook()
    assert "tok3n" not in repr(one) and SECRET.reveal() not in repr(one)
    assert one.origin == "https://hooks.example"
    assert "p4ss" not in repr(Apprise("chat", Secret("slack://p4ss/x")))


@pytest.mark.parametrize("url", ["", "nothing", "://x", "javascript"])
def test_what_apprise_cannot_be_given(url: str) -> None:
    with pytest.raises(ValueError, match="url: found something else"):
        Apprise("chat", Secret(url))


def test_all_together() -> None:
    with pytest.raises(ValueError, match="name: found pager twice"):
        Settings((webhook(),), (Apprise("pager", Secret("slack://x")),))
    with pytest.raises(ValueError, match="waiting: found 0"):
        Settings(waiting=0)
    with pytest.raises(ValueError, match="repeat: found -1"):
        Settings(repeat=-1)
    assert Settings((webhook(),), (Apprise("chat", Secret("slack://x")),)).webhooks[0].events == frozenset(Topic)
