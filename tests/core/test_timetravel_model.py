"""Any interleaving of appends, forks, restores and undos, against a simple model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from descartes_core.errors import NotFound, RestoreConflict
from descartes_core.model import NewEvent
from descartes_core.store.verification import verify
from descartes_core.timetravel import brain, journal
from descartes_core.timetravel.journal import KEPT
from support.running import ANN
from support.time_machine import TimeMachine
from support.trees import Tree, change, tree

NAMES = st.sampled_from(["a", "b", "d", "d/a", "d/e", "d/e/f", "caf\udce9", "-x", "sp ace"])
BYTES = st.binary(max_size=12)
POINT = st.integers(0, 5)
ACTIONS = st.one_of(
    st.tuples(st.just("write"), NAMES, BYTES, st.sampled_from([0o644, 0o600, 0o755])),
    st.tuples(st.just("link"), NAMES, st.sampled_from(["a", "d/e", "nowhere"])),
    st.tuples(st.just("folder"), NAMES),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("run")),
    st.tuples(st.just("append"), st.integers(1, 3)),
    st.tuples(st.just("fork"), POINT),
    st.tuples(st.just("restore"), POINT, st.sampled_from([("body",), ("brain",), ("body", "brain")])),
    st.tuples(st.sampled_from(["undo", "redo"]), st.booleans()),
)


@dataclass
class Point:
    """The end of RUN, the event TO, when the files were TREE; SESSION is the run's."""

    run: str
    to: str
    seq: int
    session: str
    tree: Tree


@dataclass
class Done:
    """A restore: its ID, the files around it and around what was done last about it; None: not the files."""

    id: str
    sessions: tuple[str, str] | None
    sides: tuple[Tree, Tree] | None
    last: tuple[Tree, Tree] | None


@dataclass
class Model:
    """What there must be: the ids of the LOG that we appended, the SESSIONS forked, and the two stacks."""

    points: list[Point] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    sessions: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    undo: list[Done] = field(default_factory=list)
    redo: list[Done] = field(default_factory=list)

    def restored(self, done: Done) -> None:
        self.undo.append(done)
        self.redo.clear()
        del self.undo[:-KEPT]


def goal(done: Done, verb: str) -> Tree:
    """Return what the files of DONE become, by path, with `gone` for those that go."""
    assert done.sides is not None and done.last is not None
    before, after = done.sides
    was, now = done.last
    side = before if verb == "undo" else after
    gone = ("gone", b"", 0)
    found: Tree = {}
    for path in before.keys() | after.keys():
        if before.get(path) == after.get(path):
            continue
        # What was forced out of the way comes back as it was.
        target = (was if was.get(path) != now.get(path) else side).get(path, gone)
        if target != now.get(path, gone):
            found[path] = target
    return found


