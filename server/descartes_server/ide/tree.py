"""The nesting of one tile as nodes: tree-sitter's where it is sound, else read by a reader of our own.

Tree-sitter is trusted with a form when it reports no error there and finds exactly the lists that the
lexemes give; its grammar does not know all reader syntax, and text is often unbalanced while typing.
The words (symbols, strings, numbers) are always those of the lexer.
"""

from __future__ import annotations

import threading
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Literal

import tree_sitter_commonlisp
from tree_sitter import Language, Parser, Query, QueryCursor
from tree_sitter import Node as Twig

from descartes_server.ide.lexer import Lexeme
from descartes_server.ide.segments import Segment

NodeKind = Literal["list", "vector", "symbol", "number", "string", "character", "broken", "prefix", "feature"]

_DEPTH_LIMIT = 2_000
"""Beyond this nesting only the reader is used: tree-sitter's own recursion is not bounded."""


class Node:
    """A datum; START and END count from the tile's start, children are read when they are first asked for.

    A `prefix` node (`'x`, `#'f`) has the datum as its only child; a `feature` node (`#+sbcl x`) the
    condition and, when there is one, the datum.
    """

    __slots__ = ("_children", "_read", "end", "kind", "start")

    def __init__(
        self,
        kind: NodeKind,
        start: int,
        end: int,
        children: tuple[Node, ...] | None = None,
        read: Callable[[], tuple[Node, ...]] | None = None,
    ) -> None:
        self.kind, self.start, self.end = kind, start, end
        self._children, self._read = children, read

    @property
    def children(self) -> tuple[Node, ...]:
        if self._children is None:
            self._children = self._read() if self._read else ()
            self._read = None
        return self._children

    @property
    def data(self) -> tuple[Node, ...]:
        """Return the children as a program sees them: conditional ones without their condition."""
        return tuple(datum for child in self.children if (datum := unconditional(child)) is not None)

    def __repr__(self) -> str:
        return f"Node({self.kind}, {self.start}, {self.end})"


def unconditional(node: Node) -> Node | None:
    """Return the datum that NODE guards with `#+` or `#-`, NODE itself when it guards nothing."""
    while node.kind == "feature":
        if len(node.children) < 2:
            return None
        node = node.children[1]
    return node


def bare(node: Node) -> Node:
    """Return NODE without prefixes: the `x` of `'x`."""
    while node.kind == "prefix" and node.children:
        node = node.children[0]
    return node


def text_of(segment: Segment, node: Node) -> str:
    """Return NODE of SEGMENT as it is written."""
    return segment.text[node.start : node.end]


def tree(segment: Segment) -> Node | None:
    """Return the root list of SEGMENT's form, None when the tile has no form. It is read once."""
    if segment.root is None:
        return None
    if "tree" not in segment.memory:
        segment.memory["tree"] = from_tree_sitter(segment) or from_lexemes(segment)
    found: Node | None = segment.memory["tree"]
    return found


def walk(node: Node, depth: int = 200) -> Iterator[Node]:
    """Yield NODE and all below it in order of the text, at most DEPTH levels deep."""
    pending = [(node, 0)]
    while pending:
        node, level = pending.pop()
        yield node
        if level < depth:
            pending.extend((child, level + 1) for child in reversed(node.children))


def from_lexemes(segment: Segment) -> Node | None:
    """Return the root list of SEGMENT read from its lexemes alone; total on any text."""
    assert segment.root is not None
    start, end = segment.root
    words = [lexeme for lexeme in segment.lexemes if start <= lexeme[1] < end]
    return _Reader(segment.text, end).read(words)


class _Reader:
    """Nodes from lexemes, with a stack instead of recursion, so that depth is no limit."""

    def __init__(self, text: str, end: int) -> None:
        self.text, self.end = text, end
        self.open: list[tuple[NodeKind, int, list[Node], int]] = []  # kind, start, children, wanted
        self.result: Node | None = None

    def read(self, words: list[Lexeme]) -> Node | None:
        for kind, start, end in words:
            if kind == "open":
                self.open.append(("list", start, [], -1))
            elif kind == "prefix":
                feature = self.text[end - 1] in "+-"
                self.open.append(("feature" if feature else "prefix", start, [], 2 if feature else 1))
            elif kind == "close":
                self._close(end)
            elif kind != "comment" and kind != "block":  # noqa: PLR1714, the type checker follows this form
                self._add(Node(kind, start, end, ()))
        while self.open:
            self._pop(self.end)
        return self.result

    def _close(self, end: int) -> None:
        while self.open and self.open[-1][3] > 0:  # a prefix with nothing after it
            self._pop(end - 1)
        if self.open:
            self._pop(end)

    def _pop(self, end: int) -> None:
        kind, start, children, _ = self.open.pop()
        if kind == "prefix" and children and children[0].kind == "list" and self._vector(start, children[0]):
            kind, children = "vector", list(children[0].children)
        self._add(Node(kind, start, end, tuple(children)))

    def _vector(self, start: int, contents: Node) -> bool:
        """A list after `#`, or `#` and a length, with no letter between."""
        mark = self.text[start : contents.start]
        return mark[0] == "#" and (mark == "#" or mark[1:].isdigit())

    def _add(self, node: Node) -> None:
        if not self.open:
            self.result = self.result or node
            return
        _, _, children, wanted = self.open[-1]
        children.append(node)
        if wanted == len(children):
            self._pop(node.end)


