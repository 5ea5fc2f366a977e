"""Who set which field: managedFields, kept at every write, and server-side apply, which is decided by them.

https://kubernetes.io/docs/reference/using-api/server-side-apply/. A field is a path of FieldsV1 elements (`f:spec`,
`k:{"name":"web"}`). Knows no store.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any

from hooptui.demo.cluster.merging import APPLIED, DEFAULTS, SETS, below, granular, is_map
from hooptui.demo.cluster.objects import Object, meta, stamp
from hooptui.demo.cluster.problems import Problem

Path = tuple[str, ...]
Paths = dict[Path, Any]
"""Each field with its value; for an item of a keyed list also the item itself (ending in `.`), without one."""

NOT_OWNED = {
    ("f:apiVersion",), ("f:kind",), *(("f:metadata", f"f:{name}") for name in (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
        "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
    ))
}  # fmt: skip


def fields(obj: Object, message: str | None) -> Paths:
    """The fields of an object."""
    return {
        path: value
        for path, value in _walk(obj, message, ())
        if path[:1] not in NOT_OWNED and path[:2] not in NOT_OWNED
    }


def _walk(obj: Any, message: str | None, path: Path) -> Iterator[tuple[Path, Any]]:
    for name, value in obj.items():
        here = (*path, f"f:{name}")
        keys = APPLIED.get((message or "", name))
        if isinstance(value, dict) and value and granular(message, name):
            if is_map(message, name):
                yield (*here, "."), None
            yield from _walk(value, below(message, name), here)
        elif isinstance(value, list) and keys and value:
            yield (*here, "."), None
            for item in value:
                element = (*here, _key(item, keys))
                yield (*element, "."), None
                yield from _walk(item, below(message, name), element)
        elif isinstance(value, list) and (message, name) in SETS:
            yield (*here, "."), None
            for item in value:
                yield (*here, f"v:{json.dumps(item)}"), item
        else:
            yield here, value


def _key(item: Object, keys: Iterable[str]) -> str:
    found = {key: item.get(key, DEFAULTS.get(key)) for key in keys}
    return "k:" + json.dumps(found, separators=(",", ":"), sort_keys=True)


def as_v1(paths: Iterable[Path]) -> Object:
    """FieldsV1: nested by element."""
    root: Object = {}
    for path in sorted(paths):
        here = root
        for element in path:
            here = here.setdefault(element, {})
    return root


def from_v1(tree: Object, path: Path = ()) -> Iterator[Path]:
    for element, more in tree.items():
        if more:
            yield from from_v1(more, (*path, element))
        else:
            yield (*path, element)


def _entry(obj: Object, manager: str, operation: str, subresource: str) -> Object | None:
    for one in meta(obj).get("managedFields") or ():
        if (one["manager"], one["operation"], one.get("subresource", "")) == (manager, operation, subresource):
            return one  # type: ignore[no-any-return]
    return None


def _record(obj: Object, manager: str, operation: str, subresource: str, paths: set[Path]) -> None:
    entries = meta(obj).setdefault("managedFields", [])
    entry = _entry(obj, manager, operation, subresource)
    if not paths:
        if entry is not None:
            entries.remove(entry)
        return
    if entry is None:
        entry = {"manager": manager, "operation": operation, "apiVersion": obj["apiVersion"]}
        entries.append(entry)
        entry["time"] = ""
        entry["fieldsType"], entry["fieldsV1"] = "FieldsV1", {}
        if subresource:
            entry["subresource"] = subresource
    tree = as_v1(paths)
    if entry["fieldsV1"] != tree:
        entry["fieldsV1"], entry["time"] = tree, stamp()


def _take_from_others(obj: Object, manager: str, operation: str, subresource: str, paths: set[Path]) -> None:
    for one in list(meta(obj).get("managedFields") or ()):
        if (one["manager"], one["operation"], one.get("subresource", "")) == (manager, operation, subresource):
            continue
        owned = set(from_v1(one["fieldsV1"]))
        if owned & paths:
            _record(obj, one["manager"], one["operation"], one.get("subresource", ""), owned - paths)


def updated(before: Object | None, after: Object, manager: str, message: str | None, subresource: str = "") -> None:
    """Note in `after` that a manager made it of `before`."""
    old = fields(before, message) if before is not None else {}
    new = fields(after, message)
    meta(after)["managedFields"] = copy.deepcopy(meta(before).get("managedFields", [])) if before is not None else []
    status = subresource == "status"
    changed = {
        path
        for path, value in new.items()
        if (path not in old or old[path] != value) and (status or path[0] != "f:status" or before is None)
    }
    gone = set(old) - set(new)
    _take_from_others(after, manager, "Update", subresource, {one for one in changed if one[-1] != "."} | gone)
    entry = _entry(after, manager, "Update", subresource)
    owned = set(from_v1(entry["fieldsV1"])) if entry else set()
    _record(after, manager, "Update", subresource, (owned | changed) - gone)
    if not meta(after)["managedFields"]:
        del meta(after)["managedFields"]


# --- apply


def applied(
    live: Object | None, wanted: Object, manager: str, message: str | None, *, force: bool, subresource: str = ""
) -> Object:
    """What applying a configuration makes of the live object, managers noted.

    Raises:
        Problem: others own fields that it sets to something else (409), unless forced.
    """
    mine = fields(wanted, message)
    if live is None:
        made = copy.deepcopy(wanted)
        meta(made).pop("managedFields", None)
        _record(made, manager, "Apply", subresource, set(mine))
        return made
    now = fields(live, message)
    conflicts: list[tuple[Object, Path]] = []
    for one in meta(live).get("managedFields") or ():
        if one["manager"] == manager and one["operation"] == "Apply":
            continue
        for path in from_v1(one["fieldsV1"]):
            if path in mine and path[-1] != "." and now.get(path) != mine[path]:
                conflicts.append((one, path))
    if conflicts and not force:
        raise _conflicts(conflicts)
    entry = _entry(live, manager, "Apply", subresource)
    before = set(from_v1(entry["fieldsV1"])) if entry else set()
    made = copy.deepcopy(live)
    dropped = before - set(mine)
    others = {
        path for one in meta(live).get("managedFields") or () if one is not entry for path in from_v1(one["fieldsV1"])
    }
    for path in sorted(dropped - others, key=len, reverse=True):
        _drop(made, path)
    made = _overlay(
        made, {key: value for key, value in wanted.items() if key != "status"} if not subresource else wanted, message
    )
    if conflicts:
        _take_from_others(made, manager, "Apply", subresource, {path for _, path in conflicts})
    _record(made, manager, "Apply", subresource, set(mine))
    return made


def _overlay(live: Object, wanted: Object, message: str | None) -> Object:
    found = dict(live)
    for name, value in wanted.items():
        if name == "managedFields":
            continue
        keys = APPLIED.get((message or "", name))
        old = found.get(name)
        if isinstance(value, dict) and isinstance(old, dict) and granular(message, name):
            found[name] = _overlay(old, value, below(message, name))
        elif isinstance(value, list) and isinstance(old, list) and keys:
            items = list(old)
            for item in value:
                place = next((at for at, one in enumerate(items) if _key(one, keys) == _key(item, keys)), None)
                if place is None:
                    items.append(copy.deepcopy(item))
                else:
                    items[place] = _overlay(items[place], item, below(message, name))
            found[name] = items
        elif isinstance(value, list) and isinstance(old, list) and (message, name) in SETS:
            found[name] = [*old, *(one for one in value if one not in old)]
        else:
            found[name] = copy.deepcopy(value)
    return found


def _drop(obj: Any, path: Path) -> None:
    *way, last = path
    if last == ".":
        *way, last = way
    for element in way:
        obj = _into(obj, element)
        if obj is None:
            return
    if last.startswith("f:") and isinstance(obj, dict):
        value = obj.get(last[2:])
        if path[-1] != "." or not value:
            obj.pop(last[2:], None)
    elif isinstance(obj, list):
        wanted = _into(obj, last)
        if wanted is not None:
            obj.remove(wanted)


def _into(obj: Any, element: str) -> Any:
    if element.startswith("f:"):
        return obj.get(element[2:]) if isinstance(obj, dict) else None
    if not isinstance(obj, list):
        return None
    value = json.loads(element[2:])
    if element.startswith("v:"):
        return value if value in obj else None
    return next(
        (one for one in obj if all(one.get(key, DEFAULTS.get(key)) == part for key, part in value.items())), None
    )


def _text(path: Path) -> str:
    """A path as conflicts show it: `.spec.replicas`, `.spec.containers[name="web"].image`."""
    text = ""
    for element in path:
        if element.startswith("f:"):
            text += "." + element[2:]
        elif element.startswith("k:"):
            pairs = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(element[2:]).items())
            text += f"[{pairs}]"
    return text


def _conflicts(found: list[tuple[Object, Path]]) -> Problem:
    causes = []
    by: dict[str, list[str]] = {}
    for entry, path in found:
        manager = f'"{entry["manager"]}"'
        if entry["operation"] == "Update":
            manager += f" using {entry['apiVersion']}"
        if entry.get("subresource"):
            manager = f'"{entry["manager"]}" with subresource "{entry["subresource"]}" using {entry["apiVersion"]}'
        by.setdefault(manager, []).append(_text(path))
        causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": _text(path)})
    lines = []
    for manager, texts in sorted(by.items()):
        lines += (
            [f"conflict with {manager}: {texts[0]}"]
            if len(texts) == 1
            else [f"conflicts with {manager}:", *(f"- {text}" for text in sorted(texts))]
        )
    count = f"Apply failed with {len(found)} conflict{'s' if len(found) > 1 else ''}: "
    return Problem(409, "Conflict", count + "\n".join(lines), {"causes": causes})
