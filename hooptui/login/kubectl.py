"""kubectl and everything on client-go: a kubeconfig with an exec plugin, and what the plugin prints (client.authentication.k8s.io/v1)."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hooptui.login import files
from hooptui.login.state import Login, Place

API = "client.authentication.k8s.io/v1"


def credential(login: Login) -> str:
    """The ExecCredential with the lease as bearer token, as one JSON document."""
    end = datetime.datetime.fromtimestamp(int(login.expires_at), datetime.UTC)
    status = {"token": login.secret.reveal(), "expirationTimestamp": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return json.dumps({"apiVersion": API, "kind": "ExecCredential", "status": status}) + "\n"


def install(place: Place, login: Login, address: tuple[str, int], command: Sequence[str]) -> Path:
    """Write the kubeconfig, with a context for each cluster that was asked for; nothing of it is secret.

    Args:
        command: The program and arguments that print the credential.

    Raises:
        UserError: it cannot be written.
    """
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    server = f"https://{host}:{address[1]}"
    trust: dict[str, str] = {}
    if (ca := files.read(place.listener_ca)) is not None:
        trust = {"certificate-authority-data": base64.b64encode(ca).decode()}
    user = f"hooptui-{login.name}"
    names = {f"{login.name}-{cluster}": f"{server}/clusters/{cluster}" for cluster in login.clusters} or {
        login.name: server
    }
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, **trust}} for name, url in names.items()],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}} for name in names],
        "current-context": next(iter(names)),
        "users": [
            {
                "name": user,
                "user": {
                    "exec": {
                        "apiVersion": API,
                        "command": command[0],
                        "args": list(command[1:]),
                        "interactiveMode": "IfAvailable",
                        "installHint": "this context logs in with hooptui; install hooptui on this machine",
                    }
                },
            }
        ],
    }
    text = "# Written by `hooptui login`; written anew at each login.\n" + yaml.safe_dump(config, sort_keys=False)
    files.write(place.kubeconfig, text.encode())
    return place.kubeconfig
