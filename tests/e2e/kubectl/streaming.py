"""Cases that stream: logs, exec, cp, attach, port-forward, debug, run."""

from __future__ import annotations

import os
import socket
import urllib.request

from tests.e2e.kubectl.cases import Book
from tests.e2e.kubectl.client import Kubectl

CASES = Book()

CASES.commands("logs", "logs deployment/worker -c worker", "logs console", says=("listening",), pods=True, seeded=True)
CASES.commands(
    "logs_previous", "logs deployment/worker -c worker --previous", says=("out of memory",), pods=True, seeded=True
)
CASES.commands(
    "logs_chosen",
    "logs -l app=worker --all-containers --prefix --tail=1",
    says=("[pod/worker-",),
    pods=True,
    seeded=True,
    loose=True,
)
CASES.commands("logs_ambiguous", "logs console -c nobody", says=("not valid for pod",), code=1, pods=True, seeded=True)
CASES.commands(
    "logs_no_previous",
    "logs console --previous",
    says=("previous terminated container",),
    code=1,
    pods=True,
    seeded=True,
)
CASES.commands("exec_echo", "exec console -- echo hello", says=("hello",), pods=True, seeded=True, streams=True)
CASES.commands(
    "exec_code",
    "exec console -- sh -c 'echo out; echo err >&2; exit 7'",
    says=("exit code 7", "out", "err"),
    code=7,
    pods=True,
    seeded=True,
    streams=True,
)
CASES.commands(
    "exec_no_program",
    "exec console -- nosuch",
    says=("executable file not found",),
    code=1,
    pods=True,
    seeded=True,
    streams=True,
)
CASES.commands("exec_no_pod", "exec nobody -- true", says=("NotFound",), code=1, pods=True, streams=True)
CASES.commands(
    "exec_container",
    "exec deployment/worker -c sidecar -- hostname",
    says=("worker-",),
    pods=True,
    seeded=True,
    streams=True,
)
CASES.commands(
    "exec_wrong_container",
    "exec console -c nobody -- true",
    says=("nobody",),
    code=1,
    pods=True,
    seeded=True,
    streams=True,
)
CASES.commands(
    "exec_environment",
    "exec deployment/web -- printenv LOG_LEVEL",
    says=("info",),
    pods=True,
    seeded=True,
    streams=True,
)
CASES.commands(
    "port_forward_nothing", "port-forward pod/nobody 0:80", says=("NotFound",), code=1, pods=True, seeded=True
)


@CASES.case("a line of input", pods=True, seeded=True, streams=True)
def exec_stdin(kubectl: Kubectl) -> None:
    kubectl("exec -i console -- cat", stdin="a line of input\n" * 2000)
    kubectl("exec -i console -- wc -c", stdin="x" * 300_000)
    kubectl("exec -i console -- head -n 1", stdin="first\n" + "more\n" * 5_000)


@CASES.case("hi there", pods=True, seeded=True, streams=True, loose=True)
def exec_terminal(kubectl: Kubectl) -> None:
    """A pty of ours around it, so that kubectl has a terminal to hand on."""
    import pty
    import subprocess

    leader, follower = pty.openpty()
    words = kubectl._words("exec -it console -- sh")
    with subprocess.Popen(
        words, stdin=follower, stdout=follower, stderr=follower, env=kubectl._environment({}), close_fds=True
    ) as process:
        os.close(follower)
        seen = _read_until(leader, b"# ")
        os.write(leader, b"echo hi there; stty size\r")
        seen += _read_until(leader, b"hi there\r\n")
        os.write(leader, b"exit 3\r")
        code = process.wait(60)
        os.close(leader)
    kubectl.note("exec -it", code, seen.decode(), "", 3)


