"""Every place that Descartes can keep from writing, beside every kind of lease: who is stopped or told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from mcp_types import CallToolRequestParams

from descartes_core.leases import Leases
from descartes_core.model import LeaseMode, Principal, Run
from descartes_core.store import Store
from descartes_server.hub.main import running_hub
from descartes_server.hub.server import SocketServer
from descartes_server.mcp import tools
from descartes_server.mcp.server import Desk
from descartes_server.operations import guard_hooks, pre_tool, trust
from descartes_server.operations import workspace as workspaces
from descartes_server.operations.guard_hooks import Mode, Repository
from support.acp_runs import plain, start
from support.lsp_client import lsp
from support.running import Bench, call

BOB = Principal(kind="human", id="bob", name="Bob", via="Emacs")
FILE = "descartes.toml"
WRITES = f"""
prompt = ready()
ask('fs/write_text_file', {{'path': os.path.abspath('{FILE}'), 'content': 'x'}})
say(prompt, {{'stopReason': 'end_turn'}})
"""
Point = Callable[[Path], Awaitable[str]]
"""Tries to change the file and returns what became of it: refused, warned, asked or passed."""


@pytest.fixture(autouse=True)
def ann(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name in ("DESCARTES_HOLDER", "DESCARTES_GUARD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repository(workspace: Path) -> Path:
    git(workspace, "init", "-b", "main")
    (workspace / FILE).write_text('version = "2.0.0"\n')
    git(workspace, "add", FILE)
    git(workspace, "commit", "-m", "one")
    git(workspace.parent, "init", "--bare", "there.git")
    git(workspace, "remote", "add", "origin", "../there.git")
    git(workspace, "push", "origin", "main")
    return workspace


def git(folder: Path, *words: str) -> tuple[int, str]:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def told(status: int, said: str) -> str:
    if "Bob (human)" not in said:
        return "passed" if status == 0 else said
    return "warned" if status == 0 else "refused"


def own_tool(tool: str, **arguments: str) -> Point:
    turns = (call(tool, **arguments), {"text": "Done."})
    return of_run(lambda bench: bench.spawn(*turns, tool_level="trusted"))


def of_run(spawn: Callable[[Bench], Awaitable[Run]]) -> Point:
    async def point(folder: Path) -> str:
        bench = await Bench.open(folder)
        try:
            run = await spawn(bench)
            asked = bench.until(lambda: bench.questions.list(run=run.id))
            done, pending = await asyncio.wait(
                [asyncio.ensure_future(asked), asyncio.ensure_future(bench.ended(run.id))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for each in pending:
                each.cancel()
            if not (await bench.runs.show(run.id)).ended_at:
                assert done
                return "asked"
            failed = await bench.events(run.id, "tool.failed")
            return "refused" if failed and "Bob" in failed[0].data["error"]["message"] else "passed"
        finally:
            await bench.close()

    return point


def agent_of_others() -> Point:
    return of_run(lambda bench: start(bench, plain(WRITES), tool_level="trusted"))


async def by_mcp(folder: Path) -> str:
    trust.trust(folder)
    place = workspaces.find(folder)
    async with running_hub(place) as hub:
        socket = SocketServer(hub, place)
        await socket.listen()
        desk = Desk(place, tools.all_tools())
        try:
            wanted = {"path": FILE, "content": "x", "waitMs": 1}
            done = await desk.call_tool(
                SimpleNamespace(session=SimpleNamespace(client_params=None)),  # type: ignore[arg-type]
                CallToolRequestParams(name="file_write", arguments=wanted),
            )
        finally:
            await desk.close()
            socket.close()
    if not done.is_error:
        return "passed"
    assert "Bob" in str(done.content)
    return "asked" if "a person's answer" in str(done.content) else "refused"


async def settings(folder: Path) -> str:
    words = ("config", "set", "leases.ttlSeconds", "99")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "descartes_server", *words), cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    return told(process.returncode or 0, said.decode())


def in_git(mode: Mode, *, push: bool) -> Point:
    async def point(folder: Path) -> str:
        (folder / FILE).write_text("changed = 1\n")
        if push:
            git(folder, "commit", "--no-verify", "-am", "two")
        guard_hooks.install(Repository.of(folder), mode)
        return told(*git(folder, *(("push", "origin", "main") if push else ("commit", "-am", "two"))))

    return point


def by_hook(*, warn: bool) -> Point:
    async def point(folder: Path) -> str:
        asked = {"tool_name": "Write", "tool_input": {"file_path": FILE}, "cwd": str(folder)}
        answer = await asyncio.to_thread(pre_tool.answer_to, msgspec.json.encode(asked), warn=warn)
        if answer is None:
            return "passed"
        assert "Bob (human)" in str(answer)
        return "refused" if "hookSpecificOutput" in answer else "warned"

    return point


async def editor(folder: Path) -> str:
    abilities = {"textDocument": {"synchronization": {"willSave": True, "willSaveWaitUntil": True}}}
    async with lsp(folder, capabilities=abilities) as client:
        uri = client.open(folder / FILE)
        await client.execute("lease.list")
        client.change(uri, 2, {"text": "changed = 1\n"})
        await client.request("textDocument/willSaveWaitUntil", {"textDocument": {"uri": uri}, "reason": 1})
        # It is sent before the answer.
        shown = [m for m in client.messages if m.get("method") == "window/showMessage"]
        return "warned" if shown and "Bob" in shown[0]["params"]["message"] else "passed"


ALL: tuple[LeaseMode, ...] = ("exclusive", "intent", "shared")
POINTS: dict[str, tuple[Point, dict[LeaseMode, str]]] = {
    "a tool of a run": (
        own_tool("write", path=FILE, content="x"),
        {"exclusive": "refused", "intent": "asked", "shared": "refused"},
    ),
    "a command of a run": (
        own_tool("shell", command=f"sed -i s/2/3/ {FILE}"),
        {"exclusive": "refused", "intent": "asked", "shared": "refused"},
    ),
    "the agent of a run, by ACP": (
        agent_of_others(),
        {"exclusive": "refused", "intent": "asked", "shared": "refused"},
    ),
    "a tool of MCP": (by_mcp, {"exclusive": "refused", "intent": "asked", "shared": "refused"}),
    "the settings": (settings, dict.fromkeys(ALL, "refused")),
    "a commit": (in_git("block", push=False), dict.fromkeys(ALL, "refused")),
    "a commit, warned of": (in_git("warn", push=False), dict.fromkeys(ALL[:2], "warned")),
    "a push": (in_git("block", push=True), {"exclusive": "refused"}),
    "a push, warned of": (in_git("warn", push=True), {"exclusive": "warned"}),
    "another program's agent": (
        by_hook(warn=False),
        dict.fromkeys(ALL, "refused"),
    ),
    "another program's agent, warned of": (
        by_hook(warn=True),
        dict.fromkeys(ALL[:2], "warned"),
    ),
    "an editor": (editor, {"exclusive": "warned", "intent": "warned", "shared": "passed"}),
}


@pytest.mark.ledger("D-58")
@pytest.mark.parametrize(
    ("point", "mode"), [(name, mode) for name, (_, expected) in POINTS.items() for mode in expected]
)
async def test_who_is_stopped_where(repository: Path, point: str, mode: LeaseMode) -> None:
    store = await Store.open(repository / ".descartes" / "descartes.db")
    leases = Leases(store, repository)
    await leases.acquire(FILE, BOB, mode=mode, reason="thinking")
    await leases.close()
    await store.close()
    attempt, expected = POINTS[point]
    before = (repository / FILE).read_text()
    outcome = await attempt(repository)
    assert outcome == expected[mode]
    if outcome in ("refused", "asked") and ("of a run" in point or attempt in (settings, by_mcp)):
        assert (repository / FILE).read_text() == before
    assert os.getenv("DESCARTES_GUARD") is None


@pytest.mark.parametrize("point", [name for name in POINTS if name != "the settings"])
async def test_nobody_is_stopped_where_nobody_holds_anything(repository: Path, point: str) -> None:
    assert await POINTS[point][0](repository) == "passed"
