"""Any text, any truncation, any edit: an answer, with spans inside the text and tokens an editor accepts."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_server.ide import (
    class_tree,
    completion,
    declarations,
    definition,
    edits,
    extracting,
    folding,
    implementations,
    index,
    inlining,
    inlining_calls,
    links,
    selection,
    semantic_tokens,
    signature,
    symbols,
    type_definition,
)
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.overlay import Overlay
from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import SymbolToken, Syntax, parse

LIBRARY = Path("/usr/share/common-lisp/source")
PIECES = st.sampled_from(
    ["(", ")", "(", ")", '"', "#|", "|#", "|", "\\", "#\\", "#\\(", "'", "`", ",@", "#'", "#+", "#-", "#.",
     "#(", "#1=", ";", "\n", "\r\n", "\r", "\t", " ", "\n(", "\n(defun f (x &key (y 1))",
     "\n(in-package #:p)",
     "let ((a 1) (b 2))", "declare (type foo x)", "declaim (special x)", "defstruct (s (:include foo)) x",
     "loop for x in y", "defclass c (d) ((e :initarg :e))", "foo", "p::q", ":k", "12",
     "é😀€", "\x00", "\ud800", "#*01", "#S(", "cond", "flet ((f (x) x))"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join))


def check(syntax: Syntax) -> None:
    """Ask everything about SYNTAX and check that what comes lies inside the text and in order."""
    length = len(syntax.text)
    assert "".join(segment.text for segment in syntax.segments) == syntax.text
    for form in syntax.forms:
        assert 0 <= form.start <= form.name_start <= form.name_end <= form.end <= length
    for problem in syntax.problems:
        assert 0 <= problem.start < problem.end <= length
    for symbol in symbols.document_symbols(syntax):
        assert 0 <= symbol.start <= symbol.name_start <= symbol.name_end <= symbol.end <= length
    before = 0
    for token in semantic_tokens.tokens(syntax):
        assert token.start >= before
        assert token.length > 0
        before = token.start + token.length
        assert not set("\r\n") & set(syntax.text[token.start : before])
        assert token.type in semantic_tokens.TOKEN_TYPES
        assert set(token.modifiers) <= set(semantic_tokens.TOKEN_MODIFIERS)
    assert before <= length
    for link in links.links(syntax, "/w/a.asd", WorkspaceIndex()):
        assert 0 <= link.start < link.end <= length
    lines = syntax.lines.line_count
    starts = [fold.start_line for fold in folding.folding_ranges(syntax)]
    assert starts == sorted(set(starts))
    assert all(fold.start_line < fold.end_line < lines for fold in folding.folding_ranges(syntax))


def check_at(syntax: Syntax, offset: int) -> None:
    for scope in ("last", "toplevel", "enclosing"):
        span = syntax.form_at(offset, scope)
        assert span is None or 0 <= span.start <= span.end <= len(syntax.text)
    symbol = syntax.symbol_at(offset)
    assert symbol is None or symbol.start <= offset <= symbol.end
    for binding in syntax.bindings_at(offset):
        assert syntax.text[binding.start : binding.end] == binding.name
    place = signature.at(syntax, offset)
    if place is not None:
        signature.render(place.operator, "(a &key b &rest c)", place)
    check_selections(syntax, offset)
    completion.static_items(syntax, offset)
    definition.find_static(syntax, offset)
    if symbol is not None:
        check_types(syntax, symbol)
        check_rewriting(syntax, symbol)
    syntax.package_at(offset)


def check_selections(syntax: Syntax, offset: int) -> None:
    spans = selection.selections(syntax, offset)
    assert (spans[-1].start, spans[-1].end) == (0, len(syntax.text))
    assert len(spans) <= selection.LIMIT
    for inner, outer in pairwise(spans):
        assert outer.start <= inner.start <= offset <= inner.end <= outer.end
        assert inner.end - inner.start < outer.end - outer.start


def check_types(syntax: Syntax, symbol: SymbolToken) -> None:
    entries = index.definitions_of_text(syntax)
    overlay = Overlay(index.WorkspaceIndex(), {"": entries})
    package = syntax.package_at(symbol.start)
    type_definition.types_at(overlay, syntax, symbol)
    implementations.methods(overlay, symbol.text, package)
    for relation in ("self", "supertypes", "subtypes", "descendants"):
        found = class_tree.related(overlay, symbol.text, package, relation)
        assert found is None or set(found) <= set(entries)
    for each in declarations.declared(syntax, base_name(symbol.text)):
        assert 0 <= each.start <= each.name_start <= each.name_end <= each.end <= len(syntax.text)


def check_rewriting(syntax: Syntax, symbol: SymbolToken) -> None:
    """What a rewriting leaves is as sound as what it began with."""
    inlined = [inlining.variable(syntax, symbol.start, lambda _: ())]
    if inlining_calls.is_call(syntax, symbol):
        inlined.append(inlining_calls.call(syntax, symbol, syntax))
    span = syntax.form_at(symbol.start, "enclosing")
    taken = extracting.function(syntax, span.start, span.end, lambda _: ()) if span is not None else None
    for changes in (taken, *([each] for each in inlined if each is not None)):
        if changes is not None:
            after = parse(edits.applied(syntax.text, changes))
            assert len(after.problems) <= len(syntax.problems)


def answers(syntax: Syntax) -> tuple[object, ...]:
    """Everything that is kept from one keystroke to the next."""
    return (
        syntax.forms, syntax.problems, symbols.document_symbols(syntax), semantic_tokens.tokens(syntax),
        semantic_tokens.encoded(syntax), folding.folding_ranges(syntax),
    )  # fmt: skip


@given(TEXTS, st.data())
@settings(deadline=None, max_examples=150)
def test_any_text_has_answers(text: str, data: st.DataObject) -> None:
    syntax = parse(text)
    check(syntax)
    check_at(syntax, data.draw(st.integers(0, len(text))))


@given(TEXTS, TEXTS, TEXTS, TEXTS)
@settings(deadline=None, max_examples=150)
def test_an_edit_gives_the_same_answers_as_reading_everything_anew(a: str, b: str, c: str, d: str) -> None:
    old = parse(a + b + d)
    answers(old)
    assert answers(parse(a + c + d, old)) == answers(parse(a + c + d))


@pytest.mark.parametrize("name", ["alexandria/alexandria-1/lists.lisp", "slime/swank/match.lisp"])
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_any_truncation_of_a_real_file(name: str, data: st.DataObject) -> None:
    text = (LIBRARY / name).read_text("utf-8")
    cut = data.draw(st.integers(0, len(text)))
    check(parse(text[:cut]))
    check(parse(text[cut:]))
    check_at(parse(text[:cut]), cut)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000,
        "(" * 20_000 + ")" * 20_000,
        "'" * 20_000 + "a",
        "(a\n" * 5_000,
        '"\n(def ' * 5_000,
        "#|" * 5_000,
        "|\n" * 20_000,
        "(defun f (x)\n" * 2_000,
        "#+" * 20_000 + "(a)",
        bytes(range(256)).decode("latin-1") * 200,
        "\ufffd\x00" * 20_000,
        ")" * 50_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_texts_cost_little(text: str) -> None:
    started = time.process_time()
    check(parse(text))
    check_at(parse(text), len(text) // 2)
    assert time.process_time() - started < 10 * (1 if sys.gettrace() is None else 5)
