"""The evaluations, compilations and loads of one image, whoever asked for them, by id.

Holds who asked and what it printed; what an evaluation is doing is the Swank session's to say.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import descartes_swank as swank
from descartes_core.errors import DescartesError, InvalidParams, NotFound
from descartes_core.model import Principal
from descartes_server.ide.drift import Unit
from descartes_server.operations import lisp_shapes as shapes
from descartes_server.operations.output import Output
from descartes_server.operations.texts import SourceText

REMEMBERED = 1000
NAMED = 3
"""Evaluations that an error names."""
BEGINNING = 40
"""Characters of the code that it shows of each."""

Kind = Literal["eval", "compile", "load", "test"]


@dataclass
class Record:
    """One evaluation: what was asked, by whom, and the session's own object for it."""

    id: str
    kind: Kind
    code: str
    client: str
    by: Principal
    output: Output
    live: swank.Evaluation | None = None
    run: str | None = None
    cause: str | None = None
    """The event that had it asked for, such as the step of a run."""
    source: SourceText | None = None
    """The text CODE was taken from, where it was."""
    span: tuple[int, int] | None = None
    """Where in SOURCE it stands, offsets."""
    repl: str | None = None
    """The client's REPL that it was entered in."""
    makes: Sequence[Unit] | None = None
    """The definitions that it leaves in the image; None: those of its text."""
    on_report: Callable[[Any, str], None] | None = None
    """Called with each report on the way, and what was printed before it."""
    values: list[str] = field(default_factory=list)
    logged: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has ended and its event is in the log, or could not be written there."""
    unshown: bytes = b""
    """What was printed and may be the beginning of a secret's value."""
    unlogged: DescartesError | None = None
    """Why its end is not in the log."""

    def running(self) -> bool:
        """Return whether it is at work now: neither stopped nor ended."""
        return self.live is not None and self.live.state == "running"

    def about(self) -> str:
        """Return what it works on, for people: code, or the name of a file."""
        return self.code or (self.source.path.name if self.source else self.kind)

    def wire(self) -> shapes.Evaluation:
        """Return it as every door shows it."""
        if self.live is None:
            return shapes.Evaluation(id=self.id, state="running", repl=self.repl)
        return shapes.Evaluation(
            id=self.id,
            state=self.live.state,
            values=self.values,
            output=self.output.text,
            package=self.live.package,
            condition=condition_shape(self.live.condition),
            debugger=stop_key(self.live.stop),
            duration_ms=self.live.duration_ms or 0,
            output_bytes=self.output.n_bytes,
            output_file=self.output.file,
            repl=self.repl,
            number=self.live.number,
        )


def condition_shape(condition: swank.Condition | None) -> shapes.Condition | None:
    """Return CONDITION in its wire shape."""
    if condition is None:
        return None
    return shapes.Condition(
        type=condition.type, message=condition.message, references=list(condition.references)
    )


def stop_key(stop: tuple[int, int] | None) -> shapes.StopKey | None:
    """Return STOP, (thread, level), in its wire shape."""
    return None if stop is None else shapes.StopKey(thread=stop[0], level=stop[1])


class Evaluations:
    """All evaluations that are remembered: those at work, and the last thousand that ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lisp-output")

    def add(self, kind: Kind, id: str, code: str, client: str, by: Principal, run: str | None) -> Record:
        """Return a new record, remembered under ID."""
        record = Record(id, kind, code, client, by, Output(self._folder, id, self._writer), run=run)
        self._records[id] = record
        self._forget_old()
        return record

    def get(self, id: str) -> Record | None:
        """Return the record with exactly this ID."""
        return self._records.get(id)

    def find(self, prefix: str) -> Record:
        """Return the record whose id begins with PREFIX; `eval_` may be left out.

        Errors: `NotFound`; `InvalidParams` with up to five candidates when there are several.
        """
        wanted = prefix if prefix.startswith("eval_") else f"eval_{prefix}"
        found = [record for id, record in self._records.items() if id.startswith(wanted)]
        if not found:
            raise NotFound(
                f"expected the id of an evaluation of this image, got {prefix!r};"
                f" the last {REMEMBERED} that ended are remembered"
            )
        if len(found) > 1 and wanted not in self._records:
            candidates = [record.id for record in found[:5]]
            raise InvalidParams(
                f"{prefix!r} fits {len(found)} evaluations; give more digits", candidates=candidates
            )
        return self._records.get(wanted, found[0])

    def newest_running(self, client: str, repl: str | None = None) -> Record | None:
        """Return the newest evaluation of CLIENT, or of its REPL, that is at work."""
        own = (
            record
            for record in reversed(self._records.values())
            if record.client == client and repl in (None, record.repl)
        )
        return next((record for record in own if record.running()), None)

    def newest_of(self, client: str, repl: str | None, shown: Callable[[str], str]) -> Record:
        """Return the newest evaluation of CLIENT, or of its REPL, that is at work.

        Errors: `NotFound`, which names some that others have at work, their code as SHOWN returns it.
        """
        if (newest := self.newest_running(client, repl)) is not None:
            return newest
        others = [each for each in reversed(self._records.values()) if each.running()]
        names = [
            f"{each.id} of {each.by.name} ({_beginning(shown(each.about()))})" for each in others[:NAMED]
        ]
        raise NotFound(
            "expected a running evaluation of yours, there is none; "
            + (f"name one that runs: {', '.join(names)}" if names else "name a thread to stop that")
        )

    def under_way(self) -> list[Record]:
        """Return those that have begun and whose end is not in the log yet, the oldest first."""
        return [each for each in self._records.values() if each.live and not each.logged.is_set()]

    def close(self) -> None:
        """Finish writing output files."""
        for record in self._records.values():
            record.output.close()
        self._writer.shutdown(wait=False)

    def _forget_old(self) -> None:
        if len(self._records) <= 2 * REMEMBERED:
            return
        ended = [id for id, record in self._records.items() if record.logged.is_set()]
        for id in ended[: max(0, len(ended) - REMEMBERED)]:
            del self._records[id]


def _beginning(code: str) -> str:
    """Return CODE in one short line."""
    line = " ".join(code.split())
    return line if len(line) <= BEGINNING else f"{line[:BEGINNING]}…"
