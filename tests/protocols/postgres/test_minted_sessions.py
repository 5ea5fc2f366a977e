"""Sessions with a role of their own, through the gate: it exists while they do, and kills, ends and failures leave none."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from hooptui.core.events import CredentialMinted, Event
from hooptui.core.gate import CannotRecord, Killed, Why
from hooptui.core.secret import Secret
from hooptui.core.session import Session
from hooptui.credentials.postgres_roles import AdminLogin, PostgresRoles, RoleMint
from tests.postgres_server import PASSWORD, PostgresServer
from tests.protocols.postgres.gatehouse import Gatehouse, open_gate
from tests.protocols.postgres.test_entry import ACCESS, Psql

TAG = "gatetest"


@pytest.fixture(scope="module")
def house(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatehouse]:
    """The gateway's own login is no superuser: it mints, and it looks things up."""
    name = postgres.database("minted_gate")
    postgres.sql(
        f"""
        CREATE ROLE gate_minter LOGIN CREATEROLE PASSWORD '{PASSWORD}'; CREATE ROLE gate_app NOLOGIN;
        GRANT gate_app TO gate_minter WITH ADMIN OPTION; CREATE TABLE items (id int); GRANT ALL ON items TO gate_app;
        GRANT CREATE ON SCHEMA public TO gate_app; ALTER ROLE gate_app SET work_mem = '9MB';
        """,
        database=name,
    )
    login = AdminLogin(postgres.host, postgres.port, name, "gate_minter", Secret(PASSWORD), ca_file=postgres.ca)
    mint = PostgresRoles(RoleMint(login, "gate_app", TAG))
    with open_gate(
        postgres, name, tmp_path_factory.mktemp("gate"), mint=mint, user="gate_minter", password=Secret(PASSWORD)
    ) as gatehouse:
        yield gatehouse
    assert roles(gatehouse) == "", "closing the gate took back what was left"
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
    postgres.sql("DROP ROLE gate_minter; DROP ROLE gate_app")


@pytest.fixture(autouse=True)
def clean(house: Gatehouse) -> Iterator[None]:
    house.door.access = None
    del house.book.events[:], house.door.troubles[:], house.removed[:]
    yield
    house.until(lambda: roles(house) == "")


def roles(house: Gatehouse) -> str:
    return house.server.sql(f"SELECT rolname FROM pg_roles WHERE rolname ~ '^hooptui_{TAG}' ORDER BY 1")


def name(house: Gatehouse) -> str:
    return f"hooptui_{TAG}_{house.door.sessions[-1].id}"


def asleep(house: Gatehouse) -> tuple[Psql, Session]:
    """psql in the middle of a long query, and its session."""
    before = len(house.door.sessions)
    psql = Psql(house, "SELECT pg_sleep(30)")
    house.until(lambda: len(house.door.sessions) > before)
    session = house.door.sessions[-1]
    house.until(lambda: session.state == "running")
    return psql, session


def test_a_session_works_as_the_configured_role_under_a_name_of_its_own(house: Gatehouse) -> None:
    with psycopg.connect(house.dsn(), autocommit=True) as made:
        row = made.execute("SELECT session_user::text, current_user::text, current_setting('work_mem')").fetchone()
        assert row == (name(house), "gate_app", "9MB") and roles(house) == name(house)
        made.execute("INSERT INTO items VALUES (1)")
        made.execute("CREATE TABLE made_here (id int)")
        [minted] = house.book.bodies(CredentialMinted)
        assert (minted.kind, minted.name) == ("role", name(house))
    house.until(lambda: roles(house) == "")
    house.until(lambda: house.removed)
    assert house.removed[0].confirmed and house.removed[0].how.endswith("dropped, gone from pg_roles")
    assert house.door.troubles == []


def test_the_role_exists_only_after_people_have_said_yes(house: Gatehouse) -> None:
    house.door.access = ACCESS
    psql = Psql(house, "SELECT session_user")
    psql.hears("access needs approval")
    assert roles(house) == "" and house.book.bodies(CredentialMinted) == []
    house.vote(True)
    out, _, code = psql.end()
    assert (out, code) == (name(house) + "\n", 0)


