"""The Kubernetes client of Python, straight at the cluster and through the gateway, with masks and without: the same answers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.dynamic import DynamicClient
from kubernetes_asyncio.stream import WsApiClient

from tests.e2e.kubectl.gateway import POLICY, Gateway, gateway
from tests.e2e.kubectl.world import World, world

pytestmark = pytest.mark.e2e
NAMESPACE = "shop"
MASKS = "\nmasks:\n  - {id: secrets, when: {resource: {protocol: kubernetes}}, secrets: true, action: redact}\ntests:"


def config_map(name: str, **data: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)


async def objects(api: client.ApiClient) -> list[object]:
    core, said = client.CoreV1Api(api), list[object]()
    await core.create_namespaced_config_map(NAMESPACE, config_map("one", a="1"))
    try:
        await core.create_namespaced_config_map(NAMESPACE, config_map("one"))
    except ApiException as no:
        said.append((no.status, no.reason, "already exists" in str(no.body)))
    found = await core.patch_namespaced_config_map("one", NAMESPACE, {"data": {"b": "2"}})
    said.append(found.data)
    found.data = {"c": "3"}
    said.append((await core.replace_namespaced_config_map("one", NAMESPACE, found)).data)
    try:
        await core.replace_namespaced_config_map("one", NAMESPACE, found)
    except ApiException as no:
        said.append((no.status, no.reason))
    names, more = list[str](), dict[str, Any]()
    while True:
        page = await core.list_config_map_for_all_namespaces(limit=2, **more)
        names += [f"{one.metadata.namespace}/{one.metadata.name}" for one in page.items]
        more = {"_continue": page.metadata._continue or ""}
        if not more["_continue"]:
            break
    said.append(sorted(names))
    said.append((await core.delete_namespaced_config_map("one", NAMESPACE)).status)
    return said


async def events(api: client.ApiClient) -> list[object]:
    core, said = client.CoreV1Api(api), list[object]()
    begin = (await core.list_namespaced_config_map(NAMESPACE)).metadata.resource_version
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: core.patch_namespaced_config_map("seen", NAMESPACE, {"data": {"a": "2"}}),
        lambda: core.delete_namespaced_config_map("seen", NAMESPACE),
    ]
    await core.create_namespaced_config_map(NAMESPACE, config_map("seen", a="1"))
    async with watch.Watch() as watching:
        async for event in watching.stream(core.list_namespaced_config_map, NAMESPACE, resource_version=begin):
            said.append((event["type"], event["object"].metadata.name, event["object"].data))
            if not steps:
                break
            await steps.pop(0)()
    return said


async def logs(api: client.ApiClient) -> list[object]:
    core = client.CoreV1Api(api)
    pods = await core.list_namespaced_pod(NAMESPACE, label_selector="app=worker")
    name = pods.items[0].metadata.name
    return [await core.read_namespaced_pod_log(name, NAMESPACE, container="worker", previous=True)]


async def anything(api: client.ApiClient) -> list[object]:
    found = await DynamicClient(api)
    backups = await found.resources.get(api_version="demo.example/v1", kind="Backup")
    listed = await backups.get(namespace=NAMESPACE)
    return [one.metadata.name for one in listed.items]


async def execution(settings: client.Configuration) -> list[object]:
    async with WsApiClient(configuration=settings) as api:
        # What it says that it returns, and takes, is not so for a stream.
        core: Any = client.CoreV1Api(api)
        words: dict[str, Any] = {"stdout": True, "stderr": True, "stdin": False, "tty": False}
        out = await core.connect_get_namespaced_pod_exec("console", NAMESPACE, command=["echo", "hello"], **words)
        stream = await core.connect_get_namespaced_pod_exec(
            "console",
            NAMESPACE,
            command=["sh", "-c", "echo out; echo err >&2; exit 7"],
            _preload_content=False,
            **words,
        )
        parts: dict[int, bytes] = {}
        async with stream as socket:
            async for message in socket:
                parts[message.data[0]] = parts.get(message.data[0], b"") + message.data[1:]
        return [out, parts[1], parts[2], WsApiClient.parse_error_data(parts[3].decode())]


CASES: dict[str, Callable[[client.ApiClient], Awaitable[list[object]]]] = {
    "objects": objects,
    "events": events,
    "logs": logs,
    "anything": anything,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture(scope="module")
def plain(cluster: World) -> Iterator[Gateway]:
    with gateway(cluster) as made:
        yield made


@pytest.fixture(scope="module")
def masked(cluster: World) -> Iterator[Gateway]:
    with gateway(cluster, policy=POLICY.replace("\ntests:", MASKS)) as made:
        yield made


T = TypeVar("T")


async def to_its_end(work: Awaitable[T]) -> T:
    """With every socket closed: over TLS a connection still says farewell when its client has been left, and a loop that ends
    before leaves it to the collector, which tells another test."""
    done = await work
    sockets: Any = asyncio.get_running_loop()
    while len(sockets._selector.get_map()) > 1:  # the one is the loop's own
        await asyncio.sleep(0.01)
    # What is closed is told so in the next turn.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return done


def run(kubeconfig: Path, case: str) -> list[object]:
    async def work() -> list[object]:
        settings = client.Configuration()
        await config.load_kube_config(str(kubeconfig), client_configuration=settings)
        if case == "execution":
            return await execution(settings)
        async with client.ApiClient(settings) as api:
            return await CASES[case](api)

    return asyncio.run(asyncio.wait_for(to_its_end(work()), 60))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("objects", "(409, 'Conflict')"),
        ("events", "('MODIFIED', 'seen', {'a': '2'}), ('DELETED', 'seen', {'a': '2'})"),
        ("logs", "out of memory"),
        ("anything", "['orders']"),
        ("execution", "['hello\\n', b'out\\n', b'err\\n', 7]"),
    ],
)
def test_the_same_directly_and_through_the_gateway(
    case: str, words: str, cluster: World, plain: Gateway, masked: Gateway
) -> None:
    found = []
    for kubeconfig in (cluster.kubeconfig, plain.kubeconfig, masked.kubeconfig):
        cluster.reset()
        found.append(run(kubeconfig, case))
    assert words in str(found[0]), found[0]
    assert found[1] == found[0]
    assert found[2] == found[0], "with masks, that have nothing to mask here"


def test_a_secret_is_masked_and_not_written_back(cluster: World, masked: Gateway) -> None:
    cluster.reset()

    async def work() -> None:
        settings = client.Configuration()
        await config.load_kube_config(str(masked.kubeconfig), client_configuration=settings)
        async with client.ApiClient(settings) as api:
            core = client.CoreV1Api(api)
            secret = await core.read_namespaced_secret("db-credentials", NAMESPACE)
            assert base64.b64decode(secret.data["password"]).startswith(b"masked-by-hooptui.")
            with pytest.raises(ApiException) as no:
                await core.replace_namespaced_secret("db-credentials", NAMESPACE, secret)
            assert no.value.status == 403 and "writing it back would destroy the real ones" in str(no.value.body)

    asyncio.run(asyncio.wait_for(to_its_end(work()), 60))
    kept = cluster.do(lambda: cluster.cluster.store.get("secrets", NAMESPACE, "db-credentials"))
    assert kept is not None
    assert base64.b64decode(kept["data"]["password"]).decode() == cluster.cluster.planted.password
