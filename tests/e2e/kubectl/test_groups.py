"""`kubectl delete` of what it lists first: one review for exactly what was listed, and for nothing beyond it."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hooptui.audit.proof import history, prove
from hooptui.core.desk import HeldView
from tests.e2e.kubectl.gateway import POLICY, Gateway, gateway
from tests.e2e.kubectl.programs import Program, chosen, one
from tests.e2e.kubectl.world import World, world

pytestmark = pytest.mark.e2e
HELD = POLICY.replace(
    "tests:",
    """  - id: deletes-need-somebody
    effect: approve
    when: {resource: {protocol: kubernetes}, kubernetes: {verbs: [delete]}}
    approval: {by: [oncall], expires: 5m}
tests:""",
)


RUN = "5f0f3a52-6d0b-4b7a-9d1f-2d0f4c1c7f3e"
OPTIONS = b'{"propagationPolicy":"Background"}'
PATH = "/api/v1/namespaces/shop/configmaps"


class Bed:
    """A person with kubectl, and who judges what they delete."""

    def __init__(self, program: Program, cluster: World, through: Gateway, work: Path) -> None:
        self.cluster, self.through = cluster, through
        self.kubectl = cluster.kubectl(program, through.kubeconfig, work, "/clusters/prod-eu")
        self.direct = cluster.kubectl(program, cluster.kubeconfig, work.with_name("direct"))

    def make(self, names: str) -> None:
        for name in names:
            self.direct(f"create configmap {name} -n shop")
            self.direct(f"label configmap {name} -n shop app=x")

    def left(self, names: str) -> str:
        return "".join(name for name in names if self.cluster.has("configmaps", "shop", name))

    def vote(self, verb: str, held: HeldView, **more: str) -> None:
        assert self.through.do(verb, number=str(held.number), reason="seen", **more).ok

    def decided(self) -> list[tuple[str, str, int, str]]:
        """Of every deletion that was decided: effect, why, by which review, of what. The journal is whole, and proves each of them."""
        assert self.cluster.call(self.through.desk.verify()).status == 0
        assert not [proof.problems for proof in prove(history(self.through.home / "state")) if proof.problems]
        asked: dict[object, str] = {}
        found = []
        for path in sorted((self.through.home / "state" / "journal").rglob("*.jsonl")):
            for line in map(json.loads, path.read_text().splitlines()):
                event = line.get("event", {})
                data = event.get("data", {})
                key = (event.get("session"), data.get("operation"))
                if event.get("kind") == "asked" and data["verb"] == "delete":
                    asked[key] = data["relations"][0].rpartition("/")[2]
                if event.get("kind") == "decided" and key in asked:
                    found.append((data["effect"], data["why"], data["approval"], asked[key]))
        return found


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Gateway]]:
    one()
    with world() as cluster, gateway(cluster, policy=HELD) as made:
        yield cluster, made


@pytest.fixture(params=chosen() or (None,), ids=str)
def bed(request: pytest.FixtureRequest, through: tuple[World, Gateway], tmp_path: Path) -> Bed:
    return Bed(request.param, *through, tmp_path / "work")


def test_one_review_for_what_was_listed(bed: Bed) -> None:
    bed.make("abcde")
    before = len(bed.decided())
    with bed.kubectl.running("delete configmap -l app=x") as deleting:
        held = bed.through.held()
        assert held.scopes == ("group", "once") and held.group == 5
        assert held.members == tuple(f"shop/configmaps/{name}" for name in "abcde")
        # One that is there only now has its label too, and nobody was shown it.
        bed.make("f")
        bed.vote("approve", held, scope="group")
        assert deleting.end() == 0, deleting.err
    assert bed.left("abcdef") == "f"
    number = held.number
    assert bed.decided()[before:] == [
        ("allow", "approved", number, "a"), *(("allow", "granted", number, name) for name in "bcde"),
    ]  # fmt: skip
    assert not bed.cluster.call(bed.through.desk.snapshot()).grants, "used up"
    with bed.kubectl.running("delete configmap f") as deleting:
        held = bed.through.held()
        assert held.group == 0 and held.scopes == ("once",)
        bed.vote("approve", held)
        assert deleting.end() == 0


def test_a_no_is_for_all_of_them(bed: Bed) -> None:
    bed.make("abcde")
    before = len(bed.decided())
    with bed.kubectl.running("delete configmap -l app=x") as deleting:
        held = bed.through.held()
        bed.vote("deny", held)
        assert deleting.end() == 1
    assert bed.left("abcde") == "abcde"
    assert bed.decided()[before:] == [("deny", "denied", held.number, name) for name in "abcde"]
    assert deleting.err.count("denied by ops-1: seen") == 5
    assert deleting.err.count(f"(review #{held.number} was of all 5 of its group)") == 4
    bed.direct("delete configmap -n shop -l app=x --wait=false")


def test_this_one_alone_and_then_the_others(bed: Bed) -> None:
    """The list is long enough here to go by in parts."""
    bed.make("ab")
    bed.direct.file("long", "x" * 600_000)
    bed.direct("create configmap c -n shop --from-file=long")
    bed.direct("label configmap c -n shop app=x")
    with bed.kubectl.running("delete configmap -l app=x") as deleting:
        first = bed.through.held()
        bed.vote("approve", first, scope="once")
        second = bed.through.next(first)
        assert second.group == 2 and second.members == ("shop/configmaps/b", "shop/configmaps/c")
        bed.vote("approve", second, scope="group")
        assert deleting.end() == 0
    assert bed.left("abc") == ""


def test_what_has_come_in_place_of_another_is_asked_about_anew(bed: Bed) -> None:
    bed.make("abc")
    before = len(bed.decided())
    with bed.kubectl.running("delete configmap -l app=x") as deleting:
        first = bed.through.held()
        bed.direct("delete configmap b -n shop --wait=false")
        bed.make("b")
        bed.vote("approve", first, scope="group")
        second = bed.through.next(first)
        assert second.group == 0 and second.scopes == ("once",) and second.relations == ("shop/configmaps/b",)
        assert ("beware", "what was listed is gone; another object has its name now") in second.facts
        bed.vote("deny", second)
        assert deleting.end() == 1
    assert bed.left("abc") == "b"
    assert bed.decided()[before:] == [
        ("allow", "approved", first.number, "a"), ("allow", "granted", first.number, "b"),
        ("deny", "denied", second.number, "b"), ("allow", "granted", first.number, "c"),
    ]  # fmt: skip
    bed.direct("delete configmap b -n shop --wait=false")


def test_the_headers_of_a_run_let_nothing_else_go(bed: Bed) -> None:
    """A client of our own says that it is kubectl, in one session with what was reviewed: other names and options ask."""
    bed.make("abcd")
    with Client(bed.through) as client:
        assert client.ask("GET", f"{PATH}?fieldSelector=metadata.name!=d&labelSelector=app%3Dx")[0] == 200
        asked = client.later("DELETE", f"{PATH}/a", OPTIONS)
        held = bed.through.held()
        assert held.group == 3
        bed.vote("approve", held, scope="group")
        assert asked() == 200
        for path, options in ((f"{PATH}/d", OPTIONS), (f"{PATH}/c", b'{"gracePeriodSeconds":0}')):
            asked = client.later("DELETE", path, options)
            held = bed.through.held()
            bed.vote("deny", held)
            assert asked() == 403
        assert client.ask("DELETE", f"{PATH}/b", OPTIONS)[0] == 200
    assert bed.left("abcd") == "cd"
    bed.direct("delete configmap c d -n shop --wait=false")


class Client:
    """One connection, by which everything says that it is of one run of `kubectl delete`."""

    def __init__(self, through: Gateway) -> None:
        config = json.loads(through.kubeconfig.read_text())
        tls = ssl.create_default_context(cafile=config["clusters"][0]["cluster"]["certificate-authority"])
        self.connection = http.client.HTTPSConnection("127.0.0.1", through.port, context=tls, timeout=60)
        self.headers = {
            "Authorization": f"Bearer {config['users'][0]['user']['token']}", "Content-Type": "application/json",
            "Accept": "application/json", "Kubectl-Command": "kubectl delete", "Kubectl-Session": RUN,
        }  # fmt: skip

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        self.connection.request(method, f"/clusters/prod-eu{path}", body, self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def later(self, method: str, path: str, body: bytes) -> Callable[[], int]:
        """Send it; what comes back waits for the answer."""
        self.connection.request(method, f"/clusters/prod-eu{path}", body, self.headers)

        def status() -> int:
            answer = self.connection.getresponse()
            answer.read()
            return answer.status

        return status
