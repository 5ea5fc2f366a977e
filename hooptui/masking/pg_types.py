"""PostgreSQL's built-in types by OID, as far as masking has to tell them apart. Knows no values.

Source: `pg_type.dat` of PostgreSQL 17; these OIDs never change. Extension and user types have OIDs of their own in each
database and are UNKNOWN here; a domain arrives as its base type.
"""

from __future__ import annotations

from enum import Enum, auto


class Family(Enum):
    """How the values of a type are read."""

    TEXT = auto()
    """Characters, the same bytes in both formats."""
    JSON = auto()
    JSONB = auto()
    """In binary: a version byte, then JSON text."""
    INTEGER = auto()
    """int8: wide enough for a card number."""
    NUMERIC = auto()
    FLOAT = auto()
    """float8: holds 16 digits exactly."""
    BYTES = auto()
    INERT = auto()
    """Cannot hold anything a detector looks for: small numbers, times, network addresses, geometry, references."""
    ARRAY = auto()
    RECORD = auto()
    RANGE = auto()
    """Ranges and multiranges."""
    UNKNOWN = auto()


TEXT, VARCHAR, BPCHAR, NAME, UNKNOWN, XML, CSTRING, CHAR, REFCURSOR = 25, 1043, 1042, 19, 705, 142, 2275, 18, 1790
JSON, JSONB = 114, 3802
BOOL, INT2, INT4, INT8, OID, NUMERIC, FLOAT4, FLOAT8 = 16, 21, 23, 20, 26, 1700, 700, 701
BYTEA, UUID, DATE, TIME, TIMETZ, TIMESTAMP, TIMESTAMPTZ, INTERVAL = 17, 2950, 1082, 1083, 1266, 1114, 1184, 1186
RECORD, RECORD_ARRAY, VOID = 2249, 2287, 2278

_FAMILIES: dict[int, Family] = {
    **dict.fromkeys((TEXT, VARCHAR, BPCHAR, NAME, UNKNOWN, XML, CSTRING, REFCURSOR), Family.TEXT),
    JSON: Family.JSON,
    JSONB: Family.JSONB,
    INT8: Family.INTEGER,
    NUMERIC: Family.NUMERIC,
    FLOAT8: Family.FLOAT,
    BYTEA: Family.BYTES,
    RECORD: Family.RECORD,
    **dict.fromkeys(
        (
            BOOL, CHAR, INT2, INT4, OID, FLOAT4, UUID, DATE, TIME, TIMETZ, TIMESTAMP, TIMESTAMPTZ, INTERVAL, VOID,
            22, 30,  # int2vector, oidvector
            24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191,  # regproc … regcollation
            27, 28, 29, 5069,  # tid, xid, cid, xid8
            600, 601, 602, 603, 604, 628, 718,  # geometry
            650, 869, 774, 829,  # cidr, inet, macaddr8, macaddr
            790, 1560, 1562, 3220, 2970, 5038,  # money, bit, varbit, pg_lsn, txid_snapshot, pg_snapshot
        ),
        Family.INERT,
    ),
    **dict.fromkeys((3906, 3926, 4532, 4536), Family.RANGE),  # numrange, int8range and their multiranges
    **dict.fromkeys((3904, 3908, 3910, 3912, 4451, 4533, 4534, 4535), Family.INERT),  # ranges of int4 and times
}  # fmt: skip

ELEMENTS: dict[int, int] = {
    1000: BOOL, 1001: BYTEA, 1002: CHAR, 1003: NAME, 1005: INT2, 1006: 22, 1007: INT4, 1008: 24, 1009: TEXT, 1010: 27,
    1011: 28, 1012: 29, 1013: 30, 1014: BPCHAR, 1015: VARCHAR, 1016: INT8, 1017: 600, 1018: 601, 1019: 602, 1020: 603,
    1021: FLOAT4, 1022: FLOAT8, 1027: 604, 1028: OID, 1040: 829, 1041: 869, 651: 650, 775: 774, 629: 628, 719: 718, 791: 790,
    1115: TIMESTAMP, 1182: DATE, 1183: TIME, 1185: TIMESTAMPTZ, 1187: INTERVAL, 1231: NUMERIC, 1263: CSTRING, 1270: TIMETZ,
    4192: 4191, 2949: 2970, 2201: REFCURSOR, 1561: 1560, 1563: 1562, 2951: UUID, 3221: 3220, 143: XML, 199: JSON, 3807: JSONB, RECORD_ARRAY: RECORD,
    3905: 3904, 3907: 3906, 3909: 3908, 3911: 3910, 3913: 3912, 3927: 3926,
    6150: 4451, 6151: 4532, 6152: 4533, 6153: 4534, 6155: 4535, 6157: 4536, 271: 5069,
    2207: 2202, 2208: 2203, 2209: 2204, 2210: 2205, 2211: 2206, 3735: 3734, 3770: 3769, 4090: 4089, 4097: 4096,
}  # fmt: skip
"""Array type to element type. `box[]` alone separates its elements with `;`, and a box is inert."""

RANGE_ELEMENTS = {3906: NUMERIC, 3926: INT8, 4532: NUMERIC, 4536: INT8}
MULTIRANGES = frozenset({4532, 4536})


def family(oid: int) -> Family:
    """The family of a type; UNKNOWN for whatever PostgreSQL does not bring itself."""
    known = _FAMILIES.get(oid)
    if known is not None:
        return known
    element = ELEMENTS.get(oid)
    if element is None:
        return Family.UNKNOWN
    return Family.INERT if family(element) is Family.INERT else Family.ARRAY


def base(oid: int) -> Family:
    """The family of the values themselves: for an array that of its elements."""
    return family(ELEMENTS[oid]) if family(oid) is Family.ARRAY else family(oid)
