"""Hover texts, as Markdown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from inline_snapshot import snapshot

from descartes_server.ide import hover
from descartes_server.ide.index import WorkspaceIndex
from descartes_server.ide.syntax import parse
from support.cursor import cursor


def check(fixture: str, index: WorkspaceIndex | None = None) -> str:
    text, offset = cursor(fixture)
    syntax = parse(text)
    symbol = syntax.symbol_at(offset)
    if symbol is None:
        return ""
    subject = hover.lexical(syntax, symbol) or hover.from_text(syntax, symbol, index)
    return hover.markdown(subject)


def test_a_function_of_the_text() -> None:
    assert check(
        '(in-package #:shop)\n(defun pay (a &key b) "Pay *now*.\n  Twice." a)\n(pa$0y 1)'
    ) == snapshot("""\
```lisp
(pay a &key b)
```

*function* in `SHOP`

Pay \\*now\\*.  \n\
Twice.\
""")


def test_a_lexical_variable_hides_a_function_of_that_name() -> None:
    assert check("(defun list (x)\n  (let ((list x))\n    (car li$0st)))") == snapshot("""\
```lisp
list
```

*lexical variable*

bound in line 2\
""")


def test_a_name_from_another_file_and_an_unknown_one() -> None:
    index = WorkspaceIndex()
    index.update("/w/b.lisp", '(in-package :far)\n(defvar *away* 1 "Not here.")')
    assert check("(print *aw$0ay*)", index) == snapshot("""\
```lisp
*away*
```

*variable* in `FAR`

Not here.\
""")
    assert check("(unkno$0wn)", index) == ""


def info(**more: Any) -> Any:
    absent: dict[str, Any] = {
        "arglist": None,
        "documentation": {},
        "value": None,
        "type": None,
        "class_": None,
    }
    return SimpleNamespace(name="x", package="P", kinds=["function"], **{**absent, **more})


def test_what_the_image_says() -> None:
    subject = hover.from_image(
        info(arglist="(x a b)", value="(1\n 2)", documentation={"function": "Does x."})
    )
    assert hover.markdown(subject, ["🔒 held"]) == snapshot("""\
```lisp
(x a b)
```

*function* in `P`

Value: `(1 2)`

Does x.

---

🔒 held\
""")
    assert hover.from_image(SimpleNamespace(**{**vars(info()), "kinds": []})) is None


def test_a_remark_alone_has_no_rule_above_it() -> None:
    assert hover.markdown(None, ["🔒 held"]) == "🔒 held"
    assert hover.markdown(None) == ""
