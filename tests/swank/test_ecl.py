"""A session with ECL, which is no SBCL: by Swank's own calls alone, and what is missing said by name."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from descartes_swank import ImageSettings, Lisp, Unsupported, start_plain_image, stop_image
from descartes_swank.errors import NotFound, TimedOut
from descartes_swank.evaluation import Evaluation
from descartes_swank.image import ImageRecord
from support.session import patient
from support.until import answer_that

# The first start on a machine compiles Swank through C.
pytestmark = pytest.mark.timeout(300)
DEADLINE_S = 60
_ids = itertools.count(1)


@pytest.fixture
def ecl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRecord]:
    """An image for each test: one in which connections come and go may stop answering, on a busy machine."""
    folder = tmp_path_factory.mktemp("ecl")
    settings = ImageSettings(command=("ecl",), load_init=False, workspace=folder)
    record = asyncio.run(start_plain_image(settings, folder, folder / "lisp.log"))
    yield record
    asyncio.run(stop_image(record))


@pytest.fixture
async def lisp(ecl: ImageRecord) -> AsyncIterator[Lisp]:
    async with await Lisp.open(ecl.host, ecl.port, secret=ecl.secret) as session:
        yield session


async def paused(evaluation: Evaluation) -> Evaluation:
    await asyncio.wait_for(evaluation.paused_or_settled(), DEADLINE_S)
    return evaluation


async def evaluated(lisp: Lisp, code: str, package: str | None = None) -> Evaluation:
    return await paused(await lisp.start_evaluation(code, id=f"eval_{next(_ids)}", package=package))


async def test_evaluation(lisp: Lisp) -> None:
    assert lisp.info.implementation == "ECL"
    result = await lisp.eval('(princ "hi") (values (+ 1 2) :b "ä😀")')
    assert result.values == ["3", ":B", '"ä😀"'] and result.output == "hi"
    assert (await lisp.eval("(list * ** ***)")).values[0].startswith("(3 ")


async def test_nothing_of_ours_is_loaded(lisp: Lisp) -> None:
    assert (await lisp.eval('(find-package "DESCARTES-BOOT")')).values == ["NIL"]


async def test_a_package_is_the_clients_own(lisp: Lisp) -> None:
    await lisp.eval('(unless (find-package "ECLTEST") (make-package "ECLTEST" :use (list "CL")))')
    one = await paused(await lisp.start_evaluation('(in-package "ECLTEST")', id="p1", client="one"))
    assert one.package == "ECLTEST"
    again = await paused(await lisp.start_evaluation("*package*", id="p2", client="one"))
    other = await paused(await lisp.start_evaluation("*package*", id="p3", client="two"))
    assert "ECLTEST" in again.values[0] and "COMMON-LISP-USER" in other.values[0]


async def test_restarts(lisp: Lisp) -> None:
    code = '(restart-case (error "no way") (use-value (v) :report "Use it." v))'
    stopped = await evaluated(lisp, code)
    assert stopped.stop is not None
    stop = lisp.stops[stopped.stop]
    assert stop.condition.message == "no way" and stop.condition.type == "SIMPLE-ERROR"
    assert stop.restarts[0].name == "USE-VALUE" and stop.frames
    await lisp.frame(*stop.id, 0)
    await lisp.invoke_restart(*stop.id, name="USE-VALUE", arguments=["(* 6 7)"])
    await asyncio.wait_for(stopped.settled(), DEADLINE_S)
    assert stopped.state == "done" and stopped.values == ["42"] and lisp.stops == {}


async def test_a_nested_stop_and_the_way_out(lisp: Lisp) -> None:
    outer = await evaluated(lisp, '(error "outer")')
    assert outer.stop is not None
    inner = await paused(await lisp.start_evaluation_in_frame(*outer.stop, 0, '(error "inner")', id="in1"))
    assert inner.stop is not None and inner.stop[1] == 2
    await lisp.toplevel(*inner.stop)
    await asyncio.wait_for(outer.settled(), DEADLINE_S)
    assert (outer.state, inner.state) == ("aborted", "aborted") and lisp.stops == {}


async def test_an_endless_loop_is_interrupted(lisp: Lisp) -> None:
    for number in range(20):  # also one whose thread may not have come to it yet
        running = await lisp.start_evaluation("(loop)", id=f"loop{number}")
        await lisp.interrupt(evaluation=running.id)
        await paused(running)
        assert running.stop is not None
        await lisp.abort(*running.stop)
        await asyncio.wait_for(running.settled(), DEADLINE_S)
        assert running.state == "aborted" and lisp.stops == {}


async def test_the_evaluation_that_is_meant_is_interrupted(lisp: Lisp) -> None:
    older = await lisp.start_evaluation("(loop)", id="older1", client="one")
    newer = await lisp.start_evaluation("(loop)", id="newer1", client="two")
    for each in (older, newer):
        await lisp.interrupt(evaluation=each.id)
        await paused(each)
        assert each.stop is not None
        await lisp.abort(*each.stop)
        await asyncio.wait_for(each.settled(), DEADLINE_S)
    with pytest.raises(NotFound, match="no running evaluation 'older1'"):
        await lisp.interrupt(evaluation="older1")


async def test_a_stop_is_shown_whose_thread_answers_late(lisp: Lisp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descartes_swank.portable.ANSWER_S", 0.5)
    await lisp.eval(
        "(progn (defvar *late* t)"
        " (defun swank:frame-source-location (n) (loop while *late* do (sleep 0.1)) (list :error n)))"
    )
    stopped = await evaluated(lisp, '(error "late")')
    assert stopped.stop is not None
    stop = lisp.stops[stopped.stop]
    assert stop.frames and all(frame.location is None for frame in stop.frames)
    with pytest.raises(TimedOut, match=r"did not answer within 0\.5 s"):
        await lisp.frame(*stop.id, 0)
    await lisp.eval("(setf *late* nil)")
    await lisp.abort(*stop.id)
    await asyncio.wait_for(stopped.settled(), DEADLINE_S)
    assert stopped.state == "aborted"


async def test_an_interrupt_that_swank_leaves_lying_is_taken(lisp: Lisp) -> None:
    await lisp.connection.rex("(cl:defparameter cl-user::*step* 0)")
    # As while a thread sends a message: Swank keeps the interrupt, and looks for it when it waits next.
    sending = (
        "(progn (swank::without-slime-interrupts"
        " (setf *step* 1) (loop until (and (= *step* 2) swank::*pending-slime-interrupts*)))"
        " (setf *step* 3) (loop))"
    )
    running = await lisp.start_evaluation(sending, id="lying1")
    await answer_that(lambda step: step == 1, lambda: lisp.connection.rex("cl-user::*step*"), "it sends")
    await lisp.interrupt(evaluation="lying1")
    await lisp.connection.rex("(cl:setf cl-user::*step* 2)")
    await paused(running)
    assert running.stop is not None and running.stop[1] == 1
    assert await lisp.connection.rex("cl-user::*step*") == 3
    assert list(lisp.stops) == [running.stop]
    await lisp.abort(*running.stop)
    await asyncio.wait_for(running.settled(), DEADLINE_S)
    assert running.state == "aborted" and lisp.stops == {}


async def test_compilation(lisp: Lisp, tmp_path: Path) -> None:
    file = tmp_path / "ecl.lisp"
    file.write_text(';; é😀\n(defun ecl-one (x)\n  "One."\n  (list x ecl-oops))\n\n(defun ecl-two () 5)\n')
    compiled = await paused(await lisp.compile_file(file, id="c1", load=True))
    assert compiled.state == "done" and compiled.success
    assert any("ECL-OOPS was undefined" in note.message for note in compiled.notes)
    assert all(note.file == str(file) for note in compiled.notes)
    assert (await lisp.eval("(ecl-two)")).values == ["5"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ecl.lisp"]
    form = await paused(
        await lisp.compile_string("(defun ecl-two () 6)", id="c2", file=str(file), position=60, package=None)
    )
    assert form.success and (await lisp.eval("(ecl-two)")).values == ["6"]
    loaded = await paused(await lisp.load_file(file, id="c3"))
    assert loaded.state == "done" and (await lisp.eval("(ecl-two)")).values == ["5"]


async def test_questions(lisp: Lisp, tmp_path: Path) -> None:
    file = tmp_path / "asked.lisp"
    file.write_text(';; é😀\n(defun ecl-asked (x &optional y)\n  "Its text."\n  (list x y))\n')
    await paused(await lisp.compile_file(file, id="q1", load=True))
    questions = patient(lisp.questions())
    labels = [each.label for each in await questions.completions("multiple-value-b", "CL-USER")]
    assert labels == ["multiple-value-bind"]
    assert "OPTIONAL" in str(await questions.arglist("ecl-asked", "CL-USER")).upper()
    (definition,) = await questions.definitions("ecl-asked", "CL-USER")
    assert definition.file == str(file)
    found = await questions.symbol("ecl-asked", "CL-USER")
    assert found is not None and "Its text." in str(found.documentation)
    assert await questions.symbol("ecl-no-such-symbol", "CL-USER") is None
    assert "CAR" in await questions.describe("car", "CL-USER")
    assert any("ECL-ASKED" in each.label for each in await questions.apropos("ecl-asked"))
    assert await questions.definitions("no such ) name", "CL-USER") == [] and lisp.stops == {}


async def test_what_it_lacks_is_said_by_name(lisp: Lisp) -> None:
    stopped = await evaluated(lisp, '(error "x")')
    assert stopped.stop is not None
    with pytest.raises(Unsupported, match="ECL's Swank has no returning from a frame; use SBCL for it"):
        await lisp.return_from_frame(*stopped.stop, 0, "1")
    with pytest.raises(Unsupported, match="calling a frame again"):
        await lisp.restart_frame(*stopped.stop, 0)
    with pytest.raises(Unsupported, match="`inspect-text`"):
        await lisp.inspect("(list 1 2)")
    await lisp.toplevel(*stopped.stop)


async def test_a_wrong_secret_is_refused(ecl: ImageRecord) -> None:
    with pytest.raises(Exception, match="the secret is wrong"):
        await Lisp.open(ecl.host, ecl.port, secret="wrong")
