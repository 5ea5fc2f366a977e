"""SAML 2.0 in the role of the service provider, for people who log in with a browser.

`settings` and `refusals` need nothing beyond hooptui itself. Everything else needs `hooptui[saml]` (lxml and signxml) and
is loaded by `service.service_provider`, so that a gateway without SAML never loads them.
"""
