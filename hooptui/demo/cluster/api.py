"""The API server's front: what a path means, whether the user may, who answers, and in which representation.

Knows everything below it; knows no socket but the one that a stream takes over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hooptui.demo.cluster import bodies, discovery, openapi, representations, reviews, streaming, subresources, watching
from hooptui.demo.cluster.access import Access, Wish
from hooptui.demo.cluster.call import Call, Reply, Takeover, User
from hooptui.demo.cluster.columns import Column
from hooptui.demo.cluster.conversions import outward
from hooptui.demo.cluster.kinds import VERBS, Kind, Kinds
from hooptui.demo.cluster.kubelet import Kubelet
from hooptui.demo.cluster.objects import Object, meta
from hooptui.demo.cluster.people import People
from hooptui.demo.cluster.problems import Problem, forbidden, no_such_page, not_allowed
from hooptui.demo.cluster.representations import JSON, Wanted
from hooptui.demo.cluster.resources import Place, Resources, selector

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
METHOD_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
STREAMED = ("exec", "attach", "portforward")


@dataclass(frozen=True, slots=True)
class Api:
    """See the module."""

    kinds: Kinds
    resources: Resources
    access: Access
    people: People
    kubelet: Kubelet
    documents: openapi.Documents
    address: str

    def may_impersonate(self, user: User, group: str, resource: str, name: str) -> bool:
        return bool(self.access.allows(user, Wish("impersonate", group, resource, name=name)))

    def problem(self, problem: Problem, headers: Mapping[str, str]) -> Reply:
        try:
            how = representations.wanted(headers.get("accept", ""))
        except Problem:
            how = Wanted(JSON)
        body, media = representations.render(problem.status(), Wanted(how.media))
        return Reply(problem.code, body, media, problem.headers)

    async def answer(self, call: Call) -> Reply | Takeover:
        """Raises: Problem."""
        parts = [part for part in call.path.split("/") if part]
        if (parts[:1] == ["api"] and len(parts) >= 3) or (parts[:1] == ["apis"] and len(parts) >= 4):
            return await self._resource(call, parts)
        return self._page(call, parts)

    # --- paths that are no resource

    def _page(self, call: Call, parts: list[str]) -> Reply:
        path = "/" + "/".join(parts)
        wish = Wish(call.method.lower(), path=path)
        if not self.access.allows(call.user, wish):
            raise forbidden(wish.refused(call.user))
        if call.method not in ("GET", "HEAD"):
            raise not_allowed()
        match parts:
            case ["healthz" | "livez" | "readyz", *_]:
                return Reply(200, b"ok", "text/plain; charset=utf-8")
            case ["version"]:
                return self._json(call, discovery.version())
            case []:
                return self._json(
                    call, {"paths": ["/api", "/api/v1", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/version"]}
                )
            case ["api"]:
                return self._discovered(call, discovery.api_versions(self.address), [("", ["v1"])])
            case ["apis"]:
                return self._discovered(call, discovery.groups(self.kinds), discovery.ordered(self.kinds))
            case ["apis", name] if name in self.kinds.groups():
                found = discovery.group(name, dict(discovery.ordered(self.kinds))[name])
                return self._json(call, {"kind": "APIGroup", "apiVersion": "v1", **found})
            case ["api", version]:
                return self._listed(call, "", version)
            case ["apis", name, version]:
                return self._listed(call, name, version)
            case ["openapi", "v3"]:
                return self._json(call, openapi.paths(self.kinds))
            case ["openapi", "v3", "api", version]:
                return self._document(call, "", version)
            case ["openapi", "v3", "apis", name, version]:
                return self._document(call, name, version)
            case ["openapi", "v2"]:
                if openapi.V2_MEDIA in call.headers.get("accept", ""):
                    return Reply(200, openapi.v2_protobuf(), "application/octet-stream")
                return self._json(call, openapi.v2())
            case _:
                raise no_such_page()

    def _json(self, call: Call, obj: Object) -> Reply:
        how = representations.wanted(call.headers.get("accept", ""), shapes=False, binary=False)
        body, media = representations.render(obj, how)
        return Reply(200, body, media)

    def _discovered(self, call: Call, plain: Object, names: list[tuple[str, list[str]]]) -> Reply:
        for entry in call.headers.get("accept", "").split(","):
            media, *given = (part.strip() for part in entry.split(";"))
            if "as=APIGroupDiscoveryList" in given and media == JSON and "v=v2" in given:
                body, _ = representations.render(discovery.aggregated(self.kinds, names), Wanted(JSON))
                return Reply(200, body, f"{JSON};{discovery.AGGREGATED}", {"Vary": "Accept"})
            if media in (JSON, "*/*") and not any(one.startswith("as=") for one in given):
                break
        return self._json(call, plain)

    def _listed(self, call: Call, name: str, version: str) -> Reply:
        found = discovery.resources(self.kinds, name, version)
        if found is None:
            raise no_such_page()
        return self._json(call, found)

    def _document(self, call: Call, name: str, version: str) -> Reply:
        found = self.documents.get(name, version, self.resources.store.all(DEFINITIONS))
        if found is None:
            raise no_such_page()
        return Reply(200, found)

    # --- resources

    def _place(self, parts: list[str]) -> tuple[Place, bool]:
        """What the path is about, and whether it says `watch` (the old way)."""
        group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1], parts[2:])
        version, *rest = rest
        old_watch = rest[:1] == ["watch"]
        if old_watch:
            rest = rest[1:]
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        kind = self.kinds.find(group, version, rest[0]) if rest else None
        if kind is None:
            raise no_such_page()
        name, subresource = (rest[1] if len(rest) > 1 else ""), (rest[2] if len(rest) > 2 else "")
        if subresource and subresource not in kind.subresources:
            raise no_such_page()
        if bool(namespace) != kind.namespaced and (not kind.namespaced or name):
            raise no_such_page()
        return Place(kind, namespace, name, subresource), old_watch

    async def _resource(self, call: Call, parts: list[str]) -> Reply | Takeover:
        place, old_watch = self._place(parts)
        kind = place.kind
        verb = METHOD_VERBS.get(call.method)
        if verb is None:
            raise not_allowed()
        if not place.name:
            verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
            if verb in ("update", "patch"):
                raise not_allowed()
        if verb in ("get", "list") and not place.subresource and (old_watch or call.flag("watch")):
            verb = "watch"
        name = place.name or next(
            (
                part.removeprefix("metadata.name=")
                for part in call.asked("fieldSelector").split(",")
                if part.startswith("metadata.name=")
            ),
            "",
        )
        wish = Wish(verb, kind.group, kind.plural, place.subresource, place.namespace, name)
        if not self.access.allows(call.user, wish):
            raise forbidden(wish.refused(call.user), kind, name)
        if place.subresource in STREAMED:
            return streaming.take_over(self.resources, self.kubelet, place, call)
        if place.subresource:
            return self._subresource(place, verb, call)
        if verb not in kind.verbs and verb in VERBS:
            raise not_allowed()
        return self._verb(place, verb, call)

    def _verb(self, place: Place, verb: str, call: Call) -> Reply | Takeover:
        how = representations.wanted(call.headers.get("accept", ""))
        kind, resources = place.kind, self.resources
        match verb:
            case "get":
                return self._reply(200, resources.get(place), kind, how, call)
            case "list":
                return self._reply(200, resources.list(place, call), kind, how, call)
            case "watch":
                return self._watch(place, how, call)
            case "create":
                obj = bodies.parse(call, (kind.api_version, kind.kind))
                if kind.verbs == ("create",):
                    return self._review(place, obj, how, call)
                return self._reply(201, resources.create(place, obj, bodies.options(call)), kind, how, call)
            case "update":
                obj = bodies.parse(call, (kind.api_version, kind.kind))
                return self._reply(200, resources.update(place, obj, bodies.options(call)), kind, how, call)
            case "patch":
                existed = resources.store.get(kind.key, place.namespace, place.name) is not None
                found = resources.patch(place, call, bodies.options(call))
                return self._reply(200 if existed else 201, found, kind, how, call)
            case "delete":
                return self._reply(200, resources.delete(place, subresources.body_of(call), call), kind, how, call)
            case _:
                return self._reply(200, resources.delete_all(place, subresources.body_of(call), call), kind, how, call)

    def _reply(self, status: int, obj: Object, kind: Kind, how: Wanted, call: Call) -> Reply:
        body, media = representations.render(representations.shaped(obj, kind, how, self._columns, call), how)
        return Reply(status, body, media)

    def _columns(self, kind: Kind) -> tuple[Column, ...]:
        if not kind.custom:
            return representations.columns_of(kind, None)
        return representations.columns_of(kind, self.resources.store.get(DEFINITIONS, "", kind.qualified))

    def _review(self, place: Place, obj: Object, how: Wanted, call: Call) -> Reply:
        bodies.must_be(obj, place.kind)
        if place.kind.plural == "bindings":
            pod = Place(
                self.kinds.find("", "v1", "pods") or place.kind, place.namespace, str(meta(obj).get("name", ""))
            )
            found = subresources.bind(self.resources, pod, call)
        else:
            found = reviews.answer(place.kind, obj, place.namespace, call.user, self.access, self.people)
        body, media = representations.render(found, how)
        return Reply(201, body, media)

    def _watch(self, place: Place, how: Wanted, call: Call) -> Reply | Takeover:
        kind = place.kind
        watch = watching.Watch(
            self.resources.store,
            kind,
            place.namespace,
            selector(place, call),
            lambda obj: outward(obj, kind),
            self._columns(kind),
            how,
            call,
        )
        if call.upgrade == "websocket":
            return streaming.watched(watch, call)
        media = "application/vnd.kubernetes.protobuf;stream=watch" if how.media.endswith("protobuf") else JSON
        return Reply(200, watching.frames(watch), media)

    def _subresource(self, place: Place, verb: str, call: Call) -> Reply:
        resources = self.resources
        how = representations.wanted(call.headers.get("accept", "")) if place.subresource != "log" else Wanted(JSON)
        status = 200
        match place.subresource, verb:
            case "log", "get":
                return subresources.log(resources, place, call, self.kubelet)
            case "scale", "get" | "update" | "patch":
                found = subresources.scale(resources, place, call)
            case "eviction", "create":
                found, status = subresources.evict(resources, place, call), 201
            case "binding", "create":
                found, status = subresources.bind(resources, place, call), 201
            case "token", "create":
                found, status = subresources.token(resources, place, call, self.people), 201
            case "proxy", _:
                raise Problem(
                    503, "ServiceUnavailable", "error trying to reach service: there is nothing behind it", {}
                )
            case _, "get":
                return self._reply(
                    200, resources.get(Place(place.kind, place.namespace, place.name)), place.kind, how, call
                )
            case _, "update":
                obj = bodies.parse(call, (place.kind.api_version, place.kind.kind))
                return self._reply(200, resources.update(place, obj, bodies.options(call)), place.kind, how, call)
            case _, "patch":
                return self._reply(200, resources.patch(place, call, bodies.options(call)), place.kind, how, call)
            case _:
                raise not_allowed()
        body, media = representations.render(found, how)
        return Reply(status, body, media)
