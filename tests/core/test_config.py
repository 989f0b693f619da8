"""The table of settings and what is made from it; reading files with every kind of mistake in them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import hypothesis
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.config import loading, places, schema
from descartes_core.config.table import settings

FILE = Path("/w/descartes.toml")


def problems(text: str, *, trusted: bool = True) -> list[tuple[int, int, str]]:
    found = loading.problems_in(FILE, text, may_name_programs=trusted)
    return [(each.line, each.column, each.message) for each in found]


def test_every_setting_says_what_it_does_and_has_a_default_that_counts() -> None:
    for each in settings().values():
        assert each.meaning.endswith("."), each.name
        source = loading.Source("editor", True, values=loading.nested({each.name: each.default}))
        assert loading.load([source]).problems == []


def test_the_schema_takes_what_the_program_takes() -> None:
    check = jsonschema.Draft202012Validator(schema.schema())
    check.check_schema(schema.schema())
    good = '[leases]\nttlSeconds = 5\n[lisp]\npaths = [{local = "a", remote = "/b"}]\n'
    assert list(check.iter_errors(tomllib.loads(good))) == [] == problems(good)
    for bad in ("[leases]\nttlSeconds = 0", "[leases]\nttl = 1", "[lisp]\npaths = [{local = 1}]", "x = 1"):
        assert list(check.iter_errors(tomllib.loads(bad)))
        assert len(problems(bad)) == 1


def test_a_problem_stands_where_its_cause_does() -> None:
    pair = '  {local = "a", remote = "b"},\n'
    text = '# é\nhub.idleMinutes = "x"\n[lisp]\n"paths" = [\n' + pair + pair.replace('"a"', "2") + "]\n"
    found = problems(text)
    assert [(line, column) for line, column, _ in found] == [(2, 5), (6, 4)]
    assert found[1][2].startswith("lisp.paths: expected `str`, got `int`")


def test_a_name_that_is_nearly_right_is_named() -> None:
    ((line, column, message),) = problems("[leases]\nttlSecond = 1\n")
    assert (line, column) == (2, 1)
    assert "did you mean 'leases.ttlSeconds'" in message


def test_a_name_in_snake_case_counts_and_its_new_name_is_told() -> None:
    source = loading.from_file(FILE, may_name_programs=True, text="[leases]\nttl_seconds = 9\n")
    loaded = loading.load([source])
    assert loaded.settings.leases.ttl_seconds == 9
    ((problem),) = loaded.problems
    assert (problem.code, problem.new_name, problem.line) == ("setting.renamed", "ttlSeconds", 2)


def test_a_file_that_is_no_toml_is_one_problem_at_its_place() -> None:
    ((line, _, message),) = problems("[leases]\nttlSeconds = \n")
    assert line == 2
    assert "until it is put right" in message
    assert len(problems("x = " + "[" * 5000)) == 1


@hypothesis.settings(deadline=None)
@given(st.text(alphabet="[]{}=.,\"'#\\ \nabλ😀1"))
def test_any_text_can_be_scanned(text: str) -> None:
    for entry in places.scan(text):
        assert 0 <= entry.key[0] < entry.key[1] <= len(text)
        assert entry.value[0] <= entry.value[1] <= len(text)
    loading.problems_in(FILE, text, may_name_programs=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a.b]\nc.d = 1", [("a", "b"), ("a", "b", "c", "d")]),
        ("[[r]]\nx=1\n[[r]]\nx=2\n[r.y]", [("r", 0), ("r", 0, "x"), ("r", 1), ("r", 1, "x"), ("r", 1, "y")]),
        ("a = {b = {c = 1}, d = 2}", [("a",), ("a", "b"), ("a", "b", "c"), ("a", "d")]),
        ('a = """\n[no]\nx = 1\n"""\nb = 1', [("a",), ("b",)]),
        ("a = [1,\n[t]\nb = 1", [("a",), ("b",)]),
        ("a = [1\n[t]\nb = 1", [("a",), ("t",), ("t", "b")]),
    ],
)
def test_paths(text: str, expected: list[places.Path]) -> None:
    assert [entry.path for entry in places.scan(text)] == expected
