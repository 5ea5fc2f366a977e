"""Everything that hooptui is put in front of in the demo: a database, a host and a cluster with secrets in them, an issuer, a policy, a config.

The gateway is not part of it: `config_text` is the configuration of an ordinary one.
"""

from __future__ import annotations

import json
import os
import ssl
import time
from contextlib import AsyncExitStack
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import psycopg
from psycopg import sql

from hooptui.core.secret import Secret
from hooptui.credentials import certificates
from hooptui.demo.canaries import Canaries, Canary, needles
from hooptui.demo.cluster.call import User
from hooptui.demo.cluster.cluster import Cluster
from hooptui.demo.host import DemoHost
from hooptui.demo.issuer import Client, DemoIssuer
from hooptui.demo.postgres import SUPERUSER, DemoPostgres
from hooptui.errors import UserError

TARGET = "orders-db"
"""The name clients ask for as their database."""
DATABASE = "orders"
ROLE = "shop"
"""Owns the database; the gateway logs in as this, so that nothing but the gateway stands between an agent and a DROP."""
AUDIENCE = "hooptui-demo"
OPERATOR = "ops-1"
HOST_TARGET = "web-01"
"""The name clients ask for as their login on a host."""
CLUSTER = "prod-eu"
"""The name clients ask for as their cluster."""
SUPPORT = "support-db"
"""The same database as another target: nobody has standing access, and each session gets a role of its own there."""
SUPPORT_ROLE = "support"
"""Whose rights those roles get."""
MINTER = "minter"
"""Who makes them."""

CLIENTS = (
    *(Client(name, ("agents",)) for name in ("etl-7", "report-3", "bot", "sre-4", "deployer-5")),
    Client("vendor-9", ("vendors",)),
)
"""The agents' own accounts at the issuer; their secrets are made at import and live as long as the process."""


