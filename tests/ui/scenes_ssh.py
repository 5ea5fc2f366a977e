"""Worlds with SSH in them: terminals that live, commands that wait, files that went through. Times are fixed."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from hooptui.control.facts import facts_of
from hooptui.core.desk import HeldView
from hooptui.core.events import Asked, Body, Decided, Event, Finished, Held, Output, Voted
from hooptui.core.events_channels import FileDone, TerminalOpened, TerminalOutput, TerminalResized
from hooptui.core.model import Operation
from hooptui.protocols.ssh.commands import read_command
from tests.ui.desk import SceneDesk
from tests.ui.scenes import NOW, OPENED, M, busy, ev, hold, session

VIM: str = json.loads((Path(__file__).parent / "captures" / "vim.json").read_text())
"""What a real vim wrote: highlighted, edited, searched."""

WHO = replace(OPENED, subject="qa-1", name=M("qa-1"), groups=("qa", "oncall"), kind="human", target="web-03", protocol="ssh", application=M("OpenSSH_9.2"))  # fmt: skip
PROMPT = "\x1b[01;32mqa-1@web-03\x1b[00m:\x1b[01;34m~\x1b[00m$ "

TASKS = (
    ("812", "www-data", "61.4", "3.1", "php-fpm: pool shop"), ("813", "www-data", "22.0", "2.9", "php-fpm: pool shop"),
    ("640", "mysql", "9.3", "18.2", "mysqld"), ("701", "root", "2.0", "0.4", "nginx: master"),
    ("702", "www-data", "1.7", "0.6", "nginx: worker"), ("955", "qa-1", "0.7", "0.1", "top"), ("1", "root", "0.0", "0.2", "systemd"),
)  # fmt: skip


def top(load: str, busiest: str) -> str:
    """One picture as procps' top draws it."""
    head = [
        f"\x1b[Htop - 14:01:5{busiest[0]} up 41 days,  3:12,  1 user,  load average: {load}, 1.80, 1.12\x1b[m\x1b[K",
        "Tasks:\x1b[m\x1b[1m 148 \x1b[m\x1b[mtotal,\x1b[m\x1b[1m   3 \x1b[m\x1b[mrunning,\x1b[m\x1b[1m 145 \x1b[m\x1b[msleeping\x1b[m\x1b[K",
        f"%Cpu(s):\x1b[m\x1b[1m {busiest} \x1b[m\x1b[mus,\x1b[m\x1b[1m  6.2 \x1b[m\x1b[msy,\x1b[m\x1b[1m 28.4 \x1b[m\x1b[mid,\x1b[m\x1b[1m  3.8 \x1b[m\x1b[mwa\x1b[m\x1b[K",
        "MiB Mem :\x1b[m\x1b[1m   7964.2 \x1b[m\x1b[mtotal,\x1b[m\x1b[1m    312.9 \x1b[m\x1b[mfree,\x1b[m\x1b[1m   6120.4 \x1b[m\x1b[mused\x1b[m\x1b[K",
        "\x1b[K",
        "\x1b[7m    PID USER      PR  NI    VIRT    RES S  %CPU  %MEM     TIME+ COMMAND         \x1b[m\x1b[K",
    ]
    rows = [
        f"\x1b[{'1' if index < 2 else ''}m{pid:>7} {user:<8}  20   0  482124  61372 {'R' if index < 2 else 'S'} {cpu:>5} {memory:>5}   0:4{index}.1{index} {what[:16]}\x1b[m\x1b[K"
        for index, (pid, user, cpu, memory, what) in enumerate(TASKS)
    ]
    return "\r\n".join([*head, *rows]) + "\x1b[J"


def live_bodies() -> list[tuple[float, Body]]:
    """A shell in which somebody runs top, beside one command over the same connection."""
    return [
        (-2480, WHO),
        (-2480, Asked(1, "shell", M("interactive shell"), ("shell",), ())),
        (-2480, Decided(1, "allow", "policy", ("qa-shell",), "", "1f3c9a02")),
        (-2479, TerminalOpened(1, M("xterm-256color"), 80, 24)),
        (-2478, TerminalOutput(1, M(PROMPT))),
        (-2440, TerminalOutput(1, M("uptime\r\n 13:21:20 up 41 days,  2:31,  1 user,  load average: 0.41, 0.39\r\n" + PROMPT))),
        (-300, Asked(2, "df", M("df -h /var"), ("exec",), ("/var",))),
        (-300, Decided(2, "allow", "policy", ("ssh-looks",), "", "1f3c9a02")),
        (-300, Output(2, "stdout", M("Filesystem  Size  Used Avail Use% Mounted on\n/dev/vda2    40G   31G  6.9G  82% /var\n"))),
        (-300, Finished(2, M("exit 0"), True, 0, 0, 20.0)),
        (-9, TerminalOutput(1, M("top\r\n\x1b[?1h\x1b=\x1b[?25l\x1b[H\x1b[2J\x1b(B\x1b[m" + top("2.10", "58.1")))),
        (-3, TerminalOutput(1, M(top("2.31", "61.6")))),
    ]  # fmt: skip


def terminal() -> SceneDesk:
    desk = busy()
    desk.transcripts["c3d2"] = [ev(at, body, "c3d2") for at, body in live_bodies()]
    return desk


COMMAND = "sudo systemctl stop nginx && rm -rf /var/cache/nginx/* > /tmp/cleanup.log"


def held_command() -> HeldView:
    facts = read_command(COMMAND)
    operation = Operation("ssh", "sudo", COMMAND, facts, context={"environment": "LANG"})
    return hold(
        22, "ops-2", "web-17", "ssh", 33, 87, COMMAND, "ssh-destructive", session="a2e4", verb="sudo", relations=tuple(M(one) for one in sorted(facts.paths)),
        facts=tuple((label, M(words)) for label, words in facts_of(operation)), rule_words="Stopping a service, or removing files, on web hosts",
        by=("ops",), scopes=("once",), kind="agent", owner="https://id.example#ops-3", risk="high",
    )  # fmt: skip


