"""Where a Lisp symbol stands in a text as one, not in a string, a comment or another name."""

from __future__ import annotations

from descartes_server.ide.index import is_lisp_file
from descartes_server.ide.lexer import lexemes
from descartes_server.ide.references import may_mention


def symbol_places(path: str, text: str, name: str) -> list[tuple[int, int]]:
    """Return where the symbol NAME stands in TEXT of the file PATH; none when that is no Lisp file.

    NAME without a package means the symbol behind any package, whose prefix then stays; a keyword is another
    symbol, and is named with its colon.
    Example: symbol_places("a.lisp", "(foo :foo p:foo foo-bar)", "FOO") -> [(1, 4), (12, 15)]
    """
    if not is_lisp_file(path) or not may_mention(text, name.lower()):
        return []
    found: list[tuple[int, int]] = []
    for kind, start, end in lexemes(text):
        if kind != "symbol":
            continue
        token = text[start:end]
        base = 0 if ":" in name or token.startswith(":") else token.rfind(":") + 1
        if token[base:].lower() == name.lower():
            found.append((start + base, end))
    return found
