"""10,000 mixed requests through the real server: each is answered once, and nothing grows.

Edits, errors, interrupts, restarts with arguments, floods of output, and the image killed now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from descartes_core.places import home
from support.faults import AVERAGE, NOTIFIED, TRUSTED, hub_pid, kill, ours
from support.lsp_client import command
from support.soaking import DEADLINE_S, Person
from support.until import answer_that, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REQUESTS = int(os.environ.get("DESCARTES_TEST_SOAK", "10000"))
AT_ONCE = 24
WARM = REQUESTS // 6
KILLS = 5
BOUNDS = {
    "files of the server": 4,
    "files of the hub": 6,
    "threads of the server": 10,
    "threads of the hub": 10,
    "tasks of the hub": 4,
    "tasks of the server": 4,
    "MB of the server": 60,
    "MB of the hub": 60,
}
"""How much more there may be at the end than after the first sixth: threads that read begin when needed."""
THREADS_OF_AN_EDITOR = 5
"""Of the image's, that answer questions of one editor."""
FILES_OF_AN_IMAGE, MB_OF_AN_IMAGE = 4, 30
"""How much more one image may have at its end than when it had just been started."""


class Soak:
    """What is done, by chance, to one file and one image."""

    def __init__(self, person: Person, file: Path, dice: random.Random) -> None:
        self.person, self.dice = person, dice
        self.uri = file.as_uri()
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
            (3, self.step_on),
            (2, self.breakpoint),
            (3, self.inspect),
            (4, self.other_repl),
            (2, self.read),
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

    async def step_on(self) -> None:
        """Stop, step a few times, look at the frames and go."""
        stopped = await self.person.does("lisp.eval", code="(progn (break) (average (list 1 2)))")
        for kind in self.dice.choices(["into", "next", "out"], k=2):
            if stopped is None or not stopped.get("debugger"):
                return
            stop = {name: stopped["debugger"][name] for name in ("thread", "level")}
            await self.person.does("debugger.frames", **stop, start=0, end=5)
            stopped = await self.person.does("debugger.step", **stop, kind=kind, waitMs=60_000)
        if stopped is not None and stopped.get("debugger"):
            stop = {name: stopped["debugger"][name] for name in ("thread", "level")}
            await self.person.does("debugger.toplevel", **stop)

    async def breakpoint(self) -> None:
        """Set a breakpoint that never stops, and take it away."""
        found = await self.person.does("debugger.breakpoints.set", symbol="average", condition="nil")
        if found is not None:
            await self.person.does("debugger.breakpoints.clear", id=found["id"])

    async def inspect(self) -> None:
        found = await self.person.does("inspector.open", expression="(list 1 (make-array 100) :a)")
        if found is not None:
            await self.person.does("inspector.part", id=found["id"], part=1)
            await self.person.does("inspector.close", id=found["id"])

    async def other_repl(self) -> None:
        name = f"repl-{self.dice.randint(1, 3)}"
        done = await self.person.does("lisp.eval", code="(length (list * 1))", repl=name)
        if done is not None and done["state"] == "stopped":
            await self.person.does("debugger.toplevel", **done["debugger"])

    async def read(self) -> None:
        """Read what nobody types; the client gives nothing back, which ends it."""
        await self.person.does("lisp.eval", code="(read-line)")

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


def files_of(process: psutil.Process) -> int:
    """Return how many files PROCESS has, without those of the log, which a pool of at most ten opens."""
    return process.num_fds() - sum("descartes.db" in each.path for each in process.open_files())


async def held(person: Person, workspace: Path) -> dict[str, float]:
    """Return what the server and the hub hold on to."""
    tasks = (await person.does("hub.status"))["tasks"]
    server, hub = psutil.Process(person.process.pid), psutil.Process(hub_pid(workspace))
    return {
        "files of the server": files_of(server),
        "files of the hub": files_of(hub),
        "threads of the server": server.num_threads(),
        "threads of the hub": hub.num_threads(),
        "tasks of the hub": tasks,
        "tasks of the server": await tasks_of(person, workspace),
        "MB of the server": server.memory_info().rss / 1e6,
        "MB of the hub": hub.memory_info().rss / 1e6,
    }


async def tasks_of(person: Person, workspace: Path) -> int:
    """Return how many tasks the server says that it has."""
    # Where it keeps its log depends on whether there was a `.descartes` when it began.
    logs = [folder / "log" / "lsp.log" for folder in (workspace / ".descartes", home())]
    said = re.compile(rf" {person.process.pid} WARNING descartes_server.at_work: (\d+) tasks")

    def counts() -> list[str]:
        return [each for log in logs if log.exists() for each in said.findall(log.read_text())]

    before = len(counts())
    person.process.send_signal(signal.SIGUSR1)
    await until(lambda: len(counts()) > before, "it says what it is at")
    return int(counts()[-1])


