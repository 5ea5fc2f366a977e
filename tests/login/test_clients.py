"""What `hooptui login` leaves for psql, kubectl and ssh, read by the real programs."""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
import yaml
from aiohttp import web

from hooptui.errors import UserError
from hooptui.login import openssh
from hooptui.login.gateway import Refused
from tests.postgres_server import PostgresServer

from .conftest import Home
from .double import NEVER, Double, pending

ROOT = Path(__file__).parents[2]
MINE = "[mine]\nhost=elsewhere\n# a note\n"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not on PATH")
        pytest.skip(f"{name} is not on PATH")
    return found


def run(home: Home, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"HOME": str(home.path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment}
    return subprocess.run(
        words, env=env, cwd=home.path, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


# --- psql ----------------------------------------------------------------------------------------


@pytest.fixture
def database(postgres: PostgresServer, portal: Double) -> Iterator[PostgresServer]:
    """A server that takes the first two leases of the portal by SCRAM, as the gateway does."""
    portal.info = portal.info | {"ca": postgres.ca.read_text(), "listeners": {"pg": f"127.0.0.1:{postgres.port}"}}
    names = [f"hl_{letter * 12}" for letter in "bc"]
    for name in names:
        postgres.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{NEVER}'")
    yield postgres
    for name in names:
        postgres.sql(f"DROP ROLE {name}")


def psql(home: Home, conninfo: str) -> subprocess.CompletedProcess[str]:
    return run(
        home,
        program("psql"),
        "-X",
        "-A",
        "-t",
        "-w",
        "-c",
        "SELECT session_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        conninfo,
    )


def test_psql_by_service(home: Home, database: PostgresServer) -> None:
    services = home.path / ".pg_service.conf"
    services.write_text(MINE.rstrip("\n"))
    home.login("--install", "psql")
    assert f'psql "service=prod-eu dbname=TARGET"        (service in {services})' in home.words
    done = psql(home, "service=prod-eu dbname=postgres")
    assert (done.stdout, done.stderr) == ("hl_bbbbbbbbbbbb|t\n", "")
    assert services.read_text().startswith(MINE)
    before = services.read_text()
    home.login()
    assert psql(home, "service=prod-eu dbname=postgres").stdout == "hl_cccccccccccc|t\n", "a later login is enough"
    assert services.read_text() == before.replace("bbbbbbbbbbbb", "cccccccccccc")
    for path in home.path.rglob("*"):
        if path.is_file() and path.name not in ("login.json", "pgpass"):
            assert NEVER not in path.read_text()


def test_psql_with_nothing_installed(home: Home, database: PostgresServer) -> None:
    home.login()
    found = re.search(r'psql "(.*) dbname=TARGET"', home.words)
    assert found and NEVER not in found[0]
    assert psql(home, f"{found[1]} dbname=postgres").stdout == "hl_bbbbbbbbbbbb|t\n"


def test_psql_from_a_home_with_an_odd_name(home: Home, database: PostgresServer, tmp_path: Path) -> None:
    home.path = tmp_path / "o'neil $x \\ home"
    home.path.mkdir()
    home.login("--install", "psql")
    assert psql(home, "service=prod-eu dbname=postgres").stdout == "hl_bbbbbbbbbbbb|t\n"
    home.paper.said.truncate(0)
    home.login("--install", "none")
    found = re.search(r'psql "(.*) dbname=TARGET"', home.words)
    assert found
    command = f'psql -X -A -t -w -c "SELECT session_user" "{found[1]} dbname=postgres"'
    assert run(home, "sh", "-c", command).stdout == "hl_cccccccccccc\n"


def test_the_server_is_checked(home: Home, database: PostgresServer, portal: Double) -> None:
    portal.info = portal.info | {"ca": portal.ca.read_text()}
    home.login("--install", "psql")
    assert "certificate verify failed" in psql(home, "service=prod-eu dbname=postgres").stderr
    portal.info = portal.info | {"ca": database.ca.read_text(), "listeners": {"pg": f"127.0.0.2:{database.port}"}}
    home.login()
    assert 'does not match host name "127.0.0.2"' in psql(home, "service=prod-eu dbname=postgres").stderr


def test_a_service_of_ones_own_is_not_shadowed(home: Home) -> None:
    services = home.path / ".pg_service.conf"
    services.write_text(MINE + " [prod-eu] \nhost=x\n")
    with pytest.raises(UserError, match=rf"{services}:4: there is a service \[prod-eu\] already that is not ours"):
        home.login("--install", "psql")
    assert services.read_text() == MINE + " [prod-eu] \nhost=x\n"


def test_pgservicefile_is_honoured(home: Home, tmp_path: Path) -> None:
    home.environment["PGSERVICEFILE"] = str(tmp_path / "services")
    home.login("--install", "psql")
    assert "[prod-eu]\nhost=localhost\nport=5432\nuser=hl_bbbbbbbbbbbb\n" in (tmp_path / "services").read_text()
    assert not (home.path / ".pg_service.conf").exists()


def test_a_listener_on_every_address_is_where_the_portal_is(home: Home, portal: Double) -> None:
    for address in ("0.0.0.0:6000", "[::]:6000", ":6000"):
        portal.info = portal.info | {"listeners": {"pg": address}}
        home.login()
        assert home.place.passfile.read_text().startswith("localhost:6000:*:hl_")
    portal.info = portal.info | {"listeners": {"pg": "[2001:db8::1]:6000"}}
    home.login()
    assert home.place.passfile.read_text().startswith(r"2001\:db8\:\:1:6000:*:hl_")


# --- kubectl -------------------------------------------------------------------------------------


def credential(home: Home) -> dict[str, object]:
    found = json.loads(home.paper.answered.getvalue())
    home.paper.answered.truncate(0)
    home.paper.answered.seek(0)
    assert isinstance(found, dict)
    return found


def test_an_exec_credential_is_the_kept_lease_until_it_is_over(home: Home, portal: Double) -> None:
    assert home.login("--exec-credential") == 0
    first = credential(home)
    end = datetime.datetime.fromtimestamp(int(home.kept.expires_at), datetime.UTC)
    assert first == {
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": home.kept.secret.reveal(), "expirationTimestamp": end.strftime("%Y-%m-%dT%H:%M:%SZ")},
    }  # fmt: skip
    asked = len(portal.asked)
    home.clock.advance(3_539)
    home.login("--exec-credential")
    assert credential(home) == first and len(portal.asked) == asked, "nobody is asked while the lease is good"
    home.clock.advance(2)
    home.login("--exec-credential")
    again = credential(home)
    assert again != first and again["status"] != first["status"] and portal.issued == 2


def test_nobody_is_asked_where_nobody_reads(home: Home, portal: Double) -> None:
    for info, person in (("", False), ('{"spec": {"interactive": false}}', True), ("junk", True), ("[]", True)):
        home.environment["KUBERNETES_EXEC_INFO"] = info
        home.paper.person = person
        with pytest.raises(UserError, match=f"nobody is logged in; run: hooptui login {portal.url}$"):
            home.login("--exec-credential")
    assert portal.asked == []
    home.environment |= {"T": "eyJ.a.b"}
    home.login("--exec-credential", "--token-env", "T")
    assert credential(home)["kind"] == "ExecCredential", "a token needs nobody"
    home.environment["KUBERNETES_EXEC_INFO"] = '{"spec": {"interactive": true}}'
    home.paper.person = True
    home.clock.advance(4_000)
    home.login("--exec-credential")
    assert "open this page" in home.words


def test_the_kubeconfig_is_one_that_kubectl_reads(home: Home, portal: Double) -> None:
    home.login("--install", "kube", "--cluster", "prod", "--cluster", "stage")
    assert f"kubectl:  export KUBECONFIG={home.place.kubeconfig}" in home.words
    home.login("--cluster", "prod", "--cluster", "test")
    done = run(home, program("kubectl"), "config", "view", "--raw", "-o", "json", KUBECONFIG=str(home.place.kubeconfig))
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)
    assert {one["name"]: one["cluster"]["server"] for one in config["clusters"]} == {
        f"prod-eu-{name}": f"https://bastion.example.com:6443/clusters/{name}" for name in ("prod", "stage", "test")
    }
    assert base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]) == portal.ca.read_bytes()
    assert config["current-context"] == "prod-eu-prod"
    [user] = config["users"]
    assert user["user"]["exec"]["apiVersion"] == "client.authentication.k8s.io/v1"
    assert user["user"]["exec"]["args"][-3:] == ["login", portal.url, "--exec-credential"]
    assert NEVER not in done.stdout


