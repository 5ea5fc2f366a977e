"""`hooptui login` against a portal over real HTTPS: the device flow's words and waiting, tokens, and what is kept."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hooptui.credentials import certificates
from hooptui.errors import UserError
from hooptui.login.gateway import Refused

from .conftest import Home
from .double import DEVICE, NEVER, Double, pending


def test_a_person_is_told_what_to_do_and_is_logged_in(home: Home, portal: Double) -> None:
    portal.answers["/v1/device/token"] = [pending("authorization_pending")] * 3 + [(200, portal.lease())]
    assert home.login("--purpose", "INC-812") == 0
    said = home.words
    assert f"    {portal.url}/device?user_code=BCDF-GHJK\n" in said
    assert "To log in to prod-eu, open this page" in said
    assert "show the code BCDF-GHJK" in said and "(10 minutes). Ctrl-C gives up." in said
    assert "Logged in to prod-eu as ops-1, until" in said and "(1 hour)" in said
    assert home.slept == [5.0] * 4
    assert portal.forms("/v1/device") == [{"purpose": "INC-812"}]
    assert portal.forms("/v1/device/token")[0] == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "dc-1",
    }  # fmt: skip
    assert home.kept.lease == "hl_bbbbbbbbbbbb" and home.kept.secret.reveal() == f"hl_bbbbbbbbbbbb.{NEVER}"
    assert home.kept.expires_at == home.clock.now() + 3_600
    assert NEVER not in said and home.paper.answered.getvalue() == ""


def test_what_is_kept_is_readable_by_its_owner_alone(home: Home) -> None:
    before = os.umask(0)
    try:
        home.login()
    finally:
        os.umask(before)
    directory = home.path / ".local/state/hooptui" / home.portal.url.removeprefix("https://").replace(":", "@")
    assert home.place.directory == directory
    assert directory.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert modes == {"login.json": 0o600, "portal-ca.crt": 0o644, "ca.crt": 0o644, "pgpass": 0o600}
    assert not [path for path in home.path.iterdir() if path.name != ".local"], "nothing else in the home is touched"


def test_xdg_state_home_counts_when_it_is_absolute(home: Home, tmp_path: Path) -> None:
    home.environment["XDG_STATE_HOME"] = "relative"
    assert home.place.directory.is_relative_to(home.path)
    home.environment["XDG_STATE_HOME"] = str(tmp_path / "state")
    home.login()
    assert (tmp_path / "state/hooptui").is_dir() and not (home.path / ".local").exists()


# --- waiting -------------------------------------------------------------------------------------


def test_slow_down_is_obeyed_for_good(home: Home, portal: Double) -> None:
    portal.answers["/v1/device/token"] = [
        pending("authorization_pending"), pending("slow_down"), pending("authorization_pending"), pending("slow_down"),
        (200, portal.lease()),
    ]  # fmt: skip
    home.login()
    assert home.slept == [5.0, 5.0, 10.0, 10.0, 15.0]


def test_too_many_requests_are_waited_out(home: Home, portal: Double) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.json_response({"error": "whatever"}, status=429, headers={"Retry-After": "30"})

    portal.answers["/v1/device/token"] = [(0, busy), (503, {}), (200, portal.lease())]
    home.login()
    assert home.slept == [5.0, 30.0, 10.0]


def test_a_portal_that_hangs_up_is_asked_less_and_less_often(home: Home, portal: Double) -> None:
    async def gone(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    portal.answers["/v1/device/token"] = [(0, gone)] * 3 + [(200, portal.lease())]
    home.login()
    assert home.slept == [5.0, 10.0, 20.0, 40.0]
    assert home.words.count("still trying") == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (pending("access_denied"), "the login was denied in the browser; nobody is logged in"),
        (pending("expired_token"), "the code is over; nobody is logged in"),
        (
            pending("invalid_grant", code="identity-blocked", error_description="blocked by ops-2", hint="ask them"),
            "the login was refused: blocked by ops-2; ask them",
        ),
        (pending("invalid_grant", error_description="\x1b[2Jgone"), r"the login was refused: ␛\[2Jgone"),
        ((500, b"<html>"), "the login was refused: status 500"),
        ((418, {"error": 7}), "the login was refused: status 418"),
    ],
)
def test_a_refusal_ends_the_waiting(home: Home, portal: Double, answer: tuple[int, Any], words: str) -> None:
    portal.answers["/v1/device/token"] = [pending("authorization_pending"), answer]
    with pytest.raises(UserError, match=words):
        home.login()
    assert not home.place.login.exists()


def test_nobody_waits_for_ever(home: Home, portal: Double) -> None:
    portal.answers["/v1/device/token"] = [pending("authorization_pending")]
    with pytest.raises(UserError, match="nobody confirmed the login in time"):
        home.login()
    assert 590 <= sum(home.slept) <= 600


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"device_code": ""}, "a code or time is missing"),
        ({"expires_in": 0}, "a code or time is missing"),
        ({"expires_in": "soon"}, "not a hooptui gateway's"),
        ({"verification_uri": "http://example.com/"}, "the page to log in at: found"),
        ({"verification_uri": "https://x/\x1b[31m"}, "the page to log in at: found"),
        ({"verification_uri_complete": "javascript:alert(1)"}, "the page to log in at: found"),
        ({"verification_uri": "https://evil@bastion/"}, "the page to log in at: found"),
    ],
)
def test_an_odd_answer_sends_nobody_anywhere(home: Home, portal: Double, change: dict[str, Any], words: str) -> None:
    good = DEVICE | {"verification_uri": f"{portal.url}/device"}
    portal.answers["/v1/device"] = [(200, good | change)]
    with pytest.raises(UserError, match=words):
        home.login()
    assert "open this page" not in home.words


def test_a_code_to_type_is_shown_where_there_is_no_complete_page(home: Home, portal: Double) -> None:
    portal.answers["/v1/device"] = [(200, DEVICE | {"verification_uri": f"{portal.url}/device"})]
    home.login()
    assert "and type this code:  BCDF-GHJK" in home.words


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": "hl_bbbbbbbbbbbb:x"}, {"access_token": "hl_b.short"}, {"lease": "hl_cccccccccccc"}, {"expires_in": 0},
        {"access_token": f"hl_bbbbbbbbbbbb.{NEVER}\n"}, {"expires_in": None}, {"identity": None},
    ],
)  # fmt: skip
def test_what_is_no_lease_is_not_kept(home: Home, portal: Double, change: dict[str, Any]) -> None:
    portal.answers["/v1/device/token"] = [(200, portal.lease() | change)]
    with pytest.raises(UserError, match=r"no lease|not a hooptui gateway's") as caught:
        home.login()
    assert NEVER not in str(caught.value)
    assert not home.place.login.exists()


def test_ctrl_c_is_a_sentence_and_leaves_nothing(portal: Double, tmp_path: Path) -> None:
    """The real program, in a terminal's stead: interrupted while it waits."""
    waiting = threading.Event()

    async def ask(_: web.Request) -> web.Response:
        waiting.set()
        return web.json_response({"error": "authorization_pending"}, status=400)

    where = f"{portal.url}/device"
    portal.answers["/v1/device"] = [(200, DEVICE | {"verification_uri": where, "interval": 1})]
    portal.answers["/v1/device/token"] = [(0, ask)]
    code = (
        f"import sys; from hooptui.login.main import run; sys.exit(run([{portal.url!r}, '--ca', {str(portal.ca)!r}]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert waiting.wait(60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == "" and "Traceback" not in err and err.endswith("hooptui login: given up\n")
    assert not list(tmp_path.rglob("login.json"))


# --- tokens --------------------------------------------------------------------------------------


def test_a_token_from_a_file_or_the_environment_is_exchanged(home: Home, portal: Double, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  eyJ.a.b\n")
    home.login("--token-file", str(file))
    home.environment["CI_TOKEN"] = "eyJ.c.d"
    home.login("--token-env", "CI_TOKEN")
    assert portal.forms("/v1/exchange") == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        } for token in ("eyJ.a.b", "eyJ.c.d")
    ]  # fmt: skip
    assert "open this page" not in home.words and portal.forms("/v1/device") == []


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe", b"a\x00b", b"x" * 70_000])
def test_what_is_no_token_is_not_sent(home: Home, portal: Double, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(UserError, match="expected one token of printable ASCII"):
        home.login("--token-file", str(file))
    assert portal.forms("/v1/exchange") == []


def test_a_missing_token_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file, expected the token"):
        home.login("--token-file", str(tmp_path / "none"))
    with pytest.raises(UserError, match="--token-env: there is nothing in NOT_SET"):
        home.login("--token-env", "NOT_SET")


def test_a_refused_token_is_said_with_its_hint_and_without_the_token(home: Home, portal: Double) -> None:
    home.environment["T"] = "eyJ.canary.d"
    portal.answers["/v1/exchange"] = [
        pending("invalid_grant", code="token-expired", error_description="the token has expired", hint="get a new one")
    ]
    with pytest.raises(Refused) as caught:
        home.login("--token-env", "T")
    assert caught.value.sentence() == "the token has expired; get a new one"
    assert "canary" not in home.words + repr(caught.value)


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--token-file", "a", "--token-env", "b"], "--token-file and --token-env are two ways to log in"),
        (["--device-at-idp", "--token-env", "b"], "--token-env and --device-at-idp are two ways"),
        (["--client-secret-file", "a"], "--client-secret-file needs --client-id"),
        (["--exec-credential", "--ssh-certificate"], "print different things"),
        (["--cluster", "../x"], "--cluster: found '../x'"),
        (["--way", "none"], r"no way called 'none'; it has op \(Example\), corp \(Corp\)"),
        (["--way", "corp", "--device-at-idp"], "corp is no OpenID provider"),
    ],
)
def test_wrong_calls_name_what_is_wrong(home: Home, words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        home.login(*words)
    assert not home.place.login.exists()


@pytest.mark.parametrize(
    "url",
    ["http://bastion:8443", "https://", "https://bastion:0", "https://bastion:99999", "https://u@bastion", "ftp://bastion",
     "https://bastion/path", "https://bastion?x", "https://ba stion", "https://[::1", "https://b\x1bx"],
)  # fmt: skip
def test_what_is_no_portal_is_refused(home: Home, url: str) -> None:
    with pytest.raises(UserError, match="expected the gateway's portal, such as"):
        home.login(url, url=False)


def test_a_known_gateway_need_not_be_named(home: Home, portal: Double) -> None:
    with pytest.raises(UserError, match="which gateway\\? there is no login yet"):
        home.login(url=False)
    home.login()
    home.login(url=False, ca=False)
    assert len(portal.forms("/v1/device")) == 2
    other = home.place.directory.with_name("other")
    other.mkdir()
    kept = json.loads(home.place.login.read_text()) | {"gateway": "https://other"}
    (other / "login.json").write_text(json.dumps(kept))
    (other / "login.json").chmod(0o600)
    with pytest.raises(UserError, match=f"there are logins to {portal.url}, https://other; give"):
        home.login(url=False, ca=False)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 2}', "\x00"])
