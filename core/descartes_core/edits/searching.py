"""Which places of a text a bulk edit is about: those that a search finds, or those that were named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from descartes_core.edits import regex_worker
from descartes_core.edits.places import Edit, Lines, ordered
from descartes_core.edits.shapes import EditRequest, TextChange
from descartes_core.errors import InvalidParams, TimedOut

SEARCH_SECONDS = 20

Find = Callable[[str, str], list[Edit]]
"""`find(path, text)` returns what changes in the TEXT of the file PATH, whose lines end in newlines."""
Symbols = Callable[[str, str, str], Sequence[tuple[int, int]]]
"""`symbols(path, text, name)` returns where the symbol NAME stands in TEXT, nowhere in what is no Lisp."""


@contextmanager
def searching(request: EditRequest, symbols: Symbols) -> Iterator[Find]:
    """Give what finds the places of REQUEST, which was checked. Concurrency: blocks; for one thread."""
    if request.changes is not None:
        yield _named(request.changes)
        return
    pattern, replacement = plain(request.pattern or ""), plain(request.replacement or "")
    if request.regex:
        with _Worker(pattern, replacement, request.ignore_case) as worker:
            yield worker.find
    elif request.symbol:
        yield lambda path, text: [Edit(*place, replacement) for place in symbols(path, text, pattern)]
    else:
        found = re.compile(re.escape(pattern), re.IGNORECASE if request.ignore_case else 0)
        yield lambda path, text: [Edit(*each.span(), replacement) for each in found.finditer(text)]


def check(request: EditRequest) -> None:
    """Refuse a REQUEST that says too little or two things at once, with `InvalidParams`."""
    if (request.changes is None) == (request.pattern is None):
        raise InvalidParams(
            "Expected either `changes` or `pattern` with `replacement`, not both and not none"
        )
    if request.changes is not None:
        if not request.changes:
            raise InvalidParams("Expected one or more changes in `changes`, got none")
        if request.paths is not None or request.regex or request.symbol or request.ignore_case:
            raise InvalidParams("`changes` name their files and texts; leave out what is for a search")
        for change in request.changes:
            _check_change(change)
        return
    if not request.pattern:
        raise InvalidParams("Expected a text to look for in `pattern`, got an empty one")
    if request.replacement is None:
        raise InvalidParams("Expected `replacement`, which may be empty, beside `pattern`, got none")
    if request.regex and request.symbol:
        raise InvalidParams("A pattern is either a regular expression or a symbol; choose one of them")
    if request.symbol and re.search(r"[\s()\"';`,]", request.pattern):
        raise InvalidParams(f"Expected the name of one Lisp symbol in `pattern`, got {request.pattern!r}")


def plain(text: str) -> str:
    """Return TEXT with newlines for line ends, as files are searched."""
    return text.replace("\r\n", "\n")


def _check_change(change: TextChange) -> None:
    if (change.old_text is None) == (change.range is None):
        raise InvalidParams(
            f"Expected either `oldText` or `range` in the change of {change.path!r}, not both and not none"
        )
    if change.old_text == "":
        raise InvalidParams(
            f"Expected a text in `oldText` of the change of {change.path!r}, got an empty one"
        )
    if change.range is not None:
        ends = change.range.start, change.range.end
        places = [(each.line, each.column) for each in ends]
        if min(number for place in places for number in place) < 1 or places[1] < places[0]:
            raise InvalidParams(
                f"Expected a range of {change.path!r} counted from 1 whose end is not before its start"
            )


def _named(changes: Sequence[TextChange]) -> Find:
    by_path: dict[str, list[TextChange]] = {}
    for change in changes:
        by_path.setdefault(change.path, []).append(change)

    def find(path: str, text: str) -> list[Edit]:
        lines = Lines(text)
        return ordered((_edit(change, lines) for change in by_path.get(path, ())), path)

    return find


def _edit(change: TextChange, lines: Lines) -> Edit:
    new = plain(change.new_text)
    if change.range is not None:
        ends = change.range.start, change.range.end
        start, end = (lines.offset(each.line, each.column) for each in ends)
        return Edit(start, end, new)
    old = plain(change.old_text or "")
    count = lines.content.count(old)
    if count != 1:
        advice = "read the file again" if count == 0 else "give more of the text around it"
        raise InvalidParams(
            f"Expected `oldText` exactly once in {change.path!r}, it is there {count} times; {advice}",
            path=change.path,
        )
    start = lines.content.index(old)
    return Edit(start, start + len(old), new)


class _Worker:
    """A process that searches texts for a regular expression, ended when it takes too long."""

    def __init__(self, pattern: str, replacement: str, ignore_case: bool) -> None:
        self._pattern = pattern
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", regex_worker.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            cwd="/",
        )
        self._limit = threading.Timer(SEARCH_SECONDS, self._process.kill)
        self._request = {"pattern": pattern, "replacement": replacement, "ignoreCase": ignore_case}

    def __enter__(self) -> _Worker:
        self._limit.start()
        try:
            answer: Mapping[str, Any] = self._ask(self._request)
            if "error" in answer:
                raise InvalidParams(
                    f"{self._pattern!r} with its replacement is not a regular expression: {answer['error']}"
                )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *about: object) -> None:
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()

    def find(self, path: str, text: str) -> list[Edit]:
        """See `Find`. Errors: `TimedOut`."""
        return [Edit(*each) for each in self._ask(text)]

    def _ask(self, question: object) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            # It ended: nothing but the limit ends it, and it reads and writes nothing but JSON.
            raise TimedOut(
                f"The search took more than {SEARCH_SECONDS} s; make the pattern simpler, or name `paths`"
            ) from None
