"""Heads of requests: what could be read in two ways is refused, and what is rebuilt is the only reading."""

from __future__ import annotations

from urllib.parse import quote

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.protocols.kubernetes.request import Request
from hooptui.protocols.kubernetes.wire import MAX_HEAD, Malformed, read_head, split_head
from tests.protocols.kubernetes.asking import TOKEN, head, raw, request

WS = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
EXEC = "GET /api/v1/namespaces/x/pods/p/exec?command=ls"


def refused(line: str, *headers: str, status: int = 400) -> str:
    with pytest.raises(Malformed) as caught:
        head(line, *headers)
    assert caught.value.status == status, caught.value.reason
    return caught.value.reason


class TestPath:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/namespaces/default%2fsecrets", "/api/v1/namespaces/default%2Fsecrets", "/api/v1/namespaces/a%5cb", "/api/v1/a%25b",
            "/api/v1/a%00b", "/api/v1/a%0ab", "/api/v1/a%0d", "/api/v1/a%7f", "/api/v1/a;b", "/api/v1/a%3bb", "/api/v1//pods", "//api/v1",
            "/api/v1/./pods", "/api/v1/x/../secrets", "/api/v1/%2e%2e/secrets", "/api/v1/%2e/pods", "/api/v1/pods//", "/api/v1/a\\b",
            "/api/v1/a%", "/api/v1/a%4", "/api/v1/a%zz", "/api/v1/%ff", "/api/v1/%c0%af", "/api/v1/a#b", "/api/v1/a<b", '/api/v1/a"b',
            "/api/v1/a|b", "/api/v1/a^b", "/api/v1/{a}", "/api/v1/a`b", "/api/v1/é", "/api/v1/pods?a?b", "/api/v1/pods?a=%zz",
            "/api/v1/pods?a=%ff", "/api/v1/pods?a;b", "/api/v1/pods?a%00=b", "/api/v1/%252e%252e/x", "/api/v1/%c2%85",
        ],
    )  # fmt: skip
    def test_what_two_parsers_read_differently(self, path: str) -> None:
        refused(f"GET {path}")

    @pytest.mark.parametrize(
        "target",
        [
            b"http://bastion/clusters/prod/api",
            b"bastion:6443",
            b"*",
            b"",
            b"clusters/prod/api",
            b"https:/clusters/prod/api",
            b"\\clusters\\prod",
        ],
    )
    def test_only_origin_form(self, target: bytes) -> None:
        with pytest.raises(Malformed, match="origin form"):
            read_head(b"GET", target, [(b"host", b"x")])

    @pytest.mark.parametrize(
        ("path", "rebuilt"),
        [
            ("/api/v1/namespaces/%73ecrets", "/api/v1/namespaces/secrets"),
            ("/api/v1/pods/", "/api/v1/pods"),
            ("/", "/"),
            ("", "/"),
            ("/api/v1/pods?watch&a=b%20c+d&&x=%C3%A9", "/api/v1/pods?watch=&a=b%20c%20d&x=%C3%A9"),
            ("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node%3Ax", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node:x"),
            ("/api/v1/namespaces/x/services/http:w:80/proxy/", "/api/v1/namespaces/x/services/http:w:80/proxy/"),
            ("/api/v1/pods?fieldSelector=metadata.name%3Da%26b", "/api/v1/pods?fieldSelector=metadata.name%3Da%26b"),
            ("/api/v1/pods?a=%2f..%2f", "/api/v1/pods?a=/../"),
        ],
    )  # fmt: skip
    def test_what_is_forwarded_is_written_in_one_way(self, path: str, rebuilt: str) -> None:
        assert request(f"GET {path}").target() == rebuilt

    @pytest.mark.parametrize(
        "target",
        [b"/api/v1", b"/clusters", b"/clusters/", b"/clusters/..", b"/Clusters/prod/api", b"/clusters/a%20b/api"],
    )
    def test_a_cluster_must_be_named(self, target: bytes) -> None:
        with pytest.raises(Malformed) as caught:
            read_head(b"GET", target, [(b"host", b"x")])
        assert caught.value.status in (400, 404)

    def test_or_is_known_from_the_connection(self) -> None:
        found = read_head(b"GET", b"/clusters/other/api", [(b"host", b"x")], by_path=False)
        assert (found.cluster, found.request.segments) == ("", ("clusters", "other", "api"))
        assert head("GET /api").cluster == "prod"

    @pytest.mark.parametrize(
        "name", ["access_token", "token", "ACCESS_TOKEN", "access-token", "id_token", "%74oken", "authorization"]
    )
    def test_no_credential_in_the_query(self, name: str) -> None:
        reason = refused(f"GET /api/v1/pods?{name}=abc.def")
        assert "abc" not in reason and "credential" in reason

    @pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "get", "WATCH", "PROPFIND", "GETX", "Get"])
    def test_unknown_methods(self, method: str) -> None:
        refused(f"{method} /api", status=405)

    def test_bounds(self) -> None:
        refused("GET /" + "a" * 20_000, status=414)
        refused("GET " + "/a" * 100, status=414)
        refused("GET /api?" + "&".join(["a=b"] * 300), status=414)


