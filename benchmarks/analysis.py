"""What a keystroke in a 7,000-line file costs: our analyses beside a bare tree-sitter parse, in one run.

Run: .venv/bin/python benchmarks/analysis.py. Exit 1 when a ratio is over 5.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tree_sitter_commonlisp
from tree_sitter import Language, Parser

from descartes_server.ide import folding, indentation, semantic_tokens, symbols
from descartes_server.ide.syntax import Syntax, parse

SOURCES = Path("/usr/share/common-lisp/source")
LINES = 7_000
KEYSTROKES = 60
LIMIT = 5.0


def big_file() -> str:
    """Return a file of about 7,000 lines made of real ones."""
    texts, count = [], 0
    for path in [SOURCES / "slime" / "swank.lisp", *sorted((SOURCES / "slime" / "swank").glob("*.lisp"))]:
        texts.append(path.read_text("utf-8", errors="replace"))
        count += texts[-1].count("\n")
        if count >= LINES:
            break
    lines = "\n".join(texts).split("\n")[:LINES]
    return "\n".join(lines)


def milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return (time.perf_counter() - started) * 1000, result


def parser() -> Parser:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return Parser(Language(tree_sitter_commonlisp.language()))


def bare(old: str, new: str, at: int) -> tuple[float, float]:
    """Return milliseconds of tree-sitter alone for NEW: from nothing, and after the edit at AT of OLD."""
    ours = parser()
    tree = ours.parse(old.encode())
    row = old.count("\n", 0, at)
    byte = len(old[:at].encode())

    def edited() -> object:
        tree.edit(byte, byte, byte + 1, (row, 0), (row, 0), (row, 1))
        return ours.parse(new.encode(), tree)

    return milliseconds(lambda: ours.parse(new.encode()))[0], milliseconds(edited)[0]


def keystroke(old: Syntax, new: str) -> dict[str, float]:
    """Return milliseconds of each analysis of NEW after OLD was analysed."""
    costs: dict[str, float] = {}
    costs["parse"], syntax = milliseconds(lambda: parse(new, old))
    costs["problems"], _ = milliseconds(lambda: syntax.problems)
    costs["symbols"], _ = milliseconds(lambda: symbols.document_symbols(syntax))
    costs["tokens"], _ = milliseconds(lambda: semantic_tokens.encoded(syntax))
    costs["folding"], _ = milliseconds(lambda: folding.folding_ranges(syntax))
    costs["indentation"], _ = milliseconds(lambda: indentation.lines(syntax, known_to(syntax)))
    costs["all of these"] = sum(costs.values())
    costs["tokens as objects"], _ = milliseconds(lambda: semantic_tokens.tokens(syntax))
    return costs


def warm(syntax: Syntax) -> dict[str, float]:
    """Analyse SYNTAX once and return what opening the file costs."""
    costs = {"symbols": milliseconds(lambda: symbols.document_symbols(syntax))[0]}
    costs["tokens"] = milliseconds(lambda: semantic_tokens.encoded(syntax))[0]
    costs["folding"] = milliseconds(lambda: folding.folding_ranges(syntax))[0]
    costs["indentation"] = milliseconds(lambda: indentation.lines(syntax, known_to(syntax)))[0]
    semantic_tokens.tokens(syntax)
    return costs


def known_to(syntax: Syntax) -> dict[str, int]:
    """Return that all operators of the program have a body, as a server that knows them all would."""
    return dict.fromkeys(indentation.operators(syntax), 1)


def main() -> int:
    text = big_file()
    opening, syntax = milliseconds(lambda: parse(text))
    first = {"parse": opening, **warm(syntax)}
    rows: dict[str, list[float]] = {}
    forms = [form for form in syntax.forms if form.end - form.start > 200]
    for number in range(KEYSTROKES):
        form = forms[number * len(forms) // KEYSTROKES]
        at = form.start + text[form.start :].index(" ") + 1
        new = text[:at] + "x" + text[at:]
        full, incremental = bare(text, new, at)
        gc.collect()
        for name, cost in {
            "tree-sitter, from nothing": full,
            "tree-sitter, after an edit": incremental,
            **keystroke(syntax, new),
        }.items():
            rows.setdefault(name, []).append(cost)
    base = statistics.median(rows["tree-sitter, after an edit"])
    print(f"{LINES} lines, {len(text)} characters; milliseconds after a keystroke, {KEYSTROKES} places\n")
    print(f"| {'work':26} | median |   p95 | times tree-sitter |")
    print("|---|---|---|---|")
    for name, costs in rows.items():
        middle, tail = statistics.median(costs), sorted(costs)[int(len(costs) * 0.95)]
        print(f"| {name:26} | {middle:6.2f} | {tail:5.2f} | {middle / base:17.1f} |")
    opened = ", ".join(f"{name} {cost:.0f}" for name, cost in first.items())
    print(f"\nOpening the file: {opened}")
    ratio = statistics.median(rows["all of these"]) / base
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
