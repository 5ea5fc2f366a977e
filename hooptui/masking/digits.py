"""Finding card numbers, US social security numbers, IBANs and phone numbers in text. Knows no column and no action.

Only ASCII digits count. Every function is linear in the text: fixed windows, no nested repeats.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

Span = tuple[int, int]
"""Start and end offset in a `str`, end excluded."""

_ANY = frozenset(range(13, 20))
_LONG = frozenset(range(16, 20))
_DINERS = frozenset(range(14, 20))
_16 = frozenset({16})

_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (220000, 220499, _LONG),  # Mir
    (222100, 272099, _16),  # Mastercard, the 2 series
    (300000, 305999, _DINERS),
    (309000, 309999, _DINERS),
    (340000, 349999, frozenset({15})),  # American Express
    (352800, 358999, _LONG),  # JCB
    (360000, 369999, _DINERS),
    (370000, 379999, frozenset({15})),
    (380000, 399999, _DINERS),
    (400000, 499999, frozenset({13, 16, 19})),  # Visa
    (500000, 501799, _LONG),  # Maestro and domestic schemes, also below
    (501800, 503899, _ANY),
    (503900, 509999, _LONG),
    (510000, 559999, _16),  # Mastercard
    (560000, 588999, _LONG),
    (589000, 589999, _ANY),
    (600000, 630399, _LONG),  # Discover, RuPay, Hipercard, UnionPay
    (630400, 630499, _ANY),
    (630500, 669999, _LONG),
    (670000, 679999, _ANY),
    (680000, 699999, _LONG),
    (810000, 829999, _LONG),  # UnionPay, RuPay
    (979200, 979289, _16),  # Troy
)  # fmt: skip
"""First and last six-digit prefix of the known issuers (ISO/IEC 7812), and the lengths they give out."""
_STARTS = [low for low, _, _ in _ISSUERS]
_FIRST_TWO = frozenset(str(two) for low, high, _ in _ISSUERS for two in range(low // 10_000, high // 10_000 + 1))
"""How a card's number begins: more than half of all other numbers do not, and are done with at a glance."""

_DOUBLED = {"0": 0, "1": 2, "2": 4, "3": 6, "4": 8, "5": 1, "6": 3, "7": 5, "8": 7, "9": 9}

_RUN = re.compile(r"[0-9]++(?:[ -][0-9]++)*+")
_GROUP = re.compile(r"[0-9]++")
_UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])"
)
_ALNUM_BEFORE = re.compile(r"[0-9A-Za-z]{0,40}\Z")
_ALNUM_AFTER = re.compile(r"[0-9A-Za-z]{0,40}")


def is_card(digits: str) -> bool:
    """Whether 13–19 ASCII digits are a possible card number: a known issuer, its length, Luhn, not all one digit."""
    size = len(digits)
    if not 13 <= size <= 19:
        return False
    prefix = int(digits[:6])
    at = bisect_right(_STARTS, prefix) - 1
    if at < 0 or prefix > _ISSUERS[at][1] or size not in _ISSUERS[at][2]:
        return False
    backwards = digits[::-1]
    if (sum(map(int, backwards[::2])) + sum(map(_DOUBLED.__getitem__, backwards[1::2]))) % 10:
        return False
    return digits.count(digits[0]) != size


def credit_card(text: str) -> Iterator[Span]:
    """Card numbers, in one piece or in groups joined by single spaces or dashes.

    A number that fills its run of groups may be grouped in any way; inside a longer run (a date before it, an expiry
    behind it) every group must have three digits or more. Digits glued to an identifier that has further digits (a
    hash), digits of a UUID, decimal fractions and phone numbers with a `+` do not count; letters alone in front (`PAN4242…`) do not hide a number.
    """
    for run in _RUN.finditer(text):
        if run.end() - run.start() < 13:
            continue
        groups = [(m.start(), m.end()) for m in _GROUP.finditer(text, run.start(), run.end())]
        total = sum(end - start for start, end in groups)
        if total <= 19:
            if total >= 13 and _card_at(text, groups[0][0], groups[-1][1]):
                yield run.span()
                continue
            if total < 13:
                continue
        yield from _inside(text, groups)


def _inside(text: str, groups: list[Span]) -> Iterator[Span]:
    first = 0
    while first < len(groups):
        start = groups[first][0]
        if text[start : start + 2] not in _FIRST_TWO:  # a group of fewer than three digits begins none either
            first += 1
            continue
        size, last, best = 0, first, -1
        while last < len(groups):
            width = groups[last][1] - groups[last][0]
            size += width
            if width < 3 or size > 19:
                break
            if size >= 13 and _card_at(text, groups[first][0], groups[last][1]):
                best = last
            last += 1
        if best < 0:
            first += 1
        else:
            yield groups[first][0], groups[best][1]
            first = best + 1


def _card_at(text: str, start: int, end: int) -> bool:
    body = text[start:end]
    return is_card(body.replace(" ", "").replace("-", "")) and not _identifier(text, start, end)


