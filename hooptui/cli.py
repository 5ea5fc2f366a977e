"""The command line: one parser, thin faces over the rooms. A user's mistake is a sentence and exit status 2, never a traceback."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hooptui
from hooptui import form

if TYPE_CHECKING:
    from hooptui.config.load import Config
    from hooptui.core.secret import Secret

DEFAULT_CONFIG = Path("hooptui.yaml")
USAGE = 2
"""Exit status of a wrong call, configuration or policy."""


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        "-c",
        type=Path,
        default=DEFAULT_CONFIG,
        metavar="FILE",
        help="configuration (default: ./hooptui.yaml)",
    )


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    top = argparse.ArgumentParser(prog="hooptui", description=hooptui.__doc__)
    top.add_argument("--version", action="version", version=f"hooptui {hooptui.__version__}, {form.words()}")
    _config(top)
    top.add_argument("--readonly", action="store_true", help="the screen may look and not decide")
    top.set_defaults(run=_screen)
    verbs = top.add_subparsers(
        title="commands", metavar="COMMAND", description="without one: the gateway and its screen"
    )

    serve = verbs.add_parser("serve", help="the gateway without a screen; SIGTERM drains, SIGHUP reloads the policy")
    _config(serve)
    serve.add_argument(
        "--drain", type=float, default=30.0, metavar="SECONDS", help="how long SIGTERM waits for sessions"
    )
    serve.set_defaults(run=_serve)

    attach = verbs.add_parser("attach", help="the screen onto a gateway that runs elsewhere on this machine")
    _config(attach)
    attach.add_argument("--readonly", action="store_true", help="look, do not decide")
    attach.set_defaults(run=_attach)

    do = verbs.add_parser("do", help="one command to a running gateway: approve, deny, kill, freeze, thaw, reload …")
    _config(do)
    do.add_argument("verb", help="see `hooptui do help`")
    do.add_argument("args", nargs="*", metavar="ARG", help="in the order `hooptui do help` shows, or name=value")
    do.add_argument("--json", action="store_true", help="print the outcome as one JSON object")
    do.add_argument(
        "--as-me",
        action="store_true",
        help="decide by your own name, with the lease that `hooptui login` keeps, not as the operator of the configuration",
    )
    do.set_defaults(run=_do)

    # Its own arguments are read by its own parser, so that no other command loads what it needs.
    verbs.add_parser("login", help="prove who you are, and set up psql, kubectl and ssh for it", add_help=False)

    demo = verbs.add_parser(
        "demo", help="an embedded world to try it in: real PostgreSQL, identity provider, busy agents"
    )
    demo.add_argument("--headless", action="store_true", help="a scripted operator instead of the screen")
    demo.add_argument("--seconds", type=float, default=20.0, help="how long the scripted operator works (default 20)")
    demo.add_argument("--json", action="store_true", help="print one JSON object at the end")
    demo.add_argument("--dir", type=Path, help="keep everything in this directory instead of a temporary one")
    demo.set_defaults(run=_demo)

    init = verbs.add_parser(
        "init", help="write a commented configuration, a policy, a unit, compose and Kubernetes files"
    )
    init.add_argument("directory", type=Path, nargs="?", default=Path())
    init.add_argument("--name", default="bastion", help="what line 1 of the screen calls this gateway")
    init.add_argument("--state-dir", type=Path, help="default: state/ in the directory")
    init.set_defaults(run=_init)

    doctor = verbs.add_parser(
        "doctor", help="say what is wrong with configuration, TLS, targets, issuers, disk, and how to mend it"
    )
    _config(doctor)
    doctor.set_defaults(run=_doctor)

    verify = verbs.add_parser("verify", help="check journal and recordings: 0 intact, 1 broken and where, 2 unreadable")
    _state(verify)
    verify.add_argument("--anchor", metavar="SEQ:HASH", help="a record noted elsewhere that must be in the journal")
    verify.add_argument("--public-key", type=Path, metavar="FILE", help="the key the checkpoints must be signed with")
    verify.add_argument("--fingerprint", metavar="HEX", help="that key's fingerprint, as noted elsewhere")
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(run=_verify)

    prove = verbs.add_parser(
        "prove", help="who let an operation through, from the journal alone: 0 proved, 1 with a gap"
    )
    prove.add_argument("session", help="its whole name")
    prove.add_argument("operation", type=int, nargs="?", default=1, help="its number in the session (default 1)")
    _state(prove)
    prove.set_defaults(run=_prove)

    replay = verbs.add_parser("replay", help="watch a recorded session again")
    replay.add_argument("session", nargs="?", help="its name, or the beginning of it; without one: the list")
    _state(replay)
    replay.add_argument("--plain", action="store_true", help="print it as text")
    replay.add_argument("--cast", metavar="FILE", help="write a terminal as an asciicast to a new file, - to print it")
    replay.add_argument("--channel", type=int, help="of several terminals this one: the number of its operation")
    replay.add_argument("--cast-version", type=int, choices=(3, 2), default=3, help="of the asciicast (default 3)")
    replay.set_defaults(run=_replay)

    policy = verbs.add_parser("policy", help="check, test and explain a policy")
    kinds = policy.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in (
        ("check", "read it and say what is wrong"),
        ("test", "run the tests in its files"),
        ("coverage", "remove each rule in turn; some test must fail"),
    ):
        kind = kinds.add_parser(name, help=text)
        kind.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="policy files or directories")
        kind.set_defaults(run=_policy, kind=name)
    schema = kinds.add_parser("schema", help="print the JSON Schema for editors")
    schema.set_defaults(run=_policy, kind="schema", paths=[])
    explain = kinds.add_parser("explain", help="say what would happen to a statement, rule by rule")
    explain.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    what = explain.add_mutually_exclusive_group()
    what.add_argument("--sql", help="without it: whether the connection is let in")
    what.add_argument("--ssh", metavar="COMMAND", help="a command line, for a target of SSH")
    what.add_argument("--kubernetes", metavar="REQUEST", help="a request for a cluster, such as 'GET /api/v1/pods'")
    explain.add_argument("--body", type=Path, metavar="FILE", help="the body of that request")
    explain.add_argument(
        "--type", choices=("json", "yaml", "merge", "strategic", "json-patch", "apply"), default="json"
    )
    explain.add_argument("--target", required=True)
    explain.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    explain.add_argument("--group", action="append", default=[])
    explain.add_argument("--kind", dest="kind_of", choices=("human", "workload", "agent"), default="human")
    explain.add_argument(
        "--granted", action="append", default=[], metavar="RULE", help="as if access by this rule had been granted"
    )
    explain.add_argument("--in-transaction", action="store_true")
    explain.set_defaults(run=_policy, kind="explain")
    return top


def _state(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="instead of the one the configuration names")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    from hooptui.errors import UserError

    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["login"]:
        from hooptui.login.main import run

        return run(given[1:])
    args = parser().parse_args(given)
    try:
        status: int = args.run(args)
        return status
    except UserError as fault:
        print(f"hooptui: {fault}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        # The reader of a pipe has seen enough; there is nobody left to tell.
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


def _screen(args: argparse.Namespace) -> int:
    from hooptui.faces import screen

    return screen(args.config, readonly=args.readonly)


def _serve(args: argparse.Namespace) -> int:
    from hooptui.faces import serve

    return serve(args.config, drain=args.drain)


def _attach(args: argparse.Namespace) -> int:
    from hooptui.faces import attach

    return attach(args.config, readonly=args.readonly)


def _demo(args: argparse.Namespace) -> int:
    from hooptui.demo.run import run

    return run(args)


def _do(args: argparse.Namespace) -> int:
    from hooptui.commands import TABLE
    from hooptui.config.load import load
    from hooptui.control.client import RemoteDesk
    from hooptui.core.desk import Command, DeskClosed, Outcome
    from hooptui.errors import UserError

    if args.verb == "help":
        for verb in TABLE.values():
            usage = " ".join(one.name.upper() if one.required else f"[{one.name.upper()}]" for one in verb.args)
            print(f"{verb.name + ' ' + usage:34} {verb.help}")
        return 0
    found = TABLE.get(args.verb)
    if found is None:
        raise UserError(f"no command is called {args.verb!r}; there are {', '.join(TABLE)}")
    names = [argument.name for argument in found.args]
    given: dict[str, str] = {}
    positional = [name for name in names if not any(word.startswith(f"{name}=") for word in args.args)]
    for word in args.args:
        name, equals, value = word.partition("=")
        if equals and name in names:
            given[name] = value
        elif positional:
            given[positional.pop(0)] = word
        else:
            raise UserError(f"{args.verb}: found {word!r}, expected {' '.join(names) or 'no argument'}")
    config = load(args.config)

    credential = _lease(config) if args.as_me else None

    async def ask() -> Outcome:
        desk = RemoteDesk(config.state_dir, readonly=False)
        try:
            if credential is not None:
                await desk.sit(credential)
            return await desk.run(Command(args.verb, given))
        finally:
            await desk.close()

    try:
        outcome = asyncio.run(ask())
    except DeskClosed as gone:
        raise UserError(str(gone)) from None
    if args.json:
        print(json.dumps({"ok": outcome.ok, "text": outcome.text, "data": dict(outcome.data)}))
    else:
        print(outcome.text)
    return 0 if outcome.ok else 1


def _lease(config: Config) -> Secret:
    """The lease that `hooptui login` keeps for this gateway.

    Raises:
        UserError: there is none.
    """
    from hooptui.errors import UserError
    from hooptui.login.gateway import origin
    from hooptui.login.state import Place, load

    if config.portal is None:
        raise UserError("--as-me: this gateway has no portal to log in at (config: portal)")
    url = origin(config.portal.settings.public_url)
    kept = load(Place.of(url, os.environ))
    if kept is None:
        raise UserError(f"--as-me: you have not logged in; do: hooptui login {url}")
    return kept.secret


def _init(args: argparse.Namespace) -> int:
    from hooptui.errors import UserError
    from hooptui.init import write

    try:
        written = write(args.directory, name=args.name, state_dir=args.state_dir)
    except OSError as fault:
        raise UserError(str(fault)) from None
    for path in written:
        print(path)
    print(f"\nNext: name your issuer and your target in {written[0]}, then\n  hooptui doctor --config {written[0]}")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from hooptui.doctor.examine import examine

    findings = asyncio.run(examine(args.config))
    for finding in findings:
        print(finding)
    return 0 if all(finding.ok for finding in findings) else 1


def _state_dir(args: argparse.Namespace) -> Path:
    from hooptui.config.load import load

    given: Path | None = args.state_dir
    return given if given is not None else load(args.config).state_dir


def _verify(args: argparse.Namespace) -> int:
    from hooptui.audit.verify import verify
    from hooptui.errors import UserError

    try:
        report = verify(_state_dir(args), anchor=args.anchor, public_key=args.public_key, fingerprint=args.fingerprint)
    except ValueError as wrong:
        raise UserError(str(wrong)) from None
    if args.json:
        keys = ("status", "records", "checkpoints", "recordings", "findings", "seconds")
        print(json.dumps({key: getattr(report, key) for key in keys}))
        return report.status
    for finding in report.findings:
        print(finding)
    words = ("intact", "BROKEN", "unreadable")[report.status]
    print(
        f"{words}: {report.records} records, {report.checkpoints} checkpoints, "
        f"{report.recordings} recordings, {report.seconds:.2f} s"
    )
    if report.head:
        print(f"to note elsewhere: --anchor {report.head} --fingerprint {report.fingerprint}")
    return report.status


def _prove(args: argparse.Namespace) -> int:
    from hooptui.audit.codec import Unreadable
    from hooptui.audit.proof import NoVerdict, who_let
    from hooptui.errors import UserError

    try:
        proof = who_let(_state_dir(args), args.session, args.operation)
    except (NoVerdict, Unreadable, OSError) as wrong:
        raise UserError(str(wrong)) from None
    for line in proof.lines:
        print(line)
    return 1 if proof.problems else 0


def _replay(args: argparse.Namespace) -> int:
    from hooptui.faces import Cast, replay

    cast = Cast(args.cast, args.channel, args.cast_version) if args.cast else None
    return replay(_state_dir(args), args.session, plain=args.plain, cast=cast)


def _policy(args: argparse.Namespace) -> int:
    from hooptui.policycli import run

    return run(args)


if __name__ == "__main__":
    sys.exit(main())
