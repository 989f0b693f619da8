"""Inspections on a real, stock image: every kind of object, pages, history, changes, owners."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from descartes_swank import InvalidParams, NotFound, TimedOut
from descartes_swank.inspector import (
    Expression,
    Inspection,
    LocalVariable,
    Part,
    ResultValue,
    StopCondition,
    Verb,
)
from support.session import Session, new_id, session
from support.stock_swank import StockSwank, stock_swank

__all__ = ["stock_swank"]


@pytest_asyncio.fixture
async def here(stock_swank: StockSwank) -> AsyncIterator[Session]:
    async with session(stock_swank.port) as connected:
        yield connected


async def look(here: Session, code: str, *, owner: str = "ann", count: int | None = None) -> Inspection:
    client = here.client(owner)
    return await here.lisp.inspector.open(
        Expression(code), id=f"ins_{new_id()}", owner=client, client=client, count=count
    )


async def do(
    here: Session, shown: Inspection, verb: Verb, *arguments: int | str, owner: str = "ann"
) -> Inspection:
    return await here.lisp.inspector.do(shown.id, here.client(owner), verb, *arguments)


def texts(shown: Inspection) -> list[str]:
    return [part.text for part in shown.parts]


def part(shown: Inspection, start: str) -> Part:
    return next(part for part in shown.parts if part.text.startswith(start))


def number(shown: Inspection, start: str) -> int:
    found = part(shown, start).part
    assert found is not None
    return found


DEFINITIONS = """
(defclass circle () ((radius :initarg :radius) (name) (unit :allocation :class :initform :cm)))
(defclass rude () ())
(defmethod print-object ((it rude) stream) (error "I do not print"))
(defclass endless () ())
(defmethod print-object ((it endless) stream) (loop))
(defclass stopping () ())
(defmethod print-object ((it stopping) stream) (break "printing"))
(defstruct point (x 1) (y 2d0 :type double-float))
(defgeneric area (shape) (:documentation "How large."))
(defmethod area ((shape circle)) 1)
(defmethod area :before ((shape (eql 3))) nil)
"""

KINDS = {
    "(list 1 :two)": ("CONS", ["A list of 2 elements", "0 = 1", "1 = :TWO"]),
    "(cons 1 2)": ("CONS", ["cdr = 2", "0 = 1"]),
    "(vector 1 2)": ("(SIMPLE-VECTOR 2)", ["0 = 1", "1 = 2"]),
    "(make-array '(2 1) :initial-element 7)": ("(SIMPLE-ARRAY T (2 1))", ["(0 0) = 7", "(1 0) = 7"]),
    '(format nil "a~%b")': ("(SIMPLE-BASE-STRING 3)", ["A string of 3 characters", "  a", "  b"]),
    "'car": ("SYMBOL", ['Name = "CAR"', "Value = (unbound)", "Function = #<FUNCTION CAR>"]),
    "nil": ("NULL", ["Constant = NIL"]),
    "#'car": ("COMPILED-FUNCTION", ["Name = CAR", "Lambda list = (LIST)", "[disassemble]"]),
    "(let ((n 1)) (lambda () (incf n)))": ("FUNCTION", ["Closed over 0 = 1"]),
    "#'area": ("STANDARD-GENERIC-FUNCTION", ["Methods (2):", "(CIRCLE)", ":before ((eql 3))"]),
    "(find-class 'circle)": ("STANDARD-CLASS", ["Name = CIRCLE", "Direct slots = (RADIUS NAME UNIT)"]),
    "(find-package :keyword)": ("PACKAGE", ["Name KEYWORD", "External symbols"]),
    "(make-point)": ("POINT", ["X = 1", "Y = 2.0d0"]),
    "(make-instance 'circle :radius 3)": (
        "CIRCLE",
        ["RADIUS = 3", "NAME = (unb", "UNIT (shared) = :CM"],
    ),
    "(make-condition 'simple-error :format-control \"no ~a\" :format-arguments '(4))": (
        "SIMPLE-ERROR",
        ["  no 4", 'FORMAT-CONTROL = "no ~a"'],
    ),
    "255": ("(INTEGER 0 4611686018427387903)", ["Hexadecimal #xff", "Octal #o377", "Binary #b11111111"]),
    "1.5": ("SINGLE-FLOAT", ["Bits #x3fc00000", "Exactly = 3/2"]),
    "1/3": ("RATIO", ["Numerator = 1", "Denominator = 3"]),
    "#c(1 2)": ("(COMPLEX (INTEGER 1 2))", ["Real part = 1"]),
    "#\\λ": ("EXTENDED-CHAR", ["Code 955, U+03BB", "UTF-8 CE BB"]),
    '#p"/etc/passwd"': ("PATHNAME", ['Name = "passwd"', 'Exists as = #P"/etc/passwd"']),
    "sb-sys:*stdout*": ("SB-SYS:FD-STREAM", ["Open, output", "Element type = "]),
    "sb-thread:*current-thread*": ("SB-THREAD:THREAD", ["Alive"]),
}


@pytest.mark.ledger("D-73")
@pytest.mark.parametrize("code", KINDS)
async def test_every_kind_of_object_shows_what_it_consists_of(here: Session, code: str) -> None:
    await here.run(DEFINITIONS)
    shown = await look(here, code)
    type_, lines = KINDS[code]
    assert shown.type == type_
    for line in lines:
        assert any(text.startswith(line) for text in texts(shown)), (line, texts(shown))
    assert all("\n" not in text for text in texts(shown))


@pytest.mark.ledger("D-73")
async def test_a_history_goes_back_and_forward(here: Session) -> None:
    first = await look(here, "(list :a (list 1 2))")
    inner = await do(here, first, "part", number(first, "1 = "))
    assert (inner.id, inner.title, inner.back, inner.forward) == (first.id, "(1 2)", True, False)
    back = await do(here, inner, "back")
    assert (back.title, back.back, back.forward) == ("(:A (1 2))", False, True)
    assert (await do(here, back, "forward")).title == "(1 2)"
    with pytest.raises(NotFound, match="nothing after"):
        await do(here, back, "forward")
    with pytest.raises(NotFound, match=r"no part .* refresh"):
        await do(here, back, "part", number(first, "1 = "))


@pytest.mark.ledger("D-73")
async def test_slots_elements_and_entries_are_set_and_unset(here: Session) -> None:
    await here.run(DEFINITIONS)
    circle = await look(here, "(make-instance 'circle :radius 3)")
    circle = await do(here, circle, "set", number(circle, "RADIUS"), "(* * 2)")
    circle = await do(here, circle, "set", number(circle, "NAME"), "(slot-value ** 'radius)")
    assert {"RADIUS = 6", "NAME = 6"} <= set(texts(circle))
    unbind = part(circle, "NAME").action
    assert unbind is not None and part(circle, "NAME").action_text == "make unbound"
    assert "NAME = (unbound)" in texts(await do(here, circle, "action", unbind))
    table = await look(here, "(let ((h (make-hash-table))) (setf (gethash :k h) 1 (gethash :l h) 2) h)")
    entry = part(table, ":K → 1")
    assert entry.key is not None and entry.part is not None and entry.action is not None
    table = await do(here, table, "set", entry.part, ":changed")
    assert ":K → :CHANGED" in texts(table)
    assert (await do(here, table, "part", part(table, ":K").key or 0)).title == ":K"
    table = await do(here, table, "back")
    removed = await do(here, table, "action", part(table, ":K").action or 0)
    assert removed.count == 1 and not any(":K" in text for text in texts(removed))
    array = await look(here, "(make-array 2 :element-type 'bit)")
    array = await do(here, array, "set", number(array, "1 = "), "1")
    assert "1 = 1" in texts(array)
    with pytest.raises(InvalidParams, match="BIT"):
        await do(here, array, "set", number(array, "0 = "), "7")
    assert (await look(here, "(let ((n 1)) (lambda () n))")).title.startswith("#<FUNCTION")


async def test_methods_are_removed_and_symbols_uninterned(here: Session) -> None:
    await here.run("(defgeneric perimeter (it)) (defmethod perimeter ((it integer)) it) (defvar *gone* 1)")
    generic = await look(here, "#'perimeter")
    generic = await do(here, generic, "action", part(generic, "(INTEGER)").action or 0)
    assert "Methods (0):" in texts(generic)
    symbol = await look(here, "'*gone*")
    await do(here, symbol, "action", part(symbol, "[unintern]").action or 0)
    assert (await here.run('(find-symbol "*GONE*")')).values == ["NIL", "NIL"]
    listing = await look(here, "#'perimeter")
    code = await do(here, listing, "action", part(listing, "[disassemble]").action or 0)
    assert code.type.startswith("(SIMPLE") and any("disassembly" in text for text in texts(code))


async def test_code_is_evaluated_with_the_object(here: Session) -> None:
    shown = await look(here, "(list 3 4)")
    result = await do(here, shown, "eval", '(progn (princ "hi") (values (reduce #\'+ *) :more))')
    assert (result.title, result.values, result.output) == ("7", ("7", ":MORE"), "hi")
    assert (await do(here, result, "back")).title == "(3 4)"
    # The client's own * is not touched.
    await here.run(":mine", client="ann")
    await do(here, shown, "eval", "1")
    assert (await here.run("*", client="ann")).values == [":MINE"]


@pytest.mark.ledger("D-73")
async def test_large_objects_come_in_pages(here: Session) -> None:
    code = "(let ((h (make-hash-table))) (dotimes (i 1000000 h) (setf (gethash i h) (* 2 i))))"
    table = await look(here, code)
    assert table.count == 1_000_000 and table.more
    assert len([each for each in table.parts if each.key is not None]) == 100
    page = await do(here, table, "more", 50)
    assert len(page.parts) == 50 and page.start == len(table.parts) and page.parts[0].text == "100 → 200"
    assert (await do(here, page, "refresh")).more
    numbers = await look(here, "(loop for i below 1000000 collect i)", count=3)
    assert texts(numbers) == ["A list of 1,000,000 elements", "0 = 0", "1 = 1", "2 = 2"]
    assert texts(await do(here, numbers, "more", 2)) == ["3 = 3", "4 = 4"]
    vector = await look(here, "(make-array 1000000 :initial-element 0)")
    assert vector.more and vector.count == 1_000_000


async def test_the_largest_page_is_no_larger_than_a_message_may_be(here: Session) -> None:
    strings = await look(
        here, "(loop repeat 20000 collect (make-string 3000 :initial-element (code-char 955)))"
    )
    page = await do(here, strings, "more", 10_000_000)
    assert len(page.parts) == 10_000 and page.more
    assert sum(len(each.text.encode()) for each in page.parts) < 4_500_000
    assert (await do(here, strings, "refresh")).title.startswith('("λλλ')


async def test_a_string_of_100_megabytes_is_read_by_the_page(here: Session) -> None:
    code = "(make-array 100000000 :element-type 'base-char :initial-element #\\x)"
    text = await look(here, code)
    assert text.more and "A string of 100,000,000 characters" in texts(text)
    assert sum(len(each.text) for each in text.parts) < 100_000
    assert (await do(here, text, "more")).parts[0].text == "  " + "x" * 200


async def test_circular_and_self_containing_objects_end(here: Session) -> None:
    circle = await look(here, "(let ((l (list 1 2 3))) (setf (cdr (last l)) (cdr l)) l)")
    assert "after 3 elements it goes on with element 1" in circle.parts[0].text
    assert len(circle.parts) == 4 and not circle.more
    itself = await look(here, "(let ((v (vector nil))) (setf (svref v 0) v) v)")
    assert (await do(here, itself, "part", number(itself, "0 = "))).back


async def test_objects_that_do_not_print_harm_nobody(here: Session) -> None:
    await here.run(DEFINITIONS)
    shown = await look(
        here, "(list (make-instance 'rude) (make-instance 'endless) (make-instance 'stopping))"
    )
    assert "cannot be printed" in part(shown, "0 = ").text
    assert "takes too long to print" in part(shown, "1 = ").text
    assert "cannot be printed" in part(shown, "2 = ").text
    many = await look(here, "(loop repeat 80 collect (make-instance 'endless))")
    assert len(many.parts) == 81
    assert here.lisp.stops == {} and here.recorder.all("stopped") == []


async def test_what_signals_or_takes_for_ever_stops_nothing(here: Session) -> None:
    for code in (
        '(error "no ~a" 1)',
        '(break "no 1")',
        "(car 'no-1)",
        "(read-line)",
        "(",
        '#.(error "no 1")',
    ):
        with pytest.raises(InvalidParams):
            await look(here, code)
    with pytest.raises(TimedOut, match=r"lisp\.eval"):
        await here.lisp.inspector.open(Expression("(loop)"), id="ins_x", owner="ann", deadline_ms=200)
    shown = await look(here, "1")
    with pytest.raises(InvalidParams, match="Oh"):
        await do(here, shown, "eval", '(error "oh")')
    assert (await do(here, shown, "refresh")).title == "1"
    assert here.recorder.all("stopped") == []


async def test_the_objects_of_a_stop_can_be_opened(here: Session) -> None:
    call = '(lambda (alpha beta) (declare (optimize debug)) (error "~a" (list alpha beta)))'
    code = f"(funcall {call} 41 (list 1))"
    _, stop = await here.stop(code)
    inspector, owner = here.lisp.inspector, here.client("ann")
    details = {frame.index: await here.lisp.frame(*stop.id, frame.index) for frame in stop.frames}
    frame = next(i for i, detail in details.items() if any(each.name == "ALPHA" for each in detail.locals))
    names = [local.name for local in details[frame].locals]
    for place in ("beta", names.index("BETA")):
        shown = await inspector.open_stopped(
            LocalVariable(place), *stop.id, frame, id=f"ins_{new_id()}", owner=owner
        )
        assert shown.title == "(1)"
    sum_ = await inspector.open_stopped(Expression("(1+ alpha)"), *stop.id, frame, id="ins_sum", owner=owner)
    assert sum_.title == "42"
    condition = await inspector.open_stopped(StopCondition(), *stop.id, id="ins_condition", owner=owner)
    assert condition.type == "SIMPLE-ERROR"
    with pytest.raises(NotFound, match="no variable gamma"):
        await inspector.open_stopped(LocalVariable("gamma"), *stop.id, frame, id="ins_none", owner=owner)
    await here.lisp.toplevel(*stop.id)
    assert (await do(here, condition, "refresh")).type == "SIMPLE-ERROR"


async def test_the_values_of_an_evaluation_can_be_opened(here: Session) -> None:
    evaluation = await here.run("(values (list 1) (make-hash-table))")
    shown = await here.lisp.inspector.open(ResultValue(evaluation.id, 1), id="ins_value", owner="ann")
    assert shown.type == "HASH-TABLE"
    for missing in (ResultValue(evaluation.id, 2), ResultValue("eval_none")):
        with pytest.raises(NotFound, match="any more"):
            await here.lisp.inspector.open(missing, id="ins_other", owner="ann")


@pytest.mark.ledger("D-73")
async def test_owners_do_not_see_each_others_and_the_oldest_are_closed(here: Session) -> None:
    mine = await look(here, "1")
    theirs = await look(here, "2", owner="bob")
    with pytest.raises(NotFound, match=r"inspector\.open"):
        await do(here, theirs, "refresh")
    for count in range(20):
        await look(here, str(count))
    with pytest.raises(NotFound):
        await do(here, mine, "refresh")
    assert len(await here.lisp.inspector.list(here.client("ann"))) == 20
    assert (await do(here, theirs, "close", owner="bob")).id == theirs.id
    assert await here.lisp.inspector.list(here.client("bob")) == []


async def test_what_a_client_that_is_gone_had_is_dropped(here: Session) -> None:
    await look(here, "1")
    kept = await look(here, "2", owner="bob")
    gone = await here.run("(list 1)", client="ann")
    await here.lisp.forget_client(here.client("ann"))
    assert await here.lisp.inspector.list(here.client("ann")) == []
    assert (await do(here, kept, "refresh", owner="bob")).title == "2"
    with pytest.raises(NotFound):
        await here.lisp.inspector.open(ResultValue(gone.id), id="ins_gone", owner=here.client("bob"))
