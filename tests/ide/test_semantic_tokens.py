"""Colours."""

from __future__ import annotations

from collections.abc import Mapping

from inline_snapshot import snapshot

from descartes_server.ide.semantic_tokens import TOKEN_MODIFIERS, TOKEN_TYPES, encoded, tokens
from descartes_server.ide.syntax import parse


def check(text: str, expected: str, known: Mapping[str, str] | None = None) -> None:
    drawn = [
        f"{text[token.start : token.start + token.length]} {'/'.join((token.type, *token.modifiers))}"
        for token in tokens(parse(text), known)
        if token.type != "operator"
    ]
    assert "\n".join(drawn) == expected


def test_a_function_with_parameters_and_documentation() -> None:
    check(
        '(defun f (a &key (b 1 b-p))\n  "Doc."\n  (let ((c a)) (list b b-p c "x" 1.5 #\\a :k)))',
        snapshot("""\
defun macro/defaultLibrary
f function/declaration
a parameter/declaration
&key keyword/defaultLibrary
b parameter/declaration
1 number
b-p parameter/declaration
"Doc." string/documentation
let macro/defaultLibrary
c variable/declaration
a parameter
list function/defaultLibrary
b parameter
b-p parameter
c variable
"x" string
1.5 number
#\\a string
:k keyword\
"""),
    )


def test_a_method_a_class_and_a_condition() -> None:
    check(
        "(defclass c (base) ((slot :initarg :slot)))\n"
        "(defmethod m :after ((x c) y) (handler-case y (error (e) e)))",
        snapshot("""\
defclass macro/defaultLibrary
c class/declaration
base class
slot property/declaration
:initarg keyword
:slot keyword
defmethod macro/defaultLibrary
m method/declaration
:after keyword
x parameter/declaration
c class
y parameter/declaration
handler-case macro/defaultLibrary
y parameter
error class
e parameter/declaration
e parameter\
"""),
    )


def test_loop_words_and_variables() -> None:
    check(
        "(loop for (a . b) in x with c = 1 when a collect b into d do (print d))",
        snapshot("""\
loop macro/defaultLibrary
for keyword/defaultLibrary
a variable/declaration
b variable/declaration
in keyword/defaultLibrary
x variable
with keyword/defaultLibrary
c variable/declaration
= keyword/defaultLibrary
1 number
when keyword/defaultLibrary
a variable
collect keyword/defaultLibrary
b variable
into keyword/defaultLibrary
d variable/declaration
do keyword/defaultLibrary
print function/defaultLibrary
d variable\
"""),
    )


def test_packages_specials_quotes_and_comments() -> None:
    check(
        "#| a\n   b |#\n(alexandria:when-let ((x *y*)) +z+ 'quoted #'car pi (foo::bar x)) ; end",
        snapshot("""\
#| a comment
   b |# comment
alexandria namespace
when-let macro
x variable/declaration
*y* variable/static
+z+ variable/readonly
car function/defaultLibrary
pi variable/readonly/defaultLibrary
foo namespace
bar function
x variable
; end comment\
"""),
    )


def test_what_the_image_knows_refines() -> None:
    known = {"my-mac": "macro", "gen": "generic", "place": "class", "limit": "constant", "p:f": "macro"}
    check(
        "(my-mac (gen place) limit (p:f) plain)",
        snapshot("""\
my-mac macro
gen method
place class
limit variable/readonly
p namespace
f macro
plain variable\
"""),
        known,
    )


def decode(text: str, numbers: list[int], unit: str) -> list[tuple[int, int, int, str, tuple[str, ...]]]:
    """The tokens that an editor would see, as offsets: an independent reading of LSP's encoding."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    width = {"utf-8": lambda c: len(c.encode()), "utf-16": lambda c: len(c.encode("utf-16-le")) // 2}
    size = width.get(unit, len)
    seen = []
    line = column = 0
    for at in range(0, len(numbers), 5):
        down, right, length, kind, bits = numbers[at : at + 5]
        line, column = line + down, right if down else column + right
        place, start = 0, 0
        while place < column:
            place += size(lines[line][start])
            start += 1
        end = start
        while place < column + length:
            place += size(lines[line][end])
            end += 1
        modifiers = tuple(name for bit, name in enumerate(TOKEN_MODIFIERS) if bits >> bit & 1)
        seen.append((line, start, end, TOKEN_TYPES[kind], modifiers))
    return seen


def test_the_encoded_tokens_are_the_tokens_in_every_unit() -> None:
    text = '(é😀€ "😀\r\né" x) (b ; 😀\n c)(d)\n\n #|😀\n€|# (defun ä (😀 b) 😀)\n'
    syntax = parse(text)
    for unit in ("utf-8", "utf-16", "utf-32"):
        expected = []
        for token in tokens(syntax):
            line, start = syntax.lines.position(token.start)
            more = tuple(name for name in TOKEN_MODIFIERS if name in token.modifiers)
            expected.append((line, start, start + token.length, token.type, more))
        assert decode(text, encoded(syntax, None, unit), unit) == expected
