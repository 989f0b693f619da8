"""What stands above the code: who holds the file, what a run does in it, where a thread is stopped.

Every lens carries its command; the server executes all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from descartes_core.model import Intervention, Lease, Principal, Run
from descartes_server.ide import holding
from descartes_server.ide.stops import Breakpoint, Restart, Stop
from descartes_server.ide.test_marks import SIGNS, TestState, state_of
from descartes_server.ide.tests import RUNNABLE, TestForm
from descartes_server.ide.text import LineIndex

RUN_ENDED = frozenset({"completed", "failed", "terminated"})
_TITLE_LENGTH = 60
STEPS = {"into": "step into", "next": "step over", "out": "step out"}
"""What the kinds of `debugger.step` are called."""


@dataclass(frozen=True)
class Command:
    """Something the server does when it is chosen."""

    title: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lens:
    """A command above a place."""

    start: int
    end: int
    command: Command


@dataclass(frozen=True)
class Action:
    """A command offered for a place; FIXES is the code of the diagnostic that it answers."""

    command: Command
    fixes: str = ""
    preferred: bool = False


@dataclass(frozen=True)
class Scene:
    """All that is going on in one file: the leases on it, their runs and questions, its stops."""

    uri: str
    lines: LineIndex
    now: datetime
    me: Principal | None = None
    leases: Sequence[Lease] = ()
    runs: Mapping[str, Run] = field(default_factory=dict)
    interventions: Sequence[Intervention] = ()
    stops: Sequence[Stop] = ()
    breakpoints: Sequence[Breakpoint] = ()
    cursor: Mapping[str, int] | None = None
    """The editor's position of what is asked about, where a breakpoint may be set."""
    forms: Sequence[tuple[str, int, int]] = ()
    """Name, start and end of the top-level definitions."""
    tests: Sequence[TestForm] = ()
    tested: Mapping[str, TestState] = field(default_factory=dict)
    """What became of tests, by their names."""
    drifted: Sequence[tuple[int, Mapping[str, int]]] = ()
    """Offset and editor's position of the forms whose text the image does not have."""


def lenses(scene: Scene) -> list[Lens]:
    """Return the lenses of SCENE: the file's first line, then the stopped forms."""
    at_work = [*_leases(scene), *_questions(scene), *_stops(scene), *_breakpoints(scene)]
    return [*at_work, *_drifted(scene), *_tests(scene)]


def _leases(scene: Scene) -> Iterator[Lens]:
    for lease in scene.leases:
        if holding.is_typing(lease, scene.me):
            continue  # it would come and go above the text that is being typed
        start, end = _leased_place(lease, scene)
        for command in [*_holder(lease, scene), *lease_commands(lease, scene), *_run(lease, scene)]:
            yield Lens(start, end, command)


def _leased_place(lease: Lease, scene: Scene) -> tuple[int, int]:
    """A lease `PATH#NAME` stands at its form, any other on the first line."""
    start = next((start for start, _ in form_places(lease, scene)), 0)
    return start, start


def form_places(lease: Lease, scene: Scene) -> list[tuple[int, int]]:
    """Return where the forms start and end that LEASE is about; none for the lease of a file."""
    name = (holding.form_of(lease) or "").casefold()
    return [(start, end) for form, start, end in scene.forms if name and form_name(form) == name]


def form_name(written: str) -> str:
    """Return the name WRITTEN in a text as leases have it: no case, no package."""
    name = written.casefold()
    return name if "|" in name or name.startswith("(") else name.rpartition(":")[2]


def _holder(lease: Lease, scene: Scene) -> Iterator[Command]:
    reason = f": {short(lease.reason)}" if lease.reason else ""
    title = f"held by {holding.holder(lease, scene.me)}{reason}, {holding.time_left(lease, scene.now)}"
    yield Command(title, "descartes.lease.show", {**leased(lease, scene), "show": True})


def lease_commands(lease: Lease, scene: Scene) -> Iterator[Command]:
    """Yield what can be done about LEASE: ask for or take over another's, keep or give back one's own."""
    if holding.is_foreign(lease, scene.me):
        yield Command("request", "descartes.lease.request", leased(lease, scene))
        yield Command("take over", "descartes.lease.steal", leased(lease, scene))
    else:
        yield Command("renew", "descartes.lease.renew", leased(lease, scene))
        yield Command("release", "descartes.lease.release", leased(lease, scene))


def leased(lease: Lease, scene: Scene) -> dict[str, str]:
    """Return how a command names what LEASE is about; for a stranger's glob or folder this file is enough."""
    if holding.form_of(lease) or (lease.uri != scene.uri and not holding.is_foreign(lease, scene.me)):
        return {"path": lease.path}
    return {"uri": scene.uri}


