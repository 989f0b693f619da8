"""Runs of agents that speak the Agent Client Protocol, beside `running.Bench`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from descartes_core.model import Principal, Run
from descartes_core.runs import SpawnRequest
from support.running import ANN, Bench

AGENT = str(Path(__file__).with_name("acp_agent.py"))
Turn = list[list[Any]]


def agent(*turns: Turn) -> list[str]:
    """Return the command of an agent that does TURNS."""
    return [sys.executable, AGENT, *(json.dumps(turn) for turn in turns)]


def plain(code: str) -> list[str]:
    """Return the command of a small agent: CODE with `ready`, `tell`, `ask` and `say`, and no library.

    For agents that do not keep to the protocol; they start at once.
    """
    head = (
        "import json, os, sys, time\n"
        "def say(id, result=None, **more):\n"
        "    more = more or {'result': result}\n"
        "    print(json.dumps({'jsonrpc': '2.0', 'id': id, **more}), flush=True)\n"
        "def tell(method, params, **more):\n"
        "    params = {'sessionId': 's1', **params}\n"
        "    print(json.dumps({'jsonrpc': '2.0', 'method': method, 'params': params, **more}), flush=True)\n"
        "def ask(method, params):\n"
        "    tell(method, params, id=7)\n"
        "    return json.loads(sys.stdin.readline())\n"
        "def ready():\n"
        "    for result in ({'protocolVersion': 1}, {'sessionId': 's1'}):\n"
        "        say(json.loads(sys.stdin.readline())['id'], result)\n"
        "    return json.loads(sys.stdin.readline())['id']\n"
    )
    return [sys.executable, "-S", "-E", "-c", head + code]


async def start(bench: Bench, command: list[str], *, by: Principal = ANN, **more: Any) -> Run:
    """Spawn a run of the agent COMMAND; MORE goes into the request, `environment` beside it."""
    environment = {**os.environ, **more.pop("environment", {})}
    request = SpawnRequest(**{"task": "Do it", "backend": "acp", "command": command, **more})
    return await bench.runs.spawn(request, by=by, environment=environment)


async def said(bench: Bench, run: str) -> str:
    """Return all that the agent of RUN said, as the log has it."""
    events = await bench.events(run, "message")
    return "\n".join(event.data["content"] for event in events if event.data["role"] == "assistant")


async def data(bench: Bench, run: str, name: str) -> list[dict[str, Any]]:
    """Return the data of the events NAME of RUN."""
    return [event.data for event in await bench.events(run, name)]
