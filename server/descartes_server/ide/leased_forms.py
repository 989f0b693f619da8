"""The top-level forms of Lisp files, for leases on one form: fills the core's port `Forms`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from descartes_core.ports import Form
from descartes_server.ide.roles import base_name


class LispForms:
    """Finds forms with the syntax that everything else here uses."""

    def forms(self, path: Path, text: str) -> Sequence[Form] | None:
        """See `Forms`. A package in front of a name is left out: `foo:area` and `area` are one form."""
        from descartes_server.ide.index import is_lisp_file
        from descartes_server.ide.syntax import parse

        if not is_lisp_file(str(path)):
            return None
        syntax = parse(text)
        broken = next((b for b, each in zip(syntax.bases, syntax.segments, strict=True) if each.stack), None)
        found = [Form(_name(each.name), each.start, each.end) for each in syntax.forms]
        if broken is None:
            return found
        # Lisp reads a form that is not closed on to the end, over everything that follows it.
        whole = [each for each in found if each.start < broken]
        rest = next((each for each in found if each.start >= broken), None)
        return whole if rest is None else [*whole, Form(rest.name, rest.start, len(text))]


def changed_forms(path: Path, before: str, after: str) -> set[str] | None:
    """Return the names of the forms that differ between BEFORE and AFTER, texts of the file PATH."""
    from descartes_core.leases import forms

    port = LispForms()
    one, other = port.forms(path, before), port.forms(path, after)
    return None if one is None or other is None else forms.touched(before, one, after, other)


def _name(written: str) -> str:
    """Return the name WRITTEN without packages.

    Example: _name("(setf geo:area)") -> "(setf area)"
    """
    if not written.startswith("("):
        return base_name(written)
    words = written[1:].rstrip(")").split()
    return f"({' '.join(base_name(word) for word in words)})"