class World:
    """See the module. Lives on one loop; everything it makes on disk is below `directory`, which should be private."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state_dir = directory / "state"
        self.config_file = directory / "hooptui.yaml"
        self.canaries = Canaries()
        self._stack = AsyncExitStack()
        self._http: aiohttp.ClientSession | None = None
        self._trust: ssl.SSLContext | None = None
        self.password = self.minter = Secret("")

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            UserError: the database or the host does not start, in words.
        """
        async with AsyncExitStack() as stack:
            self.postgres = DemoPostgres(self.directory)
            self.host = DemoHost(self.canaries.in_logs())
            tls = certificates.ensure(self.directory / "issuer-tls", (), now=time.time())
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(tls.certificate, tls.key)
            self.issuer_ca = tls.ca
            self.issuer = DemoIssuer(AUDIENCE, CLIENTS, tls=context, algorithm="ES256", lifetime=3_600.0)
            await stack.enter_async_context(self.issuer)
            self._trust = ssl.create_default_context(cafile=str(tls.ca))
            self._http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
            await stack.enter_async_context(self.postgres)
            await stack.enter_async_context(self.host)
            self.cluster = await stack.enter_async_context(Cluster(self.directory / "cluster"))
            login = self.cluster.people.issue(User("hooptui", ("system:masters",)))
            _write(self.directory / "prod-eu.token", login)
            self.password, self.minter = (Secret(os.urandom(18).hex()) for _ in range(2))
            await self._seed()
            _write(self.directory / "orders-db.password", self.password.reveal())
            _write(self.directory / "minter.password", self.minter.reveal())
            _write(self.directory / "web-01.key", self.host.key.reveal())
            policy = self.directory / "policy.yaml"
            if not policy.exists():
                # One that is there may have been edited by whoever keeps this directory.
                _write(policy, resources.files("hooptui.demo").joinpath("policy.yaml").read_text("utf-8"))
            _write(self.config_file, self.config_text())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def config_text(self, listen: str = "127.0.0.1:0") -> str:
        """The gateway's configuration, YAML; paths are absolute."""

        def text(value: object) -> str:
            return json.dumps(str(value))

        database = f"""\
    protocol: postgres
    host: {self.postgres.host}
    port: {self.postgres.port}
    database: {DATABASE}
    user: {ROLE}
    password: {{file: {text(self.directory / "orders-db.password")}}}
    sslmode: verify-full
    ca_file: {text(self.postgres.ca_file)}
    labels: {{env: prod}}"""
        return f"""\
name: shop
state_dir: {text(self.state_dir)}
listen: {{postgres: {text(listen)}, ssh: {text(listen)}, kubernetes: {text(listen)}}}
operator: {{name: {OPERATOR}, groups: [dba, oncall]}}
issuers:
  - issuer: {text(self.issuer.url)}
    audience: {AUDIENCE}
    groups: groups
    name: preferred_username
    kind: workload
    ca_file: {text(self.issuer_ca)}
policy: [{text(self.directory / "policy.yaml")}]
targets:
  {TARGET}:
{database}
  {SUPPORT}:
{database}
    mint: {{role: {SUPPORT_ROLE}, user: {MINTER}, password: {{file: {text(self.directory / "minter.password")}}}}}
  {HOST_TARGET}:
    protocol: ssh
    host: {self.host.host}
    port: {self.host.port}
    user: {text(self.host.user)}
    key: {{file: {text(self.directory / "web-01.key")}}}
    host_key: {text(self.host.host_key)}
    labels: {{env: prod}}
  {CLUSTER}:
    protocol: kubernetes
    server: {text(self.cluster.url)}
    ca_file: {text(self.cluster.ca_file)}
    token: {{file: {text(self.directory / "prod-eu.token")}}}
    labels: {{env: prod}}
"""

    async def token(self, client: str) -> Secret:
        """A fresh access token of one agent, by client credentials (RFC 6749 section 4.4).

        Raises:
            UserError: the issuer does not give one.
        """
        if self._http is None or self._trust is None:
            raise UserError("demo: the world has not started")
        secret = next(one.secret for one in CLIENTS if one.id == client)
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret.reveal()}
        try:
            async with self._http.post(f"{self.issuer.url}/token", data=form, ssl=self._trust) as answer:
                body = await answer.json()
        except aiohttp.ClientError as fault:
            raise UserError(f"demo: the issuer does not answer: {fault}") from None
        if answer.status != 200:
            raise UserError(f"demo: the issuer refuses {client}: {body.get('error')}")
        return Secret(body["access_token"])

    async def witness(self) -> bytes:
        """What the masked columns hold, read past the gateway: the search for leaks must find every canary in it."""
        owner = self.postgres.conninfo(ROLE, self.password, DATABASE)
        found = bytearray()
        async with await psycopg.AsyncConnection.connect(owner) as connection:
            for table in ("customers", "cards", "employees", "integrations"):
                rows = await connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
                found += repr(await rows.fetchall()).encode()
        return bytes(found)

    def log(self) -> bytes:
        """What the host's log says, read past the gateway."""
        return (self.host.files / "app.log").read_bytes()

    def in_cluster(self) -> tuple[Canary, ...]:
        """The secrets in the cluster's Secrets and ConfigMaps."""
        planted = self.cluster.planted
        values = (planted.password, planted.token, planted.payment, planted.config)
        return tuple(Canary("cluster-secret", value, needles("cluster-secret", value)) for value in values)

    def cluster_witness(self) -> bytes:
        """What the cluster holds, read past the gateway and past its own server."""
        return json.dumps([obj for _, obj in self.cluster.store.everything()]).encode()

    async def _seed(self) -> None:
        role, database = sql.Identifier(ROLE), sql.Identifier(DATABASE)
        admin = self.postgres.conninfo(SUPERUSER, self.postgres.password, "postgres")
        async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as connection:
            await connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(self.password.reveal()))
            )
            # An agent's runaway query is there to be killed; should nobody do it, it ends by itself.
            await connection.execute(sql.SQL("ALTER ROLE {} SET statement_timeout = '15min'").format(role))
            await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
            support, minter = sql.Identifier(SUPPORT_ROLE), sql.Identifier(MINTER)
            await connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(support))
            await connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(minter, sql.Literal(self.minter.reveal()))
            )
            await connection.execute(sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(support, minter))
        seed = resources.files("hooptui.demo").joinpath("seed.sql").read_bytes()
        owner = self.postgres.conninfo(ROLE, self.password, DATABASE)
        async with await psycopg.AsyncConnection.connect(owner) as connection:
            await connection.execute(seed)
            await connection.execute(
                sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(sql.Identifier(SUPPORT_ROLE))
            )
            async with connection.cursor() as cursor:
                for statement, rows in self.canaries.inserts():
                    await cursor.executemany(statement.encode(), rows)


def _write(path: Path, content: str) -> None:
    """A private file, replaced when it is there (a second demo in the same directory)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
