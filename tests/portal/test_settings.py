"""Settings that check themselves: each error names the field, what was found and what is expected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooptui.auth.issuer import Issuer
from hooptui.core.secret import Secret
from hooptui.portal.settings import OidcWay, PortalSettings


def test_settings_check_themselves() -> None:
    good = OidcWay("op", "Example", Issuer("https://op.example", frozenset({"hooptui"})), "hooptui-portal")
    for changes, words in (
        ({"id": "Big"}, "id: found 'Big'"),
        ({"id": ""}, "id: found ''"),
        ({"id": "a/b"}, "id: found"),
        ({"title": " "}, "title: expected"),
        ({"title": "a\x1b[2J"}, "title: expected"),
        ({"client_id": ""}, "client_id: expected"),
        ({"client_secret": Secret("")}, "client_secret: found an empty"),
        ({"scopes": ("profile",)}, "scopes: expected openid"),
        ({"scopes": ("openid", "a b")}, "scopes: 'a b'"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(good, **changes)  # type: ignore[arg-type]  # fields by name
    for settings, words in (
        ({"port": 70_000}, "port: found 70000"),
        ({"public_url": "http://bastion"}, "public_url: found"),
        ({"public_url": "https://bastion/"}, "public_url: found"),
        ({"public_url": "https://bastion/path"}, "public_url: found"),
        ({"public_url": "https://Bastion"}, "lower case"),
        ({"public_url": "https://bastion:443"}, "no :443"),
        ({"public_url": "https://u:p@bastion"}, "no user information"),
        ({"public_url": "https://bastion:x"}, "is not a URL"),
        ({"ways": (good, good)}, "the id 'op' is there twice"),
        ({"ways": tuple(replace(good, id=f"w{n}") for n in range(17))}, "at most 16"),
        ({"metrics": Secret("short")}, "metrics: found 5 characters"),
        ({"connections": 0}, "connections: found 0"),
        ({"connections_per_peer": 1000}, "connections_per_peer: found 1000"),
    ):
        with pytest.raises(ValueError, match=words):
            PortalSettings(**settings)  # type: ignore[arg-type]  # fields by name
    assert "secret-value" not in repr(replace(good, client_secret=Secret("secret-value")))
