"""What is offered for a place: a stop's restarts, the lease's commands, the answers to a run's question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from descartes_core.model import Lease
from descartes_server.ide import holding
from descartes_server.ide.lenses import (
    Action,
    Command,
    Scene,
    answers,
    form_name,
    leased,
    restart_command,
    retry_command,
    short,
)
from descartes_server.ide.stops import Stop

LEASE_CODE = "lease"
STOP_CODE = "stopped"
BREAKPOINT_CODE = "breakpoint"


def actions(scene: Scene, start: int, end: int) -> list[Action]:
    """Return what can be done between START and END of SCENE's file."""
    return [
        *_restarts(scene, start, end),
        *_breakpoints(scene, start, end),
        *_questions(scene),
        *_lease(scene, start),
    ]


def _restarts(scene: Scene, start: int, end: int) -> Iterator[Action]:
    for stop in scene.stops:
        if scene.lines.offset(*stop.start) <= end and start <= scene.lines.offset(*stop.end):
            for number, restart in enumerate(stop.restarts):
                command = restart_command(stop, restart)
                level = f" (level {stop.level})" if stop.level > 1 else ""
                title = short(f"{command.title}: {restart.description}{level}", 100)
                yield Action(
                    Command(title, command.name, command.arguments), STOP_CODE, preferred=number == 0
                )
        if _in_form_of(stop, scene, start):
            yield from _repairs(stop, scene, start)


def _in_form_of(stop: Stop, scene: Scene, offset: int) -> bool:
    """Return whether OFFSET lies in the definition that STOP is in, which may be edited by now."""
    at = scene.lines.offset(*stop.start)
    return any(start <= at <= end and start <= offset <= end for _, start, end in scene.forms)


def _repairs(stop: Stop, scene: Scene, start: int) -> Iterator[Action]:
    """Yield what can be done about the code of STOP: call it again corrected, see all of it next time."""
    if stop.frame is None:
        return
    line, _ = scene.lines.position(start)
    retry = retry_command(stop, scene.uri, line)
    if stop.callable_again:
        title = short(f"Retry with fix: compile this form and call {stop.call} again", 100)
        yield Action(Command(title, retry.name, retry.arguments), STOP_CODE)
    recompile = {**stop.key, "frame": stop.frame, "uri": scene.uri}
    yield Action(Command("Recompile with full debug", "descartes.debugger.recompile", recompile), STOP_CODE)


def _breakpoints(scene: Scene, start: int, end: int) -> Iterator[Action]:
    """Yield the removal of the breakpoints between START and END, and one to be set where there is none."""
    there = [
        each
        for each in scene.breakpoints
        if scene.lines.offset(*each.start) <= end and start <= scene.lines.offset(*each.end)
    ]
    for each in there:
        title = short(f"Remove the breakpoint{f' when {each.condition}' if each.condition else ''}", 100)
        remove = Command(title, "descartes.debugger.breakpoints.clear", {"id": each.id})
        yield Action(remove, BREAKPOINT_CODE)
    if not there and scene.cursor is not None:
        place = {"uri": scene.uri, "position": scene.cursor}
        yield Action(Command("Set a breakpoint at this form", "descartes.debugger.breakpoints.set", place))


def _questions(scene: Scene) -> Iterator[Action]:
    for question in scene.interventions:
        for command in answers(question):
            yield Action(
                Command(short(f"{command.title}: {question.title}", 100), command.name, command.arguments)
            )


def _lease(scene: Scene, offset: int) -> Iterator[Action]:
    held = [lease for lease in scene.leases if not holding.is_typing(lease, scene.me)]
    if not held:
        yield Action(Command("Take the lease of this file", "descartes.lease.acquire", {"uri": scene.uri}))
    yield from _form_lease(scene, held, offset)
    for lease in held:
        what, about = holding.subject(lease), leased(lease, scene)
        if holding.is_foreign(lease, scene.me):
            name = lease.holder.name
            yield Action(Command(f"Ask {name} for {what}", "descartes.lease.request", about), LEASE_CODE)
            yield Action(Command(f"Take {what} over from {name}", "descartes.lease.steal", about), LEASE_CODE)
        else:
            yield Action(Command(f"Renew your lease of {what}", "descartes.lease.renew", about), LEASE_CODE)
            yield Action(Command(f"Release your lease of {what}", "descartes.lease.release", about))


def _form_lease(scene: Scene, held: Sequence[Lease], offset: int) -> Iterator[Action]:
    """Yield the lease of the form around OFFSET, where neither it nor the whole file is HELD."""
    name = next((form_name(form) for form, start, end in scene.forms if start <= offset <= end), "")
    taken = {(holding.form_of(lease) or name).casefold() for lease in held}
    if name and name not in taken:
        about = {"uri": f"{scene.uri}#{quote(name)}"}
        yield Action(Command(f"Take the lease of the form {name}", "descartes.lease.acquire", about))
