"""The programs of every container: what `kubectl exec`, `cp` and `debug` are used with, in Python.

Each is a part of its namesake. Knows files and flows.
"""

from __future__ import annotations

import asyncio
import io
import re
import tarfile
import time

from hooptui.demo.cluster.machine.flow import Flow
from hooptui.demo.cluster.machine.process import Io, Program

FOREVER = 10 * 86_400.0


async def echo(me: Io, args: list[str]) -> int:
    newline = not (args and args[0] == "-n")
    await me.out(" ".join(args if newline else args[1:]).encode() + (b"\n" if newline else b""))
    return 0


async def printf(me: Io, args: list[str]) -> int:
    if args:
        text = args[0].encode().decode("unicode_escape")
        values = iter(args[1:])
        await me.out(re.sub(r"%[sd]", lambda _: next(values, ""), text).encode())
    return 0


async def cat(me: Io, args: list[str]) -> int:
    code = 0
    for name in args or ["-"]:
        if name == "-":
            while data := await me.stdin.read():
                await me.out(data)
            continue
        file = me.files.get(me.at(name))
        if file is None:
            what = "Is a directory" if me.files.is_directory(me.at(name)) else "No such file or directory"
            await me.complain(f"cat: {name}: {what}")
            code = 1
        else:
            await me.out(file.content)
    return code


async def ls(me: Io, args: list[str]) -> int:
    long = any(one.startswith("-") and "l" in one for one in args)
    code = 0
    for name in [one for one in args if not one.startswith("-")] or ["."]:
        path = me.at(name)
        if me.files.is_directory(path):
            names = me.files.names(path)
        elif me.files.get(path) is not None:
            names = [name]
        else:
            await me.complain(f"ls: cannot access '{name}': No such file or directory")
            code = 2
            continue
        for one in names:
            file = me.files.get(me.files.at(path, one)) or me.files.get(path)
            size = len(file.content) if file is not None else 4096
            kind = "-rw-r--r--" if file is not None else "drwxr-xr-x"
            await me.print(f"{kind} 1 root root {size:>8} Jan  1 00:00 {one}" if long else one)
    return code


async def environment(me: Io, args: list[str]) -> int:
    if args and not args[0].startswith("-"):
        found = [me.environment[name] for name in args if name in me.environment]
        await me.print(*found)
        return 0 if len(found) == len(args) else 1
    await me.print(*(f"{name}={value}" for name, value in me.environment.items()))
    return 0


async def tar(me: Io, args: list[str]) -> int:
    """`cf - PATH…` and `xf - [-C DIRECTORY]`, as kubectl cp asks for."""
    flags = args[0].lstrip("-")
    names, directory, rest = [], me.cwd[0], iter(args[1:])
    for one in rest:
        if one == "-C":
            directory = next(rest, directory)
        elif one != "-" and not one.startswith("-"):
            names.append(one)
    if "c" in flags:
        return await _pack(me, directory, names)
    content = await me.stdin.rest()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r|*") as archive:
            for member in archive:
                path = me.files.at(directory, member.name)
                if member.isdir():
                    me.files.make(path)
                elif member.isfile() and (source := archive.extractfile(member)) is not None:
                    me.files.make(path.rpartition("/")[0] or "/")
                    me.files.put(path, source.read(), member.mode & 0o777)
    except (tarfile.TarError, OSError) as fault:
        await me.complain(f"tar: {fault}")
        return 2
    return 0


async def _pack(me: Io, directory: str, names: list[str]) -> int:
    packed, code = io.BytesIO(), 0
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in names:
            root = me.files.at(me.files.at(me.cwd[0], directory), name)
            found = me.files.walk(root)
            if not found:
                await me.complain(f"tar: {name}: Cannot stat: No such file or directory")
                code = 2
            elif name.startswith("/"):
                await me.complain("tar: Removing leading `/' from member names")
            for path in found:
                member = tarfile.TarInfo((name.rstrip("/") + path[len(root) :]).lstrip("/"))
                file = me.files.get(path)
                if file is None:
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(member)
                else:
                    member.size, member.mode, member.mtime = len(file.content), file.mode, int(file.changed)
                    archive.addfile(member, io.BytesIO(file.content))
    if code:
        await me.complain("tar: Exiting with failure status due to previous errors")
    await me.out(packed.getvalue())
    return code


async def sleep(me: Io, args: list[str]) -> int:
    seconds = FOREVER if args and args[0] in ("infinity", "inf") else float((args or ["0"])[0].rstrip("s"))
    await asyncio.sleep(min(seconds, FOREVER))
    return 0


