"""The check before something is written that Descartes does not write itself: a commit, a push, a tool call.

Needs no hub: it reads the log. Run as a module it is git's hook: `… pre-commit` or `… pre-push REMOTE URL`.
A guard that cannot look says so and lets pass: it must not keep anybody from working.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.leases import standing
from descartes_core.leases.held import Held
from descartes_core.leases.paths import LeasePath, Paths, leased_form
from descartes_core.leases.standing import Change
from descartes_core.leases.words import described
from descartes_core.model import Lease, Principal
from descartes_server.operations import commits, principals, workspace
from descartes_server.operations.workspace import Workspace

HOLDER_VARIABLE, GUARD_VARIABLE = "DESCARTES_HOLDER", "DESCARTES_GUARD"
OFF = "off"
HOOKS = ("pre-commit", "pre-push")
SHOWN = 20

Outcome = Literal["refused", "warned", "bypassed"]
Refusals = dict[str, Lease]
"""The lease in the way, by the path that somebody wants to write."""


def speaker(environment: Mapping[str, str], otherwise: Principal | None = None) -> Principal:
    """Return who writes: a run's child is its agent, else whom `DESCARTES_HOLDER` names, else OTHERWISE.

    Without OTHERWISE it is the person. Errors: `InvalidParams` for a holder that is not KIND:NAME.
    """
    run = environment.get(principals.RUN_VARIABLE)
    if run:
        return Principal(kind="agent", id=run, name=run)
    named = environment.get(HOLDER_VARIABLE)
    if named:
        try:
            return principals.parse(named)
        except InvalidParams as problem:
            raise InvalidParams(f"{HOLDER_VARIABLE}: {problem.message}") from None
    return otherwise or principals.user()


@dataclass
class Watch:
    """The leases of WORKSPACE at this moment, as somebody who wants to write, WHO, meets them."""

    workspace: Workspace
    who: Principal
    found: list[Held] = field(default_factory=list)

    @classmethod
    def look(cls, place: Workspace, who: Principal) -> Watch:
        """Return the leases of PLACE. A name is as good as an id: all that fit are WHO's own.

        Errors: `sqlite3.Error` when the log cannot be read.
        """
        found = standing.read(place.database, now_ms())
        own = [h.lease.holder for h in found if principals.fits(h.lease.holder, who)]
        me = next((holder for holder in own if holder.id == who.id), own[0] if own else who)
        others = [h for h in found if h.lease.holder.same_as(me) or not principals.fits(h.lease.holder, who)]
        return cls(place, me, others)

    @property
    def is_quiet(self) -> bool:
        """Whether nobody else has a lease, so that nothing need be looked at."""
        return all(each.lease.holder.same_as(self.who) for each in self.found)

    def stopped(self, files: Iterable[Path]) -> Refusals:
        """Return what stands in the way of WHO writing FILES."""
        refused: Refusals = {}
        for file, about in self._named(files):
            if leases := standing.stopping(about, self.who, self.found):
                refused[self._shown(file)] = leases[0]
        return refused

    def stopped_changes(self, changed: Iterable[commits.Changed]) -> Refusals:
        """Return what stands in the way of the changes CHANGED; only forms that differ count."""
        refused: Refusals = {}
        for each in changed:
            for _, about in self._named([each.path]):
                stopping = standing.stopping(about, self.who, self.found)
                if stopping and any("#" in lease.path for lease in stopping):
                    from descartes_server.ide.leased_forms import LispForms

                    change = Change(each.path, *each.texts())
                    stopping = standing.stopping_change(change, about, self.who, self.found, LispForms())
                if stopping:
                    refused.setdefault(self._shown(each.path), stopping[0])
        return refused

    def _named(self, files: Iterable[Path]) -> Iterable[tuple[Path, LeasePath]]:
        paths = Paths(self.workspace.root)
        for file in files:
            try:
                yield file, paths.covering(file)
            except InvalidParams:
                continue  # no lease can have such a name

    def _shown(self, file: Path) -> str:
        root = self.workspace.root
        return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def explained(refused: Refusals) -> list[str]:
    """Return a line for each of REFUSED: the path, who holds it, why and until when."""
    now = now_ms()
    width = max(len(path) for path in refused)
    lines = [
        f"  {path:{width}}  held by {described(lease, now)}{_of_form(lease)}"
        for path, lease in sorted(refused.items())
    ]
    more = [f"  … and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def record(
    place: Workspace, who: Principal, outcome: Outcome, what: Mapping[str, Any], refused: Refusals
) -> None:
    """Write into the log what the guard decided. What goes wrong is said and stops nothing."""
    import asyncio

    try:
        asyncio.run(_record(place, who, outcome, what, refused))
    except (DescartesError, OSError, sqlite3.Error) as problem:
        _say(f"descartes: could not note this in the history: {problem}")


async def _record(
    place: Workspace, who: Principal, outcome: Outcome, what: Mapping[str, Any], refused: Refusals
) -> None:
    from descartes_core.model import NewEvent
    from descartes_core.store import Store

    place.prepare()
    store = await Store.open(place.database)
    leases = [msgspec.to_builtins(lease) for lease in refused.values()]
    data = {**what, "paths": sorted(refused), "leases": leases}
    try:
        by = principals.kept(who, store.redactor)
        await store.append(
            NewEvent(category="decision", name=f"guard.{outcome}", stream="guard", actor=by, data=data)
        )
    finally:
        await store.close()


def run_hook(hook: str, arguments: Sequence[str], *, warn: bool) -> int:
    """Check what git is about to do in the current folder and return the status of its HOOK."""
    top = Path.cwd()
    place = workspace.find(top)
    off = os.environ.get(GUARD_VARIABLE, "").lower() == OFF
    watch = Watch.look(place, speaker(os.environ))
    if watch.is_quiet and not off:
        return 0
    changed = commits.staged(top) if hook == "pre-commit" else commits.pushed(top, arguments[0], _updates())
    refused = watch.stopped_changes(changed)
    what = {"hook": hook}
    if off:
        record(place, watch.who, "bypassed", what, refused)
        return 0
    if not refused:
        return 0
    _say(_told(hook, refused, warn=warn))
    record(place, watch.who, "warned" if warn else "refused", what, refused)
    return 0 if warn else 1


def _told(hook: str, refused: Refusals, *, warn: bool) -> str:
    doing = "commit" if hook == "pre-commit" else "push"
    lease = next(iter(refused.values()))
    head = f"descartes: this {doing} {'changes' if warn else 'was refused: it changes'} what others hold"
    ways = [
        f"Ask for it:  descartes lease request {lease.path} 'may I have it?'",
        f"Or once, and recorded:  {GUARD_VARIABLE}={OFF} git {doing} …",
    ]
    return "\n".join([head, *explained(refused), *([] if warn else ways)])


def _updates() -> str:
    return "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()


def _of_form(lease: Lease) -> str:
    form = leased_form(lease.path, lease.uri)
    return f", the form {form}" if form else ""


def now_ms() -> int:
    """Return milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(words: Sequence[str]) -> int:
    """Run as git's hook with the arguments WORDS; returns the hook's exit status."""
    warn = "--warn" in words
    hook, *arguments = [word for word in words if word != "--warn"] or [""]
    if hook not in HOOKS:
        _say(f"descartes: expected one of the hooks {', '.join(HOOKS)}, got {hook!r}")
        return 1
    try:
        return run_hook(hook, arguments or [""], warn=warn)
    except InvalidParams as problem:
        _say(f"descartes: {problem.message}")
        return 1
    except (DescartesError, OSError, sqlite3.Error) as problem:
        _say(f"descartes: the leases were not checked: {problem}")
    except Exception as problem:  # a mistake of ours must not keep anybody from committing either
        _say(f"descartes: the leases were not checked because of a mistake in Descartes: {problem!r}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
