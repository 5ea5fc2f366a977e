"""The verbs on objects: create, get, list, update, patch, delete, deletecollection; dry-run, conflicts and finalizers included.

Knows the store and the rules; knows no HTTP beyond a `Call`, and no representation.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass

from hooptui.demo.cluster import bodies, defaults, ownership, patches
from hooptui.demo.cluster.bodies import Options
from hooptui.demo.cluster.call import Call
from hooptui.demo.cluster.conversions import inward, outward
from hooptui.demo.cluster.kinds import Kind
from hooptui.demo.cluster.objects import Object, Test, dig, field_test, label_test, meta, name_of, stamp
from hooptui.demo.cluster.problems import (
    Problem,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    gone,
    not_found,
    unsupported_media,
)
from hooptui.demo.cluster.protobuf import message_for
from hooptui.demo.cluster.store import Store

ECHOED = {
    "pods",
    "services",
    "serviceaccounts",
    "persistentvolumeclaims",
    "persistentvolumes",
    "podtemplates",
    "resourcequotas",
}
"""Kinds whose DELETE answers with the object; the others answer with a Status."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a request is about."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def everything(_: Object) -> bool:
    return True


class Resources:
    """See the module. `settle` is called after every write, so that controllers act on it."""

    def __init__(self, store: Store, settle: Callable[[], None]) -> None:
        self.store = store
        self._settle = settle

    # --- reading

    def get(self, place: Place) -> Object:
        found = self.store.get(place.kind.key, place.namespace, place.name)
        if found is None:
            raise not_found(place.kind, place.name)
        return outward(found, place.kind)

    def list(self, place: Place, call: Call) -> Object:
        """A list, or a page of one."""
        test = selector(place, call)
        found = [one for one in self.store.all(place.kind.key, place.namespace) if test(one)]
        metadata: Object = {"resourceVersion": str(self.store.version)}
        start, version = _continued(call.asked("continue"))
        if start:
            metadata["resourceVersion"] = version
            found = [one for one in found if f"{meta(one).get('namespace', '')}/{name_of(one)}" > start]
        limit = int(call.asked("limit") or 0)
        if 0 < limit < len(found):
            last = found[limit - 1]
            token = {
                "v": "meta.k8s.io/v1",
                "rv": metadata["resourceVersion"],
                "start": f"{meta(last).get('namespace', '')}/{name_of(last)}",
            }
            metadata["continue"] = base64.urlsafe_b64encode(json.dumps(token).encode()).decode()
            if not call.asked("labelSelector") and not call.asked("fieldSelector"):
                metadata["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        kind = place.kind
        items = [outward(one, kind) for one in found]
        if not kind.custom:
            # Typed lists leave their items' kind out.
            items = [{key: value for key, value in one.items() if key not in ("kind", "apiVersion")} for one in items]
        return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}

    # --- writing

    def create(self, place: Place, obj: Object, how: Options) -> Object:
        kind = place.kind
        bodies.must_be(obj, kind)
        if how.strict:
            bodies.must_be_known(obj, kind)
        obj = inward(copy.deepcopy(obj), kind)
        metadata = meta(obj)
        self._fits_namespace(place, metadata)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{self.store.suffix()}"
        for name in ("resourceVersion", "selfLink", "deletionTimestamp", "managedFields"):
            metadata.pop(name, None)
        metadata["uid"], metadata["creationTimestamp"] = self.store.uid(), stamp()
        if kind.namespaced:
            metadata["namespace"] = place.namespace
            self._must_live(place)
        if "status" in kind.subresources and kind.plural not in ("nodes", "namespaces"):
            obj.pop("status", None)
        if _has_generation(kind):
            metadata["generation"] = 1
        defaults.fill(kind, obj)
        defaults.check(kind, obj)
        if self.store.get(kind.key, place.namespace, metadata["name"]) is not None:
            raise already_exists(kind, metadata["name"])
        ownership.updated(None, obj, how.manager, _message(kind))
        return self._write(kind, obj, how)

    def update(self, place: Place, obj: Object, how: Options) -> Object:
        """PUT; creates nothing."""
        kind = place.kind
        bodies.must_be(obj, kind)
        if how.strict:
            bodies.must_be_known(obj, kind)
        obj = inward(copy.deepcopy(obj), kind)
        if name_of(obj) and name_of(obj) != place.name:
            raise bad_request(
                f"the name of the object ({name_of(obj)}) does not match the name on the URL ({place.name})"
            )
        self._fits_namespace(place, meta(obj))
        return self._replace(place, obj, how)

    def patch(self, place: Place, call: Call, how: Options) -> Object:
        """Any of the four patches; server-side apply may create."""
        kind, media = place.kind, bodies.media_type(call)
        if media == patches.APPLY_PATCH:
            return self._apply(place, bodies.parse(call), call, how)
        if media not in (patches.JSON_PATCH, patches.MERGE_PATCH, patches.STRATEGIC_PATCH) or (
            media == patches.STRATEGIC_PATCH and kind.custom
        ):
            served = [patches.JSON_PATCH, patches.MERGE_PATCH, patches.APPLY_PATCH]
            raise unsupported_media(
                ", ".join(served if kind.custom else [*served[:2], patches.STRATEGIC_PATCH, *served[2:]])
            )
        before = self.get(place)
        after = patches.apply(media, before, call.body, _message(kind))
        if how.strict:
            bodies.must_be_known(after, kind)
        # What a patch leaves alone is still the stored object's own.
        return self._replace(place, inward(copy.deepcopy(after), kind), how)

    def _apply(self, place: Place, wanted: Object, call: Call, how: Options) -> Object:
        kind = place.kind
        if not call.asked("fieldManager"):
            raise Problem(
                422, "Invalid", 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
                {"group": "meta.k8s.io", "kind": "PatchOptions"},
            )  # fmt: skip
        bodies.must_be(wanted, kind)
        if how.strict:
            bodies.must_be_known(wanted, kind)
        if meta(wanted).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        wanted = inward(copy.deepcopy(wanted), kind)
        self._fits_namespace(place, meta(wanted))
        live = self.store.get(kind.key, place.namespace, place.name)
        made = ownership.applied(
            live, wanted, how.manager, _message(kind), force=how.force, subresource=place.subresource
        )
        if live is not None:
            return self._replace(place, made, how, noted=True)
        if kind.namespaced:
            meta(made)["namespace"] = place.namespace
            self._must_live(place)
        meta(made).update({"uid": self.store.uid(), "creationTimestamp": stamp()})
        if _has_generation(kind):
            meta(made)["generation"] = 1
        defaults.fill(kind, made)
        defaults.check(kind, made)
        return self._write(kind, made, how)

    def _replace(self, place: Place, obj: Object, how: Options, *, noted: bool = False) -> Object:
        kind = place.kind
        before = self.store.get(kind.key, place.namespace, place.name)
        if before is None:
            raise not_found(kind, place.name)
        metadata, old = meta(obj), meta(before)
        if metadata.get("resourceVersion") not in (None, "", old["resourceVersion"]):
            raise conflict(kind, place.name)
        if metadata.get("uid") not in (None, "", old["uid"]):
            raise conflict(
                kind,
                place.name,
                f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {old['uid']}",
            )
        for name in (
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "resourceVersion",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ):
            metadata.pop(name, None)
            if name in old:
                metadata[name] = old[name]
        _keep_the_other_half(place, obj, before)
        defaults.fill(kind, obj)
        defaults.check(kind, obj, before)
        if not noted and not _same(obj, before):
            ownership.updated(before, obj, how.manager, _message(kind), place.subresource)
        elif not noted:
            meta(obj)["managedFields"] = old.get("managedFields", [])
            if not meta(obj)["managedFields"]:
                del meta(obj)["managedFields"]
        if _has_generation(kind) and obj.get("spec") != before.get("spec"):
            metadata["generation"] = old.get("generation", 1) + 1
        return self._write(kind, obj, how)

    def _write(self, kind: Kind, obj: Object, how: Options) -> Object:
        if how.dry_run:
            return outward(obj, kind)
        stored = self.store.put(kind.key, obj)
        if metadata_done(stored):
            self.store.remove(kind.key, meta(stored).get("namespace", ""), name_of(stored))
        self._settle()
        # As it was written, not as the controllers left it: that is what a client of the real server sees.
        return outward(stored, kind)

    # --- deleting

    def delete(self, place: Place, body: Object, call: Call) -> Object:
        """The object or a Status, as the real server answers for its kind."""
        kind, how = place.kind, bodies.options(call, deleting=body)
        found = self.store.get(kind.key, place.namespace, place.name)
        if found is None:
            raise not_found(kind, place.name)
        wanted = body.get("preconditions") or {}
        for name in ("uid", "resourceVersion"):
            if wanted.get(name) not in (None, "", meta(found)[name]):
                label = {"uid": "UID", "resourceVersion": "ResourceVersion"}[name]
                raise conflict(
                    kind, place.name,
                    f"Precondition failed: {label} in precondition: {wanted[name]}, {label} in object meta: {meta(found)[name]}",
                )  # fmt: skip
        after = self._delete(kind, found, body, call, how)
        self._settle()
        if kind.plural in ECHOED or after is not None:
            return outward(after if after is not None else found, kind)
        details = {"name": place.name, "group": kind.group, "kind": kind.plural, "uid": meta(found)["uid"]}
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }  # fmt: skip

    def delete_all(self, place: Place, body: Object, call: Call) -> Object:
        """deletecollection: the list of what was deleted."""
        how = bodies.options(call, deleting=body)
        listed = self.list(place, call)
        for one in listed["items"]:
            found = self.store.get(place.kind.key, meta(one).get("namespace", ""), name_of(one))
            if found is not None:
                self._delete(place.kind, found, body, call, how)
        self._settle()
        return listed

    def _delete(self, kind: Kind, found: Object, body: Object, call: Call, how: Options) -> Object | None:
        """What is left of the object, to be answered; None when it is gone."""
        policy = body.get("propagationPolicy") or call.asked("propagationPolicy")
        if not policy and (body.get("orphanDependents") or call.flag("orphanDependents")):
            policy = "Orphan"
        grace = body.get("gracePeriodSeconds")
        if grace is None and call.asked("gracePeriodSeconds"):
            grace = int(call.asked("gracePeriodSeconds"))
        obj = copy.deepcopy(found)
        metadata = meta(obj)
        finalizers = list(metadata.get("finalizers") or ())
        if policy == "Foreground" and "foregroundDeletion" not in finalizers:
            finalizers.append("foregroundDeletion")
        if policy == "Orphan" and "orphan" not in finalizers:
            finalizers.append("orphan")
        if finalizers:
            metadata["finalizers"] = finalizers
        lingers = bool(finalizers) or kind.plural == "namespaces"
        if kind.plural == "pods":
            seconds = dig(obj, "spec", "terminationGracePeriodSeconds", default=30) if grace is None else grace
            lingers = lingers or (seconds > 0 and bool(dig(obj, "spec", "nodeName")))
            metadata["deletionGracePeriodSeconds"] = seconds
        if lingers:
            metadata.setdefault("deletionTimestamp", stamp())
            metadata.setdefault("deletionGracePeriodSeconds", 0)
            if kind.plural == "namespaces":
                obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
            else:
                metadata["generation"] = metadata.get("generation", 0) + 1
            return obj if how.dry_run else self.store.put(kind.key, obj)
        if not how.dry_run:
            self.store.remove(kind.key, metadata.get("namespace", ""), metadata["name"])
        return None

    # --- rules of a write

    def _fits_namespace(self, place: Place, metadata: Object) -> None:
        given = metadata.get("namespace")
        if given and given != place.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")

    def _must_live(self, place: Place) -> None:
        namespace = self.store.get("namespaces", "", place.namespace)
        if namespace is None:
            raise Problem(
                404,
                "NotFound",
                f'namespaces "{place.namespace}" not found',
                {"name": place.namespace, "kind": "namespaces"},
            )
        if dig(namespace, "status", "phase") == "Terminating":
            raise forbidden(
                f'{place.kind.qualified} "{place.name}" is forbidden: unable to create new content in namespace {place.namespace} because it is being terminated',
                place.kind,
                place.name,
            )


