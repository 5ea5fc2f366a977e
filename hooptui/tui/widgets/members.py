"""The objects that one review covers, for whoever reviews them. Pure functions over HeldView and what its review knows; knows no desk."""

from __future__ import annotations

from collections.abc import Sequence

from hooptui.core.desk import HeldView, Review
from hooptui.core.gate import Masked
from hooptui.tui.text import Row, clean, many, spot, wrap_row

LONGEST = 600
"""Characters of one object's name: a namespace, a kind and a name, which API servers keep shorter."""


def members(one: HeldView, review: Review | None) -> tuple[Masked, ...]:
    """All of them, or until the review is there the first."""
    return review.members if review is not None and review.members else one.members


def member_rows(one: HeldView, review: Review | None, cells: int) -> list[Row]:
    """How many and which; what they all have in front is said once."""
    if not one.group:
        return []
    names = members(one, review)
    ahead = shared(names)
    head = f"these {one.group}{f' of {ahead}' if ahead else ''}: "
    missing = one.group - len(names)
    listed = ", ".join(clean(name, LONGEST)[len(ahead) :] for name in names) + (f" … and {missing}" if missing else "")
    return [(("  ", ""), *row) for row in wrap_row(((head, "held"), *spot(listed, "sql")), max(10, cells - 3))]


def member_list(review: Review, number: int) -> tuple[str, list[Row]]:
    """Title and rows of the whole list, a line each."""
    rows: list[Row] = [
        ((f"{at:>5}  ", "faint"), *spot(clean(name, LONGEST), "text")) for at, name in enumerate(review.members, 1)
    ]
    if review.more:
        rows.append((("       its client knows of others: they are not covered", "warn"),))
    return f"Review #{number}: {many(len(review.members), 'object')}", rows


def shared(names: Sequence[str]) -> str:
    """What all of these begin with, up to a slash: `web/deployments.apps/`."""
    heads = {clean(name, LONGEST).rpartition("/")[0] for name in names}
    return f"{heads.pop()}/" if len(heads) == 1 and "" not in heads else ""