async def wc(me: Io, args: list[str]) -> int:
    data = await me.stdin.rest()
    flag = next((one for one in args if one.startswith("-")), "")
    counts = {"-c": len(data), "-l": data.count(b"\n"), "-w": len(data.split())}
    await me.print(str(counts[flag]) if flag in counts else " ".join(str(one) for one in counts.values()))
    return 0


async def head(me: Io, args: list[str]) -> int:
    left = next((int(one.lstrip("-nc")) for one in reversed(args) if one.lstrip("-nc").isdecimal()), 10)
    if any(one.startswith("-c") for one in args):
        await me.out((await me.stdin.rest())[:left])
        return 0
    while left and (line := await me.stdin.line()):
        await me.out(line)
        left -= 1
    return 0


async def grep(me: Io, args: list[str]) -> int:
    pattern, *names = [one for one in args if not one.startswith("-")] or [""]
    hit = False
    sources = [file.content for name in names if (file := me.files.get(me.at(name))) is not None]
    for line in (b"".join(sources) if names else await me.stdin.rest()).splitlines(keepends=True):
        if re.search(pattern.encode(), line):
            hit = True
            await me.out(line)
    return 0 if hit else 1


async def rm(me: Io, args: list[str]) -> int:
    code = 0
    for name in [one for one in args if not one.startswith("-")]:
        try:
            me.files.remove(me.at(name))
        except FileNotFoundError:
            if not any(one.startswith("-") and "f" in one for one in args):
                await me.complain(f"rm: cannot remove '{name}': No such file or directory")
                code = 1
    return code


async def mkdir(me: Io, args: list[str]) -> int:
    for name in [one for one in args if not one.startswith("-")]:
        me.files.make(me.at(name))
    return 0


async def test(me: Io, args: list[str]) -> int:
    match args:
        case ["-d", name]:
            return 0 if me.files.is_directory(me.at(name)) else 1
        case ["-e" | "-f", name]:
            return 0 if me.files.get(me.at(name)) is not None or me.files.is_directory(me.at(name)) else 1
        case [left, "=", right]:
            return 0 if left == right else 1
        case [text]:
            return 0 if text else 1
        case _:
            return 2


async def stty(me: Io, args: list[str]) -> int:
    if me.screen is None:
        await me.complain("stty: 'standard input': Inappropriate ioctl for device")
        return 1
    await me.print(f"{me.screen.rows} {me.screen.columns}")
    return 0


async def tty(me: Io, args: list[str]) -> int:
    await me.print("/dev/pts/0" if me.screen is not None else "not a tty")
    return 0 if me.screen is not None else 1


async def seq(me: Io, args: list[str]) -> int:
    for number in range(1 if len(args) < 2 else int(args[0]), int(args[-1]) + 1):
        await me.print(str(number))
    return 0


async def ticks(me: Io, args: list[str]) -> int:
    """`ticks SECONDS [LINE]`: a line every so often, for ever; what `while true; do …; done` is used for."""
    pause = float((args or ["1"])[0])
    number = 0
    while True:
        number += 1
        await me.print(f"{' '.join(args[1:]) or 'tick'} {number}")
        await asyncio.sleep(pause)


def says(text: str, code: int = 0) -> Program:
    async def program(me: Io, args: list[str]) -> int:
        if text:
            await me.print(text)
        return code

    return program


async def hostname(me: Io, args: list[str]) -> int:
    await me.print(me.hostname)
    return 0


async def pwd(me: Io, args: list[str]) -> int:
    await me.print(me.cwd[0])
    return 0


async def date(me: Io, args: list[str]) -> int:
    await me.print(time.strftime("%a %b %e %H:%M:%S UTC %Y", time.gmtime()))
    return 0


async def tee(me: Io, args: list[str]) -> int:
    data = await me.stdin.rest()
    for name in args:
        me.files.put(me.at(name), data)
    await me.out(data)
    return 0


PROGRAMS: dict[str, Program] = {
    "echo": echo, "printf": printf, "cat": cat, "ls": ls, "env": environment, "printenv": environment, "tar": tar, "sleep": sleep,
    "wc": wc, "head": head, "grep": grep, "rm": rm, "mkdir": mkdir, "test": test, "stty": stty, "tty": tty, "seq": seq,
    "ticks": ticks, "true": says(""), "false": says("", 1), "whoami": says("root"), "id": says("uid=0(root) gid=0(root) groups=0(root)"),
    "uname": says("Linux"), "hostname": hostname, "pwd": pwd, "date": date, "tee": tee,
}  # fmt: skip


def still() -> Flow:
    """An input with nothing in it."""
    flow = Flow()
    flow.end()
    return flow
