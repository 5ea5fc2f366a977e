"""What a reviewer sees of a held request, asked of a whole cluster double: changes, what goes along, where an exec would run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from hooptui.core.group import Group, Member
from hooptui.core.model import MaskRule
from hooptui.demo.cluster.cluster import Cluster
from hooptui.protocols.kubernetes.channel import KubernetesChannel
from tests.core.world import allow, hold
from tests.protocols.contract import until
from tests.protocols.kubernetes.apiserver import ApiServer
from tests.protocols.kubernetes.gatehouse import NAME, Gatehouse, open_gate
from tests.protocols.kubernetes.test_gate import head

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"


@pytest.fixture(scope="module")
def house(cluster: Cluster) -> Iterator[Gatehouse]:
    token = json.loads(cluster.kubeconfig(cluster.directory / "k").read_text())["users"][0]["user"]["token"]
    server = ApiServer(port=cluster.port, ca=cluster.ca_file)
    with open_gate(
        server,
        lambda asked: allow() if asked.verb == "get" else hold(),
        masks=(MaskRule("s", secrets=True),),
        token=token,
    ) as found:
        yield found


def previewed(
    house: Gatehouse, method: str, path: str, body: bytes = b"", *headers: str, group: Group | None = None
) -> str:
    """The reviewer's line of a request that then is refused."""
    lines = (*headers, *((f"Content-Length: {len(body)}",) if body else ()))
    with house.connect() as sock:
        sock.sendall(head(*lines, first=f"{method} /clusters/{NAME}{path} HTTP/1.1") + body)
        until(house.waiting)
        channel = house.door.sessions[-1].channel
        assert isinstance(channel, KubernetesChannel)
        words = house.call(channel.preview(group))
        house.vote(False)
        sock.recv(4096)
    until(lambda: not house.waiting())
    return words


def test_a_group_counts_what_all_of_it_takes_along(house: Gatehouse, cluster: Cluster) -> None:
    """By no more looks than for one of them."""
    _, _, body = house.ask("GET", DEPLOYMENTS)
    found = json.loads(body)["items"]
    assert len(found) > 1
    alone = [previewed(house, "DELETE", f"{DEPLOYMENTS}/{one['metadata']['name']}") for one in found]
    members = tuple(Member(f"shop/deployments.apps/{one['metadata']['name']}", one["metadata"]["uid"]) for one in found)
    path = f"{DEPLOYMENTS}/{found[0]['metadata']['name']}"
    together = previewed(house, "DELETE", path, group=Group("", members[0], members))
    assert together.startswith(f"together these {len(found)} deployments take along ")
    for kind in ("ReplicaSet", "Pod"):
        counts = [int(one[1]) for text in alone for one in re.finditer(rf"(\d+) {kind}", text)]
        assert counts and f"{sum(counts)} {kind}" in together
    orphans = previewed(house, "DELETE", f"{path}?propagationPolicy=Orphan", group=Group("", members[0], members))
    assert orphans == f"{len(found)} deployments; what they own stays"
    many = tuple(Member(f"n{number}/deployments.apps/x", f"{number}") for number in range(4))
    assert previewed(house, "DELETE", path, group=Group("", many[0], many)) == (
        "4 deployments in 4 namespaces; what they take along is not counted in so many"
    )
    spaces = (Member("a/namespaces/a", "1"), Member("b/namespaces/b", "2"))
    assert previewed(house, "DELETE", "/api/v1/namespaces/shop", group=Group("", spaces[0], spaces)) == (
        "2 namespaces: each takes everything in it along, which is not counted for so many"
    )


def first(cluster: Cluster, path: str, house: Gatehouse) -> str:
    code, _, body = house.ask("GET", path)
    assert code == 200
    return str(json.loads(body)["items"][0]["metadata"]["name"])


def test_a_patch_is_its_changes(house: Gatehouse, cluster: Cluster) -> None:
    name = first(cluster, DEPLOYMENTS, house)
    patch = b'{"spec":{"replicas":0},"metadata":{"labels":{"note":"x"}}}'
    words = previewed(house, "PATCH", f"{DEPLOYMENTS}/{name}", patch, "Content-Type: application/merge-patch+json")
    assert words.startswith("dry run accepted: ") and "metadata.labels.note none → x" in words and "→ 0" in words
    assert json.loads(house.ask("GET", f"{DEPLOYMENTS}/{name}")[2])["spec"]["replicas"] != 0, "nothing was changed"


def test_a_write_that_would_be_refused_says_so(house: Gatehouse) -> None:
    words = previewed(house, "PATCH", f"{DEPLOYMENTS}/nothing", b"{}", "Content-Type: application/merge-patch+json")
    assert words.startswith("dry run: the API server would refuse it: 404")


def test_a_deployment_takes_its_pods_along(house: Gatehouse, cluster: Cluster) -> None:
    words = previewed(house, "DELETE", f"{DEPLOYMENTS}/{first(cluster, DEPLOYMENTS, house)}")
    assert "replicas" in words and "1 ReplicaSet" in words and "Pod" in words


def test_a_namespace_takes_everything_along(house: Gatehouse) -> None:
    words = previewed(house, "DELETE", "/api/v1/namespaces/shop")
    assert words.startswith("takes everything in it along: ") and "Deployment" in words and "Secret" in words


def test_many_are_counted_and_named(house: Gatehouse) -> None:
    words = previewed(house, "DELETE", "/api/v1/namespaces/shop/pods")
    assert words.startswith("deletes ") and " pods: " in words


def test_a_new_secret_is_shown_without_its_value(house: Gatehouse) -> None:
    value = "bmV2ZXItc2Vlbi1ieS1hbnlib2R5"
    body = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "fresh"}, "data": {"password": value}}
    words = previewed(
        house, "POST", "/api/v1/namespaces/shop/secrets", json.dumps(body).encode(), "Content-Type: application/json"
    )
    assert words == "dry run accepted: creates Secret shop/fresh"
    assert house.ask("GET", "/api/v1/namespaces/shop/secrets/fresh")[0] == 404


def test_an_exec_says_where_it_would_run(house: Gatehouse, cluster: Cluster) -> None:
    pod = first(cluster, "/api/v1/namespaces/shop/pods", house)
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: v5.channel.k8s.io")  # fmt: skip
    words = previewed(house, "GET", f"/api/v1/namespaces/shop/pods/{pod}/exec?command=id&stdout=true", b"", *upgrade)
    assert words.startswith(f"pod {pod} on node ") and "service account " in words and "container " in words
