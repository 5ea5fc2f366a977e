"""The three patches that are a function of the object alone: JSON Patch (RFC 6902), JSON merge patch (RFC 7386), strategic merge.

https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/. Knows no store; server-side apply is
elsewhere, because it also needs who owns what.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from hooptui.demo.cluster.merging import SETS, STRATEGIC, below
from hooptui.demo.cluster.objects import Object
from hooptui.demo.cluster.problems import Problem, bad_request

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


def apply(kind: str, obj: Object, body: bytes, message: str | None) -> Object:
    """A patched copy. `kind` is the content type, `message` what the object is in the table of messages, if it is there.

    Raises:
        Problem: the patch is malformed (400) or cannot be applied (422).
    """
    try:
        patch = json.loads(body)
    except ValueError as fault:
        raise bad_request(f"error decoding patch: {fault}") from None
    obj = copy.deepcopy(obj)
    match kind:
        case "application/json-patch+json":
            return json_patch(obj, patch)
        case "application/merge-patch+json":
            merged = merge(obj, patch)
        case _:
            if not isinstance(patch, dict):
                raise bad_request("error decoding patch: it is no object")
            merged = strategic(obj, patch, message)
    if not isinstance(merged, dict):
        raise bad_request("the patched object is no object")
    return merged


# --- RFC 7386


def merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merge(found.get(key), value)
    return found


# --- RFC 6902


def json_patch(obj: Object, steps: Any) -> Object:
    if not isinstance(steps, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    found: Any = obj
    for step in steps:
        try:
            found = _step(found, step)
        except (KeyError, IndexError, TypeError, ValueError):
            raise Problem(422, "Invalid", "the server rejected our request due to an error in our request") from None
    if not isinstance(found, dict):
        raise bad_request("the patched object is no object")
    return found


def _path(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _at(obj: Any, path: list[str]) -> Any:
    for part in path:
        obj = obj[int(part)] if isinstance(obj, list) else obj[part]
    return obj


def _step(root: Any, step: dict[str, Any]) -> Any:
    path = _path(step["path"])
    operation = step["op"]
    if operation == "test":
        if _at(root, path) != step.get("value"):
            raise ValueError("test failed")
        return root
    if operation in ("move", "copy"):
        source = _path(step["from"])
        value = copy.deepcopy(_at(root, source))
        if operation == "move":
            _remove(root, source)
        return _add(root, path, value)
    if operation == "remove":
        _remove(root, path)
        return root
    if operation == "replace":
        if path:
            _at(root, path)
            holder = _at(root, path[:-1])
            if isinstance(holder, list):
                holder[int(path[-1])] = step["value"]
            else:
                holder[path[-1]] = step["value"]
            return root
        return step["value"]
    if operation == "add":
        return _add(root, path, step["value"])
    raise ValueError(operation)


def _add(root: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    holder = _at(root, path[:-1])
    if isinstance(holder, list):
        place = len(holder) if path[-1] == "-" else int(path[-1])
        if place > len(holder):
            raise IndexError(place)
        holder.insert(place, value)
    else:
        holder[path[-1]] = value
    return root


def _remove(root: Any, path: list[str]) -> None:
    holder = _at(root, path[:-1])
    del holder[int(path[-1]) if isinstance(holder, list) else path[-1]]


# --- strategic


def strategic(target: Object, patch: Object, message: str | None) -> Object:
    """Merge with the directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…`."""
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    found = copy.deepcopy(target)
    if "$retainKeys" in patch:
        found = {key: value for key, value in found.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.partition("/")[2]
            found[name] = [one for one in found.get(name) or () if one not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            before = found.get(key)
            found[key] = strategic(before if isinstance(before, dict) else {}, value, below(message, key))
        elif isinstance(value, list):
            found[key] = _list(found.get(key) or [], value, message, key)
        else:
            found[key] = value
    for key, order in patch.items():
        if key.startswith("$setElementOrder/"):
            _order(found, key.partition("/")[2], order, message)
    return found


def _list(before: list[Any], patch: list[Any], message: str | None, name: str) -> list[Any]:
    if (message, name) in SETS:
        return [*before, *(one for one in patch if one not in before)]
    keys = STRATEGIC.get((message or "", name))
    if keys is None or any(one.get("$patch") == "replace" for one in patch if isinstance(one, dict)):
        return [copy.deepcopy(one) for one in patch if not (isinstance(one, dict) and one.get("$patch"))]
    [key] = keys
    found = list(before)
    for one in patch:
        place = next((at for at, old in enumerate(found) if old.get(key) == one.get(key)), None)
        if one.get("$patch") == "delete":
            if place is not None:
                del found[place]
        elif place is None:
            found.append(strategic({}, one, below(message, name)))
        else:
            found[place] = strategic(found[place], one, below(message, name))
    return found


def _order(found: Object, name: str, order: list[Any], message: str | None) -> None:
    items = found.get(name)
    if not isinstance(items, list):
        return
    keys = STRATEGIC.get((message or "", name))
    wanted = [one[keys[0]] if keys and isinstance(one, dict) else one for one in order]

    def place(item: Any) -> int:
        value = item.get(keys[0]) if keys and isinstance(item, dict) else item
        return wanted.index(value) if value in wanted else len(wanted)

    found[name] = sorted(items, key=place)
