"""SASL as a server has it, message by message: RFC 7677's own example, and everything that must not pass."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import ScramKeys
from hooptui.core.secret import Secret
from hooptui.protocols.postgres import build, codec, sasl
from hooptui.protocols.postgres.sasl import BARE, OAUTHBEARER, PLUS, Initial, OAuth, SaslFailed, ScramServer
from hooptui.protocols.postgres.wire import ProtocolViolation

quick = settings(max_examples=150, deadline=None, derandomize=True)

SECRET = "k3y.of-a-lease"
BINDING = b"\x17" * 32


def keys(secret: str = SECRET, salt: bytes = b"saltsaltsaltsalt", iterations: int = 4096) -> ScramKeys:
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return ScramKeys(salt, iterations, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))


class Peer:
    """A client of RFC 5802 by hand, every part of which can be bent."""

    def __init__(self, secret: str = SECRET, header: bytes = b"n,,", nonce: bytes = b"rOprNGfwEbeRWgbNEkqO") -> None:
        self.secret, self.header, self.nonce = secret, header, nonce
        self.bare = b"n=,r=" + nonce
        self.server_first = b""

    def first(self, mechanism: str = BARE) -> Initial:
        return Initial(mechanism, self.header + self.bare)

    def final(self, server_first: bytes, *, binding: bytes = b"", nonce: bytes = b"", extensions: bytes = b"") -> bytes:
        fields = dict(part.split(b"=", 1) for part in server_first.split(b","))
        head = b"c=" + base64.b64encode(self.header + binding) + b",r=" + (nonce or fields[b"r"]) + extensions
        self.signed = self.bare + b"," + server_first + b"," + head
        salted = hashlib.pbkdf2_hmac("sha256", self.secret.encode(), base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client).digest(), self.signed, "sha256")
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), self.signed, "sha256")
        return head + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(client, signature, strict=True)))


def code(action: object, *args: object) -> str:
    with pytest.raises(SaslFailed) as failed:
        action(*args)  # type: ignore[operator]  # whatever it is, it is called
    assert SECRET not in failed.value.message
    return failed.value.code


def test_the_example_of_rfc_7677(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScramServer(keys("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")), None)
    monkeypatch.setattr(sasl.secrets, "token_urlsafe", lambda size: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert server.first(Initial(BARE, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")) == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert server.final(last) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize(
    ("mechanism", "header", "offered", "bound"),
    [
        (BARE, b"n,,", BINDING, b""),
        (BARE, b"n,,", None, b""),
        (BARE, b"y,,", None, b""),
        (PLUS, b"p=tls-server-end-point,,", BINDING, BINDING),
    ],
)
def test_who_knows_the_secret_gets_the_server_s_own_proof(mechanism, header, offered, bound) -> None:
    server, client = ScramServer(keys(), offered), Peer(header=header)
    answer = server.final(client.final(server.first(client.first(mechanism)), binding=bound))
    assert answer == b"v=" + base64.b64encode(client.expected)


@pytest.mark.parametrize(
    ("mechanism", "header", "offered", "expected"),
    [
        (PLUS, b"n,,", BINDING, "channel-binding"),
        (PLUS, b"y,,", BINDING, "channel-binding"),
        (PLUS, b"p=tls-unique,,", BINDING, "channel-binding"),
        (PLUS, b"p=tls-server-end-point,,", None, "sasl"),
        (BARE, b"y,,", BINDING, "channel-binding"),
        (BARE, b"p=tls-server-end-point,,", BINDING, "channel-binding"),
        (BARE, b"z,,", None, "channel-binding"),
        (BARE, b"n,a=somebody,", None, "sasl"),
        ("SCRAM-SHA-1", b"n,,", None, "sasl"),
        (OAUTHBEARER, b"n,,", None, "sasl"),
    ],
)
def test_downgrades_and_other_mechanisms_are_refused(mechanism, header, offered, expected) -> None:
    assert code(ScramServer(keys(), offered).first, Peer(header=header).first(mechanism)) == expected


@pytest.mark.parametrize(
    "data",
    [b"", b"n", b"n,", b"n,,", b"n,,n=", b"n,,n=,r=", b"n,,r=abc", b"n,,n=,r=a\x00", b"n,,n=,r=a b", b"n,,m=x,n=,r=abc",
     b"n,,n=,m=x,r=abc", b"n,,n=,r=abc,m=ext", b"n,,n=,r=abc,", b"n,,n=,r=abc,x", b"n,,n=\x00,r=abc", b"n,,n=,r=" + b"a" * 257,
     b"n,,n=,r=abc,x=" + b"y" * 2048],
)  # fmt: skip
def test_a_broken_first_message_is_refused(data) -> None:
    assert code(ScramServer(keys(), None).first, Initial(BARE, data)) == "sasl"


def test_an_extension_that_must_be_known_is_named() -> None:
    for data in (b"n,,m=x,n=,r=abc", b"n,,n=,r=abc,m=ext"):
        with pytest.raises(SaslFailed, match="needs an extension that is not known"):
            ScramServer(keys(), None).first(Initial(BARE, data))


def test_the_wrong_secret_is_told_from_a_broken_message() -> None:
    for wrong in ("k3y.of-a-leasf", "", SECRET + " "):
        server, client = ScramServer(keys(), BINDING), Peer(secret=wrong)
        assert code(server.final, client.final(server.first(client.first()))) == "wrong-proof"


def test_a_proof_for_another_certificate_is_somebody_in_between() -> None:
    server, client = ScramServer(keys(), BINDING), Peer(header=b"p=tls-server-end-point,,")
    first = server.first(client.first(PLUS))
    assert code(server.final, client.final(first, binding=b"\x18" * 32)) == "channel-binding"
    # And one that claims, in its last message, to have said something else in its first.
    honest = Peer(header=b"n,,")
    honest.bare = client.bare
    assert code(server.final, honest.final(first)) == "channel-binding"


def test_a_proof_is_good_for_its_own_exchange_only() -> None:
    one, client = ScramServer(keys(), None), Peer()
    proof = client.final(one.first(client.first()))
    other = ScramServer(keys(), None)
    other.first(client.first())
    assert code(other.final, proof) == "sasl"
    third, again = ScramServer(keys(), None), Peer()
    assert code(third.final, again.final(third.first(again.first()), nonce=again.nonce)) == "sasl"


@pytest.mark.parametrize("cut", [b"", b",p=", b",p=AAAA", b",p=!!!!", b",p=" + b"A" * 44 + b"\n"])
def test_a_broken_last_message_is_refused(cut) -> None:
    server, client = ScramServer(keys(), None), Peer()
    head = client.final(server.first(client.first())).rpartition(b",p=")[0]
    assert code(server.final, head + cut) == "sasl"


def test_mandatory_extensions_are_refused_and_others_are_signed() -> None:
    server, client = ScramServer(keys(), None), Peer()
    assert code(server.final, client.final(server.first(client.first()), extensions=b",m=x")) == "sasl"
    server, client = ScramServer(keys(), None), Peer()
    assert server.final(client.final(server.first(client.first()), extensions=b",x=y")).startswith(b"v=")


@quick
@given(st.binary(max_size=60), st.binary(max_size=90), st.sampled_from([PLUS, BARE, "X"]))
def test_arbitrary_messages_fail_and_do_nothing_else(first, last, mechanism) -> None:
    server = ScramServer(keys(iterations=1), BINDING)
    with contextlib.suppress(SaslFailed):
        server.first(Initial(mechanism, first))
    with pytest.raises(SaslFailed):
        server.final(last)
    with pytest.raises(SaslFailed):
        server.final(b"c=" + base64.b64encode(first) + b",r=" + last + b",p=" + base64.b64encode(b"\0" * 32))


def test_messages_are_what_the_client_side_reads() -> None:
    assert codec.sasl_mechanisms(codec.authentication(sasl.request((PLUS, BARE))).data) == (PLUS, BARE)
    assert sasl.initial(build.sasl_initial(PLUS, b"data")) == Initial(PLUS, b"data")
    assert sasl.initial(build.message(b"p", b"X\0\xff\xff\xff\xff")) == Initial("X", b"")
    assert sasl.response(build.sasl_response(b"data")) == b"data"
    assert codec.authentication(sasl.outcome(b"v=x")).code == 12
    for broken in (b"X\0\0\0\0\5abc", b"X\0\0\0\0\1abc", b"X", b"\xff\0\0\0\0\0", b"X\0\0\0"):
        with pytest.raises(ProtocolViolation):
            sasl.initial(build.message(b"p", broken))


# --- the certificate


def certificate(key: object, algorithm: hashes.HashAlgorithm | None, **more: object) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + datetime.timedelta(1))  # type: ignore[attr-defined]  # any key
    return builder.sign(key, algorithm, **more).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]  # any key


def test_the_binding_is_the_hash_of_the_certificate_by_its_own_signature() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    for algorithm, name in ((hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384"), (hashes.SHA512(), "sha512")):
        pem = certificate(curve, algorithm)
        der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        assert (
            sasl.server_end_point(pem + b"\n" + certificate(curve, hashes.SHA512())) == hashlib.new(name, der).digest()
        )


def test_no_binding_where_libpq_could_not_name_the_hash() -> None:
    assert sasl.server_end_point(certificate(ed25519.Ed25519PrivateKey.generate(), None)) is None
    key = rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    assert sasl.server_end_point(certificate(key, hashes.SHA256(), rsa_padding=pss)) is None
    assert sasl.server_end_point(certificate(key, hashes.SHA256())) is not None


# --- OAUTHBEARER


@pytest.mark.parametrize(
    ("data", "token"),
    [
        (b"n,,\x01auth=Bearer a.b-c_d~e+f/g==\x01\x01", "a.b-c_d~e+f/g=="),
        (b"y,,\x01auth=bearer   x\x01\x01", "x"),
        (b"n,,\x01host=db\x01port=5432\x01auth=BEARER x\x01\x01", "x"),
        (b"n,,\x01auth=\x01\x01", ""),
    ],
)
def test_a_bearer_token_is_taken(data, token) -> None:
    assert sasl.bearer(Initial(OAUTHBEARER, data)) == Secret(token)


@pytest.mark.parametrize(
    "data",
    [b"", b"n,,", b"n,,\x01", b"n,,\x01\x01", b"n,,\x01\x01\x01", b"p=tls-server-end-point,,\x01auth=Bearer x\x01\x01",
     b"n,a=dba,\x01auth=Bearer x\x01\x01", b"n,,\x01auth=Bearer x\x01", b"n,,auth=Bearer x\x01\x01",
     b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01", b"n,,\x01auth=Basic eDp5\x01\x01", b"n,,\x01auth=Bearer\x01\x01",
     b"n,,\x01auth=Bearer x y\x01\x01", b"n,,\x01auth=Bearer x=y\x01\x01", b"n,,\x01auth=Bearer \xc3\xa4\x01\x01", b"n,,\x01host=db\x01\x01",
     b"n,,\x01auth=Bearer x\x00\x01\x01", b"n,,\x011=2\x01auth=Bearer x\x01\x01", b"n,,\x01auth=Bearer x\x01\x01\x01"],
)  # fmt: skip
def test_a_broken_oauth_message_is_refused(data) -> None:
    assert code(sasl.bearer, Initial(OAUTHBEARER, data)) == "sasl"
    assert code(sasl.bearer, Initial(BARE, b"n,,\x01auth=Bearer x\x01\x01")) == "sasl"


def test_the_challenge_says_where_to_get_a_token() -> None:
    assert json.loads(OAuth("https://idp/realms/ops", "openid groups").challenge) == {
        "status": "invalid_token",
        "openid-configuration": "https://idp/realms/ops/.well-known/openid-configuration",
        "scope": "openid groups",
    }
    own = "https://idp/.well-known/oauth-authorization-server/ops"
    assert json.loads(OAuth(own).challenge)["openid-configuration"] == own
    for wrong in (
        {"issuer": "idp"},
        {"issuer": 'https://i"dp'},
        {"issuer": "https://idp", "scope": "a  b"},
        {"issuer": "https://idp", "scope": ""},
    ):
        with pytest.raises(ValueError, match="expected"):
            OAuth(**wrong)
