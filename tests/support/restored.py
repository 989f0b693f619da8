"""A workspace for restores, a command that changes it in every way, and faults at the steps of a restore."""

from __future__ import annotations

from collections.abc import Callable

FILES: dict[str, str | bytes] = {"a.lisp": "(a)\n", "src/b.lisp": "(b)\n", "c.txt": "keep\n"}
DOES = "rm src/b.lisp; echo changed > a.lisp; mkdir new; echo n > new/file; chmod +x c.txt; ln -s a.lisp l"


class Faults:
    """Does something at the step named NAME, or at every one."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.seen: list[str] = []
        self.do: Callable[[str], None] | None = None

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if self.do is not None and (self.name is None or name == self.name):
            self.do(name)

    def at(self, number: int, do: Callable[[], None]) -> None:
        """Do DO at the instant NUMBER from now on."""
        self.seen.clear()
        self.name, self.do = None, lambda name: do() if len(self.seen) == number + 1 else None
