"""A run whose files, conversation and image can go back: a time machine at a desk with a real Lisp."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from descartes_server.operations.restore_parts import parts
from support.lisp_desk import Desk, lisp_desk
from support.time_machine import TimeMachine
from support.trees import Tree, tree

BODIES = ["body", "brain", "image"]


@dataclass
class Moment:
    """The RUN and its event TO: there `a.txt` is `one` and `*x*` is 1; now they are `two` and 2."""

    run: str
    to: str
    then: Tree
    now: Tree


class ThreeBodies:
    """A MACHINE that restores the image of a DESK too."""

    def __init__(self, machine: TimeMachine, desk: Desk) -> None:
        self.machine, self.desk = machine, desk
        machine.parts = dict(parts(desk.context))
        self.workspace = desk.root

    async def value(self, code: str) -> str:
        """Return what CODE is in the image."""
        (found,) = (await self.desk.call("lisp.eval", code=code))["values"]
        return str(found)

    async def moment(self) -> Moment:
        """Return a moment behind which everything changed."""
        await self.value("(progn (defvar *x* 1) *x*)")
        run = await self.machine.shell("echo one > a.txt")
        ends = (await self.machine.bench.events(run.id))[-1].id
        then = tree(self.workspace)
        await self.value("(setf *x* 2)")
        (self.workspace / "a.txt").write_text("two\n")
        return Moment(run.id, ends, then, tree(self.workspace))

    async def seen(self) -> tuple[Tree, str]:
        """Return the files and the value of `*x*`."""
        return tree(self.workspace), await self.value("*x*")


@asynccontextmanager
async def three_bodies(
    workspace: Path, *, at: Callable[[str], None] = lambda name: None
) -> AsyncIterator[ThreeBodies]:
    """Give a machine at a desk in WORKSPACE; AT is called at every instant of a restore."""
    async with lisp_desk(workspace) as desk:
        machine = await TimeMachine.open(workspace, at=at)
        try:
            yield ThreeBodies(machine, desk)
        finally:
            await machine.close()