def _read_until(descriptor: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        seen += os.read(descriptor, 4096)
    return seen


@CASES.case("moved there and back", pods=True, seeded=True, streams=True)
def cp(kubectl: Kubectl) -> None:
    big = "moved there and back\n" + "x" * 400_000
    kubectl.file("there.txt", big)
    kubectl("cp there.txt console:/tmp/there.txt", racing=True)
    kubectl("exec console -- wc -c /tmp/there.txt", code=None)
    kubectl("cp console:/tmp/there.txt back.txt", racing=True)
    assert (kubectl.work / "back.txt").read_text() == big
    kubectl("exec console -- head -n 1 /tmp/there.txt", code=None)
    (kubectl.work / "tree" / "below").mkdir(parents=True)
    kubectl.file("tree/below/leaf", big[:20])
    kubectl("cp tree shop/console:/srv", racing=True)
    kubectl("cp console:/srv back", racing=True)
    assert (kubectl.work / "back" / "below" / "leaf").read_text() == big[:20]
    kubectl("exec console -- cat /srv/below/leaf")


@CASES.case("cp console", pods=True, seeded=True, streams=True)
def cp_missing(kubectl: Kubectl) -> None:
    kubectl("cp console:/tmp/nothing here.txt", code=None, racing=True)
    assert not (kubectl.work / "here.txt").exists()


@CASES.case("working", pods=True, seeded=True)
def logs_follow(kubectl: Kubectl) -> None:
    with kubectl.running("logs -f ticker --tail=1") as following:
        following.until("working(.|\n)*working(.|\n)*working")
        kubectl("delete pod ticker --wait=false")
        code = following.end()
        kubectl.note(
            "logs -f", code, "\n".join(sorted({line.split()[0] for line in following.out.splitlines()})), following.err
        )


@CASES.case("hello from console port 8080 path /one", pods=True, seeded=True, streams=True)
def port_forward(kubectl: Kubectl) -> None:
    with kubectl.running("port-forward pod/console :8080") as forwarding:
        port = int(forwarding.until(r"127\.0\.0\.1:(\d+)")[1])
        for path in ("/one", "/two"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                kubectl.note(f"GET {path}", 0, answer.read().decode(), "")
        with socket.create_connection(("127.0.0.1", port), 60) as raw:
            raw.sendall(b"echo me" * 10_000)
            raw.shutdown(socket.SHUT_WR)
            found = b""
            while data := raw.recv(65_536):
                found += data
        assert found == b"echo me" * 10_000
        forwarding.process.terminate()
        forwarding.end()
        kubectl.note("port-forward", 0, forwarding.out, forwarding.err)


def _hung_up(raw: socket.socket) -> None:
    """kubectl closes its end; what it has not read by then makes that a reset."""
    try:
        assert raw.recv(1) == b""
    except ConnectionResetError:
        return


@CASES.case("connection refused", pods=True, seeded=True, streams=True, loose=True)
def port_forward_closed_port(kubectl: Kubectl) -> None:
    with kubectl.running("port-forward pod/console :7777") as forwarding:
        port = int(forwarding.until(r"127\.0\.0\.1:(\d+)")[1])
        with socket.create_connection(("127.0.0.1", port), 60) as raw:
            raw.sendall(b"x")
            _hung_up(raw)
        forwarding.until("connection refused")
        kubectl.note("port-forward", 0, forwarding.out, forwarding.err)


@CASES.case("Forwarding from", pods=True, seeded=True, streams=True, loose=True)
def port_forward_ends_with_its_pod(kubectl: Kubectl) -> None:
    with kubectl.running("port-forward pod/console :8080") as forwarding:
        port = int(forwarding.until(r"127\.0\.0\.1:(\d+)")[1])
        with socket.create_connection(("127.0.0.1", port), 60) as raw:
            raw.sendall(b"x")
            assert raw.recv(1) == b"x"
            kubectl("delete pod console --wait=false")
            _hung_up(raw)
        kubectl.note("port-forward", 0, forwarding.out, "")


@CASES.case("attached line", pods=True, seeded=True, streams=True, loose=True)
def attach(kubectl: Kubectl) -> None:
    with kubectl.running("attach -i console") as attached:
        attached.type("echo attached line\n")
        attached.until("(?m)^attached line$")
        attached.process.terminate()
        attached.end()
        kubectl.note("attach", 0, attached.out, attached.err)


@CASES.case("said by run", 'pod "once" deleted', pods=True, streams=True, loose=True)
def run_attached(kubectl: Kubectl) -> None:
    kubectl(
        "run once --image=registry.example/tools:1 --rm -i --restart=Never --command -- sh", stdin="echo said by run\n"
    )


@CASES.case("debugged", pods=True, seeded=True, streams=True, loose=True)
def debug(kubectl: Kubectl) -> None:
    kubectl("debug console --image=registry.example/debugger:1 -c helper -i -- sh", stdin="echo debugged\n")
    kubectl("get pod console -o jsonpath='{.spec.ephemeralContainers[*].name}'")


@CASES.case("debugging", pods=True, seeded=True, loose=True)
def debug_copy(kubectl: Kubectl) -> None:
    kubectl("debug console --copy-to=debugging --image=registry.example/debugger:1 -c helper --attach=false")
    kubectl("get pod debugging -o jsonpath='{.metadata.name}{\" \"}{.spec.containers[*].name}'")
