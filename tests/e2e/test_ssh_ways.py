"""Every way in with stock ssh: a browser, a lease or token typed at a prompt, a certificate by `ssh login@`; and minted logins."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import asyncssh
import paramiko
import pytest

from hooptui.core.events import Alert, Body, CredentialMinted, CredentialRemoved, KillAsked
from hooptui.core.events_people import CertificateIssued
from tests import ssh_server
from tests.e2e.bed import POLICY, Bed, bed
from tests.login.person import Person
from tests.postgres_server import PostgresServer
from tests.providers.oidc_provider import AUDIENCE, CLI, PORTAL, OidcProvider, oidc_provider
from tests.ssh_server import SshServer

pytestmark = pytest.mark.e2e

B = TypeVar("B", bound=Body)

RULES = """
  - id: ssh-runs
    effect: allow
    when: {principal: {groups: [agents]}, resource: {protocol: ssh}, ssh: {actions: [exec]}}
watches:
  - {id: no-panic, effect: kill, reason: that host is going down, output: "*kernel panic*"}
  - {id: denied, effect: alert, output: "*Permission denied*"}
masks:
"""


@dataclass
class Site:
    """A gateway with a portal and hosts behind it, and somebody's home without any key that leads in."""

    bed: Bed
    idp: OidcProvider
    server: SshServer
    home: Path

    @property
    def port(self) -> int:
        gateway = self.bed.gateway.gateway
        assert gateway is not None
        return next(int(one.address.rpartition(":")[2]) for one in gateway.listeners if one.protocol == "ssh")

    def command(self, *words: str, user: str = "web-01", more: tuple[str, ...] = ()) -> list[str]:
        return [
            "ssh", "-F", "none", "-p", str(self.port), "-o", f"UserKnownHostsFile={self.home}/known_hosts", "-o", "GlobalKnownHostsFile=none",
            "-o", "StrictHostKeyChecking=yes", "-o", "NumberOfPasswordPrompts=1", *more, f"{user}@127.0.0.1", *words,
        ]  # fmt: skip

    def environment(self, says: str | None) -> dict[str, str]:
        """With an askpass that says this; without one, and without a terminal, nothing can be typed."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("SSH_", "DISPLAY", "WAYLAND"))
        }
        asks = {"SSH_ASKPASS": str(self.home / "askpass"), "SSH_ASKPASS_REQUIRE": "force", "ASKPASS_SAYS": says or ""}
        return {**kept, "HOME": str(self.home), **(asks if says is not None else {})}

    def start(
        self, command: list[str], *, says: str | None = None, stdin: bytes | None = None
    ) -> subprocess.Popen[bytes]:
        """A client of which nobody is at the keyboard, in a session of its own, so that it finds no terminal either."""
        pipe: int = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        return subprocess.Popen(
            command, stdin=pipe, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(says), start_new_session=True
        )  # fmt: skip

    def run(
        self, command: list[str], *, says: str | None = None, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        process = self.start(command, says=says, stdin=stdin)
        out, err = process.communicate(stdin, timeout=60)
        self.bed.seen.append((out + err).decode("utf-8", "replace"))
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def confirm(
        self, process: subprocess.Popen[bytes], user: str = "agent-5", *, refuse: Literal["", "device"] = ""
    ) -> str:
        """Read what the client shows up to the page, and let the person go there; what it had shown."""
        said = ""
        assert process.stderr is not None
        for line in process.stderr:
            said += line.decode()
            if found := re.search(r"open (https://\S+)", line.decode()):
                Person(user, self.bed.ca).confirm(found[1], refuse=refuse)
                return said
        raise AssertionError(said)

    def journal(self, kind: type[B]) -> list[B]:
        bodies = [line.event.body for line in self.bed.on_bed(self.bed.desk.journal(limit=500))]
        return [body for body in bodies if isinstance(body, kind)]

    def key(self, name: str) -> Path:
        path = self.home / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=60)
        return path

    def lease(self) -> str:
        """One of a token that the demo issuer made."""
        gateway = self.bed.gateway.gateway
        assert gateway is not None

        async def issue() -> str:
            from hooptui.core.model import Identity

            who = Identity(self.bed.issuer.url, "sally", "sally", frozenset({"agents"}))
            return gateway.keeper.issue(who, "device", peer="127.0.0.1:1")[1].reveal()

        return self.bed.on_gateway(issue())


@pytest.fixture(scope="module")
def site(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if shutil.which("ssh") is None and os.environ.get("CI") != "true":
        pytest.skip("no ssh")
    home = tmp_path_factory.mktemp("home")
    (home / "askpass").write_text('#!/bin/sh\nprintf "%s\\n" "$ASKPASS_SAYS"\n')
    (home / "askpass").chmod(0o700)
    with oidc_provider() as idp, ssh_server.running() as server:
        for name, text in (("portal-secret", idp.secrets[PORTAL]), ("host-key", server.key)):
            (home / name).write_text(text)
            (home / name).chmod(0o600)
        where = (
            f'protocol: ssh, host: 127.0.0.1, port: {server.port}, user: {server.user}, host_key: "{server.host_key}"'
        )
        with bed(
            postgres,
            policy=POLICY.replace("masks:\n", RULES.lstrip("\n"), 1),
            issuers=f', {{issuer: "{idp.url}", audience: ["{AUDIENCE}", {CLI}], kind: {{claim: idtyp, equals: app}}, owner: act.sub}}',
            listen=', portal: "127.0.0.1:0", ssh: "127.0.0.1:0"',
            more=f'portal: {{ways: [{{id: op, title: Op, issuer: "{idp.url}", client_id: {PORTAL}, client_secret: {{file: "{home / "portal-secret"}"}}}}]}}',
            targets=f'  web-01: {{{where}, key: {{file: "{home / "host-key"}"}}}}\n  web-02: {{{where}, mint: {{lasts: 2m}}}}',
        ) as made:
            found = Site(made, idp, server, home)
            gateway = made.gateway.gateway
            assert gateway is not None and gateway.portal is not None
            idp.redirects(PORTAL, f"{gateway.portal.url}/callback/op")
            host_key = (made.state / "ssh_host_ed25519.pub").read_text().strip()
            (home / "known_hosts").write_text(f"[127.0.0.1]:{found.port} {host_key}\n")
            yield found
            made.gateway.stop("the module is over")
            assert made.leaks() == []


def test_a_browser_lets_in_whoever_has_neither_key_nor_password(site: Site) -> None:
    process = site.start(site.command("echo in"))
    said = site.confirm(process)
    out, rest = process.communicate(timeout=60)
    assert (out, process.returncode) == (b"in\n", 0), said + rest.decode()
    [lease] = [one for one in site.bed.snapshot().leases if one.identity.endswith("#agent-5")]
    assert lease.how == "device"
    assert site.bed.do("revoke", what=lease.id, reason="over").ok


def test_a_login_denied_in_the_browser_is_no_login(site: Site) -> None:
    process = site.start(site.command("echo in", more=("-o", "PreferredAuthentications=keyboard-interactive")))
    said = site.confirm(process, refuse="device")
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 255 and out == b"" and b"denied in the browser" in rest, said + rest.decode()


def test_who_is_not_let_in_by_the_rules_is_told_so_after_the_browser(site: Site) -> None:
    process = site.start(site.command("echo in", user="web-99"))
    site.confirm(process)
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 255 and out == b"" and b'no access to "web-99"' in rest


def test_a_client_that_leaves_does_not_wait_any_more(site: Site) -> None:
    gateway = site.bed.gateway.gateway
    assert gateway is not None and gateway.portal is not None and gateway.ssh is not None
    devices = gateway.portal._context.devices
    before = len(devices)
    process = site.start(site.command("echo in"))
    assert process.stderr is not None
    while b"open https://" not in process.stderr.readline():
        pass
    assert len(devices) == before + 1 and gateway.ssh._browsers == 1 and gateway.ssh._unproved == 0
    process.kill()
    process.communicate()
    site.bed.until(lambda: len(devices) == before and gateway.ssh._browsers == 0 and gateway.ssh.connections == 0)
    assert gateway.ssh._unproved == 0


def test_the_wait_is_longer_than_a_login_and_has_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = site.bed.gateway.gateway
    assert gateway is not None and gateway.ssh is not None
    monkeypatch.setattr(gateway.ssh, "_limits", type(gateway.ssh._limits)(handshake=2.0))
    monkeypatch.setattr("hooptui.portal.api.LASTS", 4.0)
    began = time.monotonic()
    done = site.run(site.command("echo in", more=("-o", "PreferredAuthentications=keyboard-interactive")))
    assert done.returncode == 255 and b"in time" in done.stderr, done.stderr
    assert time.monotonic() - began >= 4.0


def test_a_lease_or_token_is_typed_at_the_prompt(site: Site) -> None:
    kbd = ("-o", "PreferredAuthentications=keyboard-interactive")
    for secret in (site.lease(), site.bed.token()):
        done = site.run(site.command("echo in", more=kbd), says=secret)
        assert (done.stdout, done.returncode) == (b"in\n", 0), done.stderr
        assert secret.encode() not in done.stderr
    wrong = site.run(site.command("echo in", more=kbd), says="hl_abcdefghijkl.nosuchsecretatallnosuchsecret")
    assert wrong.returncode == 255 and b"hooptui: " in wrong.stderr and wrong.stdout == b""


def test_other_clients_give_a_lease_as_they_give_passwords(site: Site) -> None:
    lease = site.lease()
    dbclient = shutil.which("dbclient")
    if dbclient is not None or os.environ.get("CI") == "true":
        assert dbclient is not None
        done = subprocess.run(
            [dbclient, "-y", "-y", "-p", str(site.port), "web-01@127.0.0.1", "echo in"], capture_output=True, timeout=60,
            env={**site.environment(None), "DROPBEAR_PASSWORD": lease}, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.stdout == b"in\n", done.stderr
    with paramiko.SSHClient() as client:
        client.load_host_keys(str(site.home / "known_hosts"))
        client.connect("127.0.0.1", site.port, "web-01", password=lease, allow_agent=False, look_for_keys=False)
        _, out, _ = client.exec_command("echo in")
        assert out.read() == b"in\n"

    async def by_asyncssh() -> object:
        known = str(site.home / "known_hosts")
        where: dict[str, Any] = {
            "username": "web-01",
            "password": lease,
            "known_hosts": known,
            "client_keys": None,
            "config": None,
        }
        async with asyncssh.connect("127.0.0.1", site.port, **where) as connection:
            return (await connection.run("echo in")).stdout

    assert asyncio.run(by_asyncssh()) == "in\n"


@pytest.mark.parametrize("method", ["keyboard-interactive", "password"])
def test_a_token_that_the_client_cuts_is_explained(site: Site, method: str) -> None:
    token = site.bed.token(padding="x" * 2000)
    done = site.run(site.command("echo in", more=("-o", f"PreferredAuthentications={method}")), says=token)
    assert done.returncode == 255
    assert b"exactly 1023 bytes" in done.stderr and b"ssh login@" in done.stderr, done.stderr


def test_batch_mode_asks_nobody(site: Site) -> None:
    done = site.run(site.command("echo in", more=("-o", "BatchMode=yes")))
    assert done.returncode == 255 and b"https://" not in done.stderr


def test_a_certificate_with_nothing_but_ssh(site: Site) -> None:
    key = site.key("by-browser")
    process = site.start(site.command(user="login"), stdin=b"")
    # The shell's redirections: the public key in, the certificate out.
    assert process.stdin is not None
    process.stdin.write(key.with_suffix(".pub").read_bytes())
    process.stdin.close()
    process.stdin = None
    said = site.confirm(process)
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 0, said + rest.decode()
    Path(f"{key}-cert.pub").write_bytes(out)
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", f"{key}-cert.pub"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    [issued] = site.bed.until(
        lambda: [one for one in site.journal(CertificateIssued) if one.identity.endswith("#agent-5")]
    )
    assert issued.key_id in shown and issued.lease.startswith("hl_")
    batch = ("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", str(key))
    done = site.run(site.command("echo in", more=batch))
    assert (done.stdout, done.returncode) == (b"in\n", 0), done.stderr
    assert (
        site.run(site.command(user="login", more=batch), stdin=key.with_suffix(".pub").read_bytes()).returncode == 255
    )
    assert site.bed.do("revoke", what=issued.lease, reason="laptop lost").ok
    assert site.run(site.command("echo in", more=batch)).returncode == 255, "a certificate ends with its lease"


def test_a_certificate_for_a_token_or_lease_by_the_shell(site: Site) -> None:
    for name, secret in (("by-token", site.bed.token()), ("by-lease", site.lease())):
        key = site.key(name)
        line = subprocess.list2cmdline(site.command(user="login"))
        shell = ["sh", "-c", f"{line} < {key}.pub > {key}-cert.pub"]
        done = site.run(shell, says=secret)
        assert done.returncode == 0, done.stderr
        batch = ("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", str(key))
        assert site.run(site.command("echo in", more=batch)).stdout == b"in\n"


@pytest.mark.parametrize(
    ("stdin", "words", "more", "status", "says"),
    [
        (b"", (), (), 2, b"nothing on stdin"),
        (b"ssh-ed25519 garbage\n", (), (), 1, b"not an OpenSSH public key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", (), (), 1, b"public key"),
        (b"ssh-ed25519 " + b"A" * 200_000, (), (), 2, b"longer than 16 KiB"),
        (b"", ("uptime",), (), 2, b"this name is no host"),
        (b"", (), ("-tt",), 2, b"this name is no host"),
        (b"", (), ("-s", "sftp"), 255, b""),
    ],
    ids=["nothing", "garbage", "a private key", "endless", "a command", "a terminal", "sftp"],
)
def test_what_is_no_key_is_explained_on_stderr(
    site: Site, stdin: bytes, words: tuple[str, ...], more: tuple[str, ...], status: int, says: bytes
) -> None:
    command = site.command(*words, user="login", more=more)
    if "-s" in more:
        command = [*site.command(user="login", more=("-s",)), "sftp"]
    done = site.run(command, says=site.lease(), stdin=stdin)
    assert done.returncode == status, done.stderr
    if "-tt" in more:
        assert says in done.stdout + done.stderr
    else:
        assert done.stdout == b"" and says in done.stderr


def test_login_leads_to_no_forward(site: Site) -> None:
    done = site.run(site.command(user="login", more=("-W", f"127.0.0.1:{site.server.port}")), says=site.lease())
    assert done.returncode != 0 and b"SSH-2.0" not in done.stdout


def test_a_login_minted_for_the_session(site: Site) -> None:
    lease = site.lease()
    untrusted = site.run(site.command("echo in", user="web-02"), says=lease)
    assert untrusted.returncode == 255 and b"refuses the gateway" in untrusted.stderr, untrusted.stderr
    site.server.file("cas", (site.bed.state / "ssh_ca.pub").read_bytes(), 0o600)
    done = site.run(site.command("echo in", user="web-02"), says=lease)
    assert done.stdout.startswith(b"in\n") and done.returncode == 0, done.stderr
    minted = site.journal(CredentialMinted)[-1]
    assert minted.kind == "certificate"
    assert minted.name in (site.server.home / "log").read_text(), "the host's own log names the session"
    site.bed.until(lambda: minted.name in [one.name for one in site.journal(CredentialRemoved) if one.confirmed])


def test_hooptui_login_sets_stock_ssh_up_without_trust_at_first_use(site: Site) -> None:
    gateway = site.bed.gateway.gateway
    assert gateway is not None and gateway.portal is not None
    environment = {**site.environment(None), "CI_TOKEN": site.bed.token("ci-7")}
    program = str(Path(sys.executable).parent / "hooptui")
    done = subprocess.run(
        [program, "login", gateway.portal.url, "--ca", str(site.bed.ca), "--token-env", "CI_TOKEN", "--install", "ssh"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ssh = [
        "ssh",
        "-F",
        f"{site.home}/.ssh/config",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
        "web-01@bed",
        "echo in",
    ]
    ran = subprocess.run(ssh, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout == "in\n", ran.stderr


def test_what_a_policy_watches_for_alarms_or_ends_a_session(site: Site) -> None:
    lease = site.lease()
    told = site.run(site.command("echo Permission denied"), says=lease)
    assert told.returncode == 0
    site.bed.until(lambda: [one for one in site.journal(Alert) if one.code == "watch" and "denied" in one.text])
    killed = site.run(site.command("echo kernel panic; sleep 100"), says=lease)
    assert killed.returncode != 0 and b"terminated by rule no-panic: that host is going down" in killed.stderr
    [record] = site.bed.until(lambda: [one for one in site.journal(KillAsked) if one.by == "rule no-panic"])
    assert record.reason == "that host is going down"
    site.bed.until(lambda: site.bed.snapshot().sessions == ())


def test_the_gateway_is_known_by_its_certificate(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = (site.bed.state / "ssh_host_ca.pub").read_text()
    known, other = site.home / "only-the-authority", site.home / "another-authority"
    known.write_text(f"@cert-authority * {authority}")
    other.write_text(f"@cert-authority [127.0.0.1]:{site.port} {(site.bed.state / 'ssh_ca.pub').read_text()}")

    def asks(file: Path, *more: str) -> subprocess.CompletedProcess[bytes]:
        command = [word.replace(f"{site.home}/known_hosts", str(file)) for word in site.command("echo in", more=more)]
        return site.run(command, says=site.lease())

    assert asks(known).stdout == b"in\n", "nothing is trusted at first use"
    assert asks(known, "-o", "HostKeyAlias=somebody-else").returncode == 255, "the names are in it"
    refused = asks(other)
    assert refused.returncode == 255 and b"verification failed" in refused.stderr
    shown = asks(known, "-v").stderr
    assert b"Server host certificate: ssh-ed25519-cert-v01@openssh.com" in shown
    gateway = site.bed.gateway.gateway
    assert gateway is not None and gateway.ssh is not None
    # Last of all here, for what is made now is good in three weeks only.
    before = gateway.ssh._certificate
    real = gateway.clock.now
    monkeypatch.setattr(gateway.clock, "now", lambda: real() + 21 * 86_400, raising=False)
    done = site.run(site.command("true", more=("-o", "BatchMode=yes")))
    monkeypatch.undo()
    assert done.returncode == 255
    after = gateway.ssh._certificate
    assert before is not None and after is not None and after is not before
    assert after._valid_before - before._valid_before >= 21 * 86_400 - 60, "the next one in time, without a restart"
