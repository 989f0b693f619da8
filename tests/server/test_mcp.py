"""`descartes mcp`: the workspace as other programs' agents have it, by the protocol's own client."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_server.hub import record
from descartes_server.hub.client import HubClient
from descartes_server.mcp import answers, tools
from descartes_server.operations import registry, trust
from descartes_server.operations import workspace as workspaces
from support.mcp_client import Agent, agent, parameters
from support.until import answer_that

Descartes = Callable[..., Awaitable[Any]]


def test_a_tool_says_what_an_agent_must_know() -> None:
    offered = tools.all_tools()
    assert {tool.operation.name for tool in offered.values()} == {
        each.name for each in registry.all_operations().values() if each.for_agents
    }
    for tool in offered.values():
        assert tool.schema["type"] == "object" and "$ref" not in json.dumps(tool.schema), tool.name
    acquire = offered["lease_acquire"]
    assert "`ttlSeconds`: by default" in acquire.description
    assert acquire.schema["properties"].keys().isdisjoint({"holder", "uri", "document"})
    assert acquire.schema["properties"]["waitMs"] == {
        "type": "integer",
        "default": 0,
        "description": "How long to wait, in milliseconds.",
    }
    assert (offered["lisp_apropos"].reads, offered["debugger_frames"].reads) == (True, True)
    assert (offered["lisp_eval"].reads, offered["lisp_eval"].destroys) == (False, True)
    assert {*tools.LOOKING, *tools.DESTROYING} <= registry.all_operations().keys()
    assert tools.spoken("lisp.evalForm: wait for it with lisp.evaluation.") == (
        "lisp_eval_form: wait for it with lisp_evaluation."
    )
    assert tools.of_resources(["inspector"]).keys() == {
        name for name in offered if name.startswith("inspector_")
    }


def test_what_people_alone_may_do_is_no_tool() -> None:
    names = {tool.operation.name for tool in tools.all_tools().values()}
    for kept in ("intervention.answer", "secret.get", "hub.stop", "config.set", "restore.apply", "lisp.stop"):
        assert kept not in names
    assert not [each for each in tools.all_tools().values() if each.operation.people_only]


def test_an_answer_that_is_too_long_says_how_to_get_the_rest() -> None:
    tool = tools.all_tools()["history_list"]
    short, text = answers.fitting(tool, {"events": [{"data": "x" * 1000}] * 500, "next": 7})
    assert len(text) < answers.LARGEST * 1.1 and json.loads(text) == short
    assert short["next"] == 7 and 0 < len(short["events"]) < 500
    assert f"the first {len(short['events'])} of 500" in short["cut"] and "before" in short["cut"]
    short, _ = answers.fitting(tools.all_tools()["lisp_describe"], {"text": "é" * 100_000})
    assert short["text"].endswith("… (80000 more characters)") and "narrower" in short["cut"]


async def test_agents_share_the_image_and_the_files(
    workspace: Path, client: Callable[..., HubClient], descartes: Descartes
) -> None:
    """Two agents of one program and a person with an editor, over the death of a hub."""
    async with agent(workspace) as claude:
        refusal = await claude.refused("lisp_eval", code="(+ 1 2)")
        assert refusal["code"] == "workspace_not_trusted" and "descartes trust" in refusal["text"]
        assert (await claude.refused("file_write", path="a", content=""))["code"] == "workspace_not_trusted"
        trust.trust(workspace)
        await use_the_image(claude, workspace)
        await get_it_wrong(claude, workspace)
        emacs = client()
        await write_where_others_are(claude, emacs, workspace)
        await ask_the_person(claude, emacs, workspace)
        lease = await claude.call("lease_acquire", path="a.txt", reason="tidying")
        assert lease["holder"] == {"kind": "service", "id": "claude-code", "name": "claude-code", "via": None}
        async with agent(workspace, "--only", "lease,lisp") as other:
            assert not [t for t in (await other.session.list_tools()).tools if t.name.startswith("run_")]
            refusal = await other.refused("lease_acquire", path="a.txt")
            assert refusal["code"] == "lease_held" and "tidying" in refusal["text"]
            mine = await other.call("lease_acquire", path="b.txt")
            assert mine["holder"]["name"] == "claude-code-2"
            hub = record.read(workspaces.find(workspace))
            assert hub is not None
            os.kill(hub.pid, signal.SIGKILL)
            # Each is again who it was, whichever of them comes first.
            for each, held in ((other, mine), (claude, lease)):
                again = await each.after_the_hub("lease_acquire", path=held["path"])
                assert (again["token"], again["holder"]) == (held["token"], held["holder"])
            assert (await other.call("lisp_eval", code="(* 6 7)"))["values"] == ["42"]
        listed = json.loads((await descartes("lease", "list", "--json")).out)
        assert {each["path"] for each in listed["leases"]} >= {"a.txt", "b.txt"}


async def use_the_image(claude: Agent, workspace: Path) -> None:
    assert (await claude.call("lisp_eval", code="(+ 1 2)"))["values"] == ["3"]
    stopped = await claude.call("lisp_eval", code="(+ 1 missing)")
    assert stopped["state"] == "stopped"
    place = {key: stopped["debugger"][key] for key in ("thread", "level")}
    done = await claude.call("debugger_restart", **place, name="USE-VALUE", arguments=["41"])
    assert done["evaluation"]["values"] == ["42"]
    (workspace / "plain.asd").write_text('(defsystem "plain" :perform (test-op (o c) t))')
    told: list[str] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        told.append(f"{progress:g} {message}")

    await claude.session.call_tool("lisp_test_system", {"system": "plain"}, progress_callback=heard)
    assert told == ["1 plain: passed"]
    running = await claude.call("lisp_eval", code="(loop (sleep 0.01))", timeoutMs=50)
    assert running["state"] == "running"
    await claude.call("lisp_interrupt", evaluation=running["id"])
    stopped = await claude.call("lisp_evaluation", id=running["id"], waitMs=60_000)
    assert stopped["condition"]["type"] == "interrupt"
    await claude.call("debugger_abort", **{key: stopped["debugger"][key] for key in ("thread", "level")})


async def get_it_wrong(claude: Agent, workspace: Path) -> None:
    for tool, given, code, said in (
        ("lisp_evil", {}, "not_found", "lisp_eval"),
        ("lisp_eval", {"code": 7}, "invalid_params", "`str`"),
        ("lisp_eval", {}, "invalid_params", "code"),
        ("lisp_compile_file", {"uri": "none.lisp"}, "not_found", str(workspace / "none.lisp")),
        ("lease_acquire", {"path": "a", "holder": "human:ann"}, "invalid_params", "holder"),
        ("debugger_abort", {"thread": 1, "level": 9}, "debugger_stale", "stopped"),
        ("file_read", {"path": "none.lisp"}, "not_found", "none.lisp"),
        ("file_write", {"path": "../out", "content": ""}, "policy_denied", "outside"),
        ("file_write", {"path": ".git/hooks/x", "content": ""}, "policy_denied", ".git"),
        ("file_edit", {"path": "none.lisp", "old": "a", "new": "b"}, "not_found", "none.lisp"),
    ):
        refusal = await claude.refused(tool, **given)
        assert (refusal["code"], said in refusal["text"]) == (code, True), refusal


async def write_where_others_are(claude: Agent, emacs: HubClient, workspace: Path) -> None:
    """What is free is leased and written; what others hold in any mode, or took over, is not."""
    made = await claude.call("file_write", path="src/a.lisp", content="(defun f () 1)\r\n")
    assert (made["path"], made["bytes"], made["lease"]["holder"]["id"]) == ("src/a.lisp", 16, "claude-code")
    seen = await claude.call("file_read", path="src/a.lisp")
    assert (seen["lines"], seen["digest"], seen["lease"]["token"]) == (
        1,
        made["digest"],
        made["lease"]["token"],
    )
    edit = {"path": "src/a.lisp", "digest": seen["digest"], "old": "1", "new": "é"}
    await claude.call("file_edit", **edit)
    assert (workspace / "src/a.lisp").read_bytes() == "(defun f () é)\r\n".encode()
    again = await claude.refused("file_edit", **edit | {"old": "é"})
    assert again["code"] == "unsaved_changes" and "read it again" in again["text"]

    await emacs.call("lease.steal", {"path": "src/a.lisp", "reason": "mine now"})
    lost = await claude.refused("file_edit", path="src/a.lisp", old="é", new="2")
    assert lost["code"] in ("lease_lost", "lease_held") and "Ann" in lost["text"]
    for mode, code in (("exclusive", "lease_held"), ("shared", "lease_held"), ("intent", "timeout")):
        await emacs.call("lease.acquire", {"path": mode, "mode": mode, "reason": "thinking"})
        refused = await claude.refused("file_write", path=mode, content="x", waitMs=1)
        assert (refused["code"], "Ann" in refused["text"]) == (code, True), refused
        assert not (workspace / mode).exists()
    events = (await claude.call("history_list", type="file.written"))["events"]
    assert [each["actor"]["name"] for each in events] == ["claude-code"] * 2
    (kept,) = {e["data"]["reason"] for e in await snapshots(claude) if "write src" in e["data"]["reason"]}
    assert kept == "write src/a.lisp by claude-code"


async def snapshots(claude: Agent) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await claude.call("history_list", type="body.snapshot"))["events"]
    return found


async def ask_the_person(claude: Agent, emacs: HubClient, workspace: Path) -> None:
    """What is not saved in an editor is asked about; a question that nobody waits for is taken back."""
    emacs.set_unsaved([str(workspace / "typed.txt")])
    wanted = {"path": "typed.txt", "content": "theirs"}

    async def asked() -> list[dict[str, Any]]:
        found = (await emacs.call("intervention.list"))["interventions"]
        return [each for each in found if "typed.txt" in each["title"]]

    for choice, reason in (("accept", None), ("reject", "not now")):
        writing = asyncio.ensure_future(claude.session.call_tool("file_write", wanted))
        (question,) = await answer_that(len, asked, "a question")
        assert question["title"] == "claude-code: write typed.txt"
        assert "unsaved changes in Emacs" in question["detail"]
        answer = {"id": question["id"], "choice": choice, "reason": reason}
        await emacs.call("intervention.answer", answer)
        done = await writing
        assert (done.is_error, "not now" in str(done.content)) == (choice == "reject",) * 2
    assert (workspace / "typed.txt").read_text() == "theirs"
    writing = asyncio.ensure_future(claude.session.call_tool("file_write", wanted))
    await answer_that(len, asked, "a question")
    writing.cancel()
    await answer_that(lambda found: not found, asked, "it is taken back")


@pytest.mark.slow
async def test_the_child_of_a_run_is_that_run_whatever_it_says(
    workspace: Path, client: Callable[..., HubClient]
) -> None:
    trust.trust(workspace)
    emacs = client(environment=dict(os.environ))
    tests = str(Path(__file__).resolve().parent.parent)
    code = (
        f"import asyncio, sys; sys.path.insert(0, {tests!r})\n"
        "from support.mcp_in_run import main; asyncio.run(main())"
    )
    run = await emacs.call("run.spawn", {"task": "write", "command": [sys.executable, "-c", code]})

    async def questions() -> list[dict[str, Any]]:
        return [each for each in (await emacs.call("intervention.list"))["interventions"] if each["run"]]

    (question,) = await answer_that(len, questions, "a question of the run")
    assert question["run"] == run["id"] and question["title"].endswith("write child.txt")
    await emacs.call("intervention.answer", {"id": question["id"], "choice": "accept"})
    await answer_that(
        lambda now: now["endedAt"], lambda: emacs.call("run.show", {"run": run["id"]}), "the run ends"
    )
    said = json.loads((await emacs.call("run.output", {"run": run["id"]}))["text"])
    assert said["lease"]["holder"]["id"] == said["lease"]["run"] == run["id"]
    assert (workspace / "child.txt").read_text() == "mine"
    (written,) = (await emacs.call("history.list", {"run": run["id"], "type": "file.written"}))["events"]
    assert written["actor"] == {"kind": "agent", "id": run["id"], "name": run["agent"], "via": None}


async def test_a_program_that_says_nonsense_or_goes_is_survived(workspace: Path) -> None:
    started = parameters(workspace)
    process = await asyncio.create_subprocess_exec(
        *(started.command, *started.args),
        cwd=workspace,
        env=os.environ | (started.env or {}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    for said in (
        "nonsense",
        "[]",
        '{"jsonrpc": "2.0"}',
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}),
        '{"jsonrpc": "2.0", "method": "notifications/initialized"}',
        '{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": 3}}',
        '{"jsonrpc": "2.0", "id": 3, "method": "no/such"}',
        '{"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": "lisp_status"}}',
    ):
        process.stdin.write(said.encode() + b"\n")
    answered = {}
    while not {1, 2, 3, 4} <= answered.keys():
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        found = json.loads(line)
        answered[found.get("id")] = found
    assert answered[4]["result"]["structuredContent"]["state"] == "stopped"
    assert "error" in answered[2] and "error" in answered[3]
    out, err = await asyncio.wait_for(process.communicate(b""), 60)
    assert (process.returncode, out, b"Traceback" in err) == (0, b"", False)
    assert not (workspace / ".descartes").exists()


async def test_without_the_library_it_says_what_to_install(workspace: Path) -> None:
    code = (
        "import sys; sys.modules['mcp'] = sys.modules['mcp_types'] = None\n"
        "from descartes_server.cli.main import main; sys.exit(main(['mcp']))"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), cwd=workspace, stderr=asyncio.subprocess.PIPE
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1 and b"pip install 'descartes-lsp[mcp]'" in err, err
