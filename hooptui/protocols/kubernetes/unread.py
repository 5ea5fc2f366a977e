"""The one way in which the readers of bodies give up."""

from __future__ import annotations


class Unread(ValueError):
    """A body that is not understood; says why, and quotes nothing of it."""
