"""Conditions on SSH: an allow must cover all of it, a deny or approve is touched by any of it; and what a rule may not say."""

from __future__ import annotations

import pytest

from hooptui.core.model import Decision, Effect, Identity, Invocation, Operation, SqlFacts, SshFacts, Target
from hooptui.core.vocabulary import COMMANDS, SSH_ACTIONS, SSH_FORWARDS, SSH_GROUPS, UNKNOWN
from hooptui.policy.decide import PolicyJudge
from hooptui.policy.explain import explain
from hooptui.policy.match_ssh import may_be, plain_name
from hooptui.policy.rules import Policy
from hooptui.policy.suite import coverage, run_tests, warnings
from hooptui.protocols.postgres.facts import read_sql
from hooptui.protocols.ssh.commands import read_command
from tests.policy.making import PROD, policy, problems, who

WEB = Target("web-1", "ssh", {"env": "dev"})
ME: Identity = who("ops")


def rules(*listed: str) -> Policy:
    return policy("rules:\n" + "\n".join(f"  - {{id: r{at}, {one}}}" for at, one in enumerate(listed)))


def allow(what: str) -> str:
    return f"effect: allow, when: {{principal: {{groups: [ops]}}, ssh: {what}}}"


def deny(what: str) -> str:
    return f"effect: deny, when: {{ssh: {what}}}"


def approve(what: str, grants: bool = False) -> str:
    return f"effect: approve, grants: {str(grants).lower()}, when: {{ssh: {what}}}, approval: {{by: [lead]}}"


def ask(listed: Policy, what: str | SshFacts, on: Target = WEB) -> Decision:
    facts = read_command(what) if isinstance(what, str) else what
    return PolicyJudge(listed).decide(ME, on, Operation(on.protocol, "x", "", facts))


def effect(listed: Policy, what: str | SshFacts) -> Effect:
    return ask(listed, what).effect


ANY = allow("{actions: [exec]}")
LOOKS = allow("{actions: [exec], programs: [{run: [uptime, 'ls *', 'systemctl status *']}]}")


