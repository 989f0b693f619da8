"""Ten thousand notes: listed, searched and shown, beside grep; and texts found by being alike."""

from __future__ import annotations

import asyncio
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.table import Row, median, show
from descartes_core.memory import note_files
from descartes_core.memory.associative import AssociativeMemory
from descartes_core.memory.notebook import Author
from descartes_core.memory.thoughts import Thoughts
from descartes_core.model import Principal
from descartes_core.store import Store

NOTES, WORDS_EACH, ROUNDS = 10_000, 200, 25
GOAL_MS = 100.0
STEMS = (
    "lex", "pars", "auth", "cach", "queu", "lock", "trac", "fram", "print", "read", "compil", "macro",
    "restart", "condit", "package", "symbol",
)  # fmt: skip
ENDINGS = ["er", "ing", "able", "ed", "ion", "ality", "or", "s", "ment", "ness"]
WORDS = [f"{stem}{ending}" for stem in STEMS for ending in ENDINGS]
NOTE = """\
---
id: {number:08x}-0000-4000-8000-000000000000
title: {title} {number}
tags: [{tag}]
created_at: 2026-01-01T00:00:00.000Z
---

{body}
"""


def write_notes(folder: Path) -> None:
    """Write the notes as a person's editor would: plain files."""
    chance = random.Random(1)
    note_files.make_folders(folder)
    for number in range(NOTES):
        text = NOTE.format(
            number=number,
            title=f"{chance.choice(WORDS)} {chance.choice(WORDS)}",
            tag=chance.choice(STEMS),
            body=" ".join(chance.choices(WORDS, k=WORDS_EACH)),
        )
        (folder / "research" / f"2026-01-01-note-{number}.md").write_text(text)


def times(work: Callable[[], Any], base: Callable[[], Any]) -> tuple[list[float], list[float]]:
    """Return the milliseconds of WORK and of BASE, in turn, so that both meet the same machine."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for each, into in ((work, found[0]), (base, found[1])):
            began = time.perf_counter()
            each()
            into.append((time.perf_counter() - began) * 1000)
    return found


def rows(home: Path) -> list[Row]:
    notes = Thoughts(home)
    write_notes(notes.folder)
    began = time.perf_counter()
    notes.list(limit=1)
    print(f"The index of {NOTES:,} notes was made in {time.perf_counter() - began:.1f} s.\n")

    def grep() -> None:
        command = ["grep", "-rilw", "restarting", str(notes.folder / "research")]
        subprocess.run(command, capture_output=True, check=False)

    asked: dict[str, Callable[[], Any]] = {
        "list the newest 100": notes.list,
        "search for one word": lambda: notes.search("restarting"),
        "search for two words of which there are many": lambda: notes.search("caching frames"),
        "search for one note": lambda: notes.search("9999"),
        "show a note by its id": lambda: notes.show("00000063"),
    }
    measured = {what: times(work, grep) for what, work in asked.items()}
    return [_row(what, *figures) for what, figures in measured.items()]


async def similar(home: Path) -> Row:
    """Measure a query of an associative memory with as many texts."""
    store = await Store.open(home / "log.db")
    by = Author(Principal(kind="human", id="ann", name="Ann"))
    memory = AssociativeMemory[dict[str, Any]](store, "errors", by)
    chance = random.Random(2)
    texts = [" ".join(chance.choices(WORDS, k=20)) for _ in range(NOTES)]
    for first in range(0, NOTES, 500):
        await asyncio.gather(*(memory.add(text, {}) for text in texts[first : first + 500]))
    ours, base = [], []
    for asked in texts[:ROUNDS]:
        began = time.perf_counter()
        await memory.query_similar(asked)
        ours.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        await store.reader.rows("SELECT key FROM association WHERE text LIKE ?", (f"%{asked[:20]}%",))
        base.append((time.perf_counter() - began) * 1000)
    await store.close()
    return _row("what is alike, among as many texts (beside LIKE)", ours, base)


def _row(what: str, ours: list[float], base: list[float]) -> Row:
    return Row(what, ours, base, f"under {GOAL_MS:.0f} ms", median(ours) < GOAL_MS)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="descartes-notes-") as folder:
        home = Path(folder)
        return show("notes", "grep of all files", [*rows(home), asyncio.run(similar(home))])


if __name__ == "__main__":
    raise SystemExit(main())
