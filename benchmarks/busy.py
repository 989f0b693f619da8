"""What an editor's questions cost while fifty runs work on the same workspace and image, beside idle times.

A run here is a model that thinks for two seconds and then calls a tool: it reads, searches, evaluates Lisp
or writes a file of its own, in turn. Each tool call goes through leases, snapshots and the log.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.clients import BareEditor
from benchmarks.requests import LOADED, TEXT, timed
from benchmarks.table import Row, median, show
from descartes_server.cli.demo.story import EDITOR
from descartes_server.operations.texts import uri_of

RUNS = 50
THINKS_MS = 2_000
QUESTIONS = 300
SETTINGS = f"""[performance]
maxConcurrentAgents = {RUNS}

[[policy.rules]]
when = "true"
then = "allow"
"""
PLACES = {
    "hover": ("hover", (2, 5)),
    "definition": ("definition", (4, 5)),
    "signature help": ("signatureHelp", (2, 22)),
    "completion of `multiple-value-b`": ("completion", (5, 17)),
}


def script(number: int) -> str:
    """Return what the run NUMBER does: a turn for each line, more than it can get through."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read", {"path": "bench.lisp"}),
        ("search", {"pattern": "twice"}),
        ("lisp_eval", {"code": "(length (list 1 2 3))"}),
        ("write", {"path": f"made/{number}.txt", "content": "made\n"}),
    ]
    turns = [
        {"delayMs": THINKS_MS, "toolCalls": [{"name": name, "arguments": arguments}]}
        for name, arguments in (calls[number % 4 :] + calls[: number % 4]) * 100
    ]
    return "".join(f"{json.dumps(turn)}\n" for turn in turns)


def asked(editor: BareEditor, uri: str) -> dict[str, list[float]]:
    """Return the milliseconds of every question, by its name."""
    questions: dict[str, Callable[[], Any]] = {
        name: partial(editor.at, method, uri, place) for name, (method, place) in PLACES.items()
    }
    times: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(QUESTIONS):
        for name, ask in questions.items():
            times[name].append(timed(ask))
    return times


def begin_runs(editor: BareEditor, folder: Path) -> None:
    """Begin the runs; returns when all of them work."""
    for number in range(RUNS):
        (folder / f"{number}.jsonl").write_text(script(number), encoding="utf-8")
        editor.command("run.spawn", task=f"work {number}", backend="model", model=f"scripted:{number}.jsonl")
    while (working := working_runs(editor)) < RUNS:
        print(f"{working} of {RUNS} runs work", flush=True)
        time.sleep(1)


def working_runs(editor: BareEditor) -> int:
    """Return how many runs have begun to work and have not ended."""
    runs = editor.command("run.list", limit=RUNS)["runs"]
    return sum(run["status"] in ("running", "thinking") for run in runs)


def measure(folder: Path) -> list[Row]:
    """Return all rows."""
    (folder / "descartes.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "made").mkdir()
    file = folder / "bench.lisp"
    file.write_text(LOADED, encoding="utf-8")
    editor = BareEditor(folder)
    try:
        editor.open_workspace(folder, EDITOR, trusted=True)
        editor.command("lisp.loadFile", uri=uri_of(file))
        editor.open_document(uri_of(file), TEXT)
        gc.disable()
        asked(editor, uri_of(file))
        idle = asked(editor, uri_of(file))
        begin_runs(editor, folder)
        before = editor.command("history.list", limit=1)["events"][0]["seq"]
        began = time.perf_counter()
        busy = asked(editor, uri_of(file))
        took_s = time.perf_counter() - began
        events = editor.command("history.list", limit=1)["events"][0]["seq"] - before
        assert working_runs(editor) == RUNS, "some runs ended while they were to work"
        print(f"While {RUNS} runs worked, {events / took_s:,.0f} events a second were logged.\n")
        editor.command("lisp.stop")
        editor.command("hub.stop", force=True)
    finally:
        editor.kill()
    return [
        Row(name, busy[name], idle[name], "at most 2 ×", median(busy[name]) <= 2 * median(idle[name]))
        for name in PLACES
    ]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dsc-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve() / "workspace"
        folder.mkdir()
        os.environ["DESCARTES_RUNTIME_DIR"] = str(folder.parent / "runtime")
        os.environ["DESCARTES_HOME"] = str(folder.parent / "home")
        return show("busy", "no run at work", measure(folder))


if __name__ == "__main__":
    raise SystemExit(main())
