"""The ways round a guard through a whole gate, byte for byte, with nothing arriving at the API server behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hooptui.core.model import Decision, Kind, Operation, Target
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import parse
from hooptui.protocols.kubernetes.gate import Limits
from tests.policy.kubernetes_bypasses import DOING, GUARD, READING, REFUSED, WRITING, Case
from tests.policy.making import who
from tests.protocols.contract import until
from tests.protocols.kubernetes.apiserver import ApiServer
from tests.protocols.kubernetes.gatehouse import NAME, TOKEN, Gatehouse, open_gate

AGENT = who("agents", kind=Kind.AGENT)
CLUSTER = Target(NAME, "kubernetes", {"env": "prod"})
JUDGED = [*READING, *DOING, *WRITING]


@pytest.fixture(scope="module")
def house(server: ApiServer) -> Iterator[Gatehouse]:
    judge = PolicyJudge(parse([("guard.yaml", GUARD.encode())]))

    def answer(operation: Operation) -> Decision:
        return judge.decide(AGENT, CLUSTER, operation)

    with open_gate(server, answer) as found:
        yield found


@pytest.fixture(scope="module")
def impatient(server: ApiServer) -> Iterator[Gatehouse]:
    """For requests that have no end. It allows everything: what is refused is not even judged."""
    with open_gate(server, limits=Limits(head=0.3, body=0.3, idle=0.3)) as found:
        yield found


def streamed(case: Case) -> bool:
    return any(line.startswith("Upgrade") for line in case.headers)


def said(house: Gatehouse, case: Case) -> bytes:
    """What comes back. A request that is well-formed says that it is the last one."""
    one = (
        case
        if any(line.startswith("Connection") for line in case.headers)
        else replace(case, headers=(*case.headers, "Connection: close"))
    )
    return house.say(one.raw(f"/clusters/{NAME}", TOKEN) + one.body)


@pytest.mark.parametrize("case", [case for case in JUDGED if not streamed(case)], ids=lambda case: case.name)
def test_nothing_that_is_denied_arrives(house: Gatehouse, case: Case) -> None:
    before = len(house.server.asked)
    answer = said(house, case)
    assert answer.startswith(b"HTTP/1.1 403"), answer[:200]
    assert b"denied" in answer or b"not understood" in answer, answer[:600]
    assert len(house.server.asked) == before


@pytest.mark.parametrize("case", [case for case in JUDGED if streamed(case)], ids=lambda case: case.name)
def test_nor_does_a_stream(house: Gatehouse, case: Case) -> None:
    """A stream is answered at once, and told in its own words that it is refused; here nobody listens."""
    before, ended = len(house.server.asked), len(house.door.leavings)
    with house.connect() as sock:
        sock.sendall(case.raw(f"/clusters/{NAME}", TOKEN))
        assert sock.recv(4096).startswith((b"HTTP/1.1 101", b"HTTP/1.1 4"))
    until(lambda: len(house.door.leavings) > ended)
    assert len(house.server.asked) == before


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_nothing_that_is_refused_arrives(impatient: Gatehouse, case: Case) -> None:
    before = len(impatient.server.asked)
    answer = said(impatient, case)
    assert answer.startswith(b"HTTP/1.1 ") and 400 <= int(answer[9:12]) < 600, answer[:200]
    assert answer.count(b"HTTP/1.1 4") + answer.count(b"HTTP/1.1 5") == 1, "one request had two answers"
    assert len(impatient.server.asked) == before


def test_what_no_deny_names_does(house: Gatehouse) -> None:
    before = len(house.server.asked)
    assert said(house, Case("a pod", "GET /api/v1/namespaces/prod/pods/web-1")).startswith(b"HTTP/1.1 200")
    assert len(house.server.asked) == before + 1
