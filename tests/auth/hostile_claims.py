"""Hostile tokens, third table: truly signed, and wrong in what they say."""

from __future__ import annotations

from hooptui.auth.refusals import Code

from .cases import H, Make, claims, signed, spliced
from .forge import AUDIENCE, NOW, dump, token

AT = int(NOW)


def said(**members: object) -> Make:
    return lambda url: token(url, **members)  # type: ignore[arg-type]


def raw(before: bytes, after: bytes) -> Make:
    return lambda url: spliced(url, before, after)


def before_sub(text: bytes) -> Make:
    return raw(b'"sub":', text + b', "sub":')


def exp(text: bytes) -> Make:
    return raw(b'"exp":', b'"exp": ' + text + b', "y":')


def nested(depth: int) -> dict[str, object]:
    inner: dict[str, object] = {"sub": "agent-0"}
    for _ in range(depth):
        inner = {"sub": "agent", "act": inner}
    return inner


CLAIMS: list[tuple[str, Code, Make]] = [
    ("claims null", Code.BAD_CLAIMS, lambda u: signed(H, b"null")),
    ("claims a text", Code.BAD_CLAIMS, lambda u: signed(H, b'"sub"')),
    ("claims a nested token", Code.BAD_CLAIMS, lambda u: signed(H, token(u).encode())),
    ("claims with a byte order mark", Code.BAD_CLAIMS, lambda u: signed(H, b"\xef\xbb\xbf" + dump(claims(u)))),
    ("claims in UTF-16", Code.BAD_CLAIMS, lambda u: signed(H, dump(claims(u)).decode().encode("utf-16-le"))),
    ("a duplicate exp", Code.BAD_CLAIMS, before_sub(b'"exp": 1')),
    ("a duplicate aud", Code.BAD_CLAIMS, before_sub(b'"aud": "account"')),
    ("a duplicate groups", Code.BAD_CLAIMS, before_sub(b'"groups": ["dba"]')),
    ("the same member twice alike", Code.BAD_CLAIMS, before_sub(b'"aud": "hooptui"')),
    ("a duplicate in act", Code.BAD_CLAIMS, before_sub(b'"act": {"sub": "a", "sub": "b"}')),
    ("a duplicate in an object in a list", Code.BAD_CLAIMS, before_sub(b'"x": [[{"a": {"b": 1, "b": 1}}]]')),
    ("-Infinity", Code.BAD_CLAIMS, before_sub(b'"x": -Infinity')),
    ("1e999 deep inside", Code.BAD_CLAIMS, before_sub(b'"x": {"y": [1e999]}')),
    ("a number with a leading zero", Code.BAD_CLAIMS, exp(b"01800000600")),
    ("a hexadecimal number", Code.BAD_CLAIMS, exp(b"0x6B49D200")),
    ("a plus sign", Code.BAD_CLAIMS, exp(b"+1800000600")),
    ("a digit of another script", Code.BAD_CLAIMS, exp("١٨٠٠٠٠٠٦٠٠".encode())),
    ("undefined", Code.BAD_CLAIMS, exp(b"undefined")),
    ("a comma too many", Code.BAD_CLAIMS, raw(b"}", b",}")),
    ("a comment", Code.BAD_CLAIMS, before_sub(b'/* x */ "x": 1')),
    ("a raw control character", Code.BAD_CLAIMS, before_sub(b'"x": "\x1b"')),
    ("2,000 objects deep", Code.BAD_CLAIMS, before_sub(b'"x": ' + b'{"a":' * 1500 + b"1" + b"}" * 1500)),
    # times
    ("exp 1e309", Code.BAD_CLAIMS, exp(b"1e309")),
    ("exp -1e309", Code.BAD_CLAIMS, exp(b"-1e309")),
    ("exp NaN", Code.BAD_CLAIMS, exp(b"NaN")),
    ("exp of 4,000 digits", Code.BAD_CLAIMS, exp(b"9" * 4000)),
    ("exp 2^63", Code.BAD_CLAIMS, exp(str(2**63).encode())),
    ("exp 2^64 and ten minutes", Code.BAD_CLAIMS, exp(str(2**64 + AT + 600).encode())),
    ("exp in microseconds", Code.BAD_CLAIMS, said(exp=AT * 10**6)),
    ("exp as a date", Code.BAD_CLAIMS, said(exp="2027-01-15T08:10:00Z")),
    ("exp an object", Code.BAD_CLAIMS, said(exp={"$numberLong": str(AT + 600)})),
    ("exp a string of 1e9", Code.BAD_CLAIMS, said(exp="1e9")),
    ("exp false", Code.BAD_CLAIMS, said(exp=False)),
    ("exp a negative fraction", Code.BAD_CLAIMS, said(exp=-0.5)),
    ("exp the year 10000", Code.BAD_CLAIMS, said(exp=253_402_300_800)),
    ("exp the last second of 9999", Code.LIFETIME_TOO_LONG, said(exp=253_402_300_799)),
    ("exp minus zero", Code.EXPIRED, exp(b"-0.0")),
    ("exp a fraction too late", Code.EXPIRED, said(exp=NOW - 30.0)),
    ("exp in 1970", Code.EXPIRED, said(exp=86_400)),
    ("exp 32 bits around", Code.EXPIRED, said(exp=(AT + 600) & 0x7FFF_FFFF ^ 0x4000_0000)),
    ("iat null", Code.BAD_CLAIMS, said(iat=None)),
    ("iat a list", Code.BAD_CLAIMS, said(iat=[AT])),
    ("iat true", Code.BAD_CLAIMS, said(iat=True)),
    ("iat negative", Code.BAD_CLAIMS, said(iat=-1)),
    ("iat in milliseconds", Code.BAD_CLAIMS, said(iat=AT * 1000)),
    ("iat tomorrow", Code.NOT_YET, said(iat=AT + 86_400, exp=AT + 86_500)),
    ("iat a fraction too early", Code.NOT_YET, said(iat=NOW + 30.001)),
    ("nbf null", Code.BAD_CLAIMS, said(nbf=None)),
    ("nbf a text", Code.BAD_CLAIMS, said(nbf="0")),
    ("nbf an object", Code.BAD_CLAIMS, said(nbf={})),
    ("nbf 1e300", Code.BAD_CLAIMS, said(nbf=1e300)),
    ("nbf next week", Code.NOT_YET, said(nbf=AT + 604_800)),
    ("a second too long a life", Code.LIFETIME_TOO_LONG, said(iat=AT, exp=AT + 86_431)),
    ("a life for ever", Code.LIFETIME_TOO_LONG, said(exp=4_102_444_800)),
    ("a long life, nbf yesterday, no iat", Code.LIFETIME_TOO_LONG, lambda u: token(u, exp=AT + 86_500, nbf=AT - 9, drop=("iat",))),
    # issuer
    ("iss null", Code.BAD_CLAIMS, said(iss=None)),
    ("iss a number", Code.BAD_CLAIMS, said(iss=7)),
    ("iss an object", Code.BAD_CLAIMS, lambda u: token(u, iss={"url": u})),
    *((f"iss {name}", Code.UNKNOWN_ISSUER, make) for name, make in (
        ("with a path", lambda u: token(u + "/tenant-2")), ("with two slashes", lambda u: token(u + "//")), ("with a dot", lambda u: token(u + "/.")),
        ("with a fragment", lambda u: token(u + "#x")), ("with a query", lambda u: token(u + "?x")), ("with a newline", lambda u: token(u + "\n")),
        ("with NUL", lambda u: token(u + "\0")), ("with a user", lambda u: token(u.replace("://", "://a@"))), ("as a look-alike", lambda u: token(u.replace("o", "о", 1))),
        ("with a trailing dot", lambda u: token(u.replace("localhost", "localhost."))), ("of another port", lambda u: token(u[:-1])),
        ("by its address", lambda u: token(u.replace("localhost", "127.0.0.1"))), ("percent-encoded", lambda u: token(u.replace("l", "%6C", 1))),
        ("without its scheme", lambda u: token(u.removeprefix("https://"))), ("in part", lambda u: token("https://")), ("a pattern", lambda u: token("*")),
        ("of another tenant", lambda u: token("https://login.microsoftonline.com/common/v2.0")), ("local", lambda u: token("local")),
    )),
    # audience and party
    *((f"aud {aud!r}", Code.WRONG_AUDIENCE, said(aud=aud)) for aud in (
        "hooptui ", " hooptui", "hooptui\0", "hooptui/", "hооptui", "*", "hooptui,account", "account hooptui", ["hooptui2"], ["HOOPTUI"], ["*"], "second",
    )),
    *((f"aud {aud!r}", Code.BAD_CLAIMS, said(aud=aud)) for aud in (7, True, "", [""], [None], [True], {"0": AUDIENCE}, [AUDIENCE, None], [AUDIENCE, ""], [{"aud": AUDIENCE}])),
    *((f"azp {azp!r}", Code.BAD_CLAIMS, said(azp=azp)) for azp in (None, True, [], ["cli"], {}, "")),
    ("client_id null", Code.BAD_CLAIMS, said(client_id=None)),
    ("appid a number", Code.BAD_CLAIMS, said(appid=7)),
    ("azp and appid differ", Code.WRONG_PARTY, said(azp="a", appid="b")),
    ("client_id and appid differ", Code.WRONG_PARTY, said(client_id="a", appid="b")),
    ("azp and client_id differ in case", Code.WRONG_PARTY, said(azp="cli", client_id="CLI")),
    # what it is for
    *((f"claim typ {kind}", Code.WRONG_TYPE, said(typ=kind)) for kind in ("ID", "id", "Refresh", "Offline", "Logout", "RegistrationAccessToken", "InitialAccessToken")),
    ("token_use id", Code.WRONG_TYPE, said(token_use="id")),
    ("token_use refresh", Code.WRONG_TYPE, said(token_use="refresh")),
    ("a logout token", Code.WRONG_TYPE, said(events={"http://schemas.openid.net/event/backchannel-logout": {}}, sid="7")),
    ("a security event", Code.WRONG_TYPE, said(events={})),
    *((f"cnf {cnf!r}", Code.KEY_BOUND, said(cnf=cnf)) for cnf in (None, {}, [], "x", {"jwk": {}}, {"kid": "x"})),
    # subject and actor
    *((f"sub {sub!r}", Code.BAD_SUBJECT, said(sub=sub)) for sub in (
        None, True, 1.5, [], ["etl-7"], {}, {"$ne": ""}, "\t", "etl-7\n", "etl-7\0", "etl\u200b-7", "\ufeffetl-7", "\u2066etl-7", "etl\u2028-7", "\x7f", "\x9b2J",
        "\ue000", "\U000e0041", "\u00ad", "\u3000", "s" * 300,
    )),
    *((f"act of {len(repr(act))}: {act!r:.30}", Code.BAD_ACTOR, said(act=act)) for act in (None, "ops-1", [], {}, {"sub": "ops-1"}, {"sub": "etl-7"}, nested(1), nested(60))),
    # groups
    *((f"groups {groups!r:.40}", Code.BAD_GROUPS, said(groups=groups)) for groups in (
        0, 7, "", "dba,admins", {}, {"0": "dba"}, ["dba", ""], [" "], ["dba\0"], ["\u202edba"], ["dba\u200b"], [True], [{"name": "dba"}], [["dba"], "dba"], ["dba", 1.5],
        ["\udc80"], ["g"] * 1200,
    )),
    *((f"overage: {more}", Code.GROUP_OVERAGE, said(**more)) for more in (
        {"hasgroups": 1}, {"hasgroups": "yes"}, {"hasgroups": None}, {"hasgroups": []}, {"_claim_names": {"groups": None}},
    )),
    ("_claim_names null", Code.BAD_CLAIMS, said(_claim_names=None)),
    ("_claim_names a text", Code.BAD_CLAIMS, said(_claim_names="groups")),
    ("5,000 groups", Code.TOO_LARGE, said(groups=[f"group-{n}" for n in range(5000)])),
    ("a claim of 20 KB", Code.TOO_LARGE, said(x="x" * 20_000)),
]  # fmt: skip
