"""The symbols of the Common Lisp standard: kinds, lambda lists and a sentence each, known without a Lisp."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class StandardSymbol:
    """A symbol of the standard. KINDS: `function`, `macro`, `generic`, `special-operator`, `variable`,
    `constant`, `class`, `condition`, `type`, `declaration`, `lambda-list-keyword`."""

    name: str
    kinds: tuple[str, ...]
    arglist: str | None
    documentation: str


@cache
def symbols() -> MappingProxyType[str, StandardSymbol]:
    """Return the 978 symbols by name in lower case.

    Example: symbols()["car"].arglist -> "(list)"
    Source: `data/cl_symbols.lisp` writes the table from SBCL, whose documentation is in the public domain.
    """
    table = resources.files("descartes_server.ide").joinpath("data", "cl_symbols.tsv").read_text("utf-8")
    found = {}
    for line in table.splitlines():
        name, kinds, arglist, documentation = line.split("\t")
        found[name] = StandardSymbol(name, tuple(kinds.split(",")), arglist or None, documentation)
    return MappingProxyType(found)


HYPERSPEC = "https://www.lispworks.com/documentation/HyperSpec/"
"""Where the standard's text can be read."""


@cache
def _pages() -> dict[str, str]:
    table = resources.files("descartes_server.ide").joinpath("data", "clhs.tsv").read_text("utf-8")
    return dict(line.split("\t") for line in table.splitlines())


def page(name: str, root: str = HYPERSPEC) -> str | None:
    """Return the URL of the page about the standard's symbol NAME in the HyperSpec below ROOT.

    Example: page("car") -> "https://www.lispworks.com/documentation/HyperSpec/Body/f_car_c.htm"
    Source: `data/clhs.tsv`, which page of the HyperSpec each symbol has; checked against the 978 symbols.
    """
    file = _pages().get(name.lower())
    return f"{root.rstrip('/')}/Body/{file}" if file and root else None


def lookup(name: str) -> StandardSymbol | None:
    """Return the standard's symbol NAME, with or without the package CL; None for any other.

    Example: lookup("CL:CAR").name -> "car"
    """
    package, _, rest = name.lower().rpartition(":")
    if package.rstrip(":") not in ("", "cl", "common-lisp") or (package == "" and name.startswith(":")):
        return None
    return symbols().get(rest)
