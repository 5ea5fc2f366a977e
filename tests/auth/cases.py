"""Bad tokens, each with its name, the code it must be refused for, and how to make it for an issuer's URL."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable

from joserfc import jwk, jws

from hooptui.auth.refusals import Code

from .forge import AUDIENCE, EC, EC384, NOW, OTHER_RSA, RSA, RSA_BIG, b64, dump, public, signed, token

TWIN = jwk.ECKey.generate_key("P-256", {"kid": "twin"})
ENC = jwk.RSAKey.generate_key(2048, {"kid": "enc-1"})
PS = jwk.RSAKey.generate_key(2048, {"kid": "ps-1"})
H = {"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1"}


def claims(url: str, **more: object) -> dict[str, object]:
    return {"iss": url, "sub": "etl-7", "aud": AUDIENCE, "groups": [], "iat": int(NOW), "exp": int(NOW) + 600} | more


def spliced(url: str, before: bytes, after: bytes) -> str:
    """Claims whose JSON text is edited, then truly signed."""
    return signed(H, dump(claims(url)).replace(before, after))


def pem(key: jwk.Key) -> bytes:
    return key.as_pem(private=False)


def hmac_with(secret: bytes, url: str, alg: str = "HS256", kid: str = "rsa-1") -> str:
    """Signed with a shared secret; by hand, because libraries rightly refuse a public key here."""
    text = f"{b64(dump({'alg': alg, 'typ': 'JWT', 'kid': kid}))}.{b64(dump(claims(url)))}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), 'sha' + alg[2:]))}"


def none_token(url: str, alg: str) -> str:
    return f"{b64(dump({'alg': alg, 'typ': 'JWT'}))}.{b64(dump(claims(url)))}."


def flip(text: str, segment: int) -> str:
    """One bit of a segment changed; still canonical."""
    parts = text.split(".")
    raw = bytearray(base64.urlsafe_b64decode(parts[segment] + "=" * (-len(parts[segment]) % 4)))
    raw[-3] ^= 1
    parts[segment] = b64(bytes(raw))
    return ".".join(parts)


def loose_end(text: str, segment: int) -> str:
    """The same bytes in a second, non-canonical spelling."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    parts = text.split(".")
    assert len(parts[segment]) % 4 in (2, 3)
    parts[segment] = parts[segment][:-1] + alphabet[alphabet.index(parts[segment][-1]) + 1]
    return ".".join(parts)


def padded_to(url: str, remainder: int) -> dict[str, object]:
    """Claims whose base64url has a loose end."""
    for size in range(4):
        body = claims(url, pad="x" * size)
        if len(dump(body)) % 3 == remainder:
            return body
    raise AssertionError


def cut_at(url: str, length: int) -> str:
    """A token that a prompt cut at `length` bytes, inside its claims."""
    whole = token(url, pad="y" * 6000)
    return whole[:length]


