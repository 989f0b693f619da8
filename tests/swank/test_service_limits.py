"""Questions that take long, come in at the wrong door, or have no method of their own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from descartes_swank.errors import InvalidParams, LispLost, NotFound, TimedOut
from descartes_swank.image import ImageRecord
from descartes_swank.service import ServiceQuestions
from support.asking import PATIENT_MS, USER, Asked, asked
from support.images import Preparation, preparing

__all__ = ["asked"]


SLEEPER = (
    "(defclass sleeper () ()) (defmethod print-object ((s sleeper) o) (loop))"
    " (defvar *s* (make-instance 'sleeper))"
)


GATED = (
    "(defparameter *open* nil) (defparameter *described* (list 0)) (defclass gated () ())"
    " (defmethod print-object ((it gated) out) (sb-ext:atomic-incf (car *described*))"
    ' (loop until *open* do (sleep 0.01)) (write-string "a gated thing" out))'
    " (defvar *gated* (make-instance 'gated))"
)
"""A variable that can be described once `*open*` is true, and how often that has begun."""


class TestLimits:
    async def test_the_deadline_ends_the_work(self, asked: Asked) -> None:
        await asked.prepare.evaluate(SLEEPER)
        impatient = await asked.limited(100)
        with pytest.raises(TimedOut, match="in time"):
            await impatient.symbol("*s*", USER)
        assert await asked.questions.arglist("car", USER) == "(car list)"

    async def test_cancelling_ends_the_work_and_holds_up_nothing(self, asked: Asked) -> None:
        await asked.prepare.evaluate(SLEEPER)
        patient = await asked.limited(PATIENT_MS)
        tasks = [asyncio.create_task(patient.symbol("*s*", USER)) for _ in range(3)]
        assert await patient.arglist("car", USER) == "(car list)"
        for task in tasks:
            task.cancel()
        assert {type(result) for result in await asyncio.gather(*tasks, return_exceptions=True)} == {
            asyncio.CancelledError
        }
        # Their threads are free again: as many questions as there are threads are answered at once.
        answers = await asyncio.gather(*(patient.arglist("car", USER) for _ in range(8)))
        assert answers == ["(car list)"] * 8

    async def test_a_long_question_holds_up_no_short_one(self, asked: Asked) -> None:
        await asked.prepare.evaluate(GATED)
        describe = {"question": "described", "name": "*gated*", "package": USER}
        long = [asyncio.create_task(asked.questions.relay(describe)) for _ in range(5)]
        await asked.prepare.evaluate("(loop until (<= 3 (car *described*)) do (sleep 0.01))")
        assert await asked.questions.arglist("car", USER) == "(car list)"
        assert not any(each.done() for each in long)
        await asked.prepare.evaluate("(setf *open* t)")
        assert all("gated thing" in found for found in await asyncio.gather(*long))

    async def test_many_at_once_get_their_own_answers(self, asked: Asked) -> None:
        names = ["car", "cdr", "cons", "list", "mapcar", "nope"] * 50
        answers = await asyncio.gather(*(asked.questions.arglist(name, USER) for name in names))
        assert [str(answer).split()[0].strip("()") for answer in answers] == [
            name if name != "nope" else "None" for name in names
        ]


class TestDoor:
    def test_only_this_user_can_open_it(self, own_image: ImageRecord) -> None:
        assert Path(own_image.service_socket).stat().st_mode & 0o777 == 0o600

    async def test_hanging_up_ends_what_is_asked(self, own_image: ImageRecord) -> None:
        async with preparing(own_image.port, own_image.secret) as prepare:
            await prepare.evaluate(SLEEPER)
            questions = await ServiceQuestions.open(own_image.service_socket, deadline_ms=PATIENT_MS)
            asking = asyncio.create_task(questions.symbol("*s*", USER))
            assert await questions.arglist("car", USER) == "(car list)"
            await questions.close()
            with pytest.raises(LispLost):
                await asking
            with pytest.raises(LispLost):
                await questions.arglist("car", USER)
            await _wait_for(prepare, "(length descartes-service::*questions*)", "0")
            await _wait_for(prepare, "descartes-service::*clients*", "0")

    async def test_nonsense_is_answered_and_not_fatal(self, own_image: ImageRecord) -> None:
        reader, writer = await asyncio.open_unix_connection(own_image.service_socket)
        nonsense = (
            b"\xff\xfe",
            b"{",
            b"[1]",
            b"17",
            b'{"id":1}',
            b'{"id":2,"question":"nope"}',
            b"[" * 2000000,
        )
        for line in nonsense:
            writer.write(line + b"\n")
            assert b'"error"' in await asyncio.wait_for(reader.readline(), 60), line[:40]
        writer.write(b'{"id":3,"question":"arglist","name":"c\\u0061r","package":null}\n')
        assert await asyncio.wait_for(reader.readline(), 60) == b'{"id":3,"answer":"(car list)"}\n'
        writer.close()

    async def test_a_question_waits_for_no_delayed_acknowledgement(self, own_image: ImageRecord) -> None:
        questions = await ServiceQuestions.open(own_image.service_socket)
        times = []
        for _ in range(300):
            start = time.perf_counter()
            assert await questions.symbol("mapcar", USER)
            times.append(time.perf_counter() - start)
        await questions.close()
        # With it each of them takes 40 ms; a busy machine holds up some, never nearly all.
        assert sorted(times)[30] < 0.03


async def _wait_for(prepare: Preparation, form: str, value: str) -> None:
    until = time.monotonic() + 60
    while (found := await prepare.evaluate(form)) != value:
        assert time.monotonic() < until, f"{form} is still {found}, not {value}"


class TestRelay:
    """What has no method of its own here, such as tracing, goes the same two ways."""

    async def test_a_trace_on_either_image(self, asked: Asked) -> None:
        await asked.prepare.evaluate("(defun cl-user::traced-one (x) (list x))")
        relay = asked.questions.relay
        traced = await relay({"question": "trace", "name": "traced-one", "package": USER})
        assert "common-lisp-user::traced-one" in traced["traced"]
        await asked.prepare.evaluate("(cl-user::traced-one 5)")
        (call,) = (await relay({"question": "calls"}))["calls"]
        assert (call["form"], call["values"], call["exit"]) == ("(traced-one 5)", ["(5)"], "normal")
        assert (await relay({"question": "untraceAll", "forget": True}))["traced"] == []

    async def test_threads_and_an_expansion_on_either_image(self, asked: Asked) -> None:
        relay = asked.questions.relay
        names = [each["name"] for each in await relay({"question": "threads"})]
        assert "main thread" in names
        expansion = await relay({"question": "expansion", "code": "(when a b)", "package": USER})
        assert expansion["expanded"] and expansion["text"].startswith("(if a")

    async def test_a_refusal_has_its_code(self, asked: Asked) -> None:
        relay = asked.questions.relay
        with pytest.raises(NotFound, match="mapcar"):
            await relay({"question": "described", "name": "mapcra", "package": USER})
        with pytest.raises(InvalidParams):
            await relay({"question": "trace", "name": "when", "package": USER})
