"""The shell and the programs of a container, without a cluster."""

from __future__ import annotations

import asyncio

import pytest

from hooptui.demo.cluster.machine.container import Container, Streams
from hooptui.demo.cluster.machine.flow import FULL, Broken, Flow


class Client:
    """A program's client: keeps what it gets."""

    def __init__(self, stdin: bytes | None = None, *, tty: bool = False) -> None:
        self.output = bytearray()
        self.errors = bytearray()
        self.keys = Flow()
        self._given = stdin
        self.sizes: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self.streams = Streams(self.keys if stdin is not None or tty else None, self._out, self._err, self.sizes, tty)

    async def _out(self, data: bytes) -> None:
        self.output += data

    async def _err(self, data: bytes) -> None:
        self.errors += data

    async def run(self, *command: str, container: Container | None = None) -> int:
        if self._given is not None:
            await self.keys.write(self._given)
            self.keys.end()
        return await (container or box()).run(list(command), self.streams)


def box() -> Container:
    return Container("web", "web-1", "web:1", [], {"GREETING": "hello world"})


@pytest.mark.parametrize(
    ("script", "out", "err", "code"),
    [
        ("echo a; echo b", "a\nb\n", "", 0),
        ("echo out; echo err >&2; exit 7", "out\n", "err\n", 7),
        ("false && echo no; true || echo no; false || echo yes", "yes\n", "", 0),
        ("echo $GREETING '$GREETING' \"<$GREETING>\" $?", "hello world $GREETING <hello world> 0\n", "", 0),
        ("X=1; echo $X$X", "11\n", "", 0),
        ("echo one two | wc -w", "2\n", "", 0),
        ("printf 'a\\nb\\nab\\n' | grep a | wc -l", "2\n", "", 0),
        ("echo x > /tmp/f; echo y >> /tmp/f; cat /tmp/f; cat < /tmp/f | wc -l", "x\ny\n2\n", "", 0),
        ("cat /nothing 2>/dev/null; echo $?", "1\n", "", 0),
        ("cat /nothing 2>&1", "cat: /nothing: No such file or directory\n", "", 1),
        ("cd /tmp; pwd; cd /none", "/tmp\n", "sh: cd: can't cd to /none: No such file or directory\n", 1),
        ("nosuch", "", "sh: nosuch: not found\n", 127),
        ("[ -d /tmp ] && echo yes", "yes\n", "", 0),
        ("echo 'unclosed", "", "sh: syntax error: No closing quotation\n", 2),
    ],
)  # fmt: skip
async def test_the_shell(script: str, out: str, err: str, code: int) -> None:
    client = Client()
    found = await client.run("sh", "-c", script)
    assert (client.output.decode(), client.errors.decode(), found) == (out, err, code)


async def test_cat_copies_its_input() -> None:
    client = Client(b"\x00\xffbytes" * 1000)
    assert await client.run("cat") == 0
    assert bytes(client.output) == b"\x00\xffbytes" * 1000


async def test_tar_packs_and_unpacks() -> None:
    container = box()
    container.files.plant("/srv/a/one", b"1")
    packer = Client()
    assert await packer.run("tar", "cf", "-", "/srv/a", container=container) == 0
    assert packer.errors == b"tar: Removing leading `/' from member names\n"
    unpacker = Client(bytes(packer.output))
    assert await unpacker.run("tar", "-xmf", "-", "-C", "/tmp", container=container) == 0
    file = container.files.get("/tmp/srv/a/one")
    assert file is not None
    assert file.content == b"1"


async def test_no_file_of_the_machine_is_within_reach() -> None:
    client = Client()
    assert await client.run("cat", "/etc/passwd", "../../../etc/passwd") == 1
    assert client.output == b""


async def test_a_terminal_echoes_and_ends_by_its_keys() -> None:
    client = Client(tty=True)
    client.sizes.put_nowait((132, 43))
    running = asyncio.ensure_future(client.run("sh"))
    await client.keys.write(b"ech\x7fho hi\rstty size\r")
    await client.keys.write(b"\x04")
    assert await running == 0
    # Keys are echoed as they come; what the program says comes when it has read its line.
    assert b"ech\b \bho hi\r\n" in client.output
    assert b"hi\r\n# " in client.output
    assert b"43 132\r\n# " in client.output


async def test_an_interrupt_ends_a_program() -> None:
    client = Client(tty=True)
    running = asyncio.ensure_future(client.run("sleep", "infinity"))
    await client.keys.write(b"\x03")
    assert await running == 130
    assert bytes(client.output) == b"^C\r\n"


async def test_a_container_that_ends_takes_its_programs_along() -> None:
    container = box()
    running = asyncio.ensure_future(Client().run("sleep", "infinity", container=container))
    await asyncio.sleep(0)
    container.stop()
    assert await running == 137


async def test_a_flow_is_bounded_and_says_when_nobody_reads() -> None:
    flow = Flow()
    await flow.write(b"x" * FULL)
    waiting = asyncio.ensure_future(flow.write(b"y"))
    await asyncio.sleep(0)
    assert not waiting.done()
    flow.abandon()
    with pytest.raises(Broken):
        await waiting
