"""Every answer with a place in it, in every encoding: what it covers is exactly what it is about."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from support.lsp_client import LspClient, lsp
from support.places import ENCODINGS, Editor, Places, at_door, units

TEXT = (
    "(in-package :cl-user)\r\n"
    ';;; "😀 é" € \f a page\r\n'
    "(defun é😀 (a😀 b)\r\n"
    '\t"Dök 😀\r\n'
    '\t€ two."\r\n'
    '\t(list "€😀" a😀 b))\r\n'
    "\r\n"
    '"€" (defun call-é (x) (list "😀é" (é😀 x 1) #\'é😀))\r\n'
    "#| é\u2028😀\r\n"
    '\t€ |# (defvar *€😀* "😀" "é")\r\n'
    '"😀" (é😀 *€😀*\r\n'
)
LIVE = (
    "(in-package :cl-user)\r\n"
    ";;; é😀€ \f\r\n"
    '"€" (defun hälfte😀 (zahl-é)\r\n'
    '\t"€😀" (list (/ 1 (- zahl-é 1))))\r\n'
    '"é😀" (defun ohne😀 () (list "€" unbekannt-é))\r\n'
    '"😀" (list "€" 1) (list "😀é" 2)\r\n'
    '"€😀" (defmacro öfter😀 (x) `(list ,x ,x)) (defun ruft-é () (list "😀" (hälfte😀 3) (öfter😀 1)))\r\n'
)
TESTS = (
    "(defpackage :prüfung😀 (:use :cl :fiveam))\r\n(in-package :prüfung😀)\r\n"
    '"€😀" (test é-gut (is (= 1 1)))\r\n'
)
SETTINGS = "# é😀\r\nleases = {'é😀' = 1, ttl_seconds = 40}\r\n"
WHOLE = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
OPTIONS: dict[str, Any] = {
    "initializationOptions": {"trusted": True, "settings": {"diagnostics": {"compileOnSave": False}}}
}
CAPABILITIES = {
    "experimental": {"descartes": {"notifications": True}},
    "textDocument": {
        "documentSymbol": {"hierarchicalDocumentSymbolSupport": True},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}},
    },
}


async def test_every_place_is_exact_in_every_encoding(workspace: Path) -> None:
    """Three editors with one hub and one image: what one of them does each sees in its own units."""
    (workspace / "é.lisp").write_bytes(TEXT.encode())
    (workspace / "ö 😀.lisp").write_bytes(LIVE.encode())
    (workspace / "prüfung.lisp").write_bytes(TESTS.encode())
    async with AsyncExitStack() as stack:
        starting = (
            stack.enter_async_context(lsp(workspace, capabilities=at_door(each, **CAPABILITIES), **OPTIONS))
            for each in ENCODINGS
        )
        clients = dict(zip(ENCODINGS, await asyncio.gather(*starting), strict=True))
        await asyncio.gather(
            *(without_an_image(client, workspace, encoding) for encoding, client in clients.items())
        )
        path = workspace / "ö 😀.lisp"
        editors = [Editor.open(client, path, LIVE, encoding) for encoding, client in clients.items()]
        for editor in editors:
            await loading(editor)
            await values(editor)
            await looking_around(editor)
        await breaking(editors)
        await stopping(editors)
        await holding(editors)
        await asyncio.gather(*map(in_a_history, editors))
        for editor in editors:
            await drifting(editor)
            await otherwise_written(editor, workspace)


async def without_an_image(client: LspClient, workspace: Path, encoding: str) -> None:
    assert client.capabilities["positionEncoding"] == encoding
    await what_the_text_tells(Editor.open(client, workspace / "é.lisp", TEXT, encoding))
    await in_settings(client, workspace, encoding)
    await places_that_are_none(client, workspace)


async def what_the_text_tells(editor: Editor) -> None:
    for check in (symbols, names, calls, typing, colours, mistakes):
        await check(editor)


async def symbols(editor: Editor) -> None:
    found = await editor.client.of("documentSymbol", editor.uri)
    assert [editor.places.covered(each["selectionRange"]) for each in found] == ["é😀", "call-é", "*€😀*"]
    first, second, third = (editor.places.covered(each["range"]) for each in found)
    assert first.startswith("(defun é😀 (") and first.endswith(" b))")
    assert second.startswith("(defun call-é") and second.endswith("#'é😀))")
    assert third == '(defvar *€😀* "😀" "é")'
    ranges = await editor.client.of("foldingRange", editor.uri)
    folds = {(each["startLine"], each["endLine"]) for each in ranges}
    assert (2, 5) in folds and (8, 9) in folds
    assert all(0 <= start < end < TEXT.count("\r\n") for start, end in folds)


async def names(editor: Editor) -> None:
    called = editor.places.at("(é😀 x", "é😀")
    hover = await editor.ask("hover", called)
    assert editor.places.covered(hover["range"]) == "é😀" and hover["range"]["start"] == called
    assert "Dök 😀" in hover["contents"]["value"]
    (place,) = await editor.ask("definition", called)
    assert place["range"] == editor.places.range("(defun é😀", "é😀")
    context = {"context": {"includeDeclaration": True}}
    uses = {(each["range"]["start"]["line"]) for each in await editor.ask("references", called, **context)}
    assert uses == {2, 7, 10}
    for method, more in (("references", context), ("documentHighlight", {})):
        for word, times in (("é😀", 4), ("a😀", 2), ("*€😀*", 2)):
            where = editor.places.at('(list "€😀" a', "a😀") if word == "a😀" else editor.places.at(word)
            found = await editor.ask(method, where, **more)
            assert [editor.places.covered(each["range"]) for each in found] == [word] * times, (method, word)


async def calls(editor: Editor) -> None:
    (item,) = await editor.ask("prepareCallHierarchy", editor.places.at("(defun é😀", "é😀"))
    assert editor.places.covered(item["selectionRange"]) == "é😀"
    assert editor.places.covered(item["range"]).startswith("(defun é😀")
    incoming = await editor.client.request("callHierarchy/incomingCalls", {"item": item})
    (caller,) = [each for each in incoming if each["from"]["name"] == "call-é"]
    assert [editor.places.covered(each) for each in caller["fromRanges"]] == ["é😀", "é😀"]
    assert editor.places.covered(caller["from"]["range"]).startswith("(defun call-é")
    outgoing: list[Any] = []
    async with asyncio.timeout(60):
        while not outgoing:  # until the text is indexed
            outgoing = await editor.client.request("callHierarchy/outgoingCalls", {"item": caller["from"]})
    (called,) = [each for each in outgoing if each["to"]["name"] == "é😀"]
    assert [editor.places.covered(each) for each in called["fromRanges"]] == ["é😀", "é😀"]
    assert called["to"]["selectionRange"] == item["selectionRange"]


async def typing(editor: Editor) -> None:
    inside = editor.places.range("(é😀 x", "é😀")
    proposed = await editor.ask("completion", inside["end"])
    (item,) = [each for each in proposed["items"] if each["label"] == "é😀"]
    assert item["textEdit"]["range"] == inside
    help_ = await editor.ask("signatureHelp", editor.places.at("(é😀 x", "1"))
    (signature,) = help_["signatures"]
    label = Places(signature["label"], editor.places.encoding)
    spans = [
        {"start": {"line": 0, "character": start}, "end": {"line": 0, "character": end}}
        for start, end in (each["label"] for each in signature["parameters"])
    ]
    assert [label.covered(each) for each in spans] == ["a😀", "b"] and signature["activeParameter"] == 1


async def colours(editor: Editor) -> None:
    data = (await editor.client.of("semanticTokens/full", editor.uri))["data"]
    line, character, found = 0, 0, []
    for by, on, width in zip(data[::5], data[1::5], data[2::5], strict=True):
        line, character = line + by, on if by else character + on
        ends = ({"line": line, "character": at} for at in (character, character + width))
        found.append(editor.places.covered(dict(zip(("start", "end"), ends, strict=True))))
    assert {'"Dök 😀', '\t€ two."', '"€😀"', "a😀", '"😀é"', "#| é\u2028😀", "*€😀*"} <= set(found)
    assert ';;; "😀 é" € \f a page' in found


async def mistakes(editor: Editor) -> None:
    published = await editor.client.notification(
        "textDocument/publishDiagnostics", lambda p: p["diagnostics"] and p["uri"] == editor.uri
    )
    (unclosed,) = published["diagnostics"]
    assert unclosed["code"] == "unclosed" and editor.places.covered(unclosed["range"]) == "(é😀"
    assert unclosed["range"]["start"] == editor.places.at("(é😀 *€")


async def loading(editor: Editor) -> None:
    compiled = await editor.do("lisp.compileFile", load="always")
    (note,) = compiled["notes"]
    assert editor.places.covered(note["range"]) == "unbekannt-é"
    mark = await editor.marked("compiler", "unbekannt-é")
    assert mark["range"] == note["range"]
    again = await editor.do("lisp.compileForm", into="unbekannt-é")
    assert [editor.places.covered(each["range"]) for each in again["notes"]] == ["unbekannt-é"]
    await editor.do("lisp.compileForm", into="(list (/ 1")


async def values(editor: Editor) -> None:
    """Two forms on one line behind a smiley: each is found by its place, and its value shown at its end."""
    last = await editor.do("lisp.evalForm", into=' (list "😀é" 2)', scope="last")
    around = await editor.do("lisp.evalForm", into='😀é" 2', scope="toplevel")
    assert (last["values"], around["values"]) == (['("€" 1)'], ['("😀é" 2)'])
    hints = await editor.client.of("inlayHint", editor.uri, range=WHOLE)
    shown = {each["label"]: each["position"] for each in hints}
    assert shown['⇒ ("€" 1)'] == editor.places.at(' (list "😀é"')
    assert shown['⇒ ("😀é" 2)'] == editor.places.at('\r\n"€😀" (defmacro')
    assert shown["✓ compiled"] == editor.places.at('\r\n"é😀" (defun ohne')


async def looking_around(editor: Editor) -> None:
    covered = editor.places.covered
    expansion = await editor.do("lisp.macroexpand", into="(öfter😀 1")
    assert covered(expansion["range"]) == "(öfter😀 1)" and expansion["text"] == "(list 1 1)"
    found = await editor.client.execute("lisp.xref", {"symbol": "cl-user::hälfte😀", "kind": "callers"})
    assert [covered(each["range"]) for each in found["locations"]] == ["hälfte😀"]
    forms = {each["name"]: covered(each["range"]) for each in (await editor.do("lisp.drift"))["forms"]}
    assert forms["öfter😀"] == "(defmacro öfter😀 (x) `(list ,x ,x))"
    assert forms["hälfte😀"].endswith("(- zahl-é 1))))")
    journal = (await editor.client.execute("lisp.journal", {}))["entries"]
    noted = {each["code"]: covered(each["range"]) for each in journal if each["range"] and each["code"]}
    assert noted['(list "😀é" 2)'] == '(list "😀é" 2)' and noted['(list "€" 1)'] == '(list "€" 1)'
    typed = '(list "😀" (hälf'
    offset = units(typed, editor.places.encoding)
    proposed = await editor.client.execute("lisp.complete", {"text": typed, "offset": offset})
    assert [each["label"] for each in proposed["items"]] == ["hälfte😀"]
    assert proposed["start"] == units('(list "😀" (', editor.places.encoding)
    tests = await editor.client.execute("lisp.tests", {})
    others = Places(TESTS, editor.places.encoding)
    assert [others.covered(each["range"]) for each in tests["tests"]] == ["(test é-gut (is (= 1 1)))"]


async def shows(editor: Editor, id: str, into: str) -> None:
    """Wait until the breakpoint ID has a lens exactly at INTO: the hub's news comes by itself."""
    shown: list[Any] = []
    async with asyncio.timeout(60):
        while [{"id": id}] not in shown:
            shown = [each["command"]["arguments"] for each in await editor.lenses(into)]


