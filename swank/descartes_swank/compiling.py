"""Compiling and loading over a connection, by the names that the image has for files.

A file that the image cannot see is compiled as a text without a file: its name here would mean nothing there.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from .answers import quoted
from .compilation import Compiled
from .evaluation import Evaluation
from .forms import Cons, Form, Symbol
from .locations import SourceFiles


class Compiling(ABC):
    """The half of a `Lisp` that is about source files."""

    _files: SourceFiles

    @abstractmethod
    def _begin(self, id: str, client: str, form: list[Form], compiled: Compiled | None = None) -> Evaluation:
        """Return the evaluation ID of CLIENT, which is FORM's, when its turn comes."""

    async def compile_string(
        self,
        code: str,
        *,
        id: str,
        client: str = "",
        file: str | None,
        position: int,
        package: str | None,
        policy: Mapping[str, int] | None = None,
    ) -> Evaluation:
        """Compile and load CODE, which begins at POSITION of FILE; `notes` and `success` tell the outcome.

        The definitions know FILE and POSITION, so that going to them works.
        Units: position counts code points from 0. POLICY: such as `{"debug": 3}`.
        """
        named = None if file is None else self._files.paths.there(file)
        form = [
            "descartes-boot:compile-text",
            id,
            client,
            code,
            named,
            position,
            package,
            policy_form(policy or {}),
        ]
        evaluation = self._begin(id, client, form, Compiled(code, file, position, named))
        evaluation.asked_package, evaluation.asked_policy = package, dict(policy or {})
        return evaluation

    async def compile_file(
        self, path: str | Path, *, id: str, client: str = "", load: bool | Literal["always"]
    ) -> Evaluation:
        """Compile the file PATH, and load it if LOAD and the compiler was content; no file is left beside it.

        LOAD `always`: whatever could be compiled is loaded; `success` still says what the compiler found.
        """
        text = await self._text(path)
        named = self._files.paths.there(str(path))
        if named is None:
            return await self._compile_unseen(path, text, id, client)
        form = ["descartes-boot:compile-source-file", id, client, named, bool(load), load == "always"]
        return self._begin(id, client, form, Compiled(text, str(path), named=named))

    async def load_file(self, path: str | Path, *, id: str, client: str = "") -> Evaluation:
        """Load the source file PATH without compiling it to a file."""
        named = self._files.paths.there(str(path))
        if named is None:
            return await self._compile_unseen(path, await self._text(path), id, client)
        return self._begin(id, client, ["descartes-boot:load-source-file", id, client, named])

    async def _compile_unseen(self, path: str | Path, text: str, id: str, client: str) -> Evaluation:
        return await self.compile_string(
            text, id=id, client=client, file=str(path), position=0, package="COMMON-LISP-USER"
        )

    async def _text(self, path: str | Path) -> str:
        source = await asyncio.to_thread(self._files.read, str(path))
        return source.text if source else ""


def policy_form(qualities: Mapping[str, int]) -> Form:
    """Return the form of QUALITIES, `{"debug": 3}`, as Swank takes them: `'((cl:debug . 3))`."""
    return quoted([Cons((Symbol(f"cl:{name}"),), value) for name, value in qualities.items()])
