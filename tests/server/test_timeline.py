"""Any moment of a run through the command line: what was then, and going on from there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from server.conftest import Descartes

SCRIPT: list[dict[str, Any]] = [
    {"thought": "Empty lists.", "toolCalls": [{"name": "read", "arguments": {"path": "a.lisp"}}]},
    {
        "text": "Better.",
        "toolCalls": [{"name": "write", "arguments": {"path": "a.lisp", "content": "(b)\n"}}],
    },
    {"text": "Done."},
]


def prepare(workspace: Path) -> None:
    (workspace / "a.lisp").write_text("(a)\n")
    (workspace / "s.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in SCRIPT))


async def spawn(descartes: Descartes, *more: str) -> dict[str, Any]:
    outcome = await descartes("spawn", "--trust", "--wait", "--json", *more)
    assert outcome.status == 0, outcome
    run: dict[str, Any] = json.loads(outcome.out)
    return run


async def answer(descartes: Descartes, *words: str) -> Any:
    outcome = await descartes(*words, "--json")
    assert outcome.status == 0, outcome
    return json.loads(outcome.out)


@pytest.mark.ledger("D-27")
async def test_a_run_is_looked_at_and_forked_at_a_moment(workspace: Path, descartes: Descartes) -> None:
    prepare(workspace)
    run = await spawn(descartes, "--task", "Tidy", "--model", "scripted:s.jsonl", "--tool-level", "trusted")
    events = (await answer(descartes, "history", "list", "--run", run["id"], "--order", "asc"))["events"]
    read = next(event for event in events if event["name"] == "tool.completed")
    state = await answer(descartes, "history", "state", run["id"], "--at", read["id"][4:14])
    assert (state["turn"], state["files"], state["status"]) == (1, [], "running")
    assert [each["role"] for each in state["messages"]] == ["user", "assistant", "tool"]
    shown = await descartes("history", run["id"], "--at", str(read["seq"]))
    assert shown.out.splitlines()[3:] == [
        "said:",
        "  you   Tidy",
        "  agent read a.lisp",
        "  tool  (a)",
        "",
        "thought:",
        "  Empty lists.",
    ]
    fork = await answer(descartes, "session", "fork", run["id"], "--at", read["id"], "--reason", "again")
    assert (fork["run"], fork["seq"], fork["parent"]) == (run["id"], read["seq"], run["session"])
    child = await spawn(descartes, "--fork", fork["session"], "--task", "Otherwise")
    assert (child["session"], child["task"], child["status"]) == (fork["session"], "Otherwise", "completed")
    tree = (await answer(descartes, "session", "branches", run["session"]))["branches"]
    assert [(each["session"], each["runs"]) for each in tree] == [
        (run["session"], [run["id"]]),
        (fork["session"], [child["id"]]),
    ]
    after = await answer(descartes, "history", "list", "--run", run["id"], "--order", "asc")
    assert after["events"] == events
    assert (await descartes("history", "verify")).status == 0


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("history", "state", "ffff"), 2, "No run"),
        (("history", "--at", "3"), 2, "--at needs the id of a run"),
        (("session", "fork"), 1, "Expected a run or a session to fork"),
        (("session", "fork", "ffff"), 2, "No run"),
        (("session", "branches"), 1, "Expected a session or a run"),
        (("session", "branches", "ffff"), 2, "No session"),
        (("spawn", "--trust", "--fork", "ffff"), 2, "No session"),
    ],
)
async def test_what_names_nothing_is_told_in_a_sentence(
    words: tuple[str, ...], status: int, says: str, descartes: Descartes
) -> None:
    outcome = await descartes(*words)
    assert (outcome.status, outcome.out) == (status, "")
    assert says in outcome.err
    assert "Traceback" not in outcome.err


async def test_a_picture_shows_a_run_with_its_forks(workspace: Path, descartes: Descartes) -> None:
    prepare(workspace)
    given = ("--model", "scripted:s.jsonl", "--tool-level", "trusted", "--agent", "fixer")
    run = await spawn(descartes, "--task", "Tidy <up>", *given)
    fork = await answer(descartes, "session", "fork", run["id"], "--at", "9")
    child = await spawn(descartes, "--fork", fork["session"], "--agent", "second")
    for words in (("--session", fork["session"]), (run["id"],), ()):
        made = await answer(descartes, "history", "picture", *words)
        assert made["runs"] == [run["id"], child["id"]]
        text = Path(made["path"]).read_text()
        ElementTree.fromstring(text)
        assert "fixer" in text and "second" in text and 'class="fork"' in text and "wrote" in text
        for link in re.findall(r'href="([^"]+)"', text):
            assert Path(made["path"]).with_name(link).read_text().startswith("# Tidy ")
    refused = await descartes("history", "picture", run["id"], "--session", fork["session"])
    assert (refused.status, refused.out) == (1, "")
    assert "got both" in refused.err
    assert (await descartes("history", "picture", "ffff")).status == 2
