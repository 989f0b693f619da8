"""The questions, asked of a real image of ours through its service and of a stock one through Swank."""

from __future__ import annotations

import pytest

from descartes_swank.errors import SwankError
from support.asking import USER, Asked, asked

__all__ = ["asked"]


class TestSymbol:
    async def test_a_function_with_all_that_is_known_of_it(self, asked: Asked) -> None:
        info = await asked.questions.symbol("mapcar", USER)
        assert info is not None
        assert (info.name, info.package, info.external) == ("mapcar", "COMMON-LISP", True)
        assert info.kinds == ["function"]
        assert info.arglist == "(mapcar function list &rest more-lists)"
        assert "successive tuples" in info.documentation["function"]
        assert info.type == "(function ((or function symbol) list &rest list) (values list &optional))"
        assert info.value is None

    async def test_a_class_that_is_also_a_function_and_a_variable(self, asked: Asked) -> None:
        await asked.prepare.evaluate(
            '(defclass beast () ((legs :initform 4) name) (:documentation "An animal."))'
            ' (defclass horse (beast) ()) (defun horse (n) "Make one." n)'
            ' (defvar horse 3 "How many.")'
        )
        info = await asked.questions.symbol("horse", USER)
        assert info is not None
        assert info.kinds == ["function", "variable", "class"]
        assert info.documentation == {"function": "Make one.", "variable": "How many."}
        assert info.value == "3"
        assert info.class_ is not None
        assert info.class_.superclasses == ["beast"]
        beast = await asked.questions.symbol("beast", USER)
        assert beast is not None and beast.class_ is not None
        assert beast.class_.slots == ["legs", "name"]
        assert beast.documentation == {"type": "An animal."}

    @pytest.mark.parametrize(
        ("token", "package", "found"),
        [
            ("CAR", USER, "car"),
            ("cl:car", "KEYWORD", "car"),
            ("common-lisp::car", "no such package", "car"),
            ("c\\ar", USER, None),
            ("|CAR|", USER, "car"),
            ("|car|", USER, None),
            (":test", USER, "test"),
            ("car", '"COMMON-LISP"', "car"),
            ("car", "#:cl-user", "car"),
            ("car", ":cl-user", "car"),
            ("car", "cl-user", "car"),
            ("#:x", USER, None),
            ("nil", USER, "nil"),
            ("no-such-package:x", USER, None),
            ("a:b:c", USER, None),
            ("(car)", USER, None),
            ("|unfinished", USER, None),
            ("", USER, None),
            ("cl:", USER, None),
            ("é😀€", USER, None),
        ],
    )
    async def test_names_as_they_stand_in_a_file(
        self, asked: Asked, token: str, package: str, found: str | None
    ) -> None:
        info = await asked.questions.symbol(token, package)
        assert (info.name if info else None) == found

    async def test_a_name_with_blanks_and_letters_outside_the_bmp(self, asked: Asked) -> None:
        await asked.prepare.evaluate('(defun |Foo Bar😀"| (x) "Tut é😀€ \\"so\\"." x)')
        info = await asked.questions.symbol('|Foo Bar😀"|', USER)
        assert info is not None
        assert info.name == '|Foo Bar😀"|'
        assert info.arglist == '(|Foo Bar😀"| x)'
        assert info.documentation["function"] == 'Tut é😀€ "so".'

    async def test_characters_that_json_cannot_carry_as_they_are(self, asked: Asked) -> None:
        await asked.prepare.evaluate(
            "(defvar *odd* 1) (setf (documentation '*odd* 'variable)"
            " (map 'string #'code-char '(0 92 31 9 #xD800 #x10FFFF)))"
        )
        info = await asked.questions.symbol("*odd*", USER)
        assert info is not None
        assert info.documentation["variable"] == "\0\\\x1f\t\N{REPLACEMENT CHARACTER}\U0010ffff"

    async def test_asking_interns_nothing(self, asked: Asked) -> None:
        for ask in (asked.questions.symbol, asked.questions.describe, asked.questions.definitions):
            await ask("surely-unheard-of", USER)
            await ask("(setf surely-unheard-of)", USER)
        await asked.questions.classify(["surely-unheard-of", ":surely-unheard-of"], USER)
        await asked.questions.completions("surely-unheard-of", USER)
        found = await asked.prepare.evaluate('(append (find-all-symbols "SURELY-UNHEARD-OF"))')
        assert found == "NIL"

    async def test_a_value_that_prints_itself_for_ever_leaves_the_rest_of_the_answer(
        self, asked: Asked
    ) -> None:
        await asked.prepare.evaluate(
            "(defclass endless () ())"
            ' (defmethod print-object ((e endless) s) (format s "~a" (list e e)))'
            ' (defvar *endless* (make-instance \'endless) "A doc.")'
        )
        info = await asked.questions.symbol("*endless*", USER)
        assert info is not None
        assert info.documentation == {"variable": "A doc."}
        assert info.value is not None and len(info.value) < 1100
        assert await asked.questions.arglist("car", USER) == "(car list)"

    async def test_a_value_whose_printing_enters_the_debugger(self, asked: Asked) -> None:
        await asked.prepare.evaluate(
            "(defclass breaker () ())"
            ' (defmethod print-object ((e breaker) s) (break "never seen"))'
            " (defvar *breaker* (make-instance 'breaker))"
        )
        with pytest.raises(SwankError, match="never seen"):
            await asked.questions.symbol("*breaker*", USER)
        assert await asked.questions.arglist("car", USER) == "(car list)"

    async def test_a_huge_value_is_cut(self, asked: Asked) -> None:
        await asked.prepare.evaluate(
            "(defvar *huge* (list (make-string 1000000 :initial-element #\\x) 1)) (values)"
        )
        info = await asked.questions.symbol("*huge*", USER)
        assert info is not None and info.value is not None
        assert info.value.startswith('("xxx') and info.value.endswith("…")
        assert len(info.value) <= 1001


