"""The settings that count, merged from the files and the editor; the nearer to the person wins.

A setting that is unknown or wrong is a problem at its place, never an error: the rest counts.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from descartes_core.config import places, versions
from descartes_core.config.table import CURRENT_VERSION, Setting, Settings, groups, settings
from descartes_core.errors import DescartesError

Severity = Literal["error", "warning", "information"]
CONDITIONS = frozenset({"policy.rules"})
"""Settings that hold expressions, not texts with expressions in them."""


class Broken:
    """Takes the place of a text that could not be made; what holds one does not count."""


@dataclass(frozen=True)
class Problem:
    """What is wrong at LINE and COLUMN (1-based) up to END of FILE; FILE is None for an editor's setting.

    CODE is `setting`, or `setting.renamed` where NEW_NAME stands for what is written.
    """

    message: str
    file: Path | None
    line: int = 1
    column: int = 1
    end: tuple[int, int] | None = None
    severity: Severity = "warning"
    code: str = "setting"
    new_name: str | None = None


@dataclass(frozen=True)
class Loaded:
    """The SETTINGS that count, the file or place each given value comes from, and what was wrong."""

    settings: Settings
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """One place that gives settings: the TEXT of FILE, or an editor's VALUES.

    MAY_NAME_PROGRAMS: what stands there is the person's own word, or that of a workspace they trust.
    """

    name: str
    may_name_programs: bool
    file: Path | None = None
    text: str = ""
    values: Mapping[str, Any] | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
    """What `${…}` in its texts may speak of."""
    draft: versions.Draft | None = None
    """How TEXT came from what stands in FILE, when that is of an older version."""


def load(sources: Sequence[Source]) -> Loaded:
    """Return the settings of SOURCES; a later one wins over those before it."""
    values: dict[str, Any] = {}
    loaded = Loaded(Settings())
    for source in sources:
        _take(loaded, values, source)
    return Loaded(msgspec.convert(nested(values), Settings), loaded.origins, loaded.problems)


def from_file(
    file: Path, *, may_name_programs: bool, text: str | None = None, names: Mapping[str, Any] | None = None
) -> Source:
    """Return FILE as a source, with TEXT in place of what is on disk; a missing file gives nothing."""
    if text is None:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
    return Source(str(file), may_name_programs, file, text, names=names or {})


def problems_in(
    file: Path, text: str, *, may_name_programs: bool, names: Mapping[str, Any] | None = None
) -> list[Problem]:
    """Return what is wrong in TEXT as the settings file FILE."""
    source = from_file(file, may_name_programs=may_name_programs, text=text, names=names)
    return load([source]).problems


def _interpolated(loaded: Loaded, source: Source, path: places.Path, value: Any) -> Any:
    """Return VALUE with what `${…}` in its texts stands for; where that is wrong, the text as it is."""
    if isinstance(value, Mapping):
        return {key: _interpolated(loaded, source, (*path, key), each) for key, each in value.items()}
    if isinstance(value, list):
        return [_interpolated(loaded, source, (*path, at), each) for at, each in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    from descartes_core.expressions import ExpressionError, render

    try:
        return render(value, source.names)
    except ExpressionError as error:
        why = "" if source.may_name_programs else "; a workspace that is not trusted reads no environment"
        loaded.problems.append(_problem(source, path, f"{error.message}{why}"))
        return Broken()


def _wrong_conditions(setting: Setting, rules: Any, source: Source) -> list[Problem]:
    """Return what is wrong with the conditions in RULES; a rule whose condition is wrong still asks."""
    if setting.name not in CONDITIONS:
        return []
    from descartes_core.expressions import ExpressionError
    from descartes_core.policy.conditions import check

    found, (group, _, key) = [], setting.name.partition(".")
    for number, rule in enumerate(rules):
        try:
            check(rule["when"])
        except ExpressionError as error:
            message = f"this rule asks for every call until it is put right: {error.message}"
            place = (group, key, number, "when")
            found.append(_problem(source, place, message, severity="error", code="setting.condition"))
    return found


def named(name: str) -> Setting | None:
    """Return the setting NAME, also where its last word is in snake_case, as it once was."""
    found = settings().get(name)
    if found is not None:
        return found
    return next((each for each in settings().values() if each.snake == name), None)


def unknown(name: str, known: Sequence[str]) -> str:
    """Return the sentence that there is no setting NAME, but those KNOWN, one of which may be meant."""
    # The group is the same for all, and would make every name look alike.
    keys = {each.rpartition(".")[2]: each for each in known}
    near = difflib.get_close_matches(name.rpartition(".")[2], keys, n=1)
    meant = f"did you mean {keys[near[0]]!r}? There" if near else "there"
    return f"there is no setting {name!r}; {meant} are {', '.join(sorted(known))}"


def _take(loaded: Loaded, values: dict[str, Any], source: Source) -> None:
    """Put what SOURCE says into VALUES by dotted name, or its problem into LOADED."""
    if source.values is not None:
        given = source.values
    else:
        source, given = _current(loaded, source)
    for group, content in given.items():
        if (whole := settings().get(group)) is not None:
            _take_value(loaded, values, source, whole, (group,), content)
            continue
        if group not in groups() or not isinstance(content, Mapping):
            loaded.problems.append(_problem(source, (group,), unknown(group, list(groups()))))
            continue
        for key, value in content.items():
            _take_one(loaded, values, source, group, key, value)


def _take_one(
    loaded: Loaded, values: dict[str, Any], source: Source, group: str, key: str, value: Any
) -> None:
    setting, path = named(f"{group}.{key}"), (group, key)
    if setting is None:
        within = [name for name in settings() if name.startswith(f"{group}.")]
        loaded.problems.append(_problem(source, path, unknown(f"{group}.{key}", within)))
        return
    if setting.name != f"{group}.{key}":
        loaded.problems.append(_renamed(source, path, setting))
    _take_value(loaded, values, source, setting, path, value)


def _take_value(
    loaded: Loaded,
    values: dict[str, Any],
    source: Source,
    setting: Setting,
    path: places.Path,
    value: Any,
) -> None:
    value = _interpolated(loaded, source, path, value) if setting.name not in CONDITIONS else value
    if _is_broken(value):
        return
    if wrong := _wrong(setting, value, source):
        message, inner = wrong
        loaded.problems.append(_problem(source, (*path, *inner), message))
    else:
        loaded.problems.extend(_wrong_conditions(setting, value, source))
        # Providers and the like, named in several places, are all there.
        is_map = isinstance(setting.default, dict)
        values[setting.name] = {**values.get(setting.name, {}), **value} if is_map else value
        loaded.origins[setting.name] = source.name


def _is_broken(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_broken(each) for each in value.values())
    return isinstance(value, Broken) or (isinstance(value, list) and any(map(_is_broken, value)))


def _wrong(setting: Setting, value: Any, source: Source) -> tuple[str, places.Path] | None:
    """Return why VALUE does not count for SETTING and the path inside it, None when it does."""
    if setting.program and not source.may_name_programs:
        return (
            f"{setting.name} names a program and does not count until the workspace is trusted;"
            " run `descartes trust`",
            (),
        )
    try:
        msgspec.convert(value, setting.type)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        text = f"{setting.name}: {what[:1].lower()}{what[1:]} ({value!r:.60})"
        return text, _path_of(where)
    return None


def _path_of(where: str) -> places.Path:
    """Return the path that msgspec writes WHERE. Example: "`$[0].when`" -> (0, "when")"""
    words = re.findall(r"\[(\d+)\]|\.([^.\[`]+)", where)
    return tuple(int(number) if number else name for number, name in words)


def _renamed(source: Source, path: places.Path, setting: Setting) -> Problem:
    message = f"{'.'.join(map(str, path))!r} is now called {setting.name!r}; it counts under both names"
    new = setting.name.rpartition(".")[2]
    return _problem(source, path, message, severity="information", code="setting.renamed", new_name=new)


def _problem(source: Source, path: places.Path, message: str, **more: Any) -> Problem:
    if source.file is None:
        return Problem(message, None, **more)
    start, end = (places.line_and_column(source.text, at) for at in _span(source.text, path))
    if source.draft is not None:
        start, end = ((source.draft.line_before(line), column) for line, column in (start, end))
    return Problem(message, source.file, *start, end, **more)


def _span(text: str, path: places.Path) -> places.Span:
    """Return where TEXT gives PATH: its last word there, else that of the nearest that holds it."""
    entries = places.scan(text)
    for length in range(len(path), 0, -1):
        for entry in entries:
            if entry.path[:length] == path[:length] and length - 1 in entry.names:
                return entry.names[length - 1]
    return 0, 0


def _current(loaded: Loaded, source: Source) -> tuple[Source, Mapping[str, Any]]:
    """Return SOURCE as of the newest version, and what it says; nothing of one that cannot be read."""
    try:
        found = tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        loaded.problems.append(_no_toml(source, str(error)))
        return source, {}
    try:
        migration = versions.migrate(source.text)
    except DescartesError as error:
        loaded.problems.append(_problem(source, ("version",), error.message, severity="error"))
        return source, {}
    if migration.steps:
        loaded.problems.append(_problem(source, ("version",), _old(migration), code="setting.version"))
        source = replace(source, text=migration.text, draft=migration.draft)
        found = tomllib.loads(migration.text)
    return source, {key: value for key, value in found.items() if key != "version"}


def _old(migration: versions.Migration) -> str:
    return (
        f"this file is of version {migration.source}; it counts, and `descartes config migrate` brings it to"
        f" {CURRENT_VERSION}"
    )


def _no_toml(source: Source, error: str) -> Problem:
    place = re.search(r"at line (\d+), column (\d+)", error)
    line, column = (int(place[1]), int(place[2])) if place else (source.text.count("\n") + 1, 1)
    what = error.partition(" (at")[0]
    message = (
        f"expected TOML: {what[:1].lower()}{what[1:]}; nothing in this file counts until it is put right"
    )
    return Problem(message, source.file, line, column, severity="error")


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return VALUES, by dotted names, as a map of groups."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        group, _, key = name.partition(".")
        if key:
            found.setdefault(group, {})[key] = value
        else:
            found[group] = value
    return found
