"""`hooptui login` as people run it: the real program, a real gateway, a real identity provider, and psql at the end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.bed import Bed, bed
from tests.login.person import Person
from tests.postgres_server import PostgresServer
from tests.providers.oidc_provider import AUDIENCE, CLI, PORTAL, OidcProvider, oidc_provider

pytestmark = pytest.mark.e2e


@dataclass
class Site:
    """A gateway with a portal, its identity provider, and a person's home."""

    bed: Bed
    idp: OidcProvider
    home: Path

    @property
    def url(self) -> str:
        gateway = self.bed.gateway.gateway
        assert gateway is not None and gateway.portal is not None
        return gateway.portal.url

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], **more}

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """`hooptui login` with a terminal's stderr as a pipe."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "hooptui"), "login", self.url, "--ca", str(self.bed.ca), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(more),
        )  # fmt: skip

    def login(self, *words: str, **more: str) -> tuple[int, str, str]:
        """Exit status, what a program reads, what a person reads."""
        process = self.start(*words, **more)
        out, err = process.communicate(timeout=60)
        self.bed.seen.append(out + err)
        return process.returncode, out, err

    def psql(self, sql: str, **more: str) -> subprocess.CompletedProcess[str]:
        """psql with nothing but the service that the login left."""
        done = subprocess.run(
            [self.bed.server.bin("psql"), "-X", "-q", "-A", "-t", "-w", "-c", sql, "service=bed dbname=orders-db"],
            capture_output=True, text=True, timeout=60, env=self.environment(more),
        )  # fmt: skip
        self.bed.seen.append(done.stdout + done.stderr)
        return done


@pytest.fixture(scope="module")
def site(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("home")
    with oidc_provider() as idp:
        secret = home / "portal-secret"
        secret.write_text(idp.secrets[PORTAL])
        secret.chmod(0o600)
        # Two audiences: access tokens are for the gateway, ID tokens of the command line's client for that.
        issuers = f', {{issuer: "{idp.url}", audience: ["{AUDIENCE}", {CLI}], kind: {{claim: idtyp, equals: app}}, owner: act.sub}}'
        portal = f"""
portal:
  ways: [{{id: op, title: Example provider, issuer: "{idp.url}", client_id: {PORTAL}, client_secret: {{file: "{secret}"}}}}]
"""
        with bed(postgres, issuers=issuers, listen=', portal: "127.0.0.1:0"', more=portal) as made:
            found = Site(made, idp, home)
            idp.redirects(PORTAL, f"{found.url}/callback/op")
            yield found
            made.gateway.stop("the module is over")
            assert made.leaks() == []


def confirm(site: Site, process: subprocess.Popen[str], user: str, *, refuse: Literal["", "device"] = "") -> str:
    """Read what the terminal says up to the page, and have the person go there; what was said so far."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.match(r"    (https://\S+)$", line.rstrip("\n")):
            Person(user, site.bed.ca).confirm(found[1], refuse=refuse)
            return said
    raise AssertionError(said)


def test_by_browser_and_then_psql_until_the_lease_is_revoked(site: Site) -> None:
    process = site.start("--install", "psql", "--purpose", "INC-812")
    said = confirm(site, process, "agent-5")
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 0 and out == "", said + rest
    assert "Logged in to bed as agent-5, until" in rest
    done = site.psql("SELECT count(*) FROM orders")
    assert (done.stdout, done.stderr, done.returncode) == ("200\n", "", 0)
    [lease] = site.bed.snapshot().leases
    assert lease.how == "device" and lease.identity == f"{site.idp.url}#agent-5" and lease.owner.endswith("#dev-4")
    kept = json.loads(next(site.home.rglob("login.json")).read_text())
    assert kept["secret"].startswith(f"{lease.id}.")
    assert site.bed.do("revoke", what=lease.id, reason="laptop lost").ok
    refused = site.psql("SELECT 1")
    assert refused.returncode == 2 and "lease" in refused.stderr and "revoked" in refused.stderr
    secret = kept["secret"].partition(".")[2]
    assert secret not in "".join(site.bed.seen) + said + rest
    for path in site.bed.state.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_denied_in_the_browser(site: Site) -> None:
    process = site.start()
    confirm(site, process, "agent-5", refuse="device")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and out == "" and "denied in the browser" in err


def test_a_workload_logs_in_with_its_own_credentials(site: Site) -> None:
    secret = site.home / "etl-secret"
    secret.write_text(site.idp.secrets["etl-7"])
    code, out, err = site.login("--client-id", "etl-7", "--client-secret-file", str(secret), "--install", "psql")
    assert code == 0, err
    assert site.psql("SELECT 1").stdout == "1\n"
    [lease] = [one for one in site.bed.snapshot().leases if one.identity.endswith("#etl-7")]
    assert (lease.how, lease.kind) == ("exchange", "workload")
    assert out == "" and site.idp.secrets["etl-7"] not in err


def test_a_ci_job_logs_in_with_the_token_it_was_given(site: Site) -> None:
    token = site.idp.workload("bot-8")["access_token"]
    code, _, err = site.login("--token-env", "CI_TOKEN", "--install", "psql", CI_TOKEN=token)
    assert code == 0 and token not in err, err
    assert site.psql("SELECT 1").stdout == "1\n"
    [lease] = [one for one in site.bed.snapshot().leases if one.identity.endswith("#bot-8")]
    assert lease.kind == "agent" and lease.expires_at - lease.issued_at <= 900, "no longer than the token"
    code, _, err = site.login("--token-env", "CI_TOKEN", CI_TOKEN=token[:-8])
    assert code in (1, 2) and "refused" in err and "Traceback" not in err


def test_kubectl_gets_the_lease_that_psql_uses(site: Site) -> None:
    token = site.idp.workload("bot-8")["access_token"]
    site.login("--token-env", "CI_TOKEN", CI_TOKEN=token)
    code, out, err = site.login("--exec-credential")
    assert (code, err) == (0, "")
    given = json.loads(out)["status"]["token"]
    assert given == json.loads(next(site.home.rglob("login.json")).read_text())["secret"]


def test_a_wrong_authority_gets_nothing(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "ca.crt"
    other.write_bytes(site.bed.server.ca.read_bytes())
    leases = len(site.bed.snapshot().leases)
    code, _, err = site.login("--ca", str(other))
    assert code == 2 and "its certificate is not trusted here" in err and "ca.crt" in err
    assert len(site.bed.snapshot().leases) == leases
