"""Whiteboard and wisdom through the command line and at the door of editors."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

Descartes = Callable[..., Awaitable[Any]]


async def answer(descartes: Descartes, *words: str) -> dict[str, Any]:
    """Return what the command WORDS answers as JSON."""
    done = await descartes(*words, "--json")
    assert done.status == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.mark.ledger("C-06")
async def test_a_person_reads_what_a_run_posted_and_writes_beside_it(
    descartes: Descartes, workspace: Path
) -> None:
    nothing = await descartes("whiteboard", "list")
    assert nothing.status == 2 and "no session yet" in nothing.err
    script = workspace / "script.jsonl"
    post = {"name": "board_post", "arguments": {"type": "error_report", "content": "it stops\nat 1/2"}}
    script.write_text(json.dumps({"toolCalls": [post]}) + "\n")
    words = (
        "spawn",
        "--trust",
        "--task",
        "look",
        "--model",
        f"scripted:{script}",
        "--agent",
        "fixer",
        "--wait",
    )
    run = await answer(descartes, *words)
    listed = await descartes("whiteboard", "list")
    (line,) = listed.out.splitlines()
    entry, _, kind, who, beside, content = line.split("\t")
    assert (kind, who, beside, content) == ("error_report", "agent:fixer", "", "it stops at 1/2")
    annotated = await descartes(
        *("whiteboard", "annotate", entry[4:12], "ratios first", "--marker", "correction")
    )
    assert annotated.status == 0 and "ratios first" in annotated.out
    posted = await answer(descartes, "whiteboard", "post", "Read ratios first", "--type", "solution")
    assert (posted["session"], posted["by"]["kind"]) == (run["session"], "human")
    board = await answer(descartes, "whiteboard", "list", "--run", run["id"][4:12])
    assert [len(each["annotations"]) for each in board["entries"]] == [0, 1]
    shown = await answer(descartes, "whiteboard", "show", entry)
    assert shown["annotations"][0]["marker"] == "correction"
    for words, status in (
        (("whiteboard", "show", "00000000"), 2),
        (("whiteboard", "post", " ", "--type", "solution"), 1),
    ):
        assert (await descartes(*words)).status == status, words


@pytest.mark.ledger("C-07")
async def test_wisdom_from_a_terminal(descartes: Descartes) -> None:
    added = await answer(
        descartes, "wisdom", "add", "Load with :force t before the lexer tests", "--tags", "a,b"
    )
    assert (added["confidence"], added["tags"]) == (0.75, ["a", "b"])
    id_ = added["id"][4:12]
    moved = await descartes("wisdom", "outcome", id_, "--no-helped", "--note", "not with SBCL 2.5")
    assert moved.out.split("\t")[1:3] == ["0.50", "1"]
    moved = await descartes("wisdom", "outcome", id_, "--effect", "0.5")
    assert moved.out.split("\t")[1:3] == ["0.50", "2"]
    assert (await descartes("wisdom", "list", "fix the lexer")).out.startswith(added["id"])
    assert (await descartes("wisdom", "list", "draw a picture")).out == ""
    assert (await descartes("wisdom", "list", "--min-confidence", "0.6")).out == ""
    for words, status in (
        (("wisdom", "outcome", id_), 1),
        (("wisdom", "outcome", "00000000", "--helped"), 2),
    ):
        wrong = await descartes(*words)
        assert wrong.status == status and wrong.err, words
