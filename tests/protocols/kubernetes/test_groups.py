"""What is kept of the lists that `kubectl delete` asks for, and which deletions it is held against."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.core.group import Group
from hooptui.protocols.kubernetes.deletion import bindable, bound
from hooptui.protocols.kubernetes.groups import LASTS, LISTS, MOST, SIZE, Listings
from hooptui.protocols.kubernetes.info import request_info
from tests.protocols.kubernetes.asking import JSON, PROTOBUF, operation, request

RUN = "5f0f3a52-6d0b-4b7a-9d1f-2d0f4c1c7f3e"
HEADERS = ("Kubectl-Command: kubectl delete", f"Kubectl-Session: {RUN}")
LIST = "GET /api/v1/namespaces/shop/configmaps?labelSelector=app%3Dx"
OPTIONS = b'{"propagationPolicy":"Background"}\n'


def item(name: Any, uid: Any = "", namespace: Any = "shop") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": uid or f"uid-{name}", "namespace": namespace, "labels": {"a": "b"}},
        "data": {"uid": "x", "name": "y"},
    }


def answer(*items: Any, more: str = "") -> bytes:
    return json.dumps({"kind": "ConfigMapList", "metadata": {"continue": more}, "items": [*items]}).encode()


class Going:
    """One session's client."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kept = Listings(lambda: self.now)

    def listed(self, data: bytes, line: str = LIST, *headers: str, step: int = 100) -> bool:
        """Let a list go by; whether it was looked at."""
        asked = request(line, *(headers or HEADERS))
        listing = self.kept.expected(asked, request_info(asked))
        if listing is None:
            return False
        for at in range(0, len(data), step):
            listing.feed(data[at : at + step])
        listing.close()
        return True

    def deleting(
        self,
        name: str = "a",
        *headers: str,
        body: bytes = OPTIONS,
        line: str = "DELETE /api/v1/namespaces/shop/configmaps/",
        kind: str = JSON,
    ) -> Group | None:
        said = (*(headers or HEADERS), f"Content-Type: {kind}")
        asked = operation(line + name, body, kind, *(headers or HEADERS))
        return self.kept.with_group(asked, request(line + name, *said, body=body), body).group


def names(group: Group | None) -> str:
    return " ".join(one.about.rpartition("/")[2] for one in group.members) if group else ""


def test_a_deletion_is_shown_with_what_was_listed_and_not_asked_for_yet() -> None:
    one = Going()
    assert one.listed(answer(item("a"), item("b"), item("c")))
    first = one.deleting("a")
    assert first is not None and first.own == first.members[0] and not first.more
    assert [(member.about, member.identity) for member in first.members] == [
        ("shop/configmaps/a", "uid-a"), ("shop/configmaps/b", "uid-b"), ("shop/configmaps/c", "uid-c"),
    ]  # fmt: skip
    second, third = one.deleting("b"), one.deleting("c")
    assert (names(second), names(third)) == ("b c", "c")
    assert second is not None and third is not None and first.like == second.like == third.like
    assert one.deleting("a") is None and one.deleting("d") is None


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        (LIST, HEADERS[:1]),
        (LIST, HEADERS[1:]),
        (LIST, ("Kubectl-Command: kubectl get", HEADERS[1])),
        (LIST, (HEADERS[0], "Kubectl-Session: anything")),
        (LIST + "&watch=true", HEADERS),
        (LIST.replace("GET", "HEAD"), HEADERS),
        ("GET /api/v1/namespaces/shop/configmaps/a", HEADERS),
        ("GET /apis/example.com/v1/namespaces/shop/configmaps", HEADERS),
        ("DELETE /api/v1/namespaces/shop/configmaps", HEADERS),
    ],
)
def test_nothing_else_is_looked_at(line: str, headers: tuple[str, ...]) -> None:
    """The last but one: behind a group that is not the API server's own may be a server that knows no precondition."""
    one = Going()
    assert not one.listed(answer(item("a"), item("b")), line, *headers)
    assert one.deleting() is None


@pytest.mark.parametrize(
    "change",
    [
        {"body": b""},
        {"body": OPTIONS, "kind": PROTOBUF},
        {"body": b'{"preconditions":{"uid":"uid-a"}}'},
        {"body": b'{"Preconditions":{"uid":"uid-a"}}'},
        {"body": b'{"dryRun":["All"]}'},
        {"body": b"[]"},
        {"body": b"{"},
        {"line": "DELETE /api/v1/namespaces/other/configmaps/"},
        {"line": "DELETE /api/v1/namespaces/shop/secrets/"},
        {"line": "DELETE /apis/apps/v1/namespaces/shop/configmaps/"},
        {"line": "PUT /api/v1/namespaces/shop/configmaps/"},
    ],
)
def test_what_is_not_such_a_deletion_has_no_group(change: dict[str, Any]) -> None:
    one = Going()
    one.listed(answer(item("a"), item("b")))
    assert one.deleting(**change) is None
    assert one.deleting() is not None


def test_another_run_has_none() -> None:
    one = Going()
    one.listed(answer(item("a"), item("b")))
    assert one.deleting("a", HEADERS[0], f"Kubectl-Session: {RUN[:-1]}f") is None
    assert one.deleting("a", "Kubectl-Command: kubectl drain", HEADERS[1]) is None
    assert one.deleting("a", "Accept: x") is None


def test_other_options_are_of_another_kind() -> None:
    likes = set()
    for query, body in (("", OPTIONS), ("", b'{"gracePeriodSeconds":0}'), ("?pretty=1", OPTIONS), ("", b"{}")):
        one = Going()
        one.listed(answer(item("a"), item("b")))
        group = one.deleting(f"a{query}", body=body)
        assert group is not None
        likes.add(group.like)
    assert len(likes) == 4


