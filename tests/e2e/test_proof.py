"""The journal that a real gateway wrote for real psql proves who let what through; read from its files alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hooptui.audit.proof import history, prove, who_let
from hooptui.audit.verify import verify
from hooptui.core.events import Asked
from tests.e2e.bed import Bed
from tests.e2e.jit import Waiting, asker, minting_bed, psqls
from tests.postgres_server import PostgresServer

__all__ = ["psqls"]

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("psqls")]


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with minting_bed(postgres) as made:
        yield made


def asked(world: Bed, words: str) -> tuple[str, int]:
    """Session and number of the operation whose text has these words."""
    [found] = [
        (line.event.session, line.event.body.operation)
        for line in history(world.state)
        if isinstance(line.event.body, Asked) and words in line.event.body.text
    ]
    return found


def test_who_let_whom_in_and_what_they_did_there(world: Bed) -> None:
    token = asker(world)
    psql = Waiting(world, "-c", "SELECT 4711 AS first", token=token, PGOPTIONS="-c hooptui.reason='INC-812'")
    psql.hears("access needs approval")
    assert world.do("approve", number=str(world.held().number), lasts="5m", reason="fine").ok
    assert psql.end()[0] == "4711\n"
    second = Waiting(world, "-c", "SELECT 4712 AS second", token=token)
    assert second.end()[0] == "4712\n", "in by the same grant"
    glass = Waiting(
        world, "-c", "SELECT 4713 AS third", token=asker(world, "lead-1", "oncall", "leads"), PGOPTIONS="-c hooptui.break_glass='down'"
    )  # fmt: skip
    assert glass.end()[0] == "4713\n"
    operator = world.snapshot().health.operator_key
    world.until(lambda: any("4713" in one.text for one in world_asked(world)))

    for words, people, emergency in (("4711", operator, False), ("4712", operator, False), ("4713", "lead-1", True)):
        proof = who_let(world.state, *asked(world, words))
        assert proof.problems == () and proof.allowed, proof.lines
        assert proof.access is not None and proof.emergency is emergency
        [key] = proof.people
        assert key == people or key.endswith(people)
    first, second_proof = who_let(world.state, *asked(world, "4711")), who_let(world.state, *asked(world, "4712"))
    assert first.session != second_proof.session and first.access == second_proof.access
    proofs = list(prove(history(world.state)))
    assert {proof.problems for proof in proofs} == {()}
    assert sum(proof.allowed for proof in proofs) == 5, "two came in at the door, and three statements ran"
    assert verify(world.state).status == 0


def world_asked(world: Bed) -> list[Asked]:
    return [line.event.body for line in history(world.state) if isinstance(line.event.body, Asked)]