class Player:
    """Does the actions on MACHINE and holds what comes of them against the model."""

    def __init__(self, machine: TimeMachine, root: Path) -> None:
        self.machine, self.root, self.model = machine, root, Model()

    async def play(self, action: tuple[Any, ...]) -> None:
        verb, *given = action
        if verb in ("undo", "redo"):
            await self.turn(verb, force=given[0])
        elif verb == "run":
            await self.run()
        elif verb == "append":
            events = [_note() for _ in range(given[0])]
            self.model.log += [event.id for event in await self.machine.bench.store.append(*events)]
        elif verb not in ("fork", "restore"):
            change(self.root, action)
        elif self.model.points:
            point = self.model.points[given[0] % len(self.model.points)]
            await (self.fork(point) if verb == "fork" else self.restore(point, given[1]))
        await self.check_stacks()

    async def run(self) -> None:
        now = tree(self.root)
        run = await self.machine.shell("true")
        last = (await self.machine.bench.events(run.id))[-1]
        self.model.points.append(Point(run.id, last.id, last.seq, last.session or "", now))

    async def fork(self, point: Point) -> None:
        child = await brain.fork(self.machine.bench.store, point.run, point.seq, by=ANN)
        self.model.sessions[child] = (point.session, point.run, point.seq)

    async def restore(self, point: Point, bodies: Sequence[str]) -> None:
        now = tree(self.root)
        done = await self.machine.restore(point.run, point.to, bodies=list(bodies))
        after = tree(self.root)
        assert after == (point.tree if "body" in bodies else now)
        sessions = None
        if "brain" in bodies:
            assert done.session is not None
            sessions = (point.session, done.session)
            self.model.sessions[done.session] = (point.session, point.run, point.seq)
        sides = (now, after) if "body" in bodies else None
        self.model.restored(Done(done.id, sessions, sides, sides))

    async def turn(self, verb: str, *, force: bool) -> None:
        turn = self.machine.undo if verb == "undo" else self.machine.redo
        model = self.model
        source, target = (model.undo, model.redo) if verb == "undo" else (model.redo, model.undo)
        if not source:
            with pytest.raises(NotFound):
                await turn(force=force)
            return
        done, now = source[-1], tree(self.root)
        refused = done.sides is not None and not force and self.changed(done, verb, now)
        try:
            told = await turn(force=force)
        except RestoreConflict:
            assert tree(self.root) == now and (refused or self.in_the_way(done, verb, now))
            return
        assert not refused
        self.check_files(done, verb, now)
        if done.sides is not None:
            done.last = (now, tree(self.root))
        if done.sessions is not None:
            assert told.session == done.sessions[0 if verb == "undo" else 1]
        target.append(source.pop())
        del model.undo[:-KEPT]

    def changed(self, done: Done, verb: str, now: Tree) -> bool:
        """Return whether a file that DONE is about is neither as it was left nor as it is to be."""
        assert done.last is not None
        gone = ("gone", b"", 0)
        left = done.last[1]
        return any(
            now.get(path, gone) not in (left.get(path, gone), wanted)
            for path, wanted in goal(done, verb).items()
        )

    def in_the_way(self, done: Done, verb: str, now: Tree) -> bool:
        """Return whether something that DONE is not about lies in or above what it is about."""
        assert done.last is not None
        left = done.last[1]
        others = {path for path in now.keys() | left.keys() if now.get(path) != left.get(path)}
        about = goal(done, verb)
        return any(
            one.startswith(f"{other}/") or other.startswith(f"{one}/") for one in others for other in about
        )

    def check_files(self, done: Done, verb: str, now: Tree) -> None:
        after = tree(self.root)
        if done.sides is None:
            assert after == now
        elif not self.in_the_way(done, verb, now):
            wanted = {**now, **goal(done, verb)}
            assert after == {path: each for path, each in wanted.items() if each[0] != "gone"}

    async def check_stacks(self) -> None:
        found = await journal.history(self.machine.bench.store.reader)
        assert [each.id for each in found.undo] == [each.id for each in self.model.undo]
        assert [each.id for each in found.redo] == [each.id for each in self.model.redo]

    async def check_log(self) -> None:
        reader = self.machine.bench.store.reader
        rows = await reader.rows(
            "SELECT id, parent, fork_run, fork_seq FROM session WHERE forked IS NOT NULL"
        )
        forked = {row["id"]: (row["parent"], row["fork_run"], row["fork_seq"]) for row in rows}
        assert forked == self.model.sessions
        ours = [event.id for event in await self.machine.bench.events(type="hub.stopped")]
        assert ours == self.model.log and (await verify(self.machine.bench.store.path)).ok


def _note() -> NewEvent:
    told = {"pid": 1, "reason": "an event between"}
    return NewEvent(category="system", name="hub.stopped", stream="hub", actor=ANN, data=told)


async def follow(workspace: Path, actions: list[tuple[Any, ...]]) -> None:
    """Do ACTIONS and compare with the model after each; in the end once more with a log opened anew."""
    machine = await TimeMachine.open(workspace)
    player = Player(machine, workspace)
    try:
        for action in actions:
            await player.play(action)
        await player.check_log()
    finally:
        await machine.close()
    player.machine = await TimeMachine.open(workspace)
    try:
        await player.check_stacks()
        await player.check_log()
    finally:
        await player.machine.close()


def tried(actions: list[tuple[Any, ...]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="dsc-model-"))
    try:
        workspace = folder / "workspace"
        workspace.mkdir()
        asyncio.run(follow(workspace, actions))
    finally:
        shutil.rmtree(folder)


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
BEGUN: list[tuple[Any, ...]] = [("write", "a", b"1", 0o644), ("run",)]


@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=QUIET)
@given(st.lists(ACTIONS, min_size=4, max_size=10))
def test_any_interleaving_equals_a_simple_model(actions: list[tuple[Any, ...]]) -> None:
    tried([*BEGUN, *actions])


@pytest.mark.slow
@settings(max_examples=20, deadline=None, phases=[Phase.generate], suppress_health_check=QUIET)
@given(st.lists(ACTIONS, min_size=8, max_size=30))
def test_many_interleavings_equal_a_simple_model(actions: list[tuple[Any, ...]]) -> None:
    tried([*BEGUN, *actions])


@pytest.mark.slow
@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=QUIET)
@given(st.lists(ACTIONS, min_size=4, max_size=12))
def test_of_more_than_ten_restores_the_oldest_are_forgotten(actions: list[tuple[Any, ...]]) -> None:
    restores = [("restore", 0, ("brain",) if number % 3 else ("body",)) for number in range(KEPT + 1)]
    tried([*BEGUN, *restores, *actions, *[("undo", True)] * (KEPT + 1), *[("redo", True)] * 3])
