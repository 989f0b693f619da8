"""Agents of other programs through the doors that people have: the command line, and an editor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from descartes_server.operations.workspace import Workspace
from support.acp_runs import agent, plain
from support.lsp_client import LspClient, LspError, lsp

Descartes = Any
ASKS = """
prompt = ready()
change = {'type': 'diff', 'path': os.path.abspath('a.lisp'), 'oldText': '2)', 'newText': '3)'}
call = {'toolCallId': 'c1', 'title': 'Edit two', 'kind': 'edit', 'content': [change]}
options = [{'optionId': 'yes', 'name': 'Yes', 'kind': 'allow_once'}]
answer = ask('session/request_permission', {'toolCall': call, 'options': options})['result']
say(prompt, {'stopReason': 'end_turn' if answer['outcome'].get('optionId') == 'yes' else 'refusal'})
time.sleep(600)
"""
WRITES = """
prompt = ready()
ask('fs/write_text_file', {'path': os.path.abspath('a.txt'), 'content': 'by the agent'})
say(prompt, {'stopReason': 'end_turn'})
"""
WRONG = (
    ({"command": []}, "needs the command of its agent"),
    ({"agent": "nobody"}, "or the name of one of the settings: the settings have fixer, helper"),
    ({"command": ["no-such-agent"]}, "no program 'no-such-agent'"),
    ({"backend": "acp2", "command": ["cat"]}, "is model, process or acp, not 'acp2'"),
)
NOTIFIED = {"experimental": {"descartes": {"notifications": True}}}


def settings(here: Workspace, **agents: Sequence[str]) -> None:
    text = "".join(f"[agents.{name}]\ncommand = {json.dumps(words)}\n" for name, words in agents.items())
    (here.root / "descartes.toml").write_text(f'version = "2.0.0"\n{text}')


async def lenses(client: LspClient, uri: str) -> set[tuple[int, str]]:
    """Return the lines and titles of the code lenses of URI."""
    found = await client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
    return {(each["range"]["start"]["line"], each["command"]["title"]) for each in found}


async def test_an_agent_beside_an_editor_and_one_from_a_terminal(
    descartes: Descartes, here: Workspace
) -> None:
    settings(here, fixer=plain(WRITES), helper=["cat"])
    (here.root / "a.lisp").write_text("(defun one () 1)\n\n(defun two () 2)\n")
    async with lsp(here.root, capabilities=NOTIFIED, initializationOptions={"trusted": True}) as client:
        for wrong, said in WRONG:
            with pytest.raises(LspError, match=said):
                await client.execute("run.spawn", {"task": "x", "backend": "acp", **wrong})
        uri = client.open(here.root / "a.lisp")
        run = await client.execute("run.spawn", {"task": "x", "backend": "acp", "command": plain(ASKS)})
        asked = await client.notification(
            "descartes/intervention/changed",
            lambda told: any(each["run"] == run["id"] for each in told["interventions"]),
        )
        (question,) = asked["interventions"]
        assert question["title"] == "Edit two"
        assert [each["id"] for each in question["choices"]] == ["accept", "reject"]

        async with asyncio.timeout(60):
            while not {(2, "Edit two"), (2, "Yes"), (2, "Reject")} <= await lenses(client, uri):
                pass

        words = ("spawn", "--task", "Fix it", "--agent", "fixer", "--tool-level", "trusted", "--wait")
        spawned = await descartes(*words, "--json", "--trust")
        fixed = json.loads(spawned.out)
        assert (spawned.status, fixed["backend"], fixed["status"]) == (0, "acp", "completed")
        assert (here.root / "a.txt").read_text() == "by the agent"
        listed = (await descartes("history", fixed["id"])).out
        lines = [line.split("\t")[4:] for line in reversed(listed.splitlines())]
        wanted = ["run.spawned", "agent.connected", "lease.acquired", "tool.started", "file.written"]
        assert [line[0] for line in lines if line[0] in wanted] == wanted
        assert ["agent.connected", "agent:fixer", ""] in lines

        with pytest.raises(LspError, match="The choices are accept, reject, not 'edit'"):
            await client.execute("intervention.answer", {"id": question["id"], "choice": "edit"})
        await client.execute("intervention.answer", {"id": question["id"], "choice": "accept"})
        await client.notification(
            "descartes/run/changed",
            lambda told: told["id"] == run["id"] and told["status"] == "completed",
        )


@pytest.mark.slow
async def test_an_agent_has_the_tools_of_descartes(descartes: Descartes, here: Workspace) -> None:
    settings(here, fixer=agent([["servers"], ["say", "done"]]))
    words = ("spawn", "--trust", "--task", "Fix it", "--agent", "fixer", "--wait")
    spawned = await descartes(*words)
    assert (spawned.status, spawned.out, spawned.err) == (0, "descartes: descartesdone\n", "")
    reading = await descartes(*words, "--tool-level", "read-only")
    assert (reading.status, reading.out) == (0, "done\n")
