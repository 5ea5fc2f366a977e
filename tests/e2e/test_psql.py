"""Stock psql through the gateway: masked, denied, held, approved, denied by a person, cancelled, killed."""

from __future__ import annotations

import re
import signal
import time

import pytest

from tests.e2e.bed import Bed

pytestmark = pytest.mark.e2e


def test_a_masked_select(world: Bed) -> None:
    done = world.psql("SELECT name, email AS contact, ssn FROM customers ORDER BY id")
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0].split("|")
    assert first[0] == "ada"
    assert "█" in first[1]
    assert "█" in first[2]


def test_detectors_find_a_card_in_any_column(world: Bed) -> None:
    done = world.psql("SELECT 'paid with ' || pan AS words FROM cards")
    assert done.stdout.startswith("paid with █"), done.stdout + done.stderr


def test_a_denied_drop_is_recoverable(world: Bed) -> None:
    done = world.psql("DROP TABLE orders; \n SELECT 'still here', count(*) FROM orders;", "-v", "VERBOSITY=verbose")
    assert "ERROR:  42501: " in done.stderr
    assert "DDL goes through migrations" in done.stderr
    assert "no-ddl" in done.stderr
    assert "open a change" in done.stderr
    assert world.server.sql("SELECT count(*) FROM orders", database=world.database) == "200"


def test_the_session_goes_on_after_a_denial(world: Bed) -> None:
    done = world.psql("DROP TABLE orders;\nSELECT 'still here';\n")
    assert "still here" in done.stdout


def test_a_held_update_approved(world: Bed) -> None:
    psql = world.start_psql()
    assert psql.stdin is not None
    assert psql.stderr is not None
    psql.stdin.write("UPDATE orders SET note = 'approved';\n")
    psql.stdin.flush()
    held = world.held()
    assert (held.rule, held.risk, held.text) == ("no-where", "high", "UPDATE orders SET note = 'approved';")
    first = psql.stderr.readline()
    assert re.search(r"NOTICE:.*#\d+", first), first
    assert world.server.sql("SELECT count(*) FROM orders WHERE note = 'approved'", database=world.database) == "0"
    outcome = world.do("approve", number=str(held.number), reason="INC-1")
    assert outcome.ok, outcome.text
    _out, err = world.finish(psql)
    assert "ERROR" not in err
    assert world.server.sql("SELECT count(*) FROM orders WHERE note = 'approved'", database=world.database) == "200"


def test_a_held_update_denied(world: Bed) -> None:
    psql = world.start_psql()
    assert psql.stdin is not None
    psql.stdin.write("UPDATE orders SET note = 'denied';\nSELECT 'still here';\n")
    psql.stdin.flush()
    held = world.held()
    assert world.do("deny", number=str(held.number), reason="not on a Friday").ok
    out, err = world.finish(psql)
    assert "not on a Friday" in err
    assert "still here" in out
    assert world.server.sql("SELECT count(*) FROM orders WHERE note = 'denied'", database=world.database) == "0"


def test_a_hold_nobody_answers_denies_itself(world: Bed) -> None:
    done = world.psql("DELETE FROM audit_log WHERE id = 1;\nSELECT 'still here';\n")
    assert "nobody approved it in time" in done.stderr
    assert "still here" in done.stdout
    assert world.server.sql("SELECT count(*) FROM audit_log", database=world.database) == "1"


def test_ctrl_c_on_a_hold_withdraws(world: Bed) -> None:
    psql = world.start_psql()
    assert psql.stdin is not None
    psql.stdin.write("UPDATE orders SET note = 'withdrawn';\n")
    psql.stdin.flush()
    held = world.held()
    psql.send_signal(signal.SIGINT)
    world.until(lambda: not world.snapshot().held)
    _out, err = world.finish(psql)
    assert "cancel" in err.lower()
    assert not world.do("approve", number=str(held.number)).ok
    assert world.server.sql("SELECT count(*) FROM orders WHERE note = 'withdrawn'", database=world.database) == "0"


def test_a_client_that_goes_away_withdraws(world: Bed) -> None:
    psql = world.start_psql()
    assert psql.stdin is not None
    psql.stdin.write("UPDATE orders SET note = 'vanished';\n")
    psql.stdin.flush()
    world.held()
    psql.kill()
    psql.communicate()
    world.until(lambda: not world.snapshot().held)
    assert world.server.sql("SELECT count(*) FROM orders WHERE note = 'vanished'", database=world.database) == "0"


