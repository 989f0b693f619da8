"""The queue of questions to people: approvals, restarts, and whatever else has choices.

A question waits without holding anything up, survives the end of this process, and ends exactly once:
answered by a person, or closed because it no longer matters. It says nothing about how it is shown.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from descartes_core.errors import InterventionClosed, InvalidParams, NotFound, PolicyDenied
from descartes_core.model import Choice, Event, Intervention, InterventionKind, NewEvent, Principal
from descartes_core.policy.projection import Answer, answer_of, intervention_of
from descartes_core.ports import new_id
from descartes_core.store import Reader, Store, Transaction

Check = Callable[[Intervention, Answer], None]
"""Raises when an answer cannot be taken; the question then stays open."""

ANSWERS_KEPT = 100

STATUSES = ("open", "answered", "closed", "all")


class Interventions:
    """The questions of one log. Make one a store; it may be used by everything on the store's loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._checks: dict[str, list[Check]] = defaultdict(list)
        self._changed: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._given: dict[str, Answer] = {}
        """The last answers as they were given: the log masks what may be needed to act on them."""
        store.on_events(self._listen)

    def check_answers(self, kind: InterventionKind, check: Check) -> None:
        """Have CHECK look at every answer to a question of KIND before it is taken."""
        self._checks[kind].append(check)

    async def open(
        self,
        kind: InterventionKind,
        *,
        title: str,
        detail: str,
        choices: Sequence[Choice],
        by: Principal,
        run: str | None = None,
        default: str | None = None,
        deadline: str | None = None,
        data: dict[str, Any] | None = None,
        parent: str | None = None,
    ) -> Intervention:
        """Ask a question in the name of BY and return it; PARENT is the event that led to it."""
        question = Intervention(
            id=new_id("int"), kind=kind, title=title, detail=detail, choices=list(choices), run=run,
            default=default, deadline=deadline, data=data or {},
        )  # fmt: skip
        await self._store.append(
            NewEvent(
                category="decision",
                name="intervention.opened",
                stream=f"intervention/{question.id}",
                actor=by,
                run=run,
                parent=parent,
                data=msgspec.to_builtins(question),
            )
        )
        return question

    async def answer(
        self,
        id_prefix: str,
        choice: str,
        arguments: Sequence[str] = (),
        reason: str | None = None,
        *,
        by: Principal,
    ) -> Intervention:
        """Take the answer of BY to the question ID_PREFIX and return the question as it is then.

        Errors: `NotFound`; `InterventionClosed` when somebody was first or it no longer matters;
        `InvalidParams` for a choice it does not have; `PolicyDenied` when BY is no person, or from a check.
        Concurrency: of several answers exactly one is taken.
        """
        if by.kind != "human":
            raise PolicyDenied(f"Only a person answers interventions, and {by.name} is of kind {by.kind}")
        question = await show(self._store.reader, id_prefix)
        given = Answer(choice=choice, by=by, arguments=list(arguments), reason=reason)
        _check_choice(question, given)
        if question.status == "open":
            for check in self._checks[question.kind]:
                check(question, given)
        outcome: dict[str, Any] = {
            "kind": question.kind, "choice": choice, "arguments": list(arguments), "reason": reason,
            **{key: question.data[key] for key in ("callId", "callKey") if key in question.data},
        }  # fmt: skip
        async with self._handing_over(question.id, given):
            await self._end(question, "intervention.answered", by, outcome)
        return msgspec.structs.replace(question, status="answered")

    async def close(self, id_prefix: str, reason: str, *, by: Principal) -> Intervention:
        """Close the question ID_PREFIX without an answer because of REASON, and return it.

        Errors: `NotFound`, `InterventionClosed`.
        """
        question = await show(self._store.reader, id_prefix)
        await self._end(question, "intervention.closed", by, {"kind": question.kind, "reason": reason})
        return msgspec.structs.replace(question, status="closed")

    async def wait(self, id_: str) -> Answer:
        """Return the answer to the question ID_, also when it was given before or in another process's time.

        Errors: `InterventionClosed` when it ends without one.
        """
        while True:
            changed = self._changed[id_]
            row = await _row(self._store.reader, id_)
            if row["status"] != "open":
                self._changed.pop(id_, None)
                answer = answer_of(row)
                if answer is None:
                    title = intervention_of(row).title
                    raise InterventionClosed(f"The question {title!r} was closed without an answer", id=id_)
                return self._given.get(id_, answer)
            await changed.wait()

    async def list(
        self, status: str = "open", *, run: str | None = None, limit: int = 1000
    ) -> list[Intervention]:
        """Return the questions with STATUS (or `all`), of RUN when given, newest first."""
        return await list_interventions(self._store.reader, status, run=run, limit=limit)

    def close_of_run(self, tx: Transaction, run: str, reason: str, by: Principal) -> None:
        """Close every open question of RUN inside TX, the transaction in which the run ends."""
        rows = tx.execute(
            "SELECT id, kind, event FROM intervention WHERE run = ? AND status = 'open'", (run,)
        )
        for id_, kind, parent in rows.fetchall():
            tx.append(_ending("intervention.closed", id_, run, by, parent, {"kind": kind, "reason": reason}))

    @asynccontextmanager
    async def _handing_over(self, id_: str, given: Answer) -> AsyncIterator[None]:
        """Have whoever waits for the question ID_ get the answer GIVEN, if the body succeeds."""
        earlier = self._given.get(id_)
        self._given[id_] = given
        try:
            yield
        except BaseException:
            self._given.pop(id_)
            if earlier is not None:
                self._given[id_] = earlier
            raise
        while len(self._given) > ANSWERS_KEPT:
            self._given.pop(next(iter(self._given)))

    async def _end(self, question: Intervention, name: str, by: Principal, outcome: dict[str, Any]) -> None:
        def body(tx: Transaction) -> None:
            query = "SELECT status, event FROM intervention WHERE id = ?"
            status, parent = tx.execute(query, (question.id,)).fetchone()
            if status != "open":
                raise InterventionClosed(
                    f"The question {question.title!r} is {status} already", id=question.id, status=status
                )
            tx.append(_ending(name, question.id, question.run, by, parent, outcome))

        await self._store.transact(body)

    def _listen(self, events: Sequence[Event]) -> None:
        for event in events:
            if (
                event.name in ("intervention.answered", "intervention.closed")
                and event.data["id"] in self._changed
            ):
                self._changed.pop(event.data["id"]).set()


