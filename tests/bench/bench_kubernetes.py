"""The Kubernetes path against direct, interleaved in one run; prints figures and ratios, checks nothing.

    python -m tests.bench.bench_kubernetes [--rounds 2] [--only rate|list|watch] [--watches 200]

The API server and the clients run in processes of their own and do nothing but bytes; the gate runs with masks over Secrets and three
detectors, its policy and journal are the tests' small ones. Its CPU seconds do not depend on what else the machine does; the rest does.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import cast

import uvloop

from hooptui.core.model import MaskRule
from hooptui.credentials import certificates
from tests.core.world import allow
from tests.protocols.kubernetes.apiserver import ApiServer
from tests.protocols.kubernetes.gatehouse import NAME, TOKEN, Gatehouse, open_gate

MASKS = (MaskRule("secrets", secrets=True), MaskRule("found", detect=("api-key", "jwt", "private-key")))
"""As the policy for Kubernetes that comes with hooptui has them."""
PODS = "/api/v1/namespaces/prod/pods"
SECRETS = "/api/v1/namespaces/prod/secrets"
SMALL = json.dumps(
    {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"a": "x" * 930}}
).encode()
MOUNT = {"name": "kube-api-access-x", "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
ENV = [
    {"name": "A", "value": "b"},
    {"name": "P", "valueFrom": {"secretKeyRef": {"name": "review-service", "key": "p"}}},
]
POD = json.dumps(
    {
        "metadata": {"name": "p", "namespace": "prod", "uid": "u", "labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "image": "nginx:1", "env": ENV * 5, "volumeMounts": [MOUNT]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}] * 8},
    },
    separators=(",", ":"),
).encode()
SECRET = json.dumps(
    {
        "metadata": {"name": "s", "namespace": "prod", "uid": "u", "labels": {"app": "x"}},
        "data": {"tls.crt": base64.b64encode(b"-----BEGIN" * 220).decode(), "tls.key": "c2VjcmV0" * 150},
        "type": "kubernetes.io/tls",
    },
    separators=(",", ":"),
).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Server(asyncio.Protocol):
    """Says what the path asks for: a small object, `?mb=` of pods, five events a second."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = b""
        self.room = asyncio.Event()
        self.room.set()
        self.task: asyncio.Task[None] | None = None

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            line, self.buffer = self.buffer[: self.buffer.find(b"\r\n")], self.buffer[end + 4 :]
            if b"watch=1" in line or b"mb=" in line:
                self.task = asyncio.get_running_loop().create_task(self.stream(line))
            else:
                self.transport.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(SMALL) + SMALL)

    def chunk(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def stream(self, line: bytes) -> None:
        self.transport.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while b"watch=1" in line:
            await asyncio.sleep(0.2)
            pod = {"kind": "Pod", **json.loads(POD), "at": repr(time.time())}
            self.chunk(json.dumps({"type": "MODIFIED", "object": pod}).encode() + b"\n")
        item, kind = (SECRET, b"Secret") if b"/secrets?" in line else (POD, b"Pod")
        count = int(re.findall(rb"mb=(\d+)", line)[0]) * 1_000_000 // (len(item) + 1)
        self.chunk(b'{"kind":"%bList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[' % kind)
        for _ in range(count // 40):
            await self.room.wait()
            self.chunk((item + b",") * 40)
        self.chunk(item + b"]}")
        self.transport.write(b"0\r\n\r\n")


def request(path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def serve(certificate: str, key: str, port_file: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, ssl=context)
    Path(port_file).write_text(str(server.sockets[0].getsockname()[1]))
    await asyncio.Event().wait()


async def rate(port: int, path: str, seconds: float) -> None:
    """Four connections, each asking again when it has its answer: requests a second."""
    count = 0

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.buffer = cast(asyncio.Transport, transport), b""
            self.transport.write(request(path))

        def data_received(self, data: bytes) -> None:
            nonlocal count
            self.buffer += data
            if self.buffer.endswith(SMALL[-20:]):
                assert b" 200 " in self.buffer[:20]
                count, self.buffer = count + 1, b""
                self.transport.write(request(path))

    for _ in range(4):
        await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port, ssl=trusting())
    await asyncio.sleep(seconds)
    print(json.dumps({"count": count, "a second": round(count / seconds)}))


async def watch(port: int, path: str, count: float) -> None:
    """Delays of events, from when they were made."""
    delays: list[float] = []
    begun = float("inf")
    stamp = re.compile(rb'"at": ?"([0-9.]+)"')

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            cast(asyncio.Transport, transport).write(request(path))

        def data_received(self, data: bytes) -> None:
            now = time.time()
            if now > begun:
                delays.extend(now - float(one) for one in stamp.findall(data))

    for _ in range(int(count)):
        await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port, ssl=trusting())
    begun = time.time() + 1
    await asyncio.sleep(7)
    delays.sort()
    middle, late = delays[len(delays) // 2] * 1e3, delays[int(len(delays) * 0.99)] * 1e3
    print(json.dumps({"events": len(delays), "p50 ms": round(middle, 1), "p99 ms": round(late, 1)}))


async def listed(port: int, path: str, megabytes: float) -> None:
    """Seconds for one list, from its connection on."""
    context = trusting()
    began, size = time.time(), 0
    with socket.create_connection(("127.0.0.1", port)) as raw, context.wrap_socket(raw) as sock:
        sock.sendall(request(f"{path}?mb={megabytes:.0f}"))
        while data := sock.recv(1 << 18):
            size += len(data)
            if data.endswith(b"0\r\n\r\n"):
                break
    print(json.dumps({"bytes": size, "seconds": round(time.time() - began, 3)}))


def by_kubectl(server: str, path: str) -> float:
    """Seconds for `kubectl get --raw`, which reads a list and prints it."""
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, "insecure-skip-tls-verify": True}}], "users": [{"name": "u", "user": {"token": TOKEN}}],
    }  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".config") as file:
        json.dump(config, file)
        file.flush()
        began = time.time()
        command = ["kubectl", f"--kubeconfig={file.name}", "get", "--raw", path]
        size = len(subprocess.run(command, capture_output=True, check=True).stdout)
        took = time.time() - began
    assert size > 19_000_000, size
    return took


