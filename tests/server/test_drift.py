"""Drift on a real image: what each definition's text is against what was loaded, whoever loaded it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import descartes_swank as swank
from descartes_server.operations.image import Image
from descartes_server.operations.texts import uri_of
from support.lisp_desk import Desk, lisp_desk

TEXT = """\
(defpackage :shapes (:use :cl))
(in-package :shapes)

(defvar *scale* 1 "How large.")
(defparameter *colour* :red)
(defclass circle () ((radius :initarg :radius :reader radius)))
(defstruct point x y)
(define-condition too-large (error) ())
(deftype small () '(integer 0 9))
(defgeneric area (shape &key &allow-other-keys))
(defmethod area ((shape circle) &key) (* pi (expt (radius shape) 2)))
(defmethod area :around ((shape circle) &key) (* *scale* (call-next-method)))
(defmethod area ((shape (eql :none)) &key) 0)
(defun half (x) (/ x 2))
(defun (setf half) (new x) (list new x))
(defmacro twice (form) `(progn ,form ,form))
(define-compiler-macro half (x) `(/ ,x 2))
(define-symbol-macro one 1)
(defsetf kept (x) (new) `(list ,x ,new))
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun helper () :helps))
(let ((count 0))
  (defun next () (incf count))
  (defun reset () (setf count 0)))
#+sbcl (defun only-here () :sbcl)
#-sbcl (defun only-there () :other)
"""


@pytest.fixture
async def desk(workspace: Path, isolated_environment: Path) -> AsyncIterator[Desk]:
    async with lisp_desk(workspace) as made:
        yield made


async def test_every_kind_of_definition_is_loaded_with_its_file_and_changed_by_an_edit(
    desk: Desk, workspace: Path
) -> None:
    file = workspace / "shapes.lisp"
    file.write_text(TEXT, encoding="utf-8")
    assert set((await desk.drift(file)).values()) == {"missing"}
    assert (await desk.call("lisp.compileFile", uri=uri_of(file)))["success"]
    states = await desk.drift(file)
    assert "only-there" not in states and len(states) == 20
    assert {name for name, state in states.items() if state != "loaded"} == set()
    commented = TEXT.replace("(/ x 2)", "(/ x ; half\n  2)").replace("DEFUN", "defun")
    assert set((await desk.drift(file, commented)).values()) == {"loaded"}
    edited = (
        TEXT.replace("(expt (radius shape) 2)", "(expt (radius shape) 3)")
        .replace("((count 0))", "((count 1))")
        .replace(":helps", ":helped")
        .replace("(defstruct point x y)", "(defstruct point x y z)")
    )
    changed = {name for name, state in (await desk.drift(file, edited)).items() if state == "changed"}
    assert changed == {"area(circle)", "next", "reset", "helper", "point"}


async def test_what_nobody_saw_is_unknown_and_what_is_gone_is_told(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text("(defun f () 1)\n(defvar *v* 1)\n(defclass c () ())\n(defun g () 2)\n", encoding="utf-8")
    await desk.call("lisp.eval", code=f'(load "{file}")')
    assert await desk.drift(file) == dict.fromkeys(["f", "*v*", "c", "g"], "unknown")
    await desk.call("lisp.compileFile", uri=uri_of(file))
    # A variable that was bound keeps its value, and nobody saw where that came from.
    assert await desk.drift(file) == {"f": "loaded", "*v*": "unknown", "c": "loaded", "g": "loaded"}
    await desk.call("lisp.eval", code=f'(load "{file}")')
    assert set((await desk.drift(file)).values()) == {"unknown"}
    await desk.call("lisp.loadFile", uri=uri_of(file))
    less = "(defun f () 1)\n(defvar *v* 1)\n(defclass c () ())\n"
    result = await desk.call("lisp.drift", uri=uri_of(file), document={"version": 1, "text": less})
    assert [each["name"] for each in result["removed"]] == ["g"]
    await desk.call("lisp.eval", code="(fmakunbound 'g)")
    result = await desk.call("lisp.drift", uri=uri_of(file), document={"version": 1, "text": less})
    assert result["removed"] == []


async def test_a_variable_that_keeps_its_value_stays_changed(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text("(defvar *v* 1)\n(defparameter *p* 1)\n", encoding="utf-8")
    await desk.call("lisp.compileFile", uri=uri_of(file))
    file.write_text('(defvar *v* 1 "documented")\n(defparameter *p* 2)\n', encoding="utf-8")
    assert set((await desk.drift(file)).values()) == {"changed"}
    await desk.call("lisp.compileFile", uri=uri_of(file))
    assert set((await desk.drift(file)).values()) == {"loaded"}
    file.write_text('(defvar *v* 2 "documented")\n(defparameter *p* 2)\n', encoding="utf-8")
    await desk.call("lisp.compileFile", uri=uri_of(file))
    assert await desk.drift(file) == {"*v*": "changed", "*p*": "loaded"}


async def test_evaluating_a_defvar_gives_it_the_value_of_its_text(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text("(in-package :cl-user)\n(defvar *v* 1)\n(defvar *unbound*)\n", encoding="utf-8")
    await desk.call("lisp.compileFile", uri=uri_of(file))
    file.write_text("(in-package :cl-user)\n(defvar *v* 2)\n(defvar *unbound*)\n", encoding="utf-8")
    for line in (2, 3):
        answer = await desk.call("lisp.evalForm", uri=uri_of(file), position={"line": line, "column": 3})
        assert answer["state"] == "done"
    assert (await desk.call("lisp.eval", code="*v*"))["values"] == ["2"]
    assert set((await desk.drift(file)).values()) == {"loaded"}


async def test_evaluations_count_in_whatever_package_they_were(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text("(defpackage :p (:use :cl))\n(in-package :p)\n(defun f () 1)\n", encoding="utf-8")
    await desk.call("lisp.eval", code="(defpackage :p (:use :cl))")
    await desk.call("lisp.eval", code="(defun f () 1)")
    assert await desk.drift(file) == {"p": "loaded", "f": "missing"}
    await desk.call("lisp.eval", code="(in-package :p)")
    await desk.call("lisp.eval", code="(eval (list 'defun 'f '() 1))")
    assert (await desk.drift(file))["f"] == "unknown"
    await desk.call("lisp.eval", code="(defun f () 1)")
    assert (await desk.drift(file))["f"] == "loaded"
    await desk.call("lisp.evalForm", uri=uri_of(file), position={"line": 3, "column": 1})
    assert (await desk.drift(file))["f"] == "loaded"


async def test_a_load_that_breaks_off_leaves_what_it_had_made(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text('(defun f () 1)\n(error "half way")\n(defun g () 2)\n', encoding="utf-8")
    stopped = await desk.call("lisp.loadFile", uri=uri_of(file))
    assert stopped["state"] == "stopped"
    await desk.call("debugger.toplevel", **stopped["debugger"])
    assert await desk.drift(file) == {"f": "loaded", "g": "missing"}


async def test_the_marks_outlive_the_hub_and_end_with_the_image(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text("(defun f () 1)\n", encoding="utf-8")
    await desk.call("lisp.compileFile", uri=uri_of(file))
    services = desk.context.services
    old = services.image
    await old.detach()
    services.image = Image(
        services.store, lambda m, p: None, old._ask_client, old.places, lambda: services.settings.lisp
    )
    await services.image.take_up()
    assert await desk.drift(file) == {"f": "loaded"}
    await desk.call("lisp.restart")
    assert await desk.drift(file) == {"f": "missing"}


async def test_files_that_asdf_loads_are_seen(desk: Desk, workspace: Path) -> None:
    (workspace / "lib.asd").write_text(
        '(defsystem "lib" :serial t :components ((:file "package") (:file "code")))\n', encoding="utf-8"
    )
    package, code = workspace / "package.lisp", workspace / "code.lisp"
    package.write_text("(defpackage :lib (:use :cl))\n", encoding="utf-8")
    code.write_text("(in-package :lib)\n(defun f () 1)\n(defun ü () 2)\n", encoding="utf-8")
    done = await desk.call(
        "lisp.eval", code=f'(progn (asdf:load-asd "{workspace}/lib.asd") (asdf:load-system "lib"))'
    )
    assert done["state"] == "done"
    assert await desk.drift(package) == {"lib": "loaded"}
    assert await desk.drift(code) == {"f": "loaded", "ü": "loaded"}
    # As after a checkout of another branch.
    code.write_text("(in-package :lib)\n(defun f () 3)\n(defun ü () 2)\n", encoding="utf-8")
    assert await desk.drift(code) == {"f": "changed", "ü": "loaded"}
    everything = (await desk.call("lisp.drift"))["forms"]
    assert [(each["name"], each["state"]) for each in everything] == [
        ("f", "changed"),
        ("ü", "loaded"),
        ("lib", "loaded"),
    ]


async def test_another_swank_client_makes_it_unknown(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text("(defun f () 1)\n", encoding="utf-8")
    await desk.call("lisp.compileFile", uri=uri_of(file))
    record = swank.read_record(desk.context.services.image.places.runtime)
    assert record is not None
    async with asyncio.timeout(60):
        async with swank.connect(record.host, record.port, record.secret) as other:
            await other.eval("(defun f () 1)")
    assert await desk.drift(file) == {"f": "unknown"}


async def test_load_changed_loads_exactly_what_drifted(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    text = "(defvar *v* 1)\n(defun f () 1)\n(defun g () 2)\n(let ((n 0)) (defun h () n) (defun i () n))\n"
    file.write_text(text, encoding="utf-8")
    await desk.call("lisp.compileFile", uri=uri_of(file))
    file.write_text(
        text.replace("*v* 1", "*v* 5").replace("() 2", "() 3") + "(defun j () 4)\n", encoding="utf-8"
    )
    done = await desk.call("lisp.loadChanged", uri=uri_of(file))
    assert done["success"] and done["state"] == "done"
    assert [each["message"] for each in done["notes"]] == [
        "*v* was bound and has been given the value of its new text"
    ]
    assert set((await desk.drift(file)).values()) == {"loaded"}
    result = await desk.call("lisp.eval", code="(list *v* (f) (g) (j))")
    assert result["values"] == ["(5 1 3 4)"]
    compiled = [event.data["code"] for event in await desk.events("lisp.compiled")]
    assert compiled[1:] == ["(defvar *v* 5)", "(defun g () 3)", "(defun j () 4)"]
    again = await desk.call("lisp.loadChanged")
    assert again["success"] and len(await desk.events("lisp.compiled")) == 4


async def test_load_changed_stops_where_loading_stops(desk: Desk, workspace: Path) -> None:
    file = workspace / "f.lisp"
    file.write_text('(defun f () 1)\n(defparameter *p* (error "no"))\n(defun g () 2)\n', encoding="utf-8")
    done = await desk.call("lisp.loadChanged", uri=uri_of(file))
    assert done["state"] == "stopped" and not done["success"]
    await desk.call("debugger.abort", **done["debugger"])
    assert await desk.drift(file) == {"f": "loaded", "*p*": "missing", "g": "missing"}
    one = await desk.call("lisp.loadChanged", uri=uri_of(file), position={"line": 3, "column": 4})
    assert one["success"] and (await desk.drift(file))["g"] == "loaded"


async def test_load_changed_goes_by_the_order_of_systems(desk: Desk, workspace: Path) -> None:
    (workspace / "a.asd").write_text(
        '(defsystem "a" :depends-on ("z") :serial t :components ((:file "m") (:file "b")))\n',
        encoding="utf-8",
    )
    (workspace / "z.asd").write_text('(defsystem "z" :components ((:file "y")))\n', encoding="utf-8")
    for name in ("b", "m", "y", "other"):
        (workspace / f"{name}.lisp").write_text(f"(defun in-{name} () 1)\n", encoding="utf-8")
        await desk.call("lisp.loadFile", uri=uri_of(workspace / f"{name}.lisp"))
        (workspace / f"{name}.lisp").write_text(f"(defun in-{name} () 2)\n", encoding="utf-8")
    assert (await desk.call("lisp.loadChanged"))["success"]
    compiled = [event.data["code"].split()[1] for event in await desk.events("lisp.compiled")]
    assert compiled == ["in-y", "in-m", "in-b", "in-other"]


async def test_a_definition_with_a_breakpoint_has_the_text_that_it_has_without(
    desk: Desk, workspace: Path
) -> None:
    file = workspace / "f.lisp"
    file.write_text("(defun f (x)\n  (list x\n        (1+ x)))\n(defun g () 2)\n", encoding="utf-8")
    await desk.call("lisp.compileFile", uri=uri_of(file))
    found = await desk.call("debugger.breakpoints.set", uri=uri_of(file), position={"line": 3, "column": 9})
    assert found["verified"]
    await desk.call("debugger.breakpoints.set", symbol="g")
    assert await desk.drift(file) == {"f": "loaded", "g": "loaded"}
    stopped = await desk.call("lisp.eval", code="(f 1)")
    assert stopped["state"] == "stopped"
    await desk.call("debugger.toplevel", **stopped["debugger"])
    assert (await desk.call("lisp.compare", other="replay"))["definitions"] == []
    await desk.call("debugger.breakpoints.clear", id=found["id"])
    assert await desk.drift(file) == {"f": "loaded", "g": "loaded"}
