"""A command line to facts: every program found, whatever it is wrapped in; and arguments as bash itself hands them over."""

from __future__ import annotations

import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooptui.core.model import Invocation, SshFacts
from hooptui.core.vocabulary import SSH_ACTIONS, SSH_TRAITS
from hooptui.protocols.ssh.commands import MAX_BYTES, MAX_INVOCATIONS, read_command
from hooptui.protocols.ssh.lexer import plain, word
from hooptui.protocols.ssh.paths import named

PROGRAMS = [
    ("ls", "ls"),
    ("ls -l /tmp | grep x && wc; id", "ls grep wc id"),
    ("'r'm x; r\\m x; \"rm\" x; $'\\x72m' x; r''m x", "rm rm rm rm rm"),
    ("(ls; { id; })", "ls id"),
    ("if a; then b; elif c; then d; else e; fi", "a b c d e"),
    ("while a; do b; done; until c; do d; done; for x in 1; do e; done", "a b c d e"),
    ("case x in a) b;; *) c;; esac", "b c"),
    ("f() { rm; }; f", "rm f"),
    ("echo $(a `b` \"$(c)\") <(d) >(e)", "echo a b c d e"),
    ("cat <<E\n$(a)\nE", "cat a"),
    ("cat <<< $(a)", "cat a"),
    ("x=$(a) y=${z:-$(b)} c", "a b c"),
    ("ls > \"$(a)\" 2> $(b)", "a b ls"),
    ("ls >x a b", "ls"),
    ("! a && time -p b", "a time b"),
    ("sudo -u root env A=1 nohup rm x", "sudo env nohup rm"),
    ("sh -c 'a; b' && bash -lc \"c\"", "sh a b bash c"),
    ("sh -c \"sh -c 'a'\"", "sh sh a"),
    ("eval 'a; b'", "eval a b"),
    ("find / -exec a {} + -ok b \\;", "find a b"),
    ("xargs -n 1 -I{} a {}", "xargs a"),
    ("timeout -k 5 10 a", "timeout a"),
    ("ssh -p 22 h a b", "ssh a"),
    ("watch -n 1 'a | b'", "watch a b"),
    ("kubectl exec -it x -- a", "kubectl a"),
    ("trap 'a' EXIT", "trap a"),
    ("busybox a", "busybox a"),
    ("env -S 'a b'", "env a"),
    ("su - x -c 'a'", "su a"),
    ("export A=$(b)", "export b"),
    ("", ""),
    ("# only words", ""),
]  # fmt: skip

TRAITS = [
    ("ls", ""),
    ("ls 2>&1 >/dev/null 2>/dev/null", ""),
    ("ls -l | wc", ""),
    ("time ls", ""),
    ("ls &", "background"),
    ("ls $x", "variable"),
    ("ls /a/*", "glob"),
    ("ls *", "glob computed"),
    ("ls '*'", ""),
    ("ls {a,b}", "brace"),
    ("ls {}", ""),
    ("ls ~", "tilde"),
    ("ls >x", "redirects_out"),
    ("ls <x", "redirects_in"),
    ("ls 3>&1", ""),
    ("ls >&5", "descriptor"),
    ("ls >/dev/tcp/h/1", "redirects_out network"),
    ("$x", "variable computed"),
    ("A=1 ls", "environment compound"),
    ("ls $(a)", "substitution variable glob compound"),
    ("for x in 1; do ls; done", "loop compound"),
    ("ls() { a; }; ls", "function shadowed compound"),
    ("alias ls=a; ls", "function shadowed builtin"),
    ("cat <<E\nE", "heredoc compound"),
    ("sudo ls", "privilege wrapper"),
    ("sh", "interpreter stdin"),
    ("sh x", "interpreter"),
    ("python3.11 -c x", "interpreter"),
    ("tar cf x --checkpoint-action=exec=a", "escape"),
    ("xargs a", "wrapper stdin"),
    ("env a", "wrapper environment"),
    ("set -x", "builtin"),
    ("ls # x", "compound"),
    ("echo 'a\\'", "compound"),
]


