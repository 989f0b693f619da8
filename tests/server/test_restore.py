"""`descartes restore` on real workspaces: looked at, done, undone, done again, or refused with the reason."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from server.conftest import Descartes
from support.trees import git, private_state, repository, tree, write

TURNS: list[dict[str, Any]] = [
    {
        "text": "Better.",
        "toolCalls": [{"name": "write", "arguments": {"path": "src/a.lisp", "content": "(changed)\n"}}],
    },
    {
        "text": "And more.",
        "toolCalls": [
            {
                "name": "shell",
                "arguments": {
                    "command": "rm src/b.lisp; sed -i s/keep/lost/ c.txt; echo n > new; chmod +x c.txt"
                },
            }
        ],
    },
    {"text": "Done."},
]
FILES: dict[str, str | bytes] = {"src/a.lisp": "(a)\n", "src/b.lisp": "(b)\n", "c.txt": "keep\n"}


async def answer(descartes: Descartes, *words: str) -> Any:
    outcome = await descartes(*words, "--json")
    assert outcome.status == 0, outcome
    return json.loads(outcome.out)


async def run_of(descartes: Descartes, workspace: Path) -> tuple[str, list[dict[str, Any]]]:
    """Return the id and the events of a run that did all that `TURNS` say."""
    script = workspace.parent / "s.jsonl"
    script.write_text("".join(json.dumps(turn) + "\n" for turn in TURNS))
    words = ("spawn", "--trust", "--wait", "--json", "--task", "Tidy", "--tool-level", "trusted")
    outcome = await descartes(*words, "--model", f"scripted:{script}")
    assert outcome.status == 0, outcome
    run = json.loads(outcome.out)["id"]
    events = (await answer(descartes, "history", "list", "--run", run, "--order", "asc"))["events"]
    return run, events


@pytest.mark.ledger("D-24")
async def test_a_run_is_gone_back_on_and_forth(descartes: Descartes, workspace: Path) -> None:
    repository(workspace, FILES)
    write(workspace, {"untracked": "u"})
    before = tree(workspace)
    run, events = await run_of(descartes, workspace)
    changed = tree(workspace)
    assert changed["c.txt"][1] == b"lost\n" and "src/b.lisp" not in changed and "new" in changed
    state = private_state(workspace)

    shown = await descartes("restore", run, "--to", events[0]["id"], "--include-code", "--dry-run")
    assert shown.status == 0 and tree(workspace) == changed
    assert [line.split("\t")[:2] for line in shown.out.splitlines()[1:]] == [
        ["modify", "c.txt"],
        ["delete", "new"],
        ["modify", "src/a.lisp"],
        ["create", "src/b.lisp"],
    ]
    done = await descartes("restore", run[4:12], "--to", events[0]["id"][4:14], "--include-code", "--yes")
    assert done.status == 0 and tree(workspace) == before, done
    assert re.findall(r"^(\d/4) (\w+)", done.err, re.M) == [
        ("1/4", "backup"),
        ("2/4", "checkout"),
        ("3/4", "memory"),
        ("4/4", "resume"),
    ]
    names = [
        each["name"] for each in (await answer(descartes, "history", "list", "--type", "restore"))["events"]
    ]
    assert names[0] == "restore.applied" and names.count("restore.step") == 4 and "restore.began" in names

    undone = await descartes("restore", "undo")
    assert undone.status == 0 and tree(workspace) == changed, undone
    redone = await descartes("restore", "redo")
    assert redone.status == 0 and tree(workspace) == before, redone
    assert private_state(workspace) == state
    refs = git(workspace, "for-each-ref", "--format=%(refname)", "refs/descartes").splitlines()
    assert any(re.fullmatch(rf"refs/descartes/{run[4:]}/\d+", ref) for ref in refs)


async def test_a_moment_in_the_middle_and_some_files_only(descartes: Descartes, workspace: Path) -> None:
    write(workspace, FILES)
    run, events = await run_of(descartes, workspace)
    after_write = next(event for event in events if event["name"] == "tool.completed")
    there = ("restore", run, "--to", after_write["id"], "--include-code", "--yes")
    done = await descartes(*there)
    assert done.status == 0, done
    assert {name: entry[1] for name, entry in tree(workspace).items() if entry[0] == "file"} == {
        "src/a.lisp": b"(changed)\n",
        "src/b.lisp": b"(b)\n",
        "c.txt": b"keep\n",
    }
    (way,) = re.findall(
        r"^4/4 resume +nothing runs by itself, `descartes (.*)` goes on from there$", done.err, re.M
    )
    assert (await descartes(*way.split(), "--wait")).status == 0 and not (
        workspace / "src" / "b.lisp"
    ).exists()
    # The same in one command.
    resumed = json.loads((await descartes(*there, "--resume", "--json")).out)
    assert "a new run goes on in session" in resumed["steps"][3]["text"] and resumed["resumed"] != run
    async with asyncio.timeout(60):
        while not (await answer(descartes, "run", "show", resumed["resumed"]))["endedAt"]:
            pass
    assert not (workspace / "src" / "b.lisp").exists() and (workspace / "new").exists()
    shown = await answer(descartes, "run", "show", resumed["resumed"])
    assert (shown["status"], shown["session"]) == ("completed", resumed["session"])
    begun = events[0]["at"]
    one = await descartes(
        "restore", run, "--to", begun, "--include-code", "--paths", "a.lisp", "--yes", cwd=workspace / "src"
    )
    assert one.status == 0 and (workspace / "src" / "a.lisp").read_text() == "(a)\n", one


async def test_what_cannot_be_is_said_in_a_sentence(descartes: Descartes, workspace: Path) -> None:
    repository(workspace, FILES)
    run, events = await run_of(descartes, workspace)
    first = events[0]["id"]
    for words, status, said in (
        ((run, "--to", first, "--include-code"), 2, "give --yes"),
        ((run, "--to", "yesterday", "--yes"), 2, "No event has an id"),
        ((run, "--to", first, "--paths", "c.txt", "--yes"), 2, "--include-code"),
        ((run, "--to", first, "--include-code", "--paths", "none", "--yes"), 1, "neither then nor now"),
        (("undo",), 2, "There is no restore to undo"),
        (
            ("apply", run, "--to", first, "--confirm", first, "--bodies", "body", "--resume"),
            1,
            "expected brain",
        ),
        (("apply", run, "--to", first, "--confirm", first), 2, "No preview"),
    ):
        outcome = await descartes("restore", *words)
        assert (outcome.status, outcome.out) == (status, ""), (words, outcome)
        assert said in outcome.err and "Traceback" not in outcome.err, (words, outcome)
    (workspace / ".git" / "MERGE_HEAD").write_text(git(workspace, "rev-parse", "HEAD"))
    refused = await descartes("restore", run, "--to", first, "--include-code", "--yes")
    assert refused.status == 1 and "git is in the middle of a merge" in refused.err


@pytest.mark.ledger("D-22")
async def test_doctor_puts_an_interrupted_restore_right(descartes: Descartes, workspace: Path) -> None:
    repository(workspace, FILES)
    run, events = await run_of(descartes, workspace)
    before, state = tree(workspace), private_state(workspace)
    assert (await descartes("hub", "stop")).status == 0
    helper = Path(__file__).parent.parent / "support" / "restore_process.py"
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, str(helper), str(workspace), run, events[0]["id"], "9"),
        env=os.environ | {"PYTHONPATH": str(helper.parent.parent)},
    )
    assert await asyncio.wait_for(killed.wait(), 60) == -signal.SIGKILL
    assert tree(workspace) != before
    found = await descartes("doctor", "--json")
    assert found.status == 1 and "a restore or a bulk edit was interrupted" in found.out
    fixed = await descartes("doctor", "--fix", "--json")
    told = [each["found"] for each in json.loads(fixed.out)["findings"] if each["area"] == "fix"]
    assert fixed.status == 0 and "has been rolled back" in told[0] and "tables rebuilt" in told[1]
    assert tree(workspace) == before and private_state(workspace) == state
    again = await descartes("doctor", "--fix", "--json")
    told = [each["found"] for each in json.loads(again.out)["findings"] if each["area"] == "fix"]
    assert told[0] == "no restore or bulk edit was interrupted"