def selector(place: Place, call: Call) -> Test:
    """What the query's selectors take; a name in the path is one of them (a watch of one object)."""
    tests = []
    if call.asked("labelSelector"):
        tests.append(label_test(call.asked("labelSelector")))
    if call.asked("fieldSelector"):
        tests.append(field_test(call.asked("fieldSelector"), place.kind.plural))
    if place.name:
        tests.append(lambda obj: name_of(obj) == place.name)
    return (lambda obj: all(test(obj) for test in tests)) if tests else everything


def _continued(token: str) -> tuple[str, str]:
    if not token:
        return "", ""
    try:
        found = json.loads(base64.urlsafe_b64decode(token))
        return str(found["start"]), str(found["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise gone("The provided continue parameter is too old to display a consistent list result.") from None


def metadata_done(obj: Object) -> bool:
    """Is this object deleted, with no finalizer left that keeps it?"""
    metadata = meta(obj)
    return (
        bool(metadata.get("deletionTimestamp"))
        and "deletionGracePeriodSeconds" in metadata
        and (
            metadata["deletionGracePeriodSeconds"] == 0
            and not metadata.get("finalizers")
            and obj.get("kind") != "Namespace"
        )
    )


def _message(kind: Kind) -> str | None:
    return None if kind.custom else message_for(kind.api_version, kind.kind)


def _has_generation(kind: Kind) -> bool:
    return (
        kind.custom
        or kind.group in ("apps", "batch", "networking.k8s.io", "policy", "apiextensions.k8s.io")
        or kind.plural == "pods"
    )


def _same(obj: Object, before: Object) -> bool:
    def plain(one: Object) -> Object:
        metadata = {
            key: value for key, value in one["metadata"].items() if key not in ("managedFields", "resourceVersion")
        }
        return {**one, "metadata": metadata}

    return plain(obj) == plain(before)


def _keep_the_other_half(place: Place, obj: Object, before: Object) -> None:
    """Status is written through its subresource alone, and nothing else is."""
    if place.subresource == "status":
        status = obj.get("status")
        managed = meta(obj).get("managedFields")
        for key in [key for key in obj if key != "status"]:
            del obj[key]
        obj.update({key: copy.deepcopy(value) for key, value in before.items() if key != "status"})
        if managed is not None:
            meta(obj)["managedFields"] = managed
        if status is not None:
            obj["status"] = status
    elif "status" in place.kind.subresources and not place.subresource:
        obj.pop("status", None)
        if "status" in before:
            obj["status"] = copy.deepcopy(before["status"])