class TestAllow:
    @pytest.mark.parametrize(
        ("command", "yes"),
        [
            ("uptime", True), ("uptime -p", False), ("ls", True), ("ls -l /x", True), ("/usr/bin/ls -l", True), ("/opt/ls", False),
            ("/usr/bin/x/ls", False), ("./ls", False), ("LS", False), ("ls; uptime", True), ("ls; id", False), ("id | ls", False),
            ("systemctl status x y", True), ("systemctl -l status x", False), ("systemctl", False), ("$x", False), ("", False),
            ("ls $x", False), ("ls > x", False), ("ls > /dev/null", True), ("ls &", False), ("ls /a*", False), ("(ls)", False),
        ],
    )  # fmt: skip
    def test_every_program_must_be_covered_and_no_trait_is_taken_for_granted(self, command: str, yes: bool) -> None:
        assert effect(rules(LOOKS), command) is (Effect.ALLOW if yes else Effect.DENY)

    def test_one_rule_covers_the_whole_line(self) -> None:
        apart = rules(LOOKS, allow("{actions: [exec], programs: [{run: id}]}"))
        assert effect(apart, "id") is effect(apart, "ls") is Effect.ALLOW
        assert effect(apart, "id; ls") is Effect.DENY

    @pytest.mark.parametrize(
        ("command", "yes"),
        [
            ("cat /var/log/a /var/log/b", True), ("cat /var/log/a /etc/b", False), ("cat /var/log/../b", False), ("cat", True),
            ("cat /var/log/x/../y", True), ("cat -n /var/log/a", True), ("cat '/var/log/.*/x'", False), ("cat -x /var/log/a", False),
            ("cat /var/log/..", False), ("cat /var/log/x/../../y", False),
        ],
    )  # fmt: skip
    def test_arguments_must_all_match_also_when_dots_are_followed(self, command: str, yes: bool) -> None:
        listed = rules(allow("{actions: [exec], programs: [{run: 'cat *', arguments: ['/var/log/*', '-n']}]}"))
        assert effect(listed, command) is (Effect.ALLOW if yes else Effect.DENY)

    @pytest.mark.parametrize(
        ("command", "yes"), [("find /x -name a", True), ("find -delete", False), ("find -ls -exec a", False)]
    )
    def test_what_never_may_be_an_argument(self, command: str, yes: bool) -> None:
        listed = rules(allow("{actions: [exec], programs: [{run: 'find *', never: ['-exec*', -delete]}]}"))
        assert effect(listed, command) is (Effect.ALLOW if yes else Effect.DENY)

    def test_never_looks_at_wildcards_of_run_too_but_not_at_its_words(self) -> None:
        listed = rules(allow("{actions: [exec], programs: [{run: ['grep -r * /x'], never: ['-*']}]}"))
        assert effect(listed, "grep -r a /x") is Effect.ALLOW
        assert effect(listed, "grep -r -i /x") is Effect.DENY

    def test_traits_that_are_named_are_taken(self) -> None:
        listed = rules(allow("{actions: [exec], programs: [{run: 'ls *'}], traits: [variable, glob]}"))
        assert effect(listed, "ls $x /a*") is Effect.ALLOW
        assert effect(listed, "ls $x &") is Effect.DENY

    def test_a_program_that_only_the_target_can_tell_is_covered_by_no_name(self) -> None:
        listed = rules(allow("{actions: [exec], programs: [{run: '*'}], traits: [variable, computed]}"))
        assert effect(listed, "$x") is Effect.DENY

    def test_without_programs_anything_that_is_understood_goes(self) -> None:
        assert effect(rules(ANY), "for x in $(id); do rm $x; done > y") is Effect.ALLOW
        assert effect(rules(ANY), "ls )") is Effect.DENY

    def test_every_action_must_be_covered(self) -> None:
        listed = rules(allow("{actions: [file_read], paths: ['/srv/*']}"))
        assert effect(listed, SshFacts(frozenset({"file_read"}), paths=frozenset({"/srv/a"}))) is Effect.ALLOW
        assert effect(listed, SshFacts(frozenset({"file_read"}), paths=frozenset({"/srv/a", "/b"}))) is Effect.DENY
        assert effect(listed, SshFacts(frozenset({"file_read"}))) is Effect.DENY, "a file without a name is not covered"
        both = SshFacts(frozenset({"file_read", "file_write"}), paths=frozenset({"/srv/a"}))
        assert effect(listed, both) is Effect.DENY

    def test_groups_of_actions(self) -> None:
        listed = rules(allow("{actions: [files]}"))
        for action in SSH_GROUPS["files"]:
            assert effect(listed, SshFacts(frozenset({action}), paths=frozenset({"x"}))) is Effect.ALLOW
        assert effect(listed, SshFacts(frozenset({"exec"}))) is Effect.DENY

    def test_destinations(self) -> None:
        listed = rules(allow("{actions: [forward_out], destinations: ['db-?:5432']}"))
        to = lambda *where: SshFacts(frozenset({"forward_out"}), destinations=frozenset(where))  # noqa: E731
        assert effect(listed, to("db-1:5432")) is Effect.ALLOW
        assert effect(listed, to("db-1:5432", "db-1:22")) is effect(listed, to()) is Effect.DENY

    @pytest.mark.parametrize(("size", "yes"), [(0, True), (1024, True), (1025, False), (None, False)])
    def test_sizes(self, size: int | None, yes: bool) -> None:
        upload = SshFacts(frozenset({"file_write"}), paths=frozenset({"/a"}), size=size)
        assert (effect(rules(allow("{actions: [file_write], size_up_to: 1KiB}")), upload) is Effect.ALLOW) is yes
        assert (effect(rules(allow("{}"), deny("{size_above: 1KiB}")), upload) is Effect.ALLOW) is yes