async def breaking(editors: list[Editor]) -> None:
    for editor in editors:
        made = await editor.do("debugger.breakpoints.set", into="(hälfte😀 3")
        assert made["verified"] and editor.places.covered(made["range"]) == "(hälfte😀 3)"
        for each in editors:
            (listed,) = (await each.client.execute("debugger.breakpoints.list", {}))["breakpoints"]
            assert each.places.covered(listed["location"]["range"]) == "(hälfte😀 3)"
            await shows(each, made["id"], "(hälfte😀 3")
        await editor.client.execute("debugger.breakpoints.clear", {"id": made["id"]})


async def stopping(editors: list[Editor]) -> None:
    words = "(/ 1 (- zahl-é 1))"
    stopped = await editors[0].client.execute("lisp.eval", {"code": "(cl-user::hälfte😀 1)"})
    stop = stopped["debugger"]
    for editor in editors:
        changed = await editor.client.notification("descartes/debugger/changed", lambda p: p["debuggers"])
        (debugger,) = changed["debuggers"]
        assert editor.places.covered(debugger["location"]["range"]) == words
        (listed,) = (await editor.client.execute("debugger.list", {}))["debuggers"]
        assert listed["location"] == debugger["location"]
        frame = next(each for each in listed["frames"] if each["location"])
        detail = await editor.client.execute("debugger.frame", {**stop, "frame": frame["index"]})
        assert editor.places.covered(detail["location"]["range"]) == words
        mark = await editor.marked("stopped", words)
        assert "DIVISION-BY-ZERO" in (await editor.lenses(words))[0]["command"]["title"]
        offered = await editor.client.of(
            "codeAction", editor.uri, range=mark["range"], context={"diagnostics": [mark]}
        )
        assert any(each["title"].startswith("ABORT") and each["diagnostics"] == [mark] for each in offered)
        (place,) = [each for each in offered if each["title"] == "Set a breakpoint at this form"]
        assert place["command"]["arguments"][0]["position"] == editor.places.at(words)
        hints = await editor.client.of("inlayHint", editor.uri, range=WHOLE)
        (frame_hint,) = [each for each in hints if "zahl-é = 1" in each["label"]]
        assert frame_hint["position"] == editor.places.at("))\r\n")
    await editors[0].client.execute("debugger.abort", stop)


