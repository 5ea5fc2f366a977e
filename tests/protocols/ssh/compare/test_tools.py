"""Programs that bring ssh along: rsync, git and Ansible, unchanged, each with the way it opens connections."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.protocols.ssh.compare.sides import BIG, HOST, Seen, Side, Sides, Table, need, own, tree

SAME = Table()


def rsync(side: Side, *words: str, status: int = 0) -> Seen:
    return side.run(["rsync", "-e", f"ssh -F {side.config} -S {side.shared}", *words], status=status)


def grow(side: Side) -> None:
    for n in range(30):
        os.utime(
            side.file(f"tree/{n % 4}/file{n}", bytes([n]) * n * 700, mode=0o640), (1_000_000_000 + n, 1_000_000_000 + n)
        )
    os.utime(side.file("tree/big", BIG), (1_100_000_000, 1_100_000_000))
    (side.here / "tree" / "link").symlink_to("big")


@SAME
def rsync_pushes(side: Side) -> object:
    grow(side)
    seen = rsync(side, "-rpt", "tree/", f"{HOST}:{side.there}/to")
    return seen, tree(side.there / "to", times=True)


@SAME
def rsync_pulls(side: Side) -> object:
    for n in range(20):
        side.target_file(f"from/{n}", bytes([n]) * 5000)
    return rsync(side, "-rlp", f"{HOST}:{side.there}/from", "."), side.trees()


@SAME
def rsync_compresses(side: Side) -> object:
    grow(side)
    rsync(side, "-rlz", "tree/", f"{HOST}:{side.there}/to")
    rsync(side, "-rlz", f"{HOST}:{side.there}/to/", "back")
    return side.trees()


@SAME
def rsync_deletes(side: Side) -> object:
    grow(side)
    for name in ("to/extra", "to/more/extra", "to/big"):
        side.target_file(name, b"old")
    out = rsync(side, "-rl", "--delete", "--itemize-changes", "tree/", f"{HOST}:{side.there}/to")
    return out, side.trees()


@SAME
def rsync_sends_only_what_changed(side: Side) -> object:
    side.file("big", BIG)
    side.target_file("big", BIG[:4_000_000] + b"changed" + BIG[4_000_007:])
    out = rsync(side, "--checksum", "--no-whole-file", "--itemize-changes", "big", f"{HOST}:{side.there}/big")
    return out, side.trees()


@SAME
def rsync_only_looks(side: Side) -> object:
    grow(side)
    return rsync(side, "-rln", "--itemize-changes", "tree/", f"{HOST}:{side.there}/to"), side.trees()


@SAME
def rsync_finds_nothing(side: Side) -> object:
    done = rsync(side, f"{HOST}:{side.there}/no-such", ".", status=23)
    return done.status, b"No such file" in done.err


# --- git


def git(side: Side, *words: str, cwd: Path | None = None, status: int = 0) -> Seen:
    identity = {
        f"GIT_{who}_{what}": "x@y" if what == "EMAIL" else "x"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    dates = {"GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}
    return side.run(
        ["git", "-c", "protocol.version=2", "-c", "init.defaultBranch=main", "-c", "advice.detachedHead=false", *words], cwd=cwd, status=status,
        GIT_SSH_COMMAND=f"ssh -F {side.config} -S {side.shared}", GIT_CONFIG_NOSYSTEM="1", **identity, **dates,
    )  # fmt: skip


def repository(side: Side) -> str:
    """A bare one on the target with two commits, pushed to it over ssh."""
    git(side, "init", "-q", "--bare", str(side.there / "r.git"))
    own(side.there, side.gate.server.uid)
    git(side, "init", "-q", "work")
    for n in range(2):
        side.file(f"work/file{n}", BIG[n * 500_000 : (n + 1) * 500_000])
        git(side, "add", ".", cwd=side.here / "work")
        git(side, "commit", "-q", "-m", f"commit {n}", cwd=side.here / "work")
    url = f"ssh://{HOST}{side.there}/r.git"
    git(side, "push", "-q", url, "main", cwd=side.here / "work")
    return url


@SAME
def git_pushes_and_clones(side: Side) -> object:
    url = repository(side)
    seen = [git(side, "ls-remote", url), git(side, "clone", "-q", url, "copy")]
    seen.append(git(side, "rev-parse", "HEAD", cwd=side.here / "copy"))
    seen.append(git(side, "fsck", "--strict", cwd=side.here / "copy"))
    return seen, [path.name for path in sorted((side.here / "copy").iterdir())]


@SAME
def git_fetches_what_is_new(side: Side) -> object:
    url = repository(side)
    git(side, "clone", "-q", "--depth", "1", url, "copy")
    side.file("work/new", b"new")
    for words in (("add", "."), ("commit", "-q", "-m", "new"), ("tag", "v1"), ("push", "-q", "--tags", url, "main")):
        git(side, *words, cwd=side.here / "work")
    git(side, "fetch", "-q", "--unshallow", "--tags", cwd=side.here / "copy")
    return git(side, "log", "--format=%H %s", "origin/main", cwd=side.here / "copy")


@SAME
def git_is_refused_a_push_backwards(side: Side) -> object:
    url = repository(side)
    git(side, "reset", "-q", "--hard", "HEAD~1", cwd=side.here / "work")
    side.file("work/other")
    git(side, "add", ".", cwd=side.here / "work")
    git(side, "commit", "-q", "-m", "other", cwd=side.here / "work")
    seen = git(side, "push", "-q", url, "main", cwd=side.here / "work", status=1)
    return (
        seen.status,
        git(side, "push", "-q", "--force", url, "main", cwd=side.here / "work"),
        git(side, "ls-remote", url),
    )


@SAME
def git_finds_no_repository(side: Side) -> object:
    done = git(side, "clone", f"ssh://{HOST}{side.there}/none.git", "copy", status=128)
    return done.status, b"does not appear to be a git repository" in done.err


@pytest.mark.parametrize("name", SAME.names("rsync_pushes", "rsync_sends_only_what_changed", "git_pushes_and_clones"))
def test_as_directly(sides: Sides, name: str) -> None:
    need(name.partition("_")[0])
    sides.same(SAME[name])


# --- Ansible

PLAYBOOK = """
- hosts: all
  gather_facts: false
  vars: {{ansible_pipelining: true, greeting: hello}}
  tasks:
    - command: /bin/sh -c 'echo out; echo err >&2; exit 3'
      register: ran
      failed_when: ran.rc != 3
    - template: {{src: {here}/t.j2, dest: {there}/templated}}