def programs(text: str) -> list[str]:
    return [one.program for one in read_command(text).invocations]


@pytest.mark.parametrize(("text", "found"), PROGRAMS)
def test_every_program_is_found(text: str, found: str) -> None:
    facts = read_command(text)
    assert facts.understood, facts.unknown
    assert sorted(programs(text)) == sorted(found.split())


@pytest.mark.parametrize("text", [b"ls \xff", "ls \udcff", b"ls; \xe9tat; rm '\xc0\xaf'"])
def test_what_is_not_utf_8_is_read_and_depends_on_the_target(text: bytes | str) -> None:
    facts = read_command(text)
    assert facts.understood and "computed" in facts.traits and facts.invocations[0].program == "ls"
    assert "computed" not in read_command("ls \ufffd").traits, "a character like any other"


def test_a_closed_descriptor_takes_no_word() -> None:
    assert read_command("ls 2>&- a >&-") == SshFacts(frozenset({"exec"}), (Invocation("ls", ("a",)),))
    assert read_command("exec >&- rm").invocations[-1] == Invocation("rm", ())


@pytest.mark.parametrize(("text", "traits"), TRAITS)
def test_what_the_text_leaves_open_is_marked(text: str, traits: str) -> None:
    facts = read_command(text)
    assert facts.understood and facts.traits == frozenset(traits.split())
    assert facts.traits <= SSH_TRAITS and facts.actions == {"exec"} <= SSH_ACTIONS


def test_a_program_that_the_target_works_out_has_no_name() -> None:
    for text in ("$x a", "`id` a", "r{m,x} a", "/bin/r? a", "~/x a", "$(id) a"):
        assert read_command(text).invocations[0] == Invocation("", ("a",)), text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ls \ud800", "half of a character"),
        ("ls 0<&- /etc/hosts", "two readers"),
        (b"ls\x00", "U+0000"),
        ("ls\r", "U+000D"),
        ("ls \x1b[m", "U+001B"),
        ("ls \x01", "U+0001"),
        ("ls \x7f", "U+007F"),
        ("x" * (MAX_BYTES + 1), "bytes"),
        ("é" * MAX_BYTES, "bytes"),
        ("(" * 200 + "ls" + ")" * 200, "deep"),
        ("ls;" * (MAX_INVOCATIONS + 1), "more than"),
        ("ls )", "parse"),
        ("if", "parse"),
        ("echo 'x", "parse"),
        ("a\\\nb c", "two readers"),
        ("sh -c 'ls )'", "parse"),
        ("eval " * 20 + "ls", "times over"),
    ],
)
def test_what_is_not_understood_says_why(text: str | bytes, why: str) -> None:
    facts = read_command(text)
    assert why in facts.unknown and "unknown" in facts.actions


def test_paths() -> None:
    facts = read_command("cat /etc//./x/../shadow -f/a --file=/b/../c h:/d ~/e ./g/../h plain >out <in 2>/dev/null")
    assert facts.paths == {"/etc/shadow", "/a", "/c", "/d", "h:/d", "~/e", "h", "out", "in", "--file=/b/../c"} - {
        "--file=/b/../c"
    }
    assert named("x=/y") == {"x=/y", "/y"} and named("plain") == frozenset()
    assert facts.writes == facts.paths


def test_it_is_remembered() -> None:
    assert read_command("uptime && ls -l") is read_command(b"uptime && ls -l")


def test_two_readers_agree_on_what_is_plain() -> None:
    for text in ("ls 2>a b", "ls>a;id", "a|b||c&d&&e", "ls a&>b c", "ls 2>&1 x", "a >| b"):
        assert read_command(text).understood and "compound" not in read_command(text).traits, text