def cut_in_signature(url: str, length: int, key: jwk.Key = RSA, missing: int = 3) -> str:
    """A token whose first `length` bytes are all but the last few of its signature."""
    least = max(0, (length - len(token(url, key=key))) * 3 // 4 - 20)
    for size in range(least, length):
        whole = token(url, pad="z" * size, key=key)
        if len(whole) >= length + missing:
            return whole[:length]
    raise AssertionError


def es_raw(text: str, signature: Callable[[bytes], bytes]) -> str:
    head, body, sig = text.split(".")
    return f"{head}.{body}.{b64(signature(base64.urlsafe_b64decode(sig + '==')))}"


def sha(alg: str, key: jwk.Key, said: str, url: str) -> str:
    """Signed by one algorithm, the header says another."""
    text = f"{b64(dump({'alg': said, 'kid': key.kid}))}.{b64(dump(claims(url)))}"
    return f"{text}.{b64(jws.JWSRegistry.algorithms[alg].sign(text.encode(), key))}"


Make = Callable[[str], str]
CASES: list[tuple[str, Code, Make]] = [
    # nothing, too much, cut off
    ("empty", Code.MISSING, lambda u: ""),
    ("blank", Code.MISSING, lambda u: "  \n"),
    ("17 KiB", Code.TOO_LARGE, lambda u: token(u, pad="x" * 17_000)),
    ("17 KiB of junk", Code.TOO_LARGE, lambda u: "x" * 17_000),
    ("few characters, many bytes", Code.TOO_LARGE, lambda u: "€" * 6_000),
    ("header only", Code.TRUNCATED, lambda u: token(u).split(".")[0]),
    ("header and half the claims", Code.TRUNCATED, lambda u: token(u).rsplit(".", 1)[0][:-9]),
    ("no signature", Code.TRUNCATED, lambda u: token(u).rsplit(".", 1)[0]),
    ("empty signature", Code.TRUNCATED, lambda u: token(u).rsplit(".", 1)[0] + "."),
    ("half a signature", Code.TRUNCATED, lambda u: token(u)[:-100]),
    ("last character gone", Code.TRUNCATED, lambda u: token(u)[:-2]),
    ("ES256 last character gone", Code.TRUNCATED, lambda u: token(u, key=EC, alg="ES256")[:-1]),
    ("psql's prompt, in the claims", Code.TRUNCATED, lambda u: cut_at(u, 4095)),
    ("psql's prompt, in the signature", Code.TRUNCATED, lambda u: cut_in_signature(u, 4095)),
    ("psql's prompt, in a big key's signature", Code.TRUNCATED, lambda u: cut_in_signature(u, 4095, RSA_BIG, 40)),
    ("ssh's prompt", Code.TRUNCATED, lambda u: cut_at(u, 1023)),
    ("a 3072 bit signature, half", Code.TRUNCATED, lambda u: token(u, key=RSA_BIG)[:-130]),
    ("a 3072 bit signature, most", Code.TRUNCATED, lambda u: token(u, key=RSA_BIG)[:-1]),
    # not a compact JWS
    ("a password", Code.NOT_SIGNED, lambda u: "correct horse battery staple"),
    ("an opaque token", Code.NOT_SIGNED, lambda u: "gho_0123456789abcdefghijklmnopqrstuv"),
    ("dots", Code.NOT_SIGNED, lambda u: ".."),
    ("four segments", Code.NOT_SIGNED, lambda u: token(u) + ".x"),
    ("five segments", Code.NOT_SIGNED, lambda u: token(u) + ".x.y"),
    ("many segments", Code.NOT_SIGNED, lambda u: "a." * 4000),
    ("with Bearer", Code.NOT_SIGNED, lambda u: "Bearer " + token(u)),
    ("with bearer", Code.NOT_SIGNED, lambda u: "bearer " + token(u)),
    ("in quotes", Code.NOT_SIGNED, lambda u: f'"{token(u)}"'),
    ("trailing newline", Code.NOT_SIGNED, lambda u: token(u) + "\n"),
    ("leading space", Code.NOT_SIGNED, lambda u: " " + token(u)),
    ("newline inside", Code.NOT_SIGNED, lambda u: token(u)[:40] + "\n" + token(u)[40:]),
    ("carriage return inside", Code.NOT_SIGNED, lambda u: token(u)[:40] + "\r\n" + token(u)[40:]),
    ("NUL inside", Code.NOT_SIGNED, lambda u: token(u)[:40] + "\0" + token(u)[40:]),
    ("padding", Code.NOT_SIGNED, lambda u: ".".join(part + "=" * (-len(part) % 4) for part in signed(H, padded_to(u, 1)).split("."))),
    ("standard base64 alphabet", Code.NOT_SIGNED, lambda u: token(u)[:-1] + "+"),
    ("slash in the signature", Code.NOT_SIGNED, lambda u: token(u)[:-1] + "/"),
    ("non-ASCII", Code.NOT_SIGNED, lambda u: token(u)[:-1] + "é"),
    ("lone surrogate", Code.NOT_SIGNED, lambda u: token(u)[:-1] + "\udc80"),
    ("fullwidth dot", Code.NOT_SIGNED, lambda u: token(u).replace(".", "．")),
    ("non-canonical claims", Code.NOT_SIGNED, lambda u: loose_end(signed(H, padded_to(u, 1)), 1)),
    ("non-canonical signature", Code.NOT_SIGNED, lambda u: loose_end(token(u), 2)),
    ("non-canonical header", Code.NOT_SIGNED, lambda u: loose_end(signed(H | {"a": "b" * (4 - len(dump(H)) % 3)}, claims(u)), 0)),
    ("length no base64 has", Code.NOT_SIGNED, lambda u: token(u).replace(".", "A.", 1) if len(token(u).split(".")[0]) % 4 == 0 else "A." + token(u)),
    ("empty header", Code.NOT_SIGNED, lambda u: "." + token(u).split(".", 1)[1]),
    ("empty claims", Code.NOT_SIGNED, lambda u: token(u).split(".")[0] + ".." + token(u).split(".")[2]),
    ("header is no JSON", Code.NOT_SIGNED, lambda u: signed(b"{alg:RS256}", claims(u))),
    ("header is a list", Code.NOT_SIGNED, lambda u: signed(b'["alg"]', claims(u))),
    ("header is UTF-16", Code.NOT_SIGNED, lambda u: signed(json.dumps(H).encode("utf-16"), claims(u))),
    ("header has a byte order mark", Code.NOT_SIGNED, lambda u: signed(b"\xef\xbb\xbf" + dump(H), claims(u))),
    # the header
    ("alg twice", Code.BAD_HEADER, lambda u: signed(b'{"alg":"RS256","alg":"RS256","kid":"rsa-1"}', claims(u))),
    ("kid twice", Code.BAD_HEADER, lambda u: signed(b'{"alg":"RS256","kid":"rsa-1","kid":"ec-1"}', claims(u))),
    ("NaN in the header", Code.BAD_HEADER, lambda u: signed(b'{"alg":"RS256","kid":"rsa-1","x":NaN}', claims(u))),
    ("header nested deep", Code.BAD_HEADER, lambda u: signed(b'{"a":' + b"[" * 1400 + b"]" * 1400 + b"}", claims(u))),
    ("header too long", Code.BAD_HEADER, lambda u: token(u, head={"x": "y" * 4000})),
    ("jku", Code.BAD_HEADER, lambda u: token(u, head={"jku": u + "/jwks"})),
    ("jwk", Code.BAD_HEADER, lambda u: token(u, head={"jwk": public(RSA)})),
    ("jwk of another key", Code.BAD_HEADER, lambda u: signed(H | {"jwk": public(OTHER_RSA)}, claims(u), OTHER_RSA)),
    ("x5u", Code.BAD_HEADER, lambda u: token(u, head={"x5u": u + "/cert"})),
    ("x5c", Code.BAD_HEADER, lambda u: token(u, head={"x5c": ["AA"]})),
    ("crit", Code.BAD_HEADER, lambda u: token(u, head={"crit": ["exp"], "exp": 1})),
    ("empty crit", Code.BAD_HEADER, lambda u: token(u, head={"crit": []})),
    ("b64 false", Code.BAD_HEADER, lambda u: token(u, head={"b64": False})),
    ("zip", Code.BAD_HEADER, lambda u: token(u, head={"zip": "DEF"})),
    ("cty, a nested token", Code.BAD_HEADER, lambda u: token(u, head={"cty": "JWT"})),
    ("enc", Code.BAD_HEADER, lambda u: token(u, head={"enc": "A256GCM"})),
    ("no alg", Code.BAD_HEADER, lambda u: signed({"kid": "rsa-1"}, claims(u))),
    ("alg is a list", Code.BAD_HEADER, lambda u: signed({"alg": ["RS256"], "kid": "rsa-1"}, claims(u))),
    ("typ is a number", Code.BAD_HEADER, lambda u: token(u, head={"typ": 1})),
    ("kid is empty", Code.BAD_HEADER, lambda u: token(u, head={"kid": ""})),
    ("kid is a number", Code.BAD_HEADER, lambda u: token(u, head={"kid": 1})),
    ("kid is null", Code.BAD_HEADER, lambda u: signed(b'{"alg":"RS256","kid":null}', claims(u))),
    ("kid with control characters", Code.BAD_HEADER, lambda u: token(u, head={"kid": "a\x1b[2J"})),
    ("kid very long", Code.BAD_HEADER, lambda u: token(u, head={"kid": "k" * 257})),
    # the algorithm
    ("alg none", Code.ALGORITHM_REFUSED, lambda u: none_token(u, "none")),
    ("alg None", Code.ALGORITHM_REFUSED, lambda u: none_token(u, "None")),
    ("alg nOnE", Code.ALGORITHM_REFUSED, lambda u: none_token(u, "nOnE")),
    ("alg none with a signature", Code.ALGORITHM_REFUSED, lambda u: token(u, head={"alg": "none"})),
    ("alg empty", Code.ALGORITHM_REFUSED, lambda u: token(u, head={"alg": ""})),
    ("alg rs256", Code.ALGORITHM_REFUSED, lambda u: token(u, head={"alg": "rs256"})),
    ("HS256 with the public key as PEM", Code.ALGORITHM_REFUSED, lambda u: hmac_with(pem(RSA), u)),
    ("HS256 with the public key's JSON", Code.ALGORITHM_REFUSED, lambda u: hmac_with(dump(public(RSA)), u)),
    ("HS512 with the public key", Code.ALGORITHM_REFUSED, lambda u: hmac_with(pem(RSA), u, "HS512")),
    ("HS256 with a published shared key", Code.ALGORITHM_REFUSED, lambda u: hmac_with(b"secret-secret-secret-secret-secret", u, kid="shared")),
    ("ES256K", Code.ALGORITHM_REFUSED, lambda u: token(u, head={"alg": "ES256K"})),
    ("RS1", Code.ALGORITHM_REFUSED, lambda u: token(u, head={"alg": "RS1"})),
    ("RS512, not configured", Code.ALGORITHM_REFUSED, lambda u: token(u, alg="RS512")),
    ("ES384, not configured", Code.ALGORITHM_REFUSED, lambda u: token(u, key=EC384, alg="ES384")),
    # the type
    ("typ logout+jwt", Code.WRONG_TYPE, lambda u: token(u, head={"typ": "logout+jwt"})),
    ("typ dpop+jwt", Code.WRONG_TYPE, lambda u: token(u, head={"typ": "dpop+jwt"})),
    ("typ secevent+jwt", Code.WRONG_TYPE, lambda u: token(u, head={"typ": "secevent+jwt"})),
    ("typ empty", Code.WRONG_TYPE, lambda u: token(u, head={"typ": ""})),
    # the issuer
    ("another issuer", Code.UNKNOWN_ISSUER, lambda u: token("https://idp.example")),
    ("iss with a trailing slash", Code.UNKNOWN_ISSUER, lambda u: token(u + "/")),
    ("iss in capitals", Code.UNKNOWN_ISSUER, lambda u: token(u.upper())),
    ("iss over http", Code.UNKNOWN_ISSUER, lambda u: token(u.replace("https", "http"))),
    ("iss with a space", Code.UNKNOWN_ISSUER, lambda u: token(u + " ")),
    ("iss empty", Code.UNKNOWN_ISSUER, lambda u: token("")),
    ("no iss", Code.BAD_CLAIMS, lambda u: token(u, drop=("iss",))),
    ("iss is a list", Code.BAD_CLAIMS, lambda u: token(u, iss=[u])),
    # the key
    ("kid of nobody", Code.UNKNOWN_KEY, lambda u: token(u, head={"kid": "nobody"})),
    ("kid as a path", Code.UNKNOWN_KEY, lambda u: token(u, head={"kid": "../../dev/null"})),
    ("kid as SQL", Code.UNKNOWN_KEY, lambda u: token(u, head={"kid": "' UNION SELECT 'x"})),
    ("key confusion: EC kid under RS256", Code.UNKNOWN_KEY, lambda u: token(u, head={"kid": "ec-1"})),
    ("key confusion: RSA kid under ES256", Code.UNKNOWN_KEY, lambda u: token(u, key=EC, alg="ES256", head={"kid": "rsa-1"})),
    ("PS256 with a key for RS256 only", Code.UNKNOWN_KEY, lambda u: token(u, alg="PS256")),
    ("RS256 with a key for PS256 only", Code.UNKNOWN_KEY, lambda u: token(u, key=PS)),
    ("ES256 with a P-384 key", Code.UNKNOWN_KEY, lambda u: token(u, key=EC, alg="ES256", head={"kid": "ec-384"})),
    ("an encryption key", Code.UNKNOWN_KEY, lambda u: token(u, key=ENC)),
    ("two keys with one kid", Code.AMBIGUOUS_KEY, lambda u: token(u, key=TWIN, alg="ES256")),
    ("no kid and several keys", Code.AMBIGUOUS_KEY, lambda u: token(u, key=RSA, head={"kid": None})),
    # the signature
    ("another key under the same kid", Code.BAD_SIGNATURE, lambda u: token(u, key=OTHER_RSA)),
    ("a bit of the claims flipped", Code.BAD_SIGNATURE, lambda u: swap_claims(token(u), sub="root")),
    ("a bit of the signature flipped", Code.BAD_SIGNATURE, lambda u: flip(token(u), 2)),
    ("a bit of an ES256 signature flipped", Code.BAD_SIGNATURE, lambda u: flip(token(u, key=EC, alg="ES256"), 2)),
    ("ES256 signature of zeros", Code.BAD_SIGNATURE, lambda u: es_raw(token(u, key=EC, alg="ES256"), lambda s: bytes(64))),
    ("ES256 signature too long", Code.BAD_SIGNATURE, lambda u: es_raw(token(u, key=EC, alg="ES256"), lambda s: s + b"\0")),
    ("RS256 signature too long", Code.BAD_SIGNATURE, lambda u: es_raw(token(u), lambda s: b"\0" + s)),
    ("Ed25519 by a stranger", Code.BAD_SIGNATURE, lambda u: token(u, key=jwk.OKPKey.generate_key("Ed25519", {"kid": "ed-1"}), alg="Ed25519")),
    ("signed by PS256, says RS256", Code.BAD_SIGNATURE, lambda u: sha("PS256", RSA, "RS256", u)),
    ("signed by RS512, says RS256", Code.BAD_SIGNATURE, lambda u: sha("RS512", RSA, "RS256", u)),
    ("header changed after signing", Code.BAD_SIGNATURE, lambda u: f"{b64(dump(H | {'x': 1}))}.{token(u).split('.', 1)[1]}"),
    # the claims' form
    ("claims are no JSON", Code.BAD_CLAIMS, lambda u: signed(H, b"{iss:1}")),
    ("claims are a list", Code.BAD_CLAIMS, lambda u: signed(H, b"[]")),
    ("claims are not UTF-8", Code.BAD_CLAIMS, lambda u: signed(H, dump(claims(u)).replace(b"etl-7", b"etl-\xff"))),
    ("duplicate sub", Code.BAD_CLAIMS, lambda u: spliced(u, b'"sub":', b'"sub": "root", "sub":')),
    ("duplicate iss", Code.BAD_CLAIMS, lambda u: spliced(u, b'"sub":', b'"iss": "https://idp.example", "sub":')),
    ("duplicate member deep inside", Code.BAD_CLAIMS, lambda u: spliced(u, b'"sub":', b'"x": [{"a": 1, "a": 2}], "sub":')),
    ("duplicate member by escape", Code.BAD_CLAIMS, lambda u: spliced(u, b'"sub":', b'"s\\u0075b": "root", "sub":')),
    ("NaN", Code.BAD_CLAIMS, lambda u: spliced(u, b'"sub":', b'"x": NaN, "sub":')),
    ("Infinity", Code.BAD_CLAIMS, lambda u: spliced(u, b'"exp":', b'"exp": Infinity, "y":')),
    ("1e400", Code.BAD_CLAIMS, lambda u: spliced(u, b'"exp":', b'"exp": 1e400, "y":')),
    ("5,000 digits", Code.BAD_CLAIMS, lambda u: spliced(u, b'"exp":', b'"exp": ' + b"9" * 5000 + b', "y":')),
    ("claims nested deep", Code.BAD_CLAIMS, lambda u: spliced(u, b'"sub":', b'"x": ' + b"[" * 3000 + b"]" * 3000 + b', "sub":')),
    ("trailing text", Code.BAD_CLAIMS, lambda u: signed(H, dump(claims(u)) + b"{}")),
    # audience
    ("another audience", Code.WRONG_AUDIENCE, lambda u: token(u, aud="account")),
    ("other audiences", Code.WRONG_AUDIENCE, lambda u: token(u, aud=["account", "hooptui-2"])),
    ("audience with a prefix of ours", Code.WRONG_AUDIENCE, lambda u: token(u, aud="hoop")),
    ("audience in capitals", Code.WRONG_AUDIENCE, lambda u: token(u, aud="HOOPTUI")),
    ("no audience", Code.WRONG_AUDIENCE, lambda u: token(u, drop=("aud",))),
    ("audience null", Code.BAD_CLAIMS, lambda u: token(u, aud=None)),
    ("audience empty list", Code.BAD_CLAIMS, lambda u: token(u, aud=[])),
    ("audience an object", Code.BAD_CLAIMS, lambda u: token(u, aud={AUDIENCE: True})),
    ("audience with a number", Code.BAD_CLAIMS, lambda u: token(u, aud=[AUDIENCE, 1])),
    ("audience nested", Code.BAD_CLAIMS, lambda u: token(u, aud=[[AUDIENCE]])),
    ("a hundred audiences", Code.BAD_CLAIMS, lambda u: token(u, aud=[AUDIENCE] * 100)),
    # party
    ("azp and client_id differ", Code.WRONG_PARTY, lambda u: token(u, azp="a", client_id="b")),
    ("azp a number", Code.BAD_CLAIMS, lambda u: token(u, azp=1)),
    ("client_id empty", Code.BAD_CLAIMS, lambda u: token(u, client_id="")),
    # times
    ("expired", Code.EXPIRED, lambda u: token(u, exp=int(NOW) - 31)),
    ("expired at exactly the leeway", Code.EXPIRED, lambda u: token(u, exp=int(NOW) - 30)),
    ("exp zero", Code.EXPIRED, lambda u: token(u, exp=0, drop=("iat", "nbf"))),
    ("no exp", Code.BAD_CLAIMS, lambda u: token(u, drop=("exp",))),
    ("exp null", Code.BAD_CLAIMS, lambda u: token(u, exp=None)),
    ("exp a string", Code.BAD_CLAIMS, lambda u: token(u, exp=str(int(NOW) + 600))),
    ("exp true", Code.BAD_CLAIMS, lambda u: token(u, exp=True)),
    ("exp negative", Code.BAD_CLAIMS, lambda u: token(u, exp=-1)),
    ("exp 1e300", Code.BAD_CLAIMS, lambda u: token(u, exp=1e300)),
    ("exp in milliseconds", Code.BAD_CLAIMS, lambda u: token(u, exp=int(NOW) * 1000)),
    ("exp a list", Code.BAD_CLAIMS, lambda u: token(u, exp=[int(NOW) + 600])),
    ("iat a string", Code.BAD_CLAIMS, lambda u: token(u, iat="now")),
    ("nbf false", Code.BAD_CLAIMS, lambda u: token(u, nbf=False)),
    ("nbf in the future", Code.NOT_YET, lambda u: token(u, nbf=int(NOW) + 31)),
    ("iat in the future", Code.NOT_YET, lambda u: token(u, iat=int(NOW) + 31)),
    ("a year", Code.LIFETIME_TOO_LONG, lambda u: token(u, exp=int(NOW) + 365 * 86_400)),
    ("a long life almost over", Code.LIFETIME_TOO_LONG, lambda u: token(u, iat=int(NOW) - 90_000, nbf=int(NOW) - 90_000)),
    ("a long life without iat", Code.LIFETIME_TOO_LONG, lambda u: token(u, exp=int(NOW) + 90_000, drop=("iat",))),
    # binding, subject
    ("bound to a DPoP key", Code.KEY_BOUND, lambda u: token(u, cnf={"jkt": "x"})),
    ("bound to a certificate", Code.KEY_BOUND, lambda u: token(u, cnf={"x5t#S256": "x"})),
    ("no sub", Code.BAD_SUBJECT, lambda u: token(u, drop=("sub",))),
    ("sub empty", Code.BAD_SUBJECT, lambda u: token(u, sub="")),
    ("sub blank", Code.BAD_SUBJECT, lambda u: token(u, sub="  ")),
    ("sub a number", Code.BAD_SUBJECT, lambda u: token(u, sub=7)),
    ("sub with a newline", Code.BAD_SUBJECT, lambda u: token(u, sub="etl\n7")),
    ("sub with an escape", Code.BAD_SUBJECT, lambda u: token(u, sub="\x1b[2J")),
    ("sub turned around", Code.BAD_SUBJECT, lambda u: token(u, sub="\u202eetl")),
    ("sub with a lone surrogate", Code.BAD_SUBJECT, lambda u: token(u, sub="etl\udc80")),
    ("sub very long", Code.BAD_SUBJECT, lambda u: token(u, sub="s" * 256)),
    ("act, and no actor is configured", Code.BAD_ACTOR, lambda u: token(u, act={"sub": "agent-5"})),
    # groups
    ("groups a string", Code.BAD_GROUPS, lambda u: token(u, groups="dba")),
    ("groups null", Code.BAD_GROUPS, lambda u: token(u, groups=None)),
    ("groups an object", Code.BAD_GROUPS, lambda u: token(u, groups={"dba": True})),
    ("groups true", Code.BAD_GROUPS, lambda u: token(u, groups=True)),
    ("a group that is a number", Code.BAD_GROUPS, lambda u: token(u, groups=["dba", 1])),
    ("a group that is a list", Code.BAD_GROUPS, lambda u: token(u, groups=[["dba"]])),
    ("a group that is null", Code.BAD_GROUPS, lambda u: token(u, groups=[None])),
    ("an empty group", Code.BAD_GROUPS, lambda u: token(u, groups=[""])),
    ("a group with a newline", Code.BAD_GROUPS, lambda u: token(u, groups=["dba\nroot"])),
    ("a very long group", Code.BAD_GROUPS, lambda u: token(u, groups=["g" * 257])),
    ("1,001 groups", Code.BAD_GROUPS, lambda u: token(u, groups=["g"] * 1001)),
    ("Entra's overage", Code.GROUP_OVERAGE, lambda u: token(u, drop=("groups",), _claim_names={"groups": "src1"}, _claim_sources={"src1": {}})),
    ("Entra's overage beside some groups", Code.GROUP_OVERAGE, lambda u: token(u, _claim_names={"groups": "src1"})),
    ("hasgroups", Code.GROUP_OVERAGE, lambda u: token(u, drop=("groups",), hasgroups=True)),
    ("hasgroups as text", Code.GROUP_OVERAGE, lambda u: token(u, drop=("groups",), hasgroups="true")),
    ("_claim_names a list", Code.BAD_CLAIMS, lambda u: token(u, _claim_names=["groups"])),
]  # fmt: skip

SECOND: list[tuple[str, Code, Make]] = [
    ("no client named", Code.WRONG_PARTY, lambda u: token(u)),
    ("another client", Code.WRONG_PARTY, lambda u: token(u, azp="web")),
    ("another client in appid", Code.WRONG_PARTY, lambda u: token(u, appid="web")),
    ("the first issuer's audience is not enough elsewhere", Code.WRONG_AUDIENCE, lambda u: token(u, azp="cli", aud="first")),
    ("roles a string", Code.BAD_GROUPS, lambda u: token(u, azp="cli", realm_access={"roles": "dba"})),
    ("roles null", Code.BAD_GROUPS, lambda u: token(u, azp="cli", realm_access={"roles": None})),
    ("realm_access a list", Code.BAD_CLAIMS, lambda u: token(u, azp="cli", realm_access=["roles"])),
    ("realm_access null", Code.BAD_CLAIMS, lambda u: token(u, azp="cli", realm_access=None)),
    ("realm_access left out", Code.GROUP_OVERAGE, lambda u: token(u, azp="cli", _claim_names={"realm_access": "src1"})),
    ("the path left out", Code.GROUP_OVERAGE, lambda u: token(u, azp="cli", _claim_names={"realm_access.roles": "src1"})),
    ("owner a number", Code.BAD_CLAIMS, lambda u: token(u, azp="cli", act={"sub": 1})),
    ("owner null", Code.BAD_CLAIMS, lambda u: token(u, azp="cli", act={"sub": None})),
    ("act a string", Code.BAD_CLAIMS, lambda u: token(u, azp="cli", act="ops-1")),
]  # fmt: skip


def swap_claims(text: str, **new: object) -> str:
    head, body, signature = text.split(".")
    changed = json.loads(base64.urlsafe_b64decode(body + "==")) | new
    return f"{head}.{b64(dump(changed))}.{signature}"
