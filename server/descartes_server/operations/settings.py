"""The settings, one set of names for every place they may stand in; the nearer to the person wins.

Defaults < `~/.descartes/config.toml` < `descartes.toml` in the workspace < the editor. A setting that is
unknown or wrong is a problem at its place, never an error: the rest counts.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from descartes_server.operations import workspace


class _Group(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the groups of settings."""


class PathPair(_Group, frozen=True):
    """The folder LOCAL, relative to the workspace, is the folder REMOTE where the image runs."""

    local: str
    remote: str


class LispSettings(_Group, frozen=True):
    command: list[str] | None = None
    """The one program that is tried, with its arguments; None: found by itself."""
    swank: str | None = None
    """Path of a Swank checkout."""
    attach: str | None = None
    """`host:port` of a Swank that is already running."""
    remote: str | None = None
    """The host on which the image is, or is started, as one would name it to ssh."""
    ssh: list[str] = msgspec.field(default_factory=lambda: ["ssh"])
    """The program that leads to that host, with its arguments."""
    paths: list[PathPair] = []
    """Folders that are called otherwise where the image runs."""
    autostart: bool = True
    """Whether the first request that needs the image starts it, in a trusted workspace."""
    init: bool = True
    """Whether the user's Lisp init file is loaded."""
    idle_minutes: float = 240


class LeaseSettings(_Group, frozen=True):
    ttl_seconds: int = 300


class DiagnosticSettings(_Group, frozen=True):
    compile_on_save: bool = True
    drift: bool = True
    """Whether definitions are marked whose text the image does not have."""


class HubSettings(_Group, frozen=True):
    idle_minutes: float = 30


class HoverSettings(_Group, frozen=True):
    hyperspec: str = "https://www.lispworks.com/documentation/HyperSpec/"
    """Where the pages lie that hovers of the standard's symbols link to; empty for no link."""


class InlineResultSettings(_Group, frozen=True):
    show: bool = True
    """Whether the value of the last evaluation, or its error, is shown at the end of its form."""


class Settings(_Group, frozen=True):
    """All settings, every one with its default."""

    lisp: LispSettings = LispSettings()
    leases: LeaseSettings = LeaseSettings()
    diagnostics: DiagnosticSettings = DiagnosticSettings()
    hub: HubSettings = HubSettings()
    hover: HoverSettings = HoverSettings()
    inline_results: InlineResultSettings = InlineResultSettings()


NAMES_PROGRAMS = frozenset({"lisp.command", "lisp.swank", "lisp.attach", "lisp.remote", "lisp.ssh"})
"""Settings that name programs, files to load or ports: a workspace that is not trusted cannot give them."""


@dataclass(frozen=True)
class Problem:
    """A setting that does not count, at LINE and COLUMN (1-based) of FILE; FILE is None for an editor's."""

    message: str
    file: Path | None
    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Loaded:
    """The SETTINGS that count, the file or place each given value comes from, and what was wrong."""

    settings: Settings
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def load(root: Path, *, trusted: bool, editor: Mapping[str, Any] | None = None) -> Loaded:
    """Return the settings of the workspace at ROOT, with EDITOR's own over those of the files."""
    loaded = Loaded(Settings())
    values: dict[str, Any] = {}
    for file in (workspace.home() / "config.toml", root / workspace.SETTINGS):
        text = _read(file)
        own = file.parent != root
        _take(loaded, values, _parse(loaded, file, text), _Source(str(file), file, text, own or trusted))
    _take(loaded, values, editor or {}, _Source("editor", None, "", may_name_programs=True))
    return Loaded(msgspec.convert(_nested(values), Settings), loaded.origins, loaded.problems)


@cache
def names() -> Mapping[str, Any]:
    """Return the type of every setting by its dotted wire name, such as `lisp.idleMinutes`."""
    return {
        f"{group.encode_name}.{each.encode_name}": each.type
        for group in msgspec.structs.fields(Settings)
        for each in msgspec.structs.fields(group.type)
    }


@dataclass(frozen=True)
class _Source:
    name: str
    file: Path | None
    text: str
    may_name_programs: bool

    def problem(self, setting: str, message: str) -> Problem:
        line, column = _place(self.text, setting)
        return Problem(message, self.file, line, column)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _parse(loaded: Loaded, file: Path, text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, 1)
        loaded.problems.append(
            Problem(f"expected TOML: {str(error).partition(' (at')[0]}", file, line, column)
        )
        return {}


def _take(loaded: Loaded, values: dict[str, Any], given: Mapping[str, Any], source: _Source) -> None:
    """Put what GIVEN says into VALUES by dotted name, or its problem into LOADED."""
    known = names()
    groups = {name.partition(".")[0] for name in known}
    for group, content in given.items():
        if group not in groups or not isinstance(content, Mapping):
            loaded.problems.append(source.problem(group, _unknown(group, groups)))
            continue
        for key, value in content.items():
            name = f"{group}.{key}"
            if problem := _wrong(name, value, known, source):
                loaded.problems.append(source.problem(name, problem))
            else:
                values[name] = value
                loaded.origins[name] = source.name


def _wrong(name: str, value: Any, known: Mapping[str, Any], source: _Source) -> str | None:
    if name not in known:
        return _unknown(name, {each for each in known if each.startswith(name.partition(".")[0] + ".")})
    if name in NAMES_PROGRAMS and not source.may_name_programs:
        return (
            f"{name} names a program and does not count until the workspace is trusted; run `descartes trust`"
        )
    try:
        msgspec.convert(value, known[name])
    except msgspec.ValidationError as error:
        return f"{name}: {str(error)[:1].lower()}{str(error)[1:]} ({value!r:.60})"
    return None


def _unknown(name: str, known: set[str]) -> str:
    return f"there is no setting {name!r}; there are {', '.join(sorted(known))}"


def _nested(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        group, _, key = name.partition(".")
        nested.setdefault(group, {})[key] = value
    return nested


def _place(text: str, setting: str) -> tuple[int, int]:
    """Return line and column, 1-based, where TEXT gives SETTING, (1, 1) where it cannot be told."""
    group, _, key = setting.partition(".")
    section, found = "", (1, 1)
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            section = header[1]
            if section.partition(".")[0] == group and found == (1, 1):
                found = number, line.index("[") + 1
        elif entry := re.match(r"(\s*)([\w.\"'-]+)\s*=", line):
            full = entry[2] if not section else f"{section}.{entry[2]}"
            if full in (setting, group if not key else setting):
                return number, len(entry[1]) + 1
    return found
