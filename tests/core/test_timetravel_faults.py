"""Restores that fail or are cancelled at any instant, and faults as machines really have them."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import DescartesError, RestoreConflict, StoreUnavailable
from descartes_core.store import EventQuery
from descartes_core.timetravel import journal
from support.restored import DOES, FILES, Faults
from support.running import ANN
from support.time_machine import TimeMachine
from support.trees import Tree, private_state, repository, tree, write

STEPS = ["verify", "backup", "staged", "swapped", "check", "moved"]
FULL, DENIED = OSError(28, "No space left on device"), PermissionError(13, "Denied")


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def machine(workspace: Path, faults: Faults) -> AsyncIterator[TimeMachine]:
    repository(workspace, FILES)
    write(workspace, {"untracked": "u"})
    made = await TimeMachine.open(workspace, at=faults)
    yield made
    await made.close()


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: str) -> None:
        raise error

    return fail


async def instants(machine: TimeMachine, faults: Faults, run: str) -> tuple[list[str], Tree]:
    """Return the names of all instants of a restore of RUN, taken back again, and what it leads to."""
    faults.seen.clear()
    await machine.restore(run)
    found, restored = [*faults.seen], tree(machine.body.root)
    await machine.restores.undo(ANN)
    return found, restored


@pytest.mark.ledger("D-21")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [FULL, DENIED])
async def test_a_failure_at_any_step_leaves_everything_as_it_was(
    machine: TimeMachine, workspace: Path, faults: Faults, step: str, error: OSError
) -> None:
    run = await machine.shell(DOES)
    before, state = tree(workspace), private_state(workspace)
    faults.name, faults.do = step, raising(error)
    with pytest.raises(StoreUnavailable, match="everything is as it was before"):
        await machine.restore(run.id)
    assert (tree(workspace), private_state(workspace)) == (before, state)
    failed = await machine.bench.events(type="restore.failed")
    assert [event.data["rolledBack"] for event in failed] == [True]
    assert list(await machine.bench.leases.list()) == []
    faults.do = None
    assert (await machine.restore(run.id)).complete


async def test_what_goes_wrong_behind_the_end_does_not_undo_it(
    machine: TimeMachine, workspace: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(workspace)
    run = await machine.shell(DOES)
    faults.name, faults.do = "closed", raising(DENIED)
    monkeypatch.setattr(machine.body.snapshots.repository, "drop_refs", raising(FULL))
    assert (await machine.restore(run.id)).complete and tree(workspace) == before
    assert (await machine.restores.undo(ANN)).complete and tree(workspace) != before
    names = [event.name for event in await machine.bench.events(type="restore")]
    assert "restore.failed" not in names and names[-1] == "restore.undone"


async def test_a_log_that_takes_the_end_later_is_told_of_it_by_the_next_repair(
    machine: TimeMachine, workspace: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await machine.shell(DOES)
    before, ends = tree(workspace), (await machine.bench.events(run.id))[-1].id
    write(workspace, {"a.lisp": "mine"})
    log = machine.bench.store
    full = raising(StoreUnavailable("The log is full"))
    faults.name = "moved"
    faults.do = lambda name: monkeypatch.setattr(log, "append", full)
    with pytest.raises(StoreUnavailable, match=r"The restore is done, but the log .*doctor --fix"):
        await machine.restore(run.id, ends, bodies=["body", "brain"])
    monkeypatch.undo()
    faults.do = None
    assert tree(workspace) == before and not (await journal.history(log.reader)).undo
    with pytest.raises(RestoreConflict, match="interrupted"):
        await machine.restore(run.id)
    told = await machine.restores.recover()
    assert told is not None and "finished" in told and await machine.restores.recover() is None
    assert machine.restores.told() == told and machine.restores.told() is None
    (done,) = (await journal.history(log.reader)).undo
    forked = (await log.reader.events(EventQuery(type="session.forked"))).events
    assert [event.session for event in forked] == [done.session]
    await machine.undo()
    assert tree(workspace) != before


async def cancelled(
    machine: TimeMachine, faults: Faults, run: str, number: int, times: int = 1
) -> asyncio.Task[Any]:
    """Return the restore of RUN, ended, which was cancelled TIMES from the instant NUMBER on."""
    loop = asyncio.get_running_loop()
    request = await machine.request(run)
    preview = await machine.restores.preview(request, ANN)

    def cancel(name: str) -> None:
        if not number < len(faults.seen) <= number + times:
            return
        if threading.current_thread() is threading.main_thread():
            loop.call_soon(restoring.cancel)
            return
        gone = threading.Event()
        loop.call_soon_threadsafe(lambda: (restoring.cancel(), gone.set()))
        assert gone.wait(30)

    faults.seen.clear()
    faults.name, faults.do = None, cancel
    restoring = asyncio.ensure_future(machine.restores.apply(request, preview.id, ANN))
    await asyncio.wait({restoring})
    faults.do = None
    return restoring


async def test_a_restore_that_is_cancelled_is_rolled_back_when_no_thread_works_any_more(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    found, restored = await instants(machine, faults, run.id)
    first = next(number for number, name in enumerate(found) if name.startswith("aside"))
    # Again and again, also while it is rolled back.
    ended = await cancelled(machine, faults, run.id, first, times=100)
    assert ended.cancelled() and tree(workspace) == before
    assert faults.seen.index("swapped") < faults.seen.index("rolled back")
    (failed,) = await machine.bench.events(type="restore.failed")
    assert (failed.data["reason"], failed.data["rolledBack"]) == ("it was cancelled", True)
    assert list(await machine.bench.leases.list()) == []
    # Too late: it is done, and that is what is told.
    done = await cancelled(machine, faults, run.id, found.index("moved"), times=100)
    assert not done.cancelled() and done.result().complete and tree(workspace) == restored


@pytest.mark.slow
async def test_a_cancel_at_any_instant_takes_it_back_or_comes_too_late(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    found, restored = await instants(machine, faults, run.id)
    for number, name in enumerate(found):
        ended = await cancelled(machine, faults, run.id, number)
        late = number >= found.index("moved")
        assert ended.cancelled() is not late, name
        assert tree(workspace) == (restored if late else before), name
        last = [event.name for event in await machine.bench.events(type="restore")][-1]
        assert last == ("restore.applied" if late else "restore.failed"), name
        if late:
            await machine.restores.undo(ANN)


@pytest.mark.slow
async def test_a_failure_at_any_instant_leaves_everything_as_it_was(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    found, restored = await instants(machine, faults, run.id)
    for number in range(found.index("moved") + 1):
        faults.at(number, raising(FULL))
        with pytest.raises(StoreUnavailable):
            await machine.restore(run.id)
        assert tree(workspace) == before, found[number]
    faults.do = None
    await machine.restore(run.id)
    assert tree(workspace) == restored


@pytest.mark.slow
async def test_a_failure_while_it_is_rolled_back_is_told_and_mended_later(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    moving = machine.restores._applying._moving
    for method in ("_take_back", "_put_back", "_set_mode", "_discard"):
        with pytest.MonkeyPatch.context() as patched:
            faults.name = "swapped"

            def fail(name: str, patched: pytest.MonkeyPatch = patched, method: str = method) -> None:
                patched.setattr(moving, method, raising(DENIED))
                raise FULL

            faults.do = fail
            with pytest.raises(StoreUnavailable, match=r"could not be taken back.*doctor --fix"):
                await machine.restore(run.id)
        faults.do = None
        (failed,) = (await machine.bench.events(type="restore.failed"))[-1:]
        assert failed.data["rolledBack"] is False, method
        with pytest.raises(RestoreConflict, match="interrupted"):
            await machine.restore(run.id)
        assert "rolled back" in (await machine.restores.recover() or "")
        assert tree(workspace) == before, method


@contextmanager
def full_disk() -> Iterator[Callable[[], None]]:
    """Give what has no file grow any more in this process and those it starts, until the end of the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def agree(machine: TimeMachine, workspace: Path, before: Tree, restored: Tree) -> bool:
    """Return whether the restore was done, after a repair; the files and the log must say the same."""
    await machine.restores.recover()
    last = [event.name for event in await machine.bench.events(type="restore")][-1]
    done = last == "restore.applied"
    assert tree(workspace) == (restored if done else before)
    assert not machine.restores._applying._moving.is_open
    return done


