"""Killing what runs for a workspace, and looking at what is left: processes, the log, a command's outcome."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from descartes_server.hub import record
from descartes_server.operations import workspace as workspaces
from support.lsp_client import LspClient, lsp
from support.until import until

DEADLINE_S = 60
NOTIFIED = {"experimental": {"descartes": {"notifications": True}}}
TRUSTED = {"trusted": True}
AVERAGE = """(in-package :cl-user)

(defun average (numbers)
  (restart-case (/ (reduce #'+ numbers) (length numbers))
    (use-value (value)
      :report "Use a value as the average."
      value)))
"""
"""A file whose one function stops when it is called with nil."""


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    status: int
    out: str
    err: str


class Command:
    """The program `descartes` with WORDS, at work."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def begin(cls, workspace: Path, *words: str, **environment: str) -> Command:
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("descartes")), *words),
            cwd=workspace,
            env=os.environ | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def end(self, seconds: float = DEADLINE_S) -> Outcome:
        """Return what it did, which it must have done within SECONDS."""
        out, err = await asyncio.wait_for(self.process.communicate(), seconds)
        assert self.process.returncode is not None
        return Outcome(self.process.returncode, out.decode(), err.decode())


async def descartes(workspace: Path, *words: str, **environment: str) -> Outcome:
    """Return what `descartes WORDS` did in WORKSPACE."""
    return await (await Command.begin(workspace, *words, **environment)).end()


@contextlib.asynccontextmanager
async def editor(workspace: Path, **options: Any) -> AsyncIterator[LspClient]:
    """Give an editor of WORKSPACE that is trusted and wants the `descartes/…` notifications."""
    options = {"initializationOptions": TRUSTED, "capabilities": NOTIFIED, **options}
    async with lsp(workspace, **options) as client:
        yield client


def ask(client: LspClient, operation: str, **params: Any) -> int:
    """Ask for OPERATION without waiting for its answer; returns the request's id."""
    asked = {"command": f"descartes.{operation}", "arguments": [params]}
    return client.send_request("workspace/executeCommand", asked)


async def begun(client: LspClient, word: str) -> str:
    """Return the evaluation that printed WORD, waiting for it."""
    said = await client.notification("descartes/lisp/output", lambda params: word in params["text"])
    return str(said["evaluation"])


def saying(word: str, then: str) -> str:
    """Return Lisp that prints WORD and then does THEN."""
    return f'(progn (princ "{word}") (finish-output) {then})'


def hub_pid(workspace: Path) -> int:
    """Return the process of the hub of WORKSPACE."""
    found = record.read(workspaces.find(workspace))
    assert found is not None, "a hub runs"
    return found.pid


def kill(pid: int) -> None:
    """Kill the process PID as a crash would."""
    os.kill(pid, signal.SIGKILL)


def ours() -> list[psutil.Process]:
    """Return the living processes of this test but itself: their environment names its folders."""
    home, found = os.environ["DESCARTES_HOME"], []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            own = process.pid != os.getpid() and process.environ().get("DESCARTES_HOME") == home
            if own and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def of_run(run: str) -> list[psutil.Process]:
    """Return the living processes that were started for RUN, their keepers not counted."""
    found = []
    for process in ours():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("DESCARTES_RUN") == run and "keeper" not in " ".join(process.cmdline()):
                found.append(process)
    return found


def names_of(run: str) -> list[str]:
    """Return the programs that RUN has at work."""
    names = []
    for process in of_run(run):
        with contextlib.suppress(psutil.Error):
            names.append(process.name())
    return names


def keeper_of(process: psutil.Process) -> psutil.Process:
    """Return the keeper that PROCESS, or the one it came from, was started by."""
    return next(each for each in process.parents() if "keeper" in " ".join(each.cmdline()))


async def kill_hub(client: LspClient, workspace: Path) -> None:
    """Kill the hub of WORKSPACE and return when CLIENT talks to the next one."""
    kill(hub_pid(workspace))
    await next_hub(client)


async def next_hub(client: LspClient) -> None:
    """Return when CLIENT talks to the hub after one that was killed.

    One that lived shorter than a second is not replaced before something with an effect is asked for.
    """
    # The first may be sent before the death is known.
    codes = [(await client.refused("lisp.interrupt", {"evaluation": "none"})).code for _ in range(2)]
    assert codes[0] in (codes[1], "hub_lost") and codes[1] != "hub_lost", codes


async def ended(pid: int, seconds: float = DEADLINE_S) -> None:
    """Wait until the process PID is gone; a zombie is."""

    def gone() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    await until(gone, f"process {pid} ends", seconds)


async def events(client: LspClient, **query: Any) -> list[dict[str, Any]]:
    """Return the events of the log, oldest first, after it was verified."""
    assert (await client.execute("history.verify"))["ok"]
    page = await client.execute("history.list", {"limit": 1_000_000, "order": "asc", **query})
    found: list[dict[str, Any]] = page["events"]
    assert max(Counter(event["id"] for event in found).values(), default=1) == 1
    return found


async def run_until(client: LspClient, run: str, *wanted: str) -> dict[str, Any]:
    """Return RUN once its status or its phase is one of WANTED."""
    shown: dict[str, Any] = await client.execute("run.show", {"run": run})
    while not {shown["status"], shown["phase"]} & set(wanted):
        shown = await client.notification(
            "descartes/run/changed",
            lambda params: params["id"] == run and {params["status"], params.get("phase")} & set(wanted),
        )
        shown = await client.execute("run.show", {"run": run})
    return shown