class TestHeaders:
    @pytest.mark.parametrize(
        "headers",
        [
            ("Content-Length: 3", "Transfer-Encoding: chunked"), ("Content-Length: 3", "Content-Length: 3"), ("Content-Length: 3, 3",),
            ("Content-Length: +3",), ("Content-Length: 0x3",), ("Content-Length: -1",), ("Content-Length: ",), ("Content-Length: 3 ", "Content_Length: 4"),
            ("Content_Length: 3",), ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), ("Host: other",), ("Authorization: Bearer x",),
            ("Content-Type: a/b", "Content-Type: c/d"), ("Content-Type: a/b", "Content_Type: c/d"), ("Connection: Content-Type",),
            ("Connection: close, authorization",), ("Accept: a/b", "Accept: c/d"), ("Bad Name: x",), ("X-(y): x",),
            ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"), ("Upgrade: websocket",), ("Connection: Upgrade",), ("X: a\x0bb",), ("X: \x7f",),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",),
        ],
    )  # fmt: skip
    def test_smuggling_and_nonsense(self, headers: tuple[str, ...]) -> None:
        refused("POST /api/v1/namespaces/x/pods", *headers)

    @pytest.mark.parametrize(
        "coding", ["gzip", "chunked, chunked", "identity", "gzip, chunked", "xchunked", "\x01chunked"]
    )
    def test_other_codings(self, coding: str) -> None:
        refused(
            "POST /api/v1/namespaces/x/pods", f"Transfer-Encoding: {coding}", status=400 if coding[0] == "\x01" else 501
        )

    @pytest.mark.parametrize("line", ["GET /api", "HEAD /api"])
    def test_no_body_where_none_belongs(self, line: str) -> None:
        refused(line, "Content-Length: 1")
        refused(line, "Transfer-Encoding: chunked")
        assert request(line, "Content-Length: 0").has_body is False

    def test_statuses(self) -> None:
        refused("POST /api", "Content-Encoding: gzip", status=415)
        refused("POST /api", "Expect: 200-maybe", status=417)
        refused("GET /api", *(f"X-{at}: y" for at in range(120)), status=431)
        refused("GET /api", "X: " + "y" * 40_000, status=431)

    @pytest.mark.parametrize(
        "value",
        [
            "Basic YTpi",
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "bearer a,b",
            "Bearer a\tb",
            "Bearer é",
            "Token x",
            "Bearer a=b",
        ],
    )
    def test_one_kind_of_credential(self, value: str) -> None:
        with pytest.raises(Malformed) as caught:
            read_head(b"GET", b"/clusters/p/api", [(b"host", b"x"), (b"authorization", value.encode("latin-1"))])
        assert caught.value.status in (400, 401)

    def test_the_credential_is_taken_out(self) -> None:
        found = head("GET /api")
        assert found.bearer is not None and found.bearer.reveal() == TOKEN.split()[1]
        assert "abc" not in repr(found)
        none = read_head(b"GET", b"/clusters/p/api", [(b"host", b"x")])
        assert none.bearer is None

    @pytest.mark.parametrize(
        "name",
        ["Impersonate-User", "impersonate-group", "Impersonate_User", "Impersonate-Extra-scopes", "IMPERSONATE-UID"],
    )
    def test_nobody_says_who_he_is(self, name: str) -> None:
        refused("GET /api", f"{name}: system:admin", status=403)

    @pytest.mark.parametrize(
        "name",
        [
            "X-Remote-User", "X_Remote_User", "X-Remote-Group", "X-Remote-Extra-a", "X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "Keep-Alive",
            "TE", "Trailer", "Proxy-Authorization", "Proxy-Connection", "X-HTTP-Method-Override", "X-Original-URL", "HTTP2-Settings",
        ],
    )  # fmt: skip
    def test_what_is_this_connections_or_speaks_for_others_goes_no_further(self, name: str) -> None:
        found = request("GET /api", f"{name}: x", "X-Kept: y", "User-Agent: kubectl")
        assert found.headers == (("x-kept", "y"), ("user-agent", "kubectl"))