def test_a_damaged_login_is_named(home: Home, damage: str) -> None:
    home.login()
    home.place.login.write_text(damage)
    with pytest.raises(UserError, match="not as hooptui wrote it; remove it"):
        home.login("--exec-credential")


def test_a_login_that_others_may_read_is_not_used(home: Home) -> None:
    home.login()
    home.place.login.chmod(0o644)
    with pytest.raises(UserError, match=r"others may read it \(mode 644\); chmod 600"):
        home.login("--exec-credential")
    home.place.login.chmod(0o600)
    home.place.directory.chmod(0o777)
    with pytest.raises(UserError, match="others may write to it"):
        home.login("--exec-credential")


# --- trust ---------------------------------------------------------------------------------------


def test_an_unknown_authority_is_never_trusted_at_first_use(home: Home, portal: Double) -> None:
    with pytest.raises(UserError, match=r"not trusted here .*ask the people who run it for ca\.crt .*--ca"):
        home.login(ca=False)
    assert portal.asked == [] and not home.place.login.exists()


def test_another_authority_does_not_do(home: Home, portal: Double, tmp_path: Path) -> None:
    other = certificates.ensure(tmp_path / "other", [], now=home.clock.now())
    with pytest.raises(UserError, match="not trusted here"):
        home.login("--ca", str(other.ca), ca=False)
    assert not home.place.ca.exists(), "what did not vouch for it is not remembered"
    home.login()
    home.login(ca=False)
    with pytest.raises(UserError, match="not trusted here"):
        home.login("--ca", str(other.ca), ca=False)


