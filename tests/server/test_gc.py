"""`descartes gc` at its doors: what it says, what it does, what it leaves."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_core.blobs import Blobs
from descartes_core.model import NewEvent, Principal
from descartes_core.projections import standard
from descartes_core.store import Store, retention, verify
from descartes_core.store.query import LAST
from descartes_core.store.retention import Keep
from descartes_server.operations import collecting, gc
from descartes_server.operations.workspace import Workspace

Descartes = Callable[..., Awaitable[Any]]
LONG_AGO = 1_000_000_000


async def test_gc_says_what_would_go_and_then_does_it(
    descartes: Descartes, here: Workspace, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = isolated_environment / "cache"
    monkeypatch.setenv("DESCARTES_CACHE", str(cache))
    compiled = [cache / "fasl" / "sbcl" / name for name in ("old.fasl", "read.fasl")]
    compiled[0].parent.mkdir(parents=True)
    for path, read in zip(compiled, (LONG_AGO, time.time()), strict=True):
        path.write_bytes(b"compiled")
        os.utime(path, (read, LONG_AGO))
    # Unused for ten days: what this workspace compiled, and what another one did, which may need it.
    own, theirs = (
        cache / "fasl" / "sbcl" / root.relative_to("/") / "a.fasl"
        for root in (here.root, here.root.with_name(f"{here.root.name}-2"))
    )
    for path in (own, theirs):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"compiled")
        os.utime(path, (time.time() - 10 * 86400,) * 2)
    script = here.root / "script.jsonl"
    script.write_text(json.dumps({"text": "x" * 5000}) + "\n")
    spawned = await descartes(
        *("spawn", "--trust", "--task", "talk", "--backend", "model", "--model", f"scripted:{script.name}"),
        *("--wait", "--json"),
    )
    run = json.loads(spawned.out)["id"]
    orphan = Blobs(here.state / "blobs").put("of no event")
    old = [here.state / "views" / "old.md", here.state / "blobs" / orphan[:2] / orphan[2:]]
    old[0].parent.mkdir(exist_ok=True)
    old[0].write_text("old")
    fresh = here.state / "views" / "fresh.md"
    fresh.write_text("fresh")
    for path in old:
        os.utime(path, (LONG_AGO, LONG_AGO))

    said = await descartes("gc")
    assert said.status == 0 and "1 file in .descartes/blobs" in said.out and "would go" in said.out
    assert "1 file in the cache of compiled Lisp" in said.out
    assert all(path.exists() for path in old)
    (here.root / "descartes.toml").write_text("[history]\nkeepDays = 0\n")
    planned = json.loads((await descartes("gc", "--json")).out)
    assert not planned["applied"] and planned["events"]["events"] >= 2 and planned["events"]["bytes"] > 5000
    assert planned["snapshots"] >= 1

    done = json.loads((await descartes("gc", "--apply", "--json")).out)
    assert done["applied"] and done["events"] == planned["events"]
    assert done["snapshots"] == planned["snapshots"]
    assert not any(path.exists() for path in [*old, fresh])
    assert [path.exists() for path in (*compiled, own, theirs)] == [False, True, False, True]
    assert (await descartes("history", "verify")).status == 0
    listed = json.loads((await descartes("history", run, "--json")).out)["events"]
    assert {event["name"] for event in listed if event["metadata"].get("collected")} == {"message"}
    assert (
        json.loads((await descartes("history", "list", "--type", "log", "--json")).out)["events"][0]["data"][
            "events"
        ]
        == done["events"]["events"]
    )
    assert "Nothing" in (await descartes("gc")).out


def test_what_others_may_use_stays_where_nobody_can_tell_that_it_is_used(tmp_path: Path) -> None:
    own, theirs, recent = (tmp_path / "fasl" / "sbcl" / name for name in ("w/a.fasl", "v/a.fasl", "w/b.fasl"))
    now_s = time.time()
    for path, days in ((own, 400), (theirs, 400), (recent, 1)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (now_s - days * 86400,) * 2)

    def going(*, noted: bool) -> list[Path]:
        found = collecting.old_compiled(
            tmp_path / "fasl", now_s, own=Path("/w"), now_s=now_s, reads_noted=noted
        )
        return [each.path for each in found]

    # A read is noted once a day: what seems unread for less may have been read a minute ago.
    assert going(noted=True) == [theirs, own] and going(noted=False) == [own]
    assert not collecting.notes_reads(tmp_path / "none")


async def test_the_text_of_a_kept_event_stays(descartes: Descartes, here: Workspace) -> None:
    kept = Blobs(here.state / "blobs").put("(the exact code)")
    os.utime(here.state / "blobs" / kept[:2] / kept[2:], (LONG_AGO, LONG_AGO))
    store = await Store.open(here.database)
    data = {"id": "eval_1", "state": "done", "code": "…", "asked": {"codeBlob": kept}}
    ada = Principal(kind="human", id="ada", name="Ada")
    await store.append(
        NewEvent(category="action", name="lisp.evaluated", stream="lisp", actor=ada, data=data)
    )
    await store.close()
    assert (await descartes("gc", "--apply")).status == 0
    assert Blobs(here.state / "blobs").get(kept) == "(the exact code)"


async def test_what_is_free_is_given_back_unless_others_would_wait_for_it(here: Workspace) -> None:
    store = await Store.open(here.database)
    ada = Principal(kind="human", id="ada", name="Ada")
    data = {"code": "x", "message": "y" * 10_000, "recoverable": True}
    await store.append(*[NewEvent(category="error", name="error", stream="s", actor=ada, data=data)] * 200)
    await store.transact(lambda tx: retention.collect(tx, standard(), LAST, Keep(days=-1), ada))
    await store.close()
    size = here.database.stat().st_size
    gc._compact(here.database, most_bytes=1)
    assert here.database.stat().st_size == size
    gc._compact(here.database, seconds=-1)
    gc._compact(here.database, seconds=60)
    assert here.database.stat().st_size < size / 5
    assert (await verify(here.database)).ok


async def test_a_run_tidies_nothing(descartes: Descartes, here: Workspace) -> None:
    words = [
        *("spawn", "--trust", "--task", "tidy", "--wait", "--"),
        sys.executable,
        "-m",
        "descartes_server",
    ]
    refused = await descartes(*words, "gc", "--apply")
    assert refused.status == 1 and "for a person" in refused.err
    assert (await descartes("gc", "--nonsense")).status == 2
