"""The server's side of SASL: SCRAM-SHA-256 with and without channel binding, and OAUTHBEARER. Pure.

Sources: RFC 5802, RFC 7677, RFC 5929 (tls-server-end-point), RFC 7628, PostgreSQL documentation "SASL Authentication". Own
code for SCRAM, because libpq leaves the user name of its first message empty (the start-up packet has it), which libraries refuse.
Knows no socket and no doorman; keys come in, proofs are judged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from hooptui.core.model import ScramKeys
from hooptui.core.secret import Secret
from hooptui.protocols.postgres import build
from hooptui.protocols.postgres.reader import Reader

PLUS, BARE, OAUTHBEARER = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "OAUTHBEARER"

SCRAM_MAX = 2048
"""Bytes of a client's SCRAM message; libpq's have some 150."""

_BINDING = b"tls-server-end-point"
_NONCE = re.compile(rb"[\x21-\x2b\x2d-\x7e]{1,256}")
_EXTENSION = re.compile(rb"[A-Za-z]=[^\x00,]+")
_KEY_VALUE = re.compile(rb"([A-Za-z]+)=([\x20-\x7e\t\r\n]*)")
_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)


class SaslFailed(Exception):
    """The exchange cannot go on. `code` is stable: `sasl` (broken messages), `channel-binding`, `wrong-proof`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        """Fit for the client and the operator alike; holds nothing secret."""


@dataclass(frozen=True, slots=True)
class Initial:
    """A SASLInitialResponse."""

    mechanism: str
    data: bytes


# --- messages


def request(mechanisms: Sequence[str]) -> bytes:
    """AuthenticationSASL: what the client may choose from, best first."""
    return build.message(b"R", b"\0\0\0\x0a" + b"".join(build.string(name) for name in mechanisms) + b"\0")


def proceed(data: bytes) -> bytes:
    """AuthenticationSASLContinue."""
    return build.message(b"R", b"\0\0\0\x0b" + data)


def outcome(data: bytes) -> bytes:
    """AuthenticationSASLFinal."""
    return build.message(b"R", b"\0\0\0\x0c" + data)


def initial(raw: bytes) -> Initial:
    """Read a SASLInitialResponse; one without data is taken as an empty one.

    Raises:
        ProtocolViolation: it is cut short or too long, or names a mechanism in letters no mechanism has.
    """
    body = Reader(raw, "SASLInitialResponse")
    name, size = body.string(), body.uint32()
    data = body.rest()
    if len(data) != (0 if size == 0xFFFFFFFF else size):
        raise body.violation("is not as long as it says")
    if not name.isascii():
        raise body.violation("names a mechanism in letters no mechanism has")
    return Initial(name.decode("ascii"), data)


def response(raw: bytes) -> bytes:
    """The data of a SASLResponse."""
    return Reader(raw, "SASLResponse").rest()


# --- SCRAM


def server_end_point(pem: bytes) -> bytes | None:
    """What a client of a server with this certificate (the first in `pem`) binds its login to: the hash of RFC 5929 section 4.1.

    None where the certificate's signature has no hash of its own, or one that older clients cannot name (Ed25519, RSA-PSS):
    offered nevertheless, channel binding would break every login of libpq 15 and before.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or certificate.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS:
        return None
    # MD5 and SHA-1 count as SHA-256.
    name = "sha256" if isinstance(algorithm, (hashes.MD5, hashes.SHA1)) else algorithm.name
    return hashlib.new(name, certificate.public_bytes(serialization.Encoding.DER)).digest()


class ScramServer:
    """One exchange: `first` on the client's first message, then `final` on its last."""

    def __init__(self, keys: ScramKeys, binding: bytes | None) -> None:
        """`binding` is the data of tls-server-end-point; None when it cannot be offered."""
        self._keys = keys
        self._binding = binding
        self._header = b""
        self._nonce = b""
        self._said = b""
        """Both first messages, as the proof covers them."""

    @property
    def mechanisms(self) -> tuple[str, ...]:
        return (PLUS, BARE) if self._binding is not None else (BARE,)

    def first(self, chosen: Initial) -> bytes:
        """The server's first message.

        Raises:
            SaslFailed: another mechanism, a broken message, or one that speaks of a downgrade.
        """
        if chosen.mechanism not in self.mechanisms:
            raise _broken(f"the client chose a mechanism that was not offered: {chosen.mechanism[:64]!a}")
        if len(chosen.data) > SCRAM_MAX:
            raise _broken("the client's first SCRAM message is too long")
        flag, comma, rest = chosen.data.partition(b",")
        authzid, second, bare = rest.partition(b",")
        if not comma or not second:
            raise _broken("the client's first SCRAM message has no header")
        self._bind(chosen.mechanism, flag)
        if authzid:
            raise _broken("the client asks to act for somebody else, which is not supported")
        name, _, rest = bare.partition(b",")
        if name.startswith(b"m="):
            raise _broken("the client's first SCRAM message needs an extension that is not known")
        nonce, more, extensions = rest.partition(b",")
        # The name is not read: the start-up packet's counts, as in the server.
        if (
            not name.startswith(b"n=")
            or b"\0" in name
            or not nonce.startswith(b"r=")
            or not _NONCE.fullmatch(nonce[2:])
        ):
            raise _broken("the client's first SCRAM message is malformed")
        _known(more + extensions)
        self._header = flag + b",,"
        self._nonce = nonce[2:] + secrets.token_urlsafe(24).encode()
        salt = base64.b64encode(self._keys.salt)
        answer = b"r=%b,s=%b,i=%d" % (self._nonce, salt, self._keys.iterations)
        self._said = bare + b"," + answer
        return answer

    def final(self, message: bytes) -> bytes:
        """The server's last message, its own proof.

        Raises:
            SaslFailed: with `wrong-proof`, the client does not know the secret; with `channel-binding`, what it talks to is not what
                it sees; otherwise the message is broken.
        """
        head, comma, proof = message.rpartition(b",p=")
        binding, _, rest = head.partition(b",")
        nonce, more, extensions = rest.partition(b",")
        if len(message) > SCRAM_MAX or not comma or not binding.startswith(b"c=") or not nonce.startswith(b"r="):
            raise _broken("the client's last SCRAM message is malformed")
        _known(more + extensions)
        bound = self._binding if self._header.startswith(b"p=") else None
        if not hmac.compare_digest(binding[2:], base64.b64encode(self._header + (bound or b""))):
            raise SaslFailed(
                "channel-binding",
                "SCRAM channel binding failed: the client sees another certificate than this gateway's, as it does when somebody is in between",
            )
        if not hmac.compare_digest(nonce[2:], self._nonce):
            raise _broken("the client's last SCRAM message belongs to another exchange")
        signed = self._said + b"," + head
        if not self._proves(signed, _base64(proof)):
            raise SaslFailed("wrong-proof", "the secret is wrong")
        return b"v=" + base64.b64encode(hmac.digest(self._keys.server_key, signed, "sha256"))

    def _bind(self, mechanism: str, flag: bytes) -> None:
        """Judge the client's word on channel binding.

        Raises:
            SaslFailed: it does not fit the mechanism, or somebody took the better one from the list.
        """
        if mechanism == PLUS:
            if flag != b"p=" + _BINDING:
                raise SaslFailed("channel-binding", f"{PLUS} takes channel binding {_BINDING.decode()} only")
        elif flag == b"y" and self._binding is not None:
            raise SaslFailed(
                "channel-binding",
                f"the client believes that {PLUS} was not offered, but it was: somebody in between has taken it away",
            )
        elif flag not in (b"n", b"y"):
            raise SaslFailed("channel-binding", f"{BARE} takes no channel binding")

    def _proves(self, signed: bytes, proof: bytes) -> bool:
        signature = hmac.digest(self._keys.stored_key, signed, "sha256")
        if len(proof) != len(signature):
            raise _broken("the client's proof is not as long as proofs are")
        client_key = bytes(a ^ b for a, b in zip(signature, proof, strict=True))
        return hmac.compare_digest(hashlib.sha256(client_key).digest(), self._keys.stored_key)


