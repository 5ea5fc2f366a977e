"""The whole way in: `hooptui login` in a terminal, a person in a real browser at a real provider, and stock psql afterwards."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from hooptui.core.desk import Command
from tests.e2e.bed import POLICY, Bed, bed
from tests.postgres_server import PostgresServer
from tests.providers.browser import Chromium, Page, chromium, spki
from tests.providers.oidc_provider import AUDIENCE, PORTAL, OidcProvider, oidc_provider

pytestmark = pytest.mark.e2e

Visit = Callable[[Page], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def idp() -> Iterator[OidcProvider]:
    with oidc_provider() as running:
        yield running


@pytest.fixture(scope="module")
def gate(postgres: PostgresServer, idp: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    secret = tmp_path_factory.mktemp("secrets") / "portal"
    secret.write_text(idp.secrets[PORTAL])
    secret.chmod(0o600)
    policy = POLICY.replace("groups: [agents]}, resource", "groups: [agents, dba]}, resource")
    with bed(
        postgres,
        policy=policy,
        issuers=f', {{issuer: "{idp.url}", audience: "{AUDIENCE}", kind: {{claim: idtyp, equals: app}}, owner: act.sub}}',
        listen=', portal: "127.0.0.1:0"',
        more=f'portal: {{ways: [{{id: op, title: Provider, issuer: "{idp.url}", client_id: {PORTAL}, client_secret: {{file: "{secret}"}}}}]}}',
    ) as made:
        idp.redirects(PORTAL, f"{portal(made)}/callback/op")
        yield made
        made.gateway.stop("the module is over")
        assert made.leaks() == []


def portal(gate: Bed) -> str:
    gateway = gate.gateway.gateway
    assert gateway is not None and gateway.portal is not None
    return gateway.portal.url


@pytest.fixture(scope="module")
def browser(gate: Bed) -> Iterator[Chromium]:
    with chromium(trust=[spki(gate.state / "tls" / "server.crt")]) as running:
        yield running


def browse(browser: Chromium, visit: Visit) -> None:
    async def go() -> None:
        async with browser.page() as page:
            await visit(page)

    asyncio.run(go())


async def at_the_provider(page: Page, user: str) -> None:
    assert "Provider login" in await page.text()
    await page.fill('[name="login"]', user)
    await page.press("button")


def approves(url: str, code: str, user: str) -> Visit:
    """Somebody opens the page, logs in, enters the code and says yes."""

    async def visit(page: Page) -> None:
        assert await page.goto(url) == 200
        await page.fill('[name="user_code"]', code)
        await page.press("form button")
        if await page.has("main a[href^='/login/']"):
            await page.press("main a[href^='/login/']")
        await at_the_provider(page, user)
        await page.press('button[value="approve"]')
        assert "✓" in await page.text(), await page.text()

    return visit


class Terminal:
    """`hooptui login` running, its words read as they come."""

    def __init__(self, gate: Bed, home: Path, *args: str) -> None:
        self.home = home
        self.said = ""
        self._news = threading.Condition()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "XDG"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hooptui.cli", "login", portal(gate), "--ca", str(gate.ca), *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**environment, "HOME": str(home)},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.said += line
                self._news.notify_all()
        self.process.stdout.close()

    def find(self, pattern: str) -> str:
        """The first group of what is said sooner or later."""
        with self._news:
            assert self._news.wait_for(lambda: re.search(pattern, self.said), 20), self.said
            found = re.search(pattern, self.said)
        assert found is not None
        return found[1]

    def end(self) -> int:
        status = self.process.wait(30)
        self._reader.join()
        return status


def psql(gate: Bed, home: Path, sql: str) -> subprocess.CompletedProcess[str]:
    """Stock psql by the service that `hooptui login` has written, and nothing else."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "XDG"))}
    done = subprocess.run(
        [gate.server.bin("psql"), "-X", "-q", "-A", "-t", "service=bed dbname=orders-db"],
        input=sql, capture_output=True, text=True, timeout=60, env={**environment, "HOME": str(home)},
    )  # fmt: skip
    gate.seen.append(done.stdout + done.stderr)
    return done


