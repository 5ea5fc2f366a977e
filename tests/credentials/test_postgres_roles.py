"""Roles for sessions on a real PostgreSQL: made, used, taken back with everything they own, and swept."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
import pytest

from hooptui.core.secret import Secret
from hooptui.credentials import postgres_roles
from hooptui.credentials.mint import Minted, MintTrouble, Removed
from hooptui.credentials.postgres_roles import AdminLogin, PostgresRoles, RoleMint
from tests.postgres_server import PASSWORD, PostgresServer

WHO = "https://idp#bot"


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[str]:
    name = postgres.database("minted")
    postgres.sql(
        f"""
        CREATE ROLE minter LOGIN CREATEROLE PASSWORD '{PASSWORD}'; CREATE ROLE minter_watch LOGIN PASSWORD '{PASSWORD}';
        CREATE ROLE minted_app NOLOGIN; GRANT minted_app TO minter WITH ADMIN OPTION;
        CREATE ROLE minted_super SUPERUSER NOLOGIN; CREATE ROLE minted_sub NOLOGIN; GRANT minted_super TO minted_sub;
        CREATE ROLE minted_maker CREATEROLE NOLOGIN;
        CREATE TABLE items (id int); INSERT INTO items VALUES (1); GRANT ALL ON items TO minted_app; GRANT CREATE ON SCHEMA public TO minted_app;
        """,
        database=name,
    )
    yield name
    postgres.sql("DROP OWNED BY minted_app; DROP OWNED BY minted_maker", database=name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
    for role in ("minter", "minter_watch", "minted_app", "minted_sub", "minted_super", "minted_maker"):
        postgres.sql(f"DROP ROLE {role}")


@pytest.fixture
def mint(postgres: PostgresServer, database: str) -> PostgresRoles:
    login = AdminLogin(postgres.host, postgres.port, database, "minter", Secret(PASSWORD), ca_file=postgres.ca)
    return PostgresRoles(RoleMint(login, "minted_app", f"t{secrets.token_hex(4)}"))


def but(mint: PostgresRoles, **settings: object) -> PostgresRoles:
    return PostgresRoles(replace(mint.settings, **settings))  # type: ignore[arg-type]  # names of its fields


def roles(server: PostgresServer, mint: PostgresRoles) -> list[str]:
    found = server.sql(f"SELECT rolname FROM pg_roles WHERE rolname ~ '^hooptui_{mint.settings.tag}' ORDER BY 1")
    return found.split("\n") if found else []


@asynccontextmanager
async def as_session(
    mint: PostgresRoles, minted: Minted, **more: object
) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    login = mint.settings.login
    words = {
        "host": login.host, "port": login.port, "dbname": login.database, "user": minted.name, "password": minted.secret.reveal(),
        "sslmode": "verify-full", "sslrootcert": str(login.ca_file), "channel_binding": "require", "autocommit": True, **more,
    }  # fmt: skip
    async with await psycopg.AsyncConnection.connect(**words) as made:  # type: ignore[arg-type]  # libpq's words
        yield made


async def one(connection: psycopg.AsyncConnection[tuple[object, ...]], sql: str) -> object:
    row = await (await connection.execute(sql)).fetchone()  # type: ignore[arg-type]  # a test's own text
    assert row is not None
    return row[0]


async def trouble(action: object) -> MintTrouble:
    with pytest.raises(MintTrouble) as caught:
        await action  # type: ignore[misc]  # a coroutine
    assert PASSWORD not in caught.value.message
    return caught.value


async def test_a_role_lives_as_long_as_its_session(postgres: PostgresServer, mint: PostgresRoles) -> None:
    until = time.time() + 300
    minted = await mint.issue("7f3a91c0b8", WHO, until)
    assert minted.name == f"hooptui_{mint.settings.tag}_7f3a91c0b8" == mint.name("7f3a91c0b8")
    assert minted.until == until and len(minted.secret) >= 40 and minted.secret.reveal() not in repr(minted)
    shown = postgres.sql(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolinherit, rolconnlimit, extract(epoch FROM rolvaliduntil)::numeric(20,1),"
        f" shobj_description(oid, 'pg_authid'), pg_has_role(oid, 'minted_app', 'MEMBER') FROM pg_roles WHERE rolname = '{minted.name}'"
    )
    assert shown == f"f|f|f|f|f|t|1|{until:.1f}|hooptui session 7f3a91c0b8 of {WHO}|t"
    async with as_session(mint, minted) as made:
        assert await one(made, "SELECT session_user || ' ' || current_user") == f"{minted.name} minted_app"
        assert await one(made, "SELECT id FROM items") == 1
        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            async with as_session(mint, minted):
                pass
        removed = await mint.retire(minted.name)
        assert removed == Removed("role", minted.name, True, "1 connection terminated, dropped, gone from pg_roles")
        with pytest.raises(psycopg.OperationalError):
            await made.execute("SELECT 1")
    assert roles(postgres, mint) == []
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        async with as_session(mint, minted):
            pass


async def test_the_server_never_hears_the_password(postgres: PostgresServer, mint: PostgresRoles) -> None:
    postgres.sql("ALTER ROLE minter SET log_statement = 'all'")
    try:
        minted = await mint.issue("a1", WHO, None)
    finally:
        postgres.sql("ALTER ROLE minter RESET log_statement")
    log = (postgres.home / "log").read_text()
    assert f'CREATE ROLE "{minted.name}" LOGIN' in log and minted.secret.reveal() not in log
    assert (
        postgres.sql(f"SELECT rolpassword ~ '^SCRAM-SHA-256\\$' FROM pg_authid WHERE rolname = '{minted.name}'") == "t"
    )
    await mint.retire(minted.name)


async def test_what_a_session_creates_is_the_configured_role_s(
    postgres: PostgresServer, mint: PostgresRoles, database: str
) -> None:
    minted = await mint.issue("a2", WHO, None)
    async with as_session(mint, minted) as made:
        await made.execute("CREATE TABLE kept (id int)")
    assert (await mint.retire(minted.name)).confirmed
    assert postgres.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'kept'", database=database) == "minted_app"
    postgres.sql("DROP TABLE kept", database=database)


async def test_what_a_role_owns_and_was_granted_does_not_keep_it(
    postgres: PostgresServer, mint: PostgresRoles, database: str
) -> None:
    """Objects, grants, default privileges, a large object, in the target's database and in another one."""
    elsewhere = postgres.database("minted_elsewhere", "GRANT CREATE ON SCHEMA public TO PUBLIC")
    minted = await mint.issue("a3", WHO, None)
    async with as_session(mint, minted) as made:
        await made.execute("SET ROLE NONE")
        await made.execute("CREATE TABLE mine (id int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        await made.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; SELECT lo_create(0)")
        await made.execute("CREATE TEMP TABLE passing (id int)")
    async with as_session(mint, minted, dbname=elsewhere) as made:
        await made.execute("SET ROLE NONE; CREATE TABLE abroad (id int)")
    postgres.sql(
        f"""
        SET ROLE minted_app; CREATE TABLE theirs (id int); GRANT SELECT ON theirs TO "{minted.name}"; ALTER TABLE theirs ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON theirs TO "{minted.name}" USING (true); ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "{minted.name}";
        RESET ROLE; GRANT SELECT ON items TO minted_app WITH GRANT OPTION; SET ROLE minted_app; GRANT SELECT ON items TO "{minted.name}";
        """,
        database=database,
    )
    removed = await mint.retire(minted.name)
    assert removed.confirmed and removed.how.endswith("given to minted_app, dropped, gone from pg_roles")
    owner = "SELECT tableowner FROM pg_tables WHERE tablename IN ('mine', 'abroad')"
    assert postgres.sql(owner, database=database) == postgres.sql(owner, database=elsewhere) == "minted_app"
    for table in ("theirs", "items"):
        assert "hooptui" not in postgres.sql(
            f"SELECT relacl FROM pg_class WHERE relname = '{table}'", database=database
        )
    assert roles(postgres, mint) == []
    postgres.sql(f"DROP DATABASE {elsewhere} WITH (FORCE)")
    postgres.sql("DROP TABLE mine, theirs; DROP FUNCTION f()", database=database)


