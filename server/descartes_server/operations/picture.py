"""The operation `history.picture`: runs as lanes on an axis of time, in one SVG file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from descartes_core.errors import InvalidParams
from descartes_core.model import Run, Shape
from descartes_core.runs import RunView
from descartes_core.runs.machine import is_terminal
from descartes_core.store.times import milliseconds
from descartes_core.timetravel import forks
from descartes_server.ide import timeline_picture, view_names
from descartes_server.ide.timeline_entries import call_words, duration, one_line
from descartes_server.ide.timeline_picture import Lane, Mark, Span
from descartes_server.operations import timeline, view_files
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation
from descartes_server.operations.texts import uri_of

MOST_LANES = 40
NEWEST = 12
"""How many runs are shown when none is named."""
MOST_EVENTS = 200_000
_NAMES = (
    "run.status", "message", "thought", "tool.started", "tool.completed", "tool.failed", "file.written",
    "intervention.opened", "error", "body.snapshot",
)  # fmt: skip
_TIPS = 160


class PictureParams(Params, frozen=True, kw_only=True):
    """A RUN or a SESSION with all that came of it by forks and spawning; without either the newest runs."""

    run: str | None = None
    session: str | None = None


class Picture(Shape, frozen=True, kw_only=True):
    """An SVG file that shows RUNS."""

    uri: str
    path: str
    runs: list[str]


@operation("history.picture", kind="read", positional=("run",))
async def picture(context: Context, params: PictureParams) -> Picture:
    """Draw runs as lanes on an axis of time: what they did, asked, wrote and got wrong, and their forks."""
    if params.run is not None and params.session is not None:
        raise InvalidParams("Expected a run or a session, got both; give one of them")
    reader = context.services.reader
    view = RunView(reader, context.services.clock)
    session: str | None = None
    if params.run is not None:
        session = (await view.show(params.run)).session
    elif params.session is not None:
        session = await reader.resolve("ses", params.session)
    runs = await _runs(context, view, session)
    lanes = [await _lane(context, run) for run in runs]
    title = one_line(runs[0].task, 100) if session is not None and runs else "The newest runs"
    name = "runs" if session is None else view_names.of_run(runs[0].id) if runs else "runs"
    text = timeline_picture.svg(lanes, title)
    path = await asyncio.to_thread(view_files.write, context.services.workspace, f"{name}.svg", text)
    for lane in lanes:
        if not path.with_name(lane.link).exists():
            await timeline.document_of_run(context, lane.id, None, "steps")
    return Picture(uri=uri_of(path), path=str(path), runs=[run.id for run in runs])


async def _runs(context: Context, view: RunView, session: str | None) -> Sequence[Run]:
    """Return the runs of the tree of SESSION, each before those that came of it; without one the newest."""
    if session is None:
        return [*(await view.list(limit=NEWEST))][::-1]
    found: dict[str, None] = {}
    for branch in await forks.branches(context.services.reader, session):
        for run in branch.runs:
            await _with_spawned(context, run, found)
    return [await view.show(run) for run in [*found][:MOST_LANES]]


async def _with_spawned(context: Context, run: str, found: dict[str, None]) -> None:
    if run in found or len(found) >= MOST_LANES:
        return
    found[run] = None
    spawned = await context.services.reader.rows(
        "SELECT run_id FROM event WHERE category = 'system' AND name = 'run.spawned'"
        " AND json_extract(actor, '$.id') = ? ORDER BY seq",
        (run,),
    )
    for row in spawned:
        await _with_spawned(context, row["run_id"], found)


async def _lane(context: Context, run: Run) -> Lane:
    reader = context.services.reader
    names = ", ".join("?" * len(_NAMES))
    events = await reader.rows(
        "SELECT seq, id, parent_id AS parent, ts_ms AS at, name, data ->> '$.to' AS status,"
        " data ->> '$.phase' AS phase, data ->> '$.reason' AS reason, data ->> '$.callId' AS call,"
        " data ->> '$.tool' AS tool, data -> '$.arguments' AS arguments, data ->> '$.role' AS role,"
        " substr(coalesce(data ->> '$.content', data ->> '$.title', data ->> '$.message',"
        " data ->> '$.error.message', data ->> '$.path'), 1, 300) AS text"
        f" FROM event WHERE run_id = ? AND name IN ({names})"
        f" AND (name <> 'body.snapshot' OR data ->> '$.fresh') ORDER BY seq LIMIT {MOST_EVENTS}",
        (run.id, *_NAMES),
    )
    end = milliseconds(run.ended_at) if run.ended_at else context.services.clock.now_ms()
    fork = await reader.rows(
        "SELECT fork_run AS run, ts_ms AS at FROM session s JOIN event e ON e.seq = s.fork_seq"
        " WHERE s.id = ? AND fork_run IS NOT NULL",
        (run.session,),
    )
    return Lane(
        id=run.id,
        name=run.agent,
        task=one_line(run.task, 300),
        status=run.status,
        start=milliseconds(run.started_at),
        end=end,
        statuses=_statuses(events, end),
        calls=_calls(events, end),
        marks=_marks(events, run, end),
        link=f"{view_names.of_run(run.id)}.md",
        forked_from=fork[0]["run"] if fork else None,
        forked_at=fork[0]["at"] if fork else 0,
    )


Rows = Sequence[Mapping[str, Any]]


def _statuses(events: Rows, end: int) -> list[Span]:
    changes = [event for event in events if event["name"] == "run.status"]
    ends = [*(event["at"] for event in changes[1:]), end]
    return [
        Span(
            event["at"],
            until,
            event["status"],
            f"{event['status']}{_phase(event)} for {duration(until - event['at'])}",
        )
        for event, until in zip(changes, ends, strict=False)
        if event["status"] and not is_terminal(event["status"])
    ]


def _phase(event: Mapping[str, Any]) -> str:
    return f" ({event['phase']})" if event["phase"] else ""


def _calls(events: Rows, end: int) -> list[Span]:
    results = {event["call"]: event for event in events if event["name"] in ("tool.completed", "tool.failed")}
    writers = {event["parent"] for event in events if event["name"] == "file.written"}
    found = []
    for event in events:
        if event["name"] != "tool.started":
            continue
        result = results.get(event["call"])
        until = result["at"] if result else end
        failed = result is not None and result["name"] == "tool.failed"
        arguments = msgspec.json.decode(event["arguments"]) if event["arguments"] else {}
        tip = f"{call_words(event['tool'] or '', arguments)}\n{duration(until - event['at'])}"
        if failed and result is not None:
            tip += f"\n{one_line(result['text'] or '', _TIPS)}"
        kind = "failed" if failed else "wrote" if event["id"] in writers else "call"
        found.append(Span(event["at"], until, kind, tip))
    return found


def _marks(events: Rows, run: Run, end: int) -> list[Mark]:
    kinds = {
        "message": "said", "thought": "thought", "intervention.opened": "question", "error": "error",
        "file.written": "written", "body.snapshot": "snapshot",
    }  # fmt: skip
    found = [
        Mark(event["at"], kinds[event["name"]], _tip(event))
        for event in events
        if event["name"] in kinds and (event["name"] != "message" or event["text"])
    ]
    if is_terminal(run.status):
        reason = f": {one_line(run.reason, _TIPS)}" if run.reason else ""
        found.append(Mark(end, run.status, f"{run.status}{reason}"))
    return found


def _tip(event: Mapping[str, Any]) -> str:
    text = one_line(event["text"] or "", _TIPS)
    said = {"message": event["role"], "thought": "thought", "intervention.opened": "asked"}
    what = said.get(event["name"]) or event["name"]
    return f"{what}: {text}\nevent {event['seq']}"
