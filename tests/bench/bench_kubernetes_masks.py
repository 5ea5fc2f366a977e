"""Masks over answers of an API server, by themselves: a list of 20 MB, one of 100 MB in bounded memory, events of a watch. Prints, checks nothing.

    python -m tests.bench.bench_kubernetes_masks

`copied` moves the same pieces through a buffer and nothing else, as the floor; `parsed` decodes the whole list with msgspec.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator

import msgspec

from hooptui.core.model import MaskRule, MaskSet
from hooptui.masking.kubernetes.masks import ClusterMasks

KEY = bytes(range(32))
PIECE = 64 * 1024
MASKS = {
    "secrets": (MaskRule("s", secrets=True),),
    "secrets and detectors": (MaskRule("s", secrets=True), MaskRule("d", detect=("email", "credit-card", "jwt", "private-key"))),
    "secrets and env": (MaskRule("s", secrets=True), MaskRule("e", fields=("*.**.env[*].value",))),
}  # fmt: skip


def pod(number: int) -> bytes:
    container = {
        "name": "app",
        "image": f"registry.example/app:{number % 7}",
        "env": [{"name": "LEVEL", "value": "info"}, {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
        "volumeMounts": [{"name": "conf", "mountPath": "/etc/app"}, {"name": "token", "mountPath": "/var/run/secrets", "readOnly": True}],
    }  # fmt: skip
    fields = {f"f:{name}": {"f:a": {}, "f:b": {}} for name in ("spec", "status", "metadata")}
    value = {
        "metadata": {
            "name": f"app-{number}",
            "namespace": "prod",
            "uid": f"{number:08x}-3fa0-4b1c-8e2d-{number:06x}c0ffee",
            "labels": {"app": "app", "helm.sh/chart": "app-1.2.3"},
            "annotations": {"note": "a < b & c"},
            "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": fields}],
        },
        "spec": {"volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}], "containers": [container, container]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}] * 4},
    }  # fmt: skip
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c").encode()


def pieces(size: int) -> Iterator[bytes]:
    """A list of about `size` bytes, made as it goes."""
    waiting = bytearray(b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[')
    made, number = 0, 0
    while made < size:
        if number:
            waiting += b","
        waiting += pod(number)
        number += 1
        while len(waiting) >= PIECE:
            made += PIECE
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    yield bytes(waiting + b"]}\n")


def timed(run: Callable[[], object], rounds: int = 5) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        run()
        best = min(best, time.process_time() - started)
    return best


def main() -> None:
    chunks = list(pieces(20_000_000))
    size = sum(map(len, chunks)) / 1e6
    print(f"list of {size:.0f} MB: copied {timed(lambda: b''.join(chunks)) * 1000:.0f} ms", end="")
    print(f", parsed {timed(lambda: msgspec.json.decode(b''.join(chunks)), 2) * 1000:.0f} ms (CPU, best of five)")
    for name, rules in MASKS.items():
        masks = ClusterMasks(MaskSet(rules), KEY)

        def run(masks: ClusterMasks = masks) -> None:
            mask = masks.answer("pods", "application/json")
            for one in chunks:
                mask.feed(one)
            mask.close()

        took = timed(run, 3)
        print(f"  {name}: {took * 1000:.0f} ms, {size / took:.0f} MB/s")
    event = b'{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1",' + pod(1)[1:] + b"}\n"
    for name, rules in MASKS.items():
        mask = ClusterMasks(MaskSet(rules), KEY).answer("pods", "application/json", watch=True)
        took = timed(lambda mask=mask: [mask.feed(event) for _ in range(1000)], 3)  # type: ignore[misc]
        print(f"event of {len(event)} bytes, {name}: {took * 1000:.0f} µs")
    chunks.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mask = ClusterMasks(MaskSet(MASKS["secrets"]), KEY).answer("pods", "application/json")
    out = 0
    for one in pieces(100_000_000):
        out += len(mask.feed(one))
    out += len(mask.close())
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"list of {out / 1e6:.0f} MB: {grown:.0f} MB more of memory at its most than before, with a list of 20 MB")


if __name__ == "__main__":
    main()