THREADS = "(sort (mapcar (function sb-thread:thread-name) (sb-thread:list-all-threads)) (function string<))"
MEMORY = "(progn (sb-ext:gc :full t) (floor (sb-kernel:dynamic-usage) 1000000))"


async def image(person: Person) -> tuple[list[str], int, int]:
    """Return the threads of the image by name, its living megabytes and its open files."""
    values = (await person.does("lisp.eval", code=f"(values {MEMORY} {THREADS})"))["values"]
    files = psutil.Process((await person.does("lisp.status"))["pid"]).num_fds()
    return re.findall(r'"([^"]*)"', values[1]), int(values[0]), files


@contextlib.asynccontextmanager
async def editor(workspace: Path, file: str) -> AsyncIterator[Person]:
    """Give an editor with FILE open."""
    (workspace / file).write_text(AVERAGE)
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "limit": 64 * 1024 * 1024}
    person = Person(await asyncio.create_subprocess_exec(*command(), cwd=workspace, **pipes))
    try:
        await person.initialize(workspace, initializationOptions=TRUSTED, capabilities=NOTIFIED)
        person.open(workspace / file)
        yield person
    except BaseException as error:
        error.add_note(f"{file}: {person.asked} requests, {person.outcomes}")
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            await person.close()


async def compiled(person: Person, uri: str) -> None:
    """Let the function of the file be there in a new image."""
    for _ in range(20):
        found = await person.does("lisp.compileFile", uri=uri)
        if found is not None and found["success"]:
            return
    raise AssertionError("the file was not compiled")


async def test_ten_thousand_requests(workspace: Path) -> None:
    seed = int(os.environ.get("DESCARTES_TEST_SEED", "1"))
    print("seed", seed)
    async with editor(workspace, "average.lisp") as person, editor(workspace, "other.lisp") as other:
        uri = (workspace / "average.lisp").as_uri()
        # The first start of all builds the core.
        assert (await person.execute("lisp.compileFile", {"uri": uri}, seconds=DEADLINE_S))["success"]
        person.counting = True
        first = Soak(person, workspace / "average.lisp", random.Random(seed))
        second = Soak(other, workspace / "other.lisp", random.Random(seed + 1))

        async def go_on(count: int) -> None:
            await asyncio.gather(first.until_asked(count), second.until_asked(count // 4))

        lives = [[await image(person)]]
        await go_on(WARM)
        before = await held(person, workspace)
        part = (REQUESTS - WARM) // (KILLS + 1)
        for number in range(1, KILLS + 1):
            await go_on(WARM + number * part)
            lives[-1].append(await image(person))
            kill((await person.does("lisp.status"))["pid"])
            await compiled(person, uri)
            lives.append([await image(person)])
        await go_on(REQUESTS)
        found = await person.does("debugger.list")
        assert found["debuggers"] == [], "every stop was left"
        expected = Counter(_kind(name) for name in lives[0][0][0])
        expected["descartes answers"] = THREADS_OF_AN_EDITOR * 2

        names, *_rest = await answer_that(
            lambda found: Counter(map(_kind, found[0])) <= expected,
            lambda: image(person),
            f"no more threads of the image than {expected}",
        )
        lives[-1].append(await image(person))
        after = await held(person, workspace)
        _report(person, before, after, lives, names)
        for each in (person, other):
            assert each.waiting == {} and each.surplus == 0, "one answer for each request"
        grown = {
            what: (before[what], after[what])
            for what, most in BOUNDS.items()
            if after[what] - before[what] > most
        }
        assert not grown
        assert all(end[1] - begin[1] <= MB_OF_AN_IMAGE for begin, end in lives), "no image grows"
        assert all(end[2] - begin[2] <= FILES_OF_AN_IMAGE for begin, end in lives), "no image keeps files"
        assert person.outcomes["result"] > REQUESTS * 0.8
        person.counting = False
        assert await other.stop() == 0
        await person.execute("lisp.stop")
        await person.execute("hub.stop", {"force": True})
        assert await person.stop() == 0
    await until(lambda: not ours(), "no process is left")


def _kind(name: str) -> str:
    """Return NAME of a thread without what tells it from others of its kind."""
    return re.sub(r"\d+", "", name)


def _report(
    person: Person,
    before: dict[str, float],
    after: dict[str, float],
    lives: list[list[tuple[list[str], int, int]]],
    names: list[str],
) -> None:
    print(f"{person.asked} requests: {dict(person.outcomes)}")
    for what, count in before.items():
        print(f"{what}: {count:g} -> {after[what]:g}")
    for begin, end in lives:
        print(f"an image: {begin[1]} -> {end[1]} MB, {begin[2]} -> {end[2]} files")
    print(f"its threads: {names}")
