"""Whatever is killed: who waits is answered, what was acknowledged stays, the next request goes on.

Everything goes through real doors: editors over stdio, the command line, the hub's socket.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.faults import (
    AVERAGE,
    Command,
    ask,
    begun,
    descartes,
    editor,
    ended,
    events,
    hub_pid,
    keeper_of,
    kill,
    kill_hub,
    names_of,
    next_hub,
    of_run,
    ours,
    run_until,
    saying,
)
from support.lsp_client import LspClient, LspError
from support.until import until

PUBLISH = "textDocument/publishDiagnostics"
FOREVER = "(loop (sleep 60))"
SOON_S = 30.0
"""Within this time who waits for a hub that was killed must know."""


async def marked(client: LspClient, uri: str, code: str | None, after: int = 0) -> list[Any]:
    """Return the first diagnostics of URI from message AFTER on that have CODE; None: that are empty."""

    def fits(params: Any) -> bool:
        codes = [each.get("code") for each in params["diagnostics"]]
        return bool(params["uri"] == uri and (code in codes if code else not codes))

    published = await client.notification(PUBLISH, fits, after=after)
    found: list[Any] = published["diagnostics"]
    return found


async def lenses(client: LspClient, uri: str) -> list[str]:
    return [each["command"]["title"] for each in await client.of("codeLens", uri)]


async def stop_average(client: LspClient, workspace: Path) -> tuple[str, Any]:
    """Have AVERAGE stop; returns the URI of its file and the evaluation."""
    file = workspace / "average.lisp"
    file.write_text(AVERAGE)
    uri = client.open(file)
    assert (await client.execute("lisp.compileFile", {"uri": uri}))["success"]
    evaluation = await client.execute("lisp.eval", {"code": "(cl-user::average nil)"})
    assert evaluation["state"] == "stopped"
    (debugger,) = (await client.execute("debugger.list"))["debuggers"]
    assert debugger["location"]["uri"] == uri
    return uri, evaluation


async def error_of(client: LspClient, request: int, seconds: float) -> LspError:
    """Return the error that REQUEST is answered with within SECONDS."""
    with pytest.raises(LspError) as caught:
        await client.answer(request, seconds=seconds)
    return caught.value


async def test_lisp_is_killed_at_work_while_it_compiles_and_while_it_is_stopped(workspace: Path) -> None:
    async with editor(workspace) as client:
        first = (await client.execute("lisp.start"))["pid"]
        asked = ask(client, "lisp.eval", code=saying("begun", FOREVER))
        evaluation = await begun(client, "begun")
        kill(first)
        answer = await client.answer(asked)
        assert (answer["id"], answer["state"]) == (evaluation, "lost")
        its_log = f"{workspace}/.descartes/log/lisp.log"  # named at once, or when reconnecting is given up
        await client.notification("descartes/lisp/status", lambda p: its_log in (p["reason"] or ""))

        text = f"(eval-when (:compile-toplevel) {saying('compiling', FOREVER)})\n"
        uri = client.open(workspace / "compiled.lisp", text)
        asked = ask(client, "lisp.compileForm", uri=uri, position={"line": 0, "character": 3})
        await begun(client, "compiling")
        second = (await client.execute("lisp.status"))["pid"]
        assert second != first, "the next request started a new image"
        kill(second)
        answer = await client.answer(asked)
        assert (answer["success"], answer["state"]) == (False, "lost")

        uri, evaluation = await stop_average(client, workspace)
        await marked(client, uri, "stopped")
        assert any("DIVISION-BY-ZERO" in title for title in await lenses(client, uri))
        asked = ask(client, "lisp.eval", code='(error "wait for me")', onStop="wait")
        await client.notification("descartes/debugger/changed", lambda p: len(p["debuggers"]) == 2)
        seen = len(client.messages)
        kill((await client.execute("lisp.status"))["pid"])
        assert (await client.answer(asked))["state"] == "lost"
        await client.notification("descartes/debugger/changed", lambda p: p["debuggers"] == [], after=seen)
        await marked(client, uri, None, after=seen)
        assert await lenses(client, uri) == []
        error = await client.refused("debugger.abort", evaluation["debugger"])
        assert error.code in ("debugger_stale", "lisp_not_running")
        lost = await client.execute("lisp.evaluation", {"id": evaluation["id"]})
        assert lost["state"] == "lost"
        assert (await client.execute("lisp.eval", {"code": "(+ 1 2)"}))["values"] == ["3"]
        names = [event["name"] for event in await events(client, type="lisp")]
        assert names.count("lisp.lost") == 3
        assert names.count("lisp.debugger.entered") == names.count("lisp.debugger.left") == 2


@pytest.mark.ledger("D-52")
async def test_the_server_is_killed_and_everything_else_goes_on(workspace: Path) -> None:
    async with editor(workspace) as client:
        uri, stopped = await stop_average(client, workspace)
        await client.execute("lease.acquire", {"path": "held.lisp", "reason": "mine", "ttlSeconds": 120})
        run = await client.execute(
            "run.spawn", {"task": "wait", "command": ["sh", "-c", "read line; echo got $line"]}
        )
        ask(client, "lisp.eval", code=saying("begun", FOREVER))
        working = await begun(client, "begun")
        hub, image = hub_pid(workspace), (await client.execute("lisp.status"))["pid"]
        client.process.kill()
        await client.wait()
    killed_at = datetime.now(UTC)
    async with editor(workspace) as client:
        client.open(workspace / "average.lisp")
        await marked(client, uri, "stopped")
        assert any("DIVISION-BY-ZERO" in title for title in await lenses(client, uri))
        (debugger,) = (await client.execute("debugger.list"))["debuggers"]
        assert debugger["evaluation"] == stopped["id"]
        assert (hub_pid(workspace), (await client.execute("lisp.status"))["pid"]) == (hub, image)
        (lease,) = (await client.execute("lease.list"))["leases"]
        assert lease["path"] == "held.lisp"
        left_s = (datetime.fromisoformat(lease["expiresAt"]) - killed_at).total_seconds()
        assert left_s > 30
        assert (await client.execute("run.show", {"run": run["id"]}))["status"] == "running"
        assert (await client.execute("lisp.evaluation", {"id": working}))["state"] == "running"
        await client.execute("run.send", {"run": run["id"], "text": "on\n"})
        assert (await run_until(client, run["id"], "completed"))["exitCode"] == 0
        left = await client.execute(
            "debugger.restart", {**stopped["debugger"], "name": "USE-VALUE", "arguments": ["7"]}
        )
        assert left["evaluation"]["id"] == stopped["id"] and left["evaluation"]["values"] == ["7"]


@pytest.mark.ledger("D-77")
async def test_a_runs_stop_keeps_its_question_over_the_death_of_the_hub(workspace: Path) -> None:
    (workspace / "script.jsonl").write_text(
        '{"toolCalls": [{"name": "lisp_eval", "arguments":'
        ' {"code": "(restart-case (error \\"first\\") (use-five () 5))"}}]}\n'
        '{"toolCalls": [{"name": "shell", "arguments": {"command": "true"}}]}\n'
    )
    async with editor(workspace) as client:
        run = await client.execute(
            "run.spawn", {"task": "err", "backend": "model", "model": "scripted:script.jsonl"}
        )

        async def questions(*kinds: str) -> dict[str, Any]:
            told = await client.notification(
                "descartes/intervention/changed",
                lambda p: {each["kind"] for each in p["interventions"]} == set(kinds),
            )
            return {each["kind"]: each for each in told["interventions"]}

        approval = (await questions("approval"))["approval"]
        await client.execute("intervention.answer", {"id": approval["id"], "choice": "accept"})
        asked = await questions("restart", "approval")
        await kill_hub(client, workspace)
        found = (await client.execute("intervention.list"))["interventions"]
        assert {each["id"] for each in found} == {each["id"] for each in asked.values()}
        choice = next(
            each["id"] for each in found[0]["choices"] + found[1]["choices"] if "USE-FIVE" in each["id"]
        )
        await client.execute("intervention.answer", {"id": asked["restart"]["id"], "choice": choice})
        ended = await client.notification("descartes/lisp/evaluated")
        assert (ended["state"], ended["values"]) == ("done", ["5"])

        # A stop whose image dies while no hub runs is not asked about any more.
        assert (await client.execute("lisp.eval", {"code": '(error "second")'}))["state"] == "stopped"
        image = (await client.execute("lisp.status"))["pid"]
        os.kill(hub_pid(workspace), signal.SIGSTOP)
        kill(image)
        await kill_hub(client, workspace)
        status = await client.execute("lisp.status")
        assert (status["state"], status["stops"]) == ("lost", 0)
        assert (await client.execute("lisp.eval", {"code": "(+ 1 2)"}))["values"] == ["3"]
        await client.execute("run.kill", {"run": run["id"]})
        assert (await client.execute("intervention.list"))["interventions"] == []
        names = [event["name"] for event in await events(client)]
        assert names.count("lisp.debugger.entered") == names.count("lisp.debugger.left") == 2
        assert names.count("lisp.lost") == 1 and names.count("intervention.opened") == 3


@pytest.mark.ledger("A-21")
async def test_the_hub_is_killed_with_everything_under_way(workspace: Path) -> None:
    (workspace / "script.jsonl").write_text(
        '{"toolCalls": [{"name": "write", "arguments": {"path": "made.txt", "content": "made"}}]}\n'
        '{"text": "Done."}\n'
    )
    go = workspace / "go"
    async with editor(workspace) as client:
        uri, stopped = await stop_average(client, workspace)
        await client.execute("lease.acquire", {"path": "held.lisp"})
        command = await client.execute(
            "run.spawn", {"task": "wait", "command": ["sh", "-c", "read line; echo got $line"]}
        )
        model = await client.execute(
            "run.spawn", {"task": "write", "backend": "model", "model": "scripted:script.jsonl"}
        )
        await run_until(client, model["id"], "waiting")
        await descartes(workspace, "trust")
        waiting = await Command.begin(workspace, "lisp", "eval", saying("at the shell", FOREVER))
        await begun(client, "at the shell")
        code = saying("begun", f'(loop until (probe-file "{go}") do (sleep 0.02) finally (return :went))')
        asked = [
            ask(client, "lisp.eval", code=code),
            ask(client, "lease.acquire", path="held.lisp", holder="agent:other", waitMs=60_000),
        ]
        working = await begun(client, "begun")
        # The wait for the lease is in the hub once a later request is answered there.
        await client.execute("lisp.status")
        image, killed = (await client.execute("lisp.status"))["pid"], hub_pid(workspace)
        seen = len(client.messages)
        began = time.monotonic()
        kill(killed)
        for request in asked:
            error = await error_of(client, request, SOON_S)
            assert (error.number, error.code) == (-32803, "hub_lost")
        assert time.monotonic() - began < SOON_S
        outcome = await waiting.end()
        assert outcome.status == 1 and "hub went away" in outcome.err
        assert "Traceback" not in outcome.err

        # The next request is answered by a new hub, which has taken everything up.
        await next_hub(client)
        status = await client.execute("lisp.status")
        assert (status["state"], status["pid"], status["stops"]) == ("ready", image, 1)
        assert hub_pid(workspace) != killed
        await client.notification("descartes/debugger/changed", lambda p: p["debuggers"], after=seen)
        assert any("DIVISION-BY-ZERO" in title for title in await lenses(client, uri))
        left = await client.execute(
            "debugger.restart", {**stopped["debugger"], "name": "USE-VALUE", "arguments": ["(* 6 7)"]}
        )
        assert (left["evaluation"]["id"], left["evaluation"]["values"]) == (stopped["id"], ["42"])
        await marked(client, uri, None, after=seen)
        assert await lenses(client, uri) == []

        go.touch()
        went = await client.execute("lisp.evaluation", {"id": working, "waitMs": 60_000})
        assert (went["state"], went["values"]) == ("done", [":WENT"])

        (question,) = (await client.execute("intervention.list"))["interventions"]
        assert question["run"] == model["id"]
        await client.execute("intervention.answer", {"id": question["id"], "choice": "accept"})
        await run_until(client, model["id"], "completed")
        assert (workspace / "made.txt").read_text() == "made"
        await client.execute("run.send", {"run": command["id"], "text": "on\n"})
        await run_until(client, command["id"], "completed")
        assert (await client.execute("run.output", {"run": command["id"]}))["text"] == "got on\n"
        (lease,) = (await client.execute("lease.list"))["leases"]
        assert (lease["path"], lease["token"]) == ("held.lisp", 1)

        logged = await events(client)
        assert (await descartes(workspace, "history", "verify")).status == 0
        names = [event["name"] for event in logged]
        assert names.count("hub.started") == 2
        assert [e["data"]["path"] for e in logged if e["name"] == "lease.acquired"].count("held.lisp") == 1
        assert sorted(e["run"] for e in logged if e["name"] == "run.spawned") == sorted(
            [command["id"], model["id"]]
        )
        assert names.count("intervention.opened") == 1
        assert names.count("lisp.debugger.entered") == names.count("lisp.debugger.left") == 1
        evaluated = [e["data"]["id"] for e in logged if e["name"] == "lisp.evaluated"]
        assert evaluated.count(stopped["id"]) == evaluated.count(working) == 1


@pytest.mark.ledger("D-52")
@pytest.mark.parametrize(
    ("killed", "status", "reason"),
    [
        ("process", "failed", "killed by SIGKILL"),
        ("keeper", "failed", "its keeper was killed"),
        ("group", "failed", "killed by SIGKILL"),
        ("everything", "failed", "killed"),
    ],
)
async def test_a_runs_process_its_keeper_or_its_whole_group_is_killed(
    workspace: Path, killed: str, status: str, reason: str
) -> None:
    script = "sleep 600 & echo ready; wait"
    async with editor(workspace) as client:
        run = await client.execute(
            "run.spawn", {"task": "sleep", "command": ["sh", "-c", script], "files": ["a.lisp"]}
        )
        await client.notification("descartes/run/output", lambda p: "ready" in p["text"])
        # Between its birth and its own program the child of the shell is another shell.
        await until(lambda: sorted(names_of(run["id"])) == ["sh", "sleep"], "both are at work")
        processes = of_run(run["id"])
        shell = next(each for each in processes if each.name() != "sleep")
        victims = {
            "process": [shell],
            "keeper": [keeper_of(shell)],
            "group": processes,
            "everything": [*processes, keeper_of(shell)],
        }[killed]
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):  # the keeper ends the others, and then itself
                kill(victim.pid)
        found = await run_until(client, run["id"], "failed", "terminated", "completed")
        assert found["status"] == status
        assert reason in found["reason"], found["reason"]
        assert found["leases"] == [] and (await client.execute("lease.list"))["leases"] == []
        for process in processes:
            await ended(process.pid)


async def test_two_editors_and_a_terminal_work_on_one_workspace(workspace: Path) -> None:
    await descartes(workspace, "trust")
    async with editor(workspace) as one, editor(workspace) as other:
        await one.execute("lisp.start")
        uri, stopped = await stop_average(one, workspace)
        other.open(workspace / "average.lisp")
        await marked(other, uri, "stopped")
        listed = await descartes(workspace, "debugger", "list", "--json")
        assert stopped["id"] in listed.out
        await one.execute("lease.acquire", {"path": "a.lisp", "reason": "one's"})
        assert "one's" in (await descartes(workspace, "lease", "list")).out
        taken = await descartes(
            workspace, "lease", "acquire", "b.lisp", "--holder", "agent:fixer", "--ttl-seconds", "60"
        )
        assert taken.status == 0
        for client in (one, other):
            await client.notification("descartes/lease/changed", lambda p: p["lease"]["path"] == "b.lisp")
            paths = [lease["path"] for lease in (await client.execute("lease.list"))["leases"]]
            assert sorted(paths) == ["a.lisp", "b.lisp"]

        # Each has its own current package, and gets its own output only, whatever runs beside it.
        await one.execute("lisp.eval", {"code": "(defpackage :first (:use :cl))"})
        await one.execute("lisp.eval", {"code": "(in-package :first)"})
        counts = [
            ask(client, "lisp.eval", code=f'(dotimes (i 200 *package*) (princ "{word}") (sleep 0.001))')
            for client, word in ((one, "a"), (other, "b"))
        ]
        terminal = await Command.begin(
            workspace, "lisp", "eval", '(dotimes (i 200 *package*) (princ "c"))', "--json"
        )
        results = [await client.answer(request) for client, request in zip((one, other), counts, strict=True)]
        assert [result["output"] for result in results] == ["a" * 200, "b" * 200]
        assert "FIRST" in results[0]["values"][0] and "COMMON-LISP-USER" in results[1]["values"][0]
        outcome = await terminal.end()
        assert outcome.status == 0 and "c" * 200 in outcome.out and "FIRST" not in outcome.out

        # Whoever leaves a stop leaves it for all.
        seen = len(one.messages)
        left = await descartes(
            workspace,
            *("debugger", "restart", "--thread", str(stopped["debugger"]["thread"]), "--level", "1"),
            *("--name", "USE-VALUE", "--arguments", "5", "--wait-ms", "60000"),
        )
        assert left.status == 0, left.err
        await one.notification("descartes/debugger/changed", lambda p: p["debuggers"] == [], after=seen)
        await marked(one, uri, None, after=seen)
        await marked(other, uri, None, after=0)
        assert (await other.execute("lisp.evaluation", {"id": stopped["id"]}))["values"] == ["5"]


async def test_a_connection_that_breaks_is_no_end_of_the_image(workspace: Path) -> None:
    async with editor(workspace) as client:
        image = (await client.execute("lisp.start"))["pid"]
        await client.execute("lisp.eval", {"code": "(defvar cl-user::*kept* 42)"})
        closing = "(mapc (lambda (c) (close (swank::connection.socket-io c) :abort t)) swank::*connections*)"
        ask(client, "lisp.eval", code=closing)
        await client.notification("descartes/lisp/status", lambda p: p["state"] == "lost")
        assert (await client.execute("lisp.eval", {"code": "cl-user::*kept*"}))["values"] == ["42"]
        assert (await client.execute("lisp.status"))["pid"] == image


async def test_nothing_is_left_running_after_a_forced_end(workspace: Path) -> None:
    async with editor(workspace) as client:
        run = await client.execute("run.spawn", {"task": "sleep", "command": ["sleep", "600"]})
        await client.execute("lisp.start")
        await client.execute("run.kill", {"run": run["id"]})
        await client.execute("lisp.stop")
        await client.execute("hub.stop", {"force": True})
        assert await client.stop() == 0
    await until(lambda: not ours(), "everything ends")
