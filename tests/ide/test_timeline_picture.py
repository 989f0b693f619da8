"""The picture of runs: well-formed whatever it shows, breaks where nothing happened, forks between lanes."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from descartes_server.ide.timeline_picture import GUTTER, WIDTH, Lane, Mark, Span, axis, svg

HOUR = 3_600_000
START = 1_763_700_000_000


def lane(id_: str = "run_aaaaaaaa1", **fields: object) -> Lane:
    given: dict[str, object] = {
        "name": "fixer <b>", "task": 'Fix & "quote" <all>', "status": "completed", "start": START,
        "end": START + 60_000, "calls": [Span(START + 1000, START + 20_000, "call", "shell make\n19 s")],
        "statuses": [Span(START, START + 60_000, "running", "running for 60 s")],
        "marks": [Mark(START + 5, "question", "may <I>?"), Mark(START + 60_000, "completed", "completed")],
    }  # fmt: skip
    return Lane(id=id_, **{**given, **fields})  # type: ignore[arg-type]


def test_any_words_make_a_well_formed_picture() -> None:
    root = ElementTree.fromstring(svg([lane(link="history-aaaaaaaa.md")], "What <is> & was"))
    texts = ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("text")]
    assert "What <is> & was" in texts and "fixer <b>" in texts
    tips = ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("title")]
    assert "may <I>?" in tips and "shell make\n19 s" in tips
    links = [each.get("href") for each in root.iter() if each.tag.endswith("}a")]
    assert links == ["history-aaaaaaaa.md"]
    assert "No run has begun yet." in svg([], "Nothing")


def test_a_long_silence_is_a_break_and_the_rest_keeps_its_scale() -> None:
    times = [START, START + 1000, START + 5 * HOUR, START + 5 * HOUR + 1000]
    found = axis(times)
    assert [gap for _, gap in found.breaks()] == [5 * HOUR - 1000]
    xs = [found.x(time) for time in times]
    assert xs == sorted(xs)
    assert xs[0] > GUTTER and xs[-1] < WIDTH
    assert abs((xs[1] - xs[0]) - (xs[3] - xs[2])) < 0.01
    assert xs[2] - xs[1] < 40
    assert not list(axis([START, START + 10, START + 25]).breaks())
    assert axis([]).x(5) > 0


def test_a_fork_leads_from_its_moment_to_the_lane_that_goes_on() -> None:
    child = lane("run_bbbbbbbb1", start=START + 50_000, forked_from="run_aaaaaaaa1", forked_at=START + 10_000)
    text = svg([lane(), child], "Forks")
    (path,) = re.findall(r'class="fork">.*?M([\d.]+) (\d+) C.*? ([\d.]+) (\d+)"', text)
    x, y, to_x, to_y = map(float, path)
    assert x < to_x and y < to_y
    assert 'class="fork"' not in svg([child], "Its origin is not shown")


def test_many_calls_at_one_place_are_drawn_once() -> None:
    calls = [Span(START + n, START + n, "failed" if n == 77 else "call", str(n)) for n in range(10_000)]
    text = svg([lane(calls=calls, end=START + 10 * HOUR)], "Many")
    assert len(text) < 100_000
    assert 'class="c failed"' in text