def test_a_certificate_for_another_name_is_not_for_this_one(home: Home, portal: Double) -> None:
    with pytest.raises(UserError, match="its certificate is for another name"):
        home.login(portal.url.replace("localhost", "127.0.0.2"), url=False)


@pytest.mark.parametrize("content", ["", "not a certificate"])
def test_a_ca_file_without_certificates_is_named(home: Home, tmp_path: Path, content: str) -> None:
    file = tmp_path / "ca.crt"
    file.write_text(content)
    with pytest.raises(UserError, match=rf"{file}: found no PEM certificates in it; expected the gateway's ca\.crt"):
        home.login("--ca", str(file), ca=False)
    with pytest.raises(UserError, match="No such file or directory; expected the gateway's ca"):
        home.login("--ca", str(tmp_path / "none"), ca=False)


def test_nobody_there_is_said(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UserError, match="cannot connect"):
            home.login(f"https://localhost:{taken.getsockname()[1]}", url=False)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {}), "expected a hooptui gateway's portal, found status 404"),
        ((302, {}), "found status 302"),
        ((200, b"<html>"), "not a hooptui gateway's: it is no JSON"),
        ((200, b"\xff"), "not a hooptui gateway's"),
        ((200, {"name": 7}), r"not a hooptui gateway's: Expected `str`, got `int` - at `\$.name`"),
        ((200, {"name": "../../etc"}), "fits in no file"),
        ((200, {"name": "x", "ca": "junk"}), "no PEM certificates"),
        ((200, {"name": "x", "listeners": {"pg": "a b:1"}}), "the address of its pg listener"),
        ((200, {"name": "x", "listeners": {"pg": "host:99999"}}), "the address of its pg listener"),
        ((200, b" " * 300_000), "more than 256 KiB"),
    ],
)
def test_what_is_no_gateway_is_said(home: Home, portal: Double, answer: tuple[int, Any], words: str) -> None:
    portal.answers["/v1/info"] = [answer]
    with pytest.raises(UserError, match=words):
        home.login()


def test_a_compressed_answer_is_not_unpacked(home: Home, portal: Double) -> None:
    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    portal.answers["/v1/info"] = [(0, bomb)]
    with pytest.raises(UserError, match="compressed, which was not asked for"):
        home.login()


def test_a_redirect_is_not_followed_with_a_token(home: Home, portal: Double) -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{portal.url}/stolen"})

    home.environment["T"] = "eyJ.a.b"
    portal.answers["/v1/exchange"] = [(0, away)]
    with pytest.raises(Refused, match="status 307"):
        home.login("--token-env", "T")
    assert portal.forms("/stolen") == []
