"""Every wrong SAML response is refused for its own reason, and no refusal quotes it."""

from __future__ import annotations

import time

import pytest

from hooptui.auth.saml.refusals import WORDS, SamlCode
from hooptui.core.gate import LoginRefused

from .attacks import Make
from .cases import CASES
from .forge import (
    ASKED,
    CERT,
    CURVE_CERT,
    EVIL_CERT,
    KEY,
    NOW,
    PLACE,
    assertion,
    at,
    attribute,
    b64,
    certificate,
    envelope,
    good,
    provider,
    sign,
    way,
)  # fmt: skip


def refused(value: str, settings: object = None, now: float = NOW) -> LoginRefused:
    with pytest.raises(LoginRefused) as caught:
        provider(settings, now).judge(value, ASKED)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(("code", "make"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_refused_for_its_own_reason(code: SamlCode, make: Make) -> None:
    value = make()
    refusal = refused(value)
    assert (refusal.code, refusal.message) == (code, WORDS[code][0]), refusal.log
    assert refusal.hint and refusal.log.replace("…", "").isascii() and refusal.log.isprintable()
    assert 0 < len(refusal.log) < 500 and refusal.__cause__ is None


def test_only_the_reason_stands_between_the_forged_and_the_accepted() -> None:
    """The forge's ground is good, so each case is wrong in nothing but what it names."""
    assert provider().judge(b64(good()), ASKED).identity.subject == "etl-7"


def test_every_code_has_words_and_a_case() -> None:
    assert set(WORDS) == set(SamlCode)
    elsewhere = {
          SamlCode.REPLAYED, SamlCode.CERTIFICATE_EXPIRED, SamlCode.WRONG_CONTEXT,
    }  # fmt: skip
    assert {case[1] for case in CASES} == set(SamlCode) - elsewhere
    assert len({words[0] for words in WORDS.values()}) == len(WORDS)
    assert len({case[0] for case in CASES}) == len(CASES) >= 150


def test_a_replay_is_refused() -> None:
    service = provider()
    read = service.judge(b64(good()), ASKED)
    assert service.accept(read).subject == "etl-7"
    again = service.judge(b64(good()), ASKED)
    with pytest.raises(LoginRefused) as caught:
        service.accept(again)
    assert caught.value.code == SamlCode.REPLAYED


def test_what_is_remembered_outlives_what_could_be_replayed() -> None:
    service = provider()
    read = service.judge(b64(good(confirmed_until=at(60), ends=at(200))), ASKED)
    assert read.usable_until == NOW + 60 + service.way.leeway
    assert refused(b64(good(confirmed_until=at(60), ends=at(200))), now=read.usable_until).code == SamlCode.EXPIRED
    assert provider(now=read.usable_until - 1).judge(b64(good(confirmed_until=at(60), ends=at(200))), ASKED)


def test_a_pinned_certificate_that_is_over_proves_nothing() -> None:
    over = certificate(KEY, "idp", ends=-1)
    value = b64(envelope(sign(assertion(), KEY, over)))
    assert refused(value, way([over])).code == SamlCode.CERTIFICATE_EXPIRED


def test_while_keys_roll_over_both_are_good_and_no_third() -> None:
    both = way([CURVE_CERT, CERT])
    assert provider(both).judge(b64(good()), ASKED)
    assert refused(b64(good()), way([CURVE_CERT, EVIL_CERT])).code == SamlCode.FOREIGN_KEY
    assert refused(b64(good()), way([CURVE_CERT])).code == SamlCode.FOREIGN_KEY


def test_the_login_must_be_as_strong_as_asked() -> None:
    strong = way(authn_contexts=("https://refeds.org/profile/mfa",))
    assert refused(b64(good()), strong).code == SamlCode.WRONG_CONTEXT
    assert provider(strong).judge(b64(good(context="https://refeds.org/profile/mfa")), ASKED)


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ("", SamlCode.BAD_SUBJECT),
        (attribute("uid", "a", "b"), SamlCode.BAD_SUBJECT),
        (attribute("uid", "a") + attribute("uid", "b"), SamlCode.BAD_SUBJECT),
        (attribute("uid", ""), SamlCode.BAD_SUBJECT),
        (attribute("uid", "<saml:NameID>a</saml:NameID>"), SamlCode.BAD_SUBJECT),
        (
            attribute("uid", "a").replace(
                "<saml:AttributeValue>",
                '<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true">',
            ),
            SamlCode.BAD_SUBJECT,
        ),
    ],
)
def test_an_attribute_as_the_subject_is_one_plain_text(attributes: str, code: SamlCode) -> None:
    assert refused(b64(good(attributes=attributes)), way(subject="uid")).code == code


def test_hostile_sizes_take_no_time() -> None:
    """Quadratic readers need minutes for these."""
    many = "<a" + ' b="'.join("x" * 100_000) + ">"
    begun = time.process_time()
    for text in (
        "<" * 262_000,
        "<a " * 87_000,
        "&" * 262_000,
        many[:262_000],
        '<a b="' + "<" * 260_000,
        "<a>" * 80_000,
    ):
        assert refused(b64(text)).code.startswith("saml-")
    spaces = sign(envelope(assertion(place="", attributes=attribute("groups", *["g"] * 900)), place=PLACE))
    assert provider().judge(b64(spaces), ASKED).identity.groups == {"g"}
    assert refused("=" * 349_000).code == SamlCode.NOT_BASE64
    assert time.process_time() - begun < 5
