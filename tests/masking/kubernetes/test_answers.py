"""Answers that stream: any cut gives the same bytes, masks change what they must and nothing else, and memory is bounded."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import MaskAction, MaskRule, MaskSet
from hooptui.masking.kubernetes import answers
from hooptui.masking.kubernetes.masks import ClusterMasks
from hooptui.masking.kubernetes.objects import CannotMask
from tests.masking.kubernetes.leaks import ENCODED, VALUE, compact, event, kindless, listed, secret, table

KEY = bytes(range(32))
SECRETS = ClusterMasks(MaskSet((MaskRule("s", secrets=True),)), KEY)


def through(
    masks: ClusterMasks, body: bytes, resource: str, cuts: list[int] | int = 1 << 20, watch: bool = False
) -> bytes:
    mask = masks.answer(resource, "application/json;charset=utf-8", watch=watch)
    places = (
        list(range(0, len(body) or 1, cuts))
        if isinstance(cuts, int)
        else sorted({0, *(cut % (len(body) or 1) for cut in cuts)})
    )
    out = b"".join(mask.feed(body[at:to]) for at, to in zip(places, [*places[1:], len(body)], strict=True))
    return out + mask.close()


def masks(*rules: MaskRule) -> ClusterMasks:
    return ClusterMasks(MaskSet(rules), KEY)


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False), names
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)
items = st.lists(
    st.one_of(st.just(secret()), st.just(kindless()), st.dictionaries(names, values, max_size=4)), max_size=5
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    value: Any = draw(
        st.one_of(
            values,
            st.builds(lambda some: listed("SecretList", *some), items),
            st.builds(lambda some: listed("WidgetList", *some), items),
            st.builds(lambda some: table(*some), items),
        )
    )
    return json.dumps(value, indent=draw(st.sampled_from([None, 1])), ensure_ascii=draw(st.booleans())).encode()


@settings(max_examples=200, deadline=None)
@given(bodies(), st.lists(st.integers(0, 10_000), max_size=8))
def test_any_cut_gives_the_same(body: bytes, cuts: list[int]) -> None:
    whole = through(SECRETS, body, "secrets")
    assert through(SECRETS, body, "secrets", cuts) == whole
    assert ENCODED.encode() not in whole
    json.loads(whole)


@settings(max_examples=100, deadline=None)
@given(values, st.integers(1, 40))
def test_what_has_no_secret_is_the_same_value(value: Any, size: int) -> None:
    body = compact(listed("WidgetList", {"spec": value}, {"spec": value}))
    assert json.loads(through(SECRETS, body, "widgets", size)) == json.loads(body)


@settings(max_examples=100, deadline=None)
@given(st.lists(items, max_size=4), st.lists(st.integers(0, 10_000), max_size=8))
def test_a_watch_is_cut_anywhere(events: list[Any], cuts: list[int]) -> None:
    body = b"".join(event("ADDED", one) for one in events)
    whole = through(SECRETS, body, "secrets", watch=True)
    assert through(SECRETS, body, "secrets", cuts, watch=True) == whole
    assert whole.count(b"\n") == len(events)


def test_an_event_goes_out_with_its_line() -> None:
    mask = SECRETS.answer("pods", "application/json;stream=watch", watch=True)
    line = event("ADDED", {"kind": "Pod", "metadata": {"name": "a"}})
    assert mask.feed(line) == line
    assert mask.feed(line[:20]) == b""
    assert mask.feed(line[20:]) == line


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", [65_536, 9_973])
def test_a_long_list_goes_out_in_blocks(monkeypatch: pytest.MonkeyPatch, indent: int | None, size: int) -> None:
    monkeypatch.setattr(answers, "BLOCK", 16 * 1024)
    nested = {"a": [{"metadata": {"name": "x"}}, {"metadata": {"name": "y"}}], "s": '},{"metadata":'}
    many = [{"metadata": {"name": f"w{n}"}, "spec": nested} for n in range(2000)]
    many[1234]["spec"] = secret()
    body = json.dumps(listed("WidgetList", *many), indent=indent).encode()
    mask = SECRETS.answer("widgets", "application/json")
    out, waiting = b"", 0
    for at in range(0, len(body), size):
        out += mask.feed(body[at : at + size])
        waiting = max(waiting, at + size - len(out))
    out += mask.close()
    assert waiting < 6 * 16 * 1024 + size
    assert mask.counts == {"s": 1}
    expected = json.loads(body)
    expected["items"][1234]["spec"]["data"] = json.loads(out)["items"][1234]["spec"]["data"]
    assert json.loads(out) == expected
    assert ENCODED.encode() not in out


def test_items_of_many_shapes_are_found_without_a_pattern() -> None:
    many: list[Any] = list(range(40_000)) + [[{}, "]"], {"z": 1}, "a],", None, secret()] * 20_000
    out = through(SECRETS, compact(listed("WidgetList", *many)), "widgets", 50_000)
    assert ENCODED.encode() not in out
    assert [one for one in json.loads(out)["items"] if not isinstance(one, dict)] == [
        one for one in many if not isinstance(one, dict)
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"SecretList","items":[{"data":{"p":"x"}}',
        b'{"kind":"SecretList","items":[{"data":{"p":"x"}},]}',
        b'{"kind":"SecretList","items":[{"data":{"p":"x"}}}}',
        b'{"kind":"SecretList","items":[{"data":{"p":"x"}}],"items":[]}',
        b'{"kind":"SecretList","items":[{"data":{"p":"x"}}],"kind":"PodList"}',
        b"{",
        b"k8s\0\n\x0c\n\x02v1\x12\x06Secret",
        b"kind: Secret",
        b'{"kind":"Secret"}{"kind":"Secret"}',
        b'{"kind":"Secret","data":{"p":"\xff"}}',
        b'{"kind":"Secret","data":{"p":NaN}}',
        b'{"kind":"Secret","spec":' + b"[" * 50_000,
        b'{"kind":"Secret","spec":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
@pytest.mark.parametrize("resource", ["secrets", "pods"])
def test_what_is_no_json_goes_to_nobody(body: bytes, resource: str) -> None:
    mask = SECRETS.answer(resource, "application/json")
    with pytest.raises(CannotMask):
        mask.feed(body)
        mask.close()


def test_a_watch_that_stops_in_an_event_is_not_passed_off_as_whole() -> None:
    mask = SECRETS.answer("secrets", "application/json", watch=True)
    assert mask.feed(event("ADDED", secret())[:-20]) == b""
    with pytest.raises(CannotMask):
        mask.close()


@pytest.mark.parametrize("watch", [False, True])
def test_one_object_has_a_bound(monkeypatch: pytest.MonkeyPatch, watch: bool) -> None:
    monkeypatch.setattr(answers, "OBJECT", 1000)
    mask = SECRETS.answer("secrets", "application/json", watch=watch)
    with pytest.raises(CannotMask):
        for _ in range(100):
            mask.feed(b'{"a":"' + b"x" * 50)
    long = SECRETS.answer("secrets", "application/json")
    monkeypatch.setattr(answers, "BLOCK", 100)
    with pytest.raises(CannotMask):
        long.feed(b'{"kind":"SecretList","items":[')
        for _ in range(100):
            long.feed(b'{"a":"' + b"x" * 50)


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/vnd.kubernetes.protobuf", ""),
        ("application/yaml", ""),
        ("text/plain", ""),
        ("", ""),
        ("application/json;charset=utf-16", ""),
        ("application/json", "gzip"),
        ("application/cbor", ""),
    ],
)
def test_what_masks_cannot_read_is_refused(content_type: str, encoding: str) -> None:
    with pytest.raises(CannotMask):
        SECRETS.answer("secrets", content_type, encoding)


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ("application/vnd.kubernetes.protobuf,application/json", "application/json"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
        ("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"),
        ("application/yaml", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/json;as=Table\r\nX: y", "application/json"),
        ("application/json;stream=watch", "application/json;stream=watch,application/json"),
    ],
)  # fmt: skip
def test_only_json_is_asked_for(wanted: str, sent: str) -> None:
    assert SECRETS.accept(wanted) == sent


# --- fields and detectors


def test_fields_go_by_path_and_through_templates() -> None:
    through_all = masks(MaskRule("env", fields=("*.**.env[*].value", "configmaps.data.*", 'configmaps.data["a.b"]')))
    containers = [{"name": "c", "env": [{"name": "A", "value": VALUE}, {"name": "B", "valueFrom": {"x": "keep"}}]}]
    deployment = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": containers}}, "value": "keep"}}
    out = json.loads(through(through_all, compact(listed("DeploymentList", deployment)), "deployments"))
    env = out["items"][0]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[0]["value"].startswith("masked-by-hooptui.")
    assert env[1] == {"name": "B", "valueFrom": {"x": "keep"}}
    assert out["items"][0]["spec"]["value"] == "keep"
    config = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a.b": VALUE, "n": None}}
    assert VALUE.encode() not in through(through_all, compact(config), "configmaps")
    assert VALUE.encode() in through(masks(MaskRule("x", fields=("pods.data.*",))), compact(config), "configmaps")


def test_a_field_takes_all_below_it_and_marks_what_has_no_room() -> None:
    config = {"kind": "Widget", "metadata": {"name": "w"}, "spec": {"a": {"n": 7, "b": True, "s": "x"}, "c": 1}}
    only = masks(MaskRule("w", fields=("widgets.spec.a",)))
    out = through(only, compact(config), "widgets")
    value = json.loads(out)
    assert value["spec"]["a"]["n"] == 0 and value["spec"]["a"]["b"] is False and value["spec"]["c"] == 1
    assert "hooptui/masked" in value["metadata"]["annotations"]
    assert only.written_back(out)


def test_detectors_look_at_every_string() -> None:
    found = masks(MaskRule("d", detect=("email", "credit-card")))
    pod: dict[str, Any] = {
        "kind": "Pod",
        "spec": {"a": ["me@example.org"], "n": 4111111111111111, "m": 1234},
        "x@example.org": 1,
    }
    value = json.loads(through(found, compact(pod), "pods"))
    assert value["spec"] == {"a": ["████"], "n": 0, "m": 1234}
    assert "x@example.org" not in value
    escaped = rb'{"kind":"Pod","spec":{"a":["m\u0065\u0040example.org"]}}'
    assert b"example" not in through(found, escaped, "pods")


@pytest.mark.parametrize("action", list(MaskAction))
def test_a_masked_secret_is_still_one(action: MaskAction) -> None:
    one = masks(MaskRule("s", secrets=True, action=action))
    data = json.loads(through(one, compact(secret(data={"a": ENCODED, "b": ENCODED})), "secrets"))["data"]
    shown = base64.b64decode(data["a"], validate=True).decode()
    assert shown.startswith("masked-by-hooptui.") and VALUE not in shown
    assert shown.endswith(VALUE[-4:]) is (action is MaskAction.PARTIAL)
    assert data["a"] == data["b"]


def test_only_a_pseudonym_tells_values_apart() -> None:
    for action, apart in ((MaskAction.REDACT, False), (MaskAction.HASH, True)):
        data = secret(data={"a": ENCODED, "b": base64.b64encode(b"another value").decode()})
        out = json.loads(through(masks(MaskRule("s", secrets=True, action=action)), compact(data), "secrets"))["data"]
        assert (out["a"] != out["b"]) is apart


# --- what a recording keeps


def test_a_recording_has_what_was_written_without_its_secrets() -> None:
    for body in (compact(secret(stringData={"p": VALUE})), f"kind: Secret\nstringData:\n  p: {VALUE}\n".encode()):
        shown = SECRETS.recorded(body, "secrets", 10_000)
        assert VALUE not in shown and ENCODED not in shown and "Secret" in shown
    assert SECRETS.recorded(b"k8s\0" + VALUE.encode(), "secrets", 100) == "‹26 bytes›"
    assert SECRETS.recorded(b"", "secrets", 100) == ""
    assert len(SECRETS.recorded(compact({"a": "x" * 500}), "pods", 100)) < 150
    bomb = b"a: &a [x,x]\n" + b"".join(b"b%d: &b%d [*a,*a]\n" % (n, n) for n in range(30))
    assert SECRETS.recorded(bomb, "pods", 100).startswith("‹")
