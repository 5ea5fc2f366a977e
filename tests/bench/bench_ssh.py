"""The SSH path against direct and `ssh -J`, interleaved in one run; prints ratios, checks nothing.

    python -m tests.bench.bench_ssh [--megabytes 1000] [--rounds 3] [--only download] [--sessions 200]

Everything runs on this machine: OpenSSH's server and client, hooptui in a process of its own with policy, journal and
recording on. All speak aes128-gcm. The gateway's CPU seconds for a gigabyte do not depend on what else the machine does.
Wants root, for only root's sshd hands out terminals everywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import pty
import select
import signal
import statistics
import subprocess
import tempfile
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from hooptui.demo.issuer import DemoIssuer
from tests.bench.bench_postgres import resident
from tests.bench.bench_streams import kinds
from tests.bench.form import FORMS, around, command, home_of, said
from tests.ssh_server import SshServer, running

CIPHER = "aes128-gcm@openssh.com"
MIB = 1024 * 1024
POLICY = """
version: 1
rules:
  - {id: all, effect: allow, when: {resource: {protocol: ssh}}}
masks:
  - {id: net, when: {principal: {groups: [masked]}, resource: {protocol: ssh}}, detect: [credit-card, us-ssn, email, iban, phone, jwt, api-key, private-key], action: redact}
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the host: what stands between a program's name and its own words."""

    name: str
    config: Path
    """Of ssh, scp and sftp, with a host named `there`."""
    environment: dict[str, str]
    pid: int = 0
    """The gateway's process."""

    def ssh(self, *words: str) -> list[str]:
        return ["ssh", "-F", str(self.config), *words]


