"""Clusters in the configuration: what a good one becomes, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooptui.config.load import load_text
from tests.config.test_config import GOOD, refusal

LISTENING = GOOD.replace('{postgres: "127.0.0.1:6432"}', '{postgres: "127.0.0.1:6432", kubernetes: "127.0.0.1:6443"}')
SERVER = "server: https://10.0.0.9:6443"


def with_cluster(*lines: str, listening: str = LISTENING) -> str:
    return listening + "  prod-eu:\n    protocol: kubernetes\n" + "".join(f"    {line}\n" for line in lines)


def test_a_good_one() -> None:
    text = with_cluster("kubeconfig: kube.yaml", "context: admin", "impersonate: {groups: ['dev-*'], prefix: 'co:'}")
    config = load_text(text, "hooptui.yaml", Path("/etc/hooptui"))
    assert config.listen.kubernetes == ("127.0.0.1", 6443)
    [cluster] = config.clusters
    assert cluster.target.protocol == "kubernetes" and cluster.login.where == "/etc/hooptui/kube.yaml admin"
    assert cluster.impersonation is not None and cluster.impersonation.prefix == "co:"


def test_a_token_for_each_session() -> None:
    text = with_cluster(SERVER, "token: {env: T}", "mint: {service_account: agents/reader, lasts: 15m}")
    [cluster] = load_text(text, "hooptui.yaml", Path("/etc/hooptui")).clusters
    assert cluster.mint is not None
    assert (cluster.mint.namespace, cluster.mint.service_account, cluster.mint.lasts) == ("agents", "reader", 900.0)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((), "expected kubeconfig, or server"),
        ((SERVER, "kubeconfig: k"), "kubeconfig, or server"),
        (("kubeconfig: k", "token: {env: T}"), "belong to server"),
        (("server: http://10.0.0.9:8080",), "plain http"),
        (("server: https://u:p@10.0.0.9",), "expected https://host"),
        ((SERVER, "ca_file: nothing.pem"), "nothing.pem"),
        ((SERVER, "impersonate: {user: fixed}"), "impersonate.user"),
        ((SERVER, "impersonate: {}", "mint: {service_account: a/b}"), "impersonate or mint"),
        ((SERVER, "mint: {service_account: reader}"), "namespace/name"),
        ((SERVER, "mint: {service_account: a/b, lasts: 1m}"), "10m to 24h"),
    ],
)
def test_what_is_wrong_is_said(lines: tuple[str, ...], says: str) -> None:
    assert says in refusal(with_cluster(*lines))


def test_listener_and_clusters_come_together() -> None:
    assert "listen.kubernetes" in refusal(with_cluster(SERVER, listening=GOOD))
    assert "listen.kubernetes" in refusal(LISTENING)


ALONE = (
    GOOD.replace('{postgres: "127.0.0.1:6432"}', '{kubernetes: "127.0.0.1:6443"}').partition("targets:")[0]
    + "targets:\n"
)


def test_postgres_need_not_be_served() -> None:
    config = load_text(with_cluster("kubeconfig: kube.yaml", listening=ALONE), "hooptui.yaml", Path("/etc/hooptui"))
    assert config.listen.postgres is None and config.targets == () and len(config.clusters) == 1


def test_its_databases_need_its_listener() -> None:
    assert refusal(GOOD.replace('{postgres: "127.0.0.1:6432"}', "{}")) == (
        "hooptui.yaml: listen.postgres: found none, expected one for the targets of protocol postgres"
    )
