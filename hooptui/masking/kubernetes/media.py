"""What is asked of an API server and what is taken from it, so that masks see every byte of an answer: JSON, and not compressed."""

from __future__ import annotations

import re
from typing import Final

JSON: Final = "application/json"
_PARAMETERS: Final = frozenset({"as", "v", "g", "stream", "q"})
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+")


def accept(wanted: str) -> str:
    """The Accept header to send in place of the client's: its ranges of JSON, tables among them, in its order; plain JSON without any.

    Clients that put protobuf first read JSON as well; the answer says what it is.
    """
    kept: list[str] = []
    for part in wanted.split(","):
        name, *parameters = (one.strip() for one in part.split(";"))
        if name.lower() == JSON:
            pairs = [one.partition("=") for one in parameters]
            said = [f"{key.strip().lower()}={value.strip()}" for key, _, value in pairs if _known(key, value)]
            kept.append(";".join([JSON, *said]))
    if not any(";" not in one for one in kept):
        # A server that makes no tables of this resource still has to answer with something.
        kept.append(JSON)
    return ",".join(dict.fromkeys(kept))


def _known(key: str, value: str) -> bool:
    return key.strip().lower() in _PARAMETERS and _TOKEN.fullmatch(value.strip()) is not None


def is_json(content_type: str) -> bool:
    """Whether an answer says that it is JSON in UTF-8, whatever it holds."""
    name, *parameters = (one.strip().lower() for one in content_type.split(";"))
    charset = next((one[8:].strip('"') for one in parameters if one.startswith("charset=")), "utf-8")
    return name == JSON and charset in ("utf-8", "us-ascii")
