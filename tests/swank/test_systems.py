"""Systems in an image that somebody else started: our code for them is sent when it is first needed."""

from __future__ import annotations

from pathlib import Path

from descartes_swank import system_report
from descartes_swank import test_outcome as outcome_of
from support.session import new_id, session
from support.stock_swank import StockSwank


async def test_a_stock_image_loads_the_systems_of_the_workspace(
    stock_image: StockSwank, tmp_path: Path
) -> None:
    workspace, fasls = tmp_path / "w é", tmp_path / "fasls"
    workspace.mkdir()
    (workspace / "tiny.asd").write_text('(defsystem "tiny" :components ((:file "a")))')
    (workspace / "a.lisp").write_text(";; é😀\n(defun tiny-a (x) (list 1 oops))\n", encoding="utf-8")
    async with session(stock_image.port) as here:
        await here.lisp.serve_workspace(workspace, fasls)
        loaded = await here.lisp.operate_on_system("tiny", "load-op", id=new_id())
        await here.settled(loaded)
        assert loaded.success
        assert system_report(loaded.report).files == (str(workspace / "a.lisp"),)
        text = (workspace / "a.lisp").read_text(encoding="utf-8")
        assert {text[note.start : note.end] for note in loaded.notes} == {"x", "oops"}
        known = {each.name: each for each in await here.lisp.known_systems()}
        assert known["tiny"].loaded and known["tiny"].file == str(workspace / "tiny.asd")
        assert await here.lisp.registered_tests(["NO-SUCH-PACKAGE"]) == []
        tested = await here.lisp.run_test_op("tiny", id=new_id())
        await here.settled(tested)
        (reported,) = here.recorder.all("reported")
        outcome = outcome_of(reported)
        assert outcome is not None and (outcome.test.name, outcome.status) == ("tiny", "passed")
        assert list(fasls.rglob("a.fasl")) and not list(workspace.rglob("*.fasl"))
