"""Kills at random moments, and much work: nobody hangs, nothing acknowledged is lost, nothing leaks.

The seed of the kills is printed; `DESCARTES_TEST_SEED` repeats one, as far as processes repeat anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from descartes_server.hub import record
from descartes_server.operations import workspace as workspaces
from support.faults import (
    AVERAGE,
    DEADLINE_S,
    NOTIFIED,
    TRUSTED,
    descartes,
    editor,
    ended,
    events,
    hub_pid,
    keeper_of,
    kill,
    next_hub,
    of_run,
    ours,
)
from support.lsp_client import LspClient, LspError, start_stdio
from support.until import answer_that, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ROUNDS = 40
VICTIMS = ["lisp", "server", "hub", "agent"]
LOST = {"hub_lost", "lisp_lost", "lisp_not_running", "debugger_stale", "not_found", "intervention_closed"}
"""What a request may be answered with when what it needs is killed, or left by another, meanwhile."""


class Town:
    """A workspace with an editor, everything that can be started there, and everything that can be killed."""

    def __init__(self, workspace: Path, dice: random.Random) -> None:
        self.workspace = workspace
        self.dice = dice
        self.client: LspClient
        self.runs: list[str] = []
        self.acknowledged: Counter[tuple[str, str]] = Counter()
        """What must be in the log, by the event's name and what it is about."""
        self.story: list[str] = []

    async def open_editor(self) -> None:
        self.client = await start_stdio(cwd=self.workspace)
        await self.client.initialize(self.workspace, initializationOptions=TRUSTED, capabilities=NOTIFIED)
        self.client.open(self.workspace / "average.lisp")

    async def ask(self, operation: str, **params: Any) -> dict[str, Any] | None:
        """Return the result of OPERATION; None when it was lost to a kill. It never takes too long."""
        try:
            found = await self.client.execute(operation, params, seconds=DEADLINE_S)
        except LspError as error:
            assert error.code in LOST, f"{operation}: {error.code}: {error}"
            self.story.append(f"{operation}: {error.code}")
            return None
        except AssertionError:
            # The only way not to be answered is that the server itself is gone.
            assert self.client.ended, f"{operation} was not answered"
            return None
        result: dict[str, Any] = found
        return result

    async def begin_something(self) -> None:
        what = self.dice.choice(
            [
                self.evaluate,
                self.sleep,
                self.err,
                self.compile,
                self.lease,
                self.command,
                self.model,
                self.leave,
            ]
        )
        self.story.append(what.__name__)
        await what()

    async def evaluate(self) -> None:
        self._took("lisp.evaluated", await self.ask("lisp.eval", code='(progn (princ "x") (* 6 7))'), "id")

    async def sleep(self) -> None:
        await self.ask("lisp.eval", code="(sleep 0.3)")

    async def err(self) -> None:
        self._took("lisp.debugger.entered", await self.ask("lisp.eval", code="(average nil)"), "id")

    async def compile(self) -> None:
        uri = (self.workspace / "average.lisp").as_uri()
        self._took("lisp.compiled", await self.ask("lisp.compileFile", uri=uri), "evaluation")

    async def restart(self) -> None:
        await self.ask("lisp.restart")

    async def lease(self) -> None:
        path = f"file-{len(self.story)}.lisp"
        self._took("lease.acquired", await self.ask("lease.acquire", path=path, ttlSeconds=600), "path")

    async def command(self) -> None:
        run = await self.ask("run.spawn", task="sleep", command=["sh", "-c", "sleep 0.5; sleep 600"])
        self._spawned(run)

    async def model(self) -> None:
        run = await self.ask("run.spawn", task="talk", backend="model", model="scripted:script.jsonl")
        self._spawned(run)

    async def leave(self) -> None:
        """Leave some stop, or answer some question."""
        found = await self.ask("debugger.list") or {"debuggers": []}
        for debugger in found["debuggers"][:1]:
            await self.ask("debugger.toplevel", thread=debugger["thread"], level=debugger["level"])
        asked = await self.ask("intervention.list") or {"interventions": []}
        for question in [each for each in asked["interventions"] if each["kind"] == "approval"][:1]:
            answer = await self.ask("intervention.answer", id=question["id"], choice="accept")
            if answer is not None:
                self.acknowledged["intervention.answered", question["id"]] += 1

    async def kill_something(self, victim: str) -> None:
        with contextlib.suppress(ProcessLookupError, psutil.Error, StopIteration):
            if victim == "lisp":
                for process in ours():
                    if "sbcl" in process.name():
                        kill(process.pid)
            elif victim == "server":
                self.client.process.kill()
            elif victim == "hub" and record.read(workspaces.find(self.workspace)) is not None:
                kill(hub_pid(self.workspace))
            elif victim == "agent":
                processes = [process for run in self.runs for process in of_run(run)]
                if processes:
                    chosen = self.dice.choice(processes)
                    kill(self.dice.choice([chosen, keeper_of(chosen)]).pid)

    async def goes_on(self) -> None:
        """Find that the next requests work; a server that was killed is started again."""
        for _ in range(5):
            if self.client.process.returncode is not None or self.client.ended:
                await self.client.close()
                await self.open_editor()
            answer = await self.ask("lisp.eval", code="(+ 1 2)")
            if answer is not None and answer["state"] == "done":
                assert answer["values"] == ["3"]
                return
            self.story.append(f"answered {answer}")
        raise AssertionError("no evaluation succeeds any more")

    async def end(self) -> None:
        """End everything in an orderly way."""
        for run in (await self.client.execute("run.list", {"status": "active", "limit": 1000}))["runs"]:
            try:
                await self.client.execute("run.kill", {"run": run["id"]})
            except LspError as error:  # it may have ended by itself since it was listed
                assert "has ended" in str(error)
        await self.client.execute("lisp.stop")
        await self.client.execute("hub.stop", {"force": True})
        assert await self.client.stop() == 0
        await self.client.close()

    def _spawned(self, run: dict[str, Any] | None) -> None:
        self._took("run.spawned", run, "id")
        if run is not None:
            self.runs.append(run["id"])

    def _took(self, event: str, result: dict[str, Any] | None, key: str) -> None:
        if result is None or result.get("state", "done") not in ("done", "stopped"):
            return
        if (event == "lisp.debugger.entered") == (result.get("state") == "stopped"):
            self.acknowledged[event, result[key]] += 1