async def test_a_stranger_s_grant_keeps_the_role_but_nobody_gets_in(
    postgres: PostgresServer, mint: PostgresRoles, database: str
) -> None:
    """A session cannot make one; when the superuser does, only the superuser can revoke it."""
    minted = await mint.issue("a5", WHO, None)
    postgres.sql(
        f'CREATE TABLE foreign_one (id int); GRANT SELECT ON foreign_one TO "{minted.name}"', database=database
    )
    found = await trouble(mint.retire(minted.name))
    assert found.code == "mint-refused" and "privileges for table public.foreign_one" in found.message
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        async with as_session(mint, minted):
            pass
    postgres.sql("DROP TABLE foreign_one", database=database)
    assert (await mint.retire(minted.name)).confirmed


async def test_taking_back_twice_is_the_same_as_once(mint: PostgresRoles) -> None:
    minted = await mint.issue("a4", WHO, None)
    await mint.retire(minted.name)
    assert await mint.retire(minted.name) == Removed("role", minted.name, True, "gone from pg_roles")


async def test_a_sweep_takes_orphans_of_this_gateway_alone(postgres: PostgresServer, mint: PostgresRoles) -> None:
    stranger = but(mint, tag=mint.settings.tag + "x")
    for name in ("b1", "b2", "b3"):
        await mint.issue(name, WHO, None)
    await stranger.issue("b1", WHO, None)
    postgres.sql(f'CREATE ROLE "hooptui_{mint.settings.tag}_not a session"')
    alive = mint.name("b2")
    removed = await mint.sweep(lambda name: name == alive)
    assert [(one.name, one.confirmed) for one in removed] == [(mint.name("b1"), True), (mint.name("b3"), True)]
    assert roles(postgres, mint) == [alive, f"hooptui_{mint.settings.tag}_not a session", stranger.name("b1")]
    assert await mint.sweep({alive}.__contains__) == ()
    await stranger.sweep(lambda _: False)
    await mint.sweep(lambda _: False)
    postgres.sql(f'DROP ROLE "hooptui_{mint.settings.tag}_not a session"')
    assert roles(postgres, mint) == []