def test_a_kill_is_proved_and_takes_the_role(house: Gatehouse) -> None:
    psql, session = asleep(house)
    done: Killed = house.call(session.kill("ops-1", "enough"))
    assert done.confirmed and done.how == "cancelled, terminated, gone from pg_stat_activity"
    assert "terminated by ops-1: enough" in psql.end()[1]
    house.until(lambda: house.removed)
    assert house.removed[0].confirmed and roles(house) == ""


def test_a_drop_that_the_session_tried_to_block_goes_through(house: Gatehouse) -> None:
    with psycopg.connect(house.dsn(), autocommit=True) as made:
        mine = name(house)
        made.execute("CREATE TABLE bait (id int)")
        made.execute(f'GRANT SELECT ON bait TO "{mine}"')  # type: ignore[arg-type]  # a test's own text
        made.execute("SET ROLE NONE")
        made.execute("CREATE TABLE hook (id int)")
    house.until(lambda: house.removed)
    assert "1 object given to gate_app" in house.removed[0].how and house.removed[0].confirmed


def test_a_killed_client_leaves_no_role(house: Gatehouse) -> None:
    psql, _ = asleep(house)
    assert roles(house)
    psql.process.kill()
    psql.end()
    house.until(lambda: house.removed)
    assert roles(house) == ""


def test_an_unrecorded_credential_opens_nothing(house: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    append = house.book.append

    def choose(event: Event) -> None:
        if isinstance(event.body, CredentialMinted):
            raise CannotRecord("disk full")
        append(event)

    monkeypatch.setattr(house.book, "append", choose)
    _, err, code = Psql(house).end()
    assert code == 2 and "hooptui cannot record this session, so it is not opened" in err
    house.until(lambda: house.removed)


def test_a_mint_in_trouble_is_the_operator_s_and_no_name_of_it_the_client_s(house: Gatehouse) -> None:
    house.server.sql("ALTER ROLE gate_minter NOCREATEROLE")
    try:
        _, err, code = Psql(house).end()
    finally:
        house.server.sql("ALTER ROLE gate_minter CREATEROLE")
    words = 'cannot open target "orders": its server does not give the gateway a credential for this session'
    assert code == 2 and words in err
    assert "gate_minter" not in err and "gate_app" not in err
    assert (
        house.door.troubles[0][1] == "mint-refused" and "permission denied to create role" in house.door.troubles[0][2]
    )


def test_a_session_ended_while_its_role_is_made_is_undone(house: Gatehouse) -> None:
    """Hold the mint's transaction up by a lock on the catalogue, and kill meanwhile."""
    with psycopg.connect(house.server.dsn("postgres")) as holder:
        holder.execute("LOCK TABLE pg_catalog.pg_authid IN SHARE MODE")
        psql = Psql(house)
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hooptui mint' AND wait_event_type = 'Lock'"
        )
        house.until(lambda: house.server.sql(waiting) == "1")
        done: Killed = house.call(house.door.sessions[-1].kill("ops-1", "stop"))
        assert done.confirmed and done.how == "nothing was open upstream yet"
    assert "FATAL:  terminated by ops-1: stop" in psql.end()[1]
    house.until(lambda: house.removed)
    assert house.book.bodies(CredentialMinted) == []


def test_many_sessions_at_once_and_none_is_left(house: Gatehouse) -> None:
    clients = [Psql(house, "SELECT session_user") for _ in range(12)]
    ends = [client.end() for client in clients]
    assert all(code == 0 for _, _, code in ends), ends
    assert len({out for out, _, _ in ends}) == 12
    house.until(lambda: len(house.removed) == 12, 60)
    assert all(one.confirmed for one in house.removed)


def test_the_end_of_time_takes_the_role(house: Gatehouse) -> None:
    psql, session = asleep(house)
    house.call(session.end(Why.DEADLINE, "this session's time is over"))
    assert "FATAL:  this session's time is over" in psql.end()[1]
    house.until(lambda: house.removed)
    assert house.removed[0].confirmed


def test_pg_cancel_works_with_a_minted_role(house: Gatehouse) -> None:
    with psycopg.connect(house.dsn(), autocommit=True) as made:
        made.execute("SELECT 1")
        threading.Timer(0.3, made.cancel_safe).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            made.execute("SELECT pg_sleep(30)")
        assert made.execute("SELECT 2").fetchone() == (2,)
