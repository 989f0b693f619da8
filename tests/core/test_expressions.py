"""The expression language: what the specification writes, its limits, and anything anybody may type."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.expressions import ExpressionError, UnknownName, evaluate, render
from descartes_core.expressions.evaluation import DEEPEST, MOST_STEPS
from descartes_core.expressions.parsing import LONGEST_BYTES

NAMES: dict[str, Any] = {
    "task": {
        "status": "running",
        "completed": False,
        "priority": 7,
        "title": "fix it",
        "description": "λ" * 120,
        "tags": ["a", "b"],
        "if": {"then": 1},
    },
    "agent": {"name": "bob"},
    "tool": {"name": "read", "args": {"path": "src/secret.lisp"}},
}


@pytest.mark.ledger("D-78")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("task.status", "running"),
        ("agent.name", "bob"),
        ("task.tags[0]", "a"),
        ("task.tags[-1]", "b"),
        ('task["title"]', "fix it"),
        ("task.tags[1 - 1]", "a"),
        ("task.if.then", 1),
    ],
)
def test_variables_paths_and_indexes(text: str, value: Any) -> None:
    assert evaluate(text, NAMES) == value


@pytest.mark.ledger("D-78")
@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("tusk", 1, "did you mean 'task'"),
        ("1 + task.titel", 10, "task has no 'titel'; did you mean 'title'"),
        ("task.tags[2]", 10, "2 elements"),
        ("task.title.upper", 12, "is a text"),
        ("task\n .nope", 3, "at line 2, column 3"),
    ],
)
def test_an_unknown_name_is_an_error_at_its_place(text: str, column: int, said: str) -> None:
    with pytest.raises(UnknownName, match=said) as found:
        evaluate(text, NAMES)
    assert found.value.data["column"] == column


@pytest.mark.ledger("D-79")
def test_conditionals() -> None:
    text = 'if task.completed then "done" else "pending"'
    assert evaluate(text, NAMES) == "pending"
    assert evaluate(text, {"task": {"completed": True}}) == "done"
    assert evaluate("if false then 1 else if task.priority > 5 then 2 else nope", NAMES) == 2


@pytest.mark.ledger("D-80")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("task.priority > 5", True),
        ("task.priority + 1", 8),
        ("6 / 3", 2),
        ("7 / 2", 3.5),
        ("1 - 2 - 3", -4),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * -3", -9),
        ("1 <= 1 && 2 >= 3 || !false", True),
        ("1 == 1.0 && true != 1 && 'a' < 'b'", True),
        ("tool.name == 'read' && tool.args.path contains 'secret'", True),
        ("task.tags contains 'c' || task contains 'title'", True),
        ("'a' + \"b\\n\"", "ab\n"),
        ("[1, [2]] + ['x'] == [1.0, [2], 'x']", True),
        ("null == false || '' == 0", False),
        ("false && nope", False),
    ],
)
def test_comparisons_and_sums(text: str, value: Any) -> None:
    found = evaluate(text, NAMES)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.ledger("D-81")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("task.title | uppercase", "FIX IT"),
        ("task.description | truncate(100)", "λ" * 100),
        ("task.description | truncate(10, '…')", "λ" * 9 + "…"),
        ("'short' | truncate(100, '…')", "short"),
        ("' A ' | trim | lower", "a"),
        ("task.owner | default('nobody') | upper", "NOBODY"),
        ("null | default(3)", 3),
        ("task.tags | json", '["a","b"]'),
        ("task.tags | length", 2),
        ("task.tags | join('-')", "a-b"),
        ("'a' | upper == 'A'", True),
    ],
)
def test_filters(text: str, value: Any) -> None:
    assert evaluate(text, NAMES) == value


@pytest.mark.parametrize(
    "text",
    [
        "task.title.upper()",
        "task.__class__",
        "nope",
        "1 < 'a'",
        "1 / 0",
        "'x' | nope",
        "-'a'",
        "1 +",
        "",
        "'a",
    ],
)
def test_what_makes_no_sense_is_refused_with_a_place(text: str) -> None:
    with pytest.raises(ExpressionError) as found:
        evaluate(text, NAMES)
    assert 0 <= found.value.offset <= len(text)


@pytest.mark.ledger("D-82")
@pytest.mark.parametrize(
    "text",
    [
        "!" * (DEEPEST + 2) + "true",
        "+".join(["1"] * (MOST_STEPS + 1)),
        " " * LONGEST_BYTES + "1",
        "9" * 30,
        "9223372036854775807 + 1",
        "*".join(["1.0", "9999999999999999999.0"] * 20),
        "(" * 5000,
        "[" * 5000 + "]" * 5000,
        "if true then " * 500 + "1" + " else 2" * 500,
        "'" + "a" * 40_000 + "' + '" + "a" * 20_000 + "' + '" + "a" * 5_000 + "'" * 2,
    ],
)
def test_limits(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, NAMES)


def test_large_values_are_refused() -> None:
    big = {"a": "x" * 60_000}
    with pytest.raises(ExpressionError, match="at most 65536"):
        evaluate("a + a", big)
    with pytest.raises(ExpressionError, match="at most 65536"):
        render("${a}${a}", big)
    nested: Any = 1
    for _ in range(200):
        nested = [nested]
    with pytest.raises(ExpressionError):
        evaluate("a == a", {"a": [nested]})


def test_templates() -> None:
    assert render("Fix ${task.title | upper} on $${branch}, ${task.priority}", NAMES) == (
        "Fix FIX IT on ${branch}, 7"
    )
    assert render("${'}'} ${task.tags} ${null}$ {x} $5", NAMES) == '} ["a","b"] $ {x} $5'
    with pytest.raises(UnknownName) as found:
        render("one\n  ${task.titel}", NAMES)
    assert (found.value.data["line"], found.value.data["column"]) == (2, 10)
    with pytest.raises(ExpressionError, match="expected `}`"):
        render("a ${task.title", NAMES)


WORDS = [
    *("task", "tool", ".", ".", "title", "tags", "[", "]", "(", ")", "0", "1", "-1", "2.5", "'a'", '"', "|"),
    *("upper", "truncate", "json", "join", "default", "if", "then", "else", "&&", "||", "!", "==", "<", "+"),
    *("-", "*", "/", "contains", "true", "null", ",", "${", "}", "$${", "\\", "\n", "λ", "😀", "__class__"),
]


@pytest.mark.ledger("D-82")
@hypothesis.settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join))
def test_anything_is_a_value_or_an_error(text: str) -> None:
    for function in (evaluate, render):
        try:
            function(text, NAMES)
        except ExpressionError as error:
            assert 0 <= error.offset <= len(text)


@pytest.mark.ledger("D-82")
@hypothesis.settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    for function in (evaluate, render):
        try:
            function(text, NAMES)
        except ExpressionError as error:
            assert 0 <= error.offset <= len(text)


@hypothesis.settings(deadline=None)
@given(st.integers(-(2**61), 2**61), st.integers(-(2**61), 2**61))
def test_ints_stay_ints(one: int, other: int) -> None:
    assert evaluate("a + b", {"a": one, "b": other}) == one + other
    assert type(evaluate("a - b", {"a": one, "b": other})) is int


def test_the_parser_is_loaded_on_first_use() -> None:
    code = "import sys, descartes_core.expressions; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
