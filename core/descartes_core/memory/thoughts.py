"""`Thoughts`: a person's notes, found by their words, made and changed as files that people edit too.

Blocking: callers on a loop use a thread. Writes nothing into a log; `Notebook` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.memory import front_matter, note_files
from descartes_core.memory.front_matter import Head, Value
from descartes_core.memory.index import NoteIndex
from descartes_core.memory.note_files import TITLE_LENGTH, NoteFile, Stamp
from descartes_core.memory.shapes import Thought, ThoughtKind
from descartes_core.ports import Clock, SystemClock
from descartes_core.store.times import iso

FOLDER = "thoughts"
INDEX = "thoughts-index.db"
TAGS, TAG_LENGTH = 50, 60
LISTED = 100


@dataclass(frozen=True)
class NewThought:
    """A note to be made. TITLE is one line; BODY is Markdown."""

    title: str
    body: str
    kind: ThoughtKind = "research"
    tags: Sequence[str] = ()
    agent_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True)
class Changes:
    """What is to be different in a note; None leaves it as it is. APPENDED goes below the text."""

    title: str | None = None
    body: str | None = None
    appended: str | None = None
    tags: Sequence[str] | None = None


class Thoughts:
    """The notes in HOME/thoughts (`HOME` is `~/.descartes` or `DESCARTES_HOME`).

    Concurrency: safe from any thread and process; a note that two write at once keeps one of both texts, and
    the other writer is told.
    """

    def __init__(self, home: Path, clock: Clock | None = None) -> None:
        self.folder = home / FOLDER
        self._index = NoteIndex(self.folder, home / INDEX)
        self._clock = clock or SystemClock()

    def list(
        self,
        *,
        kind: ThoughtKind | None = None,
        tags: Sequence[str] = (),
        archived: bool = False,
        limit: int = LISTED,
    ) -> Sequence[Thought]:
        """Return up to LIMIT notes that have all TAGS, without their text, those changed last first."""
        return self._index.list(kind=kind, tags=tags, archived=archived, limit=_limit(limit))

    def search(
        self,
        text: str,
        *,
        kind: ThoughtKind | None = None,
        tags: Sequence[str] = (),
        archived: bool = False,
        limit: int = LISTED,
    ) -> Sequence[Thought]:
        """Return the notes that have all words of TEXT, or words that begin so; `"…"` is a phrase.

        Those with all words in the title come first, then by how often and how rare the words are.
        Errors: `InvalidParams` for a text without a word.
        """
        if not any(each.isalnum() for each in text):
            raise InvalidParams(f"Expected words to search for, got {text!r}")
        return self._index.search(text, kind=kind, tags=tags, archived=archived, limit=_limit(limit))

    def show(self, wanted: str) -> Thought:
        """Return the note WANTED with its text.

        WANTED is an id or its beginning, the name or path of a file (`.md` may be left out), or the title.
        Errors: `NotFound`; `InvalidParams` with `candidates` when it may be several.
        """
        return self._read(wanted)[0].thought

    def create(self, new: NewThought) -> Thought:
        """Write the note NEW into a file of its own and return it.

        Errors: `InvalidParams`, `TooLarge`, `OSError`.
        """
        now = iso(self._clock.now_ms())
        head: dict[str, Value | None] = {
            "id": str(uuid4()),
            "title": checked_title(new.title),
            "tags": checked_tags(new.tags),
            "created_at": now,
            "updated_at": now,
            "agent_id": new.agent_id,
            "session_id": new.session_id,
        }
        text = front_matter.render(Head((), ""), head, _with_end(checked_text(new.body)))
        note_files.check_size(text)
        path = note_files.create(
            self.folder, new.kind, datetime.fromisoformat(now).astimezone(UTC).date(), new.title, text
        )
        return note_files.read(self.folder, path)[0].thought

    def edit(self, wanted: str, changes: Changes) -> tuple[Thought, Thought]:
        """Make CHANGES in the note WANTED; return it as it was and as it is.

        Whatever else stands in the file stays. Without any change only the time of the last change is
        renewed, for a note that was edited by hand.
        Errors: those of `show` and `create`; `InvalidParams` for a file that is not understood.
        """
        note, stamp = self._read(wanted)
        before = note.thought
        if not note.whole:
            raise InvalidParams(
                f"{before.path!r} cannot be edited by a command, because {before.problem}; "
                "open it and put that right"
            )
        head: dict[str, Value | None] = {"updated_at": iso(self._clock.now_ms())}
        # A note written by hand gets an id that does not change with the file's name.
        own = {"id": before.id, "created_at": before.created_at}
        head |= {key: value for key, value in own.items() if note.head.text(key) is None}
        if changes.title is not None:
            head["title"] = checked_title(changes.title)
        if changes.tags is not None:
            head["tags"] = checked_tags(changes.tags)
        text = front_matter.render(note.head, head, _changed_body(note, changes))
        note_files.check_size(text)
        path = self._relative(before)
        note_files.replace(self.folder, path, text, stamp)
        return before, note_files.read(self.folder, path)[0].thought

    def archive(self, wanted: str, *, undo: bool = False) -> Thought:
        """Move the note WANTED into the archive, or out of it to UNDO that, and return it.

        Errors: those of `show`.
        """
        note, _ = self._read(wanted)
        path = note_files.move(self.folder, self._relative(note.thought), archived=not undo)
        return note_files.read(self.folder, path)[0].thought

    def take_back(self, thought: Thought, before: Thought | None) -> None:
        """Undo what made THOUGHT of BEFORE (None: it was made), because it could not be recorded."""
        if before is None:
            Path(thought.path).unlink(missing_ok=True)
        elif before.path != thought.path:
            note_files.move(self.folder, self._relative(thought), archived=before.archived)
        else:
            note, stamp = note_files.read(self.folder, self._relative(thought))
            head: dict[str, Value | None] = {
                "title": before.title, "tags": before.tags, "updated_at": before.updated_at
            }  # fmt: skip
            text = front_matter.render(note.head, head, before.content)
            note_files.replace(self.folder, self._relative(thought), text, stamp)

    def _read(self, wanted: str) -> tuple[NoteFile, Stamp]:
        found = self._index.find(wanted)
        if not found:
            raise NotFound(f"There is no note {wanted[:200]!r}; `descartes thoughts list` shows them")
        if len(found) > 1:
            named = [self._relative(each) for each in found[:5]]
            raise InvalidParams(
                f"Expected one note, {len(found)} are meant by {wanted[:200]!r}: {', '.join(named)}; "
                "give the name of the file",
                candidates=named,
            )
        return note_files.read(self.folder, self._relative(found[0]))

    def _relative(self, thought: Thought) -> str:
        return Path(thought.path).relative_to(self.folder).as_posix()


def told(thought: Thought) -> Mapping[str, Any]:
    """Return what the log says of THOUGHT: not its text."""
    size = len((thought.content or "").encode(errors="replace"))
    brief = msgspec.structs.replace(thought, content=None, excerpt=None, problem=None)
    data: dict[str, Any] = msgspec.to_builtins(brief)
    kept = ("id", "title", "kind", "path", "tags", "archived")
    return {**{key: data[key] for key in kept}, "bytes": size}


def checked_title(title: str) -> str:
    """Return TITLE as a note may have it: one line. Errors: `InvalidParams`."""
    line = " ".join(title.split())
    if not line or len(line) > TITLE_LENGTH or not line.isprintable():
        raise InvalidParams(f"Expected a title, one line of at most {TITLE_LENGTH} characters, got {title!r}")
    return line


def checked_tags(tags: Sequence[str]) -> list[str]:
    """Return TAGS, each once; what stands between commas counts as one each. Errors: `InvalidParams`."""
    words = [" ".join(word.split()) for each in tags for word in each.split(",")]
    found = list(dict.fromkeys(word for word in words if word))
    wrong = [word for word in found if len(word) > TAG_LENGTH or not word.isprintable()]
    if wrong or len(found) > TAGS:
        raise InvalidParams(
            f"Expected at most {TAGS} tags of at most {TAG_LENGTH} characters, got {wrong or len(found)}"
        )
    return found


def checked_text(text: str) -> str:
    """Return TEXT as a file can have it. Errors: `InvalidParams`."""
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise InvalidParams("Expected a text, got one with characters that no file of text can have")
    return text


def _changed_body(note: NoteFile, changes: Changes) -> str | None:
    if changes.body is None and changes.appended is None:
        return None
    body = note.head.body if changes.body is None else changes.body
    if changes.appended is not None:
        body = f"{_with_end(body)}\n{changes.appended}" if body.strip() else changes.appended
    text = _with_end(checked_text(body))
    return text if note.head.newline == "\n" else text.replace("\r\n", "\n").replace("\n", note.head.newline)


def _with_end(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"


def _limit(limit: int) -> int:
    if limit < 1:
        raise InvalidParams(f"The limit of a list is 1 or more, not {limit}")
    return limit
