"""`hooptui init` writes files that work as they are, and touches nothing that exists."""

from __future__ import annotations

import json
import time
from pathlib import Path

import asyncssh
import pytest
import yaml

from hooptui.config.load import load
from hooptui.credentials import certificates
from hooptui.init import write
from hooptui.policy import suite
from hooptui.protocols.postgres.facts import read_sql


@pytest.fixture
def made(tmp_path: Path) -> Path:
    write(tmp_path / "gate", name="prod-eu", state_dir=None)
    return tmp_path / "gate"


def test_the_configuration_loads(made: Path) -> None:
    config = load(made / "hooptui.yaml")
    assert config.name == "prod-eu"
    assert config.state_dir == made / "state"
    assert config.targets[0].target.name == "orders-db"


def test_every_commented_key_is_a_real_one(made: Path) -> None:
    """Uncomment everything that is a setting: the file must still load, so that no comment lies."""
    lines = []
    for line in (made / "hooptui.yaml").read_text().splitlines():
        body = line.lstrip()
        if (
            body.startswith("# ")
            and ":" in body
            and not body.startswith(("# hooptui", "# Who", "# Whose", "# What", "# `"))
        ):
            indent = line[: len(line) - len(body)]
            rest = body[2:]
            lines.append(indent + rest)
        else:
            lines.append(line)
    for name in ("tls.crt", "tls.key", "idp-ca.pem", "orders-ca.pem"):
        (made / name).write_text("")
    host_key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    (made / "known_hosts").write_text(f"10.0.0.17 {host_key}")
    own = certificates.ensure(made / "idp", ("idp.example.com",), now=time.time())
    (made / "idp.pem").write_bytes(own.certificate.read_bytes())
    text = "\n".join(lines).replace("/etc/hooptui/", f"{made}/")
    (made / "all.yaml").write_text(text)
    assert load(made / "all.yaml").limits is not None


def test_the_policy_passes_its_own_tests_and_they_cover_it(made: Path) -> None:
    report = suite.check([made / "policy.yaml"])
    assert report.policy is not None, report.problems
    assert suite.run_tests(report.policy, read_sql).ok
    assert suite.coverage(report.policy, read_sql).ok


def test_the_rest_is_well_formed(made: Path) -> None:
    assert json.loads((made / "policy.schema.json").read_text())["$schema"]
    for file in ("compose.yaml", "kubernetes.yaml"):
        assert list(yaml.safe_load_all((made / file).read_text()))
    unit = (made / "hooptui.service").read_text()
    assert f"serve --config {made / 'hooptui.yaml'}" in unit
    assert "$MAINPID" in unit
    for path in made.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert "${" not in path.read_text() or path.name == "policy.schema.json"


def test_nothing_that_exists_is_touched(made: Path) -> None:
    (made / "policy.yaml").unlink()
    before = (made / "hooptui.yaml").read_text()
    with pytest.raises(FileExistsError, match=r"hooptui\.yaml"):
        write(made, name="other", state_dir=None)
    assert (made / "hooptui.yaml").read_text() == before
    assert not (made / "policy.yaml").exists()
