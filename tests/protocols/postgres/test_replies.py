"""What the gateway itself says to a client, and what is left of what the server says."""

from __future__ import annotations

import pytest

from hooptui.core.approvals import Approval
from hooptui.core.gate import Refused, Why
from hooptui.core.model import HoldTerms, MaskRule, MaskSet
from hooptui.masking.masker import make_masker
from hooptui.protocols.postgres import build, codec, replies, reports
from hooptui.protocols.postgres.operations import Reader
from hooptui.protocols.postgres.pipeline import Pipeline
from hooptui.protocols.postgres.settings import Settings
from hooptui.protocols.postgres.steps import StandIn
from tests.core.world import BOT, ORDERS, operation

UTF8 = Settings({b"client_encoding": b"UTF8"})


def said(raw: bytes) -> dict[str, str]:
    return {code: value.decode() for code, value in codec.error_fields(raw).items()}


@pytest.mark.parametrize(
    ("why", "code"),
    [
        (Why.POLICY, "42501"), (Why.DENIED, "42501"), (Why.EXPIRED, "42501"), (Why.DEADLINE, "42501"),
        (Why.UNRECORDED, "42501"), (Why.ERROR, "42501"), (Why.WITHDRAWN, "57014"), (Why.KILLED, "57P01"),
    ],
)  # fmt: skip
def test_every_refusal_has_its_words(why: Why, code: str) -> None:
    refusal = Refused(why, "no, because", rule="no-drop", detail="DDL goes through migrations", hint="ask")
    fields = said(replies.refused(refusal, operation("DROP TABLE t", "drop")))
    assert fields["C"] == code and fields["V"] == "ERROR"
    assert "no-drop" in fields["D"] and "DDL goes through migrations" in fields["D"]
    assert fields["M"] == ("canceling statement due to user request" if why is Why.WITHDRAWN else "no, because")


def test_a_held_operation_says_number_rule_time_and_way_out() -> None:
    terms = HoldTerms("two-eyes", frozenset({"dba", "oncall"}), quorum=2)
    approval = Approval(17, "s", 1, BOT, ORDERS, terms, "writes need two", 0.0, 600.0)
    fields = said(replies.held(approval, 73.2))
    assert "#17" in fields["M"] and "writes need two" in fields["M"]
    assert "two-eyes" in fields["D"] and "2 of dba or oncall" in fields["D"] and "1:13 left" in fields["D"]
    assert "Ctrl-C" in fields["H"]


def test_no_client_can_name_the_stand_ins_portal() -> None:
    """Two names differ by the connection's own secret; a name of the client's is refused when the server might cut it."""
    assert replies.stand_in(1, "a" * 16) != replies.stand_in(1, "b" * 16)
    assert len(codec.execute(replies.stand_in(10**12, "a" * 16)).portal) <= 63
    reader = Reader(Pipeline(), UTF8)
    assert isinstance(reader.read(ord("B"), build.bind(b"x" * 64, b"")), StandIn)


def test_reports_lose_values_only_where_masks_hold() -> None:
    raw = build.fields(
        b"E",
        {
            "S": b"ERROR", "V": b"ERROR", "C": b"22P02", "M": b'invalid input syntax: "4711"', "D": b"Key (pin)=(4711)",
            "W": b'COPY t, line 1: "4711"', "q": b"SELECT 4711", "H": b"ask b@acme.io", "t": b"people", "n": b"pin_key", "P": b"8",
        },
    )  # fmt: skip
    fields = codec.error_fields(raw)

    def shown(*rules: MaskRule) -> bytes:
        return reports.masked(raw[0], raw, fields, make_masker(MaskSet(rules), b"k" * 32), UTF8)

    assert shown() is raw
    assert b"4711" in shown(MaskRule("m", detect=("email",))) and b"b@acme.io" not in shown(
        MaskRule("m", detect=("email",))
    )
    by_name = shown(MaskRule("c", columns=("people.pin",)))
    assert b"4711" not in by_name
    assert said(by_name)["n"] == "pin_key" and said(by_name)["P"] == "8"
