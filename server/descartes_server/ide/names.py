"""What a symbol in a text is called: its prefix, its package, the kinds of definitions it may have."""

from __future__ import annotations

from descartes_server.ide.index import package_name

_FULL = {"CL-USER": "COMMON-LISP-USER", "CL": "COMMON-LISP"}
STANDARD = "COMMON-LISP"

CLASS_KINDS = frozenset(("class", "condition", "structure"))
TYPE_KINDS = CLASS_KINDS | {"type"}


def divided(text: str) -> tuple[str, str]:
    """Return the package prefix of the symbol TEXT, empty without one, and its name as it is written.

    Example: divided("zoo::|A:b|") -> ("zoo", "|A:b|")
    """
    before, bar, after = text.partition("|")
    prefix, colon, name = before.rpartition(":")
    return (prefix.rstrip(":"), name + bar + after) if colon else ("", text)


def is_keyword(text: str) -> bool:
    """Return whether the symbol TEXT is a keyword, or one of no package (`#:name`)."""
    return text.startswith((":", "#"))


def designator(package: str) -> str:
    """Return how one writes the package whose name is PACKAGE, in whatever case."""
    return f'"{package}"'


def own_package(text: str, package: str) -> str:
    """Return the package that the symbol TEXT is looked up in by a file of the package designator PACKAGE."""
    name = package_name(divided(text)[0] or package)
    return _FULL.get(name, name)
