"""Which of PostgreSQL's own functions are known to be free of effects, from functions.txt. Knows no parse tree."""

from __future__ import annotations

from importlib import resources
from typing import Final


def _load() -> dict[str, frozenset[str]]:
    sections: dict[str, frozenset[str]] = {}
    title = ""
    for line in resources.files(__package__).joinpath("functions.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            title = line.strip("[]")
            sections[title] = frozenset()
        elif line and not line.startswith("#"):
            sections[title] |= frozenset(line.split())
    return sections


SECTIONS: Final = _load()
"""Section title to names, as the file has them."""

SCHEMA_FREE: Final = SECTIONS["free: of information_schema"]
FREE: Final = (
    frozenset[str]().union(*(names for title, names in SECTIONS.items() if title.startswith("free:"))) - SCHEMA_FREE
)
"""Functions of pg_catalog that neither change anything nor read what the text does not name."""

FIELDS: Final = SECTIONS["fields"]
"""Names of output columns of built-in functions."""

SAMPLERS: Final = frozenset({"bernoulli", "system"})
"""The built-in TABLESAMPLE methods."""


def is_free(names: tuple[str, ...]) -> bool:
    """Whether a call by these name parts is known to be free of effects.

    A bare name is taken for the built-in. A schema earlier on the search path, or an overload for other argument types, may
    hold a function of that name as well: creating one, or setting such a path, is an effect of its own (`code`, `set`).
    """
    match names:
        case (name,) | ("pg_catalog", name):
            return name in FREE
        case ("information_schema", name):
            return name in SCHEMA_FREE
        case _:
            return False
