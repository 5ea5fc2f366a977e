"""SAML metadata (saml-metadata-2.0-os): ours as a document for the provider, and the provider's from a file on this machine.

The provider's metadata is never fetched: whoever may set up this gateway puts the file there, and that is what its keys are
trusted for.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from hooptui.auth.saml.document import parser
from hooptui.auth.saml.names import DS, MD, POST_BINDING, REDIRECT_BINDING, SAMLP
from hooptui.auth.saml.settings import SamlIdp, SamlWay, certificates, read_bounded

_ENTITY = f"{{{MD}}}EntityDescriptor"


def ours(way: SamlWay, acs_url: str) -> bytes:
    """The document that a provider's administrator imports: who we are, and where and how we take answers."""
    root = etree.Element(_ENTITY, nsmap={"md": MD}, entityID=way.sp_entity_id)
    role = etree.SubElement(
        root,
        f"{{{MD}}}SPSSODescriptor",
        AuthnRequestsSigned="false",
        WantAssertionsSigned="true",
        protocolSupportEnumeration=SAMLP,
    )
    etree.SubElement(role, f"{{{MD}}}NameIDFormat").text = way.name_id_format
    etree.SubElement(
        role, f"{{{MD}}}AssertionConsumerService", Binding=POST_BINDING, Location=acs_url, index="0", isDefault="true"
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def idp_from_file(file: Path, entity_id: str = "") -> SamlIdp:
    """The identity provider that a metadata file describes; `entity_id` picks one when the file has several.

    Raises:
        ValueError: naming the file, what was found and what is expected; or as `SamlIdp`.
    """
    root = _root(file)
    entities = [one for one in root.iter(_ENTITY) if not entity_id or one.get("entityID") == entity_id]
    if len(entities) != 1:
        wanted = entity_id or "one entity; set entity_id when there are several"
        raise ValueError(f"metadata: {file} has {len(entities)} fitting entities, expected {wanted}")
    roles = [
        role
        for role in entities[0].findall(f"{{{MD}}}IDPSSODescriptor")
        if SAMLP in (role.get("protocolSupportEnumeration") or "").split()
    ]
    if len(roles) != 1:
        raise ValueError(f"metadata: {file} has {len(roles)} IDPSSODescriptors for SAML 2.0, expected one")
    services = [
        service.get("Location") or ""
        for service in roles[0].findall(f"{{{MD}}}SingleSignOnService")
        if service.get("Binding") == REDIRECT_BINDING
    ]
    if len(services) != 1:
        raise ValueError(f"metadata: {file} has {len(services)} SingleSignOnServices for HTTP-Redirect, expected one")
    blocks: dict[str, None] = {}
    for key in roles[0].findall(f"{{{MD}}}KeyDescriptor"):
        if key.get("use", "signing") == "signing":
            for shown in key.iter(f"{{{DS}}}X509Certificate"):
                body = "".join((shown.text or "").split())
                blocks[f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"] = None
    found = certificates("".join(blocks), str(file)) if blocks else ()
    return SamlIdp(entities[0].get("entityID") or "", services[0], found)


def _root(file: Path) -> etree._Element:
    try:
        root = etree.fromstring(read_bounded(file, "metadata"), parser())
    except etree.XMLSyntaxError as bad:
        raise ValueError(f"metadata: {file} is not well-formed XML ({bad})") from None
    docinfo = root.getroottree().docinfo
    if docinfo.internalDTD is not None or docinfo.externalDTD is not None:
        raise ValueError(f"metadata: {file} has a document type declaration, expected none")
    return root
