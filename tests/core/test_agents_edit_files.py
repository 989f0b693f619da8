"""A run edits several files as one thing: one question with the diff, leases of all, all of it or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from descartes_core.replacement import Replacement
from support.running import BOB, Bench, bench, call
from support.trees import write

__all__ = ["bench"]

A, B = (
    {"path": "a.lisp", "old": "(foo x)", "new": "(area x)"},
    {"path": "b c.lisp", "old": "foo", "new": "area"},
)
AGAIN = {"path": "a.lisp", "old": "(area x)", "new": "(area x y)"}
FILES: dict[str, str | bytes] = {"a.lisp": "(foo x)\n(bar)\n", "b c.lisp": b"(bar)\r\n(foo \xc3\xa9)"}


def edits(*each: dict[str, str]) -> dict[str, Any]:
    return call("edit_files", edits=list(each))


async def error_of(bench: Bench, *each: dict[str, str]) -> dict[str, Any]:
    """Return why a trusted run that makes these edits is told that it cannot."""
    run = await bench.spawn(edits(*each), tool_level="trusted")
    await bench.ended(run.id)
    (failed,) = await bench.events(run.id, "tool.failed")
    return dict(failed.data["error"])


@pytest.mark.ledger("S-08")
async def test_one_yes_covers_all_files_and_shows_them(bench: Bench, workspace: Path) -> None:
    write(workspace, FILES)
    run = await bench.spawn(edits(A, AGAIN, B))
    question = await bench.question(run.id)
    assert question.title == "edit_files a.lisp and 1 more"
    assert "--- a/a.lisp\n+++ b/a.lisp\n@@ -1,2 +1,2 @@\n-(foo x)\n+(area x y)\n (bar)\n" in question.detail
    assert "+++ b/b c.lisp" in question.detail and "changes several files" in question.detail
    assert {each.path for each in await bench.leases.list()} == {"a.lisp", "b c.lisp"}
    assert (workspace / "a.lisp").read_text() == FILES["a.lisp"]
    await bench.answer(run.id, "accept")
    await bench.ended(run.id)
    assert (workspace / "a.lisp").read_text() == "(area x y)\n(bar)\n"
    assert (workspace / "b c.lisp").read_bytes() == b"(bar)\r\n(area \xc3\xa9)"
    written = await bench.events(run.id, "file.written")
    assert [event.data["path"] for event in written] == ["a.lisp", "b c.lisp"]
    (done,) = await bench.events(run.id, "tool.completed")
    assert done.data["result"] == "replaced 3 places in 2 files"


async def test_all_of_it_or_nothing(bench: Bench, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(workspace, FILES)
    assert (await error_of(bench, A, {**B, "old": "nowhere"}))["code"] == "invalid_params"
    assert (await error_of(bench))["code"] == "invalid_params"
    assert (await error_of(bench, A, {**B, "path": "../out"}))["code"] == "policy_denied"
    assert (await error_of(bench, A, {**B, "path": "none"}))["code"] == "not_found"
    put = Replacement.put
    failing = ["b c.lisp"]

    def refuse(self: Replacement) -> None:
        if self.path.name in failing:
            failing.clear()
            raise OSError(28, "No space left on device")
        put(self)

    monkeypatch.setattr(Replacement, "put", refuse)
    assert "No space left" in (await error_of(bench, A, B))["message"]
    await bench.leases.acquire("b c.lisp", BOB)
    assert (await error_of(bench, A, B))["code"] == "lease_held"
    run = await bench.spawn(edits(A, B), call("shell", command="true"))
    await bench.question(run.id)
    # What was taken before the one that is held is given back at once, not only at the end.
    assert [each.holder for each in await bench.leases.list()] == [BOB]
    for path, content in FILES.items():
        found = (workspace / path).read_bytes()
        assert found == (content if isinstance(content, bytes) else content.encode())
    assert sorted(each.name for each in workspace.glob("*.part")) == []
