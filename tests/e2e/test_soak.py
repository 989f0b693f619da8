"""10,000 mixed requests through the real server: each is answered once, and nothing grows.

Edits, errors, interrupts, restarts with arguments, floods of output, and the image killed now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.faults import AVERAGE, NOTIFIED, TRUSTED, hub_pid, kill, ours
from support.lsp_client import LspClient, LspError, Message, command
from support.until import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REQUESTS = int(os.environ.get("DESCARTES_TEST_SOAK", "10000"))
AT_ONCE = 24
WARM = REQUESTS // 6
KILLS = 5
DEADLINE_S = 120.0
LOST = {"lisp_lost", "lisp_not_running", "debugger_stale", "not_found", "cancelled", "invalid_params"}
"""What a request may be answered with when the image was killed, or another request left its stop."""
BOUNDS = {
    "files of the server": 4,
    "files of the hub": 6,
    "threads of the server": 4,
    "threads of the hub": 4,
    "tasks of the hub": 4,
    "MB of the server": 60,
    "MB of the hub": 60,
}
"""How much more there may be at the end than after the first sixth."""


class Person(LspClient):
    """An editor that keeps the answers it waits for, and counts those that nobody waits for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        super().__init__(process.stdout, process.stdin, process)
        self.counting = False
        self.waiting: dict[int, asyncio.Future[Message]] = {}
        self.awaited: dict[str, asyncio.Future[str]] = {}
        self.surplus = 0
        self.asked = 0
        self.outcomes: Counter[str] = Counter()

    async def _take(self, message: Message) -> None:
        if "method" in message:
            if message["method"] == "descartes/lisp/output":
                self._hear(message["params"])
            if "id" in message:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
            return
        waiting = self.waiting.pop(message["id"], None)
        if waiting is not None:
            waiting.set_result(message)
        else:
            self.surplus += self.counting
            await super()._take(message)

    def hears(self, word: str) -> asyncio.Future[str]:
        """Return what will be the evaluation that prints WORD."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.awaited[word] = future
        future.add_done_callback(lambda _: self.awaited.pop(word, None))
        return future

    def _hear(self, output: dict[str, Any]) -> None:
        for word, future in list(self.awaited.items()):
            if word in output["text"] and not future.done():
                future.set_result(output["evaluation"])

    async def one(self, method: str, params: Any) -> Any:
        """Return the result of one counted request; None for an error that a kill explains."""
        self.asked += 1
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.waiting[self._next_id + 1] = future
        self.send_request(method, params)
        message = await asyncio.wait_for(future, DEADLINE_S)
        if "error" not in message:
            self.outcomes["result"] += 1
            return message["result"]
        error = LspError(message["error"])
        assert error.code in LOST or error.number == -32801, f"{method} {params}: {error.code} {error}"
        self.outcomes[error.code or str(error.number)] += 1
        return None

    async def does(self, operation: str, **params: Any) -> Any:
        asked = {"command": f"descartes.{operation}", "arguments": [params]}
        return await self.one("workspace/executeCommand", asked)


class Soak:
    """What is done, by chance, to one file and one image."""

    def __init__(self, person: Person, workspace: Path, dice: random.Random) -> None:
        self.person, self.workspace, self.dice = person, workspace, dice
        self.uri = (workspace / "average.lisp").as_uri()
        self.version = 1
        self.work: list[tuple[int, Callable[[], Awaitable[Any]]]] = [
            (24, self.hover),
            (14, self.complete),
            (6, self.symbols),
            (24, self.evaluate),
            (8, self.err),
            (3, self.interrupt),
            (2, self.flood),
            (6, self.compile),
            (6, self.look),
            (5, self.lease),
            (2, self.nonsense),
        ]

    async def step(self) -> None:
        weights, kinds = zip(*self.work, strict=True)
        await self.dice.choices(kinds, weights)[0]()

    def _place(self) -> Any:
        line, column = self.dice.randint(0, 6), self.dice.randint(0, 20)
        return {"textDocument": {"uri": self.uri}, "position": {"line": line, "character": column}}

    def edit(self) -> None:
        self.version += 1
        self.person.change(self.uri, self.version, {"text": f"{AVERAGE}\n;; {self.version} λ😀\n"})

    async def hover(self) -> None:
        if self.dice.random() < 0.3:
            self.edit()
        await self.person.one("textDocument/hover", self._place())

    async def complete(self) -> None:
        await self.person.one("textDocument/completion", self._place())

    async def symbols(self) -> None:
        await self.person.one("textDocument/documentSymbol", {"textDocument": {"uri": self.uri}})

    async def evaluate(self) -> None:
        number = self.dice.randint(0, 10**9)
        result = await self.person.does("lisp.eval", code=f"(+ {number} 1)", onStop="wait")
        if result is not None and result["state"] == "done":
            assert result["values"] == [str(number + 1)]

    async def err(self) -> None:
        stopped = await self.person.does("lisp.eval", code="(average nil)")
        if stopped is None or stopped["state"] != "stopped":
            return
        stop, number = stopped["debugger"], self.dice.randint(0, 999)
        way = self.dice.choice(["USE-VALUE", "abort", "toplevel", "frame"])
        if way == "frame":
            await self.person.does("debugger.frame", **stop, frame=0)
            way = "abort"
        if way == "USE-VALUE":
            left = await self.person.does("debugger.restart", **stop, name=way, arguments=[str(number)])
            if left is not None and left["evaluation"]["state"] == "done":
                assert left["evaluation"]["values"] == [str(number)]
        else:
            await self.person.does(f"debugger.{way}", **stop)

    async def interrupt(self) -> None:
        word = f"loop-{self.person.asked}-{self.dice.random()}"
        begun = self.person.hears(word)
        code = f'(progn (princ "{word}") (finish-output) (loop (sleep 1/100)))'
        looping = asyncio.ensure_future(self.person.does("lisp.eval", code=code))
        await asyncio.wait({begun, looping}, return_when=asyncio.FIRST_COMPLETED)
        if begun.done():
            await self.person.does("lisp.interrupt", evaluation=begun.result())
        begun.cancel()
        stopped = await looping
        if stopped is not None and stopped["state"] == "stopped":
            await self.person.does("debugger.toplevel", **stopped["debugger"])

    async def flood(self) -> None:
        code = f'(dotimes (i 20000) (format t "~a {60 * chr(120)}~%" i))'
        await self.person.does("lisp.eval", code=code, onStop="wait")

    async def compile(self) -> None:
        await self.person.does("lisp.compileForm", uri=self.uri, position={"line": 2, "character": 2})

    async def look(self) -> None:
        await self.person.does(self.dice.choice(["lisp.status", "debugger.list", "lease.list", "run.list"]))

    async def lease(self) -> None:
        path = f"soak-{self.person.asked}.lisp"
        await self.person.does("lease.acquire", path=path)
        await self.person.does("lease.release", path=path)

    async def nonsense(self) -> None:
        await self.person.does("lisp.evaluation", id=f"no-such-{self.dice.random()}")

    async def until_asked(self, count: int) -> None:
        """Go on, AT_ONCE things side by side, until COUNT requests were sent in all."""

        async def hand() -> None:
            while self.person.asked < count:
                await self.step()

        await asyncio.gather(*(hand() for _ in range(AT_ONCE)))


async def held(person: Person, workspace: Path) -> dict[str, float]:
    """Return what the server and the hub hold on to."""
    tasks = (await person.does("hub.status"))["tasks"]
    server, hub = psutil.Process(person.process.pid), psutil.Process(hub_pid(workspace))
    return {
        "files of the server": server.num_fds(),
        "files of the hub": hub.num_fds(),
        "threads of the server": server.num_threads(),
        "threads of the hub": hub.num_threads(),
        "tasks of the hub": tasks,
        "MB of the server": server.memory_info().rss / 1e6,
        "MB of the hub": hub.memory_info().rss / 1e6,
    }


THREADS = "(sort (mapcar (function sb-thread:thread-name) (sb-thread:list-all-threads)) (function string<))"
MEMORY = "(progn (sb-ext:gc :full t) (floor (sb-kernel:dynamic-usage) 1000000))"


async def image(person: Person) -> tuple[list[str], int]:
    """Return the threads of the image by name, and its living megabytes."""
    values = (await person.does("lisp.eval", code=f"(values {MEMORY} {THREADS})"))["values"]
    return re.findall(r'"([^"]*)"', values[1]), int(values[0])


async def test_ten_thousand_requests(workspace: Path) -> None:
    seed = int(os.environ.get("DESCARTES_TEST_SEED", "1"))
    print("seed", seed)
    (workspace / "average.lisp").write_text(AVERAGE)
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "limit": 64 * 1024 * 1024}
    person = Person(await asyncio.create_subprocess_exec(*command(), cwd=workspace, **pipes))
    try:
        await person.initialize(workspace, initializationOptions=TRUSTED, capabilities=NOTIFIED)
        uri = person.open(workspace / "average.lisp")
        # The first start of all builds the core.
        assert (await person.execute("lisp.compileFile", {"uri": uri}, seconds=DEADLINE_S))["success"]
        person.counting = True
        soak = Soak(person, workspace, random.Random(seed))
        fresh_threads, _ = await image(person)
        await soak.until_asked(WARM)
        before = await held(person, workspace)
        part = (REQUESTS - WARM) // (KILLS + 1)
        for number in range(1, KILLS + 1):
            await soak.until_asked(WARM + number * part)
            kill((await person.does("lisp.status"))["pid"])
            # The function of the file is there again for the next image.
            for _ in range(20):
                compiled = await person.does("lisp.compileFile", uri=uri)
                if compiled is not None and compiled["success"]:
                    break
        _, memory_before = await image(person)
        await soak.until_asked(REQUESTS)
        found = await person.does("debugger.list")
        assert found["debuggers"] == [], "every stop was left"
        expected = Counter(_kind(name) for name in fresh_threads)

        names: list[str] = []
        for _ in range(200):
            names, _ = await image(person)
            if Counter(map(_kind, names)) <= expected:
                break
            await asyncio.sleep(0.05)
        _, memory_after = await image(person)
        after = await held(person, workspace)
        _report(person, before, after, (memory_before, memory_after), names)
        assert person.waiting == {} and person.surplus == 0, "one answer for each request"
        grown = {
            what: (before[what], after[what])
            for what, most in BOUNDS.items()
            if after[what] - before[what] > most
        }
        assert not grown
        assert memory_after - memory_before <= 30, "the image grows"
        left_over = Counter(map(_kind, names)) - expected
        assert not left_over, f"threads of the image: {names}"
        assert person.outcomes["result"] > REQUESTS * 0.8
        person.counting = False
        await person.execute("lisp.stop")
        await person.execute("hub.stop", {"force": True})
        assert await person.stop() == 0
    except BaseException as error:
        error.add_note(
            f"seed {seed}, {getattr(person, 'asked', 0)} requests, {getattr(person, 'outcomes', None)}"
        )
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            await person.close()
    await until(lambda: not ours(), "no process is left", 30)


def _kind(name: str) -> str:
    """Return NAME of a thread without what tells it from others of its kind."""
    return re.sub(r"\d+", "", name)


def _report(
    person: Person,
    before: dict[str, float],
    after: dict[str, float],
    megabytes: tuple[int, int],
    names: list[str],
) -> None:
    print(f"{person.asked} requests: {dict(person.outcomes)}")
    for what, count in before.items():
        print(f"{what}: {count:g} -> {after[what]:g}")
    print(f"MB of the image: {megabytes[0]} -> {megabytes[1]}; its threads: {names}")
