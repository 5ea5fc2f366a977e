"""The short way for the Secrets of a list against the long one: where it goes at all it ends in the same, however odd an item is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from hooptui.core.model import MaskAction, MaskRule, MaskSet
from hooptui.masking.kubernetes.answers import masked
from hooptui.masking.kubernetes.objects import CannotMask, ObjectMask
from tests.masking.kubernetes.leaks import VALUE, compact, shows

KEY = bytes(range(32))
ENCODED = base64.b64encode(VALUE.encode()).decode()


def one(*rules: MaskRule) -> ObjectMask:
    return ObjectMask(MaskSet(rules), KEY)


SECRETS = one(MaskRule("s", secrets=True))
EVERY = (
    SECRETS,
    one(MaskRule("s", secrets=True, action=MaskAction.HASH), MaskRule("d", detect=("api-key", "jwt", "email"))),
    one(MaskRule("s", secrets=True, action=MaskAction.PARTIAL), MaskRule("f", fields=("secrets.metadata.labels.*",))),
    one(MaskRule("s", secrets=True, secrets_except=("spared",))),
)


def long_way(masks: ObjectMask, item: bytes, counts: dict[str, int], patch: pytest.MonkeyPatch) -> bytes:
    with patch.context() as inner:
        inner.setattr(ObjectMask, "at_once", lambda *_: None)
        return masked(masks, item, "secrets", counts)


def item(**more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "db", "labels": {"app": "web"}, "managedFields": [{"fieldsV1": {"f:data": {"f:p": {}}}}]},
        "data": {"p": ENCODED, "empty": "", "none": None},
        "type": "Opaque",
        **more,
    }


USUAL = {
    "of a list": item(),
    "alone": {"kind": "Secret", "apiVersion": "v1", **item(immutable=True)},
    "without data": {"metadata": {"name": "a"}, "type": "Opaque"},
    "null": item(data=None),
    "a certificate": item(data={"tls.crt": base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIB\n").decode()}),
    "bytes": item(data={"p": base64.b64encode(bytes(range(128, 256))).decode()}),
    "metadata": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}},
    "a row": {"cells": ["db", "Opaque", 1, "5m"], "object": {"kind": "PartialObjectMetadata", "metadata": {"name": "a"}}},
    "a row of all": {"cells": ["db"], "object": {"kind": "Secret", **item()}},
    "an event": {"type": "ADDED", "object": {"kind": "Secret", "apiVersion": "v1", **item()}},
    "a bookmark": {"type": "BOOKMARK", "object": {"kind": "Secret", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}}},
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
@pytest.mark.parametrize("masks", EVERY[:3])
def test_the_usual_goes_the_short_way(name: str, masks: ObjectMask, monkeypatch: pytest.MonkeyPatch) -> None:
    body = compact(USUAL[name])
    found: dict[str, int] = {}
    short = masks.at_once(body, "secrets", found)
    assert (short is None) is (masks is EVERY[2] and b"labels" in body), (
        "a rule for fields needs the long way, nothing else"
    )
    counts: dict[str, int] = {}
    after = long_way(masks, body, counts, monkeypatch)
    assert short is None or (json.loads(short), found) == (json.loads(after), counts)
    assert not shows(after)


UNUSUAL = {
    "another place": item(stringData={"p": VALUE}),
    "another's spelling": {**item(), "Data": {"p": ENCODED}},
    "within": {"metadata": {"name": "a"}, "object": {"data": {"p": ENCODED}}},
    "no text": item(data={"p": {"q": ENCODED}}),
    "a list": item(data=[ENCODED]),
    "an annotation": item(metadata={"annotations": {"note": f"it is {VALUE}"}}),
    "an annotation of it as written": item(metadata={"annotations": {"note": f"it is {ENCODED}"}}),
    "applied": item(metadata={"annotations": {"last-applied": json.dumps({"kind": "Secret", "data": {"p": ENCODED}})}}),
    "quoted": item(metadata={"annotations": {"a": json.dumps({"spec": {"a": [VALUE]}})}}),
    "a name of it": item(metadata={"labels": {VALUE: "x"}}),
    "another kind": {"kind": "TokenRequest", "metadata": {}},
    "metadata with data": {"kind": "PartialObjectMetadata", "metadata": {}, "data": {"p": ENCODED}},
    "cells": {"cells": [VALUE], "object": {"kind": "Secret", **item()}},
    "a row with data": {"cells": ["x"], "object": {"metadata": {}}, "data": {"p": ENCODED}},
    "an error": {"type": "ERROR", "object": {"kind": "Status", "message": f"Invalid value: {VALUE}"}},
    "an event with data": {"type": "ADDED", "object": {"metadata": {}}, "data": {"p": ENCODED}},
    "an event of what is spelt otherwise": {"type": VALUE, "object": {"kind": "Secret", **item()}},
    "ümlaut": item(metadata={"labels": {"a": "ü"}}),
    "nested deep": item(metadata={"a": json.loads("[" * 160 + "]" * 160)}),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_the_unusual_does_not(name: str) -> None:
    body = json.dumps(UNUSUAL[name], ensure_ascii=False, separators=(",", ":")).encode()
    assert SECRETS.at_once(body, "secrets", {}) is None


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        ("s3cret/with/slashes", r"s3cret\/with\/slashes"),
        ("s3cret/with/slashes", r"{\"a\":\"s3cret\\/with\\/slashes\"}"),
        ("déjà vu €", r"d\u00e9j\u00e0 vu \u20ac"),
        ("<<a & b>>", r"\u003c\u003ca \u0026 b\u003e\u003e"),
        ('a "quoted"\nvalue', r"{\"a\":\"a \\\"quoted\\\"\\nvalue\"}"),
        (VALUE, VALUE.replace("a", r"\u0061")),
        ("\t" + VALUE + "\u00a0\n", VALUE),
        (" " * 400 + VALUE, VALUE),
        ("y" * 300, base64.b64encode(b"y" * 300).decode()),
        ("x" * 400 + VALUE, "x" * 400 + VALUE),
        ("\u00e9" * 100 + VALUE, r"\u00e9" * 100 + VALUE),
        ("x" * 95 + "\u00e9" * 100, "x" * 95 + r"\u00e9" * 100),
        ("\n" * 90 + "abcdef" + "\n" * 90 + "ghi", "abcdef" + r"\n" * 90 + "ghi"),
    ],
)
def test_a_value_that_is_spelt_otherwise_is_found(value: str, spelling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = base64.b64encode(value.encode()).decode()
    body = f'{{"metadata":{{"annotations":{{"note":"{spelling}"}}}},"data":{{"p":"{data}"}}}}'.encode()
    assert json.loads(long_way(SECRETS, body, counts := {}, monkeypatch)) and counts == {"s": 2}
    assert SECRETS.at_once(body, "secrets", {}) is None
    clean = body.replace(f'"note":"{spelling}"'.encode(), b'"note":"nothing"')
    assert SECRETS.at_once(clean, "secrets", {}) is not None


def test_a_type_that_is_spared_is_not_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    body = compact(item(type="spared"))
    assert EVERY[3].at_once(body, "secrets", {}) is None
    assert shows(long_way(EVERY[3], body, {}, monkeypatch))
    assert SECRETS.at_once(body, "secrets", {}) is not None


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"data":{"p":"x"}}',
        b'{"data":{"p":"x"},"metadata":{"n":NaN}}',
        b'{"data":{"p":"x"},"metadata":{"n":"\xff"}}',
        b'{"data":{"p":"x"},"metadata":{"n":01}}',
        b'{"data":{"p":"x"},"metadata":{},}',
        b'{"data":{"p":"x"}}{}',
        b'{"data":{"p":"x"},"metadata":' + b"[" * 149,
        b'{"data":{"p":"\\ud800"}}',
        b'{"data":{"p":"a\nb"}}',
    ],
)
def test_what_is_no_json_goes_to_nobody(body: bytes) -> None:
    with pytest.raises(CannotMask):
        masked(SECRETS, body, "secrets", {})


def test_of_a_key_that_stands_twice_nothing_is_left() -> None:
    other = base64.b64encode(b"another value that nobody may see").decode()
    for first, second in (("data", "data"), ("data", "\\u0064ata"), ("d\\u0061ta", "data")):
        body = f'{{"{first}":{{"p":"{other}"}},"{second}":{{"p":"{ENCODED}","p":"{ENCODED}"}}}}'.encode()
        counts: dict[str, int] = {}
        after = masked(SECRETS, body, "secrets", counts)
        assert other.encode() not in after and not shows(after) and after.count(b"data") == 1 and counts == {"s": 1}


# --- any item

SPELT = st.sampled_from(["data", "\\u0064ata", "Data", "stringData", "metadata", "type", "kind", "immutable", "cells", "object", "items", "x", "é"])  # fmt: skip
VALUES = st.sampled_from(
    [
        ENCODED, VALUE, "long " * 80, base64.b64encode(b"long " * 80).decode(), base64.b64encode(b" " * 300 + b"Opaque").decode(), "QUFB" * 90 + "?", "s3cret/with/slashes", base64.b64encode(b"s3cret/with/slashes").decode(), "déjà vu €", base64.b64encode("déjà vu €".encode()).decode(),
        "<<a & b>>", base64.b64encode(b"<<a & b>>").decode(), 'a "quoted"\n value', base64.b64encode(b'a "quoted"\n value\n').decode(), "\u00a0padded\u2003",
        base64.b64encode("\u00a0padded\u2003".encode()).decode(), "padded", base64.b64encode(b"\xff\xfe\xfdab").decode(), "\ufffd\ufffd\ufffdab", "Opaque", "spared",
        "Secret", "", "x", "ops@example.com", "secretKey", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    ]
)  # fmt: skip


def spelt(value: Any) -> st.SearchStrategy[str]:
    """Ways to write a string down."""
    text = json.dumps(value)
    plain = json.dumps(value, ensure_ascii=False)
    like_go = text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
    return st.sampled_from([text, plain, like_go, text.replace("/", r"\/"), text.replace("s", r"\u0073")])


STRINGS = VALUES.flatmap(spelt)
QUOTED = st.builds(lambda one: json.dumps(f'{{"a":{one}}}'), STRINGS)
LEAVES = STRINGS | QUOTED | st.sampled_from(["null", "true", "1e400", "-0.10", "9" * 40, "NaN", "01"])
NAMED = STRINGS | SPELT.map(lambda one: f'"{one}"')


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(NAMED, inner), max_size=3).map(lambda pairs: "{" + ",".join(f"{a}: {b}" for a, b in pairs) + "}")  # fmt: skip


ANY = st.recursive(LEAVES, lambda inner: objects(inner) | st.lists(inner, max_size=2).map(lambda some: f"[{','.join(some)}]"), max_leaves=4)  # fmt: skip
DATA = st.lists(st.tuples(NAMED, STRINGS | st.just("null")), max_size=3).map(lambda pairs: "{" + ",".join(f"{a}:{b}" for a, b in pairs) + "}")  # fmt: skip
FIELDS = st.one_of(
    st.tuples(st.sampled_from(["data", "data", "\\u0064ata"]), DATA),
    st.tuples(st.just("metadata"), objects(ANY)),
    st.tuples(st.just("type"), STRINGS),
    st.tuples(st.just("kind"), st.sampled_from(['"Secret"', '"PartialObjectMetadata"', '"\\u0053ecret"'])),
    st.tuples(st.just("immutable"), st.sampled_from(["true", "null"])),
)
ITEMS = (
    st.lists(FIELDS, min_size=1, max_size=5) | st.lists(FIELDS | st.tuples(SPELT, ANY), min_size=1, max_size=5)
).map(lambda pairs: "{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}")
ROWS = st.builds(lambda cells, one: f'{{"cells":[{cells}],"object":{one}}}', ANY, ITEMS)


EVENTS = st.builds(lambda word, one: f'{{"type":{word},"object":{one}}}', STRINGS, ITEMS)


@settings(max_examples=500, deadline=None)
@given(ITEMS | ROWS | EVENTS, st.sampled_from(EVERY))
def test_the_short_way_ends_where_the_long_one_does(text: str, masks: ObjectMask) -> None:
    body = text.encode()
    found: dict[str, int] = {}
    short = masks.at_once(body, "secrets", found)
    event("long" if short is None else f"short, {'some' if found else 'nothing'} masked")
    if short is None:
        return
    counts: dict[str, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        after = long_way(masks, body, counts, patch)
    assert json.loads(short) == json.loads(after)
    assert found == counts
