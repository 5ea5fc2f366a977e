"""exec, attach, port-forward, and a watch over a WebSocket: requests whose connection becomes something else.

Knows which pod, container and command are meant; frames and streams are elsewhere.
"""

from __future__ import annotations

import asyncio

from hooptui.demo.cluster.call import Call, Pipe, Takeover
from hooptui.demo.cluster.kubelet import Kubelet
from hooptui.demo.cluster.machine.container import Container, Streams
from hooptui.demo.cluster.machine.flow import Broken
from hooptui.demo.cluster.objects import Object, dig, name_of
from hooptui.demo.cluster.problems import Problem, bad_request
from hooptui.demo.cluster.resources import Place, Resources
from hooptui.demo.cluster.streams import channels, forwarding
from hooptui.demo.cluster.streams.spdy import Stream
from hooptui.demo.cluster.streams.websocket import WebSocket, offered
from hooptui.demo.cluster.subresources import container_of
from hooptui.demo.cluster.watching import Watch, frames

SUCCESS: Object = {"metadata": {}, "status": "Success"}


def take_over(resources: Resources, kubelet: Kubelet, place: Place, call: Call) -> Takeover:
    """Raises: Problem when there is no such pod or container, or when no upgrade is asked for (400)."""
    if call.upgrade not in ("websocket", "spdy/3.1"):
        raise Problem(400, "BadRequest", "Upgrade request required")
    pod = resources.get(Place(place.kind, place.namespace, place.name))
    if dig(pod, "status", "phase") in ("Succeeded", "Failed") and place.subresource != "attach":
        raise Problem(
            400 if place.subresource == "portforward" else 500, "InternalError" if place.subresource != "portforward" else "BadRequest",
            f"cannot exec into a container in a completed pod; current phase is {pod['status']['phase']}",
        )  # fmt: skip
    if place.subresource == "portforward":
        return _forward(pod, kubelet, call)
    container = container_of(kubelet, pod, call.asked("container"), place.subresource)
    stdin, stdout, stderr, tty = (call.flag(name) for name in ("stdin", "stdout", "stderr", "tty"))
    command = [value for name, value in call.query if name == "command"]
    if not (stdin or stdout or stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if place.subresource == "exec" and not command:
        raise bad_request("you must specify a command for the container")

    async def work(streams: Streams) -> Object:
        if place.subresource == "attach":
            if stdin and not container.stdin:
                return _failed(f"container {container.name} did not request stdin")
            await container.attach(streams, close_stdin=True)
            return SUCCESS
        if not container.has(command):
            return _failed(
                f"error executing command in container: failed to exec in container: failed to start exec: OCI runtime exec failed: "
                f'exec failed: unable to start container process: exec: "{command[0]}": executable file not found in $PATH: unknown'
            )
        try:
            return ended(await container.run(command, streams))
        except Broken:
            return SUCCESS

    async def run(pipe: Pipe) -> None:
        serve = channels.over_websocket if call.upgrade == "websocket" else channels.over_spdy
        await serve(pipe, call, work, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)

    return Takeover(run)


def ended(code: int) -> Object:
    """The Status of a program that ended."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: error executing command, exit code {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }  # fmt: skip


def _failed(text: str) -> Object:
    return {
        "metadata": {}, "status": "Failure", "reason": "InternalError", "message": f"Internal error occurred: {text}",
        "details": {"causes": [{"message": text}]}, "code": 500,
    }  # fmt: skip


# --- port-forward


def _forward(pod: Object, kubelet: Kubelet, call: Call) -> Takeover:
    containers = [
        one for spec in pod["spec"]["containers"] if (one := kubelet.container(pod, spec["name"])) is not None
    ]
    if not containers:
        raise bad_request(
            f"unable to forward port because pod is not running. Current status={dig(pod, 'status', 'phase')}"
        )
    ports = {port["containerPort"] for spec in pod["spec"]["containers"] for port in spec.get("ports") or ()}

    async def serve(port: int, stream: Stream) -> str:
        if port not in ports:
            return (
                f"error forwarding port {port} to pod {pod['metadata']['uid']}, uid : failed to execute portforward in network namespace: "
                f"failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused"
            )
        await hello(pod, containers[0], port, stream)
        return ""

    async def run(pipe: Pipe) -> None:
        if call.upgrade == "websocket":
            await forwarding.over_websocket(pipe, call, containers[0].ended, serve)
        else:
            await forwarding.over_spdy(pipe, containers[0].ended, serve)

    if call.upgrade == "websocket" and forwarding.TUNNEL not in offered(call):
        raise bad_request("unable to upgrade: no supported protocol was offered")
    return Takeover(run)


async def hello(pod: Object, container: Container, port: int, stream: Stream) -> None:
    """A server for one connection: HTTP gets an answer that names the pod and the path, anything else comes back as it was sent."""
    first = await stream.inlet.read()
    if first.startswith((b"GET ", b"HEAD ", b"POST ")):
        while b"\r\n\r\n" not in first and (more := await stream.inlet.read()):
            first += more
        path = first.split(b" ")[1].decode("latin-1")
        body = f"hello from {name_of(pod)} port {port} path {path}\n".encode()
        container.say(f"{first.split(b' ')[0].decode()} {path} 200")
        await stream.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            % len(body)
            + body
        )
        return
    while first:
        await stream.write(first)
        first = await stream.inlet.read()


# --- a watch over a WebSocket


def watched(watch: Watch, call: Call) -> Takeover:
    """As browsers watch: a message an event."""

    async def run(pipe: Pipe) -> None:
        socket = WebSocket(pipe)
        await socket.accept(
            call, next((one for one in offered(call) if one in ("base64.binary.k8s.io", "binary.k8s.io")), "")
        )
        closed = asyncio.ensure_future(_closed(socket))
        body = frames(watch)
        try:
            while True:
                piece = asyncio.ensure_future(anext(body, None))
                await asyncio.wait((piece, closed), return_when=asyncio.FIRST_COMPLETED)
                if not piece.done() or (data := piece.result()) is None:
                    piece.cancel()
                    await asyncio.gather(piece, return_exceptions=True)
                    break
                await socket.send(data, text=True)
        finally:
            closed.cancel()
            await asyncio.gather(closed, return_exceptions=True)
            await body.aclose()  # type: ignore[attr-defined]
        await socket.close()

    return Takeover(run)


async def _closed(socket: WebSocket) -> None:
    while await socket.receive() is not None:
        pass
