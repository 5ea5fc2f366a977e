"""The whole of it: a listener with TLS, the store behind it, and what a client needs to get in.

Lives on one event loop; everything it makes on disk is below the directory it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from hooptui.credentials import certificates
from hooptui.demo.cluster import client_certificates, seed
from hooptui.demo.cluster.access import Access
from hooptui.demo.cluster.api import DEFINITIONS, Api
from hooptui.demo.cluster.bodies import Options
from hooptui.demo.cluster.call import Call, Reply, Takeover, User
from hooptui.demo.cluster.controllers import Controllers
from hooptui.demo.cluster.kinds import Kinds
from hooptui.demo.cluster.kubelet import Kubelet
from hooptui.demo.cluster.objects import Object, meta, name_of, namespace_of
from hooptui.demo.cluster.openapi import Documents
from hooptui.demo.cluster.people import ISSUER, People
from hooptui.demo.cluster.resources import Place, Resources
from hooptui.demo.cluster.serving import Service, serve_connection
from hooptui.demo.cluster.store import Store

ADMIN = User("admin", ("system:masters",))


class Cluster:
    """See the module."""

    def __init__(self, directory: Path, *, seeded: bool = True) -> None:
        self.directory = directory
        self.planted = seed.Planted()
        """Secrets of this cluster."""
        self.people = People()
        self._seeded = seeded
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.requests: list[tuple[str, str, str]] = []
        """Method, path and user of what was asked, the latest last; bounded."""
        self.port = 0

    async def __aenter__(self) -> Self:
        """Start listening on a free port of the loopback.

        Raises:
            CertificateTrouble: the directory cannot be used.
        """
        tls = certificates.ensure(self.directory / "tls", ("kubernetes", "kubernetes.default"), now=time.time())
        self.ca_file = tls.ca
        self.client_ca = client_certificates.ClientCa()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.certificate, tls.key)
        context.load_verify_locations(cadata=self.client_ca.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=context, limit=1024 * 1024)
        self.port = self._server.sockets[0].getsockname()[1]
        self._new_world()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        await self.disconnect()
        await self.kubelet.close()

    async def disconnect(self) -> None:
        """End every connection that is open."""
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def reset(self) -> None:
        """Everything as it was at the start, names and versions included; connections are cut."""
        await self.disconnect()
        await self.kubelet.close()
        self._new_world()

    def _new_world(self) -> None:
        self.store = Store()
        self.kinds = Kinds()
        self.controllers = Controllers(self.store, self.kinds, self.ca_file.read_text("ascii"))
        self.kubelet = Kubelet(self.store, self.controllers.settle, self._pod_token)
        self.controllers.kubelet = self.kubelet
        self.resources = Resources(self.store, self._settle)
        self._defined = -1
        self.api = Api(
            self.kinds,
            self.resources,
            Access(self.store),
            self.people,
            self.kubelet,
            Documents(self.kinds),
            f"127.0.0.1:{self.port}",
        )
        for obj in seed.objects(self.planted) if self._seeded else seed.base():
            self.create(obj)

    def create(self, obj: Object) -> Object:
        """Put an object in, as an administrator would.

        Raises:
            Problem: it is refused.
            KeyError: there is no such kind.
        """
        kind = self.kinds.named(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise KeyError(f"{obj['apiVersion']} {obj['kind']}")
        place = Place(kind, namespace_of(obj) or ("default" if kind.namespaced else ""), name_of(obj))
        return self.resources.create(place, obj, Options(dry_run=False, manager="seed", force=False, strict=True))

    def _settle(self) -> None:
        self.controllers.settle()
        definitions = self.store.all(DEFINITIONS)
        mark = max((int(meta(one)["resourceVersion"]) for one in definitions), default=0) + len(definitions)
        if mark == self._defined:
            return
        self._defined = mark
        wanted = {one.qualified: one for definition in definitions for one in self.kinds.custom(definition)}
        for kind in [kind for kind in self.kinds.all() if kind.custom]:
            if kind.qualified not in wanted:
                self.kinds.remove(kind.group, kind.plural)
                for obj in self.store.all(kind.key):
                    self.store.remove(kind.key, namespace_of(obj), name_of(obj))
        for kind in wanted.values():
            self.kinds.add(kind)

    def _pod_token(self, pod: Object) -> str:
        name = pod["spec"].get("serviceAccountName", "default")
        account = self.store.get("serviceaccounts", namespace_of(pod), name)
        uid = meta(account)["uid"] if account else ""
        return self.people.service_token(namespace_of(pod), name, uid, lasts=3_600, audiences=[ISSUER])[0]

    # --- connections

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        api = self.api
        service = Service(
            lambda headers, certificate: self.people.who(headers, certificate, api.may_impersonate),
            self._answer,
            api.problem,
        )
        try:
            await serve_connection(service, reader, writer)
        except asyncio.CancelledError:
            # The cluster ends, or is put back; nobody waits for this task but the one who cancelled it.
            writer.transport.abort()
        finally:
            self._connections.discard(task)

    async def _answer(self, call: Call) -> Reply | Takeover:
        self.requests.append((call.method, call.path, call.user.name))
        del self.requests[:-10_000]
        return await self.api.answer(call)

    # --- for clients

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, path: Path, user: User = ADMIN, *, namespace: str = "shop", token: str = "") -> Path:
        """Write one for a user, by a bearer token; 0600."""
        text = {
            "apiVersion": "v1", "kind": "Config", "current-context": "cluster",
            "clusters": [{"name": "cluster", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}],
            "users": [{"name": user.name, "user": {"token": token or self.people.issue(user)}}],
            "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": user.name, "namespace": namespace}}],
        }  # fmt: skip
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.touch(mode=0o600)
        path.write_text(json.dumps(text, indent=1))
        return path
