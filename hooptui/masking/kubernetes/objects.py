"""One decoded object of Kubernetes with everything that is protected in it replaced, wherever it hides.

A Secret is known by its kind at any depth, in lists and tables, in manifests that strings quote as JSON or YAML; what repeats one of
its values is masked with it. Fields go by path, all other strings by detectors. Knows no bytes of an answer and no socket.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from hooptui.core.model import MaskAction, MaskSet
from hooptui.masking import strategies
from hooptui.masking.kubernetes import fields, sentinel
from hooptui.masking.kubernetes.fields import ITEM, NOWHERE, FieldPattern, Paths
from hooptui.masking.kubernetes.signs import Signs
from hooptui.masking.kubernetes.usual import SECRETS, UsualSecrets
from hooptui.masking.strategies import REDACTED, Ruling
from hooptui.masking.treatments import Net

MAX_DEPTH: Final = 200
"""Levels of an object."""
MAX_QUOTED: Final = 4
"""Levels of manifests within strings of manifests."""
KEYS, KEY = 5000, 64
"""Keys that are remembered to hold nothing, and the characters of the longest of them."""
MARK: Final = "hooptui/masked"
"""Annotation on an object in which a value was masked that has no room for a mark of its own."""

CREDENTIALS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "secrets": (("data",), ("stringdata",)),
    "tokenrequests": (("status", "token"),),
    "tokenreviews": (("spec", "token"),),
    "certificatesigningrequests": (("status", "certificate"),),
}
"""What is a credential by its kind: the paths, keys in lower case since some clients read them so."""

HELM: Final = "sh.helm.release."
_KINDS: Final = frozenset(map("".join, itertools.product("kK", "iI", "nN", "dD")))
_PAYLOAD: Final = frozenset({"data", "stringData"})
_HOLDERS: Final = frozenset({"items", "rows", "object"})
_NAMES: Final = frozenset({"kind", "apiVersion", "type", "name", "namespace", "uid", "resourceVersion", "generateName"})
"""What objects are found by; a value of a Secret that is also its name stays a name."""
_MANIFEST: Final = re.compile(r"""(?mi)^[\s>|-]*["']?kind["']?\s*:\s*["']?Secret(?:List)?\b""")
_KUBECONFIG: Final = re.compile(r"(?m)^\s*client-key-data\s*:\s*\S")
_INVALID: Final = re.compile(r"Invalid value: .*(?=: )|Invalid value: .*", re.DOTALL)

DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class CannotMask(Exception):
    """The masks cannot vouch for these bytes, so nobody may have them. The message is fit for the client."""


@dataclass(slots=True)
class _Inside:
    """What holds for everything below an object."""

    counts: dict[str, int]
    net: Net | None
    """The detectors, where any can find something."""
    owner: dict[str, Any] | None = None
    """The object that a value belongs to."""
    known: tuple[str, ...] = field(default=(), repr=False)
    """Values of the Secret around, as text and as base64."""
    status: bool = False
    """In an error about Secrets, which may quote them."""
    quoted: int = 0


class ObjectMask:
    """The masks of one session over objects."""

    def __init__(self, masks: MaskSet, key: bytes) -> None:
        """Raises:
        ValueError: a field pattern or a detector is unknown.
        """
        self._key = key
        self._secrets: Ruling | None = None
        self._fields: list[tuple[FieldPattern, Ruling]] = []
        self._spared: frozenset[str] = frozenset()
        """Types of Secrets that every rule leaves as they are."""
        rulings: dict[str, Ruling] = {}
        for rule in masks.rules:
            ruling = Ruling(rule.action, rule.id)
            if rule.secrets:
                spared = frozenset(rule.secrets_except)
                self._spared = spared if self._secrets is None else self._spared & spared
                self._secrets = strategies.stronger(self._secrets, ruling)
            self._fields += [(fields.parse(pattern), ruling) for pattern in rule.fields]
            for name in rule.detect:
                rulings[name] = strategies.stronger(rulings.get(name), ruling)
        self._fine: set[str] = set()
        """Keys in which detectors found nothing: objects have the same ones over and over."""
        self._paths = Paths([pattern for pattern, _ in self._fields])
        self._net = Net(rulings, key) if rulings else None
        self._signs = Signs(
            secrets=self._secrets is not None, fields=(pattern for pattern, _ in self._fields), detectors=rulings
        )
        self._usual = self._made_for(self._secrets) if self._secrets is not None else None

    def __bool__(self) -> bool:
        return self._secrets is not None or bool(self._fields) or self._net is not None

    def _made_for(self, ruling: Ruling) -> UsualSecrets:
        same = ruling.action not in (MaskAction.HASH, MaskAction.PARTIAL)
        return UsualSecrets(lambda value: self._stand_in(value, ruling), self._signs, self._spared, same=same)

    # --- a cheap look

    def may_hold(self, data: bytes, resource: str) -> bool:
        """False promises that nothing in these bytes of JSON, of objects kept under `resource`, is masked."""
        return (self._secrets is not None and resource in CREDENTIALS) or self._signs(data, resource)

    # --- the masks

    def at_once(self, data: bytes, resource: str, counts: dict[str, int]) -> bytes | None:
        """The bytes of one object or row, masked without a closer look; None when it needs one, by `apply`."""
        if self._usual is None or self._secrets is None or resource != SECRETS:
            return None
        done = self._usual.masked(data)
        if done is None:
            return None
        after, hidden = done
        if hidden:
            counts[self._secrets.rule] = counts.get(self._secrets.rule, 0) + hidden
        return after

    def detects(self, data: bytes) -> bool:
        """False promises that detectors find nothing in these bytes of JSON."""
        return self._net is not None and self._signs.detects(data)

    def apply(self, value: Any, resource: str, counts: dict[str, int], *, detect: bool = True) -> Any:
        """`value` as msgspec decoded it, masked, mostly in place. `resource` is what an object without a kind is kept under; without
        `detect` detectors have nothing to find.

        Raises:
            CannotMask: it is nested too deep.
        """
        return self._walk(value, resource, NOWHERE, None, _Inside(counts, self._net if detect else None), 0)

    def _walk(self, value: Any, resource: str, state: int, forced: Ruling | None, inside: _Inside, depth: int) -> Any:
        """`state` is that of the fields' paths; `forced` hides whatever is here and below."""
        if state != NOWHERE and (ends := self._paths.ends[state]):
            for number in ends:
                forced = strategies.stronger(forced, self._fields[number][1])
        if isinstance(value, str):
            return self._string(value, "", inside) if forced is None else self._hidden(value, forced, inside)
        if isinstance(value, dict):
            return self._object(value, resource, state, forced, inside, depth + 1)
        if isinstance(value, list):
            if depth > MAX_DEPTH:
                raise CannotMask(f"an object is nested more than {MAX_DEPTH} deep")
            below = self._paths.step(state, ITEM)
            return [self._walk(one, resource, below, forced, inside, depth + 1) for one in value]
        if forced is not None:
            return self._hidden(value, forced, inside)
        if inside.net is not None and isinstance(value, int | Decimal) and not isinstance(value, bool):
            digits = str(value).lstrip("-")
            if len(digits) > 11 and inside.net.number(digits):
                _count(inside.counts, inside.net.fired)
                return 0
        return value

    def _object(
        self, value: dict[str, Any], resource: str, state: int, forced: Ruling | None, inside: _Inside, depth: int
    ) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise CannotMask(f"an object is nested more than {MAX_DEPTH} deep")
        kind = _kind(value)
        below = resource
        untouched: frozenset[str] = frozenset()
        if kind or resource:
            mine = fields.plural(kind) if kind else resource
            # Only the items of lists, the objects of tables and of watches may leave out what they are.
            below = kept_under(kind[:-4], resource) if kind.endswith("List") and kind != "List" else resource
            inside = _Inside(inside.counts, inside.net, value, inside.known, inside.status, inside.quoted)
            inside.status = inside.status or (kind == "Status" and resource == "secrets")
            state = self._paths.begin(state, mine, resource)
            if self._secrets is not None:
                paths = CREDENTIALS.get(mine, ())
                if mine == "configmaps" and _of_helm(value):
                    paths = (("data",), ("binarydata",))
                if mine == "secrets" and self._spared and _is_one(value.get("type"), self._spared):
                    paths, untouched = (), _PAYLOAD
                if paths:
                    inside.known += tuple(self._credentials(value, paths, self._secrets, inside))
        step, ends, net = self._paths.step, self._paths.ends, inside.net
        for key, one in tuple(value.items()):
            next_state = step(state, key) if state != NOWHERE else NOWHERE
            if key in untouched and forced is None and next_state == NOWHERE and _flat(one):
                # Nor by detectors: a release with a hole is none.
                continue
            if isinstance(one, str) and forced is None and not ends[next_state]:
                after: Any = self._string(one, key, inside if key not in _NAMES else _Inside(inside.counts, net, value))
            else:
                inherited = below if below and key.lower() in _HOLDERS else ""
                after = self._walk(one, inherited, next_state, forced, inside, depth)
            if after is not one:
                value[key] = after
        if net is not None:
            self._keys(value, net, inside)
        return value

    def _keys(self, value: dict[str, Any], net: Net, inside: _Inside) -> None:
        """Keys that are themselves values that detectors know."""
        fine = self._fine
        new = [key for key in value if key not in fine]
        if not new:
            return
        if not any(len(key) > 5 and net.text(key) != key for key in new):
            if len(fine) > KEYS:
                fine.clear()
            fine.update(key for key in new if len(key) <= KEY)
            return
        items = tuple(value.items())
        value.clear()
        for key, one in items:
            after = net.text(key)
            if after != key:
                _count(inside.counts, net.fired)
            value[after or ""] = one

    def _credentials(
        self, value: dict[str, Any], paths: Iterable[tuple[str, ...]], ruling: Ruling, inside: _Inside
    ) -> list[str]:
        """Mask what is a credential by its kind; the values, to be looked for elsewhere."""
        found: list[str] = []
        for first, *rest in paths:
            for key in [key for key in value if key.lower() == first]:
                if rest:
                    if isinstance(value[key], dict):
                        found += self._credentials(value[key], [tuple(rest)], ruling, inside)
                    continue
                encoded = key.lower() in ("data", "binarydata", "certificate")
                value[key] = self._replaced(value[key], encoded, ruling, inside, found)
        return found

    def _replaced(self, value: Any, encoded: bool, ruling: Ruling, inside: _Inside, found: list[str]) -> Any:
        if isinstance(value, dict):
            return {key: self._replaced(one, encoded, ruling, inside, found) for key, one in value.items()}
        if isinstance(value, list):
            return [self._replaced(one, encoded, ruling, inside, found) for one in value]
        if value is None:
            return None
        text = value if isinstance(value, str) else str(value)
        plain = sentinel.plain(text) if encoded else text.encode("utf-8", "surrogatepass")
        found += sentinel.known_by(text, plain)
        _count(inside.counts, ruling.rule)
        shown = self._stand_in(plain, ruling)
        return sentinel.encoded(shown) if encoded else shown

    def _stand_in(self, value: bytes, ruling: Ruling) -> str:
        """Never null: an object with a hole would be written back as one without the value."""
        same = ruling.action is MaskAction.HASH
        mark = sentinel.sentinel(value, self._key, same=same)
        if ruling.action is MaskAction.PARTIAL and (keep := min(len(value) // 4, strategies.KEEP)):
            tail = value[-keep:].decode("ascii", "replace")
            return f"{mark}.{tail}" if tail.isalnum() else mark
        return mark

    def _hidden(self, value: Any, ruling: Ruling, inside: _Inside) -> Any:
        if value is None:
            return None
        _count(inside.counts, ruling.rule)
        if isinstance(value, str):
            return self._stand_in(value.encode("utf-8", "surrogatepass"), ruling)
        self._annotate(inside.owner)
        return False if isinstance(value, bool) else 0

    def _annotate(self, owner: dict[str, Any] | None) -> None:
        """Mark an object whose masked value cannot carry a mark, so that it is not written back."""
        if owner is None:
            return
        metadata = owner.setdefault("metadata", {})
        if isinstance(metadata, dict):
            notes = metadata.get("annotations")
            metadata["annotations"] = {
                **(notes if isinstance(notes, dict) else {}),
                MARK: sentinel.sentinel(b"", self._key),
            }

    # --- strings

    def _string(self, text: str, label: str, inside: _Inside) -> str:
        counts = inside.counts
        if self._secrets is not None:
            ruling = self._secrets
            if inside.status and "Invalid value: " in text:
                _count(counts, ruling.rule)
                text = _INVALID.sub(f"Invalid value: {REDACTED}", text)
            if "ecret" in text and _MANIFEST.search(text) and not text.lstrip().startswith(("{", "[")):
                _count(counts, ruling.rule)
                return sentinel.sentinel(text.encode("utf-8", "surrogatepass"), self._key)
            if "client-key-data" in text and _KUBECONFIG.search(text):
                _count(counts, ruling.rule)
                return sentinel.sentinel(text.encode("utf-8", "surrogatepass"), self._key)
        if (self._secrets is not None or self._fields) and text.lstrip()[:1] in ("{", "["):
            text = self._manifest(text, inside)
        if self._secrets is not None and inside.known and any(one in text for one in inside.known):
            _count(counts, self._secrets.rule)
            return sentinel.sentinel(text.encode("utf-8", "surrogatepass"), self._key)
        if inside.net is not None and (after := inside.net.leaf(text, label)) != text:
            _count(counts, inside.net.fired)
            return after or ""
        return text

    def _manifest(self, text: str, inside: _Inside) -> str:
        """A string that quotes JSON, masked as what it quotes."""
        try:
            value = DECODER.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            value = None
        if not isinstance(value, dict | list):
            if self._secrets is not None and "Secret" in text:
                _count(inside.counts, self._secrets.rule)
                return sentinel.sentinel(text.encode("utf-8", "surrogatepass"), self._key)
            return text
        if inside.quoted >= MAX_QUOTED:
            raise CannotMask(f"manifests are quoted in manifests more than {MAX_QUOTED} times over")
        counts: dict[str, int] = {}
        after = self._walk(
            value, "", NOWHERE, None, _Inside(counts, inside.net, None, inside.known, False, inside.quoted + 1), 0
        )
        if not counts:
            return text
        for rule, count in counts.items():
            inside.counts[rule] = inside.counts.get(rule, 0) + count
        return ENCODER.encode(after).decode() + ("\n" if text.endswith("\n") else "")


def _kind(value: dict[str, Any]) -> str:
    if _KINDS.isdisjoint(value):
        return ""
    return next((one for key, one in value.items() if key in _KINDS and isinstance(one, str)), "")


def kept_under(kind: str, resource: str) -> str:
    """The resource of what a list of `kind` holds, asked for as `resource`: the one that hides more."""
    said = fields.plural(kind)
    return said if said in CREDENTIALS or not resource else resource


def _is_one(value: Any, of: frozenset[str]) -> bool:
    return isinstance(value, str) and value in of


def _flat(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _of_helm(value: dict[str, Any]) -> bool:
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        return False
    labels, name = metadata.get("labels"), metadata.get("name")
    return (isinstance(labels, dict) and labels.get("owner") == "helm") or (
        isinstance(name, str) and name.startswith(HELM)
    )


def _count(counts: dict[str, int], rule: str) -> None:
    counts[rule] = counts.get(rule, 0) + 1
