"""The one look before anything is decoded: it may doubt too much, never too little, whichever engine looks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import MaskRule, MaskSet
from hooptui.masking.kubernetes import signs
from hooptui.masking.kubernetes.fields import parse
from hooptui.masking.kubernetes.objects import DECODER, ENCODER, ObjectMask
from hooptui.masking.kubernetes.signs import Signs
from hooptui.masking.prefilter import PythonScreen, screen_of
from tests.masking.kubernetes.leaks import LEAKS, compact, secret

KEY = bytes(range(32))
RULES = (
    MaskRule("s", secrets=True),
    MaskRule("f", fields=("configmaps.data.*", "*.**.password", "pods.spec.containers[*].env[*].value")),
    MaskRule("d", detect=("credit-card", "jwt", "email")),
)
ENGINES = {"chosen": screen_of, "python": PythonScreen}


@pytest.fixture(params=sorted(ENGINES))
def masks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ObjectMask:
    monkeypatch.setattr(signs, "screen_of", ENGINES[request.param])
    return ObjectMask(MaskSet(RULES), KEY)


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_each_way_to_a_secret_shows_a_sign(leak: Any, masks: ObjectMask) -> None:
    assert masks.may_hold(leak.body, leak.resource)


WORDS = st.sampled_from(
    [
        "kind", "Secret", "SecretList", "SecretStore", "secret", "KIND", "kind: SecretList", "kind: Secret\tx", "kind: SecretStore", "ConfigMap", "Pod", "data", "password", "spec", "env", "value", "containers", "owner",
        "helm", "labels", "metadata", "name", "sh.helm.release.v1.x", '{"kind":"Secret","data":{"a":"czNjcjN0"}}',
        "kind: Secret\ndata:\n  a: czNjcjN0\n", "client-key-data: QUJDREVG", "4242 4242 4242 4242", "ops@example.com", "x",
    ]
)  # fmt: skip
OBJECTS = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=14
).filter(lambda value: not isinstance(value, str))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(OBJECTS, st.sampled_from(["pods", "configmaps", "secrets", "widgets", ""]), st.sampled_from(sorted(ENGINES)))
def test_what_masks_would_change_shows_a_sign(value: Any, resource: str, engine: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signs, "screen_of", ENGINES[engine])
        masks = ObjectMask(MaskSet(RULES), KEY)
    body = json.dumps(value).encode()
    after = ENCODER.encode(masks.apply(DECODER.decode(body), resource, counts := {}))
    if counts or json.loads(after) != value:
        assert masks.may_hold(body, resource)


AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlc2ln"
PIECES = st.sampled_from(
    [
        "secret", "Secret", "\u017fecret", "access", "acce\u017fs", "key", "\u212aey", "_", "-", " ", "=", "=>", ":", "'", '"', "\n", "\t", "\u00a0",
        "\u2003", "\x1c", "|", "{", '{"secretKey": "', "}", "x", "é", AWS, AWS[:-1], AWS + "=", AWS[:20], JWT, "e" + JWT, JWT[:-20], "ewogImFsZyI6MX0.a.b",
        "ew-ew-ew-ew-ew-ew-ew-ew-ew-ew.a.b", "review-service", ".", "-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE", " KEY-----", "MIIB",
        "PuTTY-User-Key-File-2:", "AKIAIOSFODNN7EXAMPLE", "me@example.org", "é@ü.de", "@", "a@b", "o\u2019x@münchen.example", "@sha256:", "example.org",
    ]
)  # fmt: skip
WORD = st.tuples(
    st.sampled_from(["secret", "SECRET", "\u017fecret", "secret", "my-secret"]),
    st.sampled_from(["", "_", " "]),
    st.sampled_from(["", "access", "acce\u017fs_"]),
    st.sampled_from(["", "key", "\u212aey"]),
).map("".join)
BEHIND = st.tuples(
    st.sampled_from(["", '"', "\t"]),
    st.sampled_from(["=", ":", "=>", "\n", "\u2003", "\x1c", "|>", ",\t"]),
    st.sampled_from(["", '"', " '", "`"]),
    st.sampled_from([AWS, AWS, AWS + '"', AWS + "=", "x" + AWS]),
).map("".join)
TEXTS = st.lists(PIECES, max_size=7).map("".join) | st.builds(str.__add__, WORD, BEHIND)
LABELLED = st.sampled_from(["secret", "aws-secret_access_Key", "SECRET\u212aey", "secret ", "x", ""])
NEARLY = st.recursive(
    TEXTS | st.builds(lambda label, text: {label: text}, LABELLED | WORD | TEXTS, TEXTS | BEHIND | st.just(AWS)),
    lambda inner: st.lists(inner, max_size=2) | st.builds(json.dumps, inner) | st.builds(lambda one: json.dumps(one, indent=1, ensure_ascii=False), inner),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=600, deadline=None, derandomize=True)
@given(NEARLY, st.booleans(), st.sampled_from([None, 1]), st.booleans(), st.sampled_from(sorted(ENGINES)))
def test_what_detectors_find_shows_a_sign(
    value: Any, ascii_only: bool, indent: int | None, like_go: bool, engine: str
) -> None:
    rules = (MaskRule("s", secrets=True), MaskRule("d", detect=("api-key", "jwt", "private-key", "email")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signs, "screen_of", ENGINES[engine])
        masks = ObjectMask(MaskSet(rules), KEY)
    body = json.dumps({"spec": value}, ensure_ascii=ascii_only, indent=indent)
    if like_go:
        body = body.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
    after = masks.apply(DECODER.decode(body), "pods", counts := {})
    if counts or after != json.loads(body):
        assert masks.may_hold(body.encode(), "pods")
    if not masks.detects(body.encode()):
        assert (masks.apply(DECODER.decode(body), "pods", without := {}, detect=False), without) == (after, counts)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_a_pod_that_speaks_of_secrets_shows_no_sign(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signs, "screen_of", ENGINES[engine])
    looks = Signs(secrets=True, fields=(), detectors=("api-key", "jwt", "private-key", "email"))
    name = {"secretKeyRef": {"name": "review-service", "key": "p"}}
    digest = "registry.example/app@sha256:" + "0123456789abcdef" * 4
    spec = {
        "env": [{"name": "P", "valueFrom": name}],
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "image": digest,
    }
    pod = {"kind": "Pod", "spec": spec, "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nMIIB"}}  # fmt: skip
    assert not looks(json.dumps(pod, separators=(",", ":")).encode(), "pods")
    assert not looks(json.dumps(pod, indent=2).encode(), "pods")
    slashed = json.dumps({"secretKey": AWS}).replace("/", r"\/")
    assert looks(slashed.encode(), "pods")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (r'{"a":"S\u0065cret"}', True),
        (r'{"a":"\u0026 \u003c \u003e \u00e9"}', False),
        (r'{"a":"kind\\\": \\\"secret"}', True),
        ('{"a":"imagePullSecrets"}', False),
        ('{"kind":"SecretStore"}', False),
        ('{"a":"kind: SecretStore"}', False),
        ('{"kind":"Secret"}', True),
        (r'{"a":"{\"b\":\"{\\\"kind\\\":\\n\\\"Secret\\\"}\"}"}', True),
        ('{"a":"app@sha256:0123456789abcdef","b":"a@b"}', False),
        ('{"a":"me@münchen.example"}', True),
        (r'{"a":"me@m\u00fcnchen.example"}', True),
        ('{"kind" :\n "SecretList"}', True),
        ('{"a":"kind: Secret"}', True),
        (r'{"a":"kind: Secret\n"}', True),
        (r'{"a":"{\"kind\":\"Secret\"}"}', True),
        (r'{"a":"{\"a\":\"{\\\"kind\\\":\\\"SecretList\\\"}\"}"}', True),
        ('{"labels":{"helm.sh/chart":"a"}}', False),
        ('{"kind":"ConfigMap","labels":{"owner" : "helm"}}', True),
        (r'{"a":"{\"labels\":{\"owner\":\n\"helm\"}}"}', True),
        ('{"kind":"ConfigMap","metadata":{"name":"sh.helm.release.v1.web.v1"}}', True),
        ('{"kind":"Pod","spec":{"containers":[{"env":[{"name":"A","value":"b"}]}]}}', True),
        ('{"kind":"Node","spec":{"containers":[{"env":[{"name":"A","value":"b"}]}]}}', False),
        ('{"kind":"Node","password":""}', True),
    ],
)
def test_what_is_a_sign(text: str, seen: bool, masks: ObjectMask) -> None:
    assert masks.may_hold(text.encode(), "nodes") is seen


def test_each_rule_looks_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Signs(secrets=False, fields=(), detectors=())
    assert not nothing(compact(secret()), "secrets")
    only = Signs(secrets=False, fields=(parse("configmaps.data.*"),), detectors=())
    assert only(b'{"data":{}}', "configmaps")
    assert only(b'{"KIND":"configMAP","data":{}}', "pods")
    assert not only(b'{"data":{}}', "pods")
