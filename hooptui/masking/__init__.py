"""Masking: what counts as protected, what it becomes, and how it stays a value of its type."""

from hooptui.masking.masker import SessionMasker, make_masker

__all__ = ["SessionMasker", "make_masker"]