async def holding(editors: list[Editor]) -> None:
    form = '(defun ohne😀 () (list "€" unbekannt-é))'
    held = {"path": "ö 😀.lisp#ohne😀", "holder": "agent:fixer"}
    await editors[0].client.execute("lease.acquire", held)
    for editor in editors:
        await editor.marked("lease", form)
        titles = [each["command"]["title"] for each in await editor.lenses(form)]
        assert titles[0].startswith("held by fixer") and titles[1:] == ["request", "take over"]
        place = editor.places.at("zahl-é 1")
        hover = await editor.client.at("hover", editor.uri, place["line"], place["character"])
        assert editor.places.covered(hover["range"]) == "zahl-é"
    await editors[0].client.execute("lease.release", held)


async def drifting(editor: Editor) -> None:
    """What is typed counts as it stands in that editor, before a lens is asked for and after."""
    text = LIVE.replace("(list ,x ,x)", "(list 1 ,x)").replace(";;; é😀€", ";;; 😀")
    seen = len(editor.client.messages)
    editor.type(text)
    await editor.marked("drift", "öfter😀", after=seen)
    (lens,) = await editor.lenses("(defmacro öfter😀")
    assert lens["command"]["title"] == "load"
    assert lens["command"]["arguments"][0]["position"] == editor.places.at("(defmacro öfter😀")