def _run(lease: Lease, scene: Scene) -> Iterator[Command]:
    run = scene.runs.get(lease.run or "")
    if run is None or run.status in RUN_ENDED:
        return
    phase = f" ({run.phase})" if run.phase else ""
    yield Command(
        f"run {short(run.task, 30)}: {run.status}{phase}", "descartes.run.show", {"run": run.id, "show": True}
    )
    if run.status == "paused" and run.phase != "waiting":
        yield Command("resume", "descartes.run.resume", {"run": run.id})
    else:
        yield Command("pause", "descartes.run.pause", {"run": run.id})
    yield Command("show", "descartes.run.output", {"run": run.id, "show": True})


def _questions(scene: Scene) -> Iterator[Lens]:
    for question in scene.interventions:
        start = _asked_about(question, scene)
        yield Lens(
            start, start, Command(short(question.title), "descartes.intervention.list", {"show": True})
        )
        for command in answers(question):
            yield Lens(start, start, command)


def _asked_about(question: Intervention, scene: Scene) -> int:
    """Return where the form starts that a run wants to edit; the file's start when it is about no form."""
    arguments = question.data.get("toolArgs")
    old = arguments.get("old") if isinstance(arguments, dict) else None
    offset = scene.lines.text.find(old) if isinstance(old, str) and old else -1
    around = (start for _, start, end in scene.forms if start <= offset < end)
    return next(around, 0)


def answers(question: Intervention) -> Iterator[Command]:
    """Yield the choices of QUESTION that need nothing more said: a reason and paths may be left out."""
    for choice in question.choices:
        if set(choice.arguments) <= {"reason", "paths"}:
            arguments = {"id": question.id, "choice": choice.id}
            yield Command(short(choice.title or choice.id), "descartes.intervention.answer", arguments)


def _stops(scene: Scene) -> Iterator[Lens]:
    for stop in scene.stops:
        start = scene.lines.offset(*stop.start)
        yield Lens(
            start, start, Command(f"■ {short(condition(stop))}", "descartes.debugger.list", {"show": True})
        )
        for restart in stop.restarts:
            yield Lens(start, start, restart_command(stop, restart))
        for kind, title in STEPS.items() if stop.steppable else ():
            yield Lens(start, start, Command(title, "descartes.debugger.step", {**stop.key, "kind": kind}))
        if stop.callable_again and not stop.steppable:
            yield Lens(start, start, retry_command(stop, scene.uri, stop.start[0]))


def _breakpoints(scene: Scene) -> Iterator[Lens]:
    for each in scene.breakpoints:
        start = scene.lines.offset(*each.start)
        when = f" when {each.condition}" if each.condition else ""
        sign = "●" if each.verified else "○"
        title = short(f"{sign} breakpoint{when}{'' if each.verified else ', not set'}")
        yield Lens(start, start, Command(title, "descartes.debugger.breakpoints.list", {"show": True}))
        yield Lens(start, start, Command("remove", "descartes.debugger.breakpoints.clear", {"id": each.id}))


def retry_command(stop: Stop, uri: str, line: int) -> Command:
    """Return the command that compiles the form of URI around LINE and calls the frame of STOP again."""
    # The first column of a line is the same in every encoding.
    position = {"line": line, "character": 0}
    arguments = {**stop.key, "frame": stop.frame, "uri": uri, "position": position}
    return Command("retry with fix", "descartes.debugger.retryWithFix", arguments)


def _drifted(scene: Scene) -> Iterator[Lens]:
    for start, position in scene.drifted:
        arguments = {"uri": scene.uri, "position": position}
        yield Lens(start, start, Command("load", "descartes.lisp.loadChanged", arguments))


def _tests(scene: Scene) -> Iterator[Lens]:
    for test in scene.tests:
        if test.framework in RUNNABLE:
            state = state_of(test, scene.tested)
            sign = SIGNS.get(state.status, "▶") if state else "▶"
            given = {"uri": scene.uri, "name": test.name}
            yield Lens(test.start, test.start, Command(f"{sign} run", "descartes.lisp.runTest", given))
            debug = Command("debug", "descartes.lisp.runTest", {**given, "debug": True})
            yield Lens(test.start, test.start, debug)


def condition(stop: Stop) -> str:
    """Return the condition of STOP in one line: `DIVISION-BY-ZERO: arithmetic error …`."""
    message = " ".join(stop.message.split())
    kind = stop.condition_type.rpartition(":")[2]
    return f"{kind}: {message}" if message else kind


def restart_command(stop: Stop, restart: Restart) -> Command:
    """Return the command that invokes RESTART of STOP, called by the restart's name."""
    arguments = {**stop.key, "index": restart.index, "name": restart.name}
    more = " …" if restart.parameters else ""
    return Command(f"{restart.name}{more}", "descartes.debugger.restart", arguments)


def short(text: str, limit: int = _TITLE_LENGTH) -> str:
    """Return TEXT in one line of at most LIMIT characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def stopped_in(stops: Iterable[Stop], path: str | None) -> list[Stop]:
    """Return those of STOPS that are marked in the file PATH."""
    return [stop for stop in stops if path is not None and stop.path == path]
