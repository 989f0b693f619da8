"""How a run writes into the log: everything in its name, on its stream, with the cause as parent."""

from __future__ import annotations

from typing import Any, Protocol

from descartes_core.model import Category, Event, NewEvent, Principal
from descartes_core.store import Store


class Recorder(Protocol):
    """Somebody who writes files by the rules of runs: who it is, and how it writes into the log."""

    @property
    def store(self) -> Store: ...
    @property
    def principal(self) -> Principal: ...
    @property
    def run(self) -> str | None:
        """The run whose leases its leases are, and with which they end."""
        ...

    @property
    def session(self) -> str | None: ...
    @property
    def client(self) -> str | None:
        """The client with which its leases end; see `Leases.acquire`."""
        ...

    def event(
        self, category: Category, name: str, data: dict[str, Any], *, parent: str | None = None
    ) -> NewEvent:
        """Return an event of it, caused by PARENT."""
        ...


class Journal:
    """The part of the log that belongs to one run."""

    def __init__(self, store: Store, *, run: str, session: str, agent: str) -> None:
        self.store = store
        self.run = run
        self.session = session
        self.client: str | None = None
        self.agent = agent
        self.principal = Principal(kind="agent", id=run, name=agent)
        self.root: str | None = None
        """The event `run.spawned`, known when it is in the log: the cause of what has no nearer one."""
        self.commit: str | None = None
        """Git's commit when the run was spawned, where there is one and it was spawned by this hub."""

    def event(
        self,
        category: Category,
        name: str,
        data: dict[str, Any],
        *,
        parent: str | None = None,
        by: Principal | None = None,
        id: str | None = None,
    ) -> NewEvent:
        """Return an event of this run, caused by PARENT (its spawning when None), done by BY or the run."""
        return NewEvent(
            category=category,
            name=name,
            stream=f"run/{self.run}",
            actor=by or self.principal,
            run=self.run,
            session=self.session,
            agent=self.agent,
            parent=parent or self.root,
            data=data,
            id=id,
        )

    async def add(self, *events: NewEvent) -> list[Event]:
        """Append EVENTS together and return them as published."""
        return await self.store.append(*events)
