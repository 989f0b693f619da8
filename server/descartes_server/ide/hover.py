"""What is known about the symbol under the cursor, as Markdown; where it came from does not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

from descartes_server.ide import common_lisp
from descartes_server.ide.index import Entry, WorkspaceIndex, definitions_of_text, package_name
from descartes_server.ide.roles import base_name
from descartes_server.ide.syntax import SymbolToken, Syntax

_VALUE_LENGTH = 400
_CALLABLE = ("function", "macro", "generic", "method", "special-operator", "compiler-macro", "setf")


@dataclass(frozen=True)
class Subject:
    """A symbol: NAME as one writes it, what it is, how it is called, what it means."""

    name: str
    kinds: tuple[str, ...]
    package: str = ""
    arglist: str = ""
    documentation: tuple[str, ...] = ()
    value: str = ""
    parts: tuple[str, ...] = ()
    """Further lines: superclasses, slots, the type of a function."""


class ClassParts(Protocol):
    """What a class consists of."""

    @property
    def superclasses(self) -> list[str]: ...
    @property
    def slots(self) -> list[str]: ...


class Info(Protocol):
    """What the image knows about a symbol."""

    @property
    def name(self) -> str: ...
    @property
    def package(self) -> str | None: ...
    @property
    def kinds(self) -> list[str]: ...
    @property
    def arglist(self) -> str | None: ...
    @property
    def documentation(self) -> dict[str, str]: ...
    @property
    def value(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...
    @property
    def class_(self) -> ClassParts | None: ...


def from_image(info: Info) -> Subject | None:
    """Return what the image's INFO says; None when the symbol names nothing there."""
    if not info.kinds:
        return None
    parts = []
    if info.class_ is not None:
        parts += [_listed("superclasses", info.class_.superclasses), _listed("slots", info.class_.slots)]
    if info.type and info.type.upper() not in ("FUNCTION", "T"):
        parts.append(f"type `{info.type}`")
    return Subject(
        info.name,
        tuple(info.kinds),
        info.package or "",
        info.arglist or "",
        tuple(dict.fromkeys(text.strip() for text in info.documentation.values() if text.strip())),
        info.value or "",
        tuple(part for part in parts if part),
    )


def lexical(syntax: Syntax, symbol: SymbolToken) -> Subject | None:
    """Return the lexical binding that SYMBOL means, if one does."""
    called = syntax.text[: symbol.start].endswith(("(", "#'"))
    for binding in syntax.bindings_at(symbol.start):
        if base_name(binding.name) != base_name(symbol.text) or ":" in symbol.text:
            continue
        if binding.start == symbol.start or (binding.kind in ("function", "macro")) == called:
            line = syntax.lines.position(binding.start)[0] + 1
            return Subject(binding.name, (f"lexical {binding.kind}",), parts=(f"bound in line {line}",))
    return None


def from_text(syntax: Syntax, symbol: SymbolToken, index: WorkspaceIndex | None) -> Subject | None:
    """Return what this text, INDEX and the standard know of SYMBOL, without any image."""
    wanted = symbol.text.lstrip("#:")
    here = _own(syntax).get(base_name(wanted), ())
    there = index.lookup(wanted, syntax.package_at(symbol.start)) if index else ()
    entries = [entry for entry in (*here, *there) if entry.kind != "slot"] or [*here, *there]
    standard = common_lisp.lookup(symbol.text)
    if standard is not None and not here:
        return Subject(
            standard.name, standard.kinds, "COMMON-LISP", standard.arglist or "", (standard.documentation,)
        )
    return _from_entries(entries) if entries else None


_OWN: WeakKeyDictionary[Syntax, dict[str, list[Entry]]] = WeakKeyDictionary()


def _own(syntax: Syntax) -> dict[str, list[Entry]]:
    """Return the definitions of the text by name, collected once for each of its states."""
    found = _OWN.get(syntax)
    if found is None:
        found = _OWN[syntax] = {}
        for entry in definitions_of_text(syntax):
            found.setdefault(base_name(entry.name), []).append(entry)
    return found


def _from_entries(entries: Sequence[Entry]) -> Subject:
    first = next((entry for entry in entries if entry.documentation), entries[0])
    called = first.kind in _CALLABLE
    parts = () if called or not first.detail else (f"`{first.detail}`",)
    methods = sum(entry.kind == "method" for entry in entries)
    return Subject(
        first.name,
        tuple(dict.fromkeys(entry.kind for entry in entries[:3])),
        package_name(first.package),
        first.detail if called else "",
        (first.documentation,) if first.documentation else (),
        parts=(*parts, *((f"{methods} methods",) if methods > 1 else ())),
    )


def markdown(
    subject: Subject | None, remarks: Sequence[str] = (), hyperspec: str = common_lisp.HYPERSPEC
) -> str:
    """Return SUBJECT as Markdown, REMARKS (who holds the file) below it.

    A symbol of the standard has a link to its page below HYPERSPEC, unless that is empty.
    """
    blocks = _blocks(subject) if subject else []
    page = common_lisp.page(subject.name, hyperspec) if subject and subject.package == "COMMON-LISP" else None
    if subject is not None and page is not None:
        blocks.append(f"[{subject.name} in the HyperSpec]({page})")
    if remarks:
        below = "\n\n".join(remarks)
        blocks.append(f"---\n\n{below}" if blocks else below)
    return "\n\n".join(blocks)


def _blocks(subject: Subject) -> list[str]:
    blocks = [f"```lisp\n{_headline(subject)}\n```", _kind_line(subject)]
    blocks += [f"Value: `{_short(subject.value)}`"] if subject.value else []
    blocks += [" · ".join(subject.parts)] if subject.parts else []
    blocks += [_paragraphs(text) for text in subject.documentation if text]
    return blocks


def _headline(subject: Subject) -> str:
    arglist = " ".join(subject.arglist.split())
    if not arglist:
        return subject.name
    inner = arglist[1:-1].strip() if arglist.startswith("(") else arglist
    if base_name(inner.partition(" ")[0]) == base_name(subject.name):
        return f"({inner})"
    return f"({subject.name} {inner})" if inner else f"({subject.name})"


def _kind_line(subject: Subject) -> str:
    kinds = " · ".join(kind.replace("-", " ") for kind in subject.kinds)
    return f"*{kinds}* in `{subject.package}`" if subject.package else f"*{kinds}*"


def _paragraphs(text: str) -> str:
    """Docstrings are laid out in lines; two blanks at an end keep a line's end in Markdown."""
    escaped = text.strip().replace("*", r"\*").replace("_", r"\_").replace("<", r"\<")
    return "  \n".join(line.strip() for line in escaped.splitlines())


def _short(text: str) -> str:
    line = " ".join(text.split()).replace("`", "'")
    return line if len(line) <= _VALUE_LENGTH else f"{line[:_VALUE_LENGTH]}…"


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what} {', '.join(f'`{name}`' for name in names)}" if names else ""
