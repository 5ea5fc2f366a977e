"""A real Keycloak for the tests, from its Maven distribution: OIDC and SAML, people, groups and a workload.

    with keycloak() as idp:
        idp.portal("https://localhost:1234", [SP])     # where its answers may go; known once the portal listens
        idp.issuer()                                    # for auth.oidc.Verifier
        idp.way()                                       # for the portal's SAML
        idp.workload()                                  # an access token by client credentials

The distribution is fetched by Maven and built once into a cache; then it starts in fifteen seconds or so with 360 MB, its
database in memory, on loopback, on a port that the kernel picks. Synchronous on purpose: it is another machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import html
import http.cookiejar
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hooptui.auth.issuer import Issuer
from hooptui.auth.saml.metadata import idp_from_file
from hooptui.auth.saml.settings import SamlWay

VERSION = "26.4.7"
SHA256 = "dd9834c023460be856f731423d86228c23b5d002194a2064642bec0cc6573eaa"
LEAST_JAVA = 17
PATIENCE = 120.0
"""Seconds until it must be up."""

QUICK = "-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC"
"""For a short life on two cores: half the processor time to start, and two thirds of the memory."""

REALM = "hooptui"
AUDIENCE = "urn:hooptui:gateway"
CLI = "hooptui-cli"
PORTAL = "hooptui-portal"
WORKLOAD = "etl-7"
USERS: Mapping[str, tuple[str, ...]] = {"ops-1": ("dba", "oncall"), "dev-4": ("developers",)}
"""People and their groups; passwords are made up at each start."""


@dataclass
class Keycloak:
    """A running Keycloak. Made by `keycloak`."""

    base: str
    """`http://127.0.0.1:port`."""
    passwords: Mapping[str, str] = field(repr=False)
    started_in: float
    """Seconds from nothing to answering, without fetching and building."""
    process: subprocess.Popen[bytes] = field(repr=False)
    _admin: str = field(repr=False)
    _secret: str = field(repr=False)
    _home: Path = field(repr=False)

    @property
    def url(self) -> str:
        """The realm: OIDC issuer and SAML entity identifier alike."""
        return f"{self.base}/realms/{REALM}"

    def issuer(self, **changes: Any) -> Issuer:
        return Issuer(self.url, **({"audiences": frozenset({AUDIENCE})} | changes))

    def way(self, sp_entity_id: str, **changes: Any) -> SamlWay:
        """A SAML way with the provider as its own metadata describe it; see `portal`."""
        file = self._home / "idp.xml"
        with urllib.request.urlopen(f"{self.url}/protocol/saml/descriptor", timeout=60) as answer:
            file.write_bytes(answer.read())
        settings = {"groups": "groups", "name": "username"} | changes
        return SamlWay(
            id="corp", title="Corporate SAML", idp=idp_from_file(file), sp_entity_id=sp_entity_id, **settings
        )

    def portal(self, origin: str, sp_entity_ids: Sequence[str] = ()) -> None:
        """Let the portal at this origin be answered: OIDC codes to its callback, SAML to its assertion consumer."""
        [client] = self._ask("GET", f"clients?clientId={PORTAL}")
        self._ask("PUT", f"clients/{client['id']}", {**client, "redirectUris": [f"{origin}/callback/*"]})
        for entity in sp_entity_ids:
            self._ask("POST", "clients", _saml_client(entity, f"{origin}/saml/acs"))

    def saml(self, sp_entity_id: str, **attributes: str) -> None:
        """Change attributes of a SAML client, `saml.…` with dots written as in Keycloak."""
        [client] = self._ask("GET", f"clients?clientId={urllib.parse.quote(sp_entity_id, safe='')}")
        client["attributes"] |= attributes
        self._ask("PUT", f"clients/{client['id']}", client)

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one stays published."""
        self._ask(
            "POST", "components",
            {
                "name": "new", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
                "config": {"priority": ["1000"], "enabled": ["true"], "active": ["true"], "keySize": ["2048"]},
            },
        )  # fmt: skip

    def unrotate(self) -> None:
        """Forget that key again."""
        for component in self._ask("GET", "components?name=new&type=org.keycloak.keys.KeyProvider"):
            self._ask("DELETE", f"components/{component['id']}")

    def workload(self) -> str:
        """An access token of the workload by client credentials."""
        form = {"grant_type": "client_credentials", "client_id": WORKLOAD, "client_secret": self._secret}
        return str(
            _json(f"{self.url}/protocol/openid-connect/token", urllib.parse.urlencode(form).encode())["access_token"]
        )

    def answer(self, where: str, user: str) -> dict[str, str]:
        """Log in as this person where an AuthnRequest leads, without a browser; the form that a browser would post."""
        jar = http.cookiejar.CookieJar(_Loopback())
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        with opener.open(where, timeout=60) as page:
            action = re.search(r'<form[^>]* action="([^"]+)"', page.read().decode())
        if action is None:
            raise AssertionError(f"no login form at {where[:80]}")
        form = urllib.parse.urlencode({"username": user, "password": self.passwords[user], "credentialId": ""}).encode()
        with opener.open(html.unescape(action[1]), form, timeout=60) as page:
            fields = re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', page.read().decode(), re.IGNORECASE)
        return {name: html.unescape(value) for name, value in fields}

    def memory(self) -> int:
        """Resident bytes of the Java process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        status = Path(f"/proc/{children[0]}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": self._admin}
        token = _json(
            f"{self.base}/realms/master/protocol/openid-connect/token", urllib.parse.urlencode(form).encode()
        )["access_token"]
        where = f"{self.base}/admin/realms" + (f"/{REALM}/{path}" if path else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return _json(urllib.request.Request(where, data, headers, method=method))


class _Loopback(http.cookiejar.DefaultCookiePolicy):
    """Secure cookies go to this machine without TLS too, as in browsers."""

    def return_ok_secure(self, *_: object) -> bool:
        return True


@contextlib.contextmanager
def keycloak() -> Iterator[Keycloak]:
    """Run a Keycloak. Skips the test where there is no Java or Maven; under CI that fails."""
    home = distribution()
    admin, secret = secrets.token_urlsafe(18), secrets.token_urlsafe(24)
    passwords = {user: secrets.token_urlsafe(12) for user in USERS}
    with tempfile.TemporaryDirectory() as own, Path(own, "log").open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            [
                home / "bin" / "kc.sh", "start", "--optimized", "--http-enabled=true", "--hostname-strict=false",
                "--http-host=127.0.0.1", "--http-port=0", "--cache=local",
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env={
                **os.environ, "KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": admin,
                "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx384m", "JAVA_OPTS_APPEND": QUICK,
            },
        )  # fmt: skip
        try:
            base = _listening(process, Path(own, "log"))
            made = Keycloak(base, passwords, 0.0, process, admin, secret, Path(own))
            made._ask("POST", "", _realm(passwords, secret))
            made.started_in = time.monotonic() - began
            yield made
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def distribution() -> Path:
    """Where the built distribution is; fetched and built at first use, which takes about a minute."""
    _need_tools()
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hooptui-tests"
    cached.mkdir(parents=True, exist_ok=True)
    home = cached / f"keycloak-{VERSION}"
    with (cached / "keycloak.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            _unpack(_fetched(cached), cached)
            _run([str(home / "bin" / "kc.sh"), "build", "--db=dev-mem"], 300)
            (home / "complete").touch()
    return home


def _need_tools() -> None:
    lacking = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if not lacking:
        said = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=60, check=True).stderr
        found = re.search(r'version "(\d+)', said)
        if found is None or int(found[1]) < LEAST_JAVA:
            lacking = [f"java {LEAST_JAVA}"]
    if lacking:
        words = f"Keycloak needs {' and '.join(lacking)}, not found on PATH"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)


def _fetched(directory: Path) -> Path:
    archive = directory / f"keycloak-{VERSION}.zip"
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
    _run(["mvn", "-q", "-B", f"{plugin}:get", f"-Dartifact={artifact}", "-Dtransitive=false"], 600)
    _run(
        ["mvn", "-q", "-B", f"{plugin}:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={directory}",
         "-Dmdep.stripClassifier=true", "-Dmdep.overWriteReleases=true"],
        120,
    )  # fmt: skip
    (directory / f"keycloak-quarkus-dist-{VERSION}.zip").replace(archive)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        pytest.fail(f"Keycloak {VERSION} has the checksum {found}, expected {SHA256}")
    return archive


def _unpack(archive: Path, directory: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            packed.extract(member, directory)
            if mode := member.external_attr >> 16 & 0o777:
                (directory / member.filename).chmod(mode)
    archive.unlink()


def _run(command: list[str], seconds: float) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command[:4])} failed: {(done.stdout + done.stderr)[-2000:]}")


def _listening(process: subprocess.Popen[bytes], log: Path) -> str:
    """Its own word on where it listens."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        found = re.search(r"Listening on: (http://127\.0\.0\.1:\d+)", log.read_text(errors="replace"))
        if found is not None:
            return found[1]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    raise AssertionError(f"Keycloak did not start: {log.read_text(errors='replace')[-2000:]}")


def _json(ask: str | urllib.request.Request, data: bytes | None = None) -> Any:
    try:
        with urllib.request.urlopen(ask, data, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        with refused:
            where = ask if isinstance(ask, str) else ask.full_url
            raise AssertionError(f"{where}: {refused.code} {refused.read()[:500]!r}") from None


# --- the realm


def _realm(passwords: Mapping[str, str], secret: str) -> dict[str, Any]:
    groups = sorted({group for held in USERS.values() for group in held} | {"agents"})
    people = [
        {
            "username": user, "enabled": True, "emailVerified": True, "email": f"{user}@example.com",
            "firstName": user, "lastName": "Person", "groups": [f"/{group}" for group in USERS[user]],
            "credentials": [{"type": "password", "value": password, "temporary": False}],
        }
        for user, password in passwords.items()
    ]  # fmt: skip
    robot = {
        "username": f"service-account-{WORKLOAD}",
        "enabled": True,
        "serviceAccountClientId": WORKLOAD,
        "groups": ["/agents"],
    }
    return {
        "realm": REALM, "enabled": True, "sslRequired": "none", "groups": [{"name": group} for group in groups],
        "users": [*people, robot], "accessTokenLifespan": 300, "ssoSessionMaxLifespan": 7200,
        "clients": [
            _oidc_client(CLI, standardFlowEnabled=False, attributes={"oauth2.device.authorization.grant.enabled": "true"}),
            _oidc_client(PORTAL, attributes={"pkce.code.challenge.method": "S256"}),
            _oidc_client(
                WORKLOAD, publicClient=False, standardFlowEnabled=False, serviceAccountsEnabled=True, secret=secret
            ),
        ],
    }  # fmt: skip


def _oidc_client(name: str, **more: Any) -> dict[str, Any]:
    audience = {
        "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": AUDIENCE, "access.token.claim": "true", "id.token.claim": "false"},
    }  # fmt: skip
    groups = {
        "name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-group-membership-mapper",
        "config": {"claim.name": "groups", "full.path": "false", "access.token.claim": "true", "id.token.claim": "true"},
    }  # fmt: skip
    return {
        "clientId": name, "protocol": "openid-connect", "publicClient": True, "redirectUris": [],
        "protocolMappers": [audience, groups], **more,
    }  # fmt: skip


def _saml_client(entity: str, acs: str) -> dict[str, Any]:
    groups = {
        "name": "groups", "protocol": "saml", "protocolMapper": "saml-group-membership-mapper",
        "config": {"attribute.name": "groups", "attribute.nameformat": "Basic", "single": "false", "full.path": "false"},
    }  # fmt: skip
    name = {
        "name": "username", "protocol": "saml", "protocolMapper": "saml-user-property-mapper",
        "config": {"user.attribute": "username", "attribute.name": "username", "attribute.nameformat": "Basic"},
    }  # fmt: skip
    return {
        "clientId": entity, "protocol": "saml", "redirectUris": [acs], "frontchannelLogout": True,
        "protocolMappers": [groups, name],
        "attributes": {
            "saml.assertion.signature": "true", "saml.server.signature": "true", "saml.client.signature": "false",
            "saml.force.post.binding": "true", "saml.authnstatement": "true", "saml.signature.algorithm": "RSA_SHA256",
            "saml_signature_canonicalization_method": "http://www.w3.org/2001/10/xml-exc-c14n#",
            "saml_name_id_format": "persistent", "saml_force_name_id_format": "true",
            "saml_assertion_consumer_url_post": acs,
        },
    }  # fmt: skip
