"""Just-in-time access with real psql and a role per session: asked for, given for five minutes, gone afterwards, whatever happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hooptui.core.events import CredentialMinted, CredentialRemoved, GrantGiven
from tests.e2e.bed import Bed
from tests.e2e.jit import Waiting, asker, later, minting_bed, psqls, roles, valid_until
from tests.postgres_server import PostgresServer

__all__ = ["later", "psqls"]

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("psqls")]


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[Bed]:
    with minting_bed(postgres) as made:
        yield made


@pytest.fixture(autouse=True)
def no_grant_is_left(world: Bed) -> Iterator[None]:
    yield
    for grant in world.snapshot().grants:
        assert world.do("revoke", what=str(grant.approval), reason="the test is over").ok
    world.until(lambda: roles(world) == [])


def bodies(world: Bed, *kinds: type) -> list[object]:
    return [one.event.body for one in world.on_bed(world.desk.journal(limit=2000)) if isinstance(one.event.body, kinds)]


def backends(world: Bed) -> list[str]:
    found = world.server.sql("SELECT usename FROM pg_stat_activity WHERE starts_with(usename, 'hooptui_')")
    return found.split("\n") if found else []


def test_asked_held_approved_for_five_minutes_and_gone_at_the_end(world: Bed, later: Callable[[float], None]) -> None:
    psql = Waiting(
        world, "-c", "SELECT session_user, current_user", "-c", "SELECT pg_sleep(60)", token=asker(world), PGOPTIONS="-c hooptui.reason='INC-812: look'"
    )  # fmt: skip
    psql.hears("NOTICE:  access needs approval #")
    held = world.held()
    assert held.access and held.rule == "jit"
    assert held.text == "INC-812: look"
    assert roles(world) == backends(world) == [], "a role exists only once somebody has said yes"
    began = time.time()
    assert world.do("approve", number=str(held.number), lasts="5m", reason="fine").ok
    psql.hears("access granted for 5:00")
    [role] = world.until(lambda: backends(world) and roles(world))
    assert abs(valid_until(world, role) - began - 300) < 60
    [session] = world.until(lambda: [one for one in world.snapshot().sessions if one.state == "running"])
    assert role.endswith(f"_{session.id}") and session.grant == held.number
    later(valid_until(world, role) - time.time() - 30.0)
    time.sleep(0.6)
    assert roles(world) == [role], "not before its time"
    later(30.0)
    out, err, code = psql.end()
    assert out == f"{role}|jit_app\n" and code == 2
    assert "FATAL:  this session's time is over: the access that was granted is over" in err
    world.until(lambda: roles(world) == [])
    assert backends(world) == []
    removed = world.until(lambda: bodies(world, CredentialRemoved))
    assert (removed[-1].name, removed[-1].confirmed) == (role, True)  # type: ignore[attr-defined]  # a CredentialRemoved
    assert removed[-1].how.endswith("gone from pg_roles")  # type: ignore[attr-defined]  # as above


def test_a_session_opened_in_the_last_seconds_ends_with_the_grant(world: Bed, later: Callable[[float], None]) -> None:
    token = asker(world, "ops-8")
    psql = Waiting(world, "-c", "SELECT 1", token=token)
    psql.hears("access needs approval")
    assert world.do("approve", number=str(world.held().number), lasts="5m").ok
    assert psql.end()[0] == "1\n"
    [given] = bodies(world, GrantGiven)[-1:]
    end = given.until  # type: ignore[attr-defined]  # a GrantGiven
    world.until(lambda: roles(world) == [])
    later(end - time.time() - 30.0)
    late = Waiting(world, "-c", "SELECT 2", "-c", "SELECT pg_sleep(60)", token=token)
    [role] = world.until(lambda: backends(world) and roles(world))
    assert abs(valid_until(world, role) - end) < 0.01, "no longer than the grant, however late it was opened"
    later(30.0)
    out, err, code = late.end()
    assert (out, code) == ("2\n", 2) and "the access that was granted is over" in err
    world.until(lambda: roles(world) == [])
    asked = Waiting(world, "-c", "SELECT 3", token=token)
    asked.hears("access needs approval")
    assert world.do("deny", number=str(world.held().number), reason="enough").ok
    assert asked.end()[2] == 2


def test_denied_in_psql_s_own_words(world: Bed) -> None:
    psql = Waiting(world, "-c", "SELECT 1", token=asker(world))
    psql.hears("access needs approval")
    assert world.do("deny", number=str(world.held().number), reason="not during the freeze").ok
    out, err, code = psql.end()
    assert (out, code) == ("", 2)
    assert "FATAL:  denied by ops-1: not during the freeze" in err
    assert "DETAIL:  Rule jit: production is read with a reason" in err
    assert roles(world) == []


def test_a_client_that_gives_up_withdraws_and_nothing_was_made(world: Bed) -> None:
    before = len(bodies(world, CredentialMinted))
    psql = Waiting(world, "-c", "SELECT 1", token=asker(world))
    psql.hears("access needs approval")
    number = str(world.held().number)
    psql.process.send_signal(signal.SIGINT)
    psql.end()
    world.until(lambda: world.snapshot().held == ())
    assert not world.do("approve", number=number).ok, "it is not waiting any more"
    assert len(bodies(world, CredentialMinted)) == before and roles(world) == []


def test_the_glass_is_broken_by_option_and_only_by_those_who_may(world: Bed) -> None:
    glass = "-c hooptui.break_glass='orders are down'"
    psql = Waiting(world, "-c", "SELECT 1", token=asker(world, "lead-1", "oncall", "leads"), PGOPTIONS=glass)
    out, err, code = psql.end()
    assert (out, code) == ("1\n", 0) and "access granted for 5:00" in err
    masked = world.run(
        "psql", "-XAtc", "SELECT ssn FROM customers WHERE id = 1", token=asker(world, "lead-1", "oncall", "leads")
    )
    assert masked.returncode == 0 and "access" not in masked.stderr, "the grant opens the next one too"
    assert masked.stdout.strip() and world.canaries.ssn not in masked.stdout, "a broken glass breaks no mask"
    other = Waiting(world, "-c", "SELECT 1", token=asker(world, "ops-5"), PGOPTIONS=glass)
    _, err, code = other.end()
    assert code == 2 and "is in none of the groups that may break the glass" in err


def test_a_revoked_grant_ends_session_and_role(world: Bed) -> None:
    psql = Waiting(world, "-c", "SELECT pg_sleep(60)", token=asker(world))
    psql.hears("access needs approval")
    number = str(world.held().number)
    assert world.do("approve", number=number, lasts="5m").ok
    world.until(lambda: backends(world))
    assert world.do("revoke", what=number, reason="wrong incident").ok
    _, err, code = psql.end()
    assert code == 2 and "wrong incident" in err
    world.until(lambda: roles(world) == [])


def test_a_stopping_gateway_takes_its_roles_along(postgres: PostgresServer) -> None:
    with minting_bed(postgres) as own:
        psql = Waiting(own, "-c", "SELECT pg_sleep(60)", token=own.token(exp=int(time.time()) + 3600))
        own.until(lambda: backends(own))
        own.gateway.stop("maintenance")
        assert roles(own) == [] and backends(own) == []
        assert "FATAL:  the gateway stops: maintenance" in psql.end()[1]
        kinds = [line["event"]["kind"] for line in own.journal() if "event" in line]
        assert kinds.count("credential_minted") == kinds.count("credential_removed") == 1


# --- kill -9


HOOPTUI = (sys.executable, "-c", "import sys; from hooptui.cli import main; sys.exit(main())")


@dataclass
class Served:
    """A gateway in a process of its own, on a bed's state directory."""

    process: subprocess.Popen[str]
    port: int


