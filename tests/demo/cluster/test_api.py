"""The API server's double, asked by plain requests: who gets in, in which shapes it answers, and what a watch says."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from hooptui.demo.cluster.call import User
from hooptui.demo.cluster.cluster import ADMIN, Cluster

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRETS = "/api/v1/namespaces/shop/secrets"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Client:
    def __init__(self, cluster: Cluster, http: aiohttp.ClientSession) -> None:
        self.cluster = cluster
        self.http = http
        self.admin = cluster.people.issue(ADMIN)

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.cluster.ca_file))

    async def ask(
        self, path: str, method: str = "GET", token: str | None = None, **headers: str
    ) -> tuple[int, str, bytes]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token != "":
            given["Authorization"] = f"Bearer {token or self.admin}"
        async with self.http.request(method, self.cluster.url + path, headers=given, ssl=self.tls()) as answer:
            return answer.status, answer.headers["Content-Type"], await answer.read()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with Cluster(tmp_path_factory.mktemp("cluster") / "c") as cluster, aiohttp.ClientSession() as http:
        yield Client(cluster, http)


async def test_who_gets_in(client: Client, tmp_path: Path) -> None:
    assert (await client.ask("/version", token=""))[0] == 200
    assert (await client.ask("/api", token=""))[0] == 403
    status, _, body = await client.ask("/api", token="wrong")
    assert status == 401 and json.loads(body)["reason"] == "Unauthorized"
    viewer = client.cluster.people.issue(User("eve", ("viewers",)))
    assert (await client.ask("/api/v1/namespaces/shop/pods", token=viewer))[0] == 200
    status, _, body = await client.ask(SECRETS, token=viewer)
    assert status == 403
    assert json.loads(body)["message"] == (
        'secrets is forbidden: User "eve" cannot list resource "secrets" in API group "" in the namespace "shop"'
    )


async def test_a_role_is_for_its_verbs_groups_and_names(client: Client) -> None:
    viewer = client.cluster.people.issue(User("eve", ("viewers",)))
    assert (await client.ask("/api/v1/namespaces/shop/pods/console", "DELETE", token=viewer))[0] == 403
    assert (await client.ask("/api/v1/namespaces/shop/events", token=viewer))[0] == 200
    assert (await client.ask("/apis/events.k8s.io/v1/namespaces/shop/events", token=viewer))[0] == 403
    rules = [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["db-credentials"], "verbs": ["get"]}]
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "one-secret", "namespace": "shop"}}
    client.cluster.create({**rbac, "kind": "Role", "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "one-secret"}
    client.cluster.create(
        {**rbac, "kind": "RoleBinding", "roleRef": reference, "subjects": [{"kind": "User", "name": "eve"}]}
    )
    assert (await client.ask(f"{SECRETS}/db-credentials", token=viewer))[0] == 200
    assert (await client.ask(f"{SECRETS}/payment-gateway", token=viewer))[0] == 403
    assert (await client.ask(SECRETS, token=viewer))[0] == 403


async def test_impersonation_is_allowed_to_whoever_may(client: Client) -> None:
    assert (await client.ask(SECRETS, Impersonate_User="eve"))[0] == 403
    assert (await client.ask(SECRETS, Impersonate_User="eve", Impersonate_Group="system:masters"))[0] == 200
    viewer = client.cluster.people.issue(User("eve", ("viewers",)))
    status, _, body = await client.ask("/api/v1/namespaces/shop/pods", token=viewer, Impersonate_User="admin")
    assert status == 403 and b"cannot impersonate" in body


async def test_a_client_certificate_says_who_somebody_is(client: Client, tmp_path: Path) -> None:
    certificate, key = client.cluster.client_ca.issue("carl", ("viewers",))
    (tmp_path / "c").write_text(certificate + key)
    context = client.tls()
    context.load_cert_chain(tmp_path / "c")
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    url = f"{client.cluster.url}/apis/authentication.k8s.io/v1/selfsubjectreviews"
    async with aiohttp.ClientSession() as http, http.post(url, json=review, ssl=context) as answer:
        who = (await answer.json())["status"]["userInfo"]
    assert (who["username"], who["groups"]) == ("carl", ["viewers", "system:authenticated"])


@pytest.mark.parametrize(
    ("accept", "media", "leaks"),
    [
        ("application/json", "application/json", True),
        ("application/yaml", "application/yaml", True),
        ("application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf", False),
        (f"{TABLE},application/json", "application/json", False),
    ],
)
async def test_a_secret_in_every_shape(client: Client, accept: str, media: str, leaks: bool) -> None:
    status, kind, body = await client.ask(f"{SECRETS}/db-credentials", Accept=accept)
    assert (status, kind) == (200, media)
    password = client.cluster.planted.password
    assert (base64.b64encode(password.encode()) in body) is leaks
    assert (password.encode() in body) is media.endswith("protobuf"), "protobuf holds it as it is"


async def test_what_is_not_served_is_not_acceptable(client: Client) -> None:
    assert (await client.ask(SECRETS, Accept="text/html"))[0] == 406


@pytest.mark.parametrize(
    "path", ["/api/v1/namespaces/shop%2fsecrets", "/api/v1/namespaces/shop/%73ecrets", f"{SECRETS}/"]
)
async def test_paths_are_read_as_go_reads_them(client: Client, path: str) -> None:
    from yarl import URL

    url = URL(client.cluster.url + path, encoded=True)
    headers = {"Authorization": f"Bearer {client.admin}"}
    async with client.http.get(url, headers=headers, ssl=client.tls()) as answer:
        assert answer.status == 200 and (await answer.json())["kind"] == "SecretList"


async def test_a_list_comes_in_pages(client: Client) -> None:
    names: list[str] = []
    query = "?limit=3"
    while query:
        page = json.loads((await client.ask(f"/api/v1/namespaces/shop/pods{query}"))[2])
        assert len(page["items"]) <= 3
        names += [one["metadata"]["name"] for one in page["items"]]
        token = page["metadata"].get("continue")
        query = f"?limit=3&continue={token}" if token else ""
    whole = json.loads((await client.ask("/api/v1/namespaces/shop/pods"))[2])
    assert names == [one["metadata"]["name"] for one in whole["items"]] and len(names) > 6


async def test_a_watch_begins_with_what_is_there_when_asked(client: Client) -> None:
    path = "/api/v1/namespaces/shop/configmaps?watch=banana&sendInitialEvents=true&allowWatchBookmarks=true&timeoutSeconds=30"
    headers = {"Authorization": f"Bearer {client.admin}"}
    async with client.http.get(client.cluster.url + path, headers=headers, ssl=client.tls()) as answer:
        kinds = []
        while not kinds or kinds[-1] != "BOOKMARK":
            event = json.loads(await answer.content.readline())
            kinds.append(event["type"])
        assert set(kinds[:-1]) == {"ADDED"}
        assert event["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        client.cluster.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": "shop"}}
        )
        event = json.loads(await answer.content.readline())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "new")


async def test_a_watch_over_a_websocket_takes_its_token_as_a_subprotocol(client: Client) -> None:
    bearer = base64.urlsafe_b64encode(client.admin.encode()).rstrip(b"=").decode()
    protocols = (f"base64url.bearer.authorization.k8s.io.{bearer}", "base64.binary.k8s.io")
    url = client.cluster.url.replace("https", "wss") + f"{SECRETS}?watch=1"
    async with client.http.ws_connect(url, protocols=protocols, ssl=client.tls()) as socket:
        event = json.loads(await socket.receive_str())
    assert event["type"] == "ADDED" and event["object"]["kind"] == "Secret"


async def test_everything_is_as_it_was_after_a_reset(client: Client) -> None:
    before = json.loads((await client.ask("/api/v1/namespaces/shop/pods"))[2])
    await client.ask("/apis/apps/v1/namespaces/shop/deployments/web", "DELETE")
    assert json.loads((await client.ask("/api/v1/namespaces/shop/pods"))[2])["items"] != before["items"]
    await client.cluster.reset()
    after = json.loads((await client.ask("/api/v1/namespaces/shop/pods"))[2])
    assert [one["metadata"]["uid"] for one in after["items"]] == [one["metadata"]["uid"] for one in before["items"]]
