"""The tests that a text defines, by the defining forms of the known frameworks; nothing is run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from weakref import WeakKeyDictionary

from descartes_server.ide.index import package_name
from descartes_server.ide.roles import base_name
from descartes_server.ide.segments import Segment
from descartes_server.ide.syntax import Syntax
from descartes_server.ide.tree import Node, bare, text_of, tree

PACKAGES = {
    "fiveam": "fiveam",
    "5am": "fiveam",
    "it.bese.fiveam": "fiveam",
    "parachute": "parachute",
    "org.shirakumo.parachute": "parachute",
    "rove": "rove",
    "rove/main": "rove",
    "lisp-unit2": "lisp-unit2",
    "lisp-unit": "lisp-unit",
    "fiasco": "fiasco",
    "rt": "rt",
    "sb-rt": "rt",
    "regression-test": "rt",
    "clunit": "clunit",
    "clunit2": "clunit",
    "1am": "1am",
    "prove": "prove",
}
"""Frameworks by the names of their packages."""
DEFINERS = {
    "test": ("fiveam", "1am"),
    "def-test": ("fiveam",),
    "define-test": ("parachute", "lisp-unit2", "lisp-unit"),
    "define-test+run": ("parachute",),
    "define-test+run-interactively": ("parachute",),
    "deftest": ("rove", "fiasco", "rt", "clunit", "prove"),
}
"""The frameworks that have a defining form, the most likely one first."""
_UNSURE = frozenset({"test"})
"""Forms that define a test only where something says that their framework is used."""
RUNNABLE = frozenset({"fiveam", "parachute", "rove", "fiasco"})
"""The frameworks whose tests can be run one by one."""

MAY_DEFINE = re.compile(r"\(\s*(?:[^\s()'\":]+::?)?(?:def-?test|define-test|test)\b", re.IGNORECASE)
"""What a text that defines a test has in it."""
_MENTIONED = re.compile(
    r"(?<![\w*+<>=/.-])(?:" + "|".join(re.escape(name) for name in PACKAGES) + r")(?=[\s:)\"'])",
    re.IGNORECASE,
)
_WRAPPERS = frozenset({"progn", "eval-when", "locally", "macrolet", "with-compilation-unit", "in-suite"})
_DEPTH = 6


@dataclass(frozen=True, slots=True)
class TestForm:
    """A form that defines a test; NAME is `package::test`, offsets are code points of the text."""

    __test__ = False

    name: str
    framework: str
    start: int
    end: int
    name_start: int
    name_end: int
    package: str
    """The name of the package, as in the text and without prefix characters."""
    suite: str | None
    digest: str
    """Changes with the form's text."""


def frameworks_in(text: str) -> frozenset[str]:
    """Return the frameworks whose packages TEXT mentions."""
    return frozenset(PACKAGES[hit[0].lower()] for hit in _MENTIONED.finditer(text))


def may_define(text: str) -> bool:
    """Return whether it is worth while to look for tests in TEXT."""
    return MAY_DEFINE.search(text) is not None


def find_tests(syntax: Syntax, used: Collection[str] = ()) -> tuple[TestForm, ...]:
    """Return the tests that SYNTAX defines; USED are the frameworks that its system is known to use.

    Example: find_tests(parse("(in-package :a) (5am:test b)"))[0].name -> "a::b"
    """
    if not may_define(syntax.text):
        return ()
    known = frameworks_in(syntax.text) or frozenset(used)
    found: list[TestForm] = []
    suite: str | None = None
    for base, segment in zip(syntax.bases, syntax.segments, strict=True):
        root = tree(segment)
        quoted = root is not None and segment.text[max(0, root.start - 1) : root.start] in ("'", "`")
        for form, operator in _forms(segment, root) if root is not None and not quoted else ():
            name = base_name(operator)
            if name in ("in-suite", "in-suite*"):
                suite = _suite_named(segment, form)
            elif (framework := _framework(operator, known)) is not None:
                package = package_name(syntax.package_at(base))
                test = _test(segment, form, base, package, framework, suite)
                if test is not None:
                    found.append(test)
    return tuple(found)


def known_tests(syntax: Syntax, used: Collection[str] = ()) -> tuple[TestForm, ...]:
    """Return what `find_tests` does; looked for once for each state of the text."""
    known = _OF_TEXTS.setdefault(syntax, {})
    key = frozenset(used)
    if key not in known:
        known[key] = find_tests(syntax, used)
    return known[key]