class TestArglist:
    @pytest.mark.parametrize(
        ("name", "arglist"),
        [
            ("car", "(car list)"),
            ("let", "(let bindings &body body)"),
            ("with-open-file", "(with-open-file (stream filespec &rest options) &body body)"),
            ("print-object", "(print-object object stream)"),
            ("*package*", None),
            ("no-such-function", None),
        ],
    )
    async def test_functions_macros_and_generic_functions(
        self, asked: Asked, name: str, arglist: str | None
    ) -> None:
        assert await asked.questions.arglist(name, USER) == arglist

    async def test_defaults_are_shown_as_written(self, asked: Asked) -> None:
        await asked.prepare.evaluate(
            "(defun many (a &optional (b 'x b-p) (c #'car) &key (d \"é\") ((:real e) '(1 . 2))"
            " &allow-other-keys) (list a b b-p c d e))"
            " (defun (setf many) (v a) (list v a)) (defmacro dotted (a . b) (list a b))"
        )
        ask = asked.questions.arglist
        assert await ask("many", USER) == (
            "(many a &optional (b 'x b-p) (c #'car) &key (d \"é\") ((:real e) '(1 . 2)) &allow-other-keys)"
        )
        assert await ask("(setf many)", USER) == "((setf many) v a)"
        assert await ask("dotted", USER) == "(dotted a . b)"


class TestCompletions:
    async def labels(self, asked: Asked, prefix: str, package: str = USER, limit: int = 200) -> list[str]:
        return [each.label for each in await asked.questions.completions(prefix, package, limit)]

    async def test_by_prefix_the_shortest_first(self, asked: Asked) -> None:
        assert (await self.labels(asked, "mapc"))[:4] == ["mapc", "mapcan", "mapcar", "mapcon"]

    async def test_compound(self, asked: Asked) -> None:
        assert (await self.labels(asked, "m-v-b"))[0] == "multiple-value-bind"
        assert (await self.labels(asked, "w-o-f"))[0] == "with-open-file"

    async def test_letters_in_order(self, asked: Asked) -> None:
        assert "multiple-value-bind" in await self.labels(asked, "mvbind")

    async def test_kind_package_and_arglist(self, asked: Asked) -> None:
        best = (await asked.questions.completions("multiple-value-bin", USER))[0]
        assert (best.kind, best.package) == ("macro", "COMMON-LISP")
        assert best.arglist == "(multiple-value-bind vars value-form &body body)"

    async def test_upper_case_stays_upper_case(self, asked: Asked) -> None:
        assert (await self.labels(asked, "MAPCA"))[0] == "MAPCAN"

    async def test_packages_local_nicknames_and_what_is_exported(self, asked: Asked) -> None:
        await asked.prepare.evaluate(
            '(defpackage comp-inner (:use) (:export "SHOWN" "shown Too") (:intern "SHY"))'
            " (defpackage comp-outer (:use :cl) (:local-nicknames (:in :comp-inner)))"
        )
        assert await self.labels(asked, "in:sh", "COMP-OUTER") == ["in:shown", "in:|shown Too|"]
        assert set(await self.labels(asked, "in::sh", "COMP-OUTER")) == {
            "in::shown",
            "in::shy",
            "in::|shown Too|",
        }
        assert await self.labels(asked, "in:sh", USER) == []
        assert "comp-inner:" in await self.labels(asked, "comp-in")
        assert "in:" in await self.labels(asked, "in", "COMP-OUTER")

    async def test_keywords(self, asked: Asked) -> None:
        assert ":test-not" in await self.labels(asked, ":test-n")

    async def test_nothing_and_the_limit(self, asked: Asked) -> None:
        assert len(await self.labels(asked, "", USER, 50)) == 50
        assert await self.labels(asked, "zzzzqqq") == []
        assert await self.labels(asked, "nopackage:x") == []


class TestClassify:
    async def test_all_kinds(self, asked: Asked) -> None:
        names = [
            "car",
            "when",
            "print-object",
            "let",
            "*package*",
            "pi",
            "standard-object",
            "fixnum",
            "octet-t",
            "sm",
        ]
        await asked.prepare.evaluate("(deftype octet-t () '(unsigned-byte 8)) (define-symbol-macro sm 4)")
        assert await asked.questions.classify([*names, "nope", "cl:nope", ""], USER) == dict(
            zip(
                names,
                [
                    "function",
                    "macro",
                    "generic",
                    "special-operator",
                    "variable",
                    "constant",
                    "class",
                    "class",
                    "type",
                    "variable",
                ],
                strict=True,
            )
        )


class TestDescribeAndApropos:
    async def test_describe(self, asked: Asked) -> None:
        assert "Return the 1st object in a list" in await asked.questions.describe("car", USER)
        assert await asked.questions.describe("no-such-symbol", USER) == ""

    async def test_apropos_puts_what_is_exported_first(self, asked: Asked) -> None:
        found = await asked.questions.apropos("MAPC")
        assert [each.label for each in found[:2]] == ["common-lisp:mapc", "common-lisp:mapcan"]
        assert any("::" in each.label for each in found)

    async def test_apropos_of_everything_is_cut(self, asked: Asked) -> None:
        assert len(await asked.questions.apropos("")) == 1000

    async def test_apropos_in_one_package(self, asked: Asked) -> None:
        found = await asked.questions.apropos("hash-table-c", "CL")
        assert [each.label for each in found] == ["common-lisp:hash-table-count"]
