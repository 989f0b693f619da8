"""Questions to a Lisp that is no SBCL, by Swank's own calls: completion, arglists, definitions, descriptions.

What Swank has no call for is answered with nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from . import sexp
from .connection import Connection
from .errors import Aborted
from .forms import Form, Symbol, Value, plist
from .locations import DEFINITION, SourceFiles, place
from .paths import Paths
from .questions import Asking, Reply

_KINDS = {
    "f": "function", "g": "generic", "m": "macro", "s": "special-operator", "b": "variable", "c": "class",
    "p": "package",
}  # fmt: skip

_NOTHING: dict[str, Any] = {
    "completions": [],
    "definitions": [],
    "apropos": [],
    "describe": "",
    "classify": {},
    "bodies": {},
}


class PortableQuestions(Asking):
    """The questions as plain Swank calls over CONNECTION."""

    def __init__(self, connection: Connection, paths: Paths, deadline_ms: int = 5000) -> None:
        super().__init__(deadline_ms)
        self._connection = connection
        self._files = SourceFiles(paths)

    async def _reply(self, request: dict[str, Any]) -> Reply:
        try:
            answer = await self._answered(request)
        except Aborted:
            # A name that cannot be read, a symbol that does not exist.
            answer = _NOTHING.get(str(request.get("question")))
        return Reply(answer=msgspec.Raw(msgspec.json.encode(answer)))

    async def _answered(self, request: dict[str, Any]) -> Any:
        package = str(request.get("package") or "COMMON-LISP-USER")
        name = str(request.get("name") or "")
        match request.get("question"):
            case "completions":
                return await self._completions(str(request["prefix"]), package, int(request["limit"]))
            case "arglist":
                return await self._call("swank:operator-arglist", package, name, package)
            case "symbol":
                return await self._symbol(name, package)
            case "definitions":
                return await self._definitions(name, package)
            case "describe":
                return str(await self._call("swank:describe-symbol", package, name))
            case "apropos":
                return await self._apropos(str(request["text"]), request.get("package"))
            case "classify" | "bodies":
                return {}
            case _:
                return None

    async def _call(self, function: str, package: str, *arguments: Form) -> Value:
        return await self._connection.rex([Symbol(function), *arguments], package=package)

    async def _completions(self, prefix: str, package: str, limit: int) -> list[dict[str, Any]]:
        answer = await self._call("swank:simple-completions", package, prefix, package)
        found = answer or []
        # Until Swank 2.31 (NAMES LONGEST-COMMON), later a list of (NAME FLAGS FULL-NAME).
        if found and isinstance(found[0], list) and (not found[0] or len(found) == 2):
            plain = len(found) == 2 and isinstance(found[1], str)
            found = [[name] for name in found[0]] if plain else found
        return [_candidate(item) for item in found[:limit] if isinstance(item, list) and item]

    async def _symbol(self, name: str, package: str) -> dict[str, Any] | None:
        arglist = await self._call("swank:operator-arglist", package, name, package)
        found = "(cl:ignore-errors (swank::with-buffer-syntax () (swank::parse-symbol {})))"
        if await self._connection.rex(found.format(sexp.write(name)), package=package) is None:
            return None
        text = str(await self._call("swank:documentation-symbol", package, name))
        documentation = {"function" if arglist else "variable": text} if "Not documented" not in text else {}
        kinds = ["function"] if arglist else []
        return {"name": name, "kinds": kinds, "arglist": arglist, "documentation": documentation}

    async def _definitions(self, name: str, package: str) -> list[dict[str, Any]]:
        answer = await self._call("swank:find-definitions-for-emacs", package, name)
        found = [(str(item[0]), place(item[1], DEFINITION)) for item in answer or []]
        located = await asyncio.to_thread(self._files.locate_all, [where for _, where in found])
        return [
            {
                "kind": _definition_kind(spec),
                "name": name,
                "file": location.file,
                "offset": location.offset,
                "snippet": location.snippet,
            }
            for (spec, _), location in zip(found, located, strict=True)
            if location is not None and location.file is not None and location.offset is not None
        ]

    async def _apropos(self, text: str, package: str | None) -> list[dict[str, Any]]:
        answer = await self._call(
            "swank:apropos-list-for-emacs", package or "COMMON-LISP-USER", text, None, None, package
        )
        found = [plist(item) for item in answer or []]
        return [
            {"label": str(each.get(":designator")), "kind": _apropos_kind(list(each))} for each in found[:500]
        ]


def _candidate(item: list[Value]) -> dict[str, Any]:
    flags = str(item[1]) if len(item) > 1 else ""
    kind = next((_KINDS[flag] for flag in "mgsfcbp" if flag in flags), "symbol")
    return {"label": str(item[0]), "kind": kind}


def _definition_kind(spec: str) -> str:
    """Return what SPEC, such as `(DEFMACRO WHEN)`, defines."""
    words = spec.lstrip("(").split()
    kind = words[0].lower().removeprefix("def") if words else ""
    return {"un": "function", "macro": "macro", "generic": "generic", "method": "method", "class": "class",
            "var": "variable", "parameter": "variable", "struct": "structure", "package": "package",
            }.get(kind, "function")  # fmt: skip


def _apropos_kind(keys: list[str]) -> str:
    known = ("macro", "generic-function", "function", "special-operator", "class", "variable")
    found = next((kind for kind in known if f":{kind}" in keys), "symbol")
    return "generic" if found == "generic-function" else found
