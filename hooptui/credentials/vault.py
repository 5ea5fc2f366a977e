"""One value of a secret in the KV engine (version 2) of HashiCorp Vault or OpenBao, by hvac, which is an extra: `hooptui[vault]`.

Source: Vault's HTTP API, "KV secrets engine, version 2". The token goes to the configured address and nowhere else: no redirect is
followed, no proxy and no other setting of the environment is heeded. What the server says in its errors is not repeated.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from hooptui.core.secret import Secret
from hooptui.credentials.references import CredentialTrouble, VaultReference

if TYPE_CHECKING:
    import requests

TIMEOUT = 10.0
"""Seconds for all of it."""

ANSWER_MAX = 1024 * 1024
"""Bytes of an answer; a secret may have several values, of which one is wanted."""


def fetch(where: VaultReference, token: Secret) -> bytes:
    """The value as it is now; blocks for one request.

    Raises:
        CredentialTrouble: it cannot be had.
    """
    found: list[bytes | CredentialTrouble | Exception] = []

    def work() -> None:
        try:
            found.append(_fetch(where, token))
        except Exception as fault:  # noqa: BLE001 - handed over to the caller's thread
            found.append(fault)

    # On a thread of its own, for no setting of the library's bounds the whole: a server may send a byte each second.
    thread = threading.Thread(target=work, name="vault", daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    if not found:
        raise CredentialTrouble(f"{where}: no answer within {TIMEOUT:g} s")
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _fetch(where: VaultReference, token: Secret) -> bytes:
    try:
        import hvac  # type: ignore[import-untyped]  # it ships no types
        import requests
    except ImportError:
        raise CredentialTrouble(f"{where}: this needs an extra; do: pip install 'hooptui[vault]'") from None
    with _session(requests) as session:
        # The library takes this from the session it is given, and from its own arguments only when it makes one.
        session.verify = str(where.ca_file) if where.ca_file is not None else True
        client = hvac.Client(
            url=where.address,
            token=token.reveal(),
            timeout=TIMEOUT / 2,
            allow_redirects=False,
            session=session,
            namespace="",
        )
        try:
            answer = client.secrets.kv.v2.read_secret_version(
                path=where.path, mount_point=where.mount, raise_on_deleted_version=True
            )
        except hvac.exceptions.InvalidPath:
            raise CredentialTrouble(f"{where}: there is no such secret, or its last version was deleted") from None
        except (hvac.exceptions.Forbidden, hvac.exceptions.Unauthorized):
            raise CredentialTrouble(f"{where}: the token ({where.token}) may not read it, or has expired") from None
        except hvac.exceptions.VaultDown:
            raise CredentialTrouble(f"{where}: the server is sealed or in maintenance") from None
        except hvac.exceptions.VaultError as fault:
            raise CredentialTrouble(f"{where}: the server answers {type(fault).__name__}") from None
        except requests.exceptions.SSLError as fault:
            raise CredentialTrouble(f"{where}: the server's certificate is not trusted ({_why(fault)})") from None
        except requests.exceptions.RequestException as fault:
            raise CredentialTrouble(f"{where}: it cannot be reached ({type(fault).__name__})") from None
        except OSError as fault:
            raise CredentialTrouble(f"{where}: {fault.strerror or fault}") from None
    return _value(answer, where)


def _value(answer: Any, where: VaultReference) -> bytes:
    try:
        values = answer["data"]["data"]
    except (TypeError, KeyError):
        raise CredentialTrouble(f"{where}: the answer is not one of a KV engine of version 2") from None
    value = values.get(where.key) if isinstance(values, dict) else None
    if not isinstance(value, str):
        raise CredentialTrouble(f"{where}: the secret has no such key, or its value is not a text")
    return value.encode()


def _session(library: Any) -> requests.Session:
    """A session that heeds no environment and reads bounded answers only."""

    class Bounded(library.Session):  # type: ignore[misc]  # the class is known once the library is loaded
        def request(self, *args: Any, **settings: Any) -> Any:
            settings["stream"] = True
            until = time.monotonic() + TIMEOUT
            answer = super().request(*args, **settings)
            raw = bytearray()
            for part in answer.iter_content(8192):
                raw += part
                if len(raw) > ANSWER_MAX or time.monotonic() > until:
                    answer.close()
                    raise library.exceptions.ContentDecodingError("too much, or too slow")
            answer._content = bytes(raw)
            if answer.is_redirect:
                raise library.exceptions.TooManyRedirects("a redirect, which is not followed")
            return answer

    session: requests.Session = Bounded()
    session.trust_env = False
    return session


def _why(fault: Exception) -> str:
    """The reason inside what the library wraps around it."""
    words = str(fault)
    return words.rpartition("] ")[2].split(" (_ssl")[0][:200] if "] " in words else type(fault).__name__
