"""The command table: what an operator can get wrong is a sentence, and a read-only desk changes nothing."""

from __future__ import annotations

import pytest

from hooptui import commands
from hooptui.core.desk import Command, Outcome
from tests.e2e.bed import Bed, bed
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> object:
    with bed(postgres) as made:
        yield made


def run(world: Bed, verb: str, *, readonly: bool = False, **args: str) -> Outcome:
    desk = world.gateway.desk(readonly=readonly)
    return world.on_bed(desk.run(Command(verb, args)))


@pytest.mark.parametrize(
    ("verb", "args", "says"),
    [
        ("explode", {}, "no command is called 'explode'; there are approve"),
        ("approve", {}, "approve: number is missing: the number of the held operation"),
        ("approve", {"number": "seven"}, "found 'seven', expected the number of a held operation"),
        ("approve", {"number": "9" * 13}, "expected the number of a held operation"),
        ("approve", {"number": "7"}, "#7 is not waiting"),
        ("approve", {"number": "7", "color": "red"}, "approve: found color, expected number [reason] [scope] [lasts]"),
        ("deny", {"number": "7", "reason": "x" * 2001}, "found 2001 characters of reason"),
        ("kill", {"session": "zzzz"}, "no open session is called 'zzzz'"),
        ("export", {"session": "../../etc/passwd"}, "not exported"),
        ("export", {"session": "00000000"}, "not exported"),
    ],
)
def test_mistakes_are_sentences(world: Bed, verb: str, args: dict[str, str], says: str) -> None:
    outcome = run(world, verb, **args)
    assert not outcome.ok
    assert says in outcome.text


def test_a_readonly_desk_changes_nothing(world: Bed) -> None:
    for verb in commands.TABLE.values():
        if verb.changes:
            assert "read-only" in run(world, verb.name, readonly=True).text


def test_where_tells_what_a_client_needs(world: Bed) -> None:
    outcome = run(world, "where", readonly=True)
    assert outcome.data == {"ca_file": str(world.ca), "pg": f"127.0.0.1:{world.port}"}


def test_a_bad_policy_is_not_loaded_and_named(world: Bed) -> None:
    good = world.policy_file.read_text()
    before = world.snapshot().health.policy
    world.policy_file.write_text(good + "\nrulez: []\n")
    try:
        outcome = run(world, "reload")
        assert not outcome.ok
        assert "policy.yaml:" in outcome.text
        assert "rulez" in outcome.text
        health = world.snapshot().health
        assert health.policy == before
        assert "rulez" in health.policy_error
        assert world.psql("SELECT 1").stdout.strip() == "1"
    finally:
        world.policy_file.write_text(good)
    assert run(world, "reload").ok
    assert world.snapshot().health.policy_error == ""


def test_a_reload_that_no_longer_admits_ends_the_session(world: Bed) -> None:
    good = world.policy_file.read_text()
    psql = world.start_psql()
    assert psql.stdin is not None
    psql.stdin.write("SELECT 1;\n")
    psql.stdin.flush()
    world.until(lambda: world.snapshot().sessions)
    world.policy_file.write_text(good.replace("groups: [agents]", "groups: [nobody]"))
    try:
        world.until(lambda: not world.snapshot().sessions)
        _out, err = world.finish(psql, "SELECT 2;\n")
        assert "no longer admits you" in err
    finally:
        world.policy_file.write_text(good)
        run(world, "reload")