@contextmanager
def hooptui(
    home: Path, sources: Path, server: SshServer, issuer: DemoIssuer, name: str, groups: tuple[str, ...]
) -> Iterator[Way]:
    """The hooptui of these sources in its own process."""
    environment = {**around(sources), "UNUSED": "no-password"}
    (home / f"{name}-policy.yaml").write_text(POLICY)
    key = home / "key"
    config = home / f"{name}.yaml"
    config.write_text(
        f"""
name: bench
state_dir: {name}
listen: {{postgres: "127.0.0.1:0", ssh: "127.0.0.1:0"}}
operator: {{name: ops-1, groups: [dba]}}
issuers: [{{issuer: "{issuer.url}", audience: hooptui}}]
policy: {name}-policy.yaml
limits: {{per_peer: 1000}}
targets:
  unused: {{protocol: postgres, host: 127.0.0.1, port: 1, database: none, user: none, password: {{env: UNUSED}}, sslmode: disable}}
  web-01: {{protocol: ssh, host: 127.0.0.1, port: {server.port}, user: {server.user}, key: {{file: "{key}"}}, host_key: "{server.host_key}"}}
"""
    )
    process = subprocess.Popen(
        command("serve", "--config", config), stdout=subprocess.PIPE, text=True, cwd=sources, env=environment
    )
    assert process.stdout is not None
    process.stdout.readline()  # it is up
    where = command("do", "where", "--json", "--config", config)
    found = subprocess.run(where, stdout=subprocess.PIPE, check=True, cwd=sources, env=environment)
    port = json.loads(found.stdout)["data"]["ssh"].rpartition(":")[2]
    os.set_blocking(process.stdout.fileno(), True)
    drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    host_key = (home / name / "ssh_host_ed25519.pub").read_text().strip()
    (home / f"{name}-known").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    askpass = home / "askpass"
    askpass.write_text('#!/bin/sh\nprintf "%s\\n" "$ASKPASS_SAYS"\n')
    askpass.chmod(0o700)
    ssh = home / f"{name}-ssh"
    ssh.write_text(
        f"Host there\n HostName 127.0.0.1\n Port {port}\n User web-01\n Ciphers {CIPHER}\n"
        f" UserKnownHostsFile {home}/{name}-known\n GlobalKnownHostsFile none\n PreferredAuthentications password\n"
    )
    token = issuer.mint("bench", groups, exp=int(time.time()) + 7200).reveal()
    client = {**os.environ, "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "ASKPASS_SAYS": token}
    try:
        yield Way(name, ssh, client, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        drain.wait()


def plain(home: Path, server: SshServer, name: str, *more: str) -> Way:
    """Stock ssh to the server itself."""
    (home / "known").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    config = home / f"{name}-ssh"
    config.write_text(
        f"Host there jump\n HostName 127.0.0.1\n Port {server.port}\n User {server.user}\n Ciphers {CIPHER}\n IdentityFile {home}/key\n"
        f" IdentitiesOnly yes\n UserKnownHostsFile {home}/known\n GlobalKnownHostsFile none\n"
        + "".join(f"Host there\n {line}\n" for line in more)
    )
    return Way(name, config, dict(os.environ))


# --- what is measured


def cpu(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def download(way: Way, file: Path, times: int) -> None:
    done = subprocess.run(
        way.ssh("there", "cat " + " ".join([str(file)] * times)),
        env=way.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    assert done.returncode == 0


def upload(way: Way, file: Path, times: int) -> None:
    cat = subprocess.Popen(["cat", *[str(file)] * times], stdout=subprocess.PIPE)
    subprocess.run(way.ssh("there", "cat > /dev/null"), env=way.environment, stdin=cat.stdout, check=True)
    cat.wait()


def sftp_get(way: Way, file: Path, times: int) -> None:
    batch = f"get {file} /dev/null\n" * times
    subprocess.run(
        ["sftp", "-q", "-F", str(way.config), "there"],
        env=way.environment, input=batch.encode(), stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip


def scp_put(way: Way, file: Path, times: int) -> None:
    for _ in range(times):
        subprocess.run(
            ["scp", "-q", "-F", str(way.config), str(file), "there:/dev/null"], env=way.environment, check=True
        )


def moved(
    ways: list[Way], run: Callable[[Way, Path, int], None], file: Path, times: int, rounds: int, label: str
) -> None:
    size = file.stat().st_size * times
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    spent: list[float] = []
    for _ in range(rounds):
        for way in ways:
            before, started = cpu(way.pid) if way.pid else 0.0, time.monotonic()
            run(way, file, times)
            rates[way.name].append(size / (time.monotonic() - started) / 1e6)
            if way.pid:
                spent.append((cpu(way.pid) - before) / (size / 1e9))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    base = middle[ways[0].name]
    words = "  ".join(f"{name} {rate:,.0f} ({rate / base:.2f})" for name, rate in middle.items())
    print(f"{label:34} {words}  gateway CPU {statistics.median(spent):.2f} s/GB", flush=True)


class Terminal:
    """An ssh with a terminal of its own, whose other side echoes."""

    def __init__(self, way: Way) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.process = subprocess.Popen(
            way.ssh("-tt", "there", "stty -icanon echo; echo ready; exec cat > /dev/null"),
            env=way.environment, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        seen = b""
        while b"ready" not in seen:
            seen += os.read(self.master, 4096)
        time.sleep(0.2)

    def key(self) -> float:
        """Seconds from a key to its echo."""
        started = time.perf_counter()
        os.write(self.master, b"x")
        if not select.select([self.master], [], [], 5)[0]:
            raise RuntimeError("a key was not echoed within 5 s")
        os.read(self.master, 4096)
        return time.perf_counter() - started

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def keys(ways: list[Way], count: int) -> None:
    terminals = [Terminal(way) for way in ways]
    took: list[list[float]] = [[] for _ in ways]
    for _ in range(count):
        for terminal, values in zip(terminals, took, strict=True):
            time.sleep(0.025)  # as people type, and longer than a mask's patience
            values.append(terminal.key() * 1000)
    for terminal in terminals:
        terminal.close()
    base = statistics.median(took[0])
    for way, values in zip(ways, took, strict=True):
        middle, worst = statistics.median(values), statistics.quantiles(values, n=100)[98]
        print(f"key to echo, {way.name:21} median {middle:.2f} ms (direct + {middle - base:.2f})  p99 {worst:.2f} ms")


class Held(asyncssh.SSHClientSession[bytes]):
    """A session that reads nothing, or has nothing to read."""


async def crowd(way: Way, count: int, command: str, *, stalled: bool) -> None:
    """What `count` sessions cost the gateway beyond the first one, all in one process here."""
    port = int(way.config.read_text().split("Port ")[1].split()[0])
    window = 2**31 - 1 if stalled else 2 * MIB

    async def one() -> asyncssh.SSHClientConnection:
        connection = await asyncssh.connect(
            "127.0.0.1", port, config=None, username="web-01", password=way.environment["ASKPASS_SAYS"], known_hosts=None,
            client_keys=None, agent_path=None, encryption_algs=[CIPHER],
        )  # fmt: skip
        await connection.create_session(Held, command, encoding=None, window=window)
        if stalled:
            # Not read at all from now on, though its window would take everything.
            connection._transport.pause_reading()  # type: ignore[union-attr]
        return connection

    everyone = [await one()]
    await asyncio.sleep(1)
    before = resident(way.pid)
    for _ in range(count // 10):
        everyone += await asyncio.gather(*(one() for _ in range(10)))
    await asyncio.sleep(5 if stalled else 1)
    after = resident(way.pid)
    what = "stalled readers" if stalled else "idle sessions"
    each = (after - before) / count
    print(
        f"{count} {what}: {(after - before) / 1024:.0f} MB in all, {each:.0f} KB each; the whole process {after / 1024:.0f} MB",
        flush=True,
    )
    for connection in everyone:
        connection.abort()
    await asyncio.sleep(2)


@contextmanager
def issuing() -> Iterator[DemoIssuer]:
    import threading

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    issuer = DemoIssuer("hooptui")
    asyncio.run_coroutine_threadsafe(issuer.start(), loop).result(10)
    try:
        yield issuer
    finally:
        asyncio.run_coroutine_threadsafe(issuer.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--keys", type=int, default=400)
    parser.add_argument("--only", default="", help="part of a measurement's name")
    parser.add_argument("--form", choices=FORMS, default=FORMS[0])
    args = parser.parse_args()

    def wanted(name: str) -> bool:
        return args.only in name

    with ExitStack() as stack:
        sources = home_of(args.form, stack)
        print(
            f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"asyncssh {asyncssh.__version__}, {said(sources)}"
        )
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        home.chmod(0o755)
        server = stack.enter_context(running(terminals=True))
        issuer = stack.enter_context(issuing())
        (home / "key").write_text(server.key)
        (home / "key").chmod(0o600)
        direct = plain(home, server, "direct")
        jump = plain(home, server, "ssh-J", "ProxyJump jump")
        through = stack.enter_context(hooptui(home, sources, server, issuer, "hooptui", ("open",)))
        masked = stack.enter_context(hooptui(home, sources, server, issuer, "masked", ("masked",)))
        times = max(1, args.megabytes // 100)
        texts = kinds(4_000_000)
        binary = home / "binary"
        binary.write_bytes(os.urandom(100_000_000))
        for name, run in (("download", download), ("upload", upload), ("sftp get", sftp_get), ("scp put", scp_put)):
            if wanted(name):
                moved([direct, jump, through], run, binary, times, args.rounds, f"{name}, MB/s")
        for kind, text in texts.items():
            if wanted(f"masked {kind}"):
                file = home / "text"
                file.write_bytes(text * 10)
                moved(
                    [direct, masked], download, file, max(1, args.megabytes // 250), args.rounds, f"masked {kind}, MB/s"
                )
        if wanted("keys"):
            keys([direct, jump, through, masked], args.keys)
        if wanted("idle"):
            asyncio.run(crowd(through, args.sessions, "exec cat", stalled=False))
        if wanted("stalled"):
            asyncio.run(crowd(through, args.sessions, "exec cat /dev/zero", stalled=True))


if __name__ == "__main__":
    main()
