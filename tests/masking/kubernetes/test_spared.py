"""Types of Secrets that a rule leaves as they are: those alone, whole, and only where every rule says so."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from hooptui.core.model import MaskRule, MaskSet
from hooptui.masking.kubernetes.masks import ClusterMasks
from tests.masking.kubernetes.leaks import VALUE, applied, compact, event, listed, secret, shows

KEY = bytes(range(32))
TYPE = "helm.sh/release.v1"
SPARING = MaskRule("sparing", secrets=True, secrets_except=(TYPE, "example.com/other"))
PACKED = base64.b64encode(base64.b64encode(gzip.compress(f'{{"password":"{VALUE}"}}'.encode()))).decode()


def release(**more: Any) -> dict[str, Any]:
    return secret("sh.helm.release.v1.web.v1", **{"type": TYPE, "data": {"release": PACKED}, **more})


def through(body: Any, *rules: MaskRule, resource: str = "secrets", watch: bool = False) -> bytes:
    mask = ClusterMasks(MaskSet(rules), KEY).answer(resource, "application/json", watch=watch)
    return mask.feed(compact(body)) + mask.close()


def test_a_release_passes_whole_and_the_secret_beside_it_does_not() -> None:
    assert json.loads(through(release(), SPARING)) == release()
    out = json.loads(through(listed("SecretList", release(), secret()), SPARING))["items"]
    assert out[0] == release()
    assert not shows(compact(out[1]))
    assert json.loads(through(json.loads(event("ADDED", release())), SPARING, watch=True))["object"] == release()


@pytest.mark.parametrize(
    "body",
    [
        release(type="Opaque"),
        release(type=[TYPE]),
        release(type=None),
        {**release(type=""), "Type": TYPE},
        {"kind": "TokenRequest", "type": TYPE, "status": {"token": VALUE}},
        applied(secret(type=""), kind="Pod"),
        {**secret(), "metadata": {"name": "sh.helm.release.v1.web.v1", "labels": {"owner": "helm", "type": TYPE}}},
        {"kind": "ConfigMap", "type": TYPE, "metadata": {"name": "sh.helm.release.v1.web.v1"}, "data": {"release": PACKED}},
    ],
    ids=range(8),
)  # fmt: skip
def test_what_only_looks_like_one_does_not(body: Any) -> None:
    assert shows(compact(body))
    resource = "tokenrequests" if body["kind"] == "TokenRequest" else "secrets"
    assert not shows(through(body, SPARING, resource=resource))


def test_every_rule_has_to_say_so() -> None:
    assert not shows(through(release(), SPARING, MaskRule("all", secrets=True)))
    assert not shows(through(release(), MaskRule("all", secrets=True), SPARING))
    assert not shows(through(release(), SPARING, MaskRule("b", secrets=True, secrets_except=("example.com/other",))))
    assert shows(through(release(), SPARING, MaskRule("b", secrets=True, secrets_except=(TYPE,))))


def test_a_detector_makes_no_hole_in_it_and_a_field_that_is_named_does() -> None:
    card = release()
    card["data"] = {"release": "4242424242424242"}
    card["metadata"]["labels"] = {"card": "4242424242424242"}
    out = json.loads(through(card, SPARING, MaskRule("d", detect=("credit-card",))))
    assert out["data"] == card["data"]
    assert "4242" not in str(out["metadata"]["labels"])
    assert not shows(through(release(), SPARING, MaskRule("f", fields=("secrets.data.*",))))
