"""`hooptui login`: the arguments, the way to a lease, and what becomes of it. The only part that knows all the others."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from hooptui.core.clock import Clock, SystemClock
from hooptui.core.secret import Secret
from hooptui.errors import UserError
from hooptui.login import device, files, kubectl, openssh, psql, state, web
from hooptui.login.gateway import NAME, DeviceStart, Gateway, Info, Obtained, Refused, Way, listener, origin
from hooptui.login.provider import Client, Provider, Token
from hooptui.login.state import Login, Place
from hooptui.login.terminal import Terminal, span, when

CLIENTS: Final = {"psql": "pg", "kube": "k8s", "ssh": "ssh"}
"""What can be installed, and the listener it needs."""
USAGE: Final = 2
FRESH: Final = 60.0
"""Seconds that a kept lease must have left to be handed out once more."""
SCOPE: Final = "openid profile groups"
MAX_TOKEN: Final = 64 * 1024

T = TypeVar("T")


def arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the grammar of `hooptui login` to a parser, the command line's own sub-parser or a new one."""
    add = parser.add_argument
    add(
        "gateway",
        nargs="?",
        metavar="URL",
        help="the gateway's portal, such as https://bastion:8443; may be left out when only one is known",
    )
    add("--ca", type=Path, metavar="FILE", help="the gateway's ca.crt, when its certificate is its own; remembered")
    add("--way", metavar="ID", help="which identity provider, when the gateway has several")
    add("--device-at-idp", action="store_true", help="log in at the identity provider's own device page")
    add(
        "--token-file", metavar="FILE", help="log in with the token in this file, such as CI systems leave; - for stdin"
    )
    add("--token-env", metavar="NAME", help="log in with the token in this environment variable")
    add("--client-id", metavar="ID", help="the client at the identity provider, instead of the gateway's")
    add("--client-secret-file", metavar="FILE", help="log in as that client, with the secret in this file")
    add("--scope", help=f"scopes to ask the identity provider for (at its device page by default: {SCOPE})")
    add("--resource", default="", metavar="URI", help="the resource to ask the identity provider a token for")
    add("--audience", default="", help="the audience to ask the identity provider a token for")
    add("--purpose", default="", metavar="WORDS", help="what for; shown to whoever confirms the login")
    add("--install", choices=(*CLIENTS, "all", "none"), help="set up these clients now and at each later login")
    add(
        "--cluster",
        action="append",
        default=[],
        metavar="NAME",
        help="a Kubernetes cluster to make a context for; may be repeated",
    )
    add(
        "--exec-credential",
        action="store_true",
        help="for kubectl: print the lease as an ExecCredential, logging in when it is over",
    )
    add("--ssh-certificate", action="store_true", help="for ssh: renew the certificate when it is over")
    return parser


def run(arguments_: Sequence[str]) -> int:
    """`hooptui login` with these arguments; returns the exit status."""
    return start(
        arguments(argparse.ArgumentParser(prog="hooptui login", description=__doc__)).parse_args(list(arguments_))
    )


def start(args: argparse.Namespace) -> int:
    """The same with arguments that were parsed already."""
    terminal = Terminal()
    try:
        return _Run(args, os.environ, SystemClock(), time.sleep, terminal).run()
    except UserError as fault:
        terminal.say(f"hooptui login: {fault}")
        return USAGE
    except Refused as no:
        terminal.say(f"hooptui login: refused: {no.sentence()}")
        return 1
    except KeyboardInterrupt:
        terminal.say("\nhooptui login: given up")
        return 130


