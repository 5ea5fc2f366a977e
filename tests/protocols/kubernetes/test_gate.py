"""The gate by raw bytes: who is let in, what is refused unread, what an API server can do wrong, and what goes upstream."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hooptui.core.events import Asked, Decided, Finished, Output
from hooptui.core.model import MaskRule
from hooptui.protocols.kubernetes.gate import Limits
from hooptui.protocols.kubernetes.http import Answer
from hooptui.protocols.kubernetes.impersonation import Impersonation
from hooptui.protocols.kubernetes.plug import Plug
from tests.core.world import allow, deny, hold
from tests.protocols.contract import until
from tests.protocols.kubernetes.apiserver import NAMESPACE, ApiServer
from tests.protocols.kubernetes.gatehouse import NAME, TOKEN, Gatehouse, everything, message, open_gate, parsed

PODS = f"{NAMESPACE}/pods"
VALUE = base64.b64encode(b"s3cret-Canary-91").decode()
SECRET = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {"name": "db", "namespace": "prod"},
    "data": {"password": VALUE},
}
SECRETS = MaskRule("secrets", secrets=True)


@pytest.fixture(scope="module")
def house(server: ApiServer) -> Iterator[Gatehouse]:
    server.objects[f"{NAMESPACE}/secrets/db"] = SECRET
    with open_gate(server, masks=(SECRETS,)) as found:
        yield found


@pytest.fixture(scope="module")
def impatient(server: ApiServer) -> Iterator[Gatehouse]:
    """One that waits for nothing. What is not about waiting is asked of the other: a busy machine needs a second for anything."""
    with open_gate(server, masks=(SECRETS,), limits=Limits(head=1.0, body=1.0, answer=1.0, idle=1.0)) as found:
        yield found


def head(*lines: str, first: str = f"GET /clusters/{NAME}{PODS} HTTP/1.1", token: str = TOKEN) -> bytes:
    return "\r\n".join((first, "Host: x", f"Authorization: Bearer {token}", *lines)).encode() + b"\r\n\r\n"


# --- who


@pytest.mark.parametrize(
    ("lines", "code", "says"),
    [
        (("Authorization: Bearer wrong.token.here",), 401, "token is not valid"),
        ((), 401, "no credential"),
        (("Authorization: Basic dXNlcjpwYXNz",), 401, "Bearer"),
        ((f"Authorization: Bearer {TOKEN}", "Impersonate-User: system:admin"), 403, "mpersonat"),
        ((f"Authorization: Bearer {TOKEN}", "Impersonate-Group: system:masters"), 403, "mpersonat"),
    ],
)
def test_who_is_not_let_in(house: Gatehouse, lines: tuple[str, ...], code: int, says: str) -> None:
    before = len(house.server.asked)
    got, headers, body = house.ask("GET", PODS, b"", *lines, token=None)
    assert got == code and says in message(body)
    assert headers["content-type"] == "application/json" and headers["connection"] == "close"
    assert len(house.server.asked) == before


def test_a_token_in_the_query_is_refused_and_not_repeated(house: Gatehouse) -> None:
    code, _, body = house.ask("GET", f"{PODS}?access_token={TOKEN}", token=None)
    assert code in (400, 401) and TOKEN.encode() not in body


@pytest.mark.parametrize("name", ["X-Remote-User: admin", "X-Remote-Group: system:masters", "X-Forwarded-For: 1.2.3.4"])
def test_headers_that_speak_for_others_never_pass(house: Gatehouse, name: str) -> None:
    house.ask("GET", PODS, b"", name)
    assert name.partition(":")[0].lower() not in house.server.asked[-1].headers


def test_the_gateways_credential_goes_up_and_the_clients_does_not(house: Gatehouse) -> None:
    code, _, body = house.ask("GET", PODS, b"", "User-Agent: mine/1", "X-Extra: kept")
    asked = house.server.asked[-1]
    assert code == 200 and [one["metadata"]["name"] for one in json.loads(body)["items"]] == ["web-1", "web-2"]
    assert TOKEN not in json.dumps(asked.headers)
    assert asked.headers["user-agent"] == ["mine/1"] and asked.headers["x-extra"] == ["kept"]
    assert asked.target == PODS


def test_impersonation_is_the_gateways_own_word(server: ApiServer) -> None:
    with open_gate(server, impersonation=Impersonation(prefix="co:")) as house:
        assert house.ask("GET", PODS)[0] == 200
    asked = server.asked[-1]
    assert asked.headers["impersonate-user"] == ["https://idp#bot"] and asked.headers["impersonate-group"] == [
        "co:agents"
    ]


def test_a_cluster_by_its_name_in_tls(house: Gatehouse) -> None:
    raw = house.say(head("Connection: close", first=f"GET {PODS} HTTP/1.1"), sni=f"{NAME}.bastion.example")
    assert parsed(raw)[0] == 200
    assert (
        parsed(house.say(head("Connection: close", first=f"GET {PODS} HTTP/1.1"), sni="other.bastion.example"))[0]
        == 404
    )


def test_one_connection_is_one_session_until_its_credential_changes(house: Gatehouse) -> None:
    before = len(house.door.sessions)
    with house.connect() as sock:
        for token in (TOKEN, TOKEN, "another.one.wrong"):
            sock.sendall(head(token=token))
            code, _, body = parsed(once(sock))
        assert code == 401 and "not valid" in message(body)
    assert len(house.door.sessions) == before + 1
    until(lambda: house.door.leavings[-1][0] == house.door.sessions[-1].id)


def once(sock: ssl.SSLSocket) -> bytes:
    """One answer with a length."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += sock.recv(65536)
    first, _, rest = raw.partition(b"\r\n\r\n")
    length = int(
        next(line.split(b":")[1] for line in first.split(b"\r\n") if line.lower().startswith(b"content-length"))
    )
    while len(rest) < length:
        rest += sock.recv(65536)
    assert len(rest) == length
    return first + b"\r\n\r\n" + rest


