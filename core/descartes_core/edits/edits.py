"""`Edits`: what a bulk edit would change, and the edit itself: all of it or nothing, undone as a restore is.

The files are kept as they are, and as they would be, before anybody is asked. What is done is what was shown:
a file that is not as it was seen is a conflict. Everything behind that is the machinery of restores.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from descartes_core.edits import finding, previews, searching, selecting
from descartes_core.edits.finding import Found
from descartes_core.edits.shapes import Edited, EditPreview, EditRequest, FileEdit, Previewed
from descartes_core.errors import InvalidParams, NotFound, RestoreConflict, UnsavedChanges
from descartes_core.model import NewEvent, Principal
from descartes_core.ports import new_id
from descartes_core.store import Store
from descartes_core.store.times import iso
from descartes_core.timetravel import conflicts, plan
from descartes_core.timetravel.body import Body, Kept
from descartes_core.timetravel.manifest import Manifest, shown
from descartes_core.timetravel.plan import Change, Plan
from descartes_core.timetravel.restores import Restores
from descartes_core.timetravel.shapes import Problem
from descartes_core.timetravel.work import Work

EXPIRES_MS = 600_000
ATTEMPTS = 5


class Edits:
    """The bulk edits of one workspace. Concurrency: belongs to the loop of its store."""

    def __init__(
        self,
        store: Store,
        body: Body,
        restores: Restores,
        *,
        symbols: searching.Symbols = lambda path, text, name: (),
        unsaved: Callable[[], Iterable[tuple[str, str]]] = lambda: (),
    ) -> None:
        """UNSAVED() are the files, by real path, that editors have not saved, each with the editor's name."""
        self._store = store
        self._body = body
        self._restores = restores
        self._symbols = symbols
        self._unsaved = unsaved

    async def preview(self, request: EditRequest, by: Principal) -> EditPreview:
        """Return what REQUEST would change, without changing anything; `apply` takes its id.

        Errors: `InvalidParams`, `TimedOut`, `TooLarge`; `RestoreConflict` when files change all the time.
        """
        searching.check(request)
        request = await asyncio.to_thread(self._with_real_paths, request)
        fits = await asyncio.to_thread(self._fits, request)
        kept, found = await self._found(request, fits, by)
        now = then = kept.snapshot
        if found.files:
            after = {each.path: each.after for each in found.files}
            then = await asyncio.to_thread(self._body.snapshots.altered, now, after)
        seen = Previewed(
            what=previews.what(request),
            now=now.commit,
            then=then.commit,
            files=len(found.files),
            count=found.count,
            expires_ms=self._store.clock.now_ms() + EXPIRES_MS,
        )
        event = _event("edit.previewed", by, seen)
        (logged,) = await self._store.append(event)
        return await self._shown(logged.id, seen, found, fits, by)

    async def apply(
        self, confirm: str, by: Principal, *, paths: Sequence[str] | None = None, reason: str | None = None
    ) -> Edited:
        """Do what the preview CONFIRM showed, in the files or folders PATHS of it; return what was done.

        Errors: `NotFound`, `InvalidParams`; `RestoreConflict` when a file has changed since, `LeaseHeld`,
        `UnsavedChanges`; then nothing was done.
        """
        seen = await self._confirmed(confirm)
        chosen = await asyncio.to_thread(self._chosen, seen, paths)
        self._check_saved([each.path for each in chosen])

        def planned(now: Manifest) -> Plan:
            changed = [each.path for each in chosen if now.entries.get(each.path) != each.before]
            if changed:
                raise conflicts.changed_since_preview(changed)
            return Plan(chosen)

        then = Manifest({each.path: each.after for each in chosen if each.after is not None})
        work = Work(new_id("evt"), "edit", by, None, ["body"], then, planned, {})
        work.about = {"preview": confirm, "what": seen.what}
        if reason is not None:
            work.about["why"] = reason
        done = await self._restores.perform(work)
        return Edited(id=done.id, preview=confirm, what=seen.what, files=done.files)

    def _with_real_paths(self, request: EditRequest) -> EditRequest:
        """Return REQUEST with the files of its changes by the paths that the tree has. Reads links."""
        if request.changes is None:
            return request
        root = self._body.root
        named = [
            msgspec.structs.replace(each, path=selecting.named(root, each.path)) for each in request.changes
        ]
        return msgspec.structs.replace(request, changes=named)

    def _fits(self, request: EditRequest) -> Callable[[str], bool]:
        if request.changes is not None:
            named = {each.path for each in request.changes}
            return named.__contains__
        return selecting.fitting(self._body.root, request.paths)

    async def _found(
        self, request: EditRequest, fits: Callable[[str], bool], by: Principal
    ) -> tuple[Kept, Found]:
        """Return the files as they are kept, and what REQUEST would change in just those."""
        also = [each.path for each in request.changes or ()]
        for _ in range(ATTEMPTS):
            kept = await self._body.keep("preview", "a bulk edit is looked at", also=also, actor=by)
            tree = kept.snapshot.manifest
            found = await asyncio.to_thread(finding.find, self._body.root, tree, request, fits, self._symbols)
            if all(tree.entries[each.path].digest == each.digest for each in found.files):
                found.left |= {path: why for path, why in tree.left.items() if fits(path)}
                return kept, found
        raise RestoreConflict("Files are being changed all the time; ask for the preview again")

    async def _shown(
        self, id_: str, seen: Previewed, found: Found, fits: Callable[[str], bool], by: Principal
    ) -> EditPreview:
        unsaved = self._unsaved_files()
        leased = await self._restores.sharing.in_the_way([shown(each.path) for each in found.files], by)
        files = await asyncio.to_thread(previews.files, found, leased, unsaved.get)
        changed = {each.path for each in found.files}
        left = {
            path: f"its unsaved changes in {editor} are not looked at"
            for path, editor in unsaved.items()
            if path not in changed and fits(path)
        }
        left |= found.left
        return EditPreview(
            id=id_,
            what=seen.what,
            count=seen.count,
            files=files,
            left=[Problem(path=shown(path), reason=why) for path, why in sorted(left.items())],
            refused=_refused(files),
            expires_at=iso(seen.expires_ms),
        )

    def _unsaved_files(self) -> dict[str, str]:
        root = self._body.root
        inside = ((Path(path), editor) for path, editor in self._unsaved())
        return {
            path.relative_to(root).as_posix(): editor for path, editor in inside if path.is_relative_to(root)
        }

    def _check_saved(self, paths: Sequence[str]) -> None:
        unsaved = self._unsaved_files()
        found = [path for path in paths if path in unsaved]
        if found:
            editor = unsaved[found[0]]
            raise UnsavedChanges(
                f"{shown(found[0])!r} has unsaved changes in {editor}; save or undo them there, or leave the"
                " file out",
                editor=editor,
                paths=[shown(path) for path in found],
            )

    async def _confirmed(self, confirm: str) -> Previewed:
        event = await self._store.reader.event(confirm)
        if event.name != "edit.previewed":
            raise NotFound(f"No preview of a bulk edit has the id {confirm!r}; ask for a preview first")
        seen = msgspec.convert(event.data, Previewed)
        if self._store.clock.now_ms() > seen.expires_ms:
            raise RestoreConflict("The preview is older than ten minutes; ask for it again")
        if not seen.files:
            raise InvalidParams("The preview found no place to change; look for something else")
        return seen

    def _chosen(self, seen: Previewed, paths: Sequence[str] | None) -> list[Change]:
        """Return the changes of the preview SEEN to PATHS. Calls git; not for a loop."""
        now, then = (self._body.snapshots.manifest(commit) for commit in (seen.now, seen.then))
        changed = sorted(plan.differing(now, then))
        if paths is not None:
            for path in paths:
                if not any(map(plan.fitting([path]), map(shown, changed))):
                    raise InvalidParams(f"Expected files of the preview in `paths`, {path!r} is none of them")
            fits = plan.fitting(paths)
            changed = [path for path in changed if fits(shown(path))]
        if not changed:
            raise InvalidParams("Expected one or more files of the preview in `paths`, got none")
        return [Change(path, now.entries[path], then.entries[path]) for path in changed]


def _refused(files: Sequence[FileEdit]) -> str | None:
    """Return why FILES cannot be changed all at once."""
    refused = [each for each in files if each.refused]
    if not refused:
        return None
    first = f"{refused[0].path}: {refused[0].refused}"
    return first if len(refused) == 1 else f"{first}, and {len(refused) - 1} more"


def _event(name: str, by: Principal, data: msgspec.Struct) -> NewEvent:
    return NewEvent(category="system", name=name, stream="edit", actor=by, data=msgspec.to_builtins(data))
