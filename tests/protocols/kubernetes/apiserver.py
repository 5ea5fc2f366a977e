"""A small API server on a thread of its own: real TLS, real streams, real processes behind exec; it remembers what it was asked.

Faithful where the gate looks: status codes, streaming, handshakes, closing. The whole of an API server is `hooptui.demo.cluster`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from hooptui.credentials import certificates
from hooptui.protocols.kubernetes.http import Answer, Http
from hooptui.protocols.kubernetes.limits import Limits
from hooptui.protocols.kubernetes.plug import Plug
from hooptui.protocols.kubernetes.streams import handshake
from hooptui.protocols.kubernetes.streams.legs import ERROR, STDERR, STDIN, STDOUT, Leg, SpdyLeg, WebSocketLeg
from hooptui.protocols.kubernetes.wire import split_head

T = TypeVar("T")
TOKEN = "upstream-token-of-the-gateway"
NAMESPACE = "/api/v1/namespaces/prod"


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass
class ApiServer:
    """What a test holds of it."""

    port: int = 0
    ca: Path = Path()
    loop: asyncio.AbstractEventLoop = field(init=False)
    asked: list[Asked] = field(default_factory=list)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    connections: set[Plug] = field(default_factory=set)
    streams: int = 0
    """exec, attach, port-forward and watch that are open now."""
    misbehave: dict[str, Callable[[Plug, Answer], Coroutine[Any, Any, None]]] = field(default_factory=dict)
    """By path: what is done in place of an answer."""
    watchers: list[Answer] = field(default_factory=list)
    echo_port: int = 0

    def wrote(self) -> list[Asked]:
        return [one for one in self.asked if one.method not in ("GET", "HEAD")]

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    async def serve(self, plug: Plug) -> None:
        limits = Limits()
        http = Http(plug, limits)
        with suppress(ConnectionError):
            while (raw := await http.head(600)) is not None:
                method, target, headers = (part for part in split_head(raw))
                named: dict[str, list[str]] = {}
                for name, value in headers:
                    named.setdefault(name.decode().lower(), []).append(value.decode("latin-1"))
                length = int(named.get("content-length", ["0"])[0])
                while len(plug.buffer) < length and await plug.more():
                    pass
                body = bytes(plug.buffer[:length])
                del plug.buffer[:length]
                one = Asked(method.decode(), target.decode(), named, body)
                self.asked.append(one)
                answer = Answer(plug, limits, head_only=one.method == "HEAD")
                if one.path in self.misbehave:
                    await self.misbehave[one.path](plug, answer)
                elif named.get("authorization") != [f"Bearer {TOKEN}"]:
                    self.status(answer, 401, "Unauthorized")
                elif "upgrade" in named:
                    await self.stream(plug, one)
                    return
                else:
                    await self.answer(plug, answer, one)
        plug.close()

    def status(self, answer: Answer, code: int, words: str) -> None:
        reason = {401: "Unauthorized", 404: "NotFound", 409: "AlreadyExists"}.get(code, "")
        kind = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure" if code >= 300 else "Success",
            "code": code,
            "reason": reason,
        }
        self.json(answer, {**kind, "message": words}, code)

    def json(self, answer: Answer, value: Any, code: int = 200) -> None:
        body = json.dumps(value).encode()
        answer.start(code, "OK", [("Content-Type", "application/json"), ("Audit-Id", "a1")], len(body))
        answer.data(body)
        answer.end()

    async def answer(self, plug: Plug, answer: Answer, one: Asked) -> None:
        path, query = one.path, parse_qs(urlsplit(one.target).query)
        if path in DISCOVERY:
            self.json(answer, DISCOVERY[path])
        elif path.endswith("/log"):
            await self.log(plug, answer)
        elif query.get("watch"):
            await self.watch(plug, answer)
        elif one.method in ("GET", "HEAD") and path in self.objects:
            self.json(answer, self.objects[path])
        elif one.method == "GET" and path.rpartition("/")[2] in KINDS:
            kind = KINDS[path.rpartition("/")[2]]
            items = [value for key, value in self.objects.items() if key.startswith(f"{path}/")]
            self.json(
                answer,
                {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items},
            )
        elif one.method == "POST":
            value = json.loads(one.body)
            self.objects[f"{path}/{value['metadata']['name']}"] = value
            self.json(answer, value, 201)
        elif one.method in ("PUT", "PATCH") and path in self.objects:
            self.json(answer, self.objects[path])
        elif one.method == "DELETE" and path in self.objects:
            del self.objects[path]
            self.status(answer, 200, "")
        else:
            self.status(answer, 404, f"{path} not found")

    async def log(self, plug: Plug, answer: Answer) -> None:
        answer.start(200, "OK", [("Content-Type", "text/plain")], None)
        answer.data(b"one\n")
        answer.data(b"card 4111 1111 1111 1111\n")
        answer.end()

    async def watch(self, plug: Plug, answer: Answer) -> None:
        answer.start(200, "OK", [("Content-Type", "application/json")], None)
        await answer.flush()
        self.watchers.append(answer)
        self.streams += 1
        try:
            while await plug.more():
                pass
        finally:
            self.streams -= 1

    def event(self, value: dict[str, Any]) -> None:
        """To everybody who watches."""
        data = json.dumps({"type": "MODIFIED", "object": value}).encode() + b"\n"
        self.loop.call_soon_threadsafe(lambda: [one.data(data) for one in self.watchers])

    # --- streams

    async def stream(self, plug: Plug, one: Asked) -> None:
        if one.path.rsplit("/", 1)[0] not in self.objects:
            self.status(Answer(plug, Limits()), 404, f"pods {one.path.split('/')[-2]!r} not found")
            plug.close()
            return
        kind = "spdy" if "spdy" in one.headers["upgrade"][0].lower() else "websocket"
        header = "x-stream-protocol-version" if kind == "spdy" else "sec-websocket-protocol"
        offered = [word.strip() for value in one.headers[header] for word in value.split(",")]
        ports = one.path.endswith("portforward")
        known = ("portforward.k8s.io", handshake.TUNNEL) if ports else (handshake.V5, handshake.V4)
        chosen = next(word for word in offered if word in known)
        key = one.headers.get("sec-websocket-key", [""])[0]
        plug.write(handshake.answer(kind, key, chosen))  # type: ignore[arg-type]
        self.streams += 1
        try:
            if ports:
                plug.write(b"behind the handshake")
                while data := await plug.read():
                    plug.write(data)
                return
            leg: Leg
            limits = Limits()
            if kind == "spdy":
                leg = SpdyLeg(plug, limits, client=True)
            else:
                leg = WebSocketLeg(plug, limits, client=True, closes=chosen == handshake.V5)
            leg.begin()
            query = parse_qs(urlsplit(one.target).query)
            wanted = [
                number for number, name in ((STDIN, "stdin"), (STDOUT, "stdout"), (STDERR, "stderr")) if query.get(name)
            ]
            await leg.ready([ERROR, *wanted], 30)
            await self.run(leg, query)
            await leg.end()
        finally:
            self.streams -= 1
            plug.close()

    async def run(self, leg: Leg, query: dict[str, list[str]]) -> None:
        program = await asyncio.create_subprocess_exec(
            *query["command"],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        stdin, stdout, stderr = program.stdin, program.stdout, program.stderr
        assert stdin and stdout and stderr

        async def feed() -> None:
            if not query.get("stdin"):
                stdin.close()
            while (piece := await leg.receive()) is not None:
                if piece.channel == STDIN and query.get("stdin"):
                    stdin.write(piece.data)
                    if piece.last:
                        stdin.close()
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)

        async def drain(source: asyncio.StreamReader, channel: int) -> None:
            while data := await source.read(65536):
                leg.send(channel, data)

        feeding = asyncio.create_task(feed())
        await asyncio.gather(drain(stdout, STDOUT), drain(stderr, STDERR))
        code = await program.wait()
        said: dict[str, Any] = {"metadata": {}, "status": "Success"}
        if code:
            causes = [{"reason": "ExitCode", "message": str(code)}]
            words = f"command terminated with non-zero exit code: exit status {code}"
            said = {
                "metadata": {},
                "status": "Failure",
                "reason": "NonZeroExitCode",
                "message": words,
                "details": {"causes": causes},
            }
        leg.send(ERROR, json.dumps(said).encode())
        for channel in (STDOUT, STDERR, ERROR):
            leg.finish(channel)
        leg.part()
        # The client closes first, or is given a moment.
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(feeding), 1)
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


KINDS = {"pods": "Pod", "secrets": "Secret", "configmaps": "ConfigMap"}


def _resource(name: str, kind: str, *verbs: str) -> dict[str, Any]:
    every = ["get", "list", "watch", "create", "delete", "patch", "update", "deletecollection"]
    return {"name": name, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": [*verbs] or every}


DISCOVERY: dict[str, Any] = {
    "/version": {"major": "1", "minor": "31", "gitVersion": "v1.31.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            *(_resource(name, kind) for name, kind in KINDS.items()),
            _resource("pods/exec", "PodExecOptions", "create", "get"),
            _resource("pods/log", "Pod", "get"),
        ],
    },
}


def pod(name: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    meta = {"name": name, "namespace": "prod", "uid": "u1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": {"phase": "Running"}}


@contextmanager
def running(directory: Path) -> Iterator[ApiServer]:
    server = ApiServer()
    server.loop = asyncio.new_event_loop()
    made = certificates.ensure(directory, ("127.0.0.1",), now=time.time())
    server.ca = made.ca
    context = certificates.server_context(made.certificate, made.key, now=time.time())
    for name in ("web-1", "web-2"):
        server.objects[f"{NAMESPACE}/pods/{name}"] = pod(name)
    thread = threading.Thread(target=server.loop.run_forever, daemon=True, name="apiserver")
    thread.start()
    tasks: set[asyncio.Task[None]] = set()

    def connected() -> Plug:
        plug = Plug()
        made = plug.connection_made

        def began(transport: asyncio.BaseTransport) -> None:
            made(transport)
            server.connections.add(plug)
            task = server.loop.create_task(server.serve(plug))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _: server.connections.discard(plug))

        plug.connection_made = began  # type: ignore[method-assign]
        return plug

    async def start() -> asyncio.Server:
        return await server.loop.create_server(connected, "127.0.0.1", 0, ssl=context)

    listening = server.call(start())
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:

        async def stop() -> None:
            listening.close()
            for plug in tuple(server.connections):
                plug.abort()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.loop.shutdown_asyncgens()

        server.call(stop())
        server.loop.call_soon_threadsafe(server.loop.stop)
        thread.join(60)
        server.loop.close()
