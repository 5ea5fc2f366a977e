"""Which columns a mask rule means: globs over `column`, `table.column` and `schema.table.column`. Knows no values."""

from __future__ import annotations

import fnmatch
import functools
import re
from dataclasses import dataclass

from hooptui.core.model import Column


@dataclass(frozen=True, slots=True)
class ColumnPattern:
    """One parsed pattern."""

    column: re.Pattern[str]
    table: re.Pattern[str] | None
    """None when any table will do."""
    schema: re.Pattern[str] | None

    def covers(self, column: Column) -> bool:
        """Whether the column is meant, by the name it goes by or by its true source.

        A name alone decides when the pattern asks for no particular table, and also when nobody can tell where the column
        comes from: `ssn::text` keeps the name `ssn` and loses its source, and `customers.ssn` has to cover it.
        """
        source = column.source
        by_name = self.column.fullmatch(_fold(column.name)) is not None
        if source is None:
            return by_name
        if by_name and self.table is None and self.schema is None:
            return True
        return (
            self.column.fullmatch(_fold(source.column)) is not None
            and (self.table is None or self.table.fullmatch(_fold(source.table)) is not None)
            and (self.schema is None or self.schema.fullmatch(_fold(source.schema)) is not None)
        )


@functools.lru_cache(maxsize=4096)
def parse(pattern: str) -> ColumnPattern:
    """Read one pattern; `*`, `?` and `[…]` work within each part, and case never matters.

    Raises:
        ValueError: it is empty, has an empty part or more than three.
    """
    parts = pattern.split(".")
    if len(parts) > 3 or not all(part.strip() for part in parts):
        raise ValueError(f"column pattern {pattern!r}: expected column, table.column or schema.table.column")
    schema, table = (None if part == "*" else _glob(part) for part in ["*"] * (3 - len(parts)) + parts[:-1])
    return ColumnPattern(_glob(parts[-1]), table, schema)


def _glob(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(_fold(part.strip())))


def _fold(name: str) -> str:
    return name.casefold()
