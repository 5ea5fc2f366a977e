"""Kubernetes' protobuf: what is written is read back, and junk is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooptui.demo.cluster import protobuf
from hooptui.demo.cluster.objects import Object
from hooptui.demo.cluster.problems import Problem

POD: Object = {
    "kind": "Pod", "apiVersion": "v1",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "creationTimestamp": "2026-01-02T03:04:05Z", "generation": 2},
    "spec": {
        "volumes": [{"name": "data", "secret": {"secretName": "s", "defaultMode": 420}}],
        "containers": [
            {
                "name": "web", "image": "web:1", "command": ["sh", "-c", "x"], "stdin": True,
                "resources": {"limits": {"memory": "128Mi"}}, "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 3},
                "readinessProbe": {"tcpSocket": {"port": 80}},
            }
        ],
        "terminationGracePeriodSeconds": 0,
    },
}  # fmt: skip
SECRET: Object = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {"name": "s"},
    "data": {"k": "c2VjcmV0"},
    "type": "Opaque",
}


@pytest.mark.parametrize("obj", [POD, SECRET])
def test_what_is_written_is_read_back(obj: Object) -> None:
    packed = protobuf.encode(obj)
    assert packed is not None
    assert packed.startswith(b"k8s\x00")
    assert protobuf.decode(packed) == obj


def test_a_secret_lies_in_it_as_plain_bytes() -> None:
    packed = protobuf.encode(SECRET)
    assert packed is not None
    assert b"secret" in packed


def test_lists_have_a_message_too() -> None:
    packed = protobuf.encode(
        {"kind": "SecretList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": [SECRET]}
    )
    assert packed is not None
    assert b"SecretList" in packed


def test_custom_kinds_have_none() -> None:
    assert protobuf.encode({"kind": "Backup", "apiVersion": "demo.example/v1"}) is None
    with pytest.raises(Problem):
        protobuf.decode(protobuf.MAGIC + protobuf.block(1, protobuf.block(2, b"Backup")))


@given(st.binary(max_size=200))
def test_junk_is_refused_and_nothing_else_happens(junk: bytes) -> None:
    for data in (junk, protobuf.MAGIC + junk):
        try:
            protobuf.decode(data, ("v1", "Pod"))
        except Problem as problem:
            assert problem.code == 400


def test_an_event_of_a_watch_is_bare_and_its_object_is_not() -> None:
    packed = protobuf.encode(SECRET)
    assert packed is not None
    frame = protobuf.watch_event("ADDED", packed)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    # meta/v1 WatchEvent: type = 1, object = 2, which is a RawExtension with raw = 1.
    assert frame[4:11] == b"\n\x05ADDED"
    assert frame.endswith(packed) and frame.count(b"k8s\x00") == 1