def test_ctrl_c_on_a_running_query(world: Bed) -> None:
    psql = world.start_psql()
    assert psql.stdin is not None
    psql.stdin.write("SELECT pg_sleep(60);\nSELECT 'still here';\n")
    psql.stdin.flush()
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'"
    world.until(lambda: world.server.sql(running) == "1")
    psql.send_signal(signal.SIGINT)
    world.until(lambda: world.server.sql(running) == "0")
    _out, err = world.finish(psql)
    assert "canceling statement due to user request" in err


def test_a_kill_kills_and_proves_it(world: Bed) -> None:
    psql = world.start_psql()
    assert psql.stdin is not None
    psql.stdin.write("SELECT count(*) FROM generate_series(1, 1000000000000);\n")
    psql.stdin.flush()
    running = (
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM generate_series%' AND state = 'active'"
    )
    world.until(lambda: world.server.sql(running))
    [session] = [one for one in world.snapshot().sessions if "generate_series" in one.last]
    outcome = world.do("kill", session=session.id, reason="runaway")
    assert outcome.ok, outcome.text
    assert outcome.data["confirmed"]
    assert world.server.sql(running) == ""
    _out, err = world.finish(psql)
    assert "terminated by ops-1: runaway" in err
    assert session.id not in [one.id for one in world.snapshot().sessions]


def test_backslash_commands(world: Bed) -> None:
    done = world.psql("\\d orders\n\\dt\n\\l\n\\df\n\\dn\n\\du\n")
    assert "ERROR" not in done.stderr
    assert "orders" in done.stdout


def test_copy_both_ways(world: Bed, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("copy")
    done = world.psql(f"\\copy (SELECT id, name, email FROM customers ORDER BY id) TO '{folder}/out.csv' CSV")
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    text = (folder / "out.csv").read_text()
    world.seen.append(text)
    assert text.startswith("1,ada,")
    assert "█" in text
    (folder / "in.csv").write_text("1001,9.5,t,in\n1002,8.5,f,in\n")
    done = world.psql(f"\\copy orders FROM '{folder}/in.csv' CSV")
    assert "ERROR" not in done.stderr, done.stderr
    assert world.server.sql("SELECT count(*) FROM orders WHERE note = 'in'", database=world.database) == "2"
    world.server.sql("DELETE FROM orders WHERE note = 'in'", database=world.database)


def test_watch(world: Bed) -> None:
    done = world.psql("SELECT count(*) FROM orders \\watch i=0.1 c=3\n")
    assert done.stdout.split().count("200") == 3, done.stdout + done.stderr


def test_a_client_that_is_not_on_utf8_gets_masks_it_can_read(world: Bed) -> None:
    done = world.run(
        "psql", "-X", "-A", "-t", "-c", "SELECT email FROM customers WHERE id = 1", PGCLIENTENCODING="LATIN1"
    )
    assert done.stdout.strip() == "****", done.stdout + done.stderr


def test_an_error_text_does_not_leak_a_value(world: Bed) -> None:
    done = world.psql("SELECT ssn::int FROM customers;\nINSERT INTO cards SELECT 1, pan FROM cards;\n")
    assert done.stderr.count("ERROR") == 2, done.stderr


def test_a_slip_of_the_pen_looks_like_one(world: Bed) -> None:
    done = world.psql("SELECT 1 FRM x y;\nSELECT 'still here';\n", "-v", "VERBOSITY=verbose")
    assert 'ERROR:  42601: syntax error at or near "x"' in done.stderr
    assert "LINE 1: SELECT 1 FRM x y;" in done.stderr
    assert "still here" in done.stdout


def test_transactions_survive(world: Bed) -> None:
    done = world.psql(
        "BEGIN; SAVEPOINT a; INSERT INTO orders VALUES (5000, 1); ROLLBACK TO a; COMMIT; SELECT count(*) FROM orders;"
    )
    assert done.stdout.strip() == "200", done.stderr


def test_wrong_tokens_say_why(world: Bed) -> None:
    expired = world.psql("SELECT 1", token=world.token(exp=int(time.time()) - 3600, iat=int(time.time()) - 7200))
    assert "expired" in expired.stderr
    audience = world.psql("SELECT 1", token=world.token(aud="another"))
    assert "audience" in audience.stderr
    truncated = world.psql("SELECT 1", token=world.token()[:-40])
    assert truncated.returncode == 2
    nobody = world.psql("SELECT 1", token=world.token("guest", ("guests",)))
    assert "no access" in nobody.stderr


def test_plaintext_is_refused_with_advice(world: Bed) -> None:
    done = world.run("psql", "-X", "-c", "SELECT 1", PGSSLMODE="disable")
    assert done.returncode == 2
    assert "verify-full" in done.stderr or "sslmode" in done.stderr


def test_the_journal_holds_it_all_and_verifies(world: Bed) -> None:
    report = world.on_bed(world.desk.verify())
    assert report.status == 0, report.findings
    assert report.records > 50
