"""The configuration's errors: where, what was found, what was expected; and what a good one becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooptui.config.load import load, load_text
from hooptui.core.model import Kind
from hooptui.errors import UserError

GOOD = """name: bastion
state_dir: state
listen: {postgres: "127.0.0.1:6432"}
operator: {name: ops-1, groups: [dba]}
issuers:
  - issuer: https://id.example.com
    audience: hooptui
policy: policy.yaml
targets:
  orders-db:
    protocol: postgres
    host: db.example.com
    database: orders
    user: hooptui
    password: {env: ORDERS_PASSWORD}
    labels: {env: prod}
"""


def refusal(text: str, base: Path = Path("/etc/hooptui")) -> str:
    with pytest.raises(UserError) as wrong:
        load_text(text, "hooptui.yaml", base)
    return str(wrong.value)


def test_a_good_one() -> None:
    config = load_text(GOOD, "hooptui.yaml", Path("/etc/hooptui"))
    assert config.state_dir == Path("/etc/hooptui/state")
    assert config.policy == (Path("/etc/hooptui/policy.yaml"),)
    assert config.listen.postgres == ("127.0.0.1", 6432)
    assert config.operator is not None
    assert config.operator.key == "local#ops-1"
    [target] = config.targets
    assert target.target.labels == {"env": "prod"}
    assert target.upstream.sslmode == "verify-full"
    assert target.upstream.password is None
    [issuer] = config.issuers
    assert issuer.kind is Kind.HUMAN


def test_ipv6_listeners() -> None:
    config = load_text(GOOD.replace("127.0.0.1:6432", "[::1]:6432"), "hooptui.yaml", Path("/etc"))
    assert config.listen.postgres == ("::1", 6432)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("state_dir: state\n", "", "hooptui.yaml:1: found no key state_dir, expected the key state_dir"),
        ("name: bastion", "nam: bastion", "hooptui.yaml:1: found the unknown key \"nam\""),
        ("name: bastion", "nam: bastion", "did you mean name?"),
        ('"127.0.0.1:6432"', "127.0.0.1", "hooptui.yaml:3: listen.postgres: found \"127.0.0.1\", expected host:port"),
        ("host: db.example.com", "host: db.example.com\n    port: 99999", "targets.orders-db.port: found the number 99999, expected"),
        ("orders-db:", "orders db:", "orders db"),
        ("{env: ORDERS_PASSWORD}", "hunter2", "password"),
        ("{env: ORDERS_PASSWORD}", "{env: ORDERS_PASSWORD, file: x}", "expected one of {file: path}"),
        ("https://id.example.com", "http://id.example.com", "hooptui.yaml:6: issuer: issuer: 'http://id.example.com' is not https"),
        ("audience: hooptui", "audience: []", "audience"),
        ("audience: hooptui", "audience: hooptui\n    algorithms: [HS256]", "HS256"),
        ("audience: hooptui", "audience: hooptui\n    kind: robot", "human"),
        ("audience: hooptui", "audience: hooptui\n    leeway: 30", "duration"),
        ("policy: policy.yaml", "policy: []", "at least one policy file"),
        ("name: bastion", "name: bastion\nname: again", "hooptui.yaml:2:1: found the key \"name\" again"),
        ("name: bastion", "name: bastion\ntls: {cert: a.pem}", "cert and key together"),
        ("labels: {env: prod}", "labels: {env: prod}\n    sslmode: sometimes", "verify-full"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, says: str) -> None:
    assert old in GOOD
    assert says in refusal(GOOD.replace(old, new))


def test_a_password_written_in_place_is_not_repeated() -> None:
    assert "hunter2" not in refusal(GOOD.replace("{env: ORDERS_PASSWORD}", "{file: hunter2, env: hunter2}"))


def test_the_same_issuer_twice() -> None:
    again = GOOD.replace("policy:", "  - issuer: https://id.example.com\n    audience: x\npolicy:")
    assert "https://id.example.com twice" in refusal(again)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")


def test_every_problem_is_named_at_once() -> None:
    text = refusal(GOOD.replace("protocol: postgres", "protocol: mysql").replace("127.0.0.1:6432", "nowhere"))
    assert "mysql" in text
    assert "nowhere" in text


HOST = GOOD.replace(
    'listen: {postgres: "127.0.0.1:6432"}', 'listen: {postgres: "127.0.0.1:6432", ssh: "127.0.0.1:2222"}'
) + (
    '  web-01: {protocol: ssh, host: 10.0.0.17, user: deploy, host_key: "ssh-ed25519 '
    'AAAAC3NzaC1lZDI1NTE5AAAAIGPWoZzZcXHRsRMrnz2bYGEEmdOVxODNz0nPXnTQ9OoC", %s}\n'
)


@pytest.mark.parametrize(
    ("how", "lasts"), [("mint: {}", 300.0), ("mint: {lasts: 2m}", 120.0), ("key: {file: web.key}", 0.0)]
)
def test_a_host_has_a_key_or_mints(how: str, lasts: float) -> None:
    [host] = load_text(HOST % how, "hooptui.yaml", Path("/etc/hooptui")).hosts
    assert host.lasts == lasts
    assert (host.key is None) == ("mint" in how)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("labels: {}", "key, or mint, one of them"),
        ("key: {file: k}, mint: {}", "key, or mint, one of them"),
        ("mint: {lasts: 2h}", "1m to 1h"),
        ("mint: {role: deploy}", "role"),
    ],
)
def test_how_the_gateway_logs_in_at_a_host_is_said_once(how: str, says: str) -> None:
    said = refusal(HOST % how)
    assert says in said and "hooptui.yaml:17" in said


def test_no_host_is_called_like_the_login() -> None:
    said = refusal((HOST % "mint: {}").replace("web-01:", "login:"))
    assert "targets.login" in said and "found the name 'login'" in said and "hooptui.yaml:17" in said
