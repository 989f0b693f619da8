"""Hover, completion and definition in a file of 3,800 lines, beside alive-lsp: how soon, and how often right.

The file is Swank's own source, which both Lisps have loaded. alive-lsp is in no distribution: `ALIVE_LSP`
names the folder with its source, and ASDF has to find what it depends on. Without it nothing is measured.
"""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clients import BareEditor, LspClient
from benchmarks.requests import timed
from benchmarks.table import Row, median, show
from descartes_server.cli.demo.story import EDITOR

SWANK = Path("/usr/share/common-lisp/source/slime/swank.lisp")
WORDS = 40
START = (
    "(require :asdf)",
    "(require :sb-introspect)",
    '(asdf:load-system "swank")',
    '(asdf:load-asd "{folder}/alive-lsp.asd")',
    '(asdf:load-system "alive-lsp")',
    '(uiop:symbol-call "ALIVE/SERVER" "START" :port {port})',
    "(loop (sleep 60))",
)
DEFUN = re.compile(r"^\(defun ([a-z][a-z-]+) \(([a-z][a-z-]*)", re.MULTILINE)


@dataclass(frozen=True)
class Word:
    """A function that the file defines, the name of its first parameter, and a place where it is called."""

    name: str
    parameter: str
    defined_at: int
    called_at: tuple[int, int]


def words(text: str) -> list[Word]:
    """Return functions that TEXT defines at one place and calls at another."""
    found = []
    for definition in DEFUN.finditer(text):
        name, parameter = definition.groups()
        # In (with-simple-restart (name …)) it is the name of a restart.
        call = re.search(rf"(?<!-restart )\({re.escape(name)}[ )]", text[definition.end() :])
        if call is not None:
            place = definition.end() + call.start() + 1
            line = text.count("\n", 0, place)
            column = place - text.rfind("\n", 0, place) - 1
            defined_at = text.count("\n", 0, definition.start())
            found.append(Word(name, parameter, defined_at, (line, column)))
    return random.Random(1).sample(found, WORDS)


@contextmanager
def alive(source: Path, folder: Path) -> Iterator[LspClient]:
    """Yield an editor of an alive-lsp whose source is in SOURCE."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["sbcl", "--noinform", "--non-interactive", "--no-userinit"]
    for form in START:
        command += ["--eval", form.format(folder=source, port=port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Started on port" in line:
                break
        else:
            raise RuntimeError("alive-lsp did not start; see whether ASDF finds what it depends on")
        with socket.create_connection(("127.0.0.1", port)) as connection:
            editor = LspClient(connection.fileno(), connection.fileno())
            editor.open_workspace(folder, {})
            yield editor
    finally:
        process.kill()
        process.wait()


def is_right(method: str, answer: Any, word: Word) -> bool:
    """Return whether ANSWER to METHOD about WORD says what a person wanted to know."""
    if method == "hover":
        return word.parameter in str(answer).lower()
    if method == "completion":
        items = answer["items"] if isinstance(answer, dict) else answer or []
        return any(item["label"].lower() == word.name for item in items)
    places = answer if isinstance(answer, list) else [answer] if answer else []
    ranges = [place.get("range") or place["targetSelectionRange"] for place in places]
    return any(each["start"]["line"] == word.defined_at for each in ranges)


def asked(editor: LspClient, uri: str, method: str, known: Sequence[Word]) -> tuple[list[float], int]:
    """Return the milliseconds of METHOD about each of the KNOWN words, and how many answers were right."""
    times, right = [], 0
    for word in known:
        line, column = word.called_at
        place = (line, column + (len(word.name) - 2 if method == "completion" else 2))
        answers: list[Any] = []
        times.append(timed(lambda place=place, got=answers: got.append(editor.at(method, uri, place))))
        right += is_right(method, answers[0], word)
    return times, right


def measure(source: Path, folder: Path) -> list[Row]:
    """Return all rows."""
    text = SWANK.read_text(encoding="utf-8")
    file = folder / "swank.lisp"
    file.write_text(text, encoding="utf-8")
    known, uri, rows = words(text), file.as_uri(), []
    ours = BareEditor(folder)
    try:
        ours.open_workspace(folder, EDITOR, trusted=True)
        ours.command("lisp.start")
        ours.open_document(uri, text)
        with alive(source, folder) as theirs:
            theirs.open_document(uri, text)
            for method in ("hover", "completion", "definition"):
                times, right = asked(ours, uri, method, known)
                base, base_right = asked(theirs, uri, method, known)
                met = median(times) * 20 <= median(base) and right >= base_right
                what = f"{method}, right {right} and {base_right} of {WORDS}"
                rows.append(Row(what, times, base, "at least 20 × faster, as often right", met))
        ours.command("lisp.stop")
        ours.command("hub.stop", force=True)
    finally:
        ours.kill()
    return rows


def main() -> int:
    source = os.environ.get("ALIVE_LSP")
    if source is None:
        print("Not measured: set ALIVE_LSP to the folder with alive-lsp's source.")
        return 0
    with tempfile.TemporaryDirectory(prefix="dsc-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve() / "workspace"
        folder.mkdir()
        os.environ["DESCARTES_RUNTIME_DIR"] = str(folder.parent / "runtime")
        os.environ["DESCARTES_HOME"] = str(folder.parent / "home")
        return show("alive", "alive-lsp", measure(Path(source).resolve(), folder))


if __name__ == "__main__":
    raise SystemExit(main())
