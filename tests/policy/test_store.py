"""Exchange of policies while they are in use: all or nothing, and never half a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hooptui.core.model import Effect, Operation
from hooptui.core.ports import Judge
from hooptui.policy import store
from hooptui.policy.rules import Policy, PolicyError
from hooptui.policy.store import PolicyHolder
from tests.policy.making import PROD, facts, who

ALLOW = "version: 1\nrules:\n  - {id: read, effect: allow, when: {principal: {groups: [agents]}}}\n"
DENY = ALLOW + "  - {id: no, effect: deny, reason: closed, when: {postgres: {commands: [select]}}}\n"
ASK = Operation("postgres", "select", "", facts("select"))
ME = who("agents")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(ALLOW)
    return tmp_path / "p.yaml"


@pytest.fixture
def holder(path: Path) -> PolicyHolder:
    held = PolicyHolder([path])
    held.load()
    return held


def replace_file(path: Path, text: str) -> None:
    """As careful editors do: a new file in the old one's place."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    os.replace(beside, path)


def settle(holder: PolicyHolder) -> bool:
    """Two looks at files that stand still."""
    return holder.changed() or holder.changed()


def test_it_is_a_judge(holder: PolicyHolder) -> None:
    judge: Judge = holder
    assert judge.admits(ME, PROD).admitted
    assert judge.decide(ME, PROD, ASK).effect is Effect.ALLOW
    assert not judge.masks(ME, PROD)
    assert judge.version == holder.policy.version
    assert (holder.rules, holder.error, holder.problems) == (1, "", ())


def test_before_it_is_loaded_it_admits_nobody(path: Path) -> None:
    holder = PolicyHolder([path])
    assert not holder.admits(ME, PROD).admitted
    assert holder.decide(ME, PROD, ASK).effect is Effect.DENY


def test_a_first_load_that_fails_raises(path: Path) -> None:
    path.write_text("version: 1\nrulez: []")
    holder = PolicyHolder([path])
    with pytest.raises(PolicyError, match="rulez"):
        holder.load()
    assert not holder.admits(ME, PROD).admitted
    assert "rulez" in holder.error


def test_a_good_reload_is_in_force_at_once(holder: PolicyHolder, path: Path) -> None:
    before = holder.version
    replace_file(path, DENY)
    assert holder.reload() == ""
    assert holder.version != before
    assert holder.decide(ME, PROD, ASK).effect is Effect.DENY


def test_a_bad_reload_changes_nothing_and_says_so(holder: PolicyHolder, path: Path) -> None:
    before, judge = holder.version, holder._judge
    replace_file(path, DENY + "  - {id: no, effect: maybe}\n  - {}\n")
    said = holder.reload()
    assert said == holder.error
    assert said.startswith(f'{path}:5: rules[2].id: found "no" again') and said.endswith("more)")
    assert len(holder.problems) > 3
    assert holder.version == before and holder._judge is judge
    assert holder.decide(ME, PROD, ASK).effect is Effect.ALLOW
    replace_file(path, ALLOW)
    assert (holder.reload(), holder.error) == ("", "")


def test_a_file_that_is_gone_changes_nothing(holder: PolicyHolder, path: Path) -> None:
    path.unlink()
    assert "no readable file" in holder.reload()
    assert holder.decide(ME, PROD, ASK).effect is Effect.ALLOW


def test_the_same_text_keeps_the_judge_and_what_it_remembers(holder: PolicyHolder, path: Path) -> None:
    judge = holder._judge
    replace_file(path, ALLOW)
    assert holder.reload() == "" and holder._judge is judge


def test_whoever_vets_may_refuse(path: Path) -> None:
    refusals: list[str] = []
    seen: list[Policy] = []

    def vet(policy: Policy) -> list[str]:
        seen.append(policy)
        return refusals

    holder = PolicyHolder([path], vet)
    holder.load()
    refusals.append("p.yaml:9: a test fails")
    replace_file(path, DENY)
    assert holder.reload() == "p.yaml:9: a test fails"
    assert holder.version == seen[0].version != seen[1].version


class TestWatching:
    def test_nothing_changed(self, holder: PolicyHolder) -> None:
        assert not settle(holder)

    def test_a_replaced_file(self, holder: PolicyHolder, path: Path) -> None:
        replace_file(path, DENY)
        assert not holder.changed(), "it may still be being written"
        assert holder.changed()
        assert holder.reload() == ""
        assert not settle(holder)

    def test_a_rewritten_file(self, holder: PolicyHolder, path: Path) -> None:
        path.write_text(DENY)
        assert settle(holder)

    def test_the_same_size_within_the_clocks_grain(self, holder: PolicyHolder, path: Path) -> None:
        state = path.stat()
        replace_file(path, ALLOW.replace("agents", "agentz"))
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert settle(holder), "another inode"

    def test_a_file_that_goes_on_growing_is_waited_for(self, holder: PolicyHolder, path: Path) -> None:
        for number in range(5):
            with path.open("a") as file:
                file.write(f"# {number}\n")
            assert not holder.changed()
        assert holder.changed()

    def test_a_bad_file_is_tried_once(self, holder: PolicyHolder, path: Path) -> None:
        replace_file(path, "nonsense: [")
        assert settle(holder)
        assert holder.reload() != ""
        assert not settle(holder)

    def test_files_come_and_go_in_a_directory(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(ALLOW)
        holder = PolicyHolder([tmp_path])
        holder.load()
        (tmp_path / "b.yaml").write_text("version: 1\nmasks: [{id: m, columns: [a], action: hash}]")
        assert settle(holder) and holder.reload() == "" and len(holder.policy.masks) == 1
        (tmp_path / "b.yaml").unlink()
        assert settle(holder) and holder.reload() == "" and not holder.policy.masks


def test_a_file_that_changes_while_it_is_read_is_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = PolicyHolder([path])
    real, texts = store.load, [ALLOW + "# 1\n", ALLOW + "# 2\n"]

    def slowly(paths: object) -> Policy:
        policy = real([path])
        if texts:
            replace_file(path, texts.pop())
        return policy

    monkeypatch.setattr(store, "load", slowly)
    holder.load()
    assert holder.version == real([path]).version, "what is in force is what is on disk"
    texts.extend(ALLOW + f"# {n}\n" for n in range(store.TRIES))
    assert "found files that change while they are read" in holder.reload()
