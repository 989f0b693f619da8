"""Systems over a session: found in the workspace first, compiled into a folder of ours, loaded with notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from .answers import quoted
from .attachment import bring
from .compilation import Compiled
from .evaluation import Evaluation
from .forms import Form, Value, plist
from .paths import SAME, Paths
from .stopped import StoppedThreads

SystemOperation = Literal["load-op", "compile-op", "test-op"]
"""`test-op` loads what testing the system is about, and tests nothing."""

SYSTEMS: Final = ("systems.lisp",)
"""The files of `lisp/` that only systems need; `*systems-version*` is theirs."""
TESTS: Final = ("tests.lisp", "frameworks.lisp", "fiasco.lisp")


@dataclass(frozen=True, slots=True)
class RegisteredTest:
    """A test that its framework has in the image, by the exact names of its package and itself."""

    framework: str
    package: str
    name: str


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What became of a test; STATUS is passed, failed, error or skipped."""

    test: RegisteredTest
    status: str
    message: str | None
    milliseconds: int


@dataclass(frozen=True, slots=True)
class KnownSystem:
    """A system that ASDF knows; FILE is its definition, where that is known."""

    name: str
    file: str | None
    loaded: bool


@dataclass(frozen=True, slots=True)
class SystemReport:
    """What work on a system did: the source FILES that were compiled and loaded, or what is MISSING."""

    files: tuple[str, ...] = ()
    missing: str | None = None
    required_by: str | None = None
    quicklisp: bool = False
    """Whether Quicklisp is there."""
    offered: bool = False
    """Whether it could fetch what is missing."""
    ocicl: bool = False
    tested: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of `test-op`: the systems that testing is about, with their source files."""


class Systems(StoppedThreads, ABC):
    """The part of a `Lisp` that is about systems."""

    _served: tuple[str | None, str | None] | None = None

    @abstractmethod
    def _begin(
        self, id: str, client: str, form: list[Form], compiled: Compiled | None = None
    ) -> Evaluation: ...

    async def serve_workspace(self, folder: Path, fasls: Path) -> None:
        """Let the systems of FOLDER come before those installed elsewhere; compile systems into FASLS.

        Errors: `Aborted` on a Lisp without ASDF.
        """
        there = self._files.paths.there(str(folder))
        # On another machine ASDF's own cache is used.
        served = there and f"{there}/", f"{fasls}/" if self._files.paths.shared else None
        if self._served != served:
            await bring(self.connection, SYSTEMS, "*systems-version*")
            await self._ask("descartes-boot:serve-workspace", *served)
            self._served = served

    async def operate_on_system(
        self,
        system: str,
        operation: SystemOperation,
        *,
        id: str,
        client: str = "",
        definition: Path | None = None,
        force: bool = False,
        load_faulty: bool = False,
        install: bool = False,
    ) -> Evaluation:
        """Load or compile SYSTEM and what it needs; `notes`, `success` and `report` tell the outcome.

        DEFINITION: the file that defines SYSTEM, where its name does not lead there. LOAD_FAULTY: go on with
        files that the compiler warns of. INSTALL: what is missing may be fetched by Quicklisp or ocicl.
        `system_report` reads the report. `serve_workspace` must have been called.
        """
        place = None if definition is None else self._files.paths.there(str(definition))
        options: list[Form] = [place, force, load_faulty, install]
        form: list[Form] = ["descartes-boot:operate-on-system", id, client, system, operation.upper()]
        return self._begin(id, client, form + options, Compiled("", None))

    async def known_systems(self, *, all: bool = False) -> list[KnownSystem]:
        """Return the systems that ASDF has read; ALL: also those it could find. `serve_workspace` first."""
        answer = await self._ask("descartes-boot:known-systems", all)
        here = self._files.paths.here
        return [
            KnownSystem(str(name), file and here(file), loaded is True) for name, file, loaded in answer or []
        ]

    async def registered_tests(self, packages: Sequence[str]) -> list[RegisteredTest]:
        """Return the tests that the frameworks in the image have in PACKAGES; `serve_workspace` first."""
        await bring(self.connection, TESTS, "*tests-version*")
        answer = await self._ask("descartes-boot:registered-tests", quoted(list(packages)))
        return [RegisteredTest(str(each[0]), str(each[1]), str(each[2])) for each in answer or []]

    async def run_tests(
        self, tests: Sequence[RegisteredTest], *, id: str, client: str = "", debug: bool = False
    ) -> Evaluation:
        """Run TESTS one after the other; each one's outcome is reported as it is known (`test_outcome`).

        DEBUG: what fails stops in the debugger instead of being recorded.
        """
        await bring(self.connection, TESTS, "*tests-version*")
        groups: dict[tuple[str, str], list[Form]] = {}
        for test in tests:
            groups.setdefault((test.framework, test.package), []).append(test.name)
        plan = quoted([[framework, package, names] for (framework, package), names in groups.items()])
        return self._begin(id, client, ["descartes-boot:run-tests", id, client, plan, debug])

    async def run_test_op(self, system: str, *, id: str, client: str = "", debug: bool = False) -> Evaluation:
        """Do ASDF's `test-op` on SYSTEM; the one outcome, reported like a test's, is the system's."""
        await bring(self.connection, TESTS, "*tests-version*")
        return self._begin(id, client, ["descartes-boot:run-test-op", id, client, system, debug])


def test_outcome(report: Value) -> TestOutcome | None:
    """Return the outcome in the REPORT of a run of tests; None when it only says who printed what."""
    fields = plist(report)
    if fields.get(":printed"):
        return None
    return TestOutcome(
        printed_by(report),
        str(fields.get(":status")),
        fields.get(":message"),
        int(fields.get(":milliseconds") or 0),
    )


def printed_by(report: Value) -> RegisteredTest:
    """Return the test that printed what came between the REPORT of a run of tests and the one before it."""
    fields = plist(report)
    return RegisteredTest(
        str(fields.get(":framework")), str(fields.get(":package") or ""), str(fields.get(":name"))
    )


def system_report(report: Value, paths: Paths = SAME) -> SystemReport:
    """Return the REPORT of work on a system, as an `Evaluation` has it; PATHS are those of its session."""
    fields = plist(report)
    files: Sequence[Value] = fields.get(":files") or ()
    quicklisp = fields.get(":quicklisp")
    return SystemReport(
        files=_here(files, paths),
        missing=fields.get(":missing"),
        required_by=fields.get(":required-by"),
        quicklisp=quicklisp is not None,
        offered=str(quicklisp).lower() == ":offered",
        ocicl=fields.get(":ocicl") is True,
        tested=tuple((str(name), _here(files, paths)) for name, files in fields.get(":tested") or ()),
    )


def _here(files: Sequence[Value] | None, paths: Paths) -> tuple[str, ...]:
    return tuple(here for file in files or () if (here := paths.here(str(file))) is not None)
