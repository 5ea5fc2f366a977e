"""The masks of one session on a cluster, as the gateway uses them: what to ask for, what to let out, what not to let in."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import yaml

from hooptui.core.gate import Masked
from hooptui.core.model import MaskSet
from hooptui.masking.kubernetes import media, sentinel
from hooptui.masking.kubernetes.answers import BodyMask, Watch, Whole
from hooptui.masking.kubernetes.objects import DECODER, ENCODER, CannotMask, ObjectMask

YAML: Final = 256 * 1024
"""Bytes of YAML that are read for a recording; its parser is slow."""


class ClusterMasks:
    """See the module. Without masks that concern objects it is false, and nothing needs to pass through it."""

    def __init__(self, masks: MaskSet, key: bytes) -> None:
        """`key` is the gateway's 32 secret bytes behind masks.

        Raises:
            ValueError: a field pattern or a detector is unknown.
        """
        self._objects = ObjectMask(masks, key)
        self._key = key

    def __bool__(self) -> bool:
        return bool(self._objects)

    def accept(self, wanted: str) -> str:
        """The Accept header to send upstream in place of the client's; with it goes `Accept-Encoding: identity`."""
        return media.accept(wanted)

    def answer(self, resource: str, content_type: str, encoding: str = "", *, watch: bool = False) -> BodyMask:
        """The masks over one answer about objects kept under `resource`; `encoding` is its Content-Encoding.

        Raises:
            CannotMask: they cannot read what it says that it is; the client gets 406 in its place.
        """
        if encoding.strip().lower() not in ("", "identity"):
            raise CannotMask("the API server compressed its answer, which masks cannot read")
        if not media.is_json(content_type):
            raise CannotMask("the API server answered with something else than JSON, which masks cannot read")
        return Watch(self._objects, resource) if watch else Whole(self._objects, resource)

    def written_back(self, body: bytes) -> bool:
        """Whether a client writes back what was masked for it, which would destroy the value."""
        return sentinel.found(body, self._key)

    def recorded(self, body: bytes, resource: str, limit: int) -> Masked:
        """A body for people, at most `limit` characters: with its Secrets masked, whoever sent it. What is not understood is shown by
        its size alone."""
        size = len(body)
        documents = _documents(body)
        if documents is None:
            return Masked(f"‹{size} bytes›") if size else Masked("")
        try:
            shown = [ENCODER.encode(self._objects.apply(one, resource, {})).decode() for one in documents]
        except CannotMask:
            return Masked(f"‹{size} bytes›")
        text = "\n".join(shown)
        return Masked(text if len(text) <= limit else f"{text[:limit]}… ‹{len(text) - limit} characters more›")


def _documents(body: bytes) -> list[Any] | None:
    """The documents of a body in JSON or YAML; None for anything else."""
    try:
        return [DECODER.decode(body)]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass  # then it may be YAML
    if not body.strip() or len(body) > YAML or b"\0" in body:
        return None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, loader)):
            return None  # a few of them make any size of document
        # As JSON again, so that dates and the like become what is shown.
        found = [one for one in yaml.load_all(body, loader) if isinstance(one, dict | list)]
        return [DECODER.decode(json.dumps(one, default=str)) for one in found] or None
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError, TypeError):
        return None