def client(what: str, port: int, path: str, amount: float) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_kubernetes", f"_{what}", str(port), path, str(amount)],
        capture_output=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def resident() -> int:
    return int(re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[0]) // 1024


def peak(work: threading.Thread) -> int:
    """The most memory in MiB while something runs."""
    most = 0
    work.start()
    while work.is_alive():
        most = max(most, resident())
        work.join(0.02)
    return most


def compare(house: Gatehouse, server: ApiServer, what: str, path: str, amount: float) -> None:
    direct = client(what, server.port, path, amount)
    before = house.on_loop(time.thread_time)
    through = client(what, house.port, f"/clusters/{NAME}{path}", amount)
    cpu = house.on_loop(time.thread_time) - before
    print(f"{what:6} direct {direct}   gate {through}   gate's CPU {cpu:.2f} s", end="")
    print(f", {through['count'] / cpu:.0f} requests a CPU second" if "count" in through else "")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--only", choices=("rate", "list", "watch"))
    arguments.add_argument("--watches", type=int, default=200)
    given = arguments.parse_args()
    directory = Path(tempfile.mkdtemp())
    made = certificates.ensure(directory / "tls", ("127.0.0.1",), now=time.time())
    port = directory / "port"
    command = [
        sys.executable,
        "-m",
        "tests.bench.bench_kubernetes",
        "_serve",
        str(made.certificate),
        str(made.key),
        str(port),
    ]
    with subprocess.Popen(command) as upstream:
        try:
            while not port.exists() or not port.read_text():
                time.sleep(0.05)
            server = ApiServer(port=int(port.read_text()), ca=made.ca)
            with open_gate(server, lambda _: allow(), masks=MASKS) as house:
                for _ in range(given.rounds):
                    if given.only in (None, "rate"):
                        compare(house, server, "rate", "/api/v1/namespaces/prod/configmaps/c", 4)
                    if given.only in (None, "list"):
                        compare(house, server, "list", PODS, 20)
                        compare(house, server, "list", SECRETS, 20)
                        direct, through = (
                            by_kubectl(f"https://127.0.0.1:{where}", f"{prefix}{PODS}?mb=20")
                            for where, prefix in ((server.port, ""), (house.port, f"/clusters/{NAME}"))
                        )
                        print(f"list by kubectl: direct {direct:.2f} s, gate {through:.2f} s, {through / direct:.2f}×")
                    if given.only in (None, "watch"):
                        compare(house, server, "watch", f"{PODS}?watch=1", given.watches)
                if given.only in (None, "list"):
                    before = resident()
                    args = ("list", house.port, f"/clusters/{NAME}{PODS}", 100)
                    print(
                        f"100 MB list: {peak(threading.Thread(target=client, args=args)) - before} MiB more than before"
                    )
        finally:
            upstream.kill()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["_serve", certificate, key, port_file]:
            uvloop.run(serve(certificate, key, port_file))
        case ["_rate", where, path, amount]:
            uvloop.run(rate(int(where), path, float(amount)))
        case ["_watch", where, path, amount]:
            uvloop.run(watch(int(where), path, float(amount)))
        case ["_list", where, path, amount]:
            asyncio.run(listed(int(where), path, float(amount)))
        case _:
            main()
