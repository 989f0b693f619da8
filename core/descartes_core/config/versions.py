"""The versions of the settings files' format, and the way from each to the next.

A migration changes names where they stand in the text, so that comments, order and spelling stay; its result
is parsed before anybody gets it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field

from descartes_core.config import places
from descartes_core.config.table import CURRENT_VERSION, groups, settings, snake
from descartes_core.errors import InvalidParams, Unsupported

Version = tuple[int, int, int]
Rename = Callable[[places.Path], str | None]
"""Given the path of a name, the name that takes its place; None: it stays."""

CURRENT: Version = (2, 0, 0)
GROK = "[provider.grok]\nenabled = false\n"


@dataclass
class Draft:
    """A text on its way. INSERTED: line (1-based, in the text then) and number of lines put in before it."""

    text: str
    inserted: list[tuple[int, int]] = field(default_factory=list)

    def rename(self, new_name: Rename) -> None:
        """Give the names of tables and keys those that NEW_NAME says."""
        found = []
        for entry in places.scan(self.text):
            for at, span in entry.names.items():
                name = new_name(entry.path[: at + 1])
                if name is not None and name != entry.path[at]:
                    found.append((span, name))
        for (start, end), name in sorted(found, reverse=True):
            self.text = self.text[:start] + name + self.text[end:]

    def insert(self, offset: int, text: str) -> None:
        """Put TEXT, whole lines, at OFFSET, the beginning of a line."""
        line = self.text.count("\n", 0, offset) + 1
        self.text = self.text[:offset] + text + self.text[offset:]
        self.inserted.append((line, text.count("\n")))

    def line_before(self, line: int) -> int:
        """Return which line of the first text LINE of this one was."""
        for at, count in reversed(self.inserted):
            if line >= at + count:
                line -= count
            elif line >= at:
                line = at
        return line


@dataclass(frozen=True)
class Step:
    """What leads from one version to the next."""

    source: Version
    target: Version
    title: str
    change: Callable[[Draft], None]


@dataclass(frozen=True)
class Migration:
    """TEXT as of the version that this program knows; SOURCE is the version before, STEPS what was done."""

    text: str
    source: str
    steps: tuple[str, ...]
    draft: Draft


def version_of(text: str) -> Version:
    """Return the version of TEXT; without one it is the first where it has `provider`, else the newest.

    Errors: `InvalidParams` when TEXT is no TOML or its version is none; `Unsupported` for one that is newer
    than this program, or was never given out.
    """
    values = _parse(text)
    given = values.get("version")
    if given is None:
        return (1, 0, 0) if "provider" in values else CURRENT
    numbers = re.fullmatch(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?", str(given))
    if numbers is None:
        raise InvalidParams(f"expected a version such as {CURRENT_VERSION!r}, got {given!r:.40}")
    version: Version = int(numbers[1]), int(numbers[2] or 0), int(numbers[3] or 0)
    if version > CURRENT:
        raise Unsupported(
            f"this file is of version {shown(version)}, newer than {CURRENT_VERSION}, the newest that this"
            " program knows; nothing in it counts and nothing was changed; update Descartes"
        )
    if version != CURRENT and not any(step.source[:2] == version[:2] for step in CHAIN):
        known = ", ".join(shown(step.source) for step in CHAIN)
        raise Unsupported(f"expected version {known} or {CURRENT_VERSION}, got {shown(version)}")
    return version


def needs_migration(text: str) -> bool:
    """Return whether TEXT is of an older version. Errors: as of `version_of`."""
    return version_of(text) != CURRENT


def migrate(text: str) -> Migration:
    """Return TEXT in the version that this program writes; one that has it already is returned as it is.

    Errors: as of `version_of`; `InvalidParams` when two names of TEXT would become one.
    """
    version = source = version_of(text)
    draft, done = Draft(text), []
    for step in CHAIN:
        if step.source[:2] == version[:2]:
            step.change(draft)
            version = step.target
            done.append(f"{shown(step.source)} → {shown(step.target)}: {step.title}")
    if done:
        _state_version(draft)
        _parse(draft.text)
    return Migration(draft.text, shown(source), tuple(done), draft)


def shown(version: Version) -> str:
    """Return VERSION as it is written. Example: shown((1, 0, 0)) -> "1.0.0" """
    return ".".join(map(str, version))


def _parse(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = str(error)
        raise InvalidParams(f"expected TOML: {what[:1].lower()}{what[1:]}; put that right first") from None


def _state_version(draft: Draft) -> None:
    for entry in places.scan(draft.text):
        if entry.path == ("version",):
            start, end = entry.value
            draft.text = f'{draft.text[:start]}"{CURRENT_VERSION}"{draft.text[end:]}'
            return
    # A first line that names the schema must stay the first.
    first = re.match(r"#:schema[^\n]*\n", draft.text)
    draft.insert(first.end() if first else 0, f'version = "{CURRENT_VERSION}"\n')


def _add_grok(draft: Draft) -> None:
    """1.1 knows one provider more. It is off, and a file without providers needs none."""
    entries = places.scan(draft.text)
    tables = [each for each in entries if each.is_table and each.path[0] == "provider"]
    if not tables or any(each.path[:2] == ("provider", "grok") for each in entries):
        return
    after = [each for each in entries if each.is_table and each.key[0] > tables[-1].key[0]]
    if after:
        at = draft.text.rfind("\n", 0, after[0].key[0]) + 1
        # The comment above the next table is that table's.
        while above := re.search(r"(?:^|(?<=\n))[ \t]*#[^\n]*\n\Z", draft.text[:at]):
            at = above.start()
        draft.insert(at, f"{GROK}\n")
    else:
        end = "" if draft.text.endswith("\n") else "\n"
        draft.text += f"{end}\n{GROK}"


def _rename_keys(draft: Draft) -> None:
    """1.2 calls the key of every provider `api_key`; before, each provider had a word of its own."""
    have = {each.path[:2] for each in places.scan(draft.text) if each.path[2:] == ("api_key",)}

    def new_name(path: places.Path) -> str | None:
        if len(path) != 3 or path[0] != "provider" or path[:2] in have:
            return None
        others = ("key", "apikey", "apiKey", "api-key", "token", f"{path[1]}_api_key", f"{path[1]}_key")
        return "api_key" if path[2] in others else None

    draft.rename(new_name)


def _restructure(draft: Draft) -> None:
    """2.0 has `providers`, and names in camelCase."""
    known = {each.snake: each.name.rpartition(".")[2] for each in settings().values()}
    top = {"provider": "providers", **{snake(each): each for each in groups()}}

    def new_name(path: places.Path) -> str | None:
        if len(path) == 1:
            return top.get(str(path[0]))
        if path[0] in ("provider", "providers"):
            return _camel(str(path[-1])) if len(path) > 2 and isinstance(path[-1], str) else None
        return known.get(f"{top.get(str(path[0]), path[0])}.{path[1]}") if len(path) == 2 else None

    draft.rename(new_name)


def _camel(name: str) -> str:
    first, *others = re.split(r"[_-]", name)
    return first + "".join(each[:1].upper() + each[1:] for each in others)


CHAIN = (
    Step((1, 0, 0), (1, 1, 0), "provider.grok was added", _add_grok),
    Step((1, 1, 0), (1, 2, 0), "the key of a provider is called api_key", _rename_keys),
    Step((1, 2, 0), CURRENT, "provider is called providers, and names are in camelCase", _restructure),
)
"""Every step there has been, oldest first."""