def held_ssh() -> SceneDesk:
    """A command over SSH that waits."""
    desk = busy()
    sessions = tuple(replace(one, last=M(COMMAND)) if one.id == "a2e4" else one for one in desk.state.sessions)
    desk.state = replace(desk.state, sessions=sessions, held=(desk.state.held[0], held_command()))
    desk.transcripts["a2e4"] = [
        ev(-52, replace(WHO, subject="ops-2", name=M("ops-2"), kind="agent", owner="https://id.example#ops-3", target="web-17"), "a2e4"),
        ev(-40, Asked(1, "systemctl", M("systemctl status nginx"), ("exec",), ()), "a2e4"),
        ev(-40, Decided(1, "allow", "policy", ("ssh-looks",), "", "1f3c9a02"), "a2e4"),
        ev(-40, Output(1, "stdout", M("● nginx.service - web server\n   Active: active (running)\n")), "a2e4"),
        ev(-39, Output(1, "stderr", M("Warning: some journal files were not opened\n")), "a2e4"),
        ev(-39, Finished(1, M("exit 0"), True, 0, 0, 60.0), "a2e4"),
        ev(-33, Asked(2, "sudo", M(COMMAND), ("exec",), ("/var/cache/nginx",)), "a2e4"),
        ev(-33, Held(2, 22, "ssh-destructive", "Stopping a service, or removing files, on web hosts", ("ops",), 1, "high", NOW + 87), "a2e4"),
    ]  # fmt: skip
    desk._count()
    return desk


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def sftp() -> SceneDesk:
    """Files that went both ways, one that could not be hashed, and one that was refused."""
    desk = busy()
    one = session(
        "5f7c", "deploy-2", "web-03", "ssh", 95, 6, "live", "write /srv/shop/app.tar.gz", application=M("OpenSSH_9.2")
    )
    desk.state = replace(desk.state, sessions=(one, *desk.state.sessions))
    ok, no = M("ok"), M("denied by rule no-secrets: keys stay where they are")
    bodies: list[tuple[float, Body]] = [(-95, replace(WHO, subject="deploy-2", name=M("deploy-2"), kind="workload"))]
    for number, (at, verb, path, size, start, digest, done) in enumerate(
        (
            (-94, "list", "/srv/shop", None, 0, "", True),
            (-90, "read", "/srv/shop/VERSION", 12, 0, hash_of("version"), True),
            (-60, "write", "/srv/shop/releases/2026-01-01/app.tar.gz", 48_211_904, 0, hash_of("app"), True),
            (-30, "read", "/etc/ssl/private/shop.key", None, 0, "", False),
            (-20, "write", "/srv/shop/app.log", 91_112, 4_194_304, "", True),
            (-9, "rename", "/srv/shop/current", None, 0, "", True),
        ),
        1,
    ):
        paths = (M(path), M("/srv/shop/previous")) if verb == "rename" else (M(path),)
        bodies.append((at, Asked(number, verb, M(f"{verb} {path}"), (f"file_{verb}",), (path,))))
        if done:
            bodies.append((at, Decided(number, "allow", "policy", ("deploy-files",), "", "1f3c9a02")))
        else:
            bodies.append(
                (at, Decided(number, "deny", "policy", ("no-secrets",), "keys stay where they are", "1f3c9a02"))
            )
        bodies.append((at + 2, FileDone(number, verb, paths, done, ok if done else no, not done, size, start, digest)))
        if done:
            bodies.append((at + 2, Finished(number, ok, True, 0, 0, 2000.0)))
    desk.transcripts["5f7c"] = [ev(at, body, "5f7c") for at, body in bodies]
    desk._count()
    return desk


def vim_events(number: str = "0a11") -> list[Event]:
    """A recorded session: vim on one terminal, its window made larger, an approval in between, a shell on another."""
    cuts = [VIM[at : at + 160] for at in range(0, len(VIM), 160)]
    bodies: list[tuple[float, Body]] = [
        (0, WHO),
        (1, Asked(1, "vim", M("vim /etc/nginx/conf.d/upstream.conf"), ("exec",), ("/etc/nginx/conf.d/upstream.conf",))),
        (1, Held(1, 31, "edits", "Editing what is served", ("ops",), 1, "medium", NOW)),
        (20, Voted(31, 1, "https://id.example#ops-1", M("ops-1"), True, M("INC-812"), "once")),
        (20, Decided(1, "allow", "approved", ("edits",), "", "1f3c9a02", 31, "https://id.example#ops-1")),
        (21, TerminalOpened(1, M("xterm-256color"), 80, 24)),
        *((22 + index, TerminalOutput(1, M(text))) for index, text in enumerate(cuts)),
        (60, Asked(2, "shell", M("interactive shell"), ("shell",), ())),
        (60, TerminalOpened(2, M("xterm"), 60, 10)),
        (61, TerminalOutput(2, M(PROMPT + "tail -2 /var/log/nginx/error.log\r\nno live upstreams\r\nno live upstreams\r\n"))),
        (62, TerminalResized(2, 100, 30)),
        (63, Finished(2, M("exit 0"), True, 0, 0, 3000.0)),
        (70, TerminalOutput(1, M("\x1b[?1049l"))),
        (71, Finished(1, M("exit 0"), True, 0, 0, 50_000.0)),
    ]  # fmt: skip
    return [ev(-9000 + at, body, number) for at, body in bodies]


def recorded() -> SceneDesk:
    desk = busy()
    desk.transcripts["0a11"] = vim_events()
    return desk
