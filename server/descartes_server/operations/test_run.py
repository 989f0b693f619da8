"""One run of tests in the image: planned, followed result by result, told, and ended when it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

import descartes_swank as swank
from descartes_core.store.times import iso
from descartes_server.ide.tests import full_name
from descartes_server.operations.context import Context
from descartes_server.operations.evaluations import Record, condition_shape, stop_key
from descartes_server.operations.lisp import add
from descartes_server.operations.test_results import Status, TestResult, TestRun, count
from descartes_server.operations.workspace_tests import FoundTest

TOLD_EVERY_S = 0.1
ONE_LINE = 300
MESSAGE_LIMIT = 4000
NOTIFICATION = "descartes/lisp/tested"


@dataclass
class Run:
    """The TESTS of SYSTEM in the order in which they are run, and where they stand in the text."""

    context: Context
    system: str | None
    tests: Sequence[swank.RegisteredTest]
    found: Sequence[FoundTest]
    results: list[TestResult] = field(default_factory=list)
    _printed: dict[str, str] = field(default_factory=dict)
    """What tests printed that have no result yet, by name."""
    _told: int = 0
    _telling: asyncio.TimerHandle | None = None

    @property
    def framework(self) -> str:
        """Return the frameworks of the tests, joined when there are several; `asdf` is `test-op` alone."""
        return ", ".join(dict.fromkeys(test.framework for test in self.tests)) or "asdf"

    async def perform(self, code: str, *, debug: bool) -> TestRun:
        """Run the tests; answers when the last has ended or one has stopped in the debugger.

        CODE is what the history calls it. A cancelled caller ends the run.
        """
        image = self.context.services.image
        record = add(self.context, "test", code)
        record.on_report = self._reported

        async def ask(lisp: swank.Lisp) -> swank.Evaluation:
            if not self.tests and self.system is not None:
                return await lisp.run_test_op(self.system, id=record.id, client=record.client, debug=debug)
            return await lisp.run_tests(self.tests, id=record.id, client=record.client, debug=debug)

        await image.begin(record, ask, self.context.caller.environment)
        image.aside(self._followed(record))
        try:
            await image.paused_or_settled(record)
        except asyncio.CancelledError:
            image.aside(self._abort(record))
            raise
        return self.shape(record)

    def shape(self, record: Record, since: int = 0) -> TestRun:
        """Return the run as far as it has got, with the results from SINCE on."""
        live = record.live
        assert live is not None
        counts = count(self.results)
        return TestRun(
            success=live.state == "done" and not (counts.failed or counts.error or counts.unknown),
            system=self.system,
            framework=self.framework,
            results=self.results[since:],
            counts=counts,
            output=record.output.text,
            state=live.state,
            debugger=stop_key(live.stop),
            condition=condition_shape(live.condition) if live.state == "stopped" else None,
            evaluation=record.id,
            duration_ms=live.duration_ms or 0,
        )

    def _reported(self, report: Any, output: str) -> None:
        test, outcome = swank.printed_by(report), swank.test_outcome(report)
        name = full_name(test.package, test.name) if test.package else test.name
        output = self._printed.pop(name, "") + output
        if outcome is None:
            self._printed[name] = output
            return
        found = located(name, self.found)
        result = TestResult(
            name=name,
            status=msgspec.convert(outcome.status, Status),
            message=tidied(outcome.message),
            location=found.source.location(found.form.start, found.form.end) if found else None,
            duration_ms=outcome.milliseconds,
            output=output or None,
            framework=test.framework,
            system=found.system if found and found.system else self.system,
            at=iso(self.context.services.clock.now_ms()),
            form_digest=found.form.digest if found else None,
        )
        self.results.append(result)
        self.context.services.image.test_results.take(result, self.system)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TOLD_EVERY_S, self._tell_some)

    def _tell_some(self) -> None:
        self._telling = None
        self._tell(TestRun(success=True, system=self.system, framework=self.framework, state="running"))

    def _tell(self, run: TestRun) -> None:
        new, self._told = self.results[self._told :], len(self.results)
        told = msgspec.structs.replace(run, results=new, counts=count(self.results), output="")
        self.context.services.image.tell(NOTIFICATION, msgspec.to_builtins(told))

    async def _followed(self, record: Record) -> None:
        """Tell what was not told yet when the run has ended, however it was left."""
        await self.context.services.image.settled(record)
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._tell(self.shape(record))

    async def _abort(self, record: Record) -> None:
        with contextlib.suppress(swank.SwankError):
            await self.context.services.image.running().abort_evaluation(record.id)


def located(name: str, found: Sequence[FoundTest]) -> FoundTest | None:
    """Return where the test NAME stands; by its own name alone when the text says its package otherwise."""
    for each in found:
        if each.form.name == name:
            return each
    own = [each for each in found if each.form.name.partition("::")[2] == name.partition("::")[2]]
    return own[0] if len(own) == 1 else None


def tidied(message: str | None) -> str | None:
    """Return MESSAGE of a framework in as few lines as it can be read in; three line ends part two failures.

    Example: tidied(" (F 1)\\n\\n evaluated to \\n\\n2") -> "(F 1) evaluated to 2"
    """
    parts = [_tidied(part) for part in re.split(r"\n{3,}", message or "")]
    between = "\n\n" if any("\n" in part for part in parts) else "\n"
    return between.join(part for part in parts if part)[:MESSAGE_LIMIT] or None


def _tidied(part: str) -> str:
    """Return PART in one line when it is short and set with empty lines, as fiveam does; else its lines."""
    words = " ".join(part.split())
    if "\n\n" in part.strip() and len(words) <= ONE_LINE:
        return words
    return "\n".join(line.rstrip() for line in part.strip().splitlines() if line.strip())
