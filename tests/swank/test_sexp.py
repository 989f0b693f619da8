"""The reader and the printer: every syntax Swank uses, any text at all, the fast path against the general."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import pytest
import sexpdata
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_swank import fast_reader, general_reader
from descartes_swank.sexp import Char, Cons, Symbol, Tagged, Unreadable, Vector, plist, read, write


def same(left: Any, right: Any) -> bool:
    """Compare with types: a `Symbol` is not the str of the same letters, True is not 1."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, Vector)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Cons):
        return same(list(left.items), list(right.items)) and same(left.tail, right.tail)
    if isinstance(left, Tagged):
        return left.tag == right.tag and same(left.value, right.value)
    return bool(left == right)


def check(text: str, expected: Any) -> None:
    value, problem = read(text)
    assert problem is None
    assert same(value, expected), value


S = Symbol

READINGS = [
    ("nil", None),
    ("NIL", None),
    ("()", None),
    ("( )", None),
    ("t", True),
    ("42", 42),
    ("+7", 7),
    ("-7.", -7),
    ("1/2", Fraction(1, 2)),
    ("-3/4", Fraction(-3, 4)),
    ("4/2", 2),
    ("0.004000000189989805", 0.004000000189989805),
    ("1.5d0", 1.5),
    ("-.5", -0.5),
    ("1e3", 1000.0),
    ("1.0e-7", 1e-7),
    ("6.02s23", 6.02e23),
    ("1+", S("1+")),
    ("1/0", S("1/0")),
    ("-", S("-")),
    ("...", S("...")),
    (":ok", S(":ok")),
    ("swank::foo", S("swank::foo")),
    ("|Foo Bar|", S("|Foo Bar|")),
    ("pkg::|a)\\|b|", S("pkg::|a)\\|b|")),
    (r"a\ b", S(r"a\ b")),
    ("|nil|", S("|nil|")),
    ("#:g12", S("#:g12")),
    ('"a\\"b\\\\c\nd"', 'a"b\\c\nd'),
    ('""', ""),
    ("#\\a", Char("a")),
    ("#\\(", Char("(")),
    ("(#\\))", [Char(")")]),
    ("#\\Space", Char(" ")),
    ("#\\Newline", Char("\n")),
    ("#\\Nul", Char("\0")),
    ("#\\LATIN_SMALL_LETTER_E_WITH_ACUTE", Char("é")),
    ("#\\U+1F600", Char("\U0001f600")),
    ("#\\é", Char("é")),
    ("(1 . 2)", Cons((1,), 2)),
    ("(1 2 . x)", Cons((1, 2), S("x"))),
    ("(1 . (2 . (3 . nil)))", [1, 2, 3]),
    ("(1 . (2 . 3))", Cons((1, 2), 3)),
    ("(1 . ())", [1]),
    ("(a .5)", [S("a"), 0.5]),
    ("#(1 #() x)", Vector((1, Vector(), S("x")))),
    ("'a", [S("quote"), S("a")]),
    ("#'car", [S("function"), S("car")]),
    ("'(a 'b)", [S("quote"), [S("a"), [S("quote"), S("b")]]]),
    ("`(a ,b ,@c)", Tagged("`", [S("a"), Tagged(",", S("b")), Tagged(",@", S("c"))])),
    ("#.(foo)", Tagged("#.", [S("foo")])),
    ('#P"/tmp/a b"', Tagged("#P", "/tmp/a b")),
    ("#S(point :x 1)", Tagged("#S", [S("point"), S(":x"), 1])),
    ("#C(1 2)", Tagged("#C", [1, 2])),
    ("(#1=(a) #1#)", [Tagged("#1=", [S("a")]), S("#1#")]),
    ("#2A((1 2) (3 4))", Tagged("#2A", [[1, 2], [3, 4]])),
    ("#xFF", 255),
    ("#b-101", -5),
    ("#xA/F", Fraction(2, 3)),
    ("#x1/0", S("#x1/0")),
    ("#xyz", S("#xyz")),
    ("#*0101", S("#*0101")),
    ("#.SB-EXT:DOUBLE-FLOAT-NEGATIVE-INFINITY", float("-inf")),
    ("#<PACKAGE \"A>B\">", Unreadable('#<PACKAGE "A>B">')),
    ("(#<FUNCTION (LAMBDA (X) :IN A->B) {10}> 1)", [Unreadable("#<FUNCTION (LAMBDA (X) :IN A->B) {10}>"), 1]),
    ("#<A #<B {1}> {2}>", Unreadable("#<A #<B {1}> {2}>")),
    ("#| a #| nested |# ) |# 1", 1),
    ("; a comment\n 1 ; another", 1),
    (" (a\n\tb)\r\n", [S("a"), S("b")]),
    ('("a""b"c)', ["a", "b", S("c")]),
    ("(λ \"é😀€\")", [S("λ"), "é😀€"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READINGS)
def test_everything_swank_prints_is_read(text: str, expected: Any) -> None:
    check(text, expected)


@pytest.mark.parametrize(("text", "expected"), READINGS)
def test_it_is_read_alike_inside_a_long_reply(text: str, expected: Any) -> None:
    padding = " ".join(f'("name-{n}" {n} :kind)' for n in range(40))
    inside, problem = read(f"(:return (:ok ({padding} {text}\n)) 7)")
    assert problem is None
    assert same(inside[1][1][40], expected)


BROKEN = [
    ("", "There is no form in the text", None),
    ("   ; nothing\n", "There is no form in the text", None),
    ("(a (b", "The text ends inside a form", [S("a"), [S("b")]]),
    ("'", "The text ends inside a form", None),
    (")", "A list is closed that was not opened", None),
    ("(a) b", "There is more text after the form", [S("a")]),
    ('("abc', "A string is not closed", ["abc"]),
    ("(a |b", "A symbol's bar or backslash is not closed", [S("a"), S("|b")]),
    ("(a . )", "No form follows the dot", [S("a")]),
    ("(a . b c)", "More than one form follows the dot", Cons((S("a"),), S("b"))),
    ("(. a)", "A dot stands where no list is being read", [S("a")]),
    ("(')", "A list ends where a quoted form was expected", None),
    ("#<abc", "'#<' is not closed by '>'", Unreadable("#<abc")),
    ("#\\Nonsense", "No character has the name 'Nonsense'", Char("Nonsense")),
    ("#!x", "'#!' is no Lisp syntax", S("#!x")),
]


@pytest.mark.parametrize(("text", "message", "value"), BROKEN)
def test_a_broken_text_gives_a_problem_and_what_could_be_understood(
    text: str, message: str, value: Any
) -> None:
    got, problem = read(text)
    assert problem is not None
    assert problem.message == message
    assert same(got, value), got


names = st.text(st.sampled_from("abcXYZ019-+*/<>=&%$!?_"), min_size=1, max_size=8)
symbols = st.builds(
    lambda prefix, name: Symbol(prefix + "s" + name), st.sampled_from([":", "", "pkg::", "#:"]), names
)
plain_atoms = st.one_of(
    st.none(),
    st.just(True),
    st.integers(),
    st.text(),
    symbols,
    st.floats(allow_nan=False, allow_infinity=False),
)
atoms = st.one_of(
    plain_atoms,
    st.fractions().filter(lambda ratio: ratio.denominator != 1),
    st.characters(codec="utf-8").map(Char),
    st.sampled_from([Symbol("|Foo Bar|"), Symbol("|a)\"b|"), Unreadable("#<A {1}>"), float("inf")]),
)  # fmt: skip


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, lambda inner: st.lists(inner, min_size=1, max_size=6), max_leaves=40)


def nested_odd(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def extend(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(inner, min_size=1, max_size=5)
        tails = inner.filter(lambda value: value is not None and not isinstance(value, (list, Cons)))
        tags = st.sampled_from(["#P", "#S", ",", ",@", "`"])
        return st.one_of(
            several,
            several.map(Vector),
            st.builds(Cons, several.map(tuple), tails),
            st.builds(Tagged, tags, inner.filter(lambda value: not isinstance(value, Symbol))),
        )

    return st.recursive(leaves, extend, max_leaves=25)


@given(nested_odd(atoms))
def test_what_is_written_is_read_back(value: Any) -> None:
    check(write(value), value)


def fast_or_none(text: str) -> tuple[Any] | None:
    try:
        return (fast_reader.read(text),)
    except fast_reader.Odd:
        return None


@given(nested(plain_atoms))
def test_the_fast_reader_agrees_with_the_general_one(value: Any) -> None:
    text = write(value)
    general, problem = general_reader.read(text)
    assert problem is None
    fast = fast_or_none(text)
    assert fast is None or same(fast[0], general)


SYNTAX = st.one_of(
    st.sampled_from(list("()\"'`,;|\\#.:<>-+/ \n\t\f\r\x00\x01\x02\x03\x04\x1bλ\u2028\xa0019[]{}eEtT")),
    st.sampled_from(
        ['" "', ' (1 "x") ', "nil", " 12 ", "#<", "#|", "|#", " . ", '\\"', "\\\\", "007", "-0", "1.0"]
    ),
)


@settings(max_examples=400)
@given(st.lists(SYNTAX, max_size=60).map("".join))
def test_no_text_breaks_the_readers_and_they_agree(text: str) -> None:
    general, problem = general_reader.read(text)
    fast = fast_or_none(text)
    if fast is not None:
        assert problem is None
        assert same(fast[0], general)


@given(st.lists(st.tuples(st.text(), st.integers(), symbols, st.text()), min_size=70, max_size=90))
@settings(max_examples=40)
def test_they_agree_on_many_gaps_that_differ(rows: list[tuple[Any, ...]]) -> None:
    text = write(rows)
    general, problem = general_reader.read(text)
    assert problem is None
    fast = fast_or_none(text)
    assert fast is None or same(fast[0], general)


@pytest.mark.parametrize(
    "text",
    [
        write([[f"name {n}", n, Symbol(":k"), -n, "x"] for n in range(200)]),
        write([[f"name {n}", "a b" * (n % 3)] for n in range(200)]),
        write([[str(n) for n in range(300)], "", [str(n) for n in range(300)]]),
        write([" "] * 300),
        write([[Symbol("f"), [" "] * 300], [" (", ") "]]),
        write([[f"tab\t{n}\\", '"quoted"\r\f\x1b'] for n in range(100)]),
        write([[Symbol(f"s{n}-1"), n, str(n)] for n in range(200)]),
    ],
)
def test_the_fast_reader_reads_common_shapes_itself(text: str) -> None:
    fast = fast_or_none(text)
    assert fast is not None
    assert same(fast[0], general_reader.read(text)[0])


@given(st.text(), st.binary())
def test_any_text_and_any_bytes_give_a_value_or_a_problem(text: str, data: bytes) -> None:
    read(text)
    read(data.decode("utf-8", "replace"))


def from_sexpdata(value: Any) -> Any:
    if isinstance(value, sexpdata.Symbol):
        return Symbol(value.value())
    return [from_sexpdata(item) for item in value] or None if isinstance(value, list) else value


common = st.one_of(
    st.none(),
    st.just(True),
    st.integers(-(10**15), 10**15),
    st.floats(-1e6, 1e6, allow_nan=False).filter(lambda number: "e" not in repr(number)),
    # sexpdata unescapes \n and the like, which Lisp does not have.
    st.text(st.characters(codec="utf-8", exclude_characters="\\")),
    st.builds(lambda name: Symbol(":k" + name), st.text(st.sampled_from("abc-xyz"), max_size=5)),
)


@given(nested(common).filter(lambda value: isinstance(value, list)))
def test_it_agrees_with_sexpdata_where_both_can_read(value: Any) -> None:
    text = write(value).replace("d0", "")
    assert same(read(text)[0], from_sexpdata(sexpdata.loads(text)))


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("(" * 100_000 + ")" * 100_000, 99_999),
        ("(a " * 30_000 + ")" * 30_000, 29_999),
        ("#(" * 50_000 + ")" * 50_000, 49_999),
        ("'" * 50_000 + "a", 50_000),
    ],
)
def test_depth_is_no_limit(text: str, depth: int) -> None:
    value, problem = read(text)
    assert problem is None
    levels = 0
    while isinstance(value, (list, tuple)) and value and isinstance(value[-1], (list, tuple)):
        value, levels = value[-1], levels + 1
    assert levels in {depth, depth - 1}


def test_a_deep_value_is_written_and_read_back() -> None:
    value: Any = [1]
    for _ in range(30_000):
        value = [Symbol("f"), value]
    text = write(value)
    assert write(read(text)[0]) == text


HOSTILE = [
    "(", ")", "'", '"', "|", "\\", "#", "#<", "#<a ", "#|", "#.", ",@", "(a . ", "(a . (b . c) ", ";", ". ",
    "\\\\", '\\"', '" ', "1/", "1", "-", "1e", "a|b|", "#\\", "#(", "|\\", '" 1 (', "#1=", "> ", "é",
    "(1 . 2)", '\x01"',
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_the_time_is_linear_for_hostile_texts(unit: str) -> None:
    text = unit * (150_000 // len(unit))
    begin = time.process_time()
    for prefix in ("", "(", '("x" '):
        read(prefix + text)
    # Quadratic time would be many times more.
    assert time.process_time() - begin < 20


def test_a_huge_integer_keeps_its_digits_in_both_directions() -> None:
    digits = "9" * 100_000
    assert same(read(digits), (Symbol(digits), None))
    number = 7 << 60_000
    check(write(number), number)
    check(write(Fraction(1, number + 1)), Fraction(1, number + 1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nil"),
        (False, "nil"),
        (True, "t"),
        ([], "nil"),
        ([Symbol("swank:f"), 'a"\\b', 1, (None, 2.5)], '(swank:f "a\\"\\\\b" 1 (nil 2.5d0))'),
        (1e22, "1d+22"),
        (Fraction(1, 2), "1/2"),
        (Char(" "), "#\\Space"),
        (Cons((1, 2), Symbol("x")), "(1 2 . x)"),
        (Vector((1,)), "#(1)"),
        (float("inf"), "#.sb-ext:double-float-positive-infinity"),
    ],
)
def test_values_are_written_as_lisp_reads_them(value: Any, text: str) -> None:
    assert write(value) == text


def test_what_has_no_lisp_syntax_is_refused() -> None:
    with pytest.raises(TypeError, match="No Lisp form stands for a dict"):
        write({"a": 1})
    with pytest.raises(ValueError, match="NaN"):
        write([float("nan")])


def test_a_property_list_becomes_a_dict() -> None:
    form = read('(:name "x" :id 0 :name "second" :alone)')[0]
    assert plist(form) == {":name": "x", ":id": 0}
    assert plist(None) == {}
    assert plist("no list") == {}
