"""A conversation with one REPL: reading inputs, showing what comes of them, leaving stops by number."""

from __future__ import annotations

import queue
import re
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import click

from descartes_core.errors import DebuggerStale, DescartesError, TimedOut
from descartes_server.cli import stops
from descartes_server.cli.repl import keys
from descartes_server.cli.repl.link import INPUT, OUTPUT, POLL_S, Link
from descartes_server.ide.complete_input import open_parts

SOON_MS = 100
"""After this time what an evaluation prints is shown while it goes on."""
LONG_MS = 3_600_000
_RESTART = re.compile(r"(\d+)(?:\s+(.+))?", re.DOTALL)


class Console:
    """The REPL NAME over LINK."""

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._name = name
        self._package = "COMMON-LISP-USER"
        self._stop: dict[str, Any] | None = None
        self._early: list[dict[str, Any]] = []
        """What was printed before it was known by which evaluation."""
        self._asks = sys.stdin.isatty()
        self.failed = False

    def run(self) -> int:
        """Take inputs until there are no more; returns the exit status."""
        if self._asks:
            inputs = self._link.call("lisp.replHistory", {"repl": self._name, "limit": 500})["inputs"]
            keys.prepare([each["code"] for each in reversed(inputs)], self._complete)
        while (text := self._input()) is not None:
            if text.strip():
                self._enter(text.strip())
        if self._asks:
            click.echo()
        return 1 if self.failed else 0

    def _input(self) -> str | None:
        """Return the next input, of as many lines as it has; None at the end. Ctrl-C begins it anew."""
        text = ""
        while True:
            try:
                text += input(self._prompt(text) if self._asks else "")
            except EOFError:
                return text or None
            except KeyboardInterrupt:
                click.echo()
                text = ""
                continue
            if open_parts(text) == 0:
                return text
            text += "\n"

    def _prompt(self, begun: str) -> str:
        level = f" [{self._stop['level']}]" if self._stop else ""
        whole = f"{self._package}{level}> "
        keys.before(begun)
        return " " * len(whole) if begun else whole

    def _complete(self, text: str) -> tuple[list[str], int]:
        params = {"text": text, "repl": self._name, "package": self._package}
        try:
            found = self._link.call("lisp.complete", params)
        except DescartesError:
            return [], len(text)
        return [item["label"] for item in found["items"]], found["start"]

    def _enter(self, text: str) -> None:
        chosen = _RESTART.fullmatch(text) if self._stop else None
        try:
            if self._stop and chosen:
                self._leave(self._stop, int(chosen[1]), chosen[2])
            else:
                self._evaluate(text)
        except DescartesError as error:
            self.failed = True
            if isinstance(error, DebuggerStale):
                self._stop = None
            click.echo(error.message, err=True)

    def _evaluate(self, code: str) -> None:
        params = {"code": code, "repl": self._name, "timeoutMs": SOON_MS}
        self._early.clear()
        try:
            result = self._wait(self._link.begin("lisp.eval", params), None)
            self._print_output(result["output"])
        except TimedOut as slow:
            evaluation = str(slow.data["evaluation"])
            early = (each["text"] for each in self._early if each["evaluation"] == evaluation)
            result = self._follow(evaluation, "".join(early))
        self._show(result)

    def _follow(self, evaluation: str, printed: str = "") -> dict[str, Any]:
        """Return EVALUATION when it has stopped or ended; what it PRINTED, prints and asks is shown."""
        params = {"id": evaluation, "waitMs": LONG_MS}
        while True:
            try:
                self._print_output(printed, end="")
                printed = ""
                result = self._wait(self._link.begin("lisp.evaluation", params), evaluation)
            except KeyboardInterrupt:  # as soon as anything is seen
                self._interrupt(evaluation)
                continue
            if result["state"] != "running":
                return result

    def _wait(self, answer: Future[dict[str, Any]], evaluation: str | None) -> dict[str, Any]:
        """Return what ANSWER gives. Ctrl-C interrupts EVALUATION, or whatever this REPL works on."""
        while not answer.done() or not self._link.news.empty():
            try:
                kind, what = self._link.news.get(timeout=POLL_S)
                if kind == INPUT:
                    self._answer(*what)
                elif kind == OUTPUT and evaluation is None:
                    self._early.append(what)
                elif kind == OUTPUT and what["evaluation"] == evaluation:
                    self._print_output(what["text"], end="")
            except KeyboardInterrupt:
                self._interrupt(evaluation)
            except queue.Empty:
                continue
        return answer.result()

    def _interrupt(self, evaluation: str | None) -> None:
        which = {"repl": self._name} if evaluation is None else {"evaluation": evaluation}
        try:
            self._link.call("lisp.interrupt", which)
        except DescartesError as error:
            click.echo(error.message, err=True)

    def _answer(self, params: Mapping[str, Any], future: Any) -> None:
        """Let the person answer a program that reads; its prompt has been printed as output, or is now."""
        if future.cancelled():
            return
        try:
            self._link.answer(future, keys.answer(str(params.get("prompt") or "") if self._asks else ""))
        except (EOFError, KeyboardInterrupt):
            self._link.answer(future, None)
        if future.cancelled():
            click.echo("; that was not used: the program does not read any more", err=True)

    def _show(self, result: Mapping[str, Any]) -> None:
        self._package = result.get("package") or self._package
        for index, value in enumerate(result["values"]):
            number = f"  ; #v{result['number']}" + (f":{index}" if index else "")
            shown = click.style(number, dim=True) if self._asks and result.get("number") else ""
            click.echo((click.style(value, fg="cyan") if self._asks else value) + shown)
        if result["state"] == "stopped" and result.get("debugger"):
            self._show_stop(result["debugger"])
        elif result["state"] != "done":
            self.failed = True
            condition = result.get("condition")
            why = f": {condition['message']}" if condition else ""
            click.echo(f"; {result['state']}{why}", err=True)

    def _show_stop(self, key: Mapping[str, Any]) -> None:
        stopped = self._link.call("debugger.list", {})["debuggers"]
        stop = next((each for each in stopped if all(each[name] == key[name] for name in key)), None)
        if stop is None:
            return
        condition = stop["condition"]
        click.echo(click.style(f"{condition['type']}: {condition['message']}", fg="red"), err=True)
        if not self._asks:
            self.failed = True
            self._link.call("debugger.toplevel", dict(key))
            return
        self._stop = stop
        for line in stops.lines(stop):
            click.echo(line)
        click.echo(click.style("  A number invokes a restart, with an expression its argument.", dim=True))

    def _leave(self, stop: Mapping[str, Any], index: int, argument: str | None) -> None:
        """Invoke the restart INDEX of STOP and show what becomes of the evaluation."""
        params = {
            "thread": stop["thread"],
            "level": stop["level"],
            "index": index,
            "arguments": [argument] if argument else [],
        }
        result = self._wait(self._link.begin("debugger.restart", params), stop.get("evaluation"))
        self._stop = None
        evaluation = result.get("evaluation")
        if result.get("debugger"):
            self._show_stop({name: result["debugger"][name] for name in ("thread", "level")})
        elif evaluation and evaluation["state"] == "running":
            self._show(self._follow(evaluation["id"]))
        elif evaluation:
            self._show(evaluation)

    def _print_output(self, text: str, end: str = "\n") -> None:
        if text:
            click.echo(text, nl=end == "\n" and not text.endswith("\n"))
