"""Systems and tests in an editor: lenses to run and debug, results at the forms, progress, cancelling."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from support.lsp_client import LspClient, LspError, lsp
from support.until import answer_that

TRUSTED: dict[str, Any] = {"trusted": True}
NOTIFIED = {"experimental": {"descartes": {"notifications": True}}}
PROGRESS = {"window": {"workDoneProgress": True}}
PUBLISH = "textDocument/publishDiagnostics"
SYSTEM = """(defsystem "shapes" :components ((:file "area") (:file "tests"))
  :depends-on ("fiveam"))
"""
AREA = "(defpackage #:shapes (:use #:cl))\n(in-package #:shapes)\n(defun area (w h x) (* w h))\n"
TESTS = """(defpackage #:shapes/tests (:use #:cl #:fiveam))
(in-package #:shapes/tests)
(test 😀-good (is (= 6 (shapes::area 2 3 4))))
(test 😀-bad (is (= 7 (shapes::area 2 3 4))))
"""


@pytest.fixture
def tests(workspace: Path) -> Path:
    """Return the file of the tests of a workspace with a system."""
    (workspace / "shapes.asd").write_text(SYSTEM)
    (workspace / "area.lisp").write_text(AREA)
    file = workspace / "tests.lisp"
    file.write_text(TESTS, encoding="utf-8")
    return file


async def titles(client: LspClient, uri: str, line: int) -> list[str]:
    lenses = await client.of("codeLens", uri)
    return [each["command"]["title"] for each in lenses if each["range"]["start"]["line"] == line]


def marked(client: LspClient, uri: str, messages: list[str], after: int = 0) -> Any:
    """Return the first diagnostics of URI from AFTER on that are exactly those with MESSAGES."""
    return client.notification(
        PUBLISH,
        lambda p: p["uri"] == uri and [d["message"] for d in p["diagnostics"]] == messages,
        after=after,
    )


FAILED = "(SHAPES::AREA 2 3 4) evaluated to 6 which is not = to 7"


async def test_a_test_is_run_by_its_lens_and_marked_where_it_stands(tests: Path) -> None:
    async with lsp(tests.parent, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        uri = client.open(tests)
        await answer_that(lambda found: "▶ run" in found, lambda: titles(client, uri, 3), "its lens")
        assert (await titles(client, uri, 2))[-2:] == ["▶ run", "debug"]
        lenses = await client.of("codeLens", uri)
        command = next(each for each in lenses if each["range"]["start"]["line"] == 3)["command"]
        ran = await client.request(
            "workspace/executeCommand",
            {"command": command["command"], "arguments": command["arguments"]},
            seconds=60,
        )
        (result,) = ran["results"]
        # Places are counted from 0 and in UTF-16 here.
        assert result["location"]["range"]["start"] == {"line": 3, "character": 0}
        assert (result["name"], result["status"]) == ("shapes/tests::😀-bad", "failed")
        (diagnostic,) = (await marked(client, uri, [FAILED]))["diagnostics"]
        assert diagnostic["source"] == "descartes test" and diagnostic["code"] == "test"
        assert diagnostic["range"] == {
            "start": {"line": 3, "character": 6},
            "end": {"line": 3, "character": 12},
        }
        told = await client.notification("descartes/lisp/tested", lambda p: p["results"])
        assert told["results"][0]["location"]["range"]["start"] == {"line": 3, "character": 0}
        assert (await titles(client, uri, 3))[-2:] == ["✗ run", "debug"]
        seen = len(client.messages)
        # Moved, it is still marked; changed, it is not the test that failed.
        client.change(uri, 2, {"text": "\n" + TESTS})
        (diagnostic,) = (await marked(client, uri, [FAILED], after=seen))["diagnostics"]
        assert diagnostic["range"]["start"] == {"line": 4, "character": 6}
        client.change(uri, 3, {"text": TESTS.replace("(= 7", "(= 6")})
        # That the image has another text may be marked by then.
        await client.notification(
            PUBLISH,
            lambda p: p["uri"] == uri and FAILED not in [d["message"] for d in p["diagnostics"]],
            after=seen,
        )
        assert (await titles(client, uri, 3))[-2:] == ["▶ run", "debug"]
        # The text that stands there is run, saved or not.
        again = await client.execute("lisp.runTest", {"uri": uri, "position": {"line": 3, "character": 4}})
        assert again["success"] and again["results"][0]["status"] == "passed"
        assert (await titles(client, uri, 3))[-2:] == ["✓ run", "debug"]
        debugged = await client.execute("lisp.runTest", {"uri": uri, "name": "😀-good", "debug": True})
        assert debugged["success"]


async def test_what_an_answer_says_of_tests_is_known_when_it_is_there(tests: Path) -> None:
    """Every client is told of results, too; that may reach this one later than its answer."""
    async with lsp(tests.parent, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        uri = client.open(tests)
        for version, expected in enumerate("✓✗" * 10, 2):
            client.change(uri, version, {"text": TESTS.replace("(= 7", "(= 6") if expected == "✓" else TESTS})
            await client.execute("lisp.runTest", {"uri": uri, "name": "😀-bad"}, seconds=60)
            assert (await titles(client, uri, 3))[-2:] == [f"{expected} run", "debug"]


async def test_a_result_is_no_mark_of_a_text_that_was_not_run(tests: Path) -> None:
    """The image has a test as it was run unsaved, and ASDF sees nothing to load anew."""
    async with lsp(tests.parent, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        uri = client.open(tests)
        await client.execute("lisp.testSystem", {"system": "shapes"}, seconds=60)
        assert (await titles(client, uri, 3))[-2:] == ["✗ run", "debug"]
        client.change(uri, 2, {"text": TESTS.replace("(= 7", "(= 6")})
        await client.execute("lisp.runTest", {"uri": uri, "name": "😀-bad"}, seconds=60)
        assert (await titles(client, uri, 3))[-2:] == ["✓ run", "debug"]
        client.change(uri, 3, {"text": TESTS})
        ran = await client.execute("lisp.testSystem", {"system": "shapes"}, seconds=60)
        assert {each["name"]: each["status"] for each in ran["results"]} == {
            "shapes/tests::😀-good": "passed",
            "shapes/tests::😀-bad": "passed",
        }
        assert (await titles(client, uri, 2))[-2:] == ["✓ run", "debug"]
        assert (await titles(client, uri, 3))[-2:] == ["▶ run", "debug"]


async def test_a_system_is_loaded_with_progress_and_marks_in_its_files(tests: Path) -> None:
    capabilities = NOTIFIED | PROGRESS
    async with lsp(tests.parent, initializationOptions=TRUSTED, capabilities=capabilities) as client:
        loaded = await client.execute("lisp.loadSystem", {"system": "shapes"}, seconds=60)
        assert loaded["success"]
        steps = [m["params"]["value"] for m in client.messages if m.get("method") == "$/progress"]
        assert [step["kind"] for step in steps] == ["begin", "end"]
        assert steps[0]["title"] == "Loading shapes" and steps[0]["cancellable"]
        area = (tests.parent / "area.lisp").as_uri()
        unused = await client.notification(PUBLISH, lambda p: p["uri"] == area and p["diagnostics"])
        assert unused["diagnostics"][0]["range"]["start"] == {"line": 2, "character": 17}
        seen = len(client.messages)
        (tests.parent / "area.lisp").write_text(AREA.replace("(* w h)", "(* w h x)"))
        reloaded = await client.execute("lisp.reloadSystem", {}, seconds=60)
        assert [uri.rpartition("/")[2] for uri in reloaded["files"]] == ["area.lisp"]
        await marked(client, area, [], after=seen)
        listed = await client.execute("lisp.systems", {})
        assert [(each["name"], each["loaded"]) for each in listed["systems"]] == [("shapes", True)]


async def test_a_plain_client_is_asked_whether_to_load_what_the_compiler_warns_of(tests: Path) -> None:
    (tests.parent / "area.lisp").write_text(AREA + "(defun wrong () (car 1 2))\n(defvar *after* 1)\n")
    async with lsp(tests.parent, initializationOptions=TRUSTED) as client:
        client.replies["window/showMessageRequest"] = lambda p: p["actions"][1]
        given = {"uri": (tests.parent / "area.lisp").as_uri()}
        refused = await client.execute("lisp.compileFile", given, seconds=60)
        assert not refused["success"] and "load: always" in refused["message"]
        asked = await client.notification("window/showMessageRequest")
        assert [each["title"] for each in asked["actions"]] == ["Leave it", "Load it anyway"]
        code = '(find-symbol "*AFTER*" (or (find-package :shapes) :cl))'
        await answer_that(
            lambda found: found["values"][0] != "NIL",
            lambda: client.execute("lisp.eval", {"code": code}),
            "it is loaded",
        )
        loaded = await client.execute("lisp.eval", {"code": '(symbol-value (find-symbol "*AFTER*" :shapes))'})
        assert loaded["values"] == ["1"]


async def test_bad_questions_are_answered_with_what_was_expected(tests: Path) -> None:
    async with lsp(tests.parent, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        uri = client.open(tests)
        await client.execute("lisp.loadSystem", {"system": "shapes"}, seconds=60)
        for command, given, code in (
            ("lisp.loadSystem", {"system": "no-such-system"}, "not_found"),
            ("lisp.testSystem", {"system": "no-such-system"}, "not_found"),
            ("lisp.testSystem", {"system": "shapes", "only": ["nosuch"]}, "invalid_params"),
            ("lisp.runTest", {"uri": uri, "position": {"line": 0, "character": 0}}, "not_found"),
            ("lisp.runTest", {"uri": "untitled:x"}, "not_found"),
            ("lisp.tests", {"uri": "http://a/b"}, "invalid_params"),
            ("lisp.tests", {"system": "nosuch"}, "not_found"),
        ):
            assert (await client.refused(command, given)).code == code, command
        for command, given in (
            ("lisp.loadSystem", {}),
            ("lisp.loadSystem", {"system": 5}),
            ("lisp.loadSystem", {"system": "shapes", "load": "perhaps"}),
            ("lisp.testSystem", {"system": "shapes", "only": "area"}),
            ("lisp.runTest", {"uri": uri, "name": ["x"]}),
            ("lisp.systems", {"everything": True}),
        ):
            assert (await client.refused(command, given)).number == -32602, command


async def test_a_cancelled_run_ends(tests: Path) -> None:
    tests.write_text(TESTS + '(test endless (princ "begun") (finish-output) (loop (sleep 0.01)))\n')
    async with lsp(tests.parent, initializationOptions=TRUSTED, capabilities=NOTIFIED) as client:
        asked = client.send_request(
            "workspace/executeCommand",
            {"command": "descartes.lisp.testSystem", "arguments": [{"system": "shapes"}]},
        )
        await client.notification("descartes/lisp/output", lambda p: "begun" in p["text"], seconds=60)
        client.notify("$/cancelRequest", {"id": asked})
        with pytest.raises(LspError) as caught:
            await client.answer(asked)
        assert caught.value.number == -32800
        # What it had found out until then is known, nothing is left stopped, and the image is free.
        over = await client.notification("descartes/lisp/tested", lambda p: p["state"] == "aborted")
        assert over["counts"]["passed"] == 1 and over["counts"]["failed"] == 1
        assert (await client.execute("debugger.list", {}))["debuggers"] == []
        answer = await asyncio.wait_for(client.execute("lisp.eval", {"code": "(+ 1 2)"}), 60)
        assert answer["values"] == ["3"]
