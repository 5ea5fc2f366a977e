"""Ways to a Secret's value through a whole gate and a whole cluster: each is walked directly first, and shows it, and then through the gate."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hooptui.core.model import MaskRule, Operation
from hooptui.demo.cluster.cluster import ADMIN, Cluster
from tests.core.world import allow
from tests.masking.kubernetes.leaks import shows
from tests.protocols.kubernetes.gatehouse import TOKEN, Gatehouse, everything, kubectls, open_gate, parsed

SHOP = "/api/v1/namespaces/shop"
SECRETS = f"{SHOP}/secrets"
ONE = f"{SECRETS}/db-credentials"
PAYMENT = f"{SECRETS}/payment-gateway"
HELM = f"{SECRETS}/sh.helm.release.v1.shop.v1"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadata{};v=v1;g=meta.k8s.io,application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MERGE, PATCH, STRATEGIC, APPLY = (
    f"application/{name}"
    for name in ("merge-patch+json", "json-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
)


@dataclass(frozen=True)
class Way:
    """One request; `lasting` for one that goes on until the client has seen enough."""

    name: str
    path: str
    method: str = "GET"
    accept: str = "application/json"
    body: str = ""
    kind: str = "application/json"
    encoding: str = ""
    lasting: bool = False


def mirror(name: str) -> str:
    """A write of a Secret whose value the client does not know: it is there already, and comes back."""
    return json.dumps(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "shop", "labels": {"a": "b"}}}
    )


WAYS: tuple[Way, ...] = (
    Way("get", ONE),
    Way("get, pretty", f"{ONE}?pretty=true"),
    Way("get, anything", ONE, accept="*/*"),
    Way("get, nothing said", ONE, accept=""),
    Way("get as YAML", ONE, accept="application/yaml"),
    Way("get as protobuf", ONE, accept=PROTOBUF),
    Way("get as protobuf or JSON", ONE, accept=f"{PROTOBUF},application/json"),
    Way("get, packed", SECRETS, encoding="gzip"),
    Way("get at a version", f"{ONE}?resourceVersion=0"),
    Way("get a release of Helm", HELM),
    Way("get what was applied", PAYMENT),
    Way("get its metadata alone", PAYMENT, accept=METADATA.format("")),
    Way("get its table", PAYMENT, accept=TABLE),
    Way("get its table with the object", f"{ONE}?includeObject=Object", accept=TABLE),
    Way("get its table without CSV", f"{ONE}?includeObject=Object", accept="application/json;as=Table;v=v1;g=meta.k8s.io"),
    Way("get with a slash behind", f"{ONE}?", accept="application/json"),
    Way("list", SECRETS),
    Way("list as YAML", SECRETS, accept="application/yaml"),
    Way("list as protobuf", SECRETS, accept=PROTOBUF),
    Way("list everywhere", "/api/v1/secrets"),
    Way("list by label", f"{SECRETS}?labelSelector=app%3Dweb"),
    Way("list by label of Helm", f"{SECRETS}?labelSelector=owner%3Dhelm"),
    Way("list by name", f"{SECRETS}?fieldSelector=metadata.name%3Ddb-credentials"),
    Way("list by type", f"{SECRETS}?fieldSelector=type%3DOpaque"),
    Way("list in pages", f"{SECRETS}?limit=1"),
    Way("list as a table with objects", f"{SECRETS}?includeObject=Object", accept=TABLE),
    Way("list as a table with metadata", f"{SECRETS}?includeObject=Metadata", accept=TABLE),
    Way("list of metadata", SECRETS, accept=METADATA.format("List")),
    Way("watch", f"{SECRETS}?watch=true", lasting=True),
    Way("watch, said oddly", f"{SECRETS}?watch=banana", lasting=True),
    Way("watch by its old path", "/api/v1/watch/namespaces/shop/secrets", lasting=True),
    Way("watch one", f"{SECRETS}?watch=1&fieldSelector=metadata.name%3Ddb-credentials", lasting=True),
    Way("watch everywhere", "/api/v1/secrets?watch=true", lasting=True),
    Way("watch as tables", f"{SECRETS}?watch=true&includeObject=Object", accept=TABLE, lasting=True),
    Way("watch of metadata", f"{SECRETS}?watch=true", accept=METADATA.format(""), lasting=True),
    Way("watch as YAML", f"{SECRETS}?watch=true", accept="application/yaml", lasting=True),
    Way("watch as protobuf", f"{SECRETS}?watch=true", accept=f"{PROTOBUF};stream=watch", lasting=True),
    Way("watch from the beginning", f"{SECRETS}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan", lasting=True),
    Way("merge patch", ONE, "PATCH", body='{"metadata":{"labels":{"x":"y"}}}', kind=MERGE),
    Way("merge patch, nothing", ONE, "PATCH", body="{}", kind=MERGE),
    Way("strategic patch", ONE, "PATCH", body='{"metadata":{"annotations":{"x":"y"}}}', kind=STRATEGIC),
    Way("JSON patch", ONE, "PATCH", body='[{"op":"add","path":"/metadata/labels/x","value":"y"}]', kind=PATCH),
    Way("JSON patch that copies", ONE, "PATCH", body='[{"op":"copy","from":"/data/password","path":"/metadata/labels/stolen"}]', kind=PATCH),
    Way("JSON patch that moves", ONE, "PATCH", body='[{"op":"copy","from":"/data/password","path":"/metadata/annotations"},{"op":"replace","path":"/metadata/annotations","value":{}}]', kind=PATCH),
    Way("patch, tried alone", f"{ONE}?dryRun=All", "PATCH", body='{"metadata":{"labels":{"x":"z"}}}', kind=MERGE),
    Way("patch as a table", f"{ONE}?includeObject=Object", "PATCH", accept=TABLE, body="{}", kind=MERGE),
    Way("patch as YAML", ONE, "PATCH", accept="application/yaml", body="{}", kind=MERGE),
    Way("apply", f"{ONE}?fieldManager=me&force=true", "PATCH", body=mirror("db-credentials"), kind=APPLY),
    Way("apply, tried alone", f"{ONE}?fieldManager=me&dryRun=All&force=true", "PATCH", body=mirror("db-credentials"), kind=APPLY),
    Way("delete one of many", f"{SECRETS}?labelSelector=app%3Dweb&dryRun=All", "DELETE"),
    Way("delete all, tried alone", f"{SECRETS}?dryRun=All", "DELETE"),
    Way("token of an account", f"{SHOP}/serviceaccounts/deployer/token", "POST", body='{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}'),
)  # fmt: skip

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("get", "secret", "db-credentials", "-o", "yaml"),
    ("get", "secret", "db-credentials", "-o", "json"),
    ("get", "secret", "db-credentials", "-o", "jsonpath={.data.password}"),
    ("get", "secret", "db-credentials", "-o", "go-template={{.data.password | base64decode}}"),
    ("get", "secrets", "-o", "custom-columns=P:.data.password"),
    ("get", "secrets", "-A", "-o", "yaml"),
    ("get", "secrets", "--show-managed-fields", "-o", "json"),
    ("get", "configmaps,secrets", "-o", "yaml"),
    ("get", "--raw", ONE),
    ("get", "--raw", f"{SECRETS}?limit=500"),
    ("apply", "view-last-applied", "secret/payment-gateway"),
    ("annotate", "secret", "db-credentials", "seen=1", "--overwrite", "-o", "yaml"),
    ("label", "secret", "db-credentials", "seen=1", "--overwrite", "-o", "json"),
    ("patch", "secret", "db-credentials", "-p", "{}", "-o", "yaml"),
    ("create", "token", "deployer"),
)


class Served:
    """A cluster on a thread of its own."""

    def __init__(self, home: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.cluster = Cluster(home)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.cluster.__aenter__(), self.loop).result(60)
        self.port, self.ca = self.cluster.port, self.cluster.ca_file
        self.token = self.cluster.people.issue(ADMIN)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.cluster.__aexit__(None, None, None), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(60)
        self.loop.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def gate(served: Served) -> Iterator[Gatehouse]:
    def yes(operation: Operation) -> object:
        return allow()

    with open_gate(served, yes, masks=(MaskRule("no-secrets", secrets=True),), token=served.token) as found:  # type: ignore[arg-type]
        yield found


def values(served: Served) -> tuple[str, ...]:
    planted = served.cluster.planted
    return planted.password, planted.token, planted.payment, planted.release


def leaked(data: bytes, served: Served) -> bool:
    """Whether any planted value can be read out of it, or a token that its cluster would take."""
    tokens = [word for word in data.replace(b'"', b" ").split() if word.count(b".") == 2 and word.startswith(b"ey")]
    return bool(tokens) or any(shows(data, value) for value in values(served))


ENDS_A_CHUNK = b"\r\n"


def asked(way: Way, sock: ssl.SSLSocket, prefix: str, token: str, enough: Callable[[bytes], bool]) -> bytes:
    """The body that comes back; of a watch, what comes until it is `enough` or over."""
    lines = [
        f"{way.method} {prefix}{way.path} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Connection: close",
    ]
    lines += [f"Accept: {way.accept}"] if way.accept else []
    lines += [f"Accept-Encoding: {way.encoding}"] if way.encoding else []
    body = way.body.encode()
    lines += [f"Content-Type: {way.kind}", f"Content-Length: {len(body)}"] if body else []
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    if not way.lasting:
        return parsed(everything(sock))[2]
    parts = b""
    while not (parts.endswith(ENDS_A_CHUNK) and enough(parts)) and (data := sock.recv(65536)):
        parts += data
    return body_of(parts)


def body_of(parts: bytes) -> bytes:
    """What is in chunks that are whole."""
    pieces = parts.partition(b"\r\n\r\n")[2].split(b"\r\n")
    return b"".join(pieces[1::2]) or parts


def direct(served: Served) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(served.ca))
    context.check_hostname = False
    return context.wrap_socket(socket.create_connection(("127.0.0.1", served.port), 60), server_hostname="127.0.0.1")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_request(way: Way, served: Served, gate: Gatehouse) -> None:
    with direct(served) as sock:
        shown = asked(way, sock, "", served.token, lambda parts: leaked(body_of(parts), served))
        assert leaked(shown, served), "it shows nothing even without a gate"
    with gate.connect() as sock:
        # Of a watch at least as many objects as there were when it was seen.
        out = asked(way, sock, "/clusters/prod-eu", TOKEN, lambda parts: parts.count(b"ADDED") >= shown.count(b"ADDED"))
    assert not leaked(out, served), out
    assert out, "nothing came back at all"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.skipif(not kubectls(), reason="kubectl is not installed")
def test_a_command(command: tuple[str, ...], served: Served, gate: Gatehouse) -> None:
    for program in kubectls()[:: max(1, len(kubectls()) - 1)]:
        plain = gate.run([*gate.kubectl(program=program, direct=True), "-n", "shop", *command])
        assert leaked(plain.stdout, served), plain
        # A raw path is the whole of it, the cluster's prefix too.
        prefixed = [f"/clusters/prod-eu{word}" if word.startswith("/api") else word for word in command]
        through = gate.run([*gate.kubectl(program=program), "-n", "shop", *prefixed])
        assert not leaked(through.stdout + through.stderr, served), through
        assert through.returncode == 0, through


def test_there_are_enough_of_them() -> None:
    assert len({way.name for way in WAYS}) == len(WAYS) >= 50


def test_what_was_masked_is_not_written_back(served: Served, gate: Gatehouse) -> None:
    status, _, body = gate.ask("GET", ONE)
    assert status == 200 and b"bWFza2VkLWJ5" in body
    value = json.loads(body)
    shown = base64.b64decode(value["data"]["password"]).decode()
    for method, path, sent, kind in (
        ("PUT", ONE, value, "application/json"),
        ("PATCH", ONE, {"stringData": {"password": shown}}, MERGE),
        ("POST", f"{SHOP}/configmaps", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"p": shown}}, "application/json"),
    ):  # fmt: skip
        status, _, answer = gate.ask(method, path, json.dumps(sent).encode(), f"Content-Type: {kind}")
        assert status == 403 and b"masked" in answer
    kept = served.cluster.store.get("secrets", "shop", "db-credentials")
    assert kept is not None
    assert base64.b64decode(kept["data"]["password"]).decode() == served.cluster.planted.password


def test_nothing_of_it_is_on_record(served: Served, gate: Gatehouse) -> None:
    """After everything above went through."""
    assert not any(value in repr(gate.book.events) for value in values(served))


def test_a_release_of_helm_is_read_where_a_rule_says_so_and_is_on_no_record(served: Served) -> None:
    rule = MaskRule("no-secrets-but-releases", secrets=True, secrets_except=("helm.sh/release.v1",))
    release = served.cluster.planted.release
    with open_gate(served, lambda _: allow(), masks=(rule,), token=served.token) as spared:  # type: ignore[arg-type]
        for path in (HELM, f"{SECRETS}?labelSelector=owner%3Dhelm"):
            assert shows(spared.ask("GET", path)[2], release)
        assert not leaked(spared.ask("GET", ONE)[2], served)
        found = json.loads(spared.ask("GET", HELM)[2])
        found["metadata"] = {
            "name": "sh.helm.release.v1.shop.v9",
            "labels": {"owner": "helm", "name": "shop", "version": "9"},
        }
        assert spared.ask("POST", SECRETS, json.dumps(found).encode(), "Content-Type: application/json")[0] == 201
        assert [event for event in spared.book.events if "sh.helm.release.v1.shop.v9" in repr(event)]
        assert not any(shows(repr(event).encode(), value) for event in spared.book.events for value in values(served))