async def test_a_session_opened_during_a_sweep_keeps_its_role(mint: PostgresRoles) -> None:
    """Whether it lives is asked again right before the removal."""
    await mint.issue("c1", WHO, None)
    asked: list[str] = []

    def alive(name: str) -> bool:
        asked.append(name)
        return len(asked) > 1

    assert await mint.sweep(alive) == () and len(asked) == 2
    await mint.retire(mint.name("c1"))


async def test_sweeps_and_returns_of_the_same_role_do_not_stumble(
    postgres: PostgresServer, mint: PostgresRoles
) -> None:
    for round_ in range(3):
        names = [(await mint.issue(f"d{round_}{number}", WHO, None)).name for number in range(4)]
        found = await asyncio.gather(
            *(mint.retire(name) for name in names), mint.sweep(lambda _: False), mint.sweep(lambda _: False)
        )
        assert all(removed.confirmed for removed in found[:4] if isinstance(removed, Removed))
        assert all(one.confirmed for swept in found[4:] if isinstance(swept, tuple) for one in swept)
        assert roles(postgres, mint) == []


async def test_what_cannot_be_removed_is_named_and_removed_later(
    postgres: PostgresServer, mint: PostgresRoles, database: str
) -> None:
    minted = await mint.issue("e1", WHO, None)
    await mint.issue("e2", WHO, None)
    async with as_session(mint, minted) as made:
        await made.execute("SET ROLE NONE; CREATE TABLE busy (id int)")
    async with await psycopg.AsyncConnection.connect(postgres.dsn("trust", database), autocommit=False) as holder:
        postgres.sql("GRANT SELECT ON busy TO trust", database=database)
        await holder.execute("SELECT * FROM busy")
        removed = {one.name: one for one in await mint.sweep(lambda _: False)}
        assert not removed[minted.name].confirmed and "lock timeout" in removed[minted.name].how
        assert removed[mint.name("e2")].confirmed, "one orphan's trouble is not the others'"
        assert postgres.sql(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{minted.name}'") == "f"
        assert (await trouble(mint.retire(minted.name))).code == "mint-timeout"
    [again] = await mint.sweep(lambda _: False)
    assert again.confirmed and "1 object given to minted_app" in again.how
    postgres.sql("DROP TABLE busy", database=database)


@pytest.mark.parametrize("role", ["minted_super", "minted_sub", "minted_maker"])
async def test_no_session_gets_a_superuser_s_or_a_role_maker_s_role(
    postgres: PostgresServer, mint: PostgresRoles, role: str
) -> None:
    postgres.sql("ALTER ROLE minter SUPERUSER")
    try:
        found = await trouble(but(mint, role=role).issue("f1", WHO, None))
    finally:
        postgres.sql("ALTER ROLE minter NOSUPERUSER")
    assert found.code == "mint-misconfigured" and "superuser or may create roles" in found.message
    assert roles(postgres, mint) == []


async def test_every_way_to_fail_has_its_own_words(postgres: PostgresServer, mint: PostgresRoles) -> None:
    login = mint.settings.login
    cases = {
        "mint-misconfigured": (but(mint, role="nobody_has_this"), "has no role 'nobody_has_this'"),
        "mint-refused": (but(mint, login=replace(login, user="scram")), "permission denied"),
    }
    for code, (bad, words) in cases.items():
        found = await trouble(bad.issue("g1", WHO, None))
        assert (found.code, words in found.message) == (code, True), found.message
    for other in (replace(login, port=1), replace(login, password=Secret("wrong")), replace(login, ca_file=None)):
        assert (await trouble(but(mint, login=other).issue("g1", WHO, None))).code == "mint-unreachable"
        assert (await trouble(but(mint, login=other).sweep(lambda _: False))).code == "mint-unreachable"
    assert roles(postgres, mint) == []
    await mint.issue("g2", WHO, None)
    assert (await trouble(mint.issue("g2", WHO, None))).message.endswith("already exists")
    await mint.retire(mint.name("g2"))


async def test_the_server_stops_taking_the_password_at_the_end(postgres: PostgresServer, mint: PostgresRoles) -> None:
    minted = await mint.issue("h1", WHO, time.time() - 1)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        async with as_session(mint, minted):
            pass
    await mint.retire(minted.name)
    forever = await mint.issue("h2", WHO, time.time() + 10**9)
    assert forever.until <= time.time() + mint.settings.longest
    await mint.retire(forever.name)


async def test_settings_of_the_configured_role_hold_for_its_sessions(
    postgres: PostgresServer, mint: PostgresRoles, database: str
) -> None:
    modern = int(postgres.sql("SHOW server_version_num")) >= 150_000
    postgres.sql(
        """
        ALTER ROLE minted_app SET search_path = "$user", "O""dd, one", public; ALTER ROLE minted_app SET work_mem = '7MB';
        ALTER ROLE minted_app SET app.note = 'it''s \\ here'; ALTER ROLE minted_app IN DATABASE minted SET statement_timeout = '55s';
        ALTER ROLE minted_app IN DATABASE postgres SET statement_timeout = '1ms';
        """
    )
    try:
        denied = await trouble(mint.issue("i0", WHO, None))
        assert denied.code == "mint-refused" and "copy_settings: false" in denied.message
        assert ("GRANT SET ON PARAMETER app.note TO minter" in denied.message) is modern
        postgres.sql(
            "GRANT SET ON PARAMETER app.note TO minter" if modern else "ALTER ROLE minted_app SET app.note = DEFAULT"
        )
        minted = await mint.issue("i1", WHO, None)
        async with as_session(mint, minted) as made:
            shown = [await one(made, f"SHOW {name}") for name in ("search_path", "work_mem", "statement_timeout")]
            note = await one(made, "SELECT current_setting('app.note', true)")
        assert shown == ['"$user", "O""dd, one", public', "7MB", "55s"]
        assert note == ("it's \\ here" if modern else None)
        plain = but(mint, copy_settings=False, assume=False)
        other = await plain.issue("i2", WHO, None)
        async with as_session(plain, other) as made:
            assert await one(made, "SHOW work_mem") != "7MB" and await one(made, "SELECT current_user") == other.name
            assert await one(made, "SELECT id FROM items") == 1, "it inherits"
        postgres.sql("ALTER ROLE minted_app SET search_path = ''; ALTER ROLE minted_app SET log_statement = 'all'")
        denied = await trouble(mint.issue("i3", WHO, None))
        assert denied.code == "mint-refused" and "default for log_statement" in denied.message
        postgres.sql("ALTER ROLE minted_app RESET log_statement")
        empty = await mint.issue("i4", WHO, None)
        async with as_session(mint, empty) as made:
            assert await one(made, "SHOW search_path") == '""'
    finally:
        postgres.sql(
            ("REVOKE SET ON PARAMETER app.note FROM minter; " if modern else "")
            + "ALTER ROLE minted_app RESET ALL; ALTER ROLE minted_app IN DATABASE minted RESET ALL; ALTER ROLE minted_app IN DATABASE postgres RESET ALL"
        )
        await mint.sweep(lambda _: False)
    assert roles(postgres, mint) == []


async def test_the_gateway_s_other_login_may_stop_the_session(
    postgres: PostgresServer, mint: PostgresRoles, database: str
) -> None:
    if int(postgres.sql("SHOW server_version_num")) >= 160_000:
        # From 16 on what a member inherits is each grant's own affair; before, one that does not inherit cannot be helped.
        postgres.sql("ALTER ROLE minter_watch NOINHERIT")
    watched = but(mint, watchers=("minter_watch",))
    minted = await watched.issue("j1", WHO, None)
    async with as_session(watched, minted) as made:
        async with await psycopg.AsyncConnection.connect(
            postgres.dsn("minter_watch", database), autocommit=True
        ) as watcher:
            find = f"SELECT backend_start IS NOT NULL AND pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{minted.name}'"
            assert await one(watcher, find) is True
        with pytest.raises(psycopg.OperationalError):
            await made.execute("SELECT 1")
    assert (await watched.retire(minted.name)).confirmed


async def test_a_cancelled_issue_leaves_nothing_that_a_retire_does_not_find(
    postgres: PostgresServer, mint: PostgresRoles
) -> None:
    for number in range(12):
        task = asyncio.create_task(mint.issue(f"k{number}", WHO, None))
        await asyncio.wait((task,), timeout=0.004 * number)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await mint.retire(mint.name(f"k{number}"))).confirmed
    postgres_idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hooptui mint'"
    deadline = time.monotonic() + 60
    while postgres.sql(postgres_idle) != "0":
        assert time.monotonic() < deadline
    assert roles(postgres, mint) == []


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ('"$user", public', ["$user", "public"]),
        ('"a,b","c""d"', ["a,b", 'c"d']),
        ('""', [""]),
        ("pg_catalog", ["pg_catalog"]),
        ("", [""]),
    ],
)
def test_list_settings_are_taken_apart_as_the_server_wrote_them(value: str, names: list[str]) -> None:
    assert postgres_roles._names(value) == names


@pytest.mark.parametrize(
    "settings",
    [{"role": ""}, {"role": "x" * 64}, {"role": "minter"}, {"tag": "abc"}, {"tag": "ab_cd"}, {"tag": "A" * 5}, {"tag": "a" * 17},
     {"connection_limit": 0}, {"connection_limit": 101}, {"longest": 5.0}, {"longest": 1e9}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(mint: PostgresRoles, settings: dict[str, object]) -> None:
    [field] = settings
    with pytest.raises(ValueError, match=f"^{field}: found .*, "):
        but(mint, **settings)


@pytest.mark.parametrize("session", ["", "A", "a_b", 'a"b', "a" * 33, "a b", "a\n"])
def test_only_a_plain_name_makes_a_role(mint: PostgresRoles, session: str) -> None:
    with pytest.raises(ValueError, match="fits into a role"):
        mint.name(session)
