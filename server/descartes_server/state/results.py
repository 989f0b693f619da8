"""The values of evaluated forms, from one evaluation to the next and through the person's typing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from descartes_server.ide import results as ide
from descartes_server.ide.results import Result
from descartes_server.ide.text import LineIndex
from descartes_server.state.shift import Shift
from descartes_server.state.snapshot import Snapshot
from descartes_server.state.workshop import Workshop

Scope = Literal["last", "toplevel", "enclosing"]


def after(
    snapshot: Snapshot,
    now: Snapshot,
    name: str,
    params: Mapping[str, Any],
    result: Mapping[str, Any],
) -> Workshop:
    """Return NOW's workshop after operation NAME with PARAMS, asked at SNAPSHOT, gave RESULT.

    The form was found in the text of that moment; what has been typed since then moves it.
    """
    found = _form(snapshot, name, params)
    shown = ide.of_compilation(result) if name == "lisp.compileForm" else ide.of_evaluation(result)
    if found is None or shown is None:
        return now.workshop
    path, lines, span = found
    id = result.get("evaluation") if name == "lisp.compileForm" else result.get("id")
    new = Result(lines.position(span[0]), lines.position(span[1]), *shown, evaluation=id)
    later = next((each for each in now.documents.values() if each.real_path == path), None)
    moved_new = moved([new], lines, later.lines) if later is not None else [new]
    known = now.workshop.results.get(path, ())
    for each in moved_new:
        known = ide.with_result(known, each)
    return now.workshop.with_results(path, known)


def with_outcome(workshop: Workshop, evaluation: Mapping[str, Any]) -> Workshop:
    """Return WORKSHOP after EVALUATION, which was stopped when it was last heard of, has ended."""
    for path, results in workshop.results.items():
        for each in results:
            if each.evaluation is not None and each.evaluation == evaluation.get("id"):
                shown = ide.of_evaluation(evaluation)
                if not each.label.startswith("■"):
                    return workshop
                others = tuple(other for other in results if other is not each)
                ended = () if shown is None else (replace(each, label=shown[0], tooltip=shown[1]),)
                return workshop.with_results(path, sorted((*others, *ended), key=lambda one: one.start))
    return workshop


def moved(results: Sequence[Result], old: LineIndex, new: LineIndex) -> list[Result]:
    """Return RESULTS of the text OLD where they stand in NEW; those whose form was edited are dropped.

    What is typed right after a closing parenthesis edits nothing.
    """
    shift = Shift(old, new)
    kept = []
    for each in results:
        first, last = old.offset(*each.start), old.offset(*each.end)
        where = shift.place(first, last, closed=old.text[last - 1 : last] == ")")
        if where is not None:
            kept.append(replace(each, start=where[0], end=where[1]))
    return kept


def _form(
    snapshot: Snapshot, name: str, params: Mapping[str, Any]
) -> tuple[str, LineIndex, tuple[int, int]] | None:
    """Return real path, lines and span of the form that NAME with PARAMS, the hub's, is about."""
    document = snapshot.opened(params.get("uri") or "")
    position = params.get("position")
    if document is None or document.real_path is None or not position:
        return None
    scope: Scope = params.get("scope", "toplevel") if name == "lisp.evalForm" else "toplevel"
    offset = document.lines.offset(position["line"] - 1, position["column"] - 1)
    span = document.syntax.form_at(offset, scope)
    return (document.real_path, document.lines, (span.start, span.end)) if span else None
