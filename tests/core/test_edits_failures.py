"""Bulk edits that fail or are killed: all or nothing, whenever that is."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_core.errors import (
    StoreUnavailable,
)
from support.bulk_edits import Editor, bulk_edits
from support.restored import Faults
from support.running import ANN
from support.time_machine import TimeMachine
from support.trees import Tree, git, private_state, tree

HELPER = Path(__file__).parent.parent / "support" / "edit_process.py"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def editor(workspace: Path, faults: Faults) -> AsyncIterator[Editor]:
    async with bulk_edits(workspace, faults) as editor:
        yield editor


async def test_a_failure_leaves_everything_as_it_was_or_is_finished_later(
    editor: Editor, workspace: Path, faults: Faults
) -> None:
    before = tree(workspace)

    def fail(name: str) -> None:
        raise OSError(28, "No space left on device")

    faults.do = fail
    for step in ("backup", "staged", "swapped", "check"):
        faults.name = step
        preview = await editor.preview("foo", "x")
        with pytest.raises(StoreUnavailable, match="The bulk edit could not be done"):
            await editor.edits.apply(preview.id, ANN)
        assert tree(workspace) == before, step
        (failed,) = (await editor.machine.bench.events(type="edit.failed"))[-1:]
        assert failed.data["rolledBack"] and failed.data["what"] == "replace 'foo' by 'x'"
    assert await editor.machine.bench.leases.list() == []
    faults.do = None
    (workspace / ".git" / "MERGE_HEAD").write_text(git(workspace, "rev-parse", "HEAD"))
    # Also while conflicts of a merge are being resolved.
    preview = await editor.preview("foo", "x", paths=["src"])
    assert len((await editor.edits.apply(preview.id, ANN)).files) == 3


async def killed(workspace: Path, instant: str) -> tuple[int, str]:
    """Return exit status and output of a process that edits and dies at INSTANT."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HELPER), str(workspace), "foo", "quux", instant),
        env=os.environ | {"PYTHONPATH": str(HELPER.parent.parent)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode()


async def agree(workspace: Path, before: Tree, after: Tree, done: bool) -> None:
    """Repair WORKSPACE; its files and its log must say that the edit was DONE, or that it was not."""
    machine = await TimeMachine.open(workspace)
    try:
        told = await machine.restores.recover()
        assert tree(workspace) == (after if done else before)
        names = [event.name for event in await machine.bench.events(type="edit")]
        assert ("edit.applied" in names) is done
        if told is not None:
            assert told.startswith("A bulk edit that was interrupted has been")
            assert names[-1] == ("edit.applied" if done else "edit.failed")
        if done:
            await machine.undo()
        assert tree(workspace) == before
    finally:
        await machine.close()


async def test_killed_in_the_middle_it_is_rolled_back(editor: Editor, workspace: Path) -> None:
    before = tree(workspace)
    await editor.machine.close()
    status, _ = await killed(workspace, "9")
    assert status == -signal.SIGKILL and tree(workspace) != before
    await agree(workspace, before, before, done=False)


@pytest.mark.slow
@pytest.mark.ledger("S-08")
async def test_killed_at_any_instant_it_is_finished_or_rolled_back(editor: Editor, workspace: Path) -> None:
    before, state = tree(workspace), private_state(workspace)
    await editor.machine.close()
    copy = workspace.parent / "copy"
    shutil.copytree(workspace, copy, symlinks=True)
    status, out = await killed(copy, "count")
    assert status == 0
    after, instants = tree(copy), json.loads(out)
    assert after != before and len(instants) > 10
    for number, name in enumerate(instants):
        assert (await killed(workspace, str(number)))[0] == -signal.SIGKILL, name
        await agree(workspace, before, after, done=number >= instants.index("moved"))
        assert private_state(workspace) == state