def test_namespaces_and_what_has_none_and_all_of_them() -> None:
    one = Going()
    one.listed(answer(item("n1", namespace=""), item("n2", namespace="")), "GET /api/v1/namespaces")
    assert names(one.deleting("n1", line="DELETE /api/v1/namespaces/")) == "n1 n2"
    one.listed(answer(item("a", namespace=""), item("b", namespace="")), "GET /api/v1/persistentvolumes")
    assert names(one.deleting("a", line="DELETE /api/v1/persistentvolumes/")) == "a b"
    one.listed(answer(item("a", "1", "x"), item("a", "2", "y")), "GET /api/v1/configmaps")
    group = one.deleting("a", line="DELETE /api/v1/namespaces/y/configmaps/")
    assert group is not None and group.own.identity == "2" and len(group.members) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b"\xff", b'{"items":[{"metadata":{"name":1}}]}', b'{"items":null}', b'{"items":{}}', b"[" * 100_000,
        answer(item("a")), answer(item("a"), item("../b"), item("a%2f"), item("b", "not a uid"), item("c", "u" * 65), item("d", namespace="e/f")),
        json.dumps({"kind": "Table", "rows": [{"object": item("a")}, {"object": item("b")}]}).encode(),
        answer(item("a"), item("b"), item("x" * SIZE)),
    ],
)  # fmt: skip
def test_what_is_no_list_of_some_objects_leaves_nothing(data: bytes) -> None:
    one = Going()
    assert one.listed(data, step=65536)
    assert one.deleting() is None


def test_a_later_list_takes_the_place_of_the_earlier() -> None:
    one = Going()
    one.listed(answer(item("a"), item("b")))
    one.listed(answer(item("a", "new"), item("c")))
    group = one.deleting()
    assert names(group) == "a c" and group is not None and group.own.identity == "new"
    one.listed(answer())
    assert one.deleting("c") is None
    one.listed(answer(item("a"), item("b")))
    one.listed(answer(item("a"), item("b"), item("x" * SIZE)), step=1 << 20)
    assert one.deleting("a") is None, "of one that is too long nothing is known"


def test_it_is_bounded() -> None:
    one = Going()
    one.listed(answer(*(item(f"n{number}") for number in range(MOST + 1))), step=1 << 20)
    group = one.deleting("n0")
    assert group is not None and len(group.members) == MOST and group.more
    assert one.deleting(f"n{MOST}") is None
    kinds = ("pods", "secrets", "services", "endpoints", "events")
    assert len(kinds) > LISTS
    for kind in kinds:
        one.listed(answer(item("a"), item("b")), f"GET /api/v1/namespaces/shop/{kind}")
    assert one.deleting("n1") is None, "too long ago"
    assert one.deleting("a", line="DELETE /api/v1/namespaces/shop/pods/") is None
    assert one.deleting("a", line="DELETE /api/v1/namespaces/shop/secrets/") is not None


@pytest.mark.parametrize(
    "data", [answer(item("a"), item("b"), more="token"), answer(item("a"), item("b"), item("../c"))]
)
def test_a_part_is_not_the_whole(data: bytes) -> None:
    one = Going()
    one.listed(data)
    group = one.deleting()
    assert group is not None and group.more and names(group) == "a b"


def test_it_is_forgotten_in_time() -> None:
    one = Going()
    one.listed(answer(item("a"), item("b"), item("c")))
    one.now = LASTS - 1
    assert one.deleting("a") is not None
    one.now += LASTS - 1
    assert one.deleting("b") is not None, "as long as it goes on"
    one.now += LASTS
    assert one.deleting("c") is None


def test_an_answer_that_broke_off_is_none() -> None:
    one = Going()
    asked = request(LIST, *HEADERS)
    listing = one.kept.expected(asked, request_info(asked))
    assert listing is not None
    one.listed(answer(item("a"), item("b")))
    listing = one.kept.expected(asked, request_info(asked))
    assert listing is not None
    listing.feed(answer(item("a"), item("b")))
    assert one.deleting() is None, "it was not closed"


@given(st.dictionaries(st.sampled_from(["propagationPolicy", "kind", "gracePeriodSeconds", "uid"]), st.text() | st.integers(), max_size=4))  # fmt: skip
def test_options_say_the_same_bound_to_an_object(said: dict[str, Any]) -> None:
    body = json.dumps(said).encode()
    assert bindable(body)
    assert json.loads(bound(body, "u-1")) == {**said, "preconditions": {"uid": "u-1"}}


NAMES = st.sampled_from(["a", "b", "c", "d"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["1", "2"])), max_size=6), st.lists(NAMES, max_size=8))
def test_a_group_names_what_was_listed_and_not_asked_for(shown: list[tuple[str, str]], asked: list[str]) -> None:
    """Whatever is listed and asked for: nothing is in a group that was not in the answer, with the uid it had there."""
    one = Going()
    one.listed(answer(*(item(name, uid) for name, uid in shown)))
    left = dict(shown)
    left = left if len(left) > 1 else {}
    for name in asked:
        group = one.deleting(name)
        assert (group is not None) == (name in left)
        if group is not None:
            assert group.own.about == f"shop/configmaps/{name}" and group.own.identity == left[name]
            assert {member.about.rpartition("/")[2]: member.identity for member in group.members} == left
            del left[name]


def test_it_costs_nothing_where_no_kubectl_deletes() -> None:
    one = Going()
    asked = operation("DELETE /api/v1/namespaces/shop/configmaps/a", OPTIONS, JSON)
    assert one.kept.with_group(asked, request("DELETE /x"), OPTIONS) is asked