def test_what_other_login_shells_read_otherwise_is_not_plain() -> None:
    for text in (
        "echo 'a\\'",
        "echo 'a\\\\'",
        "echo 'a\\\\b'",
        "echo $'a'",
        'echo "\\""',
        "echo {fd}>x",
        "x # y",
        "ls ;; x",
        "[ x ]",
    ):
        assert plain(text) is None, text


# --- against bash itself

PIECES = [
    "a",
    "b c",
    "'",
    '"',
    "\\",
    "$",
    " ",
    "*",
    "é",
    "#",
    "{",
    "}",
    "~",
    "=",
    "-",
    "/",
    "\n",
    "\t",
    ";",
    "!",
    "%",
    "x",
]
QUOTED = st.builds(lambda inner: f"'{inner}'", st.text('ab \\$`"*;|&\n#{}', max_size=5))
DOUBLE = st.builds(
    lambda inner: f'"{"".join(inner)}"',
    st.lists(st.sampled_from(["a", " ", "'", "\\$", "\\\\", "\\a", ";", "\\`"]), max_size=5),
)
BARE = st.text("ab-/.,:=@%+_é", min_size=1, max_size=5)
ESCAPED = st.sampled_from(["\\ ", "\\a", "\\'", "\\;", "\\$", "\\*", "\\|", "\\\\"])
ANSI = st.sampled_from(["$'a'", "$'\\x41'", "$'\\n\\t'", "$'\\101'", "$'\\u00e9'", "$'a\\'b'"])
WORDS = st.lists(st.one_of(QUOTED, DOUBLE, BARE, ESCAPED, ANSI), min_size=1, max_size=4).map("".join)
TEXTS = st.lists(WORDS, min_size=1, max_size=5)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(TEXTS)
def test_words_are_what_bash_makes_of_them(words: list[str]) -> None:
    text = "printf '%s\\0' " + " ".join(words)
    facts = read_command(text)
    ran = subprocess.run(
        ["bash", "-c", text], capture_output=True, check=False, env={"LC_ALL": "C.UTF-8", "HOME": "/h"}
    )
    if facts.understood and facts.traits <= {"compound"}:
        assert ran.returncode == 0
        assert list(facts.invocations[0].arguments[1:]) == ran.stdout.decode().split("\0")[:-1]


@settings(max_examples=400, derandomize=True, deadline=None)
@given(
    st.lists(
        st.sampled_from([*PIECES, "|", "&", ">", "<", "(", ")", "`", "if ", "; do ", "$(", "<<E\n", "ls", "sh -c "]),
        max_size=14,
    ).map("".join)
)
def test_it_never_raises_and_says_the_same_again(text: str) -> None:
    facts = read_command(text)
    assert facts == read_command(text.encode())
    assert facts.understood is ("unknown" not in facts.actions)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, "|", "&", ">", "ls"]), max_size=10).map("".join))
def test_what_is_plain_and_understood_has_no_more_programs_for_bash(text: str) -> None:
    """bash, told to run nothing, accepts what both readers accepted."""
    facts = read_command(text)
    if facts.understood and "compound" not in facts.traits:
        assert subprocess.run(["bash", "-nc", text], capture_output=True, check=False).returncode == 0, text


@given(st.text())
@settings(max_examples=200, derandomize=True)
def test_a_word_is_never_cut(raw: str) -> None:
    found = word(raw)
    assert found.text == raw or "\\" in raw or "'" in raw or '"' in raw


@pytest.mark.parametrize(
    "text",
    ["(" * 60_000, "$(" * 60_000, "a" * MAX_BYTES, "'" * 99_999, "ls;" * 40_000, "<<E " * 20_000, "{" * 99_999, "`" * 99_999,
     "sh -c '" * 9_000, "x=" * 50_000, "\\" * 99_999, "ls " + "*" * 99_999, "if a; then " * 9_000, "[[ a =~ " * 9_000],
    ids=lambda text: text[:6],
)  # fmt: skip
def test_time_is_bounded(text: str) -> None:
    started = time.thread_time()
    read_command(text)
    assert time.thread_time() - started < 3