def serve(world: Bed, config: Path) -> Served:
    process = subprocess.Popen(
        [*HOOPTUI, "serve", "--drain", "0", "--config", str(config)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"pg on 127\.0\.0\.1:([0-9]+)", line)
        if found:
            return Served(process, int(found[1]))
    raise AssertionError(f"hooptui serve ended with {process.wait()}")


def do(config: Path, *words: str) -> str:
    done = subprocess.run(
        [*HOOPTUI, "do", "--config", str(config), *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_after_kill_minus_nine_the_next_start_takes_back_what_was_left(postgres: PostgresServer) -> None:
    with minting_bed(postgres) as own:
        own.gateway.stop("from here on in a process of its own")
        config = own.home / "bed.yaml"
        config.write_text(own.config_text)
        token = asker(own)
        first = serve(own, config)
        try:
            psql = Waiting(own, "-c", "SELECT pg_sleep(60)", token=token, PGPORT=str(first.port))
            psql.hears("access needs approval #")
            number = re.search(r"approval #([0-9]+)", psql.err.decode())
            assert number is not None and roles(own) == []
            do(config, "approve", number[1], "lasts=5m")
            psql.hears("access granted for 5:00")
            [role] = own.until(lambda: backends(own) and roles(own))
            end = valid_until(own, role)
        finally:
            os.kill(first.process.pid, signal.SIGKILL)
            first.process.communicate()
        psql.end()
        assert roles(own) == [role], "nobody was there to take it back"
        second = serve(own, config)
        try:
            own.until(lambda: roles(own) == [])
            assert backends(own) == []
            # The grant was given for five minutes, not for the life of a process: it opens a session again, for what is left.
            again = Waiting(own, "-c", "SELECT pg_sleep(60)", token=token, PGPORT=str(second.port))
            [other] = own.until(lambda: backends(own) and roles(own))
            assert other != role and abs(valid_until(own, other) - end) < 0.01
            assert b"access needs approval" not in again.err
        finally:
            second.process.terminate()
            second.process.communicate(timeout=60)
        assert again.end()[2] == 2
        assert roles(own) == []
        text = "\n".join(str(line) for line in own.journal())
        assert text.count(f"'name': '{role}'") == 2, "made by the first, removed by the second"
        assert "gone from pg_roles" in text
        verified = subprocess.run(
            [*HOOPTUI, "verify", "--state-dir", str(own.state)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert verified.returncode == 0, verified.stdout + verified.stderr
