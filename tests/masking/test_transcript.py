"""Binary values as people read them."""

from __future__ import annotations

import decimal
import struct

import pytest

from hooptui.masking import transcript
from tests.masking.helpers import binary_numeric


@pytest.mark.parametrize(
    ("oid", "value", "shown"),
    [
        (16, b"\x01", "t"), (16, b"\x00", "f"), (21, b"\xff\xfe", "-2"), (23, struct.pack("!i", -7), "-7"), (20, struct.pack("!q", 2**40), str(2**40)),
        (26, b"\xff\xff\xff\xff", "4294967295"), (701, struct.pack("!d", 0.1), "0.1"), (700, struct.pack("!f", 1.5), "1.5"),
        (1700, binary_numeric(decimal.Decimal("-12345.067")), "-12345.067"), (1700, binary_numeric(decimal.Decimal("0.001")), "0.001"), (1700, b"\0\0\0\0\xc0\0\0\0", "NaN"),
        (2950, bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"), (25, "é".encode(), "é"), (25, b"\xff", "\ufffd"), (3802, b'\x01{"a": 1}', '{"a": 1}'), (114, b"[1]", "[1]"),
        (17, b"\x00\xff", "\\x00ff"), (1114, struct.pack("!q", 0), "2000-01-01 00:00:00"), (1184, struct.pack("!q", 86_400_000_000), "2000-01-02 00:00:00+00"),
        (1114, struct.pack("!q", 2**63 - 1), "infinity"), (1114, struct.pack("!q", 2**62), "‹binary 8›"), (1082, struct.pack("!i", 366), "2001-01-01"),
        (1083, struct.pack("!q", 3_723_500_000), "01:02:03.5"), (1266, struct.pack("!qi", 0, -19800), "00:00:00+05:30"), (1186, struct.pack("!qii", 0, 3, 14), "14 mons 3 days"),
        (1007, struct.pack("!iiIii", 1, 0, 23, 2, 1) + struct.pack("!iiii", 4, 5, 4, 6), "{5,6}"), (2249, struct.pack("!iIii", 1, 23, 4, 9), "(9)"),
        (90_001, b"\x00\x01\x02", "‹binary 3›"), (20, b"1", "‹binary 1›"), (2950, b"1", "‹binary 1›"),
    ],
)  # fmt: skip
def test_binary_is_rendered_for_people(oid: int, value: bytes, shown: str):
    assert transcript.render(value, oid, binary=True) == shown