async def in_settings(client: LspClient, workspace: Path, encoding: str) -> None:
    """A settings file that is open and not saved: what is wrong in it, and the edit that mends it."""
    editor = Editor.open(client, workspace / "descartes.toml", SETTINGS, encoding)
    mark = await editor.marked("setting.renamed", "ttl_seconds")
    context = {"diagnostics": [mark]}
    offered = await client.of("codeAction", editor.uri, range=mark["range"], context=context)
    (fix,) = [each for each in offered if "edit" in each]
    (edit,) = fix["edit"]["changes"][editor.uri]
    assert (editor.places.covered(edit["range"]), edit["newText"]) == ("ttl_seconds", "ttlSeconds")
    editor.close()


async def places_that_are_none(client: LspClient, workspace: Path) -> None:
    uri = (workspace / "é.lisp").as_uri()
    for number in (-1, 2**31, 2**64, "1", None):
        error = await client.refused(
            "lisp.evalForm", {"uri": uri, "position": {"line": 0, "character": number}}
        )
        assert (error.number, error.code) == (-32602, "invalid_params") and "both from 0" in str(error)
    error = await client.refused("lisp.eval", {"code": "1", "position": {"line": 0, "character": 0}})
    assert error.code == "invalid_params" and "`uri` beside `position`" in str(error)
    draft = Editor.open(client, workspace, "(list 1)", "utf-8", uri="untitled:Untitled-1")
    for name in ("lisp.evalForm", "lisp.compileForm", "debugger.breakpoints.set"):
        error = await client.refused(name, {"uri": draft.uri, "position": {"line": 0, "character": 1}})
        assert error.code == "invalid_params" and "save it first" in str(error)
    draft.close()


async def otherwise_written(editor: Editor, workspace: Path) -> None:
    """An editor may write the URI of a file in a way that is not the hub's; its unsaved text counts."""
    file = workspace / "c++ (é).lisp"
    file.write_text("\n\n\n")
    uri = f"file://{workspace}/c%2b%2b%20%28%c3%a9%29.lisp"
    text = '\n"é😀" (defun né😀 (x) (when x (cdr x)))\n'
    other = Editor.open(editor.client, file, "\n\n\n", editor.places.encoding, uri=uri)
    other.type(text)
    expansion = await other.do("lisp.macroexpand", into="(when")
    assert other.places.covered(expansion["range"]) == "(when x (cdr x))"
    (form,) = (await other.do("lisp.drift"))["forms"]
    assert other.places.covered(form["range"]) == "(defun né😀 (x) (when x (cdr x)))"
    there = {"uri": file.as_uri(), "position": other.places.at("(when")}
    assert await other.client.execute("lisp.macroexpand", there) == expansion
    other.close()


async def in_a_history(editor: Editor) -> None:
    """A history document is told of by its lines; its lenses stand at names that are full of such signs."""
    made = await editor.do("history.document", level="events")
    places = Places(Path(made["path"]).read_text(), editor.places.encoding)
    line = places.text.split("\n")[made["range"]["start"]["line"]]
    assert "ö 😀.lisp" in line and made["range"]["start"] == places.at(line)
    lenses = await editor.client.of("codeLens", made["uri"])
    assert lenses and all("\n" not in places.covered(each["range"]) for each in lenses)
