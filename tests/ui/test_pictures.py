"""Named scenes at two sizes, compared byte for byte with screenshots/, which `HOOPTUI_UPDATE_SCREENSHOTS=1` writes anew.

Each scene asserts what is to be seen before its picture is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hooptui.core.desk import ListenerView, Outcome, VerifyView
from hooptui.core.events import Alert, Asked, Decided, Event, Finished, Header, Rows
from hooptui.core.gate import Masked
from tests.ui import picture
from tests.ui import scenes_kubernetes as kubernetes
from tests.ui import scenes_ssh as ssh
from tests.ui.desk import SceneDesk
from tests.ui.scenes import HELD, HELD_19, NOW, asking, busy, empty, ev, glass, hold, session
from tests.ui.stage import NARROW, WIDE, Stage, stage

SCREENSHOTS = Path(__file__).parent.parent.parent / "screenshots"
HOSTILE = (
    "\x1b[31m\x1b]0;pwned\x07[bold red]x[/] \u202eevil\u202c \u200bz 表格 🦊 e\u0301\u0301\u0301\u0301\u0301 \x9b2J"
)


@dataclass(frozen=True)
class Scene:
    world: Callable[[], SceneDesk]
    act: Callable[[Stage], Awaitable[None]]
    seen: tuple[str, ...]
    """Must be on the screen at both sizes."""
    unseen: tuple[str, ...] = ()


async def nothing(s: Stage) -> None:
    await s.tick()


async def live(s: Stage) -> None:
    await s.press("1")
    await s.tick()
    s.desk.hold(HELD_19)
    await s.tick()


async def held(s: Stage) -> None:
    await s.press("2", "j")


async def review_high(s: Stage) -> None:
    await s.press("2", "enter", "up", "up")
    await s.type("freeze lifted by ops-2, INC-812")
    await s.press("down")
    await s.type("orders-d")


async def review_only(s: Stage) -> None:
    await s.press("2", "a")


async def review_run(s: Stage) -> None:
    await s.press("2", "a", "up", "up", "right")


async def review_ready(s: Stage) -> None:
    await s.press("2", "j", "a")


async def review_quorum(s: Stage) -> None:
    one = replace(HELD[1], number=21, quorum=2, approvals=1, by=("sre", "dba"))
    s.desk.hold(one)
    await s.tick()
    await s.press("2", "G", "a")


async def review_dead(s: Stage) -> None:
    await s.press("2", "j", "a")
    s.desk.settle(18)
    s.desk.write(
        Event(
            NOW + 1,
            "a2e4",
            Decided(3, "allow", "approved", ("ssh-svc",), "", "1f3c9a02", 18, "https://id.example#ops-4"),
        )
    )
    await s.tick()
    await s.tick(2.5)


async def deny(s: Stage) -> None:
    await s.press("2", "x")
    await s.type("no WHERE; ask for a dry run first")


async def kill(s: Stage) -> None:
    await s.press("1", "j", "X")


async def kill_done(s: Stage) -> None:
    how = "cancelled, terminated, gone from pg_stat_activity"
    s.desk.outcomes["kill"] = Outcome(True, "killed 91c0", {"confirmed": True, "how": how, "seconds": 0.31})
    await kill(s)
    await s.press("shift+tab")
    await s.type("runaway delete")
    await s.press("tab", "tab", "enter")
    assert s.desk.ran[-1].args == {"session": "91c0", "reason": "runaway delete"}


async def output_masked(s: Stage) -> None:
    await s.press("1", "enter")


async def output_held(s: Stage) -> None:
    await s.press("1", "j", "enter")


async def output_flood(s: Stage) -> None:
    await s.press("1", "enter")
    s.desk.publish(ev(1, Asked(50, "select", Masked("SELECT * FROM events"), ("select",), ("events",))))
    s.desk.publish(ev(1, Header(50, (Masked("id"), Masked("what")))))
    rows = tuple((Masked(str(n)), Masked(f"event {n}")) for n in range(512))
    s.desk.publish(ev(1, Rows(50, rows)))
    s.desk.publish(ev(2, Finished(50, Masked("SELECT 512"), True, 512, 0, 1402.0)))
    await s.tick()


async def replay_list(s: Stage) -> None:
    await s.press("4")


async def replay_playing(s: Stage) -> None:
    await s.press("4", "enter", "n", "n", "space")


async def audit(s: Stage) -> None:
    await s.press("5")


async def audit_verified(s: Stage) -> None:
    await s.press("5", "v")


async def audit_broken(s: Stage) -> None:
    s.desk.verified = VerifyView(
        1,
        18422,
        35,
        9,
        (
            "journal-0007.jsonl:112: record 14093 does not follow from 14092",
            "recording c0de: sha256 differs from the journal's",
        ),
        0.22,
    )
    await s.press("5", "v")


async def record(s: Stage) -> None:
    await s.press("5", "k", "k", "enter")


async def help_(s: Stage) -> None:
    await s.press("question_mark")


async def palette(s: Stage) -> None:
    await s.press("colon")
    await s.type("re")


async def filter_(s: Stage) -> None:
    await s.press("1", "slash")
    await s.type("via:pg !who:etl")


async def filter_wrong(s: Stage) -> None:
    await s.press("1", "slash")
    await s.type("whom:bot")


async def access_held(s: Stage) -> None:
    await s.press("2", "G")


async def access_review(s: Stage) -> None:
    await s.press("2", "G", "a", "a")
    await s.type("index is broken, INC-813")
    await s.press("up", "left")


async def access(s: Stage) -> None:
    await s.press("l", "j", "j", "j", "j")


async def block(s: Stage) -> None:
    await s.press("1", "j", "B", "up", "up")
    await s.type("runs wild since noon")
    await s.press("down")
    await s.type("bo")


async def revoke(s: Stage) -> None:
    await s.press("l", "j", "R")


async def who(s: Stage) -> None:
    await s.press("1", "j", "i")


async def operator_login(s: Stage) -> None:
    await s.press("O")
    await s.tick(20)


async def broken_glass(s: Stage) -> None:
    await s.press("1", "j")
    s.desk.write(glass(12, NOW - 3))
    await s.tick(2.5)


def nobody() -> SceneDesk:
    return busy(operator="", operator_key="", operator_groups=(), operator_until=None)


def local() -> SceneDesk:
    return busy(operator="on-call", operator_key="local#on-call", operator_groups=("dba",), operator_until=None)


def journal_broken() -> SceneDesk:
    return busy(journal_ok=False, journal_error="/var/lib/hooptui/journal: No space left on device")


def policy_rejected() -> SceneDesk:
    return busy(policy_error="policies/prod.yaml:14: found `effects`, expected one of effect, id, reason, when")


def troubles() -> SceneDesk:
    down = ListenerView("ssh", "0.0.0.0:2222", False, "Address already in use")
    desk = busy(loop_delay=0.212, draining=True)
    desk.health(listeners=(desk.state.health.listeners[0], down))
    desk.write(Event(NOW - 10, "", Alert("target-down", Masked("orders-db: connection refused"))))
    return desk


def readonly() -> SceneDesk:
    desk = busy(operator="")
    desk.readonly = True
    return desk


async def readonly_kill(s: Stage) -> None:
    await s.press("1", "X")
    assert len(s.app.screen_stack) == 1


async def gone(s: Stage) -> None:
    s.desk.gone = "the control socket was closed"
    await s.tick()


async def quit_(s: Stage) -> None:
    await s.press("ctrl+q")


def hostile() -> SceneDesk:
    desk = busy()
    one = session(
        "6666", HOSTILE, HOSTILE, "pg", 5, 1, "live", HOSTILE + "\nline two", application=Masked(HOSTILE), peer=HOSTILE
    )
    long = session("7777", "n" * 10_000, "表" * 5000, "pg", 5, 1, "live", "SELECT '" + "🦊" * 10_000)
    desk.state = replace(
        desk.state,
        sessions=(one, long, *desk.state.sessions),
        held=(hold(66, HOSTILE, HOSTILE, "pg", 3, 60, HOSTILE, HOSTILE),),
    )
    desk._count()
    desk.transcripts["6666"] = [
        ev(-4, Asked(1, "select", Masked(HOSTILE + "\r\n[link=x]two[/link]"), ("select",), ()), "6666"),
        ev(-4, Header(1, (Masked(HOSTILE), Masked("表格"))), "6666"),
        ev(-4, Rows(1, ((Masked("a\nb"), Masked("宽宽宽")), (None, Masked(HOSTILE)))), "6666"),
        ev(-4, Finished(1, Masked(HOSTILE), False, 2, 0, 1.0), "6666"),
    ]
    return desk


async def terminal(s: Stage) -> None:
    await s.press("1", "j", "j", "j", "j", "enter")
    await s.tick()


async def ssh_held(s: Stage) -> None:
    await s.press("1", "j", "j", "enter", "2", "j")
    await s.tick()


async def ssh_review(s: Stage) -> None:
    await s.press("2", "j", "a")


async def cluster_output(s: Stage) -> None:
    await s.press("1", "j", "j", "j", "enter")
    await s.tick()


async def cluster_held(s: Stage) -> None:
    await s.press("1", "j", "j", "j", "enter", "2", "j", "j")
    await s.tick()


async def cluster_review(s: Stage) -> None:
    await s.press("2", "j", "a")


async def sftp_timeline(s: Stage) -> None:
    await s.press("1", "g", "enter")
    await s.tick()


async def sftp_files(s: Stage) -> None:
    await s.press("1", "g", "enter", "s")
    await s.tick()


async def replay_terminal(s: Stage) -> None:
    await s.press("4", "G", "enter", "n", "n", "n", "right", "right", "right", "space")


async def hostile_output(s: Stage) -> None:
    await s.press("1", "g", "enter")


SCENES = {
    "empty": Scene(empty, nothing, ("no session yet", "0 held")),
    "live": Scene(
        busy, live, ("1 Live", "7f3a", "▲ held", "▲ held #19: aid wants to delete pod web/api-1 on prod-eu", "X Kill")
    ),
    "held": Scene(busy, held, ("▌18", "systemctl stop nginx", "needs 1 of group ops, not ops-2")),
    "review-high-risk": Scene(
        busy,
        review_high,
        ("Review #17", "DELETE FROM payments", "1:13", "high risk: type orders-db", "(•) once", "Cancel"),
    ),
    "review": Scene(busy, review_ready, ("Review #18", "lets it go on in flight", "risk medium")),
    "review-quorum": Scene(busy, review_quorum, ("Review #21", "1 of 2", "lets it go on in flight")),
    "review-dead": Scene(busy, review_dead, ("#18 was settled meanwhile: approved by ops-4",)),
    "access-held": Scene(
        asking, access_held, ("▌20", "asks for access", "ON IT", "ops-4", "most  1 h from the approval on", "INC-813")
    ),
    "access-review": Scene(
        asking,
        access_review,
        (
            "Access #20",
            "INC-813: rebuild index",
            "(•) 30 min",
            "at most 1 h",
            "lets it in",
            "ops-4 is on it since 0:09",
        ),
    ),
    "access": Scene(
        busy,
        access,
        ("Access  6", "▌grant", "#12", "hl_k3v7q2m5x9ta", "✗ block", "approval #12 gave access on orders-db"),
    ),
    "block": Scene(
        busy,
        block,
        ("Block bot", "https://id.example#bot", "0 leases, 1 grant", "every new login", "type bot to go on"),
    ),
    "revoke": Scene(
        busy, revoke, ("Revoke lease hl_8d2hw4c6rznb", "1 session: a2e4 on web-17", "ends by itself in 41 s")
    ),
    "who": Scene(
        busy,
        who,
        ("Session 91c0", "agent, acts for https://id.example#ops-2", "grant #12 ends it in 4 min 10 s", "INC-812"),
    ),
    "operator-login": Scene(
        nobody,
        operator_login,
        ("https://prod-eu.example:8443/device", "W  D  J  B  -  M  J  H  T", "waiting for the login", "good for 9m"),
    ),
    "operator-local": Scene(local, operator_login, ("on-call local", "journaled as local", "dba")),
    "broken-glass": Scene(
        busy, broken_glass, ("✗ GLASS BROKEN: bot let #12 go alone for 15 min", "‼ GLASS BROKEN", "4m GLASS")
    ),
    "deny": Scene(busy, deny, ("Deny #17", "no WHERE; ask", "denies itself in 1:13")),
    "kill": Scene(busy, kill, ("Kill 91c0", "Cancel", "https://id.example#bot")),
    "kill-done": Scene(busy, kill_done, ("✓ gone, confirmed in 0.31 s", "gone from pg_stat_activity", "Close")),
    "output-masked": Scene(
        busy, output_masked, ("████@acme.io", "5 rows · 10 values masked (pii-cards)", "FOLLOW", "$1 = ‹text 14›")
    ),
    "output-held": Scene(
        busy,
        output_held,
        ("✗ denied by the policy", "▲ held #16", "ops-1 approves #16, once", "INC-812", "ERROR 42601", "▲ held #17"),
    ),
    "output-flood": Scene(busy, output_flood, ("… 312 lines not shown, all recorded …", "512 rows · 1.4 s")),
    "replay-list": Scene(busy, replay_list, ("4 Replay  5", "c0de", "▌91c0")),
    "replay-playing": Scene(busy, replay_playing, ("Player", "PLAYING", "event 5 of 12")),
    "audit": Scene(busy, audit, ("5 Audit", "18422", "login refused", "v checks the whole journal")),
    "audit-verified": Scene(busy, audit_verified, ("✓ intact", "18 422 records")),
    "audit-broken": Scene(busy, audit_broken, ("✗ BROKEN", "record 14093 does not follow")),
    "record": Scene(busy, record, ("Record 18420", "milliseconds")),
    "help": Scene(busy, help_, ("Everywhere", "1-5", "esc back")),
    "palette": Scene(busy, palette, ("Reload policy", "Replay")),
    "filter": Scene(busy, filter_, ("2 of 9", "/ Filter")),
    "filter-wrong": Scene(busy, filter_wrong, ("✗ no field `whom`",)),
    "journal-broken": Scene(journal_broken, nothing, ("✗ journal cannot write", "No space left on device")),
    "policy-rejected": Scene(policy_rejected, nothing, ("✗ policy rejected", "policies/prod.yaml:14")),
    "troubles": Scene(
        troubles, nothing, ("ssh listener 0.0.0.0:2222 is down", "target-down: orders-db", "○", "212ms", "draining")
    ),
    "readonly": Scene(readonly, readonly_kill, ("read-only: X (kill) does nothing here",), ("X Kill",)),
    "gateway-gone": Scene(busy, gone, ("the gateway does not answer: the control socket was closed",)),
    "quit": Scene(busy, quit_, ("Leave hooptui?", "9 sessions are open", "Stay", "Drain", "Cut")),
    "terminal": Scene(
        ssh.terminal,
        terminal,
        ("[● 1 interactive shell]", "Timeline", "load average: 2.31", "php-fpm: pool s", "LIVE  80×24  masked"),
        ("2.10,", "\x1b", "␛"),
    ),
    "ssh-held": Scene(
        ssh.held_ssh,
        ssh_held,
        ("▌22", "runs    sudo systemctl stop nginx", "rm -rf /var/cache/nginx/*", "beware  runs as another user"),
        ("rows  ",),
    ),
    "ssh-review": Scene(
        ssh.held_ssh,
        ssh_review,
        (
            "Review #22",
            "changes /tmp/cleanup.log, /var/cache/nginx/*",
            "runs as another user",
            "type web-17 to approve",
        ),
        ("rows    ",),
    ),
    "cluster": Scene(
        kubernetes.cluster,
        cluster_output,
        ("password: ████", "1 value masked", "namespaces go", "MODIFIED  Pod web/api", "▲ held #23"),
        ("aHVudGVyMg", "bWFza2Vk", "10.1.2.3", '{"kind"'),
    ),
    "cluster-held": Scene(
        kubernetes.cluster,
        cluster_held,
        ("▌24", "sh -c 'kill 1'", "effect  pod api-5d9c7b6f4-tz2nw on node node-2", "needs 1 of group sre"),
        ("rows  ",),
    ),
    "cluster-review": Scene(
        kubernetes.cluster,
        cluster_review,
        ("Review #23", "delete deployments.apps/api", "takes along 2 ReplicaSets, 3 Pods", "type prod-eu to approve"),
        ("rows    ",),
    ),
    "cluster-group": Scene(
        kubernetes.many,
        review_only,
        (
            "Review #25",
            "delete pods/worker-0 -n web",
            "these 42 of web/pods/: worker-0, worker-1",
            "(•) these 42, each once   ( ) this one alone",
            "m all 42",
            "Approve lets these 42 go, each once and no other",
        ),
    ),
    "cluster-run": Scene(
        kubernetes.named,
        review_run,
        ("Review #25", "(•) rest of this run (≤ 100 unseen) for 15 min", "Approve lets it go on in flight"),
        ("these",),
    ),
    "sftp": Scene(
        ssh.sftp,
        sftp_timeline,
        ("[Timeline]", "Files 6", "48.2 MB, sha256", "✗ denied by the policy", "91.1 kB from"),
    ),
    "sftp-files": Scene(
        ssh.sftp,
        sftp_files,
        (
            "[Files 6]",
            "/srv/shop/VERSION  12 B, sha256",
            ssh.hash_of("app"),
            "no sha256: not in",
            "refused: denied by rule",
        ),
        ("▶",),
    ),
    "replay-terminal": Scene(
        ssh.recorded,
        replay_terminal,
        ("[● 1 vim", "server 10.4.0.13:8080 down; # since INC-812", "PLAYING  80×24  masked", "event 20 of 29"),
        ("~~", "␛"),
    ),
    "hostile": Scene(
        hostile,
        hostile_output,
        ("␛[31m", "[bold red]x[/]", "\\u202eevil", "表格"),
        ("\x1b", "\u202e", "\x9b", "\x07", "\u200b"),
    ),
}


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x36", "80x24"])
@pytest.mark.parametrize("name", SCENES)
async def test_scene(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    scene = SCENES[name]
    async with stage(scene.world(), size) as s:
        await scene.act(s)
        seen = picture.text(s.app)
        for words in scene.seen:
            assert words in seen, f"{words!r} is not on the screen:\n{seen}"
        for words in scene.unseen:
            assert words not in seen, f"{words!r} is on the screen:\n{seen}"
        drawn = picture.svg(s.app)
    file = SCREENSHOTS / f"{name}-{size[0]}x{size[1]}.svg"
    if os.environ.get("HOOPTUI_UPDATE_SCREENSHOTS") == "1":
        file.write_text(drawn, encoding="utf-8")
        return
    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    if drawn != kept:
        new = tmp_path / file.name
        new.write_text(drawn, encoding="utf-8")
        pytest.fail(
            f"{file.name} looks different now: compare {new}; if that is right, run with HOOPTUI_UPDATE_SCREENSHOTS=1"
        )


def test_no_picture_is_left_over() -> None:
    expected = {f"{name}-{w}x{h}.svg" for name in SCENES for w, h in (WIDE, NARROW)}
    assert {file.name for file in SCREENSHOTS.glob("*.svg")} == expected
