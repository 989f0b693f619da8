"""What operations on notes, boards and wisdom have in common: who remembers, and where notes lie."""

from __future__ import annotations

from descartes_core.memory.notebook import Author, Notebook
from descartes_core.memory.thoughts import Thoughts
from descartes_core.runs.queries import RunView
from descartes_server.operations import workspace
from descartes_server.operations.context import Context


def thoughts(context: Context) -> Thoughts:
    """Return the notes of the person whose process this is."""
    return Thoughts(workspace.home(), context.services.clock)


def notebook(context: Context) -> Notebook:
    """Return the notes as they are changed: in the hub, with a record."""
    return Notebook(context.services.store, thoughts(context))


async def author(context: Context) -> Author:
    """Return who calls: a person, or the agent of a run with its session."""
    caller = context.caller
    if caller.run is None:
        return Author(caller.principal)
    run = await RunView(context.services.reader, context.services.clock).show(caller.run)
    return Author(caller.principal, run.id, run.session)
