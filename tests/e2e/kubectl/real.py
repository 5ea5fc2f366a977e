"""A real kube-apiserver with its etcd, from a directory that has both (as envtest lays them out)."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

READY_WITHIN = 90.0
ISSUER = "https://kubernetes.default.svc.cluster.local"


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _program(*command: str, log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def started(assets: Path) -> Iterator[Path]:
    """Run both; yields an administrator's kubeconfig."""
    with tempfile.TemporaryDirectory(prefix="apiserver-") as temporary, ExitStack() as stack:
        home = Path(temporary)
        clients, peers, port = _port(), _port(), _port()
        etcd = f"http://127.0.0.1:{clients}"
        stack.enter_context(
            _program(
                str(assets / "etcd"), f"--data-dir={home / 'etcd'}", f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls=http://127.0.0.1:{peers}", "--unsafe-no-fsync", log=home / "etcd.log",
            )
        )  # fmt: skip
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        account = home / "sa.key"
        account.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        tokens = home / "tokens.csv"
        tokens.write_text('admin-of-the-tests,admin,admin,"system:masters"\n')
        stack.enter_context(
            _program(
                str(assets / "kube-apiserver"), f"--etcd-servers={etcd}", f"--secure-port={port}", "--bind-address=127.0.0.1",
                f"--cert-dir={home / 'pki'}", f"--token-auth-file={tokens}", "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.96.0.0/16", f"--service-account-issuer={ISSUER}", f"--service-account-key-file={account}",
                f"--service-account-signing-key-file={account}", "--endpoint-reconciler-type=none", log=home / "apiserver.log",
            )
        )  # fmt: skip
        _ready(port, home / "apiserver.log")
        config = home / "kubeconfig"
        config.write_text(
            json.dumps(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "real",
                    "clusters": [{"name": "real", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(home / "pki" / "apiserver.crt")}}],
                    "users": [{"name": "admin", "user": {"token": "admin-of-the-tests"}}],
                    "contexts": [{"name": "real", "context": {"cluster": "real", "user": "admin"}}],
                }
            )
        )  # fmt: skip
        yield config


def _ready(port: int, log: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    asked = urllib.request.Request(
        f"https://127.0.0.1:{port}/readyz", headers={"Authorization": "Bearer admin-of-the-tests"}
    )
    deadline = time.monotonic() + READY_WITHIN
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=60, context=context):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise RuntimeError(f"kube-apiserver is not ready: {log.read_text()[-2000:]}") from None
            time.sleep(0.2)
