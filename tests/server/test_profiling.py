"""The profiler on a real image, and what it leaves in files."""

from __future__ import annotations

import asyncio
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations import flame_graph, profile
from descartes_server.operations.profile import Profile, Stack
from descartes_server.operations.texts import uri_of
from support.desk import Desk, desk
from support.until import until

__all__ = ["desk"]

SVG = "{http://www.w3.org/2000/svg}"
WORK = (
    "(defun spin-for (seconds) (let ((end (+ (get-internal-run-time)"
    " (* seconds internal-time-units-per-second)))) (loop while (< (get-internal-run-time) end)"
    " sum (spun 5000))))"
    " (defun spun (n) (let ((s 0)) (dotimes (i n s) (setf s (logxor s (sxhash i))))))"
)


def check_speedscope(path: str) -> dict[str, Any]:
    """Check that the file at PATH is what speedscope's file-format-spec.ts says, and return it."""
    document: dict[str, Any] = json.loads(Path(path).read_text())
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert isinstance(document["version"], str) and isinstance(document["name"], str)
    assert set(document) <= {
        "$schema", "version", "shared", "profiles", "name", "activeProfileIndex", "exporter"
    }  # fmt: skip
    frames = document["shared"]["frames"]
    assert all(set(frame) <= {"name", "file", "line", "col"} and frame["name"] for frame in frames)
    assert 0 <= document["activeProfileIndex"] < len(document["profiles"])
    for each in document["profiles"]:
        assert set(each) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert each["type"] == "sampled" and each["startValue"] <= each["endValue"]
        assert each["unit"] in ("none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes")
        assert len(each["samples"]) == len(each["weights"])
        assert all(0 <= frame < len(frames) for sample in each["samples"] for frame in sample)
        assert sum(each["weights"]) == each["endValue"]
    return document


def boxes(text: str) -> list[str]:
    """Return the titles of the boxes of a flame graph, which must be well-formed XML."""
    root = ET.fromstring(text)
    return [title.text or "" for group in root.iter(f"{SVG}g") for title in group.findall(f"{SVG}title")]


async def test_an_evaluation_is_profiled(desk: Desk) -> None:
    await desk.call("lisp.eval", code=WORK)
    result = await desk.call("lisp.profile", code="(list (spin-for 1/2) #\\a)")
    assert result["evaluation"]["state"] == "done" and result["mode"] == "cpu"
    assert result["samples"] > 5
    names = [each["name"] for each in result["flat"]]
    assert "common-lisp-user::spin-for" in names
    spin = next(each for each in result["flat"] if each["name"] == "common-lisp-user::spin-for")
    # A sample may fall between reading the form and calling it.
    assert 0.9 * result["samples"] <= spin["total"] <= result["samples"] and spin["self"] <= spin["total"]
    assert sum(each["self"] for each in result["flat"]) == result["samples"]
    assert not [name for name in names if "swank" in name or "descartes" in name]
    document = check_speedscope(result["speedscope"])
    assert {"name": "common-lisp-user::spin-for"} in document["shared"]["frames"]
    svg = Path(result["svg"]).read_text()
    assert boxes(svg)[0].startswith("all\n") and any("spin-for" in box for box in boxes(svg))
    assert "SPIN-FOR" in Path(result["report"]).read_text()
    assert Path(result["svg"]).parent.name == "profiles"


async def test_only_one_profile_at_once_and_it_ends(desk: Desk) -> None:
    with pytest.raises(errors.LispNotRunning):
        await desk.call("lisp.profileStop")
    assert (await desk.call("lisp.profileStart", mode="time"))["mode"] == "time"
    with pytest.raises(errors.InvalidParams, match="profileStop"):
        await desk.call("lisp.profileStart")
    with pytest.raises(errors.InvalidParams, match="profileStop"):
        await desk.call("lisp.profile", code="1")
    await desk.call("lisp.eval", code=WORK)
    await desk.call("lisp.eval", code="(spin-for 1/4)")
    result = await desk.call("lisp.profileStop")
    assert any("spin-for" in each["name"] for each in result["flat"])
    with pytest.raises(errors.NotFound, match="profileStart"):
        await desk.call("lisp.profileStop")


async def test_allocation_and_a_form_of_a_file(desk: Desk, workspace: Path) -> None:
    file = workspace / "work.lisp"
    file.write_text("(in-package :cl-user)\n(defun fill-up () (loop repeat 200000 collect (make-array 20)))\n"
                    "(length (fill-up))\n")  # fmt: skip
    await desk.call("lisp.loadFile", uri=uri_of(file))
    place = {"uri": uri_of(file), "position": {"line": 3, "column": 1}}
    result = await desk.call("lisp.profile", mode="alloc", **place)
    assert result["evaluation"]["values"] == ["200000"]
    assert any("fill-up" in each["name"] for each in result["flat"])
    assert check_speedscope(result["speedscope"])["profiles"][0]["unit"] == "none"


ENDS_WHILE_SAMPLES_ARE_COLLECTED = """
(defvar *worker* nil)
(defvar *ends* (sb-thread:make-semaphore))
(sb-int:encapsulate 'swank::eval-for-emacs 'slow
  (lambda (function &rest arguments)
    (multiple-value-prog1 (apply function arguments)
      (when (eq sb-thread:*current-thread* *worker*)
        (sb-thread:wait-on-semaphore *ends*)
        (sleep 1/20)))))
(sb-int:encapsulate 'sb-sprof:stop-profiling 'slow
  (lambda (function &rest arguments)
    (multiple-value-prog1 (apply function arguments)
      (sb-thread:signal-semaphore *ends*))))
(sb-int:encapsulate 'sb-thread::avltree-filter 'slow
  (lambda (function &rest arguments)
    (when *worker* (sb-thread:join-thread *worker* :default nil))
    (apply function arguments)))
(defun fill-up () (loop repeat 200000 collect (make-array 20)))
"""
"""SB-SPROF takes what ended threads left, then looks at those that run: here the thread of the evaluation
ends between the two."""