_OF_TEXTS: WeakKeyDictionary[Syntax, dict[frozenset[str], tuple[TestForm, ...]]] = WeakKeyDictionary()


def innermost(tests: Collection[TestForm], offset: int) -> TestForm | None:
    """Return the innermost of TESTS at OFFSET."""
    around = [test for test in tests if test.start <= offset <= test.end]
    return min(around, key=lambda test: test.end - test.start, default=None)


def full_name(package: str, name: str) -> str:
    """Return the id of the test NAME of PACKAGE, both by their exact names.

    Example: full_name("FOO/TESTS", "AREA") -> "foo/tests::area"
    """
    return f"{_plain(package)}::{_plain(name)}"


def _plain(name: str) -> str:
    return name.lower() if name == name.upper() else f"|{name}|"


def _forms(segment: Segment, root: Node) -> Iterator[tuple[Node, str]]:
    """Yield the forms of a tile at top level, those in `progn` and the like too, with their operators."""
    pending = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        data = node.data if node.kind == "list" else ()
        if not data or data[0].kind != "symbol":
            continue
        operator = text_of(segment, data[0])
        yield node, operator
        if depth < _DEPTH and (base_name(operator) in _WRAPPERS or base_name(operator) in DEFINERS):
            pending.extend((child, depth + 1) for child in reversed(data[1:]))


def _framework(operator: str, known: Collection[str]) -> str | None:
    prefix, _, _ = operator.rpartition(":")
    candidates = DEFINERS.get(base_name(operator), ())
    if prefix := prefix.rstrip(":").lower():
        framework = PACKAGES.get(prefix)
        return framework if framework in candidates else None
    used = next((each for each in candidates if each in known), None)
    if used is not None or known or base_name(operator) in _UNSURE:
        return used
    return next(iter(candidates), None)


def _test(
    segment: Segment, form: Node, base: int, package: str, framework: str, suite: str | None
) -> TestForm | None:
    data = form.data
    if len(data) < 2 or (named := _name_node(data[1], framework)) is None:
        return None
    text = text_of(segment, named)
    name = text[1:-1] if named.kind == "string" else text
    prefix, _, symbol = name.rpartition(":") if named.kind == "symbol" else ("", "", name)
    home = package_name(prefix.rstrip(":")) if prefix.rstrip(":") else package
    exact = (
        symbol.strip("|") if symbol.startswith("|") else symbol.upper() if named.kind == "symbol" else name
    )
    return TestForm(
        full_name(home, exact),
        framework,
        base + form.start,
        base + form.end,
        base + named.start,
        base + named.end,
        home,
        _own_suite(segment, data, framework) or suite,
        digest(text_of(segment, form)),
    )


def _exact(symbol: str) -> str:
    return symbol.strip("|") if symbol.startswith("|") else symbol.upper()


def digest(text: str) -> str:
    """Return what tells the TEXT of a form from any other."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _name_node(node: Node, framework: str) -> Node | None:
    node = bare(node)
    if node.kind == "list" and node.data:
        # parachute: (parent name); the others: (name option…)
        at = 1 if framework == "parachute" and len(node.data) > 1 else 0
        node = bare(node.data[at])
    if node.kind in ("symbol", "string", "number"):
        return node
    return None


def _own_suite(segment: Segment, data: tuple[Node, ...], framework: str) -> str | None:
    """Return the suite or parent that a test names itself."""
    options = data[1].data if data[1].kind == "list" else ()
    if framework == "parachute":
        if len(options) > 1:
            return _designated(segment, options[0])
        options = data[2:8]
    elif base_name(text_of(segment, data[0])) == "def-test" and len(data) > 2 and data[2].kind == "list":
        options = data[2].data
    for key, value in pairwise(options):
        if key.kind == "symbol" and text_of(segment, key).lower() in (":suite", ":parent"):
            return _designated(segment, value)
    return None


def _suite_named(segment: Segment, form: Node) -> str | None:
    return _designated(segment, form.data[1]) if len(form.data) > 1 else None


def _designated(segment: Segment, node: Node) -> str | None:
    node = bare(node)
    if node.kind not in ("symbol", "string"):
        return None
    return text_of(segment, node).removeprefix("#").removeprefix(":").strip('"').lower()
