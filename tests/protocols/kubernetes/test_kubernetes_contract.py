"""The contract of every protocol, for Kubernetes: an exec by the Python client, which is one request, one operation, one session."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes_asyncio import client as api
from kubernetes_asyncio.stream import WsApiClient

from hooptui.core.approvals import Approval
from hooptui.core.gate import Killed
from hooptui.core.model import Decision, Operation
from tests.core.world import Book
from tests.protocols.contract import WITHIN, Outcome, ProtocolContract, until
from tests.protocols.kubernetes.apiserver import ApiServer
from tests.protocols.kubernetes.gatehouse import NAME, TOKEN, Gatehouse, message, open_gate


class Thread:
    """A loop for the client, which lives beside the gate's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def begin() -> asyncio.Task[None]:
            return asyncio.get_running_loop().create_task(work)

        return asyncio.run_coroutine_threadsafe(begin(), self.loop).result(60)

    def stop(self, *tasks: asyncio.Task[None]) -> None:
        async def end() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(60)


class Exec:
    """One exec, read in the background."""

    def __init__(self, house: Gatehouse, thread: Thread, command: list[str]) -> None:
        self.told: list[str] = []
        self.status: dict[str, Any] = {}
        self._house = house
        self._thread = thread
        self._command = command
        self._over = threading.Event()
        self.task = thread.start(self._run())

    async def _run(self) -> None:
        config = api.Configuration(
            host=f"https://127.0.0.1:{self._house.port}/clusters/{NAME}", ssl_ca_cert=str(self._house.home / "ca.crt")
        )
        config.api_key["BearerToken"] = f"Bearer {TOKEN}"
        try:
            async with WsApiClient(config) as ws:
                asking = await api.CoreV1Api(ws).connect_get_namespaced_pod_exec(
                    "web-1",
                    "prod",
                    command=self._command,
                    stdin=False,
                    stdout=True,
                    stderr=True,
                    tty=False,
                    _preload_content=False,
                )
                async with asking as stream:
                    async for one in stream:
                        if one.type is not aiohttp.WSMsgType.BINARY:
                            continue
                        if one.data[0] == 3:
                            self.status = json.loads(one.data[1:])
                        else:
                            self.told.append(one.data[1:].decode())
        finally:
            self._over.set()

    def outcome(self, within: float = WITHIN) -> Outcome:
        assert self._over.wait(within), "it did not end"
        return Outcome(self.status.get("status") == "Success", self.status.get("message", ""), self.told)

    def leave(self) -> None:
        self._thread.stop(self.task)


class Raw:
    """A request that no gateway could understand, and its answer."""

    def __init__(self, house: Gatehouse) -> None:
        self.told: list[str] = []
        self.code, _, self.body = house.ask("GET", "/api/v1/watch")

    def outcome(self, within: float = WITHIN) -> Outcome:
        return Outcome(self.code == 200, message(self.body))


class KubernetesClient:
    def __init__(self, house: Gatehouse, thread: Thread, file: Path) -> None:
        self._house = house
        self._thread = thread
        self._file = file
        self._last: Exec | None = None

    def write(self) -> Exec:
        self._last = Exec(self._house, self._thread, ["sh", "-c", f"echo x >> {self._file}"])
        return self._last

    def gibberish(self) -> Raw:
        return Raw(self._house)

    def leave(self) -> None:
        assert self._last is not None
        self._last.leave()

    def cut(self, within: float) -> str:
        assert self._last is not None
        return self._last.outcome(within).words


class KubernetesWorld:
    def __init__(self, house: Gatehouse, thread: Thread, server: ApiServer, file: Path) -> None:
        self._house = house
        self._thread = thread
        self._server = server
        self._file = file

    @property
    def book(self) -> Book:
        return self._house.book

    def client(self) -> KubernetesClient:
        return KubernetesClient(self._house, self._thread, self._file)

    def judge(self, answer: Callable[[Operation], Decision]) -> None:
        self._house.judge.answer = answer

    def writes(self) -> int:
        return self._file.read_bytes().count(b"x\n")

    def waiting(self) -> tuple[Approval, ...]:
        return self._house.waiting()

    def vote(self, approve: bool, reason: str = "") -> None:
        self._house.vote(approve, reason)

    def kill(self, reason: str) -> Killed:
        return self._house.call(self._house.door.sessions[-1].kill("ops-1", reason))

    def upstream_alive(self) -> int:
        return self._server.streams


class TestKubernetes(ProtocolContract):
    @pytest.fixture
    def world(self, server: ApiServer, tmp_path: Path) -> Iterator[KubernetesWorld]:
        file = tmp_path / f"ledger-{os.urandom(4).hex()}"
        file.touch()
        thread = Thread()
        with open_gate(server) as house:
            yield KubernetesWorld(house, thread, server, file)
        until(lambda: server.streams == 0)
        thread.loop.call_soon_threadsafe(thread.loop.stop)
        thread._thread.join(60)
        thread.loop.close()
