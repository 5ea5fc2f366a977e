"""All the demo's agents at their work, over and over, each with the program that its script names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import assert_never

from hooptui.demo.agents import Agent, Gate
from hooptui.demo.kube import KubeAgent
from hooptui.demo.received import Received
from hooptui.demo.scripts import Script
from hooptui.demo.shell import ShellAgent

KNOCK_AGAIN = 4.0
"""Seconds until an agent that was not let in tries again."""


def agent_for(script: Script, gate: Gate, received: Received) -> Agent | ShellAgent | KubeAgent:
    match script.program:
        case "psql" | "psycopg":
            return Agent(script, gate, received)
        case "ssh":
            return ShellAgent(script, gate, received)
        case "kubectl":
            return KubeAgent(script, gate, received)
        case unknown:
            assert_never(unknown)


async def work(script: Script, gate: Gate, received: Received, *, hurry: float = 1.0) -> None:
    """Run a script until cancelled. `hurry` divides every pause.

    Raises:
        UserError: the issuer gives no token.
        OSError: the program cannot be started.
    """
    await asyncio.sleep(script.late / hurry)
    while True:
        answered = 0
        async with agent_for(script, gate, received) as agent:
            for step in script.steps:
                await asyncio.sleep(step.pause / hurry)
                if not await agent.say(step):
                    break
                answered += 1
        # Turned away at the door is not a day's work.
        await asyncio.sleep((script.rest if answered else KNOCK_AGAIN) / hurry)


async def crew(scripts: Sequence[Script], gate: Gate, received: Received, *, hurry: float = 1.0) -> None:
    """All of them at once, until cancelled."""
    async with asyncio.TaskGroup() as group:
        for script in scripts:
            group.create_task(work(script, gate, received, hurry=hurry), name=script.name)
