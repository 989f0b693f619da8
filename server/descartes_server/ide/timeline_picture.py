"""Runs as one SVG picture: a lane for each, on a common axis of time, with what happened in its place.

Long stretches in which nothing happened are drawn short, and say how long they were. Colours follow the
reader's light or dark. Everything that is small tells its words when the mouse rests on it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

from descartes_server.ide.svg import FONT, LETTER, counted, cut
from descartes_server.ide.timeline_entries import duration

WIDTH = 1200
MARGIN = 16
GUTTER = 250
"""Pixels at the left, for the names of the runs."""
HEAD = 106
LANE = 74
FOOT = 44
MOST_BREAKS = 10
"""A gap of more than three times of what is left without it and all longer ones is drawn as a break."""
BREAK = 26
SMALLEST = 3.0
LABEL_GAP = 84


@dataclass(frozen=True)
class Span:
    """Something that took from START to END (milliseconds): a status or a call. KIND names its colour."""

    start: int
    end: int
    kind: str
    tip: str


@dataclass(frozen=True)
class Mark:
    """Something at a moment AT: `said`, `question`, `error`, `snapshot`, `written`, `completed`, …"""

    at: int
    kind: str
    tip: str


@dataclass(frozen=True)
class Lane:
    """One run: NAME and TASK, its STATUSES and CALLS, its MARKS; LINK leads to its history document."""

    id: str
    name: str
    task: str
    status: str
    start: int
    end: int
    statuses: Sequence[Span] = ()
    calls: Sequence[Span] = ()
    marks: Sequence[Mark] = ()
    link: str = ""
    forked_from: str | None = None
    """The run that it goes on from, at the time FORKED_AT of that."""
    forked_at: int = 0


@dataclass(frozen=True)
class Axis:
    """Where a time stands: STARTS (milliseconds) of stretches at XS, all drawn at SCALE pixels each."""

    starts: Sequence[int]
    ends: Sequence[int]
    xs: Sequence[float]
    scale: float

    def x(self, at: int) -> float:
        """Return where the time AT stands; between two stretches it is in the break."""
        index = max(bisect_right(self.starts, at) - 1, 0)
        return self.xs[index] + (min(at, self.ends[index]) - self.starts[index]) * self.scale

    def breaks(self) -> Iterator[tuple[float, int]]:
        """Yield where each break begins and how long it was."""
        for index in range(len(self.starts) - 1):
            yield self.x(self.ends[index]), self.starts[index + 1] - self.ends[index]


def axis(times: Sequence[int]) -> Axis:
    """Return the axis for TIMES (milliseconds), as wide as the picture has room."""
    room = WIDTH - GUTTER - 3 * MARGIN
    ordered = sorted(set(times)) or [0]
    gaps = sorted((b - a for a, b in pairwise(ordered)), reverse=True)
    left = rest = ordered[-1] - ordered[0]
    longest = 0
    for gap in gaps[:MOST_BREAKS]:
        rest -= gap
        if 0 < rest * 3 < gap:
            left, longest = rest, gap
    starts, ends = [ordered[0]], []
    for a, b in pairwise(ordered):
        if longest and b - a >= longest:
            ends.append(a)
            starts.append(b)
    ends.append(ordered[-1])
    scale = max(room - BREAK * (len(starts) - 1), 1) / max(left, 1)
    xs, x = [], float(GUTTER + MARGIN)
    for start, end in zip(starts, ends, strict=True):
        xs.append(x)
        x += (end - start) * scale + BREAK
    return Axis(starts, ends, xs, scale)


def svg(lanes: Sequence[Lane], title: str) -> str:
    """Return LANES as a picture under TITLE. Example: svg([Lane(…)], "Tidy") -> "<svg …"."""
    height = HEAD + max(len(lanes), 1) * LANE + FOOT
    times = [time for lane in lanes for time in _times(lane)]
    scale = axis(times)
    places = {lane.id: HEAD + index * LANE for index, lane in enumerate(lanes)}
    parts = [
        *_axis(scale, height, times),
        *(part for lane in lanes for part in _lane(lane, places[lane.id], scale)),
        *(part for lane in lanes for part in _fork(lane, places, scale)),
    ]
    nothing = f'<text x="{MARGIN}" y="{HEAD + 20}" class="s">No run has begun yet.</text>'
    return _PAGE.format(
        width=WIDTH,
        height=height,
        font=FONT,
        margin=MARGIN,
        title=escape(cut(title, 110)),
        facts=escape(_facts(lanes, times)),
        legend="".join(_legend()),
        body="\n".join(parts) if lanes else nothing,
    )


def _times(lane: Lane) -> Iterator[int]:
    yield lane.start
    yield lane.end
    for span in (*lane.statuses, *lane.calls):
        yield span.start
        yield span.end
    for mark in lane.marks:
        yield mark.at
    if lane.forked_from:
        yield lane.forked_at


def _facts(lanes: Sequence[Lane], times: Sequence[int]) -> str:
    if not lanes:
        return ""
    calls = sum(len(lane.calls) for lane in lanes)
    failed = sum(call.kind == "failed" for lane in lanes for call in lane.calls)
    asked = sum(mark.kind == "question" for lane in lanes for mark in lane.marks)
    parts = [
        counted(len(lanes), "run"),
        _day(min(times)),
        duration(max(times) - min(times)),
        counted(calls, "call"),
        f"{failed} failed" if failed else "",
        counted(asked, "question") if asked else "",
    ]
    return " · ".join(part for part in parts if part)


def _axis(scale: Axis, height: int, times: Sequence[int]) -> Iterator[str]:
    bottom = height - FOOT + 8
    if not times:
        return
    taken = -1000.0
    span = max(times) - min(times)
    for at in _ticks(scale):
        x = scale.x(at)
        if x - taken < LABEL_GAP or x > WIDTH - MARGIN - 40:
            continue
        taken = x
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 12}" y2="{bottom}"/>'
        yield f'<text class="s" x="{x:.1f}" y="{bottom + 16}">{_clock(at, span)}</text>'
    for x, gap in scale.breaks():
        middle = x + BREAK / 2
        yield (
            f'<g class="break"><title>nothing happened for {duration(gap)}</title>'
            f'<rect x="{x + 4:.1f}" y="{HEAD - 12}" width="{BREAK - 8}" height="{bottom - HEAD + 12}"/>'
            f'<text class="s c" x="{middle:.1f}" y="{HEAD - 17}">{duration(gap)}</text></g>'
        )


def _ticks(scale: Axis) -> Iterator[int]:
    step = next((each for each in _STEPS if each * scale.scale >= LABEL_GAP), _STEPS[-1])
    for start, end in zip(scale.starts, scale.ends, strict=True):
        yield start
        yield from range(start - start % step + step, end + 1, step)


_STEPS = [
    *(n * unit for unit in (1, 10, 100) for n in (1, 2, 5)),
    *(n * 1000 for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)),
    *(n * 86_400_000 for n in (1, 2, 7, 30, 365)),
]


def _clock(at: int, span: int) -> str:
    moment = datetime.fromtimestamp(at / 1000, UTC)
    if span < 10_000:
        return f"{moment:%H:%M:%S}.{at % 1000:03}"
    return f"{moment:%H:%M:%S}" if span < 86_400_000 else f"{moment:%m-%d %H:%M}"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _lane(lane: Lane, top: int, scale: Axis) -> Iterator[str]:
    middle = top + 42
    label = cut(lane.name, 30)
    yield f'<line class="rule" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{top}" y2="{top}"/>'
    name = f'<text class="n" x="{MARGIN}" y="{top + 24}">{escape(label)}</text>'
    yield f'<a href="{escape(lane.link)}">{name}</a>' if lane.link else name
    room = int((GUTTER - MARGIN) / LETTER) - 1
    task = f'<text class="s" x="{MARGIN}" y="{top + 41}">{escape(cut(lane.task, room))}</text>'
    yield f"<g><title>{escape(lane.task)}</title>{task}</g>"
    status = escape(cut(f"{lane.status} · {lane.id[4:12]}", room))
    yield f'<text class="s st-{escape(lane.status)}" x="{MARGIN}" y="{top + 57}">{status}</text>'
    for span in lane.statuses:
        yield _box(span, scale, middle - 3, 6, "b")
    for call in _thinned(lane.calls, scale):
        yield _box(call, scale, middle - 17, 12, "c", call.tip.partition(" ")[0])
    for mark in _sparse(lane.marks, scale):
        yield _mark(mark, scale, middle)


def _thinned(calls: Sequence[Span], scale: Axis) -> Iterator[Span]:
    """Leave out calls that would lie under the one before, but none that failed."""
    last = -1.0
    for call in calls:
        x = scale.x(call.start)
        if x - last >= 1 or call.kind == "failed":
            last = x
            yield call


def _sparse(marks: Sequence[Mark], scale: Axis) -> Iterator[Mark]:
    last: dict[str, float] = {}
    for mark in marks:
        x = scale.x(mark.at)
        if x - last.get(mark.kind, -10) >= 2:
            last[mark.kind] = x
            yield mark


def _box(span: Span, scale: Axis, y: float, height: int, css: str, label: str = "") -> str:
    x = scale.x(span.start)
    width = max(scale.x(span.end) - x, SMALLEST if css == "c" else 0.5)
    fits = label and width > len(label) * LETTER + 8
    word = f'<text class="in" x="{x + 4:.1f}" y="{y + 9.5}">{escape(label)}</text>' if fits else ""
    return (
        f'<g><title>{escape(span.tip)}</title><rect class="{css} {span.kind}" x="{x:.1f}" y="{y}"'
        f' width="{width:.1f}" height="{height}" rx="1.5"/>{word}</g>'
    )


def _mark(mark: Mark, scale: Axis, middle: float) -> str:
    x = scale.x(mark.at)
    shape = _SHAPES.get(mark.kind, _SHAPES["said"]).format(x=x, y=middle, below=middle + 14)
    return f'<g class="m {mark.kind}"><title>{escape(mark.tip)}</title>{shape}</g>'


_SHAPES = {
    "said": '<circle cx="{x:.1f}" cy="{below}" r="2.6"/>',
    "thought": '<circle class="ring" cx="{x:.1f}" cy="{below}" r="2.2"/>',
    "question": '<path d="M{x:.1f} {below} m0 -6 l6 6 -6 6 -6 -6 z"/>',
    "error": '<path class="line" d="M{x:.1f} {y} m-4 -27 l8 8 m0 -8 l-8 8"/>',
    "written": '<path d="M{x:.1f} {y} m-4.5 -19 l9 0 -4.5 -6 z"/>',
    "snapshot": '<rect x="{x:.1f}" y="{below}" width="5" height="5" transform="translate(-2.5 4)"/>',
    "fork": '<circle class="ring" cx="{x:.1f}" cy="{y}" r="5"/>',
    "completed": '<circle cx="{x:.1f}" cy="{y}" r="6"/>',
    "failed": '<circle cx="{x:.1f}" cy="{y}" r="6"/>',
    "terminated": '<rect x="{x:.1f}" y="{y}" width="11" height="11" transform="translate(-5.5 -5.5)"/>',
}


def _fork(lane: Lane, places: dict[str, int], scale: Axis) -> Iterator[str]:
    if lane.forked_from not in places:
        return
    from_y, to_y = places[lane.forked_from] + 42, places[lane.id] + 42
    x, to_x = scale.x(lane.forked_at), scale.x(lane.start)
    bend = max(abs(to_x - x) / 2, 14)
    tip = escape(f"{lane.name} goes on from here")
    yield (
        f'<g class="fork"><title>{tip}</title>'
        f'<path d="M{x:.1f} {from_y} C{x + bend:.1f} {from_y} {to_x - bend:.1f} {to_y} {to_x:.1f} {to_y}"/>'
        f'<circle cx="{x:.1f}" cy="{from_y}" r="4.5"/></g>'
    )


def _legend() -> Iterator[str]:
    x = float(MARGIN)
    for css, kind, words in _KEYS:
        height = 8 if css == "c" else 5
        shape = f'<rect class="{css} {kind}" x="{x:.1f}" y="66" width="12" height="{height}" rx="1.5"/>'
        if css == "m":
            inner = _SHAPES[kind].format(x=x + 6, y=92, below=69 - 6 * (kind == "snapshot"))
            shape = f'<g class="m {kind}">{inner}</g>'
        yield f'{shape}<text class="s" x="{x + 17:.1f}" y="73">{words}</text>'
        x += 17 + len(words) * LETTER + 16


_KEYS = (
    ("b", "thinking", "thinks"), ("b", "running", "works"), ("b", "paused", "waits"), ("c", "call", "call"),
    ("c", "failed", "failed"), ("m", "written", "writes"), ("m", "said", "says"),
    ("m", "question", "asks"), ("m", "error", "error"), ("m", "snapshot", "snapshot"),
)  # fmt: skip


_PAGE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
 font-family="{font}" font-size="11.5" role="img">
<style>
svg {{ --paper: #fdfcfa; --ink: #22262b; --soft: #666c74; --rule: #e4e1dc; --grid: #efece7;
 --thinking: #9b87d8; --running: #4f93d2; --paused: #e0a526; --idle: #b9bec5;
 --call: #9cc6ea; --word: #173a59; --failed: #d9463b; --over: #ffffff;
 --good: #3f9b58; --said: #6b7280; --snapshot: #5b8f8a; --fork: #a0569f; }}
@media (prefers-color-scheme: dark) {{ svg {{ --paper: #1d2025; --ink: #e6e4df; --soft: #9aa1ab;
 --rule: #33383f; --grid: #282c32; --thinking: #a896e6; --running: #5fa4e4; --paused: #e6b545;
 --idle: #5a616b; --call: #41709a; --word: #e4f0fb; --failed: #ee6a5f; --good: #5cba77; --said: #a3abb7;
 --snapshot: #74b3ad; --fork: #c982c8; --over: #14181d; }} }}
text {{ fill: var(--ink); }}
.t {{ font-size: 17px; font-weight: 600; }} .n {{ font-weight: 600; font-size: 13px; }}
a .n {{ text-decoration: underline; text-decoration-color: var(--idle); }}
.s {{ fill: var(--soft); }} .in {{ font-size: 10px; fill: var(--word); }} text.c {{ text-anchor: middle; }}
.rule {{ stroke: var(--rule); }} .grid {{ stroke: var(--grid); }}
.break rect {{ fill: var(--grid); }}
.b, .idle {{ fill: var(--idle); }} .thinking {{ fill: var(--thinking); }} .running {{ fill: var(--running); }}
.paused {{ fill: var(--paused); }} rect.call {{ fill: var(--call); }} rect.failed {{ fill: var(--failed); }}
rect.wrote {{ fill: var(--good); }} rect.wrote + .in, rect.failed + .in {{ fill: var(--over); }}
rect.c {{ stroke: var(--paper); stroke-width: .6; }}
.m.said {{ fill: var(--said); }} .m.written {{ fill: var(--good); }} .m.question {{ fill: var(--paused); }}
.m.error, .m.failed {{ fill: var(--failed); }} .m.completed {{ fill: var(--good); }}
.m.terminated {{ fill: var(--idle); }} .m.snapshot {{ fill: var(--snapshot); }}
.ring {{ fill: none; stroke: var(--said); stroke-width: 1.4; }}
.line {{ fill: none; stroke: var(--failed); stroke-width: 2; stroke-linecap: round; }}
.m {{ stroke-linejoin: round; }}
.fork path {{ fill: none; stroke: var(--fork); stroke-width: 1.6; stroke-dasharray: 5 3; }}
.fork circle {{ fill: var(--paper); stroke: var(--fork); stroke-width: 1.8; }}
.st-failed {{ fill: var(--failed); }} .st-completed {{ fill: var(--good); }}
.st-paused {{ fill: var(--paused); }}
g:hover > rect, g:hover > path, g:hover > circle {{ opacity: .75; }}
</style>
<rect width="100%" height="100%" fill="var(--paper)"/>
<text class="t" x="{margin}" y="28">{title}</text>
<text class="s" x="{margin}" y="46">{facts}</text>
{legend}
{body}
</svg>
"""
