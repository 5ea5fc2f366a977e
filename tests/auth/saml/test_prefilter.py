"""The pre-filter and the parser behind it: whatever comes in, a refusal or a plain tree, soon and within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hooptui.auth.saml import document, prefilter
from hooptui.auth.saml.refusals import SamlCode
from hooptui.core.gate import LoginRefused

from .forge import ASKED, assertion, attribute, b64, envelope, good, provider, way


def code_of(value: str) -> str:
    with pytest.raises(LoginRefused) as caught:
        prefilter.decode(value)
    return caught.value.code


def test_size_is_checked_before_anything_is_decoded() -> None:
    assert code_of("!" * (prefilter.MAX_BASE64 + 1)) == SamlCode.TOO_LARGE
    assert code_of("!" * prefilter.MAX_BASE64) == SamlCode.NOT_BASE64
    largest = b64(b"x" * prefilter.MAX_BYTES)
    folded = "\r\n".join(largest[at : at + 64] for at in range(0, len(largest), 64))
    assert len(prefilter.decode(folded)) == prefilter.MAX_BYTES
    assert prefilter.plain(b"<a>" + b"x" * (prefilter.MAX_BYTES - 7) + b"</a>")


@pytest.mark.parametrize(
    ("most", "text"),
    [
        (prefilter.MAX_DEPTH, lambda n: "<a>" * n + "</a>" * n),
        (prefilter.MAX_ELEMENTS, lambda n: "<a>" + "<b/>" * (n - 1) + "</a>"),
        (prefilter.MAX_ATTRIBUTES, lambda n: "<a " + " ".join(f"a{i}='1'" for i in range(n)) + "/>"),
    ],
    ids=["depth", "elements", "attributes"],
)  # fmt: skip
def test_the_bounds_are_where_they_are_said_to_be(most: int, text) -> None:  # type: ignore[no-untyped-def]
    assert prefilter.plain(text(most).encode())
    with pytest.raises(LoginRefused) as caught:
        prefilter.plain(text(most + 1).encode())
    assert caught.value.code == SamlCode.TOO_COMPLEX


def test_as_many_groups_as_are_allowed() -> None:
    thousand = good(attributes=attribute("groups", *(f"g{n}" for n in range(1_000))))
    assert len(provider(way()).judge(b64(thousand), ASKED).identity.groups) == 1_000


def test_the_tree_is_looked_through_even_if_the_pre_filter_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "plain", lambda raw: raw)
    for raw in (b"<a><!-- --></a>", b"<a><?b ?></a>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
        with pytest.raises(LoginRefused) as caught:
            document.parse(raw)
        assert caught.value.code == SamlCode.NOT_XML


PIECES = st.sampled_from(
    ["<", ">", "</", "/>", "<a", "a", "b='1'", ' c="2"', "&lt;", "&#49;", "&x;", "<!", "<!--", "-->", "<?", "?>", "]]>",
     "xmlns:p='u:u'", "p:", " ", "\n", "'", '"', "=", "<a>", "</a>", "<b/>", "\u00e4", "\x00", "<?xml version='1.0'?>"]
)  # fmt: skip


@settings(max_examples=1_500, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=24).map("".join) | st.text(max_size=60))
def test_what_passes_is_what_the_parser_reads(text: str) -> None:
    """Anything at all is refused by code or parsed; and the parser finds no node of a kind the pre-filter missed."""
    raw = text.encode("utf-8", "surrogatepass")
    try:
        root = document.parse(raw)
    except LoginRefused as no:
        assert no.code in {*SamlCode}
        return
    nodes = list(root.iter())
    assert all(isinstance(node.tag, str) for node in nodes) and len(nodes) <= prefilter.MAX_ELEMENTS
    assert root.getroottree().docinfo.internalDTD is None
    assert etree.tostring(root)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_parsed(raw: bytes) -> None:
    try:
        document.parse(raw)
    except LoginRefused as no:
        assert no.code in {*SamlCode}


def test_each_layer_stands_alone() -> None:
    """What a later layer would refuse as well is refused where it is said to be."""
    with pytest.raises(LoginRefused, match="not well-formed"):
        prefilter.plain(b"<a>\x01</a>")
    two = etree.fromstring(envelope(assertion() + assertion(name="_a2")))
    with pytest.raises(LoginRefused) as caught:
        document.assertion_of(two)
    assert caught.value.code == SamlCode.ASSERTION_COUNT
