"""Right answers on real libraries: alexandria, cl-ppcre and Swank as the distribution has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from descartes_server.ide import indentation, lexer, tree
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.symbols import document_symbols
from descartes_server.ide.syntax import parse
from descartes_server.operations.source_files import read_source

LIBRARY = Path("/usr/share/common-lisp/source")
FILES = sorted(
    path for folder in ("alexandria", "cl-ppcre", "slime") for path in (LIBRARY / folder).rglob("*.lisp")
)
NAMES = [str(path.relative_to(LIBRARY)) for path in FILES]


def read(path: Path) -> str:
    return path.read_text("utf-8", errors="replace")


def test_the_libraries_are_here() -> None:
    assert len(FILES) > 80


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_definition_in_column_0_is_in_the_outline(path: Path) -> None:
    """The only exceptions are those inside `#| |#`, which define nothing."""
    text = read(path)
    starts = {symbol.start for symbol in document_symbols(parse(text))}
    comments = [(start, end) for kind, start, end in lexer.lexemes(text) if kind == "block"]
    missed = [
        match.group()
        for match in re.finditer(r"^\(def\S*\s+\S+", text, re.MULTILINE)
        if match.start() not in starts and not any(start < match.start() < end for start, end in comments)
    ]
    assert missed == []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_sound_file_has_no_problem(path: Path) -> None:
    assert parse(read(path)).problems == ()


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_tree_sitter_and_the_reader_see_the_same_tree(path: Path) -> None:
    """Every node, in both: so it does not matter which of them answers."""

    def drawn(root: tree.Node) -> list[tuple[str, int, int]]:
        kinds = ("list", "symbol", "number", "string", "character")
        return [(node.kind, node.start, node.end) for node in tree.walk(root) if node.kind in kinds]

    for segment in parse(read(path)).segments:
        grown = tree.from_tree_sitter(segment)
        if grown is not None:
            own = tree.from_lexemes(segment)
            assert own is not None
            assert drawn(grown) == drawn(own)


def test_tree_sitter_reads_nearly_all_forms() -> None:
    """Else the way around it would be the rule."""
    forms = [segment for path in FILES for segment in parse(read(path)).segments if segment.root]
    grown = sum(1 for segment in forms if tree.from_tree_sitter(segment) is not None)
    assert grown / len(forms) > 0.97


def test_the_index_finds_the_libraries_functions() -> None:
    index = WorkspaceIndex()
    assert len(list(index.scan((str(path) for path in FILES), read_source))) == len(FILES)
    found = index.lookup("alexandria:flatten")
    assert [(Path(entry.path).name, entry.detail, entry.package) for entry in found[:1]] == [
        ("lists.lisp", "(tree)", "ALEXANDRIA")
    ]
    assert found[0].documentation.startswith("Traverses the tree in order")


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_indenting_changes_no_word_and_has_nothing_to_do_a_second_time(path: Path) -> None:
    text = read(path)
    after = indented(text)
    assert [text[start:end] for _, start, end in lexer.lexemes(text)] == [
        after[start:end] for _, start, end in lexer.lexemes(after)
    ]
    assert indented(after) == after


def test_well_kept_files_are_left_nearly_as_they_are() -> None:
    """Emacs itself would change 6 % of the lines of alexandria and 10 % of Swank's."""
    for folder, most in (("alexandria", 0.03), ("slime", 0.06)):
        texts = [parse(read(path)) for path in FILES if path.is_relative_to(LIBRARY / folder)]
        changed = sum(len(indentation.lines(syntax, {})) for syntax in texts)
        assert changed < most * sum(syntax.lines.line_count for syntax in texts)


def indented(text: str) -> str:
    for line in reversed(indentation.lines(parse(text), {})):
        text = text[: line.start] + " " * line.column + text[line.end :]
    return text