# --- bad input

SMUGGLED = [
    b"GET / HTTP/1.1\nHost: x\n\n",
    head("Transfer-Encoding: chunked", "Content-Length: 3", first=f"POST /clusters/{NAME}{PODS} HTTP/1.1") + b"0\r\n\r\n",
    head("X: a", " folded"),
    head("Content-Length: 1", "Content-Length: 2", first=f"POST /clusters/{NAME}{PODS} HTTP/1.1"),
    head(first=f"GET https://other/clusters/{NAME}{PODS} HTTP/1.1"),
    head(first=f"GET /clusters/{NAME}/api/v1/namespaces/default%2fsecrets HTTP/1.1"),
    head(first=f"GET /clusters/{NAME}/api/v1/../v1/namespaces/prod/secrets HTTP/1.1"),
    head(first=f"GET /clusters/{NAME}/api/v1/namespaces/prod;x/pods HTTP/1.1"),
    head("Host: y"),
    head("Transfer-Encoding: gzip, chunked", first=f"POST /clusters/{NAME}{PODS} HTTP/1.1"),
    head(first=f"GET /clusters/{NAME}{PODS} HTTP/1.0"),
    head(first=f"TRACE /clusters/{NAME}{PODS} HTTP/1.1"),
    head("X: " + "a" * 70_000),
    head("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"\r\n\r\n",
    head("Transfer-Encoding: chunked", first=f"POST /clusters/{NAME}{PODS} HTTP/1.1") + b"zz\r\n",
    head(f"Content-Length: {4 * 1024 * 1024}", first=f"POST /clusters/{NAME}{PODS} HTTP/1.1"),
    head("Transfer-Encoding: chunked", first=f"POST /clusters/{NAME}{PODS} HTTP/1.1") + b"400000\r\n" + b"x" * 0x400000,
]  # fmt: skip


@pytest.mark.parametrize("raw", SMUGGLED, ids=range(len(SMUGGLED)))
def test_what_two_parsers_could_read_differently_is_refused(house: Gatehouse, impatient: Gatehouse, raw: bytes) -> None:
    before = len(house.server.asked)
    code, headers, body = parsed(impatient.say(raw))
    assert 400 <= code < 600 and json.loads(body)["kind"] == "Status" and headers["connection"] == "close"
    assert len(house.server.asked) == before
    assert house.ask("GET", PODS)[0] == 200, "others are untouched"


def test_slow_heads_and_bodies_end(impatient: Gatehouse) -> None:
    assert parsed(impatient.say(head()[:-2]))[0] == 408
    half = head("Content-Length: 10", first=f"POST /clusters/{NAME}{PODS} HTTP/1.1") + b"12345"
    assert parsed(impatient.say(half))[0] == 408


def test_no_tls_is_turned_away(house: Gatehouse) -> None:
    with socket.create_connection(("127.0.0.1", house.port), 60) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        sock.settimeout(60)
        try:
            while sock.recv(100):
                pass
        except ConnectionResetError:
            pass
    until(lambda: any(code == "tls-failed" for code, _ in house.door.refusals))


def test_expect_is_answered_and_bodies_come_whole(house: Gatehouse) -> None:
    body = json.dumps({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c1"}}).encode()
    with house.connect() as sock:
        sock.sendall(head(f"Content-Length: {len(body)}", "Expect: 100-continue", "Content-Type: application/json",
                          "Connection: close", first=f"POST /clusters/{NAME}{NAMESPACE}/configmaps HTTP/1.1"))  # fmt: skip
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert parsed(everything(sock))[0] == 201
    assert house.server.asked[-1].body == body
    chunked = head("Transfer-Encoding: chunked", "Content-Type: application/json", "Connection: close",
                   first=f"POST /clusters/{NAME}{NAMESPACE}/configmaps HTTP/1.1")  # fmt: skip
    raw = house.say(chunked + b"%x\r\n%b\r\n3\r\n   \r\n0\r\n\r\n" % (len(body), body))
    assert parsed(raw)[0] == 201 and house.server.asked[-1].body == body + b"   "


def test_requests_one_behind_the_other_are_answered_in_order(house: Gatehouse) -> None:
    raw = house.say(
        head()
        + head(first=f"GET /clusters/{NAME}{PODS}/web-2 HTTP/1.1")
        + head("Connection: close", first=f"HEAD /clusters/{NAME}{PODS}/web-1 HTTP/1.1")
    )
    assert raw.count(b"HTTP/1.1 200") == 3 and raw.index(b'"PodList"') < raw.index(
        b'"web-2"', raw.index(b"HTTP/1.1 200", 20)
    )
    assert raw.endswith(b"\r\n\r\n"), "a HEAD has no body"


# --- the policy


def test_denied_is_a_status_with_rule_and_reason(server: ApiServer) -> None:
    with open_gate(server, lambda _: deny()) as house:
        code, _, body = house.ask("DELETE", f"{PODS}/web-1")
        assert code == 403 and json.loads(body)["reason"] == "Forbidden"
        assert "DDL goes through migrations" in message(body) and "rule no-drop" in message(body)
        assert f"{PODS}/web-1" in server.objects


@pytest.mark.parametrize("approve", [True, False])
def test_a_held_request_waits(server: ApiServer, approve: bool) -> None:
    server.objects[f"{PODS}/held"] = {"kind": "Pod"}
    with open_gate(server, lambda _: hold()) as house, house.connect() as sock:
        sock.sendall(head("Connection: close", first=f"DELETE /clusters/{NAME}{PODS}/held HTTP/1.1"))
        until(house.waiting)
        assert f"{PODS}/held" in server.objects
        house.vote(approve, "" if approve else "not today")
        code, _, body = parsed(everything(sock))
    assert (code, f"{PODS}/held" in server.objects) == ((200, False) if approve else (403, True))
    assert approve or "not today" in message(body)


def test_a_client_that_leaves_while_held_withdraws(server: ApiServer) -> None:
    with open_gate(server, lambda _: hold()) as house:
        sock = house.connect()
        sock.sendall(head(first=f"DELETE /clusters/{NAME}{PODS}/web-1 HTTP/1.1"))
        until(house.waiting)
        sock.close()
        until(lambda: not house.waiting())
        assert [one.why for one in house.book.bodies(Decided)] == ["withdrawn"]
        until(lambda: house.on_loop(lambda: house.gate.connections) == 0)
    assert f"{PODS}/web-1" in server.objects


def test_a_kill_while_held_and_while_running(server: ApiServer) -> None:
    with open_gate(server, lambda asked: hold() if asked.verb == "delete" else allow()) as house:
        with house.connect() as sock:
            sock.sendall(head(first=f"DELETE /clusters/{NAME}{PODS}/web-1 HTTP/1.1"))
            until(house.waiting)
            done = house.call(house.door.sessions[-1].kill("ops-1", "enough"))
            code, _, body = parsed(everything(sock))
            assert done.confirmed and code == 403 and "terminated by ops-1: enough" in message(body)
            assert [one.why for one in house.book.bodies(Decided)] == ["killed"]
        with house.connect() as sock:
            sock.sendall(head(first=f"GET /clusters/{NAME}{PODS}?watch=1 HTTP/1.1"))
            until(lambda: server.streams == 1)
            server.event({"kind": "Pod", "metadata": {"name": "seen"}})
            got = b""
            while b'"seen"' not in got:
                got += sock.recv(4096)
            done = house.call(house.door.sessions[-1].kill("ops-1", "enough"))
            got += everything(sock)
            assert done.confirmed and "closed" in done.how
            events = [json.loads(line) for line in parsed(got)[2].splitlines()]
            assert [one["type"] for one in events] == ["MODIFIED", "ERROR"] and "enough" in events[1]["object"][
                "message"
            ]
            until(lambda: server.streams == 0)


def test_a_kill_of_a_write_that_was_sent_does_not_claim_that_it_did_nothing(server: ApiServer) -> None:
    server.misbehave[f"{PODS}/web-1"] = hangs
    try:
        with open_gate(server, lambda _: allow()) as house, house.connect() as sock:
            before = len(server.asked)
            sock.sendall(head(first=f"DELETE /clusters/{NAME}{PODS}/web-1 HTTP/1.1"))
            until(lambda: len(server.asked) > before)
            done = house.call(house.door.sessions[-1].kill("ops-1", "enough"))
            code, _, body = parsed(everything(sock))
            assert not done.confirmed and "whether it took effect cannot be seen" in done.how
            assert code == 403 and "enough" in message(body)
            assert [one.tag for one in house.book.bodies(Finished)] == ["cut"]
    finally:
        server.misbehave.clear()


# --- answers


def test_a_secret_is_masked_and_the_client_told(house: Gatehouse) -> None:
    code, headers, body = house.ask(
        "GET", f"{NAMESPACE}/secrets/db", b"", "Accept: application/vnd.kubernetes.protobuf, */*"
    )
    assert code == 200 and VALUE.encode() not in body and json.loads(body)["metadata"]["name"] == "db"
    assert "hooptui masked 1 values (secrets)" in headers["warning"]
    assert house.server.asked[-1].headers["accept"] == ["application/json"]
    assert house.server.asked[-1].headers["accept-encoding"] == ["identity"]
    finished = until(lambda: [one for one in house.book.bodies(Finished) if one.masked])
    assert finished[-1].masks == ("secrets",)
    assert all(VALUE not in one.text for one in house.book.bodies(Output))


def test_what_was_masked_is_not_written_back(house: Gatehouse) -> None:
    _, _, body = house.ask("GET", f"{NAMESPACE}/secrets/db")
    before = len(house.server.asked)
    code, _, answer = house.ask("PUT", f"{NAMESPACE}/secrets/db", body, "Content-Type: application/json")
    assert code == 403 and "masked when you read it" in message(answer) and len(house.server.asked) == before


def test_secrets_are_masked_in_the_recording_of_a_write_without_any_mask(server: ApiServer) -> None:
    with open_gate(server) as house:
        new = {**SECRET, "metadata": {"name": "fresh", "namespace": "prod"}}
        assert (
            house.ask("POST", f"{NAMESPACE}/secrets", json.dumps(new).encode(), "Content-Type: application/json")[0]
            == 201
        )
        assert json.loads(server.asked[-1].body)["data"]["password"] == VALUE, "the write itself is as it was sent"
        said = house.book.bodies(Output)
        assert [one.stream for one in said] == ["request"] and VALUE not in said[0].text and "fresh" in said[0].text


@pytest.mark.parametrize(
    "path", [f"{NAMESPACE}/secrets", f"{NAMESPACE}/secrets/db", f"{NAMESPACE}/serviceaccounts/bot/token"]
)
def test_credentials_are_in_no_recording_even_where_nothing_is_masked(server: ApiServer, path: str) -> None:
    server.objects[f"{NAMESPACE}/secrets/db"] = server.objects[f"{NAMESPACE}/serviceaccounts/bot/token"] = SECRET
    with open_gate(server) as house:
        code, _, body = house.ask("GET", path)
        assert code == 200 and VALUE.encode() in body, "the policy lets them see it"
        assert house.ask("GET", f"{PODS}/web-1")[0] == 200
        assert [one.stream for one in house.book.bodies(Output)] == ["response"], "of the pod alone"
        assert all(VALUE not in one.text for one in house.book.bodies(Output))


def test_a_watch_is_flushed_event_by_event_and_ends_with_its_client(house: Gatehouse, server: ApiServer) -> None:
    with house.connect() as sock:
        sock.sendall(head(first=f"GET /clusters/{NAME}{PODS}?watch=1 HTTP/1.1"))
        until(lambda: server.streams == 1)
        got = b""
        for number in range(3):
            server.event({"kind": "Pod", "metadata": {"name": f"n{number}"}})
            while f'"n{number}"'.encode() not in got:
                got += sock.recv(4096)
    until(lambda: server.streams == 0)


# --- an API server that does wrong


async def hangs(plug: Plug, answer: Answer) -> None:
    await plug.lost()


async def junk(plug: Plug, answer: Answer) -> None:
    plug.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n")


async def closes(plug: Plug, answer: Answer) -> None:
    plug.close()


async def half(plug: Plug, answer: Answer) -> None:
    answer.start(200, "OK", [("Content-Type", "application/json")], 5000)
    answer.data(b'{"kind":"PodList",')
    plug.close()


async def half_streamed(plug: Plug, answer: Answer) -> None:
    answer.start(200, "OK", [("Content-Type", "application/json")], None)
    answer.data(b'{"kind":"PodList","items":[{"kind":"Pod"}')
    plug.close()


async def no_json(plug: Plug, answer: Answer) -> None:
    answer.start(200, "OK", [("Content-Type", "application/yaml")], 20)
    answer.data(b"password: s3cret-Can")


async def broken_json(plug: Plug, answer: Answer) -> None:
    answer.start(200, "OK", [("Content-Type", "application/json")], 20)
    answer.data(b'{"password":"s3cret-')


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        (junk, 502, "makes no sense"),
        (closes, 502, "closed the connection"),
        (half, 502, ""),
        (no_json, 406, "cannot be masked"),
        (broken_json, 406, "cannot be masked"),
    ],
)
def test_an_api_server_that_does_wrong(
    house: Gatehouse, server: ApiServer, wrong: object, code: int, says: str
) -> None:
    server.misbehave["/api/v1/namespaces/prod/configmaps"] = wrong  # type: ignore[assignment]
    try:
        got, _, body = house.ask("GET", f"{NAMESPACE}/configmaps")
    finally:
        server.misbehave.clear()
    assert got == code and says in message(body) and b"s3cret" not in body
    assert house.ask("GET", PODS)[0] == 200


def test_an_api_server_that_hangs(impatient: Gatehouse, server: ApiServer) -> None:
    server.misbehave["/api/v1/namespaces/prod/configmaps"] = hangs
    try:
        got, _, body = impatient.ask("GET", f"{NAMESPACE}/configmaps")
    finally:
        server.misbehave.clear()
    assert got == 504 and "does not answer" in message(body)


def test_a_write_whose_connection_is_lost_is_not_sent_twice(house: Gatehouse, server: ApiServer) -> None:
    """aiohttp would, on a connection that it has used before; one permit moves one operation."""
    assert house.ask("GET", PODS)[0] == 200
    server.misbehave[f"{PODS}/web-1"] = closes
    before = len(server.asked)
    try:
        code, _, body = house.ask("DELETE", f"{PODS}/web-1")
        assert code == 502 and "closed the connection" in message(body)
        assert [one.method for one in server.asked[before:]] == ["DELETE"]
    finally:
        server.misbehave.clear()


def test_who_says_nothing_does_not_stay(impatient: Gatehouse) -> None:
    assert impatient.say(b"") == b""


def test_an_answer_without_its_end_has_none_for_the_client_either(house: Gatehouse, server: ApiServer) -> None:
    server.misbehave["/api/v1/namespaces/prod/configmaps"] = half_streamed
    try:
        raw = house.say(head(first=f"GET /clusters/{NAME}{NAMESPACE}/configmaps HTTP/1.1"))
    finally:
        server.misbehave.clear()
    assert raw.startswith(b"HTTP/1.1 200") and not raw.endswith(b"0\r\n\r\n")


def test_the_gateways_refused_credential_is_not_the_clients_fault(server: ApiServer) -> None:
    with open_gate(server) as house:
        house.login.token = "old"
        code, _, body = house.ask("GET", PODS)
        assert code == 502 and "refuses the gateway" in message(body)
        assert [one[1] for one in house.door.troubles] == ["upstream-credential"]
        running = house.run(house.kubectl("exec", "web-1", "--", "true"))
        assert running.returncode == 1 and b"refuses the gateway" in running.stderr


def test_a_server_that_is_down_says_which_side(server: ApiServer) -> None:
    with open_gate(server) as house:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            house.login._server = replace(house.login._server, port=one.getsockname()[1])
            code, _, body = house.ask("GET", PODS)
        assert code == 502 and 'cluster "prod-eu"' in message(body) and "cannot be reached" in message(body)


def test_the_journal_has_each_request_in_words(house: Gatehouse) -> None:
    assert house.ask("GET", f"{PODS}/web-1")[0] == 200
    assert house.book.bodies(Asked)[-1].text == "get pods/web-1 -n prod"