async def show(reader: Reader, id_prefix: str) -> Intervention:
    """Return the question whose id begins with ID_PREFIX, open or not.

    Errors: `NotFound`; `InvalidParams` with `candidates` when several begin so.
    """
    return intervention_of(await _row(reader, await reader.resolve("int", id_prefix, "intervention", "id")))


async def list_interventions(
    reader: Reader, status: str = "open", *, run: str | None = None, limit: int = 1000
) -> list[Intervention]:
    """Return the questions with STATUS (one of `STATUSES`), newest first; from any process."""
    if status not in STATUSES:
        raise InvalidParams(f"The status of interventions is one of {', '.join(STATUSES)}, not {status!r}")
    sql = "SELECT * FROM intervention WHERE (? = 'all' OR status = ?) AND (? IS NULL OR run = ?)"
    rows = await reader.rows(f"{sql} ORDER BY seq DESC LIMIT ?", (status, status, run, run, limit))
    return [intervention_of(row) for row in rows]


async def _row(reader: Reader, id_: str) -> dict[str, Any]:
    for row in await reader.rows("SELECT * FROM intervention WHERE id = ?", (id_,)):
        return row
    raise NotFound(f"No intervention has the id {id_!r}; look at the list", id=id_)


def _check_choice(question: Intervention, given: Answer) -> None:
    known = {choice.id: choice for choice in question.choices}
    if given.choice not in known:
        raise InvalidParams(f"The choices are {', '.join(known)}, not {given.choice!r}", choices=list(known))


def _ending(
    name: str, id_: str, run: str | None, by: Principal, parent: str, outcome: dict[str, Any]
) -> NewEvent:
    return NewEvent(
        category="decision", name=name, stream=f"intervention/{id_}", actor=by, run=run, parent=parent,
        data={"id": id_, **outcome},
    )  # fmt: skip
