"""A request as the operation that is asked for, with what masks have against its body. Knows no socket."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from hooptui.core.model import KubernetesFacts, Operation
from hooptui.protocols.kubernetes import operations
from hooptui.protocols.kubernetes.masks import RequestMasks
from hooptui.protocols.kubernetes.request import Request

LONG: Final = 64 * 1024
"""Bytes of body from which it is read on a thread of its own."""


async def read(request: Request, body: bytes, masks: RequestMasks) -> Operation:
    """The operation; one whose body holds what was masked is understood by no rule."""
    if len(body) > LONG:
        # Some hundred thousand fields take a while, in which nobody else should wait.
        return await asyncio.to_thread(_read, request, body, masks)
    return _read(request, body, masks)


def _read(request: Request, body: bytes, masks: RequestMasks) -> Operation:
    operation = operations.read(request, body)
    facts = operation.facts
    if not isinstance(facts, KubernetesFacts) or facts.unknown or not (why := masks.refuses(body)):
        return operation
    verb, text, context = operation.verb, operation.text, operation.context
    return Operation(operation.protocol, verb, text, replace(facts, unknown=why), operation.parameters, context=context)
