"""A value that must never be seen: passwords, tokens, private keys."""

from __future__ import annotations

import hmac
from typing import NoReturn, final


@final
class Secret:
    """Opaque text. Cannot be printed, formatted, pickled or compared except in constant time."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The value itself; call it only where the wire needs it, and keep no copy."""
        return self.__value

    def matches(self, other: str) -> bool:
        return hmac.compare_digest(self.__value.encode(), other.encode())

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __len__(self) -> int:
        return len(self.__value)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other.reveal())

    __hash__ = None  # type: ignore[assignment]  # a secret is no key
