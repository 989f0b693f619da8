"""Drift against a simple model: edits, compilations, loads, checkouts and undefinitions in any order."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_server.operations.texts import uri_of
from support.lisp_desk import Desk, lisp_desk

KINDS = ("function", "parameter", "variable", "class", "method", "macro")
TEXTS = {
    "function": "(defun {name} (x)\n  (list x {version}))",
    "parameter": '(defparameter {name} {version} "Of version {version}.")',
    "variable": "(defvar {name} {version})",
    "class": "(defclass {name} () ((slot :initform {version})))",
    "method": "(defmethod {name} ((x (eql {version0})) &key) {version})",
    "macro": "(defmacro {name} () {version})",
}
GONE = {
    "function": "(fmakunbound '{name})",
    "parameter": "(makunbound '{name})",
    "variable": "(makunbound '{name})",
    "class": "(setf (find-class '{name}) nil)",
    "method": "(fmakunbound '{name})",
    "macro": "(fmakunbound '{name})",
}
UNSEEN = -1


@dataclass
class Model:
    """What the file says and what the image has, by kind: a version, UNSEEN, or nothing."""

    text: dict[str, int] = field(default_factory=dict)
    image: dict[str, int] = field(default_factory=dict)
    stash: dict[str, int] = field(default_factory=dict)
    of_file: set[str] = field(default_factory=set)
    """What of the image came from the file, and was last changed where it was seen."""

    def load(self, kind: str, *, from_file: bool = True) -> None:
        if kind == "variable" and self.image.get(kind) not in (None, self.text[kind]):
            return  # it keeps its value, and what is known of it
        self.image[kind] = self.text[kind]
        if from_file:
            self.of_file.add(kind)

    def load_unseen(self, kind: str) -> None:
        self.image[kind] = UNSEEN
        self.of_file.discard(kind)

    def undefine(self, kind: str) -> None:
        self.image.pop(kind, None)
        self.of_file.discard(kind)

    def states(self) -> dict[str, str]:
        return {kind: self._state(kind) for kind in self.text}

    def _state(self, kind: str) -> str:
        if kind not in self.image:
            return "missing"
        if self.image[kind] == UNSEEN:
            return "unknown"
        return "loaded" if self.image[kind] == self.text[kind] else "changed"

    def removed(self) -> set[str]:
        return self.of_file - set(self.text)


class World:
    """One file, its package and its image beside the model."""

    def __init__(self, desk: Desk, number: int) -> None:
        self.desk, self.model = desk, Model()
        self.package = f"p{number}"
        self.file = desk.root / f"f{number}.lisp"

    def name(self, kind: str) -> str:
        return f"the-{kind}"

    def definition(self, kind: str, version: int) -> str:
        return TEXTS[kind].format(name=self.name(kind), version=version, version0=0)

    def content(self) -> str:
        lines = [f"(in-package :{self.package})"]
        for kind, version in self.model.text.items():
            lines += [f";; {kind}", self.definition(kind, version), ""]
        return "\n".join(lines)

    def write(self) -> None:
        self.file.write_text(self.content(), encoding="utf-8")

    async def begin(self) -> None:
        await self.eval(f"(defpackage :{self.package} (:use :cl))", "CL-USER")
        self.model.text = dict.fromkeys(KINDS, 0)
        self.model.stash = dict(self.model.text)
        self.write()

    async def eval(self, code: str, package: str | None = None) -> None:
        done = await self.desk.call("lisp.eval", code=code, package=package or self.package)
        assert done["state"] == "done", done

    async def step(self, what: str, kind: str, version: int) -> None:
        """Do WHAT to KIND, in the world and in the model."""
        model = self.model
        if what == "edit":
            model.text[kind] = version
        elif what == "remove":
            model.text.pop(kind, None)
        elif what == "commit":
            model.stash = dict(model.text)
        elif what == "checkout":
            model.text = dict(model.stash)
        self.write()
        if what == "unseen":
            text = self.definition(kind, version).replace("\\", "\\\\").replace('"', '\\"')
            await self.eval(f'(with-input-from-string (in "{text}") (load in))')
            model.load_unseen(kind)
        elif what == "undefine":
            await self.eval(GONE[kind].format(name=self.name(kind)))
            model.undefine(kind)
        elif what == "evaluate" and kind in model.text:
            await self.eval(self.definition(kind, model.text[kind]))
            model.load(kind, from_file=False)
        else:
            await self.load(what, kind)

    async def load(self, what: str, kind: str) -> None:
        """Load the file, or KIND of it, in the way that WHAT says."""
        model, uri = self.model, uri_of(self.file)
        if what in ("compileFile", "loadFile"):
            assert (await self.desk.call(f"lisp.{what}", uri=uri))["state"] == "done"
            for each in model.text:
                model.load(each)
        elif what == "compileForm" and kind in model.text:
            line = self.content().splitlines().index(f";; {kind}") + 2
            position = {"line": line, "column": 2}
            assert (await self.desk.call("lisp.compileForm", uri=uri, position=position))["state"] == "done"
            model.load(kind)
        elif what == "loadChanged":
            assert (await self.desk.call("lisp.loadChanged", uri=uri))["state"] == "done"
            for each, its_state in model.states().items():
                if its_state in ("changed", "missing"):
                    model.image[each] = model.text[each]
                    model.of_file.add(each)

    async def check(self) -> None:
        found = await self.desk.call("lisp.drift", uri=uri_of(self.file))
        states = {each["name"].removeprefix("the-"): each["state"] for each in found["forms"]}
        assert states == self.model.states()
        assert {each["name"].removeprefix("the-") for each in found["removed"]} == self.model.removed()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "edit",
                "edit",
                "remove",
                "commit",
                "checkout",
                "compileFile",
                "loadFile",
                "compileForm",
                "compileForm",
                "evaluate",
                "unseen",
                "undefine",
                "loadChanged",
            ]
        ),
        st.sampled_from(KINDS),
        st.integers(0, 2),
    ),
    min_size=3,
    max_size=12,
)


def test_drift_is_what_the_model_says_and_a_replay_is_the_same(
    workspace: Path, isolated_environment: Path
) -> None:
    numbers = itertools.count()
    with asyncio.Runner() as runner:
        context = lisp_desk(workspace)
        desk = runner.run(context.__aenter__())

        async def follow(steps: list[tuple[str, str, int]]) -> None:
            world = World(desk, next(numbers))
            await world.begin()
            for what, kind, version in steps:
                await world.step(what, kind, version)
                await world.check()

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(STEPS)
        def example(steps: list[tuple[str, str, int]]) -> None:
            runner.run(follow(steps))

        try:
            example()
            found = runner.run(desk.call("lisp.compare", other="replay"))
            assert found["definitions"] == []
        finally:
            runner.run(context.__aexit__(None, None, None))