def test_a_person_logs_in_by_device_flow_and_psql_just_works(gate: Bed, browser: Chromium, tmp_path: Path) -> None:
    terminal = Terminal(gate, tmp_path, "--install", "psql", "--purpose", "INC-7")
    url = terminal.find(r"(https://localhost:\d+/device)\b")
    code = terminal.find(r"\b([B-Z]{4}-[B-Z]{4})\b")
    browse(browser, approves(url, code, "ops-1"))
    assert terminal.end() == 0, terminal.said
    gate.seen.append(terminal.said)
    done = psql(gate, tmp_path, "SELECT current_setting('is_superuser'), count(*) FROM orders;\n")
    assert done.stdout == "off|200\n", done.stderr
    [lease] = [one for one in gate.snapshot().leases if one.identity.endswith("#ops-1")]
    assert (lease.how, lease.kind) == ("device", "human")
    assert f"{lease.id}." not in terminal.said, "the secret goes into files, not onto the screen"


def test_a_person_logs_in_with_a_browser_alone(gate: Bed, browser: Chromium) -> None:
    shown: list[str] = []

    async def visit(page: Page) -> None:
        assert await page.goto(f"{portal(gate)}/login/op") == 200
        await at_the_provider(page, "ops-2")
        assert "You are logged in" in await page.text()
        await page.press("form[action='/lease'] button")
        shown.append(await page.text())

    browse(browser, visit)
    found = re.search(r"hl_[a-z2-7]{12}\.[a-z2-7]{32}", shown[0])
    assert found is not None, shown[0]
    assert gate.psql("SELECT 1", token=found[0]).stdout == "1\n"


def test_a_ci_job_changes_its_token_for_a_lease(gate: Bed, idp: OidcProvider, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(str(idp.workload("etl-7")["access_token"]))
    token.chmod(0o600)
    terminal = Terminal(gate, tmp_path, "--token-file", str(token), "--install", "psql")
    assert terminal.end() == 0, terminal.said
    assert psql(gate, tmp_path, "SELECT 2;\n").stdout == "2\n"
    assert [one.kind for one in gate.snapshot().leases if one.identity.endswith("#etl-7")] == ["workload"]


def test_an_operator_logs_in_at_the_screen_and_votes_by_name(gate: Bed, browser: Chromium) -> None:
    desk = gate.gateway.desk()
    held_by = gate.start_psql("-c", "DELETE FROM orders", token=gate.token("clumsy"))
    held = gate.held()
    begun = gate.on_bed(desk.run(Command("login")))
    assert begun.ok, begun.text
    browse(browser, approves(str(begun.data["verification_uri"]), str(begun.data["user_code"]), "ops-1"))
    health = gate.on_bed(desk.snapshot()).health
    assert (health.operator_key.rpartition("#")[2], health.operator_groups) == ("ops-1", ("dba", "oncall"))
    assert gate.snapshot().health.operator_key == "local#ops-1", "another desk is another seat"
    assert gate.on_bed(desk.run(Command("deny", {"number": str(held.number), "reason": "not now"}))).ok
    _, err = gate.finish(held_by, timeout=20)
    assert "denied by ops-1" in err and "not now" in err
    assert gate.on_bed(desk.run(Command("logout"))).ok
    assert gate.on_bed(desk.snapshot()).health.operator_key == "local#ops-1"


def test_an_agent_cannot_sit_at_the_screen(gate: Bed, browser: Chromium) -> None:
    desk = gate.gateway.desk()
    begun = gate.on_bed(desk.run(Command("login")))

    async def visit(page: Page) -> None:
        await approves(str(begun.data["verification_uri"]), str(begun.data["user_code"]), "agent-5")(page)

    with pytest.raises(AssertionError, match="no person"):
        browse(browser, visit)
    assert gate.on_bed(desk.snapshot()).health.operator_key == "local#ops-1"