def _identifier(text: str, start: int, end: int) -> bool:
    """Whether these digits are part of something longer that is no card number."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before == "+" and sum("0" <= char <= "9" for char in text[start:end]) <= 15:
        return True  # E.164: a phone number
    if before == "." and text[max(0, start - 2) : start - 1].isdigit() and text[start:end].isdigit():
        return True
    if before.isascii() and before.isalpha():
        glued = _ALNUM_BEFORE.search(text, max(0, start - 40), start)
        if glued and any("0" <= char <= "9" for char in glued.group()):
            return True
    if after.isascii() and after.isalpha():
        glued = _ALNUM_AFTER.match(text, end)
        if glued and any("0" <= char <= "9" for char in glued.group()):
            return True
    if "-" in text[max(0, start - 1) : end + 1]:
        base = max(0, start - 37)
        return any(m.start() + base < end and m.end() + base > start for m in _UUID.finditer(text[base : end + 37]))
    return False


_SSN = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9A-Za-z]-)(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9A-Za-z]|-[0-9A-Za-z])"
)


def us_ssn(text: str) -> Iterator[Span]:
    """`ddd-dd-dddd` with an area, group and serial that the Social Security Administration can have given out."""
    for match in _SSN.finditer(text):
        yield match.span()


IBAN_SIZES = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
    "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
    "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
"""Length by country, from the SWIFT IBAN registry."""

_IBAN_START = re.compile(r"(?<![0-9A-Za-z])([A-Za-z]{2})[0-9]{2}")
_IBAN_FOURS = re.compile(r"[0-9A-Za-z]{4}(?: [0-9A-Za-z]{4})*(?: [0-9A-Za-z]{1,3})?")


def is_iban(text: str) -> bool:
    """Whether text without spaces is an IBAN: its country's length, and ISO 7064 mod 97-10."""
    upper = text.upper()
    if IBAN_SIZES.get(upper[:2]) != len(upper) or not upper.isascii() or not upper.isalnum():
        return False
    return int("".join(str(int(char, 36)) for char in upper[4:] + upper[:4])) % 97 == 1


def iban(text: str) -> Iterator[Span]:
    """IBANs in either case, in one piece or in fours with single spaces."""
    done = 0
    for match in _IBAN_START.finditer(text):
        size = IBAN_SIZES.get(match[1].upper())
        start = match.start()
        if size is None or start < done:
            continue
        spaced = size + (size - 1) // 4
        for end in (start + size, start + spaced):
            piece = text[start:end]
            if end > len(text) or (text[end : end + 1].isascii() and text[end : end + 1].isalnum()):
                continue
            if " " in piece and not _IBAN_FOURS.fullmatch(piece):
                continue
            if is_iban(piece.replace(" ", "")):
                yield start, end
                done = end
                break


_NANP = r"(?:\([2-9][0-9]{2}\)[ ]?|[2-9][0-9]{2}[ .-]?)[2-9][0-9]{2}[ .-]?[0-9]{4}"
_PHONE = re.compile(
    r"(?<![0-9A-Za-z+])\+(?:"
    rf"1[ .-]?{_NANP}"
    r"|(?!1)[1-9](?:[ .()/-]{0,2}[0-9]){7,14}"
    r")(?![0-9])"
    r"|(?<![0-9A-Za-z+.])(?<![0-9A-Za-z]-)(?:"
    r"(?:1[ .-])?\([2-9][0-9]{2}\)[ ]?[2-9][0-9]{2}[ .-][0-9]{4}"  # (415) 555-2671
    r"|(?:1[ .-])?[2-9][0-9]{2}(?:-[2-9][0-9]{2}-|\.[2-9][0-9]{2}\.| [2-9][0-9]{2}[ -])[0-9]{4}"  # 415-555-2671
    r"|0[1-9]([ .-])[0-9]{2}(?:\1[0-9]{2}){3}"  # 01 23 45 67 89
    r"|\(?0[1-9][0-9]{1,4}\)?(?: |-|/| / |(?<=\)))(?:[0-9]{5,8}|[0-9]{3,4}[ -][0-9]{3,4})"  # 020 7946 0958, 030/1234567
    r")(?![0-9A-Za-z]|[.-][0-9A-Za-z]|[ ][0-9])"
)


def phone(text: str) -> Iterator[Span]:
    """Phone numbers: `+` and a country code in any usual grouping, and common national formats.

    Conservative without a `+`: North American 3-3-4, and numbers with a trunk zero as written in Europe and Japan, both
    only with their separators. Dates, times, zone offsets, UUIDs, IP addresses, ISBN, ISSN and integers do not match;
    what can match wrongly is a signed integer of 8–15 digits (`+4500000000`) and a reference like `0123-456789`.
    """
    for match in _PHONE.finditer(text):
        digits = sum("0" <= char <= "9" for char in match.group())
        if 9 <= digits <= 15 or (digits >= 8 and text[match.start()] == "+"):
            yield match.span()