def test_kubectl_logs_in_by_itself(home: Home, portal: Double) -> None:
    """The real kubectl runs the real plugin and shows its token to the server, which here is the portal's double."""
    port = portal.port
    portal.info = portal.info | {"listeners": {"k8s": f"localhost:{port}"}}
    home.environment["T"] = "eyJ.a.b"
    home.login("--install", "kube", "--cluster", "prod", "--token-env", "T")
    config = yaml.safe_load(home.place.kubeconfig.read_text())
    execute = config["users"][0]["user"]["exec"]
    assert execute["args"][-2:] == ["--token-env", "T"], "it logs in again in the same way"
    # This test's Python in place of the installed program.
    execute["args"] = ["-c", "import sys; from hooptui.login.main import run; sys.exit(run(sys.argv[2:]))", *execute["args"][execute["args"].index("login"):]]  # fmt: skip
    execute["command"] = sys.executable
    execute["env"] = [{"name": "PYTHONPATH", "value": str(ROOT)}]
    home.place.kubeconfig.write_text(yaml.safe_dump(config))
    seen: list[str] = []

    async def api(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.json_response({"major": "1", "minor": "32", "gitVersion": "v1.32.0", "platform": "x/y"})

    portal.answers["/clusters/prod/version"] = [(0, api)]
    kubeconfig = {"KUBECONFIG": str(home.place.kubeconfig), "T": "eyJ.a.b"}
    done = run(home, program("kubectl"), "version", "-o", "json", **kubeconfig)
    assert done.returncode == 0, done.stderr
    assert seen and set(seen) == {f"Bearer {home.kept.secret.reveal()}"}


def test_programs_that_run_side_by_side_log_in_once(home: Home, portal: Double) -> None:
    home.environment["T"] = "eyJ.a.b"
    done: list[int] = []
    threads = [
        threading.Thread(target=lambda: done.append(home.login("--exec-credential", "--token-env", "T")))
        for _ in range(5)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert done == [0] * 5 and portal.issued == 1


# --- ssh -----------------------------------------------------------------------------------------


def effective(home: Home, host: str) -> dict[str, list[str]]:
    """What the real ssh makes of its configuration for a host."""
    done = run(home, program("ssh"), "-F", str(home.path / ".ssh/config"), "-G", host)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def installed(home: Home) -> None:
    """Install for ssh, with this test's Python in place of the installed program."""
    home.login("--install", "ssh")
    text = home.place.ssh_config.read_text()
    plugin = f"PYTHONPATH={ROOT} {sys.executable} -c 'import sys; from hooptui.login.main import run; sys.exit(run(sys.argv[2:]))'"
    home.place.ssh_config.write_text(re.sub(r'exec "\S+( -m hooptui\.cli)? login', f'exec "{plugin} login', text))


def test_ssh_uses_key_and_certificate_and_leaves_other_hosts_alone(home: Home, portal: Double) -> None:
    config = home.path / ".ssh/config"
    config.parent.mkdir(mode=0o700)
    mine = "User me\nServerAliveInterval 30\nHost other\n  Port 99\n"
    config.write_text(mine)
    installed(home)
    assert "ssh:      ssh TARGET@prod-eu" in home.words
    assert config.read_text().endswith(mine)
    found = effective(home, "prod-eu")
    assert (found["hostname"], found["port"], found["user"]) == (["localhost"], ["2222"], ["me"])
    assert found["serveraliveinterval"] == ["30"], "what is said for all hosts is still said for all"
    assert found["certificatefile"] == [str(home.place.ssh_certificate)]
    assert found["identityfile"] == [str(home.place.ssh_key)] and found["identitiesonly"] == ["yes"]
    other = effective(home, "other")
    assert (other["port"], other["serveraliveinterval"]) == (["99"], ["30"]) and "certificatefile" not in other
    assert "certificatefile" not in effective(home, "localhost")
    shown = run(home, program("ssh-keygen"), "-L", "-f", str(home.place.ssh_certificate)).stdout
    assert "ssh-ed25519-cert-v01@openssh.com user certificate" in shown
    before = config.read_text()
    home.login()
    assert config.read_text() == before


def test_ssh_knows_the_host_by_its_authority(home: Home, portal: Double) -> None:
    line = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    portal.info["ssh_host_ca"] = line
    installed(home)
    found = effective(home, "prod-eu")
    assert found["hostkeyalias"] == ["prod-eu"]
    assert str(home.place.ssh_known_hosts) in " ".join(found["userknownhostsfile"])
    assert home.place.ssh_known_hosts.read_text() == f"@cert-authority prod-eu {line}\n"
    assert "hostkeyalias" not in effective(home, "other")


@pytest.mark.parametrize("wrong", ["ssh-ed25519 AAAA", "ssh-ed25519 " + "A" * 68 + "\n* ssh-rsa x", "* \n"])
def test_an_authority_that_is_none_is_not_written(home: Home, portal: Double, wrong: str) -> None:
    portal.info["ssh_host_ca"] = wrong
    with pytest.raises(UserError, match="no Ed25519 public key"):
        home.login("--install", "ssh")
    assert not home.place.ssh_known_hosts.exists()


def test_ssh_renews_the_certificate_when_it_connects(home: Home, portal: Double) -> None:
    installed(home)
    signed = len(portal.forms("/v1/ssh/sign"))
    effective(home, "prod-eu")
    assert len(portal.forms("/v1/ssh/sign")) == signed, "a good certificate is used again"
    home.place.ssh_certificate.unlink()
    assert effective(home, "prod-eu")["certificatefile"]
    assert len(portal.forms("/v1/ssh/sign")) == signed + 1 and home.place.ssh_certificate.exists()
    assert dict(portal.headers[-1])["Authorization"] == f"Bearer {home.kept.secret.reveal()}"


def test_an_old_or_foreign_certificate_is_replaced(home: Home, portal: Double) -> None:
    home.login("--install", "ssh")
    now = home.clock.now()
    assert 500 < openssh.left(home.place, now) <= 600 and openssh.left(home.place, now + 700) == 0
    good = home.place.ssh_certificate.read_text()
    for bad in ("", "junk", home.place.ssh_key.with_suffix(".pub").read_text(), good[:80]):
        home.place.ssh_certificate.write_text(bad)
        assert openssh.left(home.place, now) == 0
    home.place.ssh_certificate.write_text(good)
    home.place.ssh_key.unlink()
    assert openssh.left(home.place, now) == 0, "it is for another key"
    signed = len(portal.forms("/v1/ssh/sign"))
    home.login("--ssh-certificate")
    assert len(portal.forms("/v1/ssh/sign")) == signed + 1 and openssh.left(home.place, now) > 500
    assert home.place.ssh_key.stat().st_mode & 0o777 == 0o600


def test_a_revoked_lease_signs_nothing_and_says_so(home: Home, portal: Double) -> None:
    home.login("--install", "ssh")
    home.clock.advance(650)
    portal.answers["/v1/ssh/sign"] = [
        pending("invalid_token", 401, code="lease-revoked", error_description="the lease was revoked", hint="log in")
    ]
    with pytest.raises(Refused) as caught:
        home.login("--ssh-certificate")
    assert caught.value.sentence() == "the lease was revoked; log in"


def test_what_is_no_certificate_is_not_written(home: Home, portal: Double) -> None:
    portal.answers["/v1/ssh/sign"] = [(200, {"certificate": "ssh-ed25519 AAAA\nProxyCommand evil", "expires_in": 600})]
    with pytest.raises(UserError, match="no OpenSSH certificate"):
        home.login("--install", "ssh")
    assert not home.place.ssh_certificate.exists()


@pytest.mark.parametrize("name", ['a"b', "a*b", "a%b", "a$b", "a\nb", "a[b"])
def test_a_path_that_ssh_would_misread_is_refused(home: Home, tmp_path: Path, name: str) -> None:
    home.environment["XDG_STATE_HOME"] = str(tmp_path / name)
    with pytest.raises(UserError, match="ssh_config cannot hold this path"):
        home.login("--install", "ssh")
    assert not (home.path / ".ssh").exists()


def test_a_damaged_key_is_named(home: Home) -> None:
    home.login("--install", "ssh")
    home.place.ssh_key.write_text("junk")
    with pytest.raises(UserError, match="no plain OpenSSH private key; remove it"):
        home.login()


# --- which ---------------------------------------------------------------------------------------


def test_all_is_what_the_gateway_has(home: Home, portal: Double) -> None:
    portal.info = portal.info | {"listeners": {"pg": "localhost:5432"}}
    home.login("--install", "all")
    assert home.kept.installed == ("psql",) and not (home.path / ".ssh").exists()
    with pytest.raises(UserError, match="prod-eu has no listener for ssh; it has pg"):
        home.login("--install", "ssh")
    assert portal.issued == 1, "that is said before anybody logs in"
    home.login("--install", "none")
    assert home.kept.installed == ()
