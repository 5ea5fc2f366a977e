"""The portal's pages as text: values in, HTML out. Everything that comes from outside is shown, never obeyed. Pure.

No script, no picture, no font; one stylesheet. Colour is never the only sign, each field has its label, and a page can be
used with a keyboard alone and at 320 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import assert_never

from hooptui.core.model import Identity, Kind, Lease
from hooptui.core.visible import visible
from hooptui.portal.base import Login
from hooptui.portal.devices import Device


def text(value: str, limit: int = 512) -> str:
    """Hostile text fit for a page: hidden characters visible, markup inert, bounded."""
    cut = value[:limit] + ("…" if len(value) > limit else "")
    return escape(visible(cut))


def page(gateway: str, title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{text(title)} · {text(gateway)}</title>\n<link rel="stylesheet" href="/style.css">\n</head>\n<body>\n'
        f'<header><a href="/">hooptui</a> {text(gateway)}</header>\n<main>\n<h1>{text(title)}</h1>\n{body}\n</main>\n'
        "</body>\n</html>\n"
    )


def home(gateway: str, login: Login | None, csrf: str) -> str:
    if login is None:
        return page(
            gateway,
            "Access gateway",
            "<p>This gateway stands in front of databases, hosts and clusters. Log in here to get a short-lived lease for "
            "<code>psql</code>, <code>ssh</code> or <code>kubectl</code>.</p>\n"
            '<p class="row"><a class="button" href="/login">Log in</a> <a class="button quiet" href="/device">Enter a device code</a></p>',
        )
    return page(
        gateway,
        "You are logged in",
        f"{who(login.identity)}\n"
        "<p>A lease stands for you at this gateway for a short time. It is shown once.</p>\n"
        f'<form method="post" action="/lease">{hidden(csrf)}<button>Give me a lease</button></form>\n'
        '<p><a href="/device">Enter a device code</a></p>\n'
        f'<form method="post" action="/logout">{hidden(csrf)}<button class="quiet">Log out</button></form>',
    )


def ways(gateway: str, oidc: Sequence[tuple[str, str]], saml: Sequence[tuple[str, str]], device: Device | None) -> str:
    """`oidc` and `saml` are id and title of each way."""
    links = [f'<li><a class="button" href="/login/{escape(way)}">{text(title)}</a></li>' for way, title in oidc]
    links += [f'<li><a class="button" href="/saml/{escape(way)}/login">{text(title)}</a></li>' for way, title in saml]
    if not links:
        return page(
            gateway,
            "Log in",
            "<p>No way to log in with a browser is set up here. Ask the people who run this gateway.</p>",
        )
    lead = (
        f"<p>Then you can let the device with the code <code>{text(device.user_code)}</code> in.</p>"
        if device is not None
        else ""
    )
    return page(
        gateway, "Log in", f'{lead}<p>Where are you known?</p>\n<ul class="ways">\n{chr(10).join(links)}\n</ul>'
    )


def enter_code(gateway: str, csrf: str, typed: str, wrong: str = "") -> str:
    fault = f'<p class="bad" id="wrong" role="alert">✗ {text(wrong[:1].upper() + wrong[1:])}.</p>' if wrong else ""
    described = ' aria-describedby="wrong" aria-invalid="true"' if wrong else ""
    return page(
        gateway,
        "Enter a device code",
        "<p>A program on another machine shows a code of eight letters. Enter it only if you started that program yourself.</p>\n"
        f'{fault}<form method="post" action="/device">{hidden(csrf)}\n'
        '<label for="user_code">Code</label>\n'
        '<input type="text" id="user_code" name="user_code" maxlength="16" required autofocus autocomplete="off" '
        f'autocapitalize="characters" spellcheck="false" value="{text(typed, 16)}"{described}>\n'
        '<div class="row"><button>Continue</button></div></form>',
    )


def confirm(gateway: str, csrf: str, device: Device, login: Login) -> str:
    match device.wanted:
        case "lease":
            asks = "A program wants a lease in your name"
            effect = "With it, that program can do at this gateway what you may do, until the lease ends."
        case "login":
            asks = "A client at a listener of this gateway wants to log in as you"
            effect = "It then does at this gateway what you may do, until the lease that comes of it ends."
        case "operator":
            asks = "A screen of this gateway wants you as its operator"
            effect = "Whoever sits there can then approve, deny and kill in your name, until the login ends."
        case _ as never:
            assert_never(never)
    purpose = row("It says", f"“{text(device.purpose)}”") if device.purpose else ""
    return page(
        gateway,
        asks,
        f"<dl>\n{row('Code', f'<span class=code>{text(device.user_code)}</span>')}\n{row('Asked from', text(device.peer))}\n"
        f"{purpose}</dl>\n<p><strong>Is this the code that you see there, and did you start it?</strong> {effect}</p>\n"
        f"{who(login.identity)}\n"
        f'<form method="post" action="/device/confirm">{hidden(csrf)}'
        f'<input type="hidden" name="user_code" value="{text(device.user_code)}">\n'
        '<div class="row"><button name="do" value="deny" class="bad">✗ Deny</button>\n'
        '<button name="do" value="approve">✓ Approve</button></div></form>',
    )


def settled(gateway: str, device: Device, *, approved: bool) -> str:
    if not approved:
        return page(
            gateway,
            "Denied",
            f"<p>✗ The device with the code <code>{text(device.user_code)}</code> gets nothing. "
            "If you did not start it, tell the people who run this gateway.</p>",
        )
    return page(
        gateway,
        "Approved",
        f'<p class="good">✓ The device with the code <code>{text(device.user_code)}</code> goes on by itself. '
        "You can close this page.</p>",
    )


def lease(gateway: str, given: Lease, secret: str, pg: str) -> str:
    """`pg` is `host:port` of the PostgreSQL listener; empty when there is none."""
    host, _, port = pg.rpartition(":")
    how = (
        "<p>For <code>psql</code>, the lease is the user, and what follows the dot is the password:</p>\n"
        f'<pre>psql "host={text(host)} port={text(port)} user={text(given.id)} dbname=…"</pre>\n'
        if pg
        else ""
    )
    return page(
        gateway,
        "Your lease",
        f"<p>It is shown this once; keep it to yourself. It ends at {moment(given.expires_at)}.</p>\n"
        f'<pre id="lease" tabindex="0" aria-label="Lease">{text(secret)}</pre>\n{how}'
        "<p>Everywhere else the whole text is the password or bearer token.</p>",
    )


def logged_out(gateway: str) -> str:
    return page(
        gateway,
        "Logged out",
        "<p>This browser is logged out here. At your identity provider you may still be logged in.</p>",
    )


def problem(gateway: str, title: str, code: str, message: str, hint: str) -> str:
    advice = f"<p>{text(hint[:1].upper() + hint[1:])}.</p>\n" if hint else ""
    return page(
        gateway,
        title,
        f'<p role="alert"><span class="bad">✗</span> {text(message[:1].upper() + message[1:])}.</p>\n{advice}'
        f'<p class="dim">Reason: <code id="code">{text(code)}</code></p>\n<p><a href="/">Start page</a></p>',
    )


# --- parts


def who(identity: Identity) -> str:
    match identity.kind:
        case Kind.HUMAN:
            kind = "person"
        case Kind.WORKLOAD:
            kind = "workload"
        case Kind.AGENT:
            kind = f"agent of {text(identity.owner or 'an unknown person')}"
        case _ as never:
            assert_never(never)
    groups = ", ".join(text(group) for group in sorted(identity.groups)[:50]) or "none"
    more = f" and {len(identity.groups) - 50} more" if len(identity.groups) > 50 else ""
    rows = [
        row("You are", f"<strong>{text(identity.name)}</strong> ({kind})"),
        row("Known as", f"{text(identity.subject)} at {text(identity.issuer)}"),
        row("Groups", groups + more),
    ]
    return f"<dl>\n{chr(10).join(rows)}\n</dl>"


def row(label: str, value: str) -> str:
    """`value` is HTML."""
    return f"<div><dt>{text(label)}</dt><dd>{value}</dd></div>"


def hidden(csrf: str) -> str:
    return f'<input type="hidden" name="csrf" value="{escape(csrf)}">'


def moment(at: float) -> str:
    when = datetime.fromtimestamp(at, UTC)
    return f'<time datetime="{when:%Y-%m-%dT%H:%M:%SZ}">{when:%Y-%m-%d %H:%M} UTC</time>'
