"""What is in a new cluster: the objects of `seed.yaml`, with secrets of its own, and a Helm release.

Knows objects; knows no server.
"""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources

import yaml

from hooptui.demo.cluster.objects import Object


def _token(prefix: str) -> str:
    return f"{prefix}{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Planted:
    """The secrets of one cluster: whoever sees one has seen past the masking."""

    password: str = field(default_factory=lambda: _token("pw-"))
    token: str = field(default_factory=lambda: _token("tok-"))
    payment: str = field(default_factory=lambda: _token("pay-"))
    config: str = field(default_factory=lambda: _token("cfg-"))
    """In a ConfigMap, inside a connection string."""
    release: str = field(default_factory=lambda: _token("rel-"))
    """In the values of a Helm release: base64 of base64 of gzip."""

    def all(self) -> tuple[str, ...]:
        return self.password, self.token, self.payment, self.config, self.release


def _read(name: str) -> str:
    return resources.files("hooptui.demo.cluster").joinpath(name).read_text("utf-8")


def base() -> Iterator[Object]:
    """What every cluster has."""
    for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    yield from yaml.safe_load_all(_read("base.yaml"))


def objects(planted: Planted) -> Iterator[Object]:
    """Everything, in an order in which it can be created."""
    text = _read("seed.yaml")
    for name in ("password", "token", "payment", "config"):
        text = text.replace(f"@{name.upper()}@", getattr(planted, name))
    yield from base()
    yield from yaml.safe_load_all(text)
    yield helm_release(planted.release)
    yield {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"component": "apiserver"}},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
    }  # fmt: skip


def helm_release(secret: str, *, name: str = "shop", revision: int = 1) -> Object:
    """A release as Helm 3 stores it: JSON, gzip, base64, in a Secret (which is base64 again)."""
    release = {
        "name": name, "namespace": "shop", "version": revision, "manifest": f"---\nkind: Secret\nstringData:\n  key: {secret}\n",
        "config": {"database": {"password": secret}}, "chart": {"metadata": {"name": name, "version": "1.4.0"}, "values": {}},
        "info": {"status": "deployed", "first_deployed": "2026-01-01T00:00:00Z", "last_deployed": "2026-01-01T00:00:00Z"},
    }  # fmt: skip
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode(), mtime=0)).decode()
    return {
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "stringData": {"release": packed},
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{revision}", "namespace": "shop",
            "labels": {"name": name, "owner": "helm", "status": "deployed", "version": str(revision)},
        },
    }  # fmt: skip
