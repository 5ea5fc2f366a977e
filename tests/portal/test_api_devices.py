"""The device flow (RFC 8628) as a program sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from hooptui.core.model import Identity
from hooptui.portal.base import Login
from hooptui.portal.devices import LIMIT_PEER, DevicesFull
from tests.portal.porter import Bed, portal_bed
from tests.portal.test_api import DEVICE, post

OPS = Identity("https://op", "ops-1", "ops-1", frozenset({"dba"}))


@pytest.fixture
async def bed(certified: Path) -> AsyncIterator[Bed]:
    async with portal_bed(certified) as made:
        yield made


async def test_the_device_flow_as_a_program_sees_it(bed: Bed) -> None:
    asked = await post(bed, "/v1/device", purpose="INC-812: rebuild index")
    assert asked["verification_uri"] == f"{bed.url}/device"
    assert asked["verification_uri_complete"] == f"{bed.url}/device?user_code={asked['user_code']}"
    assert (asked["expires_in"], asked["interval"]) == (600, 5)
    form = {"grant_type": DEVICE, "device_code": asked["device_code"]}
    assert (await post(bed, "/v1/device/token", expect=400, **form))["error"] == "authorization_pending"
    assert (await post(bed, "/v1/device/token", expect=400, **form))["error"] == "slow_down"
    device = bed.portal._context.devices.find(asked["user_code"])
    assert device is not None
    assert device.purpose == "INC-812: rebuild index"
    device.asked_at = None
    bed.portal._context.devices.approve(device, Login(OPS, "browser"))
    said = await post(bed, "/v1/device/token", **form)
    assert said["identity"]["subject"] == "ops-1"
    assert bed.porter.issued[0][1] == "device"
    assert (await post(bed, "/v1/device/token", expect=400, **form))["error"] == "expired_token"
    assert len(bed.porter.issued) == 1


async def test_a_saml_login_says_so_and_keeps_its_end(bed: Bed) -> None:
    asked = await post(bed, "/v1/device")
    device = bed.portal._context.devices.find(asked["user_code"])
    assert device is not None
    until = bed.porter.clock.now() + 120
    bed.portal._context.devices.approve(device, Login(OPS, "saml", until))
    said = await post(bed, "/v1/device/token", grant_type=DEVICE, device_code=asked["device_code"])
    assert 100 < said["expires_in"] <= 120
    assert bed.porter.issued[0][1] == "saml"


async def test_whoever_is_blocked_after_approving_gets_nothing(bed: Bed) -> None:
    asked = await post(bed, "/v1/device")
    device = bed.portal._context.devices.find(asked["user_code"])
    assert device is not None
    bed.portal._context.devices.approve(device, Login(OPS, "browser"))
    bed.porter.blocked.add(OPS.key)
    said = await post(bed, "/v1/device/token", expect=400, grant_type=DEVICE, device_code=asked["device_code"])
    assert said["code"] == "identity-blocked"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "x", "device_code": "y"}, "unsupported_grant_type"),
        ({"grant_type": DEVICE}, "invalid_request"),
        ({"grant_type": DEVICE, "device_code": "y"}, "expired_token"),
        ({"grant_type": DEVICE, "device_code": "y" * 20_000}, "expired_token"),
    ],
)
async def test_device_codes_that_are_none(bed: Bed, form: dict[str, str], error: str) -> None:
    assert (await post(bed, "/v1/device/token", expect=400, **form))["error"] == error


async def test_devices_of_one_address_are_bounded(bed: Bed) -> None:
    for _ in range(LIMIT_PEER):
        await post(bed, "/v1/device")
    said = await post(bed, "/v1/device", expect=503)
    assert said["code"] == "portal-full"
    assert said["error"] == "temporarily_unavailable"


async def test_an_operators_login_settles_once(bed: Bed) -> None:
    seen: list[Login] = []
    asked = bed.portal.operator_login(seen.append, peer="console", purpose="screen on tty1")
    assert asked.verification_uri == f"{bed.url}/device"
    form = {"grant_type": DEVICE, "device_code": asked.device_code.reveal()}
    assert (await post(bed, "/v1/device/token", expect=400, **form))["error"] == "expired_token"
    assert asked.device_code.reveal() not in repr(asked)
    bed.portal.cancel(asked.device_code)
    assert bed.portal._context.devices.find(asked.user_code) is None


async def test_a_client_at_a_listener_is_told_yes_no_and_that_it_is_one_too_many(bed: Bed) -> None:
    seen: list[Login | None] = []
    start = partial(bed.portal.client_login, seen.append, peer="192.0.2.9:1", purpose="ssh")
    for verdict in ("approve", "deny"):
        asked = start()
        device = bed.portal._context.devices.find(asked.user_code)
        assert device is not None and device.wanted == "login"
        if verdict == "approve":
            assert bed.portal._context.devices.approve(
                device, Login(Identity("https://idp", "sally", "sally", frozenset()), "browser")
            )
        else:
            assert bed.portal._context.devices.deny(device)
        assert bed.portal._context.devices.ask(asked.device_code.reveal()) == "expired_token", "nobody polls for it"
    for _ in range(LIMIT_PEER):
        start()
    with pytest.raises(DevicesFull):
        start()
    bed.portal.operator_login(seen.append, peer="192.0.2.9:1", purpose="screen")
