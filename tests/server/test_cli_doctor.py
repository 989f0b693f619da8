"""`descartes doctor` as a person and as a script uses it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

Descartes = Callable[..., Awaitable[Any]]


async def test_doctor_says_what_was_found(descartes: Descartes) -> None:
    outcome = await descartes("doctor", "--json")
    report = json.loads(outcome.out)
    assert outcome.status == 0 and report["ok"]
    areas = {finding["area"] for finding in report["findings"]}
    assert areas >= {"lisp", "git", "editor", "trust", "log", "hub"}
    lisps = [each for each in report["findings"] if each["area"] == "lisp"]
    empty = sum(each["state"] == "missing" for each in lisps)
    shown = [line for line in (await descartes("doctor")).out.splitlines() if "\tlisp\t" in line]
    assert f"missing\tlisp\t{empty} other places\tnothing; --all lists them" in shown
    assert len(shown) == len(lisps) - empty + 1
    everything = (await descartes("doctor", "--all")).out.splitlines()
    assert sum("\tlisp\t" in line for line in everything) == len(lisps)