class TestUpgrade:
    def test_websocket(self) -> None:
        found = request(EXEC, *WS, "Sec-WebSocket-Protocol: v5.channel.k8s.io, v4.channel.k8s.io", "Origin: x")
        assert (found.upgrade, found.subprotocols, found.key) == (
            "websocket", ("v5.channel.k8s.io", "v4.channel.k8s.io"), "dGhlIHNhbXBsZSBub25jZQ==",
        )  # fmt: skip
        assert found.headers == (("origin", "x"),)

    @pytest.mark.parametrize("part", ["exec", "attach", "portforward"])
    def test_spdy(self, part: str) -> None:
        found = request(
            f"POST /api/v1/namespaces/x/pods/p/{part}?command=ls", "Connection: Upgrade", "Upgrade: SPDY/3.1", "Content-Length: 0",
            "X-Stream-Protocol-Version: v4.channel.k8s.io", "X-Stream-Protocol-Version: v3.channel.k8s.io",
        )  # fmt: skip
        assert (found.upgrade, found.subprotocols) == ("spdy", ("v4.channel.k8s.io", "v3.channel.k8s.io"))

    @pytest.mark.parametrize(
        "line",
        [
            "GET /api/v1/namespaces/x/secrets?watch=1", "GET /api/v1/secrets?watch=1", "GET /api/v1/namespaces/x/pods/p/log?follow=1", "GET /version",
            "GET /api/v1/namespaces/x/pods/p/proxy/exec", "GET /api/v1/namespaces/x/services/s/proxy/exec", "GET /api/v1/nodes/n/proxy/exec/x/p/c",
            "GET /apis/x.io/v1/namespaces/x/pods/p/exec", "GET /api/v1/namespaces/exec/pods/p", "GET /api/v1/watch/namespaces/x/secrets",
            "GET /api/v1/proxy/namespaces/x/pods/p/exec", "GET /api/v1/namespaces/x/pods/exec",
        ],
    )  # fmt: skip
    def test_nowhere_else(self, line: str) -> None:
        assert "alone" in refused(line, *WS)

    @pytest.mark.parametrize(
        "protocol",
        ["base64url.bearer.authorization.k8s.io.YWJj", "v5.channel.k8s.io,Base64url.Bearer.authorization.k8s.io.YWJj"],
    )
    def test_no_credential_in_a_subprotocol(self, protocol: str) -> None:
        assert "YWJj" not in refused(EXEC, *WS, f"Sec-WebSocket-Protocol: {protocol}", status=401)
        refused(
            EXEC, *WS, "Sec-WebSocket-Protocol: v5.channel.k8s.io", f"Sec-WebSocket-Protocol: {protocol}", status=401
        )

    @pytest.mark.parametrize(
        "headers",
        [
            WS[:3], (*WS[:2], "Sec-WebSocket-Version: 12", WS[3]), (*WS[:3], "Sec-WebSocket-Key: short"), (*WS, "Sec-WebSocket-Protocol: a b"),
            (*WS[1:], "Connection: close"), (*WS, "Content-Length: 4"), ("Connection: Upgrade", "Upgrade: SPDY/2"),
            ("Connection: Upgrade", "Upgrade: websocket, SPDY/3.1"),
        ],
    )  # fmt: skip
    def test_a_handshake_is_whole(self, headers: tuple[str, ...]) -> None:
        refused(EXEC, *headers)

    @pytest.mark.parametrize("body", ["Content-Length: 3", "Transfer-Encoding: chunked"])
    def test_and_has_no_body(self, body: str) -> None:
        refused("POST /api/v1/namespaces/x/pods/p/attach", "Connection: Upgrade", "Upgrade: SPDY/3.1", body)

    def test_a_websocket_is_a_get(self) -> None:
        refused("POST /api/v1/namespaces/x/pods/p/exec?command=ls", *WS)


