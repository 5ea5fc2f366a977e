"""Secrets in Vault, by hvac against an HTTPS server that speaks its API and can misbehave in every way."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hooptui.credentials import certificates, vault
from hooptui.credentials.static import (
    CredentialTrouble,
    EnvReference,
    FileReference,
    VaultReference,
    reference,
    resolve,
)

TOKEN, SECRET = "hvs.the-gateway-s-own-token", "the-password-in-vault"

Answer = Callable[[BaseHTTPRequestHandler], None]


def says(status: int, body: object, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


class Impostor:
    """A server for one path of a KV engine, version 2."""

    def __init__(self, home: Path) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: Answer | None = None
        self.values: object = {"password": SECRET, "port": 5432}
        made = certificates.ensure(home / "tls", ("127.0.0.1",), now=time.time())
        self.ca = made.ca
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("X-Vault-Token", "")))
                (outer.answer or outer._usual())(self)

            def log_message(self, *_: object) -> None:
                return

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate, made.key)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up are meant to
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def _usual(self) -> Answer:
        if self.asked[-1] == ("/v1/kv/team/data/orders/db", TOKEN):
            return says(
                200,
                {"data": {"data": self.values, "metadata": {"version": 3, "deletion_time": "", "destroyed": False}}},
            )
        return says(403 if self.asked[-1][1] != TOKEN else 404, {"errors": [f"permission denied {SECRET}"]})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(60)


@pytest.fixture(scope="module")
def impostor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Impostor]:
    made = Impostor(tmp_path_factory.mktemp("vault"))
    yield made
    made.close()


@pytest.fixture
def where(impostor: Impostor, tmp_path: Path) -> VaultReference:
    impostor.answer, impostor.values = None, {"password": SECRET, "port": 5432}
    impostor.asked.clear()
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    return VaultReference(impostor.address, "kv/team", "orders/db", "password", FileReference(token), impostor.ca)


def trouble(where: VaultReference) -> str:
    with pytest.raises(CredentialTrouble) as caught:
        resolve(where)
    assert SECRET not in str(caught.value) and TOKEN not in str(caught.value)
    return str(caught.value)


def but(where: VaultReference, **changes: object) -> VaultReference:
    fields = {name: getattr(where, name) for name in VaultReference.__slots__}
    return VaultReference(**{**fields, **changes})  # type: ignore[arg-type]  # names of its fields


def test_the_value_is_fetched_with_the_token_each_time(impostor: Impostor, where: VaultReference) -> None:
    assert resolve(where).reveal() == SECRET
    assert impostor.asked == [("/v1/kv/team/data/orders/db", TOKEN)]
    impostor.values = {"password": "rotated"}
    assert resolve(where).reveal() == "rotated"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says(403, {"errors": ["permission denied"]}), "may not read it, or has expired"),
        (says(401, {"errors": []}), "may not read it, or has expired"),
        (says(404, {"errors": []}), "there is no such secret"),
        (says(503, {"errors": ["Vault is sealed"]}), "sealed or in maintenance"),
        (says(500, {"errors": [SECRET]}), "InternalServerError"),
        (says(200, {"data": {"password": SECRET}}), "not one of a KV engine of version 2"),
        (says(200, [SECRET]), "not one of a KV engine of version 2"),
        (says(200, {"data": {"data": None}}), "has no such key"),
        (says(200, {"data": {"data": {"password": [SECRET]}}}), "not a text"),
        (says(200, {"data": {"data": {"password": ""}}}), "is empty"),
        (says(200, {"data": {"data": {"password": f"{SECRET}\nmore"}}}), "more than one line"),
        (says(200, b"<html>" + SECRET.encode(), Content_Type="text/html"), "not one of a KV engine of version 2"),
        (says(200, b"{" + b" " * vault.ANSWER_MAX + b"}"), "cannot be reached"),
    ],
)
def test_every_bad_answer_has_its_words(impostor: Impostor, where: VaultReference, answer: Answer, words: str) -> None:
    impostor.answer = answer
    assert words in (said := trouble(where))
    assert f"vault {impostor.address}, secret kv/team/orders/db, key password" in said


def test_a_redirect_does_not_get_the_token(impostor: Impostor, where: VaultReference) -> None:
    impostor.answer = says(307, {}, Location=f"{impostor.address}/v1/elsewhere")
    assert "cannot be reached (TooManyRedirects)" in trouble(where)
    assert len(impostor.asked) == 1


def test_a_server_that_drips_is_given_up(
    impostor: Impostor, where: VaultReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "TIMEOUT", 0.6)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.1)

    impostor.answer = drip
    began = time.monotonic()
    assert "no answer within 0.6 s" in trouble(where)
    assert time.monotonic() - began < 30


def test_who_it_is_talking_to_is_checked(
    impostor: Impostor, where: VaultReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's own trust and proxies are none of the configuration's."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(impostor.ca))
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "1")
    monkeypatch.setenv("VAULT_CACERT", str(impostor.ca))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert "certificate is not trusted" in trouble(but(where, ca_file=None))
    assert impostor.asked == []
    assert resolve(where).reveal() == SECRET
    assert (
        "127.0.0.1:1, secret" in (said := trouble(but(where, address="https://127.0.0.1:1")))
        and "cannot be reached" in said
    )
    assert "nothing.pem" in trouble(but(where, ca_file=Path("/nothing.pem")))


def test_a_token_that_cannot_be_had_is_named(where: VaultReference) -> None:
    assert "NOT_SET_ANYWHERE is not set" in trouble(but(where, token=EnvReference("NOT_SET_ANYWHERE")))


def test_without_the_extra_it_says_what_to_install(where: VaultReference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hvac", None)
    assert "pip install 'hooptui[vault]'" in trouble(where)


def test_nobody_else_loads_the_library() -> None:
    code = "import sys, hooptui.credentials.static; sys.exit('hvac' in sys.modules or 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


GOOD = {
    "address": "https://vault.example:8200/",
    "path": "orders/db",
    "key": "password",
    "token": {"file": "vault.token"},
}


def test_a_reference_is_read_from_a_configuration() -> None:
    found = reference({"vault": {**GOOD, "mount": "kv", "ca_file": "ca.pem"}}, Path("/etc/hooptui"))
    token = FileReference(Path("/etc/hooptui/vault.token"))
    assert found == VaultReference(
        "https://vault.example:8200", "kv", "orders/db", "password", token, Path("/etc/hooptui/ca.pem")
    )
    assert reference({"vault": {**GOOD, "address": "http://127.0.0.1:8200"}}, Path("/etc")).mount == "secret"  # type: ignore[union-attr]  # a VaultReference


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"address": "http://vault.example"}, "vault.address: expected https"),
        ({"address": "https://user:pw@vault.example"}, "vault.address"),
        ({"address": "https://vault.example/v1/secret"}, "vault.address"),
        ({"address": "https://vault.example:x"}, "vault.address"),
        ({"address": "vault.example"}, "vault.address"),
        ({"path": "/orders"}, "vault.path"),
        ({"path": "orders/../admin"}, "vault.path"),
        ({"path": "a?version=1"}, "vault.path"),
        ({"mount": "kv//x"}, "vault.mount"),
        ({"key": ""}, "vault.key is not a plain text"),
        ({"token": "hvs.in-the-clear"}, "vault.token: expected a reference"),
        ({"token": {"vault": GOOD}}, "vault.token"),
        ({"token": {"env": "a b"}}, "env is not the name"),
        ({"colour": "red"}, "found other members"),
    ],
)
def test_a_wrong_reference_says_what_is_expected(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=r"expected|is not") as caught:
        reference({"vault": {**GOOD, **changes}}, Path("/etc"))
    assert words in str(caught.value) and "hvs.in-the-clear" not in str(caught.value)
    with pytest.raises(ValueError, match="found other members"):
        reference({"vault": {"address": "https://x", "path": "a", "key": "k"}}, Path("/etc"))
