"""The command line: what a user gets wrong is a sentence and exit status 2."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.bed import Bed, bed
from tests.postgres_server import PostgresServer


def hooptui(*args: str, cwd: Path | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hooptui.cli", *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        ((), 2, "needs a terminal"),
        (("attach",), 2, "needs a terminal"),
        (("serve", "--config", "nowhere.yaml"), 2, "nowhere.yaml"),
        (("do", "approve", "1"), 2, "hooptui.yaml"),
        (("do", "explode"), 2, "no command is called 'explode'"),
        (("policy", "check", "nowhere"), 2, "nowhere"),
        (("policy", "test", "nowhere"), 2, "nowhere"),
        (("replay", "--state-dir", "nowhere", "abcd"), 2, "nowhere: found no recordings"),
        (("verify", "--state-dir", "nowhere"), 2, ""),
        (("frobnicate",), 2, "invalid choice"),
    ],
)
def test_mistakes(tmp_path: Path, args: tuple[str, ...], status: int, says: str) -> None:
    done = hooptui(*args, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert says in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_help_and_version() -> None:
    assert "serve" in hooptui("--help").stdout
    assert hooptui("--version").stdout.startswith("hooptui ")
    assert "approve NUMBER" in hooptui("do", "help").stdout


def test_init_doctor_and_a_broken_policy(tmp_path: Path) -> None:
    done = hooptui("init", "gate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = hooptui("init", "gate", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    config = tmp_path / "gate" / "hooptui.yaml"
    config.write_text(config.read_text().replace("https://id.example.com/realms/main", "http://127.0.0.1:1/realm"))
    doctor = hooptui("doctor", "--config", str(config))
    assert doctor.returncode == 1
    assert "✓ config" in doctor.stdout
    assert "✓ policy tests: 4 pass" in doctor.stdout
    assert "✗ issuer" in doctor.stdout
    assert "✗ target orders-db" in doctor.stdout
    assert "mend:" in doctor.stdout
    assert "Traceback" not in doctor.stderr
    policy = tmp_path / "gate" / "policy.yaml"
    policy.write_text(policy.read_text().replace("effect: deny", "effect: maybe"))
    serve = hooptui("serve", "--config", str(config))
    assert serve.returncode == 2
    assert "policy.yaml:6: rules[0] no-destructive-ddl.effect: found" in serve.stderr
    assert "maybe" in serve.stderr


@pytest.mark.e2e
def test_serve_do_replay_verify_and_the_signals(postgres: PostgresServer, tmp_path: Path) -> None:
    with bed(postgres) as world:
        world.gateway.stop("a process of its own takes over")
        config = world.home / "hooptui.yaml"
        config.write_text(world.config_text)
        inbox = tmp_path / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(inbox))
            notify.settimeout(60)
            serve = subprocess.Popen(
                [sys.executable, "-m", "hooptui.cli", "serve", "--config", str(config)], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, env={**world.environment(), "NOTIFY_SOCKET": str(inbox), "PYTHONPATH": ":".join(sys.path)},
            )  # fmt: skip
            try:
                assert notify.recv(100) == b"READY=1"
                where = json.loads(hooptui("do", "where", "--json", "--config", str(config)).stdout)["data"]
                done = _psql(world, where["pg"], "SELECT name, ssn FROM customers ORDER BY id LIMIT 1")
                assert done.stdout.startswith("ada|█"), done.stderr
                doctor = hooptui("doctor", "--config", str(config))
                assert doctor.returncode == 0, doctor.stdout
                serve.send_signal(signal.SIGHUP)
                busy = hooptui("serve", "--config", str(config))
                assert busy.returncode == 2
                assert "Traceback" not in busy.stderr
                listed = hooptui("replay", "--config", str(config)).stdout
                session = listed.split()[0]
                shown = hooptui("replay", session[:4], "--plain", "--config", str(config))
                assert "SELECT name, ssn" in shown.stdout, shown.stderr
                assert "█" in shown.stdout
                live = hooptui("verify", "--config", str(config))
                assert live.returncode == 0, live.stdout
            finally:
                serve.send_signal(signal.SIGTERM)
                out, err = serve.communicate(timeout=60)
            assert notify.recv(100) == b"STOPPING=1"
        assert serve.returncode == 0, err
        assert "SessionOpened" in out
        assert err == ""
        world.seen.append(out)
        done = hooptui("verify", "--config", str(config), "--json")
        assert json.loads(done.stdout)["status"] == 0
        segment = next((world.state / "journal").glob("*.jsonl"))
        segment.write_text(segment.read_text().replace("SELECT name, ssn", "SELECT name, abc"))
        assert hooptui("verify", "--config", str(config)).returncode == 1
        assert world.leaks() == []


def _psql(world: Bed, address: str, sql: str) -> subprocess.CompletedProcess[str]:
    host, port = address.rsplit(":", 1)
    return subprocess.run(
        [world.server.bin("psql"), "-X", "-A", "-t", "-c", sql], capture_output=True, text=True, timeout=60,
        env={**world.environment(), "PGHOST": host, "PGPORT": port},
    )  # fmt: skip