class TestDeny:
    @pytest.mark.parametrize(
        ("command", "touched"),
        [
            ("rm /a", True), ("rm", True), ("/opt/RM x", True), ("ls; rm x", True), ("$x a", True), ("sh -c 'rm x'", True),
            ("ls rm", False), ("systemctl --now stop auditd.service", True), ("systemctl start auditd", False),
            ("systemctl stop nginx", False), ("systemctl stop a auditd", True), ("rmdir x", False),
        ],
    )  # fmt: skip
    def test_one_program_is_enough(self, command: str, touched: bool) -> None:
        listed = rules(ANY, deny("{programs: [{run: rm}, {run: systemctl stop, arguments: 'auditd*'}]}"))
        assert effect(listed, command) is (Effect.DENY if touched else Effect.ALLOW)

    @pytest.mark.parametrize(
        ("path", "touched"),
        [
            ("/etc/shadow", True), ("/etc/shadow-", True), ("shadow", True), ("../etc/shadow", True), ("etc/Shadow", True),
            ("/etc/sha*", True), ("/e?c/shadow", True), ("/etc/[s]hadow", True), ("/etc/passwd", False), ("/x/shadow", False),
            ("x/shadow", False), ("~/.ssh/id_rsa", True), ("/home/a/.ssh/id_ed25519", True), (".ssh/id_rsa", True), ("id_rsa", True),
            ("/home/a/.ssh/known_hosts", False), ("*", True), ("*.log", False),
        ],
    )  # fmt: skip
    def test_a_path_that_may_be_meant_is(self, path: str, touched: bool) -> None:
        assert may_be(["/etc/shadow*", "*/.ssh/id_*"])(path) is touched

    def test_it_is_met_by_any_path_trait_or_destination(self) -> None:
        listed = rules(
            allow("{}"), deny("{paths: [/a]}"), deny("{traits: [variable]}"), deny("{destinations: ['*:22']}")
        )
        assert ask(listed, "cat x /a").rules == ("r1",)
        assert ask(listed, "cat x $y").rules == ("r2",)
        assert ask(listed, SshFacts(frozenset({"forward_out"}), destinations=frozenset({"h:22"}))).rules == ("r3",)
        assert effect(listed, "cat x") is Effect.ALLOW

    def test_all_keys_must_agree(self) -> None:
        listed = rules(allow("{}"), deny("{actions: [writes], paths: ['/var/log/*']}"))
        log = frozenset({"/var/log/a"})
        assert effect(listed, SshFacts(frozenset({"file_remove"}), paths=log)) is Effect.DENY
        assert effect(listed, SshFacts(frozenset({"file_read"}), paths=log)) is Effect.ALLOW

    def test_without_keys_it_denies_everything_on_ssh_and_nothing_elsewhere(self) -> None:
        listed = policy(
            "rules: [{id: a, effect: allow, when: {principal: {groups: [ops]}}}, {id: d, effect: deny, when: {ssh: {}}}]"
        )
        assert effect(listed, "ls") is Effect.DENY
        judge = PolicyJudge(listed)
        assert (
            judge.decide(ME, PROD, Operation("postgres", "x", "", SqlFacts(frozenset({"select"})))).effect
            is Effect.ALLOW
        )


class TestApprove:
    def test_it_holds_what_it_touches(self) -> None:
        listed = rules(ANY, approve("{programs: [{run: reboot}]}"))
        assert ask(listed, "reboot").rules == ("r1", "r0")
        assert effect(listed, "ls") is Effect.ALLOW

    def test_the_rest_is_what_no_allow_covers(self) -> None:
        listed = rules(LOOKS, approve("{actions: [exec], rest: true}", grants=True))
        assert effect(listed, "ls") is Effect.ALLOW
        assert ask(listed, "id").rules == ("r1",)
        assert effect(listed, SshFacts(frozenset({"shell"}))) is Effect.DENY

    def test_without_rest_a_granting_rule_holds_what_an_allow_covers_as_well(self) -> None:
        assert effect(rules(LOOKS, approve("{actions: [exec]}", grants=True)), "ls") is Effect.HOLD


class TestProtocolsApart:
    def test_facts_of_another_protocol_are_not_understood(self) -> None:
        listed = policy("rules: [{id: a, effect: allow, when: {principal: {groups: [ops]}}}]")
        judge = PolicyJudge(listed)
        for target, facts in ((WEB, SqlFacts(frozenset({"select"}))), (PROD, SshFacts(frozenset({"exec"})))):
            got = judge.decide(ME, target, Operation("x", "x", "", facts))
            assert got.effect is Effect.DENY and "another protocol" in got.reason

    def test_no_word_means_something_in_both(self) -> None:
        assert {UNKNOWN} == COMMANDS & SSH_ACTIONS
        assert frozenset().union(*SSH_GROUPS.values()) <= SSH_ACTIONS and SSH_FORWARDS <= SSH_ACTIONS

    def test_a_word_that_is_not_known_is_denied(self) -> None:
        assert effect(rules(allow("{}")), SshFacts(frozenset({"exec", "teleport"}))) is Effect.DENY


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (allow("{actions: [exec], rest: true}"), "found rest, expected it only in an approve that grants"),
        (approve("{rest: true}"), "found rest, expected it only in an approve that grants"),
        (allow("{size_above: 1KiB}"), "found size_above, expected size_up_to"),
        (deny("{size_up_to: 1KiB}"), "found size_up_to, expected size_above"),
        (deny("{programs: [{run: a, never: [b]}]}"), "found never, expected it only in what allows"),
        (allow("{programs: [{run: a}]}"), "found programs without actions"),
        (allow("{actions: [file_read], programs: [{run: a}]}"), "found file_read beside programs"),
        (allow("{actions: [exec], paths: [/a]}"), "found exec beside paths"),
        (allow("{actions: [shell], paths: [/a]}"), "found shell beside paths"),
        (allow("{actions: [agent_forward], destinations: [a]}"), "found agent_forward beside destinations"),
        (allow("{actions: [runs]}"), 'found "runs", expected an action such as exec'),
        (deny("{traits: [odd]}"), 'found "odd", expected one of'),
        (deny("{programs: [{run: 'a  b'}]}"), "expected a program and its first arguments"),
        (deny("{}, postgres: {}"), "found postgres and ssh"),
    ],
)  # fmt: skip
def test_what_a_rule_may_not_say(rule: str, found: str) -> None:
    assert found in "\n".join(problems(f"rules: [{{id: r, {rule}}}]"))