def about(event: dict[str, Any]) -> tuple[str, str]:
    """Return what EVENT is about, as `Town.acknowledged` counts it."""
    data = event["data"]
    match event["name"]:
        case "run.spawned":
            subject = event["run"]
        case "lisp.debugger.entered":
            subject = data["evaluation"]
        case "lease.acquired":
            subject = data["path"]
        case "intervention.answered":
            subject = data.get("id") or event.get("correlation")
        case _:
            subject = data.get("id")
    return event["name"], str(subject)


async def test_kills_at_random_moments(workspace: Path) -> None:
    seed = int(os.environ.get("DESCARTES_TEST_SEED", time.time_ns() % 1_000_000))
    print("seed", seed)
    town = Town(workspace, random.Random(seed))
    (workspace / "average.lisp").write_text(AVERAGE)
    turns: list[dict[str, Any]] = [
        {"text": "Thinking.", "delayMs": 50},
        {"toolCalls": [{"name": "write", "arguments": {"path": "made.txt", "content": "x"}}]},
        {"text": "Done.", "delayMs": 50},
    ]
    (workspace / "script.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    await town.open_editor()
    try:
        await town.compile()
        for number in range(ROUNDS):
            town.story.append(f"— {number}")
            work = [asyncio.ensure_future(town.begin_something()) for _ in range(town.dice.randint(1, 3))]
            # The moment is what is random here; nothing is waited for by it.
            await asyncio.sleep(town.dice.random() * town.dice.choice([0.02, 0.4]))
            for victim in town.dice.sample(VICTIMS, town.dice.choice([1, 1, 2])):
                town.story.append(f"kill {victim}")
                await town.kill_something(victim)
            await asyncio.gather(*work)
            await town.goes_on()
        logged = Counter(about(event) for event in await events(town.client))
        await town.end()
    except BaseException as error:
        error.add_note(f"seed {seed}: " + ", ".join(town.story[-40:]))
        raise
    finally:
        await town.client.close()
    missing = town.acknowledged - logged
    assert not missing, f"acknowledged and not in the log, seed {seed}: {missing}"
    twice = {key: logged[key] for key, count in town.acknowledged.items() if logged[key] != count}
    assert not twice, f"in the log more often than it happened, seed {seed}: {twice}"
    assert (await descartes(workspace, "history", "verify")).status == 0
    await until(lambda: not ours(), f"no process is left, seed {seed}: {[p.cmdline() for p in ours()]}")


async def test_an_image_that_answers_nobody_holds_up_no_new_hub(
    workspace: Path,
) -> None:
    async with editor(workspace) as client:
        image = (await client.execute("lisp.start"))["pid"]
        os.kill(image, signal.SIGSTOP)
        try:
            kill(hub_pid(workspace))
            await next_hub(client)
            status = await client.execute("lisp.status")
            assert status["state"] == "lost" and str(image) in status["reason"]
            error = await client.refused("lisp.eval", {"code": "(+ 1 2)"})
            assert error.code == "lisp_lost" and str(image) in str(error)
            restarted = await client.execute("lisp.restart")
            assert restarted["pid"] != image
            assert (await client.execute("lisp.eval", {"code": "(+ 1 2)"}))["values"] == ["3"]
            await ended(image)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(image, signal.SIGCONT)


async def work(client: LspClient, number: int) -> None:
    """Do a little of everything and leave nothing behind."""
    name = f"{client.process.pid}-{number}"
    evaluation = await client.execute("lisp.eval", {"code": '(progn (format t "~1000a" 1) (+ 1 2))'})
    assert evaluation["values"] == ["3"] and len(evaluation["output"]) == 1000
    stopped = await client.execute("lisp.eval", {"code": "(cl-user::average nil)"})
    left = await client.execute(
        "debugger.restart", {**stopped["debugger"], "name": "USE-VALUE", "arguments": [str(number)]}
    )
    assert left["evaluation"]["values"] == [str(number)]
    lease = await client.execute("lease.acquire", {"path": f"{name}.lisp"})
    assert lease["token"] == 1
    await client.execute("lease.release", {"path": f"{name}.lisp"})
    run = await client.execute("run.spawn", {"task": name, "command": ["echo", name]})
    await client.notification("descartes/run/changed", lambda p: p["id"] == run["id"] and p["endedAt"])
    assert (await client.execute("run.output", {"run": run["id"]}))["text"] == f"{name}\n"


async def held(client: LspClient, workspace: Path) -> dict[str, float]:
    """Return what the hub, the server and the image hold on to."""
    hub, server = psutil.Process(hub_pid(workspace)), psutil.Process(client.process.pid)
    threads = await client.execute("lisp.eval", {"code": "(length (sb-thread:list-all-threads))"})
    files = list(workspaces.find(workspace).runtime.rglob("*"))
    return {
        "files of the hub": hub.num_fds(),
        "files of the server": server.num_fds(),
        "threads of the hub": hub.num_threads(),
        "threads of the image": int(threads["values"][0]),
        "things in the runtime folder": len(files),
        "megabytes of the hub / 20": hub.memory_info().rss // 20_000_000,
        "megabytes of the server / 20": server.memory_info().rss // 20_000_000,
    }


async def test_much_work_leaves_nothing_behind(workspace: Path) -> None:
    (workspace / "average.lisp").write_text(AVERAGE)
    async with editor(workspace) as one, editor(workspace) as other:
        uri = (workspace / "average.lisp").as_uri()
        assert (await one.execute("lisp.compileFile", {"uri": uri}))["success"]
        for number in range(15):
            await asyncio.gather(work(one, number), work(other, number))
        before = await held(one, workspace)
        for number in range(15, 150):
            await asyncio.gather(work(one, number), work(other, number))
        # What the last runs opened is closed a moment after they are told as ended.
        await answer_that(
            lambda after: all(after[what] <= before[what] + 2 for what in before),
            lambda: held(one, workspace),
            f"no more is held than before: {before}",
        )
        names = Counter(event["name"] for event in await events(one))
        assert names["lease.acquired"] == names["lease.released"] == names["run.spawned"] == 300
        assert names["lisp.debugger.entered"] == names["lisp.debugger.left"] == 300
