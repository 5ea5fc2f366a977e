"""The schema for editors says of each key what the loader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hooptui.policy.schema import DRAFT, of, schema
from hooptui.strictyaml import load
from tests.policy.making import policy, problems
from tests.policy.test_loader import RULES
from tests.test_strictyaml import plain

SHIPPED = Path(__file__).resolve().parents[2] / "policies"
VALIDATOR = jsonschema.Draft202012Validator(schema())


def valid(text: str) -> bool:
    return VALIDATOR.is_valid(plain(load("version: 1\n" + text)))


def test_it_is_a_schema_of_this_draft() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == DRAFT == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
    assert json.loads(json.dumps(schema())) == schema()


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.name)
def test_what_is_shipped_is_valid(path: Path) -> None:
    VALIDATOR.validate(plain(load(path)))


@pytest.mark.parametrize(("rule", "said"), RULES)
def test_it_agrees_with_the_loader_on_single_keys(rule: str, said: str | None) -> None:
    together = (
        "found approval in", "found grants in", "found an approve without", "found session_max", "found no condition", "found subjects without",
        "without commands", "beside", "a duration from", "without break_glass", "acts alone",
    )  # fmt: skip
    text = f"rules: [{rule[2:]}]"
    if said is None:
        assert valid(text) and policy(text)
    elif any(words in said for words in together):
        assert problems(text), "what goes with what is for the loader"
    else:
        assert not valid(text), said


@pytest.mark.parametrize(
    "text",
    [
        "masks: [{id: m, action: blur}]",
        "masks: [{id: m, action: hash, columns: [A]}]",
        "masks: [{id: m, action: hash, detect: [x]}]",
        "tests: [{name: t}]",
        "tests: [{name: t, request: {resource: r}, expect: denied}]",
        "watches: [{id: w, effect: deny, typed: [a]}]",
        "watches: [{id: w, effect: kill, typed: []}]",
        "rulez: []",
        "rules: [{id: r, effect: approve, when: {}, approval: {by: [a], expires: soon}}]",
        "rules: [{id: r, effect: approve, when: {}, approval: {by: [a], expires: 10}}]",
    ],
)
def test_broken_files_are_not_valid(text: str) -> None:
    assert not valid(text)


def test_patterns_are_fit_for_editors() -> None:
    """Editors use ECMAScript's `u` mode, which refuses escapes of characters that need none."""

    def patterns(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["pattern"]] if isinstance(part.get("pattern"), str) else []
            return own + [found for value in part.values() for found in patterns(value)]
        return [found for value in part for found in patterns(value)] if isinstance(part, list) else []

    found = patterns(schema())
    assert len(found) > 10
    for pattern in found:
        escaped = {pattern[at + 1] for at, char in enumerate(pattern) if char == "\\"}
        assert escaped <= set("sdn.[]*?"), pattern


def test_a_type_that_the_decoder_does_not_know_is_not_guessed() -> None:
    with pytest.raises(TypeError, match="no schema for"):
        of(complex)
