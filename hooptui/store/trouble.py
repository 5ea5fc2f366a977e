"""What a store says when it cannot keep or give back what it was asked for."""

from __future__ import annotations

from hooptui.errors import UserError


class StoreTrouble(UserError):
    """The store cannot be opened, read or written. The message names the file, what was found and what to do; nothing secret."""