class TestRaw:
    @pytest.mark.parametrize(
        "bad",
        [
            b"GET /x HTTP/1.1\nHost: a\n\n", b"GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            b"GET /x HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: a\r\n\tX: y\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n", b"GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /x  HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /x HTTP/1.1 \r\nHost: a\r\n\r\n", b"GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /x\r\nHost: a\r\n\r\n", b"\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /x HTTP/1.1\r\nHost a\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: a\0\r\n\r\n",
            b"GET /x HTTP/1.1\r\nHost: a\r\n", b"", b"\r\n\r\n",
        ],
    )  # fmt: skip
    def test_to_the_letter(self, bad: bytes) -> None:
        with pytest.raises(Malformed):
            split_head(bad)

    @pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/2", b"HTTP/1.1x", b"http/1.1", b"HTTP/0.9"])
    def test_one_version(self, version: bytes) -> None:
        with pytest.raises(Malformed) as caught:
            split_head(b"GET /x " + version + b"\r\nHost: a\r\n\r\n")
        assert caught.value.status == 505

    @pytest.mark.parametrize("line", ["Host : a", "Host\t: a", ": a", " Host: a"])
    def test_blanks_around_a_name(self, line: str) -> None:
        with pytest.raises(Malformed):
            read_head(*split_head(f"GET /clusters/p/api HTTP/1.1\r\n{line}\r\n\r\n".encode()))

    def test_a_head_has_an_end(self) -> None:
        with pytest.raises(Malformed) as caught:
            split_head(b"GET /" + b"a" * MAX_HEAD + b" HTTP/1.1\r\n\r\n")
        assert caught.value.status == 431

    @given(st.binary(max_size=200))
    def test_anything_is_a_head_or_refused(self, data: bytes) -> None:
        try:
            found = read_head(*split_head(b"GET /clusters/p/" + data + b" HTTP/1.1\r\nHost: a\r\n\r\n"))
        except Malformed:
            return
        assert isinstance(found.request, Request)

    @given(
        st.lists(
            st.sampled_from(
                [b"Host: a", b"X: y", b" fold", b"Content-Length: 3", b"\n", b"\r", b":", b"Accept: */*", b"x"]
            ),
            max_size=6,
        )
    )
    def test_what_is_clean_h11_reads_alike(self, lines: list[bytes]) -> None:
        data = b"GET /x HTTP/1.1\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
        try:
            method, target, headers = split_head(data)
            read_head(b"POST", b"/clusters/p/api", headers)
        except Malformed:
            return
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(data)
        event = connection.next_event()
        assert isinstance(event, h11.Request)
        assert (event.method, event.target) == (method, target)
        assert list(event.headers) == [(name.lower(), value) for name, value in headers]


TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\%;", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12
)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@given(
    st.lists(TEXT.filter(lambda one: one not in (".", "..")), max_size=6),
    st.lists(st.tuples(NAMES.filter(lambda one: one and "token" not in one.lower()), NAMES), max_size=5),
)
def test_what_is_rebuilt_is_the_same_request_again(segments: list[str], query: list[tuple[str, str]]) -> None:
    """However a client has encoded it."""
    path = "".join(f"/{quote(one, safe='')}" for one in segments)
    pairs = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in query)
    target = f"/clusters/p{path}?{pairs}".encode()
    try:
        first = read_head(b"GET", target, [(b"host", b"x")]).request
    except Malformed as wrong:
        assert "credential" in wrong.reason
        return
    assert (first.segments, first.query) == (tuple(segments), tuple(query))
    again = read_head(b"GET", first.target().encode(), [(b"host", b"x")], by_path=False).request
    assert (again.segments, again.query, again.slash) == (first.segments, first.query, first.slash)
    assert again.target() == first.target()


def test_a_real_kubectl_is_read() -> None:
    found = read_head(*split_head(raw("GET /api/v1/namespaces/x/pods?limit=500", "User-Agent: kubectl/v1.32.4", "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Accept-Encoding: gzip", "Kubectl-Command: kubectl get", "Kubectl-Session: 1234"))).request  # fmt: skip
    assert found.header("kubectl-command") == "kubectl get"
    assert found.target() == "/api/v1/namespaces/x/pods?limit=500"
