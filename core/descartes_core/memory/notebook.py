"""`Notebook`: notes made and changed with a record in the log of the workspace it was done from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from descartes_core.memory import linking
from descartes_core.memory.linking import Form
from descartes_core.memory.shapes import Thought
from descartes_core.memory.thoughts import Changes, NewThought, Thoughts, told
from descartes_core.model import Category, NewEvent, Principal
from descartes_core.store import Store


@dataclass(frozen=True)
class Author:
    """Who remembers something: a person, or an agent in its run and session."""

    principal: Principal
    run: str | None = None
    session: str | None = None
    parent: str | None = None
    """The event because of which it is done."""

    @property
    def agent(self) -> str | None:
        """The agent's name; None for a person."""
        return self.principal.name if self.principal.kind == "agent" else None

    def remembering(self, key: str, value: str) -> dict[str, str]:
        """Return what the data of an action says that puts VALUE under KEY into the memory of this run."""
        return {"memory_key": key, "memory_value": value} if self.run else {}

    def event(
        self, category: Category, name: str, stream: str, data: dict[str, Any], **more: Any
    ) -> NewEvent:
        """Return an event NAME on STREAM of what this author does."""
        return NewEvent(
            category=category,
            name=name,
            stream=stream,
            actor=self.principal,
            run=self.run,
            session=self.session,
            agent=self.agent,
            parent=self.parent,
            data=data,
            **more,
        )


class Notebook:
    """The notes as operations and agents change them: each change is one event, or did not happen.

    The log gets title, tags and id of a note, not its text; no note gets the value of a secret.
    Concurrency: belongs to the store's loop.
    """

    def __init__(self, store: Store, thoughts: Thoughts) -> None:
        self.thoughts = thoughts
        self._store = store

    async def create(self, new: NewThought, by: Author) -> Thought:
        """Make the note NEW in the name of BY; return it. Errors: those of `Thoughts.create` and the log."""
        told = self._masked({"title": new.title, "body": new.body, "tags": new.tags}, by)
        signed = replace(new, **told, agent_id=by.agent, session_id=by.session)
        made = await asyncio.to_thread(self.thoughts.create, signed)
        await self._record("note.created", made, None, by)
        return made

    async def edit(self, wanted: str, changes: Changes, by: Author) -> Thought:
        """Make CHANGES in the note WANTED; return it. Errors: those of `Thoughts.edit` and the log."""
        told = self._masked({key: getattr(changes, key) for key in ("title", "body", "appended", "tags")}, by)
        before, after = await asyncio.to_thread(self.thoughts.edit, wanted, replace(changes, **told))
        await self._record("note.edited", after, before, by)
        return after

    def _masked(self, texts: dict[str, Any], by: Author) -> dict[str, Any]:
        """Return TEXTS without the values of secrets; of an agent also without what else a log masks."""
        redactor = self._store.redactor
        return redactor.data(texts) if by.agent else redactor.values_in(texts)  # type: ignore[no-any-return]

    async def archive(self, wanted: str, by: Author, *, undo: bool = False) -> Thought:
        """Move the note WANTED into the archive, or out of it to UNDO that; return it."""
        before = await asyncio.to_thread(self.thoughts.show, wanted)
        after = await asyncio.to_thread(lambda: self.thoughts.archive(before.path, undo=undo))
        if after.path != before.path:
            await self._record("note.restored" if undo else "note.archived", after, before, by)
        return after

    async def link(self, project: Path, by: Author) -> Form:
        """Make PROJECT/thoughts lead to the notes; return in which form. Errors: those of `linking.link`."""
        form = await asyncio.to_thread(linking.link, project, self.thoughts.folder)
        await self._linked("note.linked", project, by, form=form)
        return form

    async def unlink(self, project: Path, by: Author) -> None:
        """Take PROJECT/thoughts away, if it is ours. Errors: those of `linking.unlink`."""
        await asyncio.to_thread(linking.unlink, project, self.thoughts.folder)
        await self._linked("note.unlinked", project, by)

    async def _record(self, name: str, after: Thought, before: Thought | None, by: Author) -> None:
        data = {**told(after), **by.remembering(f"note/{after.id}", after.title)}
        event = by.event("action", name, f"note/{after.id}", data, tags=after.tags)
        await self._or_undo(event, lambda: self.thoughts.take_back(after, before))

    async def _linked(self, name: str, project: Path, by: Author, **more: str) -> None:
        data = {"project": str(project), "folder": str(self.thoughts.folder), **more}
        await self._store.append(by.event("action", name, "note", data))

    async def _or_undo(self, event: NewEvent, undo: Callable[[], None]) -> None:
        try:
            await self._store.append(event)
        except Exception:
            # What the log does not have did not happen.
            await asyncio.to_thread(undo)
            raise
