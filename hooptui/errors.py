"""The one exception that ends a command with a sentence and exit status 2."""

from __future__ import annotations


class UserError(Exception):
    """Something only the user can mend. The message says where, what was found and what was expected."""