def _known(extensions: bytes) -> None:
    """Extensions, each behind a comma, that are not mandatory may be there and mean nothing."""
    for one in extensions.split(b",")[1:]:
        if not _EXTENSION.fullmatch(one):
            raise _broken("a SCRAM message of the client has a malformed attribute")
        if one.startswith(b"m="):
            raise _broken("a SCRAM message of the client needs an extension that is not known")


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _broken("the client's proof is not base64") from None


def _broken(message: str) -> SaslFailed:
    return SaslFailed("sasl", message)


# --- OAUTHBEARER


@dataclass(frozen=True, slots=True)
class OAuth:
    """What a client that has no token yet is told: where to get one."""

    issuer: str
    """URL of the issuer, `https://…`; or of its discovery document, when that is not where it usually is."""
    scope: str = "openid"
    """Scopes to ask for, separated by spaces."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[\x21-\x7e]+", self.issuer) or '"' in self.issuer or "\\" in self.issuer:
            raise ValueError(f"issuer: found {self.issuer!a}, expected an https URL")
        if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*", self.scope):
            raise ValueError(f"scope: found {self.scope!a}, expected scopes of RFC 6749 separated by single spaces")

    @property
    def challenge(self) -> bytes:
        """The JSON that refuses a token, or the want of one (RFC 7628 section 3.2.2, in the members that libpq reads)."""
        where = self.issuer if "/.well-known/" in self.issuer else f"{self.issuer}/.well-known/openid-configuration"
        said = {"status": "invalid_token", "openid-configuration": where, "scope": self.scope}
        return json.dumps(said).encode()


DUMMY = b"\x01"
"""What a client answers to the challenge, before it is told that it failed."""


def bearer(chosen: Initial) -> Secret:
    """The token in a client's OAUTHBEARER message; empty when it asks where to get one.

    Raises:
        SaslFailed: another mechanism, or a broken message.
    """
    if chosen.mechanism != OAUTHBEARER:
        raise _broken(f"the client chose a mechanism that was not offered: {chosen.mechanism[:64]!a}")
    header, comma, rest = chosen.data.partition(b",")
    authzid, second, pairs = rest.partition(b",")
    if not comma or not second or header not in (b"n", b"y"):
        raise _broken(
            "the client's OAUTHBEARER message has no header, or one with channel binding, which it cannot have"
        )
    if authzid:
        raise _broken("the client asks to act for somebody else, which is not supported")
    if not pairs.startswith(b"\x01") or not pairs.endswith(b"\x01\x01"):
        raise _broken("the client's OAUTHBEARER message does not begin and end as it must")
    found = [_KEY_VALUE.fullmatch(pair) for pair in pairs[1:-2].split(b"\x01")]
    values = [pair[2] for pair in found if pair is not None and pair[1] == b"auth"]
    if None in found or len(values) != 1:
        raise _broken("the client's OAUTHBEARER message is malformed or has not exactly one auth")
    if not values[0]:
        return Secret("")
    token = _BEARER.fullmatch(values[0].decode("ascii"))
    if token is None:
        raise _broken("the client's OAUTHBEARER message has no bearer token")
    return Secret(token[1])
