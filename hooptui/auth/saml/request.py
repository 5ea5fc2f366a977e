"""Our question to the identity provider: an AuthnRequest in the query of a redirect (SAML bindings section 3.4).

Not signed: it asks for nothing that whoever can open the page could not ask for, and the answer is bound to it by its ID.
Standard library only.
"""

from __future__ import annotations

import base64
import secrets
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.sax.saxutils import quoteattr

from hooptui.auth.saml.names import POST_BINDING, SAML, SAMLP
from hooptui.auth.saml.settings import SamlWay


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of ours that may be answered once, by the browser that made it."""

    id: str
    """160 random bits, as an XML name."""
    way: str
    """Id of the way it was asked by."""
    acs_url: str
    """Where the answer must have been sent."""
    url: str
    """Where to send the browser."""


def ask(way: SamlWay, acs_url: str, now: float) -> Asked:
    """A fresh request of `way`, whose answer goes to `acs_url`; `now` in Unix seconds."""
    number = f"_{secrets.token_hex(20)}"
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(_document(way, acs_url, number, now).encode()) + packer.flush()
    query = urlencode({"SAMLRequest": base64.b64encode(packed).decode("ascii")})
    joint = "&" if "?" in way.idp.sso_url else "?"
    return Asked(number, way.id, acs_url, f"{way.idp.sso_url}{joint}{query}")


def _document(way: SamlWay, acs_url: str, number: str, now: float) -> str:
    issued = datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = "".join(
        f"<saml:AuthnContextClassRef>{_text(one)}</saml:AuthnContextClassRef>" for one in way.authn_contexts
    )
    context = (
        f'<samlp:RequestedAuthnContext Comparison="exact">{wanted}</samlp:RequestedAuthnContext>' if wanted else ""
    )
    force = ' ForceAuthn="true"' if way.force_authn else ""
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{number}" Version="2.0" IssueInstant="{issued}"'
        f" Destination={quoteattr(way.idp.sso_url)} AssertionConsumerServiceURL={quoteattr(acs_url)}"
        f' ProtocolBinding="{POST_BINDING}"{force}><saml:Issuer>{_text(way.sp_entity_id)}</saml:Issuer>'
        f'<samlp:NameIDPolicy AllowCreate="true" Format={quoteattr(way.name_id_format)}/>{context}</samlp:AuthnRequest>'
    )


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
