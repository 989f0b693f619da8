"""Systems of a workspace: found before installed ones, loaded with notes, reloaded, missing ones named."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from descartes_core import errors
from descartes_server.operations.context import Context
from descartes_server.operations.texts import uri_of
from support.desk import Desk, desk
from support.until import until

__all__ = ["desk"]

SHAPES = ";; é😀€\r\n(in-package #:shapes)\r\n\r\n(defun area (w h)\r\n\t(list oops 😀) (* w h))\r\n"


def write(folder: Path, **files: str) -> None:
    """Write FILES into FOLDER; `_asd` at the end of a name is the suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        suffix = ".asd" if name.endswith("_asd") else ".lisp"
        (folder / f"{name.removesuffix('_asd')}{suffix}").write_bytes(text.encode())


def shapes(folder: Path, text: str = SHAPES) -> None:
    write(
        folder,
        shapes_asd='(defsystem "shapes" :serial t :components ((:file "package") (:file "area")))',
        package="(defpackage #:shapes (:use #:cl))\n",
        area=text,
    )


def marked(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the severity and the marked text of each note of RESULT."""
    found = []
    for note in result["notes"]:
        path = Path(note["uri"].removeprefix("file://").replace("%C3%A4", "ä").replace("%20", " "))
        start, end = note["range"]["start"], note["range"]["end"]
        line = path.read_bytes().decode().split("\n")[start["line"] - 1]
        assert start["line"] == end["line"]
        found.append((note["severity"], line[start["column"] - 1 : end["column"] - 1]))
    return found


def names_of(result: dict[str, Any]) -> list[str]:
    return [uri.rpartition("/")[2] for uri in result["files"]]


async def test_a_system_is_loaded_with_notes_at_their_places(desk: Desk, workspace: Path) -> None:
    shapes(workspace / "deep ä" / "er")
    loaded = await desk.call("lisp.loadSystem", system="shapes")
    assert (loaded["success"], loaded["state"]) == (True, "done")
    assert names_of(loaded) == ["package.lisp", "area.lisp"]
    assert sorted(marked(loaded)) == [("warning", "oops"), ("warning", "😀")]
    assert not list(workspace.rglob("*.fasl"))
    (event,) = await desk.events("lisp.loaded")
    assert event.data["code"] == '(asdf:load-system "shapes")'
    again = await desk.call("lisp.loadSystem", system="SHAPES")
    assert again["success"] and again["files"] == []


async def test_the_workspace_comes_before_what_is_installed(desk: Desk, workspace: Path) -> None:
    source = '(namestring (asdf:system-source-file "alexandria"))'
    (installed,) = await desk.values(source)
    assert "/usr/share" in installed
    assert (await desk.call("lisp.loadSystem", system="alexandria"))["success"]
    write(
        workspace / "vendor" / "alexandria",
        alexandria_asd='(defsystem "alexandria" :version "99" :components ((:file "mine")))',
        mine="(defpackage #:mine (:use #:cl))\n(in-package #:mine)\n(defun mine () :mine)\n",
    )
    loaded = await desk.call("lisp.loadSystem", system="alexandria")
    assert names_of(loaded) == ["mine.lisp"]
    assert await desk.values("(mine::mine)") == [":MINE"]
    # Also for what is evaluated, not only for our own operations.
    (own,) = await desk.values(source)
    assert "vendor/alexandria/alexandria.asd" in own
    (listed,) = (await desk.call("lisp.systems"))["systems"]
    assert (listed["name"], listed["loaded"]) == ("alexandria", True)
    everything = (await desk.call("lisp.systems", all=True))["systems"]
    assert {"cl-ppcre", "alexandria"} <= {each["name"] for each in everything}


async def test_a_system_that_its_file_is_not_named_after(desk: Desk, workspace: Path) -> None:
    write(
        workspace,
        one_asd='(defsystem "one" :components ())\n(defsystem "other-tests" :components ((:file "o")))',
        o="(defvar cl-user::*other* 1)\n",
    )
    loaded = await desk.call("lisp.loadSystem", system="other-tests")
    assert loaded["success"] and names_of(loaded) == ["o.lisp"]


async def test_what_is_missing_is_named(desk: Desk, workspace: Path) -> None:
    write(workspace, needy_asd='(defsystem "needy" :depends-on ("cl-no-such-thing"))')
    with pytest.raises(errors.NotFound, match=r"'cl-no-such-thing', which 'needy' needs") as missing:
        await desk.call("lisp.loadSystem", system="needy")
    assert missing.value.data["system"] == "cl-no-such-thing"
    with pytest.raises(errors.NotFound, match="none named 'nosuch'"):
        await desk.call("lisp.loadSystem", system="nosuch")
    for name in ("", "  ", "*", "a?b", "x\ny", "y" * 1000, "[a]"):
        with pytest.raises(errors.InvalidParams, match="name of a system"):
            await desk.call("lisp.loadSystem", system=name)
    write(workspace, needy_asd='(defsystem "needy" :components ((:file "absent")))')
    stopped = await desk.call("lisp.loadSystem", system="needy")
    assert stopped["state"] == "stopped"
    assert (await desk.call("debugger.toplevel", **stopped["debugger"]))["evaluation"]["state"] == "aborted"


async def test_a_stop_while_loading_is_a_stop(desk: Desk, workspace: Path) -> None:
    shapes(workspace, '(in-package #:shapes)\n(princ "loading")\n(error "in the middle")\n')
    stopped = await desk.call("lisp.loadSystem", system="shapes")
    assert (stopped["success"], stopped["state"]) == (False, "stopped")
    assert stopped["condition"]["message"] == "in the middle"
    assert stopped["output"] == "loading"
    left = await desk.call("debugger.restart", **stopped["debugger"], name="ABORT")
    assert left["evaluation"]["state"] == "aborted"
    assert (await desk.call("debugger.list"))["debuggers"] == []


FAULTY = "(in-package #:shapes)\n(defun area (w) (car 1 w))\n(defvar *after* :loaded)\n"


async def test_a_file_with_a_warning_is_loaded_when_asked_to(desk: Desk, workspace: Path) -> None:
    shapes(workspace, FAULTY)
    refused = await desk.call("lisp.loadSystem", system="shapes")
    assert not refused["success"]
    assert "load: always" in refused["message"]
    assert marked(refused) == [("warning", "(car 1 w)")]
    loaded = await desk.call("lisp.loadSystem", system="shapes", load="always")
    assert loaded["success"] and marked(loaded) == [("warning", "(car 1 w)")]
    assert await desk.values("shapes::*after*") == [":LOADED"]


@pytest.mark.parametrize(
    ("load", "loaded"), [("onSuccess", "NIL"), ("never", "NIL"), ("always", "(:LOADED)")]
)
async def test_a_compiled_file_is_loaded_as_asked(
    desk: Desk, workspace: Path, load: str, loaded: str
) -> None:
    write(workspace, faulty="(defpackage #:shapes (:use #:cl))\n" + FAULTY)
    result = await desk.call("lisp.compileFile", uri=uri_of(workspace / "faulty.lisp"), load=load)
    assert not result["success"]
    assert ("load: always" in (result["message"] or "")) == (load == "onSuccess")
    there = '(let ((s (and (find-package :shapes) (find-symbol "*AFTER*" :shapes)))) (and s (boundp s)'
    assert await desk.values(f"{there} (list (symbol-value s))))") == [loaded]


async def test_what_changed_is_loaded_again_in_order(desk: Desk, workspace: Path) -> None:
    shapes(workspace, "(in-package #:shapes)\n(defun area () 1)\n")
    write(
        workspace / "user",
        user_asd='(defsystem "user" :depends-on ("shapes") :components ((:file "use") (:file "alone")))',
        use="(defun cl-user::twice () (* 2 (shapes::area)))\n",
        alone="(defvar cl-user::*alone* 1)\n",
    )
    with pytest.raises(errors.LispNotRunning):
        await desk.call("lisp.reloadSystem")
    assert (await desk.call("lisp.loadSystem", system="user"))["success"]
    assert (await desk.call("lisp.reloadSystem"))["files"] == []
    source = workspace / "area.lisp"
    time = source.stat().st_mtime
    source.write_text("(in-package #:shapes)\n(defun area () 21)\n")
    # As if it had been changed in the second in which it was compiled.
    (compiled,) = (desk.context.services.image.places.fasls or Path()).rglob("area.fasl")
    for path in (source, compiled):
        os.utime(path, (time, time))
    again = await desk.call("lisp.reloadSystem", system="user")
    assert names_of(again) == ["area.lisp", "use.lisp", "alone.lisp"]
    assert await desk.values("(cl-user::twice)") == ["42"]
    forced = await desk.call("lisp.loadSystem", system="shapes", force=True)
    assert names_of(forced) == ["package.lisp", "area.lisp"]
    only_compiled = await desk.call("lisp.compileSystem", system="user", force=True)
    assert only_compiled["success"] and names_of(only_compiled) == ["use.lisp", "alone.lisp"]


async def test_what_an_editor_has_not_saved_is_named(desk: Desk, workspace: Path) -> None:
    shapes(workspace, "(in-package #:shapes)\n(defun area () 1)\n")
    write(workspace, user_asd='(defsystem "user" :depends-on ("shapes"))', other="(print 1)\n")
    editors = desk.context.services.editors
    editors.set_unsaved("n", "Neovim", [str(workspace / "other.lisp")])
    assert (await desk.call("lisp.loadSystem", system="user"))["message"] is None
    editors.set_unsaved("n", "Neovim", [str(workspace / "area.lisp"), str(workspace / "other.lisp")])
    sentence = "area.lisp has unsaved changes in Neovim, and its text on disk was"
    assert (await desk.call("lisp.loadSystem", system="user"))["message"] == f"{sentence} loaded"
    assert (await desk.call("lisp.reloadSystem"))["message"] == f"{sentence} loaded"
    assert (await desk.call("lisp.compileSystem", system="shapes"))["message"] == f"{sentence} compiled"
    editors.set_unsaved("e", "Emacs", [str(workspace / "area.lisp")])
    assert (await desk.call("lisp.loadSystem", system="shapes"))["message"] == (
        "area.lisp has unsaved changes in Emacs and Neovim, and its text on disk was loaded"
    )
    editors.set_unsaved("e", "Emacs", [str(workspace / "shapes.asd")])
    assert (await desk.call("lisp.loadSystem", system="shapes"))["message"] == (
        "area.lisp and another file have unsaved changes in Emacs and Neovim,"
        " and their text on disk was loaded"
    )


async def test_a_load_that_never_ends_is_interrupted(desk: Desk, workspace: Path) -> None:
    shapes(workspace, "(in-package #:shapes)\n(loop (sleep 0.01))\n")
    loading = asyncio.ensure_future(desk.call("lisp.loadSystem", system="shapes"))
    evaluations = desk.context.services.image.evaluations
    await until(lambda: evaluations.newest_running("editor") is not None, "the load began")
    await desk.call("lisp.interrupt")
    stopped = await asyncio.wait_for(loading, 60)
    assert (stopped["state"], stopped["condition"]["type"].lower().rpartition(":")[2]) == (
        "stopped",
        "interrupt",
    )
    await desk.call("debugger.toplevel", **stopped["debugger"])


async def test_systems_of_two_clients_are_loaded_one_after_the_other(desk: Desk, workspace: Path) -> None:
    await desk.values("(progn (defvar *now* 0) (defvar *most* 0))")
    slow = "(setf cl-user::*most* (max cl-user::*most* (incf cl-user::*now*))) (sleep 1/4)"
    for name in ("one", "two"):
        write(
            workspace,
            **{
                f"{name}_asd": f'(defsystem "{name}" :components ((:file "{name}")))',
                name: f"(in-package :cl-user)\n{slow}\n(decf *now*)\n",
            },
        )
    caller = replace(desk.context.caller, client_id="other")
    other = Desk(Context(desk.context.services, caller), [])
    done = await asyncio.gather(
        desk.call("lisp.loadSystem", system="one"), other.call("lisp.loadSystem", system="two")
    )
    assert [each["success"] for each in done] == [True, True]
    assert await desk.values("*most*") == ["1"]


QUICKLISP = """;; What is used of Quicklisp.
;; The real client was compared with it by hand, with a dist served over HTTP.
(defpackage #:ql-dist (:use #:cl))
(defpackage #:quicklisp-client (:use #:cl))
(in-package #:ql-dist)
(defun find-system (name) (find name '("tiny-lib") :test #'string=))
(in-package #:quicklisp-client)
(setf (fdefinition 'quickload)
      (let ((software (uiop:subpathname *load-truename* "software/")))
        (lambda (name &key silent)
          (declare (ignore name silent))
          (push software asdf:*central-registry*))))
"""


async def test_quicklisp_fetches_what_is_missing_only_when_asked_to(
    desk: Desk, workspace: Path, isolated_environment: Path
) -> None:
    home = isolated_environment / "home"
    library = '(defsystem "tiny-lib" :components ((:file "tiny")))'
    software = {"tiny": "(defvar cl-user::*tiny* :there)\n", "tiny-lib_asd": library}
    write(home / "quicklisp" / "software", **software)
    (home / "quicklisp" / "setup.lisp").write_text(QUICKLISP)
    write(workspace, app_asd='(defsystem "app" :depends-on ("tiny-lib"))')
    environment = dict(desk.context.caller.environment) | {"HOME": str(home)}
    desk.context = replace(desk.context, caller=replace(desk.context.caller, environment=environment))
    with pytest.raises(errors.NotFound, match="let Quicklisp fetch it with `install: true`"):
        await desk.call("lisp.loadSystem", system="app")
    loaded = await desk.call("lisp.loadSystem", system="app", install=True)
    assert loaded["success"], loaded["condition"]
    assert await desk.values("cl-user::*tiny*") == [":THERE"]


OCICL = """;; What is used of ocicl's runtime: it offers ASDF a system that lies in `systems/` beside it, and
;; fetches one that does not, here from `registry/`, unless it is told not to.
(defpackage #:ocicl-runtime (:use #:cl) (:export #:*download*))
(in-package #:ocicl-runtime)
(defvar *download* t)
(defvar *here* *load-truename*)
(defvar *fetched* '())
(defun file-of (name folder)
  (uiop:file-exists-p (uiop:subpathname *here* (format nil "~a/~a.asd" folder name))))
(defun system-definition-searcher (name)
  (unless (member name '("asdf" "uiop") :test #'string=)
    (or (file-of name "systems")
        (and *download* (file-of name "registry") (progn (push name *fetched*) (file-of name "registry"))))))
(setf asdf:*system-definition-search-functions*
      (append asdf:*system-definition-search-functions* (list 'system-definition-searcher)))
"""


@pytest.mark.parametrize("brought_by_the_person", [False, True])
async def test_ocicl_fetches_what_is_missing_only_when_asked_to(
    desk: Desk, workspace: Path, isolated_environment: Path, brought_by_the_person: bool
) -> None:
    home = isolated_environment / "home"
    ocicl = home / ".local" / "share" / "ocicl"
    for folder, name in (("systems", "near"), ("registry", "far"), ("registry", "other")):
        write(
            ocicl / folder,
            **{
                f"{name}_asd": f'(defsystem "{name}" :components ((:file "{name}")))',
                name: f"(defvar cl-user::*{name}* :there)\n",
            },
        )
    (ocicl / "ocicl-runtime.lisp").write_text(OCICL)
    for name in ("near", "far", "other"):
        write(workspace, **{f"app-{name}_asd": f'(defsystem "app-{name}" :depends-on ("{name}"))'})
    environment = dict(desk.context.caller.environment) | {"HOME": str(home)}
    desk.context = replace(desk.context, caller=replace(desk.context.caller, environment=environment))
    if brought_by_the_person:
        await desk.values(
            '(load (merge-pathnames ".local/share/ocicl/ocicl-runtime.lisp" (user-homedir-pathname)))'
        )
        await desk.values("(setf ocicl-runtime:*download* nil)")

    # What ocicl has already needs no leave.
    near = await desk.call("lisp.loadSystem", system="app-near")
    assert near["success"], near
    assert await desk.values("cl-user::*near*") == [":THERE"]
    with pytest.raises(errors.NotFound, match="get it with `ocicl install far`"):
        await desk.call("lisp.loadSystem", system="app-far")
    if brought_by_the_person:  # whose setting is not ours to change
        with pytest.raises(errors.NotFound):
            await desk.call("lisp.loadSystem", system="app-far", install=True)
        assert await desk.values("ocicl-runtime::*fetched*") == ["NIL"]
        return
    far = await desk.call("lisp.loadSystem", system="app-far", install=True)
    assert far["success"], far
    with pytest.raises(errors.NotFound, match="get it with `ocicl install other`"):
        await desk.call("lisp.loadSystem", system="app-other")
    assert await desk.values("(remove-duplicates ocicl-runtime::*fetched* :test 'equal)") == ['("far")']