_PREFIXES = {"quoting_lit", "syn_quoting_lit", "unquoting_lit", "unquote_splicing_lit", "var_quoting_lit"}
_LISTS = {"list_lit", "vec_lit"}
_SKIPPED = {"comment", "block_comment", "dis_expr"}


class _Grammar(threading.local):
    """Parser and query of each thread; a parser serves one thread at a time."""

    def __init__(self) -> None:
        with warnings.catch_warnings():  # the grammar's package still hands over its language as a number
            warnings.simplefilter("ignore", DeprecationWarning)
            language = Language(tree_sitter_commonlisp.language())
        self.parser = Parser(language)
        self.lists = Query(language, "(list_lit) @list")


_grammar = _Grammar()


def from_tree_sitter(segment: Segment) -> Node | None:
    """Return the root list of SEGMENT over tree-sitter's tree, None when that cannot be trusted."""
    if segment.stack or not segment.settled or segment.root is None:
        return None
    start, end = segment.root
    form = segment.text[start:end]
    opens = sum(1 for lexeme in segment.lexemes if lexeme[0] == "open" and start <= lexeme[1] < end)
    if opens > 1000 and _too_deep(segment):
        return None
    data = form.encode("utf-8", "surrogatepass")
    root = _grammar.parser.parse(data).root_node
    if root.has_error:
        return None
    lists = QueryCursor(_grammar.lists).captures(root).get("list", ())
    if len(lists) != opens:
        return None
    return _Branches(segment, start, None if len(data) == len(form) else _offsets(form)).root(root)


def _too_deep(segment: Segment) -> bool:
    depth = 0
    for kind, _, _ in segment.lexemes:
        depth += (kind == "open") - (kind == "close")
        if depth > _DEPTH_LIMIT:
            return True
    return False


def _offsets(form: str) -> list[int]:
    """Map every byte of FORM in UTF-8 to the code point it belongs to, and the end to the end."""
    offsets: list[int] = []
    for index, character in enumerate(form):
        offsets.extend([index] * len(character.encode("utf-8", "surrogatepass")))
    offsets.append(len(form))
    return offsets


class _Branches:
    """Nodes over tree-sitter's, made level by level; what is no list and no prefix is looked through,
    down to the lexer's words, so that the grammar's own idea of `loop` and `defun` makes no level."""

    def __init__(self, segment: Segment, base: int, offsets: list[int] | None) -> None:
        self.base, self.offsets = base, offsets
        self.words = {
            start: (kind, end) for kind, start, end in segment.lexemes if kind not in ("open", "close")
        }
        self.starts = list(self.words)

    def root(self, twig: Twig) -> Node | None:
        found = self._below(twig)
        return found[0] if len(found) == 1 and found[0].kind == "list" else None

    def _place(self, byte: int) -> int:
        return self.base + (self.offsets[byte] if self.offsets else byte)

    def _below(self, twig: Twig) -> tuple[Node, ...]:
        nodes: list[Node] = []
        pending = list(reversed(twig.children))
        reached = -1
        while pending:
            child = pending.pop()
            start, kind = self._place(child.start_byte), child.type
            if start < reached or kind in _SKIPPED:
                continue
            if kind in _LISTS or kind in _PREFIXES or kind == "include_reader_macro":
                nodes.append(self._branch(kind, start, child))
                continue
            end = self._place(child.end_byte)
            word = self.words.get(start)
            if child.child_count and not (word and word[0] != "prefix" and end <= word[1]):
                pending.extend(reversed(child.children))
            else:
                reached = self._leaf(start, end, nodes)
        return tuple(nodes)

    def _leaf(self, start: int, end: int, nodes: list[Node]) -> int:
        """Add the words that start between START and END, which are one leaf to the grammar; return
        where the last of them ends."""
        reached = end
        for index in range(bisect_left(self.starts, start), bisect_left(self.starts, end)):
            kind, word_end = self.words[self.starts[index]]
            if kind != "prefix":
                reached = max(reached, word_end)
            if kind not in ("prefix", "comment", "block"):
                nodes.append(Node(kind, self.starts[index], word_end, ()))  # type: ignore[arg-type]
        return reached

    def _branch(self, kind: str, start: int, twig: Twig) -> Node:
        name: NodeKind = "list"
        if kind in _PREFIXES:
            name = "prefix"
        elif kind != "list_lit":
            name = "vector" if kind == "vec_lit" else "feature"
        if kind == "vec_lit" and twig.child_count < 3:
            twig = next((child for child in twig.children if child.type == "list_lit"), twig)
        return Node(name, start, self._place(twig.end_byte), None, lambda: self._below(twig))