@dataclass(frozen=True, slots=True)
class _Run:
    args: argparse.Namespace
    environment: Mapping[str, str]
    clock: Clock
    sleep: Callable[[float], None]
    terminal: Terminal

    def run(self) -> int:
        """Raises UserError, Refused, KeyboardInterrupt."""
        self._check()
        url = origin(self._gateway())
        place = Place.of(url, self.environment)
        files.private_directory(place.directory)
        if self.args.exec_credential or self.args.ssh_certificate:
            return self._renew(url, place)
        with self._connected(url, place) as gateway:
            info = gateway.info()
            login = self._log_in(gateway, info, place)
            self._set_up(gateway, info, login, place, tell=True)
        return 0

    # --- what was asked for

    def _check(self) -> None:
        """Raises UserError: arguments that do not go together."""
        args = self.args
        ways = {
            "--token-file": args.token_file, "--token-env": args.token_env,
            "--device-at-idp": args.device_at_idp, "--client-secret-file": args.client_secret_file,
        }  # fmt: skip
        given = [name for name, value in ways.items() if value]
        if len(given) > 1:
            raise UserError(f"{given[0]} and {given[1]} are two ways to log in; give one")
        if args.client_secret_file and not args.client_id:
            raise UserError("--client-secret-file needs --client-id")
        if args.exec_credential and args.ssh_certificate:
            raise UserError("--exec-credential and --ssh-certificate print different things; give one")
        for name in args.cluster:
            if not NAME.fullmatch(name):
                raise UserError(
                    f"--cluster: found {name!a}, expected a name of letters, digits, dots, dashes and underscores"
                )

    def _gateway(self) -> str:
        if self.args.gateway:
            return str(self.args.gateway)
        known = state.known(self.environment)
        if len(known) == 1:
            return known[0]
        found = f"there are logins to {', '.join(known)}" if known else "there is no login yet"
        raise UserError(
            f"which gateway? {found}; give the address of its portal, such as https://bastion.example.com:8443"
        )

    def _connected(self, url: str, place: Place) -> Gateway:
        """Raises UserError."""
        ca: Path | None = self.args.ca or (place.ca if place.ca.exists() else None)
        return Gateway(url, web.options(ca))

    # --- to a lease

    def _log_in(self, gateway: Gateway, info: Info, place: Place) -> Login:
        """Raises UserError, Refused."""
        way = self._way(info)
        before = state.load(place)
        installed = self._installed(info, before)
        got = self._obtain(gateway, info, way)
        if self.args.ca is not None:
            # Remembered only now: it vouched for a gateway that gave a lease.
            files.write(place.ca, files.read(self.args.ca) or b"", mode=0o644)
        clusters = tuple(dict.fromkeys([*(before.clusters if before else ()), *self.args.cluster]))
        login = Login(
            gateway.url,
            info.name,
            got.lease,
            got.secret,
            self.clock.now() + got.expires_in,
            got.who[:200],
            info.listeners,
            installed,
            clusters,
        )
        state.save(place, login)
        return login

    def _installed(self, info: Info, before: Login | None) -> tuple[str, ...]:
        """The clients to set up: what was asked for now, and what was before. Raises UserError: there is no listener for it."""
        kept = before.installed if before else ()
        match self.args.install:
            case None:
                return kept
            case "none":
                return ()
            case "all":
                return tuple(name for name, needs in CLIENTS.items() if needs in info.listeners)
            case one:
                if CLIENTS[one] not in info.listeners:
                    found = ", ".join(sorted(info.listeners)) or "none"
                    raise UserError(f"--install: {info.name} has no listener for {one}; it has {found}")
                return tuple(name for name in CLIENTS if name in {*kept, one})

    def _obtain(self, gateway: Gateway, info: Info, way: Way | None) -> Obtained:
        args = self.args
        if args.token_file or args.token_env:
            return gateway.exchange(self._token(), "jwt")
        if args.client_secret_file:
            secret = _text(Path(args.client_secret_file), "the client's secret")
            token = self._provider(info, way, secret).by_credentials()
            return gateway.exchange(token.value, token.kind)
        if args.device_at_idp:
            found = self._provider(info, way, None)
            token = found.by_device(lambda one: self._announce(one, info.name), self._wait_for_token)
            return gateway.exchange(token.value, token.kind)
        started = gateway.device(args.purpose)
        self._announce(started, info.name)
        return self._wait(started, lambda: gateway.poll(started.device_code))

    def _announce(self, started: DeviceStart, name: str) -> None:
        device.announce(started, name, self.clock, self.terminal)

    def _wait(self, started: DeviceStart, ask: Callable[[], T]) -> T:
        return device.wait(started, ask, self.clock, self.sleep, self.terminal)

    def _wait_for_token(self, started: DeviceStart, ask: Callable[[], Token]) -> Token:
        return self._wait(started, ask)

    def _way(self, info: Info) -> Way | None:
        """The identity provider that is meant; None when none has to be named. Raises UserError."""
        wanted: str | None = self.args.way
        names = ", ".join(f"{way.id} ({way.title or way.issuer})" for way in info.ways) or "none"
        if wanted is not None:
            for way in info.ways:
                if way.id == wanted:
                    return way
            raise UserError(f"--way: {info.name} has no way called {wanted!a}; it has {names}")
        if not (self.args.device_at_idp or self.args.client_secret_file):
            return None
        usable = [way for way in info.ways if way.kind == "oidc"]
        if len(usable) != 1:
            raise UserError(f"which identity provider? give --way; {info.name} has {names}")
        return usable[0]

    def _provider(self, info: Info, way: Way | None, secret: str | None) -> Provider:
        if way is None or way.kind != "oidc":
            raise UserError(f"--way: {way.id if way else 'none'} is no OpenID provider; log in with a browser instead")
        client_id = self.args.client_id or way.client_id
        if not client_id:
            raise UserError(f"{info.name} does not say which client to be at {way.id}; give --client-id")
        hidden = None if secret is None else Secret(secret)
        scope = self.args.scope or (SCOPE if secret is None else "")
        client = Client(client_id, hidden, scope, self.args.resource, self.args.audience)
        return Provider(way.issuer, client, web.options(None))

    def _token(self) -> Secret:
        """Raises UserError."""
        name: str | None = self.args.token_env
        if name is not None:
            found = self.environment.get(name, "").strip()
            if not found:
                raise UserError(f"--token-env: there is nothing in {name}")
            return Secret(_plain(found, f"--token-env {name}"))
        file: str = self.args.token_file
        if file == "-":
            return Secret(_plain(sys.stdin.read(MAX_TOKEN + 1).strip(), "stdin"))
        return Secret(_text(Path(file), "the token"))

    # --- for kubectl and ssh

    def _renew(self, url: str, place: Place) -> int:
        """Hand out what is kept, or get something new first. Programs that run side by side wait for one another."""
        with files.locked(place.lock):
            login = state.load(place)
            if login is None or login.expires_at - self.clock.now() < FRESH:
                self._may_log_in(url, login)
                with self._connected(url, place) as gateway:
                    info = gateway.info()
                    login = self._log_in(gateway, info, place)
                    self._set_up(gateway, info, login, place, tell=False)
            if self.args.exec_credential:
                self.terminal.answer(kubectl.credential(login))
            else:
                with self._connected(url, place) as gateway:
                    self._certificate(gateway, login, place)
        return 0

    def _may_log_in(self, url: str, login: Login | None) -> None:
        """Raises UserError: that takes a person, and nobody is there to read."""
        alone = self.args.token_file or self.args.token_env or self.args.client_secret_file
        if not alone and not (self.terminal.someone() and _interactive(self.environment)):
            what = "the login is over" if login is not None else "nobody is logged in"
            raise UserError(f"{url}: {what}; run: hooptui login {url}")

    # --- what becomes of a lease

    def _set_up(self, gateway: Gateway, info: Info, login: Login, place: Place, *, tell: bool) -> None:
        """Bring the clients' files up to date and, with `tell`, say how to connect. Raises UserError, Refused."""
        if info.ca is not None:
            files.write(place.listener_ca, info.ca.encode(), mode=0o644)
        else:
            place.listener_ca.unlink(missing_ok=True)
        address = psql.write_passfile(place, login)
        lines: list[str] = []
        if address is not None and "psql" in login.installed:
            path = psql.install(place, login, address, self.environment)
            lines.append(f'psql:     psql "service={login.name} dbname=TARGET"        (service in {path})')
        elif address is not None:
            lines.append(f"psql:     {psql.command(place, login, address)}")
        if "kube" in login.installed and (address := listener(login.listeners, "k8s", login.gateway)) is not None:
            path = kubectl.install(place, login, address, self._again("--exec-credential"))
            lines.append(f"kubectl:  export KUBECONFIG={path}")
        if "ssh" in login.installed and (address := listener(login.listeners, "ssh", login.gateway)) is not None:
            path = openssh.install(
                place, login, address, info.ssh_host_ca, self._again("--ssh-certificate"), self.environment
            )
            self._certificate(gateway, login, place)
            lines.append(f"ssh:      ssh TARGET@{login.name}        (host in {path})")
        if tell:
            left = login.expires_at - self.clock.now()
            self.terminal.say(
                f"\nLogged in to {login.name} as {login.who}, until {when(login.expires_at)} ({span(left)})."
            )
            for line in lines:
                self.terminal.say(f"  {line}")
            if not login.installed:
                self.terminal.say(f"  shorter:  hooptui login {login.gateway} --install all")

    def _certificate(self, gateway: Gateway, login: Login, place: Place) -> None:
        openssh.renew(place, lambda key: gateway.sign(login.secret, key), self.clock.now())

    def _again(self, what: str) -> list[str]:
        """The command that a client's configuration runs: this program, in the same way. Nothing in it is secret."""
        args = self.args
        program = shutil.which("hooptui")
        command = [program] if program else [sys.executable, "-m", "hooptui.cli"]
        command += ["login", origin(self._gateway()), what]
        for name, value in (
            ("--way", args.way), ("--token-env", args.token_env), ("--client-id", args.client_id),
            ("--scope", args.scope), ("--resource", args.resource), ("--audience", args.audience),
        ):  # fmt: skip
            command += [name, value] if value else []
        for name, path in (("--token-file", args.token_file), ("--client-secret-file", args.client_secret_file)):
            command += [name, str(Path(path).absolute())] if path and path != "-" else []
        return command + (["--device-at-idp"] if args.device_at_idp else [])


def _interactive(environment: Mapping[str, str]) -> bool:
    """Whether kubectl says that a person may be asked (`KUBERNETES_EXEC_INFO`); true when it is not kubectl that asks."""
    raw = environment.get("KUBERNETES_EXEC_INFO", "")
    if not raw:
        return True
    try:
        found = json.loads(raw)["spec"]["interactive"]
    except (ValueError, KeyError, TypeError):
        return False
    return found is True


def _text(path: Path, what: str) -> str:
    """A secret in a file, without the white space around it. Raises UserError."""
    raw = files.read(path)
    if raw is None:
        raise UserError(f"{path}: there is no such file, expected {what}")
    return _plain(raw[: MAX_TOKEN + 1].decode("utf-8", "replace").strip(), str(path))


def _plain(text: str, where: str) -> str:
    if not text or len(text) > MAX_TOKEN or not re.fullmatch(r"[!-~]+", text):
        raise UserError(
            f"{where}: expected one token of printable ASCII and nothing else, at most {MAX_TOKEN // 1024} KiB"
        )
    return text
