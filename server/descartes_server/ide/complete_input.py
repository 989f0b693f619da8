"""Whether what was typed into a REPL is a whole input, or goes on in the next line."""

from __future__ import annotations

from descartes_server.ide.lexer import lexemes


def open_parts(text: str) -> int:
    """Return how many lists, strings, comments and quoted symbols of TEXT are open; 0 for a whole input.

    A quote or other prefix with nothing after it counts, too; a parenthesis too many does not.
    Example: open_parts("(let ((a 1))") -> 1
    """
    depth, last = 0, ""
    for kind, _, _ in lexemes(text):
        if kind in ("comment", "block"):
            continue
        depth = depth + 1 if kind == "open" else max(0, depth - 1) if kind == "close" else depth
        last = kind
        if kind == "broken":
            return depth + 1
    return depth + (last == "prefix")
