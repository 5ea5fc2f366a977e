"""A terminal through a whole gateway: recorded as it was shown, handed on as an asciicast, printed, and proved whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.audit import replay
from hooptui.audit.plain import plain
from hooptui.audit.verify import verify
from hooptui.core.events_channels import FileDone, TerminalOpened, TerminalOutput
from tests import ssh_server
from tests.audit.terminals import read_cast
from tests.e2e.bed import POLICY, Bed, bed
from tests.e2e.test_ssh import Client
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.e2e

RULES = """
  - id: ssh-terminals
    effect: allow
    when: {principal: {groups: [agents]}, resource: {protocol: ssh}, ssh: {actions: [exec], programs: [{run: ["printf *"]}], traits: [terminal]}}
  - id: ssh-files
    effect: allow
    when: {principal: {groups: [agents]}, resource: {protocol: ssh}, ssh: {actions: [file_read, file_list, file_write, file_setstat]}}
masks:
  - {id: ssh-cards, when: {resource: {protocol: ssh}}, detect: [credit-card], action: redact}
"""


@pytest.fixture(scope="module")
def client(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    if shutil.which("ssh") is None and os.environ.get("CI") != "true":
        pytest.skip("no ssh")
    with ssh_server.running(terminals=True) as server:
        key = tmp_path_factory.mktemp("keys") / "key"
        key.write_text(server.key)
        key.chmod(0o600)
        host = (
            f'  web-01: {{protocol: ssh, host: 127.0.0.1, port: {server.port}, user: {server.user}, key: {{file: "{key}"}}, '
            f'host_key: "{server.host_key}", labels: {{env: prod}}}}'
        )
        policy = POLICY.replace("masks:\n", RULES.lstrip("\n"), 1)
        with bed(postgres, policy=policy, listen=', ssh: "127.0.0.1:0"', targets=host) as made:
            yield Client(made, tmp_path_factory.mktemp("client"))


def test_a_terminal_is_on_record_as_it_was_shown(client: Client, tmp_path: Path) -> None:
    house: Bed = client.world
    done = client.run("-tt", "printf '\\033[31mred\\033[m 4111 1111 1111 1111\\nend\\n'")
    assert done.returncode == 0 and "\x1b[31mred" in done.stdout and "1111" not in done.stdout, done.stderr

    def session() -> str:
        found = [one.session for one in replay.list_recordings(house.state) if one.via == "ssh" and one.closed_at]
        return found[0] if found else ""

    number = house.until(session)
    bodies = [event.body for event in replay.stream(house.state, number)]
    shown = "".join(body.text for body in bodies if isinstance(body, TerminalOutput))
    assert shown.replace("\r\n", "\n") == done.stdout.replace("\r\n", "\n")
    assert any(isinstance(body, TerminalOpened) for body in bodies)

    outcome = house.do("export", session=number, format="cast")
    assert outcome.ok, outcome.text
    header, events = read_cast(Path(str(outcome.data["path"])).read_text())
    assert header["version"] == 3 and events[-1][1:] == ("x", "0")
    assert "".join(data for _, code, data in events if code == "o") == shown
    assert not house.do("export", session=number, format="cast", channel="7").ok
    assert any("1│ red" in line for line in plain(replay.stream(house.state, number)))
    proof = verify(house.state)
    assert proof.status == 0, proof.findings


def test_files_are_on_record_with_their_hashes(client: Client, tmp_path: Path) -> None:
    data = os.urandom(100_000)
    (tmp_path / "up").write_bytes(data)
    command = [word if word != "ssh" else "sftp" for word in client.command()]
    command[command.index("-p")] = "-P"
    where = command.pop()
    done = subprocess.run(
        [*command, "-b", "-", where], input=f"put {tmp_path}/up {tmp_path}/there\nget {tmp_path}/there {tmp_path}/back\n",
        capture_output=True, text=True, timeout=60, env=client.environment(),
    )  # fmt: skip
    assert done.returncode == 0 and (tmp_path / "back").read_bytes() == data, done.stderr
    house = client.world

    def moved() -> set[tuple[str, int | None, str]]:
        found: set[tuple[str, int | None, str]] = set()
        for one in replay.list_recordings(house.state):
            bodies = [event.body for event in replay.stream(house.state, one.session)]
            found |= {
                (body.verb, body.size, body.sha256) for body in bodies if isinstance(body, FileDone) and body.size
            }
        return found if len(found) == 2 else set()

    digest = hashlib.sha256(data).hexdigest()
    assert house.until(moved) == {("write", len(data), digest), ("read", len(data), digest)}