- hosts: all
  gather_facts: false
  vars: {{ansible_pipelining: false}}
  tasks:
    - copy: {{src: {here}/big, dest: {there}/big}}
    - debug: {{msg: "{{{{ ran.rc }}}} {{{{ ran.stdout }}}} {{{{ ran.stderr }}}}"}}
"""


def ansible(side: Side) -> object:
    """Two plays, with pipelining and without, over a connection that Ansible shares by itself."""
    side.file("big", BIG[:700_000])
    side.file("t.j2", b"{{ greeting }} {{ inventory_hostname }}\n")
    side.file("play.yml", PLAYBOOK.format(here=side.here, there=side.there).encode())
    side.file(
        "inventory",
        f"{HOST} ansible_ssh_common_args='-F {side.config}' ansible_python_interpreter=/usr/bin/python3 ansible_remote_tmp={side.there}/.ansible\n".encode(),
    )
    done = subprocess.run(
        ["ansible-playbook", "-i", "inventory", "play.yml"], cwd=side.here, capture_output=True, timeout=110, check=False,
        stdin=subprocess.DEVNULL,
        env=side.environment(
            ANSIBLE_NOCOLOR="1", ANSIBLE_LOCAL_TEMP=str(side.here / ".ansible"), ANSIBLE_HOME=str(side.here / ".ansible"),
            ANSIBLE_SSH_CONTROL_PATH_DIR=str(side.here / ".cache"), ANSIBLE_NOCOWS="1", ANSIBLE_CONFIG=str(side.file(".cache.cfg", b"[defaults]\n")), ANSIBLE_FORKS="1",
        ),
    )  # fmt: skip
    assert done.returncode == 0, f"{side.name}\n{done.stdout.decode()}\n{done.stderr.decode()}"
    said = done.stdout.decode()
    assert '"msg": "3 out err"' in said, said
    for file in ("big", "play.yml", "inventory", "t.j2"):
        (side.here / file).unlink()
    return said, side.trees()


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="needs the system's Python on the target")
def test_ansible_with_pipelining_and_without(terminals: Sides) -> None:
    need("ansible-playbook")
    # Without pipelining it asks for a terminal.
    terminals.at_once(ansible)