def test_an_allow_of_ssh_alone_opens_all_of_it_knowingly() -> None:
    assert "found no condition at all" in problems("rules: [{id: r, effect: allow, when: {ssh: {}}}]")[0]
    assert policy("rules: [{id: r, effect: allow, when: {ssh: {actions: [exec]}}}]")


class TestTests:
    def test_they_read_commands(self) -> None:
        listed = policy(
            "rules: [{id: a, effect: allow, when: {ssh: {actions: [exec], programs: [{run: systemctl restart nginx}]}}}]\n"
            "tests:\n"
            "  - {name: t, request: {resource: w, ssh: systemctl restart nginx}, expect: allow, by: a}\n"
            "  - {name: u, request: {resource: w, ssh: systemctl restart x}, expect: deny}\n"
            "  - {name: v, request: {resource: w, protocol: ssh}, expect: allow}\n"
            "  - {name: w, request: {resource: w, asks: {actions: [exec], programs: [systemctl restart nginx]}}, expect: allow}\n"
            "  - {name: x, request: {resource: w, asks: {actions: [shell]}}, expect: deny}\n"
        )
        assert [str(one) for one in run_tests(listed, read_sql, read_command).failed] == []
        assert coverage(listed, read_sql, read_command).ok
        assert [one.name for one in run_tests(listed, read_sql).failed] == ["t"], (
            "without a reader nothing is understood"
        )

    @pytest.mark.parametrize(
        ("request_", "found"),
        [
            ("{resource: w, ssh: a, sql: b}", "found sql and ssh, expected one of the two"),
            ("{resource: w, protocol: postgres, ssh: a}", "found it beside ssh, expected ssh, or no protocol"),
            ("{resource: w, asks: {actions: []}}", "found a list of 0"),
            ("{resource: w, asks: {}}", "found no key actions"),
        ],
    )
    def test_what_they_may_not_say(self, request_: str, found: str) -> None:
        text = f"rules: [{{id: a, {ANY}}}]\ntests: [{{name: t, request: {request_}, expect: allow}}]"
        assert found in "\n".join(problems(text))

    def test_rules_of_two_protocols_are_no_cause_for_warnings(self) -> None:
        listed = policy(
            f"rules: [{{id: a, {ANY}}}, {{id: b, {approve('{actions: [shell]}')}}},"
            " {id: c, effect: approve, when: {postgres: {}}, approval: {by: [x]}}]"
        )
        assert len([one for one in warnings(listed) if "holds what no rule allows" in one]) == 2
        assert not [one for one in warnings(listed) if "share no approvers" in one]


def test_an_explanation_names_the_condition_that_is_not_met() -> None:
    listed = rules(LOOKS, allow("{actions: [exec], programs: [{run: 'cat *'}]}"), deny("{traits: [privilege]}"))
    words = {
        one.id: one.why for one in explain(listed, ME, WEB, Operation("ssh", "x", "", read_command("cat $x"))).rules
    }
    assert words["r0"] == "its programs do not match cat"
    assert words["r1"] == "its traits do not match variable"
    assert words["r2"] == "its traits do not match variable"


def test_what_is_large_is_decided_afresh_and_not_kept() -> None:
    judge = PolicyJudge(rules(ANY))
    for at in range(20):
        judge.decide(ME, WEB, Operation("ssh", "x", "", read_command(f"echo {at} {'x' * 5000}")))
    view = judge.view(ME, WEB)
    assert not view.cache
    judge.decide(ME, WEB, Operation("ssh", "x", "", SshFacts(frozenset({"exec"}), (Invocation("ls"),))))
    assert len(view.cache) == 1


def test_standard_directories() -> None:
    assert plain_name("/usr/bin/ls") == plain_name("/bin/ls") == "ls"
    assert plain_name("/usr/local/bin/ls") == "/usr/local/bin/ls" and plain_name("/bin/../x/ls") == "/bin/../x/ls"
