"""What is shown at the end of a form: the value of its last evaluation, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descartes_server.ide.stops import Place, Stop

LABEL = 100
"""Characters of a label."""
TOOLTIP = 4000
_ARGUMENTS = 6
_ARGUMENT = 40


@dataclass(frozen=True)
class Result:
    """What came of the form from START to END; EVALUATION is the one that it came of."""

    start: Place
    end: Place
    label: str
    tooltip: str = ""
    evaluation: str | None = None


@dataclass(frozen=True)
class Hint:
    """LABEL as it is shown at the offset AT, the end of a form; TOOLTIP is all of it."""

    at: int
    label: str
    tooltip: str = ""


def of_evaluation(evaluation: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return label and tooltip of EVALUATION, a result of the wire; None when nothing came of it yet.

    Example: {"state": "done", "values": ["3", ":B"], …} -> ("⇒ 3, :B", "3\\n:B")
    """
    values: Sequence[str] = evaluation.get("values") or ()
    match evaluation.get("state"):
        case "done":
            text = ", ".join(_line(value) for value in values) or "no values"
            return _cut(f"⇒ {text}"), _tooltip(values, evaluation)
        case "stopped":
            return _cut(f"■ {_condition(evaluation)}"), _tooltip((), evaluation)
        case "aborted":
            return _cut(f"■ aborted: {_condition(evaluation)}".rstrip(": ")), _tooltip((), evaluation)
    return None


def of_compilation(compilation: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return label and tooltip of COMPILATION, a result of the wire."""
    if compilation.get("state") != "done":
        return of_evaluation(compilation)
    notes = compilation.get("notes") or ()
    counts = [(word, sum(note["severity"] == word for note in notes)) for word in ("error", "warning")]
    found = ", ".join(f"{count} {word}{'s' * (count > 1)}" for word, count in counts if count)
    messages = "\n".join(note["message"] for note in notes)[:TOOLTIP]
    if compilation.get("success"):
        return _cut(f"✓ compiled, {found}" if found else "✓ compiled"), messages
    return _cut(f"✗ {found or 'not compiled'}"), messages


def with_result(results: Sequence[Result], new: Result) -> tuple[Result, ...]:
    """Return RESULTS with NEW in place of those whose forms it overlaps."""
    kept = (each for each in results if each.end <= new.start or new.end <= each.start)
    return tuple(sorted((*kept, new), key=lambda each: each.start))


def of_frame(stop: Stop, frame: Mapping[str, Any]) -> str:
    """Return the variables of FRAME, a FrameDetail of the wire, as they stand at the form of STOP.

    Example: "a = 2, b = 0 (was 1)"
    """
    parts = [_variable(each) for each in frame["locals"]]
    if len(parts) > _ARGUMENTS:
        parts = [*parts[:_ARGUMENTS], "…"]
    return _cut(", ".join(parts), 2 * LABEL)


def _variable(local: Mapping[str, Any]) -> str:
    earlier = local.get("earlier")
    was = f" (was {_cut(_line(earlier[0]), _ARGUMENT)})" if earlier else ""
    return f"{local['name'].lower()} = {_cut(_line(local['value']), _ARGUMENT)}{was}"


def _condition(evaluation: Mapping[str, Any]) -> str:
    condition = evaluation.get("condition")
    if not condition:
        return "stopped" if evaluation.get("state") == "stopped" else ""
    return f"{condition['type'].rpartition(':')[2]}: {_line(condition['message'])}"


def _tooltip(values: Iterable[str], evaluation: Mapping[str, Any]) -> str:
    parts = ["\n".join(values)]
    if condition := evaluation.get("condition"):
        parts.append(f"{condition['type']}: {condition['message']}")
    if output := evaluation.get("output"):
        parts.append(f"Output:\n{output}")
    return "\n\n".join(part for part in parts if part)[:TOOLTIP]


def _line(text: str) -> str:
    return " ".join(text[: 4 * LABEL].split())


def _cut(text: str, most: int = LABEL) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
