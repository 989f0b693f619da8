"""What a restore would change: two trees compared, and what stands in the way. Pure but for ignore rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from descartes_core.timetravel.manifest import Entry, Manifest, parents

ChangeKind = Literal["create", "modify", "delete", "mode", "type"]
Ignored = Callable[[Mapping[str, str], Sequence[str]], set[str]]
"""Which of some paths are ignored where `.gitignore` files with these digests hold."""


@dataclass(frozen=True)
class Change:
    """One thing that becomes another: BEFORE is what it is now, AFTER what it will be; None: not there."""

    path: str
    before: Entry | None
    after: Entry | None

    @property
    def kind(self) -> ChangeKind:
        if self.before is None:
            return "create"
        if self.after is None:
            return "delete"
        if self.before.kind != self.after.kind:
            return "type"
        return "modify" if self.before.digest != self.after.digest else "mode"

    @property
    def is_folder(self) -> bool:
        """Whether nothing but a folder is or was there."""
        return all(each is None or each.kind == "folder" for each in (self.before, self.after))


def leased_as(changes: Iterable[Change]) -> list[str]:
    """Return the files of CHANGES that can be leased; a lease on a link is one on what it leads to."""
    return [each.path for each in changes if (each.before or each.after or FOLDER).kind == "file"]


FOLDER = Entry("folder")


@dataclass
class Plan:
    """The CHANGES by path; files that cannot be put back and why (MISSING); what forbids it all (BLOCKED)."""

    changes: list[Change] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)


def compare(now: Manifest, then: Manifest, ignored: Ignored) -> Plan:
    """Return what makes THEN of NOW. What was ignored then and is not any more is left alone."""
    plan = Plan()
    old, new = now.entries, then.entries
    deleted = [path for path in old if path not in new and path not in then.left]
    if deleted and (rules := _rules(then)) != _rules(now):
        spared = ignored(rules, deleted)
        deleted = [path for path in deleted if path not in spared]
    changes = [Change(path, old[path], None) for path in deleted]
    for path, entry in new.items():
        before = old.get(path)
        if path in now.left and path not in old:
            plan.blocked[path] = now.left[path]
        elif before != entry:
            changes.append(Change(path, before, entry))
    for path, reason in then.left.items():
        if now.left.get(path) != reason:
            plan.missing[path] = f"it was not kept then: {reason.partition(' (')[0]}"
    for path, reason in now.left.items():
        if path not in new and path not in then.left:
            plan.missing[path] = f"it was not there then and stays: {reason.partition(' (')[0]}"
    plan.changes = sorted(changes, key=lambda each: each.path)
    return plan


def chosen(plan: Plan, paths: Iterable[str] | None) -> Plan:
    """Return the part of PLAN that is about PATHS, files or folders, with the folders they need."""
    if paths is None:
        return plan
    fits = fitting(paths)
    picked = {each.path for each in plan.changes if fits(each.path)}
    needed = {folder for path in picked for folder in parents(path)}
    changes = [
        each
        for each in plan.changes
        if each.path in picked or (each.path in needed and each.after is not None)
    ]
    return Plan(
        changes,
        {path: why for path, why in plan.missing.items() if fits(path)},
        {path: why for path, why in plan.blocked.items() if fits(path)},
    )


def exactly(plan: Plan, paths: Iterable[str]) -> Plan:
    """Return the changes of PLAN to just PATHS, nothing in them, with the folders that are missing."""
    wanted = set(paths)
    brought = [each.path for each in plan.changes if each.path in wanted and each.after is not None]
    needed = {folder for path in brought for folder in parents(path)}
    return Plan(
        [each for each in plan.changes if each.path in wanted or (each.path in needed and not each.before)],
        {},
        {path: why for path, why in plan.blocked.items() if path in wanted},
    )


def differing(one: Manifest, other: Manifest) -> set[str]:
    """Return the paths that are not the same in both trees."""
    old, new = one.entries, other.entries
    return {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}


def fitting(paths: Iterable[str] | None) -> Callable[[str], bool]:
    """Return what says whether a path is one of PATHS or lies in one; None and `.` fit everything."""
    wanted = None if paths is None else {path.rstrip("/").removeprefix("./") for path in paths}

    def fits(path: str) -> bool:
        if wanted is None or "." in wanted or path in wanted:
            return True
        return any(each in wanted for each in parents(path))

    return fits


def collisions(then: Manifest, plan: Plan) -> dict[str, str]:
    """Return the changes that one name would make to two files where the file system ignores case."""
    spelled: dict[str, str] = {}
    found: dict[str, str] = {}
    changed = {each.path for each in plan.changes}
    for path in sorted(then.entries):
        other = spelled.setdefault(path.casefold(), path)
        if other != path and (path in changed or other in changed):
            found[path] = f"this file system takes it for {other!r}"
    return found


def _rules(manifest: Manifest) -> dict[str, str]:
    return {
        path: entry.digest
        for path, entry in manifest.entries.items()
        if entry.kind == "file" and (path == ".gitignore" or path.endswith("/.gitignore"))
    }