@pytest.mark.slow
async def test_a_disk_that_is_full_from_any_instant_on(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    found, restored = await instants(machine, faults, run.id)
    for number, name in enumerate(found):
        with full_disk() as fill:
            faults.at(number, fill)
            try:
                await machine.restore(run.id)
                said = "done"
            except DescartesError as error:
                said = error.message
            assert said == "done" or "as it was before" not in said or tree(workspace) == before, name
        faults.do = None
        done = await agree(machine, workspace, before, restored)
        assert done is (said == "done" or "The restore is done" in said), (name, said)
        if done:
            await machine.restores.undo(ANN)


@pytest.mark.slow
async def test_a_log_that_another_program_keeps_locked(
    machine: TimeMachine, workspace: Path, faults: Faults
) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    _, restored = await instants(machine, faults, run.id)
    patience = "PRAGMA busy_timeout = 200"
    await machine.bench.store.transact(lambda tx: tx.connection.execute(patience).fetchall())
    for step in ("staged", "moved"):
        other = sqlite3.connect(workspace / ".descartes" / "descartes.db", check_same_thread=False)
        faults.name = step
        faults.do = lambda name, other=other: other.execute("BEGIN IMMEDIATE")  # type: ignore[misc]
        try:
            await machine.restore(run.id)
            said = "done"
        except DescartesError as error:
            said = error.message
        finally:
            faults.do = None
            other.close()
        assert await agree(machine, workspace, before, restored) is (step == "moved"), said


@pytest.mark.slow
async def test_refs_and_folders_that_cannot_be_written(machine: TimeMachine, workspace: Path) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    place = workspace / ".git" / "refs" / "descartes" / "undo"
    place.write_text("no folder")
    with pytest.raises(DescartesError, match="update-ref"):
        await machine.restore(run.id)
    assert tree(workspace) == before
    place.unlink()
    state = workspace / ".descartes" / "restore"
    state.mkdir(exist_ok=True)
    (state / "current").write_text("no folder either")
    with pytest.raises(StoreUnavailable, match="as it was before"):
        await machine.restore(run.id)
    assert tree(workspace) == before
    (state / "current").unlink()
    assert (await machine.restore(run.id)).complete


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["src", "."])
async def test_a_folder_that_is_read_only(
    machine: TimeMachine, workspace: Path, faults: Faults, folder: str
) -> None:
    run = await machine.shell(DOES)
    before = tree(workspace)
    _, restored = await instants(machine, faults, run.id)
    mode = (workspace / folder).stat().st_mode
    for step, fails in (("staged", False), ("swapped", False), ("swapped", True)):

        def close(name: str, fails: bool = fails) -> None:
            (workspace / folder).chmod(0o500)
            if fails:
                raise FULL

        faults.name, faults.do = step, close
        try:
            await machine.restore(run.id)
            said = "done"
        except DescartesError as error:
            said = error.message
        finally:
            faults.do = None
            (workspace / folder).chmod(mode)
        # Who may do everything is not stopped by a mode; what is told holds for everybody.
        assert "as it was before" not in said or tree(workspace) == before, (step, said)
        done = await agree(machine, workspace, before, restored)
        assert done is (said == "done"), (step, said)
        if done:
            await machine.restores.undo(ANN)


@pytest.mark.slow
async def test_a_clock_that_steps_back_at_every_instant(
    machine: TimeMachine, workspace: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(workspace)
    run = await machine.shell(DOES)
    changed = tree(workspace)
    clock = machine.bench.store.clock
    now = clock.now_ms
    back = 0

    def step_back(name: str) -> None:
        nonlocal back
        back += 3_600_000

    monkeypatch.setattr(clock, "now_ms", lambda: now() - back)
    faults.do = step_back
    assert (await machine.restore(run.id)).complete and tree(workspace) == before
    await machine.restores.undo(ANN)
    assert tree(workspace) == changed
    await machine.restores.redo(ANN)
    assert tree(workspace) == before and list(await machine.bench.leases.list()) == []
    found = await journal.history(machine.bench.store.reader)
    assert (len(found.undo), len(found.redo)) == (1, 0)
