"""What is defined in an image, so that two images can be held against each other."""

from __future__ import annotations

from typing import Final

from .attachment import bring
from .errors import Unsupported
from .forms import Symbol
from .session import Lisp

COMPARING: Final = ("comparing.lisp",)
"""The file of `lisp/` that only comparing needs; `*comparing-version*` is its."""

Definitions = dict[tuple[str, str], str]
"""By kind and name, `package:name` or a package's name: what is said of it in one line."""


async def definitions(lisp: Lisp) -> Definitions:
    """Return what is defined in the image of LISP beside what came with it, Swank and ASDF.

    Errors: `Unsupported` for another Lisp than SBCL.
    """
    if lisp.info.implementation != "SBCL":
        raise Unsupported(
            f"Definitions are compared in SBCL only, and this Lisp is {lisp.info.implementation}"
        )
    await bring(lisp.connection, COMPARING, "*comparing-version*")
    found: Definitions = {}
    for package in await lisp.connection.rex([Symbol("descartes-boot:own-packages")]) or []:
        lines = await lisp.connection.rex([Symbol("descartes-boot:package-definitions"), package])
        for kind, name, line in lines or []:
            full = str(name) if kind == "package" else _full_name(str(package), str(name))
            found[str(kind), full] = str(line)
    return found


def _full_name(package: str, name: str) -> str:
    """Return NAME with its PACKAGE: ("P", "(setf f)") -> "(setf p::f)"."""
    prefix = f"{package.lower()}::"
    return f"(setf {prefix}{name[6:]}" if name.startswith("(setf ") else prefix + name
