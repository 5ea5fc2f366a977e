"""The shipped SSH policy against disguises: nothing dangerous is let go without a person, and everyday work is not held up."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooptui.core.model import Decision, Effect, Kind, Operation, SshFacts, Target
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.loader import load
from hooptui.protocols.ssh.commands import read_command
from tests.policy.making import who
from tests.policy.ssh_disguises import DISGUISES, lines
from tests.policy.ssh_everyday import EVERYDAY

STRICT = Path(__file__).resolve().parents[2] / "policies" / "ssh-strict.yaml"
WEB = Target("web-1", "ssh", {"env": "dev"})
HELD = frozenset(
    [
        "env | sort", "awk '{print $1}' /var/log/nginx/access.log", "sed -n '1,20p' /var/log/syslog", "curl -s localhost:8080/health",
        "crontab -l", "cat /srv/app/config.yaml", "git -C /srv/app log -1", "for i in 1 2 3; do uptime; done",
        "if [ -f /x ]; then echo y; fi", "echo $HOME", "python3 --version", "cat ~/.bashrc", "xargs -n1 echo",
    ]
)  # fmt: skip
"""What of the everyday waits all the same."""


@pytest.fixture(scope="module")
def judge() -> PolicyJudge:
    return PolicyJudge(load([STRICT]))


def decide(judge: PolicyJudge, command: str | bytes, *groups: str) -> Decision:
    text = command if isinstance(command, str) else command.decode("utf-8", "surrogateescape")
    return judge.decide(
        who(*(groups or ("agents",)), kind=Kind.AGENT), WEB, Operation("ssh", "exec", text, read_command(command))
    )


def test_the_tables_are_large_enough() -> None:
    assert len(set(lines(DISGUISES))) == len(lines(DISGUISES)) >= 250
    assert len(set(lines(EVERYDAY))) == len(lines(EVERYDAY)) >= 100
    assert len(lines(EVERYDAY)) - len(HELD) >= 85


@pytest.mark.parametrize("command", lines(DISGUISES))
def test_no_disguise_is_let_go(judge: PolicyJudge, command: str) -> None:
    assert decide(judge, command).effect is not Effect.ALLOW


@pytest.mark.parametrize("command", lines(DISGUISES)[:40])
def test_nor_hidden_among_harmless_ones(judge: PolicyJudge, command: str) -> None:
    for text in (f"uptime; {command}", f"{command}\nuptime", f"ls && {command} && ls", f"uptime | {command} | wc -l"):
        assert decide(judge, text).effect is not Effect.ALLOW, text


@pytest.mark.parametrize("command", lines(EVERYDAY))
def test_everyday_work(judge: PolicyJudge, command: str) -> None:
    decision = decide(judge, command)
    assert decision.effect is (Effect.HOLD if command in HELD else Effect.ALLOW), decision


@pytest.mark.parametrize("groups", [("oncall",), ("engineers",), ("oncall", "engineers", "agents")])
def test_who_asks_makes_no_difference(judge: PolicyJudge, groups: tuple[str, ...]) -> None:
    for command in lines(DISGUISES):
        assert decide(judge, command, *groups).effect is not Effect.ALLOW, command


@pytest.mark.parametrize(
    "command", [b"ls\x00rm", b"ls \x1b[2J", b"ls\r", b"ls " + b"a" * 200_000, b"(" * 5000, b"ls " * 50_000]
)
def test_what_cannot_be_read_is_denied(judge: PolicyJudge, command: bytes) -> None:
    assert decide(judge, command).effect is Effect.DENY


@pytest.mark.parametrize("command", [b"ls \xff", b"uptime; l\xe9s", b"cat /var/log/\xfflog"])
def test_what_is_not_utf_8_is_held(judge: PolicyJudge, command: bytes) -> None:
    assert decide(judge, command).effect is Effect.HOLD


def test_in_a_terminal_a_pager_takes_commands(judge: PolicyJudge) -> None:
    facts = read_command("journalctl -u nginx")
    inside = SshFacts(facts.actions, facts.invocations, facts.paths, traits=facts.traits | {"terminal"})
    got = judge.decide(who("agents"), WEB, Operation("ssh", "exec", "journalctl -u nginx", inside))
    assert got.effect is Effect.HOLD
