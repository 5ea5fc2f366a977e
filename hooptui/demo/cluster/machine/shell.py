"""`sh`: lists, `&&`, `||`, pipes, redirections, quotes, variables, `cd`, `exit`, and lines typed at a prompt. No loops, no functions.

Knows the programs; splits words by shlex.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from dataclasses import dataclass, field

from hooptui.demo.cluster.machine.flow import Broken, Flow
from hooptui.demo.cluster.machine.process import NOT_FOUND, Io
from hooptui.demo.cluster.machine.programs import PROGRAMS

PROMPT = b"# "
NAMES = ("sh", "/bin/sh", "bash", "/bin/bash", "ash")


class Exit(Exception):
    """The shell ends."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Simple:
    """One command of a pipeline."""

    words: list[str] = field(default_factory=list)
    redirections: list[tuple[str, str]] = field(default_factory=list)


async def run(me: Io, command: list[str]) -> int:
    """Run a program by its name and arguments; 127 when there is none."""
    name, *args = command
    if name in NAMES:
        return await shell(me, args)
    program = PROGRAMS.get(name.rpartition("/")[2])
    if program is None:
        await me.complain(f"sh: {name}: not found")
        return NOT_FOUND
    try:
        return await program(me, args)
    except Broken:
        return 141
    except (ValueError, OSError) as fault:
        await me.complain(f"{name}: {fault}")
        return 1


def exists(command: list[str]) -> bool:
    """Is there such a program? What a container runtime asks before it starts one."""
    return bool(command) and (command[0] in NAMES or command[0].rpartition("/")[2] in PROGRAMS)


async def shell(me: Io, args: list[str]) -> int:
    state = _Shell(me)
    try:
        if args[:1] == ["-c"] and len(args) > 1:
            me.environment["0"] = args[2] if len(args) > 2 else "sh"
            for text in args[1].splitlines():
                await state.line(text)
            return state.code
        prompts = me.screen is not None
        if prompts:
            await me.out(PROMPT)
        while line := await me.stdin.line():
            await state.line(line.decode(errors="replace").rstrip("\n"))
            if prompts:
                await me.out(PROMPT)
        return state.code
    except Exit as leave:
        return leave.code


class _Shell:
    def __init__(self, me: Io) -> None:
        self._me = me
        self.code = 0

    async def line(self, text: str) -> None:
        try:
            tokens = _tokens(text)
        except ValueError as fault:
            await self._me.complain(f"sh: syntax error: {fault}")
            self.code = 2
            return
        pipeline: list[str] = []
        joint = ";"
        for token in [*tokens, ";"]:
            if token not in (";", "&&", "||", "&"):
                pipeline.append(token)
                continue
            wanted = joint in (";", "&") or (joint == "&&") == (self.code == 0)
            if pipeline and wanted:
                self.code = await self._pipeline(pipeline)
            pipeline, joint = [], token

    async def _pipeline(self, tokens: list[str]) -> int:
        commands = [Simple()]
        rest = iter(tokens)
        for word in rest:
            if word == "|":
                commands.append(Simple())
            elif word in (">", ">>", "<", "2>", "2>>"):
                commands[-1].redirections.append((word, self._expand(next(rest, ""))))
            elif word in ("2>&1", ">&2", "1>&2"):
                commands[-1].redirections.append((word, ""))
            else:
                commands[-1].words.append(self._expand(word))
        if len(commands) == 1:
            return await self._simple(self._me, commands[0])
        flows = [Flow() for _ in commands[1:]]
        work = []
        for place, command in enumerate(commands):
            io = self._me.with_streams(
                stdin=flows[place - 1] if place else None, out=flows[place].write if place < len(flows) else None
            )
            work.append(self._piped(io, command, flows[place] if place < len(flows) else None))
        return (await asyncio.gather(*work))[-1]

    async def _piped(self, io: Io, command: Simple, out: Flow | None) -> int:
        try:
            return await self._simple(io, command)
        finally:
            if out is not None:
                out.end()
            if io.stdin is not self._me.stdin:
                io.stdin.abandon()

    async def _simple(self, io: Io, command: Simple) -> int:
        files: list[tuple[str, bytearray]] = []
        for operator, name in command.redirections:
            if operator == "<":
                file = io.files.get(io.at(name))
                if file is None:
                    await io.complain(f"sh: can't open {name}: no such file")
                    return 1
                source = Flow()
                await source.write(file.content)
                source.end()
                io = io.with_streams(stdin=source)
            elif operator == "2>&1":
                io = io.with_streams(err=io.out)
            elif operator in (">&2", "1>&2"):
                io = io.with_streams(out=io.err)
            elif name != "/dev/null":
                old = io.files.get(io.at(name)) if operator.endswith(">>") else None
                files.append((io.at(name), content := bytearray(old.content if old else b"")))
                io = _into(io, operator, content)
            else:
                io = _into(io, operator, bytearray())
        code = await self._builtin(io, command.words)
        for path, content in files:
            try:
                io.files.put(path, bytes(content))
            except OSError:
                await io.complain(f"sh: can't create {path}: nonexistent directory")
                return 1
        return code

    async def _builtin(self, io: Io, words: list[str]) -> int:
        while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0], re.DOTALL):
            name, _, value = words[0].partition("=")
            io.environment[name] = value
            words = words[1:]
        match words:
            case []:
                return 0
            case ["exit", *code]:
                raise Exit(int(code[0]) if code else self.code)
            case ["cd", *where]:
                path = io.at(where[0]) if where else "/root"
                if not io.files.is_directory(path):
                    await io.complain(f"sh: cd: can't cd to {path}: No such file or directory")
                    return 1
                io.cwd[0] = path
                return 0
            case ["export", *_] | [":", *_]:
                return 0
            case ["exec", *command]:
                raise Exit(await run(io, command))
            case ["[", *args, "]"]:
                return await PROGRAMS["test"](io, args)
            case _:
                return await run(io, words)

    def _expand(self, token: str) -> str:
        """Variables, unless in single quotes; then quotes away."""
        environment = {**self._me.environment, "?": str(self.code), "$": "1", "HOSTNAME": self._me.hostname}
        out = []
        for part in re.findall(r"'[^']*'|\"(?:\\.|[^\"])*\"|[^'\"]+", token):
            if part.startswith("'"):
                out.append(part[1:-1])
                continue
            text = part[1:-1] if part.startswith('"') else part
            text = re.sub(
                r"(?<!\\)\$(?:\{(\w+)\}|(\w+|\?|\$))", lambda found: environment.get(found[1] or found[2], ""), text
            )
            out.append(re.sub(r"\\([$\"\\`])" if part.startswith('"') else r"\\(.)", r"\1", text))
        return "".join(out)


def _tokens(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=False, punctuation_chars=";|&<>")
    lexer.whitespace_split = True
    found: list[str] = []
    for token in lexer:
        numbered = bool(found) and found[-1] in ("1", "2") and token in (">", ">>", ">&")
        if numbered or (found and found[-1].endswith(">&") and token.isdecimal()):
            found[-1] += token
        else:
            found.append(token)
    return [">" if one == "1>" else one for one in found]


def _into(io: Io, operator: str, content: bytearray) -> Io:
    async def write(data: bytes) -> None:
        content.extend(data)

    return io.with_streams(err=write) if operator.startswith("2") else io.with_streams(out=write)