async def test_what_was_sampled_in_a_thread_that_ends_is_not_lost(desk: Desk) -> None:
    await desk.call("lisp.profile", code="1")
    await desk.call("lisp.eval", code=ENDS_WHILE_SAMPLES_ARE_COLLECTED)
    code = "(progn (setf *worker* sb-thread:*current-thread*) (length (fill-up)))"
    result = await desk.call("lisp.profile", mode="alloc", code=code)
    assert any("fill-up" in each["name"] for each in result["flat"])


async def test_one_that_stops_or_cannot_begin_leaves_no_profile_running(desk: Desk) -> None:
    stopped = await desk.call("lisp.profile", code='(error "here")')
    assert stopped["evaluation"]["state"] == "stopped"
    with pytest.raises(errors.NotFound):
        await desk.call("lisp.profile", uri="/nowhere.lisp", position={"line": 1, "column": 1})
    await desk.call("lisp.eval", code=WORK)
    asked = asyncio.create_task(desk.call("lisp.profile", code="(loop (spun 1000))"))
    evaluations = desk.context.services.image.evaluations
    await until(lambda: evaluations.newest_running("editor") is not None, "it runs")
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await desk.call("lisp.interrupt")
    assert (await desk.call("lisp.profileStart"))["mode"] == "cpu"
    await desk.call("lisp.profileStop")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("profileStart", {"mode": "luck"}),
        ("profileStart", {"threads": "all"}),
        ("profile", {}),
        ("profile", {"code": "1", "uri": "/a.lisp", "position": {"line": 1, "column": 1}}),
        ("profile", {"uri": "/a.lisp"}),
    ],
)
async def test_wrong_parameters(desk: Desk, operation: str, params: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidParams):
        await desk.call(f"lisp.{operation}", **params)


async def test_a_thread_that_is_not_there(desk: Desk) -> None:
    with pytest.raises(errors.NotFound, match=r"lisp\.threads"):
        await desk.call("lisp.profileStart", threads=[999_999_999])
    await desk.call("lisp.profileStart")
    await desk.call("lisp.profileStop")


def a_profile(*stacks: tuple[str, int]) -> Profile:
    made = tuple(Stack(1, "worker", tuple(names.split()), count) for names, count in stacks)
    return Profile("cpu", 2_000_000, 4000, made)


def test_what_samples_add_up_to() -> None:
    found = a_profile(("a b c", 3), ("a b", 2), ("a a", 1))
    assert [(each.name, each.self, each.total) for each in profile.flat(found)] == [
        ("c", 3, 3),
        ("b", 2, 5),
        ("a", 1, 6),
    ]


@pytest.mark.parametrize(
    ("frames", "own"),
    [
        ("sb-thread::run swank::x descartes-boot::call-user-code eval f g", "f g"),
        ("sb-thread::run g h", "g h"),
        ("eval f", "eval f"),
        ("sb-thread::run", "sb-thread::run"),
        ("", "elsewhere"),
    ],
)
def test_frames_around_the_users_code_are_left_out(frames: str, own: str) -> None:
    assert profile.own_frames(frames.split()) == tuple(own.split())


def test_a_request_that_is_only_served_is_no_part_of_a_program() -> None:
    answer = {
        "mode": "cpu",
        "elapsedUs": 1,
        "intervalUs": 4000,
        "frames": ["sb-thread::run", "swank::eval-for-emacs", "descartes-boot::call-user-code", "f"],
        "stacks": [
            {"thread": 1, "name": "worker", "frames": [0, 1], "count": 3},
            {"thread": 1, "name": "worker", "frames": [0, 1, 2, 3], "count": 2},
        ],
    }
    assert [(stack.frames, stack.count) for stack in profile.from_image(answer).stacks] == [(("f",), 2)]


def test_a_flame_graph_of_hostile_names_and_of_nothing() -> None:
    wild = a_profile(("a <script>&\"'é😀 b", 2), ("a b]]>", 1))
    assert "<script>&\"'é😀\n2 samples, 66.7 %" in boxes(flame_graph.svg(wild, "]]> & <x>"))
    assert boxes(flame_graph.svg(a_profile(), "nothing")) == []
    assert flame_graph.svg(wild, "t") == flame_graph.svg(wild, "t")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("zoo::feed", "feed"),
        ("(flet zoo::g :in zoo::f)", "g in f"),
        ("(lambda (x zoo::y) :in zoo::f)", "lambda in f"),
        ("zoo::draw (:around integer)", "draw (:around integer)"),
        ("(setf zoo::b)", "(setf b)"),
        ("memcpy", "memcpy"),
        (":in", ":in"),
    ],
)
def test_a_box_shows_a_short_name(name: str, shown: str) -> None:
    picture = flame_graph.svg(Profile("cpu", 1, 4000, (Stack(1, "", (name,), 1),)), "t")
    assert f'data-n="{shown}"' in picture


def test_a_deep_stack_and_many_narrow_boxes() -> None:
    deep = a_profile((" ".join(f"f{number}" for number in range(3000)), 1))
    assert len(boxes(flame_graph.svg(deep, "deep"))) == 3001
    many = a_profile(*((f"a f{number}", 1) for number in range(5000)))
    assert len(boxes(flame_graph.svg(many, "many"))) == 2
