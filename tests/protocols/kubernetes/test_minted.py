"""A token for each session: made with its first request, used for what follows, taken back with it; and the doctor's look at all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooptui.config.targets import KubernetesTargetConfig, TokensConfig
from hooptui.core.clock import SystemClock
from hooptui.core.events import CredentialMinted
from hooptui.core.model import Target
from hooptui.credentials.kubernetes_login import KubeconfigLogin, TokenLogin
from hooptui.credentials.kubernetes_tokens import ServiceAccountTokens, TokenMint
from hooptui.credentials.mint import MintTrouble
from hooptui.credentials.references import CredentialTrouble
from hooptui.demo.cluster.cluster import Cluster
from hooptui.doctor.clusters import cluster as examine
from hooptui.protocols.kubernetes.impersonation import Impersonation
from tests.core.world import allow
from tests.protocols.contract import until
from tests.protocols.kubernetes.apiserver import ApiServer
from tests.protocols.kubernetes.gatehouse import Gatehouse, UpstreamLogin, open_gate
from tests.protocols.kubernetes.test_gate import head, once

PODS = "/api/v1/namespaces/shop/pods"
MINT = TokenMint("shop", "default", 600.0, (), "tag00001")


def token(cluster: Cluster) -> str:
    return str(json.loads(cluster.kubeconfig(cluster.directory / "k").read_text())["users"][0]["user"]["token"])


def minting(login: UpstreamLogin) -> ServiceAccountTokens:
    return ServiceAccountTokens(login, MINT, SystemClock())


@pytest.fixture
def house(cluster: Cluster) -> Iterator[Gatehouse]:
    server = ApiServer(port=cluster.port, ca=cluster.ca_file)
    with open_gate(server, lambda _: allow(), mint=minting, token=token(cluster)) as found:
        yield found


def markers(cluster: Cluster) -> list[str]:
    found = [str(one["metadata"]["name"]) for one in cluster.store.all("secrets")]
    return [name for name in found if name.startswith("hooptui-")]


def asked_as(cluster: Cluster, path: str) -> list[str]:
    return [user for method, where, user in cluster.requests if method == "GET" and where == path]


def test_a_session_has_one_token_from_its_first_request_to_its_end(house: Gatehouse, cluster: Cluster) -> None:
    cluster.requests.clear()
    with house.connect() as sock:
        for _ in range(2):
            sock.sendall(head(first=f"GET /clusters/prod-eu{PODS}/console HTTP/1.1"))
            once(sock)
        assert asked_as(cluster, f"{PODS}/console") == ["system:serviceaccount:shop:default"] * 2
        assert markers(cluster) == ["hooptui-tag00001-s1"]
        [made] = house.book.bodies(CredentialMinted)
        assert (made.kind, made.name) == ("token", "hooptui-tag00001-s1")
    until(lambda: [one.name for one in house.removed] == ["hooptui-tag00001-s1"])
    assert house.removed[0].confirmed and markers(cluster) == []


def test_a_kill_takes_the_token_back_and_says_so(house: Gatehouse, cluster: Cluster) -> None:
    with house.connect() as sock:
        sock.sendall(head(first=f"GET /clusters/prod-eu{PODS}/console HTTP/1.1"))
        once(sock)
        killed = house.call(house.door.sessions[-1].kill("ops-1", "enough"))
        assert "its token is taken back" in killed.how and markers(cluster) == []
        assert sock.recv(1) == b""


async def test_what_was_left_behind_is_swept_and_the_living_are_not(cluster: Cluster) -> None:
    login = UpstreamLogin(ApiServer(port=cluster.port, ca=cluster.ca_file), token(cluster))
    mint = minting(login)
    await mint.issue("old", "https://idp#bot", None)
    await mint.issue("alive", "https://idp#bot", None)
    swept = await mint.sweep(lambda name: name == mint.name("alive"))
    assert [(one.name, one.confirmed) for one in swept] == [("hooptui-tag00001-old", True)]
    assert (await mint.retire(mint.name("alive"))).confirmed
    assert (await mint.retire(mint.name("never"))).how == "there was none"


async def test_a_mint_that_may_not_says_what(cluster: Cluster) -> None:
    mint = minting(UpstreamLogin(ApiServer(port=cluster.port, ca=cluster.ca_file), "nobodys-token"))
    with pytest.raises(MintTrouble) as trouble:
        await mint.issue("s", "who", None)
    assert trouble.value.code == "mint-refused" and "nobodys-token" not in trouble.value.message


# --- logins and the doctor


async def test_a_kubeconfig_is_read_by_its_context(cluster: Cluster, tmp_path: Path) -> None:
    login = KubeconfigLogin(cluster.kubeconfig(tmp_path / "config"), "", tmp_path / "scratch")
    access = await login.access()
    assert access.server.port == cluster.port and access.authorization is not None
    assert await login.access() is access, "for a minute"
    assert access.authorization.reveal() not in repr(access)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify"),
        ({"proxy-url": "http://proxy:8080"}, "proxy-url"),
        ({"certificate-authority": "/nowhere.pem"}, ""),
        ({"server": "http://10.0.0.1:8080"}, "plain http"),
    ],
)
async def test_a_kubeconfig_that_is_not_safe_is_refused(
    cluster: Cluster, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    file = cluster.kubeconfig(tmp_path / "config")
    config = json.loads(file.read_text())
    config["clusters"][0]["cluster"] |= change
    file.write_text(json.dumps(config))
    with pytest.raises(CredentialTrouble) as trouble:
        await KubeconfigLogin(file, "", tmp_path / "scratch").access()
    assert says in str(trouble.value)


async def test_an_exec_plugin_gives_the_token(cluster: Cluster, tmp_path: Path) -> None:
    file = cluster.kubeconfig(tmp_path / "config")
    config = json.loads(file.read_text())
    plugin, given = tmp_path / "plugin", token(cluster)
    plugin.write_text(f"""#!/bin/sh
echo '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{given}"}}}}'
""")
    plugin.chmod(0o700)
    config["users"][0]["user"] = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "args": []}
    }
    file.write_text(json.dumps(config))
    access = await KubeconfigLogin(file, "", tmp_path / "scratch").access()
    assert access.authorization is not None and access.authorization.matches(f"Bearer {given}")
    finding = await examine(_config(KubeconfigLogin(file, "", tmp_path / "scratch")))
    assert finding.ok and "the gateway is admin" in finding.words


def _config(
    login: KubeconfigLogin | TokenLogin, impersonation: Impersonation | None = None, mint: bool = False
) -> KubernetesTargetConfig:
    tokens = TokensConfig("shop", "default", 600.0, ()) if mint else None
    return KubernetesTargetConfig(Target("prod-eu", "kubernetes"), login, impersonation, tokens, 5.0)


async def test_the_doctor_tries_what_is_configured(cluster: Cluster, tmp_path: Path) -> None:
    login = KubeconfigLogin(cluster.kubeconfig(tmp_path / "config"), "", tmp_path / "scratch")
    found = await examine(_config(login, Impersonation()))
    assert found.ok and "Kubernetes v1." in found.words and "the gateway is admin" in found.words
    found = await examine(_config(login, mint=True))
    assert found.ok and "took it back" in found.words
    stranger = TokenLogin(cluster.url, cluster.ca_file, None)
    found = await examine(_config(stranger))
    assert not found.ok and "does not take the gateway's credential" in found.words
    found = await examine(_config(TokenLogin(cluster.url, None, None)))
    assert not found.ok and "certificate" in found.words
