"""The operations `thought.*`: a person's notes, for people and agents, across workspaces."""

from __future__ import annotations

import asyncio
from pathlib import Path

from descartes_core.errors import InvalidParams
from descartes_core.memory.shapes import Thought, ThoughtKind
from descartes_core.memory.thoughts import LISTED, Changes, NewThought
from descartes_core.model import Shape
from descartes_server.operations import remembering
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation


class CreateParams(Params, frozen=True, kw_only=True):
    """A note with one line of TITLE; BODY is Markdown."""

    title: str
    body: str = ""
    kind: ThoughtKind = "research"
    tags: list[str] = []


class ListParams(Params, frozen=True, kw_only=True):
    """Notes of KIND that have all TAGS; with ARCHIVED also those in the archive."""

    kind: ThoughtKind | None = None
    tags: list[str] = []
    archived: bool = False
    limit: int = LISTED


class SearchParams(ListParams, frozen=True, kw_only=True):
    """Notes that have every word of TEXT, or words that begin so; `"…"` is a phrase."""

    text: str


class ThoughtParams(Params, frozen=True, kw_only=True):
    """The id of a note or its beginning, the name of its file, or its title."""

    thought: str


class EditParams(ThoughtParams, frozen=True, kw_only=True):
    """What is to be different; APPEND goes below the text. With nothing given the note counts as edited."""

    title: str | None = None
    body: str | None = None
    append: str | None = None
    tags: list[str] | None = None


class ArchiveParams(ThoughtParams, frozen=True, kw_only=True):
    """UNDO brings the note back from the archive."""

    undo: bool = False


class LinkParams(Params, frozen=True, kw_only=True):
    """PATH: the project's folder, by default the workspace. REMOVE takes the link away."""

    path: str | None = None
    remove: bool = False


class Thoughts(Shape, frozen=True, kw_only=True):
    """Notes, without their text."""

    thoughts: list[Thought]


class Linked(Shape, frozen=True, kw_only=True):
    """Where notes are at hand now: LINK leads to FOLDER, as a link or as a file that names it."""

    link: str
    folder: str
    form: str


@operation("thought.create", kind="effect", for_agents=True, positional=("title",))
async def create(context: Context, params: CreateParams) -> Thought:
    """Write a note."""
    new = NewThought(title=params.title, body=params.body, kind=params.kind, tags=params.tags)
    return await remembering.notebook(context).create(new, await remembering.author(context))


@operation("thought.list", kind="read", for_agents=True)
async def list_(context: Context, params: ListParams) -> Thoughts:
    """List notes, those changed last first."""
    notes = remembering.thoughts(context)
    found = await asyncio.to_thread(
        lambda: notes.list(kind=params.kind, tags=params.tags, archived=params.archived, limit=params.limit)
    )
    return Thoughts(thoughts=list(found))


@operation("thought.search", kind="read", for_agents=True, positional=("text",))
async def search(context: Context, params: SearchParams) -> Thoughts:
    """Find notes by their words, those first that have them in the title."""
    notes = remembering.thoughts(context)
    found = await asyncio.to_thread(
        lambda: notes.search(
            params.text, kind=params.kind, tags=params.tags, archived=params.archived, limit=params.limit
        )
    )
    return Thoughts(thoughts=list(found))


@operation("thought.show", kind="read", for_agents=True, positional=("thought",))
async def show(context: Context, params: ThoughtParams) -> Thought:
    """Show a note with its text."""
    return await asyncio.to_thread(remembering.thoughts(context).show, params.thought)


@operation("thought.edit", kind="effect", for_agents=True, positional=("thought",))
async def edit(context: Context, params: EditParams) -> Thought:
    """Change a note's title, tags or text, or put something below it."""
    changes = Changes(title=params.title, body=params.body, appended=params.append, tags=params.tags)
    return await remembering.notebook(context).edit(
        params.thought, changes, await remembering.author(context)
    )


@operation("thought.archive", kind="effect", for_agents=True, positional=("thought",))
async def archive(context: Context, params: ArchiveParams) -> Thought:
    """Put a note away, so that lists leave it out; or bring it back."""
    return await remembering.notebook(context).archive(
        params.thought, await remembering.author(context), undo=params.undo
    )


@operation("thought.link", kind="effect", people_only=True)
async def link(context: Context, params: LinkParams) -> Linked:
    """Make `thoughts` in a project lead to your notes, or take that link away."""
    notes = remembering.notebook(context)
    project = await asyncio.to_thread(_project, context.services.workspace.root, params.path or ".")
    by = await remembering.author(context)
    form = "removed"
    try:
        if params.remove:
            await notes.unlink(project, by)
        else:
            form = await notes.link(project, by)
    except OSError as error:
        raise InvalidParams(
            f"expected to write in {str(project)!r}, got: {error.strerror}; look at its permissions"
        ) from None
    return Linked(link=str(project / "thoughts"), folder=str(notes.thoughts.folder), form=form)


def _project(root: Path, path: str) -> Path:
    """Return the folder PATH, taken from ROOT. Errors: `InvalidParams` when there is no such folder."""
    try:
        if (project := root / path).is_dir():
            return project
    except (OSError, ValueError):
        pass  # no path at all, for this system
    raise InvalidParams(f"expected the folder of a project, got {path[:200]!r}; without it this one is meant")
