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
        "kind", "Secret", "SecretList", "ConfigMap", "Pod", "data", "password", "spec", "env", "value", "containers", "owner",
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


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (r'{"a":"S\u0065cret"}', True),
        (r'{"a":"\u0026 \u003c \u003e \u00e9"}', False),
        (r'{"a":"kind\\\": \\\"secret"}', True),
        ('{"a":"imagePullSecrets"}', False),
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
